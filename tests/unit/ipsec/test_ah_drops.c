/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything that AH must refuse, in both modes and over both families: each case ends in its own drop reason, counted
 * once on the SA, and changes nothing else. What it must let pass although it changed on the way (RFC 4302 3.3.3.1) is
 * here too; IPv4 options and IPv6 extension headers are in test_ah_headers.c. */
#include "harness.h"
#include "refusal.h"

/* Every ICV length and padding, both modes, every pair of families, with and without ESN. */
static const struct kind {
	const char *integ;
	bool transport, outer6, inner6, esn;
} kinds[] = {
	{ "sha1", .transport = false },
	{ "sha256", .esn = true },
	{ "sha384", .outer6 = true },
	{ "sha512", .inner6 = true, .esn = true },
	{ "aesxcbc", .outer6 = true, .inner6 = true, .esn = true },
	{ "aescmac", .transport = true },
	{ "sha256", .transport = true, .outer6 = true },
	{ "sha384", .transport = true, .esn = true },
	{ "aes128gmac", .transport = true, .outer6 = true, .esn = true },
	{ "aes256gmac", .outer6 = false },
};

static struct rig_options options_of(const struct kind *k)
{
	struct rig_options o = rig_suite(NULL, k->integ);

	o.transport = k->transport;
	o.outer6 = k->outer6;
	o.inner6 = k->inner6;
	o.esn = k->esn;
	o.sequence = k->esn ? 0x1fffffff8 : 0;
	return o;
}

static uint16_t outer_bytes(const struct rig_options *o)
{
	return o->outer6 ? 40 : 20;
}

/* Length of AH with its padding, from what is in its second byte. */
static uint16_t ah_bytes_of(const struct rig_options *o, const struct rte_mbuf *m)
{
	return (uint16_t)((rte_pktmbuf_mtod(m, const uint8_t *)[outer_bytes(o) + 1] + 2) * 4);
}

/* ---- a bit flipped anywhere ---- */

#define MUTABLE REASON(DROP_NONE)
/* Of a header of another length: the sequence number too is something else, of the ICV for example. */
#define MISREAD                                                                                                        \
	(REASON(DROP_SHORT) | REASON(DROP_LENGTH) | REASON(DROP_ENCAP) | REASON(DROP_BAD_ICV) |                        \
		REASON(DROP_FRAGMENT) | REASON(DROP_REPLAYED) | REASON(DROP_TOO_OLD))

/* What becomes of a packet with one of these bits flipped; what is not here is covered by the ICV alone. */
struct field {
	uint8_t from, to; /* bytes, inclusive */
	uint8_t mask;
	uint64_t outcome;
};

/* RFC 4302 3.3.3.1.1 */
static const struct field fields4[] = {
	{ 0, 0, 0xff, MISREAD }, /* version and header length: the rest is read as something else */
	{ 1, 1, 0xff, MUTABLE }, /* DSCP and ECN */
	{ 2, 3, 0xff, REASON(DROP_SHORT) | REASON(DROP_BAD_ICV) }, { 6, 6, 0xc0, MUTABLE }, /* reserved, DF */
	{ 6, 6, 0x3f, REASON(DROP_FRAGMENT) },                                              /* MF, offset */
	{ 7, 7, 0xff, REASON(DROP_FRAGMENT) }, { 8, 8, 0xff, MUTABLE },                     /* TTL */
	{ 9, 9, 0xff, REASON(DROP_ENCAP) }, { 10, 11, 0xff, MUTABLE },                      /* checksum */
};

/* RFC 4302 3.3.3.1.2.1 */
static const struct field fields6[] = {
	{ 0, 0, 0xf0, MISREAD }, { 0, 0, 0x0f, MUTABLE }, /* traffic class, flow label */
	{ 1, 3, 0xff, MUTABLE }, { 4, 5, 0xff, REASON(DROP_SHORT) | REASON(DROP_BAD_ICV) },
	{ 6, 6, 0xff, REASON(DROP_ENCAP) }, { 7, 7, 0xff, MUTABLE }, /* hop limit */
};

/* RFC 4302 2; from AH on */
static const struct field fields_ah[] = {
	{ 1, 1, 0xff, REASON(DROP_LENGTH) },
};

static uint64_t field_outcome(const struct field *fields, size_t n, uint32_t byte, uint8_t bit)
{
	for (size_t i = 0; i < n; i++)
		if (byte >= fields[i].from && byte <= fields[i].to && fields[i].mask & bit)
			return fields[i].outcome;
	return REASON(DROP_BAD_ICV);
}

