#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Jumbo frames end to end: links of 9000 bytes, an ESP tunnel between two gateways on them, pings and TCP of that size.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

jumbo_device="framesz=9216,blocksz=36864,framecnt=512" # a frame has to fit the buffer, four make nine pages

jumbo_links() {
	local end
	for end in "ha eth0" "ga lan" "ga wan" "wan a" "wan b" "gb wan" "gb lan" "hb eth0"; do
		# shellcheck disable=SC2086
		set -- $end
		ip -n "$(ns "$1")" link set dev "$2" mtu 9000 || die "MTU of $2 of $1"
	done
}

# what pair_manual_config wrote, with large frames
jumbo_configs() {
	local name
	for name in gw-a gw-b; do
		sed -i -e "s/,iface=lan/&,$jumbo_device/; s/,iface=wan/&,$jumbo_device/; s/mtu: 1500/mtu: 9000/" "$work/$name.yaml"
	done
}

# SIZE of the IP packet
jumbo_ping() {
	in_ns ha ping -n -M "do" -i 0.2 -s $(($1 - 28)) -W 2 -c 5 10.2.0.2 >"$work/ping.log" 2>&1
	grep -q '5 received' "$work/ping.log" || because "$(grep -E 'transmitted|rror|mtu' "$work/ping.log" | tr '\n' ' ')"
}

inner_mtu() { gw_json gw-a show sas to-b | jq -r '[.. | objects | select(has("inner_mtu")) | .inner_mtu][0]'; }

largest_ping() { jumbo_ping "$(inner_mtu)"; }

too_large_is_told() {
	in_ns ha ping -n -M "do" -s 8972 -W 1 -c 1 10.2.0.2 2>&1 | grep -q "mtu *= *$(inner_mtu)" || because "no fragmentation needed"
}

topology_pair
jumbo_links
pair_manual_config
jumbo_configs
pair_start

check jumbo/ping_of_8000 jumbo_ping 8000
check jumbo/ping_of_the_inner_mtu largest_ping
check jumbo/larger_is_told_the_mtu counts gw-a too_big too_large_is_told
check jumbo/iperf_tcp tcp_ok hb ha 10.2.0.2 2

no_word() { ! log_has gw-a 'interface-mtu' || because "it is"; }
told() { log_has gw-a 'interface-mtu lan: 9000, .* sends 1500: .*ip link set lan mtu 9000' || because "nothing in the log"; }

check jumbo/fitting_links_are_not_warned_of no_word
stop gw-a
ip -n "$(ns ga)" link set dev lan mtu 1500
gateway_start gw-a ga
check jumbo/smaller_mtu_of_the_kernel_is_told told
