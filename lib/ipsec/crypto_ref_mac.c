/* SPDX-License-Identifier: BSD-3-Clause */
/* Integrity algorithms of the reference engine. OpenSSL has no AES-XCBC: it is built here on AES, one block at a time.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto_ref_priv.h"

#define BLOCK_BYTES 16

/* What OpenSSL calls them; parameter is the digest or the cipher below it. */
static const struct mac_row {
	uint16_t id;
	const char *mac, *key, *value;
} macs[] = {
	{ INTEG_HMAC_SHA1_96, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA1" },
	{ INTEG_HMAC_SHA2_256_128, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256" },
	{ INTEG_HMAC_SHA2_384_192, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA384" },
	{ INTEG_HMAC_SHA2_512_256, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA512" },
	{ INTEG_AES_CMAC_96, "CMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-CBC" },
};

static const struct mac_row *row_of(const struct alg *integ)
{
	for (size_t i = 0; i < sizeof(macs) / sizeof(macs[0]); i++)
		if (macs[i].id == integ->id)
			return &macs[i];
	ref_must(0);
	return NULL;
}

static void aes_block(const uint8_t *key, const uint8_t *in, uint8_t *ret_out)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	ref_must(c != NULL);
	ref_must(EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, key, NULL));
	ref_must(EVP_CIPHER_CTX_set_padding(c, 0));
	ref_must(EVP_EncryptUpdate(c, ret_out, &n, in, BLOCK_BYTES));
	EVP_CIPHER_CTX_free(c);
}

/* K1, K2, K3 (RFC 3566 4): a block of 01s, 02s, 03s under the key. */
static void xcbc_subkey(const uint8_t *key, uint8_t which, uint8_t *ret_subkey)
{
	uint8_t block[BLOCK_BYTES];

	memset(block, which, sizeof(block));
	aes_block(key, block, ret_subkey);
}

static void block_xor(uint8_t *block, const uint8_t *other)
{
	for (size_t i = 0; i < BLOCK_BYTES; i++)
		block[i] ^= other[i];
}

/* RFC 3566 4. The last block, complete or not, is masked with K2 or K3. */
static void xcbc(const uint8_t *key, const uint8_t *data, size_t len, uint8_t *ret_mac)
{
	uint8_t k1[BLOCK_BYTES], mask[BLOCK_BYTES], e[BLOCK_BYTES] = { 0 }, last[BLOCK_BYTES + 1] = { 0 };

	xcbc_subkey(key, 1, k1);
	for (; len > BLOCK_BYTES; data += BLOCK_BYTES, len -= BLOCK_BYTES) {
		block_xor(e, data);
		aes_block(k1, e, e);
	}
	memcpy(last, data, len);
	last[len] = 0x80;
	xcbc_subkey(key, len == BLOCK_BYTES ? 2 : 3, mask);
	block_xor(e, last);
	block_xor(e, mask);
	aes_block(k1, e, ret_mac);
}

static void evp_mac(const struct ref_key *key, const uint8_t *data, size_t len, uint8_t *ret_mac)
{
	const struct mac_row *row = row_of(key->integ);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(row->key, (char *)(uintptr_t)row->value, 0),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, row->mac, NULL);
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
	size_t n;

	ref_must(c != NULL);
	ref_must(EVP_MAC_init(c, key->integ_key, key->integ->key_bytes, params));
	ref_must(EVP_MAC_update(c, data, len));
	ref_must(EVP_MAC_final(c, ret_mac, &n, EVP_MAX_MD_SIZE));
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
}

void ref_mac(const struct ref_key *key, const uint8_t *data, size_t len, uint8_t *ret_icv, size_t icv_bytes)
{
	uint8_t mac[EVP_MAX_MD_SIZE];

	if (key->integ->id == INTEG_AES_XCBC_96)
		xcbc(key->integ_key, data, len, mac);
	else
		evp_mac(key, data, len, mac);
	memcpy(ret_icv, mac, icv_bytes);
}
