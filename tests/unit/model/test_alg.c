/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithm table: rows found by number and by keyword, no two alike, sizes that belong together. */
#include "alg.h"

#include <string.h>

#include "base.h"
#include "harness.h"

#define PROTOCOLS (ALG_IKE | ALG_ESP | ALG_AH)

/* One word may stand for two algorithms, as "aes128gmac" does, when no protocol knows both. */
static void test_alg_rows_are_unique(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		for (const struct alg *b = alg_next(a); b; b = alg_next(b)) {
			CU_ASSERT_FALSE(a->type == b->type && a->id == b->id && a->key_bits == b->key_bits);
			CU_ASSERT_STRING_NOT_EQUAL(a->name, b->name);
			if (a->type == b->type || (a->flags & b->flags & PROTOCOLS))
				CU_ASSERT_STRING_NOT_EQUAL(a->keyword, b->keyword);
		}
}

static void test_alg_lookups_find_every_row(void)
{
	int rows = 0;

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		enum transform_type type = (enum transform_type)a->type;
		CU_ASSERT_PTR_EQUAL(alg_lookup(type, a->id, a->key_bits), a);
		CU_ASSERT_PTR_EQUAL(alg_lookup_keyword(type, a->keyword, strlen(a->keyword)), a);
		rows++;
	}
	/* 36 ENCR, 5 PRF, 9 INTEG, 16 KE, 2 ESN */
	CU_ASSERT_EQUAL(rows, 68);
}

static void test_alg_lookup_of_unknown_is_null(void)
{
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 0));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 512));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_3DES, 192));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_AES_CCM_8_IIV, 192));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_INTEG, 1, 0)); /* HMAC-MD5-96 */
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 256));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_KE, KE_NONE, 0));
	CU_ASSERT_PTR_NULL(alg_lookup((enum transform_type)99, 1, 0));
}

static void test_alg_keyword_is_matched_whole(void)
{
	CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ENCR, "aes128gcm16", 5));
	CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ENCR, "aes12", 5));
	CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ENCR, "aes128x", 7));
	CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ENCR, "AES128", 6));
	CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ENCR, "", 0));
	CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_PRF, "sha256", 6));
	CU_ASSERT_PTR_EQUAL(
		alg_lookup_keyword(TRANSFORM_ENCR, "aes128-sha256", 6), alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128));
}

static void test_alg_aliases_lead_to_rows(void)
{
	static const struct {
		enum transform_type type;
		const char *alias, *keyword;
	} aliases[] = {
		{ TRANSFORM_ENCR, "aes128gcm", "aes128gcm16" },
		{ TRANSFORM_ENCR, "aes192gcm", "aes192gcm16" },
		{ TRANSFORM_ENCR, "aes256gcm", "aes256gcm16" },
		{ TRANSFORM_ENCR, "aes128ccm", "aes128ccm16" },
		{ TRANSFORM_ENCR, "aes256ccm", "aes256ccm16" },
		{ TRANSFORM_ENCR, "aes", "aes128" },
		{ TRANSFORM_ENCR, "aes128gcm64", "aes128gcm8" },
		{ TRANSFORM_ENCR, "aes192gcm96", "aes192gcm12" },
		{ TRANSFORM_ENCR, "aes256gcm128", "aes256gcm16" },
		{ TRANSFORM_ENCR, "aes256ccm64", "aes256ccm8" },
		{ TRANSFORM_KE, "curve25519", "x25519" },
		{ TRANSFORM_KE, "curve448", "x448" },
		{ TRANSFORM_INTEG, "sha", "sha1" },
		{ TRANSFORM_INTEG, "sha2_256", "sha256" },
		{ TRANSFORM_INTEG, "sha2_384", "sha384" },
		{ TRANSFORM_INTEG, "sha2_512", "sha512" },
	};

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		const struct alg *a = alg_lookup_keyword(aliases[i].type, aliases[i].alias, strlen(aliases[i].alias));
		CU_ASSERT_PTR_NOT_NULL_FATAL(a);
		CU_ASSERT_STRING_EQUAL(a->keyword, aliases[i].keyword);
		CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ESN, aliases[i].alias, strlen(aliases[i].alias)));
	}
}

