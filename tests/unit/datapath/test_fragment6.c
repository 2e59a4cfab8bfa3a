/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of IPv6 fragmentation at the source. RFC 8200 4.5. */
#include "harness.h"
#include "rig.h"

#include <errno.h>

/* Checks every fragment, puts the pieces behind `front` into ret_data. Returns their bytes, 0 when one is wrong. */
static uint32_t join6(struct rte_mbuf **f, int n, uint16_t mtu, uint16_t front, uint8_t *ret_data)
{
	uint32_t bytes = 0;

	for (int i = 0; i < n; i++) {
		const uint8_t *ip = rte_pktmbuf_mtod(f[i], const uint8_t *), *header = ip + front;
		uint16_t word = load_be16(header + 2), len = (uint16_t)(f[i]->data_len - front - 8);

		if (f[i]->data_len > mtu || 40 + load_be16(ip + 4) != f[i]->data_len || word >> 3 != bytes / 8 ||
			(word & 1) != (i + 1 < n) || (i + 1 < n && len % 8) || load_be32(header + 4) != 0x1234567)
			return 0;
		memcpy(ret_data + bytes, header + 8, len);
		bytes += len;
	}
	return bytes;
}

static void test_fragment6_every_size_comes_back_whole(void)
{
	const struct probe p = { .src = WAN_OWN6, .dst = WAN_PEER6, .bytes = 1980 };
	struct rte_mbuf *f[FRAGMENTS_MAX];
	uint8_t data[2048];
	unsigned wrong = 0;

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	for (uint16_t mtu = 80; mtu < 1980; mtu += 13) {
		int n = fragment6_packet(rig.dp->pool, m, mtu, 0x1234567, f, FRAGMENTS_MAX);
		CU_ASSERT_FATAL(n > 1);
		wrong += join6(f, n, mtu, 40, data) != 1940 ||
			 memcmp(data, rte_pktmbuf_mtod_offset(m, uint8_t *, 40), 1940) ||
			 rte_pktmbuf_mtod(f[0], uint8_t *)[6] != IPPROTO_FRAGMENT ||
			 rte_pktmbuf_mtod(f[0], uint8_t *)[40] != IPPROTO_UDP;
		rte_pktmbuf_free_bulk(f, (unsigned)n);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rte_pktmbuf_free(m);
	rig_close();
}

/* Hop-by-hop and routing headers are every fragment's, destination options are cut with the rest. */
static void test_fragment6_per_fragment_headers_are_repeated(void)
{
	static uint8_t payload[600] = { IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0, IPPROTO_DSTOPTS, 0, 0, 0, 0, 0, 0, 0,
		IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0 };
	const struct probe p = {
		.src = WAN_OWN6, .dst = WAN_PEER6, .payload = payload, .payload_bytes = sizeof(payload)
	};
	struct rte_mbuf *f[FRAGMENTS_MAX];
	uint8_t data[2048] = { 0 };

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	packet_ip6(m)->proto = IPPROTO_HOPOPTS;
	int n = fragment6_packet(rig.dp->pool, m, 300, 0x1234567, f, FRAGMENTS_MAX);
	CU_ASSERT_EQUAL_FATAL(n, 3);
	CU_ASSERT_EQUAL(join6(f, n, 300, 56, data), 584);
	CU_ASSERT_EQUAL(memcmp(data, payload + 16, 584), 0);
	for (int i = 0; i < n; i++) {
		const uint8_t *ip = rte_pktmbuf_mtod(f[i], const uint8_t *);
		CU_ASSERT(ip[6] == IPPROTO_HOPOPTS && ip[40] == IPPROTO_ROUTING && ip[48] == IPPROTO_FRAGMENT &&
			  ip[56] == IPPROTO_DSTOPTS);
	}
	rte_pktmbuf_free_bulk(f, (unsigned)n);
	/* the destination options would be split from what they belong to */
	CU_ASSERT_EQUAL(fragment6_packet(rig.dp->pool, m, 79, 1, f, FRAGMENTS_MAX), -EMSGSIZE);
	rte_pktmbuf_free(m);
	rig_close();
}

static void test_fragment6_refusals_return_every_buffer(void)
{
	static const uint8_t fragment[40] = { IPPROTO_UDP, 0, 0, 1, 0, 0, 0, 9 };
	struct probe p = { .src = WAN_OWN6, .dst = WAN_PEER6, .bytes = 1500 };
	struct rte_mbuf *f[FRAGMENTS_MAX], *taken[4096];
	unsigned n = 0;

	rig_open(1);
	struct rte_mbuf *m = rig_packet(&p);
	CU_ASSERT_EQUAL(fragment6_packet(rig.dp->pool, m, 48, 1, f, FRAGMENTS_MAX), -EMSGSIZE);
	CU_ASSERT_EQUAL(fragment6_packet(rig.dp->pool, m, 100, 1, f, 3), -EMSGSIZE);
	while (n < ARRAY_LEN(taken) && (taken[n] = rte_pktmbuf_alloc(rig.dp->pool)))
		n++;
	rte_pktmbuf_free(taken[--n]);
	CU_ASSERT_EQUAL(fragment6_packet(rig.dp->pool, m, 1280, 1, f, FRAGMENTS_MAX), -ENOBUFS);
	rte_pktmbuf_free_bulk(taken, n);
	rte_pktmbuf_free(m);
	/* what is a fragment already had one who cut it */
	p.protocol = IPPROTO_FRAGMENT;
	p.payload = fragment;
	p.payload_bytes = sizeof(fragment);
	m = rig_packet(&p);
	CU_ASSERT_EQUAL(fragment6_packet(rig.dp->pool, m, 60, 1, f, FRAGMENTS_MAX), -EMSGSIZE);
	rte_pktmbuf_free(m);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_fragment6_every_size_comes_back_whole),
		TEST(test_fragment6_per_fragment_headers_are_repeated),
		TEST(test_fragment6_refusals_return_every_buffer),
	};

	rig_eal();
	return test_main("datapath_fragment6", tests, ARRAY_LEN(tests), argc, argv);
}
