/* SPDX-License-Identifier: BSD-3-Clause */
/* The decapsulating half: ESP and AH for our own addresses to the SA's owner, through the burst, and the inner packets
 * on their way. What is inside is the ipsec room's business. RFC 4301 5.2, RFC 3948. */
#include "forward_priv.h"
#include "known_priv.h"
#include "verdict_priv.h"

/* From the IP header to the SPI: behind a UDP header, or next header, length and reserved of AH. */
static inline uint16_t spi_offset(const struct upper *u)
{
	return (uint16_t)(u->offset + (u->protocol == IPPROTO_UDP ? 8 : u->protocol == IPPROTO_AH ? 4 : 0));
}

static __rte_noinline enum drop_reason spi_read_unusual(
	const struct rte_mbuf *m, uint32_t *ret_spi, uint8_t *ret_protocol)
{
	struct upper u;

	packet_upper(m, &u);
	if (unlikely(u.fragment))
		return DROP_FRAGMENT;
	if (unlikely(m->data_len < spi_offset(&u) + SPI_SEQUENCE_BYTES))
		return DROP_SHORT;
	*ret_spi = load_be32(rte_pktmbuf_mtod_offset(m, const uint8_t *, spi_offset(&u)));
	*ret_protocol = u.protocol == IPPROTO_AH ? PROTOCOL_AH : PROTOCOL_ESP;
	return DROP_NONE;
}

/* SPI and protocol, or why there are none to look at. */
static inline enum drop_reason spi_read(const struct rte_mbuf *m, uint32_t *ret_spi, uint8_t *ret_protocol)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);

	if (unlikely(!ip4_is_plain(ip4_first(ip)) || packet_ip(m)->next_proto_id != IPPROTO_ESP ||
		     m->data_len < IP4_PLAIN_BYTES + SPI_SEQUENCE_BYTES))
		return spi_read_unusual(m, ret_spi, ret_protocol);
	*ret_spi = load_be32(ip + IP4_PLAIN_BYTES);
	*ret_protocol = PROTOCOL_ESP;
	return DROP_NONE;
}

static __rte_noinline void sealed_unknown(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	event_unknown_spi(w, spi, m);
	worker_drop(w, m, DROP_UNKNOWN_SPI);
}

/* To another worker, or to wait for one. What nobody has an SA for ends here: anyone can send that, and it would take
 * the room of what was agreed upon. Of the SA nothing is read but what never changes: the rest is its owner's. */
static __rte_noinline void sealed_hand_on(
	struct worker *w, struct rte_mbuf *m, const struct sad_question *question, uint8_t turn)
{
	const struct note note = { .stage = STAGE_SEALED };

	if (sad_lookup(w->ips, question))
		handoff_sealed(w, m, turn, &note, question->spi);
	else
		sealed_unknown(w, m, question->spi);
}

/* True: the packet is for this worker, and what names its SA was read. */
static inline bool sealed_read(struct worker *w, struct rte_mbuf *m, struct sad_question *ret_question)
{
	enum drop_reason reason = spi_read(m, &ret_question->spi, &ret_question->protocol);

	if (unlikely(reason)) {
		worker_drop(w, m, reason);
		return false;
	}
	ret_question->table_id = packet_table_id(w->dp, m);
	ret_question->ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t turn = owner_turn(sad_bucket_worker(w->ips, ret_question->spi), (uint8_t)w->id);
	if (packet_waits(w, parked_for_bucket(ret_question->spi)))
		turn = WORKER_MOVING;
	if (unlikely(turn != w->id)) {
		sealed_hand_on(w, m, ret_question, turn);
		return false;
	}
	return true;
}

/* TCP in front, or hidden behind extension headers. */
static inline bool may_be_tcp(const struct rte_mbuf *m)
{
	if (likely(!packet_is_ip6(m)))
		return packet_ip(m)->next_proto_id == IPPROTO_TCP;
	return packet_ip6(m)->proto == IPPROTO_TCP || ip6_is_extension(packet_ip6(m)->proto);
}

const struct sa *inbound_sa_back(const struct worker *w, const struct rte_mbuf *m)
{
	struct spd_verdict v;
	struct flow f;

	packet_flow(w->dp, m, false, &f);
	policy_lookup(w, &f, 1, &v);
	if (v.action != SPD_PROTECT)
		return NULL;
	return tunnel_select(tunnel_lookup(w->ips, tunnel_child_lookup(w->ips, v.tunnel_slot, &f)), &f);
}

