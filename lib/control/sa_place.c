/* SPDX-License-Identifier: BSD-3-Clause */
/* Where outbound SAs are published: in the slot of their tunnel, or, when that serves many peers, under each prefix of
 * their remote addresses, in a slot that the packet path finds by the address. Nothing is compiled for them. */
#include <errno.h>
#include <stdlib.h>

#include "sa_lifecycle_priv.h"

/* Prefixes of one pair: a range of addresses that is no prefix takes several. */
#define PLACES_MAX 256

static unsigned place_bucket(uint32_t tunnel_slot, const struct prefix *p)
{
	uint32_t hash = tunnel_slot * 31 + p->len;

	for (size_t i = 0; i < addr_len(&p->addr); i++)
		hash = hash * 16777619u ^ p->addr.bytes[i];
	return (hash ^ hash >> 15) % SA_REGISTRY_BUCKETS;
}

static struct sa_place *place_lookup(const struct sa_registry *r, uint32_t tunnel_slot, const struct prefix *p)
{
	struct sa_place *place;

	LIST_FOREACH (place, &r->places[place_bucket(tunnel_slot, p)], bucket) {
		if (place->tunnel_slot == tunnel_slot && place->remote.len == p->len &&
			addr_equal(&place->remote.addr, &p->addr))
			return place;
	}
	return NULL;
}

static int place_create(
	struct sa_registry *r, uint32_t tunnel_slot, const struct prefix *p, struct sa_place **ret_place)
{
	struct sa_place *place = calloc(1, sizeof(*place));
	int rc = place ? tunnel_child_insert(r->ips, tunnel_slot, p, &place->slot) : -ENOMEM;

	if (rc) {
		free(place);
		return rc;
	}
	place->tunnel_slot = tunnel_slot;
	place->remote = *p;
	LIST_INSERT_HEAD(&r->places[place_bucket(tunnel_slot, p)], place, bucket);
	*ret_place = place;
	return 0;
}

static void place_free(struct sa_registry *r, struct sa_place *place)
{
	tunnel_child_remove(r->ips, place->slot);
	LIST_REMOVE(place, bucket);
	free(place);
}

static bool has_place(const struct sa_pair *pair, const struct sa_place *place)
{
	for (uint16_t i = 0; i < pair->place_count; i++)
		if (pair->places[i] == place)
			return true;
	return false;
}

static int pair_add_place(struct sa_pair *pair, struct sa_place *place)
{
	struct sa_place **places = reallocarray(pair->places, pair->place_count + 1u, sizeof(struct sa_place *));

	if (!places)
		return -ENOMEM;
	pair->places = places;
	places[pair->place_count++] = place;
	place->pairs++;
	return 0;
}

static int prefix_take(struct sa_registry *r, struct sa_pair *pair, const struct prefix *p)
{
	struct sa_place *place = place_lookup(r, pair->tunnel_slot, p);
	bool fresh = !place;
	int rc = pair->place_count < PLACES_MAX ? 0 : -E2BIG;

	/* selectors may differ in ports only */
	if (place && has_place(pair, place))
		return 0;
	if (!rc && fresh)
		rc = place_create(r, pair->tunnel_slot, p, &place);
	if (rc)
		return rc;
	rc = pair_add_place(pair, place);
	if (rc && fresh)
		place_free(r, place);
	return rc;
}

static int range_take(struct sa_registry *r, struct sa_pair *pair, const struct selector *s)
{
	struct addr low = s->low, last;
	int rc;

	for (;; low = addr_beside(&last, true)) {
		const struct prefix p = prefix_between(&low, &s->high, &last);
		rc = prefix_take(r, pair, &p);
		if (rc || addr_equal(&last, &s->high))
			return rc;
	}
}

int sa_places_take(struct sa_registry *r, struct sa_pair *pair, const struct selector_list *remote)
{
	int rc = 0;

	if (!remote)
		return pair->tunnel_slot < r->slot_count ? pair_add_place(pair, &r->tunnels[pair->tunnel_slot])
							 : -EINVAL;
	for (int i = 0; i < remote->count && !rc; i++)
		rc = range_take(r, pair, &remote->items[i]);
	return rc;
}

static bool is_held(const struct sa_place *place, const struct sa_pair *pair)
{
	const struct sa_pair *at = place->holder;

	while (at && at != pair)
		at = at->next_holder;
	return at;
}

static void holder_remove(struct sa_place *place, struct sa_pair *pair)
{
	struct sa_pair **at = &place->holder;

	while (*at != pair)
		at = &(*at)->next_holder;
	*at = pair->next_holder;
	pair->next_holder = NULL;
	pair->held--;
}

/* The one place of a pair. Pairs for other pieces of the policy stay there, behind it. */
static int publish_here(struct sa_registry *r, struct sa_pair *pair, struct sa_place *place)
{
	struct sa_pair *next;
	int rc = pair->held ? 0 : tunnel_add(r->ips, place->slot, pair->out);

	if (rc || pair->held)
		return rc;
	for (struct sa_pair *other = place->holder; other; other = next) {
		next = other->next_holder;
		if (!sa_selectors_overlap(other->out, pair->out))
			continue;
		holder_remove(place, other);
		tunnel_take_out(r->ips, place->slot, other->out);
	}
	pair->next_holder = place->holder;
	place->holder = pair;
	pair->held = 1;
	return 0;
}

/* One of several places. An SA has one successor in a slot, whatever the slot: one that is in several is the last in
 * each, and takes the place of what was there. */
static int publish_alone(struct sa_registry *r, struct sa_pair *pair, struct sa_place *place)
{
	struct sa *before;

	if (is_held(place, pair))
		return 0;
	if (tunnel_swap(r->ips, place->slot, pair->out, &before))
		return -EINVAL;
	while (place->holder)
		holder_remove(place, place->holder);
	place->holder = pair;
	pair->held++;
	return 0;
}

int sa_places_publish(struct sa_registry *r, struct sa_pair *pair)
{
	int rc = 0;

	if (pair->place_count == 1)
		return publish_here(r, pair, pair->places[0]);
	for (uint16_t i = 0; i < pair->place_count && !rc; i++)
		rc = publish_alone(r, pair, pair->places[i]);
	return rc;
}

void sa_places_release(struct sa_registry *r, struct sa_pair *pair)
{
	for (uint16_t i = 0; i < pair->place_count; i++) {
		struct sa_place *place = pair->places[i];
		if (is_held(place, pair)) {
			holder_remove(place, pair);
			tunnel_take_out(r->ips, place->slot, pair->out);
		}
		if (!--place->pairs && place->remote.addr.family)
			place_free(r, place);
	}
	free(pair->places);
	pair->places = NULL;
	pair->place_count = pair->held = 0;
}
