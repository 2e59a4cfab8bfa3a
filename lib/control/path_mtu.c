/* SPDX-License-Identifier: BSD-3-Clause */
/* What a packet-too-big message is worth, and the memory of it by path. */
#include "path_mtu_priv.h"

#include <stdlib.h>
#include <string.h>

/* RFC 1191 7.1: the MTUs that links have. A router that does not say its own leaves us to try the next lower one. */
static uint16_t plateau_below(uint16_t bytes)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68 };

	for (size_t i = 0; i < ARRAY_LEN(plateaus); i++)
		if (plateaus[i] < bytes)
			return plateaus[i];
	return 0;
}

static uint16_t lower(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

/* The floor bounds what is only a guess; a router that names less than the floor is not believed (RFC 8201 4). */
enum drop_reason path_mtu_judge(const struct path_mtu_claim *claim, uint16_t current, uint16_t floor, uint16_t *ret_mtu)
{
	bool six = claim->family == ADDR_IPV6;
	uint16_t least = six && floor < PATH_MTU_FLOOR_IPV6 ? PATH_MTU_FLOOR_IPV6 : floor;
	uint16_t mtu = claim->mtu;

	if (!mtu && !six) {
		mtu = plateau_below(lower(claim->quoted_bytes, current));
		mtu = mtu < least ? least : mtu;
	}
	if (mtu < least)
		return DROP_PMTU_FLOOR;
	if (mtu >= current)
		return DROP_PMTU_NOT_LOWER;
	*ret_mtu = mtu;
	return DROP_NONE;
}

/* Peers choose their addresses, but only those that an SA was agreed on with get here. */
static size_t bucket_of(const struct addr *remote)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < addr_len(remote); i++)
		hash = (hash ^ remote->bytes[i]) * 16777619u;
	return hash % PATH_MTU_BUCKETS;
}

static struct path_mtu_entry *entry_lookup(
	struct path_mtus *m, uint16_t table_id, const struct addr *local, const struct addr *remote)
{
	struct path_mtu_entry *e;

	LIST_FOREACH (e, &m->buckets[bucket_of(remote)], bucket) {
		if (e->table_id == table_id && addr_equal(&e->remote, remote) && addr_equal(&e->local, local))
			return e;
	}
	return NULL;
}

static void entry_free(struct path_mtus *m, struct path_mtu_entry *e)
{
	LIST_REMOVE(e, bucket);
	m->count--;
	free(e);
}

uint16_t path_mtus_lookup(struct path_mtus *m, uint16_t table_id, const struct addr *local, const struct addr *remote,
	uint64_t now_ns, uint64_t hold_ns, uint64_t *ret_learnt_ns)
{
	struct path_mtu_entry *e = entry_lookup(m, table_id, local, remote);

	if (e && now_ns - e->learnt_ns >= hold_ns) {
		entry_free(m, e);
		e = NULL;
	}
	*ret_learnt_ns = e ? e->learnt_ns : 0;
	return e ? e->mtu : 0;
}

/* Not of an empty one. Claims that are believed are few: each lowers an MTU. */
static struct path_mtu_entry *oldest(struct path_mtus *m)
{
	struct path_mtu_entry *e, *found = NULL;

	for (size_t i = 0; i < PATH_MTU_BUCKETS; i++)
		LIST_FOREACH (e, &m->buckets[i], bucket)
			if (!found || e->learnt_ns < found->learnt_ns)
				found = e;
	return found;
}

void path_mtus_note(struct path_mtus *m, uint16_t table_id, const struct addr *local, const struct addr *remote,
	uint16_t mtu, uint64_t now_ns)
{
	struct path_mtu_entry *e = entry_lookup(m, table_id, local, remote);

	if (!e) {
		if (m->count == PATH_MTU_PEERS_MAX)
			entry_free(m, oldest(m));
		e = calloc(1, sizeof(*e));
		if (!e)
			return;
		e->table_id = table_id;
		e->local = *local;
		e->remote = *remote;
		LIST_INSERT_HEAD(&m->buckets[bucket_of(remote)], e, bucket);
		m->count++;
	}
	e->mtu = mtu;
	e->learnt_ns = now_ns;
}

void path_mtus_done(struct path_mtus *m)
{
	struct path_mtu_entry *e;

	for (size_t i = 0; i < PATH_MTU_BUCKETS; i++)
		while ((e = LIST_FIRST(&m->buckets[i])))
			entry_free(m, e);
}
