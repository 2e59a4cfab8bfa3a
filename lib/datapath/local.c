/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for our own addresses that are not ESP: IKE goes to control, echo is answered, keepalives are consumed, the
 * rest is dropped by name. */
#include "stages_priv.h"

#define ECHO_RATE  2000 /* replies a second and worker */
#define ECHO_BURST 2000

/* RFC 768: the checksum of IKE is verified here, so that control sees whole datagrams only. 0: none sent. */
static enum drop_reason udp_check(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip)
{
	const uint8_t *udp = (const uint8_t *)ip + ip_header_bytes(ip);
	uint16_t left = (uint16_t)(m->data_len - ip_header_bytes(ip));

	if (left < sizeof(struct rte_udp_hdr))
		return DROP_SHORT;
	uint16_t udp_bytes = load_be16(udp + 4);
	if (udp_bytes < sizeof(struct rte_udp_hdr) || udp_bytes > left)
		return DROP_SHORT;
	if (load_be16(udp + 6) == 0)
		return DROP_NONE;
	/* the pseudo header by hand: the library's takes the length from the IP header, which may be larger */
	uint8_t pseudo[12];
	memcpy(pseudo, &ip->src_addr, 8);
	pseudo[8] = 0;
	pseudo[9] = IPPROTO_UDP;
	store_be16(pseudo + 10, udp_bytes);
	uint32_t sum = (uint32_t)rte_raw_cksum(pseudo, sizeof(pseudo)) + rte_raw_cksum(udp, udp_bytes);
	return ((sum & 0xffff) + (sum >> 16)) == 0xffff ? DROP_NONE : DROP_CHECKSUM;
}

/* RFC 3948 2: on 4500 one 0xff is a keepalive, four zero bytes mark IKE, anything else would have been ESP. */
static enum drop_reason natt_check(const uint8_t *data, size_t len)
{
	if (len == 1 && data[0] == 0xff)
		return DROP_KEEPALIVE;
	return len < 4 ? DROP_SHORT : DROP_NONE;
}

static bool is_udp_to(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, uint16_t *ret_port)
{
	if (ip->next_proto_id != IPPROTO_UDP || m->data_len < ip_header_bytes(ip) + sizeof(struct rte_udp_hdr))
		return false;
	*ret_port = load_be16((const uint8_t *)ip + ip_header_bytes(ip) + 2);
	return *ret_port == PORT_IKE || *ret_port == PORT_NATT;
}

/* True when the packet was IKE's, and has gone. */
static bool local_ike(struct worker *w, struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	enum drop_reason reason = DROP_NONE;
	uint16_t port;

	/* ports of a later fragment are somebody's data */
	if (ip->next_proto_id == IPPROTO_UDP && ip_is_fragment(ip))
		reason = DROP_FRAGMENT;
	else if (!is_udp_to(m, ip, &port))
		return false;
	if (!reason)
		reason = udp_check(m, ip);
	if (!reason && port == PORT_NATT) {
		const uint8_t *udp = (const uint8_t *)ip + ip_header_bytes(ip);
		reason = natt_check(udp + sizeof(struct rte_udp_hdr), load_be16(udp + 4) - sizeof(struct rte_udp_hdr));
	}
	if (!reason && !punt_ike_allowed(w, ip->src_addr))
		reason = DROP_RATE_LIMIT;
	if (reason)
		worker_drop(w, m, reason);
	else
		punt_push(w, m, PUNT_IKE);
	return true;
}

/* What policy wants protected is not believed in clear (RFC 4301 5.2 step 3b), and a discard rule is obeyed. */
static enum drop_reason local_policy(struct worker *w, const struct rte_mbuf *m)
{
	struct spd_verdict v;
	struct flow f;

	packet_flow(m, false, &f);
	policy_lookup(w, &f, 1, &v);
	if (!v.matched || v.action == SPD_BYPASS)
		return DROP_NONE;
	return v.action == SPD_PROTECT ? DROP_INBOUND_CLEAR : DROP_DISCARD;
}

static void local_deliver(struct worker *w, struct rte_mbuf *m, enum origin origin)
{
	enum drop_reason reason = echo_reply(m);

	if (!reason && !bucket_take(&w->echo_replies, w->now_cycles, w->dp->cycles_per_s, ECHO_RATE, ECHO_BURST))
		reason = DROP_RATE_LIMIT;
	if (reason) {
		worker_drop(w, m, reason);
		return;
	}
	worker_count(w, DP_C_LOCAL, 1);
	worker_count(w, DP_C_ICMP_SENT, 1);
	list_push(origin == ORIGIN_TUNNEL ? &w->own_tunnel : &w->own_clear, m);
}

void local_burst(struct worker *w, struct list *l, enum origin origin)
{
	for (uint16_t i = 0; i < l->n; i++) {
		/* IKE inside a tunnel would be answered outside of it: it is not taken */
		if (origin == ORIGIN_CLEAR && local_ike(w, l->m[i]))
			continue;
		enum drop_reason reason = origin == ORIGIN_CLEAR ? local_policy(w, l->m[i]) : DROP_NONE;
		if (reason)
			worker_drop(w, l->m[i], reason);
		else
			local_deliver(w, l->m[i], origin);
	}
	l->n = 0;
}
