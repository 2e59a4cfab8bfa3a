/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, endpoints, prefixes: text both ways, order, ranges. */
#include "addr.h"

#include <errno.h>

#include "base.h"
#include "harness.h"

static struct addr addr_of(const char *text)
{
	struct addr a = { 0 };

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, &a), 0);
	return a;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p = { 0 };

	CU_ASSERT_EQUAL_FATAL(prefix_parse(text, &p), 0);
	return p;
}

static void test_addr_round_trips_through_text(void)
{
	static const char *const texts[] = { "0.0.0.0", "10.1.2.3", "255.255.255.255", "::", "::1", "2001:db8::1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::ffff:192.0.2.1" };
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a = addr_of(texts[i]);
		CU_ASSERT_EQUAL(a.family, strchr(texts[i], ':') ? ADDR_IPV6 : ADDR_IPV4);
		CU_ASSERT_STRING_EQUAL(addr_format(&a, text), texts[i]);
	}
}

static void test_addr_refuses_other_text(void)
{
	static const char *const bad[] = { "", "10.0.0", "10.0.0.256", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1/24",
		"a.b.c.d", "1.2.3.4.5", ":::", "2001:db8::1::2", "12345::", "0x7f.1", "any" };
	struct addr a = addr_from_ipv4(7), before = a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(addr_parse(bad[i], &a), -EINVAL);
	CU_ASSERT(addr_equal(&a, &before));
}

static void test_addr_ipv4_word_is_host_order(void)
{
	struct addr a = addr_from_ipv4(0x0a010203), parsed = addr_of("10.1.2.3");

	CU_ASSERT(addr_equal(&a, &parsed));
	CU_ASSERT_EQUAL(addr_ipv4(&parsed), 0x0a010203);
	CU_ASSERT_EQUAL(addr_len(&a), 4);
}

