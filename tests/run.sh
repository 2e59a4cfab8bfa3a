#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The whole test run: installs, builds, runs suites, counts named tests. The suites are the table below; what a suite
# checks is in its own folder. Every program prints lines "PASS name", "FAIL name reason", "SKIP name reason".

set -u
export LC_ALL=C

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath -m "${SALLYPORT_BUILD:-$repo/build}")
logs=$build/logs
fuzz_seconds=${SALLYPORT_FUZZ_SECONDS:-20}
fuzz_coverage_percent=60
program_seconds=600

# name       function           when     what
suites='
lint         suite_lint         default  layers, format, function length, spelling, shell scripts
unit         suite_unit         default  CUnit programs of every room, optimised build (gcc)
asan         suite_asan         default  units and exchange tests under ASan and UBSan (clang)
exchange     suite_exchange     default  two IKE engines over a fake wire
nodatapath   suite_nodatapath   default  the rooms that need neither DPDK nor ipsec-mb, built without them
kat          suite_kat          default  known answers from data files
packet       suite_packet       default  packets through the ports against oracles, again under ASan and UBSan
fuzz         suite_fuzz         default  every libFuzzer target for a while, then coverage
smoke        suite_smoke        default  gateways in namespaces
interop      suite_interop      default  against strongSwan and ipsec-secgw
tsan         suite_tsan         default  gateways under ThreadSanitizer: two workers, hand-over, reload, retire
demo         suite_demo         default  deploy/demo.sh
selfcheck    suite_selfcheck    default  breaks things and sees the tests notice
'

usage() {
	cat <<'END'
usage: run.sh [--long] [--list] [suite...]
  --list  names the suites      --long  also the long ones, and longer forms of the others
environment: SALLYPORT_BUILD (folder of the builds, default build/), SALLYPORT_FUZZ_SECONDS, SALLYPORT_SKIP_INSTALL=1
END
}

suite_rows() { echo "$suites" | grep -v '^$'; }

# ---- running programs and counting their lines ----

declare -A children=() # process -> name of the program
suite_log=""

