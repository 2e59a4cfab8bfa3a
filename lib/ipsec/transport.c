/* SPDX-License-Identifier: BSD-3-Clause */
/* Where ESP and AH stand in transport mode: behind the IP header and those extension headers that routers look at. */
#include "burst_priv.h"

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
