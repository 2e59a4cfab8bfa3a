/* SPDX-License-Identifier: BSD-3-Clause */
/* Words about one packet that every stage of the room shares: the note that travels with a packet between threads,
 * reads of both families' headers, incremental checksums. Leaf header, inline; decides nothing. */
#pragma once

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "base.h"
#include "ip4.h"
#include "ip6.h"
#include "reassembly_priv.h"

#define BURST          64 /* packets a stage handles at once; what the bursts of lib/ipsec take at most */
#define NEIGHBOUR_NONE UINT32_MAX

/* Where a packet continues when another thread takes it over. That thread looks everything up again: only the packet
 * and this note travel, never a pointer to an SA, path or snapshot. */
enum stage {
	STAGE_CLEAR,       /* IP packet before its policy verdict */
	STAGE_SEALED,      /* outer IP packet before its SAD lookup */
	STAGE_ROUTE,       /* IP packet made by control that bypasses policy */
	STAGE_EGRESS,      /* IP packet whose port and neighbour are known */
	STAGE_TX,          /* complete frame for the note's port */
	STAGE_UNREACHABLE, /* IP packet whose neighbour does not answer: its sender is told */
	STAGE_FRAGMENT,    /* IP packet that its receiver puts together with others */
	STAGE_INNER,       /* fragment out of an SA, which the SA's owner puts together with others */
};

/* Who made the packet: decides about TTL, ICMP errors and what an unmatched policy means. */
enum origin {
	ORIGIN_CLEAR,      /* arrived in clear */
	ORIGIN_TUNNEL,     /* came out of an SA */
	ORIGIN_OWN_CLEAR,  /* our answer to a packet that arrived in clear */
	ORIGIN_OWN_TUNNEL, /* our answer to a packet that came out of an SA */
	ORIGIN_CONTROL,    /* injected */
};

/* In the mbuf's private area. Written by the sending thread, read by the receiving one; the ring orders them. */
struct note {
	uint8_t stage;  /* enum stage */
	uint8_t origin; /* enum origin */
	uint16_t port;  /* index in our table of ports */
	union {
		uint32_t neighbour; /* index, or NEIGHBOUR_NONE */
		uint32_t spi;       /* of the SA it came out of: STAGE_INNER */
	};
	bool on_link;     /* the next hop is the packet's destination: to be looked up again, as the index of one that
			   * no path or route pins may have been freed meanwhile */
	uint8_t fragment; /* enum fragment_context; of packets in the list `fragments` and of STAGE_FRAGMENT */
	uint16_t turn;    /* of the neighbour's index: another one, and it is not who was meant */
	uint32_t epoch;   /* of the snapshot that let it leave in clear: STAGE_EGRESS and STAGE_TX */
};
static_assert(sizeof(struct note) % RTE_MBUF_PRIV_ALIGN == 0, "size of the private area of an mbuf");

static inline struct note *packet_note(struct rte_mbuf *m)
{
	return (struct note *)rte_mbuf_to_priv(m);
}

static inline bool origin_forwarded(enum origin o)
{
	return o == ORIGIN_CLEAR || o == ORIGIN_TUNNEL;
}

static inline struct rte_ipv4_hdr *packet_ip(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
}

/* A packet in one buffer: where it begins in it, and its bytes. */
static inline void packet_place(struct rte_mbuf *m, uint32_t offset, uint32_t bytes)
{
	m->data_off = (uint16_t)offset;
	m->data_len = (uint16_t)bytes;
	m->pkt_len = bytes;
}

/* Bytes of an IPv4 header with options. */
static inline uint16_t ip_header_bytes(const struct rte_ipv4_hdr *ip)
{
	return (uint16_t)((ip->version_ihl & 0x0f) * 4);
}

static inline uint16_t ip_total_bytes(const struct rte_ipv4_hdr *ip)
{
	return rte_be_to_cpu_16(ip->total_length);
}

static inline bool ip_is_fragment(const struct rte_ipv4_hdr *ip)
{
	return ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
}

