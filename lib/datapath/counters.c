/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator sees: relaxed reads of what workers and ports count. Changes nothing. */
#include "datapath_priv.h"

#include <stdio.h>
#include <string.h>

/* Not inline: what is usual needs no registers saved for it. */
void worker_drop(struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	worker_drop_count(w, m, reason);
	rte_pktmbuf_free(m);
}

static const char *const counter_names[] = {
#define COUNTER_NAME(name, keyword) [name] = keyword,
	DATAPATH_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

const char *datapath_counter_name(enum datapath_counter c)
{
	return (unsigned)c < DATAPATH_COUNTER_COUNT ? counter_names[c] : "unknown";
}

static const char *const stage_names[] = {
#define STAGE_NAME(name, keyword) [name] = keyword,
	CYCLE_STAGES(STAGE_NAME)
#undef STAGE_NAME
};

const char *datapath_stage_name(enum cycle_stage s)
{
	return (unsigned)s < CYCLE_STAGE_COUNT ? stage_names[s] : "unknown";
}

uint16_t datapath_worker_count(const struct datapath *dp)
{
	return dp->worker_count;
}

uint16_t datapath_port_count(const struct datapath *dp)
{
	return dp->port_count;
}

uint32_t datapath_mbufs_free(const struct datapath *dp)
{
	return rte_mempool_avail_count(dp->pool);
}

uint32_t datapath_large_free(const struct datapath *dp)
{
	return dp->large_pool ? rte_mempool_avail_count(dp->large_pool) : 0;
}

static uint64_t tallied(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)counter, memory_order_relaxed);
}

/* What control dropped itself (unresolved neighbours, full inject rings) is shown with worker 0. */
static void control_add(const struct datapath *dp, struct datapath_worker_stats *s)
{
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		s->drops[i] += dp->drops[i];
}

/* Of the buckets of SPIs. */
static uint16_t buckets_owned(const struct datapath *dp, uint16_t worker)
{
	uint16_t n = 0;

	for (uint32_t spi = 0; spi < SA_BUCKETS; spi++)
		n += owner_turn(sad_bucket_worker(dp->ips, spi), (uint8_t)worker) == worker;
	return n;
}

/* Of all devices; those that it is to get are counted already. */
static uint16_t queues_owned(const struct datapath *dp, uint16_t worker)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	uint16_t n = 0;

	for (uint16_t d = 0; d < dp->device_count; d++)
		for (uint16_t q = 0; q < dp->devices[d].rx_queues; q++)
			n += snap->assignment->rx[d][q] == worker;
	return n;
}

void datapath_worker_stats_read(const struct datapath *dp, uint16_t worker, struct datapath_worker_stats *ret_stats)
{
	const struct worker *w = dp->workers[worker];

	*ret_stats = (struct datapath_worker_stats){
		.lcore = w->lcore,
		.cpu = w->cpu,
		.rx_queues = queues_owned(dp, worker),
		.buckets = buckets_owned(dp, worker),
		.loops = tallied(&w->loops),
		.busy_cycles = tallied(&w->busy_cycles),
		.idle_cycles = tallied(&w->idle_cycles),
		.packets = tallied(&w->packets),
		.bursts = tallied(&w->bursts),
		.measured_loops = tallied(&w->measured_loops),
		.measured_packets = tallied(&w->measured_packets),
	};
	for (int i = 0; i < CYCLE_STAGE_COUNT; i++)
		ret_stats->stage_cycles[i] = tallied(&w->stage_cycles[i]);
	for (int i = 0; i < DATAPATH_COUNTER_COUNT; i++)
		ret_stats->counters[i] = tallied(&w->counters[i]);
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		ret_stats->drops[i] = tallied(&w->drops[i]);
	if (worker == 0)
		control_add(dp, ret_stats);
}

bool datapath_link_up(const struct datapath *dp, uint16_t port)
{
	struct rte_eth_link link;

	return !rte_eth_link_get_nowait(dp->ports[port].id, &link) && link.link_status == RTE_ETH_LINK_UP;
}

