/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithm table and its look-ups. Adding an algorithm is adding a row. */
#include "alg.h"

#include <string.h>

static const struct alg table[] = {
	/* type, id, key bits, flags, key bytes, salt, iv, block, out, keyword, name */
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 128, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 4, 8, 1, 16,
		"aes128gcm16", "AES-GCM-128" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 192, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 24, 4, 8, 1, 16,
		"aes192gcm16", "AES-GCM-192" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16, 256, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 4, 8, 1, 16,
		"aes256gcm16", "AES-GCM-256" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_12, 128, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 4, 8, 1, 12,
		"aes128gcm12", "AES-GCM-128-12" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_12, 192, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 24, 4, 8, 1, 12,
		"aes192gcm12", "AES-GCM-192-12" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_12, 256, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 4, 8, 1, 12,
		"aes256gcm12", "AES-GCM-256-12" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_8, 128, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 4, 8, 1, 8, "aes128gcm8",
		"AES-GCM-128-8" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_8, 192, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 24, 4, 8, 1, 8, "aes192gcm8",
		"AES-GCM-192-8" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_8, 256, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 4, 8, 1, 8, "aes256gcm8",
		"AES-GCM-256-8" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_16, 128, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 3, 8, 1, 16,
		"aes128ccm16", "AES-CCM-128" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_16, 192, ALG_AEAD | ALG_COUNTER | ALG_IKE, 24, 3, 8, 1, 16, "aes192ccm16",
		"AES-CCM-192" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_16, 256, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 3, 8, 1, 16,
		"aes256ccm16", "AES-CCM-256" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_12, 128, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 3, 8, 1, 12,
		"aes128ccm12", "AES-CCM-128-12" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_12, 192, ALG_AEAD | ALG_COUNTER | ALG_IKE, 24, 3, 8, 1, 12, "aes192ccm12",
		"AES-CCM-192-12" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_12, 256, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 3, 8, 1, 12,
		"aes256ccm12", "AES-CCM-256-12" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8, 128, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 3, 8, 1, 8, "aes128ccm8",
		"AES-CCM-128-8" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8, 192, ALG_AEAD | ALG_COUNTER | ALG_IKE, 24, 3, 8, 1, 8, "aes192ccm8",
		"AES-CCM-192-8" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8, 256, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 3, 8, 1, 8, "aes256ccm8",
		"AES-CCM-256-8" },
	{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0, ALG_AEAD | ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 4, 8, 1, 16,
		"chacha20poly1305", "CHACHA20-POLY1305" },
	{ TRANSFORM_ENCR, ENCR_AES_CBC, 128, ALG_IKE | ALG_ESP, 16, 0, 16, 16, 0, "aes128", "AES-CBC-128" },
	{ TRANSFORM_ENCR, ENCR_AES_CBC, 192, ALG_IKE | ALG_ESP, 24, 0, 16, 16, 0, "aes192", "AES-CBC-192" },
	{ TRANSFORM_ENCR, ENCR_AES_CBC, 256, ALG_IKE | ALG_ESP, 32, 0, 16, 16, 0, "aes256", "AES-CBC-256" },
	{ TRANSFORM_ENCR, ENCR_AES_CTR, 128, ALG_COUNTER | ALG_IKE | ALG_ESP, 16, 4, 8, 1, 0, "aes128ctr",
		"AES-CTR-128" },
	{ TRANSFORM_ENCR, ENCR_AES_CTR, 192, ALG_COUNTER | ALG_IKE | ALG_ESP, 24, 4, 8, 1, 0, "aes192ctr",
		"AES-CTR-192" },
	{ TRANSFORM_ENCR, ENCR_AES_CTR, 256, ALG_COUNTER | ALG_IKE | ALG_ESP, 32, 4, 8, 1, 0, "aes256ctr",
		"AES-CTR-256" },
	{ TRANSFORM_ENCR, ENCR_3DES, 0, ALG_IKE | ALG_ESP, 24, 0, 8, 8, 0, "3des", "3DES-CBC" },
	{ TRANSFORM_ENCR, ENCR_NULL, 0, ALG_ESP, 0, 0, 0, 1, 0, "null", "NULL" },
	{ TRANSFORM_ENCR, ENCR_NULL_AUTH_AES_GMAC, 128, ALG_AEAD | ALG_COUNTER | ALG_ESP, 16, 4, 8, 1, 16, "aes128gmac",
		"NULL-AES-GMAC-128" },
	{ TRANSFORM_ENCR, ENCR_NULL_AUTH_AES_GMAC, 192, ALG_AEAD | ALG_COUNTER | ALG_ESP, 24, 4, 8, 1, 16, "aes192gmac",
		"NULL-AES-GMAC-192" },
	{ TRANSFORM_ENCR, ENCR_NULL_AUTH_AES_GMAC, 256, ALG_AEAD | ALG_COUNTER | ALG_ESP, 32, 4, 8, 1, 16, "aes256gmac",
		"NULL-AES-GMAC-256" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16_IIV, 128, ALG_AEAD | ALG_COUNTER | ALG_IIV | ALG_ESP, 16, 4, 0, 1, 16,
		"aes128gcm16iiv", "AES-GCM-128-IIV" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16_IIV, 192, ALG_AEAD | ALG_COUNTER | ALG_IIV | ALG_ESP, 24, 4, 0, 1, 16,
		"aes192gcm16iiv", "AES-GCM-192-IIV" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_16_IIV, 256, ALG_AEAD | ALG_COUNTER | ALG_IIV | ALG_ESP, 32, 4, 0, 1, 16,
		"aes256gcm16iiv", "AES-GCM-256-IIV" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8_IIV, 128, ALG_AEAD | ALG_COUNTER | ALG_IIV | ALG_ESP, 16, 3, 0, 1, 8,
		"aes128ccm8iiv", "AES-CCM-128-8-IIV" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8_IIV, 256, ALG_AEAD | ALG_COUNTER | ALG_IIV | ALG_ESP, 32, 3, 0, 1, 8,
		"aes256ccm8iiv", "AES-CCM-256-8-IIV" },
	{ TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305_IIV, 0, ALG_AEAD | ALG_COUNTER | ALG_IIV | ALG_ESP, 32, 4, 0, 1, 16,
		"chacha20poly1305iiv", "CHACHA20-POLY1305-IIV" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0, ALG_IKE, 32, 0, 0, 0, 32, "prfsha256", "PRF-HMAC-SHA2-256" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_384, 0, ALG_IKE, 48, 0, 0, 0, 48, "prfsha384", "PRF-HMAC-SHA2-384" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA2_512, 0, ALG_IKE, 64, 0, 0, 0, 64, "prfsha512", "PRF-HMAC-SHA2-512" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA1, 0, ALG_IKE, 20, 0, 0, 0, 20, "prfsha1", "PRF-HMAC-SHA1" },
	{ TRANSFORM_PRF, PRF_AES128_CMAC, 0, ALG_IKE, 16, 0, 0, 0, 16, "prfaescmac", "PRF-AES128-CMAC" },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, 0, ALG_IKE | ALG_ESP | ALG_AH, 20, 0, 0, 0, 12, "sha1", "HMAC-SHA1-96" },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0, ALG_IKE | ALG_ESP | ALG_AH, 32, 0, 0, 0, 16, "sha256",
		"HMAC-SHA2-256-128" },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_384_192, 0, ALG_IKE | ALG_ESP | ALG_AH, 48, 0, 0, 0, 24, "sha384",
		"HMAC-SHA2-384-192" },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA2_512_256, 0, ALG_IKE | ALG_ESP | ALG_AH, 64, 0, 0, 0, 32, "sha512",
		"HMAC-SHA2-512-256" },
	{ TRANSFORM_INTEG, INTEG_AES_XCBC_96, 0, ALG_ESP | ALG_AH, 16, 0, 0, 0, 12, "aesxcbc", "AES-XCBC-96" },
	{ TRANSFORM_INTEG, INTEG_AES_CMAC_96, 0, ALG_IKE | ALG_ESP | ALG_AH, 16, 0, 0, 0, 12, "aescmac",
		"AES-CMAC-96" },
	{ TRANSFORM_INTEG, INTEG_AES_128_GMAC, 0, ALG_COUNTER | ALG_AH, 16, 4, 8, 0, 16, "aes128gmac", "AES-GMAC-128" },
	{ TRANSFORM_INTEG, INTEG_AES_192_GMAC, 0, ALG_COUNTER | ALG_AH, 24, 4, 8, 0, 16, "aes192gmac", "AES-GMAC-192" },
	{ TRANSFORM_INTEG, INTEG_AES_256_GMAC, 0, ALG_COUNTER | ALG_AH, 32, 4, 8, 0, 16, "aes256gmac", "AES-GMAC-256" },
	{ TRANSFORM_KE, KE_MODP_2048, 0, ALG_IKE | ALG_ESP | ALG_AH, 256, 0, 0, 0, 256, "modp2048", "MODP-2048" },
	{ TRANSFORM_KE, KE_MODP_3072, 0, ALG_IKE | ALG_ESP | ALG_AH, 384, 0, 0, 0, 384, "modp3072", "MODP-3072" },
	{ TRANSFORM_KE, KE_MODP_4096, 0, ALG_IKE | ALG_ESP | ALG_AH, 512, 0, 0, 0, 512, "modp4096", "MODP-4096" },
	{ TRANSFORM_KE, KE_MODP_6144, 0, ALG_IKE | ALG_ESP | ALG_AH, 768, 0, 0, 0, 768, "modp6144", "MODP-6144" },
	{ TRANSFORM_KE, KE_MODP_8192, 0, ALG_IKE | ALG_ESP | ALG_AH, 1024, 0, 0, 0, 1024, "modp8192", "MODP-8192" },
	{ TRANSFORM_KE, KE_MODP_1536, 0, ALG_IKE | ALG_ESP | ALG_AH, 192, 0, 0, 0, 192, "modp1536", "MODP-1536" },
	{ TRANSFORM_KE, KE_MODP_1024, 0, ALG_IKE | ALG_ESP | ALG_AH, 128, 0, 0, 0, 128, "modp1024", "MODP-1024" },
	{ TRANSFORM_KE, KE_ECP_256, 0, ALG_IKE | ALG_ESP | ALG_AH, 64, 0, 0, 0, 32, "ecp256", "ECP-256" },
	{ TRANSFORM_KE, KE_ECP_384, 0, ALG_IKE | ALG_ESP | ALG_AH, 96, 0, 0, 0, 48, "ecp384", "ECP-384" },
	{ TRANSFORM_KE, KE_ECP_521, 0, ALG_IKE | ALG_ESP | ALG_AH, 132, 0, 0, 0, 66, "ecp521", "ECP-521" },
	{ TRANSFORM_KE, KE_CURVE25519, 0, ALG_IKE | ALG_ESP | ALG_AH, 32, 0, 0, 0, 32, "x25519", "CURVE25519" },
	{ TRANSFORM_KE, KE_CURVE448, 0, ALG_IKE | ALG_ESP | ALG_AH, 56, 0, 0, 0, 56, "x448", "CURVE448" },
	{ TRANSFORM_KE, KE_BRAINPOOL_224, 0, ALG_IKE | ALG_ESP | ALG_AH, 56, 0, 0, 0, 28, "ecp224bp", "BRAINPOOL-224" },
	{ TRANSFORM_KE, KE_BRAINPOOL_256, 0, ALG_IKE | ALG_ESP | ALG_AH, 64, 0, 0, 0, 32, "ecp256bp", "BRAINPOOL-256" },
	{ TRANSFORM_KE, KE_BRAINPOOL_384, 0, ALG_IKE | ALG_ESP | ALG_AH, 96, 0, 0, 0, 48, "ecp384bp", "BRAINPOOL-384" },
	{ TRANSFORM_KE, KE_BRAINPOOL_512, 0, ALG_IKE | ALG_ESP | ALG_AH, 128, 0, 0, 0, 64, "ecp512bp",
		"BRAINPOOL-512" },
	{ TRANSFORM_ESN, ESN_NO, 0, ALG_ESP | ALG_AH, 0, 0, 0, 0, 0, "noesn", "NO-ESN" },
	{ TRANSFORM_ESN, ESN_YES, 0, ALG_ESP | ALG_AH, 0, 0, 0, 0, 0, "esn", "ESN" },
};

