#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Both gateways behind a NAT: the router masquerades the initiator and forwards UDP 500 and 4500 of its own address to the
# responder. Then the same with `encap: always` and no NAT at all.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

forward_ports() {
	in_ns wan nft -f - <<'END' || die "port forwarding on the WAN"
table ip forwarded {
	chain pre {
		type nat hook prerouting priority -100;
		ip daddr 192.0.2.254 udp dport { 500, 4500 } dnat to 198.51.100.1
	}
}
END
}

# what gw-a and gw-b say of themselves and of the peer
nat_is() {
	local way='"\(.phase1.nat_local) \(.phase1.nat_remote)"'
	[ "$(gw_tunnel gw-a "$way") $(gw_tunnel gw-b "$way")" = "$1" ] ||
		because "gw-a $(gw_tunnel gw-a "$way"), gw-b $(gw_tunnel gw-b "$way")"
}

in_udp() {
	[ "$(gw_sa gw-a out encap) $(gw_sa gw-b out encap)" = "udp udp" ] ||
		because "encap $(gw_sa gw-a out encap) $(gw_sa gw-b out encap)"
}

without_nat() {
	stop gw-a TERM 10 && stop gw-b TERM 10 || because "exit code $?" || return 1
	in_ns wan nft delete table ip nat
	in_ns wan nft delete table ip forwarded
	gw_encap=always
	pair_ike_config initiate respond
	pair_start
	both_up 20
}

topology_pair
wan_nat
forward_ports
pair_ike_config initiate respond any
sed -i 's/remote: {address: 198.51.100.1/remote: {address: 192.0.2.254/' "$work/gw-a.yaml"
pair_start
check nat_both/comes_up both_up 20
check nat_both/both_see_both nat_is "true true true true"
check nat_both/esp_in_udp in_udp
check nat_both/ping_a_to_b ping_ok ha 10.2.0.2 5
check nat_both/ping_b_to_a ping_ok hb 10.1.0.2 5
check nat_both/udp_every_number_once udp_numbers hb 10.2.0.2 ha 10.1.0.2 1000
check nat_both/encap_always_without_nat without_nat
check nat_both/encap_always_in_udp in_udp
check nat_both/encap_always_ping ping_ok ha 10.2.0.2 5
