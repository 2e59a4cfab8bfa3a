/* SPDX-License-Identifier: BSD-3-Clause */
/* What would become of a packet: builds one that is never sent and asks the functions that workers ask, on what is
 * published now. Control's thread; no table, counter or mark changes. */
#include "stages_priv.h"
#include "verdict_priv.h"

#include <errno.h>
#include <rte_icmp.h>

#define PROBE_TTL     64
#define UPPER_BYTES   8   /* ports, or an ICMP header */
#define PROTOCOL_SOME 253 /* RFC 3692: nobody's, which only rules for every protocol match */

/* The packet and its buffer, without a pool. */
struct explain_probe {
	struct rte_mbuf m;
	uint8_t bytes[RTE_PKTMBUF_HEADROOM + sizeof(struct rte_ipv6_hdr) + UPPER_BYTES];
};

static void upper_fill(uint8_t *upper, const struct datapath_query *q)
{
	if (q->protocol == IPPROTO_ICMP || q->protocol == IPPROTO_ICMPV6) {
		upper[0] = (uint8_t)q->sport;
		upper[1] = (uint8_t)q->dport;
		return;
	}
	store_be16(upper, q->sport);
	store_be16(upper + 2, q->dport);
	store_be16(upper + 4, UPPER_BYTES);
}

static void ipv4_fill(struct rte_ipv4_hdr *ip, const struct datapath_query *q, uint16_t upper_bytes)
{
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip) + upper_bytes)),
		.time_to_live = PROBE_TTL,
		.next_proto_id = q->protocol ? q->protocol : PROTOCOL_SOME,
		.src_addr = ipv4_be(&q->src),
		.dst_addr = ipv4_be(&q->dst),
	};
	ip_checksum_set(ip);
}

static void ipv6_fill(struct rte_ipv6_hdr *ip, const struct datapath_query *q, uint16_t upper_bytes)
{
	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = rte_cpu_to_be_16(upper_bytes),
		.proto = q->protocol ? q->protocol : PROTOCOL_SOME,
		.hop_limits = PROBE_TTL,
	};
	memcpy(&ip->src_addr, q->src.bytes, 16);
	memcpy(&ip->dst_addr, q->dst.bytes, 16);
}

/* RFC 792, RFC 4443 2.3: echo is answered only with a good checksum. */
static void icmp_checksum_set(struct explain_probe *p, uint8_t *upper, uint8_t protocol)
{
	uint32_t sum = rte_raw_cksum(upper, UPPER_BYTES);
	uint16_t checksum;

	if (protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
		return;
	if (protocol == IPPROTO_ICMPV6)
		sum += pseudo_sum(&p->m, protocol, UPPER_BYTES);
	sum = (sum & 0xffff) + (sum >> 16);
	checksum = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	memcpy(upper + 2, &checksum, sizeof(checksum));
}

static void probe_init(struct explain_probe *p, const struct datapath_query *q, uint16_t port)
{
	uint16_t upper_bytes = q->has_ports ? UPPER_BYTES : 0;
	uint8_t *ip = p->bytes + RTE_PKTMBUF_HEADROOM;
	uint16_t header = q->src.family == ADDR_IPV6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);

	memset(p, 0, sizeof(*p));
	p->m.buf_addr = p->bytes;
	p->m.buf_len = sizeof(p->bytes);
	p->m.data_off = RTE_PKTMBUF_HEADROOM;
	p->m.nb_segs = 1;
	p->m.port = port;
	p->m.data_len = (uint16_t)(header + upper_bytes);
	p->m.pkt_len = p->m.data_len;
	if (q->src.family == ADDR_IPV6)
		ipv6_fill((struct rte_ipv6_hdr *)ip, q, upper_bytes);
	else
		ipv4_fill((struct rte_ipv4_hdr *)ip, q, upper_bytes);
	if (upper_bytes) {
		upper_fill(ip + header, q);
		icmp_checksum_set(p, ip + header, q->protocol);
	}
}

