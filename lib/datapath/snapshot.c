/* SPDX-License-Identifier: BSD-3-Clause */
/* Building a snapshot: policies compiled, connected and configured routes in one table. Publishing it is datapath.c. */
#include "datapath_priv.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
	struct prefix prefix;
	uint32_t order; /* of two with the same prefix the later one holds */
	struct route route;
};

struct entries {
	struct entry *items;
	uint32_t count;
};

#define ENTRIES_OF_PORT 8 /* four of each family */

/* Never a next hop's business (RFC 1812 5.3.7): this network, loopback, multicast, reserved; of IPv6 (RFC
 * 4291 2.5, 2.7) the same, what stands for IPv4 addresses, and link-local ones, which no router forwards. */
static const char *const nowhere[] = {
	"0.0.0.0/8",
	"127.0.0.0/8",
	"224.0.0.0/3",
	"::/96",
	"::ffff:0:0/96",
	"fe80::/10",
	"ff00::/8",
};

static void entry_add(struct entries *e, struct prefix p, struct route r)
{
	e->items[e->count] = (struct entry){ .prefix = p, .order = e->count, .route = r };
	e->count++;
}

/* The subnet, its first and last address, which no host has (of an IPv6 subnet only the first: RFC 4291 2.6.1), and our
 * own. */
static void connected_add(struct entries *e, uint16_t port, const struct prefix *p)
{
	const uint8_t bits = (uint8_t)(addr_len(&p->addr) * 8);
	struct prefix own = { p->addr, bits }, low = own, high = own;

	if (p->addr.family == ADDR_NONE)
		return;
	prefix_range(p, &low.addr, &high.addr);
	entry_add(e, (struct prefix){ low.addr, p->len }, (struct route){ .kind = ROUTE_CONNECTED, .port = port });
	if (p->len < bits - 1)
		entry_add(e, low, (struct route){ .kind = ROUTE_NONE });
	if (p->len < bits - 1 && p->addr.family == ADDR_IPV4)
		entry_add(e, high, (struct route){ .kind = ROUTE_NONE });
	entry_add(e, own, (struct route){ .kind = ROUTE_LOCAL, .port = port });
}

int snapshot_connected_port(const struct datapath *dp, const struct addr *a)
{
	for (uint16_t i = 0; i < dp->port_count; i++)
		if (a->family != ADDR_NONE &&
			(prefix_contains(&dp->ports[i].prefix, a) || prefix_contains(&dp->ports[i].prefix6, a)))
			return i;
	return -1;
}

static int via_add(struct entries *e, struct datapath *dp, const struct datapath_route *r, const char **ret_reason)
{
	int port = snapshot_connected_port(dp, &r->via);

	if (r->prefix.addr.family != r->via.family || port < 0 || datapath_address_local(dp, &r->via, NULL)) {
		*ret_reason = "route via an address that is no neighbour of an interface";
		return -EINVAL;
	}
	uint32_t neighbour = arp_pin(dp, (uint16_t)port, &r->via);
	if (neighbour == NEIGHBOUR_NONE) {
		*ret_reason = "neighbour table full";
		return -ENOMEM;
	}
	entry_add(e, r->prefix, (struct route){ .kind = ROUTE_VIA, .port = (uint16_t)port, .neighbour = neighbour });
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->prefix.len != y->prefix.len)
		return x->prefix.len < y->prefix.len ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int entries_collect(
	struct entries *e, struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	struct prefix p;

	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
		if (!prefix_parse(nowhere[i], &p))
			entry_add(e, p, (struct route){ .kind = ROUTE_NONE });
	for (size_t i = 0; i < s->route_count; i++) {
		int error = via_add(e, dp, &s->routes[i], ret_reason);
		if (error)
			return error;
	}
	for (uint16_t i = 0; i < dp->port_count; i++) {
		connected_add(e, i, &dp->ports[i].prefix);
		connected_add(e, i, &dp->ports[i].prefix6);
	}
	qsort(e->items, e->count, sizeof(*e->items), entry_compare);
	return 0;
}

static int entry_insert(struct snapshot *snap, const struct entry *e)
{
	const struct prefix *p = &e->prefix;

	return p->addr.family == ADDR_IPV6 ? route6_insert(&snap->routes6, p->addr.bytes, p->len, &e->route)
					   : route_insert(&snap->routes, addr_ipv4(&p->addr), p->len, &e->route);
}

static int routes_build(
	struct snapshot *snap, struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	size_t most = ARRAY_LEN(nowhere) + s->route_count + (size_t)ENTRIES_OF_PORT * dp->port_count;
	struct entries e = { .items = calloc(most, sizeof(*e.items)) };
	int error = e.items ? route_table_init(&snap->routes) : -ENOMEM;

	if (!error)
		error = entries_collect(&e, dp, s, ret_reason);
	for (uint32_t i = 0; !error && i < e.count; i++)
		error = entry_insert(snap, &e.items[i]);
	if (!error)
		error = route6_finish(&snap->routes6);
	free(e.items);
	return error;
}

void snapshot_free(void *snapshot)
{
	struct snapshot *snap = snapshot;

	if (!snap)
		return;
	if (snap->spd)
		spd_free(snap->spd);
	route_table_done(&snap->routes);
	route6_table_done(&snap->routes6);
	free(snap);
}

/* One packet may have both its addresses on both sides. */
static bool sides_overlap(const struct spd_rule *r)
{
	struct selector common;

	for (int i = 0; i < r->local.count * r->remote.count; i++)
		if (selector_intersect(
			    &r->local.items[i / r->remote.count], &r->remote.items[i % r->remote.count], &common))
			return true;
	return false;
}

/* Of several protect rules it is not asked which. */
static bool protects_both_ways(const struct datapath_snapshot *s)
{
	size_t count = 0;
	bool overlap = false;

	for (size_t i = 0; i < s->rule_count && count < 2 && !overlap; i++) {
		if (s->rules[i].action != SPD_PROTECT)
			continue;
		count++;
		overlap = sides_overlap(&s->rules[i]);
	}
	return count > 1 || overlap;
}

static bool asks_for_ports(const struct selector_list *l)
{
	for (int i = 0; i < l->count; i++)
		if (l->items[i].port_low <= l->items[i].port_high &&
			(l->items[i].port_low || l->items[i].port_high != UINT16_MAX))
			return true;
	return false;
}

/* OPAQUE does not: such a rule is for what shows none. */
static bool needs_ports(const struct datapath_snapshot *s)
{
	bool needed = false;

	for (size_t i = 0; i < s->rule_count && !needed; i++)
		needed = asks_for_ports(&s->rules[i].local) || asks_for_ports(&s->rules[i].remote);
	return needed;
}

struct snapshot *snapshot_create(struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	struct snapshot *snap = calloc(1, sizeof(*snap));

	*ret_reason = "out of memory";
	if (!snap || routes_build(snap, dp, s, ret_reason)) {
		snapshot_free(snap);
		return NULL;
	}
	if (s->rule_count) {
		snap->spd = spd_create(s->rules, s->rule_count, ret_reason);
		if (!snap->spd) {
			snapshot_free(snap);
			return NULL;
		}
	}
	snap->protects_both_ways = protects_both_ways(s);
	snap->needs_ports = needs_ports(s);
	*ret_reason = NULL;
	return snap;
}
