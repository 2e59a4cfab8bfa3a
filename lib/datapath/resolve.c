/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours of both families on the control core: questions with retries, ageing, packets that wait, and what a flood
 * may not do. What a question looks like and whom to believe is arp.c and nd.c. RFC 4861 7.2, 7.3; RFC 1122 2.3.2. */
#include "datapath_priv.h"

#define PROBES_MAX     3                   /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define DAD_WAIT_NS    (100 * NS_IN_MS)    /* until a port that may not ask yet is looked at again */
#define STALE_CHECK_NS (5 * 1000000000ull) /* DELAY_FIRST_PROBE_TIME: the longest that use goes unproven */
#define UNUSED_NS      (600 * 1000000000ull)

/* When the entry wants attention; the table remembers the earliest. */
static void schedule(struct neighbour_table *t, struct neighbour *n, uint64_t at_ns)
{
	n->next_ns = at_ns;
	if (at_ns < t->next_ns)
		t->next_ns = at_ns;
}

static bool has_mac(const struct neighbour_table *t, uint32_t index)
{
	return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)&t->words[index], memory_order_relaxed) &
	       NEIGHBOUR_WORD_VALID;
}

/* A worker tells who sent the packet, where there is somebody to tell. */
static void held_end(struct datapath *dp, uint16_t port, struct rte_mbuf *m)
{
	struct note *note = packet_note(m);

	if (!origin_forwarded((enum origin)note->origin)) {
		control_drop(dp, m, DROP_NEIGHBOUR);
		return;
	}
	note->stage = STAGE_UNREACHABLE;
	inject_push(dp, ownership_sender(dp, port), m);
}

/* Waiting packets go on when there is a MAC, and end when there will be none. */
static void held_release(struct datapath *dp, uint32_t index, bool resolved)
{
	struct rte_mbuf *held[NEIGHBOUR_HELD_MAX];
	uint16_t n = neighbour_release_held(dp->neighbours, index, held);
	uint16_t port = dp->neighbours->entries[index].port;

	for (uint16_t i = 0; i < n; i++) {
		if (resolved)
			inject_push(dp, ownership_sender(dp, port), held[i]);
		else
			held_end(dp, port, held[i]);
	}
}

/* While indexes wait for their grace period, giving up more entries would not make the room come sooner. */
static void make_room(struct datapath *dp)
{
	struct neighbour_table *t = dp->neighbours;
	uint32_t victim;

	if (t->unproven_count < NEIGHBOURS_UNPROVEN_MAX && (t->free_count || t->grave_count))
		return;
	victim = neighbour_victim(t);
	if (victim == NEIGHBOUR_NONE)
		return;
	held_release(dp, victim, false);
	neighbour_remove(t, victim);
}

uint32_t resolve_ensure(struct datapath *dp, uint16_t port, const struct addr *a)
{
	uint32_t index = neighbour_find(dp->neighbours, port, a);

	if (index != NEIGHBOUR_NONE)
		return index;
	make_room(dp);
	return neighbour_ensure(dp->neighbours, port, a);
}

bool resolve_is_asked(const struct datapath *dp, uint32_t index)
{
	return neighbour_is_asked(&dp->neighbours->entries[index]);
}

void resolve_answered(struct datapath *dp, uint32_t index, const uint8_t mac[6], uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	if (n->state == NEIGHBOUR_STATIC)
		return;
	neighbour_confirm(dp->neighbours, index, mac, NEIGHBOUR_REACHABLE, now_ns);
	schedule(dp->neighbours, n, now_ns + dp->neighbour_timers.reachable_ms * NS_IN_MS);
	held_release(dp, index, true);
}

void resolve_given(struct datapath *dp, uint32_t index, const uint8_t mac[6])
{
	neighbour_confirm(dp->neighbours, index, mac, NEIGHBOUR_STATIC, 0);
	dp->neighbours->entries[index].next_ns = UINT64_MAX;
	held_release(dp, index, true);
}

void resolve_heard(struct datapath *dp, uint32_t index, const uint8_t mac[6], uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	struct neighbour *n = &t->entries[index];

	/* nothing new is no news (RFC 4861 7.2.3) */
	if (n->state == NEIGHBOUR_STATIC || (has_mac(t, index) && !memcmp(n->mac, mac, sizeof(n->mac))))
		return;
	neighbour_confirm(t, index, mac, NEIGHBOUR_STALE, now_ns);
	schedule(t, n, now_ns + STALE_CHECK_NS);
	held_release(dp, index, true);
}

void resolve_doubt(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	if (n->state != NEIGHBOUR_REACHABLE)
		return;
	n->state = NEIGHBOUR_STALE;
	schedule(dp->neighbours, n, now_ns + STALE_CHECK_NS);
}

