/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces: which packets are sampled, what their records say from stage to stage and worker to worker, and the bounds of
 * the rings. */
#include <errno.h>

#include "fake_ipsec.h"
#include "harness.h"
#include "rig.h"

#define RECORDS_MAX (2 * TRACE_RING_SIZE)

static struct sa out_sa;
static struct datapath_trace_record records[RECORDS_MAX];
static size_t count;

static void begin(uint16_t workers)
{
	struct path_spec spec = { 0 };

	rig_open(workers);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = 0, .inner_mtu = 1400 };
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
static const struct probe to_nowhere = { .src = LAN_HOST, .dst = "10.9.0.1" };

static void start(const char *src, const char *dst, uint32_t packets, uint32_t every)
{
	struct datapath_trace_spec spec = { .count = packets, .every = every };

	if (src)
		prefix_parse(src, &spec.src);
	if (dst)
		prefix_parse(dst, &spec.dst);
	CU_ASSERT_EQUAL_FATAL(datapath_trace_start(rig.dp, &spec), 0);
}

static void send_all(uint16_t port, const struct probe *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rig_send(port, p);
	rig_step();
	rig_sent(LAN);
	rig_sent(WAN);
}

/* "received clear protect ...": of all records, those of one packet when there is one. */
static const char *stages(void)
{
	static char text[1024];
	size_t len = 0;

	text[0] = '\0';
	count = datapath_trace_read(rig.dp, records, RECORDS_MAX);
	for (size_t i = 0; i < count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
			datapath_trace_row(records[i].stage)->name);
	return text;
}

static size_t sampled(void)
{
	size_t packets = 0;

	count = datapath_trace_read(rig.dp, records, RECORDS_MAX);
	for (size_t i = 0; i < count; i++)
		packets += records[i].stage == TRACE_RECEIVED;
	return packets;
}

static void test_trace_follows_a_packet_into_the_tunnel(void)
{
	begin(1);
	start(NULL, NULL, 1, 1);
	send_all(LAN, &to_far, 3);
	CU_ASSERT_STRING_EQUAL(stages(), "received clear protect encrypted next_hop sent");
	CU_ASSERT_EQUAL(records[0].what, LAN);
	CU_ASSERT_EQUAL(records[0].which, 314);
	CU_ASSERT_EQUAL(records[2].which, 3);
	CU_ASSERT_EQUAL(records[3].which, 0x1002);
	CU_ASSERT_EQUAL(records[5].what, WAN);
	for (size_t i = 1; i < count; i++) {
		CU_ASSERT_EQUAL(records[i].packet, records[0].packet);
		CU_ASSERT(records[i].cycles >= records[i - 1].cycles);
	}
	end();
}

static void test_trace_mark_goes_with_the_packet_to_another_worker(void)
{
	begin(2);
	out_sa.owner = 1;
	start(NULL, NULL, 1, 1);
	send_all(LAN, &to_far, 1);
	CU_ASSERT_STRING_EQUAL(stages(), "received clear protect handed taken clear protect encrypted next_hop sent");
	CU_ASSERT_EQUAL(records[3].what, 1);
	CU_ASSERT_EQUAL(records[3].worker, 0);
	CU_ASSERT_EQUAL(records[4].worker, 1);
	CU_ASSERT_EQUAL(records[9].packet, records[0].packet);
	end();
}

/* Cut or joined, it is the same packet. */
static void test_trace_goes_on_where_a_packet_is_cut(void)
{
	static const struct probe large = {
		.src = LAN_HOST, .dst = FAR_HOST, .bytes = 1000, .sport = 1000, .dport = 7
	};

	begin(1);
	out_sa.inner_mtu = 600;
	start(NULL, NULL, 1, 1);
	send_all(LAN, &large, 1);
	CU_ASSERT_STRING_EQUAL(stages(), "received clear protect encrypted encrypted next_hop next_hop sent sent");
	for (size_t i = 1; i < count; i++)
		CU_ASSERT_EQUAL(records[i].packet, records[0].packet);
	end();
}