/* The flipped sequence number, when everything up to `top` counts as received and the window is 64. */
static uint64_t sequence_outcome(const struct rig_options *o, const struct rte_mbuf *flipped)
{
	uint32_t low = load_be32(rte_pktmbuf_mtod_offset(flipped, const uint8_t *, outer_bytes(o) + 8));
	uint32_t behind = (uint32_t)o->sequence - low;

	return REASON(behind < 64 && low <= (uint32_t)o->sequence ? DROP_REPLAYED : DROP_BAD_ICV);
}

static uint64_t flip_outcome(const struct rig_options *o, const struct rte_mbuf *flipped, uint32_t byte, uint8_t bit)
{
	uint32_t ah = outer_bytes(o);

	if (byte >= ah + 8 && byte < ah + 12)
		return sequence_outcome(o, flipped);
	if (byte >= ah)
		return field_outcome(fields_ah, ARRAY_LEN(fields_ah), byte - ah, bit);
	if (o->outer6)
		return field_outcome(fields6, ARRAY_LEN(fields6), byte, bit);
	return field_outcome(fields4, ARRAY_LEN(fields4), byte, bit);
}

static struct rte_mbuf *flipped_copy(const struct rte_mbuf *m, uint32_t byte, uint8_t bit)
{
	struct rte_mbuf *copy = rig_copy(m);

	rte_pktmbuf_mtod(copy, uint8_t *)[byte] ^= bit;
	return copy;
}

/* Bits whose flip was not refused as it should be; the packet gets in afterwards. */
static unsigned flips_wrong(const struct kind *k)
{
	const struct rig_options o = options_of(k);
	struct rig_pair p;
	unsigned wrong = 0;

	rig_pair_open(&p, &o);
	struct rte_mbuf *sent = rig_packet_for(&o, 97, 97), *good = sealed(&p, &o, 97);
	for (uint32_t bit = 0; bit < good->data_len * 8u; bit++) {
		uint8_t mask = (uint8_t)(1 << bit % 8);
		struct rte_mbuf *m = flipped_copy(good, bit / 8, mask);
		uint64_t outcome = flip_outcome(&o, m, bit / 8, mask);
		if (outcome == MUTABLE)
			rte_pktmbuf_free(m);
		else
			wrong += !refused_any(&p, m, outcome);
	}
	wrong += !accepted(&p, good, sent);
	rte_pktmbuf_free(sent);
	rig_pair_close(&p);
	return wrong;
}

static void test_ah_drops_bit_flip_anywhere(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		CU_ASSERT_EQUAL(flips_wrong(&kinds[i]), 0);
}

/* In tunnel mode the outer header is thrown away; in transport mode it is the packet's, changed as it came, with the
 * IPv4 checksum to match. */
static struct rte_mbuf *expected_after(const struct rig_options *o, uint32_t byte, uint8_t bit)
{
	struct rte_mbuf *m = rig_packet_for(o, 97, 97);

	if (!o->transport)
		return m;
	rte_pktmbuf_mtod(m, uint8_t *)[byte] ^= bit;
	if (!o->outer6)
		rig_checksum(rte_pktmbuf_mtod(m, struct rte_ipv4_hdr *));
	return m;
}

static unsigned mutable_flips_wrong(const struct kind *k, unsigned *ret_count)
{
	const struct rig_options o = options_of(k);
	struct rig_pair p;
	unsigned wrong = 0;

	*ret_count = 0;
	rig_pair_open(&p, &o);
	for (uint32_t bit = 0; bit < outer_bytes(&o) * 8u; bit++) {
		uint8_t mask = (uint8_t)(1 << bit % 8);
		struct rte_mbuf *good = sealed(&p, &o, 97), *m = flipped_copy(good, bit / 8, mask);
		if (flip_outcome(&o, m, bit / 8, mask) == MUTABLE) {
			struct rte_mbuf *expected = expected_after(&o, bit / 8, mask);
			wrong += !accepted(&p, rig_copy(m), expected);
			rte_pktmbuf_free(expected);
			++*ret_count;
		}
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(good);
	}
	rig_pair_close(&p);
	return wrong;
}

