/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's loop: inject ring, handoff ring, RX queues, the fixed list of stages, TX, quiescent report. What it
 * does when there is nothing to do is in idle.c. */
#include "idle_priv.h"
#include "known_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_random.h>
#include <sched.h>
#include <sys/prctl.h>

#include "seed.h"

/* Of the loops with packets one in about MEASURE_EVERY + MEASURE_SPREAD / 2 is measured; by chance, or traffic with the
 * same beat would show one side of itself only. */
#define MEASURE_EVERY  48
#define MEASURE_SPREAD 32 /* a power of two */

/* Only the own lists may fill during the last stages: answers are packets too, but none is answered. */
static void worker_stages(struct worker *w)
{
	w->asked.closed = false;
	if (w->asked.n)
		known_burst(w);
	defragment_burst(w);
	stage_lap(w->clock, CYCLES_OTHER);
	inbound_sealed(w);
	outbound_tunnelled(w);
	if (unlikely(w->dp->reverse_path)) {
		reverse_path_check(w, &w->local);
		reverse_path_check(w, &w->clear);
	}
	local_burst(w, &w->tunnelled, ORIGIN_TUNNEL);
	local_burst(w, &w->local, ORIGIN_CLEAR);
	stage_lap(w->clock, CYCLES_OTHER);
	outbound_clear(w, &w->clear, ORIGIN_CLEAR);
	outbound_clear(w, &w->own_clear, ORIGIN_OWN_CLEAR);
	outbound_clear(w, &w->own_tunnel, ORIGIN_OWN_TUNNEL);
}

/* They come from another core's cache: fetched together, not one by one as the stages get to them. */
static void ring_prefetch(struct rte_mbuf **pkts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		rte_prefetch0(pkts[i]);
		rte_prefetch0(packet_note(pkts[i]));
	}
	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], const uint8_t *));
}

static uint32_t ring_stage(struct worker *w, struct rte_ring *ring)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t n = rte_ring_sc_dequeue_burst(ring, (void **)pkts, BURST, NULL);

	if (!n)
		return 0;
	ring_prefetch(pkts, n);
	stage_lap(w->clock, CYCLES_RECEIVE);
	handoff_sort(w, pkts, (uint16_t)n);
	stage_lap(w->clock, CYCLES_CLASSIFY);
	worker_stages(w);
	tally(&w->bursts, 1);
	return n;
}

static uint32_t handoff_stage(struct worker *w)
{
	uint32_t total = 0;

	for (uint16_t from = 0; from < w->dp->worker_count; from++)
		if (from != w->id)
			total += ring_stage(w, w->handoff_from[from]);
	return total;
}

static uint32_t rx_stage(struct worker *w)
{
	struct rte_mbuf *frames[BURST];
	uint32_t total = 0;

	for (uint16_t i = 0; i < w->rx_count; i++) {
		uint16_t n = rte_eth_rx_burst(w->rx[i].id, w->rx[i].queue, frames, BURST);
		if (!n)
			continue;
		stage_lap(w->clock, CYCLES_RECEIVE);
		classify_burst(w, w->rx[i].device, frames, n);
		stage_lap(w->clock, CYCLES_CLASSIFY);
		worker_stages(w);
		tally(&w->bursts, 1);
		total += n;
	}
	return total;
}

static uint32_t expire_stage(struct worker *w)
{
	if (likely(!defragment_expire(w)))
		return 0;
	worker_stages(w);
	return 1;
}

/* Before anything that arrives now: packets whose owner was about to change. Those that still wait go to the end. */
static uint32_t parked_stage(struct worker *w)
{
	struct rte_mbuf *pkts[BURST];
	uint32_t total = w->parked.count;
	uint16_t n;

	parked_begin(&w->parked);
	while ((n = parked_take(&w->parked, pkts, BURST))) {
		handoff_sort(w, pkts, n);
		worker_stages(w);
	}
	return total;
}

/* Packets whose SA has come. */
static uint32_t await_stage(struct worker *w)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = await_take(w, pkts, BURST);

	if (!n)
		return 0;
	handoff_sort(w, pkts, n);
	worker_stages(w);
	return n;
}

/* The one it sends to a device with, or QUEUE_NONE. */
static uint16_t tx_queue_of(const struct worker *w, const struct assignment *a, uint16_t device)
{
	for (uint16_t q = 0; q < w->dp->devices[device].tx_queues; q++)
		if (owner_turn(a->tx[device][q], (uint8_t)w->id) == w->id)
			return q;
	return QUEUE_NONE;
}

/* What this worker polls, until queues_turn, and feeds from now on. */
static void assignment_take(struct worker *w, const struct assignment *a)
{
	w->generation = a->generation;
	w->active = a->active;
	w->moving = a->passing || !queues_settled(w->dp, a);
	queues_poll(w);
	for (uint16_t p = 0; p < w->dp->port_count; p++) {
		w->tx_queue[p] = tx_queue_of(w, a, w->ports[p].device);
		w->sends_plain[p] = w->tx_queue[p] != QUEUE_NONE && !w->ports[p].vlan;
	}
	defragment_part(w);
}

/* What the operator wants to see of this loop. */
static inline void watch_take(struct worker *w)
{
	/* acquire: pairs with datapath_capture_start */
	w->capture = atomic_load_explicit(&w->dp->capture, memory_order_acquire);
	/* acquire: pairs with datapath_trace_start */
	w->trace = atomic_load_explicit(&w->dp->trace, memory_order_acquire);
}

static inline void addresses_take(struct worker *w)
{
	w->own6_unusable = atomic_load_explicit(&w->dp->own6_unusable, memory_order_relaxed) != 0;
}

