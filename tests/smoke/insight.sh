#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# "The tunnel is up and there is no traffic": explain, trace and capture of two gateways with two workers each.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# explains NAME TEXT WORD...: the answer to these words of explain has the text in its last line
explains() {
	local name=$1 text=$2 last
	shift 2
	last=$(gw_ctl "$name" explain "$@" 2>&1 | tail -n 1)
	case $last in
	*"$text"*) ;;
	*) because "explain $* at $name says \"$last\", not \"$text\"" ;;
	esac
}

# shows NAME TEXT WORD...: some line of the answer has the text
shows() {
	local name=$1 text=$2 out
	shift 2
	out=$(gw_ctl "$name" "$@" 2>&1)
	grep -qE -- "$text" <<<"$out" || because "$* at $name does not show \"$text\": $(tr '\n' '|' <<<"$out")"
}

gw_workers=2
topology_pair
pair_ike_config initiate respond
cat >>"$work/gw-a.yaml" <<'END'
policies:
  - {name: no-telnet, action: discard, local_selectors: [10.1.0.0/24], remote_selectors: ["192.0.2.0/24[tcp/23]"]}
  - {name: wan-hosts, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [192.0.2.0/24]}
END
pair_start
check insight/comes_up both_up 20
check insight/ping ping_ok ha 10.2.0.2 2

check insight/memory shows gw-a '^dpdk_allocations *[1-9][0-9]*$' show memory

# ---- explain ----

check insight/explain_sealed explains gw-a "would be: sealed by tunnel to-b and sent to 192.0.2.254 on wan" \
	10.1.0.2 10.2.0.2 udp 1000 7007
check insight/explain_names_policy_sa_and_neighbour shows gw-a 'rule 1: protect by to-b, 10.1.0.0/24 === 10.2.0.0/24' \
	explain 10.1.0.2 10.2.0.2
check insight/explain_names_the_sa shows gw-a "SPI 0x$(gw_spi gw-a out) of to-b/net, .*, owner worker [01], [0-9]+ packets" \
	explain 10.1.0.2 10.2.0.2
check insight/explain_names_the_neighbour shows gw-a '192.0.2.254 on wan is (reachable|stale), [0-9a-f:]{17}' \
	explain 10.1.0.2 10.2.0.2
check insight/explain_the_way_back explains gw-a "would be: opened by tunnel to-b and sent to 10.1.0.2 on lan" \
	10.2.0.2 10.1.0.2 icmp 0 0
check insight/explain_spi_in explains gw-a "would be: opened by tunnel to-b on worker" spi "0x$(gw_spi gw-a in)"
check insight/explain_spi_out explains gw-a "would be: sealed by tunnel to-b and sent to 192.0.2.254 on wan" \
	spi "0x$(gw_spi gw-a out)"
check insight/explain_clear_is_refused shows gw-a '^would be dropped: inbound_clear' explain 10.2.0.2 10.1.0.2
check insight/explain_no_policy explains gw-a "would be dropped: no_policy (no policy matches)" 10.1.0.2 10.9.0.1
check insight/explain_martian explains gw-a "would be dropped: martian" 10.1.0.2 10.2.0.2 interface wan
check insight/explain_discard explains gw-a "would be dropped: policy_discard" 10.1.0.2 192.0.2.9 tcp 1000 23
check insight/explain_discard_names_the_policy shows gw-a 'rule 2 of policy no-telnet: discard' \
	explain 10.1.0.2 192.0.2.9 tcp 1000 23
check insight/explain_neighbour explains gw-a "would be dropped: neighbour_unresolved" 10.1.0.2 192.0.2.9 udp 1 2
check insight/explain_unknown_spi explains gw-a "would be dropped: unknown_spi" spi 0x12345678

# ---- trace: a packet's way through two workers ----

# trace_of WORD...: traces one ping so, leaves the answer in $trace
trace_of() {
	gw_ctl gw-a trace start "$@" >/dev/null || because "trace start $* is refused" || return 1
	ping_ok ha 10.2.0.2 2 || return 1
	trace=$(gw_json gw-a trace show)
	gw_ctl gw-a trace stop >/dev/null || because "the trace does not stop"
}

# stages PACKET: "worker stage, worker stage ..." of one packet of $trace
stages() { jq -r ".packets[$1].steps | map(\"\\(.worker) \\(.stage)\") | join(\", \")" <<<"$trace"; }

# trace_stages PACKET PATTERN
trace_stages() { grep -qE "$2" <<<"$(stages "$1")" || because "packet $1 passes $(stages "$1")"; }

# of_packets NUMBER: so many were sampled
of_packets() { [ "$(jq '.packets | length' <<<"$trace")" = "$1" ] || because "$(jq '.packets | length' <<<"$trace") packets, not $1"; }

trace_out() {
	trace_of src 10.1.0.0/24 dst 10.2.0.0/24 count 1 && of_packets 1 &&
		trace_stages 0 '^0 received, 0 clear, 0 protect, .*encrypted, . next_hop.*, . sent$' &&
		trace_stages 0 '0 handed, 1 taken'
}

trace_in() {
	trace_of spi "0x$(gw_spi gw-a in)" count 5 && of_packets 2 &&
		trace_stages 0 'sealed, . opened, . clear, . forward, . next_hop.*, . sent$'
}

trace_tunnel() { trace_of tunnel to-b && of_packets 4; }

trace_sampled() { trace_of src 10.1.0.0/24 every 2 && of_packets 1; }