static void test_ah_accepts_a_flipped_bit_of_mutable_fields(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		unsigned count;
		CU_ASSERT_EQUAL(mutable_flips_wrong(&kinds[i], &count), 0);
		/* IPv4: TOS, two flags, TTL, checksum; IPv6: traffic class, flow label, hop limit */
		CU_ASSERT_EQUAL(count, kinds[i].outer6 ? 8 + 20 + 8 : 8 + 2 + 8 + 16);
	}
}

/* ---- keys, numbers ---- */

static void test_ah_drops_other_key(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct sa_spec spec;
		struct rig_pair p;
		const char *reason;

		rig_pair_open(&p, &o);
		rig_spec(&o, SA_OUT, &spec);
		/* the last byte: with GMAC that is the salt */
		((uint8_t *)(uintptr_t)spec.integ_key.data)[spec.integ_key.len - 1] ^= 1;
		struct sa *other = sa_create(p.out_ips, &spec, rig_path(&spec), &reason);
		CU_ASSERT_PTR_NOT_NULL_FATAL(other);
		sa_spec_done(&spec);
		struct burst_item item = { .m = rig_packet_for(&o, 100, 0), .sa = other };
		CU_ASSERT_EQUAL(burst_out(p.out_worker, &item, 1), 1);
		CU_ASSERT_TRUE(refused(&p, item.m, DROP_BAD_ICV));
		sa_free(other);
		rig_pair_close(&p);
	}
}

static void test_ah_drops_esn_without_and_without_esn(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct rig_options with = options_of(&kinds[i]), without = with;
		struct rig_pair p, q;

		with.sequence = without.sequence = 7;
		with.esn = true;
		without.esn = false;
		rig_pair_open(&p, &with);
		rig_pair_open(&q, &without);
		CU_ASSERT_TRUE(refused(&p, sealed(&q, &without, 100), DROP_BAD_ICV));
		CU_ASSERT_TRUE(refused(&q, sealed(&p, &with, 100), DROP_BAD_ICV));
		rig_pair_close(&p);
		rig_pair_close(&q);
	}
}

/* A packet of the pair with the number of our choice, otherwise as we send it. */
static struct rte_mbuf *numbered(struct rig_pair *p, const struct rig_options *o, uint64_t sequence)
{
	struct rte_mbuf *inner = rig_packet_for(o, 100, 0), *m;
	uint16_t skip = o->transport ? outer_bytes(o) : 0;
	uint8_t header[40];
	const struct rig_ah a = {
		.sequence = sequence,
		.header = header,
		.header_bytes = rig_ah_header(p, header),
		.next_header = o->transport ? IPPROTO_UDP
			       : o->inner6  ? IPPROTO_IPV6
					    : IPPROTO_IPIP,
		.payload = rte_pktmbuf_mtod_offset(inner, void *, skip),
		.bytes = (uint16_t)(100 - skip),
	};

	m = rig_seal_ah(p, &a);
	rte_pktmbuf_free(inner);
	return m;
}

static void test_ah_drops_wrong_high_half(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		if (!o.esn)
			continue;
		o.sequence = 0x500000000;
		rig_pair_open(&p, &o);
		CU_ASSERT_TRUE(refused(&p, numbered(&p, &o, 0x400000001), DROP_BAD_ICV));
		CU_ASSERT_TRUE(refused(&p, numbered(&p, &o, 0x600000001), DROP_BAD_ICV));
		struct rte_mbuf *m = numbered(&p, &o, 0x500000001);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
}

static void test_ah_drops_replay_and_too_old(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rte_mbuf *m[100];
		struct rig_pair p;

		rig_pair_open(&p, &o);
		for (int k = 0; k < 100; k++) {
			m[k] = sealed(&p, &o, 100);
			if (k == 0 || k == 20)
				continue;
			struct rte_mbuf *copy = rig_copy(m[k]);
			CU_ASSERT_EQUAL(rig_in(&p, copy), DROP_NONE);
			rte_pktmbuf_free(copy);
		}
		/* with ESN, left of the window means 2^32 later, and that is not what was sealed */
		enum drop_reason old = o.esn ? DROP_BAD_ICV : DROP_TOO_OLD;
		for (int k = 0; k < 100; k++)
			CU_ASSERT_TRUE(refused(&p, m[k], k < 36 ? old : DROP_REPLAYED));
		rig_pair_close(&p);
	}
}

