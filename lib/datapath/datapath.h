/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the datapath room: DPDK ports, worker loops and the narrow seam to the control core. Workers own
 * packets; control publishes snapshots and neighbours, injects packets and reads counters. */
#pragma once

#include "base.h"
#include "ipsec.h"
#include "model.h"

#define DATAPATH_PORTS_MAX 32

struct datapath;

/* What a worker does without packets: spin; pause, yield, sleep shortly; the CPU's pause of some microseconds; the same
 * until a descriptor changes; sleep until a device interrupts. */
enum datapath_idle { DATAPATH_POLL, DATAPATH_ADAPTIVE, DATAPATH_PAUSE, DATAPATH_MONITOR, DATAPATH_INTERRUPT };

/* How long a packet waits for the SA that its policy asks for: as long as a TCP SYN until it is sent a third time. */
#define DATAPATH_AWAIT_S 3

/* Reverse-path check of what comes in clear (RFC 3704): none; some route but the default one leads to the source; the
 * route to the source leads back through the port. */
enum datapath_rpf { DATAPATH_RPF_OFF, DATAPATH_RPF_LOOSE, DATAPATH_RPF_STRICT };

struct datapath_port_config {
	char name[64];   /* interface name of the configuration */
	char device[64]; /* DPDK device name ("net_af_packet0", "0000:01:00.0") as rte_eth_dev_get_port_by_name knows it
			  */
	struct prefix address;  /* IPv4; ADDR_NONE: none */
	struct prefix address6; /* IPv6; ADDR_NONE: none */
	struct addr link_local; /* ADDR_NONE: made of the MAC if the port has IPv6. One of the three is there */
	uint16_t mtu;
	enum datapath_rpf rpf;
	uint16_t vlan; /* 0: untagged. Ports of one device differ in it */
	bool proxies;  /* IPv6 addresses of its subnet may lie behind tunnels: see answers_for */
};

/* What is believed of ICMP errors that come from the unprotected side about our own SAs (RFC 4301 6.1.1), and what is
 * told to hosts behind us. */
struct datapath_icmp {
	bool path_mtu;   /* packet too big: DATAPATH_PATH_MTU */
	bool errors;     /* all others: DATAPATH_ICMP_ERROR */
	bool prohibited; /* who sends what a discard rule ends is told so (RFC 4301 5.1.1) */
};

/* Of fragments for ourselves, and of others where ports decide about them. */
struct datapath_reassembly {
	uint16_t datagrams;     /* that wait at once, for each worker; 0: none is put together */
	uint16_t fragments;     /* of a datagram, at most */
	uint32_t timeout_ms;    /* for the rest of a datagram */
	uint32_t large_buffers; /* for datagrams larger than a packet buffer */
};

/* Neighbour discovery; of ARP the last two. Zero: as the RFCs have it. */
struct datapath_neighbour_timers {
	uint8_t dad_probes;     /* RFC 4862 5.1 DupAddrDetectTransmits; 0: our addresses are used unasked */
	uint32_t retransmit_ms; /* RFC 4861 10 RETRANS_TIMER: between questions, and after the last probe */
	uint32_t reachable_ms;  /* REACHABLE_TIME: how long an answer counts */
};

struct datapath_config {
	uint16_t workers; /* EAL worker lcores, in order */
	bool flow_rules;  /* devices are asked for rules by SPI, see datapath_steer_create */
	uint16_t active;  /* the first so many take part, see datapath_workers_set; 0: all */
	enum datapath_idle idle;
	uint32_t mbufs;
	bool mss_clamp;
	uint32_t flow_entries; /* of each worker's flow cache and family; 0: no cache */
	struct datapath_icmp icmp;
	struct datapath_reassembly reassembly;
	struct datapath_neighbour_timers neighbours;
	size_t port_count;
	struct datapath_port_config ports[DATAPATH_PORTS_MAX];
};

/* Control, after rte_eal_init: configures pools, rings, ports and their queues. NULL with text in ret_reason. Borrows
 * ips. */
struct datapath *datapath_create(
	struct ipsec *ips, const struct datapath_config *config, char *ret_reason, size_t reason_capacity);
/* Starts ports and workers. 0 or -errno with text in ret_reason. */
int datapath_start(struct datapath *dp, char *ret_reason, size_t reason_capacity);
/* Ends the workers (injected packets are sent first), stops the ports. */
void datapath_stop(struct datapath *dp);
void datapath_free(struct datapath *dp);