/* Other spellings that configurations use. */
static const struct alias {
	const char *alias, *keyword;
} aliases[] = {
	{ "aes", "aes128" },
	{ "aes128gcm", "aes128gcm16" },
	{ "aes128gcm128", "aes128gcm16" },
	{ "aes128gcm96", "aes128gcm12" },
	{ "aes128gcm64", "aes128gcm8" },
	{ "aes192gcm", "aes192gcm16" },
	{ "aes192gcm128", "aes192gcm16" },
	{ "aes192gcm96", "aes192gcm12" },
	{ "aes192gcm64", "aes192gcm8" },
	{ "aes256gcm", "aes256gcm16" },
	{ "aes256gcm128", "aes256gcm16" },
	{ "aes256gcm96", "aes256gcm12" },
	{ "aes256gcm64", "aes256gcm8" },
	{ "aes128ccm", "aes128ccm16" },
	{ "aes128ccm128", "aes128ccm16" },
	{ "aes128ccm96", "aes128ccm12" },
	{ "aes128ccm64", "aes128ccm8" },
	{ "aes192ccm", "aes192ccm16" },
	{ "aes192ccm128", "aes192ccm16" },
	{ "aes192ccm96", "aes192ccm12" },
	{ "aes192ccm64", "aes192ccm8" },
	{ "aes256ccm", "aes256ccm16" },
	{ "aes256ccm128", "aes256ccm16" },
	{ "aes256ccm96", "aes256ccm12" },
	{ "aes256ccm64", "aes256ccm8" },
	{ "curve25519", "x25519" },
	{ "curve448", "x448" },
	{ "sha", "sha1" },
	{ "sha2_256", "sha256" },
	{ "sha2_384", "sha384" },
	{ "sha2_512", "sha512" },
};

