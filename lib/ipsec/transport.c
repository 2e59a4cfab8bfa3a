/* SPDX-License-Identifier: BSD-3-Clause */
/* Where ESP and AH stand in transport mode: behind the IP header and those extension headers that routers look at; and
 * the one of these that they must not see. */
#include "burst_priv.h"

#define FRAGMENT_HEADER_BYTES 8

enum drop_reason transport_split(const uint8_t *ip, uint32_t bytes, struct transport_split *ret_split)
{
	struct ip6_layout l;

	if (!packet_is_ipv6(ip)) {
		if (unlikely(ipv4_is_fragment(ip)))
			return DROP_FRAGMENT;
		*ret_split = (struct transport_split){ (uint16_t)ipv4_header_bytes(ip),
			offsetof(struct rte_ipv4_hdr, next_proto_id) };
		return bytes >= ret_split->header_bytes ? DROP_NONE : DROP_SHORT;
	}
	if (unlikely(ip6_walk(ip, bytes, &l) != IP6_WALK_GOOD))
		return DROP_IP_HEADER;
	if (unlikely(l.has_fragment_header))
		return DROP_FRAGMENT;
	*ret_split = (struct transport_split){ l.insert_offset, l.insert_next };
	return DROP_NONE;
}

/* True when there was one. */
static bool fragment_header_remove(struct rte_mbuf *m)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv6_hdr *h = (struct rte_ipv6_hdr *)ip;
	struct ip6_layout l;

	if (ip6_walk(ip, m->data_len, &l) != IP6_WALK_GOOD || !l.has_fragment_header || ip6_is_fragment(&l) ||
		rte_be_to_cpu_16(h->payload_len) < FRAGMENT_HEADER_BYTES)
		return false;
	h->payload_len = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(h->payload_len) - FRAGMENT_HEADER_BYTES));
	ip[l.fragment_next] = ip[l.fragment_offset];
	memmove(ip + FRAGMENT_HEADER_BYTES, ip, l.fragment_offset);
	rte_pktmbuf_adj(m, FRAGMENT_HEADER_BYTES);
	return true;
}

void atomic_fragment_remove(struct rte_mbuf *m)
{
	if (likely(m->data_len < IPV6_BYTES || !packet_is_ipv6(rte_pktmbuf_mtod(m, const uint8_t *))))
		return;
	/* the walk goes over a few headers at most */
	while (fragment_header_remove(m))
		;
}
