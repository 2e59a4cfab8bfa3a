#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A manual SA that a reload could not install, since a negotiated SA has its inbound SPI, is installed by the next reload
# that can, though its own entry is the same as before.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

tunnel_up() { [ "$(gw_sa_count gw-a)" -ge 2 ]; }

# of the SA that the tunnel negotiated
inbound_spi() { gw_json gw-a show sas | jq -r '[.sas[] | select(.direction == "in")][0].spi'; }

manual_same_spi() {
	manual_sa lab 192.0.2.1 198.51.100.1 "$1" 0x2002 10.3.0.0/24 10.4.0.0/24 >>"$work/gw-a.yaml"
	printf 'manual_keys:\n  - {name: lab, encr_in: "%s", encr_out: "%s"}\n' $manual_key_ba $manual_key_ab \
		>>"$work/gw-a.secrets.yaml"
}

reload_says() {
	gw_ctl gw-a reload >"$work/reload.out" 2>&1
	grep -Eq "$1" "$work/reload.out" || because "it says: $(cat "$work/reload.out")"
}

# the tunnel is of the unchanged part: it goes on
spi_in_use_is_named() {
	manual_same_spi "$(inbound_spi)"
	reload_says 'lab.*inbound SPI is in use' && ping_ok ha 10.2.0.2 5
}

still_in_use() { reload_says 'inbound SPI is in use'; }

free_again() {
	gw_ctl gw-a terminate to-b >/dev/null || because "terminate failed" || return 1
	reload_says 'manual_sas_replaced *1' && log_has gw-a 'manual-sa-up lab' || because "$(cat "$work/reload.out")"
}

nothing_to_do() { reload_says 'manual_sas_kept *1'; }

topology_pair
pair_ike_config initiate respond
pair_start
wait_for 20 tunnel_up
check reload_retry/tunnel_is_up tunnel_up
check reload_retry/spi_in_use_is_named spi_in_use_is_named
check reload_retry/still_in_use still_in_use
check reload_retry/free_again free_again
check reload_retry/nothing_to_do nothing_to_do
