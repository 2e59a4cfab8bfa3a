/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that ESP must refuse: each case ends in its own drop reason, counted once on the SA, and changes nothing
 * else. The pool is counted at each end: no mbuf is lost or freed. */
#include "harness.h"
#include "refusal.h"

static struct rte_mbuf *sealed4(struct rig_pair *p, uint16_t inner_bytes)
{
	const struct rig_options o = { 0 };

	return sealed(p, &o, inner_bytes);
}

static void test_esp_drops_bit_flip_anywhere(void)
{
	static const struct rig_options kinds[] = { { 0 }, { .key_bits = 256, .esn = true, .replay_window = 1024 } };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct rig_pair p;
		rig_pair_open(&p, &kinds[k]);
		struct rte_mbuf *good = sealed4(&p, 77);
		/* from the sequence number to the last byte of the ICV; the SPI is the look-up's business */
		for (uint32_t bit = 24 * 8; bit < good->data_len * 8u; bit++) {
			struct rte_mbuf *m = rig_copy(good);
			rte_pktmbuf_mtod(m, uint8_t *)[bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* sequence 1 ^ 1 is 0, which is never valid */
			bool zero = bit / 8 == 27 && bit % 8 == 0;
			CU_ASSERT_TRUE(refused(&p, m, zero ? DROP_REPLAYED : DROP_BAD_ICV));
		}
		/* the original still gets in */
		CU_ASSERT_EQUAL(rig_in(&p, good), DROP_NONE);
		rte_pktmbuf_free(good);
		rig_pair_close(&p);
	}
}

static void test_esp_drops_other_key(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p, q;
	struct rte_mbuf *m;

	rig_pair_open(&p, &o);
	rig_pair_open(&q, &o);
	/* the same key but another salt */
	q.out->salt ^= 1;
	m = sealed4(&q, 100);
	CU_ASSERT_TRUE(refused(&p, m, DROP_BAD_ICV));
	rig_pair_close(&p);
	rig_pair_close(&q);
}

static void test_esp_drops_esn_without_and_without_esn(void)
{
	const struct rig_options with = { .esn = true }, without = { 0 };
	struct rig_pair p, q;

	rig_pair_open(&p, &with);
	rig_pair_open(&q, &without);
	CU_ASSERT_TRUE(refused(&p, sealed4(&q, 100), DROP_BAD_ICV));
	CU_ASSERT_TRUE(refused(&q, sealed4(&p, 100), DROP_BAD_ICV));
	rig_pair_close(&p);
	rig_pair_close(&q);
}

static void test_esp_drops_wrong_high_half(void)
{
	const struct rig_options o = { .esn = true, .sequence = 0x500000000 };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	/* the low half is next in turn, but it was sealed 2^32 packets ago */
	const uint8_t payload[24] = { 0x45 };
	CU_ASSERT_TRUE(refused(&p, rig_seal(&p, 0x400000001, payload, sizeof(payload)), DROP_BAD_ICV));
	rig_pair_close(&p);
}

static void test_esp_drops_replay(void)
{
	static const struct rig_options kinds[] = { { 0 }, { .esn = true, .sequence = 0xfffffff0 } };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct rte_mbuf *m[100];
		struct rig_pair p;
		rig_pair_open(&p, &kinds[k]);
		for (int i = 0; i < 100; i++) {
			m[i] = sealed4(&p, 100);
			if (i == 0 || i == 20)
				continue;
			struct rte_mbuf *copy = rig_copy(m[i]);
			CU_ASSERT_EQUAL(rig_in(&p, copy), DROP_NONE);
			rte_pktmbuf_free(copy);
		}
		CU_ASSERT_TRUE(refused(&p, m[0], kinds[k].esn ? DROP_BAD_ICV : DROP_TOO_OLD));
		for (int i = 1; i < 100; i++) {
			/* with ESN, left of the window means 2^32 later, and that is not what was sealed */
			enum drop_reason old = kinds[k].esn ? DROP_BAD_ICV : DROP_TOO_OLD;
			CU_ASSERT_TRUE(refused(&p, m[i], i < 36 ? old : DROP_REPLAYED));
		}
		rig_pair_close(&p);
	}
}

