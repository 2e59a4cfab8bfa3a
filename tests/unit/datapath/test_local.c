/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for our own addresses in clear: IKE to control, keepalives, echo, and what nobody listens to. */
#include <errno.h>

#include "harness.h"

#include "rig.h"

static uint8_t datagram[600];

/* A UDP datagram to one of our ports; checksum right unless zeroed afterwards. */
static struct probe udp_make(uint16_t port, const void *data, uint16_t bytes)
{
	struct rte_ipv4_hdr ip = { .version_ihl = 0x45,
		.next_proto_id = IPPROTO_UDP,
		.src_addr = ip4(WAN_PEER),
		.dst_addr = ip4(WAN_OWN),
		.total_length = rte_cpu_to_be_16((uint16_t)(28 + bytes)) };

	store_be16(datagram, 500);
	store_be16(datagram + 2, port);
	store_be16(datagram + 4, (uint16_t)(8 + bytes));
	store_be16(datagram + 6, 0);
	memcpy(datagram + 8, data, bytes);
	uint16_t sum = rte_ipv4_udptcp_cksum(&ip, datagram);
	memcpy(datagram + 6, &sum, sizeof(sum));
	return (struct probe){
		.src = WAN_PEER, .dst = WAN_OWN, .payload = datagram, .payload_bytes = (uint16_t)(8 + bytes)
	};
}

static void test_local_ike_reaches_control(void)
{
	rig_open(1);
	struct probe p = udp_make(PORT_IKE, "an IKE message", 14);
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 1);
	CU_ASSERT_EQUAL(rig.ike.local.port, 500);
	CU_ASSERT_EQUAL(rig.ike.remote.port, 500);
	CU_ASSERT_EQUAL(addr_ipv4(&rig.ike.local.addr), 0xc0000201);
	CU_ASSERT_EQUAL(addr_ipv4(&rig.ike.remote.addr), 0xc0000202);
	CU_ASSERT(bytes_equal(rig.ike.data, BYTES("an IKE message", 14)));
	rig_close();
}

static void test_local_ike_on_4500_loses_its_marker(void)
{
	rig_open(1);
	struct probe p = udp_make(PORT_NATT, "\0\0\0\0an IKE message", 18);
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 1);
	CU_ASSERT_EQUAL(rig.ike.local.port, 4500);
	CU_ASSERT(bytes_equal(rig.ike.data, BYTES("an IKE message", 14)));
	rig_close();
}

#define SPI_UP      0x1000000000a1ull
#define SPI_OPENING 0x1000000000b2ull
#define SPI_UNKNOWN 0x1000000000c3ull
#define INITIATOR   0x08
#define RESPONSE    0x20

/* From an IPv4 source. Our SPI is the initiator's where the sender is not. */
static void send_ike_from(const char *source, uint64_t our_spi, uint8_t exchange, uint8_t flags)
{
	uint8_t message[28] = { [18] = exchange, [19] = flags };

	store_be64(message + (flags & INITIATOR ? 8 : 0), our_spi);
	struct probe p = udp_make(PORT_IKE, message, sizeof(message));
	store_be16(datagram + 6, 0);
	p.src = source;
	rig_send(WAN, &p);
	rig_step();
}

static void send_ike(uint64_t our_spi, uint8_t exchange, uint8_t flags)
{
	send_ike_from(WAN_PEER, our_spi, exchange, flags);
}

static void open_with_ike_sas(void)
{
	rig_open(1);
	CU_ASSERT_EQUAL(datapath_ike_sa_set(rig.dp, SPI_UP, DATAPATH_IKE_UP), 0);
	CU_ASSERT_EQUAL(datapath_ike_sa_set(rig.dp, SPI_OPENING, DATAPATH_IKE_OPENING), 0);
}

