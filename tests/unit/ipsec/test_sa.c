/* SPDX-License-Identifier: BSD-3-Clause */
/* SAs as objects: what sa_create refuses, ownership, selectors, MTU, flags, the source of packets; paths as objects. */
#include <rte_random.h>

#include "engine.h"
#include "harness.h"
#include "rig.h"

static void spec_key_short(struct sa_spec *s)
{
	s->encr_key.len--;
}

static void spec_transport(struct sa_spec *s)
{
	s->mode = SA_MODE_TRANSPORT;
	s->tfc_bytes = 512;
}

static void spec_low_spi(struct sa_spec *s)
{
	s->spi = 255;
}

static void spec_outer_mixed(struct sa_spec *s)
{
	addr_parse("2001:db8::1", &s->path.local.addr);
}

static void spec_inner_mixed(struct sa_spec *s)
{
	selector_parse("2001:db8::/32", &s->local.items[0]);
}

static void spec_no_selectors(struct sa_spec *s)
{
	s->remote.count = 0;
}

static void spec_window(struct sa_spec *s)
{
	s->replay_window = REPLAY_WINDOW_MAX + 1;
}

static void spec_cbc(struct sa_spec *s)
{
	s->encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128);
}

static void spec_sequence(struct sa_spec *s)
{
	s->initial_sequence = 1ull << 32;
}

static void test_sa_create_refuses(void)
{
	static void (*const mangle[])(struct sa_spec *) = { spec_key_short, spec_transport, spec_low_spi,
		spec_outer_mixed, spec_inner_mixed, spec_no_selectors, spec_window, spec_cbc, spec_sequence };
	const struct rig_options o = { 0 };
	struct ipsec *ips = rig_ipsec(1, 256, 1);

	for (size_t i = 0; i < ARRAY_LEN(mangle); i++)
		for (int direction = SA_IN; direction <= SA_OUT; direction++) {
			struct sa_spec spec;
			const char *reason = NULL;
			rig_spec(&o, (enum sa_direction)direction, &spec);
			/* the path is taken, refused or not */
			struct path *path = direction == SA_OUT ? rig_path(&spec) : NULL;
			mangle[i](&spec);
			CU_ASSERT_PTR_NULL(sa_create(ips, &spec, path, &reason));
			CU_ASSERT_PTR_NOT_NULL(reason);
			sa_spec_done(&spec);
		}
	struct sa_spec spec;
	const char *reason = NULL;
	rig_spec(&o, SA_OUT, &spec);
	CU_ASSERT_PTR_NULL(sa_create(ips, &spec, NULL, &reason));
	CU_ASSERT_PTR_NOT_NULL(reason);
	sa_spec_done(&spec);
	ipsec_free(ips);
}

static void test_sa_owner_is_claimed_once(void)
{
	const struct rig_options o = { 0 };
	struct ipsec *ips = rig_ipsec(2, 256, 1);
	struct sa *sa = rig_sa(ips, &o, SA_OUT);

	CU_ASSERT_EQUAL(sa_owner(sa), WORKER_NONE);
	CU_ASSERT_EQUAL(sa_claim(sa, 1), 1);
	CU_ASSERT_EQUAL(sa_claim(sa, 0), 1);
	CU_ASSERT_EQUAL(sa_owner(sa), 1);
	CU_ASSERT_EQUAL(sa_spi(sa), RIG_SPI);
	sa_free(sa);
	ipsec_free(ips);
}

