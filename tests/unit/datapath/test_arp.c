/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbours: resolution, answers, held packets, retries, ageing, whom to believe, and the table's limits. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xaa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xbb };
static const struct probe to_new_host = { .src = WAN_PEER, .dst = "10.1.0.50" };

/* An ARP frame as a host of the link sends it. */
static void arp_frame_on(
	uint16_t port, uint16_t operation, const uint8_t mac[6], const char *sender, const char *target)
{
	uint8_t f[60] = { 0 };
	uint32_t sender_be = ip4(sender), target_be = ip4(target);

	memcpy(f, rig.dp->ports[port].mac, 6);
	memcpy(f + 6, mac, 6);
	memcpy(f + 12, "\x08\x06\0\1\x08\0\6\4", 8);
	store_be16(f + 20, operation);
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, &sender_be, 4);
	memcpy(f + 38, &target_be, 4);
	rig_send_frame(port, f, sizeof(f));
	rig_step();
	rig_poll();
}

static void arp_frame(uint16_t operation, const uint8_t mac[6], const char *sender, const char *target)
{
	arp_frame_on(LAN, operation, mac, sender, target);
}

static int state_of(const char *address)
{
	uint32_t index = neighbour_lookup(rig.dp->neighbours, LAN, ip4(address));

	return index == NEIGHBOUR_NONE ? -1 : rig.dp->neighbours->entries[index].state;
}

/* The next frame of the LAN port is an ARP request for this address. */
static bool asked_for(const char *address, bool unicast)
{
	struct rte_mbuf *m = rig_receive(LAN);
	uint32_t want = ip4(address);
	const uint8_t *f;
	bool right;

	if (!m)
		return false;
	f = rte_pktmbuf_mtod(m, const uint8_t *);
	right = m->pkt_len == 60 && load_be16(f + 12) == 0x0806 && load_be16(f + 20) == 1 &&
		!memcmp(f + 38, &want, 4) && (f[0] == 0xff) == !unicast;
	rte_pktmbuf_free(m);
	return right;
}

static void resolution_open(void)
{
	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
}

static uint32_t ensure(struct neighbour_table *t, uint16_t port, uint32_t addr_be)
{
	struct addr a = addr_from_ipv4(rte_be_to_cpu_32(addr_be));

	return neighbour_ensure(t, port, &a);
}

static uint32_t pin(const char *text)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse(text, &a), 0);
	return resolve_pin(rig.dp, LAN, &a);
}

static void after(uint64_t ns)
{
	rig.now_ns += ns;
	rig_poll();
}

static void test_arp_resolves_and_sends_what_waited(void)
{
	struct rte_mbuf *m;

	resolution_open();
	for (int i = 0; i < 3; i++)
		rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	CU_ASSERT(asked_for("10.1.0.50", false));
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
	for (int i = 0; i < 3; i++) {
		m = rig_receive(LAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), mac_a, 6), 0);
		rte_pktmbuf_free(m);
	}
	/* now without control */
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

/* Policy of when they leave, not of when they came (RFC 4301 5.1): nothing goes on in clear that is protected by now.
 */
static void test_arp_what_waited_meets_the_policy_of_now(void)
{
	static const struct {
		const char *rule;
		enum drop_reason reason;
		bool sa, clear;
	} cases[] = {
		{ "bypass 0.0.0.0/0 10.1.0.0/24", DROP_NONE, false, true },
		{ "discard 0.0.0.0/0 10.1.0.0/24", DROP_DISCARD, false, false },
		{ "bypass 10.9.0.0/24 10.1.0.0/24", DROP_NO_POLICY, false, false },
		{ "protect 3 192.0.2.0/24 10.1.0.0/24", DROP_NO_SA, false, false },
		{ "protect 3 192.0.2.0/24 10.1.0.0/24", DROP_NONE, true, false },
		{ "protect 3 10.1.0.0/24 192.0.2.0/24", DROP_INBOUND_CLEAR, true, false },
	};
	struct path_spec spec = { 0 };
	struct sa sa = { .spi = 0x1001, .inner_mtu = 1400 };
	struct rte_mbuf *m;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		resolution_open();
		addr_parse(WAN_OWN, &spec.local.addr);
		addr_parse(WAN_GW, &spec.remote.addr);
		CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &sa.path), 0);
		fake.tunnels[3] = cases[i].sa ? &sa : NULL;
		rig_send(WAN, &to_new_host);
		rig_step();
		rig_poll();
		CU_ASSERT(asked_for("10.1.0.50", false));
		RIG_POLICY(cases[i].rule);
		arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
		m = rig_receive(LAN);
		CU_ASSERT_EQUAL(m != NULL, cases[i].clear);
		CU_ASSERT(!m || (frame_ip(m)->time_to_live == 63 && ip_checksum_valid(frame_ip(m))));
		rte_pktmbuf_free(m);
		CU_ASSERT_EQUAL(rig_drops(cases[i].reason), cases[i].reason != DROP_NONE);
		CU_ASSERT_EQUAL(rig_sent(WAN), !cases[i].reason && !cases[i].clear);
		CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), !cases[i].reason && !cases[i].clear);
		path_free(sa.path);
		rig_close();
	}
}

