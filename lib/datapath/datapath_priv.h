/* SPDX-License-Identifier: BSD-3-Clause */
/* The room's objects: data path, port, worker, snapshot, links between threads. Each field says who may touch it. */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>

#include "datapath.h"
#include "neighbour_priv.h"
#include "packet_priv.h"
#include "route_priv.h"

#define MBUF_CACHE       256
#define INJECT_RING_SIZE 1024
#define PUNT_RING_SIZE   512
#define EVENT_RING_SIZE  256
#define HANDOFF_SIZE     2048
#define ENCAP_ROOM_BYTES 128 /* of a buffer behind a packet: Ethernet, VLAN tags, ESP trailer */
#define QUEUE_NONE       0xffff
#define SLOT_NONE        UINT32_MAX
#define PORT_QUEUES_MAX  IPSEC_WORKERS_MAX
#define IKE_BUCKETS      1024 /* of the per-source rate limit; sources that hash alike share one */
#define NO_SA_MEMORY     256  /* tunnel slots a worker remembers to have reported */

/* Rings to control by class: a flood of one does not starve another. */
enum punt_class { PUNT_IKE, PUNT_ARP, PUNT_HOLD, PUNT_CLASSES };

struct port {
	/* R: workers; constant after create */
	uint8_t source_tail[2][8]; /* our MAC and the EtherType of IPv4, of IPv6: the rest of an Ethernet header behind
				    * the destination */
	uint16_t id;               /* of DPDK */
	uint16_t mtu;
	uint32_t addr_be; /* IPv4; 0: none */
	uint8_t mac[6];
	uint16_t rx_queues, tx_queues;
	/* cold */
	struct prefix prefix, prefix6; /* ADDR_NONE: without an address of that family */
	char name[64], device[64];
} __rte_cache_aligned;

/* Everything configured that a verdict depends on. Immutable once published. */
struct snapshot {
	struct spd *spd;         /* NULL: no rules, nothing matches */
	bool protects_both_ways; /* a packet may match protect rules leaving and arriving */
	struct route_table routes;
	struct route6_table routes6;
	bool needs_ports; /* some rule asks for ports: it cannot judge fragments (RFC 4301 7) */
};

struct list {
	uint16_t n;
	struct rte_mbuf *m[BURST];
};

/* Refills with time, a token a packet. Owner thread only. */
struct bucket {
	uint64_t last_cycles;
	uint32_t tokens_milli;
};

struct rx_queue {
	uint16_t port; /* our index */
	uint16_t queue;
};

struct worker {
	/* constant after create */
	struct datapath *dp;
	struct ipsec *ips;
	struct ipsec_worker *crypto;
	struct port *ports;
	struct neighbour_table *neighbours;
	uint16_t id, rx_count;
	uint16_t lcore, cpu;
	pthread_t thread; /* of worker_attach: for asserts */
	struct rx_queue rx[DATAPATH_PORTS_MAX * PORT_QUEUES_MAX];
	uint16_t tx_queue[DATAPATH_PORTS_MAX]; /* QUEUE_NONE: the port's TX is another worker's */

	/* owner worker only */
	const struct snapshot *snapshot; /* of this loop */
	uint64_t now_cycles;
	uint16_t ip_id; /* of ICMP errors and fragments we begin */
	struct list clear, local;
	struct list fragments;         /* to be put together before they are looked at; their notes say which kind */
	struct reassembly *reassembly; /* NULL: off */
	struct list sealed;            /* ESP and AH for us */
	struct list tunnelled;         /* out of a tunnel, for our own addresses */
	struct list inner;             /* out of a tunnel, to go on */
	uint32_t inner_slot[BURST];    /* tunnel slots these came out of; SLOT_NONE: unknown */
	struct list own_clear, own_tunnel; /* answers made in this loop, before their policy verdict */
	struct burst_item protect[BURST];
	uint16_t protect_count;
	uint8_t protect_origin;
	struct list tx[DATAPATH_PORTS_MAX];
	struct list *handoff; /* one per worker */
	struct bucket icmp_errors, echo_replies, spi_events, sa_events;
	struct bucket ike_sources[IKE_BUCKETS];
	struct {
		uint32_t slot;
		uint64_t cycles;
	} no_sa[NO_SA_MEMORY];

