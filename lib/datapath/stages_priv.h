/* SPDX-License-Identifier: BSD-3-Clause */
/* The fixed list of stages a packet passes on a worker, in this order; each takes the packets it is given (they are its
 * own from then on) and passes them on, answers, or drops them by name. Owner worker only, all of them. */
#pragma once

#include "datapath_priv.h"

#define SPI_SEQUENCE_BYTES 8  /* SPI and sequence number follow each other in ESP (RFC 4303 2) and AH (RFC 4302 2) */
#define TCP_FLAGS_AT       13 /* RFC 9293 3.1 */
#define TCP_SYN            0x02

/* classify.c: received frames of one device into the worker's lists (clear, sealed, local) or to control. */
void classify_burst(struct worker *w, uint16_t device, struct rte_mbuf **frames, uint16_t n);
/* A frame's IP header: DROP_NONE, or why it ends here. m begins at the header; padding behind it is cut. */
enum drop_reason classify_ipv4(struct rte_mbuf *m);
enum drop_reason classify_ipv6(struct rte_mbuf *m);
/* A plain IPv4 packet whose header was checked, but for its addresses: into the list where it belongs, or to its end.
 */
void classify_addresses(struct worker *w, struct rte_mbuf *m);
/* Addresses of an IPv6 packet that came in on a port: DROP_NONE or DROP_MARTIAN. */
enum drop_reason classify_addresses6(const struct datapath *dp, const struct port *p, const struct rte_ipv6_hdr *ip);
/* classify.c: an IPv6 packet's extension headers. DROP_IP_HEADER: broken, or more than anybody needs; DROP_FRAGMENT:
 * the fragment hides what policy has to know. */
enum drop_reason classify_extensions(const struct rte_mbuf *m);

/* vlan.c: takes a frame's tag out and makes m->port the interface of its VLAN. DROP_NONE or why there is none. */
enum drop_reason vlan_take(const struct device *d, struct rte_mbuf *m);
/* vlan.c: puts the tag of an interface with a VLAN into a frame. 0 or -ENOBUFS. */
int vlan_insert(const struct port *p, struct rte_mbuf *m);
/* classify.c: a whole packet for one of our addresses into its list. */
void classify_own(struct worker *w, struct rte_mbuf *m);

/* defragment.c. Control: a worker's table, as large as the configuration says (of which mbufs may wait in it); none
 * when that is off. 0 or -1 without memory. */
int defragment_create(struct worker *w, uint32_t mbufs);
void defragment_free(struct worker *w);
/* Ends everything that waits. */
void defragment_flush(struct worker *w);
/* The bit of ol_flags for joined_flag; 0: no bit is left. */
uint64_t defragment_flag(void);
/* Buffers that hold the largest datagrams, with room for a tunnel's headers. NULL without memory. */
struct rte_mempool *defragment_pool_create(const struct datapath_reassembly *s, unsigned instance);
/* Takes a fragment to be put together by whichever worker; it is among the packets again as a whole. False: fragments
 * of this kind are handled one by one, m stays the caller's. */
bool defragment_push(struct worker *w, struct rte_mbuf *m, enum fragment_context kind);
/* The stage: the list `fragments` into the table or to another worker. */
void defragment_burst(struct worker *w);
/* Takes a fragment out of sa, whose owner this worker is. The whole datagram when this was what it missed, or NULL. */
struct rte_mbuf *defragment_inner(struct worker *w, struct rte_mbuf *m, const struct sa *sa);
/* Another assignment: what waits here and is now another worker's goes there, so that no rest of it is left to meet a
 * later datagram of the same identification. */
void defragment_part(struct worker *w);
/* Every loop, in front of the stages: ends what waited too long. True when something did; answers may be due. */
bool defragment_expire(struct worker *w);

/* inbound.c: the lists `sealed_plain` and `sealed` (outer IP packets for our addresses) through the SAD; handed over,
 * or decapsulated and routed. */
void inbound_sealed(struct worker *w);
/* inbound.c: a fragment out of an SA that waited in the table of a worker who has the SA no more: to its owner, who
 * takes it as if it had decapsulated it. By name where the SA has gone or is in no slot of the SAD
 * (sad.c). */
