/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets in clear to decisions: the flow cache, behind it policy, routes and the children of tunnels. */
#pragma once

#include "flow_cache_priv.h"
#include "stages_priv.h"

/* What becomes of a burst. */
struct deciding {
	struct decision decisions[BURST];
	uint64_t plain; /* a bit for each packet that is plain IPv4 (ip4.h) with ports, and whose flow was not read */
	/* Of the plain packets those that the cache knows to be protected: where their SAs are. Others are found one by
	 * one. */
	uint16_t protect_count;
	struct tunnel_question protect[BURST];
	struct flow flows[BURST]; /* of the packets that are not plain, leaving (local = source) */
};
static_assert(BURST == 64, "a bit for every packet");

static inline bool deciding_plain(const struct deciding *d, uint16_t i)
{
	return d->plain >> i & 1;
}

/* The flow of a packet, read now where it was not before. */
static inline const struct flow *deciding_flow(
	const struct worker *w, struct deciding *d, const struct rte_mbuf *m, uint16_t i)
{
	if (deciding_plain(d, i))
		packet_flow(w->dp, m, true, &d->flows[i]);
	d->plain &= ~(1ull << i);
	return &d->flows[i];
}

static inline uint8_t context_of(const struct rte_mbuf *m, enum origin origin)
{
	return origin == ORIGIN_TUNNEL ? FLOW_CONTEXT_TUNNEL : (uint8_t)m->port;
}

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

/* The key of a plain IPv4 packet with ports, as flow_key4_of makes it of the packet's flow. base: flow_rest without
 * them. False: another packet. */
static inline bool plain_key(const struct rte_mbuf *m, uint64_t base, struct flow_key4 *ret_key)
{
	const uint64_t with_ports = 1ull << IPPROTO_TCP | 1ull << IPPROTO_UDP;
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	uint32_t ports;

	if (unlikely(!ip4_is_plain(ip4_first(ip)) || ip->next_proto_id >= 64 ||
		     !(with_ports >> ip->next_proto_id & 1) || m->data_len < sizeof(*ip) + sizeof(ports)))
		return false;
	memcpy(&ports, ip + 1, sizeof(ports));
	ret_key->addresses = (uint64_t)ip->dst_addr << 32 | ip->src_addr;
	ret_key->rest = (uint64_t)ports << 32 | base | ip->next_proto_id;
	return true;
}

/* What keys of packets with ports have beside addresses, ports and protocol. */
static inline uint64_t plain_base(const struct worker *w, const struct rte_mbuf *m, enum origin origin)
{
	const struct flow f = { .has_ports = true, .table_id = packet_table_id(w->dp, m) };

	return flow_rest(&f, context_of(m, origin));
}

/* Owner worker: what becomes of each of n packets (at most BURST) of this origin. Carries nothing out, but fills the
 * cache. RFC 4301 5.1, 5.2. */
void decide_burst(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct deciding *ret_deciding);
