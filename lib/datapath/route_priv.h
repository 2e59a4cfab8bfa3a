/* SPDX-License-Identifier: BSD-3-Clause */
/* Longest-prefix match over the routes of one snapshot, a table for each family. Built by control, immutable
 * afterwards, read by workers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

enum route_kind {
	ROUTE_NONE,      /* no route */
	ROUTE_NOWHERE,   /* not the address of a host (multicast, loopback, broadcast): nobody is told */
	ROUTE_LOCAL,     /* one of our own addresses */
	ROUTE_CONNECTED, /* the destination itself is the neighbour */
	ROUTE_VIA,       /* through a router */
};

struct route {
	uint8_t kind;    /* enum route_kind */
	bool is_default; /* of length 0: says nothing about an address */
	uint16_t port;
	uint32_t neighbour; /* ROUTE_VIA */
};

/* True when packets can go along it. */
static inline bool route_leads(const struct route *r)
{
	return r->kind == ROUTE_CONNECTED || r->kind == ROUTE_VIA;
}

#define ROUTE_ROOT_BITS   16
#define ROUTE_GROUP_SIZE  256
#define ROUTE_IS_GROUP    0x80000000u
#define ROUTE_ENTRIES_MAX 0x7fffffffu

/* A 16-8-8 trie instead of rte_lpm or rte_fib: their 24-bit first level costs 32 to 64 MB in every snapshot, twice
 * while one replaces another, which does not fit a --no-huge start of 512 MB. Here the first level is 256 KB (it stays
 * in L2) and each /16 or /24 that is more finely divided costs 1 KB. A lookup is one to three loads. */
struct route_table {
	uint32_t *root;   /* 2^16 entries: index of a route, or ROUTE_IS_GROUP | index of a group */
	uint32_t *groups; /* group_count * 256 entries */
	struct route *routes;
	uint32_t group_count, group_capacity;
	uint32_t route_count, route_capacity;
};

/* Control: an empty table (everything ROUTE_NONE). 0 or -ENOMEM. */
int route_table_init(struct route_table *t);
void route_table_done(struct route_table *t);
/* Control: adds a prefix (host order; len at most 32). Prefixes must come shortest first: a later one overwrites. 0 or
 * -ENOMEM. */
int route_insert(struct route_table *t, uint32_t addr, uint8_t len, const struct route *r);

/* Any thread that holds the snapshot: the route of an address in wire order; never NULL. */
static inline const struct route *route_lookup(const struct route_table *t, uint32_t addr_be)
{
	uint32_t addr = rte_be_to_cpu_32(addr_be);
	uint32_t entry = t->root[addr >> 16];

	if (entry & ROUTE_IS_GROUP) {
		entry = t->groups[(entry & ~ROUTE_IS_GROUP) * ROUTE_GROUP_SIZE + ((addr >> 8) & 0xff)];
		if (entry & ROUTE_IS_GROUP)
			entry = t->groups[(entry & ~ROUTE_IS_GROUP) * ROUTE_GROUP_SIZE + (addr & 0xff)];
	}
	return &t->routes[entry];
}

/* An IPv6 address as a number. */
__extension__ typedef unsigned __int128 number6;

static inline number6 number6_of(const uint8_t addr[16])
{
	uint64_t high, low;

	memcpy(&high, addr, sizeof(high));
	memcpy(&low, addr + 8, sizeof(low));
	return (number6)rte_be_to_cpu_64(high) << 64 | rte_be_to_cpu_64(low);
}

/* IPv6: all addresses cut into ranges of one longest match each, sorted; a lookup is a binary search. n prefixes make
 * at most 2n + 1 ranges of 24 bytes, and a snapshot is built anew anyway. DPDK has the choice of 64 MB of first level
 * in every snapshot (rte_fib6, rte_lpm6) or a binary tree in a mempool of its own, walked node by node (rte_rib6). */
struct route6_table {
	number6 *starts; /* of the ranges; the first is 0 */
	struct route *routes;
	uint32_t count;
	/* control only, until route6_finish */
	struct route6_prefix *prefixes;
	uint32_t prefix_count, prefix_capacity;
};

/* Control: adds a prefix (bits behind len are ignored). Prefixes must come shortest first: of two equal ones the later
 * holds. 0 or -ENOMEM. */
int route6_insert(struct route6_table *t, const uint8_t addr[16], uint8_t len, const struct route *r);
/* Control: makes the table ready for lookups. 0 or -ENOMEM. */
int route6_finish(struct route6_table *t);
void route6_table_done(struct route6_table *t);

/* Any thread that holds the snapshot: the route of an address; never NULL. */
static inline const struct route *route6_lookup(const struct route6_table *t, const uint8_t addr[16])
{
	const number6 key = number6_of(addr);
	uint32_t at = 0;

	for (uint32_t n = t->count; n > 1;) {
		uint32_t half = n / 2;
		at += t->starts[at + half] <= key ? half : 0;
		n -= half;
	}
	return &t->routes[at];
}
