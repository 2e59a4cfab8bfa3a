/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors from outside: about our own SAs, told to control or ended by name; about flows that policy protects, on
 * their way through tunnels; and the reverse-path check. */
#include "fake_ipsec.h"
#include "harness.h"
#include "rig.h"

#define SPI 0x2002

static uint8_t message[700];
static uint16_t message_bytes;

/* ICMP header in front of the quoted packet, checksum right. */
static void message_begin(uint8_t type, uint8_t code, uint32_t word, struct rte_mbuf *quoted)
{
	uint16_t sum, quoted_bytes = RTE_MIN(quoted->data_len, 500);

	store_be32(message, (uint32_t)type << 24 | (uint32_t)code << 16);
	store_be32(message + 4, word);
	memcpy(message + 8, rte_pktmbuf_mtod(quoted, void *), quoted_bytes);
	message_bytes = (uint16_t)(8 + quoted_bytes);
	sum = (uint16_t)~rte_raw_cksum(message, message_bytes);
	memcpy(message + 2, &sum, sizeof(sum));
	rte_pktmbuf_free(quoted);
}

static void checksum6(const char *src, const char *dst)
{
	struct rte_ipv6_hdr ip = { .payload_len = rte_cpu_to_be_16(message_bytes), .proto = IPPROTO_ICMPV6 };

	ip6(src, (uint8_t *)&ip.src_addr);
	ip6(dst, (uint8_t *)&ip.dst_addr);
	store_be16(message + 2, 0);
	uint32_t sum = (uint32_t)rte_ipv6_phdr_cksum(&ip, 0) + rte_raw_cksum(message, message_bytes);
	uint16_t folded = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	memcpy(message + 2, &folded, sizeof(folded));
}

/* An error from src to dst that quotes a packet; of the family of its addresses. */
static struct probe error_of(
	const char *src, const char *dst, uint8_t type, uint8_t code, uint32_t word, const struct probe *quoted)
{
	bool six = strchr(src, ':') != NULL;

	message_begin(type, code, word, rig_packet(quoted));
	if (six)
		checksum6(src, dst);
	return (struct probe){ .src = src,
		.dst = dst,
		.protocol = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.payload = message,
		.payload_bytes = message_bytes };
}

static const uint8_t esp[16] = { 0, 0, 0x20, 2, 0, 0, 0, 7 };
static const struct probe own_esp = {
	.src = WAN_OWN, .dst = WAN_PEER, .protocol = IPPROTO_ESP, .payload = esp, .payload_bytes = sizeof(esp)
};
static const struct probe own_esp6 = {
	.src = WAN_OWN6, .dst = WAN_PEER6, .protocol = IPPROTO_ESP, .payload = esp, .payload_bytes = sizeof(esp)
};

static void test_icmp_in_path_mtu_is_told_to_control(void)
{
	rig_open(1);
	struct probe p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &own_esp);
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL_FATAL(rig.event_count, 1);
	CU_ASSERT(rig.event.kind == DATAPATH_PATH_MTU && rig.event.spi == SPI && rig.event.mtu == 1300);
	CU_ASSERT(addr_ipv4(&rig.event.local.addr) == 0xc0000201 && addr_ipv4(&rig.event.remote.addr) == 0xc0000202);
	CU_ASSERT(addr_ipv4(&rig.event.reporter) == 0xc00002fe && rig.event.quoted_bytes == 36);
	CU_ASSERT(!rig.event.ah && !rig.event.udp);
	p = error_of(WAN_GW6, WAN_OWN6, 2, 0, 70000, &own_esp6);
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.event_count, 2);
	CU_ASSERT(rig.event.spi == SPI && rig.event.mtu == UINT16_MAX);
	CU_ASSERT_EQUAL(rig.event.remote.addr.family, ADDR_IPV6);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ICMP_REPORTS), 2);
	rig_close();
}

static void test_icmp_in_is_not_believed_and_named(void)
{
	struct probe p, other = own_esp;

	rig_open(1);
	p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &own_esp);
	message[2]++;
	CU_ASSERT(dropped_as(WAN, &p, DROP_CHECKSUM));
	p = error_of(WAN_GW6, WAN_OWN6, 2, 0, 1300, &own_esp6);
	message[2]++;
	CU_ASSERT(dropped_as(WAN, &p, DROP_CHECKSUM));
	/* not a packet of ours */
	other.src = "192.0.2.9";
	p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &other);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_QUOTE));
	p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &own_esp);
	p.payload_bytes = 12;
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_QUOTE));
	fake.no_spi_out = true;
	p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &own_esp);
	CU_ASSERT(dropped_as(WAN, &p, DROP_PMTU_SPOOFED));
	fake.no_spi_out = false;
	/* what only makes a log line, and is not asked for */
	p = error_of(WAN_GW, WAN_OWN, 3, 1, 0, &own_esp);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_IGNORED));
	p = error_of(WAN_GW6, WAN_OWN6, 1, 0, 0, &own_esp6);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_IGNORED));
	rig.dp->icmp.path_mtu = false;
	p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &own_esp);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_IGNORED));
	/* about anything but an SA nobody listens */
	other = (struct probe){ .src = WAN_OWN, .dst = WAN_PEER, .sport = 500, .dport = 500 };
	p = error_of(WAN_GW, WAN_OWN, 3, 3, 0, &other);
	CU_ASSERT(dropped_as(WAN, &p, DROP_LOCAL_UNHANDLED));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event_count, 0);
	rig_close();
}

