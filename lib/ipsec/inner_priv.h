/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens to every packet that comes out of an SA, whatever brought it: replay window, inner header, ECN,
 * selectors, limits. Order matters: nothing of an SA changes before a packet is authentic, and nothing of a packet is
 * believed before that. RFC 4301 5.2, RFC 6040 4.2. Inline, burst path; what is rare is in inner.c. */
#pragma once

#include "burst_priv.h"
#include "esn.h"

/* Where the protected packet begins and ends, from its outer IP header. */
struct arrival {
	uint8_t *outer;
	uint32_t offset, end; /* of ESP or AH; behind its last byte */
	uint16_t next_offset; /* of the byte in front that names it */
	uint8_t kind;         /* enum sa_traits: SA_ACCEPT_RAW or SA_ACCEPT_UDP */
};

/* inner.c: IPv6 with its extension headers; as arrival_header. */
enum drop_reason arrival_header6(struct arrival *a, uint32_t available, uint8_t *ret_protocol);

/* The IP header in front: its length and what follows it. Lengths are compared before anything is subtracted. */
static inline enum drop_reason arrival_header(struct arrival *a, uint32_t available, uint8_t *ret_protocol)
{
	if (unlikely(available < IPV4_BYTES))
		return DROP_SHORT;
	if (unlikely(packet_is_ipv6(a->outer)))
		return arrival_header6(a, available, ret_protocol);
	a->offset = ipv4_header_bytes(a->outer);
	a->end = ip_total_bytes(a->outer);
	a->next_offset = offsetof(struct rte_ipv4_hdr, next_proto_id);
	*ret_protocol = a->outer[offsetof(struct rte_ipv4_hdr, next_proto_id)];
	if (unlikely((a->end > available) | (a->offset < IPV4_BYTES) | (a->end < a->offset)))
		return DROP_SHORT;
	/* RFC 4302 3.4.1, RFC 4303 3.4.1. With AH these bits are mutable: the ICV would not tell */
	return unlikely(ipv4_is_fragment(a->outer)) ? DROP_FRAGMENT : DROP_NONE;
}

/* RFC 3948 2.1. */
static inline enum drop_reason arrival_udp(struct arrival *a)
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

