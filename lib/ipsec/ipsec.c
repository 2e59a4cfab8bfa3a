/* SPDX-License-Identifier: BSD-3-Clause */
/* The object that holds all tables: made before the workers, freed after them. */
#include "ipsec_priv.h"

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdlib.h>

#include "sa_priv.h"
#include "sa_word.h"

static const char *config_fault(const struct ipsec_config *c)
{
	if (!c->workers || c->workers > IPSEC_WORKERS_MAX)
		return "number of workers out of range";
	if (!rte_is_power_of_2(c->sad_slots) || c->sad_slots > SLOT_INDEX_MASK + 1)
		return "number of SAD slots is not a power of two up to 2^20";
	if (!c->tunnel_slots)
		return "no tunnel slots";
	/* the last index stays free: UINT32_MAX names no slot */
	if ((uint64_t)c->tunnel_slots + c->child_slots > SLOT_INDEX_MASK)
		return "more than 2^20 - 1 slots of tunnels and children";
	return NULL;
}

static const char *tables_init(struct ipsec *ips)
{
	ips->engine = crypto_imb();
	ips->manager = ips->engine->manager_create();
	if (!ips->manager)
		return "no memory for the crypto manager";
	if (reclaim_init(&ips->reclaim, ips->config.workers))
		return "no memory for the grace period's queue";
	if (sad_init(&ips->sad, ips->config.sad_slots, ips->config.workers))
		return "no memory for the SAD";
	if (children_init(ips))
		return "no memory for the tunnels' children";
	ips->tunnels = (_Atomic uint64_t *)rte_zmalloc(NULL, ips->slots * sizeof(ips->tunnels[0]), RTE_CACHE_LINE_SIZE);
	ips->numbers = (uint16_t *)calloc(ips->slots, sizeof(ips->numbers[0]));
	return ips->tunnels && ips->numbers ? NULL : "no memory for tunnel slots";
}

struct ipsec *ipsec_create(const struct ipsec_config *config, const char **ret_reason)
{
	struct ipsec *ips;

	*ret_reason = config_fault(config);
	if (*ret_reason)
		return NULL;
	ips = (struct ipsec *)rte_zmalloc(NULL, sizeof(*ips), RTE_CACHE_LINE_SIZE);
	if (!ips) {
		*ret_reason = "no memory";
		return NULL;
	}
	ips->config = *config;
	ips->slots = config->tunnel_slots + config->child_slots;
	for (int i = 0; i < IPSEC_WORKERS_MAX; i++)
		atomic_init(&ips->worker_socket[i], SOCKET_ID_ANY);
	*ret_reason = tables_init(ips);
	if (*ret_reason) {
		ipsec_free(ips);
		return NULL;
	}
	return ips;
}

void ipsec_free(struct ipsec *ips)
{
	if (!ips)
		return;
	/* deferred objects first: they give their slots back */
	reclaim_done(&ips->reclaim, ips->config.workers);
	sad_done(&ips->sad);
	for (uint32_t i = 0; ips->tunnels && i < ips->slots; i++)
		sa_free(sa_word_sa(atomic_load_explicit(&ips->tunnels[i], memory_order_relaxed)));
	rte_free((void *)ips->tunnels);
	free(ips->numbers);
	children_done(ips);
	if (ips->manager)
		ips->engine->manager_free(ips->manager);
	rte_free(ips);
}

int ipsec_engine_set(struct ipsec *ips, const struct crypto_engine *engine)
{
	void *manager = engine->manager_create();

	if (!manager)
		return -ENOMEM;
	ips->engine->manager_free(ips->manager);
	ips->engine = engine;
	ips->manager = manager;
	return 0;
}
