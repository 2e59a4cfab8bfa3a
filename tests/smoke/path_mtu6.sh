#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The same over IPv6: the router's packet too big is believed, a forged one is not, and large packets without DF leave in
# IPv6 fragments where the setting says so. Neighbours are static on both sides.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

link_mtu=1300
# IPv6 40, ESP header 8, IV 8, ICV 16, trailer 2; the text in whole words
inner_mtu=$((((link_mtu - 72) & ~3) - 2))

mac_of() { in_ns "$1" cat "/sys/class/net/$2/address"; }

# wan_side NAME ADDRESS ROUTER MAC: IPv6 of a gateway's WAN port, everything by way of the router
wan_side() {
	sed -i -e "/name: wan/s|mtu:|address6: \"$2/64\", mtu:|" \
		-e "s|^routes:|&\n  - {prefix: \"::/0\", via: \"$3\"}|" "$work/$1.yaml"
	printf 'neighbours:\n  - {interface: wan, address: "%s", mac: "%s"}\n' "$3" "$4" >>"$work/$1.yaml"
}

pair6_config() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		manual_sa to-b '"2001:db8:a::1"' '"2001:db8:b::1"' 0x1001 0x1002 10.1.0.0/24 10.2.0.0/24)
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		manual_sa to-a '"2001:db8:b::1"' '"2001:db8:a::1"' 0x1002 0x1001 10.2.0.0/24 10.1.0.0/24)
	[ -z "$1" ] || sed -i "s/^    lab_keys: true/&\n    outer: {$1}/" "$work/gw-a.yaml"
	wan_side gw-a 2001:db8:a::1 2001:db8:a::fe "$(mac_of wan a)"
	wan_side gw-b 2001:db8:b::1 2001:db8:b::fe "$(mac_of wan b)"
	sed -i "/name: wan/s/mtu: 1500/mtu: $link_mtu/" "$work/gw-b.yaml"
	manual_secret gw-a to-b $manual_key_ba $manual_key_ab
	manual_secret gw-b to-a $manual_key_ab $manual_key_ba
}

# router_side IF ADDRESS GATEWAY MAC
router_side() {
	ip -n "$(ns wan)" addr add "$2/64" dev "$1" nodad || die "address $2 of the router"
	ip -n "$(ns wan)" -6 neigh replace "$3" lladdr "$4" dev "$1" nud permanent || die "neighbour $3 of the router"
}

router6() {
	in_ns wan sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.a.disable_ipv6=0 \
		net.ipv6.conf.b.disable_ipv6=0 net.ipv6.conf.all.forwarding=1
	router_side a 2001:db8:a::fe 2001:db8:a::1 "$(mac_of ga wan)"
	router_side b 2001:db8:b::fe 2001:db8:b::1 "$(mac_of gb wan)"
	ip -n "$(ns wan)" link set dev b mtu $link_mtu
}

learnt_from_the_router() {
	in_ns ha ping -n -W 1 -c 1 -M 'do' -s 1350 10.2.0.2 >/dev/null 2>&1
	wait_for 3 path_mtu_learnt gw-a $link_mtu || because "path_mtu of the SA: $(gw_sa gw-a out path_mtu)" || return 1
	[ "$(gw_sa gw-a out inner_mtu)" = $inner_mtu ] || because "inner_mtu $(gw_sa gw-a out inner_mtu)"
}

host_is_told() {
	forget_mtu
	ping_says ha "Frag needed and DF set \(mtu = $inner_mtu\)" -M 'do' -s 1350 10.2.0.2 || return 1
	ping_says ha '1 received' -M 'do' -s $((inner_mtu - 28)) 10.2.0.2
}

ptb() { in_ns wan python3 "$repo/tests/smoke/icmp_error.py" too-big 2001:db8:a::1 "$1" "$2" "$3"; }

unchanged_after() {
	counts gw-a "$1" ptb "$2" "$3" "$4" || return 1
	path_mtu_learnt gw-a $link_mtu || because "path_mtu of the SA: $(gw_sa gw-a out path_mtu)"
}

# as packets of ours leave: whole and one by one, or in IPv6 fragments
fragments_are() {
	local whole fragments
	forget_mtu
	capture "$1" wan a 96
	in_ns ha ping -n -W 1 -c 1 -M dont -s 1400 10.2.0.2 >/dev/null 2>&1
	capture_stop "$1"
	whole=$(tcpdump -n -r "$work/$1.pcap" 'src 2001:db8:a::1 and ip6[6] = 50' 2>/dev/null | wc -l)
	fragments=$(tcpdump -n -r "$work/$1.pcap" 'src 2001:db8:a::1 and ip6[6] = 44' 2>/dev/null | wc -l)
	[ "$whole" = "$2" ] && [ "$fragments" = "$3" ] || because "$whole whole ESP packets, $fragments fragments"
}

restart_pair() {
	stop gw-a TERM 10 && stop gw-b TERM 10 || because "SIGTERM: exit code $?" || return 1
	pair6_config "$1"
	pair_start
}

topology_pair
router6
pair6_config ""
pair_start
check path_mtu6/ping_through ping_ok ha 10.2.0.2 3
check path_mtu6/learnt_from_the_router learnt_from_the_router
check path_mtu6/host_is_told_the_inner_mtu host_is_told
check path_mtu6/tcp_through_the_small_link tcp_ok hb ha 10.2.0.2 1
check path_mtu6/unknown_spi_is_not_believed unchanged_after pmtu_spoofed 0x00bad001 2001:db8:b::1 1290
check path_mtu6/another_destination_is_not_believed unchanged_after pmtu_spoofed 0x1002 2001:db8:b::2 1290
check path_mtu6/below_1280_is_not_believed unchanged_after pmtu_floor 0x1002 2001:db8:b::1 1000
check path_mtu6/fragments_before_the_sa fragments_are before 2 0
check path_mtu6/restarts_with_fragments_after restart_pair "fragment: after"
check path_mtu6/small_path_is_learnt_again ptb 0x1002 2001:db8:b::1 $link_mtu
check path_mtu6/learnt wait_for 3 path_mtu_learnt gw-a $link_mtu
check path_mtu6/fragments_after_the_sa fragments_are after 0 2
