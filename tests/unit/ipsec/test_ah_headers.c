/* SPDX-License-Identifier: BSD-3-Clause */
/* AH behind IPv4 options and IPv6 extension headers: what of them the ICV covers (RFC 4302 3.3.3.1, appendix A), and
 * those that are refused. The tables hold every header twice, as on the wire and as the ICV sees it. */
#include <stdlib.h>

#include "harness.h"
#include "ipsec_priv.h"
#include "refusal.h"

#define HEADER_MAX 320

/* ---- IPv4 options ---- */

static const struct option_row {
	const char *name;
	uint8_t bytes; /* a multiple of 4 */
	uint8_t wire[40], covered[40];
	uint8_t may_change, must_not; /* offset of a byte that a router changes; 0: no such byte */
	bool refused;
} options[] = {
	{ "no-operation, end", 4, { 1, 1, 0, 0 }, { 1, 1, 0, 0 }, .must_not = 3 },
	{ "whatever behind the end", 8, { 1, 0, 7, 39, 4, 5, 6, 7 }, { 1, 0, 7, 39, 4, 5, 6, 7 }, .must_not = 4 },
	{ "record route", 8, { 7, 7, 4, 10, 1, 2, 3, 0 }, { 0 }, .may_change = 4 },
	{ "timestamp between no-operations", 12, { 1, 68, 8, 5, 0, 9, 9, 9, 9, 1, 1, 1 },
		{ 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1 }, .may_change = 5 },
	{ "security", 12, { 130, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0 }, { 130, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0 },
		.must_not = 3 },
	{ "extended security", 4, { 133, 4, 7, 8 }, { 133, 4, 7, 8 }, .must_not = 2 },
	{ "commercial security", 8, { 134, 6, 0, 0, 0, 1, 1, 1 }, { 134, 6, 0, 0, 0, 1, 1, 1 }, .must_not = 5 },
	{ "router alert", 4, { 148, 4, 0, 0 }, { 148, 4, 0, 0 }, .must_not = 3 },
	{ "directed delivery", 8, { 149, 6, 10, 0, 0, 1, 0, 0 }, { 149, 6, 10, 0, 0, 1, 0, 0 }, .must_not = 4 },
	{ "traceroute", 12, { 82, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, { 0 }, .may_change = 11 },
	{ "router alert and an unknown one", 8, { 148, 4, 0, 0, 0xde, 4, 3, 3 }, { 148, 4, 0, 0, 0, 0, 0, 0 },
		.may_change = 7, .must_not = 2 },
	{ "loose source route, used up", 8, { 131, 7, 8, 10, 1, 2, 3, 0 }, { 0 }, .may_change = 4 },
	{ "strict source route, used up", 8, { 137, 7, 8, 10, 1, 2, 3, 0 }, { 0 }, .may_change = 4 },
	{ "all forty bytes", 40, { 7, 39, 4 }, { 0 }, .may_change = 38 },
	{ "loose source route on its way", 8, { 131, 7, 4, 10, 1, 2, 3, 0 }, .refused = true },
	{ "strict source route on its way", 8, { 1, 137, 7, 4, 10, 1, 2, 3 }, .refused = true },
	{ "length zero", 4, { 7, 0, 0, 0 }, .refused = true },
	{ "length one", 4, { 148, 1, 0, 0 }, .refused = true },
	{ "length beyond the header", 8, { 1, 1, 1, 1, 7, 5, 4, 0 }, .refused = true },
	{ "length missing", 4, { 1, 1, 1, 7 }, .refused = true },
};

/* ---- IPv6 extension headers ---- */

/* Eight bytes of them: the one in front of `next`, with padding in it. */
#define PADDED(next) next, 0, 1, 4, 0, 0, 0, 0

static const struct extension_row {
	const char *name;
	uint8_t first; /* in the IPv6 header */
	uint8_t bytes;
	uint8_t wire[72], covered[72];
	uint8_t may_change, must_not;
	uint8_t last; /* offset of the byte that names AH */
	enum drop_reason in, out;
	bool in_only; /* ours would put AH elsewhere */
} extensions[] = {
	{ "router alert", 0, 8, { 51, 0, 5, 2, 0, 0, 1, 0 }, { 51, 0, 5, 2, 0, 0, 1, 0 }, .must_not = 4 },
	{ "single bytes of padding", 0, 8, { 51, 0, 0, 0, 0, 0, 0, 0 }, { 51, 0, 0, 0, 0, 0, 0, 0 }, .in = DROP_NONE },
	{ "option that changes en route", 0, 16, { 51, 1, 0x3e, 4, 1, 2, 3, 4, 0, 0x1e, 3, 5, 6, 7, 1, 0 },
		{ 51, 1, 0x3e, 4, 0, 0, 0, 0, 0, 0x1e, 3, 5, 6, 7, 1, 0 }, .may_change = 6, .must_not = 12 },
	{ "type of an option that changes", 0, 8, { 51, 0, 0x3e, 4, 1, 2, 3, 4 }, { 51, 0, 0x3e, 4, 0, 0, 0, 0 },
		.may_change = 7, .must_not = 2 },
	{ "option without data", 0, 8, { 51, 0, 0x3e, 0, 1, 2, 9, 9 }, { 51, 0, 0x3e, 0, 1, 2, 9, 9 }, .must_not = 7 },
	{ "routing, arrived", 43, 24, { 51, 2, 2, 0, 0, 0, 0, 0, 1, 2, 3 }, { 51, 2, 2, 0, 0, 0, 0, 0, 1, 2, 3 },
		.must_not = 9 },
	{ "routing, on its way", 43, 24, { 51, 2, 2, 1, 0, 0, 0, 0, 1, 2, 3 }, .in = DROP_IP_HEADER,
		.out = DROP_IP_HEADER },
	{ "hop-by-hop, routing", 0, 16, { 43, 0, 0x21, 4, 9, 9, 9, 9, 51, 0, 4, 0, 0, 0, 0, 0 },
		{ 43, 0, 0x21, 4, 0, 0, 0, 0, 51, 0, 4, 0, 0, 0, 0, 0 }, .may_change = 5, .must_not = 13, .last = 8 },
	{ "destination options, routing", 60, 16, { 43, 0, 0x22, 4, 9, 9, 9, 9, 51, 0, 4, 0, 0, 0, 0, 0 },
		{ 43, 0, 0x22, 4, 0, 0, 0, 0, 51, 0, 4, 0, 0, 0, 0, 0 }, .may_change = 7, .must_not = 14, .last = 8 },
	{ "destination options in front of AH", 60, 16, { 51, 1, 0x20, 4, 9, 9, 9, 9, 0x1e, 6, 1, 2, 3, 4, 5, 6 },
		{ 51, 1, 0x20, 4, 0, 0, 0, 0, 0x1e, 6, 1, 2, 3, 4, 5, 6 }, .may_change = 4, .must_not = 12,
		.in_only = true },
	{ "first fragment", 44, 8, { 51, 0, 0, 1, 1, 2, 3, 4 }, .in = DROP_FRAGMENT, .out = DROP_FRAGMENT },
	{ "later fragment", 44, 8, { 51, 0, 0, 8, 1, 2, 3, 4 }, .in = DROP_FRAGMENT, .out = DROP_FRAGMENT },
	{ "later fragment behind hop-by-hop", 0, 16, { PADDED(44), 51, 0, 1, 0, 1, 2, 3, 4 }, .in = DROP_FRAGMENT,
		.out = DROP_FRAGMENT, .last = 8 },
	{ "option longer than its header", 0, 8, { 51, 0, 5, 5, 0, 0, 0, 0 }, .in = DROP_IP_HEADER,
		.out = DROP_IP_HEADER },
	{ "option of 255 bytes", 0, 8, { 51, 0, 0x3e, 255, 0, 0, 0, 0 }, .in = DROP_IP_HEADER, .out = DROP_IP_HEADER },
	{ "option without a length", 0, 8, { 51, 0, 1, 3, 0, 0, 0, 5 }, .in = DROP_IP_HEADER, .out = DROP_IP_HEADER },
	{ "broken destination options", 60, 8, { 51, 0, 0x3e, 5, 0, 0, 0, 0 }, .in = DROP_IP_HEADER, .in_only = true },
	{ "longer than the packet", 0, 8, { 51, 255, 1, 4, 0, 0, 0, 0 }, .in = DROP_SHORT, .out = DROP_IP_HEADER },
	{ "nine headers", 60, 72,
		{ PADDED(60), PADDED(60), PADDED(60), PADDED(60), PADDED(60), PADDED(60), PADDED(60), PADDED(60),
			PADDED(51) },
		.in = DROP_SHORT, .out = DROP_IP_HEADER, .last = 64 },
};

/* ---- one form for both ---- */

struct shape {
	uint16_t base;  /* bytes of the IP header without what follows */
	uint16_t bytes; /* of what follows it */
	const uint8_t *wire, *covered;
	uint8_t first; /* IPv6: Next Header in front of them */
};

static struct shape shape4(const struct option_row *r)
{
	return (struct shape){ 20, r->bytes, r->wire, r->covered, 0 };
}

static struct shape shape6(const struct extension_row *r)
{
	return (struct shape){ 40, r->bytes, r->wire, r->covered, r->first };
}

/* This IP header with that behind it, as on the wire and as covered. */
static void headers_build(
	const uint8_t *ip, const struct shape *s, uint8_t *ret_header, uint8_t *ret_covered, struct rig_ah *ret_ah)
{
	static const uint8_t mutable4[] = { 1, 6, 7, 8, 10, 11 }, mutable6[] = { 1, 2, 3, 7 };

	memcpy(ret_header, ip, s->base);
	if (s->base == 20)
		ret_header[0] = (uint8_t)(0x40 | (20 + s->bytes) / 4);
	else
		ret_header[6] = s->first;
	memcpy(ret_header + s->base, s->wire, s->bytes);
	memcpy(ret_covered, ret_header, s->base);
	memcpy(ret_covered + s->base, s->covered, s->bytes);
	for (size_t i = 0; i < sizeof(mutable4) && s->base == 20; i++)
		ret_covered[mutable4[i]] = 0;
	for (size_t i = 0; i < sizeof(mutable6) && s->base == 40; i++)
		ret_covered[mutable6[i]] = 0;
	if (s->base == 40)
		ret_covered[0] = 0x60;
	ret_ah->header = ret_header;
	ret_ah->zeroed = ret_covered;
	ret_ah->header_bytes = s->base + s->bytes;
}

/* An authentic packet of the pair with these headers, in tunnel mode. */
static struct rte_mbuf *packet_with(struct rig_pair *p, const struct rig_options *o, const struct shape *s,
	uint64_t sequence, struct rte_mbuf *inner)
{
	uint8_t ip[40], header[HEADER_MAX], covered[HEADER_MAX];
	struct rig_ah a = { .sequence = sequence, .next_header = o->inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP };

	rig_ah_header(p, ip);
	headers_build(ip, s, header, covered, &a);
	a.payload = rte_pktmbuf_mtod(inner, void *);
	a.bytes = inner->data_len;
	return rig_seal_ah(p, &a);
}

static bool changed_accepted(struct rig_pair *p, const struct rte_mbuf *good, const struct shape *s, uint8_t at,
	uint8_t value, const struct rte_mbuf *inner)
{
	struct rte_mbuf *m = rig_copy(good);

	rte_pktmbuf_mtod(m, uint8_t *)[s->base + at] ^= value;
	return accepted(p, m, inner);
}

/* Inbound, a form that is right: as it is, changed where it may be and where it must not. */
static unsigned form_wrong(
	struct rig_pair *p, const struct rig_options *o, const struct shape *s, uint8_t may_change, uint8_t must_not)
{
	struct rte_mbuf *inner = rig_packet_for(o, 100, 7);
	uint64_t sequence = replay_top(&p->in->replay);
	struct rte_mbuf *m = packet_with(p, o, s, ++sequence, inner);
	unsigned wrong = 0;

	if (must_not) {
		struct rte_mbuf *broken = rig_copy(m);
		rte_pktmbuf_mtod(broken, uint8_t *)[s->base + must_not] ^= 0x80;
		wrong += !refused(p, broken, DROP_BAD_ICV);
	}
	wrong += !accepted(p, m, inner);
	if (may_change) {
		m = packet_with(p, o, s, ++sequence, inner);
		wrong += !changed_accepted(p, m, s, may_change, 0x55, inner);
		rte_pktmbuf_free(m);
	}
	rte_pktmbuf_free(inner);
	return wrong;
}

static bool form_refused(
	struct rig_pair *p, const struct rig_options *o, const struct shape *s, enum drop_reason reason)
{
	struct rte_mbuf *inner = rig_packet_for(o, 100, 7);
	struct rte_mbuf *m = packet_with(p, o, s, replay_top(&p->in->replay) + 1, inner);

	rte_pktmbuf_free(inner);
	return refused(p, m, reason);
}

static void test_ah_headers_ipv4_options_inbound(void)
{
	for (int esn = 0; esn < 2; esn++) {
		struct rig_options o = rig_suite(NULL, esn ? "aes192gmac" : "sha256");
		struct rig_pair p;

		o.esn = esn;
		o.sequence = esn ? 0x700000000 : 0;
		rig_pair_open(&p, &o);
		for (size_t i = 0; i < ARRAY_LEN(options); i++) {
			const struct option_row *r = &options[i];
			const struct shape s = shape4(r);
			bool right = r->refused ? form_refused(&p, &o, &s, DROP_IP_HEADER)
						: !form_wrong(&p, &o, &s, r->may_change, r->must_not);
			CU_ASSERT_TRUE(right);
			if (!right)
				fprintf(stderr, "option: %s\n", r->name);
		}
		rig_pair_close(&p);
	}
}

static void test_ah_headers_ipv6_extensions_inbound(void)
{
	for (int inner6 = 0; inner6 < 2; inner6++) {
		struct rig_options o = rig_suite(NULL, inner6 ? "sha1" : "aes128gmac");
		struct rig_pair p;

		o.outer6 = true;
		o.inner6 = inner6;
		rig_pair_open(&p, &o);
		for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
			const struct extension_row *r = &extensions[i];
			const struct shape s = shape6(r);
			bool right = r->in ? form_refused(&p, &o, &s, r->in)
					   : !form_wrong(&p, &o, &s, r->may_change, r->must_not);
			CU_ASSERT_TRUE(right);
			if (!right)
				fprintf(stderr, "extension: %s\n", r->name);
		}
		rig_pair_close(&p);
	}
}