/* Each kind waits in a ring of its own, the nearer to an IKE SA that is up the earlier control takes it. */
static void test_local_ike_has_a_class_by_its_sa(void)
{
	open_with_ike_sas();
	send_ike(SPI_UNKNOWN, 37, INITIATOR);
	send_ike(SPI_UNKNOWN, 34, RESPONSE);
	send_ike(0, 36, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE_STRAY), 3);
	send_ike(0, 34, INITIATOR);
	send_ike(SPI_UP, 34, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE_NEW), 2);
	send_ike(SPI_OPENING, 34, RESPONSE);
	send_ike(SPI_OPENING, 35, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE_OPENING), 2);
	send_ike(SPI_UP, 37, INITIATOR);
	send_ike(SPI_UP, 36, RESPONSE);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE), 2);
	/* it is gone: a stranger's from now on */
	datapath_ike_sa_set(rig.dp, SPI_UP, DATAPATH_IKE_NONE);
	send_ike(SPI_UP, 37, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE_STRAY), 4);
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 10);
	rig_close();
}

/* Not even a whole header: it is nobody's. */
static void test_local_ike_too_short_is_a_strangers(void)
{
	open_with_ike_sas();
	struct probe p = udp_make(PORT_IKE, "an IKE message", 14);
	rig_send(WAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE_STRAY), 1);
	rig_poll();
	rig_close();
}

static uint64_t refused(void)
{
	return rig_drops(DROP_RATE_LIMIT) + rig_drops(DROP_PUNT_FULL);
}

/* Floods of every kind that pretend to come from the peer, and fill every ring they can: what names the peer's IKE SA
 * still gets in. */
static void test_local_ike_flood_in_a_peers_name_leaves_it_its_share(void)
{
	static const struct {
		uint8_t exchange, flags;
		uint64_t spi;
	} floods[] = { { 34, INITIATOR, 0 }, { 37, INITIATOR, SPI_UNKNOWN }, { 35, 0, SPI_UNKNOWN },
		{ 37, 0, SPI_OPENING } };

	open_with_ike_sas();
	for (size_t k = 0; k < ARRAY_LEN(floods); k++) {
		uint64_t before = refused();
		for (int i = 0; i < 5000; i++)
			send_ike(floods[k].spi, floods[k].exchange, floods[k].flags);
		CU_ASSERT(refused() > before + 1000);
	}
	for (uint64_t i = 1; i <= 10; i++) {
		send_ike(SPI_UP, 37, INITIATOR);
		CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE), i);
	}
	/* also one that is about to come up, whose address others use */
	datapath_ike_sa_set(rig.dp, SPI_UNKNOWN + 1, DATAPATH_IKE_OPENING);
	uint64_t opening = rig_counter(DP_C_PUNT_IKE_OPENING);
	send_ike(SPI_UNKNOWN + 1, 35, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE_OPENING), opening + 1);
	for (int i = 0; i < 10; i++)
		rig_poll();
	rig_close();
}

/* From as many sources: a few of them get in, and not into the peers' ring. */
static void test_local_ike_flood_of_unknown_spis_is_limited_in_all(void)
{
	char source[20];

	open_with_ike_sas();
	for (int i = 0; i < 5000; i++) {
		snprintf(source, sizeof(source), "203.0.%d.%d", i >> 8, i & 255);
		send_ike_from(source, SPI_UNKNOWN + (unsigned)i, 37, INITIATOR);
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 1000);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE), 0);
	send_ike(SPI_UP, 37, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE), 1);
	for (int i = 0; i < 10; i++)
		rig_poll();
	rig_close();
}

/* A peer that is up has a share, no more, and takes nothing from another. */
static void test_local_ike_flood_of_a_peer_is_its_own(void)
{
	open_with_ike_sas();
	datapath_ike_sa_set(rig.dp, SPI_UP + 1, DATAPATH_IKE_UP);
	for (int i = 0; i < 100000 && !rig_drops(DROP_RATE_LIMIT); i++) {
		send_ike(SPI_UP, 37, INITIATOR);
		rig_poll();
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 0);
	uint64_t before = rig_counter(DP_C_PUNT_IKE);
	send_ike(SPI_UP + 1, 37, INITIATOR);
	CU_ASSERT_EQUAL(rig_counter(DP_C_PUNT_IKE), before + 1);
	rig_poll();
	rig_close();
}

