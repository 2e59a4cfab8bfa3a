/* SPDX-License-Identifier: BSD-3-Clause */
/* Publishing, path swaps and the grace period: nothing is freed while a worker may hold it, nothing ever waits. Workers
 * here are reports made by hand, and in one test threads. */
#include <errno.h>
#include <pthread.h>
#include <rte_pause.h>

#include "harness.h"
#include "rig.h"

static unsigned freed[4096];

static void count_free(void *object)
{
	freed[(uintptr_t)object]++;
}

static unsigned freed_total(size_t from, size_t to)
{
	unsigned n = 0;

	for (size_t i = from; i < to; i++)
		n += freed[i];
	return n;
}

static struct sa *outbound(struct ipsec *ips)
{
	const struct rig_options o = { 0 };

	return rig_sa(ips, &o, SA_OUT);
}

static void test_tunnel_publish_and_retire(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 2);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	struct sa *first = outbound(ips), *second = outbound(ips);

	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, 1));
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, first), 0);
	CU_ASSERT_PTR_EQUAL(tunnel_lookup(ips, 1), first);
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, 0));
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, second), 0);
	CU_ASSERT_PTR_EQUAL(tunnel_lookup(ips, 1), second);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	CU_ASSERT_EQUAL(sa_spi(first), RIG_SPI); /* still there: the worker may hold it */
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, NULL), 0);
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, 1));
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* What quotes an SPI of no outbound SA is about nothing of ours. */
static void test_tunnel_spi_filter_knows_outbound_sas(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 2);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	unsigned others = 0;

	CU_ASSERT_FALSE(spi_filter_has(ips, RIG_SPI));
	struct sa *first = outbound(ips), *second = outbound(ips);
	CU_ASSERT_TRUE(spi_filter_has(ips, RIG_SPI));
	sa_free(first);
	CU_ASSERT_TRUE(spi_filter_has(ips, RIG_SPI));
	for (uint32_t spi = 0; spi < 1000000; spi++)
		others += spi_filter_has(ips, spi * 4099);
	CU_ASSERT(others < 100);
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, second), 0);
	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, NULL), 0);
	ipsec_worker_quiescent(w);
	reclaim_poll(ips);
	CU_ASSERT_FALSE(spi_filter_has(ips, RIG_SPI));
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static void test_tunnel_slot_out_of_range(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 2);
	struct sa *sa = outbound(ips);

	CU_ASSERT_EQUAL(tunnel_publish(ips, 2, sa), -EINVAL);
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, 2));
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, UINT32_MAX));
	sa_free(sa);
	ipsec_free(ips);
}

static struct sa *outbound_to(struct ipsec *ips, const char *remote)
{
	const struct rig_options o = { .remote = remote };

	return rig_sa(ips, &o, SA_OUT);
}

static struct flow flow_to(const char *remote)
{
	struct flow f = { .protocol = 17, .family = ADDR_IPV4 };
	struct addr a;

	f.local_be[0] = rte_cpu_to_be_32(RIG_SOURCE);
	addr_parse(remote, &a);
	memcpy(f.remote_be, a.bytes, 4);
	return f;
}

