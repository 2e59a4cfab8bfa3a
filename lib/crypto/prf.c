/* SPDX-License-Identifier: BSD-3-Clause */
/* The pseudo-random functions of RFC 7296 2.13: prf and prf+. Which keys are made of them is the engine's business. */
#include "crypto.h"

#include <errno.h>
#include <string.h>

#include "crypto_priv.h"

#define PRF_PLUS_BLOCKS_MAX 255 /* the block counter is one octet */

/* A PRF that takes keys of one length only makes such a key of any other (RFC 4615 3). */
static int fixed_key(struct crypto *c, enum mac_kind kind, struct bytes key, uint8_t ret_key[PRF_OUT_MAX])
{
	static const uint8_t zero[PRF_OUT_MAX];
	size_t len = mac_key_bytes(kind);

	return mac_compute(c, kind, BYTES(zero, len), &key, 1, ret_key, len);
}

int prf_compute(struct crypto *c, const struct alg *prf, struct bytes key, const struct bytes *parts, size_t count,
	uint8_t *ret_out)
{
	enum mac_kind kind = mac_kind_of(prf, TRANSFORM_PRF);
	uint8_t made[PRF_OUT_MAX];
	int err = 0;

	if (kind == MAC_KINDS)
		return -EINVAL;
	if (!mac_key_bytes(kind) || key.len == mac_key_bytes(kind))
		return mac_compute(c, kind, key, parts, count, ret_out, prf->out_bytes);
	err = fixed_key(c, kind, key, made);
	if (!err)
		err = mac_compute(c, kind, BYTES(made, mac_key_bytes(kind)), parts, count, ret_out, prf->out_bytes);
	secret_wipe(made, sizeof(made));
	return err;
}

size_t prf_nonce_bytes(const struct alg *prf)
{
	size_t fixed = mac_key_bytes(mac_kind_of(prf, TRANSFORM_PRF));

	return fixed ? fixed / 2 : SIZE_MAX;
}

int prf_plus(struct crypto *c, const struct alg *prf, struct bytes key, struct bytes seed, uint8_t *ret_out, size_t len)
{
	uint8_t block[PRF_OUT_MAX], number = 0;
	size_t done = 0, take = 0;
	int err = mac_kind_of(prf, TRANSFORM_PRF) == MAC_KINDS ? -EINVAL : 0;

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
