/* SPDX-License-Identifier: BSD-3-Clause */
/* The header in front of ESP and AH: what the path's rules take from the inner one (RFC 4301 5.1.2.1, RFC 6040),
 * checksums, how congestion marks come back, traffic flow padding, the MTU that is left, where ESP and AH go among IPv6
 * extension headers, and paths that change while packets flow. */
#include "harness.h"
#include "refusal.h"

/* Inner and outer family, ESP or AH. */
static const struct form {
	bool ah, outer6, inner6;
} forms[] = {
	{ false, false, false },
	{ false, false, true },
	{ false, true, false },
	{ false, true, true },
	{ true, false, false },
	{ true, false, true },
	{ true, true, false },
	{ true, true, true },
};

static struct rig_options options_of(const struct form *f)
{
	struct rig_options o = rig_suite(f->ah ? NULL : "null", "sha1");

	o.outer6 = f->outer6;
	o.inner6 = f->inner6;
	return o;
}

/* ---- fields of an IP header of either family ---- */

static uint8_t tos_of(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? (uint8_t)(load_be16(ip) >> 4) : ip[1];
}

static uint8_t ttl_of(const uint8_t *ip)
{
	return ip[ip[0] >> 4 == 6 ? 7 : 8];
}

static uint32_t label_of(const uint8_t *ip)
{
	return load_be32(ip) & 0xfffff;
}

static void tos_set(uint8_t *ip, uint8_t tos)
{
	if (ip[0] >> 4 == 6) {
		ip[0] = (uint8_t)(0x60 | tos >> 4);
		ip[1] = (uint8_t)(tos << 4 | (ip[1] & 15));
		return;
	}
	ip[1] = tos;
	rig_checksum((struct rte_ipv4_hdr *)ip);
}

static void ttl_set(uint8_t *ip, uint8_t ttl)
{
	ip[ip[0] >> 4 == 6 ? 7 : 8] = ttl;
	if (ip[0] >> 4 == 4)
		rig_checksum((struct rte_ipv4_hdr *)ip);
}

static void label_set(uint8_t *ip, uint32_t label)
{
	store_be32(ip, (load_be32(ip) & 0xfff00000) | label);
}

static void df_set(uint8_t *ip, bool df)
{
	ip[6] = df ? 0x40 : 0;
	rig_checksum((struct rte_ipv4_hdr *)ip);
}

/* Ones' complement sum, as RFC 1071 says it in words. */
static uint16_t naive_sum(const uint8_t *data, size_t bytes, uint64_t sum)
{
	for (size_t i = 0; i < bytes; i++)
		sum += i % 2 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Lengths and IPv4 checksum of what goes out. */
static bool header_sound(const struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);

	if (m->nb_segs != 1 || m->pkt_len != m->data_len)
		return false;
	if (ip[0] >> 4 == 6)
		return load_be16(ip + 4) == m->data_len - 40;
	return load_be16(ip + 2) == m->data_len && naive_sum(ip, (size_t)(ip[0] & 15) * 4, 0) == 0xffff;
}

/* ---- rules of the outer header ---- */

/* One packet, changed by `change`, through a pair; its outer header. True when it is sound and the packet comes back as
 * it went. */
static bool outer_of(struct rig_pair *p, const struct rig_options *o, void (*change)(uint8_t *inner, uint32_t value),
	uint32_t value, uint8_t *ret_outer)
{
	struct rte_mbuf *m = rig_packet_for(o, 100, 1), *sent;

	change(rte_pktmbuf_mtod(m, uint8_t *), value);
	sent = rig_copy(m);
	bool sound = rig_out(p, m) == DROP_NONE && header_sound(m);
	memcpy(ret_outer, rte_pktmbuf_mtod(m, void *), 40);
	sound &= accepted(p, m, sent);
	rte_pktmbuf_free(sent);
	return sound;
}

static void change_tos(uint8_t *inner, uint32_t value)
{
	tos_set(inner, (uint8_t)value);
}

static void change_ttl(uint8_t *inner, uint32_t value)
{
	ttl_set(inner, (uint8_t)value);
}

static void change_df(uint8_t *inner, uint32_t value)
{
	if (inner[0] >> 4 == 4)
		df_set(inner, value);
}

static void change_label(uint8_t *inner, uint32_t value)
{
	if (inner[0] >> 4 == 6)
		label_set(inner, value);
}

static void with_rules(const struct form *f, const struct header_rules *rules, struct rig_options *ret_options,
	struct rig_pair *ret_pair)
{
	*ret_options = options_of(f);
	ret_options->header = *rules;
	rig_pair_open(ret_pair, ret_options);
}

