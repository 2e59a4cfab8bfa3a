/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of an SA: lifetimes in time, bytes and packets and the end of its sequence numbers, as flags that stay until
 * acknowledged and as packets that no longer pass, for ESP and AH. Here time is a number. */
#include "harness.h"
#include "refusal.h"

#define SECOND 1000000000ull
#define BORN   (5000 * SECOND)

static struct rig_options options_of(bool ah)
{
	return ah ? rig_suite(NULL, "sha256") : rig_suite("aes128", "sha1");
}

static uint32_t flags_of(const struct sa *sa)
{
	struct sa_stats s;

	sa_stats_read(sa, &s);
	return s.flags;
}

/* One packet of 100 bytes the whole way; the reason of the half that dropped it. */
static enum drop_reason one_through(struct rig_pair *p, const struct rig_options *o)
{
	struct rte_mbuf *m = rig_packet_for(o, 100, 0);
	enum drop_reason reason = rig_through(p, m);

	rte_pktmbuf_free(m);
	return reason;
}

/* ---- time ---- */

static void test_limits_soft_time_is_said_once(void)
{
	for (int ah = 0; ah < 2; ah++) {
		struct rig_options o = options_of(ah);
		struct rig_pair p;

		o.lifetime_out = o.lifetime_in = (struct sa_lifetime){ .soft_ns = 100 * SECOND };
		rig_pair_open(&p, &o);
		struct sa *both[] = { p.out, p.in };
		for (size_t i = 0; i < 2; i++) {
			sa_age(both[i], BORN);
			sa_age(both[i], BORN + 100 * SECOND - 1);
			CU_ASSERT_EQUAL(flags_of(both[i]), 0);
			sa_age(both[i], BORN + 100 * SECOND);
			CU_ASSERT_EQUAL(flags_of(both[i]), SA_SOFT_EXPIRED);
			/* it stays, over time and traffic */
			sa_age(both[i], BORN + 101 * SECOND);
			CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
			CU_ASSERT_EQUAL(flags_of(both[i]), SA_SOFT_EXPIRED);
			/* acknowledged, it does not come again */
			sa_flags_acknowledge(both[i], SA_SOFT_EXPIRED);
			sa_age(both[i], BORN + 200 * SECOND);
			CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
			CU_ASSERT_EQUAL(flags_of(both[i]), 0);
		}
		rig_pair_close(&p);
	}
}

/* Every packet is refused, and that an operator acknowledged it opens nothing. */
static void over_for_good(struct rig_pair *p, const struct rig_options *o, struct sa *sa)
{
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(one_through(p, o), DROP_EXPIRED);
		CU_ASSERT_EQUAL(flags_of(sa) & SA_HARD_EXPIRED, i < 2 ? SA_HARD_EXPIRED : 0);
		if (i == 1)
			sa_flags_acknowledge(sa, UINT32_MAX);
		CU_ASSERT_EQUAL(one_through(p, o), DROP_EXPIRED);
	}
	CU_ASSERT_EQUAL(flags_of(sa), 0);
	CU_ASSERT_EQUAL(rig_drops(sa, DROP_EXPIRED), 6);
}

static void test_limits_hard_time_is_for_good(void)
{
	for (int bits = 0; bits < 4; bits++) {
		struct rig_options o = options_of(bits & 1);
		struct sa_lifetime *l = bits & 2 ? &o.lifetime_in : &o.lifetime_out;
		struct rig_pair p;

		*l = (struct sa_lifetime){ .soft_ns = 50 * SECOND, .hard_ns = 100 * SECOND };
		rig_pair_open(&p, &o);
		struct sa *sa = bits & 2 ? p.in : p.out;
		sa_age(sa, BORN);
		CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
		sa_age(sa, BORN + 100 * SECOND - 1);
		CU_ASSERT_EQUAL(flags_of(sa), SA_SOFT_EXPIRED);
		CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
		sa_age(sa, BORN + 100 * SECOND);
		CU_ASSERT_EQUAL(flags_of(sa), SA_SOFT_EXPIRED | SA_HARD_EXPIRED);
		over_for_good(&p, &o, sa);
		rig_pair_close(&p);
	}
}

