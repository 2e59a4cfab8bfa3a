/* SPDX-License-Identifier: BSD-3-Clause */
/* Plain IPv4 packets in clear whose flow the cache knows: what was decided is carried out, by an SA that is asked for
 * once for packets in a row about which the same was decided. What the cache has was let in: only what has passed the
 * classification and the check of the reverse path was ever decided, by the same port, and routes and addresses of ours
 * that come or go change the epoch. So of a packet that is known neither is asked again; of the others both are. RFC
 * 4301 5.1. */
#include "known_priv.h"

#include "forward_priv.h"

/* Packets whose flows are known, in the list `asked`, and what becomes of them. */
struct known {
	uint16_t n;
	uint16_t run_count;    /* of packets in a row about which the same was decided */
	uint8_t run_of[BURST]; /* of each packet */
	struct tunnel_run runs[BURST];
	struct decision decisions[BURST]; /* of each run */
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

/* Begins a run; returns what was decided. */
static inline const struct decision *run_begin(struct known *k, uint16_t run, const struct decision *d)
{
	k->decisions[run] = *d;
	k->runs[run].slot = d->kind == DECISION_PROTECT ? d->slot : SLOT_NONE;
	k->runs[run].number = d->number;
	return &k->decisions[run];
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
		run_begin(k, k->run_count, d);
		k->run_of[k->n] = (uint8_t)k->run_count++;
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
	const struct decision none = { .kind = DECISION_NONE }, *before = &none;
	const uint32_t epoch = w->epoch;
	uint16_t n = 0, run_count = 0, missed_count = 0;

	for (uint16_t i = 0; i < a->n; i++) {
		const struct decision *d = flow_lookup4(a->sets[i], &a->keys[i], epoch);
		if (unlikely(!d)) {
			missed_keys[missed_count] = a->keys[i];
			missed[missed_count++] = a->m[i];
			continue;
		}
		if (!decision_equal(d, before))
			before = run_begin(k, run_count++, d);
		k->run_of[n] = (uint8_t)(run_count - 1);
		a->m[n++] = a->m[i];
	}
	k->n = n;
	k->run_count = run_count;
	if (unlikely(missed_count))
		known_find_second(w, k, missed, missed_keys, missed_count);
}

/* Whether a packet's flow is inside the selectors is not known, or of others, or these have no number: the SA is asked
 * itself, and its number kept. */
static __rte_noinline bool known_takes(struct worker *w, const struct rte_mbuf *m, const struct tunnel_run *run)
{
	struct flow_key4 key;

	if (!sa_takes(run->sa, rte_pktmbuf_mtod(m, const uint8_t *)))
		return false;
	if (run->number && plain_key(m, plain_base(w, m, ORIGIN_CLEAR), &key))
		flow_number_set4(&w->flows, &key, w->epoch, run->slot, run->number);
	return true;
}

/* Into its SA. clamps: the MSS of a SYN is looked at. False: nothing has changed, and decision_act looks closer. */
static inline bool known_protect(struct worker *w, struct rte_mbuf *m, const struct tunnel_run *run, bool clamps)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	uint32_t bytes = m->data_len;

	if (unlikely(bytes > run->most || ip->time_to_live <= 1 || (clamps && tcp_may_be_syn(ip, bytes))))
		return false;
	/* those of the packets' flow that wait are not overtaken */
	if (unlikely(w->parked.count) || (unlikely(!run->inside) && !known_takes(w, m, run)))
		return false;
	ip_ttl_decrement(ip);
	protect_push(w, m, ip, bytes, run->sa);
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

static __rte_noinline void known_closer(struct worker *w, struct rte_mbuf *m, const struct decision *d, struct hop *hop)
{
	if (!known_forward(w, m, d, hop))
		decision_act(w, m, NULL, d, ORIGIN_CLEAR);
}

static inline void known_act(struct worker *w, const struct known *k)
{
	const bool clamps = w->dp->mss_clamp;
	struct hop hop = { .name = HOP_NONE };

	for (uint16_t i = 0; i < k->n; i++) {
		struct rte_mbuf *m = w->asked.m[i];
		const uint8_t run = k->run_of[i];
		if (unlikely(!known_protect(w, m, &k->runs[run], clamps)))
			known_closer(w, m, &k->decisions[run], &hop);
	}
}

void known_burst(struct worker *w)
{
	struct known k;

	known_find(w, &k);
	stage_lap(w->clock, CYCLES_DECIDE);
	tunnel_lookup_burst(w->ips, (uint8_t)w->id, k.runs, k.run_count);
	stage_lap(w->clock, CYCLES_FIND_SA);
	known_act(w, &k);
	w->asked.n = 0;
	outbound_flush(w);
}
