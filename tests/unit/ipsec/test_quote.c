/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors and what they quote: every kind of both families, cut anywhere, about packets of SAs and others. */
#include "harness.h"
#include "quote.h"

#include <netinet/in.h>

#define ROOM 256

static uint8_t packet[ROOM];
static struct quote q;
static struct quoted_sa sa;

static const uint8_t host_a[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, host_b[16] = { 0x20, 1, 0xd, 0xb8, [15] = 2 };

/* Writes an IPv4 header from 192.0.2.x to 192.0.2.y. */
static void ip4_put(uint8_t *at, uint8_t protocol, uint16_t total, uint8_t from, uint8_t to)
{
	memset(at, 0, 20);
	at[0] = 0x45;
	at[9] = protocol;
	store_be16(at + 2, total);
	store_be32(at + 12, 0xc0000200u | from);
	store_be32(at + 16, 0xc0000200u | to);
}

static void ip6_put(uint8_t *at, uint8_t protocol, uint16_t payload, const uint8_t *from, const uint8_t *to)
{
	memset(at, 0, 40);
	at[0] = 0x60;
	at[6] = protocol;
	store_be16(at + 4, payload);
	memcpy(at + 8, from, 16);
	memcpy(at + 24, to, 16);
}

/* An error of type and code to host 1, quoting a packet of host 1 to host 2 with `bytes` behind its header. */
static uint32_t error4(uint8_t type, uint8_t code, uint8_t protocol, const void *upper, uint16_t bytes)
{
	ip4_put(packet, IPPROTO_ICMP, (uint16_t)(48 + bytes), 9, 1);
	memset(packet + 20, 0, 8);
	packet[20] = type;
	packet[21] = code;
	store_be16(packet + 26, 1300);
	ip4_put(packet + 28, protocol, 1500, 1, 2);
	memcpy(packet + 48, upper, bytes);
	return 48u + bytes;
}

static uint32_t error6(uint8_t type, uint8_t protocol, const void *upper, uint16_t bytes)
{
	ip6_put(packet, IPPROTO_ICMPV6, (uint16_t)(48 + bytes), host_b, host_a);
	memset(packet + 40, 0, 8);
	packet[40] = type;
	store_be32(packet + 44, 70000);
	ip6_put(packet + 48, protocol, 1400, host_a, host_b);
	memcpy(packet + 88, upper, bytes);
	return 88u + bytes;
}

static const uint8_t esp[8] = { 0, 0, 0x20, 2, 0, 0, 0, 7 };

static void test_quote_kinds_of_both_families(void)
{
	static const struct {
		uint8_t type, code, kind;
	} four[] = { { 3, 4, QUOTE_TOO_BIG }, { 3, 1, QUOTE_UNREACHABLE }, { 3, 13, QUOTE_UNREACHABLE },
		{ 11, 0, QUOTE_TIME }, { 12, 0, QUOTE_OTHER }, { 4, 0, QUOTE_OTHER }, { 5, 1, QUOTE_OTHER } },
	  six[] = { { 1, 0, QUOTE_UNREACHABLE }, { 2, 0, QUOTE_TOO_BIG }, { 3, 0, QUOTE_TIME }, { 4, 0, QUOTE_OTHER },
		  { 127, 0, QUOTE_OTHER } };

	for (size_t i = 0; i < ARRAY_LEN(four); i++) {
		uint32_t n = error4(four[i].type, four[i].code, IPPROTO_ESP, esp, 8);
		CU_ASSERT_TRUE(quote_read(packet, n, &q));
		CU_ASSERT(q.kind == four[i].kind && q.type == four[i].type && q.code == four[i].code);
		CU_ASSERT_EQUAL(q.mtu, q.kind == QUOTE_TOO_BIG ? 1300 : 0);
		CU_ASSERT(q.ip == packet + 28 && q.bytes == 28);
	}
	for (size_t i = 0; i < ARRAY_LEN(six); i++) {
		uint32_t n = error6(six[i].type, IPPROTO_ESP, esp, 8);
		CU_ASSERT_TRUE(quote_read(packet, n, &q));
		CU_ASSERT_EQUAL(q.kind, six[i].kind);
		CU_ASSERT_EQUAL(q.mtu, q.kind == QUOTE_TOO_BIG ? 70000 : 0);
		CU_ASSERT(q.ip == packet + 48 && q.bytes == 48);
	}
}

static void test_quote_no_error_at_all(void)
{
	uint32_t n = error4(8, 0, IPPROTO_ESP, esp, 8);

	CU_ASSERT_FALSE(quote_is_error(packet, n));
	n = error4(3, 4, IPPROTO_ESP, esp, 8);
	CU_ASSERT_TRUE(quote_is_error(packet, n));
	packet[9] = IPPROTO_UDP;
	CU_ASSERT_FALSE(quote_is_error(packet, n));
	/* fragments, the first one too */
	n = error4(3, 4, IPPROTO_ESP, esp, 8);
	packet[6] = 0x20;
	CU_ASSERT_FALSE(quote_is_error(packet, n));
	packet[6] = 0;
	packet[7] = 1;
	CU_ASSERT_FALSE(quote_is_error(packet, n));
	n = error6(128, IPPROTO_ESP, esp, 8);
	CU_ASSERT_FALSE(quote_is_error(packet, n));
	n = error6(2, IPPROTO_ESP, esp, 8);
	packet[6] = IPPROTO_ICMP;
	CU_ASSERT_FALSE(quote_is_error(packet, n));
}

/* Nothing is read behind the end, and too little is refused. */
static void test_quote_cut_anywhere(void)
{
	uint32_t whole = error4(3, 4, IPPROTO_ESP, esp, 8);

	for (uint32_t n = 20; n <= whole; n++) {
		CU_ASSERT_EQUAL(quote_is_error(packet, n), n >= 28);
		CU_ASSERT_EQUAL(quote_read(packet, n, &q), n >= 48);
		CU_ASSERT_EQUAL(n >= 48 && quote_sa(&q, &sa), n >= 52);
	}
	whole = error6(2, IPPROTO_ESP, esp, 8);
	for (uint32_t n = 40; n <= whole; n++) {
		CU_ASSERT_EQUAL(quote_is_error(packet, n), n >= 48);
		CU_ASSERT_EQUAL(quote_read(packet, n, &q), n >= 88);
		CU_ASSERT_EQUAL(n >= 88 && quote_sa(&q, &sa), n >= 92);
	}
}

/* The quoted packet was sent by whom the error is for, and is of its family. */
static void test_quote_of_somebody_elses_packet(void)
{
	uint32_t n = error4(3, 4, IPPROTO_ESP, esp, 8);

	packet[28 + 15] = 3;
	CU_ASSERT_FALSE(quote_read(packet, n, &q));
	n = error4(3, 4, IPPROTO_ESP, esp, 8);
	packet[28] = 0x65;
	CU_ASSERT_FALSE(quote_read(packet, n, &q));
	packet[28] = 0x44;
	CU_ASSERT_FALSE(quote_read(packet, n, &q));
	n = error6(2, IPPROTO_ESP, esp, 8);
	packet[48 + 23] = 3;
	CU_ASSERT_FALSE(quote_read(packet, n, &q));
	n = error6(2, IPPROTO_ESP, esp, 8);
	packet[48] = 0x45;
	CU_ASSERT_FALSE(quote_read(packet, n, &q));
}

static void test_quote_sa_of_every_encapsulation(void)
{
	static const uint8_t ah[12] = { 6, 4, 0, 0, 0, 0, 0x20, 3 },
			     options[16] = { IPPROTO_ESP, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0x20, 4 };
	static const uint8_t udp[12] = { 0x11, 0x94, 0xc3, 0xcb, 0, 0, 0, 0, 0, 0, 0x20, 5 };

	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_ESP, esp, 8), &q) && quote_sa(&q, &sa));
	CU_ASSERT(sa.spi == 0x2002 && sa.protocol == IPPROTO_ESP && !sa.udp && sa.total_bytes == 1500);
	CU_ASSERT(addr_ipv4(&sa.local) == 0xc0000201 && addr_ipv4(&sa.remote) == 0xc0000202);
	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_AH, ah, 8), &q) && quote_sa(&q, &sa));
	CU_ASSERT(sa.spi == 0x2003 && sa.protocol == IPPROTO_AH);
	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_UDP, udp, 12), &q) && quote_sa(&q, &sa));
	CU_ASSERT(sa.spi == 0x2005 && sa.protocol == IPPROTO_ESP && sa.udp);
	CU_ASSERT(sa.local_port == 4500 && sa.remote_port == 50123);
	CU_ASSERT_TRUE(quote_read(packet, error6(2, IPPROTO_HOPOPTS, options, 16), &q) && quote_sa(&q, &sa));
	CU_ASSERT(sa.spi == 0x2004 && sa.protocol == IPPROTO_ESP && sa.total_bytes == 1440);
	CU_ASSERT(!memcmp(sa.local.bytes, host_a, 16) && !memcmp(sa.remote.bytes, host_b, 16));
}

