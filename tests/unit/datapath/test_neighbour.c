/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours of IPv6: static and pinned ones, and the table under churn of both families. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0xaa };

static struct addr address(const char *text)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, &a), 0);
	return a;
}

static void neighbours_open(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
}

static void test_neighbour_static_ipv6_is_sent_to(void)
{
	const struct probe p = { .src = WAN_PEER6, .dst = "2001:db8:1::50" };
	struct addr a = address("2001:db8:1::50");

	neighbours_open();
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &a, mac), 0);
	rig_send(WAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), rig.dp->ports[LAN].mac, 6), 0);
	CU_ASSERT_EQUAL(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)), RTE_ETHER_TYPE_IPV6);
	rte_pktmbuf_free(m);
	rig_close();
}

/* A route's next hop is asked for at once, and shown. */
static void test_neighbour_pinned_ipv6_is_asked_for(void)
{
	const struct probe p = { .src = LAN_HOST6, .dst = FAR_HOST6 };
	struct addr a = address("2001:db8:f::77");
	struct datapath_neighbour n;

	neighbours_open();
	struct datapath_route route = { .via = a };
	struct selector any;
	const char *reason;
	CU_ASSERT_EQUAL_FATAL(selector_parse("::/0", &any), 0);
	struct spd_rule all = { .action = SPD_BYPASS,
		.local = { .count = 1, .items = { any } },
		.remote = { .count = 1, .items = { any } } };
	const struct datapath_snapshot s = { &all, 1, &route, 1 };
	prefix_parse("2001:db8:2::/48", &route.prefix);
	CU_ASSERT_EQUAL_FATAL(datapath_publish(rig.dp, &s, &reason), 0);
	rig_poll();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	struct addr far = address(FAR_HOST6);
	CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &far, &n), 0);
	CU_ASSERT(addr_equal(&n.addr, &a) && n.state == NEIGHBOUR_INCOMPLETE && n.port == WAN);
	/* once it is known, the route's index leads there */
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, WAN, &a, mac), 0);
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	rig_close();
}

static void test_neighbour_ipv6_outside_of_subnets_is_refused(void)
{
	struct addr outside = address("2001:db8:99::1"), own = address(LAN_OWN6), none = { .family = ADDR_NONE };

	neighbours_open();
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &outside, mac), -EINVAL);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &own, mac), -EINVAL);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &none, mac), -EINVAL);
	rig_close();
}

/* IPv4 and IPv6 entries whose addresses have the same bytes in the key's place. */
static struct addr churned(uint32_t i)
{
	struct addr a = addr_from_ipv4(0x0a040000 + i / 2);

	if (i % 2) {
		a.family = ADDR_IPV6;
		a.bytes[12] = (uint8_t)(i >> 8);
		a.bytes[15] = (uint8_t)i;
	}
	return a;
}

