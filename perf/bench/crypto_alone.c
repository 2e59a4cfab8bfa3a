/* SPDX-License-Identifier: BSD-3-Clause */
/* What intel-ipsec-mb alone costs a packet: 32 packets of one size that stay in the cache, one key, sealed over and
 * over; by the direct calls (GCM) or by its burst of jobs. No header, no I/O.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_eal.h>

#include "lab.h"

enum { BURST = 32, ROOM = 2048, HEAD = 64, AAD = 8, IV_MAX = 16, TRAILER = 2, WARM_UP_ROUNDS = 2000 };

struct packet {
	uint8_t bytes[ROOM];
} __rte_cache_aligned;

struct bench {
	IMB_MGR *mgr;
	struct gcm_key_data gcm __rte_aligned(64);
	uint32_t cbc_enc[4 * 15] __rte_aligned(16), cbc_dec[4 * 15] __rte_aligned(16);
	uint8_t ipad[64] __rte_aligned(16), opad[64] __rte_aligned(16);
	uint8_t key[LAB_KEY_BYTES_MAX], iv[IV_MAX], icv[BURST][64];
	struct packet packets[BURST];
	uint32_t len;
	const struct method *method;
};

/* One way to seal with one algorithm. */
struct method {
	const char *algorithm, *how;
	uint32_t block; /* text is padded to this */
	uint16_t key_bytes;
	void (*seal)(struct bench *b);
	void (*fill)(const struct bench *b, IMB_JOB *job); /* of a burst of jobs */
};

static uint8_t *text(struct bench *b, unsigned i)
{
	return b->packets[i].bytes + HEAD;
}

/* ---- direct ---- */

static void seal_gcm128(struct bench *b)
{
	struct gcm_context_data context;

	for (unsigned i = 0; i < BURST; i++)
		IMB_AES128_GCM_ENC(b->mgr, &b->gcm, &context, text(b, i), text(b, i), b->len, b->iv,
			b->packets[i].bytes, AAD, b->icv[i], 16);
}

static void seal_gcm256(struct bench *b)
{
	struct gcm_context_data context;

	for (unsigned i = 0; i < BURST; i++)
		IMB_AES256_GCM_ENC(b->mgr, &b->gcm, &context, text(b, i), text(b, i), b->len, b->iv,
			b->packets[i].bytes, AAD, b->icv[i], 16);
}

/* ---- jobs ---- */

static void fill_gcm(const struct bench *b, IMB_JOB *job)
{
	job->cipher_mode = IMB_CIPHER_GCM;
	job->hash_alg = IMB_AUTH_AES_GMAC;
	job->enc_keys = job->dec_keys = &b->gcm;
	job->iv_len_in_bytes = 12;
	job->auth_tag_output_len_in_bytes = 16;
	job->u.GCM.aad_len_in_bytes = AAD;
}

static void fill_chacha(const struct bench *b, IMB_JOB *job)
{
	job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->enc_keys = job->dec_keys = b->key;
	job->iv_len_in_bytes = 12;
	job->auth_tag_output_len_in_bytes = 16;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = AAD;
}

static void fill_cbc_sha256(const struct bench *b, IMB_JOB *job)
{
	job->cipher_mode = IMB_CIPHER_CBC;
	job->hash_alg = IMB_AUTH_HMAC_SHA_256;
	job->enc_keys = b->cbc_enc;
	job->dec_keys = b->cbc_dec;
	job->iv_len_in_bytes = IV_MAX;
	job->auth_tag_output_len_in_bytes = 16;
	job->u.HMAC._hashed_auth_key_xor_ipad = b->ipad;
	job->u.HMAC._hashed_auth_key_xor_opad = b->opad;
}

/* What is hashed: ESP header and IV in front of the text too, where the algorithm has no AAD. */
static void job_range(struct bench *b, IMB_JOB *job, unsigned i)
{
	uint32_t before = job->hash_alg == IMB_AUTH_HMAC_SHA_256 ? AAD + IV_MAX : 0;

	job->src = text(b, i) - before;
	job->dst = text(b, i);
	job->cipher_start_src_offset_in_bytes = before;
	job->msg_len_to_cipher_in_bytes = b->len;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = before + b->len;
	job->iv = b->iv;
	job->auth_tag_output = b->icv[i];
	if (job->cipher_mode == IMB_CIPHER_GCM)
		job->u.GCM.aad = b->packets[i].bytes;
	if (job->cipher_mode == IMB_CIPHER_CHACHA20_POLY1305)
		job->u.CHACHA20_POLY1305.aad = b->packets[i].bytes;
}

