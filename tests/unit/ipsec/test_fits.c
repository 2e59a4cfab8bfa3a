/* SPDX-License-Identifier: BSD-3-Clause */
/* Outbound items that come with the number of the selectors they are known to be inside: what does not fit its SA any
 * more comes back as it was, with what is behind it. */
#include "harness.h"
#include "rig.h"

#include "ipsec_priv.h"

/* Two outbound SAs of one worker. */
struct pair {
	struct rig_pair rig;
	struct sa *a, *b;
};

static void pair_open(struct pair *p, const struct rig_options *a, const struct rig_options *b)
{
	rig_pair_open(&p->rig, a);
	p->a = p->rig.out;
	p->b = rig_sa(p->rig.out_ips, b, SA_OUT);
	CU_ASSERT_EQUAL_FATAL(sa_claim(p->b, 0), 0);
	CU_ASSERT_EQUAL_FATAL(tunnel_publish(p->rig.out_ips, 1, p->b), 0);
}

static uint16_t number_of(const struct sa *sa)
{
	const struct flow flow = { .family = ADDR_IPV4,
		.local_be = { rte_cpu_to_be_32(RIG_SOURCE) },
		.remote_be = { rte_cpu_to_be_32(RIG_DEST) } };

	return sa_selectors_number(sa, &flow);
}

/* A burst as a worker makes it of packets whose flows it knows. */
struct lot {
	struct burst_item items[8];
	struct rte_mbuf *before[8]; /* copies */
	uint16_t n, good;
};

static void lot_push(struct lot *l, struct sa *sa, uint16_t bytes)
{
	struct rte_mbuf *m = rig_packet(bytes, (uint8_t)l->n);

	l->items[l->n] = (struct burst_item){ .m = m, .sa = sa, .number = number_of(sa), .worker_data = l->n };
	l->before[l->n++] = rig_copy(m);
}

static bool unchanged(const struct lot *l, const struct burst_item *item)
{
	const struct rte_mbuf *before = l->before[item->worker_data];

	return item->m->data_len == before->data_len &&
	       !memcmp(rte_pktmbuf_mtod(item->m, void *), rte_pktmbuf_mtod(before, void *), before->data_len);
}

/* Through the burst. back: a bit for each packet that is to come back as it was; the others are to be sealed, and both
 * to keep their order. Frees them. */
static void lot_seal(struct lot *l, struct pair *p, unsigned back)
{
	unsigned seen[2] = { 0, 0 };
	uint16_t last[2] = { 0, 0 };

	l->good = burst_out(p->rig.out_worker, l->items, l->n);
	for (uint16_t i = 0; i < l->n; i++) {
		const struct burst_item *item = &l->items[i];
		const bool good = i < l->good;
		CU_ASSERT(!seen[good] || item->worker_data > last[good]);
		seen[good] |= 1u << item->worker_data;
		last[good] = item->worker_data;
		CU_ASSERT_EQUAL(unchanged(l, item), !good);
		CU_ASSERT(good || item->drop == DROP_NONE);
		rte_pktmbuf_free(item->m);
		rte_pktmbuf_free(l->before[i]);
	}
	CU_ASSERT_EQUAL(seen[false], back);
	CU_ASSERT_EQUAL(seen[true] | seen[false], (1u << l->n) - 1);
	l->n = 0;
}

/* Five packets: of a, b, a, a, b; the third of as many bytes as is said. */
static struct lot five(const struct pair *p, uint16_t bytes)
{
	struct lot l = { .n = 0 };

	lot_push(&l, p->a, 100);
	lot_push(&l, p->b, 100);
	lot_push(&l, p->a, bytes);
	lot_push(&l, p->a, 100);
	lot_push(&l, p->b, 100);
	return l;
}

#define BACK_NONE 0u
#define BACK_A    (1u << 0 | 1u << 2 | 1u << 3)
#define BACK_TAIL (1u << 2 | 1u << 3) /* the third, and what is of its SA behind it */

static uint64_t sequences(const struct sa *sa)
{
	struct sa_stats stats;

	sa_stats_read(sa, &stats);
	return stats.packets;
}

static uint64_t drops_of(const struct sa *sa)
{
	struct sa_stats stats;
	uint64_t sum = 0;

	sa_stats_read(sa, &stats);
	for (int i = 0; i < DROP_REASON_COUNT; i++)
		sum += stats.drops[i];
	return sum;
}

