/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets in clear to decisions: the flow cache, behind it policy, routes and the children of tunnels. */
#pragma once

#include "flow_cache_priv.h"
#include "stages_priv.h"

/* What becomes of a burst. */
struct deciding {
	struct decision decisions[BURST];
	struct flow flows[BURST]; /* leaving (local = source) */
};

static inline uint8_t context_of(const struct rte_mbuf *m, enum origin origin)
{
	return origin == ORIGIN_TUNNEL ? FLOW_CONTEXT_TUNNEL : (uint8_t)m->port;
}

/* Owner worker: what becomes of each of n packets (at most BURST) of this origin. Carries nothing out, but fills the
 * cache. RFC 4301 5.1, 5.2. */
void decide_burst(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct deciding *ret_deciding);

/* outbound.c: carries out what was decided: into its SA, in clear along its route, or to its end. flow: leaving. */
void decision_act(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, const struct decision *d, enum origin origin);

/* decide.c: the number that a decision to protect may have for this flow: of the selectors of its slot's SA, if that is
 * this worker's; else 0. */
uint16_t decision_number(const struct worker *w, uint32_t slot, const struct flow *flow);

/* An IPv4 packet in one buffer, of so many bytes, to be sealed, with those that outbound_flush seals. number: 0, or
 * what is asked there (struct burst_item). True: that were so many that they have been. */
static inline bool protect_push(struct worker *w, struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint32_t bytes,
	struct sa *sa, uint16_t number)
{
	struct burst_item *item = &w->protect[w->protect_count++];

	/* the lines in which headers and trailer will be */
	rte_prefetch0((const uint8_t *)ip - RTE_CACHE_LINE_SIZE);
	rte_prefetch0((const uint8_t *)ip + bytes);
	item->m = m;
	item->sa = sa;
	item->number = number;
	if (likely(w->protect_count < BURST))
		return false;
	outbound_flush(w);
	return true;
}
