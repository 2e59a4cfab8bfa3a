/* SPDX-License-Identifier: BSD-3-Clause */
/* Interfaces, routes and neighbours against each other: subnets apart, next hops and neighbours inside of them. */
#include "conf_priv.h"

#include <stdlib.h>
#include <string.h>

#define INTERFACES "interfaces"
#define ADDRESSES  "addresses"
#define ROUTES     "routes"
#define NEIGHBOURS "neighbours"

#define MTU_MIN_IPV6 1280u

/* An address that a host of the subnet can have: /31 and /32 have no network and broadcast address (RFC 3021). IPv6
 * subnets have no broadcast address, but their first one belongs to all routers (RFC 4291 2.6.1), save in a /127 (RFC
 * 6164). */
static bool is_host_of(const struct prefix *p, const struct addr *a)
{
	struct addr low, high;

	prefix_range(p, &low, &high);
	if (!prefix_contains(p, a) || p->len + 1u >= addr_len(a) * 8)
		return prefix_contains(p, a);
	return !addr_equal(a, &low) && (a->family == ADDR_IPV6 || !addr_equal(a, &high));
}

/* What the addresses are that no host of the subnet can have. */
static const char *reserved_text(const struct addr *a)
{
	return a->family == ADDR_IPV6 ? "the subnet-router anycast address" : "the network or broadcast address";
}

/* Addresses that no port of a gateway can have (RFC 1122 3.2.1.3, RFC 6890). */
static bool is_reserved(const struct addr *a)
{
	static const uint8_t zero[8], mapped[4] = { 0, 0, 0xff, 0xff };
	uint32_t word = addr_ipv4(a);

	if (a->family == ADDR_IPV4)
		return word >> 24 == 0 || word >> 24 == 127 || word >> 28 >= 14;
	return addr_is_multicast(a) ||
	       (!memcmp(a->bytes, zero, 8) && (!memcmp(a->bytes + 8, zero, 4) || !memcmp(a->bytes + 8, mapped, 4)));
}

/* No router forwards from or to such an address (RFC 4291 2.5.6). */
static bool is_link_local(const struct addr *a)
{
	return a->family == ADDR_IPV6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static void check_interface_address(struct load *l, size_t i, const char *setting, const struct prefix *p)
{
	char text[PREFIX_TEXT_MAX];

	if (p->addr.family == ADDR_NONE)
		return;
	prefix_format(p, text);
	if (p->len == 0)
		check_fault(l, INTERFACES, i, setting, "%s: the whole Internet is no subnet", text);
	else if (is_reserved(&p->addr))
		check_fault(l, INTERFACES, i, setting, "%s is not the address of a host", text);
	else if (is_link_local(&p->addr))
		check_fault(l, INTERFACES, i, setting, "%s is an address of this link only: a link_local", text);
	else if (!is_host_of(p, &p->addr))
		check_fault(l, INTERFACES, i, setting, "%s is %s of its subnet", text, reserved_text(&p->addr));
}

static void check_own_address(struct load *l, size_t i)
{
	const struct addr *a = &l->config->addresses[i].addr;
	char text[ADDR_TEXT_MAX];

	addr_format(a, text);
	if (is_reserved(a) || is_link_local(a))
		check_fault(l, ADDRESSES, i, "address", "%s is not the address of a host", text);
	if (interface_of_address(l->config, a))
		check_fault(l, ADDRESSES, i, "address", "%s is the address of an interface already", text);
	for (size_t former = 0; former < i; former++)
		if (addr_equal(&l->config->addresses[former].addr, a))
			check_fault(l, ADDRESSES, i, "address", "%s stands here twice", text);
}

static bool has_ipv6(const struct config_interface *p)
{
	return p->address6.addr.family == ADDR_IPV6 || p->link_local.family == ADDR_IPV6;
}

static void check_link_local(struct load *l, size_t i, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family != ADDR_NONE && !is_link_local(a))
		check_fault(l, INTERFACES, i, "link_local", "%s is not in fe80::/10", addr_format(a, text));
}

static void check_interface(struct load *l, size_t i)
{
	const struct config_interface *p = &l->config->interfaces[i];

	check_interface_address(l, i, "address", &p->address);
	check_interface_address(l, i, "address6", &p->address6);
	check_link_local(l, i, &p->link_local);
	if (p->address.addr.family == ADDR_NONE && !has_ipv6(p))
		check_fault(l, INTERFACES, i, "", "needs an address, address6 or link_local");
	if (has_ipv6(p) && p->mtu < MTU_MIN_IPV6)
		check_fault(
			l, INTERFACES, i, "mtu", "%u is less than IPv6 takes: %u (RFC 8200 5)", p->mtu, MTU_MIN_IPV6);
}

/* Two prefixes overlap when one holds the other's address, as their ranges nest or are apart. */
static bool prefixes_overlap(const struct prefix *a, const struct prefix *b)
{
	return a->addr.family != ADDR_NONE && (prefix_contains(a, &b->addr) || prefix_contains(b, &a->addr));
}

