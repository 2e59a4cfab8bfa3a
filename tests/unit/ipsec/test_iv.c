/* SPDX-License-Identifier: BSD-3-Clause */
/* Initialization vectors as they are on the wire: never twice under a key, whatever was built, sent and started again
 * in between (RFC 3602 3, RFC 4106 3.1, RFC 8750). SALLYPORT_LONG=1 looks at 10^6 packets a case, else it is fewer. */
#include <stdlib.h>

#include "burst_priv.h"
#include "harness.h"
#include "refusal.h"

#define BURST 64

static const struct suite_row {
	const char *encr, *integ;
} random_suites[] = { { "aes128", "sha1" }, { "aes256", "sha256" }, { "3des", "sha1" } },
  counter_suites[] = { { "aes128gcm16", NULL }, { "aes256ccm8", NULL }, { "chacha20poly1305", NULL },
	  { "aes192ctr", "sha1" }, { "aes128gmac", NULL }, { NULL, "aes128gmac" } },
  implicit_suites[] = { { "aes128gcm16iiv", NULL }, { "aes256ccm8iiv", NULL }, { "chacha20poly1305iiv", NULL } };

static size_t packets_wanted(size_t usual)
{
	const char *long_run = getenv("SALLYPORT_LONG");

	return long_run && *long_run == '1' ? 1000000 : usual;
}

/* ---- a bag of IVs ---- */

struct iv {
	uint8_t bytes[IV_BYTES_MAX];
};

struct bag {
	struct iv *ivs;
	size_t count, room;
	uint8_t iv_bytes;
};

static void bag_init(struct bag *b, size_t room)
{
	*b = (struct bag){ .ivs = (struct iv *)calloc(room, sizeof(struct iv)), .room = room };
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->ivs);
}

static int iv_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct iv));
}

/* How many are there twice; frees the bag. */
static size_t bag_twice(struct bag *b)
{
	size_t twice = 0;

	CU_ASSERT_EQUAL(b->count, b->room);
	qsort(b->ivs, b->count, sizeof(*b->ivs), iv_order);
	for (size_t i = 1; i < b->count; i++)
		twice += !iv_order(&b->ivs[i - 1], &b->ivs[i]);
	free(b->ivs);
	return twice;
}

static void bag_take(struct bag *b, const struct sa *sa, const struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, sa->protocol == PROTOCOL_AH ? 32 : 28);

	b->iv_bytes = sa->iv_bytes;
	if (b->count < b->room)
		memcpy(b->ivs[b->count++].bytes, at, sa->iv_bytes);
}

/* One burst; sas alternate. */
static void burst_take(struct ipsec_worker *w, struct sa *const *sas, size_t sa_count, uint16_t n, struct bag *b)
{
	struct burst_item items[BURST];

	for (uint16_t i = 0; i < n; i++)
		items[i] = (struct burst_item){ .m = rig_packet(28, 0), .sa = sas[i % sa_count] };
	CU_ASSERT_EQUAL(burst_out(w, items, n), n);
	for (uint16_t i = 0; i < n; i++) {
		bag_take(b, items[i].sa, items[i].m);
		rte_pktmbuf_free(items[i].m);
	}
}

static void bag_fill(struct bag *b, struct ipsec_worker *w, struct sa *const *sas, size_t sa_count, size_t packets)
{
	for (size_t sent = 0; sent < packets; sent += BURST)
		burst_take(w, sas, sa_count, (uint16_t)RTE_MIN(packets - sent, (size_t)BURST), b);
}

/* ---- SAs of one key ---- */

static struct sa *sa_of(struct ipsec *ips, const struct suite_row *s)
{
	const struct rig_options o = rig_suite(s->encr, s->integ);

	return rig_sa(ips, &o, SA_OUT);
}

/* ---- random ones ---- */

