#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# With strongSwan over IPv6, either side initiating: negotiation, traffic, the same view of the SAs, delete.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/../lib/ipv6.sh"
. "$(dirname "$0")/interop_lib.sh"

ours=2001:db8:f::1
theirs=2001:db8:f::2

interop6_up() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel peer "\"$ours\"" "\"$theirs\"" gw-a.example.net peer.example.net 10.1.0.0/24 10.2.0.0/24 respond)
	wan_only_ipv6 gw-a $ours
	psk_secret gw-a gw-a.example.net peer.example.net
	charon_config charon $theirs $ours peer.example.net gw-a.example.net
	charon_start charon peer
	gateway_start gw-a ga
}

initiated_by_us() { gw_ctl gw-a initiate peer && established; }

initiated_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	established
}

deleted_by_peer() {
	charon_terminate charon >/dev/null 2>&1 || because "swanctl --terminate failed" || return 1
	wait_for 5 no_sas || because "we keep $(gw_sa_count gw-a) SAs"
}

over_ipv6() { [[ $(gw_sa gw-a out remote) == *"$theirs"* ]] || because "the SA goes to $(gw_sa gw-a out remote)"; }

traffic() {
	ping_ok ha 10.2.0.1 5 && udp_numbers ha 10.1.0.2 peer 10.2.0.1 1000 && udp_numbers peer 10.2.0.1 ha 10.1.0.2 1000
}

topology_peer
ipv6_on peer eth0 $theirs
ip -n "$(ns peer)" addr del 192.0.2.2/24 dev eth0
interop6_up
for role in initiator responder; do
	if [ $role = initiator ]; then start=initiated_by_us; else start=initiated_by_peer; fi
	# without a tunnel nothing that follows can say more
	feature ipv6-psk $role $start || exit 1
	feature ipv6-path $role over_ipv6
	feature ipv6-traffic $role traffic
	feature ipv6-sa-view-agrees $role sas_agree
	feature ipv6-delete-by-peer $role deleted_by_peer
done