static void test_limits_clock_starts_with_the_first_look(void)
{
	struct rig_options o = options_of(false);
	struct rig_pair p;

	o.lifetime_out = (struct sa_lifetime){ .hard_ns = SECOND };
	rig_pair_open(&p, &o);
	/* long after boot, and nothing is over */
	sa_age(p.out, 1000000 * SECOND);
	CU_ASSERT_EQUAL(flags_of(p.out), 0);
	sa_age(p.out, 1000000 * SECOND + SECOND);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_HARD_EXPIRED);
	rig_pair_close(&p);
}

static void test_limits_none_means_none(void)
{
	for (int ah = 0; ah < 2; ah++) {
		const struct rig_options o = options_of(ah);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		sa_age(p.out, 1);
		sa_age(p.in, 1);
		sa_age(p.out, UINT64_MAX);
		sa_age(p.in, UINT64_MAX);
		for (int i = 0; i < 1000; i++)
			CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
		CU_ASSERT_EQUAL(flags_of(p.out) | flags_of(p.in), 0);
		rig_pair_close(&p);
	}
}

/* ---- packets and bytes ---- */

/* Where the flags come with packets of 100 bytes, and how many pass. */
static const struct count_row {
	struct sa_lifetime lifetime;
	uint64_t soft_from, passed; /* soft: raised by this packet, counted from 1; 0: never */
} counts[] = {
	{ { .soft_packets = 3, .hard_packets = 5 }, 4, 5 },
	{ { .soft_packets = 5, .hard_packets = 5 }, 6, 5 },
	{ { .hard_packets = 1 }, 0, 1 },
	{ { .soft_bytes = 250, .hard_bytes = 450 }, 3, 4 },
	{ { .soft_bytes = 300, .hard_bytes = 400 }, 4, 4 },
	{ { .hard_bytes = 99 }, 0, 0 },
	{ { .soft_packets = 2, .hard_bytes = 700 }, 3, 7 },
	{ { .soft_bytes = 150, .hard_packets = 7, .soft_packets = 6 }, 2, 7 },
	{ { .soft_ns = SECOND, .hard_ns = 2 * SECOND, .hard_bytes = 1000, .hard_packets = 8 }, 0, 8 },
};

/* Whatever number the first packet has. */
static unsigned count_wrong(const struct count_row *r, bool ah, bool inbound, uint64_t sequence)
{
	struct rig_options o = options_of(ah);
	struct sa_stats stats;
	struct rig_pair p;
	unsigned wrong = 0;

	o.sequence = sequence;
	if (inbound)
		o.lifetime_in = r->lifetime;
	else
		o.lifetime_out = r->lifetime;
	rig_pair_open(&p, &o);
	struct sa *sa = inbound ? p.in : p.out;
	sa_age(sa, BORN);
	for (uint64_t i = 1; i < 12; i++) {
		wrong += one_through(&p, &o) != (i <= r->passed ? DROP_NONE : DROP_EXPIRED);
		wrong += !!(flags_of(sa) & SA_SOFT_EXPIRED) != (r->soft_from && i >= r->soft_from);
		wrong += !!(flags_of(sa) & SA_HARD_EXPIRED) != (i > r->passed);
	}
	sa_stats_read(sa, &stats);
	wrong += stats.packets != r->passed || stats.bytes != r->passed * 100;
	/* no number is used up by a packet that is not sent */
	wrong += !inbound && stats.sequence != sequence + r->passed;
	rig_pair_close(&p);
	return wrong;
}

static void test_limits_of_packets_and_bytes(void)
{
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (int bits = 0; bits < 8; bits++)
			CU_ASSERT_EQUAL(count_wrong(&counts[i], bits & 1, bits & 2, bits & 4 ? 1000 : 0), 0);
}

