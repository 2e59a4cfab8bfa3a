/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for our own addresses that are neither ESP nor AH: IKE goes to control, echo is answered, ICMP errors about
 * our SAs are read, keepalives are consumed, the rest is dropped by name. */
#include "stages_priv.h"
#include "verdict_priv.h"

/* RFC 7296 3.1, RFC 3948 2.2 */
#define IKE_HEADER_BYTES     28
#define IKE_MARKER_BYTES     4
#define IKE_RESPONDER_OFFSET 8 /* of the responder's SPI; the initiator's is in front */
#define IKE_EXCHANGE_OFFSET  18
#define IKE_FLAGS_OFFSET     19
#define IKE_SA_INIT          34
#define IKE_FLAG_INITIATOR   0x08
#define IKE_FLAG_RESPONSE    0x20

#define ECHO_RATE  2000 /* replies a second and worker */
#define ECHO_BURST 2000

/* The checksum of IKE is verified here, so that control sees whole datagrams only. 0: none sent, which IPv4 alone
 * allows (RFC 768, RFC 8200 8.1). */
static enum drop_reason udp_check(const struct rte_mbuf *m, const struct upper *u)
{
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, u->offset);
	uint16_t left = (uint16_t)(m->data_len - u->offset);

	if (left < sizeof(struct rte_udp_hdr))
		return DROP_SHORT;
	uint16_t udp_bytes = load_be16(udp + 4);
	if (udp_bytes < sizeof(struct rte_udp_hdr) || udp_bytes > left)
		return DROP_SHORT;
	if (load_be16(udp + 6) == 0)
		return packet_is_ip6(m) ? DROP_CHECKSUM : DROP_NONE;
	return upper_checksum_good(m, IPPROTO_UDP, udp, udp_bytes) ? DROP_NONE : DROP_CHECKSUM;
}

/* RFC 3948 2: on 4500 one 0xff is a keepalive, four zero bytes mark IKE, anything else would have been ESP. */
static enum drop_reason natt_check(const uint8_t *data, size_t len)
{
	if (len == 1 && data[0] == 0xff)
		return DROP_KEEPALIVE;
	return len < 4 ? DROP_SHORT : DROP_NONE;
}

static bool is_udp_to(const struct rte_mbuf *m, const struct upper *u, uint16_t *ret_port)
{
	if (u->protocol != IPPROTO_UDP || m->data_len < u->offset + sizeof(struct rte_udp_hdr))
		return false;
	*ret_port = load_be16(rte_pktmbuf_mtod_offset(m, const uint8_t *, u->offset + 2));
	return *ret_port == PORT_IKE || *ret_port == PORT_NATT;
}

/* By the IKE SA it names: our SPI is the receiver's (RFC 7296 3.1), which nobody off the path can guess. Of one that is
 * here also its place. */
static enum punt_class ike_class(
	const struct worker *w, const struct rte_mbuf *m, const struct upper *u, uint16_t port, uint32_t *ret_place)
{
	static const enum punt_class classes[] = { [DATAPATH_IKE_NONE] = PUNT_IKE_STRAY,
		[DATAPATH_IKE_OPENING] = PUNT_IKE_OPENING,
		[DATAPATH_IKE_UP] = PUNT_IKE };
	size_t at = u->offset + sizeof(struct rte_udp_hdr) + (port == PORT_NATT ? IKE_MARKER_BYTES : 0);
	const uint8_t *ike = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);

	if (m->data_len < at + IKE_HEADER_BYTES)
		return PUNT_IKE_STRAY;
	uint8_t flags = ike[IKE_FLAGS_OFFSET];
	if (ike[IKE_EXCHANGE_OFFSET] == IKE_SA_INIT && !(flags & IKE_FLAG_RESPONSE))
		return PUNT_IKE_NEW;
	uint64_t spi = load_be64(ike + (flags & IKE_FLAG_INITIATOR ? IKE_RESPONDER_OFFSET : 0));
	return classes[ike_spis_lookup(w->dp->ike_spis, spi, ret_place)];
}

