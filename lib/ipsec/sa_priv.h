/* SPDX-License-Identifier: BSD-3-Clause */
/* A security association as the packet path sees it, in one piece of memory: what only control reads, what packets read
 * that look closer, the line that every packet reads, and next to that the key context; then replay ring and selectors.
 * Each part with its readers and writers. */
#pragma once

#include <assert.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "crypto_priv.h"
#include "ipsec.h"
#include "replay.h"
#include "sa_word.h"
#include "source.h"

/* What was decided when the SA was built. */
enum sa_traits {
	SA_ESN = 1 << 0,
	SA_ACCEPT_RAW = 1 << 1, /* inbound: protocol 50 or 51 */
	SA_ACCEPT_UDP = 1 << 2, /* inbound: inside UDP */
	SA_PORTS = 1 << 3,      /* some selector looks at ports */
	SA_JOINS = 1 << 5,      /* ... and no selector is for packets without */
	SA_TAIL = 1 << 4,       /* the high half of the sequence number is authenticated behind the packet */
	SA_PAIRED = 1 << 6,     /* its IPv4 selectors are those of sa.ranges alone */
};

/* In sa.flags beside enum sa_flags, never shown. */
#define SA_NEW_PATH  (1u << 14) /* sa.way is of a path before; set by control, cleared by the owner */
#define SA_OVER      (1u << 15) /* the hard lifetime is over, whether or not control has acknowledged */
#define SA_UNUSUAL   (1u << 16) /* none of its packets goes the short way of usual_priv.h; never changes */
#define SA_CRYPT_LSB 24         /* number of its crypto_burst: crypto_engine.bursts; never changes */
#define SA_AGAIN     (1u << 17) /* of no SA, but of usual_burst: that all are looked at once more */
#define SA_HIDDEN    (SA_NEW_PATH | SA_OVER | SA_UNUSUAL | SA_AGAIN | 0xffu << SA_CRYPT_LSB)
static_assert(SA_NEW_SOURCE < SA_NEW_PATH, "the last one that is shown");

/* Where a packet's initialization vector comes from. */
enum sa_iv {
	SA_IV_COUNTER,  /* iv_base plus the sequence number, on the wire */
	SA_IV_RANDOM,   /* every byte unpredictable (RFC 3602 3) */
	SA_IV_IMPLICIT, /* the sequence number, not on the wire (RFC 8750) */
	SA_IV_NONE,
};

/* One side of a traffic selector in host order, compared without branches: value - low <= span. */
struct sa_ports {
	uint16_t low, span;
	uint8_t protocol, protocol_mask; /* mask 0: any */
	bool any;                        /* every packet, with ports or without */
	bool opaque;                     /* only packets without ports (RFC 4301 4.4.1.1) */
};

struct sa_selector {
	uint32_t low, span;
	struct sa_ports ports;
};
static_assert(sizeof(struct sa_selector) == 16, "four selectors to a cache line");

struct sa_selector6 {
	unsigned __int128 low, span;
	struct sa_ports ports;
};

/* One IPv4 selector of each side, neither of which looks at ports: what most SAs have. */
struct sa_ranges {
	uint32_t local_low, local_span, remote_low, remote_span;
	uint8_t protocol, protocol_mask;
};

/* Inbound: ranges that are prefixes, as both addresses stand in a packet, source then destination. */
struct sa_ends {
	uint64_t ends, mask;
};
#define SA_ENDS_NONE ((struct sa_ends){ .ends = 1 }) /* no packet's: the ranges are no prefixes */

/* What the usual packet needs of its SA's path, so that the path's own lines stay where they are. */
struct sa_way {
	/* of the outer header, mostly the same in many SAs: one word */
	uint32_t source; /* IPv4, as in memory; so is destination */
	uint8_t ttl;
	uint8_t tos_keep, tos_set;
	uint8_t df_keep : 1, df_set : 1, zero : 6;
	/* where to; likewise */
	uint32_t neighbour;
	uint16_t port;
	uint16_t most; /* bytes of the largest packet in clear that fits; 0: none goes this way */
	uint32_t destination;
};
static_assert(sizeof(struct sa_way) == 20, "no holes");

/* One packet of the burst, on the owner worker. prepare: everything before crypto, fills operation `op` of the worker.
 * finish: everything after it; NULL when nothing is left to do. DROP_NONE, or why the packet ends here. */
typedef enum drop_reason sa_prepare(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op);
typedef enum drop_reason sa_finish(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op);

/* What kind of SA it is, by protocol, mode and direction; rows of the table in sa.c. */
struct sa_shape {
	sa_prepare *prepare;
	sa_finish *finish;
};

