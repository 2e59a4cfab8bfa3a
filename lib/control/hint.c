/* SPDX-License-Identifier: BSD-3-Clause */
/* What the gateway itself knows about a peer's silence: its route and its next hop. Pure: values in, a text out. */
#include "control_priv.h"

#include <errno.h>
#include <stdio.h>

/* An entry is freed when nobody answered, but kept for minutes after an answer: right after our retransmissions, none
 * is as good as an unresolved one. */
static bool unresolved(const struct datapath_neighbour *hop)
{
	return hop->state == NEIGHBOUR_INCOMPLETE || hop->state == NEIGHBOUR_FREE;
}

bool hint_silence(const struct config *config, const struct addr *peer, int route_result,
	const struct datapath_neighbour *hop, char *ret_text, size_t capacity)
{
	char text[ADDR_TEXT_MAX];

	if (route_result == -EHOSTUNREACH) {
		snprintf(ret_text, capacity, "no route to %s: add one under routes", addr_format(peer, text));
		return true;
	}
	if (route_result || !unresolved(hop))
		return false;
	snprintf(ret_text, capacity, "next hop %s does not answer %s on %s", addr_format(&hop->addr, text),
		hop->addr.family == ADDR_IPV6 ? "neighbour solicitations" : "ARP",
		hop->port < config->interface_count ? config->interfaces[hop->port].name : "its interface");
	return true;
}

const char *hint_of(const struct history *h, const struct ike_failure *f)
{
	return h->hint && h->hint_of_ns == f->at_ns ? h->hint : f->hint;
}
