/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the reference engine share: its key context, which is just the keys, and its primitives. */
#pragma once

#include "crypto_priv.h"

#define REF_KEY_MAX 68

struct ref_key {
	const struct alg *encr, *integ;
	uint8_t encr_key[REF_KEY_MAX], integ_key[REF_KEY_MAX];
};

/* Anything that fails in this engine is a broken OpenSSL or a bug of ours. */
void ref_must(int ok);

/* Text in place, by AES-CBC, AES-CTR, 3DES-CBC or not at all. */
void ref_cipher(const struct ref_key *key, const struct crypto_op *op, bool encrypt);
/* The integrity algorithm's ICV over the bytes. */
void ref_mac(const struct ref_key *key, const uint8_t *data, size_t len, uint8_t *ret_icv, size_t icv_bytes);
/* Encrypts text in place and writes the ICV. */
void ref_aead(const struct ref_key *key, const struct crypto_op *op);
/* The ICV over aad and data. a: the row with the key's size. */
void ref_gmac(const struct alg *a, const uint8_t *key, const struct crypto_op *op, struct bytes aad, struct bytes data);
