/* SPDX-License-Identifier: BSD-3-Clause */
/* Owners change under traffic, and no packet is lost or overtaken by it: queues, buckets of inbound SAs and outbound
 * SAs go from one worker to another in steps with a grace period between each. All control, never blocking: workers
 * wake it after each of their loops for as long as it waits for them, since packets wait too.
 *
 *   leaving   SAs and TX queues are still the old owner's, who works off what was handed to it while the others keep
 *             their packets
 *   draining  the old owner empties its rings
 *   held      nobody touches what moves
 *   queues    the new owners have it; packets that waited go on before those that arrive later. RX queues, polled all
 *             the time, go from worker to worker (queue.c) */
#include "datapath_priv.h"

#include <errno.h>
#include <stdlib.h>

#define DRAIN_LOOPS (HANDOFF_SIZE / BURST + 2) /* a ring that was full is empty after so many */
#define EMPTY_LOOPS 2                          /* what was taken from a ring that is empty is done with after so many */
#define TICK_NS     1000000ull /* when no worker wakes it: what failed for want of memory is tried again */

static void grace_over(void *move)
{
	((struct move *)move)->grace = true;
}

static void grace_begin(struct datapath *dp)
{
	dp->move.grace = false;
	reclaim_later(dp->ips, grace_over, &dp->move);
}

static struct assignment *assignment_now(const struct datapath *dp)
{
	/* relaxed: control published it itself */
	return atomic_load_explicit(&dp->snapshot, memory_order_relaxed)->assignment;
}

/* Who has the queues when so many workers are active, starting from who has them now. */
static void queues_balance(const struct datapath *dp, struct assignment *a)
{
	for (uint16_t d = 0; d < dp->device_count; d++) {
		const struct device *device = &dp->devices[d];
		owners_balance(a->rx[d], device->rx_queues, a->active, d);
		/* with a TX queue each nobody waits for another */
		for (uint16_t q = 0; q < device->tx_queues && device->tx_queues == dp->worker_count; q++)
			a->tx[d][q] = (uint8_t)q;
		if (device->tx_queues < dp->worker_count)
			owners_balance(a->tx[d], device->tx_queues, a->active, d);
	}
}

struct assignment *assignment_create(const struct datapath *dp, const struct assignment *before, uint16_t active)
{
	struct assignment *a = malloc(sizeof(*a));

	if (!a)
		return NULL;
	if (before)
		*a = *before;
	else
		memset(a, WORKER_NONE, sizeof(*a));
	a->holders = 0;
	a->generation = before ? before->generation + 1 : 1;
	a->active = active;
	a->passing = false;
	queues_balance(dp, a);
	return a;
}

/* Who loses something. */
static uint64_t losers_of(const uint8_t *now, const uint8_t *then, size_t count)
{
	uint64_t losers = 0;

	for (size_t i = 0; i < count; i++)
		if (now[i] != then[i])
			losers |= 1ull << now[i];
	return losers;
}

/* What changes hands is on its way. */
static void leaving_mark(uint8_t *between, const uint8_t *now, const uint8_t *then, size_t count)
{
	for (size_t i = 0; i < count; i++)
		between[i] = now[i] == then[i] ? now[i] : WORKER_LEAVING | now[i];
}

static uint64_t queues_mark(const struct datapath *dp, const struct assignment *now, const struct assignment *then,
	struct assignment *between)
{
	uint64_t losers = 0;

	for (uint16_t d = 0; d < dp->device_count; d++) {
		losers |= losers_of(now->rx[d], then->rx[d], dp->devices[d].rx_queues);
		losers |= losers_of(now->tx[d], then->tx[d], dp->devices[d].tx_queues);
		leaving_mark(between->tx[d], now->tx[d], then->tx[d], dp->devices[d].tx_queues);
	}
	memcpy(between->rx, now->rx, sizeof(between->rx));
	between->passing = true;
	return losers;
}

