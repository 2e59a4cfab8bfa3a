/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the ipsec room: SAs, their tables, policies and the ESP bursts. Control is the only writer of
 * tables; each SA's running state has one writer, its owner worker. Nothing here logs, and bursts never lock, allocate
 * or wait. */
#pragma once

#include <rte_mbuf.h>

#include "base.h"
#include "drop.h"
#include "model.h"
#include "stage_clock.h"

#define IPSEC_WORKERS_MAX 64
#define SA_BUCKETS        256 /* low 8 bits of an SPI */

/* Who owns a bucket of SPIs or an outbound SA, in one byte: a worker, or one of these. */
#define WORKER_LEAVING 0x80 /* | worker: it still is the owner, but not for long; others' packets wait */
#define WORKER_MOVING  0xfe /* between two owners: every packet waits */
#define WORKER_NONE    0xff /* nobody yet: the first that needs it */

#define PATH_TEMPLATE_MAX 48 /* IPv6 + UDP */
#define PORT_IKE          500
#define PORT_NATT         4500

struct ipsec;        /* all tables; one per process */
struct ipsec_worker; /* a worker's crypto manager and scratch; touched by that worker only */
struct sa;           /* opaque but for the functions below */

/* Whose turn a packet is, as worker `me` sees the owner: a worker's (me or another), nobody's yet (WORKER_NONE), or it
 * waits (WORKER_MOVING). */
static inline uint8_t owner_turn(uint8_t owner, uint8_t me)
{
	if (owner < WORKER_LEAVING || owner == WORKER_NONE)
		return owner;
	return owner == (WORKER_LEAVING | me) ? me : WORKER_MOVING;
}

struct ipsec_config {
	uint16_t workers;
	uint32_t sad_slots;    /* power of two, at most 2^20 */
	uint32_t tunnel_slots; /* outbound SAs that policies lead to: tunnels and manual SAs */
	uint32_t child_slots;  /* negotiated children under tunnels; 0: none. With the tunnels' below 2^20 */
};

/* Control, before workers run. NULL with a reason (static text). */
struct ipsec *ipsec_create(const struct ipsec_config *config, const char **ret_reason);
/* After all workers ended: frees everything, deferred objects included. Accepts NULL. */
void ipsec_free(struct ipsec *ips);

/* Version of the ipsec-mb library in use, for show version. Static text. */
const char *ipsec_crypto_version(void);

/* ---- reclaim: the one wrapper around rte_rcu_qsbr --------------------------------------------------------------- */

/* Control: calls free_fn(object), from reclaim_poll, once every worker was quiescent. Never blocks. */
void reclaim_later(struct ipsec *ips, void (*free_fn)(void *object), void *object);
/* Control, regularly: frees what is due. Returns how many objects still wait. */
size_t reclaim_poll(struct ipsec *ips);
/* Control: true when some online worker did not report for max_ns while objects wait (an alarm). */
bool reclaim_stalled(struct ipsec *ips, uint64_t now_ns, uint64_t max_ns);

/* ---- worker life ------------------------------------------------------------------------------------------------ */

/* On the worker's lcore (memory and crypto manager are local to it). NULL without memory. */
struct ipsec_worker *ipsec_worker_create(struct ipsec *ips, uint16_t worker);
void ipsec_worker_free(struct ipsec_worker *w);
void ipsec_worker_quiescent(struct ipsec_worker *w); /* once a loop, holding no SA, path or snapshot pointer */
void ipsec_worker_offline(struct ipsec_worker *w);   /* before sleeping */
void ipsec_worker_online(struct ipsec_worker *w);
/* Worker: a number that nobody can guess, of the crypto engine's stream. False: the engine failed. */
bool ipsec_worker_random(struct ipsec_worker *w, uint32_t *ret_number);
/* Bursts count their stages on this clock from now on; NULL: on none. Borrowed. */
void ipsec_worker_measure(struct ipsec_worker *w, struct stage_clock *clock);

