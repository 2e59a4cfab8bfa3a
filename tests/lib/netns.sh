# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: BSD-3-Clause
# Network namespaces of one scenario: hosts, gateways' namespaces, the WAN between them, captures and counters on it.
# Does not start a gateway. Source it after common.sh.

# Interfaces inside are called eth0 (hosts), lan and wan (gateways), a and b (the WAN's two sides).

# ns KEY: the namespace's name, at most 14 characters, unique to this run.
ns() { echo "sp$$-$1"; }

in_ns() {
	local key=$1
	shift
	ip netns exec "$(ns "$key")" "$@"
}

netns_add() {
	local key
	for key; do
		ip netns add "$(ns "$key")" || die "cannot make namespace $(ns "$key")"
		at_end netns_remove "$key"
		# a DPDK port's kernel side sees every packet too: it must neither answer nor forward
		in_ns "$key" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
			net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
		ip -n "$(ns "$key")" link set dev lo up
	done
}

netns_remove() {
	local pid
	for pid in $(ip netns pids "$(ns "$1")" 2>/dev/null); do
		kill -KILL "$pid"
	done
	ip netns del "$(ns "$1")"
}

# link KEY1 IF1 KEY2 IF2: a veth pair with whole packets and finished checksums on both ends.
link() {
	ip link add "$2" netns "$(ns "$1")" type veth peer name "$4" netns "$(ns "$3")" || die "cannot join $1 and $3"
	local end
	for end in "$1 $2" "$3 $4"; do
		# shellcheck disable=SC2086
		set -- $end
		in_ns "$1" ethtool -K "$2" tx off gro off >/dev/null 2>&1 || die "ethtool on $2 of $1"
		ip -n "$(ns "$1")" link set dev "$2" up
	done
}

address() { ip -n "$(ns "$1")" addr add "$3" dev "$2" || die "address $3 on $2 of $1"; }

default_via() { ip -n "$(ns "$1")" route add default via "$2" || die "default route of $1"; }

# Counts what passes the WAN, losslessly, by kind. DHCP, DNS or anything else of the hosts would show as "clear".
wan_watch() {
	in_ns wan nft -f - <<'END' || die "nft counters on the WAN"
table ip watch {
	counter protected { }
	counter clear { }
	chain pre {
		type filter hook prerouting priority -300; policy accept;
		meta l4proto esp counter name protected accept
		udp sport { 500, 4500 } counter name protected accept
		udp dport { 500, 4500 } counter name protected accept
		counter name clear
	}
}
END
}

# wan_count protected|clear: packets so far
wan_count() { in_ns wan nft -j list counter ip watch "$1" | jq -r '[.nftables[].counter // empty][0].packets'; }

# host-a 10.1.0.2 - gateway A 192.0.2.1 - WAN router - 198.51.100.1 gateway B - 10.2.0.2 host-b
topology_pair() {
	netns_add ha ga wan gb hb
	link ha eth0 ga lan
	link ga wan wan a
	link gb wan wan b
	link hb eth0 gb lan
	address ha eth0 10.1.0.2/24
	address hb eth0 10.2.0.2/24
	address wan a 192.0.2.254/24
	address wan b 198.51.100.254/24
	default_via ha 10.1.0.1
	default_via hb 10.2.0.1
	in_ns wan sysctl -qw net.ipv4.ip_forward=1
	wan_watch
}

# host-a 10.1.0.2 - gateway A 192.0.2.1 - 192.0.2.2 peer (10.2.0.1 on its lo): no router between
topology_peer() {
	netns_add ha ga peer
	link ha eth0 ga lan
	link ga wan peer eth0
	address ha eth0 10.1.0.2/24
	address peer eth0 192.0.2.2/24
	address peer lo 10.2.0.1/24
	default_via ha 10.1.0.1
}

# The WAN hides gateway A behind its own address 198.51.100.254.
wan_nat() {
	in_ns wan nft -f - <<'END' || die "NAT on the WAN"
table ip nat {
	chain post { type nat hook postrouting priority 100; oifname "b" masquerade; }
}
END
}

# ---- captures: $work/NAME.pcap ----

# capture NAME KEY IF [SNAPLEN]: returns when tcpdump listens
capture() {
	spawn "capture-$1" ip netns exec "$(ns "$2")" tcpdump -Z root -n -U --immediate-mode -B 65536 -s "${4:-256}" -i "$3" \
		-w "$work/$1.pcap"
	wait_for 10 log_has "capture-$1" 'listening on' || die "tcpdump did not start on $3 of $2"
}

capture_settled() {
	local size
	size=$(stat -c %s "$work/$1.pcap")
	[ "$size" = "${capture_size:-}" ] || {
		capture_size=$size
		return 1
	}
}

# tcpdump drops what it has not read yet when told to end: let the file stop growing first
capture_stop() {
	capture_size=""
	wait_for 5 capture_settled "$1"
	stop "capture-$1" INT
}

# pcap_count NAME KEY: a figure of pcap.py's summary (ike, esp, udp_esp, keepalive, arp, other, needle ...)
pcap_count() { python3 "$repo/tests/lib/pcap.py" "$work/$1.pcap" "${3:-}" | jq -r ".$2"; }