static void test_addr_from_bytes_of_each_family(void)
{
	static const uint8_t bytes[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct addr v6 = addr_from_bytes(ADDR_IPV6, bytes), parsed6 = addr_of("2001:db8::1");
	struct addr v4 = addr_from_bytes(ADDR_IPV4, bytes), parsed4 = addr_of("32.1.13.184");
	struct addr none = addr_from_bytes(ADDR_NONE, bytes);

	CU_ASSERT(addr_equal(&v6, &parsed6));
	CU_ASSERT(addr_equal(&v4, &parsed4));
	CU_ASSERT(addr_is_any(&none) && addr_len(&none) == 0);
}

static void test_addr_order_is_numeric_within_family(void)
{
	static const char *const ascending[] = { "0.0.0.0", "0.0.0.255", "0.0.1.0", "9.255.255.255", "128.0.0.0",
		"255.255.255.255", "::", "::1", "1::", "8000::" };

	for (size_t i = 0; i < ARRAY_LEN(ascending); i++)
		for (size_t k = 0; k < ARRAY_LEN(ascending); k++) {
			struct addr a = addr_of(ascending[i]), b = addr_of(ascending[k]);
			int order = addr_compare(&a, &b);
			CU_ASSERT_EQUAL((order > 0) - (order < 0), (i > k) - (i < k));
			CU_ASSERT_EQUAL(addr_equal(&a, &b), i == k);
		}
}

static void test_addr_kinds(void)
{
	struct addr none = { 0 }, any4 = addr_of("0.0.0.0"), any6 = addr_of("::"), one = addr_of("::1");
	struct addr m4 = addr_of("224.0.0.1"), m4_end = addr_of("239.255.255.255"), m6 = addr_of("ff02::1");
	struct addr u4 = addr_of("223.255.255.255"), e4 = addr_of("240.0.0.0");
	char text[ADDR_TEXT_MAX];

	CU_ASSERT(addr_is_any(&none) && addr_is_any(&any4) && addr_is_any(&any6) && !addr_is_any(&one));
	CU_ASSERT(addr_is_multicast(&m4) && addr_is_multicast(&m4_end) && addr_is_multicast(&m6));
	CU_ASSERT_FALSE(addr_is_multicast(&u4) || addr_is_multicast(&e4) || addr_is_multicast(&one));
	CU_ASSERT_STRING_EQUAL(addr_format(&none, text), "any");
}

static void test_endpoint_text_and_equality(void)
{
	struct endpoint v4 = { addr_of("192.0.2.1"), 500 }, v6 = { addr_of("2001:db8::1"), 4500 }, none = { 0 };
	struct endpoint longest = { addr_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535 }, other = v4;
	char text[ENDPOINT_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(endpoint_format(&v4, text), "192.0.2.1:500");
	CU_ASSERT_STRING_EQUAL(endpoint_format(&v6, text), "[2001:db8::1]:4500");
	CU_ASSERT_STRING_EQUAL(endpoint_format(&none, text), "any:0");
	CU_ASSERT_STRING_EQUAL(endpoint_format(&longest, text), "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	CU_ASSERT(endpoint_equal(&v4, &other));
	other.port = 4500;
	CU_ASSERT_FALSE(endpoint_equal(&v4, &other));
	CU_ASSERT_FALSE(endpoint_equal(&v4, &v6));
}

static void test_prefix_round_trips_through_text(void)
{
	static const char *const texts[] = { "0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "10.1.2.3/8", "::/0",
		"2001:db8::/32", "2001:db8::1/128" };
	char text[PREFIX_TEXT_MAX];
	struct prefix p = prefix_of("10.1.2.3");

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct prefix q = prefix_of(texts[i]);
		CU_ASSERT_STRING_EQUAL(prefix_format(&q, text), texts[i]);
	}
	CU_ASSERT_EQUAL(p.len, 32);
	p = prefix_of("::1");
	CU_ASSERT_EQUAL(p.len, 128);
}

static void test_prefix_refuses_other_text(void)
{
	static const char *const bad[] = { "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8",
		"10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0/8/8", "::/129", "10.0.0.0/4294967304",
		"10.0.0.0/18446744073709551624", "10.0.0.0/0x8", "/8",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555/1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/1" };
	struct prefix p;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(prefix_parse(bad[i], &p), -EINVAL);
}

/* Against arithmetic on host-order words, for every length. */
static void test_prefix_range_of_every_length(void)
{
	for (unsigned len = 0; len <= 32; len++) {
		struct prefix p = { addr_from_ipv4(0xa5c3f00f), (uint8_t)len };
		uint32_t mask = len ? 0xffffffffu << (32 - len) : 0;
		struct addr low, high;
		prefix_range(&p, &low, &high);
		CU_ASSERT_EQUAL(addr_ipv4(&low), 0xa5c3f00f & mask);
		CU_ASSERT_EQUAL(addr_ipv4(&high), (0xa5c3f00f & mask) | ~mask);
		for (uint32_t bit = 0; bit < 32; bit++) {
			struct addr a = addr_from_ipv4(0xa5c3f00f ^ (1u << bit));
			CU_ASSERT_EQUAL(prefix_contains(&p, &a), bit < 32 - len);
		}
	}
}

static void test_prefix_range_of_ipv6(void)
{
	struct prefix p = prefix_of("2001:db8:1:2:ffff::/63");
	struct addr low, high, l = addr_of("2001:db8:1:2::"), h = addr_of("2001:db8:1:3:ffff:ffff:ffff:ffff");

	prefix_range(&p, &low, &high);
	CU_ASSERT(addr_equal(&low, &l) && addr_equal(&high, &h));
	CU_ASSERT(prefix_contains(&p, &l) && prefix_contains(&p, &h));
	l = addr_of("2001:db8:1:4::");
	CU_ASSERT_FALSE(prefix_contains(&p, &l));
	l = addr_of("32.1.13.184");
	CU_ASSERT_FALSE(prefix_contains(&p, &l));
}

/* A range that is no prefix, piece by piece. */
static void test_prefix_between_splits_a_range(void)
{
	static const uint8_t lengths[] = { 32, 31, 30, 29, 28, 27, 26, 26, 27, 28, 29, 30, 31, 32 };
	struct addr low = addr_of("10.1.0.1"), high = addr_of("10.1.0.254"), last = low, all = addr_of("::");
	struct addr highest = addr_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct prefix p = prefix_between(&low, &high, &last);
		CU_ASSERT_EQUAL(p.len, lengths[i]);
		CU_ASSERT(addr_equal(&p.addr, &low));
		low = addr_beside(&last, true);
	}
	CU_ASSERT(addr_equal(&last, &high));
	CU_ASSERT_EQUAL(prefix_between(&all, &highest, &last).len, 0);
	CU_ASSERT(addr_equal(&last, &highest));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_addr_round_trips_through_text),
		TEST(test_addr_refuses_other_text),
		TEST(test_addr_ipv4_word_is_host_order),
		TEST(test_addr_from_bytes_of_each_family),
		TEST(test_addr_order_is_numeric_within_family),
		TEST(test_addr_kinds),
		TEST(test_endpoint_text_and_equality),
		TEST(test_prefix_round_trips_through_text),
		TEST(test_prefix_refuses_other_text),
		TEST(test_prefix_range_of_every_length),
		TEST(test_prefix_range_of_ipv6),
		TEST(test_prefix_between_splits_a_range),
	};

	return test_main("base_addr", tests, ARRAY_LEN(tests), argc, argv);
}
