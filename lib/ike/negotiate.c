/* SPDX-License-Identifier: BSD-3-Clause */
/* Choosing proposals and explaining why none fits. Does not send, store or log anything. */
#include "negotiate.h"

#include <stdio.h>

/* Order in which mismatches are told: what an operator writes first. */
static const uint8_t type_order[] = { TRANSFORM_ENCR, TRANSFORM_PRF, TRANSFORM_INTEG, TRANSFORM_KE, TRANSFORM_ESN };

#define ALL_MATCH ARRAY_LEN(type_order)

const struct spi_rule spi_of_ike = { .len = 8, .least = 1 };
const struct spi_rule spi_of_child = { .len = 4, .least = 256 };

bool spi_allowed(const struct spi_rule *rule, uint8_t spi_len, uint64_t spi)
{
	return spi_len == rule->len && spi >= rule->least;
}

/* Integrity, key exchange and ESN know a "none" (number 0) that equals leaving the type out. */
static bool type_has_none(uint8_t type)
{
	return type == TRANSFORM_INTEG || type == TRANSFORM_KE || type == TRANSFORM_ESN;
}

/* A proposal as far as matching goes: ours and theirs are of different types. */
struct side {
	uint8_t protocol;
	int count;
	const struct transform *transforms;
};

static struct side side_of(const struct proposal *p)
{
	return (struct side){ p->protocol, p->count, p->transforms };
}

static struct side side_of_offered(const struct offered *o)
{
	return (struct side){ o->protocol, o->count, o->transforms };
}

static const struct transform *find_transform(const struct side *s, const struct transform *wanted)
{
	for (int i = 0; i < s->count; i++) {
		const struct transform *t = &s->transforms[i];
		if (t->type == wanted->type && t->id == wanted->id && t->key_bits == wanted->key_bits)
			return t;
	}
	return NULL;
}

static bool has_type(const struct side *s, uint8_t type)
{
	for (int i = 0; i < s->count; i++)
		if (s->transforms[i].type == type)
			return true;
	return false;
}

static bool has_none(const struct side *s, uint8_t type)
{
	return type_has_none(type) && find_transform(s, &(struct transform){ .type = type });
}

/* Adds the common transform of a type to *chosen; nothing where both leave the type out. */
static bool choose_type(
	const struct side *ours, const struct side *theirs, uint8_t type, uint16_t hint, struct proposal *chosen)
{
	struct transform hinted = { .type = TRANSFORM_KE, .id = hint };
	bool mine = has_type(ours, type), other = has_type(theirs, type);

	if (!mine && !other)
		return true;
	if (!other)
		return has_none(ours, type);
	if (!mine)
		return has_none(theirs, type) && !proposal_add(chosen, (enum transform_type)type, 0, 0);
	if (type == TRANSFORM_KE && hint && find_transform(ours, &hinted) && find_transform(theirs, &hinted))
		return !proposal_add(chosen, TRANSFORM_KE, hint, 0);
	for (int i = 0; i < ours->count; i++) {
		const struct transform *t = &ours->transforms[i];
		if (t->type == type && find_transform(theirs, t))
			return !proposal_add(chosen, (enum transform_type)type, t->id, t->key_bits);
	}
	return false;
}

/* A transform of a type nobody knows spoils its proposal (RFC 7296 3.3.6). */
static bool types_known(const struct side *s)
{
	for (int i = 0; i < s->count; i++)
		if (s->transforms[i].type < TRANSFORM_ENCR || s->transforms[i].type > TRANSFORM_ESN)
			return false;
	return true;
}

/* Each transform that is no "none" has a row of ours, and the rows make sense together. */
static bool suite_sensible(const struct proposal *chosen)
{
	struct suite s;

	for (int i = 0; i < chosen->count; i++) {
		const struct transform *t = &chosen->transforms[i];
		if (!alg_lookup((enum transform_type)t->type, t->id, t->key_bits) && (t->id || !type_has_none(t->type)))
			return false;
	}
	suite_of_proposal(chosen, &s);
	return !suite_fault((enum security_protocol)chosen->protocol, &s);
}

