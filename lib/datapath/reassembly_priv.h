/* SPDX-License-Identifier: BSD-3-Clause */
/* Putting fragments together, the pure part: what a fragment says, and a bounded table of datagrams that are not
 * complete. Offsets and pieces in, decisions out; buffers are opaque here. One table a worker, touched by it alone. RFC
 * 791 3.2, RFC 8200 4.5, RFC 5722. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drop.h"

#define REASSEMBLY_SOURCES 256 /* lists of datagrams by keyed hash of their source */
#define REASSEMBLY_SHARE   4   /* no such list has more than this part of the table */

/* Which fragments belong together. No padding: it is hashed and compared as bytes. */
struct reassembly_key {
	uint8_t source[16], destination[16]; /* IPv4 in the first four bytes */
	uint32_t identification;
	uint32_t context; /* of enum fragment_context: the port, the SA's SPI, or the table_id */
	uint8_t kind;     /* enum fragment_context */
	uint8_t family;   /* 4 or 6 */
	uint8_t protocol; /* IPv4; 0 in IPv6 (RFC 8200 4.5) */
	uint8_t zero;
};
static_assert(sizeof(struct reassembly_key) == 44, "no padding");

/* Fragments of different contexts never meet. Those for us have one: the ways to us may differ, and ESP and AH have an
 * ICV that says whose the whole is. */
enum fragment_context {
	FRAGMENT_OWN,   /* for one of our addresses, by its table_id, or port when it is link-local */
	FRAGMENT_CLEAR, /* to go on, by the port they came from */
	FRAGMENT_INNER, /* out of an SA, by its SPI */
};

/* A part of a datagram. */
struct piece {
	void *buffer;
	const uint8_t *data; /* within it */
	uint16_t offset;     /* in the datagram, bytes; a multiple of 8 */
	uint16_t bytes;
	uint16_t packet_bytes; /* with its headers */
};

/* What one packet says about itself. */
struct fragment {
	struct reassembly_key key; /* but kind and context */
	struct piece piece;        /* but buffer */
	bool more;
};

/* fragment_read.c. ip: a packet whose lengths were checked and which is a fragment. DROP_NONE, or what is wrong with
 * this fragment alone: length, end, or a first one that hides the upper header (RFC 1858, RFC 3128, RFC 7112). */
enum drop_reason fragment4_read(const uint8_t *ip, uint32_t bytes, struct fragment *ret_fragment);
enum drop_reason fragment6_read(const uint8_t *ip, uint32_t bytes, struct fragment *ret_fragment);
/* The first fragment header that is not an atomic one's: its offset, and that of the byte that names it. False: none
 * within what is there. */
bool fragment6_find(const uint8_t *ip, uint32_t bytes, uint16_t *ret_offset, uint16_t *ret_named_at);
/* Addresses and identification: the same for all fragments of a datagram, on whatever port. */
uint32_t fragment_hash(const struct reassembly_key *k, uint32_t seed);

struct reassembly_config {
	uint16_t datagrams; /* at most 16384 */
	uint16_t fragments; /* of one datagram */
	uint32_t held;      /* buffers in the whole table, at most */
	uint64_t timeout;   /* in the unit of `now` */
	uint32_t seed;
	/* takes a buffer that will be in no datagram any more */
	void (*drop)(void *context, void *buffer, enum drop_reason reason);
	void *context;
};

struct incomplete {
	struct reassembly_key key;
	uint16_t next;                       /* of the same hash */
	uint16_t older, newer;               /* of all */
	uint16_t source_older, source_newer; /* of the same source */
	uint16_t source;
	uint16_t count;
	uint16_t dead;        /* enum drop_reason: it will not be put together; later fragments share its end */
	uint32_t total;       /* bytes; 0: the last fragment has not come */
	uint32_t received;    /* bytes */
	uint32_t reached;     /* end of the farthest piece */
	uint64_t ends;        /* when its time is over */
	struct piece *pieces; /* count, in the order they came */
};

/* Datagrams from the oldest to the newest. */
struct age_list {
	uint16_t oldest, newest;
	uint16_t count;
	uint32_t held; /* buffers */
};

struct reassembly {
	struct reassembly_config config;
	uint32_t bucket_mask;
	uint16_t free; /* chained by next */
	struct age_list all;
	struct age_list sources[REASSEMBLY_SOURCES];
	uint16_t *buckets;
	struct piece *pieces;
	struct incomplete datagrams[];
};

/* Memory that a table wants, and the table in it (zeroed, aligned to 8). */
size_t reassembly_bytes(const struct reassembly_config *config);
struct reassembly *reassembly_init(void *memory, const struct reassembly_config *config);

/* Takes f's buffer when the answer is DROP_NONE: held, or the last one missing, then *ret_whole is the datagram, to be
 * ended with reassembly_take. Otherwise the buffer stays the caller's, to be dropped by this name; the datagram may
 * have ended the same way. */
enum drop_reason reassembly_insert(
	struct reassembly *r, const struct fragment *f, uint64_t now, struct incomplete **ret_whole);
/* Forgets a complete datagram, whose buffers are the caller's from then on. */
void reassembly_take(struct reassembly *r, struct incomplete *d);
/* Drops at most `most` of the datagrams whose time is over. */
void reassembly_expire(struct reassembly *r, uint64_t now, unsigned most);
/* Gives up datagrams that are not this table's any more: pieces of those for which `stays` is false go to `leave`,
 * which takes their buffers. Both get the config's context. */
void reassembly_part(struct reassembly *r, bool (*stays)(void *context, const struct reassembly_key *key),
	void (*leave)(void *context, const struct reassembly_key *key, void *buffer));
/* Drops all. */
void reassembly_flush(struct reassembly *r);

static inline bool reassembly_due(const struct reassembly *r, uint64_t now)
{
	return r->all.count && r->datagrams[r->all.oldest].ends <= now;
}
