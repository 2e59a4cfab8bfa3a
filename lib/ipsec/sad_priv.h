/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of inbound SAs; embedded in struct ipsec. */
#pragma once

#include <rte_hash.h>
#include <stdatomic.h>

#include "ipsec.h"

#define SPI_SLOT_BITS 20
#define SPI_SLOT_MASK ((1u << SPI_SLOT_BITS) - 1)
#define FOREIGN_MAX   4096

struct sad_slot;

struct sad {
	/* W: control, R: workers. The SA's address with the generation in the 12 bits above it: a look-up compares the
	 * whole SPI without touching the SA, which can be prefetched then. User space ends below 2^52 on every CPU DPDK
	 * runs on. 0: empty. */
	_Atomic uint64_t *words;
	uint32_t slots;
	_Atomic uint32_t foreign_count;      /* W: control, R: workers: no hash look-up where there is nothing */
	struct rte_hash *foreign;            /* SPI (host order) -> SA */
	_Atomic uint8_t buckets[SA_BUCKETS]; /* W: control, R: workers */
	/* control only */
	struct sad_slot *states;
	uint32_t free_head[SA_BUCKETS], free_tail[SA_BUCKETS];
	uint32_t cursor; /* bucket to try next */
};

/* 0 or -ENOMEM. Buckets are spread over the workers. */
int sad_init(struct sad *sad, uint32_t slots, uint16_t workers);
/* Frees the SAs still published. */
void sad_done(struct sad *sad);
