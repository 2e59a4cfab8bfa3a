/* SPDX-License-Identifier: BSD-3-Clause */
/* A security association as the packet path sees it: hot lines first, each with its readers and writers, then what only
 * control reads, then the key context and the replay ring in the same piece of memory. */
#pragma once

#include <assert.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>
#include <stdatomic.h>

#include "crypto_priv.h"
#include "ipsec.h"
#include "replay.h"

enum sa_accept { SA_ACCEPT_RAW = 1 << 0, SA_ACCEPT_UDP = 1 << 1 };

/* One side of a traffic selector in host order, compared without branches: value - low <= span. Four to a line. */
struct sa_selector {
	uint32_t low, span;
	uint16_t port_low, port_span;
	uint8_t protocol, protocol_mask; /* mask 0: any */
	bool port_any;                   /* every packet, with ports or without */
	bool port_opaque;                /* only packets without ports (RFC 4301 4.4.1.1) */
};
static_assert(sizeof(struct sa_selector) == 16, "four selectors to a cache line");

struct sa {
	/* Line 0. R: owner worker, every packet; others: spi, owner. W: control before it is published; later control
	 * writes path and clears flags, a worker writes owner once, the owner writes source and sets flags */
	crypto_burst *crypt;
	_Atomic(struct path *) path; /* outbound */
	union {
		uint64_t iv_base;     /* outbound, random: the IV is this plus the sequence number, never twice a key */
		uint32_t tunnel_slot; /* inbound: of the tunnel it belongs to */
	};
	uint64_t esn_mask;       /* all ones with ESN, else 0 */
	_Atomic uint64_t source; /* inbound: address << 16 | port of the newest UDP-encapsulated packet, host order */
	uint32_t spi;            /* host order */
	uint32_t salt;           /* as in memory */
	uint32_t spi_be;
	_Atomic uint32_t flags; /* enum sa_flags */
	_Atomic uint8_t owner;
	uint8_t sequence_shift; /* brings the sequence's wire half in front: 0 with ESN, else 32 */
	uint8_t aad_bytes;
	uint8_t pad_mask; /* padding granularity - 1 */
	uint8_t accept;   /* enum sa_accept */
	uint8_t local_count, remote_count;
	bool ports_matter; /* some selector looks at ports */

	/* Line 1. W: owner worker; R: control (relaxed) */
	_Atomic uint64_t sequence __rte_cache_aligned; /* outbound: last used */
	_Atomic uint64_t packets, bytes;
	uint64_t packets_alert, bytes_alert; /* the next limit is at this many */
	struct replay replay;

	/* Line 2 and on. R: owner worker; W: control before publication. local_count, then remote_count: with one of
	 * each they share the first line */
	struct sa_selector selectors[2 * SELECTORS_MAX] __rte_cache_aligned;

	/* Cold. W: owner worker; R: control (relaxed) */
	_Atomic uint64_t drops[DROP_REASON_COUNT] __rte_cache_aligned;

	/* Cold. Control, but for sequence limits: R: owner worker at a limit */
	struct sa_lifetime lifetime;
	uint64_t born_ns;       /* by control's clock; 0: not started */
	uint64_t packets_end;   /* packets until the sequence number ends */
	uint64_t packets_early; /* ... until a soft expiry warns of that */
	const struct crypto_suite *suite;
	struct ipsec *ips; /* whose SAD it is in */
	size_t size_bytes; /* of the whole piece of memory */
	int32_t foreign_position;
	bool foreign; /* in the hash of foreign SPIs */
	bool outbound;

	/* R: owner worker; W: control before publication. Key context; behind it the replay ring */
	uint8_t key[] __rte_cache_aligned;
};
static_assert(offsetof(struct sa, sequence) == 64, "line 0 is full");
static_assert(offsetof(struct sa, selectors) == 128, "line 1 is full");
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

/* A selector against an address and a port, host order. */
static inline bool sa_selector_match(
	const struct sa_selector *s, uint32_t addr, uint8_t protocol, bool has_ports, uint16_t port)
{
	bool ports = s->port_any |
		     (has_ports ? !s->port_opaque & ((uint16_t)(port - s->port_low) <= s->port_span) : s->port_opaque);

	return (addr - s->low <= s->span) & !((protocol ^ s->protocol) & s->protocol_mask) & ports;
}

/* Sets a flag until control acknowledges it. */
void sa_flag(struct sa *sa, uint32_t flag);

/* Owner worker, when packets_alert or bytes_alert is reached: raises flags and sets the next alert. DROP_NONE when a
 * packet of this many bytes may still pass. */
enum drop_reason sa_limit(struct sa *sa, uint64_t bytes);

/* Owner worker: what would one more packet of this many bytes do. */
static inline enum drop_reason sa_limit_check(struct sa *sa, uint64_t bytes)
{
	/* numbers, so that one branch does for both */
	uint32_t packets_left = count_read(&sa->packets) < sa->packets_alert;
	uint32_t bytes_left = count_read(&sa->bytes) + bytes <= sa->bytes_alert;

	if (likely(packets_left & bytes_left))
		return DROP_NONE;
	return sa_limit(sa, bytes);
}
