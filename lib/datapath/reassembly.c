/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of datagrams that are not complete: found by keyed hash, bounded in datagrams and buffers, ended by time.
 * All have the same time to live, so the list by age is the list by end, and nothing is ever scanned. When it is full
 * the oldest goes, of a source that has more than its share its own. Decides; neither reads packets nor frees buffers.
 */
#include "reassembly_priv.h"

#include <assert.h>
#include <rte_jhash.h>
#include <string.h>

#define NONE UINT16_MAX

/* ---- memory and lists ---- */

static uint32_t bucket_count(const struct reassembly_config *config)
{
	uint32_t n = 1;

	while (n < config->datagrams)
		n *= 2;
	return n;
}

size_t reassembly_bytes(const struct reassembly_config *config)
{
	return sizeof(struct reassembly) + config->datagrams * sizeof(struct incomplete) +
	       (size_t)config->datagrams * config->fragments * sizeof(struct piece) +
	       bucket_count(config) * sizeof(uint16_t);
}

struct reassembly *reassembly_init(void *memory, const struct reassembly_config *config)
{
	struct reassembly *r = memory;
	uint32_t buckets = bucket_count(config);

	assert(config->datagrams && config->datagrams < NONE && config->fragments && config->held);
	r->config = *config;
	r->bucket_mask = buckets - 1;
	r->pieces = (struct piece *)&r->datagrams[config->datagrams];
	r->buckets = (uint16_t *)&r->pieces[(size_t)config->datagrams * config->fragments];
	memset(r->buckets, 0xff, buckets * sizeof(*r->buckets));
	r->all = (struct age_list){ NONE, NONE, 0, 0 };
	for (int i = 0; i < REASSEMBLY_SOURCES; i++)
		r->sources[i] = r->all;
	for (uint16_t i = 0; i < config->datagrams; i++) {
		r->datagrams[i].next = (uint16_t)(i + 1 < config->datagrams ? i + 1 : NONE);
		r->datagrams[i].pieces = &r->pieces[(size_t)i * config->fragments];
	}
	r->free = 0;
	return r;
}

static uint16_t index_of(const struct reassembly *r, const struct incomplete *d)
{
	return (uint16_t)(d - r->datagrams);
}

static void lists_append(struct reassembly *r, struct incomplete *d)
{
	struct age_list *source = &r->sources[d->source];
	uint16_t i = index_of(r, d);

	d->newer = d->source_newer = NONE;
	d->older = r->all.newest;
	d->source_older = source->newest;
	*(d->older != NONE ? &r->datagrams[d->older].newer : &r->all.oldest) = i;
	*(d->source_older != NONE ? &r->datagrams[d->source_older].source_newer : &source->oldest) = i;
	r->all.newest = source->newest = i;
	r->all.count++;
	source->count++;
}

static void lists_remove(struct reassembly *r, struct incomplete *d)
{
	struct age_list *source = &r->sources[d->source];

	*(d->older != NONE ? &r->datagrams[d->older].newer : &r->all.oldest) = d->newer;
	*(d->newer != NONE ? &r->datagrams[d->newer].older : &r->all.newest) = d->older;
	*(d->source_older != NONE ? &r->datagrams[d->source_older].source_newer : &source->oldest) = d->source_newer;
	*(d->source_newer != NONE ? &r->datagrams[d->source_newer].source_older : &source->newest) = d->source_older;
	r->all.count--;
	source->count--;
}

static uint32_t key_hash(const struct reassembly *r, const struct reassembly_key *k)
{
	return rte_jhash(k, sizeof(*k), r->config.seed);
}

static uint16_t source_of(const struct reassembly *r, const struct reassembly_key *k)
{
	return (uint16_t)(rte_jhash(k->source, sizeof(k->source), r->config.seed) % REASSEMBLY_SOURCES);
}

/* ---- datagrams ---- */

static void held_change(struct reassembly *r, const struct incomplete *d, int by)
{
	r->all.held += (uint32_t)by;
	r->sources[d->source].held += (uint32_t)by;
}

static void pieces_drop(struct reassembly *r, struct incomplete *d, enum drop_reason reason)
{
	for (uint16_t i = 0; i < d->count; i++)
		r->config.drop(r->config.context, d->pieces[i].buffer, reason);
	held_change(r, d, -(int)d->count);
	d->count = 0;
}

static void datagram_remove(struct reassembly *r, struct incomplete *d)
{
	uint16_t i = index_of(r, d), *link = &r->buckets[key_hash(r, &d->key) & r->bucket_mask];

	while (*link != i)
		link = &r->datagrams[*link].next;
	*link = d->next;
	lists_remove(r, d);
	d->next = r->free;
	r->free = i;
}

static void datagram_end(struct reassembly *r, struct incomplete *d, enum drop_reason reason)
{
	pieces_drop(r, d, reason);
	datagram_remove(r, d);
}

/* It keeps its place until its time is over, so that what still comes of it is not taken for another one (RFC 5722 3).
 */
static enum drop_reason datagram_kill(struct reassembly *r, struct incomplete *d, enum drop_reason reason)
{
	pieces_drop(r, d, reason);
	d->dead = (uint16_t)reason;
	return reason;
}

static struct incomplete *datagram_find(struct reassembly *r, const struct reassembly_key *k)
{
	uint16_t i = r->buckets[key_hash(r, k) & r->bucket_mask];

	while (i != NONE && memcmp(&r->datagrams[i].key, k, sizeof(*k)) != 0)
		i = r->datagrams[i].next;
	return i == NONE ? NULL : &r->datagrams[i];
}

