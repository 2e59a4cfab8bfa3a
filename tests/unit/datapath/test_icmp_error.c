/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors: their bytes, and when none may be sent. */
#include "harness.h"
#include "rig.h"

static const struct probe offending = { .src = LAN_HOST, .dst = FAR_HOST, .sport = 1, .dport = 2, .bytes = 100 };

static void test_icmp_error_quotes_the_packet_as_it_came(void)
{
	uint8_t before[100];

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&offending);
	memcpy(before, rte_pktmbuf_mtod(m, void *), sizeof(before));
	CU_ASSERT_EQUAL_FATAL(icmp4_error_build(m, ip4(LAN_OWN), ICMP_ERROR_TTL, 0, 77), 0);
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	const uint8_t *icmp = (const uint8_t *)(ip + 1);
	CU_ASSERT_EQUAL(m->data_len, 128);
	CU_ASSERT_EQUAL(ip_total_bytes(ip), 128);
	CU_ASSERT(ip_checksum_valid(ip));
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(ip->packet_id), 77);
	CU_ASSERT_EQUAL(load_be16(icmp), 0x0b00);
	CU_ASSERT_EQUAL(rte_raw_cksum(icmp, 108), 0xffff);
	CU_ASSERT_EQUAL(load_be32(icmp + 4), 0);
	CU_ASSERT_EQUAL(memcmp(icmp + 8, before, sizeof(before)), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_icmp_error_is_at_most_576_bytes_and_names_the_mtu(void)
{
	struct probe big = offending;

	rig_open(1);
	big.bytes = 1500;
	struct rte_mbuf *m = rig_packet(&big);
	CU_ASSERT_EQUAL_FATAL(icmp4_error_build(m, ip4(LAN_OWN), ICMP_ERROR_TOO_BIG, 1446, 1), 0);
	const uint8_t *icmp = (const uint8_t *)(packet_ip(m) + 1);
	CU_ASSERT_EQUAL(m->pkt_len, 576);
	CU_ASSERT_EQUAL(load_be16(icmp), 0x0304);
	CU_ASSERT_EQUAL(load_be16(icmp + 4), 0);
	CU_ASSERT_EQUAL(load_be16(icmp + 6), 1446);
	CU_ASSERT_EQUAL(rte_raw_cksum(icmp, 556), 0xffff);
	rte_pktmbuf_free(m);
	rig_close();
}

static bool forbidden(const struct probe *p)
{
	struct rte_mbuf *m = rig_packet(p);
	uint16_t bytes = m->data_len;
	bool refused = icmp4_error_build(m, ip4(LAN_OWN), ICMP_ERROR_TTL, 0, 1) == -EPERM && m->data_len == bytes;

	rte_pktmbuf_free(m);
	return refused;
}

static void test_icmp_error_is_never_sent_about_these(void)
{
	static const uint8_t errors[] = { 3, 4, 5, 11, 12 }, queries[] = { 0, 8, 13 };
	struct probe p = offending;
	uint8_t icmp[8] = { 0 };

	rig_open(1);
	CU_ASSERT_FALSE(forbidden(&p));
	p.fragment = 1;
	CU_ASSERT(forbidden(&p));
	p.fragment = RTE_IPV4_HDR_MF_FLAG; /* the first fragment may */
	CU_ASSERT_FALSE(forbidden(&p));
	p = offending;
	p.src = "224.0.0.1";
	CU_ASSERT(forbidden(&p));
	p.src = "0.0.0.0";
	CU_ASSERT(forbidden(&p));
	p = offending;
	p.dst = "255.255.255.255";
	CU_ASSERT(forbidden(&p));
	p = offending;
	p.protocol = IPPROTO_ICMP;
	p.payload = icmp;
	p.payload_bytes = sizeof(icmp);
	for (size_t i = 0; i < sizeof(errors); i++) {
		icmp[0] = errors[i];
		CU_ASSERT(forbidden(&p));
	}
	for (size_t i = 0; i < sizeof(queries); i++) {
		icmp[0] = queries[i];
		CU_ASSERT_FALSE(forbidden(&p));
	}
	p.payload_bytes = 0; /* no type to look at */
	CU_ASSERT(forbidden(&p));
	rig_close();
}

static void test_icmp_error_rate_is_limited(void)
{
	const struct probe tired = { .src = LAN_HOST, .dst = WAN_PEER, .ttl = 1 };
	unsigned sent = 0, n = 0;

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	for (; n < 1000000 && !rig_counter(DP_C_ICMP_LIMITED); n++) {
		rig_send(LAN, &tired);
		rig_step();
		sent += rig_sent(LAN);
	}
	CU_ASSERT(sent >= 100);
	CU_ASSERT_EQUAL(sent, n - 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_TTL), n);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ICMP_SENT), sent);
	rig_close();
}

