/* SPDX-License-Identifier: BSD-3-Clause */
/* The table half of neighbours: entries, hash, held packets, grace periods. When to ask is resolve.c, whom to
 * believe arp.c and nd.c. */
#include "neighbour_priv.h"

#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "seed.h"

static_assert(NEIGHBOURS_MAX + 2 < 1 << 24, "index of the slot word");
static_assert(DATAPATH_PORTS_MAX <= NEIGHBOUR_PORT_IPV6, "port of the slot word");

#define SLOT_FREE 0ull
#define SLOT_GONE 1ull

struct neighbour_table *neighbour_table_create(struct ipsec *ips)
{
	struct neighbour_table *t = rte_zmalloc("neighbours", sizeof(*t), RTE_CACHE_LINE_SIZE);

	if (!t)
		return NULL;
	t->ips = ips;
	t->seed = (uint32_t)seed_draw();
	t->next_ns = UINT64_MAX;
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++)
		t->free[i] = NEIGHBOURS_MAX - 1 - i;
	t->free_count = NEIGHBOURS_MAX;
	return t;
}

static void table_end(struct neighbour_table *t)
{
	if (t->closed && !t->pin_total && !t->grave_count)
		rte_free(t);
}

void neighbour_table_close(struct neighbour_table *t)
{
	t->closed = true;
	table_end(t);
}

/* The MAC goes, the turn stays. */
static void word_clear(struct neighbour_table *t, uint32_t index, uint16_t turn)
{
	atomic_store_explicit(
		&t->words[index], (uint64_t)(turn & NEIGHBOUR_TURN_MASK) << NEIGHBOUR_TURN_SHIFT, memory_order_relaxed);
}

static uint64_t slot_key(const struct neighbour_table *t, uint16_t port, const struct addr *a)
{
	return a->family == ADDR_IPV6 ? neighbour6_slot_key(t, port, a->bytes) : neighbour_slot_key(port, ipv4_be(a));
}

static void slot_insert(struct neighbour_table *t, uint64_t key, uint32_t index)
{
	uint32_t i = neighbour_hash(t, key);

	while (atomic_load_explicit(&t->slots[i], memory_order_relaxed) > SLOT_GONE)
		i = (i + 1) % NEIGHBOUR_SLOTS;
	/* release: pairs with neighbour_lookup */
	atomic_store_explicit(&t->slots[i], key | (index + 2), memory_order_release);
}

/* Leaves a mark for probes that continue behind the slot, and takes marks away that no probe needs any more. */
static void slot_remove(struct neighbour_table *t, uint64_t key, uint32_t index)
{
	uint64_t wanted = key | (index + 2);
	uint32_t i = neighbour_hash(t, key);

	while (atomic_load_explicit(&t->slots[i], memory_order_relaxed) != wanted)
		i = (i + 1) % NEIGHBOUR_SLOTS;
	atomic_store_explicit(&t->slots[i], SLOT_GONE, memory_order_relaxed);
	uint32_t behind = (i + 1) % NEIGHBOUR_SLOTS;
	if (atomic_load_explicit(&t->slots[behind], memory_order_relaxed) != SLOT_FREE)
		return;
	while (atomic_load_explicit(&t->slots[i], memory_order_relaxed) == SLOT_GONE) {
		atomic_store_explicit(&t->slots[i], SLOT_FREE, memory_order_relaxed);
		i = (i + NEIGHBOUR_SLOTS - 1) % NEIGHBOUR_SLOTS;
	}
}

uint32_t neighbour_find(const struct neighbour_table *t, uint16_t port, const struct addr *a)
{
	return a->family == ADDR_IPV6 ? neighbour6_lookup(t, port, a->bytes) : neighbour_lookup(t, port, ipv4_be(a));
}

bool neighbour_is_asked(const struct neighbour *n)
{
	return n->probes && (n->state == NEIGHBOUR_INCOMPLETE || n->state == NEIGHBOUR_PROBE);
}

/* After every change of what they are made of. */
static void marks_set(struct neighbour_table *t, uint32_t index)
{
	const struct neighbour *n = &t->entries[index];
	bool proven = n->state == NEIGHBOUR_STATIC || (n->proven && n->state != NEIGHBOUR_FREE);

	atomic_store_explicit(&t->marks[index],
		(uint8_t)((neighbour_is_asked(n) ? NEIGHBOUR_ASKED : 0) | (proven ? NEIGHBOUR_PROVEN : 0)),
		memory_order_relaxed);
}

/* Counted by its own rule before and after every change of an entry. */
static bool is_unproven(const struct neighbour *n)
{
	return n->state != NEIGHBOUR_FREE && n->state != NEIGHBOUR_STATIC && !n->pins && !n->proven;
}

uint32_t neighbour_ensure(struct neighbour_table *t, uint16_t port, const struct addr *a)
{
	uint32_t index = neighbour_find(t, port, a);

	if (index != NEIGHBOUR_NONE || !t->free_count)
		return index;
	index = t->free[--t->free_count];
	t->entries[index] = (struct neighbour){
		.addr = *a, .port = port, .state = NEIGHBOUR_INCOMPLETE, .next_ns = UINT64_MAX
	};
	t->entry_count++;
	t->unproven_count++;
	word_clear(t, index, neighbour_turn(t, index) + 1);
	marks_set(t, index);
	slot_insert(t, slot_key(t, port, a), index);
	return index;
}

