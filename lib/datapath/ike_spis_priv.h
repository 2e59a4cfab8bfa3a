/* SPDX-License-Identifier: BSD-3-Clause */
/* The IKE SAs that are here, by our SPI of each: what a message is about decides about its ring to control and its
 * share, not where it says it comes from. Control writes, workers look up without locks: a line of memory or two. */
#pragma once

#include <rte_branch_prediction.h>
#include <rte_jhash.h>
#include <stdatomic.h>

#include "datapath.h"

#define IKE_SPI_WAYS   7
#define IKE_SPI_LINES  8192
#define IKE_SPI_PLACES (IKE_SPI_LINES * IKE_SPI_WAYS)

/* W: control, R: workers. An SPI goes before its place is taken by another, which a worker that looks at both may see
 * in the state of the first: one message in the wrong ring. */
struct ike_spi_line {
	_Atomic uint64_t spis[IKE_SPI_WAYS]; /* 0: none */
	_Atomic uint8_t states[8];           /* enum datapath_ike_sa; the last is not used */
} __rte_cache_aligned;
static_assert(sizeof(struct ike_spi_line) == 64, "a look-up is a cache line");

struct ike_spis {
	uint32_t seed; /* so that no peer can choose those that share its lines */
	struct ike_spi_line lines[IKE_SPI_LINES];
};

/* NULL without memory. */
struct ike_spis *ike_spis_create(void);
void ike_spis_free(struct ike_spis *t);
/* Control. 0 or -ENOSPC; DATAPATH_IKE_NONE takes it out. */
int ike_spis_set(struct ike_spis *t, uint64_t spi, enum datapath_ike_sa state);

static inline uint32_t ike_spi_line(const struct ike_spis *t, uint64_t spi, uint32_t turn)
{
	return rte_jhash_2words((uint32_t)spi, (uint32_t)(spi >> 32), t->seed + turn) % IKE_SPI_LINES;
}

/* The way of an SPI in a line, or IKE_SPI_WAYS. */
static inline uint32_t ike_spi_way(const struct ike_spi_line *line, uint64_t spi)
{
	uint32_t way = 0;

	/* acquire: pairs with ike_spis_set; the state is there before the SPI */
	while (way < IKE_SPI_WAYS && atomic_load_explicit(&line->spis[way], memory_order_acquire) != spi)
		way++;
	return way;
}

/* Any thread. The state of an IKE SA and the place of its SPI; the place is not set when there is none. */
static inline enum datapath_ike_sa ike_spis_lookup(const struct ike_spis *t, uint64_t spi, uint32_t *ret_place)
{
	for (uint32_t turn = 0; likely(spi) && turn < 2; turn++) {
		uint32_t line = ike_spi_line(t, spi, turn), way = ike_spi_way(&t->lines[line], spi);
		if (way == IKE_SPI_WAYS)
			continue;
		*ret_place = line * IKE_SPI_WAYS + way;
		return (enum datapath_ike_sa)atomic_load_explicit(&t->lines[line].states[way], memory_order_relaxed);
	}
	return DATAPATH_IKE_NONE;
}
