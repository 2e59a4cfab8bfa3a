/* SPDX-License-Identifier: BSD-3-Clause */
/* The MSS clamp on bytes: usual and odd options, truncated and lying headers, the checksum afterwards. */
#include "harness.h"
#include "rig.h"

#define INNER_MTU 1446
#define CLAMPED   (INNER_MTU - 40)

/* A SYN with these options and a right checksum; returns its bytes. */
static uint16_t syn_make(uint8_t *ip, uint8_t flags, const uint8_t *options, uint8_t option_bytes)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)ip;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(h + 1);
	uint16_t total = (uint16_t)(40 + option_bytes);

	memset(ip, 0, total);
	h->version_ihl = 0x45;
	h->total_length = rte_cpu_to_be_16(total);
	h->next_proto_id = IPPROTO_TCP;
	h->src_addr = ip4(LAN_HOST);
	h->dst_addr = ip4(FAR_HOST);
	tcp->data_off = (uint8_t)((20 + option_bytes) / 4 << 4);
	tcp->tcp_flags = flags;
	memcpy(tcp + 1, options, option_bytes);
	tcp->cksum = rte_ipv4_udptcp_cksum(h, tcp);
	return total;
}

static bool checksum_valid(uint8_t *ip)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 20);
	uint16_t seen = tcp->cksum;

	tcp->cksum = 0;
	tcp->cksum = rte_ipv4_udptcp_cksum((struct rte_ipv4_hdr *)ip, tcp);
	return seen == tcp->cksum;
}

static void test_mss_syn_is_lowered_and_checksum_holds(void)
{
	static const uint8_t options[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7 };
	uint8_t ip[128];
	uint16_t n = syn_make(ip, RTE_TCP_SYN_FLAG, options, sizeof(options));

	CU_ASSERT(mss_clamp(ip, n, INNER_MTU));
	CU_ASSERT_EQUAL(load_be16(ip + 42), CLAMPED);
	CU_ASSERT(checksum_valid(ip));
	/* nothing left to do */
	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
}

static void test_mss_at_odd_offset_keeps_checksum(void)
{
	static const uint8_t options[] = { 1, 2, 4, 0x05, 0xb4, 1, 1, 0 };
	uint8_t ip[128];
	uint16_t n = syn_make(ip, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, options, sizeof(options));

	CU_ASSERT(mss_clamp(ip, n, INNER_MTU));
	CU_ASSERT_EQUAL(load_be16(ip + 43), CLAMPED);
	CU_ASSERT(checksum_valid(ip));
}

static void test_mss_is_never_raised(void)
{
	static const uint8_t options[] = { 2, 4, 0x02, 0x00 };
	uint8_t ip[128];
	uint16_t n = syn_make(ip, RTE_TCP_SYN_FLAG, options, sizeof(options));

	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	CU_ASSERT_EQUAL(load_be16(ip + 42), 512);
}

static void test_mss_only_syn_is_touched(void)
{
	static const uint8_t options[] = { 2, 4, 0x05, 0xb4 };
	uint8_t ip[128];
	uint16_t n = syn_make(ip, RTE_TCP_ACK_FLAG, options, sizeof(options));

	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	n = syn_make(ip, RTE_TCP_SYN_FLAG, options, sizeof(options));
	store_be16(ip + 6, 10); /* a later fragment */
	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	n = syn_make(ip, RTE_TCP_SYN_FLAG, options, sizeof(options));
	ip[9] = IPPROTO_UDP;
	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
}

static void test_mss_lying_options_are_left_alone(void)
{
	static const uint8_t lies[][4] = {
		{ 2, 0, 0x05, 0xb4 }, /* length below its own header */
		{ 2, 3, 0x05, 0xb4 }, /* an MSS option has 4 bytes */
		{ 8, 40, 2, 4 },      /* past the end */
		{ 1, 1, 1, 2 },       /* kind without length */
		{ 1, 1, 2, 4 },       /* value past the end */
		{ 0, 2, 4, 5 },       /* behind the end of the list */
	};
	uint8_t ip[128], before[128];

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		uint16_t n = syn_make(ip, RTE_TCP_SYN_FLAG, lies[i], 4);
		memcpy(before, ip, n);
		CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
		CU_ASSERT_EQUAL(memcmp(before, ip, n), 0);
	}
}

