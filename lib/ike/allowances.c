/* SPDX-License-Identifier: BSD-3-Clause */
/* Key exchanges that a peer may have for the asking. It has proved who it is; it is still not to have us compute
 * without end (RFC 7296 2.25, 5). They are counted by tunnel and identity: IKE SAs follow upon each other, come back
 * after a Delete, and one peer is not to use up what another may have. */
#include <stdlib.h>

#include "ike_priv.h"

/* So many at once (two for each of its Child SAs), then one in this time. */
#define KEYS_AT_ONCE (2 * CHILD_SAS_MAX)
#define KEY_NS       (SECOND_NS / 4)

/* Peers that are remembered; beyond them who asked the longest time ago begins anew. */
#define ALLOWANCES_MAX 4096

static uint64_t hash_of(const struct ike_sa *sa)
{
	return hash_u64(identity_hash(&sa->remote_id) + sa->tunnel->index);
}

struct allowance *allowance_lookup(const struct ike_engine *e, const struct ike_sa *sa)
{
	for (struct link *l = table_first(&e->by_allowance, hash_of(sa)); l; l = table_next(l)) {
		struct allowance *a = CONTAINER_OF(l, struct allowance, by_peer);
		if (a->tunnel == sa->tunnel->index && identity_equal(&a->id, &sa->remote_id))
			return a;
	}
	return NULL;
}

bool allowance_used_up(const struct ike_engine *e, const struct allowance *a)
{
	return a->paid_ns > e->now_ns + (KEYS_AT_ONCE - 1) * KEY_NS;
}

static void forget(struct ike_engine *e, struct allowance *a)
{
	table_remove(&e->by_allowance, &a->by_peer);
	TAILQ_REMOVE(&e->allowances, a, by_age);
	free(a);
}

static bool has_to_stay(const struct ike_engine *e, const struct allowance *a)
{
	return a->paid_ns > e->now_ns || a->told_ns > e->now_ns;
}

static void make_room(struct ike_engine *e)
{
	struct allowance *oldest;

	while ((oldest = TAILQ_FIRST(&e->allowances)) &&
		(e->by_allowance.count >= ALLOWANCES_MAX || !has_to_stay(e, oldest)))
		forget(e, oldest);
}

static struct allowance *create(struct ike_engine *e, const struct ike_sa *sa)
{
	make_room(e);
	struct allowance *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->tunnel = sa->tunnel->index;
	a->id = sa->remote_id;
	table_insert(&e->by_allowance, &a->by_peer, hash_of(sa));
	TAILQ_INSERT_TAIL(&e->allowances, a, by_age);
	return a;
}

bool allowance_take(struct ike_engine *e, const struct ike_sa *sa)
{
	struct allowance *a = allowance_lookup(e, sa);

	if (!a)
		a = create(e, sa);
	if (!a || allowance_used_up(e, a))
		return false;
	a->paid_ns = (a->paid_ns > e->now_ns ? a->paid_ns : e->now_ns) + KEY_NS;
	TAILQ_REMOVE(&e->allowances, a, by_age);
	TAILQ_INSERT_TAIL(&e->allowances, a, by_age);
	return true;
}

void allowances_done(struct ike_engine *e)
{
	while (!TAILQ_EMPTY(&e->allowances))
		forget(e, TAILQ_FIRST(&e->allowances));
}