static void test_icmp_in_other_errors_by_setting(void)
{
	rig_open(1);
	rig.dp->icmp.errors = true;
	struct probe p = error_of(WAN_GW, WAN_OWN, 3, 1, 0, &own_esp);
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL_FATAL(rig.event_count, 1);
	CU_ASSERT(rig.event.kind == DATAPATH_ICMP_ERROR && rig.event.icmp_type == 3 && rig.event.icmp_code == 1);
	rig_close();
}

/* A flood costs control a bounded number of look-ups, and the event ring keeps room. */
static void test_icmp_in_reports_are_limited(void)
{
	unsigned n = 0;

	rig_open(1);
	struct probe p = error_of(WAN_GW, WAN_OWN, 3, 4, 1300, &own_esp);
	for (; n < 100000 && !rig_drops(DROP_RATE_LIMIT); n++) {
		rig_send(WAN, &p);
		rig_step();
	}
	CU_ASSERT_EQUAL(rig_drops(DROP_RATE_LIMIT), 1);
	CU_ASSERT(rig_counter(DP_C_ICMP_REPORTS) >= 50);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ICMP_REPORTS), n - 1);
	rig_close();
}

/* ---- errors about protected flows ---- */

#define ROUTER  "10.1.0.77" /* in no rule below */
#define ROUTER6 "2001:db8:1::77"
#define BACK    "protect 3 10.1.0.2/32 10.2.0.0/24", "protect 3 2001:db8:1::2/128 2001:db8:2::/64"

static struct sa out_sa;

static void tunnel_open(void)
{
	struct path_spec spec = { 0 };

	rig_open(1);
	RIG_POLICY(BACK);
	out_sa = (struct sa){ .spi = SPI, .owner = WORKER_NONE, .inner_mtu = 1400 };
	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(WAN_PEER, &spec.remote.addr);
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
}

static void tunnel_close(void)
{
	path_free(out_sa.path);
	rig_close();
}

static const struct probe from_far = { .src = FAR_HOST, .dst = LAN_HOST, .sport = 7, .dport = 8 };
static const struct probe from_far6 = { .src = FAR_HOST6, .dst = LAN_HOST6, .sport = 7, .dport = 8 };
static const struct probe from_lan = { .src = LAN_HOST, .dst = FAR_HOST, .sport = 8, .dport = 7 };
static const struct probe from_lan6 = { .src = LAN_HOST6, .dst = FAR_HOST6, .sport = 8, .dport = 7 };

static bool sealed(uint16_t port, const struct probe *p)
{
	rig_send(port, p);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	bool good = m && frame_ip(m)->next_proto_id == IPPROTO_ESP;

	rte_pktmbuf_free(m);
	return good && rig_sent(LAN) + rig_sent(WAN) == 0;
}

/* RFC 4301 6.2. */
static void test_icmp_flow_of_a_router_behind_us_goes_through_the_tunnel(void)
{
	struct probe plain = { .src = ROUTER, .dst = FAR_HOST, .protocol = IPPROTO_ICMP };

	tunnel_open();
	CU_ASSERT(dropped_as(LAN, &plain, DROP_NO_POLICY));
	struct probe p = error_of(ROUTER, FAR_HOST, 11, 0, 0, &from_far);
	CU_ASSERT_TRUE(sealed(LAN, &p));
	p = error_of(ROUTER6, FAR_HOST6, 3, 0, 0, &from_far6);
	CU_ASSERT_TRUE(sealed(LAN, &p));
	/* not about what the tunnel carries, or not for whom it was sent */
	p = error_of(ROUTER, FAR_HOST, 11, 0, 0, &(struct probe){ .src = FAR_HOST, .dst = "10.1.0.3" });
	CU_ASSERT(dropped_as(LAN, &p, DROP_NO_POLICY));
	p = error_of(ROUTER, "10.2.0.9", 11, 0, 0, &from_far);
	CU_ASSERT(dropped_as(LAN, &p, DROP_NO_POLICY));
	/* the rule that names it decides */
	RIG_POLICY("discard 10.1.0.77/32 0.0.0.0/0", BACK);
	p = error_of(ROUTER, FAR_HOST, 11, 0, 0, &from_far);
	CU_ASSERT(dropped_as(LAN, &p, DROP_DISCARD));
	tunnel_close();
}

