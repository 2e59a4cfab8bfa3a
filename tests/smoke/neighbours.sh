#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Links that do not make it easy: a switch that snoops (the Linux kernel's bridge, which gives groups only to ports that
# asked for them), a neighbour that vanishes and comes back, and an address that somebody else has already.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# config_links WAN_ADDRESS6: neighbours are asked often, so that it takes seconds until one is given up
config_links() {
	cat >"$work/gw.yaml" <<-END
		# SPDX-License-Identifier: BSD-3-Clause
		system:
		  eal_args: ["--no-pci"]
		  workers: $gw_workers
		  allow_no_huge: true
		  mbufs: 8192
		  neighbours: {dad_probes: 1, retransmit: 200ms, reachable: 1s}
		control: {socket: $work/gw.sock}
		interfaces:
		  - {name: lan, device: "net_af_packet0,iface=lan", address: 10.1.0.1/24, address6: "2001:db8:1::1/64"}
		  - {name: wan, device: "net_af_packet1,iface=wan", address: 192.0.2.1/24, address6: "$1/64"}
		policies:
		  - {name: six, action: bypass, local_selectors: ["2001:db8:1::/64"], remote_selectors: ["::/0"]}
		  - {name: four, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [0.0.0.0/0]}
	END
}

# the switch: multicast goes to nobody who has not asked for the group
switch_make() {
	ip -n "$(ns sw)" link add br0 type bridge mcast_snooping 1 mcast_mld_version 2 \
		mcast_startup_query_interval 100 mcast_startup_query_count 10 mcast_query_response_interval 50 || die "no bridge"
	# the delay of the first answers counts from here
	ip -n "$(ns sw)" link set br0 type bridge mcast_querier 1 || die "bridge cannot ask"
	ip -n "$(ns sw)" link set pa master br0
	ip -n "$(ns sw)" link set pg master br0
	# queries need an address
	in_ns sw sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.br0.disable_ipv6=0 net.ipv6.conf.br0.accept_dad=0
	ip -n "$(ns sw)" link set br0 up
	in_ns sw bridge link set dev pg mcast_flood off || die "bridge does not know mcast_flood"
}

group_known() { in_ns sw bridge mdb show | grep -q "port pg grp $1"; }

# our solicited-node groups, reported by the gateway, are what the switch knows of its port
switch_knows() {
	wait_for 5 group_known ff02::1:ff00:1 || because "mdb: $(in_ns sw bridge mdb show | tr '\n' ' ')"
}

# ... and who asks for the gateway reaches it that way only
found_behind_switch() {
	ip -n "$(ns ha)" -6 neigh flush dev eth0
	ping_ok ha 2001:db8:1::1 3 && ping_ok ha 2001:db8:f::2 3
}

heard_query() { [ "$(gw_counter gw punted_mld)" -gt 0 ]; }

query_answered() {
	wait_for 8 heard_query || because "no query came to the gateway" || return 1
	[ "$(gw_counter gw mld_invalid)" = 0 ] || because "mld_invalid: $(gw_counter gw mld_invalid)"
}

state_is() { [[ " $2 " == *" $(neighbour_state gw "$1") "* ]]; }

# vanishes ADDRESS TEXT: the neighbour stops answering; it is asked, given up, and who sends to it hears of that
vanishes() {
	ping_ok ha "$1" 3 || return 1
	state_is "$1" "reachable stale probe" || because "$1 is $(neighbour_state gw "$1")" || return 1
	ip -n "$(ns hb)" addr del "$1/$3" dev eth0
	spawn pings ip netns exec "$(ns ha)" ping -n -i 0.2 -w 10 "$1"
	wait_for 8 state_is "$1" "incomplete none" || because "$1 is still $(neighbour_state gw "$1")" || return 1
	wait_for 5 log_has pings "$2" || because "ping: $(tail -n 2 "$work/pings.log")" || return 1
	# it fails, as nobody answered
	stop pings INT || true
}

# returns ADDRESS LENGTH
returns() {
	ip -n "$(ns hb)" addr add "$1/$2" dev eth0 nodad || die "address $1"
	ping_ok ha "$1" 3
}

wan_state() { gw_json gw show ports | jq -r '.ports[1].address6_state'; }

duplicate_named() {
	[ "$(wan_state)" = duplicate ] || because "state of the address: $(wan_state)" || return 1
	log_has gw 'address-duplicate wan: 2001:db8:f::2 is in use by' || because "$(tail -n 3 "$work/gw.log")" || return 1
	gw_json gw show ports | jq -e '.ports[0] | .address6_state == "valid" and .link_local_state == "valid"' >/dev/null ||
		because "$(gw_json gw show ports)"
}

# the host that has it goes on as if we were not there; our other addresses work
duplicate_unused() {
	ping_ok ha 2001:db8:1::1 2 || return 1
	in_ns hb ping -n -W 1 -c 1 "$(gw_json gw show ports | jq -r '.ports[1].link_local')%eth0" >/dev/null ||
		because "the link-local address does not answer"
}

netns_add ha sw ga hb
link ha eth0 sw pa
link sw pg ga lan
link ga wan hb eth0
switch_make
config_links 2001:db8:f::1
gateway_start gw ga
host_of_both ha 10.1.0.2/24 2001:db8:1::2 10.1.0.1 2001:db8:1::1
host_of_both hb 192.0.2.2/24 2001:db8:f::2 192.0.2.1 2001:db8:f::1

check neighbours/snooping_switch_knows_our_groups switch_knows
check neighbours/query_of_the_switch_is_answered query_answered
check neighbours/found_behind_a_snooping_switch found_behind_switch
check neighbours/vanished_ipv6_neighbour_is_given_up counts gw neighbour_unresolved vanishes 2001:db8:f::2 'Address unreachable' 64
check neighbours/ipv6_neighbour_comes_back returns 2001:db8:f::2 64
check neighbours/vanished_ipv4_neighbour_is_given_up counts gw neighbour_unresolved vanishes 192.0.2.2 'Host Unreachable' 24
stop gw TERM
config_links 2001:db8:f::2
gateway_start gw ga
check neighbours/duplicate_address_is_named duplicate_named
check neighbours/duplicate_address_stays_unused duplicate_unused
