/* SPDX-License-Identifier: BSD-3-Clause */
/* The short way of the usual packet against the SA's own functions: whatever comes, both say the same, leave the same
 * bytes and count the same. */
#include <rte_random.h>
#include <stdlib.h>

#include "harness.h"
#include "rig.h"
#include "usual_priv.h"

#define ROUNDS 20000

/* One gateway goes the short way, the other never does; keys and IVs are the same. */
struct twins {
	struct rig_pair shorter, plain;
};

static void unusual(struct sa *sa)
{
	atomic_fetch_or(&sa->flags, SA_UNUSUAL);
}

static void twins_open(struct twins *t, const struct rig_options *o)
{
	rig_pair_open(&t->shorter, o);
	rig_pair_open(&t->plain, o);
	t->plain.out->iv_base = t->shorter.out->iv_base;
	CU_ASSERT(t->shorter.out->way.most > 0);
	t->plain.out->way.most = 0;
	unusual(t->plain.out);
	unusual(t->plain.in);
}

static uint32_t flags_of(const struct sa *sa)
{
	struct sa_stats stats;

	sa_stats_read(sa, &stats);
	return stats.flags;
}

static void twins_close(struct twins *t)
{
	rig_pair_close(&t->plain);
	rig_pair_close(&t->shorter);
}

static bool same_packet(const struct rte_mbuf *a, const struct rte_mbuf *b)
{
	return a->data_len == b->data_len && a->pkt_len == b->pkt_len &&
	       !memcmp(rte_pktmbuf_mtod(a, void *), rte_pktmbuf_mtod(b, void *), a->data_len);
}

static bool same_account(const struct sa *a, const struct sa *b)
{
	return count_read(&a->packets) == count_read(&b->packets) && count_read(&a->bytes) == count_read(&b->bytes) &&
	       sa_sequence(a) == sa_sequence(b) && sa_flags_read(a) == sa_flags_read(b) &&
	       (a->outbound || replay_top(&a->replay) == replay_top(&b->replay)) &&
	       !memcmp(a->drops, b->drops, sizeof(a->drops));
}

/* Mostly what a host sends; else something in its header that is rare or wrong. */
static struct rte_mbuf *any_packet(void)
{
	struct rte_mbuf *m = rig_packet((uint16_t)(20 + rand() % 200), (uint8_t)rand());
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);

	ip->type_of_service = (uint8_t)(rand() % 3 ? 0 : rand());
	ip->fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	if (rand() % 4 == 0)
		((uint8_t *)ip)[rand() % 20] = (uint8_t)rand();
	rig_checksum(ip);
	return m;
}

/* On its way: as it is, or with one bit changed, but not in the SPI, by which the SA was found. */
static void on_the_wire(struct rte_mbuf *m)
{
	uint32_t at = (uint32_t)rand() % m->data_len;

	if (rand() % 4 == 0 && (at < IPV4_BYTES || at >= IPV4_BYTES + sizeof(uint32_t)))
		rte_pktmbuf_mtod(m, uint8_t *)[at] ^= (uint8_t)(1 << rand() % 8);
}

static unsigned one_differs(struct twins *t)
{
	struct rte_mbuf *m = any_packet(), *n = rig_copy(m), *again = NULL;
	enum drop_reason sealed = rig_out(&t->shorter, m);
	unsigned wrong = rig_out(&t->plain, n) != sealed || (!sealed && !same_packet(m, n));

	if (!sealed) {
		on_the_wire(m);
		rte_pktmbuf_free(n);
		n = rig_copy(m);
		again = rig_copy(m);
		enum drop_reason opened = rig_in(&t->shorter, m);
		wrong += rig_in(&t->plain, n) != opened || (!opened && !same_packet(m, n));
		rte_pktmbuf_free(n);
		n = rig_copy(again);
		wrong += rig_in(&t->shorter, again) != rig_in(&t->plain, n);
	}
	wrong += !same_account(t->shorter.out, t->plain.out) || !same_account(t->shorter.in, t->plain.in);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(n);
	rte_pktmbuf_free(again);
	return wrong;
}

static unsigned differences(const struct rig_options *o)
{
	struct twins t;
	unsigned wrong = 0;

	twins_open(&t, o);
	CU_ASSERT_FALSE(sa_unusual(t.shorter.out));
	CU_ASSERT_FALSE(sa_unusual(t.shorter.in));
	for (int i = 0; i < ROUNDS; i++)
		wrong += one_differs(&t);
	twins_close(&t);
	return wrong;
}