static struct incomplete *datagram_add(struct reassembly *r, const struct reassembly_key *k, uint64_t now)
{
	uint16_t *bucket = &r->buckets[key_hash(r, k) & r->bucket_mask], i, source = source_of(r, k);
	const struct age_list *own = &r->sources[source];
	struct incomplete *d;

	if (own->count * REASSEMBLY_SHARE >= r->config.datagrams && own->count)
		datagram_end(r, &r->datagrams[own->oldest], DROP_FRAGMENT_EVICTED);
	else if (r->free == NONE)
		datagram_end(r, &r->datagrams[r->all.oldest], DROP_FRAGMENT_EVICTED);
	i = r->free;
	d = &r->datagrams[i];
	r->free = d->next;
	*d = (struct incomplete){
		.key = *k, .next = *bucket, .source = source, .ends = now + r->config.timeout, .pieces = d->pieces
	};
	*bucket = i;
	lists_append(r, d);
	return d;
}

/* The oldest datagram but d, of d's source or of all. */
static uint16_t oldest_other(const struct reassembly *r, const struct incomplete *d, bool of_source)
{
	const struct age_list *own = &r->sources[d->source];

	if (of_source)
		return own->oldest == index_of(r, d) ? d->source_newer : own->oldest;
	return r->all.oldest == index_of(r, d) ? d->newer : r->all.oldest;
}

/* A buffer more for d: the oldest others make room. False: there are no others. */
static bool room_make(struct reassembly *r, struct incomplete *d)
{
	const struct age_list *own = &r->sources[d->source];

	for (;;) {
		bool greedy = own->held * REASSEMBLY_SHARE >= r->config.held;
		if (!greedy && r->all.held < r->config.held)
			return true;
		uint16_t victim = oldest_other(r, d, greedy);
		if (victim == NONE)
			return false;
		datagram_end(r, &r->datagrams[victim], DROP_FRAGMENT_EVICTED);
	}
}

/* ---- one fragment ---- */

/* Two ends, or something behind the end. */
static bool end_contradicted(const struct incomplete *d, const struct fragment *f)
{
	uint32_t end = (uint32_t)f->piece.offset + f->piece.bytes;

	if (!f->more)
		return d->total ? end != d->total : d->reached > end;
	return d->total && end >= d->total;
}

/* DROP_NONE when p fits between the pieces that are there. The same piece twice happens to honest senders; everything
 * else that overlaps is an attack (RFC 5722; RFC 8200 4.5 lets exact duplicates be told apart). */
static enum drop_reason piece_fits(const struct incomplete *d, const struct piece *p)
{
	for (uint16_t i = 0; i < d->count; i++) {
		const struct piece *q = &d->pieces[i];
		if (p->offset >= q->offset + q->bytes || q->offset >= p->offset + p->bytes)
			continue;
		bool same = p->offset == q->offset && p->bytes == q->bytes && !memcmp(p->data, q->data, p->bytes);
		return same ? DROP_FRAGMENT_DUPLICATE : DROP_FRAGMENT_OVERLAP;
	}
	return DROP_NONE;
}

static void piece_add(struct reassembly *r, struct incomplete *d, const struct fragment *f)
{
	uint32_t end = (uint32_t)f->piece.offset + f->piece.bytes;

	d->pieces[d->count++] = f->piece;
	held_change(r, d, 1);
	d->received += f->piece.bytes;
	if (end > d->reached)
		d->reached = end;
	if (!f->more)
		d->total = end;
}

enum drop_reason reassembly_insert(
	struct reassembly *r, const struct fragment *f, uint64_t now, struct incomplete **ret_whole)
{
	struct incomplete *d = datagram_find(r, &f->key);
	enum drop_reason reason;

	*ret_whole = NULL;
	if (!d)
		d = datagram_add(r, &f->key, now);
	if (d->dead)
		return (enum drop_reason)d->dead;
	if (end_contradicted(d, f))
		return datagram_kill(r, d, DROP_FRAGMENT_LAST);
	reason = piece_fits(d, &f->piece);
	if (reason)
		return reason == DROP_FRAGMENT_OVERLAP ? datagram_kill(r, d, reason) : reason;
	if (d->count == r->config.fragments)
		return datagram_kill(r, d, DROP_FRAGMENT_COUNT);
	if (!room_make(r, d))
		return datagram_kill(r, d, DROP_FRAGMENT_EVICTED);
	piece_add(r, d, f);
	if (d->total && d->received == d->total)
		*ret_whole = d;
	return DROP_NONE;
}

void reassembly_take(struct reassembly *r, struct incomplete *d)
{
	held_change(r, d, -(int)d->count);
	datagram_remove(r, d);
}

static void datagram_timeout(struct reassembly *r, struct incomplete *d)
{
	datagram_end(r, d, DROP_FRAGMENT_TIMEOUT);
}

void reassembly_expire(struct reassembly *r, uint64_t now, unsigned most)
{
	while (most-- && reassembly_due(r, now))
		datagram_timeout(r, &r->datagrams[r->all.oldest]);
}

void reassembly_part(struct reassembly *r, bool (*stays)(void *context, const struct reassembly_key *key),
	void (*leave)(void *context, const struct reassembly_key *key, void *buffer))
{
	uint16_t newer;

	for (uint16_t i = r->all.oldest; i != NONE; i = newer) {
		struct incomplete *d = &r->datagrams[i];
		newer = d->newer;
		if (stays(r->config.context, &d->key))
			continue;
		for (uint16_t p = 0; p < d->count; p++)
			leave(r->config.context, &d->key, d->pieces[p].buffer);
		reassembly_take(r, d);
	}
}

void reassembly_flush(struct reassembly *r)
{
	while (r->all.count)
		datagram_timeout(r, &r->datagrams[r->all.oldest]);
}
