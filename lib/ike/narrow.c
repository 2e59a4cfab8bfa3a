/* SPDX-License-Identifier: BSD-3-Clause */
/* Narrowing of traffic selectors. Does not send, store or log anything. */
#include "narrow.h"

static bool list_contains(const struct selector_list *list, const struct selector *s)
{
	for (int i = 0; i < list->count; i++)
		if (selector_contains(&list->items[i], s))
			return true;
	return false;
}

static bool list_within(const struct selector_list *inner, const struct selector_list *outer)
{
	for (int i = 0; i < inner->count; i++)
		if (!list_contains(outer, &inner->items[i]))
			return false;
	return inner->count > 0;
}

bool narrow_within(const struct ts_pair *inner, const struct ts_pair *outer)
{
	return list_within(&inner->local, &outer->local) && list_within(&inner->remote, &outer->remote);
}

/* A family of which only one side has selectors carries no packet. */
static bool lists_overlap(const struct selector_list *a, const struct selector_list *b, enum addr_family family)
{
	struct selector common;

	for (int i = 0; i < a->count; i++)
		for (int k = 0; k < b->count; k++)
			if (selector_intersect(&a->items[i], &b->items[k], &common) && common.low.family == family)
				return true;
	return false;
}

bool narrow_overlap(const struct ts_pair *a, const struct ts_pair *b)
{
	static const enum addr_family families[] = { ADDR_IPV4, ADDR_IPV6 };

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (lists_overlap(&a->local, &b->local, families[i]) &&
			lists_overlap(&a->remote, &b->remote, families[i]))
			return true;
	return false;
}

static struct ts_pair single_pair(const struct selector *local, const struct selector *remote)
{
	return (struct ts_pair){ .local = { .count = 1, .items = { *local } },
		.remote = { .count = 1, .items = { *remote } } };
}

uint16_t narrow_piece(const struct ts_pair *policy, uint16_t from, struct ts_pair *ret)
{
	unsigned count = (unsigned)policy->local.count * policy->remote.count;

	for (unsigned n = from ? from : 1; n <= count; n++) {
		const struct selector *local = &policy->local.items[(n - 1) / policy->remote.count];
		const struct selector *remote = &policy->remote.items[(n - 1) % policy->remote.count];
		if (local->low.family != remote->low.family)
			continue;
		*ret = single_pair(local, remote);
		return (uint16_t)n;
	}
	return 0;
}

static bool one_address(const struct selector_list *list)
{
	return list->count && addr_equal(&list->items[0].low, &list->items[0].high);
}

/* The piece around the first selectors of the offer. */
static bool piece_around(const struct ts_pair *common, const struct ts_pair *first, struct ts_pair *ret)
{
	for (uint16_t n = narrow_piece(common, 1, ret); n; n = narrow_piece(common, (uint16_t)(n + 1), ret))
		if (narrow_within(first, ret))
			return true;
	return false;
}

static enum narrowing narrow_single(const struct ts_pair *offer, const struct ts_pair *common, struct ts_pair *ret)
{
	struct ts_pair first = single_pair(&offer->local.items[0], &offer->remote.items[0]);

	if (!one_address(&offer->local) || !one_address(&offer->remote) || !piece_around(common, &first, ret))
		return NARROW_SINGLE;
	return NARROW_ADDITIONAL;
}

enum narrowing narrow_answer(
	const struct ts_pair *offer, const struct ts_pair *policy, bool single, struct ts_pair *ret)
{
	bool cut_local, cut_remote;

	if (!selector_list_narrow(&offer->local, &policy->local, &ret->local, &cut_local) ||
		!selector_list_narrow(&offer->remote, &policy->remote, &ret->remote, &cut_remote))
		return NARROW_NONE;
	if (single && (ret->local.count > 1 || ret->remote.count > 1)) {
		const struct ts_pair common = *ret;
		return narrow_single(offer, &common, ret);
	}
	return cut_local || cut_remote ? NARROW_CUT : NARROW_WHOLE;
}

static void put_first(struct selector_list *list, const struct selector *s)
{
	memmove(&list->items[1], &list->items[0], list->count * sizeof(list->items[0]));
	list->items[0] = *s;
	list->count++;
}

void narrow_put_first(struct ts_pair *offer, const struct ts_pair *packet)
{
	if (offer->local.count == SELECTORS_MAX || offer->remote.count == SELECTORS_MAX ||
		!narrow_within(packet, offer))
		return;
	put_first(&offer->local, &packet->local.items[0]);
	put_first(&offer->remote, &packet->remote.items[0]);
}
