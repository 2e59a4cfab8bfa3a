#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The performance of Sallyport beside the bare loop and DPDK's ipsec-secgw, in one command: installs, builds, sets
# hugepages, measures (perf/lib/main.py), puts back what it changed. docs/performance.md says what the figures mean.
# Last line: "perf: PASS ..." or "perf: FAIL ...", or of parts without a mark "perf: no mark was measured".
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

usage() {
	cat <<'END'
usage: perf/run.sh [--quick|--smoke|--core] [OPTION...]     (as root)
  (none of them)     every axis, an hour once built, 90 minutes beside neighbours
  --quick            what the marks need, 20 to 35 minutes        --smoke  seconds: does the harness run
  --core             64 and 1420 bytes both ways, minutes
  --rounds N         instead of the profile's, and no more       --seconds S  of each measurement
  --only REGEX       only "DIRECTION SIZE ... SYSTEM" and "part NAME" that match
  --out FILE         instead of perf/results/<date>-<cpu>.json, with --only <date>-<cpu>-part.json
  --no-peer          without ipsec-secgw, whose source has to be fetched and built once; no mark against it
  --exclusive CMD    run measurements under CMD, which waits for its turn on a machine that others measure on too
environment: SALLYPORT_BUILD_DIR (a release build, default build/release), SALLYPORT_SKIP_INSTALL=1, SALLYPORT_TEST_CACHE
END
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
profile=full
peer=1
pass_on=()
while [ $# -gt 0 ]; do
	case $1 in
	--quick | --smoke | --core) profile=${1#--} ;;
	--no-peer) peer=0 ;;
	--rounds | --seconds | --only | --out | --exclusive) pass_on+=("$1" "${2:?}") && shift ;;
	-h | --help) usage && exit 0 ;;
	*) usage >&2 && exit 2 ;;
	esac
	shift
done

# shellcheck source=/dev/null
. "$repo/tests/lib/common.sh"
. "$repo/tests/lib/secgw.sh"
. "$repo/perf/lib/setup.sh"

trouble=""
said_verdict=0
die() {
	trouble=$*
	exit 1
}

# an early end has its verdict too
last_words() { [ $said_verdict = 1 ] || echo "perf: FAIL ${trouble:-ended early, code $1}"; }

# a function is read whole before it runs: the file may change during the hour
main() {
	[ "$(id -u)" = 0 ] || die "run it as root"
	install_packages
	build_all
	[ $peer = 0 ] || secgw_build
	hugepages_take
	export SALLYPORT_BUILD_DIR=$build
	/usr/bin/python3 "$repo/perf/lib/main.py" --repo "$repo" --work "$work" --captures "$build/perf/captures" --bench "$build/perf" \
		--sallyportd "$installed_sallyportd" --sallyctl "$installed_sallyctl" --secgw "$([ $peer = 0 ] || echo "$secgw_binary")" --profile $profile \
		${pass_on[@]+"${pass_on[@]}"} &
	pids[main]=$!
	wait "${pids[main]}"
	rc=$?
	# a mark that fails is a result: no log explains it
	[ $rc -gt 1 ] || { said_verdict=1 && rm -f "$work"/*.log "$work"/[0-9]*/*.log; }
	unset "pids[main]"
	exit $rc
}

main
