/* SPDX-License-Identifier: BSD-3-Clause */
/* Rule order and slots of the security policy (RFC 4301 4.4.1: an ordered list). Pure: values in, values out. */
#include "policy_order_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A name that policies may point to, sorted: 10,000 tunnels with as many policies stay quick. */
struct target {
	struct slot_range range;
	bool named; /* by a protect entry */
};

struct targets {
	struct target *items;
	size_t count;
};

/* The name comes first in ranges and targets. */
static int name_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct target *target_lookup(const struct targets *t, const char *name)
{
	return t->count ? bsearch(name, t->items, t->count, sizeof(*t->items), name_compare) : NULL;
}

static const struct slot_range *range_lookup(const struct policy *p, const char *name)
{
	return p && p->range_count ? bsearch(name, p->ranges, p->range_count, sizeof(*p->ranges), name_compare) : NULL;
}

static void target_add(struct targets *t, const char *name, uint32_t count)
{
	struct slot_range *r = &t->items[t->count++].range;

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->count = count;
}

static void targets_collect(const struct config *config, struct targets *t)
{
	for (size_t i = 0; i < config->tunnel_count; i++)
		target_add(t, config->tunnels[i].name, config->tunnels[i].child_count);
	for (size_t i = 0; i < config->manual_sa_count; i++)
		target_add(t, config->manual_sas[i].name, 1);
}

static bool is_free(const struct policy *p, const struct policy *before, uint32_t slot)
{
	static const struct slot_owner nobody = { .tunnel = -1, .child = -1, .manual = -1 };
	bool was = before && slot < before->slot_count && memcmp(&before->slots[slot], &nobody, sizeof(nobody)) != 0;

	return !was && !memcmp(&p->slots[slot], &nobody, sizeof(nobody));
}

static bool are_free(const struct policy *p, const struct policy *before, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!is_free(p, before, first + i))
			return false;
	return true;
}

/* Those that were free for longest come first: a worker may still look at the slots of configurations past. */
static int slots_find(struct policy *p, const struct policy *before, uint32_t count, uint32_t *ret_first)
{
	for (uint32_t tried = 0; tried < POLICY_SLOTS_MAX; tried++) {
		if (p->next_slot + count > POLICY_SLOTS_MAX)
			p->next_slot = 0;
		if (are_free(p, before, p->next_slot, count)) {
			*ret_first = p->next_slot;
			p->next_slot += count;
			return 0;
		}
		p->next_slot++;
	}
	return -ENOSPC;
}

static int slots_give(
	struct policy *p, const struct policy *before, const struct targets *t, const char *name, uint32_t *ret_first)
{
	const struct slot_range *kept = range_lookup(before, name);
	struct slot_range *r = &target_lookup(t, name)->range;
	int rc = 0;

	if (kept && kept->count == r->count)
		r->first = kept->first;
	else
		rc = slots_find(p, before, r->count, &r->first);
	if (!rc && r->first + r->count > p->slot_count)
		p->slot_count = r->first + r->count;
	*ret_first = r->first;
	return rc;
}

/* Resolving the configuration in force again, as show policies does, writes nothing: a reload may be reading it. */
static void slot_set(uint32_t *to, uint32_t slot)
{
	if (*to != slot)
		*to = slot;
}

static int tunnel_slots(
	struct config *config, struct policy *p, const struct policy *before, const struct targets *t, size_t i)
{
	struct tunnel_profile *tunnel = &config->tunnels[i];
	uint32_t first;
	int rc = slots_give(p, before, t, tunnel->name, &first);

	for (uint8_t child = 0; !rc && child < tunnel->child_count; child++) {
		slot_set(&tunnel->children[child].tunnel_slot, first + child);
		p->slots[first + child] = (struct slot_owner){ .tunnel = (int32_t)i, .child = child, .manual = -1 };
	}
	return rc;
}

static int manual_slot(
	struct config *config, struct policy *p, const struct policy *before, const struct targets *t, size_t i)
{
	struct config_manual_sa *m = &config->manual_sas[i];
	uint32_t slot;
	int rc = slots_give(p, before, t, m->name, &slot);

	if (!rc) {
		slot_set(&m->in.tunnel_slot, slot);
		slot_set(&m->out.tunnel_slot, slot);
		p->slots[slot] = (struct slot_owner){ .tunnel = -1, .child = -1, .manual = (int32_t)i };
	}
	return rc;
}

/* New ones in the order of rules: tunnels' children, then manual SAs. */
static int slots_assign(struct config *config, struct policy *p, const struct policy *before, struct targets *t)
{
	int rc = 0;

	targets_collect(config, t);
	qsort(t->items, t->count, sizeof(*t->items), name_compare);
	for (size_t slot = 0; slot < POLICY_SLOTS_MAX; slot++)
		p->slots[slot] = (struct slot_owner){ .tunnel = -1, .child = -1, .manual = -1 };
	for (size_t i = 0; !rc && i < config->tunnel_count; i++)
		rc = tunnel_slots(config, p, before, t, i);
	for (size_t i = 0; !rc && i < config->manual_sa_count; i++)
		rc = manual_slot(config, p, before, t, i);
	for (size_t i = 0; i < t->count; i++)
		p->ranges[p->range_count++] = t->items[i].range;
	return rc;
}

static void slot_selectors(const struct config *config, const struct slot_owner *o,
	const struct selector_list **ret_local, const struct selector_list **ret_remote)
{
	if (o->manual >= 0) {
		*ret_local = &config->manual_sas[o->manual].out.local;
		*ret_remote = &config->manual_sas[o->manual].out.remote;
	} else {
		*ret_local = &config->tunnels[o->tunnel].children[o->child].local;
		*ret_remote = &config->tunnels[o->tunnel].children[o->child].remote;
	}
}

