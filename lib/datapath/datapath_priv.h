/* SPDX-License-Identifier: BSD-3-Clause */
/* The room's objects: data path, port, worker, snapshot, links between threads. Each field says who may touch it. */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "assignment_priv.h"
#include "capture_priv.h"
#include "datapath.h"
#include "flow_cache_priv.h"
#include "ike_spis_priv.h"
#include "link6_priv.h"
#include "neighbour_priv.h"
#include "packet_priv.h"
#include "route_priv.h"
#include "trace_priv.h"

#define MBUF_CACHE       256
#define INJECT_RING_SIZE 1024
#define PUNT_RING_SIZE   512
#define EVENT_RING_SIZE  256
#define HANDOFF_SIZE     2048 /* of the ring from one worker to another; where there are many of these, less */
#define HANDOFF_TOTAL    8192 /* ... for all that lead to one worker, unless that is less than a few bursts each */
#define HANDOFF_MIN      256
#define PARKED_MAX       2048 /* packets a worker keeps while an owner changes; a power of two */
/* Of a buffer behind a packet: Ethernet, VLAN tags, ESP trailer; and net_af_packet's framesz=9216 fits an MTU of 9000.
 */
#define ENCAP_ROOM_BYTES    256
#define QUEUE_NONE          0xffff
#define RSS_KEY_MAX         64
#define SLOT_NONE           UINT32_MAX
#define NS_IN_S             1000000000ull
#define NS_IN_MS            1000000ull
#define PORT_GROUPS_MAX     4
#define PORT_NONE           0xff
#define VLANS_MAX           4096
#define IKE_BUCKETS         1024 /* of the per-source rate limit; sources that hash alike share one */
#define LINK_BUCKETS        256  /* of the limit per neighbour; likewise */
#define PEER_BUCKETS        512  /* of the limit per peer; likewise */
#define PORT_ROWS           (DATAPATH_PORTS_MAX + 1) /* of what is limited by port; the last: what came from none */
#define SEALED_SHARES       64                       /* among as many all SPIs are spread */
#define SEALED_SHARE        8                        /* packets */
#define NO_SA_MEMORY        256                      /* tunnel slots a worker remembers to have reported */
#define AWAITING_MAX        128                      /* packets of a worker that wait for an SA */
#define AWAITING_TUNNEL_MAX 4 /* ... of one tunnel slot; slots that share a memory cell share these */

/* Rings to control by class: a flood of one does not starve another. */
/* In the order in which control takes them: a flood of beginnings does not hold up what established peers say. */
enum punt_class {
	PUNT_IKE,         /* of IKE SAs that are up */
	PUNT_IKE_OPENING, /* of IKE SAs whose peers have not proved who they are */
	PUNT_IKE_NEW,     /* IKE_SA_INIT requests */
	PUNT_IKE_STRAY,   /* of no IKE SA that is here */
	PUNT_LINK,        /* ARP and neighbour discovery of neighbours that were asked or have proven themselves */
	PUNT_ARP,
	PUNT_ND,
	PUNT_MLD,
	PUNT_HOLD_VIA, /* to wait for a next hop that a route or path names */
	PUNT_HOLD,     /* to wait for whom the packet is for */
	PUNT_CLASSES
};

/* How a device spreads what it receives over its queues, when that can be told beforehand. */
struct rss {
	bool known;
	_Alignas(uint32_t) uint8_t key[RSS_KEY_MAX]; /* read as words */
	uint16_t reta_size;
	uint16_t reta[RTE_ETH_RSS_RETA_SIZE_512];
};

/* A device of DPDK with its queues: RX queues are polled once and a worker has one TX queue, whatever the number of
 * interfaces that share it. R: workers; constant after create */
struct device {
	uint16_t id; /* of DPDK */
	uint16_t rx_queues, tx_queues;
	uint8_t mac[6];
	uint8_t ports[VLANS_MAX]; /* interface by VLAN, 0: untagged; PORT_NONE */
	char name[64];
	/* by RX queue: who polls it, or WORKER_LEAVING | who: another worker asks for it. W: these two in turns */
	_Atomic uint8_t pollers[PORT_QUEUES_MAX];
	/* control only */
	struct rss rss;
	bool steers;          /* has not refused a rule by SPI */
	uint32_t steered;     /* rules it has */
	uint64_t kernel_lost; /* as far as the kernel was asked: kernel_ring_lost */
} __rte_cache_aligned;