static inline bool ip_is_later_fragment(const struct rte_ipv4_hdr *ip)
{
	return ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK);
}

static inline bool ip_dont_fragment(const struct rte_ipv4_hdr *ip)
{
	return ip->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
}

/* 0/8, 127/8, multicast, class E and broadcast: never the address of one host on a wire (RFC 1812 5.3.7). */
static inline bool ipv4_not_unicast(uint32_t addr_be)
{
	uint8_t top;

	memcpy(&top, &addr_be, sizeof(top));
	/* 0 becomes the largest */
	return ((uint8_t)(top - 1) >= 223) | (top == 127);
}

static inline uint32_t ipv4_be(const struct addr *a)
{
	uint32_t be;

	memcpy(&be, a->bytes, sizeof(be));
	return be;
}

/* RFC 1812 5.2.2. The usual 20 bytes are summed as three words, what is carried out of them added again; options take
 * the slow way. A ones' complement sum of 16-bit words is the remainder by 0xffff, and no header is all zero. */
static inline bool ip_checksum_good(const struct rte_ipv4_hdr *ip, uint16_t header_bytes)
{
	uint64_t first, second;
	uint32_t third;

	if (unlikely(header_bytes != sizeof(*ip)))
		return rte_raw_cksum(ip, header_bytes) == 0xffff;
	memcpy(&first, ip, sizeof(first));
	memcpy(&second, (const uint8_t *)ip + 8, sizeof(second));
	memcpy(&third, (const uint8_t *)ip + 16, sizeof(third));
	first += second;
	first += first < second;
	first += third;
	first += first < third;
	return first % 0xffff == 0;
}

/* RFC 1624, equation 3: the checksum after a 16-bit word changed from old to new; any byte order, the same for all. */
static inline uint16_t checksum_adjust(uint16_t checksum, uint16_t old_word, uint16_t new_word)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + (uint16_t)~old_word + new_word;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline void ip_checksum_set(struct rte_ipv4_hdr *ip)
{
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* Forwarding: a TTL of at least 1 becomes one less, the header checksum to match. TTL, protocol and checksum are one
 * word, in memory order: a load that finds half of it in an earlier store would wait until that is written. */
static inline void ip_ttl_decrement(struct rte_ipv4_hdr *ip)
{
	const uint32_t one = 1u << 16; /* of the checksum's first byte, which weighs as much as the TTL */
	uint32_t word;

	memcpy(&word, &ip->time_to_live, sizeof(word));
	word = rte_le_to_cpu_32(word);
	/* RFC 1624, equation 3, for a word that becomes one of the high byte less */
	word += one - 1 + (word >= UINT32_MAX - 2 * one + 1 ? one : 0);
	word = rte_cpu_to_le_32(word);
	memcpy(&ip->time_to_live, &word, sizeof(word));
}

/* ---- IPv6, and what both families have ---- */

static inline bool packet_is_ip6(const struct rte_mbuf *m)
{
	return *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 == 6;
}

static inline struct rte_ipv6_hdr *packet_ip6(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, struct rte_ipv6_hdr *);
}

/* Unspecified, loopback, IPv4-compatible and -mapped, multicast: never the address of one host on a wire (RFC 4291 2.4,
 * 2.5.5; RFC 6890). */
static inline bool ipv6_not_unicast(const uint8_t addr[16])
{
	uint64_t high;
	uint32_t middle;

	memcpy(&high, addr, sizeof(high));
	memcpy(&middle, addr + 8, sizeof(middle));
	return addr[0] == 0xff || (high == 0 && (middle == 0 || middle == RTE_BE32(0xffff)));
}

/* RFC 4291 2.5.6: such packets never leave their link. */
static inline bool ipv6_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* A part of a datagram; an atomic fragment (RFC 6946) is a whole one. m: a packet whose lengths were checked. */
static inline bool packet_is_fragment(const struct rte_mbuf *m)
{
	uint16_t offset, named_at;

	if (likely(!packet_is_ip6(m)))
		return ip_is_fragment(packet_ip(m));
	return ip6_is_extension(packet_ip6(m)->proto) &&
	       fragment6_find(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &offset, &named_at);
}

