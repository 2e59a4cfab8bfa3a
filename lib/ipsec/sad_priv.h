/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of inbound SAs; embedded in struct ipsec. */
#pragma once

#include <rte_hash.h>
#include <stdatomic.h>

#include "ipsec.h"
#include "sad_foreign_priv.h"

struct sad_slot;

struct sad {
	_Atomic uint64_t *words; /* W: control, R: workers: inbound SAs (sa_word.h), found by the whole SPI */
	uint32_t slots;
	struct foreign foreign;
	_Atomic uint8_t buckets[SA_BUCKETS]; /* W: control, R: workers */
	/* control only */
	struct sad_slot *states;
	uint32_t free_head[SA_BUCKETS], free_tail[SA_BUCKETS];
	uint32_t cursor;               /* bucket to try next */
	struct rte_hash *foreign_spis; /* SPI (host order) -> how many foreign SAs have it */
};

/* 0 or -ENOMEM. Buckets are spread over the workers. */
int sad_init(struct sad *sad, uint32_t slots, uint16_t workers);
/* Frees the SAs still published. */
void sad_done(struct sad *sad);
