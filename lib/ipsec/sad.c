/* SPDX-License-Identifier: BSD-3-Clause */
/* Inbound SAs by SPI. An SPI of ours is an address: generation and slot. Control reserves, publishes and retires;
 * workers look up with two loads. An SA whose SPI we did not choose (foreign: it is keyed by hand) is lent the slot
 * that its SPI names, where that is idle, and is found like ours then. When it cannot be, since another SA has the
 * slot, or one of the same SPI and another destination or protocol has to be told from it, it is in a small lock-free
 * hash by protocol and destination with its table_id too (RFC 4301 4.1): each of our addresses has an SPI space of its
 * own there. It may go from its slot to the hash, and never comes back. */
#include "sad_priv.h"

#include <errno.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "ip4.h"
#include "ip6.h"
#include "ipsec_priv.h"
#include "sa_priv.h"

#define SPI_COUNTS_MIN 64

struct sad_slot {
	TAILQ_ENTRY(sad_slot) link; /* in the list of its bucket and state, if there is one */
	uint32_t leaving;           /* SAs that were here and whose grace period is not over */
	uint16_t generation;        /* of the last SPI of ours */
	uint8_t state;              /* enum slot_state */
};

/* Of the slot's bucket and state; NULL: slots in this state are in none. */
static struct slot_list *slot_list(struct sad *sad, const struct sad_slot *s)
{
	return s->state < SLOT_LISTS ? &sad->lists[s->state][(uint32_t)(s - sad->states) % SA_BUCKETS] : NULL;
}

static void slot_enter(struct sad *sad, struct sad_slot *s, enum slot_state state)
{
	s->state = (uint8_t)state;
	if (slot_list(sad, s))
		TAILQ_INSERT_TAIL(slot_list(sad, s), s, link);
}

/* The only one to change a state. */
static void slot_change(struct sad *sad, struct sad_slot *s, enum slot_state state)
{
	if (slot_list(sad, s))
		TAILQ_REMOVE(slot_list(sad, s), s, link);
	slot_enter(sad, s, state);
}

/* Nobody is found here any more. */
static void slot_vacate(struct sad *sad, struct sad_slot *s)
{
	slot_change(sad, s, s->leaving ? SLOT_RESTING : SLOT_FREE);
}

/* Of an SPI, whatever generation; NULL: none has the number. */
static struct sad_slot *slot_of(const struct sad *sad, uint32_t spi)
{
	return slot_index(spi) < sad->slots ? &sad->states[slot_index(spi)] : NULL;
}

/* sa NULL: none is found here. */
static void word_set(struct sad *sad, uint32_t spi, const struct sa *sa)
{
	/* release: pairs with sa_word_load */
	atomic_store_explicit(&sad->words[slot_index(spi)], sa_word_to(spi, sa), memory_order_release);
}

/* The word of the SPI's slot that leads to its SA; 0: there is none. What left for the table of foreign SAs is seen
 * there. */
static inline uint64_t sad_word(const struct sad *sad, uint32_t spi)
{
	return sa_word_load(sad->words, sad->slots, spi);
}

static inline uint8_t bucket_owner(const struct ipsec *ips, uint32_t spi)
{
	/* acquire: pairs with sad_bucket_publish; the new owner sees what the one before did to the SAs */
	return atomic_load_explicit(&ips->sad.buckets[spi % SA_BUCKETS], memory_order_acquire);
}

static inline struct sa *sad_find_slot(const struct sad *sad, uint32_t spi)
{
	return sa_word_sa(sad_word(sad, spi));
}