/* Alone it does not show the ports that a rule asks for by now. */
static void test_arp_fragment_that_waited_ends_where_ports_count(void)
{
	const struct probe later = { .src = WAN_PEER, .dst = "10.1.0.50", .fragment = 8 };

	for (int ports = 0; ports < 2; ports++) {
		resolution_open();
		rig_send(WAN, &later);
		rig_step();
		rig_poll();
		CU_ASSERT(asked_for("10.1.0.50", false));
		RIG_POLICY(ports ? "discard 0.0.0.0/0 10.1.0.0/24[udp/53]" : "bypass 192.0.2.0/24 10.1.0.0/24",
			"bypass 0.0.0.0/0 10.1.0.0/24");
		arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
		CU_ASSERT_EQUAL(rig_sent(LAN), !ports);
		CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT), (unsigned)ports);
		rig_close();
	}
}

/* A rule that matches both ways does not claim back what came out of its own tunnel, also after it waited. */
static void test_arp_tunnelled_packet_that_waited_meets_the_policy_of_now(void)
{
	static const struct {
		const char *rule;
		enum drop_reason reason;
	} cases[] = {
		{ "bypass 10.9.0.0/24 10.9.0.0/24", DROP_NONE },
		{ "protect 3 0.0.0.0/0 0.0.0.0/0", DROP_NONE },
		{ "discard 0.0.0.0/0 10.1.0.0/24", DROP_DISCARD },
		{ "protect 4 10.2.0.0/24 10.1.0.0/24", DROP_NO_SA },
	};
	const struct probe inner = { .src = FAR_HOST, .dst = "10.1.0.50" };
	uint8_t payload[68] = { 0 };
	const struct probe outer = { .src = WAN_PEER,
		.dst = WAN_OWN,
		.protocol = IPPROTO_ESP,
		.payload = payload,
		.payload_bytes = sizeof(payload) };
	struct sa sa = { .spi = 0x1001, .tunnel_slot = 3, .inner_mtu = 1400 };
	struct path_spec spec = { 0 };

	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		resolution_open();
		RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
		CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &sa.path), 0);
		fake.inbound[0] = fake.tunnels[3] = &sa;
		struct rte_mbuf *m = rig_packet(&inner);
		store_be32(payload, sa.spi);
		memcpy(payload + 8, rte_pktmbuf_mtod(m, void *), 60);
		rte_pktmbuf_free(m);
		rig_send(WAN, &outer);
		rig_step();
		rig_poll();
		CU_ASSERT(asked_for("10.1.0.50", false));
		RIG_POLICY(cases[i].rule);
		arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
		CU_ASSERT_EQUAL(rig_sent(LAN), cases[i].reason == DROP_NONE);
		CU_ASSERT_EQUAL(rig_drops(cases[i].reason), cases[i].reason != DROP_NONE);
		CU_ASSERT_EQUAL(rig_sent(WAN), 0);
		path_free(sa.path);
		rig_close();
	}
}

/* The operator says by hand what nobody answered. */
static void test_arp_static_neighbour_releases_what_waited(void)
{
	struct addr a;

	resolution_open();
	rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	CU_ASSERT(asked_for("10.1.0.50", false));
	CU_ASSERT_EQUAL_FATAL(addr_parse("10.1.0.50", &a), 0);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &a, mac_a), 0);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

