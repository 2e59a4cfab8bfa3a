/* SPDX-License-Identifier: BSD-3-Clause */
/* The suites that are jobs of intel-ipsec-mb: CCM, ChaCha20-Poly1305, every cipher with a hash, and a hash alone. A
 * burst goes in whole, whatever keys and algorithms are in it, and so fills the lanes of the multi-buffer hashes and
 * ciphers across SAs; then all of it is flushed.
 *
 * The library's own checks cost 30 cycles a packet (1.3, AES-CBC-128 with SHA-256, 64 bytes: 390 against 359) and
 * refuse a burst as a whole, so jobs are submitted unchecked: what can be wrong about one packet is only its length. */
#include <rte_prefetch.h>

#include "crypto_imb_priv.h"

static_assert(IPSEC_BURST <= IMB_MAX_BURST_SIZE, "a burst is one submission");

#define JOB_BYTES_MAX 65534 /* lanes count in 16 bits */

/* With AVX512 the lanes of 3DES write to each other's packets (intel-ipsec-mb issue 169). */
#define DES3_LANES_BROKEN (IMB_VERSION_NUM > IMB_VERSION(1, 3, 0) && IMB_VERSION_NUM <= IMB_VERSION(2, 0, 0))

#define AHEAD 4 /* operations: as long as memory takes for the lines of a key */

/* The job and the expanded keys. */
static inline void key_prefetch(const struct imb_job_key *k)
{
	for (size_t at = 0; at < offsetof(struct imb_job_key, hash) + 2 * RTE_CACHE_LINE_SIZE;
		at += RTE_CACHE_LINE_SIZE)
		rte_prefetch0((const uint8_t *)k + at);
	for (size_t line = 0; line < 3; line++)
		rte_prefetch0((const uint8_t *)&k->cipher + line * RTE_CACHE_LINE_SIZE);
}

/* Of the operations from `from` on up to `until`: each key once. */
static inline void keys_prefetch(const struct crypto_op *ops, uint32_t from, uint32_t until)
{
	for (uint32_t i = from; i < until; i++)
		if (!i || ops[i].key != ops[i - 1].key)
			key_prefetch((const struct imb_job_key *)ops[i].key);
}

/* What the library would refuse, or worse, run wild on. */
static inline bool job_fits(const struct imb_job_key *k, const struct crypto_op *op)
{
	return !(op->len & k->block_mask) & (op->len >= k->len_min) &
	       ((uint64_t)op->before + op->len + op->tail <= JOB_BYTES_MAX);
}

static inline void job_fill(IMB_JOB *job, struct crypto_op *op)
{
	*job = ((const struct imb_job_key *)op->key)->job;
	job->dst = op->text;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->iv = op->nonce;
	job->auth_tag_output = op->icv;
	job->user_data = op;
	job->user_data2 = (void *)(uintptr_t)op->key;
	/* failed until the library says otherwise */
	op->key = NULL;
}

static inline void chain_fill(IMB_JOB *job, struct crypto_op *op)
{
	job_fill(job, op);
	job->src = op->text - op->before;
	job->cipher_start_src_offset_in_bytes = op->before;
	job->msg_len_to_hash_in_bytes = op->before + op->len + op->tail;
}

static inline void aead_fill(IMB_JOB *job, struct crypto_op *op)
{
	job_fill(job, op);
	job->src = op->text;
	job->msg_len_to_hash_in_bytes = op->len;
	/* where ChaCha20-Poly1305 has them, too */
	job->u.CCM.aad = op->aad;
	job->u.CCM.aad_len_in_bytes = op->aad_bytes;
}
static_assert(
	offsetof(IMB_JOB, u.CCM.aad) == offsetof(IMB_JOB, u.CHACHA20_POLY1305.aad) &&
		offsetof(IMB_JOB, u.CCM.aad_len_in_bytes) == offsetof(IMB_JOB, u.CHACHA20_POLY1305.aad_len_in_bytes),
	"one AAD for both");

/* How many are done. */
static inline uint16_t jobs_collect(IMB_JOB *const *jobs, uint32_t n)
{
	uint16_t good = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (unlikely(jobs[i]->status != IMB_STATUS_COMPLETED))
			continue;
		((struct crypto_op *)jobs[i]->user_data)->key = jobs[i]->user_data2;
		good++;
	}
	return good;
}

/* Submits m jobs and waits for all of them. */
static inline uint16_t jobs_finish(IMB_MGR *mgr, IMB_JOB **jobs, uint32_t m)
{
	uint32_t done = IMB_SUBMIT_BURST_NOCHECK(mgr, m, jobs);
	uint16_t good = jobs_collect(jobs, done);

	if (done < m)
		good += jobs_collect(jobs, IMB_FLUSH_BURST(mgr, m - done, jobs));
	return good;
}

static __rte_always_inline uint16_t burst_run(
	IMB_MGR *mgr, struct crypto_op *ops, uint16_t n, void (*fill)(IMB_JOB *job, struct crypto_op *op))
{
	IMB_JOB *jobs[IPSEC_BURST];
	uint32_t got, m = 0;

	keys_prefetch(ops, 0, RTE_MIN(n, (uint16_t)AHEAD));
	got = IMB_GET_NEXT_BURST(mgr, n, jobs);
	for (uint16_t i = 0; i < n; i++) {
		const uint32_t ahead = (uint32_t)i + AHEAD;
		keys_prefetch(ops, ahead, RTE_MIN(ahead + 1, (uint32_t)n));
		if (likely(m < got && job_fits((const struct imb_job_key *)ops[i].key, &ops[i])))
			fill(jobs[m++], &ops[i]);
		else
			ops[i].key = NULL;
	}
	/* the library does not take 0 jobs well */
	return m ? n - jobs_finish(mgr, jobs, m) : n;
}

uint16_t imb_jobs_run(IMB_MGR *mgr, struct crypto_op *ops, uint16_t n)
{
	return burst_run(mgr, ops, n, chain_fill);
}

/* The direction is in the key. */
uint16_t imb_jobs_chain(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)
{
	return imb_jobs_run(imb_of(w), ops, n);
}

/* Keeps every lane but one empty. */
uint16_t imb_jobs_single(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)
{
	uint16_t failed = 0;

	for (uint16_t i = 0; i < n; i++)
		failed += imb_jobs_chain(w, &ops[i], 1);
	return failed;
}

uint16_t imb_jobs_aead(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)
{
	return burst_run(imb_of(w), ops, n, aead_fill);
}

static const struct crypto_suite aead = { sizeof(struct imb_job_key), imb_job_key_init, NULL, imb_jobs_aead,
	imb_jobs_aead };
static const struct crypto_suite chain = { sizeof(struct imb_job_key), imb_job_key_init, NULL, imb_jobs_chain,
	imb_jobs_chain };
static const struct crypto_suite single = { sizeof(struct imb_job_key), imb_job_key_init, NULL, imb_jobs_single,
	imb_jobs_single };

const struct crypto_suite *imb_jobs_suite(const struct alg *encr, const struct alg *integ)
{
	if (!imb_job_known(encr, integ))
		return NULL;
	if (DES3_LANES_BROKEN && encr && encr->id == ENCR_3DES)
		return &single;
	return encr && encr->flags & ALG_AEAD ? &aead : &chain;
}
