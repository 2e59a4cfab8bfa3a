/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures: workers copy packets into rings of slots, one ring a worker, full = counted; control takes them out in
 * portions. No worker waits, allocates or knows of files. */
#include "capture_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#include "datapath_priv.h"

/* ---- workers ---- */

static struct capture_slot *slot_at(const struct capture *c, const struct capture_ring *r, uint32_t index)
{
	return (struct capture_slot *)(void *)(r->slots + (size_t)(index % c->slot_count) * c->slot_bytes);
}

/* Fills the next slot; publishing it is the caller's. Its number plus one, or 0: the ring is full. */
static uint16_t slot_take(
	struct worker *w, const struct rte_mbuf *m, enum datapath_capture_point point, enum drop_reason reason)
{
	struct capture *c = w->capture;
	struct capture_ring *r = &c->rings[w->id];
	struct capture_slot *s = slot_at(c, r, r->taken);
	const void *from;

	/* acquire: pairs with datapath_capture_drain, which has read the slot */
	if (r->taken - atomic_load_explicit(&r->tail, memory_order_acquire) == c->slot_count) {
		tally(&r->lost, 1);
		return 0;
	}
	s->cycles = rte_rdtsc();
	s->length = m->pkt_len;
	s->captured = (uint16_t)RTE_MIN(m->pkt_len, (uint32_t)c->spec.snaplen);
	s->point = (uint8_t)point;
	s->reason = (uint8_t)reason;
	/* copies what lies in several buffers, and says where the rest is */
	from = rte_pktmbuf_read(m, 0, s->captured, s->data);
	if (from != s->data)
		memcpy(s->data, from, s->captured);
	return (uint16_t)(r->taken++ % c->slot_count + 1);
}

static void slots_publish(struct worker *w)
{
	struct capture_ring *r = &w->capture->rings[w->id];

	/* release: pairs with datapath_capture_drain */
	atomic_store_explicit(&r->head, r->taken, memory_order_release);
}

static void frames_take(struct worker *w, struct rte_mbuf **frames, uint16_t n, enum datapath_capture_point point)
{
	for (uint16_t i = 0; i < n; i++)
		slot_take(w, frames[i], point, DROP_NONE);
	slots_publish(w);
}

/* With their tags, and those of other VLANs of the device: whose a frame is has not been looked at yet. */
void capture_received(struct worker *w, uint16_t device, struct rte_mbuf **frames, uint16_t n)
{
	const struct datapath_capture_spec *s = &w->capture->spec;

	if (s->of_port && w->ports[s->port].device == device)
		frames_take(w, frames, n, CAPTURE_PORT_IN);
}

void capture_sent(struct worker *w, uint16_t port, struct rte_mbuf **frames, uint16_t n)
{
	const struct datapath_capture_spec *s = &w->capture->spec;

	if (s->of_port && s->port == port)
		frames_take(w, frames, n, CAPTURE_PORT_OUT);
}

static bool slot_wanted(const struct datapath_capture_spec *s, uint32_t slot)
{
	return !s->of_port && slot - s->first_slot < s->slot_count;
}

/* A tunnel's, or of its children among many peers. */
static bool sa_wanted(const struct worker *w, const struct sa *sa)
{
	return slot_wanted(&w->capture->spec, sa_policy_slot(sa));
}

/* In front of the burst a packet is in clear on its way out, sealed on its way in; behind it the other way round. */
static bool side_wanted(const struct datapath_capture_spec *s, bool clear)
{
	return clear ? s->clear : s->sealed;
}

static enum datapath_capture_point point_of(bool clear, bool outbound)
{
	if (clear)
		return outbound ? CAPTURE_CLEAR_OUT : CAPTURE_CLEAR_IN;
	return outbound ? CAPTURE_SEALED_OUT : CAPTURE_SEALED_IN;
}

void capture_before(struct worker *w, struct burst_item *items, uint16_t n, bool outbound)
{
	bool side = side_wanted(&w->capture->spec, outbound);

	for (uint16_t i = 0; i < n; i++) {
		items[i].worker_data = 0;
		if (side && sa_wanted(w, items[i].sa))
			items[i].worker_data = slot_take(w, items[i].m, point_of(outbound, outbound), DROP_NONE);
	}
}

void capture_after(struct worker *w, const struct burst_item *items, uint16_t good, uint16_t n, bool outbound)
{
	const struct capture *c = w->capture;
	bool side = side_wanted(&c->spec, !outbound);

	for (uint16_t i = good; i < n; i++)
		if (items[i].worker_data)
			slot_at(c, &c->rings[w->id], items[i].worker_data - 1u)->reason = (uint8_t)items[i].drop;
	for (uint16_t i = 0; i < good; i++)
		if (side && sa_wanted(w, items[i].sa))
			slot_take(w, items[i].m, point_of(!outbound, outbound), DROP_NONE);
	slots_publish(w);
}

