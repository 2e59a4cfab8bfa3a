/* SPDX-License-Identifier: BSD-3-Clause */
/* Deferred freeing on rte_rcu_qsbr: a list of objects, each with the token of its grace period, oldest first. Never
 * blocks, never frees early; without memory even for an entry of the list an object is leaked (and counted).
 *
 * DPDK's own defer queue is not used: it is experimental in 22.11 and of fixed size, what it cannot take would need a
 * list like this one behind it. */
#include "ipsec_priv.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdlib.h>

struct deferred {
	struct deferred *next;
	uint64_t token; /* every worker has to report after this */
	void (*free_fn)(void *object);
	void *object;
};

int reclaim_init(struct reclaim *r, uint16_t workers)
{
	r->newest = &r->oldest;
	r->qsbr = (struct rte_rcu_qsbr *)rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE);
	return r->qsbr && !rte_rcu_qsbr_init(r->qsbr, workers) ? 0 : -ENOMEM;
}

void reclaim_later(struct ipsec *ips, void (*free_fn)(void *object), void *object)
{
	struct reclaim *r = &ips->reclaim;
	struct deferred *d;

	if (!object)
		return;
	d = (struct deferred *)malloc(sizeof(*d));
	if (!d) {
		r->leaked++;
		return;
	}
	*d = (struct deferred){ .token = rte_rcu_qsbr_start(r->qsbr), .free_fn = free_fn, .object = object };
	*r->newest = d;
	r->newest = &d->next;
	r->waiting++;
}

/* The entry leaves the list before its object is freed: that may give something to reclaim_later. */
static void oldest_free(struct reclaim *r)
{
	struct deferred *d = r->oldest;

	r->oldest = d->next;
	if (!r->oldest)
		r->newest = &r->oldest;
	r->waiting--;
	r->freed++;
	d->free_fn(d->object);
	free(d);
}

static size_t reclaim_run(struct reclaim *r)
{
	while (r->oldest && rte_rcu_qsbr_check(r->qsbr, r->oldest->token, false))
		oldest_free(r);
	return r->waiting;
}

size_t reclaim_poll(struct ipsec *ips)
{
	return reclaim_run(&ips->reclaim);
}

bool reclaim_stalled(struct ipsec *ips, uint64_t now_ns, uint64_t max_ns)
{
	struct reclaim *r = &ips->reclaim;

	if (!reclaim_run(r)) {
		r->watched = false;
		return false;
	}
	if (!r->watched || r->freed != r->seen_freed) {
		r->watched = true;
		r->seen_freed = r->freed;
		r->stalled_since_ns = now_ns;
	}
	return now_ns - r->stalled_since_ns > max_ns;
}

void reclaim_done(struct reclaim *r, uint16_t workers)
{
	for (unsigned int i = 0; r->qsbr && i < workers; i++)
		rte_rcu_qsbr_thread_unregister(r->qsbr, i);
	while (r->oldest)
		oldest_free(r);
	rte_free(r->qsbr);
}
