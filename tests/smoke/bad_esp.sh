#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# ESP that must not pass: each kind its own counter, and the SA goes on as if nothing had happened.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# Whole packets from gateway B as A's WAN side saw them.
seen() { echo "$work/wan.pcap"; }

from_b() { inject 198.51.100.1 192.0.2.1 "$@"; }

unharmed() {
	local tunnels
	ping_ok ha 10.2.0.2 5 || return 1
	tunnels=$(gw_sa_count gw-a)
	[ "$tunnels" = 2 ] || because "$tunnels SAs left"
}

topology_pair
pair_manual_config
pair_start
capture wan wan a 0
check bad_esp/traffic_before ping_ok ha 10.2.0.2 5
capture_stop wan
check bad_esp/unknown_spi counts gw-a unknown_spi from_b esp-unknown-spi
check bad_esp/short counts gw-a short from_b esp-short
check bad_esp/replayed counts gw-a replayed from_b esp-replayed "$(seen)"
check bad_esp/bad_icv counts gw-a bad_icv from_b esp-bad-icv "$(seen)"
check bad_esp/traffic_after unharmed
# 200 more packets push the captured one out of the window of 128
check bad_esp/window_moves_on udp_numbers hb 10.2.0.2 ha 10.1.0.2 200
check bad_esp/too_old counts gw-a too_old from_b esp-replayed "$(seen)"