/* An interface: a device, or one VLAN of it. */
struct port {
	/* R: workers; constant after create */
	uint8_t source_tail[2][8]; /* our MAC and the EtherType of IPv4, of IPv6: the rest of an Ethernet header behind
				    * the destination */
	uint16_t id;               /* of DPDK */
	uint16_t device;           /* our index */
	uint16_t vlan;             /* 0: untagged */
	uint16_t mtu;
	uint16_t table_id; /* in the key of whatever is keyed by an address: what comes in here, goes out here, and our
			    * addresses here; 0 */
	uint32_t addr_be;  /* IPv4; 0: none */
	uint8_t mac[6];
	uint8_t rpf;            /* enum datapath_rpf */
	bool six;               /* has IPv6, and so a link-local address */
	bool proxies;           /* IPv6 addresses of its subnet may lie behind tunnels */
	uint8_t link_local[16]; /* RFC 4291 2.5.6; zero without IPv6 */
	uint8_t group_count;    /* of link addresses of multicast groups we listen to: all nodes and routers,
				 * solicited-node ones */
	uint8_t groups[PORT_GROUPS_MAX][6];
	/* W: control, R: workers */
	_Atomic uint8_t own6_state[PORT_OWN6]; /* enum datapath_address_state, of link-local and other address */
	/* cold */
	struct prefix prefix, prefix6; /* ADDR_NONE: without an address of that family */
	char name[64];
} __rte_cache_aligned;

/* The parts of a snapshot, immutable once published. The next snapshot shares those that did not change; control counts
 * how many hold one. */
struct policies {
	uint32_t holders;
	struct spd *spd;         /* NULL: no rules, nothing matches */
	bool protects;           /* some rule does */
	bool protects_both_ways; /* a packet may match protect rules leaving and arriving */
	bool needs_ports;        /* some rule asks for ports: it cannot judge fragments (RFC 4301 7) */
	uint64_t *awaits;        /* a bit per tunnel slot: a rule that awaits leads to it */
	uint32_t awaits_slots;
};

#define TABLE_IDS     1 /* of routes; what is keyed by an address has one in its key */
#define TABLE_ID_MAIN 0 /* of IKE and of what we send ourselves */

struct routes_of_table {
	struct route_table four;
	struct route6_table six;
};

/* Neighbours pinned for one list of routes, a bit each: taken and let go by control. */
struct pins {
	struct neighbour_table *neighbours; /* NULL: none */
	uint64_t taken[NEIGHBOURS_MAX / 64];
};

struct routes {
	uint32_t holders;
	struct pins pins;                         /* of the neighbours that they lead to */
	struct routes_of_table tables[TABLE_IDS]; /* by table_id */
};

/* Everything configured that a verdict depends on. */
struct snapshot {
	uint32_t epoch; /* of two snapshots the later one has the larger */
	struct policies *policies;
	struct routes *routes;
	struct assignment *assignment;
};

struct list {
	uint16_t n;
	struct rte_mbuf *m[BURST];
};

/* Plain IPv4 packets in clear that may have a known flow (known.c), and where the cache would have it first. */
struct asked {
	uint16_t n;
	bool closed; /* until the lists are worked on */
	struct rte_mbuf *m[BURST];
	const struct flow_entry4 *sets[BURST];
	struct flow_key4 keys[BURST];
	struct list returned; /* did not fit their SAs after all; as they came */
};

/* What was handed to a worker since less than half of its ring was free, by a hash of the SPI; at most SEALED_SHARE. */
struct sealed_shares {
	uint8_t handed[SEALED_SHARES];
	bool used;
};

struct bucket {
	uint64_t last_cycles;
	uint32_t tokens_milli;
};

struct rx_queue {
	uint16_t id;     /* of DPDK */
	uint16_t device; /* our index */
	uint16_t queue;
};

/* Packets that wait until it is known who has what they need. An owner may appear in the middle of a worker's loop:
 * what comes after a packet that waits for the same waits too, or it would overtake. */
struct parked {
	uint32_t head, count; /* positions count on for ever; their place is modulo PARKED_MAX */
	uint32_t kept;        /* from this position on they were put here in this loop */
	uint64_t filter[4];   /* bits by what these wait for */
	struct rte_mbuf *m[PARKED_MAX];
	uint32_t what[PARKED_MAX]; /* PARKED_*: what each waits for */
};