/* Nobody can tell which sources share a bucket: of eight that did under a hash without a key, one flooded, the others
 * are not all shut out. */
static void test_local_ike_sources_that_share_are_not_foreseen(void)
{
	const uint32_t cell = (ip4("203.0.113.1") * 0x9e3779b1u) >> 22;
	char source[20];
	int found = 0;

	rig_open(1);
	for (int i = 0; i < 100000 && !rig_drops(DROP_RATE_LIMIT); i++) {
		send_ike_from("203.0.113.1", 0, 34, INITIATOR);
		rig_poll();
	}
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 0);
	uint64_t before = rig_counter(DP_C_PUNT_IKE_NEW);
	for (int i = 0; i < 65536 && found < 8; i++) {
		snprintf(source, sizeof(source), "198.18.%d.%d", i >> 8, i & 255);
		if ((ip4(source) * 0x9e3779b1u) >> 22 != cell)
			continue;
		found++;
		for (int again = 0; again < 100; again++)
			send_ike_from(source, 0, 34, INITIATOR);
		rig_poll();
	}
	CU_ASSERT_EQUAL(found, 8);
	CU_ASSERT(rig_counter(DP_C_PUNT_IKE_NEW) - before >= 600);
	rig_poll();
	rig_close();
}

static void test_local_keepalive_is_consumed(void)
{
	rig_open(1);
	struct probe p = udp_make(PORT_NATT, "\xff", 1);
	CU_ASSERT(dropped_as(WAN, &p, DROP_KEEPALIVE));
	p = udp_make(PORT_NATT, "\xfe", 1);
	CU_ASSERT(dropped_as(WAN, &p, DROP_SHORT));
	p = udp_make(PORT_NATT, "", 0);
	CU_ASSERT(dropped_as(WAN, &p, DROP_SHORT));
	p = udp_make(PORT_NATT, "\0\0\0", 3);
	CU_ASSERT(dropped_as(WAN, &p, DROP_SHORT));
	rig_close();
}

static void test_local_ike_checksum_and_lengths(void)
{
	rig_open(1);
	struct probe p = udp_make(PORT_IKE, "an IKE message", 14);
	datagram[20] ^= 1;
	CU_ASSERT(dropped_as(WAN, &p, DROP_CHECKSUM));
	store_be16(datagram + 6, 0); /* none sent */
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 1);
	store_be16(datagram + 4, 7);
	CU_ASSERT(dropped_as(WAN, &p, DROP_SHORT));
	store_be16(datagram + 4, 23);
	CU_ASSERT(dropped_as(WAN, &p, DROP_SHORT));
	rig_close();
}

static void test_local_ike_fragments_are_dropped(void)
{
	rig_open(1);
	struct probe p = udp_make(PORT_IKE, "an IKE message", 14);
	p.fragment = RTE_IPV4_HDR_MF_FLAG;
	CU_ASSERT(dropped_as(WAN, &p, DROP_FRAGMENT));
	p.fragment = 3;
	CU_ASSERT(dropped_as(WAN, &p, DROP_FRAGMENT));
	rig_close();
}

/* A flood of one source ends at its limit; another source still gets through. */
static void test_local_ike_flood_of_one_source_is_limited(void)
{
	rig_open(1);
	struct probe p = udp_make(PORT_IKE, "an IKE message", 14), other;
	store_be16(datagram + 6, 0);
	for (int i = 0; i < 1000000 && !rig_drops(DROP_RATE_LIMIT); i++) {
		rig_send(WAN, &p);
		rig_step();
		if (i % 100 == 0)
			rig_poll();
	}
	rig_poll();
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 0);
	unsigned before = rig.ike_count;
	other = p;
	other.src = "203.0.113.77";
	rig_send(WAN, &other);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, before + 1);
	rig_close();
}

