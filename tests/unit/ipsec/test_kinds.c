/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kind of SA there and back: each combination of the algorithm table in ESP and AH, tunnel and transport mode,
 * both families inside and outside, raw and in UDP, with and without ESN. In tests/packet independent oracles are at
 * the other end; here it is our own. */
#include <string.h>

#include "engine.h"
#include "harness.h"
#include "rig.h"

struct tally {
	unsigned kinds, wrong;
};

static bool same_after(const struct rte_mbuf *m, const struct rte_mbuf *sent)
{
	return m->data_len == sent->data_len && m->pkt_len == sent->pkt_len &&
	       !memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(sent, void *), sent->data_len);
}

/* A few lengths through a pair of this kind; wrong ones are said. */
static void kind_check(const struct rig_options *o, struct tally *t)
{
	static const uint16_t lengths[] = { 0, 1, 2, 7, 8, 13, 15, 16, 17, 31, 60, 61, 62, 63, 64, 500, 1001, 1300 };
	uint16_t header = (o->transport ? o->outer6 : o->inner6) ? 40 : 20;
	struct rig_pair p;

	t->kinds++;
	rig_pair_open(&p, o);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct rte_mbuf *m = rig_packet_for(o, (uint16_t)(header + lengths[i]), (uint8_t)i),
				*sent = rig_copy(m);
		enum drop_reason reason = rig_through(&p, m);
		if (reason || !same_after(m, sent)) {
			t->wrong++;
			fprintf(stderr, "%s/%s transport %d outer6 %d inner6 %d udp %d esn %d length %u: %s\n",
				o->encr ? o->encr->name : "AH", o->integ ? o->integ->name : "-", o->transport,
				o->outer6, o->inner6, o->udp, o->esn, lengths[i], drop_keyword(reason));
		}
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(sent);
	}
	rig_pair_close(&p);
}

/* Modes, families and numberings of one combination; AH has no UDP. */
static void suite_check(const struct alg *encr, const struct alg *integ, bool reference, struct tally *t)
{
	for (unsigned bits = 0; bits < 32; bits++) {
		struct rig_options o = {
			.encr = encr,
			.integ = integ,
			.reference = reference,
			.transport = bits & 1,
			.outer6 = bits & 2,
			.inner6 = bits & 4,
			.udp = bits & 8,
			.esn = bits & 16,
			.sequence = bits & 16 ? 0x1fffffff8 : 0,
		};
		if ((o.transport && o.inner6) || (!encr && o.udp))
			continue;
		kind_check(&o, t);
	}
}

static void all_suites(bool reference, struct tally *t)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type == TRANSFORM_INTEG && a->flags & ALG_AH)
			suite_check(NULL, a, reference, t);
		if (a->type != TRANSFORM_ENCR || !(a->flags & ALG_ESP))
			continue;
		if (a->flags & ALG_AEAD)
			suite_check(a, NULL, reference, t);
		for (const struct alg *b = alg_next(NULL); b && !(a->flags & ALG_AEAD); b = alg_next(b))
			if (b->type == TRANSFORM_INTEG && b->flags & ALG_ESP)
				suite_check(a, b, reference, t);
	}
}

static void test_kinds_all_there_and_back(void)
{
	struct tally t = { 0 };

	all_suites(false, &t);
	printf("# %u kinds of SA there and back\n", t.kinds);
	CU_ASSERT_EQUAL(t.wrong, 0);
	/* 25 AEADs and 48 pairs in 24 forms, 9 AHs in 12 */
	CU_ASSERT(t.kinds > 1500);
}

/* The receiving end computes with OpenSSL. */
static void test_kinds_all_open_with_the_reference_engine(void)
{
	struct tally t = { 0 };

	all_suites(true, &t);
	CU_ASSERT_EQUAL(t.wrong, 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_kinds_all_there_and_back),
		TEST(test_kinds_all_open_with_the_reference_engine),
	};

	rig_eal();
	return test_main("ipsec_kinds", tests, ARRAY_LEN(tests), argc, argv);
}
