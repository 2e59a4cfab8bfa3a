/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose the remote addresses of a tunnel that serves many peers are: what goes to an address has one way. Ranges of one
 * peer that meet are one claim, so that claims never overlap and a tree finds the one around an address. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "ike_priv.h"

struct claim {
	struct addr low, high;
	const struct peer *peer;
	uint32_t count; /* ranges of Child SAs in it */
};

/* Ranges that meet are equal: those in the tree do not meet. */
static int claim_order(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;

	if (addr_compare(&a->high, &b->low) < 0)
		return -1;
	return addr_compare(&a->low, &b->high) > 0;
}

static struct claim *claim_lookup(const struct tunnel *base, const struct selector *s)
{
	struct claim wanted = { .low = s->low, .high = s->high };
	struct claim *const *node = tfind(&wanted, &base->claims, claim_order);

	return node ? *node : NULL;
}

/* One of several claims that meet the range may be another peer's: what the one that was found leaves is asked for
 * too. It is the one nearest to the root, so that this goes as deep as the tree. */
static const struct peer *range_rival(const struct tunnel *base, const struct peer *peer, struct selector range)
{
	const struct claim *c = claim_lookup(base, &range);
	struct selector below = range, above = range;

	if (!c || c->peer != peer)
		return c ? c->peer : NULL;
	const struct peer *rival = NULL;
	if (addr_compare(&range.low, &c->low) < 0) {
		below.high = addr_beside(&c->low, false);
		rival = range_rival(base, peer, below);
	}
	if (!rival && addr_compare(&range.high, &c->high) > 0) {
		above.low = addr_beside(&c->high, true);
		rival = range_rival(base, peer, above);
	}
	return rival;
}

const struct peer *claims_rival(const struct tunnel *base, const struct peer *peer, const struct selector_list *remote)
{
	const struct peer *rival = NULL;

	for (int i = 0; i < remote->count && !rival; i++)
		rival = range_rival(base, peer, remote->items[i]);
	return rival;
}

/* Takes the claims out that meet this one, into it. */
static void claim_absorb(struct tunnel *base, struct claim *c)
{
	struct claim *const *node;

	while ((node = tfind(c, &base->claims, claim_order))) {
		struct claim *met = *node;
		if (addr_compare(&met->low, &c->low) < 0)
			c->low = met->low;
		if (addr_compare(&met->high, &c->high) > 0)
			c->high = met->high;
		c->count += met->count;
		tdelete(met, &base->claims, claim_order);
		free(met);
	}
}

/* Another peer has no part of it. */
static int range_take(struct tunnel *base, const struct peer *peer, const struct selector *s)
{
	struct claim *c = claim_lookup(base, s);

	if (c && addr_compare(&c->low, &s->low) <= 0 && addr_compare(&c->high, &s->high) >= 0) {
		c->count++;
		return 0;
	}
	c = malloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct claim){ .low = s->low, .high = s->high, .peer = peer, .count = 1 };
	claim_absorb(base, c);
	if (tsearch(c, &base->claims, claim_order))
		return 0;
	free(c);
	return -ENOMEM;
}

static void range_release(struct tunnel *base, const struct peer *peer, const struct selector *s)
{
	struct claim *c = claim_lookup(base, s);

	if (!c || c->peer != peer || --c->count)
		return;
	tdelete(c, &base->claims, claim_order);
	free(c);
}

int claims_take(struct tunnel *base, const struct peer *peer, const struct selector_list *remote)
{
	if (claims_rival(base, peer, remote))
		return -EEXIST;
	for (int i = 0; i < remote->count; i++) {
		if (!range_take(base, peer, &remote->items[i]))
			continue;
		while (i-- > 0)
			range_release(base, peer, &remote->items[i]);
		return -ENOMEM;
	}
	return 0;
}

void claims_release(struct tunnel *base, const struct peer *peer, const struct selector_list *remote)
{
	for (int i = 0; i < remote->count; i++)
		range_release(base, peer, &remote->items[i]);
}

void claims_done(struct tunnel *base)
{
	while (base->claims) {
		struct claim *c = *(struct claim *const *)base->claims;
		tdelete(c, &base->claims, claim_order);
		free(c);
	}
}
