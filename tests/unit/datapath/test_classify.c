/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of every class, and every way a frame can be wrong: each ends under its own name. */
#include "harness.h"
#include "rig.h"

static uint8_t frame[256];

/* A frame to the LAN port with an IPv4 packet of 40 bytes that tests then spoil. Returns its bytes. */
static uint16_t frame_make(const char *src, const char *dst)
{
	const struct probe p = { .src = src, .dst = dst, .bytes = 40 };
	struct rte_mbuf *m = rig_packet(&p);

	memcpy(frame, rig.dp->ports[LAN].mac, 6);
	memset(frame + 6, 2, 6);
	store_be16(frame + 12, RTE_ETHER_TYPE_IPV4);
	memcpy(frame + 14, rte_pktmbuf_mtod(m, void *), 40);
	rte_pktmbuf_free(m);
	return 54;
}

static void checksum_again(void)
{
	ip_checksum_set((struct rte_ipv4_hdr *)(frame + 14));
}

static bool frame_dropped_as(uint16_t bytes, enum drop_reason reason)
{
	uint64_t before = rig_drops(reason);

	rig_send_frame(LAN, frame, bytes);
	rig_step();
	return rig_drops(reason) == before + 1;
}

static void test_classify_link_layer_drops(void)
{
	rig_open(1);
	uint16_t n = frame_make(LAN_HOST, FAR_HOST);
	frame[0] ^= 2;
	CU_ASSERT(frame_dropped_as(n, DROP_NOT_FOR_US));
	memset(frame, 0xff, 6);
	CU_ASSERT(frame_dropped_as(n, DROP_NOT_FOR_US));
	frame_make(LAN_HOST, FAR_HOST);
	store_be16(frame + 12, 0x88cc);
	CU_ASSERT(frame_dropped_as(n, DROP_NOT_IP));
	store_be16(frame + 12, RTE_ETHER_TYPE_IPV6); /* says it is, but the packet is of IPv4 */
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	CU_ASSERT(frame_dropped_as(13, DROP_NOT_IP));
	rig_close();
}

static void test_classify_ip_header_drops(void)
{
	rig_open(1);
	uint16_t n = frame_make(LAN_HOST, FAR_HOST);
	for (uint16_t cut = 14; cut < 34; cut++)
		CU_ASSERT(frame_dropped_as(cut, DROP_IP_HEADER));
	CU_ASSERT(frame_dropped_as(n - 1, DROP_IP_HEADER)); /* shorter than it says */
	frame[14] = 0x55;
	checksum_again();
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	frame_make(LAN_HOST, FAR_HOST);
	frame[14] = 0x44;
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	frame[14] = 0x4f; /* a header longer than the packet */
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	frame_make(LAN_HOST, FAR_HOST);
	store_be16(frame + 16, 19);
	checksum_again();
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	rig_close();
}

static void test_classify_every_flipped_header_bit_is_seen(void)
{
	rig_open(1);
	for (int bit = 0; bit < 160; bit++) {
		uint16_t n = frame_make(LAN_HOST, FAR_HOST);
		frame[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	}
	rig_close();
}

static void test_classify_martian_sources(void)
{
	static const char *const sources[] = { "0.1.2.3", "127.0.0.1", "224.0.0.5", "255.255.255.255", "240.0.0.1" };

	rig_open(1);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		CU_ASSERT(frame_dropped_as(frame_make(sources[i], FAR_HOST), DROP_MARTIAN));
	CU_ASSERT(frame_dropped_as(frame_make(LAN_OWN, LAN_OWN), DROP_MARTIAN));
	/* also as the first of a burst, with nothing before it to be like */
	CU_ASSERT(frame_dropped_as(frame_make("0.0.0.0", "0.0.0.0"), DROP_MARTIAN));
	rig_close();
}

/* Behind a good packet to an address of ours, of which the next ones only show their source. */
static void test_classify_martians_among_good_packets_for_us(void)
{
	static const char *const sources[] = { WAN_PEER, "127.0.0.1", WAN_PEER, "224.0.0.5", WAN_OWN, "0.0.0.0",
		"255.255.255.255", WAN_PEER };
	const struct probe other = { .src = WAN_PEER, .dst = LAN_OWN, .protocol = IPPROTO_ESP };
	const struct probe nobody = { .src = WAN_PEER, .dst = "255.255.255.255", .protocol = IPPROTO_ESP };

	rig_open(1);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct probe p = { .src = sources[i], .dst = WAN_OWN, .protocol = IPPROTO_ESP };
		rig_send(WAN, &p);
	}
	rig_send(WAN, &other);
	rig_send(WAN, &nobody);
	rig_send(WAN, &other);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_MARTIAN), 6);
	CU_ASSERT_EQUAL(rig_drops(DROP_UNKNOWN_SPI), 5);
	rig_close();
}

