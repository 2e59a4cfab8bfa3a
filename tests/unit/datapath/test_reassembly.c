/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of the pure part of reassembly: decisions against a slow model that keeps a datagram as an array of bytes,
 * the table's bounds, times and shares, and what one fragment says about itself. */
#include <rte_ip.h>

#include "base.h"
#include "harness.h"
#include "ip6.h"
#include "reassembly_priv.h"

#define CASES     100000
#define UNITS_MAX 24 /* of 8 bytes in a model datagram */
#define BUFFERS   4096

/* ---- the table with buffers that are numbers ---- */

static struct {
	struct reassembly *r;
	unsigned dropped[DROP_REASON_COUNT];
	uint8_t held[BUFFERS]; /* by the table */
	unsigned held_count;
} table;

static void buffer_drop(void *context, void *buffer, enum drop_reason reason)
{
	uintptr_t n = (uintptr_t)buffer;

	(void)context;
	CU_ASSERT_FATAL(n < BUFFERS && table.held[n]);
	table.held[n] = 0;
	table.held_count--;
	table.dropped[reason]++;
}

static void table_open(uint16_t datagrams, uint16_t fragments, uint32_t held)
{
	const struct reassembly_config c = { .datagrams = datagrams,
		.fragments = fragments,
		.held = held,
		.timeout = 100,
		.seed = 7,
		.drop = buffer_drop };

	memset(&table, 0, sizeof(table));
	table.r = reassembly_init(calloc(1, reassembly_bytes(&c)), &c);
}

static void table_close(void)
{
	reassembly_flush(table.r);
	CU_ASSERT_EQUAL(table.held_count, 0);
	CU_ASSERT_EQUAL(table.r->all.held, 0);
	CU_ASSERT_EQUAL(table.r->all.count, 0);
	free(table.r);
}

static struct fragment fragment_of(uint32_t source, uint32_t id, uint16_t offset, uint16_t bytes, bool more)
{
	static const uint8_t data[65536];
	struct fragment f = { .key = { .identification = id, .family = 4, .protocol = 17 },
		.piece = { .data = data, .offset = offset, .bytes = bytes, .packet_bytes = (uint16_t)(bytes + 20) },
		.more = more };

	store_be32(f.key.source, source);
	return f;
}

/* Gives it a free number for a buffer. */
static enum drop_reason insert(struct fragment *f, uint64_t now, struct incomplete **ret_whole)
{
	uintptr_t n = 0;

	while (table.held[n])
		n++;
	f->piece.buffer = (void *)n;
	enum drop_reason reason = reassembly_insert(table.r, f, now, ret_whole);
	if (!reason) {
		table.held[n] = 1;
		table.held_count++;
	}
	return reason;
}

static enum drop_reason put(uint32_t source, uint32_t id, uint16_t offset, uint16_t bytes, bool more, uint64_t now)
{
	struct fragment f = fragment_of(source, id, offset, bytes, more);
	struct incomplete *whole;
	enum drop_reason reason = insert(&f, now, &whole);

	CU_ASSERT_PTR_NULL(whole);
	return reason;
}

static void whole_take(struct incomplete *d)
{
	for (uint16_t i = 0; i < d->count; i++) {
		table.held[(uintptr_t)d->pieces[i].buffer] = 0;
		table.held_count--;
	}
	reassembly_take(table.r, d);
}

/* ---- the model ---- */

struct model {
	uint8_t data[UNITS_MAX * 8 + 8];
	bool there[UNITS_MAX * 8 + 8];
	struct {
		uint16_t offset, bytes;
		bool more;
	} taken[64];
	uint16_t count, end; /* 0: not known */
	enum drop_reason dead;
};

static bool model_same(const struct model *m, const struct fragment *f)
{
	for (uint16_t i = 0; i < m->count; i++)
		if (m->taken[i].offset == f->piece.offset && m->taken[i].bytes == f->piece.bytes &&
			!memcmp(m->data + f->piece.offset, f->piece.data, f->piece.bytes))
			return true;
	return false;
}