/* ---- what control publishes ------------------------------------------------------------------------------------- */

struct datapath_route {
	struct prefix prefix;
	struct addr via; /* neighbour on a connected interface */
	bool on_port; /* the interface is `port`, as a link-local `via` needs; else the one in whose subnet `via` is */
	uint16_t port;
};

/* Everything configured that a packet's verdict depends on. Connected routes and own addresses come from the ports. */
struct datapath_snapshot {
	const struct spd_rule *rules;
	size_t rule_count;
	const struct datapath_route *routes;
	size_t route_count;
};

/* Control: builds a snapshot completely, publishes it with one release store, reclaims the old. 0 or -EINVAL / -ENOMEM
 * with a reason; the old one stays then. */
int datapath_publish(struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason);

/* The same in steps, for who has something to do in between: routes before the SAs that need them, policies behind. */
struct datapath_prepared;
/* Control: what is to be compiled, with its next hops looked up, which is quick; changes nothing that packets meet.
 * Borrows the rules until datapath_compile has returned. The caller's, for datapath_prepared_free. NULL with a reason.
 */
struct datapath_prepared *datapath_prepare(
	struct datapath *dp, const struct datapath_snapshot *s, const char **ret_reason);
/* Any thread but a worker's, which has p to itself meanwhile: compiles policies and routes, which may take seconds.
 * Touches nothing of the datapath. 0, or -EINVAL with a reason. */
int datapath_compile(struct datapath_prepared *p, const char **ret_reason);
/* Any thread: whether the compiled routes lead to an address. */
bool datapath_prepared_reaches(const struct datapath_prepared *p, const struct addr *a);
/* Control: publish the part that was compiled, once each. */
void datapath_publish_routes(struct datapath *dp, struct datapath_prepared *p);
void datapath_publish_policies(struct datapath *dp, struct datapath_prepared *p);
void datapath_prepared_free(struct datapath_prepared *p); /* with what was not published; accepts NULL */

/* Control: routes spec->remote and builds the path (neighbour looked up or created, its resolution started). 0,
 * -EHOSTUNREACH. */
int datapath_path_create(struct datapath *dp, const struct path_spec *spec, struct path **ret_path);

/* Control: from now on the first `active` workers take part, at most as many as there are. Queues, buckets and outbound
 * SAs move step by step while control polls; no packet is lost by it. 0, -EINVAL. */
int datapath_workers_set(struct datapath *dp, uint16_t active);
/* Control: false while something still moves. */
bool datapath_workers_settled(const struct datapath *dp);

/* Control: the worker that will receive what a peer sends to an address of ours, or WORKER_NONE: not foreseeable. An
 * inbound SA in one of its buckets needs no handing over. */
uint8_t datapath_worker_predict(const struct datapath *dp, const struct addr *local, const struct addr *remote);

/* Control: asks the device that receives from a peer to bring the packets of an inbound SA to a queue of the SA's
 * owner, and after owners have changed to the new one's. NULL: it has one queue, or no such rules; the packets are
 * handed over then, as they are while a device has no room for the rule. */
struct datapath_steer_spec {
	uint32_t spi;
	bool ah, udp; /* else raw ESP */
	struct addr remote;
	uint16_t table_id; /* of remote */
};
struct datapath_steer;
struct datapath_steer *datapath_steer_create(struct datapath *dp, const struct datapath_steer_spec *s);
void datapath_steer_free(struct datapath *dp, struct datapath_steer *steer); /* accepts NULL */

/* Control: a static neighbour of either family, also a link-local one. 0, -EINVAL (not on the link of that port),
 * -ENOSPC. */
int datapath_neighbour_add(struct datapath *dp, uint16_t port, const struct addr *a, const uint8_t mac[6]);
/* Control: a static neighbour is one no more; who needs it has it resolved. 0, -ENOENT. */
int datapath_neighbour_remove(struct datapath *dp, uint16_t port, const struct addr *a);

/* Control: sends a UDP datagram from one of our IPv4 addresses, routed by a worker; adds the non-ESP marker when asked.
 * Fragments at the MTU when needed. 0, -ENOBUFS (pool or ring), -EMSGSIZE (IPv6 too). */
int datapath_send_udp(struct datapath *dp, const struct endpoint *local, const struct endpoint *remote,
	struct bytes data, bool non_esp_marker);

/* ---- what control gets ------------------------------------------------------------------------------------------ */

