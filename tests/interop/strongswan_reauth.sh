#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Both sides prove their identity anew, on a new IKE SA that is there before the old one goes, from either side, under
# numbered packets: none may be lost, or each that is found in the counter of strongSwan's sockets.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

stream_packets=16000 # at 2,000 a second

ike_now() { gw_tunnel gw-a '.phase1.spi_i'; }

differs() { [ "$(ike_now)" != "$1" ] && [ "$(ike_now)" != null ]; }

# new_ike COMMAND...: while the stream runs, the IKE SA becomes another one
new_ike() {
	local before stream
	before=$(ike_now)
	: >"$work/stream.verdict"
	(udp_numbers ha 10.1.0.2 peer 10.2.0.1 $stream_packets && echo whole >"$work/stream.verdict") >"$work/stream.log" 2>&1 &
	stream=$!
	"$@" >"$work/reauth.log" 2>&1 || because "$(tail -n 1 "$work/reauth.log")" || { wait $stream; return 1; }
	wait_for 12 differs "$before" || because "the IKE SA stays the same: $(gw_failure gw-a)" || { wait $stream; return 1; }
	wait $stream
	[ -s "$work/stream.verdict" ] || because "$(tail -n 1 "$work/stream.log") $(tail -n 1 "$work/udp-receiver.log")" || return 1
	grep '^#' "$work/stream.log"
	established 2 && one_ike_sa
}

one_ike_sa() {
	wait_for 5 alone || because "theirs: $(charon_ctl charon --list-sas | grep -c ESTABLISHED) IKE SAs"
}

alone() { [ "$(charon_ctl charon --list-sas | grep -c ESTABLISHED)" = 1 ]; }

# ours comes by itself
in_time() { :; }

# by RFC 4478 we tell strongSwan when to come
told() { log_has charon 'received AUTH_LIFETIME' || because "strongSwan has not heard of AUTH_LIFETIME"; }

topology_peer
peer_charon="make_before_break = yes"
gw_phase1_more="      reauth: 12s"
interop_up initiate
established || exit 1
feature reauth initiator new_ike in_time
interop_down
gw_phase1_more=""
interop_up respond
charon_initiate charon >"$work/initiate.log" 2>&1
established || exit 1
feature reauth responder new_ike charon_ctl charon --rekey --ike net --reauth
interop_down
# so much earlier than it is told strongSwan comes; by itself it takes a tenth of its own life of 4 h
peer_connection="over_time = 2s"
gw_phase1_more="      reauth: 12s"
interop_up respond
charon_initiate charon >"$work/initiate.log" 2>&1
established || exit 1
feature reauth-told responder told