/* Control: how many foreign SAs have an SPI, in a slot or in the table. */
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
		for (int state = 0; state < SLOT_LISTS; state++)
			TAILQ_INIT(&sad->lists[state][b]);
	}
	/* random generations: an SPI from before a restart hits nothing most of the time */
	for (uint32_t s = 0; s < slots; s++) {
		sad->states[s].generation = (uint16_t)rte_rand_max(SLOT_GENERATIONS);
		slot_enter(sad, &sad->states[s], SLOT_FREE);
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

/* The slot's next SPI: never one below 256 (RFC 4303 2.1), never one that a foreign SA holds. */
static uint32_t slot_advance(struct sad *sad, struct sad_slot *s)
{
	uint32_t spi;

	do {
		s->generation = slot_generation_next(s->generation);
		spi = (uint32_t)s->generation << SLOT_INDEX_BITS | (uint32_t)(s - sad->states);
	} while (foreign_spi_count(sad, spi));
	slot_change(sad, s, SLOT_RESERVED);
	return spi;
}

/* The one that has been in a state longest, of the next of the worker's buckets with any; NULL: there is none. */
static struct sad_slot *slot_next(struct sad *sad, enum slot_state state, uint8_t worker)
{
	for (uint32_t i = 0; i < SA_BUCKETS; i++) {
		uint32_t bucket = sad->cursor++ % SA_BUCKETS;
		uint8_t owner = atomic_load_explicit(&sad->buckets[bucket], memory_order_relaxed);
		struct sad_slot *s = TAILQ_FIRST(&sad->lists[state][bucket]);

		if (s && (worker == WORKER_NONE || owner == worker))
			return s;
	}
	return NULL;
}

static int table_insert(struct ipsec *ips, struct sa *sa)
{
	int rc = foreign_insert(ips, &ips->sad.foreign, sa);

	if (!rc)
		sa->place = SAD_TABLE;
	return rc;
}

/* The foreign SA of a slot goes on in the table, and is found there before the slot leads nowhere. */
static int slot_call_in(struct ipsec *ips, struct sad_slot *s)
{
	struct sad *sad = &ips->sad;
	uint64_t word = atomic_load_explicit(&sad->words[s - sad->states], memory_order_relaxed);
	struct sa *sa = sa_word_sa(word);
	int rc = table_insert(ips, sa);

	if (rc)
		return rc;
	word_set(sad, sa->spi, NULL);
	slot_vacate(sad, s);
	return 0;
}

/* What is lent is taken back when nothing else is left, but for one that a retired SA had before. */
uint32_t spi_reserve(struct ipsec *ips, uint8_t worker)
{
	struct sad *sad = &ips->sad;
	struct sad_slot *s = slot_next(sad, SLOT_FREE, worker);

	if (!s) {
		s = slot_next(sad, SLOT_LENT, worker);
		if (s && (s->leaving || slot_call_in(ips, s)))
			return 0;
	}
	return s ? slot_advance(sad, s) : 0;
}

/* Control: the slot whose SPI of ours this is now, when it is reserved; else NULL. */
static struct sad_slot *slot_reserved(const struct sad *sad, uint32_t spi)
{
	struct sad_slot *s = slot_of(sad, spi);

	return s && s->state == SLOT_RESERVED && s->generation == slot_generation(spi) ? s : NULL;
}

void spi_release(struct ipsec *ips, uint32_t spi)
{
	struct sad_slot *s = slot_reserved(&ips->sad, spi);

	if (s)
		slot_vacate(&ips->sad, s);
}

static void slot_give(struct sad *sad, struct sad_slot *s, enum slot_state state, struct sa *sa)
{
	slot_change(sad, s, state);
	sa->place = state == SLOT_LENT ? SAD_LENT : SAD_OWN;
	word_set(sad, sa->spi, sa);
}

/* A slot that rests is as good for a foreign SA as a free one: its SPI does not depend on what was there before. */
static bool slot_lendable(const struct sad_slot *s)
{
	return s && (s->state == SLOT_FREE || s->state == SLOT_RESTING);
}

/* alone: no other foreign SA has the SPI. */
static int foreign_place(struct ipsec *ips, struct sa *sa, bool alone)
{
	struct sad *sad = &ips->sad;
	struct sad_slot *s = slot_of(sad, sa->spi);
	const struct sa *holder = sad_find_slot(sad, sa->spi);
	int rc = 0;

	if (holder && (holder->place == SAD_OWN || foreign_same(holder, sa)))
		return -EEXIST;
	if (alone && slot_lendable(s)) {
		slot_give(sad, s, SLOT_LENT, sa);
		return 0;
	}
	if (holder)
		rc = slot_call_in(ips, s);
	return rc ? rc : table_insert(ips, sa);
}

static int foreign_publish(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;
	uintptr_t count = foreign_spi_count(sad, sa->spi);
	int rc;

	if (foreign_spi_count_set(sad, sa->spi, count + 1))
		return -ENOSPC;
	rc = foreign_place(ips, sa, !count);
	if (rc)
		foreign_spi_count_set(sad, sa->spi, count);
	return rc;
}

int sad_insert(struct ipsec *ips, struct sa *sa)
{
	struct sad_slot *s = slot_reserved(&ips->sad, sa->spi);

	sa->ips = ips;
	if (!s)
		return foreign_publish(ips, sa);
	slot_give(&ips->sad, s, SLOT_USED, sa);
	return 0;
}

/* After the grace period. */
static void retired_free(void *object)
{
	struct sa *sa = (struct sa *)object;
	struct sad *sad = &sa->ips->sad;
	struct sad_slot *s = sa->place == SAD_TABLE ? NULL : slot_of(sad, sa->spi);

	if (s && !--s->leaving && s->state == SLOT_RESTING)
		slot_vacate(sad, s);
	sa_free(sa);
}

/* A worker that still sees the SA may use it until it is quiescent. */
static void slot_leave(struct sad *sad, const struct sa *sa)
{
	struct sad_slot *s = slot_of(sad, sa->spi);

	word_set(sad, sa->spi, NULL);
	s->leaving++;
	slot_vacate(sad, s);
	/* an SPI that was in use a moment ago is not the next of ours */
	if (slot_generation_next(s->generation) == slot_generation(sa->spi))
		s->generation = (uint16_t)slot_generation(sa->spi);
}

void sad_retire(struct ipsec *ips, struct sa *sa)
{
	struct sad *sad = &ips->sad;

	if (sa->place == SAD_TABLE)
		foreign_remove(&sad->foreign, sa);
	else
		slot_leave(sad, sa);
	if (sa->place != SAD_OWN)
		foreign_spi_count_set(sad, sa->spi, foreign_spi_count(sad, sa->spi) - 1);
	reclaim_later(ips, retired_free, sa);
}

struct sa *sad_lookup(const struct ipsec *ips, const struct sad_question *question)
{
	const struct sad *sad = &ips->sad;
	struct sa *sa = sad_find_slot(sad, question->spi);

	if (likely(sa != NULL))
		return sa;
	struct foreign_key key;
	key_of_packet(question, &key);
	return foreign_find(&sad->foreign, &key);
}

struct sa *sad_lookup_slot(const struct ipsec *ips, uint32_t spi)
{
	return sad_find_slot(&ips->sad, spi);
}

/* Returns how many are not there. */
static inline uint16_t own_lookup_burst(
	const struct sad *sad, const struct sad_question *questions, uint16_t n, struct sa **ret_sas)
{
	uint64_t before = 0;
	uint16_t missed = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t word = sad_word(sad, questions[i].spi);
		ret_sas[i] = sa_word_sa(word);
		missed += !word;
		if (word && word != before)
			sa_prefetch(ret_sas[i], sa_word_more(word));
		before = word;
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
		if (sa && sa != before)
			sa_prefetch(sa, true);
		before = sa;
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
	const struct foreign_table *t;

	if (likely(!own_lookup_burst(&ips->sad, questions, n, ret_sas)))
		return;
	/* acquire: pairs with table_grow. After the slots, since an SA may go from there to here */
	t = atomic_load_explicit(&f->table, memory_order_acquire);
	if (t)
		foreign_lookup_burst(f, t, questions, n, ret_sas);
}

/* Whether the SPI's bucket is this worker's. moving: set when it is nobody's at the moment. */
static inline bool bucket_is(const struct ipsec *ips, uint32_t spi, uint8_t worker, bool *moving)
{
	uint8_t owner = bucket_owner(ips, spi);

	if (likely(owner == worker))
		return true;
	owner = owner_turn(owner, worker);
	*moving |= owner == WORKER_MOVING;
	return owner == worker;
}

uint16_t sad_lookup_plain(
	const struct ipsec *ips, uint8_t worker, struct rte_mbuf **pkts, uint16_t n, struct burst_item *ret_items)
{
	/* neither changes */
	const _Atomic uint64_t *words = ips->sad.words;
	const uint32_t slots = ips->sad.slots;
	struct burst_item *item = ret_items;
	struct rte_mbuf **rest = pkts, **end = pkts + n;
	struct sa *sa = NULL;
	uint64_t spi_before = UINT64_MAX; /* no packet's */
	bool moving = false;              /* an owner may appear before the next packet: none is overtaken */

	for (; pkts < end; pkts++) {
		struct rte_mbuf *m = *pkts;
		uint32_t spi = load_be32(rte_pktmbuf_mtod_offset(m, const uint8_t *, IP4_PLAIN_BYTES));
		if (spi != spi_before) {
			bool ours = bucket_is(ips, spi, worker, &moving);
			uint64_t word = ours && !moving ? sa_word_load(words, slots, spi) : 0;
			sa = sa_word_sa(word);
			spi_before = spi;
			if (likely(sa != NULL))
				sa_prefetch(sa, sa_word_more(word));
		}
		if (unlikely(!sa)) {
			*rest++ = m;
			continue;
		}
		item->m = m;
		item->sa = sa;
		item++;
	}
	return (uint16_t)(item - ret_items);
}

uint8_t sad_bucket_worker(const struct ipsec *ips, uint32_t spi)
{
	return bucket_owner(ips, spi);
}

void sad_bucket_publish(struct ipsec *ips, uint8_t bucket, uint8_t owner)
{
	/* release: pairs with bucket_owner */
	atomic_store_explicit(&ips->sad.buckets[bucket], owner, memory_order_release);
}