/* Up to the comma: what follows are arguments of the same device. */
static bool same_device(const char *a, const char *b)
{
	size_t a_len = strcspn(a, ","), b_len = strcspn(b, ",");

	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static void check_overlap(
	struct load *l, size_t i, const char *setting, const struct prefix *p, const struct config_interface *former)
{
	const struct prefix *other = interface_prefix(former, p->addr.family);
	char text[PREFIX_TEXT_MAX];

	if (prefixes_overlap(p, other))
		check_fault(l, INTERFACES, i, setting, "overlaps %s of interface %s", prefix_format(other, text),
			former->name);
}

static void check_interface_pair(struct load *l, size_t former, size_t i)
{
	const struct config_interface *a = &l->config->interfaces[former], *b = &l->config->interfaces[i];

	check_overlap(l, i, "address", &b->address, a);
	check_overlap(l, i, "address6", &b->address6, a);
	if (!same_device(a->device, b->device))
		return;
	if (a->vlan == b->vlan)
		check_fault(l, INTERFACES, i, "device", "\"%.*s\" is the device of interface %s too%s",
			(int)strcspn(b->device, ","), b->device, a->name,
			a->vlan ? ", and their vlan is the same" : "; give one of them a vlan");
	else if (strcmp(a->device, b->device) != 0)
		check_fault(l, INTERFACES, i, "device", "other arguments than those of interface %s, which shares it",
			a->name);
}

static void check_interfaces(struct load *l)
{
	for (size_t i = 0; i < l->config->interface_count; i++) {
		check_interface(l, i);
		for (size_t former = 0; former < i; former++)
			check_interface_pair(l, former, i);
	}
}

static const struct config_interface *route_interface(const struct config *c, const struct config_route *r)
{
	return r->has_interface ? &c->interfaces[r->interface] : interface_towards(c, &r->via);
}

/* The address says nothing about the link it is on. */
static void check_via_link_local(struct load *l, size_t i, const struct config_route *r)
{
	const struct config_interface *p = &l->config->interfaces[r->interface];
	char text[ADDR_TEXT_MAX];

	addr_format(&r->via, text);
	if (!r->has_interface)
		check_fault(l, ROUTES, i, "via", "%s is link-local: needs `interface` too", text);
	else if (!has_ipv6(p))
		check_fault(l, ROUTES, i, "via", "%s: interface %s has no IPv6 address", text, p->name);
	else if (addr_equal(&p->link_local, &r->via))
		check_fault(l, ROUTES, i, "via", "%s is our own address", text);
}

/* The next hop has to be a neighbour: routes are not looked up through other routes. */
static void check_via(struct load *l, size_t i, const struct config_route *r)
{
	const struct config_interface *p = route_interface(l->config, r);
	char text[ADDR_TEXT_MAX], prefix[PREFIX_TEXT_MAX];

	addr_format(&r->via, text);
	if (r->via.family != r->prefix.addr.family)
		check_fault(l, ROUTES, i, "via", "%s is not of the same family as %s", text,
			prefix_format(&r->prefix, prefix));
	else if (is_link_local(&r->via))
		check_via_link_local(l, i, r);
	else if (!p)
		check_fault(l, ROUTES, i, "via", "%s is not in the subnet of an interface", text);
	else if (!prefix_contains(interface_prefix(p, r->via.family), &r->via))
		check_fault(l, ROUTES, i, "via", "%s is not in the subnet of interface %s", text, p->name);
	else if (interface_of_address(l->config, &r->via))
		check_fault(l, ROUTES, i, "via", "%s is our own address", text);
	else if (!is_host_of(interface_prefix(p, r->via.family), &r->via))
		check_fault(l, ROUTES, i, "via", "%s is %s of interface %s", text, reserved_text(&r->via), p->name);
}

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && prefix_contains(a, &b->addr);
}

/* 10.7.0.1/16 is a slip for either of two things; we do not guess which. */
static void check_destination(struct load *l, size_t i, const struct prefix *p)
{
	struct prefix base = *p;
	struct addr high;
	char text[PREFIX_TEXT_MAX], clean[PREFIX_TEXT_MAX];

	prefix_range(p, &base.addr, &high);
	if (!addr_equal(&base.addr, &p->addr))
		check_fault(l, ROUTES, i, "prefix", "%s has bits behind its length; did you mean %s?",
			prefix_format(p, text), prefix_format(&base, clean));
	for (size_t k = 0; k < l->config->interface_count; k++)
		if (same_prefix(interface_prefix(&l->config->interfaces[k], p->addr.family), p))
			check_fault(l, ROUTES, i, "prefix", "%s is the subnet of interface %s", prefix_format(p, text),
				l->config->interfaces[k].name);
}

/* By prefix, then by place in the file, so that the second of two is the later one. */
static int compare_routes(const void *a, const void *b)
{
	const struct config_route *x = *(const struct config_route *const *)a;
	const struct config_route *y = *(const struct config_route *const *)b;
	int order = addr_compare(&x->prefix.addr, &y->prefix.addr);

	if (!order)
		order = x->prefix.len - y->prefix.len;
	return order ? order : (x > y) - (x < y);
}