/* ---- paths ------------------------------------------------------------------------------------------------------ */

enum path_flags {
	PATH_IPV6 = 1 << 0,
	PATH_UDP = 1 << 1,
	PATH_TTL_COPY = 1 << 2,
	PATH_FLOW_COPY = 1 << 3,
};

/* The outer header of an SA pair as the worker needs it. Immutable once published; replaced, never changed. */
struct path {
	uint8_t template_bytes[PATH_TEMPLATE_MAX]; /* outer IP and, encapsulated, UDP header, as for ESP; lengths zero,
						    * in the place of an IP checksum the ones' complement sum so far */
	uint16_t mtu;                              /* of the link, bytes of outer IP packet */
	uint16_t port;                             /* egress port index of the datapath */
	uint32_t neighbour;        /* index in the neighbour table: its MAC changes without a new path */
	uint8_t template_len;      /* of IP and UDP header */
	uint8_t flags;             /* enum path_flags */
	uint8_t tos_keep, tos_set; /* outer DSCP and ECN: inner & keep | set */
	uint16_t df_keep_be, df_set_be;
	/* cold */
	struct path_spec spec;                              /* where it came from */
	void (*release)(void *context, uint32_t neighbour); /* control: the end of the path; NULL: nobody asked */
	void *release_context;
};

/* Builds template and rules from the spec. NULL without memory. Owned by the caller until given to an SA. */
struct path *path_create(const struct path_spec *spec, uint16_t mtu, uint16_t port, uint32_t neighbour);
/* Control: release is called when the path is freed: nobody finds the neighbour through it any more. */
void path_on_free(struct path *p, void (*release)(void *context, uint32_t neighbour), void *context);
void path_free(void *path);

/* ---- SAs -------------------------------------------------------------------------------------------------------- */

/* Control: builds an SA from its spec: sizes, functions, keys expanded on the owner's NUMA node. Takes path (outbound;
 * NULL inbound), on failure too. The spec's keys may be wiped afterwards. NULL with a reason. */
struct sa *sa_create(struct ipsec *ips, const struct sa_spec *spec, struct path *path, const char **ret_reason);
/* Wipes the keys. Only for an SA that was never published; published ones go through *_retire. */
void sa_free(struct sa *sa);

/* Control: swaps the path of an outbound SA under traffic; the old one is reclaimed. Takes path. */
void sa_path_publish(struct ipsec *ips, struct sa *sa, struct path *path);

enum sa_flags {
	SA_SOFT_EXPIRED = 1 << 0,
	SA_HARD_EXPIRED = 1 << 1,
	SA_SEQUENCE_END = 1 << 2,
	SA_NEW_SOURCE = 1 << 3, /* authenticated newest packet came from elsewhere: see sa_stats.source */
};

struct sa_stats {
	uint64_t packets, bytes; /* good ones; bytes of inner packets */
	uint64_t sequence;       /* outbound: last used; inbound: highest received */
	uint32_t flags;          /* enum sa_flags, set until acknowledged */
	uint8_t owner;           /* worker, or WORKER_NONE */
	struct endpoint source;  /* inbound: of the newest packet in UDP */
	uint64_t drops[DROP_REASON_COUNT];
};

/* Control: reads an SA's counters (relaxed atomics). */
void sa_stats_read(const struct sa *sa, struct sa_stats *ret_stats);
/* Control: of these what is asked of every SA again and again; nothing else of it has to come into the cache, out of
 * which it would push what packets need. */
uint32_t sa_flags_read(const struct sa *sa);
/* Likewise: another number when packets have passed; outbound it begins at the initial sequence number. */
uint64_t sa_packets_read(const struct sa *sa);
/* Control: another number than before when a worker has raised a flag since: only then those of all SAs are worth a
 * look, read afterwards. */
