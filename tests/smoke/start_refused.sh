#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Starts that must be refused: each with the right words, exit code 1 and nothing left running.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

# Position and words of the message; the exit code; no socket. Arguments: regular expression.
refused() {
	local out rc
	out=$(in_ns ga timeout 20 "$sallyportd" --config "$work/gw-a.yaml" 2>&1 </dev/null)
	rc=$?
	[ $rc = 1 ] || because "exit code $rc: $(echo "$out" | tail -n 1)" || return 1
	[ ! -e "$work/gw-a.sock" ] || because "a socket was made" || return 1
	echo "$out" | grep -Eq -- "$1" || because "no \"$1\" in: $(echo "$out" | head -n 3 | tr '\n' ' ')"
}

# bad NAME REGEX SED_PROGRAM: the good configuration with one thing wrong
bad() {
	pair_ike_config
	sed -i -E "$3" "$work/gw-a.yaml"
	check "start_refused/$1" refused "$2"
}

# should one start after all, it has nothing to reach
netns_add ga
at='gw-a\.yaml:[0-9]+:[0-9]+: '

bad malformed_yaml "$at" 's/^tunnels:/tunnels: [/'
bad unknown_key "$at.*workerz" 's/workers: 1/workerz: 1/'
bad wrong_type "$at.*workers" 's/workers: 1/workers: many/'
bad duplicate_name "$at.*lan" 's/name: wan/name: lan/'
bad overlapping_addresses "$at.*overlap" 's#192\.0\.2\.1/24#10.1.0.9/16#'
bad unknown_algorithm "$at.*aes257gcm16" 's/aes256gcm16/aes257gcm16/'
bad secrets_missing 'secrets' 's/gw-a\.secrets\.yaml/nowhere.yaml/'

pair_ike_config
chmod 0644 "$work/gw-a.secrets.yaml"
check start_refused/secrets_readable_by_others refused 'gw-a\.secrets\.yaml.*(read|mode|permission)'
rm -f "$work/gw-a.secrets.yaml"

bad missing_interface 'interface lan: .*no network interface "lan".*interfaces\[0\]\.device' 's/^$//'
ip -n "$(ns ga)" link add lan type veth peer name wan
bad single_lcore '--lcores' 's/\["--no-pci"\]/["--no-pci", "--lcores", "0@0"]/'

if [ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" = 0 ]; then
	bad no_hugepages 'nr_hugepages|allow_no_huge' 's/allow_no_huge: true/allow_no_huge: false/'
else
	skip start_refused/no_hugepages "this machine has free hugepages"
fi

exit_code() {
	local want=$1 rc
	shift
	"$@" >"$work/command.log" 2>&1 </dev/null
	rc=$?
	[ $rc = "$want" ] || because "exit code $rc, $want expected: $(tail -n 1 "$work/command.log")"
}

pair_ike_config
check start_refused/check_accepts_good exit_code 0 "$sallyctl" check "$work/gw-a.yaml"
check start_refused/daemon_check_accepts_good exit_code 0 "$sallyportd" --config "$work/gw-a.yaml" --check
sed -i 's/^tunnels:/tunels:/' "$work/gw-a.yaml"
check start_refused/check_refuses_bad exit_code 1 "$sallyctl" check "$work/gw-a.yaml"
check start_refused/no_daemon_is_3 exit_code 3 "$sallyctl" --socket "$work/nobody.sock" show version
check start_refused/unknown_command_is_2 exit_code 2 "$sallyctl" --socket "$work/nobody.sock" shovv version
check start_refused/no_arguments_is_2 exit_code 2 "$sallyportd"
