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

# sa NAME KEYS LOCAL REMOTE SPI_IN SPI_OUT LOCAL_TS REMOTE_TS
sa() {
	printf '  - {name: %s, proposal: aes128gcm16, local: %s, remote: %s, spi_in: %s, spi_out: %s, keys: %s, lab_keys: true, local_selectors: [%s], remote_selectors: [%s]}\n' \
		"$1" "$3" "$4" "$5" "$6" "$2" "$7" "$8"
}

# key DIRECTION NUMBER: 16 bytes and 4 of salt
key() { printf '0x%02x%014x%024d' "$1" "$2" 7; }

# configured SIDE TURN: the untouched pair, the replaced one (new keys each turn), and a few that come and go (at side a)
configured() {
	local i near=192.0.2.1 far=198.51.100.1 near_net=10.1.0 far_net=10.2.0 in=0 out=1
	[ "$1" = a ] || { near=198.51.100.1 far=192.0.2.1 near_net=10.2.0 far_net=10.1.0 in=1 out=0; }
	gateway_config "gw-$1" $near_net.1/24 $near/24 ${near%.*}.254 < <(
		echo manual_sas:
		sa replaced r $near $far 0x20$in 0x20$out $near_net.3 $far_net.3
		sa untouched u $near $far 0x10$in 0x10$out $near_net.0/24 $far_net.0/24
		[ "$1" = b ] || for ((i = 1; i <= $2 % 7; i++)); do
			sa "x$i" "x$i" $near 198.51.100.$((i + 100)) $((5000 + i)) $((6000 + i)) 10.77.$i.0/24 10.78.0.0/16
		done
		echo policies:
		echo "  - {name: changing, action: bypass, local_selectors: [$near_net.0/24], remote_selectors: [10.$((90 + $2 % 9)).0.0/16]}"
	)
	{
		echo manual_keys:
		printf '  - {name: u, encr_in: "%s", encr_out: "%s"}\n' "$(key $in 1)" "$(key $out 1)"
		printf '  - {name: r, encr_in: "%s", encr_out: "%s"}\n' "$(key $((2 + in)) "$2")" "$(key $((2 + out)) "$2")"
		[ "$1" = b ] || for ((i = 1; i <= $2 % 7; i++)); do
			printf '  - {name: x%d, encr_in: "%s", encr_out: "%s"}\n' $i "$(key 8 $(($2 * 8 + i)))" "$(key 9 $(($2 * 8 + i)))"
		done
	} | gateway_secrets "gw-$1"
}

# turns_of FIRST LAST
turns_of() {
	local turn side
	for ((turn = $1; turn <= $2; turn++)); do
		for side in a b; do
			configured $side $turn
			gw_ctl gw-$side reload >"$work/reload.out" 2>&1 || { echo "turn $turn of $side" >>"$work/reload.out" && return 1; }
		done
	done
}

# The traffic is to last a little longer than the turns, of which the first few tell how long one takes.
measure_turns() {
	local begin=${EPOCHREALTIME/./}
	turns_of 1 4 || because "reload: $(cat "$work/reload.out")" || return 1
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
	turns_of 5 $((turns + 4)) || because "reload: $(cat "$work/reload.out")" || return 1
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

memory_kb() { awk '/^VmRSS/ { print $2 }' "/proc/${pids[gw-a]}/status"; }

memory_is_flat() {
	local before i
	before=$(memory_kb)
	for ((i = 0; i < 30; i++)); do gw_ctl gw-a reload >/dev/null || because "reload $i" || return 1; done
	[ "$(memory_kb)" -lt $((before + 8192)) ] || because "$before KB, after 30 reloads $(memory_kb) KB"
}

gw_workers=2
topology_pair
address ha eth0 10.1.0.3/24
address hb eth0 10.2.0.3/24
configured a 0
configured b 0
pair_start
check reload_stress/works_before ping_ok ha 10.2.0.2 5
check reload_stress/turns_without_traffic measure_turns
check reload_stress/nothing_lost_without_a_name under_traffic
check reload_stress/nothing_is_left nothing_is_left
check reload_stress/memory_is_flat memory_is_flat
check reload_stress/sigterm_ends_in_order stop gw-a TERM 10