static void test_headers_dscp_and_ecn(void)
{
	static const struct {
		struct header_rules rules;
		uint8_t keep, set; /* outer = inner & keep | set */
	} rows[] = {
		{ { .ecn_clear = false }, 0xff, 0 },
		{ { .ecn_clear = true }, 0xfc, 0 },
		{ { .dscp_set = true, .dscp = 46 }, 0x03, 46 << 2 },
		{ { .dscp_set = true, .dscp = 0 }, 0x03, 0 },
		{ { .dscp_set = true, .dscp = 63, .ecn_clear = true }, 0, 0xfc },
	};

	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct rig_options o;
			struct rig_pair p;
			uint8_t outer[40];
			unsigned wrong = 0;

			with_rules(&forms[f], &rows[i].rules, &o, &p);
			for (uint32_t tos = 0; tos < 256; tos++) {
				wrong += !outer_of(&p, &o, change_tos, tos, outer);
				wrong += tos_of(outer) != ((tos & rows[i].keep) | rows[i].set);
			}
			CU_ASSERT_EQUAL(wrong, 0);
			rig_pair_close(&p);
		}
}

static void test_headers_ttl(void)
{
	static const struct {
		struct header_rules rules;
		uint8_t fixed; /* 0: as inside */
	} rows[] = {
		{ { .ttl = 0 }, 64 },
		{ { .ttl = 255 }, 255 },
		{ { .ttl = 1 }, 1 },
		{ { .ttl_copy = true }, 0 },
		{ { .ttl_copy = true, .ttl = 9 }, 0 },
	};

	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct rig_options o;
			struct rig_pair p;
			uint8_t outer[40];
			unsigned wrong = 0;

			with_rules(&forms[f], &rows[i].rules, &o, &p);
			for (uint32_t ttl = 0; ttl < 256; ttl += 5) {
				wrong += !outer_of(&p, &o, change_ttl, ttl, outer);
				wrong += ttl_of(outer) != (rows[i].fixed ? rows[i].fixed : ttl);
			}
			CU_ASSERT_EQUAL(wrong, 0);
			rig_pair_close(&p);
		}
}

/* RFC 4301 8.1; no router fragments IPv6, so that counts as DF. */
static void test_headers_df(void)
{
	static const struct {
		uint8_t rule;
		bool clear4, set4, from6; /* of an inner IPv4 header without and with DF, of an inner IPv6 header */
	} rows[] = {
		{ DF_COPY, false, true, true },
		{ DF_SET, true, true, true },
		{ DF_CLEAR, false, false, false },
	};

	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		for (size_t i = 0; i < ARRAY_LEN(rows) && !forms[f].outer6; i++)
			for (int df = 0; df < 2; df++) {
				const struct header_rules rules = { .df = rows[i].rule };
				bool expected = forms[f].inner6 ? rows[i].from6 : df ? rows[i].set4 : rows[i].clear4;
				struct rig_options o;
				struct rig_pair p;
				uint8_t outer[40];

				with_rules(&forms[f], &rules, &o, &p);
				CU_ASSERT_TRUE(outer_of(&p, &o, change_df, df, outer));
				CU_ASSERT_EQUAL(load_be16(outer + 6), expected ? 0x4000 : 0);
				rig_pair_close(&p);
			}
}

static void test_headers_flow_label(void)
{
	static const uint32_t labels[] = { 0, 1, 0x12345, 0xfffff };
	static const struct {
		struct header_rules rules;
		bool copied;
		uint32_t fixed;
	} rows[] = {
		{ { .flow_label = 0 }, false, 0 },
		{ { .flow_label = 0xabcde }, false, 0xabcde },
		{ { .flow_label_copy = true }, true, 0 },
		{ { .flow_label_copy = true, .flow_label = 7 }, true, 0 },
	};

	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		for (size_t i = 0; i < ARRAY_LEN(rows) && forms[f].outer6; i++) {
			struct rig_options o;
			struct rig_pair p;
			uint8_t outer[40];

			with_rules(&forms[f], &rows[i].rules, &o, &p);
			for (size_t k = 0; k < ARRAY_LEN(labels); k++) {
				bool taken = rows[i].copied && forms[f].inner6;
				CU_ASSERT_TRUE(outer_of(&p, &o, change_label, labels[k], outer));
				CU_ASSERT_EQUAL(label_of(outer), taken ? labels[k] : rows[i].fixed);
			}
			rig_pair_close(&p);
		}
}

