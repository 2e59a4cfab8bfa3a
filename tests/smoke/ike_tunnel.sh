#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways over IKEv2: comes up, carries traffic, is ended and begun again from either side, survives an orderly restart.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

nothing_clear() { [ "$(wan_count clear)" = 0 ] || because "$(wan_count clear) clear packets on the WAN"; }

spis_match() {
	[ "$(gw_spi gw-a in)" = "$(gw_spi gw-b out)" ] && [ "$(gw_spi gw-a out)" = "$(gw_spi gw-b in)" ] ||
		because "a in $(gw_spi gw-a in) out $(gw_spi gw-a out), b in $(gw_spi gw-b in) out $(gw_spi gw-b out)"
}

no_sas() { [ "$(gw_sa_count "$1")" = 0 ]; }

terminated_by() {
	gw_ctl "$1" terminate "$2" || because "terminate failed" || return 1
	wait_for 5 no_sas gw-a && wait_for 5 no_sas gw-b || because "SAs left: a $(gw_sa_count gw-a), b $(gw_sa_count gw-b)"
}

unanswered() { ! pings_once "$@" >/dev/null 2>&1 || because "a ping got through"; }

# protected traffic without an SA is dropped by name, never sent in clear
closed_while_down() {
	counts gw-a no_sa unanswered ha 10.2.0.2 || return 1
	nothing_clear
}

initiated_again() {
	gw_ctl gw-a initiate to-b || because "initiate failed" || return 1
	both_up 10 && ping_ok ha 10.2.0.2 3
}

# an orderly end tells the peer, which forgets its SAs at once
sigterm_tells_peer() {
	stop gw-a TERM 10 || because "exit code $?" || return 1
	wait_for 5 no_sas gw-b || because "gw-b keeps $(gw_sa_count gw-b) SAs"
}

starts_again() {
	gateway_start gw-a ga
	both_up 15 && ping_ok ha 10.2.0.2 3
}

unknown_tunnel() {
	gw_ctl gw-a terminate nowhere >/dev/null 2>&1
	[ $? = 1 ] || because "exit code for an unknown tunnel is not 1"
}

topology_pair
pair_ike_config respond respond
pair_start
gw_ctl gw-a initiate to-b
check ike_tunnel/comes_up both_up 15
check ike_tunnel/spis_match spis_match
check ike_tunnel/ping_a_to_b ping_ok ha 10.2.0.2 5
check ike_tunnel/ping_b_to_a ping_ok hb 10.1.0.2 5
check ike_tunnel/udp_every_number_once udp_numbers ha 10.1.0.2 hb 10.2.0.2
check ike_tunnel/iperf_tcp tcp_ok hb ha 10.2.0.2 2
check ike_tunnel/terminate_by_initiator terminated_by gw-a to-b
check ike_tunnel/fails_closed_while_down closed_while_down
check ike_tunnel/initiate_again initiated_again
check ike_tunnel/terminate_by_responder terminated_by gw-b to-a
check ike_tunnel/initiate_after_remote_delete initiated_again
check ike_tunnel/unknown_tunnel_refused unknown_tunnel
check ike_tunnel/sigterm_tells_peer sigterm_tells_peer

sed -i 's/start: respond/start: initiate/' "$work/gw-a.yaml"
check ike_tunnel/start_initiate_after_restart starts_again
check ike_tunnel/nothing_clear_on_wan nothing_clear
