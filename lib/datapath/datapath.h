/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the datapath room: DPDK ports, worker loops and the narrow seam to the control core. Workers own
 * packets; control publishes snapshots and neighbours, injects packets and reads counters. */
#pragma once

#include "base.h"
#include "ipsec.h"
#include "model.h"

#define DATAPATH_PORTS_MAX 32

struct datapath;

enum datapath_idle { DATAPATH_POLL, DATAPATH_ADAPTIVE };

struct datapath_port_config {
	char name[64];   /* interface name of the configuration */
	char device[64]; /* DPDK device name ("net_af_packet0", "0000:01:00.0") as rte_eth_dev_get_port_by_name knows it
			  */
	struct prefix address;  /* IPv4; ADDR_NONE: none */
	struct prefix address6; /* IPv6; ADDR_NONE: none. One of the two is there */
	uint16_t mtu;
};

/* Of fragments for ourselves, and of others where ports decide about them. */
struct datapath_reassembly {
	uint16_t datagrams;     /* that wait at once, for each worker; 0: none is put together */
	uint16_t fragments;     /* of a datagram, at most */
	uint32_t timeout_ms;    /* for the rest of a datagram */
	uint32_t large_buffers; /* for datagrams larger than a packet buffer */
};

struct datapath_config {
	uint16_t workers; /* EAL worker lcores, in order */
	enum datapath_idle idle;
	uint32_t mbufs;
	bool mss_clamp;
	struct datapath_reassembly reassembly;
	size_t port_count;
	struct datapath_port_config ports[DATAPATH_PORTS_MAX];
};

/* Control, after rte_eal_init: configures pools, rings, ports and their queues. NULL with text in ret_reason. Borrows
 * ips. */
struct datapath *datapath_create(
	struct ipsec *ips, const struct datapath_config *config, char *ret_reason, size_t reason_capacity);
/* Starts ports and workers. 0 or -errno. */
int datapath_start(struct datapath *dp);
/* Ends the workers (injected packets are sent first), stops the ports. */
void datapath_stop(struct datapath *dp);
void datapath_free(struct datapath *dp);

/* ---- what control publishes ------------------------------------------------------------------------------------- */

struct datapath_route {
	struct prefix prefix;
	struct addr via; /* neighbour on a connected interface */
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

/* Control: routes spec->remote and builds the path (neighbour looked up or created, resolution of an IPv4 one started;
 * an IPv6 one has to be static). 0, -EHOSTUNREACH. */
int datapath_path_create(struct datapath *dp, const struct path_spec *spec, struct path **ret_path);

/* Control: a static neighbour of either family. 0, -EINVAL (no such subnet), -ENOSPC. */
int datapath_neighbour_add(struct datapath *dp, const struct addr *a, const uint8_t mac[6]);

/* Control: sends a UDP datagram from one of our IPv4 addresses, routed by a worker; adds the non-ESP marker when asked.
 * Fragments at the MTU when needed. 0, -ENOBUFS (pool or ring), -EMSGSIZE (IPv6 too). */
int datapath_send_udp(struct datapath *dp, const struct endpoint *local, const struct endpoint *remote,
	struct bytes data, bool non_esp_marker);

/* ---- what control gets ------------------------------------------------------------------------------------------ */

enum datapath_event_kind {
	DATAPATH_NO_SA,       /* tunnel_slot: a packet needs an SA (trap); repeated at most once a second and slot */
	DATAPATH_UNKNOWN_SPI, /* spi, remote */
	DATAPATH_SA_FLAGS,    /* spi: an SA raised a flag; a hint, control sweeps as well */
};

struct datapath_event {
	enum datapath_event_kind kind;
	uint32_t tunnel_slot, spi;
	struct endpoint remote;
};

struct datapath_ike {
	struct endpoint local, remote;
	struct bytes data; /* IKE message without non-ESP marker; borrowed for the call */
};

struct datapath_host {
	void *context;
	void (*ike)(void *context, const struct datapath_ike *d);
	void (*event)(void *context, const struct datapath_event *e);
};

/* Readable when punts or events wait: for control's epoll. */
int datapath_event_fd(const struct datapath *dp);
/* Control: drains punt and event rings (bounded), runs ARP (answers, resolution, hold queue, ageing), calls the host.
 */
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
	X(DP_C_HANDOFF, "handed_off")                                                                                  \
	X(DP_C_PUNT_IKE, "punted_ike")                                                                                 \
	X(DP_C_PUNT_ARP, "punted_arp")                                                                                 \
	X(DP_C_REASSEMBLED, "reassembled")                                                                             \
	X(DP_C_HELD, "held_for_neighbour")                                                                             \
	X(DP_C_INJECTED, "injected")

#define DATAPATH_COUNTER_ENUM(name, keyword) name,
enum datapath_counter { DATAPATH_COUNTERS(DATAPATH_COUNTER_ENUM) DATAPATH_COUNTER_COUNT };
const char *datapath_counter_name(enum datapath_counter c);

struct datapath_worker_stats {
	uint16_t lcore, cpu;
	uint64_t loops, busy_cycles, idle_cycles;
	uint64_t counters[DATAPATH_COUNTER_COUNT];
	uint64_t drops[DROP_REASON_COUNT];
};

struct datapath_port_stats {
	char name[64], device[64], driver[64];
	uint8_t mac[6];
	struct prefix address, address6; /* ADDR_NONE: none */
	uint16_t mtu, rx_queues, tx_queues;
	bool link_up;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_nombuf;
};

enum neighbour_state { NEIGHBOUR_FREE, NEIGHBOUR_INCOMPLETE, NEIGHBOUR_REACHABLE, NEIGHBOUR_STALE, NEIGHBOUR_STATIC };

struct datapath_neighbour {
	struct addr addr;
	uint16_t port;
	enum neighbour_state state;
	uint8_t mac[6];
};

uint16_t datapath_worker_count(const struct datapath *dp);
void datapath_worker_stats_read(const struct datapath *dp, uint16_t worker, struct datapath_worker_stats *ret_stats);
uint16_t datapath_port_count(const struct datapath *dp);
void datapath_port_stats_read(const struct datapath *dp, uint16_t port, struct datapath_port_stats *ret_stats);
/* Fills up to capacity entries; returns how many exist. */
size_t datapath_neighbours_read(const struct datapath *dp, struct datapath_neighbour *ret_neighbours, size_t capacity);
/* Where packets to this address go next: the neighbour, its port and state (NEIGHBOUR_FREE: nothing is known of it).
 * Control; changes nothing. 0, -EHOSTUNREACH. */
int datapath_next_hop_read(const struct datapath *dp, const struct addr *a, struct datapath_neighbour *ret_neighbour);
/* True when this address is one of the ports' own; *ret_port its port (may be NULL). */
bool datapath_address_local(const struct datapath *dp, const struct addr *a, uint16_t *ret_port);
/* Free mbufs in the pool: tests compare it before and after. */
uint32_t datapath_mbufs_free(const struct datapath *dp);
/* The same of the large ones for reassembled datagrams; 0 when there are none. */
uint32_t datapath_large_free(const struct datapath *dp);
