/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow cache's memory and replacement; the look-up is in the header. */
#include "flow_cache_priv.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>

#include "seed.h"

static uint32_t sets_of(uint32_t entries)
{
	return rte_align32pow2(RTE_MAX(entries / FLOW_WAYS, 1u));
}

int flow_cache_init(struct flow_cache *c, uint32_t entries)
{
	*c = (struct flow_cache){ .sets4 = sets_of(entries), .sets6 = sets_of(entries) };
	for (size_t i = 0; i < sizeof(c->seeds) / sizeof(c->seeds[0]); i++)
		c->seeds[i] = seed_draw();
	if (!entries)
		return 0;
	c->four = rte_zmalloc("flows4", (size_t)c->sets4 * FLOW_WAYS * sizeof(*c->four), RTE_CACHE_LINE_SIZE);
	c->six = rte_zmalloc("flows6", (size_t)c->sets6 * FLOW_WAYS * sizeof(*c->six), RTE_CACHE_LINE_SIZE);
	if (c->four && c->six)
		return 0;
	flow_cache_done(c);
	return -ENOMEM;
}

void flow_cache_done(struct flow_cache *c)
{
	rte_free(c->four);
	rte_free(c->six);
	c->four = NULL;
	c->six = NULL;
}

/* In the order in which places are filled: so that a key is never found twice. */
static struct flow_entry4 *place4(struct flow_cache *c, uint64_t hash, const struct flow_key4 *k, uint32_t epoch)
{
	for (unsigned choice = 0; choice < FLOW_CHOICES; choice++) {
		struct flow_entry4 *set = flow_set4(c, hash, choice);
		for (int i = 0; i < FLOW_WAYS; i++)
			if (set[i].epoch != epoch || !memcmp(&set[i].key, k, sizeof(*k)))
				return &set[i];
	}
	c->turn++;
	return &flow_set4(c, hash, c->turn / FLOW_WAYS % FLOW_CHOICES)[c->turn % FLOW_WAYS];
}

static struct flow_entry6 *place6(struct flow_cache *c, uint64_t hash, const struct flow_key6 *k, uint32_t epoch)
{
	for (unsigned choice = 0; choice < FLOW_CHOICES; choice++) {
		struct flow_entry6 *set = flow_set6(c, hash, choice);
		for (int i = 0; i < FLOW_WAYS; i++)
			if (set[i].epoch != epoch || !memcmp(&set[i].key, k, sizeof(*k)))
				return &set[i];
	}
	c->turn++;
	return &flow_set6(c, hash, c->turn / FLOW_WAYS % FLOW_CHOICES)[c->turn % FLOW_WAYS];
}

void flow_insert4(
	struct flow_cache *c, uint64_t hash, const struct flow_key4 *k, uint32_t epoch, const struct decision *d)
{
	*place4(c, hash, k, epoch) = (struct flow_entry4){ .key = *k, .epoch = epoch, .decision = *d };
}

void flow_insert6(
	struct flow_cache *c, uint64_t hash, const struct flow_key6 *k, uint32_t epoch, const struct decision *d)
{
	*place6(c, hash, k, epoch) = (struct flow_entry6){ .key = *k, .epoch = epoch, .decision = *d };
}

struct decision *flow_find4(struct flow_cache *c, const struct flow_key4 *k, uint32_t epoch)
{
	uint64_t hash = flow_key4_hash(c, k);

	for (unsigned choice = 0; choice < FLOW_CHOICES; choice++) {
		struct flow_entry4 *set = flow_set4(c, hash, choice);
		for (int i = 0; i < FLOW_WAYS; i++)
			if (set[i].epoch == epoch && !memcmp(&set[i].key, k, sizeof(*k)))
				return &set[i].decision;
	}
	return NULL;
}
