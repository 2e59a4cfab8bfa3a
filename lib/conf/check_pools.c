/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools, the tunnels that lend from them, and dynamic selectors: whatever address an IKE SA will bring, its place in
 * the configuration is known, and so the policies that lead to the tunnel. */
#include "conf_priv.h"

#include <string.h>

#define POOLS   "pools"
#define TUNNELS "tunnels"

/* ---- pools ---- */

static bool is_prefix(const struct selector *s)
{
	struct addr low, high;
	struct prefix p = { s->low, 0 };

	for (unsigned len = 0; len <= 8 * addr_len(&s->low); len++) {
		p.len = (uint8_t)len;
		prefix_range(&p, &low, &high);
		if (addr_equal(&low, &s->low) && addr_equal(&high, &s->high))
			return true;
	}
	return false;
}

static bool has_ports(const struct selector *s)
{
	return s->protocol || s->port_low || s->port_high != UINT16_MAX;
}

static bool overlap(const struct selector *a, const struct selector *b)
{
	struct selector common;

	return selector_intersect(a, b, &common);
}

static void check_addresses(struct load *l, size_t i, const struct address_pool *p)
{
	for (int k = 0; k < p->addresses.count; k++) {
		if (has_ports(&p->addresses.items[k]))
			check_fault(l, POOLS, i, "addresses", "a pool has addresses only, no protocols or ports");
		for (int other = 0; other < k; other++)
			if (overlap(&p->addresses.items[k], &p->addresses.items[other]))
				check_fault(l, POOLS, i, "addresses", "two of the ranges overlap");
	}
}

static void check_split(struct load *l, size_t i, const struct address_pool *p)
{
	for (int k = 0; k < p->split_include.count; k++)
		if (has_ports(&p->split_include.items[k]) || !is_prefix(&p->split_include.items[k]))
			check_fault(
				l, POOLS, i, "split_include", "a peer can be told of prefixes only (RFC 7296 3.15.1)");
}

/* An address of ours, or one that two peers could get, would take the other's traffic. */
static void check_others(struct load *l, size_t i, const struct address_pool *p)
{
	const struct config *c = l->config;
	char text[ADDR_TEXT_MAX];

	for (size_t k = 0; k < c->interface_count; k++) {
		const struct addr ours[] = { c->interfaces[k].address.addr, c->interfaces[k].address6.addr };
		for (size_t f = 0; f < ARRAY_LEN(ours); f++)
			for (int r = 0; r < p->addresses.count && ours[f].family != ADDR_NONE; r++)
				if (selector_matches(&p->addresses.items[r], &ours[f], 0, false, 0))
					check_fault(l, POOLS, i, "addresses", "%s is our own address",
						addr_format(&ours[f], text));
	}
	for (size_t other = 0; other < i; other++)
		for (int r = 0; r < p->addresses.count; r++)
			for (int s = 0; s < c->pools[other].addresses.count; s++)
				if (overlap(&p->addresses.items[r], &c->pools[other].addresses.items[s]))
					check_fault(l, POOLS, i, "addresses", "pool %s has some of these addresses",
						c->pools[other].name);
}

/* ---- tunnels ---- */

static const struct address_pool *pool_lookup(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->pool_count; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}

static void complete_pool(struct load *l, size_t i, struct tunnel_profile *t)
{
	const struct node *n = setting_node(l, TUNNELS, i, "remote.pool");

	if (!setting_given(l, TUNNELS, i, "remote.pool"))
		return;
	t->pool = pool_lookup(l->config, n->text);
	if (t->pool)
		return;
	struct suggestion s = suggestion_init(n->text, n->len);
	for (size_t k = 0; k < l->config->pool_count; k++)
		suggestion_offer(&s, l->config->pools[k].name);
	check_fault(l, TUNNELS, i, "remote.pool", "no pool \"%s\"%s%s%s", n->text, s.best ? "; did you mean \"" : "",
		s.best ? s.best : "", s.best ? "\"?" : "");
}

static void add_range(struct selector_list *list, const struct addr *a, uint8_t len)
{
	const struct prefix p = { *a, len };

	list->items[list->count++] = selector_from_prefix(&p);
}

static void add_host(struct selector_list *list, const struct addr *a)
{
	add_range(list, a, (uint8_t)(8 * addr_len(a)));
}

/* Where our addresses of the tunnel may be. */
static void complete_local(struct tunnel_profile *t, struct selector_list *list)
{
	if (t->virtual_ip == VIRTUAL_NONE)
		add_host(list, &t->local_addr);
	if (t->virtual_ip & VIRTUAL_IPV4)
		add_range(list, &(struct addr){ .family = ADDR_IPV4 }, 0);
	if (t->virtual_ip & VIRTUAL_IPV6)
		add_range(list, &(struct addr){ .family = ADDR_IPV6 }, 0);
}

/* Where the peer's may be; from any address, anywhere of that family. */
static void complete_remote(struct tunnel_profile *t, struct selector_list *list)
{
	if (t->pool) {
		*list = t->pool->addresses;
		list->dynamic = true;
	} else if (t->remote_addr.family != ADDR_NONE) {
		add_host(list, &t->remote_addr);
	} else {
		add_range(list, &(struct addr){ .family = t->local_addr.family }, 0);
	}
}

static void complete_dynamic(struct tunnel_profile *t)
{
	for (int k = 0; k < t->child_count; k++) {
		if (t->children[k].local.dynamic)
			complete_local(t, &t->children[k].local);
		if (t->children[k].remote.dynamic)
			complete_remote(t, &t->children[k].remote);
	}
}

static void check_roles(struct load *l, size_t i, const struct tunnel_profile *t)
{
	if (t->pool && t->virtual_ip)
		check_fault(l, TUNNELS, i, "local.virtual_ip", "we cannot ask the peer for an address and lend it one");
	if (t->virtual_ip && t->remote_addr.family == ADDR_NONE)
		check_fault(l, TUNNELS, i, "local.virtual_ip",
			"only who begins asks for an address, and with remote.address any we wait");
}

void check_pools(struct load *l)
{
	for (size_t i = 0; i < l->config->pool_count; i++) {
		check_addresses(l, i, &l->config->pools[i]);
		check_split(l, i, &l->config->pools[i]);
		check_others(l, i, &l->config->pools[i]);
	}
	for (size_t i = 0; i < l->config->tunnel_count; i++) {
		complete_pool(l, i, &l->config->tunnels[i]);
		complete_dynamic(&l->config->tunnels[i]);
		check_roles(l, i, &l->config->tunnels[i]);
	}
}
