/* SPDX-License-Identifier: BSD-3-Clause */
/* Where packets come from: the small seqlock that control reads while the owner writes, and what ESP in UDP over either
 * family reports through it (RFC 7296 2.23). */
#include "source.h"

#include <pthread.h>
#include <stdlib.h>

#include "harness.h"
#include "rig.h"

/* ---- one writer, several readers ---- */

#define WATCHERS 2

struct race {
	struct sa_source source;
	_Atomic uint64_t written; /* number of the endpoint last begun */
	_Atomic bool ended;
};

struct watcher {
	pthread_t thread;
	struct race *race;
	uint64_t reads, changes, torn, backwards;
};

/* The endpoint of a number: every byte of it shows which. */
static struct endpoint endpoint_of(uint64_t n)
{
	struct endpoint e = { .port = (uint16_t)(n * 2654435761u >> 7) };

	e.addr.family = n & 1 ? ADDR_IPV6 : ADDR_IPV4;
	memcpy(e.addr.bytes, &n, sizeof(n));
	n = ~n;
	memcpy(e.addr.bytes + sizeof(n), &n, sizeof(n));
	return e;
}

static void *read_on(void *argument)
{
	struct watcher *r = (struct watcher *)argument;
	uint64_t last = 0, n;

	rig_cpu_leave();
	/* relaxed: what counts is the source itself */
	while (!atomic_load_explicit(&r->race->ended, memory_order_relaxed)) {
		struct endpoint got = source_read(&r->race->source), whole;
		memcpy(&n, got.addr.bytes, sizeof(n));
		whole = endpoint_of(n);
		r->torn += got.port != whole.port || got.addr.family != whole.addr.family ||
			   memcmp(got.addr.bytes, whole.addr.bytes, sizeof(whole.addr.bytes)) != 0;
		r->backwards += n < last || n > atomic_load_explicit(&r->race->written, memory_order_seq_cst);
		r->changes += n != last;
		r->reads++;
		last = n;
	}
	return NULL;
}

static void write_on(struct race *race, uint64_t writes)
{
	uint64_t words[3];

	for (uint64_t n = 1; n <= writes; n++) {
		struct endpoint e = endpoint_of(n);
		atomic_store_explicit(&race->written, n, memory_order_seq_cst);
		source_words(&e, words);
		source_write(&race->source, words);
		/* now and then as long as a read takes, or nobody ever sees a version twice */
		for (uint64_t i = 0; i < n % 37; i++)
			rte_pause();
	}
	atomic_store_explicit(&race->ended, true, memory_order_relaxed);
}

static void test_source_is_read_whole_while_it_changes(void)
{
	const char *long_run = getenv("SALLYPORT_LONG");
	uint64_t writes = long_run && *long_run == '1' ? 50000000 : 1000000, words[3];
	struct race *race = (struct race *)calloc(1, sizeof(*race));
	struct watcher watchers[WATCHERS] = { 0 };
	struct endpoint first = endpoint_of(0);

	CU_ASSERT_PTR_NOT_NULL_FATAL(race);
	source_words(&first, words);
	source_write(&race->source, words);
	for (int i = 0; i < WATCHERS; i++) {
		watchers[i].race = race;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&watchers[i].thread, NULL, read_on, &watchers[i]), 0);
	}
	write_on(race, writes);
	for (int i = 0; i < WATCHERS; i++) {
		pthread_join(watchers[i].thread, NULL);
		CU_ASSERT_EQUAL(watchers[i].torn, 0);
		CU_ASSERT_EQUAL(watchers[i].backwards, 0);
		printf("# watcher %d: %llu reads, %llu changes seen\n", i, (unsigned long long)watchers[i].reads,
			(unsigned long long)watchers[i].changes);
	}
	struct endpoint last = endpoint_of(writes);
	struct endpoint end = source_read(&race->source);
	CU_ASSERT_TRUE(endpoint_equal(&end, &last));
	free(race);
}

