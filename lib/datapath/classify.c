/* SPDX-License-Identifier: BSD-3-Clause */
/* First stage: frames from a device become lists by what they need. Checks the Ethernet and IP headers; takes no policy
 * decision. Layout on return: every packet of a list begins at its IP header, is in one buffer and has no padding. */
#include "known_priv.h"

#include <rte_prefetch.h>

#define PREFETCH_AHEAD 4

static inline bool ipv4_source_martian(uint32_t source_be, uint32_t destination_be)
{
	return ipv4_not_unicast(source_be) || source_be == destination_be;
}

static inline bool ipv4_addresses_martian(const struct rte_ipv4_hdr *ip)
{
	return ipv4_source_martian(ip->src_addr, ip->dst_addr) || ipv4_not_unicast(ip->dst_addr);
}

static inline enum drop_reason ipv4_check(struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	uint16_t header_bytes, total_bytes;

	if (unlikely(m->data_len < sizeof(*ip)))
		return DROP_IP_HEADER;
	header_bytes = ip_header_bytes(ip);
	total_bytes = ip_total_bytes(ip);
	if (unlikely(ip->version_ihl >> 4 != 4 || header_bytes < sizeof(*ip) || total_bytes < header_bytes ||
		     total_bytes > m->pkt_len))
		return DROP_IP_HEADER;
	if (unlikely(!ip_checksum_good(ip, header_bytes)))
		return DROP_IP_HEADER;
	if (unlikely(ipv4_addresses_martian(ip)))
		return DROP_MARTIAN;
	/* Ethernet pads to 60 bytes */
	m->data_len = total_bytes;
	m->pkt_len = total_bytes;
	return DROP_NONE;
}

enum drop_reason classify_ipv4(struct rte_mbuf *m)
{
	return ipv4_check(m);
}

/* Broken chains would hide from policy what follows them, and so would a later fragment whose first header is one more
 * extension header: only the first fragment shows the rest (RFC 8200 4.5; RFC 7112 lets us drop such). */
enum drop_reason classify_extensions(const struct rte_mbuf *m)
{
	struct ip6_layout l;

	if (likely(!ip6_is_extension(packet_ip6(m)->proto)))
		return DROP_NONE;
	if (ip6_walk(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &l) != IP6_WALK_GOOD)
		return packet_is_fragment(m) ? DROP_FRAGMENT_TINY : DROP_IP_HEADER;
	return ip6_is_later_fragment(&l) && ip6_is_extension(l.protocol) ? DROP_FRAGMENT : DROP_NONE;
}

static inline bool ipv6_addresses_martian(const struct rte_ipv6_hdr *ip)
{
	return ipv6_not_unicast(ip6_source(ip)) || ipv6_not_unicast(ip6_destination(ip)) ||
	       !memcmp(&ip->src_addr, &ip->dst_addr, sizeof(ip->src_addr));
}

enum drop_reason classify_ipv6(struct rte_mbuf *m)
{
	uint32_t total_bytes;

	if (unlikely(m->data_len < sizeof(struct rte_ipv6_hdr) || !packet_is_ip6(m)))
		return DROP_IP_HEADER;
	/* no jumbograms (RFC 2675): their length of zero leaves no room for the option that has the true one */
	total_bytes = (uint32_t)sizeof(struct rte_ipv6_hdr) + rte_be_to_cpu_16(packet_ip6(m)->payload_len);
	if (unlikely(total_bytes > m->pkt_len))
		return DROP_IP_HEADER;
	m->data_len = (uint16_t)total_bytes;
	m->pkt_len = total_bytes;
	return classify_extensions(m);
}

/* ESP and AH, raw or ESP in UDP 4500. What is not is left to the local stage, also a non-ESP marker (IKE) and
 * keepalives. A UDP checksum is not looked at, zero or not (RFC 3948 2.1, RFC 6935): the ICV says more. */
