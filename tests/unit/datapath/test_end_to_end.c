/* SPDX-License-Identifier: BSD-3-Clause */
/* The datapath with the real ipsec room: a packet in clear becomes ESP, the ESP comes back and is opened again. One
 * gateway plays both ends: what it sent is given back to it with the outer addresses turned, which ESP does not
 * protect. */
#include "harness.h"
#include "rig.h"

#define SPI      0x1001   /* of no slot of the rig's SAD */
#define SPI_LENT 0x500001 /* of one, which an SA keyed by hand is lent */

static const uint8_t key[36] = "a key of thirty-two bytes and a salt";

/* Families outside and inside, and how the one goes into the other. */
struct shape {
	bool outer6, inner6, udp;
	uint32_t spi; /* 0: SPI */
};

static void spec_fill(struct sa_spec *s, enum sa_direction direction, const struct shape *shape, const char *local,
	const char *remote)
{
	*s = (struct sa_spec){
		.name = "end-to-end",
		.direction = direction,
		.mode = SA_MODE_TUNNEL,
		.protocol = PROTOCOL_ESP,
		.natt = shape->udp,
		.spi = shape->spi ? shape->spi : SPI,
		.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 256),
		.replay_window = direction == SA_IN ? 128 : 0,
		.tunnel_slot = 3,
	};
	CU_ASSERT_EQUAL_FATAL(secret_copy(&s->encr_key, BYTES_OF(key)), 0);
	addr_parse(shape->outer6 ? WAN_OWN6 : WAN_OWN, &s->path.local.addr);
	addr_parse(shape->outer6 ? WAN_PEER6 : WAN_PEER, &s->path.remote.addr);
	s->path.local.port = s->path.remote.port = PORT_NATT;
	s->path.encap = shape->udp ? SA_ENCAP_UDP : SA_ENCAP_NONE;
	s->local.count = s->remote.count = 1;
	CU_ASSERT_EQUAL_FATAL(selector_parse(local, &s->local.items[0]), 0);
	CU_ASSERT_EQUAL_FATAL(selector_parse(remote, &s->remote.items[0]), 0);
}

static void pair_publish(struct sa_spec *out, struct sa_spec *in)
{
	struct path *path = NULL;
	const char *reason = NULL;
	struct sa *sa;

	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &out->path, &path), 0);
	sa = sa_create(rig.ips, out, path, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	CU_ASSERT_EQUAL_FATAL(tunnel_publish(rig.ips, 3, sa), 0);
	sa = sa_create(rig.ips, in, NULL, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	CU_ASSERT_EQUAL_FATAL(sad_insert(rig.ips, sa), 0);
	sa_spec_done(out);
	sa_spec_done(in);
}

static void shaped_open(uint16_t workers, const struct shape *shape)
{
	const char *lan = shape->inner6 ? "2001:db8:1::/64" : "10.1.0.0/24";
	const char *far = shape->inner6 ? "2001:db8:2::/64" : "10.2.0.0/24";
	struct sa_spec out, in;

	rig_open(workers);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24", "protect 3 2001:db8:1::/64 2001:db8:2::/64",
		"bypass 10.2.0.0/24 10.3.0.0/24");
	spec_fill(&out, SA_OUT, shape, lan, far);
	spec_fill(&in, SA_IN, shape, far, lan);
	pair_publish(&out, &in);
}

static void pair_open(uint16_t workers, bool udp)
{
	shaped_open(workers, &(struct shape){ .udp = udp });
}

static void ip4_turn(struct rte_ipv4_hdr *ip)
{
	ip->src_addr = ip4(WAN_PEER);
	ip->dst_addr = ip4(WAN_OWN);
	ip_checksum_set(ip);
}

static void ip6_turn(struct rte_ipv6_hdr *ip)
{
	ip6(WAN_PEER6, (uint8_t *)&ip->src_addr);
	ip6(WAN_OWN6, (uint8_t *)&ip->dst_addr);
}

/* The next ESP frame as if the other end had sent it to us. */
static struct rte_mbuf *esp_turned(void)
{
	struct rte_mbuf *m = rig_receive(WAN);

	if (!m)
		return NULL;
	if (load_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12)) == RTE_ETHER_TYPE_IPV6)
		ip6_turn(frame_ip6(m));
	else
		ip4_turn(frame_ip(m));
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), rig.dp->ports[WAN].mac, 6);
	return m;
}

static uint8_t outer_protocol(struct rte_mbuf *m, bool six)
{
	return six ? frame_ip6(m)->proto : frame_ip(m)->next_proto_id;
}