static const struct {
	uint16_t integ, prf;
} prf_of_integ[] = {
	{ INTEG_HMAC_SHA1_96, PRF_HMAC_SHA1 },
	{ INTEG_AES_CMAC_96, PRF_AES128_CMAC },
	{ INTEG_HMAC_SHA2_256_128, PRF_HMAC_SHA2_256 },
	{ INTEG_HMAC_SHA2_384_192, PRF_HMAC_SHA2_384 },
	{ INTEG_HMAC_SHA2_512_256, PRF_HMAC_SHA2_512 },
};

/* One row for all key lengths. Whatever stands here needs `allow_weak`. GMAC as "encryption" protects the whole packet
 * and hides nothing of it (RFC 4543 2). */
static const struct {
	uint8_t type;
	uint16_t id;
	const char *reason;
} weaknesses[] = {
	{ TRANSFORM_ENCR, ENCR_NULL, "does not encrypt" },
	{ TRANSFORM_ENCR, ENCR_NULL_AUTH_AES_GMAC, "does not encrypt" },
	{ TRANSFORM_ENCR, ENCR_3DES, "should not be used any more (RFC 8221 5)" },
	{ TRANSFORM_ENCR, ENCR_AES_GCM_8, "has an ICV of 8 bytes, which is not recommended (RFC 8221 5)" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8, "has an ICV of 8 bytes, which is for constrained devices (RFC 8221 5)" },
	{ TRANSFORM_ENCR, ENCR_AES_CCM_8_IIV, "has an ICV of 8 bytes, which is for constrained devices (RFC 8221 5)" },
	{ TRANSFORM_PRF, PRF_HMAC_SHA1, "rests on SHA-1, which is on its way out (RFC 8247 2.2)" },
	{ TRANSFORM_INTEG, INTEG_HMAC_SHA1_96, "rests on SHA-1, which is on its way out (RFC 8221 6)" },
	{ TRANSFORM_KE, KE_MODP_1024, "is within reach of precomputation (RFC 8247 2.4)" },
	{ TRANSFORM_KE, KE_MODP_1536, "has less than 112 bits of strength (RFC 8247 2.4)" },
};

