/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets in clear to decisions: the flow cache, behind it policy, routes and the children of tunnels. */
#pragma once

#include "flow_cache_priv.h"
#include "stages_priv.h"

/* Owner worker: what becomes of each of n packets (at most BURST) of this origin. Carries nothing out, but fills the
 * cache. ret_flows: of each packet leaving (local = source). RFC 4301 5.1, 5.2. */
void decide_burst(struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct flow *ret_flows,
	struct decision *ret_decisions);
