/* SPDX-License-Identifier: BSD-3-Clause */
/* RX queues change hands between two workers, a few loops of each after control has said whose they are to be: the one
 * that polls goes on until the other asks, lets go at the end of a loop, and gives the queue away once those it handed
 * packets to have taken them, so that nothing the next one brings overtakes them. Meanwhile the device's descriptors
 * hold what arrives. */
#include "stages_priv.h"

static bool is_polled(const struct worker *w, const struct device *d, uint16_t queue)
{
	for (uint16_t i = 0; i < w->rx_count; i++)
		if (&w->dp->devices[w->rx[i].device] == d && w->rx[i].queue == queue)
			return true;
	return false;
}

/* What the worker has put into others' rings so far. */
static void rings_mark(struct worker *w)
{
	for (uint16_t to = 0; to < w->dp->worker_count; to++)
		if (to != w->id)
			w->marks[to] = w->dp->workers[to]->handoff_from[w->id]->prod.tail;
}

/* All of that has been taken. */
static bool rings_passed(const struct worker *w)
{
	for (uint16_t to = 0; to < w->dp->worker_count; to++)
		if (to != w->id && ring_waiting(w->dp->workers[to]->handoff_from[w->id], w->marks[to]))
			return false;
	return true;
}

/* A queue that is to be another's. False: it is. */
static bool queue_leave(struct worker *w, struct device *d, uint16_t queue, uint8_t poller, uint8_t next)
{
	/* not asked, or the packets behind those that wait here would overtake */
	if (poller == w->id || w->parked.count)
		return true;
	if (is_polled(w, d, queue))
		rings_mark(w);
	if (!rings_passed(w))
		return true;
	/* release: pairs with queues_poll of the next one, which sees that the rings were emptied */
	atomic_store_explicit(&d->pollers[queue], next, memory_order_release);
	return false;
}

/* True: on its way to this worker or from it. The one that asks and the one that gives write in turns. */
static bool queue_turn(struct worker *w, struct device *d, uint16_t queue, uint8_t next)
{
	uint8_t poller = atomic_load_explicit(&d->pollers[queue], memory_order_relaxed);

	if (next == w->id && poller == w->id)
		return false;
	if (owner_turn(poller, (uint8_t)w->id) == w->id)
		return queue_leave(w, d, queue, poller, next);
	if (next == w->id && poller < WORKER_LEAVING)
		atomic_store_explicit(&d->pollers[queue], WORKER_LEAVING | poller, memory_order_relaxed);
	return next == w->id;
}

void queues_poll(struct worker *w)
{
	w->rx_count = 0;
	for (uint16_t d = 0; d < w->dp->device_count; d++) {
		struct device *device = &w->dp->devices[d];
		for (uint16_t q = 0; q < device->rx_queues; q++)
			/* acquire: pairs with queue_leave */
			if (atomic_load_explicit(&device->pollers[q], memory_order_acquire) == w->id)
				w->rx[w->rx_count++] = (struct rx_queue){ .id = device->id, .device = d, .queue = q };
	}
}

bool queues_turn(struct worker *w)
{
	const struct assignment *a = w->snapshot->assignment;
	bool moving = false;

	for (uint16_t d = 0; d < w->dp->device_count; d++)
		for (uint16_t q = 0; q < w->dp->devices[d].rx_queues; q++)
			moving |= queue_turn(w, &w->dp->devices[d], q, a->rx[d][q]);
	queues_poll(w);
	return moving;
}

bool queues_settled(const struct datapath *dp, const struct assignment *a)
{
	for (uint16_t d = 0; d < dp->device_count; d++)
		for (uint16_t q = 0; q < dp->devices[d].rx_queues; q++)
			if (atomic_load_explicit(&dp->devices[d].pollers[q], memory_order_relaxed) != a->rx[d][q])
				return false;
	return true;
}

void queues_begin(struct datapath *dp, const struct assignment *a)
{
	for (uint16_t d = 0; d < dp->device_count; d++)
		for (uint16_t q = 0; q < dp->devices[d].rx_queues; q++)
			atomic_init(&dp->devices[d].pollers[q], a->rx[d][q]);
}
