#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Fragments of dishonest senders at a gateway's outer address: each kind ends by its name, the tunnel's traffic goes on
# undisturbed, also in fragments of its own, and every buffer comes back. With two workers half of the fragments are the
# other one's.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

ports_of_pcap() {
	sed -i -E 's/net_af_packet([0-9]),iface=(lan|wan)/net_pcap\1,rx_iface_in=\2,tx_iface=\2/' "$work/$1.yaml"
}

# forge KIND COUNT: from the WAN, 20 sources, to gateway A
forge() {
	in_ns wan python3 "$repo/tests/lib/fragments.py" a "$wan_mac" 203.0.113.10 192.0.2.1 "$1" "$2" 2>&1 ||
		because "fragments.py $1"
}

free_buffers() { gw_json gw-a show ports | jq .free_buffers; }

buffers_are_back() { [ "$(free_buffers)" -ge "$before" ]; }

# what is on its way in the ports may be counted a little later
memory_is_flat() { wait_for 8 buffers_are_back || because "$(free_buffers) buffers free, $before before"; }

# the tunnel's own packets are cut on the way too: they share the table with the flood
honest_during_flood() {
	local lost
	spawn forger ip netns exec "$(ns wan)" python3 "$repo/tests/lib/fragments.py" a "$wan_mac" 203.0.113.10 192.0.2.1 \
		endless 10000000
	wait_for 5 counter_above gw-a fragment_evicted 1000 || because "no flood: $(gw_counter gw-a fragment_evicted) evicted" ||
		return 1
	lost=$(in_ns ha ping -n -M dont -s 1300 -i 0.05 -c 60 -W 2 10.2.0.2 2>/dev/null | sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p')
	stop forger TERM 5
	[ "${lost:-100}" = 0 ] || because "${lost:-all} % of the pings lost during a flood of fragments"
}

gateways_start() {
	local gw
	pair_manual_config
	for gw in gw-a gw-b; do
		ports_of_pcap $gw
		sed -i 's/lab_keys: true/lab_keys: true\n    outer: {df: clear}/' "$work/$gw.yaml"
	done
	pair_start
	wan_mac=$(gw_json gw-a show ports | jq -r '.ports[1].mac')
}

gw_system='  reassembly: {timeout: 1s, datagrams: 256}'
topology_pair
ip -n "$(ns wan)" route replace 192.0.2.0/24 dev a mtu lock 1000
ip -n "$(ns wan)" route replace 198.51.100.0/24 dev b mtu lock 1000
gateways_start
check fragment_flood/ping_before ping_ok ha 10.2.0.2 2
before=$(free_buffers)
check fragment_flood/overlap_is_named counts gw-a fragment_overlap forge overlap 20
check fragment_flood/tiny_is_named counts gw-a fragment_tiny forge tiny 20
check fragment_flood/contradiction_is_named counts gw-a fragment_last forge contradicting 20
check fragment_flood/beyond_is_named counts gw-a fragment_beyond forge beyond 20
check fragment_flood/odd_length_is_named counts gw-a fragment_length forge odd 20
check fragment_flood/duplicate_is_named counts gw-a fragment_duplicate forge duplicate 20
check fragment_flood/timeout_is_named counts gw-a fragment_timeout forge endless 1
check fragment_flood/honest_fragments_pass_during_a_flood honest_during_flood
check fragment_flood/memory_is_flat_afterwards memory_is_flat
check fragment_flood/ping_afterwards ping_ok ha 10.2.0.2 3
stop gw-a TERM 10
stop gw-b TERM 10
gw_workers=2
gateways_start
check fragment_flood/two_workers_ping_before ping_ok ha 10.2.0.2 2
before=$(free_buffers)
check fragment_flood/two_workers_honest_fragments_pass_during_a_flood honest_during_flood
check fragment_flood/two_workers_memory_is_flat_afterwards memory_is_flat
check fragment_flood/two_workers_ping_afterwards ping_ok ha 10.2.0.2 3
