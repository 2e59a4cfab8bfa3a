/* SPDX-License-Identifier: BSD-3-Clause */
/* What becomes of packets in clear, a burst at a time: what the flow cache knows, and for the rest the compiled
 * policies seen from both sides, routes, and which child of a tunnel. Fails closed: what no rule lets pass is a drop.
 */
#include "decide_priv.h"
#include "verdict_priv.h"

/* The packets of a burst the cache did not know, by their place in it. */
struct misses {
	uint16_t n;
	bool remembered; /* what is decided about them goes into the cache */
	uint8_t place[BURST];
	uint64_t hash[BURST]; /* of their keys, when remembered */
};

/* ---- the cache ---- */

/* Where a flow's decision would be first, and what it is found by: of IPv6, whose keys are longer, that is read again.
 */
struct question {
	const void *set;
	uint64_t hash;
	struct flow_key4 key;
};

/* A set the question's flow may be in is on its way. */
static inline void choice_prefetch(const struct flow_cache *c, struct question *q, bool ip6, unsigned choice)
{
	q->set = ip6 ? (const void *)flow_set6(c, q->hash, choice) : (const void *)flow_set4(c, q->hash, choice);
	rte_prefetch0(q->set);
}

static void remember(
	struct worker *w, uint64_t hash, const struct flow *f, uint8_t context, const struct decision *decision)
{
	if (f->family != ADDR_IPV6) {
		struct flow_key4 k = flow_key4_of(f, context);
		flow_insert4(&w->flows, hash, &k, w->epoch, decision);
	} else {
		struct flow_key6 k = flow_key6_of(f, context);
		flow_insert6(&w->flows, hash, &k, w->epoch, decision);
	}
}

static inline void question_make(
	const struct flow_cache *c, const struct flow *f, uint8_t context, struct question *ret_question)
{
	if (likely(f->family != ADDR_IPV6)) {
		ret_question->key = flow_key4_of(f, context);
		ret_question->hash = flow_key4_hash(c, &ret_question->key);
	} else {
		struct flow_key6 k = flow_key6_of(f, context);
		ret_question->hash = flow_key6_hash(c, &k);
	}
	choice_prefetch(c, ret_question, f->family == ADDR_IPV6, 0);
}

static __rte_noinline const struct decision *cached6(
	const void *set, const struct flow *f, uint8_t context, uint32_t epoch)
{
	struct flow_key6 k = flow_key6_of(f, context);

	return flow_lookup6(set, &k, epoch);
}

/* The first sets of all are on their way before one is looked at. */
static void questions_prefetch(struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin,
	const struct flow *flows, struct question *ret_questions)
{
	for (uint16_t i = 0; i < n; i++)
		question_make(&w->flows, &flows[i], context_of(pkts[i], origin), &ret_questions[i]);
}

static inline const struct decision *question_ask(
	const struct worker *w, const struct flow *f, uint8_t context, const struct question *q)
{
	if (likely(f->family != ADDR_IPV6))
		return flow_lookup4(q->set, &q->key, w->epoch);
	return cached6(q->set, f, context, w->epoch);
}

/* What was not in its first set; in a cache with room these are few. */
static __rte_noinline void cache_ask_second(struct worker *w, struct rte_mbuf **pkts, enum origin origin,
	struct deciding *d, struct question *questions, struct misses *missed)
{
	uint16_t asked = missed->n;

	missed->n = 0;
	for (uint16_t a = 0; a < asked; a++) {
		uint16_t i = missed->place[a];
		choice_prefetch(&w->flows, &questions[i], d->flows[i].family == ADDR_IPV6, 1);
	}
	for (uint16_t a = 0; a < asked; a++) {
		uint16_t i = missed->place[a];
		const struct decision *known = question_ask(
			w, &d->flows[i], context_of(pkts[i], origin), &questions[i]);
		if (known) {
			d->decisions[i] = *known;
			continue;
		}
		missed->hash[missed->n] = questions[i].hash;
		missed->place[missed->n++] = (uint8_t)i;
	}
}

static void cache_ask(struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct deciding *d,
	struct misses *ret_misses)
{
	struct question questions[BURST];

	ret_misses->remembered = true;
	questions_prefetch(w, pkts, n, origin, d->flows, questions);
	for (uint16_t i = 0; i < n; i++) {
		const struct decision *known = question_ask(
			w, &d->flows[i], context_of(pkts[i], origin), &questions[i]);
		if (likely(known != NULL))
			d->decisions[i] = *known;
		else
			ret_misses->place[ret_misses->n++] = (uint8_t)i;
	}
	if (unlikely(ret_misses->n))
		cache_ask_second(w, pkts, origin, d, questions, ret_misses);
}

