/* SPDX-License-Identifier: BSD-3-Clause */
/* Owners of queues, buckets and outbound SAs change while packets arrive: every step, in order, nothing lost. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"
#include "stages_priv.h"

#define SPI 0x1001 /* bucket 1 */

static struct sa out_sa, in_sa;

static void moving_open(uint16_t workers)
{
	struct path_spec spec = { 0 };

	rig_open(workers);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = SPI, .owner = WORKER_NONE, .inner_mtu = 1400, .number = 1 };
	in_sa = (struct sa){ .spi = SPI, .tunnel_slot = 3 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
	fake.inbound[0] = &in_sa;
	for (unsigned b = 0; b < SA_BUCKETS; b++)
		fake.buckets[b] = (uint8_t)(b % workers);
}

static void moving_close(void)
{
	path_free(out_sa.path);
	rig_close();
}

/* Behind the IP header: all of one flow, since only within a flow an order is kept; the number is in the datagram. */
#define DATAGRAM_BYTES 40
#define NUMBER_AT      8

static const uint8_t *datagram(uint16_t n)
{
	static uint8_t bytes[DATAGRAM_BYTES];

	store_be16(bytes, 1000);
	store_be16(bytes + 2, 2000);
	store_be16(bytes + 4, sizeof(bytes));
	store_be16(bytes + NUMBER_AT, n);
	return bytes;
}

static void clear_send(uint16_t n)
{
	const struct probe clear = {
		.src = LAN_HOST, .dst = FAR_HOST, .payload = datagram(n), .payload_bytes = DATAGRAM_BYTES
	};

	rig_send(LAN, &clear);
}

static void sealed_send(uint16_t n)
{
	const struct probe inner = {
		.src = FAR_HOST, .dst = LAN_HOST, .payload = datagram(n), .payload_bytes = DATAGRAM_BYTES
	};
	uint8_t payload[68] = { 0 };
	const struct probe outer = { .src = WAN_PEER,
		.dst = WAN_OWN,
		.protocol = IPPROTO_ESP,
		.payload = payload,
		.payload_bytes = sizeof(payload) };
	struct rte_mbuf *m = rig_packet(&inner);

	store_be32(payload, SPI);
	memcpy(payload + 8, rte_pktmbuf_mtod(m, void *), 60);
	rte_pktmbuf_free(m);
	rig_send(WAN, &outer);
}

/* The n-th packet each way: in clear from the LAN, sealed from the WAN. */
static void both_send(uint16_t n)
{
	clear_send(n);
	sealed_send(n);
}

static void one_send(bool outbound, uint16_t n)
{
	(outbound ? clear_send : sealed_send)(n);
}

/* What left a port since, whose datagrams stand at `offset` of the IP packet: counts on from *next. */
static bool in_order(uint16_t port, uint16_t offset, uint16_t *next)
{
	bool good = true;
	struct rte_mbuf *m;

	while ((m = rig_receive(port))) {
		good &= load_be16((const uint8_t *)frame_ip(m) + offset + NUMBER_AT) == (*next)++;
		rte_pktmbuf_free(m);
	}
	return good;
}

/* Until everything has settled, a packet each way before every step of anybody. Returns how many. */
static uint16_t move_under_traffic(uint16_t *sent, uint16_t *lan, uint16_t *wan)
{
	uint16_t before = *sent;

	for (int turn = 0; turn < 2000 && !datapath_workers_settled(rig.dp); turn++) {
		both_send((*sent)++);
		worker_step(rig.dp->workers[turn % rig.dp->worker_count]);
		if (turn % 3 == 0)
			datapath_control_poll(rig.dp, &(struct datapath_host){ 0 }, rig.now_ns += SECOND_NS / 1000);
		CU_ASSERT(in_order(LAN, 20, lan));
		CU_ASSERT(in_order(WAN, 48, wan));
	}
	rig_step();
	CU_ASSERT(in_order(LAN, 20, lan));
	CU_ASSERT(in_order(WAN, 48, wan));
	return *sent - before;
}

