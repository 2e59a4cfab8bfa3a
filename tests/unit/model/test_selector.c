/* SPDX-License-Identifier: BSD-3-Clause */
/* Traffic selectors: text both ways, and the set operations against brute force over a small universe of packets. */
#include "selector.h"

#include <errno.h>
#include <stdlib.h>

#include "base.h"
#include "harness.h"

static struct selector selector_of(const char *text)
{
	struct selector s = { 0 };

	CU_ASSERT_EQUAL_FATAL(selector_parse(text, &s), 0);
	return s;
}

static void test_selector_round_trips_through_text(void)
{
	static const char *const texts[] = { "10.1.0.0/24", "10.1.0.5", "10.1.0.5-10.1.0.9", "0.0.0.0/0", "::/0",
		"2001:db8::/32", "2001:db8::1-2001:db8::5", "10.1.0.0/24[tcp]", "10.1.0.0/24[tcp/80]",
		"10.1.0.0/24[udp/1000-2000]", "10.1.0.0/24[icmp]", "::/0[ipv6-icmp/128/0]", "10.1.0.0/24[icmp/8]",
		"10.1.0.0/24[icmp/8-11]", "10.1.0.0/24[icmp/3/0-3/5]", "10.0.0.0/8[protocol 89]",
		"10.0.0.0/8[tcp/opaque]", "10.0.0.0/8[gre]", "10.0.0.0/8[protocol 255]", "::/0[protocol 1]",
		"10.0.0.0/8[tcp/0]", "10.0.0.0/8[tcp/65535]" };
	char text[SELECTOR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct selector s = selector_of(texts[i]);
		CU_ASSERT(selector_valid(&s));
		CU_ASSERT_STRING_EQUAL(selector_format(&s, text), texts[i]);
	}
}

static void test_selector_shortens_other_spellings(void)
{
	static const char *const pairs[][2] = { { "10.1.0.7/24", "10.1.0.0/24" },
		{ "10.1.0.0-10.1.0.255", "10.1.0.0/24" }, { "10.1.0.5-10.1.0.5", "10.1.0.5" },
		{ "10.1.0.5/32", "10.1.0.5" }, { "10.1.0.0/24[6]", "10.1.0.0/24[tcp]" },
		{ "10.1.0.0/24[0]", "10.1.0.0/24" }, { "10.1.0.0/24[tcp/0-65535]", "10.1.0.0/24[tcp]" },
		{ "0.0.0.0-255.255.255.255", "0.0.0.0/0" },
		{ "2001:db8:2::-2001:db8:3:ffff:ffff:ffff:ffff:ffff", "2001:db8:2::/47" },
		{ "10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2" }, { "10.0.0.4-10.0.0.6", "10.0.0.4-10.0.0.6" },
		{ "10.0.0.3-10.0.0.3", "10.0.0.3" }, { "10.1.0.0/24[tcp/80-80]", "10.1.0.0/24[tcp/80]" },
		{ "10.1.0.0/24[icmp/8/0-8/255]", "10.1.0.0/24[icmp/8]" },
		{ "10.1.0.0/24[icmp/8-8]", "10.1.0.0/24[icmp/8]" },
		{ "10.1.0.0/24[icmp/3/4-3/4]", "10.1.0.0/24[icmp/3/4]" },
		{ "10.1.0.0/24[icmp/0-255]", "10.1.0.0/24[icmp]" } };
	char text[SELECTOR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct selector s = selector_of(pairs[i][0]);
		CU_ASSERT_STRING_EQUAL(selector_format(&s, text), pairs[i][1]);
	}
}

static void test_selector_icmp_is_that_of_its_addresses(void)
{
	CU_ASSERT_EQUAL(selector_of("10.1.0.0/24[icmp]").protocol, 1);
	CU_ASSERT_EQUAL(selector_of("2001:db8::/64[icmp]").protocol, 58);
	CU_ASSERT_EQUAL(selector_of("2001:db8::/64[icmp/128]").protocol, 58);
	CU_ASSERT_EQUAL(selector_of("2001:db8::/64[icmpv6]").protocol, 58);
	CU_ASSERT_EQUAL(selector_of("2001:db8::/64[1]").protocol, 1);
}

