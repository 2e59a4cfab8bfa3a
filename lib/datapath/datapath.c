/* SPDX-License-Identifier: BSD-3-Clause */
/* The object: creation, start, stop, and what control publishes into it. All control. */
#include "idle_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "seed.h"

#define DATA_ROOM_MIN 2048
#define START_WAIT_MS 5000
#define RETRANS_MS    1000 /* RFC 4861 10 */
#define REACHABLE_MS  30000
/* Behind it what a device receives begins on a cache line, which it then writes whole. */
#define NOTE_ROOM_BYTES RTE_ALIGN_CEIL(sizeof(struct note), RTE_CACHE_LINE_SIZE)

static_assert(RTE_PKTMBUF_HEADROOM % RTE_CACHE_LINE_SIZE == 0, "packets begin on a line");

static_assert(sizeof(struct datapath_event) % 4 == 0, "element size of rte_ring");

static struct rte_ring *ring_make(
	unsigned instance, uint16_t worker, const char *what, unsigned element, unsigned size, unsigned flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "dp%u.%u.%s", instance, worker, what);
	return element ? rte_ring_create_elem(name, element, size, SOCKET_ID_ANY, flags)
		       : rte_ring_create(name, size, SOCKET_ID_ANY, flags);
}

/* A ring for each pair of workers: one producer, one consumer, so that nobody waits for a worker that lost its CPU in
 * the middle, and no instruction is locked. */
static int handoff_links(struct worker *w, unsigned instance)
{
	uint16_t n = w->dp->worker_count;
	unsigned size = RTE_MAX(rte_align32prevpow2(HANDOFF_TOTAL / n), (uint32_t)HANDOFF_MIN);
	char what[16];

	w->handoff_from = rte_zmalloc("handoff_from", n * sizeof(struct rte_ring *), RTE_CACHE_LINE_SIZE);
	for (uint16_t from = 0; w->handoff_from && from < n; from++) {
		if (from == w->id)
			continue;
		snprintf(what, sizeof(what), "from%u", from);
		w->handoff_from[from] = ring_make(
			instance, w->id, what, 0, RTE_MIN(size, (unsigned)HANDOFF_SIZE), RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!w->handoff_from[from])
			return -ENOMEM;
	}
	return w->handoff_from ? 0 : -ENOMEM;
}

static int worker_links(struct worker *w, unsigned instance)
{
	static const char *const names[PUNT_CLASSES] = { "ike", "ikeopen", "ikenew", "ikestray", "link", "arp", "nd",
		"mld", "via", "hold" };
	const unsigned single = RING_F_SP_ENQ | RING_F_SC_DEQ;

	w->inject = ring_make(instance, w->id, "inject", 0, INJECT_RING_SIZE, single);
	w->events = ring_make(instance, w->id, "events", sizeof(struct datapath_event), EVENT_RING_SIZE, single);
	for (int i = 0; i < PUNT_CLASSES; i++)
		w->punt[i] = ring_make(instance, w->id, names[i], 0, PUNT_RING_SIZE, single);
	w->records = ring_make(
		instance, w->id, "records", sizeof(struct datapath_trace_record), TRACE_RING_SIZE, single);
	w->handoff = rte_zmalloc("handoff", w->dp->worker_count * sizeof(*w->handoff), RTE_CACHE_LINE_SIZE);
	w->sealed_shares = rte_zmalloc(
		"sealed_shares", w->dp->worker_count * sizeof(*w->sealed_shares), RTE_CACHE_LINE_SIZE);
	if (!w->inject || !w->events || !w->records || !w->handoff || !w->sealed_shares || handoff_links(w, instance))
		return -ENOMEM;
	for (int i = 0; i < PUNT_CLASSES; i++)
		if (!w->punt[i])
			return -ENOMEM;
	return 0;
}

static void ring_drain(struct rte_ring *ring)
{
	void *m;

	while (ring && !rte_ring_dequeue(ring, &m))
		rte_pktmbuf_free(m);
}