/* RFC 4862 5.4: an address of ours that is tentative or a duplicate. */
static bool is_unusable(const struct datapath *dp, uint16_t port, const struct addr *a)
{
	return a->family == ADDR_IPV6 && address6_unusable(dp, port, a->bytes);
}

/* ---- the ends of a way ---- */

static void end_drop(struct datapath_walk *w, enum drop_reason reason)
{
	w->end = DATAPATH_END_DROPPED;
	w->reason = reason;
}

/* The neighbour without the mark of use that a worker's look leaves. */
static void walk_send(const struct datapath *dp, struct datapath_walk *w, enum datapath_end end, uint16_t port,
	uint32_t neighbour, const struct addr *from, const struct addr *a)
{
	const struct neighbour *n;

	w->routed = true;
	w->next_hop = (struct datapath_neighbour){ .addr = *a, .port = port, .state = NEIGHBOUR_FREE };
	if (neighbour != NEIGHBOUR_NONE) {
		n = &dp->neighbours->entries[neighbour];
		w->next_hop.addr = n->addr;
		w->next_hop.state = (enum neighbour_state)n->state;
		memcpy(w->next_hop.mac, n->mac, sizeof(n->mac));
	}
	if (is_unusable(dp, port, from))
		end_drop(w, DROP_ADDRESS_UNUSABLE);
	else if (neighbour != NEIGHBOUR_NONE &&
		 (atomic_load_explicit(&dp->neighbours->words[neighbour], memory_order_relaxed) & NEIGHBOUR_WORD_VALID))
		w->end = end;
	else
		end_drop(w, DROP_NEIGHBOUR);
}

struct explain_facts {
	const struct datapath *dp;
	const struct snapshot *snap;
	const struct datapath_query *query;
	struct flow leaving;
};

static void walk_forward(const struct explain_facts *f, struct datapath_walk *w)
{
	const struct datapath *dp = f->dp;
	const struct addr *dst = &f->query->dst;
	const struct route *r = snapshot_route(f->snap, f->leaving.table_id, dst);

	if (!route_leads(r)) {
		end_drop(w, r->kind == ROUTE_LOCAL ? DROP_MARTIAN : DROP_NO_ROUTE);
		return;
	}
	w->mtu = dp->ports[r->port].mtu;
	walk_send(dp, w, DATAPATH_END_CLEAR, r->port,
		r->kind == ROUTE_CONNECTED ? neighbour_find(dp->neighbours, r->port, dst) : r->neighbour,
		&f->query->src, dst);
}

static enum drop_reason sa_fault(const struct sa *sa, const struct flow *leaving)
{
	struct sa_stats stats;

	if (!sa_selectors_match(sa, leaving))
		return DROP_SELECTOR_OUT;
	sa_stats_read(sa, &stats);
	if (stats.flags & SA_HARD_EXPIRED)
		return DROP_EXPIRED;
	return stats.flags & SA_SEQUENCE_END ? DROP_SEQUENCE : DROP_NONE;
}

static void walk_protect(const struct datapath *dp, uint32_t slot, const struct flow *leaving, struct datapath_walk *w)
{
	struct sa *first = tunnel_lookup(dp->ips, tunnel_child_lookup(dp->ips, slot, leaving));
	struct sa *fits = tunnel_select(first, leaving);
	const struct sa *sa = fits ? fits : first;
	const struct path *path;
	enum drop_reason fault;

	w->protect = true;
	w->tunnel_slot = slot;
	w->sa = sa;
	if (!sa) {
		end_drop(w, DROP_NO_SA);
		return;
	}
	w->owner = sa_owner(sa);
	w->mtu = sa_inner_mtu(sa);
	path = sa_path(sa);
	walk_send(dp, w, DATAPATH_END_SEALED, path->port, path->neighbour, &path->spec.local.addr,
		&path->spec.remote.addr);
	fault = sa_fault(sa, leaving);
	if (fault)
		end_drop(w, fault);
}

/* ---- for our own addresses ---- */

