/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors on their way through the gateway: which protected flow they are about. A router between a host and its
 * gateway is in no SA's selectors, yet what it says of protected traffic has to be heard at the other end, protected
 * likewise. Reads the quoted packet and asks policy; sends nothing. RFC 4301 6.2. */
#include "quote.h"
#include "stages_priv.h"

bool icmp_flow_lookup(
	const struct worker *w, const struct rte_mbuf *m, bool leaving, struct flow *ret_flow, uint32_t *ret_slot)
{
	struct spd_verdict v;
	struct quote q;

	if (!quote_read(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &q))
		return false;
	quote_flow(&q, leaving, ret_flow);
	ret_flow->table_id = packet_table_id(w->dp, m);
	policy_lookup(w, ret_flow, 1, &v);
	*ret_slot = v.tunnel_slot;
	return v.matched && v.action == SPD_PROTECT;
}

bool icmp_flow_local_there(const struct worker *w, const struct rte_mbuf *m, const struct flow *flow)
{
	const struct routes_of_table *t = &w->snapshot->routes->tables[flow->table_id];
	const struct route *r = flow->family == ADDR_IPV6 ? route6_lookup(&t->six, (const uint8_t *)flow->local_be)
							  : route_lookup(&t->four, flow->local_be[0]);

	return route_leads(r) && r->port == m->port;
}