void capture_refused(struct worker *w, const struct rte_mbuf *m, uint32_t slot, enum drop_reason reason)
{
	const struct datapath_capture_spec *s = &w->capture->spec;

	if (!s->clear || !slot_wanted(s, slot))
		return;
	slot_take(w, m, CAPTURE_CLEAR_OUT, reason);
	slots_publish(w);
}

/* ---- control ---- */

void capture_free(struct capture *c)
{
	for (uint16_t i = 0; c && i < c->ring_count; i++)
		free(c->rings[i].slots);
	free(c);
}

static uint32_t slots_that_fit(uint32_t slot_bytes)
{
	uint32_t n = CAPTURE_SLOTS_MAX;

	while (n > CAPTURE_SLOTS_MIN && (uint64_t)n * slot_bytes > CAPTURE_RING_BYTES)
		n /= 2;
	return n;
}

static struct capture *capture_create(const struct datapath *dp, const struct datapath_capture_spec *spec)
{
	size_t bytes = sizeof(struct capture) + dp->worker_count * sizeof(struct capture_ring);
	struct capture *c = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(bytes, RTE_CACHE_LINE_SIZE));

	if (!c)
		return NULL;
	memset(c, 0, bytes);
	c->spec = *spec;
	c->slot_bytes = RTE_ALIGN_CEIL((uint32_t)sizeof(struct capture_slot) + spec->snaplen, 8u);
	c->slot_count = slots_that_fit(c->slot_bytes);
	c->ring_count = dp->worker_count;
	for (uint16_t i = 0; i < c->ring_count; i++) {
		c->rings[i].slots = malloc((size_t)c->slot_count * c->slot_bytes);
		if (!c->rings[i].slots) {
			capture_free(c);
			return NULL;
		}
	}
	return c;
}

int datapath_capture_start(struct datapath *dp, const struct datapath_capture_spec *spec)
{
	assert_control(dp);
	if (!spec->snaplen || (spec->of_port ? spec->port >= dp->port_count : !spec->slot_count))
		return -EINVAL;
	if (dp->captured)
		return -EBUSY;
	dp->captured = capture_create(dp, spec);
	if (!dp->captured)
		return -ENOMEM;
	dp->captured->running = true;
	/* release: pairs with watch_take */
	atomic_store_explicit(&dp->capture, dp->captured, memory_order_release);
	return 0;
}

static void capture_retired(void *capture)
{
	struct capture *c = capture;

	c->retired = true;
	if (c->abandoned)
		capture_free(c);
}

void datapath_capture_stop(struct datapath *dp)
{
	assert_control(dp);
	if (!dp->captured || !dp->captured->running)
		return;
	dp->captured->running = false;
	atomic_store_explicit(&dp->capture, NULL, memory_order_relaxed);
	reclaim_later(dp->ips, capture_retired, dp->captured);
}

void capture_abandon(struct datapath *dp)
{
	struct capture *c = dp->captured;

	if (!c)
		return;
	if (c->running || c->retired)
		capture_free(c);
	else
		c->abandoned = true;
	dp->captured = NULL;
}

static struct datapath_captured captured_of(const struct capture_slot *s)
{
	return (struct datapath_captured){
		.point = (enum datapath_capture_point)s->point,
		.reason = (enum drop_reason)s->reason,
		.cycles = s->cycles,
		.length = s->length,
		.data = BYTES(s->data, s->captured),
	};
}

static size_t ring_drain(struct capture *c, struct capture_ring *r, size_t budget,
	void (*take)(void *context, const struct datapath_captured *packet), void *context)
{
	/* acquire: pairs with slots_publish */
	uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t n = 0;

	for (; tail != head && n < budget; n++, tail++) {
		struct datapath_captured packet = captured_of(slot_at(c, r, tail));
		take(context, &packet);
	}
	/* release: pairs with slot_take */
	atomic_store_explicit(&r->tail, tail, memory_order_release);
	return n;
}

size_t datapath_capture_drain(struct datapath *dp, size_t budget,
	void (*take)(void *context, const struct datapath_captured *packet), void *context)
{
	struct capture *c = dp->captured;
	size_t n = 0;

	assert_control(dp);
	/* after the grace period: nothing comes behind what this drain finds */
	bool last = c && c->retired;
	for (uint16_t i = 0; c && i < c->ring_count; i++)
		n += ring_drain(c, &c->rings[i], budget, take, context);
	if (last && !n) {
		capture_free(c);
		dp->captured = NULL;
	}
	return n;
}

bool datapath_capture_settled(const struct datapath *dp)
{
	return !dp->captured;
}

uint64_t datapath_capture_lost(const struct datapath *dp)
{
	uint64_t lost = 0;

	for (uint16_t i = 0; dp->captured && i < dp->captured->ring_count; i++)
		lost += atomic_load_explicit(&dp->captured->rings[i].lost, memory_order_relaxed);
	return lost;
}
