/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of IKE SAs that are here. */
#include "harness.h"

#include "rig.h"

#define OUR_NUMBER 0x0001000000000000ull

static void test_ike_spis_are_found_with_their_state(void)
{
	struct ike_spis *t = ike_spis_create();
	uint32_t place = 0, same = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(ike_spis_lookup(t, OUR_NUMBER | 1, &place), DATAPATH_IKE_NONE);
	CU_ASSERT_EQUAL(ike_spis_set(t, OUR_NUMBER | 1, DATAPATH_IKE_OPENING), 0);
	CU_ASSERT_EQUAL(ike_spis_lookup(t, OUR_NUMBER | 1, &place), DATAPATH_IKE_OPENING);
	CU_ASSERT_EQUAL(ike_spis_set(t, OUR_NUMBER | 1, DATAPATH_IKE_UP), 0);
	CU_ASSERT_EQUAL(ike_spis_lookup(t, OUR_NUMBER | 1, &same), DATAPATH_IKE_UP);
	CU_ASSERT_EQUAL(same, place);
	CU_ASSERT(place < IKE_SPI_PLACES);
	CU_ASSERT_EQUAL(ike_spis_set(t, OUR_NUMBER | 1, DATAPATH_IKE_NONE), 0);
	CU_ASSERT_EQUAL(ike_spis_lookup(t, OUR_NUMBER | 1, &place), DATAPATH_IKE_NONE);
	CU_ASSERT_EQUAL(ike_spis_set(t, OUR_NUMBER | 1, DATAPATH_IKE_NONE), 0);
	ike_spis_free(t);
}

/* An empty place holds zero, which is no SPI. */
static void test_ike_spis_zero_is_none(void)
{
	struct ike_spis *t = ike_spis_create();
	uint32_t place;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(ike_spis_lookup(t, 0, &place), DATAPATH_IKE_NONE);
	ike_spis_free(t);
}

static uint64_t spi_of(uint32_t i)
{
	return OUR_NUMBER | (i + 1) * 0x9e3779b1ull;
}

/* 28,000 fit, each in a place of its own; when nothing fits any more that is said, and those inside stay. */
static void test_ike_spis_hold_many_and_are_bounded(void)
{
	static bool taken[IKE_SPI_PLACES];
	struct ike_spis *t = ike_spis_create();
	uint32_t n = 0, place = 0, wrong = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	while (n < IKE_SPI_PLACES && !ike_spis_set(t, spi_of(n), DATAPATH_IKE_UP))
		n++;
	CU_ASSERT(n >= 28000);
	CU_ASSERT(n < IKE_SPI_PLACES);
	for (uint32_t i = 0; i < n; i++) {
		wrong += ike_spis_lookup(t, spi_of(i), &place) != DATAPATH_IKE_UP || taken[place];
		taken[place] = true;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (uint32_t i = 0; i < n; i++)
		ike_spis_set(t, spi_of(i), DATAPATH_IKE_NONE);
	for (uint32_t i = 0; i < n; i++)
		wrong += ike_spis_lookup(t, spi_of(i), &place) != DATAPATH_IKE_NONE;
	CU_ASSERT_EQUAL(wrong, 0);
	ike_spis_free(t);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ike_spis_are_found_with_their_state),
		TEST(test_ike_spis_zero_is_none),
		TEST(test_ike_spis_hold_many_and_are_bounded),
	};

	rig_eal();
	return test_main("datapath_ike_spis", tests, ARRAY_LEN(tests), argc, argv);
}
