/* SPDX-License-Identifier: BSD-3-Clause */
/* What ESP must refuse, with every mechanism it may be made of: block and stream ciphers, none, AEADs, short ICVs, an
 * IV that is not on the wire, in both modes, over both families, raw and in UDP, with and without ESN. test_esp_drops.c
 * has the same for AES-GCM in detail. */
#include "harness.h"
#include "refusal.h"

static const struct kind {
	const char *encr, *integ;
	bool transport, outer6, inner6, udp, esn;
} kinds[] = {
	{ "aes128gcm8", NULL, .outer6 = true, .esn = true },
	{ "aes192gcm12", NULL, .inner6 = true },
	{ "aes256gcm16", NULL, .transport = true, .outer6 = true, .udp = true },
	{ "aes256ccm12", NULL, .transport = true },
	{ "aes128ccm8", NULL, .outer6 = true, .inner6 = true, .esn = true },
	{ "chacha20poly1305", NULL, .outer6 = true, .udp = true },
	{ "aes128", "sha1", .udp = true },
	{ "aes192", "aesxcbc", .inner6 = true, .esn = true },
	{ "aes256", "sha512", .outer6 = true, .esn = true },
	{ "aes128", "sha384", .transport = true, .esn = true },
	{ "3des", "sha256", .transport = true, .udp = true, .esn = true },
	{ "3des", "aescmac", .outer6 = true, .inner6 = true },
	{ "aes128ctr", "aescmac", .transport = true, .outer6 = true },
	{ "aes256ctr", "sha384", .udp = true, .esn = true },
	{ "null", "sha256", .transport = false },
	{ "null", "aesxcbc", .transport = true, .outer6 = true, .udp = true, .esn = true },
	{ "aes192gmac", NULL, .outer6 = true, .esn = true },
	{ "aes128gmac", NULL, .transport = true },
	{ "aes256gcm16iiv", NULL, .inner6 = true, .udp = true, .esn = true },
	{ "aes128ccm8iiv", NULL, .outer6 = true },
	{ "chacha20poly1305iiv", NULL, .transport = true, .outer6 = true, .esn = true },
};

static struct rig_options options_of(const struct kind *k)
{
	struct rig_options o = rig_suite(k->encr, k->integ);

	o.transport = k->transport;
	o.outer6 = k->outer6;
	o.inner6 = k->inner6;
	o.udp = k->udp;
	o.esn = k->esn;
	o.sequence = k->esn ? 0x1fffffff8 : 0;
	return o;
}

/* One pair of a kind, as every test below wants it. */
struct scene {
	const struct kind *kind;
	struct rig_options o;
	struct rig_pair p;
	uint16_t outer; /* bytes in front of ESP */
	uint16_t head;  /* ... of the text: with ESP header and IV */
	uint16_t icv, block;
	uint64_t sequence; /* last one used */
};

static void scene_open(struct scene *s, const struct kind *k)
{
	s->kind = k;
	s->o = options_of(k);
	rig_pair_open(&s->p, &s->o);
	s->outer = (uint16_t)((k->outer6 ? 40 : 20) + (k->udp ? 8 : 0));
	s->head = (uint16_t)(s->outer + 8 + s->o.encr->iv_bytes);
	s->icv = s->o.integ ? s->o.integ->out_bytes : s->o.encr->out_bytes;
	s->block = RTE_MAX(s->o.encr->block_bytes, 4);
	s->sequence = s->o.sequence;
}

/* Runs a check of every kind in a scene of its own; what it returns is how much went wrong. */
static void all_kinds(unsigned (*check)(struct scene *s))
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scene s;
		scene_open(&s, &kinds[i]);
		unsigned wrong = check(&s);
		if (wrong)
			fprintf(stderr, "kind %zu, %s/%s\n", i, kinds[i].encr, kinds[i].integ ? kinds[i].integ : "-");
		CU_ASSERT_EQUAL(wrong, 0);
		rig_pair_close(&s.p);
	}
}

static struct rte_mbuf *good_one(struct scene *s)
{
	return sealed(&s->p, &s->o, 97);
}

static unsigned good_one_gets_in(struct scene *s, struct rte_mbuf *good)
{
	struct rte_mbuf *sent = rig_packet_for(&s->o, 97, 97);
	bool in = accepted(&s->p, good, sent);

	rte_pktmbuf_free(sent);
	return !in;
}

