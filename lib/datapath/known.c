/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain IPv4 packets in clear whose flow the cache knows: what was decided is carried out. What the cache has was let
 * in: only what has passed the classification and the check of the reverse path was ever decided, by the same port, and
 * routes and addresses of ours that come or go change the epoch. So of a packet that is known neither is asked again;
 * of the others both are. RFC 4301 5.1.
 *
 * Of its SA a packet's flow knows the slot, and the number of the selectors it was inside when the SA was this
 * worker's. So nothing of the SA is read here but where it is: memory brings it while the other packets are looked at,
 * and the burst that seals them asks it whether all is as it was (burst_out). The packets for which it is not come
 * back, and are decided like those that nobody knows. */
#include "known_priv.h"

#include "forward_priv.h"
#include "tunnel_ask.h"

bool asked_take(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	struct flow_key4 key;

	if (!asked_usable(w) || asked_closed(w) || packet_was_joined(w, m) ||
		own_may_have(&w->dp->own4, own_filter_bit(ip->dst_addr)) ||
		!plain_key(m, plain_base(w, m, ORIGIN_CLEAR), &key))
		return false;
	asked_push(w, m, &key);
	return true;
}

/* What is the same for all packets of a burst, and the hop of the one before. */
struct known {
	struct tunnel_words words;
	bool clamps;  /* the MSS of a SYN is looked at */
	bool closely; /* every packet is: a capture shows what becomes of it, or others came back and none overtakes
			 them */
	struct hop hop;
};

/* A part of the burst was sealed before all was looked at: from now on nothing goes in that might have come back. */
static inline void none_overtakes(const struct worker *w, struct known *k)
{
	k->closely |= w->asked.returned.n != 0;
}

/* On its way into its SA. False: nothing has changed, and decision_act looks closer. */
static inline bool known_protect(struct worker *w, struct known *k, struct rte_mbuf *m, const struct decision *d)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	uint32_t bytes = m->data_len;
	struct sa *sa;

	if (unlikely(d->kind != DECISION_PROTECT || !d->number || k->closely))
		return false;
	if (unlikely(ip->time_to_live <= 1 || (k->clamps && tcp_may_be_syn(ip, bytes))))
		return false;
	/* those of the packets' flow that wait are not overtaken */
	if (unlikely(w->parked.count))
		return false;
	sa = tunnel_ask(&k->words, d->slot);
	if (unlikely(!sa))
		return false;
	ip_ttl_decrement(ip);
	if (unlikely(protect_push(w, m, ip, bytes, sa, d->number)))
		none_overtakes(w, k);
	return true;
}

static inline bool known_forward(struct worker *w, struct rte_mbuf *m, const struct decision *d, struct hop *hop)
{
	if (d->kind != DECISION_FORWARD ||
		!forward_along_usual(w, m, (enum route_kind)d->route_kind, d->port, d->neighbour, hop))
		return false;
	worker_count(w, DP_C_FORWARD_CLEAR, 1);
	return true;
}

/* What the packet's flow knows of its SA is asked anew. */
static void known_number(struct worker *w, const struct rte_mbuf *m, const struct flow *flow)
{
	struct flow_key4 key = flow_key4_of(flow, context_of(m, ORIGIN_CLEAR));
	struct decision *d = flow_find4(&w->flows, &key, w->epoch);

	if (d && d->kind == DECISION_PROTECT)
		d->number = decision_number(w, d->slot, flow);
}

static bool burst_may_return(const struct worker *w)
{
	for (uint16_t i = 0; i < w->protect_count; i++)
		if (w->protect[i].number)
			return true;
	return false;
}

/* Others of the packet's flow may be in the burst, and come back: then so does this one, behind them. */
static bool known_goes_back(struct worker *w, struct known *k, struct rte_mbuf *m)
{
	if (burst_may_return(w))
		outbound_flush(w);
	none_overtakes(w, k);
	if (!w->asked.returned.n)
		return false;
	list_push(&w->asked.returned, m);
	return true;
}

static __rte_noinline void known_closer(
	struct worker *w, struct known *k, struct rte_mbuf *m, const struct decision *decision)
{
	const struct decision d = *decision; /* whose entry may change */
	struct flow flow;

	if (known_forward(w, m, &d, &k->hop))
		return;
	if (d.kind == DECISION_PROTECT && d.number && known_goes_back(w, k, m))
		return;
	packet_flow(w->dp, m, true, &flow);
	if (d.kind == DECISION_PROTECT && d.number != decision_number(w, d.slot, &flow))
		known_number(w, m, &flow);
	decision_act(w, m, &flow, &d, ORIGIN_CLEAR);
	/* fragments may have filled the burst */
	none_overtakes(w, k);
}

static inline void known_act(struct worker *w, struct known *k, struct rte_mbuf *m, const struct decision *d)
{
	if (unlikely(!known_protect(w, k, m, d)))
		known_closer(w, k, m, d);
}

/* For policy, or not to go on: they came before all that is in this list of the same flow (asked_closed). */
static void sort_in_front(struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	const struct list later = w->clear;

	w->clear.n = 0;
	for (uint16_t i = 0; i < n; i++)
		classify_addresses(w, pkts[i]);
	for (uint16_t i = 0; i < later.n; i++)
		list_push(&w->clear, later.m[i]);
}

/* What was not in its first set: in a cache with room these are few. at: their places among the packets that ask. */
static __rte_noinline void known_second(struct worker *w, struct known *k, const uint8_t *at, uint16_t n)
{
	const struct asked *a = &w->asked;
	const struct flow_entry4 *sets[BURST];
	struct rte_mbuf *unknown[BURST];
	uint16_t unknown_count = 0;

	for (uint16_t i = 0; i < n; i++) {
		sets[i] = flow_set4(&w->flows, flow_key4_hash(&w->flows, &a->keys[at[i]]), 1);
		rte_prefetch0(sets[i]);
	}
	for (uint16_t i = 0; i < n; i++) {
		const struct decision *d = flow_lookup4(sets[i], &a->keys[at[i]], w->epoch);
		if (d)
			known_act(w, k, a->m[at[i]], d);
		else
			unknown[unknown_count++] = a->m[at[i]];
	}
	sort_in_front(w, unknown, unknown_count);
}

/* Packets that did not fit their SAs: all is asked about them. */
static __rte_noinline void known_return(struct worker *w)
{
	struct list *l = &w->asked.returned;

	for (uint16_t i = 0; i < l->n; i++) {
		struct flow flow;
		packet_flow(w->dp, l->m[i], true, &flow);
		known_number(w, l->m[i], &flow);
	}
	sort_in_front(w, l->m, l->n);
	l->n = 0;
}

void known_burst(struct worker *w)
{
	struct asked *a = &w->asked;
	struct known k = {
		.words = tunnel_words(w->ips),
		.clamps = w->dp->mss_clamp,
		.closely = w->capture != NULL,
		.hop.name = HOP_NONE,
	};
	const uint32_t epoch = w->epoch;
	uint8_t missed[BURST];
	uint16_t missed_count = 0;

	for (uint16_t i = 0; i < a->n; i++) {
		const struct decision *d = flow_lookup4(a->sets[i], &a->keys[i], epoch);
		if (likely(d != NULL))
			known_act(w, &k, a->m[i], d);
		else
			missed[missed_count++] = (uint8_t)i;
	}
	if (unlikely(missed_count))
		known_second(w, &k, missed, missed_count);
	a->n = 0;
	stage_lap(w->clock, CYCLES_DECIDE);
	outbound_flush(w);
	if (unlikely(a->returned.n))
		known_return(w);
}