enum datapath_event_kind {
	/* tunnel_slot: a packet needs an SA (trap), or is outside of what those there carry; local, remote, protocol,
	 * has_ports: its own. At most once a second and slot */
	DATAPATH_NO_SA,
	DATAPATH_UNKNOWN_SPI, /* spi, remote */
	DATAPATH_SA_FLAGS,    /* spi: an SA raised a flag; a hint, control sweeps as well */
	DATAPATH_PATH_MTU, /* somebody says that a packet of ours was too big; unauthenticated, may quote no SA of ours
			    */
	DATAPATH_ICMP_ERROR,    /* another ICMP error about one, likewise */
	DATAPATH_ADDRESS_TAKEN, /* local.addr of a port is another host's, of this MAC: it stays unused */
};

struct datapath_event {
	enum datapath_event_kind kind;
	uint32_t tunnel_slot, spi;
	struct endpoint remote;
	uint8_t protocol; /* DATAPATH_NO_SA */
	bool has_ports;   /* likewise; ICMP: type and code in local.port */
	/* ICMP errors: the quoted packet, which went from local to remote, ports only in UDP; and what is said of it */
	struct endpoint local;
	struct addr reporter;
	uint16_t mtu;          /* of the next hop; 0: not said */
	uint16_t quoted_bytes; /* length of the quoted packet */
	bool ah, udp;          /* else ESP, raw */
	uint8_t icmp_type, icmp_code;
	uint16_t port; /* DATAPATH_ADDRESS_TAKEN */
	uint8_t mac[6];
};

struct datapath_ike {
	struct endpoint local, remote;
	struct bytes data; /* IKE message without non-ESP marker; borrowed for the call */
};

struct datapath_host {
	void *context;
	void (*ike)(void *context, const struct datapath_ike *d);
	void (*event)(void *context, const struct datapath_event *e);
	/* Whether an address inside the subnet of a port lies behind a tunnel, so that we answer for it there; NULL:
	 * none does. */
	bool (*answers_for)(void *context, const struct addr *a);
};

/* Of an IKE SA, by our SPI of it: each class of messages has a ring to control and limits of its own. */
enum datapath_ike_sa {
	DATAPATH_IKE_NONE,    /* not here: such messages get little room */
	DATAPATH_IKE_OPENING, /* the peer has not proved who it is */
	DATAPATH_IKE_UP,
};

/* Control: what workers are to know of an IKE SA from now on. 0; -ENOSPC: there are too many, it counts as none. */
int datapath_ike_sa_set(struct datapath *dp, uint64_t spi, enum datapath_ike_sa state);

/* Readable when punts or events wait: for control's epoll. */
int datapath_event_fd(const struct datapath *dp);
/* Control: drains punt and event rings (bounded), runs ARP and neighbour discovery (answers,
 * resolution, hold queue, ageing), calls the host. */
void datapath_control_poll(struct datapath *dp, const struct datapath_host *host, uint64_t now_ns);
/* When datapath_control_poll wants to run again for its timers. */
uint64_t datapath_next_deadline(const struct datapath *dp);

/* ---- what the operator sees: all control, relaxed reads ------------------------------------------------------------
 */

/* Events that are not drops, per worker. */
#define DATAPATH_COUNTERS(X)                                                                                           \
	X(DP_C_RX, "rx_packets")                                                                                       \
	X(DP_C_TX, "tx_packets")                                                                                       \
	X(DP_C_ENCAP, "encapsulated")                                                                                  \
	X(DP_C_DECAP, "decapsulated")                                                                                  \
	X(DP_C_FORWARD_CLEAR, "forwarded_clear")                                                                       \
	X(DP_C_LOCAL, "delivered_locally")                                                                             \
	X(DP_C_ICMP_LIMITED, "icmp_not_sent_rate_limit")                                                               \
	X(DP_C_ICMP_SENT, "icmp_sent")                                                                                 \
	X(DP_C_MSS_CLAMPED, "mss_clamped")                                                                             \
	X(DP_C_FLOW_MISS, "flow_cache_misses")                                                                         \
	X(DP_C_OUTER_FRAGMENTED, "fragmented_outside")                                                                 \
	X(DP_C_ICMP_REPORTS, "icmp_errors_reported")                                                                   \
	X(DP_C_HANDOFF, "handed_off")                                                                                  \
	X(DP_C_PUNT_IKE, "punted_ike")                                                                                 \
	X(DP_C_PUNT_IKE_OPENING, "punted_ike_opening")                                                                 \
	X(DP_C_PUNT_IKE_NEW, "punted_ike_new")                                                                         \
	X(DP_C_PUNT_IKE_STRAY, "punted_ike_stray")                                                                     \
	X(DP_C_PUNT_LINK, "punted_link")                                                                               \
	X(DP_C_PUNT_ARP, "punted_arp")                                                                                 \
	X(DP_C_PUNT_ND, "punted_nd")                                                                                   \
	X(DP_C_PUNT_MLD, "punted_mld")                                                                                 \
	X(DP_C_REASSEMBLED, "reassembled")                                                                             \
	X(DP_C_HELD, "held_for_neighbour")                                                                             \
	X(DP_C_AWAIT, "held_for_sa")                                                                                   \
	X(DP_C_AWAIT_FULL, "held_for_sa_full")                                                                         \
	X(DP_C_AWAIT_TIMEOUT, "held_for_sa_timeout")                                                                   \
	X(DP_C_INJECTED, "injected")

