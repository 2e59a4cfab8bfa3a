/* SPDX-License-Identifier: BSD-3-Clause */
/* The first eight bytes of an IPv4 header as one word: most packets are told from the rest by one comparison. Pure leaf
 * header, inline. */
#pragma once

#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Version, header length, and all of the fragment field but DF. */
#define IP4_PLAIN_MASK  RTE_BE64(0xff00000000003fffull | 0x8000ull)
#define IP4_PLAIN       RTE_BE64(0x4500000000000000ull)
#define IP4_PLAIN_BYTES 20

/* Eight bytes are there. */
static inline uint64_t ip4_first(const void *ip)
{
	uint64_t first;

	memcpy(&first, ip, sizeof(first));
	return first;
}

/* No options, and not a part of a datagram. */
static inline bool ip4_is_plain(uint64_t first)
{
	return (first & IP4_PLAIN_MASK) == IP4_PLAIN;
}

static inline uint32_t ip4_total_bytes(uint64_t first)
{
	return rte_bswap32((uint32_t)rte_le_to_cpu_64(first)) & UINT16_MAX;
}
