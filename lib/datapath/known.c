/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain IPv4 packets in clear whose flow the cache knows: what was decided is carried out, for packets in a row about
 * which the same was decided at once. What the cache has was let in: only what has passed the classification and the
 * check of the reverse path was ever decided, by the same port, and routes and addresses of ours that come or go change
 * the epoch. So of a packet that is known neither is asked again; of the others both are. RFC 4301 5.1. */
#include "known_priv.h"

#include "forward_priv.h"

/* Packets whose flows are known, in the list `asked`, and what becomes of them. */
struct known {
	uint16_t n;
	uint16_t runs;                      /* of packets in a row about which the same was decided */
	struct tunnel_run slots[BURST + 1]; /* of each run */
	struct decision decisions[BURST];   /* likewise */
	struct tunnel_found found[BURST];   /* likewise */
};

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

static inline bool decision_equal(const struct decision *a, const struct decision *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* The next packet begins a run. */
static inline void run_begin(struct known *k, const struct decision *d)
{
	k->decisions[k->runs] = *d;
	k->slots[k->runs++] = (struct tunnel_run){ .slot = d->kind == DECISION_PROTECT ? d->slot : SLOT_NONE,
		.first = k->n };
}

/* What was not in its first set: in a cache with room these are few. The rest waits for policy, or is not to go on. */
static __rte_noinline void known_find_second(
	struct worker *w, struct known *k, struct rte_mbuf **pkts, const struct flow_key4 *keys, uint16_t n)
{
	const struct flow_entry4 *sets[BURST];
	const struct list later = w->clear; /* than any of these, where it is of the same flow (asked_closed) */

	w->clear.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		sets[i] = flow_set4(&w->flows, flow_key4_hash(&w->flows, &keys[i]), 1);
		rte_prefetch0(sets[i]);
	}
	for (uint16_t i = 0; i < n; i++) {
		const struct decision *d = flow_lookup4(sets[i], &keys[i], w->epoch);
		if (!d) {
			classify_addresses(w, pkts[i]);
			continue;
		}
		run_begin(k, d);
		w->asked.m[k->n++] = pkts[i];
	}
	for (uint16_t i = 0; i < later.n; i++)
		list_push(&w->clear, later.m[i]);
}

static inline void known_find(struct worker *w, struct known *k)
{
	struct asked *a = &w->asked;
	struct flow_key4 missed_keys[BURST];
	struct rte_mbuf *missed[BURST];
	struct decision before = { .kind = DECISION_NONE };
	const uint32_t epoch = w->epoch;
	uint16_t n = a->n, missed_count = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct decision *d = flow_lookup4(a->sets[i], &a->keys[i], epoch);
		if (unlikely(!d)) {
			missed_keys[missed_count] = a->keys[i];
			missed[missed_count++] = a->m[i];
			continue;
		}
		if (!decision_equal(d, &before)) {
			before = *d;
			run_begin(k, d);
		}
		a->m[k->n++] = a->m[i];
	}
	if (unlikely(missed_count))
		known_find_second(w, k, missed, missed_keys, missed_count);
}

/* Packets in a row into their SA. */
struct known_way {
	const struct tunnel_found *found;
	uint32_t slot;
	uint16_t most; /* bytes of one that may go as it is; 0: none */
	bool inside;   /* all are inside the SA's selectors */
	bool at_syn;   /* SYNs are looked at closer */
};

/* Whether a packet's flow is inside the selectors is not known, or of others, or these have no number: the SA is asked
 * itself, and its number kept. */
static __rte_noinline bool known_takes(struct worker *w, const struct rte_mbuf *m, const struct known_way *way)
{
	const struct tunnel_found *f = way->found;
	struct flow_key4 key;

	if (!sa_takes(f->sa, rte_pktmbuf_mtod(m, const uint8_t *)))
		return false;
	if (f->number && plain_key(m, plain_base(w, m, ORIGIN_CLEAR), &key))
		flow_number_set4(&w->flows, &key, w->epoch, way->slot, f->number);
	return true;
}

/* Those of the packet's flow that wait are not overtaken. */
static inline uint16_t known_most(const struct worker *w, const struct tunnel_found *f)
{
	return unlikely(w->parked.count) ? 0 : f->most;
}

static inline struct known_way known_way_of(const struct worker *w, const struct known *k, uint16_t run)
{
	const struct tunnel_found *f = &k->found[run];

	return (struct known_way){
		.found = f,
		.slot = k->slots[run].slot,
		.most = known_most(w, f),
		.inside = f->number && f->number == k->decisions[run].number,
		.at_syn = w->dp->mss_clamp,
	};
}

/* False: nothing has changed, and decision_act looks closer. */
static inline bool known_protect(struct worker *w, struct rte_mbuf *m, const struct known_way *way)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	uint32_t bytes = m->data_len;

	if (unlikely(bytes > way->most || ip->time_to_live <= 1 || (way->at_syn && tcp_may_be_syn(ip, bytes))))
		return false;
	if (unlikely(!way->inside) && !known_takes(w, m, way))
		return false;
	ip_ttl_decrement(ip);
	protect_push(w, m, ip, bytes, way->found->sa);
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

static inline void known_act(struct worker *w, const struct known *k)
{
	struct hop hop = { .name = HOP_NONE };
	uint16_t i = 0;

	for (uint16_t run = 0; run < k->runs; run++) {
		struct known_way way = known_way_of(w, k, run);
		for (const uint16_t end = k->slots[run + 1].first; i < end; i++) {
			struct rte_mbuf *m = w->asked.m[i];
			if (likely(known_protect(w, m, &way)))
				continue;
			if (!known_forward(w, m, &k->decisions[run], &hop))
				decision_act(w, m, NULL, &k->decisions[run], ORIGIN_CLEAR);
			way.most = known_most(w, way.found);
		}
	}
}

void known_burst(struct worker *w)
{
	struct known k;

	k.n = k.runs = 0;
	known_find(w, &k);
	k.slots[k.runs].first = k.n;
	stage_lap(w->clock, CYCLES_DECIDE);
	tunnel_lookup_burst(w->ips, (uint8_t)w->id, k.slots, k.runs, k.found);
	stage_lap(w->clock, CYCLES_FIND_SA);
	known_act(w, &k);
	w->asked.n = 0;
	outbound_flush(w);
}
