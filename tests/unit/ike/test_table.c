/* SPDX-License-Identifier: BSD-3-Clause */
/* The intrusive hash table. */
#include "table.h"

#include "harness.h"

#define COUNT 1000

struct item {
	int value;
	struct link link;
};

static struct item *lookup(const struct table *t, int value)
{
	for (struct link *l = table_first(t, hash_u64((uint64_t)value)); l; l = table_next(l)) {
		struct item *item = CONTAINER_OF(l, struct item, link);
		if (item->value == value)
			return item;
	}
	return NULL;
}

static void test_table_finds_what_was_inserted(void)
{
	static struct item items[COUNT];
	struct table t;

	CU_ASSERT_EQUAL(table_init(&t, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		items[i].value = i;
		table_insert(&t, &items[i].link, hash_u64((uint64_t)i));
	}
	CU_ASSERT_EQUAL(t.count, COUNT);
	CU_ASSERT_TRUE(t.size >= COUNT);
	for (int i = 0; i < COUNT; i++)
		CU_ASSERT_PTR_EQUAL(lookup(&t, i), &items[i]);
	CU_ASSERT_PTR_NULL(lookup(&t, COUNT));
	table_done(&t);
}

static void test_table_forgets_what_was_removed(void)
{
	static struct item items[COUNT];
	struct table t;

	CU_ASSERT_EQUAL(table_init(&t, 10), 0);
	for (int i = 0; i < COUNT; i++) {
		items[i].value = i;
		table_insert(&t, &items[i].link, hash_u64((uint64_t)i));
	}
	for (int i = 0; i < COUNT; i += 3)
		table_remove(&t, &items[i].link);
	for (int i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL(lookup(&t, i) == NULL, i % 3 == 0);
	table_done(&t);
}

static void test_table_walks_equal_hashes(void)
{
	struct item items[4] = { { 0 } };
	struct table t;
	unsigned seen = 0;

	CU_ASSERT_EQUAL(table_init(&t, 0), 0);
	for (int i = 0; i < 3; i++)
		table_insert(&t, &items[i].link, 77);
	/* same bucket, another hash */
	table_insert(&t, &items[3].link, 77 + t.size);
	for (struct link *l = table_first(&t, 77); l; l = table_next(l))
		seen++;
	CU_ASSERT_EQUAL(seen, 3);
	table_done(&t);
}

static void test_table_hash_depends_on_every_byte(void)
{
	uint8_t bytes[8] = { 0 };
	uint64_t zero = hash_bytes(1, bytes, sizeof(bytes));

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		CU_ASSERT_NOT_EQUAL(hash_bytes(1, bytes, sizeof(bytes)), zero);
		bytes[i] = 0;
	}
	CU_ASSERT_NOT_EQUAL(hash_bytes(2, bytes, sizeof(bytes)), zero);
}

static const struct test tests[] = {
	TEST(test_table_finds_what_was_inserted),
	TEST(test_table_forgets_what_was_removed),
	TEST(test_table_walks_equal_hashes),
	TEST(test_table_hash_depends_on_every_byte),
};

int main(int argc, char **argv)
{
	return test_main("ike", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
