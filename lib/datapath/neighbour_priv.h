/* SPDX-License-Identifier: BSD-3-Clause */
/* The neighbour table: MAC and state of every next hop. Control is the only writer; workers read one 64-bit word per
 * packet and find an entry by (port, address) in a hash of 64-bit words, without locks. Asking and ageing is resolve.c,
 * what goes over the wire arp.c and nd.c. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_jhash.h>
#include <rte_mbuf.h>

#include "datapath.h"
#include "packet_priv.h"

#define NEIGHBOURS_MAX       4096
#define NEIGHBOUR_SLOTS      (4 * NEIGHBOURS_MAX) /* of the hash; the load stays below a quarter */
#define NEIGHBOUR_HELD_MAX   8                    /* packets waiting for one neighbour */
#define NEIGHBOURS_HELD_MAX  512                  /* ... for all of them */
#define NEIGHBOUR_WORD_VALID (1ull << 63)         /* the MAC may be used */
#define NEIGHBOUR_TURN_SHIFT 48                   /* in the word: which use of the index this is, 15 bits */
#define NEIGHBOUR_TURN_MASK  0x7fffu
/* Entries whose address never answered a question of ours: a flood of requests, or of packets to hosts that are not
 * there, turns these over and leaves the rest of the table alone (RFC 6583 6). */
#define NEIGHBOURS_UNPROVEN_MAX (NEIGHBOURS_MAX / 4)

#define NEIGHBOUR_ASKED  1 /* an answer is waited for */
#define NEIGHBOUR_PROVEN 2 /* answered before, or configured */

#define NEIGHBOUR_PORT_IPV6 0x80 /* in a slot: the key is the fingerprint of an IPv6 address */

/* Control only but for the address. */
struct neighbour {
	struct addr addr; /* workers compare IPv6 ones; constant from before a slot leads here until the grace period
			   * after none does */
	uint16_t port;
	uint8_t state; /* enum neighbour_state; FREE also while the entry waits for its grace period */
	uint8_t probes;
	bool proven; /* answered a question of ours since it was last lost */
	uint8_t held_count;
	uint8_t mac[6];
	uint32_t pins;    /* paths and route tables that hold the index: with any the entry is not freed */
	uint64_t next_ns; /* when it wants attention; UINT64_MAX: never */
	uint64_t used_ns; /* when a worker was last seen to use it */
	struct rte_mbuf *held[NEIGHBOUR_HELD_MAX];
};

struct neighbour_table {
	/* R: workers; W: control. MAC in the low six bytes (memory order), above it NEIGHBOUR_WORD_VALID and the turn
	 */
	_Atomic uint64_t words[NEIGHBOURS_MAX];
	/* R: workers; W: control. IPv4 address or fingerprint (32 bits) | port (8) | index + 2 (24); 0: free, 1: was
	 * used. The port stands for its table_id: it has one, and its link is the same whichever that is */
	_Atomic uint64_t slots[NEIGHBOUR_SLOTS];
	/* W: workers set, control clears */
	_Atomic uint8_t used[NEIGHBOURS_MAX];
	/* R: workers; W: control. NEIGHBOUR_ASKED, NEIGHBOUR_PROVEN: what a worker lets by in the middle of a flood */
	_Atomic uint8_t marks[NEIGHBOURS_MAX];
	/* control only */
	struct neighbour entries[NEIGHBOURS_MAX];
	uint32_t free[NEIGHBOURS_MAX];
	uint32_t free_count, entry_count, held_total;
	uint32_t unproven_count; /* entries that a flood may make */
	uint32_t grave_count;    /* removed ones that wait for their grace period */
	uint32_t victim_cursor;  /* where the search for an entry to give up goes on */
	uint64_t next_ns;        /* earliest attention */
	uint64_t pin_total;
	bool closed;   /* the data path has ended */
	uint32_t seed; /* so that nobody outside can choose colliding addresses */
	struct ipsec *ips;
};

static inline uint32_t neighbour_hash(const struct neighbour_table *t, uint64_t slot_key)
{
	return (uint32_t)((((slot_key >> 24) ^ t->seed) * 0x9e3779b97f4a7c15ull) >> 40) % NEIGHBOUR_SLOTS;
}

static inline uint64_t neighbour_slot_key(uint16_t port, uint32_t addr_be)
{
	return (uint64_t)addr_be << 32 | (uint64_t)(port & 0xff) << 24;
}

/* Different addresses may share one: a slot says where to look, the entry whether it is the one. */
static inline uint64_t neighbour6_slot_key(const struct neighbour_table *t, uint16_t port, const uint8_t addr[16])
{
	uint32_t words[4];

	memcpy(words, addr, sizeof(words));
	return neighbour_slot_key(port | NEIGHBOUR_PORT_IPV6, rte_jhash_32b(words, 4, t->seed));
}

/* Any thread: the entry's index or NEIGHBOUR_NONE. Valid until the worker's next quiescent report. addr: of an IPv6
 * neighbour, else NULL. */
