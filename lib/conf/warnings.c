/* SPDX-License-Identifier: BSD-3-Clause */
/* What a good configuration is warned of, as it will hardly do what was meant or is weak: peers without a route, next
 * hops without a MAC address, selectors that cross, counters that come again. Runs when there are no faults. */
#include "conf_priv.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define TUNNELS "tunnels"
#define MANUAL  "manual_sas"

/* Each tunnel and manual SA is compared with each: beyond this number nobody waits for it. */
#define COMPARED_MAX 200

/* ---- routes ---- */

struct range {
	struct addr low, high;
};

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return addr_compare(&x->low, &y->low);
}

/* Sorted ranges to sorted ranges that are apart. Returns their count. */
static size_t merge_ranges(struct range *ranges, size_t count)
{
	size_t merged = 0;

	for (size_t i = 0; i < count; i++)
		if (merged && addr_compare(&ranges[i].low, &ranges[merged - 1].high) <= 0) {
			if (addr_compare(&ranges[i].high, &ranges[merged - 1].high) > 0)
				ranges[merged - 1].high = ranges[i].high;
		} else {
			ranges[merged++] = ranges[i];
		}
	return merged;
}

static void range_add(struct range *ranges, size_t *count, const struct prefix *p)
{
	if (p->addr.family == ADDR_NONE)
		return;
	prefix_range(p, &ranges[*count].low, &ranges[*count].high);
	(*count)++;
}

/* All that connected subnets and routes cover; owned by the caller. NULL without memory. */
static struct range *reachable_build(const struct config *c, size_t *ret_count)
{
	struct range *ranges = calloc(2 * c->interface_count + c->route_count + 1, sizeof(*ranges));
	size_t n = 0;

	if (!ranges)
		return NULL;
	for (size_t i = 0; i < c->interface_count; i++) {
		range_add(ranges, &n, &c->interfaces[i].address);
		range_add(ranges, &n, &c->interfaces[i].address6);
	}
	for (size_t i = 0; i < c->route_count; i++)
		range_add(ranges, &n, &c->routes[i].prefix);
	qsort(ranges, n, sizeof(*ranges), compare_ranges);
	*ret_count = merge_ranges(ranges, n);
	return ranges;
}

/* The key is a range of one address. */
static int compare_with_range(const void *key, const void *element)
{
	const struct range *k = key, *r = element;

	if (addr_compare(&k->low, &r->low) < 0)
		return -1;
	return addr_compare(&k->low, &r->high) > 0;
}

static void warn_unreachable(struct load *l, const struct range *ranges, size_t count, const char *list, size_t i,
	const char *setting, const struct addr *a)
{
	const struct range key = { *a, *a };
	char text[ADDR_TEXT_MAX];

	if (a->family != ADDR_NONE && !bsearch(&key, ranges, count, sizeof(*ranges), compare_with_range))
		check_warn(l, list, i, setting, "no route to %s", addr_format(a, text));
}

static void warn_routes(struct load *l)
{
	const struct config *c = l->config;
	size_t count;
	struct range *ranges = reachable_build(c, &count);

	if (!ranges) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 0; i < c->manual_sa_count; i++)
		warn_unreachable(l, ranges, count, MANUAL, i, "remote", &c->manual_sas[i].in.path.remote.addr);
	for (size_t i = 0; i < c->tunnel_count; i++)
		warn_unreachable(l, ranges, count, TUNNELS, i, "remote.address", &c->tunnels[i].remote_addr);
	free(ranges);
}

/* ---- both sides of one SA ---- */

static bool addresses_contain(const struct selector *outer, const struct selector *inner)
{
	return addr_compare(&outer->low, &inner->low) <= 0 && addr_compare(&outer->high, &inner->high) >= 0;
}

static bool addresses_overlap(const struct selector *a, const struct selector *b)
{
	return addr_compare(&a->low, &b->high) <= 0 && addr_compare(&b->low, &a->high) <= 0;
}

/* A side strictly inside of the other is a spoke of a hub (10.1.0.0/24 to 10.0.0.0/8 or 0.0.0.0/0), which is common and
 * works. The same network on both sides, or networks that cross, are a slip. Ports are of different ends. */
static bool sides_clash(const struct selector *local, const struct selector *remote)
{
	return addresses_overlap(local, remote) && addresses_contain(local, remote) == addresses_contain(remote, local);
}

