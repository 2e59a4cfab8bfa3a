/* SPDX-License-Identifier: BSD-3-Clause */
/* Collisions: every combination of what the peer asks for and what we are doing, and the order of nonces. */
#include "v2/collision.h"

#include "harness.h"

/* One letter a verdict: Proceed, Race, Forget, Later, Not found, Silent. */
static const char letters[] = "PRFLNS";

static void check_row(enum peer_asks asks, enum ike_doing ike, const char *wanted)
{
	for (int child = 0; child < CHILD_DOINGS; child++) {
		char got = letters[collision_judge(asks, ike, (enum child_doing)child)];
		if (got != wanted[child])
			printf("# asks %d ike %d child %d: %c, wanted %c\n", asks, ike, child, got, wanted[child]);
		CU_ASSERT_EQUAL(got, wanted[child]);
	}
}

/* Columns: child unknown, idle, rekeying, rekeyed, deleting. */
static void test_collision_new_child(void)
{
	check_row(ASKS_CREATE_CHILD, IKE_IDLE, "PPPPP");
	check_row(ASKS_CREATE_CHILD, IKE_BUSY, "PPPPP");
	check_row(ASKS_CREATE_CHILD, IKE_REKEYING, "LLLLL");
	check_row(ASKS_CREATE_CHILD, IKE_REKEYED, "LLLLL");
	check_row(ASKS_CREATE_CHILD, IKE_CLOSING, "LLLLL");
}

static void test_collision_rekey_of_a_child(void)
{
	check_row(ASKS_REKEY_CHILD, IKE_IDLE, "NPRLL");
	check_row(ASKS_REKEY_CHILD, IKE_BUSY, "NPRLL");
	check_row(ASKS_REKEY_CHILD, IKE_REKEYING, "LLLLL");
	check_row(ASKS_REKEY_CHILD, IKE_REKEYED, "LLLLL");
	check_row(ASKS_REKEY_CHILD, IKE_CLOSING, "LLLLL");
}

static void test_collision_delete_of_a_child(void)
{
	for (int ike = 0; ike < IKE_DOINGS; ike++)
		check_row(ASKS_DELETE_CHILD, (enum ike_doing)ike, "SPPPS");
}

static void test_collision_rekey_of_the_ike_sa(void)
{
	check_row(ASKS_REKEY_IKE, IKE_IDLE, "PPPPP");
	check_row(ASKS_REKEY_IKE, IKE_BUSY, "LLLLL");
	check_row(ASKS_REKEY_IKE, IKE_REKEYING, "RRRRR");
	check_row(ASKS_REKEY_IKE, IKE_REKEYED, "LLLLL");
	check_row(ASKS_REKEY_IKE, IKE_CLOSING, "LLLLL");
}

static void test_collision_delete_of_the_ike_sa(void)
{
	check_row(ASKS_DELETE_IKE, IKE_IDLE, "PPPPP");
	check_row(ASKS_DELETE_IKE, IKE_BUSY, "PPPPP");
	check_row(ASKS_DELETE_IKE, IKE_REKEYING, "FFFFF");
	check_row(ASKS_DELETE_IKE, IKE_REKEYED, "PPPPP");
	check_row(ASKS_DELETE_IKE, IKE_CLOSING, "FFFFF");
}

static void test_collision_nonces_compare_octet_by_octet(void)
{
	static const uint8_t low[] = { 1, 2, 3 }, high[] = { 1, 3 }, part[] = { 1, 2 }, top[] = { 0x80 };

	CU_ASSERT_PTR_EQUAL(nonce_lower(BYTES_OF(low), BYTES_OF(high)).data, low);
	CU_ASSERT_PTR_EQUAL(nonce_lower(BYTES_OF(high), BYTES_OF(low)).data, low);
	CU_ASSERT_PTR_EQUAL(nonce_lower(BYTES_OF(low), BYTES_OF(part)).data, part);
	CU_ASSERT_PTR_EQUAL(nonce_lower(BYTES_OF(top), BYTES_OF(high)).data, high);
}

static void test_collision_the_lowest_nonce_goes(void)
{
	static const uint8_t low[] = { 1, 2, 3 }, high[] = { 9 };

	CU_ASSERT_TRUE(collision_first_stays(BYTES_OF(high), BYTES_OF(low)));
	CU_ASSERT_FALSE(collision_first_stays(BYTES_OF(low), BYTES_OF(high)));
	CU_ASSERT_FALSE(collision_first_stays(BYTES_OF(low), BYTES_OF(low)));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_collision_new_child),
		TEST(test_collision_rekey_of_a_child),
		TEST(test_collision_delete_of_a_child),
		TEST(test_collision_rekey_of_the_ike_sa),
		TEST(test_collision_delete_of_the_ike_sa),
		TEST(test_collision_nonces_compare_octet_by_octet),
		TEST(test_collision_the_lowest_nonce_goes),
	};

	return test_main("ike", tests, ARRAY_LEN(tests), argc, argv);
}
