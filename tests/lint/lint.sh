#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every check a machine can make of the sources without compiling them, one result line each; findings go to stderr.
# What is checked is what git knows or would know (ignored files are left out).

set -u
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
cd "$repo" || exit 1
failed=0
format_major=14
lines_95_percent=50
lines_limit=80

files() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do [ -f "$f" ] && echo "$f"; done; }

c_files() { files 'lib/**.[ch]' 'app/**.[ch]' 'tests/**.[ch]' 'perf/**.[ch]'; }

# Scripts by their first line, wherever they are, and the sourced ones.
shell_files() {
	files '*.sh'
	files deploy .ci tests perf | xargs -r grep -lE '^#!/bin/(ba)?sh' --
}

# verdict NAME FINDINGS: passes when there is none
verdict() {
	if [ -z "$2" ]; then
		echo "PASS lint/$1"
	else
		failed=1
		echo "FAIL lint/$1 $(echo "$2" | wc -l) finding(s), first: $(echo "$2" | head -n 1)"
		printf '%s\n' "-- $1" "$2" | head -n 60 >&2
	fi
}

lint_layers() { verdict layers "$(python3 "$here/layers.py" 2>&1)"; }

lint_format() {
	local tool major
	tool=$(command -v clang-format-$format_major || command -v clang-format)
	major=$([ -z "$tool" ] || "$tool" --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
	if [ "$major" != $format_major ]; then
		echo "SKIP lint/format clang-format $format_major is not here (found ${major:-none})"
		return
	fi
	verdict format "$(c_files | xargs -r "$tool" --dry-run -Werror 2>&1 | grep error:)"
}

# "lines file:line function" of every function; a table is a variable, so ctags does not list it
function_lines() {
	files 'lib/**.c' 'lib/**.h' 'app/**.c' 'app/**.h' | ctags -L - -f - --fields=+ne --kinds-C=f --language-force=C 2>/dev/null |
		awk -F'\t' '{ l = e = 0
			for (i = 4; i <= NF; i++) { if ($i ~ /^line:/) l = substr($i, 6); if ($i ~ /^end:/) e = substr($i, 5) }
			if (e) print e - l + 1, $2 ":" l, $1 }' | sort -n
}

lint_function_length() {
	local all count median p95
	all=$(function_lines)
	count=$(echo "$all" | grep -c .)
	if [ "$count" = 0 ]; then
		echo "FAIL lint/function_length ctags found no function"
		failed=1
		return
	fi
	median=$(echo "$all" | sed -n "$((count / 2 + 1))p" | cut -d ' ' -f 1)
	p95=$(echo "$all" | sed -n "$(((count * 95 + 99) / 100))p" | cut -d ' ' -f 1)
	echo "# $count functions, lines: median $median, 95 % $p95, longest $(echo "$all" | tail -n 1)"
	verdict function_length "$(echo "$all" | awk -v limit=$lines_limit '$1 > limit { print $1 " lines: " $2 " " $3 }')"
	verdict function_length_95_percent "$([ "$p95" -le $lines_95_percent ] || echo "$p95 lines, at most $lines_95_percent")"
}

lint_spdx() {
	local f bad=""
	for f in $(c_files) $(files '*.sh' '*.py' '*meson.build' 'meson_options.txt' '*.yaml' '*.yml' .ci/run); do
		head -n 2 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || bad+="$f: no SPDX line at its head"$'\n'
	done
	verdict spdx "${bad%$'\n'}"
}

# Each header and source opens with a comment that says what it is.
lint_head_comment() {
	local f bad=""
	for f in $(c_files); do
		sed -n 2p "$f" | grep -qE '^(/\*|//| \*)' || bad+="$f:2: no comment on what the file does"$'\n'
	done
	verdict head_comment "${bad%$'\n'}"
}

lint_pragma_once() {
	verdict pragma_once "$(files 'lib/**.h' 'app/**.h' 'tests/**.h' | xargs -r grep -L '^#pragma once')"
}

lint_spelling() {
	verdict spelling "$(files | grep -vE '\.(pcap|bin|png|svg)$|/corpus/|/data/|/vectors/|^LICENSE$' |
		xargs -r codespell --ignore-words "$here/codespell-words.txt" 2>&1)"
}

lint_shell() { verdict shell "$(shell_files | sort -u | xargs -r shellcheck -S warning -f gcc 2>&1)"; }

lint_unfinished() {
	verdict unfinished "$(files 'lib' 'app' 'tests' 'deploy' 'perf' 'config' 'docs' | grep -v '^tests/lint/' |
		xargs -r grep -nIE '\b(TODO|FIXME|XXX)\b|not implemented yet|\bfor now\b' -- | grep -v /corpus/)"
}

# Paths that exist on somebody's machine only.
lint_machine_paths() {
	verdict machine_paths "$(files | grep -v '^tests/lint/' | xargs -r grep -nIE '/(work|home|Users)/[a-z]|/root/|/tmp/(build|infra|brief)' -- |
		grep -v /corpus/)"
}

# Documents name files of this repository: they have to exist.
lint_doc_paths() {
	local doc path bad=""
	for doc in $(files README.md 'docs/*.md'); do
		for path in $(grep -oE '\]\([^)# ]+' "$doc" | cut -c 3- | grep -v ://); do
			[ -e "$(dirname "$doc")/$path" ] || bad+="$doc: link to $path leads nowhere"$'\n'
		done
	done
	verdict doc_links "${bad%$'\n'}"
}

# ... and functions, where they follow a packet.
lint_doc_functions() { verdict doc_functions "$(/usr/bin/python3 "$here/doc_functions.py" "$repo")"; }

# ... and tests, where they say what is implemented.
lint_matrix_tests() { verdict matrix_tests "$(/usr/bin/python3 "$here/matrix_tests.py" "$repo")"; }

lint_layers
lint_format
lint_function_length
lint_spdx
lint_head_comment
lint_pragma_once
lint_spelling
lint_shell
lint_unfinished
lint_machine_paths
lint_doc_paths
lint_doc_functions
lint_matrix_tests
exit $failed
