/* SPDX-License-Identifier: BSD-3-Clause */
/* Inbound SAs by SPI. An SPI of ours is an address: generation and slot. Control reserves, publishes and retires;
 * workers look up with two loads. Manually keyed SPIs that we did not choose are in a small lock-free hash. */
#include "sad_priv.h"

#include <errno.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipsec_priv.h"
#include "sa_priv.h"
#include "sa_word.h"

#define NO_SLOT UINT32_MAX

enum slot_state { SLOT_FREE, SLOT_RESERVED, SLOT_USED };

struct sad_slot {
	uint32_t next; /* in its bucket's free list */
	uint16_t generation;
	uint8_t state; /* enum slot_state */
};

static void free_push(struct sad *sad, uint32_t slot)
{
	uint32_t bucket = slot % SA_BUCKETS;

	sad->states[slot].state = SLOT_FREE;
	sad->states[slot].next = NO_SLOT;
	if (sad->free_head[bucket] == NO_SLOT)
		sad->free_head[bucket] = slot;
	else
		sad->states[sad->free_tail[bucket]].next = slot;
	sad->free_tail[bucket] = slot;
}

static uint32_t free_pull(struct sad *sad, uint32_t bucket)
{
	uint32_t slot = sad->free_head[bucket];

	if (slot != NO_SLOT)
		sad->free_head[bucket] = sad->states[slot].next;
	return slot;
}

static int foreign_init(struct sad *sad)
{
	static unsigned int instance;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters p = {
		.name = name,
		.entries = FOREIGN_MAX,
		.key_len = sizeof(uint32_t),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
	};

	snprintf(name, sizeof(name), "sad_foreign%u", instance++);
	sad->foreign = rte_hash_create(&p);
	return sad->foreign ? 0 : -ENOMEM;
}

int sad_init(struct sad *sad, uint32_t slots, uint16_t workers)
{
	sad->slots = slots;
	sad->words = (_Atomic uint64_t *)rte_zmalloc(NULL, slots * sizeof(sad->words[0]), RTE_CACHE_LINE_SIZE);
	sad->states = (struct sad_slot *)calloc(slots, sizeof(sad->states[0]));
	if (!sad->words || !sad->states || foreign_init(sad))
		return -ENOMEM;
	for (uint32_t b = 0; b < SA_BUCKETS; b++) {
		atomic_init(&sad->buckets[b], (uint8_t)(b % workers));
		sad->free_head[b] = NO_SLOT;
	}
	/* random generations: an SPI from before a restart hits nothing most of the time */
	for (uint32_t s = 0; s < slots; s++) {
		sad->states[s].generation = (uint16_t)rte_rand_max(SLOT_GENERATIONS);
		free_push(sad, s);
	}
	return 0;
}

void sad_done(struct sad *sad)
{
	const void *key;
	void *sa;
	uint32_t next = 0;

	for (uint32_t s = 0; sad->words && s < sad->slots; s++)
		sa_free(sa_word_sa(atomic_load_explicit(&sad->words[s], memory_order_relaxed)));
	while (sad->foreign && rte_hash_iterate(sad->foreign, &key, &sa, &next) >= 0)
		sa_free((struct sa *)sa);
	rte_hash_free(sad->foreign);
	rte_free((void *)sad->words);
	free(sad->states);
}

static bool foreign_has(const struct sad *sad, uint32_t spi)
{
	return rte_hash_lookup(sad->foreign, &spi) >= 0;
}

/* The slot's next SPI: never one below 256 (RFC 4303 2.1), never one that a manual SA holds. */
static uint32_t slot_advance(struct sad *sad, uint32_t slot)
{
	struct sad_slot *s = &sad->states[slot];
	uint32_t spi;

	do {
		s->generation = slot_generation_next(s->generation);
		spi = (uint32_t)s->generation << SLOT_INDEX_BITS | slot;
	} while (foreign_has(sad, spi));
	s->state = SLOT_RESERVED;
	return spi;
}