static void warn_sides(struct load *l, const char *list, size_t i, const char *setting,
	const struct selector_list *local, const struct selector_list *remote)
{
	char ours[SELECTOR_TEXT_MAX], theirs[SELECTOR_TEXT_MAX];

	for (int r = 0; r < remote->count; r++)
		for (int k = 0; k < local->count; k++)
			if (sides_clash(&local->items[k], &remote->items[r])) {
				check_warn(l, list, i, setting, "%s overlaps %s of local_selectors",
					selector_format(&remote->items[r], theirs),
					selector_format(&local->items[k], ours));
				return;
			}
}

#define SETTING_MAX 40

/* "phase2.1.replay_window"; returns ret_setting. */
static const char *child_setting(uint8_t child, const char *key, char *ret_setting)
{
	snprintf(ret_setting, SETTING_MAX, "phase2.%u.%s", child, key);
	return ret_setting;
}

static void warn_all_sides(struct load *l)
{
	const struct config *c = l->config;

	for (size_t i = 0; i < c->manual_sa_count; i++)
		warn_sides(l, MANUAL, i, "remote_selectors", &c->manual_sas[i].in.local, &c->manual_sas[i].in.remote);
	for (size_t i = 0; i < c->tunnel_count; i++)
		for (uint8_t k = 0; k < c->tunnels[i].child_count; k++) {
			const struct child_profile *child = &c->tunnels[i].children[k];
			char setting[SETTING_MAX];
			warn_sides(l, TUNNELS, i, child_setting(k, "remote_selectors", setting), &child->local,
				&child->remote);
		}
}

/* ---- SAs against each other ---- */

struct candidate {
	const char *list, *kind, *name;
	char setting[SETTING_MAX];
	size_t index;
	const struct selector_list *local, *remote;
};

/* A protect entry gives its target a place in the order, so the operator has thought of it. */
static bool ordered_by_policy(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->policy_count; i++)
		if (c->policies[i].action == POLICY_PROTECT && strcmp(c->policies[i].target, name) == 0)
			return true;
	return false;
}

/* Protocols that traffic in a common part of two lists can have; [0]: any. */
struct protocols {
	bool set[256], some;
};

static void common_protocols(const struct selector_list *a, const struct selector_list *b, struct protocols *ret_common)
{
	struct selector common;

	*ret_common = (struct protocols){ 0 };
	for (int i = 0; i < a->count; i++)
		for (int k = 0; k < b->count; k++)
			if (selector_intersect(&a->items[i], &b->items[k], &common))
				ret_common->set[common.protocol] = ret_common->some = true;
}

/* Some packet matches both: one protocol at both of its ends. */
static bool candidates_overlap(const struct candidate *a, const struct candidate *b)
{
	struct protocols local, remote;

	common_protocols(a->local, b->local, &local);
	common_protocols(a->remote, b->remote, &remote);
	if (!local.some || !remote.some || local.set[0] || remote.set[0])
		return local.some && remote.some;
	for (int i = 1; i < 256; i++)
		if (local.set[i] && remote.set[i])
			return true;
	return false;
}

static bool list_contains(const struct selector_list *outer, const struct selector_list *inner)
{
	int inside = 0;

	for (int i = 0; i < inner->count; i++) {
		int k = 0;
		while (k < outer->count && !selector_contains(&outer->items[k], &inner->items[i]))
			k++;
		inside += k < outer->count;
	}
	return inside == inner->count;
}

static bool candidate_contains(const struct candidate *outer, const struct candidate *inner)
{
	return list_contains(outer->local, inner->local) && list_contains(outer->remote, inner->remote);
}

/* The narrower one first, then the wider one that takes the rest, is an order that was meant. True: warned. */
static bool warn_pair(struct load *l, const struct candidate *earlier, const struct candidate *later)
{
	bool meant = candidate_contains(later, earlier) && !candidate_contains(earlier, later);

	if (meant || !candidates_overlap(earlier, later))
		return false;
	check_warn(l, later->list, later->index, later->setting,
		"overlaps the selectors of %s %s, which comes first and wins", earlier->kind, earlier->name);
	return true;
}

