/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that wait for the SA they ask for: sent when it comes, in order and few; else they end as they always did. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"
#include "stages_priv.h"

#define AWAIT_FAR "await 3 10.1.0.0/24 10.2.0.0/24"

static struct sa out_sa;
static const struct probe to_far = { .src = LAN_HOST, .dst = FAR_HOST, .sport = 1000, .dport = 7 };

static void await_open(void)
{
	struct path_spec spec = { 0 };

	rig_open(1);
	RIG_POLICY(AWAIT_FAR);
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
}

static void await_close(void)
{
	fake.tunnels[3] = NULL;
	path_free(out_sa.path);
	rig_close();
}

static void send_far(int n)
{
	for (int i = 0; i < n; i++) {
		const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = (uint16_t)(100 + i) };
		rig_send(LAN, &p);
	}
	rig_step();
}

/* As if the time until the next look were over, and that of all that wait, too. */
static void time_passes(bool all)
{
	struct awaiting *a = &rig.dp->workers[0]->awaiting;

	a->looked_cycles = 0;
	for (uint32_t i = 0; all && i < a->count; i++)
		a->items[i].until_cycles = 0;
	rig_step();
}

static void test_await_the_first_packets_are_sent_when_the_sa_comes(void)
{
	await_open();
	send_far(3);
	rig_poll();
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_NO_SA);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_SA), 0);
	time_passes(false);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT), 3);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	fake.tunnels[3] = &out_sa;
	time_passes(false);
	for (int i = 0; i < 3; i++) {
		struct rte_mbuf *m = rig_receive(WAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		const struct rte_ipv4_hdr *inner = (void *)((uint8_t *)frame_ip(m) + 28);
		CU_ASSERT_EQUAL(rte_be_to_cpu_16(inner->total_length), 100 + i);
		CU_ASSERT_EQUAL(inner->time_to_live, 63);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT_TIMEOUT), 0);
	await_close();
}

static void test_await_more_than_a_few_are_dropped(void)
{
	await_open();
	send_far(AWAITING_TUNNEL_MAX + 5);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_SA), 5);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT), AWAITING_TUNNEL_MAX);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT_FULL), 5);
	fake.tunnels[3] = &out_sa;
	time_passes(false);
	CU_ASSERT_EQUAL(rig_sent(WAN), AWAITING_TUNNEL_MAX);
	/* and there is room again */
	fake.tunnels[3] = NULL;
	send_far(1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT), AWAITING_TUNNEL_MAX + 1);
	time_passes(true);
	await_close();
}

/* One report a second and tunnel: who came too early for it is told of later, since it may need another SA. */
static void test_await_each_that_waits_is_reported_once(void)
{
	struct worker *w;

	await_open();
	w = rig.dp->workers[0];
	send_far(2);
	time_passes(false);
	rig_poll();
	CU_ASSERT_EQUAL(rig.event_count, 1);
	for (int second = 0; second < 3; second++) {
		w->no_sa[3 % NO_SA_MEMORY].cycles = 0;
		time_passes(false);
		rig_poll();
	}
	CU_ASSERT_EQUAL(rig.event_count, 2);
	time_passes(true);
	await_close();
}

static void test_await_in_vain_ends_as_no_sa(void)
{
	await_open();
	send_far(2);
	time_passes(true);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_SA), 2);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT_TIMEOUT), 2);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->awaiting.count, 0);
	CU_ASSERT_EQUAL(datapath_mbufs_free(rig.dp), rig.mbufs);
	await_close();
}

static void test_await_not_for_who_waits_for_the_peer(void)
{
	await_open();
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_NO_SA));
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT), 0);
	await_close();
}

static void test_await_another_sa_when_that_there_does_not_fit(void)
{
	struct sa narrow = { .owner = WORKER_NONE, .outside = true };

	await_open();
	narrow.path = out_sa.path;
	fake.tunnels[3] = &narrow;
	send_far(AWAITING_TUNNEL_MAX + 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT), AWAITING_TUNNEL_MAX);
	CU_ASSERT_EQUAL(rig_drops(DROP_SELECTOR_OUT), 1);
	CU_ASSERT_EQUAL(narrow.drops[DROP_SELECTOR_OUT], 1);
	narrow.behind = &out_sa;
	time_passes(false);
	CU_ASSERT_EQUAL(rig_sent(WAN), AWAITING_TUNNEL_MAX);
	await_close();
}

static void test_await_in_vain_counts_at_the_sa_that_does_not_fit(void)
{
	struct sa narrow = { .owner = WORKER_NONE, .outside = true };

	await_open();
	narrow.path = out_sa.path;
	fake.tunnels[3] = &narrow;
	send_far(2);
	CU_ASSERT_EQUAL(narrow.drops[DROP_SELECTOR_OUT], 0);
	time_passes(true);
	CU_ASSERT_EQUAL(rig_drops(DROP_SELECTOR_OUT), 2);
	CU_ASSERT_EQUAL(narrow.drops[DROP_SELECTOR_OUT], 2);
	await_close();
}

static void test_await_is_bounded_over_all_tunnels(void)
{
	struct worker *w;
	struct flow flow = { 0 };
	const struct await_note note = { .reason = DROP_NO_SA };
	uint32_t taken = 0;

	await_open();
	RIG_POLICY("await 255 10.1.0.0/24 10.2.0.0/24");
	w = rig.dp->workers[0];
	w->snapshot = atomic_load(&rig.dp->snapshot);
	memset(w->snapshot->policies->awaits, 0xff, 256 / 8);
	for (uint32_t tunnel = 0; tunnel < 200; tunnel++) {
		struct rte_mbuf *m = rig_packet(&to_far);
		if (await_push(w, m, &flow, tunnel, &note))
			taken++;
		else
			rte_pktmbuf_free(m);
	}
	w->snapshot = NULL;
	CU_ASSERT_EQUAL(taken, AWAITING_MAX);
	CU_ASSERT_EQUAL(rig_counter(DP_C_AWAIT_FULL), 200 - AWAITING_MAX);
	await_flush(w);
	CU_ASSERT_EQUAL(datapath_mbufs_free(rig.dp), rig.mbufs);
	await_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_await_the_first_packets_are_sent_when_the_sa_comes),
		TEST(test_await_more_than_a_few_are_dropped),
		TEST(test_await_each_that_waits_is_reported_once),
		TEST(test_await_in_vain_ends_as_no_sa),
		TEST(test_await_not_for_who_waits_for_the_peer),
		TEST(test_await_another_sa_when_that_there_does_not_fit),
		TEST(test_await_in_vain_counts_at_the_sa_that_does_not_fit),
		TEST(test_await_is_bounded_over_all_tunnels),
	};

	rig_eal();
	return test_main("datapath_await", tests, ARRAY_LEN(tests), argc, argv);
}
