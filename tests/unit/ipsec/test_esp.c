/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP there and back: every length, both key sizes, raw and UDP-encapsulated, with and without ESN, against OpenSSL's
 * engine at the other end; the outer header; bursts of several SAs; IVs. What must be refused is in test_esp_drops.c.
 */
#include <rte_random.h>
#include <rte_udp.h>
#include <stdlib.h>

#include "harness.h"
#include "rig.h"

static const struct rig_options kinds[] = {
	{ .key_bits = 128 },
	{ .key_bits = 256 },
	{ .key_bits = 128, .udp = true, .natt = true },
	{ .key_bits = 256, .udp = true, .esn = true },
	{ .key_bits = 128, .esn = true, .sequence = 0xfffffff0 },
	{ .key_bits = 256, .esn = true, .sequence = 0x2fffffff0, .replay_window = 1024 },
	{ .key_bits = 128, .replay_window = -1 },
};

/* Packets that did not come back as they went. */
static unsigned lost_or_changed(const struct rig_options *o, uint16_t from, uint16_t to, uint16_t step)
{
	struct rig_pair p;
	unsigned wrong = 0;

	rig_pair_open(&p, o);
	for (uint16_t len = from; len <= to; len += step) {
		struct rte_mbuf *m = rig_packet(len, (uint8_t)len), *sent = rig_copy(m);
		wrong += rig_through(&p, m) != DROP_NONE || m->data_len != len || m->pkt_len != len ||
			 memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(sent, void *), len) != 0;
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(sent);
	}
	wrong += rig_drops_all(p.in) + rig_drops_all(p.out);
	rig_pair_close(&p);
	return wrong;
}

static void test_esp_round_trip_of_all_lengths(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		CU_ASSERT_EQUAL(lost_or_changed(&kinds[i], 20, 2000, 1), 0);
}

static void test_esp_round_trip_through_the_reference_engine(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct rig_options o = kinds[i];
		o.reference = true;
		CU_ASSERT_EQUAL(lost_or_changed(&o, 20, 2000, 7), 0);
	}
}

static void test_esp_reference_engine_is_opened_by_the_fast_one(void)
{
	struct rig_options o = { .reference = true, .esn = true };
	struct rig_pair p;
	struct sa_spec spec;
	const char *reason;

	/* the pair's far end encrypts here: an outbound SA in its tables, opened by an inbound one in the near tables
	 */
	rig_pair_open(&p, &o);
	rig_spec(&o, SA_OUT, &spec);
	struct sa *out = sa_create(p.in_ips, &spec, rig_path(&spec), &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	sa_spec_done(&spec);
	rig_spec(&o, SA_IN, &spec);
	struct sa *in = sa_create(p.out_ips, &spec, NULL, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	sa_spec_done(&spec);
	for (uint16_t len = 20; len < 1500; len += 13) {
		struct rte_mbuf *m = rig_packet(len, 1), *sent = rig_copy(m);
		struct burst_item item = { .m = m, .sa = out };
		CU_ASSERT_EQUAL(burst_out(p.in_worker, &item, 1), 1);
		item.sa = in;
		CU_ASSERT_EQUAL(burst_in(p.out_worker, &item, 1), 1);
		CU_ASSERT_EQUAL(m->data_len, len);
		CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(sent, void *), len), 0);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(sent);
	}
	sa_free(out);
	sa_free(in);
	rig_pair_close(&p);
}

static void test_esp_outer_header(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int df = 0; df < 2; df++)
		for (uint16_t tos = 0; tos < 256; tos++) {
			struct rte_mbuf *m = rig_packet(100, 0);
			struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
			ip->type_of_service = (uint8_t)tos;
			ip->fragment_offset = df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0;
			CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
			ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
			/* 20 + 8 + 8 + 100 + 2 pad + 2 + 16 */
			CU_ASSERT_EQUAL(m->data_len, 156);
			CU_ASSERT_EQUAL(m->pkt_len, 156);
			CU_ASSERT_EQUAL(ip->version_ihl, 0x45);
			CU_ASSERT_EQUAL(rte_be_to_cpu_16(ip->total_length), 156);
			CU_ASSERT_EQUAL(ip->next_proto_id, IPPROTO_ESP);
			CU_ASSERT_EQUAL(ip->time_to_live, 64);
			CU_ASSERT_EQUAL(ip->type_of_service, tos);
			CU_ASSERT_EQUAL(ip->fragment_offset, df ? RTE_BE16(RTE_IPV4_HDR_DF_FLAG) : 0);
			CU_ASSERT_EQUAL(ip->src_addr, RTE_BE32(0xc0000201));
			CU_ASSERT_EQUAL(ip->dst_addr, RTE_BE32(0xc6336402));
			CU_ASSERT_EQUAL(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
			rte_pktmbuf_free(m);
		}
	rig_pair_close(&p);
}

