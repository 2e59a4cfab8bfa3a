/* SPDX-License-Identifier: BSD-3-Clause */
/* Building a snapshot: policies compiled, connected and configured routes in one table. Publishing it is datapath.c. */
#include "datapath_priv.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
	uint32_t addr; /* host order */
	uint8_t len;
	uint32_t order; /* of two with the same prefix the later one holds */
	struct route route;
};

struct entries {
	struct entry *items;
	uint32_t count;
};

/* Never a next hop's business (RFC 1812 5.3.7): this network, loopback, multicast, reserved. */
static const struct entry nowhere[] = {
	{ .addr = 0x00000000, .len = 8 },
	{ .addr = 0x7f000000, .len = 8 },
	{ .addr = 0xe0000000, .len = 3 },
};

static void entry_add(struct entries *e, uint32_t addr, uint8_t len, struct route r)
{
	e->items[e->count] = (struct entry){ .addr = addr, .len = len, .order = e->count, .route = r };
	e->count++;
}

/* The subnet, its first and last address (no hosts), and our own. */
static void connected_add(struct entries *e, const struct datapath *dp, uint16_t port)
{
	const struct port *p = &dp->ports[port];
	uint32_t mask = p->prefix.len ? ~0u << (32 - p->prefix.len) : 0;
	uint32_t addr = rte_be_to_cpu_32(p->addr_be);

	entry_add(e, addr & mask, p->prefix.len, (struct route){ .kind = ROUTE_CONNECTED, .port = port });
	if (p->prefix.len < 31) {
		entry_add(e, addr & mask, 32, (struct route){ .kind = ROUTE_NONE });
		entry_add(e, addr | ~mask, 32, (struct route){ .kind = ROUTE_NONE });
	}
	entry_add(e, addr, 32, (struct route){ .kind = ROUTE_LOCAL, .port = port });
}

int snapshot_connected_port(const struct datapath *dp, uint32_t addr_be)
{
	struct addr a = addr_from_ipv4(rte_be_to_cpu_32(addr_be));

	for (uint16_t i = 0; i < dp->port_count; i++)
		if (prefix_contains(&dp->ports[i].prefix, &a))
			return i;
	return -1;
}

static int via_add(struct entries *e, struct datapath *dp, const struct datapath_route *r, const char **ret_reason)
{
	uint32_t via_be = rte_cpu_to_be_32(addr_ipv4(&r->via));
	int port = snapshot_connected_port(dp, via_be);

	if (r->prefix.addr.family != ADDR_IPV4 || r->via.family != ADDR_IPV4 || port < 0 || address_own(dp, via_be)) {
		*ret_reason = "route via an address that is no neighbour of an interface";
		return -EINVAL;
	}
	uint32_t neighbour = arp_pin(dp, (uint16_t)port, via_be);
	if (neighbour == NEIGHBOUR_NONE) {
		*ret_reason = "neighbour table full";
		return -ENOMEM;
	}
	entry_add(e, addr_ipv4(&r->prefix.addr), r->prefix.len,
		(struct route){ .kind = ROUTE_VIA, .port = (uint16_t)port, .neighbour = neighbour });
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int entries_collect(
	struct entries *e, struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
		entry_add(e, nowhere[i].addr, nowhere[i].len, nowhere[i].route);
	for (size_t i = 0; i < s->route_count; i++) {
		int error = via_add(e, dp, &s->routes[i], ret_reason);
		if (error)
			return error;
	}
	for (uint16_t i = 0; i < dp->port_count; i++)
		connected_add(e, dp, i);
	qsort(e->items, e->count, sizeof(*e->items), entry_compare);
	return 0;
}

static int routes_build(
	struct snapshot *snap, struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	struct entries e = { .items = calloc(
				     ARRAY_LEN(nowhere) + s->route_count + 4ul * dp->port_count, sizeof(*e.items)) };
	int error = e.items ? route_table_init(&snap->routes) : -ENOMEM;

	if (!error)
		error = entries_collect(&e, dp, s, ret_reason);
	for (uint32_t i = 0; !error && i < e.count; i++)
		error = route_insert(&snap->routes, e.items[i].addr, e.items[i].len, &e.items[i].route);
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
	free(snap);
}

static bool several_tunnels(const struct datapath_snapshot *s)
{
	const struct spd_rule *first = NULL;

	for (size_t i = 0; i < s->rule_count; i++) {
		const struct spd_rule *r = &s->rules[i];
		if (r->action != SPD_PROTECT)
			continue;
		if (first && r->tunnel_slot != first->tunnel_slot)
			return true;
		first = r;
	}
	return false;
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
	snap->several_tunnels = several_tunnels(s);
	*ret_reason = NULL;
	return snap;
}
