/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy half: verdict for every packet in clear, and the way of protected ones through their SA. Fails closed: a
 * packet without a verdict that lets it pass ends here. RFC 4301 5.1. */
#include "stages_priv.h"

void policy_lookup(const struct worker *w, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	if (likely(w->snapshot->spd != NULL))
		spd_lookup(w->snapshot->spd, flows, n, ret_verdicts);
	else
		memset(ret_verdicts, 0, n * sizeof(*ret_verdicts));
}

static void protected_drop(struct worker *w, struct burst_item *item)
{
	if (item->drop == DROP_SEQUENCE || item->drop == DROP_EXPIRED)
		event_sa_flags(w, sa_spi(item->sa));
	worker_drop(w, item->m, (enum drop_reason)item->drop);
}

void outbound_flush(struct worker *w)
{
	uint16_t n = w->protect_count, good;

	if (!n)
		return;
	w->protect_count = 0;
	good = burst_out(w->crypto, w->protect, n);
	for (uint16_t i = 0; i < good; i++) {
		const struct path *path = sa_path(w->protect[i].sa);
		forward_egress(w, w->protect[i].m, path->port, path->neighbour, false);
	}
	for (uint16_t i = good; i < n; i++)
		protected_drop(w, &w->protect[i]);
	worker_count(w, DP_C_ENCAP, good);
}

static inline void protect_push(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	w->protect[w->protect_count++] = (struct burst_item){ .m = m, .sa = sa };
	if (w->protect_count == BURST)
		outbound_flush(w);
}

/* RFC 4301 8: DF set is answered with what fits inside; else fragments go through the SA one by one. IPv6 packets are
 * never fragmented on their way. */
static void protect_too_big(struct worker *w, struct rte_mbuf *m, struct sa *sa, enum origin origin, uint16_t mtu)
{
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	uint16_t n;

	if (fragment_allowed(w, m, origin) && !sa_takes_fragments(sa)) {
		/* RFC 4301 7, RFC 4303 3.3.4: the peer could not take them */
		worker_drop(w, m, DROP_TOO_BIG);
		return;
	}
	n = fragment_or_answer(w, m, origin, mtu, fragments);
	for (uint16_t i = 0; i < n; i++)
		protect_push(w, fragments[i], sa);
}

/* The SA of the slot when this worker may use it for the packet; else the packet has gone elsewhere. */
static inline struct sa *sa_for(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, uint32_t slot, enum origin origin)
{
	const struct note note = { .stage = STAGE_CLEAR, .origin = (uint8_t)origin };
	struct sa *sa = tunnel_lookup(w->ips, slot);

	if (unlikely(!sa)) {
		event_no_sa(w, slot);
		worker_drop(w, m, DROP_NO_SA);
		return NULL;
	}
	uint8_t owner = sa_owner(sa);
	if (unlikely(owner == WORKER_NONE))
		owner = sa_claim(sa, (uint8_t)w->id);
	if (owner != w->id) {
		handoff_push(w, m, owner, &note);
		return NULL;
	}
	if (unlikely(!sa_selectors_match(sa, flow))) {
		sa_count_drop(sa, DROP_SELECTOR_OUT);
		worker_drop(w, m, DROP_SELECTOR_OUT);
		return NULL;
	}
	return sa;
}

static inline void protect(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, uint32_t slot, enum origin origin)
{
	struct sa *sa = sa_for(w, m, flow, slot, origin);

	if (!sa)
		return;
	if (origin_forwarded(origin) && unlikely(packet_ttl(m) <= 1)) {
		icmp_error_send(w, m, origin, ICMP_ERROR_TTL, 0, DROP_TTL);
		return;
	}
	uint16_t mtu = sa_inner_mtu(sa), cut = packet_mtu(w, m, mtu);
	if (unlikely(cut != mtu) && sa_takes_fragments(sa))
		mtu = cut;
	if (unlikely(m->data_len > mtu)) {
		protect_too_big(w, m, sa, origin, mtu);
		return;
	}
	if (origin_forwarded(origin))
		packet_ttl_decrement(m);
	if (flow->protocol == IPPROTO_TCP && w->dp->mss_clamp &&
		mss_clamp(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, mtu))
		worker_count(w, DP_C_MSS_CLAMPED, 1);
	protect_push(w, m, sa);
}

/* What becomes of a packet that no outbound rule protects. A gateway in the middle sees it from both sides: leaving
 * (local = source) and arriving (local = destination). Inbound protection wins; of the rest, the earlier rule. */
static inline enum drop_reason clear_verdict(const struct spd_verdict *leaving, const struct spd_verdict *arriving)
{
	const struct spd_verdict *first = leaving;

	if (arriving->matched && arriving->action == SPD_PROTECT)
		return DROP_INBOUND_CLEAR;
	if (!leaving->matched || (arriving->matched && arriving->rule < leaving->rule))
		first = arriving;
	if (!first->matched)
		return DROP_NO_POLICY;
	return first->action == SPD_BYPASS ? DROP_NONE : DROP_DISCARD;
}

/* Our own answer to a packet that policy let come in clear goes back the same way unless a rule forbids it. It quotes
 * the packet: what came out of a tunnel is answered through a tunnel or not at all. */
static inline enum drop_reason own_verdict(const struct spd_verdict *leaving, enum origin origin)
{
	if (leaving->matched && leaving->action == SPD_DISCARD)
		return DROP_DISCARD;
	return origin == ORIGIN_OWN_CLEAR ? DROP_NONE : DROP_NO_POLICY;
}

