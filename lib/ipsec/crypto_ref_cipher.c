/* SPDX-License-Identifier: BSD-3-Clause */
/* Ciphers and AEADs of the reference engine. Every operation makes its OpenSSL context anew. */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "crypto_ref_priv.h"

#define NONCE_BYTES 12 /* of GMAC */

static const struct cipher_row {
	uint16_t id;
	const char *name; /* of AES: the mode */
	uint8_t nonce_bytes;
} ciphers[] = {
	{ ENCR_AES_CBC, "CBC", 16 },
	{ ENCR_AES_CTR, "CTR", 16 },
	{ ENCR_3DES, "DES-EDE3-CBC", 8 },
	{ ENCR_AES_CCM_8, "CCM", 11 },
	{ ENCR_AES_CCM_12, "CCM", 11 },
	{ ENCR_AES_CCM_16, "CCM", 11 },
	{ ENCR_AES_CCM_8_IIV, "CCM", 11 },
	{ ENCR_AES_GCM_8, "GCM", 12 },
	{ ENCR_AES_GCM_12, "GCM", 12 },
	{ ENCR_AES_GCM_16, "GCM", 12 },
	{ ENCR_AES_GCM_16_IIV, "GCM", 12 },
	{ ENCR_CHACHA20_POLY1305, "ChaCha20-Poly1305", 12 },
	{ ENCR_CHACHA20_POLY1305_IIV, "ChaCha20-Poly1305", 12 },
};

static const struct cipher_row *row_of(const struct alg *encr)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (ciphers[i].id == encr->id)
			return &ciphers[i];
	ref_must(0);
	return NULL;
}

/* A context with the cipher, nothing else. */
static EVP_CIPHER_CTX *context_create(const char *name, uint16_t key_bits, int encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	EVP_CIPHER *cipher;
	char full[32];

	snprintf(full, sizeof(full), "AES-%u-%s", (unsigned)key_bits, name);
	cipher = EVP_CIPHER_fetch(NULL, key_bits ? full : name, NULL);
	ref_must(c && cipher);
	ref_must(EVP_CipherInit_ex(c, cipher, NULL, NULL, NULL, encrypt));
	EVP_CIPHER_free(cipher);
	return c;
}

/* RFC 3686 4: the counter is the last quarter of the block and begins at 1. */
static void counter_block(const struct crypto_op *op, uint8_t *ret_block)
{
	static const uint8_t one[4] = { 0, 0, 0, 1 };

	memcpy(ret_block, op->nonce, 12);
	memcpy(ret_block + 12, one, sizeof(one));
}

void ref_cipher(const struct ref_key *key, const struct crypto_op *op, bool encrypt)
{
	uint8_t iv[16];
	EVP_CIPHER_CTX *c;
	int n;

	if (key->encr->id == ENCR_NULL)
		return;
	c = context_create(row_of(key->encr)->name, key->encr->key_bits, encrypt);
	memcpy(iv, op->nonce, sizeof(iv));
	if (key->encr->id == ENCR_AES_CTR)
		counter_block(op, iv);
	ref_must(EVP_CipherInit_ex(c, NULL, NULL, key->encr_key, iv, encrypt));
	/* ESP has padding of its own */
	ref_must(EVP_CIPHER_CTX_set_padding(c, 0));
	ref_must(EVP_CipherUpdate(c, op->text, &n, op->text, (int)op->len));
	ref_must(EVP_CipherFinal_ex(c, op->text + n, &n));
	EVP_CIPHER_CTX_free(c);
}

void ref_aead(const struct ref_key *key, const struct crypto_op *op)
{
	const struct cipher_row *row = row_of(key->encr);
	EVP_CIPHER_CTX *c = context_create(row->name, key->encr->key_bits, 1);
	bool ccm = EVP_CIPHER_CTX_get_mode(c) == EVP_CIPH_CCM_MODE;
	int n;

	ref_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, row->nonce_bytes, NULL));
	/* CCM wants both lengths in advance */
	if (ccm)
		ref_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, op->icv_bytes, NULL));
	ref_must(EVP_CipherInit_ex(c, NULL, NULL, key->encr_key, op->nonce, 1));
	if (ccm)
		ref_must(EVP_CipherUpdate(c, NULL, &n, NULL, (int)op->len));
	ref_must(EVP_CipherUpdate(c, NULL, &n, op->aad, (int)op->aad_bytes));
	ref_must(EVP_CipherUpdate(c, op->text, &n, op->text, (int)op->len));
	ref_must(EVP_CipherFinal_ex(c, op->text + n, &n));
	ref_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, op->icv_bytes, op->icv));
	EVP_CIPHER_CTX_free(c);
}

void ref_gmac(const struct alg *a, const uint8_t *key, const struct crypto_op *op, struct bytes aad, struct bytes data)
{
	EVP_CIPHER_CTX *c = context_create("GCM", (uint16_t)(a->key_bytes * 8), 1);
	uint8_t nothing[16];
	int n;

	ref_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, NONCE_BYTES, NULL));
	ref_must(EVP_CipherInit_ex(c, NULL, NULL, key, op->nonce, 1));
	if (aad.len)
		ref_must(EVP_CipherUpdate(c, NULL, &n, aad.data, (int)aad.len));
	ref_must(EVP_CipherUpdate(c, NULL, &n, data.data, (int)data.len));
	ref_must(EVP_CipherFinal_ex(c, nothing, &n));
	ref_must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, op->icv_bytes, op->icv));
	EVP_CIPHER_CTX_free(c);
}
