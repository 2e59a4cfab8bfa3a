/* SPDX-License-Identifier: BSD-3-Clause */
/* The last stages: route, TTL, MTU, neighbour, Ethernet header, VLAN tag, TX buffers. No policy here: whoever calls has
 * a verdict. */
#include "stages_priv.h"

/* A port took fewer than it was given: what is left is dropped, a worker does not wait. */
uint32_t forward_port_flush(struct worker *w, uint16_t port)
{
	struct list *l = &w->tx[port];

	if (unlikely(w->capture != NULL))
		capture_sent(w, port, l->m, l->n);
	if (unlikely(w->trace != NULL))
		trace_packets(w, l->m, l->n, TRACE_SENT, port);
	uint16_t sent = rte_eth_tx_burst(w->ports[port].id, w->tx_queue[port], l->m, l->n);

	for (uint16_t i = sent; i < l->n; i++)
		worker_drop(w, l->m[i], DROP_TX_FULL);
	worker_count(w, DP_C_TX, sent);
	l->n = 0;
	return sent;
}

uint32_t forward_flush(struct worker *w)
{
	uint32_t sent = 0;

	for (uint16_t port = 0; port < w->dp->port_count; port++)
		if (w->tx[port].n)
			sent += forward_port_flush(w, port);
	return sent;
}

/* Kept apart, as all that is rare here: what is usual needs no registers saved for it. */
static __rte_noinline void frame_elsewhere(struct worker *w, struct rte_mbuf *m, uint16_t port, enum origin origin)
{
	const struct note note = {
		.stage = STAGE_TX, .origin = (uint8_t)origin, .port = port, .epoch = w->snapshot->epoch
	};
	uint8_t owner = w->snapshot->assignment->tx[w->ports[port].device][0];

	handoff_turn(w, m, owner_turn(owner, (uint8_t)w->id), &note, parked_for_port(port));
}

static __rte_noinline bool frame_tag(struct worker *w, struct rte_mbuf *m, uint16_t port)
{
	if (!vlan_insert(&w->ports[port], m))
		return true;
	worker_drop(w, m, DROP_NO_HEADROOM);
	return false;
}

static inline void frame_push(struct worker *w, struct rte_mbuf *m, uint16_t port, enum origin origin)
{
	struct list *l = &w->tx[port];

	if (unlikely(w->tx_queue[port] == QUEUE_NONE)) {
		frame_elsewhere(w, m, port, origin);
		return;
	}
	if (unlikely(w->ports[port].vlan) && !frame_tag(w, m, port))
		return;
	list_push(l, m);
	if (unlikely(l->n == BURST))
		forward_port_flush(w, port);
}

void forward_frame(struct worker *w, struct rte_mbuf *m, uint16_t port, enum origin origin)
{
	frame_push(w, m, port, origin);
}

/* Control resolves the neighbour and sends the packet on, or lets its sender know. What came out of tunnels came from
 * one port all the same: there each peer has its share of what the port has. */
static __rte_noinline void egress_hold(
	struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour, bool on_link, enum origin origin)
{
	if (origin == ORIGIN_TUNNEL && !punt_peer_allowed(w, m)) {
		worker_drop(w, m, DROP_RATE_LIMIT);
		return;
	}
	*packet_note(m) = (struct note){
		.stage = STAGE_EGRESS,
		.origin = (uint8_t)origin,
		.port = port,
		.neighbour = neighbour,
		.turn = on_link ? 0 : neighbour_turn(w->neighbours, neighbour),
		.on_link = on_link,
		.epoch = w->snapshot->epoch,
	};
	punt_push(w, m, on_link ? PUNT_HOLD : PUNT_HOLD_VIA);
}

