/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets as buffers: in several pieces, at odd addresses, with exactly the room that is needed and one byte less, for
 * kinds of SA whose parts are of every size. */
#include "harness.h"
#include "refusal.h"

#define BYTES_PLAIN 203

static const struct kind {
	const char *encr, *integ;
	bool transport, outer6, inner6, udp, esn;
} kinds[] = {
	{ "aes128gcm16", NULL, .udp = true },
	{ "aes256gcm8", NULL, .transport = true, .esn = true },
	{ "aes128ccm12", NULL, .outer6 = true },
	{ "chacha20poly1305", NULL, .transport = true, .outer6 = true, .udp = true },
	{ "aes128", "sha1", .inner6 = true, .esn = true },
	{ "aes256", "sha512", .outer6 = true, .inner6 = true, .udp = true },
	{ "3des", "aesxcbc", .transport = true },
	{ "aes192ctr", "aescmac", .outer6 = true, .esn = true },
	{ "null", "sha384", .transport = true, .outer6 = true, .esn = true },
	{ "aes128gmac", NULL, .inner6 = true },
	{ "aes128gcm16iiv", NULL, .outer6 = true, .udp = true },
	{ NULL, "sha1", .transport = false },
	{ NULL, "sha384", .transport = true, .outer6 = true, .esn = true },
	{ NULL, "sha512", .outer6 = true, .inner6 = true },
	{ NULL, "aes256gmac", .transport = true },
};

/* One pair of a kind and the packet that is sent through it. */
struct scene {
	struct rig_options o;
	struct rig_pair p;
	struct rte_mbuf *plain;
	uint16_t front, behind; /* bytes that a sealed packet has more on either side */
};

static void scene_open(struct scene *s, const struct kind *k)
{
	s->o = rig_suite(k->encr, k->integ);
	s->o.transport = k->transport;
	s->o.outer6 = k->outer6;
	s->o.inner6 = k->inner6;
	s->o.udp = k->udp;
	s->o.esn = k->esn;
	rig_pair_open(&s->p, &s->o);
	s->plain = rig_packet_for(&s->o, BYTES_PLAIN, 1);
	struct rte_mbuf *m = rig_copy(s->plain);
	CU_ASSERT_EQUAL_FATAL(rig_out(&s->p, m), DROP_NONE);
	s->front = (uint16_t)(s->plain->data_off - m->data_off);
	s->behind = (uint16_t)(m->data_len - BYTES_PLAIN - s->front);
	rte_pktmbuf_free(m);
}

static void scene_close(struct scene *s)
{
	rte_pktmbuf_free(s->plain);
	rig_pair_close(&s->p);
}

/* Runs a check of every kind; what it returns is how much went wrong. */
static void all_kinds(unsigned (*check)(struct scene *s))
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scene s;
		scene_open(&s, &kinds[i]);
		unsigned wrong = check(&s);
		if (wrong)
			fprintf(stderr, "kind %zu\n", i);
		CU_ASSERT_EQUAL(wrong, 0);
		scene_close(&s);
	}
}

static struct rte_mbuf *sealed_one(struct scene *s)
{
	struct rte_mbuf *m = rig_copy(s->plain);

	CU_ASSERT_EQUAL(rig_out(&s->p, m), DROP_NONE);
	return m;
}

/* ---- several pieces ---- */

/* The packet in three buffers; takes it. */
static struct rte_mbuf *cut(struct rte_mbuf *m, uint16_t first, uint16_t second)
{
	uint16_t third = (uint16_t)(m->data_len - first - second);
	struct rte_mbuf *head = rig_mbuf(rte_pktmbuf_mtod(m, void *), first);
	struct rte_mbuf *middle = rig_mbuf(rte_pktmbuf_mtod_offset(m, void *, first), second);
	struct rte_mbuf *tail = rig_mbuf(rte_pktmbuf_mtod_offset(m, void *, first + second), third);

	CU_ASSERT_EQUAL(rte_pktmbuf_chain(head, middle), 0);
	CU_ASSERT_EQUAL(rte_pktmbuf_chain(head, tail), 0);
	rte_pktmbuf_free(m);
	return head;
}