trace_dropped() {
	gw_ctl gw-a trace start dst 10.9.0.1 >/dev/null || because "trace start is refused" || return 1
	counts gw-a no_policy pings_unanswered 10.9.0.1 || return 1
	trace=$(gw_json gw-a trace show)
	gw_ctl gw-a trace stop >/dev/null
	of_packets 1 && trace_stages 0 '0 received, 0 clear, 0 refuse, 0 dropped' &&
		shows gw-a 'dropped +no_policy \(no policy matches\)' trace show
}

pings_unanswered() { ! pings_once ha "$1" >/dev/null; }

check insight/trace_out_through_two_workers trace_out
check insight/trace_in_by_spi trace_in
check insight/trace_a_tunnel_both_ways trace_tunnel
check insight/trace_every_second_packet trace_sampled
check insight/trace_names_the_drop trace_dropped

# ---- capture: clear and sealed packets of a tunnel, while traffic goes on ----

capture_ended() { [ "$(gw_json gw-a capture status | jq -r .state)" = finished ]; }

# frames FILE FILTER: how many packets tshark finds
frames() { tshark -r "$work/$1" -Y "$2" -T fields -e frame.number 2>/dev/null | wc -l; }

# has_frames FILE COUNT FILTER
has_frames() {
	local n
	n=$(frames "$1" "$3")
	[ "$n" = "$2" ] || because "tshark finds $n packets of \"$3\" in $1, not $2"
}

capture_tunnel() {
	gw_ctl gw-a capture start "$work/tunnel.pcapng" tunnel to-b count 100000 snaplen 200 >/dev/null ||
		because "capture does not start" || return 1
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 500 || return 1
	ping_ok ha 10.2.0.2 2 || return 1
	gw_ctl gw-a capture stop >/dev/null && wait_for 5 capture_ended || because "the capture does not end"
}

capture_is_private() { [ "$(stat -c %a "$work/tunnel.pcapng")" = 600 ] || because "mode $(stat -c %a "$work/tunnel.pcapng")"; }

capture_refuses() {
	local out
	out=$(gw_ctl gw-a capture start "$@" 2>&1) && because "capture start $* is taken" && return 1
	[ -n "$out" ]
}

capture_keeps_files() {
	local before
	before=$(sha256sum <"$work/tunnel.pcapng")
	ln -s "$work/elsewhere" "$work/link.pcapng"
	capture_refuses "$work/tunnel.pcapng" tunnel to-b || return 1
	capture_refuses "$work/link.pcapng" tunnel to-b || return 1
	[ "$before" = "$(sha256sum <"$work/tunnel.pcapng")" ] && [ ! -e "$work/elsewhere" ] ||
		because "a file that was there has changed"
}

capture_port() {
	gw_ctl gw-a capture start "$work/wan.pcapng" port wan count 6 >/dev/null || because "capture does not start" || return 1
	ping_ok ha 10.2.0.2 3 && wait_for 5 capture_ended || because "the capture does not end by its count"
}

check insight/capture_without_loss capture_tunnel
check insight/capture_has_every_clear_packet has_frames tunnel.pcapng 500 'udp.dstport == 7007'
check insight/capture_has_both_directions has_frames tunnel.pcapng 4 'icmp'
check insight/capture_has_every_sealed_packet has_frames tunnel.pcapng 504 'esp'
check insight/capture_names_its_interfaces has_frames tunnel.pcapng 504 'frame.interface_name == "tunnel to-b clear"'
check insight/capture_marks_directions has_frames tunnel.pcapng 1004 'frame.packet_flags_direction == 2'
check insight/capture_is_private capture_is_private
check insight/capture_overwrites_nothing capture_keeps_files
check insight/capture_of_a_port capture_port
check insight/capture_of_a_port_is_ethernet has_frames wan.pcapng 6 'eth && frame.interface_name == "wan"'
check insight/capture_is_in_the_log log_has gw-a 'capture-started tunnel to-b file .*tunnel.pcapng'

# ---- what no worker has seen ----

port_missed() { gw_json gw-a show ports | jq '.ports[0].rx_missed'; }
port_frames() { gw_json gw-a show ports | jq '.ports[0] | .rx_packets + .rx_missed'; }
frames_counted() { [ "$(port_frames)" -ge "$1" ]; }

# a gateway that does not take what comes: what there is no room for has a counter, and no frame is in none
missed_is_counted() {
	local before missed
	before=$(port_frames) missed=$(port_missed)
	kill -STOP "${pids[gw-a]}"
	in_ns ha python3 "$repo/tests/lib/udpseq.py" send 10.1.0.2 10.2.0.2 7007 5000 50000 400
	kill -CONT "${pids[gw-a]}"
	wait_for 5 frames_counted $((before + 5000)) || because "$(($(port_frames) - before)) of 5000 frames are counted" || return 1
	[ "$(port_missed)" -gt "$missed" ] || because "nothing was missed"
}

check insight/missed_is_counted missed_is_counted

# ---- and when it is down ----

capture_drops() {
	gw_ctl gw-a capture start "$work/down.pcapng" tunnel to-b clear >/dev/null || because "capture does not start" || return 1
	counts gw-a no_sa pings_unanswered 10.2.0.2
	gw_ctl gw-a capture stop >/dev/null && wait_for 5 capture_ended
	has_frames down.pcapng 1 'frame.comment contains "dropped: no_sa"'
}


gw_ctl gw-a terminate to-b >/dev/null
wait_for 5 gw_not_up gw-a
stop gw-b TERM
gw_ctl gw-a initiate to-b >/dev/null
check insight/capture_says_what_was_dropped capture_drops
check insight/explain_no_sa explains gw-a "would be: held up to 3 s for an SA of to-b, else dropped: no_sa (policy says protect, no SA is up)" 10.1.0.2 10.2.0.2