uint32_t sa_flag_news(const struct ipsec *ips);
/* Control: raises the flags of lifetimes in time that are over; the first call starts their clock. After the hard one
 * workers drop packets of the SA as expired. When there is something to do next; UINT64_MAX: never. */
uint64_t sa_age(struct sa *sa, uint64_t now_ns);
/* Control: clears flags it has acted on; an SA whose hard lifetime is over stays closed. */
void sa_flags_acknowledge(struct sa *sa, uint32_t flags);

/* Any worker: reads that classify needs. */
uint32_t sa_spi(const struct sa *sa);
uint8_t sa_owner(const struct sa *sa); /* outbound; see owner_turn */
/* Inbound: the tunnel slot its specification named, whose outbound SA is its other half. */
uint32_t sa_tunnel_slot(const struct sa *sa);
/* The same of either direction, off the packet path: of the tunnel, also where it is published for one of its children.
 */
uint32_t sa_policy_slot(const struct sa *sa);
/* False when fragments cannot pass it: its selectors look at ports, which later fragments have not, or it is in
 * transport mode, which takes whole datagrams only (RFC 4301 7, RFC 4303 3.3.4). */
bool sa_takes_fragments(const struct sa *sa);
/* Inbound: its selectors ask for ports that later fragments have not, and none is for such: burst_in lets a fragment
 * pass by its addresses, and the caller asks sa_selectors_match when it has put the datagram together (RFC 4301 7). */
bool sa_joins_fragments(const struct sa *sa);
/* Worker: makes a worker the owner if nobody is. Returns the owner afterwards (compare-and-swap). */
uint8_t sa_claim(struct sa *sa, uint8_t worker);
/* Worker: counts a drop on the SA; owner only. */
void sa_count_drop(struct sa *sa, enum drop_reason reason);
/* Inner bytes that fit without exceeding the path's MTU, given this SA's overhead (RFC 4301 8). Workers, and control,
 * which alone replaces paths. */
uint16_t sa_inner_mtu(const struct sa *sa);
/* Worker: the path of an outbound SA; valid until the worker's next quiescent report. */
const struct path *sa_path(const struct sa *sa);
/* Worker: true when the packet (local = ours) is inside the SA's selectors. Ports in host order. */
struct flow;
bool sa_selectors_match(const struct sa *sa, const struct flow *flow);
/* Some packet is inside the selectors of both: addresses, protocol and ports of both sides have something in common. */
bool sa_selectors_overlap(const struct sa *a, const struct sa *b);

/* Any worker: false when no outbound SA has this SPI. */
bool spi_filter_has(const struct ipsec *ips, uint32_t spi);

/* ---- SAD: inbound SAs by SPI ------------------------------------------------------------------------------------- */

/* Control: an SPI from our range: generation (12 bits) | slot (20 bits), in a bucket owned by `worker` (WORKER_NONE:
 * any). 0 when none is free. Freed slots come back first-in-first-out with the next generation; when there is none, one
 * that was lent to a foreign SA. */
uint32_t spi_reserve(struct ipsec *ips, uint8_t worker);
/* Control: gives back an SPI that no SA holds. Foreign SPIs and 0 are ignored. */
void spi_release(struct ipsec *ips, uint32_t spi);

/* Control: publishes an inbound SA under its SPI: reserved, or foreign, which differs from those of others in itself or
 * in protocol, destination or its table_id. Takes it when the answer is 0; else -EEXIST, -ENOSPC. */
int sad_insert(struct ipsec *ips, struct sa *sa);
/* Control: unpublishes; the SA is wiped and its SPI released after a grace period. */
void sad_retire(struct ipsec *ips, struct sa *sa);
/* What names an inbound SA, read from a packet. Unicast only: RFC 4301 4.1. */
struct sad_question {
	uint32_t spi;
	uint8_t protocol;  /* enum security_protocol */
	uint16_t table_id; /* of the destination */
	const uint8_t *ip; /* the outer header, IPv4 or IPv6 */
};
/* Any worker, the SA's owner or not: the SA, or NULL. An SPI that leads to a slot is enough: all of ours, and foreign
 * ones while nothing prevents it; of others protocol, destination and table_id have to be the SA's, too. Valid until
 * the next quiescent report. */
