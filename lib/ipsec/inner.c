/* SPDX-License-Identifier: BSD-3-Clause */
/* The rarer parts of decapsulation that ESP and AH share: an IPv6 header in front, a congestion mark to merge, a peer
 * that moved. */
#include "inner_priv.h"
#include "quote.h"

#define ECN_DROP 4

enum drop_reason arrival_header6(struct arrival *a, uint32_t available, uint8_t *ret_protocol)
{
	struct ip6_layout l;

	if (ip6_walk(a->outer, available, &l) != IP6_WALK_GOOD)
		return DROP_SHORT;
	/* the walk stops at a later fragment, and any other is not a whole packet */
	if (ip6_is_fragment(&l))
		return DROP_FRAGMENT;
	/* on its way to somebody else (RFC 8200 4.4) */
	if (l.routing)
		return DROP_IP_HEADER;
	a->offset = l.offset;
	a->end = ip_total_bytes(a->outer);
	a->next_offset = l.next_offset;
	*ret_protocol = l.protocol;
	return a->end > available || a->end < a->offset ? DROP_SHORT : DROP_NONE;
}

/* A chain that breaks off behind a fragment header is not asked about: the walk says short. */
bool inner_is_fragment(const uint8_t *ip, uint32_t bytes)
{
	struct ip6_layout l;

	if (!packet_is_ipv6(ip))
		return ipv4_is_fragment(ip);
	return ip6_walk(ip, bytes, &l) == IP6_WALK_GOOD && ip6_is_fragment(&l);
}

static bool came_in_udp(const uint8_t *outer, const uint8_t *esp)
{
	struct ip6_layout l;

	if (!packet_is_ipv6(outer))
		return ((const struct rte_ipv4_hdr *)outer)->next_proto_id == IPPROTO_UDP;
	return ip6_walk(outer, (uint32_t)(esp - outer), &l) == IP6_WALK_GOOD && l.protocol == IPPROTO_UDP;
}

static struct endpoint udp_source(const uint8_t *outer, const uint8_t *udp)
{
	struct endpoint e;

	if (packet_is_ipv6(outer))
		e.addr = addr_from_bytes(ADDR_IPV6, ip6_source((const struct rte_ipv6_hdr *)outer));
	else
		e.addr = addr_from_bytes(ADDR_IPV4, outer + offsetof(struct rte_ipv4_hdr, src_addr));
	e.port = load_be16(udp);
	return e;
}

void source_note(struct sa *sa, const uint8_t *outer, const uint8_t *esp)
{
	struct endpoint e;
	uint64_t words[3];

	if (!came_in_udp(outer, esp))
		return;
	e = udp_source(outer, esp - UDP_BYTES);
	source_words(&e, words);
	if (likely(source_equal(&sa->source, words)))
		return;
	source_write(&sa->source, words);
	sa_flag(sa, SA_NEW_SOURCE);
}

/* RFC 6040 4.2: the inner field afterwards, by [outer][inner]. */
static const uint8_t ecn_decap[4][4] = {
	/* inner: Not-ECT, ECT(1), ECT(0), CE */
	{ 0, 1, 2, 3 },        /* outer Not-ECT */
	{ 0, 1, 1, 3 },        /* outer ECT(1) */
	{ 0, 1, 2, 3 },        /* outer ECT(0) */
	{ ECN_DROP, 3, 3, 3 }, /* outer CE */
};

/* IPv4 with its checksum to match (RFC 1624); in IPv6 the bits are the 11th and 12th. */
static void ecn_write(uint8_t *ip, uint8_t before, uint8_t ecn)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)ip;
	uint32_t sum;

	if (packet_is_ipv6(ip)) {
		ip[1] ^= (uint8_t)((before ^ ecn) << 4);
		return;
	}
	ip4->type_of_service ^= before ^ ecn;
	sum = (uint32_t)(uint16_t)~ip4->hdr_checksum + (uint16_t)~rte_cpu_to_be_16(before) + rte_cpu_to_be_16(ecn);
	sum = (sum & 0xffff) + (sum >> 16);
	ip4->hdr_checksum = (uint16_t) ~(sum + (sum >> 16));
}

enum drop_reason ecn_merge(uint8_t *inner, uint8_t outer_tos)
{
	uint8_t before = tos_read(inner) & ECN_MASK;
	uint8_t ecn = ecn_decap[outer_tos & ECN_MASK][before];

	if (ecn == ECN_DROP)
		return DROP_ECN;
	if (ecn != before)
		ecn_write(inner, before, ecn);
	return DROP_NONE;
}

/* The router that says so is in no selector; that its packet came out of this SA is the peer's word for it. Where it
 * goes is the sender of the quoted packet (quote_read), one of our side of the SA. */
bool inner_quotes_selected(const struct sa *sa, const uint8_t *ip, uint32_t bytes)
{
	struct quote q;
	struct flow f;

	if (!quote_read(ip, bytes, &q))
		return false;
	quote_flow(&q, false, &f);
	return sa_selectors_match(sa, &f);
}