void inbound_inner_hand_on(struct worker *w, struct rte_mbuf *m, uint32_t spi);
void inbound_inner_take(struct worker *w, struct rte_mbuf *m, uint32_t spi);
/* inbound.c: a packet out of an SA of that slot that has waited: whose its addresses are may have changed meanwhile. */
void inbound_inner_again(struct worker *w, struct rte_mbuf *m, uint32_t slot);
/* inbound.c: the outbound SA that answers to what came out of a tunnel will take: of the child that has its source,
 * where the tunnel has several. NULL: none. */
const struct sa *inbound_sa_back(const struct worker *w, const struct rte_mbuf *m);

/* reverse_path.c: of packets that arrived in clear, those whose source the port's setting does not let in end here. */
void reverse_path_check(struct worker *w, struct list *l);
/* reverse_path.c: neighbour discovery's sources have no route: they are valid on every link. */
bool source_on_every_link(const struct rte_mbuf *m);

/* outbound.c: verdict for packets that arrived in clear, or were made here; ends in protect, forward, or a drop. */
void outbound_clear(struct worker *w, struct list *l, enum origin origin);
/* outbound.c: verdict for packets that came out of a tunnel to go on (the list `inner`). */
void outbound_tunnelled(struct worker *w);
/* Encrypts and sends what these collected. */
void outbound_flush(struct worker *w);
/* The packet's selector as if it left (local = source) or arrived (local = destination). */
static inline void packet_flow(const struct datapath *dp, const struct rte_mbuf *m, bool leaving, struct flow *ret_flow)
{
	flow_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, leaving, ret_flow);
	ret_flow->table_id = packet_table_id(dp, m);
}

/* Any thread: whether packets without an SA of this tunnel slot may wait for one. */
static inline bool policies_awaits(const struct policies *p, uint32_t slot)
{
	return slot < p->awaits_slots && p->awaits[slot / 64] >> slot % 64 & 1;
}

/* outbound.c: verdicts of the snapshot of this loop; without rules nothing matches. */
void policy_lookup(const struct worker *w, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts);

/* local.c: packets for our own addresses: IKE to control, echo answered, the rest dropped by name. Clear or tunnelled.
 */
void local_burst(struct worker *w, struct list *l, enum origin origin);
/* icmp_in.c: ICMP errors for our own address about packets of our SAs, in clear. True when m was one, and has gone. */
bool icmp_error_take(struct worker *w, struct rte_mbuf *m);
/* echo.c: turns an echo request into its reply in place; DROP_NONE or why not. m begins at the IP header. */
enum drop_reason echo_reply(struct rte_mbuf *m);

/* icmp_error.c: answers m with an ICMP error in place, or drops it; `reason` is counted either way. value: the MTU of a
 * packet too big, the pointer of a parameter problem. */
enum icmp_error {
	ICMP_ERROR_TTL,
	ICMP_ERROR_TOO_BIG,
	ICMP_ERROR_NO_ROUTE,
	ICMP_ERROR_NO_NEIGHBOUR,
	ICMP_ERROR_PROHIBITED, /* by a rule */
	ICMP_ERROR_REASSEMBLY, /* the rest of a datagram did not come; about its first fragment */
	/* parameter problems, IPv6 */
	ICMP_ERROR_HEADER_FIELD,
	ICMP_ERROR_UNKNOWN_HEADER,
	ICMP_ERROR_UNKNOWN_OPTION,
};
void icmp_error_send(struct worker *w, struct rte_mbuf *m, enum origin origin, enum icmp_error error, uint16_t value,
	enum drop_reason reason);

