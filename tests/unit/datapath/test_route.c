/* SPDX-License-Identifier: BSD-3-Clause */
/* The route trie against a slow search over the same prefixes, and its edges. */
#include <stdlib.h>

#include "harness.h"
#include "base.h"
#include "route_priv.h"

#define PREFIXES 3000
#define LOOKUPS  200000

static struct {
	uint32_t addr;
	uint8_t len;
} prefixes[PREFIXES];

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
	return ((const uint8_t *)a)[4] - ((const uint8_t *)b)[4];
}

static uint32_t mask_of(uint8_t len)
{
	return len ? ~0u << (32 - len) : 0;
}

/* The longest match; of equal ones the last inserted. neighbour carries the index of the prefix. */
static int slow_lookup(uint32_t addr)
{
	for (int i = PREFIXES - 1; i >= 0; i--)
		if ((addr & mask_of(prefixes[i].len)) == (prefixes[i].addr & mask_of(prefixes[i].len)))
			return i;
	return -1;
}

static void test_route_lookup_agrees_with_slow_search(void)
{
	struct route_table t;
	unsigned wrong = 0;

	CU_ASSERT_EQUAL_FATAL(route_table_init(&t), 0);
	for (int i = 0; i < PREFIXES; i++) {
		/* crowded: many inside each other */
		prefixes[i].addr = 0x0a000000 | (next_random() & 0x00ff07ff);
		prefixes[i].len = (uint8_t)(8 + next_random() % 25);
	}
	qsort(prefixes, PREFIXES, sizeof(prefixes[0]), by_length);
	for (int i = 0; i < PREFIXES; i++) {
		struct route r = { .kind = ROUTE_VIA, .neighbour = (uint32_t)i };
		CU_ASSERT_EQUAL_FATAL(route_insert(&t, prefixes[i].addr, prefixes[i].len, &r), 0);
	}
	for (int i = 0; i < LOOKUPS; i++) {
		uint32_t addr = (i & 7 ? 0x0a000000 : 0x0b000000) | (next_random() & 0x00ff0fff);
		const struct route *r = route_lookup(&t, rte_cpu_to_be_32(addr));
		int want = slow_lookup(addr);
		wrong += want < 0 ? r->kind != ROUTE_NONE : r->kind != ROUTE_VIA || r->neighbour != (uint32_t)want;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	route_table_done(&t);
}

static void test_route_empty_table_has_no_route(void)
{
	struct route_table t;

	CU_ASSERT_EQUAL_FATAL(route_table_init(&t), 0);
	CU_ASSERT_EQUAL(route_lookup(&t, 0)->kind, ROUTE_NONE);
	CU_ASSERT_EQUAL(route_lookup(&t, UINT32_MAX)->kind, ROUTE_NONE);
	route_table_done(&t);
}

static void test_route_default_covers_everything_but_more_specific(void)
{
	const struct route far = { .kind = ROUTE_VIA }, host = { .kind = ROUTE_LOCAL };
	struct route_table t;

	CU_ASSERT_EQUAL_FATAL(route_table_init(&t), 0);
	CU_ASSERT_EQUAL(route_insert(&t, 0, 0, &far), 0);
	CU_ASSERT_EQUAL(route_insert(&t, 0xffffffff, 32, &host), 0);
	CU_ASSERT_EQUAL(route_lookup(&t, 0)->kind, ROUTE_VIA);
	CU_ASSERT_EQUAL(route_lookup(&t, RTE_BE32(0xfffffffe))->kind, ROUTE_VIA);
	CU_ASSERT_EQUAL(route_lookup(&t, RTE_BE32(0xffffffff))->kind, ROUTE_LOCAL);
	route_table_done(&t);
}

static void test_route_a_hundred_thousand(void)
{
	const struct route far = { .kind = ROUTE_VIA, .neighbour = UINT32_MAX };
	struct route_table t;
	unsigned wrong = 0;

	CU_ASSERT_EQUAL_FATAL(route_table_init(&t), 0);
	CU_ASSERT_EQUAL(route_insert(&t, 0, 0, &far), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		struct route r = { .kind = ROUTE_VIA, .neighbour = i };
		wrong += route_insert(&t, 0x14000000 + (i << 9), 24, &r) != 0;
	}
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t inside = 0x14000000 + (i << 9) + i % 256;
		wrong += route_lookup(&t, rte_cpu_to_be_32(inside))->neighbour != i;
		wrong += route_lookup(&t, rte_cpu_to_be_32(inside + 256))->neighbour != UINT32_MAX;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	route_table_done(&t);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_route_lookup_agrees_with_slow_search),
		TEST(test_route_empty_table_has_no_route),
		TEST(test_route_default_covers_everything_but_more_specific),
		TEST(test_route_a_hundred_thousand),
	};

	return test_main("datapath_route", tests, ARRAY_LEN(tests), argc, argv);
}