static unsigned check_chains(struct scene *s)
{
	static const uint16_t firsts[] = { 1, 2, 19, 20, 21, 40, 41, 64, 100 }, seconds[] = { 1, 3, 16, 100 };
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(firsts); i++)
		for (size_t k = 0; k < ARRAY_LEN(seconds); k++) {
			struct rte_mbuf *m = cut(rig_copy(s->plain), firsts[i], seconds[k]);
			wrong += rig_out(&s->p, m) != DROP_NONE || m->nb_segs != 1;
			wrong += !accepted(&s->p, cut(m, firsts[i], seconds[k]), s->plain);
		}
	return wrong;
}

static void test_buffers_chains_are_joined(void)
{
	all_kinds(check_chains);
}

/* The first buffer is too small for all of it: dropped as it is, and what comes behind it in the burst is not. */
static unsigned check_chain_too_long(struct scene *s)
{
	struct burst_item items[3];
	unsigned wrong = 0;

	for (uint16_t i = 0; i < 3; i++)
		items[i] = (struct burst_item){ .m = rig_copy(s->plain), .sa = s->p.out, .worker_data = i };
	rte_pktmbuf_append(items[1].m, RIG_ROOM - BYTES_PLAIN);
	wrong += rte_pktmbuf_chain(items[1].m, rig_copy(s->plain)) != 0;
	wrong += burst_out(s->p.out_worker, items, 3) != 2;
	wrong += items[2].worker_data != 1 || items[2].drop != DROP_CHAINED || items[2].m->nb_segs != 2;
	for (int i = 0; i < 2; i++)
		wrong += !accepted(&s->p, items[i].m, s->plain);
	rte_pktmbuf_free(items[2].m);
	return wrong;
}

static void test_buffers_chain_that_cannot_be_joined(void)
{
	all_kinds(check_chain_too_long);
}

/* ---- room ---- */

/* These bytes at this place of a buffer. */
static struct rte_mbuf *placed(const struct rte_mbuf *what, uint32_t data_off)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig_pool());

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	m->data_off = (uint16_t)data_off;
	m->data_len = what->data_len;
	m->pkt_len = what->data_len;
	memcpy(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(what, void *), what->data_len);
	return m;
}

static struct rte_mbuf *placed_at_end(const struct rte_mbuf *what, uint32_t tailroom)
{
	return placed(what, RIG_HEADROOM + RIG_ROOM - what->data_len - tailroom);
}

static unsigned check_headroom(struct scene *s)
{
	unsigned wrong = 0;

	for (uint16_t front = 0; front < s->front; front++)
		wrong += !refused_out(&s->p, placed(s->plain, front), DROP_NO_HEADROOM);
	struct rte_mbuf *m = placed(s->plain, s->front);
	wrong += rig_out(&s->p, m) != DROP_NONE || rte_pktmbuf_headroom(m) != 0;
	return wrong + !accepted(&s->p, m, s->plain);
}

static void test_buffers_headroom_exactly_enough(void)
{
	all_kinds(check_headroom);
}

/* Padding is written as a whole pattern of 16 bytes, which a shorter ICV does not cover; behind AH the high half of the
 * sequence number stands for a while. */
static uint16_t tailroom_needed(const struct scene *s)
{
	uint16_t icv = s->p.out->icv_bytes;

	return s->o.encr ? (uint16_t)(s->behind - icv + RTE_MAX(icv, 16)) : 4;
}

static unsigned check_tailroom(struct scene *s)
{
	unsigned wrong = 0;

	for (uint16_t behind = 0; behind < tailroom_needed(s); behind++)
		wrong += !refused_out(&s->p, placed_at_end(s->plain, behind), DROP_NO_HEADROOM);
	struct rte_mbuf *m = placed_at_end(s->plain, tailroom_needed(s));
	wrong += rig_out(&s->p, m) != DROP_NONE;
	return wrong + !accepted(&s->p, m, s->plain);
}

static void test_buffers_tailroom_exactly_enough(void)
{
	all_kinds(check_tailroom);
}

