/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine on intel-ipsec-mb's direct GCM calls (1.3 to 2.0). One direct call per packet: GCM has no lanes that the
 * job interface could fill. */
#include "crypto_priv.h"

#include <intel-ipsec-mb.h>

#include "ipsec_priv.h"

/* One function per direction and key size; IMB_... are the library's macros, which name the call in every version. */
#define GCM_BURST(name, call)                                                                                          \
	static void name(struct ipsec_worker *w, const struct crypto_op *ops, uint16_t n)                              \
	{                                                                                                              \
		IMB_MGR *mgr = (IMB_MGR *)w->manager;                                                                  \
		struct gcm_context_data context;                                                                       \
                                                                                                                       \
		for (const struct crypto_op *op = ops; op < ops + n; op++)                                             \
			call(mgr, (const struct gcm_key_data *)op->key, &context, op->text, op->text, op->len,         \
				op->nonce, op->aad, op->aad_bytes, op->icv, ICV_BYTES);                                \
	}

GCM_BURST(gcm128_seal, IMB_AES128_GCM_ENC)
GCM_BURST(gcm128_open, IMB_AES128_GCM_DEC)
GCM_BURST(gcm256_seal, IMB_AES256_GCM_ENC)
GCM_BURST(gcm256_open, IMB_AES256_GCM_DEC)

static int gcm128_init(void *manager, const uint8_t *key, void *ret_context)
{
	IMB_AES128_GCM_PRE((IMB_MGR *)manager, key, (struct gcm_key_data *)ret_context);
	return 0;
}

static int gcm256_init(void *manager, const uint8_t *key, void *ret_context)
{
	IMB_AES256_GCM_PRE((IMB_MGR *)manager, key, (struct gcm_key_data *)ret_context);
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

static const struct crypto_suite suites[] = {
	{ ENCR_AES_GCM_16, 128, sizeof(struct gcm_key_data), gcm128_init, NULL, gcm128_seal, gcm128_open },
	{ ENCR_AES_GCM_16, 256, sizeof(struct gcm_key_data), gcm256_init, NULL, gcm256_seal, gcm256_open },
};

const struct crypto_engine *crypto_imb(void)
{
	static const struct crypto_engine engine = { manager_create, manager_free, key_lines, suites,
		ARRAY_LEN(suites) };

	return &engine;
}

const struct crypto_suite *crypto_suite_lookup(const struct crypto_engine *engine, const struct alg *encr)
{
	for (size_t i = 0; i < engine->suite_count; i++)
		if (engine->suites[i].encr == encr->id && engine->suites[i].key_bits == encr->key_bits)
			return &engine->suites[i];
	return NULL;
}
