/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP for our address: found by SPI, handed to the burst, the inner packet routed, answered or dropped by name. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

#define SPI 0x1001

#define LAN_SILENT "10.1.0.99" /* on the link, but nobody knows its MAC */

static struct sa in_sa;

static void inbound_open(void)
{
	rig_open(1);
	in_sa = (struct sa){ .spi = SPI };
	fake.inbound[0] = &in_sa;
}

/* ESP header and an inner packet, as the payload of an outer one. */
static uint16_t esp_make(uint8_t *at, uint32_t spi, const struct probe *inner)
{
	struct rte_mbuf *m = rig_packet(inner);
	uint16_t bytes = m->data_len;

	store_be32(at, spi);
	store_be32(at + 4, 1);
	memcpy(at + 8, rte_pktmbuf_mtod(m, void *), bytes);
	rte_pktmbuf_free(m);
	return (uint16_t)(8 + bytes);
}

static const struct probe inner_to_lan = { .src = FAR_HOST, .dst = LAN_HOST, .sport = 7, .dport = 1000 };

static struct probe outer_of(const uint8_t *payload, uint16_t bytes)
{
	return (struct probe){
		.src = WAN_PEER, .dst = WAN_OWN, .protocol = IPPROTO_ESP, .payload = payload, .payload_bytes = bytes
	};
}

static void test_inbound_raw_esp_is_opened_and_routed(void)
{
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner_to_lan));
	rig_send(WAN, &outer);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(frame_ip(m)->src_addr, ip4(FAR_HOST));
	CU_ASSERT_EQUAL(frame_ip(m)->time_to_live, 63);
	CU_ASSERT(ip_checksum_valid(frame_ip(m)));
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), 1);
	rig_close();
}

static void esp_send(const struct probe *inner)
{
	uint8_t payload[512];
	struct probe outer = outer_of(payload, esp_make(payload, SPI, inner));

	rig_send(WAN, &outer);
}

/* Known flows go on by a shorter way than others, and overtake nobody. */
static void test_inbound_packets_leave_in_the_order_they_came_in(void)
{
	static const struct probe known = { .src = FAR_HOST, .dst = LAN_HOST, .sport = 7, .dport = 1000 },
				  fresh = { .src = FAR_HOST, .dst = LAN_HOST, .sport = 8, .dport = 1000 },
				  echo = { .src = FAR_HOST, .dst = LAN_HOST, .protocol = IPPROTO_ICMP, .bytes = 61 },
				  ended = { .src = FAR_HOST, .dst = LAN_HOST, .sport = 7, .dport = 1000, .ttl = 1 };
	static const struct {
		const struct probe *inner;
		bool leaves;
	} packets[] = { { &fresh, true }, { &known, true }, { &echo, true }, { &known, true }, { &ended, false },
		{ &known, true }, { &fresh, true }, { &echo, true }, { &fresh, true }, { &known, true } };

	inbound_open();
	esp_send(&known);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		esp_send(packets[i].inner);
	rig_step();
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		const struct probe *inner = packets[i].inner;
		if (!packets[i].leaves)
			continue;
		struct rte_mbuf *m = rig_receive(LAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(frame_ip(m) + 1);
		CU_ASSERT_EQUAL(frame_ip(m)->next_proto_id, inner->protocol ? inner->protocol : IPPROTO_UDP);
		CU_ASSERT(inner->protocol || udp->src_port == rte_cpu_to_be_16(inner->sport));
		CU_ASSERT_EQUAL(frame_ip(m)->time_to_live, 63);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), ARRAY_LEN(packets) + 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_FLOW_MISS), 4);
	rig_close();
}

/* Outer headers that are not plain, and ESP without a sequence number, take a longer way; no packet overtakes another.
 */