static void test_quote_sa_of_none(void)
{
	uint8_t udp[12] = { 0x11, 0x94, 0xc3, 0xcb, [11] = 0 };

	/* no SPI among the eight bytes that old routers quote; IKE; another port */
	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_UDP, udp, 8), &q));
	CU_ASSERT_FALSE(quote_sa(&q, &sa));
	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_UDP, udp, 12), &q));
	CU_ASSERT_FALSE(quote_sa(&q, &sa));
	udp[11] = 1;
	udp[1] = 0x95;
	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_UDP, udp, 12), &q));
	CU_ASSERT_FALSE(quote_sa(&q, &sa));
	CU_ASSERT_TRUE(quote_read(packet, error4(3, 4, IPPROTO_TCP, udp, 12), &q));
	CU_ASSERT_FALSE(quote_sa(&q, &sa));
	/* a later fragment shows no header */
	error4(3, 4, IPPROTO_ESP, esp, 8);
	packet[28 + 7] = 1;
	CU_ASSERT_TRUE(quote_read(packet, 56, &q));
	CU_ASSERT_FALSE(quote_sa(&q, &sa));
	/* the first one does */
	packet[28 + 7] = 0;
	packet[28 + 6] = 0x20;
	CU_ASSERT_TRUE(quote_read(packet, 56, &q));
	CU_ASSERT_TRUE(quote_sa(&q, &sa));
}

