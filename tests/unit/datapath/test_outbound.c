/* SPDX-License-Identifier: BSD-3-Clause */
/* Policy decisions and the way into a tunnel: fails closed, TTL, MTU, fragments, MSS. The SAs are fakes. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

static struct sa out_sa;

static void tunnel_open(uint16_t inner_mtu)
{
	struct path_spec spec = { 0 };

	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = inner_mtu };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
}

static void tunnel_close(void)
{
	path_free(out_sa.path);
	fake.tunnels[3] = NULL;
}

#define PROTECT_FAR "protect 3 10.1.0.0/24 10.2.0.0/24"
static const struct probe to_far = { .src = LAN_HOST, .dst = FAR_HOST, .sport = 1000, .dport = 7 };

static void test_outbound_empty_policy_drops_everything(void)
{
	static const char *const destinations[] = { FAR_HOST, WAN_PEER, "8.8.8.8", "10.1.0.9" };

	rig_open(1);
	for (size_t i = 0; i < ARRAY_LEN(destinations); i++) {
		const struct probe p = { .src = LAN_HOST, .dst = destinations[i] };
		CU_ASSERT(dropped_as(LAN, &p, DROP_NO_POLICY));
	}
	rig_close();
}

static void test_outbound_without_sa_is_dropped_and_reported_once(void)
{
	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	for (int i = 0; i < 5; i++)
		CU_ASSERT(dropped_as(LAN, &to_far, DROP_NO_SA));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event_count, 1);
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_NO_SA);
	CU_ASSERT_EQUAL(rig.event.tunnel_slot, 3);
	CU_ASSERT_EQUAL(addr_ipv4(&rig.event.local.addr), rte_be_to_cpu_32(ip4(LAN_HOST)));
	CU_ASSERT_EQUAL(addr_ipv4(&rig.event.remote.addr), rte_be_to_cpu_32(ip4(FAR_HOST)));
	CU_ASSERT_NOT_EQUAL(rig.event.protocol, 0);
	rig_close();
}

static void test_outbound_protected_leaves_as_esp_only(void)
{
	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	rig_send(LAN, &to_far);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(frame_ip(m)->next_proto_id, IPPROTO_ESP);
	CU_ASSERT_EQUAL(frame_ip(m)->dst_addr, ip4(WAN_PEER));
	CU_ASSERT_EQUAL(out_sa.owner, 0);
	struct rte_ipv4_hdr *inner = (void *)((uint8_t *)frame_ip(m) + 28);
	CU_ASSERT_EQUAL(inner->time_to_live, 63);
	CU_ASSERT(ip_checksum_valid(inner));
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), rig.dp->ports[WAN].mac, 6), 0);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 1);
	tunnel_close();
	rig_close();
}

static void test_outbound_outside_the_sa_selectors_is_dropped(void)
{
	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	out_sa.outside = true;
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_SELECTOR_OUT));
	CU_ASSERT_EQUAL(out_sa.drops[DROP_SELECTOR_OUT], 1);
	rig_poll();
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_NO_SA);
	CU_ASSERT_EQUAL(addr_ipv4(&rig.event.remote.addr), rte_be_to_cpu_32(ip4(FAR_HOST)));
	tunnel_close();
	rig_close();
}

static void test_outbound_takes_the_sa_of_its_slot_that_fits(void)
{
	struct sa narrow = { .owner = WORKER_NONE, .outside = true, .behind = &out_sa };

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	narrow.path = out_sa.path;
	fake.tunnels[3] = &narrow;
	rig_send(LAN, &to_far);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(frame_ip(m)->next_proto_id, IPPROTO_ESP);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(out_sa.owner, 0);
	CU_ASSERT_EQUAL(narrow.owner, WORKER_NONE);
	fake.tunnels[3] = &out_sa;
	tunnel_close();
	rig_close();
}

static void test_outbound_burst_drop_has_its_name_and_hints(void)
{
	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	out_sa.refuse = DROP_SEQUENCE;
	CU_ASSERT(dropped_as(LAN, &to_far, DROP_SEQUENCE));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_SA_FLAGS);
	CU_ASSERT_EQUAL(rig.event.spi, 0x1002);
	tunnel_close();
	rig_close();
}

static void test_outbound_discard_rule_and_order(void)
{
	const struct probe web = {
		.src = LAN_HOST, .dst = WAN_PEER, .protocol = IPPROTO_TCP, .sport = 5000, .dport = 80
	};
	const struct probe mail = {
		.src = LAN_HOST, .dst = WAN_PEER, .protocol = IPPROTO_TCP, .sport = 5000, .dport = 25
	};

	rig_open(1);
	RIG_POLICY("discard 10.1.0.0/24 0.0.0.0/0[tcp/25]", "bypass 10.1.0.0/24 0.0.0.0/0");
	CU_ASSERT(dropped_as(LAN, &mail, DROP_DISCARD));
	rig_send(LAN, &web);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_FORWARD_CLEAR), 1);
	rig_close();
}

static void test_outbound_answers_to_bypassed_traffic_pass(void)
{
	const struct probe answer = { .src = WAN_PEER, .dst = LAN_HOST };

	rig_open(1);
	RIG_POLICY(PROTECT_FAR, "bypass 10.1.0.0/24 192.0.2.2/32", "discard 0.0.0.0/0 0.0.0.0/0");
	rig_send(WAN, &answer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

static void test_outbound_clear_packet_of_protected_source_is_dropped(void)
{
	const struct probe forged = { .src = FAR_HOST, .dst = LAN_HOST };

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	CU_ASSERT(dropped_as(WAN, &forged, DROP_INBOUND_CLEAR));
	RIG_POLICY(PROTECT_FAR, "bypass 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT(dropped_as(WAN, &forged, DROP_INBOUND_CLEAR));
	RIG_POLICY("bypass 0.0.0.0/0 10.1.0.0/24", PROTECT_FAR);
	CU_ASSERT(dropped_as(WAN, &forged, DROP_INBOUND_CLEAR));
	rig_close();
}

static void test_outbound_later_fragment_does_not_match_port_rules(void)
{
	const struct probe later = { .src = LAN_HOST, .dst = WAN_PEER, .sport = 5000, .dport = 80, .fragment = 100 };

	rig_open(1);
	RIG_POLICY("bypass 10.1.0.0/24 0.0.0.0/0[udp/80]");
	CU_ASSERT(dropped_as(LAN, &later, DROP_NO_POLICY));
	rig_close();
}

static void test_outbound_ttl_one_is_answered_not_sent(void)
{
	struct probe p = to_far;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	p.ttl = 1;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(*((uint8_t *)frame_ip(m) + 20), 11);
	CU_ASSERT_EQUAL(frame_ip(m)->src_addr, ip4(LAN_OWN));
	CU_ASSERT_EQUAL(frame_ip(m)->dst_addr, ip4(LAN_HOST));
	rte_pktmbuf_free(m);
	tunnel_close();
	rig_close();
}

static void test_outbound_too_big_with_df_names_the_inner_mtu(void)
{
	struct probe p = to_far;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	p.fragment = RTE_IPV4_HDR_DF_FLAG;
	p.bytes = 1401;
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	const uint8_t *icmp = (uint8_t *)frame_ip(m) + 20;
	CU_ASSERT_EQUAL(load_be16(icmp), 0x0304);
	CU_ASSERT_EQUAL(load_be16(icmp + 6), 1400);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 1);
	p.bytes = 1400;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	tunnel_close();
	rig_close();
}

static void test_outbound_too_big_without_df_is_fragmented_first(void)
{
	struct probe p = to_far;
	struct rte_mbuf *m;
	unsigned packets = 0, bytes = 0;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(600);
	p.bytes = 1500;
	rig_send(LAN, &p);
	rig_step();
	for (; (m = rig_receive(WAN)); packets++) {
		const struct rte_ipv4_hdr *inner = (void *)((uint8_t *)frame_ip(m) + 28);
		CU_ASSERT(ip_total_bytes(inner) <= 600);
		CU_ASSERT_EQUAL(inner->time_to_live, 63);
		CU_ASSERT(ip_checksum_valid(inner));
		bytes += ip_total_bytes(inner) - 20u;
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(packets, 3);
	CU_ASSERT_EQUAL(bytes, 1480);
	tunnel_close();
	rig_close();
}

static void test_outbound_syn_is_clamped(void)
{
	uint8_t tcp[24] = { [12] = 6 << 4, [13] = RTE_TCP_SYN_FLAG, [20] = 2, 4, 0x05, 0xb4 };
	const struct probe p = {
		.src = LAN_HOST, .dst = FAR_HOST, .protocol = IPPROTO_TCP, .payload = tcp, .payload_bytes = sizeof(tcp)
	};

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip(m) + 28 + 20 + 22), 1360);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_MSS_CLAMPED), 1);
	tunnel_close();
	rig_close();
}

static void test_outbound_full_burst_keeps_order(void)
{
	struct rte_mbuf *m;
	uint16_t n = 0;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	for (uint16_t i = 0; i < 200; i++) {
		struct probe p = to_far;
		p.sport = i;
		rig_send(LAN, &p);
	}
	rig_step();
	for (; (m = rig_receive(WAN)); n++) {
		CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip(m) + 28 + 20), n);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(n, 200);
	tunnel_close();
	rig_close();
}

/* A rule whose sides overlap, as a hub's ("everything here" to one branch of it), matches a packet of the branch to the
 * branch both ways. RFC 4301 5.2: it does not come in clear by the port that leads to the peer, to be sealed and sent
 * to the branch in a name of its own. */
