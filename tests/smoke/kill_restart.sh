#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of either gateway under traffic: nothing in clear meanwhile, traffic again within 30 s of the restart.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

nothing_clear() { [ "$(wan_count clear)" = 0 ] || because "$(wan_count clear) clear packets on the WAN"; }

# Traffic from both hosts all the time, whether anybody answers or not.
traffic_on() {
	spawn flood-a ip netns exec "$(ns ha)" ping -n -q -i 0.02 10.2.0.2
	spawn flood-b ip netns exec "$(ns hb)" ping -n -q -i 0.02 10.1.0.2
}

killed_and_back() {
	local gateway=$1 key=$2 start
	stop "$gateway" KILL 5
	# the survivor's traffic keeps coming while nobody is there
	! pings_once ha 10.2.0.2 >/dev/null 2>&1 || because "a ping got through a dead gateway" || return 1
	gateway_start "$gateway" "$key"
	start=$(now_ms)
	wait_for 30 both_ways || because "no traffic 30 s after the restart: $(both_up 0; echo "$reason")" || return 1
	echo "# $gateway killed: traffic again $(($(now_ms) - start)) ms after its restart"
	nothing_clear
}

both_ways() { pings_once ha 10.2.0.2 && pings_once hb 10.1.0.2; }

gw_dpd="{interval: 5s, timeout: 5s}"
topology_pair
pair_ike_config initiate respond
pair_start
check kill_restart/comes_up both_up 15
traffic_on
check kill_restart/initiator_killed killed_and_back gw-a ga
check kill_restart/responder_killed killed_and_back gw-b gb
check kill_restart/responder_killed_again killed_and_back gw-b gb
check kill_restart/nothing_clear_on_wan nothing_clear