/* ---- outbound, in transport mode: our packet is the one made from the table ---- */

/* The pair's packet with these headers in it and UDP behind them, not yet protected. */
static struct rte_mbuf *clear_with(const struct rig_options *o, const struct shape *s, uint8_t last)
{
	struct rte_mbuf *plain = rig_packet_for(o, (uint16_t)(s->base + 60), 9);
	uint8_t data[600];
	struct rte_mbuf *m;

	memcpy(data, rte_pktmbuf_mtod(plain, void *), s->base);
	memcpy(data + s->base, s->wire, s->bytes);
	memcpy(data + s->base + s->bytes, rte_pktmbuf_mtod_offset(plain, void *, s->base), 60);
	rte_pktmbuf_free(plain);
	if (s->base == 20) {
		data[0] = (uint8_t)(0x40 | (20 + s->bytes) / 4);
	} else {
		data[6] = s->first;
		data[40 + last] = IPPROTO_UDP;
	}
	m = rig_mbuf(data, (uint16_t)(s->base + s->bytes + 60));
	rig_length_fit(m);
	if (s->base == 20)
		rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *)->hdr_checksum = RTE_BE16(0xbad0);
	return m;
}

static uint8_t *header_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, uint8_t *);
}

/* What the far end computes from the headers that arrived is what we put in; and it gets the packet as it was. */
static unsigned sent_wrong(struct rig_pair *p, const struct rig_options *o, const struct shape *s, uint8_t last)
{
	struct rte_mbuf *m = clear_with(o, s, last), *sent = rig_copy(m);
	uint8_t header[HEADER_MAX], covered[HEADER_MAX];
	struct rig_ah a = { .next_header = IPPROTO_UDP, .bytes = 60 };
	unsigned wrong = rig_out(p, m) != DROP_NONE;

	a.sequence = sa_sequence(p->out);
	headers_build(header_of(m), s, header, covered, &a);
	a.payload = rte_pktmbuf_mtod_offset(sent, void *, s->base + s->bytes);
	struct rte_mbuf *model = rig_seal_ah(p, &a);
	wrong += m->data_len != model->data_len || memcmp(header_of(m), header_of(model), model->data_len) != 0;
	if (s->base == 20) {
		wrong += rte_raw_cksum(header_of(m), 20 + s->bytes) != 0xffff;
		struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(sent, struct rte_ipv4_hdr *);
		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, 20 + s->bytes);
	}
	wrong += !accepted(p, m, sent);
	rte_pktmbuf_free(model);
	rte_pktmbuf_free(sent);
	return wrong;
}

