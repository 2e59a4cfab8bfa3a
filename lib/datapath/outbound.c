/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy half: verdict for every packet in clear, and the way of protected ones through their SA. Fails closed: a
 * packet without a verdict that lets it pass ends here. RFC 4301 5.1. */
#include "stages_priv.h"
#include "verdict_priv.h"

void policy_lookup(const struct worker *w, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	snapshot_verdicts(w->snapshot, flows, n, ret_verdicts);
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

	if (!packet_is_ip6(m) && !ip_dont_fragment(packet_ip(m)) && !sa_takes_fragments(sa)) {
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
	uint16_t mtu = sa_inner_mtu(sa);
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

static void clear_finish(struct worker *w, struct rte_mbuf *m, enum origin origin, enum drop_reason reason)
{
	if (reason)
		worker_drop(w, m, reason);
	else
		forward_packet(w, m, origin);
}

static inline bool source_is_there(const struct worker *w, const struct rte_mbuf *m)
{
	const struct route *r = packet_is_ip6(m) ? route6_lookup(&w->snapshot->routes6, ip6_source(packet_ip6(m)))
						 : route_lookup(&w->snapshot->routes, packet_ip(m)->src_addr);

	return route_leads_behind(r, m->port);
}

static bool is_from_the_peers_side(const struct worker *w, const struct rte_mbuf *m, uint32_t slot)
{
	const struct sa *sa = tunnel_lookup(w->ips, slot);

	return sa && sa_path(sa)->port == m->port;
}

static inline enum drop_reason protect_check(const struct worker *w, const struct rte_mbuf *m,
	const struct spd_verdict *leaving, const struct spd_verdict *arriving, enum origin origin)
{
	if (origin != ORIGIN_CLEAR)
		return DROP_NONE;
	return protect_verdict(leaving, arriving,
		is_protect(arriving) && is_from_the_peers_side(w, m, leaving->tunnel_slot), source_is_there(w, m));
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
	reason = protect_check(w, m, leaving, arriving, origin);
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
	if (tunnelled_protects(leaving, from_slot))
		protect(w, m, flow, leaving->tunnel_slot, ORIGIN_TUNNEL);
	else
		clear_finish(w, m, ORIGIN_TUNNEL, tunnelled_verdict(leaving));
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
