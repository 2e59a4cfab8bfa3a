/* SPDX-License-Identifier: BSD-3-Clause */
/* Protection of SK payloads: AES-GCM (RFC 5282) and AES-CBC with HMAC, encrypt-then-MAC (RFC 7296 3.14). Padding and
 * the payload's layout belong to the caller. */
#include "crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

#include "crypto_priv.h"

#define GCM_NONCE_BYTES 12
#define GCM_ICV_BYTES   16

static const struct {
	uint16_t id, key_bits;
	const char *name;
} ciphers[AEAD_CIPHERS] = {
	{ ENCR_AES_GCM_16, 128, "AES-128-GCM" },
	{ ENCR_AES_GCM_16, 256, "AES-256-GCM" },
	{ ENCR_AES_CBC, 128, "AES-128-CBC" },
	{ ENCR_AES_CBC, 192, "AES-192-CBC" },
	{ ENCR_AES_CBC, 256, "AES-256-CBC" },
};

static EVP_CIPHER_CTX *context_create(const char *name)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = cipher ? EVP_CIPHER_CTX_new() : NULL;

	if (ctx && EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, 1, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(cipher); /* the context holds a reference */
	return ctx;
}

int aead_init(struct crypto *c)
{
	for (size_t i = 0; i < AEAD_CIPHERS; i++) {
		c->cipher[i] = context_create(ciphers[i].name);
		if (!c->cipher[i])
			return -EIO;
	}
	return 0;
}

void aead_done(struct crypto *c)
{
	for (size_t i = 0; i < AEAD_CIPHERS; i++)
		EVP_CIPHER_CTX_free(c->cipher[i]);
}

static bool is_aead(const struct aead_params *p)
{
	return p->encr->flags & ALG_AEAD;
}

size_t aead_icv_bytes(const struct aead_params *p)
{
	return is_aead(p) ? p->encr->out_bytes : p->integ ? p->integ->out_bytes : 0;
}

static EVP_CIPHER_CTX *context_lookup(struct crypto *c, const struct alg *encr)
{
	if (encr->type != TRANSFORM_ENCR)
		return NULL;
	for (size_t i = 0; i < AEAD_CIPHERS; i++)
		if (ciphers[i].id == encr->id && ciphers[i].key_bits == encr->key_bits)
			return c->cipher[i];
	return NULL;
}

static enum hmac_digest integ_digest(const struct alg *integ)
{
	if (integ->type != TRANSFORM_INTEG)
		return HMAC_DIGESTS;
	switch (integ->id) {
	case INTEG_HMAC_SHA2_256_128: return HMAC_SHA2_256;
	case INTEG_HMAC_SHA2_384_192: return HMAC_SHA2_384;
	case INTEG_HMAC_SHA2_512_256: return HMAC_SHA2_512;
	default: return HMAC_DIGESTS;
	}
}

/* The suite and every length make sense together; OpenSSL counts in int. */
static bool params_valid(const struct aead_params *p, struct bytes iv, struct bytes aad, size_t len)
{
	const struct alg *e = p->encr;

	if (p->encr_key.len != (size_t)e->key_bytes + e->salt_bytes || iv.len != e->iv_bytes)
		return false;
	if (len > INT_MAX || aad.len > INT_MAX || len % e->block_bytes)
		return false;
	if (is_aead(p))
		return !p->integ && e->salt_bytes + e->iv_bytes == GCM_NONCE_BYTES && e->out_bytes == GCM_ICV_BYTES;
	return p->integ && integ_digest(p->integ) != HMAC_DIGESTS && p->integ_key.len == p->integ->key_bytes;
}

static bool cipher_update(EVP_CIPHER_CTX *ctx, uint8_t *data, size_t len)
{
	int n = 0;

	return !len || (EVP_CipherUpdate(ctx, data, &n, data, (int)len) == 1 && (size_t)n == len);
}

