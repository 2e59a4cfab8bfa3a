/* SPDX-License-Identifier: BSD-3-Clause */
/* The neighbour table: MAC and state of every next hop. Control is the only writer; workers read one 64-bit word per
 * packet and find an entry by (port, address) in a hash of 64-bit words, without locks. ARP itself is in arp.c. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "datapath.h"
#include "packet_priv.h"

#define NEIGHBOURS_MAX       4096
#define NEIGHBOUR_SLOTS      (4 * NEIGHBOURS_MAX) /* of the hash; the load stays below a quarter */
#define NEIGHBOUR_HELD_MAX   8                    /* packets waiting for one neighbour */
#define NEIGHBOURS_HELD_MAX  512                  /* ... for all of them */
#define NEIGHBOUR_WORD_VALID (1ull << 63)         /* the MAC may be used */

/* Control only. */
struct neighbour {
	uint32_t addr_be;
	uint16_t port;
	uint8_t state; /* enum neighbour_state; FREE also while the entry waits for its grace period */
	uint8_t probes;
	bool pinned; /* a path or route holds the index: the entry is never freed */
	uint8_t held_count;
	uint8_t mac[6];
	uint64_t next_ns;      /* when it wants attention; UINT64_MAX: never */
	uint64_t confirmed_ns; /* last proof that the MAC is right */
	uint64_t used_ns;      /* when a worker was last seen to use it */
	struct rte_mbuf *held[NEIGHBOUR_HELD_MAX];
};

struct neighbour_table {
	/* R: workers; W: control. MAC in the low six bytes (memory order), NEIGHBOUR_WORD_VALID above */
	_Atomic uint64_t words[NEIGHBOURS_MAX];
	/* R: workers; W: control. address (32 bits) | port (8) | index + 2 (24); 0: free, 1: was used */
	_Atomic uint64_t slots[NEIGHBOUR_SLOTS];
	/* W: workers set, control clears */
	_Atomic uint8_t used[NEIGHBOURS_MAX];
	/* control only */
	struct neighbour entries[NEIGHBOURS_MAX];
	uint32_t free[NEIGHBOURS_MAX];
	uint32_t free_count, entry_count, held_total;
	uint64_t next_ns; /* earliest attention */
	uint32_t seed;    /* so that nobody outside can choose colliding addresses */
	struct ipsec *ips;
};

static inline uint32_t neighbour_hash(const struct neighbour_table *t, uint16_t port, uint32_t addr_be)
{
	uint64_t key = ((uint64_t)port << 32 | addr_be) ^ t->seed;

	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 40) % NEIGHBOUR_SLOTS;
}

static inline uint64_t neighbour_slot_key(uint16_t port, uint32_t addr_be)
{
	return (uint64_t)addr_be << 32 | (uint64_t)(port & 0xff) << 24;
}

/* Any thread: the entry's index or NEIGHBOUR_NONE. Valid until the worker's next quiescent report. */
static inline uint32_t neighbour_lookup(const struct neighbour_table *t, uint16_t port, uint32_t addr_be)
{
	uint64_t key = neighbour_slot_key(port, addr_be), slot;
	uint32_t i = neighbour_hash(t, port, addr_be);

	for (uint32_t n = 0; n < NEIGHBOUR_SLOTS; n++, i = (i + 1) % NEIGHBOUR_SLOTS) {
		/* acquire: pairs with slot_insert; the word was cleared before the slot named it */
		slot = atomic_load_explicit(&t->slots[i], memory_order_acquire);
		if ((slot & ~0xffffffull) == key && (slot & 0xffffff) > 1)
			return (uint32_t)(slot & 0xffffff) - 2;
		if (slot == 0)
			break;
	}
	return NEIGHBOUR_NONE;
}

/* Worker: MAC and validity of an entry, and marks it used (a store only when the mark was gone). */
static inline uint64_t neighbour_word(struct neighbour_table *t, uint32_t index)
{
	if (!atomic_load_explicit(&t->used[index], memory_order_relaxed))
		atomic_store_explicit(&t->used[index], 1, memory_order_relaxed);
	return atomic_load_explicit(&t->words[index], memory_order_relaxed);
}

struct neighbour_table *neighbour_table_create(struct ipsec *ips);
/* Frees held packets too. Deferred entries must have been reclaimed or be never reclaimed afterwards. */
void neighbour_table_free(struct neighbour_table *t);

/* Control, all below. */

/* The entry of (port, address), made (INCOMPLETE, no probe sent) when it is not there. NEIGHBOUR_NONE: table full. */
uint32_t neighbour_ensure(struct neighbour_table *t, uint16_t port, uint32_t addr_be);
/* Learned or configured MAC: workers use it from now on. A STATIC entry is changed by STATIC only. */
void neighbour_confirm(
	struct neighbour_table *t, uint32_t index, const uint8_t mac[6], enum neighbour_state state, uint64_t now_ns);
/* The MAC is not to be used any more. */
void neighbour_forget_mac(struct neighbour_table *t, uint32_t index);
/* Takes a packet to wait for the neighbour; false: no room, the caller keeps it. */
bool neighbour_hold(struct neighbour_table *t, uint32_t index, struct rte_mbuf *m);
/* Gives the waiting packets back, oldest first; returns how many. */
uint16_t neighbour_release_held(
	struct neighbour_table *t, uint32_t index, struct rte_mbuf *ret_held[NEIGHBOUR_HELD_MAX]);
/* Unpublishes an entry that is neither pinned nor static; its index is reusable after a grace period. */
void neighbour_remove(struct neighbour_table *t, uint32_t index);
