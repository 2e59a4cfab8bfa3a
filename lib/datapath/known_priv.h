/* SPDX-License-Identifier: BSD-3-Clause */
/* The way in of known.c: which packets in clear ask the flow cache before anything else is asked about them. Inline,
 * burst path. */
#pragma once

#include "decide_priv.h"

/* Owner worker: whether packets may ask in this loop. Not where the source's route is looked at before policy is, nor
 * where each stage is to be seen. */
static inline bool known_usable(const struct worker *w)
{
	return w->flows.four && !w->dp->reverse_path && !w->trace;
}

/* Owner worker: what the list `clear` ends in may be of the same flow as what comes now: a fragment, or a packet with
 * options. It is not overtaken. */
static inline bool known_overtakes(const struct worker *w)
{
	return w->clear.n && !packet_is_ip6(w->clear.m[w->clear.n - 1]);
}

/* The key of a plain packet (ip4.h) that ends behind its ports or later. base: plain_base of the packet. ends: source
 * and destination as in memory. False: it has no ports. */
static inline bool known_key(
	const struct rte_ipv4_hdr *ip, uint64_t ends, uint32_t total, uint64_t base, struct flow_key4 *ret_key)
{
	uint32_t ports;

	if (unlikely(!ip4_has_ports(ip->next_proto_id) || total < sizeof(*ip) + sizeof(ports)))
		return false;
	memcpy(&ports, ip + 1, sizeof(ports));
	ret_key->addresses = rte_le_to_cpu_64(ends);
	ret_key->rest = (uint64_t)ports << 32 | base | ip->next_proto_id;
	return true;
}

/* Takes a packet that is whole and not for us; where the cache would have its flow is on its way. */
static inline void known_push(struct worker *w, struct rte_mbuf *m, const struct flow_key4 *key)
{
	struct asked *a = &w->asked;
	const struct flow_entry4 *set = flow_set4(&w->flows, flow_key4_hash(&w->flows, key), 0);

	rte_prefetch0(set);
	a->keys[a->n] = *key;
	a->sets[a->n] = set;
	a->m[a->n++] = m;
}

/* known.c: carries out what was decided about the flows of packets that ask; others are sorted into the worker's lists
 * (classify_addresses). */
void known_burst(struct worker *w);
/* known.c: takes a packet in clear that was classified before, if it may ask. */
bool known_ask(struct worker *w, struct rte_mbuf *m);
