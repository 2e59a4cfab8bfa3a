/* SPDX-License-Identifier: BSD-3-Clause */
/* Token bucket kept as one time: when it will be full again. A bucket that is full later than a whole burst from now is
 * empty. */
#include "limit_priv.h"

bool log_limit_take(struct log_limit *l, uint64_t now_ns, uint32_t *ret_suppressed)
{
	uint64_t token_ns = 1000000000u / (l->per_second ? l->per_second : 1);
	uint64_t full_at = l->full_at_ns > now_ns ? l->full_at_ns : now_ns;

	if (full_at + token_ns > now_ns + token_ns * l->burst) {
		l->suppressed++;
		return false;
	}
	l->full_at_ns = full_at + token_ns;
	*ret_suppressed = l->suppressed;
	l->suppressed = 0;
	return true;
}
