#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Protocol 50 itself, without UDP, with the strongSwan of Debian 13, in both roles: numbered packets both ways, also while
# the Child SA is rekeyed with a key exchange of its own (PFS). Debian 12's carries ESP in UDP only.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

export SALLYPORT_PEER=debian13
# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

begun_by_us() { gw_ctl gw-a initiate peer >/dev/null && established; }

begun_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	established
}

# It is protocol 50 that passes the wire, and no UDP but IKE's.
raw_on_the_wire() {
	[ "$(gw_sa gw-a out encap)" = none ] || because "encapsulation $(gw_sa gw-a out encap)" || return 1
	capture "$1" peer eth0 || because "no capture" || return 1
	ping_ok ha 10.2.0.1 5 || return 1
	capture_stop "$1"
	[ "$(packets "$1" 'ip proto 50')" -ge 10 ] || because "$(packets "$1" 'ip proto 50') packets of protocol 50" || return 1
	[ "$(packets "$1" 'udp port 4500')" = 0 ] || because "UDP on port 4500"
}

packets() { tcpdump -nr "$work/$1.pcap" "$2" 2>/dev/null | wc -l; }

numbered() { udp_numbers ha 10.1.0.2 peer 10.2.0.1 4000 && udp_numbers peer 10.2.0.1 ha 10.1.0.2 4000; }

differs() { [ "$(gw_spi gw-a in)" != "$1" ] && [ "$(gw_spi gw-a in)" != null ]; }

# rekeyed COMMAND...: new keys three times under numbered packets
rekeyed() {
	local before i
	: >"$work/stream.verdict"
	(udp_numbers ha 10.1.0.2 peer 10.2.0.1 8000 && echo whole >"$work/stream.verdict") >"$work/stream.log" 2>&1 &
	local stream=$!
	for ((i = 0; i < 3; i++)); do
		before=$(gw_spi gw-a in)
		"$@" >"$work/rekey.log" 2>&1 || because "rekey $i: $(tail -n 1 "$work/rekey.log")" || break
		wait_for 5 differs "$before" || because "rekey $i changes nothing" || break
		sleep 0.5
	done
	wait $stream
	[ "$i" = 3 ] || return 1
	[ -s "$work/stream.verdict" ] || because "$(tail -n 1 "$work/stream.log") $(tail -n 1 "$work/udp-receiver.log")" || return 1
	grep '^#' "$work/stream.log" || true
}

peer_libipsec="raw_esp = yes"
peer_plugins=curve25519
gw_esp_proposals=aes256gcm16-x25519
peer_esp_proposals=aes256gcm16-x25519
topology_peer
interop_up respond
feature esp-raw initiator begun_by_us || exit 1
feature esp-raw-wire initiator raw_on_the_wire first
feature esp-raw-numbered initiator numbered
feature pfs-raw initiator rekeyed gw_ctl gw-a rekey peer net
feature pfs-raw responder rekeyed charon_ctl charon --rekey --child net
interop_down
interop_up respond
feature esp-raw responder begun_by_peer || exit 1
feature esp-raw-wire responder raw_on_the_wire second
feature esp-raw-numbered responder numbered
