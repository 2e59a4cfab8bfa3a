/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine is to this room: per suite the size of its key context, how to fill it, and two burst functions that
 * an SA is given once, when it is built. */
#pragma once

#include <assert.h>

#include "engine.h"
#include "ipsec.h"

/* Of every suite there is. */
#define IV_BYTES  8
#define ICV_BYTES 16

/* One AEAD operation in place; a cache line. Nonce and AAD are copies, so that the engine never loads what was stored
 * in smaller pieces just before. */
struct crypto_op {
	const void *key; /* the SA's key context */
	uint8_t *text;
	uint8_t *icv; /* the ICV is written here, in both directions: comparing is the caller's part */
	uint32_t len;
	uint32_t aad_bytes;
	uint8_t nonce[16]; /* 12 used */
	uint8_t aad[16];   /* 8 or 12 used */
};
static_assert(sizeof(struct crypto_op) == 64, "an operation is a cache line");

/* Worker: n operations, n >= 1, keys may differ. Cannot fail. */
typedef void crypto_burst(struct ipsec_worker *w, const struct crypto_op *ops, uint16_t n);

struct crypto_suite {
	uint16_t encr, key_bits; /* as in the algorithm table */
	size_t context_bytes;
	/* Control: fills a zeroed context (64-byte aligned). manager: of the engine. 0 or -ENOMEM. */
	int (*key_init)(void *manager, const uint8_t *key, void *ret_context);
	void (*key_done)(void *context); /* may be NULL; the memory is wiped anyway */
	crypto_burst *seal, *open;
};

struct crypto_engine {
	void *(*manager_create)(void); /* per thread; NULL on failure */
	void (*manager_free)(void *manager);
	/* Offsets of the context's lines that a short packet needs, for prefetching; at most CRYPTO_LINES. */
	size_t (*key_lines)(const void *manager, uint16_t *ret_offsets);
	const struct crypto_suite *suites;
	size_t suite_count;
};

#define CRYPTO_LINES 8

/* NULL when the engine lacks the suite. */
const struct crypto_suite *crypto_suite_lookup(const struct crypto_engine *engine, const struct alg *encr);