static struct selector_list any_selectors(void)
{
	const struct prefix four = { .addr = { .family = ADDR_IPV4 } }, six = { .addr = { .family = ADDR_IPV6 } };

	return (struct selector_list){ .count = 2,
		.items = { selector_from_prefix(&four), selector_from_prefix(&six) } };
}

static struct spd_rule *rule_add(const struct config *config, struct policy *p, const struct config_policy *entry)
{
	p->origins[p->rule_count] = entry ? (int32_t)(entry - config->policies) : -1;
	return &p->rules[p->rule_count++];
}

/* A protect rule of one slot. The policy entry may give selectors of its own; what it leaves out is the SA's. */
static void add_protect(const struct config *config, struct policy *p, uint32_t slot, const struct config_policy *entry)
{
	const struct selector_list *local, *remote;
	const struct slot_owner *o = &p->slots[slot];
	struct spd_rule *rule = rule_add(config, p, entry);

	slot_selectors(config, o, &local, &remote);
	*rule = (struct spd_rule){ .action = SPD_PROTECT,
		.tunnel_slot = slot,
		.awaits = o->tunnel >= 0 && config->tunnels[o->tunnel].children[o->child].start != START_RESPOND };
	rule->local = entry && entry->local.count ? entry->local : *local;
	rule->remote = entry && entry->remote.count ? entry->remote : *remote;
}

static void add_clear(const struct config *config, struct policy *p, const struct config_policy *entry)
{
	struct spd_rule *rule = rule_add(config, p, entry);

	/* a protect entry without a target is refused by conf; closed all the same */
	*rule = (struct spd_rule){ .action = entry->action == POLICY_BYPASS ? SPD_BYPASS : SPD_DISCARD };
	rule->local = entry->local.count ? entry->local : any_selectors();
	rule->remote = entry->remote.count ? entry->remote : any_selectors();
}

/* A target named by an entry stands where the operator put it, and nowhere else. Returns the rules entries make. */
static size_t mark_named(const struct config *config, const struct targets *t)
{
	size_t rules = 0;

	for (size_t i = 0; i < config->policy_count; i++) {
		const struct config_policy *entry = &config->policies[i];
		struct target *target = entry->action == POLICY_PROTECT ? target_lookup(t, entry->target) : NULL;

		if (target)
			target->named = true;
		rules += target ? target->range.count : 1;
	}
	return rules;
}

static void add_unnamed_target(const struct config *config, struct policy *p, const struct target *target)
{
	for (uint32_t s = 0; !target->named && s < target->range.count; s++)
		add_protect(config, p, target->range.first + s, NULL);
}

/* In front, so that a catch-all bypass cannot shadow a tunnel by accident. */
static void add_unnamed(const struct config *config, struct policy *p, const struct targets *t)
{
	for (size_t i = 0; i < config->tunnel_count; i++)
		add_unnamed_target(config, p, target_lookup(t, config->tunnels[i].name));
	for (size_t i = 0; i < config->manual_sa_count; i++)
		add_unnamed_target(config, p, target_lookup(t, config->manual_sas[i].name));
}

static void add_policies(const struct config *config, struct policy *p, const struct targets *t)
{
	for (size_t i = 0; i < config->policy_count; i++) {
		const struct config_policy *entry = &config->policies[i];
		const struct target *target = target_lookup(t, entry->target);

		if (entry->action != POLICY_PROTECT || !target)
			add_clear(config, p, entry);
		for (uint32_t s = 0; entry->action == POLICY_PROTECT && target && s < target->range.count; s++)
			add_protect(config, p, target->range.first + s, entry);
	}
}

void policy_rules_free(struct policy *p)
{
	free(p->rules);
	free(p->origins);
	p->rules = NULL;
	p->origins = NULL;
	p->rule_count = 0;
}

void policy_done(struct policy *p)
{
	policy_rules_free(p);
	free(p->slots);
	free(p->ranges);
	*p = (struct policy){ 0 };
}

static size_t count_slots(const struct config *config)
{
	size_t n = config->manual_sa_count;

	for (size_t i = 0; i < config->tunnel_count; i++)
		n += config->tunnels[i].child_count;
	return n;
}

static int rules_make(const struct config *config, struct policy *p, const struct targets *t)
{
	size_t most = count_slots(config) + mark_named(config, t) + 1;

	p->rules = calloc(most, sizeof(*p->rules));
	p->origins = calloc(most, sizeof(*p->origins));
	if (!p->rules || !p->origins)
		return -ENOMEM;
	add_unnamed(config, p, t);
	add_policies(config, p, t);
	return 0;
}

int policy_resolve(struct config *config, const struct policy *before, struct policy *ret_policy)
{
	size_t names = config->tunnel_count + config->manual_sa_count + 1;
	struct targets t = { .items = calloc(names, sizeof(*t.items)) };
	struct policy p = { .slots = calloc(POLICY_SLOTS_MAX, sizeof(*p.slots)),
		.ranges = calloc(names, sizeof(*p.ranges)),
		.next_slot = before ? before->next_slot : 0 };
	int rc = t.items && p.slots && p.ranges ? slots_assign(config, &p, before, &t) : -ENOMEM;

	if (!rc)
		rc = rules_make(config, &p, &t);
	free(t.items);
	if (rc)
		policy_done(&p);
	else
		*ret_policy = p;
	return rc;
}