/* Said once, whichever limit said it: acknowledged, it does not come again with the next packet. */
static void test_limits_soft_counts_are_said_once(void)
{
	static const struct sa_lifetime lifetimes[] = { { .soft_packets = 2 }, { .soft_bytes = 250 } };

	for (int bits = 0; bits < 8; bits++) {
		struct rig_options o = options_of(bits & 1);
		struct rig_pair p;

		*(bits & 2 ? &o.lifetime_in : &o.lifetime_out) = lifetimes[bits >> 2];
		rig_pair_open(&p, &o);
		struct sa *sa = bits & 2 ? p.in : p.out;
		for (int i = 0; i < 6; i++) {
			CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
			CU_ASSERT_EQUAL(flags_of(sa), i == 2 ? SA_SOFT_EXPIRED : 0);
			sa_flags_acknowledge(sa, SA_SOFT_EXPIRED);
		}
		rig_pair_close(&p);
	}
}

/* A packet too large for what is left ends the SA, and what would still fit does not pass either. */
static void test_limits_hard_bytes_are_for_good(void)
{
	for (int bits = 0; bits < 4; bits++) {
		struct rig_options o = options_of(bits & 1);
		struct sa_lifetime *l = bits & 2 ? &o.lifetime_in : &o.lifetime_out;
		struct rig_pair p;

		*l = (struct sa_lifetime){ .hard_bytes = 1000 };
		rig_pair_open(&p, &o);
		struct rte_mbuf *m = rig_packet_for(&o, 1200, 0);
		CU_ASSERT_EQUAL(rig_through(&p, m), DROP_EXPIRED);
		rte_pktmbuf_free(m);
		struct sa *sa = bits & 2 ? p.in : p.out;
		sa->drops[DROP_EXPIRED] = 0;
		over_for_good(&p, &o, sa);
		rig_pair_close(&p);
	}
}

/* The good ones of a burst are those up to the limit, and their numbers have no gap. */
static void test_limits_in_the_middle_of_a_burst(void)
{
	for (int ah = 0; ah < 2; ah++) {
		struct rig_options o = options_of(ah);
		struct burst_item items[64];
		struct rig_pair p;

		o.lifetime_out = (struct sa_lifetime){ .soft_packets = 10, .hard_packets = 40 };
		rig_pair_open(&p, &o);
		for (uint16_t i = 0; i < 64; i++)
			items[i] = (struct burst_item){
				.m = rig_packet_for(&o, 100, 0), .sa = p.out, .worker_data = i
			};
		CU_ASSERT_EQUAL(burst_out(p.out_worker, items, 64), 40);
		for (uint16_t i = 0; i < 64; i++) {
			const uint8_t *at = rte_pktmbuf_mtod_offset(items[i].m, const uint8_t *, ah ? 28 : 24);
			CU_ASSERT_EQUAL(items[i].worker_data, i);
			CU_ASSERT_EQUAL(items[i].drop, i < 40 ? DROP_NONE : DROP_EXPIRED);
			CU_ASSERT_TRUE(i >= 40 || load_be32(at) == i + 1u);
			rte_pktmbuf_free(items[i].m);
		}
		CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED | SA_HARD_EXPIRED);
		rig_pair_close(&p);
	}
}

/* ---- the end of the sequence numbers ---- */

static void test_limits_sequence_ends_and_never_wraps(void)
{
	for (int bits = 0; bits < 4; bits++) {
		struct rig_options o = options_of(bits & 1);
		struct rig_pair p;

		o.esn = bits & 2;
		uint64_t end = o.esn ? UINT64_MAX : UINT32_MAX;
		for (uint64_t left = 0; left < 4; left++) {
			o.sequence = end - left;
			rig_pair_open(&p, &o);
			for (uint64_t i = 0; i < 6; i++) {
				CU_ASSERT_EQUAL(one_through(&p, &o), i < left ? DROP_NONE : DROP_SEQUENCE);
				/* without ESN it was warned of long before */
				uint32_t warned = o.esn || !left ? 0 : SA_SOFT_EXPIRED;
				CU_ASSERT_EQUAL(flags_of(p.out), warned | (i >= left ? SA_SEQUENCE_END : 0));
			}
			CU_ASSERT_EQUAL(sa_sequence(p.out), end);
			sa_flags_acknowledge(p.out, UINT32_MAX);
			CU_ASSERT_EQUAL(one_through(&p, &o), DROP_SEQUENCE);
			CU_ASSERT_EQUAL(sa_sequence(p.out), end);
			rig_pair_close(&p);
		}
	}
}

