/* SPDX-License-Identifier: BSD-3-Clause */
/* A security association as the packet path sees it: hot lines first, each with its readers and writers, then what only
 * control reads, then the key context, the replay ring and the IPv6 selectors in the same piece of memory. */
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
#include "source.h"

/* What was decided when the SA was built. */
enum sa_traits {
	SA_ESN = 1 << 0,
	SA_ACCEPT_RAW = 1 << 1, /* inbound: protocol 50 or 51 */
	SA_ACCEPT_UDP = 1 << 2, /* inbound: inside UDP */
	SA_PORTS = 1 << 3,      /* some selector looks at ports */
	SA_JOINS = 1 << 5,      /* ... and no selector is for packets without */
	SA_TAIL = 1 << 4,       /* the high half of the sequence number is authenticated behind the packet */
	SA_USUAL = 1 << 6,      /* its packets may go the short way of usual_priv.h */
};

/* In sa.flags beside enum sa_flags, never shown: the hard lifetime is over, whether or not control has acknowledged. */
#define SA_OVER (1u << 31)

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

/* One packet of the burst, on the owner worker. prepare: everything before crypto, fills operation `op` of the worker.
 * finish: everything after it; NULL when nothing is left to do. DROP_NONE, or why the packet ends here. */
typedef enum drop_reason sa_prepare(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op);
typedef enum drop_reason sa_finish(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op);

struct sa {
	/* Line 0. R: owner worker, every packet; others: spi_be, owner. W: control before it is published; later
	 * control writes path, sets time flags and clears flags, a worker writes owner once, the owner sets flags */
	crypto_burst *crypt;
	sa_prepare *prepare;
	sa_finish *finish;
	_Atomic(struct path *) path; /* outbound */
	union {
		uint64_t iv_base; /* outbound, random: a counter IV is this plus the sequence number, never twice a key
				   */
		uint32_t tunnel_slot; /* inbound: of the tunnel it belongs to */
	};
	uint32_t spi_be;
	uint32_t salt;          /* as in memory */
	_Atomic uint32_t flags; /* enum sa_flags */
	_Atomic uint8_t owner;  /* outbound; inbound ones are their bucket's */
	uint8_t traits;         /* enum sa_traits */
	uint8_t iv;             /* enum sa_iv */
	uint8_t iv_bytes, icv_bytes, salt_bytes;
	uint8_t aad_bytes; /* AEAD; else 0 */
	uint8_t before;    /* bytes in front of the text that are authenticated (struct crypto_op) */
	uint8_t pad_mask;  /* padding granularity - 1 */
	uint8_t local_count, remote_count;
	uint8_t protocol; /* enum security_protocol */

	/* Line 1. W: owner worker; R: control (relaxed) */
	_Atomic uint64_t sequence __rte_cache_aligned; /* outbound: last used */
	_Atomic uint64_t packets, bytes;
	uint64_t packets_alert, bytes_alert; /* the next limit is at this many */
	struct replay replay;

	/* Line 2 and on. R: owner worker; W: control before publication. IPv4: local_count, then remote_count: with one
	 * of each they share the first line */
	struct sa_selector selectors[2 * SELECTORS_MAX] __rte_cache_aligned;

	/* R: owner worker; W: control before publication, but for source: the owner, for the newest UDP packet */
	struct sa_selector6 *selectors6; /* behind the replay ring; likewise local, then remote */
	struct sa_source source;
	/* outbound: the next one in its slot, for packets that do not fit this one. W: control, R: workers */
	_Atomic(struct sa *) behind;
	union {
		uint16_t tfc_bytes; /* outbound: TFC_TO_MTU, or the size inner packets are padded to */
		uint16_t
			checksum_delta; /* inbound, transport mode behind a NAT: what checksums lack (RFC 3948 3.1.2) */
	};
	uint8_t local6_count, remote6_count;
	bool transport;

	/* Cold. W: owner worker; R: control (relaxed) */
	_Atomic uint64_t drops[DROP_REASON_COUNT] __rte_cache_aligned;

	/* Cold. Control, but for sequence limits: R: owner worker at a limit */
	struct sa_lifetime lifetime;
	uint64_t born_ns;       /* 0: its clock has not been started */
	uint64_t packets_end;   /* packets until the sequence number ends */
	uint64_t packets_early; /* ... until a soft expiry warns of that */
	const struct crypto_suite *suite;
	struct ipsec *ips;       /* whose SAD it is in; outbound: whose filter of SPIs and list */
	LIST_ENTRY(sa) link;     /* outbound, when ips is set */
	size_t size_bytes;       /* of the whole piece of memory */
	uint32_t spi;            /* host order */
	struct addr destination; /* inbound: where its packets are sent to */
	uint16_t table_id;       /* of that address */
	uint32_t policy_slot;    /* of the tunnel whose rule leads to it */
	uint32_t foreign_place;  /* in the table of foreign SPIs */
	bool foreign;            /* it is there */
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
	return side4_match_host(sa->selectors, sa->local_count, local_be, protocol) &&
	       side4_match_host(sa->selectors + sa->local_count, sa->remote_count, remote_be, protocol);
}

/* sa_selectors.c. The addresses alone: of a fragment, whose ports are still to come. */
bool sa_addresses_match(const struct sa *sa, const struct flow *flow);

/* sa_selectors.c, sa_limits.c. Control, from sa_create: the parts of an SA that come from its specification. */
void sa_selectors_build(struct sa *sa, const struct sa_spec *spec);
void sa_limits_build(struct sa *sa, const struct sa_spec *spec);

/* Sets flags until control acknowledges them, unless one of them is set. */
void sa_flag(struct sa *sa, uint32_t flags);

/* Owner worker, when a limit is reached: raises flags and sets the next alert. DROP_NONE when a packet of this many
 * bytes may still pass. */
enum drop_reason sa_limit(struct sa *sa, uint64_t bytes);

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
