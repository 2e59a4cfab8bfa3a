/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors and the packets they quote, as bytes. What is believed of them is decided by the readers. */
#include "quote.h"

#include <netinet/in.h>
#include <rte_ip.h>

#include "ip6.h"

#define IPV4_BYTES       20
#define IPV6_BYTES       40
#define UDP_BYTES        8
#define SPI_BYTES        4
#define NEEDED_FRAGMENT  4   /* code of destination unreachable (RFC 792, RFC 1191 4) */
#define ICMPV6_ERRORS    128 /* types below this one are errors (RFC 4443 2.1) */
#define ICMP_UNREACHABLE 3
#define ICMP_TIME        11

static bool is_ipv6(const uint8_t *ip)
{
	return ip[0] >> 4 == 6;
}

static uint32_t ipv4_bytes(const uint8_t *ip)
{
	return (ip[0] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
}

static bool ipv4_fragment(const uint8_t *ip)
{
	return ((const struct rte_ipv4_hdr *)ip)->fragment_offset &
	       RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
}

/* Offset of what stands behind the IP headers; 0: it cannot be said, or is a fragment. */
static uint32_t upper_offset(const uint8_t *ip, uint32_t bytes, uint8_t *ret_protocol)
{
	struct ip6_layout l;

	if (!is_ipv6(ip)) {
		*ret_protocol = ip[offsetof(struct rte_ipv4_hdr, next_proto_id)];
		return ipv4_fragment(ip) || ipv4_bytes(ip) > bytes ? 0 : ipv4_bytes(ip);
	}
	if (ip6_walk(ip, bytes, &l) != IP6_WALK_GOOD || ip6_is_fragment(&l))
		return 0;
	*ret_protocol = l.protocol;
	return l.offset;
}

/* Offset of the ICMP header of an error; 0: it is none. */
static uint32_t error_offset(const uint8_t *ip, uint32_t bytes)
{
	/* destination unreachable, source quench, redirect, time exceeded, parameter problem */
	static const uint32_t errors = 1u << 3 | 1u << 4 | 1u << 5 | 1u << 11 | 1u << 12;
	uint8_t protocol = 0;
	uint32_t offset = upper_offset(ip, bytes, &protocol);

	if (!offset || bytes < offset + ICMP_BYTES)
		return 0;
	if (is_ipv6(ip))
		return protocol == IPPROTO_ICMPV6 && ip[offset] < ICMPV6_ERRORS ? offset : 0;
	return protocol == IPPROTO_ICMP && ip[offset] < 32 && (errors & 1u << ip[offset]) ? offset : 0;
}

bool quote_is_error(const uint8_t *ip, uint32_t bytes)
{
	return error_offset(ip, bytes) != 0;
}

static enum quote_kind kind4(const uint8_t *icmp)
{
	if (icmp[0] == ICMP_UNREACHABLE)
		return icmp[1] == NEEDED_FRAGMENT ? QUOTE_TOO_BIG : QUOTE_UNREACHABLE;
	return icmp[0] == ICMP_TIME ? QUOTE_TIME : QUOTE_OTHER;
}

/* RFC 4443 3: types 1 to 3. */
static enum quote_kind kind6(const uint8_t *icmp)
{
	static const uint8_t kinds[] = { QUOTE_OTHER, QUOTE_UNREACHABLE, QUOTE_TOO_BIG, QUOTE_TIME };

	return icmp[0] < sizeof(kinds) ? (enum quote_kind)kinds[icmp[0]] : QUOTE_OTHER;
}

/* A header of the error's own family, which every router quotes whole (RFC 792, RFC 4443 2.4), of a packet that the
 * receiver of the error has sent. */
static bool quoted_valid(const uint8_t *error, const struct quote *q)
{
	bool six = is_ipv6(error);

	if (q->bytes < (six ? IPV6_BYTES : IPV4_BYTES) || q->ip[0] >> 4 != error[0] >> 4)
		return false;
	if (six)
		return !memcmp(ip6_source((const struct rte_ipv6_hdr *)q->ip),
			ip6_destination((const struct rte_ipv6_hdr *)error), 16);
	return ipv4_bytes(q->ip) >= IPV4_BYTES &&
	       ((const struct rte_ipv4_hdr *)q->ip)->src_addr == ((const struct rte_ipv4_hdr *)error)->dst_addr;
}

bool quote_read(const uint8_t *ip, uint32_t bytes, struct quote *ret_quote)
{
	uint32_t offset = error_offset(ip, bytes);
	const uint8_t *icmp = ip + offset;

	if (!offset)
		return false;
	*ret_quote = (struct quote){
		.kind = (uint8_t)(is_ipv6(ip) ? kind6(icmp) : kind4(icmp)),
		.type = icmp[0],
		.code = icmp[1],
		.ip = icmp + ICMP_BYTES,
		.bytes = bytes - offset - ICMP_BYTES,
	};
	/* 32 bits in ICMPv6, the lower 16 of them in ICMP */
	if (ret_quote->kind == QUOTE_TOO_BIG)
		ret_quote->mtu = is_ipv6(ip) ? load_be32(icmp + 4) : load_be16(icmp + 6);
	return quoted_valid(ip, ret_quote);
}

static void quoted_ends(const struct quote *q, struct quoted_sa *s)
{
	const struct rte_ipv4_hdr *ip4 = (const struct rte_ipv4_hdr *)q->ip;
	const struct rte_ipv6_hdr *ip6 = (const struct rte_ipv6_hdr *)q->ip;

	if (is_ipv6(q->ip)) {
		s->local = addr_from_bytes(ADDR_IPV6, ip6_source(ip6));
		s->remote = addr_from_bytes(ADDR_IPV6, ip6_destination(ip6));
		s->total_bytes = (uint16_t)RTE_MIN(IPV6_BYTES + rte_be_to_cpu_16(ip6->payload_len), UINT16_MAX);
		return;
	}
	s->local = addr_from_bytes(ADDR_IPV4, (const uint8_t *)&ip4->src_addr);
	s->remote = addr_from_bytes(ADDR_IPV4, (const uint8_t *)&ip4->dst_addr);
	s->total_bytes = rte_be_to_cpu_16(ip4->total_length);
}

/* First fragments count: a router on the way to the peer may have been given one. */
static uint32_t quoted_upper(const struct quote *q, uint8_t *ret_protocol)
{
	const struct rte_ipv4_hdr *ip4 = (const struct rte_ipv4_hdr *)q->ip;
	struct ip6_layout l;

	if (is_ipv6(q->ip)) {
		if (ip6_walk(q->ip, q->bytes, &l) != IP6_WALK_GOOD || ip6_is_later_fragment(&l))
			return 0;
		*ret_protocol = l.protocol;
		return l.offset;
	}
	*ret_protocol = ip4->next_proto_id;
	return ip4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK) ? 0 : ipv4_bytes(q->ip);
}

