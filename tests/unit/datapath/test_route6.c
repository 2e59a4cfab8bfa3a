/* SPDX-License-Identifier: BSD-3-Clause */
/* The IPv6 route table against a slow search over the same prefixes, and its edges. */
#include <stdlib.h>

#include "harness.h"
#include "base.h"
#include "route_priv.h"

#define PREFIXES 3000
#define LOOKUPS  100000

static struct prefix prefixes[PREFIXES];

/* Small fixed generator: the same prefixes every run. */
static uint32_t next_random(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static int by_length(const void *a, const void *b)
{
	return ((const struct prefix *)a)->len - ((const struct prefix *)b)->len;
}

/* Crowded: few different bits at both ends of the address, and at its borders of words. */
static struct addr random_address(void)
{
	struct addr a = { .family = ADDR_IPV6 };

	store_be32(a.bytes, 0x20010db8 | (next_random() & 7));
	store_be32(a.bytes + 6, next_random() & 0x00070007);
	store_be16(a.bytes + 14, (uint16_t)(next_random() & 0x1ff));
	return a;
}

/* The longest match; of equal ones the last inserted. neighbour carries the index of the prefix. */
static int slow_lookup(const struct addr *a)
{
	for (int i = PREFIXES - 1; i >= 0; i--)
		if (prefix_contains(&prefixes[i], a))
			return i;
	return -1;
}

static void test_route6_lookup_agrees_with_slow_search(void)
{
	static const uint8_t lengths[] = { 29, 32, 48, 56, 63, 64, 65, 112, 120, 127, 128 };
	struct route6_table t = { .count = 0 };
	unsigned wrong = 0;

	for (int i = 0; i < PREFIXES; i++) {
		prefixes[i].addr = random_address();
		prefixes[i].len = i % 4 ? lengths[next_random() % ARRAY_LEN(lengths)]
					: (uint8_t)(20 + next_random() % 109);
	}
	qsort(prefixes, PREFIXES, sizeof(prefixes[0]), by_length);
	for (int i = 0; i < PREFIXES; i++) {
		struct route r = { .kind = ROUTE_VIA, .neighbour = (uint32_t)i };
		CU_ASSERT_EQUAL_FATAL(route6_insert(&t, prefixes[i].addr.bytes, prefixes[i].len, &r), 0);
	}
	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	for (int i = 0; i < LOOKUPS; i++) {
		struct addr a = random_address();
		if (!(i & 7))
			a.bytes[0] = (uint8_t)next_random();
		const struct route *r = route6_lookup(&t, a.bytes);
		int want = slow_lookup(&a);
		wrong += want < 0 ? r->kind != ROUTE_NONE : r->kind != ROUTE_VIA || r->neighbour != (uint32_t)want;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	route6_table_done(&t);
}

static const struct route *looked_up(const struct route6_table *t, const char *text)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, &a), 0);
	return route6_lookup(t, a.bytes);
}

static void insert(struct route6_table *t, const char *text, enum route_kind kind)
{
	const struct route r = { .kind = (uint8_t)kind };
	struct prefix p;

	CU_ASSERT_EQUAL_FATAL(prefix_parse(text, &p), 0);
	CU_ASSERT_EQUAL_FATAL(route6_insert(t, p.addr.bytes, p.len, &r), 0);
}

#define LAST "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static void test_route6_empty_table_has_no_route(void)
{
	struct route6_table t = { .count = 0 };

	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	CU_ASSERT_EQUAL(looked_up(&t, "::")->kind, ROUTE_NONE);
	CU_ASSERT_EQUAL(looked_up(&t, LAST)->kind, ROUTE_NONE);
	route6_table_done(&t);
}

static void test_route6_default_covers_everything_but_more_specific(void)
{
	struct route6_table t = { .count = 0 };

	insert(&t, "::/0", ROUTE_VIA);
	insert(&t, "ff00::/8", ROUTE_CONNECTED);
	insert(&t, LAST "/128", ROUTE_LOCAL);
	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	CU_ASSERT_EQUAL(looked_up(&t, "::")->kind, ROUTE_VIA);
	CU_ASSERT_EQUAL(looked_up(&t, "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")->kind, ROUTE_VIA);
	CU_ASSERT_EQUAL(looked_up(&t, "ff00::")->kind, ROUTE_CONNECTED);
	CU_ASSERT_EQUAL(looked_up(&t, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")->kind, ROUTE_CONNECTED);
	CU_ASSERT_EQUAL(looked_up(&t, LAST)->kind, ROUTE_LOCAL);
	route6_table_done(&t);
}

/* Ends that meet, and a second route to the same prefix. */
static void test_route6_nested_prefixes_that_end_together(void)
{
	struct route6_table t = { .count = 0 };

	insert(&t, "2001:db8::/32", ROUTE_VIA);
	insert(&t, "2001:db8:8000::/33", ROUTE_CONNECTED);
	insert(&t, "2001:db8:ffff::/48", ROUTE_NONE);
	insert(&t, "2001:db8:ffff::/48", ROUTE_LOCAL);
	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	CU_ASSERT_EQUAL(looked_up(&t, "2001:db8::")->kind, ROUTE_VIA);
	CU_ASSERT_EQUAL(looked_up(&t, "2001:db8:8000::")->kind, ROUTE_CONNECTED);
	CU_ASSERT_EQUAL(looked_up(&t, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")->kind, ROUTE_LOCAL);
	CU_ASSERT_EQUAL(looked_up(&t, "2001:db9::")->kind, ROUTE_NONE);
	CU_ASSERT_EQUAL(looked_up(&t, "2001:db7:ffff::")->kind, ROUTE_NONE);
	route6_table_done(&t);
}

static void test_route6_a_hundred_thousand(void)
{
	struct route6_table t = { .count = 0 };
	uint8_t addr[16] = { 0x20, 0x01 };
	unsigned wrong = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		struct route r = { .kind = ROUTE_VIA, .neighbour = i };
		store_be32(addr + 2, i << 1);
		wrong += route6_insert(&t, addr, 48, &r) != 0;
	}
	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	addr[15] = 7;
	for (uint32_t i = 0; i < 100000; i++) {
		store_be32(addr + 2, i << 1);
		wrong += route6_lookup(&t, addr)->neighbour != i;
		store_be32(addr + 2, i << 1 | 1);
		wrong += route6_lookup(&t, addr)->kind != ROUTE_NONE;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	route6_table_done(&t);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_route6_lookup_agrees_with_slow_search),
		TEST(test_route6_empty_table_has_no_route),
		TEST(test_route6_default_covers_everything_but_more_specific),
		TEST(test_route6_nested_prefixes_that_end_together),
		TEST(test_route6_a_hundred_thousand),
	};

	return test_main("datapath_route6", tests, ARRAY_LEN(tests), argc, argv);
}
