/* SPDX-License-Identifier: BSD-3-Clause */
/* Random bytes: filled to the last one, never outside, not repeated. */
#include "crypto.h"

#include "harness.h"

static void test_random_fills_every_byte(void)
{
	uint8_t data[64] = { 0 }, seen[64] = { 0 };

	/* a byte that stays zero over 64 draws is one that is not written */
	for (int i = 0; i < 64; i++) {
		CU_ASSERT_EQUAL(crypto_random(data, sizeof(data)), 0);
		for (size_t k = 0; k < sizeof(data); k++)
			seen[k] |= data[k];
	}
	CU_ASSERT_PTR_NULL(memchr(seen, 0, sizeof(seen)));
}

static void test_random_writes_no_more_than_asked(void)
{
	uint8_t data[8] = { 0, 0, 0, 0, 0xa5, 0xa5, 0xa5, 0xa5 };

	CU_ASSERT_EQUAL(crypto_random(data, 4), 0);
	CU_ASSERT_EQUAL(memcmp(data + 4, "\xa5\xa5\xa5\xa5", 4), 0);
	CU_ASSERT_EQUAL(crypto_random(data + 4, 0), 0);
	CU_ASSERT_EQUAL(memcmp(data + 4, "\xa5\xa5\xa5\xa5", 4), 0);
}

static void test_random_does_not_repeat(void)
{
	static uint8_t drawn[1000][16];
	size_t repeats = 0;

	for (size_t i = 0; i < ARRAY_LEN(drawn); i++) {
		CU_ASSERT_EQUAL(crypto_random(drawn[i], sizeof(drawn[i])), 0);
		for (size_t k = 0; k < i; k++)
			repeats += !memcmp(drawn[i], drawn[k], sizeof(drawn[i]));
	}
	CU_ASSERT_EQUAL(repeats, 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_random_fills_every_byte),
		TEST(test_random_writes_no_more_than_asked),
		TEST(test_random_does_not_repeat),
	};

	return test_main("crypto_random", tests, ARRAY_LEN(tests), argc, argv);
}