/* ---- a bit flipped ---- */

/* The flipped sequence number, when everything up to the initial one counts as received and the window is 64. */
static enum drop_reason sequence_outcome(const struct scene *s, const struct rte_mbuf *flipped)
{
	uint32_t top = (uint32_t)s->o.sequence;
	uint32_t low = load_be32(rte_pktmbuf_mtod_offset(flipped, const uint8_t *, s->outer + 4));

	return low <= top && top - low < 64 ? DROP_REPLAYED : DROP_BAD_ICV;
}

static unsigned check_bit_flips(struct scene *s)
{
	struct rte_mbuf *good = good_one(s);
	unsigned wrong = 0;

	/* to the last bit of the ICV; an AEAD authenticates the SPI that the SA was found by */
	uint32_t first = s->outer + (s->o.encr->flags & ALG_AEAD ? 4u : 0u);
	for (uint32_t bit = first * 8; bit < good->data_len * 8u; bit++) {
		struct rte_mbuf *m = rig_copy(good);
		rte_pktmbuf_mtod(m, uint8_t *)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		bool sequence = bit / 8 >= s->outer + 4u && bit / 8 < s->outer + 8u;
		wrong += !refused(&s->p, m, sequence ? sequence_outcome(s, m) : DROP_BAD_ICV);
	}
	return wrong + good_one_gets_in(s, good);
}

static void test_esp_suites_drop_bit_flip_anywhere(void)
{
	all_kinds(check_bit_flips);
}

/* Bytes of the outer header that ESP in tunnel mode does not protect and nothing depends on. */
static unsigned check_outer_flips(struct scene *s)
{
	static const uint8_t bytes4[] = { 1, 4, 5, 8, 10, 11, 12, 15, 16, 19 },
			     bytes6[] = { 1, 2, 3, 7, 8, 23, 24, 39 };
	const uint8_t *bytes = s->o.outer6 ? bytes6 : bytes4;
	size_t n = s->o.outer6 ? sizeof(bytes6) : sizeof(bytes4);
	unsigned wrong = 0;

	if (s->o.transport)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct rte_mbuf *good = good_one(s);
		uint8_t dscp_only = s->o.outer6 ? (uint8_t)~0x30 : (uint8_t)~0x03;
		rte_pktmbuf_mtod(good, uint8_t *)[bytes[i]] ^= i ? 0x6d : 0x6d & dscp_only;
		wrong += good_one_gets_in(s, good);
	}
	return wrong;
}

static void test_esp_suites_accept_a_changed_outer_header_in_tunnel_mode(void)
{
	all_kinds(check_outer_flips);
}

static unsigned check_high_half(struct scene *s)
{
	static const uint64_t others[] = { 0x1fffffff9, 0x3fffffff9, 0xfffffff9, 0 };
	uint8_t text[48] = { 0x45 };
	unsigned wrong = 0;

	if (!s->o.esn)
		return 0;
	/* top is 0x1fffffff8: the low half is next in turn, what was sealed has another high half */
	for (size_t i = 1; i < ARRAY_LEN(others); i++) {
		struct rte_mbuf *m = rig_seal(&s->p, others[i], text, sizeof(text));
		store_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, s->outer + 4), (uint32_t)others[0]);
		wrong += !refused(&s->p, m, DROP_BAD_ICV);
	}
	return wrong + good_one_gets_in(s, good_one(s));
}

static void test_esp_suites_drop_wrong_high_half(void)
{
	all_kinds(check_high_half);
}

static unsigned check_esn_agreed(struct scene *s)
{
	struct kind k = *s->kind;
	struct scene other;
	unsigned wrong;

	k.esn = !k.esn;
	scene_open(&other, &k);
	rig_pair_close(&other.p);
	/* the same low half is next in turn for both */
	other.o.sequence = (uint32_t)s->o.sequence;
	rig_pair_open(&other.p, &other.o);
	wrong = !refused(&s->p, sealed(&other.p, &other.o, 97), DROP_BAD_ICV);
	wrong += !refused(&other.p, good_one(s), DROP_BAD_ICV);
	rig_pair_close(&other.p);
	return wrong;
}

static void test_esp_suites_drop_esn_without_and_without_esn(void)
{
	all_kinds(check_esn_agreed);
}

/* ---- lengths ---- */