static void test_tunnel_slot_is_shared_by_pieces_of_its_policy(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 2);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	struct sa *low = outbound_to(ips, "10.2.0.0/25"), *high = outbound_to(ips, "10.2.0.128/25"),
		  *far = outbound_to(ips, "10.3.0.0/24");
	const struct flow to_low = flow_to("10.2.0.7"), to_high = flow_to("10.2.0.200"), to_far = flow_to("10.3.0.1"),
			  to_none = flow_to("10.4.0.1");

	CU_ASSERT_EQUAL(tunnel_add(ips, 1, low), 0);
	CU_ASSERT_EQUAL(tunnel_add(ips, 1, high), 0);
	CU_ASSERT_EQUAL(tunnel_add(ips, 1, far), 0);
	CU_ASSERT_EQUAL(tunnel_add(ips, 2, far), -EINVAL);
	CU_ASSERT_PTR_EQUAL(tunnel_lookup(ips, 1), far);
	CU_ASSERT_PTR_EQUAL(tunnel_select(tunnel_lookup(ips, 1), &to_low), low);
	CU_ASSERT_PTR_EQUAL(tunnel_select(tunnel_lookup(ips, 1), &to_high), high);
	CU_ASSERT_PTR_EQUAL(tunnel_select(tunnel_lookup(ips, 1), &to_far), far);
	CU_ASSERT_PTR_NULL(tunnel_select(tunnel_lookup(ips, 1), &to_none));
	CU_ASSERT_PTR_NULL(tunnel_select(NULL, &to_none));
	CU_ASSERT_TRUE(tunnel_holds(ips, 1, low) && tunnel_holds(ips, 1, far) && !tunnel_holds(ips, 0, low));
	/* from the middle: a worker that stands on it goes on to what is behind it */
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, high), 0);
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, high), -ENOENT);
	CU_ASSERT_PTR_EQUAL(tunnel_select(high, &to_low), low);
	sa_retire(ips, high);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	CU_ASSERT_PTR_NULL(tunnel_select(tunnel_lookup(ips, 1), &to_high));
	/* the first, then the last */
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, far), 0);
	CU_ASSERT_PTR_EQUAL(tunnel_lookup(ips, 1), low);
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, low), 0);
	CU_ASSERT_PTR_NULL(tunnel_lookup(ips, 1));
	sa_free(low);
	sa_free(far);
	ipsec_worker_quiescent(w);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* A number stands for the same selectors for as long as a slot is there, whatever comes and goes. */
static void test_tunnel_selectors_have_a_number_in_their_slot(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 2);
	struct sa *low = outbound_to(ips, "10.2.0.0/25"), *again = outbound_to(ips, "10.2.0.0/25"),
		  *high = outbound_to(ips, "10.2.0.128/25"), *back = outbound_to(ips, "10.2.0.0/25"), *before;
	const struct flow to_low = flow_to("10.2.0.7"), to_high = flow_to("10.2.0.200");
	uint16_t number;

	CU_ASSERT_EQUAL(sa_selectors_number(low, &to_low), 0);
	CU_ASSERT_EQUAL(tunnel_add(ips, 1, low), 0);
	number = sa_selectors_number(low, &to_low);
	CU_ASSERT(number != 0);
	CU_ASSERT_EQUAL(sa_selectors_number(low, &to_high), 0);
	/* by rekeying */
	CU_ASSERT_EQUAL(tunnel_add(ips, 1, again), 0);
	CU_ASSERT_EQUAL(sa_selectors_number(again, &to_low), number);
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, low), 0);
	/* others */
	CU_ASSERT_EQUAL(tunnel_add(ips, 1, high), 0);
	CU_ASSERT(sa_selectors_number(high, &to_high) != 0 && sa_selectors_number(high, &to_high) != number);
	CU_ASSERT_EQUAL(sa_selectors_number(high, &to_low), 0);
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, high), 0);
	CU_ASSERT_EQUAL(sa_selectors_number(tunnel_lookup(ips, 1), &to_low), number);
	/* out of it and in again */
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 1, again), 0);
	CU_ASSERT_EQUAL(tunnel_add(ips, 1, again), 0);
	CU_ASSERT_EQUAL(sa_selectors_number(again, &to_low), number);
	/* in several slots none */
	CU_ASSERT_EQUAL(tunnel_swap(ips, 0, low, &before), 0);
	CU_ASSERT_EQUAL(sa_selectors_number(low, &to_low), 0);
	CU_ASSERT_EQUAL(tunnel_take_out(ips, 0, low), 0);
	CU_ASSERT_EQUAL(tunnel_swap(ips, 1, low, &before), 0);
	CU_ASSERT_PTR_EQUAL(before, again);
	CU_ASSERT_EQUAL(sa_selectors_number(low, &to_low), 0);
	CU_ASSERT_EQUAL(tunnel_swap(ips, 1, back, &before), 0);
	CU_ASSERT(sa_selectors_number(back, &to_low) != 0);
	sa_free(low);
	sa_free(again);
	sa_free(high);
	ipsec_free(ips);
}

