#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Three Child SAs of one IKE SA with strongSwan, made by either side, deleted and made again one by one from either side,
# with traffic through each.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

child_state() { gw_tunnel gw-a "[.phase2[] | select(.name == \"$1\")][0].state"; }

child_is() { [ "$(child_state "$1")" = "$2" ]; }

theirs_has() { charon_ctl charon --list-sas | grep -q "$1: .*INSTALLED"; }

theirs_lacks() { ! theirs_has "$1"; }

all_carry() {
	local name n=0
	for name in net lab office; do
		wait_for 15 child_is "$name" up || because "$name is $(child_state "$name"): $(gw_failure gw-a)" || return 1
		ping_ok ha "10.2.$n.1" 2 || return 1
		n=$((n + 1))
	done
	[ "$(gw_json gw-a show sas | jq '[.. | objects | select(has("spi") and .direction == "in")] | length')" = 3 ] ||
		because "there are $(gw_sa_count gw-a) SAs"
}

made_by_us() {
	local name
	for name in net lab office; do
		gw_ctl gw-a initiate peer "$name" >/dev/null || because "initiate $name" || return 1
	done
	all_carry
}

made_by_peer() {
	local name
	for name in net lab office; do
		charon_initiate charon "$name" >"$work/initiate.log" 2>&1 || because "$(tail -n 1 "$work/initiate.log")" || return 1
	done
	all_carry
}

one_ike_sa() { [ "$(charon_ctl charon --list-sas | grep -c ESTABLISHED)" = 1 ] || because "there are several IKE SAs"; }

# gone_alone COMMAND...: lab goes, the others stay
gone_alone() {
	"$@" >"$work/gone.log" 2>&1
	wait_for 5 theirs_lacks lab || because "theirs keeps lab" || return 1
	! child_is lab up || because "ours keeps lab" || return 1
	ping_ok ha 10.2.0.1 2 && ping_ok ha 10.2.2.1 2 || return 1
	! pings_once ha 10.2.1.1 >/dev/null || because "traffic of lab still passes"
}

back() {
	"$@" >"$work/back.log" 2>&1 || because "$(tail -n 1 "$work/back.log")" || return 1
	all_carry && one_ike_sa
}

children_up() {
	gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
		tunnel peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net 10.1.0.0/24 10.2.0.0/24 "$1"
		for row in "lab 10.2.1.0/24" "office 10.2.2.0/24"; do
			printf '      - {name: %s, proposals: [%s], local_selectors: [10.1.0.0/24], remote_selectors: [%s], start: %s}\n' \
				"${row% *}" $gw_esp_proposals "${row#* }" "$1"
		done)
	psk_secret gw-a gw-a.example.net peer.example.net
	charon_config charon 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
	charon_start charon peer
	gateway_start gw-a ga
}

topology_peer
address peer lo 10.2.1.1/24
address peer lo 10.2.2.1/24
peer_children="lab 10.2.1.0/24 10.1.0.0/24;office 10.2.2.0/24 10.1.0.0/24"
for role in initiator responder; do
	# what one side deletes the other one is not to begin again by itself
	children_up respond
	[ $role = initiator ] && maker=made_by_us || maker=made_by_peer
	feature children-all $role $maker || exit 1
	feature children-one-ike-sa $role one_ike_sa
	feature children-deleted-by-us $role gone_alone gw_ctl gw-a terminate peer lab
	feature children-added-by-us $role back gw_ctl gw-a initiate peer lab
	feature children-deleted-by-peer $role gone_alone charon_ctl charon --terminate --child lab
	feature children-added-by-peer $role back charon_initiate charon lab
	interop_down
done
