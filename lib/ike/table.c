/* SPDX-License-Identifier: BSD-3-Clause */
/* The intrusive hash table of IKE SAs, Child SAs and profiles. Holds no objects of its own. */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_FIRST 64

int table_init(struct table *t, size_t count)
{
	size_t size = SIZE_FIRST;

	while (size < count)
		size *= 2;
	*t = (struct table){ .buckets = calloc(size, sizeof(*t->buckets)), .size = size };
	return t->buckets ? 0 : -ENOMEM;
}

void table_done(struct table *t)
{
	free(t->buckets);
	*t = (struct table){ 0 };
}

static void link_push(struct link **buckets, size_t size, struct link *link)
{
	struct link **bucket = &buckets[link->hash & (size - 1)];

	link->next = *bucket;
	*bucket = link;
}

static void table_grow(struct table *t)
{
	size_t size = t->size * 2;
	struct link **buckets = calloc(size, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i < t->size; i++)
		for (struct link *link = t->buckets[i], *next; link; link = next) {
			next = link->next;
			link_push(buckets, size, link);
		}
	free(t->buckets);
	t->buckets = buckets;
	t->size = size;
}

void table_insert(struct table *t, struct link *link, uint64_t hash)
{
	if (t->count >= t->size)
		table_grow(t);
	link->hash = hash;
	link_push(t->buckets, t->size, link);
	t->count++;
}

void table_remove(struct table *t, struct link *link)
{
	struct link **at = &t->buckets[link->hash & (t->size - 1)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	t->count--;
}

static struct link *same_hash(struct link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct link *table_first(const struct table *t, uint64_t hash)
{
	return same_hash(t->buckets[hash & (t->size - 1)], hash);
}

struct link *table_next(const struct link *link)
{
	return same_hash(link->next, link->hash);
}

/* The finaliser of MurmurHash3, a public-domain constant pair. */
uint64_t hash_u64(uint64_t value)
{
	value = (value ^ value >> 33) * 0xff51afd7ed558ccdull;
	value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53ull;
	return value ^ value >> 33;
}

uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		seed = (seed ^ p[i]) * 0x100000001b3ull;
	return hash_u64(seed);
}
