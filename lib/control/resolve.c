/* SPDX-License-Identifier: BSD-3-Clause */
/* Rule order and slots of the security policy (RFC 4301 4.4.1: an ordered list). Pure: values in, values out. */
#include "resolve_priv.h"

#include <errno.h>
#include <stdlib.h>

/* A name that policies may point to, sorted: 10,000 tunnels with as many policies stay quick. */
struct target {
	const char *name;
	uint32_t first_slot, slot_count;
	bool named; /* by a protect entry */
};

struct targets {
	struct target *items;
	size_t count;
};

static int target_compare(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->name, ((const struct target *)b)->name);
}

static struct target *target_lookup(const struct targets *t, const char *name)
{
	struct target key = { .name = name };

	return t->count ? bsearch(&key, t->items, t->count, sizeof(key), target_compare) : NULL;
}

static size_t count_slots(const struct config *config)
{
	size_t n = config->manual_sa_count;

	for (size_t i = 0; i < config->tunnel_count; i++)
		n += config->tunnels[i].child_count;
	return n;
}

/* Slots in the order of rules: tunnels' children, then manual SAs. */
static void assign_slots(struct config *config, struct policy *p, struct targets *t)
{
	for (size_t i = 0; i < config->tunnel_count; i++) {
		struct tunnel_profile *tunnel = &config->tunnels[i];

		t->items[t->count++] = (struct target){ tunnel->name, (uint32_t)p->slot_count, tunnel->child_count,
			false };
		for (uint8_t child = 0; child < tunnel->child_count; child++) {
			tunnel->children[child].tunnel_slot = (uint32_t)p->slot_count;
			p->slots[p->slot_count++] = (struct slot_owner){ (int32_t)i, child, -1 };
		}
	}
	for (size_t i = 0; i < config->manual_sa_count; i++) {
		struct config_manual_sa *m = &config->manual_sas[i];

		t->items[t->count++] = (struct target){ m->name, (uint32_t)p->slot_count, 1, false };
		m->in.tunnel_slot = m->out.tunnel_slot = (uint32_t)p->slot_count;
		p->slots[p->slot_count++] = (struct slot_owner){ -1, -1, (int32_t)i };
	}
	qsort(t->items, t->count, sizeof(*t->items), target_compare);
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
	struct spd_rule *rule = rule_add(config, p, entry);

	slot_selectors(config, &p->slots[slot], &local, &remote);
	*rule = (struct spd_rule){ .action = SPD_PROTECT, .tunnel_slot = slot };
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
		rules += target ? target->slot_count : 1;
	}
	return rules;
}

/* In front, so that a catch-all bypass cannot shadow a tunnel by accident. */
static void add_unnamed(const struct config *config, struct policy *p, const struct targets *t)
{
	for (uint32_t slot = 0; slot < p->slot_count; slot++) {
		const struct slot_owner *o = &p->slots[slot];
		const char *name = o->manual >= 0 ? config->manual_sas[o->manual].name
						  : config->tunnels[o->tunnel].name;

		if (!target_lookup(t, name)->named)
			add_protect(config, p, slot, NULL);
	}
}

static void add_policies(const struct config *config, struct policy *p, const struct targets *t)
{
	for (size_t i = 0; i < config->policy_count; i++) {
		const struct config_policy *entry = &config->policies[i];
		const struct target *target = target_lookup(t, entry->target);

		if (entry->action != POLICY_PROTECT || !target)
			add_clear(config, p, entry);
		for (uint32_t s = 0; entry->action == POLICY_PROTECT && target && s < target->slot_count; s++)
			add_protect(config, p, target->first_slot + s, entry);
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
	*p = (struct policy){ 0 };
}

int policy_resolve(struct config *config, struct policy *ret_policy)
{
	size_t slots = count_slots(config);
	struct targets t = { .items = calloc(config->tunnel_count + config->manual_sa_count + 1, sizeof(*t.items)) };
	struct policy p = { .slots = calloc(slots + 1, sizeof(*p.slots)) };

	if (t.items && p.slots) {
		assign_slots(config, &p, &t);
		size_t most = slots + mark_named(config, &t) + 1;

		p.rules = calloc(most, sizeof(*p.rules));
		p.origins = calloc(most, sizeof(*p.origins));
	}
	if (!p.rules || !p.origins) {
		free(t.items);
		policy_done(&p);
		return -ENOMEM;
	}
	add_unnamed(config, &p, &t);
	add_policies(config, &p, &t);
	free(t.items);
	*ret_policy = p;
	return 0;
}
