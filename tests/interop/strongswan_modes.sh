#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What strongSwan negotiates but its user-space ESP does not carry: transport mode, AH, extended sequence numbers. It runs
# with the kernel's interface and fakexfrm.c, which writes its SAs into a file; xfrm_peer.py speaks ESP and AH with
# these. So keys, SPIs, mode, algorithms and ESN are those that strongSwan itself has derived.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"
. "$(dirname "$0")/modes_lib.sh"

# ---- modes that differ ----

deleted_again() {
	gw_ctl gw-a initiate peer >/dev/null 2>&1
	wait_for 5 log_has charon 'received DELETE for ESP CHILD_SA' || because "strongSwan was not told to delete it" || return 1
	gw_failure gw-a | grep -q 'declines transport mode' || because "the failure is $(gw_failure gw-a)" || return 1
	no_sas || because "$(gw_sa_count gw-a) SAs are here"
}

refused_by_us() {
	charon_initiate charon >"$work/initiate.log" 2>&1 && because "it came up" && return 1
	grep -q NO_PROPOSAL_CHOSEN "$work/initiate.log" || because "$(tail -n 1 "$work/initiate.log")" || return 1
	gw_failure gw-a | grep -q 'asks for tunnel mode' || because "the failure is $(gw_failure gw-a)"
}

# differing FALLBACK: we have transport mode, strongSwan tunnel mode
differing() {
	gw_phase2_more="        tunnel_fallback: $1"
	peer_mode=tunnel
	both_start esp transport aes256gcm16-noesn aes256gcm16
}

same_again() {
	interop_down
	gw_phase2_more="" peer_mode=""
}

# tunnel_instead ROLE: what would have been transport mode
tunnel_instead() {
	inner="192.0.2.2 192.0.2.1"
	"initiated_by_$1" && is_up && kind_is esp tunnel noesn && echoes && gone
}

modes_differ() {
	differing false
	feature transport-declined initiator deleted_again
	gw_ctl gw-a terminate peer >/dev/null
	wait_for 5 charon_empty charon
	feature transport-declined responder refused_by_us
	same_again
	differing true
	feature transport-fallback initiator tunnel_instead initiator
	feature transport-fallback responder tunnel_instead responder
	same_again
}

topology_peer
shim_build
run_case transport-aes256gcm esp transport noesn aes256gcm16-noesn aes256gcm16
run_case transport-aes128-sha256 esp transport noesn aes128-sha256-noesn aes128-sha256
run_case ah-sha256 ah tunnel noesn sha256-noesn sha256
run_case ah-sha512 ah tunnel noesn sha512-noesn sha512
run_case ah-transport-sha256 ah transport noesn sha256-noesn sha256
run_case esn-aes256gcm esp tunnel esn aes256gcm16-esn aes256gcm16-esn
run_case esn-aes128-sha256 esp tunnel esn aes128-sha256-esn aes128-sha256-esn-noesn
run_case esn-transport-chacha20 esp transport esn chacha20poly1305-esn chacha20poly1305-esn
run_case esn-ah-sha384 ah tunnel esn sha384-esn sha384-esn
modes_differ
