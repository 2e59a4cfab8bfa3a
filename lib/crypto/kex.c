/* SPDX-License-Identifier: BSD-3-Clause */
/* Key exchange groups as a table over EVP: generate, check the peer's value (RFC 6989), derive. Values on the wire:
 * MODP left-padded to the modulus (RFC 7296 3.4), ECP x|y without a format byte (RFC 5903 7), X25519 raw (RFC 8031). */
#include "crypto.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#include "crypto_priv.h"

#define EC_UNCOMPRESSED 0x04
#define ENCODED_MAX     (1 + KE_PUBLIC_MAX)

struct kex_group {
	uint16_t id;          /* IANA number */
	const char *type;     /* OpenSSL's key type */
	const char *name;     /* its group name, NULL when the type says it all */
	bool has_format_byte; /* OpenSSL's encoding starts with EC_UNCOMPRESSED, the wire's does not */
	bool padded;          /* the shared secret is left-padded to its full length */
	bool raw_private;     /* private keys are octet strings, else integers */
	bool zero_is_peers;   /* derivation fails only on a peer's low-order value */
	bool (*peer_valid)(const EVP_PKEY *own, struct bytes public_value); /* checks that the import does not make */
};

struct kex_key {
	EVP_PKEY *pkey;
	const struct kex_group *group;
	const struct alg *alg;
};

/* 1 < y < p - 1. With a safe prime every such value generates a group of order q or 2q, which is all that RFC 6989 2.1
 * asks for; OpenSSL's own validation adds an exponentiation of 2 ms. */
static bool modp_peer_valid(const EVP_PKEY *own, struct bytes public_value)
{
	BIGNUM *p = NULL;
	BIGNUM *y = BN_bin2bn(public_value.data, (int)public_value.len, NULL);
	bool valid = y && EVP_PKEY_get_bn_param(own, OSSL_PKEY_PARAM_FFC_P, &p) == 1 && BN_sub_word(p, 1) == 1 &&
		     BN_cmp(y, BN_value_one()) > 0 && BN_cmp(y, p) < 0;

	BN_free(p);
	BN_free(y);
	return valid;
}

/* The import of an ECP value checks its coordinates' range and that it is on the curve; a value of exact length cannot
 * spell the point at infinity, and the cofactor is 1 (RFC 6989 2.3). */
static const struct kex_group groups[] = {
	{ .id = KE_MODP_2048, .type = "DH", .name = "modp_2048", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_ECP_256, .type = "EC", .name = "P-256", .has_format_byte = true },
	{ .id = KE_ECP_384, .type = "EC", .name = "P-384", .has_format_byte = true },
	{ .id = KE_CURVE25519, .type = "X25519", .raw_private = true, .zero_is_peers = true },
};

static const struct kex_group *group_lookup(const struct alg *alg)
{
	for (size_t i = 0; alg && alg->type == TRANSFORM_KE && i < ARRAY_LEN(groups); i++)
		if (groups[i].id == alg->id && alg->key_bytes <= KE_PUBLIC_MAX)
			return &groups[i];
	return NULL;
}

/* Takes pkey, also when it fails. */
static struct kex_key *key_create(const struct kex_group *group, const struct alg *alg, EVP_PKEY *pkey)
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