static void test_headers_addresses_and_protocol(void)
{
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		const struct header_rules rules = { 0 };
		uint8_t outer[40], size = forms[f].outer6 ? 16 : 4, source = forms[f].outer6 ? 8 : 12;
		struct rig_options o;
		struct rig_pair p;
		struct addr left, right;

		with_rules(&forms[f], &rules, &o, &p);
		addr_parse(forms[f].outer6 ? RIG_LEFT6 : RIG_LEFT4, &left);
		addr_parse(forms[f].outer6 ? RIG_RIGHT6 : RIG_RIGHT4, &right);
		CU_ASSERT_TRUE(outer_of(&p, &o, change_df, 0, outer));
		CU_ASSERT_EQUAL(memcmp(outer + source, left.bytes, size), 0);
		CU_ASSERT_EQUAL(memcmp(outer + source + size, right.bytes, size), 0);
		CU_ASSERT_EQUAL(outer[forms[f].outer6 ? 6 : 9], forms[f].ah ? IPPROTO_AH : IPPROTO_ESP);
		CU_ASSERT_EQUAL(outer[0] >> 4, forms[f].outer6 ? 6 : 4);
		rig_pair_close(&p);
	}
}

/* RFC 791: fragments of two packets must not be taken for one's; the identification changes from packet to packet. */
static void test_headers_ipv4_identification(void)
{
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		const struct header_rules rules = { .df = DF_CLEAR };
		static bool seen[UINT16_MAX + 1];
		struct rig_options o;
		struct rig_pair p;
		unsigned twice = 0;

		if (forms[f].outer6)
			continue;
		memset(seen, 0, sizeof(seen));
		with_rules(&forms[f], &rules, &o, &p);
		for (int i = 0; i <= UINT16_MAX; i++) {
			struct rte_mbuf *m = rig_packet_for(&o, 40, 0);
			CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
			uint16_t id = load_be16(rte_pktmbuf_mtod_offset(m, const uint8_t *, 4));
			twice += seen[id];
			seen[id] = true;
			rte_pktmbuf_free(m);
		}
		CU_ASSERT_EQUAL(twice, 0);
		rig_pair_close(&p);
	}
}

/* ---- congestion marks on the way out of the tunnel ---- */

#define DROPPED 4

/* RFC 6040 figure 4, read row by row: what arrives inside, then outside. */
static const uint8_t decapsulated[4][4] = {
	/* outer: Not-ECT, ECT(1), ECT(0), CE */
	[0] = { 0, 0, 0, DROPPED },
	[1] = { 1, 1, 1, 3 },
	[2] = { 2, 1, 2, 3 },
	[3] = { 3, 3, 3, 3 },
};

static unsigned ecn_wrong(struct rig_pair *p, const struct rig_options *o, uint8_t inner, uint8_t outer)
{
	struct rte_mbuf *m = rig_packet_for(o, 100, 1), *expected;
	uint8_t left = decapsulated[inner][outer];
	bool wrong;

	tos_set(rte_pktmbuf_mtod(m, uint8_t *), 0xb8 | inner);
	expected = rig_copy(m);
	tos_set(rte_pktmbuf_mtod(expected, uint8_t *), 0xb8 | (left & 3));
	wrong = rig_out(p, m) != DROP_NONE;
	/* the outer DSCP is not taken over */
	tos_set(rte_pktmbuf_mtod(m, uint8_t *), 0x20 | outer);
	if (left == DROPPED)
		wrong |= !refused_authentic(p, m, sa_sequence(p->out), DROP_ECN);
	else
		wrong |= !accepted(p, m, expected);
	rte_pktmbuf_free(expected);
	return wrong;
}

static void test_headers_ecn_decapsulation(void)
{
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		const struct rig_options o = options_of(&forms[f]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		for (uint8_t inner = 0; inner < 4; inner++)
			for (uint8_t outer = 0; outer < 4; outer++)
				CU_ASSERT_EQUAL(ecn_wrong(&p, &o, inner, outer), 0);
		rig_pair_close(&p);
	}
}

/* In transport mode the outer header is the only one: the mark stays on it. */
static void test_headers_ecn_in_transport_mode(void)
{
	for (int bits = 0; bits < 4; bits++) {
		struct rig_options o = rig_suite(bits & 1 ? "null" : NULL, "sha1");
		struct rig_pair p;

		o.transport = true;
		o.outer6 = bits & 2;
		rig_pair_open(&p, &o);
		for (uint8_t tos = 0; tos < 255; tos++) {
			struct rte_mbuf *m = sealed(&p, &o, 100), *expected = rig_packet_for(&o, 100, 100);
			tos_set(rte_pktmbuf_mtod(m, uint8_t *), tos);
			tos_set(rte_pktmbuf_mtod(expected, uint8_t *), tos);
			CU_ASSERT_TRUE(accepted(&p, m, expected));
			rte_pktmbuf_free(expected);
		}
		rig_pair_close(&p);
	}
}

