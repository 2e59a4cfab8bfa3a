/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets between workers: collected per receiver in a loop, pushed in one go at its end, sorted into the receiver's
 * own lists. The receiver looks everything up again. A full ring is a counted drop. */
#include "known_priv.h"

static void receiver_flush(struct worker *w, uint16_t to)
{
	struct list *l = &w->handoff[to];
	struct rte_ring *ring = w->dp->workers[to]->handoff_from[w->id];
	unsigned sent = rte_ring_sp_enqueue_burst(ring, (void **)l->m, l->n, NULL);

	for (unsigned i = sent; i < l->n; i++)
		worker_drop(w, l->m[i], DROP_HANDOFF_FULL);
	worker_count(w, DP_C_HANDOFF, sent);
	idle_wake(w->dp->workers[to]);
	l->n = 0;
}

void handoff_push(struct worker *w, struct rte_mbuf *m, uint16_t to, const struct note *note)
{
	*packet_note(m) = *note;
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_HANDED, to, 0);
	list_push(&w->handoff[to], m);
	if (w->handoff[to].n == BURST)
		receiver_flush(w, to);
}

/* The ring is half empty, with what is collected for it. */
static bool receiver_has_room(const struct worker *w, uint16_t to)
{
	const struct rte_ring *ring = w->dp->workers[to]->handoff_from[w->id];

	return ring_waiting(ring, ring->prod.tail) + w->handoff[to].n < rte_ring_get_capacity(ring) / 2;
}

void handoff_push_unproven(struct worker *w, struct rte_mbuf *m, uint16_t to, const struct note *note)
{
	if (receiver_has_room(w, to))
		handoff_push(w, m, to, note);
	else
		worker_drop(w, m, DROP_HANDOFF_FULL);
}

/* Whoever has seen an SPI can send to it in any number, and only the owner finds out. While more than half of the ring
 * is taken, each SPI has a few packets; all together they leave room for what is not sealed. */
static void sealed_push(struct worker *w, struct rte_mbuf *m, uint16_t to, const struct note *note, uint32_t spi)
{
	struct sealed_shares *s = &w->sealed_shares[to];
	uint8_t *share = &s->handed[spi * 0x9e3779b1u >> 26];

	static_assert(SEALED_SHARES == 1 << 6, "bits of the hash above");
	static_assert(SEALED_SHARES * SEALED_SHARE <= HANDOFF_SIZE / 4, "a quarter is left to others");
	if (likely(receiver_has_room(w, to))) {
		if (unlikely(s->used))
			memset(s, 0, sizeof(*s));
	} else if (*share < SEALED_SHARE) {
		(*share)++;
		s->used = true;
	} else {
		worker_drop(w, m, DROP_HANDOFF_FULL);
		return;
	}
	handoff_push(w, m, to, note);
}

static uint64_t *filter_word(struct parked *p, uint32_t what)
{
	return &p->filter[what / 64 % ARRAY_LEN(p->filter)];
}

bool parked_has(const struct parked *p, uint32_t what)
{
	if (!(p->filter[what / 64 % ARRAY_LEN(p->filter)] >> what % 64 & 1))
		return false;
	for (uint32_t i = p->kept; i != p->head + p->count; i++)
		if (p->what[i % PARKED_MAX] == what)
			return true;
	return false;
}

void parked_begin(struct parked *p)
{
	p->kept = p->head + p->count;
	memset(p->filter, 0, sizeof(p->filter));
}

uint16_t parked_take(struct parked *p, struct rte_mbuf **ret_pkts, uint16_t max)
{
	uint32_t n = RTE_MIN(p->kept - p->head, (uint32_t)max);

	for (uint32_t i = 0; i < n; i++)
		ret_pkts[i] = p->m[p->head++ % PARKED_MAX];
	p->count -= n;
	return (uint16_t)n;
}

void parked_flush(struct worker *w)
{
	struct rte_mbuf *m;

	parked_begin(&w->parked);
	while (parked_take(&w->parked, &m, 1))
		worker_drop(w, m, DROP_OWNER_MOVING);
}

static void packet_park(struct worker *w, struct rte_mbuf *m, const struct note *note, uint32_t what)
{
	struct parked *p = &w->parked;
	uint32_t at = (p->head + p->count) % PARKED_MAX;

	if (p->count == PARKED_MAX) {
		worker_drop(w, m, DROP_OWNER_MOVING);
		return;
	}
	*packet_note(m) = *note;
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_PARKED, 0, 0);
	p->m[at] = m;
	p->what[at] = what;
	p->count++;
	*filter_word(p, what) |= 1ull << what % 64;
}

