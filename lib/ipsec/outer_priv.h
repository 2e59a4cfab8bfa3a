/* SPDX-License-Identifier: BSD-3-Clause */
/* The outer header of a tunnel: the path's template, then what differs per packet and what the path's rules take from
 * the inner header. RFC 4301 5.1.2.1, RFC 6040 4.1. Inline, burst path. */
#pragma once

#include "burst_priv.h"

/* What an outer header may need of the inner one. */
struct inner_view {
	uint8_t tos, ttl, next_header;
	uint16_t df_be; /* IPv6 is never fragmented on its way: as IPv4 with DF */
	uint32_t flow_label;
};

static inline struct inner_view inner_read(const uint8_t *inner)
{
	const struct rte_ipv4_hdr *ip4 = (const struct rte_ipv4_hdr *)inner;
	const struct rte_ipv6_hdr *ip6 = (const struct rte_ipv6_hdr *)inner;

	if (likely(!packet_is_ipv6(inner)))
		return (struct inner_view){ ip4->type_of_service, ip4->time_to_live, NEXT_HEADER_IPV4,
			ip4->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG), 0 };
	uint32_t word = rte_be_to_cpu_32(ip6->vtc_flow);
	return (struct inner_view){ (uint8_t)(word >> 20), ip6->hop_limits, NEXT_HEADER_IPV6,
		RTE_BE16(RTE_IPV4_HDR_DF_FLAG), word & 0xfffff };
}

static inline uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* at: where the outer header begins, template_len bytes in front of ESP or AH. What the template's copy and the UDP
 * length write behind a header without UDP is the place of ESP or AH, written afterwards. */
static inline void outer4_write(
	uint8_t *at, const struct path *path, const struct inner_view *in, uint32_t total, uint16_t id)
{
	uint16_t length_be = rte_cpu_to_be_16((uint16_t)total);
	uint16_t udp_be = rte_cpu_to_be_16((uint16_t)(total - IPV4_BYTES));
	uint16_t df_be = (in->df_be & path->df_keep_be) | path->df_set_be;
	uint8_t tos = (in->tos & path->tos_keep) | path->tos_set;
	uint16_t tos_be = rte_cpu_to_be_16(tos);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;
	uint32_t sum;
	uint16_t template_sum;

	memcpy(&template_sum, path->template_bytes + offsetof(struct rte_ipv4_hdr, hdr_checksum), sizeof(template_sum));
	memcpy(at, path->template_bytes, IPV4_BYTES + UDP_BYTES);
	ip->type_of_service = tos;
	ip->total_length = length_be;
	ip->packet_id = id;
	ip->fragment_offset = df_be;
	sum = (uint32_t)template_sum + length_be + df_be + tos_be + id;
	if (unlikely(path->flags & PATH_TTL_COPY)) {
		ip->time_to_live = in->ttl;
		sum += rte_cpu_to_be_16((uint16_t)(in->ttl << 8));
	}
	ip->hdr_checksum = (uint16_t)~sum_fold(sum);
	memcpy(at + sizeof(*ip) + offsetof(struct rte_udp_hdr, dgram_len), &udp_be, sizeof(udp_be));
}

static inline void outer6_write(uint8_t *at, const struct path *path, const struct inner_view *in, uint32_t total)
{
	uint16_t payload_be = rte_cpu_to_be_16((uint16_t)(total - IPV6_BYTES));
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)at;
	uint8_t tos = (in->tos & path->tos_keep) | path->tos_set;
	uint32_t word;

	memcpy(at, path->template_bytes, IPV6_BYTES + UDP_BYTES);
	memcpy(&word, path->template_bytes, sizeof(word));
	word = rte_be_to_cpu_32(word) | (uint32_t)tos << 20;
	if (unlikely(path->flags & PATH_FLOW_COPY))
		word |= in->flow_label;
	ip->vtc_flow = rte_cpu_to_be_32(word);
	ip->payload_len = payload_be;
	if (unlikely(path->flags & PATH_TTL_COPY))
		ip->hop_limits = in->ttl;
	memcpy(at + sizeof(*ip) + offsetof(struct rte_udp_hdr, dgram_len), &payload_be, sizeof(payload_be));
}

static inline void outer_write(
	uint8_t *at, const struct path *path, const struct inner_view *in, uint32_t total, uint16_t id)
{
	if (likely(!(path->flags & PATH_IPV6)))
		outer4_write(at, path, in, total, id);
	else
		outer6_write(at, path, in, total);
}