/* ---- UDP ---- */

/* RFC 8200 8.1. */
static bool udp6_checksum_right(const uint8_t *ip, uint16_t offset, uint16_t bytes)
{
	uint8_t pseudo[40] = { 0 };

	memcpy(pseudo, ip + 8, 32);
	store_be32(pseudo + 32, bytes);
	pseudo[39] = IPPROTO_UDP;
	return naive_sum(ip + offset, bytes, naive_sum(pseudo, sizeof(pseudo), 0)) == 0xffff;
}

static unsigned udp_wrong(const struct rte_mbuf *m, bool outer6)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t header = outer6 ? 40 : 20;
	const uint8_t *udp = ip + header;
	unsigned wrong = 0;

	wrong += ip[outer6 ? 6 : 9] != IPPROTO_UDP;
	wrong += load_be16(udp) != PORT_NATT || load_be16(udp + 2) != PORT_NATT;
	wrong += load_be16(udp + 4) != m->data_len - header;
	if (outer6)
		wrong += load_be16(udp + 6) == 0 || !udp6_checksum_right(ip, header, (uint16_t)(m->data_len - header));
	else
		wrong += load_be16(udp + 6) != 0;
	return wrong;
}

/* Every length, so that both parities and every padding are there; in bursts with packets that want none. */
static void test_headers_udp_checksum(void)
{
	for (int bits = 0; bits < 8; bits++) {
		struct rig_options o = rig_suite("aes128", "sha256");
		struct rig_pair p;
		unsigned wrong = 0;

		o.udp = true;
		o.outer6 = bits & 1;
		o.transport = bits & 2;
		o.inner6 = bits & 4;
		if (o.transport && o.inner6)
			continue;
		rig_pair_open(&p, &o);
		for (uint16_t bytes = 40; bytes < 400; bytes++) {
			struct rte_mbuf *m = sealed(&p, &o, bytes);
			wrong += !header_sound(m) + udp_wrong(m, o.outer6);
			rte_pktmbuf_free(m);
		}
		CU_ASSERT_EQUAL(wrong, 0);
		rig_pair_close(&p);
	}
}

static unsigned kind_wrong(const struct rte_mbuf *m, unsigned kind)
{
	bool outer6 = kind & 1;

	if (kind & 2)
		return udp_wrong(m, outer6);
	return rte_pktmbuf_mtod(m, const uint8_t *)[outer6 ? 6 : 9] != IPPROTO_ESP;
}

/* Only the packets that want it, and all of them, wherever they are in a burst. */
static void test_headers_udp_checksum_in_mixed_bursts(void)
{
	struct rig_options o = rig_suite("aes128gcm16", NULL);
	struct burst_item items[64];
	struct rig_pair p[4];

	for (int i = 0; i < 4; i++) {
		o.outer6 = i & 1;
		o.udp = i & 2;
		rig_pair_open(&p[i], &o);
	}
	for (uint16_t i = 0; i < 64; i++) {
		struct rte_mbuf *m = rig_packet((uint16_t)(60 + i), 0);
		/* every seventh has no headroom and never becomes an operation */
		if (i % 7 == 0)
			rte_pktmbuf_prepend(m, RIG_HEADROOM);
		items[i] = (struct burst_item){ .m = m, .sa = p[i * 5 % 4].out, .worker_data = i };
	}
	CU_ASSERT_EQUAL(burst_out(p[0].out_worker, items, 64), 54);
	for (uint16_t i = 0; i < 64; i++) {
		CU_ASSERT_EQUAL(items[i].drop, i < 54 ? DROP_NONE : DROP_NO_HEADROOM);
		CU_ASSERT_TRUE(i >= 54 || !kind_wrong(items[i].m, items[i].worker_data * 5u % 4));
		rte_pktmbuf_free(items[i].m);
	}
	for (int i = 0; i < 4; i++)
		rig_pair_close(&p[i]);
}

