/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring of events per tunnel. */
#include "history_priv.h"

#include "harness.h"

static void test_history_keeps_order(void)
{
	struct history h = { 0 };

	history_push(&h, IKE_EV_STARTED, "one");
	history_push(&h, IKE_EV_FAILED, "two");
	CU_ASSERT_EQUAL_FATAL(h.count, 2);
	CU_ASSERT_STRING_EQUAL(history_at(&h, 0)->text, "one");
	CU_ASSERT_STRING_EQUAL(history_at(&h, 1)->text, "two");
	CU_ASSERT_EQUAL(history_at(&h, 1)->kind, IKE_EV_FAILED);
	history_done(&h);
	CU_ASSERT_EQUAL(h.count, 0);
}

static void test_history_forgets_the_oldest(void)
{
	struct history h = { 0 };
	char text[8];

	for (int i = 0; i < HISTORY_EVENTS + 5; i++) {
		snprintf(text, sizeof(text), "%d", i);
		history_push(&h, IKE_EV_STARTED, text);
	}
	CU_ASSERT_EQUAL_FATAL(h.count, HISTORY_EVENTS);
	CU_ASSERT_STRING_EQUAL(history_at(&h, 0)->text, "5");
	CU_ASSERT_STRING_EQUAL(history_at(&h, HISTORY_EVENTS - 1)->text, "20");
	history_done(&h);
}

static const struct test tests[] = {
	TEST(test_history_keeps_order),
	TEST(test_history_forgets_the_oldest),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