#define DATAPATH_COUNTER_ENUM(name, keyword) name,
enum datapath_counter { DATAPATH_COUNTERS(DATAPATH_COUNTER_ENUM) DATAPATH_COUNTER_COUNT };
const char *datapath_counter_name(enum datapath_counter c);
const char *datapath_stage_name(enum cycle_stage s);

struct datapath_worker_stats {
	uint16_t lcore, cpu;
	uint16_t rx_queues, buckets; /* that it polls; of SPIs whose SAs it owns */
	uint64_t loops, busy_cycles, idle_cycles;
	uint64_t packets, bursts; /* taken from ports and rings, in so many portions */
	/* of the loops that were measured, with the packets these handled */
	uint64_t stage_cycles[CYCLE_STAGE_COUNT], measured_loops, measured_packets;
	uint64_t counters[DATAPATH_COUNTER_COUNT];
	uint64_t drops[DROP_REASON_COUNT];
};

/* RFC 4862 5.4: of an IPv6 address of ours. */
enum datapath_address_state {
	DATAPATH_ADDRESS_VALID,
	DATAPATH_ADDRESS_TENTATIVE, /* not used yet: who has it is being asked */
	DATAPATH_ADDRESS_DUPLICATE, /* not used: another host has it */
};

struct datapath_port_stats {
	char name[64], device[64], driver[64];
	uint8_t mac[6];
	struct prefix address, address6; /* ADDR_NONE: none */
	struct addr link_local;          /* ADDR_NONE: none */
	enum datapath_address_state address6_state, link_local_state;
	uint16_t mtu, vlan, rx_queues, tx_queues;
	bool link_up;
	/* of the device, which ports may share */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf;
	uint64_t drops[DROP_REASON_COUNT]; /* of packets that came in through this port */
};

/* RFC 4861 7.3.2 without DELAY, as no upper layer of a gateway could prove anything meanwhile. */
enum neighbour_state {
	NEIGHBOUR_FREE,
	NEIGHBOUR_INCOMPLETE, /* asked for, no MAC */
	NEIGHBOUR_REACHABLE,  /* answered a question of ours not long ago */
	NEIGHBOUR_STALE,      /* its MAC is used; asked as soon as somebody does */
	NEIGHBOUR_PROBE,      /* its MAC is used, and it is being asked */
	NEIGHBOUR_STATIC,
};

struct datapath_neighbour {
	struct addr addr;
	uint16_t port;
	enum neighbour_state state;
	uint8_t mac[6];
};

uint16_t datapath_worker_count(const struct datapath *dp);
void datapath_worker_stats_read(const struct datapath *dp, uint16_t worker, struct datapath_worker_stats *ret_stats);
uint16_t datapath_port_count(const struct datapath *dp);
/* Control: whether the link of a port has a carrier. */
bool datapath_link_up(const struct datapath *dp, uint16_t port);
/* Control: asks the device, too. */
void datapath_port_stats_read(struct datapath *dp, uint16_t port, struct datapath_port_stats *ret_stats);
/* Fills up to capacity entries; returns how many exist. */
size_t datapath_neighbours_read(const struct datapath *dp, struct datapath_neighbour *ret_neighbours, size_t capacity);
/* Where packets to this address go next: the neighbour, its port and state (NEIGHBOUR_FREE: nothing is known of it).
 * Control; changes nothing. 0, -EHOSTUNREACH. */
int datapath_next_hop_read(const struct datapath *dp, const struct addr *a, struct datapath_neighbour *ret_neighbour);
/* Most addresses of a family beside those of ports. */
#define DATAPATH_VIRTUAL_MAX 64
/* Control: an address of ours that no port has, such as one that a peer gave us: what comes to it is for us. It is one
 * until it is removed as often as it was added. 0, -ENOSPC. */
