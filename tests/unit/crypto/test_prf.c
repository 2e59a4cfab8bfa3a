/* SPDX-License-Identifier: BSD-3-Clause */
/* prf and prf+: refusals, limits, aliasing, and keys that must not survive from one call to the next. Values are
 * checked in tests/kat. */
#include "crypto.h"

#include <errno.h>

#include "harness.h"

static const struct alg *prf_row(uint16_t id)
{
	return alg_lookup(TRANSFORM_PRF, id, 0);
}

static void test_prf_refuses_rows_that_are_no_prf(void)
{
	struct crypto *c = crypto_create();
	struct alg unknown = *prf_row(PRF_HMAC_SHA2_256);
	uint8_t out[PRF_OUT_MAX];
	struct bytes data = BYTES("data", 4);

	unknown.id = 4; /* PRF_AES128_XCBC: not in our table */
	CU_ASSERT_EQUAL(prf_compute(c, NULL, data, &data, 1, out), -EINVAL);
	CU_ASSERT_EQUAL(prf_compute(c, &unknown, data, &data, 1, out), -EINVAL);
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		int expected = a->type == TRANSFORM_PRF ? 0 : -EINVAL;
		CU_ASSERT_EQUAL(prf_compute(c, a, data, &data, 1, out), expected);
		CU_ASSERT_EQUAL(prf_plus(c, a, data, data, out, 16), expected);
	}
	crypto_free(c);
}

static void test_prf_writes_its_output_size(void)
{
	struct crypto *c = crypto_create();
	uint8_t out[PRF_OUT_MAX + 1];
	struct bytes data = BYTES("data", 4);

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type != TRANSFORM_PRF)
			continue;
		memset(out, 0xa5, sizeof(out));
		CU_ASSERT_EQUAL(prf_compute(c, a, data, &data, 1, out), 0);
		CU_ASSERT_EQUAL(out[a->out_bytes], 0xa5);
		CU_ASSERT_NOT_EQUAL(memcmp(out + a->out_bytes - 4, "\xa5\xa5\xa5\xa5", 4), 0);
	}
	crypto_free(c);
}

/* An empty key is a key, not "the one of the last call". */
static void test_prf_empty_key_is_not_the_previous_key(void)
{
	static const char expected[] = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
	struct crypto *c = crypto_create();
	uint8_t out[PRF_OUT_MAX];
	struct bytes data = BYTES("something", 9);
	char text[2 * PRF_OUT_MAX + 1];

	CU_ASSERT_EQUAL(prf_compute(c, prf_row(PRF_HMAC_SHA2_256), data, &data, 1, out), 0);
	/* HMAC-SHA-256 of nothing under the empty key */
	CU_ASSERT_EQUAL(prf_compute(c, prf_row(PRF_HMAC_SHA2_256), BYTES_NONE, NULL, 0, out), 0);
	CU_ASSERT_STRING_EQUAL(hex_encode(BYTES(out, 32), text), expected);
	crypto_free(c);
}

static void test_prf_output_may_alias_its_input(void)
{
	struct crypto *c = crypto_create();
	const struct alg *prf = prf_row(PRF_HMAC_SHA2_384);
	uint8_t a[PRF_OUT_MAX] = { 1, 2, 3 }, b[PRF_OUT_MAX];
	struct bytes data = BYTES_OF(a);

	CU_ASSERT_EQUAL(prf_compute(c, prf, BYTES("key", 3), &data, 1, b), 0);
	CU_ASSERT_EQUAL(prf_compute(c, prf, BYTES("key", 3), &data, 1, a), 0);
	CU_ASSERT_EQUAL(memcmp(a, b, prf->out_bytes), 0);
	crypto_free(c);
}

static void test_prf_plus_is_a_stream_of_any_length(void)
{
	struct crypto *c = crypto_create();
	const struct alg *prf = prf_row(PRF_HMAC_SHA2_256);
	uint8_t all[200], part[201];
	struct bytes seed = BYTES("seed", 4);

	CU_ASSERT_EQUAL(prf_plus(c, prf, BYTES("key", 3), seed, all, sizeof(all)), 0);
	for (size_t len = 0; len <= sizeof(all); len++) {
		part[len] = 0xa5;
		CU_ASSERT_EQUAL(prf_plus(c, prf, BYTES("key", 3), seed, part, len), 0);
		CU_ASSERT(memcmp(part, all, len) == 0 && part[len] == 0xa5);
	}
	crypto_free(c);
}

static void test_prf_plus_stops_at_255_blocks(void)
{
	static uint8_t out[255 * PRF_OUT_MAX + 1];
	struct crypto *c = crypto_create();

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		size_t limit = 255 * (size_t)a->out_bytes;
		if (a->type != TRANSFORM_PRF)
			continue;
		CU_ASSERT_EQUAL(prf_plus(c, a, BYTES("key", 3), BYTES("seed", 4), out, limit), 0);
		out[0] = 0xa5;
		CU_ASSERT_EQUAL(prf_plus(c, a, BYTES("key", 3), BYTES("seed", 4), out, limit + 1), -EINVAL);
		CU_ASSERT_EQUAL(out[0], 0xa5);
	}
	crypto_free(c);
}

/* RFC 7296 2.14: the two PRFs of fixed key length take 8 bytes of each nonce, HMAC all. */
static void test_prf_takes_so_much_of_the_nonces(void)
{
	CU_ASSERT_EQUAL(prf_nonce_bytes(prf_row(PRF_AES128_CMAC)), 8);
	CU_ASSERT_EQUAL(prf_nonce_bytes(prf_row(PRF_HMAC_SHA1)), SIZE_MAX);
	CU_ASSERT_EQUAL(prf_nonce_bytes(prf_row(PRF_HMAC_SHA2_512)), SIZE_MAX);
	CU_ASSERT_EQUAL(prf_nonce_bytes(NULL), SIZE_MAX);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_prf_refuses_rows_that_are_no_prf),
		TEST(test_prf_writes_its_output_size),
		TEST(test_prf_empty_key_is_not_the_previous_key),
		TEST(test_prf_output_may_alias_its_input),
		TEST(test_prf_plus_is_a_stream_of_any_length),
		TEST(test_prf_plus_stops_at_255_blocks),
		TEST(test_prf_takes_so_much_of_the_nonces),
	};

	return test_main("crypto_prf", tests, ARRAY_LEN(tests), argc, argv);
}
