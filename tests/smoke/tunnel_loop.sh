#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A destination that two gateways lead to each other through their tunnels: a packet for it ends by its TTL, under that name,
# one packet stays one all the way, and the sender is told.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# a second pair of keys
key_ab=${manual_key_ab/4c61/5c61}
key_ba=${manual_key_ba/4c61/5c61}

# secrets NAME KEY1 IN1 OUT1 KEY2 IN2 OUT2
secrets() {
	gateway_secrets "$1" <<-END
		manual_keys:
		  - {name: $2, encr_in: "$3", encr_out: "$4"}
		  - {name: $5, encr_in: "$6", encr_out: "$7"}
	END
}

# 10.9.0.0/24 is behind B says A, behind A says B
config() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 192.0.2.254 < <(
		manual_sa to-b 192.0.2.1 198.51.100.1 0x1001 0x1002 10.1.0.0/24 '10.9.0.0/24, 10.2.0.0/24'
		manual_sa round 192.0.2.1 198.51.100.1 0x2001 0x2002 10.9.0.0/24 10.1.0.0/24 | tail -n +2)
	# without this rule what host-a sends in clear would be refused: the other tunnel should have brought it
	cat >>"$work/gw-a.yaml" <<-END
		policies:
		  - {name: narrow, action: protect, target: round, local_selectors: [10.9.0.200], remote_selectors: [10.1.0.0/24]}
	END
	gateway_config gw-b 10.2.0.1/24 198.51.100.1/24 198.51.100.254 < <(
		manual_sa to-a 198.51.100.1 192.0.2.1 0x1002 0x1001 '10.9.0.0/24, 10.2.0.0/24' '10.1.0.0/24'
		manual_sa back 198.51.100.1 192.0.2.1 0x2002 0x2001 10.1.0.0/24 10.9.0.0/24 | tail -n +2)
	secrets gw-a to-b $manual_key_ba $manual_key_ab round "$key_ba" "$key_ab"
	secrets gw-b to-a $manual_key_ab $manual_key_ba back "$key_ab" "$key_ba"
}

told_by_the_last_hop() {
	local out
	out=$(in_ns ha ping -n -W 3 -c 1 10.9.0.1 2>&1)
	echo "$out" | grep -q "From 198.51.100.1 .*Time to live exceeded" || because "ping: $(echo "$out" | sed -n 2p)"
}

# 64 hops of the packet at most, and one of the error
no_amplification() {
	local packets=$(($(wan_count protected) - $1))
	[ $packets -ge 60 ] && [ $packets -le 66 ] || because "$packets packets on the WAN"
}

topology_pair
config
pair_start
check tunnel_loop/tunnel_is_up ping_ok ha 10.2.0.2 3
before=$(wan_count protected)
check tunnel_loop/sender_is_told told_by_the_last_hop
check tunnel_loop/one_packet_stays_one no_amplification "$before"
check tunnel_loop/ends_by_ttl counts gw-b ttl_exceeded told_by_the_last_hop
check tunnel_loop/nothing_in_clear [ "$(wan_count clear)" = 0 ]