static void test_ah_drops_copies_in_one_burst(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct burst_item items[8];
		struct rig_pair p;

		rig_pair_open(&p, &o);
		struct rte_mbuf *m = sealed(&p, &o, 100);
		for (int k = 0; k < 8; k++)
			items[k] = (struct burst_item){ .m = rig_copy(m), .sa = p.in };
		CU_ASSERT_EQUAL(burst_in(p.in_worker, items, 8), 1);
		CU_ASSERT_EQUAL(rig_drops(p.in, DROP_REPLAYED), 7);
		for (int k = 0; k < 8; k++)
			rte_pktmbuf_free(items[k].m);
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
}

static void test_ah_drops_forged_sequence_does_not_move_the_window(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		struct rte_mbuf *m = sealed(&p, &o, 100), *forged = rig_copy(m);
		store_be32(rte_pktmbuf_mtod_offset(forged, uint8_t *, outer_bytes(&o) + 8), 0x70000000);
		CU_ASSERT_TRUE(refused(&p, forged, DROP_BAD_ICV));
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
}

/* ---- lengths ---- */

/* Bytes of a packet whose lengths were made to fit what is left of it. */
static enum drop_reason cut_reason(const struct rig_options *o, uint16_t len, uint16_t ah)
{
	return len < outer_bytes(o) + ah ? DROP_SHORT : DROP_BAD_ICV;
}

static unsigned truncations_wrong(const struct kind *k)
{
	const struct rig_options o = options_of(k);
	struct rig_pair p;
	unsigned wrong = 0;

	rig_pair_open(&p, &o);
	struct rte_mbuf *good = sealed(&p, &o, 60);
	uint16_t ah = ah_bytes_of(&o, good);
	for (uint16_t len = 0; len < good->data_len; len++) {
		/* with the lengths as they were */
		wrong += !refused(&p, rig_mbuf(rte_pktmbuf_mtod(good, void *), len), DROP_SHORT);
		/* and with lengths that fit */
		if (len < outer_bytes(&o))
			continue;
		struct rte_mbuf *m = rig_mbuf(rte_pktmbuf_mtod(good, void *), len);
		rig_length_fit(m);
		wrong += !refused(&p, m, cut_reason(&o, len, ah));
	}
	rte_pktmbuf_free(good);
	rig_pair_close(&p);
	return wrong;
}

static void test_ah_drops_every_truncation(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		CU_ASSERT_EQUAL(truncations_wrong(&kinds[i]), 0);
}

static void test_ah_drops_every_wrong_ah_length(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		struct rte_mbuf *good = sealed(&p, &o, 1200);
		uint16_t at = outer_bytes(&o) + 1;
		uint8_t right = rte_pktmbuf_mtod(good, uint8_t *)[at];
		for (int length = 0; length < 256; length++) {
			struct rte_mbuf *m = rig_copy(good);
			rte_pktmbuf_mtod(m, uint8_t *)[at] = (uint8_t)length;
			if (length == right)
				rte_pktmbuf_free(m);
			else
				CU_ASSERT_TRUE(refused(&p, m, DROP_LENGTH));
		}
		rte_pktmbuf_free(good);
		rig_pair_close(&p);
	}
}

/* AH longer than this SA's, and truthful about it. */
static void test_ah_drops_longer_ah_than_agreed(void)
{
	const struct rig_options long_one = rig_suite(NULL, "sha512"), o = rig_suite(NULL, "sha256");
	struct rig_pair p, q;

	rig_pair_open(&p, &o);
	rig_pair_open(&q, &long_one);
	CU_ASSERT_TRUE(refused(&p, sealed(&q, &long_one, 100), DROP_LENGTH));
	CU_ASSERT_TRUE(refused(&q, sealed(&p, &o, 100), DROP_LENGTH));
	rig_pair_close(&p);
	rig_pair_close(&q);
}

static void lying_length(struct rig_pair *p, const struct rte_mbuf *good, uint16_t at, uint32_t length)
{
	struct rte_mbuf *m = rig_copy(good);

	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, at), (uint16_t)length);
	CU_ASSERT_TRUE(refused(p, m, DROP_SHORT));
}

static void test_ah_drops_lying_ip_lengths(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		struct rte_mbuf *good = sealed(&p, &o, 60), *m;
		uint16_t at = o.outer6 ? 4 : 2, less = o.outer6 ? 40 : 0;
		uint32_t least = outer_bytes(&o) + ah_bytes_of(&o, good) - less;
		/* what ends before the ICV does; what is longer than what came */
		for (uint32_t length = 0; length < least; length++)
			lying_length(&p, good, at, length);
		lying_length(&p, good, at, good->data_len - less + 1u);
		lying_length(&p, good, at, 0xffff);
		for (uint8_t ihl = 0; ihl < 5 && !o.outer6; ihl++) {
			m = rig_copy(good);
			rte_pktmbuf_mtod(m, uint8_t *)[0] = 0x40 | ihl;
			CU_ASSERT_TRUE(refused(&p, m, DROP_SHORT));
		}
		rte_pktmbuf_free(good);
		rig_pair_close(&p);
	}
}

