/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files of the crypto room only: the contexts behind struct crypto and the functions that make, use and
 * end each group of them. */
#pragma once

#include <openssl/evp.h>

#include "crypto.h"

enum mac_kind { MAC_HMAC_SHA1, MAC_HMAC_SHA2_256, MAC_HMAC_SHA2_384, MAC_HMAC_SHA2_512, MAC_CMAC_AES128, MAC_KINDS };

#define AEAD_CIPHERS  14
#define MAC_OUT_MAX   64
#define HASH_SHA1_LEN 20

/* One context per algorithm, so that a call changes keys only: setting another algorithm frees and allocates. */
struct crypto {
	EVP_MAC_CTX *mac[MAC_KINDS];
	EVP_CIPHER_CTX *cipher[AEAD_CIPHERS];
	EVP_MD *sha1;
	EVP_MD_CTX *hash;
};

/* Each makes its members of a zeroed struct crypto: 0, or -EIO with the members made so far left to its _done. */
int mac_init(struct crypto *c);
void mac_done(struct crypto *c);
int hash_init(struct crypto *c);
void hash_done(struct crypto *c);
int aead_init(struct crypto *c);
void aead_done(struct crypto *c);

/* The MAC behind a row of this type, or MAC_KINDS. */
enum mac_kind mac_kind_of(const struct alg *a, enum transform_type type);
/* The only key length it takes; 0: any. */
size_t mac_key_bytes(enum mac_kind kind);

/* MAC(key, parts...) cut to len bytes (at most its size). 0 or -EIO, also for a key that it does not take. */
int mac_compute(struct crypto *c, enum mac_kind kind, struct bytes key, const struct bytes *parts, size_t count,
	uint8_t *ret_mac, size_t len);

/* Makes a key pair and its value on the wire (*ret_public_len bytes, at most KE_PUBLIC_MAX). 0, -EINVAL for a row that
 * is no key exchange of ours, or -EIO. *ret_key is owned by the caller. */
int kex_generate(const struct alg *group, struct kex_key **ret_key, uint8_t *ret_public, size_t *ret_public_len);

/* Checks the peer's value (RFC 6989) and derives the shared secret into an empty *ret_shared. 0, -EINVAL (refused),
 * -EIO. */
int kex_derive(const struct kex_key *key, struct bytes peer_public, struct secret *ret_shared);
