/* SPDX-License-Identifier: BSD-3-Clause */
/* Building the IPv6 route table: prefixes, which nest or are apart, become ranges, and those trees. Knows nothing of
 * ports, neighbours or configuration: snapshot.c says what goes in. */
#include "route_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base.h"

#define WAYS (ROUTE6_KEYS + 1)

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

/* ---- prefixes to ranges ---- */

struct ranges {
	number6 *starts; /* the first is 0 */
	struct route *routes;
	uint32_t count;
};

/* A prefix comes before those inside of it, which are longer and so were inserted later. */
static int prefix_compare(const void *a, const void *b)
{
	const struct route6_prefix *x = a, *y = b;

	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* From here on another route holds. */
static void range_begin(struct ranges *r, number6 start, const struct route *route)
{
	if (r->count && r->starts[r->count - 1] == start)
		r->count--;
	r->starts[r->count] = start;
	r->routes[r->count++] = *route;
}

/* The innermost prefix ends: what is around it holds again, if there are addresses left. */
static void prefix_end(struct ranges *r, const struct route6_prefix **open, uint32_t *depth)
{
	static const struct route none = { .kind = ROUTE_NONE };
	number6 high = open[--*depth]->high;

	if (high != ~(number6)0)
		range_begin(r, high + 1, *depth ? &open[*depth - 1]->route : &none);
}

static void ranges_fill(
	struct ranges *r, const struct route6_prefix *prefixes, uint32_t count, const struct route6_prefix **open)
{
	static const struct route none = { .kind = ROUTE_NONE };
	uint32_t depth = 0;

	range_begin(r, 0, &none);
	for (uint32_t i = 0; i < count; i++) {
		const struct route6_prefix *p = &prefixes[i];
		while (depth && open[depth - 1]->high < p->low)
			prefix_end(r, open, &depth);
		range_begin(r, p->low, &p->route);
		open[depth++] = p;
	}
	while (depth)
		prefix_end(r, open, &depth);
}

static int ranges_build(struct ranges *r, struct route6_table *t)
{
	const struct route6_prefix **open = calloc(t->prefix_count + 1ul, sizeof(*open));

	r->starts = calloc(2ul * t->prefix_count + 1, sizeof(*r->starts));
	r->routes = calloc(2ul * t->prefix_count + 1, sizeof(*r->routes));
	if (open && r->starts && r->routes) {
		if (t->prefix_count)
			qsort(t->prefixes, t->prefix_count, sizeof(*t->prefixes), prefix_compare);
		ranges_fill(r, t->prefixes, t->prefix_count, open);
	}
	free(open);
	return r->count ? 0 : -ENOMEM;
}

static void ranges_done(struct ranges *r)
{
	free(r->starts);
	free(r->routes);
}

/* ---- ranges to ranges of halves ---- */

struct half {
	uint64_t end; /* the range's last */
	struct route route;
};

struct halves {
	struct half *items;
	uint32_t count;
};

/* Of every /64 one route, or ROUTE6_DIVIDED: `neighbour` is the first of its low halves, which reach to all ones. */
struct split {
	struct halves high, low;
};

static bool route_same(const struct route *a, const struct route *b)
{
	return a->kind == b->kind && a->is_default == b->is_default && a->port == b->port &&
	       a->neighbour == b->neighbour;
}

/* What differs in nothing from the range before it makes that longer. */
static void half_add(struct halves *h, uint64_t end, const struct route *r)
{
	struct half *before = h->count ? &h->items[h->count - 1] : NULL;

	if (!before || before->end == UINT64_MAX || !route_same(&before->route, r))
		before = &h->items[h->count++];
	*before = (struct half){ end, *r };
}

/* A range within one /64. */
static void part_add(struct split *s, uint64_t high, uint64_t low_end, const struct route *r)
{
	const struct route divided = { .kind = ROUTE6_DIVIDED, .neighbour = s->low.count };

	if (!s->high.count || s->high.items[s->high.count - 1].end != high)
		half_add(&s->high, high, &divided);
	half_add(&s->low, low_end, r);
}

static void range_split(struct split *s, number6 start, number6 end, const struct route *r)
{
	uint64_t high = (uint64_t)(start >> 64), high_end = (uint64_t)(end >> 64), low_end = (uint64_t)end;

	if (high == high_end && ((uint64_t)start || low_end != UINT64_MAX)) {
		part_add(s, high, low_end, r);
		return;
	}
	if ((uint64_t)start)
		part_add(s, high++, UINT64_MAX, r);
	if (low_end == UINT64_MAX) {
		half_add(&s->high, high_end, r);
		return;
	}
	if (high < high_end)
		half_add(&s->high, high_end - 1, r);
	part_add(s, high_end, low_end, r);
}

/* A border inside of a /64 makes one entry more of the high halves, and two of the low ones. */
static int split_build(struct split *s, const struct ranges *r)
{
	s->high.items = calloc(2ul * r->count, sizeof(*s->high.items));
	s->low.items = calloc(2ul * r->count, sizeof(*s->low.items));
	if (!s->high.items || !s->low.items)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->count; i++)
		range_split(s, r->starts[i], i + 1 < r->count ? r->starts[i + 1] - 1 : ~(number6)0, &r->routes[i]);
	return 0;
}

