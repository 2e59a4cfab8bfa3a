/* SPDX-License-Identifier: BSD-3-Clause */
/* The keys of plain packets, and the way in of known.c: packets in clear that ask the flow cache before anything else
 * is asked about them. Inline, burst path. */
#pragma once

#include "decide_priv.h"

static inline bool ip4_has_ports(uint8_t protocol)
{
	const uint64_t with_ports = 1ull << IPPROTO_TCP | 1ull << IPPROTO_UDP;

	return protocol < 64 && with_ports >> protocol & 1;
}

/* The key of a plain IPv4 packet (ip4.h) of so many bytes with ports, as flow_key4_of makes it of the packet's flow.
 * base: plain_base of the packet. False: it has none. */
static inline bool plain_key_of(const struct rte_ipv4_hdr *ip, uint32_t bytes, uint64_t base, struct flow_key4 *ret_key)
{
	uint32_t ports;

	if (unlikely(!ip4_has_ports(ip->next_proto_id) || bytes < sizeof(*ip) + sizeof(ports)))
		return false;
	memcpy(&ports, ip + 1, sizeof(ports));
	ret_key->addresses = (uint64_t)ip->dst_addr << 32 | ip->src_addr;
	ret_key->rest = (uint64_t)ports << 32 | base | ip->next_proto_id;
	return true;
}

/* The same of any packet; false: it is not plain, or has no ports. */
static inline bool plain_key(const struct rte_mbuf *m, uint64_t base, struct flow_key4 *ret_key)
{
	return likely(ip4_is_plain(ip4_first(packet_ip(m)))) && plain_key_of(packet_ip(m), m->data_len, base, ret_key);
}

/* What keys of packets with ports have beside addresses, ports and protocol; of a port's packets and a context. */
static inline uint64_t plain_base_of(const struct worker *w, uint16_t port, uint8_t context)
{
	const struct flow f = { .has_ports = true, .table_id = port_table_id(w->dp, port) };

	return flow_rest(&f, context);
}

static inline uint64_t plain_base(const struct worker *w, const struct rte_mbuf *m, enum origin origin)
{
	return plain_base_of(w, m->port, context_of(m, origin));
}

/* Owner worker: whether packets may ask in this loop: not where each stage is to be seen. */
static inline bool asked_usable(const struct worker *w)
{
	return w->flows.four && !w->trace;
}

/* Owner worker: no more packets may ask before the lists are worked on. What the list `clear` ends in may be of the
 * same flow: a fragment, or a packet with options. It is not overtaken. */
static inline bool asked_closed(struct worker *w)
{
	const struct list *l = &w->clear;

	if (l->n && !packet_is_ip6(l->m[l->n - 1]) && ip4_has_ports(packet_ip(l->m[l->n - 1])->next_proto_id))
		w->asked.closed = true;
	return w->asked.closed;
}

/* Takes a packet that is whole and not for us; where the cache would have its flow is on its way. */
static inline void asked_push(struct worker *w, struct rte_mbuf *m, const struct flow_key4 *key)
{
	struct asked *a = &w->asked;
	const struct flow_entry4 *set = flow_set4(&w->flows, flow_key4_hash(&w->flows, key), 0);

	rte_prefetch0(set);
	a->keys[a->n] = *key;
	a->sets[a->n] = set;
	a->m[a->n++] = m;
}

/* known.c: takes a packet in clear that was classified, if it may ask. */
bool asked_take(struct worker *w, struct rte_mbuf *m);
/* known.c: carries out what was decided about the flows of packets that ask; others are sorted into the worker's lists
 * (classify_addresses). */
void known_burst(struct worker *w);
