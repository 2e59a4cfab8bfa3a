/* SPDX-License-Identifier: BSD-3-Clause */
/* Inbound SAs by SPI. An SPI of ours is an address: generation and slot. Control reserves, publishes and retires;
 * workers look up with two loads. Manually keyed SPIs that we did not choose are in a small lock-free hash, by
 * protocol and destination with its table_id too (RFC 4301 4.1): each of our addresses has an SPI space of its own
 * there. */
#include "sad_priv.h"

#include <errno.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>

#include "ip6.h"
#include "ipsec_priv.h"
#include "sa_priv.h"
#include "sa_word.h"

#define NO_SLOT        UINT32_MAX
#define SPI_COUNTS_MIN 64

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

/* Control: how many foreign SAs have an SPI. */
static struct rte_hash *spi_counts_create(uint32_t entries)
{
	static unsigned int instance;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters p = {
		.name = name,
		.entries = RTE_MAX(entries, (uint32_t)SPI_COUNTS_MIN),
		.key_len = sizeof(uint32_t),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
	};

	snprintf(name, sizeof(name), "sad_foreign%u", instance++);
	return rte_hash_create(&p);
}

static inline void key_of_packet(const struct sad_question *q, struct foreign_key *ret_key)
{
	const uint8_t *ip = q->ip;
	bool ip6 = ip[0] >> 4 == 6;
	const uint8_t *destination = ip6 ? ip6_destination((const struct rte_ipv6_hdr *)ip)
					 : ip + offsetof(struct rte_ipv4_hdr, dst_addr);

	foreign_key_make(q->spi, q->protocol, q->table_id, ip6, destination, ret_key);
}

int sad_init(struct sad *sad, uint32_t slots, uint16_t workers)
{
	sad->slots = slots;
	sad->words = (_Atomic uint64_t *)rte_zmalloc(NULL, slots * sizeof(sad->words[0]), RTE_CACHE_LINE_SIZE);
	sad->states = (struct sad_slot *)calloc(slots, sizeof(sad->states[0]));
	sad->foreign_spis = spi_counts_create(slots);
	if (!sad->words || !sad->states || !sad->foreign_spis)
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
	for (uint32_t s = 0; sad->words && s < sad->slots; s++)
		sa_free(sa_word_sa(atomic_load_explicit(&sad->words[s], memory_order_relaxed)));
	foreign_done(&sad->foreign);
	rte_hash_free(sad->foreign_spis);
	rte_free((void *)sad->words);
	free(sad->states);
}

/* Control: how many foreign SAs have the SPI, whatever their destination: none of our range may hide one. */
static uintptr_t foreign_spi_count(const struct sad *sad, uint32_t spi)
{
	void *count;

	return rte_hash_lookup_data(sad->foreign_spis, &spi, &count) >= 0 ? (uintptr_t)count : 0;
}

static int foreign_spi_count_set(struct sad *sad, uint32_t spi, uintptr_t count)
{
	if (count)
		return rte_hash_add_key_data(sad->foreign_spis, &spi, (void *)count);
	return rte_hash_del_key(sad->foreign_spis, &spi) >= 0 ? 0 : -ENOENT;
}

