#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A concentrator: two gateways come to one entry of gateway B and get addresses of its pool. Each has SAs of its own, is
# reached by its address, is ended and rekeyed for itself; what is for one that has gone is dropped, never sent in clear.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

one=one.example.net two=two.example.net

hub_config() {
	gw_local_more="" gw_remote_more=", pool: staff"
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		echo 'pools: [{name: staff, addresses: [10.9.0.0/28]}]'
		tunnel clients 198.51.100.1 any gw-b.example.net "'*.example.net'" 10.2.0.0/24 dynamic respond)
	sed -i "s#log_level:#leases: $work/leases\n  log_level:#" "$work/gw-b.yaml"
	printf 'psk:\n  - {remote: %s, secret: "%s1"}\n  - {remote: %s, secret: "%s2"}\n' $one $gw_psk $two $gw_psk | gateway_secrets gw-b
}

# client NAME WAN ID SECRET
client_config() {
	gw_local_more=", virtual_ip: ipv4" gw_remote_more=""
	gateway_config "$1" 10.1.0.1/24 "$2.2/24" "$2.254" < <(
		tunnel hub "$2.2" 198.51.100.1 "$3" gw-b.example.net dynamic 10.2.0.0/24 initiate)
	printf 'psk:\n  - {secret: "%s"}\n' "$4" | gateway_secrets "$1"
}

peers_up() {
	[ "$(gw_tunnel gw-b '.peers | map(select(.phase1.state == "up" and .phase2[0].state == "up")) | length')" = "$1" ] ||
		because "$(gw_tunnel gw-b '.peers | tostring') $(gw_failure gw-b)"
}

# address_of ID: lent to it
address_of() { gw_tunnel gw-b ".peers[] | select(.id == \"$1\") | .phase1.virtual_ips[0]"; }

# packets_of ID in|out: its SA's
packets_of() {
	gw_json gw-b show sas | jq "[.sas[] | select(.peer_id == \"$1\" and .direction == \"$2\")][0].packets"
}

each_is_reached() { ping_ok hb "$(address_of $one)" 5 && ping_ok hb "$(address_of $two)" 3; }

each_has_counters() {
	local counted
	counted="$(packets_of $one in) $(packets_of $one out) $(packets_of $two in) $(packets_of $two out)"
	[ "$counted" = "5 5 3 3" ] || because "packets $counted, 5 5 3 3 expected"
}

shown_by_peer() {
	gw_ctl gw-b show tunnels | grep -q "Peer *$two at 203.0.113.2" || because "$(gw_ctl gw-b show tunnels)" || return 1
	gw_ctl gw-b show leases | grep -q "$two" || because "$(gw_ctl gw-b show leases)" || return 1
	[ "$(gw_json gw-b show tunnels clients peer $one | jq -r '.tunnels[0].peers | length')" = 1 ] ||
		because "show tunnels clients peer $one"
}

explained() {
	local said
	said=$(gw_ctl gw-b explain 10.2.0.2 "$(address_of $two)")
	echo "$said" | grep -q 'peer 203.0.113.2' || because "$said"
}

captured() {
	local seen
	gw_ctl gw-b capture start "$work/seen.pcapng" tunnel clients clear count 6 >/dev/null || because "no capture" || return 1
	ping_ok hb "$(address_of $one)" 3 || return 1
	wait_for 5 capture_ended || because "$(gw_json gw-b capture status)" || return 1
	seen=$(tcpdump -n -r "$work/seen.pcapng" 2>/dev/null | grep -c "ICMP echo re")
	[ "$seen" = 6 ] || because "$seen packets captured"
}

capture_ended() { [ "$(gw_json gw-b capture status | jq -r .packets)" = 6 ]; }

sa_of() { gw_tunnel gw-b ".peers[] | select(.id == \"$1\") | .phase2[0].spi_in"; }

rekeyed_alone() {
	local before_one before_two
	before_one=$(sa_of $one) before_two=$(sa_of $two)
	gw_ctl gw-b rekey clients net peer $one >/dev/null || because "rekey refused" || return 1
	wait_for 5 changed "$before_one" || because "$one still has $before_one" || return 1
	[ "$(sa_of $two)" = "$before_two" ] || because "$two was rekeyed too"
}

changed() { [ "$(sa_of $one)" != "$1" ]; }

# its packets end here: counted, and nothing in clear on the WAN
ended_alone() {
	local gone clear
	gone=$(address_of $one)
	stop gw-a TERM 10
	wait_for 5 peers_up 1 || return 1
	clear=$(wan_count clear)
	counts gw-b no_sa pings_not "$gone" || because "no_sa did not grow" || return 1
	[ "$(wan_count clear)" = "$clear" ] || because "packets in clear on the WAN" || return 1
	ping_ok hb "$(address_of $two)" 3
}

pings_not() { ! pings_once hb "$1" >/dev/null; }

terminated_by_name() {
	gw_ctl gw-b terminate clients peer nobody.example.net 2>"$work/said" && because "nobody was ended" && return 1
	grep -q 'no peer "nobody.example.net"' "$work/said" || because "$(cat "$work/said")" || return 1
	gw_ctl gw-b terminate clients peer $two >/dev/null || because "refused" || return 1
	# it comes again by itself
	wait_for 5 went_down && wait_for 15 peers_up 1
}

went_down() { grep -q "phase1-down tunnel clients id $two" "$work/gw-b.log" || because "$(tail -n 3 "$work/gw-b.log")"; }

topology_star ga gc wan
link ga lan gc lan
hub_config
client_config gw-a 192.0.2 $one ${gw_psk}1
client_config gw-c 203.0.113 $two ${gw_psk}2
gateway_spawn gw-b gb
gateway_spawn gw-a ga
gateway_spawn gw-c gc
for gw in gw-b gw-a gw-c; do gateway_ready $gw; done
check many_peers/come_up wait_for 15 peers_up 2
check many_peers/each_is_reached each_is_reached
check many_peers/each_has_counters each_has_counters
check many_peers/shown_by_peer shown_by_peer
check many_peers/explained explained
check many_peers/captured captured
check many_peers/rekeyed_alone rekeyed_alone
check many_peers/reached_after_rekey each_is_reached
check many_peers/ended_alone ended_alone
check many_peers/terminated_by_name terminated_by_name
