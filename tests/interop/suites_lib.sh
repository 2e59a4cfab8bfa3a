# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: BSD-3-Clause
# Many tunnels to one strongSwan, one of each suite, tried one after the other in both roles. A scenario lists `suites`
# (words NAME=PROPOSAL), defines our_proposals and their_proposals (one proposal into the settings of tests/lib) and
# traffic SUITE N, and calls suites_run. Source it after interop_lib.sh.

name_of() { echo "${1%%=*}"; }

# our_tunnels, their_connections: one of each suite; that of number N is between 10.1.N.0/24 and 10.2.N.0/24
our_tunnels() {
	local suite name n=0
	echo "tunnels:"
	for suite in $suites; do
		n=$((n + 1))
		name=$(name_of "$suite")
		our_proposals "${suite#*=}"
		tunnel "$name" 192.0.2.1 192.0.2.2 "gw.$name.example.net" "peer.$name.example.net" \
			10.1.$n.0/24 10.2.$n.0/24 respond | sed 1d
	done
}

their_connections() {
	local suite name n=0
	for suite in $suites; do
		n=$((n + 1))
		name=$(name_of "$suite")
		their_proposals "${suite#*=}"
		peer_local_ts=10.2.$n.0/24 peer_remote_ts=10.1.$n.0/24
		charon_connection "$name" 192.0.2.2 192.0.2.1 "peer.$name.example.net" "gw.$name.example.net"
	done
}

our_keys() {
	local suite name
	echo "psk:"
	for suite in $suites; do
		name=$(name_of "$suite")
		echo "  - {local: gw.$name.example.net, remote: peer.$name.example.net, secret: \"$gw_psk\"}"
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

is_up() {
	wait_for 5 up_or_failed
	gw_up gw-a || because "ours: $(gw_phase1 gw-a)/$(gw_phase2 gw-a) $(gw_failure gw-a)"
}

# carries INITIATE SUITE N: the tunnel comes up, carries traffic, and goes, so that the next one is not disturbed
carries() {
	local carried=0
	"$1" "$2" || return 1
	is_up && traffic "$2" "$3" || carried=1
	gw_ctl gw-a terminate "$2" >/dev/null || because "terminate failed" || return 1
	wait_for 5 tunnel_gone "$2" || because "the tunnel does not go" || return 1
	return $carried
}

suites_run() {
	local suite number=0
	peer_dpd=0s
	gw_allow_weak=true
	topology_suites
	suites_up
	for suite in $suites; do
		number=$((number + 1))
		gw_tunnel_name=$(name_of "$suite")
		feature "suite-$gw_tunnel_name" initiator carries initiated_by_us "$gw_tunnel_name" $number
		feature "suite-$gw_tunnel_name" responder carries initiated_by_them "$gw_tunnel_name" $number
	done
}
