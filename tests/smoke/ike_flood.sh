#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Floods of IKE messages from forged sources at a gateway for anybody: IKE_SA_INIT, IKE_AUTH, fragments of it, from as
# many sources and in the name of the peer that is up. The tunnel keeps its numbered traffic and rekeys; a peer that is
# not up gets in through a cookie; memory stays bounded.
# What a port's driver did not take in time, since others had the CPU, is no fault of the gateway's: of the numbers as many may
# be missing, and one in a hundred at most.
# SALLYPORT_LONG=1: 10^6 of each kind, else some 10^4.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

count=60000
udp_rate=500
numbers=700
[ "${SALLYPORT_LONG:-0}" = 0 ] || { count=1000000 numbers=5000; }

# flood KIND [SOURCE]: runs beside what follows
flood() { spawn flood ip netns exec "$(ns wan)" python3 "$repo/tests/lib/ike_flood.py" 198.51.100.1 "$1" $count $flood_rate ${2:+"$2"}; }

flood_over() {
	wait_for 300 dead flood
	stop flood || because "the flood ended with an error: $(tail -n 1 "$work/flood.log")"
}

rekeyed() { [ "$(gw_spi gw-a in)" != "$1" ] && gw_up gw-a && gw_up gw-b; }

# numbers_pass FROM FROM_ADDRESS TO TO_ADDRESS: all of them, or as many less as the ports missed
numbers_pass() {
	local missed lost
	missed=$(($(gw_missed gw-a) + $(gw_missed gw-b)))
	udp_numbers "$@" $numbers && return 0
	lost=$(sed -n 's/^received \([0-9]*\) of \([0-9]*\) distinct, 0 duplicate, .* 0 changed$/\2-\1/p' "$work/udp-receiver.log")
	[ -n "$lost" ] || return 1
	lost=$((lost)) missed=$(($(gw_missed gw-a) + $(gw_missed gw-b) - missed))
	echo "# $1 to $3: $lost of $numbers numbers lost, $missed frames missed by the ports"
	[ $lost -le $missed ] && [ $lost -le $((numbers / 100)) ] || because "$lost of $numbers lost, $missed missed by the ports"
}

# held_against KIND COUNTER [SOURCE]: a rekey before the flood of KIND that COUNTER counts is over, and the tunnel's traffic
# until it is.
held_against() {
	local before spi
	before=$(gw_counter gw-b "$2")
	spi=$(gw_spi gw-a in)
	flood "$1" "${3:-}"
	wait_for 5 counter_above gw-b "$2" "$before" || because "no flood" || return 1
	gw_ctl gw-a rekey to-b || because "rekey is refused" || return 1
	wait_for 10 rekeyed "$spi" || because "no rekey in 10 s of flood" || return 1
	! dead flood || because "no rekey while the flood ran" || return 1
	numbers_pass ha 10.1.0.2 hb 10.2.0.2 || return 1
	numbers_pass hb 10.2.0.2 ha 10.1.0.2 || return 1
	flood_over || return 1
	echo "# $1: $(tail -n 1 "$work/flood.log"), $(($(gw_counter gw-b "$2") - before)) counted as $2"
	[ $(($(gw_counter gw-b "$2") - before)) -gt $((count / 10)) ] || because "the flood did not arrive"
}

# Half-open SAs are there up to the threshold, no more: the peer needs a cookie.
in_through_a_cookie() {
	local before
	gw_ctl gw-a terminate to-b || because "terminate failed" || return 1
	wait_for 5 gw_not_up gw-a || because "still up" || return 1
	flood init
	wait_for 5 counter_above gw-b cookie_sent "$(gw_counter gw-b cookie_sent)" || because "no cookies" || return 1
	before=$(gw_counter gw-b cookie_valid)
	gw_ctl gw-a initiate to-b || because "initiate failed" || return 1
	both_up 15 || return 1
	[ "$(gw_counter gw-b cookie_valid)" -gt "$before" ] || because "in without a cookie" || return 1
	numbers_pass ha 10.1.0.2 hb 10.2.0.2 && numbers_pass hb 10.2.0.2 ha 10.1.0.2 || return 1
	flood_over
}

memory_bounded() {
	local now grown
	now=$(gw_resident_kib gw-b)
	[ "${now:-0}" -gt 0 ] || because "gw-b does not say" || return 1
	grown=$((now - memory_before))
	echo "# memory: $memory_before KiB before, $grown more after the floods"
	[ $grown -lt 16384 ] || because "$grown KiB more"
}

flood_rate=20000
topology_pair
pair_ike_config initiate respond any
pair_start
check ike_flood/comes_up both_up 15
memory_before=$(gw_resident_kib gw-b)
check ike_flood/init held_against init cookie_sent
check ike_flood/junk_auth held_against auth rate_limit
check ike_flood/fragments held_against fragments rate_limit
check ike_flood/in_the_peers_name held_against informational rate_limit 192.0.2.1
check ike_flood/beginnings_in_the_peers_name held_against init rate_limit 192.0.2.1
check ike_flood/peer_gets_in_through_a_cookie in_through_a_cookie
check ike_flood/memory_bounded memory_bounded
