/* SPDX-License-Identifier: BSD-3-Clause */
/* The key contexts of the suites that are jobs of intel-ipsec-mb: everything about a job that is the same for every
 * packet of an SA is decided here, from one row per cipher and one per hash. */
#include <string.h>

#include "crypto_imb_priv.h"
#include "secret.h"

#define HMAC_BLOCK_MAX IMB_SHA_512_BLOCK_SIZE

static void aes_expand(IMB_MGR *mgr, uint16_t key_bits, const uint8_t *key, void *ret_enc, void *ret_dec)
{
	if (key_bits == 128)
		IMB_AES_KEYEXP_128(mgr, key, ret_enc, ret_dec);
	else if (key_bits == 192)
		IMB_AES_KEYEXP_192(mgr, key, ret_enc, ret_dec);
	else
		IMB_AES_KEYEXP_256(mgr, key, ret_enc, ret_dec);
}

static void aes_forward(IMB_MGR *mgr, uint16_t key_bits, const uint8_t *key, void *ret_schedule)
{
	uint8_t unused[AES_SCHEDULE_BYTES] __rte_aligned(16);

	aes_expand(mgr, key_bits, key, ret_schedule, unused);
	secret_wipe(unused, sizeof(unused));
}

static void forward_init(IMB_MGR *mgr, const struct crypto_keys *keys, union imb_cipher_key *ret_key)
{
	aes_forward(mgr, keys->encr->key_bits, keys->encr_key, ret_key->aes);
}

static void cbc_init(IMB_MGR *mgr, const struct crypto_keys *keys, union imb_cipher_key *ret_key)
{
	uint8_t other[AES_SCHEDULE_BYTES] __rte_aligned(16);

	if (keys->seal)
		aes_expand(mgr, keys->encr->key_bits, keys->encr_key, ret_key->aes, other);
	else
		aes_expand(mgr, keys->encr->key_bits, keys->encr_key, other, ret_key->aes);
	secret_wipe(other, sizeof(other));
}

/* One schedule serves both directions. */
static void des3_init(IMB_MGR *mgr, const struct crypto_keys *keys, union imb_cipher_key *ret_key)
{
	for (int i = 0; i < 3; i++) {
		IMB_DES_KEYSCHED(mgr, ret_key->des3.schedules[i], keys->encr_key + 8 * i);
		ret_key->des3.parts[i] = ret_key->des3.schedules[i];
	}
}

static void chacha_init(IMB_MGR *mgr, const struct crypto_keys *keys, union imb_cipher_key *ret_key)
{
	(void)mgr;
	memcpy(ret_key->chacha, keys->encr_key, sizeof(ret_key->chacha));
}

/* The inner and the outer hash begin with a block of key ^ pad (RFC 2104): what is left of it is the hash's state. No
 * key of ours is longer than a block. */
static void hmac_init(
	const struct crypto_keys *keys, hash_one_block_t one_block, uint8_t state_bytes, struct imb_job_key *ret_key)
{
	uint8_t inner[HMAC_BLOCK_MAX], outer[HMAC_BLOCK_MAX];

	memset(inner, 0x36, sizeof(inner));
	memset(outer, 0x5c, sizeof(outer));
	for (uint16_t i = 0; i < keys->integ->key_bytes; i++) {
		inner[i] ^= keys->integ_key[i];
		outer[i] ^= keys->integ_key[i];
	}
	one_block(inner, ret_key->hash.hmac);
	one_block(outer, ret_key->hash.hmac + state_bytes);
	secret_wipe(inner, sizeof(inner));
	secret_wipe(outer, sizeof(outer));
	ret_key->job.u.HMAC._hashed_auth_key_xor_ipad = ret_key->hash.hmac;
	ret_key->job.u.HMAC._hashed_auth_key_xor_opad = ret_key->hash.hmac + state_bytes;
}

static void sha1_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key)
{
	hmac_init(keys, mgr->sha1_one_block, 32, ret_key);
}

static void sha256_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key)
{
	hmac_init(keys, mgr->sha256_one_block, 32, ret_key);
}

static void sha384_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key)
{
	hmac_init(keys, mgr->sha384_one_block, 64, ret_key);
}

static void sha512_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key)
{
	hmac_init(keys, mgr->sha512_one_block, 64, ret_key);
}

static void xcbc_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key)
{
	union imb_hash_key *h = &ret_key->hash;

	IMB_AES_XCBC_KEYEXP(mgr, keys->integ_key, h->xcbc.k1, h->xcbc.k2, h->xcbc.k3);
	ret_key->job.u.XCBC._k1_expanded = h->xcbc.k1;
	ret_key->job.u.XCBC._k2 = h->xcbc.k2;
	ret_key->job.u.XCBC._k3 = h->xcbc.k3;
}

static void cmac_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key)
{
	union imb_hash_key *h = &ret_key->hash;

	aes_forward(mgr, 128, keys->integ_key, h->cmac.schedule);
	IMB_AES_CMAC_SUBKEY_GEN_128(mgr, h->cmac.schedule, h->cmac.k1, h->cmac.k2);
	ret_key->job.u.CMAC._key_expanded = h->cmac.schedule;
	ret_key->job.u.CMAC._skey1 = h->cmac.k1;
	ret_key->job.u.CMAC._skey2 = h->cmac.k2;
}

