/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets of known flows fare as those of new ones: the same ends, none overtaken by its own flow, and what changes is
 * noticed. */
#include "harness.h"
#include "rig.h"

#include <stdlib.h>

#include "fake_ipsec.h"

static struct sa out_sa;

#define PROTECT_FAR "protect 3 10.1.0.0/24 10.2.0.0/24"
static const struct probe to_far = { .src = LAN_HOST, .dst = FAR_HOST, .sport = 1000, .dport = 7 };
/* of the same flow */
static const struct probe first_fragment = {
	.src = LAN_HOST, .dst = FAR_HOST, .sport = 1000, .dport = 7, .bytes = 68, .fragment = 0x2000
};

static void open_all(void)
{
	struct path_spec spec = { 0 };

	rig_open(1);
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
}

static void close_all(void)
{
	path_free(out_sa.path);
	fake.tunnels[3] = NULL;
	rig_close();
}

static void send_once(const struct probe *p)
{
	rig_send(LAN, p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
}

/* What became of everything that was sent: a number for each end. */
struct ends {
	uint64_t drops[DROP_REASON_COUNT], sealed, in_clear;
	unsigned sent[2];
};

static void ends_read(struct ends *ret_ends)
{
	for (int r = 0; r < DROP_REASON_COUNT; r++)
		ret_ends->drops[r] = rig_drops((enum drop_reason)r);
	ret_ends->sealed = rig_counter(DP_C_ENCAP);
	ret_ends->in_clear = rig_counter(DP_C_FORWARD_CLEAR);
	ret_ends->sent[LAN] = ret_ends->sent[WAN] = 0;
}

static void ends_since(const struct ends *before, struct ends *ret_ends)
{
	ends_read(ret_ends);
	for (int r = 0; r < DROP_REASON_COUNT; r++)
		ret_ends->drops[r] -= before->drops[r];
	ret_ends->sealed -= before->sealed;
	ret_ends->in_clear -= before->in_clear;
	ret_ends->sent[LAN] = rig_sent(LAN);
	ret_ends->sent[WAN] = rig_sent(WAN);
}

static const char *const hosts[] = { LAN_HOST, "10.1.9.9", FAR_HOST, "10.2.0.99", WAN_PEER, WAN_OWN, LAN_OWN,
	"127.0.0.1", "224.0.0.1", "240.0.0.9", "198.51.100.1" };

static struct probe random_probe(void)
{
	return (struct probe){ .src = hosts[(size_t)rand() % ARRAY_LEN(hosts)],
		.dst = hosts[(size_t)rand() % ARRAY_LEN(hosts)],
		.protocol = rand() % 4 ? IPPROTO_UDP : IPPROTO_TCP,
		.sport = (uint16_t)(rand() % 3 + 2000),
		.dport = (uint16_t)(rand() % 3 + 2000) };
}

static void send_all(uint16_t port, const struct probe *probes, size_t n, struct ends *ret_ends)
{
	struct ends before;

	ends_read(&before);
	for (size_t i = 0; i < n; i++)
		rig_send(port, &probes[i]);
	rig_step();
	ends_since(&before, ret_ends);
}

static void test_known_flows_end_as_new_ones(void)
{
	struct ends new, known;
	struct probe probes[128];

	open_all();
	RIG_POLICY("discard 10.1.0.0/26 10.2.0.64/26", PROTECT_FAR, "bypass 10.1.0.0/16 0.0.0.0/0");
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < ARRAY_LEN(probes); i++)
			probes[i] = random_probe();
		send_all(round % 2 ? WAN : LAN, probes, ARRAY_LEN(probes), &new);
		send_all(round % 2 ? WAN : LAN, probes, ARRAY_LEN(probes), &known);
		CU_ASSERT_EQUAL(memcmp(&new, &known, sizeof(new)), 0);
	}
	CU_ASSERT(rig_counter(DP_C_ENCAP) > 10 && rig_counter(DP_C_FORWARD_CLEAR) > 10);
	CU_ASSERT(rig_drops(DROP_MARTIAN) > 50 && rig_drops(DROP_DISCARD) > 10);
	close_all();
}

/* Who shares a set with whom is the same in every run: by seeds that are drawn one run in hundreds is four times as
 * crowded as most. */