/* RFC 4301 6.2: addresses and ports change sides. */
static void test_quote_flow_is_turned_round(void)
{
	static const uint8_t udp[8] = { 0, 7, 0, 53 };
	struct flow out, in;

	CU_ASSERT_TRUE(quote_read(packet, error4(11, 0, IPPROTO_UDP, udp, 8), &q));
	/* to host 1, who is the remote end: as an answer of host 2 to it */
	quote_flow(&q, true, &out);
	CU_ASSERT(out.local_be[0] == RTE_BE32(0xc0000202) && out.remote_be[0] == RTE_BE32(0xc0000201));
	CU_ASSERT(out.has_ports && out.local_port_be == RTE_BE16(53) && out.remote_port_be == RTE_BE16(7));
	quote_flow(&q, false, &in);
	CU_ASSERT(in.local_be[0] == RTE_BE32(0xc0000201) && in.remote_be[0] == RTE_BE32(0xc0000202));
	CU_ASSERT(in.local_port_be == RTE_BE16(7) && in.remote_port_be == RTE_BE16(53));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_quote_kinds_of_both_families),
		TEST(test_quote_no_error_at_all),
		TEST(test_quote_cut_anywhere),
		TEST(test_quote_of_somebody_elses_packet),
		TEST(test_quote_sa_of_every_encapsulation),
		TEST(test_quote_sa_of_none),
		TEST(test_quote_flow_is_turned_round),
	};

	return test_main("ipsec_quote", tests, ARRAY_LEN(tests), argc, argv);
}
