/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 extension headers of packets for us: what their receiver has to know or to refuse, and what its sender is told
 * then. Of packets that go on nothing of this is our business. RFC 8200 4.1, 4.2, 4.4; RFC 4443 3.4. */
#include "stages_priv.h"

#define OPTIONS_AT      2 /* in a hop-by-hop or destination options header */
#define TYPE_AT         2 /* in a routing header */
#define SEGMENTS_AT     3
#define UNIT_BYTES      8
#define OPTION_PAD1     0
#define OPTION_PADN     1
#define OPTION_ALERT    5 /* RFC 2711: to be looked at, which we do with all */
#define ACTION_SKIP     0 /* RFC 8200 4.2: the two highest bits of a type we do not know */
#define ACTION_SILENT   1
#define ACTION_NO_GROUP 3 /* the sender is told unless the destination is a group */

static enum drop_reason fault_note(struct header_fault *f, enum icmp_error error, uint32_t pointer)
{
	*f = (struct header_fault){ .tell = true, .error = error, .pointer = (uint16_t)pointer };
	return DROP_OPTION6;
}

/* One option at `at`; *ret_at then is the next one's. */
static enum drop_reason option_check(
	const uint8_t *ip, uint32_t at, uint32_t end, uint32_t *ret_at, struct header_fault *ret_fault)
{
	const uint8_t type = ip[at];

	*ret_at = at + 1;
	if (type == OPTION_PAD1)
		return DROP_NONE;
	if (end - at < 2 || ip[at + 1] > end - at - 2)
		return fault_note(ret_fault, ICMP_ERROR_HEADER_FIELD, at + (end - at < 2 ? 0 : 1));
	*ret_at = at + 2 + ip[at + 1];
	if (type == OPTION_PADN || type == OPTION_ALERT || type >> 6 == ACTION_SKIP)
		return DROP_NONE;
	fault_note(ret_fault, ICMP_ERROR_UNKNOWN_OPTION, at);
	ret_fault->tell = type >> 6 != ACTION_SILENT &&
			  !(type >> 6 == ACTION_NO_GROUP &&
				  ip6_destination((const struct rte_ipv6_hdr *)ip)[0] == 0xff);
	return DROP_OPTION6;
}

static enum drop_reason options_check(const uint8_t *ip, uint32_t at, uint32_t end, struct header_fault *ret_fault)
{
	enum drop_reason reason = DROP_NONE;

	for (at += OPTIONS_AT; at < end && !reason;)
		reason = option_check(ip, at, end, &at, ret_fault);
	return reason;
}

/* A header of `protocol` at `at` that ends at `end`; named_at: of the byte that names it. */
static enum drop_reason header_check(const uint8_t *ip, uint8_t protocol, uint32_t named_at, uint32_t at, uint32_t end,
	struct header_fault *ret_fault)
{
	/* RFC 8200 4: hop-by-hop options are the first header or none */
	if (protocol == IPPROTO_HOPOPTS && at != sizeof(struct rte_ipv6_hdr))
		return fault_note(ret_fault, ICMP_ERROR_UNKNOWN_HEADER, named_at);
	if (protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_DSTOPTS)
		return options_check(ip, at, end, ret_fault);
	/* RFC 8200 4.4: no type of source route is known here (RFC 5095) */
	if (protocol == IPPROTO_ROUTING && ip[at + SEGMENTS_AT])
		return fault_note(ret_fault, ICMP_ERROR_HEADER_FIELD, at + TYPE_AT);
	return DROP_NONE;
}

enum drop_reason headers6_check(const struct rte_mbuf *m, struct header_fault *ret_fault)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t named_at = offsetof(struct rte_ipv6_hdr, proto), at = sizeof(struct rte_ipv6_hdr);
	enum drop_reason reason = DROP_NONE;

	*ret_fault = (struct header_fault){ 0 };
	while (!reason && ip6_is_extension(ip[named_at]) && m->data_len - at >= UNIT_BYTES) {
		const uint8_t protocol = ip[named_at];
		const uint32_t end = at + (protocol == IPPROTO_FRAGMENT ? IP6_FRAGMENT_BYTES
									: (ip[at + 1] + 1u) * UNIT_BYTES);
		if (end > m->data_len)
			return DROP_IP_HEADER;
		reason = header_check(ip, protocol, named_at, at, end, ret_fault);
		/* what follows in a later fragment is data */
		if (protocol == IPPROTO_FRAGMENT && load_be16(ip + at + 2) & 0xfff8)
			break;
		named_at = at;
		at = end;
	}
	ret_fault->upper_named_at = (uint16_t)named_at;
	return reason;
}

bool headers6_refuse(struct worker *w, struct rte_mbuf *m, enum origin origin)
{
	struct header_fault f;
	enum drop_reason reason = headers6_check(m, &f);

	if (likely(!reason))
		return false;
	if (f.tell)
		icmp_error_send(w, m, origin, f.error, f.pointer, reason);
	else
		worker_drop(w, m, reason);
	return true;
}

/* Those that somebody here listens to, or that are meant to be ignored (59). */
static bool is_recognised(uint8_t protocol)
{
	static const uint8_t known[] = { IPPROTO_ICMPV6, IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ESP, IPPROTO_AH,
		IPPROTO_NONE };

	return ip6_is_extension(protocol) || memchr(known, protocol, sizeof(known));
}

void headers6_unhandled(struct worker *w, struct rte_mbuf *m, enum origin origin, enum drop_reason reason)
{
	struct header_fault f;

	if (reason != DROP_LOCAL_UNHANDLED || !packet_is_ip6(m) || headers6_check(m, &f) ||
		is_recognised(rte_pktmbuf_mtod(m, const uint8_t *)[f.upper_named_at]))
		worker_drop(w, m, reason);
	else
		icmp_error_send(w, m, origin, ICMP_ERROR_UNKNOWN_HEADER, f.upper_named_at, reason);
}
