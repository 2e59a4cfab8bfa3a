#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Transport mode with strongSwan behind a NAT, which changes what the two hosts call each other (RFC 7296 2.23.1), in both
# roles; and AH, which no NAT lets through. strongSwan's SAs are written down and used as in strongswan_modes.sh.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"
. "$(dirname "$0")/modes_lib.sh"

their_address=198.51.100.1
seen_address=192.0.2.254
router=198.51.100.254

# host-a - gateway A (ours) - router - strongSwan, which is known by the router's address; IKE for that goes to strongSwan
topology_hidden() {
	netns_add ha ga wan peer
	link ha eth0 ga lan
	link ga wan wan a
	link peer eth0 wan b
	address ha eth0 10.1.0.2/24
	address wan a $seen_address/24
	address wan b $router/24
	address peer eth0 $their_address/24
	default_via ha 10.1.0.1
	default_via peer $router
	in_ns wan sysctl -qw net.ipv4.ip_forward=1
	in_ns wan nft -f - <<-END || die "NAT on the router"
		table ip nat {
			chain pre {
				type nat hook prerouting priority -100
				iifname "a" udp dport { 500, 4500 } dnat to $their_address
			}
			chain post { type nat hook postrouting priority 100; oifname "a" masquerade; }
		}
	END
}

ah_refused() {
	gw_ctl gw-a initiate peer >/dev/null 2>&1
	wait_for 8 gw_failed gw-a || because "no failure" || return 1
	gw_failure gw-a | grep -q 'AH cannot pass a NAT' || because "the failure is $(gw_failure gw-a)" || return 1
	no_sas || because "$(gw_sa_count gw-a) SAs are here"
}

topology_hidden
shim_build
run_case transport-nat-aes256gcm esp transport noesn aes256gcm16-noesn aes256gcm16
run_case transport-nat-aes128-sha256 esp transport noesn aes128-sha256-noesn aes128-sha256
both_start ah transport sha256-noesn sha256
feature ah-nat initiator ah_refused
interop_down
