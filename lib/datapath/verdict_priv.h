/* SPDX-License-Identifier: BSD-3-Clause */
/* What policy makes of a packet, as pure functions of the rules it met, of where it came from and of what routes say:
 * workers act on them, explain.c tells the operator about them. Leaf header, inline; touches no packet. RFC 4301 5. */
#pragma once

#include "datapath_priv.h"

/* Verdicts of a snapshot; without rules nothing matches. n at most 64. */
static inline void snapshot_verdicts(
	const struct snapshot *s, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	if (likely(s->policies->spd != NULL))
		spd_lookup(s->policies->spd, flows, n, ret_verdicts);
	else
		memset(ret_verdicts, 0, n * sizeof(*ret_verdicts));
}

static inline bool is_protect(const struct spd_verdict *v)
{
	return v->matched && v->action == SPD_PROTECT;
}

/* What becomes of a packet that no outbound rule protects. A gateway in the middle sees it from both sides: leaving
 * (local = source) and arriving (local = destination). Inbound protection wins; of the rest, the earlier rule. */
static inline enum drop_reason clear_verdict(const struct spd_verdict *leaving, const struct spd_verdict *arriving)
{
	const struct spd_verdict *first = leaving;

	if (is_protect(arriving))
		return DROP_INBOUND_CLEAR;
	if (!leaving->matched || (arriving->matched && arriving->rule < leaving->rule))
		first = arriving;
	if (!first->matched)
		return DROP_NO_POLICY;
	return first->action == SPD_BYPASS ? DROP_NONE : DROP_DISCARD;
}

/* The rule that ended such a packet is one about what leaves: it was sent by our side (RFC 4301 5.1.1). */
static inline bool discards_leaving(const struct spd_verdict *leaving, const struct spd_verdict *arriving)
{
	return leaving->matched && leaving->action == SPD_DISCARD &&
	       !(arriving->matched && arriving->rule < leaving->rule);
}

/* Our own answer to a packet that policy let come in clear goes back the same way unless a rule forbids it. It quotes
 * the packet: what came out of a tunnel is answered through a tunnel or not at all. */
static inline enum drop_reason own_verdict(const struct spd_verdict *leaving, enum origin origin)
{
	if (leaving->matched && leaving->action == SPD_DISCARD)
		return DROP_DISCARD;
	return origin == ORIGIN_OWN_CLEAR ? DROP_NONE : DROP_NO_POLICY;
}

/* A packet that came in clear gets our protection only on the port behind which its source is: nobody else may speak in
 * its name to the peer. */
static inline bool route_leads_behind(const struct route *source, uint16_t port)
{
	return route_leads(source) && source->port == port;
}

/* A packet in clear that the rule `leaving` protects. NONE: into its tunnel. RFC 4301 5.2: what a tunnel should have
 * brought must not come in clear. A rule whose sides overlap matches both ways, and the port decides which it was:
 * peers_side, the one that leads to the peer. */
static inline enum drop_reason protect_verdict(
	const struct spd_verdict *leaving, const struct spd_verdict *arriving, bool peers_side, bool source_there)
{
	if (is_protect(arriving) && (arriving->tunnel_slot != leaving->tunnel_slot || peers_side))
		return DROP_INBOUND_CLEAR;
	return source_there ? DROP_NONE : DROP_MARTIAN;
}

/* What came out of a tunnel goes into another one when a rule says so, never back into its own ... */
static inline bool tunnelled_protects(const struct spd_verdict *leaving, uint32_t from_slot)
{
	return is_protect(leaving) && leaving->tunnel_slot != from_slot;
}

/* ... and else in clear unless a rule forbids it (RFC 4301 5.1), but see returns_in_clear. */
static inline enum drop_reason tunnelled_verdict(const struct spd_verdict *leaving)
{
	return leaving->matched && leaving->action == SPD_DISCARD ? DROP_DISCARD : DROP_NONE;
}

/* That no rule speaks of, and a router on the side it came from would have. What the tunnel is for is on another side,
 * or a host on the link; that the rest leaves in clear takes a rule. */
static inline bool returns_in_clear(enum route_kind kind, uint16_t port, uint16_t arrival)
{
	return port == arrival && kind == ROUTE_VIA;
}

/* The same of a decision about a packet out of a tunnel. */
static inline bool is_sent_back(const struct rte_mbuf *m, const struct decision *d)
{
	return unlikely(d->port == m->port) && d->kind == DECISION_FORWARD && d->reason == DROP_NO_POLICY &&
	       returns_in_clear((enum route_kind)d->route_kind, d->port, m->port);
}

/* The rule of the tunnel a packet came from claims it again: one whose sides overlap matches both ways, and the route
 * tells where the packet is going. On the peer's side (where no SA is up: on any) it would run in circles, or leave
 * there in clear. */
static inline enum drop_reason claimed_back_verdict(const struct route *r, const struct sa *sa)
{
	bool routed = route_leads(r);

	return routed && (!sa || sa_path(sa)->port == r->port) ? DROP_TUNNEL_LOOP : DROP_NONE;
}

/* Unless the tunnel serves many peers and the packet goes from one to another, which is what the rule says. The SAs of
 * each are found by its addresses. */
static inline bool is_between_peers(
	const struct ipsec *ips, uint32_t tunnel, const struct flow *leaving, const struct flow *arriving)
{
	uint32_t to = tunnel_child_lookup(ips, tunnel, leaving);

	return to != tunnel && tunnel_lookup(ips, to) != tunnel_lookup(ips, tunnel_child_lookup(ips, tunnel, arriving));
}

/* Reverse path (RFC 3704 2.2, 2.4) of a source with a route. Every address has the default route: a loose check that
 * took it would let all sources pass. */
static inline bool source_reached(const struct route *source, uint16_t port, enum datapath_rpf rpf)
{
	if (rpf == DATAPATH_RPF_OFF)
		return true;
	if (!route_leads(source))
		return false;
	return rpf == DATAPATH_RPF_STRICT ? source->port == port : !source->is_default;
}

/* A packet in clear for one of our own addresses: what policy wants protected is not believed in clear (RFC 4301 5.2
 * step 3b), and a discard rule is obeyed. */
static inline enum drop_reason local_verdict(const struct spd_verdict *arriving)
{
	if (!arriving->matched || arriving->action == SPD_BYPASS)
		return DROP_NONE;
	return arriving->action == SPD_PROTECT ? DROP_INBOUND_CLEAR : DROP_DISCARD;
}
