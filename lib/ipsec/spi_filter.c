/* SPDX-License-Identifier: BSD-3-Clause */
/* Which outbound SPIs there may be: a count for each hash of one. ICMP errors that quote an SPI nobody has end at the
 * worker, so that a flood of them leaves control free for a true one. SPIs are the peers' random numbers: one of 65,536
 * invented ones passes for every SA that there is, and meets the full comparison behind it. */
#include "ipsec_priv.h"

static inline uint32_t cell_of(uint32_t spi)
{
	static_assert(SPI_FILTER_CELLS == 1 << 16, "bits of the hash");
	return (spi * 0x9e3779b1u) >> 16;
}

/* Control is the only writer: a load and a store. */
static void cell_change(struct ipsec *ips, uint32_t spi, uint32_t by)
{
	_Atomic uint32_t *cell = &ips->spi_out[cell_of(spi)];

	atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + by, memory_order_relaxed);
}

void spi_filter_add(struct ipsec *ips, uint32_t spi)
{
	cell_change(ips, spi, 1);
}

void spi_filter_remove(struct ipsec *ips, uint32_t spi)
{
	cell_change(ips, spi, UINT32_MAX);
}

bool spi_filter_has(const struct ipsec *ips, uint32_t spi)
{
	return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)&ips->spi_out[cell_of(spi)], memory_order_relaxed);
}
