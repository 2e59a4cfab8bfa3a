/* SPDX-License-Identifier: BSD-3-Clause */
/* Random seeds of keyed hashes, from getrandom(2). */
#include "seed.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

uint64_t seed_draw(void)
{
	uint64_t seed;

	while (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		if (errno != EINTR)
			abort();
	return seed;
}