/* What the driver does not count. */
static uint64_t kernel_lost(struct device *d, const struct rte_eth_dev_info *info)
{
	if (!strcmp(info->driver_name, "net_af_packet"))
		d->kernel_lost += kernel_ring_lost(info->if_index);
	return d->kernel_lost;
}

static void device_read(const struct port *p, struct device *d, struct datapath_port_stats *s)
{
	struct rte_eth_dev_info info;
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	if (!rte_eth_dev_info_get(p->id, &info)) {
		snprintf(s->driver, sizeof(s->driver), "%s", info.driver_name);
		s->rx_missed = kernel_lost(d, &info);
	}
	if (!rte_eth_link_get_nowait(p->id, &link))
		s->link_up = link.link_status == RTE_ETH_LINK_UP;
	if (rte_eth_stats_get(p->id, &stats))
		return;
	s->rx_packets = stats.ipackets;
	s->tx_packets = stats.opackets;
	s->rx_bytes = stats.ibytes;
	s->tx_bytes = stats.obytes;
	s->rx_missed += stats.imissed;
	s->rx_errors = stats.ierrors;
	s->tx_errors = stats.oerrors;
	s->rx_nombuf = stats.rx_nombuf;
}

static void port_drops_read(const struct datapath *dp, uint16_t port, struct datapath_port_stats *s)
{
	for (int r = 0; r < DROP_REASON_COUNT; r++) {
		s->drops[r] = dp->port_drops[port][r];
		for (uint16_t i = 0; i < dp->worker_count; i++)
			s->drops[r] += tallied(&dp->workers[i]->port_drops[port][r]);
	}
}

void datapath_port_stats_read(struct datapath *dp, uint16_t port, struct datapath_port_stats *ret_stats)
{
	const struct port *p = &dp->ports[port];
	struct device *d = &dp->devices[p->device];

	*ret_stats = (struct datapath_port_stats){
		.address = p->prefix,
		.address6 = p->prefix6,
		.link_local = p->six ? addr_from_bytes(ADDR_IPV6, p->link_local) : (struct addr){ 0 },
		.address6_state = port_own6_state(p, PORT_GLOBAL),
		.link_local_state = port_own6_state(p, PORT_LINK_LOCAL),
		.mtu = p->mtu,
		.vlan = p->vlan,
		.rx_queues = d->rx_queues,
		.tx_queues = d->tx_queues,
	};
	memcpy(ret_stats->name, p->name, sizeof(p->name));
	memcpy(ret_stats->device, d->name, sizeof(d->name));
	memcpy(ret_stats->mac, p->mac, sizeof(p->mac));
	device_read(p, d, ret_stats);
	port_drops_read(dp, port, ret_stats);
}

size_t datapath_neighbours_read(const struct datapath *dp, struct datapath_neighbour *ret_neighbours, size_t capacity)
{
	const struct neighbour *n = dp->neighbours->entries;
	size_t count = 0;

	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++, n++) {
		if (n->state == NEIGHBOUR_FREE)
			continue;
		if (count < capacity) {
			ret_neighbours[count] = (struct datapath_neighbour){
				.addr = n->addr,
				.port = n->port,
				.state = (enum neighbour_state)n->state,
			};
			memcpy(ret_neighbours[count].mac, n->mac, sizeof(n->mac));
		}
		count++;
	}
	return count;
}

bool datapath_address_local(const struct datapath *dp, const struct addr *a, uint16_t *ret_port)
{
	for (uint16_t i = 0; i < dp->port_count; i++) {
		const struct port *p = &dp->ports[i];
		if (!addr_equal(&p->prefix.addr, a) && (a->family != ADDR_IPV6 || !port_has6(p, a->bytes)))
			continue;
		if (ret_port)
			*ret_port = i;
		return true;
	}
	return false;
}
