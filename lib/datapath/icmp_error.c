/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors of both families about packets that cannot go on: who speaks, how often, and on which way; sent through
 * policy like anything else we make. Their bytes are icmp4.c and icmp6.c. RFC 1812 4.3.2, RFC 4443 2.2, 2.4. */
#include "stages_priv.h"

#define ERROR_RATE  1000 /* a second, worker and port that the packets came from */
#define ERROR_BURST 100

/* The port whose address speaks. In clear the one the packet came from; of a tunnelled packet the one it was going to,
 * as that address is the one the tunnel's selectors cover. NULL: none. */
static const struct port *error_port(const struct worker *w, const struct rte_mbuf *m, enum origin origin)
{
	const struct route *r;

	if (origin == ORIGIN_CLEAR)
		return m->port < w->dp->port_count ? &w->ports[m->port] : NULL;
	r = packet_route(w, m);
	return r->kind == ROUTE_NONE || r->kind == ROUTE_NOWHERE ? NULL : &w->ports[r->port];
}

/* Ours that is not tentative; NULL: none. */
static const uint8_t *usable6(const struct worker *w, uint16_t port, const uint8_t *addr)
{
	return w->own6_unusable && address6_unusable(w->dp, port, addr) ? NULL : addr;
}

/* The address the packet was for speaks, when it is ours (RFC 4443 2.2 (a)). To a neighbour without any other address
 * the link-local one. A port may have that only, which would mean nothing further away: then any other of ours in its
 * table (2.2 (b)). */
static const uint8_t *error_source6(const struct worker *w, const struct rte_mbuf *m, const struct port *p)
{
	const struct rte_ipv6_hdr *ip = packet_ip6(m);
	const uint8_t *source = NULL;

	if (p && (port_has6(p, ip6_destination(ip)) || destination_own(w->dp, m)))
		return usable6(w, m->port, ip6_destination(ip));
	if (p && ipv6_link_local(ip6_source(ip)))
		return usable6(w, m->port, p->link_local);
	if (p && p->prefix6.addr.family == ADDR_IPV6)
		source = usable6(w, m->port, p->prefix6.addr.bytes);
	for (uint16_t i = 0; i < w->dp->port_count && !source; i++) {
		const struct port *other = &w->ports[i];
		if (other->prefix6.addr.family == ADDR_IPV6 && other->table_id == packet_table_id(w->dp, m))
			source = usable6(w, m->port, other->prefix6.addr.bytes);
	}
	return source;
}

static bool error_forbidden(
	const struct worker *w, const struct rte_mbuf *m, const struct port *p, enum icmp_error error)
{
	if (packet_is_ip6(m))
		return !error_source6(w, m, p) || icmp6_error_forbidden(m, error);
	return !p || !p->addr_be || icmp4_error_forbidden(m);
}

static int error_build(
	struct worker *w, struct rte_mbuf *m, const struct port *p, enum icmp_error error, uint16_t value)
{
	uint32_t source_be = p ? p->addr_be : 0;

	if (packet_is_ip6(m))
		return icmp6_error_build(m, error_source6(w, m, p), error, value);
	if (destination_own(w->dp, m))
		source_be = packet_ip(m)->dst_addr;
	return icmp4_error_build(m, source_be, error, value, w->ip_id++);
}

/* As anything of ours; but no policy and no route leads to a link-local address. */
static void error_leave(struct worker *w, struct rte_mbuf *m, struct list *own)
{
	if (packet_is_ip6(m) && unlikely(ipv6_link_local(ip6_destination(packet_ip6(m)))))
		forward_link_local(w, m);
	else
		list_push(own, m);
}

/* Hosts find out the MTU of their paths whatever else their link makes us say (RFC 1812 4.3.2.8 has the limits by
 * interface and by kind). */
static bool error_allowed(struct worker *w, const struct rte_mbuf *m, enum icmp_error error)
{
	struct bucket *of_kind = w->icmp_errors[error != ICMP_ERROR_TOO_BIG];

	return bucket_take(&of_kind[RTE_MIN(m->port, (uint16_t)DATAPATH_PORTS_MAX)], w->now_cycles, w->dp->cycles_per_s,
		ERROR_RATE, ERROR_BURST);
}

void icmp_error_send(struct worker *w, struct rte_mbuf *m, enum origin origin, enum icmp_error error, uint16_t value,
	enum drop_reason reason)
{
	struct list *own = origin == ORIGIN_TUNNEL ? &w->own_tunnel : &w->own_clear;
	const struct port *p = NULL;
	/* nothing to answer about what we made ourselves */
	bool silent = !origin_forwarded(origin) || own->n == BURST;

	if (!silent) {
		p = error_port(w, m, origin);
		silent = error_forbidden(w, m, p, error);
	}
	if (!silent && !error_allowed(w, m, error)) {
		worker_count(w, DP_C_ICMP_LIMITED, 1);
		silent = true;
	}
	if (silent || error_build(w, m, p, error, value)) {
		worker_drop(w, m, reason);
		return;
	}
	/* the offending packet ended here, by this name; its buffer is the answer's */
	worker_drop_count(w, m, reason);
	worker_count(w, DP_C_ICMP_SENT, 1);
	error_leave(w, m, own);
}