static void test_outbound_clear_packet_of_the_same_tunnel_is_not_relayed(void)
{
	const struct probe to_branch = { .src = FAR_HOST, .dst = "10.2.0.9" },
			   to_lan = { .src = FAR_HOST, .dst = LAN_HOST };

	rig_open(1);
	RIG_POLICY("protect 3 10.0.0.0/8 10.2.0.0/24");
	tunnel_open(1400);
	CU_ASSERT(dropped_as(WAN, &to_branch, DROP_INBOUND_CLEAR));
	RIG_POLICY("protect 2 10.0.0.0/8 10.3.0.0/24", "protect 3 10.0.0.0/8 10.2.0.0/24");
	CU_ASSERT(dropped_as(WAN, &to_branch, DROP_INBOUND_CLEAR));
	RIG_POLICY("protect 3 10.2.0.0/24 10.1.0.0/24", PROTECT_FAR);
	CU_ASSERT(dropped_as(WAN, &to_lan, DROP_INBOUND_CLEAR));
	RIG_POLICY("protect 3 10.0.0.0/8 10.0.0.0/8");
	CU_ASSERT(dropped_as(WAN, &to_lan, DROP_INBOUND_CLEAR));
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 0);
	/* the same rule from our side */
	rig_send(LAN, &to_far);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 1);
	tunnel_close();
	rig_close();
}

