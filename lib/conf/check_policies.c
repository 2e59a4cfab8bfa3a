/* SPDX-License-Identifier: BSD-3-Clause */
/* Policies: what a protect entry names, and the selectors each entry has or takes over. Tunnels and manual SAs share
 * one space of names, as policies and commands name both. */
#include "conf_priv.h"

#include <string.h>

#define POLICIES "policies"

bool targets_init(struct load *l, struct targets *ret_targets)
{
	const struct config *c = l->config;
	int err = name_index_build(
		c->tunnels ? c->tunnels->name : NULL, sizeof(*c->tunnels), c->tunnel_count, &ret_targets->tunnels);

	if (!err)
		err = name_index_build(c->manual_sas ? c->manual_sas->name : NULL, sizeof(*c->manual_sas),
			c->manual_sa_count, &ret_targets->manual_sas);
	if (err)
		fault_no_memory(l);
	return !err;
}

void targets_done(struct targets *t)
{
	name_index_done(&t->tunnels);
	name_index_done(&t->manual_sas);
}

static void check_shared_names(struct load *l, const struct targets *t)
{
	for (size_t i = 0; i < t->manual_sas.count; i++) {
		const struct name_ref *ref = &t->manual_sas.refs[i], *other = name_index_lookup(&t->tunnels, ref->name);
		if (other)
			check_fault(l, "manual_sas", ref->index, "name", "the name \"%s\" is that of a tunnel too",
				ref->name);
	}
}

const struct selector_list *target_selectors(
	const struct config *c, const struct targets *t, const char *name, const struct selector_list **ret_remote)
{
	const struct name_ref *tunnel = name_index_lookup(&t->tunnels, name);
	const struct name_ref *manual = name_index_lookup(&t->manual_sas, name);

	if (tunnel) {
		*ret_remote = &c->tunnels[tunnel->index].children[0].remote;
		return &c->tunnels[tunnel->index].children[0].local;
	}
	if (manual) {
		*ret_remote = &c->manual_sas[manual->index].in.remote;
		return &c->manual_sas[manual->index].in.local;
	}
	return NULL;
}

static void unknown_target(struct load *l, const struct targets *t, size_t i, const char *name)
{
	struct suggestion s = suggestion_init(name, strlen(name));

	name_index_offer(&t->tunnels, &s);
	name_index_offer(&t->manual_sas, &s);
	check_fault(l, POLICIES, i, "target", "no tunnel or manual SA \"%s\"%s%s%s", name,
		s.best ? "; did you mean \"" : "", s.best ? s.best : "", s.best ? "\"?" : "");
}

static uint8_t child_count(const struct config *c, const struct targets *t, const char *name)
{
	const struct name_ref *tunnel = name_index_lookup(&t->tunnels, name);

	return tunnel ? c->tunnels[tunnel->index].child_count : 1;
}

/* Each phase2 entry makes a rule with its own selectors: with those of the policy the first would take all. */
static void check_several(struct load *l, size_t i, const struct config_policy *p)
{
	if (p->local.count || p->remote.count)
		check_fault(l, POLICIES, i, p->local.count ? "local_selectors" : "remote_selectors",
			"tunnel \"%s\" has several phase2 entries, whose selectors decide: leave this out", p->target);
}

/* Selectors left out are the target's: the entry then only moves its place in the order. */
static void check_protect(struct load *l, const struct targets *t, size_t i)
{
	struct config_policy *p = &l->config->policies[i];
	const struct selector_list *remote, *local = target_selectors(l->config, t, p->target, &remote);

	if (!p->target[0]) {
		check_fault(l, POLICIES, i, "", "action protect needs a target: a tunnel or manual SA");
		return;
	}
	if (!local) {
		unknown_target(l, t, i, p->target);
		return;
	}
	check_families(l, POLICIES, i, "remote_selectors", &p->local, &p->remote);
	if (child_count(l->config, t, p->target) > 1) {
		check_several(l, i, p);
		return;
	}
	if (!p->local.count)
		p->local = *local;
	if (!p->remote.count)
		p->remote = *remote;
}

/* No default selectors here: a forgotten line must not let everything out in clear. */
static void check_clear(struct load *l, size_t i)
{
	const struct config_policy *p = &l->config->policies[i];
	const char *action = p->action == POLICY_BYPASS ? "bypass" : "discard";

	if (p->target[0])
		check_fault(l, POLICIES, i, "target", "action %s takes no target", action);
	check_families(l, POLICIES, i, "remote_selectors", &p->local, &p->remote);
	if (!p->local.count || !p->remote.count)
		check_fault(l, POLICIES, i, "", "action %s needs %s", action,
			p->local.count ? "remote_selectors" : "local_selectors");
}

void check_policies(struct load *l)
{
	struct targets t = { 0 };

	if (targets_init(l, &t)) {
		check_shared_names(l, &t);
		for (size_t i = 0; i < l->config->policy_count; i++)
			if (l->config->policies[i].action == POLICY_PROTECT)
				check_protect(l, &t, i);
			else
				check_clear(l, i);
	}
	targets_done(&t);
}