static void test_inbound_plain_and_other_outer_headers_keep_their_order(void)
{
	static const char kinds[] = "pprpspprrspp"; /* plain, with the reserved flag, short */
	uint8_t payload[512];

	inbound_open();
	for (size_t i = 0; kinds[i]; i++) {
		const struct probe inner = {
			.src = FAR_HOST, .dst = LAN_HOST, .sport = (uint16_t)(100 + i), .dport = 9
		};
		struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner));
		outer.fragment = kinds[i] == 'r' ? 0x8000 : 0;
		outer.payload_bytes = kinds[i] == 's' ? 4 : outer.payload_bytes;
		rig_send(WAN, &outer);
	}
	rig_step();
	for (size_t i = 0; kinds[i]; i++) {
		if (kinds[i] == 's')
			continue;
		struct rte_mbuf *m = rig_receive(LAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_EQUAL(((const struct rte_udp_hdr *)(frame_ip(m) + 1))->src_port, rte_cpu_to_be_16(100 + i));
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_SHORT), 2);
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), sizeof(kinds) - 1 - 2);
	rig_close();
}

/* Packets in a row that the same was decided about share the way, unless it depends on the packet: each goes where it
 * would alone. */
static void test_inbound_known_flows_of_a_burst_each_go_their_own_way(void)
{
	static const struct probe to_lan = { .src = FAR_HOST, .dst = LAN_HOST, .sport = 7, .dport = 1000 },
				  to_link = { .src = FAR_HOST, .dst = WAN_PEER, .sport = 7, .dport = 1000 },
				  unresolved = { .src = FAR_HOST, .dst = LAN_SILENT, .sport = 7, .dport = 1000 },
				  back = { .src = FAR_HOST, .dst = "10.99.0.1", .sport = 7, .dport = 1000 };
	static const struct probe *const burst[] = { &to_lan, &unresolved, &to_lan, &back, &to_link, &back, &to_lan,
		&to_link, &unresolved, &to_link };

	inbound_open();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(burst); i++)
			esp_send(burst[i]);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(LAN), 3);
		CU_ASSERT_EQUAL(rig_sent(WAN), 3);
		CU_ASSERT_EQUAL(rig_drops(DROP_NO_POLICY), (uint64_t)(2 * (round + 1)));
	}
	CU_ASSERT_EQUAL(rig_counter(DP_C_FLOW_MISS), ARRAY_LEN(burst));
	/* nobody answers for the silent one */
	for (int i = 0; i < 20; i++) {
		rig.now_ns += SECOND_NS;
		rig_poll();
	}
	CU_ASSERT(rig_sent(LAN) > 0);
	rig_sent(WAN);
	rig_close();
}

/* What was decided about a flow while its addresses were others' holds no longer. */
static void test_inbound_known_flow_ends_when_an_address_becomes_ours(void)
{
	struct addr host, far;

	inbound_open();
	CU_ASSERT(!addr_parse(LAN_HOST, &host) && !addr_parse(FAR_HOST, &far));
	esp_send(&inner_to_lan);
	esp_send(&inner_to_lan);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 2);
	CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &host), 0);
	esp_send(&inner_to_lan);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	datapath_address_remove(rig.dp, &host);
	esp_send(&inner_to_lan);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &far), 0);
	esp_send(&inner_to_lan);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_MARTIAN), 1);
	rig_close();
}

static void test_inbound_udp_encapsulated_esp_is_opened(void)
{
	uint8_t payload[512] = { 0 };

	inbound_open();
	store_be16(payload, 40000);
	store_be16(payload + 2, PORT_NATT);
	uint16_t bytes = (uint16_t)(8 + esp_make(payload + 8, SPI, &inner_to_lan));
	store_be16(payload + 4, bytes);
	struct probe outer = outer_of(payload, bytes);
	outer.protocol = IPPROTO_UDP;
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	CU_ASSERT_EQUAL(in_sa.packets, 1);
	rig_close();
}

static void test_inbound_unknown_spi_is_dropped_and_reported(void)
{
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, 0xbadbad, &inner_to_lan));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_UNKNOWN_SPI));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_UNKNOWN_SPI);
	CU_ASSERT_EQUAL(rig.event.spi, 0xbadbad);
	CU_ASSERT_EQUAL(addr_ipv4(&rig.event.remote.addr), 0xc0000202);
	for (int i = 0; i < 1000; i++)
		CU_ASSERT(dropped_as(WAN, &outer, DROP_UNKNOWN_SPI));
	rig_poll();
	CU_ASSERT(rig.event_count < 200);
	rig_close();
}