static void test_local_punt_ring_full_is_counted(void)
{
	rig_open(1);
	for (int i = 0; i < PUNT_RING_SIZE + 10; i++)
		send_ike(0, 34, INITIATOR);
	CU_ASSERT_EQUAL(rig_drops(DROP_PUNT_FULL), 11);
	for (int i = 0; i < 4; i++)
		rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, PUNT_RING_SIZE - 1);
	rig_close();
}

static void test_local_echo_is_answered(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP, .bytes = 84 };

	rig_open(1);
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	struct rte_ipv4_hdr *ip = frame_ip(m);
	CU_ASSERT_EQUAL(ip->src_addr, ip4(LAN_OWN));
	CU_ASSERT_EQUAL(ip->dst_addr, ip4(LAN_HOST));
	CU_ASSERT_EQUAL(ip->time_to_live, 64);
	CU_ASSERT(ip_checksum_valid(ip));
	CU_ASSERT_EQUAL(*(uint8_t *)(ip + 1), 0);
	CU_ASSERT_EQUAL(rte_raw_cksum(ip + 1, 64), 0xffff);
	rte_pktmbuf_free(m);
	rig_close();
}

static bool echo_answered(const char *dst)
{
	const struct probe p = { .src = strchr(dst, ':') ? LAN_HOST6 : LAN_HOST,
		.dst = dst,
		.protocol = strchr(dst, ':') ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.bytes = 84 };

	rig_send(LAN, &p);
	rig_step();
	return rig_sent(LAN) == 1;
}

/* One that no port has, for as long as somebody wants it. */
static void test_local_virtual_address_is_ours(void)
{
	static const char *const texts[] = { "10.8.0.5", "2001:db8:8::5" };
	struct addr a;

	rig_open(1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CU_ASSERT_EQUAL_FATAL(addr_parse(texts[i], &a), 0);
		CU_ASSERT(!echo_answered(texts[i]));
		CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &a), 0);
		CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &a), 0);
		CU_ASSERT(echo_answered(texts[i]));
		datapath_address_remove(rig.dp, &a);
		CU_ASSERT(echo_answered(texts[i]));
		datapath_address_remove(rig.dp, &a);
		CU_ASSERT(!echo_answered(texts[i]));
		datapath_address_remove(rig.dp, &a);
	}
	CU_ASSERT(echo_answered(LAN_OWN));
	rig_close();
}

static void test_local_virtual_addresses_are_bounded(void)
{
	struct addr a;

	rig_open(1);
	for (uint32_t i = 0; i < 100; i++) {
		a = addr_from_ipv4(0x0a080000 + i);
		CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &a), i < OWN_ADDRESSES_MAX - 2 ? 0 : -ENOSPC);
	}
	a = addr_from_ipv4(0x0a080003);
	datapath_address_remove(rig.dp, &a);
	a = addr_from_ipv4(0x0a080063);
	CU_ASSERT_EQUAL(datapath_address_add(rig.dp, &a), 0);
	CU_ASSERT(echo_answered("10.8.0.99"));
	CU_ASSERT(!echo_answered("10.8.0.3"));
	rig_close();
}

