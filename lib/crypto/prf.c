/* SPDX-License-Identifier: BSD-3-Clause */
/* The pseudo-random functions of RFC 7296 2.13: prf and prf+. Which keys are made of them is the engine's business. */
#include "crypto.h"

#include <errno.h>
#include <string.h>

#include "crypto_priv.h"

#define PRF_PLUS_BLOCKS_MAX 255 /* the block counter is one octet */

/* The digest of a PRF row, or HMAC_DIGESTS. */
static enum hmac_digest prf_digest(const struct alg *prf)
{
	if (!prf || prf->type != TRANSFORM_PRF)
		return HMAC_DIGESTS;
	switch (prf->id) {
	case PRF_HMAC_SHA2_256: return HMAC_SHA2_256;
	case PRF_HMAC_SHA2_384: return HMAC_SHA2_384;
	case PRF_HMAC_SHA2_512: return HMAC_SHA2_512;
	default: return HMAC_DIGESTS;
	}
}

int prf_compute(struct crypto *c, const struct alg *prf, struct bytes key, const struct bytes *parts, size_t count,
	uint8_t *ret_out)
{
	enum hmac_digest digest = prf_digest(prf);

	if (digest == HMAC_DIGESTS)
		return -EINVAL;
	return hmac_compute(c, digest, key, parts, count, ret_out, prf->out_bytes);
}

int prf_plus(struct crypto *c, const struct alg *prf, struct bytes key, struct bytes seed, uint8_t *ret_out, size_t len)
{
	uint8_t block[PRF_OUT_MAX], number = 0;
	size_t done = 0, take = 0;
	int err = prf_digest(prf) == HMAC_DIGESTS ? -EINVAL : 0;

	if (!err && len > (size_t)PRF_PLUS_BLOCKS_MAX * prf->out_bytes)
		err = -EINVAL;
	for (; !err && done < len; done += take) {
		number++;
		/* T1 = prf(K, S | 1), Tn = prf(K, Tn-1 | S | n) */
		struct bytes parts[] = { { block, done ? prf->out_bytes : 0 }, seed, { &number, 1 } };
		err = prf_compute(c, prf, key, parts, ARRAY_LEN(parts), block);
		take = len - done < prf->out_bytes ? len - done : prf->out_bytes;
		if (!err)
			memcpy(ret_out + done, block, take);
	}
	secret_wipe(block, sizeof(block));
	return err;
}