/* RFC 4301 5.2: protected by one tunnel on arrival, it must not come in clear and be sealed into another. */
static void test_outbound_clear_packet_of_another_tunnel_is_not_relayed(void)
{
	const struct probe forged = { .src = FAR_HOST, .dst = "10.3.0.2" };

	rig_open(1);
	RIG_POLICY("protect 2 10.3.0.0/24 10.2.0.0/24", "protect 3 10.2.0.0/24 10.3.0.0/24");
	tunnel_open(1400);
	CU_ASSERT(dropped_as(WAN, &forged, DROP_INBOUND_CLEAR));
	tunnel_close();
	rig_close();
}

/* Somebody on the WAN must not speak to the peer in the name of our LAN. */
static void test_outbound_forged_source_is_not_protected(void)
{
	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	tunnel_open(1400);
	CU_ASSERT(dropped_as(WAN, &to_far, DROP_MARTIAN));
	rig_send(LAN, &to_far);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	tunnel_close();
	rig_close();
}

/* What left by the WAN: frames, bytes of the longest IP packet; every one but the last with MF, none with DF. */
struct outer_seen {
	unsigned frames, first, more;
	uint16_t longest, payload;
	bool df;
};

static struct outer_seen outer_receive(void)
{
	struct outer_seen seen = { 0 };
	struct rte_mbuf *m;

	while ((m = rig_receive(WAN))) {
		const struct rte_ipv4_hdr *ip = frame_ip(m);
		uint16_t word = rte_be_to_cpu_16(ip->fragment_offset), bytes = ip_total_bytes(ip);

		CU_ASSERT_EQUAL(ip->next_proto_id, IPPROTO_ESP);
		CU_ASSERT(ip_checksum_valid(ip));
		CU_ASSERT_EQUAL((word & RTE_IPV4_HDR_OFFSET_MASK) * 8, seen.payload);
		seen.frames++;
		seen.first += !(word & RTE_IPV4_HDR_OFFSET_MASK);
		seen.more += (word & RTE_IPV4_HDR_MF_FLAG) != 0;
		seen.df |= (word & RTE_IPV4_HDR_DF_FLAG) != 0;
		seen.longest = RTE_MAX(seen.longest, bytes);
		seen.payload += (uint16_t)(bytes - 20);
		rte_pktmbuf_free(m);
	}
	return seen;
}