/* Of every bucket whose owner changes the owner is on its way out. */
static void buckets_leave(struct datapath *dp)
{
	for (unsigned b = 0; b < SA_BUCKETS; b++) {
		uint8_t owner = sad_bucket_worker(dp->ips, b);
		if (owner != dp->move.buckets[b]) {
			dp->move.losers |= 1ull << owner;
			sad_bucket_publish(dp->ips, (uint8_t)b, WORKER_LEAVING | owner);
		}
	}
}

static void buckets_hold(struct datapath *dp)
{
	for (unsigned b = 0; b < SA_BUCKETS; b++)
		if (sad_bucket_worker(dp->ips, b) != dp->move.buckets[b])
			sad_bucket_publish(dp->ips, (uint8_t)b, WORKER_MOVING);
}

static void buckets_give(struct datapath *dp)
{
	for (unsigned b = 0; b < SA_BUCKETS; b++)
		sad_bucket_publish(dp->ips, (uint8_t)b, dp->move.buckets[b]);
}

/* ---- the steps; each returns what the next one is, or stays when its time has not come ---- */

static enum move_phase leave(struct datapath *dp, struct assignment *between)
{
	struct move *mv = &dp->move;

	mv->losers = queues_mark(dp, assignment_now(dp), mv->target, between);
	if (assignment_publish(dp, between)) {
		free(between);
		return MOVE_NONE;
	}
	buckets_leave(dp);
	sa_owners_leave(dp->ips, mv->losers);
	grace_begin(dp);
	return MOVE_LEAVING;
}

static uint64_t loops_of(const struct datapath *dp, uint16_t worker)
{
	return atomic_load_explicit(&dp->workers[worker]->loops, memory_order_relaxed);
}

static enum move_phase drain_begin(struct datapath *dp)
{
	if (!dp->move.grace)
		return MOVE_LEAVING;
	/* those claimed by a worker that had not seen yet that it is to claim none */
	sa_owners_leave(dp->ips, dp->move.losers);
	dp->move.emptied = 0;
	for (uint16_t w = 0; w < dp->worker_count; w++)
		dp->move.loops[w] = loops_of(dp, w);
	return MOVE_DRAINING;
}

static bool rings_empty(const struct datapath *dp, uint16_t worker)
{
	struct rte_ring *const *from = dp->workers[worker]->handoff_from;

	for (uint16_t w = 0; w < dp->worker_count; w++)
		if (w != worker && ring_waiting(from[w], __atomic_load_n(&from[w]->prod.tail, __ATOMIC_ACQUIRE)))
			return false;
	return true;
}

/* The worker has ended the loop in which it took the last of what was handed to it, or as many as empty a full ring. */
static bool worker_drained(struct datapath *dp, uint16_t worker)
{
	struct move *mv = &dp->move;
	uint64_t loops = loops_of(dp, worker) - mv->loops[worker];

	if (!(mv->emptied >> worker & 1) && rings_empty(dp, worker)) {
		mv->emptied |= 1ull << worker;
		mv->loops[worker] = loops_of(dp, worker) - (DRAIN_LOOPS - EMPTY_LOOPS);
		return false;
	}
	return loops >= DRAIN_LOOPS;
}

static bool is_drained(struct datapath *dp)
{
	bool drained = true;

	for (uint16_t w = 0; w < dp->worker_count; w++)
		if (dp->move.losers >> w & 1)
			drained &= worker_drained(dp, w);
	return drained;
}

/* Without memory it is tried again at the next tick. */
static int queues_hold(struct datapath *dp)
{
	struct assignment *held = malloc(sizeof(*held));
	int error;

	if (!held)
		return -ENOMEM;
	*held = *assignment_now(dp);
	held->holders = 0;
	held->generation++;
	for (uint16_t d = 0; d < dp->device_count; d++)
		for (uint16_t q = 0; q < dp->devices[d].tx_queues; q++)
			if (held->tx[d][q] >= WORKER_LEAVING)
				held->tx[d][q] = WORKER_MOVING;
	error = assignment_publish(dp, held);
	if (error)
		free(held);
	return error;
}

