/* SPDX-License-Identifier: BSD-3-Clause */
/* An SA's address and the generation of the slot that leads to it, in one word: a look-up compares both without
 * touching the SA, which can be prefetched then. */
#pragma once

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sa;

/* What names a slot from outside (an SPI of ours, a child of a tunnel) is generation and index likewise. */
#define SLOT_INDEX_BITS  20
#define SLOT_INDEX_MASK  ((1u << SLOT_INDEX_BITS) - 1)
#define SLOT_GENERATIONS 4096

/* In front of the line of the usual packet (struct sa): the lines of those that look closer. */
#define SA_CLOSER_BYTES 64
#define SA_PATH_BYTES   192

/* User space ends below 2^52 on every CPU DPDK runs on. */
#define SA_WORD_GENERATION_LSB 52
#define SA_WORD_POINTER_MASK   (((1ull << SA_WORD_GENERATION_LSB) - 1) & ~SA_WORD_MORE)
#define SA_WORD_MORE           1ull /* its packets read more of it than one line (sa_priv.h); SAs begin on lines */

static inline uint32_t slot_index(uint32_t name)
{
	return name & SLOT_INDEX_MASK;
}

static inline uint32_t slot_generation(uint32_t name)
{
	return name >> SLOT_INDEX_BITS;
}

/* 0: no SA. */
static inline uint64_t sa_word_make(uint32_t name, const struct sa *sa, bool more)
{
	return sa ? (uint64_t)slot_generation(name) << SA_WORD_GENERATION_LSB | (uintptr_t)sa | more : 0;
}

static inline struct sa *sa_word_sa(uint64_t word)
{
	return (struct sa *)(uintptr_t)(word & SA_WORD_POINTER_MASK);
}

static inline bool sa_word_more(uint64_t word)
{
	return word & SA_WORD_MORE;
}

/* The word is not empty and of this name's generation. */
static inline bool sa_word_is(uint64_t word, uint32_t name)
{
	return word && word >> SA_WORD_GENERATION_LSB == slot_generation(name);
}

/* The word that leads to the SA of a name, in a table of so many; 0: none does. */
static inline uint64_t sa_word_load(const _Atomic uint64_t *words, uint32_t count, uint32_t name)
{
	uint64_t word;

	if (unlikely(slot_index(name) >= count))
		return 0;
	/* acquire: pairs with the release of whoever makes it lead to another SA */
	word = atomic_load_explicit(&words[slot_index(name)], memory_order_acquire);
	return likely(sa_word_is(word, name)) ? word : 0;
}

/* What a packet reads first of an SA, whose line of the usual packet begins here, on its way into the second level: the
 * first has no room for all of a burst. more: it will look closer. */
static inline void sa_lines_prefetch(const uint8_t *usual, bool more)
{
	rte_prefetch1(usual);
	if (likely(!more))
		return;
	rte_prefetch1(usual - SA_CLOSER_BYTES);
	rte_prefetch1(usual - SA_PATH_BYTES);
}

/* The generation after this one: never 0, which names no slot that is used twice. */
static inline uint16_t slot_generation_next(uint16_t generation)
{
	return (uint16_t)(generation + 1 < SLOT_GENERATIONS ? generation + 1 : 1);
}