/* One packet in outer fragments of at most 1,300 bytes: ESP header and the whole inner packet. */
static void outer_fragments_of(uint16_t inner_bytes)
{
	struct outer_seen seen = outer_receive();

	CU_ASSERT_EQUAL(seen.frames, 2);
	CU_ASSERT_EQUAL(seen.first, 1);
	CU_ASSERT_EQUAL(seen.more, 1);
	CU_ASSERT(seen.longest <= 1300);
	CU_ASSERT_FALSE(seen.df);
	CU_ASSERT_EQUAL(seen.payload, inner_bytes + 8);
}

static void small_path_open(void)
{
	rig_open(1);
	RIG_POLICY(PROTECT_FAR, "protect 3 2001:db8:1::/64 2001:db8:2::/64");
	tunnel_open(1200);
	out_sa.path->mtu = 1300;
}

/* RFC 4301 7: later fragments would not match selectors with ports at the peer. */
static void test_outbound_too_big_for_an_sa_with_ports_is_fragmented_outside(void)
{
	struct probe big = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 1450, .dport = 53 };

	small_path_open();
	out_sa.wants_ports = true;
	rig_send(LAN, &big);
	rig_step();
	outer_fragments_of(1450);
	CU_ASSERT_EQUAL(rig_counter(DP_C_OUTER_FRAGMENTED), 1);
	/* with DF it is answered like any other */
	big.fragment = RTE_IPV4_HDR_DF_FLAG;
	rig_send(LAN, &big);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 1);
	tunnel_close();
	rig_close();
}

static void test_outbound_fragment_after_is_one_packet_through_the_sa(void)
{
	struct probe big = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 1450 };

	small_path_open();
	rig_send(LAN, &big);
	rig_step();
	CU_ASSERT_EQUAL(out_sa.packets, 2);
	CU_ASSERT_EQUAL(rig_sent(WAN), 2);
	out_sa.path->spec.header.fragment = FRAGMENT_AFTER;
	rig_send(LAN, &big);
	rig_step();
	CU_ASSERT_EQUAL(out_sa.packets, 3);
	outer_fragments_of(1450);
	/* DF asks for an answer, unless the operator has cleared the outer one (RFC 4301 8.1) */
	big.fragment = RTE_IPV4_HDR_DF_FLAG;
	rig_send(LAN, &big);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	out_sa.path->spec.header.df = DF_CLEAR;
	rig_send(LAN, &big);
	rig_step();
	outer_fragments_of(1450);
	tunnel_close();
	rig_close();
}

/* RFC 8200 5, RFC 2473 7.1: 1,280 bytes pass every link; what is longer is told so, never less. */
static void test_outbound_ipv6_of_1280_bytes_passes_a_smaller_tunnel(void)
{
	struct probe six = { .src = LAN_HOST6, .dst = FAR_HOST6, .bytes = 1280 };

	small_path_open();
	out_sa.path->mtu = 1250;
	rig_send(LAN, &six);
	rig_step();
	struct outer_seen seen = outer_receive();
	CU_ASSERT_EQUAL(seen.frames, 2);
	CU_ASSERT_EQUAL(seen.payload, 1288);
	six.bytes = 1281;
	rig_send(LAN, &six);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	(void)rig_sent(LAN);
	out_sa.path->spec.header = (struct header_rules){ .fragment = FRAGMENT_AFTER, .df = DF_CLEAR };
	rig_send(LAN, &six);
	rig_step();
	CU_ASSERT_EQUAL(outer_receive().payload, 1289);
	tunnel_close();
	rig_close();
}

/* A path that shrinks while packets are in a burst. */
static void test_outbound_what_became_too_big_is_fragmented(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 1400 };

	small_path_open();
	out_sa.inner_mtu = 1400;
	rig_send(LAN, &p);
	rig_step();
	outer_fragments_of(1400);
	tunnel_close();
	rig_close();
}

/* As in the smallest tunnel there may be; what there is no buffer for has that name. */
static void test_outbound_longest_packet_in_the_smallest_tunnel(void)
{
	struct rte_mbuf *m, *taken[4096];
	unsigned n = 0;

	rig_open_reassembly(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	tunnel_open(200);
	for (int dry = 0; dry < 2; dry++) {
		m = rte_pktmbuf_alloc(rig.dp->large_pool);
		struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)rte_pktmbuf_append(m, 65000);
		*ip = (struct rte_ipv4_hdr){ .version_ihl = 0x45,
			.total_length = RTE_BE16(65000),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_UDP,
			.src_addr = ip4(LAN_HOST),
			.dst_addr = ip4(FAR_HOST) };
		ip_checksum_set(ip);
		m->port = LAN;
		*packet_note(m) = (struct note){ .stage = STAGE_CLEAR, .origin = ORIGIN_CLEAR };
		while (dry && n < ARRAY_LEN(taken) && (taken[n] = rte_pktmbuf_alloc(rig.dp->pool)))
			n++;
		inject_push(rig.dp, 0, m);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(WAN), dry ? 0 : (65000 - 20 + 175) / 176);
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_FRAGMENT_BUFFER), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_TOO_BIG), 0);
	rte_pktmbuf_free_bulk(taken, n);
	tunnel_close();
	rig_close();
}

