#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The performance harness runs: builds its programs, checks samples with OpenSSL, measures every system for a moment,
# writes its results. Says nothing of speed. Without Debian's source of dpdk there is no peer: the rest still runs.
# shellcheck disable=SC2154,SC2120 # variables of tests/lib; harness is called through check

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# harness OPTION...: 0, or its last line as the reason
harness() {
	SALLYPORT_BUILD_DIR=$gw_build SALLYPORT_SKIP_INSTALL=1 timeout 300 "$repo/perf/run.sh" --smoke --out "$work/results.json" \
		"$@" >"$work/run.log" 2>&1 || because "$(tail -n 1 "$work/run.log")"
}

no_peer_source() { [[ $reason == *"ipsec-secgw of dpdk"*": fetch: "* ]]; }

right_samples() { [ "$(grep -c 'packets right' "$work/run.log")" -ge 8 ] || because "samples were not checked"; }

results() {
	jq -e '[.rows[] | select(.cycles > 0) | .system] | unique | contains(["loop", "sallyport", "source"])' "$work/results.json" \
		>"$work/jq.log" 2>&1 || because "results without a system: $(tail -n 1 "$work/jq.log")"
}

compares() { "$repo/perf/compare.py" "$work/results.json" "$work/results.json" >"$work/compare.log" || because "a run loses against itself"; }

if harness; then
	pass perf/harness
elif no_peer_source; then
	skip perf/peer "$reason"
	check perf/harness harness --no-peer
else
	fail perf/harness "$reason"
fi
check perf/samples right_samples
check perf/results results
check perf/compare compares
