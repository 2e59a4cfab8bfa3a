/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of known and unknown numbers, texts and notifies of the reasons. */
#include "wire_test.h"

static void test_known_numbers_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(notify_name(14), "NO_PROPOSAL_CHOSEN");
	CU_ASSERT_STRING_EQUAL(notify_name(16388), "NAT_DETECTION_SOURCE_IP");
	CU_ASSERT_STRING_EQUAL(notify_name(16431), "SIGNATURE_HASH_ALGORITHMS");
	CU_ASSERT_STRING_EQUAL(exchange_name(36), "CREATE_CHILD_SA");
	CU_ASSERT_STRING_EQUAL(payload_name(44), "TSi");
}

static void test_unknown_numbers_are_printed(void)
{
	CU_ASSERT_STRING_EQUAL(notify_name(12345), "NOTIFY-12345");
	CU_ASSERT_STRING_EQUAL(exchange_name(200), "EXCHANGE-200");
	CU_ASSERT_STRING_EQUAL(payload_name(0), "PAYLOAD-0");
}

static void test_two_unknown_names_fit_one_line(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %s", notify_name(12345), notify_name(54321));
	CU_ASSERT_STRING_EQUAL(text, "NOTIFY-12345 NOTIFY-54321");
}

static void test_reasons_have_texts_and_notifies(void)
{
	for (int i = 0; i < WIRE_REASON_COUNT; i++) {
		CU_ASSERT(strlen(wire_reason_text((enum wire_reason)i)) > 1);
		CU_ASSERT_EQUAL(wire_reason_notify((enum wire_reason)i) == 0, i == WIRE_OK);
	}
	CU_ASSERT_STRING_EQUAL(wire_reason_text(WIRE_REASON_COUNT), "unknown");
	CU_ASSERT_EQUAL(wire_reason_notify(WIRE_REASON_COUNT), 0);
	CU_ASSERT_EQUAL(wire_reason_notify(WIRE_TRUNCATED), NOTIFY_INVALID_SYNTAX);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_known_numbers_have_names),
		TEST(test_unknown_numbers_are_printed),
		TEST(test_two_unknown_names_fit_one_line),
		TEST(test_reasons_have_texts_and_notifies),
	};

	return test_main("wire_names", tests, ARRAY_LEN(tests), argc, argv);
}
