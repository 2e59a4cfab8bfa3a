#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# MOBIKE between two gateways: an address of either side goes by a reload while numbered packets flow, the operator moves
# the tunnel back, and what may not be is refused with its reason.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

stream_packets=2400 # at 2,000 a second

# own_addresses ADDRESS...: the section of the configuration
own_addresses() {
	local address
	echo "addresses:"
	for address; do echo "  - {address: $address}"; done
}

write_configs() {
	gw_local_more=", more_addresses: [192.0.2.1]"
	gw_remote_more=", more_addresses: [198.51.100.1]"
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		own_addresses 192.0.2.7
		tunnel to-b 192.0.2.7 198.51.100.7 gw-a.example.net gw-b.example.net 10.1.0.0/24 10.2.0.0/24 initiate)
	gw_local_more=", more_addresses: [198.51.100.1]"
	gw_remote_more=", move_to: [192.0.2.1-192.0.2.200]"
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		own_addresses 198.51.100.7
		tunnel to-a 198.51.100.7 192.0.2.7 gw-b.example.net gw-a.example.net 10.2.0.0/24 10.1.0.0/24 respond)
	psk_secret gw-a gw-a.example.net gw-b.example.net
	psk_secret gw-b gw-b.example.net gw-a.example.net
}

path_of() { gw_tunnel "$1" '"\(.phase1.local) \(.phase1.remote)"'; }

# path_is A B: both sides, IKE SA and Child SA, use these addresses
path_is() {
	[ "$(path_of gw-a) / $(path_of gw-b)" = "$1:4500 $2:4500 / $2:4500 $1:4500" ] &&
		[ "$(gw_sa gw-a out local) $(gw_sa gw-a out remote) $(gw_sa gw-b out remote)" = "$1 $2 $1" ]
}

path_comes() { wait_for 5 path_is "$1" "$2" || because "path: $(path_of gw-a), $(path_of gw-b), SA to $(gw_sa gw-b out remote)"; }

reload_with() {
	cp "$work/$1.yaml" "$work/$1.before"
	sed -i "$2" "$work/$1.yaml"
	gw_ctl "$1" reload >"$work/reload.out" 2>&1 || because "reload of $1: $(cat "$work/reload.out")"
}

# lost: of the stream that has ended
lost() { awk -v all=$stream_packets '/^received/ { print all - $2 }' "$work/udp-receiver.log"; }

# while_streaming MOST FROM FROM_ADDRESS TO TO_ADDRESS COMMAND...: at most so many of the numbered packets get lost
while_streaming() {
	local most=$1 stream rc=0
	local way=("${@:2:4}")
	shift 5
	udp_numbers "${way[@]}" $stream_packets >"$work/stream.log" 2>&1 &
	stream=$!
	wait_for 5 log_has udp-receiver ready
	stream_flows "${way[2]}"
	"$@" || rc=1
	wait $stream
	[ $rc = 0 ] || return 1
	echo "# $*: $(lost) of $stream_packets packets lost"
	[ "$(lost)" -le "$most" ] || because "$(lost) packets lost: $(tail -n 1 "$work/udp-receiver.log")"
}

# the stream is under way when the host has got some of it
stream_flows() {
	local before
	before=$(host_received "$1")
	wait_for 5 more_than "$1" "$((before + 200))"
}

more_than() { [ "$(host_received "$1")" -gt "$2" ]; }

initiator_loses() { reload_with gw-a 's/^  - {address: 192.0.2.7}$/  - {address: 192.0.2.8}/' && path_comes 192.0.2.1 198.51.100.7; }

responder_loses() { reload_with gw-b 's/^  - {address: 198.51.100.7}$/  - {address: 198.51.100.8}/' && path_comes "$1" 198.51.100.1; }

lists_again() { gw_tunnel gw-a '.phase1.remote_more_addresses[]' | grep -qx 198.51.100.7; }

# the responder's address is back: the initiator knows, and stays where it is
responder_finds() {
	! lists_again || because "the initiator knows the address that is gone" || return 1
	reload_with gw-b 's/^  - {address: 198.51.100.8}$/  - {address: 198.51.100.7}/' || return 1
	wait_for 5 lists_again || because "addresses of the peer: $(gw_tunnel gw-a '.phase1.remote_more_addresses')" || return 1
	path_is 192.0.2.7 198.51.100.1 || because "path: $(path_of gw-a), $(path_of gw-b)"
}

operator_moves() {
	reload_with gw-a 's/^  - {address: 192.0.2.8}$/  - {address: 192.0.2.7}/' || return 1
	gw_ctl gw-a move to-b local 192.0.2.7 >"$work/move.out" 2>&1 || because "$(cat "$work/move.out")" || return 1
	path_comes 192.0.2.7 198.51.100.7
}

# refuses TEXT GATEWAY ARGUMENTS...
refuses() {
	local text=$1 gateway=$2
	shift 2
	! gw_ctl "$gateway" move "$@" >"$work/move.out" 2>&1 || because "move $* was accepted" || return 1
	grep -q "$text" "$work/move.out" || because "it says: $(cat "$work/move.out")"
}

seen() {
	gw_tunnel gw-a '.events[] | "\(.event) \(.text)"' | grep -q '^moved from 192.0.2.7:4500 - 198.51.100.7:4500 to 192.0.2.1:4500' ||
		because "events: $(gw_tunnel gw-a '.events[].event' | tr '\n' ' ')" || return 1
	gw_ctl gw-a show tunnels to-b | grep -q 'MOBIKE, further addresses of the peer' ||
		because "$(gw_ctl gw-a show tunnels)"
}

topology_pair
write_configs
host_watch hb 10.1.0.0/24
host_watch ha 10.2.0.0/24
pair_start
check mobike/comes_up both_up 20
check mobike/without_nat_no_udp path_comes 192.0.2.7 198.51.100.7
check mobike/ping ping_ok ha 10.2.0.2 5
# what B sends to the old address until the update is through and A has answered there
check mobike/initiator_loses_its_address while_streaming 60 hb 10.2.0.2 ha 10.1.0.2 initiator_loses
check mobike/operator_moves_it_back while_streaming 0 ha 10.1.0.2 hb 10.2.0.2 operator_moves
check mobike/responder_loses_its_address while_streaming 60 ha 10.1.0.2 hb 10.2.0.2 responder_loses 192.0.2.7
check mobike/address_of_the_responder_is_back responder_finds
check mobike/move_is_seen seen
check mobike/refused_to_the_responder refuses 'the peer is the initiator' gw-b to-a local 198.51.100.1
check mobike/refused_foreign_address refuses 'local.more_addresses' gw-a to-b local 192.0.2.99
check mobike/refused_absent_address refuses 'not there' gw-a to-b local 192.0.2.1 remote 2001:db8::1
check mobike/ping_at_the_end ping_ok hb 10.1.0.2 5