static inline void snapshot_take(struct worker *w)
{
	/* acquire: pairs with snapshot_publish */
	w->snapshot = atomic_load_explicit(&w->dp->snapshot, memory_order_acquire);
	/* acquire: pairs with own_address_add */
	w->epoch = w->snapshot->epoch + tunnel_child_epoch(w->ips) +
		   atomic_load_explicit(&w->dp->own_epoch, memory_order_acquire);
	if (unlikely(w->snapshot->assignment->generation != w->generation))
		assignment_take(w, w->snapshot->assignment);
}

static __rte_noinline void measure_begin(struct worker *w)
{
	w->stages = (struct stage_clock){ .last = w->now_cycles };
	w->clock = &w->stages;
	ipsec_worker_measure(w->crypto, w->clock);
}

/* A loop without packets tells nothing; the next one is measured instead. */
static __rte_noinline void measure_end(struct worker *w, uint32_t packets)
{
	stage_lap(w->clock, CYCLES_OTHER);
	ipsec_worker_measure(w->crypto, NULL);
	w->clock = NULL;
	if (!packets)
		return;
	for (int i = 0; i < CYCLE_STAGE_COUNT; i++)
		tally(&w->stage_cycles[i], w->stages.cycles[i]);
	tally(&w->measured_packets, packets);
	tally(&w->measured_loops, 1);
	w->unmeasured = MEASURE_EVERY + (uint32_t)rte_rand_max(MEASURE_SPREAD);
}

/* What this loop has cost, and by stage when it was measured. */
static inline void loop_account(struct worker *w, uint32_t packets)
{
	if (unlikely(w->clock != NULL))
		measure_end(w, packets);
	else if (packets)
		w->unmeasured--;
	tally(&w->loops, 1);
	tally(&w->packets, packets);
	tally(packets ? &w->busy_cycles : &w->idle_cycles, rte_rdtsc() - w->now_cycles);
}

uint32_t worker_step(struct worker *w)
{
	uint32_t n, injected;

	assert_worker(w);
	w->now_cycles = rte_rdtsc();
	if (unlikely(!w->unmeasured))
		measure_begin(w);
	snapshot_take(w);
	watch_take(w);
	addresses_take(w);
	const bool moving = w->moving;
	if (unlikely(moving))
		queues_poll(w);
	n = unlikely(w->parked.count) ? parked_stage(w) : 0;
	n += unlikely(w->awaiting.count) ? await_stage(w) : 0;
	n += expire_stage(w);
	injected = ring_stage(w, w->inject);
	worker_count(w, DP_C_INJECTED, injected);
	n += injected + handoff_stage(w);
	/* at the end only what is already here still leaves, however much the ports would bring */
	if (likely(!atomic_load_explicit(&w->dp->stop, memory_order_relaxed)))
		n += rx_stage(w);
	if (n) {
		forward_flush(w);
		handoff_flush(w);
		stage_lap(w->clock, CYCLES_TRANSMIT);
	}
	if (unlikely(moving))
		w->moving = queues_turn(w) || w->snapshot->assignment->passing;
	w->snapshot = NULL;
	w->capture = NULL;
	w->trace = NULL;
	ipsec_worker_quiescent(w->crypto);
	loop_account(w, n);
	if (unlikely(moving))
		event_signal(w->dp); /* the next step is control's, and it waits for this loop */
	return n;
}

int worker_attach(struct worker *w)
{
	w->thread = pthread_self();
	w->crypto = ipsec_worker_create(w->ips, w->id);
	w->ip_id = (uint16_t)seed_draw();
	snapshot_take(w);
	w->snapshot = NULL;
	return w->crypto && !flow_cache_init(&w->flows, w->dp->flow_entries) ? 0 : -ENOMEM;
}

void worker_detach(struct worker *w)
{
	flow_cache_done(&w->flows);
	ipsec_worker_free(w->crypto);
	w->crypto = NULL;
}

static void worker_loop(struct worker *w)
{
	uint32_t idle_loops = 0;

	while (!atomic_load_explicit(&w->dp->stop, memory_order_relaxed)) {
		if (worker_step(w) || w->moving)
			idle_loops = 0;
		else
			idle_rest(w, idle_loops++);
	}
}

static bool handoff_waits(const struct worker *w)
{
	for (uint16_t from = 0; from < w->dp->worker_count; from++)
		if (from != w->id && !rte_ring_empty(w->handoff_from[from]))
			return true;
	return false;
}

/* What control gave before it said stop still leaves (the deletes of a SIGTERM), also through another worker's queue:
 * all go on until each has emptied its inject ring. */
static void worker_drain_injected(struct worker *w)
{
	while (!rte_ring_empty(w->inject))
		worker_step(w);
	/* release: pairs with the acquire of the others, who then see what was handed to them */
	atomic_fetch_sub_explicit(&w->dp->undrained, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&w->dp->undrained, memory_order_acquire) > 0)
		worker_step(w);
	while (handoff_waits(w))
		worker_step(w);
}

int worker_main(void *worker)
{
	struct worker *w = worker;

	w->cpu = (uint16_t)sched_getcpu();
	/* the kernel would stretch short sleeps by its default slack of 50 us */
	prctl(PR_SET_TIMERSLACK, 1000);
	if (worker_attach(w) || idle_attach(w)) {
		atomic_store_explicit(&w->state, WORKER_FAILED, memory_order_release);
		return -ENOMEM;
	}
	atomic_fetch_add_explicit(&w->dp->undrained, 1, memory_order_relaxed);
	/* release: pairs with datapath_start */
	atomic_store_explicit(&w->state, WORKER_RUNNING, memory_order_release);
	worker_loop(w);
	worker_drain_injected(w);
	idle_detach(w);
	/* release: pairs with datapath_stop */
	atomic_store_explicit(&w->state, WORKER_STOPPED, memory_order_release);
	return 0;
}
