#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# IPv6 in clear between two hosts through a gateway whose policy bypasses it: forwarding, ping of the gateway itself, and
# every packet that cannot go on ends under its own name. Nobody's neighbours are configured: the kernel's stack finds the
# gateway and the gateway finds it, also after a neighbour came back with another MAC.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# host6 KEY ADDRESS GATEWAY
host6() {
	in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0
	ip -n "$(ns "$1")" addr add "$2/64" dev eth0 nodad || die "address $2 of $1"
	ip -n "$(ns "$1")" -6 route add default via "$3" dev eth0 || die "default route of $1"
}

# the wan port has no IPv4 address and a smaller MTU
config6() {
	cat >"$work/gw.yaml" <<-END
		# SPDX-License-Identifier: BSD-3-Clause
		system: {eal_args: ["--no-pci"], workers: $gw_workers, allow_no_huge: true, mbufs: 8192}
		control: {socket: $work/gw.sock}
		interfaces:
		  - {name: lan, device: "net_af_packet0,iface=lan", address: 10.1.0.1/24, address6: "2001:db8:1::1/64"}
		  - {name: wan, device: "net_af_packet1,iface=wan", address6: "2001:db8:f::1/64", mtu: 1400}
		routes:
		  - {prefix: "2001:db8:2::/48", via: "2001:db8:f::2"}
		  - {prefix: "2001:db8:3::/48", via: "$(link_local_of hb eth0)", interface: wan}
		policies:
		  - {name: no-telnet, action: discard, local_selectors: ["2001:db8:1::/64"], remote_selectors: ["::/0[tcp/23]"]}
		  - {name: clear, action: bypass, local_selectors: ["2001:db8:1::/64"], remote_selectors: ["2001:db8::/32"]}
	END
}

link_local_of() {
	in_ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 "net.ipv6.conf.$2.disable_ipv6=0"
	ip -n "$(ns "$1")" -j -6 addr show dev "$2" scope link | jq -r '.[0].addr_info[0].local'
}

gateway_link_local() { gw_json gw show ports | jq -r ".ports[$1].link_local"; }

link_local_ok() { ping_ok ha "$(gateway_link_local 0)%eth0" 3 && ping_ok hb "$(gateway_link_local 1)%eth0" 3; }

# the kernel forgets its neighbours, and finds the gateway again
flushed_ok() {
	ip -n "$(ns ha)" -6 neigh flush dev eth0
	ping_ok ha 2001:db8:f::2 3 || return 1
	ip -n "$(ns ha)" -6 neigh show 2001:db8:1::1 | grep -q 'router' || because "$(ip -n "$(ns ha)" -6 neigh show)"
}

# a neighbour in use changes its MAC: what it asks the gateway then says so (that silence is noticed, a unit test says)
comes_back_ok() {
	ip -n "$(ns hb)" addr add 2001:db8:f::77/64 dev eth0 nodad
	ping_ok ha 2001:db8:f::77 2 || return 1
	ip -n "$(ns hb)" link set dev eth0 address 02:00:00:00:77:77
	ip -n "$(ns hb)" -6 neigh flush dev eth0
	in_ns hb ping -n -W 2 -c 1 -I 2001:db8:f::77 2001:db8:f::1 >/dev/null || because "the neighbour does not reach us" || return 1
	ping_ok ha 2001:db8:f::77 3 || return 1
	gw_json gw show neighbours | grep -q 02:00:00:00:77:77 || because "$(gw_json gw show neighbours)"
}

pings_fail() { ! pings_once "$@" >/dev/null 2>&1 || because "$2 answered"; }

hops_end() { ! in_ns ha ping -n -t 1 -W 1 -c 1 "$1" >/dev/null 2>&1 || because "$1 answered"; }

telnet_fails() { ! in_ns ha timeout 1 bash -c "echo >/dev/tcp/$1/23" 2>/dev/null || because "telnet went through"; }

big_ping_fails() { ! in_ns ha ping -n -M "do" -s 1400 -W 1 -c 1 "$1" >/dev/null 2>&1 || because "$1 answered"; }

# the host sends fragments, each of them fits the way
fragments_ok() {
	ip -n "$(ns ha)" -6 route replace 2001:db8:2::/48 via 2001:db8:1::1 dev eth0 mtu 1400
	ip -n "$(ns hb)" -6 route replace 2001:db8:1::/64 via 2001:db8:f::1 dev eth0 mtu 1400
	in_ns ha ping -n -s 4000 -W 2 -c 3 "$1" >/dev/null 2>&1 || because "fragmented ping of $1"
}

shows6() {
	gw_json gw show ports | jq -e '.ports[1] | .address == "" and .address6 == "2001:db8:f::1/64"' >/dev/null ||
		because "show ports: $(gw_json gw show ports)" || return 1
	gw_json gw show routes | jq -e '[.routes[].prefix] | index("2001:db8:1::/64") and index("2001:db8:2::/48")' >/dev/null ||
		because "show routes: $(gw_json gw show routes)" || return 1
	gw_json gw show neighbours | jq -e '.neighbours | map(select(.address == "2001:db8:f::2"))[0].state | IN("reachable", "stale", "probe")' \
		>/dev/null || because "show neighbours: $(gw_json gw show neighbours)"
}

netns_add ha ga hb
link ha eth0 ga lan
link ga wan hb eth0
config6
gateway_start gw ga
host6 ha 2001:db8:1::2 2001:db8:1::1
host6 hb 2001:db8:f::2 2001:db8:f::1
ip -n "$(ns hb)" addr add 2001:db8:2::2/64 dev lo nodad
ip -n "$(ns hb)" addr add 2001:db8:3::2/64 dev lo nodad

check ipv6_forward/ping_of_a_neighbour ping_ok ha 2001:db8:f::2 5
check ipv6_forward/ping_through_a_route ping_ok ha 2001:db8:2::2 5
check ipv6_forward/ping_through_a_link_local_next_hop ping_ok ha 2001:db8:3::2 5
check ipv6_forward/ping_of_the_gateway ping_ok ha 2001:db8:1::1 5
check ipv6_forward/ping_of_its_far_address ping_ok hb 2001:db8:1::1 5
check ipv6_forward/ping_of_link_local_addresses link_local_ok
check ipv6_forward/kernel_finds_the_gateway_again flushed_ok
check ipv6_forward/fragments_pass fragments_ok 2001:db8:2::2
check ipv6_forward/iperf_tcp tcp_ok hb ha 2001:db8:2::2 2
check ipv6_forward/hop_limit_is_named counts gw ttl_exceeded hops_end 2001:db8:2::2
check ipv6_forward/too_big_is_named counts gw too_big big_ping_fails 2001:db8:f::2
check ipv6_forward/unknown_neighbour_is_named counts gw neighbour_unresolved pings_fail ha 2001:db8:f::99
check ipv6_forward/no_policy_is_named counts gw no_policy pings_fail ha 2a00::1
check ipv6_forward/discard_is_named counts gw policy_discard telnet_fails 2001:db8:2::2
check ipv6_forward/show_commands_know_both_families shows6
check ipv6_forward/peer_comes_back_with_another_mac comes_back_ok
