#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A tunnel with start: trap comes up with the first packet that wants it.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

idle_at_first() { [ "$(gw_phase1 gw-a)" = down ] || because "Phase 1 is $(gw_phase1 gw-a) without traffic"; }

first_packet_brings_up() {
	wait_for 15 pings_once ha 10.2.0.2 || because "no ping came through" || return 1
	both_up 5
}

topology_pair
pair_ike_config trap respond
pair_start
check trap_start/idle_without_traffic idle_at_first
check trap_start/first_packet_brings_up first_packet_brings_up
check trap_start/traffic_flows ping_ok ha 10.2.0.2 5
