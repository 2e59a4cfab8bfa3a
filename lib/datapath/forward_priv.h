/* SPDX-License-Identifier: BSD-3-Clause */
/* The last stage of the usual packet: TTL, Ethernet header, TX list. Each function either does all of what its namesake
 * in forward.c would do, or says false and has changed nothing. Inline, burst path. */
#pragma once

#include "stages_priv.h"

/* The neighbour's MAC, or a word that is not valid. */
static inline uint64_t next_hop_word(const struct worker *w, uint32_t neighbour)
{
	return likely(neighbour != NEIGHBOUR_NONE) ? neighbour_word(w->neighbours, neighbour) : 0;
}

/* The packet fits the port as it is, and this worker sends on it without a tag. */
static inline bool egress_is_usual(const struct worker *w, const struct rte_mbuf *m, uint16_t port, uint64_t word)
{
	return word & NEIGHBOUR_WORD_VALID && w->sends_plain[port] && m->data_len <= w->ports[port].mtu &&
	       m->data_off >= RTE_ETHER_HDR_LEN && !w->trace && !(m->ol_flags & w->dp->joined_flag);
}

/* egress_is_usual said so. */
static inline void egress_usual(struct worker *w, struct rte_mbuf *m, uint16_t port, uint64_t word, bool ip6)
{
	uint8_t *eth = rte_pktmbuf_mtod(m, uint8_t *) - RTE_ETHER_HDR_LEN;

	packet_place(m, (uint32_t)m->data_off - RTE_ETHER_HDR_LEN, (uint32_t)m->data_len + RTE_ETHER_HDR_LEN);
	/* two stores of eight bytes: the second one covers the state in the first */
	memcpy(eth, &word, sizeof(word));
	memcpy(eth + RTE_ETHER_ADDR_LEN, w->ports[port].source_tail[ip6], sizeof(w->ports[port].source_tail[0]));
	list_push(&w->tx[port], m);
	if (unlikely(w->tx[port].n == BURST))
		forward_port_flush(w, port);
}

/* A sealed packet on its path; as it is when it fits. */
static inline bool forward_egress_usual(struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour)
{
	uint64_t word = next_hop_word(w, neighbour);

	if (unlikely(!egress_is_usual(w, m, port, word) || packet_is_ip6(m)))
		return false;
	egress_usual(w, m, port, word, false);
	return true;
}

/* A plain IPv4 packet (ip4.h) along its route. */
static inline bool forward_along_usual(
	struct worker *w, struct rte_mbuf *m, enum route_kind kind, uint16_t port, uint32_t neighbour)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	uint64_t word;

	if (unlikely((kind != ROUTE_CONNECTED && kind != ROUTE_VIA) || ip->time_to_live <= 1))
		return false;
	word = next_hop_word(
		w, kind == ROUTE_CONNECTED ? neighbour_lookup(w->neighbours, port, ip->dst_addr) : neighbour);
	if (unlikely(!egress_is_usual(w, m, port, word)))
		return false;
	ip_ttl_decrement(ip);
	egress_usual(w, m, port, word, false);
	return true;
}