/* headers6.c: what is wrong with the extension headers of an IPv6 packet for us. */
struct header_fault {
	bool tell; /* its sender */
	enum icmp_error error;
	uint16_t pointer;        /* to the octet that is wrong */
	uint16_t upper_named_at; /* of the byte that names what follows them, when nothing is wrong */
};
/* Pure. DROP_NONE, or why it ends. m: lengths and chain were checked. */
enum drop_reason headers6_check(const struct rte_mbuf *m, struct header_fault *ret_fault);
/* True when the packet ended here. */
bool headers6_refuse(struct worker *w, struct rte_mbuf *m, enum origin origin);
/* The end of a packet of either family for us, that nobody took. */
void headers6_unhandled(struct worker *w, struct rte_mbuf *m, enum origin origin, enum drop_reason reason);

/* The way back to its source; never NULL. */
static inline const struct route *packet_source_route(const struct worker *w, const struct rte_mbuf *m)
{
	const struct routes_of_table *t = &w->snapshot->routes->tables[packet_table_id(w->dp, m)];

	return packet_is_ip6(m) ? route6_lookup(&t->six, ip6_source(packet_ip6(m)))
				: route_lookup(&t->four, packet_ip(m)->src_addr);
}

static inline bool packet_was_joined(const struct worker *w, const struct rte_mbuf *m)
{
	return m->ol_flags & w->dp->joined_flag;
}

/* What was in fragments goes on in fragments no larger than those, since its sender found out what fits; nor smaller
 * than what fits everywhere (RFC 8200 5; RFC 791 3.1 has every host take it). */
static inline uint16_t packet_mtu(const struct worker *w, const struct rte_mbuf *m, uint16_t mtu)
{
	if (likely(!packet_was_joined(w, m)))
		return mtu;
	uint32_t came = RTE_MAX(m->hash.fdir.hi, packet_is_ip6(m) ? 1280u : 576u);
	return (uint16_t)RTE_MIN((uint32_t)mtu, came);
}

/* forward.c: an IP packet whose policy verdict is in, along its route; forward_packet looks the route up. */
void forward_packet(struct worker *w, struct rte_mbuf *m, enum origin origin);
void forward_along(struct worker *w, struct rte_mbuf *m, enum origin origin, const struct route *r);
/* The neighbour that a packet's destination itself is. */
static inline uint32_t packet_neighbour(const struct worker *w, const struct rte_mbuf *m, uint16_t port)
{
	return packet_is_ip6(m) ? neighbour6_lookup(w->neighbours, port, ip6_destination(packet_ip6(m)))
				: neighbour_lookup(w->neighbours, port, packet_ip(m)->dst_addr);
}

/* forward.c: sends an IP packet that policy is not asked about (any more) to a neighbour of a port. on_link: it is the
 * packet's destination (NEIGHBOUR_NONE: to be resolved); else one that a path or route pins. */
void forward_egress(struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour, bool on_link);
/* forward.c: the same for one that this loop's policy lets leave in clear. */
void forward_egress_as(
	struct worker *w, struct rte_mbuf *m, uint16_t port, uint32_t neighbour, bool on_link, enum origin origin);
/* forward.c: what we say to a link-local address, on the link of m->port: no route and no policy leads there. */
void forward_link_local(struct worker *w, struct rte_mbuf *m);
/* forward.c: a complete frame to its port; of which origin the packet in it is. */
void forward_frame(struct worker *w, struct rte_mbuf *m, uint16_t port, enum origin origin);
/* forward.c: gives a port what was collected for it. Returns packets sent. */
uint32_t forward_port_flush(struct worker *w, uint16_t port);
/* forward.c: gives the ports what was collected. Returns packets sent. */
uint32_t forward_flush(struct worker *w);

/* The pure halves: icmp4.c (RFC 792, RFC 1191, RFC 1812 4.3.2) and icmp6.c (RFC 4443 2.4, 3). They make the error out
 * of the offending packet. 0, or -EPERM when there may be none about it, -ENOBUFS without headroom; m is unchanged
 * then.
 */
int icmp4_error_build(struct rte_mbuf *m, uint32_t source_be, enum icmp_error error, uint16_t value, uint16_t ip_id);
int icmp6_error_build(struct rte_mbuf *m, const uint8_t source[16], enum icmp_error error, uint16_t value);
bool icmp4_error_forbidden(const struct rte_mbuf *m);
bool icmp6_error_forbidden(const struct rte_mbuf *m, enum icmp_error error);