static void small_cache(struct flow_cache *c)
{
	flow_cache_done(c);
	CU_ASSERT_EQUAL_FATAL(flow_cache_init(c, 64), 0);
	for (size_t i = 0; i < ARRAY_LEN(c->seeds); i++)
		c->seeds[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* More flows than the cache has room for: in either of their sets, or in none. */
static void test_known_in_a_small_cache(void)
{
	open_all();
	small_cache(&rig.dp->workers[0]->flows);
	RIG_POLICY(PROTECT_FAR);
	for (int round = 0; round < 10; round++) {
		for (uint16_t i = 0; i < 60; i++) {
			struct probe p = to_far;
			p.sport = i;
			rig_send(LAN, &p);
		}
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(WAN), 60);
	}
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 600);
	CU_ASSERT(rig_counter(DP_C_FLOW_MISS) < 300);
	close_all();
}

static struct probe of_bytes(uint16_t bytes)
{
	struct probe p = to_far;

	p.bytes = bytes;
	return p;
}

/* Bytes of the packet inside the next one that leaves; 0: none does. */
static uint16_t next_left(void)
{
	struct rte_mbuf *m = rig_receive(WAN);
	uint16_t bytes = 0;

	if (m) {
		const struct rte_ipv4_hdr *inner = (const void *)((uint8_t *)frame_ip(m) + 28);
		bytes = rte_be_to_cpu_16(inner->total_length);
		rte_pktmbuf_free(m);
	}
	return bytes;
}

/* Sealed packets of these sizes inside leave in this order. */
static void expect_order(const uint16_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(next_left(), bytes[i]);
}

/* What cannot ask in the middle of a flow: from: whose fragment. */
static void send_around_a_fragment(const char *from)
{
	const struct probe fragment = {
		.src = from, .dst = FAR_HOST, .sport = 1000, .dport = 7, .bytes = 68, .fragment = 0x2000
	};
	const struct probe packets[] = { of_bytes(60), fragment, of_bytes(64), of_bytes(72) };
	static const uint16_t bytes[] = { 60, 68, 64, 72 };

	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		rig_send(LAN, &packets[i]);
	rig_step();
	expect_order(bytes, ARRAY_LEN(bytes));
}

static void test_known_flow_and_a_fragment_keep_their_order(void)
{
	open_all();
	RIG_POLICY(PROTECT_FAR);
	send_around_a_fragment(LAN_HOST);
	send_around_a_fragment(LAN_HOST);
	send_around_a_fragment("10.1.0.9");
	/* whose sides overlap: never remembered */
	RIG_POLICY("protect 3 10.0.0.0/8 10.0.0.0/8");
	send_around_a_fragment(LAN_HOST);
	send_around_a_fragment("10.1.0.9");
	close_all();
}

/* By ring, as from another worker. */
static void hand_over(const struct probe *probes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rte_mbuf *m = rig_packet(&probes[i]);
		m->port = LAN;
		*packet_note(m) = (struct note){ .stage = STAGE_CLEAR, .origin = ORIGIN_CLEAR };
		rte_ring_enqueue(rig.dp->workers[0]->inject, m);
	}
	rig_step();
}

static void test_known_handed_over_keeps_its_order(void)
{
	const struct probe six = { .src = LAN_HOST6, .dst = FAR_HOST6, .sport = 1, .dport = 2 };
	const struct probe packets[] = { of_bytes(60), first_fragment, six, of_bytes(64) };
	static const uint16_t bytes[] = { 60, 68, 64 };

	open_all();
	RIG_POLICY(PROTECT_FAR);
	for (int known = 0; known < 2; known++) {
		hand_over(packets, ARRAY_LEN(packets));
		expect_order(bytes, ARRAY_LEN(bytes));
	}
	close_all();
}

/* Packets that came back from their burst since the last call. */
static unsigned returned(void)
{
	unsigned n = fake.returned;

	fake.returned = 0;
	return n;
}

/* Its SA is claimed by the first packet, and the second learns its number. */
static void number_learnt(const struct probe *p)
{
	out_sa.number = 1;
	send_once(p);
	send_once(p);
	CU_ASSERT_EQUAL(returned(), 0);
}

static void test_known_packets_are_looked_at_closer(void)
{
	struct probe p = to_far;

	open_all();
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&p);
	p.ttl = 1;
	CU_ASSERT(refused_as(LAN, &p, DROP_TTL, 0x0b00));
	p.ttl = 0;
	fake.tunnels[3] = NULL;
	CU_ASSERT(dropped_as(LAN, &p, DROP_NO_SA));
	fake.tunnels[3] = &out_sa;
	send_once(&p);
	CU_ASSERT_EQUAL(returned(), 0);
	out_sa.outside = true;
	out_sa.number = 2;
	CU_ASSERT(dropped_as(LAN, &p, DROP_SELECTOR_OUT));
	out_sa.outside = false;
	send_once(&p);
	close_all();
}

