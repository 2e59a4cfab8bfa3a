#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Extended sequence numbers against DPDK's ipsec-secgw: both ends begin shortly before the low half wraps.
# shellcheck disable=SC2154,SC2034 # variables of tests/lib

# shellcheck source=/dev/null
. "$(dirname "$0")/../lib/scenario.sh"
. "$(dirname "$0")/interop_lib.sh"
. "$(dirname "$0")/interop_secgw.sh"

secgw_build
topology_secgw
secgw_up esn crypto_aesni_mb0 -l -w 128 -e
secgw_run esn