static void test_trace_goes_on_where_fragments_are_joined(void)
{
	/* an echo request of 24 bytes in two fragments, of which the second one is sampled */
	uint8_t echo[24] = { 8 };
	uint16_t checksum = (uint16_t)~rte_raw_cksum(echo, sizeof(echo));
	struct probe p = {
		.src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP, .payload = echo, .payload_bytes = 16
	};

	memcpy(echo + 2, &checksum, sizeof(checksum));
	rig_open_reassembly(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	p.fragment = RTE_IPV4_HDR_MF_FLAG;
	rig_send(LAN, &p);
	rig_step();
	start(NULL, NULL, 1, 1);
	p.fragment = 2;
	p.payload = echo + 16;
	p.payload_bytes = 8;
	send_all(LAN, &p, 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	CU_ASSERT_STRING_EQUAL(stages(), "received local clear forward next_hop sent");
	rig_close();
}

static void test_trace_names_the_drop(void)
{
	begin(1);
	start(NULL, "10.9.0.0/16", 4, 1);
	send_all(LAN, &to_nowhere, 1);
	CU_ASSERT_STRING_EQUAL(stages(), "received clear refuse dropped");
	CU_ASSERT_EQUAL(records[3].what, DROP_NO_POLICY);
	end();
}

static void test_trace_chooses_by_address_turn_and_count(void)
{
	begin(1);
	start("10.1.0.0/24", "10.2.0.2/32", 100, 1);
	send_all(LAN, &to_far, 2);
	send_all(LAN, &to_nowhere, 2);
	CU_ASSERT_EQUAL(sampled(), 2);
	datapath_trace_stop(rig.dp);
	start(NULL, NULL, 100, 3);
	send_all(LAN, &to_far, 9);
	CU_ASSERT_EQUAL(sampled(), 3);
	datapath_trace_stop(rig.dp);
	start(NULL, NULL, 2, 1);
	send_all(LAN, &to_far, 9);
	CU_ASSERT_EQUAL(sampled(), 2);
	datapath_trace_stop(rig.dp);
	start("2001:db8::/32", NULL, 2, 1);
	send_all(LAN, &to_far, 1);
	CU_ASSERT_EQUAL(sampled(), 0);
	end();
}

static void test_trace_chooses_by_address_behind_a_vlan_tag(void)
{
	uint8_t frame[64] = { 0 };

	begin(1);
	store_be16(frame + 12, RTE_ETHER_TYPE_VLAN);
	store_be16(frame + 16, RTE_ETHER_TYPE_IPV4);
	frame[18] = 0x45;
	memcpy(frame + 18 + 12, (const uint8_t[]){ 10, 1, 0, 2, 10, 2, 0, 2 }, 8);
	start("10.1.0.0/24", "10.2.0.2/32", 9, 1);
	rig_send_frame(LAN, frame, sizeof(frame));
	rig_step();
	CU_ASSERT_EQUAL(sampled(), 1);
	frame[18 + 19] = 3;
	rig_send_frame(LAN, frame, sizeof(frame));
	rig_step();
	CU_ASSERT_EQUAL(sampled(), 0);
	end();
}

static void test_trace_of_a_tunnel_begins_where_it_is_known(void)
{
	const struct datapath_trace_spec spec = { .count = 9, .every = 1, .first_slot = 3, .slot_count = 1 };

	begin(1);
	CU_ASSERT_EQUAL(datapath_trace_start(rig.dp, &spec), 0);
	send_all(LAN, &to_nowhere, 1);
	send_all(LAN, &to_far, 1);
	CU_ASSERT_STRING_EQUAL(stages(), "protect encrypted next_hop sent");
	end();
}

static void test_trace_frames_too_short_match_no_address(void)
{
	static const uint8_t runt[20] = { 0x02 };

	begin(1);
	start("0.0.0.0/0", NULL, 9, 1);
	rig_send_frame(LAN, runt, sizeof(runt));
	rig_send_frame(LAN, runt, 10);
	rig_step();
	CU_ASSERT_EQUAL(sampled(), 0);
	datapath_trace_stop(rig.dp);
	start(NULL, NULL, 9, 1);
	rig_send_frame(LAN, runt, 10);
	rig_step();
	CU_ASSERT_STRING_EQUAL(stages(), "received dropped");
	end();
}

static void test_trace_full_ring_loses_records_not_packets(void)
{
	begin(1);
	start(NULL, NULL, DATAPATH_TRACE_PACKETS_MAX, 1);
	for (size_t i = 0; i < TRACE_RING_SIZE; i++) {
		const struct datapath_trace_record filler = { 0 };
		rte_ring_sp_enqueue_elem(rig.dp->workers[0]->records, (void *)(uintptr_t)&filler, sizeof(filler));
	}
	rig_send(LAN, &to_far);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	CU_ASSERT(datapath_trace_lost(rig.dp) > 0);
	end();
}

static void test_trace_one_at_a_time_and_old_marks_are_none(void)
{
	const struct datapath_trace_spec spec = { .count = 1, .every = 1 }, nothing = { .every = 1 };
	const struct datapath_trace_spec many = { .count = DATAPATH_TRACE_PACKETS_MAX + 1, .every = 1 };

	begin(1);
	CU_ASSERT_EQUAL(datapath_trace_start(rig.dp, &nothing), -EINVAL);
	CU_ASSERT_EQUAL(datapath_trace_start(rig.dp, &many), -EINVAL);
	start(NULL, NULL, 1, 1);
	CU_ASSERT(datapath_trace_running(rig.dp));
	CU_ASSERT_EQUAL(datapath_trace_start(rig.dp, &spec), -EBUSY);
	send_all(LAN, &to_far, 1);
	datapath_trace_stop(rig.dp);
	CU_ASSERT(!datapath_trace_running(rig.dp));
	/* what the one before left is forgotten */
	start(NULL, "10.9.0.0/16", 1, 1);
	send_all(LAN, &to_far, 1);
	CU_ASSERT_STRING_EQUAL(stages(), "");
	end();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_trace_follows_a_packet_into_the_tunnel),
		TEST(test_trace_mark_goes_with_the_packet_to_another_worker),
		TEST(test_trace_goes_on_where_a_packet_is_cut),
		TEST(test_trace_goes_on_where_fragments_are_joined),
		TEST(test_trace_names_the_drop),
		TEST(test_trace_chooses_by_address_turn_and_count),
		TEST(test_trace_chooses_by_address_behind_a_vlan_tag),
		TEST(test_trace_of_a_tunnel_begins_where_it_is_known),
		TEST(test_trace_frames_too_short_match_no_address),
		TEST(test_trace_full_ring_loses_records_not_packets),
		TEST(test_trace_one_at_a_time_and_old_marks_are_none),
	};

	rig_eal();
	return test_main("datapath_trace", tests, ARRAY_LEN(tests), argc, argv);
}
