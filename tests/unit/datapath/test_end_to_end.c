/* SPDX-License-Identifier: BSD-3-Clause */
/* The datapath with the real ipsec room: a packet in clear becomes ESP, the ESP comes back and is opened again. One
 * gateway plays both ends: what it sent is given back to it with the outer addresses turned, which ESP does not
 * protect. */
#include "harness.h"
#include "rig.h"

#define SPI 0x1001

static const uint8_t key[36] = "a key of thirty-two bytes and a salt";

static void spec_fill(struct sa_spec *s, enum sa_direction direction, bool udp, const char *local, const char *remote)
{
	*s = (struct sa_spec){
		.name = "end-to-end",
		.direction = direction,
		.mode = SA_MODE_TUNNEL,
		.protocol = PROTOCOL_ESP,
		.natt = udp,
		.spi = SPI,
		.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 256),
		.replay_window = direction == SA_IN ? 128 : 0,
		.tunnel_slot = 3,
	};
	CU_ASSERT_EQUAL_FATAL(secret_copy(&s->encr_key, BYTES_OF(key)), 0);
	addr_parse(WAN_OWN, &s->path.local.addr);
	addr_parse(WAN_PEER, &s->path.remote.addr);
	s->path.local.port = s->path.remote.port = PORT_NATT;
	s->path.encap = udp ? SA_ENCAP_UDP : SA_ENCAP_NONE;
	s->local.count = s->remote.count = 1;
	CU_ASSERT_EQUAL_FATAL(selector_parse(local, &s->local.items[0]), 0);
	CU_ASSERT_EQUAL_FATAL(selector_parse(remote, &s->remote.items[0]), 0);
}

static void pair_open(uint16_t workers, bool udp)
{
	struct sa_spec out, in;
	struct path *path = NULL;
	const char *reason = NULL;
	struct sa *sa;

	rig_open(workers);
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24", "bypass 10.2.0.0/24 10.3.0.0/24");
	spec_fill(&out, SA_OUT, udp, "10.1.0.0/24", "10.2.0.0/24");
	spec_fill(&in, SA_IN, udp, "10.2.0.0/24", "10.1.0.0/24");
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &out.path, &path), 0);
	sa = sa_create(rig.ips, &out, path, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	CU_ASSERT_EQUAL_FATAL(tunnel_publish(rig.ips, 3, sa), 0);
	sa = sa_create(rig.ips, &in, NULL, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	CU_ASSERT_EQUAL_FATAL(sad_insert(rig.ips, sa), 0);
	sa_spec_done(&out);
	sa_spec_done(&in);
}

/* The next ESP frame as if the other end had sent it to us. */
static struct rte_mbuf *esp_turned(void)
{
	struct rte_mbuf *m = rig_receive(WAN);
	struct rte_ipv4_hdr *ip;

	if (!m)
		return NULL;
	ip = frame_ip(m);
	ip->src_addr = ip4(WAN_PEER);
	ip->dst_addr = ip4(WAN_OWN);
	ip_checksum_set(ip);
	memcpy(rte_pktmbuf_mtod(m, uint8_t *), rig.dp->ports[WAN].mac, 6);
	return m;
}

static void there_and_back(uint16_t workers, bool udp)
{
	struct rte_mbuf *m, *esp[256];
	unsigned n = 0, back = 0;

	pair_open(workers, udp);
	for (uint16_t i = 0; i < 200; i++) {
		const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .sport = i, .bytes = (uint16_t)(28 + i) };
		rig_send(LAN, &p);
	}
	rig_step();
	while (n < ARRAY_LEN(esp) && (m = esp_turned())) {
		CU_ASSERT_EQUAL(frame_ip(m)->next_proto_id, udp ? IPPROTO_UDP : IPPROTO_ESP);
		esp[n++] = m;
	}
	CU_ASSERT_EQUAL(n, 200);
	for (unsigned i = 0; i < n; i++)
		rig_send_mbuf(WAN, esp[i]);
	rig_step();
	for (; (m = rig_receive(WAN)); back++) {
		const struct rte_ipv4_hdr *ip = frame_ip(m);
		CU_ASSERT_EQUAL(ip->src_addr, ip4(LAN_HOST));
		CU_ASSERT_EQUAL(ip->dst_addr, ip4(FAR_HOST));
		CU_ASSERT_EQUAL(ip->time_to_live, 62);
		CU_ASSERT(ip_checksum_valid(ip));
		CU_ASSERT_EQUAL(ip_total_bytes(ip), 28 + back);
		CU_ASSERT_EQUAL(load_be16((const uint8_t *)(ip + 1)), back);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(back, 200);
	CU_ASSERT_EQUAL(rig_counter(DP_C_ENCAP), 200);
	CU_ASSERT_EQUAL(rig_counter(DP_C_DECAP), 200);
	rig_close();
}

static void test_end_to_end_raw(void)
{
	there_and_back(1, false);
}

static void test_end_to_end_udp_encapsulated(void)
{
	there_and_back(1, true);
}

static void test_end_to_end_two_workers(void)
{
	there_and_back(2, false);
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
		TEST(test_end_to_end_two_workers),
		TEST(test_end_to_end_replay_and_forgery_are_named),
		TEST(test_end_to_end_largest_inner_packet_fits_the_mtu),
		TEST(test_end_to_end_retired_tunnel_fails_closed),
		TEST(test_end_to_end_policy_order),
	};

	rig_eal();
	return test_main("datapath_end_to_end", tests, ARRAY_LEN(tests), argc, argv);
}
