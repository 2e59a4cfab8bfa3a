/* SPDX-License-Identifier: BSD-3-Clause */
/* The outbound half: what was decided about each packet in clear (decide.c) is carried out, and protected ones go
 * through their SA. RFC 4301 5.1, 8. */
#include "decide_priv.h"
#include "forward_priv.h"
#include "verdict_priv.h"

void policy_lookup(const struct worker *w, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	snapshot_verdicts(w->snapshot, flows, n, ret_verdicts);
}

static void protected_end(struct worker *w, struct burst_item *item)
{
	if (!item->drop) {
		packet_ttl_restore(item->m);
		list_push(&w->asked.returned, item->m);
		return;
	}
	if (item->drop == DROP_SEQUENCE || item->drop == DROP_EXPIRED)
		event_sa_flags(w, sa_spi(item->sa));
	worker_drop(w, item->m, (enum drop_reason)item->drop);
}

/* The headers of links for what is sealed. */
struct sealed_framing {
	struct framing framing;
	struct worker *w;
	struct hop hop; /* the one that was asked for last */
};

static const struct frame_head *sealed_head(struct framing *framing, const struct egress *to)
{
	struct sealed_framing *f = container_of(framing, struct sealed_framing, framing);

	hop_take(f->w, ROUTE_VIA, to->port, to->neighbour, &f->hop);
	return &f->hop.head;
}

/* On its SA's path. */
static __rte_noinline void sealed_egress(struct worker *w, struct rte_mbuf *m, const struct path *path)
{
	if (unlikely(m->data_len > path->mtu))
		oversize_send(w, m, path);
	else
		forward_egress(w, m, path->port, path->neighbour, false);
}

static inline void sealed_send(struct worker *w, const struct burst_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t port = items[i].framed_port;
		if (likely(port != FRAMED_NONE))
			frame_list_push(w, items[i].m, &w->tx[port], port);
		else
			sealed_egress(w, items[i].m, sa_path(items[i].sa));
	}
}

void outbound_flush(struct worker *w)
{
	struct sealed_framing framing;
	const bool plain = !w->protect_mixed;
	uint16_t n = w->protect_count, good;

	stage_lap(w->clock, CYCLES_FORWARD);
	if (!n)
		return;
	w->protect_count = 0;
	w->protect_mixed = false;
	framing.framing.head = sealed_head;
	framing.w = w;
	if (unlikely(w->capture != NULL))
		capture_before(w, w->protect, n, true);
	/* what is captured begins at its IP header */
	good = burst_out_framed(w->crypto, w->protect, n, plain, likely(!w->capture) ? &framing.framing : NULL);
	if (unlikely(w->capture != NULL))
		capture_after(w, w->protect, good, n, true);
	if (unlikely(w->trace != NULL))
		trace_items(w, w->protect, good, TRACE_ENCRYPTED);
	sealed_send(w, w->protect, good);
	for (uint16_t i = good; i < n; i++)
		protected_end(w, &w->protect[i]);
	worker_count(w, DP_C_ENCAP, good);
	stage_lap(w->clock, CYCLES_FORWARD);
}

/* A packet of any kind. */
static inline void protect_push_any(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	w->protect_mixed = true;
	protect_push(w, m, packet_ip(m), m->data_len, sa, 0);
}

/* RFC 4301 8: DF set is answered with what fits inside; else fragments go through the SA one by one. IPv6 packets are
 * never fragmented on their way, and nobody is told of less than every link of theirs carries (RFC 8200 5). */
static __rte_noinline void protect_too_big(
	struct worker *w, struct rte_mbuf *m, struct sa *sa, enum origin origin, uint16_t mtu)
{
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	uint16_t n;

	if (packet_is_ip6(m))
		mtu = RTE_MAX(mtu, (uint16_t)RTE_IPV6_MIN_MTU);
	n = fragment_or_answer(w, m, origin, mtu, fragments);
	for (uint16_t i = 0; i < n; i++)
		protect_push_any(w, fragments[i], sa);
}

/* A worker that has been taken out of service claims for the first one, which always serves. */
static uint8_t sa_claim_turn(const struct worker *w, struct sa *sa)
{
	return owner_turn(sa_claim(sa, w->id < w->active ? (uint8_t)w->id : 0), (uint8_t)w->id);
}

