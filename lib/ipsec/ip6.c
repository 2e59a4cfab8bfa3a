/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk along IPv6 extension headers. RFC 8200 4, 4.1; RFC 4302 2.2 (AH ends the chain as an upper layer does). */
#include "ip6.h"

#define UNIT_BYTES      8
#define SEGMENTS_OFFSET 3

/* Length of an extension header whose first 8 bytes are there. */
static inline uint32_t extension_bytes(uint8_t protocol, const uint8_t *header)
{
	return protocol == IPPROTO_FRAGMENT ? IP6_FRAGMENT_BYTES : (header[1] + 1u) * UNIT_BYTES;
}

static inline void header_note(uint8_t protocol, const uint8_t *header, struct ip6_layout *l)
{
	if (protocol == IPPROTO_ROUTING)
		l->routing |= header[SEGMENTS_OFFSET] != 0;
	if (protocol == IPPROTO_FRAGMENT) {
		l->has_fragment_header = true;
		l->fragment_offset = l->offset;
		l->fragment_next = l->next_offset;
		/* of several, the walk goes on behind those of offset 0 only: a flag that says "more" stays said */
		l->fragment |= (uint16_t)(header[2] << 8 | header[3]);
	}
}

enum ip6_walk_fault ip6_walk(const uint8_t *ip, uint32_t bytes, struct ip6_layout *ret_layout)
{
	struct ip6_layout l = { .next_offset = offsetof(struct rte_ipv6_hdr, proto),
		.offset = sizeof(struct rte_ipv6_hdr) };

	if (bytes < sizeof(struct rte_ipv6_hdr))
		return IP6_WALK_SHORT;
	l.protocol = ip[l.next_offset];
	l.insert_offset = l.offset;
	l.insert_next = l.next_offset;
	for (int n = 0; ip6_is_extension(l.protocol) && !ip6_is_later_fragment(&l); n++) {
		if (n == IP6_HEADERS_MAX)
			return IP6_WALK_TOO_MANY;
		if (bytes - l.offset < UNIT_BYTES)
			return IP6_WALK_SHORT;
		const uint8_t *header = ip + l.offset;
		uint32_t length = extension_bytes(l.protocol, header);
		if (length > bytes - l.offset)
			return IP6_WALK_SHORT;
		header_note(l.protocol, header, &l);
		bool before = l.protocol != IPPROTO_DSTOPTS;
		l.protocol = header[0];
		l.next_offset = l.offset;
		l.offset = (uint16_t)(l.offset + length);
		if (before) {
			l.insert_offset = l.offset;
			l.insert_next = l.next_offset;
		}
	}
	*ret_layout = l;
	return IP6_WALK_GOOD;
}
