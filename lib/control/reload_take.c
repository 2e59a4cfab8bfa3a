/* SPDX-License-Identifier: BSD-3-Clause */
/* What a new configuration changes, and its taking over in an order in which no packet meets half of it: routes, new
 * SAs, policies, and last what no rule leads to any more is retired. What did not change is not touched. */
#include "reload_run_priv.h"

#include <stdio.h>

#include "control_priv.h"

/* ---- comparing ---- */

/* Index of the manual SA of that name in the configuration in force, or -1: the slot leads there. */
static int32_t manual_now(const struct reload_run *r, const struct config_manual_sa *next)
{
	const struct policy *p = &r->c->policy;
	uint32_t slot = next->out.tunnel_slot;
	int32_t i = slot < p->slot_count ? p->slots[slot].manual : -1;

	return i >= 0 && !strcmp(r->c->config->manual_sas[i].name, next->name) ? i : -1;
}

static bool keys_equal(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && secret_equal(a->data, b->data, a->len);
}

static bool specs_keys_equal(const struct sa_spec *a, const struct sa_spec *b)
{
	return keys_equal(&a->encr_key, &b->encr_key) && keys_equal(&a->integ_key, &b->integ_key);
}

enum change { CHANGE_NONE, CHANGE_ADDED, CHANGE_REPLACED };

static enum change manual_change(const struct reload_run *r, size_t i)
{
	const struct config *now = r->c->config;
	const struct config_manual_sa *next = &r->next->manual_sas[i];
	int32_t k = manual_now(r, next);

	if (k < 0)
		return CHANGE_ADDED;
	if (!r->c->policy.slots[next->out.tunnel_slot].missing &&
		config_item_equal(now, (size_t)k, r->next, i, "manual_sas") &&
		specs_keys_equal(&now->manual_sas[k].in, &next->in) &&
		specs_keys_equal(&now->manual_sas[k].out, &next->out))
		return CHANGE_NONE;
	return CHANGE_REPLACED;
}

/* Every manual SA in force whose slot the next policy does not give to the same one. */
static bool is_removed(const struct reload_run *r, size_t k)
{
	const struct config_manual_sa *now = &r->c->config->manual_sas[k];
	uint32_t slot = now->out.tunnel_slot;
	int32_t i = slot < r->policy.slot_count ? r->policy.slots[slot].manual : -1;

	return i < 0 || strcmp(r->next->manual_sas[i].name, now->name) != 0;
}

static bool neighbour_in(const struct config *c, const struct config_neighbour *n, bool *ret_same)
{
	for (size_t i = 0; i < c->neighbour_count; i++)
		if (addr_equal(&c->neighbours[i].addr, &n->addr) && c->neighbours[i].interface == n->interface) {
			*ret_same = !memcmp(c->neighbours[i].mac, n->mac, sizeof(n->mac));
			return true;
		}
	return false;
}

void reload_changes_count(struct reload_run *r)
{
	struct reload_report *to = &r->report;
	bool same;

	for (size_t i = 0; i < r->next->manual_sa_count; i++) {
		enum change change = manual_change(r, i);
		to->sas_added += change == CHANGE_ADDED;
		to->sas_replaced += change == CHANGE_REPLACED;
		to->sas_kept += change == CHANGE_NONE;
	}
	for (size_t k = 0; k < r->c->config->manual_sa_count; k++)
		to->sas_removed += is_removed(r, k);
	for (size_t i = 0; i < r->next->neighbour_count; i++)
		to->neighbours_added += !neighbour_in(r->c->config, &r->next->neighbours[i], &same) || !same;
	for (size_t i = 0; i < r->c->config->neighbour_count; i++)
		to->neighbours_removed += !neighbour_in(r->next, &r->c->config->neighbours[i], &same);
	to->rules = r->policy.rule_count;
	to->routes = r->next->route_count;
	to->workers = r->next->system.workers ? r->next->system.workers : datapath_worker_count(r->c->dp);
}

/* ---- taking over ---- */

static void failed(struct reload_run *r, const char *what, const char *name, const char *reason)
{
	snprintf(r->report.failed, sizeof(r->report.failed), "%s %s: %s", what, name, reason);
	log_line(LOG_ERROR, "reload: %s", r->report.failed);
}

static void neighbours_add(struct reload_run *r)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < r->next->neighbour_count; i++) {
		const struct config_neighbour *n = &r->next->neighbours[i];
		int rc = datapath_neighbour_add(r->c->dp, (uint16_t)n->interface, &n->addr, n->mac);
		if (rc)
			failed(r, "neighbour", addr_format(&n->addr, text), strerror(-rc));
	}
}

