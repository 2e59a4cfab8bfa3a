# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: BSD-3-Clause
# hosts (left) - gateway A (ours) - ipsec-secgw - hosts (right): set-up and verdicts shared by the scenarios against
# ipsec-secgw. Both clear sides are in one namespace: one program sends on the one and compares on the other. Source it
# after scenario.sh and interop_lib.sh.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/secgw.sh"

secgw_py=$(dirname "${BASH_SOURCE[0]}")/secgw.py
secgw_identify || die "libdpdk-dev is not installed"
peer=ipsec-secgw-$(echo "$secgw_version" | cut -d . -f 1-2)
packets=1000 # in each direction of each case

cases() { python3 "$secgw_py" "$@"; }

# No address of the kernel's anywhere: neither side asks for one, so nobody must answer.
topology_secgw() {
	local key interface mac
	netns_add hosts ga peer
	link hosts left ga lan
	link ga wan peer wan
	link peer lan hosts right
	while read -r key interface mac; do
		ip -n "$(ns "$key")" link set dev "$interface" address "$mac" || die "MAC address of $interface in $key"
	done < <(cases macs)
}

# secgw_up RUN CRYPTO_DEVICES OPTION...: both gateways configured and running
secgw_up() {
	local run=$1 devices=$2
	shift 2
	# the second family stands in the place of a further setting of the interface
	gateway_config gw-a '10.0.0.1/24, address6: "fd00::1/64"' '192.0.2.1/24, address6: "2001:db8::1/64"' \
		< <(cases "$run" gateway)
	cases "$run" secrets | gateway_secrets gw-a
	cases "$run" peer >"$work/secgw.cfg"
	secgw_start secgw peer "$devices" "$@"
	gateway_start gw-a ga
}

# verdict NAME ROLE: the payloads at the far end, then the packets between the gateways
verdict() {
	local log said
	for log in traffic wire; do
		said=$(sed -n "s/^$1 $2 //p" "$work/$log.log")
		[ "$said" = ok ] || because "${said:-no verdict of $log: $(tail -n 1 "$work/$log.log")}" || return 1
	done
}

# secgw_run RUN: the traffic of all its cases and two result lines each
secgw_run() {
	local run=$1 name role
	capture to-peer peer wan 64
	capture from-peer ga wan 64
	spawn traffic ip netns exec "$(ns hosts)" python3 "$secgw_py" "$run" traffic "$packets"
	wait_for 120 dead traffic
	stop traffic
	grep '^#' "$work/traffic.log"
	capture_stop to-peer
	capture_stop from-peer
	cases "$run" wire "$packets" "$work/to-peer.pcap" "$work/from-peer.pcap" >"$work/wire.log" 2>&1
	for name in $(cases "$run" cases); do
		for role in initiator responder; do
			feature "$name" $role verdict "$name" $role
		done
	done
}