static void test_ah_headers_ipv4_options_outbound(void)
{
	struct rig_options o = rig_suite(NULL, "sha256");
	struct rig_pair p;

	o.transport = true;
	rig_pair_open(&p, &o);
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option_row *r = &options[i];
		const struct shape s = shape4(r);
		bool right = r->refused ? refused_out(&p, clear_with(&o, &s, 0), DROP_IP_HEADER)
					: !sent_wrong(&p, &o, &s, 0);
		CU_ASSERT_TRUE(right);
		if (!right)
			fprintf(stderr, "option: %s\n", r->name);
	}
	rig_pair_close(&p);
}

static void test_ah_headers_ipv6_extensions_outbound(void)
{
	struct rig_options o = rig_suite(NULL, "aescmac");
	struct rig_pair p;

	o.transport = true;
	o.outer6 = true;
	o.esn = true;
	o.sequence = 0x3fffffffe;
	rig_pair_open(&p, &o);
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		const struct extension_row *r = &extensions[i];
		const struct shape s = shape6(r);
		if (r->in_only)
			continue;
		bool right = r->out ? refused_out(&p, clear_with(&o, &s, r->last), r->out)
				    : !sent_wrong(&p, &o, &s, r->last);
		CU_ASSERT_TRUE(right);
		if (!right)
			fprintf(stderr, "extension: %s\n", r->name);
	}
	rig_pair_close(&p);
}

