/* SPDX-License-Identifier: BSD-3-Clause */
/* Token buckets of log lines: burst, average, what was held back. */
#include "limit_priv.h"

#include "harness.h"

#define SECOND 1000000000ull

static unsigned take_many(struct log_limit *l, uint64_t now_ns, unsigned tries)
{
	uint32_t suppressed;
	unsigned taken = 0;

	for (unsigned i = 0; i < tries; i++)
		taken += log_limit_take(l, now_ns, &suppressed);
	return taken;
}

static void test_limit_lets_a_burst_through_and_no_more(void)
{
	struct log_limit l = { .burst = 20, .per_second = 5 };

	CU_ASSERT_EQUAL(take_many(&l, SECOND, 100), 20);
}

static void test_limit_refills_at_its_rate(void)
{
	struct log_limit l = { .burst = 20, .per_second = 5 };

	take_many(&l, SECOND, 100);
	CU_ASSERT_EQUAL(take_many(&l, 2 * SECOND, 100), 5);
	CU_ASSERT_EQUAL(take_many(&l, 2 * SECOND, 100), 0);
	CU_ASSERT_EQUAL(take_many(&l, 100 * SECOND, 100), 20);
}

static void test_limit_counts_what_it_holds_back(void)
{
	struct log_limit l = { .burst = 1, .per_second = 1 };
	uint32_t suppressed = 99;

	CU_ASSERT_TRUE(log_limit_take(&l, SECOND, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 0);
	take_many(&l, SECOND, 7);
	CU_ASSERT_TRUE(log_limit_take(&l, 3 * SECOND, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 7);
	CU_ASSERT_TRUE(log_limit_take(&l, 5 * SECOND, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 0);
}

static void test_limit_works_from_time_zero(void)
{
	struct log_limit l = { .burst = 2, .per_second = 1 };

	CU_ASSERT_EQUAL(take_many(&l, 0, 10), 2);
}

static const struct test tests[] = {
	TEST(test_limit_lets_a_burst_through_and_no_more),
	TEST(test_limit_refills_at_its_rate),
	TEST(test_limit_counts_what_it_holds_back),
	TEST(test_limit_works_from_time_zero),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