static void test_esp_drops_copies_in_one_burst(void)
{
	const struct rig_options o = { 0 };
	struct burst_item items[8];
	struct rig_pair p;
	struct rte_mbuf *m;

	rig_pair_open(&p, &o);
	m = sealed4(&p, 100);
	for (int i = 0; i < 8; i++)
		items[i] = (struct burst_item){ .m = rig_copy(m), .sa = p.in };
	CU_ASSERT_EQUAL(burst_in(p.in_worker, items, 8), 1);
	CU_ASSERT_EQUAL(rig_drops(p.in, DROP_REPLAYED), 7);
	for (int i = 0; i < 8; i++)
		rte_pktmbuf_free(items[i].m);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_drops_forged_sequence_does_not_move_the_window(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;
	struct rte_mbuf *forged, *m;

	rig_pair_open(&p, &o);
	m = sealed4(&p, 100);
	forged = rig_copy(m);
	store_be32(rte_pktmbuf_mtod_offset(forged, uint8_t *, 24), 0xfffffff0);
	CU_ASSERT_TRUE(refused(&p, forged, DROP_BAD_ICV));
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_drops_every_truncation(void)
{
	static const struct rig_options kinds[] = { { 0 }, { .udp = true } };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct rig_pair p;
		rig_pair_open(&p, &kinds[k]);
		struct rte_mbuf *good = sealed4(&p, 60);
		uint16_t least = (kinds[k].udp ? 28 : 20) + 8 + 8 + 2 + 16;
		for (uint16_t len = 0; len < good->data_len; len++) {
			/* with the lengths as they were */
			struct rte_mbuf *m = rig_mbuf(rte_pktmbuf_mtod(good, void *), len);
			CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
			/* and with lengths that fit */
			m = rig_mbuf(rte_pktmbuf_mtod(good, void *), len);
			if (len >= 20)
				rig_length_fit(m);
			enum drop_reason why = len < least ? DROP_SHORT : (len % 4) ? DROP_LENGTH : DROP_BAD_ICV;
			CU_ASSERT_TRUE(refused(&p, m, why));
		}
		rte_pktmbuf_free(good);
		rig_pair_close(&p);
	}
}

static void test_esp_drops_lying_lengths(void)
{
	const struct rig_options o = { .udp = true };
	struct rig_pair p;
	struct rte_mbuf *good, *m;

	rig_pair_open(&p, &o);
	good = sealed4(&p, 60);
	for (uint8_t ihl = 0; ihl < 5; ihl++) {
		m = rig_copy(good);
		rte_pktmbuf_mtod(m, uint8_t *)[0] = 0x40 | ihl;
		CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
	}
	for (uint16_t udp = 0; udp < 8 + 34; udp++) {
		m = rig_copy(good);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 24), udp);
		CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
	}
	m = rig_copy(good); /* UDP longer than the IP packet around it */
	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 24), (uint16_t)(good->data_len - 19));
	CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
	m = rig_copy(good);
	rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *)->total_length = RTE_BE16(0xffff);
	CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
	/* options up to beyond the end */
	m = rig_copy(good);
	rte_pktmbuf_mtod(m, uint8_t *)[0] = 0x4f;
	rte_pktmbuf_trim(m, (uint16_t)(m->data_len - 61));
	rig_length_fit(m);
	CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
	rte_pktmbuf_free(good);
	rig_pair_close(&p);
}

static void test_esp_drops_encapsulation_that_does_not_fit(void)
{
	const struct rig_options raw = { 0 }, udp = { .udp = true }, both = { .natt = true };
	struct rig_pair p, q, r;
	struct rte_mbuf *m;

	rig_pair_open(&p, &raw);
	rig_pair_open(&q, &udp);
	rig_pair_open(&r, &both);
	CU_ASSERT_TRUE(refused(&p, sealed4(&q, 100), DROP_ENCAP));
	CU_ASSERT_TRUE(refused(&q, sealed4(&p, 100), DROP_ENCAP));
	/* with NAT traversal either form is right */
	m = sealed4(&p, 100);
	CU_ASSERT_EQUAL(rig_in(&r, m), DROP_NONE);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(sealed4(&q, 100)); /* that sequence number was just used */
	m = sealed4(&q, 100);
	CU_ASSERT_EQUAL(rig_in(&r, m), DROP_NONE);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
	rig_pair_close(&q);
	rig_pair_close(&r);
}