static void test_arp_retries_then_gives_up(void)
{
	resolution_open();
	rig_send(WAN, &to_new_host);
	rig_step();
	for (int i = 0; i < 3; i++) {
		rig_poll();
		CU_ASSERT(asked_for("10.1.0.50", false));
		CU_ASSERT_EQUAL(datapath_next_deadline(rig.dp), rig.now_ns + SECOND_NS);
		CU_ASSERT_EQUAL(rig_drops(DROP_NEIGHBOUR), 0);
		rig.now_ns += SECOND_NS;
	}
	rig_poll();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_NEIGHBOUR), 1);
	CU_ASSERT(is_refusal(WAN, 0x0301));
	CU_ASSERT_EQUAL(datapath_neighbours_read(rig.dp, NULL, 0), RIG_NEIGHBOURS);
	rig_close();
}

static void test_arp_hold_queue_is_bounded(void)
{
	resolution_open();
	for (int i = 0; i < NEIGHBOUR_HELD_MAX + 5; i++)
		rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig_drops(DROP_NEIGHBOUR), 5);
	CU_ASSERT_EQUAL(rig.dp->neighbours->held_total, NEIGHBOUR_HELD_MAX);
	rig_sent(LAN);
	arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
	CU_ASSERT_EQUAL(rig_sent(LAN), NEIGHBOUR_HELD_MAX);
	CU_ASSERT_EQUAL(rig.dp->neighbours->held_total, 0);
	rig_close();
}

static void test_arp_requests_for_us_are_answered(void)
{
	resolution_open();
	arp_frame(1, mac_a, "10.1.0.60", LAN_OWN);
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(memcmp(f, mac_a, 6), 0);
	CU_ASSERT_EQUAL(load_be16(f + 20), 2);
	CU_ASSERT_EQUAL(memcmp(f + 22, rig.dp->ports[LAN].mac, 6), 0);
	CU_ASSERT_EQUAL(load_be32(f + 28), 0x0a010001);
	CU_ASSERT_EQUAL(load_be32(f + 38), 0x0a01003c);
	rte_pktmbuf_free(m);
	/* others' addresses are others' business, also those of our other port */
	arp_frame(1, mac_a, "10.1.0.60", "10.1.0.61");
	arp_frame(1, mac_a, "10.1.0.60", WAN_OWN);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* RFC 1027: a peer that was lent an address of this subnet is reached through us. */
static void test_arp_answers_for_what_lies_behind_a_tunnel(void)
{
	resolution_open();
	CU_ASSERT_EQUAL(addr_parse("10.1.0.77", &rig.behind_tunnel), 0);
	arp_frame(1, mac_a, "10.1.0.60", "10.1.0.77");
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(load_be16(f + 20), 2);
	CU_ASSERT_EQUAL(memcmp(f + 22, rig.dp->ports[LAN].mac, 6), 0);
	CU_ASSERT_EQUAL(load_be32(f + 28), 0x0a01004d);
	CU_ASSERT_EQUAL(load_be32(f + 38), 0x0a01003c);
	rte_pktmbuf_free(m);
	arp_frame(1, mac_a, "10.1.0.60", "10.1.0.78");
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	/* not of this link: nobody here may ask for it */
	CU_ASSERT_EQUAL(addr_parse("10.9.0.77", &rig.behind_tunnel), 0);
	arp_frame(1, mac_a, "10.1.0.60", "10.9.0.77");
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

static void test_arp_believes_nobody_it_did_not_ask(void)
{
	resolution_open();
	size_t before = datapath_neighbours_read(rig.dp, NULL, 0);
	arp_frame(2, mac_a, "10.1.0.70", LAN_OWN);                                  /* an answer to no question */
	arp_frame(2, mac_a, "10.1.0.71", "10.1.0.71");                              /* gratuitous, unknown */
	arp_frame(1, mac_a, "172.16.0.1", LAN_OWN);                                 /* not of the subnet */
	arp_frame(1, mac_a, "10.1.0.255", LAN_OWN);                                 /* no host */
	arp_frame(1, mac_a, LAN_OWN, LAN_OWN);                                      /* claims to be us */
	arp_frame(1, (const uint8_t[6]){ 3, 0, 0, 0, 0, 1 }, "10.1.0.72", LAN_OWN); /* a group address */
	arp_frame(2, mac_a, LAN_HOST, LAN_OWN);                                     /* static */
	CU_ASSERT_EQUAL(datapath_neighbours_read(rig.dp, NULL, 0), before);
	uint32_t i = neighbour_lookup(rig.dp->neighbours, LAN, ip4(LAN_HOST));
	CU_ASSERT_EQUAL(rig.dp->neighbours->entries[i].state, NEIGHBOUR_STATIC);
	CU_ASSERT_NOT_EQUAL(memcmp(rig.dp->neighbours->entries[i].mac, mac_a, 6), 0);
	rig_sent(LAN);
	rig_close();
}

static void test_arp_known_neighbour_may_move(void)
{
	resolution_open();
	arp_frame(1, mac_a, "10.1.0.50", LAN_OWN);
	arp_frame(2, mac_b, "10.1.0.50", "10.1.0.50");
	rig_sent(LAN);
	rig_send(WAN, &to_new_host);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), mac_b, 6), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_arp_used_neighbour_is_asked_again_and_lost_when_silent(void)
{
	resolution_open();
	arp_frame(1, mac_a, "10.1.0.50", LAN_OWN);
	rig_sent(LAN);
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	after(61 * SECOND_NS);
	CU_ASSERT(asked_for("10.1.0.50", true));
	/* still used while asked */
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	after(SECOND_NS);
	after(SECOND_NS);
	CU_ASSERT(asked_for("10.1.0.50", true));
	CU_ASSERT(asked_for("10.1.0.50", true));
	after(SECOND_NS);
	CU_ASSERT(asked_for("10.1.0.50", false));
	/* its MAC is not used any more */
	rig_send(WAN, &to_new_host);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	for (int i = 0; i < 4; i++)
		after(SECOND_NS);
	CU_ASSERT_EQUAL(rig_drops(DROP_NEIGHBOUR), 1);
	CU_ASSERT(is_refusal(WAN, 0x0301));
	rig_sent(LAN);
	rig_close();
}

static void test_arp_unused_neighbour_is_forgotten(void)
{
	resolution_open();
	arp_frame(1, mac_a, "10.1.0.50", LAN_OWN);
	rig_sent(LAN);
	for (int i = 0; i < 11; i++)
		after(61 * SECOND_NS);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(neighbour_lookup(rig.dp->neighbours, LAN, ip4("10.1.0.50")), NEIGHBOUR_NONE);
	rig_close();
}

static void test_arp_static_and_pinned_neighbours_stay(void)
{
	struct addr outside, own;

	resolution_open();
	for (int i = 0; i < 20; i++)
		after(61 * SECOND_NS);
	CU_ASSERT_EQUAL(datapath_neighbours_read(rig.dp, NULL, 0), RIG_NEIGHBOURS);
	uint32_t pinned = pin("10.1.0.90");
	for (int i = 0; i < 20; i++)
		after(SECOND_NS);
	CU_ASSERT_EQUAL(neighbour_lookup(rig.dp->neighbours, LAN, ip4("10.1.0.90")), pinned);
	CU_ASSERT_EQUAL(rig_sent(LAN), 3);
	addr_parse("172.16.0.1", &outside);
	addr_parse(LAN_OWN, &own);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &outside, mac_a), -EINVAL);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &own, mac_a), -EINVAL);
	rig_close();
}