static enum drop_reason cut_reason(const struct scene *s, uint16_t len)
{
	if (len < s->head + 2 + s->icv)
		return DROP_SHORT;
	return (len - s->head - s->icv) % s->block ? DROP_LENGTH : DROP_BAD_ICV;
}

static unsigned check_truncations(struct scene *s)
{
	struct rte_mbuf *good = good_one(s);
	uint16_t ip = s->o.outer6 ? 40 : 20;
	unsigned wrong = 0;

	for (uint16_t len = 0; len < good->data_len; len++) {
		/* with the lengths as they were */
		wrong += !refused(&s->p, rig_mbuf(rte_pktmbuf_mtod(good, void *), len), DROP_SHORT);
		if (len < ip)
			continue;
		/* and with lengths that fit */
		struct rte_mbuf *m = rig_mbuf(rte_pktmbuf_mtod(good, void *), len);
		rig_length_fit(m);
		wrong += !refused(&s->p, m, cut_reason(s, len));
	}
	return wrong + good_one_gets_in(s, good);
}

static void test_esp_suites_drop_every_truncation(void)
{
	all_kinds(check_truncations);
}

static unsigned check_lengthened(struct scene *s)
{
	struct rte_mbuf *good = good_one(s);
	unsigned wrong = 0;

	for (uint16_t more = 1; more <= 2 * s->block; more++) {
		struct rte_mbuf *m = rig_copy(good);
		memset(rte_pktmbuf_append(m, more), 0, more);
		rig_length_fit(m);
		wrong += !refused(&s->p, m, more % s->block ? DROP_LENGTH : DROP_BAD_ICV);
	}
	return wrong + good_one_gets_in(s, good);
}

static void test_esp_suites_drop_what_was_made_longer(void)
{
	all_kinds(check_lengthened);
}

static unsigned check_lying_lengths(struct scene *s)
{
	uint16_t ip = s->o.outer6 ? 40 : 20, at = s->o.outer6 ? 4 : 2, less = s->o.outer6 ? 40 : 0;
	struct rte_mbuf *good = good_one(s), *m;
	unsigned wrong = 0;

	for (uint32_t length = 0; length < s->head + 2u + s->icv - less; length++) {
		m = rig_copy(good);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, at), (uint16_t)length);
		wrong += !refused(&s->p, m, DROP_SHORT);
	}
	/* a datagram longer than the packet around it, or too short for its own header and ESP */
	for (uint32_t length = 0; s->o.udp && length < 8u + s->head - s->outer + 2 + s->icv; length++) {
		m = rig_copy(good);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, ip + 4), (uint16_t)length);
		wrong += !refused(&s->p, m, DROP_SHORT);
	}
	if (s->o.udp) {
		m = rig_copy(good);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, ip + 4), (uint16_t)(good->data_len - ip + 1));
		wrong += !refused(&s->p, m, DROP_SHORT);
	}
	m = rig_copy(good);
	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, at), 0xffff);
	wrong += !refused(&s->p, m, DROP_SHORT);
	return wrong + good_one_gets_in(s, good);
}

static void test_esp_suites_drop_lying_lengths(void)
{
	all_kinds(check_lying_lengths);
}

/* ---- contents under the right key ---- */