static void test_usual_way_does_what_the_functions_of_the_sa_do(void)
{
	static const struct rig_options kinds[] = {
		{ .key_bits = 128 },
		{ .key_bits = 256, .replay_window = -1 },
		{ .header = { .df = DF_SET, .dscp_set = true, .dscp = 46 } },
		{ .lifetime_out = { .hard_packets = 15000 }, .lifetime_in = { .hard_packets = 9000 } },
		{ .local = "10.1.0.0/29", .remote = "10.2.0.0/29" },
		{ .local = "10.1.0.3-10.1.0.9", .remote = "10.2.0.0/16" },
		{ .local = "10.1.0.0/16", .remote = "10.2.0.1-10.2.0.8" },
		{ .local = "0.0.0.0/0", .remote = "10.2.0.5/32" },
		{ .local = "10.1.0.0/16[udp]", .remote = "10.2.0.0/16[udp]" },
		{ .local = "10.1.0.0/16[tcp]", .remote = "10.2.0.0/16" },
		{ .sequence = 3000, .lifetime_out = { .soft_packets = 5000, .hard_packets = 9000 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		CU_ASSERT_EQUAL(differences(&kinds[i]), 0);
}

/* What a peer may seal: padding of any length, traffic flow padding in front of it, now and then something wrong. */
static struct rte_mbuf *any_sealed(struct twins *t, uint64_t sequence)
{
	uint8_t payload[400] = { 0 };
	struct rte_mbuf *m = any_packet();
	uint32_t bytes = m->data_len + (uint32_t)(rand() % 4 ? 0 : rand() % 9);
	uint32_t pad = (-(bytes + ESP_TRAILER_BYTES) & USUAL_PAD_MASK) + 4u * (uint32_t)(rand() % 4);

	memcpy(payload, rte_pktmbuf_mtod(m, void *), m->data_len);
	for (uint32_t i = 0; i < pad; i++)
		payload[bytes + i] = (uint8_t)(i + 1);
	payload[bytes + pad] = (uint8_t)pad;
	payload[bytes + pad + 1] = NEXT_HEADER_IPV4;
	if (rand() % 4 == 0)
		payload[bytes + (uint32_t)rand() % (pad + ESP_TRAILER_BYTES)] ^= (uint8_t)(1 << rand() % 8);
	rte_pktmbuf_free(m);
	return rig_seal(&t->plain, sequence, payload, (uint16_t)(bytes + pad + ESP_TRAILER_BYTES));
}

static void test_usual_opens_whatever_padding_a_peer_makes(void)
{
	const struct rig_options o = { .key_bits = 128 };
	unsigned wrong = 0, opened = 0;
	struct twins t;

	twins_open(&t, &o);
	for (uint64_t sequence = 1; sequence <= ROUNDS; sequence++) {
		struct rte_mbuf *m = any_sealed(&t, sequence), *n = rig_copy(m);
		enum drop_reason reason = rig_in(&t.shorter, m);
		wrong += rig_in(&t.plain, n) != reason || (!reason && !same_packet(m, n)) ||
			 !same_account(t.shorter.in, t.plain.in);
		opened += !reason;
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(n);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(opened > ROUNDS / 4);
	twins_close(&t);
}

static struct header_rules any_rules(void)
{
	static const struct header_rules rules[] = { { .df = DF_SET, .dscp_set = true, .dscp = 10 },
		{ .ttl_copy = true }, { .ttl = 9, .ecn_clear = true }, { .df = DF_CLEAR }, { .ttl = 10 } };

	return rules[rand() % (int)ARRAY_LEN(rules)];
}

/* Control swaps paths under traffic: from the next packet on both ways go along the new one, also where it is one that
 * the short way leaves alone. */
static void test_usual_goes_along_the_path_of_the_moment(void)
{
	const struct rig_options o = { .replay_window = -1 };
	struct twins t;
	unsigned wrong = 0;

	twins_open(&t, &o);
	for (uint16_t i = 0; i < 200; i++) {
		struct path_spec spec = sa_path(t.plain.out)->spec;
		spec.header = any_rules();
		spec.remote.addr.bytes[3] = (uint8_t)i;
		sa_path_publish(t.shorter.out_ips, t.shorter.out, path_create(&spec, 1400 + i, i, 7 + i));
		sa_path_publish(t.plain.out_ips, t.plain.out, path_create(&spec, 1400 + i, i, 7 + i));
		for (int n = rand() % 3; n >= 0; n--)
			wrong += one_differs(&t);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(flags_of(t.shorter.out), 0);
	twins_close(&t);
}

/* ---- bursts, in which packets in a row share what is asked of their SA ---- */

#define LOT        64
#define LOT_ROUNDS 400
#define PAIRS      2

/* The same packets for gateways that go the short way and for those that never do. */
struct lot {
	struct burst_item shorter[LOT], plain[LOT];
	uint16_t n, good;
};

static void lot_push(struct lot *l, struct rte_mbuf *m, struct sa *shorter, struct sa *plain)
{
	l->shorter[l->n] = (struct burst_item){ .m = m, .sa = shorter, .worker_data = l->n };
	l->plain[l->n] = (struct burst_item){ .m = rig_copy(m), .sa = plain, .worker_data = l->n };
	l->n++;
}

/* Runs of an SA, now and then of one packet. */
static void lot_fill(struct lot *l, struct twins *t)
{
	unsigned pair = 0;
	uint16_t n = (uint16_t)(1 + rand() % LOT);

	l->n = 0;
	while (l->n < n) {
		pair = rand() % 8 ? pair : (unsigned)rand() % PAIRS;
		lot_push(l, any_packet(), t[pair].shorter.out, t[pair].plain.out);
	}
}

/* What left, on its way to those who open it: changed, or twice. plain: only what burst_in_plain may be given. */
static void lot_deliver(const struct lot *sent, const struct twins *t, bool plain, struct lot *ret_arrived)
{
	ret_arrived->n = 0;
	for (uint16_t i = 0; i < sent->good; i++) {
		unsigned pair = sent->shorter[i].sa != t[0].shorter.out;
		struct rte_mbuf *m = rig_copy(sent->shorter[i].m);
		on_the_wire(m);
		if (plain && !usual_outer_is_plain(m)) {
			rte_pktmbuf_free(m);
			continue;
		}
		lot_push(ret_arrived, m, t[pair].shorter.in, t[pair].plain.in);
		if (rand() % 8 == 0 && ret_arrived->n + sent->good - i < LOT)
			lot_push(ret_arrived, rig_copy(m), t[pair].shorter.in, t[pair].plain.in);
	}
}

static unsigned lot_differs(const struct lot *l)
{
	unsigned wrong = 0;

	for (uint16_t i = 0; i < l->n; i++) {
		const struct burst_item *a = &l->shorter[i], *b = &l->plain[i];
		wrong += a->worker_data != b->worker_data || a->drop != b->drop ||
			 (i < l->good && !same_packet(a->m, b->m));
	}
	return wrong;
}

static void lot_free(struct lot *l)
{
	for (uint16_t i = 0; i < l->n; i++) {
		rte_pktmbuf_free(l->shorter[i].m);
		rte_pktmbuf_free(l->plain[i].m);
	}
}

static unsigned lots_differ(struct twins *t)
{
	struct lot sent, arrived;
	bool plain = rand() % 2;
	unsigned wrong;

	lot_fill(&sent, t);
	sent.good = burst_out(t->shorter.out_worker, sent.shorter, sent.n);
	wrong = burst_out(t->plain.out_worker, sent.plain, sent.n) != sent.good;
	wrong += lot_differs(&sent);
	lot_deliver(&sent, t, plain, &arrived);
	arrived.good = (plain ? burst_in_plain : burst_in)(t->shorter.in_worker, arrived.shorter, arrived.n);
	wrong += burst_in(t->plain.in_worker, arrived.plain, arrived.n) != arrived.good;
	wrong += lot_differs(&arrived);
	for (unsigned pair = 0; pair < PAIRS; pair++)
		wrong += !same_account(t[pair].shorter.out, t[pair].plain.out) ||
			 !same_account(t[pair].shorter.in, t[pair].plain.in);
	lot_free(&arrived);
	lot_free(&sent);
	return wrong;
}

static void test_usual_way_counts_and_limits_bursts_like_the_functions_of_the_sa(void)
{
	static const struct rig_options kinds[] = {
		{ .key_bits = 128 },
		{ .replay_window = -1 },
		{ .lifetime_out = { .soft_packets = 3000, .hard_packets = 4001 },
			.lifetime_in = { .soft_packets = 2000, .hard_packets = 3003 } },
		{ .lifetime_out = { .hard_bytes = 600007 }, .lifetime_in = { .hard_bytes = 200003 } },
	};
	struct twins t[PAIRS];
	unsigned wrong;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (unsigned pair = 0; pair < PAIRS; pair++)
			twins_open(&t[pair], &kinds[i]);
		wrong = 0;
		for (int round = 0; round < LOT_ROUNDS; round++)
			wrong += lots_differ(t);
		CU_ASSERT_EQUAL(wrong, 0);
		for (unsigned pair = PAIRS; pair-- > 0;)
			twins_close(&t[pair]);
	}
}

/* ---- with the header of the link ---- */

/* Links that take packets up to some size; what they are asked for. */
struct link {
	struct framing framing;
	struct frame_head head;
	uint16_t most;
	unsigned asked;
};

/* Other bytes for each way. */
static void way_header(const struct egress *to, uint8_t *ret_bytes)
{
	for (uint8_t i = 0; i < FRAME_HEAD_BYTES; i++)
		ret_bytes[i] = (uint8_t)(to->neighbour + 16u * to->port + i);
}

static const struct frame_head *link_head(struct framing *framing, const struct egress *to)
{
	struct link *l = container_of(framing, struct link, framing);

	l->asked++;
	l->head.most = l->most;
	way_header(to, l->head.bytes);
	return &l->head;
}

/* The same path for the SAs of both ways, or sometimes another one for each pair. */
static void paths_swap(struct twins *t)
{
	uint16_t mtu = (uint16_t)(150 + rand() % 150), port = (uint16_t)(rand() % 8);
	uint32_t neighbour = (uint32_t)(rand() % 8);

	for (unsigned pair = 0; pair < PAIRS; pair++) {
		struct path_spec spec = sa_path(t[pair].plain.out)->spec;
		spec.header = any_rules();
		spec.local.addr.bytes[3] = (uint8_t)(1 + rand() % 3);
		port = (uint16_t)(rand() % 4 ? port : (port + 1) % 8);
		sa_path_publish(t[pair].shorter.out_ips, t[pair].shorter.out, path_create(&spec, mtu, port, neighbour));
		sa_path_publish(t[pair].plain.out_ips, t[pair].plain.out, path_create(&spec, mtu, port, neighbour));
	}
}

static bool is_framed(const struct burst_item *framed, const struct rte_mbuf *plain)
{
	const struct path *p = sa_path(framed->sa);
	const struct egress to = { p->neighbour, p->port };
	const uint8_t *eth = rte_pktmbuf_mtod(framed->m, const uint8_t *);
	uint8_t expected[FRAME_HEAD_BYTES];

	way_header(&to, expected);
	return framed->framed_port == p->port && plain->data_len <= p->mtu &&
	       framed->m->data_len == plain->data_len + RTE_ETHER_HDR_LEN &&
	       framed->m->pkt_len == framed->m->data_len &&
	       !memcmp(eth, expected + FRAME_HEAD_BYTES - RTE_ETHER_HDR_LEN, RTE_ETHER_HDR_LEN) &&
	       !memcmp(eth + RTE_ETHER_HDR_LEN, rte_pktmbuf_mtod(plain, void *), plain->data_len);
}

/* Now and then, where it is true. */
static bool lot_is_plain(const struct lot *l)
{
	bool plain = rand() % 2;

	for (uint16_t i = 0; i < l->n && plain; i++)
		plain = !packet_is_ipv6(rte_pktmbuf_mtod(l->shorter[i].m, const uint8_t *));
	return plain;
}

static unsigned framed_lots_differ(struct twins *t, unsigned *framed)
{
	struct link l = { .framing.head = link_head, .most = (uint16_t)(rand() % 8 ? 100 + rand() % 200 : 0) };
	struct lot sent;
	unsigned wrong, runs = 1;

	paths_swap(t);
	lot_fill(&sent, t);
	for (uint16_t i = 1; i < sent.n; i++)
		runs += sent.shorter[i].sa != sent.shorter[i - 1].sa;
	sent.good = burst_out_framed(t->shorter.out_worker, sent.shorter, sent.n, lot_is_plain(&sent), &l.framing);
	wrong = burst_out(t->plain.out_worker, sent.plain, sent.n) != sent.good || l.asked > runs;
	for (uint16_t i = 0; i < sent.good; i++) {
		const struct burst_item *a = &sent.shorter[i], *b = &sent.plain[i];
		bool alone = a->framed_port == FRAMED_NONE;
		wrong += b->framed_port != FRAMED_NONE || a->worker_data != b->worker_data;
		wrong += alone ? !same_packet(a->m, b->m) : b->m->data_len > l.most || !is_framed(a, b->m);
		*framed += !alone;
	}
	for (unsigned pair = 0; pair < PAIRS; pair++)
		wrong += !same_account(t[pair].shorter.out, t[pair].plain.out);
	lot_free(&sent);
	return wrong;
}

/* Behind the link's header is what leaves without one, and it is there when the packet fits its path and the link. */
static void test_usual_packets_leave_with_the_header_of_their_link(void)
{
	const struct rig_options o = { .replay_window = -1 };
	unsigned wrong = 0, framed = 0;
	struct twins t[PAIRS];

	for (unsigned pair = 0; pair < PAIRS; pair++)
		twins_open(&t[pair], &o);
	for (int round = 0; round < LOT_ROUNDS; round++)
		wrong += framed_lots_differ(t, &framed);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(framed > LOT_ROUNDS * LOT / 10);
	for (unsigned pair = PAIRS; pair-- > 0;)
		twins_close(&t[pair]);
}

/* The same packet with so many bytes in front of it. */
static struct rte_mbuf *with_headroom(const struct rte_mbuf *m, uint16_t bytes)
{
	struct rte_mbuf *copy = rte_pktmbuf_alloc(rig_pool());

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	copy->data_off = bytes;
	copy->data_len = m->data_len;
	copy->pkt_len = m->data_len;
	memcpy(rte_pktmbuf_mtod(copy, void *), rte_pktmbuf_mtod(m, void *), m->data_len);
	return copy;
}

/* What is in front of a buffer stays as it is: with no room for a link's header a packet has none, with no room for its
 * own it ends. */
static void test_usual_header_needs_its_room(void)
{
	const struct rig_options o = { .replay_window = -1 };
	struct rte_mbuf *m = rig_packet(100, 0);
	struct twins t;

	twins_open(&t, &o);
	for (uint16_t room = 0; room < 70; room++) {
		struct link l = { .framing.head = link_head, .most = UINT16_MAX };
		struct burst_item item = { .m = with_headroom(m, room), .sa = t.shorter.out };
		const uint8_t *front = (const uint8_t *)item.m->buf_addr - FRAME_HEAD_BYTES;
		uint8_t before[FRAME_HEAD_BYTES];
		memcpy(before, front, sizeof(before));
		uint16_t good = burst_out_framed(t.shorter.out_worker, &item, 1, true, &l.framing);
		CU_ASSERT_EQUAL(good, room >= USUAL_HEAD_BYTES);
		CU_ASSERT(good || item.drop == DROP_NO_HEADROOM);
		CU_ASSERT_EQUAL(good && item.framed_port != FRAMED_NONE, room >= USUAL_HEAD_BYTES + FRAME_HEAD_BYTES);
		CU_ASSERT_EQUAL(memcmp(before, front, sizeof(before)), 0);
		rte_pktmbuf_free(item.m);
	}
	rte_pktmbuf_free(m);
	twins_close(&t);
}

/* ---- an engine that fails one operation of a burst ---- */

#define FAILED_OP 2

static crypto_burst *whole_burst;

static uint16_t burst_but_one(struct ipsec_worker *w, struct crypto_op *ops, uint16_t n)
{
	uint16_t failed = whole_burst(w, ops, n);

	ops[FAILED_OP].key = NULL;
	return (uint16_t)(failed + 1);
}

/* From now on the worker's engine fails an operation of each burst. */
static void engine_fails(struct ipsec_worker *w, const struct sa *sa)
{
	static crypto_burst *bursts[UINT8_MAX];

	whole_burst = w->engine->bursts[sa_crypt(sa)];
	bursts[sa_crypt(sa)] = burst_but_one;
	w->crypts = bursts;
}

/* Of a burst of n its third packet ended, the others kept their order. */
static unsigned third_is_missing(const struct burst_item *items, uint16_t n)
{
	unsigned wrong = items[n - 1].drop != DROP_CRYPTO || items[n - 1].worker_data != FAILED_OP;

	for (uint16_t i = 0; i < n - 1; i++)
		wrong += items[i].worker_data != (i < FAILED_OP ? i : i + 1);
	return wrong;
}

static void test_usual_operation_that_failed_is_no_packet(void)
{
	const struct rig_options o = { .key_bits = 128 };
	struct link l = { .framing.head = link_head, .most = UINT16_MAX };
	struct burst_item items[8];
	struct rte_mbuf *third;
	struct twins t;

	twins_open(&t, &o);
	for (uint16_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = (struct burst_item){ .m = rig_packet(100, 0), .sa = t.shorter.out, .worker_data = i };
	engine_fails(t.shorter.out_worker, t.shorter.out);
	CU_ASSERT_EQUAL(burst_out_framed(t.shorter.out_worker, items, 8, true, &l.framing), 7);
	CU_ASSERT_EQUAL(third_is_missing(items, 8), 0);
	rte_pktmbuf_free(items[7].m);

	/* the others arrive, and the engine fails one of these */
	for (uint16_t i = 0; i < 7; i++) {
		rte_pktmbuf_adj(items[i].m, RTE_ETHER_HDR_LEN);
		items[i] = (struct burst_item){ .m = items[i].m, .sa = t.shorter.in, .worker_data = i };
	}
	third = rig_copy(items[FAILED_OP].m);
	engine_fails(t.shorter.in_worker, t.shorter.in);
	CU_ASSERT_EQUAL(burst_in_plain(t.shorter.in_worker, items, 7), 6);
	CU_ASSERT_EQUAL(third_is_missing(items, 7), 0);
	t.shorter.in_worker->crypts = t.shorter.in_worker->engine->bursts;
	/* nobody has received it */
	CU_ASSERT_EQUAL(rig_in(&t.shorter, third), DROP_NONE);
	for (uint16_t i = 0; i < 7; i++)
		rte_pktmbuf_free(items[i].m);
	rte_pktmbuf_free(third);
	twins_close(&t);
}

/* An SA whose own functions are those of AH: whoever asked them would not get ESP. */
static void test_usual_packets_do_not_ask_the_functions_of_their_sa(void)
{
	const struct rig_options esp = { .key_bits = 128 },
				 ah = { .integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0) };
	struct rig_pair others;
	struct twins t;
	unsigned wrong = 0;

	twins_open(&t, &esp);
	rig_pair_open(&others, &ah);
	t.shorter.out->shape = others.out->shape;
	t.shorter.in->shape = others.in->shape;
	for (uint16_t bytes = 28; bytes < 300; bytes++) {
		struct rte_mbuf *m = rig_packet(bytes, (uint8_t)bytes), *n = rig_copy(m);
		wrong += rig_out(&t.shorter, m) || rig_out(&t.plain, n) || !same_packet(m, n);
		wrong += rig_in(&t.shorter, m) || rig_in(&t.plain, n) || !same_packet(m, n);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(n);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_pair_close(&others);
	twins_close(&t);
}

static void test_usual_is_not_what_looks_closer(void)
{
	static const struct rig_options kinds[] = {
		{ .esn = true },
		{ .udp = true, .natt = true },
		{ .inner6 = true, .local = RIG_LOCAL6, .remote = RIG_REMOTE6 },
	};
	struct rig_pair p;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		rig_pair_open(&p, &kinds[i]);
		CU_ASSERT_TRUE(sa_unusual(p.in));
		CU_ASSERT_EQUAL(p.out->way.most, 0);
		rig_pair_close(&p);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_usual_way_does_what_the_functions_of_the_sa_do),
		TEST(test_usual_opens_whatever_padding_a_peer_makes),
		TEST(test_usual_goes_along_the_path_of_the_moment),
		TEST(test_usual_way_counts_and_limits_bursts_like_the_functions_of_the_sa),
		TEST(test_usual_packets_leave_with_the_header_of_their_link),
		TEST(test_usual_header_needs_its_room),
		TEST(test_usual_operation_that_failed_is_no_packet),
		TEST(test_usual_packets_do_not_ask_the_functions_of_their_sa),
		TEST(test_usual_is_not_what_looks_closer),
	};

	rig_eal();
	return test_main("ipsec_usual", tests, ARRAY_LEN(tests), argc, argv);
}
