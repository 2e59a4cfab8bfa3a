/* SPDX-License-Identifier: BSD-3-Clause */
/* Inbound SAs whose SPI we did not choose and that have no slot (sad.c), by SPI, protocol and destination with its
 * table_id (RFC 4301 4.1): each of our addresses has an SPI space of its own. Control writes, workers look up without
 * locks. The table is small, so that many SAs share a line of it: a place has the SA and a piece of the key's hash, and
 * the SA says itself, in the line in front of that which its packet needs anyway, whether it is the one. Inline, burst
 * path. */
#pragma once

#include <errno.h>

#include "sa_priv.h"

#define FOREIGN_WAYS     6
#define FOREIGN_TAG_BITS 16 /* of a hash, the highest; never 0, which is an empty place's */
#define FOREIGN_TAG_ONES 0x0001000100010001ull
/* A kind: what tells keys apart beside SPI and destination. */
#define FOREIGN_IPV6      0x8 /* above the protocol */
#define FOREIGN_TABLE_LSB 4   /* table_id */
static_assert(PROTOCOL_ESP < FOREIGN_IPV6, "protocols of a kind");

struct foreign_key {
	uint64_t ends;          /* destination, IPv4 as in memory, IPv6 folded; then the SPI */
	uint32_t kind;          /* enum security_protocol, FOREIGN_IPV6, table_id */
	const uint8_t *address; /* the whole destination */
};

/* W: control, R: workers. A tag that is not yet or no longer that of the SA finds one that says no, or none. */
struct foreign_line {
	_Atomic uint64_t tags[2]; /* four in a word */
	_Atomic(struct sa *) sas[FOREIGN_WAYS];
} __rte_cache_aligned;
static_assert(sizeof(struct foreign_line) == 64, "a look-up is a cache line");

struct foreign_table {
	uint32_t mask; /* of the number of a line */
	struct foreign_line lines[];
};

struct foreign {
	_Atomic(struct foreign_table *) table; /* W: control, R: workers. NULL: there was never one to look up */
	uint32_t count;                        /* control: SAs in it */
};

/* Control, at the end: frees the SAs still there, too. */
void foreign_done(struct foreign *f);
/* Control: 0, -EEXIST, -ENOSPC: no memory for a larger table. */
int foreign_insert(struct ipsec *ips, struct foreign *f, struct sa *sa);
/* Control: both would be found by the same packet. */
bool foreign_same(const struct sa *a, const struct sa *b);
/* Control: it is found no longer. */
void foreign_remove(struct foreign *f, struct sa *sa);

static inline uint32_t foreign_destination(const uint8_t *address, bool ip6)
{
	uint32_t words[4];

	memcpy(words, address, sizeof(words[0]));
	if (likely(!ip6))
		return words[0];
	memcpy(words, address, sizeof(words));
	return words[0] ^ words[1] ^ words[2] ^ words[3];
}

/* Each field is one store of its size, as it is read soon. */
static inline void foreign_key_make(uint32_t spi, uint8_t protocol, uint16_t table_id, bool ip6, const uint8_t *address,
	struct foreign_key *ret_key)
{
	ret_key->ends = (uint64_t)foreign_destination(address, ip6) << 32 | spi;
	ret_key->kind = protocol | (ip6 ? FOREIGN_IPV6 : 0) | (uint32_t)table_id << FOREIGN_TABLE_LSB;
	ret_key->address = address;
}

static inline uint64_t foreign_hash(const struct foreign_key *key)
{
	unsigned __int128 product = (unsigned __int128)(key->ends ^ 0x9e3779b97f4a7c15ull) *
				    (key->kind * 0xd1b54a32d192ed03ull ^ 0xa0761d6478bd642full);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t foreign_tag(uint64_t hash)
{
	return hash >> (64 - FOREIGN_TAG_BITS) | 1;
}

/* An SA is in the first of two lines that has room when it comes. */
static inline const struct foreign_line *foreign_line(const struct foreign_table *t, uint64_t hash, unsigned choice)
{
	return &t->lines[hash >> 26 * choice & t->mask];
}

/* The lowest set bit is in the first of four tags that is this one; 0: none is. */
static inline uint64_t foreign_tags_equal(const _Atomic uint64_t *tags, uint64_t tag)
{
	/* acquire: pairs with place_set */
	uint64_t differ = atomic_load_explicit(tags, memory_order_acquire) ^ tag * FOREIGN_TAG_ONES;

	return (differ - FOREIGN_TAG_ONES) & ~differ & FOREIGN_TAG_ONES << (FOREIGN_TAG_BITS - 1);
}

/* The first SA of the line that has the tag, or NULL. */
static inline struct sa *foreign_candidate(const struct foreign_line *line, uint64_t tag)
{
	uint64_t low = foreign_tags_equal(&line->tags[0], tag), high = foreign_tags_equal(&line->tags[1], tag);
	uint32_t way = low ? 0 : 4;

	low = low ? low : high;
	if (unlikely(!low))
		return NULL;
	way += (uint32_t)__builtin_ctzll(low) / FOREIGN_TAG_BITS;
	return atomic_load_explicit(&line->sas[way], memory_order_acquire);
}

static inline bool foreign_is(const struct sa *sa, const struct foreign_key *key)
{
	return ((uint64_t)sa->foreign_destination << 32 | sa->spi) == key->ends && sa->foreign_kind == key->kind &&
	       /* folded addresses may be alike */
	       (likely(!(key->kind & FOREIGN_IPV6)) || !memcmp(sa->destination.bytes, key->address, 16));
}

/* Any thread; a worker may use the SA until its next quiescent report. NULL: none. */
struct sa *foreign_find(const struct foreign *f, const struct foreign_key *key);
