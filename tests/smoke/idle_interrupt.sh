#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Workers that sleep until a device interrupts: packets, control and the other worker wake them, and without these they do
# next to nothing. Gateway A has net_tap ports, whose kernel sides are given to the host and to gateway B. Where a device
# or the CPU cannot do what system.idle asks for, the start is refused by name.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# given KEY IF NEW_MAC: the kernel side of a port of gateway A, in the namespace of who is behind it. It has the port's own
# MAC, which only one end of a wire can have.
given() {
	ip -n "$(ns ga)" link set dev "$2" netns "$(ns "$1")" || die "$2 cannot be given to $1"
	ip -n "$(ns "$1")" link set dev "$2" address "$3" || die "$2 of $1 takes no MAC"
	in_ns "$1" ethtool -K "$2" tx off gro off >/dev/null 2>&1
	ip -n "$(ns "$1")" link set dev "$2" up || die "$2 of $1 does not come up"
}

# loops of all workers of gateway A in so many seconds
loops() { gw_json gw-a show workers | jq '[.workers[].loops] | add'; }

# a worker that spins or sleeps for microseconds has some ten thousand loops a second; one that waits, some fifty, and a
# few more for what the kernel says by itself
sleeps_without_packets() {
	local before after
	before=$(loops)
	sleep 1
	after=$(loops)
	[ $((after - before)) -lt 4000 ] || because "$((after - before)) loops in a second without traffic"
}

wakes_for_each() {
	local udp_rate=100
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 100
}

wakes_for_bursts() {
	local i udp_rate=1000000
	for ((i = 0; i < 3; i++)); do udp_numbers ha 10.1.0.2 hb 10.2.0.2 200 || return 1; done
}

refused() {
	local out rc
	out=$(in_ns gb timeout 20 "$sallyportd" --config "$work/gw-b.yaml" 2>&1 </dev/null)
	rc=$?
	[ $rc = 1 ] || because "exit code $rc: $(echo "$out" | tail -n 1)" || return 1
	echo "$out" | grep -Eq -- "$1" || because "no \"$1\" in: $(echo "$out" | tail -n 3 | tr '\n' ' ')"
}

# gateway_b IDLE: beside gateway A, on one link
gateway_b() {
	gw_idle=$1
	gateway_config gw-b 10.2.0.1/24 192.0.2.2/24 < <(
		tunnel to-a 192.0.2.2 192.0.2.1 gw-b.example.net gw-a.example.net 10.2.0.0/24 10.1.0.0/24 respond)
	psk_secret gw-b gw-b.example.net gw-a.example.net
}

cpu_has() { grep -qw "$1" /proc/cpuinfo; }

netns_add ha ga gb hb
link hb eth0 gb lan
address hb eth0 10.2.0.2/24
default_via hb 10.2.0.1

gw_idle=interrupt
gw_workers=2
gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
	tunnel to-b 192.0.2.1 192.0.2.2 gw-a.example.net gw-b.example.net 10.1.0.0/24 10.2.0.0/24 initiate)
sed -i -e 's/net_af_packet0/net_tap0/' -e 's/net_af_packet1/net_tap1/' "$work/gw-a.yaml"
psk_secret gw-a gw-a.example.net gw-b.example.net
gateway_start gw-a ga
given ha lan 02:00:00:00:00:0a
given gb wan 02:00:00:00:00:0b
address ha lan 10.1.0.2/24
default_via ha 10.1.0.1

gw_workers=1
gateway_b interrupt
check idle_interrupt/device_without_is_refused refused 'system\.idle: interrupt: device net_af_packet0 has no RX interrupts'
for way in pause monitor; do
	gateway_b $way
	if cpu_has waitpkg; then
		skip idle_interrupt/cpu_without_${way}_is_refused "this CPU has it"
	else
		check idle_interrupt/cpu_without_${way}_is_refused refused "system\\.idle: $way: this CPU "
	fi
done
gateway_b adaptive
gateway_start gw-b gb

check idle_interrupt/control_wakes_workers both_up 20
check idle_interrupt/ping ping_ok ha 10.2.0.2 5
check idle_interrupt/ping_back ping_ok hb 10.1.0.2 5
check idle_interrupt/sleeps_without_packets sleeps_without_packets
check idle_interrupt/wakes_for_each_packet wakes_for_each
check idle_interrupt/wakes_for_bursts wakes_for_bursts
check idle_interrupt/sigterm_ends_in_order stop gw-a TERM 10
