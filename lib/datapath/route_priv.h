/* SPDX-License-Identifier: BSD-3-Clause */
/* Longest-prefix match over the routes of one snapshot, a table for each family. Built by control, immutable
 * afterwards, read by workers. */
#pragma once

#include <assert.h>
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
	ROUTE6_DIVIDED,  /* inside of the IPv6 table only */
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

#define ROUTE_ROOT_BITS  16
#define ROUTE_GROUP_SIZE 256
#define ROUTE_IS_GROUP   0x80000000u

/* A 16-8-8 trie instead of rte_lpm or rte_fib: their 24-bit first level costs 32 to 64 MB in every snapshot, twice
 * while one replaces another, which does not fit a --no-huge start of 512 MB. Here the first level is 256 KB (it stays
 * in L2) and each /16 or /24 that is more finely divided costs 1 KB. A lookup is one to three loads. Measured as below,
 * with 1, 1,000 and 100,000 random routes of /16 to /24, a tenth of them longer: 26, 42 and 573 cycles with 0.3, 1.2
 * and 56 MB; rte_fib with 64 MB and more: 145, 25 and 485, its bursts of 32 19, 4 and 30. */
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

#define ROUTE6_KEYS 7

/* A cache line of a tree over 64-bit halves of addresses. */
struct route6_node {
	uint64_t ends[ROUTE6_KEYS]; /* last of what each child or route but the eighth is for, ascending; unused ones
				     * are all ones, which nothing is larger than */
	uint32_t first;             /* child, which is followed by the others; of a leaf: route, likewise */
	bool is_leaf;
};
static_assert(sizeof(struct route6_node) == 64, "a cache line");

/* IPv6: all addresses cut into ranges of one longest match each, in a static B-tree of eight ways over their high
 * halves; a /64 that is more finely divided has a tree of its own over the low halves. A node is one cache line, a
 * lookup one of them for each level, so its cost follows the number of ranges and not the length of prefixes. n
 * prefixes make at most 2n + 1 ranges.
 *
 * Not rte_fib6, whose first level is 64 MB in every snapshot, as rte_lpm6's is, and which takes a step for each byte of
 * the prefix behind it. Measured in one run, cycles of TSC a lookup that waits for the one before, random addresses of
 * the table's prefixes (EPYC; median of 15): here, a binary search over the ranges, rte_fib6, and its bursts of 32:
 *
 *        1 /48             17    18    30     7
 *    1,000 /48             56    93    72    15     0.03 MB,    72 MB
 *   10,000 /32 to /64      94   189   573   118     0.3 MB,    128 MB
 *  100,000 /48            471   881  2055   344     3.4 MB,    459 MB
 *  100,000 /32 to /64     436  1106  2391   518     3.4 MB,    665 MB
 *  100,000 /16 to /128    913   985  3688  1464     8.4 MB,   1227 MB
 *
 * Lookups that do not wait for each other (a burst's misses of the flow cache) take 40 to 374 here. */
struct route6_table {
	struct route6_node *nodes;
	struct route *routes; /* ROUTE6_DIVIDED: the tree of a /64, its root in `neighbour` */
	uint32_t node_count, route_count;
	uint32_t root;
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

static inline uint32_t route6_node_rank(const struct route6_node *n, uint64_t key)
{
	uint32_t rank = 0;

	/* without a branch: which child it is cannot be foretold */
	for (int i = 0; i < ROUTE6_KEYS; i++)
		rank += n->ends[i] < key;
	return rank;
}

static inline const struct route *route6_tree_lookup(const struct route6_table *t, uint32_t root, uint64_t key)
{
	const struct route6_node *n = &t->nodes[root];

	while (!n->is_leaf)
		n = &t->nodes[n->first + route6_node_rank(n, key)];
	return &t->routes[n->first + route6_node_rank(n, key)];
}

/* Any thread that holds the snapshot: the route of an address; never NULL. */
static inline const struct route *route6_lookup(const struct route6_table *t, const uint8_t addr[16])
{
	const number6 key = number6_of(addr);
	const struct route *r = route6_tree_lookup(t, t->root, (uint64_t)(key >> 64));

	return r->kind == ROUTE6_DIVIDED ? route6_tree_lookup(t, r->neighbour, (uint64_t)key) : r;
}