static void test_ownership_balance_is_even_and_moves_the_fewest(void)
{
	uint8_t owners[256], before[256];
	size_t held[IPSEC_WORKERS_MAX];

	memset(owners, WORKER_NONE, sizeof(owners));
	for (uint16_t active = 1; active <= 64; active++) {
		unsigned moved = 0;
		memcpy(before, owners, sizeof(owners));
		owners_balance(owners, sizeof(owners), active, active);
		memset(held, 0, sizeof(held));
		for (size_t i = 0; i < sizeof(owners); i++) {
			CU_ASSERT_FATAL(owners[i] < active);
			held[owners[i]]++;
			moved += before[i] != WORKER_NONE && owners[i] != before[i];
		}
		for (uint16_t w = 0; w < active; w++)
			CU_ASSERT(held[w] == 256u / active || held[w] == 256u / active + 1);
		/* to each new worker at most its share, and the remainder may change places */
		CU_ASSERT(moved <= 256u / active + active);
	}
}

static void test_ownership_balance_of_few_begins_at_first(void)
{
	uint8_t one[1] = { WORKER_NONE };

	owners_balance(one, 1, 3, 5);
	CU_ASSERT_EQUAL(one[0], 2);
	owners_balance(one, 1, 2, 5);
	CU_ASSERT_EQUAL(one[0], 1);
}

static void test_ownership_workers_out_of_range_are_refused(void)
{
	moving_open(2);
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, 0), -EINVAL);
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, 3), -EINVAL);
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, 2), 0);
	CU_ASSERT(datapath_workers_settled(rig.dp));
	moving_close();
}

static bool all_of(uint8_t worker)
{
	bool all = true;

	for (unsigned b = 0; b < SA_BUCKETS; b++)
		all &= fake.buckets[b] == worker;
	return all;
}

static void test_ownership_worker_taken_out_and_back_loses_nothing(void)
{
	uint16_t sent = 0, lan = 0, wan = 0;

	moving_open(2);
	for (int round = 0; round < 6; round++) {
		uint16_t active = round % 2 ? 2 : 1;
		CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, active), 0);
		CU_ASSERT(!datapath_workers_settled(rig.dp));
		CU_ASSERT(move_under_traffic(&sent, &lan, &wan) > 6);
		CU_ASSERT_EQUAL(rig.dp->workers[0]->rx_count, active == 1 ? 2 : 1);
		CU_ASSERT_EQUAL(rig.dp->workers[1]->rx_count, active == 1 ? 0 : 1);
		CU_ASSERT_EQUAL(all_of(0), active == 1);
		both_send(sent++);
		rig_step();
		CU_ASSERT(in_order(LAN, 20, &lan));
		CU_ASSERT(in_order(WAN, 48, &wan));
		if (active == 1)
			CU_ASSERT_EQUAL(out_sa.owner, 0);
	}
	CU_ASSERT_EQUAL(lan, sent);
	CU_ASSERT_EQUAL(wan, sent);
	moving_close();
}

/* A round: every worker once, then control. Returns how many queues nobody polls after it. */
static int round_go(uint16_t *sent)
{
	int polled = 0;

	both_send((*sent)++);
	for (uint16_t w = 0; w < rig.dp->worker_count; w++) {
		worker_step(rig.dp->workers[w]);
		polled += rig.dp->workers[w]->rx_count;
	}
	/* workers woke it: no time has to pass */
	CU_ASSERT(atomic_load(&rig.dp->signalled));
	datapath_control_poll(rig.dp, &(struct datapath_host){ 0 }, rig.now_ns);
	return 2 - polled;
}

/* RX descriptors are few: a queue that moves is without anybody who polls it for two rounds at most, and the whole
 * move, while packets wait, takes a few rounds and no time of control's. */