int datapath_address_add(struct datapath *dp, const struct addr *a);
void datapath_address_remove(struct datapath *dp, const struct addr *a);
/* True when this address is one of the ports' own; *ret_port its port (may be NULL). */
bool datapath_address_local(const struct datapath *dp, const struct addr *a, uint16_t *ret_port);
/* Control: counts what a worker reported and control ended, by name; shown with the drops of worker 0. */
void datapath_drop_count(struct datapath *dp, enum drop_reason reason);
/* Free mbufs in the pool: tests compare it before and after. */
uint32_t datapath_mbufs_free(const struct datapath *dp);
/* The same of the large ones for reassembled datagrams; 0 when there are none. */
uint32_t datapath_large_free(const struct datapath *dp);

/* ---- explain: what a packet would meet --------------------------------------------------------------------------- */

#define DATAPATH_PORT_ANY UINT16_MAX

/* A packet nobody sent. */
struct datapath_query {
	struct addr src, dst;  /* of one family */
	uint8_t protocol;      /* 0: any; only rules for every protocol match then */
	bool has_ports;        /* false: as a later fragment */
	uint16_t sport, dport; /* ICMP, ICMPv6: type and code */
	uint16_t port;         /* that it comes in through; DATAPATH_PORT_ANY: the one its source is behind */
};

enum datapath_end {
	DATAPATH_END_DROPPED,
	DATAPATH_END_SEALED,   /* through the SA to the next hop */
	DATAPATH_END_CLEAR,    /* to the next hop as it is */
	DATAPATH_END_IKE,      /* to control */
	DATAPATH_END_ANSWERED, /* an echo request for one of our addresses */
	DATAPATH_END_OPENED,   /* ESP or AH for one of our addresses: its SPI decides */
};

/* One way through the gateway. */
struct datapath_walk {
	enum datapath_end end;
	enum drop_reason reason; /* of DROPPED */
	bool protect;            /* tunnel_slot is set: of the rule that protects it */
	uint32_t tunnel_slot;
	const struct sa *sa; /* outbound; NULL: none is up. Control's until its next reclaim_poll */
	uint8_t owner;       /* worker of the SA; WORKER_NONE: the first that needs it */
	bool routed;         /* next_hop is known, as far as it goes, and mtu */
	struct datapath_neighbour next_hop;
	uint16_t mtu; /* largest packet, as it came, that fits */
};

struct datapath_explanation {
	bool local;        /* one of our own addresses sends it: clear is the way of our answer */
	uint16_t port;     /* it comes in through; DATAPATH_PORT_ANY: its source is behind none */
	uint8_t rx_worker; /* WORKER_NONE: several queues */
	struct spd_verdict leaving, arriving;
	struct flow arriving_flow; /* what an inbound SA's selectors are asked about */
	struct datapath_walk clear;
	bool brought; /* a rule says that a tunnel brings it, the one of arriving: tunnelled is its way from there */
	struct datapath_walk tunnelled;
};

/* Control: walks the workers' own functions with a packet of TTL 64 that is never sent. Changes nothing.
 * 0, -EINVAL (families differ). */
int datapath_explain(
	const struct datapath *dp, const struct datapath_query *query, struct datapath_explanation *ret_explanation);

/* ---- capture: copies of packets ---------------------------------------------------------------------------------- */

/* Where a packet was when it was copied: in clear and sealed packets begin at their IP header, those of ports at their
 * Ethernet header. */
enum datapath_capture_point {
	CAPTURE_CLEAR_OUT, /* before it is sealed */
	CAPTURE_SEALED_OUT,
	CAPTURE_SEALED_IN, /* before it is opened */
	CAPTURE_CLEAR_IN,
	CAPTURE_PORT_IN,
	CAPTURE_PORT_OUT,
};

struct datapath_capture_spec {
	bool of_port; /* else of the SAs of tunnel slots */
	uint16_t port;
	uint32_t first_slot, slot_count;
	bool clear, sealed; /* which sides, of a tunnel */
	uint16_t snaplen;   /* bytes of each packet that are kept */
};

struct datapath_captured {
	enum datapath_capture_point point;
	enum drop_reason reason; /* it went no further */
	uint64_t cycles;         /* of the TSC */
	uint32_t length;
	struct bytes data; /* borrowed for the call */
};