/* As local.c sorts them: IKE before policy, then echo and nothing else. */
static void walk_local(struct explain_probe *p, const struct datapath_query *q, enum drop_reason policy, bool tunnelled,
	struct datapath_walk *w)
{
	bool ike = q->protocol == IPPROTO_UDP && (q->dport == PORT_IKE || q->dport == PORT_NATT) && !tunnelled;
	enum drop_reason reason;

	if (!tunnelled && (q->protocol == IPPROTO_ESP || q->protocol == IPPROTO_AH)) {
		w->end = DATAPATH_END_OPENED;
		return;
	}
	if (ike) {
		w->end = DATAPATH_END_IKE;
		return;
	}
	reason = policy ? policy : echo_reply(&p->m);
	if (reason)
		end_drop(w, reason);
	else
		w->end = DATAPATH_END_ANSWERED;
}

/* ---- the ways ---- */

/* What a worker asks of the port and the routes about a packet that a rule protects. */
static enum drop_reason protect_fault(const struct explain_facts *f, const struct datapath_explanation *e)
{
	uint32_t slot = tunnel_child_lookup(f->dp->ips, e->leaving.tunnel_slot, &e->arriving_flow);
	const struct sa *sa = tunnel_lookup(f->dp->ips, slot);

	return protect_verdict(&e->leaving, &e->arriving, sa && sa_path(sa)->port == e->port,
		route_leads_behind(snapshot_route(f->snap, f->leaving.table_id, &f->query->src), e->port));
}

static bool is_sealed_for_us(const struct explain_facts *f, const struct explain_probe *p)
{
	return (f->query->protocol == IPPROTO_ESP || f->query->protocol == IPPROTO_AH) && destination_own(f->dp, &p->m);
}

static bool reverse_path_good(const struct explain_facts *f, const struct explain_probe *p, uint16_t port)
{
	if (port >= f->dp->port_count || source_on_every_link(&p->m) || is_sealed_for_us(f, p))
		return true;
	return source_reached(snapshot_route(f->snap, f->leaving.table_id, &f->query->src), port,
		(enum datapath_rpf)f->dp->ports[port].rpf);
}

static void walk_clear(const struct explain_facts *f, struct explain_probe *p, struct datapath_explanation *e)
{
	enum drop_reason reason;

	if (!e->local && !reverse_path_good(f, p, e->port)) {
		end_drop(&e->clear, DROP_REVERSE_PATH);
		return;
	}
	if (!e->local && destination_own(f->dp, &p->m)) {
		walk_local(p, f->query, local_verdict(&e->arriving), false, &e->clear);
		return;
	}
	if (!e->local && source_own(f->dp, &p->m))
		reason = DROP_MARTIAN;
	else if (is_protect(&e->leaving))
		reason = e->local ? DROP_NONE : protect_fault(f, e);
	else if (e->local)
		reason = own_verdict(&e->leaving, ORIGIN_OWN_CLEAR);
	else
		reason = clear_verdict(&e->leaving, &e->arriving);
	if (reason)
		end_drop(&e->clear, reason);
	else if (is_protect(&e->leaving))
		walk_protect(f->dp, e->leaving.tunnel_slot, &f->leaving, &e->clear);
	else
		walk_forward(f, &e->clear);
}

/* What came out of the tunnel and no other rule takes. */
static enum drop_reason tunnelled_fault(const struct explain_facts *f, const struct datapath_explanation *e)
{
	const struct route *r = snapshot_route(f->snap, f->leaving.table_id, &f->query->dst);
	uint32_t from = tunnel_child_lookup(f->dp->ips, e->arriving.tunnel_slot, &e->arriving_flow);
	const struct sa *sa = tunnel_lookup(f->dp->ips, from);

	if (is_protect(&e->leaving))
		return claimed_back_verdict(r, tunnel_lookup(f->dp->ips, tunnel_child_lookup(f->dp->ips,
										 e->leaving.tunnel_slot, &f->leaving)));
	if (!e->leaving.matched && sa && returns_in_clear(r->kind, r->port, sa_path(sa)->port))
		return DROP_NO_POLICY;
	return tunnelled_verdict(&e->leaving);
}