/* A computed sum of zero is sent as 0xffff: zero would say that there is none. */
static void test_headers_udp_checksum_is_never_zero(void)
{
	struct rig_options o = rig_suite("null", "sha1");
	struct rig_pair p;
	unsigned zero = 0, wrong = 0;

	o.udp = true;
	o.outer6 = true;
	rig_pair_open(&p, &o);
	for (int i = 0; i < 150000; i++) {
		struct rte_mbuf *m = rig_packet(24, (uint8_t)i);
		rig_out(&p, m);
		const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
		zero += load_be16(ip + 46) == 0;
		wrong += load_be16(ip + 46) == 0xffff && !udp6_checksum_right(ip, 40, (uint16_t)(m->data_len - 40));
		rte_pktmbuf_free(m);
	}
	CU_ASSERT_EQUAL(zero, 0);
	CU_ASSERT_EQUAL(wrong, 0);
	rig_pair_close(&p);
}

/* ---- traffic flow padding ---- */

/* Bytes that leave for an inner packet of these. */
static uint16_t sent_bytes(struct rig_pair *p, const struct rig_options *o, uint16_t bytes)
{
	struct rte_mbuf *m = rig_packet_for(o, bytes, 1), *sent = rig_copy(m);
	uint16_t out;

	CU_ASSERT_EQUAL(rig_out(p, m), DROP_NONE);
	CU_ASSERT_TRUE(header_sound(m));
	out = m->data_len;
	CU_ASSERT_TRUE(accepted(p, m, sent));
	rte_pktmbuf_free(sent);
	return out;
}

static const struct suite_row {
	const char *encr, *integ;
} suites[] = { { "aes128", "sha256" }, { "aes256gcm16", NULL }, { "3des", "sha1" }, { "chacha20poly1305", NULL },
	{ "null", "sha512" }, { "aes128ccm8iiv", NULL } };

static void flow_options(unsigned bits, const struct suite_row *s, uint16_t tfc_bytes, struct rig_options *ret_options)
{
	*ret_options = rig_suite(s->encr, s->integ);
	ret_options->outer6 = bits & 1;
	ret_options->inner6 = bits & 2;
	ret_options->udp = bits & 4;
	ret_options->tfc_bytes = tfc_bytes;
}

static void test_headers_flow_padding_to_a_size(void)
{
	for (unsigned bits = 0; bits < 8; bits++)
		for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
			struct rig_options plain, padded;
			struct rig_pair p, q;
			uint16_t size;

			flow_options(bits, &suites[i], 0, &plain);
			flow_options(bits, &suites[i], 700, &padded);
			rig_pair_open(&p, &plain);
			rig_pair_open(&q, &padded);
			size = sent_bytes(&p, &plain, 700);
			for (uint16_t bytes = 40; bytes <= 700; bytes += 33)
				CU_ASSERT_EQUAL(sent_bytes(&q, &padded, bytes), size);
			CU_ASSERT_EQUAL(sent_bytes(&q, &padded, 700), size);
			/* what is longer stays as it is */
			for (uint16_t bytes = 701; bytes < 1300; bytes += 97)
				CU_ASSERT_EQUAL(sent_bytes(&q, &padded, bytes), sent_bytes(&p, &plain, bytes));
			rig_pair_close(&p);
			rig_pair_close(&q);
		}
}

static void path_mtu_set(struct rig_pair *p, uint16_t mtu)
{
	sa_path_publish(p->out_ips, p->out, path_create(&sa_path(p->out)->spec, mtu, 1, 2));
	ipsec_worker_quiescent(p->out_worker);
	reclaim_poll(p->out_ips);
}

static void test_headers_flow_padding_to_the_mtu(void)
{
	static const uint16_t mtus[] = { 576, 1280, 1499, 1500, 1501, 2000 };

	for (unsigned bits = 0; bits < 8; bits++)
		for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
			struct rig_options o;
			struct rig_pair p;

			flow_options(bits, &suites[i], TFC_TO_MTU, &o);
			rig_pair_open(&p, &o);
			for (size_t k = 0; k < ARRAY_LEN(mtus); k++) {
				path_mtu_set(&p, mtus[k]);
				uint16_t most = sa_inner_mtu(p.out), size = sent_bytes(&p, &o, most);
				CU_ASSERT(size <= mtus[k] && size + RTE_MAX(o.encr->block_bytes, 4) > mtus[k]);
				for (uint16_t bytes = 40; bytes < most; bytes += 101)
					CU_ASSERT_EQUAL(sent_bytes(&p, &o, bytes), size);
			}
			rig_pair_close(&p);
		}
}