static void test_inbound_short_and_fragmented_esp(void)
{
	uint8_t payload[64] = { 0 };
	struct probe outer;

	inbound_open();
	for (uint16_t n = 0; n < 8; n++) {
		outer = outer_of(payload, n);
		CU_ASSERT(dropped_as(WAN, &outer, DROP_SHORT));
	}
	outer = outer_of(payload, 64);
	outer.fragment = RTE_IPV4_HDR_MF_FLAG;
	CU_ASSERT(dropped_as(WAN, &outer, DROP_FRAGMENT));
	outer.fragment = 8;
	CU_ASSERT(dropped_as(WAN, &outer, DROP_FRAGMENT));
	rig_close();
}

static void test_inbound_burst_drop_has_its_name(void)
{
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner_to_lan));
	in_sa.refuse = DROP_BAD_ICV;
	CU_ASSERT(dropped_as(WAN, &outer, DROP_BAD_ICV));
	in_sa.refuse = DROP_REPLAYED;
	CU_ASSERT(dropped_as(WAN, &outer, DROP_REPLAYED));
	rig_close();
}

static void test_inbound_packet_waits_while_its_bucket_moves(void)
{
	uint8_t payload[512];

	inbound_open();
	sad_bucket_publish(rig.ips, SPI % SA_BUCKETS, WORKER_MOVING);
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner_to_lan));
	rig_send(WAN, &outer);
	for (int i = 0; i < 3; i++)
		worker_step(rig.dp->workers[0]);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	sad_bucket_publish(rig.ips, SPI % SA_BUCKETS, 0);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

static void test_inbound_echo_to_own_address_is_answered_through_policy(void)
{
	const struct probe echo = { .src = FAR_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP };
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &echo));
	/* no rule covers the answer: it does not leave in clear */
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_POLICY));
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_SA));
	CU_ASSERT_EQUAL(rig_counter(DP_C_LOCAL), 2);
	rig_close();
}

static void test_inbound_ike_inside_a_tunnel_is_not_taken(void)
{
	const struct probe ike = { .src = FAR_HOST, .dst = LAN_OWN, .sport = 500, .dport = 500 };
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &ike));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_LOCAL_UNHANDLED));
	rig_close();
}

static void test_inbound_ttl_error_goes_back_through_the_tunnel_or_not_at_all(void)
{
	struct probe tired = inner_to_lan;
	uint8_t payload[512];
	struct sa back = { .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = 1400 };
	struct path_spec spec = { 0 };

	inbound_open();
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &back.path), 0);
	fake.tunnels[3] = &back;
	tired.ttl = 1;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &tired));
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(frame_ip(m)->next_proto_id, IPPROTO_ESP);
	const struct rte_ipv4_hdr *inner = (void *)((uint8_t *)frame_ip(m) + 28);
	CU_ASSERT_EQUAL(inner->src_addr, ip4(LAN_OWN));
	CU_ASSERT_EQUAL(inner->dst_addr, ip4(FAR_HOST));
	rte_pktmbuf_free(m);
	path_free(back.path);
	rig_close();
}

static void test_inbound_syn_is_clamped_to_the_way_back(void)
{
	uint8_t tcp[24] = { [12] = 6 << 4, [13] = RTE_TCP_SYN_FLAG, [20] = 2, 4, 0x05, 0xb4 }, payload[512];
	const struct probe syn = {
		.src = FAR_HOST, .dst = LAN_HOST, .protocol = IPPROTO_TCP, .payload = tcp, .payload_bytes = sizeof(tcp)
	};
	struct sa back = { .spi = 0x1002, .owner = 0, .inner_mtu = 1300 };

	inbound_open();
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	fake.tunnels[3] = &back;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &syn));
	rig_send(WAN, &outer);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip(m) + 20 + 22), 1260);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_MSS_CLAMPED), 1);
	rig_close();
}