static void test_arp_next_hop_is_read_without_asking(void)
{
	struct datapath_neighbour n;
	struct addr a;

	resolution_open();
	addr_parse("10.1.0.77", &a);
	CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &a, &n), 0);
	CU_ASSERT_EQUAL(n.state, NEIGHBOUR_FREE);
	CU_ASSERT_EQUAL(n.port, LAN);
	CU_ASSERT_TRUE(addr_equal(&n.addr, &a));
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	pin("10.1.0.77");
	CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &a, &n), 0);
	CU_ASSERT_EQUAL(n.state, NEIGHBOUR_INCOMPLETE);
	addr_parse(LAN_OWN, &a);
	CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &a, &n), -EHOSTUNREACH);
	addr_parse("224.0.0.1", &a);
	CU_ASSERT_EQUAL(datapath_next_hop_read(rig.dp, &a, &n), -EHOSTUNREACH);
	rig_close();
}

/* The table fills, refuses, and gives indexes back only after the grace period. */
static void test_arp_table_full_and_reused_after_grace(void)
{
	struct neighbour_table *t;
	uint32_t first;

	resolution_open();
	t = rig.dp->neighbours;
	first = ensure(t, LAN, RTE_BE32(0x0a020001));
	while (t->free_count)
		ensure(t, LAN, rte_cpu_to_be_32(0x0a030000 + t->free_count));
	CU_ASSERT_EQUAL(t->entry_count, NEIGHBOURS_MAX);
	CU_ASSERT_EQUAL(ensure(t, LAN, RTE_BE32(0x0a020002)), NEIGHBOUR_NONE);
	for (uint32_t n = NEIGHBOURS_MAX - RIG_NEIGHBOURS - 1; n > 0; n--)
		CU_ASSERT_NOT_EQUAL(neighbour_lookup(t, LAN, rte_cpu_to_be_32(0x0a030000 + n)), NEIGHBOUR_NONE);
	fake.hold_reclaim = true;
	neighbour_remove(t, first);
	reclaim_poll(rig.ips);
	CU_ASSERT_EQUAL(neighbour_lookup(t, LAN, RTE_BE32(0x0a020001)), NEIGHBOUR_NONE);
	CU_ASSERT_EQUAL(ensure(t, LAN, RTE_BE32(0x0a020002)), NEIGHBOUR_NONE);
	fake.hold_reclaim = false;
	reclaim_poll(rig.ips);
	CU_ASSERT_EQUAL(ensure(t, LAN, RTE_BE32(0x0a020002)), first);
	rig_close();
}