/* ---- encapsulation ---- */

/* The packet with a UDP header between IP and what follows. */
static struct rte_mbuf *in_udp(const struct rig_options *o, struct rte_mbuf *m)
{
	uint8_t data[RIG_ROOM] = { 0 };
	uint16_t header = outer_bytes(o), len = m->data_len;

	memcpy(data, rte_pktmbuf_mtod(m, void *), header);
	memcpy(data + header + 8, rte_pktmbuf_mtod_offset(m, void *, header), len - header);
	data[o->outer6 ? 6 : 9] = IPPROTO_UDP;
	store_be16(data + header, PORT_NATT);
	store_be16(data + header + 2, PORT_NATT);
	rte_pktmbuf_free(m);
	m = rig_mbuf(data, (uint16_t)(len + 8));
	rig_length_fit(m);
	return m;
}

static void test_ah_drops_encapsulation_that_does_not_fit(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options ah = options_of(&kinds[i]);
		struct rig_options esp = ah, natt;
		struct rig_pair p, q, r;

		esp.integ = NULL;
		natt = esp;
		natt.natt = true;
		rig_pair_open(&p, &ah);
		rig_pair_open(&q, &esp);
		rig_pair_open(&r, &natt);
		CU_ASSERT_TRUE(refused(&p, sealed(&q, &esp, 100), DROP_ENCAP));
		CU_ASSERT_TRUE(refused(&q, sealed(&p, &ah, 100), DROP_ENCAP));
		CU_ASSERT_TRUE(refused(&r, sealed(&p, &ah, 100), DROP_ENCAP));
		CU_ASSERT_TRUE(refused(&p, in_udp(&ah, sealed(&p, &ah, 100)), DROP_ENCAP));
		rig_pair_close(&p);
		rig_pair_close(&q);
		rig_pair_close(&r);
	}
}

/* RFC 3948 1: AH does not go into UDP; a path that says so is control's mistake, and nothing is sent unprotected. */
static void test_ah_drops_path_in_udp(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct path_spec spec;
		struct rig_pair p;

		rig_pair_open(&p, &o);
		spec = sa_path(p.out)->spec;
		spec.encap = SA_ENCAP_UDP;
		sa_path_publish(p.out_ips, p.out, path_create(&spec, 1500, 1, 2));
		CU_ASSERT_TRUE(refused_out(&p, rig_packet_for(&o, 100, 0), DROP_ENCAP));
		rig_pair_close(&p);
	}
}

/* ---- what is inside ---- */

/* The packet of `bytes` bytes at payload, protected by AH under this number. */
static struct rte_mbuf *wrapped(
	struct rig_pair *p, uint64_t sequence, uint8_t next_header, const void *payload, uint16_t bytes)
{
	uint8_t header[40];
	struct rig_ah a = { .sequence = sequence, .header = header, .next_header = next_header, .payload = payload };

	a.header_bytes = rig_ah_header(p, header);
	a.bytes = bytes;
	return rig_seal_ah(p, &a);
}

static bool refused_wrapped(struct rig_pair *p, uint64_t sequence, uint8_t next_header, const void *payload,
	uint16_t bytes, enum drop_reason reason)
{
	return refused_authentic(p, wrapped(p, sequence, next_header, payload, bytes), sequence, reason);
}

/* The inner packet of a kind as bytes. */
static uint16_t inner_build(const struct rig_options *o, uint16_t bytes, uint8_t *ret_data)
{
	struct rte_mbuf *m = rig_packet_for(o, bytes, 3);

	memcpy(ret_data, rte_pktmbuf_mtod(m, void *), bytes);
	rte_pktmbuf_free(m);
	return bytes;
}