/* A writer that stands still in the middle of it: nobody gets the half that is written. */
static void *read_once(void *argument)
{
	struct race *race = (struct race *)argument;

	rig_cpu_leave();
	struct endpoint got = source_read(&race->source), whole = endpoint_of(2);
	atomic_store_explicit(&race->written, endpoint_equal(&got, &whole) ? 2 : 1, memory_order_release);
	return NULL;
}

static void test_source_is_not_read_while_half_written(void)
{
	struct race race = { .ended = false };
	struct endpoint before = endpoint_of(1), after = endpoint_of(2);
	uint64_t words[3], seen = 0;
	pthread_t thread;

	source_words(&before, words);
	source_write(&race.source, words);
	source_words(&after, words);
	/* as far as source_write comes with the first of three words */
	uint32_t version = atomic_fetch_add_explicit(&race.source.version, 1, memory_order_seq_cst);
	atomic_store_explicit(&race.source.words[0], words[0], memory_order_seq_cst);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_once, &race), 0);
	for (int i = 0; i < 3000000 && !seen; i++) {
		seen = atomic_load_explicit(&race.written, memory_order_acquire);
		rte_pause();
	}
	CU_ASSERT_EQUAL(seen, 0);
	atomic_store_explicit(&race.source.words[1], words[1], memory_order_seq_cst);
	atomic_store_explicit(&race.source.words[2], words[2], memory_order_seq_cst);
	atomic_store_explicit(&race.source.version, version + 2, memory_order_seq_cst);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(race.written, 2);
}

static void test_source_is_compared_in_all_its_parts(void)
{
	struct endpoint e = endpoint_of(8);
	struct sa_source s = { .version = 0 };
	uint64_t words[3];

	source_words(&e, words);
	source_write(&s, words);
	CU_ASSERT_TRUE(source_equal(&s, words));
	for (size_t i = 0; i < sizeof(e.addr.bytes); i++) {
		struct endpoint other = e;
		other.addr.bytes[i] ^= 1;
		source_words(&other, words);
		CU_ASSERT_FALSE(source_equal(&s, words));
	}
	struct endpoint port = e, family = e;
	port.port ^= 0x8000;
	source_words(&port, words);
	CU_ASSERT_FALSE(source_equal(&s, words));
	family.addr.family = ADDR_IPV6;
	source_words(&family, words);
	CU_ASSERT_FALSE(source_equal(&s, words));
}

/* ---- what packets report ---- */

/* A packet of the pair that seems to come from this endpoint. */
static struct rte_mbuf *from(struct rig_pair *p, const struct rig_options *o, const struct endpoint *e)
{
	struct rte_mbuf *m = rig_packet_for(o, 60, 0);
	uint8_t size = o->outer6 ? 16 : 4, at = o->outer6 ? 8 : 12;

	CU_ASSERT_EQUAL_FATAL(rig_out(p, m), DROP_NONE);
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, at), e->addr.bytes, size);
	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, o->outer6 ? 40 : 20), e->port);
	return m;
}

static bool source_is(const struct sa *sa, const struct endpoint *e, uint32_t flags)
{
	struct sa_stats s;

	sa_stats_read(sa, &s);
	return endpoint_equal(&s.source, e) && s.flags == flags;
}

static void arrive(struct rig_pair *p, struct rte_mbuf *m, enum drop_reason reason)
{
	CU_ASSERT_EQUAL(rig_in(p, m), reason);
	rte_pktmbuf_free(m);
}

static struct endpoint place(const char *addr, uint16_t port)
{
	struct endpoint e = { .port = port };

	CU_ASSERT_EQUAL_FATAL(addr_parse(addr, &e.addr), 0);
	return e;
}