/* What is behind the IP packet, or behind the UDP datagram, is not ours. minimum: bytes of ESP or AH at least. */
static inline enum drop_reason arrival_read(
	const struct rte_mbuf *m, const struct sa *sa, uint8_t protocol, uint32_t minimum, struct arrival *ret_arrival)
{
	struct arrival *a = ret_arrival;
	enum drop_reason reason;
	uint8_t found = 0;

	a->outer = rte_pktmbuf_mtod(m, uint8_t *);
	reason = arrival_header(a, m->data_len, &found);
	if (unlikely(reason))
		return reason;
	a->kind = found == IPPROTO_UDP ? SA_ACCEPT_UDP : SA_ACCEPT_RAW;
	if (unlikely(!(sa->traits & a->kind) || (found != protocol && found != IPPROTO_UDP)))
		return DROP_ENCAP;
	if (a->kind == SA_ACCEPT_UDP)
		reason = arrival_udp(a);
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

/* The whole sequence number behind the 32 bits on the wire, unless it was seen or is too old. Changes nothing. */
static inline enum drop_reason sequence_guess(const struct sa *sa, uint32_t low_be, uint64_t *ret_sequence)
{
	uint32_t window = sa->replay.window ? sa->replay.window : ESN_WINDOW_NONE;
	uint64_t mask = sa->traits & SA_ESN ? UINT64_MAX : 0;

	*ret_sequence = esn_guess(replay_top(&sa->replay), window, rte_be_to_cpu_32(low_be), mask);
	return replay_reason(replay_check(&sa->replay, *ret_sequence));
}

/* inner.c: called for the newest packet of an SA only: where did it come from (RFC 7296 2.23). esp: ESP header. */
void source_note(struct sa *sa, const uint8_t *outer, const uint8_t *esp);

/* The packet is authentic: replay window, source. m still begins at the outer header; esp: ESP or AH header. */
static inline enum drop_reason authentic_account(
	struct sa *sa, const struct rte_mbuf *m, const uint8_t *esp, uint64_t sequence)
{
	bool newest = sequence > replay_top(&sa->replay);
	enum drop_reason reason = replay_reason(replay_advance(&sa->replay, sequence));

	if (unlikely(reason))
		return reason;
	if (newest && unlikely(sa->traits & SA_ACCEPT_UDP))
		source_note(sa, rte_pktmbuf_mtod(m, const uint8_t *), esp);
	return DROP_NONE;
}

/* RFC 4303 2.4: padding is 1, 2, 3 .. Fewer than eight bytes, which is all that AEADs need, are compared as one word:
 * that many are there, since pad length, next header and an ICV of at least eight bytes follow them. */
static inline bool padding_good(const uint8_t *at, uint32_t pad)
{
	const uint64_t pattern = RTE_LE64(0x0807060504030201), ones = UINT64_MAX;
	uint64_t word;
	uint8_t wrong = 0;

	if (likely(pad < sizeof(word))) {
		memcpy(&word, at, sizeof(word));
		return ((rte_le_to_cpu_64(word) ^ rte_le_to_cpu_64(pattern)) & ~(ones << 8 * pad)) == 0;
	}
	for (uint32_t i = 0; i < pad; i++)
		wrong |= at[i] ^ (uint8_t)(i + 1);
	return !wrong;
}

/* Not read: an inner checksum. The packet was authenticated, and forwarding keeps a wrong sum wrong. */
static inline bool inner_valid(const uint8_t *inner, uint32_t bytes, uint8_t next_header)
{
	uint32_t header, total;

	if (unlikely(next_header == NEXT_HEADER_IPV6))
		return bytes >= IPV6_BYTES && packet_is_ipv6(inner) && ip_total_bytes(inner) <= bytes;
	if (unlikely(bytes < IPV4_BYTES || inner[0] >> 4 != IPVERSION))
		return false;
	header = ipv4_header_bytes(inner);
	total = ip_total_bytes(inner);
	return (header >= IPV4_BYTES) & (total >= header) & (total <= bytes);
}

static inline uint8_t tos_read(const uint8_t *ip)
{
	return packet_is_ipv6(ip) ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
}

/* inner.c: RFC 6040 4.2 for two fields that differ. DROP_NONE or DROP_ECN. */
enum drop_reason ecn_merge(uint8_t *inner, uint8_t outer_tos);

/* inner.c: a part of a datagram. */
bool inner_is_fragment(const uint8_t *ip, uint32_t bytes);

/* RFC 4301 5.2 step 4: what comes out of an SA must be what was negotiated for it. */
static inline bool inner_selected(const struct sa *sa, const uint8_t *ip, uint32_t bytes)
{
	const struct rte_ipv4_hdr *ip4 = (const struct rte_ipv4_hdr *)ip;
	struct flow f;

	if (likely(!(sa->traits & SA_PORTS) && !packet_is_ipv6(ip)))
		return sa_selectors_match4(sa, ip4->dst_addr, ip4->src_addr, ip4->next_proto_id);
	flow_read(ip, bytes, false, &f);
	if (unlikely(sa->traits & SA_JOINS) && inner_is_fragment(ip, bytes))
		return sa_addresses_match(sa, &f);
	return sa_selectors_match(sa, &f);
}

/* inner.c: RFC 4301 6.2: a packet that does not fit the selectors by its own header is an ICMP error about one that
 * does. */
bool inner_quotes_selected(const struct sa *sa, const uint8_t *ip, uint32_t bytes);

/* Selectors and limits; from here on the packet counts. */
static inline enum drop_reason packet_count(struct sa *sa, const uint8_t *ip, uint32_t total)
{
	enum drop_reason reason;

	if (unlikely(!inner_selected(sa, ip, total) && !inner_quotes_selected(sa, ip, total)))
		return DROP_SELECTOR_IN;
	reason = sa_limit_check(sa, total);
	if (unlikely(reason))
		return reason;
	sa_account(sa, total);
	return DROP_NONE;
}

/* The last checks of a packet in clear, which begins at `inner` with `bytes` behind it (RFC 4303 2.7: what is more than
 * its header says is traffic flow padding); then m is that packet. */
static inline enum drop_reason tunnel_accept(
	struct rte_mbuf *m, struct sa *sa, uint8_t *inner, uint32_t bytes, uint8_t next_header)
{
	uint8_t outer_tos = tos_read(rte_pktmbuf_mtod(m, const uint8_t *));
	enum drop_reason reason = DROP_NONE;

	if (unlikely(next_header != NEXT_HEADER_IPV4 && next_header != NEXT_HEADER_IPV6))
		return DROP_NEXT_HEADER;
	if (unlikely(!inner_valid(inner, bytes, next_header)))
		return DROP_INNER_HEADER;
	uint32_t total = ip_total_bytes(inner);
	if (unlikely((outer_tos ^ tos_read(inner)) & ECN_MASK))
		reason = ecn_merge(inner, outer_tos);
	if (likely(!reason))
		reason = packet_count(sa, inner, total);
	if (unlikely(reason))
		return reason;
	packet_begin(m, inner, total);
	return DROP_NONE;
}

/* The same for a packet whose IP header stands in front of its payload again. */
static inline enum drop_reason transport_accept(struct rte_mbuf *m, struct sa *sa, uint8_t *ip, uint32_t bytes)
{
	enum drop_reason reason;

	ip_length_set(ip, bytes);
	reason = packet_count(sa, ip, bytes);
	if (unlikely(reason))
		return reason;
	packet_begin(m, ip, bytes);
	return DROP_NONE;
}