	/* links */
	struct rte_ring *inject;             /* control -> worker */
	struct rte_ring *handoff_in;         /* workers -> worker */
	struct rte_ring *punt[PUNT_CLASSES]; /* worker -> control */
	struct rte_ring *events;             /* worker -> control */

	/* W: owner worker; R: control, relaxed */
	_Atomic uint64_t loops, busy_cycles, idle_cycles;
	_Atomic uint64_t counters[DATAPATH_COUNTER_COUNT];
	_Atomic uint64_t drops[DROP_REASON_COUNT];
	_Atomic int state; /* enum worker_state */
} __rte_cache_aligned;

enum worker_state { WORKER_STOPPED, WORKER_RUNNING, WORKER_FAILED };

struct datapath {
	/* R: all; constant after create */
	struct ipsec *ips;
	struct rte_mempool *pool;
	struct rte_mempool *large_pool; /* for datagrams that fit no other buffer; NULL: none */
	struct datapath_reassembly reassembly;
	uint64_t joined_flag;   /* in ol_flags of a packet that was put together here; its hash.fdir then says how:
				 * lo its identification, hi the size of its largest fragment */
	uint32_t fragment_seed; /* which worker puts a datagram together */
	struct neighbour_table *neighbours;
	uint16_t worker_count, port_count;
	enum datapath_idle idle;
	bool mss_clamp;
	int event_fd;
	uint64_t own_filter,
		own6_filter; /* one bit per hash of an own address: a clear bit is "not ours" without a look
			      */
	uint16_t own_count, own6_count;
	uint32_t own_be[DATAPATH_PORTS_MAX];
	uint8_t own6[DATAPATH_PORTS_MAX][16];
	struct port ports[DATAPATH_PORTS_MAX];
	struct worker *workers[IPSEC_WORKERS_MAX];
	uint64_t cycles_per_s;

	/* W: control, R: workers */
	struct snapshot *_Atomic snapshot;
	_Atomic bool stop;
	_Atomic int undrained; /* W: workers; those whose inject ring may hold packets */
	/* W: workers set when they wrote event_fd, control clears before it drains */
	_Atomic bool signalled __rte_cache_aligned;

	/* control only */
	pthread_t control; /* for asserts */
	bool started;
	uint16_t ip_id;
	uint64_t drops[DROP_REASON_COUNT]; /* of packets control held or made */
};

/* Heads of role-bound functions: the wrong thread is a programming error. */
static inline void assert_worker(const struct worker *w)
{
	assert(pthread_equal(w->thread, pthread_self()));
}

static inline void assert_control(const struct datapath *dp)
{
	assert(pthread_equal(dp->control, pthread_self()));
}