/* TTL or hop limit. */
static inline uint8_t packet_ttl(const struct rte_mbuf *m)
{
	return packet_is_ip6(m) ? packet_ip6(m)->hop_limits : packet_ip(m)->time_to_live;
}

static inline void packet_ttl_decrement(const struct rte_mbuf *m)
{
	if (packet_is_ip6(m))
		packet_ip6(m)->hop_limits--;
	else
		ip_ttl_decrement(packet_ip(m));
}

/* A hop that was counted and not made. */
static inline void packet_ttl_restore(const struct rte_mbuf *m)
{
	if (packet_is_ip6(m)) {
		packet_ip6(m)->hop_limits++;
	} else {
		packet_ip(m)->time_to_live++;
		ip_checksum_set(packet_ip(m));
	}
}

static inline struct addr packet_source(const struct rte_mbuf *m)
{
	return packet_is_ip6(m) ? addr_from_bytes(ADDR_IPV6, ip6_source(packet_ip6(m)))
				: addr_from_bytes(ADDR_IPV4, (const uint8_t *)&packet_ip(m)->src_addr);
}

static inline struct addr packet_destination(const struct rte_mbuf *m)
{
	return packet_is_ip6(m) ? addr_from_bytes(ADDR_IPV6, ip6_destination(packet_ip6(m)))
				: addr_from_bytes(ADDR_IPV4, (const uint8_t *)&packet_ip(m)->dst_addr);
}

/* What stands behind IPv4 options or IPv6 extension headers. */
struct upper {
	uint16_t offset; /* from the IP header */
	uint8_t protocol;
	bool fragment; /* of a datagram: only the first one shows what is there */
};

/* m: a packet whose headers were checked. An IPv6 packet that another node is still to forward (a routing header with
 * segments left) has no upper layer for us: its protocol stays IPPROTO_ROUTING. */
static inline void packet_upper(const struct rte_mbuf *m, struct upper *ret_upper)
{
	struct ip6_layout l;

	if (likely(!packet_is_ip6(m))) {
		const struct rte_ipv4_hdr *ip = packet_ip(m);
		*ret_upper = (struct upper){ ip_header_bytes(ip), ip->next_proto_id, ip_is_fragment(ip) };
		return;
	}
	*ret_upper = (struct upper){ sizeof(struct rte_ipv6_hdr), packet_ip6(m)->proto, false };
	if (!ip6_is_extension(ret_upper->protocol))
		return;
	if (ip6_walk(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &l) != IP6_WALK_GOOD || l.routing)
		ret_upper->protocol = IPPROTO_ROUTING;
	else
		*ret_upper = (struct upper){ l.offset, l.protocol, ip6_is_fragment(&l) };
}

/* Ones' complement sum of the pseudo header of an upper-layer packet of `bytes` (RFC 768, RFC 8200 8.1). The
 * library's takes the length from the IP header, which may be larger. */
static inline uint32_t pseudo_sum(const struct rte_mbuf *m, uint8_t protocol, uint16_t bytes)
{
	uint16_t words[2] = { rte_cpu_to_be_16(bytes), rte_cpu_to_be_16(protocol) };
	uint32_t sum = (uint32_t)words[0] + words[1];

	if (packet_is_ip6(m))
		return sum +
		       rte_raw_cksum((const uint8_t *)packet_ip6(m) + offsetof(struct rte_ipv6_hdr, src_addr), 32);
	return sum + rte_raw_cksum((const uint8_t *)packet_ip(m) + offsetof(struct rte_ipv4_hdr, src_addr), 8);
}

/* True when the upper-layer packet at `data` has a good checksum: UDP, ICMPv6. */
static inline bool upper_checksum_good(const struct rte_mbuf *m, uint8_t protocol, const void *data, uint16_t bytes)
{
	uint32_t sum = pseudo_sum(m, protocol, bytes) + rte_raw_cksum(data, bytes);

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}
