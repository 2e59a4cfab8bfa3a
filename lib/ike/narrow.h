/* SPDX-License-Identifier: BSD-3-Clause */
/* Narrowing of traffic selectors (RFC 7296 2.9) as pure decisions: what a responder answers, what an initiator asks for
 * piece by piece, and what an SA carries. Values in, values out. */
#pragma once

#include "base.h"
#include "model.h"

/* The two sides of a Child SA, each from where it stands: local is ours. */
struct ts_pair {
	struct selector_list local, remote;
};

enum narrowing {
	NARROW_NONE,       /* nothing in common: TS_UNACCEPTABLE */
	NARROW_WHOLE,      /* all that was offered */
	NARROW_CUT,        /* all of it that policy allows */
	NARROW_ADDITIONAL, /* a part; another SA could carry the rest: ADDITIONAL_TS_POSSIBLE */
	NARROW_SINGLE,     /* a piece has to be asked for: SINGLE_PAIR_REQUIRED */
};

/* Responder: what of an offer policy allows, into *ret. With `single` an SA has one selector a side: of several the
 * pieces around the first selectors, when these are of a packet (one address each), else none is chosen. */
enum narrowing narrow_answer(
	const struct ts_pair *offer, const struct ts_pair *policy, bool single, struct ts_pair *ret);

/* Each selector of inner lies in one of outer; false when a side of inner is empty. */
bool narrow_within(const struct ts_pair *inner, const struct ts_pair *outer);

/* Some packet is inside both. */
bool narrow_overlap(const struct ts_pair *a, const struct ts_pair *b);

/* The pieces of a policy are its pairs of one local and one remote selector of the same family, numbered from 1. The
 * first with a number of at least `from` into *ret; its number, 0: there is none. */
uint16_t narrow_piece(const struct ts_pair *policy, uint16_t from, struct ts_pair *ret);

/* The first selectors of an offer are those of the packet that asks for the SA (RFC 7296 2.9); left out where a side
 * has no room for one more or does not contain them. */
void narrow_put_first(struct ts_pair *offer, const struct ts_pair *packet);
