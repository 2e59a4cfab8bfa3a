/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the newest UDP-encapsulated packet of an inbound SA came from (RFC 7296 2.23): one writer, the owner worker;
 * control reads a whole value or tries again. Leaf header, inline. */
#pragma once

#include <rte_pause.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"

struct sa_source {
	_Atomic uint32_t version;  /* odd while the words change */
	_Atomic uint64_t words[3]; /* address in two; family and port */
};

static inline void source_words(const struct endpoint *e, uint64_t ret_words[3])
{
	memcpy(ret_words, e->addr.bytes, sizeof(e->addr.bytes));
	ret_words[2] = (uint64_t)e->addr.family << 16 | e->port;
}

/* Owner, or control before the SA is published. */
static inline bool source_equal(const struct sa_source *s, const uint64_t words[3])
{
	uint64_t differ = 0;

	for (int i = 0; i < 3; i++)
		differ |= atomic_load_explicit(&s->words[i], memory_order_relaxed) ^ words[i];
	return differ == 0;
}

static inline void source_write(struct sa_source *s, const uint64_t words[3])
{
	uint32_t version = atomic_load_explicit(&s->version, memory_order_relaxed);

	atomic_store_explicit(&s->version, version + 1, memory_order_relaxed);
	/* release: the odd version is seen before any new word; pairs with source_read */
	atomic_thread_fence(memory_order_release);
	for (int i = 0; i < 3; i++)
		atomic_store_explicit(&s->words[i], words[i], memory_order_relaxed);
	/* release: pairs with source_read */
	atomic_store_explicit(&s->version, version + 2, memory_order_release);
}

/* Control. */
static inline struct endpoint source_read(const struct sa_source *s)
{
	struct endpoint e = { .port = 0 };
	uint64_t words[3];
	uint32_t before, after;

	do {
		/* acquire: pairs with source_write */
		before = atomic_load_explicit(&s->version, memory_order_acquire);
		for (int i = 0; i < 3; i++)
			words[i] = atomic_load_explicit(&s->words[i], memory_order_relaxed);
		/* acquire: no word is newer than the version read next */
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&s->version, memory_order_relaxed);
		if (before != after || before & 1)
			rte_pause();
	} while (before != after || before & 1);
	memcpy(e.addr.bytes, words, sizeof(e.addr.bytes));
	e.addr.family = (uint8_t)(words[2] >> 16);
	e.port = (uint16_t)words[2];
	return e;
}
