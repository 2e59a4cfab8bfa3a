#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A router on the way whose next link is smaller than ours: what it says is believed and reaches the hosts as their inner
# MTU, what anybody else says is not; packets without DF pass in fragments on the side that the setting says.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

link_mtu=1300
# as in layer3.sh: 54 bytes of outer header, ESP header, IV, ICV and trailer, the text in whole words
inner_mtu=$((link_mtu - 54))

# pair_config OUTER: the rules for the outer header of gateway A
pair_config() {
	pair_manual_config
	sed -i "s/^    lab_keys: true/&\n    outer: {$1}/" "$work/gw-a.yaml"
	sed -i "/name: wan/s/mtu: 1500/mtu: $link_mtu/" "$work/gw-b.yaml"
}

# the router drops the first large packet and says so; the second one meets the new MTU at the gateway
learnt_from_the_router() {
	in_ns ha ping -n -W 1 -c 1 -M 'do' -s 1400 10.2.0.2 >/dev/null 2>&1
	wait_for 3 path_mtu_learnt gw-a $link_mtu || because "path_mtu of the SA: $(gw_sa gw-a out path_mtu)" || return 1
	[ "$(gw_sa gw-a out inner_mtu)" = $inner_mtu ] || because "inner_mtu $(gw_sa gw-a out inner_mtu)" || return 1
	grep -q "path-mtu to-b spi-out 00001002 peer 198.51.100.1: 1300 bytes says 192.0.2.254" "$work/gw-a.log" ||
		because "no line in the log: $(grep path-mtu "$work/gw-a.log")"
}

host_is_told() {
	forget_mtu
	ping_says ha "Frag needed and DF set \(mtu = $inner_mtu\)" -M 'do' -s 1400 10.2.0.2 || return 1
	ping_says ha '1 received' -M 'do' -s $((inner_mtu - 28)) 10.2.0.2
}

# ptb SPI QUOTED_DST MTU: frag needed to gateway A, from the router's side, about an ESP packet
ptb() { in_ns wan python3 "$repo/tests/smoke/icmp_error.py" frag-needed 192.0.2.1 "$1" "$2" "$3"; }

unchanged_after() {
	counts gw-a "$1" ptb "$2" "$3" "$4" || return 1
	path_mtu_learnt gw-a $link_mtu || because "path_mtu of the SA: $(gw_sa gw-a out path_mtu)"
}

mss_clamped() {
	local mss want=$((inner_mtu - 40))
	capture syn hb eth0 96
	tcp_ok hb ha 10.2.0.2 1 || return 1
	capture_stop syn
	mss=$(tcpdump -n -r "$work/syn.pcap" 'tcp[tcpflags] & tcp-syn != 0 and src 10.1.0.2' 2>/dev/null |
		sed -n 's/.*mss \([0-9]*\).*/\1/p' | sort -n | tail -n 1)
	[ "$mss" = $want ] || because "MSS at host-b is ${mss:-missing}, $want expected"
}

# clamping off: TCP itself learns from what the gateway says
tcp_settles() { tcp_ok hb ha 10.2.0.2 1; }

# frames_of CAPTURE FILTER
frames_of() { tcpdump -n -r "$work/$1.pcap" "$2" 2>/dev/null | wc -l; }

# a ping without DF: whole ESP packets, or ESP packets in fragments
fragments_are() {
	local esp fragments
	forget_mtu
	capture "$1" wan a 96
	ping_says ha '1 received' -M dont -s 1400 10.2.0.2 || return 1
	capture_stop "$1"
	esp=$(frames_of "$1" 'src 192.0.2.1 and ip[6:2] & 0x3fff = 0')
	fragments=$(frames_of "$1" 'src 192.0.2.1 and ip[6:2] & 0x3fff != 0')
	[ "$esp" = "$2" ] && [ "$fragments" = "$3" ] || because "$esp whole ESP packets, $fragments fragments"
}

# both, as a sequence number that begins anew is a replay to the other
restart_pair() {
	stop gw-a TERM 10 && stop gw-b TERM 10 || because "SIGTERM: exit code $?" || return 1
	pair_config "$1"
	pair_start
}

# gateway B knows its link; the router's veth does not take more
topology_pair
ip -n "$(ns wan)" link set dev b mtu $link_mtu
gw_system="  mss_clamp: false"
pair_config "df: set"
pair_start
check path_mtu/learnt_from_the_router learnt_from_the_router
check path_mtu/host_is_told_the_inner_mtu host_is_told
check path_mtu/tcp_settles tcp_settles
check path_mtu/unknown_spi_is_not_believed unchanged_after pmtu_spoofed 0x00bad001 198.51.100.1 1000
check path_mtu/another_destination_is_not_believed unchanged_after pmtu_spoofed 0x1002 203.0.113.1 1000
check path_mtu/below_the_floor_is_not_believed unchanged_after pmtu_floor 0x1002 198.51.100.1 100
check path_mtu/larger_is_not_believed unchanged_after pmtu_not_lower 0x1002 198.51.100.1 1400
check path_mtu/fragments_before_the_sa fragments_are before 2 0
gw_system=""
check path_mtu/restarts_with_fragments_after restart_pair "fragment: after"
check path_mtu/small_path_is_learnt_again ptb 0x1002 198.51.100.1 $link_mtu
check path_mtu/learnt wait_for 3 path_mtu_learnt gw-a $link_mtu
check path_mtu/fragments_after_the_sa fragments_are after 0 2
check path_mtu/mss_clamped_to_the_path mss_clamped