static bool model_end_good(const struct model *m, const struct fragment *f)
{
	uint16_t end = (uint16_t)(f->piece.offset + f->piece.bytes);

	if (f->more)
		return !m->end || end < m->end;
	for (uint16_t i = end; i < sizeof(m->there); i++)
		if (m->there[i])
			return false;
	return !m->end || end == m->end;
}

static enum drop_reason model_insert(struct model *m, const struct fragment *f)
{
	if (m->dead)
		return m->dead;
	if (!model_end_good(m, f))
		return m->dead = DROP_FRAGMENT_LAST;
	if (model_same(m, f))
		return DROP_FRAGMENT_DUPLICATE;
	for (uint16_t i = 0; i < f->piece.bytes; i++)
		if (m->there[f->piece.offset + i])
			return m->dead = DROP_FRAGMENT_OVERLAP;
	memset(m->there + f->piece.offset, 1, f->piece.bytes);
	memcpy(m->data + f->piece.offset, f->piece.data, f->piece.bytes);
	m->taken[m->count].offset = f->piece.offset;
	m->taken[m->count].bytes = f->piece.bytes;
	m->taken[m->count++].more = f->more;
	if (!f->more)
		m->end = (uint16_t)(f->piece.offset + f->piece.bytes);
	return DROP_NONE;
}

static bool model_whole(const struct model *m)
{
	if (!m->end)
		return false;
	for (uint16_t i = 0; i < m->end; i++)
		if (!m->there[i])
			return false;
	return true;
}

static uint32_t random_below(uint32_t n)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % n);
}

/* A datagram cut anywhere, in any order, some pieces twice, now and then one that does not belong. */
static unsigned cut(const uint8_t *data, uint16_t bytes, struct fragment *ret_f)
{
	unsigned n = 0;

	for (uint16_t at = 0; at < bytes && n < 30;) {
		uint16_t left = (uint16_t)(bytes - at), some = (uint16_t)(8 * (1 + random_below(6)));
		uint16_t len = some < left ? some : left;
		ret_f[n] = fragment_of(1, 1, at, len, at + len < bytes);
		ret_f[n++].piece.data = data + at;
		at = (uint16_t)(at + len);
	}
	for (unsigned i = n; i-- > 1;) {
		unsigned j = random_below(i + 1);
		struct fragment swap = ret_f[i];
		ret_f[i] = ret_f[j];
		ret_f[j] = swap;
	}
	for (unsigned twice = random_below(3); twice; twice--) {
		ret_f[n] = ret_f[random_below(n)];
		n++;
	}
	return n;
}

static void disturb(struct fragment *f, unsigned n, const uint8_t *other)
{
	struct fragment *one = &f[random_below(n)];

	switch (random_below(5)) {
	case 0: one->piece.offset = (uint16_t)(8 * random_below(UNITS_MAX / 2)); break;
	case 1: one->piece.data = other + one->piece.offset; break;
	case 2: one->more = !one->more && one->piece.bytes % 8 == 0; break;
	case 3: one->piece.bytes = (uint16_t)(8 * (1 + random_below(6))); break;
	default: break;
	}
	if (one->more && one->piece.bytes % 8)
		one->piece.bytes = 8;
}

static bool whole_equals(const struct incomplete *d, const struct model *m)
{
	bool equal = d->total == m->end;

	for (uint16_t i = 0; i < d->count; i++)
		equal &= !memcmp(d->pieces[i].data, m->data + d->pieces[i].offset, d->pieces[i].bytes);
	return equal;
}

