#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# strongSwan offers more proposals than a configuration of ours can have, and only the last one suits us: in IKE_SA_INIT
# (with a key of another group first), IKE_AUTH and both kinds of CREATE_CHILD_SA.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

# longer SUFFIX: nine proposals that we do not want, each followed by a comma
longer() {
	local cipher hash
	for cipher in aes128 aes192 aes256; do
		for hash in sha256 sha384 sha512; do
			printf '%s-%s%s, ' "$cipher" "$hash" "$1"
		done
	done
}

initiated_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	established && ping_ok ha 10.2.0.1 3
}

child_spi() { gw_spi gw-a in; }
ike_spi() { gw_tunnel gw-a '.phase1.spi_i'; }

differs() {
	local now
	now=$("$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}

# rekeyed --child|--ike SPI-COMMAND: by strongSwan
rekeyed() {
	local before
	before=$("$2")
	charon_ctl charon --rekey "$1" net >"$work/rekey.log" 2>&1 || because "rekey: $(tail -n 1 "$work/rekey.log")" || return 1
	wait_for 10 differs "$2" "$before" || because "no new SA: $(gw_failure gw-a)" || return 1
	ping_ok ha 10.2.0.1 3
}

peer_ike_proposals="$(longer -modp2048)$(longer -ecp256)aes256gcm16-prfsha384-ecp384"
peer_esp_proposals="$(longer "")aes128gcm16, aes192gcm16, aes256gcm16"
topology_peer
interop_up respond
# without a tunnel nothing that follows can say more
feature long-offer responder initiated_by_peer || exit 1
feature long-offer-rekey-child responder rekeyed --child child_spi
feature long-offer-rekey-ike responder rekeyed --ike ike_spi