static uint8_t version_header(const struct rig_options *o)
{
	return o->inner6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

static void test_ah_drops_next_headers_in_tunnel_mode(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		uint64_t sequence = o.sequence;
		uint8_t data[100];
		struct rig_pair p;

		if (o.transport)
			continue;
		rig_pair_open(&p, &o);
		inner_build(&o, 100, data);
		for (int next = 0; next < 256; next++) {
			bool ip = next == IPPROTO_IPIP || next == IPPROTO_IPV6;
			enum drop_reason reason = ip ? DROP_INNER_HEADER : DROP_NEXT_HEADER;
			if (next != version_header(&o))
				CU_ASSERT_TRUE(refused_wrapped(&p, ++sequence, (uint8_t)next, data, 100, reason));
		}
		rig_pair_close(&p);
	}
}

/* Every upper layer may be protected, and the packet says again which it is. */
static void test_ah_keeps_every_next_header_in_transport_mode(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		const uint8_t payload[8] = { 0x10, 0x20, 0x30, 0x40, 0, 8, 0, 0 };
		uint64_t sequence = o.sequence;
		struct rig_pair p;

		if (!o.transport)
			continue;
		rig_pair_open(&p, &o);
		for (int next = 0; next < 256; next++) {
			struct rte_mbuf *m = wrapped(&p, ++sequence, (uint8_t)next, payload, sizeof(payload));
			CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
			const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
			CU_ASSERT_EQUAL(ip[o.outer6 ? 6 : 9], next);
			CU_ASSERT_EQUAL(m->data_len, outer_bytes(&o) + sizeof(payload));
			CU_ASSERT_EQUAL(memcmp(ip + outer_bytes(&o), payload, sizeof(payload)), 0);
			CU_ASSERT_TRUE(o.outer6 || rte_raw_cksum(ip, 20) == 0xffff);
			rte_pktmbuf_free(m);
		}
		rig_pair_close(&p);
	}
}

static bool header_wrong(const struct rig_options *o, uint8_t first, uint16_t bytes)
{
	uint8_t version = first >> 4, ihl = first & 15;

	return o->inner6 ? version != 6 : version != 4 || ihl < 5 || ihl * 4 > bytes;
}

static void test_ah_drops_inner_headers(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		uint16_t header = o.inner6 ? 40 : 20, bytes = header + 8, at = o.inner6 ? 4 : 2;
		uint64_t sequence = o.sequence;
		uint8_t data[100], next = version_header(&o);
		struct rig_pair p;

		if (o.transport)
			continue;
		rig_pair_open(&p, &o);
		for (uint16_t less = 0; less < header; less++) {
			inner_build(&o, bytes, data);
			CU_ASSERT_TRUE(refused_wrapped(&p, ++sequence, next, data, less, DROP_INNER_HEADER));
		}
		for (int first = 0; first < 256; first++) {
			inner_build(&o, bytes, data);
			data[0] = (uint8_t)first;
			if (header_wrong(&o, (uint8_t)first, bytes))
				CU_ASSERT_TRUE(refused_wrapped(&p, ++sequence, next, data, bytes, DROP_INNER_HEADER));
		}
		/* longer than what there is */
		inner_build(&o, bytes, data);
		store_be16(data + at, (uint16_t)(load_be16(data + at) + 1));
		CU_ASSERT_TRUE(refused_wrapped(&p, ++sequence, next, data, bytes, DROP_INNER_HEADER));
		store_be16(data + at, 0xffff);
		CU_ASSERT_TRUE(refused_wrapped(&p, ++sequence, next, data, bytes, DROP_INNER_HEADER));
		/* shorter than the header: IPv4 only, where the length counts it */
		store_be16(data + at, 19);
		if (!o.inner6)
			CU_ASSERT_TRUE(refused_wrapped(&p, ++sequence, next, data, bytes, DROP_INNER_HEADER));
		rig_pair_close(&p);
	}
}

static void test_ah_drops_selectors(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		uint64_t sequence = o.sequence;
		uint16_t source = o.inner6 ? 8 : 12, address = o.inner6 ? 16 : 4;
		uint8_t data[100];
		struct rig_pair p;

		if (o.transport)
			continue;
		rig_pair_open(&p, &o);
		/* the last bit of the prefix, and the first */
		for (uint16_t at = source; at <= source + address; at += address)
			for (uint16_t byte = 0; byte <= (o.inner6 ? 5 : 1); byte++) {
				uint16_t len = inner_build(&o, 100, data);
				data[at + byte] ^= 1;
				CU_ASSERT_TRUE(refused_wrapped(
					&p, ++sequence, version_header(&o), data, len, DROP_SELECTOR_IN));
			}
		rig_pair_close(&p);
	}
}

