#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Negotiations with strongSwan that must fail, in both roles: the right notify on the wire, the right line in show tunnels.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

# Each case changes what the peer wants: run_case NAME PHASE EXCHANGE NOTIFY CHARON_LOG_WORD
run_case() {
	local name=$1 phase=$2 exchange=$3 notify=$4 word=$5
	interop_up respond
	gw_ctl gw-a initiate peer >/dev/null
	feature "$name" initiator fails_as_initiator "$phase" "$exchange" "$notify" "$word"
	interop_down
	interop_up respond
	charon_initiate charon >"$work/initiate.log" 2>&1
	feature "$name" responder fails_as_responder "$phase" "$exchange" "$notify" "$word"
	interop_down
}

# strongSwan refuses: it generates the notify, we show it
fails_as_initiator() {
	wait_for 15 log_has charon "generating $2 response [0-9]+ \[.*N\($4\)" ||
		because "strongSwan did not send $4" || return 1
	failure_shown "$1" "$2" "$3" || return 1
	[ "$(gw_tunnel gw-a .last_failure.role)" = initiator ] || because "role $(gw_tunnel gw-a .last_failure.role)" || return 1
	[ -n "$(gw_tunnel gw-a '.last_failure.ours // empty')" ] || because "last_failure.ours is empty"
}

# we refuse: it parses the notify, we show both sides
fails_as_responder() {
	wait_for 15 log_has charon "parsed $2 response [0-9]+ \[.*N\($4\)" || because "strongSwan did not get $4" || return 1
	failure_shown "$1" "$2" "$3" || return 1
	[ "$(gw_tunnel gw-a .last_failure.role)" = responder ] || because "role $(gw_tunnel gw-a .last_failure.role)" || return 1
	[ "$3" = AUTHENTICATION_FAILED ] || mismatch_shown
}

topology_peer
peer_psk=another-psk-987654321 run_case wrong-psk 1 IKE_AUTH AUTHENTICATION_FAILED AUTH_FAILED
peer_ike_proposals=aes128-sha256-modp2048 run_case phase1-proposal-mismatch 1 IKE_SA_INIT NO_PROPOSAL_CHOSEN NO_PROP
peer_esp_proposals=aes128-sha256 run_case phase2-proposal-mismatch 2 IKE_AUTH NO_PROPOSAL_CHOSEN NO_PROP
peer_local_ts=10.77.0.0/24 run_case selector-mismatch 2 IKE_AUTH TS_UNACCEPTABLE TS_UNACCEPT