/* Where an inbound SA is found. */
enum sad_place {
	SAD_OWN,  /* in the slot that its SPI was reserved in */
	SAD_LENT, /* foreign: in the slot that its SPI happens to name */
	SAD_TABLE /* foreign: in the table of foreign SAs */
};

/* What decides whether a packet is usual, of an outbound SA also whose it is and which selectors it has: as they stand
 * in struct sa, in one word to compare. */
struct sa_state {
	uint8_t due_block;
	uint8_t owner;
	uint16_t number;
	uint32_t flags;
};

static inline uint64_t sa_state_word(struct sa_state s)
{
	uint64_t word;

	static_assert(sizeof(word) == sizeof(s), "one word");
	memcpy(&word, &s, sizeof(word));
	return word;
}

struct sa {
	/* Cold. W: owner worker; R: control (relaxed) */
	_Atomic uint64_t drops[DROP_REASON_COUNT];

	/* Cold. Control, but for sequence limits: R: owner worker at a limit */
	struct sa_lifetime lifetime; /* limits of packets are counted as sa.packets is */
	uint64_t born_ns;            /* 0: its clock has not been started */
	uint64_t packets_before;     /* sa.packets when the SA was new; statistics leave it out */
	uint64_t packets_end;        /* sa.packets when the sequence number ends */
	uint64_t packets_early;      /* ... when a soft expiry warns of that */
	const struct crypto_suite *suite;
	struct ipsec *ips;       /* whose SAD it is in; outbound: whose filter of SPIs and list */
	LIST_ENTRY(sa) link;     /* outbound, when ips is set */
	size_t size_bytes;       /* of the whole piece of memory */
	struct addr destination; /* inbound: where its packets are sent to */
	uint16_t table_id;       /* of that address */
	uint32_t policy_slot;    /* of the tunnel whose rule leads to it */
	uint32_t number_slot;    /* outbound: the last slot that it came into, plus one; 0: none yet */
	uint8_t place;           /* enum sad_place, once it is there */
	bool outbound;

	/* Of packets that look closer. R: owner worker; W: control before publication, but for path: control, at any
	 * time, and for the limits: the owner */
	_Atomic(struct path *) path __rte_cache_aligned; /* outbound */
	uint64_t packets_alert, bytes_alert;             /* the next limit is at this many */
	struct sa_selector *selectors;                   /* IPv4: local_count, then remote_count */
	uint8_t local_count, remote_count;

	/* R: owner worker; W: control before publication, but for source: the owner, for the newest UDP packet */
	uint8_t local6_count, remote6_count;
	struct sa_selector6 *selectors6; /* likewise local, then remote */
	struct sa_source source;
	/* outbound: the next one in its slot, for packets that do not fit this one. W: control, R: workers */
	_Atomic(struct sa *) behind;
	union {
		uint16_t tfc_bytes; /* outbound: TFC_TO_MTU, or the size inner packets are padded to */
		uint16_t
			checksum_delta; /* inbound, transport mode behind a NAT: what checksums lack (RFC 3948 3.1.2) */
	};
	bool transport;

	/* One line. R: owner worker, of packets that look closer; others: what a foreign SPI is found by (W: control,
	 * before the table of these has it). W: control before publication */
	uint8_t shape __rte_cache_aligned; /* index of its struct sa_shape */
	uint8_t iv;                        /* enum sa_iv */
	uint8_t iv_bytes, icv_bytes, salt_bytes;
	uint8_t aad_bytes; /* AEAD; else 0 */
	uint8_t before;    /* bytes in front of the text that are authenticated (struct crypto_op) */
	uint8_t pad_mask;  /* padding granularity - 1 */
	uint8_t protocol;  /* enum security_protocol */
	uint8_t traits;    /* enum sa_traits */
	struct sa_ranges ranges;
	uint32_t tunnel_slot;                       /* inbound: of the tunnel it belongs to */
	uint32_t foreign_destination, foreign_kind; /* inbound */

	/* One line, all that a usual packet reads and writes but the key. R: owner worker; outbound any worker: `state`
	 * or its parts; control: counters and flags (relaxed). W: owner worker, but at first and the number: control.
	 * Outbound the packets count from the initial sequence number on, so that they are the one used last. */
	_Atomic uint64_t packets __rte_cache_aligned;
	_Atomic uint64_t bytes;
	union {
		_Atomic uint64_t state; /* all of these in one load; struct sa_state */
		struct {
			/* limits are looked at among these packets; see sa_limits_due */
			_Atomic uint8_t due_block;
			_Atomic uint8_t owner; /* outbound, a worker writes it once; inbound SAs are their bucket's */
			union {
				_Atomic uint16_t number; /* outbound: of its ranges, see sa_selectors_number */
				struct {
					uint8_t carried, carried_mask; /* inbound: protocol of its ranges */
				};
			};
			/* enum sa_flags, SA_HIDDEN. Control sets SA_NEW_PATH and time flags and clears flags, the owner
			 * sets flags and clears SA_NEW_PATH */
			_Atomic uint32_t flags;
		};
	};
	uint32_t salt; /* as in memory */
	uint32_t spi;  /* host order */
	union {
		struct { /* outbound */
			/* random: a counter IV is this plus the sequence number, never twice a key */
			uint64_t iv_base;
			struct sa_way way; /* of its path; see SA_NEW_PATH */
		};
		struct { /* inbound */
			struct replay replay;
			struct sa_ends ends; /* its ranges; see sa_opens */
		};
	};