static void test_neighbour_hash_survives_churn_of_both_families(void)
{
	static uint32_t index[512];
	struct neighbour_table *t;
	uint32_t state = 1, wrong = 0;

	neighbours_open();
	t = rig.dp->neighbours;
	for (unsigned i = 0; i < 512; i++)
		index[i] = NEIGHBOUR_NONE;
	for (int step = 0; step < 50000; step++) {
		state = state * 1664525 + 1013904223;
		uint32_t i = state >> 23;
		struct addr a = churned(i);
		wrong += neighbour_find(t, WAN, &a) != index[i];
		wrong += neighbour_find(t, LAN, &a) != NEIGHBOUR_NONE;
		if (index[i] == NEIGHBOUR_NONE) {
			index[i] = neighbour_ensure(t, WAN, &a);
		} else {
			neighbour_remove(t, index[i]);
			index[i] = NEIGHBOUR_NONE;
			reclaim_poll(rig.ips);
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close();
}

/* Two addresses with one fingerprint: each finds its own entry. */
static void test_neighbour_fingerprints_that_collide(void)
{
	struct addr a = address("2001:db8:f::1:1"), b = address("2001:db8:f::1:2");
	struct neighbour_table *t;

	neighbours_open();
	t = rig.dp->neighbours;
	uint32_t first = neighbour_ensure(t, WAN, &a);
	/* as if the second had the first's fingerprint: the slot is found, the address says no */
	uint64_t key = neighbour6_slot_key(t, WAN, a.bytes);
	CU_ASSERT_EQUAL(neighbour_slot_lookup(t, key, a.bytes), first);
	CU_ASSERT_EQUAL(neighbour_slot_lookup(t, key, b.bytes), NEIGHBOUR_NONE);
	rig_close();
}

/* ---- next hops come and go ---- */

static struct addr hop_of(uint32_t n)
{
	struct addr a = address("2001:db8:f::");

	store_be32(a.bytes + 12, 0x1000 + n);
	return a;
}

/* A configuration with one route, through this router. */
static int through(uint32_t n, struct datapath_prepared **ret_prepared)
{
	struct datapath_route route = { .via = hop_of(n) };
	const struct datapath_snapshot s = { .routes = &route, .route_count = 1 };
	const char *reason;

	prefix_parse("2001:db8:2::/48", &route.prefix);
	if (!ret_prepared)
		return datapath_publish(rig.dp, &s, &reason);
	*ret_prepared = datapath_prepare(rig.dp, &s, &reason);
	return *ret_prepared ? 0 : -1;
}

static void tick(uint64_t ns)
{
	reclaim_poll(rig.ips);
	rig.now_ns += ns;
	rig_poll();
	rig_sent(WAN);
}

/* As if it had answered. */
static void answer(uint32_t n)
{
	struct addr a = hop_of(n);
	uint32_t index = neighbour_find(rig.dp->neighbours, WAN, &a);

	CU_ASSERT_NOT_EQUAL_FATAL(index, NEIGHBOUR_NONE);
	resolve_answered(rig.dp, index, mac, rig.now_ns);
}

static void test_neighbour_reloads_do_not_fill_the_table(void)
{
	struct neighbour_table *t;
	struct datapath_prepared *p;
	unsigned failed = 0;

	rig_open(1);
	t = rig.dp->neighbours;
	for (uint32_t n = 0; n < 5000; n++) {
		failed += through(n, NULL) != 0;
		if (n & 1)
			answer(n);
		failed += through(100000 + n, &p) != 0;
		datapath_prepared_free(p);
		tick(SECOND_NS / 100);
		CU_ASSERT_FATAL(t->entry_count < NEIGHBOURS_MAX);
	}
	CU_ASSERT_EQUAL(failed, 0);
	CU_ASSERT_EQUAL(t->pin_total, 1);
	/* those that had answered are remembered for a while, as others are */
	for (int i = 0; i < 200; i++)
		tick(10 * SECOND_NS);
	CU_ASSERT_EQUAL(t->entry_count, RIG_NEIGHBOURS + 1);
	CU_ASSERT_EQUAL(t->unproven_count, 0);
	rig_close();
}

/* 5,000 checks in a row, and control comes to nothing else in between. Nobody is asked because of a check. */
static void test_neighbour_reload_checks_leave_nothing_behind(void)
{
	struct neighbour_table *t;
	struct datapath_prepared *p;
	unsigned failed = 0;

	rig_open(1);
	t = rig.dp->neighbours;
	rig_poll();
	rig_sent(WAN);
	for (uint32_t n = 0; n < 5000; n++) {
		failed += through(n, &p) != 0;
		datapath_prepared_free(p);
		if (n % 16 == 15)
			reclaim_poll(rig.ips);
	}
	CU_ASSERT_EQUAL(failed, 0);
	CU_ASSERT_EQUAL(t->entry_count, RIG_NEIGHBOURS);
	rig_poll();
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	rig_close();
}

/* Routes may go while an SA's path goes on; several routes through one router are one pin. */
static void test_neighbour_path_outlives_its_route(void)
{
	struct datapath_route routes[2] = { { .via = hop_of(1) }, { .via = hop_of(1) } };
	const struct datapath_snapshot s = { .routes = routes, .route_count = 2 };
	struct path_spec spec = { .local.addr = address(WAN_OWN6), .remote.addr = address(FAR_HOST6) };
	struct path *path;
	const char *reason;
	struct addr hop = hop_of(1);

	rig_open(1);
	prefix_parse("2001:db8:2::/48", &routes[0].prefix);
	prefix_parse("2001:db8:3::/48", &routes[1].prefix);
	CU_ASSERT_EQUAL(datapath_publish(rig.dp, &s, &reason), 0);
	tick(0);
	CU_ASSERT_EQUAL(rig.dp->neighbours->pin_total, 1);
	answer(1);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &path), 0);
	CU_ASSERT_EQUAL(rig.dp->neighbours->pin_total, 2);
	RIG_POLICY("bypass ::/0 ::/0");
	for (int i = 0; i < 100; i++)
		tick(10 * SECOND_NS);
	CU_ASSERT_EQUAL(neighbour_find(rig.dp->neighbours, WAN, &hop), path->neighbour);
	path_free(path);
	for (int i = 0; i < 100; i++)
		tick(10 * SECOND_NS);
	CU_ASSERT_EQUAL(neighbour_find(rig.dp->neighbours, WAN, &hop), NEIGHBOUR_NONE);
	rig_close();
}