static void test_ah_drops_selectors_in_transport_mode(void)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		struct rig_options o = rig_suite(NULL, "sha256");
		const uint8_t payload[8] = { 0x03, 0xe8, 0x07, 0xd0, 0, 8, 0, 0 };
		struct rig_pair p;

		o.transport = true;
		o.outer6 = ipv6;
		o.local = ipv6 ? RIG_LEFT6 "[udp/1000]" : RIG_LEFT4 "[udp/1000]";
		o.remote = ipv6 ? RIG_RIGHT6 "[udp/2000]" : RIG_RIGHT4 "[udp/2000]";
		rig_pair_open(&p, &o);
		struct rte_mbuf *m = wrapped(&p, 1, IPPROTO_UDP, payload, 8);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		CU_ASSERT_TRUE(refused_wrapped(&p, 2, IPPROTO_TCP, payload, 8, DROP_SELECTOR_IN));
		CU_ASSERT_TRUE(refused_wrapped(&p, 3, IPPROTO_UDP, payload + 1, 7, DROP_SELECTOR_IN));
		CU_ASSERT_TRUE(refused_wrapped(&p, 4, IPPROTO_UDP, payload, 3, DROP_SELECTOR_IN));
		rig_pair_close(&p);
	}
}

/* ---- fragments ---- */

static void test_ah_drops_fragments_inbound(void)
{
	static const uint16_t words[] = { 0x2000, 0x0001, 0x1fff, 0x2004, 0x6000 };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		if (o.outer6)
			continue;
		rig_pair_open(&p, &o);
		/* flags and offset are mutable: such a packet is authentic, and still not one (RFC 4302 3.4.1) */
		for (size_t k = 0; k < ARRAY_LEN(words); k++) {
			struct rte_mbuf *m = sealed(&p, &o, 100);
			store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), words[k]);
			CU_ASSERT_TRUE(refused(&p, m, DROP_FRAGMENT));
		}
		rig_pair_close(&p);
	}
}

static void test_ah_drops_fragments_outbound_in_transport_mode(void)
{
	static const uint16_t words[] = { 0x2000, 0x0001, 0x1fff, 0x2004 };
	struct rig_options o = rig_suite(NULL, "sha256");
	struct rig_pair p;

	o.transport = true;
	rig_pair_open(&p, &o);
	for (size_t k = 0; k < ARRAY_LEN(words); k++) {
		struct rte_mbuf *m = rig_packet_for(&o, 100, 0);
		store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), words[k]);
		CU_ASSERT_TRUE(refused_out(&p, m, DROP_FRAGMENT));
	}
	rig_pair_close(&p);
}

/* ---- room, buffers, limits ---- */

/* A packet that begins so far behind the start of its buffer. */
static struct rte_mbuf *with_headroom(const struct rig_options *o, uint16_t headroom)
{
	struct rte_mbuf *m = rig_packet_for(o, 100, 0);

	memmove((uint8_t *)m->buf_addr + headroom, rte_pktmbuf_mtod(m, void *), 100);
	m->data_off = headroom;
	return m;
}

static void test_ah_drops_no_headroom(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rte_mbuf *m;
		struct rig_pair p;

		rig_pair_open(&p, &o);
		m = sealed(&p, &o, 100);
		uint16_t needed = (uint16_t)(m->data_len - 100);
		rte_pktmbuf_free(m);
		for (uint16_t headroom = 0; headroom < needed; headroom++)
			CU_ASSERT_TRUE(refused_out(&p, with_headroom(&o, headroom), DROP_NO_HEADROOM));
		m = with_headroom(&o, needed);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		CU_ASSERT_EQUAL(rte_pktmbuf_headroom(m), 0);
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
}

/* Four bytes behind the packet hold the high half of the sequence number for a while. */
static void test_ah_drops_no_tailroom(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		struct rte_mbuf *m = sealed(&p, &o, 100);
		uint16_t head = (uint16_t)(m->data_len - 100);
		rte_pktmbuf_free(m);
		for (uint16_t room = 0; room < 4; room++) {
			CU_ASSERT_TRUE(refused_out(&p, rig_packet_for(&o, RIG_ROOM - room, 0), DROP_NO_HEADROOM));
			m = sealed(&p, &o, RIG_ROOM - room - head);
			CU_ASSERT_TRUE(refused(&p, rig_copy(m), DROP_NO_HEADROOM));
			CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
			rte_pktmbuf_free(m);
		}
		m = sealed(&p, &o, RIG_ROOM - 4);
		CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
}

