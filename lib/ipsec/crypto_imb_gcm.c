/* SPDX-License-Identifier: BSD-3-Clause */
/* AES-GCM by the direct calls of intel-ipsec-mb: GCM has no lanes that the job interface could fill. Every ICV length,
 * and with the IV on the wire or implicit: that is in the operation. */
#include "crypto_imb_priv.h"

/* One function per direction and key size; IMB_... are the library's macros, which name the call in every version. */
#define GCM_BURST(name, call, key_bits)                                                                                \
	uint16_t name(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)                                       \
	{                                                                                                              \
		IMB_MGR *mgr = imb_of(w);                                                                              \
		struct gcm_context_data context;                                                                       \
                                                                                                                       \
		gcm_keys_begin(w, ops, n, key_bits);                                                                   \
		for (uint32_t i = 0; i < n; i++) {                                                                     \
			const struct crypto_op *op = &ops[i];                                                          \
			gcm_keys_ahead(w, ops, i, n, key_bits);                                                        \
			call(mgr, (const struct gcm_key_data *)op->key, &context, op->text, op->text, op->len,         \
				op->nonce, op->aad, op->aad_bytes, op->icv, op->icv_bytes);                            \
		}                                                                                                      \
		return 0;                                                                                              \
	}

#define GCM_INIT(name, call)                                                                                           \
	static int name(void *manager, const struct crypto_keys *keys, void *ret_context)                              \
	{                                                                                                              \
		call(((struct imb_manager *)manager)->mgr, keys->encr_key, (struct gcm_key_data *)ret_context);        \
		return 0;                                                                                              \
	}

GCM_INIT(gcm128_init, IMB_AES128_GCM_PRE)
GCM_BURST(imb_gcm128_seal, IMB_AES128_GCM_ENC, 128)
GCM_BURST(imb_gcm128_open, IMB_AES128_GCM_DEC, 128)
GCM_INIT(gcm192_init, IMB_AES192_GCM_PRE)
GCM_BURST(imb_gcm192_seal, IMB_AES192_GCM_ENC, 192)
GCM_BURST(imb_gcm192_open, IMB_AES192_GCM_DEC, 192)
GCM_INIT(gcm256_init, IMB_AES256_GCM_PRE)
GCM_BURST(imb_gcm256_seal, IMB_AES256_GCM_ENC, 256)
GCM_BURST(imb_gcm256_open, IMB_AES256_GCM_DEC, 256)

const struct crypto_suite *imb_gcm_suite(const struct alg *encr, const struct alg *integ)
{
	static const uint16_t ids[] = { ENCR_AES_GCM_8, ENCR_AES_GCM_12, ENCR_AES_GCM_16, ENCR_AES_GCM_16_IIV };
	static const struct crypto_suite suites[] = {
		{ sizeof(struct gcm_key_data), gcm128_init, NULL, imb_gcm128_seal, imb_gcm128_open },
		{ sizeof(struct gcm_key_data), gcm192_init, NULL, imb_gcm192_seal, imb_gcm192_open },
		{ sizeof(struct gcm_key_data), gcm256_init, NULL, imb_gcm256_seal, imb_gcm256_open },
	};

	for (size_t i = 0; encr && !integ && i < RTE_DIM(ids); i++)
		if (encr->id == ids[i])
			return &suites[encr->key_bytes / 8 - 2];
	return NULL;
}
