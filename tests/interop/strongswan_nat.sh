#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# With strongSwan through a masquerading router, which hides us when we initiate and strongSwan when it does: detection,
# port 4500, traffic, keepalives, and a new mapping in the middle of traffic, which the one outside has to follow.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

ours=192.0.2.1
theirs=198.51.100.1

# host-a - gateway A (ours) - router - strongSwan
topology_nat() {
	netns_add ha ga wan peer
	link ha eth0 ga lan
	link ga wan wan a
	link peer eth0 wan b
	address ha eth0 10.1.0.2/24
	address wan a 192.0.2.254/24
	address wan b 198.51.100.254/24
	address peer eth0 $theirs/24
	address peer lo 10.2.0.1/24
	default_via ha 10.1.0.1
	default_via peer 198.51.100.254
	in_ns wan sysctl -qw net.ipv4.ip_forward=1
}

# hide SIDE: what leaves through this side of the router has its address there
hide() {
	in_ns wan nft -f - <<-END || die "NAT on the router"
		table ip nat
		flush table ip nat
		table ip nat {
			chain post { type nat hook postrouting priority 100; oifname "$1" masquerade; }
		}
	END
}

# move_router SIDE FROM TO: masqueraded flows end with the address, the next packet gets the new one
move_router() {
	# else the second address goes with the first one
	in_ns wan sysctl -qw "net.ipv4.conf.$1.promote_secondaries=1"
	ip -n "$(ns wan)" addr add "$3/24" dev "$1" || die "address $3 of the router"
	ip -n "$(ns wan)" addr del "$2/24" dev "$1" || die "address $2 of the router"
}

# gateway REMOTE
gateway() {
	gateway_config gw-a 10.1.0.1/24 $ours/24 192.0.2.254 < <(
		tunnel peer $ours "$1" gw-a.example.net peer.example.net 10.1.0.0/24 10.2.0.0/24 respond)
	psk_secret gw-a gw-a.example.net peer.example.net
	gateway_start gw-a ga
}

initiated_by_us() { gw_ctl gw-a initiate peer && established; }

initiated_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	established
}

traffic() {
	ping_ok ha 10.2.0.1 5 && udp_numbers ha 10.1.0.2 peer 10.2.0.1 1000 && udp_numbers peer 10.2.0.1 ha 10.1.0.2 1000
}

# detected LOCAL REMOTE
detected() {
	[ "$(gw_tunnel gw-a '"\(.phase1.nat_local) \(.phase1.nat_remote)"')" = "$1 $2" ] ||
		because "show tunnels: $(gw_tunnel gw-a '"\(.phase1.nat_local) \(.phase1.nat_remote)"')"
}

# killed_and_back COMMAND...: a dead peer is noticed through the NAT, and the tunnel comes up anew
killed_and_back() {
	charon_dies 15 || return 1
	charon_start charon peer
	"$@" && established 15 && ping_ok ha 10.2.0.1 3
}

in_udp() { [ "$(gw_sa gw-a out encap)" = udp ] || because "encapsulation $(gw_sa gw-a out encap)"; }

goes_to() { [[ $(gw_sa gw-a out remote) == "$1":* ]]; }

theirs_goes_to() { charon_ctl charon --list-sas | grep -q "remote .*@ $1\["; }

# what comes from the new address is followed by ours, at the latest with the next liveness check
followed_by_us() {
	move_router a 192.0.2.254 192.0.2.253
	in_ns peer ping -n -I 10.2.0.1 -i 0.2 -W 1 -c 10 10.1.0.2 >/dev/null 2>&1
	wait_for 10 goes_to 192.0.2.253 || because "the SA still goes to $(gw_sa gw-a out remote)" || return 1
	traffic
}

followed_by_peer() {
	move_router b 198.51.100.254 198.51.100.253
	ip -n "$(ns peer)" route replace default via 198.51.100.253
	wait_for 10 theirs_goes_to 198.51.100.253 || because "$(charon_ctl charon --list-sas | sed -n 3p)" || return 1
	traffic
}

gw_dpd="{interval: 2s, timeout: 5s, action: restart}"
topology_nat
charon_config charon $theirs "$ours, 198.51.100.0/24" peer.example.net gw-a.example.net
charon_start charon peer

hide b
gateway $theirs
# without a tunnel nothing that follows can say more
feature nat initiator initiated_by_us || exit 1
feature nat-detected initiator detected true true
feature nat-traffic initiator traffic
feature nat-sa-view-agrees initiator sas_agree
feature dpd-nat initiator killed_and_back true
feature nat-mapping initiator followed_by_peer

interop_down
move_router b 198.51.100.253 198.51.100.254
ip -n "$(ns peer)" route replace default via 198.51.100.254
charon_start charon peer
hide a
gw_dpd="{interval: 2s, timeout: 5s}"
gateway any
feature nat responder initiated_by_peer || exit 1
feature nat-encap responder in_udp
feature nat-traffic responder traffic
feature nat-sa-view-agrees responder sas_agree
feature dpd-nat responder killed_and_back initiated_by_peer
feature nat-mapping responder followed_by_us
