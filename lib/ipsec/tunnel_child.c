/* SPDX-License-Identifier: BSD-3-Clause */
/* The second level of policy: negotiated children under their tunnel, by prefix of the remote address. A child that
 * comes or goes is a few stores, whatever the number of others; nothing is compiled anew. RFC 4301 4.4.2. */
#include "tunnel_child_priv.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipsec_priv.h"
#include "sa_word.h"

#define NO_CHILD    UINT32_MAX
#define LENGTHS     (CHILD_LENGTH_WORDS * 64)
#define LENGTHS_ALL 129u
#define HASH_SPARE  2 /* a cuckoo hash that is half empty takes what comes */

/* Without holes: it is hashed and compared as memory. */
struct child_key {
	uint32_t addr_be[4]; /* IPv4 in the first word */
	uint32_t tunnel;
	uint16_t table_id; /* 0 */
	uint8_t family, len;
};
static_assert(sizeof(struct child_key) == 24, "no holes");

struct child {
	struct ipsec *ips;
	struct child_key key;
	uint32_t next; /* in the free list */
	int32_t position;
	uint16_t generation;
	bool used;
};

static struct child_key key_make(uint32_t tunnel, uint8_t family, uint8_t len, const uint32_t *addr_be)
{
	struct child_key key = { .tunnel = tunnel, .family = family, .len = len };

	for (unsigned i = 0, left = len; i < 4 && left; i++) {
		unsigned bits = left < 32 ? left : 32;
		key.addr_be[i] = addr_be[i] & rte_cpu_to_be_32(~0u << (32 - bits));
		left -= bits;
	}
	return key;
}

/* Bit of a length among all lengths of both families. */
static unsigned length_bit(const struct child_key *key)
{
	return (key->family == ADDR_IPV6 ? 64u : 0) + key->len;
}