/* A packet whose SA is being asked for. */
struct awaiting_packet {
	struct rte_mbuf *m;
	uint64_t until_cycles;
	uint32_t tunnel; /* slot */
	uint8_t reason;  /* enum drop_reason: how it ends without one */
	bool told;       /* control knows of it; else it is told when the limit of such events lets it */
	struct flow flow;
};

struct awaiting {
	uint32_t count;
	uint64_t looked_cycles;
	uint8_t by_cell[NO_SA_MEMORY];              /* how many of the tunnel slots of a memory cell wait */
	struct awaiting_packet items[AWAITING_MAX]; /* as they came */
};

struct worker {
	/* constant after create */
	struct datapath *dp;
	struct ipsec *ips;
	struct ipsec_worker *crypto;
	struct port *ports;
	struct neighbour_table *neighbours;
	uint16_t id;
	uint16_t lcore, cpu;
	pthread_t thread; /* of worker_attach: for asserts */

	/* owner worker only */
	const struct snapshot *snapshot; /* of this loop */
	uint32_t epoch;                  /* of what was decided in this loop: snapshot, children, own addresses */
	bool own6_unusable;              /* in this loop some address of ours is tentative or a duplicate */
	struct capture *capture;         /* of this loop; NULL: none runs */
	struct trace *trace;             /* of this loop; NULL: none runs */
	struct stage_clock *clock;       /* of this loop; NULL: it is not measured */
	struct stage_clock stages;       /* of the loop that is */
	uint32_t unmeasured;             /* loops with packets until the next one is */
	struct trace_state sampling;
	uint32_t generation; /* of the assignment that rx, tx_queue and active come from */
	uint16_t active;     /* workers 0 to active - 1 take part */
	bool moving;         /* owners change: it has something to do for that, or control waits for its loops */
	uint32_t marks[IPSEC_WORKERS_MAX]; /* of a queue it let go: how far the others must have taken what it handed
					    * them, as their rings count */
	uint16_t rx_count;
	struct rx_queue rx[DATAPATH_PORTS_MAX * PORT_QUEUES_MAX];
	uint16_t tx_queue[DATAPATH_PORTS_MAX]; /* QUEUE_NONE: the port's TX is another worker's */
	bool sends_plain[DATAPATH_PORTS_MAX];  /* this worker sends on the port itself, and without a tag */
	uint64_t now_cycles;
	uint16_t ip_id;     /* of ICMP errors and fragments we begin */
	struct asked asked; /* in clear, before the lists below */
	struct list clear, local;
	struct list fragments;         /* to be put together before they are looked at; their notes say which kind */
	struct reassembly *reassembly; /* NULL: off */
	struct list sealed_plain; /* ESP for us, its SPI and sequence number there, and all that burst_in_plain asks */
	struct list sealed;       /* other ESP and AH for us, and what comes behind it */
	struct list tunnelled;    /* out of a tunnel, for our own addresses */
	struct list inner;        /* out of a tunnel, to go on */
	uint32_t inner_slot[BURST];        /* tunnel slots these came out of; SLOT_NONE: unknown */
	struct list own_clear, own_tunnel; /* answers made in this loop, before their policy verdict */
	struct burst_item protect[BURST];
	uint16_t protect_count;
	bool protect_mixed; /* not all of these are known to be IPv4 in one buffer */
	struct list tx[DATAPATH_PORTS_MAX];
	struct list *handoff;                /* one per worker */
	struct sealed_shares *sealed_shares; /* one per worker */
	struct parked parked;
	struct awaiting awaiting;
	struct bucket icmp_errors[2][PORT_ROWS]; /* packet too big; all others */
	struct bucket icmp_reports, echo_replies, spi_events, sa_events, no_sa_events;
	struct bucket punts[PUNT_CLASSES][PORT_ROWS];
	struct bucket link_sources[2][LINK_BUCKETS]; /* answers; questions */
	struct bucket ike_sources[2][IKE_BUCKETS];   /* IKE_SA_INIT requests; what names no IKE SA that is here */
	struct bucket held_peers[PEER_BUCKETS];      /* what came out of tunnels and waits for its neighbour */
	struct bucket *ike_places;                   /* of the IKE SAs that are here, by their places in the table */
	struct flow_cache flows;
	struct {
		uint32_t slot;
		uint64_t cycles;
	} no_sa[NO_SA_MEMORY];

	/* links */
	struct rte_ring *inject;             /* control -> worker */
	struct rte_ring **handoff_from;      /* worker -> worker, by the sender's number; NULL: itself */
	struct rte_ring *punt[PUNT_CLASSES]; /* worker -> control */
	struct rte_ring *events;             /* worker -> control */
	struct rte_ring *records;            /* worker -> control: of traces */

