#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A changed configuration taken over while traffic flows: what did not change loses no packet, what is gone leaves
# nothing in clear, and what cannot be taken over changes nothing.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# edit NAME SED_SCRIPT: changes the configuration from how it was at the start
edit() {
	[ -e "$work/$1.start" ] || cp "$work/$1.yaml" "$work/$1.start"
	sed "$2" "$work/$1.start" >"$work/$1.yaml"
}

reloads() { gw_ctl "$1" reload >"$work/reload.out" 2>&1 || because "reload of $1: $(cat "$work/reload.out")"; }

edit_reloads() { edit "$1" "$2" && reloads "$1"; }

reload_says() {
	! gw_ctl gw-a reload >"$work/reload.out" 2>&1 || because "it was taken over" || return 1
	grep -Eq "$1" "$work/reload.out" || because "it says: $(cat "$work/reload.out")"
}

pings_fail() { ! pings_once "$1" "$2" >/dev/null 2>&1 || because "$2 answered"; }

# refused SED_SCRIPT TEXT: such a change is named, and traffic goes on as before
refused() { edit gw-a "$1" && reload_says "$2" && ping_ok ha 10.2.0.2 5; }

check_only_says() {
	edit gw-a 's/name: to-b/name: to-c/'
	gw_ctl gw-a reload check >"$work/reload.out" 2>&1 || because "$(cat "$work/reload.out")" || return 1
	grep -q 'manual_sas_added *1' "$work/reload.out" && grep -q 'manual_sas_removed *1' "$work/reload.out" ||
		because "it says: $(cat "$work/reload.out")" || return 1
	[ "$(gw_json gw-a show sas | jq -r '.sas[0].name')" = to-b ] || because "it was taken over"
}

removed_fails_closed() {
	local before
	before=$(wan_count clear)
	edit_reloads gw-a '/^manual_sas:/,$d' || return 1
	counts gw-a no_policy pings_fail ha 10.2.0.2 || return 1
	[ "$(wan_count clear)" = "$before" ] || because "it left in clear" || return 1
	[ "$(gw_sa_count gw-a)" = 0 ] || because "SAs are left: $(gw_json gw-a show sas)"
}

new_keys() { sed -i "s/0x$2/0x$3/g" "$work/$1.secrets.yaml"; }

# it counts from the beginning, so the other side needs new keys as well
back_again() {
	new_keys gw-a 4c6162 4d6162
	new_keys gw-b 4c6162 4d6162
	edit_reloads gw-a '' && grep -q 'manual_sas_added *1' "$work/reload.out" || because "$(cat "$work/reload.out")" || return 1
	reloads gw-b && ping_ok ha 10.2.0.2 5
}

# each side for itself; the SPIs stay
keys_replaced() {
	local gateway
	for gateway in gw-a gw-b; do
		new_keys $gateway 4d6162 4e6162
		reloads $gateway && grep -q 'manual_sas_replaced *1' "$work/reload.out" ||
			because "$gateway: $(cat "$work/reload.out")" || return 1
	done
	ping_ok ha 10.2.0.2 5
}

# another name for the same SPIs: one SA goes and one comes
renamed_takes_over() {
	new_keys gw-a 4e6162 4f6162
	new_keys gw-b 4e6162 4f6162
	sed -i 's/name: to-b,/name: to-bb,/' "$work/gw-a.secrets.yaml"
	edit_reloads gw-a 's/to-b$/to-bb/' && ! grep -q 'in use' "$work/reload.out" ||
		because "$(cat "$work/reload.out")" || return 1
	reloads gw-b && ping_ok ha 10.2.0.2 5 || return 1
	new_keys gw-a 4f6162 506162
	new_keys gw-b 4f6162 506162
	sed -i 's/name: to-bb,/name: to-b,/' "$work/gw-a.secrets.yaml"
	edit_reloads gw-a '' && reloads gw-b && ping_ok ha 10.2.0.2 5
}