static void clear_finish(struct worker *w, struct rte_mbuf *m, enum origin origin, enum drop_reason reason)
{
	if (reason)
		worker_drop(w, m, reason);
	else
		forward_packet(w, m, origin);
}

static inline bool is_protect(const struct spd_verdict *v)
{
	return v->matched && v->action == SPD_PROTECT;
}

/* A packet that came in clear gets our protection only on the port behind which its source is: nobody else may speak in
 * its name to the peer. */
static inline bool source_is_there(const struct worker *w, const struct rte_mbuf *m)
{
	const struct route *r = packet_is_ip6(m) ? route6_lookup(&w->snapshot->routes6, ip6_source(packet_ip6(m)))
						 : route_lookup(&w->snapshot->routes, packet_ip(m)->src_addr);

	return (r->kind == ROUTE_CONNECTED || r->kind == ROUTE_VIA) && r->port == m->port;
}

/* A rule whose sides overlap matches both ways, and the port decides which it was: by the one that leads to the peer,
 * the packet should have come out of the tunnel. */
static bool is_from_the_peers_side(const struct worker *w, const struct rte_mbuf *m, uint32_t slot)
{
	const struct sa *sa = tunnel_lookup(w->ips, slot);

	return sa && sa_path(sa)->port == m->port;
}

/* NONE: into the tunnel that leaving names. RFC 4301 5.2: what a tunnel should have brought must not come in clear. */
static inline enum drop_reason protect_verdict(const struct worker *w, const struct rte_mbuf *m,
	const struct spd_verdict *leaving, const struct spd_verdict *arriving, enum origin origin)
{
	if (origin != ORIGIN_CLEAR)
		return DROP_NONE;
	if (is_protect(arriving) &&
		(arriving->tunnel_slot != leaving->tunnel_slot || is_from_the_peers_side(w, m, leaving->tunnel_slot)))
		return DROP_INBOUND_CLEAR;
	return source_is_there(w, m) ? DROP_NONE : DROP_MARTIAN;
}

/* The same packets seen from their destination, when that can make a difference. */
static void arriving_lookup(const struct worker *w, struct rte_mbuf **pkts, const struct spd_verdict *leaving,
	uint16_t n, struct spd_verdict *ret_arriving)
{
	bool needed = w->snapshot->protects_both_ways;
	struct flow flows[BURST];

	for (uint16_t i = 0; i < n && !needed; i++)
		needed = !is_protect(&leaving[i]);
	if (!needed) {
		memset(ret_arriving, 0, n * sizeof(*ret_arriving));
		return;
	}
	for (uint16_t i = 0; i < n; i++)
		packet_flow(pkts[i], false, &flows[i]);
	policy_lookup(w, flows, n, ret_arriving);
}

static inline void clear_dispatch(struct worker *w, struct rte_mbuf *m, const struct flow *flow,
	const struct spd_verdict *leaving, const struct spd_verdict *arriving, enum origin origin)
{
	enum drop_reason reason;

	if (!is_protect(leaving)) {
		reason = origin_forwarded(origin) ? clear_verdict(leaving, arriving) : own_verdict(leaving, origin);
		clear_finish(w, m, origin, reason);
		return;
	}
	reason = protect_verdict(w, m, leaving, arriving, origin);
	if (unlikely(reason))
		worker_drop(w, m, reason);
	else
		protect(w, m, flow, leaving->tunnel_slot, origin);
}

void outbound_clear(struct worker *w, struct list *l, enum origin origin)
{
	struct spd_verdict leaving[BURST], arriving[BURST];
	struct flow flows[BURST];
	uint16_t n = l->n;

	if (!n)
		return;
	l->n = 0;
	for (uint16_t i = 0; i < n; i++)
		packet_flow(l->m[i], true, &flows[i]);
	policy_lookup(w, flows, n, leaving);
	if (origin == ORIGIN_CLEAR)
		arriving_lookup(w, l->m, leaving, n, arriving);
	for (uint16_t i = 0; i < n; i++)
		clear_dispatch(w, l->m[i], &flows[i], &leaving[i], &arriving[i], origin);
	outbound_flush(w);
}

/* What came out of a tunnel was checked against that tunnel's selectors; it leaves under the policy of everything that
 * leaves (RFC 4301 5.1): into another tunnel, or in clear unless a rule forbids it. */
static inline void tunnelled_dispatch(struct worker *w, struct rte_mbuf *m, const struct flow *flow,
	const struct spd_verdict *leaving, uint32_t from_slot)
{
	if (is_protect(leaving) && leaving->tunnel_slot != from_slot)
		protect(w, m, flow, leaving->tunnel_slot, ORIGIN_TUNNEL);
	else if (leaving->matched && leaving->action == SPD_DISCARD)
		worker_drop(w, m, DROP_DISCARD);
	else
		forward_packet(w, m, ORIGIN_TUNNEL);
}

void outbound_tunnelled(struct worker *w)
{
	struct spd_verdict leaving[BURST];
	struct flow flows[BURST];
	uint16_t n = w->inner.n;

	if (!n)
		return;
	w->inner.n = 0;
	for (uint16_t i = 0; i < n; i++)
		packet_flow(w->inner.m[i], true, &flows[i]);
	policy_lookup(w, flows, n, leaving);
	for (uint16_t i = 0; i < n; i++)
		tunnelled_dispatch(w, w->inner.m[i], &flows[i], &leaving[i], w->inner_slot[i]);
	outbound_flush(w);
}