/* Sorted, so that large tables load fast. */
static void check_route_duplicates(struct load *l)
{
	size_t count = l->config->route_count;
	const struct config_route *routes = l->config->routes;
	const struct config_route **sorted = calloc(count + 1, sizeof(*sorted));
	char text[PREFIX_TEXT_MAX];

	if (!sorted) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = &routes[i];
	qsort(sorted, count, sizeof(*sorted), compare_routes);
	for (size_t i = 1; i < count; i++)
		if (same_prefix(&sorted[i - 1]->prefix, &sorted[i]->prefix))
			check_fault(l, ROUTES, (size_t)(sorted[i] - routes), "prefix", "a second route to %s",
				prefix_format(&sorted[i]->prefix, text));
	free(sorted);
}

/* The name of an interface in a list's entry to its index. */
static bool resolve_interface(struct load *l, const char *list, size_t i, uint32_t *ret_interface)
{
	const char *name = setting_node(l, list, i, "interface")->text;
	struct suggestion s = suggestion_init(name, strlen(name));
	const struct config *c = l->config;

	for (size_t k = 0; k < c->interface_count; k++) {
		if (strcmp(c->interfaces[k].name, name) == 0) {
			*ret_interface = (uint32_t)k;
			return true;
		}
		suggestion_offer(&s, c->interfaces[k].name);
	}
	check_fault(l, list, i, "interface", "no interface \"%s\"%s%s%s", name, s.best ? "; did you mean \"" : "",
		s.best ? s.best : "", s.best ? "\"?" : "");
	return false;
}

static void check_routes(struct load *l)
{
	for (size_t i = 0; i < l->config->route_count; i++) {
		struct config_route *r = &l->config->routes[i];
		check_destination(l, i, &r->prefix);
		r->has_interface = setting_given(l, ROUTES, i, "interface");
		if (!r->has_interface || resolve_interface(l, ROUTES, i, &r->interface))
			check_via(l, i, r);
	}
	check_route_duplicates(l);
}

/* One that is not in the subnet of its interface would never be asked for. */
static void check_neighbour(struct load *l, size_t i)
{
	const struct config_neighbour *n = &l->config->neighbours[i];
	const struct config_interface *p = &l->config->interfaces[n->interface];
	const struct prefix *subnet = interface_prefix(p, n->addr.family);
	char text[ADDR_TEXT_MAX], subnet_text[PREFIX_TEXT_MAX];

	addr_format(&n->addr, text);
	if (interface_of_address(l->config, &n->addr) || addr_equal(&p->link_local, &n->addr))
		check_fault(l, NEIGHBOURS, i, "address", "%s is our own address", text);
	else if (is_link_local(&n->addr) && has_ipv6(p))
		return;
	else if (subnet->addr.family == ADDR_NONE)
		check_fault(l, NEIGHBOURS, i, "address", "%s: interface %s has no IPv%u address", text, p->name,
			n->addr.family);
	else if (!is_host_of(subnet, &n->addr))
		check_fault(l, NEIGHBOURS, i, "address", "%s is not a host of %s, the subnet of interface %s", text,
			prefix_format(subnet, subnet_text), p->name);
}

static int compare_neighbours(const void *a, const void *b)
{
	const struct config_neighbour *x = *(const struct config_neighbour *const *)a;
	const struct config_neighbour *y = *(const struct config_neighbour *const *)b;
	int order = addr_compare(&x->addr, &y->addr);

	if (!order)
		order = (x->interface > y->interface) - (x->interface < y->interface);
	return order ? order : (x > y) - (x < y);
}

/* Two MAC addresses for one neighbour: which one counts would be chance. */
static void check_neighbour_duplicates(struct load *l)
{
	size_t count = l->config->neighbour_count;
	const struct config_neighbour *all = l->config->neighbours;
	const struct config_neighbour **sorted = calloc(count + 1, sizeof(*sorted));
	char text[ADDR_TEXT_MAX];

	if (!sorted) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < count; i++)
		sorted[i] = &all[i];
	qsort(sorted, count, sizeof(*sorted), compare_neighbours);
	for (size_t i = 1; i < count; i++)
		if (addr_equal(&sorted[i - 1]->addr, &sorted[i]->addr) &&
			sorted[i - 1]->interface == sorted[i]->interface)
			check_fault(l, NEIGHBOURS, (size_t)(sorted[i] - all), "address", "a second entry for %s",
				addr_format(&sorted[i]->addr, text));
	free(sorted);
}

void check_network(struct load *l)
{
	check_interfaces(l);
	for (size_t i = 0; i < l->config->address_count; i++)
		check_own_address(l, i);
	check_routes(l);
	for (size_t i = 0; i < l->config->neighbour_count; i++)
		if (resolve_interface(l, NEIGHBOURS, i, &l->config->neighbours[i].interface))
			check_neighbour(l, i);
	check_neighbour_duplicates(l);
}
