/* SPDX-License-Identifier: BSD-3-Clause */
/* Protection of SK payloads: AES-GCM, AES-CCM (RFC 5282), ChaCha20-Poly1305 (RFC 7634), and AES-CBC, AES-CTR (RFC 5930)
 * and 3DES with a MAC, encrypt-then-MAC (RFC 7296 3.14). Padding and the payload's layout belong to the caller. */
#include "crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <string.h>

#include "crypto_priv.h"

#define NONCE_MAX 12

enum cipher_mode { MODE_AEAD, MODE_CCM, MODE_CBC, MODE_CTR };

/* One context serves all ICV lengths: numbers of the algorithms, 0 where there are fewer. */
static const struct cipher {
	uint16_t ids[3], key_bits;
	uint8_t mode; /* enum cipher_mode */
	const char *name;
} ciphers[AEAD_CIPHERS] = {
	{ { ENCR_AES_GCM_16, ENCR_AES_GCM_12, ENCR_AES_GCM_8 }, 128, MODE_AEAD, "AES-128-GCM" },
	{ { ENCR_AES_GCM_16, ENCR_AES_GCM_12, ENCR_AES_GCM_8 }, 192, MODE_AEAD, "AES-192-GCM" },
	{ { ENCR_AES_GCM_16, ENCR_AES_GCM_12, ENCR_AES_GCM_8 }, 256, MODE_AEAD, "AES-256-GCM" },
	{ { ENCR_AES_CCM_16, ENCR_AES_CCM_12, ENCR_AES_CCM_8 }, 128, MODE_CCM, "AES-128-CCM" },
	{ { ENCR_AES_CCM_16, ENCR_AES_CCM_12, ENCR_AES_CCM_8 }, 192, MODE_CCM, "AES-192-CCM" },
	{ { ENCR_AES_CCM_16, ENCR_AES_CCM_12, ENCR_AES_CCM_8 }, 256, MODE_CCM, "AES-256-CCM" },
	{ { ENCR_CHACHA20_POLY1305 }, 0, MODE_AEAD, "ChaCha20-Poly1305" },
	{ { ENCR_AES_CBC }, 128, MODE_CBC, "AES-128-CBC" },
	{ { ENCR_AES_CBC }, 192, MODE_CBC, "AES-192-CBC" },
	{ { ENCR_AES_CBC }, 256, MODE_CBC, "AES-256-CBC" },
	{ { ENCR_AES_CTR }, 128, MODE_CTR, "AES-128-CTR" },
	{ { ENCR_AES_CTR }, 192, MODE_CTR, "AES-192-CTR" },
	{ { ENCR_AES_CTR }, 256, MODE_CTR, "AES-256-CTR" },
	{ { ENCR_3DES }, 0, MODE_CBC, "DES-EDE3-CBC" },
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

static bool has_id(const struct cipher *cipher, uint16_t id)
{
	return id && (cipher->ids[0] == id || cipher->ids[1] == id || cipher->ids[2] == id);
}

static const struct cipher *cipher_lookup(const struct alg *encr)
{
	if (encr->type != TRANSFORM_ENCR)
		return NULL;
	for (size_t i = 0; i < AEAD_CIPHERS; i++)
		if (has_id(&ciphers[i], encr->id) && ciphers[i].key_bits == encr->key_bits)
			return &ciphers[i];
	return NULL;
}

static EVP_CIPHER_CTX *context_of(struct crypto *c, const struct cipher *cipher)
{
	return c->cipher[cipher - ciphers];
}

/* The suite and every length make sense together; OpenSSL counts in int. */
static bool params_valid(const struct aead_params *p, struct bytes iv, struct bytes aad, size_t len)
{
	const struct alg *e = p->encr;

	if (p->encr_key.len != (size_t)e->key_bytes + e->salt_bytes || iv.len != e->iv_bytes)
		return false;
	if (!len || len > INT_MAX || aad.len > INT_MAX || len % e->block_bytes)
		return false;
	if (is_aead(p))
		return !p->integ && (size_t)e->salt_bytes + e->iv_bytes <= NONCE_MAX;
	return mac_kind_of(p->integ, TRANSFORM_INTEG) != MAC_KINDS && p->integ_key.len == p->integ->key_bytes;
}

static bool cipher_update(EVP_CIPHER_CTX *ctx, uint8_t *data, size_t len)
{
	int n = 0;

	return !len || (EVP_CipherUpdate(ctx, data, &n, data, (int)len) == 1 && (size_t)n == len);
}

/* ---- AEAD ---- */

/* CCM must know all lengths before it begins, and the ICV of what it opens (RFC 3610 2.2): NULL when it seals. */
static bool ccm_prepare(EVP_CIPHER_CTX *ctx, const struct aead_params *p, uint8_t *icv)
{
	int nonce_bytes = p->encr->salt_bytes + p->encr->iv_bytes;

	return EVP_CipherInit_ex2(ctx, NULL, NULL, NULL, icv ? 0 : 1, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, nonce_bytes, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, p->encr->out_bytes, icv) == 1;
}

/* Keys the context with nonce = salt | iv and feeds the additional data. */
static bool aead_start(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, struct bytes aad, bool ccm,
	size_t len, int encrypt)
{
	uint8_t nonce[NONCE_MAX];
	int n;

	memcpy(nonce, p->encr_key.data + p->encr->key_bytes, p->encr->salt_bytes);
	memcpy(nonce + p->encr->salt_bytes, iv.data, iv.len);
	if (EVP_CipherInit_ex2(ctx, NULL, p->encr_key.data, nonce, encrypt, NULL) != 1)
		return false;
	if (ccm && EVP_CipherUpdate(ctx, NULL, &n, NULL, (int)len) != 1)
		return false;
	return !aad.len || EVP_CipherUpdate(ctx, NULL, &n, aad.data, (int)aad.len) == 1;
}

static int combined_seal(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, struct bytes aad, bool ccm,
	uint8_t *data, size_t len, uint8_t *ret_icv)
{
	uint8_t rest[AEAD_IV_MAX];
	int n;

	return (!ccm || ccm_prepare(ctx, p, NULL)) && aead_start(ctx, p, iv, aad, ccm, len, 1) &&
			       cipher_update(ctx, data, len) && EVP_CipherFinal_ex(ctx, rest, &n) == 1 &&
			       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, p->encr->out_bytes, ret_icv) == 1
		       ? 0
		       : -EIO;
}