static bool is_ccm(const struct alg *a)
{
	return a->id == ENCR_AES_CCM_8 || a->id == ENCR_AES_CCM_12 || a->id == ENCR_AES_CCM_16 ||
	       a->id == ENCR_AES_CCM_8_IIV;
}

/* Salt and IV are the nonce: 12 bytes, with CCM 11 (RFC 4106 4, RFC 4309 4, RFC 4543 3, RFC 7634 2). An implicit IV
 * has 8 bytes too, which are not sent (RFC 8750 4). */
static void check_aead(const struct alg *a)
{
	bool implicit = a->flags & ALG_IIV;

	CU_ASSERT(a->out_bytes == 8 || a->out_bytes == 12 || a->out_bytes == 16);
	CU_ASSERT(a->block_bytes == 1 && (a->flags & ALG_COUNTER));
	CU_ASSERT_EQUAL(a->iv_bytes, implicit ? 0 : 8);
	CU_ASSERT_EQUAL(a->salt_bytes + 8, is_ccm(a) ? 11 : 12);
	CU_ASSERT_FALSE(implicit && (a->flags & ALG_IKE));
}

/* CBC has an IV of one block (RFC 3602 3, RFC 2451 3), CTR a nonce of 4 and an IV of 8 bytes (RFC 3686 4), NULL
 * nothing. */
static void check_classic(const struct alg *a)
{
	bool counter = a->flags & ALG_COUNTER, null = a->id == ENCR_NULL;

	CU_ASSERT(a->out_bytes == 0 && !(a->flags & ALG_IIV));
	CU_ASSERT_EQUAL(a->salt_bytes, counter ? 4 : 0);
	CU_ASSERT_EQUAL(a->iv_bytes, null ? 0 : counter ? 8 : a->block_bytes);
	CU_ASSERT(counter || null ? a->block_bytes == 1 : a->block_bytes >= 8);
	CU_ASSERT_EQUAL(a->key_bytes == 0, null);
}

static void check_encr(const struct alg *a)
{
	CU_ASSERT(a->key_bits == 0 || a->key_bits == 8 * a->key_bytes);
	CU_ASSERT_FALSE(a->flags & ALG_AH);
	if (a->flags & ALG_AEAD)
		check_aead(a);
	else
		check_classic(a);
}

/* Key and ICV: RFC 4868 2.1.2, RFC 2404, RFC 3566 4, RFC 4494 2, RFC 4543 3. */
static void check_integ(const struct alg *a)
{
	static const struct {
		uint16_t id, key_bytes, out_bytes;
	} sizes[] = {
		{ INTEG_HMAC_SHA1_96, 20, 12 },
		{ INTEG_HMAC_SHA2_256_128, 32, 16 },
		{ INTEG_HMAC_SHA2_384_192, 48, 24 },
		{ INTEG_HMAC_SHA2_512_256, 64, 32 },
		{ INTEG_AES_XCBC_96, 16, 12 },
		{ INTEG_AES_CMAC_96, 16, 12 },
		{ INTEG_AES_128_GMAC, 16, 16 },
		{ INTEG_AES_192_GMAC, 24, 16 },
		{ INTEG_AES_256_GMAC, 32, 16 },
	};
	bool gmac = a->flags & ALG_COUNTER, found = false;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (sizes[i].id == a->id)
			found = a->key_bytes == sizes[i].key_bytes && a->out_bytes == sizes[i].out_bytes;
	CU_ASSERT_TRUE(found);
	CU_ASSERT(a->salt_bytes == (gmac ? 4 : 0) && a->iv_bytes == (gmac ? 8 : 0));
	/* in ESP, GMAC is an "encryption" algorithm (RFC 4543 3) */
	CU_ASSERT_EQUAL(a->flags & (ALG_ESP | ALG_AH), gmac ? ALG_AH : ALG_ESP | ALG_AH);
}

