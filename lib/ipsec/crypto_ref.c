/* SPDX-License-Identifier: BSD-3-Clause */
/* The reference engine on OpenSSL's AES-GCM: slow, allocates, meant to be right by being simple. Tests run the same SAs
 * through it and through the fast engine. Not part of the daemon. */
#include "crypto_priv.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_BYTES 12

struct ref_context {
	EVP_CIPHER_CTX *seal, *open;
};

/* Anything that fails here is a broken OpenSSL or a bug in this file. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

static void aead_start(EVP_CIPHER_CTX *c, const struct crypto_op *op, int encrypt)
{
	int n;

	must(EVP_CipherInit_ex(c, NULL, NULL, NULL, op->nonce, encrypt));
	must(EVP_CipherUpdate(c, NULL, &n, op->aad, (int)op->aad_bytes));
}

static void op_seal(const struct crypto_op *op, uint8_t *ret_cipher)
{
	EVP_CIPHER_CTX *c = ((const struct ref_context *)op->key)->seal;
	int n;

	aead_start(c, op, 1);
	must(EVP_CipherUpdate(c, ret_cipher, &n, op->text, (int)op->len));
	must(EVP_CipherFinal_ex(c, ret_cipher + n, &n));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, op->icv_bytes, op->icv));
}

static uint16_t ref_seal(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)
{
	(void)w;
	for (const struct crypto_op *op = ops; op < ops + n; op++)
		op_seal(op, op->text);
	return 0;
}

/* An engine says what the ICV ought to be; OpenSSL only tells whether it is. So: decrypt without asking, encrypt again
 * into a copy, take that ICV. */
static uint16_t ref_open(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)
{
	int len;

	(void)w;
	for (const struct crypto_op *op = ops; op < ops + n; op++) {
		EVP_CIPHER_CTX *c = ((const struct ref_context *)op->key)->open;
		uint8_t *again = (uint8_t *)malloc(op->len + 1);
		must(again != NULL);
		aead_start(c, op, 0);
		must(EVP_CipherUpdate(c, op->text, &len, op->text, (int)op->len));
		op_seal(op, again);
		free(again);
	}
	return 0;
}

static EVP_CIPHER_CTX *keyed(const EVP_CIPHER *cipher, const uint8_t *key, int encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	must(c != NULL);
	must(EVP_CipherInit_ex(c, cipher, NULL, NULL, NULL, encrypt));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, NONCE_BYTES, NULL));
	must(EVP_CipherInit_ex(c, NULL, NULL, key, NULL, encrypt));
	return c;
}

static int context_init(const EVP_CIPHER *cipher, const uint8_t *key, void *ret_context)
{
	struct ref_context *r = (struct ref_context *)ret_context;

	r->seal = keyed(cipher, key, 1);
	r->open = keyed(cipher, key, 0);
	return 0;
}

static int ref_init(void *manager, const struct crypto_keys *keys, void *ret_context)
{
	(void)manager;
	return context_init(
		keys->encr->key_bits == 128 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), keys->encr_key, ret_context);
}

static void ref_key_done(void *context)
{
	struct ref_context *r = (struct ref_context *)context;

	EVP_CIPHER_CTX_free(r->seal);
	EVP_CIPHER_CTX_free(r->open);
}

static void *manager_create(void)
{
	return malloc(1);
}

static size_t key_lines(const void *manager, uint16_t *ret_offsets)
{
	(void)manager;
	(void)ret_offsets;
	return 0;
}

static const struct crypto_suite *suite_lookup(const struct alg *encr, const struct alg *integ)
{
	static const struct crypto_suite suite = { sizeof(struct ref_context), ref_init, ref_key_done, ref_seal,
		ref_open };

	return encr && !integ && encr->id == ENCR_AES_GCM_16 && encr->key_bits != 192 ? &suite : NULL;
}

static int random_fill(void *manager, uint8_t *ret_bytes, size_t len)
{
	(void)manager;
	return RAND_bytes(ret_bytes, (int)len) == 1 ? 0 : -EIO;
}

const struct crypto_engine *crypto_ref(void)
{
	static const struct crypto_engine engine = { manager_create, free, key_lines, suite_lookup, random_fill };

	return &engine;
}