/* Nobody of a flood of requests stays; who answered does. */
static void test_arp_flood_leaves_neighbours_alone(void)
{
	struct neighbour_table *t;
	char source[ADDR_TEXT_MAX];

	resolution_open();
	/* a subnet with room for a flood */
	prefix_parse("10.1.0.1/16", &rig.dp->ports[LAN].prefix);
	t = rig.dp->neighbours;
	rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
	/* a flood of many seconds, in fewer */
	rig.dp->cycles_per_s /= 1000;
	for (unsigned i = 0; i < 10000; i++) {
		rig_sent(LAN);
		reclaim_poll(rig.ips);
		snprintf(source, sizeof(source), "10.1.%u.%u", 1 + i / 250, 1 + i % 250);
		arp_frame(1, mac_b, source, LAN_OWN);
	}
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	CU_ASSERT(t->unproven_count <= NEIGHBOURS_UNPROVEN_MAX && t->unproven_count > 0);
	CU_ASSERT_EQUAL(t->entry_count, t->unproven_count + RIG_NEIGHBOURS + 1);
	rig_send(WAN, &to_new_host);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), mac_a, 6), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

/* More questions than the port may bring, from as many senders. */
static void flood(uint16_t port, const char *target)
{
	uint64_t limited = rig_drops(DROP_RATE_LIMIT);
	char source[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < 100000 && rig_drops(DROP_RATE_LIMIT) < limited + 200; i++) {
		snprintf(source, sizeof(source), "10.1.%u.%u", 1 + i / 250 % 250, 1 + i % 250);
		arp_frame_on(port, 1, mac_b, source, target);
		rig_sent(port);
		reclaim_poll(rig.ips);
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) >= limited + 200);
}

/* The next frame of the LAN port is our answer to this MAC. */
static bool answered(const uint8_t mac[6])
{
	struct rte_mbuf *m = rig_receive(LAN);
	const uint8_t *f = m ? rte_pktmbuf_mtod(m, const uint8_t *) : NULL;
	bool right = f && load_be16(f + 12) == 0x0806 && load_be16(f + 20) == 2 && !memcmp(f, mac, 6);

	rte_pktmbuf_free(m);
	return right;
}

/* The proof of a neighbour runs out while its link is flooded: it is asked, and its answer heard. */
static void test_arp_flood_does_not_drown_answers(void)
{
	resolution_open();
	prefix_parse("10.1.0.1/16", &rig.dp->ports[LAN].prefix);
	rig_send(WAN, &to_new_host);
	rig_step();
	rig_poll();
	arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
	for (int turn = 0; turn < 5; turn++) {
		flood(LAN, LAN_OWN);
		rig_send(WAN, &to_new_host);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(LAN), 1);
		after(rig.dp->neighbour_timers.reachable_ms * 1000000ull);
		CU_ASSERT(asked_for("10.1.0.50", true));
		CU_ASSERT_EQUAL(state_of("10.1.0.50"), NEIGHBOUR_PROBE);
		arp_frame(2, mac_a, "10.1.0.50", LAN_OWN);
		CU_ASSERT_EQUAL(state_of("10.1.0.50"), NEIGHBOUR_REACHABLE);
		/* and it may ask for us meanwhile */
		arp_frame(1, mac_a, "10.1.0.50", LAN_OWN);
		CU_ASSERT(answered(mac_a));
	}
	/* in its name nobody makes more of it than one neighbour has to say */
	uint64_t known = rig_counter(DP_C_PUNT_LINK);
	for (int i = 0; i < 1000; i++) {
		arp_frame(1, mac_a, "10.1.0.50", LAN_OWN);
		rig_sent(LAN);
	}
	CU_ASSERT(rig_counter(DP_C_PUNT_LINK) - known < 100);
	rig_close();
}