/* The n-th packet after its way through both: two hops on, otherwise as sent. */
static bool is_back(struct rte_mbuf *m, bool six, uint16_t n, uint16_t bytes)
{
	const struct rte_ipv4_hdr *ip = frame_ip(m);
	const struct rte_ipv6_hdr *ip_6 = frame_ip6(m);

	if (m->pkt_len != 14u + bytes)
		return false;
	if (six)
		return ip6_is(ip6_source(ip_6), LAN_HOST6) && ip6_is(ip6_destination(ip_6), FAR_HOST6) &&
		       ip_6->hop_limits == 62 && load_be16((const uint8_t *)(ip_6 + 1)) == n;
	return ip->src_addr == ip4(LAN_HOST) && ip->dst_addr == ip4(FAR_HOST) && ip->time_to_live == 62 &&
	       ip_checksum_valid(ip) && ip_total_bytes(ip) == bytes && load_be16((const uint8_t *)(ip + 1)) == n;
}

#define COUNT 200

/* The packets come back to the gateway that sent them, whose own rule would call that a loop: it now has that of the
 * far end, with its hosts on the port where the packets arrive. */
static void policy_turn(void)
{
	RIG_POLICY("protect 3 10.2.0.0/24 10.1.0.0/24", "protect 3 2001:db8:2::/64 2001:db8:1::/64",
		"bypass 10.2.0.0/24 10.3.0.0/24", "bypass 10.1.0.0/24 10.2.0.0/24",
		"bypass 2001:db8:1::/64 2001:db8:2::/64");
}

static void there_and_back(uint16_t workers, const struct shape *shape)
{
	uint16_t headers = shape->inner6 ? 48 : 28;
	struct rte_mbuf *m, *esp[COUNT + 1];
	unsigned n = 0;
	uint16_t back = 0;

	shaped_open(workers, shape);
	for (uint16_t i = 0; i < COUNT; i++) {
		const struct probe p = { .src = shape->inner6 ? LAN_HOST6 : LAN_HOST,
			.dst = shape->inner6 ? FAR_HOST6 : FAR_HOST,
			.sport = i,
			.bytes = (uint16_t)(headers + i) };
		rig_send(LAN, &p);
	}
	rig_step();
	while (n < ARRAY_LEN(esp) && (m = esp_turned())) {
		CU_ASSERT_EQUAL(outer_protocol(m, shape->outer6), shape->udp ? IPPROTO_UDP : IPPROTO_ESP);
		esp[n++] = m;
	}
	CU_ASSERT_EQUAL(n, COUNT);
	policy_turn();
	for (unsigned i = 0; i < n; i++)
		rig_send_mbuf(WAN, esp[i]);
	rig_step();
	for (; (m = rig_receive(WAN)); back++) {
		CU_ASSERT(is_back(m, shape->inner6, back, (uint16_t)(headers + back)));
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(back, COUNT);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), COUNT);
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), COUNT);
	rig_close();
}

static void test_end_to_end_raw(void)
{
	there_and_back(1, &(struct shape){ 0 });
}

static void test_end_to_end_udp_encapsulated(void)
{
	there_and_back(1, &(struct shape){ .udp = true });
}

static void test_end_to_end_every_family_in_every_family(void)
{
	for (int i = 0; i < 16; i++)
		there_and_back(
			1, &(struct shape){
				   .outer6 = i & 1, .inner6 = i & 2, .udp = i & 4, .spi = i & 8 ? SPI_LENT : SPI });
}

/* A measured loop of the real bursts has cycles in each of their stages. */
static void test_end_to_end_stages_are_measured(void)
{
	static const enum cycle_stage out[] = { CYCLES_RECEIVE, CYCLES_CLASSIFY, CYCLES_DECIDE, CYCLES_PREPARE,
		CYCLES_CRYPTO, CYCLES_FORWARD, CYCLES_TRANSMIT };
	static const enum cycle_stage in[] = { CYCLES_FIND_SA, CYCLES_FINISH, CYCLES_INNER };
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };
	struct datapath_worker_stats s;

	shaped_open(1, &(struct shape){ 0 });
	rig.dp->workers[0]->unmeasured = 0;
	rig_send(LAN, &p);
	rig_step();
	datapath_worker_stats_read(rig.dp, 0, &s);
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		CU_ASSERT(s.stage_cycles[out[i]] > 0);
	CU_ASSERT_EQUAL(s.stage_cycles[CYCLES_FIND_SA] + s.stage_cycles[CYCLES_INNER], 0);
	policy_turn();
	rig.dp->workers[0]->unmeasured = 0;
	rig_send_mbuf(WAN, esp_turned());
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	datapath_worker_stats_read(rig.dp, 0, &s);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		CU_ASSERT(s.stage_cycles[in[i]] > 0);
	CU_ASSERT_EQUAL(s.measured_loops, 2);
	rig_close();
}