/* More sets of selectors come into a slot than there are numbers, in front of one that stays: no number is given to two
 * of them, and those without one are asked about. */
static void test_tunnel_no_number_comes_twice(void)
{
	static const char *const nets[] = { "10.2.0.128/26", "10.2.0.192/26" };
	const struct flow flows[] = { flow_to("10.2.0.129"), flow_to("10.2.0.200") }, to_low = flow_to("10.2.0.7");
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct sa *low = outbound_to(ips, "10.2.0.0/25"), *before = NULL;
	unsigned wrong = 0;

	CU_ASSERT_EQUAL_FATAL(tunnel_add(ips, 0, low), 0);
	CU_ASSERT_EQUAL(sa_selectors_number(low, &to_low), 1);
	for (uint32_t i = 0; i < UINT16_MAX + 10u; i++) {
		struct sa *sa = outbound_to(ips, nets[i % 2]);
		CU_ASSERT_EQUAL_FATAL(tunnel_add(ips, 0, sa), 0);
		wrong += sa_selectors_number(sa, &flows[i % 2]) != (i + 2 <= UINT16_MAX ? i + 2 : 0);
		wrong += sa_selectors_number(sa, &flows[!(i % 2)]) != 0;
		CU_ASSERT_EQUAL_FATAL(tunnel_take_out(ips, 0, sa), 0);
		sa_free(before);
		before = sa;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(sa_selectors_number(tunnel_lookup(ips, 0), &to_low), 1);
	/* what is in the slot already has one that can be shared */
	CU_ASSERT_EQUAL_FATAL(tunnel_add(ips, 0, outbound_to(ips, "10.2.0.0/25")), 0);
	CU_ASSERT_EQUAL(sa_selectors_number(tunnel_lookup(ips, 0), &to_low), 1);
	sa_free(before);
	sa_retire(ips, low);
	ipsec_free(ips);
}

static void test_tunnel_same_sa_again_is_kept(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct sa *sa = outbound(ips);

	CU_ASSERT_EQUAL(tunnel_publish(ips, 0, sa), 0);
	CU_ASSERT_EQUAL(tunnel_publish(ips, 0, sa), 0);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_PTR_EQUAL(tunnel_lookup(ips, 0), sa);
	ipsec_free(ips);
}

static void test_tunnel_path_swap_keeps_the_old_for_a_grace(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	struct sa *sa = outbound(ips);
	const struct path *old = sa_path(sa);
	struct path_spec spec = old->spec;

	CU_ASSERT_EQUAL(tunnel_publish(ips, 0, sa), 0);
	addr_parse("203.0.113.9", &spec.remote.addr);
	sa_path_publish(ips, sa, path_create(&spec, 1400, 7, 8));
	CU_ASSERT_EQUAL(sa_path(sa)->port, 7);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	CU_ASSERT_EQUAL(old->port, 1);
	ipsec_worker_quiescent(w);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static void test_reclaim_waits_for_every_online_worker(void)
{
	struct ipsec *ips = rig_ipsec(3, 256, 1);
	struct ipsec_worker *w[3];

	memset(freed, 0, sizeof(freed));
	for (uint16_t i = 0; i < 3; i++)
		w[i] = ipsec_worker_create(ips, i);
	ipsec_worker_offline(w[2]); /* asleep: holds nothing */
	reclaim_later(ips, count_free, (void *)1);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	ipsec_worker_quiescent(w[0]);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	ipsec_worker_quiescent(w[0]);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	CU_ASSERT_EQUAL(freed[1], 0);
	ipsec_worker_quiescent(w[1]);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	CU_ASSERT_EQUAL(freed[1], 1);
	/* awake again it counts again */
	ipsec_worker_online(w[2]);
	reclaim_later(ips, count_free, (void *)2);
	ipsec_worker_quiescent(w[0]);
	ipsec_worker_quiescent(w[1]);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 1);
	ipsec_worker_quiescent(w[2]);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 0);
	for (uint16_t i = 0; i < 3; i++)
		ipsec_worker_free(w[i]);
	ipsec_free(ips);
}

