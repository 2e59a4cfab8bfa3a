#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every ESP suite that strongSwan's user-space ESP knows, negotiated in both roles, with numbered traffic through it. All
# the tunnels stand in one configuration: an identity and subnets each. Not here: GMAC and ESN, which that ESP lacks.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"
. "$(dirname "$0")/suites_lib.sh"

# both sides write them the same way
suites='
aes128gcm8 aes192gcm8 aes256gcm8 aes128gcm12 aes192gcm12 aes256gcm12 aes128gcm16 aes192gcm16 aes256gcm16
aes128ccm8 aes256ccm8 aes128ccm12 aes256ccm12 aes128ccm16 aes256ccm16 chacha20poly1305
aes128-sha1 aes128-sha256 aes192-sha384 aes256-sha256 aes256-sha512 aes128-aesxcbc aes256-aescmac
aes128ctr-sha256 aes192ctr-sha384 aes256ctr-sha512 3des-sha1 null-sha1 null-sha256'
suites=$(for suite in $suites; do echo "$suite=$suite"; done)
udp_packets=100 # of 64 lengths, so of each remainder of a cipher's block
udp_rate=1000   # charon reads them in a thread of its own, on a machine that may have other work

our_proposals() { gw_esp_proposals=$1; }
their_proposals() { peer_esp_proposals=$1; }

# numbers FROM...: charon's TUN device may lose packets when the machine has other work; what arrives is right in any case,
# and of a second go nothing is lost
numbers() {
	udp_numbers "$@" $udp_packets && return
	tail -n 1 "$work/udp-receiver.log" | grep -q ' 0 duplicate, .* 0 changed' && udp_numbers "$@" $udp_packets
}

# traffic SUITE N: the tunnel carries packets both ways
traffic() {
	ping_ok ha 10.2."$2".1 1 && numbers ha 10.1."$2".2 peer 10.2."$2".1 && numbers peer 10.2."$2".1 ha 10.1."$2".2
}

peer_plugins="aes ccm gcm ctr xcbc cmac chapoly"
suites_run
