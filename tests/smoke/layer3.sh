#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a router owes its hosts: ARP, echo, TTL, fragmentation, the right MTU, the MSS clamp.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# Outer 1500 - IPv4 20 - ESP header 8 - IV 8 - ICV 16 leaves 1448, of which pad length and next header take 2.
inner_mtu=1446

arp_answered() {
	local mac neighbour
	ip -n "$(ns ha)" neigh flush dev eth0
	ping_ok ha 10.1.0.1 1 || return 1
	mac=$(in_ns ga cat /sys/class/net/lan/address)
	neighbour=$(ip -n "$(ns ha)" neigh show 10.1.0.1)
	[[ $neighbour == *"$mac"* ]] || because "10.1.0.1 is not at $mac: $neighbour"
}

arp_resolved() {
	gw_ctl gw-a show neighbours | grep -q 10.1.0.2 || because "show neighbours does not know 10.1.0.2"
}

unresolved_counted() { counts gw-a neighbour_unresolved ping_unanswered hb 10.1.0.99; }

ping_unanswered() { ! in_ns "$1" ping -n -W 1 -c 3 -i 0.2 "$2" >/dev/null 2>&1 || because "$2 answers"; }

fragments_without_df() {
	forget_mtu
	ping_says ha '1 received' -M dont -s 1472 10.2.0.2 || return 1
	# DPDK's net_af_packet has the kernel join fragments before it hands them over, cut at its frame size of 2,048
	ping_says ha '1 received' -M dont -s 1800 10.2.0.2
}

right_mtu_fits_exactly() {
	forget_mtu
	ping_says ha '1 received' -M 'do' -s $((inner_mtu - 28)) 10.2.0.2 || return 1
	ping_says ha 'Frag needed|too long' -M 'do' -s $((inner_mtu - 27)) 10.2.0.2
}

mss_clamped() {
	local mss want=$((inner_mtu - 40))
	capture syn hb eth0 96
	tcp_ok hb ha 10.2.0.2 1 || return 1
	capture_stop syn
	mss=$(tcpdump -n -r "$work/syn.pcap" 'tcp[tcpflags] & tcp-syn != 0 and src 10.1.0.2' 2>/dev/null |
		sed -n 's/.*mss \([0-9]*\).*/\1/p' | sort -n | tail -n 1)
	[ "$mss" = $want ] || because "MSS at host-b is ${mss:-missing}, $want expected"
}

topology_pair
pair_manual_config
pair_start
check layer3/arp_answered arp_answered
check layer3/arp_resolved arp_resolved
check layer3/echo_to_lan_address ping_ok ha 10.1.0.1 3
check layer3/echo_to_far_gateway_through_tunnel ping_ok ha 10.2.0.1 3
check layer3/ttl_decremented_twice ping_says ha 'ttl=62' 10.2.0.2
check layer3/ttl_exceeded_at_gateway ping_says ha 'From 10\.1\.0\.1 .*Time to live exceeded' -t 1 10.2.0.2
check layer3/unresolved_neighbour_counted unresolved_counted
check layer3/fragmented_when_df_clear fragments_without_df
forget_mtu
check layer3/frag_needed_tells_inner_mtu ping_says ha "Frag needed and DF set \(mtu = $inner_mtu\)" -M 'do' -s 1472 10.2.0.2
check layer3/inner_mtu_fits_exactly right_mtu_fits_exactly
check layer3/mss_clamped mss_clamped
