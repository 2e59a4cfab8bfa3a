/* SPDX-License-Identifier: BSD-3-Clause */
/* Snapshots: their parts built (policies compiled, connected and configured routes in one table), put together and
 * published. */
#include "datapath_priv.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
	struct prefix prefix;
	uint16_t table_id;
	uint32_t order; /* of two with the same prefix the later one holds */
	struct route route;
};

struct entries {
	struct pins pins; /* of their next hops */
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

static void entry_add(struct entries *e, uint16_t table_id, struct prefix p, struct route r)
{
	e->items[e->count] = (struct entry){ .prefix = p, .table_id = table_id, .order = e->count, .route = r };
	e->count++;
}

/* The subnet, its first and last address, which no host has (of an IPv6 subnet only the first: RFC 4291 2.6.1), and our
 * own. */
static void connected_add(struct entries *e, uint16_t table_id, uint16_t port, const struct prefix *p)
{
	const uint8_t bits = (uint8_t)(addr_len(&p->addr) * 8);
	struct prefix own = { p->addr, bits }, low = own, high = own;

	if (p->addr.family == ADDR_NONE)
		return;
	prefix_range(p, &low.addr, &high.addr);
	entry_add(e, table_id, (struct prefix){ low.addr, p->len },
		(struct route){ .kind = ROUTE_CONNECTED, .port = port });
	if (p->len < bits - 1)
		entry_add(e, table_id, low, (struct route){ .kind = ROUTE_NOWHERE });
	if (p->len < bits - 1 && p->addr.family == ADDR_IPV4)
		entry_add(e, table_id, high, (struct route){ .kind = ROUTE_NOWHERE });
	entry_add(e, table_id, own, (struct route){ .kind = ROUTE_LOCAL, .port = port });
}

int snapshot_connected_port(const struct datapath *dp, const struct addr *a)
{
	for (uint16_t i = 0; i < dp->port_count; i++)
		if (a->family != ADDR_NONE &&
			(prefix_contains(&dp->ports[i].prefix, a) || prefix_contains(&dp->ports[i].prefix6, a)))
			return i;
	return -1;
}

/* One pin for each neighbour, whatever the number of routes. */
static uint32_t router_pin(struct pins *p, struct datapath *dp, uint16_t port, const struct addr *via)
{
	uint32_t index = resolve_pin(dp, port, via);

	if (index == NEIGHBOUR_NONE)
		return index;
	if (p->taken[index / 64] >> index % 64 & 1)
		neighbour_unpin(dp->neighbours, index);
	p->neighbours = dp->neighbours;
	p->taken[index / 64] |= 1ull << index % 64;
	return index;
}

static void pins_pass(struct pins *from, struct pins *ret_to)
{
	*ret_to = *from;
	*from = (struct pins){ .neighbours = NULL };
}

static void pins_release(struct pins *p)
{
	for (uint32_t i = 0; p->neighbours && i < NEIGHBOURS_MAX; i++)
		if (p->taken[i / 64] >> i % 64 & 1)
			neighbour_unpin(p->neighbours, i);
}

static int via_add(struct entries *e, struct datapath *dp, const struct datapath_route *r, const char **ret_reason)
{
	int port = r->on_port ? r->port : snapshot_connected_port(dp, &r->via);

	if (r->prefix.addr.family != r->via.family || port < 0 || port >= dp->port_count ||
		!port_is_on_link(&dp->ports[port], &r->via) || datapath_address_local(dp, &r->via, NULL)) {
		*ret_reason = "route via an address that is no neighbour of an interface";
		return -EINVAL;
	}
	uint32_t neighbour = router_pin(&e->pins, dp, (uint16_t)port, &r->via);
	if (neighbour == NEIGHBOUR_NONE) {
		*ret_reason = "neighbour table full";
		return -ENOMEM;
	}
	entry_add(e, dp->ports[port].table_id, r->prefix,
		(struct route){ .kind = ROUTE_VIA,
			.is_default = r->prefix.len == 0,
			.port = (uint16_t)port,
			.neighbour = neighbour });
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->prefix.len != y->prefix.len)
		return x->prefix.len < y->prefix.len ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Control: looks next hops up. What is in *e, also after an error, is the caller's. */
static int entries_collect(
	struct entries *e, struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	size_t most = ARRAY_LEN(nowhere) * TABLE_IDS + s->route_count + (size_t)ENTRIES_OF_PORT * dp->port_count;
	struct prefix p;

	*ret_reason = "out of memory";
	e->items = calloc(most, sizeof(*e->items));
	if (!e->items)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++)
		if (!prefix_parse(nowhere[i], &p))
			for (uint16_t id = 0; id < TABLE_IDS; id++)
				entry_add(e, id, p, (struct route){ .kind = ROUTE_NOWHERE });
	for (size_t i = 0; i < s->route_count; i++) {
		int error = via_add(e, dp, &s->routes[i], ret_reason);
		if (error)
			return error;
	}
	for (uint16_t i = 0; i < dp->port_count; i++) {
		connected_add(e, dp->ports[i].table_id, i, &dp->ports[i].prefix);
		connected_add(e, dp->ports[i].table_id, i, &dp->ports[i].prefix6);
	}
	return 0;
}

