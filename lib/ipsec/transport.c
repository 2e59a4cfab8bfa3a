/* SPDX-License-Identifier: BSD-3-Clause */
/* Where ESP and AH stand in transport mode: behind the IP header and those extension headers that routers look at; the
 * one of these that they must not see; and the checksums that a NAT makes wrong. */
#include <netinet/in.h>

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

/* True when there was one. */
static bool fragment_header_remove(struct rte_mbuf *m)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv6_hdr *h = (struct rte_ipv6_hdr *)ip;
	struct ip6_layout l;

	if (ip6_walk(ip, m->data_len, &l) != IP6_WALK_GOOD || !l.has_fragment_header || ip6_is_fragment(&l) ||
		rte_be_to_cpu_16(h->payload_len) < IP6_FRAGMENT_BYTES)
		return false;
	h->payload_len = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(h->payload_len) - IP6_FRAGMENT_BYTES));
	ip[l.fragment_next] = ip[l.fragment_offset];
	memmove(ip + IP6_FRAGMENT_BYTES, ip, l.fragment_offset);
	rte_pktmbuf_adj(m, IP6_FRAGMENT_BYTES);
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

/* ---- checksums behind a NAT ---- */

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* RFC 1624 in a difference: without the old address, with the new one. */
static uint64_t address_delta(const struct addr *original, const struct addr *seen)
{
	uint64_t sum = 0;
	uint16_t was, is;

	if (!original->family)
		return 0;
	for (size_t i = 0; i < addr_len(original); i += sizeof(was)) {
		memcpy(&was, original->bytes + i, sizeof(was));
		memcpy(&is, seen->bytes + i, sizeof(is));
		sum += (uint16_t)~was + is;
	}
	return sum;
}

uint16_t checksum_delta(const struct sa_spec *spec)
{
	return (uint16_t)fold(address_delta(&spec->original_local, &spec->path.local.addr) +
			      address_delta(&spec->original_remote, &spec->path.remote.addr));
}

static const struct checksum_row {
	uint8_t protocol, offset;
	bool optional; /* 0 says there is none */
} checksum_rows[] = {
	{ IPPROTO_TCP, 16, false },
	{ IPPROTO_UDP, 6, true },
	{ IPPROTO_ICMPV6, 2, false },
	{ IPPROTO_UDPLITE, 6, true },
};

void checksum_repair(uint8_t protocol, uint8_t *payload, uint32_t bytes, uint16_t delta)
{
	const struct checksum_row *row = NULL;
	uint16_t sum;

	for (size_t i = 0; i < ARRAY_LEN(checksum_rows); i++)
		if (checksum_rows[i].protocol == protocol)
			row = &checksum_rows[i];
	if (!row || bytes < row->offset + sizeof(sum))
		return;
	memcpy(&sum, payload + row->offset, sizeof(sum));
	if (!sum && row->optional)
		return;
	sum = (uint16_t)~fold((uint16_t)~sum + delta);
	if (!sum && row->optional)
		sum = UINT16_MAX;
	memcpy(payload + row->offset, &sum, sizeof(sum));
}
