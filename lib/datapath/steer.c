/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules that have a device bring the packets of an inbound SA to a queue of the SA's owner (rte_flow, by SPI). Only
 * ever an optimisation: where a device has no such rules, or no more of them, packets are handed over. All control. */
#include "datapath_priv.h"

#include <rte_flow.h>
#include <stdlib.h>

/* A driver may take a tenth of a millisecond for one, and control has other work too. */
#define RENEWED_A_TICK 16

struct datapath_steer {
	TAILQ_ENTRY(datapath_steer) next; /* those of an older generation first */
	struct datapath_steer_spec spec;
	uint32_t generation; /* of owners that the rule was made for */
	uint16_t device;     /* our index */
	uint16_t queue;
	struct rte_flow *flow; /* NULL: the device had no room, or nobody polls for the SA just now */
};

/* Ethernet, IP, maybe UDP, ESP or AH, end. */
#define ITEMS_MAX 5

struct pattern {
	struct rte_flow_item items[ITEMS_MAX];
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_item_esp esp;
	struct rte_flow_item_ah ah, ah_mask;
};

/* RFC 4303 2.1, RFC 4302 2.4; in UDP the ports' well-known one alone says what it is (RFC 3948). */
static void pattern_fill(struct pattern *p, const struct datapath_steer_spec *s)
{
	bool six = s->remote.family == ADDR_IPV6;
	unsigned n = 0;

	*p = (struct pattern){
		.udp.hdr.dst_port = RTE_BE16(PORT_NATT),
		.udp_mask.hdr.dst_port = RTE_BE16(0xffff),
		.esp.hdr.spi = rte_cpu_to_be_32(s->spi),
		.ah.spi = rte_cpu_to_be_32(s->spi),
		.ah_mask.spi = RTE_BE32(0xffffffff),
	};
	p->items[n++].type = RTE_FLOW_ITEM_TYPE_ETH;
	p->items[n++].type = six ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4;
	if (s->udp)
		p->items[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &p->udp, .mask = &p->udp_mask
		};
	if (s->ah)
		p->items[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_AH, .spec = &p->ah, .mask = &p->ah_mask
		};
	else
		p->items[n++] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_ESP, .spec = &p->esp, .mask = &rte_flow_item_esp_mask
		};
	p->items[n].type = RTE_FLOW_ITEM_TYPE_END;
}

/* The queue of a device that a worker polls, or QUEUE_NONE. */
static uint16_t queue_of(const struct datapath *dp, uint16_t device, uint8_t worker)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);

	for (uint16_t q = 0; q < dp->devices[device].rx_queues; q++)
		if (snap->assignment->rx[device][q] == worker)
			return q;
	return QUEUE_NONE;
}

/* A device that refuses to check such a rule is not asked again; one that is full may have room later. */
static struct rte_flow *flow_create(struct device *d, const struct pattern *p, uint16_t queue)
{
	const struct rte_flow_attr attr = { .ingress = 1 };
	const struct rte_flow_action_queue to = { .index = queue };
	const struct rte_flow_action actions[] = { { .type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to },
		{ .type = RTE_FLOW_ACTION_TYPE_END } };
	struct rte_flow_error error;
	struct rte_flow *flow;

	if (rte_flow_validate(d->id, &attr, p->items, actions, &error)) {
		d->steers = false;
		return NULL;
	}
	flow = rte_flow_create(d->id, &attr, p->items, actions, &error);
	d->steered += flow != NULL;
	return flow;
}

static void flow_destroy(struct datapath *dp, struct datapath_steer *s)
{
	struct device *d = &dp->devices[s->device];
	struct rte_flow_error error;

	if (!s->flow)
		return;
	d->steered--;
	rte_flow_destroy(d->id, s->flow, &error);
	s->flow = NULL;
}

/* The rule leads to whom the SA belongs to now. In between packets come by RSS and are handed over. */
static void rule_renew(struct datapath *dp, struct datapath_steer *s)
{
	struct device *d = &dp->devices[s->device];
	uint16_t queue = queue_of(dp, s->device, sad_bucket_worker(dp->ips, s->spec.spi));
	struct pattern p;

	s->generation = dp->steer_generation;
	if (s->flow && s->queue == queue)
		return;
	flow_destroy(dp, s);
	s->queue = queue;
	if (queue == QUEUE_NONE || !d->steers)
		return;
	pattern_fill(&p, &s->spec);
	s->flow = flow_create(d, &p, queue);
}

struct datapath_steer *datapath_steer_create(struct datapath *dp, const struct datapath_steer_spec *s)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	const struct route *r = snapshot_route(snap, s->table_id, &s->remote);
	uint16_t device = route_leads(r) ? dp->ports[r->port].device : 0;
	struct datapath_steer *steer;

	assert_control(dp);
	if (!route_leads(r) || !dp->devices[device].steers || dp->devices[device].rx_queues < 2)
		return NULL;
	steer = malloc(sizeof(*steer));
	if (!steer)
		return NULL;
	*steer = (struct datapath_steer){ .spec = *s, .device = device, .queue = QUEUE_NONE };
	rule_renew(dp, steer);
	if (!dp->devices[device].steers) {
		free(steer);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&dp->steers, steer, next);
	return steer;
}

void datapath_steer_free(struct datapath *dp, struct datapath_steer *steer)
{
	if (!steer)
		return;
	flow_destroy(dp, steer);
	TAILQ_REMOVE(&dp->steers, steer, next);
	free(steer);
}

bool steer_is_behind(const struct datapath *dp)
{
	const struct datapath_steer *first = TAILQ_FIRST(&dp->steers);

	return first && first->generation != dp->steer_generation;
}

void steer_tick(struct datapath *dp)
{
	for (int i = 0; i < RENEWED_A_TICK && steer_is_behind(dp); i++) {
		struct datapath_steer *s = TAILQ_FIRST(&dp->steers);
		rule_renew(dp, s);
		TAILQ_REMOVE(&dp->steers, s, next);
		TAILQ_INSERT_TAIL(&dp->steers, s, next);
	}
}
