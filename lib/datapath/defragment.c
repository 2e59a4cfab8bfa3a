/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments of packets: to the one worker that puts a datagram together, into its table, and the whole datagram in one
 * buffer back among the other packets. What may be put together is decided in reassembly.c. RFC 791 3.2, RFC 8200 4.5,
 * RFC 4301 7. */
#include "stages_priv.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>
#include <stdio.h>

#include "seed.h"

#define EXPIRE_MOST      16 /* datagrams a loop */
#define HELD_SHARE       4  /* this part of all buffers may wait in the tables of all workers */
#define OFFSET_AT        2  /* in it */
#define ECN_MASK         3
#define ECN_CE           3
#define DATAGRAM_MAX     65535
#define LARGE_ROOM_BYTES UINT16_MAX /* of a large buffer with its headroom: what an mbuf can be */

/* ---- life ---- */

static enum drop_reason fragment_read(const struct rte_mbuf *m, struct fragment *ret_fragment)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);

	return packet_is_ip6(m) ? fragment6_read(ip, m->data_len, ret_fragment)
				: fragment4_read(ip, m->data_len, ret_fragment);
}

/* RFC 792, RFC 4443 3.3: who sent a first fragment for us is told that the rest did not come. A gateway that joins what
 * it forwards keeps silent: the receiver may have it all. At the stop, outside of a loop, nobody is told. */
static bool timeout_told(const struct worker *w, struct rte_mbuf *m, enum drop_reason reason)
{
	struct fragment f;

	return reason == DROP_FRAGMENT_TIMEOUT && w->snapshot && destination_for_us(w->dp, m) &&
	       !fragment_read(m, &f) && !f.piece.offset;
}

static void buffer_drop(void *worker, void *buffer, enum drop_reason reason)
{
	enum origin origin = packet_note(buffer)->fragment == FRAGMENT_INNER ? ORIGIN_TUNNEL : ORIGIN_CLEAR;

	if (timeout_told(worker, buffer, reason))
		icmp_error_send(worker, buffer, origin, ICMP_ERROR_REASSEMBLY, 0, reason);
	else
		worker_drop(worker, buffer, reason);
}

int defragment_create(struct worker *w, uint32_t mbufs)
{
	const struct datapath_reassembly *s = &w->dp->reassembly;
	const struct reassembly_config config = {
		.datagrams = s->datagrams,
		.fragments = s->fragments,
		.held = RTE_MAX(mbufs / HELD_SHARE / w->dp->worker_count, 2u),
		.timeout = w->dp->cycles_per_s * s->timeout_ms / 1000,
		.seed = (uint32_t)seed_draw(),
		.drop = buffer_drop,
		.context = w,
	};
	void *memory;

	if (!s->datagrams)
		return 0;
	memory = rte_zmalloc("reassembly", reassembly_bytes(&config), RTE_CACHE_LINE_SIZE);
	w->reassembly = memory ? reassembly_init(memory, &config) : NULL;
	return memory ? 0 : -1;
}

void defragment_flush(struct worker *w)
{
	if (w->reassembly)
		reassembly_flush(w->reassembly);
}

void defragment_free(struct worker *w)
{
	defragment_flush(w);
	rte_free(w->reassembly);
	w->reassembly = NULL;
}

uint64_t defragment_flag(void)
{
	static const struct rte_mbuf_dynflag joined = { .name = "sallyport_joined" };
	int bit = rte_mbuf_dynflag_register(&joined);

	return bit < 0 ? 0 : RTE_BIT64(bit);
}

struct rte_mempool *defragment_pool_create(const struct datapath_reassembly *s, unsigned instance)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "dp%u.large", instance);
	return rte_pktmbuf_pool_create(
		name, s->large_buffers, 0, sizeof(struct note), LARGE_ROOM_BYTES, (int)rte_socket_id());
}

bool defragment_expire(struct worker *w)
{
	if (!w->reassembly || likely(!reassembly_due(w->reassembly, w->now_cycles)))
		return false;
	reassembly_expire(w->reassembly, w->now_cycles, EXPIRE_MOST);
	return true;
}