/* RFC 4303 3.3.3: there is time for a new SA; 2^64 does not end. */
static void test_limits_warn_before_the_sequence_ends(void)
{
	for (int bits = 0; bits < 4; bits++) {
		struct rig_options o = options_of(bits & 1);
		struct rig_pair p;

		o.esn = bits & 2;
		o.sequence = UINT32_MAX / 8 * 7 - 1;
		rig_pair_open(&p, &o);
		CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
		CU_ASSERT_EQUAL(flags_of(p.out), 0);
		CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
		CU_ASSERT_EQUAL(flags_of(p.out), o.esn ? 0 : SA_SOFT_EXPIRED);
		/* the receiver leaves that to the sender */
		CU_ASSERT_EQUAL(flags_of(p.in), 0);
		rig_pair_close(&p);
	}
}

/* Who looks after flags need not look at every SA. */
static void test_limits_of_packets_are_news(void)
{
	struct rig_options o = options_of(false);
	struct rig_pair p;

	o.lifetime_out = (struct sa_lifetime){ .soft_packets = 1, .soft_ns = SECOND };
	rig_pair_open(&p, &o);
	uint32_t before = sa_flag_news(p.out_ips);
	CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
	CU_ASSERT_EQUAL(sa_flag_news(p.out_ips), before);
	CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
	CU_ASSERT_NOT_EQUAL(sa_flag_news(p.out_ips), before);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED);
	/* what control raises itself, and paths, are none */
	before = sa_flag_news(p.out_ips);
	sa_flags_acknowledge(p.out, SA_SOFT_EXPIRED);
	sa_age(p.out, BORN);
	sa_age(p.out, BORN + SECOND);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED);
	sa_path_publish(p.out_ips, p.out, path_create(&sa_path(p.out)->spec, 1400, 1, 2));
	CU_ASSERT_EQUAL(sa_flag_news(p.out_ips), before);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED);
	rig_pair_close(&p);
}

static void test_limits_flags_survive_a_new_path(void)
{
	struct rig_options o = options_of(false);
	struct rig_pair p;

	o.lifetime_out = (struct sa_lifetime){ .soft_packets = 1, .hard_packets = 3 };
	rig_pair_open(&p, &o);
	CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
	CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
	sa_path_publish(p.out_ips, p.out, path_create(&sa_path(p.out)->spec, 1400, 1, 2));
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED);
	CU_ASSERT_EQUAL(one_through(&p, &o), DROP_NONE);
	CU_ASSERT_EQUAL(one_through(&p, &o), DROP_EXPIRED);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED | SA_HARD_EXPIRED);
	rig_pair_close(&p);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_limits_soft_time_is_said_once),
		TEST(test_limits_hard_time_is_for_good),
		TEST(test_limits_clock_starts_with_the_first_look),
		TEST(test_limits_none_means_none),
		TEST(test_limits_of_packets_and_bytes),
		TEST(test_limits_soft_counts_are_said_once),
		TEST(test_limits_hard_bytes_are_for_good),
		TEST(test_limits_in_the_middle_of_a_burst),
		TEST(test_limits_sequence_ends_and_never_wraps),
		TEST(test_limits_warn_before_the_sequence_ends),
		TEST(test_limits_of_packets_are_news),
		TEST(test_limits_flags_survive_a_new_path),
	};

	rig_eal();
	return test_main("ipsec_limits", tests, ARRAY_LEN(tests), argc, argv);
}