/* A size that the path does not carry is cut to what it does. */
static void test_headers_flow_padding_never_exceeds_the_mtu(void)
{
	for (unsigned bits = 0; bits < 8; bits++)
		for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
			struct rig_options o;
			struct rig_pair p;

			flow_options(bits, &suites[i], 1450, &o);
			rig_pair_open(&p, &o);
			for (uint16_t mtu = 600; mtu < 700; mtu++) {
				path_mtu_set(&p, mtu);
				CU_ASSERT(sent_bytes(&p, &o, 60) <= mtu);
				CU_ASSERT_EQUAL(sent_bytes(&p, &o, 60), sent_bytes(&p, &o, sa_inner_mtu(p.out)));
			}
			rig_pair_close(&p);
		}
}

/* ---- the MTU that is left ---- */

/* Whether a packet of exactly that size fits, and how one larger does not. In transport mode the length of the IP
 * header decides how much padding there is, so that less than a block may be given away. */
static unsigned mtu_wrong(struct rig_pair *p, const struct rig_options *o, uint16_t mtu)
{
	uint16_t block = o->encr ? RTE_MAX(o->encr->block_bytes, 4) : 1, fits, over;

	path_mtu_set(p, mtu);
	fits = sa_inner_mtu(p->out);
	over = (uint16_t)(fits + (o->transport ? block : 1));
	return (sent_bytes(p, o, fits) > mtu) + (sent_bytes(p, o, over) <= mtu);
}

/* All modes, families and encapsulations of one combination of algorithms. */
static unsigned suite_mtu_wrong(const struct alg *encr, const struct alg *integ)
{
	unsigned wrong = 0;

	for (unsigned bits = 0; bits < 16; bits++) {
		struct rig_options o = { .encr = encr,
			.integ = integ,
			.transport = bits & 1,
			.outer6 = bits & 2,
			.inner6 = bits & 4,
			.udp = bits & 8 };
		struct rig_pair p;

		if ((o.transport && o.inner6) || (!encr && o.udp))
			continue;
		rig_pair_open(&p, &o);
		for (uint16_t mtu = 576; mtu < 576 + 17; mtu++)
			wrong += mtu_wrong(&p, &o, mtu);
		wrong += mtu_wrong(&p, &o, 1280) + mtu_wrong(&p, &o, 1500);
		rig_pair_close(&p);
	}
	return wrong;
}

static void test_headers_inner_mtu_of_every_kind(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type == TRANSFORM_INTEG && a->flags & ALG_AH)
			CU_ASSERT_EQUAL(suite_mtu_wrong(NULL, a), 0);
		if (a->type != TRANSFORM_ENCR || !(a->flags & ALG_ESP))
			continue;
		if (a->flags & ALG_AEAD)
			CU_ASSERT_EQUAL(suite_mtu_wrong(a, NULL), 0);
		for (const struct alg *b = alg_next(NULL); b && !(a->flags & ALG_AEAD); b = alg_next(b))
			if (b->type == TRANSFORM_INTEG && b->flags & ALG_ESP)
				CU_ASSERT_EQUAL(suite_mtu_wrong(a, b), 0);
	}
}

static void test_headers_inner_mtu_of_a_tiny_path(void)
{
	for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
		const struct rig_options o = options_of(&forms[f]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		for (uint16_t mtu = 0; mtu < 40; mtu++) {
			path_mtu_set(&p, mtu);
			CU_ASSERT_EQUAL(sa_inner_mtu(p.out), 0);
		}
		rig_pair_close(&p);
	}
}

/* ---- among IPv6 extension headers ---- */

#define OPTION(next) next, 0, 1, 4, 0, 0, 0, 0
#define ROUTE(next)  next, 0, 4, 0, 0, 0, 0, 0

/* Chains as a host sends them; everything in front of `at` stays there. */
static const struct chain {
	const char *name;
	uint8_t first, bytes, at;
	uint8_t wire[40];
	uint8_t named_at; /* of the Next Header byte that then says ESP or AH, from the IPv6 header */
	uint8_t inside;   /* what the Next Header of ESP or AH says */
} chains[] = {
	{ "none", IPPROTO_UDP, 0, 0, { 0 }, 6, IPPROTO_UDP },
	{ "hop-by-hop", 0, 8, 8, { OPTION(IPPROTO_UDP) }, 40, IPPROTO_UDP },
	{ "destination", 60, 8, 0, { OPTION(IPPROTO_UDP) }, 6, IPPROTO_DSTOPTS },
	{ "routing", 43, 8, 8, { ROUTE(IPPROTO_UDP) }, 40, IPPROTO_UDP },
	{ "hop-by-hop, destination", 0, 16, 8, { OPTION(60), OPTION(IPPROTO_UDP) }, 40, IPPROTO_DSTOPTS },
	{ "destination, routing", 60, 16, 16, { OPTION(43), ROUTE(IPPROTO_UDP) }, 48, IPPROTO_UDP },
	{ "hop-by-hop, destination, routing, destination", 0, 32, 24,
		{ OPTION(60), OPTION(43), ROUTE(60), OPTION(IPPROTO_UDP) }, 56, IPPROTO_DSTOPTS },
	{ "routing, destination", 43, 16, 8, { ROUTE(60), OPTION(IPPROTO_UDP) }, 40, IPPROTO_DSTOPTS },
	{ "no next header", IPPROTO_NONE, 0, 0, { 0 }, 6, IPPROTO_NONE },
};