static void test_local_echo_of_protected_source_in_clear_is_dropped(void)
{
	const struct probe p = { .src = FAR_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP };

	rig_open(1);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24");
	CU_ASSERT(dropped_as(WAN, &p, DROP_INBOUND_CLEAR));
	RIG_POLICY("discard 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT(dropped_as(WAN, &p, DROP_DISCARD));
	rig_close();
}

static void test_local_other_protocols_are_named(void)
{
	static const uint8_t bad_sum[8] = { 8, 0, 1, 2 }, reply[8] = { 0, 0, 0xff, 0xff };
	const struct probe tcp = { .src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_TCP, .dport = 22 };
	const struct probe udp = { .src = LAN_HOST, .dst = LAN_OWN, .dport = 53 };
	struct probe icmp = {
		.src = LAN_HOST, .dst = LAN_OWN, .protocol = IPPROTO_ICMP, .payload = bad_sum, .payload_bytes = 8
	};

	rig_open(1);
	CU_ASSERT(dropped_as(LAN, &tcp, DROP_LOCAL_UNHANDLED));
	CU_ASSERT(dropped_as(LAN, &udp, DROP_LOCAL_UNHANDLED));
	CU_ASSERT(dropped_as(LAN, &icmp, DROP_CHECKSUM));
	icmp.fragment = RTE_IPV4_HDR_MF_FLAG;
	CU_ASSERT(dropped_as(LAN, &icmp, DROP_FRAGMENT));
	icmp.fragment = 0;
	icmp.payload = reply;
	CU_ASSERT(dropped_as(LAN, &icmp, DROP_LOCAL_UNHANDLED));
	icmp.payload_bytes = 7;
	CU_ASSERT(dropped_as(LAN, &icmp, DROP_LOCAL_UNHANDLED));
	rig_close();
}

/* ---- IPv6 ---- */

/* True when an ICMPv6 message has a good checksum with its pseudo header. */
static bool icmp6_valid(const struct rte_ipv6_hdr *ip)
{
	uint32_t sum = rte_ipv6_phdr_cksum(ip, 0) + (uint32_t)rte_raw_cksum(ip + 1, rte_be_to_cpu_16(ip->payload_len));

	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16)) == 0xffff;
}

/* Odd lengths too: the last byte counts as the high one of its word. */
static void test_local_ipv6_echo_is_answered(void)
{
	struct probe p = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6, .ttl = 3 };

	rig_open(1);
	for (p.bytes = 48; p.bytes < 120; p.bytes++) {
		rig_send(LAN, &p);
		rig_step();
		struct rte_mbuf *m = rig_receive(LAN);
		CU_ASSERT_PTR_NOT_NULL_FATAL(m);
		struct rte_ipv6_hdr *ip = frame_ip6(m);
		CU_ASSERT(ip6_is(ip6_source(ip), LAN_OWN6) && ip6_is(ip6_destination(ip), LAN_HOST6));
		CU_ASSERT_EQUAL(ip->hop_limits, 64);
		CU_ASSERT_EQUAL(*(uint8_t *)(ip + 1), 129);
		CU_ASSERT_EQUAL(m->pkt_len, 14u + p.bytes);
		CU_ASSERT(icmp6_valid(ip));
		rte_pktmbuf_free(m);
	}
	rig_close();
}

/* The other interface's address, from behind this one. */
static void test_local_ipv6_echo_of_the_far_port(void)
{
	const struct probe p = { .src = LAN_HOST6, .dst = WAN_OWN6, .protocol = IPPROTO_ICMPV6 };

	rig_open(1);
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

static void test_local_ipv6_echo_loses_extension_headers(void)
{
	const struct probe plain = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };
	uint8_t payload[36] = { IPPROTO_ICMPV6, 1, 1, 12 };
	const struct probe p = { .src = LAN_HOST6,
		.dst = LAN_OWN6,
		.protocol = IPPROTO_DSTOPTS,
		.payload = payload,
		.payload_bytes = sizeof(payload) };

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&plain);
	memcpy(payload + 16, rte_pktmbuf_mtod_offset(m, uint8_t *, 40), 20);
	rte_pktmbuf_free(m);
	rig_send(LAN, &p);
	rig_step();
	m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(m->pkt_len, 74);
	CU_ASSERT(frame_ip6(m)->proto == IPPROTO_ICMPV6 && frame_ip6(m)->vtc_flow == RTE_BE32(0x60000000));
	CU_ASSERT(icmp6_valid(frame_ip6(m)));
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_local_ipv6_what_nobody_answers(void)
{
	static const uint8_t request[8] = { 128, 0, 1, 2 }, reply[8] = { 129 }, solicitation[24] = { 135 };
	uint8_t fragment[16] = { IPPROTO_ICMPV6, 0, 0, 1, 0, 0, 0, 7, 128 };
	const struct probe tcp = { .src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_TCP, .dport = 22 };
	const struct probe udp = { .src = LAN_HOST6, .dst = LAN_OWN6, .dport = 53 };
	struct probe p = {
		.src = LAN_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6, .payload = request, .payload_bytes = 8
	};

	rig_open(1);
	CU_ASSERT(dropped_as(LAN, &tcp, DROP_LOCAL_UNHANDLED));
	CU_ASSERT(dropped_as(LAN, &udp, DROP_LOCAL_UNHANDLED));
	CU_ASSERT(dropped_as(LAN, &p, DROP_CHECKSUM));
	p.payload = reply;
	CU_ASSERT(dropped_as(LAN, &p, DROP_LOCAL_UNHANDLED));
	p.payload = request;
	p.payload_bytes = 7;
	CU_ASSERT(dropped_as(LAN, &p, DROP_LOCAL_UNHANDLED));
	p.payload = solicitation;
	p.payload_bytes = sizeof(solicitation);
	CU_ASSERT(dropped_as(LAN, &p, DROP_ND));
	p.protocol = IPPROTO_FRAGMENT;
	p.payload = fragment;
	p.payload_bytes = sizeof(fragment);
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT));
	fragment[0] = IPPROTO_UDP;
	CU_ASSERT(dropped_as(LAN, &p, DROP_FRAGMENT));
	rig_close();
}

