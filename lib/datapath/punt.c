/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for control: one ring a class and worker, a limit per source for IKE, one per class
 * for what comes from links. A full ring is a counted drop. */
#include "stages_priv.h"

/* Enough for one peer's rekey storm; what a flood of one source costs control stays bounded. */
#define IKE_RATE  1000 /* a second and source */
#define IKE_BURST 1000

/* Neighbours of a link are few and repeat themselves: what a flood makes control do is bounded. */
#define LINK_RATE  2000 /* a second and worker */
#define LINK_BURST 1000

/* Queries are minutes apart. */
#define MLD_RATE  50
#define MLD_BURST 50

static const struct {
	enum datapath_counter counter;
	uint32_t rate, burst; /* 0: limited elsewhere */
} punt_table[PUNT_CLASSES] = {
	[PUNT_IKE] = { DP_C_PUNT_IKE, 0, 0 },
	[PUNT_IKE_NEW] = { DP_C_PUNT_IKE_NEW, 0, 0 },
	[PUNT_ARP] = { DP_C_PUNT_ARP, LINK_RATE, LINK_BURST },
	[PUNT_ND] = { DP_C_PUNT_ND, LINK_RATE, LINK_BURST },
	[PUNT_MLD] = { DP_C_PUNT_MLD, MLD_RATE, MLD_BURST },
	[PUNT_HOLD] = { DP_C_HELD, LINK_RATE, LINK_BURST },
};

/* What counts as one source: an IPv4 address; of IPv6 the /64, of which one host may have every address (RFC 4291
 * 2.5.4). */
static uint32_t source_key(const struct rte_mbuf *m)
{
	uint32_t half[2];

	if (!packet_is_ip6(m))
		return packet_ip(m)->src_addr;
	memcpy(half, ip6_source(packet_ip6(m)), sizeof(half));
	return half[0] * 0x85ebca6bu ^ half[1];
}

bool punt_ike_allowed(struct worker *w, const struct rte_mbuf *m, enum punt_class class)
{
	struct bucket *b = &w->ike_sources[class == PUNT_IKE][(source_key(m) * 0x9e3779b1u) >> 22];

	static_assert(IKE_BUCKETS == 1 << 10, "bits of the hash above");
	return bucket_take(b, w->now_cycles, w->dp->cycles_per_s, IKE_RATE, IKE_BURST);
}

void punt_push(struct worker *w, struct rte_mbuf *m, enum punt_class class)
{
	if (punt_table[class].rate && !bucket_take(&w->punts[class], w->now_cycles, w->dp->cycles_per_s,
					      punt_table[class].rate, punt_table[class].burst)) {
		worker_drop(w, m, DROP_RATE_LIMIT);
		return;
	}
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_PUNTED, (uint16_t) class, 0);
	if (rte_ring_sp_enqueue(w->punt[class], m)) {
		worker_drop(w, m, DROP_PUNT_FULL);
		return;
	}
	worker_count(w, punt_table[class].counter, 1);
	event_signal(w->dp);
}