	/* R: owner worker; W: control before publication. Key context; behind it replay ring and selectors */
	uint8_t key[] __rte_cache_aligned;
};
static_assert(offsetof(struct sa, packets) - offsetof(struct sa, shape) == SA_CLOSER_BYTES, "the line in front");
static_assert(offsetof(struct sa, packets) - offsetof(struct sa, path) == SA_PATH_BYTES, "and before that");
static_assert(offsetof(struct sa, key) - offsetof(struct sa, packets) == 64, "one line, and the key");
static_assert(offsetof(struct sa, owner) - offsetof(struct sa, state) == offsetof(struct sa_state, owner) &&
		      offsetof(struct sa, number) - offsetof(struct sa, state) == offsetof(struct sa_state, number) &&
		      offsetof(struct sa, flags) - offsetof(struct sa, state) == offsetof(struct sa_state, flags),
	"as in struct sa_state");
static_assert(sizeof(struct sa) == offsetof(struct sa, key), "what follows the key begins behind it");
static_assert(offsetof(struct sa, key) % 64 == 0, "engines want aligned keys");

/* Owner-only counters: plain instructions, yet no data race with control's reads. */
static inline void count_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t count_read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Which 256 packets it is at, of 65,536. */
static inline uint8_t sa_block(uint64_t packets)
{
	return (uint8_t)(packets >> 8);
}

/* Owner worker: the next packet may reach a limit; otherwise, of whatever size, it does not. */
static inline bool sa_limits_due(const struct sa *sa)
{
	return sa_block(count_read(&sa->packets)) == atomic_load_explicit(&sa->due_block, memory_order_relaxed);
}

/* Owner worker, or before publication: from so many packets on. */
static inline void sa_limits_due_from(struct sa *sa, uint64_t packets)
{
	atomic_store_explicit(&sa->due_block, sa_block(packets), memory_order_relaxed);
}

/* Owner worker: a packet of so many bytes has passed; outbound its sequence number is used up. */
static inline void sa_account(struct sa *sa, uint64_t bytes)
{
	const bool due = sa_limits_due(sa);

	count_add(&sa->packets, 1);
	count_add(&sa->bytes, bytes);
	/* still due, but not written without need: a load of the whole state would wait for that */
	if (unlikely(due && !sa_limits_due(sa)))
		sa_limits_due_from(sa, count_read(&sa->packets));
}

/* Outbound: the sequence number used last. */
static inline uint64_t sa_sequence(const struct sa *sa)
{
	return count_read(&sa->packets);
}

static inline bool sa_unusual(const struct sa *sa)
{
	return atomic_load_explicit(&sa->flags, memory_order_relaxed) & SA_UNUSUAL;
}

static inline uint8_t sa_crypt(const struct sa *sa)
{
	return (uint8_t)(atomic_load_explicit(&sa->flags, memory_order_relaxed) >> SA_CRYPT_LSB);
}

static inline bool ports_match(const struct sa_ports *s, uint8_t protocol, bool has_ports, uint16_t port)
{
	bool ports = s->any | (has_ports ? !s->opaque & ((uint16_t)(port - s->low) <= s->span) : s->opaque);

	return !((protocol ^ s->protocol) & s->protocol_mask) & ports;
}

/* One side. port: host order. */
static inline bool side4_match(
	const struct sa_selector *s, uint8_t count, uint32_t addr_be, uint8_t protocol, bool has_ports, uint16_t port)
{
	uint32_t addr = rte_be_to_cpu_32(addr_be);
	bool fits = false;

	for (uint8_t i = 0; i < count && !fits; i++, s++)
		fits = (addr - s->low <= s->span) & ports_match(&s->ports, protocol, has_ports, port);
	return fits;
}

/* sa.c */
extern const struct sa_shape sa_shapes[];

static inline const struct sa_shape *sa_shape(const struct sa *sa)
{
	return &sa_shapes[sa->shape];
}

