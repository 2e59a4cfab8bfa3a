/* SPDX-License-Identifier: BSD-3-Clause */
/* The peers of a tunnel that serves many: each has the run-time half of a tunnel to itself, so that which IKE SA stays,
 * what is wanted and who carries the traffic is decided as for a peer with a tunnel of its own. They come with their
 * first IKE SA and go with the last. */
#include <stdlib.h>

#include "ike_priv.h"
#include "v2/v2.h"

struct tunnel *tunnel_base(struct tunnel *t)
{
	return t->base ? t->base : t;
}

struct peer *tunnel_peer(struct tunnel *t)
{
	return t->base ? CONTAINER_OF(t, struct peer, tunnel) : NULL;
}

static uint64_t peer_hash(const struct tunnel *base, const struct identity *id)
{
	return hash_u64(identity_hash(id) + base->index);
}

struct peer *peer_lookup(const struct ike_engine *e, const struct tunnel *base, const struct identity *id)
{
	for (struct link *l = table_first(&e->by_peer, peer_hash(base, id)); l; l = table_next(l)) {
		struct peer *p = CONTAINER_OF(l, struct peer, by_peer);
		if (p->tunnel.base == base && identity_equal(&p->id, id))
			return p;
	}
	return NULL;
}

static struct peer *peer_create(struct ike_engine *e, struct tunnel *base, const struct identity *id)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || timers_reserve(&e->timers, 1)) {
		free(p);
		return NULL;
	}
	p->tunnel.base = base;
	p->tunnel.index = base->index;
	p->tunnel.profile = base->profile;
	p->tunnel.retry.kind = TIMER_RETRY;
	p->tunnel.retry.owner = &p->tunnel;
	p->id = *id;
	table_insert(&e->by_peer, &p->by_peer, peer_hash(base, id));
	TAILQ_INSERT_TAIL(&base->peers, p, siblings);
	base->peer_count++;
	return p;
}

struct tunnel *peer_tunnel(struct ike_engine *e, struct tunnel *base, const struct identity *id)
{
	struct peer *p;

	if (!profile_serves_many(base->profile))
		return base;
	p = peer_lookup(e, base, id);
	if (!p)
		p = peer_create(e, base, id);
	return p ? &p->tunnel : NULL;
}

static void peer_free(struct ike_engine *e, struct peer *p)
{
	struct tunnel *base = p->tunnel.base;

	table_remove(&e->by_peer, &p->by_peer);
	TAILQ_REMOVE(&base->peers, p, siblings);
	base->peer_count--;
	timers_clear(&e->timers, &p->tunnel.retry);
	timers_release(&e->timers, 1);
	free(p->tunnel.failure);
	pieces_forget(&p->tunnel);
	free(p);
}

void peer_idle(struct ike_engine *e, struct peer *p)
{
	if (p->idle)
		return;
	p->idle = true;
	p->next_idle = e->idle_peers;
	e->idle_peers = p;
}

void peers_free_idle(struct ike_engine *e)
{
	while (e->idle_peers) {
		struct peer *p = e->idle_peers;
		e->idle_peers = p->next_idle;
		p->idle = false;
		if (!p->tunnel.sas)
			peer_free(e, p);
	}
}

void peers_done(struct ike_engine *e)
{
	for (size_t i = 0; i < e->tunnel_count; i++) {
		struct tunnel *base = &e->tunnels[i];
		while (!TAILQ_EMPTY(&base->peers))
			peer_free(e, TAILQ_FIRST(&base->peers));
	}
}
