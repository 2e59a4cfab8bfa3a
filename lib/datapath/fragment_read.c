/* SPDX-License-Identifier: BSD-3-Clause */
/* What one fragment says about itself, and whether it may be believed. Reads bytes only, all of them bounds-checked.
 * RFC 791 3.1, RFC 1858, RFC 3128, RFC 7112, RFC 8200 4.5. */
#include <rte_jhash.h>

#include "packet_priv.h"
#include "reassembly_priv.h"

#define UNIT         8 /* of offsets, and bytes of a fragment header */
#define DATAGRAM_MAX 65535

/* Bytes of upper header that the first fragment has to show: all that a policy or a receiver decides on. */
static uint16_t upper_bytes_least(uint8_t protocol)
{
	static const struct {
		uint8_t protocol, bytes;
	} table[] = {
		{ IPPROTO_TCP, 20 },
		{ IPPROTO_SCTP, 12 },
		{ IPPROTO_DCCP, 12 },
		{ IPPROTO_AH, 12 },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].protocol == protocol)
			return table[i].bytes;
	return UNIT;
}

/* header: bytes in front of the piece that will be in front of the datagram. */
static enum drop_reason piece_check(const struct fragment *f, uint32_t header)
{
	if (!f->piece.bytes || (f->more && f->piece.bytes % UNIT))
		return DROP_FRAGMENT_LENGTH;
	return header + f->piece.offset + f->piece.bytes > DATAGRAM_MAX ? DROP_FRAGMENT_BEYOND : DROP_NONE;
}

enum drop_reason fragment4_read(const uint8_t *packet, uint32_t bytes, struct fragment *ret_fragment)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)packet;
	uint16_t word = rte_be_to_cpu_16(ip->fragment_offset), header = ip_header_bytes(ip);
	struct fragment *f = ret_fragment;
	enum drop_reason reason;

	*f = (struct fragment){ .key = { .family = 4, .protocol = ip->next_proto_id } };
	memcpy(f->key.source, &ip->src_addr, sizeof(ip->src_addr));
	memcpy(f->key.destination, &ip->dst_addr, sizeof(ip->dst_addr));
	f->key.identification = ip->packet_id;
	f->more = word & RTE_IPV4_HDR_MF_FLAG;
	f->piece = (struct piece){ .data = packet + header,
		.offset = (uint16_t)((word & RTE_IPV4_HDR_OFFSET_MASK) * UNIT),
		.bytes = (uint16_t)(bytes - header),
		.packet_bytes = (uint16_t)bytes };
	reason = piece_check(f, header);
	if (reason)
		return reason;
	if (!f->piece.offset && f->piece.bytes < upper_bytes_least(f->key.protocol))
		return DROP_FRAGMENT_TINY;
	/* RFC 3128: such a one could only replace flags of a TCP header that was shown */
	return f->key.protocol == IPPROTO_TCP && f->piece.offset == UNIT ? DROP_FRAGMENT_TINY : DROP_NONE;
}

bool fragment6_find(const uint8_t *ip, uint32_t bytes, uint16_t *ret_offset, uint16_t *ret_named_at)
{
	uint32_t offset = sizeof(struct rte_ipv6_hdr), named_at = offsetof(struct rte_ipv6_hdr, proto);

	for (int n = 0; n < IP6_HEADERS_MAX && bytes >= offset + UNIT && ip6_is_extension(ip[named_at]); n++) {
		const uint8_t *header = ip + offset;
		bool fragment = ip[named_at] == IPPROTO_FRAGMENT;
		if (fragment && (load_be16(header + 2) & 0xfff9)) {
			*ret_offset = (uint16_t)offset;
			*ret_named_at = (uint16_t)named_at;
			return true;
		}
		named_at = offset;
		offset += fragment ? UNIT : (header[1] + 1u) * UNIT;
	}
	return false;
}

/* RFC 7112: all headers, and something of what follows them. */
static bool shows_all_headers(const uint8_t *ip, uint32_t bytes)
{
	struct ip6_layout l;

	return ip6_walk(ip, bytes, &l) == IP6_WALK_GOOD && bytes >= l.offset + (uint32_t)upper_bytes_least(l.protocol);
}

enum drop_reason fragment6_read(const uint8_t *packet, uint32_t bytes, struct fragment *ret_fragment)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)packet;
	struct fragment *f = ret_fragment;
	uint16_t at, named_at, word;
	enum drop_reason reason;

	*f = (struct fragment){ .key = { .family = 6 } };
	if (!fragment6_find(packet, bytes, &at, &named_at))
		return DROP_IP_HEADER;
	memcpy(f->key.source, ip6_source(ip), sizeof(f->key.source));
	memcpy(f->key.destination, ip6_destination(ip), sizeof(f->key.destination));
	memcpy(&f->key.identification, packet + at + 4, sizeof(f->key.identification));
	word = load_be16(packet + at + 2);
	f->more = word & 1;
	f->piece = (struct piece){ .data = packet + at + UNIT,
		.offset = word & 0xfff8,
		.bytes = (uint16_t)(bytes - at - UNIT),
		.packet_bytes = (uint16_t)bytes };
	/* the length field does not count the fixed header */
	reason = piece_check(f, at - (uint32_t)sizeof(*ip));
	if (reason)
		return reason;
	return !f->piece.offset && !shows_all_headers(packet, bytes) ? DROP_FRAGMENT_TINY : DROP_NONE;
}

uint32_t fragment_hash(const struct reassembly_key *k, uint32_t seed)
{
	return rte_jhash(k, offsetof(struct reassembly_key, context), seed);
}
