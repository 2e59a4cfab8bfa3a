/* SPDX-License-Identifier: BSD-3-Clause */
/* Two workers: packets go to the owner of their SA and to the worker that has the port's queue, in order, counted. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"
#include "stages_priv.h"

static struct sa sa;

static void two_open(uint8_t owner)
{
	struct path_spec spec = { 0 };

	rig_open(2);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	sa = (struct sa){ .spi = 0x1001, .owner = owner, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &sa.path), 0);
	fake.tunnels[3] = fake.inbound[0] = &sa;
}

static void two_close(void)
{
	path_free(sa.path);
	rig_close();
}

static void test_handoff_single_queue_ports_are_spread(void)
{
	rig_open(2);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->rx_count, 1);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->rx_count, 1);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->tx_queue[LAN], 0);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->tx_queue[WAN], QUEUE_NONE);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->tx_queue[WAN], 0);
	rig_close();
}

static void test_handoff_outbound_to_the_owner_in_order(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct rte_mbuf *m;
	uint32_t n = 0;

	/* the LAN is worker 0's, the SA and the WAN worker 1's */
	two_open(1);
	for (int i = 0; i < 150; i++)
		rig_send(LAN, &p);
	rig_step();
	for (; (m = rig_receive(WAN)); n++) {
		CU_ASSERT_EQUAL(load_be32((uint8_t *)frame_ip(m) + 24), n + 1);
		CU_ASSERT_EQUAL(((struct rte_ipv4_hdr *)((uint8_t *)frame_ip(m) + 28))->time_to_live, 63);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(n, 150);
	CU_ASSERT_EQUAL(rig_counter(DP_C_HANDOFF), 150);
	two_close();
}

static void test_handoff_first_worker_claims_and_sends_through_the_other(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	two_open(WORKER_NONE);
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(sa.owner, 0);
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	/* the finished frame went to the worker with the WAN's queue */
	CU_ASSERT_EQUAL(rig_counter(DP_C_HANDOFF), 1);
	two_close();
}

/* The frame is under way to the worker that has the port's queue when policy changes. */
static void test_handoff_frame_meets_the_policy_of_now(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = WAN_PEER };

	for (int protect = 0; protect < 2; protect++) {
		rig_open(2);
		RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0");
		rig_send(LAN, &p);
		worker_step(rig.dp->workers[0]);
		CU_ASSERT_EQUAL(rig_counter(DP_C_HANDOFF), 1);
		RIG_POLICY(protect ? "protect 3 10.1.0.0/24 0.0.0.0/0" : "bypass 10.1.0.0/24 192.0.2.0/24");
		rig_step();
		CU_ASSERT_EQUAL(rig_drops(DROP_NO_SA), (unsigned)(protect));
		struct rte_mbuf *m = rig_receive(WAN);
		CU_ASSERT_EQUAL(m != NULL, !protect);
		CU_ASSERT(!m || (frame_ip(m)->time_to_live == 63 && ip_checksum_valid(frame_ip(m))));
		rte_pktmbuf_free(m);
		rig_close();
	}
}

static void test_handoff_inbound_by_bucket_before_the_sa(void)
{
	uint8_t payload[68] = { 0 };
	const struct probe inner = { .src = FAR_HOST, .dst = LAN_HOST };

	two_open(0);
	/* the buckets are worker 0's, the WAN is worker 1's */
	struct rte_mbuf *m = rig_packet(&inner);
	store_be32(payload, 0x1001);
	memcpy(payload + 8, rte_pktmbuf_mtod(m, void *), 60);
	rte_pktmbuf_free(m);
	const struct probe outer = { .src = WAN_PEER,
		.dst = WAN_OWN,
		.protocol = IPPROTO_ESP,
		.payload = payload,
		.payload_bytes = sizeof(payload) };
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	struct datapath_worker_stats s;
	datapath_worker_stats_read(rig.dp, 0, &s);
	CU_ASSERT_EQUAL(s.counters[DP_C_DECAP], 1);
	datapath_worker_stats_read(rig.dp, 1, &s);
	CU_ASSERT_EQUAL(s.counters[DP_C_HANDOFF], 1);
	two_close();
}

/* The WAN is worker 1's, all buckets are worker 0's. */
static void sealed_arrive(uint32_t spi, int count)
{
	uint8_t payload[68] = { 0 };
	const struct probe outer = { .src = WAN_PEER,
		.dst = WAN_OWN,
		.protocol = IPPROTO_ESP,
		.payload = payload,
		.payload_bytes = sizeof(payload) };

	store_be32(payload, spi);
	for (int i = 0; i < count; i++) {
		rig_send(WAN, &outer);
		worker_step(rig.dp->workers[1]);
	}
}

/* Anyone can make up an SPI: it takes no room from what has an SA, neither in a ring nor among what waits. */
static void test_handoff_unknown_spi_ends_where_it_arrives(void)
{
	const unsigned flood = 3 * HANDOFF_SIZE;

	two_open(0);
	sealed_arrive(0x5001, (int)flood);
	CU_ASSERT_EQUAL(rig_drops(DROP_UNKNOWN_SPI), flood);
	CU_ASSERT_EQUAL(rig_counter(DP_C_HANDOFF), 0);
	rig_poll();
	CU_ASSERT(rig.event_count > 0);
	for (unsigned b = 0; b < SA_BUCKETS; b++)
		fake.buckets[b] = WORKER_MOVING;
	sealed_arrive(0x5001, PARKED_MAX + 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_UNKNOWN_SPI), flood + PARKED_MAX + 1);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->parked.count, 0);
	sealed_arrive(0x1001, 1);
	CU_ASSERT_EQUAL(rig.dp->workers[1]->parked.count, 1);
	for (unsigned b = 0; b < SA_BUCKETS; b++)
		fake.buckets[b] = 0;
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL) + rig_drops(DROP_OWNER_MOVING), 0);
	two_close();
}

