#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Rekeying with strongSwan under numbered packets: Child SA and IKE SA, from either side, 24 times; none may be lost, or each
# that is found in the counter of strongSwan's sockets. The same stream without a rekey comes first: what that loses is the
# path's.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

rekeys=6
[ -z "${SALLYPORT_PEER:-}" ] || rekeys=5
stream_packets=$((rekeys * 2000)) # at 2,000 a second

# what changes when new keys are there
child_now() { gw_spi gw-a in; }
ike_now() { gw_tunnel gw-a '.phase1.spi_i'; }

# The numbered stream runs while COMMAND is done so many times, and each time NOW says something else.
while_streaming() {
	local now=$1 before i
	shift
	: >"$work/stream.verdict"
	(udp_numbers ha 10.1.0.2 peer 10.2.0.1 $stream_packets && echo whole >"$work/stream.verdict") >"$work/stream.log" 2>&1 &
	local stream=$!
	for ((i = 0; i < rekeys; i++)); do
		before=$($now)
		"$@" >"$work/rekey.log" 2>&1 || because "rekey $i: $(tail -n 1 "$work/rekey.log")" || break
		wait_for 5 differs "$now" "$before" || because "rekey $i changes nothing" || break
		sleep 0.4
	done
	wait $stream
	[ "$i" = "$rekeys" ] || return 1
	[ -s "$work/stream.verdict" ] || because "$(tail -n 1 "$work/stream.log") $(tail -n 1 "$work/udp-receiver.log")" || return 1
	grep '^#' "$work/stream.log"
	established 2
}

differs() { [ "$($1)" != "$2" ] && [ "$($1)" != null ]; }

topology_peer
interop_up initiate
established || exit 1
feature stream initiator udp_numbers ha 10.1.0.2 peer 10.2.0.1 $stream_packets
feature rekey-child initiator while_streaming child_now gw_ctl gw-a rekey peer net
feature rekey-child responder while_streaming child_now charon_ctl charon --rekey --child net
feature rekey-ike responder while_streaming ike_now charon_ctl charon --rekey --ike net
feature rekey-ike initiator while_streaming ike_now gw_ctl gw-a rekey peer
