/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures of tunnels and ports: what is copied where, the bounds of their rings, and that traffic never waits. */
#include <errno.h>

#include "fake_ipsec.h"
#include "harness.h"
#include "rig.h"

static struct sa out_sa;

#define TAKEN_MAX 16

static struct {
	size_t count;
	struct datapath_captured packets[TAKEN_MAX];
	uint8_t first[TAKEN_MAX]; /* byte of each */
} taken;

static void take(void *context, const struct datapath_captured *p)
{
	(void)context;
	if (taken.count < TAKEN_MAX) {
		taken.packets[taken.count] = *p;
		taken.first[taken.count] = p->data.data[0];
	}
	taken.count++;
}

static void drain(void)
{
	taken.count = 0;
	datapath_capture_drain(rig.dp, 100000, take, NULL);
}

static void begin(void)
{
	struct path_spec spec = { 0 };

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24", "bypass 10.1.0.0/24 192.0.2.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .tunnel_slot = 3, .owner = WORKER_NONE, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
}

static void end(void)
{
	path_free(out_sa.path);
	fake.tunnels[3] = NULL;
	rig_close();
}

static const struct probe to_far = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 300, .sport = 1000, .dport = 7 };

static const struct datapath_capture_spec tunnel_3 = {
	.first_slot = 3, .slot_count = 1, .clear = true, .sealed = true, .snaplen = 64
};

static void settle(void)
{
	datapath_capture_stop(rig.dp);
	rig_step();
	reclaim_poll(rig.ips);
	drain();
	drain();
	CU_ASSERT(datapath_capture_settled(rig.dp));
}

static void send_far(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rig_send(LAN, &to_far);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), n);
}

static void test_capture_outbound_has_both_sides_of_the_crypto(void)
{
	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), 0);
	send_far(1);
	drain();
	CU_ASSERT_EQUAL_FATAL(taken.count, 2);
	CU_ASSERT_EQUAL(taken.packets[0].point, CAPTURE_CLEAR_OUT);
	CU_ASSERT_EQUAL(taken.packets[0].length, 300);
	CU_ASSERT_EQUAL(taken.packets[0].data.len, 64);
	CU_ASSERT_EQUAL(taken.packets[1].point, CAPTURE_SEALED_OUT);
	CU_ASSERT(taken.packets[1].length > 300);
	CU_ASSERT_EQUAL(taken.first[0], 0x45);
	CU_ASSERT_EQUAL(taken.first[1], 0x45);
	CU_ASSERT_EQUAL(taken.packets[0].reason, DROP_NONE);
	settle();
	end();
}

/* A packet whose flow knows of other selectors than its SA has now is seen once. */
static void test_capture_of_a_known_flow_has_each_packet_once(void)
{
	begin();
	out_sa.number = 1;
	send_far(1);
	send_far(1);
	out_sa.number = 2;
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), 0);
	send_far(2);
	drain();
	CU_ASSERT_EQUAL(taken.count, 4);
	settle();
	end();
}

static void test_capture_one_side_when_asked(void)
{
	struct datapath_capture_spec sealed = tunnel_3;

	sealed.clear = false;
	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &sealed), 0);
	send_far(2);
	drain();
	CU_ASSERT_EQUAL(taken.count, 2);
	CU_ASSERT_EQUAL(taken.packets[0].point, CAPTURE_SEALED_OUT);
	settle();
	end();
}

static void test_capture_of_another_tunnel_sees_nothing(void)
{
	struct datapath_capture_spec other = tunnel_3;

	other.first_slot = 4;
	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &other), 0);
	send_far(1);
	drain();
	CU_ASSERT_EQUAL(taken.count, 0);
	settle();
	end();
}

static void test_capture_names_the_drop(void)
{
	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), 0);
	out_sa.refuse = DROP_EXPIRED;
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_EXPIRED));
	out_sa.outside = true;
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_SELECTOR_OUT));
	fake.tunnels[3] = NULL;
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_NO_SA));
	drain();
	CU_ASSERT_EQUAL_FATAL(taken.count, 3);
	CU_ASSERT_EQUAL(taken.packets[0].reason, DROP_EXPIRED);
	CU_ASSERT_EQUAL(taken.packets[1].reason, DROP_SELECTOR_OUT);
	CU_ASSERT_EQUAL(taken.packets[2].reason, DROP_NO_SA);
	settle();
	end();
}

static void test_capture_of_a_port_copies_frames_both_ways(void)
{
	const struct datapath_capture_spec lan = { .of_port = true, .port = LAN, .snaplen = 2048 };

	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &lan), 0);
	rig_send(LAN, &(struct probe){ .src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP });
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	send_far(1);
	drain();
	CU_ASSERT_EQUAL_FATAL(taken.count, 3);
	CU_ASSERT_EQUAL(taken.packets[0].point, CAPTURE_PORT_IN);
	CU_ASSERT_EQUAL(taken.packets[1].point, CAPTURE_PORT_OUT);
	CU_ASSERT_EQUAL(taken.packets[2].point, CAPTURE_PORT_IN);
	CU_ASSERT_EQUAL(taken.packets[2].length, 314);
	settle();
	end();
}

static void test_capture_full_ring_loses_copies_not_packets(void)
{
	const struct datapath_capture_spec long_ones = {
		.first_slot = 3, .slot_count = 1, .clear = true, .snaplen = UINT16_MAX
	};

	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &long_ones), 0);
	for (int i = 0; i < 3; i++)
		send_far(32);
	CU_ASSERT_EQUAL(datapath_capture_lost(rig.dp), 3 * 32 - CAPTURE_SLOTS_MIN);
	drain();
	CU_ASSERT_EQUAL(taken.count, CAPTURE_SLOTS_MIN);
	send_far(1);
	drain();
	CU_ASSERT_EQUAL(taken.count, 1);
	settle();
	end();
}

static void test_capture_one_at_a_time_and_settles(void)
{
	const struct datapath_capture_spec nothing = { .snaplen = 64 },
					   no_port = { .of_port = true, .port = 9, .snaplen = 64 };

	begin();
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &nothing), -EINVAL);
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &no_port), -EINVAL);
	CU_ASSERT(datapath_capture_settled(rig.dp));
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), 0);
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), -EBUSY);
	send_far(1);
	datapath_capture_stop(rig.dp);
	/* nothing more is copied, what was is still there */
	send_far(1);
	reclaim_poll(rig.ips);
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), -EBUSY);
	drain();
	CU_ASSERT_EQUAL(taken.count, 2);
	drain();
	CU_ASSERT(datapath_capture_settled(rig.dp));
	/* one that runs when the data path ends is freed with it */
	CU_ASSERT_EQUAL(datapath_capture_start(rig.dp, &tunnel_3), 0);
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_capture_outbound_has_both_sides_of_the_crypto),
		TEST(test_capture_of_a_known_flow_has_each_packet_once),
		TEST(test_capture_one_side_when_asked),
		TEST(test_capture_of_another_tunnel_sees_nothing),
		TEST(test_capture_names_the_drop),
		TEST(test_capture_of_a_port_copies_frames_both_ways),
		TEST(test_capture_full_ring_loses_copies_not_packets),
		TEST(test_capture_one_at_a_time_and_settles),
	};

	rig_eal();
	return test_main("datapath_capture", tests, ARRAY_LEN(tests), argc, argv);
}
