/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether selectors of both sides together take all traffic that others take: exact for address ranges, protocols and
 * ports, also where it takes several to cover one. */
#pragma once

#include "selector.h"

/* The traffic of one rule: any of its local selectors with any of its remote ones. Both borrowed. */
struct selector_sides {
	const struct selector_list *local, *remote;
};

enum cover { COVER_WHOLE, COVER_PART, COVER_UNKNOWN };

/* COVER_WHOLE when every packet of `inner` matches one of `outer`. COVER_PART with *ret_local and *ret_remote set to
 * the pair of inner's selectors that is not wholly matched. COVER_UNKNOWN when it takes too long to tell. */
enum cover selector_sides_cover(const struct selector_sides *outer, size_t count, const struct selector_sides *inner,
	struct selector *ret_local, struct selector *ret_remote);
/* True when some packet matches both. */
bool selector_sides_meet(const struct selector_sides *a, const struct selector_sides *b);