static int entry_insert(struct routes *r, const struct entry *e)
{
	const struct prefix *p = &e->prefix;
	struct routes_of_table *t = &r->tables[e->table_id];

	return p->addr.family == ADDR_IPV6 ? route6_insert(&t->six, p->addr.bytes, p->len, &e->route)
					   : route_insert(&t->four, addr_ipv4(&p->addr), p->len, &e->route);
}

static int routes_fill(struct routes *r, struct entries *e)
{
	int error = 0;

	qsort(e->items, e->count, sizeof(*e->items), entry_compare);
	for (uint16_t id = 0; !error && id < TABLE_IDS; id++)
		error = route_table_init(&r->tables[id].four);
	for (uint32_t i = 0; !error && i < e->count; i++)
		error = entry_insert(r, &e->items[i]);
	for (uint16_t id = 0; !error && id < TABLE_IDS; id++)
		error = route6_finish(&r->tables[id].six);
	return error;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	pins_release(&r->pins);
	for (uint16_t id = 0; id < TABLE_IDS; id++) {
		route_table_done(&r->tables[id].four);
		route6_table_done(&r->tables[id].six);
	}
	free(r);
}

/* Any thread: touches nothing but the entries, which it sorts. */
static struct routes *routes_build(struct entries *e, const char **ret_reason)
{
	struct routes *r = calloc(1, sizeof(*r));

	*ret_reason = "out of memory";
	if (r && !routes_fill(r, e)) {
		pins_pass(&e->pins, &r->pins);
		return r;
	}
	routes_free(r);
	return NULL;
}

static void entries_done(struct entries *e)
{
	pins_release(&e->pins);
	free(e->items);
}