static void test_ah_drops_chain_that_cannot_be_joined(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		rig_pair_open(&p, &o);
		for (int out = 0; out < 2; out++) {
			struct rte_mbuf *m = rig_packet(3000, 0);
			CU_ASSERT_EQUAL(rte_pktmbuf_chain(m, rig_packet(3000, 0)), 0);
			CU_ASSERT_TRUE(out ? refused_out(&p, m, DROP_CHAINED) : refused(&p, m, DROP_CHAINED));
		}
		rig_pair_close(&p);
	}
}

static void test_ah_drops_after_the_last_sequence(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct rig_options o = options_of(&kinds[i]);
		struct sa_stats s;
		struct rig_pair p;

		o.sequence = o.esn ? UINT64_MAX - 2 : UINT32_MAX - 2;
		rig_pair_open(&p, &o);
		for (int n = 0; n < 5; n++) {
			struct rte_mbuf *m = rig_packet_for(&o, 100, 0);
			CU_ASSERT_EQUAL(rig_out(&p, m), n < 2 ? DROP_NONE : DROP_SEQUENCE);
			rte_pktmbuf_free(m);
		}
		sa_stats_read(p.out, &s);
		CU_ASSERT_EQUAL(s.sequence, o.esn ? UINT64_MAX : UINT32_MAX);
		CU_ASSERT_EQUAL(s.drops[DROP_SEQUENCE], 3);
		CU_ASSERT_TRUE(s.flags & SA_SEQUENCE_END);
		/* acknowledged or not, it stays at its end */
		sa_flags_acknowledge(p.out, s.flags);
		struct rte_mbuf *m = rig_packet_for(&o, 100, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_SEQUENCE);
		rte_pktmbuf_free(m);
		rig_pair_close(&p);
	}
}

static void test_ah_drops_after_hard_limits(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct rig_options o = options_of(&kinds[i]);
		struct rig_pair p;

		o.lifetime_out = (struct sa_lifetime){ .soft_packets = 3, .hard_packets = 5 };
		o.lifetime_in = (struct sa_lifetime){ .soft_bytes = 150, .hard_bytes = 399 };
		rig_pair_open(&p, &o);
		for (int n = 0; n < 8; n++) {
			struct rte_mbuf *m = rig_packet_for(&o, 100, 0);
			enum drop_reason out = rig_out(&p, m);
			CU_ASSERT_EQUAL(out, n < 5 ? DROP_NONE : DROP_EXPIRED);
			if (!out)
				CU_ASSERT_EQUAL(rig_in(&p, m), n < 3 ? DROP_NONE : DROP_EXPIRED);
			rte_pktmbuf_free(m);
		}
		rig_pair_close(&p);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ah_drops_bit_flip_anywhere),
		TEST(test_ah_accepts_a_flipped_bit_of_mutable_fields),
		TEST(test_ah_drops_other_key),
		TEST(test_ah_drops_esn_without_and_without_esn),
		TEST(test_ah_drops_wrong_high_half),
		TEST(test_ah_drops_replay_and_too_old),
		TEST(test_ah_drops_copies_in_one_burst),
		TEST(test_ah_drops_forged_sequence_does_not_move_the_window),
		TEST(test_ah_drops_every_truncation),
		TEST(test_ah_drops_every_wrong_ah_length),
		TEST(test_ah_drops_longer_ah_than_agreed),
		TEST(test_ah_drops_lying_ip_lengths),
		TEST(test_ah_drops_encapsulation_that_does_not_fit),
		TEST(test_ah_drops_path_in_udp),
		TEST(test_ah_drops_next_headers_in_tunnel_mode),
		TEST(test_ah_keeps_every_next_header_in_transport_mode),
		TEST(test_ah_drops_inner_headers),
		TEST(test_ah_drops_selectors),
		TEST(test_ah_drops_selectors_in_transport_mode),
		TEST(test_ah_drops_fragments_inbound),
		TEST(test_ah_drops_fragments_outbound_in_transport_mode),
		TEST(test_ah_drops_no_headroom),
		TEST(test_ah_drops_no_tailroom),
		TEST(test_ah_drops_chain_that_cannot_be_joined),
		TEST(test_ah_drops_after_the_last_sequence),
		TEST(test_ah_drops_after_hard_limits),
	};

	rig_eal();
	return test_main("ipsec_ah_drops", tests, ARRAY_LEN(tests), argc, argv);
}
