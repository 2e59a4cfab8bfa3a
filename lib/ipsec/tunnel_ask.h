/* SPDX-License-Identifier: BSD-3-Clause */
/* The outbound SAs of many slots in a row, so that memory answers while other packets are looked at. Inline, burst
 * path. */
#pragma once

#include "ipsec.h"
#include "sa_word.h"

/* Where the words of all slots are (tunnels' and children's), each of which leads to an SA: this never changes. */
struct tunnel_words {
	const _Atomic uint64_t *words;
	uint32_t count;
	uint32_t line; /* offset in an SA of what a packet reads first */
};
/* Any thread. */
struct tunnel_words tunnel_words(const struct ipsec *ips);

/* Worker: as tunnel_lookup; what a packet reads of the SA is on its way. */
static inline struct sa *tunnel_ask(const struct tunnel_words *words, uint32_t slot)
{
	uint64_t word = sa_word_load(words->words, words->count, slot);
	struct sa *sa = sa_word_sa(word);

	if (likely(sa != NULL))
		sa_lines_prefetch((const uint8_t *)sa + words->line, sa_word_more(word));
	return sa;
}
