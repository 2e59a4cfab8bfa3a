/* SPDX-License-Identifier: BSD-3-Clause */
/* SHA-1 of parts, and the life of struct crypto. */
#include "crypto.h"

#include "harness.h"

/* FIPS 180-2 appendix A.1 and A.2; the empty string. */
static const char abc_digest[] = "a9993e364706816aba3e25717850c26c9cd0d89d";
static const char long_text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
static const char long_digest[] = "84983e441c3bd26ebaae4aa1f95129e5e54670f1";
static const char empty_digest[] = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

static bool digest_is(struct crypto *c, const struct bytes *parts, size_t count, const char *expected)
{
	uint8_t digest[20];
	char text[41];

	return hash_sha1(c, parts, count, digest) == 0 && !strcmp(hex_encode(BYTES_OF(digest), text), expected);
}

static void test_sha1_matches_fips180(void)
{
	struct crypto *c = crypto_create();
	struct bytes abc = BYTES("abc", 3), text = BYTES(long_text, strlen(long_text));

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT(digest_is(c, &abc, 1, abc_digest));
	CU_ASSERT(digest_is(c, &text, 1, long_digest));
	crypto_free(c);
}

static void test_sha1_joins_parts_in_order(void)
{
	struct crypto *c = crypto_create();
	struct bytes parts[] = { BYTES("a", 1), BYTES_NONE, BYTES("bc", 2) };
	struct bytes swapped[] = { BYTES("bc", 2), BYTES("a", 1) };

	CU_ASSERT(digest_is(c, parts, 3, abc_digest));
	CU_ASSERT_FALSE(digest_is(c, swapped, 2, abc_digest));
	crypto_free(c);
}

static void test_sha1_of_nothing(void)
{
	struct crypto *c = crypto_create();
	struct bytes none = BYTES_NONE;

	CU_ASSERT(digest_is(c, NULL, 0, empty_digest));
	CU_ASSERT(digest_is(c, &none, 1, empty_digest));
	crypto_free(c);
}

static void test_crypto_free_accepts_null(void)
{
	crypto_free(NULL);
	crypto_job_free(NULL);
	kex_free(NULL);
	CU_PASS("nothing crashed");
}

static void test_crypto_contexts_are_independent(void)
{
	struct crypto *a = crypto_create(), *b = crypto_create();
	struct bytes abc = BYTES("abc", 3);

	CU_ASSERT(digest_is(a, &abc, 1, abc_digest));
	crypto_free(a);
	CU_ASSERT(digest_is(b, &abc, 1, abc_digest));
	crypto_free(b);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_sha1_matches_fips180),
		TEST(test_sha1_joins_parts_in_order),
		TEST(test_sha1_of_nothing),
		TEST(test_crypto_free_accepts_null),
		TEST(test_crypto_contexts_are_independent),
	};

	return test_main("crypto_hash", tests, ARRAY_LEN(tests), argc, argv);
}
