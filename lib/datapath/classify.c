/* SPDX-License-Identifier: BSD-3-Clause */
/* First stage: frames from a port become lists by what they need. Checks the Ethernet and IPv4 headers; takes no policy
 * decision. Layout on return: every packet of a list begins at its IPv4 header, is in one buffer and has no padding. */
#include "stages_priv.h"

#include <rte_prefetch.h>

#define PREFETCH_AHEAD 4

enum drop_reason classify_ipv4(struct rte_mbuf *m)
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
	if (unlikely(m->nb_segs > 1)) {
		if (rte_pktmbuf_linearize(m))
			return DROP_CHAINED;
		ip = packet_ip(m);
	}
	if (unlikely(!ip_checksum_good(ip, header_bytes)))
		return DROP_IP_HEADER;
	if (unlikely(ipv4_not_unicast(ip->src_addr) || ipv4_not_unicast(ip->dst_addr) || ip->src_addr == ip->dst_addr))
		return DROP_MARTIAN;
	/* Ethernet pads to 60 bytes */
	m->data_len = total_bytes;
	m->pkt_len = total_bytes;
	return DROP_NONE;
}

/* ESP, raw or in UDP 4500. What is not is left to the local stage, also a non-ESP marker (IKE) and keepalives. */
static inline bool is_esp(const struct rte_ipv4_hdr *ip)
{
	const uint8_t *udp = (const uint8_t *)ip + ip_header_bytes(ip);

	if (ip->next_proto_id == IPPROTO_ESP)
		return true;
	if (ip->next_proto_id != IPPROTO_UDP || ip_is_fragment(ip))
		return false;
	/* 8 bytes of UDP header and 4 of marker or SPI */
	return ip_total_bytes(ip) >= ip_header_bytes(ip) + 12 && load_be16(udp + 2) == PORT_NATT &&
	       load_be32(udp + 8) != 0;
}

static inline void classify_ip(struct worker *w, struct rte_mbuf *m)
{
	enum drop_reason reason;

	rte_pktmbuf_adj(m, RTE_ETHER_HDR_LEN);
	reason = classify_ipv4(m);
	if (unlikely(reason)) {
		worker_drop(w, m, reason);
		return;
	}
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	if (!address_own(w->dp, ip->dst_addr))
		list_push(&w->clear, m);
	else if (is_esp(ip))
		list_push(&w->esp, m);
	else
		list_push(&w->local, m);
}

/* ARP may be broadcast; IP for us is unicast on the link (RFC 1812 5.3.4 lets no broadcast be forwarded). */
static inline enum drop_reason link_check(const struct port *p, const struct rte_ether_hdr *eth)
{
	if (likely(!memcmp(&eth->dst_addr, p->mac, RTE_ETHER_ADDR_LEN)))
		return DROP_NONE;
	if (eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) && rte_is_broadcast_ether_addr(&eth->dst_addr))
		return DROP_NONE;
	return DROP_NOT_FOR_US;
}

static void classify_other(struct worker *w, struct rte_mbuf *m, uint16_t ether_type_be)
{
	if (ether_type_be == RTE_BE16(RTE_ETHER_TYPE_ARP))
		punt_push(w, m, PUNT_ARP);
	else
		worker_drop(w, m, ether_type_be == RTE_BE16(RTE_ETHER_TYPE_IPV6) ? DROP_IPV6 : DROP_NOT_IP);
}

static inline void classify_frame(struct worker *w, const struct port *p, struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	if (unlikely(m->data_len < RTE_ETHER_HDR_LEN)) {
		worker_drop(w, m, DROP_NOT_IP);
		return;
	}
	enum drop_reason reason = link_check(p, eth);
	if (unlikely(reason)) {
		worker_drop(w, m, reason);
		return;
	}
	if (likely(eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4)))
		classify_ip(w, m);
	else
		classify_other(w, m, eth->ether_type);
}

void classify_burst(struct worker *w, uint16_t port, struct rte_mbuf **frames, uint16_t n)
{
	const struct port *p = &w->ports[port];

	for (uint16_t i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
		/* not every driver says so (net_ring) */
		frames[i]->port = p->id;
		classify_frame(w, p, frames[i]);
	}
	worker_count(w, DP_C_RX, n);
}
