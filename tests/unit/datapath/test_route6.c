/* SPDX-License-Identifier: BSD-3-Clause */
/* The IPv6 route table against a slow search over the same prefixes, and its edges. */
#include <stdlib.h>

#include "harness.h"
#include "base.h"
#include "route_priv.h"

#define PREFIXES 1000
#define LOOKUPS  20000

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

/* Prefixes of these lengths, every eighth one a second time, in a table. */
static void table_fill(struct route6_table *t, const uint8_t *lengths, size_t length_count)
{
	for (int i = 0; i < PREFIXES; i++) {
		prefixes[i].addr = random_address();
		prefixes[i].len = lengths[next_random() % length_count];
		if (i % 8 == 7)
			prefixes[i] = prefixes[i - 3];
	}
	qsort(prefixes, PREFIXES, sizeof(prefixes[0]), by_length);
	for (int i = 0; i < PREFIXES; i++) {
		struct route r = { .kind = ROUTE_VIA, .neighbour = (uint32_t)i };
		CU_ASSERT_EQUAL_FATAL(route6_insert(t, prefixes[i].addr.bytes, prefixes[i].len, &r), 0);
	}
	CU_ASSERT_EQUAL_FATAL(route6_finish(t), 0);
}

/* First or last address of a prefix, or the one beside it that is outside. */
static struct addr border_address(const struct prefix *p, bool last, bool outside)
{
	struct addr low, high;
	number6 n;

	prefix_range(p, &low, &high);
	n = number6_of(last ? high.bytes : low.bytes);
	n = !outside ? n : last ? n + 1 : n - 1;
	for (int i = 0; i < 16; i++)
		low.bytes[15 - i] = (uint8_t)(n >> 8 * i);
	return low;
}

static bool is_right(const struct route6_table *t, const struct addr *a)
{
	const struct route *r = route6_lookup(t, a->bytes);
	int want = slow_lookup(a);

	return want < 0 ? r->kind == ROUTE_NONE : r->kind == ROUTE_VIA && r->neighbour == (uint32_t)want;
}

static unsigned wrong_count(const struct route6_table *t)
{
	unsigned wrong = 0;

	for (int i = 0; i < LOOKUPS; i++) {
		struct addr a = random_address();
		if (!(i & 7))
			a.bytes[0] = (uint8_t)next_random();
		wrong += !is_right(t, &a);
	}
	for (int i = 0; i < 4 * PREFIXES; i++) {
		struct addr a = border_address(&prefixes[i / 4], i & 1, i & 2);
		wrong += !is_right(t, &a);
	}
	return wrong;
}

static void test_route6_lookup_agrees_with_slow_search(void)
{
	static const uint8_t wide[] = { 0, 1, 3, 16, 29, 32, 48, 56, 62, 63, 64 };
	static const uint8_t deep[] = { 64, 65, 66, 80, 112, 120, 126, 127, 128 };
	static const uint8_t all[] = { 20, 29, 32, 48, 63, 64, 65, 96, 112, 120, 127, 128 };
	static const struct {
		const uint8_t *lengths;
		size_t count;
	} sets[] = { { wide, ARRAY_LEN(wide) }, { deep, ARRAY_LEN(deep) }, { all, ARRAY_LEN(all) } };

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct route6_table t = { .nodes = NULL };
		table_fill(&t, sets[i].lengths, sets[i].count);
		CU_ASSERT_EQUAL(wrong_count(&t), 0);
		route6_table_done(&t);
	}
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
	struct route6_table t = { .nodes = NULL };

	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	CU_ASSERT_EQUAL(looked_up(&t, "::")->kind, ROUTE_NONE);
	CU_ASSERT_EQUAL(looked_up(&t, LAST)->kind, ROUTE_NONE);
	route6_table_done(&t);
}

static void test_route6_default_covers_everything_but_more_specific(void)
{
	struct route6_table t = { .nodes = NULL };

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
	struct route6_table t = { .nodes = NULL };

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
	struct route6_table t = { .nodes = NULL };
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

/* All in one /64, whose tree is then as deep as one of high halves. */
static void test_route6_many_hosts_of_one_subnet(void)
{
	struct route6_table t = { .nodes = NULL };
	uint8_t addr[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	unsigned wrong = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		struct route r = { .kind = ROUTE_VIA, .neighbour = i };
		store_be32(addr + 12, i * 3);
		wrong += route6_insert(&t, addr, 128, &r) != 0;
	}
	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	for (uint32_t i = 0; i < 60000; i++) {
		store_be32(addr + 12, i);
		const struct route *r = route6_lookup(&t, addr);
		wrong += i % 3 ? r->kind != ROUTE_NONE : r->neighbour != i / 3;
	}
	memset(addr + 8, 0xff, 8);
	wrong += route6_lookup(&t, addr)->kind != ROUTE_NONE;
	CU_ASSERT_EQUAL(wrong, 0);
	route6_table_done(&t);
}

/* A next hop behind many prefixes side by side is one range. */
static void test_route6_neighbours_of_one_route_are_one(void)
{
	struct route6_table t = { .nodes = NULL };
	uint8_t addr[16] = { 0x20, 0x01 };
	const struct route r = { .kind = ROUTE_VIA, .neighbour = 7 };

	for (uint32_t i = 0; i < 256; i++) {
		addr[2] = (uint8_t)i;
		CU_ASSERT_EQUAL_FATAL(route6_insert(&t, addr, 24, &r), 0);
	}
	CU_ASSERT_EQUAL_FATAL(route6_finish(&t), 0);
	CU_ASSERT_EQUAL(t.route_count, 3);
	CU_ASSERT_EQUAL(route6_lookup(&t, addr)->neighbour, 7);
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
		TEST(test_route6_many_hosts_of_one_subnet),
		TEST(test_route6_neighbours_of_one_route_are_one),
	};

	return test_main("datapath_route6", tests, ARRAY_LEN(tests), argc, argv);
}
