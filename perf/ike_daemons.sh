#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The whole daemon against Debian's strongSwan: charon brings a tunnel to sallyportd up and down, over and over, and the
# CPU time of both comes from /proc of the same run. Of sallyportd everything but the packet workers counts. charon's
# share holds what swanctl asks of it, so its figure is an upper bound.
# usage: ike_daemons.sh [HANDSHAKES]
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../tests/lib/scenario.sh"

count=${1:-100}
gw_ike_proposals=aes128gcm16-prfsha256-ecp256
gw_esp_proposals=aes128gcm16
peer_ike_proposals=aes128gcm16-prfsha256-ecp256
peer_esp_proposals=aes128gcm16
peer_psk=$gw_psk

# cpu_us PID: of all threads whose name does not say packet worker
cpu_us() {
	local task sum=0 ns
	for task in /proc/"$1"/task/*; do
		grep -qE '^(rte|lcore|dpdk)-worker' "$task/comm" && continue
		read -r ns _ <"$task/schedstat" && sum=$((sum + ns))
	done
	echo $((sum / 1000))
}

topology_peer
gateway_config gw-a 10.1.0.1/24 192.0.2.1/24 < <(
	tunnel to-peer 192.0.2.1 192.0.2.2 gw-a.example.net peer.example.net 10.1.0.0/24 10.2.0.0/24 respond)
psk_secret gw-a gw-a.example.net peer.example.net
charon_config peer 192.0.2.2 192.0.2.1 peer.example.net gw-a.example.net
gateway_start gw-a ga
charon_start peer peer

charon_initiate peer >"$work/first.log" 2>&1 || die "the first tunnel does not come up: $(tail -n 1 "$work/first.log")"
charon_terminate peer >/dev/null 2>&1
# spawn has started charon by way of a shell that became it
gw_before=$(cpu_us "${pids[gw-a]}") peer_before=$(cpu_us "${pids[peer]}")
for ((i = 0; i < count; i++)); do
	charon_initiate peer >"$work/initiate.log" 2>&1 || die "handshake $i: $(tail -n 1 "$work/initiate.log")"
	charon_terminate peer >/dev/null 2>&1
done
gw_us=$((($(cpu_us "${pids[gw-a]}") - gw_before) / count))
peer_us=$((($(cpu_us "${pids[peer]}") - peer_before) / count))
printf '{"handshakes": %d, "sallyportd_us": %d, "charon_us": %d, "charon": "%s"}\n' "$count" "$gw_us" "$peer_us" \
	"$(dpkg-query -W -f '${source:Version}' strongswan-charon)"