/* MSS of a SYN from the far side: what its answers may carry is what our outbound SA to there takes. */
static void mss_clamp_tunnelled(struct worker *w, struct rte_mbuf *m)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	const struct sa *back;

	if (!w->dp->mss_clamp || !may_be_tcp(m) || !mss_is_syn(ip, m->data_len))
		return;
	back = inbound_sa_back(w, m);
	if (back && mss_clamp(ip, m->data_len, sa_inner_mtu(back)))
		worker_count(w, DP_C_MSS_CLAMPED, 1);
}

/* The burst has checked the inner lengths and the SA's selectors. */
static inline enum drop_reason inner_check(const struct worker *w, const struct rte_mbuf *m)
{
	enum drop_reason chain = DROP_NONE;
	bool good;

	if (packet_is_ip6(m)) {
		good = !ipv6_not_unicast(ip6_source(packet_ip6(m))) && !ipv6_link_local(ip6_source(packet_ip6(m)));
		chain = classify_extensions(m);
	} else
		good = ip_checksum_good(packet_ip(m), ip_header_bytes(packet_ip(m))) &&
		       !ipv4_not_unicast(packet_ip(m)->src_addr);
	if (unlikely(!good || (chain && chain != DROP_FRAGMENT)))
		return DROP_INNER_HEADER;
	if (unlikely(w->own6_unusable) && packet_is_ip6(m) &&
		address6_unusable(w->dp, m->port, ip6_destination(packet_ip6(m))))
		return DROP_ADDRESS_UNUSABLE;
	/* nobody speaks in our name, to whom an SA may protect what we say */
	return unlikely(source_own(w->dp, m)) ? DROP_MARTIAN : chain;
}

/* Fragments go on as they are unless somebody asks for their ports: the SA's selectors, policy, or we ourselves (RFC
 * 4301 7). */
static bool inner_joins(const struct worker *w, const struct rte_mbuf *m, const struct sa *sa)
{
	return packet_is_fragment(m) &&
	       (sa_joins_fragments(sa) || w->snapshot->policies->needs_ports || destination_own(w->dp, m));
}

/* The datagram that was put together, once it was seen to be the SA's; NULL: not yet, or no more. */
static struct rte_mbuf *inner_join(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	struct flow f;

	m = defragment_inner(w, m, sa);
	if (!m)
		return NULL;
	if (packet_is_ip6(m) && classify_extensions(m)) {
		worker_drop(w, m, DROP_INNER_HEADER);
		return NULL;
	}
	packet_flow(w->dp, m, false, &f);
	if (sa_selectors_match(sa, &f))
		return m;
	sa_count_drop(sa, DROP_SELECTOR_IN);
	worker_drop(w, m, DROP_SELECTOR_IN);
	return NULL;
}

/* What an SA brought, whole, or a fragment that nobody asks for its ports. */
static void inner_on(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	if (unlikely(destination_own(w->dp, m))) {
		list_push(&w->tunnelled, m);
		return;
	}
	mss_clamp_tunnelled(w, m);
	inner_push(w, m, sa_tunnel_slot(sa));
}

void inbound_inner_again(struct worker *w, struct rte_mbuf *m, uint32_t slot)
{
	if (unlikely(source_own(w->dp, m)))
		worker_drop(w, m, DROP_MARTIAN);
	else if (unlikely(destination_own(w->dp, m)))
		list_push(&w->tunnelled, m);
	else
		inner_push(w, m, slot);
}

/* A plain packet that goes on as it is when the cache has its flow: of what inner_sort asks, that answers what the
 * addresses are, since only what inner_sort or inbound_inner_again let pass has been decided, and addresses of ours
 * that come or go change the epoch. clamps: the MSS of a SYN is looked at. */
static inline bool inner_is_usual(const struct rte_mbuf *m, const struct rte_ipv4_hdr *ip, bool clamps)
{
	return ip4_is_plain(ip4_first(ip)) && ip_checksum_good(ip, sizeof(*ip)) &&
	       !(clamps && tcp_may_be_syn(ip, m->data_len));
}

/* Both families come out of either, and in transport mode what is for ourselves. */
static __rte_noinline void inner_sort(struct worker *w, struct rte_mbuf *m, struct sa *sa)
{
	enum drop_reason reason = inner_check(w, m);

	bool joins = inner_joins(w, m, sa);

	if (unlikely(reason && !(reason == DROP_FRAGMENT && joins))) {
		worker_drop(w, m, reason);
		return;
	}
	if (unlikely(joins))
		m = inner_join(w, m, sa);
	if (m)
		inner_on(w, m, sa);
}