static void worker_drain(struct worker *w)
{
	ring_drain(w->inject);
	for (uint16_t from = 0; w->handoff_from && from < w->dp->worker_count; from++)
		ring_drain(w->handoff_from[from]);
	defragment_flush(w);
	parked_flush(w);
	await_flush(w);
	for (int i = 0; i < PUNT_CLASSES; i++)
		ring_drain(w->punt[i]);
}

static void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_drain(w);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	defragment_free(w);
	rte_ring_free(w->inject);
	for (uint16_t from = 0; w->handoff_from && from < w->dp->worker_count; from++)
		rte_ring_free(w->handoff_from[from]);
	rte_free(w->handoff_from);
	rte_ring_free(w->events);
	rte_ring_free(w->records);
	for (int i = 0; i < PUNT_CLASSES; i++)
		rte_ring_free(w->punt[i]);
	rte_free(w->handoff);
	rte_free(w->sealed_shares);
	rte_free(w->ike_places);
	rte_free(w);
}

/* The n-th worker lcore, or LCORE_ID_ANY. */
static unsigned lcore_of(uint16_t n)
{
	unsigned lcore = rte_get_next_lcore(-1, 1, 0);

	while (n-- && lcore < RTE_MAX_LCORE)
		lcore = rte_get_next_lcore(lcore, 1, 0);
	return lcore < RTE_MAX_LCORE ? lcore : LCORE_ID_ANY;
}

static struct worker *worker_create(struct datapath *dp, uint16_t id, uint32_t mbufs, unsigned instance)
{
	unsigned lcore = lcore_of(id);
	int socket = lcore == LCORE_ID_ANY ? SOCKET_ID_ANY : (int)rte_lcore_to_socket_id(lcore);
	struct worker *w = rte_zmalloc_socket("worker", sizeof(*w), RTE_CACHE_LINE_SIZE, socket);

	if (!w)
		return NULL;
	w->dp = dp;
	w->ips = dp->ips;
	w->ports = dp->ports;
	w->neighbours = dp->neighbours;
	w->id = id;
	w->lcore = (uint16_t)lcore;
	w->wake_fd = dp->idle == DATAPATH_INTERRUPT ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
	w->ike_places = rte_malloc_socket(
		"ike_places", IKE_SPI_PLACES * sizeof(*w->ike_places), RTE_CACHE_LINE_SIZE, socket);
	if (!w->ike_places || worker_links(w, instance) || defragment_create(w, mbufs)) {
		worker_free(w);
		return NULL;
	}
	memset(w->ike_places, 0, IKE_SPI_PLACES * sizeof(*w->ike_places));
	return w;
}

/* Packets stay in one buffer each: room for the largest MTU. */
static struct rte_mempool *pool_create(const struct datapath_config *c, unsigned instance)
{
	uint32_t room = DATA_ROOM_MIN;
	char name[RTE_MEMPOOL_NAMESIZE];

	for (size_t i = 0; i < c->port_count; i++)
		room = RTE_MAX(room, (uint32_t)c->ports[i].mtu + ENCAP_ROOM_BYTES);
	room = RTE_MIN(room + RTE_PKTMBUF_HEADROOM, (uint32_t)UINT16_MAX);
	snprintf(name, sizeof(name), "dp%u.mbufs", instance);
	return rte_pktmbuf_pool_create(
		name, c->mbufs, MBUF_CACHE, NOTE_ROOM_BYTES, (uint16_t)room, (int)rte_socket_id());
}

/* What the workers share; nothing when it is off. */
static int reassembly_create(struct datapath *dp, const struct datapath_reassembly *r, unsigned instance)
{
	dp->reassembly = *r;
	dp->fragment_seed = (uint32_t)seed_draw();
	if (!r->datagrams)
		return 0;
	dp->joined_flag = defragment_flag();
	if (r->large_buffers)
		dp->large_pool = defragment_pool_create(r, instance);
	return dp->joined_flag && (dp->large_pool || !r->large_buffers) ? 0 : -ENOMEM;
}