	/* of DATAPATH_INTERRUPT */
	int wake_fd;         /* constant after create; -1: in the other ways nobody needs to wake it */
	_Atomic bool asleep; /* W: owner worker; R: who puts something into its rings */
	int epoll_fd;        /* this and the next: owner worker only */
	struct rte_epoll_event wake_event;
	uint16_t armed_count; /* queues whose interrupts are on */
	struct rx_queue armed[DATAPATH_PORTS_MAX * PORT_QUEUES_MAX];

	/* W: owner worker; R: control, relaxed */
	_Atomic uint64_t records_lost;
	_Atomic uint64_t loops, busy_cycles, idle_cycles, packets, bursts;
	_Atomic uint64_t stage_cycles[CYCLE_STAGE_COUNT], measured_loops, measured_packets;
	_Atomic uint64_t counters[DATAPATH_COUNTER_COUNT];
	_Atomic uint64_t drops[DROP_REASON_COUNT];
	_Atomic uint64_t port_drops[DATAPATH_PORTS_MAX][DROP_REASON_COUNT]; /* the same by the port a packet came from
									     */
	_Atomic int state;                                                  /* enum worker_state */
} __rte_cache_aligned;

/* An owner changes: ownership.c. */
enum move_phase { MOVE_NONE, MOVE_LEAVING, MOVE_DRAINING, MOVE_HELD, MOVE_QUEUES };

struct move {
	enum move_phase phase;
	bool grace; /* the grace period of this phase is over */
	uint64_t next_ns;
	uint64_t losers;  /* bit n: worker n loses something */
	uint64_t emptied; /* bit n: its rings were seen empty */
	uint64_t loops[IPSEC_WORKERS_MAX];
	uint8_t buckets[SA_BUCKETS]; /* owners to be */
	struct assignment *target;   /* owned */
};

enum worker_state { WORKER_STOPPED, WORKER_RUNNING, WORKER_FAILED };

#define OWN_ADDRESSES_MAX (DATAPATH_PORTS_MAX + DATAPATH_VIRTUAL_MAX)

/* An address as two words, an IPv4 one in the low. */
struct own_words {
	uint64_t high, low;
};

/* One of our own addresses. W: control; R: workers. An empty entry is zero, which no packet is for. */
struct own_address {
	_Atomic uint64_t high, low;
	uint16_t table_id;
	uint16_t holders; /* control only: how often it was added */
};

/* Those of a family. */
struct own_addresses {
	_Atomic uint64_t filter; /* a bit per hash of an address: a clear bit is "not ours" without a look */
	_Atomic uint16_t count;
	struct own_address items[OWN_ADDRESSES_MAX];
};

struct datapath {
	/* R: all; constant after create */
	struct ipsec *ips;
	struct rte_mempool *pool;
	struct rte_mempool *large_pool; /* for datagrams that fit no other buffer; NULL: none */
	struct datapath_reassembly reassembly;
	uint64_t joined_flag;   /* in ol_flags of a packet that was put together here; its hash.fdir then says how:
				 * lo its identification, hi the size of its largest fragment */
	uint32_t fragment_seed; /* which worker puts a datagram together */
	uint32_t punt_seed;     /* so that nobody outside can choose sources that share a bucket with another's */
	struct ike_spis *ike_spis;
	struct neighbour_table *neighbours;
	uint16_t worker_count, port_count, device_count;
	enum datapath_idle idle;
	uint32_t flow_entries;
	bool flow_rules;
	bool mss_clamp;
	bool reverse_path; /* some port checks sources */
	struct datapath_icmp icmp;
	int event_fd;
	struct own_addresses own4, own6;
	struct port ports[DATAPATH_PORTS_MAX];
	struct device devices[DATAPATH_PORTS_MAX];
	struct worker *workers[IPSEC_WORKERS_MAX];
	uint64_t cycles_per_s;
	struct datapath_neighbour_timers neighbour_timers;

	/* W: control, R: workers */
	struct snapshot *_Atomic snapshot;
	struct capture *_Atomic capture; /* NULL: none runs */
	struct trace *_Atomic trace;     /* likewise */
	_Atomic int own6_unusable;       /* IPv6 addresses of ours that are not to be used */
	_Atomic uint32_t own_epoch;      /* another one whenever an address becomes ours, or is so no more */
	_Atomic bool stop;
	_Atomic int undrained; /* W: workers; those whose inject ring may hold packets */
	/* W: workers set when they wrote event_fd, control clears before it drains */
	_Atomic bool signalled __rte_cache_aligned;