/* Of several children of a tunnel it is the one that the answer takes, and the tunnel may have no SA of its own. */
static void test_inbound_syn_is_clamped_to_the_child_of_its_source(void)
{
	uint8_t tcp[24] = { [12] = 6 << 4, [13] = RTE_TCP_SYN_FLAG, [20] = 2, 4, 0x05, 0xb4 }, payload[512];
	const struct probe syn = {
		.src = FAR_HOST, .dst = LAN_HOST, .protocol = IPPROTO_TCP, .payload = tcp, .payload_bytes = sizeof(tcp)
	};
	struct sa child = { .spi = 0x1002, .owner = 0, .inner_mtu = 1200 };

	inbound_open();
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	fake.child = 5;
	fake.child_of = 3;
	fake.child_addr_be = ip4(FAR_HOST);
	fake.tunnels[5] = &child;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &syn));
	rig_send(WAN, &outer);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip(m) + 20 + 22), 1160);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_MSS_CLAMPED), 1);
	rig_close();
}

/* A hub: what came out of one tunnel is protected again on its way into another, or does not leave at all. */
static void test_inbound_goes_on_under_the_policy_of_what_leaves(void)
{
	const struct probe spoke_to_spoke = { .src = FAR_HOST, .dst = "10.3.0.2" };
	uint8_t payload[512];

	inbound_open();
	in_sa.tunnel_slot = 3;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &spoke_to_spoke));
	RIG_POLICY("protect 3 10.3.0.0/24 10.2.0.0/24", "protect 4 10.2.0.0/24 10.3.0.0/24");
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_SA));
	RIG_POLICY("discard 10.2.0.0/24 10.3.0.0/24", "protect 3 10.3.0.0/24 10.2.0.0/24");
	CU_ASSERT(dropped_as(WAN, &outer, DROP_DISCARD));
	rig_close();
}

/* A rule whose sides overlap claims what came out of its own tunnel: what goes on to our side passes, what the route
 * leads to the peer's side again would circle, or leave there in clear. */
static void test_inbound_packet_for_its_own_tunnel_is_a_loop(void)
{
	const struct probe round = { .src = FAR_HOST, .dst = "10.3.0.2" };
	const struct probe round6 = { .src = FAR_HOST6, .dst = "2001:db8:3::2" };
	struct path path = { .port = WAN };
	struct sa out = { .spi = 0x1002, .owner = 0, .inner_mtu = 1400, .path = &path };
	uint8_t payload[512];

	inbound_open();
	in_sa.tunnel_slot = 3;
	RIG_POLICY("protect 3 0.0.0.0/0 0.0.0.0/0", "protect 3 ::/0 ::/0");
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &round));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_TUNNEL_LOOP));
	fake.tunnels[3] = &out;
	CU_ASSERT(dropped_as(WAN, &outer, DROP_TUNNEL_LOOP));
	outer = outer_of(payload, esp_make(payload, SPI, &round6));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_TUNNEL_LOOP));
	outer = outer_of(payload, esp_make(payload, SPI, &inner_to_lan));
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

/* What the SA's selectors let through is not yet on our side: where the route leads back to a router beyond the port it
 * came by, it leaves in clear when a rule says so only. A host on that link is where it should be. */
static void test_inbound_does_not_leave_in_clear_by_the_port_it_came_by(void)
{
	const struct probe astray = { .src = FAR_HOST, .dst = "10.99.0.1" },
			   to_link = { .src = FAR_HOST, .dst = WAN_PEER };
	const struct probe astray6 = { .src = FAR_HOST6, .dst = "2001:db8:99::1" };
	uint8_t payload[512];

	inbound_open();
	in_sa.tunnel_slot = 3;
	RIG_POLICY("protect 3 10.0.0.0/9 10.2.0.0/24", "protect 3 2001:db8::/34 2001:db8:2::/64");
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &astray));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_POLICY));
	/* and from memory */
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_POLICY));
	outer = outer_of(payload, esp_make(payload, SPI, &astray6));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_POLICY));
	outer = outer_of(payload, esp_make(payload, SPI, &to_link));
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	RIG_POLICY("protect 3 10.0.0.0/9 10.2.0.0/24", "bypass 10.2.0.0/24 0.0.0.0/0");
	outer = outer_of(payload, esp_make(payload, SPI, &astray));
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	rig_close();
}

/* Two gateways that lead a destination to each other: each hop takes one from the TTL, makes one packet of one, and the
 * last one answers through the tunnel of the sender. */