/* Two SAs of one key take turns in a worker's bursts. */
static void test_iv_random_ones_are_distinct(void)
{
	size_t packets = packets_wanted(200000);

	for (size_t i = 0; i < ARRAY_LEN(random_suites); i++) {
		struct ipsec *ips = rig_ipsec(1, 256, 1);
		struct ipsec_worker *w = ipsec_worker_create(ips, 0);
		struct sa *sas[] = { sa_of(ips, &random_suites[i]), sa_of(ips, &random_suites[i]) };
		struct bag b;

		bag_init(&b, packets);
		bag_fill(&b, w, sas, 2, packets);
		CU_ASSERT_EQUAL(b.iv_bytes, random_suites[i].encr[0] == '3' ? 8 : 16);
		CU_ASSERT_EQUAL(bag_twice(&b), 0);
		sa_free(sas[0]);
		sa_free(sas[1]);
		ipsec_worker_free(w);
		ipsec_free(ips);
	}
}

/* Every byte takes every value, about equally often: none is a constant or counts. */
static void test_iv_random_ones_are_random_in_every_byte(void)
{
	const size_t packets = 25600;

	for (size_t i = 0; i < ARRAY_LEN(random_suites); i++) {
		struct ipsec *ips = rig_ipsec(1, 256, 1);
		struct ipsec_worker *w = ipsec_worker_create(ips, 0);
		struct sa *sa = sa_of(ips, &random_suites[i]);
		static unsigned times[IV_BYTES_MAX][256];
		struct bag b;
		unsigned odd = 0;

		memset(times, 0, sizeof(times));
		bag_init(&b, packets);
		bag_fill(&b, w, &sa, 1, packets);
		for (size_t k = 0; k < packets; k++)
			for (uint8_t byte = 0; byte < b.iv_bytes; byte++)
				times[byte][b.ivs[k].bytes[byte]]++;
		/* 100 expected, with a standard deviation of 10 */
		for (uint8_t byte = 0; byte < b.iv_bytes; byte++)
			for (int value = 0; value < 256; value++)
				odd += times[byte][value] < 35 || times[byte][value] > 175;
		CU_ASSERT_EQUAL(odd, 0);
		bag_twice(&b);
		sa_free(sa);
		ipsec_worker_free(w);
		ipsec_free(ips);
	}
}

/* Two workers, and each of them made again: what one start sent, no other does. */
static void test_iv_random_ones_of_workers_and_restarts_differ(void)
{
	for (size_t i = 0; i < ARRAY_LEN(random_suites); i++) {
		struct bag b;

		bag_init(&b, 2 * 3 * 2 * 6400);
		for (int life = 0; life < 2; life++) {
			struct ipsec *ips = rig_ipsec(2, 256, 1);
			struct sa *sa = sa_of(ips, &random_suites[i]);
			for (int start = 0; start < 3; start++) {
				struct ipsec_worker *w[] = { ipsec_worker_create(ips, 0), ipsec_worker_create(ips, 1) };
				bag_fill(&b, w[0], &sa, 1, 6400);
				bag_fill(&b, w[1], &sa, 1, 6400);
				ipsec_worker_free(w[0]);
				ipsec_worker_free(w[1]);
			}
			sa_free(sa);
			ipsec_free(ips);
		}
		CU_ASSERT_EQUAL(bag_twice(&b), 0);
	}
}

