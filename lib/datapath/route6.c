/* SPDX-License-Identifier: BSD-3-Clause */
/* Building the IPv6 route table: prefixes, which nest or are apart, become ranges. Knows nothing of ports, neighbours
 * or configuration: snapshot.c says what goes in. */
#include "route_priv.h"

#include <errno.h>
#include <stdlib.h>

struct route6_prefix {
	number6 low, high;
	uint32_t order; /* of insertion */
	struct route route;
};

int route6_insert(struct route6_table *t, const uint8_t addr[16], uint8_t len, const struct route *r)
{
	number6 host_bits = len ? ((number6)1 << (128 - len)) - 1 : ~(number6)0;

	if (t->prefix_count == t->prefix_capacity) {
		uint32_t capacity = t->prefix_capacity ? t->prefix_capacity * 2 : 16;
		struct route6_prefix *grown = realloc(t->prefixes, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		t->prefixes = grown;
		t->prefix_capacity = capacity;
	}
	t->prefixes[t->prefix_count] = (struct route6_prefix){
		.low = number6_of(addr) & ~host_bits,
		.high = number6_of(addr) | host_bits,
		.order = t->prefix_count,
		.route = *r,
	};
	t->prefix_count++;
	return 0;
}

/* A prefix comes before those inside of it, which are longer and so were inserted later. */
static int prefix_compare(const void *a, const void *b)
{
	const struct route6_prefix *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* From here on another route holds. */
static void range_begin(struct route6_table *t, number6 start, const struct route *r)
{
	if (t->count && t->starts[t->count - 1] == start)
		t->count--;
	t->starts[t->count] = start;
	t->routes[t->count++] = *r;
}

/* The innermost prefix ends: what is around it holds again, if there are addresses left. */
static void prefix_end(struct route6_table *t, const struct route6_prefix **open, uint32_t *depth)
{
	static const struct route none = { .kind = ROUTE_NONE };
	number6 high = open[--*depth]->high;

	if (high != ~(number6)0)
		range_begin(t, high + 1, *depth ? &open[*depth - 1]->route : &none);
}

static void ranges_fill(struct route6_table *t, const struct route6_prefix **open)
{
	static const struct route none = { .kind = ROUTE_NONE };
	uint32_t depth = 0;

	range_begin(t, 0, &none);
	for (uint32_t i = 0; i < t->prefix_count; i++) {
		const struct route6_prefix *p = &t->prefixes[i];
		while (depth && open[depth - 1]->high < p->low)
			prefix_end(t, open, &depth);
		range_begin(t, p->low, &p->route);
		open[depth++] = p;
	}
	while (depth)
		prefix_end(t, open, &depth);
}

int route6_finish(struct route6_table *t)
{
	const struct route6_prefix **open = calloc(t->prefix_count + 1ul, sizeof(*open));

	t->starts = calloc(2ul * t->prefix_count + 1, sizeof(*t->starts));
	t->routes = calloc(2ul * t->prefix_count + 1, sizeof(*t->routes));
	if (!open || !t->starts || !t->routes) {
		free(open);
		return -ENOMEM;
	}
	if (t->prefix_count)
		qsort(t->prefixes, t->prefix_count, sizeof(*t->prefixes), prefix_compare);
	ranges_fill(t, open);
	free(open);
	free(t->prefixes);
	t->prefixes = NULL;
	return 0;
}

void route6_table_done(struct route6_table *t)
{
	free(t->starts);
	free(t->routes);
	free(t->prefixes);
	*t = (struct route6_table){ .starts = NULL };
}