struct sa *sad_lookup(const struct ipsec *ips, const struct sad_question *question);
/* The same when the outer header is gone: the SA, or NULL, as for all whose SPI leads to no slot. */
struct sa *sad_lookup_slot(const struct ipsec *ips, uint32_t spi);
/* Worker: the same for n packets (at most 64), whose memory accesses overlap. */
void sad_lookup_burst(const struct ipsec *ips, const struct sad_question *questions, uint16_t n, struct sa **ret_sas);
struct burst_item;
/* Worker: plain ESP packets (burst_in_plain), begun at their IP header. Those whose SPI alone leads to an SA of this
 * worker go to ret_items (m and sa are set), up to a packet whose bucket is nobody's at the moment; the rest goes to
 * the front of pkts, to be asked for otherwise and behind these. Both keep their order. Returns how many have an SA.
 * Memory accesses overlap. */
uint16_t sad_lookup_plain(
	const struct ipsec *ips, uint8_t worker, struct rte_mbuf **pkts, uint16_t n, struct burst_item *ret_items);
/* Any thread: who owns the bucket of an SPI, before touching the SA; see owner_turn. */
uint8_t sad_bucket_worker(const struct ipsec *ips, uint32_t spi);
/* Control: the owner of a bucket (an SPI modulo SA_BUCKETS). Only one worker at a time may take itself for the owner:
 * from the old one to WORKER_LEAVING | old, WORKER_MOVING and the new one, with a grace period between each. */
void sad_bucket_publish(struct ipsec *ips, uint8_t bucket, uint8_t owner);

/* ---- tunnel slots: where policies find the outbound SA
 * --------------------------------------------------------------- */

/* A slot is a tunnel's (0 up to tunnel_slots) or a child's, as tunnel_child_insert named it. */

/* Control: makes sa (taken; NULL: none) the only outbound SA of a slot; the one before is reclaimed. 0 or -EINVAL. */
int tunnel_publish(struct ipsec *ips, uint32_t slot, struct sa *sa);
/* Control: the same, but the one before (NULL: none) comes back in *ret_before, no longer found yet maybe still in use
 * by a worker: to be published again or given to sa_retire. 0 or -EINVAL. */
int tunnel_swap(struct ipsec *ips, uint32_t slot, struct sa *sa, struct sa **ret_before);
/* Control: puts sa in front of the SAs that share a slot: a packet takes the first whose selectors it is inside. They
 * share one where the peer carries a piece of the policy on each (RFC 7296 2.9). 0 or -EINVAL. */
int tunnel_add(struct ipsec *ips, uint32_t slot, struct sa *sa);
/* Control: takes one of them out, for tunnel_add or sa_retire; the others stay. 0, or -ENOENT: it is not there. */
int tunnel_take_out(struct ipsec *ips, uint32_t slot, struct sa *sa);
/* Worker: sa or one behind it in its slot, the first whose selectors the flow is inside; NULL: none. */
struct sa *tunnel_select(struct sa *sa, const struct flow *flow);
/* Any worker: sa is among those of the slot. */
bool tunnel_holds(const struct ipsec *ips, uint32_t slot, const struct sa *sa);
/* Control: reclaims an outbound SA that is in no slot (any more). Takes it; accepts NULL. */
void sa_retire(struct ipsec *ips, struct sa *sa);
/* Control, with a grace period between each: the outbound SAs whose owners are in a set of workers (bit n: worker n)
 * leave them, are nobody's, and may be claimed again. All SAs, since one that is in no slot may come back into one. */
