/* SPDX-License-Identifier: BSD-3-Clause */
/* Reverse-path check: what comes in clear, to be forwarded or for ourselves, has a source that the routes know. By the
 * port's setting; asked before policy, of what came from the wire only. RFC 3704 2.2 (strict), 2.4 (loose). */
#include "stages_priv.h"
#include "verdict_priv.h"

bool source_on_every_link(const struct rte_mbuf *m)
{
	static const uint8_t unspecified[16];

	return packet_is_ip6(m) && (ipv6_link_local(ip6_source(packet_ip6(m))) ||
					   !memcmp(ip6_source(packet_ip6(m)), unspecified, sizeof(unspecified)));
}

void reverse_path_check(struct worker *w, struct list *l)
{
	uint16_t n = l->n;

	l->n = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = l->m[i];
		enum datapath_rpf rpf = m->port < w->dp->port_count ? (enum datapath_rpf)w->ports[m->port].rpf
								    : DATAPATH_RPF_OFF;
		if (rpf == DATAPATH_RPF_OFF || source_on_every_link(m) ||
			source_reached(packet_source_route(w, m), m->port, rpf))
			list_push(l, m);
		else
			worker_drop(w, m, DROP_REVERSE_PATH);
	}
}
