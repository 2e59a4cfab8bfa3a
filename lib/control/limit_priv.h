/* SPDX-License-Identifier: BSD-3-Clause */
/* Token buckets for log lines that a peer can trigger: a flood of packets must not become a flood of lines. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct log_limit {
	uint32_t burst;      /* lines at once */
	uint32_t per_second; /* lines on average */
	uint64_t full_at_ns; /* when the bucket will be full again */
	uint32_t suppressed; /* lines since the last one let through */
};

/* True when a line may be written now; *ret_suppressed then says how many were not before it. */
bool log_limit_take(struct log_limit *l, uint64_t now_ns, uint32_t *ret_suppressed);
