#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The main lines against the strongSwan of Debian 13 as well: the scenarios are those of the machine's own.

here=$(dirname "$0")
export SALLYPORT_PEER=debian13
rc=0
for scenario in initiator responder rekey pfs children nat fragments config dpd; do
	"$here/strongswan_$scenario.sh" || rc=1
done
exit $rc