/* To the owner, or to wait for one. An SA that its SPI alone does not lead to cannot be found again without the outer
 * header. */
static void inner_turn(struct worker *w, struct rte_mbuf *m, uint32_t spi, uint8_t turn)
{
	const struct note note = { .stage = STAGE_INNER, .spi = spi };

	if (sad_lookup_slot(w->ips, spi))
		handoff_turn(w, m, turn, &note, parked_for_bucket(spi));
	else
		worker_drop(w, m, DROP_OWNER_MOVING);
}

void inbound_inner_hand_on(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	inner_turn(w, m, spi, owner_turn(sad_bucket_worker(w->ips, spi), (uint8_t)w->id));
}

void inbound_inner_take(struct worker *w, struct rte_mbuf *m, uint32_t spi)
{
	uint8_t turn = owner_turn(sad_bucket_worker(w->ips, spi), (uint8_t)w->id);
	struct sa *sa = sad_lookup_slot(w->ips, spi);

	if (!sa || turn != w->id || packet_waits(w, parked_for_bucket(spi))) {
		inner_turn(w, m, spi, turn == w->id ? WORKER_MOVING : turn);
		return;
	}
	m = inner_join(w, m, sa);
	if (m)
		inner_on(w, m, sa);
}

/* Packets that are for this worker go to the front, each with what names its SA. Returns how many. */
static __rte_noinline uint16_t sealed_collect(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, struct sad_question *ret_questions)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++)
		if (likely(sealed_read(w, pkts[i], &ret_questions[kept])))
			pkts[kept++] = pkts[i];
	return kept;
}

/* Packets that are for this worker and have an SA, whatever names it. Returns how many. */
static __rte_noinline uint16_t items_collect(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, struct burst_item *ret_items)
{
	struct sad_question questions[BURST];
	struct sa *sas[BURST];
	uint16_t asked = sealed_collect(w, pkts, n, questions), found = 0;

	sad_lookup_burst(w->ips, questions, asked, sas);
	for (uint16_t i = 0; i < asked; i++) {
		if (unlikely(!sas[i])) {
			sealed_unknown(w, pkts[i], questions[i].spi);
			continue;
		}
		ret_items[found].m = pkts[i];
		ret_items[found++].sa = sas[i];
	}
	return found;
}

/* The same of plain ESP packets, most of which their SPI leads to their SA. */
static inline uint16_t items_collect_plain(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, struct burst_item *ret_items)
{
	uint16_t found = 0;

	if (likely(!w->parked.count))
		found = sad_lookup_plain(w->ips, (uint8_t)w->id, pkts, n, ret_items);
	if (unlikely(found < n))
		found += items_collect(w, pkts, n - found, ret_items + found);
	return found;
}

/* Where the decision about a packet would be, and what it is found by. */
struct opened {
	const struct flow_entry4 *set;
	struct flow_key4 key;
};

/* The flows of the usual packets out of a burst, a bit for each; where the cache would have their decisions is on its
 * way. */
static inline uint64_t opened_ask(
	struct worker *w, const struct burst_item *items, uint16_t n, struct opened *ret_opened)
{
	const struct flow_cache cache = w->flows; /* nothing that is stored below can change it */
	const bool clamps = w->dp->mss_clamp;
	uint64_t base = 0, others = 0;
	uint32_t port = UINT32_MAX;

	if (unlikely(!cache.four || w->trace))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct rte_mbuf *m = items[i].m;
		const struct rte_ipv4_hdr *ip = packet_ip(m);
		struct opened *o = &ret_opened[i];
		struct flow_key4 key;
		if (unlikely(m->port != port)) {
			port = m->port;
			base = plain_base(w, m, ORIGIN_TUNNEL);
		}
		if (unlikely(!inner_is_usual(m, ip, clamps) || !plain_key_of(ip, m->data_len, base, &key))) {
			others |= 1ull << i;
			continue;
		}
		o->key = key;
		o->set = flow_set4(&cache, flow_key4_hash(&cache, &key), 0);
		rte_prefetch0(o->set);
	}
	return ~others;
}

/* The way in clear that was found last. */
struct opened_way {
	uint64_t decision;    /* ... for what was decided so: the first words of a struct decision */
	uint32_t to, to_mask; /* ... and to this address, where it is the next hop itself; else the mask is 0 */
	uint32_t not_from;    /* packets of this port would be sent back, and do not go this way */
	struct hop hop;
};

