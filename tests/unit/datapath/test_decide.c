/* SPDX-License-Identifier: BSD-3-Clause */
/* Decisions: the cache answers as policy and routes do, whatever was asked before; what changes is decided anew. */
#include "harness.h"
#include "rig.h"

#include <stdlib.h>

#include "decide_priv.h"
#include "fake_ipsec.h"

static struct decision decide(const struct probe *p, uint16_t port, enum origin origin)
{
	struct worker *w = rig.dp->workers[0];
	struct rte_mbuf *m = rig_packet(p);
	struct deciding d;

	m->port = port;
	w->snapshot = rig.dp->snapshot;
	w->epoch = w->snapshot->epoch;
	decide_burst(w, &m, 1, origin, &d);
	rte_pktmbuf_free(m);
	return d.decisions[0];
}

static bool same(const struct decision *a, const struct decision *b)
{
	return a->kind == b->kind && a->reason == b->reason && a->route_kind == b->route_kind && a->port == b->port &&
	       a->slot == b->slot && a->tunnel == b->tunnel;
}

static const char *const rules[] = {
	"discard 10.1.0.0/26 10.2.0.0/26",
	"protect 3 10.1.0.0/24 10.2.0.0/24",
	"protect 4 10.1.0.0/16 10.3.0.0/16",
	"bypass 10.1.0.0/24 192.0.2.0/24",
	"protect 5 192.0.2.0/24 192.0.2.0/25",
	"protect 3 2001:db8:1::/64 2001:db8:2::/64",
	"bypass 2001:db8::/32 2001:db8:f::/64",
};

static const char *const hosts4[] = { "10.1.0.2", "10.1.0.70", "10.1.9.9", "10.2.0.2", "10.2.0.99", "10.3.1.1",
	"192.0.2.2", "192.0.2.200", "198.51.100.1", "10.1.0.255" };
static const char *const hosts6[] = { "2001:db8:1::2", "2001:db8:2::2", "2001:db8:f::2", "2001:db8:1::9", "2a00::1" };

static void random_probe(struct probe *p)
{
	const bool six = rand() % 3 == 0;
	const char *const *hosts = six ? hosts6 : hosts4;
	size_t count = six ? ARRAY_LEN(hosts6) : ARRAY_LEN(hosts4);

	*p = (struct probe){ .src = hosts[(size_t)rand() % count],
		.dst = hosts[(size_t)rand() % count],
		.sport = (uint16_t)(rand() % 3),
		.dport = (uint16_t)(rand() % 3) };
}

static const enum origin origins[] = { ORIGIN_CLEAR, ORIGIN_TUNNEL, ORIGIN_OWN_CLEAR, ORIGIN_OWN_TUNNEL };

static void test_decide_cache_answers_as_policy_does(void)
{
	struct flow_cache none = { .four = NULL };
	struct worker *w;
	struct probe p;

	rig_open(1);
	rig_policy(rules, ARRAY_LEN(rules));
	w = rig.dp->workers[0];
	srand(4301);
	for (int i = 0; i < 20000; i++) {
		enum origin origin = origins[rand() % 4];
		uint16_t port = (uint16_t)(rand() % 2);
		random_probe(&p);
		struct decision first = decide(&p, port, origin), second = decide(&p, port, origin), without;
		struct flow_cache flows = w->flows;
		w->flows = none;
		without = decide(&p, port, origin);
		w->flows = flows;
		CU_ASSERT(same(&first, &without));
		CU_ASSERT(same(&second, &without));
	}
	/* 30,000 of our own, 10,000 without a cache; of the rest each is asked about once, but for overlapping sides */
	CU_ASSERT(rig_counter(DP_C_FLOW_MISS) < 52000);
	w->snapshot = NULL;
	rig_close();
}

static uint64_t misses(const struct probe *p, uint16_t port, enum origin origin)
{
	uint64_t before = rig_counter(DP_C_FLOW_MISS);

	decide(p, port, origin);
	return rig_counter(DP_C_FLOW_MISS) - before;
}

static void test_decide_a_new_snapshot_forgets(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	CU_ASSERT_EQUAL(misses(&p, LAN, ORIGIN_CLEAR), 1);
	CU_ASSERT_EQUAL(misses(&p, LAN, ORIGIN_CLEAR), 0);
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_CLEAR).kind, DECISION_PROTECT);
	RIG_POLICY("discard 10.1.0.0/24 10.2.0.0/24");
	CU_ASSERT_EQUAL(misses(&p, LAN, ORIGIN_CLEAR), 1);
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_CLEAR).kind, DECISION_DROP);
	rig.dp->workers[0]->snapshot = NULL;
	rig_close();
}

/* The same flow from another port, or out of a tunnel, is another question. */
static void test_decide_where_it_came_from_counts(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct decision d;

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_CLEAR).kind, DECISION_PROTECT);
	d = decide(&p, WAN, ORIGIN_CLEAR);
	CU_ASSERT_EQUAL(d.kind, DECISION_DROP);
	CU_ASSERT_EQUAL(d.reason, DROP_MARTIAN);
	CU_ASSERT_EQUAL(decide(&p, WAN, ORIGIN_TUNNEL).kind, DECISION_PROTECT);
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_CLEAR).kind, DECISION_PROTECT);
	rig.dp->workers[0]->snapshot = NULL;
	rig_close();
}

