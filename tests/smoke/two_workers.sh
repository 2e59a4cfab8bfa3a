#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Each gateway with two workers: packets handed to the owner of the SA keep their order and their number.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

two_workers() {
	[ "$(gw_json gw-a show workers | jq '[.. | objects | select(has("lcore"))] | length')" = 2 ] ||
		because "show workers does not list two: $(gw_json gw-a show workers)"
}

no_replay_drops() {
	local bad
	bad=$(($(gw_counter gw-a replayed) + $(gw_counter gw-a too_old) + $(gw_counter gw-b replayed) + $(gw_counter gw-b too_old)))
	[ $bad = 0 ] || because "$bad packets outside the replay window"
}

# the LAN is one worker's, the WAN the other's: whoever has the SA, each packet changes hands once, in clear or sealed
handed_once() {
	local before
	before=$(gw_counter gw-a handed_off)
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 2000 || return 1
	[ $(($(gw_counter gw-a handed_off) - before)) -ge 2000 ] || because "$(($(gw_counter gw-a handed_off) - before)) of 2000 were handed over"
}

# workers that slept between packets, or before a burst, lose none of them
wakes_for_each() {
	local udp_rate=100
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 150
}

wakes_for_bursts() {
	local i udp_rate=1000000
	for ((i = 0; i < 6; i++)); do udp_numbers ha 10.1.0.2 hb 10.2.0.2 250 || return 1; done
}

gw_workers=2
gw_idle=adaptive
topology_pair
pair_ike_config initiate respond
pair_start
check two_workers/both_run two_workers
check two_workers/comes_up both_up 20
check two_workers/ping ping_ok ha 10.2.0.2 5
check two_workers/udp_every_number_once udp_numbers ha 10.1.0.2 hb 10.2.0.2
check two_workers/packets_between_them_are_counted handed_once
check two_workers/idle_adaptive_wakes_for_each_packet wakes_for_each
check two_workers/idle_adaptive_wakes_for_bursts wakes_for_bursts
check two_workers/iperf_tcp tcp_ok hb ha 10.2.0.2 2
check two_workers/no_replay_drops no_replay_drops
check two_workers/sigterm_ends_in_order stop gw-a TERM 10