/* One writer: a load and a store, no locked instruction. */
static inline void tally(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void worker_count(struct worker *w, enum datapath_counter c, uint64_t n)
{
	tally(&w->counters[c], n);
}

/* Worker: the end of a packet, by name. */
static inline void worker_drop(struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	tally(&w->drops[reason], 1);
	rte_pktmbuf_free(m);
}

static inline void list_push(struct list *l, struct rte_mbuf *m)
{
	l->m[l->n++] = m;
}

/* Worker: a packet out of a tunnel that goes on, with the tunnel slot it came from. */
static inline void inner_push(struct worker *w, struct rte_mbuf *m, uint32_t from_slot)
{
	w->inner_slot[w->inner.n] = from_slot;
	list_push(&w->inner, m);
}

/* Takes one token; rate in tokens a second, burst in tokens. False: none left. */
static inline bool bucket_take(
	struct bucket *b, uint64_t now_cycles, uint64_t cycles_per_s, uint32_t rate, uint32_t burst)
{
	uint64_t elapsed = now_cycles - b->last_cycles;
	uint64_t full = (uint64_t)burst * 1000;
	/* after a second of silence or more the multiplication could overflow, and the answer is known */
	uint64_t refill = elapsed >= cycles_per_s * 4 ? full : elapsed * rate / (cycles_per_s / 1000);
	uint64_t tokens = b->tokens_milli + refill;

	if (refill) {
		b->tokens_milli = (uint32_t)(tokens < full ? tokens : full);
		b->last_cycles = now_cycles;
	}
	if (b->tokens_milli < 1000)
		return false;
	b->tokens_milli -= 1000;
	return true;
}

static inline uint32_t own_filter_bit(uint32_t addr_be)
{
	return (addr_be * 0x9e3779b1u) >> 26;
}

/* Any thread: is this one of our own addresses? */
static inline bool address_own(const struct datapath *dp, uint32_t addr_be)
{
	if (!(dp->own_filter & 1ull << own_filter_bit(addr_be)))
		return false;
	for (uint16_t i = 0; i < dp->own_count; i++)
		if (dp->own_be[i] == addr_be)
			return true;
	return false;
}

/* The low word of an address is what differs between hosts and ports. */
static inline uint32_t own6_filter_bit(const uint8_t addr[16])
{
	uint32_t low;

	memcpy(&low, addr + 12, sizeof(low));
	return own_filter_bit(low);
}

static inline bool address6_own(const struct datapath *dp, const uint8_t addr[16])
{
	if (!(dp->own6_filter & 1ull << own6_filter_bit(addr)))
		return false;
	for (uint16_t i = 0; i < dp->own6_count; i++)
		if (!memcmp(dp->own6[i], addr, 16))
			return true;
	return false;
}

static inline bool destination_own(const struct datapath *dp, const struct rte_mbuf *m)
{
	return packet_is_ip6(m) ? address6_own(dp, ip6_destination(packet_ip6(m)))
				: address_own(dp, packet_ip(m)->dst_addr);
}

static inline bool source_own(const struct datapath *dp, const struct rte_mbuf *m)
{
	return packet_is_ip6(m) ? address6_own(dp, ip6_source(packet_ip6(m))) : address_own(dp, packet_ip(m)->src_addr);
}

/* Where packets to an address go, of either family; never NULL. */
static inline const struct route *snapshot_route(const struct snapshot *s, const struct addr *a)
{
	return a->family == ADDR_IPV6 ? route6_lookup(&s->routes6, a->bytes) : route_lookup(&s->routes, ipv4_be(a));
}

/* worker.c. In the worker's thread: what must be local to it. 0 or -ENOMEM. */
int worker_attach(struct worker *w);
void worker_detach(struct worker *w);
/* One loop: rings, ports, stages, TX, quiescent report. Returns the packets it handled. */
uint32_t worker_step(struct worker *w);
int worker_main(void *worker);

/* port.c. Fills a port from its configuration and configures the device. 0 or -errno with text in ret_reason. */
int port_setup(struct datapath *dp, uint16_t index, const struct datapath_port_config *c, char *ret_reason,
	size_t reason_capacity);
int port_start(struct port *p);
void port_stop(struct port *p);
/* Which worker polls and feeds a queue of a port: ports with few queues are spread over the workers. */
static inline uint16_t port_queue_worker(const struct datapath *dp, uint16_t port, uint16_t queue)
{
	return (uint16_t)((port + queue) % dp->worker_count);
}

/* snapshot.c */
struct snapshot *snapshot_create(struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason);
void snapshot_free(void *snapshot);
/* The port whose subnet an address is in, or -1. */
int snapshot_connected_port(const struct datapath *dp, const struct addr *a);

/* inject.c. Control: a packet to a worker, its note is filled in. Takes m; a full ring is a counted drop. */
int inject_push(struct datapath *dp, uint16_t worker, struct rte_mbuf *m);
/* Control: the end of a packet, by name. */
void control_drop(struct datapath *dp, struct rte_mbuf *m, enum drop_reason reason);

/* arp.c, control. */
struct arp {
	uint16_t operation;
	uint8_t sender_mac[6];
	uint32_t sender_be, target_be;
};
/* A frame with its Ethernet header. False: not Ethernet/IPv4 ARP, or malformed. RFC 826. */
bool arp_decode(struct bytes frame, struct arp *ret_arp);
void arp_input(struct datapath *dp, const struct rte_mbuf *m, uint64_t now_ns);
/* Takes a packet whose next hop has no MAC. */
void arp_hold(struct datapath *dp, struct rte_mbuf *m, uint64_t now_ns);
/* Retries, ageing, ends of waiting. */
void arp_tick(struct datapath *dp, uint64_t now_ns);
/* An entry of either family that is never freed, for a path or route; IPv4: its resolution starts at the next poll.
 * NEIGHBOUR_NONE: full. */
uint32_t arp_pin(struct datapath *dp, uint16_t port, const struct addr *a);