/* RFC 3948 2.1: an SPI of zero is the non-ESP marker, IKE. */
static bool udp_read(const struct quote *q, uint32_t offset, struct quoted_sa *s)
{
	const uint8_t *udp = q->ip + offset;

	if (q->bytes < offset + UDP_BYTES + SPI_BYTES)
		return false;
	s->udp = true;
	s->protocol = IPPROTO_ESP;
	s->local_port = load_be16(udp);
	s->remote_port = load_be16(udp + 2);
	s->spi = load_be32(udp + UDP_BYTES);
	return s->local_port == PORT_NATT && s->spi;
}

bool quote_sa(const struct quote *q, struct quoted_sa *ret_sa)
{
	uint8_t protocol = 0;
	uint32_t offset = quoted_upper(q, &protocol), spi;

	*ret_sa = (struct quoted_sa){ .protocol = protocol };
	quoted_ends(q, ret_sa);
	if (!offset)
		return false;
	if (protocol == IPPROTO_UDP)
		return udp_read(q, offset, ret_sa);
	/* next header, length and reserved stand in front of AH's (RFC 4302 2) */
	spi = offset + (protocol == IPPROTO_AH ? 4 : 0);
	if ((protocol != IPPROTO_ESP && protocol != IPPROTO_AH) || q->bytes < spi + SPI_BYTES)
		return false;
	ret_sa->spi = load_be32(q->ip + spi);
	return true;
}