static inline bool is_sealed(const struct rte_mbuf *m)
{
	struct upper u;

	packet_upper(m, &u);
	if (u.protocol == IPPROTO_ESP || u.protocol == IPPROTO_AH)
		return true;
	if (u.protocol != IPPROTO_UDP || u.fragment)
		return false;
	/* 8 bytes of UDP header and 4 of marker or SPI */
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, u.offset);
	return m->data_len >= u.offset + 12 && load_be16(udp + 2) == PORT_NATT && load_be32(udp + 8) != 0;
}

/* No SA ends at a link-local address. */
void classify_own(struct worker *w, struct rte_mbuf *m)
{
	if (!is_sealed(m) || unlikely(packet_is_ip6(m) && ipv6_link_local(ip6_destination(packet_ip6(m)))))
		list_push(&w->local, m);
	else if (likely(!packet_is_ip6(m) || !ip6_is_extension(packet_ip6(m)->proto)) ||
		 !headers6_refuse(w, m, ORIGIN_CLEAR))
		list_push(&w->sealed, m);
}

/* Both families: put together where that is needed, else for those that handle fragments one by one. reason:
 * DROP_FRAGMENT when the packet can only be put together. */
static __rte_noinline void fragment_sort(struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	bool own = destination_for_us(w->dp, m);

	if (defragment_push(w, m, own ? FRAGMENT_OWN : FRAGMENT_CLEAR))
		return;
	if (reason)
		worker_drop(w, m, reason);
	else if (own)
		classify_own(w, m);
	else
		list_push(&w->clear, m);
}

void classify_addresses(struct worker *w, struct rte_mbuf *m)
{
	if (unlikely(ipv4_addresses_martian(packet_ip(m))))
		worker_drop(w, m, DROP_MARTIAN);
	else if (unlikely(address_own(w->dp, packet_table_id(w->dp, m), packet_ip(m)->dst_addr)))
		classify_own(w, m);
	else
		list_push(&w->clear, m);
}

static inline void classify_ip(struct worker *w, struct rte_mbuf *m)
{
	enum drop_reason reason;

	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	reason = ipv4_check(m);
	if (unlikely(reason))
		worker_drop(w, m, reason);
	else if (unlikely(ip_is_fragment(packet_ip(m))))
		fragment_sort(w, m, DROP_NONE);
	else if (address_own(w->dp, packet_table_id(w->dp, m), packet_ip(m)->dst_addr))
		classify_own(w, m);
	else if (!asked_take(w, m))
		list_push(&w->clear, m);
}

/* Neighbour discovery for a group or for us; between others it is a packet like any other. Behind extension headers
 * nobody sends it, and in fragments nobody may (RFC 6980 5). */
static inline bool is_nd(const struct port *p, const struct rte_mbuf *m)
{
	const struct rte_ipv6_hdr *ip = packet_ip6(m);
	const uint8_t *type = (const uint8_t *)(ip + 1);
	struct addr to;

	if (likely(ip->proto != IPPROTO_ICMPV6) || m->data_len == sizeof(*ip))
		return false;
	if (*type < ND_ROUTER_SOLICITATION || *type > ND_REDIRECT)
		return false;
	if (ip6_destination(ip)[0] == 0xff || port_has6(p, ip6_destination(ip)))
		return true;
	/* whether the address behind a tunnel, for which we answer, is still there: asked of us by unicast */
	to = addr_from_bytes(ADDR_IPV6, ip6_destination(ip));
	return p->proxies && *type == ND_SOLICITATION && prefix_contains(&p->prefix6, &to);
}

/* With its Ethernet header, like ARP. */
static void nd_sort(struct worker *w, struct rte_mbuf *m)
{
	rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);
	punt_nd(w, m);
}