/* The pool is emptied by pieces of two sizes: none is handed out twice, and none reaches beyond it. */
static void test_iv_pool_with_two_sizes(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	uint64_t before = 0;

	for (int i = 0; i < 10000; i++) {
		uint16_t n = i % 3 ? 8 : 16;
		const uint8_t *at = iv_pool_pull(w, n);
		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		CU_ASSERT_TRUE(at >= w->iv_pool && at + n <= w->iv_pool + sizeof(w->iv_pool));
		CU_ASSERT_NOT_EQUAL(load_be64(at), before);
		before = load_be64(at);
		/* used up: a second time it would be seen */
		memset(w->iv_pool + w->iv_left, 0, n);
		CU_ASSERT_NOT_EQUAL(before, 0);
	}
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* Of the same stream: what an attacker sees of some says nothing of the others. */
static void test_iv_random_numbers_of_a_worker(void)
{
	struct ipsec *ips = rig_ipsec(2, 256, 1);
	struct ipsec_worker *w[] = { ipsec_worker_create(ips, 0), ipsec_worker_create(ips, 1) };
	uint32_t seen[2][2000], twice = 0, ones[32] = { 0 };

	for (int i = 0; i < 2000; i++)
		for (int n = 0; n < 2; n++)
			CU_ASSERT_TRUE(ipsec_worker_random(w[n], &seen[n][i]));
	for (int i = 0; i < 2000; i++) {
		for (int j = 0; j < 2000; j++)
			twice += seen[0][i] == seen[1][j] || (i < j && seen[0][i] == seen[0][j]);
		for (int bit = 0; bit < 32; bit++)
			ones[bit] += seen[0][i] >> bit & 1;
	}
	/* one pair alike is expected in 715 runs, three in 10^9 */
	CU_ASSERT_TRUE(twice < 3);
	/* seven standard deviations */
	for (int bit = 0; bit < 32; bit++)
		CU_ASSERT_TRUE(ones[bit] > 843 && ones[bit] < 1157);
	for (int n = 0; n < 2; n++)
		ipsec_worker_free(w[n]);
	ipsec_free(ips);
}

static int no_random(void *manager, uint8_t *ret_bytes, size_t len)
{
	(void)manager;
	(void)ret_bytes;
	(void)len;
	return -1;
}

/* Without random numbers nothing is sent, and no sequence number is used up. */
static void test_iv_random_ones_missing(void)
{
	for (size_t i = 0; i < ARRAY_LEN(random_suites); i++) {
		const struct rig_options o = rig_suite(random_suites[i].encr, random_suites[i].integ);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		struct crypto_engine dry = *p.out_worker->engine;
		dry.random_fill = no_random;
		p.out_worker->engine = &dry;
		for (int twice = 0; twice < 2; twice++)
			CU_ASSERT_TRUE(refused_out(&p, rig_packet(100, 0), DROP_CRYPTO));
		p.out_worker->engine = p.out_ips->engine;
		struct rte_mbuf *m = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_through(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		CU_ASSERT_EQUAL(sa_sequence(p.out), 1);
		rig_pair_close(&p);
	}
}

/* ---- counted ones ---- */

/* Two SAs of the same key, as before and after a restart: both count from 1, neither meets the other. */
static void test_iv_counted_ones_are_distinct(void)
{
	size_t packets = packets_wanted(100000);

	for (size_t i = 0; i < ARRAY_LEN(counter_suites); i++) {
		struct bag b;

		bag_init(&b, 2 * packets);
		for (int life = 0; life < 2; life++) {
			struct ipsec *ips = rig_ipsec(1, 256, 1);
			struct ipsec_worker *w = ipsec_worker_create(ips, 0);
			struct sa *sa = sa_of(ips, &counter_suites[i]);
			bag_fill(&b, w, &sa, 1, packets);
			CU_ASSERT_EQUAL(sa_sequence(sa), packets);
			sa_free(sa);
			ipsec_worker_free(w);
			ipsec_free(ips);
		}
		CU_ASSERT_EQUAL(b.iv_bytes, 8);
		CU_ASSERT_EQUAL(bag_twice(&b), 0);
	}
}

/* Wherever the counter begins, also just before its end, every packet has another and can be opened. */
static void test_iv_counted_ones_wrap(void)
{
	for (size_t i = 0; i < ARRAY_LEN(counter_suites); i++) {
		const struct rig_options o = rig_suite(counter_suites[i].encr, counter_suites[i].integ);
		struct rig_pair p;
		struct bag b;

		bag_init(&b, 200);
		rig_pair_open(&p, &o);
		p.out->iv_base = UINT64_MAX - 100;
		for (int k = 0; k < 200; k++) {
			struct rte_mbuf *m = sealed(&p, &o, 60);
			bag_take(&b, p.out, m);
			CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
			rte_pktmbuf_free(m);
		}
		CU_ASSERT_EQUAL(bag_twice(&b), 0);
		rig_pair_close(&p);
	}
}

/* The base is drawn from all 64 bits: with 64 SAs every bit is once set and once not. */
static void test_iv_bases_are_random(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	uint64_t set = 0, clear = 0;

	for (int i = 0; i < 64; i++) {
		struct sa *sa = sa_of(ips, &counter_suites[0]);
		set |= sa->iv_base;
		clear |= ~sa->iv_base;
		sa_free(sa);
	}
	CU_ASSERT_EQUAL(set & clear, UINT64_MAX);
	ipsec_free(ips);
}

/* ---- implicit ones ---- */

static void test_iv_implicit_ones_are_not_on_the_wire(void)
{
	for (size_t i = 0; i < ARRAY_LEN(implicit_suites); i++)
		for (int esn = 0; esn < 2; esn++) {
			struct rig_options o = rig_suite(implicit_suites[i].encr, NULL);
			struct rig_pair p;

			o.esn = esn;
			o.sequence = esn ? 0x2fffffffd : 0;
			rig_pair_open(&p, &o);
			struct rte_mbuf *first = sealed(&p, &o, 62), *second = sealed(&p, &o, 62);
			/* outer header, SPI and sequence number, 62 + 2 of text, ICV */
			CU_ASSERT_EQUAL(first->data_len, 20 + 8 + 64 + o.encr->out_bytes);
			/* the same text under two numbers */
			CU_ASSERT_NOT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(first, void *, 28),
						    rte_pktmbuf_mtod_offset(second, void *, 28), 64),
				0);
			CU_ASSERT_EQUAL(rig_in(&p, second), DROP_NONE);
			CU_ASSERT_EQUAL(rig_in(&p, first), DROP_NONE);
			rte_pktmbuf_free(first);
			rte_pktmbuf_free(second);
			rig_pair_close(&p);
		}
}

