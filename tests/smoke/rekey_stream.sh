#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways rekey their IKE SA and its Child SA again and again, each in its turn, under numbered packets that go one
# way and then the other: none is lost, and neither SAs nor memory grow. SALLYPORT_LONG=1: 500 times, else a few.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

turns=12
warm_turns=6 # the first ones fill what the libraries and the history of events keep for good
heap_kib=64  # what may be allocated more behind the others
at_rest=one_pair
resident_kib=1024
chunk=8000 # packets of a stream, at 2,000 a second
[ "${SALLYPORT_LONG:-0}" = 0 ] || turns=500 warm_turns=300 heap_kib=8 at_rest=nothing_lingers # sees 50 bytes a turn, of one role 100

declare -A tunnels=([gw-a]=to-b [gw-b]=to-a)

keys_now() { gw_tunnel "$1" '"\(.phase1.spi_i) \(.phase2[0].spi_in)"'; }

# both of them are new, and the peer has the same
rekeyed() {
	local before now
	read -r -a before <<<"$2"
	read -r -a now < <(keys_now "$1")
	[ -n "${now[1]:-}" ] && [ "${now[0]}" != "${before[0]}" ] && [ "${now[1]}" != "${before[1]}" ] && [ "${now[1]}" != null ] &&
		[ "$(gw_tunnel gw-a .phase1.spi_i)" = "$(gw_tunnel gw-b .phase1.spi_i)" ]
}

# stream: chunk after chunk, in alternating directions, until told to end; every verdict is a line
stream() {
	local way=0
	while [ ! -e "$work/enough" ]; do
		if [ $way = 0 ]; then
			udp_numbers ha 10.1.0.2 hb 10.2.0.2 $chunk && echo whole || echo "$reason"
		else
			udp_numbers hb 10.2.0.2 ha 10.1.0.2 $chunk && echo whole || echo "$reason"
		fi
		way=$((1 - way))
	done >"$work/stream.verdicts" 2>"$work/stream.log"
}

sas_told() { echo "$(gw_sa_count "$1") SAs, $(gw_counter "$1" ike_sas) IKE SAs, $(gw_counter "$1" ike_sas_lingering) that linger"; }

one_pair() { [ "$(gw_sa_count gw-a) $(gw_counter gw-a ike_sas) $(gw_sa_count gw-b) $(gw_counter gw-b ike_sas)" = "2 1 2 1" ]; }

# nor does an IKE SA that is over repeat its last response, as each does for 20 s
nothing_lingers() { one_pair && [ "$(gw_counter gw-a ike_sas_lingering) $(gw_counter gw-b ike_sas_lingering)" = "0 0" ]; }

# what was under way has had its time
sas_are_flat() { wait_for 30 $at_rest || because "a has $(sas_told gw-a), b $(sas_told gw-b)"; }

declare -A warm now

# memory_read WHERE: what show memory says of both, as WHERE[NAME.FIELD]
memory_read() {
	local -n where=$1
	local name field value
	where=() # an answer from before is none
	for name in gw-a gw-b; do
		while read -r field value; do
			where[$name.$field]=$value
		done < <(gw_json $name show memory | jq -r 'to_entries[] | "\(.key) \(.value)"')
		[ "${where[$name.heap_used_bytes]:-0}" -gt 0 ] || because "show memory of $name says nothing" || return 1
	done
}

rekeyed_so_often() {
	local i name before
	for ((i = 0; i < turns; i++)); do
		[ $i != $warm_turns ] || { sas_are_flat && memory_read warm; } || return 1
		if [ $((i % 2)) = 0 ]; then name=gw-a; else name=gw-b; fi
		before=$(keys_now $name)
		gw_ctl $name rekey "${tunnels[$name]}" >/dev/null ||
			because "turn $i: rekey is refused" || return 1
		wait_for 10 rekeyed $name "$before" || because "turn $i: $before is now $(keys_now $name)" || return 1
	done
	echo "# $turns rekeys of both kinds"
}

encapsulated() { echo $(($(gw_counter gw-a encapsulated) + $(gw_counter gw-b encapsulated))); }

# Whatever got into a gateway came out of the other and reached its host, each number once. On a machine with other work
# the ring in front of a gateway may overflow: what it never saw it has not lost, and that is told.
none_lost() {
	local sent received inside
	[ -s "$work/stream.verdicts" ] || because "no stream was over" || return 1
	! grep -vE '^whole$|, 0 duplicate, .*, 0 changed$' "$work/stream.verdicts" || because "packets doubled or changed" || return 1
	sent=$(($(wc -l <"$work/stream.verdicts") * chunk))
	received=$(awk -v chunk=$chunk '/^whole$/ { n += chunk } /received/ { for (i = 1; i < NF; i++) if ($i == "received") n += $(i + 1) }
		END { print n + 0 }' "$work/stream.verdicts")
	inside=$(($(encapsulated) - before_stream))
	echo "# $sent numbered packets, $((sent - inside)) of which did not reach a gateway"
	[ "$received" = "$inside" ] || because "$received of $inside packets arrived" || return 1
	[ $((100 * (sent - inside))) -le $sent ] || because "$((sent - inside)) of $sent did not reach a gateway"
}

# grown NAME FIELD: in KiB since the first turns
grown() { echo $(((now[$1.$2] - warm[$1.$2]) / 1024)); }

# what workers may still have been reading is reclaimed
pieces_are_back() {
	memory_read now && [ "${now[gw-a.dpdk_allocations]}" -le "${warm[gw-a.dpdk_allocations]}" ] &&
		[ "${now[gw-b.dpdk_allocations]}" -le "${warm[gw-b.dpdk_allocations]}" ]
}

# What is allocated is flat: of DPDK's memory as many pieces, each of which may be larger than was asked for by what the
# allocator does not split off. What is resident grows a little, since SPIs take their slots in turn and each page of
# slots is touched once.
memory_is_flat() {
	local name
	wait_for 5 pieces_are_back
	memory_read now || return 1
	for name in gw-a gw-b; do
		echo "# $name in $((turns - warm_turns)) turns: heap $(grown $name heap_used_bytes) KiB more, of DPDK's" \
			"$(grown $name dpdk_used_bytes) KiB, pieces ${warm[$name.dpdk_allocations]} to ${now[$name.dpdk_allocations]}," \
			"resident $(grown $name resident_bytes) KiB more"
		[ "$(grown $name heap_used_bytes)" -le $heap_kib ] || because "the heap of $name grew" || return 1
		[ "${now[$name.dpdk_allocations]}" -le "${warm[$name.dpdk_allocations]}" ] ||
			because "$name has more pieces of DPDK's memory" || return 1
		[ "$(grown $name dpdk_used_bytes)" -le 1 ] || because "DPDK's memory of $name grew" || return 1
		[ "$(grown $name resident_bytes)" -le $resident_kib ] || because "what $name has resident grew" || return 1
	done
}

topology_pair
pair_ike_config initiate respond
# what the threads' caches keep would count as allocated
GLIBC_TUNABLES=glibc.malloc.tcache_count=0 pair_start
both_up 15 || die "$reason"
check rekey_stream/without_rekey udp_numbers ha 10.1.0.2 hb 10.2.0.2 $((chunk / 2))
before_stream=$(encapsulated)
stream &
streaming=$!
check rekey_stream/both_kinds_by_both_sides rekeyed_so_often
touch "$work/enough"
wait $streaming
check rekey_stream/no_packet_is_lost none_lost
check rekey_stream/sas_are_flat sas_are_flat
check rekey_stream/memory_is_flat memory_is_flat