static void expect_too_large(struct pair *p)
{
	uint16_t most = sa_inner_mtu(p->a);
	struct lot l = five(p, most);

	lot_seal(&l, p, BACK_NONE);
	CU_ASSERT_EQUAL(sequences(p->a), 3);
	l = five(p, (uint16_t)(most + 1));
	lot_seal(&l, p, BACK_TAIL);
	CU_ASSERT_EQUAL(sequences(p->a), 4);
	CU_ASSERT_EQUAL(sequences(p->b), 4);
	/* control has published a path with a smaller MTU */
	struct path_spec spec = sa_path(p->a)->spec;
	sa_path_publish(p->rig.out_ips, p->a, path_create(&spec, 1300, 1, 2));
	l = five(p, most);
	lot_seal(&l, p, BACK_TAIL);
	l = five(p, sa_inner_mtu(p->a));
	lot_seal(&l, p, BACK_NONE);
}

static void expect_other_number(struct pair *p)
{
	uint16_t number = number_of(p->a);
	struct lot l = five(p, 200);

	/* since the packets' flows were asked about, an SA with other selectors has come into the slot */
	atomic_store(&p->a->number, number + 1);
	lot_seal(&l, p, BACK_A);
	l = five(p, 200);
	lot_seal(&l, p, BACK_NONE);
	/* ... or one that has none */
	l = five(p, 200);
	atomic_store(&p->a->number, 0);
	lot_seal(&l, p, BACK_A);
	atomic_store(&p->a->number, number);
}

static void expect_other_owner(struct pair *p)
{
	static const uint8_t owners[] = { 1, WORKER_LEAVING, WORKER_LEAVING | 1, WORKER_MOVING, WORKER_NONE };
	struct lot l;

	for (size_t i = 0; i < ARRAY_LEN(owners); i++) {
		l = five(p, 200);
		atomic_store(&p->a->owner, owners[i]);
		lot_seal(&l, p, BACK_A);
	}
	atomic_store(&p->a->owner, 0);
	l = five(p, 200);
	lot_seal(&l, p, BACK_NONE);
}

/* Without a number all of that was asked before. */
static void expect_asked(struct pair *p)
{
	struct lot l = five(p, (uint16_t)(sa_inner_mtu(p->a) + 1));

	for (uint16_t i = 0; i < l.n; i++)
		l.items[i].number = 0;
	atomic_store(&p->a->owner, 1);
	lot_seal(&l, p, BACK_NONE);
	atomic_store(&p->a->owner, 0);
	/* one that comes back leaves those alone that were asked about */
	l = five(p, 200);
	l.items[3].number = 0;
	l.items[2].number++;
	lot_seal(&l, p, 1u << 2);
}

static void test_fits_or_comes_back(void)
{
	const struct rig_options kinds[] = {
		{ .key_bits = 128 },
		{ .key_bits = 256, .udp = true },
		{ .key_bits = 128, .outer6 = true },
		{ .key_bits = 128, .esn = true },
		{ .encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128),
			.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0) },
		{ .integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0) },
	};
	struct pair p;

	for (size_t a = 0; a < ARRAY_LEN(kinds); a++)
		for (size_t b = 0; b < ARRAY_LEN(kinds); b++) {
			pair_open(&p, &kinds[a], &kinds[b]);
			CU_ASSERT(number_of(p.a) && number_of(p.b));
			expect_too_large(&p);
			expect_other_number(&p);
			expect_other_owner(&p);
			expect_asked(&p);
			CU_ASSERT_EQUAL(drops_of(p.a) + drops_of(p.b), 0);
			rig_pair_close(&p.rig);
		}
}

/* Each worker seals with its own SAs, whichever it is. */
static void test_fits_the_worker_that_asks(void)
{
	const struct rig_options kinds[] = { { .key_bits = 128 }, { .key_bits = 128, .udp = true } };
	struct ipsec *ips = rig_ipsec(2, 256, 4);
	struct pair p = { .rig.out_ips = ips, .rig.out_worker = ipsec_worker_create(ips, 1) };
	struct lot l;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		p.a = rig_sa(ips, &kinds[i], SA_OUT);
		p.b = rig_sa(ips, &kinds[i], SA_OUT);
		CU_ASSERT(sa_claim(p.a, 0) == 0 && sa_claim(p.b, 1) == 1);
		CU_ASSERT(!tunnel_publish(ips, 0, p.a) && !tunnel_publish(ips, 1, p.b));
		l = five(&p, 200);
		lot_seal(&l, &p, BACK_A);
		CU_ASSERT(sequences(p.a) == 0 && sequences(p.b) == 2);
	}
	ipsec_worker_free(p.rig.out_worker);
	ipsec_free(ips);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_fits_or_comes_back),
		TEST(test_fits_the_worker_that_asks),
	};

	rig_eal();
	return test_main("ipsec_fits", tests, ARRAY_LEN(tests), argc, argv);
}