# A concentrator and two that come to it: gateway B as above, at the WAN router's side c 192.0.2.254 KEY1 192.0.2.2 and at its
# side d 203.0.113.254 KEY2 203.0.113.2, each with an interface IF.
topology_star() {
	netns_add hb gb wan "$1" "$2"
	link hb eth0 gb lan
	link gb wan wan b
	link "$1" "$3" wan c
	link "$2" "$3" wan d
	address hb eth0 10.2.0.2/24
	address wan b 198.51.100.254/24
	address wan c 192.0.2.254/24
	address wan d 203.0.113.254/24
	default_via hb 10.2.0.1
	in_ns wan sysctl -qw net.ipv4.ip_forward=1
	wan_watch
}

# ---- traffic ----

# ping_ok KEY ADDRESS COUNT [PATTERN]: all answered
ping_ok() {
	local out
	out=$(in_ns "$1" ping -n -i 0.2 -W 2 -c "$3" -s 120 ${4:+-p "$4"} "$2" 2>&1) ||
		because "ping $2: $(echo "$out" | grep -E 'transmitted|rror|nreach' | tr '\n' ' ')" || return 1
	echo "$out" | grep -q "$3 packets transmitted, $3 received" || because "ping $2: $(echo "$out" | grep transmitted)"
}

pings_once() { in_ns "$1" ping -n -W 1 -c 1 "$2"; }

# tcp_bits KEY_SERVER KEY_CLIENT SERVER_ADDRESS SECONDS: bits per second received, on stdout
tcp_bits() {
	local server=$1 client=$2 address=$3 seconds=$4
	spawn iperf-server ip netns exec "$(ns "$server")" iperf3 -s -1 -B "$address" --forceflush
	wait_for 5 log_has iperf-server 'listening' || return 1
	in_ns "$client" timeout $((seconds + 20)) iperf3 -c "$address" --connect-timeout 5000 -t "$seconds" -J >"$work/iperf.json" 2>&1
	jq -r '.end.sum_received.bits_per_second // 0 | floor' "$work/iperf.json" 2>/dev/null || echo 0
	stop iperf-server
	: >"$work/iperf-server.log"
}

tcp_ok() {
	local bits
	bits=$(tcp_bits "$@")
	[ "${bits:-0}" -gt 0 ] || because "iperf3: $(jq -r '.error // "nothing received"' "$work/iperf.json" 2>&1)" || return 1
	echo "# iperf3 TCP: $((bits / 1000000)) Mbit/s"
}

# host_watch KEY REMOTE_NET: counts what the host receives from there (offloads are off: packets as on the wire)
host_watch() {
	in_ns "$1" nft -f - <<END || die "nft counter of $1"
table ip watch {
	counter received { }
	chain in {
		type filter hook prerouting priority -300; policy accept;
		ip saddr $2 counter name received
	}
}
END
}

host_received() { in_ns "$1" nft -j list counter ip watch received | jq -r '[.nftables[].counter // empty][0].packets'; }

udp_rate=2000 # packets a second

# udp_numbers KEY_FROM FROM_ADDRESS KEY_TO TO_ADDRESS [COUNT]: sequence-numbered UDP, every number once, or each that is
# lost found in the counter of the end that receives
udp_numbers() {
	local count=${5:-2000} before
	before=$(drops_of "$3")
	: >"$work/udp-receiver.log"
	spawn udp-receiver ip netns exec "$(ns "$3")" python3 "$repo/tests/lib/udpseq.py" receive "$4" 7007 "$count" 15
	wait_for 5 log_has udp-receiver ready || because "the UDP receiver does not start" || return 1
	in_ns "$1" python3 "$repo/tests/lib/udpseq.py" send "$2" "$4" 7007 "$count" $udp_rate 400
	# what is lost is not waited for as long as what may still come
	kill -USR1 "${pids[udp-receiver]}" 2>/dev/null
	wait_for 16 dead udp-receiver
	stop udp-receiver || udp_lost_by "$3" "$count" "$before" || because "UDP $1 to $3: $(tail -n 1 "$work/udp-receiver.log")"
}

# drops_of KEY: packets that a gateway of another make in that namespace says it has dropped; for a scenario to say
drops_of() { echo 0; }

udp_lost_percent=10 # more than that is no moment of a busy machine

# udp_lost_by KEY COUNT BEFORE: nothing is wrong but what the end that receives had no room for, by its own counter
udp_lost_by() {
	local received duplicate late changed lost dropped
	read -r received duplicate late changed < <(tail -n 1 "$work/udp-receiver.log" | grep '^received' | tr -cs '0-9\n' ' ' |
		awk '{ print $1, $3, $4, $5 }')
	[ -n "$changed" ] && [ "$duplicate" = 0 ] && [ "$changed" = 0 ] || return 1
	lost=$(($2 - received)) dropped=$(($(drops_of "$1") - $3))
	[ "$lost" -le "$dropped" ] && [ $((lost * 100)) -le $(($2 * udp_lost_percent)) ] || return 1
	echo "# $lost of $2 packets lost, $late late; $1 says that it dropped $dropped"
}

# inject SRC DST KIND ...: see inject.py; from the WAN's side
inject() { in_ns wan python3 "$repo/tests/lib/inject.py" "$@"; }