/* A payload: an inner packet of inner_bytes, then a trailer. */
static uint16_t payload_build(uint8_t *data, uint16_t inner_bytes, uint8_t pad, uint8_t next_header)
{
	struct rte_mbuf *m = rig_packet(inner_bytes, 0);

	memcpy(data, rte_pktmbuf_mtod(m, void *), inner_bytes);
	rte_pktmbuf_free(m);
	for (int i = 0; i < pad; i++)
		data[inner_bytes + i] = (uint8_t)(i + 1);
	data[inner_bytes + pad] = pad;
	data[inner_bytes + pad + 1] = next_header;
	return (uint16_t)(inner_bytes + pad + 2);
}

static void test_esp_drops_padding(void)
{
	const struct rig_options o = { 0 };
	uint8_t data[600];
	uint64_t sequence = 0;
	struct rig_pair p;
	uint16_t len;

	rig_pair_open(&p, &o);
	/* 255 bytes of right padding are fine */
	len = payload_build(data, 31, 255, 4);
	struct rte_mbuf *m = rig_seal(&p, ++sequence, data, len);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_EQUAL(m->data_len, 31);
	rte_pktmbuf_free(m);
	/* any wrong byte of them is not */
	for (int i = 0; i < 255; i++) {
		payload_build(data, 31, 255, 4);
		data[31 + i] ^= 0x10;
		CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, DROP_BAD_PAD));
	}
	/* a pad length beyond the payload */
	for (int pad = 23; pad < 256; pad++) {
		len = payload_build(data, 20, 2, 4);
		data[len - 2] = (uint8_t)pad;
		CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, DROP_BAD_PAD));
	}
	rig_pair_close(&p);
}

static void test_esp_drops_next_headers(void)
{
	const struct rig_options o = { 0 };
	uint64_t sequence = 0;
	uint8_t data[100];
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int next = 0; next < 256; next++) {
		uint16_t len = payload_build(data, 60, 2, (uint8_t)next);
		/* IPv6 it may be, but it is not */
		enum drop_reason reason = next == 59 ? DROP_DUMMY : next == 41 ? DROP_INNER_HEADER : DROP_NEXT_HEADER;
		if (next != 4)
			CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, reason));
	}
	/* a dummy needs no contents at all (RFC 4303 2.6) */
	const uint8_t dummy[4] = { 1, 2, 2, 59 };
	CU_ASSERT_TRUE(refused_inside(&p, ++sequence, dummy, 4, DROP_DUMMY));
	rig_pair_close(&p);
}

static void test_esp_drops_inner_headers(void)
{
	const struct rig_options o = { 0 };
	uint64_t sequence = 0;
	uint8_t data[100];
	struct rig_pair p;
	uint16_t len;

	rig_pair_open(&p, &o);
	for (uint16_t inner = 2; inner < 20; inner += 4) {
		len = payload_build(data, 22, 0, 4);
		memmove(data + inner, data + 22, 2);
		CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, inner + 2, DROP_INNER_HEADER));
	}
	for (int version = 0; version < 16; version++)
		for (int ihl = 0; ihl < 16; ihl++) {
			len = payload_build(data, 38, 0, 4);
			data[0] = (uint8_t)(version << 4 | ihl);
			if (version != 4 || ihl < 5 || ihl * 4 > 38)
				CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, DROP_INNER_HEADER));
		}
	static const uint16_t totals[] = { 0, 19, 39, 40, 0xffff };
	for (size_t i = 0; i < ARRAY_LEN(totals); i++) {
		len = payload_build(data, 38, 0, 4);
		store_be16(data + 2, totals[i]);
		CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, DROP_INNER_HEADER));
	}
	rig_pair_close(&p);
}

