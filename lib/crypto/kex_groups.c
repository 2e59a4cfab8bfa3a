/* SPDX-License-Identifier: BSD-3-Clause */
/* The key exchange groups as a table over EVP, and what their peers' values are checked for. */
#include "kex_priv.h"

#include <openssl/core_names.h>

#define MODP_GENERATOR 2

/* 1 < y < p - 1. The primes of RFC 2409 and RFC 3526 are safe, so every such value generates a group of order q or 2q,
 * which is all that RFC 6989 2.1 asks for; OpenSSL's own validation adds an exponentiation of 2 ms. */
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

/* The import of an ECP or Brainpool value checks its coordinates' range and that it is on the curve; a value of exact
 * length cannot spell the point at infinity, and the cofactor is 1 (RFC 6989 2.3, RFC 6954 5). */
static const struct kex_group groups[] = {
	{ .id = KE_MODP_1024,
		.type = "DH",
		.prime = BN_get_rfc2409_prime_1024,
		.padded = true,
		.peer_valid = modp_peer_valid },
	{ .id = KE_MODP_1536, .type = "DH", .name = "modp_1536", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_MODP_2048, .type = "DH", .name = "modp_2048", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_MODP_3072, .type = "DH", .name = "modp_3072", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_MODP_4096, .type = "DH", .name = "modp_4096", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_MODP_6144, .type = "DH", .name = "modp_6144", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_MODP_8192, .type = "DH", .name = "modp_8192", .padded = true, .peer_valid = modp_peer_valid },
	{ .id = KE_ECP_256, .type = "EC", .name = "P-256", .has_format_byte = true },
	{ .id = KE_ECP_384, .type = "EC", .name = "P-384", .has_format_byte = true },
	{ .id = KE_ECP_521, .type = "EC", .name = "P-521", .has_format_byte = true },
	{ .id = KE_BRAINPOOL_224, .type = "EC", .name = "brainpoolP224r1", .has_format_byte = true },
	{ .id = KE_BRAINPOOL_256, .type = "EC", .name = "brainpoolP256r1", .has_format_byte = true },
	{ .id = KE_BRAINPOOL_384, .type = "EC", .name = "brainpoolP384r1", .has_format_byte = true },
	{ .id = KE_BRAINPOOL_512, .type = "EC", .name = "brainpoolP512r1", .has_format_byte = true },
	{ .id = KE_CURVE25519, .type = "X25519", .raw_private = true, .zero_is_peers = true },
	{ .id = KE_CURVE448, .type = "X448", .raw_private = true, .zero_is_peers = true },
};

const struct kex_group *kex_group_lookup(const struct alg *alg)
{
	for (size_t i = 0; alg && alg->type == TRANSFORM_KE && i < ARRAY_LEN(groups); i++)
		if (groups[i].id == alg->id && alg->key_bytes <= KE_PUBLIC_MAX)
			return &groups[i];
	return NULL;
}

bool kex_prime_push(const struct kex_group *group, OSSL_PARAM_BLD *bld, BIGNUM *p, BIGNUM *g)
{
	return group->prime(p) && BN_set_word(g, MODP_GENERATOR) == 1 &&
	       OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_FFC_P, p) == 1 &&
	       OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_FFC_G, g) == 1;
}
