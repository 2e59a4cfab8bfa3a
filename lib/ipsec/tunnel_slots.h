/* SPDX-License-Identifier: BSD-3-Clause */
/* The outbound SAs of many slots in a row, so that memory answers while other packets are looked at. Inline, burst
 * path. */
#pragma once

#include "ipsec.h"
#include "sa_word.h"

/* Where slots lead; never changes. */
struct tunnel_slots {
	const _Atomic uint64_t *words;
	uint32_t count;
	uint32_t line; /* offset in an SA of what a packet reads first */
};
/* Any thread. */
struct tunnel_slots tunnel_slots(const struct ipsec *ips);

/* Worker: as tunnel_lookup; what a packet reads of the SA is on its way. */
static inline struct sa *tunnel_ask(const struct tunnel_slots *slots, uint32_t slot)
{
	uint64_t word = sa_word_load(slots->words, slots->count, slot);
	struct sa *sa = sa_word_sa(word);

	if (likely(sa != NULL))
		sa_lines_prefetch((const uint8_t *)sa + slots->line, sa_word_more(word));
	return sa;
}
