/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets in clear to decisions: the flow cache, behind it policy, routes and the children of tunnels. */
#pragma once

#include "flow_cache_priv.h"
#include "stages_priv.h"

/* What becomes of a burst. */
struct deciding {
	struct decision decisions[BURST];
	uint64_t plain; /* a bit for each packet that is plain IPv4 (ip4.h) with ports, and whose flow was not read */
	struct flow flows[BURST]; /* of the others, leaving (local = source) */
};
static_assert(BURST == 64, "a bit for every packet");

static inline bool deciding_plain(const struct deciding *d, uint16_t i)
{
	return d->plain >> i & 1;
}

/* The flow of a packet, read now where it was not before. */
static inline const struct flow *deciding_flow(
	const struct worker *w, struct deciding *d, const struct rte_mbuf *m, uint16_t i)
{
	if (deciding_plain(d, i))
		packet_flow(w->dp, m, true, &d->flows[i]);
	d->plain &= ~(1ull << i);
	return &d->flows[i];
}

/* Owner worker: what becomes of each of n packets (at most BURST) of this origin. Carries nothing out, but fills the
 * cache. RFC 4301 5.1, 5.2. */
void decide_burst(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct deciding *ret_deciding);