/* What one link does, another does not feel. */
static void test_arp_flood_of_one_port_leaves_the_others_alone(void)
{
	resolution_open();
	flood(WAN, WAN_OWN);
	uint64_t limited = rig_drops(DROP_RATE_LIMIT);
	arp_frame(1, mac_a, "10.1.0.60", LAN_OWN);
	CU_ASSERT(answered(mac_a));
	CU_ASSERT_EQUAL(rig_drops(DROP_RATE_LIMIT), limited);
	CU_ASSERT_EQUAL(state_of("10.1.0.60"), NEIGHBOUR_STALE);
	rig_close();
}

static void test_arp_claims_of_our_address_are_named(void)
{
	resolution_open();
	arp_frame(1, mac_a, LAN_OWN, LAN_HOST);
	arp_frame(2, mac_a, WAN_OWN, LAN_OWN);
	CU_ASSERT_EQUAL(rig_drops(DROP_ADDRESS_CONFLICT), 2);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* Inserted and removed in random order, the hash agrees with the entries. */
static void test_arp_hash_survives_churn(void)
{
	static uint32_t index[512];
	struct neighbour_table *t;
	uint32_t state = 1, wrong = 0;

	resolution_open();
	t = rig.dp->neighbours;
	for (unsigned i = 0; i < 512; i++)
		index[i] = NEIGHBOUR_NONE;
	for (int step = 0; step < 50000; step++) {
		state = state * 1664525 + 1013904223;
		uint32_t i = state >> 23, addr_be = rte_cpu_to_be_32(0x0a040000 + i);
		wrong += neighbour_lookup(t, WAN, addr_be) != index[i];
		if (index[i] == NEIGHBOUR_NONE) {
			index[i] = ensure(t, WAN, addr_be);
		} else {
			neighbour_remove(t, index[i]);
			reclaim_poll(rig.ips);
			index[i] = NEIGHBOUR_NONE;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close();
}

static void test_arp_decode_refuses_every_cut_and_other_kinds(void)
{
	uint8_t f[42] = { 0 };
	struct arp a;

	memcpy(f + 12, "\x08\x06\0\1\x08\0\6\4\0\1\2\0\0\0\0\1", 16);
	CU_ASSERT(arp_decode(BYTES_OF(f), &a));
	for (size_t n = 0; n < sizeof(f); n++)
		CU_ASSERT_FALSE(arp_decode(BYTES(f, n), &a));
	for (int at = 14; at < 22; at++) {
		f[at] ^= 0x40;
		CU_ASSERT_FALSE(arp_decode(BYTES_OF(f), &a));
		f[at] ^= 0x40;
	}
	memset(f + 22, 0, 6);
	CU_ASSERT_FALSE(arp_decode(BYTES_OF(f), &a));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_arp_resolves_and_sends_what_waited),
		TEST(test_arp_what_waited_meets_the_policy_of_now),
		TEST(test_arp_fragment_that_waited_ends_where_ports_count),
		TEST(test_arp_tunnelled_packet_that_waited_meets_the_policy_of_now),
		TEST(test_arp_static_neighbour_releases_what_waited),
		TEST(test_arp_retries_then_gives_up),
		TEST(test_arp_hold_queue_is_bounded),
		TEST(test_arp_requests_for_us_are_answered),
		TEST(test_arp_answers_for_what_lies_behind_a_tunnel),
		TEST(test_arp_believes_nobody_it_did_not_ask),
		TEST(test_arp_known_neighbour_may_move),
		TEST(test_arp_used_neighbour_is_asked_again_and_lost_when_silent),
		TEST(test_arp_unused_neighbour_is_forgotten),
		TEST(test_arp_static_and_pinned_neighbours_stay),
		TEST(test_arp_next_hop_is_read_without_asking),
		TEST(test_arp_table_full_and_reused_after_grace),
		TEST(test_arp_flood_leaves_neighbours_alone),
		TEST(test_arp_flood_does_not_drown_answers),
		TEST(test_arp_flood_of_one_port_leaves_the_others_alone),
		TEST(test_arp_claims_of_our_address_are_named),
		TEST(test_arp_hash_survives_churn),
		TEST(test_arp_decode_refuses_every_cut_and_other_kinds),
	};

	rig_eal();
	return test_main("datapath_arp", tests, ARRAY_LEN(tests), argc, argv);
}