static void test_esp_drops_selectors(void)
{
	const struct rig_options o = { 0 };
	uint64_t sequence = 0;
	uint8_t data[100];
	struct rig_pair p;

	rig_pair_open(&p, &o);
	/* source and destination, one step outside each end */
	static const uint32_t sources[] = { 0x0a00ffff, 0x0a020000, 0, UINT32_MAX };
	static const uint32_t destinations[] = { 0x0a01ffff, 0x0a030000, 0, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		uint16_t len = payload_build(data, 38, 0, 4);
		store_be32(data + 12, sources[i]);
		CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, DROP_SELECTOR_IN));
		payload_build(data, 38, 0, 4);
		store_be32(data + 16, destinations[i]);
		CU_ASSERT_TRUE(refused_inside(&p, ++sequence, data, len, DROP_SELECTOR_IN));
	}
	rig_pair_close(&p);
}

/* Inner packets against selectors with protocol and ports. mangle: applied to the payload. */
static enum drop_reason with_selectors(const char *local, const char *remote, void (*mangle)(uint8_t *payload))
{
	const struct rig_options o = { .local = local, .remote = remote };
	struct rig_pair p;
	uint8_t data[100];
	uint16_t len = payload_build(data, 58, 0, 4);
	enum drop_reason reason;

	if (mangle)
		mangle(data);
	rig_pair_open(&p, &o);
	struct rte_mbuf *m = rig_seal(&p, 1, data, len);
	reason = rig_in(&p, m);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
	return reason;
}

static void make_fragment(uint8_t *payload)
{
	payload[7] = 5;
}

static void make_first_fragment(uint8_t *payload)
{
	payload[6] = 0x20;
}

static void make_tcp(uint8_t *payload)
{
	payload[9] = IPPROTO_TCP;
}

static void make_short_udp(uint8_t *payload)
{
	payload[3] = 23;
}

static void make_echo(uint8_t *payload)
{
	payload[9] = IPPROTO_ICMP;
	payload[20] = 8;
	payload[21] = 0;
}

/* RFC 4301 6.2: from a router that no selector names, about UDP 2000 to 1000 that we sent the other way. */
static void make_error(uint8_t *payload)
{
	static const uint8_t quoted[28] = { 0x45, 0, 0, 60, [9] = IPPROTO_UDP, [12] = 10, 2, 0, 7, 10, 1, 0, 5,
		2000 >> 8, 2000 & 0xff, 1000 >> 8, 1000 & 0xff };

	store_be16(payload + 2, 56);
	payload[9] = IPPROTO_ICMP;
	store_be32(payload + 12, 0xac100001);
	memset(payload + 20, 0, 8);
	payload[20] = 11;
	memcpy(payload + 28, quoted, sizeof(quoted));
}

static void make_query(uint8_t *payload)
{
	make_error(payload);
	payload[20] = 8;
}

static void make_error_about_others(uint8_t *payload)
{
	make_error(payload);
	payload[28 + 19] = 6;
	payload[28 + 17] = 9;
}

/* The quoted packet was not sent by whom this is for. */
static void make_error_for_another(uint8_t *payload)
{
	make_error(payload);
	payload[19] = 8;
}

static void make_error_about_tcp(uint8_t *payload)
{
	make_error(payload);
	payload[28 + 9] = IPPROTO_TCP;
}

static void test_esp_drops_icmp_errors_but_about_its_own_traffic(void)
{
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16", "10.2.0.0/16", make_error), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp/1000]", "10.2.0.0/16[udp/2000]", make_error), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp/1001]", "10.2.0.0/16[udp]", make_error), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp]", make_error_about_tcp), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16", "10.2.0.0/16", make_query), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16", "10.2.0.0/16", make_error_about_others), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16", "10.2.0.0/16", make_error_for_another), DROP_SELECTOR_IN);
}

