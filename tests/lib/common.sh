# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What every scenario shares: result lines, waiting on events, processes with names, one cleanup for all of it.
# Knows nothing of networks or gateways. Source it from bash; it makes the folder $work and sets the traps.

set -u
export LC_ALL=C

# shellcheck disable=SC2034 # used by those who source this
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scenario=$(basename "$0" .sh)
work=$(mktemp -d "${TMPDIR:-/tmp}/sallyport-$scenario-XXXXXX")
failures=0
reason=""
declare -A pids=()       # name -> process of this scenario
declare -a undo=()       # commands of the other parts, run in reverse order at the end
keep_files=0

# ---- results: one line a named test, counted by run.sh ----

pass() { echo "PASS $1"; }

fail() {
	echo "FAIL $1 ${2:-no reason given}"
	failures=$((failures + 1))
}

skip() { echo "SKIP $1 ${2:?a skip needs its reason}"; }

# The text a failing check hands to `check`; returns 1 so that `because` can end the check.
because() {
	reason="$*"
	return 1
}

# check NAME COMMAND...: one named test; passes when the command returns 0, else fails with what `because` said.
check() {
	local name=$1
	shift
	reason=""
	if "$@"; then
		pass "$name"
	else
		fail "$name" "${reason:-command failed: $*}"
		return 1
	fi
}

# For what has to work before a test can begin: ends the scenario as one failed test.
die() {
	fail "$scenario/setup" "$*"
	exit 1
}

# ---- events, never a bare sleep ----

now_ms() { date +%s%3N; }

# wait_for SECONDS COMMAND...: polls until the command succeeds; 1 when the time is over.
wait_for() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# ---- processes: by name, each with its log in $work/NAME.log ----

alive() { [ -n "${pids[$1]:-}" ] && [ -d "/proc/${pids[$1]}" ] && ! grep -q '^State:.Z' "/proc/${pids[$1]}/status"; }

dead() { ! alive "$1"; }

# spawn NAME COMMAND...: its own session, so that Ctrl-C reaches us first and the end stays orderly.
spawn() {
	local name=$1
	shift
	setsid "$@" >>"$work/$name.log" 2>&1 </dev/null &
	pids[$name]=$!
}

# stop NAME [SIGNAL [SECONDS]]: ends it, by force when it takes too long; returns its exit code, 124 when forced.
stop() {
	local name=$1 signal=${2:-TERM} seconds=${3:-10} pid=${pids[$1]:-} rc=0
	[ -n "$pid" ] || return 0
	kill "-$signal" "$pid" 2>/dev/null
	if ! wait_for "$seconds" dead "$name"; then
		kill -KILL "$pid" 2>/dev/null
		rc=124
	fi
	wait "$pid" 2>/dev/null || [ $rc = 124 ] || rc=$?
	unset "pids[$name]"
	return $rc
}

log_has() { grep -Eq -- "$2" "$work/$1.log"; }

# ---- the end ----

at_end() { undo+=("$*"); }

show_logs() {
	local log
	for log in "$work"/*.log "$work"/[0-9]*/*.log; do
		[ -s "$log" ] || continue
		echo "--- ${log##*/} (last 40 lines)"
		tail -n 40 "$log"
	done >&2
}

# Everything this scenario made, in reverse order. A second Ctrl-C must not leave half of it behind.
cleanup() {
	local name i
	trap '' INT TERM HUP
	for name in "${!pids[@]}"; do
		stop "$name" TERM 5
	done
	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		${undo[i]} >/dev/null 2>&1
	done
	[ "$keep_files" = 1 ] || rm -rf "$work"
}

finish() {
	local rc=$?
	trap - EXIT
	[ "$failures" = 0 ] || rc=1
	[ "$rc" = 0 ] || show_logs
	cleanup
	# a script whose very last line means something defines this
	if declare -F last_words >/dev/null; then
		last_words "$rc"
	fi
	exit "$rc"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