static void test_esp_udp_header(void)
{
	const struct rig_options o = { .udp = true };
	struct rig_pair p;
	struct rte_mbuf *m = rig_packet(60, 0);
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;

	rig_pair_open(&p, &o);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
	udp = (struct rte_udp_hdr *)(ip + 1);
	CU_ASSERT_EQUAL(ip->next_proto_id, IPPROTO_UDP);
	CU_ASSERT_EQUAL(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(udp->src_port), 4500);
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(udp->dst_port), 4500);
	CU_ASSERT_EQUAL(udp->dgram_cksum, 0);
	CU_ASSERT_EQUAL(rte_be_to_cpu_16(udp->dgram_len), rte_be_to_cpu_16(ip->total_length) - 20);
	CU_ASSERT_EQUAL(load_be32((uint8_t *)(udp + 1)), RIG_SPI);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_sequence_and_iv_on_the_wire(void)
{
	const struct rig_options o = { .esn = true, .sequence = 0xfffffffe };
	static const uint32_t expected[] = { 0xffffffff, 0, 1 };
	struct rig_pair p;
	struct sa_stats s;

	rig_pair_open(&p, &o);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		struct rte_mbuf *m = rig_packet(64, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		const uint8_t *esp = rte_pktmbuf_mtod_offset(m, const uint8_t *, 20);
		CU_ASSERT_EQUAL(load_be32(esp), RIG_SPI);
		CU_ASSERT_EQUAL(load_be32(esp + 4), expected[i]);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
	}
	sa_stats_read(p.out, &s);
	CU_ASSERT_EQUAL(s.sequence, 0x100000001);
	CU_ASSERT_EQUAL(s.packets, 3);
	CU_ASSERT_EQUAL(s.bytes, 192);
	sa_stats_read(p.in, &s);
	CU_ASSERT_EQUAL(s.sequence, 0x100000001);
	CU_ASSERT_EQUAL(s.packets, 3);
	CU_ASSERT_EQUAL(s.bytes, 192);
	rig_pair_close(&p);
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

#define IV_PACKETS 100000

static void test_esp_ivs_are_distinct(void)
{
	uint64_t *ivs = (uint64_t *)calloc(IV_PACKETS, sizeof(*ivs));
	const struct rig_options o = { 0 };
	struct rig_pair p;
	unsigned same = 0;

	rig_pair_open(&p, &o);
	for (int i = 0; i < IV_PACKETS; i++) {
		struct rte_mbuf *m = rig_packet(28, 0);
		rig_out(&p, m);
		ivs[i] = load_be64(rte_pktmbuf_mtod_offset(m, const uint8_t *, 28));
		rte_pktmbuf_free(m);
	}
	qsort(ivs, IV_PACKETS, sizeof(*ivs), compare_u64);
	for (int i = 1; i < IV_PACKETS; i++)
		same += ivs[i] == ivs[i - 1];
	CU_ASSERT_EQUAL(same, 0);
	free(ivs);
	rig_pair_close(&p);
}

static void test_esp_ivs_of_two_lives_do_not_meet(void)
{
	/* a manual key after a restart: the same key, sequence numbers from 1 again */
	uint64_t first[2];

	for (int life = 0; life < 2; life++) {
		const struct rig_options o = { 0 };
		struct rig_pair p;
		rig_pair_open(&p, &o);
		struct rte_mbuf *m = rig_packet(28, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		first[life] = load_be64(rte_pktmbuf_mtod_offset(m, const uint8_t *, 28));
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
	CU_ASSERT(first[0] - first[1] > 1ull << 32 && first[1] - first[0] > 1ull << 32);
}

#define SAS 5

static void test_esp_burst_of_several_sas(void)
{
	struct rig_pair p[SAS];
	struct burst_item items[64];
	struct rte_mbuf *sent[64];

	/* both key sizes alternate: runs of one engine function are broken up at random */
	rte_srand(5);
	for (int i = 0; i < SAS; i++) {
		const struct rig_options o = { .key_bits = i % 2 ? 128 : 256, .esn = i > 2, .udp = i == 4 };
		rig_pair_open(&p[i], &o);
	}
	for (int round = 0; round < 200; round++) {
		uint16_t n = (uint16_t)(1 + rte_rand() % 64);
		uint8_t which[64];
		for (uint16_t i = 0; i < n; i++) {
			which[i] = (uint8_t)(rte_rand() % SAS);
			items[i] = (struct burst_item){ .m = rig_packet((uint16_t)(20 + rte_rand() % 1400), (uint8_t)i),
				.sa = p[which[i]].out,
				.worker_data = i };
			sent[i] = rig_copy(items[i].m);
		}
		CU_ASSERT_EQUAL(burst_out(p[0].out_worker, items, n), n);
		for (uint16_t i = 0; i < n; i++)
			items[i].sa = p[which[i]].in;
		CU_ASSERT_EQUAL(burst_in(p[0].in_worker, items, n), n);
		for (uint16_t i = 0; i < n; i++) {
			CU_ASSERT_EQUAL(items[i].worker_data, i);
			CU_ASSERT_EQUAL(items[i].m->data_len, sent[i]->data_len);
			CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(items[i].m, void *), rte_pktmbuf_mtod(sent[i], void *),
						sent[i]->data_len),
				0);
			rte_pktmbuf_free(items[i].m);
			rte_pktmbuf_free(sent[i]);
		}
	}
	for (int i = 0; i < SAS; i++)
		rig_pair_close(&p[i]);
}

static void test_esp_burst_puts_bad_ones_last_in_order(void)
{
	const struct rig_options o = { 0 };
	struct burst_item items[64];
	struct rig_pair p;
	uint16_t good;

	rig_pair_open(&p, &o);
	for (uint16_t i = 0; i < 64; i++) {
		items[i] = (struct burst_item){ .m = rig_packet(100, 0), .sa = p.out, .worker_data = i };
		rte_pktmbuf_mtod(items[i].m, uint8_t *)[50] = (uint8_t)i;
	}
	CU_ASSERT_EQUAL(burst_out(p.out_worker, items, 64), 64);
	for (uint16_t i = 0; i < 64; i++) {
		items[i].sa = p.in;
		/* every third is forged */
		if (i % 3 == 0)
			rte_pktmbuf_mtod(items[i].m, uint8_t *)[80] ^= 1;
	}
	good = burst_in(p.in_worker, items, 64);
	CU_ASSERT_EQUAL(good, 42);
	for (uint16_t i = 0; i < 64; i++) {
		bool forged = items[i].worker_data % 3 == 0;
		CU_ASSERT_EQUAL(forged, i >= good);
		CU_ASSERT_EQUAL(items[i].drop, forged ? DROP_BAD_ICV : DROP_NONE);
		if (!forged)
			CU_ASSERT_EQUAL(rte_pktmbuf_mtod(items[i].m, uint8_t *)[50], items[i].worker_data);
		if (i && i != good)
			CU_ASSERT(items[i].worker_data > items[i - 1].worker_data);
		rte_pktmbuf_free(items[i].m);
	}
	rig_pair_close(&p);
}

static void test_esp_chained_packet_is_joined(void)
{
	const struct rig_options o = { 0 };
	struct rte_mbuf *whole = rig_packet(600, 3), *head, *tail;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int direction = 0; direction < 2; direction++) {
		struct rte_mbuf *m = rig_copy(whole);
		if (direction)
			CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		head = rig_mbuf(rte_pktmbuf_mtod(m, void *), 10);
		tail = rig_mbuf(rte_pktmbuf_mtod_offset(m, void *, 10), (uint16_t)(m->data_len - 10));
		CU_ASSERT_EQUAL(rte_pktmbuf_chain(head, tail), 0);
		rte_pktmbuf_free(m);
		CU_ASSERT_EQUAL(direction ? rig_in(&p, head) : rig_through(&p, head), DROP_NONE);
		CU_ASSERT_EQUAL(head->nb_segs, 1);
		CU_ASSERT_EQUAL(head->data_len, 600);
		CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(head, void *), rte_pktmbuf_mtod(whole, void *), 600), 0);
		rte_pktmbuf_free(head);
	}
	rte_pktmbuf_free(whole);
	rig_pair_close(&p);
}