/* Of one packet: more than the longest one makes in the smallest tunnel there is, over a path of 296 bytes (the least
 * `system.icmp.floor`). */
#define FRAGMENTS_MAX 512
/* fragment.c: RFC 791 3.2. Copies m into at most `capacity` fresh mbufs of at most mtu bytes; m stays the caller's.
 * Returns how many, or -ENOBUFS / -EMSGSIZE. */
int fragment_packet(struct rte_mempool *pool, const struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_fragments,
	uint16_t capacity);
/* fragment6.c: RFC 8200 4.5, for an IPv6 packet without a fragment header that this gateway makes; identification: of
 * all its fragments, not to be guessed (RFC 7739): ipsec_worker_random. Otherwise as fragment_packet; -EMSGSIZE also
 * when the first fragment would not show all headers. */
int fragment6_packet(struct rte_mempool *pool, const struct rte_mbuf *m, uint16_t mtu, uint32_t identification,
	struct rte_mbuf **ret_fragments, uint16_t capacity);
/* fragment.c: the name of why there are none; -EIO: no identification. */
enum drop_reason fragment_fault(int error);
/* fragment.c: whether this worker may cut the packet: IPv4 without DF; IPv6 made here, or put together here. */
bool fragment_allowed(const struct worker *w, const struct rte_mbuf *m, enum origin origin);
/* fragment.c: what becomes of a packet larger than mtu: where it may not be cut an ICMP error, else at most
 * FRAGMENTS_MAX fragments, the TTL already one less. Takes m; returns how many fragments there are, 0 when the packet
 * ended here. */
uint16_t fragment_or_answer(
	struct worker *w, struct rte_mbuf *m, enum origin origin, uint16_t mtu, struct rte_mbuf **ret_fragments);

/* oversize.c: true when a packet too large for the SA is sealed as it is, to be fragmented behind that. */
bool oversize_sealed_whole(const struct worker *w, const struct rte_mbuf *m, const struct sa *sa, enum origin origin);
/* oversize.c: fragments a sealed packet to the MTU of its path and sends it. */
void oversize_send(struct worker *w, struct rte_mbuf *m, const struct path *path);

static inline bool icmp_may_be_error(const struct flow *flow)
{
	return flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
}

/* icmp_flow.c: true when m is an ICMP error that quotes a packet of a flow that policy protects; the flow is the one
 * the error belongs to, and the slot its tunnel's. leaving: the error goes into the tunnel; else it should have come
 * out. */
bool icmp_flow_lookup(
	const struct worker *w, const struct rte_mbuf *m, bool leaving, struct flow *ret_flow, uint32_t *ret_slot);
/* icmp_flow.c: whether our side of that flow is behind the port the error came from. */
bool icmp_flow_local_there(const struct worker *w, const struct rte_mbuf *m, const struct flow *flow);

/* mss.c: lowers the MSS of a TCP SYN so that its segments fit an inner MTU. True when it changed something. ip: a whole
 * valid packet of either family, of total_bytes. */
bool mss_clamp(uint8_t *ip, uint16_t total_bytes, uint16_t inner_mtu);
/* A plain IPv4 packet of so many bytes: false for all but the few that mss_clamp may change. */
static inline bool tcp_may_be_syn(const struct rte_ipv4_hdr *ip, uint32_t bytes)
{
	const uint8_t *tcp = (const uint8_t *)ip + IP4_PLAIN_BYTES;

	if (ip->next_proto_id != IPPROTO_TCP)
		return false;
	return bytes <= IP4_PLAIN_BYTES + TCP_FLAGS_AT || tcp[TCP_FLAGS_AT] & TCP_SYN;
}

/* mss.c: whether the packet is one that mss_clamp may change. */
bool mss_is_syn(const uint8_t *ip, uint16_t total_bytes);

