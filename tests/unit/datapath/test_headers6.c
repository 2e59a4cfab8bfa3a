/* SPDX-License-Identifier: BSD-3-Clause */
/* Extension headers of IPv6 packets for us that cannot be processed: how they end, and what their senders are told. RFC
 * 8200 4, RFC 4443 3.4. */
#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

#define HEADER_FIELD   0x0400 /* type and code of parameter problems */
#define UNKNOWN_HEADER 0x0401
#define UNKNOWN_OPTION 0x0402

static uint32_t pointer;

/* Sends headers of so many bytes, the first of this protocol, to our address; the type and code of what comes back to
 * the sender, 0: nothing. */
static uint16_t told_of(uint8_t first, const void *headers, uint16_t bytes)
{
	uint8_t payload[128] = { 0 };
	const struct probe p = {
		.src = LAN_HOST6, .dst = LAN_OWN6, .protocol = first, .payload = payload, .payload_bytes = bytes
	};
	uint16_t type_code = 0;

	memcpy(payload, headers, bytes);
	struct rte_mbuf *m = rig_packet(&p);
	/* zero, hop-by-hop options, would be the rig's default */
	packet_ip6(m)->proto = first;
	uint8_t *eth = (uint8_t *)rte_pktmbuf_prepend(m, RTE_ETHER_HDR_LEN);
	if (!eth)
		abort();
	memcpy(eth, rig.dp->ports[LAN].mac, 6);
	memset(eth + 6, 2, 6);
	store_be16(eth + 12, RTE_ETHER_TYPE_IPV6);
	rig_send_mbuf(LAN, m);
	rig_step();
	m = rig_receive(LAN);
	if (!m)
		return 0;
	const uint8_t *f = rte_pktmbuf_mtod(m, const uint8_t *);
	/* the answer is ours, to the sender, and quotes the packet */
	if (ip6_is(f + 22, LAN_OWN6) && ip6_is(f + 38, LAN_HOST6) && !memcmp(f + 62 + 40, headers, bytes))
		type_code = load_be16(f + 54);
	pointer = load_be32(f + 58);
	rte_pktmbuf_free(m);
	return type_code;
}

static void headers_open(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
}

static void test_headers6_unknown_upper_protocol_is_told(void)
{
	static const uint8_t padded[16] = { 253, 0, 1, 4 };
	static const uint8_t nothing[8] = { 0 };

	headers_open();
	CU_ASSERT_EQUAL(told_of(253, nothing, 8), UNKNOWN_HEADER);
	CU_ASSERT_EQUAL(pointer, 6);
	CU_ASSERT_EQUAL(told_of(IPPROTO_DSTOPTS, padded, 16), UNKNOWN_HEADER);
	CU_ASSERT_EQUAL(pointer, 40);
	/* IPv4's ICMP is none of IPv6 */
	CU_ASSERT_EQUAL(told_of(IPPROTO_ICMP, nothing, 8), UNKNOWN_HEADER);
	CU_ASSERT_EQUAL(rig_drops(DROP_LOCAL_UNHANDLED), 3);
	/* known, but nobody listens; and meant for nobody */
	CU_ASSERT_EQUAL(told_of(IPPROTO_TCP, nothing, 8), 0);
	CU_ASSERT_EQUAL(told_of(IPPROTO_NONE, nothing, 8), 0);
	CU_ASSERT_EQUAL(rig_drops(DROP_LOCAL_UNHANDLED), 5);
	rig_close();
}

/* The two highest bits of an option's type say what becomes of the packet (RFC 8200 4.2). */
static void test_headers6_unknown_option_by_its_action(void)
{
	static const struct {
		uint8_t type;
		uint16_t told;
		uint64_t ended;
	} cases[] = { { 0x1e, 0, 0 }, { 0x5e, 0, 1 }, { 0x9e, UNKNOWN_OPTION, 2 }, { 0xde, UNKNOWN_OPTION, 3 } };

	headers_open();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint8_t hop[16] = { IPPROTO_UDP, 0, 0, cases[i].type, 2 };
		const uint8_t destination[24] = { IPPROTO_UDP, 1, 1, 3, 0, 0, 0, cases[i].type, 6 };
		uint64_t before = rig_drops(DROP_OPTION6);
		CU_ASSERT_EQUAL(told_of(IPPROTO_HOPOPTS, hop, 16), cases[i].told);
		CU_ASSERT(!cases[i].told || pointer == 43);
		CU_ASSERT_EQUAL(rig_drops(DROP_OPTION6) - before, cases[i].type >> 6 != 0);
		CU_ASSERT_EQUAL(told_of(IPPROTO_DSTOPTS, destination, 24), cases[i].told);
		CU_ASSERT(!cases[i].told || pointer == 47);
		CU_ASSERT_EQUAL(rig_drops(DROP_OPTION6), 2 * cases[i].ended);
	}
	rig_close();
}

