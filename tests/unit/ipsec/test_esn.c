/* SPDX-License-Identifier: BSD-3-Clause */
/* The guess of the high half against RFC 4303 A2.1 written out case by case, around every boundary. */
#include "esn.h"

#include "base.h"
#include "harness.h"
#include "replay_model.h"

#define YES UINT64_MAX

/* RFC 4303 A2.1: Th, Tl and W as there. */
static uint64_t by_the_book(uint64_t top, uint32_t w, uint32_t low)
{
	uint32_t tl = (uint32_t)top, th = (uint32_t)(top >> 32), high;
	uint32_t bottom = tl - w + 1;

	if (tl >= w - 1)
		high = low >= bottom ? th : th + 1;
	else if (low >= bottom)
		high = th ? th - 1 : 0; /* before the first packet there is nothing */
	else
		high = th;
	return (uint64_t)high << 32 | low;
}

static void test_esn_guess_at_boundaries(void)
{
	static const uint64_t tops[] = { 0, 1, 62, 63, 64, 0xfffffffe, 0xffffffff, 0x100000000, 0x10000003e,
		0x10000003f, 0x100000040, 0x1ffffffff, 0x200000000, 0x7fffffffffffffff };
	static const int64_t steps[] = { -65, -64, -63, -62, -1, 0, 1, 2, 63, 64, 65, 0x7fffffff };

	for (size_t i = 0; i < ARRAY_LEN(tops); i++)
		for (size_t j = 0; j < ARRAY_LEN(steps); j++) {
			uint32_t low = (uint32_t)(tops[i] + (uint64_t)steps[j]);
			CU_ASSERT_EQUAL(esn_guess(tops[i], 64, low, YES), by_the_book(tops[i], 64, low));
		}
}

static void test_esn_guess_random(void)
{
	unsigned wrong = 0;

	srand(3);
	for (int i = 0; i < 200000; i++) {
		uint64_t top = (uint64_t)(rand() % 4) << 32 | (uint32_t)rand() << 1;
		uint32_t window = 64u << rand() % 8, low = (uint32_t)rand() << 1 ^ (uint32_t)rand();
		if (i % 2)
			low = (uint32_t)top + (uint32_t)(rand() % 20000) - 10000;
		wrong += esn_guess(top, window, low, YES) != by_the_book(top, window, low);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void test_esn_guess_finds_what_was_sent(void)
{
	/* whatever is inside the window or ahead of it by less than 2^32 - window comes back whole */
	for (uint64_t top = 0xfffffff0; top < 0x100000200; top++) {
		for (uint64_t s = top - 127; s < top + 200; s += 3)
			CU_ASSERT_EQUAL(esn_guess(top, 128, (uint32_t)s, YES), s);
		CU_ASSERT_EQUAL(esn_guess(top, 128, (uint32_t)(top + 0xffffff80), YES), top + 0xffffff80);
	}
}

/* A stream with loss, reordering and leaps, as the receiver sees it: what the window can judge is found whole, and only
 * what is left of it is taken for a number 2^32 later, which is then not authentic. */
static uint64_t stream_wrong(uint32_t window, uint64_t start, uint64_t steps)
{
	uint64_t random = window + start, wrong = 0;
	struct replay_model m;

	model_init(&m, window, start);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t s = model_next(&m, &random, 1u << 31);
		bool judged = model_check(&m, s) != REPLAY_TOO_OLD;
		wrong += esn_guess(m.top, window, (uint32_t)s, YES) != (judged ? s : s + (1ull << 32));
		if (judged && model_random(&random) % 10)
			model_take(&m, s);
	}
	model_done(&m);
	return wrong;
}

static void test_esn_guess_follows_a_lossy_stream(void)
{
	static const uint64_t starts[] = { 0, 1000, 0xffffff00, 0x1fffffff0, 0xfffffffff000 };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		for (uint32_t window = 64; window <= REPLAY_WINDOW_MAX; window *= 2)
			CU_ASSERT_EQUAL(stream_wrong(window, starts[i], model_steps(20000, 1000000)), 0);
}

static void test_esn_guess_without_esn_is_the_wire(void)
{
	CU_ASSERT_EQUAL(esn_guess(0xfffffff0, 64, 5, 0), 5);
	CU_ASSERT_EQUAL(esn_guess(0, 64, 0xffffffff, 0), 0xffffffff);
	CU_ASSERT_EQUAL(esn_guess(100, 64, 0, 0), 0);
}

static void test_esn_guess_without_window_looks_both_ways(void)
{
	uint64_t top = 0x300000005;

	CU_ASSERT_EQUAL(esn_guess(top, ESN_WINDOW_NONE, 4, YES), 0x300000004);
	CU_ASSERT_EQUAL(esn_guess(top, ESN_WINDOW_NONE, 0xfffffff0, YES), 0x2fffffff0);
	CU_ASSERT_EQUAL(esn_guess(top, ESN_WINDOW_NONE, 1000, YES), 0x3000003e8);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_esn_guess_at_boundaries),
		TEST(test_esn_guess_random),
		TEST(test_esn_guess_finds_what_was_sent),
		TEST(test_esn_guess_follows_a_lossy_stream),
		TEST(test_esn_guess_without_esn_is_the_wire),
		TEST(test_esn_guess_without_window_looks_both_ways),
	};

	return test_main("ipsec_esn", tests, ARRAY_LEN(tests), argc, argv);
}