static void test_reclaim_of_many_neither_frees_early_nor_loses(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	size_t waiting = 0;
	int rounds = 0;

	memset(freed, 0, sizeof(freed));
	for (uintptr_t i = 1; i < 4000; i++)
		reclaim_later(ips, count_free, (void *)i);
	CU_ASSERT_EQUAL(reclaim_poll(ips), 3999);
	CU_ASSERT_EQUAL(freed_total(0, 4096), 0);
	do {
		ipsec_worker_quiescent(w);
		waiting = reclaim_poll(ips);
		CU_ASSERT_EQUAL(freed_total(0, 4096) + waiting, 3999);
	} while (waiting && ++rounds < 10);
	CU_ASSERT_EQUAL(rounds, 0); /* one grace period for all */
	for (size_t i = 1; i < 4000; i++)
		CU_ASSERT_EQUAL(freed[i], 1);
	ipsec_worker_free(w);
	ipsec_free(ips);
}

static struct ipsec *again_ips;

/* The end of one thing may be the beginning of another's grace period. */
static void free_again(void *object)
{
	count_free(object);
	if ((uintptr_t)object < 5)
		reclaim_later(again_ips, free_again, (void *)((uintptr_t)object + 1));
}

static void test_reclaim_from_within(void)
{
	struct ipsec_worker *w;

	again_ips = rig_ipsec(1, 256, 1);
	w = ipsec_worker_create(again_ips, 0);
	memset(freed, 0, sizeof(freed));
	reclaim_later(again_ips, free_again, (void *)1);
	for (unsigned i = 1; i <= 5; i++) {
		CU_ASSERT_EQUAL(reclaim_poll(again_ips), 1);
		CU_ASSERT_EQUAL(freed_total(0, 16), i - 1);
		ipsec_worker_quiescent(w);
	}
	CU_ASSERT_EQUAL(reclaim_poll(again_ips), 0);
	CU_ASSERT_EQUAL(freed_total(0, 16), 5);
	ipsec_worker_free(w);
	ipsec_free(again_ips);
}

static void test_reclaim_end_frees_all(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);

	memset(freed, 0, sizeof(freed));
	for (uintptr_t i = 1; i < 2500; i++)
		reclaim_later(ips, count_free, (void *)i);
	ipsec_worker_free(w);
	ipsec_free(ips);
	CU_ASSERT_EQUAL(freed_total(0, 4096), 2499);
}

static void test_reclaim_stall_is_noticed(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w = ipsec_worker_create(ips, 0);
	const uint64_t second = 1000000000;

	CU_ASSERT_FALSE(reclaim_stalled(ips, 5 * second, second)); /* nothing waits */
	reclaim_later(ips, count_free, (void *)1);
	CU_ASSERT_FALSE(reclaim_stalled(ips, 100 * second, second)); /* the wait begins here */
	CU_ASSERT_FALSE(reclaim_stalled(ips, 101 * second, second));
	CU_ASSERT_TRUE(reclaim_stalled(ips, 102 * second, second));
	ipsec_worker_quiescent(w);
	CU_ASSERT_FALSE(reclaim_stalled(ips, 103 * second, second));
	/* progress starts the clock anew */
	reclaim_later(ips, count_free, (void *)2);
	CU_ASSERT_FALSE(reclaim_stalled(ips, 104 * second, second));
	ipsec_worker_free(w);
	ipsec_free(ips);
}

/* ---- threads ---- */

