/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine on intel-ipsec-mb (1.3 to 2.0): managers, random bytes, and which file serves which algorithm. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "crypto_imb_priv.h"
#include "secret.h"

/* The key of random_fill: fresh for every manager, so that its nonces need not be. */
static bool random_init(struct imb_manager *m)
{
	uint8_t key[32];
	const struct crypto_keys keys = {
		.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CTR, 256), .encr_key = key, .seal = true
	};

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return false;
	imb_job_key_init(m, &keys, &m->random);
	secret_wipe(key, sizeof(key));
	return true;
}

static void manager_free(void *manager)
{
	struct imb_manager *m = (struct imb_manager *)manager;

	if (!m)
		return;
	if (m->mgr)
		free_mb_mgr(m->mgr);
	secret_wipe(m, sizeof(*m));
	free(m);
}

/* The library tests itself as it starts. */
static void *manager_create(void)
{
	struct imb_manager *m = (struct imb_manager *)aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*m));

	if (!m)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->mgr = alloc_mb_mgr(0);
	if (m->mgr)
		init_mb_mgr_auto(m->mgr, NULL);
	if (m->mgr && !imb_get_errno(m->mgr) && random_init(m))
		return m;
	manager_free(m);
	return NULL;
}

/* Of GCM and GMAC round keys are at the start. Where the hash powers are differs with what the library uses of
 * the CPU; the first power, which the last block of a packet needs, is always behind the others. As ipsec-mb 1.3 has
 * it: with another layout only these hints go astray. */
struct key_form {
	uint32_t least; /* IMB_ARCH */
	uint64_t features;
	uint16_t first_line; /* of powers, the one with the first power */
	uint16_t count;
	uint16_t more; /* lines behind that, which long packets need, too */
};

static const struct key_form key_forms[] = {
	/* 48 powers */
	{ IMB_ARCH_AVX512, IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ, (sizeof(struct gcm_key_data) - 1) & ~63u, 13, 0 },
	/* eight */
	{ IMB_ARCH_AVX2, 0, 320, 3, 0 },
	/* eight, and of each what Karatsuba's method adds */
	{ IMB_ARCH_NONE, 0, 320, 3, 2 },
};

static const struct key_form *key_form_of(const IMB_MGR *mgr)
{
	const struct key_form *f = key_forms;

	while (mgr->used_arch < f->least || (mgr->features & f->features) != f->features)
		f++;
	return f;
}

static size_t key_lines(const void *manager, uint16_t *ret_offsets)
{
	const struct key_form *form = key_form_of(((const struct imb_manager *)manager)->mgr);
	size_t n = 0;

	for (uint16_t line = 0; line < CRYPTO_ROUND_LINES; line++)
		ret_offsets[n++] = line * 64;
	for (uint16_t line = 0; line < form->count; line++)
		ret_offsets[n++] = form->first_line - line * 64;
	for (uint16_t line = 1; line <= form->more; line++)
		ret_offsets[n++] = form->first_line + line * 64;
	return n;
}

/* The first file that has it. */
static const struct crypto_suite *suite_lookup(const struct alg *encr, const struct alg *integ)
{
	const struct crypto_suite *s = imb_gcm_suite(encr, integ);

	if (!s)
		s = imb_gmac_suite(encr, integ);
	return s ? s : imb_jobs_suite(encr, integ);
}

/* The key stream of AES-256 in counter mode, of another nonce every time. */
static int random_fill(void *manager, uint8_t *ret_bytes, size_t len)
{
	struct imb_manager *m = (struct imb_manager *)manager;
	struct crypto_op op = { .key = &m->random, .text = ret_bytes, .len = (uint32_t)len };

	if (len > UINT16_MAX)
		return -EIO;
	memset(ret_bytes, 0, len);
	memcpy(op.nonce, &m->random_calls, sizeof(m->random_calls));
	m->random_calls++;
	return imb_jobs_run(m->mgr, &op, 1) ? -EIO : 0;
}

const struct crypto_engine *crypto_imb(void)
{
	static crypto_burst *const bursts[] = { imb_gcm128_seal, imb_gcm128_open, imb_gcm192_seal, imb_gcm192_open,
		imb_gcm256_seal, imb_gcm256_open, imb_gmac128, imb_gmac192, imb_gmac256, imb_jobs_aead, imb_jobs_chain,
		imb_jobs_single };
	static const struct crypto_engine engine = { manager_create, manager_free, key_lines, suite_lookup, random_fill,
		bursts, ARRAY_LEN(bursts) };

	return &engine;
}