/* ---- IPv6 ---- */

static void tunnel6_open(uint16_t inner_mtu)
{
	struct path_spec spec = { 0 };

	addr_parse(WAN_OWN6, &spec.local.addr);
	addr_parse(WAN_PEER6, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = WORKER_NONE, .inner_mtu = inner_mtu };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
}

#define PROTECT_FAR6 "protect 3 2001:db8:1::/64 2001:db8:2::/64"
static const struct probe to_far6 = { .src = LAN_HOST6, .dst = FAR_HOST6, .sport = 1000, .dport = 7 };

static void test_outbound_every_family_in_every_family(void)
{
	void (*const opens[])(uint16_t inner_mtu) = { tunnel_open, tunnel6_open };
	const struct probe *inners[] = { &to_far, &to_far6 };

	rig_open(1);
	RIG_POLICY(PROTECT_FAR, PROTECT_FAR6);
	for (int i = 0; i < 4; i++) {
		bool outer6 = i / 2, inner6 = i % 2;
		opens[outer6](1400);
		rig_send(LAN, inners[inner6]);
		rig_step();
		struct rte_mbuf *m = rig_receive(WAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		const uint8_t *inner = (uint8_t *)frame_ip(m) + (outer6 ? 48 : 28);
		CU_ASSERT_EQUAL(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)),
			outer6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
		CU_ASSERT_EQUAL(outer6 ? frame_ip6(m)->proto : frame_ip(m)->next_proto_id, IPPROTO_ESP);
		CU_ASSERT_EQUAL(inner[0] >> 4, inner6 ? 6 : 4);
		CU_ASSERT_EQUAL(inner[inner6 ? 7 : 8], 63); /* one hop on */
		CU_ASSERT_EQUAL(m->pkt_len, outer6 ? 14 + 48 + 60 : 14 + 28 + 60);
		rte_pktmbuf_free(m);
		tunnel_close();
	}
	rig_close();
}

static void test_outbound_ipv6_fails_closed(void)
{
	const struct probe forged = { .src = FAR_HOST6, .dst = LAN_HOST6 };

	rig_open(1);
	CU_ASSERT(dropped_as(LAN, &to_far6, DROP_NO_POLICY));
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT(dropped_as(LAN, &to_far6, DROP_NO_POLICY));
	RIG_POLICY(PROTECT_FAR6, "bypass ::/0 ::/0");
	CU_ASSERT(dropped_as(LAN, &to_far6, DROP_NO_SA));
	CU_ASSERT(dropped_as(WAN, &forged, DROP_INBOUND_CLEAR));
	RIG_POLICY("discard ::/0 ::/0");
	CU_ASSERT(dropped_as(LAN, &to_far6, DROP_DISCARD));
	/* from a port its source is not behind */
	RIG_POLICY(PROTECT_FAR6);
	tunnel_open(1400);
	CU_ASSERT(dropped_as(WAN, &to_far6, DROP_MARTIAN));
	tunnel_close();
	rig_close();
}

/* Never fragmented on the way; hops and size end by name, and the sender hears of it. */
static void test_outbound_ipv6_too_far_or_too_big(void)
{
	struct probe p = to_far6;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR6);
	tunnel_open(1400);
	p.ttl = 1;
	CU_ASSERT(refused_as(LAN, &p, DROP_TTL, 0x0300));
	p.ttl = 0;
	p.bytes = 1401;
	CU_ASSERT(refused_as(LAN, &p, DROP_TOO_BIG, 0x0200));
	out_sa.wants_ports = true;
	CU_ASSERT(refused_as(LAN, &p, DROP_TOO_BIG, 0x0200));
	p.bytes = 1400;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	tunnel_close();
	rig_close();
}