/* What each worker sees while the SA of a slot goes from one to the other. */
static void test_sa_owner_changes_in_steps(void)
{
	const struct rig_options o = { 0 };
	struct ipsec *ips = rig_ipsec(2, 256, 2);
	struct sa *sa = rig_sa(ips, &o, SA_OUT);

	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, sa), 0);
	CU_ASSERT_EQUAL(owner_turn(sa_owner(sa), 0), WORKER_NONE);
	CU_ASSERT_EQUAL(sa_claim(sa, 1), 1);
	sa_owners_leave(ips, 1u << 0);
	CU_ASSERT_EQUAL(owner_turn(sa_owner(sa), 0), 1);
	sa_owners_leave(ips, 1u << 1);
	CU_ASSERT_EQUAL(owner_turn(sa_owner(sa), 0), WORKER_MOVING);
	CU_ASSERT_EQUAL(owner_turn(sa_owner(sa), 1), 1);
	CU_ASSERT_EQUAL(owner_turn(sa_claim(sa, 0), 0), WORKER_MOVING);
	sa_owners_hold(ips);
	CU_ASSERT_EQUAL(owner_turn(sa_owner(sa), 1), WORKER_MOVING);
	CU_ASSERT_EQUAL(owner_turn(sa_claim(sa, 1), 1), WORKER_MOVING);
	sa_owners_release(ips);
	CU_ASSERT_EQUAL(sa_claim(sa, 0), 0);
	CU_ASSERT_EQUAL(owner_turn(sa_owner(sa), 1), 0);
	ipsec_free(ips);
}

/* An SA that a successor replaced may be put back: it must not be left between two owners. */
static void test_sa_owner_changes_of_an_sa_in_no_slot(void)
{
	const struct rig_options o = { 0 };
	struct ipsec *ips = rig_ipsec(2, 256, 2);
	struct sa *sa = rig_sa(ips, &o, SA_OUT), *before;

	CU_ASSERT_EQUAL(tunnel_publish(ips, 1, sa), 0);
	CU_ASSERT_EQUAL(sa_claim(sa, 1), 1);
	sa_owners_leave(ips, 1u << 1);
	CU_ASSERT_EQUAL(tunnel_swap(ips, 1, NULL, &before), 0);
	CU_ASSERT_PTR_EQUAL(before, sa);
	sa_owners_hold(ips);
	sa_owners_release(ips);
	CU_ASSERT_EQUAL(tunnel_swap(ips, 1, sa, &before), 0);
	CU_ASSERT_EQUAL(sa_claim(sa, 0), 0);
	ipsec_free(ips);
}

static void test_sa_keys_are_wiped(void)
{
	/* what is freed is still mapped: it must not hold the expanded key (nor the key itself) any more */
	const struct rig_options o = { 0 };
	struct rig_pair p;
	size_t bytes, nonzero = 0;
	const uint8_t *memory;

	rig_pair_open(&p, &o);
	bytes = p.out->size_bytes;
	memory = (const uint8_t *)p.out;
	for (size_t i = offsetof(struct sa, key); i < bytes; i++)
		nonzero += memory[i] != 0;
	CU_ASSERT(nonzero > 300);
	uint8_t *copy = (uint8_t *)malloc(bytes);
	memcpy(copy, p.out->key, 176);
	rig_pair_close(&p);
	/* searched for by value in all that DPDK manages: the allocator's lists may have been written over the front */
	unsigned found = 0;
	for (size_t i = offsetof(struct sa, key); i + 176 <= bytes; i++)
		found += !memcmp(memory + i, copy, 176);
	CU_ASSERT_EQUAL(found, 0);
	free(copy);
}

static void test_sa_inner_mtu_is_exact(void)
{
	static const struct rig_options kinds[] = { { 0 }, { .udp = true } };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct rig_pair p;
		rig_pair_open(&p, &kinds[k]);
		for (uint16_t mtu = 576; mtu <= 1500; mtu++) {
			sa_path_publish(p.out_ips, p.out, path_create(&sa_path(p.out)->spec, mtu, 0, 0));
			uint16_t inner = sa_inner_mtu(p.out);
			struct rte_mbuf *fits = rig_packet(inner, 0), *over = rig_packet(inner + 1, 0);
			CU_ASSERT_EQUAL(rig_out(&p, fits), DROP_NONE);
			CU_ASSERT_EQUAL(rig_out(&p, over), DROP_NONE);
			CU_ASSERT(fits->data_len <= mtu);
			CU_ASSERT(over->data_len > mtu);
			rte_pktmbuf_free(fits);
			rte_pktmbuf_free(over);
			ipsec_worker_quiescent(p.out_worker);
			reclaim_poll(p.out_ips);
		}
		/* a link too small for anything */
		sa_path_publish(p.out_ips, p.out, path_create(&sa_path(p.out)->spec, 40, 0, 0));
		CU_ASSERT_EQUAL(sa_inner_mtu(p.out), 0);
		rig_pair_close(&p);
	}
}

