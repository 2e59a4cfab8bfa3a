/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests: whose the addresses of a tunnel with many peers are. */
#include "harness.h"

#include <errno.h>

#include "ike_priv.h"

static struct peer a, b;

static struct selector_list addresses(const char *text)
{
	struct selector_list list = { .count = 1 };

	if (selector_parse(text, &list.items[0]))
		CU_FAIL_FATAL("a selector that makes no sense");
	return list;
}

static int take(struct tunnel *t, const struct peer *p, const char *text)
{
	struct selector_list list = addresses(text);

	return claims_take(t, p, &list);
}

static void release(struct tunnel *t, const struct peer *p, const char *text)
{
	struct selector_list list = addresses(text);

	claims_release(t, p, &list);
}

static const struct peer *rival(struct tunnel *t, const struct peer *p, const char *text)
{
	struct selector_list list = addresses(text);

	return claims_rival(t, p, &list);
}

static void test_claims_belong_to_one_peer(void)
{
	struct tunnel t = { 0 };

	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.0/24"), 0);
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.255/32"), -EEXIST);
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.0/8"), -EEXIST);
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.1.0/24"), 0);
	CU_ASSERT_EQUAL(take(&t, &b, "::/0"), 0);
	CU_ASSERT_PTR_EQUAL(rival(&t, &b, "10.0.0.0/23"), &a);
	CU_ASSERT_PTR_EQUAL(rival(&t, &a, "10.0.0.0/23"), &b);
	CU_ASSERT_PTR_NULL(rival(&t, &a, "10.0.2.0/24"));
	/* ports are not asked for: an address has one way */
	CU_ASSERT_PTR_EQUAL(rival(&t, &b, "10.0.0.1/32[tcp/80]"), &a);
	claims_done(&t);
	CU_ASSERT_PTR_NULL(t.claims);
}

static void test_claims_end_when_released_as_often(void)
{
	struct tunnel t = { 0 };

	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.0/24"), 0);
	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.0/24"), 0);
	release(&t, &a, "10.0.0.0/24");
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.0/24"), -EEXIST);
	/* nobody gives back what is another's */
	release(&t, &b, "10.0.0.0/24");
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.0/24"), -EEXIST);
	release(&t, &a, "10.0.0.0/24");
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.0/24"), 0);
	claims_done(&t);
}

/* Ranges of one peer that meet become one, and it lasts as long as the last of them. */
static void test_claims_of_one_peer_join(void)
{
	struct tunnel t = { 0 };

	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.0-10.0.0.9"), 0);
	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.20-10.0.0.29"), 0);
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.10-10.0.0.19"), 0);
	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.5-10.0.0.25"), -EEXIST);
	release(&t, &b, "10.0.0.10-10.0.0.19");
	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.5-10.0.0.25"), 0);
	release(&t, &a, "10.0.0.0-10.0.0.9");
	release(&t, &a, "10.0.0.20-10.0.0.29");
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.15/32"), -EEXIST);
	release(&t, &a, "10.0.0.5-10.0.0.25");
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.15/32"), 0);
	claims_done(&t);
}

/* One of several that the range meets is another peer's, on either side, at the ends of the family. */
static void test_claims_rival_is_found_among_own_ones(void)
{
	struct tunnel t = { 0 };

	CU_ASSERT_EQUAL(take(&t, &a, "0.0.0.0/32"), 0);
	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.1/32"), 0);
	CU_ASSERT_EQUAL(take(&t, &a, "10.0.0.5/32"), 0);
	CU_ASSERT_EQUAL(take(&t, &a, "255.255.255.255/32"), 0);
	CU_ASSERT_PTR_NULL(rival(&t, &a, "0.0.0.0/0"));
	CU_ASSERT_EQUAL(take(&t, &b, "10.0.0.3/32"), 0);
	CU_ASSERT_PTR_EQUAL(rival(&t, &a, "0.0.0.0/0"), &b);
	CU_ASSERT_PTR_EQUAL(rival(&t, &a, "10.0.0.1-10.0.0.3"), &b);
	CU_ASSERT_PTR_EQUAL(rival(&t, &a, "10.0.0.3-10.0.0.5"), &b);
	CU_ASSERT_PTR_NULL(rival(&t, &a, "10.0.0.4-10.0.0.9"));
	claims_done(&t);
}

static const struct test tests[] = {
	TEST(test_claims_belong_to_one_peer),
	TEST(test_claims_end_when_released_as_often),
	TEST(test_claims_of_one_peer_join),
	TEST(test_claims_rival_is_found_among_own_ones),
};

int main(int argc, char **argv)
{
	return test_main("ike", tests, ARRAY_LEN(tests), argc, argv);
}