	/* control only */
	pthread_t control; /* for asserts */
	bool started;
	uint16_t ip_id;
	uint32_t epoch; /* of the newest snapshot */
	uint16_t workers_wanted;
	struct move move;
	struct link6 links[DATAPATH_PORTS_MAX];
	uint64_t dad_next_ns, mld_next_ns; /* when these want attention; UINT64_MAX: never */
	TAILQ_HEAD(, datapath_steer) steers;
	uint32_t steer_generation; /* one more each time that owners have changed */
	struct capture *captured;  /* running, or not emptied yet */
	uint8_t trace_generation;
	uint64_t drops[DROP_REASON_COUNT]; /* of packets control held or made */
	uint64_t port_drops[DATAPATH_PORTS_MAX][DROP_REASON_COUNT];
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

/* Worker: counts the end of a packet, by name; also of one whose buffer lives on. Made by ourselves, it came from no
 * port. */
static inline void worker_drop_count(struct worker *w, const struct rte_mbuf *m, enum drop_reason reason)
{
	tally(&w->drops[reason], 1);
	if (unlikely(w->trace != NULL))
		trace_push(w, m, TRACE_DROPPED, (uint16_t)reason, 0);
	if (m->port < DATAPATH_PORTS_MAX)
		tally(&w->port_drops[m->port][reason], 1);
}

/* counters.c. Worker: the end of a packet, by name. */
void worker_drop(struct worker *w, struct rte_mbuf *m, enum drop_reason reason);

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

static inline struct own_words own_words_of(const uint8_t *addr, size_t len)
{
	struct own_words w = { 0, 0 };

	memcpy(&w.low, addr + len - RTE_MIN(len, sizeof(w.low)), RTE_MIN(len, sizeof(w.low)));
	if (len > sizeof(w.low))
		memcpy(&w.high, addr, sizeof(w.high));
	return w;
}

static inline bool own_address_is(const struct own_address *o, uint16_t table_id, struct own_words words)
{
	return atomic_load_explicit(&o->low, memory_order_relaxed) == words.low &&
	       atomic_load_explicit(&o->high, memory_order_relaxed) == words.high && o->table_id == table_id;
}

/* The slow half: the filter does not say no. */
static inline bool own_has(const struct own_addresses *own, uint16_t table_id, struct own_words words)
{
	/* acquire: pairs with own_address_add */
	uint16_t count = atomic_load_explicit(&own->count, memory_order_acquire);

	for (uint16_t i = 0; i < count; i++)
		if (own_address_is(&own->items[i], table_id, words))
			return true;
	return false;
}

static inline bool own_may_have(const struct own_addresses *own, uint32_t bit)
{
	return atomic_load_explicit(&own->filter, memory_order_relaxed) >> bit & 1;
}

/* Any thread: is this one of our own addresses? */
static inline bool address_own(const struct datapath *dp, uint16_t table_id, uint32_t addr_be)
{
	return own_may_have(&dp->own4, own_filter_bit(addr_be)) &&
	       own_has(&dp->own4, table_id, own_words_of((const uint8_t *)&addr_be, sizeof(addr_be)));
}

/* The low word of an address is what differs between hosts and ports. */
static inline uint32_t own6_filter_bit(const uint8_t addr[16])
{
	uint32_t low;

	memcpy(&low, addr + 12, sizeof(low));
	return own_filter_bit(low);
}

static inline bool address6_own(const struct datapath *dp, uint16_t table_id, const uint8_t addr[16])
{
	return own_may_have(&dp->own6, own6_filter_bit(addr)) && own_has(&dp->own6, table_id, own_words_of(addr, 16));
}

/* What came from no port is made here. */
static inline uint16_t port_table_id(const struct datapath *dp, uint16_t port)
{
	return port < DATAPATH_PORTS_MAX ? dp->ports[port].table_id : TABLE_ID_MAIN;
}

/* Of the port it came from, in whatever it came. */
static inline uint16_t packet_table_id(const struct datapath *dp, const struct rte_mbuf *m)
{
	return port_table_id(dp, m->port);
}

static inline bool destination_own(const struct datapath *dp, const struct rte_mbuf *m)
{
	uint16_t table_id = packet_table_id(dp, m);

	return packet_is_ip6(m) ? address6_own(dp, table_id, ip6_destination(packet_ip6(m)))
				: address_own(dp, table_id, packet_ip(m)->dst_addr);
}

/* The same of a packet whose addresses classify_addresses6 has let pass: a link-local destination is ours then. */
static inline bool destination_for_us(const struct datapath *dp, const struct rte_mbuf *m)
{
	return (packet_is_ip6(m) && unlikely(ipv6_link_local(ip6_destination(packet_ip6(m))))) ||
	       destination_own(dp, m);
}

static inline bool source_own(const struct datapath *dp, const struct rte_mbuf *m)
{
	uint16_t table_id = packet_table_id(dp, m);

	return packet_is_ip6(m) ? address6_own(dp, table_id, ip6_source(packet_ip6(m)))
				: address_own(dp, table_id, packet_ip(m)->src_addr);
}

/* Where packets to an address go, of either family; never NULL. */
static inline const struct route *snapshot_route(const struct snapshot *s, uint16_t table_id, const struct addr *a)
{
	const struct routes_of_table *t = &s->routes->tables[table_id];

	return a->family == ADDR_IPV6 ? route6_lookup(&t->six, a->bytes) : route_lookup(&t->four, ipv4_be(a));
}

/* Where a packet goes. */
static inline const struct route *packet_route(const struct worker *w, const struct rte_mbuf *m)
{
	const struct routes_of_table *t = &w->snapshot->routes->tables[packet_table_id(w->dp, m)];

	return packet_is_ip6(m) ? route6_lookup(&t->six, ip6_destination(packet_ip6(m)))
				: route_lookup(&t->four, packet_ip(m)->dst_addr);
}

/* worker.c. In the worker's thread: what must be local to it. 0 or -ENOMEM. */
int worker_attach(struct worker *w);
/* By control, once the worker has ended. */
void worker_detach(struct worker *w);
/* One loop: rings, ports, stages, TX, quiescent report. Returns the packets it handled. */
uint32_t worker_step(struct worker *w);
int worker_main(void *worker);

/* idle.c. Whoever has put something into a ring that leads to a worker: wakes it, should it sleep. */
void idle_wake_slow(struct worker *to);
static inline void idle_wake(struct worker *to)
{
	if (likely(to->wake_fd < 0))
		return;
	/* pairs with the one of the worker that falls asleep */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&to->asleep, memory_order_relaxed))
		idle_wake_slow(to);
}