/* How many types agree, in order; ALL_MATCH when all do: then *ret_chosen has the transforms. */
static size_t match_pair(const struct side *ours, const struct side *theirs, uint16_t hint, struct proposal *ret_chosen)
{
	*ret_chosen = (struct proposal){ .protocol = theirs->protocol };
	if (ours->protocol != theirs->protocol)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(type_order); i++)
		if (!choose_type(ours, theirs, type_order[i], hint, ret_chosen))
			return i;
	return types_known(theirs) && suite_sensible(ret_chosen) ? ALL_MATCH : ALL_MATCH - 1;
}

/* The first of the `count` proposals at ours that this one of theirs matches; count: none. What spoils theirs as a
 * whole is looked for but once. */
static int first_match(
	const struct proposal *ours, int count, const struct side *theirs, uint16_t hint, struct proposal *ret_chosen)
{
	if (!types_known(theirs))
		return count;
	for (int i = 0; i < count; i++) {
		struct side mine = side_of(&ours[i]);
		if (match_pair(&mine, theirs, hint, ret_chosen) == ALL_MATCH)
			return i;
	}
	return count;
}

/* Their offer is read once; what is better than the best so far are those of ours before it. */
bool negotiate_choose(const struct proposal_list *ours, struct offer theirs, const struct spi_rule *spi,
	uint16_t ke_hint, struct proposal *ret_chosen)
{
	struct offered offered;
	struct proposal chosen;
	int best = ours->count;

	while (best && offer_next(&theirs, &offered)) {
		struct side other = side_of_offered(&offered);
		if (spi && !spi_allowed(spi, offered.spi_len, offered.spi))
			continue;
		int match = first_match(ours->items, best, &other, ke_hint, &chosen);
		if (match == best)
			continue;
		best = match;
		*ret_chosen = chosen;
		ret_chosen->number = offered.number;
		ret_chosen->spi_len = offered.spi_len;
		ret_chosen->spi = offered.spi;
	}
	return best < ours->count;
}

bool negotiate_allows(const struct proposal_list *ours, const struct proposal *chosen)
{
	struct side other = side_of(chosen);
	struct proposal same;

	return first_match(ours->items, ours->count, &other, 0, &same) < ours->count;
}

static bool one_per_type(const struct proposal *p)
{
	unsigned seen = 0;

	for (int i = 0; i < p->count; i++) {
		unsigned bit = 1u << (p->transforms[i].type & 31);
		if (seen & bit)
			return false;
		seen |= bit;
	}
	return true;
}

bool negotiate_check_answer(
	const struct proposal_list *offer, const struct proposal_list *answer, struct proposal *ret_chosen)
{
	const struct proposal *a = &answer->items[0];
	struct side theirs = side_of(a);

	if (answer->count != 1 || !one_per_type(a))
		return false;
	for (int i = 0; i < offer->count; i++) {
		struct side ours = side_of(&offer->items[i]);
		if (offer->items[i].number != a->number)
			continue;
		bool fits = match_pair(&ours, &theirs, 0, ret_chosen) == ALL_MATCH;
		ret_chosen->number = a->number;
		ret_chosen->spi_len = a->spi_len;
		ret_chosen->spi = a->spi;
		return fits;
	}
	return false;
}

/* "AES-GCM-256 or AES-GCM-128" of one type, "none" without any. */
static void type_format(const struct side *s, uint8_t type, char *ret_text, size_t capacity)
{
	char one[PROPOSAL_TEXT_MAX];
	size_t used = 0;

	snprintf(ret_text, capacity, "none");
	for (int i = 0; i < s->count; i++) {
		struct proposal single = { .count = 1, .transforms = { s->transforms[i] } };
		if (s->transforms[i].type != type || used >= capacity)
			continue;
		int n = snprintf(
			ret_text + used, capacity - used, "%s%s", used ? " or " : "", proposal_format(&single, one));
		used += (size_t)n;
	}
}

static const char *protocol_text(uint8_t protocol)
{
	return protocol == PROTOCOL_IKE   ? "IKE"
	       : protocol == PROTOCOL_ESP ? "ESP"
	       : protocol == PROTOCOL_AH  ? "AH"
					  : "?";
}