static void test_end_to_end_two_workers(void)
{
	for (int i = 0; i < 8; i++)
		there_and_back(2, &(struct shape){ .outer6 = i & 1, .inner6 = i & 2, .spi = i & 4 ? SPI_LENT : SPI });
}

/* A sealed packet of the pair as it arrives at an address of ours. */
static struct rte_mbuf *sealed_for(const char *own)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = esp_turned();
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	frame_ip(m)->dst_addr = ip4(own);
	ip_checksum_set(frame_ip(m));
	return m;
}

/* The same SPI where AH has it (RFC 4302 2). */
static void ah_write(struct rte_mbuf *m, uint32_t spi)
{
	uint8_t *ah = (uint8_t *)(frame_ip(m) + 1);
	const uint8_t first[] = { IPPROTO_IPIP, 4, 0, 0 };

	memcpy(ah, first, sizeof(first));
	store_be32(ah + sizeof(first), spi);
	frame_ip(m)->next_proto_id = IPPROTO_AH;
	ip_checksum_set(frame_ip(m));
}

/* An SPI that leads to a slot is enough, at each of our addresses, and the other protocol is dropped by its own name;
 * in the table of foreign ones destination and protocol are part of what is looked up (RFC 4301 4.1). */
static void test_end_to_end_spi_at_another_address_and_protocol(void)
{
	for (unsigned lent = 0; lent < 2; lent++) {
		const struct shape shape = { .spi = lent ? SPI_LENT : SPI };
		struct rte_mbuf *elsewhere, *ah;

		shaped_open(1, &shape);
		elsewhere = sealed_for(LAN_OWN);
		ah = sealed_for(WAN_OWN);
		ah_write(ah, shape.spi);
		policy_turn();
		rig_send_mbuf(WAN, elsewhere);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(WAN), lent);
		CU_ASSERT_EQUAL(rig_drops(DROP_UNKNOWN_SPI), !lent);
		rig_send_mbuf(WAN, ah);
		rig_step();
		CU_ASSERT_EQUAL(rig_sent(WAN), 0);
		CU_ASSERT_EQUAL(rig_drops(DROP_ENCAP), lent);
		CU_ASSERT_EQUAL(rig_drops(DROP_UNKNOWN_SPI), lent ? 0u : 2u);
		rig_close();
	}
}

/* Pings of the gateway itself between its address and the peer's: the answer to what came out of the SA leaves through
 * it. In transport mode one SA's packets are for us alone, whichever the protocol. */
static void transport_open(bool six, enum security_protocol protocol)
{
	const char *own = six ? WAN_OWN6 : WAN_OWN, *peer = six ? WAN_PEER6 : WAN_PEER;
	const struct shape shape = { .outer6 = six };
	struct sa_spec spec[2];

	rig_open(1);
	RIG_POLICY("protect 3 192.0.2.1 192.0.2.2", "protect 3 2001:db8:f::1 2001:db8:f::2");
	for (int i = 0; i < 2; i++) {
		spec_fill(&spec[i], i ? SA_IN : SA_OUT, &shape, own, peer);
		spec[i].mode = SA_MODE_TRANSPORT;
		if (protocol == PROTOCOL_ESP)
			continue;
		spec[i].protocol = PROTOCOL_AH;
		spec[i].encr = NULL;
		secret_done(&spec[i].encr_key);
		spec[i].integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
		CU_ASSERT_EQUAL_FATAL(secret_copy(&spec[i].integ_key, BYTES(key, 32)), 0);
	}
	pair_publish(&spec[0], &spec[1]);
}

/* What the peer would send, sealed by our own outbound SA, whose key is the same. */
static struct rte_mbuf *sealed_by_peer(bool six)
{
	const struct probe echo = { .src = six ? WAN_PEER6 : WAN_PEER,
		.dst = six ? WAN_OWN6 : WAN_OWN,
		.protocol = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP };
	struct burst_item item = { .m = rig_packet(&echo), .sa = tunnel_lookup(rig.ips, 3) };
	struct rte_ether_hdr *eth;

	CU_ASSERT_EQUAL_FATAL(burst_out(rig.dp->workers[0]->crypto, &item, 1), 1);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_prepend(item.m, RTE_ETHER_HDR_LEN);
	memcpy(&eth->dst_addr, rig.dp->ports[WAN].mac, 6);
	eth->ether_type = six ? RTE_BE16(RTE_ETHER_TYPE_IPV6) : RTE_BE16(RTE_ETHER_TYPE_IPV4);
	return item.m;
}

