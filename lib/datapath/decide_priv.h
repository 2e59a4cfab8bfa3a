/* SPDX-License-Identifier: BSD-3-Clause */
/* From packets in clear to decisions: the flow cache, behind it policy, routes and the children of tunnels. */
#pragma once

#include "flow_cache_priv.h"
#include "stages_priv.h"

/* What becomes of a burst. */
struct deciding {
	struct decision decisions[BURST];
	struct flow flows[BURST]; /* leaving (local = source) */
};

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

static inline bool ip4_has_ports(uint8_t protocol)
{
	const uint64_t with_ports = 1ull << IPPROTO_TCP | 1ull << IPPROTO_UDP;

	return protocol < 64 && with_ports >> protocol & 1;
}

/* The key of a plain IPv4 packet with ports, as flow_key4_of makes it of the packet's flow. base: flow_rest without
 * them. False: another packet. */
static inline bool plain_key(const struct rte_mbuf *m, uint64_t base, struct flow_key4 *ret_key)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	uint32_t ports;

	if (unlikely(!ip4_is_plain(ip4_first(ip)) || !ip4_has_ports(ip->next_proto_id) ||
		     m->data_len < sizeof(*ip) + sizeof(ports)))
		return false;
	memcpy(&ports, ip + 1, sizeof(ports));
	ret_key->addresses = (uint64_t)ip->dst_addr << 32 | ip->src_addr;
	ret_key->rest = (uint64_t)ports << 32 | base | ip->next_proto_id;
	return true;
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

/* Owner worker: what becomes of each of n packets (at most BURST) of this origin. Carries nothing out, but fills the
 * cache. RFC 4301 5.1, 5.2. */
void decide_burst(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum origin origin, struct deciding *ret_deciding);

/* outbound.c: carries out what was decided: into its SA, in clear along its route, or to its end. flow: leaving; NULL:
 * it is read when it is needed. */
void decision_act(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, const struct decision *d, enum origin origin);

/* A packet to be sealed, with those that outbound_flush seals. */
static inline void protect_push(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	w->protect[w->protect_count].m = m;
	w->protect[w->protect_count++].sa = sa;
	if (unlikely(w->protect_count == BURST))
		outbound_flush(w);
}
