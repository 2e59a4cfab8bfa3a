/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker does while there is nothing to do, from spinning to sleeping until a device interrupts. */
#include "idle_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SLEEP_MIN_NS  5000
#define SLEEP_MAX_NS  100000
#define SLEEP_GROW_NS 5000
#define INTERRUPT_MS  20 /* at most without a loop: ends of waiting, owners that change, the stop of all */
#define EVENTS_MAX    8

static void idle_poll(struct worker *w, uint32_t idle_loops)
{
	RTE_SET_USED(w);
	RTE_SET_USED(idle_loops);
	rte_pause();
}

static void rest_short(struct worker *w, uint32_t idle_loops)
{
	uint64_t ns = SLEEP_MIN_NS + (uint64_t)(idle_loops - IDLE_YIELDS) * SLEEP_GROW_NS;
	struct timespec t = { .tv_nsec = (long)RTE_MIN(ns, (uint64_t)SLEEP_MAX_NS) };

	ipsec_worker_offline(w->crypto);
	nanosleep(&t, NULL);
	ipsec_worker_online(w->crypto);
}

/* Less and less eager: a CPU may be shared with control and other workers. */
static void idle_adaptive(struct worker *w, uint32_t idle_loops)
{
	if (idle_loops < IDLE_PAUSES)
		rte_pause();
	else if (idle_loops < IDLE_YIELDS)
		sched_yield();
	else
		rest_short(w, idle_loops);
}

static void idle_paused(struct worker *w, uint32_t idle_loops)
{
	if (idle_loops < IDLE_PAUSES)
		rte_pause();
	else
		idle_pause(w);
}

static void idle_monitored(struct worker *w, uint32_t idle_loops)
{
	if (idle_loops < IDLE_PAUSES)
		rte_pause();
	else
		idle_monitor(w);
}

/* ---- interrupts ---- */

/* -ENOTSUP: the driver's descriptor tells by itself, there is nothing to switch on. */
static bool queue_enable(const struct rx_queue *q)
{
	int error = rte_eth_dev_rx_intr_enable(q->id, q->queue);

	return !error || error == -ENOTSUP;
}

static bool queue_arm(const struct rx_queue *q, int epoll_fd)
{
	if (rte_eth_dev_rx_intr_ctl_q(q->id, q->queue, epoll_fd, RTE_INTR_EVENT_ADD, NULL))
		return false;
	if (queue_enable(q))
		return true;
	rte_eth_dev_rx_intr_ctl_q(q->id, q->queue, epoll_fd, RTE_INTR_EVENT_DEL, NULL);
	return false;
}

static void queue_disarm(const struct rx_queue *q, int epoll_fd)
{
	rte_eth_dev_rx_intr_disable(q->id, q->queue);
	rte_eth_dev_rx_intr_ctl_q(q->id, q->queue, epoll_fd, RTE_INTR_EVENT_DEL, NULL);
}

/* The queues that it polls may be others after the next loop: those that are armed are kept apart. */
static void queues_arm(struct worker *w)
{
	w->armed_count = 0;
	while (w->armed_count < w->rx_count && queue_arm(&w->rx[w->armed_count], w->epoll_fd)) {
		w->armed[w->armed_count] = w->rx[w->armed_count];
		w->armed_count++;
	}
}

static void queues_disarm(struct worker *w)
{
	for (uint16_t i = 0; i < w->armed_count; i++)
		queue_disarm(&w->armed[i], w->epoll_fd);
}

static bool rings_wait(const struct worker *w)
{
	if (!rte_ring_empty(w->inject))
		return true;
	for (uint16_t from = 0; from < w->dp->worker_count; from++)
		if (from != w->id && !rte_ring_empty(w->handoff_from[from]))
			return true;
	return false;
}

static void interrupt_wait(struct worker *w)
{
	struct rte_epoll_event events[EVENTS_MAX];
	eventfd_t count;

	atomic_store_explicit(&w->asleep, true, memory_order_relaxed);
	/* pairs with idle_wake: either it sees that we sleep, or we see what it put into the ring */
	atomic_thread_fence(memory_order_seq_cst);
	if (!rings_wait(w)) {
		ipsec_worker_offline(w->crypto);
		rte_epoll_wait(w->epoll_fd, events, EVENTS_MAX, INTERRUPT_MS);
		ipsec_worker_online(w->crypto);
	}
	atomic_store_explicit(&w->asleep, false, memory_order_relaxed);
	/* not blocking: nothing in it is no error */
	(void)!eventfd_read(w->wake_fd, &count);
}

