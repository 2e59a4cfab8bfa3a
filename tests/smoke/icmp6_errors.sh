#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What hosts of both families hear when their packets cannot go on: the Linux kernel's ping and path MTU discovery as
# witnesses, through a gateway whose far link is small.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

config_errors() {
	cat >"$work/gw.yaml" <<-END
		# SPDX-License-Identifier: BSD-3-Clause
		system: {eal_args: ["--no-pci"], workers: $gw_workers, allow_no_huge: true, mbufs: 8192}
		control: {socket: $work/gw.sock}
		interfaces:
		  - {name: lan, device: "net_af_packet0,iface=lan", address: 10.1.0.1/24, address6: "2001:db8:1::1/64"}
		  - {name: wan, device: "net_af_packet1,iface=wan", address: 192.0.2.1/24, address6: "2001:db8:f::1/64", mtu: 1400}
		policies:
		  - {name: no-lab, action: discard, local_selectors: ["::/0"], remote_selectors: ["2001:db8:f::bad/128"]}
		  - {name: six, action: bypass, local_selectors: ["2001:db8:1::/64"], remote_selectors: ["::/0"]}
		  - {name: four, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [0.0.0.0/0]}
	END
}

# says ADDRESS TEXT OPTIONS ...: what ping prints about it has this in it
says() {
	local address=$1 text=$2 out
	shift 2
	out=$(in_ns ha ping -n -W 5 -c 1 "$@" "$address" 2>&1)
	echo "$out" | grep -qi "$text" || because "ping $address: $(echo "$out" | tr '\n' ' ')"
}

hears_ttl() { says 192.0.2.2 "From 10.1.0.1.*Time to live exceeded" -t 1 && says 2001:db8:f::2 "From 2001:db8:1::1.*Time exceeded: Hop limit" -t 1; }

hears_no_route() { says 203.0.113.9 "Destination Net Unreachable" && says 2a00::9 "Destination unreachable: No route"; }

hears_no_neighbour() { says 192.0.2.99 "Destination Host Unreachable" && says 2001:db8:f::99 "Destination unreachable: Address unreachable"; }

# the kernel keeps what it was told, and its next packets go through in fragments
hears_mtu() {
	in_ns ha ping -n -M "do" -s 1400 -W 1 -c 1 2001:db8:f::2 2>&1 | grep -q 'Packet too big: mtu=1400' ||
		because "no packet too big" || return 1
	ip -n "$(ns ha)" -6 route get 2001:db8:f::2 | grep -q 'mtu 1400' ||
		because "$(ip -n "$(ns ha)" -6 route get 2001:db8:f::2)" || return 1
	in_ns ha ping -n -s 1400 -W 2 -c 2 2001:db8:f::2 >/dev/null 2>&1 || because "fragments of the host"
}

tracepath_sees() {
	command -v tracepath >/dev/null || return 0
	in_ns ha timeout 8 tracepath -n 2001:db8:f::2 2>&1 | grep -q 'pmtu 1400' || because "tracepath: no pmtu 1400"
}

silent() { ! in_ns ha ping -n -W 1 -c 1 2001:db8:f::bad 2>&1 | grep -q From || because "a discard was told of"; }

netns_add ha ga hb
link ha eth0 ga lan
link ga wan hb eth0
config_errors
gateway_start gw ga
host_of_both ha 10.1.0.2/24 2001:db8:1::2 10.1.0.1 2001:db8:1::1
host_of_both hb 192.0.2.2/24 2001:db8:f::2 192.0.2.1 2001:db8:f::1

check icmp6_errors/time_exceeded counts gw ttl_exceeded hears_ttl
check icmp6_errors/no_route counts gw no_route hears_no_route
check icmp6_errors/address_unreachable counts gw neighbour_unresolved hears_no_neighbour
check icmp6_errors/packet_too_big counts gw too_big hears_mtu
check icmp6_errors/tracepath_finds_the_mtu tracepath_sees
check icmp6_errors/discard_is_silent counts gw policy_discard silent