static bool slow_side(const struct selector_list *list, uint32_t addr_be, const struct flow *f, uint16_t port)
{
	struct addr a = addr_from_ipv4(rte_be_to_cpu_32(addr_be));

	for (int i = 0; i < list->count; i++)
		if (selector_matches(&list->items[i], &a, f->protocol, f->has_ports, port))
			return true;
	return false;
}

static struct selector random_selector(void)
{
	static const char *const texts[] = { "10.0.0.0/30", "10.0.0.2-10.0.0.9", "0.0.0.0/0", "10.0.0.4/31[tcp/3-5]",
		"10.0.0.0/28[udp]", "10.0.0.0/24[udp/4]", "10.0.0.0/24[tcp/opaque]", "255.255.255.255", "2001:db8::/32",
		"10.0.0.0/24[icmp/3]" };
	struct selector s;

	selector_parse(texts[rte_rand() % ARRAY_LEN(texts)], &s);
	return s;
}

static struct flow random_flow(void)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP };
	struct flow f = { .protocol = protocols[rte_rand() % 4],
		.family = ADDR_IPV4,
		.local_be = { rte_cpu_to_be_32(0x0a000000 + rte_rand() % 20) },
		.remote_be = { rte_rand() % 20 ? rte_cpu_to_be_32(0x0a000000 + rte_rand() % 20) : UINT32_MAX } };

	f.has_ports = f.protocol != IPPROTO_ESP && rte_rand() % 3;
	if (f.has_ports) {
		f.local_port_be = rte_cpu_to_be_16((uint16_t)(rte_rand() % 8));
		f.remote_port_be = f.protocol == IPPROTO_ICMP ? 0 : rte_cpu_to_be_16((uint16_t)(rte_rand() % 8));
	}
	return f;
}

static void test_sa_selectors_agree_with_the_model_room(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	const struct rig_options o = { 0 };
	unsigned wrong = 0, inside = 0;

	rte_srand(21);
	for (int round = 0; round < 300; round++) {
		struct sa_spec spec;
		const char *reason;
		rig_spec(&o, SA_OUT, &spec);
		spec.local.count = (uint8_t)(1 + rte_rand() % SELECTORS_MAX);
		spec.remote.count = (uint8_t)(1 + rte_rand() % SELECTORS_MAX);
		for (int i = 0; i < SELECTORS_MAX; i++) {
			spec.local.items[i] = random_selector();
			spec.remote.items[i] = random_selector();
		}
		struct sa *sa = sa_create(ips, &spec, rig_path(&spec), &reason);
		for (int i = 0; sa && i < 300; i++) {
			struct flow f = random_flow();
			uint16_t local = rte_be_to_cpu_16(f.local_port_be);
			uint16_t remote = f.protocol == IPPROTO_ICMP ? local : rte_be_to_cpu_16(f.remote_port_be);
			bool expected = slow_side(&spec.local, f.local_be[0], &f, local) &&
					slow_side(&spec.remote, f.remote_be[0], &f, remote);
			wrong += sa_selectors_match(sa, &f) != expected;
			inside += expected;
		}
		sa_free(sa);
		sa_spec_done(&spec);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(inside > 1000);
	ipsec_free(ips);
}

static bool slow_overlap(const struct selector_list *a, const struct selector_list *b)
{
	struct selector common;

	for (int i = 0; i < a->count; i++)
		for (int k = 0; k < b->count; k++)
			if (selector_intersect(&a->items[i], &b->items[k], &common))
				return true;
	return false;
}

/* The model room calls what two lists have in common an intersection: for both sides of the same family. */
static bool slow_meets(const struct sa_spec *a, const struct sa_spec *b)
{
	static const enum addr_family families[] = { ADDR_IPV4, ADDR_IPV6 };

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		struct selector_list lists[4] = { a->local, b->local, a->remote, b->remote };
		for (size_t l = 0; l < 4; l++) {
			uint8_t kept = 0;
			for (int i = 0; i < lists[l].count; i++)
				if (lists[l].items[i].low.family == families[f])
					lists[l].items[kept++] = lists[l].items[i];
			lists[l].count = kept;
		}
		if (slow_overlap(&lists[0], &lists[1]) && slow_overlap(&lists[2], &lists[3]))
			return true;
	}
	return false;
}