static __rte_noinline void refuse(struct worker *w, struct rte_mbuf *m, uint32_t slot, enum drop_reason reason)
{
	if (unlikely(w->capture != NULL))
		capture_refused(w, m, slot, reason);
	worker_drop(w, m, reason);
}

/* Not the first SA of its slot: one behind it; or the child has gone since the decision was made, its slot may be
 * another's, and it is looked for once more. Only children that an SA hides from this flow change the epoch. */
static __rte_noinline struct sa *decided_again(
	struct worker *w, const struct flow *flow, struct decision *d, struct sa *first, bool *ret_fits)
{
	struct sa *sa = tunnel_select(first, flow);

	if (!sa && (!first || d->slot != d->tunnel)) {
		d->slot = tunnel_child_lookup(w->ips, d->tunnel, flow);
		first = tunnel_lookup(w->ips, d->slot);
		sa = tunnel_select(first, flow);
	}
	*ret_fits = sa;
	return sa ? sa : first;
}

/* The SA of a decision and whether the packet fits it. */
static inline struct sa *decided_sa(struct worker *w, const struct flow *flow, struct decision *d, bool *ret_fits)
{
	struct sa *sa = tunnel_lookup(w->ips, d->slot);

	*ret_fits = likely(sa != NULL) && sa_selectors_match(sa, flow);
	if (likely(*ret_fits))
		return sa;
	return decided_again(w, flow, d, sa, ret_fits);
}

/* unfit: an SA of this worker that is there, but not for this flow; NULL: none is. */
static __rte_noinline void no_sa(struct worker *w, struct rte_mbuf *m, const struct flow *flow,
	const struct decision *d, struct sa *unfit, enum origin origin)
{
	struct await_note note = { .origin = (uint8_t)origin, .reason = unfit ? DROP_SELECTOR_OUT : DROP_NO_SA };

	if (d->reason != DROP_NO_SA) {
		note.told = event_no_sa(w, d->tunnel, flow);
		if (await_push(w, m, flow, d->tunnel, &note))
			return;
	}
	if (unfit)
		sa_count_drop(unfit, DROP_SELECTOR_OUT);
	refuse(w, m, d->tunnel, (enum drop_reason)note.reason);
}

/* An SA that is not this worker's: true when it is from now on, else the packet has gone to its owner. */
static __rte_noinline bool sa_claim_or_hand_on(
	struct worker *w, struct rte_mbuf *m, struct sa *sa, uint8_t owner, uint32_t slot, enum origin origin)
{
	const struct note note = { .stage = STAGE_CLEAR, .origin = (uint8_t)origin };
	uint8_t turn = owner_turn(owner, (uint8_t)w->id);

	if (packet_waits(w, parked_for_slot(slot)))
		turn = WORKER_MOVING;
	else if (turn == WORKER_NONE)
		turn = sa_claim_turn(w, sa);
	if (turn == w->id)
		return true;
	handoff_turn(w, m, turn, &note, parked_for_slot(slot));
	return false;
}

/* The SA when this worker may use it for the packet; else the packet has gone elsewhere. */
static inline struct sa *sa_for(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, struct decision *d, enum origin origin)
{
	bool fits;
	struct sa *sa = decided_sa(w, flow, d, &fits);

	if (unlikely(!sa)) {
		no_sa(w, m, flow, d, NULL, origin);
		return NULL;
	}
	uint8_t owner = sa_owner(sa);
	if (unlikely(owner != w->id || w->parked.count) && !sa_claim_or_hand_on(w, m, sa, owner, d->slot, origin))
		return NULL;
	if (unlikely(!fits)) {
		no_sa(w, m, flow, d, sa, origin);
		return NULL;
	}
	return sa;
}

static void protect(struct worker *w, struct rte_mbuf *m, const struct flow *flow, const struct decision *decision,
	enum origin origin)
{
	struct decision d = *decision;
	struct sa *sa = sa_for(w, m, flow, &d, origin);

