/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 headers as the packet path reads them: the chain of extension headers walked with every length checked first.
 * Changes nothing. RFC 8200 4. */
#pragma once

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define IP6_FRAGMENT_BYTES 8 /* of a fragment header, whole; RFC 8200 4.5 */
#define IP6_HEADERS_MAX    8 /* of one chain; more is taken for an attack (RFC 8504 5.3) */

enum ip6_walk_fault { IP6_WALK_GOOD, IP6_WALK_SHORT, IP6_WALK_TOO_MANY };

/* Where the chain ends. */
struct ip6_layout {
	uint8_t protocol;         /* of what follows the extension headers; ESP and AH end the chain too */
	uint16_t next_offset;     /* of the Next Header byte that names `protocol`, from the IPv6 header */
	uint16_t offset;          /* of what follows, from the IPv6 header */
	uint16_t fragment;        /* offset and flags of the fragment headers, host order; 0: atomic ones or none */
	uint16_t insert_offset;   /* where ESP or AH goes in transport mode: behind hop-by-hop, routing, fragment (RFC
				   * 4303 3.1.1) */
	uint16_t insert_next;     /* of the Next Header byte in front of that place */
	uint16_t fragment_offset; /* of the last fragment header */
	uint16_t fragment_next;   /* of the Next Header byte that names it */
	bool has_fragment_header;
	bool routing; /* a routing header with segments left: the final destination is not ip6->dst_addr */
};

/* Arrays in DPDK 22.11, structs of their own since 24.11. */
static inline const uint8_t *ip6_source(const struct rte_ipv6_hdr *ip)
{
	return (const uint8_t *)&ip->src_addr;
}

static inline const uint8_t *ip6_destination(const struct rte_ipv6_hdr *ip)
{
	return (const uint8_t *)&ip->dst_addr;
}

static inline bool ip6_is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_DSTOPTS;
}

/* True for a fragment that does not begin the datagram: nothing behind its header can be read. */
static inline bool ip6_is_later_fragment(const struct ip6_layout *l)
{
	return (l->fragment & 0xfff8) != 0;
}

static inline bool ip6_is_fragment(const struct ip6_layout *l)
{
	return (l->fragment & 0xfff9) != 0;
}

/* ip: an IPv6 header with `bytes` bytes behind which nothing may be read. */
enum ip6_walk_fault ip6_walk(const uint8_t *ip, uint32_t bytes, struct ip6_layout *ret_layout);
