/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithm table: rows found by number and by keyword, no two alike, sizes that belong together. */
#include "alg.h"

#include <string.h>

#include "base.h"
#include "harness.h"

static void test_alg_rows_are_unique(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		for (const struct alg *b = alg_next(a); b; b = alg_next(b)) {
			CU_ASSERT_FALSE(a->type == b->type && a->id == b->id && a->key_bits == b->key_bits);
			CU_ASSERT_STRING_NOT_EQUAL(a->keyword, b->keyword);
			CU_ASSERT_STRING_NOT_EQUAL(a->name, b->name);
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
	CU_ASSERT_EQUAL(rows, 17);
}

static void test_alg_lookup_of_unknown_is_null(void)
{
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 0));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 512));
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, 3, 0)); /* 3DES */
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
		{ TRANSFORM_ENCR, "aes256gcm", "aes256gcm16" },
		{ TRANSFORM_KE, "curve25519", "x25519" },
		{ TRANSFORM_INTEG, "sha2_256", "sha256" },
		{ TRANSFORM_INTEG, "sha2_512", "sha512" },
	};

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		const struct alg *a = alg_lookup_keyword(aliases[i].type, aliases[i].alias, strlen(aliases[i].alias));
		CU_ASSERT_PTR_NOT_NULL_FATAL(a);
		CU_ASSERT_STRING_EQUAL(a->keyword, aliases[i].keyword);
		CU_ASSERT_PTR_NULL(alg_lookup_keyword(TRANSFORM_ESN, aliases[i].alias, strlen(aliases[i].alias)));
	}
}

static void check_encr(const struct alg *a)
{
	CU_ASSERT_EQUAL(a->key_bits, 8 * a->key_bytes);
	CU_ASSERT(a->block_bytes >= 1 && a->iv_bytes >= 8);
	if (a->flags & ALG_AEAD) {
		CU_ASSERT(a->out_bytes == 16 && a->salt_bytes + a->iv_bytes == 12 && (a->flags & ALG_COUNTER));
	} else {
		CU_ASSERT(a->out_bytes == 0 && a->salt_bytes == 0 && a->iv_bytes == a->block_bytes);
	}
}

static void test_alg_sizes_belong_together(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		CU_ASSERT(a->flags & (ALG_IKE | ALG_ESP));
		switch (a->type) {
		case TRANSFORM_ENCR: check_encr(a); break;
		case TRANSFORM_PRF: CU_ASSERT_EQUAL(a->key_bytes, a->out_bytes); break;
		/* RFC 4868: the ICV is half the key */
		case TRANSFORM_INTEG: CU_ASSERT_EQUAL(a->key_bytes, 2 * a->out_bytes); break;
		case TRANSFORM_KE: CU_ASSERT(a->key_bytes >= a->out_bytes && a->out_bytes >= 32); break;
		case TRANSFORM_ESN: CU_ASSERT(a->id <= 1 && !(a->flags & ALG_IKE)); break;
		default: CU_FAIL("unknown transform type"); break;
		}
		CU_ASSERT(a->type == TRANSFORM_ENCR || a->key_bits == 0);
	}
}

static void test_alg_prf_goes_with_integrity(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type != TRANSFORM_INTEG)
			continue;
		const struct alg *prf = alg_prf_of_integ(a->id);
		CU_ASSERT_PTR_NOT_NULL_FATAL(prf);
		CU_ASSERT(prf->type == TRANSFORM_PRF && prf->key_bytes == a->key_bytes);
	}
	CU_ASSERT_PTR_NULL(alg_prf_of_integ(INTEG_NONE));
	CU_ASSERT_PTR_NULL(alg_prf_of_integ(2));
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
		TEST(test_transform_type_names_are_total),
	};

	return test_main("model_alg", tests, ARRAY_LEN(tests), argc, argv);
}
