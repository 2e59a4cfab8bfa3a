/* SPDX-License-Identifier: BSD-3-Clause */
/* The anti-replay window against a model that remembers every number it has seen. */
#include "replay.h"

#include <stdlib.h>

#include "base.h"
#include "harness.h"

#define SPACE (1u << 20) /* sequence numbers the model can remember */

struct model {
	uint8_t *seen;
	uint64_t start, top;
	uint32_t window;
};

static enum replay_verdict model_check(const struct model *m, uint64_t s)
{
	if (s > m->top)
		return REPLAY_NEW;
	if (m->top - s >= m->window)
		return REPLAY_TOO_OLD;
	return s <= m->start || m->seen[s - m->start] ? REPLAY_SEEN : REPLAY_NEW;
}

static void model_mark(struct model *m, uint64_t s)
{
	if (s > m->start)
		m->seen[s - m->start] = 1;
	if (s > m->top)
		m->top = s;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Mostly near the top, sometimes a jump ahead or a straggler. */
static uint64_t next_sequence(const struct model *m)
{
	uint32_t w = m->window;
	int kind = rand() % 100;

	if (kind < 40)
		return m->top + 1 + (uint64_t)(rand() % 3);
	if (kind < 90)
		return m->top - lesser(m->top, (uint64_t)rand() % (w + 8));
	if (kind < 99)
		return m->top + (uint64_t)(rand() % (int)(w / 2 + 1));
	return m->top + w + (uint64_t)(rand() % (int)(3 * w));
}

/* Steps at which ring and model disagree. */
static unsigned disagreements(uint32_t window, uint64_t start, unsigned steps)
{
	struct model m = { calloc(SPACE, 1), start, start, (window + 63) & ~63u };
	uint64_t *words = malloc(replay_bytes(window));
	unsigned wrong = 0;
	struct replay r;

	replay_init(&r, window, start, words);
	for (unsigned i = 0; i < steps && m.top - start < SPACE - 5 * (uint64_t)m.window; i++) {
		uint64_t s = next_sequence(&m);
		enum replay_verdict expected = model_check(&m, s);
		wrong += replay_check(&r, s) != expected;
		/* not every packet that passes the check is authentic */
		if (rand() % 10 == 0)
			continue;
		wrong += replay_advance(&r, s) != expected;
		if (expected == REPLAY_NEW)
			model_mark(&m, s);
		wrong += replay_top(&r) != m.top;
	}
	free(words);
	free(m.seen);
	return wrong;
}

static void test_replay_agrees_with_model(void)
{
	static const uint32_t windows[] = { 1, 32, 64, 65, 128, 192, 1000, 1024, 4096, 8192 };

	srand(1);
	for (size_t i = 0; i < ARRAY_LEN(windows); i++)
		CU_ASSERT_EQUAL(disagreements(windows[i], 0, 100000), 0);
}

static void test_replay_agrees_with_model_beyond_32_bits(void)
{
	srand(2);
	CU_ASSERT_EQUAL(disagreements(64, 0xffffff00, 100000), 0);
	CU_ASSERT_EQUAL(disagreements(512, 0xfffffffffull, 100000), 0);
}

static void test_replay_rejects_zero_and_what_came_before(void)
{
	uint64_t words[2];
	struct replay r;

	replay_init(&r, 64, 0, words);
	CU_ASSERT_EQUAL(replay_check(&r, 0), REPLAY_SEEN);
	CU_ASSERT_EQUAL(replay_check(&r, 1), REPLAY_NEW);
	replay_init(&r, 64, 1000, words);
	for (uint64_t s = 937; s <= 1000; s++)
		CU_ASSERT_EQUAL(replay_check(&r, s), REPLAY_SEEN);
	CU_ASSERT_EQUAL(replay_check(&r, 936), REPLAY_TOO_OLD);
	for (uint64_t s = 1001; s < 1200; s++)
		CU_ASSERT_EQUAL(replay_check(&r, s), REPLAY_NEW);
}

static void test_replay_check_changes_nothing(void)
{
	uint64_t words[2], before[2];
	struct replay r;

	replay_init(&r, 64, 5, words);
	memcpy(before, words, sizeof(words));
	CU_ASSERT_EQUAL(replay_check(&r, 500), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_check(&r, 500), REPLAY_NEW);
	CU_ASSERT_EQUAL(memcmp(before, words, sizeof(words)), 0);
	CU_ASSERT_EQUAL(replay_top(&r), 5);
}

static void test_replay_off_lets_all_in(void)
{
	uint64_t words[2];
	struct replay r;

	CU_ASSERT_EQUAL_FATAL(replay_bytes(0), sizeof(words));
	replay_init(&r, 0, 0, words);
	CU_ASSERT_EQUAL(replay_advance(&r, 1000), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_advance(&r, 1000), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_advance(&r, 1), REPLAY_NEW);
	CU_ASSERT_EQUAL(replay_top(&r), 1000);
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
