#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways keyed by hand: traffic both ways, nothing in clear, counters that agree, an orderly end.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

counters_agree() {
	[ "$(gw_sa gw-a out packets)" -gt 0 ] && [ "$(gw_sa gw-a out packets)" = "$(gw_sa gw-b in packets)" ] &&
		[ "$(gw_sa gw-b out packets)" = "$(gw_sa gw-a in packets)" ]
}

both_agree() {
	wait_for 3 counters_agree ||
		because "a out $(gw_sa gw-a out packets), b in $(gw_sa gw-b in packets), b out $(gw_sa gw-b out packets), a in $(gw_sa gw-a in packets)"
}

nothing_clear() {
	[ "$(wan_count clear)" = 0 ] || because "$(wan_count clear) clear packets on the WAN" || return 1
	[ "$(wan_count protected)" -gt 0 ] || because "nothing at all on the WAN"
}

all_esp() {
	[ "$(pcap_count wan esp)" -ge 10 ] && [ "$(pcap_count wan clear)" = 0 ] ||
		because "$(pcap_count wan esp) ESP, $(pcap_count wan clear) clear"
}

shows() {
	local words text
	for words in tunnels sas ports counters routes neighbours workers version; do
		text=$(gw_ctl gw-a show $words) || because "show $words ended with $?" || return 1
		gw_json gw-a show $words | jq -e . >/dev/null || because "show $words --json is not JSON" || return 1
		[ -n "$text" ] || [ $words = tunnels ] || because "show $words says nothing" || return 1
	done
}

# of the loops that were measured: more of them with more traffic, their stages add up to their sum, which is not far from
# what all loops took; crypto and the ports are in it
stages_add_up() {
	local before after
	before=$(gw_json gw-a show workers | jq '[.workers[].since_start.measured.packets] | add')
	udp_rate=2000 udp_numbers ha 10.1.0.2 hb 10.2.0.2 400 || return 1
	after=$(gw_json gw-a show workers)
	jq -e --argjson before "$before" '[.workers[].since_start | select(.measured.packets > 0)] as $w
		| ([$w[].measured.packets] | add) > $before and ($w | all(
			([.measured.cycles_per_packet[]] | add) as $sum | $sum > .measured.all * 0.99 and $sum < .measured.all * 1.01
			and .measured.all > .cycles_per_packet / 20 and .measured.all < .cycles_per_packet * 20
			and .measured.cycles_per_packet.crypto > 0 and .measured.cycles_per_packet.transmit > 0))' <<<"$after" >/dev/null ||
		because "$before measured before; $(jq -c '[.workers[].since_start]' <<<"$after")"
}

# policy does not name this destination
other_traffic_discarded() {
	local before
	before=$(wan_count clear)
	counts gw-a no_policy pings_fail ha 203.0.113.1 || return 1
	[ "$(wan_count clear)" = "$before" ] || because "it left in clear"
}

pings_fail() { ! pings_once "$1" "$2" >/dev/null 2>&1 || because "$2 answered"; }

# a protected source must not be believed when it arrives in clear
clear_from_wan_dropped() {
	counts gw-a inbound_clear inject 198.51.100.1 192.0.2.1 clear 10.2.0.2 10.1.0.2
}

ends_in_order() {
	stop gw-a TERM 10 || because "SIGTERM: exit code $?" || return 1
	[ ! -e "$work/gw-a.sock" ] || because "its socket is still there"
}

topology_pair
pair_manual_config
capture wan wan a
pair_start
check manual_tunnel/ping_a_to_b ping_ok ha 10.2.0.2 5
check manual_tunnel/ping_b_to_a ping_ok hb 10.1.0.2 5
capture_stop wan
check manual_tunnel/wan_carries_esp_only all_esp
check manual_tunnel/udp_every_number_once udp_numbers ha 10.1.0.2 hb 10.2.0.2
# before the flood, in which sockets on the way may lose packets that an SA has counted
check manual_tunnel/sa_counters_agree both_agree
check manual_tunnel/iperf_tcp tcp_ok hb ha 10.2.0.2 2
check manual_tunnel/nothing_clear_on_wan nothing_clear
check manual_tunnel/stages_of_measured_loops_add_up stages_add_up
check manual_tunnel/show_commands_answer shows
check manual_tunnel/unmatched_traffic_discarded other_traffic_discarded
check manual_tunnel/clear_from_wan_dropped clear_from_wan_dropped
check manual_tunnel/sigterm_ends_in_order ends_in_order