static void test_classify_padding_is_cut(void)
{
	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	uint16_t n = frame_make(LAN_HOST, WAN_PEER);
	rig_send_frame(LAN, frame, n + 6);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, n);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_classify_chained_buffers_are_joined(void)
{
	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	uint16_t n = frame_make(LAN_HOST, WAN_PEER);
	struct rte_mbuf *head = rte_pktmbuf_alloc(rig.dp->pool), *tail = rte_pktmbuf_alloc(rig.dp->pool);
	memcpy(rte_pktmbuf_append(head, 40), frame, 40);
	memcpy(rte_pktmbuf_append(tail, (uint16_t)(n - 40)), frame + 40, n - 40u);
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(head, tail), 0);
	rig_send_mbuf(LAN, head);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->nb_segs, 1);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(m, uint8_t *, 34), frame + 34, n - 34u), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

/* In front of the first byte of IP, inside of the Ethernet header, one byte a buffer. */
static void test_classify_chains_cut_anywhere_are_joined(void)
{
	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	uint16_t n = frame_make(LAN_HOST, WAN_PEER);
	for (uint16_t cut = 1; cut < n; cut++) {
		struct rte_mbuf *head = rte_pktmbuf_alloc(rig.dp->pool), *tail = rte_pktmbuf_alloc(rig.dp->pool);
		memcpy(rte_pktmbuf_append(head, cut), frame, cut);
		memcpy(rte_pktmbuf_append(tail, (uint16_t)(n - cut)), frame + cut, (size_t)(n - cut));
		CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(head, tail), 0);
		rig_send_mbuf(LAN, head);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	}
	rig_close();
}

/* More than one buffer holds. */
static void test_classify_chain_that_fits_no_buffer_is_named(void)
{
	rig_open(1);
	struct rte_mbuf *head = rte_pktmbuf_alloc(rig.dp->pool), *tail = rte_pktmbuf_alloc(rig.dp->pool);
	frame_make(LAN_HOST, WAN_PEER);
	uint16_t room = rte_pktmbuf_tailroom(head);
	memcpy(rte_pktmbuf_append(head, room), frame, 34);
	rte_pktmbuf_append(tail, room);
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(head, tail), 0);
	rig_send_mbuf(LAN, head);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_CHAINED), 1);
	rig_close();
}