static inline uint64_t decision_word(const struct decision *d)
{
	uint64_t word;

	memcpy(&word, d, sizeof(word));
	return word;
}
static_assert(offsetof(struct decision, tunnel) == sizeof(uint64_t), "all that a way in clear has of it");

/* False: the decision is not to go on in clear by a neighbour. */
static __rte_noinline bool opened_way_take(
	struct worker *w, const struct rte_mbuf *m, const struct decision *d, struct opened_way *ret_way)
{
	const enum route_kind kind = (enum route_kind)d->route_kind;
	const bool connected = kind == ROUTE_CONNECTED;

	if (d->kind != DECISION_FORWARD || (!connected && kind != ROUTE_VIA))
		return false;
	ret_way->decision = decision_word(d);
	ret_way->to = packet_ip(m)->dst_addr;
	ret_way->to_mask = connected ? UINT32_MAX : 0;
	ret_way->not_from = d->reason == DROP_NO_POLICY && returns_in_clear(kind, d->port, d->port) ? d->port
												    : UINT32_MAX;
	hop_take(w, kind, d->port, connected ? ret_way->to : d->neighbour, &ret_way->hop);
	return true;
}

static inline bool opened_way_is(const struct opened_way *way, const struct flow_key4 *key, const struct decision *d)
{
	return decision_word(d) == way->decision && !((flow_key4_destination(key) ^ way->to) & way->to_mask);
}

/* A usual packet whose flow goes on in clear, after those that came before it; false: nothing has changed. */
static inline bool opened_forward(struct worker *w, struct rte_mbuf *m, const struct opened *o, struct opened_way *way)
{
	const struct decision *known = flow_lookup4(o->set, &o->key, w->epoch);

	if (unlikely(!known))
		return false;
	if (unlikely(!opened_way_is(way, &o->key, known)) && !opened_way_take(w, m, known, way))
		return false;
	if (unlikely(m->port == way->not_from))
		return false;
	if (unlikely(w->inner.n))
		outbound_tunnelled(w);
	return forward_hop_usual(w, m, &way->hop);
}

/* Good packets of a burst, in their order: what is not usual, or whose flow is not known to go on in clear, waits in
 * the list `inner` for others of its kind, but no longer than until a usual one leaves. */
static inline void opened_go(struct worker *w, const struct burst_item *items, uint16_t n)
{
	struct opened opened[BURST];
	struct opened_way way = { .decision = 0 };
	uint64_t usual = opened_ask(w, items, n, opened);

	stage_lap(w->clock, CYCLES_INNER);
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = items[i].m;
		if (unlikely(!(usual >> i & 1) || !opened_forward(w, m, &opened[i], &way)))
			inner_sort(w, m, items[i].sa);
	}
	stage_lap(w->clock, CYCLES_FORWARD);
}

static __rte_noinline void items_trace(struct worker *w, const struct burst_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		trace_sealed(w, items[i].m, sa_spi(items[i].sa), sa_tunnel_slot(items[i].sa));
}

/* Packets with their SAs; plain: of sealed_plain. */
static void items_open(struct worker *w, struct burst_item *items, uint16_t n, bool plain)
{
	uint16_t good;

	stage_lap(w->clock, CYCLES_FIND_SA);
	if (!n)
		return;
	if (unlikely(w->trace != NULL))
		items_trace(w, items, n);
	if (unlikely(w->capture != NULL))
		capture_before(w, items, n, false);
	good = plain ? burst_in_plain(w->crypto, items, n) : burst_in(w->crypto, items, n);
	if (unlikely(w->capture != NULL))
		capture_after(w, items, good, n, false);
	if (unlikely(w->trace != NULL))
		trace_items(w, items, good, TRACE_OPENED);
	opened_go(w, items, good);
	for (uint16_t i = good; i < n; i++) {
		if (items[i].drop == DROP_EXPIRED)
			event_sa_flags(w, sa_spi(items[i].sa));
		worker_drop(w, items[i].m, (enum drop_reason)items[i].drop);
	}
	worker_count(w, DP_C_DECAP, good);
}

static uint16_t list_take(struct list *l)
{
	uint16_t n = l->n;

	l->n = 0;
	return n;
}

void inbound_sealed(struct worker *w)
{
	struct burst_item items[BURST];

	if (w->sealed_plain.n)
		items_open(
			w, items, items_collect_plain(w, w->sealed_plain.m, list_take(&w->sealed_plain), items), true);
	if (unlikely(w->sealed.n))
		items_open(w, items, items_collect(w, w->sealed.m, list_take(&w->sealed), items), false);
}
