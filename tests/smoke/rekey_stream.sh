#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways rekey their IKE SA and its Child SA again and again, each in its turn, under numbered packets that go one
# way and then the other: none is lost, and neither SAs nor memory grow. SALLYPORT_LONG=1: 500 times, else a few.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

turns=12
warm_turns=6   # the first ones fill what the libraries keep for good
growth_kib=512 # slots of SPIs and buffers that are touched for the first time, which some 300 turns end
chunk=8000     # packets of a stream, at 2,000 a second
[ "${SALLYPORT_LONG:-0}" = 0 ] || turns=500 warm_turns=300 growth_kib=160 # sees a leak of 1 KiB a turn

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

rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/${pids[$1]}/status"; }

rss_both() { echo "$(rss_kib gw-a) $(rss_kib gw-b)"; }

rekeyed_so_often() {
	local i name before
	for ((i = 0; i < turns; i++)); do
		[ $i != $warm_turns ] || warm=$(rss_both)
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

one_pair() { [ "$(gw_sa_count gw-a) $(gw_sa_count gw-b)" = "2 2" ]; }

# what was under way has had its time
sas_are_flat() { wait_for 20 one_pair || because "SAs: a $(gw_sa_count gw-a), b $(gw_sa_count gw-b), 2 each expected"; }

# shellcheck disable=SC2015 # because is false
memory_is_flat() {
	local first now
	read -r -a first <<<"$warm"
	read -r -a now < <(rss_both)
	echo "# memory of gw-a ${first[0]} to ${now[0]} KiB, of gw-b ${first[1]} to ${now[1]} KiB"
	[ $((now[0] - first[0])) -le $growth_kib ] && [ $((now[1] - first[1])) -le $growth_kib ] ||
		because "it grew from ${first[*]} to ${now[*]} KiB"
}

topology_pair
pair_ike_config initiate respond
pair_start
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