void sa_owners_leave(struct ipsec *ips, uint64_t workers);
void sa_owners_hold(struct ipsec *ips);
void sa_owners_release(struct ipsec *ips);
/* Worker: outbound SA of the slot (the first of several), or NULL, also for a child that was removed. Valid until the
 * next quiescent report. For many in a row: tunnel_ask (tunnel_ask.h). */
struct sa *tunnel_lookup(const struct ipsec *ips, uint32_t slot);

/* Worker: the number of the selectors of a slot's first SA when the flow is inside them; 0: it is not, or they have no
 * number. A flow that was inside is inside those of any SA that is the first one of this slot and has this number. */
uint16_t sa_selectors_number(const struct sa *sa, const struct flow *flow);

/* ---- children of a tunnel: the second level of policy, found by the remote address ------------------------------- */

/* Control: a child under a tunnel, for packets to this prefix. Its slot in *ret_slot is empty: packets of the prefix
 * have no SA until one is published there. Freed slots come back first-in-first-out, each time under another name.
 * O(1). 0, -EINVAL, -EEXIST (the tunnel has a child of the same prefix), -ENOSPC, -ENOMEM. */
int tunnel_child_insert(struct ipsec *ips, uint32_t tunnel_slot, const struct prefix *remote, uint32_t *ret_slot);
/* Control: the child is found no longer; its SA is reclaimed, and the slot after a grace period. 0, -ENOENT. */
int tunnel_child_remove(struct ipsec *ips, uint32_t slot);
/* Any worker: the slot of the child with the longest prefix around the flow's remote address, else the tunnel's own.
 * One hash look-up for each length of prefix that the tunnel's children of this family have. */
uint32_t tunnel_child_lookup(const struct ipsec *ips, uint32_t tunnel_slot, const struct flow *flow);
/* Any worker: what tunnel_child_lookup answered, of any tunnel, may be kept for as long as this number (read before the
 * question) is the same and tunnel_lookup finds an SA in the slot whose selectors fit; otherwise it is asked again. So
 * a child that comes or goes leaves the kept answers of all others alone: the number changes only when an address that
 * had a child gets another one (nested prefixes), or when the tunnel's own SA, which would still fit, is no longer the
 * answer. */
uint32_t tunnel_child_epoch(const struct ipsec *ips);

/* ---- SPD
 * ------------------------------------------------------------------------------------------------------------- */

/* A packet's selector as the gateway sees it: local is our side, whichever the direction. Wire order. */
struct flow {
	uint8_t protocol; /* IPv6: behind the extension headers */
	uint8_t family;   /* enum addr_family */
	bool has_ports;
	uint8_t reserved;
	uint16_t table_id;                  /* which table the addresses are of: the caller says */
	uint32_t local_be[4], remote_be[4]; /* IPv4 in the first word, the others zero */
	uint16_t local_port_be,
		remote_port_be; /* ICMP, ICMPv6: type and code in local_port (RFC 4301 4.4.1.1), 0 remote */
};

/* Any thread: the flow of an IP packet as if it left (local = source) or arrived (local = destination). ip: a packet
 * whose header was checked, `bytes` of it there. Later fragments and what is too short have no ports, nor has an IPv6
 * packet with a broken chain of extension headers, whose protocol is the Next Header of its fixed header. */
void flow_read(const uint8_t *ip, uint32_t bytes, bool leaving, struct flow *ret_flow);

enum spd_action { SPD_DISCARD, SPD_BYPASS, SPD_PROTECT };

struct spd_rule {
	enum spd_action action;
	uint32_t tunnel_slot; /* of PROTECT */
	bool awaits;          /* of PROTECT: packets without an SA ask for one and may wait for it */
	struct selector_list local, remote;
};

struct spd_verdict {
	uint8_t action; /* enum spd_action */
	bool matched;   /* false: no rule, action is SPD_DISCARD */
	uint32_t tunnel_slot;
	uint32_t rule; /* index in the compiled list */
};

