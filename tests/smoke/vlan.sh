#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Three interfaces on one device: VLAN 100, VLAN 200 and the untagged frames; forwarding between them and to another device.
# The kernel here may have no VLAN device, so the hosts of the VLANs are scapy's.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

config_vlan() {
	cat >"$work/gw.yaml" <<-END
		# SPDX-License-Identifier: BSD-3-Clause
		system: {eal_args: ["--no-pci"], workers: $gw_workers, allow_no_huge: true, mbufs: 8192}
		control: {socket: $work/gw.sock}
		interfaces:
		  - {name: red, device: "net_af_packet0,iface=lan", vlan: 100, address: 10.1.0.1/24, address6: "2001:db8:1::1/64"}
		  - {name: blue, device: "net_af_packet0,iface=lan", vlan: 200, address: 10.2.0.1/24}
		  - {name: plain, device: "net_af_packet0,iface=lan", address: 10.3.0.1/24}
		  - {name: wan, device: "net_af_packet1,iface=wan", address: 192.0.2.1/24, address6: "2001:db8:f::1/64"}
		policies:
		  - {name: clear, action: bypass, local_selectors: [0.0.0.0/0, "::/0"], remote_selectors: [0.0.0.0/0, "::/0"]}
	END
}

# vlan_ping VLAN OUR_ADDRESS GATEWAY DESTINATION
vlan_ping() {
	local out
	out=$(in_ns ha /usr/bin/python3 "$repo/tests/lib/vlan.py" eth0 "$@" 5 2>&1) || because "$(echo "$out" | tail -n 1)"
}

stray() { in_ns ha /usr/bin/python3 "$repo/tests/lib/vlan.py" eth0 stray "$1" "$(in_ns ga cat /sys/class/net/lan/address)"; }

wrong_vlan_fails() { ! vlan_ping 200 10.1.0.2 10.1.0.1 10.1.0.1 >/dev/null || because "VLAN 200 answered for red"; }

shows_vlans() {
	gw_json gw show ports | jq -e '[.ports[].vlan] == [100, 200, 0, 0]' >/dev/null || because "$(gw_json gw show ports)"
}

netns_add ha ga hb
link ha eth0 ga lan
link ga wan hb eth0
config_vlan
gateway_start gw ga
in_ns hb sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0
address hb eth0 192.0.2.2/24
ip -n "$(ns hb)" addr add 2001:db8:f::2/64 dev eth0 nodad
default_via hb 192.0.2.1
ip -n "$(ns hb)" -6 route add default via 2001:db8:f::1 dev eth0

check vlan/ping_in_vlan vlan_ping 100 10.1.0.2 10.1.0.1 10.1.0.1
check vlan/ping_out_of_vlan vlan_ping 100 10.1.0.2 10.1.0.1 192.0.2.2
check vlan/ping_out_of_another vlan_ping 200 10.2.0.2 10.2.0.1 192.0.2.2
check vlan/ping_untagged vlan_ping none 10.3.0.2 10.3.0.1 192.0.2.2
check vlan/ping_priority_tagged vlan_ping 0 10.3.0.2 10.3.0.1 192.0.2.2
check vlan/ping_ipv6_in_vlan vlan_ping 100 2001:db8:1::2 2001:db8:1::1 2001:db8:f::2
check vlan/wrong_vlan_is_not_answered wrong_vlan_fails
check vlan/unknown_vlan_is_named counts gw vlan_unknown stray 300
check vlan/stacked_tags_are_named counts gw vlan_stacked stray 100.200
check vlan/show_ports shows_vlans
