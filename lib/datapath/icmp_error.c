/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors of both families about packets that cannot go on: who speaks, how often, and on which way; sent through
 * policy like anything else we make. Their bytes are icmp4.c and icmp6.c. RFC 1812 4.3.2, RFC 4443 2.2, 2.4. */
#include "stages_priv.h"

#define ERROR_RATE  1000 /* a second and worker */
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

/* A port may have a link-local address only, which would mean nothing further away: then any other of ours (RFC 4443
 * 2.2 (b)). */
static const uint8_t *error_source6(const struct worker *w, const struct port *p)
{
	if (p && p->prefix6.addr.family == ADDR_IPV6)
		return p->prefix6.addr.bytes;
	return w->dp->own6_count ? w->dp->own6[0] : NULL;
}

static bool error_forbidden(
	const struct worker *w, const struct rte_mbuf *m, const struct port *p, enum icmp_error error)
{
	if (packet_is_ip6(m))
		return !error_source6(w, p) || icmp6_error_forbidden(m, error);
	return !p || !p->addr_be || icmp4_error_forbidden(m);
}

static int error_build(struct worker *w, struct rte_mbuf *m, const struct port *p, enum icmp_error error, uint16_t mtu)
{
	if (packet_is_ip6(m))
		return icmp6_error_build(m, error_source6(w, p), error, mtu);
	return icmp4_error_build(m, p->addr_be, error, mtu, w->ip_id++);
}

void icmp_error_send(struct worker *w, struct rte_mbuf *m, enum origin origin, enum icmp_error error, uint16_t mtu,
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
	if (!silent && !bucket_take(&w->icmp_errors, w->now_cycles, w->dp->cycles_per_s, ERROR_RATE, ERROR_BURST)) {
		worker_count(w, DP_C_ICMP_LIMITED, 1);
		silent = true;
	}
	if (silent || error_build(w, m, p, error, mtu)) {
		worker_drop(w, m, reason);
		return;
	}
	/* the offending packet ended here, by this name; its buffer is the answer's */
	worker_drop_count(w, m, reason);
	worker_count(w, DP_C_ICMP_SENT, 1);
	list_push(own, m);
}
