/* SPDX-License-Identifier: BSD-3-Clause */
/* The grace period's own state; embedded in struct ipsec. Control only, but for the quiescent variable. */
#pragma once

#include <rte_rcu_qsbr.h>

struct deferred;

struct reclaim {
	struct rte_rcu_qsbr *qsbr;         /* workers report here */
	struct deferred *oldest, **newest; /* what waits, in the order it was given */
	size_t waiting, leaked;
	uint64_t freed;      /* ever; progress for the stall alarm */
	uint64_t seen_freed; /* at the last look of reclaim_stalled */
	uint64_t stalled_since_ns;
	bool watched; /* something waited at that look */
};

/* 0 or -ENOMEM. */
int reclaim_init(struct reclaim *r, uint16_t workers);
/* Frees all that waits; no worker runs any more. */
void reclaim_done(struct reclaim *r, uint16_t workers);
