#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# We initiate towards strongSwan: traffic, the same view of the SAs, delete from either side, liveness.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

deleted_by_us() {
	gw_ctl gw-a terminate peer || because "terminate failed" || return 1
	wait_for 5 charon_empty charon || because "strongSwan keeps its SA" || return 1
	wait_for 5 no_sas || because "we keep $(gw_sa_count gw-a) SAs"
}

deleted_by_peer() {
	charon_terminate charon >/dev/null 2>&1 || because "swanctl --terminate failed" || return 1
	wait_for 5 no_sas || because "we keep $(gw_sa_count gw-a) SAs"
}

up_again() {
	gw_ctl gw-a initiate peer || because "initiate failed" || return 1
	established && ping_ok ha 10.2.0.1 3
}

# strongSwan answers and we keep the SA over several liveness intervals
liveness_kept() {
	local spi
	spi=$(gw_spi gw-a in)
	wait_for 12 log_has charon 'parsed INFORMATIONAL request' || because "no liveness check reached strongSwan" || return 1
	established 1 && [ "$(gw_spi gw-a in)" = "$spi" ] || because "the SA changed"
}

gw_dpd="{interval: 3s, timeout: 10s}"
topology_peer
interop_up respond
gw_ctl gw-a initiate peer
# without a tunnel nothing that follows can say more
feature ikev2-psk initiator established || exit 1
feature ping initiator ping_ok ha 10.2.0.1 5
feature udp-numbered-out initiator udp_numbers ha 10.1.0.2 peer 10.2.0.1
feature udp-numbered-in initiator udp_numbers peer 10.2.0.1 ha 10.1.0.2
# before the flood, in which sockets on the way may lose packets that an SA has counted
feature sa-view-agrees initiator sas_agree
feature iperf3-tcp initiator tcp_ok peer ha 10.2.0.1 2
feature liveness initiator liveness_kept
feature delete-by-us initiator deleted_by_us
feature reestablish initiator up_again
feature delete-by-peer initiator deleted_by_peer
