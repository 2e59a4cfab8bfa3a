/* SPDX-License-Identifier: BSD-3-Clause */
/* Sharing things out among workers. Pure: who should own what, not how it changes hands. */
#include "assignment_priv.h"

/* How many of `count` things worker w should own. */
static size_t quota(size_t count, uint16_t active, uint16_t first, uint16_t w)
{
	uint16_t turn = (uint16_t)((w + active - first % active) % active);

	return count / active + (turn < count % active);
}

/* Owners within their share keep what they have; the rest is nobody's. */
static void surplus_take(uint8_t *owners, size_t count, uint16_t active, uint16_t first, size_t *held)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t w = owners[i];
		if (w < active && held[w] < quota(count, active, first, w))
			held[w]++;
		else
			owners[i] = WORKER_NONE;
	}
}

void owners_balance(uint8_t *owners, size_t count, uint16_t active, uint16_t first)
{
	size_t held[IPSEC_WORKERS_MAX] = { 0 };
	uint16_t w = first % active;

	surplus_take(owners, count, active, first, held);
	for (size_t i = 0; i < count; i++) {
		if (owners[i] != WORKER_NONE)
			continue;
		while (held[w] >= quota(count, active, first, w))
			w = (uint16_t)((w + 1) % active);
		owners[i] = (uint8_t)w;
		held[w]++;
		w = (uint16_t)((w + 1) % active);
	}
}
