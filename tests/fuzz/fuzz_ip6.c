/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: the walk along IPv6 extension headers and the flow of any packet. What the walk says lies inside
 * the packet, and does not depend on the bytes behind it. */
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "ip6.h"
#include "ipsec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void layout_check(const uint8_t *ip, size_t size, const struct ip6_layout *l)
{
	if (l->offset < sizeof(struct rte_ipv6_hdr) || l->offset > size || l->next_offset >= l->offset ||
		ip[l->next_offset] != l->protocol)
		abort();
	if (l->insert_offset < sizeof(struct rte_ipv6_hdr) || l->insert_offset > l->offset ||
		l->insert_next >= l->insert_offset)
		abort();
	if (ip6_is_extension(l->protocol) && !ip6_is_later_fragment(l))
		abort();
	if (ip6_is_fragment(l) && !l->has_fragment_header)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip6_layout l, shorter;
	struct flow leaving, arriving;

	/* a copy of its exact size: a byte read behind it is found */
	uint8_t *ip = malloc(size ? size : 1);
	if (!ip)
		return 0;
	memcpy(ip, data, size);
	if (ip6_walk(ip, (uint32_t)size, &l) == IP6_WALK_GOOD) {
		layout_check(ip, size, &l);
		/* all that was looked at is in front of the offset */
		if (ip6_walk(ip, l.offset, &shorter) != IP6_WALK_GOOD || shorter.offset != l.offset)
			abort();
	}
	if (size >= sizeof(struct rte_ipv6_hdr)) {
		flow_read(ip, (uint32_t)size, true, &leaving);
		flow_read(ip, (uint32_t)size, false, &arriving);
		if (leaving.protocol != arriving.protocol || leaving.has_ports != arriving.has_ports ||
			memcmp(leaving.local_be, arriving.remote_be, sizeof(leaving.local_be)) != 0)
			abort();
	}
	free(ip);
	return 0;
}
