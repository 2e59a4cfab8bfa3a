/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeds: each one another. */
#include "seed.h"

#include "base.h"
#include "harness.h"

static void test_seed_is_another_each_time(void)
{
	uint64_t ones = 0, zeros = 0, last = seed_draw();

	for (int i = 0; i < 64; i++) {
		uint64_t seed = seed_draw();
		CU_ASSERT_NOT_EQUAL(seed, last);
		ones |= seed;
		zeros |= ~seed;
		last = seed;
	}
	CU_ASSERT_EQUAL(ones, UINT64_MAX);
	CU_ASSERT_EQUAL(zeros, UINT64_MAX);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_seed_is_another_each_time),
	};

	return test_main("base_seed", tests, ARRAY_LEN(tests), argc, argv);
}