static void test_alg_sizes_belong_together(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		CU_ASSERT(a->flags & PROTOCOLS);
		switch (a->type) {
		case TRANSFORM_ENCR: check_encr(a); break;
		case TRANSFORM_PRF: CU_ASSERT(a->key_bytes == a->out_bytes && a->flags == ALG_IKE); break;
		case TRANSFORM_INTEG: check_integ(a); break;
		case TRANSFORM_KE: CU_ASSERT(a->key_bytes >= a->out_bytes && a->out_bytes >= 28); break;
		case TRANSFORM_ESN: CU_ASSERT(a->id <= 1 && !(a->flags & ALG_IKE)); break;
		default: CU_FAIL("unknown transform type"); break;
		}
		CU_ASSERT(a->type == TRANSFORM_ENCR || a->key_bits == 0);
	}
}

/* Only those of phase 1 need one. */
static void test_alg_prf_goes_with_integrity(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		const struct alg *prf = a->type == TRANSFORM_INTEG ? alg_prf_of_integ(a->id) : NULL;
		CU_ASSERT_EQUAL(prf != NULL, a->type == TRANSFORM_INTEG && (a->flags & ALG_IKE));
		if (prf)
			CU_ASSERT(prf->type == TRANSFORM_PRF && prf->key_bytes == a->key_bytes);
	}
	CU_ASSERT_PTR_NULL(alg_prf_of_integ(INTEG_NONE));
	CU_ASSERT_PTR_NULL(alg_prf_of_integ(INTEG_AES_XCBC_96));
}

static const char *weakness(enum transform_type type, const char *keyword)
{
	const struct alg *a = alg_lookup_keyword(type, keyword, strlen(keyword));
	const char *reason = a ? alg_weakness(a) : "no such algorithm";

	return reason ? reason : "none";
}

static void test_alg_weak_ones_say_why(void)
{
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_ENCR, "null"), "does not encrypt");
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_ENCR, "aes192gmac"), "does not encrypt");
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_ENCR, "3des"), "RFC 8221 5"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_ENCR, "aes256gcm8"), "8 bytes"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_ENCR, "aes128ccm8iiv"), "8 bytes"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_INTEG, "sha1"), "RFC 8221 6"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_PRF, "prfsha1"), "RFC 8247 2.2"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_KE, "modp1024"), "RFC 8247 2.4"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weakness(TRANSFORM_KE, "modp1536"), "RFC 8247 2.4"));
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_KE, "modp2048"), "none");
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_KE, "ecp224bp"), "none");
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_ENCR, "aes256gcm16"), "none");
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_ENCR, "aes128"), "none");
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_INTEG, "sha256"), "none");
	CU_ASSERT_STRING_EQUAL(weakness(TRANSFORM_INTEG, "aes128gmac"), "none");
}

static void test_transform_type_names_are_total(void)
{
	for (int type = 0; type < 256; type++)
		CU_ASSERT(strlen(transform_type_name((uint8_t)type)) > 0);
	CU_ASSERT_STRING_EQUAL(transform_type_name(TRANSFORM_KE), "key exchange");
	CU_ASSERT_STRING_EQUAL(transform_type_name(0), "unknown");
	CU_ASSERT_STRING_EQUAL(transform_type_name(200), "unknown");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_alg_rows_are_unique),
		TEST(test_alg_lookups_find_every_row),
		TEST(test_alg_lookup_of_unknown_is_null),
		TEST(test_alg_keyword_is_matched_whole),
		TEST(test_alg_aliases_lead_to_rows),
		TEST(test_alg_sizes_belong_together),
		TEST(test_alg_prf_goes_with_integrity),
		TEST(test_alg_weak_ones_say_why),
		TEST(test_transform_type_names_are_total),
	};

	return test_main("model_alg", tests, ARRAY_LEN(tests), argc, argv);
}