/* port.c. Fills the port of this index from the configuration, and configures its device when it is the first of those
 * that share it. 0 or -errno with text in ret_reason. */
int port_setup(struct datapath *dp, uint16_t index, const struct datapath_config *config, char *ret_reason,
	size_t reason_capacity);
int device_start(struct datapath *dp, uint16_t device);
void device_stop(struct datapath *dp, uint16_t device);

/* rss.c. Asks a started device; what it does not tell is not known. */
void rss_read(uint16_t device, struct rss *ret_rss);
/* Pure: the queue of packets between these addresses. r is known. */
uint16_t rss_queue(const struct rss *r, const struct addr *source, const struct addr *destination);

/* ownership.c, control. The queues of all devices shared out among the first `active` workers, starting from how they
 * are now (NULL: not at all). NULL without memory. */
struct assignment *assignment_create(const struct datapath *dp, const struct assignment *before, uint16_t active);
/* Begins to give queues and buckets to new owners; takes target. 0, -EBUSY (something moves), -ENOMEM. */
int ownership_move(struct datapath *dp, struct assignment *target, const uint8_t buckets[SA_BUCKETS]);
/* The next step of what moves. */
void ownership_tick(struct datapath *dp, uint64_t now_ns);
/* A worker that can send on a port now. */
uint16_t ownership_sender(const struct datapath *dp, uint16_t port);

/* queue.c. Worker: takes what pollers say for what it polls. */
void queues_poll(struct worker *w);
/* Worker, at the end of a loop: RX queues that it gets or gives. False: none (any more). */
bool queues_turn(struct worker *w);
/* Any thread: every queue is polled by whom it is assigned to. */
bool queues_settled(const struct datapath *dp, const struct assignment *a);
/* Control, before the workers start. */
void queues_begin(struct datapath *dp, const struct assignment *a);

/* Any thread: how many of the entries that were put into a ring up to a position are still in it. Like rte_ring_count,
 * which does not say in which order it sees what it reads. */