static void test_handoff_unproven_packets_leave_half_of_the_ring(void)
{
	const struct note note = { .stage = STAGE_FRAGMENT, .fragment = FRAGMENT_OWN };
	const struct probe junk = { .src = WAN_PEER, .dst = WAN_OWN }, p = { .src = LAN_HOST, .dst = FAR_HOST };
	const unsigned half = (HANDOFF_SIZE - 1) / 2;

	two_open(1);
	for (unsigned i = 0; i < HANDOFF_SIZE; i++)
		handoff_push_unproven(rig.dp->workers[0], rig_packet(&junk), 1, &note);
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL), HANDOFF_SIZE - half);
	for (unsigned i = 0; i < half; i++) {
		rig_send(LAN, &p);
		worker_step(rig.dp->workers[0]);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL), HANDOFF_SIZE - half);
	for (int i = 0; i < 80; i++) {
		worker_step(rig.dp->workers[1]);
		rig_sent(WAN);
	}
	two_close();
}

/* One SA's flood, which only its owner could tell from what its peer sends, leaves room for other SAs and for clear
 * packets. */
static void test_handoff_flood_to_one_spi_leaves_room(void)
{
	const unsigned half = (HANDOFF_SIZE - 1) / 2;
	struct sa other = { .spi = 0x1002 };

	two_open(0);
	fake.inbound[1] = &other;
	sealed_arrive(0x1001, 2 * HANDOFF_SIZE);
	uint64_t dropped = rig_drops(DROP_HANDOFF_FULL);
	CU_ASSERT_EQUAL(dropped, 2 * HANDOFF_SIZE - half - SEALED_SHARE);
	sealed_arrive(0x1002, SEALED_SHARE);
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL), dropped);
	for (int i = 0; i < 80; i++) {
		worker_step(rig.dp->workers[0]);
		rig_sent(LAN);
	}
	/* there is room again */
	sealed_arrive(0x1001, 100);
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL), dropped);
	for (int i = 0; i < 80; i++) {
		worker_step(rig.dp->workers[0]);
		rig_sent(LAN);
	}
	two_close();
}

static void test_handoff_full_ring_is_counted(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	two_open(1);
	for (int i = 0; i < HANDOFF_SIZE + 20; i++) {
		rig_send(LAN, &p);
		worker_step(rig.dp->workers[0]);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_HANDOFF_FULL), 21);
	for (int i = 0; i < 40; i++) {
		worker_step(rig.dp->workers[1]);
		rig_sent(WAN);
	}
	two_close();
}

static void test_handoff_port_takes_no_more_is_counted(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	two_open(1);
	for (int i = 0; i < 600; i++) {
		rig_send(LAN, &p);
		rig_step();
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_TX_FULL), 600 - 511);
	CU_ASSERT_EQUAL(rig_sent(WAN), 511);
	two_close();
}

static void test_handoff_sa_gone_meanwhile_is_dropped(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	two_open(1);
	rig_send(LAN, &p);
	worker_step(rig.dp->workers[0]);
	fake.tunnels[3] = NULL;
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_SA), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	two_close();
}

/* It came out of an SA and waited, and an address of it has become ours meanwhile. */
static void out_of_a_tunnel(const char *src, const char *dst)
{
	const struct note note = { .stage = STAGE_CLEAR, .origin = ORIGIN_TUNNEL };
	const struct probe p = { .src = src, .dst = dst, .sport = 1000, .dport = 7 };

	handoff_push(rig.dp->workers[1], rig_packet(&p), 0, &note);
	handoff_flush(rig.dp->workers[1]);
	rig_step();
}

static void test_handoff_tunnelled_packet_meets_the_addresses_of_now(void)
{
	rig_open(2);
	RIG_POLICY("bypass 10.2.0.0/24 10.1.0.0/24");
	out_of_a_tunnel(FAR_HOST, LAN_HOST);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	out_of_a_tunnel(WAN_OWN, LAN_HOST);
	CU_ASSERT_EQUAL(rig_drops(DROP_MARTIAN), 1);
	out_of_a_tunnel(FAR_HOST, LAN_OWN);
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_handoff_single_queue_ports_are_spread),
		TEST(test_handoff_outbound_to_the_owner_in_order),
		TEST(test_handoff_first_worker_claims_and_sends_through_the_other),
		TEST(test_handoff_frame_meets_the_policy_of_now),
		TEST(test_handoff_inbound_by_bucket_before_the_sa),
		TEST(test_handoff_unknown_spi_ends_where_it_arrives),
		TEST(test_handoff_unproven_packets_leave_half_of_the_ring),
		TEST(test_handoff_flood_to_one_spi_leaves_room),
		TEST(test_handoff_full_ring_is_counted),
		TEST(test_handoff_port_takes_no_more_is_counted),
		TEST(test_handoff_sa_gone_meanwhile_is_dropped),
		TEST(test_handoff_tunnelled_packet_meets_the_addresses_of_now),
	};

	rig_eal();
	return test_main("datapath_handoff", tests, ARRAY_LEN(tests), argc, argv);
}