/* An AEAD's row says its hash, too; of the others the integrity algorithm's row does. */
static const struct cipher_row {
	uint16_t id;
	IMB_CIPHER_MODE mode;
	IMB_HASH_ALG hash;
	uint8_t nonce_bytes; /* salt and IV */
	void (*key_init)(IMB_MGR *mgr, const struct crypto_keys *keys, union imb_cipher_key *ret_key);
} ciphers[] = {
	{ ENCR_AES_CBC, IMB_CIPHER_CBC, IMB_AUTH_NULL, 16, cbc_init },
	{ ENCR_AES_CTR, IMB_CIPHER_CNTR, IMB_AUTH_NULL, 12, forward_init },
	{ ENCR_3DES, IMB_CIPHER_DES3, IMB_AUTH_NULL, 8, des3_init },
	{ ENCR_NULL, IMB_CIPHER_NULL, IMB_AUTH_NULL, 0, NULL },
	{ ENCR_AES_CCM_8, IMB_CIPHER_CCM, IMB_AUTH_AES_CCM, 11, forward_init },
	{ ENCR_AES_CCM_12, IMB_CIPHER_CCM, IMB_AUTH_AES_CCM, 11, forward_init },
	{ ENCR_AES_CCM_16, IMB_CIPHER_CCM, IMB_AUTH_AES_CCM, 11, forward_init },
	{ ENCR_AES_CCM_8_IIV, IMB_CIPHER_CCM, IMB_AUTH_AES_CCM, 11, forward_init },
	{ ENCR_CHACHA20_POLY1305, IMB_CIPHER_CHACHA20_POLY1305, IMB_AUTH_CHACHA20_POLY1305, 12, chacha_init },
	{ ENCR_CHACHA20_POLY1305_IIV, IMB_CIPHER_CHACHA20_POLY1305, IMB_AUTH_CHACHA20_POLY1305, 12, chacha_init },
};

static const struct hash_row {
	uint16_t id;
	IMB_HASH_ALG hash;
	void (*key_init)(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *ret_key);
} hashes[] = {
	{ INTEG_HMAC_SHA1_96, IMB_AUTH_HMAC_SHA_1, sha1_init },
	{ INTEG_HMAC_SHA2_256_128, IMB_AUTH_HMAC_SHA_256, sha256_init },
	{ INTEG_HMAC_SHA2_384_192, IMB_AUTH_HMAC_SHA_384, sha384_init },
	{ INTEG_HMAC_SHA2_512_256, IMB_AUTH_HMAC_SHA_512, sha512_init },
	{ INTEG_AES_XCBC_96, IMB_AUTH_AES_XCBC, xcbc_init },
	{ INTEG_AES_CMAC_96, IMB_AUTH_AES_CMAC, cmac_init },
};

static const struct cipher_row *cipher_lookup(const struct alg *encr)
{
	for (size_t i = 0; i < RTE_DIM(ciphers); i++)
		if (ciphers[i].id == encr->id)
			return &ciphers[i];
	return NULL;
}

static const struct hash_row *hash_lookup(const struct alg *integ)
{
	for (size_t i = 0; i < RTE_DIM(hashes); i++)
		if (hashes[i].id == integ->id)
			return &hashes[i];
	return NULL;
}

bool imb_job_known(const struct alg *encr, const struct alg *integ)
{
	return (!encr || cipher_lookup(encr)) && (!integ || hash_lookup(integ));
}

/* What is done first. CCM authenticates the plain text, everything else what is on the wire. */
static IMB_CHAIN_ORDER chain_order(const struct cipher_row *c, bool seal)
{
	bool hash_first = c->mode == IMB_CIPHER_CCM ? seal : !seal;

	return hash_first ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
}

static void cipher_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *k)
{
	const struct cipher_row *c = cipher_lookup(keys->encr);

	if (c->key_init)
		c->key_init(mgr, keys, &k->cipher);
	/* the direction that is not used is not looked at */
	k->job.enc_keys = k->job.dec_keys = c->mode == IMB_CIPHER_DES3 ? (void *)k->cipher.des3.parts : &k->cipher;
	k->job.key_len_in_bytes = keys->encr->key_bytes;
	k->job.iv_len_in_bytes = c->nonce_bytes;
	k->job.cipher_mode = c->mode;
	k->job.chain_order = chain_order(c, keys->seal);
	k->job.hash_alg = c->hash;
	k->job.auth_tag_output_len_in_bytes = keys->encr->out_bytes;
	k->block_mask = (uint8_t)(keys->encr->block_bytes - 1);
	k->len_min = keys->encr->flags & ALG_AEAD ? 0 : 1;
}

static void hash_init(IMB_MGR *mgr, const struct crypto_keys *keys, struct imb_job_key *k)
{
	const struct hash_row *h = hash_lookup(keys->integ);

	h->key_init(mgr, keys, k);
	k->job.hash_alg = h->hash;
	k->job.auth_tag_output_len_in_bytes = keys->integ->out_bytes;
}

int imb_job_key_init(void *manager, const struct crypto_keys *keys, void *ret_context)
{
	IMB_MGR *mgr = ((struct imb_manager *)manager)->mgr;
	struct imb_job_key *k = (struct imb_job_key *)ret_context;

	/* AH; a cipher changes it */
	k->job.cipher_mode = IMB_CIPHER_NULL;
	k->job.chain_order = IMB_ORDER_HASH_CIPHER;
	k->len_min = 1;
	k->job.cipher_direction = keys->seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	if (keys->encr)
		cipher_init(mgr, keys, k);
	if (keys->integ)
		hash_init(mgr, keys, k);
#if IMB_VERSION_NUM > IMB_VERSION(1, 3, 0)
	/* newer libraries look their functions up here, once */
	imb_set_session(mgr, &k->job);
#endif
	return 0;
}
