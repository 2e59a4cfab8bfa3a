/* SPDX-License-Identifier: BSD-3-Clause */
/* Deferred freeing: the one wrapper of rte_rcu_qsbr's defer queue. Never blocks: what the queue cannot take waits in a
 * list, and without memory even for that an object is leaked (and counted), never freed early. */
#include "ipsec_priv.h"

#include <errno.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>

struct due {
	void (*free_fn)(void *object);
	void *object;
};

struct deferred {
	struct deferred *next;
	struct due due;
};

/* The queue's call-back. */
static void due_free(void *p, void *elements, unsigned int n)
{
	struct reclaim *r = (struct reclaim *)p;
	struct due *due = (struct due *)elements;

	for (unsigned int i = 0; i < n; i++) {
		due[i].free_fn(due[i].object);
		r->freed++;
		r->queued--;
	}
}

int reclaim_init(struct reclaim *r, uint16_t workers)
{
	static unsigned int instance;
	char name[32];
	struct rte_rcu_qsbr_dq_parameters p = {
		.name = name,
		.size = RECLAIM_QUEUE,
		.esize = sizeof(struct due),
		.trigger_reclaim_limit = RECLAIM_QUEUE + 1, /* only reclaim_poll frees */
		.max_reclaim_size = RECLAIM_QUEUE,
		.free_fn = due_free,
		.p = r,
	};

	snprintf(name, sizeof(name), "ipsec_reclaim%u", instance++);
	r->overflow_tail = &r->overflow;
	r->qsbr = (struct rte_rcu_qsbr *)rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE);
	if (!r->qsbr || rte_rcu_qsbr_init(r->qsbr, workers))
		return -ENOMEM;
	p.v = r->qsbr;
	r->queue = rte_rcu_qsbr_dq_create(&p);
	return r->queue ? 0 : -ENOMEM;
}

static bool queue_push(struct reclaim *r, struct due due)
{
	/* a full queue would reclaim by itself, inside the caller's call: it is kept from getting there */
	if (r->queued >= RECLAIM_QUEUE)
		return false;
	if (rte_rcu_qsbr_dq_enqueue(r->queue, &due))
		return false;
	r->queued++;
	return true;
}

static void overflow_push(struct reclaim *r, struct due due)
{
	struct deferred *d = (struct deferred *)malloc(sizeof(*d));

	if (!d) {
		r->leaked++;
		return;
	}
	*d = (struct deferred){ .due = due };
	*r->overflow_tail = d;
	r->overflow_tail = &d->next;
	r->overflowing++;
}

static void overflow_drain(struct reclaim *r)
{
	struct deferred *d;

	while ((d = r->overflow) && queue_push(r, d->due)) {
		r->overflow = d->next;
		if (!r->overflow)
			r->overflow_tail = &r->overflow;
		r->overflowing--;
		free(d);
	}
}

void reclaim_later(struct ipsec *ips, void (*free_fn)(void *object), void *object)
{
	struct reclaim *r = &ips->reclaim;
	struct due due = { free_fn, object };

	if (!object)
		return;
	if (r->overflow || !queue_push(r, due))
		overflow_push(r, due);
}

static size_t reclaim_run(struct reclaim *r)
{
	unsigned int freed, pending, available;

	rte_rcu_qsbr_dq_reclaim(r->queue, RECLAIM_QUEUE, &freed, &pending, &available);
	overflow_drain(r);
	return r->queued + r->overflowing;
}

size_t reclaim_poll(struct ipsec *ips)
{
	return reclaim_run(&ips->reclaim);
}

bool reclaim_stalled(struct ipsec *ips, uint64_t now_ns, uint64_t max_ns)
{
	struct reclaim *r = &ips->reclaim;

	if (!reclaim_run(r)) {
		r->waiting = false;
		return false;
	}
	if (!r->waiting || r->freed != r->seen_freed) {
		r->waiting = true;
		r->seen_freed = r->freed;
		r->waiting_since_ns = now_ns;
	}
	return now_ns - r->waiting_since_ns > max_ns;
}

void reclaim_done(struct reclaim *r, uint16_t workers)
{
	if (r->queue) {
		for (unsigned int i = 0; i < workers; i++)
			rte_rcu_qsbr_thread_unregister(r->qsbr, i);
		while (reclaim_run(r))
			;
		rte_rcu_qsbr_dq_delete(r->queue);
	}
	rte_free(r->qsbr);
}