static int parts_create(struct datapath *dp, const struct datapath_config *c, char *ret_reason, size_t capacity)
{
	static unsigned instances;
	unsigned instance = instances++;

	dp->pool = pool_create(c, instance);
	if (!dp->pool) {
		snprintf(ret_reason, capacity, "no memory for %u packet buffers (system.mbufs)", c->mbufs);
		return -ENOMEM;
	}
	if (reassembly_create(dp, &c->reassembly, instance)) {
		snprintf(ret_reason, capacity, "no memory for %u large buffers (system.reassembly)",
			c->reassembly.large_buffers);
		return -ENOMEM;
	}
	dp->neighbours = neighbour_table_create(dp->ips);
	dp->ike_spis = ike_spis_create();
	dp->punt_seed = (uint32_t)seed_draw();
	dp->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (uint16_t i = 0; dp->neighbours && dp->ike_spis && i < dp->worker_count; i++) {
		dp->workers[i] = worker_create(dp, i, c->mbufs, instance);
		if (!dp->workers[i])
			break;
	}
	if (!dp->neighbours || !dp->ike_spis || dp->event_fd < 0 || !dp->workers[dp->worker_count - 1]) {
		snprintf(ret_reason, capacity, "no memory for %u workers", dp->worker_count);
		return -ENOMEM;
	}
	return 0;
}

static int ports_create(struct datapath *dp, const struct datapath_config *c, char *ret_reason, size_t capacity)
{
	for (uint16_t i = 0; i < c->port_count; i++) {
		int error = port_setup(dp, i, c, ret_reason, capacity);
		if (error)
			return error;
		dp->port_count++;
	}
	return 0;
}

/* Before control publishes anything, nothing matches: everything is dropped but what is ours. */
static int empty_publish(struct datapath *dp, char *ret_reason, size_t capacity)
{
	const struct datapath_snapshot nothing = { 0 };
	const char *reason = "out of memory";
	struct assignment *a = assignment_create(dp, NULL, dp->workers_wanted);
	struct policies *policies = policies_create(&nothing, &reason);
	struct routes *routes = routes_create(dp, &nothing, &reason);

	dp->move.next_ns = UINT64_MAX;
	if (a)
		queues_begin(dp, a);
	if (a && policies && routes && !snapshot_publish(dp, policies, routes, a))
		return 0;
	free(a);
	policies_free(policies);
	routes_free(routes);
	snprintf(ret_reason, capacity, "%s", reason);
	return -ENOMEM;
}

static void timers_take(struct datapath *dp, const struct datapath_neighbour_timers *t)
{
	dp->neighbour_timers = *t;
	if (!t->retransmit_ms)
		dp->neighbour_timers.retransmit_ms = RETRANS_MS;
	if (!t->reachable_ms)
		dp->neighbour_timers.reachable_ms = REACHABLE_MS;
	dp->dad_next_ns = dp->mld_next_ns = UINT64_MAX;
}

struct datapath *datapath_create(
	struct ipsec *ips, const struct datapath_config *config, char *ret_reason, size_t reason_capacity)
{
	struct datapath *dp;

	if (!config->workers || config->workers > IPSEC_WORKERS_MAX || config->active > config->workers ||
		config->port_count > DATAPATH_PORTS_MAX) {
		snprintf(ret_reason, reason_capacity, "%u workers and %zu ports: at least 1, at most %d and %d",
			config->workers, config->port_count, IPSEC_WORKERS_MAX, DATAPATH_PORTS_MAX);
		return NULL;
	}
	dp = rte_zmalloc("datapath", sizeof(*dp), RTE_CACHE_LINE_SIZE);
	if (!dp) {
		snprintf(ret_reason, reason_capacity, "out of memory");
		return NULL;
	}
	dp->ips = ips;
	dp->control = pthread_self();
	dp->worker_count = config->workers;
	dp->workers_wanted = config->active ? config->active : config->workers;
	dp->idle = config->idle;
	dp->mss_clamp = config->mss_clamp;
	dp->flow_entries = config->flow_entries;
	dp->flow_rules = config->flow_rules;
	dp->icmp = config->icmp;
	timers_take(dp, &config->neighbours);
	dp->cycles_per_s = rte_get_tsc_hz();
	dp->event_fd = -1;
	dp->ip_id = (uint16_t)seed_draw();
	TAILQ_INIT(&dp->steers);
	if (parts_create(dp, config, ret_reason, reason_capacity) ||
		ports_create(dp, config, ret_reason, reason_capacity) ||
		empty_publish(dp, ret_reason, reason_capacity)) {
		datapath_free(dp);
		return NULL;
	}
	return dp;
}