static void test_mss_truncated_tcp_is_left_alone(void)
{
	static const uint8_t options[] = { 2, 4, 0x05, 0xb4 };
	uint8_t ip[128];

	syn_make(ip, RTE_TCP_SYN_FLAG, options, sizeof(options));
	for (uint16_t n = 20; n < 44; n++)
		CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	ip[20 + 12] = 4 << 4; /* a header of 16 bytes */
	CU_ASSERT_FALSE(mss_clamp(ip, 44, INNER_MTU));
	syn_make(ip, RTE_TCP_SYN_FLAG, options, sizeof(options));
	CU_ASSERT_FALSE(mss_clamp(ip, 44, 40));
}

/* ---- IPv6 ---- */

/* A SYN with an MSS of 1440 behind `extensions` headers of 8 bytes. */
static uint16_t syn6_make(uint8_t *ip, uint8_t extensions)
{
	static const uint8_t options[] = { 2, 4, 0x05, 0xa0 };
	struct rte_ipv6_hdr *h = (struct rte_ipv6_hdr *)ip;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 40 + 8 * extensions);
	uint16_t total = (uint16_t)(40 + 8 * extensions + 24);

	memset(ip, 0, total);
	h->vtc_flow = RTE_BE32(0x60000000);
	h->payload_len = rte_cpu_to_be_16((uint16_t)(total - 40));
	h->proto = extensions ? IPPROTO_DSTOPTS : IPPROTO_TCP;
	for (uint8_t i = 0; i < extensions; i++)
		ip[40 + 8 * i] = i + 1 < extensions ? IPPROTO_DSTOPTS : IPPROTO_TCP;
	tcp->data_off = 6 << 4;
	tcp->tcp_flags = RTE_TCP_SYN_FLAG;
	memcpy(tcp + 1, options, sizeof(options));
	return total;
}

static void test_mss_ipv6_leaves_room_for_the_larger_header(void)
{
	uint8_t ip[128];

	for (uint8_t extensions = 0; extensions < 3; extensions++) {
		uint16_t n = syn6_make(ip, extensions), at = (uint16_t)(40 + 8 * extensions);
		uint16_t before = rte_raw_cksum(ip + at, 24);
		CU_ASSERT(mss_is_syn(ip, n));
		CU_ASSERT(mss_clamp(ip, n, INNER_MTU));
		CU_ASSERT_EQUAL(load_be16(ip + at + 22), INNER_MTU - 60);
		/* the checksum's change makes up for the value's */
		CU_ASSERT_EQUAL(rte_raw_cksum(ip + at, 24) % 0xffff, before % 0xffff);
		CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	}
}

static void test_mss_ipv6_leaves_others_alone(void)
{
	uint8_t ip[128];
	uint16_t n = syn6_make(ip, 1);

	ip[40] = IPPROTO_UDP;
	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	n = syn6_make(ip, 1);
	ip[6] = IPPROTO_FRAGMENT;
	store_be16(ip + 42, 8); /* a later one */
	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
	store_be16(ip + 42, 1);
	CU_ASSERT_TRUE(mss_clamp(ip, n, INNER_MTU));
	n = syn6_make(ip, 0);
	CU_ASSERT_FALSE(mss_clamp(ip, n, 60));
	CU_ASSERT_FALSE(mss_clamp(ip, n - 1, INNER_MTU));
	ip[53] = 0; /* flags */
	CU_ASSERT_FALSE(mss_clamp(ip, n, INNER_MTU));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_mss_syn_is_lowered_and_checksum_holds),
		TEST(test_mss_at_odd_offset_keeps_checksum),
		TEST(test_mss_is_never_raised),
		TEST(test_mss_only_syn_is_touched),
		TEST(test_mss_lying_options_are_left_alone),
		TEST(test_mss_truncated_tcp_is_left_alone),
		TEST(test_mss_ipv6_leaves_room_for_the_larger_header),
		TEST(test_mss_ipv6_leaves_others_alone),
	};

	return test_main("datapath_mss", tests, ARRAY_LEN(tests), argc, argv);
}