uint32_t spi_reserve(struct ipsec *ips, uint8_t worker)
{
	struct sad *sad = &ips->sad;

	for (uint32_t i = 0; i < SA_BUCKETS; i++) {
		uint32_t bucket = sad->cursor++ % SA_BUCKETS;
		uint8_t owner = atomic_load_explicit(&sad->buckets[bucket], memory_order_relaxed);
		if (worker != WORKER_NONE && owner != worker)
			continue;
		uint32_t slot = free_pull(sad, bucket);
		if (slot != NO_SLOT)
			return slot_advance(sad, slot);
	}
	return 0;
}

/* Control: the state of the slot that this SPI names now, or NULL: not of our range, or of another generation. */
static struct sad_slot *slot_lookup(struct sad *sad, uint32_t spi)
{
	uint32_t slot = slot_index(spi);

	if (slot >= sad->slots || sad->states[slot].generation != slot_generation(spi))
		return NULL;
	return &sad->states[slot];
}

void spi_release(struct ipsec *ips, uint32_t spi)
{
	struct sad_slot *s = slot_lookup(&ips->sad, spi);

	if (s && s->state == SLOT_RESERVED)
		free_push(&ips->sad, slot_index(spi));
}

static int foreign_insert(struct sad *sad, struct sa *sa)
{
	if (foreign_has(sad, sa->spi))
		return -EEXIST;
	if (rte_hash_add_key_data(sad->foreign, &sa->spi, sa))
		return -ENOSPC;
	/* release: pairs with sad_lookup; the key is there before the count says so */
	atomic_fetch_add_explicit(&sad->foreign_count, 1, memory_order_release);
	return 0;
}

int sad_insert(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;
	struct sad_slot *s = slot_lookup(sad, sa->spi);
	int rc = 0;

	sa->ips = ips;
	sa->foreign = !s || s->state == SLOT_FREE;
	if (sa->foreign)
		return foreign_insert(sad, sa);
	if (s->state == SLOT_USED)
		return -EEXIST;
	s->state = SLOT_USED;
	/* release: pairs with sad_lookup */
	atomic_store_explicit(&sad->words[slot_index(sa->spi)], sa_word_make(sa->spi, sa), memory_order_release);
	return rc;
}

/* After the grace period. */
static void retired_free(void *object)
{
	struct sa *sa = (struct sa *)object;
	struct sad *sad = &sa->ips->sad;

	if (sa->foreign)
		rte_hash_free_key_with_position(sad->foreign, sa->foreign_position);
	else
		free_push(sad, slot_index(sa->spi));
	sa_free(sa);
}

void sad_retire(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;

	if (sa->foreign) {
		sa->foreign_position = rte_hash_del_key(sad->foreign, &sa->spi);
		atomic_fetch_sub_explicit(&sad->foreign_count, 1, memory_order_relaxed);
	} else {
		/* relaxed: a worker that still sees the SA may use it until it is quiescent */
		atomic_store_explicit(&sad->words[slot_index(sa->spi)], 0, memory_order_relaxed);
	}
	reclaim_later(ips, retired_free, sa);
}

static struct sa *foreign_lookup(const struct sad *sad, uint32_t spi)
{
	void *sa;

	return rte_hash_lookup_data(sad->foreign, &spi, &sa) >= 0 ? (struct sa *)sa : NULL;
}

struct sa *sad_lookup(const struct ipsec *ips, uint32_t spi)
{
	const struct sad *sad = &ips->sad;
	uint32_t slot = slot_index(spi);

	if (likely(slot < sad->slots)) {
		/* acquire: pairs with sad_insert */
		uint64_t word = atomic_load_explicit(&sad->words[slot], memory_order_acquire);
		if (likely(sa_word_is(word, spi)))
			return sa_word_sa(word);
	}
	/* acquire: pairs with foreign_insert */
	if (likely(!atomic_load_explicit(&sad->foreign_count, memory_order_acquire)))
		return NULL;
	return foreign_lookup(sad, spi);
}

uint8_t sad_bucket_worker(const struct ipsec *ips, uint32_t spi)
{
	/* acquire: pairs with sad_bucket_publish; the new owner sees what the one before did to the SAs */
	return atomic_load_explicit(&ips->sad.buckets[spi % SA_BUCKETS], memory_order_acquire);
}

void sad_bucket_publish(struct ipsec *ips, uint8_t bucket, uint8_t owner)
{
	/* release: pairs with sad_bucket_worker */
	atomic_store_explicit(&ips->sad.buckets[bucket], owner, memory_order_release);
}