static void test_inbound_loop_over_two_tunnels_ends_by_ttl(void)
{
	struct probe round = { .src = FAR_HOST, .dst = "10.3.0.2", .ttl = 3 };
	struct sa out = { .spi = 0x1002, .owner = 0, .inner_mtu = 1400 };
	struct path_spec spec = { 0 };
	uint8_t payload[512];

	inbound_open();
	in_sa.tunnel_slot = 3;
	RIG_POLICY("protect 4 10.2.0.0/24 10.3.0.0/24");
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out.path), 0);
	fake.tunnels[4] = &out;
	for (; round.ttl > 1; round.ttl--) {
		struct probe outer = outer_of(payload, esp_make(payload, SPI, &round));
		rig_send(WAN, &outer);
		rig_step();
		struct rte_mbuf *m = rig_receive(WAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		CU_ASSERT_EQUAL(((struct rte_ipv4_hdr *)((uint8_t *)frame_ip(m) + 28))->time_to_live, round.ttl - 1);
		rte_pktmbuf_free(m);
		CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	}
	struct probe last = outer_of(payload, esp_make(payload, SPI, &round));
	rig_send(WAN, &last);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	/* at most the error, and that not in clear: no rule here is of the sender's net */
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	path_free(out.path);
	rig_close();
}

/* An error about a decrypted packet quotes it: never in clear, not even where a rule bypasses. */
static void test_inbound_error_about_tunnelled_packet_never_leaves_in_clear(void)
{
	const struct probe tired = { .src = FAR_HOST, .dst = LAN_HOST, .ttl = 1, .sport = 7, .dport = 1000 };
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &tired));
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_POLICY), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	rig_close();
}

static void test_inbound_inner_header_is_checked(void)
{
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner_to_lan));
	payload[8 + 10] ^= 1; /* inner header checksum */
	CU_ASSERT(dropped_as(WAN, &outer, DROP_INNER_HEADER));
	rig_close();
}

/* ---- AH, and both families inside and outside ---- */

/* AH header without ICV and an inner packet. */
static uint16_t ah_make(uint8_t *at, uint32_t spi, const struct probe *inner)
{
	struct rte_mbuf *m = rig_packet(inner);
	uint16_t bytes = m->data_len;

	memset(at, 0, 12);
	at[0] = packet_is_ip6(m) ? IPPROTO_IPV6 : IPPROTO_IPIP;
	at[1] = 1;
	store_be32(at + 4, spi);
	store_be32(at + 8, 1);
	memcpy(at + 12, rte_pktmbuf_mtod(m, void *), bytes);
	rte_pktmbuf_free(m);
	return (uint16_t)(12 + bytes);
}

static uint16_t udp_make(uint8_t *at, uint32_t spi, const struct probe *inner, uint16_t checksum)
{
	uint16_t bytes = (uint16_t)(8 + esp_make(at + 8, spi, inner));

	store_be16(at, 40000);
	store_be16(at + 2, PORT_NATT);
	store_be16(at + 4, bytes);
	store_be16(at + 6, checksum);
	return bytes;
}

static const struct probe inner6_to_lan = { .src = FAR_HOST6, .dst = LAN_HOST6, .sport = 7, .dport = 1000 };

static struct probe outer6_of(const uint8_t *payload, uint16_t bytes, uint8_t protocol)
{
	return (struct probe){
		.src = WAN_PEER6, .dst = WAN_OWN6, .protocol = protocol, .payload = payload, .payload_bytes = bytes
	};
}

/* The next frame of the LAN port is the inner packet, one hop on. */
static bool opened(bool six)
{
	struct rte_mbuf *m = rig_receive(LAN);
	bool right;

	if (!m)
		return false;
	if (six)
		right = ip6_is(ip6_source(frame_ip6(m)), FAR_HOST6) && frame_ip6(m)->hop_limits == 63 &&
			m->pkt_len == 74 && load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)) == RTE_ETHER_TYPE_IPV6;
	else
		right = frame_ip(m)->src_addr == ip4(FAR_HOST) && frame_ip(m)->time_to_live == 63 &&
			ip_checksum_valid(frame_ip(m)) && m->pkt_len == 74;
	rte_pktmbuf_free(m);
	return right && rig_sent(LAN) == 0;
}

