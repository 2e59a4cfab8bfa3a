#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# MOBIKE with strongSwan under 2,000 numbered packets a second: it moves, as initiator, when its address is taken away; we
# move, as initiator, when a reload takes ours. Packets that are lost have to be those that came to the old address.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

stream_packets=6000

# packets that still come to an address that has gone from the peer
watch_gone() {
	in_ns peer nft -f - <<-END || die "nft counter of the peer"
		table ip gone {
			counter late { }
			chain pre {
				type filter hook prerouting priority -300;
				ip daddr $1 udp dport 4500 fib daddr type != local counter name late
			}
		}
	END
}

# what charon had in its hands when it moved its inbound SA: it finds an SA by its destination, too
unknown_to_charon() { grep -c 'does not belong to an installed SA' "$work/charon.log"; }

# ESP that leaves the peer: not IKE, whose first four bytes are zero, nor keepalives of one byte (RFC 3948 2)
watch_leaving() {
	in_ns peer nft -f - <<-END || die "nft counter of the peer"
		table ip leaving {
			counter sealed { }
			chain post {
				type filter hook postrouting priority 0;
				udp dport 4500 udp length > 20 @th,64,32 != 0 counter name sealed
			}
		}
	END
}

left() { in_ns peer nft -j list counter ip leaving sealed | jq -r '[.nftables[].counter // empty][0].packets'; }

# all packets that our packet path dropped, whatever the reason
dropped() { gw_json gw-a show counters | jq '[.totals.drops[]] | add // 0'; }

came_late() { in_ns peer nft -j list counter ip gone late | jq -r '[.nftables[].counter // empty][0].packets'; }

path_is() {
	[ "$(gw_sa gw-a out local) $(gw_sa gw-a out remote)" = "$1:4500 $2:4500" ] &&
		charon_ctl charon --list-sas | grep -q "remote .*@ $1\[4500\]"
}

path_comes() {
	wait_for 10 path_is "$1" "$2" ||
		because "ours $(gw_sa gw-a out local) - $(gw_sa gw-a out remote), theirs $(charon_ctl charon --list-sas | grep remote)"
}

lost() { awk -v all=$stream_packets '/^received/ { print all - $2 }' "$work/udp-receiver.log"; }

# at_work FROM FROM_ADDRESS TO TO_ADDRESS COMMAND...: the command in the middle of the stream; all that is lost is $lost
at_work() {
	local way=("${@:1:4}") stream rc=0
	shift 4
	udp_numbers "${way[@]}" $stream_packets >"$work/stream.log" 2>&1 &
	stream=$!
	wait_for 5 log_has udp-receiver ready
	wait_for 5 carries 500
	"$@" || rc=1
	wait $stream
	return $rc
}

carries() {
	: "${carried:=$(($(gw_sa gw-a in packets) + $(gw_sa gw-a out packets)))}"
	[ $(($(gw_sa gw-a in packets) + $(gw_sa gw-a out packets))) -gt $((carried + $1)) ]
}

# peer_losses: each place where packets end while the peer moves, "old-address N" and so on; the sum is $explained
peer_losses() {
	local late buffer ours
	late=$(came_late)
	buffer=$(($(kernel_count peer Udp RcvbufErrors) - buffer_before))
	ours=$(($(dropped) - dropped_before))
	explained=$((late + $(unknown_to_charon) + buffer + ours))
	losses="$late at the old address, $(unknown_to_charon) at charon's old SA, $buffer at its full socket, $ours here"
}

peer_moves() {
	local explained losses carried="" buffer_before dropped_before
	buffer_before=$(kernel_count peer Udp RcvbufErrors)
	dropped_before=$(dropped)
	at_work ha 10.1.0.2 peer 10.2.0.1 ip -n "$(ns peer)" addr del 192.0.2.2/24 dev eth0 || return 1
	path_comes 192.0.2.1 192.0.2.3 || return 1
	peer_losses
	echo "# the peer moved: $(lost) of $stream_packets packets lost: $losses"
	[ "$(lost)" -le "$explained" ] || because "$(lost) packets lost, explained: $losses" || return 1
	ping_ok ha 10.2.0.1 3
}

take_address() {
	sed -i 's/{address: 192.0.2.7}/{address: 192.0.2.8}/' "$work/gw-a.yaml"
	gw_ctl gw-a reload >"$work/reload.out" 2>&1 || because "$(cat "$work/reload.out")"
}

we_move() {
	local carried="" before explained losses
	before=$(dropped)
	watch_leaving
	at_work peer 10.2.0.1 ha 10.1.0.2 take_address || return 1
	path_comes 192.0.2.1 192.0.2.2 || return 1
	explained=$(($(dropped) - before + stream_packets - $(left)))
	losses="$(($(dropped) - before)) at the old address, $((stream_packets - $(left))) never left charon"
	echo "# we moved: $(lost) of $stream_packets packets lost: $losses"
	[ "$(lost)" -le "$explained" ] || because "$(lost) packets lost, explained: $losses" || return 1
	ping_ok ha 10.2.0.1 3
}

move_shown() { [ "$(gw_tunnel gw-a '[.events[] | select(.event == "moved")] | length')" -ge 1 ] || because "$(gw_tunnel gw-a .events)"; }

agreed() { [ "$(gw_tunnel gw-a .phase1.mobike)" = true ] || because "MOBIKE is not in use"; }

# gateway START LOCAL: LOCAL besides the interface's 192.0.2.1
gateway() {
	gw_local_more=", more_addresses: [192.0.2.1]"
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		echo "addresses:"
		echo "  - {address: 192.0.2.7}"
		tunnel peer "$2" "$3" gw-a.example.net peer.example.net 10.1.0.0/24 10.2.0.0/24 "$1")
	psk_secret gw-a gw-a.example.net peer.example.net
	gateway_start gw-a ga
}

topology_peer
address peer eth0 192.0.2.3/24
in_ns peer sysctl -qw net.ipv4.conf.eth0.promote_secondaries=1
peer_mobike=yes
peer_esp_log=2

charon_config charon "192.0.2.2,192.0.2.3" 192.0.2.1 peer.example.net gw-a.example.net
charon_start charon peer
gateway respond 192.0.2.1 any
watch_gone 192.0.2.2
comes_up() { charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1; established; }
feature mobike responder comes_up || exit 1
feature mobike-agreed responder agreed
feature mobike-peer-moves responder peer_moves
feature mobike-move-shown responder move_shown

interop_down
in_ns peer nft delete table ip gone
ip -n "$(ns peer)" addr add 192.0.2.2/24 dev eth0
charon_config charon 192.0.2.2 "192.0.2.7,192.0.2.0/24" peer.example.net gw-a.example.net
charon_start charon peer
gateway initiate 192.0.2.7 192.0.2.2
feature mobike initiator established || exit 1
feature mobike-agreed initiator agreed
feature mobike-we-move initiator we_move
feature mobike-move-shown initiator move_shown