static uint8_t version_header(const struct scene *s)
{
	return s->o.transport ? IPPROTO_UDP : s->o.inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

/* What the kind protects: the inner packet, or what follows the IP header. Returns its bytes. */
static uint16_t inner_build(const struct scene *s, uint16_t bytes, uint8_t *ret_data)
{
	struct rte_mbuf *m = rig_packet_for(&s->o, bytes, 3);
	uint16_t skip = s->o.transport ? s->o.outer6 ? 40 : 20 : 0;

	memcpy(ret_data, rte_pktmbuf_mtod_offset(m, void *, skip), bytes - skip);
	rte_pktmbuf_free(m);
	return bytes - skip;
}

/* The same with a trailer of so much padding. */
static uint16_t trailer_put(uint8_t *data, uint16_t bytes, uint16_t pad, uint8_t next_header)
{
	for (uint16_t i = 0; i < pad; i++)
		data[bytes + i] = (uint8_t)(i + 1);
	data[bytes + pad] = (uint8_t)pad;
	data[bytes + pad + 1] = next_header;
	return (uint16_t)(bytes + pad + 2);
}

/* Padding that makes text of whole blocks. */
static uint16_t pad_for(const struct scene *s, uint16_t bytes)
{
	return (uint16_t)(-(bytes + 2) & (s->block - 1));
}

static unsigned payload_wrong(struct scene *s, const uint8_t *text, uint16_t bytes, enum drop_reason reason)
{
	return !refused_inside(&s->p, ++s->sequence, text, bytes, reason);
}

/* A packet whose text is this comes out as the one of `bytes` bytes. */
static unsigned payload_lost(struct scene *s, const uint8_t *text, uint16_t text_bytes, uint16_t bytes)
{
	struct rte_mbuf *sent = rig_packet_for(&s->o, bytes, 3);
	struct rte_mbuf *m = rig_seal(&s->p, ++s->sequence, text, text_bytes);

	bool lost = !accepted(&s->p, m, sent);
	rte_pktmbuf_free(sent);
	return lost;
}

static unsigned check_padding(struct scene *s)
{
	uint8_t text[600];
	uint16_t bytes, pad, len;
	unsigned wrong = 0;

	bytes = inner_build(s, 120, text);
	/* the most that fits whole blocks and one byte is right */
	pad = (uint16_t)(240 + pad_for(s, bytes));
	if (pad > 255)
		pad -= s->block;
	len = trailer_put(text, bytes, pad, version_header(s));
	wrong += payload_lost(s, text, len, 120);
	for (uint16_t i = 0; i < pad; i++) {
		text[bytes + i] ^= (uint8_t)(1 << i % 8);
		wrong += payload_wrong(s, text, len, DROP_BAD_PAD);
		text[bytes + i] ^= (uint8_t)(1 << i % 8);
	}
	/* longer than the text */
	len = trailer_put(text, bytes, pad_for(s, bytes), version_header(s));
	for (int longer = len - 1; longer < 256; longer++) {
		text[len - 2] = (uint8_t)longer;
		wrong += payload_wrong(s, text, len, DROP_BAD_PAD);
	}
	return wrong;
}

static void test_esp_suites_drop_padding(void)
{
	all_kinds(check_padding);
}

static unsigned check_dummies(struct scene *s)
{
	uint8_t text[64] = { 0 };
	unsigned wrong = 0;

	/* RFC 4303 2.6: no contents, some, and any */
	wrong += payload_wrong(s, text, trailer_put(text, 0, pad_for(s, 0), 59), DROP_DUMMY);
	memset(text, 0xa5, 31);
	wrong += payload_wrong(s, text, trailer_put(text, 31, pad_for(s, 31), 59), DROP_DUMMY);
	uint16_t bytes = inner_build(s, 62, text);
	wrong += payload_wrong(s, text, trailer_put(text, bytes, pad_for(s, bytes), 59), DROP_DUMMY);
	return wrong;
}

static void test_esp_suites_drop_dummies(void)
{
	all_kinds(check_dummies);
}

/* RFC 4303 2.7: what the inner packet's length leaves over is padding of any contents. */
static unsigned check_flow_padding(struct scene *s)
{
	uint8_t text[600];
	unsigned wrong = 0;

	if (s->o.transport)
		return 0;
	for (uint16_t more = 1; more < 300; more += 37) {
		uint16_t bytes = inner_build(s, 120, text);
		memset(text + bytes, 0xee, more);
		bytes += more;
		wrong += payload_lost(s, text, trailer_put(text, bytes, pad_for(s, bytes), version_header(s)), 120);
	}
	return wrong;
}

static void test_esp_suites_cut_flow_padding(void)
{
	all_kinds(check_flow_padding);
}

static enum drop_reason tunnel_next_reason(uint8_t next)
{
	if (next == 59)
		return DROP_DUMMY;
	return next == IPPROTO_IPIP || next == IPPROTO_IPV6 ? DROP_INNER_HEADER : DROP_NEXT_HEADER;
}

/* Tunnel mode knows two, and each names its own version; in transport mode everything is an upper layer. */
static unsigned check_next_headers(struct scene *s)
{
	uint8_t text[200];
	unsigned wrong = 0;

	for (int next = 0; next < 256; next++) {
		uint16_t bytes = inner_build(s, 80, text);
		uint16_t len = trailer_put(text, bytes, pad_for(s, bytes), (uint8_t)next);
		if (!s->o.transport && next != version_header(s))
			wrong += payload_wrong(s, text, len, tunnel_next_reason((uint8_t)next));
		if (!s->o.transport || next == 59)
			continue;
		struct rte_mbuf *m = rig_seal(&s->p, ++s->sequence, text, len);
		wrong += rig_in(&s->p, m) != DROP_NONE || m->data_len != 80;
		wrong += rte_pktmbuf_mtod(m, const uint8_t *)[s->o.outer6 ? 6 : 9] != next;
		rte_pktmbuf_free(m);
	}
	return wrong;
}

static void test_esp_suites_next_headers(void)
{
	all_kinds(check_next_headers);
}

static unsigned inner_refused(struct scene *s, uint8_t *text, uint16_t bytes, enum drop_reason reason)
{
	return payload_wrong(s, text, trailer_put(text, bytes, pad_for(s, bytes), version_header(s)), reason);
}

static bool first_byte_wrong(const struct scene *s, uint8_t first, uint16_t bytes)
{
	uint8_t version = first >> 4, ihl = first & 15;

	return s->o.inner6 ? version != 6 : version != 4 || ihl < 5 || ihl * 4 > bytes;
}

static unsigned check_inner_headers(struct scene *s)
{
	uint16_t header = s->o.inner6 ? 40 : 20, bytes = header + 8, at = s->o.inner6 ? 4 : 2;
	uint8_t text[200];
	unsigned wrong = 0;

	if (s->o.transport)
		return 0;
	for (uint16_t less = 0; less < header; less++) {
		inner_build(s, bytes, text);
		wrong += inner_refused(s, text, less, DROP_INNER_HEADER);
	}
	for (int first = 0; first < 256; first++) {
		inner_build(s, bytes, text);
		text[0] = (uint8_t)first;
		if (first_byte_wrong(s, (uint8_t)first, bytes))
			wrong += inner_refused(s, text, bytes, DROP_INNER_HEADER);
	}
	inner_build(s, bytes, text);
	store_be16(text + at, (uint16_t)(load_be16(text + at) + 1));
	wrong += inner_refused(s, text, bytes, DROP_INNER_HEADER);
	inner_build(s, bytes, text);
	store_be16(text + at, 0xffff);
	wrong += inner_refused(s, text, bytes, DROP_INNER_HEADER);
	return wrong;
}

static void test_esp_suites_drop_inner_headers(void)
{
	all_kinds(check_inner_headers);
}

static unsigned check_selectors(struct scene *s)
{
	uint16_t source = s->o.inner6 ? 8 : 12, address = s->o.inner6 ? 16 : 4, last = s->o.inner6 ? 5 : 1;
	uint8_t text[200];
	unsigned wrong = 0;

	if (s->o.transport)
		return 0;
	/* every byte of both prefixes */
	for (uint16_t at = source; at <= source + address; at += address)
		for (uint16_t byte = 0; byte <= last; byte++) {
			uint16_t bytes = inner_build(s, 90, text);
			text[at + byte] ^= 1;
			wrong += inner_refused(s, text, bytes, DROP_SELECTOR_IN);
		}
	return wrong;
}

static void test_esp_suites_drop_selectors(void)
{
	all_kinds(check_selectors);
}

/* An inner packet of a family that the SA has no selectors of, valid in itself. */
static unsigned check_other_family(struct scene *s)
{
	struct scene other = *s;
	uint8_t text[200];

	if (s->o.transport)
		return 0;
	other.o.inner6 = !s->o.inner6;
	uint16_t bytes = inner_build(&other, 90, text);
	return payload_wrong(
		s, text, trailer_put(text, bytes, pad_for(s, bytes), version_header(&other)), DROP_SELECTOR_IN);
}

static void test_esp_suites_drop_the_other_inner_family(void)
{
	all_kinds(check_other_family);
}

/* ---- selectors of protocol and ports ---- */

/* Reason of an IPv6 inner packet of 60 bytes, changed by mangle, against these selectors in tunnel mode. */
static enum drop_reason with_selectors6(const char *local, const char *remote, void (*mangle)(uint8_t *inner))
{
	struct kind k = { "null", "sha256", .inner6 = true };
	struct scene s;
	uint8_t text[200];

	scene_open(&s, &k);
	rig_pair_close(&s.p);
	s.o.local = local;
	s.o.remote = remote;
	rig_pair_open(&s.p, &s.o);
	uint16_t bytes = inner_build(&s, 60, text);
	store_be16(text + 40, 1000);
	store_be16(text + 42, 2000);
	if (mangle)
		mangle(text);
	struct rte_mbuf *m = rig_seal(&s.p, 1, text, trailer_put(text, bytes, pad_for(&s, bytes), IPPROTO_IPV6));
	enum drop_reason reason = rig_in(&s.p, m);
	rte_pktmbuf_free(m);
	rig_pair_close(&s.p);
	return reason;
}

static void make_tcp(uint8_t *inner)
{
	inner[6] = IPPROTO_TCP;
}

static void make_echo(uint8_t *inner)
{
	inner[6] = IPPROTO_ICMPV6;
	inner[40] = 128;
	inner[41] = 0;
}

/* Hop-by-hop options in front of UDP 2000 to 2000. */
static void make_hop_by_hop(uint8_t *inner)
{
	const uint8_t extension[12] = { IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0, 0x03, 0xe8, 0x07, 0xd0 };

	inner[6] = IPPROTO_HOPOPTS;
	memcpy(inner + 40, extension, sizeof(extension));
}

static void make_broken_chain(uint8_t *inner)
{
	make_hop_by_hop(inner);
	inner[41] = 200;
}

static void make_first_fragment(uint8_t *inner)
{
	make_hop_by_hop(inner);
	inner[6] = IPPROTO_FRAGMENT;
	inner[42] = 0;
	inner[43] = 1;
}

static void make_later_fragment(uint8_t *inner)
{
	make_first_fragment(inner);
	inner[43] = 9;
}

static void make_short_udp(uint8_t *inner)
{
	inner[5] = 3;
}

#define A RIG_LOCAL6
#define B RIG_REMOTE6

static void test_esp_suites_ipv6_protocol_and_port_selectors(void)
{
	static const struct {
		const char *local, *remote;
		void (*mangle)(uint8_t *inner);
		enum drop_reason reason;
	} rows[] = {
		{ A "[udp/1000]", B "[udp/2000]", NULL, DROP_NONE },
		{ A "[udp/1001]", B "[udp]", NULL, DROP_SELECTOR_IN },
		{ A "[udp]", B "[udp/1000]", NULL, DROP_SELECTOR_IN },
		{ A "[udp]", B "[udp]", make_tcp, DROP_SELECTOR_IN },
		{ A "[udp/1000]", B "[udp/2000]", make_hop_by_hop, DROP_NONE },
		{ A "[udp/1000]", B "[udp/2000]", make_broken_chain, DROP_SELECTOR_IN },
		{ A "[udp/1000]", B "[udp/2000]", make_first_fragment, DROP_NONE },
		/* of fragments only the addresses: whoever puts them together asks for the ports of the whole */
		{ A "[udp/1000]", B "[udp/2000]", make_later_fragment, DROP_NONE },
		{ A "[udp/1000]", A "[udp/2000]", make_later_fragment, DROP_SELECTOR_IN },
		{ A "[udp]", B "[udp]", make_later_fragment, DROP_NONE },
		{ A "[udp/opaque]", B "[udp/opaque]", make_later_fragment, DROP_NONE },
		{ A "[udp/opaque]", B "[udp/opaque]", NULL, DROP_SELECTOR_IN },
		{ A "[udp]", B "[udp/2000]", make_short_udp, DROP_SELECTOR_IN },
		{ A "[ipv6-icmp/128/0]", B, make_echo, DROP_NONE },
		{ A "[ipv6-icmp/0/0]", B, make_echo, DROP_SELECTOR_IN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CU_ASSERT_EQUAL(with_selectors6(rows[i].local, rows[i].remote, rows[i].mangle), rows[i].reason);
}

static unsigned check_transport_selectors(struct scene *s)
{
	struct rig_options o = s->o;
	uint8_t text[200];
	unsigned wrong = 0;

	if (!o.transport)
		return 0;
	rig_pair_close(&s->p);
	o.local = o.outer6 ? RIG_LEFT6 "[udp/1000]" : RIG_LEFT4 "[udp/1000]";
	o.remote = o.outer6 ? RIG_RIGHT6 "[udp/2000]" : RIG_RIGHT4 "[udp/2000]";
	rig_pair_open(&s->p, &o);
	memset(text, 0, sizeof(text));
	store_be16(text, 1000);
	store_be16(text + 2, 2000);
	struct rte_mbuf *m = rig_seal(&s->p, ++s->sequence, text, trailer_put(text, 30, pad_for(s, 30), IPPROTO_UDP));
	wrong += rig_in(&s->p, m) != DROP_NONE;
	rte_pktmbuf_free(m);
	wrong += payload_wrong(s, text, trailer_put(text, 30, pad_for(s, 30), IPPROTO_TCP), DROP_SELECTOR_IN);
	store_be16(text, 1001);
	wrong += payload_wrong(s, text, trailer_put(text, 30, pad_for(s, 30), IPPROTO_UDP), DROP_SELECTOR_IN);
	/* the outer addresses are the packet's, and ESP does not cover them */
	store_be16(text, 1000);
	m = rig_seal(&s->p, ++s->sequence, text, trailer_put(text, 30, pad_for(s, 30), IPPROTO_UDP));
	rte_pktmbuf_mtod(m, uint8_t *)[s->o.outer6 ? 23 : 15] ^= 1;
	wrong += !refused_authentic(&s->p, m, s->sequence, DROP_SELECTOR_IN);
	return wrong;
}

static void test_esp_suites_transport_selectors(void)
{
	all_kinds(check_transport_selectors);
}

/* ---- fragments, encapsulation ---- */

/* An IPv6 packet with a fragment header behind its own. */
static struct rte_mbuf *fragment6(struct rte_mbuf *m, uint16_t word)
{
	uint8_t data[RIG_ROOM] = { 0 };
	uint16_t len = m->data_len;

	memcpy(data, rte_pktmbuf_mtod(m, void *), 40);
	memcpy(data + 48, rte_pktmbuf_mtod_offset(m, void *, 40), len - 40u);
	data[40] = data[6];
	data[6] = IPPROTO_FRAGMENT;
	store_be16(data + 42, word);
	rte_pktmbuf_free(m);
	m = rig_mbuf(data, (uint16_t)(len + 8));
	rig_length_fit(m);
	return m;
}

static struct rte_mbuf *fragment_of(const struct scene *s, struct rte_mbuf *m, uint16_t word)
{
	if (s->o.outer6)
		return fragment6(m, word);
	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), word);
	return m;
}

static unsigned check_fragments(struct scene *s)
{
	static const uint16_t words4[] = { 0x2000, 1, 0x1fff, 0x6001 }, words6[] = { 1, 8, 0xfff8, 0xfff9 };
	const uint16_t *words = s->o.outer6 ? words6 : words4;
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(words4); i++)
		wrong += !refused(&s->p, fragment_of(s, good_one(s), words[i]), DROP_FRAGMENT);
	for (size_t i = 0; i < ARRAY_LEN(words4) && s->o.transport; i++) {
		struct rte_mbuf *m = rig_packet_for(&s->o, 97, 0);
		wrong += !refused_out(&s->p, fragment_of(s, m, words[i]), DROP_FRAGMENT);
	}
	return wrong;
}

