#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Reload after reload under numbered traffic, SAs that come, go and change their keys, policies that change: what is not
# touched loses nothing, what is replaced loses no packet without a name, nothing is changed, nothing leaves in clear. The
# long form reloads a thousand times.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

turns=40
[ "${SALLYPORT_LONG:-0}" = 0 ] || turns=1000
rate=1000 # packets a second of each flow

# turns_of FIRST LAST: turn 0 writes what the gateways start with
turns_of() {
	python3 "$repo/tests/lib/reload_turns.py" "$sallyctl" "$work" "$1" "$2" >"$work/reload.out" 2>&1 ||
		because "reload: $(cat "$work/reload.out")"
}

# The traffic is to last a little longer than the turns, of which the first few tell how long one takes.
measure_turns() {
	local begin=${EPOCHREALTIME/./}
	turns_of 1 4 || return 1
	seconds=$((turns * (${EPOCHREALTIME/./} - begin) / 4 * 5 / 4 / 1000000 + 2))
}

# flow NAME SOURCE DESTINATION: a receiver, and its sender in the background
flow() {
	: >"$work/$1.log"
	spawn "$1" ip netns exec "$(ns hb)" python3 "$repo/tests/lib/udpseq.py" receive "$3" 7007 $((rate * seconds)) $((seconds * 2 + 20))
	wait_for 5 log_has "$1" ready || because "receiver $1 does not start" || return 1
	in_ns ha python3 "$repo/tests/lib/udpseq.py" send "$2" "$3" 7007 $((rate * seconds)) $rate 400 &
}

# lost NAME: packets that did not come; what came was as it was sent
lost() {
	local line
	line=$(tail -n 1 "$work/$1.log")
	[[ $line =~ received\ ([0-9]+)\ of\ ([0-9]+)\ distinct,\ 0\ duplicate,\ [0-9]+\ late,\ 0\ changed ]] && echo $((BASH_REMATCH[2] - BASH_REMATCH[1])) ||
		{ echo "$line" >&2 && return 1; }
}

named_drops() {
	local gateway reason total=0
	for gateway in gw-a gw-b; do
		for reason in unknown_spi no_sa bad_icv replayed too_old; do
			total=$((total + $(gw_counter $gateway $reason)))
		done
	done
	echo $total
}

flows_ended() { dead untouched && dead replaced; }

under_traffic() {
	local before clear
	before=$(named_drops) clear=$(wan_count clear)
	flow untouched 10.1.0.2 10.2.0.2 && flow replaced 10.1.0.3 10.2.0.3 || return 1
	turns_of 5 $((turns + 4)) || return 1
	wait_for $((seconds * 2 + 30)) flows_ended
	[ "$(lost untouched)" = 0 ] || because "untouched: $(tail -n 1 "$work/untouched.log")" || return 1
	[ "$(lost replaced)" -le $(($(named_drops) - before)) ] ||
		because "replaced: $(tail -n 1 "$work/replaced.log"), named $(($(named_drops) - before))" || return 1
	echo "# $turns reloads at each side in $seconds s of traffic: untouched lost 0, replaced lost $(lost replaced) of $((rate * seconds)), named $(($(named_drops) - before))"
	[ "$(wan_count clear)" = "$clear" ] || because "$(wan_count clear) clear packets on the WAN"
}

nothing_is_left() {
	[ "$(gw_sa_count gw-a)" = $((4 + (turns + 4) % 7 * 2)) ] || because "$(gw_sa_count gw-a) SAs after $turns turns" || return 1
	[ "$(gw_json gw-a show counters | jq .mbufs.free)" -gt 6000 ] || because "buffers: $(gw_json gw-a show counters | jq -c .mbufs)"
}

memory_is_flat() {
	local before i
	before=$(gw_resident_kib gw-a)
	for ((i = 0; i < 30; i++)); do gw_ctl gw-a reload >/dev/null || because "reload $i" || return 1; done
	[ "$(gw_resident_kib gw-a)" -lt $((before + 8192)) ] || because "$before KiB, after 30 reloads $(gw_resident_kib gw-a) KiB"
}

gw_workers=2
topology_pair
address ha eth0 10.1.0.3/24
address hb eth0 10.2.0.3/24
gateway_config gw-a.base 10.1.0.1/24 192.0.2.1/24 192.0.2.254 </dev/null
gateway_config gw-b.base 10.2.0.1/24 198.51.100.1/24 198.51.100.254 </dev/null
# the base is named as what is made of it
sed -i 's/\.base\././' "$work"/gw-?.base.yaml
turns_of 0 0
pair_start
check reload_stress/works_before ping_ok ha 10.2.0.2 5
check reload_stress/turns_without_traffic measure_turns
check reload_stress/nothing_lost_without_a_name under_traffic
check reload_stress/nothing_is_left nothing_is_left
check reload_stress/memory_is_flat memory_is_flat
check reload_stress/sigterm_ends_in_order stop gw-a TERM 10