/* ---- sizes ---- */

/* An extension header that reaches behind the end which the IPv6 header names. */
static void test_ah_headers_extension_beyond_the_end(void)
{
	struct rig_options o = rig_suite(NULL, "sha1");
	struct rig_pair p;

	o.outer6 = true;
	rig_pair_open(&p, &o);
	const struct shape s = shape6(&extensions[0]);
	struct rte_mbuf *inner = rig_packet_for(&o, 60, 1), *good = packet_with(&p, &o, &s, 1, inner);
	for (uint16_t length = 0; length < 8 + 24; length++) {
		struct rte_mbuf *m = rig_copy(good);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 4), length);
		CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
	}
	CU_ASSERT_TRUE(accepted(&p, good, inner));
	rte_pktmbuf_free(inner);
	rig_pair_close(&p);
}

/* Hop-by-hop options that are padding, so long. */
static struct shape hop_by_hop(uint16_t bytes, uint8_t *ret_wire)
{
	memset(ret_wire, 0, bytes);
	ret_wire[0] = IPPROTO_AH;
	ret_wire[1] = (uint8_t)(bytes / 8 - 1);
	return (struct shape){ 40, bytes, ret_wire, ret_wire, IPPROTO_HOPOPTS };
}

static void test_ah_headers_longer_than_is_kept(void)
{
	struct rig_options o = rig_suite(NULL, "sha256");
	uint8_t wire[HEADER_MAX];
	struct rig_pair p, q;

	o.outer6 = true;
	rig_pair_open(&p, &o);
	o.transport = true;
	rig_pair_open(&q, &o);
	for (uint16_t bytes = 8; bytes <= HEADER_MAX - 48; bytes += 8) {
		struct shape s = hop_by_hop(bytes, wire);
		bool fits = 40 + bytes <= AH_PREFIX_MAX;
		o.transport = false;
		CU_ASSERT_TRUE(fits ? !form_wrong(&p, &o, &s, 0, 0) : form_refused(&p, &o, &s, DROP_IP_HEADER));
		o.transport = true;
		CU_ASSERT_TRUE(
			fits ? !sent_wrong(&q, &o, &s, 0) : refused_out(&q, clear_with(&o, &s, 0), DROP_IP_HEADER));
	}
	rig_pair_close(&p);
	rig_pair_close(&q);
}