static void test_reassembly_decides_as_a_slow_model(void)
{
	static uint8_t data[UNITS_MAX * 8 + 64], other[UNITS_MAX * 8 + 64];
	unsigned wrong = 0, complete = 0, refused = 0;

	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (uint8_t)(i * 31 + 7);
		other[i] = (uint8_t)(data[i] + 1);
	}
	table_open(8, 64, 1000);
	for (int round = 0; round < CASES; round++) {
		struct fragment f[40];
		struct model m = { .count = 0 };
		struct incomplete *whole = NULL;
		unsigned n = cut(data, (uint16_t)(1 + random_below(UNITS_MAX * 6)), f);
		if (round % 2)
			disturb(f, n, other);
		for (unsigned i = 0; i < n && !whole; i++) {
			enum drop_reason want = model_insert(&m, &f[i]), got = insert(&f[i], (uint64_t)round, &whole);
			wrong += want != got || !!whole != (!want && model_whole(&m));
			refused += got != DROP_NONE;
		}
		if (whole) {
			wrong += !whole_equals(whole, &m);
			whole_take(whole);
			complete++;
		}
		reassembly_flush(table.r);
	}
	printf("# reassembly: %d datagrams against the model, %u complete, %u fragments refused, %u differ\n", CASES,
		complete, refused, wrong);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(complete > CASES / 2 && refused > CASES / 4);
	table_close();
}

/* ---- one datagram ---- */

static void test_reassembly_overlap_ends_the_whole_datagram(void)
{
	table_open(8, 64, 100);
	CU_ASSERT_EQUAL(put(1, 1, 0, 64, true, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 1, 128, 64, true, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 1, 56, 16, true, 0), DROP_FRAGMENT_OVERLAP);
	CU_ASSERT_EQUAL(table.dropped[DROP_FRAGMENT_OVERLAP], 2);
	/* RFC 5722 4: so do those that come later, until its time is over */
	CU_ASSERT_EQUAL(put(1, 1, 64, 64, true, 99), DROP_FRAGMENT_OVERLAP);
	reassembly_expire(table.r, 100, 10);
	CU_ASSERT_EQUAL(put(1, 1, 64, 64, true, 100), DROP_NONE);
	table_close();
}

static void test_reassembly_exact_duplicate_ends_alone(void)
{
	uint8_t differs[64] = { 1 };
	struct fragment f;
	struct incomplete *whole;

	table_open(8, 64, 100);
	CU_ASSERT_EQUAL(put(1, 1, 0, 64, true, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 1, 0, 64, true, 0), DROP_FRAGMENT_DUPLICATE);
	CU_ASSERT_EQUAL(table.held_count, 1);
	/* the same place with other data is no duplicate */
	f = fragment_of(1, 1, 0, 64, true);
	f.piece.data = differs;
	CU_ASSERT_EQUAL(insert(&f, 0, &whole), DROP_FRAGMENT_OVERLAP);
	CU_ASSERT_EQUAL(table.held_count, 0);
	table_close();
}

static void test_reassembly_contradicting_ends(void)
{
	table_open(8, 64, 100);
	CU_ASSERT_EQUAL(put(1, 1, 64, 10, false, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 1, 64, 12, false, 0), DROP_FRAGMENT_LAST);
	CU_ASSERT_EQUAL(put(1, 2, 64, 10, false, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 2, 80, 8, true, 0), DROP_FRAGMENT_LAST);
	CU_ASSERT_EQUAL(put(1, 3, 80, 8, true, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 3, 64, 10, false, 0), DROP_FRAGMENT_LAST);
	/* a last one that is said to be followed by more */
	CU_ASSERT_EQUAL(put(1, 4, 64, 8, false, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 4, 64, 8, true, 0), DROP_FRAGMENT_LAST);
	table_close();
}

