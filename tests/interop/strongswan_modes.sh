#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What strongSwan negotiates but its user-space ESP does not carry: transport mode, AH, extended sequence numbers. It runs
# with the kernel's interface and fakexfrm.c, which writes its SAs into a file; xfrm_peer.py speaks ESP and AH with
# these. So keys, SPIs, mode, algorithms and ESN are those that strongSwan itself has derived.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

packets=40

shim_build() {
	gcc -std=gnu11 -O2 -shared -fPIC -o "$work/fakexfrm.so" "$repo/tests/interop/fakexfrm.c" || die "fakexfrm.c does not build"
	peer_preload=$work/fakexfrm.so
	peer_kernel=kernel-netlink
}

# ---- set-up of one case ----

# sides: what the two sides of the traffic are in this mode
sides() {
	if [ "$gw_mode" = transport ]; then
		ours='"dynamic"' theirs='"dynamic"'
		peer_local_ts=dynamic peer_remote_ts=dynamic
		inner=""
	else
		ours=10.1.0.0/24 theirs=10.2.0.0/24
		peer_local_ts=10.2.0.0/24 peer_remote_ts=10.1.0.0/24
		inner="10.2.0.1 10.1.0.2"
	fi
}

# both_start PROTOCOL MODE OUR_PROPOSALS THEIR_PROPOSALS
both_start() {
	gw_protocol=$1 gw_mode=$2 gw_esp_proposals=$3
	peer_protocol=$1 peer_esp_proposals=$4
	peer_child="mode = ${peer_mode:-$2}"
	sides
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net "$ours" "$theirs" respond)
	psk_secret gw-a gw-a.example.net peer.example.net
	charon_config charon 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
	: >"$work/charon/sas"
	charon_start charon peer
	gateway_start gw-a ga
}

# ---- what a case does ----

initiated_by_initiator() { gw_ctl gw-a initiate peer >/dev/null || because "initiate failed: $(gw_failure gw-a)"; }

initiated_by_responder() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)"
}

is_up() { wait_for 10 gw_up gw-a || because "ours: $(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a)"; }

xfrm_peer() {
	in_ns peer python3 "$repo/tests/interop/xfrm_peer.py" "$work/charon/sas" "$@" >"$work/xfrm-peer.log" 2>&1 ||
		because "$(tail -n 1 "$work/xfrm-peer.log")"
}

# requests of the peer, answered through the SAs
echoes() {
	# shellcheck disable=SC2086
	xfrm_peer eth0 192.0.2.2 192.0.2.1 $packets $inner
}

# kind_is PROTOCOL MODE ESN: both sides say the same of the SA
kind_is() {
	local kind ours
	kind=$(python3 "$repo/tests/interop/xfrm_peer.py" "$work/charon/sas" describe 192.0.2.2)
	ours="$(gw_sa gw-a in protocol) $(gw_sa gw-a in mode) $([ "$(gw_sa gw-a in esn)" = true ] && echo esn || echo noesn)"
	[ "$kind" = "$*" ] && [ "$ours" = "$*" ] || because "theirs \"$kind\", ours \"$ours\", expected \"$*\""
}

# carries ROLE KIND...: up, of this kind, with traffic; again with new keys; then gone
carries() {
	local role=$1
	shift
	"initiated_by_$role" && is_up && kind_is "$@" && echoes && rekeyed "$role" && kind_is "$@" && echoes && gone
}

spi_changed() { [ "$(gw_spi gw-a out)" != "$1" ] && [ "$(gw_sa_count gw-a)" = 2 ]; }

# rekeyed ROLE: by the side that began
rekeyed() {
	local before
	before=$(gw_spi gw-a out)
	if [ "$1" = initiator ]; then
		gw_ctl gw-a rekey peer net >/dev/null || because "rekey failed" || return 1
	else
		charon_ctl charon --rekey --child net >/dev/null 2>&1 || because "swanctl --rekey failed" || return 1
	fi
	wait_for 12 spi_changed "$before" || because "no new SAs: $(gw_sa_count gw-a) are there"
}

gone() {
	gw_ctl gw-a terminate peer >/dev/null || because "terminate failed" || return 1
	wait_for 8 no_sas || because "we keep $(gw_sa_count gw-a) SAs" || return 1
	wait_for 5 charon_empty charon || because "strongSwan keeps its SA"
}

# run_case FEATURE PROTOCOL MODE ESN OUR_PROPOSALS THEIR_PROPOSALS
run_case() {
	local name=$1 kind="$2 $3 $4" role
	both_start "$2" "$3" "$5" "$6"
	for role in initiator responder; do
		# shellcheck disable=SC2086
		feature "$name" $role carries $role $kind || gone
	done
	interop_down
}

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