/* RFC 4301 6.2: "If no such SA exists, no SA will be created"; for a packet of its own there is one to be made. */
static void test_icmp_flow_asks_for_no_sa(void)
{
	struct sa *child = &out_sa;
	struct probe error;

	tunnel_open();
	fake.tunnels[3] = NULL;
	error = error_of(ROUTER, FAR_HOST, 11, 0, 0, &from_far);
	CU_ASSERT(dropped_as(LAN, &error, DROP_NO_SA));
	error = error_of(ROUTER6, FAR_HOST6, 3, 0, 0, &from_far6);
	CU_ASSERT(dropped_as(LAN, &error, DROP_NO_SA));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event_count, 0);
	CU_ASSERT(dropped_as(LAN, &from_lan, DROP_NO_SA));
	rig_poll();
	CU_ASSERT_EQUAL(rig.event_count, 1);
	CU_ASSERT_EQUAL(rig.event.kind, DATAPATH_NO_SA);
	fake.tunnels[3] = child;
	CU_ASSERT_TRUE(sealed(LAN, &error));
	tunnel_close();
}

/* Nobody on the WAN speaks to the peer's hosts for ours. */
static void test_icmp_flow_from_the_other_side_is_not_sealed(void)
{
	tunnel_open();
	struct probe p = error_of(WAN_GW, FAR_HOST, 11, 0, 0, &from_far);
	CU_ASSERT(dropped_as(WAN, &p, DROP_MARTIAN));
	p = error_of(ROUTER, FAR_HOST, 11, 0, 0, &from_far);
	CU_ASSERT(dropped_as(WAN, &p, DROP_MARTIAN));
	p = error_of("8.8.8.8", FAR_HOST, 11, 0, 0, &from_far);
	CU_ASSERT(dropped_as(LAN, &p, DROP_MARTIAN));
	CU_ASSERT_EQUAL(out_sa.packets, 0);
	tunnel_close();
}

static uint8_t outer[800];

/* A packet as the fake tunnel brings it. */
static struct probe esp_of(const struct probe *inner)
{
	struct rte_mbuf *m = rig_packet(inner);

	store_be32(outer, 0x1001);
	store_be32(outer + 4, 1);
	memcpy(outer + 8, rte_pktmbuf_mtod(m, void *), m->data_len);
	struct probe p = { .src = WAN_PEER,
		.dst = WAN_OWN,
		.protocol = IPPROTO_ESP,
		.payload = outer,
		.payload_bytes = (uint16_t)(8 + m->data_len) };
	rte_pktmbuf_free(m);
	return p;
}

/* Our own address is in no selector either: what we say of tunnelled traffic goes where that came from. */
static void test_icmp_flow_of_ourselves_goes_through_the_tunnel(void)
{
	struct sa in_sa = { .spi = 0x1001, .tunnel_slot = 3 };
	struct probe tired = from_far;

	tunnel_open();
	fake.inbound[0] = &in_sa;
	tired.ttl = 1;
	struct probe p = esp_of(&tired);
	CU_ASSERT_TRUE(sealed(WAN, &p));
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_NO_POLICY), 0);
	tunnel_close();
}

/* A hub: an error out of one tunnel about traffic of two goes into the other one, or back is a loop; in clear it does
 * not leave. */
static void test_icmp_flow_between_tunnels(void)
{
	const struct probe to_branch = { .src = "10.3.0.2", .dst = FAR_HOST };
	struct sa in_sa = { .spi = 0x1001, .tunnel_slot = 2, .any_source = true };

	tunnel_open();
	fake.inbound[0] = &in_sa;
	RIG_POLICY("protect 2 10.3.0.0/24 10.2.0.0/24", "protect 3 10.2.0.0/24 10.3.0.0/24");
	struct probe error = error_of("172.16.0.1", "10.3.0.2", 11, 0, 0, &to_branch), p = esp_of(&error);
	CU_ASSERT_TRUE(sealed(WAN, &p));
	in_sa.tunnel_slot = 3;
	CU_ASSERT(dropped_as(WAN, &p, DROP_TUNNEL_LOOP));
	tunnel_close();
}

