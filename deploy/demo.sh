#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The whole thing in one command: installs, builds, joins host-a and host-b by two gateways over a WAN, all in namespaces
# of this machine, and checks that what the hosts say to each other crosses the WAN encrypted only.
# Last line: "demo: PASS ..." or "demo: FAIL ...".
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

usage() {
	cat <<'END'
usage: demo.sh [--keep] [--manual] [--protocol]     (as root)
       demo.sh --stop FOLDER
  --keep      leave it running, with instructions      --stop      end one that was kept
  --manual    manual keys instead of IKE               --protocol  also print PASS/FAIL lines for tests/run.sh
END
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=0 manual=0 protocol=0 stop_folder=""
while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=1 ;;
	--manual) manual=1 ;;
	--protocol) protocol=1 ;;
	--stop)
		[ $# -ge 2 ] || { usage >&2 && exit 2; }
		stop_folder=$2 && shift
		;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done

# shellcheck source=/dev/null
. "$repo/tests/lib/scenario.sh"

mark=SALLYPORT-MARK-1
mark_hex=$(printf %s "$mark" | od -An -tx1 | tr -d ' \n')
iperf_seconds=4
begin_ms=$(now_ms)
first_failure=""
throughput=""

say() { printf '\n[%5.1f s] %s\n' "$(($(now_ms) - begin_ms))e-3" "$*"; }

# must TEXT NAME COMMAND...: one condition of the demo
must() {
	local text=$1 name=$2
	shift 2
	reason=""
	if "$@"; then
		echo "  ok    $text"
		[ $protocol = 0 ] || pass "demo/$name"
		return 0
	fi
	echo "  FAIL  $text: ${reason:-failed}"
	[ $protocol = 0 ] || echo "FAIL demo/$name ${reason:-failed}"
	failures=$((failures + 1))
	first_failure=${first_failure:-$text: ${reason:-failed}}
}

# what the libraries call when something needed is not there
die() {
	first_failure=${first_failure:-$*}
	[ $protocol = 0 ] || echo "FAIL demo/setup $*"
	failures=$((failures + 1))
	exit 1
}

last_words() {
	local seconds=$((($(now_ms) - begin_ms + 500) / 1000))
	case $1 in
	0) echo "demo: PASS $([ $manual = 1 ] && echo manual keys || echo IKEv2), 5 of 5 pings, ${throughput:-?} Mbit/s, nothing in clear on the WAN, $seconds s" ;;
	130 | 143) echo "demo: FAIL interrupted" ;;
	*) echo "demo: FAIL ${first_failure:-unexpected end, code $1}" ;;
	esac
}

# ---- steps ----

install_and_build() {
	say "install"
	"$repo/deploy/install-deps.sh" --demo >"$work/install.log" 2>&1 || die "install-deps.sh failed"
	tail -n 1 "$work/install.log"
	say "build"
	if [ ! -f "$gw_build/build.ninja" ]; then
		meson setup "$gw_build" "$repo" -Dbuildtype=release >"$work/build.log" 2>&1 || die "meson setup failed"
	fi
	meson compile -C "$gw_build" sallyportd sallyctl >>"$work/build.log" 2>&1 || die "compilation failed"
	"$sallyctl" --version 2>/dev/null || ls -l "$sallyportd"
	rm -f "$work/install.log" "$work/build.log"
}

make_network() {
	say "network: host-a 10.1.0.2 - gw-a 192.0.2.1 - wan - 198.51.100.1 gw-b - 10.2.0.2 host-b"
	topology_pair
	host_watch ha 10.2.0.0/24
	host_watch hb 10.1.0.0/24
	capture wan wan a
	capture host-b hb eth0
}

start_gateways() {
	say "two sallyportd"
	if [ $manual = 1 ]; then
		pair_manual_config
	else
		pair_ike_config initiate respond
	fi
	pair_start
	gw_ctl gw-a show version
}

timeline() {
	say "negotiation"
	must "Phase 1 and Phase 2 up on both gateways" tunnel_up both_up 20
	for gw in gw-a gw-b; do
		sed -n "s/^\([^ ]*T\)\([^ ]*\)Z [a-z]* sallyportd: /\2 $gw /p" "$work/$gw.log"
	done | grep -iE 'phase|tunnel' | sort | head -n 30 | sed 's/^/  /'
	gw_ctl gw-a show tunnels | sed 's/^/  /'
}

marked_at_host_b() {
	local seen
	seen=$(pcap_count host-b needle "$mark")
	[ "$seen" -ge 5 ] || because "$seen packets with the mark at host-b"
}