static void seal_jobs(struct bench *b)
{
	IMB_JOB *jobs[BURST];
	uint32_t done;

	if (IMB_GET_NEXT_BURST(b->mgr, BURST, jobs) != BURST)
		abort();
	for (unsigned i = 0; i < BURST; i++) {
		*jobs[i] = (IMB_JOB){ .cipher_direction = IMB_DIR_ENCRYPT, .chain_order = IMB_ORDER_CIPHER_HASH };
		jobs[i]->key_len_in_bytes = b->method->key_bytes;
		b->method->fill(b, jobs[i]);
		job_range(b, jobs[i], i);
	}
	done = IMB_SUBMIT_BURST_NOCHECK(b->mgr, BURST, jobs);
	while (done < BURST)
		done += IMB_FLUSH_BURST(b->mgr, BURST - done, jobs);
}

static const struct method methods[] = {
	{ "aes128gcm16", "direct", 4, 16, seal_gcm128, NULL },
	{ "aes256gcm16", "direct", 4, 32, seal_gcm256, NULL },
	{ "aes128gcm16", "burst", 4, 16, seal_jobs, fill_gcm },
	{ "aes256gcm16", "burst", 4, 32, seal_jobs, fill_gcm },
	{ "chacha20poly1305", "burst", 4, 32, seal_jobs, fill_chacha },
	{ "aes128-sha256", "burst", 16, 16, seal_jobs, fill_cbc_sha256 },
};

/* ---- set-up ---- */

static void hmac_half(const struct bench *b, uint8_t pad, uint8_t *ret_state)
{
	uint8_t block[IMB_SHA_256_BLOCK_SIZE];

	memset(block, pad, sizeof(block));
	for (unsigned i = 0; i < sizeof(b->key); i++)
		block[i] ^= b->key[i];
	IMB_SHA256_ONE_BLOCK(b->mgr, block, ret_state);
}

static void keys_init(struct bench *b)
{
	lab_key(0, b->key);
	if (b->method->key_bytes == 16)
		IMB_AES128_GCM_PRE(b->mgr, b->key, &b->gcm);
	else
		IMB_AES256_GCM_PRE(b->mgr, b->key, &b->gcm);
	IMB_AES_KEYEXP_128(b->mgr, b->key, b->cbc_enc, b->cbc_dec);
	hmac_half(b, 0x36, b->ipad);
	hmac_half(b, 0x5c, b->opad);
}

static const struct method *method_lookup(const char *algorithm, const char *how)
{
	for (size_t i = 0; i < RTE_DIM(methods); i++)
		if (!strcmp(methods[i].algorithm, algorithm) && !strcmp(methods[i].how, how))
			return &methods[i];
	return NULL;
}

/* Says the packets and cycles of a window. */
static void window(struct bench *b, const char *before)
{
	uint64_t start = rte_rdtsc(), end = start + rte_get_tsc_hz() * LAB_WINDOW_MS / 1000, packets = 0;

	for (; rte_rdtsc() < end; packets += BURST)
		b->method->seal(b);
	printf("%s[%" PRIu64 ", %" PRIu64 "]", before, packets, rte_rdtsc() - start);
}

static void windows(struct bench *b, double seconds)
{
	printf("{\"windows\": [");
	for (unsigned i = 0; i < lab_windows(seconds); i++)
		window(b, i ? ", " : "");
	printf("]}\n");
}

/* For those who want to know whether this core is their own: a window for each line that comes. */
static void windows_asked_for(struct bench *b)
{
	while (getchar() != EOF) {
		window(b, "");
		printf("\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static struct bench b;
	int used = rte_eal_init(argc, argv);

	argv += used;
	if (used < 0 || argc - used != 5 || !(b.method = method_lookup(argv[1], argv[2]))) {
		fprintf(stderr, "usage: crypto_alone EAL-ARGUMENTS -- ALGORITHM direct|burst INNER_BYTES SECONDS\n"
				"0 seconds: a window for each line of input\n");
		return 2;
	}
	b.len = RTE_ALIGN_CEIL((uint32_t)atoi(argv[3]) + TRAILER, b.method->block);
	if (b.len > ROOM - HEAD)
		return 2;
	b.mgr = alloc_mb_mgr(0);
	init_mb_mgr_auto(b.mgr, NULL);
	keys_init(&b);
	for (unsigned i = 0; i < WARM_UP_ROUNDS; i++)
		b.method->seal(&b);
	if (strtod(argv[4], NULL) > 0)
		windows(&b, strtod(argv[4], NULL));
	else
		windows_asked_for(&b);
	free_mb_mgr(b.mgr);
	rte_eal_cleanup();
	return 0;
}