struct routes *routes_create(struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	struct entries e = { 0 };
	struct routes *r = entries_collect(&e, dp, s, ret_reason) ? NULL : routes_build(&e, ret_reason);

	entries_done(&e);
	return r;
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

/* 0 or -ENOMEM. */
static int awaits_read(const struct datapath_snapshot *s, struct policies *p)
{
	for (size_t i = 0; i < s->rule_count; i++)
		if (s->rules[i].awaits)
			p->awaits_slots = RTE_MAX(p->awaits_slots, s->rules[i].tunnel_slot + 1);
	p->awaits = calloc(p->awaits_slots / 64 + 1, sizeof(*p->awaits));
	for (size_t i = 0; p->awaits && i < s->rule_count; i++)
		if (s->rules[i].awaits)
			p->awaits[s->rules[i].tunnel_slot / 64] |= 1ull << s->rules[i].tunnel_slot % 64;
	return p->awaits ? 0 : -ENOMEM;
}

void policies_free(struct policies *p)
{
	if (!p)
		return;
	if (p->spd)
		spd_free(p->spd);
	free(p->awaits);
	free(p);
}

struct policies *policies_create(const struct datapath_snapshot *s, const char **ret_reason)
{
	struct policies *p = calloc(1, sizeof(*p));

	*ret_reason = "out of memory";
	if (!p || awaits_read(s, p)) {
		policies_free(p);
		return NULL;
	}
	if (s->rule_count) {
		p->spd = spd_create(s->rules, s->rule_count, ret_reason);
		if (!p->spd) {
			policies_free(p);
			return NULL;
		}
	}
	p->protects_both_ways = protects_both_ways(s);
	p->needs_ports = needs_ports(s);
	return p;
}

/* ---- whole ones ---- */

void snapshot_free(void *snapshot)
{
	struct snapshot *snap = snapshot;

	if (!snap)
		return;
	if (!--snap->policies->holders)
		policies_free(snap->policies);
	if (!--snap->routes->holders)
		routes_free(snap->routes);
	if (!--snap->assignment->holders)
		free(snap->assignment);
	free(snap);
}

/* Takes fresh, which has room for one. */
static void snapshot_swap(struct datapath *dp, struct snapshot *fresh, struct policies *policies, struct routes *routes,
	struct assignment *assignment)
{
	*fresh = (struct snapshot){
		.epoch = ++dp->epoch, .policies = policies, .routes = routes, .assignment = assignment
	};
	policies->holders++;
	routes->holders++;
	assignment->holders++;
	/* release: pairs with worker_step */
	reclaim_later(dp->ips, snapshot_free, atomic_exchange_explicit(&dp->snapshot, fresh, memory_order_acq_rel));
}

int snapshot_publish(
	struct datapath *dp, struct policies *policies, struct routes *routes, struct assignment *assignment)
{
	struct snapshot *fresh = malloc(sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	snapshot_swap(dp, fresh, policies, routes, assignment);
	return 0;
}

int assignment_publish(struct datapath *dp, struct assignment *assignment)
{
	const struct snapshot *now = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);

	return snapshot_publish(dp, now->policies, now->routes, assignment);
}

/* ---- what control publishes ---- */

/* Parts not published yet; NULL: not built yet, or they have been published. */
struct datapath_prepared {
	struct datapath_snapshot recipe; /* its rules borrowed until they are compiled; the routes are in entries */
	struct entries entries;
	struct policies *policies;
	struct routes *routes;
	struct snapshot *with_policies, *with_routes; /* room for them, so that to publish cannot fail */
};

struct datapath_prepared *datapath_prepare(
	struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	struct datapath_prepared *p = calloc(1, sizeof(*p));

	assert_control(dp);
	*ret_reason = "out of memory";
	if (!p)
		return NULL;
	p->recipe = (struct datapath_snapshot){ .rules = s->rules, .rule_count = s->rule_count };
	p->with_policies = malloc(sizeof(*p->with_policies));
	p->with_routes = malloc(sizeof(*p->with_routes));
	if (p->with_policies && p->with_routes && !entries_collect(&p->entries, dp, s, ret_reason))
		return p;
	datapath_prepared_free(p);
	return NULL;
}

int datapath_compile(struct datapath_prepared *p, const char **ret_reason)
{
	p->policies = policies_create(&p->recipe, ret_reason);
	if (p->policies)
		p->routes = routes_build(&p->entries, ret_reason);
	if (!p->routes)
		return -EINVAL;
	*ret_reason = NULL;
	return 0;
}

void datapath_prepared_free(struct datapath_prepared *p)
{
	if (!p)
		return;
	policies_free(p->policies);
	routes_free(p->routes);
	entries_done(&p->entries);
	free(p->with_policies);
	free(p->with_routes);
	free(p);
}

bool datapath_prepared_reaches(const struct datapath_prepared *p, const struct addr *a)
{
	const struct snapshot next = { .routes = p->routes };
	const struct route *r = snapshot_route(&next, TABLE_ID_MAIN, a);

	return route_leads(r);
}

void datapath_publish_routes(struct datapath *dp, struct datapath_prepared *p)
{
	const struct snapshot *now = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);

	snapshot_swap(dp, p->with_routes, now->policies, p->routes, now->assignment);
	p->with_routes = NULL;
	p->routes = NULL;
}

void datapath_publish_policies(struct datapath *dp, struct datapath_prepared *p)
{
	const struct snapshot *now = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);

	snapshot_swap(dp, p->with_policies, p->policies, now->routes, now->assignment);
	p->with_policies = NULL;
	p->policies = NULL;
}

int datapath_publish(struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason)
{
	const struct snapshot *now = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	struct datapath_prepared *p = datapath_prepare(dp, s, ret_reason);
	int error = p ? datapath_compile(p, ret_reason) : -EINVAL;

	if (!error) {
		snapshot_swap(dp, p->with_policies, p->policies, p->routes, now->assignment);
		p->with_policies = NULL;
		p->policies = NULL;
		p->routes = NULL;
	}
	datapath_prepared_free(p);
	return error;
}