static EVP_PKEY *pkey_generate(const struct kex_group *group)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, group->type, NULL);

	/* private MODP keys get OpenSSL's length for safe primes: twice the strength, 225 bits */
	if (ctx && EVP_PKEY_keygen_init(ctx) == 1 &&
		(!group->name || EVP_PKEY_CTX_set_group_name(ctx, group->name) == 1) &&
		EVP_PKEY_generate(ctx, &pkey) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
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
	const struct kex_group *g = group_lookup(group);
	EVP_PKEY *pkey = g ? pkey_generate(g) : NULL;
	struct kex_key *key = pkey ? key_create(g, group, pkey) : NULL;

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

/* The peer's value as a key in our key's group, checked; NULL when it is refused. */
static EVP_PKEY *peer_import(const struct kex_key *key, struct bytes peer_public)
{
	uint8_t encoded[ENCODED_MAX];
	struct writer w = writer_init(encoded, sizeof(encoded));

	if (peer_public.len != key->alg->key_bytes)
		return NULL;
	if (key->group->peer_valid && !key->group->peer_valid(key->pkey, peer_public))
		return NULL;
	if (key->group->has_format_byte)
		writer_u8(&w, EC_UNCOMPRESSED);
	writer_bytes(&w, peer_public);
	EVP_PKEY *peer = w.failed ? NULL : EVP_PKEY_new();
	if (peer && (EVP_PKEY_copy_parameters(peer, key->pkey) != 1 ||
			    EVP_PKEY_set1_encoded_public_key(peer, encoded, w.len) != 1)) {
		EVP_PKEY_free(peer);
		peer = NULL;
	}
	return peer;
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
	EVP_PKEY_free(peer);
	if (err) {
		secret_done(ret_shared);
		ERR_clear_error();
	}
	return err == -ENOMEM ? -EIO : err;
}

/* The pair of values as OpenSSL's parameters for an import; the numbers live as long as the builder. */
static OSSL_PARAM *import_params(OSSL_PARAM_BLD *bld, const struct kex_group *g, BIGNUM *private_number,
	struct bytes private_value, BIGNUM *public_number, struct bytes encoded)
{
	bool ok = private_number && public_number;

	if (g->name)
		ok = ok && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, g->name, 0) == 1;
	if (g->raw_private)
		ok = ok && OSSL_PARAM_BLD_push_octet_string(
				   bld, OSSL_PKEY_PARAM_PRIV_KEY, private_value.data, private_value.len) == 1;
	else
		ok = ok && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, private_number) == 1;
	if (g->raw_private || g->has_format_byte)
		ok = ok &&
		     OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, encoded.data, encoded.len) == 1;
	else
		ok = ok && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PUB_KEY, public_number) == 1;
	return ok ? OSSL_PARAM_BLD_to_param(bld) : NULL;
}

/* NULL unless both values are of the group and belong together. */
static EVP_PKEY *pair_import(const struct kex_group *g, OSSL_PARAM *params)
{
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, g->type, NULL), *check = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) == 1) {
		check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
		if (!check || EVP_PKEY_pairwise_check(check) != 1) {
			EVP_PKEY_free(pkey);
			pkey = NULL;
		}
	}
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *pkey_import(const struct kex_group *g, struct bytes private_value, struct bytes public_value)
{
	uint8_t encoded[ENCODED_MAX];
	struct writer w = writer_init(encoded, sizeof(encoded));
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *private_number = BN_secure_new(), *public_number = BN_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (g->has_format_byte)
		writer_u8(&w, EC_UNCOMPRESSED);
	writer_bytes(&w, public_value);
	if (bld && !w.failed && private_number && public_number &&
		BN_bin2bn(private_value.data, (int)private_value.len, private_number) &&
		BN_bin2bn(public_value.data, (int)public_value.len, public_number))
		params = import_params(bld, g, private_number, private_value, public_number, writer_view(&w));
	if (params)
		pkey = pair_import(g, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_clear_free(private_number);
	BN_free(public_number);
	return pkey;
}

int kex_import(const struct alg *group, struct bytes private_value, struct bytes public_value, struct kex_key **ret_key)
{
	const struct kex_group *g = group_lookup(group);
	EVP_PKEY *pkey = NULL;

	if (!g || public_value.len != group->key_bytes || !private_value.len || private_value.len > KE_PUBLIC_MAX)
		return -EINVAL;
	pkey = pkey_import(g, private_value, public_value);
	if (!pkey) {
		ERR_clear_error();
		return -EINVAL;
	}
	*ret_key = key_create(g, group, pkey);
	return *ret_key ? 0 : -EIO;
}