unmarked_on_wan() {
	local seen packets
	seen=$(pcap_count wan needle "$mark")
	packets=$(pcap_count wan packets)
	[ "$packets" -gt 10 ] || because "the WAN capture holds $packets packets" || return 1
	[ "$seen" = 0 ] || because "the mark is in $seen packets on the WAN"
}

# Twice: in the capture, and in the router's counters, which cannot lose a packet.
wan_protected() {
	local clear counted
	clear=$(pcap_count wan clear)
	counted=$(wan_count clear)
	[ "$clear" = 0 ] && [ "$counted" = 0 ] || because "$clear in the capture, $counted counted by the router"
}

# what a host received went through the inbound SA beside it, and through the outbound SA of the other end
counters_cover() {
	local a_in a_out b_in b_out
	a_in=$(gw_sa gw-a in packets) a_out=$(gw_sa gw-a out packets)
	b_in=$(gw_sa gw-b in packets) b_out=$(gw_sa gw-b out packets)
	echo "        host-a received $(host_received ha): gw-a in $a_in, gw-b out $b_out"
	echo "        host-b received $(host_received hb): gw-b in $b_in, gw-a out $a_out"
	[ "$(host_received ha)" -le "${a_in:-0}" ] && [ "${a_in:-0}" -le "${b_out:-0}" ] &&
		[ "$(host_received hb)" -le "${b_in:-0}" ] && [ "${b_in:-0}" -le "${a_out:-0}" ] &&
		[ "$(host_received hb)" -gt 5 ] || because "SA counters do not cover the hosts' packets"
}

measure() {
	local bits
	bits=$(tcp_bits hb ha 10.2.0.2 $iperf_seconds)
	throughput=$((${bits:-0} / 1000000))
	[ "${bits:-0}" -gt 0 ] || because "iperf3: $(jq -r '.error // "nothing received"' "$work/iperf.json" 2>&1)"
}

traffic() {
	say "traffic"
	must "5 of 5 pings from host-a to host-b" pings ping_ok ha 10.2.0.2 5 "$mark_hex"
	capture_stop host-b
	must "iperf3 TCP from host-a to host-b" iperf measure
	echo "        $throughput Mbit/s received"
	capture_stop wan
	grep -h 'dropped by kernel' "$work/capture-wan.log" | sed 's/^/        WAN capture: /'
}

judge() {
	say "what was seen"
	must "the marked payload arrived at host-b" marked_at_host_b marked_at_host_b
	must "the marked payload is nowhere on the WAN" unmarked_on_wan unmarked_on_wan
	must "every IP packet on the WAN is IKE, ESP or UDP-encapsulated ESP" wan_protected wan_protected
	must "the SA counters of both ends cover the hosts' packets" counters_cover counters_cover
	pcap_count wan packets >/dev/null && echo "        WAN: $(python3 "$repo/tests/lib/pcap.py" "$work/wan.pcap" |
		jq -r 'to_entries | map(select(.value > 0) | "\(.key) \(.value)") | join(", ")')"
	for gw in gw-a gw-b; do
		echo "  $gw"
		gw_ctl "$gw" show sas | sed 's/^/    /'
	done
}

# ---- keeping one, and ending it later ----

keep_running() {
	for name in "${!pids[@]}"; do
		echo "process $name ${pids[$name]}"
	done >"$work/kept"
	for key in ha ga wan gb hb; do
		echo "namespace $(ns $key)"
	done >>"$work/kept"
	cat <<-END

		It keeps running. Things to try:
		  ip netns exec $(ns ha) ping 10.2.0.2
		  ip netns exec $(ns wan) tcpdump -n -i a
		  $sallyctl --socket $work/gw-a.sock show tunnels
		To end it: $0 --stop $work
	END
	pids=() undo=() keep_files=1
}

stop_kept() {
	local kind name pid
	[ -f "$1/kept" ] || die "$1 holds no demo that was kept"
	while read -r kind name pid; do
		if [ "$kind" = process ] && grep -Fqs "$1/$name.yaml" "/proc/$pid/cmdline"; then
			pids[$name]=$pid
			kill -TERM "$pid"
			wait_for 10 dead "$name" || kill -KILL "$pid"
			unset "pids[$name]"
		elif [ "$kind" = namespace ]; then
			ip netns del "$name"
		fi
	done <"$1/kept"
	rm -rf "$1"
	echo "stopped: its gateways and namespaces are gone"
	unset -f last_words
	exit 0
}

[ "$(id -u)" = 0 ] || die "run it as root"
[ -z "$stop_folder" ] || stop_kept "$stop_folder"
install_and_build
make_network
start_gateways
[ $manual = 1 ] || timeline
traffic
judge
[ $keep = 0 ] || keep_running
exit 0