static void test_esp_suites_drop_fragments(void)
{
	all_kinds(check_fragments);
}

/* RFC 6946: a fragment that is all of its datagram is processed like one without the header. */
static unsigned check_atomic_fragment(struct scene *s)
{
	unsigned wrong = 0;

	if (!s->o.outer6)
		return 0;
	struct rte_mbuf *m = fragment6(good_one(s), 0);
	wrong += rig_in(&s->p, m) != DROP_NONE;
	rte_pktmbuf_free(m);
	/* sent, the header is taken away (RFC 4302 A2) */
	if (s->o.transport) {
		m = fragment6(rig_packet_for(&s->o, 97, 0), 0);
		wrong += rig_through(&s->p, m) != DROP_NONE || m->data_len != 97;
		rte_pktmbuf_free(m);
	}
	return wrong;
}

static void test_esp_suites_atomic_fragment(void)
{
	all_kinds(check_atomic_fragment);
}

/* Extension headers that reach behind the end which the IPv6 header names. */
static unsigned check_extension_beyond_the_end(struct scene *s)
{
	uint16_t least = (uint16_t)(8 + s->head - 40 + 2 + s->icv);
	unsigned wrong = 0;

	for (uint16_t length = 0; length < least && s->o.outer6; length++) {
		struct rte_mbuf *m = fragment6(good_one(s), 0);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 4), length);
		wrong += !refused(&s->p, m, DROP_SHORT);
	}
	return wrong;
}

