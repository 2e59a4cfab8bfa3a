/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of algorithms: IANA IKEv2 transform numbers with every size that anybody needs. One row per algorithm and
 * key length; proposals, SA sizes, key material lengths and texts all come from here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 7296 3.3.2, transform types. */
enum transform_type {
	TRANSFORM_ENCR = 1,
	TRANSFORM_PRF = 2,
	TRANSFORM_INTEG = 3,
	TRANSFORM_KE = 4, /* "Key Exchange Method", was Diffie-Hellman group */
	TRANSFORM_ESN = 5,
	TRANSFORM_TYPES = 6, /* size of arrays indexed by type */
};

enum {
	ENCR_3DES = 3,
	ENCR_NULL = 11,
	ENCR_AES_CBC = 12,
	ENCR_AES_CTR = 13,
	ENCR_AES_CCM_8 = 14,
	ENCR_AES_CCM_12 = 15,
	ENCR_AES_CCM_16 = 16,
	ENCR_AES_GCM_8 = 18,
	ENCR_AES_GCM_12 = 19,
	ENCR_AES_GCM_16 = 20,
	ENCR_NULL_AUTH_AES_GMAC = 21,
	ENCR_CHACHA20_POLY1305 = 28,
	ENCR_AES_CCM_8_IIV = 29,
	ENCR_AES_GCM_16_IIV = 30,
	ENCR_CHACHA20_POLY1305_IIV = 31,
	PRF_HMAC_SHA1 = 2,
	PRF_HMAC_SHA2_256 = 5,
	PRF_HMAC_SHA2_384 = 6,
	PRF_HMAC_SHA2_512 = 7,
	PRF_AES128_CMAC = 8,
	INTEG_NONE = 0,
	INTEG_HMAC_SHA1_96 = 2,
	INTEG_AES_XCBC_96 = 5,
	INTEG_AES_CMAC_96 = 8,
	INTEG_AES_128_GMAC = 9,
	INTEG_AES_192_GMAC = 10,
	INTEG_AES_256_GMAC = 11,
	INTEG_HMAC_SHA2_256_128 = 12,
	INTEG_HMAC_SHA2_384_192 = 13,
	INTEG_HMAC_SHA2_512_256 = 14,
	KE_NONE = 0,
	KE_MODP_1024 = 2,
	KE_MODP_1536 = 5,
	KE_MODP_2048 = 14,
	KE_MODP_3072 = 15,
	KE_MODP_4096 = 16,
	KE_MODP_6144 = 17,
	KE_MODP_8192 = 18,
	KE_ECP_256 = 19,
	KE_ECP_384 = 20,
	KE_ECP_521 = 21,
	KE_BRAINPOOL_224 = 27,
	KE_BRAINPOOL_256 = 28,
	KE_BRAINPOOL_384 = 29,
	KE_BRAINPOOL_512 = 30,
	KE_CURVE25519 = 31,
	KE_CURVE448 = 32,
	ESN_NO = 0,
	ESN_YES = 1,
};

enum alg_flags {
	ALG_AEAD = 1 << 0,    /* ENCR with its own integrity */
	ALG_IKE = 1 << 1,     /* usable to protect IKE messages */
	ALG_ESP = 1 << 2,     /* usable in an ESP SA */
	ALG_COUNTER = 1 << 3, /* the nonce must never repeat under a key (GCM, CTR ...) */
	ALG_AH = 1 << 4,      /* usable in an AH SA */
	ALG_IIV = 1 << 5,     /* implicit IV: it is the sequence number and not on the wire (RFC 8750) */
};

struct alg {
	uint8_t type;        /* enum transform_type */
	uint16_t id;         /* IANA number */
	uint16_t key_bits;   /* value of the Key Length attribute; 0: the algorithm has none */
	uint16_t flags;      /* enum alg_flags */
	uint16_t key_bytes;  /* ENCR: key without salt; PRF, INTEG: preferred key; KE: public value */
	uint8_t salt_bytes;  /* ENCR, GMAC: implicit part of the nonce, taken from the key material after the key */
	uint8_t iv_bytes;    /* ENCR, GMAC: explicit IV on the wire */
	uint8_t block_bytes; /* ENCR: padding granularity (at least 1) */
	uint16_t out_bytes;  /* AEAD: ICV; PRF: output; INTEG: truncated ICV; KE: shared secret */
	const char *keyword; /* in proposals: "aes256gcm16", "prfsha256", "sha256", "ecp256" */
	const char *name;    /* in texts: "AES-GCM-256" */
};

/* The row of (type, id, key_bits), or NULL when we do not know it. key_bits is 0 for algorithms without the attribute.
 */
const struct alg *alg_lookup(enum transform_type type, uint16_t id, uint16_t key_bits);

/* The row with this proposal keyword and type, or NULL. "sha256" is one row as INTEG; as PRF it is "prfsha256". */
const struct alg *alg_lookup_keyword(enum transform_type type, const char *keyword, size_t keyword_len);

/* Other spellings of its keyword, index 0 first; NULL ends. */
const char *alg_alias(const struct alg *a, size_t index);

/* The PRF that goes with an integrity algorithm when a proposal names none (sha256 -> prfsha256), or NULL. */
const struct alg *alg_prf_of_integ(uint16_t integ_id);

/* Every row in turn: alg_next(NULL) is the first, NULL ends. */
const struct alg *alg_next(const struct alg *a);

/* Why an algorithm is not recommended today, whoever made its keys, to stand behind its name ("does not encrypt"):
 * static text, NULL when there is nothing to say. Only who wrote `allow_weak: true` can use one. */
const char *alg_weakness(const struct alg *a);

const char *transform_type_name(uint8_t type);
