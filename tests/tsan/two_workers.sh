#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Gateways of two workers built with ThreadSanitizer: hand-over, reload with SAs that come and go, workers that come and go,
# policies published, neighbours learnt, all under traffic; no report at the end. Nothing is suppressed.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/tsan.sh"

# SAs beside the one in use, so many, with keys that change from one time to the next
others() {
	local i key
	# with the SPI of the pair in use, which is lent a slot until then
	[ "$1" = 0 ] || printf '  - {name: x0, protocol: ah, proposal: sha256, local: %s, remote: 198.51.100.100, spi_in: 0x1001, spi_out: 6000, keys: x0, local_selectors: [10.77.0.0/24], remote_selectors: [10.78.0.0/16]}\n' "$2"
	for ((i = 1; i <= $1; i++)); do
		printf '  - {name: x%d, proposal: aes128gcm16, local: %s, remote: 198.51.100.%d, spi_in: %d, spi_out: %d, keys: x%d, lab_keys: true, local_selectors: [10.77.%d.0/24], remote_selectors: [10.78.0.0/16]}\n' \
			$i "$2" $((i + 100)) $((5000 + i)) $((6000 + i)) $i $i
	done
}

other_keys() {
	local i
	[ "$1" = 0 ] || printf '  - {name: x0, integ_in: "0x%032d%032d", integ_out: "0x%032d%032d"}\n' "$2" 1 "$2" 2
	for ((i = 1; i <= $1; i++)); do
		printf '  - {name: x%d, encr_in: "0x%08x%08x%024d", encr_out: "0x%08x%08x%024d"}\n' $i "$2" $i 1 "$2" $i 2
	done
}

# turn NUMBER WORKERS: another configuration of gw-a, taken over
turn() {
	sed "s/workers: 2/workers: $2/" "$work/gw-a.start" >"$work/gw-a.yaml"
	others $(($1 % 5 * 4)) 192.0.2.1 >>"$work/gw-a.yaml"
	printf 'policies:\n  - {name: p%d, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [10.%d.0.0/16]}\n' \
		"$1" $((90 + $1 % 9)) >>"$work/gw-a.yaml"
	cp "$work/gw-a.secrets.start" "$work/gw-a.secrets.yaml"
	other_keys $(($1 % 5 * 4)) $(($1 / 2)) >>"$work/gw-a.secrets.yaml"
	wait_for 10 reloads || because "turn $1: $(cat "$work/reload.out")"
}

# somebody else's reload check may be running
reloads() { gw_ctl gw-a reload >"$work/reload.out" 2>&1; }

turns() {
	local i
	cp "$work/gw-a.yaml" "$work/gw-a.start"
	cp "$work/gw-a.secrets.yaml" "$work/gw-a.secrets.start"
	for ((i = 1; i <= $1; i++)); do
		turn $i $((i % 4 / 2 + 1)) && gw_ctl gw-a show sas >/dev/null && gw_ctl gw-a show workers >/dev/null || return 1
	done
}

# what an operator looks at while a reload reads and compiles beside control
looks() {
	local words
	while [ ! -e "$work/turned" ]; do
		for words in "show policies" "show routes" "show tunnels" "explain 10.1.0.2 10.2.0.2 icmp" "reload check"; do
			# shellcheck disable=SC2086 # words
			gw_ctl gw-a $words >/dev/null 2>&1
		done
	done
}

under_traffic() {
	looks &
	local looking=$!
	turns_under_traffic "$1"
	local rc=$?
	: >"$work/turned"
	wait $looking
	return $rc
}

turns_under_traffic() {
	(turns "$1") &
	local turning=$!
	udp_numbers ha 10.1.0.2 hb 10.2.0.2 $((udp_rate * 10)) || { wait $turning; return 1; }
	wait $turning || because "$(cat "$work/reload.out")"
}

gw_workers=2
udp_rate=200
topology_pair
pair_manual_config
pair_start
check tsan/ping ping_ok ha 10.2.0.2 5
check tsan/reloads_under_traffic under_traffic 40
check tsan/no_reports no_reports