/* Which selectors a flow is inside is kept with it, and asked once more when its slot has an SA with others. */
static void test_known_flow_learns_the_number_of_its_selectors(void)
{
	open_all();
	RIG_POLICY(PROTECT_FAR);
	out_sa.number = 7;
	for (int i = 0; i < 3; i++)
		send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 0);
	out_sa.number = 8;
	for (int i = 0; i < 3; i++)
		send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 1);
	/* not inside: nothing is kept, and each packet looked at */
	out_sa.number = 9;
	out_sa.outside = true;
	for (int i = 0; i < 3; i++)
		CU_ASSERT(dropped_as(LAN, &to_far, DROP_SELECTOR_OUT));
	CU_ASSERT_EQUAL(returned(), 1);
	/* the first packet learns of it, the second goes by it */
	out_sa.number = 8;
	out_sa.outside = false;
	send_once(&to_far);
	out_sa.number = 7;
	send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 1);
	/* without a number nothing is kept */
	out_sa.number = 0;
	for (int i = 0; i < 3; i++)
		send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 1);
	close_all();
}

/* What was counted on the way into the burst is not counted twice, and TTLs are one less, not two. */
static void test_known_packet_that_came_back_leaves_as_any(void)
{
	struct probe p = to_far;

	p.ttl = 2;
	open_all();
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&p);
	out_sa.number = 2;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(returned(), 1);
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const struct rte_ipv4_hdr *inner = (const void *)((uint8_t *)frame_ip(m) + 28);
	CU_ASSERT_EQUAL(inner->time_to_live, 1);
	CU_ASSERT_EQUAL(rte_ipv4_cksum(inner), 0);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 3);
	close_all();
}

/* A packet that is too large for the SA, in the middle of its flow: fragments, and nothing overtakes them. */
static void test_known_packet_too_large_keeps_its_place(void)
{
	const struct probe packets[] = { of_bytes(60), of_bytes(700), of_bytes(64), of_bytes(68) };
	static const uint16_t bytes[] = { 60, 596, 124, 64, 68 };

	open_all();
	RIG_POLICY(PROTECT_FAR);
	out_sa.inner_mtu = 600;
	number_learnt(&packets[0]);
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		rig_send(LAN, &packets[i]);
	rig_step();
	CU_ASSERT_EQUAL(returned(), 3);
	expect_order(bytes, ARRAY_LEN(bytes));
	close_all();
}

/* In a burst with others that wait for policy, and with misses, of which some are of the same flow. */
static void test_known_packets_that_came_back_keep_their_order(void)
{
	const struct probe other = { .src = "10.1.0.9", .dst = FAR_HOST, .sport = 1, .dport = 7, .bytes = 48 };
	const struct probe packets[] = { of_bytes(60), other, of_bytes(64), first_fragment, of_bytes(72) };
	static const uint16_t bytes[] = { 60, 64, 48, 68, 72 };

	open_all();
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&packets[0]);
	out_sa.number = 2;
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		rig_send(LAN, &packets[i]);
	rig_step();
	CU_ASSERT_EQUAL(returned(), 2);
	expect_order(bytes, ARRAY_LEN(bytes));
	close_all();
}

/* While its SA has no owner that stays, nothing is kept of a flow. */
static void test_known_flow_forgets_an_sa_that_leaves(void)
{
	open_all();
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&to_far);
	out_sa.owner = WORKER_LEAVING;
	send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 1);
	send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 0);
	out_sa.owner = 0;
	send_once(&to_far);
	send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 6);
	close_all();
}

/* Another flow's packet waits for its owner in the middle of the burst, before that of the SA of the first is asked. */
static void test_known_packets_do_not_overtake_one_that_comes_back(void)
{
	const struct probe other = { .src = LAN_HOST, .dst = "10.2.0.200", .sport = 5, .dport = 7, .bytes = 48 };
	const struct probe packets[] = { of_bytes(60), other, of_bytes(64), of_bytes(68) };
	struct sa other_sa;
	uint16_t last = 0, bytes;

	open_all();
	other_sa = out_sa;
	fake.tunnels[2] = &other_sa;
	RIG_POLICY("protect 2 10.1.0.0/24 10.2.0.128/25", PROTECT_FAR);
	number_learnt(&packets[0]);
	send_once(&other);
	send_once(&other);
	/* both change owners; the first flow was idle while they were leaving */
	out_sa.owner = other_sa.owner = WORKER_MOVING;
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		rig_send(LAN, &packets[i]);
	worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count, 4);
	out_sa.owner = other_sa.owner = WORKER_NONE;
	rig_step();
	for (int i = 0; i < 4; i++) {
		bytes = next_left();
		CU_ASSERT(bytes == 48 || (bytes >= 60 && bytes > last));
		last = bytes == 48 ? last : bytes;
	}
	CU_ASSERT_EQUAL(last, 68);
	fake.tunnels[2] = NULL;
	close_all();
}

