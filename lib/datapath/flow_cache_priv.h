/* SPDX-License-Identifier: BSD-3-Clause */
/* What was decided about a flow, kept by the worker that decided it: one cache line for a look-up, rarely two, in front
 * of policy and routes. An entry holds indexes and an epoch, never a pointer; of another epoch it is not there. Owner
 * worker only, lossy: any entry may be gone, and then the decision is made again (decide.c). */
#pragma once

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ipsec.h"

enum decision_kind {
	DECISION_NONE,
	DECISION_DROP,
	DECISION_FORWARD,
	DECISION_PROTECT,
	DECISION_REFUSE /* a drop that its sender hears of */
};

/* What becomes of a packet in clear. */
struct decision {
	uint8_t kind;   /* enum decision_kind */
	uint8_t reason; /* DROP, REFUSE: enum drop_reason; FORWARD: DROP_NO_POLICY where no rule says so; PROTECT:
			 * DROP_NO_SA where nobody is to make an SA for it */
	union {
		struct {
			uint8_t route_kind; /* FORWARD: enum route_kind */
			uint8_t port;       /* FORWARD */
		};
		uint16_t number; /* PROTECT: of the selectors it is inside (sa_selectors_number); 0: not known, or the
				  * SA is not this worker's */
	};
	union {
		uint32_t neighbour; /* FORWARD, by a route through a router */
		uint32_t slot;      /* PROTECT: of the SA: the tunnel's own or a child's */
	};
	uint32_t tunnel; /* PROTECT: slot of the tunnel */
};

/* Where a packet came from is part of its key: the decision depends on it. */
#define FLOW_CONTEXT_TUNNEL 0x7f /* out of an SA; else the port; 7 bits */

/* Of an IPv4 packet: two words, see flow_rest for the second. Compared whole, so every byte is set. */
struct flow_key4 {
	uint64_t addresses, rest;
};

struct flow_key6 {
	uint64_t addresses[4], rest;
};

struct flow_entry4 {
	struct flow_key4 key;
	uint32_t epoch;
	struct decision decision;
};
static_assert(sizeof(struct flow_entry4) == 32, "two entries to a cache line");

struct flow_entry6 {
	struct flow_key6 key;
	uint32_t epoch;
	struct decision decision;
	uint64_t reserved;
};
static_assert(sizeof(struct flow_entry6) == 64, "an entry to a cache line");

#define FLOW_WAYS    2 /* entries of a set */
#define FLOW_CHOICES 2 /* sets a key may be in: the first one that has room */

struct flow_cache {
	struct flow_entry4 *four; /* sets of FLOW_WAYS; NULL: no cache */
	struct flow_entry6 *six;
	uint32_t sets4, sets6; /* powers of two */
	uint64_t seeds[6];     /* so that nobody outside can choose flows that push each other out */
	uint32_t turn;         /* which entry of full sets is replaced */
};

/* Entries of each family, 0: none at all. 0 or -ENOMEM. On the worker's lcore. */
int flow_cache_init(struct flow_cache *c, uint32_t entries);
void flow_cache_done(struct flow_cache *c);

/* Folds a product of 128 bits: without the seeds nothing can be told of it. */
static inline uint64_t flow_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t flow_rest(const struct flow *f, uint8_t context)
{
	const uint16_t both[2] = { f->local_port_be, f->remote_port_be };
	uint32_t ports; /* as a packet that leaves has them */

	memcpy(&ports, both, sizeof(ports));
	return (uint64_t)ports << 32 | (uint32_t)f->table_id << 16 | (uint32_t)context << 9 |
	       (uint32_t)f->has_ports << 8 | f->protocol;
}

static inline struct flow_key4 flow_key4_of(const struct flow *f, uint8_t context)
{
	return (struct flow_key4){ (uint64_t)f->remote_be[0] << 32 | f->local_be[0], flow_rest(f, context) };
}

/* As in memory. */
static inline uint32_t flow_key4_destination(const struct flow_key4 *k)
{
	return (uint32_t)(k->addresses >> 32);
}

static inline struct flow_key6 flow_key6_of(const struct flow *f, uint8_t context)
{
	struct flow_key6 k = { .rest = flow_rest(f, context) };

	memcpy(&k.addresses[0], f->local_be, 16);
	memcpy(&k.addresses[2], f->remote_be, 16);
	return k;
}

static inline uint64_t flow_key4_hash(const struct flow_cache *c, const struct flow_key4 *k)
{
	return flow_mix(k->addresses ^ c->seeds[0], k->rest ^ c->seeds[1]);
}

static inline uint64_t flow_key6_hash(const struct flow_cache *c, const struct flow_key6 *k)
{
	return flow_mix(k->addresses[0] ^ c->seeds[0], k->addresses[1] ^ c->seeds[1]) ^
	       flow_mix(k->addresses[2] ^ c->seeds[2], k->addresses[3] ^ c->seeds[3]) ^
	       flow_mix(k->rest ^ c->seeds[4], c->seeds[5]);
}

/* First entry of a set, to be prefetched and looked through. Each half of the hash names one. */
static inline struct flow_entry4 *flow_set4(const struct flow_cache *c, uint64_t hash, unsigned choice)
{
	return &c->four[(hash >> 32 * choice & (c->sets4 - 1)) * FLOW_WAYS];
}

static inline struct flow_entry6 *flow_set6(const struct flow_cache *c, uint64_t hash, unsigned choice)
{
	return &c->six[(hash >> 32 * choice & (c->sets6 - 1)) * FLOW_WAYS];
}

/* The decision, or NULL. */
static inline const struct decision *flow_lookup4(
	const struct flow_entry4 *set, const struct flow_key4 *k, uint32_t epoch)
{
	for (int i = 0; i < FLOW_WAYS; i++)
		if (set[i].key.addresses == k->addresses && set[i].key.rest == k->rest && set[i].epoch == epoch)
			return &set[i].decision;
	return NULL;
}

static inline const struct decision *flow_lookup6(
	const struct flow_entry6 *set, const struct flow_key6 *k, uint32_t epoch)
{
	for (int i = 0; i < FLOW_WAYS; i++)
		if (!memcmp(&set[i].key, k, sizeof(*k)) && set[i].epoch == epoch)
			return &set[i].decision;
	return NULL;
}

/* Takes the place of the same key, or the first one of what is over, or of any in turn. */
void flow_insert4(
	struct flow_cache *c, uint64_t hash, const struct flow_key4 *k, uint32_t epoch, const struct decision *d);
void flow_insert6(
	struct flow_cache *c, uint64_t hash, const struct flow_key6 *k, uint32_t epoch, const struct decision *d);
/* What is kept of a flow, wherever it is, to be changed; NULL: nothing is. */
struct decision *flow_find4(struct flow_cache *c, const struct flow_key4 *k, uint32_t epoch);
