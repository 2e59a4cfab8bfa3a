/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of decapsulation that ESP and AH share. Order matters: nothing of an SA changes before a packet is
 * authentic, and nothing of a packet is believed before that. */
#include "inner_priv.h"

#include "esn.h"

enum { ECN_MASK = 3, ECN_DROP = 4 };

/* RFC 6040 4.2: the inner field afterwards, by [outer][inner]. */
static const uint8_t ecn_decap[4][4] = {
	/* inner: Not-ECT, ECT(1), ECT(0), CE */
	{ 0, 1, 2, 3 },        /* outer Not-ECT */
	{ 0, 1, 1, 3 },        /* outer ECT(1) */
	{ 0, 1, 2, 3 },        /* outer ECT(0) */
	{ ECN_DROP, 3, 3, 3 }, /* outer CE */
};

/* The IP header in front, extension headers included: its length and what follows it. */
static inline enum drop_reason header_read(uint8_t *outer, uint32_t available, struct arrival *a, uint8_t *ret_protocol)
{
	struct ip6_layout l;

	if (unlikely(available < IPV4_BYTES))
		return DROP_SHORT;
	if (likely(!packet_is_ipv6(outer))) {
		a->offset = ipv4_header_bytes(outer);
		a->next_offset = offsetof(struct rte_ipv4_hdr, next_proto_id);
		*ret_protocol = outer[a->next_offset];
	} else {
		if (unlikely(ip6_walk(outer, available, &l) != IP6_WALK_GOOD))
			return DROP_SHORT;
		a->offset = l.offset;
		a->next_offset = l.next_offset;
		*ret_protocol = l.protocol;
		/* the walk stops at a later fragment, and any other is not a whole packet */
		if (unlikely(ip6_is_fragment(&l)))
			return DROP_FRAGMENT;
	}
	a->end = ip_total_bytes(outer);
	if (unlikely((a->end > available) | (a->offset < IPV4_BYTES) | (a->end < a->offset)))
		return DROP_SHORT;
	return DROP_NONE;
}

/* RFC 3948 2.1. */
static inline enum drop_reason udp_read(struct arrival *a)
{
	uint16_t udp_be;

	if (unlikely(a->end - a->offset < UDP_BYTES))
		return DROP_SHORT;
	memcpy(&udp_be, a->outer + a->offset + offsetof(struct rte_udp_hdr, dgram_len), sizeof(udp_be));
	uint32_t bytes = rte_be_to_cpu_16(udp_be);
	if (unlikely((bytes > a->end - a->offset) | (bytes < UDP_BYTES)))
		return DROP_SHORT;
	a->end = a->offset + bytes;
	a->offset += UDP_BYTES;
	return DROP_NONE;
}

enum drop_reason arrival_read(
	const struct rte_mbuf *m, const struct sa *sa, uint8_t protocol, uint32_t minimum, struct arrival *ret_arrival)
{
	struct arrival *a = ret_arrival;
	enum drop_reason reason;
	uint8_t found = 0;

	a->outer = rte_pktmbuf_mtod(m, uint8_t *);
	reason = header_read(a->outer, m->data_len, a, &found);
	if (unlikely(reason))
		return reason;
	a->kind = found == IPPROTO_UDP ? SA_ACCEPT_UDP : SA_ACCEPT_RAW;
	if (unlikely(!(sa->traits & a->kind) || (found != protocol && found != IPPROTO_UDP)))
		return DROP_ENCAP;
	if (a->kind == SA_ACCEPT_UDP)
		reason = udp_read(a);
	if (unlikely(reason))
		return reason;
	return unlikely(a->end - a->offset < minimum) ? DROP_SHORT : DROP_NONE;
}

static inline enum drop_reason replay_reason(enum replay_verdict v)
{
	static const uint16_t reasons[] = {
		[REPLAY_NEW] = DROP_NONE,
		[REPLAY_SEEN] = DROP_REPLAYED,
		[REPLAY_TOO_OLD] = DROP_TOO_OLD,
	};

	return (enum drop_reason)reasons[v];
}

enum drop_reason sequence_guess(const struct sa *sa, uint32_t low_be, uint64_t *ret_sequence)
{
	uint32_t window = sa->replay.window ? sa->replay.window : ESN_WINDOW_NONE;
	uint64_t mask = sa->traits & SA_ESN ? UINT64_MAX : 0;

	*ret_sequence = esn_guess(replay_top(&sa->replay), window, rte_be_to_cpu_32(low_be), mask);
	return replay_reason(replay_check(&sa->replay, *ret_sequence));
}

/* Called for the newest packet of an SA only (RFC 7296 2.23). esp: behind the UDP header. */
static void source_note(struct sa *sa, const uint8_t *outer, const uint8_t *esp)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(esp - UDP_BYTES);
	struct endpoint e;
	uint64_t words[3];

	if (packet_is_ipv6(outer))
		e.addr = addr_from_bytes(ADDR_IPV6, ((const struct rte_ipv6_hdr *)outer)->src_addr);
	else
		e.addr = addr_from_bytes(ADDR_IPV4, (const uint8_t *)&((const struct rte_ipv4_hdr *)outer)->src_addr);
	e.port = rte_be_to_cpu_16(udp->src_port);
	source_words(&e, words);
	if (likely(source_equal(&sa->source, words)))
		return;
	source_write(&sa->source, words);
	sa_flag(sa, SA_NEW_SOURCE);
}

