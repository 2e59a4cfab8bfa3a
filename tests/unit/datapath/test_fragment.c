/* SPDX-License-Identifier: BSD-3-Clause */
/* Fragments put together again give the packet; options, fragments of fragments, and what cannot be done. */
#include "harness.h"
#include "rig.h"

/* Puts payload bytes where the offsets say and checks sizes and flags; returns the payload's bytes. */
static unsigned reassemble(struct rte_mbuf **f, int n, uint16_t mtu, uint16_t start, uint8_t *ret_payload)
{
	unsigned bytes = 0;

	for (int i = 0; i < n; i++) {
		const struct rte_ipv4_hdr *ip = packet_ip(f[i]);
		uint16_t word = rte_be_to_cpu_16(ip->fragment_offset), header = ip_header_bytes(ip);
		unsigned at = ((word & RTE_IPV4_HDR_OFFSET_MASK) - start) * 8u, len = ip_total_bytes(ip) - header;
		CU_ASSERT(ip_checksum_valid(ip));
		CU_ASSERT(ip_total_bytes(ip) <= mtu);
		CU_ASSERT_EQUAL(f[i]->pkt_len, ip_total_bytes(ip));
		CU_ASSERT_EQUAL(at, bytes);
		CU_ASSERT_EQUAL(!!(word & RTE_IPV4_HDR_MF_FLAG), i + 1 < n);
		memcpy(ret_payload + at, (const uint8_t *)ip + header, len);
		bytes += len;
	}
	return bytes;
}

static void test_fragment_every_size_comes_back_whole(void)
{
	struct rte_mbuf *f[FRAGMENTS_MAX];
	uint8_t payload[2048];
	unsigned wrong = 0;

	rig_open(1);
	for (uint16_t mtu = 68; mtu < 1500; mtu += 13) {
		const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 1500 };
		struct rte_mbuf *m = rig_packet(&p);
		int n = fragment_packet(rig.dp->pool, m, mtu, f, FRAGMENTS_MAX);
		CU_ASSERT_FATAL(n > 1);
		wrong += reassemble(f, n, mtu, 0, payload) != 1480 ||
			 memcmp(payload, rte_pktmbuf_mtod_offset(m, uint8_t *, 20), 1480);
		rte_pktmbuf_free_bulk(f, (unsigned)n);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close();
}

static void test_fragment_of_a_fragment_keeps_offset_and_more(void)
{
	const struct probe p = {
		.src = LAN_HOST, .dst = FAR_HOST, .bytes = 820, .fragment = RTE_IPV4_HDR_MF_FLAG | 100
	};
	struct rte_mbuf *f[FRAGMENTS_MAX];

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	int n = fragment_packet(rig.dp->pool, m, 420, f, FRAGMENTS_MAX);
	CU_ASSERT_EQUAL_FATAL(n, 2);
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(packet_ip(f[0])->fragment_offset), RTE_IPV4_HDR_MF_FLAG | 100);
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(packet_ip(f[1])->fragment_offset), RTE_IPV4_HDR_MF_FLAG | 150);
	rte_pktmbuf_free_bulk(f, 2);
	rte_pktmbuf_free(m);
	rig_close();
}

/* The offset of a piece behind the end of what IPv4 can say would begin at zero again: data of a later fragment would
 * become the first one, with ports of the sender's choice. */
static void test_fragment_behind_the_end_of_a_datagram_is_refused(void)
{
	struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 820, .fragment = 8192 - 50 };
	struct rte_mbuf *f[FRAGMENTS_MAX];

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	CU_ASSERT_EQUAL(fragment_packet(rig.dp->pool, m, 420, f, FRAGMENTS_MAX), -EMSGSIZE);
	rte_pktmbuf_free(m);
	/* header and payload of the whole datagram: 65535 bytes, and one more */
	p.fragment = (65535 - 815 - 20) / 8;
	p.bytes = 835;
	m = rig_packet(&p);
	int n = fragment_packet(rig.dp->pool, m, 420, f, FRAGMENTS_MAX);
	CU_ASSERT_EQUAL_FATAL(n, 3);
	rte_pktmbuf_free_bulk(f, 3);
	rte_pktmbuf_free(m);
	p.bytes = 840;
	m = rig_packet(&p);
	CU_ASSERT_EQUAL(fragment_packet(rig.dp->pool, m, 420, f, FRAGMENTS_MAX), -EMSGSIZE);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_fragment_only_copied_options_go_on(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 700 };
	struct rte_mbuf *f[FRAGMENTS_MAX];

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	ip[0] = 0x48;
	/* record route (not copied), router alert (copied), end */
	memcpy(ip + 20, "\x07\x07\x04\0\0\0\0\x94\x04\0\0\0", 12);
	ip_checksum_set((struct rte_ipv4_hdr *)ip);
	int n = fragment_packet(rig.dp->pool, m, 400, f, FRAGMENTS_MAX);
	CU_ASSERT_EQUAL_FATAL(n, 2);
	CU_ASSERT_EQUAL(packet_ip(f[0])->version_ihl, 0x48);
	CU_ASSERT_EQUAL(packet_ip(f[1])->version_ihl, 0x46);
	CU_ASSERT_EQUAL(memcmp(packet_ip(f[1]) + 1, "\x94\x04\0\0", 4), 0);
	CU_ASSERT_EQUAL(f[0]->pkt_len + f[1]->pkt_len, 700 + 24);
	CU_ASSERT(ip_checksum_valid(packet_ip(f[1])));
	rte_pktmbuf_free_bulk(f, 2);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_fragment_refusals_return_every_buffer(void)
{
	const struct probe p = { .src = LAN_HOST, .dst = FAR_HOST, .bytes = 1500 };
	struct rte_mbuf *f[FRAGMENTS_MAX], *taken[4096];
	unsigned n = 0;

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	CU_ASSERT_EQUAL(fragment_packet(rig.dp->pool, m, 27, f, FRAGMENTS_MAX), -EMSGSIZE);
	CU_ASSERT_EQUAL(fragment_packet(rig.dp->pool, m, 100, f, 3), -EMSGSIZE);
	while (n < ARRAY_LEN(taken) && (taken[n] = rte_pktmbuf_alloc(rig.dp->pool)))
		n++;
	rte_pktmbuf_free(taken[--n]);
	CU_ASSERT_EQUAL(fragment_packet(rig.dp->pool, m, 600, f, FRAGMENTS_MAX), -ENOBUFS);
	rte_pktmbuf_free_bulk(taken, n);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_fragment_clear_forwarding_respects_the_port_mtu(void)
{
	struct probe p = { .src = LAN_HOST, .dst = WAN_PEER, .bytes = 1500 };

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	rig.dp->ports[WAN].mtu = 1000;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 2);
	p.fragment = RTE_IPV4_HDR_DF_FLAG;
	rig_send(LAN, &p);
	rig_step();
	CU_ASSERT_EQUAL(rig_sent(WAN), 0);
	struct rte_mbuf *m = rig_receive(LAN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(load_be16((uint8_t *)frame_ip(m) + 26), 1000);
	rte_pktmbuf_free(m);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_fragment_every_size_comes_back_whole),
		TEST(test_fragment_of_a_fragment_keeps_offset_and_more),
		TEST(test_fragment_behind_the_end_of_a_datagram_is_refused),
		TEST(test_fragment_only_copied_options_go_on),
		TEST(test_fragment_refusals_return_every_buffer),
		TEST(test_fragment_clear_forwarding_respects_the_port_mtu),
	};

	rig_eal();
	return test_main("datapath_fragment", tests, ARRAY_LEN(tests), argc, argv);
}
