/* SPDX-License-Identifier: BSD-3-Clause */
/* Key buffers: ownership, wiping, comparison. */
#include "secret.h"

#include "base.h"
#include "harness.h"

static void test_secret_copy_owns_its_bytes(void)
{
	struct secret s = { 0 };
	uint8_t key[3] = { 1, 2, 3 };

	CU_ASSERT_EQUAL(secret_copy(&s, BYTES_OF(key)), 0);
	key[0] = 9;
	CU_ASSERT(bytes_equal(secret_view(&s), BYTES("\1\2\3", 3)));
	secret_done(&s);
	CU_ASSERT_PTR_NULL(s.data);
	CU_ASSERT_EQUAL(s.len, 0);
	secret_done(&s);
}

static void test_secret_init_is_zero_filled(void)
{
	static const uint8_t zero[64];
	struct secret s = { 0 };

	CU_ASSERT_EQUAL(secret_init(&s, 64), 0);
	CU_ASSERT(bytes_equal(secret_view(&s), BYTES_OF(zero)));
	secret_done(&s);
	CU_ASSERT_EQUAL(secret_init(&s, 0), 0);
	CU_ASSERT_EQUAL(s.len, 0);
	secret_done(&s);
	CU_ASSERT_EQUAL(secret_copy(&s, BYTES_NONE), 0);
	secret_done(&s);
}

static void test_secret_move_empties_the_source(void)
{
	struct secret a = { 0 }, b = { 0 };

	CU_ASSERT_EQUAL(secret_copy(&a, BYTES("key", 3)), 0);
	secret_move(&b, &a);
	CU_ASSERT_PTR_NULL(a.data);
	CU_ASSERT_EQUAL(a.len, 0);
	CU_ASSERT(bytes_equal(secret_view(&b), BYTES("key", 3)));
	secret_done(&a);
	secret_done(&b);
}

static void test_secret_equal_sees_every_bit(void)
{
	uint8_t a[40] = { 0 }, b[40] = { 0 };

	CU_ASSERT(secret_equal(a, b, sizeof(a)));
	for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
		b[bit / 8] = (uint8_t)(1 << bit % 8);
		CU_ASSERT_FALSE(secret_equal(a, b, sizeof(a)));
		CU_ASSERT(secret_equal(a, b, bit / 8));
		b[bit / 8] = 0;
	}
	CU_ASSERT(secret_equal(NULL, NULL, 0));
}

static void test_secret_wipe_overwrites_exactly(void)
{
	uint8_t data[6] = { 1, 2, 3, 4, 5, 6 };

	secret_wipe(data + 1, 4);
	CU_ASSERT_EQUAL(memcmp(data, "\1\0\0\0\0\6", 6), 0);
	secret_wipe(NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_secret_copy_owns_its_bytes),
		TEST(test_secret_init_is_zero_filled),
		TEST(test_secret_move_empties_the_source),
		TEST(test_secret_equal_sees_every_bit),
		TEST(test_secret_wipe_overwrites_exactly),
	};

	return test_main("base_secret", tests, ARRAY_LEN(tests), argc, argv);
}