static void split_done(struct split *s)
{
	free(s->high.items);
	free(s->low.items);
}

/* ---- ranges of halves to trees ---- */

static uint32_t parents_of(uint32_t children)
{
	return (children + WAYS - 1) / WAYS;
}

static uint32_t tree_nodes(uint32_t items)
{
	uint32_t level = parents_of(items), sum = level;

	while (level > 1)
		sum += level = parents_of(level);
	return sum;
}

/* How many belong to one tree: the last one's end is all ones. */
static uint32_t tree_items(const struct half *items)
{
	uint32_t n = 1;

	while (items[n - 1].end != UINT64_MAX)
		n++;
	return n;
}

/* Nodes whose children are for `span` items each; the first child is `first`. */
static void level_add(
	struct route6_table *t, const struct half *items, uint32_t count, uint64_t span, uint32_t first, bool is_leaf)
{
	uint32_t nodes = (uint32_t)((count + span * WAYS - 1) / (span * WAYS));

	for (uint32_t i = 0; i < nodes; i++) {
		struct route6_node *n = &t->nodes[t->node_count++];
		*n = (struct route6_node){ .first = first + WAYS * i, .is_leaf = is_leaf };
		for (uint32_t j = 0; j < ROUTE6_KEYS; j++) {
			uint64_t behind = ((uint64_t)WAYS * i + j + 1) * span;
			n->ends[j] = behind < count ? items[behind - 1].end : UINT64_MAX;
		}
	}
}

/* Leaves first, the root last; returns it. */
static uint32_t tree_add(struct route6_table *t, const struct half *items, uint32_t count)
{
	uint32_t first = t->route_count, level = count;
	uint64_t span = 1;

	for (uint32_t i = 0; i < count; i++)
		t->routes[t->route_count++] = items[i].route;
	do {
		uint32_t base = t->node_count;
		level_add(t, items, count, span, first, span == 1);
		first = base;
		span *= WAYS;
		level = parents_of(level);
	} while (level > 1);
	return first;
}

static int trees_alloc(struct route6_table *t, const struct split *s)
{
	size_t nodes = tree_nodes(s->high.count);

	for (uint32_t i = 0, n; i < s->low.count; i += n) {
		n = tree_items(&s->low.items[i]);
		nodes += tree_nodes(n);
	}
	t->nodes = aligned_alloc(sizeof(*t->nodes), nodes * sizeof(*t->nodes));
	t->routes = calloc((size_t)s->high.count + s->low.count, sizeof(*t->routes));
	return t->nodes && t->routes ? 0 : -ENOMEM;
}

static int trees_build(struct route6_table *t, struct split *s)
{
	if (trees_alloc(t, s))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->high.count; i++) {
		struct route *r = &s->high.items[i].route;
		if (r->kind == ROUTE6_DIVIDED) {
			const struct half *low = &s->low.items[r->neighbour];
			r->neighbour = tree_add(t, low, tree_items(low));
		}
	}
	t->root = tree_add(t, s->high.items, s->high.count);
	return 0;
}

int route6_finish(struct route6_table *t)
{
	struct ranges ranges = { .count = 0 };
	struct split split = { .high.count = 0 };
	int error = ranges_build(&ranges, t);

	if (!error)
		error = split_build(&split, &ranges);
	if (!error)
		error = trees_build(t, &split);
	split_done(&split);
	ranges_done(&ranges);
	if (error)
		return error;
	free(t->prefixes);
	t->prefixes = NULL;
	return 0;
}

void route6_table_done(struct route6_table *t)
{
	free(t->nodes);
	free(t->routes);
	free(t->prefixes);
	*t = (struct route6_table){ .nodes = NULL };
}