/* Behind the IPv6 header of m, in front of what followed it. */
static void atomic_fragment_insert(struct rte_mbuf *m)
{
	uint8_t *ip = (uint8_t *)rte_pktmbuf_prepend(m, 8);

	if (!ip)
		abort();
	memmove(ip, ip + 8, 40);
	memcpy(ip + 40, (const uint8_t[8]){ ip[6], 0, 0, 0, 1, 2, 3, 4 }, 8);
	ip[6] = IPPROTO_FRAGMENT;
	store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + 8));
}

/* RFC 4302 A2: a fragment header of a whole datagram, which reassembly may leave behind, is as if it were not there. */
static void test_ah_headers_fragment_header_of_a_whole_datagram(void)
{
	for (int transport = 0; transport < 2; transport++) {
		const struct rig_options o = { .integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0),
			.transport = transport,
			.outer6 = true,
			.inner6 = !transport };
		struct rig_pair p;
		rig_pair_open(&p, &o);
		struct rte_mbuf *m = rig_packet_for(&o, 100, 1), *sent = rig_copy(m);
		/* sent: in transport mode it is taken away before AH is put in, in tunnel mode it is the inner packet's
		 */
		if (transport)
			atomic_fragment_insert(m);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		/* on the way: put in front of AH */
		atomic_fragment_insert(m);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		CU_ASSERT_EQUAL_FATAL(m->data_len, sent->data_len);
		CU_ASSERT_EQUAL(memcmp(rte_pktmbuf_mtod(m, void *), rte_pktmbuf_mtod(sent, void *), m->data_len), 0);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(sent);
		rig_pair_close(&p);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ah_headers_ipv4_options_inbound),
		TEST(test_ah_headers_ipv6_extensions_inbound),
		TEST(test_ah_headers_ipv4_options_outbound),
		TEST(test_ah_headers_ipv6_extensions_outbound),
		TEST(test_ah_headers_extension_beyond_the_end),
		TEST(test_ah_headers_longer_than_is_kept),
		TEST(test_ah_headers_fragment_header_of_a_whole_datagram),
	};

	rig_eal();
	return test_main("ipsec_ah_headers", tests, ARRAY_LEN(tests), argc, argv);
}