/* Multicast listener discovery for a group or for us; queries have a hop-by-hop header. */
static inline bool is_mld(const struct port *p, const struct rte_mbuf *m)
{
	const struct rte_ipv6_hdr *ip = packet_ip6(m);
	const uint8_t *bytes = (const uint8_t *)ip;
	struct ip6_layout l;

	if (likely(ip->proto != IPPROTO_ICMPV6 && ip->proto != IPPROTO_HOPOPTS))
		return false;
	if (ip6_walk(bytes, m->data_len, &l) != IP6_WALK_GOOD || l.protocol != IPPROTO_ICMPV6 || ip6_is_fragment(&l) ||
		l.offset >= m->data_len)
		return false;
	if ((bytes[l.offset] < MLD_QUERY || bytes[l.offset] > MLD_DONE) && bytes[l.offset] != MLD_REPORT_V2)
		return false;
	return ip6_destination(ip)[0] == 0xff || port_has6(p, ip6_destination(ip));
}

static void mld_sort(struct worker *w, struct rte_mbuf *m)
{
	struct mld_query q;

	rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);
	enum drop_reason reason = mld_decode(BYTES(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len), &q);
	if (reason)
		worker_drop(w, m, reason);
	else
		punt_push(w, m, PUNT_MLD);
}

/* Link-local addresses are known on their own link, and nothing from or to one is forwarded (RFC 4291 2.5.6). */
enum drop_reason classify_addresses6(const struct datapath *dp, const struct port *p, const struct rte_ipv6_hdr *ip)
{
	if (unlikely(ipv6_addresses_martian(ip)))
		return DROP_MARTIAN;
	if (unlikely(ipv6_link_local(ip6_destination(ip))))
		return port_has6(p, ip6_destination(ip)) ? DROP_NONE : DROP_MARTIAN;
	if (unlikely(ipv6_link_local(ip6_source(ip))))
		return address6_own(dp, p->table_id, ip6_destination(ip)) ? DROP_NONE : DROP_MARTIAN;
	return DROP_NONE;
}

/* whole: DROP_FRAGMENT when the packet can only be put together. */
static inline void ip6_sort(struct worker *w, const struct port *p, struct rte_mbuf *m, enum drop_reason whole)
{
	const struct rte_ipv6_hdr *ip = packet_ip6(m);
	enum drop_reason reason = classify_addresses6(w->dp, p, ip);

	/* RFC 4862 5.4: nobody is to believe that a tentative address is ours */
	if (unlikely(w->own6_unusable) && !reason && address6_unusable(w->dp, m->port, ip6_destination(ip)))
		reason = DROP_ADDRESS_UNUSABLE;
	if (unlikely(reason))
		worker_drop(w, m, reason);
	else if (unlikely(packet_is_fragment(m)))
		fragment_sort(w, m, whole);
	else if (destination_for_us(w->dp, m))
		classify_own(w, m);
	else
		list_push(&w->clear, m);
}

static __rte_noinline void classify_ip6(struct worker *w, const struct port *p, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	enum drop_reason reason;

	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	reason = classify_ipv6(m);
	if (unlikely(reason && reason != DROP_FRAGMENT))
		worker_drop(w, m, reason);
	else if (unlikely(is_nd(p, m)))
		nd_sort(w, m);
	else if (unlikely(is_mld(p, m)))
		mld_sort(w, m);
	else if (unlikely(rte_is_multicast_ether_addr(&eth->dst_addr)))
		worker_drop(w, m, DROP_NOT_FOR_US);
	else
		ip6_sort(w, p, m, reason);
}

static bool is_group_of(const struct port *p, const struct rte_ether_addr *link)
{
	/* RFC 4291 2.7.1, RFC 2464 7: solicited-node groups, of any address that may lie behind a tunnel */
	if (p->proxies && !memcmp(link, "\x33\x33\xff", 3))
		return true;
	for (uint8_t i = 0; i < p->group_count; i++)
		if (!memcmp(p->groups[i], link, RTE_ETHER_ADDR_LEN))
			return true;
	return false;
}

/* ARP may be broadcast, and IPv6 come to a group for neighbour discovery, which classify_ip6 makes sure of; IP for us
 * is unicast on the link (RFC 1812 5.3.4 lets no broadcast be forwarded). */
