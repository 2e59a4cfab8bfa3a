#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways whose WAN has IPv6 only: IKE and raw ESP over it with IPv4 inside, then ESP in UDP. Neighbours are found.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/ipv6.sh"

pair6_config() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel to-b '"2001:db8:a::1"' '"2001:db8:b::1"' gw-a.example.net gw-b.example.net 10.1.0.0/24 10.2.0.0/24 \
			initiate)
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 < <(
		tunnel to-a '"2001:db8:b::1"' any gw-b.example.net gw-a.example.net 10.2.0.0/24 10.1.0.0/24 respond)
	wan_only_ipv6 gw-a 2001:db8:a::1 2001:db8:a::fe
	wan_only_ipv6 gw-b 2001:db8:b::1 2001:db8:b::fe
	psk_secret gw-a gw-a.example.net gw-b.example.net
	psk_secret gw-b gw-b.example.net gw-a.example.net
}

# captured FILTER: packets of the capture on the WAN
captured() { tcpdump -n -r "$work/wan.pcap" "$1" 2>/dev/null | wc -l; }

wan_carries() {
	local name=$1 wanted=$2 forbidden=$3
	[ "$(captured "$wanted")" -ge 10 ] && [ "$(captured "$forbidden")" = 0 ] ||
		because "$name: $(captured "$wanted") packets \"$wanted\", $(captured "$forbidden") packets \"$forbidden\""
}

nothing_clear() { [ "$(wan_count clear)" = 0 ] || because "$(wan_count clear) IPv4 packets on the WAN"; }

restart_in_udp() {
	stop gw-a TERM 10 || because "exit code $?" || return 1
	sed -i 's/encap: auto/encap: always/' "$work/gw-a.yaml"
	gateway_start gw-a ga
	both_up 15
}

topology_pair
ipv6_on wan a 2001:db8:a::fe
ipv6_on wan b 2001:db8:b::fe
in_ns wan sysctl -qw net.ipv6.conf.all.forwarding=1
pair6_config
capture wan wan b 128
pair_start
check ike_tunnel6/comes_up both_up 15
check ike_tunnel6/ping_a_to_b ping_ok ha 10.2.0.2 5
check ike_tunnel6/ping_b_to_a ping_ok hb 10.1.0.2 5
capture_stop wan
# IKE itself may be on port 4500, behind four zero bytes (RFC 3948 2.2; RFC 4555 3.3)
check ike_tunnel6/raw_esp_over_ipv6 wan_carries raw 'ip6 proto 50' 'ip or (ip6 and udp port 4500 and ip6[48:4] != 0)'
check ike_tunnel6/udp_every_number_once udp_numbers ha 10.1.0.2 hb 10.2.0.2 1000
check ike_tunnel6/iperf_tcp tcp_ok hb ha 10.2.0.2 1
check ike_tunnel6/restart_with_encap_always restart_in_udp
capture wan wan b 128
check ike_tunnel6/ping_in_udp ping_ok ha 10.2.0.2 5
check ike_tunnel6/ping_in_udp_back ping_ok hb 10.1.0.2 5
capture_stop wan
check ike_tunnel6/esp_in_udp_over_ipv6 wan_carries udp 'ip6 and udp port 4500' 'ip or ip6 proto 50'
check ike_tunnel6/no_ipv4_on_wan nothing_clear
