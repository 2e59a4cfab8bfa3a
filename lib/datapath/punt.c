/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for control: one ring a class and worker, a limit per source for IKE. A full ring is a counted drop. */
#include "stages_priv.h"

/* Enough for one peer's rekey storm; what a flood of one source costs control stays bounded. */
#define IKE_RATE  1000 /* a second and source */
#define IKE_BURST 1000

static const struct {
	enum datapath_counter counter;
} punt_table[PUNT_CLASSES] = {
	[PUNT_IKE] = { DP_C_PUNT_IKE },
	[PUNT_ARP] = { DP_C_PUNT_ARP },
	[PUNT_HOLD] = { DP_C_HELD },
};

bool punt_ike_allowed(struct worker *w, uint32_t source_be)
{
	struct bucket *b = &w->ike_sources[(source_be * 0x9e3779b1u) >> 22];

	static_assert(IKE_BUCKETS == 1 << 10, "bits of the hash above");
	return bucket_take(b, w->now_cycles, w->dp->cycles_per_s, IKE_RATE, IKE_BURST);
}

void punt_push(struct worker *w, struct rte_mbuf *m, enum punt_class class)
{
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_PUNTED, (uint16_t) class, 0);
	if (rte_ring_sp_enqueue(w->punt[class], m)) {
		worker_drop(w, m, DROP_PUNT_FULL);
		return;
	}
	worker_count(w, punt_table[class].counter, 1);
	event_signal(w->dp);
}
