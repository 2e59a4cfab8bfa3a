/* SPDX-License-Identifier: BSD-3-Clause */
/* Traffic selectors (RFC 7296 3.13.1, RFC 4301 4.4.1.1): an address range, a protocol and a port range, as values.
 * Narrowing and containment are pure functions. */
#pragma once

#include "addr.h"

#define SELECTOR_TEXT_MAX 128
#define SELECTORS_MAX     16

/* ICMP: type and code stand in the ports' place (type << 8 | code), as in RFC 4301 4.4.1.1. OPAQUE ports are
 * written 65535-0 on the wire (low > high) and match only packets without ports. */
struct selector {
	struct addr low, high; /* same family, low <= high */
	uint8_t protocol;      /* IP protocol; 0: any */
	uint16_t port_low, port_high;
};

struct selector_list {
	uint8_t count;
	struct selector items[SELECTORS_MAX];
	bool dynamic; /* the items say where the side's addresses may be; which they are each IKE SA tells (RFC 7296
		       * 2.19) */
};

/* "10.1.0.0/24", "10.1.0.5-10.1.0.9", "10.1.0.0/24[tcp/80]", "10.1.0.0/24[udp/1000-2000]", "10.1.0.0/24[icmp]",
 * "10.1.0.0/24[tcp/opaque]", "10.1.0.0/24[protocol 89]"; "icmp" is ICMPv6 beside IPv6 addresses. 0 or -EINVAL. */
int selector_parse(const char *text, struct selector *ret_selector);
/* The shortest of these forms. Returns ret_text (SELECTOR_TEXT_MAX bytes). */
char *selector_format(const struct selector *s, char *ret_text);
/* All of them, "any" for an empty list; text of capacity bytes, cut at the end. */
char *selector_list_format(const struct selector_list *list, char *ret_text, size_t capacity);

struct selector selector_from_prefix(const struct prefix *p);
bool selector_valid(const struct selector *s);
bool selector_equal(const struct selector *a, const struct selector *b);
/* True when every packet of `inner` matches `outer`. */
bool selector_contains(const struct selector *outer, const struct selector *inner);
/* The common part in *ret_common (may alias an input); false when there is none. */
bool selector_intersect(const struct selector *a, const struct selector *b, struct selector *ret_common);
/* True when address, protocol and port (0 with has_port false: not known, e.g. a fragment) fall inside. */
bool selector_matches(const struct selector *s, const struct addr *a, uint8_t protocol, bool has_port, uint16_t port);

/* How many prefixes the addresses of all items split into; of more than `limit` no more than that they are. */
uint32_t selector_list_prefixes(const struct selector_list *list, uint32_t limit);

/* Every non-empty pairwise intersection of offer and policy, without duplicates or parts contained in others
 * (RFC 7296 2.9). Returns the count in *ret_narrowed; *ret_cut is false when each offered selector lies inside one of
 * the result, true otherwise (also when several of the result together would cover it). */
int selector_list_narrow(const struct selector_list *offer, const struct selector_list *policy,
	struct selector_list *ret_narrowed, bool *ret_cut);