	if (!sa)
		return;
	if (origin_forwarded(origin) && unlikely(packet_ttl(m) <= 1)) {
		icmp_error_send(w, m, origin, ICMP_ERROR_TTL, 0, DROP_TTL);
		return;
	}
	uint16_t mtu = sa_inner_mtu(sa);
	if (unlikely(packet_was_joined(w, m)) && sa_takes_fragments(sa))
		mtu = packet_mtu(w, m, mtu);
	if (unlikely(m->data_len > mtu && !oversize_sealed_whole(w, m, sa, origin))) {
		protect_too_big(w, m, sa, origin, mtu);
		return;
	}
	if (origin_forwarded(origin))
		packet_ttl_decrement(m);
	if (flow->protocol == IPPROTO_TCP && w->dp->mss_clamp &&
		mss_clamp(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, mtu))
		worker_count(w, DP_C_MSS_CLAMPED, 1);
	protect_push_any(w, m, sa);
}

void decision_act(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, const struct decision *d, enum origin origin)
{
	const struct route route = { .kind = d->route_kind, .port = d->port, .neighbour = d->neighbour };

	if (likely(d->kind == DECISION_PROTECT))
		protect(w, m, flow, d, origin);
	else if (d->kind == DECISION_FORWARD)
		forward_along(w, m, origin, &route);
	else if (d->kind == DECISION_REFUSE)
		icmp_error_send(w, m, origin, ICMP_ERROR_PROHIBITED, 0, (enum drop_reason)d->reason);
	else
		worker_drop(w, m, (enum drop_reason)d->reason);
}

void outbound_clear(struct worker *w, struct list *l, enum origin origin)
{
	struct deciding deciding;
	uint16_t n = l->n;

	if (!n)
		return;
	l->n = 0;
	if (unlikely(w->trace != NULL))
		trace_packets(w, l->m, n, TRACE_CLEAR, (uint16_t)origin);
	decide_burst(w, l->m, n, origin, &deciding);
	stage_lap(w->clock, CYCLES_DECIDE);
	if (unlikely(w->trace != NULL))
		trace_decisions(w, l->m, deciding.decisions, n);
	for (uint16_t i = 0; i < n; i++)
		decision_act(w, l->m[i], &deciding.flows[i], &deciding.decisions[i], origin);
	outbound_flush(w);
}

static void claimed_back(struct worker *w, struct rte_mbuf *m, uint32_t slot)
{
	const struct route *r = packet_route(w, m);
	enum drop_reason reason = claimed_back_verdict(r, tunnel_lookup(w->ips, slot));

	if (reason)
		worker_drop(w, m, reason);
	else
		forward_along(w, m, ORIGIN_TUNNEL, r);
}

static __rte_noinline bool goes_to_another_peer(
	const struct worker *w, const struct rte_mbuf *m, const struct flow *leaving, uint32_t tunnel)
{
	struct flow arriving;

	packet_flow(w->dp, m, false, &arriving);
	return is_between_peers(w->ips, tunnel, leaving, &arriving);
}

/* By a rule that leads back into the tunnel it came out of, and not to another peer of that. */
static inline bool is_claimed_back(const struct worker *w, const struct deciding *deciding, uint16_t i)
{
	const struct decision *d = &deciding->decisions[i];

	return d->kind == DECISION_PROTECT && d->tunnel == w->inner_slot[i] &&
	       !goes_to_another_peer(w, w->inner.m[i], &deciding->flows[i], d->tunnel);
}

void outbound_tunnelled(struct worker *w)
{
	struct deciding deciding;
	uint16_t n = w->inner.n;

	if (!n)
		return;
	w->inner.n = 0;
	if (unlikely(w->trace != NULL))
		trace_inner(w, w->inner.m, w->inner_slot, n);
	decide_burst(w, w->inner.m, n, ORIGIN_TUNNEL, &deciding);
	stage_lap(w->clock, CYCLES_DECIDE);
	if (unlikely(w->trace != NULL))
		trace_decisions(w, w->inner.m, deciding.decisions, n);
	for (uint16_t i = 0; i < n; i++) {
		const struct decision *d = &deciding.decisions[i];
		if (unlikely(is_sent_back(w->inner.m[i], d)))
			worker_drop(w, w->inner.m[i], DROP_NO_POLICY);
		else if (unlikely(is_claimed_back(w, &deciding, i)))
			claimed_back(w, w->inner.m[i], d->slot);
		else
			decision_act(w, w->inner.m[i], &deciding.flows[i], d, ORIGIN_TUNNEL);
	}
	outbound_flush(w);
}
