#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Fragments of honest senders, which the kernel makes: sealed packets cut by a router with a smaller MTU, datagrams for
# rules and SAs that ask for ports, big pings of the gateway in both families. Two workers, ports that join nothing.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

small_mtu=1000
udp_port=7000

# net_af_packet would have the kernel join IPv4 fragments before the gateway sees them
ports_of_pcap() {
	sed -i -E 's/net_af_packet([0-9]),iface=(lan|wan)/net_pcap\1,rx_iface_in=\2,tx_iface=\2/' "$work/$1.yaml"
}

# the far side of a gateway's LAN speaks IPv6 as well; nobody is asked for its link address
lan6() {
	sed -i "s|address: $2/24,|address: $2/24, address6: \"$3/64\",|" "$work/$1.yaml"
	cat >>"$work/$1.yaml" <<-END2
		neighbours:
		  - {interface: lan, address: "2001:db8:1::2", mac: "$(in_ns ha cat /sys/class/net/eth0/address)"}
	END2
}

host6() {
	in_ns ha sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0
	ip -n "$(ns ha)" addr add 2001:db8:1::2/64 dev eth0 nodad
	ip -n "$(ns ha)" -6 neigh replace 2001:db8:1::1 lladdr "$(gw_json gw-a show ports | jq -r '.ports[0].mac')" \
		dev eth0 nud permanent
}

# ping_size KEY ADDRESS BYTES: three of them are answered, DF clear
ping_size() { in_ns "$1" ping -n -M dont -s "$3" -W 2 -i 0.2 -c 3 "$2" >/dev/null 2>&1 || because "ping -s $3 $2"; }

joined_ping() { counts "$1" reassembled ping_size "$2" "$3" "$4"; }

# one datagram of BYTES to a port, from a host that cuts it at 600
udp_send() {
	in_ns "$1" python3 - "$2" "$3" "$4" <<-'END2'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: never DF
		s.bind(("", int(sys.argv[2])))
		s.sendto(bytes(i % 251 for i in range(int(sys.argv[3]))), (sys.argv[1], int(sys.argv[2])))
	END2
}

udp_receive() {
	in_ns "$1" python3 - "$2" "$3" <<-'END2'
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(8)
		s.bind(("", int(sys.argv[1])))
		print("ready", flush=True)
		data = s.recv(65535)
		print("good" if data == bytes(i % 251 for i in range(int(sys.argv[2]))) else "damaged", flush=True)
	END2
}

# udp_arrives FROM TO ADDRESS PORT BYTES
udp_arrives() {
	udp_receive "$2" "$4" "$5" >"$work/udp-$2.out" 2>&1 &
	local receiver=$!
	wait_for 5 grep -q ready "$work/udp-$2.out"
	udp_send "$1" "$3" "$4" "$5"
	wait $receiver
	grep -q good "$work/udp-$2.out" || because "$5 bytes from $1 to $3:$4: $(tail -n 1 "$work/udp-$2.out")"
}

ports_joined() { counts gw-a reassembled udp_arrives ha hb 10.2.0.2 $udp_port 1300; }

ports_joined_back() { counts gw-b reassembled udp_arrives hb ha 10.1.0.2 $udp_port 1300; }

other_port_named() {
	counts gw-a no_policy udp_send ha 10.2.0.2 $((udp_port + 1)) 1300
}

no_fragment_lost() {
	local name reason bad=""
	for name in gw-a gw-b; do
		for reason in fragment fragment_overlap fragment_duplicate fragment_no_buffer fragment_evicted selector_in; do
			[ "$(gw_counter $name $reason)" = 0 ] || bad="$bad $name/$reason"
		done
	done
	[ -z "$bad" ] || because "drops:$bad"
}

gw_workers=2
topology_pair
pair_manual_config
for gw in gw-a gw-b; do
	ports_of_pcap $gw
	sed -i 's/lab_keys: true/lab_keys: true\n    outer: {df: clear}/' "$work/$gw.yaml"
done
lan6 gw-a 10.1.0.1 2001:db8:1::1
# of routes: a veth end drops what is larger than its own MTU on the way in
ip -n "$(ns wan)" route replace 192.0.2.0/24 dev a mtu lock $small_mtu
ip -n "$(ns wan)" route replace 198.51.100.0/24 dev b mtu lock $small_mtu
pair_start
host6
check fragments/sealed_packets_cut_on_the_way joined_ping gw-b ha 10.2.0.2 1300
check fragments/and_back joined_ping gw-a hb 10.1.0.2 1300
check fragments/large_datagram_through_the_tunnel ping_size ha 10.2.0.2 9000
check fragments/big_ping_of_the_gateway joined_ping gw-a ha 10.1.0.1 4000
check fragments/longest_ping_of_the_gateway joined_ping gw-a ha 10.1.0.1 65000
check fragments/big_ping_of_the_far_gateway joined_ping gw-b ha 10.2.0.1 4000
check fragments/big_ipv6_ping_of_the_gateway joined_ping gw-a ha 2001:db8:1::1 4000
check fragments/nothing_named_but_joined no_fragment_lost
stop gw-a TERM 10
stop gw-b TERM 10

# the same tunnel for one port: hosts cut at 600 what the SA must see whole
for gw in gw-a gw-b; do
	sed -i -E "s/(local|remote)_selectors: \[([0-9.\/]*)\]/\1_selectors: [\"\2[udp\/$udp_port]\"]/" "$work/$gw.yaml"
done
ip -n "$(ns ha)" route replace default via 10.1.0.1 mtu lock 600
ip -n "$(ns hb)" route replace default via 10.2.0.1 mtu lock 600
pair_start
check fragments/joined_for_a_tunnel_with_ports ports_joined
check fragments/joined_for_a_tunnel_with_ports_back ports_joined_back
check fragments/another_port_is_named other_port_named
