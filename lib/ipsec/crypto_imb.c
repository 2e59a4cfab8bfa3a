/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine on intel-ipsec-mb's direct GCM calls (1.3 to 2.0). One direct call per packet: GCM has no lanes that the
 * job interface could fill. */
#include "crypto_priv.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <sys/random.h>

#include "ipsec_priv.h"

/* One function per direction and key size; IMB_... are the library's macros, which name the call in every version. */
#define GCM_BURST(name, call)                                                                                          \
	static uint16_t name(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)                                \
	{                                                                                                              \
		IMB_MGR *mgr = (IMB_MGR *)w->manager;                                                                  \
		struct gcm_context_data context;                                                                       \
                                                                                                                       \
		for (const struct crypto_op *op = ops; op < ops + n; op++)                                             \
			call(mgr, (const struct gcm_key_data *)op->key, &context, op->text, op->text, op->len,         \
				op->nonce, op->aad, op->aad_bytes, op->icv, op->icv_bytes);                            \
		return 0;                                                                                              \
	}

GCM_BURST(gcm128_seal, IMB_AES128_GCM_ENC)
GCM_BURST(gcm128_open, IMB_AES128_GCM_DEC)
GCM_BURST(gcm256_seal, IMB_AES256_GCM_ENC)
GCM_BURST(gcm256_open, IMB_AES256_GCM_DEC)

static int gcm128_init(void *manager, const struct crypto_keys *keys, void *ret_context)
{
	IMB_AES128_GCM_PRE((IMB_MGR *)manager, keys->encr_key, (struct gcm_key_data *)ret_context);
	return 0;
}

static int gcm256_init(void *manager, const struct crypto_keys *keys, void *ret_context)
{
	IMB_AES256_GCM_PRE((IMB_MGR *)manager, keys->encr_key, (struct gcm_key_data *)ret_context);
	return 0;
}

static void *manager_create(void)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);

	if (mgr)
		init_mb_mgr_auto(mgr, NULL);
	return mgr;
}

static void manager_free(void *manager)
{
	if (manager)
		free_mb_mgr((IMB_MGR *)manager);
}

/* Round keys are at the start. The hash powers that a short packet needs (1 to 8) follow them at once, but where the
 * 48-power form for VAES is in use they are at the very end. */
static size_t key_lines(const void *manager, uint16_t *ret_offsets)
{
	const IMB_MGR *mgr = (const IMB_MGR *)manager;
	const uint64_t vaes = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
	bool powers_last = mgr->used_arch == IMB_ARCH_AVX512 && (mgr->features & vaes) == vaes;
	uint16_t end = (uint16_t)(sizeof(struct gcm_key_data) - 1) & ~63u;
	size_t n = 0;

	for (uint16_t line = 0; line < 4; line++)
		ret_offsets[n++] = line * 64;
	for (uint16_t line = 0; line < 3; line++)
		ret_offsets[n++] = powers_last ? end - line * 64 : 256 + line * 64;
	return n;
}

static const struct crypto_suite *suite_lookup(const struct alg *encr, const struct alg *integ)
{
	static const struct crypto_suite gcm128 = { sizeof(struct gcm_key_data), gcm128_init, NULL, gcm128_seal,
		gcm128_open };
	static const struct crypto_suite gcm256 = { sizeof(struct gcm_key_data), gcm256_init, NULL, gcm256_seal,
		gcm256_open };

	if (!encr || integ || encr->id != ENCR_AES_GCM_16 || encr->key_bits == 192)
		return NULL;
	return encr->key_bits == 128 ? &gcm128 : &gcm256;
}

static int random_fill(void *manager, uint8_t *ret_bytes, size_t len)
{
	(void)manager;
	return getrandom(ret_bytes, len, GRND_NONBLOCK) == (ssize_t)len ? 0 : -EIO;
}

const struct crypto_engine *crypto_imb(void)
{
	static const struct crypto_engine engine = { manager_create, manager_free, key_lines, suite_lookup,
		random_fill };

	return &engine;
}