static void test_local_ipv6_echo_of_protected_source_in_clear_is_dropped(void)
{
	const struct probe p = { .src = FAR_HOST6, .dst = LAN_OWN6, .protocol = IPPROTO_ICMPV6 };

	rig_open(1);
	RIG_POLICY("protect 3 2001:db8:1::/64 2001:db8:2::/64");
	CU_ASSERT(dropped_as(WAN, &p, DROP_INBOUND_CLEAR));
	RIG_POLICY("discard ::/0 ::/0");
	CU_ASSERT(dropped_as(WAN, &p, DROP_DISCARD));
	rig_close();
}

/* The same datagram over IPv6; the checksum is of a packet from src. */
static struct probe udp6_make(const char *src, uint16_t port, const void *data, uint16_t bytes)
{
	struct rte_ipv6_hdr ip = { .proto = IPPROTO_UDP, .payload_len = rte_cpu_to_be_16((uint16_t)(8 + bytes)) };
	struct probe p = udp_make(port, data, bytes);

	ip6(src, (uint8_t *)&ip.src_addr);
	ip6(WAN_OWN6, (uint8_t *)&ip.dst_addr);
	store_be16(datagram + 6, 0);
	uint16_t sum = rte_ipv6_udptcp_cksum(&ip, datagram);
	memcpy(datagram + 6, &sum, sizeof(sum));
	p.src = src;
	p.dst = WAN_OWN6;
	p.protocol = IPPROTO_UDP;
	return p;
}

static bool addr_is(const struct addr *a, const char *text)
{
	struct addr b;

	return !addr_parse(text, &b) && addr_equal(a, &b);
}

static void test_local_ike_over_ipv6_reaches_control(void)
{
	rig_open(1);
	struct probe p = udp6_make(WAN_PEER6, PORT_NATT, "\0\0\0\0an IKE message", 18);
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 1);
	CU_ASSERT(addr_is(&rig.ike.local.addr, WAN_OWN6) && addr_is(&rig.ike.remote.addr, WAN_PEER6));
	CU_ASSERT_EQUAL(rig.ike.local.port, 4500);
	CU_ASSERT_EQUAL(rig.ike.remote.port, 500);
	CU_ASSERT(bytes_equal(rig.ike.data, BYTES("an IKE message", 14)));
	rig_close();
}

static void test_local_ike_over_ipv6_behind_an_extension_header(void)
{
	uint8_t payload[64] = { IPPROTO_UDP, 0, 1, 4 };
	struct probe p = udp6_make(WAN_PEER6, PORT_IKE, "an IKE message", 14);

	rig_open(1);
	memcpy(payload + 8, datagram, 22);
	p.protocol = IPPROTO_DSTOPTS;
	p.payload = payload;
	p.payload_bytes = 30;
	rig_send(WAN, &p);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 1);
	CU_ASSERT(bytes_equal(rig.ike.data, BYTES("an IKE message", 14)));
	rig_close();
}

