/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP echo to our own addresses: the request becomes the reply in place. RFC 792, RFC 1122 3.2.2.6; RFC 4443 4. */
#include "stages_priv.h"

#include <rte_icmp.h>

#define ICMP_ECHO_REPLY     0
#define ICMP_ECHO_REQUEST   8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129
#define REPLY_TTL           64

static void addresses_swap(struct rte_ipv4_hdr *ip)
{
	uint32_t source = ip->src_addr;

	ip->src_addr = ip->dst_addr;
	ip->dst_addr = source;
}

/* Options (source routes, record route) are not sent back: the header shrinks to 20 bytes. */
static void options_remove(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr ip = *packet_ip(m);
	uint16_t options = (uint16_t)(ip_header_bytes(&ip) - sizeof(ip));

	ip.version_ihl = 0x45;
	ip.total_length = rte_cpu_to_be_16((uint16_t)(ip_total_bytes(&ip) - options));
	*(struct rte_ipv4_hdr *)rte_pktmbuf_adj(m, options) = ip;
}

static enum drop_reason echo4_reply(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)((uint8_t *)ip + ip_header_bytes(ip));
	uint16_t icmp_bytes = (uint16_t)(m->data_len - ip_header_bytes(ip));

	if (ip->next_proto_id != IPPROTO_ICMP)
		return DROP_LOCAL_UNHANDLED;
	/* what could be put together has been */
	if (ip_is_fragment(ip))
		return DROP_FRAGMENT;
	if (icmp_bytes < sizeof(*icmp) || icmp->icmp_type != ICMP_ECHO_REQUEST)
		return DROP_LOCAL_UNHANDLED;
	if (rte_raw_cksum(icmp, icmp_bytes) != 0xffff)
		return DROP_CHECKSUM;
	/* the type is the high byte of its word */
	icmp->icmp_cksum = checksum_adjust(icmp->icmp_cksum, RTE_BE16(ICMP_ECHO_REQUEST << 8), 0);
	icmp->icmp_type = ICMP_ECHO_REPLY;
	if (ip_header_bytes(ip) > sizeof(*ip))
		options_remove(m);
	ip = packet_ip(m);
	addresses_swap(ip);
	ip->time_to_live = REPLY_TTL;
	ip_checksum_set(ip);
	return DROP_NONE;
}

static void addresses6_swap(struct rte_ipv6_hdr *ip)
{
	uint8_t source[sizeof(ip->src_addr)];

	memcpy(source, &ip->src_addr, sizeof(source));
	memcpy(&ip->src_addr, &ip->dst_addr, sizeof(source));
	memcpy(&ip->dst_addr, source, sizeof(source));
}

/* Extension headers are not sent back. */
static void extensions_remove(struct rte_mbuf *m, uint16_t upper_offset)
{
	struct rte_ipv6_hdr ip = *packet_ip6(m);

	ip.proto = IPPROTO_ICMPV6;
	ip.payload_len = rte_cpu_to_be_16((uint16_t)(m->data_len - upper_offset));
	*(struct rte_ipv6_hdr *)rte_pktmbuf_adj(m, (uint16_t)(upper_offset - sizeof(ip))) = ip;
}

static enum drop_reason echo6_reply(struct rte_mbuf *m)
{
	struct rte_icmp_hdr *icmp;
	uint16_t bytes;
	struct upper u;

	packet_upper(m, &u);
	if (u.protocol != IPPROTO_ICMPV6)
		return DROP_LOCAL_UNHANDLED;
	if (u.fragment)
		return DROP_FRAGMENT;
	icmp = rte_pktmbuf_mtod_offset(m, struct rte_icmp_hdr *, u.offset);
	bytes = (uint16_t)(m->data_len - u.offset);
	if (bytes < sizeof(*icmp) || icmp->icmp_type != ICMPV6_ECHO_REQUEST)
		return DROP_LOCAL_UNHANDLED;
	if (!upper_checksum_good(m, IPPROTO_ICMPV6, icmp, bytes))
		return DROP_CHECKSUM;
	/* the type is the high byte of its word; that the addresses change places does not change the sum */
	icmp->icmp_cksum = checksum_adjust(
		icmp->icmp_cksum, RTE_BE16(ICMPV6_ECHO_REQUEST << 8), RTE_BE16(ICMPV6_ECHO_REPLY << 8));
	icmp->icmp_type = ICMPV6_ECHO_REPLY;
	if (u.offset > sizeof(struct rte_ipv6_hdr))
		extensions_remove(m, u.offset);
	addresses6_swap(packet_ip6(m));
	packet_ip6(m)->hop_limits = REPLY_TTL;
	return DROP_NONE;
}

enum drop_reason echo_reply(struct rte_mbuf *m)
{
	return packet_is_ip6(m) ? echo6_reply(m) : echo4_reply(m);
}
