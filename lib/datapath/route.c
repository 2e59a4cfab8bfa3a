/* SPDX-License-Identifier: BSD-3-Clause */
/* Building the route trie. Knows nothing of ports, neighbours or configuration: snapshot.c says what goes in. */
#include "route_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

int route_table_init(struct route_table *t)
{
	*t = (struct route_table){ .route_capacity = 16 };
	t->root = calloc(1u << ROUTE_ROOT_BITS, sizeof(*t->root));
	t->routes = calloc(t->route_capacity, sizeof(*t->routes));
	/* route 0 is "none": where every entry of the root points now */
	t->route_count = 1;
	if (t->root && t->routes)
		return 0;
	route_table_done(t);
	return -ENOMEM;
}

void route_table_done(struct route_table *t)
{
	free(t->root);
	free(t->groups);
	free(t->routes);
	*t = (struct route_table){ .root = NULL };
}

static int route_add(struct route_table *t, const struct route *r, uint32_t *ret_index)
{
	if (t->route_count == t->route_capacity) {
		struct route *grown = realloc(t->routes, t->route_capacity * 2 * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->routes = grown;
		t->route_capacity *= 2;
	}
	t->routes[t->route_count] = *r;
	*ret_index = t->route_count++;
	return 0;
}

/* Makes an entry a group whose 256 entries say what the entry said. */
static int entry_split(struct route_table *t, uint32_t entry, uint32_t *ret_group)
{
	if (t->group_count == t->group_capacity) {
		uint32_t capacity = t->group_capacity ? t->group_capacity * 2 : 16;
		uint32_t *grown = realloc(t->groups, (size_t)capacity * ROUTE_GROUP_SIZE * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->groups = grown;
		t->group_capacity = capacity;
	}
	uint32_t *group = t->groups + (size_t)t->group_count * ROUTE_GROUP_SIZE;
	for (size_t i = 0; i < ROUTE_GROUP_SIZE; i++)
		group[i] = entry;
	*ret_group = t->group_count++;
	return 0;
}

/* The group below root[addr's /16] (depth 1) or below its /24 (depth 2), made when it is not there. */
static int group_reach(struct route_table *t, uint32_t addr, unsigned depth, uint32_t *ret_group)
{
	uint32_t entry = t->root[addr >> 16], group;

	if (!(entry & ROUTE_IS_GROUP)) {
		if (entry_split(t, entry, &group))
			return -ENOMEM;
		t->root[addr >> 16] = entry = ROUTE_IS_GROUP | group;
	}
	group = entry & ~ROUTE_IS_GROUP;
	if (depth == 1) {
		*ret_group = group;
		return 0;
	}
	size_t at = (size_t)group * ROUTE_GROUP_SIZE + ((addr >> 8) & 0xff);
	if (!(t->groups[at] & ROUTE_IS_GROUP)) {
		uint32_t lower;
		if (entry_split(t, t->groups[at], &lower))
			return -ENOMEM;
		t->groups[at] = ROUTE_IS_GROUP | lower;
	}
	*ret_group = t->groups[at] & ~ROUTE_IS_GROUP;
	return 0;
}

/* Shortest first, so nothing below these entries is more specific: whole entries are overwritten. */
static void entries_fill(uint32_t *entries, uint32_t first, uint32_t count, uint32_t index)
{
	for (uint32_t i = 0; i < count; i++)
		entries[first + i] = index;
}

int route_insert(struct route_table *t, uint32_t addr, uint8_t len, const struct route *r)
{
	uint32_t index, group;
	unsigned depth = len <= 16 ? 0 : len <= 24 ? 1 : 2;
	uint32_t count = 1u << (16 + 8 * depth - len);

	addr &= len ? ~0u << (32 - len) : 0;
	if (route_add(t, r, &index))
		return -ENOMEM;
	if (depth == 0) {
		entries_fill(t->root, addr >> 16, count, index);
		return 0;
	}
	if (group_reach(t, addr, depth, &group))
		return -ENOMEM;
	uint32_t first = depth == 1 ? (addr >> 8) & 0xff : addr & 0xff;
	entries_fill(t->groups + (size_t)group * ROUTE_GROUP_SIZE, first, count, index);
	return 0;
}
