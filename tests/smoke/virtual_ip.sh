#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Gateway B lends gateway A an address out of B's own LAN: B answers ARP for it there, traffic goes both ways, and A gets the
# same one again after a restart of either.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

pool() {
	cat <<-END
		pools:
		  - {name: staff, addresses: [$1], dns: [10.2.0.53]}
	END
}

# gw-b lends these addresses
lending_config() {
	gw_local_more="" gw_remote_more=", pool: staff"
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		pool "$1"
		tunnel to-a 198.51.100.1 192.0.2.1 gw-b.example.net gw-a.example.net 10.2.0.0/24 dynamic respond)
	sed -i "s#log_level:#leases: $work/leases\n  log_level:#" "$work/gw-b.yaml"
}

asking_config() {
	gw_local_more=", virtual_ip: ipv4" gw_remote_more=""
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		tunnel to-b 192.0.2.1 198.51.100.1 gw-a.example.net gw-b.example.net dynamic 10.2.0.0/24 initiate)
}

has_address() {
	local at
	for at in gw-a gw-b; do
		[ "$(gw_tunnel $at '.phase1.virtual_ips[0]')" = "$1" ] ||
			because "$at shows $(gw_tunnel $at '.phase1.virtual_ips')" || return 1
	done
	[ "$(gw_tunnel gw-a '.phase2[0].local_selectors[0]')" = "$1" ] ||
		because "selectors: $(gw_tunnel gw-a '.phase2[0].local_selectors')"
}

lease_is() {
	local shown
	shown=$(gw_json gw-b show leases | jq -r '[.. | objects | select(has("identity"))][0] | "\(.identity) \(.address) \(.state)"')
	[ "$shown" = "gw-a.example.net $1 $2" ] || because "show leases says $shown"
}

lease_printed() { gw_ctl gw-b show leases | grep -q '^staff *10.2.0.200 *gw-a.example.net *lent' || because "$(gw_ctl gw-b show leases)"; }

# from a host of the LAN that the address looks to be in
reached_from_the_lan() {
	ping_ok hb "$1" 5 || return 1
	in_ns hb ip neigh show "$1" | grep -q lladdr || because "no neighbour $1: $(in_ns hb ip neigh)"
}

given_back() { wait_for 5 lease_is 10.2.0.200 remembered; }

restarted() {
	stop "$1" TERM 10 || because "exit code $?" || return 1
	gateway_start "$1" "$2"
	wait_for 20 has_address 10.2.0.200
}

# another identity has the only address, since before the restart
pool_is_full() {
	stop gw-b TERM 10 || because "exit code $?" || return 1
	echo "staff 10.2.0.201 2:6f74686572" >"$work/leases"
	lending_config 10.2.0.201
	gateway_start gw-b gb
	wait_for 20 refused || { refused || because "$(gw_failure gw-a)"; }
}

refused() { gw_failure gw-a | grep -q INTERNAL_ADDRESS_FAILURE && gw_failure gw-b | grep -q "pool staff"; }

topology_pair
asking_config
lending_config "10.2.0.200-10.2.0.209"
psk_secret gw-a gw-a.example.net gw-b.example.net
psk_secret gw-b gw-b.example.net gw-a.example.net
pair_start
check virtual_ip/comes_up both_up 15
check virtual_ip/first_address wait_for 5 has_address 10.2.0.200
check virtual_ip/lease_is_shown lease_is 10.2.0.200 lent
check virtual_ip/lease_is_printed lease_printed
check virtual_ip/reached_from_the_lan reached_from_the_lan 10.2.0.200
gw_ctl gw-a terminate to-b
check virtual_ip/given_back given_back
gw_ctl gw-a initiate to-b
check virtual_ip/same_again wait_for 10 has_address 10.2.0.200
check virtual_ip/same_after_restart_of_the_asker restarted gw-a ga
check virtual_ip/same_after_restart_of_the_lender restarted gw-b gb
check virtual_ip/works_after_restarts reached_from_the_lan 10.2.0.200
check virtual_ip/pool_is_full pool_is_full
