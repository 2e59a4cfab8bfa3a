#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Do the tests notice? In a scratch copy of the sources one byte is broken at a time, and the test that guards it has to
# fail; unbroken, the same test has to pass there first.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"

scratch=$work/scratch

copy_sources() {
	mkdir -p "$scratch"
	(cd "$repo" && git ls-files -z --cached --others --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null) |
		tar -C "$scratch" -xf - || die "cannot copy the sources"
}

# The vector programs read their files from the folder they were compiled in.
build_vectors() {
	meson setup "$work/build" "$scratch" -Ddatapath=disabled -Dbuildtype=release >"$work/build.log" 2>&1 &&
		meson compile -C "$work/build" test_crypto_kat >>"$work/build.log" 2>&1 || die "the scratch copy does not compile"
}

vectors_pass() { "$work/build/tests/kat/test_crypto_kat" >"$work/kat.log" 2>&1; }

# break_last_hex FILE KEY: changes the last hexadecimal digit of its last "KEY = ..." line (a first case may be
# an empty text, which IKE never has)
break_last_hex() {
	python3 - "$scratch/$1" "$2" <<-'END'
		import re, sys
		path, key = sys.argv[1:]
		text = open(path).read()
		found = list(re.finditer(rf"(?m)^{key} = [0-9a-f]*[0-9a-f]$", text))
		if not found:
		    sys.exit(1)
		at = found[-1].end() - 1
		open(path, "w").write(text[:at] + format(int(text[at], 16) ^ 1, "x") + text[at + 1:])
	END
}

# vector_noticed FILE KEY
vector_noticed() {
	vectors_pass || because "the unbroken vectors fail: $(grep -m 1 ^FAIL "$work/kat.log")" || return 1
	break_last_hex "$1" "$2" || because "no line \"$2 = ...\" in $1" || return 1
	! vectors_pass || because "tests/kat passes with a broken $2 in $1" || return 1
	grep -q '^FAIL ' "$work/kat.log" || because "no FAIL line" || return 1
	cp "$repo/$1" "$scratch/$1"
}

# The last byte of a whole ESP packet is of its ICV.
icv_noticed() {
	local kat=$gw_build/tests/kat/test_esp_kat
	SALLYPORT_KAT_DIR=$scratch/tests/kat "$kat" >"$work/esp.log" 2>&1 || because "the unbroken packets fail" || return 1
	break_last_hex tests/kat/esp_gcm.txt esp || because "no ESP packet in tests/kat/esp_gcm.txt" || return 1
	! SALLYPORT_KAT_DIR=$scratch/tests/kat "$kat" >"$work/esp.log" 2>&1 || because "a packet with a broken ICV is taken" ||
		return 1
	grep -q '^FAIL ' "$work/esp.log" || because "no FAIL line" || return 1
	cp "$repo/tests/kat/esp_gcm.txt" "$scratch/tests/kat/"
}

psk_noticed() {
	local result
	sed -i 's/^peer_psk=\(.*[^"]\)[^"]$/peer_psk=\1X/' "$scratch/tests/lib/strongswan.sh"
	! cmp -s "$scratch/tests/lib/strongswan.sh" "$repo/tests/lib/strongswan.sh" || because "the PSK was not found" || return 1
	SALLYPORT_BUILD_DIR=$gw_build "$scratch/tests/interop/strongswan_initiator.sh" >"$work/interop.log" 2>&1
	result=$(grep -m 1 '^interop: ikev2-psk initiator ' "$work/interop.log")
	[[ $result == *" FAIL "*AUTHENTICATION_FAILED* ]] || because "a wrong PSK gave: ${result:-no result}"
}

# A gateway with other keys than the oracle in one SA pair of three.
matrix_noticed() {
	local cell=esp_aes128gcm16_tunnel_4in4
	! SALLYPORT_BUILD_DIR=$gw_build "$repo/tests/packet/oracle_matrix.py" --only '^esp_aes(128|192|256)gcm16_tunnel_4in4$' \
		--break $cell >"$work/matrix.log" 2>&1 || because "it passes" || return 1
	[ "$(grep -c "^FAIL matrix/$cell" "$work/matrix.log")" = 2 ] &&
		grep -q '^packet matrix: 6 combinations, 4 agreed, 2 disagreed$' "$work/matrix.log" ||
		because "$(tail -n 1 "$work/matrix.log")"
}

copy_sources
build_vectors
check selfcheck/broken_vector_noticed vector_noticed tests/kat/hmac_sha2.txt mac
check selfcheck/broken_tag_noticed vector_noticed tests/kat/aes_gcm.txt tag
check selfcheck/broken_icv_noticed icv_noticed
check selfcheck/broken_interop_psk_noticed psk_noticed
check selfcheck/broken_matrix_cell_noticed matrix_noticed