static void test_classify_options_are_forwarded_unchanged(void)
{
	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	uint16_t n = frame_make(LAN_HOST, WAN_PEER);
	frame[14] = 0x46;
	memcpy(frame + 34, "\x94\x04\0\0", 4); /* router alert */
	checksum_again();
	rig_send_frame(LAN, frame, n);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(ip_checksum_valid(frame_ip(m)));
	CU_ASSERT_EQUAL(memcmp(frame_ip(m) + 1, "\x94\x04\0\0", 4), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

/* ---- IPv6 ---- */

/* A frame to the LAN port with an IPv6 packet of 60 bytes that tests then spoil. Returns its bytes. */
static uint16_t frame6_make(const char *src, const char *dst)
{
	const struct probe p = { .src = src, .dst = dst, .bytes = 60 };
	struct rte_mbuf *m = rig_packet(&p);

	memcpy(frame, rig.dp->ports[LAN].mac, 6);
	memset(frame + 6, 2, 6);
	store_be16(frame + 12, RTE_ETHER_TYPE_IPV6);
	memcpy(frame + 14, rte_pktmbuf_mtod(m, void *), 60);
	rte_pktmbuf_free(m);
	return 74;
}

/* Extension headers of 8 bytes each in front of 8 bytes of payload; the last of the chain is its protocol. */
static uint16_t frame6_chain(const char *dst, const uint8_t *chain, uint8_t count)
{
	uint8_t *at = frame + 54;

	frame6_make(LAN_HOST6, dst);
	memset(at, 0, 8u * count);
	frame[20] = chain[0];
	for (uint8_t i = 1; i < count; i++, at += 8)
		*at = chain[i];
	store_be16(frame + 18, (uint16_t)(8 * count));
	return (uint16_t)(54 + 8 * count);
}

#define CHAIN6(dst, ...)                                                                                               \
	frame6_chain(dst, (const uint8_t[]){ __VA_ARGS__ }, (uint8_t)sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void test_classify_ipv6_header_drops(void)
{
	rig_open(1);
	uint16_t n = frame6_make(LAN_HOST6, FAR_HOST6);
	for (uint16_t cut = 14; cut < 54; cut++)
		CU_ASSERT(frame_dropped_as(cut, DROP_IP_HEADER));
	CU_ASSERT(frame_dropped_as(n - 1, DROP_IP_HEADER)); /* shorter than it says */
	for (unsigned version = 0; version < 16; version++) {
		frame[14] = (uint8_t)(version << 4);
		if (version != 6)
			CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	}
	/* an IPv6 packet that says it is of IPv4 */
	frame6_make(LAN_HOST6, FAR_HOST6);
	store_be16(frame + 12, RTE_ETHER_TYPE_IPV4);
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	rig_close();
}

static void test_classify_ipv6_martians(void)
{
	static const char *const nobodies[] = { "::", "::1", "::192.0.2.1", "::ffff:192.0.2.1", "ff02::1", "ff0e::1" };

	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
	for (size_t i = 0; i < ARRAY_LEN(nobodies); i++) {
		CU_ASSERT(frame_dropped_as(frame6_make(nobodies[i], FAR_HOST6), DROP_MARTIAN));
		CU_ASSERT(frame_dropped_as(frame6_make(LAN_HOST6, nobodies[i]), DROP_MARTIAN));
	}
	CU_ASSERT(frame_dropped_as(frame6_make(LAN_OWN6, LAN_OWN6), DROP_MARTIAN));
	/* link-local ones stay on their link */
	CU_ASSERT(frame_dropped_as(frame6_make("fe80::1", FAR_HOST6), DROP_MARTIAN));
	CU_ASSERT(frame_dropped_as(frame6_make("febf::1", FAR_HOST6), DROP_MARTIAN));
	CU_ASSERT(frame_dropped_as(frame6_make(LAN_HOST6, "fe80::1"), DROP_MARTIAN));
	rig_close();
}

static void test_classify_ipv6_link_multicast_is_not_for_us(void)
{
	rig_open(1);
	uint16_t n = frame6_make(LAN_HOST6, "ff02::1");
	memcpy(frame, "\x33\x33\0\0\0\1", 6);
	CU_ASSERT(frame_dropped_as(n, DROP_NOT_FOR_US));
	rig_close();
}

static void test_classify_ipv6_padding_is_cut(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
	uint16_t n = frame6_make(LAN_HOST6, WAN_PEER6);
	rig_send_frame(LAN, frame, n + 6);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, n);
	CU_ASSERT_EQUAL(frame_ip6(m)->hop_limits, 63);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_classify_ipv6_chained_buffers_are_joined(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
	uint16_t n = CHAIN6(WAN_PEER6, IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_TCP);
	struct rte_mbuf *head = rte_pktmbuf_alloc(rig.dp->pool), *tail = rte_pktmbuf_alloc(rig.dp->pool);
	memcpy(rte_pktmbuf_append(head, 57), frame, 57);
	memcpy(rte_pktmbuf_append(tail, (uint16_t)(n - 57)), frame + 57, n - 57u);
	CU_ASSERT_EQUAL_FATAL(rte_pktmbuf_chain(head, tail), 0);
	rig_send_mbuf(LAN, head);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->nb_segs, 1);
	CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod_offset(m, uint8_t *, 54), frame + 54, n - 54u), 0);
	rte_pktmbuf_free(m);
	rig_close();
}