static void test_esp_drops_protocol_and_port_selectors(void)
{
	/* the sending end is local here: port 1000 there, 2000 at the far end */
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp/1000]", "10.2.0.0/16[udp/2000]", NULL), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp/1999-2001]", NULL), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp/1001]", "10.2.0.0/16[udp]", NULL), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp/1000]", NULL), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp]", make_tcp), DROP_SELECTOR_IN);
	/* of fragments only the addresses: whoever puts them together asks for the ports of the whole */
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp/2000]", make_first_fragment), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp/2000]", make_fragment), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.3.0.0/16[udp/2000]", make_fragment), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.3.0.0/16[udp/1000]", "10.2.0.0/16", make_fragment), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp]", make_fragment), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp/opaque]", "10.2.0.0/16[udp/opaque]", make_fragment), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp/opaque]", "10.2.0.0/16[udp/opaque]", NULL), DROP_SELECTOR_IN);
	/* no room for ports */
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[udp]", "10.2.0.0/16[udp/2000]", make_short_udp), DROP_SELECTOR_IN);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[icmp/8]", "10.2.0.0/16", make_echo), DROP_NONE);
	CU_ASSERT_EQUAL(with_selectors("10.1.0.0/16[icmp/0/0]", "10.2.0.0/16", make_echo), DROP_SELECTOR_IN);
}

static void test_esp_drops_no_headroom(void)
{
	const struct rig_options o = { .udp = true };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (uint16_t headroom = 0; headroom <= 44; headroom += 4) {
		struct rte_mbuf *m = rig_packet(100, 0);
		memmove((uint8_t *)m->buf_addr + headroom, rte_pktmbuf_mtod(m, void *), 100);
		m->data_off = headroom;
		if (headroom < 44) {
			CU_ASSERT_TRUE(refused_out(&p, m, DROP_NO_HEADROOM));
			continue;
		}
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
	}
	rig_pair_close(&p);
}

static void test_esp_drops_no_tailroom(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	/* 4096 bytes of room: with a multiple of 4 and 2 the trailer needs 18 to 21 */
	for (uint16_t len = RIG_ROOM - 24; len <= RIG_ROOM; len++) {
		struct rte_mbuf *m = rig_packet(1000, 0);
		rte_pktmbuf_append(m, (uint16_t)(len - 1000));
		uint16_t pad = (uint16_t)(-(len + 2u) & 3);
		enum drop_reason reason = rig_out(&p, m);
		CU_ASSERT_EQUAL(reason, len + pad + 18 > RIG_ROOM ? DROP_NO_HEADROOM : DROP_NONE);
		if (reason)
			CU_ASSERT_EQUAL(m->data_len, len);
		rte_pktmbuf_free(m);
	}
	CU_ASSERT(rig_drops(p.out, DROP_NO_HEADROOM) > 0);
	rig_pair_close(&p);
}

static void test_esp_drops_chain_that_cannot_be_joined(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;
	struct rte_mbuf *m, *tail;

	rig_pair_open(&p, &o);
	m = rig_packet(3000, 0);
	tail = rig_packet(3000, 0);
	CU_ASSERT_EQUAL(rte_pktmbuf_chain(m, tail), 0);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_CHAINED);
	CU_ASSERT_EQUAL(rig_drops(p.out, DROP_CHAINED), 1);
	CU_ASSERT_TRUE(refused(&p, m, DROP_CHAINED));
	rig_pair_close(&p);
}

static void test_esp_drops_after_the_last_sequence(void)
{
	const struct rig_options o = { .sequence = UINT32_MAX - 2 };
	struct sa_stats s;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 5; i++) {
		struct rte_mbuf *m = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), i < 2 ? DROP_NONE : DROP_SEQUENCE);
		if (i < 2)
			CU_ASSERT_EQUAL(
				load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 24)), UINT32_MAX - 1 + (uint32_t)i);
		rte_pktmbuf_free(m);
	}
	sa_stats_read(p.out, &s);
	CU_ASSERT_EQUAL(s.sequence, UINT32_MAX);
	CU_ASSERT_EQUAL(s.drops[DROP_SEQUENCE], 3);
	CU_ASSERT_EQUAL(s.flags, SA_SEQUENCE_END | SA_SOFT_EXPIRED);
	/* acknowledged or not, it stays at its end */
	sa_flags_acknowledge(p.out, s.flags);
	struct rte_mbuf *m = rig_packet(100, 0);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_SEQUENCE);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_drops_after_the_last_extended_sequence(void)
{
	const struct rig_options o = { .esn = true, .sequence = UINT64_MAX - 1 };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 3; i++) {
		struct rte_mbuf *m = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), i < 1 ? DROP_NONE : DROP_SEQUENCE);
		rte_pktmbuf_free(m);
	}
	rig_pair_close(&p);
}