static void test_inbound_every_family_in_every_family(void)
{
	const struct probe *inners[] = { &inner_to_lan, &inner6_to_lan };
	uint8_t payload[512];

	inbound_open();
	for (int six = 0; six < 2; six++) {
		struct probe outer = outer_of(payload, esp_make(payload, SPI, inners[six]));
		rig_send(WAN, &outer);
		rig_step();
		CU_ASSERT(opened(six));
		outer = outer6_of(payload, outer.payload_bytes, IPPROTO_ESP);
		rig_send(WAN, &outer);
		rig_step();
		CU_ASSERT(opened(six));
	}
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), 4);
	rig_close();
}

static void test_inbound_ah_is_found_by_its_spi(void)
{
	uint8_t payload[512];

	inbound_open();
	uint16_t n = ah_make(payload, SPI, &inner_to_lan);
	struct probe outer = outer_of(payload, n);
	outer.protocol = IPPROTO_AH;
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT(opened(false));
	outer = outer6_of(payload, ah_make(payload, SPI, &inner6_to_lan), IPPROTO_AH);
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT(opened(true));
	for (n = 0; n < 12; n++) {
		outer = outer6_of(payload, n, IPPROTO_AH);
		CU_ASSERT(dropped_as(WAN, &outer, DROP_SHORT));
	}
	outer = outer_of(payload, 64);
	outer.protocol = IPPROTO_AH;
	outer.fragment = RTE_IPV4_HDR_MF_FLAG;
	CU_ASSERT(dropped_as(WAN, &outer, DROP_FRAGMENT));
	rig_close();
}

/* RFC 6935: a tunnel's UDP checksum may be zero over IPv6; ESP does not look at it, wrong or not. */
static void test_inbound_udp_encapsulated_over_ipv6(void)
{
	static const uint16_t checksums[] = { 0, 0x1234, 0xffff };
	uint8_t payload[512];

	inbound_open();
	for (size_t i = 0; i < ARRAY_LEN(checksums); i++) {
		struct probe outer = outer6_of(
			payload, udp_make(payload, SPI, &inner6_to_lan, checksums[i]), IPPROTO_UDP);
		rig_send(WAN, &outer);
		rig_step();
		CU_ASSERT(opened(true));
	}
	rig_close();
}

static void test_inbound_esp_behind_extension_headers(void)
{
	uint8_t payload[512] = { IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0, IPPROTO_ESP, 1 };

	inbound_open();
	struct probe outer = outer6_of(
		payload, (uint16_t)(24 + esp_make(payload + 24, SPI, &inner_to_lan)), IPPROTO_DSTOPTS);
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT(opened(false));
	rig_close();
}

static void test_inbound_unknown_spi_names_an_ipv6_source(void)
{
	char text[ENDPOINT_TEXT_MAX];
	uint8_t payload[512];

	inbound_open();
	struct probe outer = outer6_of(payload, udp_make(payload, 0xbadbad, &inner_to_lan, 0), IPPROTO_UDP);
	CU_ASSERT(dropped_as(WAN, &outer, DROP_UNKNOWN_SPI));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_UNKNOWN_SPI);
	CU_ASSERT_STRING_EQUAL(endpoint_format(&rig.event.remote, text), "[2001:db8:f::2]:40000");
	rig_close();
}

static void test_inbound_inner_ipv6_header_is_checked(void)
{
	static const char *const sources[] = { "fe80::1", "ff02::1", "::1" };
	uint8_t chain[24] = { IPPROTO_TCP, 9 }, payload[512];
	struct probe inner = inner6_to_lan;

	inbound_open();
	inner.protocol = IPPROTO_DSTOPTS; /* longer than the packet */
	inner.payload = chain;
	inner.payload_bytes = sizeof(chain);
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_INNER_HEADER));
	in_sa.any_source = true;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		inner = inner6_to_lan;
		inner.src = sources[i];
		outer = outer_of(payload, esp_make(payload, SPI, &inner));
		CU_ASSERT(dropped_as(WAN, &outer, DROP_INNER_HEADER));
	}
	rig_close();
}

