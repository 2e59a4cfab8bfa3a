#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Traffic both ways with DPDK's ipsec-secgw, in every ESP suite, family and mix of families that both know. It takes
# OpenSSL's algorithms where its driver has them: then nothing but the packet is common to both ends.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"
. "$(dirname "$0")/interop_secgw.sh"

secgw_build
topology_secgw
secgw_up plain 'crypto_openssl0 crypto_aesni_mb0' -l -w 128
secgw_run plain