static void test_reassembly_too_many_fragments(void)
{
	table_open(8, 4, 100);
	for (uint16_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(put(1, 1, (uint16_t)(i * 16), 8, true, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(1, 1, 64, 8, true, 0), DROP_FRAGMENT_COUNT);
	CU_ASSERT_EQUAL(table.dropped[DROP_FRAGMENT_COUNT], 4);
	table_close();
}

/* Every part of the key tells datagrams apart. */
static void test_reassembly_keys_do_not_mix(void)
{
	struct fragment f = fragment_of(1, 1, 0, 8, true), last = fragment_of(1, 1, 8, 8, false), other;
	struct incomplete *whole;

	table_open(512, 4, 1000);
	CU_ASSERT_EQUAL(insert(&f, 0, &whole), DROP_NONE);
	for (size_t byte = 0; byte < sizeof(f.key); byte++) {
		other = last;
		((uint8_t *)&other.key)[byte] ^= 0x40;
		CU_ASSERT_EQUAL(insert(&other, 0, &whole), DROP_NONE);
		CU_ASSERT_PTR_NULL(whole);
	}
	CU_ASSERT_EQUAL(insert(&last, 0, &whole), DROP_NONE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
	whole_take(whole);
	table_close();
}

/* ---- bounds ---- */

static void test_reassembly_timeout_from_the_oldest(void)
{
	table_open(8, 4, 100);
	CU_ASSERT_FALSE(reassembly_due(table.r, 1000));
	CU_ASSERT_EQUAL(put(1, 1, 0, 8, true, 0), DROP_NONE);
	CU_ASSERT_EQUAL(put(2, 2, 0, 8, true, 50), DROP_NONE);
	/* a later fragment does not give it more time */
	CU_ASSERT_EQUAL(put(1, 1, 8, 8, true, 90), DROP_NONE);
	CU_ASSERT_FALSE(reassembly_due(table.r, 99));
	CU_ASSERT(reassembly_due(table.r, 100));
	reassembly_expire(table.r, 149, 10);
	CU_ASSERT_EQUAL(table.dropped[DROP_FRAGMENT_TIMEOUT], 2);
	reassembly_expire(table.r, 150, 10);
	CU_ASSERT_EQUAL(table.dropped[DROP_FRAGMENT_TIMEOUT], 3);
	table_close();
}

static void test_reassembly_work_of_one_call_is_bounded(void)
{
	table_open(64, 4, 1000);
	for (uint32_t i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(put(i, i, 0, 8, true, 0), DROP_NONE);
	reassembly_expire(table.r, 200, 16);
	CU_ASSERT_EQUAL(table.dropped[DROP_FRAGMENT_TIMEOUT], 16);
	table_close();
}

static void test_reassembly_full_table_lets_the_oldest_go(void)
{
	table_open(16, 4, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(put(i * 77, i, 0, 8, true, i), DROP_NONE);
	CU_ASSERT(table.r->all.count <= 16);
	CU_ASSERT_EQUAL(table.held_count, table.r->all.count);
	CU_ASSERT_EQUAL(table.dropped[DROP_FRAGMENT_EVICTED], 1000 - table.held_count);
	/* the newest is there: it is completed */
	struct fragment last = fragment_of(999 * 77, 999, 8, 8, false);
	struct incomplete *whole;
	CU_ASSERT_EQUAL(insert(&last, 1000, &whole), DROP_NONE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
	whole_take(whole);
	table_close();
}

/* A flood of one source takes its own share, and the others' datagrams are completed all the same. */
static void test_reassembly_one_source_has_a_share(void)
{
	unsigned whole_count = 0;
	struct incomplete *whole;

	table_open(64, 16, 256);
	for (uint32_t honest = 0; honest < 8; honest++)
		CU_ASSERT_EQUAL(put(100 + honest, 1, 0, 8, true, 0), DROP_NONE);
	for (uint32_t i = 0; i < 20000; i++)
		put(1, i / 8, (uint16_t)(i % 8 * 16), 8, true, 0);
	CU_ASSERT(table.held_count <= 256 / REASSEMBLY_SHARE + 8);
	for (uint32_t honest = 0; honest < 8; honest++) {
		struct fragment last = fragment_of(100 + honest, 1, 8, 8, false);
		CU_ASSERT_EQUAL(insert(&last, 1, &whole), DROP_NONE);
		whole_count += whole != NULL;
		if (whole)
			whole_take(whole);
	}
	CU_ASSERT_EQUAL(whole_count, 8);
	table_close();
}

static void test_reassembly_held_buffers_are_bounded(void)
{
	table_open(1000, 64, 100);
	for (uint32_t i = 0; i < 50000; i++) {
		put(random_below(400), random_below(100), (uint16_t)(8 * random_below(500)), 8, true, i / 1000);
		CU_ASSERT_FATAL(table.held_count <= 100 && table.held_count == table.r->all.held);
	}
	CU_ASSERT(table.dropped[DROP_FRAGMENT_EVICTED] > 0);
	table_close();
}

/* ---- what one fragment says ---- */

static uint16_t packet4(uint8_t *at, uint8_t protocol, uint16_t word, uint16_t payload)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;

	memset(at, 0, 20u + payload);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(20 + payload));
	ip->next_proto_id = protocol;
	ip->fragment_offset = rte_cpu_to_be_16(word);
	ip->packet_id = RTE_BE16(0x1234);
	ip->src_addr = RTE_BE32(0x0a010002);
	ip->dst_addr = RTE_BE32(0x0a020002);
	return (uint16_t)(20 + payload);
}

static void test_reassembly_reads_ipv4_fragments(void)
{
	static const struct {
		uint8_t protocol;
		uint16_t word, payload;
		enum drop_reason reason;
	} rows[] = {
		{ IPPROTO_UDP, 0x2000, 16, DROP_NONE },
		{ IPPROTO_UDP, 0x2000, 8, DROP_NONE },
		{ IPPROTO_UDP, 0x2000, 15, DROP_FRAGMENT_LENGTH },
		{ IPPROTO_UDP, 0x2000, 0, DROP_FRAGMENT_LENGTH },
		{ IPPROTO_UDP, 5, 0, DROP_FRAGMENT_LENGTH },
		{ IPPROTO_UDP, 5, 3, DROP_NONE },
		{ IPPROTO_TCP, 0x2000, 16, DROP_FRAGMENT_TINY },
		{ IPPROTO_TCP, 0x2000, 24, DROP_NONE },
		{ IPPROTO_TCP, 1, 24, DROP_FRAGMENT_TINY },
		{ IPPROTO_TCP, 2, 24, DROP_NONE },
		{ IPPROTO_AH, 0x2000, 8, DROP_FRAGMENT_TINY },
		{ IPPROTO_ESP, 0x2000, 8, DROP_NONE },
		{ IPPROTO_UDP, 0x1fff, 7, DROP_FRAGMENT_BEYOND },
		{ IPPROTO_UDP, 8186, 27, DROP_NONE },
		{ IPPROTO_UDP, 8186, 28, DROP_FRAGMENT_BEYOND },
	};
	uint8_t packet[256];
	struct fragment f;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t bytes = packet4(packet, rows[i].protocol, rows[i].word, rows[i].payload);
		CU_ASSERT_EQUAL(fragment4_read(packet, bytes, &f), rows[i].reason);
	}
	packet4(packet, IPPROTO_UDP, 0x2000 | 3, 16);
	CU_ASSERT_EQUAL(fragment4_read(packet, 36, &f), DROP_NONE);
	CU_ASSERT(f.more && f.piece.offset == 24 && f.piece.bytes == 16 && f.piece.data == packet + 20);
	CU_ASSERT(f.key.family == 4 && f.key.protocol == IPPROTO_UDP && f.key.source[0] == 10);
}

/* An IPv6 packet of headers {next, bytes in units of 8} and a payload. */
static uint16_t packet6(
	uint8_t *at, const uint8_t *headers, unsigned count, uint8_t upper, uint16_t word, uint16_t payload)
{
	uint16_t offset = 40, named_at = 6;

	memset(at, 0, 1024);
	at[0] = 0x60;
	for (unsigned i = 0; i < count; i++) {
		at[named_at] = headers[i];
		if (headers[i] == IPPROTO_FRAGMENT)
			store_be16(at + offset + 2, word);
		named_at = offset;
		offset += 8;
	}
	at[named_at] = upper;
	store_be16(at + 4, (uint16_t)(offset - 40 + payload));
	return (uint16_t)(offset + payload);
}

static void test_reassembly_reads_ipv6_fragments(void)
{
	static const struct {
		uint8_t headers[4];
		unsigned count;
		uint8_t upper;
		uint16_t word, payload;
		enum drop_reason reason;
	} rows[] = {
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_UDP, 1, 16, DROP_NONE },
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_UDP, 1, 12, DROP_FRAGMENT_LENGTH },
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_UDP, 1, 0, DROP_FRAGMENT_LENGTH },
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_TCP, 1, 16, DROP_FRAGMENT_TINY },
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_UDP, 0xfff8, 8, DROP_FRAGMENT_BEYOND },
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_UDP, 64, 5, DROP_NONE },
		{ { IPPROTO_HOPOPTS, IPPROTO_FRAGMENT }, 2, IPPROTO_UDP, 1, 8, DROP_NONE },
		/* the chain goes on behind the fragment header: its end is not there */
		{ { IPPROTO_FRAGMENT, IPPROTO_DSTOPTS }, 2, IPPROTO_DSTOPTS, 1, 0, DROP_FRAGMENT_TINY },
		{ { IPPROTO_FRAGMENT, IPPROTO_DSTOPTS }, 2, IPPROTO_UDP, 1, 0, DROP_FRAGMENT_TINY },
		{ { IPPROTO_FRAGMENT, IPPROTO_DSTOPTS }, 2, IPPROTO_UDP, 1, 8, DROP_NONE },
		/* atomic, and none at all */
		{ { IPPROTO_FRAGMENT }, 1, IPPROTO_UDP, 0, 16, DROP_IP_HEADER },
		{ { IPPROTO_DSTOPTS }, 1, IPPROTO_UDP, 0, 16, DROP_IP_HEADER },
	};
	uint8_t packet[1024];
	struct fragment f;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t bytes = packet6(
			packet, rows[i].headers, rows[i].count, rows[i].upper, rows[i].word, rows[i].payload);
		CU_ASSERT_EQUAL(fragment6_read(packet, bytes, &f), rows[i].reason);
	}
}

