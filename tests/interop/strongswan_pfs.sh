#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# New keys with a key exchange of their own, from either side: several groups, and a guess that the other side refuses
# (INVALID_KE_PAYLOAD), followed inside the same rekeying.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

differs() { [ "$(gw_spi gw-a in)" != "$1" ] && [ -n "$(gw_spi gw-a in)" ]; }

# rekeyed GROUP COMMAND...: strongSwan says which group the new Child SA has
rekeyed() {
	local group=$1 before
	shift
	before=$(gw_spi gw-a in)
	: >"$work/charon.log"
	"$@" >"$work/rekey.log" 2>&1 || because "rekey: $(tail -n 1 "$work/rekey.log")" || return 1
	wait_for 10 differs "$before" || because "no new Child SA: $(gw_failure gw-a)" || return 1
	wait_for 5 log_has charon "selected proposal: ESP:AES_GCM_16_256/$group/" ||
		because "theirs: $(grep 'selected proposal' "$work/charon.log" | tail -n 1)" || return 1
	ping_ok ha 10.2.0.1 3
}

retried() {
	rekeyed "$@" || return 1
	log_has charon ' unacceptable, requesting |peer didn.t accept' || because "there was no INVALID_KE_PAYLOAD"
}

by_us() { gw_ctl gw-a rekey peer net; }

by_peer() { charon_ctl charon --rekey --child net; }

topology_peer
# name, ours, theirs, the group they agree on
for row in "x25519 x25519 curve25519 CURVE_25519" "ecp384 ecp384 ecp384 ECP_384" "modp2048 modp2048 modp2048 MODP_2048"; do
	read -r name ours theirs group <<<"$row"
	gw_esp_proposals=aes256gcm16-$ours
	peer_esp_proposals=aes256gcm16-$theirs
	interop_up initiate
	established || exit 1
	feature "pfs-$name" initiator rekeyed "$group" by_us
	feature "pfs-$name" responder rekeyed "$group" by_peer
	interop_down
done
gw_esp_proposals=aes256gcm16-ecp256-x25519 peer_esp_proposals=aes256gcm16-curve25519
interop_up initiate
established || exit 1
feature pfs-retry initiator retried CURVE_25519 by_us
interop_down
gw_esp_proposals=aes256gcm16-x25519 peer_esp_proposals=aes256gcm16-ecp256-curve25519
interop_up initiate
established || exit 1
feature pfs-retry responder retried CURVE_25519 by_peer
