#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every algorithm and group of phase 1 that strongSwan knows too, negotiated in both roles and proven by a ping through
# the Child SA whose keys come from it. All the tunnels stand in one configuration: an identity and subnets each.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"
. "$(dirname "$0")/suites_lib.sh"

# both sides write them the same way
groups='modp1024 modp1536 modp2048 modp3072 modp4096 modp6144 modp8192 ecp256 ecp384 ecp521 ecp224bp ecp256bp ecp384bp
ecp512bp x25519 x448'
ciphers='aes128gcm8 aes128gcm12 aes128gcm16 aes192gcm8 aes192gcm12 aes192gcm16 aes256gcm8 aes256gcm12 aes256gcm16
aes128ccm8 aes128ccm12 aes128ccm16 aes192ccm8 aes192ccm12 aes192ccm16 aes256ccm8 aes256ccm12 aes256ccm16 chacha20poly1305'
classic='aes128-sha1 aes192-sha384 aes256-sha256 aes256-sha512 aes128ctr-sha256 aes192ctr-sha256 aes256ctr-sha384
aes128-aescmac 3des-sha1'
prfs='prfsha1 prfsha256 prfsha384 prfsha512 prfaescmac'

suites=""
add_suite() { suites="$suites $1=$2"; }
for word in $groups; do add_suite "ike-$word" "aes128gcm16-prfsha256-$word"; done
for word in $ciphers; do add_suite "ike-$word" "$word-prfsha256-x25519"; done
for word in $classic; do add_suite "ike-$word" "$word-x25519"; done
for word in $prfs; do add_suite "ike-$word" "aes256gcm16-$word-x25519"; done

our_proposals() { gw_ike_proposals=$1; }
their_proposals() { peer_ike_proposals=$1; }

# what the tunnel carries: enough to see that both derived the same keys
traffic() { ping_ok ha 10.2."$2".1 1; }

peer_plugins="aes ccm gcm ctr cmac chapoly curve25519"
suites_run
