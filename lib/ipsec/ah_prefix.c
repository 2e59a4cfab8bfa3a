/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutable fields of the headers in front of AH: which bytes count as zero in the ICV. RFC 4302 3.3.3.1, appendix A. */
#include "ah_priv.h"

#define OPTION_END               0
#define OPTION_NOP               1
#define OPTION_LSRR              131
#define OPTION_SSRR              137
#define OPTION6_PAD1             0
#define OPTION6_CHANGES_EN_ROUTE 0x20

/* RFC 4302 A1: security (130), extended security (133), commercial security (134), router alert (148), sender directed
 * multi-destination delivery (149) stay. */
static bool option_immutable(uint8_t type)
{
	return type == 130 || type == 133 || type == 134 || type == 148 || type == 149;
}

/* The type, length and data of a mutable option are all zero in the ICV. */
static enum drop_reason ipv4_options_zero(uint8_t *at, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes && at[i] != OPTION_END;) {
		uint8_t type = at[i], len = 1;
		if (type != OPTION_NOP) {
			len = i + 1 < bytes ? at[i + 1] : 0;
			if (len < 2 || len > bytes - i)
				return DROP_IP_HEADER;
		}
		/* used up at its last hop, a source route leaves the address that AH covers */
		if ((type == OPTION_LSRR || type == OPTION_SSRR) && len > 2 && at[i + 2] <= len)
			return DROP_IP_HEADER;
		if (type != OPTION_NOP && !option_immutable(type))
			memset(at + i, 0, len);
		i += len;
	}
	return DROP_NONE;
}

static enum drop_reason ipv4_zero(uint8_t *ip, uint32_t bytes)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)ip;

	h->type_of_service = 0;
	h->fragment_offset = 0;
	h->time_to_live = 0;
	h->hdr_checksum = 0;
	return ipv4_options_zero(ip + sizeof(*h), bytes - (uint32_t)sizeof(*h));
}

/* Hop-by-hop and destination options: the data of those whose third bit is set (RFC 8200 4.2). */
static enum drop_reason ipv6_options_zero(uint8_t *header, uint32_t bytes)
{
	for (uint32_t i = 2; i < bytes;) {
		if (header[i] == OPTION6_PAD1) {
			i++;
			continue;
		}
		if (bytes - i < 2 || header[i + 1] > bytes - i - 2)
			return DROP_IP_HEADER;
		if (header[i] & OPTION6_CHANGES_EN_ROUTE)
			memset(header + i + 2, 0, header[i + 1]);
		i += 2u + header[i + 1];
	}
	return DROP_NONE;
}

/* Traffic class, flow label, hop limit; then options. A routing header is taken as at its destination, where no
 * segments are left; one with segments left is not ours to judge. */
static enum drop_reason ipv6_zero(uint8_t *ip, uint32_t bytes)
{
	struct rte_ipv6_hdr *h = (struct rte_ipv6_hdr *)ip;
	uint8_t next = h->proto;
	enum drop_reason reason = DROP_NONE;

	h->vtc_flow = RTE_BE32(6u << 28);
	h->hop_limits = 0;
	for (uint32_t at = sizeof(*h); at < bytes && !reason;) {
		uint32_t length = bytes - at < 8 ? 8 : next == IPPROTO_FRAGMENT ? 8 : (ip[at + 1] + 1u) * 8;
		if (length > bytes - at || (next == IPPROTO_ROUTING && ip[at + 3]))
			return DROP_IP_HEADER;
		if (next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS)
			reason = ipv6_options_zero(ip + at, length);
		next = ip[at];
		at += length;
	}
	return reason;
}

enum drop_reason ah_prefix_zero(struct ah_prefix *p, uint8_t *ip, uint32_t bytes)
{
	if (unlikely(bytes > sizeof(p->data)))
		return DROP_IP_HEADER;
	p->bytes = (uint16_t)bytes;
	memcpy(p->data, ip, bytes);
	return packet_is_ipv6(ip) ? ipv6_zero(ip, bytes) : ipv4_zero(ip, bytes);
}