/* A rule whose sides overlap: the answer changes with the SA's path, so it is not remembered. */
static void test_decide_overlapping_sides_are_asked_each_time(void)
{
	const struct probe p = { .src = WAN_PEER, .dst = "192.0.2.3" };

	rig_open(1);
	RIG_POLICY("protect 3 192.0.2.0/24 192.0.2.0/24");
	CU_ASSERT_EQUAL(misses(&p, WAN, ORIGIN_CLEAR), 1);
	CU_ASSERT_EQUAL(misses(&p, WAN, ORIGIN_CLEAR), 1);
	rig.dp->workers[0]->snapshot = NULL;
	rig_close();
}

static void test_decide_own_answers_are_not_remembered(void)
{
	const struct probe p = { .src = LAN_OWN, .dst = LAN_HOST, .protocol = IPPROTO_ICMP };

	rig_open(1);
	CU_ASSERT_EQUAL(misses(&p, LAN, ORIGIN_OWN_CLEAR), 1);
	CU_ASSERT_EQUAL(misses(&p, LAN, ORIGIN_OWN_CLEAR), 1);
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_OWN_CLEAR).kind, DECISION_FORWARD);
	rig.dp->workers[0]->snapshot = NULL;
	rig_close();
}

/* RFC 1812 5.3.8: what says that it comes from us does not, whatever rule would let it by. */
static void test_decide_nobody_speaks_in_our_name(void)
{
	const struct probe p = { .src = WAN_OWN, .dst = WAN_PEER, .sport = 500, .dport = 500 };
	const struct probe p6 = { .src = WAN_OWN6, .dst = WAN_PEER6 };

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0", "bypass ::/0 ::/0");
	for (int i = 0; i < 2; i++) {
		CU_ASSERT(dropped_as(LAN, &p, DROP_MARTIAN));
		CU_ASSERT(dropped_as(LAN, &p6, DROP_MARTIAN));
	}
	rig_close();
}

/* Two tunnels whose packets are reported in the same cell of memory, in turn: control hears of them within a limit. */
static void test_decide_packets_without_an_sa_are_reported_within_a_limit(void)
{
	const struct probe one = { .src = LAN_HOST, .dst = FAR_HOST }, two = { .src = LAN_HOST, .dst = "10.3.0.2" };

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24", "protect 259 10.1.0.0/24 10.3.0.0/24");
	static_assert(256 % NO_SA_MEMORY == 0, "both in one cell");
	uint64_t begin = rte_rdtsc();
	for (int i = 0; i < 100; i++) {
		CU_ASSERT(dropped_as(LAN, &one, DROP_NO_SA));
		CU_ASSERT(dropped_as(LAN, &two, DROP_NO_SA));
	}
	uint64_t loops_ms = (rte_rdtsc() - begin) * 1000 / rte_get_tsc_hz();
	rig_poll();
	/* a burst of 64, and one for each millisecond since */
	CU_ASSERT(rig.event_count >= 2 && rig.event_count <= 65 + loops_ms);
	rig_close();
}

static struct sa tunnel_sa, child_sa;

/* A child that came does not change what was decided about others; one that goes is looked for once more. */
static void test_decide_children_come_and_go(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct path_spec spec = { 0 };

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	tunnel_sa = (struct sa){ .spi = 0x1003, .inner_mtu = 1400 };
	child_sa = (struct sa){ .spi = 0x1005, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &tunnel_sa.path), 0);
	child_sa.path = tunnel_sa.path;
	fake.child = 5;
	fake.child_of = 3;
	fake.child_addr_be = ip4(FAR_HOST);
	fake.tunnels[3] = &tunnel_sa;
	fake.tunnels[5] = &child_sa;
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_CLEAR).slot, 5);
	CU_ASSERT_EQUAL(decide(&p, LAN, ORIGIN_CLEAR).tunnel, 3);
	rig.dp->workers[0]->snapshot = NULL;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(child_sa.packets, 1);
	/* gone: what was remembered leads nowhere, the tunnel's own SA is found */
	fake.child = 0;
	fake.tunnels[5] = NULL;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(tunnel_sa.packets, 1);
	/* another one took the slot: the packet does not fit it */
	fake.tunnels[5] = &child_sa;
	child_sa.outside = true;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(tunnel_sa.packets, 2);
	CU_ASSERT_EQUAL(child_sa.packets, 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 3);
	path_free(tunnel_sa.path);
	rig_close();
}

/* Flows that found neither an SA of the tunnel nor of a child remember that only until a child has one. */
static void test_decide_child_of_a_tunnel_without_an_sa(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct path_spec spec = { 0 };

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	child_sa = (struct sa){ .spi = 0x1005, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &child_sa.path), 0);
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_SA), 1);
	fake.child = 5;
	fake.child_of = 3;
	fake.child_addr_be = ip4(FAR_HOST);
	fake.tunnels[5] = &child_sa;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(child_sa.packets, 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	path_free(child_sa.path);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_decide_cache_answers_as_policy_does),
		TEST(test_decide_a_new_snapshot_forgets),
		TEST(test_decide_where_it_came_from_counts),
		TEST(test_decide_overlapping_sides_are_asked_each_time),
		TEST(test_decide_own_answers_are_not_remembered),
		TEST(test_decide_nobody_speaks_in_our_name),
		TEST(test_decide_packets_without_an_sa_are_reported_within_a_limit),
		TEST(test_decide_children_come_and_go),
		TEST(test_decide_child_of_a_tunnel_without_an_sa),
	};

	rig_eal();
	return test_main("datapath_decide", tests, ARRAY_LEN(tests), argc, argv);
}
