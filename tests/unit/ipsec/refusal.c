/* SPDX-License-Identifier: BSD-3-Clause */
/* See refusal.h. Says on stderr what came instead; the caller's assertion says where. */
#include "refusal.h"

#include <stdio.h>
#include <stdlib.h>

/* What an SA remembers, but for drops. */
static bool memory_equal(const struct sa_stats *a, const struct sa_stats *b)
{
	return a->packets == b->packets && a->bytes == b->bytes && a->sequence == b->sequence && a->flags == b->flags &&
	       endpoint_equal(&a->source, &b->source);
}

static uint64_t drops_of(const struct sa_stats *s)
{
	uint64_t n = 0;

	for (int i = 0; i < DROP_REASON_COUNT; i++)
		n += s->drops[i];
	return n;
}

static bool counted_once(const struct sa_stats *before, const struct sa_stats *after, enum drop_reason reason)
{
	return after->drops[reason] == before->drops[reason] + 1 && drops_of(after) == drops_of(before) + 1;
}

static bool said(enum drop_reason got, uint64_t wanted)
{
	if (REASON(got) & wanted)
		return true;
	fprintf(stderr, "refused as %s, not", drop_keyword(got));
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		if (REASON(i) & wanted)
			fprintf(stderr, " %s", drop_keyword((enum drop_reason)i));
	fprintf(stderr, "\n");
	return false;
}

bool refused_any(struct rig_pair *p, struct rte_mbuf *m, uint64_t reasons)
{
	struct sa_stats before, after;

	sa_stats_read(p->in, &before);
	enum drop_reason got = rig_in(p, m);
	sa_stats_read(p->in, &after);
	rte_pktmbuf_free(m);
	return said(got, reasons) && counted_once(&before, &after, got) && memory_equal(&before, &after);
}

bool refused(struct rig_pair *p, struct rte_mbuf *m, enum drop_reason reason)
{
	return refused_any(p, m, REASON(reason));
}

bool refused_out(struct rig_pair *p, struct rte_mbuf *m, enum drop_reason reason)
{
	struct sa_stats before, after;

	sa_stats_read(p->out, &before);
	enum drop_reason got = rig_out(p, m);
	sa_stats_read(p->out, &after);
	rte_pktmbuf_free(m);
	return said(got, REASON(reason)) && counted_once(&before, &after, got) && memory_equal(&before, &after);
}

bool refused_authentic(struct rig_pair *p, struct rte_mbuf *m, uint64_t sequence, enum drop_reason reason)
{
	struct rte_mbuf *again = rig_copy(m);
	struct sa_stats before, after;

	sa_stats_read(p->in, &before);
	enum drop_reason got = rig_in(p, m);
	sa_stats_read(p->in, &after);
	rte_pktmbuf_free(m);
	bool ok = said(got, REASON(reason)) && counted_once(&before, &after, got) && after.packets == before.packets &&
		  after.bytes == before.bytes && after.sequence == sequence;
	return refused(p, again, DROP_REPLAYED) && ok;
}

bool refused_inside(struct rig_pair *p, uint64_t sequence, const void *payload, uint16_t bytes, enum drop_reason reason)
{
	return refused_authentic(p, rig_seal(p, sequence, payload, bytes), sequence, reason);
}

bool accepted(struct rig_pair *p, struct rte_mbuf *m, const struct rte_mbuf *expected)
{
	uint64_t drops = rig_drops_all(p->in);
	enum drop_reason got = rig_in(p, m);
	bool same = m->data_len == expected->data_len && m->pkt_len == expected->data_len && m->nb_segs == 1 &&
		    !memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(expected, void *), expected->data_len);

	rte_pktmbuf_free(m);
	if (!said(got, REASON(DROP_NONE)))
		return false;
	if (!same)
		fprintf(stderr, "accepted, but not as it was sent\n");
	return same && rig_drops_all(p->in) == drops;
}

struct rte_mbuf *sealed(struct rig_pair *p, const struct rig_options *o, uint16_t bytes)
{
	struct rte_mbuf *m = rig_packet_for(o, bytes, (uint8_t)bytes);

	if (rig_out(p, m) == DROP_NONE)
		return m;
	fprintf(stderr, "a packet could not be sealed\n");
	abort();
}
