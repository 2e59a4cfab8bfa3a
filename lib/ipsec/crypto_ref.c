/* SPDX-License-Identifier: BSD-3-Clause */
/* The reference engine on OpenSSL: slow, allocates, meant to be right by being simple. Tests run the same SAs through
 * it and through the fast engine. Not part of the daemon. */
#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "crypto_ref_priv.h"

void ref_must(int ok)
{
	if (ok != 1)
		abort();
}

static void classic_mac(const struct ref_key *key, const struct crypto_op *op)
{
	ref_mac(key, op->text - op->before, (size_t)op->before + op->len + op->tail, op->icv, op->icv_bytes);
}

static void classic_seal(const struct ref_key *key, const struct crypto_op *op)
{
	ref_cipher(key, op, true);
	classic_mac(key, op);
}

static void classic_open(const struct ref_key *key, const struct crypto_op *op)
{
	classic_mac(key, op);
	ref_cipher(key, op, false);
}

/* An engine says what the ICV ought to be; OpenSSL only tells whether it is. But all AEADs of ESP are stream ciphers:
 * sealing the cipher text gives the plain text, and sealing that again the ICV. */
static void aead_open(const struct ref_key *key, const struct crypto_op *op)
{
	uint8_t *plain = (uint8_t *)malloc(op->len + 1);

	ref_must(plain != NULL);
	ref_aead(key, op);
	memcpy(plain, op->text, op->len);
	ref_aead(key, op);
	memcpy(op->text, plain, op->len);
	free(plain);
}

/* RFC 4543 3.3: SPI and sequence number, then IV and payload. */
static void gmac_esp(const struct ref_key *key, const struct crypto_op *op)
{
	ref_gmac(key->encr, key->encr_key, op, BYTES(op->aad, op->aad_bytes),
		BYTES(op->text - op->before, op->before + op->len));
}

static void gmac_ah(const struct ref_key *key, const struct crypto_op *op)
{
	ref_gmac(key->integ, key->integ_key, op, BYTES(NULL, 0), BYTES(op->text, op->len + op->tail));
}

#define REF_BURST(operation)                                                                                           \
	static uint16_t operation##_burst(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)                   \
	{                                                                                                              \
		(void)w;                                                                                               \
		for (const struct crypto_op *op = ops; op < ops + n; op++)                                             \
			operation((const struct ref_key *)op->key, op);                                                \
		return 0;                                                                                              \
	}

REF_BURST(classic_seal)
REF_BURST(classic_open)
REF_BURST(classic_mac)
REF_BURST(ref_aead)
REF_BURST(aead_open)
REF_BURST(gmac_esp)
REF_BURST(gmac_ah)

static int key_init(void *manager, const struct crypto_keys *keys, void *ret_context)
{
	struct ref_key *k = (struct ref_key *)ret_context;

	(void)manager;
	k->encr = keys->encr;
	k->integ = keys->integ;
	if (k->encr && k->encr->key_bytes) /* else the key may be no memory at all */
		memcpy(k->encr_key, keys->encr_key, k->encr->key_bytes);
	if (k->integ)
		memcpy(k->integ_key, keys->integ_key, k->integ->key_bytes);
	return 0;
}

static bool is_gmac(const struct alg *integ)
{
	return integ->id >= INTEG_AES_128_GMAC && integ->id <= INTEG_AES_256_GMAC;
}

/* It has all there is. */
static const struct crypto_suite *suite_lookup(const struct alg *encr, const struct alg *integ)
{
	static const struct crypto_suite classic = { sizeof(struct ref_key), key_init, NULL, classic_seal_burst,
		classic_open_burst };
	static const struct crypto_suite aead = { sizeof(struct ref_key), key_init, NULL, ref_aead_burst,
		aead_open_burst };
	static const struct crypto_suite esp_gmac = { sizeof(struct ref_key), key_init, NULL, gmac_esp_burst,
		gmac_esp_burst };
	static const struct crypto_suite ah = { sizeof(struct ref_key), key_init, NULL, classic_mac_burst,
		classic_mac_burst };
	static const struct crypto_suite ah_gmac = { sizeof(struct ref_key), key_init, NULL, gmac_ah_burst,
		gmac_ah_burst };

	if (!encr)
		return is_gmac(integ) ? &ah_gmac : &ah;
	if (!(encr->flags & ALG_AEAD))
		return &classic;
	return encr->id == ENCR_NULL_AUTH_AES_GMAC ? &esp_gmac : &aead;
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

static int random_fill(void *manager, uint8_t *ret_bytes, size_t len)
{
	(void)manager;
	return RAND_bytes(ret_bytes, (int)len) == 1 ? 0 : -EIO;
}

const struct crypto_engine *crypto_ref(void)
{
	static crypto_burst *const bursts[] = { classic_seal_burst, classic_open_burst, ref_aead_burst, aead_open_burst,
		gmac_esp_burst, classic_mac_burst, gmac_ah_burst };
	static const struct crypto_engine engine = { manager_create, free, key_lines, suite_lookup, random_fill, bursts,
		ARRAY_LEN(bursts) };

	return &engine;
}