/* A fragment waits, and the owner appears before the next packet of its flow is looked at. */
static void test_known_packets_do_not_overtake_one_that_waits(void)
{
	const struct probe behind = of_bytes(64);
	static const uint16_t bytes[] = { 68, 64 };

	open_all();
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&to_far);
	fake.moving_reads = 1;
	rig_send(LAN, &first_fragment);
	worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count, 1);
	fake.moving_reads = 1;
	rig_send(LAN, &behind);
	worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(rig.dp->workers[0]->parked.count, 2);
	rig_step();
	expect_order(bytes, ARRAY_LEN(bytes));
	close_all();
}

/* Fragments of another flow fill the burst, which is sealed before the rest of the flow is looked at. */
static void test_known_packets_do_not_overtake_one_of_a_burst_before(void)
{
	const struct probe other = { .src = LAN_HOST, .dst = "10.2.0.200", .sport = 5, .dport = 7, .bytes = 1400 };
	const struct probe large = of_bytes(700), behind = of_bytes(64);
	static const uint16_t expected[] = { 596, 124, 64 };
	struct sa other_sa;
	uint16_t bytes, seen = 0, fragments = 0;

	open_all();
	out_sa.inner_mtu = 600;
	other_sa = out_sa;
	other_sa.inner_mtu = 100;
	fake.tunnels[2] = &other_sa;
	RIG_POLICY("protect 2 10.1.0.0/24 10.2.0.128/25", PROTECT_FAR);
	number_learnt(&to_far);
	for (int known = 0; known < 2; known++) {
		rig_send(LAN, &other);
		rig_step();
		rig_sent(WAN);
	}
	rig_send(LAN, &large);
	for (int i = 0; i < 4; i++)
		rig_send(LAN, &other);
	rig_send(LAN, &behind);
	rig_step();
	while ((bytes = next_left())) {
		bool of_other = bytes == 100 || bytes == 40;
		fragments += of_other;
		if (!of_other && seen < ARRAY_LEN(expected))
			CU_ASSERT_EQUAL(bytes, expected[seen]);
		seen += !of_other;
	}
	CU_ASSERT(fragments > BURST && seen == ARRAY_LEN(expected));
	fake.tunnels[2] = NULL;
	close_all();
}

/* A SYN behind a packet that comes back: it is clamped, and stays behind it. */
static void test_known_syn_behind_one_that_comes_back(void)
{
	uint8_t tcp[24] = { 0, 80, 0, 80, [12] = 6 << 4, [20] = 2, 4, 0x05, 0xb4 };
	struct probe data = { .src = LAN_HOST,
		.dst = FAR_HOST,
		.protocol = IPPROTO_TCP,
		.payload = tcp,
		.payload_bytes = sizeof(tcp) },
		     syn = data;
	uint8_t tcp_syn[28];

	memcpy(tcp_syn, tcp, sizeof(tcp));
	memset(tcp_syn + sizeof(tcp), 0, sizeof(tcp_syn) - sizeof(tcp));
	tcp_syn[13] = RTE_TCP_SYN_FLAG;
	syn.payload = tcp_syn;
	syn.payload_bytes = sizeof(tcp_syn);
	open_all();
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&data);
	out_sa.number = 2;
	rig_send(LAN, &data);
	rig_send(LAN, &syn);
	rig_step();
	CU_ASSERT_EQUAL(returned(), 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_MSS_CLAMPED), 1);
	CU_ASSERT_EQUAL(next_left(), 20 + sizeof(tcp));
	CU_ASSERT_EQUAL(next_left(), 20 + sizeof(tcp_syn));
	close_all();
}