static void test_esp_suites_drop_extension_beyond_the_end(void)
{
	all_kinds(check_extension_beyond_the_end);
}

/* RFC 8200 4.4: with segments left the packet is on its way to somebody else. */
static unsigned check_routing(struct scene *s)
{
	unsigned wrong = 0;

	for (uint8_t left = 0; left < 3 && s->o.outer6; left++) {
		struct rte_mbuf *m = fragment6(good_one(s), 0);
		uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
		ip[6] = IPPROTO_ROUTING;
		ip[42] = 4;
		ip[43] = left;
		if (left) {
			wrong += !refused(&s->p, m, DROP_IP_HEADER);
			continue;
		}
		wrong += rig_in(&s->p, m) != DROP_NONE;
		rte_pktmbuf_free(m);
	}
	return wrong;
}

static void test_esp_suites_drop_routing_on_its_way(void)
{
	all_kinds(check_routing);
}

static unsigned check_encapsulation(struct scene *s)
{
	struct kind k = *s->kind;
	struct scene other, natt;
	unsigned wrong = 0;

	k.udp = !k.udp;
	scene_open(&other, &k);
	scene_open(&natt, &k);
	rig_pair_close(&natt.p);
	natt.o.natt = true;
	rig_pair_open(&natt.p, &natt.o);
	wrong += !refused(&s->p, good_one(&other), DROP_ENCAP);
	wrong += !refused(&other.p, good_one(s), DROP_ENCAP);
	/* with NAT traversal either form is right: the third and the fourth packet */
	rte_pktmbuf_free(good_one(&other));
	wrong += good_one_gets_in(&natt, good_one(s));
	wrong += good_one_gets_in(&natt, good_one(&other));
	rig_pair_close(&other.p);
	rig_pair_close(&natt.p);
	return wrong;
}