/* The peer's words in our own name: a transport SA to somebody else might protect them. */
static void test_inbound_source_that_is_ours_is_dropped(void)
{
	const struct probe own = { .src = LAN_OWN6, .dst = LAN_HOST6 }, own4 = { .src = LAN_OWN, .dst = LAN_HOST };
	uint8_t payload[512];

	inbound_open();
	in_sa.any_source = true;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &own));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_MARTIAN));
	outer = outer_of(payload, esp_make(payload, SPI, &own4));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_MARTIAN));
	rig_close();
}

/* Hops and size end an IPv6 packet out of a tunnel by name; without a rule that protects the answer there is none. */
static void test_inbound_ipv6_too_far_or_too_big(void)
{
	struct probe inner = inner6_to_lan;
	static uint8_t payload[2000];

	inbound_open();
	inner.ttl = 1;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner));
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	inner.ttl = 2;
	inner.bytes = 1501;
	outer = outer_of(payload, esp_make(payload, SPI, &inner));
	rig_send(WAN, &outer);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_POLICY), 2);
	CU_ASSERT_EQUAL(rig_sent(LAN) + rig_sent(WAN), 0);
	rig_close();
}

static void back_open(struct sa *back, const char *local, const char *remote)
{
	struct path_spec spec = { 0 };

	*back = (struct sa){ .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = 1400 };
	addr_parse(local, &spec.local.addr);
	addr_parse(remote, &spec.remote.addr);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &back->path), 0);
	fake.tunnels[3] = back;
}

/* Ping of our own address out of an SA (in transport mode every packet is for us): the answer goes through the SA that
 * policy names, over the other family outside. */
static void test_inbound_ipv6_echo_is_answered_through_the_policy_sa(void)
{
	const struct probe echo = { .src = FAR_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };
	uint8_t payload[512];
	struct sa back;

	inbound_open();
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &echo));
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_POLICY));
	RIG_POLICY("protect 3 2001:db8:1::1 2001:db8:2::/64");
	CU_ASSERT(dropped_as(WAN, &outer, DROP_NO_SA));
	back_open(&back, WAN_OWN, WAN_PEER);
	rig_send(WAN, &outer);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(frame_ip(m)->next_proto_id, IPPROTO_ESP);
	const struct rte_ipv6_hdr *inner = (void *)((uint8_t *)frame_ip(m) + 28);
	CU_ASSERT(ip6_is(ip6_source(inner), LAN_OWN6) && ip6_is(ip6_destination(inner), FAR_HOST6));
	CU_ASSERT(*(const uint8_t *)(inner + 1) == 129 && inner->hop_limits == 64);
	rte_pktmbuf_free(m);
	path_free(back.path);
	rig_close();
}

static void test_inbound_ipv6_syn_is_clamped_to_the_way_back(void)
{
	uint8_t tcp[24] = { [12] = 6 << 4, [13] = RTE_TCP_SYN_FLAG, [20] = 2, 4, 0x05, 0xa0 }, payload[512];
	const struct probe syn = { .src = FAR_HOST6,
		.dst = LAN_HOST6,
		.protocol = IPPROTO_TCP,
		.payload = tcp,
		.payload_bytes = sizeof(tcp) };
	struct sa back = { .spi = 0x1002, .owner = 0, .inner_mtu = 1400 };

	inbound_open();
	RIG_POLICY("protect 3 2001:db8:1::/64 2001:db8:2::/64");
	fake.tunnels[3] = &back;
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &syn));
	rig_send(WAN, &outer);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip6(m) + 40 + 22), 1340);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_MSS_CLAMPED), 1);
	rig_close();
}

/* From a far host to one on the LAN that nobody knows. */
static void send_to_absent(const char *far_host, unsigned last)
{
	uint8_t payload[512];
	char near_host[20];

	snprintf(near_host, sizeof(near_host), "10.1.0.%u", last);
	const struct probe inner = { .src = far_host, .dst = near_host, .sport = 7, .dport = 1000 };
	struct probe outer = outer_of(payload, esp_make(payload, SPI, &inner));
	rig_send(WAN, &outer);
	rig_step();
}