static void test_esp_drops_hard_packet_limit(void)
{
	const struct rig_options o = { .lifetime_out = { .soft_packets = 3, .hard_packets = 5 } };
	struct sa_stats s;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 8; i++) {
		struct rte_mbuf *m = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), i < 5 ? DROP_NONE : DROP_EXPIRED);
		rte_pktmbuf_free(m);
		sa_stats_read(p.out, &s);
		CU_ASSERT_EQUAL(!!(s.flags & SA_SOFT_EXPIRED), i >= 3);
		CU_ASSERT_EQUAL(!!(s.flags & SA_HARD_EXPIRED), i >= 5);
	}
	CU_ASSERT_EQUAL(s.packets, 5);
	CU_ASSERT_EQUAL(s.sequence, 5);
	CU_ASSERT_EQUAL(s.drops[DROP_EXPIRED], 3);
	rig_pair_close(&p);
}

static void test_esp_drops_hard_byte_limit(void)
{
	const struct rig_options o = { .lifetime_out = { .soft_bytes = 250, .hard_bytes = 450 } };
	struct sa_stats s;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 6; i++) {
		struct rte_mbuf *m = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), i < 4 ? DROP_NONE : DROP_EXPIRED);
		rte_pktmbuf_free(m);
		sa_stats_read(p.out, &s);
		CU_ASSERT_EQUAL(!!(s.flags & SA_SOFT_EXPIRED), i >= 2);
	}
	CU_ASSERT_EQUAL(s.bytes, 400);
	/* over is over, also for what would still fit */
	struct rte_mbuf *m = rig_packet(50, 0);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_EXPIRED);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_esp_drops_inbound_hard_limit(void)
{
	const struct rig_options o = { .lifetime_in = { .soft_packets = 2, .hard_packets = 4 } };
	struct sa_stats s;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 6; i++) {
		struct rte_mbuf *m = rig_packet(100, 0);
		CU_ASSERT_EQUAL(rig_through(&p, m), i < 4 ? DROP_NONE : DROP_EXPIRED);
		rte_pktmbuf_free(m);
	}
	sa_stats_read(p.in, &s);
	CU_ASSERT_EQUAL(s.packets, 4);
	CU_ASSERT_EQUAL(s.flags, SA_SOFT_EXPIRED | SA_HARD_EXPIRED);
	rig_pair_close(&p);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_esp_drops_bit_flip_anywhere),
		TEST(test_esp_drops_other_key),
		TEST(test_esp_drops_esn_without_and_without_esn),
		TEST(test_esp_drops_wrong_high_half),
		TEST(test_esp_drops_replay),
		TEST(test_esp_drops_copies_in_one_burst),
		TEST(test_esp_drops_forged_sequence_does_not_move_the_window),
		TEST(test_esp_drops_every_truncation),
		TEST(test_esp_drops_lying_lengths),
		TEST(test_esp_drops_encapsulation_that_does_not_fit),
		TEST(test_esp_drops_padding),
		TEST(test_esp_drops_next_headers),
		TEST(test_esp_drops_inner_headers),
		TEST(test_esp_drops_selectors),
		TEST(test_esp_drops_icmp_errors_but_about_its_own_traffic),
		TEST(test_esp_drops_protocol_and_port_selectors),
		TEST(test_esp_drops_no_headroom),
		TEST(test_esp_drops_no_tailroom),
		TEST(test_esp_drops_chain_that_cannot_be_joined),
		TEST(test_esp_drops_after_the_last_sequence),
		TEST(test_esp_drops_after_the_last_extended_sequence),
		TEST(test_esp_drops_hard_packet_limit),
		TEST(test_esp_drops_hard_byte_limit),
		TEST(test_esp_drops_inbound_hard_limit),
	};

	rig_eal();
	return test_main("ipsec_esp_drops", tests, ARRAY_LEN(tests), argc, argv);
}