static inline uint32_t neighbour_slot_lookup(const struct neighbour_table *t, uint64_t key, const uint8_t *addr)
{
	uint32_t i = neighbour_hash(t, key), index;
	uint64_t slot;

	for (uint32_t n = 0; n < NEIGHBOUR_SLOTS; n++, i = (i + 1) % NEIGHBOUR_SLOTS) {
		/* acquire: pairs with slot_insert; the word was cleared before the slot named it */
		slot = atomic_load_explicit(&t->slots[i], memory_order_acquire);
		if ((slot & ~0xffffffull) == key && (slot & 0xffffff) > 1) {
			index = (uint32_t)(slot & 0xffffff) - 2;
			if (!addr || !memcmp(t->entries[index].addr.bytes, addr, 16))
				return index;
		}
		if (slot == 0)
			break;
	}
	return NEIGHBOUR_NONE;
}

static inline uint32_t neighbour_lookup(const struct neighbour_table *t, uint16_t port, uint32_t addr_be)
{
	return neighbour_slot_lookup(t, neighbour_slot_key(port, addr_be), NULL);
}

static inline uint32_t neighbour6_lookup(const struct neighbour_table *t, uint16_t port, const uint8_t addr[16])
{
	return neighbour_slot_lookup(t, neighbour6_slot_key(t, port, addr), addr);
}

/* Worker: MAC and validity of an entry, and marks it used (a store only when the mark was gone). */
static inline uint64_t neighbour_word(struct neighbour_table *t, uint32_t index)
{
	if (!atomic_load_explicit(&t->used[index], memory_order_relaxed))
		atomic_store_explicit(&t->used[index], 1, memory_order_relaxed);
	return atomic_load_explicit(&t->words[index], memory_order_relaxed);
}

/* Any thread: which use of an index a word is of, for packets that take the index from one thread to another. */
static inline uint16_t neighbour_turn_of(uint64_t word)
{
	return (uint16_t)(word >> NEIGHBOUR_TURN_SHIFT & NEIGHBOUR_TURN_MASK);
}

static inline uint16_t neighbour_turn(const struct neighbour_table *t, uint32_t index)
{
	return neighbour_turn_of(atomic_load_explicit(&t->words[index], memory_order_relaxed));
}

/* Any thread: of an entry or NEIGHBOUR_NONE, which has none. */
static inline uint8_t neighbour_marks(const struct neighbour_table *t, uint32_t index)
{
	return index == NEIGHBOUR_NONE ? 0 : atomic_load_explicit(&t->marks[index], memory_order_relaxed);
}

struct neighbour_table *neighbour_table_create(struct ipsec *ips);
/* No packet is held. The table ends with its last pin and the grace period of its last entry. */
void neighbour_table_close(struct neighbour_table *t);

/* Control, all below. */

/* The entry of (port, address) of either family, or NEIGHBOUR_NONE. */
uint32_t neighbour_find(const struct neighbour_table *t, uint16_t port, const struct addr *a);
/* The same, made (INCOMPLETE, no probe sent) when it is not there. NEIGHBOUR_NONE: table full. */
uint32_t neighbour_ensure(struct neighbour_table *t, uint16_t port, const struct addr *a);
/* Learned or configured MAC: workers use it from now on. REACHABLE: it answered. A STATIC entry is changed by STATIC
 * only. */
void neighbour_confirm(
	struct neighbour_table *t, uint32_t index, const uint8_t mac[6], enum neighbour_state state, uint64_t now_ns);
/* One more question about it is on its way. */
void neighbour_asked(struct neighbour_table *t, uint32_t index);
/* It was asked and has not answered: in PROBE, or without a MAC so far. */
bool neighbour_is_asked(const struct neighbour *n);
/* The entry is not freed until as many unpins. */
void neighbour_pin(struct neighbour_table *t, uint32_t index);
/* Nobody finds the index any more through what was pinned (a grace period is over). With the last pin the entry is like
 * others: it ages, and when nobody waits for its answer it is gone. */
void neighbour_unpin(struct neighbour_table *t, uint32_t index);
/* An entry that may be given up for a new one: one nobody proved, oldest first as far as a cursor tells; in a full
 * table also a stale one not in use. NEIGHBOUR_NONE: none. */
uint32_t neighbour_victim(struct neighbour_table *t);
/* The MAC is not to be used any more. */
void neighbour_forget_mac(struct neighbour_table *t, uint32_t index);
/* Takes a packet to wait for the neighbour; false: no room, or there is no such entry: the caller keeps it. */
bool neighbour_hold(struct neighbour_table *t, uint32_t index, struct rte_mbuf *m);
/* Gives the waiting packets back, oldest first; returns how many. */
uint16_t neighbour_release_held(
	struct neighbour_table *t, uint32_t index, struct rte_mbuf *ret_held[NEIGHBOUR_HELD_MAX]);
/* Unpublishes an entry that is neither pinned nor static; its index is reusable after a grace period. */
void neighbour_remove(struct neighbour_table *t, uint32_t index);
