#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Gateways built with ThreadSanitizer negotiate, carry traffic, delete and negotiate again: control core, crypto helpers and
# two workers each; no report at the end. Nothing is suppressed.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/tsan.sh"

again_and_again() {
	local i
	for ((i = 0; i < $1; i++)); do
		gw_ctl gw-a terminate to-b >/dev/null && wait_for 10 gw_not_up gw-a || because "round $i: it stays up" || return 1
		gw_ctl gw-a initiate to-b >/dev/null && both_up 20 && ping_ok ha 10.2.0.2 3 || return 1
	done
}

gw_workers=2
topology_pair
pair_ike_config initiate respond
pair_start
check tsan_ike/comes_up both_up 30
check tsan_ike/ping ping_ok ha 10.2.0.2 5
check tsan_ike/again_and_again again_and_again 4
check tsan_ike/no_reports no_reports