/* Arriving at the very start of a buffer, and up to its very end: nothing but AH needs room. */
static unsigned check_arrival_without_room(struct scene *s)
{
	struct rte_mbuf *first = sealed_one(s), *second = sealed_one(s);
	unsigned wrong = 0;

	wrong += !accepted(&s->p, placed(first, 0), s->plain);
	wrong += !accepted(&s->p, placed_at_end(second, s->o.encr ? 0 : 4), s->plain);
	rte_pktmbuf_free(first);
	rte_pktmbuf_free(second);
	return wrong;
}

static void test_buffers_arrival_without_room(void)
{
	all_kinds(check_arrival_without_room);
}

/* ---- odd addresses ---- */

static unsigned check_offsets(struct scene *s)
{
	unsigned wrong = 0;

	for (uint16_t shift = 0; shift < 64; shift++) {
		struct rte_mbuf *m = placed(s->plain, RIG_HEADROOM + shift);
		wrong += rig_out(&s->p, m) != DROP_NONE;
		wrong += !accepted(&s->p, placed(m, RIG_HEADROOM + 63 - shift), s->plain);
		rte_pktmbuf_free(m);
	}
	return wrong;
}

static void test_buffers_at_every_alignment(void)
{
	all_kinds(check_offsets);
}

/* Link padding behind a packet belongs to nobody, also where AH writes for a while. */
static unsigned check_link_padding(struct scene *s)
{
	unsigned wrong = 0;

	for (uint16_t more = 1; more < 20; more += 3) {
		struct rte_mbuf *m = sealed_one(s);
		uint16_t bytes = m->data_len;
		memset(rte_pktmbuf_append(m, more), 0xee, more);
		struct rte_mbuf *at_end = placed_at_end(m, s->o.encr || more >= 4 ? 0 : 4 - more);
		wrong += !accepted(&s->p, at_end, s->plain);
		wrong += m->data_len != bytes + more;
		rte_pktmbuf_free(m);
	}
	return wrong;
}

static void test_buffers_link_padding(void)
{
	all_kinds(check_link_padding);
}

/* ---- every kind in one burst ---- */

static void test_buffers_all_kinds_in_one_burst(void)
{
	static struct scene s[ARRAY_LEN(kinds)];
	struct burst_item items[64];
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		scene_open(&s[i], &kinds[i]);
	for (int round = 0; round < 50; round++) {
		for (uint16_t i = 0; i < 64; i++) {
			struct scene *of = &s[(i * 7 + round) % ARRAY_LEN(kinds)];
			items[i] = (struct burst_item){ .m = rig_copy(of->plain), .sa = of->p.out };
			items[i].worker_data = (uint16_t)(of - s);
		}
		wrong += burst_out(s[0].p.out_worker, items, 64) != 64;
		for (uint16_t i = 0; i < 64; i++)
			items[i].sa = s[items[i].worker_data].p.in;
		wrong += burst_in(s[0].p.in_worker, items, 64) != 64;
		for (uint16_t i = 0; i < 64; i++) {
			const struct rte_mbuf *plain = s[items[i].worker_data].plain;
			wrong += items[i].m->data_len != plain->data_len;
			wrong += memcmp(rte_pktmbuf_mtod(items[i].m, void *), rte_pktmbuf_mtod(plain, void *),
					 plain->data_len) != 0;
			rte_pktmbuf_free(items[i].m);
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		rte_pktmbuf_free(s[i].plain);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		rig_pair_close(&s[i].p);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_buffers_chains_are_joined),
		TEST(test_buffers_chain_that_cannot_be_joined),
		TEST(test_buffers_headroom_exactly_enough),
		TEST(test_buffers_tailroom_exactly_enough),
		TEST(test_buffers_arrival_without_room),
		TEST(test_buffers_at_every_alignment),
		TEST(test_buffers_link_padding),
		TEST(test_buffers_all_kinds_in_one_burst),
	};

	rig_eal();
	return test_main("ipsec_buffers", tests, ARRAY_LEN(tests), argc, argv);
}