/* ---- a complete datagram becomes one buffer ---- */

/* What would not leave room for outer header and trailer does not fit. NULL: none free. */
static struct rte_mbuf *buffer_alloc(const struct datapath *dp, uint32_t bytes)
{
	struct rte_mempool *pools[] = { dp->pool, dp->large_pool };

	for (size_t i = 0; i < ARRAY_LEN(pools); i++)
		if (pools[i] && bytes + ENCAP_ROOM_BYTES + RTE_PKTMBUF_HEADROOM <= rte_pktmbuf_data_room_size(pools[i]))
			return rte_pktmbuf_alloc(pools[i]);
	return NULL;
}

static const struct piece *first_piece(const struct incomplete *d)
{
	const struct piece *p = d->pieces;

	while (p->offset)
		p++;
	return p;
}

static uint16_t largest_packet(const struct incomplete *d)
{
	uint16_t most = 0;

	for (uint16_t i = 0; i < d->count; i++)
		most = RTE_MAX(most, d->pieces[i].packet_bytes);
	return most;
}

/* RFC 3168 5.3: congestion that one fragment met is the datagram's; a mark beside a fragment that cannot carry one is a
 * lie. */
static enum drop_reason ecn_join(const struct incomplete *d, bool *ret_marked)
{
	unsigned seen = 0;

	for (uint16_t i = 0; i < d->count; i++) {
		const uint8_t *ip = rte_pktmbuf_mtod((struct rte_mbuf *)d->pieces[i].buffer, const uint8_t *);
		seen |= 1u << ((ip[0] >> 4 == 6 ? ip[1] >> 4 : ip[1]) & ECN_MASK);
	}
	*ret_marked = seen & 1u << ECN_CE;
	return *ret_marked && seen & 1 ? DROP_ECN : DROP_NONE;
}

/* DF is not the datagram's: it was in pieces already. */
static void header4_finish(struct rte_mbuf *m, bool marked)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);

	ip->total_length = rte_cpu_to_be_16(m->data_len);
	ip->fragment_offset = 0;
	if (marked)
		ip->type_of_service |= ECN_CE;
	ip_checksum_set(ip);
}

static void header6_finish(struct rte_mbuf *m, uint16_t named_at, uint8_t next, bool marked)
{
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);

	ip[named_at] = next;
	packet_ip6(m)->payload_len = rte_cpu_to_be_16((uint16_t)(m->data_len - sizeof(struct rte_ipv6_hdr)));
	if (marked)
		ip[1] |= ECN_CE << 4;
}

/* Bytes in front of the pieces that stay; of IPv6 the fragment header does not. */
static uint16_t front_bytes(const struct piece *first, bool six)
{
	const uint8_t *ip = rte_pktmbuf_mtod((struct rte_mbuf *)first->buffer, const uint8_t *);

	return (uint16_t)(first->data - ip - (six ? IP6_FRAGMENT_BYTES : 0));
}

static void pieces_copy(const struct incomplete *d, uint8_t *to)
{
	for (uint16_t i = 0; i < d->count; i++)
		memcpy(to + d->pieces[i].offset, d->pieces[i].data, d->pieces[i].bytes);
}

/* The note of what it was, for those that cut it again. */
static void joined_mark(const struct datapath *dp, struct rte_mbuf *m, const struct incomplete *d)
{
	m->ol_flags |= dp->joined_flag;
	m->hash.fdir.lo = rte_be_to_cpu_32(d->key.identification);
	m->hash.fdir.hi = largest_packet(d);
}

