/* SPDX-License-Identifier: BSD-3-Clause */
/* A packet's selector: addresses, protocol, ports or ICMP type and code. RFC 4301 4.4.1.1. */
#include <netinet/in.h>
#include <rte_ip.h>

#include "ip6.h"
#include "ipsec.h"

enum port_kind { PORTS_NONE, PORTS_BOTH, PORTS_ICMP };

/* What the first words of an upper layer are, by protocol. */
static const uint8_t port_kinds[UINT8_MAX + 1] = {
	[IPPROTO_TCP] = PORTS_BOTH,
	[IPPROTO_UDP] = PORTS_BOTH,
	[IPPROTO_SCTP] = PORTS_BOTH,
	[IPPROTO_UDPLITE] = PORTS_BOTH,
	[IPPROTO_DCCP] = PORTS_BOTH,
	[IPPROTO_ICMP] = PORTS_ICMP,
	[IPPROTO_ICMPV6] = PORTS_ICMP,
};

/* Read in the packet's direction, turned round for arriving ones. */
static inline void ports_read(struct flow *f, const uint8_t *upper, uint32_t bytes, bool leaving)
{
	uint8_t kind = port_kinds[f->protocol];
	uint16_t words[2];

	if (bytes < sizeof(words) || kind == PORTS_NONE)
		return;
	memcpy(words, upper, sizeof(words));
	f->has_ports = true;
	/* type and code stand in local_port whichever the direction */
	f->local_port_be = leaving || kind == PORTS_ICMP ? words[0] : words[1];
	if (likely(kind == PORTS_BOTH))
		f->remote_port_be = leaving ? words[1] : words[0];
}

static inline void ipv4_read(const uint8_t *packet, uint32_t bytes, bool leaving, struct flow *f)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)packet;
	uint32_t offset = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;

	f->family = ADDR_IPV4;
	f->protocol = ip->next_proto_id;
	f->local_be[0] = leaving ? ip->src_addr : ip->dst_addr;
	f->remote_be[0] = leaving ? ip->dst_addr : ip->src_addr;
	if (!(ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) && bytes > offset)
		ports_read(f, packet + offset, bytes - offset, leaving);
}

static __rte_noinline void ipv6_read(const uint8_t *packet, uint32_t bytes, bool leaving, struct flow *f)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)packet;
	struct ip6_layout l;

	f->family = ADDR_IPV6;
	f->protocol = ip->proto;
	memcpy(f->local_be, leaving ? ip6_source(ip) : ip6_destination(ip), sizeof(f->local_be));
	memcpy(f->remote_be, leaving ? ip6_destination(ip) : ip6_source(ip), sizeof(f->remote_be));
	if (ip6_walk(packet, bytes, &l) != IP6_WALK_GOOD)
		return;
	f->protocol = l.protocol;
	if (!ip6_is_later_fragment(&l))
		ports_read(f, packet + l.offset, bytes - l.offset, leaving);
}

void flow_read(const uint8_t *ip, uint32_t bytes, bool leaving, struct flow *ret_flow)
{
	*ret_flow = (struct flow){ .has_ports = false };
	if (unlikely(ip[0] >> 4 == 6))
		ipv6_read(ip, bytes, leaving, ret_flow);
	else
		ipv4_read(ip, bytes, leaving, ret_flow);
}
