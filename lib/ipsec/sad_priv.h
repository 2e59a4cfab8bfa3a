/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of inbound SAs; embedded in struct ipsec. */
#pragma once

#include <rte_hash.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "ipsec.h"
#include "sad_foreign_priv.h"

struct sad_slot;
TAILQ_HEAD(slot_list, sad_slot);

enum slot_state {
	SLOT_FREE,
	SLOT_LENT,  /* to a foreign SA, until it is wanted for an SPI of ours */
	SLOT_LISTS, /* above: slots of these are in lists, of each bucket one */
	SLOT_RESERVED = SLOT_LISTS,
	SLOT_USED,
	SLOT_RESTING, /* nobody is found there, but workers may still use an SA that was */
};

struct sad {
	_Atomic uint64_t *words; /* W: control, R: workers: inbound SAs (sa_word.h), found by the whole SPI */
	uint32_t slots;
	struct foreign foreign;
	_Atomic uint8_t buckets[SA_BUCKETS]; /* W: control, R: workers */
	/* control only */
	struct sad_slot *states;
	struct slot_list lists[SLOT_LISTS][SA_BUCKETS]; /* longest there first */
	uint32_t cursor;                                /* bucket to try next */
	struct rte_hash *foreign_spis;                  /* SPI (host order) -> how many foreign SAs have it */
};

/* 0 or -ENOMEM. Buckets are spread over the workers. */
int sad_init(struct sad *sad, uint32_t slots, uint16_t workers);
/* Frees the SAs still published. */
void sad_done(struct sad *sad);
