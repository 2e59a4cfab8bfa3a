/* SPDX-License-Identifier: BSD-3-Clause */
/* The last stage of the usual packet: TTL, Ethernet header, TX list. What is named as in forward.c either does all of
 * what that would do, or says false and has changed nothing. Inline, burst path. */
#pragma once

#include "stages_priv.h"

/* What packets that go the same way share; of those in a row in a burst the first one asks. Of one loop. */
struct hop {
	uint64_t name;          /* of the way: hop_name */
	struct frame_head head; /* most 0: nothing is sent this way without a closer look */
	struct list *tx;
	uint64_t joined_flag; /* of a packet that was put together: not usual */
	uint16_t port;
};

/* `to`: the neighbour's index, or the address of a neighbour still to be found. */
static inline uint64_t hop_name(enum route_kind kind, uint16_t port, uint32_t to)
{
	return (uint64_t)kind << 48 | (uint64_t)port << 32 | to;
}

/* No packet's way. */
#define HOP_NONE UINT64_MAX

/* kind: ROUTE_CONNECTED (`to` is an address) or ROUTE_VIA (a neighbour's index). */
static inline void hop_take(struct worker *w, enum route_kind kind, uint16_t port, uint32_t to, struct hop *ret_hop)
{
	uint32_t neighbour = kind == ROUTE_CONNECTED ? neighbour_lookup(w->neighbours, port, to) : to;
	uint64_t word = likely(neighbour != NEIGHBOUR_NONE) ? neighbour_word(w->neighbours, neighbour) : 0;
	bool usual = word & NEIGHBOUR_WORD_VALID && w->sends_plain[port] && !w->trace;

	*ret_hop = (struct hop){
		.name = hop_name(kind, port, to),
		.tx = &w->tx[port],
		.joined_flag = w->dp->joined_flag,
		.port = port,
		.head.most = usual ? w->ports[port].mtu : 0,
	};
	uint8_t *eth = ret_hop->head.bytes + FRAME_HEAD_BYTES - RTE_ETHER_HDR_LEN;
	memcpy(eth, &word, RTE_ETHER_ADDR_LEN);
	memcpy(eth + RTE_ETHER_ADDR_LEN, w->ports[port].source_tail[0], sizeof(w->ports[port].source_tail[0]));
}

/* A whole frame. */
static inline void frame_list_push(struct worker *w, struct rte_mbuf *m, struct list *tx, uint16_t port)
{
	list_push(tx, m);
	if (unlikely(tx->n == BURST))
		forward_port_flush(w, port);
}

/* A plain IPv4 packet (ip4.h) one hop further. */
static inline bool forward_hop_usual(struct worker *w, struct rte_mbuf *m, const struct hop *hop)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	uint32_t bytes = m->data_len, offset = m->data_off;

	if (unlikely(ip->time_to_live <= 1 || bytes > hop->head.most || offset < FRAME_HEAD_BYTES ||
		     m->ol_flags & hop->joined_flag))
		return false;
	ip_ttl_decrement(ip);
	memcpy((uint8_t *)ip - FRAME_HEAD_BYTES, hop->head.bytes, FRAME_HEAD_BYTES);
	packet_place(m, offset - RTE_ETHER_HDR_LEN, bytes + RTE_ETHER_HDR_LEN);
	frame_list_push(w, m, hop->tx, hop->port);
	return true;
}

/* The same along its route. hop: of the packet before, and afterwards of this one. */
static inline bool forward_along_usual(
	struct worker *w, struct rte_mbuf *m, enum route_kind kind, uint16_t port, uint32_t neighbour, struct hop *hop)
{
	uint32_t to = kind == ROUTE_CONNECTED ? packet_ip(m)->dst_addr : neighbour;

	if (unlikely(kind != ROUTE_CONNECTED && kind != ROUTE_VIA))
		return false;
	if (unlikely(hop->name != hop_name(kind, port, to)))
		hop_take(w, kind, port, to, hop);
	return forward_hop_usual(w, m, hop);
}
