#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A gateway whose peer is not there: what policy protects waits or is dropped by name, nothing leaves in clear.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

dropped_not_sent() {
	counts gw-a no_sa ping_unanswered ha 10.2.0.2 || return 1
	[ "$(wan_count clear)" = 0 ] || because "$(wan_count clear) clear packets on the WAN"
}

ping_unanswered() { ! pings_once "$1" "$2" >/dev/null 2>&1 || because "$2 answers"; }

failure_named() {
	wait_for 60 gw_failed gw-a || because "show tunnels names no failure" || return 1
	[ "$(gw_tunnel gw-a .last_failure.phase)" = 1 ] || because "phase $(gw_tunnel gw-a .last_failure.phase)"
}

bypass_passes() {
	wait_for 5 pings_once ha 192.0.2.254 || because "the bypassed router does not answer"
}

topology_pair
pair_ike_config initiate respond
sed -i '/^tunnels:/i policies:\n  - {name: router, action: bypass, local_selectors: ["10.1.0.0/24"], remote_selectors: ["192.0.2.254/32"]}' \
	"$work/gw-a.yaml"
ip -n "$(ns wan)" route add 10.1.0.0/24 via 192.0.2.1
gateway_start gw-a ga
check fail_closed/protected_traffic_dropped dropped_not_sent
check fail_closed/bypass_policy_passes bypass_passes
if [ "${SALLYPORT_LONG:-0}" = 1 ]; then
	check fail_closed/dead_peer_named failure_named
fi