static void test_outbound_ipv6_in_clear(void)
{
	struct probe p = { .src = LAN_HOST6, .dst = "2001:db8:3::1" };

	rig_open(1);
	RIG_POLICY("bypass 2001:db8:1::/64 ::/0");
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)), RTE_ETHER_TYPE_IPV6);
	CU_ASSERT_EQUAL(frame_ip6(m)->hop_limits, 63);
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_FORWARD_CLEAR), 1);
	p.bytes = 1501;
	CU_ASSERT(refused_as(LAN, &p, DROP_TOO_BIG, 0x0200));
	p.bytes = 0;
	p.ttl = 1;
	CU_ASSERT(refused_as(LAN, &p, DROP_TTL, 0x0300));
	rig_close();
}

static void test_outbound_ipv6_syn_is_clamped(void)
{
	uint8_t tcp[24] = { [12] = 6 << 4, [13] = RTE_TCP_SYN_FLAG, [20] = 2, 4, 0x05, 0xa0 };
	const struct probe p = { .src = LAN_HOST6,
		.dst = FAR_HOST6,
		.protocol = IPPROTO_TCP,
		.payload = tcp,
		.payload_bytes = sizeof(tcp) };

	rig_open(1);
	RIG_POLICY(PROTECT_FAR6);
	tunnel_open(1400);
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip(m) + 28 + 40 + 22), 1340);
	rte_pktmbuf_free(m);
	tunnel_close();
	rig_close();
}

/* A mixed burst keeps the order of each family through one SA. */
static void test_outbound_mixed_burst(void)
{
	unsigned seen[2] = { 0 };
	uint16_t next[2] = { 0, 1 };
	struct rte_mbuf *m;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR, PROTECT_FAR6);
	tunnel6_open(1400);
	for (uint16_t i = 0; i < 100; i++) {
		struct probe p = i % 3 ? to_far6 : to_far;
		p.sport = i;
		rig_send(LAN, &p);
	}
	rig_step();
	while ((m = rig_receive(WAN))) {
		const uint8_t *inner = (uint8_t *)frame_ip6(m) + 48;
		bool six = inner[0] >> 4 == 6;
		CU_ASSERT_EQUAL(load_be16(inner + (six ? 40 : 20)), next[six]);
		next[six] += six && next[1] % 3 == 1 ? 1 : six ? 2 : 3;
		seen[six]++;
		rte_pktmbuf_free(m);
	}
	CU_ASSERT(seen[0] == 34 && seen[1] == 66);
	tunnel_close();
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_outbound_empty_policy_drops_everything),
		TEST(test_outbound_without_sa_is_dropped_and_reported_once),
		TEST(test_outbound_protected_leaves_as_esp_only),
		TEST(test_outbound_outside_the_sa_selectors_is_dropped),
		TEST(test_outbound_takes_the_sa_of_its_slot_that_fits),
		TEST(test_outbound_burst_drop_has_its_name_and_hints),
		TEST(test_outbound_discard_rule_and_order),
		TEST(test_outbound_answers_to_bypassed_traffic_pass),
		TEST(test_outbound_clear_packet_of_protected_source_is_dropped),
		TEST(test_outbound_later_fragment_does_not_match_port_rules),
		TEST(test_outbound_ttl_one_is_answered_not_sent),
		TEST(test_outbound_too_big_with_df_names_the_inner_mtu),
		TEST(test_outbound_too_big_without_df_is_fragmented_first),
		TEST(test_outbound_clear_packet_of_the_same_tunnel_is_not_relayed),
		TEST(test_outbound_clear_packet_of_another_tunnel_is_not_relayed),
		TEST(test_outbound_forged_source_is_not_protected),
		TEST(test_outbound_too_big_for_an_sa_with_ports_is_fragmented_outside),
		TEST(test_outbound_fragment_after_is_one_packet_through_the_sa),
		TEST(test_outbound_ipv6_of_1280_bytes_passes_a_smaller_tunnel),
		TEST(test_outbound_what_became_too_big_is_fragmented),
		TEST(test_outbound_longest_packet_in_the_smallest_tunnel),
		TEST(test_outbound_syn_is_clamped),
		TEST(test_outbound_full_burst_keeps_order),
		TEST(test_outbound_every_family_in_every_family),
		TEST(test_outbound_ipv6_fails_closed),
		TEST(test_outbound_ipv6_too_far_or_too_big),
		TEST(test_outbound_ipv6_in_clear),
		TEST(test_outbound_ipv6_syn_is_clamped),
		TEST(test_outbound_mixed_burst),
	};

	rig_eal();
	return test_main("datapath_outbound", tests, ARRAY_LEN(tests), argc, argv);
}
