#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Virtual addresses with strongSwan: it lends us one, with a name server; we lend it one, and the same again.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

has_address() {
	[ "$(gw_tunnel gw-a '.phase1.virtual_ips[0]')" = "$1" ] || because "we show $(gw_tunnel gw-a '.phase1.virtual_ips')"
}

asked_and_given() {
	wait_for 15 gw_up gw-a || because "$(gw_failure gw-a)" || return 1
	has_address 10.9.0.5 || return 1
	charon_ctl charon --list-sas | grep -q 'remote 10.9.0.5/32' || because "theirs: $(charon_ctl charon --list-sas | tr '\n' ' ')"
}

# its host reaches us at the address that it gave
reached_there() { ping_ok peer 10.9.0.5 3; }

lent() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	wait_for 15 has_address "$1" || return 1
	log_has charon "installing new virtual IP $1" || because "strongSwan did not take it"
}

server_known() { log_has charon 'installing DNS server 10.1.0.53\|handling INTERNAL_IP4_DNS' || because "no name server"; }

lent_again() {
	charon_terminate charon >/dev/null 2>&1
	wait_for 5 no_sas || because "we keep $(gw_sa_count gw-a) SAs" || return 1
	lent "$1"
}

pings_through() { ping_ok ha "$1" 3; }

# we ask
topology_peer
gw_local_more=", virtual_ip: ipv4"
gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
	tunnel peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net dynamic 10.2.0.0/24 initiate)
psk_secret gw-a gw-a.example.net peer.example.net
peer_plugins="attr"
peer_connection="pools = lend"
peer_remote_ts=dynamic
charon_config charon 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
printf 'pools {\n  lend {\n    addrs = 10.9.0.5\n    dns = 10.2.0.53\n  }\n}\n' >>"$work/charon/swanctl/swanctl.conf"
charon_start charon peer
gateway_start gw-a ga
feature config-asked initiator asked_and_given || exit 1
feature config-reached initiator reached_there
interop_down

# it asks
gw_local_more="" gw_remote_more=", pool: staff"
gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
	printf 'pools:\n  - {name: staff, addresses: [10.9.0.7-10.9.0.9], dns: [10.1.0.53]}\n'
	tunnel peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net 10.1.0.0/24 dynamic respond)
sed -i "s#log_level:#leases: $work/leases\n  log_level:#" "$work/gw-a.yaml"
peer_plugins="resolve"
peer_connection="vips = 0.0.0.0"
peer_local_ts=dynamic peer_remote_ts=10.1.0.0/24
charon_config charon 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
charon_start charon peer
gateway_start gw-a ga
feature config-lent responder lent 10.9.0.7 || exit 1
feature config-ping responder pings_through 10.9.0.7
feature config-lent-again responder lent_again 10.9.0.7
