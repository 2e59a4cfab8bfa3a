/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMPv6 errors: their bytes, when none may be sent, and who hears of what; and the IPv4 ones that say no way. */
#include "harness.h"
#include "rig.h"

static const struct probe offending = { .src = LAN_HOST6, .dst = FAR_HOST6, .sport = 1, .dport = 2, .bytes = 100 };

static bool checksum_good(const struct rte_mbuf *m)
{
	return upper_checksum_good(
		m, IPPROTO_ICMPV6, rte_pktmbuf_mtod_offset(m, void *, 40), (uint16_t)(m->data_len - 40));
}

static void test_icmp6_error_quotes_the_packet_as_it_came(void)
{
	uint8_t before[100], source[16];

	rig_open(1);
	ip6(LAN_OWN6, source);
	struct rte_mbuf *m = rig_packet(&offending);
	memcpy(before, rte_pktmbuf_mtod(m, void *), sizeof(before));
	CU_ASSERT_EQUAL_FATAL(icmp6_error_build(m, source, ICMP_ERROR_TTL, 0), 0);
	const struct rte_ipv6_hdr *ip = packet_ip6(m);
	const uint8_t *icmp = (const uint8_t *)(ip + 1);
	CU_ASSERT_EQUAL(m->data_len, 148);
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(ip->payload_len), 108);
	CU_ASSERT(ip6_is(ip6_source(ip), LAN_OWN6) && ip6_is(ip6_destination(ip), LAN_HOST6));
	CU_ASSERT_EQUAL(load_be16(icmp), 0x0300);
	CU_ASSERT_EQUAL(load_be32(icmp + 4), 0);
	CU_ASSERT(checksum_good(m));
	CU_ASSERT_EQUAL(memcmp(icmp + 8, before, sizeof(before)), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_icmp6_error_is_at_most_1280_bytes_and_names_the_mtu(void)
{
	struct probe big = offending;
	uint8_t source[16];

	rig_open(1);
	ip6(LAN_OWN6, source);
	big.bytes = 1500;
	struct rte_mbuf *m = rig_packet(&big);
	CU_ASSERT_EQUAL_FATAL(icmp6_error_build(m, source, ICMP_ERROR_TOO_BIG, 1400), 0);
	const uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, 40);
	CU_ASSERT_EQUAL(m->pkt_len, 1280);
	CU_ASSERT_EQUAL(load_be16(icmp), 0x0200);
	CU_ASSERT_EQUAL(load_be32(icmp + 4), 1400);
	CU_ASSERT(checksum_good(m));
	rte_pktmbuf_free(m);
	/* nobody may be told less */
	m = rig_packet(&big);
	CU_ASSERT_EQUAL_FATAL(icmp6_error_build(m, source, ICMP_ERROR_TOO_BIG, 600), 0);
	CU_ASSERT_EQUAL(load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 44)), 1280);
	rte_pktmbuf_free(m);
	rig_close();
}

static bool forbidden(const struct probe *p, enum icmp_error error)
{
	struct rte_mbuf *m = rig_packet(p);
	uint16_t bytes = m->data_len;
	uint8_t source[16];

	ip6(LAN_OWN6, source);
	bool refused = icmp6_error_build(m, source, error, 1400) == -EPERM && m->data_len == bytes;
	rte_pktmbuf_free(m);
	return refused;
}

/* RFC 4443 2.4 (e). */
static void test_icmp6_error_is_never_sent_about_these(void)
{
	static const uint8_t errors[] = { 1, 2, 3, 4, 100, 127, 137 }, others[] = { 128, 129, 135, 255 };
	static uint8_t behind_options[16] = { IPPROTO_ICMPV6, 0, 1, 4, [8] = 1 };
	static const uint8_t later[16] = { IPPROTO_ICMPV6, 0, 0, 0x58 };
	struct probe p = offending;
	uint8_t icmp[8] = { 0 };

	rig_open(1);
	CU_ASSERT_FALSE(forbidden(&p, ICMP_ERROR_TTL));
	p.src = "::";
	CU_ASSERT(forbidden(&p, ICMP_ERROR_TTL));
	p.src = "ff02::1";
	CU_ASSERT(forbidden(&p, ICMP_ERROR_TOO_BIG));
	p = offending;
	p.dst = "ff0e::1";
	CU_ASSERT(forbidden(&p, ICMP_ERROR_TTL));
	CU_ASSERT_FALSE(forbidden(&p, ICMP_ERROR_TOO_BIG));
	p = offending;
	p.protocol = IPPROTO_ICMPV6;
	p.payload = icmp;
	p.payload_bytes = sizeof(icmp);
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		icmp[0] = errors[i];
		CU_ASSERT(forbidden(&p, ICMP_ERROR_TTL));
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		icmp[0] = others[i];
		CU_ASSERT_FALSE(forbidden(&p, ICMP_ERROR_TTL));
	}
	p.payload_bytes = 0; /* no type to look at */
	CU_ASSERT(forbidden(&p, ICMP_ERROR_TTL));
	p.protocol = IPPROTO_DSTOPTS;
	p.payload = behind_options;
	p.payload_bytes = sizeof(behind_options);
	CU_ASSERT(forbidden(&p, ICMP_ERROR_TTL));
	behind_options[8] = 128;
	CU_ASSERT_FALSE(forbidden(&p, ICMP_ERROR_TTL));
	p.protocol = IPPROTO_FRAGMENT;
	p.payload = later;
	CU_ASSERT(forbidden(&p, ICMP_ERROR_TTL));
	rig_close();
}

/* Only what policy lets pass, and what has no way: net or host unreachable. */
static void test_icmp6_no_route_is_told_of_in_both_families(void)
{
	const struct datapath_snapshot nothing = { 0 };
	const struct probe six = { .src = LAN_HOST6, .dst = "2a00::1" }, four = { .src = LAN_HOST, .dst = "8.8.8.8" };
	struct spd_rule all[2] = { { .action = SPD_BYPASS }, { .action = SPD_BYPASS } };
	struct datapath_snapshot s = nothing;
	struct selector any;
	const char *reason;

	rig_open(1);
	selector_parse("::/0", &any);
	all[0].local = all[0].remote = (struct selector_list){ .count = 1, .items = { any } };
	selector_parse("0.0.0.0/0", &any);
	all[1].local = all[1].remote = (struct selector_list){ .count = 1, .items = { any } };
	s.rules = all;
	s.rule_count = 2;
	CU_ASSERT_EQUAL_FATAL(datapath_publish(rig.dp, &s, &reason), 0);
	CU_ASSERT(refused_as(LAN, &six, DROP_NO_ROUTE, 0x0100));
	CU_ASSERT(refused_as(LAN, &four, DROP_NO_ROUTE, 0x0300));
	/* a subnet's broadcast is nobody's address */
	const struct probe edge = { .src = WAN_PEER, .dst = "10.1.0.255" };
	CU_ASSERT(dropped_as(WAN, &edge, DROP_NO_ROUTE));
	/* what policy discards it does so in silence */
	RIG_POLICY("discard ::/0 ::/0");
	CU_ASSERT(dropped_as(LAN, &six, DROP_DISCARD));
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_icmp6_error_quotes_the_packet_as_it_came),
		TEST(test_icmp6_error_is_at_most_1280_bytes_and_names_the_mtu),
		TEST(test_icmp6_error_is_never_sent_about_these),
		TEST(test_icmp6_no_route_is_told_of_in_both_families),
	};

	rig_eal();
	return test_main("datapath_icmp6", tests, ARRAY_LEN(tests), argc, argv);
}