static void walk_tunnelled(const struct explain_facts *f, struct explain_probe *p, struct datapath_explanation *e)
{
	uint32_t from = e->arriving.tunnel_slot;
	enum drop_reason reason = tunnelled_fault(f, e);
	bool between = is_between_peers(f->dp->ips, from, &f->leaving, &e->arriving_flow);

	if (is_unusable(f->dp, e->port, &f->query->dst))
		end_drop(&e->tunnelled, DROP_ADDRESS_UNUSABLE);
	else if (source_own(f->dp, &p->m))
		end_drop(&e->tunnelled, DROP_MARTIAN);
	else if (destination_own(f->dp, &p->m))
		walk_local(p, f->query, DROP_NONE, true, &e->tunnelled);
	else if (tunnelled_protects(&e->leaving, from) || (is_protect(&e->leaving) && between))
		walk_protect(f->dp, e->leaving.tunnel_slot, &f->leaving, &e->tunnelled);
	else if (reason)
		end_drop(&e->tunnelled, reason);
	else
		walk_forward(f, &e->tunnelled);
}

/* The first stage of all: what no packet on a wire looks like. */
static enum drop_reason probe_classify(
	const struct datapath *dp, const struct datapath_query *q, uint16_t port, struct explain_probe *p)
{
	enum drop_reason reason = packet_is_ip6(&p->m) ? classify_ipv6(&p->m) : classify_ipv4(&p->m);

	if (reason || !packet_is_ip6(&p->m))
		return reason;
	/* where nobody knows from where it comes, any port's rules are the same but for link-local destinations */
	reason = classify_addresses6(dp, &dp->ports[port < dp->port_count ? port : 0], packet_ip6(&p->m));
	return reason || !is_unusable(dp, port, &q->dst) ? reason : DROP_ADDRESS_UNUSABLE;
}

static uint16_t port_behind(const struct datapath *dp, const struct snapshot *snap, const struct datapath_query *q)
{
	const struct route *r = snapshot_route(snap, port_table_id(dp, q->port), &q->src);

	if (q->port != DATAPATH_PORT_ANY || !route_leads(r))
		return q->port;
	return r->port;
}

static uint8_t port_worker(const struct datapath *dp, const struct snapshot *snap, uint16_t port)
{
	uint16_t device = port < dp->port_count ? dp->ports[port].device : 0;

	if (port >= dp->port_count || dp->devices[device].rx_queues > 1)
		return WORKER_NONE;
	return snap->assignment->rx[device][0];
}

int datapath_explain(
	const struct datapath *dp, const struct datapath_query *query, struct datapath_explanation *ret_explanation)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	struct explain_facts f = { .dp = dp, .snap = snap, .query = query };
	struct datapath_explanation e = { .port = port_behind(dp, snap, query) };
	struct explain_probe p;
	enum drop_reason reason;

	assert_control(dp);
	if (query->src.family != query->dst.family || query->src.family == ADDR_NONE)
		return -EINVAL;
	probe_init(&p, query, e.port);
	e.rx_worker = port_worker(dp, snap, e.port);
	e.local = query->port == DATAPATH_PORT_ANY && source_own(dp, &p.m);
	packet_flow(dp, &p.m, true, &f.leaving);
	packet_flow(dp, &p.m, false, &e.arriving_flow);
	snapshot_verdicts(snap, &f.leaving, 1, &e.leaving);
	snapshot_verdicts(snap, &e.arriving_flow, 1, &e.arriving);
	reason = probe_classify(dp, query, e.port, &p);
	if (reason) {
		end_drop(&e.clear, reason);
	} else {
		walk_clear(&f, &p, &e);
		/* an echo answered in place is a request no more */
		probe_init(&p, query, e.port);
		e.brought = is_protect(&e.arriving) && !e.local;
	}
	if (e.brought)
		walk_tunnelled(&f, &p, &e);
	*ret_explanation = e;
	return 0;
}