struct spd; /* a compiled, immutable policy table (rte_acl) */

/* Any thread but a worker's, several at once: compiles rules in order of priority, first match wins. It shares nothing
 * with tables that are in use and takes seconds for 10,000 rules, so control leaves it to a helper thread and publishes
 * what comes back. rules are borrowed for the call. NULL with a reason. */
struct spd *spd_create(const struct spd_rule *rules, size_t count, const char **ret_reason);
/* Any thread but a worker's; a table that was published only after a grace period. */
void spd_free(void *spd);
/* Worker: verdicts of n flows (n at most 64). */
void spd_lookup(const struct spd *spd, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts);

/* ---- ESP and AH bursts ------------------------------------------------------------------------------------------- */

/* One packet of a burst. */
struct burst_item {
	struct rte_mbuf *m;
	struct sa *sa;
	uint16_t number;      /* outbound: whether it fits is to be asked here, see burst_out; else 0 */
	uint16_t drop;        /* enum drop_reason, set for those that are not good */
	uint16_t worker_data; /* caller's, carried along */
	uint16_t framed_port; /* burst_out_framed: whose link's header it begins with, or FRAMED_NONE */
};

/* It begins at its IP header. */
#define FRAMED_NONE UINT16_MAX

/* Owner worker of every SA in the burst whose item has no number. Packets begin at the IP header in clear; afterwards
 * good ones begin at the IP header of the protected packet. Returns the number good, those first; the others at the
 * tail, `drop` says why; both in their order. SA counters are kept. Lines in front of and behind the packet are
 * written: who gathers a burst fetches them. n at most 64; SAs may differ freely. Transport mode: the packet is one the
 * gateway itself sends, and no fragment. RFC 4303 3.3, RFC 4302 3.3.
 *
 * Of an item with a number, all that is known is that its flow is inside the selectors which have it (any SA of any
 * worker may be in its slot now): where the SA is another worker's, has other selectors or the packet is too large for
 * it, the item comes back as it was, DROP_NONE, and so does what is behind it and of the same SA. */
uint16_t burst_out(struct ipsec_worker *w, struct burst_item *items, uint16_t n);

/* Where a path's packets go next. */
struct egress {
	uint32_t neighbour;
	uint16_t port;
};

/* The header of a link, and which packets may have it. */
#define FRAME_HEAD_BYTES 16
struct frame_head {
	uint8_t bytes[FRAME_HEAD_BYTES]; /* an Ethernet header behind two bytes that do not matter: one store */
	uint16_t most;                   /* bytes of the largest packet, its IP header counted; 0: none may */
};

/* Who knows the links. head: of the way that a path's packets leave on; valid until it is asked for another one. */
struct framing {
	const struct frame_head *(*head)(struct framing *f, const struct egress *to);
};

/* The same, but packets that need no closer look and fit their path leave with the header of its link, as each item
 * says: nothing of them is touched again behind the crypto. plain: all are IPv4, each in one buffer. framing: borrowed
 * for the call; NULL: none is framed. */
uint16_t burst_out_framed(
	struct ipsec_worker *w, struct burst_item *items, uint16_t n, bool plain, struct framing *framing);

/* The other way: packets begin at the outer IP header (ESP raw or UDP-encapsulated, or AH); good ones begin at the
 * header of the packet in clear, whose lengths fit and whose flow is inside the SA's selectors (but see
 * sa_joins_fragments); an inner IPv4 checksum is not looked at. RFC 4303 3.4, RFC 4302 3.4. */
uint16_t burst_in(struct ipsec_worker *w, struct burst_item *items, uint16_t n);

/* The same of packets that are known to be ESP behind an IPv4 header without options, no fragments, each in one buffer
 * that ends where the header says. */
uint16_t burst_in_plain(struct ipsec_worker *w, struct burst_item *items, uint16_t n);
