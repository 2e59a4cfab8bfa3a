/* SPDX-License-Identifier: BSD-3-Clause */
/* Anti-replay window (RFC 4303 3.4.3) as a ring of 64-bit words in the manner of RFC 6479: moving on clears whole words
 * and never shifts. Leaf header, inline; one writer, the SA's owner. It knows nothing of packets. */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REPLAY_WINDOW_MAX 8192

enum replay_verdict {
	REPLAY_NEW,     /* not seen */
	REPLAY_SEEN,    /* seen before */
	REPLAY_TOO_OLD, /* left of the window */
};

struct replay {
	_Atomic uint64_t top; /* highest sequence received; W: owner, R: control (relaxed) */
	uint32_t words_at;    /* bytes from here to the ring of mask + 1 words */
	uint16_t window;      /* packets, a multiple of 64; 0: nothing is checked */
	uint16_t mask;
};
static_assert(sizeof(struct replay) == 16, "a quarter of a line");

static inline uint64_t *replay_word(const struct replay *r, uint64_t word)
{
	return (uint64_t *)((uintptr_t)r + r->words_at) + (word & r->mask);
}

/* Bytes of the ring for a window: a power of two words, with one to spare, so that the word being filled never holds
 * bits of the window's other end. */
static inline size_t replay_bytes(uint32_t window)
{
	uint32_t words = 2;

	while (words * 64 < ((window + 63) & ~63u) + 64)
		words *= 2;
	return words * sizeof(uint64_t);
}

/* Starts as if everything up to `top` had been received: a window taken over from elsewhere lets nothing in twice.
 * words: replay_bytes(window) bytes behind r, in the same piece of memory. Windows are rounded up to a multiple of 64.
 */
static inline void replay_init(struct replay *r, uint32_t window, uint64_t top, uint64_t *words)
{
	size_t bytes = replay_bytes(window);

	r->words_at = (uint32_t)((uintptr_t)words - (uintptr_t)r);
	r->window = (uint16_t)((window + 63) & ~63u);
	r->mask = (uint16_t)(bytes / sizeof(uint64_t) - 1);
	atomic_init(&r->top, top);
	memset(words, 0xff, bytes);
	*replay_word(r, top / 64) = UINT64_MAX >> (63 - top % 64);
}

static inline uint64_t replay_top(const struct replay *r)
{
	return atomic_load_explicit(&r->top, memory_order_relaxed);
}

/* Without a window all that there is to know of a packet: nobody asks the words. */
static inline void replay_raise(struct replay *r, uint64_t sequence)
{
	if (sequence > replay_top(r))
		atomic_store_explicit(&r->top, sequence, memory_order_relaxed);
}

/* Before the packet is authenticated: changes nothing. */
static inline enum replay_verdict replay_check(const struct replay *r, uint64_t sequence)
{
	uint64_t top = replay_top(r);

	if (sequence > top || !r->window)
		return REPLAY_NEW;
	if (top - sequence >= r->window)
		return REPLAY_TOO_OLD;
	return *replay_word(r, sequence / 64) >> (sequence % 64) & 1 ? REPLAY_SEEN : REPLAY_NEW;
}

/* The packet is authentic: marks it, unless a copy of it or much newer packets of the same burst came first: this
 * verdict counts, not that of the earlier check. */
static inline enum replay_verdict replay_advance(struct replay *r, uint64_t sequence)
{
	uint64_t top = replay_top(r), word = sequence / 64, steps;
	enum replay_verdict v;

	if (!r->window) {
		replay_raise(r, sequence);
		return REPLAY_NEW;
	}
	v = replay_check(r, sequence);
	if (v != REPLAY_NEW)
		return v;
	if (sequence > top) {
		steps = word - top / 64;
		if (steps > r->mask)
			steps = (uint64_t)r->mask + 1;
		for (uint64_t i = 0; i < steps; i++)
			*replay_word(r, word - i) = 0;
		atomic_store_explicit(&r->top, sequence, memory_order_relaxed);
	}
	*replay_word(r, word) |= 1ull << (sequence % 64);
	return v;
}
