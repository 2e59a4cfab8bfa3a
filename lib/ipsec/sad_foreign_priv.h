/* SPDX-License-Identifier: BSD-3-Clause */
/* Inbound SAs whose SPI we did not choose, by SPI, protocol and destination with its table_id (RFC 4301 4.1): each of
 * our addresses has an SPI space of its own. Control writes, workers look up without locks: a line of memory or two,
 * and of an IPv4 SA nothing else. Inline, burst path. */
#pragma once

#include <errno.h>

#include "sa_priv.h"
#include "sa_word.h"

#define FOREIGN_WAYS     4
#define FOREIGN_KIND_LSB SA_WORD_GENERATION_LSB
/* A kind, which shares a word with the SA: what tells keys apart beside SPI and destination. */
#define FOREIGN_IPV6      0x8 /* above the protocol */
#define FOREIGN_TABLE_LSB 4   /* table_id */
#define FOREIGN_TABLES    256 /* and no more */
static_assert(PROTOCOL_ESP < FOREIGN_IPV6, "protocols of a kind");
static_assert(FOREIGN_TABLES << FOREIGN_TABLE_LSB <= 1 << (64 - FOREIGN_KIND_LSB), "a kind fits the word");

struct foreign_key {
	uint32_t spi;           /* host order */
	uint32_t destination;   /* IPv4 as in memory, IPv6 folded */
	uint32_t kind;          /* enum security_protocol, FOREIGN_IPV6, table_id */
	const uint8_t *address; /* the whole destination */
};

struct foreign_entry {
	uint32_t spi, destination; /* W: control, while the place is not taken; R: workers that found a word */
	_Atomic uint64_t word;     /* kind and SA; 0: none. W: control, R: workers */
};

struct foreign_line {
	struct foreign_entry ways[FOREIGN_WAYS];
} __rte_cache_aligned;
static_assert(sizeof(struct foreign_line) == 64, "a look-up is a cache line");

struct foreign {
	_Atomic uint32_t count; /* W: control, R: workers: nothing is looked up where there is nothing */
	uint32_t mask;          /* of the number of a line */
	struct foreign_line *lines;
	uint32_t *users; /* control: SAs by place, also those a worker may still see there */
};

/* Control. For about so many SAs. 0 or -ENOMEM; foreign_done, which frees the SAs still there, in any case. */
int foreign_init(struct foreign *f, uint32_t capacity);
void foreign_done(struct foreign *f);
/* 0, -EEXIST, -ENOSPC, -ERANGE: there is no room for its table_id in a key. */
int foreign_insert(struct foreign *f, struct sa *sa);
/* It is found no longer; after a grace period its place (sa->foreign_place) is to be freed. */
void foreign_remove(struct foreign *f, struct sa *sa);
void foreign_place_free(struct foreign *f, uint32_t place);

/* A place: ways of all lines, counted on. */
static inline struct foreign_entry *foreign_entry_at(const struct foreign *f, uint32_t place)
{
	return &f->lines[place / FOREIGN_WAYS].ways[place % FOREIGN_WAYS];
}

static inline struct foreign_key foreign_key_make(
	uint32_t spi, uint8_t protocol, uint16_t table_id, bool ip6, const uint8_t *address)
{
	struct foreign_key key = {
		.spi = spi, .kind = protocol | (uint32_t)table_id << FOREIGN_TABLE_LSB, .address = address
	};
	uint32_t words[4];

	if (likely(!ip6)) {
		memcpy(&key.destination, address, sizeof(key.destination));
		return key;
	}
	memcpy(words, address, sizeof(words));
	key.destination = words[0] ^ words[1] ^ words[2] ^ words[3];
	key.kind |= FOREIGN_IPV6;
	return key;
}

static inline uint64_t foreign_hash(const struct foreign_key *key)
{
	return ((uint64_t)key->destination << 32 ^ key->spi) * 0x9e3779b97f4a7c15ull +
	       key->kind * 0xd1b54a32d192ed03ull;
}

static inline uint32_t foreign_line_first(const struct foreign *f, const struct foreign_key *key)
{
	return (uint32_t)(foreign_hash(key) >> 40) & f->mask;
}

static inline uint32_t foreign_line_second(const struct foreign *f, const struct foreign_key *key)
{
	return (uint32_t)(foreign_hash(key) >> 20) & f->mask;
}

static inline struct sa *line_find(const struct foreign_line *line, const struct foreign_key *key)
{
	for (const struct foreign_entry *e = line->ways; e < line->ways + FOREIGN_WAYS; e++) {
		/* acquire: pairs with foreign_insert */
		uint64_t word = atomic_load_explicit(&e->word, memory_order_acquire);
		if (word >> FOREIGN_KIND_LSB != key->kind || e->spi != key->spi || e->destination != key->destination)
			continue;
		struct sa *sa = sa_word_sa(word);
		/* folded addresses may be alike */
		if (likely(!(key->kind & FOREIGN_IPV6)) || !memcmp(sa->destination.bytes, key->address, 16))
			return sa;
	}
	return NULL;
}

/* first: the line foreign_line_first told. */
static inline struct sa *foreign_find_from(
	const struct foreign *f, const struct foreign_line *first, const struct foreign_key *key)
{
	struct sa *sa = line_find(first, key);

	return likely(sa != NULL) ? sa : line_find(&f->lines[foreign_line_second(f, key)], key);
}

/* Any thread; a worker may use the SA until its next quiescent report. NULL: none. */
static inline struct sa *foreign_find(const struct foreign *f, const struct foreign_key *key)
{
	/* acquire: pairs with foreign_insert */
	if (likely(!atomic_load_explicit(&f->count, memory_order_acquire)))
		return NULL;
	return foreign_find_from(f, &f->lines[foreign_line_first(f, key)], key);
}