/* RFC 8750 4: without ESN the high half of the IV is zero, with ESN it is that of the number: the same key, low half
 * and text give another packet. */
static void test_iv_implicit_ones_have_the_whole_number(void)
{
	for (size_t i = 0; i < ARRAY_LEN(implicit_suites); i++) {
		struct rig_options o = rig_suite(implicit_suites[i].encr, NULL);
		const uint8_t text[32] = { 0x45 };
		struct rig_pair p;

		o.esn = true;
		o.sequence = 0x100000000;
		rig_pair_open(&p, &o);
		struct rte_mbuf *high = rig_seal(&p, 0x100000001, text, sizeof(text));
		struct rte_mbuf *low = rig_seal(&p, 1, text, sizeof(text));
		CU_ASSERT_NOT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(high, void *, 28),
					    rte_pktmbuf_mtod_offset(low, void *, 28), sizeof(text)),
			0);
		CU_ASSERT_TRUE(refused(&p, low, DROP_BAD_ICV));
		/* authentic, but no packet is in it */
		CU_ASSERT_TRUE(refused_authentic(&p, high, 0x100000001, DROP_NEXT_HEADER));
		rig_pair_close(&p);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_iv_random_ones_are_distinct),
		TEST(test_iv_random_ones_are_random_in_every_byte),
		TEST(test_iv_random_ones_of_workers_and_restarts_differ),
		TEST(test_iv_pool_with_two_sizes),
		TEST(test_iv_random_numbers_of_a_worker),
		TEST(test_iv_random_ones_missing),
		TEST(test_iv_counted_ones_are_distinct),
		TEST(test_iv_counted_ones_wrap),
		TEST(test_iv_bases_are_random),
		TEST(test_iv_implicit_ones_are_not_on_the_wire),
		TEST(test_iv_implicit_ones_have_the_whole_number),
	};

	rig_eal();
	return test_main("ipsec_iv", tests, ARRAY_LEN(tests), argc, argv);
}