static int workers_wait(const struct datapath *dp)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint16_t running = 0;

	for (int waited = 0; waited < START_WAIT_MS; waited++) {
		running = 0;
		for (uint16_t i = 0; i < dp->worker_count; i++) {
			/* acquire: pairs with worker_main */
			int state = atomic_load_explicit(&dp->workers[i]->state, memory_order_acquire);
			if (state == WORKER_FAILED)
				return -ENOMEM;
			running += state == WORKER_RUNNING;
		}
		if (running == dp->worker_count)
			return 0;
		nanosleep(&ms, NULL);
	}
	return -ETIMEDOUT;
}

static void devices_stop(struct datapath *dp, uint16_t count)
{
	while (count--)
		device_stop(dp, count);
}

/* All of them, or none. */
static int devices_start(struct datapath *dp, char *ret_reason, size_t reason_capacity)
{
	uint16_t started = 0;
	int error = 0;

	while (!error && started < dp->device_count) {
		error = device_start(dp, started);
		started += !error;
	}
	if (error)
		snprintf(ret_reason, reason_capacity, "device %s does not start: %s", dp->devices[started].name,
			strerror(-error));
	else
		error = idle_refuse(dp, ret_reason, reason_capacity);
	if (error)
		devices_stop(dp, started);
	return error;
}

static int workers_start(struct datapath *dp)
{
	int error = 0;

	for (uint16_t i = 0; !error && i < dp->worker_count; i++)
		error = rte_eal_remote_launch(worker_main, dp->workers[i], dp->workers[i]->lcore);
	return error ? error : workers_wait(dp);
}

int datapath_start(struct datapath *dp, char *ret_reason, size_t reason_capacity)
{
	int error;

	if (lcore_of(dp->worker_count - 1u) == LCORE_ID_ANY) {
		snprintf(ret_reason, reason_capacity, "%u workers, but fewer lcores", dp->worker_count);
		return -EINVAL;
	}
	error = devices_start(dp, ret_reason, reason_capacity);
	if (error)
		return error;
	atomic_store_explicit(&dp->stop, false, memory_order_relaxed);
	dp->started = true;
	mld_start(dp);
	dad_start(dp);
	error = workers_start(dp);
	if (!error)
		return 0;
	snprintf(ret_reason, reason_capacity, "workers do not start: %s", strerror(-error));
	datapath_stop(dp);
	return error;
}

void datapath_stop(struct datapath *dp)
{
	if (!dp->started)
		return;
	atomic_store_explicit(&dp->stop, true, memory_order_relaxed);
	for (uint16_t i = 0; i < dp->worker_count; i++) {
		rte_eal_wait_lcore(dp->workers[i]->lcore);
		/* acquire: pairs with worker_main, of which EAL's wait says no more than that it has ended */
		while (atomic_load_explicit(&dp->workers[i]->state, memory_order_acquire) == WORKER_RUNNING)
			rte_pause();
		worker_detach(dp->workers[i]);
	}
	for (uint16_t i = 0; i < dp->device_count; i++)
		device_stop(dp, i);
	for (uint16_t i = 0; i < dp->worker_count; i++)
		worker_drain(dp->workers[i]);
	dp->started = false;
}

static void held_drop(struct neighbour_table *t)
{
	struct rte_mbuf *held[NEIGHBOUR_HELD_MAX];

	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++)
		rte_pktmbuf_free_bulk(held, neighbour_release_held(t, i, held));
}