static void test_ownership_moves_in_a_few_rounds_and_queues_are_polled(void)
{
	uint16_t sent = 0, lan = 0, wan = 0;

	moving_open(3);
	for (int move = 0; move < 6; move++) {
		int rounds = 0, alone = 0;
		CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, (uint16_t)(3 - move % 3)), 0);
		datapath_control_poll(rig.dp, &(struct datapath_host){ 0 }, rig.now_ns);
		for (; !datapath_workers_settled(rig.dp) && rounds < 100; rounds++) {
			int without = round_go(&sent);
			alone = without ? alone + 1 : 0;
			CU_ASSERT(alone <= 2);
			CU_ASSERT(in_order(LAN, 20, &lan));
			CU_ASSERT(in_order(WAN, 48, &wan));
		}
		CU_ASSERT(rounds <= 12);
		rig_step();
		CU_ASSERT(in_order(LAN, 20, &lan));
		CU_ASSERT(in_order(WAN, 48, &wan));
	}
	CU_ASSERT_EQUAL(lan, sent);
	CU_ASSERT_EQUAL(wan, sent);
	moving_close();
}

/* From three to one and back, the wish changed on the way. */
static void test_ownership_wish_changed_while_moving(void)
{
	uint16_t sent = 0, lan = 0, wan = 0;

	moving_open(3);
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, 1), 0);
	datapath_control_poll(rig.dp, &(struct datapath_host){ 0 }, rig.now_ns);
	CU_ASSERT_EQUAL(datapath_workers_set(rig.dp, 2), 0);
	move_under_traffic(&sent, &lan, &wan);
	CU_ASSERT(datapath_workers_settled(rig.dp));
	CU_ASSERT_EQUAL(rig.dp->workers[0]->active, 2);
	CU_ASSERT_EQUAL(rig.dp->workers[2]->rx_count, 0);
	CU_ASSERT_EQUAL(lan, sent);
	CU_ASSERT_EQUAL(wan, sent);
	moving_close();
}

static void test_ownership_one_bucket_to_another_worker(void)
{
	uint8_t buckets[SA_BUCKETS];
	uint16_t sent = 0, lan = 0, wan = 0;
	const struct snapshot *now;

	moving_open(2);
	for (int round = 0; round < 4; round++) {
		now = atomic_load(&rig.dp->snapshot);
		memcpy(buckets, fake.buckets, sizeof(buckets));
		buckets[SPI % SA_BUCKETS] = (uint8_t)(round % 2);
		CU_ASSERT_EQUAL(ownership_move(rig.dp, assignment_create(rig.dp, now->assignment, 2), buckets), 0);
		CU_ASSERT_EQUAL(ownership_move(rig.dp, assignment_create(rig.dp, now->assignment, 2), buckets), -EBUSY);
		move_under_traffic(&sent, &lan, &wan);
		CU_ASSERT_EQUAL(fake.buckets[SPI % SA_BUCKETS], round % 2);
	}
	CU_ASSERT_EQUAL(lan, sent);
	CU_ASSERT_EQUAL(wan, sent);
	moving_close();
}

static void test_ownership_outbound_packet_waits_for_the_next_owner(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	moving_open(2);
	out_sa.owner = WORKER_MOVING;
	rig_send(LAN, &p);
	worker_step(rig.dp->workers[0]);
	worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count, 1);
	/* the old owner goes on, another one waits */
	out_sa.owner = WORKER_LEAVING | 1;
	worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count, 1);
	out_sa.owner = WORKER_LEAVING | 0;
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	moving_close();
}

/* The new owner appears between two packets of a burst, in a loop that began with the first one waiting or not: when it
 * was asked for so many times. Returns how many wait behind it. */
static uint16_t owner_appears(bool outbound, int reads)
{
	struct worker *w;
	uint16_t out = 0, parked;

	moving_open(1);
	w = rig.dp->workers[0];
	fake.moving_reads = reads;
	for (uint16_t n = 0; n < 3; n++)
		one_send(outbound, n);
	worker_step(w);
	CU_ASSERT_EQUAL(fake.moving_reads, 0);
	parked = (uint16_t)w->parked.count;
	CU_ASSERT_EQUAL(rig_drops(DROP_OWNER_MOVING), 0);
	/* and between the first of those that wait and the others; outbound its flow asks before it does */
	fake.moving_reads = outbound && parked ? 2 : 1;
	one_send(outbound, 3);
	worker_step(w);
	CU_ASSERT_EQUAL(w->parked.count, parked ? parked + 1u : 0);
	rig_step();
	CU_ASSERT_EQUAL(w->parked.count, 0);
	CU_ASSERT(in_order(outbound ? WAN : LAN, outbound ? 48 : 20, &out));
	CU_ASSERT_EQUAL(out, 4);
	moving_close();
	return parked;
}

