/* SPDX-License-Identifier: BSD-3-Clause */
/* What an ICMP or ICMPv6 error says and which packet it is about: read from the quoted header, every length checked
 * first. Decides nothing and changes nothing. RFC 792, RFC 1191 4, RFC 4443 3. */
#pragma once

#include "ipsec.h"

#define ICMP_BYTES 8 /* of an error in front of the quoted packet, both families */

enum quote_kind {
	QUOTE_TOO_BIG,     /* fragmentation needed; packet too big */
	QUOTE_UNREACHABLE, /* any other destination unreachable */
	QUOTE_TIME,        /* time exceeded */
	QUOTE_OTHER,       /* parameter problem, redirect, source quench, errors nobody has defined */
};

struct quote {
	uint8_t kind; /* enum quote_kind */
	uint8_t type, code;
	uint32_t mtu;      /* too big: of the next hop; 0: a router older than RFC 1191 */
	const uint8_t *ip; /* the quoted packet, of the same family; its fixed header is there */
	uint32_t bytes;    /* of it that are there */
};

/* True for an error by its type: ip is a packet whose header was checked, `bytes` of it there. A fragment is none: what
 * it says cannot be verified. */
bool quote_is_error(const uint8_t *ip, uint32_t bytes);
/* True when the error quotes a packet that can be read: header there, of its family, sent by the host that the error is
 * addressed to. Checksums are not looked at. */
bool quote_read(const uint8_t *ip, uint32_t bytes, struct quote *ret_quote);
/* RFC 4301 6.2: the flow of the traffic that the error belongs to, turned round from the quoted packet. leaving: the
 * error goes to the sender of that packet, so the packet came the other way. */
static inline void quote_flow(const struct quote *q, bool leaving, struct flow *ret_flow)
{
	flow_read(q->ip, q->bytes, !leaving, ret_flow);
}

/* ESP, AH or ESP in UDP 4500, quoted far enough to show its SPI. */
struct quoted_sa {
	uint32_t spi;
	uint8_t protocol; /* IPPROTO_ESP or IPPROTO_AH */
	bool udp;
	uint16_t local_port, remote_port; /* of UDP; the quoted packet is one of ours: local is its source */
	struct addr local, remote;
	uint16_t total_bytes; /* of the quoted packet, as its header says */
};

/* False for every other packet. */
bool quote_sa(const struct quote *q, struct quoted_sa *ret_sa);
