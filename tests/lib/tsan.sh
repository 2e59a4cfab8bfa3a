# shellcheck shell=bash disable=SC2154,SC2034
# SPDX-License-Identifier: BSD-3-Clause
# Gateways built with ThreadSanitizer: what they are started with, and the look at their reports. Source it after
# scenario.sh.

# buffers change threads where ThreadSanitizer sees it (tests/tsan/mempool_ops.c)
gw_eal_args=", \"-d\", \"$gw_build/tests/tsan/libtsan_mempool.so\", \"--mbuf-pool-ops-name\", \"ring_seen\""
export TSAN_OPTIONS="exitcode=66 suppressions=$repo/tests/tsan/dpdk.supp"

# what is written at the end belongs to it too
no_reports() {
	local gateway
	for gateway in gw-a gw-b; do
		stop $gateway TERM 20 || because "$gateway ended with $?: $(grep -m 1 -h SUMMARY "$work/$gateway.log")" || return 1
		! grep -q ThreadSanitizer "$work/$gateway.log" ||
			because "$gateway: first report: $(grep -m 1 SUMMARY "$work/$gateway.log")" || return 1
	done
}
