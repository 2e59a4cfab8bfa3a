#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# charon dies without a word (kill -9) and is started anew: it is found dead, and the tunnel is there again by itself,
# whichever side had begun it and though ours only answers otherwise (dpd action restart).
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

begun_by_us() { gw_ctl gw-a initiate peer; }

begun_by_peer() { charon_initiate charon >"$work/initiate.log" 2>&1; }

killed_and_back() {
	"$1" || because "$1 failed" || return 1
	established || return 1
	ping_ok ha 10.2.0.1 3 || return 1
	charon_dies 12 || return 1
	charon_start charon peer
	established 15 || return 1
	ping_ok ha 10.2.0.1 3
}

gw_dpd="{interval: 2s, timeout: 3s, action: restart}"
topology_peer
for role in initiator:begun_by_us responder:begun_by_peer; do
	interop_up respond
	feature dpd-restart "${role%:*}" killed_and_back "${role#*:}"
	interop_down
done