static void test_selector_bare_number_is_shown_as_a_protocol(void)
{
	char text[SELECTOR_TEXT_MAX];
	struct selector s = selector_of("10.1.0.0/24[25]");

	CU_ASSERT_STRING_EQUAL(selector_format(&s, text), "10.1.0.0/24[protocol 25]");
	s = selector_of("10.1.0.0/24[132/5]");
	CU_ASSERT_STRING_EQUAL(selector_format(&s, text), "10.1.0.0/24[sctp/5]");
}

static void test_selector_refuses_other_text(void)
{
	static const char *const bad[] = { "", "any", "10.1.0.0/33", "10.1.0.9-10.1.0.5", "10.1.0.0-2001:db8::1",
		"10.1.0.0-", "-10.1.0.0", "10.1.0.0/24-10.2.0.0/24", "10.1.0.0/24[", "10.1.0.0/24[]", "10.1.0.0/24[tcp",
		"10.1.0.0/24[tcp]x", "10.1.0.0/24[tcpp]", "10.1.0.0/24[256]", "10.1.0.0/24[-1]", "10.1.0.0/24[tcp/]",
		"10.1.0.0/24[tcp/65536]", "10.1.0.0/24[tcp/80-79]", "10.1.0.0/24[tcp/80-]", "10.1.0.0/24[tcp/-80]",
		"10.1.0.0/24[0/80]", "10.1.0.0/24[/80]", "10.1.0.0/24[tcp/ 80]", "10.1.0.0/24 [tcp]", "[tcp]",
		"10.1.0.0/24[protocol]", "10.1.0.0/24[protocol tcp]", "10.1.0.0/24[tcp/80][tcp/81]",
		"10.1.0.0/24[tcp/opaque1]", "10.1.0.0/24[icmp/256]", "10.1.0.0/24[icmp/3/256]", "10.1.0.0/24[icmp/3/]",
		"10.1.0.0/24[icmp/3/4/5]", "10.1.0.0/24[icmp/3/4-3/3]", "10.1.0.0/24[icmp/9-8]", "10.1.0.0/24[tcp/3/4]",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff0000000000" };
	struct selector s = { .protocol = 99 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(selector_parse(bad[i], &s), -EINVAL);
	CU_ASSERT_EQUAL(s.protocol, 99);
}

static void test_selector_longest_text_fits(void)
{
	struct selector s = selector_of(
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	char text[SELECTOR_TEXT_MAX];

	s.protocol = 58;
	s.port_low = 100 << 8 | 10;
	s.port_high = 65534;
	CU_ASSERT_STRING_EQUAL(selector_format(&s, text),
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"
		"[ipv6-icmp/100/10-255/254]");
}

static void test_selector_valid_refuses_nonsense(void)
{
	struct selector s = selector_of("10.1.0.0/24"), none = { 0 };

	CU_ASSERT_FALSE(selector_valid(&none));
	s.low = addr_from_ipv4(0xffffffff);
	CU_ASSERT_FALSE(selector_valid(&s));
	s = selector_of("10.1.0.0/24");
	s.high.family = ADDR_IPV6;
	CU_ASSERT_FALSE(selector_valid(&s));
	s = selector_of("10.1.0.0/24[tcp/80]");
	s.port_low = 81;
	CU_ASSERT_FALSE(selector_valid(&s));
	s.port_low = 65535;
	s.port_high = 0;
	CU_ASSERT(selector_valid(&s));
}

static void test_selector_list_text(void)
{
	struct selector_list list = { 0 };
	char text[64];

	CU_ASSERT_STRING_EQUAL(selector_list_format(&list, text, sizeof(text)), "any");
	list.items[list.count++] = selector_of("10.1.0.0/24");
	list.items[list.count++] = selector_of("10.2.0.0/24[tcp/80]");
	CU_ASSERT_STRING_EQUAL(selector_list_format(&list, text, sizeof(text)), "10.1.0.0/24, 10.2.0.0/24[tcp/80]");
	memset(text, 0x5a, sizeof(text));
	CU_ASSERT_STRING_EQUAL(selector_list_format(&list, text, 14), "10.1.0.0/24, ");
	CU_ASSERT_EQUAL(text[14], 0x5a);
}

/* ---- brute force: packets of 8 addresses, 3 protocols, 8 ports or none ---- */

static const uint8_t protocols[] = { 1, 6, 17 };
static const uint16_t ports[] = { 0, 1, 2, 3, 4, 65534, 65535 };

#define ADDRESSES 8
#define PACKETS   (ADDRESSES * ARRAY_LEN(protocols) * (ARRAY_LEN(ports) + 1))

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	/* a fixed sequence: failures repeat */
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static struct selector random_selector(void)
{
	struct selector s = { .protocol = random_below(2) ? 0 : protocols[random_below(ARRAY_LEN(protocols))] };
	uint32_t a = random_below(ADDRESSES), b = random_below(ADDRESSES);
	uint16_t p = ports[random_below(ARRAY_LEN(ports))], q = ports[random_below(ARRAY_LEN(ports))];

	s.low = addr_from_ipv4(a < b ? a : b);
	s.high = addr_from_ipv4(a < b ? b : a);
	s.port_low = p < q ? p : q;
	s.port_high = p < q ? q : p;
	if (random_below(3) == 0) {
		s.port_low = 0;
		s.port_high = 65535;
	} else if (random_below(4) == 0) {
		s.port_low = 65535;
		s.port_high = 0;
	}
	return s;
}

/* The definition, written down once more and independently: range by range. */
static bool reference_matches(const struct selector *s, size_t packet)
{
	size_t port_index = packet % (ARRAY_LEN(ports) + 1), rest = packet / (ARRAY_LEN(ports) + 1);
	uint32_t address = (uint32_t)(rest / ARRAY_LEN(protocols));
	bool has_port = port_index < ARRAY_LEN(ports), any = s->port_low == 0 && s->port_high == 65535;
	bool opaque = s->port_low == 65535 && s->port_high == 0;

	if (address < addr_ipv4(&s->low) || address > addr_ipv4(&s->high))
		return false;
	if (s->protocol != 0 && s->protocol != protocols[rest % ARRAY_LEN(protocols)])
		return false;
	if (any || opaque)
		return any || !has_port;
	return has_port && ports[port_index] >= s->port_low && ports[port_index] <= s->port_high;
}

static bool list_matches(const struct selector_list *list, size_t packet)
{
	for (int i = 0; i < list->count; i++)
		if (reference_matches(&list->items[i], packet))
			return true;
	return false;
}

static void test_selector_matches_agrees_with_brute_force(void)
{
	for (int round = 0; round < 2000; round++) {
		struct selector s = random_selector();
		for (size_t packet = 0; packet < PACKETS; packet++) {
			size_t k = packet % (ARRAY_LEN(ports) + 1), rest = packet / (ARRAY_LEN(ports) + 1);
			struct addr a = addr_from_ipv4((uint32_t)(rest / ARRAY_LEN(protocols)));
			bool has_port = k < ARRAY_LEN(ports);
			bool got = selector_matches(
				&s, &a, protocols[rest % ARRAY_LEN(protocols)], has_port, has_port ? ports[k] : 0);
			if (got != reference_matches(&s, packet))
				CU_FAIL("match differs");
		}
	}
}

static void test_selector_intersect_agrees_with_brute_force(void)
{
	int common_ones = 0;

	for (int round = 0; round < 20000; round++) {
		struct selector a = random_selector(), b = random_selector(), c = { 0 }, alias = a;
		bool common = selector_intersect(&a, &b, &c);
		common_ones += common;
		if (common && !selector_valid(&c))
			CU_FAIL("common part is not valid");
		if (selector_intersect(&alias, &b, &alias) != common || (common && !selector_equal(&alias, &c)))
			CU_FAIL("aliasing changes the result");
		for (size_t packet = 0; packet < PACKETS; packet++) {
			bool both = reference_matches(&a, packet) && reference_matches(&b, packet);
			if (both != (common && reference_matches(&c, packet)))
				CU_FAIL("common part differs");
		}
	}
	CU_ASSERT(common_ones > 1000 && common_ones < 19000);
}

static void test_selector_contains_agrees_with_brute_force(void)
{
	int contained = 0;

	for (int round = 0; round < 20000; round++) {
		struct selector outer = random_selector(), inner = random_selector();
		bool all = true;
		for (size_t packet = 0; packet < PACKETS; packet++)
			all = all && (!reference_matches(&inner, packet) || reference_matches(&outer, packet));
		if (selector_contains(&outer, &inner) != all)
			CU_FAIL("containment differs");
		contained += all;
	}
	CU_ASSERT(contained > 200);
}

static struct selector_list random_list(void)
{
	struct selector_list list = { .count = (uint8_t)(1 + random_below(4)) };

	for (int i = 0; i < list.count; i++)
		list.items[i] = random_selector();
	return list;
}

static void check_no_redundant(const struct selector_list *list)
{
	for (int i = 0; i < list->count; i++)
		for (int k = 0; k < list->count; k++)
			if (i != k && selector_contains(&list->items[i], &list->items[k]))
				CU_FAIL("a part lies inside another");
}

static void test_selector_narrow_agrees_with_brute_force(void)
{
	int cuts = 0, whole = 0;

	for (int round = 0; round < 5000; round++) {
		struct selector_list offer = random_list(), policy = random_list(), out;
		bool cut = false, lost = false;
		if (selector_list_narrow(&offer, &policy, &out, &cut) != out.count)
			CU_FAIL("count differs");
		for (size_t packet = 0; packet < PACKETS; packet++) {
			bool want = list_matches(&offer, packet) && list_matches(&policy, packet);
			if (want != list_matches(&out, packet))
				CU_FAIL("narrowed set differs");
			lost = lost || (list_matches(&offer, packet) && !want);
		}
		if (lost && !cut)
			CU_FAIL("something was lost and not said");
		check_no_redundant(&out);
		cuts += cut;
		whole += !cut;
	}
	CU_ASSERT(cuts > 100 && whole > 100);
}

static void test_selector_narrow_keeps_identical_offer(void)
{
	struct selector_list offer = { .count = 1 }, policy = { .count = 1 }, out;
	bool cut = true;

	offer.items[0] = policy.items[0] = selector_of("10.1.0.0/24[tcp/80]");
	CU_ASSERT_EQUAL(selector_list_narrow(&offer, &policy, &out, &cut), 1);
	CU_ASSERT(selector_equal(&out.items[0], &offer.items[0]));
	CU_ASSERT_FALSE(cut);
	policy.items[0] = selector_of("10.0.0.0/8");
	CU_ASSERT_EQUAL(selector_list_narrow(&offer, &policy, &out, &cut), 1);
	CU_ASSERT(selector_equal(&out.items[0], &offer.items[0]));
	policy.items[0] = selector_of("10.1.0.128/25");
	CU_ASSERT_EQUAL(selector_list_narrow(&offer, &policy, &out, &cut), 1);
	CU_ASSERT(cut);
}

static void test_selector_narrow_of_nothing_in_common(void)
{
	struct selector_list offer = { .count = 1 }, policy = { .count = 2 }, none = { 0 }, out;
	bool cut = false;

	offer.items[0] = selector_of("10.1.0.0/24");
	policy.items[0] = selector_of("10.2.0.0/24");
	policy.items[1] = selector_of("::/0");
	CU_ASSERT_EQUAL(selector_list_narrow(&offer, &policy, &out, &cut), 0);
	CU_ASSERT(cut);
	CU_ASSERT_EQUAL(selector_list_narrow(&offer, &none, &out, &cut), 0);
	CU_ASSERT(cut);
	CU_ASSERT_EQUAL(selector_list_narrow(&none, &policy, &out, &cut), 0);
	CU_ASSERT_FALSE(cut);
}

/* 16 x 16 disjoint products: more than fit. Nothing is overrun, and the loss is said. */
static void test_selector_narrow_when_full(void)
{
	struct selector_list offer = { .count = SELECTORS_MAX }, policy = { .count = SELECTORS_MAX }, out;
	bool cut = false;

	for (int i = 0; i < SELECTORS_MAX; i++) {
		offer.items[i] = selector_of("10.0.0.0/8");
		offer.items[i].protocol = (uint8_t)(i + 1);
		policy.items[i] = selector_of("10.0.0.0/24");
		policy.items[i].low = addr_from_ipv4(0x0a000000u + 512u * (uint32_t)i);
		policy.items[i].high = addr_from_ipv4(0x0a0000ffu + 512u * (uint32_t)i);
	}
	CU_ASSERT_EQUAL(selector_list_narrow(&offer, &policy, &out, &cut), SELECTORS_MAX);
	CU_ASSERT(cut);
}

static void test_selector_opaque_is_a_value_of_its_own(void)
{
	struct selector opaque = selector_of("10.0.0.0/8[tcp/opaque]"), port = selector_of("10.0.0.0/8[tcp/80]");
	struct selector low = selector_of("10.0.0.0/8[tcp/0]"), high = selector_of("10.0.0.0/8[tcp/65535]"), common;
	struct selector any = selector_of("10.0.0.0/8");

	CU_ASSERT_FALSE(selector_intersect(&opaque, &port, &common));
	CU_ASSERT_FALSE(selector_intersect(&low, &high, &common));
	CU_ASSERT_FALSE(selector_intersect(&high, &low, &common));
	CU_ASSERT(selector_contains(&any, &opaque) && !selector_contains(&opaque, &any));
	CU_ASSERT(selector_intersect(&opaque, &any, &common) && selector_equal(&common, &opaque));
	CU_ASSERT(selector_contains(&opaque, &opaque));
}

static void test_selector_families_do_not_mix(void)
{
	struct selector v4 = selector_of("0.0.0.0/0"), v6 = selector_of("::/0"), common;
	struct addr a = v6.low;
	struct prefix p = { addr_from_ipv4(0x0a010203), 16 };
	struct selector from = selector_from_prefix(&p), text = selector_of("10.1.0.0/16");

	CU_ASSERT_FALSE(selector_intersect(&v4, &v6, &common));
	CU_ASSERT_FALSE(selector_contains(&v4, &v6));
	CU_ASSERT_FALSE(selector_matches(&v4, &a, 6, true, 80));
	CU_ASSERT(selector_matches(&v6, &a, 6, true, 80));
	CU_ASSERT(selector_equal(&from, &text));
}

static void test_selector_list_counts_its_prefixes(void)
{
	struct selector_list l = { .count = 3,
		.items = { selector_of("10.1.0.0/24"), selector_of("10.2.0.1-10.2.0.254"),
			selector_of("2001:db8::1-2001:db8::2") } };

	CU_ASSERT_EQUAL(selector_list_prefixes(&l, 100), 1 + 14 + 2);
	CU_ASSERT_EQUAL(selector_list_prefixes(&l, 17), 17);
	CU_ASSERT(selector_list_prefixes(&l, 16) > 16);
	/* no more is counted than is asked for */
	l.items[1] = selector_of("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	CU_ASSERT_EQUAL(selector_list_prefixes(&l, 300), 1 + 254 + 2);
	CU_ASSERT(selector_list_prefixes(&l, 5) > 5 && selector_list_prefixes(&l, 5) < 9);
	l.items[0] = selector_of("0.0.0.0/0");
	l.items[1] = selector_of("::/0");
	CU_ASSERT_EQUAL(selector_list_prefixes(&l, 100), 4);
	l.count = 0;
	CU_ASSERT_EQUAL(selector_list_prefixes(&l, 100), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_selector_round_trips_through_text),
		TEST(test_selector_shortens_other_spellings),
		TEST(test_selector_icmp_is_that_of_its_addresses),
		TEST(test_selector_bare_number_is_shown_as_a_protocol),
		TEST(test_selector_refuses_other_text),
		TEST(test_selector_longest_text_fits),
		TEST(test_selector_valid_refuses_nonsense),
		TEST(test_selector_list_text),
		TEST(test_selector_matches_agrees_with_brute_force),
		TEST(test_selector_intersect_agrees_with_brute_force),
		TEST(test_selector_contains_agrees_with_brute_force),
		TEST(test_selector_narrow_agrees_with_brute_force),
		TEST(test_selector_narrow_keeps_identical_offer),
		TEST(test_selector_narrow_of_nothing_in_common),
		TEST(test_selector_narrow_when_full),
		TEST(test_selector_opaque_is_a_value_of_its_own),
		TEST(test_selector_families_do_not_mix),
		TEST(test_selector_list_counts_its_prefixes),
	};

	return test_main("model_selector", tests, ARRAY_LEN(tests), argc, argv);
}