static void test_esp_suites_drop_encapsulation_that_does_not_fit(void)
{
	all_kinds(check_encapsulation);
}

static unsigned check_replay(struct scene *s)
{
	enum drop_reason old = s->o.esn ? DROP_BAD_ICV : DROP_TOO_OLD;
	struct rte_mbuf *m[100];
	unsigned wrong = 0;

	for (int i = 0; i < 100; i++) {
		m[i] = good_one(s);
		if (i != 0 && i != 20)
			wrong += good_one_gets_in(s, rig_copy(m[i]));
	}
	for (int i = 0; i < 100; i++)
		wrong += !refused(&s->p, m[i], i < 36 ? old : DROP_REPLAYED);
	return wrong;
}

static void test_esp_suites_drop_replay_and_too_old(void)
{
	all_kinds(check_replay);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_esp_suites_drop_bit_flip_anywhere),
		TEST(test_esp_suites_accept_a_changed_outer_header_in_tunnel_mode),
		TEST(test_esp_suites_drop_wrong_high_half),
		TEST(test_esp_suites_drop_esn_without_and_without_esn),
		TEST(test_esp_suites_drop_every_truncation),
		TEST(test_esp_suites_drop_what_was_made_longer),
		TEST(test_esp_suites_drop_lying_lengths),
		TEST(test_esp_suites_drop_padding),
		TEST(test_esp_suites_drop_dummies),
		TEST(test_esp_suites_cut_flow_padding),
		TEST(test_esp_suites_next_headers),
		TEST(test_esp_suites_drop_inner_headers),
		TEST(test_esp_suites_drop_selectors),
		TEST(test_esp_suites_drop_the_other_inner_family),
		TEST(test_esp_suites_ipv6_protocol_and_port_selectors),
		TEST(test_esp_suites_transport_selectors),
		TEST(test_esp_suites_drop_fragments),
		TEST(test_esp_suites_atomic_fragment),
		TEST(test_esp_suites_drop_extension_beyond_the_end),
		TEST(test_esp_suites_drop_routing_on_its_way),
		TEST(test_esp_suites_drop_encapsulation_that_does_not_fit),
		TEST(test_esp_suites_drop_replay_and_too_old),
	};

	rig_eal();
	return test_main("ipsec_esp_suites_drops", tests, ARRAY_LEN(tests), argc, argv);
}