static void test_ownership_owner_appears_in_the_middle_of_a_burst(void)
{
	/* each outbound packet asks when its flow is decided, inbound ones by their SPI: when that was in vain, once
	 * more */
	const int before = 3;

	for (int outbound = 0; outbound < 2; outbound++) {
		for (int reads = 1; reads <= before; reads++)
			CU_ASSERT_EQUAL(owner_appears(outbound, reads), 0);
		CU_ASSERT_EQUAL(owner_appears(outbound, before + 1), 3);
	}
}

/* What waits for something else does not hold up others, though the filter cannot tell them apart. */
static void test_ownership_only_packets_for_the_same_wait(void)
{
	struct worker *w;

	moving_open(1);
	w = rig.dp->workers[0];
	out_sa.owner = WORKER_MOVING;
	one_send(true, 0);
	worker_step(w);
	CU_ASSERT_EQUAL(w->parked.count, 1);
	CU_ASSERT(packet_waits(w, parked_for_slot(3)));
	CU_ASSERT(!packet_waits(w, parked_for_slot(3 + 256)));
	CU_ASSERT(!packet_waits(w, parked_for_bucket(3)));
	CU_ASSERT(!packet_waits(w, parked_for_slot(4)));
	one_send(false, 0);
	worker_step(w);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	out_sa.owner = 0;
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	moving_close();
}

static void test_ownership_no_room_to_wait_is_counted(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	moving_open(1);
	out_sa.owner = WORKER_MOVING;
	for (int i = 0; i < PARKED_MAX + 7; i++) {
		rig_send(LAN, &p);
		worker_step(rig.dp->workers[0]);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_OWNER_MOVING), 7);
	out_sa.owner = WORKER_NONE;
	for (int i = 0; i < 4; i++) {
		worker_step(rig.dp->workers[0]);
		rig_sent(WAN);
	}
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count, 0);
	moving_close();
}

/* The data path stops while packets wait for an owner: they end by name, and none is left behind. */
static void test_ownership_packets_that_wait_at_the_end_are_counted(void)
{
	moving_open(2);
	out_sa.owner = WORKER_MOVING;
	fake.buckets[SPI % SA_BUCKETS] = WORKER_MOVING;
	for (uint16_t n = 0; n < 5; n++)
		both_send(n);
	for (int i = 0; i < 2; i++)
		worker_step(rig.dp->workers[i]);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count + rig.dp->workers[1]->parked.count, 10);
	for (int i = 0; i < 2; i++)
		parked_flush(rig.dp->workers[i]);
	CU_ASSERT_EQUAL(rig_drops(DROP_OWNER_MOVING), 10);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count + rig.dp->workers[1]->parked.count, 0);
	CU_ASSERT_EQUAL(datapath_mbufs_free(rig.dp), rig.mbufs);
	moving_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ownership_balance_is_even_and_moves_the_fewest),
		TEST(test_ownership_balance_of_few_begins_at_first),
		TEST(test_ownership_workers_out_of_range_are_refused),
		TEST(test_ownership_worker_taken_out_and_back_loses_nothing),
		TEST(test_ownership_moves_in_a_few_rounds_and_queues_are_polled),
		TEST(test_ownership_wish_changed_while_moving),
		TEST(test_ownership_one_bucket_to_another_worker),
		TEST(test_ownership_outbound_packet_waits_for_the_next_owner),
		TEST(test_ownership_owner_appears_in_the_middle_of_a_burst),
		TEST(test_ownership_only_packets_for_the_same_wait),
		TEST(test_ownership_no_room_to_wait_is_counted),
		TEST(test_ownership_packets_that_wait_at_the_end_are_counted),
	};

	rig_eal();
	return test_main("datapath_ownership", tests, ARRAY_LEN(tests), argc, argv);
}