/* All workers choose the same one for all fragments of a datagram, and not always the same. */
static void test_reassembly_choice_of_worker_is_spread(void)
{
	unsigned of[4] = { 0 };
	struct fragment f;

	for (uint32_t id = 0; id < 4000; id++) {
		f = fragment_of(5, id, 0, 8, true);
		uint32_t hash = fragment_hash(&f.key, 99);
		f.key.kind = FRAGMENT_CLEAR;
		f.key.context = 3;
		f.key.protocol = 1;
		CU_ASSERT_EQUAL_FATAL(fragment_hash(&f.key, 99), hash);
		of[hash % 4]++;
	}
	for (int i = 0; i < 4; i++)
		CU_ASSERT(of[i] > 800);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_reassembly_decides_as_a_slow_model),
		TEST(test_reassembly_overlap_ends_the_whole_datagram),
		TEST(test_reassembly_exact_duplicate_ends_alone),
		TEST(test_reassembly_contradicting_ends),
		TEST(test_reassembly_too_many_fragments),
		TEST(test_reassembly_keys_do_not_mix),
		TEST(test_reassembly_timeout_from_the_oldest),
		TEST(test_reassembly_work_of_one_call_is_bounded),
		TEST(test_reassembly_full_table_lets_the_oldest_go),
		TEST(test_reassembly_one_source_has_a_share),
		TEST(test_reassembly_held_buffers_are_bounded),
		TEST(test_reassembly_reads_ipv4_fragments),
		TEST(test_reassembly_reads_ipv6_fragments),
		TEST(test_reassembly_choice_of_worker_is_spread),
	};

	return test_main("datapath_reassembly", tests, ARRAY_LEN(tests), argc, argv);
}