static inline uint32_t ring_waiting(const struct rte_ring *r, uint32_t put)
{
	/* acquire: pairs with the release of the taker */
	int32_t waiting = (int32_t)(put - __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE));

	return waiting > 0 ? (uint32_t)waiting : 0;
}

/* steer.c, control. Rules whose SA may have another owner by now. */
bool steer_is_behind(const struct datapath *dp);
/* Makes some of them anew. */
void steer_tick(struct datapath *dp);

/* snapshot.c */
/* NULL with a reason. */
struct policies *policies_create(const struct datapath_snapshot *s, const char **ret_reason);
struct routes *routes_create(struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason);
/* Parts that no snapshot holds. Accept NULL. */
void policies_free(struct policies *p);
void routes_free(struct routes *r);
/* Publishes a snapshot of these parts with one release store and reclaims the one before. 0, or -ENOMEM: nothing has
 * happened. */
int snapshot_publish(
	struct datapath *dp, struct policies *policies, struct routes *routes, struct assignment *assignment);
/* The same parts but for the assignment. */
int assignment_publish(struct datapath *dp, struct assignment *assignment);
void snapshot_free(void *snapshot);
/* The port whose subnet an address is in, or -1. */
int snapshot_connected_port(const struct datapath *dp, const struct addr *a);

/* capture.c, control. Workers have ended: the data path is about to be freed. */
void capture_abandon(struct datapath *dp);
void capture_free(struct capture *c);

/* own.c. Control: one more address of ours. 0, -ENOSPC. */
int own_address_add(struct datapath *dp, uint16_t table_id, const struct addr *a);

/* inject.c. Control: a packet to a worker, its note is filled in. Takes m; a full ring is a counted drop. */
int inject_push(struct datapath *dp, uint16_t worker, struct rte_mbuf *m);
/* Control: the end of a packet, by name. */
void control_drop(struct datapath *dp, struct rte_mbuf *m, enum drop_reason reason);

static inline bool host_answers_for(const struct datapath_host *host, const struct addr *a)
{
	return host->answers_for && host->answers_for(host->context, a);
}

/* dad.c, any thread: an address of ours of a port (PORT_LINK_LOCAL, PORT_GLOBAL), NULL: none; which one it is, or -1;
 * how far it has come. */
const uint8_t *port_own6(const struct port *p, int which);
int port_own6_find(const struct port *p, const uint8_t addr[16]);
enum datapath_address_state port_own6_state(const struct port *p, int which);
/* dad.c, any thread: an address of ours (link-local: of this port) that is not to be used. False for those of others.
 */
bool address6_unusable(const struct datapath *dp, uint16_t port, const uint8_t addr[16]);
/* dad.c, control: a port that may not speak yet, but soon will. */
bool dad_pending(const struct port *p);
/* dad.c, control: before the workers start, all addresses of ours become tentative; what is due goes out with the next
 * poll. */
void dad_start(struct datapath *dp);
void dad_tick(struct datapath *dp, const struct datapath_host *host, uint64_t now_ns);
/* dad.c, control: somebody else has a tentative address of ours. */
void dad_duplicate(struct datapath *dp, uint16_t port, int which, const uint8_t mac[6]);

/* mld.c */
enum mld_type { MLD_QUERY = 130, MLD_REPORT_V1, MLD_DONE, MLD_REPORT_V2 = 143 };
struct mld_query {
	struct addr group; /* unspecified: all */
	bool general, v1;
	uint32_t response_ms, interval_s; /* interval: 0, not said */
	uint8_t robustness;               /* 0: not said */
};
/* Any thread: a frame with its Ethernet header. DROP_NONE, DROP_MLD (RFC 3810 5.1.14, 6.2, 8.1), DROP_MLD_IGNORED. */
enum drop_reason mld_decode(struct bytes frame, struct mld_query *ret_query);
/* Control. DROP_NONE: will be answered. */
enum drop_reason mld_input(struct datapath *dp, const struct rte_mbuf *m, uint64_t now_ns);
/* Control: every port listens; what it listens to is reported with the next polls. */
void mld_start(struct datapath *dp);
/* Control: a port's groups are reported once more. */
void mld_report(struct datapath *dp, uint16_t port);
void mld_tick(struct datapath *dp, uint64_t now_ns);

/* kernel_ring.c, control: frames that the sockets of this process bound to a kernel interface had no room for, since
 * it was last asked. */
uint64_t kernel_ring_lost(unsigned if_index);

