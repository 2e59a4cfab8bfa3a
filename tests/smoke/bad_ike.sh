#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# IKE messages that must not be believed: each kind its own counter, and the tunnel goes on as if nothing had happened.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

to_b() { inject 192.0.2.1 198.51.100.1 "$@"; }

same_tunnel() {
	local now
	now=$(gw_spi gw-b in)
	[ "$now" = "$spi_before" ] || because "its SPI was $spi_before and is $now" || return 1
	gw_up gw-b || because "gw-b is $(gw_phase1 gw-b)" || return 1
	ping_ok ha 10.2.0.2 5
}

topology_pair
pair_ike_config initiate respond
# the IKE messages are sent on to gateway B from here: the capture has to hold them whole
capture wan wan b 0
pair_start
check bad_ike/comes_up both_up 15
capture_stop wan
spi_before=$(gw_spi gw-b in)
check bad_ike/truncated counts gw-b malformed to_b ike-truncated
check bad_ike/length_beyond_datagram counts gw-b malformed to_b ike-length
check bad_ike/wrong_version counts gw-b wrong_version to_b ike-version
check bad_ike/unknown_critical_payload counts gw-b unknown_critical_payload to_b ike-critical
check bad_ike/unknown_spi counts gw-b unknown_ike_spi to_b ike-unknown-spi
check bad_ike/bad_icv counts gw-b bad_icv to_b ike-bad-icv "$work/wan.pcap"
check bad_ike/tunnel_unharmed same_tunnel