static void test_esp_path_swap_changes_the_outer_header_only(void)
{
	const struct rig_options o = { .natt = true };
	struct rig_pair p;
	struct path_spec spec;
	struct rte_mbuf *m;

	rig_pair_open(&p, &o);
	m = rig_packet(100, 0);
	CU_ASSERT_EQUAL(rig_through(&p, m), DROP_NONE);
	rte_pktmbuf_free(m);
	/* the peer turned out to be behind a NAT: UDP from now on, the SA goes on counting */
	spec = sa_path(p.out)->spec;
	spec.encap = SA_ENCAP_UDP;
	spec.local.port = 4500;
	spec.remote.port = 32100;
	sa_path_publish(p.out_ips, p.out, path_create(&spec, 1400, 9, 8));
	m = rig_packet(100, 0);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(at[9], IPPROTO_UDP);
	CU_ASSERT_EQUAL(load_be16(at + 22), 32100);
	CU_ASSERT_EQUAL(load_be32(at + 32), 2);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	rte_pktmbuf_free(m);
	ipsec_worker_quiescent(p.out_worker);
	CU_ASSERT_EQUAL(reclaim_poll(p.out_ips), 0);
	rig_pair_close(&p);
}

/* RFC 6040 figure 4. inner, outer: ECN fields; expected: -1 is a drop. */
static void test_esp_ecn_follows_rfc6040(void)
{
	static const int expected[4][4] = {
		/* outer: Not-ECT, ECT(1), ECT(0), CE */
		{ 0, 0, 0, -1 }, /* inner Not-ECT */
		{ 1, 1, 1, 3 },  /* inner ECT(1) */
		{ 2, 1, 2, 3 },  /* inner ECT(0) */
		{ 3, 3, 3, 3 },  /* inner CE */
	};
	const struct rig_options o = { 0 };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (uint8_t inner = 0; inner < 4; inner++)
		for (uint8_t outer = 0; outer < 4; outer++) {
			struct rte_mbuf *m = rig_packet(100, 0);
			struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
			ip->type_of_service = 0xb8 | inner;
			rig_checksum(ip);
			CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
			ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
			ip->type_of_service = 0x20 | outer; /* DSCP of the outer header is not taken over */
			enum drop_reason reason = rig_in(&p, m);
			CU_ASSERT_EQUAL(reason, expected[inner][outer] < 0 ? DROP_ECN : DROP_NONE);
			ip = rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *);
			if (!reason) {
				CU_ASSERT_EQUAL(ip->type_of_service, 0xb8 | expected[inner][outer]);
				CU_ASSERT_EQUAL(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
			}
			rte_pktmbuf_free(m);
		}
	rig_pair_close(&p);
}

