/* SPDX-License-Identifier: BSD-3-Clause */
/* A mempool handler like DPDK's own on rings, but compiled here: the hand-over of a buffer from the thread that frees
 * it to the one that takes it next is then seen by ThreadSanitizer, which knows nothing of what DPDK's libraries do
 * inside. Loaded by EAL (-d) and chosen by --mbuf-pool-ops-name. */
#include <errno.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <stdio.h>

static int pool_alloc(struct rte_mempool *mp)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "ts_%.20s", mp->name);
	mp->pool_data = rte_ring_create(name, rte_align32pow2(mp->size + 1), mp->socket_id, 0);
	return mp->pool_data ? 0 : -ENOMEM;
}

static void pool_free(struct rte_mempool *mp)
{
	rte_ring_free(mp->pool_data);
}

static int pool_enqueue(struct rte_mempool *mp, void *const *objects, unsigned n)
{
	return rte_ring_mp_enqueue_bulk(mp->pool_data, objects, n, NULL) ? 0 : -ENOBUFS;
}

static int pool_dequeue(struct rte_mempool *mp, void **objects, unsigned n)
{
	return rte_ring_mc_dequeue_bulk(mp->pool_data, objects, n, NULL) ? 0 : -ENOBUFS;
}

static unsigned pool_count(const struct rte_mempool *mp)
{
	return rte_ring_count(mp->pool_data);
}

static const struct rte_mempool_ops ops = {
	.name = "ring_seen",
	.alloc = pool_alloc,
	.free = pool_free,
	.enqueue = pool_enqueue,
	.dequeue = pool_dequeue,
	.get_count = pool_count,
};

RTE_MEMPOOL_REGISTER_OPS(ops);