static struct rte_mbuf *chain_packet(const struct rig_options *o, const struct chain *c)
{
	struct rte_mbuf *plain = rig_packet_for(o, 100, 5), *m;
	uint8_t data[200];

	memcpy(data, rte_pktmbuf_mtod(plain, void *), 40);
	memcpy(data + 40, c->wire, c->bytes);
	memcpy(data + 40 + c->bytes, rte_pktmbuf_mtod_offset(plain, void *, 40), 60);
	data[6] = c->first;
	rte_pktmbuf_free(plain);
	m = rig_mbuf(data, (uint16_t)(100 + c->bytes));
	rig_length_fit(m);
	return m;
}

/* The protected packet: what is in front is as it was but for one byte, and NULL-ESP and AH show what they carry. */
static bool inserted_right(
	const struct rig_options *o, const struct chain *c, struct rte_mbuf *m, struct rte_mbuf *sent)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *), *was = rte_pktmbuf_mtod(sent, const uint8_t *);
	uint16_t at = 40 + c->at, bytes = (uint16_t)(sent->data_len - at);
	uint8_t protocol = !o->encr ? IPPROTO_AH : o->udp ? IPPROTO_UDP : IPPROTO_ESP;
	const uint8_t *inside = ip + at + (o->udp ? 8 : 0) + (o->encr ? 8 : 24);
	uint8_t next = o->encr ? inside[bytes + (-(bytes + 2) & 3) + 1] : ip[at];
	bool right = ip[c->named_at] == protocol && next == c->inside && !memcmp(inside, was + at, bytes);

	for (uint16_t i = 0; i < at; i++)
		right &= ip[i] == was[i] || i == 4 || i == 5 || i == c->named_at;
	if (o->udp)
		right &= udp6_checksum_right(ip, at, (uint16_t)(m->data_len - at));
	return right && header_sound(m);
}

static void test_headers_insertion_among_extension_headers(void)
{
	for (int kind = 0; kind < 3; kind++)
		for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
			struct rig_options o = rig_suite(kind ? "null" : NULL, "sha1");
			struct rig_pair p;

			o.transport = o.outer6 = true;
			o.udp = kind == 2;
			/* dummies are not delivered */
			if (kind && chains[i].inside == IPPROTO_NONE)
				continue;
			rig_pair_open(&p, &o);
			struct rte_mbuf *m = chain_packet(&o, &chains[i]), *sent = rig_copy(m);
			CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
			bool right = inserted_right(&o, &chains[i], m, sent);
			right &= accepted(&p, m, sent);
			CU_ASSERT_TRUE(right);
			if (!right)
				fprintf(stderr, "%s\n", chains[i].name);
			rte_pktmbuf_free(sent);
			rig_pair_close(&p);
		}
}

