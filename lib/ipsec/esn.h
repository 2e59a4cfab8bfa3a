/* SPDX-License-Identifier: BSD-3-Clause */
/* The 64-bit sequence number behind the 32 bits on the wire. Pure leaf header, inline; decides nothing about replay. */
#pragma once

#include <stdint.h>

#define ESN_WINDOW_NONE (1u << 31) /* without a replay window: as far back as forward */

/* RFC 4303 A2: of all numbers that end in `low`, the one in [top - window + 1, top - window + 2^32]: the only one that
 * is neither left of the window nor absurdly far ahead. The cases A and B of the RFC are this one formula. Near the
 * start (top < window - 1) the high half is 0. top: highest sequence authenticated; esn_mask: all ones with ESN, 0
 * without (then the answer is `low`); no branch. */
static inline uint64_t esn_guess(uint64_t top, uint32_t window, uint32_t low, uint64_t esn_mask)
{
	uint64_t bottom = top >= window ? top - window + 1 : 0;

	bottom &= esn_mask;
	return bottom + (uint32_t)(low - (uint32_t)bottom);
}
