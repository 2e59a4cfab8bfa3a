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

gw_log_level=debug
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
