/* SPDX-License-Identifier: BSD-3-Clause */
/* An intrusive hash table: the link stands in the object, so inserting never fails. Growth is tried and may fail; then
 * the chains only get longer. Keys are compared by the caller, who walks the chain of a hash. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct link {
	struct link *next;
	uint64_t hash;
};

struct table {
	struct link **buckets; /* NULL until the first insert or reserve */
	size_t size;           /* a power of two */
	size_t count;
};

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Room for `count` entries without growth. 0 or -ENOMEM. */
int table_init(struct table *t, size_t count);
void table_done(struct table *t);
void table_insert(struct table *t, struct link *link, uint64_t hash);
void table_remove(struct table *t, struct link *link);
/* First entry of this hash, or the next one behind `link`; NULL at the end. */
struct link *table_first(const struct table *t, uint64_t hash);
struct link *table_next(const struct link *link);
/* Spreads a number over all bits; also folds in bytes. */
uint64_t hash_u64(uint64_t value);
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);
