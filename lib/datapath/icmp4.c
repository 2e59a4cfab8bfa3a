/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of ICMP errors, built in place around the packet they are about, and when there may be none. Who sends them
 * and how often is icmp_error.c. RFC 792, RFC 1191 4, RFC 1812 4.3.2, 5.2.7. */
#include "stages_priv.h"

#include <errno.h>
#include <rte_icmp.h>

#define ERROR_TTL         64
#define ERROR_BYTES_MAX   576  /* RFC 1812 4.3.2.3: as much of the packet as fits these */
#define ERROR_TOS         0xc0 /* RFC 1812 4.3.2.5: precedence 6 */
#define ICMP_HEADER_BYTES 8
#define HEADERS_BYTES     (sizeof(struct rte_ipv4_hdr) + ICMP_HEADER_BYTES)
#define LINK_BYTES        18 /* Ethernet and a VLAN tag */

static const struct {
	uint8_t type, code;
} error_table[] = {
	[ICMP_ERROR_TTL] = { 11, 0 },
	[ICMP_ERROR_TOO_BIG] = { 3, 4 },
	[ICMP_ERROR_NO_ROUTE] = { 3, 0 },
	[ICMP_ERROR_NO_NEIGHBOUR] = { 3, 1 },
	[ICMP_ERROR_PROHIBITED] = { 3, 13 },
	[ICMP_ERROR_REASSEMBLY] = { 11, 1 },
};

static bool is_icmp_error(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip)
{
	/* destination unreachable, source quench, redirect, time exceeded, parameter problem */
	static const uint32_t errors = 1u << 3 | 1u << 4 | 1u << 5 | 1u << 11 | 1u << 12;
	uint8_t type;

	if (ip->next_proto_id != IPPROTO_ICMP)
		return false;
	/* without a type to look at it may be one */
	if (m->data_len <= ip_header_bytes(ip))
		return true;
	type = ((const uint8_t *)ip)[ip_header_bytes(ip)];
	return type < 32 && (errors & 1u << type);
}

/* RFC 1812 4.3.2.7. */
bool icmp4_error_forbidden(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);

	return ip_is_later_fragment(ip) || ipv4_not_unicast(ip->src_addr) || ipv4_not_unicast(ip->dst_addr) ||
	       is_icmp_error(m, ip);
}

/* The ICMP header before the quoted packet: type, code, checksum, and the next-hop MTU of RFC 1191. */
static void icmp_fill(uint8_t *icmp, uint16_t icmp_bytes, enum icmp_error error, uint16_t value)
{
	uint16_t checksum;

	memset(icmp, 0, ICMP_HEADER_BYTES);
	icmp[0] = error_table[error].type;
	icmp[1] = error_table[error].code;
	store_be16(icmp + 6, error == ICMP_ERROR_TOO_BIG ? value : 0);
	checksum = (uint16_t)~rte_raw_cksum(icmp, icmp_bytes);
	memcpy(icmp + 2, &checksum, sizeof(checksum));
}

int icmp4_error_build(struct rte_mbuf *m, uint32_t source_be, enum icmp_error error, uint16_t value, uint16_t ip_id)
{
	const struct rte_ipv4_hdr *offending = packet_ip(m);
	uint32_t destination_be = offending->src_addr;
	uint16_t quoted = RTE_MIN(m->data_len, (uint16_t)(ERROR_BYTES_MAX - HEADERS_BYTES));
	struct rte_ipv4_hdr *ip;

	if (icmp4_error_forbidden(m))
		return -EPERM;
	if (rte_pktmbuf_headroom(m) < HEADERS_BYTES + LINK_BYTES)
		return -ENOBUFS;
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - quoted));
	ip = (struct rte_ipv4_hdr *)rte_pktmbuf_prepend(m, HEADERS_BYTES);
	if (!ip)
		return -ENOBUFS;
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.type_of_service = ERROR_TOS,
		.total_length = rte_cpu_to_be_16(m->data_len),
		.packet_id = rte_cpu_to_be_16(ip_id),
		.time_to_live = ERROR_TTL,
		.next_proto_id = IPPROTO_ICMP,
		.src_addr = source_be,
		.dst_addr = destination_be,
	};
	ip_checksum_set(ip);
	icmp_fill((uint8_t *)(ip + 1), (uint16_t)(ICMP_HEADER_BYTES + quoted), error, value);
	return 0;
}
