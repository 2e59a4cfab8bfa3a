/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP echo to our own addresses: the request becomes the reply in place. RFC 792, RFC 1122 3.2.2.6. */
#include "stages_priv.h"

#include <rte_icmp.h>

#define ICMP_ECHO_REPLY   0
#define ICMP_ECHO_REQUEST 8
#define REPLY_TTL         64

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

enum drop_reason echo_reply(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	struct rte_icmp_hdr *icmp = (struct rte_icmp_hdr *)((uint8_t *)ip + ip_header_bytes(ip));
	uint16_t icmp_bytes = (uint16_t)(m->data_len - ip_header_bytes(ip));

	if (ip->next_proto_id != IPPROTO_ICMP)
		return DROP_LOCAL_UNHANDLED;
	/* reassembly is not this gateway's yet */
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