static void test_esp_reordering_inside_the_window(void)
{
	const struct rig_options o = { .esn = true, .sequence = 0xffffffe0, .replay_window = 64 };
	struct rte_mbuf *m[64];
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 64; i++) {
		m[i] = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m[i]), DROP_NONE);
	}
	/* newest first, across the 2^32 boundary */
	for (int i = 63; i >= 0; i--) {
		CU_ASSERT_EQUAL(rig_in(&p, m[i]), DROP_NONE);
		rte_pktmbuf_free(m[i]);
	}
	rig_pair_close(&p);
}

static void test_esp_trailing_flow_padding_is_cut(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;
	struct rte_mbuf *m = rig_packet(200, 0);

	rig_pair_open(&p, &o);
	/* RFC 4303 2.7: the inner packet says it is shorter than what came */
	rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *)->total_length = RTE_BE16(90);
	CU_ASSERT_EQUAL(rig_through(&p, m), DROP_NONE);
	CU_ASSERT_EQUAL(m->data_len, 90);
	CU_ASSERT_EQUAL(m->pkt_len, 90);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_link_padding_behind_the_outer_packet_is_ignored(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;
	struct rte_mbuf *m = rig_packet(20, 0);

	rig_pair_open(&p, &o);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	memset(rte_pktmbuf_append(m, 9), 0xee, 9);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_EQUAL(m->data_len, 20);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_outer_ip_options_are_skipped(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;
	struct rte_mbuf *m = rig_packet(100, 0), *with;
	uint8_t data[300] = { 0 };

	rig_pair_open(&p, &o);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	memcpy(data, rte_pktmbuf_mtod(m, void *), 20);
	memcpy(data + 24, rte_pktmbuf_mtod_offset(m, void *, 20), m->data_len - 20u);
	data[0] = 0x46;
	store_be16(data + 2, (uint16_t)(m->data_len + 4));
	memset(data + 20, 1, 4); /* no-operation */
	with = rig_mbuf(data, (uint16_t)(m->data_len + 4));
	CU_ASSERT_EQUAL(rig_in(&p, with), DROP_NONE);
	CU_ASSERT_EQUAL(with->data_len, 100);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(with);
	rig_pair_close(&p);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_esp_round_trip_of_all_lengths),
		TEST(test_esp_round_trip_through_the_reference_engine),
		TEST(test_esp_reference_engine_is_opened_by_the_fast_one),
		TEST(test_esp_outer_header),
		TEST(test_esp_udp_header),
		TEST(test_esp_sequence_and_iv_on_the_wire),
		TEST(test_esp_ivs_are_distinct),
		TEST(test_esp_ivs_of_two_lives_do_not_meet),
		TEST(test_esp_burst_of_several_sas),
		TEST(test_esp_burst_puts_bad_ones_last_in_order),
		TEST(test_esp_chained_packet_is_joined),
		TEST(test_esp_path_swap_changes_the_outer_header_only),
		TEST(test_esp_ecn_follows_rfc6040),
		TEST(test_esp_reordering_inside_the_window),
		TEST(test_esp_trailing_flow_padding_is_cut),
		TEST(test_esp_link_padding_behind_the_outer_packet_is_ignored),
		TEST(test_esp_outer_ip_options_are_skipped),
	};

	rig_eal();
	return test_main("ipsec_esp", tests, ARRAY_LEN(tests), argc, argv);
}