static inline bool came_in_udp(const uint8_t *outer, const uint8_t *esp)
{
	struct ip6_layout l;

	if (!packet_is_ipv6(outer))
		return ((const struct rte_ipv4_hdr *)outer)->next_proto_id == IPPROTO_UDP;
	return ip6_walk(outer, (uint32_t)(esp - outer), &l) == IP6_WALK_GOOD && l.protocol == IPPROTO_UDP;
}

enum drop_reason authentic_account(struct sa *sa, const struct rte_mbuf *m, const uint8_t *esp, uint64_t sequence)
{
	const uint8_t *outer = rte_pktmbuf_mtod(m, const uint8_t *);
	bool newest = sequence > replay_top(&sa->replay);
	enum drop_reason reason = replay_reason(replay_advance(&sa->replay, sequence));

	if (unlikely(reason))
		return reason;
	if (newest && sa->traits & SA_ACCEPT_UDP && came_in_udp(outer, esp))
		source_note(sa, outer, esp);
	return DROP_NONE;
}

/* Not read: an inner checksum. The packet was authenticated, and forwarding keeps a wrong sum wrong. */
static inline bool inner_valid(const uint8_t *inner, uint32_t bytes, uint8_t next_header)
{
	uint32_t total;

	if (next_header == NEXT_HEADER_IPV6)
		return bytes >= IPV6_BYTES && packet_is_ipv6(inner) && ip_total_bytes(inner) <= bytes;
	if (unlikely(bytes < IPV4_BYTES || inner[0] >> 4 != IPVERSION))
		return false;
	total = ip_total_bytes(inner);
	return (ipv4_header_bytes(inner) >= IPV4_BYTES) & (total >= ipv4_header_bytes(inner)) & (total <= bytes);
}

static inline uint8_t tos_read(const uint8_t *ip)
{
	return packet_is_ipv6(ip) ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
}

/* IPv4 with its checksum to match (RFC 1624); in IPv6 the bits are the 11th and 12th. */
static void ecn_write(uint8_t *ip, uint8_t inner, uint8_t ecn)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;
	uint32_t sum;

	if (packet_is_ipv6(ip)) {
		ip[1] ^= (uint8_t)((inner ^ ecn) << 4);
		return;
	}
	ip4->type_of_service ^= inner ^ ecn;
	sum = (uint32_t)(uint16_t)~ip4->hdr_checksum + (uint16_t)~rte_cpu_to_be_16(inner) + rte_cpu_to_be_16(ecn);
	sum = (sum & 0xffff) + (sum >> 16);
	ip4->hdr_checksum = (uint16_t) ~(sum + (sum >> 16));
}

static inline enum drop_reason ecn_apply(uint8_t *inner, uint8_t outer_tos)
{
	uint8_t before = tos_read(inner) & ECN_MASK;
	uint8_t ecn = ecn_decap[outer_tos & ECN_MASK][before];

	if (likely(ecn == before))
		return DROP_NONE;
	if (ecn == ECN_DROP)
		return DROP_ECN;
	ecn_write(inner, before, ecn);
	return DROP_NONE;
}

/* RFC 4301 5.2 step 4: what comes out of an SA must be what was negotiated for it. */
static inline bool inner_selected(const struct sa *sa, const uint8_t *ip, uint32_t bytes)
{
	struct flow f;

	flow_read(ip, bytes, false, &f);
	return sa_selectors_match(sa, &f);
}

/* Selectors and limits; from here on the packet counts. */
static inline enum drop_reason packet_count(struct sa *sa, const uint8_t *ip, uint32_t total)
{
	enum drop_reason reason;

	if (unlikely(!inner_selected(sa, ip, total)))
		return DROP_SELECTOR_IN;
	reason = sa_limit_check(sa, total);
	if (unlikely(reason))
		return reason;
	count_add(&sa->packets, 1);
	count_add(&sa->bytes, total);
	return DROP_NONE;
}

enum drop_reason tunnel_accept(struct rte_mbuf *m, struct sa *sa, uint8_t *inner, uint32_t bytes, uint8_t next_header)
{
	uint8_t outer_tos = tos_read(rte_pktmbuf_mtod(m, const uint8_t *));
	enum drop_reason reason;

	if (unlikely(next_header != NEXT_HEADER_IPV4 && next_header != NEXT_HEADER_IPV6))
		return DROP_NEXT_HEADER;
	if (unlikely(!inner_valid(inner, bytes, next_header)))
		return DROP_INNER_HEADER;
	uint32_t total = ip_total_bytes(inner);
	reason = ecn_apply(inner, outer_tos);
	if (likely(!reason))
		reason = packet_count(sa, inner, total);
	if (unlikely(reason))
		return reason;
	packet_begin(m, inner, total);
	return DROP_NONE;
}

enum drop_reason transport_accept(struct rte_mbuf *m, struct sa *sa, uint8_t *ip, uint32_t bytes)
{
	enum drop_reason reason;

	ip_length_set(ip, bytes);
	reason = packet_count(sa, ip, bytes);
	if (unlikely(reason))
		return reason;
	packet_begin(m, ip, bytes);
	return DROP_NONE;
}