static void pair_mismatch(
	const struct side *ours, const struct side *theirs, size_t agreed, char *ret_text, size_t capacity)
{
	char mine[48], other[48];

	if (ours->protocol != theirs->protocol) {
		snprintf(ret_text, capacity, "protocol: ours %s, theirs %s", protocol_text(ours->protocol),
			protocol_text(theirs->protocol));
		return;
	}
	if (!types_known(theirs)) {
		snprintf(ret_text, capacity, "the peer's proposal has a transform type we do not know");
		return;
	}
	type_format(ours, type_order[agreed], mine, sizeof(mine));
	type_format(theirs, type_order[agreed], other, sizeof(other));
	snprintf(ret_text, capacity, "%s: ours %s, theirs %s", transform_type_name(type_order[agreed]), mine, other);
}

/* The pair of proposals that agrees furthest; of equal ones our first, and of those their first. */
struct closest {
	int index; /* of ours; -1: there is no pair yet */
	size_t agreed;
	struct offered theirs;
};

static void closest_update(const struct proposal_list *ours, const struct offered *theirs, struct closest *closest)
{
	struct side other = side_of_offered(theirs);
	struct proposal scratch;

	for (int i = 0; i < ours->count; i++) {
		struct side mine = side_of(&ours->items[i]);
		size_t agreed = match_pair(&mine, &other, 0, &scratch);
		bool closer = closest->index < 0 || agreed > closest->agreed ||
			      (agreed == closest->agreed && i < closest->index);
		if (!closer)
			continue;
		closest->index = i;
		closest->agreed = agreed;
		closest->theirs = *theirs;
	}
}

void negotiate_mismatch(const struct proposal_list *ours, struct offer theirs, char *ret_text, size_t capacity)
{
	struct closest closest = { .index = -1 };
	struct offered offered;

	ret_text[0] = '\0';
	while (offer_next(&theirs, &offered))
		closest_update(ours, &offered, &closest);
	if (closest.index < 0 || closest.agreed == ALL_MATCH)
		return;
	struct side mine = side_of(&ours->items[closest.index]), other = side_of_offered(&closest.theirs);
	pair_mismatch(&mine, &other, closest.agreed, ret_text, capacity);
}

void suite_of_proposal(const struct proposal *chosen, struct suite *ret_suite)
{
	*ret_suite = (struct suite){ 0 };
	for (int i = 0; i < chosen->count; i++) {
		const struct transform *t = &chosen->transforms[i];
		const struct alg *a = alg_lookup((enum transform_type)t->type, t->id, t->key_bits);
		switch (t->type) {
		case TRANSFORM_ENCR: ret_suite->encr = a; break;
		case TRANSFORM_PRF: ret_suite->prf = a; break;
		case TRANSFORM_INTEG: ret_suite->integ = a; break;
		case TRANSFORM_KE: ret_suite->ke = a; break;
		case TRANSFORM_ESN: ret_suite->esn = t->id == ESN_YES; break;
		default: break;
		}
	}
}

void proposals_drop(struct proposal_list *list, enum transform_type type)
{
	for (int i = 0; i < list->count; i++) {
		struct proposal *p = &list->items[i];
		uint8_t kept = 0;
		for (int j = 0; j < p->count; j++)
			if (p->transforms[j].type != type)
				p->transforms[kept++] = p->transforms[j];
		p->count = kept;
	}
}

void proposals_address(struct proposal_list *list, uint8_t spi_len, uint64_t spi)
{
	for (int i = 0; i < list->count; i++) {
		list->items[i].number = (uint8_t)(i + 1);
		list->items[i].spi_len = spi_len;
		list->items[i].spi = spi;
	}
}

uint16_t proposals_first_group(const struct proposal_list *list)
{
	for (int i = 0; i < list->count; i++)
		for (int j = 0; j < list->items[i].count; j++)
			if (list->items[i].transforms[j].type == TRANSFORM_KE && list->items[i].transforms[j].id)
				return list->items[i].transforms[j].id;
	return 0;
}

bool proposals_have_group(const struct proposal_list *list, uint16_t group)
{
	for (int i = 0; i < list->count; i++) {
		struct side s = side_of(&list->items[i]);
		if (find_transform(&s, &(struct transform){ .type = TRANSFORM_KE, .id = group }))
			return true;
	}
	return false;
}