static enum move_phase hold(struct datapath *dp)
{
	if (!is_drained(dp) || queues_hold(dp))
		return MOVE_DRAINING;
	buckets_hold(dp);
	sa_owners_hold(dp->ips);
	grace_begin(dp);
	return MOVE_HELD;
}

static enum move_phase queues_take(struct datapath *dp)
{
	if (!queues_settled(dp, assignment_now(dp)))
		return MOVE_QUEUES;
	dp->steer_generation++;
	return MOVE_NONE;
}

static enum move_phase give(struct datapath *dp)
{
	if (!dp->move.grace)
		return MOVE_HELD;
	/* without memory it is tried again at the next tick */
	dp->move.target->generation = assignment_now(dp)->generation + 1;
	if (assignment_publish(dp, dp->move.target))
		return MOVE_HELD;
	dp->move.target = NULL;
	buckets_give(dp);
	sa_owners_release(dp->ips);
	return queues_take(dp);
}

int ownership_move(struct datapath *dp, struct assignment *target, const uint8_t buckets[SA_BUCKETS])
{
	struct assignment *between = malloc(sizeof(*between));

	if (!between || dp->move.phase != MOVE_NONE) {
		int error = between ? -EBUSY : -ENOMEM;
		free(between);
		free(target);
		return error;
	}
	*between = *target;
	memcpy(dp->move.buckets, buckets, SA_BUCKETS);
	dp->move.target = target;
	dp->move.phase = leave(dp, between);
	if (dp->move.phase != MOVE_NONE)
		return 0;
	free(target);
	dp->move.target = NULL;
	return -ENOMEM;
}

/* The wish of datapath_workers_set, once what is under way has ended. */
static void wish_begin(struct datapath *dp)
{
	uint8_t buckets[SA_BUCKETS];
	struct assignment *target;

	target = assignment_create(dp, assignment_now(dp), dp->workers_wanted);
	for (unsigned b = 0; b < SA_BUCKETS; b++)
		buckets[b] = sad_bucket_worker(dp->ips, b);
	owners_balance(buckets, SA_BUCKETS, dp->workers_wanted, 0);
	/* without memory the next tick tries again */
	if (target)
		ownership_move(dp, target, buckets);
}

static void move_step(struct datapath *dp)
{
	struct move *mv = &dp->move;

	switch (mv->phase) {
	case MOVE_LEAVING: mv->phase = drain_begin(dp); break;
	case MOVE_DRAINING: mv->phase = hold(dp); break;
	case MOVE_HELD: mv->phase = give(dp); break;
	case MOVE_QUEUES: mv->phase = queues_take(dp); break;
	case MOVE_NONE:
	default: wish_begin(dp); break;
	}
}

static bool is_moving(const struct datapath *dp)
{
	return dp->move.phase != MOVE_NONE || dp->workers_wanted != assignment_now(dp)->active;
}

void ownership_tick(struct datapath *dp, uint64_t now_ns)
{
	if (is_moving(dp)) {
		reclaim_poll(dp->ips);
		move_step(dp);
	}
	steer_tick(dp);
	dp->move.next_ns = is_moving(dp) || steer_is_behind(dp) ? now_ns + TICK_NS : UINT64_MAX;
}

uint16_t ownership_sender(const struct datapath *dp, uint16_t port)
{
	uint8_t owner = assignment_now(dp)->tx[dp->ports[port].device][0];

	/* while the queue is nobody's, the packet waits with a worker that always serves */
	return owner < WORKER_LEAVING ? owner : 0;
}

int datapath_workers_set(struct datapath *dp, uint16_t active)
{
	assert_control(dp);
	if (!active || active > dp->worker_count)
		return -EINVAL;
	dp->workers_wanted = active;
	dp->move.next_ns = 0;
	return 0;
}

bool datapath_workers_settled(const struct datapath *dp)
{
	return !is_moving(dp);
}