void neighbour_confirm(
	struct neighbour_table *t, uint32_t index, const uint8_t mac[6], enum neighbour_state state, uint64_t now_ns)
{
	struct neighbour *n = &t->entries[index];
	uint64_t word = (uint64_t)neighbour_turn(t, index) << NEIGHBOUR_TURN_SHIFT;

	if (n->state == NEIGHBOUR_STATIC && state != NEIGHBOUR_STATIC)
		return;
	t->unproven_count -= is_unproven(n);
	memcpy(n->mac, mac, sizeof(n->mac));
	memcpy(&word, mac, sizeof(n->mac));
	n->state = (uint8_t)state;
	n->proven |= state == NEIGHBOUR_REACHABLE;
	t->unproven_count += is_unproven(n);
	n->probes = 0;
	n->used_ns = now_ns;
	marks_set(t, index);
	/* one word: a reader sees the old MAC or the new one, never half of each */
	atomic_store_explicit(&t->words[index], word | NEIGHBOUR_WORD_VALID, memory_order_relaxed);
}

void neighbour_forget_mac(struct neighbour_table *t, uint32_t index)
{
	struct neighbour *n = &t->entries[index];

	t->unproven_count -= is_unproven(n);
	n->state = NEIGHBOUR_INCOMPLETE;
	n->proven = false;
	t->unproven_count += is_unproven(n);
	word_clear(t, index, neighbour_turn(t, index));
	marks_set(t, index);
}

void neighbour_asked(struct neighbour_table *t, uint32_t index)
{
	t->entries[index].probes++;
	marks_set(t, index);
}

void neighbour_pin(struct neighbour_table *t, uint32_t index)
{
	struct neighbour *n = &t->entries[index];

	t->unproven_count -= is_unproven(n);
	n->pins++;
	t->pin_total++;
}

static bool is_idle(const struct neighbour_table *t, uint32_t index)
{
	const struct neighbour *n = &t->entries[index];

	return n->state == NEIGHBOUR_STALE && !n->pins &&
	       !atomic_load_explicit((_Atomic uint8_t *)(uintptr_t)&t->used[index], memory_order_relaxed);
}

uint32_t neighbour_victim(struct neighbour_table *t)
{
	for (uint32_t n = 0; n < NEIGHBOURS_MAX; n++) {
		uint32_t i = t->victim_cursor;
		t->victim_cursor = (i + 1) % NEIGHBOURS_MAX;
		if (t->unproven_count ? is_unproven(&t->entries[i]) : is_idle(t, i))
			return i;
	}
	return NEIGHBOUR_NONE;
}

bool neighbour_hold(struct neighbour_table *t, uint32_t index, struct rte_mbuf *m)
{
	struct neighbour *n = &t->entries[index];

	if (n->state == NEIGHBOUR_FREE || n->held_count == NEIGHBOUR_HELD_MAX || t->held_total == NEIGHBOURS_HELD_MAX)
		return false;
	n->held[n->held_count++] = m;
	t->held_total++;
	return true;
}

uint16_t neighbour_release_held(
	struct neighbour_table *t, uint32_t index, struct rte_mbuf *ret_held[NEIGHBOUR_HELD_MAX])
{
	struct neighbour *n = &t->entries[index];
	uint16_t count = n->held_count;

	memcpy(ret_held, n->held, count * sizeof(*ret_held));
	t->held_total -= count;
	n->held_count = 0;
	return count;
}

/* What the grace period needs to know: the free list is a stack of indexes. */
struct neighbour_grave {
	struct neighbour_table *table;
	uint32_t index;
};

static void grave_close(void *object)
{
	struct neighbour_grave *g = object;

	g->table->free[g->table->free_count++] = g->index;
	g->table->grave_count--;
	table_end(g->table);
	free(g);
}

void neighbour_remove(struct neighbour_table *t, uint32_t index)
{
	struct neighbour *n = &t->entries[index];
	struct neighbour_grave *g = malloc(sizeof(*g));

	if (!g || n->pins || n->state == NEIGHBOUR_STATIC) {
		/* without memory the entry stays and is tried again later */
		free(g);
		return;
	}
	slot_remove(t, slot_key(t, n->port, &n->addr), index);
	t->unproven_count -= is_unproven(n);
	n->state = NEIGHBOUR_FREE;
	n->next_ns = UINT64_MAX;
	marks_set(t, index);
	t->entry_count--;
	t->grave_count++;
	*g = (struct neighbour_grave){ .table = t, .index = index };
	/* a worker may hold the index until its next report */
	reclaim_later(t->ips, grave_close, g);
}

void neighbour_unpin(struct neighbour_table *t, uint32_t index)
{
	struct neighbour *n = &t->entries[index];

	n->pins--;
	t->pin_total--;
	if (t->closed) {
		table_end(t);
		return;
	}
	if (n->pins || n->state == NEIGHBOUR_STATIC)
		return;
	t->unproven_count += is_unproven(n);
	/* at the next tick it is found stale unless it is in use */
	n->next_ns = t->next_ns = 0;
	if (n->state == NEIGHBOUR_INCOMPLETE && !n->probes && !n->held_count)
		neighbour_remove(t, index);
}
