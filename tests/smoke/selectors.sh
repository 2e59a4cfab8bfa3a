#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways, of which one carries one pair of selectors on a Child SA: the packet that comes first has its Child SA, the
# rest of the policy gets its own, all of it carries traffic; idle ones end, and the next packet brings them back.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

halves="10.2.0.0/25, 10.2.0.128/25"

pairs_are() { [ "$(gw_sa_count gw-a)" = $((2 * $1)) ] && [ "$(gw_sa_count gw-b)" = $((2 * $1)) ]; }

first_packet() {
	wait_for 15 pings_once ha 10.2.0.200 || because "no ping came through: $(gw_failure gw-a)" || return 1
	wait_for 5 pairs_are 2 || because "SAs: $(gw_sa_count gw-a) and $(gw_sa_count gw-b)"
}

both_halves() { ping_ok ha 10.2.0.2 5 && ping_ok ha 10.2.0.200 5 && ping_ok hb 10.1.0.2 5; }

# rekeyed one by one, under traffic of both
rekeyed_whole() {
	local before
	before=$(gw_spi gw-a in)
	gw_ctl gw-a rekey to-b net >/dev/null || because "no rekey" || return 1
	both_halves || return 1
	wait_for 10 pairs_are 2 || because "SAs: $(gw_sa_count gw-a) and $(gw_sa_count gw-b)" || return 1
	[ "$(gw_spi gw-a in)" != "$before" ] || because "the keys are the old ones" || return 1
	both_halves
}

idle_ends() { wait_for 15 pairs_are 0 || because "SAs: $(gw_sa_count gw-a) and $(gw_sa_count gw-b)"; }

packet_brings_back() {
	[ "$(gw_phase1 gw-a)" = up ] || because "Phase 1 is $(gw_phase1 gw-a)" || return 1
	wait_for 10 pings_once ha 10.2.0.2 || because "no ping came through: $(gw_failure gw-a)"
}

topology_pair
address hb eth0 10.2.0.200/24
pair_ike_config trap respond
sed -i "s#remote_selectors: .*#remote_selectors: [$halves]\n        inactivity: 5s#" "$work/gw-a.yaml"
sed -i "s#local_selectors: .*#local_selectors: [$halves]#; s#^    encap:.*#&\n    one_selector_per_child: true#" "$work/gw-b.yaml"
pair_start
check selectors/first_packet first_packet
check selectors/both_halves both_halves
check selectors/rekeyed_whole rekeyed_whole
check selectors/idle_ends idle_ends
check selectors/packet_brings_back packet_brings_back