static inline void egress(
	struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour, bool on_link, enum origin origin)
{
	uint64_t word = neighbour != NEIGHBOUR_NONE ? neighbour_word(w->neighbours, neighbour) : 0;
	const uint8_t *tail = w->ports[port].source_tail[packet_is_ip6(m)];
	uint8_t *eth;

	/* RFC 4862 5.4: the sources of what ESP, AH and we ourselves send */
	if (unlikely(w->own6_unusable) && packet_is_ip6(m) &&
		address6_unusable(w->dp, port, ip6_source(packet_ip6(m)))) {
		worker_drop(w, m, DROP_ADDRESS_UNUSABLE);
		return;
	}
	if (unlikely(!(word & NEIGHBOUR_WORD_VALID))) {
		egress_hold(w, m, port, neighbour, on_link, origin);
		return;
	}
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_NEXT_HOP, port, 0);
	eth = (uint8_t *)rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);
	if (unlikely(!eth)) {
		worker_drop(w, m, DROP_NO_HEADROOM);
		return;
	}
	/* two stores of eight bytes: the second one covers the state in the first */
	memcpy(eth, &word, sizeof(word));
	memcpy(eth + RTE_ETHER_ADDR_LEN, tail, sizeof(w->ports[port].source_tail[0]));
	frame_push(w, m, port, origin);
}

void forward_egress_as(
	struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour, bool on_link, enum origin origin)
{
	egress(w, m, port, neighbour, on_link, origin);
}

void forward_egress(struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour, bool on_link)
{
	egress(w, m, port, neighbour, on_link, ORIGIN_CONTROL);
}

static void route_egress(struct worker *w, struct rte_mbuf *m, const struct route *r, enum origin origin)
{
	bool on_link = r->kind == ROUTE_CONNECTED;

	egress(w, m, r->port, on_link ? packet_neighbour(w, m, r->port) : r->neighbour, on_link, origin);
}

static __rte_noinline void forward_too_big(
	struct worker *w, struct rte_mbuf *m, const struct route *r, enum origin origin, uint16_t mtu)
{
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	uint16_t n = fragment_or_answer(w, m, origin, mtu, fragments);

	for (uint16_t i = 0; i < n; i++)
		route_egress(w, fragments[i], r, origin);
}

void forward_link_local(struct worker *w, struct rte_mbuf *m)
{
	const struct route link = { .kind = ROUTE_CONNECTED, .port = m->port };
	uint16_t mtu = w->ports[m->port].mtu;

	if (unlikely(m->data_len > mtu))
		forward_too_big(w, m, &link, ORIGIN_CONTROL, mtu);
	else
		route_egress(w, m, &link, ORIGIN_CONTROL);
}

static __rte_noinline void unroutable(struct worker *w, struct rte_mbuf *m, const struct route *r, enum origin origin)
{
	if (r->kind == ROUTE_NONE)
		icmp_error_send(w, m, origin, ICMP_ERROR_NO_ROUTE, 0, DROP_NO_ROUTE);
	else
		worker_drop(w, m, r->kind == ROUTE_LOCAL ? DROP_MARTIAN : DROP_NO_ROUTE);
}

void forward_along(struct worker *w, struct rte_mbuf *m, enum origin origin, const struct route *r)
{
	if (unlikely(!route_leads(r))) {
		unroutable(w, m, r, origin);
		return;
	}
	if (origin_forwarded(origin) && unlikely(packet_ttl(m) <= 1)) {
		icmp_error_send(w, m, origin, ICMP_ERROR_TTL, 0, DROP_TTL);
		return;
	}
	uint16_t mtu = packet_mtu(w, m, w->ports[r->port].mtu);
	if (unlikely(m->data_len > mtu)) {
		forward_too_big(w, m, r, origin, mtu);
		return;
	}
	if (origin_forwarded(origin))
		packet_ttl_decrement(m);
	if (origin == ORIGIN_CLEAR)
		worker_count(w, DP_C_FORWARD_CLEAR, 1);
	route_egress(w, m, r, origin);
}

void forward_packet(struct worker *w, struct rte_mbuf *m, enum origin origin)
{
	forward_along(w, m, origin, packet_route(w, m));
}