static inline enum drop_reason link_check(const struct port *p, const struct rte_ether_hdr *eth)
{
	if (likely(!memcmp(&eth->dst_addr, p->mac, RTE_ETHER_ADDR_LEN)))
		return DROP_NONE;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) && rte_is_broadcast_ether_addr(&eth->dst_addr))
		return DROP_NONE;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && is_group_of(p, &eth->dst_addr))
		return DROP_NONE;
	return DROP_NOT_FOR_US;
}

static void classify_other(struct worker *w, const struct port *p, struct rte_mbuf *m, uint16_t ether_type_be)
{
	if (ether_type_be == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		classify_ip(w, m);
	else if (ether_type_be == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		classify_ip6(w, p, m);
	else if (ether_type_be == RTE_BE16(RTE_ETHER_TYPE_ARP))
		punt_arp(w, m);
	else
		worker_drop(w, m, DROP_NOT_IP);
}

/* All that is not IPv4 to our MAC without a tag. */
static __rte_noinline void classify_unusual(struct worker *w, const struct device *d, struct rte_mbuf *m)
{
	enum drop_reason reason = vlan_take(d, m);

	if (!reason)
		reason = link_check(&w->ports[m->port], rte_pktmbuf_mtod(m, const struct rte_ether_hdr *));
	if (reason)
		worker_drop(w, m, reason);
	else
		classify_other(w, &w->ports[m->port], m, rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type);
}

static __rte_noinline void classify_frame(struct worker *w, const struct device *d, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth;

	/* a device may cut a packet anywhere */
	if (unlikely(m->nb_segs > 1) && rte_pktmbuf_linearize(m)) {
		worker_drop(w, m, DROP_CHAINED);
		return;
	}
	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN)) {
		worker_drop(w, m, DROP_NOT_IP);
		return;
	}
	eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	if (likely(eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && m->port != PORT_NONE &&
		    !(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) &&
		    !memcmp(&eth->dst_addr, d->mac, RTE_ETHER_ADDR_LEN)))
		classify_ip(w, m);
	else
		classify_unusual(w, d, m);
}

/* What is the same for all packets of a burst from a device. */
struct arrivals {
	uint64_t mac;         /* as the first six of eight bytes */
	uint64_t joined_mask; /* for ol_flags */
	uint64_t own_filter;
	uint64_t key_base; /* of the keys of flows; see plain_base */
	bool asks;         /* packets with ports ask the flow cache first */
	uint64_t own_be;   /* an address that was found to be ours; NO_ADDRESS: none yet */
	uint32_t peer_be;  /* the source of the last packet to it, with which nothing was the matter */
	uint8_t port;      /* the device's interface without VLAN, or PORT_NONE */
};

#define MAC_MASK   RTE_BE64(0xffffffffffff0000ull)
#define NO_ADDRESS UINT64_MAX

static inline struct arrivals arrivals_of(const struct worker *w, const struct device *d)
{
	struct arrivals a = {
		.joined_mask = ~w->dp->joined_flag,
		.own_filter = atomic_load_explicit(&w->dp->own4.filter, memory_order_relaxed),
		.port = d->ports[0],
		.own_be = NO_ADDRESS,
		.asks = asked_usable(w),
		.key_base = plain_base_of(w, d->ports[0], d->ports[0]),
	};

	memcpy(&a.mac, d->mac, RTE_ETHER_ADDR_LEN);
	return a;
}

/* A packet to the address that was ours before: whether nothing is the matter with its source. */
static inline bool arrival_peer_good(struct arrivals *a, uint32_t source_be)
{
	if (source_be == a->peer_be)
		return true;
	if (unlikely(ipv4_source_martian(source_be, (uint32_t)a->own_be)))
		return false;
	a->peer_be = source_be;
	return true;
}

