/* SPDX-License-Identifier: BSD-3-Clause */
/* Weak algorithms: refused without `allow_weak: true`, warned of with it. What is weak is a column of the algorithm
 * table (RFC 8221, RFC 8247). */
#include "conf_priv.h"

#include <stdio.h>

#define TUNNELS "tunnels"
#define MANUAL  "manual_sas"

/* One item of a list and whether its operator has said that weak ones are meant. */
struct subject {
	struct load *l;
	const char *list;
	size_t i;
	bool allowed;
	bool warn; /* say what is allowed, else what is not */
};

static void judge(const struct subject *s, const char *setting, const struct alg *a)
{
	const char *reason = a ? alg_weakness(a) : NULL;

	if (reason && s->warn)
		check_warn(s->l, s->list, s->i, setting, "weak: %s %s", a->name, reason);
	else if (reason && !s->allowed)
		check_fault(s->l, s->list, s->i, setting, "%s %s; `allow_weak: true` takes it all the same", a->name,
			reason);
}

static bool offers(const struct proposal *p, const struct transform *wanted)
{
	for (int i = 0; i < p->count; i++) {
		const struct transform *t = &p->transforms[i];
		if (t->type == wanted->type && t->id == wanted->id && t->key_bits == wanted->key_bits)
			return true;
	}
	return false;
}

/* An algorithm that stands in several proposals is told once. */
static void judge_offer(const struct subject *s, const char *setting, const struct proposal_list *list)
{
	for (int p = 0; p < list->count; p++)
		for (int t = 0; t < list->items[p].count; t++) {
			const struct transform *x = &list->items[p].transforms[t];
			int former = 0;
			while (former < p && !offers(&list->items[former], x))
				former++;
			if (former == p)
				judge(s, setting, alg_lookup((enum transform_type)x->type, x->id, x->key_bits));
		}
}

static void judge_tunnel(struct load *l, size_t i, bool warn)
{
	const struct tunnel_profile *t = &l->config->tunnels[i];
	const struct subject s = { l, TUNNELS, i, t->allow_weak, warn };
	char setting[32];

	judge_offer(&s, "phase1.proposals", &t->proposals);
	for (int k = 0; k < t->child_count; k++) {
		snprintf(setting, sizeof(setting), "phase2.%d.proposals", k);
		judge_offer(&s, setting, &t->children[k].proposals);
	}
}

static void judge_manual_sa(struct load *l, size_t i, bool warn)
{
	const struct config_manual_sa *m = &l->config->manual_sas[i];
	const struct subject s = { l, MANUAL, i, m->allow_weak, warn };

	judge(&s, "proposal", m->in.encr);
	judge(&s, "proposal", m->in.integ);
}

static void judge_all(struct load *l, bool warn)
{
	for (size_t i = 0; i < l->config->manual_sa_count; i++)
		judge_manual_sa(l, i, warn);
	for (size_t i = 0; i < l->config->tunnel_count; i++)
		judge_tunnel(l, i, warn);
}

void check_weak(struct load *l)
{
	judge_all(l, false);
}

void warn_weak(struct load *l)
{
	judge_all(l, true);
}