static void all_miss(uint16_t n, struct misses *ret_misses)
{
	ret_misses->n = n;
	for (uint16_t i = 0; i < n; i++)
		ret_misses->place[i] = (uint8_t)i;
}

/* ---- policy ---- */

/* The port leads to the peer of the SA in this slot. */
static bool is_from_the_peers_side(const struct worker *w, const struct rte_mbuf *m, uint32_t slot)
{
	struct flow arriving;
	packet_flow(w->dp, m, false, &arriving);
	const struct sa *sa = tunnel_lookup(w->ips, tunnel_child_lookup(w->ips, slot, &arriving));

	return sa && sa_path(sa)->port == m->port;
}

static struct decision drop_decision(enum drop_reason reason)
{
	return (struct decision){ .kind = DECISION_DROP, .reason = (uint8_t)reason };
}

static struct decision forward_decision(const struct worker *w, const struct rte_mbuf *m)
{
	const struct route *r = packet_route(w, m);

	return (struct decision){
		.kind = DECISION_FORWARD, .route_kind = r->kind, .port = (uint8_t)r->port, .neighbour = r->neighbour
	};
}

uint16_t decision_number(const struct worker *w, uint32_t slot, const struct flow *flow)
{
	const struct sa *sa = tunnel_lookup(w->ips, slot);

	return sa && sa_owner(sa) == w->id ? sa_selectors_number(sa, flow) : 0;
}

static struct decision protect_decision(const struct worker *w, const struct flow *f, uint32_t tunnel)
{
	uint32_t slot = tunnel_child_lookup(w->ips, tunnel, f);

	return (struct decision){
		.kind = DECISION_PROTECT, .slot = slot, .tunnel = tunnel, .number = decision_number(w, slot, f)
	};
}

static struct decision clear_decision(const struct worker *w, const struct rte_mbuf *m, enum drop_reason reason)
{
	return reason ? drop_decision(reason) : forward_decision(w, m);
}

/* RFC 4301 5.1.1: only who is where his address is hears of it, or errors could be aimed at others. */
static bool is_told(const struct worker *w, const struct rte_mbuf *m, const struct spd_verdict *leaving,
	const struct spd_verdict *arriving)
{
	return w->dp->icmp.prohibited && discards_leaving(leaving, arriving) &&
	       route_leads_behind(packet_source_route(w, m), m->port);
}

/* That no rule protects, of either origin. */
static struct decision decide_unprotected(const struct worker *w, const struct rte_mbuf *m,
	const struct spd_verdict *leaving, const struct spd_verdict *arriving, enum origin origin)
{
	struct decision d;

	if (!origin_forwarded(origin))
		return clear_decision(w, m, own_verdict(leaving, origin));
	d = clear_decision(w, m, clear_verdict(leaving, arriving));
	if (d.kind == DECISION_DROP && d.reason == DROP_DISCARD && is_told(w, m, leaving, arriving))
		d.kind = DECISION_REFUSE;
	return d;
}

/* Of a packet that arrived in clear or was made here. */
static struct decision decide_clear(const struct worker *w, const struct rte_mbuf *m, const struct flow *f,
	const struct spd_verdict *leaving, const struct spd_verdict *arriving, enum origin origin)
{
	enum drop_reason reason = DROP_NONE;

	/* nobody speaks in our name to others, who would charge us */
	if (origin == ORIGIN_CLEAR && source_own(w->dp, m))
		return drop_decision(DROP_MARTIAN);
	if (!is_protect(leaving))
		return decide_unprotected(w, m, leaving, arriving, origin);
	if (origin == ORIGIN_CLEAR)
		reason = protect_verdict(leaving, arriving, is_from_the_peers_side(w, m, leaving->tunnel_slot),
			route_leads_behind(packet_source_route(w, m), m->port));
	return reason ? drop_decision(reason) : protect_decision(w, f, leaving->tunnel_slot);
}

/* What came out of a tunnel was checked against that tunnel's selectors; it leaves under the policy of everything that
 * leaves (RFC 4301 5.1): into another tunnel, or in clear unless a rule forbids it. */
static struct decision decide_tunnelled(
	const struct worker *w, const struct rte_mbuf *m, const struct flow *f, const struct spd_verdict *leaving)
{
	struct decision d;

	if (is_protect(leaving))
		return protect_decision(w, f, leaving->tunnel_slot);
	d = clear_decision(w, m, tunnelled_verdict(leaving));
	/* it goes on although no rule says so */
	if (!leaving->matched)
		d.reason = DROP_NO_POLICY;
	return d;
}