/* A packet to another one. */
static inline bool arrival_own(const struct worker *w, struct arrivals *a, const struct rte_ipv4_hdr *ip)
{
	if (!(a->own_filter >> own_filter_bit(ip->dst_addr) & 1) ||
		!address_own(w->dp, port_table_id(w->dp, a->port), ip->dst_addr))
		return false;
	a->own_be = ip->dst_addr;
	a->peer_be = ip->src_addr;
	return true;
}

/* A plain packet with ports that is not for us is for the flow cache. False: nothing has changed. */
static inline bool arrival_asks(
	struct worker *w, const struct arrivals *a, struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint32_t total)
{
	struct flow_key4 key;

	if (!plain_key_of(ip, total, a->key_base, &key) || unlikely(!a->asks) ||
		a->own_filter >> own_filter_bit(ip->dst_addr) & 1)
		return false;
	packet_place(m, m->data_off + RTE_ETHER_HDR_LEN, total);
	asked_push(w, m, &key);
	return true;
}

/* A plain packet for us whose addresses are good. */
static inline bool arrival_ours(struct worker *w, struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint32_t total)
{
	packet_place(m, m->data_off + RTE_ETHER_HDR_LEN, total);
	/* `sealed` has its turn after it: nothing is overtaken */
	if (likely(ip->next_proto_id == IPPROTO_ESP && total >= IP4_PLAIN_BYTES + SPI_SEQUENCE_BYTES && !w->sealed.n))
		list_push(&w->sealed_plain, m);
	else
		classify_own(w, m);
	return true;
}

/* A plain packet that does not ask: not for us, or for another address of ours than the one before. */
static __rte_noinline bool arrival_other(
	struct worker *w, struct arrivals *a, struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint32_t total)
{
	if (unlikely(ipv4_addresses_martian(ip)))
		return false;
	if (arrival_own(w, a, ip))
		return arrival_ours(w, m, ip, total);
	packet_place(m, m->data_off + RTE_ETHER_HDR_LEN, total);
	list_push(&w->clear, m);
	return true;
}

/* Plain IPv4 to our MAC and nothing the matter with it: true, and it is where it belongs. False: nothing has changed.
 */
static inline bool classify_usual(struct worker *w, struct arrivals *a, struct rte_mbuf *m)
{
	const uint8_t *eth = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + RTE_ETHER_HDR_LEN);
	uint64_t to = ip4_first(eth), first = ip4_first(ip);
	uint32_t total = ip4_total_bytes(first);

	if (unlikely((to ^ a->mac) & MAC_MASK || !ip4_is_plain(first) || m->nb_segs > 1 ||
		     ((const struct rte_ether_hdr *)eth)->ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		     a->port == PORT_NONE || m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		return false;
	if (unlikely(total + RTE_ETHER_HDR_LEN > m->data_len || total < sizeof(*ip) ||
		     !ip_checksum_good(ip, sizeof(*ip))))
		return false;
	if (ip->dst_addr == a->own_be)
		return arrival_peer_good(a, ip->src_addr) && arrival_ours(w, m, ip, total);
	return arrival_asks(w, a, m, ip, total) || arrival_other(w, a, m, ip, total);
}

void classify_burst(struct worker *w, uint16_t device, struct rte_mbuf **frames, uint16_t n)
{
	const struct device *d = &w->dp->devices[device];
	struct arrivals arrivals = arrivals_of(w, d);

	if (unlikely(w->capture != NULL))
		capture_received(w, device, frames, n);
	if (unlikely(w->trace != NULL))
		trace_frames(w, d->ports[0], frames, n);
	for (uint16_t i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
		/* from here on our index of the interface, which later stages ask; a device may hand on others' marks
		 */
		m->port = arrivals.port;
		m->ol_flags &= arrivals.joined_mask;
		if (likely(classify_usual(w, &arrivals, m)))
			continue;
		classify_frame(w, d, m);
		arrivals.asks = arrivals.asks && !asked_closed(w);
	}
	worker_count(w, DP_C_RX, n);
}
