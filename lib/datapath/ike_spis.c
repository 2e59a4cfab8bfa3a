/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of IKE SAs that are here; the look-up is in the header. An SPI is in one of the two lines it names, in the
 * emptier one: up to half full, with 28,000, both are hardly ever taken. */
#include <rte_malloc.h>

#include "ike_spis_priv.h"
#include "seed.h"
#include "stages_priv.h"

struct ike_spis *ike_spis_create(void)
{
	struct ike_spis *t = rte_malloc("ike_spis", sizeof(*t), RTE_CACHE_LINE_SIZE);

	if (!t)
		return NULL;
	/* every page now, and not one by one as SPIs come and go */
	memset(t, 0, sizeof(*t));
	t->seed = (uint32_t)seed_draw();
	return t;
}

void ike_spis_free(struct ike_spis *t)
{
	rte_free(t);
}

static uint32_t free_ways(const struct ike_spi_line *line)
{
	uint32_t n = 0;

	for (uint32_t way = 0; way < IKE_SPI_WAYS; way++)
		n += !atomic_load_explicit(&line->spis[way], memory_order_relaxed);
	return n;
}

static int insert(struct ike_spis *t, uint64_t spi, enum datapath_ike_sa state)
{
	struct ike_spi_line *first = &t->lines[ike_spi_line(t, spi, 0)], *second = &t->lines[ike_spi_line(t, spi, 1)];
	struct ike_spi_line *line = free_ways(second) > free_ways(first) ? second : first;
	uint32_t way = ike_spi_way(line, 0);

	if (way == IKE_SPI_WAYS)
		return -ENOSPC;
	atomic_store_explicit(&line->states[way], (uint8_t)state, memory_order_relaxed);
	/* release: pairs with ike_spi_way */
	atomic_store_explicit(&line->spis[way], spi, memory_order_release);
	return 0;
}

int ike_spis_set(struct ike_spis *t, uint64_t spi, enum datapath_ike_sa state)
{
	uint32_t place;

	if (ike_spis_lookup(t, spi, &place) == DATAPATH_IKE_NONE)
		return state == DATAPATH_IKE_NONE ? 0 : insert(t, spi, state);
	struct ike_spi_line *line = &t->lines[place / IKE_SPI_WAYS];
	uint32_t way = place % IKE_SPI_WAYS;
	if (state == DATAPATH_IKE_NONE)
		atomic_store_explicit(&line->spis[way], 0, memory_order_relaxed);
	else
		atomic_store_explicit(&line->states[way], (uint8_t)state, memory_order_relaxed);
	return 0;
}

int datapath_ike_sa_set(struct datapath *dp, uint64_t spi, enum datapath_ike_sa state)
{
	assert_control(dp);
	return ike_spis_set(dp->ike_spis, spi, state);
}
