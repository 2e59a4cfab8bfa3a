/* SPDX-License-Identifier: BSD-3-Clause */
/* Policies that hardly do what was meant: protect entries that leave out a part of their target, or ask it for more
 * than it takes; clear entries that no packet reaches. */
#include "conf_priv.h"

#include <string.h>

#define POLICIES "policies"

/* Clear entries are compared with each tunnel: beyond this number of pairs nobody waits for it. */
#define COMPARED_MAX 1000000u

/* Protect entries of one target that are looked at; with more of them nothing is said. */
#define ENTRIES_MAX 1000

struct context {
	struct load *l;
	const struct config *config;
	struct targets targets;
	struct name_index entries; /* policies by their target; "": none */
};

static struct selector_sides policy_sides(const struct config_policy *p)
{
	return (struct selector_sides){ &p->local, &p->remote };
}

/* The bypass that takes what is left of a pair of a target; NULL: none, it is dropped. */
static const struct config_policy *bypass_of(
	const struct config *c, const struct selector *local, const struct selector *remote)
{
	const struct selector_list ours = { .count = 1, .items = { *local } };
	const struct selector_list theirs = { .count = 1, .items = { *remote } };
	const struct selector_sides pair = { &ours, &theirs };

	for (size_t i = 0; i < c->policy_count; i++) {
		const struct selector_sides sides = policy_sides(&c->policies[i]);
		if (c->policies[i].action == POLICY_BYPASS && selector_sides_meet(&sides, &pair))
			return &c->policies[i];
	}
	return NULL;
}

static void warn_left_out(struct context *x, size_t i, const struct selector *local, const struct selector *remote)
{
	const struct config_policy *bypass = bypass_of(x->config, local, remote);
	char ours[SELECTOR_TEXT_MAX], theirs[SELECTOR_TEXT_MAX];

	check_warn(x->l, POLICIES, i, "",
		"its selectors leave out a part of %s === %s of %s, which no longer protects it%s%s%s",
		selector_format(local, ours), selector_format(remote, theirs), x->config->policies[i].target,
		bypass ? ": policy " : "", bypass ? bypass->name : "", bypass ? " sends it in clear" : "");
}

/* All entries of one target, `count` from the first, against what the target takes. */
static void compare_entries(struct context *x, const struct name_ref *first, size_t count)
{
	struct selector_sides target, entries[ENTRIES_MAX];
	struct selector local, remote;
	size_t named = SIZE_MAX;

	target.local = target_selectors(x->config, &x->targets, first->name, &target.remote);
	if (!target.local || count > ENTRIES_MAX || target.local->dynamic || target.remote->dynamic)
		return;
	for (size_t k = 0; k < count; k++) {
		/* without selectors (several phase2 entries): whole */
		if (!x->config->policies[first[k].index].local.count)
			return;
		entries[k] = policy_sides(&x->config->policies[first[k].index]);
		named = first[k].index < named ? first[k].index : named;
	}
	if (selector_sides_cover(entries, count, &target, &local, &remote) == COVER_PART)
		warn_left_out(x, named, &local, &remote);
	for (size_t k = 0; k < count; k++)
		if (selector_sides_cover(&target, 1, &entries[k], &local, &remote) == COVER_PART)
			check_warn(x->l, POLICIES, first[k].index, "",
				"reaches outside of the selectors of %s: such packets end as selector_out",
				first->name);
}

static void warn_entries(struct context *x)
{
	const struct name_ref *refs = x->entries.refs;
	size_t count;

	for (size_t i = 0; i < x->entries.count; i += count) {
		count = 1;
		while (i + count < x->entries.count && strcmp(refs[i].name, refs[i + count].name) == 0)
			count++;
		if (refs[i].name[0])
			compare_entries(x, &refs[i], count);
	}
}

/* A clear entry all of whose traffic the rules of one tunnel or manual SA take. True: warned. */
static bool warn_hidden_by(struct context *x, size_t i, const char *kind, const char *name,
	const struct selector_sides *sides, size_t count)
{
	const struct selector_sides entry = policy_sides(&x->config->policies[i]);
	struct selector local, remote;

	if (name_index_lookup(&x->entries, name) ||
		selector_sides_cover(sides, count, &entry, &local, &remote) != COVER_WHOLE)
		return false;
	check_warn(x->l, POLICIES, i, "",
		"never reached: %s %s stands before; name it in a protect entry behind this one", kind, name);
	return true;
}

static bool hidden_by_tunnel(struct context *x, size_t i, const struct tunnel_profile *t)
{
	struct selector_sides sides[ARRAY_LEN(t->children)];

	for (uint8_t k = 0; k < t->child_count; k++) {
		if (t->children[k].local.dynamic || t->children[k].remote.dynamic)
			return false;
		sides[k] = (struct selector_sides){ &t->children[k].local, &t->children[k].remote };
	}
	return warn_hidden_by(x, i, "tunnel", t->name, sides, t->child_count);
}

static void warn_hidden(struct context *x, size_t i)
{
	for (size_t t = 0; t < x->config->tunnel_count; t++)
		if (hidden_by_tunnel(x, i, &x->config->tunnels[t]))
			return;
	for (size_t m = 0; m < x->config->manual_sa_count; m++) {
		const struct config_manual_sa *sa = &x->config->manual_sas[m];
		const struct selector_sides sides = { &sa->in.local, &sa->in.remote };
		if (warn_hidden_by(x, i, "manual SA", sa->name, &sides, 1))
			return;
	}
}

void warn_policies(struct load *l)
{
	const struct config *c = l->config;
	struct context x = { .l = l, .config = c };
	size_t pairs = c->policy_count * (c->tunnel_count + c->manual_sa_count);

	if (targets_init(l, &x.targets)) {
		if (name_index_build(c->policies ? c->policies->target : NULL, sizeof(*c->policies), c->policy_count,
			    &x.entries))
			fault_no_memory(l);
		warn_entries(&x);
		for (size_t i = 0; i < c->policy_count && pairs <= COMPARED_MAX; i++)
			if (c->policies[i].action != POLICY_PROTECT)
				warn_hidden(&x, i);
	}
	name_index_done(&x.entries);
	targets_done(&x.targets);
}
