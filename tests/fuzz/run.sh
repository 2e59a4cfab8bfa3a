#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs every libFuzzer target of a build for SALLYPORT_FUZZ_SECONDS (20), starting from tests/fuzz/corpus/TARGET, then
# measures what lines of the protocol rooms they reached together. Leaves what crashed in BUILD/fuzz-work.
# usage: run.sh BUILD [PERCENT]   BUILD has the targets compiled with coverage; below PERCENT (60) is a failure

set -u
export LC_ALL=C

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath "${1:?folder of the build}")
percent=${2:-60}
seconds=${SALLYPORT_FUZZ_SECONDS:-20}
out=$build/fuzz-work
rooms='ike wire'
declare -A children=() # process -> target
trap 'kill -TERM "${!children[@]}" 2>/dev/null; exit 143' INT TERM HUP

llvm() { command -v "$1-14" || command -v "$1"; }

targets() { find "$build/tests/fuzz" -maxdepth 1 -type f -executable -name 'fuzz_*' | sort; }

# How many run at a time: each has one thread.
at_a_time=$(($(nproc) > 1 ? $(nproc) / 2 + 1 : 1))

# Seconds of a target: some find nothing more after a few, as their corpus reaches what there is.
seconds_of() {
	case $1 in
	fuzz_text | fuzz_ip6 | fuzz_quote | fuzz_leases | fuzz_api) echo $((seconds / 2 > 0 ? seconds / 2 : 1)) ;;
	*) echo "$seconds" ;;
	esac
}

# One target: seeds are read-only, findings go to a new folder, the profile is written at the end of the run.
run_target() {
	local program=$1 name=$2 seeds
	seeds=$repo/tests/fuzz/corpus/$name
	[ -d "$seeds" ] || seeds=$repo/tests/fuzz/corpus/${name#fuzz_}
	[ -d "$seeds" ] || seeds=
	mkdir -p "$out/$name"
	LLVM_PROFILE_FILE=$out/$name.profraw exec "$program" -max_total_time="$(seconds_of "$name")" -timeout=10 \
		-rss_limit_mb=2048 -artifact_prefix="$out/$name-" -print_final_stats=1 "$out/$name" ${seeds:+"$seeds"} \
		>"$out/$name.log" 2>&1 </dev/null
}

# report_target NAME CODE: its result lines
report_target() {
	if [ "$2" = 0 ]; then
		echo "# $1: $(awk '/number_of_executed_units/ { print $2 }' "$out/$1.log") runs in $(seconds_of "$1") s"
		echo "PASS fuzz/$1"
	else
		echo "FAIL fuzz/$1 $(grep -m 1 -E 'ERROR: |runtime error|SUMMARY' "$out/$1.log" || echo "code $2")"
		tail -n 40 "$out/$1.log" >&2
	fi
}

# The first of those that run to end is told, and makes room for the next.
reap() {
	local pid rc=0
	wait -n -p pid "${!children[@]}" || rc=$?
	report_target "${children[$pid]}" $rc
	unset "children[$pid]"
}

run_targets() {
	local program
	for program in $(targets); do
		[ ${#children[@]} -lt "$at_a_time" ] || reap
		run_target "$program" "$(basename "$program")" &
		children[$!]=$(basename "$program")
	done
	while [ ${#children[@]} -gt 0 ]; do
		reap
	done
}

# coverage_json: llvm's summary of all targets together
coverage_json() {
	local program objects=()
	"$(llvm llvm-profdata)" merge -sparse -o "$out/all.profdata" "$out"/*.profraw || return 1
	for program in $(targets); do
		objects+=(-object "$program")
	done
	"$(llvm llvm-cov)" export -format=text -summary-only -instr-profile="$out/all.profdata" "${objects[@]}"
}

# "COVERED ALL" lines of a room. A file no target links is not in llvm's figures: its lines count as not covered.
room_lines() {
	local file unlinked=0
	for file in $(cd "$repo" && find "lib/$1" -name '*.c'); do
		jq -e --arg file "/$file" 'any(.data[0].files[].filename; endswith($file))' "$out/coverage.json" >/dev/null || {
			unlinked=$((unlinked + $(grep -c . "$repo/$file")))
			echo "# no target links $file" >&2
		}
	done
	jq -r --arg room "/lib/$1/" --argjson unlinked $unlinked '[.data[0].files[] | select(.filename | contains($room)) |
		.summary.lines] | "\(map(.covered) | add // 0) \((map(.count) | add // 0) + $unlinked)"' "$out/coverage.json"
}

report_coverage() {
	local room covered all share
	coverage_json >"$out/coverage.json" || {
		echo "FAIL fuzz/coverage llvm-cov gave no figures"
		return
	}
	for room in $rooms; do
		read -r covered all < <(room_lines "$room")
		share=$((all > 0 ? covered * 100 / all : 0))
		echo "coverage: lib/$room $share % of $all lines"
		if [ "$share" -ge "$percent" ]; then
			echo "PASS fuzz/coverage_lib_$room"
		else
			echo "FAIL fuzz/coverage_lib_$room $share % of lines, at least $percent wanted"
		fi
	done
}

rm -rf "$out"
mkdir -p "$out"
run_targets
report_coverage
