/* SPDX-License-Identifier: BSD-3-Clause */
/* Key exchange over EVP: generate, check the peer's value (RFC 6989), derive. Values on the wire:
 * MODP left-padded to the modulus (RFC 7296 3.4), ECP and Brainpool x|y without a format byte (RFC 5903 7, RFC 6954 2),
 * X25519 and X448 raw (RFC 8031 3). */
#include "kex_priv.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

/* Of a private MODP key where OpenSSL knows no better: what it takes for 2048 bits, far beyond twice the strength. */
#define PRIVATE_BITS 225

struct kex_key *kex_key_create(const struct kex_group *group, const struct alg *alg, EVP_PKEY *pkey)
{
	struct kex_key *key = calloc(1, sizeof(*key));

	if (!key) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	*key = (struct kex_key){ .pkey = pkey, .group = group, .alg = alg };
	return key;
}

void kex_free(struct kex_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

/* A key generator for a MODP group that OpenSSL has no name for. */
static EVP_PKEY_CTX *prime_context(const struct kex_group *group)
{
	EVP_PKEY_CTX *import = EVP_PKEY_CTX_new_from_name(NULL, group->type, NULL), *ctx = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *p = BN_new(), *g = BN_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (import && bld && p && g && kex_prime_push(group, bld, p, g))
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params && EVP_PKEY_fromdata_init(import) == 1 &&
		EVP_PKEY_fromdata(import, &pkey, EVP_PKEY_KEY_PARAMETERS, params) == 1)
		ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	EVP_PKEY_free(pkey);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(p);
	BN_free(g);
	EVP_PKEY_CTX_free(import);
	return ctx;
}

/* The context makes keys of the group: with a short private key where OpenSSL would take one as long as the prime. */
static bool group_set(EVP_PKEY_CTX *ctx, const struct kex_group *group)
{
	int bits = PRIVATE_BITS;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_DH_PRIV_LEN, &bits),
		OSSL_PARAM_construct_end(),
	};

	if (group->prime)
		return EVP_PKEY_CTX_set_params(ctx, params) == 1;
	return !group->name || EVP_PKEY_CTX_set_group_name(ctx, group->name) == 1;
}

/* Private MODP keys get OpenSSL's length for safe primes: twice the strength, 225 bits with 2048. */
static EVP_PKEY_CTX *generator_create(const struct kex_group *group)
{
	EVP_PKEY_CTX *ctx = group->prime ? prime_context(group) : EVP_PKEY_CTX_new_from_name(NULL, group->type, NULL);

	if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 || !group_set(ctx, group)) {
		EVP_PKEY_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static EVP_PKEY *pkey_generate(const struct kex_group *group)
{
	struct kex_kept *kept = kex_kept_of(group);
	EVP_PKEY *pkey = NULL;

	if (kept && !kept->generator)
		kept->generator = generator_create(group);
	if (!kept || !kept->generator || EVP_PKEY_generate(kept->generator, &pkey) != 1)
		return NULL;
	return pkey;
}

/* The key's public value as on the wire. */
static int public_encode(const struct kex_key *key, uint8_t *ret_public)
{
	uint8_t *encoded = NULL;
	size_t skip = key->group->has_format_byte;
	size_t len = EVP_PKEY_get1_encoded_public_key(key->pkey, &encoded);
	int err = -EIO;

	if (len == skip + key->alg->key_bytes && (!skip || encoded[0] == EC_UNCOMPRESSED)) {
		memcpy(ret_public, encoded + skip, key->alg->key_bytes);
		err = 0;
	}
	OPENSSL_free(encoded);
	return err;
}

int kex_generate(const struct alg *group, struct kex_key **ret_key, uint8_t *ret_public, size_t *ret_public_len)
{
	const struct kex_group *g = kex_group_lookup(group);
	EVP_PKEY *pkey = g ? pkey_generate(g) : NULL;
	struct kex_key *key = pkey ? kex_key_create(g, group, pkey) : NULL;

	if (!g)
		return -EINVAL;
	if (!key || public_encode(key, ret_public)) {
		kex_free(key);
		ERR_clear_error();
		return -EIO;
	}
	*ret_key = key;
	*ret_public_len = group->key_bytes;
	return 0;
}

/* A key to put the values of peers into, which has the domain parameters only. */
static EVP_PKEY *peer_create(const struct kex_key *key)
{
	EVP_PKEY *peer = EVP_PKEY_new();

	if (peer && EVP_PKEY_copy_parameters(peer, key->pkey) != 1) {
		EVP_PKEY_free(peer);
		return NULL;
	}
	return peer;
}

/* The peer's value as a key in our key's group, checked, until the next one; NULL when it is refused. */
static EVP_PKEY *peer_import(const struct kex_key *key, struct bytes peer_public)
{
	struct kex_kept *kept = kex_kept_of(key->group);
	uint8_t encoded[ENCODED_MAX];
	struct writer w = writer_init(encoded, sizeof(encoded));

	if (!kept || peer_public.len != key->alg->key_bytes)
		return NULL;
	if (key->group->peer_valid && !key->group->peer_valid(key->pkey, peer_public))
		return NULL;
	if (key->group->has_format_byte)
		writer_u8(&w, EC_UNCOMPRESSED);
	writer_bytes(&w, peer_public);
	if (!kept->peer)
		kept->peer = peer_create(key);
	if (!kept->peer || w.failed || EVP_PKEY_set1_encoded_public_key(kept->peer, encoded, w.len) != 1) {
		/* a value that is refused may be in it, as a whole or in part */
		EVP_PKEY_free(kept->peer);
		kept->peer = NULL;
	}
	return kept->peer;
}

static bool is_zero(const struct secret *s)
{
	uint8_t any = 0;

	for (size_t i = 0; i < s->len; i++)
		any |= s->data[i];
	return any == 0;
}

static int pkey_derive(const struct kex_key *key, EVP_PKEY *peer, struct secret *shared)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	size_t len = shared->len;
	int err = -EIO;

	/* 0: the peer was checked above, do not spend 2 ms on it */
	if (ctx && EVP_PKEY_derive_init(ctx) == 1 && (!key->group->padded || EVP_PKEY_CTX_set_dh_pad(ctx, 1) == 1) &&
		EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1) {
		if (EVP_PKEY_derive(ctx, shared->data, &len) != 1)
			err = key->group->zero_is_peers ? -EINVAL : -EIO;
		else if (len == shared->len)
			err = is_zero(shared) ? -EINVAL : 0;
	}
	EVP_PKEY_CTX_free(ctx);
	return err;
}

int kex_derive(const struct kex_key *key, struct bytes peer_public, struct secret *ret_shared)
{
	EVP_PKEY *peer = peer_import(key, peer_public);
	int err = peer ? secret_init(ret_shared, key->alg->out_bytes) : -EINVAL;

	if (!err)
		err = pkey_derive(key, peer, ret_shared);
	if (err) {
		secret_done(ret_shared);
		ERR_clear_error();
	}
	return err == -ENOMEM ? -EIO : err;
}
