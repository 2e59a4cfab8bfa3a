/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the cycles of a worker's loop go, by stage: a lap for each, in the loops that are measured. Which loops these
 * are is the datapath's business. Inline, burst path. */
#pragma once

#include <rte_cycles.h>
#include <stdint.h>

/* In the order of a packet's way; those of one direction only lie in between. */
#define CYCLE_STAGES(X)                                                                                                \
	X(CYCLES_RECEIVE, "receive")   /* from ports and rings */                                                      \
	X(CYCLES_CLASSIFY, "classify") /* headers checked, sorted into lists */                                        \
	X(CYCLES_DECIDE, "decide")     /* flow cache, policy, route; where an SA is */                                 \
	X(CYCLES_FIND_SA, "find_sa")   /* by SPI */                                                                    \
	X(CYCLES_PREPARE, "prepare")   /* key fetched, headers, numbers, window */                                     \
	X(CYCLES_CRYPTO, "crypto")                                                                                     \
	X(CYCLES_FINISH, "finish")     /* ICV, window, trailer, selectors */                                           \
	X(CYCLES_INNER, "inner")       /* checks of what came out of a tunnel */                                       \
	X(CYCLES_FORWARD, "forward")   /* TTL, next hop, Ethernet header */                                            \
	X(CYCLES_TRANSMIT, "transmit") /* to ports and other workers */                                                \
	X(CYCLES_OTHER, "other")       /* fragments, our own addresses, the loop itself */

#define CYCLE_STAGE_ENUM(name, keyword) name,
enum cycle_stage { CYCLE_STAGES(CYCLE_STAGE_ENUM) CYCLE_STAGE_COUNT };

/* Owner thread only. */
struct stage_clock {
	uint64_t last;
	uint64_t cycles[CYCLE_STAGE_COUNT];
};

/* All since the lap before was this stage's. NULL: nothing is measured. */
static inline void stage_lap(struct stage_clock *c, enum cycle_stage stage)
{
	if (__builtin_expect(!c, 1))
		return;
	uint64_t now = rte_rdtsc();
	c->cycles[stage] += now - c->last;
	c->last = now;
}
