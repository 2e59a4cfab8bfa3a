/* SPDX-License-Identifier: BSD-3-Clause */
/* Our own addresses: those of ports, and virtual ones that come and go while workers run. An entry that is given up
 * stays empty until another address takes it, so that a worker that looks through them never misses one. Control
 * only; workers read (address_own, address6_own). */
#include "datapath_priv.h"

#include <errno.h>

static struct own_addresses *family_of(struct datapath *dp, const struct addr *a)
{
	return a->family == ADDR_IPV6 ? &dp->own6 : &dp->own4;
}

static uint32_t filter_bit(const struct addr *a)
{
	return a->family == ADDR_IPV6 ? own6_filter_bit(a->bytes) : own_filter_bit(ipv4_be(a));
}

static struct own_address *lookup(struct own_addresses *own, uint16_t table_id, const struct addr *a)
{
	const struct own_words words = own_words_of(a->bytes, addr_len(a));

	for (uint16_t i = 0; i < own->count; i++)
		if (own_address_is(&own->items[i], table_id, words))
			return &own->items[i];
	return NULL;
}

static struct own_address *free_place(struct own_addresses *own)
{
	for (uint16_t i = 0; i < own->count; i++)
		if (!own->items[i].holders)
			return &own->items[i];
	return own->count < OWN_ADDRESSES_MAX ? &own->items[own->count] : NULL;
}

static void place_fill(struct own_addresses *own, struct own_address *o, const struct addr *a)
{
	const struct own_words words = own_words_of(a->bytes, addr_len(a));
	uint64_t filter = atomic_load_explicit(&own->filter, memory_order_relaxed) | 1ull << filter_bit(a);

	atomic_store_explicit(&o->high, words.high, memory_order_relaxed);
	atomic_store_explicit(&o->low, words.low, memory_order_relaxed);
	if (o == &own->items[own->count])
		/* release: pairs with own_has: the entry is there before it counts */
		atomic_store_explicit(&own->count, own->count + 1, memory_order_release);
	atomic_store_explicit(&own->filter, filter, memory_order_release);
}

int own_address_add(struct datapath *dp, uint16_t table_id, const struct addr *a)
{
	struct own_addresses *own = family_of(dp, a);
	struct own_address *o = lookup(own, table_id, a);

	if (!o) {
		o = free_place(own);
		if (!o)
			return -ENOSPC;
		o->table_id = table_id;
		place_fill(own, o, a);
		/* release: pairs with snapshot_take: who decides by the new number sees the address */
		atomic_fetch_add_explicit(&dp->own_epoch, 1, memory_order_release);
	}
	o->holders++;
	return 0;
}

int datapath_address_add(struct datapath *dp, const struct addr *a)
{
	return own_address_add(dp, TABLE_ID_MAIN, a);
}

/* The filter keeps the bit: then the list is looked through for nothing now and then. */
void datapath_address_remove(struct datapath *dp, const struct addr *a)
{
	struct own_address *o = lookup(family_of(dp, a), TABLE_ID_MAIN, a);

	if (!o || --o->holders)
		return;
	atomic_store_explicit(&o->high, 0, memory_order_relaxed);
	atomic_store_explicit(&o->low, 0, memory_order_relaxed);
	/* release: as above, sees that it is ours no more */
	atomic_fetch_add_explicit(&dp->own_epoch, 1, memory_order_release);
}
