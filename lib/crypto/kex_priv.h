/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files of key exchange: one row per group, and a private key in it. */
#pragma once

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "crypto_priv.h"

#define EC_UNCOMPRESSED 0x04
#define ENCODED_MAX     (1 + KE_PUBLIC_MAX)

struct kex_group {
	uint16_t id;                  /* IANA number */
	const char *type;             /* OpenSSL's key type */
	const char *name;             /* its group name, NULL when the type says it all */
	BIGNUM *(*prime)(BIGNUM *bn); /* MODP without a name there: its prime, with generator 2 */
	bool has_format_byte;         /* OpenSSL's encoding starts with EC_UNCOMPRESSED, the wire's does not */
	bool padded;                  /* the shared secret is left-padded to its full length */
	bool raw_private;             /* private keys are octet strings, else integers */
	bool zero_is_peers;           /* derivation fails only on a peer's low-order value */
	bool (*peer_valid)(const EVP_PKEY *own, struct bytes public_value); /* checks that the import does not make */
};

struct kex_key {
	EVP_PKEY *pkey;
	const struct kex_group *group;
	const struct alg *alg;
};

/* Made at the first use and used again, for one key at a time: fetching, naming and copying a P-256 group costs more
 * than a key in it. The documentation of EVP_PKEY_keygen allows for that. */
struct kex_kept {
	EVP_PKEY_CTX *generator; /* of keys in the group */
	EVP_PKEY *peer;          /* the value of the last peer */
};

/* This thread's, zeroed at first, gone with the thread; NULL without memory. */
struct kex_kept *kex_kept_of(const struct kex_group *group);

/* NULL for a row that is no key exchange of ours. */
const struct kex_group *kex_group_lookup(const struct alg *alg);

/* A MODP group that OpenSSL has no name for: p and g are filled and pushed, and live as long as the builder. */
bool kex_prime_push(const struct kex_group *group, OSSL_PARAM_BLD *bld, BIGNUM *p, BIGNUM *g);

/* Takes pkey, also when it fails: NULL without memory. */
struct kex_key *kex_key_create(const struct kex_group *group, const struct alg *alg, EVP_PKEY *pkey);