static void neighbours_remove(struct reload_run *r)
{
	const struct config *now = r->c->config;
	bool same;

	for (size_t i = 0; i < now->neighbour_count; i++)
		if (!neighbour_in(r->next, &now->neighbours[i], &same))
			datapath_neighbour_remove(
				r->c->dp, (uint16_t)now->neighbours[i].interface, &now->neighbours[i].addr);
}

/* The old pair of a replaced SA goes first where both receive on the same SPI, else behind the new one. */
static void manual_install(struct reload_run *r, const struct config_manual_sa *m, struct sa_pair *before)
{
	static const struct sa_owner nobody = { .tunnel = -1, .child = -1 };
	struct sa_registry *sas = &r->c->sas;
	const char *reason;

	if (before && before->in_view.spi == m->in.spi) {
		sa_pair_retire(sas, before);
		before = NULL;
	}
	if (sa_pair_install(sas, &nobody, &m->in, &m->out, true, &reason)) {
		failed(r, "manual SA", m->name, reason);
		r->policy.slots[m->out.tunnel_slot].missing = true;
		return;
	}
	if (before)
		sa_pair_retire(sas, before);
	log_line(LOG_NOTICE, "manual-sa-up %s spi-in %08x spi-out %08x", m->name, m->in.spi, m->out.spi);
}

/* Does a manual SA in force leave its inbound SPI to another one? */
static bool leaves_spi_to(const struct reload_run *r, size_t k, const struct config_manual_sa *next)
{
	const struct config_manual_sa *now = &r->c->config->manual_sas[k];

	return now->in.spi == next->in.spi && strcmp(now->name, next->name) != 0 &&
	       (is_removed(r, k) ||
		       manual_change(r, (size_t)r->policy.slots[now->out.tunnel_slot].manual) != CHANGE_NONE);
}

/* SAs that were renamed or changed SPIs with each other find theirs free. Before any is installed. */
static void spis_in_use_retire(struct reload_run *r)
{
	for (size_t i = 0; i < r->next->manual_sa_count; i++) {
		if (manual_change(r, i) == CHANGE_NONE)
			continue;
		for (size_t k = 0; k < r->c->config->manual_sa_count; k++) {
			struct sa_pair *pair = leaves_spi_to(r, k, &r->next->manual_sas[i])
						       ? sa_pair_of_slot(&r->c->sas,
								 r->c->config->manual_sas[k].out.tunnel_slot)
						       : NULL;
			if (pair)
				sa_pair_retire(&r->c->sas, pair);
		}
	}
}

static void manual_sas_install(struct reload_run *r)
{
	spis_in_use_retire(r);
	for (size_t i = 0; i < r->next->manual_sa_count; i++) {
		const struct config_manual_sa *m = &r->next->manual_sas[i];
		enum change change = manual_change(r, i);

		if (change != CHANGE_NONE)
			manual_install(r, m,
				change == CHANGE_REPLACED ? sa_pair_of_slot(&r->c->sas, m->out.tunnel_slot) : NULL);
	}
}

static void manual_sas_retire(struct reload_run *r)
{
	for (size_t k = 0; k < r->c->config->manual_sa_count; k++) {
		const struct config_manual_sa *m = &r->c->config->manual_sas[k];
		struct sa_pair *pair = is_removed(r, k) ? sa_pair_of_slot(&r->c->sas, m->out.tunnel_slot) : NULL;

		if (!pair)
			continue;
		sa_pair_retire(&r->c->sas, pair);
		log_line(LOG_NOTICE, "manual-sa-down %s: not configured any more", m->name);
	}
}

/* The engine goes on with the profiles it was given; they say the same. */
static void config_take_over(struct reload_run *r)
{
	struct control *c = r->c;
	struct config *before = c->config;
	struct tunnel_profile *tunnels = r->next->tunnels;

	r->next->tunnels = before->tunnels;
	before->tunnels = tunnels;
	c->config = r->next;
	policy_done(&c->policy);
	c->policy = r->policy;
	policy_rules_free(&c->policy);
	r->policy = (struct policy){ 0 };
	r->next = c->config_owned;
	c->config_owned = c->config;
	log_set_level(c->config->control.log_level);
}

void reload_take_over(struct reload_run *r)
{
	struct control *c = r->c;
	const struct config *now = c->config;

	own_addresses_add(c, r->next, now);
	neighbours_add(r);
	datapath_publish_routes(c->dp, r->prepared);
	sa_registry_repath(&c->sas);
	manual_sas_install(r);
	/* the policies in force still lead to SAs that are there */
	datapath_publish_policies(c->dp, r->prepared);
	manual_sas_retire(r);
	neighbours_remove(r);
	datapath_workers_set(c->dp, (uint16_t)r->report.workers);
	config_take_over(r);
	/* an address that goes still receives until its tunnels have another one */
	paths_changed(c);
	own_addresses_remove(c, c->config, now);
}
