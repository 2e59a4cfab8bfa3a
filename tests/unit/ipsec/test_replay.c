/* SPDX-License-Identifier: BSD-3-Clause */
/* The anti-replay window against a model that remembers every number it has seen. */
#include "replay.h"

#include <stdlib.h>

#include "base.h"
#include "harness.h"
#include "replay_model.h"

/* A window with its ring behind it, as an SA has them; to be freed. */
static struct replay *window_open(uint32_t window, uint64_t top)
{
	struct replay *r = (struct replay *)malloc(sizeof(*r) + replay_bytes(window));

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	replay_init(r, window, top, (uint64_t *)(r + 1));
	return r;
}

/* Steps at which ring and model disagree. */
static uint64_t disagreements(uint32_t window, uint64_t start, uint32_t leap, uint64_t steps)
{
	struct replay *r = window_open(window, start);
	uint64_t wrong = 0, random = window + 1;
	struct replay_model m;

	model_init(&m, window, start);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t s = model_next(&m, &random, leap);
		enum replay_verdict expected = model_check(&m, s);
		wrong += replay_check(r, s) != expected;
		/* not every packet that passes the check is authentic */
		if (model_random(&random) % 10 == 0)
			continue;
		wrong += replay_advance(r, s) != expected;
		if (expected == REPLAY_NEW)
			model_take(&m, s);
		wrong += replay_top(r) != m.top;
	}
	free(r);
	model_done(&m);
	return wrong;
}

static void test_replay_agrees_with_model(void)
{
	static const uint32_t windows[] = { 1, 32, 64, 65, 128, 192, 256, 512, 1000, 1024, 2048, 4096, 8191, 8192 };

	for (size_t i = 0; i < ARRAY_LEN(windows); i++)
		CU_ASSERT_EQUAL(disagreements(windows[i], 0, 100000, model_steps(100000, 10000000)), 0);
}

/* With leaps of 2^31 the 64 bits are crossed in all their parts. */
static void test_replay_agrees_with_model_beyond_32_bits(void)
{
	static const uint64_t starts[] = { 0xffffff00, 0xfffffffff, 0x7fffffffffff0000 };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		for (uint32_t window = 64; window <= REPLAY_WINDOW_MAX; window *= 2)
			CU_ASSERT_EQUAL(disagreements(window, starts[i], 1u << 31, model_steps(20000, 1000000)), 0);
}

static void test_replay_rejects_zero_and_what_came_before(void)
{
	struct replay *r = window_open(64, 0);

	CU_ASSERT_EQUAL(replay_check(r, 0), REPLAY_SEEN);
	CU_ASSERT_EQUAL(replay_check(r, 1), REPLAY_NEW);
	free(r);
	r = window_open(64, 1000);
	for (uint64_t s = 937; s <= 1000; s++)
		CU_ASSERT_EQUAL(replay_check(r, s), REPLAY_SEEN);
	CU_ASSERT_EQUAL(replay_check(r, 936), REPLAY_TOO_OLD);
	for (uint64_t s = 1001; s < 1200; s++)
		CU_ASSERT_EQUAL(replay_check(r, s), REPLAY_NEW);
	free(r);
}

static void test_replay_check_changes_nothing(void)
{
	const size_t bytes = sizeof(struct replay) + replay_bytes(64);
	struct replay *r = window_open(64, 5), *before = window_open(64, 5);

	CU_ASSERT_EQUAL(replay_check(r, 500), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_check(r, 500), REPLAY_NEW);
	CU_ASSERT_EQUAL(memcmp(before, r, bytes), 0);
	CU_ASSERT_EQUAL(replay_top(r), 5);
	free(before);
	free(r);
}

static void test_replay_off_lets_all_in(void)
{
	struct replay *r = window_open(0, 0);

	CU_ASSERT_EQUAL(replay_advance(r, 1000), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_advance(r, 1000), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_advance(r, 1), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_top(r), 1000);
	free(r);
}

static void test_replay_ring_has_a_spare_word(void)
{
	for (uint32_t w = 1; w <= REPLAY_WINDOW_MAX; w++) {
		size_t words = replay_bytes(w) / 8;
		CU_ASSERT(words * 64 >= (w + 63) / 64 * 64 + 64);
		CU_ASSERT_EQUAL(words & (words - 1), 0);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_replay_agrees_with_model),
		TEST(test_replay_agrees_with_model_beyond_32_bits),
		TEST(test_replay_rejects_zero_and_what_came_before),
		TEST(test_replay_check_changes_nothing),
		TEST(test_replay_off_lets_all_in),
		TEST(test_replay_ring_has_a_spare_word),
	};

	return test_main("ipsec_replay", tests, ARRAY_LEN(tests), argc, argv);
}