static struct sa *random_sa(struct ipsec *ips, struct sa_spec *ret_spec)
{
	const struct rig_options o = { 0 };
	const char *reason;

	rig_spec(&o, SA_OUT, ret_spec);
	ret_spec->local.count = (uint8_t)(1 + rte_rand() % 2);
	ret_spec->remote.count = (uint8_t)(1 + rte_rand() % 2);
	for (int i = 0; i < 2; i++) {
		ret_spec->local.items[i] = random_selector();
		ret_spec->remote.items[i] = random_selector();
	}
	return sa_create(ips, ret_spec, rig_path(ret_spec), &reason);
}

static void test_sa_selectors_overlap_as_the_model_room_says(void)
{
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	unsigned wrong = 0, met = 0, apart = 0;

	rte_srand(22);
	for (int round = 0; round < 5000; round++) {
		struct sa_spec a, b;
		struct sa *first = random_sa(ips, &a), *second = random_sa(ips, &b);
		if (first && second) {
			bool expected = slow_meets(&a, &b);
			wrong += sa_selectors_overlap(first, second) != expected;
			met += expected;
			apart += !expected;
		}
		sa_free(first);
		sa_free(second);
		sa_spec_done(&a);
		sa_spec_done(&b);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(met > 500 && apart > 500);
	ipsec_free(ips);
}

static void test_sa_flags_stay_until_acknowledged(void)
{
	const struct rig_options o = { .lifetime_out = { .soft_packets = 1 } };
	struct sa_stats s;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 5; i++) {
		struct rte_mbuf *m = rig_packet(60, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		sa_stats_read(p.out, &s);
		CU_ASSERT_EQUAL(s.flags, i ? SA_SOFT_EXPIRED : 0);
	}
	sa_flags_acknowledge(p.out, SA_HARD_EXPIRED);
	sa_stats_read(p.out, &s);
	CU_ASSERT_EQUAL(s.flags, SA_SOFT_EXPIRED);
	sa_flags_acknowledge(p.out, SA_SOFT_EXPIRED);
	/* said once, not again with every packet */
	struct rte_mbuf *m = rig_packet(60, 0);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	rte_pktmbuf_free(m);
	sa_stats_read(p.out, &s);
	CU_ASSERT_EQUAL(s.flags, 0);
	rig_pair_close(&p);
}

static uint32_t flags_of(const struct sa *sa)
{
	struct sa_stats s;

	sa_stats_read(sa, &s);
	return s.flags;
}

/* The clock starts with the first call; without limits nothing happens. */
static void test_sa_age_raises_what_is_due(void)
{
	const struct rig_options o = { .lifetime_out = { .soft_ns = 100, .hard_ns = 300 } };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	CU_ASSERT_EQUAL(sa_age(p.out, 5000), 5100);
	CU_ASSERT_EQUAL(sa_age(p.in, 5000), UINT64_MAX);
	CU_ASSERT_EQUAL(sa_age(p.out, 5099), 5100);
	CU_ASSERT_EQUAL(flags_of(p.out), 0);
	CU_ASSERT_EQUAL(sa_age(p.out, 5100), 5300);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED);
	sa_flags_acknowledge(p.out, SA_SOFT_EXPIRED);
	sa_age(p.out, 5299);
	CU_ASSERT_EQUAL(flags_of(p.out), 0); /* said once */
	CU_ASSERT_EQUAL(sa_age(p.out, 5300), UINT64_MAX);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_HARD_EXPIRED);
	sa_age(p.in, UINT64_MAX);
	CU_ASSERT_EQUAL(flags_of(p.in), 0);
	rig_pair_close(&p);
}