/* What says in clear that it is about a protected flow is not believed, also where a rule would let it by. */
static void test_icmp_flow_in_clear_is_not_forwarded(void)
{
	tunnel_open();
	struct probe p = error_of(WAN_GW, LAN_HOST, 3, 1, 0, &from_lan);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_UNPROTECTED));
	p = error_of(WAN_GW6, LAN_HOST6, 1, 0, 0, &from_lan6);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_UNPROTECTED));
	RIG_POLICY(BACK, "bypass 0.0.0.0/0 0.0.0.0/0");
	p = error_of(WAN_GW, LAN_HOST, 3, 1, 0, &from_lan);
	CU_ASSERT(dropped_as(WAN, &p, DROP_ICMP_UNPROTECTED));
	/* about traffic in clear it passes as its rule says */
	p = error_of(WAN_GW, LAN_HOST, 3, 1, 0, &(struct probe){ .src = LAN_HOST, .dst = WAN_PEER });
	rig_send(WAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	tunnel_close();
}

/* In pieces, which show nothing of what it quotes, it ends as well. */
static void test_icmp_flow_in_clear_in_fragments_is_not_forwarded(void)
{
	const uint16_t cut = 16;
	struct probe p, rest;

	rig_open_reassembly(1);
	RIG_POLICY(BACK, "bypass 0.0.0.0/0 0.0.0.0/0");
	p = rest = error_of(WAN_GW, LAN_HOST, 3, 1, 0, &from_lan);
	p.fragment = RTE_IPV4_HDR_MF_FLAG;
	p.payload_bytes = cut;
	rest.fragment = cut / 8;
	rest.payload = message + cut;
	rest.payload_bytes = (uint16_t)(message_bytes - cut);
	rig_send(WAN, &p);
	CU_ASSERT(dropped_as(WAN, &rest, DROP_ICMP_UNPROTECTED));
	CU_ASSERT_EQUAL(rig_counter(DP_C_REASSEMBLED), 1);
	rig_close();
}

/* ---- reverse path ---- */

static void test_reverse_path_strict(void)
{
	const struct probe home = { .src = LAN_HOST, .dst = WAN_PEER }, forged = { .src = "10.9.0.1", .dst = WAN_PEER };
	const struct probe back = { .src = LAN_HOST, .dst = WAN_OWN, .protocol = IPPROTO_ICMP };
	const struct probe home6 = { .src = LAN_HOST6, .dst = WAN_PEER6 },
			   forged6 = { .src = "2001:db8:9::1", .dst = WAN_PEER6 };

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0", "bypass ::/0 ::/0");
	rig.dp->ports[LAN].rpf = DATAPATH_RPF_STRICT;
	rig.dp->ports[WAN].rpf = DATAPATH_RPF_STRICT;
	rig.dp->reverse_path = true;
	rig_send(LAN, &home);
	rig_send(LAN, &home6);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 2);
	CU_ASSERT(dropped_as(LAN, &forged, DROP_REVERSE_PATH));
	CU_ASSERT(dropped_as(LAN, &forged6, DROP_REVERSE_PATH));
	/* for ourselves too */
	CU_ASSERT(dropped_as(WAN, &back, DROP_REVERSE_PATH));
	rig_close();
}

static void test_reverse_path_loose_takes_any_route_but_the_default(void)
{
	const struct probe other_port = { .src = LAN_HOST, .dst = WAN_PEER },
			   nowhere = { .src = "10.9.0.1", .dst = WAN_PEER };
	const struct probe nowhere6 = { .src = "2001:db8:9::1", .dst = WAN_PEER6 };

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0", "bypass ::/0 ::/0");
	rig.dp->ports[WAN].rpf = DATAPATH_RPF_LOOSE;
	rig.dp->reverse_path = true;
	rig_send(WAN, &other_port);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	CU_ASSERT(dropped_as(WAN, &nowhere, DROP_REVERSE_PATH));
	CU_ASSERT(dropped_as(WAN, &nowhere6, DROP_REVERSE_PATH));
	/* the other port does not check */
	rig_send(LAN, &nowhere);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_icmp_in_path_mtu_is_told_to_control),
		TEST(test_icmp_in_is_not_believed_and_named),
		TEST(test_icmp_in_other_errors_by_setting),
		TEST(test_icmp_in_reports_are_limited),
		TEST(test_icmp_flow_of_a_router_behind_us_goes_through_the_tunnel),
		TEST(test_icmp_flow_asks_for_no_sa),
		TEST(test_icmp_flow_from_the_other_side_is_not_sealed),
		TEST(test_icmp_flow_of_ourselves_goes_through_the_tunnel),
		TEST(test_icmp_flow_between_tunnels),
		TEST(test_icmp_flow_in_clear_is_not_forwarded),
		TEST(test_icmp_flow_in_clear_in_fragments_is_not_forwarded),
		TEST(test_reverse_path_strict),
		TEST(test_reverse_path_loose_takes_any_route_but_the_default),
	};

	rig_eal();
	return test_main("datapath_icmp_in", tests, ARRAY_LEN(tests), argc, argv);
}
