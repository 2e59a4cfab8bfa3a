#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Manual SAs inside UDP on 4500 (RFC 3948): traffic, and no bare ESP on the WAN.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

only_udp_esp() {
	[ "$(pcap_count wan udp_esp)" -ge 10 ] && [ "$(pcap_count wan esp)" = 0 ] && [ "$(pcap_count wan clear)" = 0 ] ||
		because "$(python3 "$repo/tests/lib/pcap.py" "$work/wan.pcap")"
}

topology_pair
pair_manual_config udp
capture wan wan a
pair_start
check udp_encap/ping ping_ok ha 10.2.0.2 5
capture_stop wan
check udp_encap/wan_carries_udp_esp_only only_udp_esp
check udp_encap/iperf_tcp tcp_ok hb ha 10.2.0.2 2