/* The slot's next SPI: never one below 256 (RFC 4303 2.1), never one that a manual SA holds. */
static uint32_t slot_advance(struct sad *sad, uint32_t slot)
{
	struct sad_slot *s = &sad->states[slot];
	uint32_t spi;

	do {
		s->generation = slot_generation_next(s->generation);
		spi = (uint32_t)s->generation << SLOT_INDEX_BITS | slot;
	} while (foreign_spi_count(sad, spi));
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

static int foreign_publish(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;
	uintptr_t count = foreign_spi_count(sad, sa->spi);
	int rc;

	if (foreign_spi_count_set(sad, sa->spi, count + 1))
		return -ENOSPC;
	rc = foreign_insert(ips, &sad->foreign, sa);
	if (rc)
		foreign_spi_count_set(sad, sa->spi, count);
	return rc;
}

int sad_insert(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;
	struct sad_slot *s = slot_lookup(sad, sa->spi);
	int rc = 0;

	sa->ips = ips;
	sa->foreign = !s || s->state == SLOT_FREE;
	if (sa->foreign)
		return foreign_publish(ips, sa);
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

	if (!sa->foreign)
		free_push(sad, slot_index(sa->spi));
	sa_free(sa);
}

void sad_retire(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;

	if (sa->foreign) {
		foreign_remove(&sad->foreign, sa);
		foreign_spi_count_set(sad, sa->spi, foreign_spi_count(sad, sa->spi) - 1);
	} else {
		/* relaxed: a worker that still sees the SA may use it until it is quiescent */
		atomic_store_explicit(&sad->words[slot_index(sa->spi)], 0, memory_order_relaxed);
	}
	reclaim_later(ips, retired_free, sa);
}

/* An SA whose SPI is ours. */
static inline struct sa *sad_find_own(const struct sad *sad, uint32_t spi)
{
	uint64_t word;

	if (slot_index(spi) >= sad->slots)
		return NULL;
	/* acquire: pairs with sad_insert */
	word = atomic_load_explicit(&sad->words[slot_index(spi)], memory_order_acquire);
	return likely(sa_word_is(word, spi)) ? sa_word_sa(word) : NULL;
}

struct sa *sad_lookup(const struct ipsec *ips, const struct sad_question *question)
{
	const struct sad *sad = &ips->sad;
	struct sa *sa = sad_find_own(sad, question->spi);

	if (likely(sa != NULL))
		return sa;
	struct foreign_key key;
	key_of_packet(question, &key);
	return foreign_find(&sad->foreign, &key);
}

/* The lines of an SA that its packet reads first, of packets in a row that go through the same one once. */
static inline const struct sa *found_prefetch(const struct sa *sa, const struct sa *before)
{
	if (sa != before && sa) {
		rte_prefetch1(sa);
		rte_prefetch1(&sa->packets);
	}
	return sa;
}

struct sa *sad_lookup_own(const struct ipsec *ips, uint32_t spi)
{
	return sad_find_own(&ips->sad, spi);
}

/* Returns how many are not there. */
static inline uint16_t own_lookup_burst(
	const struct sad *sad, const struct sad_question *questions, uint16_t n, struct sa **ret_sas)
{
	const struct sa *before = NULL;
	uint16_t missed = 0;

	for (uint16_t i = 0; i < n; i++)
		if (likely(slot_index(questions[i].spi) < sad->slots))
			rte_prefetch0((const void *)&sad->words[slot_index(questions[i].spi)]);
	for (uint16_t i = 0; i < n; i++) {
		ret_sas[i] = sad_find_own(sad, questions[i].spi);
		missed += !ret_sas[i];
		before = found_prefetch(ret_sas[i], before);
	}
	return missed;
}

/* Those that are still NULL: where each may be, then which SA, then whether it is the one. */
static __rte_noinline void foreign_lookup_burst(const struct foreign *f, const struct foreign_table *t,
	const struct sad_question *questions, uint16_t n, struct sa **ret_sas)
{
	struct foreign_key keys[IPSEC_BURST];
	uint64_t hashes[IPSEC_BURST];
	uint8_t places[IPSEC_BURST];
	const struct sa *before = NULL;
	uint16_t asked = 0;

	for (uint16_t i = 0; i < n; i++) {
		key_of_packet(&questions[i], &keys[asked]);
		hashes[asked] = foreign_hash(&keys[asked]);
		places[asked] = (uint8_t)i;
		rte_prefetch0(foreign_line(t, hashes[asked], 0));
		asked += !ret_sas[i];
	}
	for (uint16_t i = 0; i < asked; i++) {
		struct sa *sa = foreign_candidate(foreign_line(t, hashes[i], 0), foreign_tag(hashes[i]));
		ret_sas[places[i]] = sa;
		before = found_prefetch(sa, before);
	}
	for (uint16_t i = 0; i < asked; i++) {
		struct sa **sa = &ret_sas[places[i]];
		if (unlikely(!*sa || !foreign_is(*sa, &keys[i])))
			*sa = foreign_find(f, &keys[i]);
	}
}

void sad_lookup_burst(const struct ipsec *ips, const struct sad_question *questions, uint16_t n, struct sa **ret_sas)
{
	const struct foreign *f = &ips->sad.foreign;
	/* acquire: pairs with foreign_insert */
	const struct foreign_table *t = atomic_load_explicit(&f->table, memory_order_acquire);

	if (own_lookup_burst(&ips->sad, questions, n, ret_sas) && t)
		foreign_lookup_burst(f, t, questions, n, ret_sas);
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