/* What hides the upper layer from policy ends here. */
static void test_classify_ipv6_broken_chains(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
	uint16_t n = CHAIN6(WAN_PEER6, IPPROTO_HOPOPTS, IPPROTO_TCP);
	frame[55] = 2; /* 24 bytes, the packet has 16 */
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	n = CHAIN6(WAN_PEER6, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS,
		IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_TCP);
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	/* a jumbogram says 0 and has an option with the true length (RFC 2675) */
	n = CHAIN6(WAN_PEER6, IPPROTO_HOPOPTS, IPPROTO_TCP);
	store_be16(frame + 18, 0);
	CU_ASSERT(frame_dropped_as(n, DROP_IP_HEADER));
	rig_close();
}

/* "tcp" of the first fragment would not be seen in the others. */
static void test_classify_ipv6_fragment_that_hides_its_protocol(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0");
	uint16_t n = CHAIN6(WAN_PEER6, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, IPPROTO_TCP);
	store_be16(frame + 56, 8 | 1);
	CU_ASSERT(frame_dropped_as(n, DROP_FRAGMENT));
	store_be16(frame + 56, 1); /* the first one shows it */
	rig_send_frame(LAN, frame, n);
	n = CHAIN6(WAN_PEER6, IPPROTO_FRAGMENT, IPPROTO_TCP);
	store_be16(frame + 56, 8);
	rig_send_frame(LAN, frame, n);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 2);
	rig_close();
}

/* ESP and AH are looked for behind every extension header; what is for another node of a route is not ours to open. */
static void test_classify_ipv6_sealed_behind_extension_headers(void)
{
	static const uint8_t sealed[] = { IPPROTO_ESP, IPPROTO_AH };

	rig_open(1);
	for (size_t i = 0; i < ARRAY_LEN(sealed); i++) {
		uint16_t n = CHAIN6(LAN_OWN6, IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, sealed[i], 0);
		CU_ASSERT(frame_dropped_as(n, DROP_UNKNOWN_SPI));
		n = CHAIN6(LAN_OWN6, IPPROTO_ROUTING, sealed[i], 0);
		CU_ASSERT(frame_dropped_as(n, DROP_UNKNOWN_SPI));
		frame[57] = 1; /* segments left */
		rig_send_frame(LAN, frame, n);
		rig_step();
		CU_ASSERT_EQUAL(rig_drops(DROP_OPTION6), i + 1);
		rig_sent(LAN);
		n = CHAIN6(LAN_OWN6, IPPROTO_FRAGMENT, sealed[i], 0);
		CU_ASSERT(frame_dropped_as(n, DROP_UNKNOWN_SPI)); /* an atomic fragment is a whole packet (RFC 6946) */
		store_be16(frame + 56, 1);
		CU_ASSERT(frame_dropped_as(n, DROP_FRAGMENT));
		store_be16(frame + 56, 8);
		CU_ASSERT(frame_dropped_as(n, DROP_FRAGMENT));
		n = CHAIN6(LAN_OWN6, IPPROTO_FRAGMENT, IPPROTO_FRAGMENT, sealed[i], 0);
		store_be16(frame + 56, 1); /* an atomic fragment inside of a first one is no whole packet */
		CU_ASSERT(frame_dropped_as(n, DROP_FRAGMENT));
	}
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_classify_link_layer_drops),
		TEST(test_classify_ip_header_drops),
		TEST(test_classify_every_flipped_header_bit_is_seen),
		TEST(test_classify_martian_sources),
		TEST(test_classify_martians_among_good_packets_for_us),
		TEST(test_classify_padding_is_cut),
		TEST(test_classify_chained_buffers_are_joined),
		TEST(test_classify_chains_cut_anywhere_are_joined),
		TEST(test_classify_chain_that_fits_no_buffer_is_named),
		TEST(test_classify_options_are_forwarded_unchanged),
		TEST(test_classify_ipv6_header_drops),
		TEST(test_classify_ipv6_martians),
		TEST(test_classify_ipv6_link_multicast_is_not_for_us),
		TEST(test_classify_ipv6_padding_is_cut),
		TEST(test_classify_ipv6_chained_buffers_are_joined),
		TEST(test_classify_ipv6_broken_chains),
		TEST(test_classify_ipv6_fragment_that_hides_its_protocol),
		TEST(test_classify_ipv6_sealed_behind_extension_headers),
	};

	rig_eal();
	return test_main("datapath_classify", tests, ARRAY_LEN(tests), argc, argv);
}
