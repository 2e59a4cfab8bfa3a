#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two strongSwan clients at once under one tunnel of ours: an address for each, each reached, and one from the other.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

# client NAME ADDRESS ID KEY
client() {
	charon_config "$1" "$2" 198.51.100.1 "$3" gw-b.example.net
	charon_start "$1" "$4"
}

comes_up() {
	charon_initiate "$1" >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1) $(gw_failure gw-b)"
}

peers_are() {
	[ "$(gw_tunnel gw-b '.peers | map(select(.phase2[0].state == "up")) | length')" = "$1" ] ||
		because "$(gw_tunnel gw-b '.peers | map({id, s: .phase2[0].state}) | tostring')"
}

address_of() { gw_tunnel gw-b ".peers[] | select(.id == \"$1\") | .phase1.virtual_ips[0]"; }

both_up() { comes_up one && comes_up two && wait_for 5 peers_are 2; }

both_reached() {
	ping_ok hb "$(address_of one.example.net)" 3 && ping_ok hb "$(address_of two.example.net)" 3
}

one_reaches_two() { ping_ok one "$(address_of two.example.net)" 3; }

one_goes() {
	local two
	two=$(address_of two.example.net)
	charon_terminate one >/dev/null 2>&1
	wait_for 5 peers_are 1 && ping_ok hb "$two" 3
}

topology_star one two eth0
address one eth0 192.0.2.2/24
address two eth0 203.0.113.2/24
default_via one 192.0.2.254
default_via two 203.0.113.254
gw_remote_more=", pool: staff"
gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
	echo 'pools: [{name: staff, addresses: [10.9.0.7-10.9.0.9]}]'
	tunnel clients 198.51.100.1 any gw-b.example.net any "10.2.0.0/24, 10.9.0.0/24" dynamic respond)
sed -i "s#log_level:#leases: $work/leases\n  log_level:#" "$work/gw-b.yaml"
printf 'psk:\n  - {secret: "%s"}\n' "$gw_psk" | gateway_secrets gw-b
peer_plugins="resolve"
peer_connection="vips = 0.0.0.0"
peer_local_ts=dynamic peer_remote_ts=10.2.0.0/24,10.9.0.0/24
gateway_start gw-b gb
client one 192.0.2.2 one.example.net one
client two 203.0.113.2 two.example.net two
feature config-many-peers responder both_up || exit 1
feature config-many-reached responder both_reached
feature config-many-between responder one_reaches_two
feature config-many-one-goes responder one_goes