void datapath_free(struct datapath *dp)
{
	if (!dp)
		return;
	datapath_stop(dp);
	capture_abandon(dp);
	free(atomic_load_explicit(&dp->trace, memory_order_relaxed));
	for (uint16_t i = 0; i < dp->device_count; i++)
		rte_eth_dev_close(dp->devices[i].id);
	for (uint16_t i = 0; i < dp->worker_count; i++)
		worker_free(dp->workers[i]);
	if (dp->neighbours) {
		held_drop(dp->neighbours);
		neighbour_table_close(dp->neighbours);
	}
	/* no worker is left to wait for: what is still queued may look at dp */
	reclaim_poll(dp->ips);
	snapshot_free(atomic_load_explicit(&dp->snapshot, memory_order_relaxed));
	free(dp->move.target);
	rte_mempool_free(dp->pool);
	rte_mempool_free(dp->large_pool);
	ike_spis_free(dp->ike_spis);
	if (dp->event_fd >= 0)
		close(dp->event_fd);
	rte_free(dp);
}

int datapath_event_fd(const struct datapath *dp)
{
	return dp->event_fd;
}

static void next_hop_release(void *neighbours, uint32_t neighbour)
{
	neighbour_unpin(neighbours, neighbour);
}

int datapath_path_create(struct datapath *dp, const struct path_spec *spec, struct path **ret_path)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	const struct route *r = snapshot_route(snap, spec->table_id, &spec->remote.addr);
	uint32_t neighbour = r->neighbour;

	if (spec->remote.addr.family == ADDR_NONE || !route_leads(r))
		return -EHOSTUNREACH;
	/* also a router is the path's own: the path may outlive the route */
	if (r->kind == ROUTE_CONNECTED)
		neighbour = resolve_pin(dp, r->port, &spec->remote.addr);
	else
		neighbour_pin(dp->neighbours, neighbour);
	if (neighbour == NEIGHBOUR_NONE)
		return -EHOSTUNREACH;
	*ret_path = path_create(spec, dp->ports[r->port].mtu, r->port, neighbour);
	if (!*ret_path) {
		neighbour_unpin(dp->neighbours, neighbour);
		return -ENOMEM;
	}
	path_on_free(*ret_path, next_hop_release, dp->neighbours);
	return 0;
}

int datapath_next_hop_read(const struct datapath *dp, const struct addr *a, struct datapath_neighbour *ret_neighbour)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	const struct route *r = snapshot_route(snap, TABLE_ID_MAIN, a);
	const struct neighbour *n;
	uint32_t index;

	if (a->family == ADDR_NONE || !route_leads(r))
		return -EHOSTUNREACH;
	*ret_neighbour = (struct datapath_neighbour){ .addr = *a, .port = r->port, .state = NEIGHBOUR_FREE };
	index = r->kind == ROUTE_VIA ? r->neighbour : neighbour_find(dp->neighbours, r->port, a);
	if (index == NEIGHBOUR_NONE)
		return 0;
	n = &dp->neighbours->entries[index];
	ret_neighbour->addr = n->addr;
	ret_neighbour->state = (enum neighbour_state)n->state;
	memcpy(ret_neighbour->mac, n->mac, sizeof(n->mac));
	return 0;
}

int datapath_neighbour_add(struct datapath *dp, uint16_t port, const struct addr *a, const uint8_t mac[6])
{
	uint32_t index;

	if (port >= dp->port_count || !port_is_on_link(&dp->ports[port], a) || datapath_address_local(dp, a, NULL))
		return -EINVAL;
	index = resolve_ensure(dp, port, a);
	if (index == NEIGHBOUR_NONE)
		return -ENOSPC;
	resolve_given(dp, index, mac);
	return 0;
}

int datapath_neighbour_remove(struct datapath *dp, uint16_t port, const struct addr *a)
{
	uint32_t index = port < dp->port_count ? neighbour_find(dp->neighbours, port, a) : NEIGHBOUR_NONE;

	if (index == NEIGHBOUR_NONE || dp->neighbours->entries[index].state != NEIGHBOUR_STATIC)
		return -ENOENT;
	neighbour_forget_mac(dp->neighbours, index);
	neighbour_remove(dp->neighbours, index);
	return 0;
}