/* True when the packet was IKE's, and has gone. */
static bool local_ike(struct worker *w, struct rte_mbuf *m)
{
	enum drop_reason reason = DROP_NONE;
	enum punt_class class = PUNT_IKE_STRAY;
	uint32_t place = 0;
	struct upper u;
	uint16_t port;

	packet_upper(m, &u);
	/* ports of a later fragment are somebody's data */
	if (u.protocol == IPPROTO_UDP && u.fragment)
		reason = DROP_FRAGMENT;
	else if (!is_udp_to(m, &u, &port))
		return false;
	if (!reason)
		reason = udp_check(m, &u);
	if (!reason && port == PORT_NATT) {
		const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, u.offset);
		reason = natt_check(udp + sizeof(struct rte_udp_hdr), load_be16(udp + 4) - sizeof(struct rte_udp_hdr));
	}
	if (!reason) {
		class = ike_class(w, m, &u, port, &place);
		reason = punt_ike_allowed(w, m, class, place) ? DROP_NONE : DROP_RATE_LIMIT;
	}
	if (reason)
		worker_drop(w, m, reason);
	else
		punt_push(w, m, class);
	return true;
}

/* From or to an address of its own link only: answered there (RFC 4291 2.5.6). */
static bool is_link_local(const struct rte_mbuf *m)
{
	return packet_is_ip6(m) &&
	       (ipv6_link_local(ip6_source(packet_ip6(m))) || ipv6_link_local(ip6_destination(packet_ip6(m))));
}

/* To our link-local address, from an address that is not on that link: the answer would go where neither policy nor a
 * route leads. */
static bool is_from_beyond_the_link(const struct worker *w, const struct rte_mbuf *m)
{
	if (!packet_is_ip6(m) || !ipv6_link_local(ip6_destination(packet_ip6(m))) ||
		ipv6_link_local(ip6_source(packet_ip6(m))))
		return false;
	const struct route *r = packet_source_route(w, m);
	return r->kind != ROUTE_CONNECTED || r->port != m->port;
}

/* What policy wants protected is not believed in clear (RFC 4301 5.2 step 3b), and a discard rule is obeyed. */
static enum drop_reason local_policy(struct worker *w, const struct rte_mbuf *m)
{
	struct spd_verdict v;
	struct flow f;

	if (unlikely(is_from_beyond_the_link(w, m)))
		return DROP_REVERSE_PATH;
	packet_flow(w->dp, m, false, &f);
	policy_lookup(w, &f, 1, &v);
	/* no tunnel brings what comes from an address that is known on its own link only */
	if (packet_is_ip6(m) && ipv6_link_local(ip6_source(packet_ip6(m))) && is_protect(&v))
		return DROP_NONE;
	return local_verdict(&v);
}

static void local_deliver(struct worker *w, struct rte_mbuf *m, enum origin origin)
{
	enum drop_reason reason;

	if (unlikely(packet_is_ip6(m) && ip6_is_extension(packet_ip6(m)->proto)) && headers6_refuse(w, m, origin))
		return;
	reason = echo_reply(m);
	if (!reason && !bucket_take(&w->echo_replies, w->now_cycles, w->dp->cycles_per_s, ECHO_RATE, ECHO_BURST))
		reason = DROP_RATE_LIMIT;
	if (reason) {
		headers6_unhandled(w, m, origin, reason);
		return;
	}
	worker_count(w, DP_C_LOCAL, 1);
	worker_count(w, DP_C_ICMP_SENT, 1);
	if (unlikely(is_link_local(m)))
		forward_link_local(w, m);
	else
		list_push(origin == ORIGIN_TUNNEL ? &w->own_tunnel : &w->own_clear, m);
}

void local_burst(struct worker *w, struct list *l, enum origin origin)
{
	if (unlikely(w->trace != NULL))
		trace_packets(w, l->m, l->n, TRACE_LOCAL, (uint16_t)origin);
	for (uint16_t i = 0; i < l->n; i++) {
		/* IKE inside a tunnel would be answered outside of it: it is not taken */
		if (origin == ORIGIN_CLEAR && (local_ike(w, l->m[i]) || icmp_error_take(w, l->m[i])))
			continue;
		enum drop_reason reason = origin == ORIGIN_CLEAR ? local_policy(w, l->m[i]) : DROP_NONE;
		if (reason)
			worker_drop(w, l->m[i], reason);
		else
			local_deliver(w, l->m[i], origin);
	}
	l->n = 0;
}