static inline bool ranges_match(const struct sa_ranges *r, uint32_t local_be, uint32_t remote_be, uint8_t protocol)
{
	/* numbers, so that one branch does for all */
	uint32_t local = rte_be_to_cpu_32(local_be) - r->local_low <= r->local_span;
	uint32_t remote = rte_be_to_cpu_32(remote_be) - r->remote_low <= r->remote_span;
	uint32_t carried = !((protocol ^ r->protocol) & r->protocol_mask);

	return local & remote & carried;
}

/* Inbound, of an SA with SA_PAIRED: whether a packet in clear from its peer is inside its ranges. ends: source and
 * destination, as in memory. */
static inline bool sa_opens(const struct sa *sa, uint64_t ends, uint8_t protocol)
{
	if (likely((ends & sa->ends.mask) == sa->ends.ends && (protocol & sa->carried_mask) == sa->carried))
		return true;
	return ranges_match(
		&sa->ranges, (uint32_t)(rte_le_to_cpu_64(ends) >> 32), (uint32_t)rte_le_to_cpu_64(ends), protocol);
}

/* For an SA no selector of which looks at ports. */
static inline bool selector4_match(const struct sa_selector *s, uint32_t addr_be, uint8_t protocol)
{
	return (rte_be_to_cpu_32(addr_be) - s->low <= s->span) &
	       !((protocol ^ s->ports.protocol) & s->ports.protocol_mask);
}

static inline bool side4_match_host(const struct sa_selector *s, uint8_t count, uint32_t addr_be, uint8_t protocol)
{
	for (uint8_t i = 0; i < count; i++)
		if (likely(selector4_match(&s[i], addr_be, protocol)))
			return true;
	return false;
}

static inline bool sa_selectors_match4(const struct sa *sa, uint32_t local_be, uint32_t remote_be, uint8_t protocol)
{
	if (likely(sa->traits & SA_PAIRED))
		return ranges_match(&sa->ranges, local_be, remote_be, protocol);
	return side4_match_host(sa->selectors, sa->local_count, local_be, protocol) &&
	       side4_match_host(sa->selectors + sa->local_count, sa->remote_count, remote_be, protocol);
}

/* sa_selectors.c. The addresses alone: of a fragment, whose ports are still to come. */
bool sa_addresses_match(const struct sa *sa, const struct flow *flow);

/* sa_selectors.c, sa_limits.c. Control, from sa_create: the parts of an SA that come from its specification. */
void sa_selectors_build(struct sa *sa, const struct sa_spec *spec);
void sa_limits_build(struct sa *sa, const struct sa_spec *spec);

/* path.c. Control before publication, then the owner worker when it sees SA_NEW_PATH: fills the way from the path. */
void sa_way_take(struct sa *sa);

/* Control: what leads to an SA (NULL: to none) by this name; sa.c. */
uint64_t sa_word_to(uint32_t name, const struct sa *sa);

/* What a packet reads first of its SA. more: it will look closer. */
static inline void sa_prefetch(const struct sa *sa, bool more)
{
	sa_lines_prefetch((const uint8_t *)&sa->packets, more);
}

/* Sets flags until control acknowledges them, unless one of them is set. */
void sa_flag(struct sa *sa, uint32_t flags);

/* Owner worker, when a limit is reached: raises flags and sets the next alert. DROP_NONE when a packet of this many
 * bytes may still pass. */
enum drop_reason sa_limit(struct sa *sa, uint64_t bytes);

/* Owner worker, when sa_limits_due: sets sa.due_block anew. Whether the next packet is free. */
bool sa_limits_look_ahead(struct sa *sa);

/* Owner worker: one more packet of this many bytes reaches no limit. */
static inline bool sa_within_limits(const struct sa *sa, uint64_t bytes)
{
	/* numbers, so that one branch does for all */
	uint32_t packets_left = count_read(&sa->packets) < sa->packets_alert;
	uint32_t bytes_left = count_read(&sa->bytes) + bytes <= sa->bytes_alert;
	uint32_t time_left = !(atomic_load_explicit(&sa->flags, memory_order_relaxed) & SA_OVER);

	return packets_left & bytes_left & time_left;
}

/* Owner worker: what would one more packet of this many bytes do. */
static inline enum drop_reason sa_limit_check(struct sa *sa, uint64_t bytes)
{
	return likely(sa_within_limits(sa, bytes)) ? DROP_NONE : sa_limit(sa, bytes);
}

/* esp_out.c, esp_in.c, ah_out.c, ah_in.c: the functions of an SA by protocol, mode and direction (table in sa.c). */
sa_prepare esp_tunnel_out, esp_tunnel_tfc_out, esp_transport_out, ah_tunnel_out, ah_transport_out;
sa_prepare esp_prepare_in, ah_prepare_in;
sa_finish ah_finish_out;
sa_finish esp_tunnel_in, esp_transport_in, esp_transport_nat_in, ah_tunnel_in, ah_transport_in;
