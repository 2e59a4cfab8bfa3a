/* SPDX-License-Identifier: BSD-3-Clause */
/* TS payloads: IPv4 and IPv6 ranges both ways, what is skipped, what is refused. */
#include "wire_test.h"

#define TS_HEAD(count) count "000000:"
#define IPV4_ANY       "07000010:0000ffff:00000000:ffffffff"

static struct message message;
static struct wire_error error;

static void test_ipv4_range_both_ways(void)
{
	static uint8_t data[256];
	struct writer w = writer_init(data, sizeof(data));
	struct bytes in = datagram(IKE_SA_INIT, IKE_FLAG_INITIATOR, PAYLOAD_TSI,
		"00000018:" TS_HEAD("01") "07110010:00500051:0a010000:0a0100ff");
	char text[SELECTOR_TEXT_MAX];

	CU_ASSERT_EQUAL_FATAL(message_decode(in, &message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message.tsi.count, 1);
	CU_ASSERT_STRING_EQUAL(selector_format(&message.tsi.items[0], text), "10.1.0.0/24[udp/80-81]");
	CU_ASSERT_EQUAL(message_encode(&message, &w), 0);
	CU_ASSERT(bytes_equal(in, writer_view(&w)));
}

static void test_ipv6_range_both_ways(void)
{
	static struct message again;
	struct selector_list list = { .count = 2 };

	CU_ASSERT_EQUAL_FATAL(selector_parse("2001:db8::/32", &list.items[0]), 0);
	CU_ASSERT_EQUAL_FATAL(selector_parse("10.0.0.1-10.0.0.9[tcp/22]", &list.items[1]), 0);
	message_init(&message, 1, 2, CREATE_CHILD_SA, 0, 3);
	message_add_ts(&message, PAYLOAD_TSI, &list);
	message_add_ts(&message, PAYLOAD_TSR, &list);
	CU_ASSERT_EQUAL_FATAL(round_trip(&message, &again), 0);
	CU_ASSERT(selectors_equal(&again.tsi, &list));
	CU_ASSERT(selectors_equal(&again.tsr, &list));
}

/* RFC 7296 3.13.1: OPAQUE is written 65535-0. */
static void test_opaque_ports_are_kept(void)
{
	CU_ASSERT_EQUAL_FATAL(decode_init(PAYLOAD_TSR, "00000018:" TS_HEAD("01") "07060010:ffff0000:0a010000:0a0100ff",
				      &message, &error),
		0);
	CU_ASSERT_EQUAL(message.tsr.items[0].port_low, 65535);
	CU_ASSERT_EQUAL(message.tsr.items[0].port_high, 0);
}

static void test_unknown_type_is_skipped(void)
{
	CU_ASSERT_EQUAL_FATAL(
		decode_init(PAYLOAD_TSI, "00000020:" TS_HEAD("02") "09000008:01020304:" IPV4_ANY, &message, &error), 0);
	CU_ASSERT_EQUAL(message.tsi.count, 1);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "0000000c:" TS_HEAD("01") "09000003"), WIRE_LENGTH, 10, PAYLOAD_TSI);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "0000000c:" TS_HEAD("01") "09000008"), WIRE_LENGTH, 10, PAYLOAD_TSI);
}

static void test_length_must_fit_type(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000018:" TS_HEAD("01") "08000010:0000ffff:00000000:ffffffff"),
		WIRE_LENGTH, 10, PAYLOAD_TSI);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000014:" TS_HEAD("01") "07000010:0000ffff:00000000"), WIRE_LENGTH, 10,
		PAYLOAD_TSI);
}

static void test_count_must_be_exact(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000018:" TS_HEAD("02") IPV4_ANY), WIRE_TRUNCATED, 24, PAYLOAD_TSI);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000018:" TS_HEAD("00") IPV4_ANY), WIRE_TRAILING, 8, PAYLOAD_TSI);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000007:"
					       "010000"),
		WIRE_TRUNCATED, 5, PAYLOAD_TSI);
}

static void test_reversed_range_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000018:" TS_HEAD("01") "07000010:0000ffff:0a010001:0a010000"),
		WIRE_VALUE, 8, PAYLOAD_TSI);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "00000018:" TS_HEAD("01") "07060010:00510050:0a010000:0a010001"),
		WIRE_VALUE, 8, PAYLOAD_TSI);
}

/* Answering for fewer selectors than were offered is narrowing (RFC 7296 2.9). */
static void test_long_list_is_cut(void)
{
	char hex[4096] = "00000328:32000000";

	for (int i = 0; i < 50; i++)
		strcat(hex, ":" IPV4_ANY);
	CU_ASSERT_EQUAL_FATAL(decode_init(PAYLOAD_TSI, hex, &message, &error), 0);
	CU_ASSERT_EQUAL(message.tsi.count, SELECTORS_MAX);
}

static void test_second_ts_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "2c000018:" TS_HEAD("01") IPV4_ANY ":00000018:" TS_HEAD("01") IPV4_ANY),
		WIRE_REPEATED, 28, PAYLOAD_TSI);
	ASSERT_ERROR(decode_error(PAYLOAD_TSI, "2d000018:" TS_HEAD("01") IPV4_ANY ":00000018:" TS_HEAD("01") IPV4_ANY),
		WIRE_OK, 0, 0);
}

static void test_selector_without_family_fails_to_encode(void)
{
	struct selector_list list = { .count = 1 };
	uint8_t data[256];
	struct writer w = writer_init(data, sizeof(data));

	message_init(&message, 1, 2, CREATE_CHILD_SA, 0, 3);
	message_add_ts(&message, PAYLOAD_TSI, &list);
	CU_ASSERT_EQUAL(message_encode(&message, &w), -EMSGSIZE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ipv4_range_both_ways),
		TEST(test_ipv6_range_both_ways),
		TEST(test_opaque_ports_are_kept),
		TEST(test_unknown_type_is_skipped),
		TEST(test_length_must_fit_type),
		TEST(test_count_must_be_exact),
		TEST(test_reversed_range_is_refused),
		TEST(test_long_list_is_cut),
		TEST(test_second_ts_is_refused),
		TEST(test_selector_without_family_fails_to_encode),
	};

	return test_main("wire_selectors", tests, ARRAY_LEN(tests), argc, argv);
}