# An interrupted run ends its current programs first, so that they can clean up after themselves.
interrupted() {
	[ ${#children[@]} = 0 ] || { kill -TERM "${!children[@]}" && wait "${!children[@]}"; } 2>/dev/null
	exit 130
}
trap interrupted INT TERM HUP

# start NAME OUT ERR COMMAND...: begins it with a time limit and no terminal
start() {
	local name=$1 out=$2 err=$3
	shift 3
	timeout -k 20 "$program_seconds" "$@" >"$out" 2>"$err" </dev/null &
	children[$!]=$name
}

ended="" # the program `reap` saw ending

# Waits until one of those started ends; returns its exit code.
reap() {
	local pid rc=0
	wait -n -p pid "${!children[@]}" || rc=$?
	ended=${children[$pid]}
	unset "children[$pid]"
	return $rc
}

# supervise OUT ERR COMMAND...: starts it and waits for it
supervise() { start command "$@" && reap; }

# result LINE: one counted line of the suite itself
result() { echo "$*" | tee -a "$suite_log" | grep -E '^(FAIL|SKIP) ' || true; }

log_of() { echo "$logs/$suite.${1//\//.}"; }

start_program() {
	local log
	log=$(log_of "$1")
	start "$1" "$log.out" "$log.err" "${@:2}"
}

# report_program NAME CODE: its result lines count; ending badly or silently counts as one failure
report_program() {
	local name=$1 rc=$2 fails log
	log=$(log_of "$name")
	grep -E '^(PASS|FAIL|SKIP) ' "$log.out" >>"$suite_log"
	grep -E '^(FAIL|SKIP|interop:|demo:|coverage:|packet matrix:|#) ' "$log.out"
	fails=$(grep -c '^FAIL ' "$log.out")
	if [ "$rc" != 0 ] && [ "$fails" = 0 ]; then
		result "FAIL $name ended with code $rc$([ "$rc" != 124 ] || echo " (over $program_seconds s)")"
	elif [ "$rc" = 0 ] && ! grep -Eq '^(PASS|FAIL|SKIP) ' "$log.out"; then
		result "FAIL $name printed no result"
		rc=1
	fi
	[ "$rc$fails" = 00 ] || show_log "$log.out" "$log.err"
}

reap_program() {
	local rc=0
	reap || rc=$?
	report_program "$ended" $rc
}

# run_program NAME COMMAND...
run_program() {
	start_program "$@"
	reap_program
}

show_log() {
	local log
	for log; do
		[ -s "$log" ] || continue
		echo "--- $log (last 60 lines)"
		grep -v '^PASS ' "$log" | tail -n 60
		echo "---"
	done
}

# ---- builds, each made at most once a run ----

declare -A built=()

clang() { command -v clang-14 || command -v clang; }

# build_in NAME MESON_OPTION...: configures and compiles $build/NAME, or $targets of it; a failure is one failed test of the suite
build_in() {
	local name=$1 dir=$build/$1 log=$logs/build.$1
	shift
	[ -z "${built[$name]:-}" ] || return "${built[$name]}"
	built[$name]=0
	if [ -f "$dir/build.ninja" ]; then
		supervise "$log.out" "$log.err" meson configure "$dir" "$@"
	else
		supervise "$log.out" "$log.err" meson setup "$dir" "$repo" "$@"
	fi && supervise "$log.out" "$log.err" ninja -C "$dir" ${targets:-} || built[$name]=1
	[ "${built[$name]}" = 0 ] || show_log "$log.out" "$log.err"
	return "${built[$name]}"
}

build_release() { build_in release -Dbuildtype=release || build_failed; }

# Sanitizers need clang by its versioned name on Debian 12.
build_asan() {
	CC=$(clang) build_in asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false || build_failed
}

# Only what its scenarios run.
build_tsan() {
	CC=$(clang) targets="app/sallyportd/sallyportd app/sallyctl/sallyctl tests/tsan/libtsan_mempool.so" build_in tsan \
		-Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Drte_c11=true || build_failed
}

build_pure() { build_in pure -Dbuildtype=release -Ddatapath=disabled || build_failed; }

build_fuzz() {
	CC=$(clang) targets=fuzzers build_in fuzz -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
		-Dfuzzers=true -Dc_args="-fprofile-instr-generate -fcoverage-mapping" \
		-Dc_link_args=-fprofile-instr-generate || build_failed
}

build_failed() {
	result "FAIL $suite/build does not compile"
	return 1
}

# run_meson_tests BUILD FOLDER...: the test programs that live below these folders of tests/, one on each core
run_meson_tests() {
	local dir=$build/$1 name command folders
	shift
	folders=$(printf '|%s' "$@")
	while IFS=$'\t' read -r name command; do
		[ ${#children[@]} -lt "$(nproc)" ] || reap_program
		# shellcheck disable=SC2086
		start_program "$name" $command
	done < <(meson introspect --tests "$dir" | jq -r '.[] | [.name, (.cmd | join(" "))] | @tsv' |
		grep -E "/tests/(${folders#|})/")
	while [ ${#children[@]} -gt 0 ]; do
		reap_program
	done
}

# ---- suites ----

suite_lint() { run_program lint "$repo/tests/lint/lint.sh"; }

suite_unit() { build_release && run_meson_tests release unit; }

sanitizers_on() { export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1; }

sanitizers_off() { unset ASAN_OPTIONS UBSAN_OPTIONS; }

suite_asan() {
	sanitizers_on
	build_asan && run_meson_tests asan unit exchange kat
	sanitizers_off
}

# Every row of the state machine of IKE SAs has to be used by some exchange test.
transition_coverage() {
	local all used missing
	all=$(cat "$1"/transitions.* 2>/dev/null | awk '{ sum[$1 " " $2] += $3 } END { for (row in sum) print row, sum[row] }')
	used=$(echo "$all" | awk '$3 > 0' | wc -l)
	missing=$(echo "$all" | awk '$3 == 0 { printf " %s", $2 }')
	echo "coverage: transitions $used of $(echo "$all" | wc -l)"
	if [ -n "$all" ] && [ -z "$missing" ]; then
		result "PASS exchange/every_transition_is_reached"
	else
		result "FAIL exchange/every_transition_is_reached not reached:$missing"
	fi
}

suite_exchange() {
	build_release || return
	local directory
	directory=$(mktemp -d)
	COVERAGE_DIR=$directory run_meson_tests release exchange
	transition_coverage "$directory"
	rm -r "$directory"
}

suite_nodatapath() {
	build_pure || return
	run_meson_tests pure unit exchange kat
	local program foreign=""
	for program in $(meson introspect --tests "$build/pure" | jq -r '.[].cmd[0]' | sort -u); do
		foreign+=$(ldd "$program" | grep -E 'librte_|IPSec_MB' | head -n 1)
	done
	if [ -z "$foreign" ]; then
		result "PASS nodatapath/ldd_names_no_dpdk"
	else
		result "FAIL nodatapath/ldd_names_no_dpdk $foreign"
	fi
}

suite_kat() { build_release && run_meson_tests release kat; }

# run_scripts BUILD SCRIPT...
run_scripts() {
	local script
	export SALLYPORT_BUILD_DIR=$build/$1
	shift
	for script in "$@"; do
		if [ -x "$script" ]; then
			run_program "$(basename "${script%.*}")" "$script"
		elif [ -e "$script" ]; then
			result "FAIL $(basename "${script%.*}") is not executable"
		fi
	done
}

suite_packet() {
	build_release && run_scripts release "$repo"/tests/packet/*.py
	sanitizers_on
	build_asan && run_scripts asan "$repo"/tests/packet/*.py
	sanitizers_off
}

suite_smoke() { build_release && run_scripts release "$repo"/tests/smoke/*.sh; }

suite_interop() {
	build_release && run_scripts release "$repo"/tests/interop/strongswan_*.sh "$repo"/tests/interop/secgw_*.sh
}

suite_tsan() { build_tsan && run_scripts tsan "$repo"/tests/tsan/*.sh; }

suite_demo() {
	build_release || return
	SALLYPORT_BUILD_DIR=$build/release run_program demo "$repo/deploy/demo.sh" --protocol
}

suite_fuzz() {
	build_fuzz || return
	SALLYPORT_FUZZ_SECONDS=$fuzz_seconds run_program fuzz "$repo/tests/fuzz/run.sh" "$build/fuzz" "$fuzz_coverage_percent"
}

suite_selfcheck() { build_release && run_scripts release "$repo"/tests/selfcheck/*.sh; }

# ---- the run ----

passed=0 failed=0 skipped=0

run_suite() {
	local suite=$1 function=$2 start p f s
	suite_log=$logs/$suite.results
	: >"$suite_log"
	start=$(date +%s%N)
	echo "== $suite"
	$function
	[ -s "$suite_log" ] || result "FAIL $suite/none the suite ran no test"
	p=$(grep -c '^PASS ' "$suite_log") f=$(grep -c '^FAIL ' "$suite_log") s=$(grep -c '^SKIP ' "$suite_log")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '== %s: %d passed, %d failed, %d skipped, %.1f s\n' "$suite" "$p" "$f" "$s" \
		"$(($(date +%s%N) - start))e-9"
}

# chosen WANTED LONG: rows to run
chosen() {
	local name function when rest
	suite_rows | while read -r name function when rest; do
		if [ -n "$1" ]; then
			[[ " $1 " == *" $name "* ]] && echo "$name $function"
		elif [ "$when" = default ] || [ "$2" = 1 ]; then
			echo "$name $function"
		fi
	done
}

check_names() {
	local name
	for name; do
		suite_rows | grep -q "^$name " || {
			echo "run.sh: no suite \"$name\"; --list names them" >&2
			exit 2
		}
	done
}

main() {
	local long=0 wanted=() name function rows
	while [ $# -gt 0 ]; do
		case $1 in
		--long) long=1 ;;
		--list) suite_rows && exit 0 ;;
		-h | --help) usage && exit 0 ;;
		-*) usage >&2 && exit 2 ;;
		*) wanted+=("$1") ;;
		esac
		shift
	done
	check_names ${wanted[@]+"${wanted[@]}"}
	export SALLYPORT_LONG=$long CI=${CI:-true}
	[ $long = 0 ] || program_seconds=7200
	mkdir -p "$logs"
	[ "${SALLYPORT_SKIP_INSTALL:-0}" = 1 ] || "$repo/deploy/install-deps.sh" --tests || {
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	}
	mapfile -t rows < <(chosen "${wanted[*]-}" $long)
	for row in "${rows[@]}"; do
		read -r name function <<<"$row"
		run_suite "$name" "$function"
	done
	# the same function under a sanitizer is not another test
	echo "$(for row in "${rows[@]}"; do cat "$logs/${row%% *}.results"; done | cut -d ' ' -f 2 | sort -u | wc -l) distinct names"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ] && [ $((passed + failed + skipped)) -gt 0 ]
}

main "$@"
