#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The initiator behind a NAT: found by NAT detection, moved to port 4500, ESP inside UDP; the responder accepts any address.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

moved_to_4500() {
	[ "$(pcap_count wan udp_esp)" -ge 5 ] && [ "$(pcap_count wan esp)" = 0 ] ||
		because "$(python3 "$repo/tests/lib/pcap.py" "$work/wan.pcap")"
}

# the masqueraded flows end with the router's address; what comes from the next one is followed by its next packet
mapping_followed() {
	# else the second address goes with the first one
	in_ns wan sysctl -qw net.ipv4.conf.b.promote_secondaries=1
	ip -n "$(ns wan)" addr add 198.51.100.253/24 dev b && ip -n "$(ns wan)" addr del 198.51.100.254/24 dev b ||
		because "the router keeps its address" || return 1
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 200 || return 1
	wait_for 5 goes_to 198.51.100.253 || because "gw-b still sends to $(gw_sa gw-b out remote)" || return 1
	ping_ok hb 10.1.0.2 5 && udp_numbers hb 10.2.0.2 ha 10.1.0.2 1000
}

goes_to() { [[ $(gw_sa gw-b out remote) == "$1":* ]]; }

gw_log_level=debug
# a peer that speaks MOBIKE says itself where it is
gw_phase1_more="      mobike: no"
topology_pair
wan_nat
pair_ike_config initiate respond any
capture wan wan b
pair_start
check nat_traversal/comes_up both_up 20
check nat_traversal/ping_a_to_b ping_ok ha 10.2.0.2 5
check nat_traversal/ping_b_to_a ping_ok hb 10.1.0.2 5
capture_stop wan
check nat_traversal/esp_inside_udp moved_to_4500
check nat_traversal/iperf_tcp tcp_ok hb ha 10.2.0.2 2
check nat_traversal/new_mapping_is_followed mapping_followed