void handoff_sealed(struct worker *w, struct rte_mbuf *m, uint8_t turn, const struct note *note, uint32_t spi)
{
	if (turn == WORKER_MOVING)
		packet_park(w, m, note, parked_for_bucket(spi));
	else
		sealed_push(w, m, turn, note, spi);
}

void handoff_turn(struct worker *w, struct rte_mbuf *m, uint8_t turn, const struct note *note, uint32_t what)
{
	if (turn == WORKER_MOVING)
		packet_park(w, m, note, what);
	else
		handoff_push(w, m, turn, note);
}

void handoff_flush(struct worker *w)
{
	for (uint16_t to = 0; to < w->dp->worker_count; to++)
		if (w->handoff[to].n)
			receiver_flush(w, to);
}

static void sort_clear(struct worker *w, struct rte_mbuf *m, enum origin origin)
{
	switch (origin) {
	case ORIGIN_OWN_CLEAR: list_push(&w->own_clear, m); break;
	case ORIGIN_OWN_TUNNEL: list_push(&w->own_tunnel, m); break;
	case ORIGIN_TUNNEL: inbound_inner_again(w, m, SLOT_NONE); break;
	default:
		if (!asked_take(w, m))
			list_push(&w->clear, m);
		break;
	}
}

/* What policy let leave in clear it may want to protect by now (RFC 4301 5.1). It is not asked about what is sealed and
 * what control sends. */
static inline bool verdict_is_stale(const struct worker *w, const struct note *note)
{
	return note->origin != ORIGIN_CONTROL && note->epoch != w->snapshot->epoch;
}

/* The tunnel that a packet came out of, as far as policy tells. */
static uint32_t arrival_slot(const struct worker *w, const struct rte_mbuf *m)
{
	struct spd_verdict v;
	struct flow f;

	packet_flow(w->dp, m, false, &f);
	policy_lookup(w, &f, 1, &v);
	return v.action == SPD_PROTECT ? v.tunnel_slot : SLOT_NONE;
}

/* As if it had just come. A fragment alone does not show the ports a rule may ask for (RFC 4301 7). */
static __rte_noinline void decide_again(struct worker *w, struct rte_mbuf *m, enum origin origin)
{
	if (packet_is_fragment(m) && w->snapshot->policies->needs_ports) {
		worker_drop(w, m, DROP_FRAGMENT);
		return;
	}
	if (origin_forwarded(origin))
		packet_ttl_restore(m);
	if (origin == ORIGIN_TUNNEL)
		inbound_inner_again(w, m, arrival_slot(w, m));
	else
		sort_clear(w, m, origin);
}

static void egress_again(struct worker *w, struct rte_mbuf *m, const struct note *note)
{
	uint32_t neighbour = note->neighbour;

	if (unlikely(verdict_is_stale(w, note))) {
		decide_again(w, m, (enum origin)note->origin);
		return;
	}
	if (note->on_link) {
		neighbour = packet_neighbour(w, m, note->port);
	} else if (unlikely(neighbour_turn(w->neighbours, neighbour) != note->turn)) {
		/* the route or path it was sent by is gone, and so is its next hop */
		worker_drop(w, m, DROP_NEIGHBOUR);
		return;
	}
	forward_egress_as(w, m, note->port, neighbour, note->on_link, (enum origin)note->origin);
}

static void frame_again(struct worker *w, struct rte_mbuf *m, const struct note *note)
{
	if (likely(!verdict_is_stale(w, note))) {
		forward_frame(w, m, note->port, (enum origin)note->origin);
		return;
	}
	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	decide_again(w, m, (enum origin)note->origin);
}

void handoff_sort(struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	if (unlikely(w->trace != NULL))
		trace_packets(w, pkts, n, TRACE_TAKEN, 0);
	for (uint16_t i = 0; i < n; i++) {
		const struct note *note = packet_note(pkts[i]);
		switch ((enum stage)note->stage) {
		case STAGE_CLEAR: sort_clear(w, pkts[i], (enum origin)note->origin); break;
		case STAGE_SEALED: list_push(&w->sealed, pkts[i]); break;
		case STAGE_ROUTE: forward_packet(w, pkts[i], ORIGIN_CONTROL); break;
		case STAGE_EGRESS: egress_again(w, pkts[i], note); break;
		case STAGE_FRAGMENT: list_push(&w->fragments, pkts[i]); break;
		case STAGE_INNER: inbound_inner_take(w, pkts[i], note->spi); break;
		case STAGE_TX: frame_again(w, pkts[i], note); break;
		case STAGE_UNREACHABLE:
			icmp_error_send(
				w, pkts[i], (enum origin)note->origin, ICMP_ERROR_NO_NEIGHBOUR, 0, DROP_NEIGHBOUR);
			break;
		}
	}
}
