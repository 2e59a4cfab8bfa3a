/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine is to this room: per combination of algorithms the size of its key context, how to fill it, and the
 * burst function that an SA is given once, when it is built. */
#pragma once

#include <assert.h>

#include "engine.h"
#include "ipsec.h"

/* Of every suite there is. */
#define IV_BYTES_MAX  16
#define ICV_BYTES_MAX 32

#define CRYPTO_SPARE_BYTES 15 /* every port's buffers have more than that behind the largest packet (datapath.c) */

/* One operation in place; a cache line. Nonce and AAD are copies, so that an AEAD never loads what was stored in
 * smaller pieces just before.
 *
 * AEAD:       text is encrypted, aad and text are authenticated (GMAC: aad, then text with the `before` bytes in front
 *             of it, in which the IV stands, and nothing is encrypted).
 * ESP:        text is encrypted; `before` bytes in front of it (SPI, sequence, IV) and text are authenticated, then
 *             `tail` bytes behind it (the high half of the sequence number).
 * AH:         nothing is encrypted; text (the whole packet, prepared by the caller) and `tail` bytes behind it are
 *             authenticated. `before` is 0.
 *
 * All of it is one piece of memory, and CRYPTO_SPARE_BYTES behind it can be read, though they are never written and do
 * not matter: AES-CMAC reads whole blocks (ipsec-mb 1.3 with AVX512). */
struct crypto_op {
	const void *key; /* the SA's key context; NULL afterwards: the engine failed, text is in no defined state */
	uint8_t *text;
	uint8_t *icv; /* the ICV is written here, in both directions: comparing is the caller's part */
	uint32_t len;
	uint8_t aad_bytes; /* AEAD: 8 or 12 */
	uint8_t before;
	uint8_t tail; /* 0 or 4 */
	uint8_t icv_bytes;
	uint8_t nonce[16]; /* AEAD: salt and IV; CTR: nonce and IV; GMAC as AH: salt and IV; CBC: the IV */
	uint8_t aad[16];   /* AEAD: SPI, sequence number (RFC 4106 5) */
};
static_assert(sizeof(struct crypto_op) == 64, "an operation is a cache line");

/* Worker: n operations, n >= 1, keys may differ, all SAs' suites have this function. Returns how many failed (an error
 * of the library, never one of the packet): their key is NULL then. */
typedef uint16_t crypto_burst(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n);

/* The algorithms of an SA with their keys as a specification has them: rows of the algorithm table, key then salt. */
struct crypto_keys {
	const struct alg *encr, *integ; /* encr is NULL for AH, integ for an AEAD */
	const uint8_t *encr_key, *integ_key;
	bool seal; /* outbound: encrypt, then authenticate */
};

struct crypto_suite {
	size_t context_bytes;
	/* Control: fills a zeroed context (64-byte aligned). manager: of the engine. 0 or -ENOMEM. */
	int (*key_init)(void *manager, const struct crypto_keys *keys, void *ret_context);
	void (*key_done)(void *context); /* may be NULL; the memory is wiped anyway */
	crypto_burst *seal, *open;
};

struct crypto_engine {
	void *(*manager_create)(void); /* per thread; NULL on failure */
	void (*manager_free)(void *manager);
	/* Offsets of the lines of an AES-GCM-128 context that a packet needs, for prefetching: the first
	 * CRYPTO_ROUND_LINES for every one, then as many as crypto_lines_needed says; at most CRYPTO_LINES. Longer keys
	 * have one line more of round keys. */
	size_t (*key_lines)(const void *manager, uint16_t *ret_offsets);
	/* The suite of a combination that sa_spec_check lets pass (NULL, integ: AH); NULL when the engine lacks it.
	 * Static. */
	const struct crypto_suite *(*suite_lookup)(const struct alg *encr, const struct alg *integ);
	/* Bytes nobody can predict, for IVs (RFC 3602 3): the thread of `manager`; len a multiple of 16. Never blocks;
	 * 0 or -EIO. */
	int (*random_fill)(void *manager, uint8_t *ret_bytes, size_t len);
	/* All functions of its suites: an SA knows the number of its own. */
	crypto_burst *const *bursts;
	uint8_t burst_count;
};

#define CRYPTO_ROUND_LINES 3
#define CRYPTO_LINE_TEXT   64
#define CRYPTO_LINES       16

/* How many of a key's lines a text of so many bytes needs. A hash power for each block, and in its line the first one
 * has room for two more. */
static inline uint32_t crypto_lines_needed(uint32_t len, uint32_t most)
{
	uint32_t lines = CRYPTO_ROUND_LINES + 1 + (len + CRYPTO_LINE_TEXT / 2 - 2) / CRYPTO_LINE_TEXT;

	return lines < most ? lines : most;
}