/* Keys the context with nonce = salt | iv and feeds the additional data. */
static bool gcm_start(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, struct bytes aad, int encrypt)
{
	uint8_t nonce[GCM_NONCE_BYTES];
	int n;

	memcpy(nonce, p->encr_key.data + p->encr->key_bytes, p->encr->salt_bytes);
	memcpy(nonce + p->encr->salt_bytes, iv.data, iv.len);
	return EVP_CipherInit_ex2(ctx, NULL, p->encr_key.data, nonce, encrypt, NULL) == 1 &&
	       (!aad.len || EVP_CipherUpdate(ctx, NULL, &n, aad.data, (int)aad.len) == 1);
}

static int gcm_seal(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, uint8_t *ret_icv)
{
	uint8_t rest[AEAD_IV_MAX];
	int n;

	return gcm_start(ctx, p, iv, aad, 1) && cipher_update(ctx, data, len) &&
			       EVP_CipherFinal_ex(ctx, rest, &n) == 1 &&
			       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_ICV_BYTES, ret_icv) == 1
		       ? 0
		       : -EIO;
}

static int gcm_open(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, const uint8_t *icv)
{
	uint8_t tag[GCM_ICV_BYTES], rest[AEAD_IV_MAX];
	int n;

	memcpy(tag, icv, sizeof(tag));
	if (!gcm_start(ctx, p, iv, aad, 0) || !cipher_update(ctx, data, len) ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1)
		return -EIO;
	if (EVP_CipherFinal_ex(ctx, rest, &n) == 1)
		return 0;
	/* unverified plain text must not reach anybody */
	secret_wipe(data, len);
	return -EBADMSG;
}

static int cbc_crypt(
	EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, uint8_t *data, size_t len, int encrypt)
{
	if (EVP_CipherInit_ex2(ctx, NULL, p->encr_key.data, iv.data, encrypt, NULL) != 1 ||
		EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return -EIO;
	return cipher_update(ctx, data, len) ? 0 : -EIO;
}

static int cbc_icv(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad,
	const uint8_t *data, size_t len, uint8_t *ret_icv)
{
	struct bytes parts[] = { aad, iv, { data, len } };

	return hmac_compute(
		c, integ_digest(p->integ), p->integ_key, parts, ARRAY_LEN(parts), ret_icv, p->integ->out_bytes);
}

static int cbc_open(struct crypto *c, EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv,
	struct bytes aad, uint8_t *data, size_t len, const uint8_t *icv)
{
	uint8_t expected[AEAD_ICV_MAX];
	int err = cbc_icv(c, p, iv, aad, data, len, expected);

	if (!err && !secret_equal(expected, icv, p->integ->out_bytes))
		err = -EBADMSG;
	secret_wipe(expected, sizeof(expected));
	return err ? err : cbc_crypt(ctx, p, iv, data, len, 0);
}

int aead_seal(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, uint8_t *ret_icv)
{
	EVP_CIPHER_CTX *ctx = context_lookup(c, p->encr);
	int err;

	if (!ctx || !params_valid(p, iv, aad, len))
		return -EINVAL;
	if (is_aead(p)) {
		err = gcm_seal(ctx, p, iv, aad, data, len, ret_icv);
	} else {
		err = cbc_crypt(ctx, p, iv, data, len, 1);
		if (!err)
			err = cbc_icv(c, p, iv, aad, data, len, ret_icv);
	}
	if (err)
		ERR_clear_error();
	return err;
}

int aead_open(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, const uint8_t *icv)
{
	EVP_CIPHER_CTX *ctx = context_lookup(c, p->encr);
	int err;

	if (!ctx || !params_valid(p, iv, aad, len))
		return -EINVAL;
	err = is_aead(p) ? gcm_open(ctx, p, iv, aad, data, len, icv) : cbc_open(c, ctx, p, iv, aad, data, len, icv);
	if (err)
		ERR_clear_error();
	return err;
}