/* Control sweeps with the time its loop began at; an SA may have been built since. */
static void test_sa_age_of_an_sa_built_after_the_time_is_none(void)
{
	const struct rig_options o = { .lifetime_out = { .soft_ns = 100, .hard_ns = 300 } };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	sa_age(p.out, 5000);
	sa_age(p.in, 5000);
	sa_age(p.out, 4999);
	sa_age(p.in, 4999);
	CU_ASSERT_EQUAL(flags_of(p.out), 0);
	CU_ASSERT_EQUAL(flags_of(p.in), 0);
	sa_age(p.out, 5100);
	CU_ASSERT_EQUAL(flags_of(p.out), SA_SOFT_EXPIRED);
	rig_pair_close(&p);
}

static void test_sa_warns_before_the_sequence_ends(void)
{
	const struct rig_options o = { .sequence = UINT32_MAX / 8 * 7 - 1 };
	struct sa_stats s;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	for (int i = 0; i < 2; i++) {
		struct rte_mbuf *m = rig_packet(60, 0);
		CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
		rte_pktmbuf_free(m);
		sa_stats_read(p.out, &s);
		CU_ASSERT_EQUAL(s.flags, i ? SA_SOFT_EXPIRED : 0);
	}
	rig_pair_close(&p);
}

/* A packet of the pair that seems to come from elsewhere. */
static struct rte_mbuf *from(struct rig_pair *p, uint32_t addr, uint16_t port)
{
	struct rte_mbuf *m = rig_packet(60, 0);

	CU_ASSERT_EQUAL_FATAL(rig_out(p, m), DROP_NONE);
	store_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 12), addr);
	store_be16(rte_pktmbuf_mtod_offset(m, uint8_t *, 20), port);
	return m;
}

static bool source_is(const struct sa *sa, uint32_t addr, uint16_t port, uint32_t flags)
{
	struct sa_stats s;

	sa_stats_read(sa, &s);
	return addr_ipv4(&s.source.addr) == addr && s.source.port == port && s.flags == flags;
}

static void test_sa_new_source_of_newest_authentic_packet_only(void)
{
	const struct rig_options o = { .udp = true, .natt = true };
	const uint32_t home = 0xc0000201, nat = 0xcb007105;
	struct rte_mbuf *m, *late, *forged;
	struct rig_pair p;

	rig_pair_open(&p, &o);
	m = from(&p, home, 4500);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, home, 4500, 0));
	rte_pktmbuf_free(m);
	/* forged: nothing */
	forged = from(&p, nat, 999);
	rte_pktmbuf_mtod(forged, uint8_t *)[60] ^= 1;
	CU_ASSERT_EQUAL(rig_in(&p, forged), DROP_BAD_ICV);
	CU_ASSERT_TRUE(source_is(p.in, home, 4500, 0));
	rte_pktmbuf_free(forged);
	/* authentic and newest: noted */
	late = from(&p, 0x08080808, 53);
	m = from(&p, nat, 32100);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, nat, 32100, SA_NEW_SOURCE));
	rte_pktmbuf_free(m);
	/* authentic but late: an old packet replayed from elsewhere moves nothing */
	CU_ASSERT_EQUAL(rig_in(&p, late), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, nat, 32100, SA_NEW_SOURCE));
	rte_pktmbuf_free(late);
	/* acknowledged: quiet until it changes again, the port counts */
	sa_flags_acknowledge(p.in, SA_NEW_SOURCE);
	m = from(&p, nat, 32100);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, nat, 32100, 0));
	rte_pktmbuf_free(m);
	m = from(&p, nat, 32101);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, nat, 32101, SA_NEW_SOURCE));
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_sa_raw_packets_report_no_source(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;
	struct rte_mbuf *m = rig_packet(60, 0);

	rig_pair_open(&p, &o);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	store_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 12), 0x01020304);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	CU_ASSERT_TRUE(source_is(p.in, 0xc0000201, 4500, 0));
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_sa_count_drop_is_seen_by_control(void)
{
	const struct rig_options o = { 0 };
	struct rig_pair p;

	rig_pair_open(&p, &o);
	sa_count_drop(p.out, DROP_SELECTOR_OUT);
	sa_count_drop(p.out, DROP_SELECTOR_OUT);
	CU_ASSERT_EQUAL(rig_drops(p.out, DROP_SELECTOR_OUT), 2);
	CU_ASSERT_EQUAL(rig_drops_all(p.out), 2);
	rig_pair_close(&p);
}