# nothing but the place in the list of policies; SIGHUP is the other way to say it
hangup_takes_over() {
	edit gw-a '$a policies: [{name: no-ping, action: discard, local_selectors: ["10.1.0.0/24[icmp]"], remote_selectors: [10.0.0.0/8]}, {name: to-b, action: protect, target: to-b}]'
	kill -HUP "${pids[gw-a]}"
	wait_for 5 log_has gw-a 'reload: 2 rules' || because "no line about it" || return 1
	counts gw-a policy_discard pings_fail ha 10.2.0.2 && udp_numbers ha 10.1.0.2 hb 10.2.0.2 200
}

# One of the other protocol with the SPI of the pair in use comes and goes under the pair's traffic: each has its own
# packets, and none of the pair's is lost when it leaves its slot for the table of SPIs that several have.
same_spi_comes_and_goes() {
	local i changes rc=0
	local other='{name: ah, protocol: ah, proposal: sha256, local: 192.0.2.1, remote: 198.51.100.1, spi_in: 0x1001, spi_out: 0x2002, keys: ah, local_selectors: [10.3.0.0/24], remote_selectors: [10.4.0.0/24]}'
	printf '  - {name: ah, integ_in: "0x%064d", integ_out: "0x%064d"}\n' 1 2 >>"$work/gw-a.secrets.yaml"
	(for i in 1 2 3; do
		edit_reloads gw-a "\$a\\  - $other" && [ "$(gw_sa_count gw-a)" = 4 ] && edit_reloads gw-a '' || exit 1
	done) &
	changes=$!
	udp_numbers hb 10.2.0.2 ha 10.1.0.2 1000 || rc=1
	wait $changes || because "a reload failed: $(cat "$work/reload.out")" || return 1
	[ $rc = 0 ] && ping_ok ha 10.2.0.2 5
}

# workers go and come back while numbered packets pass, all of them once and in order
workers_come_and_go() {
	local i changes rc=0
	(for i in 1 2 1 2 1 2 1 2; do
		edit_reloads gw-a "s/workers: 2/workers: $i/" && edit_reloads gw-b "s/workers: 2/workers: $i/" || exit 1
		sleep 0.2
	done) &
	changes=$!
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 4000 || rc=1
	wait $changes || because "a reload failed: $(cat "$work/reload.out")" || return 1
	[ $rc = 0 ] || return 1
	grep -q ' 0 late' "$work/udp-receiver.log" || because "$(tail -n 1 "$work/udp-receiver.log")"
}

one_works() {
	edit_reloads gw-a 's/workers: 2/workers: 1/' || return 1
	ping_ok ha 10.2.0.2 5
}

no_drops_of_moving() {
	[ "$(gw_counter gw-a owner_moving)$(gw_counter gw-b owner_moving)" = 00 ] || because "packets found no room to wait"
}

gw_workers=2
topology_pair
pair_manual_config
pair_start
check reload/works_before ping_ok ha 10.2.0.2 5
check reload/check_only_says check_only_says
check reload/fault_changes_nothing refused 's/proposal: .*/proposal: aes257gcm16/' \
	'gw-a.yaml:[0-9]+:[0-9]+: manual_sas.to-b.proposal: unknown "aes257gcm16"'
check reload/restart_is_named refused 's/mbufs: 8192/mbufs: 4096/' 'system.mbufs: a change of it takes a restart'
check reload/interface_address_takes_a_restart refused 's|address: 10.1.0.1/24|address: 10.1.0.3/24|' \
	'interfaces.lan.address: a change of it takes a restart; further addresses come and go with a reload: .addresses.'
check reload/too_many_workers_are_refused refused 's/workers: 2/workers: 3/' 'system.workers: 3, and only 2 were made'
check reload/no_route_is_refused refused '/^routes:/,/via:/d' 'manual SA to-b: no route to the peer'
check reload/removed_fails_closed removed_fails_closed
check reload/back_again back_again
check reload/keys_replaced keys_replaced
check reload/renamed_takes_over renamed_takes_over
check reload/hangup_takes_over hangup_takes_over
check reload/same_spi_comes_and_goes same_spi_comes_and_goes
check reload/workers_come_and_go workers_come_and_go
check reload/one_works one_works
check reload/no_drops_of_moving no_drops_of_moving
check reload/sigterm_ends_in_order stop gw-a TERM 10