/* The order of the rules: tunnels, then manual SAs, each as in the file. Returns the count in ret_all. */
static size_t collect_candidates(const struct config *c, struct candidate *ret_all)
{
	size_t n = 0;

	for (size_t i = 0; i < c->tunnel_count; i++) {
		const struct tunnel_profile *t = &c->tunnels[i];
		for (uint8_t k = 0; k < t->child_count && n < COMPARED_MAX && !ordered_by_policy(c, t->name); k++) {
			ret_all[n] = (struct candidate){ TUNNELS, "tunnel", t->name, "", i, &t->children[k].local,
				&t->children[k].remote };
			child_setting(k, "remote_selectors", ret_all[n++].setting);
		}
	}
	for (size_t i = 0; i < c->manual_sa_count && n < COMPARED_MAX; i++) {
		const struct config_manual_sa *m = &c->manual_sas[i];
		if (!ordered_by_policy(c, m->name))
			ret_all[n++] = (struct candidate){ MANUAL, "manual SA", m->name, "remote_selectors", i,
				&m->in.local, &m->in.remote };
	}
	return n;
}

static void warn_order(struct load *l)
{
	struct candidate all[COMPARED_MAX];

	if (l->config->tunnel_count + l->config->manual_sa_count > COMPARED_MAX)
		return;
	size_t count = collect_candidates(l->config, all);
	for (size_t later = 1; later < count; later++)
		for (size_t earlier = 0; earlier < later; earlier++)
			if (warn_pair(l, &all[earlier], &all[later]))
				break;
}

/* ---- counters ---- */

static void warn_repeated_nonces(struct load *l, size_t i)
{
	const struct alg *encr = l->config->manual_sas[i].in.encr, *integ = l->config->manual_sas[i].in.integ;
	const struct alg *counting = encr && (encr->flags & ALG_COUNTER)     ? encr
				     : integ && (integ->flags & ALG_COUNTER) ? integ
									     : NULL;

	if (counting)
		check_warn(l, MANUAL, i, "proposal",
			"weak: with manual keys %s repeats nonces after a restart (RFC 8221 3)", counting->name);
}

static bool offers_esn(const struct proposal *p)
{
	for (int i = 0; i < p->count; i++)
		if (p->transforms[i].type == TRANSFORM_ESN && p->transforms[i].id == ESN_YES)
			return true;
	return false;
}

/* RFC 4303 3.3.3: whoever does not check replay should not negotiate ESN. */
static void warn_esn_without_window(struct load *l, size_t i, uint8_t k)
{
	const struct child_profile *child = &l->config->tunnels[i].children[k];
	char setting[SETTING_MAX];
	int p = 0;

	while (p < child->proposals.count && !offers_esn(&child->proposals.items[p]))
		p++;
	if (!child->replay_window && p < child->proposals.count)
		check_warn(l, TUNNELS, i, child_setting(k, "replay_window", setting),
			"esn is offered, which needs the window; end each proposal with -noesn (RFC 4303 3.3.3)");
}

static void warn_counters(struct load *l)
{
	for (size_t i = 0; i < l->config->manual_sa_count; i++)
		warn_repeated_nonces(l, i);
	for (size_t i = 0; i < l->config->tunnel_count; i++)
		for (uint8_t k = 0; k < l->config->tunnels[i].child_count; k++)
			warn_esn_without_window(l, i, k);
}

/* ---- many peers ---- */

/* Reaches beyond one /16, or /48 of IPv6. */
static bool is_wide(const struct selector *s)
{
	return memcmp(s->low.bytes, s->high.bytes, s->low.family == ADDR_IPV4 ? 2 : 6) != 0;
}

/* What a peer asks for it gets, where nobody has it yet. */
static void warn_shared_range(struct load *l, size_t i, uint8_t k)
{
	const struct selector_list *remote = &l->config->tunnels[i].children[k].remote;
	char setting[SETTING_MAX], text[SELECTOR_TEXT_MAX];
	int s = 0;

	while (s < remote->count && !is_wide(&remote->items[s]))
		s++;
	if (s < remote->count)
		check_warn(l, TUNNELS, i, child_setting(k, "remote_selectors", setting),
			"any peer may take all of %s: give each its own, by remote.pool or a tunnel for each",
			selector_format(&remote->items[s], text));
}

static void warn_shared_ranges(struct load *l)
{
	for (size_t i = 0; i < l->config->tunnel_count; i++) {
		const struct tunnel_profile *t = &l->config->tunnels[i];
		bool shared = profile_serves_many(t) && !t->pool;
		for (uint8_t k = 0; shared && k < t->child_count; k++)
			warn_shared_range(l, i, k);
	}
}

void warn_doubtful(struct load *l)
{
	warn_routes(l);
	warn_all_sides(l);
	warn_order(l);
	warn_policies(l);
	warn_counters(l);
	warn_shared_ranges(l);
	warn_weak(l);
}