static void test_sa_initial_sequence_is_taken_over(void)
{
	const struct rig_options o = { .sequence = 1000 };
	struct sa_stats s;
	struct rig_pair p;
	struct rte_mbuf *m = rig_packet(60, 0);

	rig_pair_open(&p, &o);
	sa_stats_read(p.in, &s);
	CU_ASSERT_EQUAL(s.sequence, 1000);
	CU_ASSERT_EQUAL(rig_out(&p, m), DROP_NONE);
	CU_ASSERT_EQUAL(load_be32(rte_pktmbuf_mtod_offset(m, uint8_t *, 24)), 1001);
	CU_ASSERT_EQUAL(rig_in(&p, m), DROP_NONE);
	rte_pktmbuf_free(m);
	rig_pair_close(&p);
}

static void test_path_create(void)
{
	struct path_spec spec = { .local.port = 4500, .remote.port = 1234, .encap = SA_ENCAP_UDP };
	struct path *p;

	addr_parse("192.0.2.1", &spec.local.addr);
	addr_parse("192.0.2.2", &spec.remote.addr);
	p = path_create(&spec, 1400, 3, 77);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT(p->mtu == 1400 && p->port == 3 && p->neighbour == 77 && p->flags == PATH_UDP);
	CU_ASSERT_EQUAL(p->template_len, 28);
	CU_ASSERT_EQUAL((uintptr_t)p % 64, 0);
	CU_ASSERT(endpoint_equal(&p->spec.remote, &spec.remote));
	path_free(p);
	addr_parse("2001:db8::1", &spec.local.addr);
	CU_ASSERT_PTR_NULL(path_create(&spec, 1400, 3, 77));
	path_free(NULL);
}

static void test_drop_reasons_have_distinct_keywords(void)
{
	for (int i = 0; i < DROP_REASON_COUNT; i++) {
		CU_ASSERT(drop_keyword((enum drop_reason)i) && *drop_keyword((enum drop_reason)i));
		CU_ASSERT(drop_text((enum drop_reason)i) && *drop_text((enum drop_reason)i));
		for (int j = 0; j < i; j++)
			CU_ASSERT(strcmp(drop_keyword((enum drop_reason)i), drop_keyword((enum drop_reason)j)) != 0);
	}
	CU_ASSERT_STRING_EQUAL(drop_keyword(DROP_REASON_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(drop_text(DROP_REASON_COUNT), "unknown");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_sa_create_refuses),
		TEST(test_sa_owner_is_claimed_once),
		TEST(test_sa_owner_changes_in_steps),
		TEST(test_sa_owner_changes_of_an_sa_in_no_slot),
		TEST(test_sa_keys_are_wiped),
		TEST(test_sa_inner_mtu_is_exact),
		TEST(test_sa_selectors_agree_with_the_model_room),
		TEST(test_sa_selectors_overlap_as_the_model_room_says),
		TEST(test_sa_flags_stay_until_acknowledged),
		TEST(test_sa_age_raises_what_is_due),
		TEST(test_sa_age_of_an_sa_built_after_the_time_is_none),
		TEST(test_sa_warns_before_the_sequence_ends),
		TEST(test_sa_new_source_of_newest_authentic_packet_only),
		TEST(test_sa_raw_packets_report_no_source),
		TEST(test_sa_count_drop_is_seen_by_control),
		TEST(test_sa_initial_sequence_is_taken_over),
		TEST(test_path_create),
		TEST(test_drop_reasons_have_distinct_keywords),
	};

	rig_eal();
	return test_main("ipsec_sa", tests, ARRAY_LEN(tests), argc, argv);
}