#define ROWS(t) (sizeof(t) / sizeof((t)[0]))

const struct alg *alg_lookup(enum transform_type type, uint16_t id, uint16_t key_bits)
{
	for (size_t i = 0; i < ROWS(table); i++)
		if (table[i].type == type && table[i].id == id && table[i].key_bits == key_bits)
			return &table[i];
	return NULL;
}

static bool same_word(const char *keyword, const char *text, size_t len)
{
	return strlen(keyword) == len && memcmp(keyword, text, len) == 0;
}

const struct alg *alg_lookup_keyword(enum transform_type type, const char *keyword, size_t keyword_len)
{
	for (size_t i = 0; i < ROWS(aliases); i++)
		if (same_word(aliases[i].alias, keyword, keyword_len))
			return alg_lookup_keyword(type, aliases[i].keyword, strlen(aliases[i].keyword));
	for (size_t i = 0; i < ROWS(table); i++)
		if (table[i].type == type && same_word(table[i].keyword, keyword, keyword_len))
			return &table[i];
	return NULL;
}

const char *alg_alias(const struct alg *a, size_t index)
{
	for (size_t i = 0; i < ROWS(aliases); i++)
		if (strcmp(aliases[i].keyword, a->keyword) == 0 && index-- == 0)
			return aliases[i].alias;
	return NULL;
}

const struct alg *alg_prf_of_integ(uint16_t integ_id)
{
	for (size_t i = 0; i < ROWS(prf_of_integ); i++)
		if (prf_of_integ[i].integ == integ_id)
			return alg_lookup(TRANSFORM_PRF, prf_of_integ[i].prf, 0);
	return NULL;
}

const struct alg *alg_next(const struct alg *a)
{
	size_t i = a ? (size_t)(a - table) + 1 : 0;

	return i < ROWS(table) ? &table[i] : NULL;
}

const char *alg_weakness(const struct alg *a)
{
	for (size_t i = 0; i < ROWS(weaknesses); i++)
		if (weaknesses[i].type == a->type && weaknesses[i].id == a->id)
			return weaknesses[i].reason;
	return NULL;
}

const char *transform_type_name(uint8_t type)
{
	static const char *const names[TRANSFORM_TYPES] = {
		[TRANSFORM_ENCR] = "encryption",
		[TRANSFORM_PRF] = "PRF",
		[TRANSFORM_INTEG] = "integrity",
		[TRANSFORM_KE] = "key exchange",
		[TRANSFORM_ESN] = "ESN",
	};

	return type < TRANSFORM_TYPES && names[type] ? names[type] : "unknown";
}