/* True when an address is one that this port itself answers to, global or link-local. */
static inline bool port_has6(const struct port *p, const uint8_t addr[16])
{
	if (!p->six)
		return false;
	return !memcmp(p->link_local, addr, 16) ||
	       (p->prefix6.addr.family == ADDR_IPV6 && !memcmp(p->prefix6.addr.bytes, addr, 16));
}

/* port.c: whether a host of the port's link can have this address: link-local, or of its subnet and none of the
 * addresses there that no host has. */
bool port_is_on_link(const struct port *p, const struct addr *a);

/* resolve.c, control: neighbours of both families from the first question to the last. */

/* The entry of an address on a port's link, made when there is none; for that one that nobody proved may be given up.
 * NEIGHBOUR_NONE: no room. */
uint32_t resolve_ensure(struct datapath *dp, uint16_t port, const struct addr *a);
/* Whether a question about the neighbour is open. */
bool resolve_is_asked(const struct datapath *dp, uint32_t index);
/* The neighbour answered a question of ours. */
void resolve_answered(struct datapath *dp, uint32_t index, const uint8_t mac[6], uint64_t now_ns);
/* The operator says what its MAC is. */
void resolve_given(struct datapath *dp, uint32_t index, const uint8_t mac[6]);
/* The neighbour named its MAC unasked: used, not trusted for longer than it takes to ask. */
void resolve_heard(struct datapath *dp, uint32_t index, const uint8_t mac[6], uint64_t now_ns);
/* What was proven is in doubt. */
void resolve_doubt(struct datapath *dp, uint32_t index, uint64_t now_ns);
/* Takes a packet whose next hop has no MAC. */
void resolve_hold(struct datapath *dp, struct rte_mbuf *m, uint64_t now_ns);
/* Retries, ageing, ends of waiting. */
void resolve_tick(struct datapath *dp, uint64_t now_ns);
/* An entry for a path or route, to be unpinned with that; its resolution starts at the next poll. NEIGHBOUR_NONE: full.
 */
uint32_t resolve_pin(struct datapath *dp, uint16_t port, const struct addr *a);

/* arp.c, control. */
struct arp {
	uint16_t operation;
	uint8_t sender_mac[6];
	uint32_t sender_be, target_be;
};
/* A frame with its Ethernet header. False: not Ethernet/IPv4 ARP, or malformed. RFC 826. */
bool arp_decode(struct bytes frame, struct arp *ret_arp);
/* DROP_NONE: heeded, or nobody's business here. */
enum drop_reason arp_input(
	struct datapath *dp, const struct rte_mbuf *m, const struct datapath_host *host, uint64_t now_ns);
/* Who has this address? mac: asked alone; NULL: everybody. */
void arp_ask(struct datapath *dp, uint16_t port, const struct addr *target, const uint8_t *mac);

/* nd.c. */
enum nd_type {
	ND_ROUTER_SOLICITATION = 133,
	ND_ROUTER_ADVERTISEMENT,
	ND_SOLICITATION,
	ND_ADVERTISEMENT,
	ND_REDIRECT,
};
struct nd {
	uint8_t type; /* ND_SOLICITATION or ND_ADVERTISEMENT */
	bool solicited, override;
	bool dad; /* source unspecified: somebody wants to use the target */
	struct addr source, destination, target;
	uint8_t frame_mac[6]; /* who sent the frame */
	bool has_mac;         /* the option that fits the type was there */
	uint8_t mac[6];
};
/* Any thread: a frame with its Ethernet header. DROP_NONE, DROP_ND (RFC 4861 7.1), DROP_ND_IGNORED. */
enum drop_reason nd_decode(struct bytes frame, struct nd *ret_nd);
/* Control. DROP_NONE: heeded, or nobody's business here. */
enum drop_reason nd_input(
	struct datapath *dp, const struct rte_mbuf *m, const struct datapath_host *host, uint64_t now_ns);
/* Control: the same question as arp_ask. RFC 4861 7.2.2, 7.3.3. */
void nd_ask(struct datapath *dp, uint16_t port, const struct addr *target, const uint8_t *mac);
/* Control: does anybody have this address, that we would like to use (RFC 4862 5.4.2)? */
void nd_probe(struct datapath *dp, uint16_t port, const uint8_t target[16]);
/* Control: tells a link that an address is ours (RFC 4861 7.2.6). */
void nd_announce(struct datapath *dp, uint16_t port, const uint8_t target[16]);
/* Any thread: RFC 4291 2.7.1. */
void nd_solicited_node(const uint8_t target[16], uint8_t ret_group[16]);
