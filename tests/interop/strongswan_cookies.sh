#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Cookies (RFC 7296 2.6) with strongSwan: each side in turn asks for one before it keeps anything of the other.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

# strongSwan asks once it holds a half-open IKE SA: one whose IKE_AUTH does not reach it. We return its cookie.
asked_by_peer() {
	in_ns peer nft 'add table ip stop; add chain ip stop in { type filter hook input priority 0; }; add rule ip stop in udp dport 4500 drop'
	gw_ctl gw-a initiate peer || because "initiate failed" || return 1
	wait_for 5 log_has charon 'generating IKE_SA_INIT response 0 \[ SA' || because "no half-open SA at strongSwan" || return 1
	gw_ctl gw-a terminate peer
	in_ns peer nft delete table ip stop
	gw_ctl gw-a initiate peer || because "initiate failed" || return 1
	established || return 1
	log_has charon 'generating IKE_SA_INIT response 0 \[ N\(COOKIE\)' || because "strongSwan asked for no cookie"
}

# we ask, strongSwan returns our cookie
asked_by_us() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	established || return 1
	[ "$(gw_counter gw-a cookie_sent)" = 1 ] && [ "$(gw_counter gw-a cookie_valid)" = 1 ] ||
		because "$(gw_counter gw-a cookie_sent) cookies sent, $(gw_counter gw-a cookie_valid) came back" || return 1
	log_has charon 'parsed IKE_SA_INIT response 0 \[ N\(COOKIE\)' || because "strongSwan got no cookie"
}

topology_peer
peer_charon="cookie_threshold = 1"
interop_up respond
feature cookie-forced initiator asked_by_peer
interop_down
peer_charon=""
gw_system="  ike: {cookie_threshold: 0}"
interop_up respond
feature cookie-forced responder asked_by_us