/* RFC 8200 8.1: none at all is as bad as a wrong one. */
static void test_local_ike_over_ipv6_needs_its_checksum(void)
{
	rig_open(1);
	struct probe p = udp6_make(WAN_PEER6, PORT_IKE, "an IKE message", 14);
	datagram[20] ^= 1;
	CU_ASSERT(dropped_as(WAN, &p, DROP_CHECKSUM));
	datagram[20] ^= 1;
	store_be16(datagram + 6, 0);
	CU_ASSERT(dropped_as(WAN, &p, DROP_CHECKSUM));
	p = udp6_make(WAN_PEER6, PORT_NATT, "\xff", 1);
	CU_ASSERT(dropped_as(WAN, &p, DROP_KEEPALIVE));
	store_be16(datagram + 6, 0x1234);
	CU_ASSERT(dropped_as(WAN, &p, DROP_CHECKSUM));
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, 0);
	rig_close();
}

/* All addresses of a /64 are one source; another one still gets through. */
static void test_local_ike_flood_over_ipv6_is_limited_by_prefix(void)
{
	char source[32];

	rig_open(1);
	for (int i = 0; i < 100000 && !rig_drops(DROP_RATE_LIMIT); i++) {
		snprintf(source, sizeof(source), "2001:db8:77::%x", 1 + i % 0xfffe);
		struct probe p = udp6_make(source, PORT_IKE, "an IKE message", 14);
		rig_send(WAN, &p);
		rig_step();
		if (i % 100 == 0)
			rig_poll();
	}
	rig_poll();
	CU_ASSERT(rig_drops(DROP_RATE_LIMIT) > 0);
	unsigned before = rig.ike_count;
	struct probe other = udp6_make("2001:db8:78::1", PORT_IKE, "an IKE message", 14);
	rig_send(WAN, &other);
	rig_step();
	rig_poll();
	CU_ASSERT_EQUAL(rig.ike_count, before + 1);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_local_ike_reaches_control),
		TEST(test_local_ike_on_4500_loses_its_marker),
		TEST(test_local_ike_has_a_class_by_its_sa),
		TEST(test_local_ike_too_short_is_a_strangers),
		TEST(test_local_ike_flood_in_a_peers_name_leaves_it_its_share),
		TEST(test_local_ike_flood_of_unknown_spis_is_limited_in_all),
		TEST(test_local_ike_flood_of_a_peer_is_its_own),
		TEST(test_local_ike_sources_that_share_are_not_foreseen),
		TEST(test_local_keepalive_is_consumed),
		TEST(test_local_ike_checksum_and_lengths),
		TEST(test_local_ike_fragments_are_dropped),
		TEST(test_local_ike_flood_of_one_source_is_limited),
		TEST(test_local_punt_ring_full_is_counted),
		TEST(test_local_echo_is_answered),
		TEST(test_local_virtual_address_is_ours),
		TEST(test_local_virtual_addresses_are_bounded),
		TEST(test_local_echo_of_protected_source_in_clear_is_dropped),
		TEST(test_local_other_protocols_are_named),
		TEST(test_local_ipv6_echo_is_answered),
		TEST(test_local_ipv6_echo_of_the_far_port),
		TEST(test_local_ipv6_echo_loses_extension_headers),
		TEST(test_local_ipv6_what_nobody_answers),
		TEST(test_local_ipv6_echo_of_protected_source_in_clear_is_dropped),
		TEST(test_local_ike_over_ipv6_reaches_control),
		TEST(test_local_ike_over_ipv6_behind_an_extension_header),
		TEST(test_local_ike_over_ipv6_needs_its_checksum),
		TEST(test_local_ike_flood_over_ipv6_is_limited_by_prefix),
	};

	rig_eal();
	return test_main("datapath_local", tests, ARRAY_LEN(tests), argc, argv);
}