/* A packet waits in a ring while its route goes and the index becomes somebody else's: it is not sent there. */
static void test_neighbour_index_of_another_turn_is_not_meant(void)
{
	const struct probe p = { .src = LAN_HOST6, .dst = FAR_HOST6 };
	struct neighbour_table *t;
	uint32_t index;
	struct addr a = hop_of(1), b = hop_of(2);

	rig_open(1);
	t = rig.dp->neighbours;
	index = resolve_pin(rig.dp, WAN, &a);
	for (int i = 0; i < 2; i++) {
		struct rte_mbuf *m = rig_packet(&p);
		m->port = LAN;
		*packet_note(m) = (struct note){ .stage = STAGE_EGRESS,
			.origin = ORIGIN_CONTROL,
			.port = WAN,
			.neighbour = index,
			.turn = neighbour_turn(t, index) };
		neighbour_unpin(t, index);
		reclaim_poll(rig.ips);
		CU_ASSERT_EQUAL(neighbour_find(t, WAN, &a), NEIGHBOUR_NONE);
		CU_ASSERT_EQUAL(resolve_pin(rig.dp, WAN, &b), index);
		neighbour_confirm(t, index, mac, NEIGHBOUR_REACHABLE, rig.now_ns);
		if (i)
			resolve_hold(rig.dp, m, rig.now_ns);
		else
			inject_push(rig.dp, 0, m);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(WAN), 0);
		/* for the next round, it is the first one's again */
		neighbour_forget_mac(t, index);
		neighbour_unpin(t, index);
		reclaim_poll(rig.ips);
		CU_ASSERT_EQUAL(resolve_pin(rig.dp, WAN, &a), index);
	}
	/* by the worker, and by control */
	CU_ASSERT_EQUAL(rig_drops(DROP_NEIGHBOUR), 2);
	CU_ASSERT_EQUAL(rig.dp->drops[DROP_NEIGHBOUR], 1);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_neighbour_static_ipv6_is_sent_to),
		TEST(test_neighbour_pinned_ipv6_is_asked_for),
		TEST(test_neighbour_reloads_do_not_fill_the_table),
		TEST(test_neighbour_reload_checks_leave_nothing_behind),
		TEST(test_neighbour_path_outlives_its_route),
		TEST(test_neighbour_index_of_another_turn_is_not_meant),
		TEST(test_neighbour_ipv6_outside_of_subnets_is_refused),
		TEST(test_neighbour_hash_survives_churn_of_both_families),
		TEST(test_neighbour_fingerprints_that_collide),
	};

	rig_eal();
	return test_main("datapath_neighbour", tests, ARRAY_LEN(tests), argc, argv);
}