/* With a rule whose sides overlap it depends on where its SA's peer is, which no epoch knows of. */
static inline bool is_lasting(const struct spd_verdict *leaving, const struct spd_verdict *arriving)
{
	return !(is_protect(leaving) && is_protect(arriving) && leaving->tunnel_slot == arriving->tunnel_slot);
}

/* The same packets seen from their destination, when that can make a difference. */
static void arriving_lookup(const struct worker *w, struct rte_mbuf **pkts, const struct misses *missed,
	const struct spd_verdict *leaving, struct spd_verdict *ret_arriving)
{
	bool needed = w->snapshot->policies->protects_both_ways;
	struct flow flows[BURST];

	for (uint16_t i = 0; i < missed->n && !needed; i++)
		needed = !is_protect(&leaving[i]);
	memset(ret_arriving, 0, missed->n * sizeof(*ret_arriving));
	if (!needed)
		return;
	for (uint16_t i = 0; i < missed->n; i++)
		packet_flow(w->dp, pkts[missed->place[i]], false, &flows[i]);
	policy_lookup(w, flows, missed->n, ret_arriving);
}

static void policy_ask(struct worker *w, struct rte_mbuf **pkts, enum origin origin, const struct flow *flows,
	const struct misses *missed, struct decision *ret_decisions)
{
	struct spd_verdict leaving[BURST], arriving[BURST] = { 0 };
	struct flow missed_flows[BURST];

	for (uint16_t i = 0; i < missed->n; i++)
		missed_flows[i] = flows[missed->place[i]];
	policy_lookup(w, missed_flows, missed->n, leaving);
	if (origin == ORIGIN_CLEAR)
		arriving_lookup(w, pkts, missed, leaving, arriving);
	for (uint16_t i = 0; i < missed->n; i++) {
		struct rte_mbuf *m = pkts[missed->place[i]];
		const struct flow *f = &missed_flows[i];
		struct decision *d = &ret_decisions[missed->place[i]];
		*d = origin == ORIGIN_TUNNEL ? decide_tunnelled(w, m, f, &leaving[i])
					     : decide_clear(w, m, f, &leaving[i], &arriving[i], origin);
		if (missed->remembered && is_lasting(&leaving[i], &arriving[i]))
			remember(w, missed->hash[i], f, context_of(m, origin), d);
	}
}

/* Without an SA none is made for such an error (RFC 4301 6.2). */
static struct decision quoted_decision(const struct worker *w, const struct flow *about, uint32_t tunnel)
{
	struct decision d = protect_decision(w, about, tunnel);

	d.reason = DROP_NO_SA;
	return d;
}

/* An ICMP error that would go no further, or on in clear. What comes from the side where the quoted packet's receiver
 * is goes to its sender through their tunnel; what comes from anywhere else about protected traffic is nobody's word
 * (RFC 4301 6.1.1, 6.2). Decided for each packet, as the quoted one is no part of a flow's key. */
static void icmp_decide(
	const struct worker *w, const struct rte_mbuf *m, enum origin origin, struct flow *flow, struct decision *d)
{
	struct flow about;
	uint32_t slot;

	if (d->reason == DROP_NO_POLICY && icmp_flow_lookup(w, m, true, &about, &slot)) {
		bool there = route_leads_behind(packet_source_route(w, m), m->port) &&
			     icmp_flow_local_there(w, m, &about);
		*d = origin != ORIGIN_CLEAR || there ? quoted_decision(w, &about, slot) : drop_decision(DROP_MARTIAN);
		*flow = about;
		return;
	}
	if (origin == ORIGIN_CLEAR && (d->reason == DROP_NONE || d->reason == DROP_NO_POLICY) &&
		icmp_flow_lookup(w, m, false, &about, &slot))
		*d = drop_decision(DROP_ICMP_UNPROTECTED);
}

void decide_burst(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct deciding *ret_deciding)
{
	struct misses missed = { .n = 0 };
	struct deciding *d = ret_deciding;

	for (uint16_t i = 0; i < n; i++)
		packet_flow(w->dp, pkts[i], true, &d->flows[i]);
	if (likely(origin_forwarded(origin) && w->flows.four))
		cache_ask(w, pkts, n, origin, d, &missed);
	else
		all_miss(n, &missed);
	if (unlikely(missed.n)) {
		worker_count(w, DP_C_FLOW_MISS, missed.n);
		policy_ask(w, pkts, origin, d->flows, &missed, d->decisions);
	}
	for (uint16_t i = 0; i < n; i++)
		if (unlikely(d->decisions[i].kind != DECISION_PROTECT && icmp_may_be_error(&d->flows[i])))
			icmp_decide(w, pkts[i], origin, &d->flows[i], &d->decisions[i]);
}