static int hash_init(struct children *c, uint32_t slots)
{
	static unsigned int instance;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters p = {
		.name = name,
		.entries = slots * HASH_SPARE < 64 ? 64 : slots * HASH_SPARE,
		.key_len = sizeof(struct child_key),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	snprintf(name, sizeof(name), "children%u", instance++);
	c->hash = rte_hash_create(&p);
	return c->hash ? 0 : -ENOMEM;
}

/* Control: the item goes behind those that are free already, so that a name rests as long as can be. */
static void free_push(struct children *c, uint32_t item)
{
	c->items[item].next = NO_CHILD;
	if (c->free_head == NO_CHILD)
		c->free_head = item;
	else
		c->items[c->free_tail].next = item;
	c->free_tail = item;
}

int children_init(struct ipsec *ips)
{
	struct children *c = &ips->children;
	uint32_t slots = ips->config.child_slots;

	c->free_head = NO_CHILD;
	c->tunnels = (struct tunnel_children *)rte_zmalloc(
		NULL, ips->config.tunnel_slots * sizeof(c->tunnels[0]), RTE_CACHE_LINE_SIZE);
	if (!c->tunnels)
		return -ENOMEM;
	if (!slots)
		return 0;
	c->items = (struct child *)calloc(slots, sizeof(c->items[0]));
	if (!c->items || hash_init(c, slots))
		return -ENOMEM;
	for (uint32_t i = 0; i < slots; i++) {
		c->items[i].ips = ips;
		free_push(c, i);
	}
	return 0;
}

void children_done(struct ipsec *ips)
{
	struct children *c = &ips->children;

	for (uint32_t i = 0; c->tunnels && i < ips->config.tunnel_slots; i++)
		free(c->tunnels[i].counts);
	rte_hash_free(c->hash);
	rte_free(c->tunnels);
	free(c->items);
}

static uint32_t item_of(const struct ipsec *ips, uint32_t slot)
{
	return slot_index(slot) - ips->config.tunnel_slots;
}

bool tunnel_child_is(const struct ipsec *ips, uint32_t slot)
{
	uint32_t item = item_of(ips, slot);
	const struct child *child;

	if (slot_index(slot) < ips->config.tunnel_slots || item >= ips->config.child_slots)
		return false;
	child = &ips->children.items[item];
	return child->used && child->generation == slot_generation(slot);
}

/* The bits of word `w` whose lengths are below the limit. */
static inline uint64_t bits_below(uint64_t bits, unsigned w, unsigned limit)
{
	if (limit >= 64 * (w + 1))
		return bits;
	return limit <= 64 * w ? 0 : bits & ((1ull << (limit - 64 * w)) - 1);
}

/* The longest child around the address with a prefix shorter than `limit`, or the tunnel's own slot. */
static inline uint32_t longest_lookup(
	const struct ipsec *ips, uint32_t tunnel, uint8_t family, const uint32_t *addr_be, unsigned limit)
{
	const struct children *c = &ips->children;
	const _Atomic uint64_t *lengths = c->tunnels[tunnel].lengths + (family == ADDR_IPV6);
	void *slot;

	for (unsigned w = family == ADDR_IPV6 ? CHILD_LENGTH_WORDS - 1 : 1; w-- > 0;) {
		/* acquire: pairs with length_add; the key is in the hash before the bit says so */
		uint64_t bits = bits_below(atomic_load_explicit(&lengths[w], memory_order_acquire), w, limit);
		while (bits) {
			unsigned top = 63 - (unsigned)__builtin_clzll(bits);
			struct child_key key = key_make(tunnel, family, (uint8_t)(64 * w + top), addr_be);
			if (rte_hash_lookup_data(c->hash, &key, &slot) >= 0)
				return (uint32_t)(uintptr_t)slot;
			bits ^= 1ull << top;
		}
	}
	return tunnel;
}

uint32_t tunnel_child_lookup(const struct ipsec *ips, uint32_t tunnel_slot, const struct flow *flow)
{
	if (unlikely(tunnel_slot >= ips->config.tunnel_slots))
		return tunnel_slot;
	return longest_lookup(ips, tunnel_slot, flow->family, flow->remote_be, LENGTHS_ALL);
}

uint32_t tunnel_child_epoch(const struct ipsec *ips)
{
	/* acquire: pairs with epoch_bump; what is looked up afterwards is as new as the epoch */
	return atomic_load_explicit(&ips->children.epoch, memory_order_acquire);
}

static void epoch_bump(struct ipsec *ips)
{
	/* release: pairs with tunnel_child_epoch */
	atomic_fetch_add_explicit(&ips->children.epoch, 1, memory_order_release);
}

void tunnel_child_filled(struct ipsec *ips, uint32_t tunnel_slot)
{
	if (ips->children.tunnels[tunnel_slot].count)
		epoch_bump(ips);
}

/* Control: one more child of this length. */
static void length_add(struct tunnel_children *t, unsigned bit)
{
	t->count++;
	if (!t->counts[bit]++)
		/* release: pairs with longest_lookup */
		atomic_fetch_or_explicit(&t->lengths[bit / 64], 1ull << bit % 64, memory_order_release);
}

static void length_subtract(struct tunnel_children *t, unsigned bit)
{
	if (!--t->counts[bit])
		/* relaxed: whoever still asks for the length finds nothing */
		atomic_fetch_and_explicit(&t->lengths[bit / 64], ~(1ull << bit % 64), memory_order_relaxed);
	if (--t->count)
		return;
	free(t->counts);
	t->counts = NULL;
}

static int counts_reach(struct tunnel_children *t)
{
	if (!t->counts)
		t->counts = (uint32_t *)calloc(LENGTHS, sizeof(t->counts[0]));
	return t->counts ? 0 : -ENOMEM;
}

/* Control: some address of this child has, or without it would have, another child. */
static bool is_nested(const struct ipsec *ips, const struct child_key *key)
{
	return longest_lookup(ips, key->tunnel, key->family, key->addr_be, key->len) != key->tunnel;
}

static int prefix_key(const struct ipsec *ips, uint32_t tunnel_slot, const struct prefix *p, struct child_key *ret_key)
{
	uint32_t addr_be[4];

	if (tunnel_slot >= ips->config.tunnel_slots || !addr_len(&p->addr) || p->len > 8 * addr_len(&p->addr))
		return -EINVAL;
	memcpy(addr_be, p->addr.bytes, sizeof(addr_be));
	*ret_key = key_make(tunnel_slot, p->addr.family, p->len, addr_be);
	return 0;
}

/* Control: the child of a free item goes into the hash. */
static int item_enter(struct ipsec *ips, uint32_t item, const struct child_key *key, uint32_t *ret_slot)
{
	struct children *c = &ips->children;
	struct child *child = &c->items[item];
	uint16_t generation = slot_generation_next(child->generation);
	uint32_t slot = (uint32_t)generation << SLOT_INDEX_BITS | (item + ips->config.tunnel_slots);

	if (rte_hash_add_key_data(c->hash, key, (void *)(uintptr_t)slot))
		return -ENOSPC;
	c->free_head = child->next;
	child->key = *key;
	child->generation = generation;
	child->used = true;
	*ret_slot = slot;
	return 0;
}

int tunnel_child_insert(struct ipsec *ips, uint32_t tunnel_slot, const struct prefix *remote, uint32_t *ret_slot)
{
	struct children *c = &ips->children;
	struct tunnel_children *t;
	struct child_key key;
	int error = prefix_key(ips, tunnel_slot, remote, &key);

	if (error)
		return error;
	if (c->hash && rte_hash_lookup(c->hash, &key) >= 0)
		return -EEXIST;
	t = &c->tunnels[tunnel_slot];
	if (c->free_head == NO_CHILD)
		return -ENOSPC;
	error = counts_reach(t);
	if (!error)
		error = item_enter(ips, c->free_head, &key, ret_slot);
	if (error)
		return error;
	length_add(t, length_bit(&key));
	if (tunnel_lookup(ips, tunnel_slot) || is_nested(ips, &key))
		epoch_bump(ips);
	return 0;
}

/* After the grace period: nobody reads the key any more. */
static void removed_free(void *object)
{
	struct child *child = (struct child *)object;
	struct children *c = &child->ips->children;

	rte_hash_free_key_with_position(c->hash, child->position);
	free_push(c, (uint32_t)(child - c->items));
}

int tunnel_child_remove(struct ipsec *ips, uint32_t slot)
{
	struct children *c = &ips->children;
	struct child *child;
	int error;

	if (!tunnel_child_is(ips, slot))
		return -ENOENT;
	child = &c->items[item_of(ips, slot)];
	child->position = rte_hash_del_key(c->hash, &child->key);
	length_subtract(&c->tunnels[child->key.tunnel], length_bit(&child->key));
	if (is_nested(ips, &child->key))
		epoch_bump(ips);
	error = tunnel_publish(ips, slot, NULL);
	child->used = false;
	reclaim_later(ips, removed_free, child);
	return error;
}