static void transport_echo(bool six, enum security_protocol protocol)
{
	uint8_t wanted = protocol == PROTOCOL_ESP ? IPPROTO_ESP : IPPROTO_AH;

	transport_open(six, protocol);
	rig_send_mbuf(WAN, sealed_by_peer(six));
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(outer_protocol(m, six), wanted);
	if (six)
		CU_ASSERT(
			ip6_is(ip6_source(frame_ip6(m)), WAN_OWN6) && ip6_is(ip6_destination(frame_ip6(m)), WAN_PEER6));
	if (!six)
		CU_ASSERT(frame_ip(m)->src_addr == ip4(WAN_OWN) && ip_checksum_valid(frame_ip(m)));
	rte_pktmbuf_free(m);
	CU_ASSERT_EQUAL(rig_counter(DP_C_LOCAL), 1);
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), 1);
	rig_close();
}

static void test_end_to_end_transport_echo_is_answered_through_the_sa(void)
{
	for (int six = 0; six < 2; six++) {
		transport_echo(six, PROTOCOL_ESP);
		transport_echo(six, PROTOCOL_AH);
	}
}

/* The same ping in clear is not believed. */
static void test_end_to_end_transport_echo_in_clear_is_dropped(void)
{
	const struct probe echo = { .src = WAN_PEER6, .dst = WAN_OWN6, .protocol = IPPROTO_ICMPV6 };

	transport_open(true, PROTOCOL_ESP);
	CU_ASSERT(dropped_as(WAN, &echo, DROP_INBOUND_CLEAR));
	rig_close();
}

static void test_end_to_end_replay_and_forgery_are_named(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	pair_open(1, false);
	rig_send(LAN, &p);
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = esp_turned(), *forged = esp_turned();
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_PTR_NOT_NULL_FATAL(forged);
	policy_turn();
	rig_send_mbuf(WAN, rte_pktmbuf_copy(m, rig.dp->pool, 0, UINT32_MAX));
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 1);
	rig_send_mbuf(WAN, m);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_REPLAYED), 1);
	(*rte_pktmbuf_mtod_offset(forged, uint8_t *, forged->data_len - 1u))++;
	rig_send_mbuf(WAN, forged);
	rig_step();
	CU_ASSERT_EQUAL(rig_drops(DROP_BAD_ICV), 1);
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	rig_close();
}

static void test_end_to_end_largest_inner_packet_fits_the_mtu(void)
{
	struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .fragment = RTE_IPV4_HDR_DF_FLAG };

	pair_open(1, true);
	p.bytes = sa_inner_mtu(tunnel_lookup(rig.ips, 3));
	rig_send(LAN, &p);
	rig_step();
	struct rte_mbuf *m = rig_receive(WAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(m->pkt_len <= 1514 && m->pkt_len > 1514 - 4);
	rte_pktmbuf_free(m);
	p.bytes++;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

static void test_end_to_end_retired_tunnel_fails_closed(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST };

	pair_open(1, false);
	CU_ASSERT_EQUAL(tunnel_publish(rig.ips, 3, NULL), 0);
	CU_ASSERT(dropped_as(LAN, &p, DROP_NO_SA));
	rig_close();
}

/* The compiled policies decide like the order they were written in, seen from both sides. */
static void test_end_to_end_policy_order(void)
{
	const struct probe forged = { .src = FAR_HOST, .dst = LAN_HOST };
	const struct probe answer = { .src = WAN_PEER, .dst = LAN_HOST };
	const struct probe other = { .src = "203.0.113.5", .dst = LAN_HOST };

	rig_open(1);
	RIG_POLICY(
		"protect 3 10.1.0.0/24 10.2.0.0/24", "bypass 10.1.0.0/24 192.0.2.0/24", "discard 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT(dropped_as(WAN, &forged, DROP_INBOUND_CLEAR));
	CU_ASSERT(dropped_as(WAN, &other, DROP_DISCARD));
	rig_send(WAN, &answer);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(LAN), 1);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_end_to_end_raw),
		TEST(test_end_to_end_udp_encapsulated),
		TEST(test_end_to_end_every_family_in_every_family),
		TEST(test_end_to_end_stages_are_measured),
		TEST(test_end_to_end_two_workers),
		TEST(test_end_to_end_spi_at_another_address_and_protocol),
		TEST(test_end_to_end_transport_echo_is_answered_through_the_sa),
		TEST(test_end_to_end_transport_echo_in_clear_is_dropped),
		TEST(test_end_to_end_replay_and_forgery_are_named),
		TEST(test_end_to_end_largest_inner_packet_fits_the_mtu),
		TEST(test_end_to_end_retired_tunnel_fails_closed),
		TEST(test_end_to_end_policy_order),
	};

	rig_eal();
	return test_main("datapath_end_to_end", tests, ARRAY_LEN(tests), argc, argv);
}