#define THREADS 3

static struct {
	struct ipsec *ips;
	struct ipsec_worker *w[THREADS];
	_Atomic bool stop;
	_Atomic unsigned lookups, wrong;
} race;

static void *reader_run(void *arg)
{
	struct ipsec_worker *w = (struct ipsec_worker *)arg;
	uint8_t header[20] = { 0x45 };
	struct addr right;

	addr_parse(RIG_RIGHT4, &right);
	memcpy(header + 16, right.bytes, 4);
	rig_cpu_leave();
	const struct sad_question question = { .spi = RIG_SPI, .protocol = PROTOCOL_ESP, .ip = header };
	while (!atomic_load(&race.stop)) {
		const struct sa *sa = tunnel_lookup(race.ips, 0);
		const struct sa *in = sad_lookup(race.ips, &question);
		/* freed memory is zero: an SA that went away too early shows */
		if (sa && (sa_spi(sa) != RIG_SPI || sa_path(sa)->template_len != 20 || !sa_inner_mtu(sa)))
			atomic_fetch_add(&race.wrong, 1);
		if (in && sa_spi(in) != RIG_SPI)
			atomic_fetch_add(&race.wrong, 1);
		atomic_fetch_add(&race.lookups, 1);
		ipsec_worker_quiescent(w);
	}
	return NULL;
}

static struct sa *inbound(struct ipsec *ips)
{
	const struct rig_options o = { 0 };

	return rig_sa(ips, &o, SA_IN);
}

/* One life of everything that can be published. */
static void churn(void)
{
	struct sa *out = outbound(race.ips), *in = inbound(race.ips);
	struct path_spec spec = sa_path(out)->spec;

	CU_ASSERT_EQUAL(tunnel_publish(race.ips, 0, out), 0);
	CU_ASSERT_EQUAL(sad_insert(race.ips, in), 0);
	sa_path_publish(race.ips, out, path_create(&spec, 1500, 1, 2));
	sad_retire(race.ips, in);
	/* the same foreign SPI comes again at once */
	reclaim_poll(race.ips);
}

static void test_reclaim_under_running_readers(void)
{
	pthread_t threads[THREADS];
	unsigned polls = 0;

	race.ips = rig_ipsec(THREADS, 256, 1);
	atomic_store(&race.stop, false);
	for (uint16_t i = 0; i < THREADS; i++) {
		race.w[i] = ipsec_worker_create(race.ips, i);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, reader_run, race.w[i]), 0);
	}
	for (int i = 0; i < 3000; i++)
		churn();
	while (atomic_load(&race.lookups) < 1000)
		rte_pause();
	atomic_store(&race.stop, true);
	for (uint16_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ipsec_worker_free(race.w[i]);
	}
	CU_ASSERT_EQUAL(race.wrong, 0);
	while (reclaim_poll(race.ips))
		polls++;
	CU_ASSERT(polls < 10);
	ipsec_free(race.ips);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_tunnel_publish_and_retire),
		TEST(test_tunnel_spi_filter_knows_outbound_sas),
		TEST(test_tunnel_slot_out_of_range),
		TEST(test_tunnel_slot_is_shared_by_pieces_of_its_policy),
		TEST(test_tunnel_selectors_have_a_number_in_their_slot),
		TEST(test_tunnel_no_number_comes_twice),
		TEST(test_tunnel_same_sa_again_is_kept),
		TEST(test_tunnel_path_swap_keeps_the_old_for_a_grace),
		TEST(test_reclaim_waits_for_every_online_worker),
		TEST(test_reclaim_of_many_neither_frees_early_nor_loses),
		TEST(test_reclaim_from_within),
		TEST(test_reclaim_end_frees_all),
		TEST(test_reclaim_stall_is_noticed),
		TEST(test_reclaim_under_running_readers),
	};

	rig_eal();
	return test_main("ipsec_tunnel", tests, ARRAY_LEN(tests), argc, argv);
}
