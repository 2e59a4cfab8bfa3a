/* SPDX-License-Identifier: BSD-3-Clause */
/* The first packets of a policy whose SA is being asked for wait for it, a few of each tunnel, and not for long: what a
 * trap brings up carries the packet that sprang it. What does not fit, or waits in vain, ends by the name it would
 * have had at once. */
#include "stages_priv.h"

#define AWAIT_STEP_S 1000 /* looks for SAs a second */

static uint8_t *cell_of(struct awaiting *a, uint32_t tunnel)
{
	return &a->by_cell[tunnel % NO_SA_MEMORY];
}

bool await_push(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, uint32_t tunnel, const struct await_note *note)
{
	struct awaiting *a = &w->awaiting;
	uint8_t *held = cell_of(a, tunnel);

	if (!policies_awaits(w->snapshot->policies, tunnel))
		return false;
	if (a->count == AWAITING_MAX || *held == AWAITING_TUNNEL_MAX) {
		worker_count(w, DP_C_AWAIT_FULL, 1);
		return false;
	}
	*packet_note(m) = (struct note){ .stage = STAGE_CLEAR, .origin = note->origin };
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_AWAITS, tunnel, 0);
	a->items[a->count++] = (struct awaiting_packet){ .m = m,
		.until_cycles = w->now_cycles + DATAPATH_AWAIT_S * w->dp->cycles_per_s,
		.tunnel = tunnel,
		.reason = note->reason,
		.told = note->told,
		.flow = *flow };
	++*held;
	worker_count(w, DP_C_AWAIT, 1);
	return true;
}

static struct sa *first_sa(const struct worker *w, const struct awaiting_packet *p)
{
	return tunnel_lookup(w->ips, tunnel_child_lookup(w->ips, p->tunnel, &p->flow));
}

/* As decided_again in outbound.c. */
static bool sa_has_come(const struct worker *w, const struct awaiting_packet *p)
{
	return tunnel_select(first_sa(w, p), &p->flow) != NULL;
}

/* Only its owner writes the counters of an SA. */
static void count_at_unfit_sa(const struct worker *w, const struct awaiting_packet *p)
{
	struct sa *sa = p->reason == DROP_SELECTOR_OUT ? first_sa(w, p) : NULL;

	if (sa && sa_owner(sa) == w->id)
		sa_count_drop(sa, DROP_SELECTOR_OUT);
}

static void give_up(struct worker *w, const struct awaiting_packet *p)
{
	count_at_unfit_sa(w, p);
	if (unlikely(w->capture != NULL))
		capture_refused(w, p->m, p->tunnel, (enum drop_reason)p->reason);
	worker_count(w, DP_C_AWAIT_TIMEOUT, 1);
	worker_drop(w, p->m, (enum drop_reason)p->reason);
}

uint16_t await_take(struct worker *w, struct rte_mbuf **ret_pkts, uint16_t max)
{
	struct awaiting *a = &w->awaiting;
	uint32_t kept = 0;
	uint16_t n = 0;

	if (w->now_cycles - a->looked_cycles < w->dp->cycles_per_s / AWAIT_STEP_S)
		return 0;
	a->looked_cycles = w->now_cycles;
	for (uint32_t i = 0; i < a->count; i++) {
		struct awaiting_packet *p = &a->items[i];
		bool come = n < max && sa_has_come(w, p);
		if (come)
			ret_pkts[n++] = p->m;
		else if (w->now_cycles >= p->until_cycles)
			give_up(w, p);
		else {
			p->told = p->told || event_no_sa(w, p->tunnel, &p->flow);
			a->items[kept++] = *p;
			continue;
		}
		--*cell_of(a, p->tunnel);
	}
	a->count = kept;
	return n;
}

void await_flush(struct worker *w)
{
	struct awaiting *a = &w->awaiting;

	for (uint32_t i = 0; i < a->count; i++)
		worker_drop(w, a->items[i].m, (enum drop_reason)a->items[i].reason);
	a->count = 0;
	memset(a->by_cell, 0, sizeof(a->by_cell));
}