/* What pinned the entry is gone since, and the index another neighbour's. */
static bool is_forgotten(const struct neighbour_table *t, const struct note *note)
{
	return !note->on_link && neighbour_turn(t, note->neighbour) != note->turn;
}

/* The entry the packet's note means. */
static uint32_t held_index(struct datapath *dp, struct rte_mbuf *m)
{
	const struct note *note = packet_note(m);
	struct addr destination = packet_destination(m);

	return note->on_link ? resolve_ensure(dp, note->port, &destination) : note->neighbour;
}

void resolve_hold(struct datapath *dp, struct rte_mbuf *m, uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	uint32_t index;

	if (is_forgotten(t, packet_note(m))) {
		control_drop(dp, m, DROP_NEIGHBOUR);
		return;
	}
	index = held_index(dp, m);
	if (index == NEIGHBOUR_NONE) {
		control_drop(dp, m, DROP_NEIGHBOURS_FULL);
		return;
	}
	if (has_mac(t, index)) {
		/* resolved while the packet was in the ring */
		inject_push(dp, ownership_sender(dp, t->entries[index].port), m);
		return;
	}
	if (!neighbour_hold(t, index, m))
		control_drop(dp, m, DROP_NEIGHBOUR);
	if (t->entries[index].next_ns == UINT64_MAX)
		schedule(t, &t->entries[index], now_ns);
}

/* A neighbour whose MAC is in doubt is asked alone. */
static void probe(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];
	const uint8_t *mac = n->state == NEIGHBOUR_PROBE ? n->mac : NULL;

	/* a question nobody may be named in is none */
	if (n->addr.family == ADDR_IPV6 && dad_pending(&dp->ports[n->port])) {
		schedule(dp->neighbours, n, now_ns + DAD_WAIT_NS);
		return;
	}
	neighbour_asked(dp->neighbours, index);
	if (n->addr.family == ADDR_IPV6)
		nd_ask(dp, n->port, &n->addr, mac);
	else
		arp_ask(dp, n->port, &n->addr, mac);
	schedule(dp->neighbours, n, now_ns + dp->neighbour_timers.retransmit_ms * NS_IN_MS);
}

/* Nobody answered: the next packet starts over. */
static void give_up(struct datapath *dp, uint32_t index)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	n->probes = 0;
	n->next_ns = UINT64_MAX;
	held_release(dp, index, false);
	neighbour_remove(dp->neighbours, index);
}

/* The last proof is old, or there never was one: asked if it is in use, forgotten if it was not for long. */
static void age(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	struct neighbour *n = &t->entries[index];

	if (atomic_exchange_explicit(&t->used[index], 0, memory_order_relaxed)) {
		n->used_ns = now_ns;
		n->state = NEIGHBOUR_PROBE;
		probe(dp, index, now_ns);
		return;
	}
	n->state = NEIGHBOUR_STALE;
	schedule(t, n, now_ns + STALE_CHECK_NS);
	if (now_ns - n->used_ns >= UNUSED_NS)
		neighbour_remove(t, index);
}

static void attend(struct datapath *dp, uint32_t index, uint64_t now_ns)
{
	struct neighbour *n = &dp->neighbours->entries[index];

	if (n->state == NEIGHBOUR_REACHABLE || n->state == NEIGHBOUR_STALE) {
		age(dp, index, now_ns);
		return;
	}
	if (n->state == NEIGHBOUR_PROBE && n->probes >= PROBES_MAX) {
		/* it may have another MAC by now: everybody is asked */
		neighbour_forget_mac(dp->neighbours, index);
		n->probes = 0;
	}
	if (n->probes < PROBES_MAX)
		probe(dp, index, now_ns);
	else
		give_up(dp, index);
}

void resolve_tick(struct datapath *dp, uint64_t now_ns)
{
	struct neighbour_table *t = dp->neighbours;
	uint64_t earliest = UINT64_MAX;

	if (now_ns < t->next_ns)
		return;
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		if (t->entries[i].next_ns <= now_ns && t->entries[i].state != NEIGHBOUR_FREE)
			attend(dp, i, now_ns);
		if (t->entries[i].state != NEIGHBOUR_FREE)
			earliest = RTE_MIN(earliest, t->entries[i].next_ns);
	}
	t->next_ns = earliest;
}

uint32_t resolve_pin(struct datapath *dp, uint16_t port, const struct addr *a)
{
	struct neighbour_table *t = dp->neighbours;
	uint32_t index = resolve_ensure(dp, port, a);

	if (index == NEIGHBOUR_NONE)
		return index;
	neighbour_pin(t, index);
	if (t->entries[index].state == NEIGHBOUR_INCOMPLETE && t->entries[index].next_ns == UINT64_MAX)
		schedule(t, &t->entries[index], 0);
	return index;
}
