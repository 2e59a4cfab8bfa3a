#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# 10,000 policies that take seconds to compile are taken over: meanwhile the control socket answers, a tunnel comes up and
# carries traffic, a second reload is refused, and an end of the daemon does not wait for it.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# Ranges on both sides that cross each other, the same ones every time; 10.0.0.0/8 is in none.
many_policies() {
	awk 'function address(n) { return sprintf("%d.%d.%d.%d", n / 16777216, n / 65536 % 256, n / 256 % 256, n % 256) }
	function range(a, b) {
		a = 184549376 + int(rand() * 4110417920); b = 184549376 + int(rand() * 4110417920)
		return a < b ? address(a) "-" address(b) : address(b) "-" address(a)
	}
	BEGIN {
		srand(4301); print "policies:"
		for (i = 1; i <= 10000; i++)
			printf "  - {name: p%d, action: discard, local_selectors: [%s], remote_selectors: [%s]}\n", i, range(), range()
	}'
}

compiles() { grep -qx sp-background /proc/"$(pgrep -P "${pids[gw-a]}" sallyportd || echo "${pids[gw-a]}")"/task/*/comm; }

reload_begin() {
	: >"$work/reload.log"
	spawn reload timeout 60 "$sallyctl" --socket "$work/gw-a.sock" reload
	wait_for 5 compiles || because "no reload runs: $(cat "$work/reload.log")"
}


second_is_refused() {
	! gw_ctl gw-a reload check >"$work/second.out" 2>&1 && grep -q 'a reload is running' "$work/second.out" ||
		because "it says: $(cat "$work/second.out")"
}

# 20 answers, none of which had to wait for the compilation
socket_answers() {
	local i before longest=0 took
	for ((i = 0; i < 20; i++)); do
		before=$(now_ms)
		gw_ctl gw-a show tunnels >/dev/null || because "no answer" || return 1
		took=$(($(now_ms) - before))
		[ $took -le $longest ] || longest=$took
	done
	alive reload || because "the reload had ended already" || return 1
	[ $longest -lt 500 ] || because "the longest of 20 answers took $longest ms"
}

tunnel_comes_up() {
	gw_ctl gw-a initiate to-b >/dev/null || because "initiate failed" || return 1
	both_up 5 || return 1
	alive reload || because "the reload had ended already"
}

reload_ends() {
	wait_for 40 dead reload || because "it runs on" || return 1
	stop reload || because "$(cat "$work/reload.log")" || return 1
	grep -q 'rules *10001' "$work/reload.log" || because "it says: $(cat "$work/reload.log")"
}

signal_comes() {
	alive reload || because "the reload had ended already" || return 1
	sed -i '/name: p[0-9]*, action/d; /^policies:/d' "$work/gw-a.yaml"
	kill -HUP "${pids[gw-a]}"
}

# of the file as it was read, not as it is now; and the signal that came meanwhile is not lost
signal_is_kept() {
	reload_ends || return 1
	wait_for 10 log_has gw-a 'reload: 1 rules' || because "no line about it" || return 1
	[ "$(gw_json gw-a show policies | jq '.policies | length')" = 1 ] || because "not the policies of the file"
}

# who asked is told at once, the peer is told, and the compilation gets 5 s more
stop_during_one() {
	many_policies >>"$work/gw-a.yaml"
	reload_begin || return 1
	stop gw-a TERM 9 || because "exit code $?" || return 1
	wait_for 1 dead reload && grep -q 'the gateway is stopping' "$work/reload.log" || because "$(cat "$work/reload.log")"
}

peer_was_told() { wait_for 5 no_sas_left || because "gw-b keeps $(gw_sa_count gw-b) SAs"; }

no_sas_left() { [ "$(gw_sa_count gw-b)" = 0 ]; }

topology_pair
pair_ike_config respond respond
pair_start
many_policies >>"$work/gw-a.yaml"
check reload_long/begins reload_begin
check reload_long/second_is_refused second_is_refused
check reload_long/tunnel_comes_up_meanwhile tunnel_comes_up
check reload_long/control_socket_answers_meanwhile socket_answers
check reload_long/signal_comes_meanwhile signal_comes
check reload_long/traffic_flows_meanwhile udp_numbers ha 10.1.0.2 hb 10.2.0.2 1000
check reload_long/signal_is_kept signal_is_kept
check reload_long/traffic_flows_behind_it ping_ok ha 10.2.0.2 3
check reload_long/stop_during_one stop_during_one
check reload_long/peer_was_told peer_was_told
