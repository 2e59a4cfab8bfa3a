#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# strongSwan initiates: traffic, the same view of the SAs, its liveness checks, delete from either side.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"

initiated_by_peer() {
	charon_initiate charon >"$work/initiate.log" 2>&1 || because "$(grep -v '^\[' "$work/initiate.log" | tail -n 1)" || return 1
	established
}

deleted_by_us() {
	gw_ctl gw-a terminate peer || because "terminate failed" || return 1
	wait_for 5 charon_empty charon || because "strongSwan keeps its SA" || return 1
	wait_for 5 no_sas || because "we keep $(gw_sa_count gw-a) SAs"
}

deleted_by_peer() {
	charon_terminate charon >/dev/null 2>&1 || because "swanctl --terminate failed" || return 1
	wait_for 5 no_sas || because "we keep $(gw_sa_count gw-a) SAs"
}

up_again() { initiated_by_peer && ping_ok ha 10.2.0.1 3; }

liveness_answered() {
	wait_for 12 log_has charon 'parsed INFORMATIONAL response' || because "strongSwan got no answer to a liveness check" ||
		return 1
	established 1
}

peer_dpd=3s
topology_peer
interop_up respond
# without a tunnel nothing that follows can say more
feature ikev2-psk responder initiated_by_peer || exit 1
feature ping responder ping_ok ha 10.2.0.1 5
feature udp-numbered-out responder udp_numbers ha 10.1.0.2 peer 10.2.0.1
feature udp-numbered-in responder udp_numbers peer 10.2.0.1 ha 10.1.0.2
# before the flood, in which sockets on the way may lose packets that an SA has counted
feature sa-view-agrees responder sas_agree
feature iperf3-tcp responder tcp_ok peer ha 10.2.0.1 2
feature liveness responder liveness_answered
feature delete-by-us responder deleted_by_us
feature reestablish responder up_again
feature delete-by-peer responder deleted_by_peer