static enum drop_reason datagram_build(
	const struct datapath *dp, const struct incomplete *d, struct rte_mbuf **ret_whole)
{
	const struct piece *first = first_piece(d);
	struct rte_mbuf *from = first->buffer, *m;
	bool six = packet_is_ip6(from), marked;
	uint16_t front = front_bytes(first, six), at, named_at = 0;
	uint32_t bytes = front + d->total;
	enum drop_reason reason = ecn_join(d, &marked);

	if (reason)
		return reason;
	if (bytes > DATAGRAM_MAX)
		return DROP_FRAGMENT_BEYOND;
	m = buffer_alloc(dp, bytes);
	if (!m)
		return DROP_FRAGMENT_BUFFER;
	uint8_t *to = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)bytes);
	memcpy(to, rte_pktmbuf_mtod(from, const uint8_t *), front);
	pieces_copy(d, to + front);
	if (six && fragment6_find(rte_pktmbuf_mtod(from, const uint8_t *), from->data_len, &at, &named_at))
		header6_finish(m, named_at, first->data[-IP6_FRAGMENT_BYTES], marked);
	if (!six)
		header4_finish(m, marked);
	m->port = from->port;
	if (d->key.kind != FRAGMENT_OWN)
		joined_mark(dp, m, d);
	*ret_whole = m;
	return DROP_NONE;
}

/* Headers that were spread over fragments are seen now for the first time; fragments of fragments have no honest use.
 */
static enum drop_reason whole_check(const struct rte_mbuf *m)
{
	if (!packet_is_ip6(m))
		return DROP_NONE;
	return packet_is_fragment(m) ? DROP_FRAGMENT : classify_extensions(m);
}

/* Its pieces end here, by the reason or as part of the whole. */
static struct rte_mbuf *datagram_join(struct worker *w, struct incomplete *d)
{
	struct rte_mbuf *m = NULL;
	enum drop_reason reason = datagram_build(w->dp, d, &m);

	for (uint16_t i = 0; i < d->count; i++) {
		if (unlikely(w->trace != NULL) && m)
			trace_carry(w, d->pieces[i].buffer, m);
		if (reason)
			worker_drop(w, d->pieces[i].buffer, reason);
		else
			rte_pktmbuf_free(d->pieces[i].buffer);
	}
	reassembly_take(w->reassembly, d);
	if (reason)
		return NULL;
	worker_count(w, DP_C_REASSEMBLED, 1);
	reason = whole_check(m);
	if (!reason)
		return m;
	worker_drop(w, m, reason);
	return NULL;
}

/* ---- fragments come in ---- */

/* Takes m. The whole datagram when this was what it missed, else NULL. */
static struct rte_mbuf *fragment_insert(
	struct worker *w, struct rte_mbuf *m, struct fragment *f, enum fragment_context kind, uint32_t context)
{
	struct incomplete *d;
	enum drop_reason reason;

	f->key.kind = (uint8_t)kind;
	f->key.context = context;
	f->piece.buffer = m;
	packet_note(m)->fragment = (uint8_t)kind;
	reason = reassembly_insert(w->reassembly, f, w->now_cycles, &d);
	if (!reason)
		return d ? datagram_join(w, d) : NULL;
	worker_drop(w, m, reason);
	return NULL;
}

struct rte_mbuf *defragment_inner(struct worker *w, struct rte_mbuf *m, const struct sa *sa)
{
	struct fragment f;
	enum drop_reason reason = w->reassembly ? fragment_read(m, &f) : DROP_FRAGMENT;

	if (!reason) {
		f.key.slot = sa_tunnel_slot(sa);
		return fragment_insert(w, m, &f, FRAGMENT_INNER, sa_spi(sa));
	}
	worker_drop(w, m, reason);
	return NULL;
}

static bool may_be_icmp(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t at, named_at;

	if (!packet_is_ip6(m))
		return packet_ip(m)->next_proto_id == IPPROTO_ICMP;
	return fragment6_find(ip, m->data_len, &at, &named_at) &&
	       (ip[at] == IPPROTO_ICMPV6 || ip6_is_extension(ip[at]));
}

/* To be judged, rules with ports need those (RFC 4301 7), and an ICMP error what it quotes (6.1.1). */
static bool clear_joins(const struct policies *p, const struct rte_mbuf *m)
{
	return p->needs_ports || (p->protects && may_be_icmp(m));
}

bool defragment_push(struct worker *w, struct rte_mbuf *m, enum fragment_context kind)
{
	if (!w->reassembly || (kind == FRAGMENT_CLEAR && !clear_joins(w->snapshot->policies, m)))
		return false;
	packet_note(m)->fragment = (uint8_t)kind;
	list_push(&w->fragments, m);
	return true;
}

