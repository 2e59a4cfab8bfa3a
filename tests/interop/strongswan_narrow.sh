#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Traffic selectors with strongSwan: narrowing by either side, protocol and port, several on one Child SA, the packet that
# asks, one pair on a Child SA. What is outside of what was agreed on is dropped under its name.
#
# strongSwan 5.9.8 neither sends nor follows ADDITIONAL_TS_POSSIBLE (its only use is the order of payloads,
# src/libcharon/encoding/message.c:398), and sends no SINGLE_PAIR_REQUIRED, but takes it for the refusal that it is
# (src/libcharon/sa/ikev2/tasks/child_create.c:1793). What follows on them is tested by tests/exchange/test_narrowing.c.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

sides() { gw_tunnel gw-a '.phase2[0] | (.local_selectors | join(",")) + " " + (.remote_selectors | join(","))'; }

# agreed LOCAL REMOTE: what we and what they show
agreed() {
	wait_for 15 gw_up gw-a || because "$(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a)" || return 1
	[ "$(sides)" = "$1 $2" ] || because "ours: $(sides)" || return 1
	wait_for 5 charon_established charon || because "theirs is not up"
}

begun_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	agreed "$@"
}

drops_outside() {
	ping_ok ha 10.2.0.1 2 || return 1
	counts gw-a selector_out fails pings_once ha "$1"
}

fails() { ! "$@" >/dev/null; }

passes_by_port() {
	tcp_ok peer ha 10.2.0.1 1 || return 1
	counts gw-a "$1" fails pings_once ha 10.2.0.1
}

both_nets() { ping_ok ha 10.2.0.1 2 && ping_ok ha 10.2.1.1 2; }

two_pairs() {
	agreed 10.1.0.0/24 "$1" || return 1
	wait_for 5 two_in || because "there are $(gw_sa_count gw-a) SAs" || return 1
	both_nets
}

two_in() { [ "$(gw_sa_count gw-a)" = 4 ]; }

# the first packet of each net makes its Child SA, waits for it and passes
by_packet() {
	in_ns ha ping -n -W 10 -c 1 "$1" >/dev/null || because "no answer of $1: $(gw_failure gw-a)"
}

told_single() {
	! charon_initiate charon >"$work/initiate.log" 2>&1 || because "strongSwan has a Child SA" || return 1
	log_has charon 'received SINGLE_PAIR_REQUIRED' || because "strongSwan has not heard of it"
}

narrow_up() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net "$1" "$2" "$3" |
			sed "s/^    encap:.*/&\n    one_selector_per_child: ${4:-false}/")
	psk_secret gw-a gw-a.example.net peer.example.net
	charon_config charon 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
	charon_start charon peer
	gateway_start gw-a ga
}

topology_peer
address peer lo 10.2.1.1/24
# they want less than we ask for, then the other way round
peer_local_ts=10.2.0.0/25 peer_remote_ts=10.1.0.0/24
narrow_up 10.1.0.0/16 10.2.0.0/16 initiate
feature narrow initiator agreed 10.1.0.0/24 10.2.0.0/25
feature narrow-outside initiator drops_outside 10.2.0.200
interop_down
peer_local_ts=10.2.0.0/16 peer_remote_ts=10.1.0.0/16
narrow_up 10.1.0.0/24 10.2.0.0/25 respond
feature narrow responder begun_by_peer 10.1.0.0/24 10.2.0.0/25
feature narrow-outside responder ping_ok ha 10.2.0.1 2
interop_down
# protocol and port
peer_local_ts="10.2.0.0/24[tcp/5201]" peer_remote_ts="10.1.0.0/24[tcp]"
narrow_up 10.1.0.0/24 10.2.0.0/24 initiate
feature narrow-port initiator agreed "10.1.0.0/24[tcp]" "10.2.0.0/24[tcp/5201]"
feature narrow-port-traffic initiator passes_by_port selector_out
interop_down
peer_local_ts=10.2.0.0/24 peer_remote_ts=10.1.0.0/24
narrow_up "'10.1.0.0/24[tcp]'" "'10.2.0.0/24[tcp/5201]'" respond
feature narrow-port responder begun_by_peer "10.1.0.0/24[tcp]" "10.2.0.0/24[tcp/5201]"
feature narrow-port-traffic responder passes_by_port no_policy
interop_down
# several on one
peer_local_ts=10.2.0.0/24,10.2.1.0/24
narrow_up 10.1.0.0/24 "10.2.0.0/24, 10.2.1.0/24" initiate
feature narrow-several initiator agreed 10.1.0.0/24 10.2.0.0/24,10.2.1.0/24
feature narrow-several-traffic initiator both_nets
interop_down
narrow_up 10.1.0.0/24 "10.2.0.0/24, 10.2.1.0/24" respond
feature narrow-several responder begun_by_peer 10.1.0.0/24 10.2.0.0/24,10.2.1.0/24
feature narrow-several-traffic responder both_nets
interop_down
# one each
narrow_up 10.1.0.0/24 "10.2.0.0/24, 10.2.1.0/24" initiate true
feature narrow-one-pair initiator two_pairs 10.2.1.0/24
interop_down
narrow_up 10.1.0.0/24 "10.2.0.0/24, 10.2.1.0/24" trap true
feature narrow-trap initiator by_packet 10.2.1.1
feature narrow-trap-again initiator by_packet 10.2.0.1
interop_down
narrow_up 10.1.0.0/24 "10.2.0.0/24, 10.2.1.0/24" respond true
feature narrow-single-pair-required responder told_single
lacking narrow-additional-ts initiator "strongSwan 5.9.8 src/libcharon/encoding/message.c:398 only orders the notify"
lacking narrow-additional-ts responder "strongSwan 5.9.8 src/libcharon/encoding/message.c:398 only orders the notify"
