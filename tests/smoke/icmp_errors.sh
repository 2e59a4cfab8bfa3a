#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A router behind a gateway, in no selector, speaks to a protected host about its packets: through the tunnel (RFC 4301 6.2).
# What says the same in clear from the WAN is not forwarded, and interfaces refuse sources that are not behind them.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

router=172.16.0.1

# host-a - gateway A - WAN - gateway B 10.2.0.1 - 10.2.0.2 router 172.16.0.1 - 172.16.0.2 inner host with the protected
# address 10.3.0.2
topology_router() {
	topology_pair
	netns_add hc
	link hb eth1 hc eth0
	address hb eth1 $router/30
	address hc eth0 172.16.0.2/30
	address hc lo 10.3.0.2/24
	default_via hc $router
	in_ns hb sysctl -qw net.ipv4.ip_forward=1
	ip -n "$(ns hb)" route add 10.3.0.0/24 via 172.16.0.2 || die "route to the inner host"
	# its errors come from its other side, which no SA names
	ip -n "$(ns hb)" route replace default via 10.2.0.1 src $router || die "default route of the router"
	ip -n "$(ns hb)" link set dev eth1 mtu 1000
}

config() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		manual_sa to-b 192.0.2.1 198.51.100.1 0x1001 0x1002 10.1.0.0/24 10.3.0.0/24)
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		manual_sa to-a 198.51.100.1 192.0.2.1 0x1002 0x1001 10.3.0.0/24 10.1.0.0/24)
	sed -i "s|^routes:|&\n  - {prefix: 10.3.0.0/24, via: 10.2.0.2}\n  - {prefix: 172.16.0.0/24, via: 10.2.0.2}|" \
		"$work/gw-b.yaml"
	sed -i '/name: wan/s/mtu:/rpf: loose, mtu:/; /name: lan/s/mtu:/rpf: strict, mtu:/' "$work/gw-a.yaml"
	manual_secret gw-a to-b $manual_key_ba $manual_key_ab
	manual_secret gw-b to-a $manual_key_ab $manual_key_ba
}

nothing_clear() { [ "$(wan_count clear)" = "$clear_before" ] || because "$(wan_count clear) clear packets on the WAN"; }

# the host must not hear of it
clear_error_ends() {
	local before
	before=$(host_received ha)
	counts gw-a "$1" in_ns wan python3 "$repo/tests/smoke/icmp_error.py" about-clear 10.1.0.2 10.3.0.2 192.0.2.1 || return 1
	[ "$(host_received ha)" = "$before" ] || because "host-a has received it"
}

error_about_sa_ends() {
	counts gw-a icmp_ignored in_ns wan python3 "$repo/tests/smoke/icmp_error.py" unreachable 192.0.2.1 0x1002 198.51.100.1
}

# a LAN host that speaks in another's name
spoofed_from_lan() {
	in_ns ha python3 "$repo/tests/lib/inject.py" 203.0.113.1 10.1.0.1 clear 203.0.113.1 10.1.0.1
}

# an address that only the default route leads to
unknown_from_wan() { inject 192.0.2.254 192.0.2.1 clear 8.8.8.8 192.0.2.1; }

topology_router
host_watch ha 192.0.2.0/24
config
pair_start
check icmp_errors/inner_host_answers ping_ok ha 10.3.0.2 3
clear_before=$(wan_count clear)
check icmp_errors/time_exceeded_of_a_router_behind ping_says ha "From $router .*Time to live exceeded" -t 3 10.3.0.2
check icmp_errors/frag_needed_of_a_router_behind ping_says ha "From $router .*Frag needed and DF set \(mtu = 1000\)" \
	-M 'do' -s 1200 10.3.0.2
check icmp_errors/none_of_them_in_clear nothing_clear
check icmp_errors/in_clear_from_the_wan_ends_by_name clear_error_ends icmp_unprotected
check icmp_errors/about_an_sa_is_ignored_by_name error_about_sa_ends
check icmp_errors/strict_source_check counts gw-a reverse_path spoofed_from_lan
check icmp_errors/loose_source_check counts gw-a reverse_path unknown_from_wan
