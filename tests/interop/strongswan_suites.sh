#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every ESP suite that strongSwan's user-space ESP knows, negotiated in both roles, with numbered traffic through it. All
# the tunnels stand in one configuration: an identity and subnets each. Not here: GMAC and ESN, which that ESP lacks.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

# both sides write them the same way
suites='
aes128gcm8 aes192gcm8 aes256gcm8 aes128gcm12 aes192gcm12 aes256gcm12 aes128gcm16 aes192gcm16 aes256gcm16
aes128ccm8 aes256ccm8 aes128ccm12 aes256ccm12 aes128ccm16 aes256ccm16 chacha20poly1305
aes128-sha1 aes128-sha256 aes192-sha384 aes256-sha256 aes256-sha512 aes128-aesxcbc aes256-aescmac
aes128ctr-sha256 aes192ctr-sha384 aes256ctr-sha512 3des-sha1 null-sha1 null-sha256'
udp_packets=200
udp_rate=1000 # charon reads them in a thread of its own, on a machine that may have other work

# our_tunnels, their_connections: one of each suite; that of number N is between 10.1.N.0/24 and 10.2.N.0/24
our_tunnels() {
	local suite n=0
	echo "tunnels:"
	for suite in $suites; do
		n=$((n + 1))
		gw_esp_proposals=$suite
		tunnel "$suite" 192.0.2.1 192.0.2.2 "gw.$suite.example.net" "peer.$suite.example.net" \
			10.1.$n.0/24 10.2.$n.0/24 respond | sed 1d
	done
}

their_connections() {
	local suite n=0
	for suite in $suites; do
		n=$((n + 1))
		peer_esp_proposals=$suite peer_local_ts=10.2.$n.0/24 peer_remote_ts=10.1.$n.0/24
		charon_connection "$suite" 192.0.2.2 192.0.2.1 "peer.$suite.example.net" "gw.$suite.example.net"
	done
}

our_keys() {
	local suite
	echo "psk:"
	for suite in $suites; do
		echo "  - {local: gw.$suite.example.net, remote: peer.$suite.example.net, secret: \"$gw_psk\"}"
	done
}

# topology_peer with an address of each of the subnets on either side
topology_suites() {
	local n
	topology_peer
	for n in $(seq "$(echo "$suites" | wc -w)"); do
		address ha eth0 10.1."$n".2/32
		address peer lo 10.2."$n".1/24
		ip -n "$(ns ha)" route add 10.2."$n".0/24 via 10.1.0.1 src 10.1."$n".2 || die "route to 10.2.$n.0/24"
	done
}

suites_up() {
	gateway_config gw-a 10.1.0.1/16 192.0.2.1/24 < <(our_tunnels)
	our_keys | gateway_secrets gw-a
	charon_settings charon
	their_connections >"$work/charon/swanctl/swanctl.conf"
	charon_start charon peer
	gateway_start gw-a ga
}

initiated_by_us() { gw_ctl gw-a initiate "$1" >/dev/null || because "initiate failed: $(gw_failure gw-a)"; }

initiated_by_them() {
	charon_initiate charon "$1" >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)"
}

connection_gone() { ! charon_ctl charon --list-sas --ike "$1" | grep -q .; }

tunnel_gone() { gw_not_up gw-a && connection_gone "$1"; }

up_or_failed() { gw_up gw-a || gw_failed gw-a; }

# numbers FROM...: charon's TUN device may lose packets when the machine has other work; what arrives is right in any case,
# and of a second go nothing is lost
numbers() {
	udp_numbers "$@" $udp_packets && return
	tail -n 1 "$work/udp-receiver.log" | grep -q ' 0 duplicate, .* 0 changed' && udp_numbers "$@" $udp_packets
}

# traffic SUITE N: the tunnel is up and carries packets both ways
traffic() {
	wait_for 5 up_or_failed
	gw_up gw-a || because "ours: $(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a)" || return 1
	ping_ok ha 10.2."$2".1 2 && numbers ha 10.1."$2".2 peer 10.2."$2".1 && numbers peer 10.2."$2".1 ha 10.1."$2".2
}

# carries INITIATE SUITE N: the tunnel comes up, carries traffic, and goes, so that the next one is not disturbed
carries() {
	local carried=0
	"$1" "$2" || return 1
	traffic "$2" "$3" || carried=1
	gw_ctl gw-a terminate "$2" >/dev/null || because "terminate failed" || return 1
	wait_for 5 tunnel_gone "$2" || because "the tunnel does not go" || return 1
	return $carried
}

peer_plugins="aes ccm gcm ctr xcbc cmac chapoly"
peer_dpd=0s
topology_suites
suites_up
number=0
for suite in $suites; do
	number=$((number + 1))
	gw_tunnel_name=$suite
	feature "suite-$suite" initiator carries initiated_by_us "$suite" $number
	feature "suite-$suite" responder carries initiated_by_them "$suite" $number
done