/* Path MTU discovery works on in a flood of other errors, and on the other port all does. */
static void test_icmp_error_too_big_has_its_own_limit(void)
{
	const struct probe tired = { .src = LAN_HOST, .dst = WAN_PEER, .ttl = 1 };
	const struct probe tired_too = { .src = WAN_PEER, .dst = LAN_HOST, .ttl = 1 };
	const struct probe large = {
		.src = LAN_HOST, .dst = WAN_PEER, .bytes = 1400, .fragment = RTE_IPV4_HDR_DF_FLAG
	};

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	rig.dp->ports[WAN].mtu = 1300;
	for (unsigned n = 0; n < 1000000 && !rig_counter(DP_C_ICMP_LIMITED); n++) {
		rig_send(LAN, &tired);
		rig_step();
		rig_sent(LAN);
	}
	CU_ASSERT(rig_counter(DP_C_ICMP_LIMITED) > 0);
	CU_ASSERT(refused_as(LAN, &large, DROP_TOO_BIG, 0x0304));
	CU_ASSERT(refused_as(WAN, &tired_too, DROP_TTL, 0x0b00));
	CU_ASSERT_EQUAL(rig_counter(DP_C_ICMP_LIMITED), 1);
	rig_close();
}

/* RFC 4301 5.1.1: if the operator wants so, a host hears which of its packets a rule of its side ended. */
static void test_icmp_error_prohibited_by_setting(void)
{
	const struct probe leaving = { .src = LAN_HOST, .dst = "8.8.8.8" },
			   leaving6 = { .src = LAN_HOST6, .dst = "2a00::1" };
	const struct probe forged = { .src = "10.9.0.1", .dst = "8.8.8.8" },
			   arriving = { .src = WAN_PEER, .dst = LAN_HOST };
	const struct probe unruled = { .src = "10.1.0.9", .dst = WAN_PEER };

	rig_open(1);
	RIG_POLICY("discard 10.1.0.2/32 0.0.0.0/0", "discard 10.9.0.0/24 0.0.0.0/0",
		"discard 2001:db8:1::2/128 2a00::/16");
	CU_ASSERT(dropped_as(LAN, &leaving, DROP_DISCARD));
	CU_ASSERT(dropped_as(LAN, &leaving6, DROP_DISCARD));
	rig.dp->icmp.prohibited = true;
	RIG_POLICY("bypass 10.1.0.1/32 10.1.0.0/24", "discard 10.1.0.2/32 0.0.0.0/0", "discard 10.9.0.0/24 0.0.0.0/0",
		"discard 2001:db8:1::2/128 2a00::/16");
	CU_ASSERT(refused_as(LAN, &leaving, DROP_DISCARD, 0x030d));
	CU_ASSERT(refused_as(LAN, &leaving6, DROP_DISCARD, 0x0101));
	/* remembered flows too; nobody else, and nobody in another's name */
	CU_ASSERT(refused_as(LAN, &leaving, DROP_DISCARD, 0x030d));
	CU_ASSERT(dropped_as(LAN, &forged, DROP_DISCARD));
	CU_ASSERT(dropped_as(WAN, &arriving, DROP_DISCARD));
	CU_ASSERT(dropped_as(LAN, &unruled, DROP_NO_POLICY));
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_icmp_error_quotes_the_packet_as_it_came),
		TEST(test_icmp_error_is_at_most_576_bytes_and_names_the_mtu),
		TEST(test_icmp_error_is_never_sent_about_these),
		TEST(test_icmp_error_rate_is_limited),
		TEST(test_icmp_error_prohibited_by_setting),
		TEST(test_icmp_error_too_big_has_its_own_limit),
	};

	rig_eal();
	return test_main("datapath_icmp_error", tests, ARRAY_LEN(tests), argc, argv);
}