/* Control: workers copy packets from now on, without ever waiting: what finds a ring full is lost and counted. One
 * capture at a time. 0, -EINVAL, -EBUSY, -ENOMEM. */
int datapath_capture_start(struct datapath *dp, const struct datapath_capture_spec *spec);
/* Control: they stop; a last few copies may still come. */
void datapath_capture_stop(struct datapath *dp);
/* Control: gives at most budget copies of each worker to `take`. Returns how many. */
size_t datapath_capture_drain(struct datapath *dp, size_t budget,
	void (*take)(void *context, const struct datapath_captured *packet), void *context);
/* Control: none runs and nothing more will come. */
bool datapath_capture_settled(const struct datapath *dp);
/* Control: copies the running one has lost so far. */
uint64_t datapath_capture_lost(const struct datapath *dp);

/* ---- trace: the stages that sampled packets pass ----------------------------------------------------------------- */

#define DATAPATH_TRACE_PACKETS_MAX 256

/* What a record says, with its two values: X(stage, keyword, what, which) */
#define DATAPATH_TRACE_STAGES(X)                                                                                       \
	X(TRACE_RECEIVED, "received", "port", "bytes")                                                                 \
	X(TRACE_TAKEN, "taken", "", "")                                                                                \
	X(TRACE_CLEAR, "clear", "origin", "bytes")                                                                     \
	X(TRACE_LOCAL, "local", "origin", "bytes")                                                                     \
	X(TRACE_SEALED, "sealed", "", "spi")                                                                           \
	X(TRACE_PROTECT, "protect", "", "slot")                                                                        \
	X(TRACE_FORWARD, "forward", "port", "")                                                                        \
	X(TRACE_REFUSE, "refuse", "reason", "")                                                                        \
	X(TRACE_HANDED, "handed", "worker", "")                                                                        \
	X(TRACE_PARKED, "parked", "", "")                                                                              \
	X(TRACE_AWAITS, "awaits_sa", "slot", "")                                                                       \
	X(TRACE_ENCRYPTED, "encrypted", "", "spi")                                                                     \
	X(TRACE_OPENED, "opened", "", "spi")                                                                           \
	X(TRACE_NEXT_HOP, "next_hop", "port", "")                                                                      \
	X(TRACE_PUNTED, "punted", "class", "")                                                                         \
	X(TRACE_SENT, "sent", "port", "bytes")                                                                         \
	X(TRACE_DROPPED, "dropped", "reason", "")

#define DATAPATH_TRACE_ENUM(stage, keyword, what, which) stage,
enum datapath_trace_stage { DATAPATH_TRACE_STAGES(DATAPATH_TRACE_ENUM) DATAPATH_TRACE_STAGE_COUNT };

/* Which packets: all that arrive, or those that all of these apply to. */
struct datapath_trace_spec {
	uint32_t count, every;           /* at most so many, the first of every so many */
	struct prefix src, dst;          /* ADDR_NONE: any. Of the packet in clear, or as it arrives */
	uint32_t first_slot, slot_count; /* 0: any. Into or out of the SAs of these tunnel slots */
	uint32_t spi;                    /* 0: any. Inbound */
};

struct datapath_trace_record {
	uint64_t cycles; /* of the TSC */
	uint32_t packet; /* number of the sample */
	uint32_t which;
	uint16_t what;
	uint8_t stage; /* enum datapath_trace_stage */
	uint8_t worker;
	uint32_t reserved;
};

struct datapath_trace_row {
	const char *name, *what, *which; /* of the table above */
};

/* Of a record's stage; never NULL. */
const struct datapath_trace_row *datapath_trace_row(uint8_t stage);
/* Values that are names: of an origin, of a class of packets for control. */
const char *datapath_trace_origin_name(uint16_t origin);
const char *datapath_trace_class_name(uint16_t class);

/* Control: samples from now on; records of a trace before are forgotten. 0, -EINVAL, -EBUSY, -ENOMEM. */
int datapath_trace_start(struct datapath *dp, const struct datapath_trace_spec *spec);
/* Control: no more. Packets on their way may still leave a record. */
void datapath_trace_stop(struct datapath *dp);
bool datapath_trace_running(const struct datapath *dp);
/* Control: takes the records there are, at most capacity; those of one worker in their order. */
size_t datapath_trace_read(struct datapath *dp, struct datapath_trace_record *ret_records, size_t capacity);
/* Control: records that found their ring full. */
uint64_t datapath_trace_lost(const struct datapath *dp);
