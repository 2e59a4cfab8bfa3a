/* SPDX-License-Identifier: BSD-3-Clause */
/* The heap of deadlines. */
#include "timers.h"

#include "harness.h"

#define COUNT 200

static void fill(struct timers *t, struct timer *timers, size_t count)
{
	memset(t, 0, sizeof(*t));
	memset(timers, 0, count * sizeof(*timers));
	CU_ASSERT_EQUAL(timers_reserve(t, (uint32_t)count), 0);
}

static void test_timers_none_is_never(void)
{
	struct timers t = { 0 };

	CU_ASSERT_EQUAL(timers_next(&t), UINT64_MAX);
	CU_ASSERT_PTR_NULL(timers_pull(&t, UINT64_MAX));
	timers_done(&t);
}

static void test_timers_come_in_order(void)
{
	struct timers t;
	struct timer timers[COUNT];
	uint64_t last = 0;

	fill(&t, timers, COUNT);
	for (uint64_t i = 0; i < COUNT; i++)
		timers_set(&t, &timers[i], i * 7919 % 1009);
	for (int i = 0; i < COUNT; i++) {
		struct timer *timer = timers_pull(&t, UINT64_MAX - 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(timer);
		CU_ASSERT_TRUE(timer->at_ns >= last);
		last = timer->at_ns;
	}
	CU_ASSERT_EQUAL(timers_next(&t), UINT64_MAX);
	timers_done(&t);
}

static void test_timers_not_due_stay(void)
{
	struct timers t;
	struct timer timers[1];

	fill(&t, timers, 1);
	timers_set(&t, &timers[0], 100);
	CU_ASSERT_PTR_NULL(timers_pull(&t, 99));
	CU_ASSERT_PTR_EQUAL(timers_pull(&t, 100), &timers[0]);
	CU_ASSERT_EQUAL(timers[0].place, 0);
	timers_done(&t);
}

static void test_timers_move_both_ways(void)
{
	struct timers t;
	struct timer timers[COUNT];

	fill(&t, timers, COUNT);
	for (uint64_t i = 0; i < COUNT; i++)
		timers_set(&t, &timers[i], 1000 + i);
	timers_set(&t, &timers[150], 1);
	CU_ASSERT_PTR_EQUAL(t.heap[0], &timers[150]);
	timers_set(&t, &timers[150], 5000);
	CU_ASSERT_PTR_EQUAL(t.heap[0], &timers[0]);
	timers_set(&t, &timers[0], 6000);
	CU_ASSERT_EQUAL(timers_next(&t), 1001);
	CU_ASSERT_EQUAL(t.count, COUNT);
	timers_done(&t);
}

static void test_timers_cleared_do_not_come(void)
{
	struct timers t;
	struct timer timers[COUNT];
	unsigned came = 0;

	fill(&t, timers, COUNT);
	for (uint64_t i = 0; i < COUNT; i++)
		timers_set(&t, &timers[i], i * 31 % 101);
	for (int i = 0; i < COUNT; i += 2) {
		timers_clear(&t, &timers[i]);
		timers_clear(&t, &timers[i]);
	}
	for (struct timer *timer; (timer = timers_pull(&t, 1000)); came++)
		CU_ASSERT_EQUAL((timer - timers) % 2, 1);
	CU_ASSERT_EQUAL(came, COUNT / 2);
	timers_done(&t);
}

static void test_timers_all_cleared_can_be_cleared_again(void)
{
	struct timers t;
	struct timer timers[3];

	fill(&t, timers, 3);
	for (uint64_t i = 0; i < 3; i++)
		timers_set(&t, &timers[i], i);
	timers_clear_all(&t);
	CU_ASSERT_EQUAL(timers_next(&t), UINT64_MAX);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(timers[i].place, 0);
		timers_clear(&t, &timers[i]);
	}
	timers_done(&t);
}

static void test_timers_reserve_keeps_what_is_set(void)
{
	struct timers t;
	struct timer timers[1];

	fill(&t, timers, 1);
	timers_set(&t, &timers[0], 5);
	CU_ASSERT_EQUAL(timers_reserve(&t, 1000), 0);
	CU_ASSERT_EQUAL(timers_next(&t), 5);
	timers_release(&t, 1000);
	CU_ASSERT_EQUAL(t.reserved, 1);
	timers_done(&t);
}

static const struct test tests[] = {
	TEST(test_timers_none_is_never),
	TEST(test_timers_come_in_order),
	TEST(test_timers_not_due_stay),
	TEST(test_timers_move_both_ways),
	TEST(test_timers_cleared_do_not_come),
	TEST(test_timers_all_cleared_can_be_cleared_again),
	TEST(test_timers_reserve_keeps_what_is_set),
};

int main(int argc, char **argv)
{
	return test_main("ike", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
