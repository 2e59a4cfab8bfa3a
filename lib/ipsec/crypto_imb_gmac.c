/* SPDX-License-Identifier: BSD-3-Clause */
/* AES-GMAC by the direct calls of intel-ipsec-mb: ESP that only authenticates (RFC 4543 3) and AH. Both directions are
 * the same computation. */
#include "crypto_imb_priv.h"

#define NONCE_BYTES 12

/* Per key size: the expansion, and the ICV over the AAD (SPI and sequence number; AH has none), then the text with what
 * stands around it. */
#define GMAC(bits)                                                                                                     \
	static int gmac##bits##_init(void *manager, const struct crypto_keys *keys, void *ret_context)                 \
	{                                                                                                              \
		IMB_MGR *mgr = ((struct imb_manager *)manager)->mgr;                                                   \
                                                                                                                       \
		IMB_AES##bits##_GCM_PRE(                                                                               \
			mgr, keys->encr ? keys->encr_key : keys->integ_key, (struct gcm_key_data *)ret_context);       \
		return 0;                                                                                              \
	}                                                                                                              \
	uint16_t imb_gmac##bits(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)                             \
	{                                                                                                              \
		IMB_MGR *mgr = imb_of(w);                                                                              \
		struct gcm_context_data c;                                                                             \
                                                                                                                       \
		gcm_keys_begin(w, ops, n, bits);                                                                       \
		for (uint32_t i = 0; i < n; i++) {                                                                     \
			const struct crypto_op *op = &ops[i];                                                          \
			const struct gcm_key_data *key = (const struct gcm_key_data *)op->key;                         \
			uint32_t bytes = op->before + op->len + op->tail;                                              \
			gcm_keys_ahead(w, ops, i, n, bits);                                                            \
                                                                                                                       \
			IMB_AES##bits##_GMAC_INIT(mgr, key, &c, op->nonce, NONCE_BYTES);                               \
			if (op->aad_bytes)                                                                             \
				IMB_AES##bits##_GMAC_UPDATE(mgr, key, &c, op->aad, op->aad_bytes);                     \
			IMB_AES##bits##_GMAC_UPDATE(mgr, key, &c, op->text - op->before, bytes);                       \
			IMB_AES##bits##_GMAC_FINALIZE(mgr, key, &c, op->icv, op->icv_bytes);                           \
		}                                                                                                      \
		return 0;                                                                                              \
	}

GMAC(128)
GMAC(192)
GMAC(256)

static const struct crypto_suite suites[] = {
	{ sizeof(struct gcm_key_data), gmac128_init, NULL, imb_gmac128, imb_gmac128 },
	{ sizeof(struct gcm_key_data), gmac192_init, NULL, imb_gmac192, imb_gmac192 },
	{ sizeof(struct gcm_key_data), gmac256_init, NULL, imb_gmac256, imb_gmac256 },
};

const struct crypto_suite *imb_gmac_suite(const struct alg *encr, const struct alg *integ)
{
	if (encr && !integ && encr->id == ENCR_NULL_AUTH_AES_GMAC)
		return &suites[encr->key_bytes / 8 - 2];
	if (!encr && integ && integ->id >= INTEG_AES_128_GMAC && integ->id <= INTEG_AES_256_GMAC)
		return &suites[integ->key_bytes / 8 - 2];
	return NULL;
}
