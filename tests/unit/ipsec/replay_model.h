/* SPDX-License-Identifier: BSD-3-Clause */
/* The reference model of the anti-replay window: it writes down every number it has taken and looks whether one is
 * there. RFC 4303 3.4.3 in words, no bits. Also the sender that the tests believe in, with loss and reordering. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define MODEL_SLOTS (1u << 16) /* numbers it can tell apart, much more than any window */

struct replay_model {
	uint64_t *taken; /* by number modulo MODEL_SLOTS: the number last taken there, plus 1 */
	uint64_t start, top;
	uint32_t window;
};

static inline void model_init(struct replay_model *m, uint32_t window, uint64_t start)
{
	/* as the ring does, windows are rounded up to words */
	*m = (struct replay_model){ (uint64_t *)calloc(MODEL_SLOTS, sizeof(uint64_t)), start, start,
		(window + 63) & ~63u };
	if (!m->taken)
		abort();
}

static inline void model_done(struct replay_model *m)
{
	free(m->taken);
}

static inline enum replay_verdict model_check(const struct replay_model *m, uint64_t s)
{
	if (s > m->top)
		return REPLAY_NEW;
	if (m->top - s >= m->window)
		return REPLAY_TOO_OLD;
	/* everything up to the start counts as received */
	return s <= m->start || m->taken[s % MODEL_SLOTS] == s + 1 ? REPLAY_SEEN : REPLAY_NEW;
}

static inline void model_take(struct replay_model *m, uint64_t s)
{
	m->taken[s % MODEL_SLOTS] = s + 1;
	if (s > m->top)
		m->top = s;
}

/* xorshift: the same steps in every run. */
static inline uint32_t model_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

/* The number of the packet that arrives next: mostly near the top, sometimes far ahead (up to `leap`) or a straggler.
 */
static inline uint64_t model_next(const struct replay_model *m, uint64_t *random, uint32_t leap)
{
	uint32_t kind = model_random(random) % 1000, w = m->window;
	uint64_t back = model_random(random) % (w + 8);

	if (kind < 400)
		return m->top + 1 + model_random(random) % 3;
	if (kind < 900)
		return m->top - (back < m->top ? back : m->top);
	if (kind < 990)
		return m->top + model_random(random) % (w / 2 + 1);
	if (kind < 998)
		return m->top + w + model_random(random) % (3 * w);
	return m->top + model_random(random) % leap;
}

/* Steps of a run: 10^7 with SALLYPORT_LONG=1. */
static inline uint64_t model_steps(uint64_t usual, uint64_t longer)
{
	const char *long_run = getenv("SALLYPORT_LONG");

	return long_run && *long_run == '1' ? longer : usual;
}
