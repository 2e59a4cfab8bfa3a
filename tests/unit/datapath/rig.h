/* SPDX-License-Identifier: BSD-3-Clause */
/* The rig of the datapath's tests: EAL without hugepages, a gateway of two net_ring ports whose workers run by hand,
 * frames in and out, and what control was told. Port 0 is 10.1.0.1/24 and 2001:db8:1::1/64, port 1 is 192.0.2.1/24 and
 * 2001:db8:f::1/64. */
#pragma once

#include <rte_icmp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "stages_priv.h"

#define LAN 0
#define WAN 1

#define LAN_OWN  "10.1.0.1"
#define LAN_HOST "10.1.0.2"
#define WAN_OWN  "192.0.2.1"
#define WAN_PEER "192.0.2.2"
#define WAN_GW   "192.0.2.254"
#define FAR_HOST "10.2.0.2"

#define LAN_OWN6  "2001:db8:1::1"
#define LAN_HOST6 "2001:db8:1::2"
#define WAN_OWN6  "2001:db8:f::1"
#define WAN_PEER6 "2001:db8:f::2"
#define WAN_GW6   "2001:db8:f::fe"
#define FAR_HOST6 "2001:db8:2::2"

#define RIG_NEIGHBOURS 6 /* static ones */

#define SECOND_NS 1000000000ull

struct rig {
	struct ipsec *ips;
	struct datapath *dp;
	struct rte_ring *to[2], *from[2]; /* towards and from the gateway's ports */
	uint32_t mbufs;                   /* free at the start */
	uint64_t now_ns;
	bool four, six; /* families of the ports */
	/* what control was told */
	struct datapath_ike ike;
	uint8_t ike_data[2048];
	unsigned ike_count, event_count;
	struct datapath_event event;
	struct addr behind_tunnel; /* what control answers for */
};

extern struct rig rig;

/* Starts EAL once per program; exits when it cannot. */
void rig_eal(void);
/* A gateway with so many workers, no rules; LAN_HOST, WAN_PEER and WAN_GW are static neighbours, and their IPv6 likes;
 * default routes WAN_GW and WAN_GW6. */
void rig_open(uint16_t workers);
/* The same, and fragments are put together. */
void rig_open_reassembly(uint16_t workers);
/* The same with one worker and addresses, neighbours and routes of some families only. */
void rig_open_families(bool four, bool six);
/* As if the time of every datagram that waits for fragments were over. */
void rig_forget_fragments(void);
/* Takes it down. True when every mbuf had come back to the pool and no frame was left over. */
bool rig_done(void);
#define rig_close() CU_ASSERT(rig_done())

/* Rules so far are replaced by these; text "protect 0 10.1.0.0/24 10.2.0.0/24", "await .." (packets wait for
 * an SA), "bypass ..", "discard ..". */
void rig_policy(const char *const *rules, size_t count);
#define RIG_POLICY(...)                                                                                                \
	do {                                                                                                           \
		const char *const rules_[] = { __VA_ARGS__ };                                                          \
		rig_policy(rules_, ARRAY_LEN(rules_));                                                                 \
	} while (0)

/* Words about a packet to send, of the family of its addresses; zero fields get sensible values. */
struct probe {
	const char *src, *dst;
	uint8_t protocol; /* UDP; IPv6: of the first header */
	uint8_t ttl;      /* 64 */
	uint16_t bytes;   /* IP packet; default 60 */
	uint16_t sport, dport;
	uint16_t fragment;   /* IPv4: flags and offset, host order */
	const void *payload; /* behind the IP header; NULL: ports and a pattern, ICMP: echo request */
	uint16_t payload_bytes;
};

uint32_t ip4(const char *text); /* network order */
void ip6(const char *text, uint8_t ret_addr[16]);
/* A packet in a buffer of the rig's pool, without Ethernet header. */
struct rte_mbuf *rig_packet(const struct probe *p);
/* The same as a frame to a port's MAC. */
void rig_send(uint16_t port, const struct probe *p);
void rig_send_frame(uint16_t port, const void *frame, uint16_t bytes);
void rig_send_mbuf(uint16_t port, struct rte_mbuf *m);
/* All workers until nothing moves, without control. */
void rig_step(void);
/* Control's poll at rig.now_ns, then the workers again. */
void rig_poll(void);
/* The next frame a port sent, or NULL; the caller frees it. */
struct rte_mbuf *rig_receive(uint16_t port);
/* How many frames a port sent; frees them. */
unsigned rig_sent(uint16_t port);
uint64_t rig_drops(enum drop_reason r);
uint64_t rig_counter(enum datapath_counter c);
struct rte_ipv4_hdr *frame_ip(struct rte_mbuf *frame);
struct rte_ipv6_hdr *frame_ip6(struct rte_mbuf *frame);
/* True when an IPv6 address is the one written. */
bool ip6_is(const uint8_t addr[16], const char *text);
bool ip_checksum_valid(const struct rte_ipv4_hdr *ip);

/* Sends, lets the workers run and says what became of it: exactly one drop of this reason and nothing sent. */
bool dropped_as(uint16_t port, const struct probe *p, enum drop_reason reason);
/* The same, but its sender is told by an ICMP error of its family with this type (high byte) and code. */
bool refused_as(uint16_t port, const struct probe *p, enum drop_reason reason, uint16_t type_code);
/* The next frame of a port is such an error. */
bool is_refusal(uint16_t port, uint16_t type_code);
