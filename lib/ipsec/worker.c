/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker's own things, and its reports to the grace period. */
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "ipsec_priv.h"

struct ipsec_worker *ipsec_worker_create(struct ipsec *ips, uint16_t worker)
{
	struct ipsec_worker *w;
	int socket = (int)rte_socket_id();

	if (worker >= ips->config.workers)
		return NULL;
	w = (struct ipsec_worker *)rte_zmalloc_socket(NULL, sizeof(*w), RTE_CACHE_LINE_SIZE, socket);
	if (!w)
		return NULL;
	w->ips = ips;
	w->engine = ips->engine;
	w->crypts = ips->engine->bursts;
	w->worker = worker;
	w->manager = ips->engine->manager_create();
	if (!w->manager) {
		rte_free(w);
		return NULL;
	}
	w->key_line_count = (uint16_t)ips->engine->key_lines(w->manager, w->key_lines);
	/* relaxed: a hint where to put memory */
	atomic_store_explicit(&ips->worker_socket[worker], socket, memory_order_relaxed);
	rte_rcu_qsbr_thread_register(ips->reclaim.qsbr, worker);
	rte_rcu_qsbr_thread_online(ips->reclaim.qsbr, worker);
	return w;
}

void ipsec_worker_free(struct ipsec_worker *w)
{
	if (!w)
		return;
	rte_rcu_qsbr_thread_offline(w->ips->reclaim.qsbr, w->worker);
	rte_rcu_qsbr_thread_unregister(w->ips->reclaim.qsbr, w->worker);
	w->ips->engine->manager_free(w->manager);
	rte_free(w);
}

void ipsec_worker_quiescent(struct ipsec_worker *w)
{
	rte_rcu_qsbr_quiescent(w->ips->reclaim.qsbr, w->worker);
}

void ipsec_worker_offline(struct ipsec_worker *w)
{
	rte_rcu_qsbr_thread_offline(w->ips->reclaim.qsbr, w->worker);
}

void ipsec_worker_online(struct ipsec_worker *w)
{
	rte_rcu_qsbr_thread_online(w->ips->reclaim.qsbr, w->worker);
}

void ipsec_worker_measure(struct ipsec_worker *w, struct stage_clock *clock)
{
	w->clock = clock;
}
