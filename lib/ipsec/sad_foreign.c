/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of inbound SAs whose SPI we did not choose; the look-up is in the header. An SA is in one of the two lines
 * its key names, in the emptier one: with no more SAs than lines both are never full in practice. */
#include <rte_malloc.h>
#include <stdlib.h>

#include "sad_foreign_priv.h"

#define LINES_MIN  64
#define PLACE_NONE UINT32_MAX

int foreign_init(struct foreign *f, uint32_t capacity)
{
	uint32_t lines = rte_align32pow2(RTE_MAX(capacity, (uint32_t)LINES_MIN));

	f->mask = lines - 1;
	f->lines = (struct foreign_line *)rte_zmalloc(NULL, lines * sizeof(*f->lines), RTE_CACHE_LINE_SIZE);
	f->users = (uint32_t *)calloc((size_t)lines * FOREIGN_WAYS, sizeof(*f->users));
	return f->lines && f->users ? 0 : -ENOMEM;
}

void foreign_done(struct foreign *f)
{
	for (uint32_t place = 0; f->lines && place < (f->mask + 1) * FOREIGN_WAYS; place++)
		sa_free(sa_word_sa(atomic_load_explicit(&foreign_entry_at(f, place)->word, memory_order_relaxed)));
	rte_free(f->lines);
	free(f->users);
}

static struct foreign_key key_of_sa(const struct sa *sa)
{
	bool ip6 = sa->destination.family == ADDR_IPV6;

	return foreign_key_make(sa->spi, sa->protocol, sa->table_id, ip6, sa->destination.bytes);
}

/* Control: whether this key may be written there. A place that waits for its grace period serves at once for the key
 * it had: workers still see one and the same there. */
static bool place_fits(const struct foreign *f, uint32_t place, const struct foreign_key *key)
{
	const struct foreign_entry *e = foreign_entry_at(f, place);

	if (!f->users[place])
		return true;
	return !atomic_load_explicit(&e->word, memory_order_relaxed) && e->spi == key->spi &&
	       e->destination == key->destination;
}

/* In the line: a place for the key, or PLACE_NONE; how many are free. */
static uint32_t line_place(const struct foreign *f, uint32_t line, const struct foreign_key *key, uint32_t *ret_free)
{
	uint32_t found = PLACE_NONE, first = line * FOREIGN_WAYS;

	*ret_free = 0;
	for (uint32_t place = first; place < first + FOREIGN_WAYS; place++) {
		*ret_free += !f->users[place];
		if (place_fits(f, place, key) && (found == PLACE_NONE || f->users[place]))
			found = place;
	}
	return found;
}

static uint32_t place_find(const struct foreign *f, const struct foreign_key *key)
{
	uint32_t first_free, second_free;
	uint32_t first = line_place(f, foreign_line_first(f, key), key, &first_free);
	uint32_t second = line_place(f, foreign_line_second(f, key), key, &second_free);

	if (first == PLACE_NONE || (second != PLACE_NONE && second_free > first_free && !f->users[first]))
		return second;
	return first;
}

int foreign_insert(struct foreign *f, struct sa *sa)
{
	const struct foreign_key key = key_of_sa(sa);
	uint32_t place = place_find(f, &key);
	struct foreign_entry *e;

	if (sa->table_id >= FOREIGN_TABLES)
		return -ERANGE;
	if (foreign_find(f, &key))
		return -EEXIST;
	if (place == PLACE_NONE)
		return -ENOSPC;
	e = foreign_entry_at(f, place);
	if (!f->users[place]++) {
		e->spi = key.spi;
		e->destination = key.destination;
	}
	/* release: pairs with line_find; the key is there before the SA */
	atomic_store_explicit(&e->word, (uint64_t)key.kind << FOREIGN_KIND_LSB | (uintptr_t)sa, memory_order_release);
	/* release: pairs with foreign_find */
	atomic_fetch_add_explicit(&f->count, 1, memory_order_release);
	sa->foreign_place = place;
	return 0;
}

void foreign_remove(struct foreign *f, struct sa *sa)
{
	/* relaxed: a worker that still sees the SA may use it until it is quiescent */
	atomic_store_explicit(&foreign_entry_at(f, sa->foreign_place)->word, 0, memory_order_relaxed);
	atomic_fetch_sub_explicit(&f->count, 1, memory_order_relaxed);
}

void foreign_place_free(struct foreign *f, uint32_t place)
{
	f->users[place]--;
}