static void test_headers6_broken_header_is_told(void)
{
	static const uint8_t beyond[16] = { IPPROTO_UDP, 0, 1, 5 }; /* the option ends behind its header */
	static const uint8_t no_length[16] = { IPPROTO_UDP, 0, 1, 3, 0, 0, 0, 0x1e }; /* no room for it */
	static const uint8_t source_route[16] = { IPPROTO_UDP, 0, 0, 1 };             /* RFC 5095 */
	static const uint8_t out_of_place[24] = { IPPROTO_HOPOPTS, 0, 1, 4, [8] = IPPROTO_UDP, 0, 1, 4 };

	headers_open();
	CU_ASSERT(told_of(IPPROTO_DSTOPTS, beyond, 16) == HEADER_FIELD && pointer == 43);
	CU_ASSERT(told_of(IPPROTO_DSTOPTS, no_length, 16) == HEADER_FIELD && pointer == 47);
	CU_ASSERT(told_of(IPPROTO_ROUTING, source_route, 16) == HEADER_FIELD && pointer == 42);
	CU_ASSERT(told_of(IPPROTO_DSTOPTS, out_of_place, 24) == UNKNOWN_HEADER && pointer == 40);
	CU_ASSERT_EQUAL(rig_drops(DROP_OPTION6), 4);
	rig_close();
}

/* In front of ESP too: it ends before anybody looks for an SA. */
static void test_headers6_unknown_option_in_front_of_esp(void)
{
	static const uint8_t option[32] = { IPPROTO_ESP, 0, 0x9e, 4, [8] = 0, 0, 0x10, 1 };

	headers_open();
	CU_ASSERT_EQUAL(told_of(IPPROTO_DSTOPTS, option, 32), UNKNOWN_OPTION);
	CU_ASSERT_EQUAL(rig_drops(DROP_OPTION6), 1);
	CU_ASSERT_EQUAL(rig_drops(DROP_UNKNOWN_SPI), 0);
	rig_close();
}

/* RFC 4443 2.4 (e.1), (f). */
static void test_headers6_errors_about_errors_and_floods_are_not_sent(void)
{
	static const uint8_t error[24] = { IPPROTO_ICMPV6, 0, 0x9e, 4, [8] = 1 };
	static const uint8_t nothing[8] = { 0 };
	unsigned told = 0;

	headers_open();
	CU_ASSERT_EQUAL(told_of(IPPROTO_DSTOPTS, error, 24), 0);
	for (int i = 0; i < 300; i++)
		told += told_of(253, nothing, 8) != 0;
	CU_ASSERT(told >= 100 && told < 300);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ICMP_LIMITED), 300 - told);
	rig_close();
}

/* What goes on is no business of ours. */
static void test_headers6_of_forwarded_packets_are_left_alone(void)
{
	static const uint8_t option[16] = { IPPROTO_UDP, 0, 0x9e, 4 };
	const struct probe p = { .src = LAN_HOST6,
		.dst = WAN_PEER6,
		.protocol = IPPROTO_DSTOPTS,
		.payload = option,
		.payload_bytes = sizeof(option) };

	headers_open();
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	CU_ASSERT_EQUAL(rig_sent(LAN), 0);
	rig_close();
}

/* From a neighbour that has no other address: answered on its link, by our address there. */
static void test_headers6_link_local_sender_is_told_on_its_link(void)
{
	static const uint8_t nothing[8] = { 0 };
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 0x55 };
	struct addr own = addr_from_bytes(ADDR_IPV6, (const uint8_t[16]){ 0 }), host;
	char text[ADDR_TEXT_MAX];

	headers_open();
	memcpy(own.bytes, rig.dp->ports[LAN].link_local, 16);
	addr_parse("fe80::55", &host);
	CU_ASSERT_EQUAL(datapath_neighbour_add(rig.dp, LAN, &host, mac), 0);
	const struct probe p = { .src = "fe80::55",
		.dst = addr_format(&own, text),
		.protocol = 253,
		.payload = nothing,
		.payload_bytes = 8 };
	CU_ASSERT(refused_as(LAN, &p, DROP_LOCAL_UNHANDLED, UNKNOWN_HEADER));
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_headers6_unknown_upper_protocol_is_told),
		TEST(test_headers6_unknown_option_by_its_action),
		TEST(test_headers6_broken_header_is_told),
		TEST(test_headers6_unknown_option_in_front_of_esp),
		TEST(test_headers6_errors_about_errors_and_floods_are_not_sent),
		TEST(test_headers6_of_forwarded_packets_are_left_alone),
		TEST(test_headers6_link_local_sender_is_told_on_its_link),
	};

	rig_eal();
	return test_main("datapath_headers6", tests, ARRAY_LEN(tests), argc, argv);
}