static void moves_right(const struct rig_options *o)
{
	const struct endpoint home = place(o->outer6 ? RIG_LEFT6 : RIG_LEFT4, PORT_NATT);
	const struct endpoint nat = place(o->outer6 ? "2001:db8:ffff::9" : "203.0.113.5", 32100);
	struct endpoint other = nat;
	struct rig_pair p;

	rig_pair_open(&p, o);
	arrive(&p, from(&p, o, &home), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &home, 0));
	/* forged: nothing; authentic and newest: noted; late: nothing */
	struct rte_mbuf *forged = from(&p, o, &nat), *late = from(&p, o, &home);
	*rte_pktmbuf_mtod_offset(forged, uint8_t *, forged->data_len - 1) ^= 1;
	arrive(&p, forged, DROP_BAD_ICV);
	CU_ASSERT_TRUE(source_is(p.in, &home, 0));
	arrive(&p, from(&p, o, &nat), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &nat, SA_NEW_SOURCE));
	arrive(&p, late, DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &nat, SA_NEW_SOURCE));
	/* acknowledged: quiet until it changes again, in the port or the last byte of the address */
	sa_flags_acknowledge(p.in, SA_NEW_SOURCE);
	arrive(&p, from(&p, o, &nat), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &nat, 0));
	other.port++;
	arrive(&p, from(&p, o, &other), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &other, SA_NEW_SOURCE));
	sa_flags_acknowledge(p.in, SA_NEW_SOURCE);
	other.addr.bytes[o->outer6 ? 15 : 3] ^= 1;
	arrive(&p, from(&p, o, &other), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &other, SA_NEW_SOURCE));
	rig_pair_close(&p);
}

static void test_source_of_the_newest_authentic_packet_only(void)
{
	static const char *const suites[][2] = { { "aes128gcm16", NULL }, { "aes128", "sha1" }, { "null", "sha256" },
		{ "aes128gcm16iiv", NULL } };

	for (size_t i = 0; i < ARRAY_LEN(suites); i++)
		for (int bits = 0; bits < 8; bits++) {
			struct rig_options o = rig_suite(suites[i][0], suites[i][1]);
			o.outer6 = bits & 1;
			o.inner6 = bits & 2;
			o.natt = bits & 4;
			o.udp = true;
			moves_right(&o);
		}
}

/* The peer of a dual-stack gateway may come over the other family. */
static void test_source_changes_its_family(void)
{
	struct rig_options o4 = rig_suite("aes128gcm16", NULL), o6 = o4;
	const struct endpoint away = place("2001:db8::77", 4501), home = place(RIG_LEFT4, PORT_NATT);
	struct rig_pair p, q;

	o4.udp = o6.udp = true;
	o6.outer6 = true;
	rig_pair_open(&p, &o4);
	rig_pair_open(&q, &o6);
	arrive(&p, from(&p, &o4, &home), DROP_NONE);
	rte_pktmbuf_free(from(&q, &o6, &away));
	arrive(&p, from(&q, &o6, &away), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, &away, SA_NEW_SOURCE));
	rig_pair_close(&p);
	rig_pair_close(&q);
}

static void test_source_of_raw_packets_is_not_noted(void)
{
	for (int bits = 0; bits < 4; bits++) {
		struct rig_options o = rig_suite("aes128gcm16", NULL);
		const struct endpoint away = place(bits & 1 ? "2001:db8::77" : "203.0.113.77", 0);
		struct rig_pair p;

		o.outer6 = bits & 1;
		o.natt = bits & 2;
		rig_pair_open(&p, &o);
		struct rte_mbuf *m = rig_packet_for(&o, 60, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, o.outer6 ? 8 : 12), away.addr.bytes, o.outer6 ? 16 : 4);
		arrive(&p, m, DROP_NONE);
		const struct endpoint home = place(o.outer6 ? RIG_LEFT6 : RIG_LEFT4, PORT_NATT);
		CU_ASSERT_TRUE(source_is(p.in, &home, 0));
		rig_pair_close(&p);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_source_is_read_whole_while_it_changes),
		TEST(test_source_is_not_read_while_half_written),
		TEST(test_source_is_compared_in_all_its_parts),
		TEST(test_source_of_the_newest_authentic_packet_only),
		TEST(test_source_changes_its_family),
		TEST(test_source_of_raw_packets_is_not_noted),
	};

	rig_eal();
	return test_main("ipsec_source", tests, ARRAY_LEN(tests), argc, argv);
}