/* To the worker that has the SA by now, as it came. */
static void test_known_packet_that_came_back_is_handed_on(void)
{
	struct path_spec spec = { 0 };

	rig_open(2);
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = 0, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
	RIG_POLICY(PROTECT_FAR);
	number_learnt(&to_far);
	out_sa.owner = 1;
	rig_send(LAN, &to_far);
	worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(returned(), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const struct rte_ipv4_hdr *inner = (const void *)((uint8_t *)frame_ip(m) + 28);
	CU_ASSERT_EQUAL(inner->time_to_live, 63);
	rte_pktmbuf_free(m);
	/* of its flow nothing is kept here any more */
	send_once(&to_far);
	CU_ASSERT_EQUAL(returned(), 0);
	close_all();
}

/* Packets of one burst that leave it with their link's header, and such that do not. */
static void test_known_framed_or_not_keeps_its_order(void)
{
	const struct probe packets[] = { of_bytes(60), of_bytes(90), of_bytes(64), of_bytes(92), of_bytes(68) };
	static const uint16_t bytes[] = { 60, 90, 64, 92, 68 };

	open_all();
	RIG_POLICY(PROTECT_FAR);
	send_once(&packets[0]);
	fake.framed = 0;
	out_sa.framed_most = 80 + 28;
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		rig_send(LAN, &packets[i]);
	rig_step();
	expect_order(bytes, ARRAY_LEN(bytes));
	CU_ASSERT_EQUAL(fake.framed, 3);
	close_all();
}

static void test_known_until_the_address_is_ours(void)
{
	struct addr far;

	open_all();
	addr_parse(FAR_HOST, &far);
	RIG_POLICY(PROTECT_FAR);
	send_once(&to_far);
	CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &far), 0);
	rig_send(LAN, &to_far);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 1);
	datapath_address_remove(rig.dp, &far);
	rig_sent(LAN);
	send_once(&to_far);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 2);
	close_all();
}

static void test_known_on_one_port_is_not_on_another(void)
{
	open_all();
	RIG_POLICY(PROTECT_FAR);
	send_once(&to_far);
	CU_ASSERT(dropped_as(WAN, &to_far, DROP_MARTIAN));
	close_all();
}

static void test_known_until_the_source_is_ours(void)
{
	struct addr host;

	open_all();
	addr_parse(LAN_HOST, &host);
	RIG_POLICY(PROTECT_FAR);
	send_once(&to_far);
	CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &host), 0);
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_MARTIAN));
	datapath_address_remove(rig.dp, &host);
	close_all();
}

static void test_known_flow_has_its_syn_clamped(void)
{
	uint8_t tcp[24] = { 0, 80, 0, 80, [12] = 6 << 4, [13] = RTE_TCP_SYN_FLAG, [20] = 2, 4, 0x05, 0xb4 };
	struct probe p = {
		.src = LAN_HOST, .dst = FAR_HOST, .protocol = IPPROTO_TCP, .payload = tcp, .payload_bytes = sizeof(tcp)
	};

	open_all();
	RIG_POLICY(PROTECT_FAR);
	out_sa.number = 1;
	for (uint64_t i = 1; i <= 4; i++) {
		send_once(&p);
		CU_ASSERT_EQUAL(rig_counter(DP_C_MSS_CLAMPED), i);
	}
	close_all();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_known_flows_end_as_new_ones),
		TEST(test_known_in_a_small_cache),
		TEST(test_known_flow_and_a_fragment_keep_their_order),
		TEST(test_known_handed_over_keeps_its_order),
		TEST(test_known_packets_are_looked_at_closer),
		TEST(test_known_flow_learns_the_number_of_its_selectors),
		TEST(test_known_packet_that_came_back_leaves_as_any),
		TEST(test_known_packet_too_large_keeps_its_place),
		TEST(test_known_packets_that_came_back_keep_their_order),
		TEST(test_known_flow_forgets_an_sa_that_leaves),
		TEST(test_known_packets_do_not_overtake_one_that_comes_back),
		TEST(test_known_packets_do_not_overtake_one_that_waits),
		TEST(test_known_packets_do_not_overtake_one_of_a_burst_before),
		TEST(test_known_syn_behind_one_that_comes_back),
		TEST(test_known_packet_that_came_back_is_handed_on),
		TEST(test_known_framed_or_not_keeps_its_order),
		TEST(test_known_until_the_address_is_ours),
		TEST(test_known_until_the_source_is_ours),
		TEST(test_known_on_one_port_is_not_on_another),
		TEST(test_known_flow_has_its_syn_clamped),
	};

	rig_eal();
	return test_main("datapath_known", tests, ARRAY_LEN(tests), argc, argv);
}