/* A peer that scans the LAN, from every address it has, is held to its share, whatever it fills with it: another's
 * first packet waits for its neighbour. */
static void test_inbound_scan_of_a_peer_leaves_others_their_neighbours(void)
{
	struct path paths[2] = { { .port = WAN }, { .port = WAN } };
	struct sa out[2] = { { .owner = 0, .path = &paths[0] }, { .owner = 0, .path = &paths[1] } };
	char source[20];

	inbound_open();
	RIG_POLICY("protect 0 10.1.0.0/24 10.2.0.0/16", "protect 1 10.1.0.0/24 10.3.0.0/16");
	addr_parse("192.0.2.2", &paths[0].spec.remote.addr);
	addr_parse("192.0.2.3", &paths[1].spec.remote.addr);
	fake.tunnels[0] = &out[0];
	fake.tunnels[1] = &out[1];
	in_sa.any_source = true;
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(source, sizeof(source), "10.2.%u.%u", i >> 8, i & 255);
		send_to_absent(source, 10 + i % 200);
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 1000);
	CU_ASSERT(rig_counter(DP_C_HELD) >= 40);
	uint64_t before = rig_counter(DP_C_HELD);
	send_to_absent("10.3.0.2", 230);
	CU_ASSERT_EQUAL(rig_counter(DP_C_HELD), before + 1);
	for (int i = 0; i < 20; i++) {
		rig.now_ns += SECOND_NS;
		rig_poll();
	}
	rig_sent(LAN);
	rig_sent(WAN);
	fake.tunnels[0] = fake.tunnels[1] = NULL;
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_inbound_raw_esp_is_opened_and_routed),
		TEST(test_inbound_packets_leave_in_the_order_they_came_in),
		TEST(test_inbound_plain_and_other_outer_headers_keep_their_order),
		TEST(test_inbound_known_flows_of_a_burst_each_go_their_own_way),
		TEST(test_inbound_known_flow_ends_when_an_address_becomes_ours),
		TEST(test_inbound_udp_encapsulated_esp_is_opened),
		TEST(test_inbound_unknown_spi_is_dropped_and_reported),
		TEST(test_inbound_short_and_fragmented_esp),
		TEST(test_inbound_burst_drop_has_its_name),
		TEST(test_inbound_packet_waits_while_its_bucket_moves),
		TEST(test_inbound_echo_to_own_address_is_answered_through_policy),
		TEST(test_inbound_ike_inside_a_tunnel_is_not_taken),
		TEST(test_inbound_goes_on_under_the_policy_of_what_leaves),
		TEST(test_inbound_packet_for_its_own_tunnel_is_a_loop),
		TEST(test_inbound_does_not_leave_in_clear_by_the_port_it_came_by),
		TEST(test_inbound_loop_over_two_tunnels_ends_by_ttl),
		TEST(test_inbound_error_about_tunnelled_packet_never_leaves_in_clear),
		TEST(test_inbound_inner_header_is_checked),
		TEST(test_inbound_syn_is_clamped_to_the_way_back),
		TEST(test_inbound_syn_is_clamped_to_the_child_of_its_source),
		TEST(test_inbound_ttl_error_goes_back_through_the_tunnel_or_not_at_all),
		TEST(test_inbound_every_family_in_every_family),
		TEST(test_inbound_ah_is_found_by_its_spi),
		TEST(test_inbound_udp_encapsulated_over_ipv6),
		TEST(test_inbound_esp_behind_extension_headers),
		TEST(test_inbound_unknown_spi_names_an_ipv6_source),
		TEST(test_inbound_inner_ipv6_header_is_checked),
		TEST(test_inbound_source_that_is_ours_is_dropped),
		TEST(test_inbound_ipv6_too_far_or_too_big),
		TEST(test_inbound_ipv6_echo_is_answered_through_the_policy_sa),
		TEST(test_inbound_ipv6_syn_is_clamped_to_the_way_back),
		TEST(test_inbound_scan_of_a_peer_leaves_others_their_neighbours),
	};

	rig_eal();
	return test_main("datapath_inbound", tests, ARRAY_LEN(tests), argc, argv);
}
