/* SPDX-License-Identifier: BSD-3-Clause */
/* AES-GCM by the direct calls of intel-ipsec-mb: GCM has no lanes that the job interface could fill. Every ICV length,
 * and with the IV on the wire or implicit: that is in the operation. */
#include "crypto_imb_priv.h"

#define AHEAD 4 /* operations: as long as memory takes for the lines of one */

/* So many bytes need hash powers that the bursts do not ask for. */
#define POWERS_TEXT (CRYPTO_LINE_TEXT * (CRYPTO_LINES_EARLY - CRYPTO_ROUND_LINES - 1))

/* Whether an operation wants powers that nobody asked for: of a long packet, whose key the operation before has not. */
static inline bool powers_wanted(const struct crypto_op *op, const void *key_before)
{
	return unlikely(op->key != key_before) && op->len >= POWERS_TEXT;
}

static __rte_noinline void powers_prefetch(const struct ipsec_worker *w, const struct crypto_op *op)
{
	uint32_t lines = crypto_lines_needed(op->len, w->key_line_count);

	for (uint32_t line = CRYPTO_LINES_EARLY; line < lines; line++)
		rte_prefetch1((const uint8_t *)op->key + w->key_lines[line]);
}

/* One function per direction and key size; IMB_... are the library's macros, which name the call in every version. */
#define GCM_BURST(name, call)                                                                                          \
	static uint16_t name(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)                                \
	{                                                                                                              \
		IMB_MGR *mgr = imb_of(w);                                                                              \
		struct gcm_context_data context;                                                                       \
                                                                                                                       \
		const void *before = NULL;                                                                             \
		for (uint32_t i = 0; i < AHEAD && i < n; before = ops[i++].key)                                        \
			if (powers_wanted(&ops[i], before))                                                            \
				powers_prefetch(w, &ops[i]);                                                           \
		for (uint32_t i = 0; i < n; i++) {                                                                     \
			const struct crypto_op *op = &ops[i];                                                          \
			if (i + AHEAD < n && powers_wanted(&op[AHEAD], op[AHEAD - 1].key))                             \
				powers_prefetch(w, &op[AHEAD]);                                                        \
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
GCM_BURST(gcm128_seal, IMB_AES128_GCM_ENC)
GCM_BURST(gcm128_open, IMB_AES128_GCM_DEC)
GCM_INIT(gcm192_init, IMB_AES192_GCM_PRE)
GCM_BURST(gcm192_seal, IMB_AES192_GCM_ENC)
GCM_BURST(gcm192_open, IMB_AES192_GCM_DEC)
GCM_INIT(gcm256_init, IMB_AES256_GCM_PRE)
GCM_BURST(gcm256_seal, IMB_AES256_GCM_ENC)
GCM_BURST(gcm256_open, IMB_AES256_GCM_DEC)

const struct crypto_suite *imb_gcm_suite(const struct alg *encr, const struct alg *integ)
{
	static const uint16_t ids[] = { ENCR_AES_GCM_8, ENCR_AES_GCM_12, ENCR_AES_GCM_16, ENCR_AES_GCM_16_IIV };
	static const struct crypto_suite suites[] = {
		{ sizeof(struct gcm_key_data), gcm128_init, NULL, gcm128_seal, gcm128_open },
		{ sizeof(struct gcm_key_data), gcm192_init, NULL, gcm192_seal, gcm192_open },
		{ sizeof(struct gcm_key_data), gcm256_init, NULL, gcm256_seal, gcm256_open },
	};

	for (size_t i = 0; encr && !integ && i < RTE_DIM(ids); i++)
		if (encr->id == ids[i])
			return &suites[encr->key_bytes / 8 - 2];
	return NULL;
}
