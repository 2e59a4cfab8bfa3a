#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A tunnel with start: trap comes up with the first packet that wants it.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

router=172.16.0.9 # behind host A

is_starting() { [ "$(gw_phase1 gw-a)" != down ]; }

idle_at_first() { [ "$(gw_phase1 gw-a)" = down ] || because "Phase 1 is $(gw_phase1 gw-a) without traffic"; }

first_packet_brings_up() {
	in_ns ha ping -c 1 -W 10 10.2.0.2 >"$work/ping.log" || because "the first ping was not answered" || return 1
	both_up 5 || return 1
	[ "$(gw_counter gw-a held_for_sa)" = 1 ] || because "held_for_sa: $(gw_counter gw-a held_for_sa)"
}

# A router behind gateway A says that the far host was not reached. No host of the LAN has sent anything, and no selector
# has the router: no SA is made for that (RFC 4301 6.2).
icmp_error_brings_nothing_up() {
	counts gw-a no_sa in_ns ha python3 "$repo/tests/smoke/icmp_error.py" about-clear 10.2.0.5 10.1.0.77 10.1.0.1 $router ||
		return 1
	! wait_for 2 is_starting || because "Phase 1 is $(gw_phase1 gw-a)"
}

topology_pair
pair_ike_config trap respond
sed -i 's|^routes:|&\n  - {prefix: 172.16.0.0/16, via: 10.1.0.2}|' "$work/gw-a.yaml"
pair_start
check trap_start/idle_without_traffic idle_at_first
check trap_start/icmp_error_brings_nothing_up icmp_error_brings_nothing_up
check trap_start/first_packet_brings_up first_packet_brings_up
check trap_start/traffic_flows ping_ok ha 10.2.0.2 5
