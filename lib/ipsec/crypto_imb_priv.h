/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the ipsec-mb engine share: the manager, the key context of jobs, and who serves what. */
#pragma once

#include <intel-ipsec-mb.h>

#include "ipsec_priv.h"

#define AES_SCHEDULE_BYTES (15 * 16) /* of the longest key */

/* Expanded key of a cipher; AES for the direction used. */
union imb_cipher_key {
	uint8_t aes[AES_SCHEDULE_BYTES];
	uint8_t chacha[32];
	struct {
		uint64_t schedules[3][IMB_DES_KEY_SCHED_SIZE / 8];
		const void *parts[3]; /* to them: what the library takes */
	} des3;
};

/* Expanded key of a hash. The library wants those of AES aligned. */
union imb_hash_key {
	uint8_t hmac[2 * IMB_SHA512_DIGEST_SIZE_IN_BYTES]; /* the inner state, then the outer one */
	struct {
		uint32_t k1[11 * 4];
		uint8_t k2[16], k3[16];
	} xcbc;
	struct {
		uint32_t schedule[11 * 4];
		uint8_t k1[16], k2[16];
	} cmac;
};

/* Key context of the suites that are jobs: all of the job that is the same for every packet. It points into itself and
 * must not be moved. */
struct imb_job_key {
	IMB_JOB job;
	uint8_t block_mask; /* the cipher's block size - 1 */
	uint8_t len_min;
	union imb_hash_key hash __rte_cache_aligned;
	union imb_cipher_key cipher __rte_cache_aligned;
};

/* Per thread. */
struct imb_manager {
	IMB_MGR *mgr;
	uint64_t random_calls;     /* nonce of the next key stream of random bytes */
	struct imb_job_key random; /* its key */
};

static inline IMB_MGR *imb_of(const struct ipsec_worker *w)
{
	return ((const struct imb_manager *)w->manager)->mgr;
}

#define GCM_AHEAD 4u /* operations: as long as memory takes for the lines of a key */

/* The lines of a key of GCM or GMAC that its packet reads: those of the round keys, and of its powers, of which four
 * are in a line, as many as the packet has blocks: what is fetched for nothing pushes out what is wanted. */
static inline void gcm_key_prefetch(const struct ipsec_worker *w, const struct crypto_op *op, uint16_t key_bits)
{
	const uint8_t *key = (const uint8_t *)op->key;
	uint32_t lines = crypto_lines_needed(op->len, w->key_line_count);

	for (uint32_t line = 0; line < CRYPTO_ROUND_LINES; line++)
		rte_prefetch0(key + line * RTE_CACHE_LINE_SIZE);
	if (key_bits > 128)
		rte_prefetch0(key + CRYPTO_ROUND_LINES * RTE_CACHE_LINE_SIZE);
	for (uint32_t line = CRYPTO_ROUND_LINES; line < lines; line++)
		rte_prefetch0(key + w->key_lines[line]);
}

static inline void gcm_keys_begin(
	const struct ipsec_worker *w, const struct crypto_op *ops, uint32_t n, uint16_t key_bits)
{
	const void *before = NULL;

	for (uint32_t i = 0; i < GCM_AHEAD && i < n; before = ops[i++].key)
		if (ops[i].key != before)
			gcm_key_prefetch(w, &ops[i], key_bits);
}

/* Before operation i is run: memory answers while it is, when nothing else is wanted of it, and so late that the first
 * level has room. */
static inline void gcm_keys_ahead(
	const struct ipsec_worker *w, const struct crypto_op *ops, uint32_t i, uint32_t n, uint16_t key_bits)
{
	if (i + GCM_AHEAD >= n)
		return;
	const struct crypto_op *op = &ops[i + GCM_AHEAD];
	if (unlikely(op->key != op[-1].key))
		gcm_key_prefetch(w, op, key_bits);
}

/* Whether both are jobs; NULL is. */
bool imb_job_known(const struct alg *encr, const struct alg *integ);
/* crypto_suite.key_init of jobs; without integ: a cipher alone. */
int imb_job_key_init(void *manager, const struct crypto_keys *keys, void *ret_context);
/* Operations other than AEADs; as crypto_burst. */
uint16_t imb_jobs_run(IMB_MGR *mgr, struct crypto_op *ops, uint16_t n);

/* crypto_imb_gcm.c, crypto_imb_gmac.c, crypto_imb_jobs.c: all there are. */
crypto_burst imb_gcm128_seal, imb_gcm128_open, imb_gcm192_seal, imb_gcm192_open, imb_gcm256_seal, imb_gcm256_open;
crypto_burst imb_gmac128, imb_gmac192, imb_gmac256;
crypto_burst imb_jobs_aead, imb_jobs_chain, imb_jobs_single;

/* The suite of an algorithm that the file has; NULL: it has not. */
const struct crypto_suite *imb_gcm_suite(const struct alg *encr, const struct alg *integ);
const struct crypto_suite *imb_gmac_suite(const struct alg *encr, const struct alg *integ);
const struct crypto_suite *imb_jobs_suite(const struct alg *encr, const struct alg *integ);
