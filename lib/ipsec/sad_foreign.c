/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of inbound SAs whose SPI we did not choose and that have no slot; what a burst does is in the header and
 * sad.c. With more SAs than half of its places it is replaced by one of twice the size. */
#include "sad_foreign_priv.h"

#include <rte_malloc.h>

#define LINES_MIN  16
#define LINES_MAX  (1u << 20)
#define PLACE_NONE UINT32_MAX

static struct foreign_table *table_of(const struct foreign *f)
{
	/* acquire: pairs with table_grow */
	return atomic_load_explicit(&f->table, memory_order_acquire);
}

static struct foreign_table *table_create(uint32_t lines)
{
	struct foreign_table *t = (struct foreign_table *)rte_zmalloc(
		NULL, sizeof(*t) + lines * sizeof(t->lines[0]), RTE_CACHE_LINE_SIZE);

	if (t)
		t->mask = lines - 1;
	return t;
}

static uint32_t table_places(const struct foreign_table *t)
{
	return t ? (t->mask + 1) * FOREIGN_WAYS : 0;
}

static struct sa *place_sa(const struct foreign_table *t, uint32_t place)
{
	/* acquire: pairs with place_set */
	return atomic_load_explicit(&t->lines[place / FOREIGN_WAYS].sas[place % FOREIGN_WAYS], memory_order_acquire);
}

/* sa NULL, tag 0: empty. What the SA is found by is there before it, and it before its tag. */
static void place_set(struct foreign_table *t, uint32_t place, struct sa *sa, uint64_t tag)
{
	struct foreign_line *line = &t->lines[place / FOREIGN_WAYS];
	uint32_t way = place % FOREIGN_WAYS, lsb = way % 4 * FOREIGN_TAG_BITS;
	_Atomic uint64_t *tags = &line->tags[way / 4];
	uint64_t others = atomic_load_explicit(tags, memory_order_relaxed) & ~((uint64_t)UINT16_MAX << lsb);

	/* release: pairs with place_sa and foreign_candidate */
	atomic_store_explicit(&line->sas[way], sa, memory_order_release);
	/* release: pairs with foreign_tags_equal */
	atomic_store_explicit(tags, others | tag << lsb, memory_order_release);
}

static struct foreign_key key_of_sa(const struct sa *sa)
{
	struct foreign_key key;

	foreign_key_make(
		sa->spi, sa->protocol, sa->table_id, sa->destination.family == ADDR_IPV6, sa->destination.bytes, &key);
	return key;
}

bool foreign_same(const struct sa *a, const struct sa *b)
{
	const struct foreign_key x = key_of_sa(a), y = key_of_sa(b);

	return x.ends == y.ends && x.kind == y.kind && addr_equal(&a->destination, &b->destination);
}

/* Where the SA (NULL: nothing) is among the places of a key, or PLACE_NONE. */
static uint32_t place_find(const struct foreign_table *t, uint64_t hash, const struct sa *sa)
{
	for (unsigned choice = 0; choice < 2; choice++) {
		uint32_t first = (uint32_t)(foreign_line(t, hash, choice) - t->lines) * FOREIGN_WAYS;
		for (uint32_t place = first; place < first + FOREIGN_WAYS; place++)
			if (place_sa(t, place) == sa)
				return place;
	}
	return PLACE_NONE;
}

/* False: there is no room for it. */
static bool table_put(struct foreign_table *t, struct sa *sa)
{
	const struct foreign_key key = key_of_sa(sa);
	uint64_t hash = foreign_hash(&key);
	uint32_t place = place_find(t, hash, NULL);

	if (place == PLACE_NONE)
		return false;
	place_set(t, place, sa, foreign_tag(hash));
	return true;
}

/* A table of so many lines with all SAs of another, or NULL. */
static struct foreign_table *table_copy(struct foreign_table *from, uint32_t lines)
{
	struct foreign_table *t = table_create(lines);
	uint32_t places = table_places(from);

	for (uint32_t place = 0; t && place < places; place++) {
		struct sa *sa = place_sa(from, place);
		if (sa && !table_put(t, sa)) {
			rte_free(t);
			return NULL;
		}
	}
	return t;
}

/* False without memory. */
static bool table_grow(struct ipsec *ips, struct foreign *f)
{
	struct foreign_table *before = table_of(f);
	uint32_t lines = before ? 2 * (before->mask + 1) : LINES_MIN;
	struct foreign_table *t = lines <= LINES_MAX ? table_copy(before, lines) : NULL;

	if (!t)
		return false;
	/* release: pairs with table_of and sad_lookup_burst */
	atomic_store_explicit(&f->table, t, memory_order_release);
	if (before)
		reclaim_later(ips, rte_free, before);
	return true;
}

int foreign_insert(struct ipsec *ips, struct foreign *f, struct sa *sa)
{
	const struct foreign_key key = key_of_sa(sa);

	if (foreign_find(f, &key))
		return -EEXIST;
	sa->foreign_destination = (uint32_t)(key.ends >> 32);
	sa->foreign_kind = key.kind;
	if (2 * (f->count + 1) > table_places(table_of(f)) && !table_grow(ips, f))
		return -ENOSPC;
	while (!table_put(table_of(f), sa))
		if (!table_grow(ips, f))
			return -ENOSPC;
	f->count++;
	return 0;
}

void foreign_remove(struct foreign *f, struct sa *sa)
{
	const struct foreign_key key = key_of_sa(sa);
	struct foreign_table *t = table_of(f);
	uint32_t place = t ? place_find(t, foreign_hash(&key), sa) : PLACE_NONE;

	if (place == PLACE_NONE)
		return;
	/* a worker that still sees the SA may use it until it is quiescent */
	place_set(t, place, NULL, 0);
	f->count--;
}

struct sa *foreign_find(const struct foreign *f, const struct foreign_key *key)
{
	const struct foreign_table *t = table_of(f);
	uint64_t hash = foreign_hash(key);

	for (unsigned choice = 0; t && choice < 2; choice++) {
		uint32_t first = (uint32_t)(foreign_line(t, hash, choice) - t->lines) * FOREIGN_WAYS;
		for (uint32_t place = first; place < first + FOREIGN_WAYS; place++) {
			struct sa *sa = place_sa(t, place);
			if (sa && foreign_is(sa, key))
				return sa;
		}
	}
	return NULL;
}

void foreign_done(struct foreign *f)
{
	struct foreign_table *t = table_of(f);
	uint32_t places = table_places(t);

	for (uint32_t place = 0; place < places; place++)
		sa_free(place_sa(t, place));
	rte_free(t);
}