/* What arrived before interrupts were on announces itself no more: one loop looks for that. */
static void idle_interrupt(struct worker *w, uint32_t idle_loops)
{
	if (idle_loops < IDLE_YIELDS) {
		idle_adaptive(w, idle_loops);
		return;
	}
	queues_arm(w);
	if (w->armed_count < w->rx_count)
		rest_short(w, idle_loops);
	else if (!worker_step(w))
		interrupt_wait(w);
	queues_disarm(w);
}

void idle_wake_slow(struct worker *to)
{
	(void)!eventfd_write(to->wake_fd, 1);
}

/* ---- the ways ---- */

static void (*const ways[])(struct worker *w, uint32_t idle_loops) = {
	[DATAPATH_POLL] = idle_poll,
	[DATAPATH_ADAPTIVE] = idle_adaptive,
	[DATAPATH_PAUSE] = idle_paused,
	[DATAPATH_MONITOR] = idle_monitored,
	[DATAPATH_INTERRUPT] = idle_interrupt,
};

/* One that does not take part has no reason to spin. */
void idle_rest(struct worker *w, uint32_t idle_loops)
{
	enum datapath_idle way = w->dp->idle;
	uint64_t start = rte_rdtsc();

	if (w->id >= w->active && way == DATAPATH_POLL)
		way = DATAPATH_ADAPTIVE;
	ways[way](w, idle_loops);
	tally(&w->idle_cycles, rte_rdtsc() - start);
}

int idle_attach(struct worker *w)
{
	if (w->dp->idle != DATAPATH_INTERRUPT)
		return 0;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->wake_event = (struct rte_epoll_event){ .epdata.event = EPOLLIN };
	return w->epoll_fd >= 0 && !rte_epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &w->wake_event) ? 0 : -errno;
}

void idle_detach(struct worker *w)
{
	if (w->dp->idle == DATAPATH_INTERRUPT && w->epoll_fd > 0)
		close(w->epoll_fd);
	w->epoll_fd = 0;
}

/* Asked of a started device: some drivers have no descriptors before. */
static bool queue_interrupts(uint16_t device_id, uint16_t queue)
{
	const struct rx_queue q = { .id = device_id, .queue = queue };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	bool good = epoll_fd >= 0 && queue_arm(&q, epoll_fd);

	if (good)
		queue_disarm(&q, epoll_fd);
	if (epoll_fd >= 0)
		close(epoll_fd);
	return good;
}

/* What the ways ask of CPU and devices; those that are not here ask for nothing. */
static const struct demand {
	const char *word; /* of system.idle */
	const char *(*cpu_fault)(void);
	bool (*queue_allows)(uint16_t device_id, uint16_t queue);
	const char *missing; /* of a device */
} demands[] = {
	[DATAPATH_PAUSE] = { "pause", idle_pause_fault, NULL, NULL },
	[DATAPATH_MONITOR] = { "monitor", idle_monitor_fault, idle_queue_monitored, "nothing to watch for packets" },
	[DATAPATH_INTERRUPT] = { "interrupt", NULL, queue_interrupts, "no RX interrupts" },
};

int idle_refuse(const struct datapath *dp, char *ret_reason, size_t reason_capacity)
{
	const struct demand *d = &demands[dp->idle];
	const char *fault = d->word && d->cpu_fault ? d->cpu_fault() : NULL;

	if (fault) {
		snprintf(ret_reason, reason_capacity, "system.idle: %s: %s", d->word, fault);
		return -ENOTSUP;
	}
	for (uint16_t i = 0; d->word && d->queue_allows && i < dp->device_count; i++)
		for (uint16_t q = 0; q < dp->devices[i].rx_queues; q++) {
			if (d->queue_allows(dp->devices[i].id, q))
				continue;
			snprintf(ret_reason, reason_capacity, "system.idle: %s: device %s has %s", d->word,
				dp->devices[i].name, d->missing);
			return -ENOTSUP;
		}
	return 0;
}