/* handoff.c: gives the packet to another worker, to continue at a stage. */
void handoff_push(struct worker *w, struct rte_mbuf *m, uint16_t to, const struct note *note);
/* handoff.c: the same for what anyone can send in any number: half of the ring is left to other packets. */
void handoff_push_unproven(struct worker *w, struct rte_mbuf *m, uint16_t to, const struct note *note);
/* handoff.c: what came for an SA, to its owner, or to wait for one. While less than half of the ring is free, each SPI
 * has a few packets. */
void handoff_sealed(struct worker *w, struct rte_mbuf *m, uint8_t turn, const struct note *note, uint32_t spi);
/* What packets wait for: the next owner of a bucket of inbound SAs, of a slot's outbound SA, of a port's TX queue. */
static inline uint32_t parked_for_bucket(uint32_t spi)
{
	return spi % SA_BUCKETS;
}

static inline uint32_t parked_for_slot(uint32_t slot)
{
	return slot | 1u << 31;
}

static inline uint32_t parked_for_port(uint16_t port)
{
	return port | 1u << 30;
}

/* handoff.c: the same for whoever's turn it is: another worker, or WORKER_MOVING: the packet waits here. */
void handoff_turn(struct worker *w, struct rte_mbuf *m, uint8_t turn, const struct note *note, uint32_t what);
/* handoff.c: the slow half of packet_waits. */
bool parked_has(const struct parked *p, uint32_t what);
/* A packet that came earlier waits for this: it is this one's turn after that. */
static inline bool packet_waits(const struct worker *w, uint32_t what)
{
	return unlikely(w->parked.count != 0) && parked_has(&w->parked, what);
}
/* handoff.c: up to `max` packets to be tried again, in order. Call parked_begin before the first. */
void parked_begin(struct parked *p);
uint16_t parked_take(struct parked *p, struct rte_mbuf **ret_pkts, uint16_t max);
/* handoff.c: ends all that wait; the worker has ended. */
void parked_flush(struct worker *w);
/* await.c: true when m waits now for the SA that its flow needs; else it stays the caller's. */
struct await_note {
	uint8_t origin; /* enum origin */
	uint8_t reason; /* enum drop_reason: how it ends when no SA comes */
	bool told;      /* control knows of it */
};
bool await_push(
	struct worker *w, struct rte_mbuf *m, const struct flow *flow, uint32_t tunnel, const struct await_note *note);
/* await.c: those whose SA has come, at most max, with their notes, for handoff_sort. Ends those that waited in vain. */
uint16_t await_take(struct worker *w, struct rte_mbuf **ret_pkts, uint16_t max);
/* await.c: ends all that wait; the worker has ended. */
void await_flush(struct worker *w);
void handoff_flush(struct worker *w);
/* Sorts packets that came by ring into this worker's lists or sends them. */
void handoff_sort(struct worker *w, struct rte_mbuf **pkts, uint16_t n);

/* punt.c: gives the packet to control. */
void punt_push(struct worker *w, struct rte_mbuf *m, enum punt_class class);
/* punt.c: the same with what is malformed left out, and a way of their own for neighbours that were asked or have
 * proven themselves. Frames with their Ethernet header. */
void punt_arp(struct worker *w, struct rte_mbuf *m);
void punt_nd(struct worker *w, struct rte_mbuf *m);
/* punt.c: true when another message of the IKE SA in this place, or of the source, may go to control now. */
bool punt_ike_allowed(struct worker *w, const struct rte_mbuf *m, enum punt_class class, uint32_t place);

/* punt.c: true when the peer that sent this out of a tunnel may have another packet wait for its neighbour now. */
bool punt_peer_allowed(struct worker *w, const struct rte_mbuf *m);

/* events.c: hints to control, rate-limited. */
/* False: the slot was reported less than a second ago, and this flow was not. */
bool event_no_sa(struct worker *w, uint32_t tunnel_slot, const struct flow *flow);
void event_unknown_spi(struct worker *w, uint32_t spi, const struct rte_mbuf *m);
void event_sa_flags(struct worker *w, uint32_t spi);
/* What an ICMP error says of one of our SAs; the caller has limited the rate. */
void event_icmp(struct worker *w, const struct datapath_event *e);
/* Wakes control if nobody did since it last drained. */
void event_signal(struct datapath *dp);