/* RSS sends fragments of a datagram to several workers; all know which one waits for it. A port belongs to the context,
 * not to the choice. */
static uint16_t fragment_worker(const struct worker *w, const struct reassembly_key *k)
{
	return w->active == 1 ? 0 : (uint16_t)(fragment_hash(k, w->dp->fragment_seed) % w->active);
}

static bool fragment_steer(struct worker *w, struct rte_mbuf *m, const struct fragment *f, enum fragment_context kind)
{
	const struct note note = { .stage = STAGE_FRAGMENT, .fragment = (uint8_t)kind };
	uint16_t to = fragment_worker(w, &f->key);

	if (to == w->id)
		return false;
	handoff_push_unproven(w, m, to, &note);
	return true;
}

/* RFC 8200 4.5: of what is wrong with a fragment for us, its sender is told of two things. */
static void fragment_refuse(struct worker *w, struct rte_mbuf *m, enum fragment_context kind, enum drop_reason reason)
{
	uint16_t at = 0, named_at, pointer = offsetof(struct rte_ipv6_hdr, payload_len);

	if (kind != FRAGMENT_OWN || !packet_is_ip6(m) ||
		(reason != DROP_FRAGMENT_LENGTH && reason != DROP_FRAGMENT_BEYOND)) {
		worker_drop(w, m, reason);
		return;
	}
	if (reason == DROP_FRAGMENT_BEYOND &&
		fragment6_find(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, &at, &named_at))
		pointer = (uint16_t)(at + OFFSET_AT);
	icmp_error_send(w, m, ORIGIN_CLEAR, ICMP_ERROR_HEADER_FIELD, pointer, reason);
}

/* A link-local address is another one on each link. */
static uint32_t fragment_context(const struct worker *w, const struct rte_mbuf *m, enum fragment_context kind)
{
	bool of_link = packet_is_ip6(m) && ipv6_link_local(ip6_destination(packet_ip6(m)));

	return kind == FRAGMENT_CLEAR || of_link ? m->port : packet_table_id(w->dp, m);
}

static void fragment_dispatch(struct worker *w, struct rte_mbuf *m)
{
	enum fragment_context kind = (enum fragment_context)packet_note(m)->fragment;
	struct fragment f;
	enum drop_reason reason = w->reassembly ? fragment_read(m, &f) : DROP_FRAGMENT;

	if (reason) {
		fragment_refuse(w, m, kind, reason);
		return;
	}
	if (fragment_steer(w, m, &f, kind))
		return;
	m = fragment_insert(w, m, &f, kind, fragment_context(w, m, kind));
	if (m && kind == FRAGMENT_OWN)
		classify_own(w, m);
	else if (m)
		list_push(&w->clear, m);
}

void defragment_burst(struct worker *w)
{
	uint16_t n = w->fragments.n;

	w->fragments.n = 0;
	for (uint16_t i = 0; i < n; i++)
		fragment_dispatch(w, w->fragments.m[i]);
}

/* ---- workers come and go ---- */

static bool datagram_stays(void *worker, const struct reassembly_key *k)
{
	const struct worker *w = worker;
	uint8_t me = (uint8_t)w->id;

	if (k->kind == FRAGMENT_INNER)
		return owner_turn(sad_bucket_worker(w->ips, k->context), me) == me;
	return fragment_worker(w, k) == me;
}

static void piece_leaves(void *worker, const struct reassembly_key *k, void *buffer)
{
	const struct note note = { .stage = STAGE_FRAGMENT, .fragment = k->kind };
	struct worker *w = worker;

	if (k->kind == FRAGMENT_INNER)
		inbound_inner_hand_on(w, buffer, k->context);
	else
		handoff_push_unproven(w, buffer, fragment_worker(w, k), &note);
}

void defragment_part(struct worker *w)
{
	if (!w->reassembly)
		return;
	reassembly_part(w->reassembly, datagram_stays, piece_leaves);
	handoff_flush(w);
}
