/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of inbound SAs; embedded in struct ipsec. */
#pragma once

#include <rte_hash.h>
#include <stdatomic.h>

#include "ipsec.h"

#define FOREIGN_MAX 65536 /* as many as there can be manual SAs */

struct sad_slot;

/* What identifies an inbound SA whose SPI we did not choose (RFC 4301 4.1). Without holes: it is hashed and compared as
 * memory. */
struct foreign_key {
	uint8_t destination[16];  /* one of our addresses; IPv4 in the first four bytes */
	uint32_t spi;             /* host order */
	uint16_t table_id;        /* 0 */
	uint8_t family, protocol; /* enum security_protocol */
};
static_assert(sizeof(struct foreign_key) == 24, "no holes");

struct sad {
	_Atomic uint64_t *words; /* W: control, R: workers: inbound SAs (sa_word.h), found by the whole SPI */
	uint32_t slots;
	_Atomic uint32_t foreign_count;      /* W: control, R: workers: no hash look-up where there is nothing */
	struct rte_hash *foreign;            /* struct foreign_key -> SA */
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