/* ESP and AH that another implementation put behind destination options. */
static void test_headers_arrival_behind_destination_options(void)
{
	const uint8_t extension[8] = { OPTION(IPPROTO_ESP) };
	struct rig_options o = rig_suite("aes128gcm16", NULL);
	struct rig_pair p;

	o.outer6 = o.transport = true;
	rig_pair_open(&p, &o);
	struct rte_mbuf *m = sealed(&p, &o, 100);
	rte_pktmbuf_prepend(m, 8);
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(at, at + 8, 40);
	memcpy(at + 40, extension, 8);
	at[6] = IPPROTO_DSTOPTS;
	rig_length_fit(m);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	CU_ASSERT_EQUAL(m->data_len, 108);
	CU_ASSERT_EQUAL(ip[6], IPPROTO_DSTOPTS);
	CU_ASSERT_EQUAL(ip[40], IPPROTO_UDP);
	CU_ASSERT_TRUE(header_sound(m));
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

/* ---- paths that change under traffic ---- */

static void path_turn(struct rig_pair *p, const struct rig_options *o, bool outer6, bool udp)
{
	struct path_spec spec = sa_path(p->out)->spec;

	addr_parse(outer6 ? RIG_LEFT6 : RIG_LEFT4, &spec.local.addr);
	addr_parse(outer6 ? RIG_RIGHT6 : RIG_RIGHT4, &spec.remote.addr);
	spec.encap = udp ? SA_ENCAP_UDP : SA_ENCAP_NONE;
	spec.local.port = spec.remote.port = PORT_NATT;
	spec.header = o->header;
	sa_path_publish(p->out_ips, p->out, path_create(&spec, 1500, 1, 2));
}

/* Sends one, then a burst, over the path as it is. Returns how many were wrong. */
static unsigned flow_wrong(struct rig_pair *p, const struct rig_options *o, bool outer6, bool udp)
{
	struct burst_item items[32];
	uint64_t sequence = sa_sequence(p->out);
	unsigned wrong = 0;

	for (uint16_t i = 0; i < 32; i++)
		items[i] = (struct burst_item){ .m = rig_packet_for(o, (uint16_t)(60 + i), 1), .sa = p->out };
	wrong += burst_out(p->out_worker, items, 32) != 32;
	wrong += sa_sequence(p->out) != sequence + 32;
	for (uint16_t i = 0; i < 32; i++) {
		struct rte_mbuf *sent = rig_packet_for(o, (uint16_t)(60 + i), 1);
		const uint8_t *ip = rte_pktmbuf_mtod(items[i].m, const uint8_t *);
		wrong += ip[0] >> 4 != (outer6 ? 6 : 4) || !header_sound(items[i].m);
		wrong += udp && udp_wrong(items[i].m, outer6);
		wrong += !accepted(p, items[i].m, sent);
		rte_pktmbuf_free(sent);
	}
	return wrong;
}

static unsigned turns_wrong(struct rig_options *o)
{
	unsigned wrong = 0;
	struct rig_pair p;

	rig_pair_open(&p, o);
	/* from each kind of path to each */
	for (int from = 0; from < 4; from++)
		for (int to = 0; to < 4; to++) {
			int turn[2] = { from, to };
			for (int i = 0; i < 2; i++) {
				bool udp = turn[i] & 2;
				if (udp && !o->encr)
					continue;
				path_turn(&p, o, turn[i] & 1, udp);
				wrong += flow_wrong(&p, o, turn[i] & 1, udp);
				ipsec_worker_quiescent(p.out_worker);
				wrong += reclaim_poll(p.out_ips) != 0;
			}
		}
	wrong += rig_drops_all(p.out) + rig_drops_all(p.in);
	rig_pair_close(&p);
	return wrong;
}

static void test_headers_path_swap_between_all_kinds(void)
{
	for (int kind = 0; kind < 8; kind++) {
		static const struct suite_row rows[] = { { "aes128gcm16", NULL }, { "aes256", "sha1" },
			{ "chacha20poly1305", NULL }, { NULL, "sha384" } };
		struct rig_options o = rig_suite(rows[kind % 4].encr, rows[kind % 4].integ);

		o.natt = o.encr != NULL;
		o.inner6 = kind & 4;
		o.esn = kind & 1;
		CU_ASSERT_EQUAL(turns_wrong(&o), 0);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_headers_dscp_and_ecn),
		TEST(test_headers_ttl),
		TEST(test_headers_df),
		TEST(test_headers_flow_label),
		TEST(test_headers_addresses_and_protocol),
		TEST(test_headers_ipv4_identification),
		TEST(test_headers_ecn_decapsulation),
		TEST(test_headers_ecn_in_transport_mode),
		TEST(test_headers_udp_checksum),
		TEST(test_headers_udp_checksum_in_mixed_bursts),
		TEST(test_headers_udp_checksum_is_never_zero),
		TEST(test_headers_flow_padding_to_a_size),
		TEST(test_headers_flow_padding_to_the_mtu),
		TEST(test_headers_flow_padding_never_exceeds_the_mtu),
		TEST(test_headers_inner_mtu_of_every_kind),
		TEST(test_headers_inner_mtu_of_a_tiny_path),
		TEST(test_headers_insertion_among_extension_headers),
		TEST(test_headers_arrival_behind_destination_options),
		TEST(test_headers_path_swap_between_all_kinds),
	};

	rig_eal();
	return test_main("ipsec_headers", tests, ARRAY_LEN(tests), argc, argv);
}
