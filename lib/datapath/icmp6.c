/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of ICMPv6 errors, built in place around the packet they are about, and when there may be none. Who sends
 * them and how often is icmp_error.c. RFC 4443 2.2, 2.4, 3. */
#include "stages_priv.h"

#include <errno.h>

#define ERROR_HOP_LIMIT   64
#define ERROR_FLOW        0x60000000u
#define ICMP_HEADER_BYTES 8
#define ICMPV6_INFO       128 /* types below are errors */
#define ICMPV6_REDIRECT   137
#define HEADERS_BYTES     (sizeof(struct rte_ipv6_hdr) + ICMP_HEADER_BYTES)
#define LINK_BYTES        18 /* Ethernet and a VLAN tag */

static const struct {
	uint8_t type, code;
} error_table[] = {
	[ICMP_ERROR_TTL] = { 3, 0 },
	[ICMP_ERROR_TOO_BIG] = { 2, 0 },
	[ICMP_ERROR_NO_ROUTE] = { 1, 0 },
	[ICMP_ERROR_NO_NEIGHBOUR] = { 1, 3 },
	[ICMP_ERROR_PROHIBITED] = { 1, 1 },
	[ICMP_ERROR_REASSEMBLY] = { 3, 1 },
	[ICMP_ERROR_HEADER_FIELD] = { 4, 0 },
	[ICMP_ERROR_UNKNOWN_HEADER] = { 4, 1 },
	[ICMP_ERROR_UNKNOWN_OPTION] = { 4, 2 },
};

/* An error or a redirect; what cannot be seen may be one. */
static bool is_icmp_error(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	struct ip6_layout l;

	if (ip6_walk(ip, m->data_len, &l) != IP6_WALK_GOOD)
		return true;
	if (l.protocol != IPPROTO_ICMPV6)
		return false;
	if (ip6_is_later_fragment(&l) || m->data_len <= l.offset)
		return true;
	return ip[l.offset] < ICMPV6_INFO || ip[l.offset] == ICMPV6_REDIRECT;
}

/* RFC 4443 2.4 (e). Only the path MTU of a multicast may be told, and an option that asks for it. */
bool icmp6_error_forbidden(const struct rte_mbuf *m, enum icmp_error error)
{
	const struct rte_ipv6_hdr *ip = packet_ip6(m);
	bool to_group = ip6_destination(ip)[0] == 0xff;

	if (ipv6_not_unicast(ip6_source(ip)) ||
		(to_group && error != ICMP_ERROR_TOO_BIG && error != ICMP_ERROR_UNKNOWN_OPTION))
		return true;
	return is_icmp_error(m);
}

/* A path of less than 1280 bytes is none to tell of: hosts do not go below (RFC 8201 4). */
static void icmp_fill(struct rte_mbuf *m, enum icmp_error error, uint16_t value)
{
	uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct rte_ipv6_hdr));
	uint16_t checksum;

	memset(icmp, 0, ICMP_HEADER_BYTES);
	icmp[0] = error_table[error].type;
	icmp[1] = error_table[error].code;
	store_be32(icmp + 4, error == ICMP_ERROR_TOO_BIG ? RTE_MAX(value, RTE_IPV6_MIN_MTU) : value);
	checksum = rte_ipv6_udptcp_cksum(packet_ip6(m), icmp);
	memcpy(icmp + 2, &checksum, sizeof(checksum));
}

int icmp6_error_build(struct rte_mbuf *m, const uint8_t source[16], enum icmp_error error, uint16_t value)
{
	/* RFC 4443 2.4 (c): as much of the packet as fits the least MTU */
	uint16_t quoted = RTE_MIN(m->data_len, (uint16_t)(RTE_IPV6_MIN_MTU - HEADERS_BYTES));
	uint8_t destination[16];
	struct rte_ipv6_hdr *ip;

	if (icmp6_error_forbidden(m, error))
		return -EPERM;
	if (rte_pktmbuf_headroom(m) < HEADERS_BYTES + LINK_BYTES)
		return -ENOBUFS;
	memcpy(destination, ip6_source(packet_ip6(m)), sizeof(destination));
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - quoted));
	ip = (struct rte_ipv6_hdr *)rte_pktmbuf_prepend(m, HEADERS_BYTES);
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(ERROR_FLOW),
		.payload_len = rte_cpu_to_be_16((uint16_t)(ICMP_HEADER_BYTES + quoted)),
		.proto = IPPROTO_ICMPV6,
		.hop_limits = ERROR_HOP_LIMIT,
	};
	memcpy(&ip->src_addr, source, sizeof(destination));
	memcpy(&ip->dst_addr, destination, sizeof(destination));
	icmp_fill(m, error, value);
	return 0;
}
