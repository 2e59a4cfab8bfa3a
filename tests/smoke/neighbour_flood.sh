#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Floods of ARP and of neighbour solicitations on a link, while the proof of every neighbour runs out again and again:
# who has proven himself stays, on that link and on the other one.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

config() {
	cat >"$work/gw.yaml" <<-END
		# SPDX-License-Identifier: BSD-3-Clause
		system:
		  eal_args: ["--no-pci"]
		  workers: $gw_workers
		  allow_no_huge: true
		  mbufs: 8192
		  neighbours: {dad_probes: 0, retransmit: 300ms, reachable: 1s}
		control: {socket: $work/gw.sock}
		interfaces:
		  - {name: lan, device: "net_af_packet0,iface=lan", address: 10.1.0.1/16, address6: "2001:db8:1::1/64"}
		  - {name: wan, device: "net_af_packet1,iface=wan", address: 192.0.2.1/24, address6: "2001:db8:f::1/64"}
		policies:
		  - {name: six, action: bypass, local_selectors: ["2001:db8:1::/64"], remote_selectors: ["::/0"]}
		  - {name: four, action: bypass, local_selectors: [10.1.0.0/16], remote_selectors: [0.0.0.0/0]}
	END
}

# nobody of these was ever given up, or waits for an answer that does not come
all_there() {
	local address
	for address in "$@"; do
		[[ "reachable stale probe" == *"$(neighbour_state gw "$address")"* ]] || because "$address is $(neighbour_state gw "$address")" || return 1
	done
}

# flooded KIND PING-ADDRESS NEIGHBOUR...: some seconds of it, through which a host speaks to another
flooded() {
	local kind=$1 to=$2 limited said
	shift 2
	limited=$(gw_counter gw rate_limit)
	spawn flood ip netns exec "$(ns ha)" python3 "$repo/tests/smoke/neighbour_flood.py" "$kind" 6 \
		"$(in_ns ga cat /sys/class/net/lan/address)"
	said=$(in_ns ha ping -n -q -i 0.05 -c 100 -W 1 "$to" | grep -o '[0-9]* received')
	all_there "$@" || return 1
	stop flood INT || true
	[ "${said%% *}" -ge 95 ] || because "$said of 100 pings" || return 1
	[ "$(gw_counter gw rate_limit)" -gt $((limited + 1000)) ] || because "no flood: rate_limit $(gw_counter gw rate_limit)" || return 1
	[ "$(gw_counter gw neighbour_unresolved)" = 0 ] ||
		because "neighbour_unresolved: $(gw_counter gw neighbour_unresolved)"
}

netns_add ha ga hb
link ha eth0 ga lan
link ga wan hb eth0
config
gateway_start gw ga
host_of_both ha 10.1.0.2/16 2001:db8:1::2 10.1.0.1 2001:db8:1::1
host_of_both hb 192.0.2.2/24 2001:db8:f::2 192.0.2.1 2001:db8:f::1
# the kernel asks as seldom as it can: what is tested are the gateway's questions
check neighbour_flood/before ping_ok ha 192.0.2.2 3
check neighbour_flood/before_ipv6 ping_ok ha 2001:db8:f::2 3
check neighbour_flood/arp_leaves_proven_neighbours flooded arp 192.0.2.2 10.1.0.2 192.0.2.2
check neighbour_flood/nd_leaves_proven_neighbours flooded nd 2001:db8:f::2 2001:db8:1::2 2001:db8:f::2