/* -EBADMSG: the ICV is wrong. CCM says so with the data, the others at the end. */
static int combined_finish(EVP_CIPHER_CTX *ctx, uint16_t icv_bytes, bool ccm, uint8_t *data, size_t len, uint8_t *icv)
{
	uint8_t rest[AEAD_IV_MAX];
	int n;

	if (ccm)
		return cipher_update(ctx, data, len) ? 0 : -EBADMSG;
	if (!cipher_update(ctx, data, len) || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, icv_bytes, icv) != 1)
		return -EIO;
	return EVP_CipherFinal_ex(ctx, rest, &n) == 1 ? 0 : -EBADMSG;
}

static int combined_open(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, struct bytes aad, bool ccm,
	uint8_t *data, size_t len, const uint8_t *icv)
{
	uint8_t tag[AEAD_ICV_MAX];
	int err = -EIO;

	memcpy(tag, icv, p->encr->out_bytes);
	if ((!ccm || ccm_prepare(ctx, p, tag)) && aead_start(ctx, p, iv, aad, ccm, len, 0))
		err = combined_finish(ctx, p->encr->out_bytes, ccm, data, len, tag);
	/* unverified plain text must not reach anybody */
	if (err)
		secret_wipe(data, len);
	return err;
}

/* ---- a cipher and a MAC ---- */

/* Counter block 1 of RFC 5930 3: nonce | IV | 1. CBC takes its IV as it is. */
static void first_block(const struct aead_params *p, struct bytes iv, bool ctr, uint8_t ret_block[AEAD_IV_MAX])
{
	struct writer w = writer_init(ret_block, AEAD_IV_MAX);

	if (ctr)
		writer_bytes(&w, BYTES(p->encr_key.data + p->encr->key_bytes, p->encr->salt_bytes));
	writer_bytes(&w, iv);
	if (ctr)
		writer_u32(&w, 1);
}

static int classic_crypt(EVP_CIPHER_CTX *ctx, const struct aead_params *p, struct bytes iv, bool ctr, uint8_t *data,
	size_t len, int encrypt)
{
	uint8_t block[AEAD_IV_MAX];

	first_block(p, iv, ctr, block);
	if (EVP_CipherInit_ex2(ctx, NULL, p->encr_key.data, block, encrypt, NULL) != 1 ||
		EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)
		return -EIO;
	return cipher_update(ctx, data, len) ? 0 : -EIO;
}

static int classic_icv(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad,
	const uint8_t *data, size_t len, uint8_t *ret_icv)
{
	struct bytes parts[] = { aad, iv, { data, len } };

	return mac_compute(c, mac_kind_of(p->integ, TRANSFORM_INTEG), p->integ_key, parts, ARRAY_LEN(parts), ret_icv,
		p->integ->out_bytes);
}

static int classic_check(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad,
	const uint8_t *data, size_t len, const uint8_t *icv)
{
	uint8_t expected[AEAD_ICV_MAX];
	int err = classic_icv(c, p, iv, aad, data, len, expected);

	if (!err && !secret_equal(expected, icv, p->integ->out_bytes))
		err = -EBADMSG;
	secret_wipe(expected, sizeof(expected));
	return err;
}

int aead_seal(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, uint8_t *ret_icv)
{
	const struct cipher *cipher = cipher_lookup(p->encr);
	int err;

	if (!cipher || !params_valid(p, iv, aad, len))
		return -EINVAL;
	EVP_CIPHER_CTX *ctx = context_of(c, cipher);
	if (is_aead(p)) {
		err = combined_seal(ctx, p, iv, aad, cipher->mode == MODE_CCM, data, len, ret_icv);
	} else {
		err = classic_crypt(ctx, p, iv, cipher->mode == MODE_CTR, data, len, 1);
		if (!err)
			err = classic_icv(c, p, iv, aad, data, len, ret_icv);
	}
	if (err)
		ERR_clear_error();
	return err;
}

int aead_open(struct crypto *c, const struct aead_params *p, struct bytes iv, struct bytes aad, uint8_t *data,
	size_t len, const uint8_t *icv)
{
	const struct cipher *cipher = cipher_lookup(p->encr);
	int err;

	if (!cipher || !params_valid(p, iv, aad, len))
		return -EINVAL;
	EVP_CIPHER_CTX *ctx = context_of(c, cipher);
	if (is_aead(p)) {
		err = combined_open(ctx, p, iv, aad, cipher->mode == MODE_CCM, data, len, icv);
	} else {
		err = classic_check(c, p, iv, aad, data, len, icv);
		if (!err)
			err = classic_crypt(ctx, p, iv, cipher->mode == MODE_CTR, data, len, 0);
	}
	if (err)
		ERR_clear_error();
	return err;
}
