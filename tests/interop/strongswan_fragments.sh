#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# IKE fragmentation (RFC 7383) with strongSwan on a path that carries 400 bytes: IKE_AUTH does not fit there in one
# packet, whoever begins, and no IP fragment is needed.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

# identities as they stand in certificates: they alone fill a packet
long_a=gw-a.a-gateway-with-a-very-long-name-indeed.of-the-department-of-long-names.and-its-branch-offices.example.net
long_b=peer.another-one-with-a-very-long-name-too.of-the-department-of-long-names.and-its-branch-offices.example.net

# The peer's log has the fragments of both directions; ours are counted; IP has cut nothing.
fragments_both_ways() {
	local theirs
	established || return 1
	log_has charon 'splitting IKE message .* into [2-9] fragments' || because "strongSwan sent no fragments" || return 1
	log_has charon 'received fragment #[1-9] of [2-9]' || because "strongSwan got no fragments" || return 1
	[ "$(gw_counter gw-a fragments_received)" -ge 2 ] && [ "$(gw_counter gw-a messages_reassembled)" -ge 1 ] ||
		because "we count $(gw_counter gw-a fragments_received) fragments" || return 1
	theirs=$(ip netns exec "$(ns peer)" nstat -asz IpFragCreates IpReasmReqds | awk '/^Ip/ { n += $2 } END { print n + 0 }')
	[ "$theirs" = 0 ] || because "$theirs IP fragments at the peer" || return 1
	ping_ok ha 10.2.0.1 3
}

initiated_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	fragments_both_ways
}

initiated_by_us() {
	gw_ctl gw-a initiate peer || because "initiate failed" || return 1
	fragments_both_ways
}

# fragment_case ROLE COMMAND: configured, run, stopped
fragment_case() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel peer 192.0.2.1 192.0.2.2 "$long_a" "$long_b" 10.1.0.0/24 10.2.0.0/24 respond)
	psk_secret gw-a "$long_a" "$long_b"
	charon_config charon 192.0.2.2 192.0.2.1 "$long_b" "$long_a"
	charon_start charon peer
	gateway_start gw-a ga
	feature fragment-small-mtu "$1" "$2"
	interop_down
}

gw_ike_proposals=aes256gcm16-prfsha384-x25519
peer_ike_proposals=aes256gcm16-prfsha384-x25519
peer_plugins=curve25519
peer_charon="fragment_size = 300"
gw_phase1_more="      fragment_size_ipv4: 300"
topology_peer
ip -n "$(ns ga)" link set wan mtu 400
ip -n "$(ns peer)" link set eth0 mtu 400
fragment_case initiator initiated_by_us
fragment_case responder initiated_by_peer
