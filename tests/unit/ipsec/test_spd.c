/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiled policy table against a slow reading of the same rules, and the rules about packets without ports. */
#include <pthread.h>
#include <rte_random.h>
#include <stdlib.h>

#include "harness.h"
#include "rig.h"

static struct spd_rule rule(enum spd_action action, uint32_t slot, const char *local, const char *remote)
{
	struct spd_rule r = { .action = action, .tunnel_slot = slot, .local.count = 1, .remote.count = 1 };

	CU_ASSERT_EQUAL_FATAL(selector_parse(local, &r.local.items[0]), 0);
	CU_ASSERT_EQUAL_FATAL(selector_parse(remote, &r.remote.items[0]), 0);
	return r;
}

static struct flow flow(uint8_t protocol, uint32_t local, uint32_t remote, uint16_t local_port, uint16_t remote_port)
{
	return (struct flow){ .protocol = protocol,
		.family = ADDR_IPV4,
		.local_be = { rte_cpu_to_be_32(local) },
		.remote_be = { rte_cpu_to_be_32(remote) },
		.local_port_be = rte_cpu_to_be_16(local_port),
		.remote_port_be = rte_cpu_to_be_16(remote_port),
		.has_ports = true };
}

static struct flow fragment(uint8_t protocol, uint32_t local, uint32_t remote)
{
	struct flow f = flow(protocol, local, remote, 0, 0);

	f.has_ports = false;
	return f;
}

static struct spd *compiled(const struct spd_rule *rules, size_t n)
{
	const char *reason = NULL;
	struct spd *spd = spd_create(rules, n, &reason);

	if (!spd)
		fprintf(stderr, "spd_create: %s\n", reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spd);
	return spd;
}

static struct spd_verdict verdict(const struct spd *spd, struct flow f)
{
	struct spd_verdict v;

	spd_lookup(spd, &f, 1, &v);
	return v;
}

/* ---- the slow reading ---- */

static bool side_fits(
	const struct selector *s, const uint32_t *addr_be, const struct flow *f, uint16_t port, bool *ret_sure)
{
	struct addr a = addr_from_bytes((enum addr_family)f->family, (const uint8_t *)addr_be);
	struct selector any_port = *s;

	if (selector_matches(s, &a, f->protocol, f->has_ports, port))
		return true;
	any_port.port_low = 0;
	any_port.port_high = UINT16_MAX;
	*ret_sure = false;
	return !f->has_ports && selector_matches(&any_port, &a, f->protocol, false, 0);
}

static bool rule_fits(const struct spd_rule *r, const struct flow *f)
{
	uint16_t local_port = rte_be_to_cpu_16(f->local_port_be);
	bool icmp = f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6;
	uint16_t remote_port = icmp ? local_port : rte_be_to_cpu_16(f->remote_port_be);

	for (int i = 0; i < r->local.count; i++)
		for (int j = 0; j < r->remote.count; j++) {
			bool sure = true;
			if (side_fits(&r->local.items[i], f->local_be, f, local_port, &sure) &&
				side_fits(&r->remote.items[j], f->remote_be, f, remote_port, &sure) &&
				(sure || r->action != SPD_BYPASS))
				return true;
		}
	return false;
}

static uint32_t slow_lookup(const struct spd_rule *rules, size_t n, const struct flow *f)
{
	for (size_t i = 0; i < n; i++)
		if (rule_fits(&rules[i], f))
			return (uint32_t)i;
	return UINT32_MAX;
}

static struct selector random_ipv4_selector(void)
{
	struct selector s = { .port_high = UINT16_MAX };
	uint32_t a = 0x0a000000 | (rte_rand() & 0x3ff), b = a;
	uint32_t kind = rte_rand() % 10;

	if (kind < 4)
		b = a | ((1u << rte_rand() % 10) - 1);
	else if (kind < 7)
		b = a + rte_rand() % 300;
	else if (kind == 7)
		a = 0, b = UINT32_MAX;
	s.low = addr_from_ipv4(a);
	s.high = addr_from_ipv4(b);
	return s;
}

/* 2001:db8::x:0:0:0:x with few bits in two places, one of them across a border of the trie's words. */
static struct addr random_ipv6(void)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse("2001:db8::", &a), 0);
	store_be32(a.bytes + 6, (uint32_t)rte_rand() & 0x00030003);
	store_be16(a.bytes + 14, (uint16_t)(rte_rand() & 0x3ff));
	return a;
}

static struct selector random_ipv6_selector(void)
{
	struct selector s = { .port_high = UINT16_MAX };
	struct prefix p = { .addr = random_ipv6() };
	uint32_t kind = rte_rand() % 10;

	p.len = (uint8_t)(kind < 3 ? 128 : kind < 5 ? 50 + rte_rand() % 20 : kind < 7 ? 110 + rte_rand() % 18 : 0);
	prefix_range(&p, &s.low, &s.high);
	if (kind > 7) {
		s.low = random_ipv6();
		s.high = random_ipv6();
	}
	if (addr_compare(&s.low, &s.high) > 0) {
		struct addr low = s.high;
		s.high = s.low;
		s.low = low;
	}
	return s;
}

static void random_ports(struct selector *s)
{
	uint32_t kind = rte_rand() % 8;

	if (kind == 0) {
		s->port_low = UINT16_MAX; /* OPAQUE */
		s->port_high = 0;
	} else if (kind < 3) {
		s->port_low = (uint16_t)(rte_rand() % 16);
		s->port_high = (uint16_t)(s->port_low + rte_rand() % 8);
	}
}

/* Both families, also within one rule. */
static struct selector random_selector(bool mixed)
{
	return mixed && rte_rand() % 2 ? random_ipv6_selector() : random_ipv4_selector();
}

static struct spd_rule random_rule(bool mixed)
{
	static const uint8_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 };
	uint8_t protocol = protocols[rte_rand() % (mixed ? 5 : 4)];
	struct spd_rule r = { .action = (enum spd_action)(rte_rand() % 3), .tunnel_slot = (uint32_t)rte_rand() };

	r.local.count = (uint8_t)(1 + rte_rand() % 2);
	r.remote.count = (uint8_t)(1 + rte_rand() % 2);
	for (int i = 0; i < r.local.count + r.remote.count; i++) {
		struct selector s = random_selector(mixed);
		s.protocol = protocol;
		if (protocol)
			random_ports(&s);
		*(i < r.local.count ? &r.local.items[i] : &r.remote.items[i - r.local.count]) = s;
	}
	return r;
}

static struct flow flow6(uint8_t protocol, const struct addr *local, const struct addr *remote, uint16_t local_port,
	uint16_t remote_port)
{
	struct flow f = flow(protocol, 0, 0, local_port, remote_port);

	f.family = ADDR_IPV6;
	memcpy(f.local_be, local->bytes, 16);
	memcpy(f.remote_be, remote->bytes, 16);
	return f;
}

static void ports_forget(struct flow *f)
{
	f->has_ports = f->protocol != IPPROTO_ESP && rte_rand() % 4;
	if (!f->has_ports)
		f->local_port_be = f->remote_port_be = 0;
	if (f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6)
		f->remote_port_be = 0;
}

static struct flow random_flow(void)
{
	static const uint8_t protocols[] = { IPPROTO_ESP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	struct flow f = flow(protocols[rte_rand() % 4], 0x0a000000 | (rte_rand() & 0x5ff),
		0x0a000000 | (rte_rand() & 0x5ff), (uint16_t)(rte_rand() % 24), (uint16_t)(rte_rand() % 24));

	ports_forget(&f);
	return f;
}

static struct flow random_mixed_flow(void)
{
	static const uint8_t protocols[] = { IPPROTO_ESP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 };
	struct addr local = random_ipv6(), remote = random_ipv6();
	struct flow f = flow6(
		protocols[rte_rand() % 4], &local, &remote, (uint16_t)(rte_rand() % 24), (uint16_t)(rte_rand() % 24));

	ports_forget(&f);
	return rte_rand() % 2 ? random_flow() : f;
}

/* Flows on which table and slow reading differ. */
static unsigned disagreements(const struct spd_rule *rules, size_t n, unsigned flows, struct flow (*make)(void))
{
	struct spd *spd = compiled(rules, n);
	struct flow f[64];
	struct spd_verdict v[64];
	unsigned wrong = 0;

	for (unsigned done = 0; done < flows; done += ARRAY_LEN(f)) {
		uint16_t batch = (uint16_t)(1 + rte_rand() % ARRAY_LEN(f));
		for (uint16_t i = 0; i < batch; i++)
			f[i] = make();
		spd_lookup(spd, f, batch, v);
		for (uint16_t i = 0; i < batch; i++) {
			uint32_t expected = slow_lookup(rules, n, &f[i]);
			wrong += v[i].rule != expected || v[i].matched != (expected != UINT32_MAX);
			if (v[i].matched && v[i].rule == expected)
				wrong += v[i].action != rules[expected].action ||
					 v[i].tunnel_slot != rules[expected].tunnel_slot;
			wrong += !v[i].matched && v[i].action != SPD_DISCARD;
		}
	}
	spd_free(spd);
	return wrong;
}

static void few_rules(bool mixed, int rounds, struct flow (*make)(void))
{
	struct spd_rule rules[12];

	for (int round = 0; round < rounds; round++) {
		size_t n = 1 + rte_rand() % ARRAY_LEN(rules);
		for (size_t i = 0; i < n; i++)
			rules[i] = random_rule(mixed);
		CU_ASSERT_EQUAL(disagreements(rules, n, 1000, make), 0);
	}
}

static void test_spd_agrees_with_slow_reading_on_few_rules(void)
{
	rte_srand(11);
	few_rules(false, 100, random_flow);
}

static void test_spd_agrees_with_slow_reading_on_rules_of_both_families(void)
{
	rte_srand(21);
	few_rules(true, 40, random_mixed_flow);
}

static void hundreds_of_rules(bool mixed, size_t n, struct flow (*make)(void))
{
	struct spd_rule *rules = (struct spd_rule *)calloc(n, sizeof(*rules));

	for (size_t i = 0; i < n; i++) {
		rules[i] = random_rule(mixed);
		/* wide ones first would leave nothing to the others */
		struct selector *s = &rules[i].local.items[0];
		if (addr_is_any(&s->low) && i + 10 < n)
			s->low = s->high = s->low.family == ADDR_IPV6 ? random_ipv6()
								      : addr_from_ipv4(0x0a000000 | (uint32_t)i);
	}
	CU_ASSERT_EQUAL(disagreements(rules, n, 20000, make), 0);
	free(rules);
}

static void test_spd_agrees_with_slow_reading_on_hundreds_of_rules(void)
{
	rte_srand(12);
	hundreds_of_rules(false, 300, random_flow);
}

static void test_spd_agrees_with_slow_reading_on_hundreds_of_both_families(void)
{
	rte_srand(22);
	hundreds_of_rules(true, 150, random_mixed_flow);
}

#define MANY 10000

/* One host pair each; half of the flows belong to a rule. */
static struct flow flow_of_many(void)
{
	uint32_t i = (uint32_t)(rte_rand() % (2 * MANY));

	return flow(IPPROTO_UDP, 0x0a010000 + i % 250, 0x0a800000 + i, 1, 2);
}

static void test_spd_agrees_with_slow_reading_on_ten_thousand_rules(void)
{
	struct spd_rule *rules = (struct spd_rule *)calloc(MANY, sizeof(*rules));

	rte_srand(13);
	for (uint32_t i = 0; i < MANY; i++) {
		rules[i] = rule(SPD_PROTECT, i, "10.1.0.0/24", "10.2.0.0/24");
		rules[i].remote.items[0].low = rules[i].remote.items[0].high = addr_from_ipv4(0x0a800000 + i);
	}
	CU_ASSERT_EQUAL(disagreements(rules, MANY, 10000, flow_of_many), 0);
	free(rules);
}

static struct addr ipv6_of_many(uint32_t i)
{
	struct addr a;

	CU_ASSERT_EQUAL_FATAL(addr_parse("2001:db8:8000::", &a), 0);
	store_be32(a.bytes + 12, i);
	return a;
}

static struct flow flow6_of_many(void)
{
	uint32_t i = (uint32_t)(rte_rand() % (2 * MANY));
	struct addr local = ipv6_of_many(i % 250), remote = ipv6_of_many(0x10000 + i);

	return flow6(IPPROTO_UDP, &local, &remote, 1, 2);
}

static void test_spd_agrees_with_slow_reading_on_ten_thousand_ipv6_rules(void)
{
	struct spd_rule *rules = (struct spd_rule *)calloc(MANY, sizeof(*rules));

	rte_srand(23);
	for (uint32_t i = 0; i < MANY; i++) {
		rules[i] = rule(SPD_PROTECT, i, "2001:db8:8000::/120", "2001:db8:9000::/64");
		rules[i].remote.items[0].low = rules[i].remote.items[0].high = ipv6_of_many(0x10000 + i);
	}
	CU_ASSERT_EQUAL(disagreements(rules, MANY, 2000, flow6_of_many), 0);
	free(rules);
}

/* ---- single properties ---- */

static void test_spd_first_rule_wins(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_BYPASS, 0, "10.1.0.0/24", "10.2.0.1"),
		rule(SPD_PROTECT, 5, "10.1.0.0/16", "10.2.0.0/16"),
		rule(SPD_DISCARD, 0, "0.0.0.0/0", "0.0.0.0/0"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));
	struct spd_verdict v = verdict(spd, flow(IPPROTO_TCP, 0x0a010001, 0x0a020001, 1, 2));

	CU_ASSERT_EQUAL(v.action, SPD_BYPASS);
	v = verdict(spd, flow(IPPROTO_TCP, 0x0a010001, 0x0a020002, 1, 2));
	CU_ASSERT(v.matched && v.action == SPD_PROTECT && v.tunnel_slot == 5 && v.rule == 1);
	v = verdict(spd, flow(IPPROTO_TCP, 0x0a020002, 0x0a010001, 1, 2));
	CU_ASSERT(v.matched && v.action == SPD_DISCARD && v.rule == 2);
	spd_free(spd);
}

static void test_spd_without_rules_matches_nothing(void)
{
	struct spd *spd = compiled(NULL, 0);
	struct spd_verdict v = verdict(spd, flow(IPPROTO_TCP, 1, 2, 3, 4));

	CU_ASSERT(!v.matched && v.action == SPD_DISCARD);
	v = verdict(spd, fragment(IPPROTO_TCP, 1, 2));
	CU_ASSERT(!v.matched && v.action == SPD_DISCARD);
	spd_free(spd);
}

static void test_spd_fragment_of_protected_port_is_protected(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_PROTECT, 4, "10.1.0.0/24", "10.2.0.0/24[tcp/80]"),
		rule(SPD_BYPASS, 0, "0.0.0.0/0", "0.0.0.0/0"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));
	struct spd_verdict v = verdict(spd, fragment(IPPROTO_TCP, 0x0a010001, 0x0a020001));

	CU_ASSERT(v.action == SPD_PROTECT && v.tunnel_slot == 4);
	/* with its port seen it is another matter */
	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, 0x0a010001, 0x0a020001, 9, 81)).action, SPD_BYPASS);
	/* another protocol is not meant */
	CU_ASSERT_EQUAL(verdict(spd, fragment(IPPROTO_UDP, 0x0a010001, 0x0a020001)).action, SPD_BYPASS);
	spd_free(spd);
}

static void test_spd_fragment_never_bypasses_by_a_port_rule(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_BYPASS, 0, "10.1.0.0/24", "10.2.0.0/24[tcp/22]"),
		rule(SPD_PROTECT, 4, "10.1.0.0/24", "10.2.0.0/24"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, 0x0a010001, 0x0a020001, 9, 22)).action, SPD_BYPASS);
	CU_ASSERT_EQUAL(verdict(spd, fragment(IPPROTO_TCP, 0x0a010001, 0x0a020001)).action, SPD_PROTECT);
	spd_free(spd);
	/* without a rule behind it, it ends */
	spd = compiled(rules, 1);
	CU_ASSERT_FALSE(verdict(spd, fragment(IPPROTO_TCP, 0x0a010001, 0x0a020001)).matched);
	spd_free(spd);
}

static void test_spd_discard_by_port_takes_fragments(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_DISCARD, 0, "10.1.0.0/24", "10.2.0.0/24[udp/53]"),
		rule(SPD_BYPASS, 0, "10.1.0.0/24", "10.2.0.0/24"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	CU_ASSERT_EQUAL(verdict(spd, fragment(IPPROTO_UDP, 0x0a010001, 0x0a020001)).action, SPD_DISCARD);
	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_UDP, 0x0a010001, 0x0a020001, 9, 54)).action, SPD_BYPASS);
	spd_free(spd);
}

static void test_spd_opaque_means_packets_without_ports(void)
{
	const struct spd_rule rules[] = { rule(SPD_BYPASS, 0, "10.1.0.0/24[tcp/opaque]", "10.2.0.0/24[tcp/opaque]") };
	struct spd *spd = compiled(rules, 1);

	CU_ASSERT_EQUAL(verdict(spd, fragment(IPPROTO_TCP, 0x0a010001, 0x0a020001)).action, SPD_BYPASS);
	CU_ASSERT_FALSE(verdict(spd, flow(IPPROTO_TCP, 0x0a010001, 0x0a020001, 1, 1)).matched);
	spd_free(spd);
}

static void test_spd_icmp_type_and_code(void)
{
	/* echo request, named on either side */
	const struct spd_rule rules[] = {
		rule(SPD_PROTECT, 1, "10.1.0.0/24[icmp/8/0]", "10.2.0.0/24"),
		rule(SPD_PROTECT, 2, "10.3.0.0/24", "10.2.0.0/24[icmp/8/0]"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_ICMP, 0x0a010001, 0x0a020001, 0x0800, 0)).tunnel_slot, 1);
	CU_ASSERT_FALSE(verdict(spd, flow(IPPROTO_ICMP, 0x0a010001, 0x0a020001, 0x0000, 0)).matched);
	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_ICMP, 0x0a030001, 0x0a020001, 0x0800, 0)).tunnel_slot, 2);
	spd_free(spd);
}

static void test_spd_whole_address_space_and_odd_ranges(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_PROTECT, 1, "10.1.0.3-10.1.1.7", "0.0.0.1-255.255.255.254"),
		rule(SPD_BYPASS, 0, "0.0.0.0/0", "0.0.0.0/0"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	for (uint32_t a = 0x0a010000; a < 0x0a010200; a++) {
		bool inside = a >= 0x0a010003 && a <= 0x0a010107;
		CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, a, 5, 1, 2)).rule, inside ? 0 : 1);
	}
	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, 0x0a010003, 0, 1, 2)).rule, 1);
	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, 0x0a010003, UINT32_MAX, 1, 2)).rule, 1);
	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, 0, 0, 0, 0)).rule, 1);
	spd_free(spd);
}

static struct flow flow6_text(uint8_t protocol, const char *local, const char *remote, uint16_t port)
{
	struct addr l, r;

	CU_ASSERT_EQUAL_FATAL(addr_parse(local, &l) | addr_parse(remote, &r), 0);
	return flow6(protocol, &l, &r, port, port);
}

static void test_spd_families_do_not_meet(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_BYPASS, 0, "0.0.0.0/0", "::/0"),
		rule(SPD_PROTECT, 1, "0.0.0.0/0", "0.0.0.0/0"),
		rule(SPD_PROTECT, 2, "::/0", "::/0"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	CU_ASSERT_EQUAL(verdict(spd, flow(IPPROTO_TCP, 0x20010db8, 0x20010db8, 1, 2)).tunnel_slot, 1);
	CU_ASSERT_EQUAL(verdict(spd, flow6_text(IPPROTO_TCP, "::", "::1", 1)).tunnel_slot, 2);
	spd_free(spd);
	spd = compiled(rules, 2);
	CU_ASSERT_FALSE(verdict(spd, flow6_text(IPPROTO_TCP, "2001:db8::1", "2001:db8::2", 1)).matched);
	spd_free(spd);
}

static void test_spd_tables_do_not_meet(void)
{
	const struct spd_rule rules[] = { rule(SPD_BYPASS, 0, "0.0.0.0/0", "0.0.0.0/0") };
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));
	struct flow f = flow(IPPROTO_TCP, 1, 2, 3, 4);

	CU_ASSERT(verdict(spd, f).matched);
	f.table_id = 1;
	CU_ASSERT_FALSE(verdict(spd, f).matched);
	spd_free(spd);
}

static void test_spd_icmpv6_type_and_code(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_PROTECT, 1, "2001:db8:1::/48[ipv6-icmp/128]", "2001:db8:2::/48"),
		rule(SPD_PROTECT, 2, "2001:db8:3::/48", "2001:db8:2::/48[ipv6-icmp/128]"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	CU_ASSERT_EQUAL(verdict(spd, flow6_text(58, "2001:db8:1::1", "2001:db8:2::1", 0x8000)).tunnel_slot, 1);
	CU_ASSERT_FALSE(verdict(spd, flow6_text(58, "2001:db8:1::1", "2001:db8:2::1", 0x8100)).matched);
	CU_ASSERT_EQUAL(verdict(spd, flow6_text(58, "2001:db8:3::1", "2001:db8:2::1", 0x8000)).tunnel_slot, 2);
	spd_free(spd);
}

static void test_spd_ipv6_fragment_of_protected_port_is_protected(void)
{
	const struct spd_rule rules[] = {
		rule(SPD_PROTECT, 4, "2001:db8:1::/64", "2001:db8:2::/64[tcp/80]"),
		rule(SPD_BYPASS, 0, "::/0", "::/0"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));
	struct flow later = flow6_text(IPPROTO_TCP, "2001:db8:1::1", "2001:db8:2::1", 0);

	later.has_ports = false;
	CU_ASSERT_EQUAL(verdict(spd, later).tunnel_slot, 4);
	later.protocol = IPPROTO_UDP;
	CU_ASSERT_EQUAL(verdict(spd, later).action, SPD_BYPASS);
	CU_ASSERT_EQUAL(verdict(spd, flow6_text(IPPROTO_TCP, "2001:db8:1::1", "2001:db8:2::1", 81)).action, SPD_BYPASS);
	spd_free(spd);
}

/* The bounds of a range that is no prefix, on both sides of every border. */
static void test_spd_ipv6_odd_range(void)
{
	static const struct {
		const char *addr;
		bool inside;
	} probes[] = {
		{ "::", false },
		{ "2001:db8:0:ffff:ffff:ffff:ffff:fffe", false },
		{ "2001:db8:0:ffff:ffff:ffff:ffff:ffff", true },
		{ "2001:db8:1::", true },
		{ "2001:db8:1:ffff::", true },
		{ "2001:db8:2:3::4", true },
		{ "2001:db8:2:3::5", false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false },
	};
	const struct spd_rule rules[] = {
		rule(SPD_PROTECT, 1, "2001:db8:0:ffff:ffff:ffff:ffff:ffff-2001:db8:2:3::4", "::/0"),
		rule(SPD_BYPASS, 0, "::/0", "::/0"),
	};
	struct spd *spd = compiled(rules, ARRAY_LEN(rules));

	for (size_t i = 0; i < ARRAY_LEN(probes); i++)
		CU_ASSERT_EQUAL(verdict(spd, flow6_text(IPPROTO_TCP, probes[i].addr, "2001:db8::1", 1)).rule,
			probes[i].inside ? 0 : 1);
	spd_free(spd);
}

/* A range of 7 blocks that lies in none of another number. */
static struct selector odd_ipv6_range(uint32_t number)
{
	struct selector s = { .port_high = UINT16_MAX };
	uint8_t low[16], high[16];

	memset(low, 0x11, sizeof(low));
	memset(high, 0x77, sizeof(high));
	store_be32(low, 3 * number);
	store_be32(high, 3 * number + 2);
	s.low = addr_from_bytes(ADDR_IPV6, low);
	s.high = addr_from_bytes(ADDR_IPV6, high);
	return s;
}

static void test_spd_expansion_is_bounded(void)
{
	/* 7 blocks each way, of 16 selectors each side: 12,544 of one rule, 137,984 of all */
	struct spd_rule rules[11];
	const char *reason = NULL;

	for (uint32_t i = 0; i < ARRAY_LEN(rules); i++) {
		rules[i] = (struct spd_rule){ .local.count = SELECTORS_MAX, .remote.count = SELECTORS_MAX };
		for (uint32_t k = 0; k < SELECTORS_MAX; k++)
			rules[i].local.items[k] = rules[i].remote.items[k] = odd_ipv6_range(i * SELECTORS_MAX + k);
	}
	CU_ASSERT_PTR_NULL(spd_create(rules, ARRAY_LEN(rules), &reason));
	CU_ASSERT_STRING_EQUAL_FATAL(reason ? reason : "", "policies expand to too many rules");
}

/* The widest range that is no prefix, so often that it was once too much, counts once. */
static void test_spd_what_is_hidden_costs_nothing(void)
{
	static const char *const widest[] = { "0.0.0.1-255.255.255.254",
		"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe" };
	static struct spd_rule rules[MANY];

	for (size_t family = 0; family < ARRAY_LEN(widest); family++) {
		for (uint32_t i = 0; i < MANY; i++)
			rules[i] = rule(SPD_PROTECT, i, widest[family], widest[family]);
		struct spd *spd = compiled(rules, MANY);
		CU_ASSERT_EQUAL(verdict(spd, flow6_text(6, "2001:db8::1", "2001:db8::2", 1)).matched, family == 1);
		CU_ASSERT_EQUAL(verdict(spd, flow(6, 0x0a010203, 0x0a010204, 1, 2)).matched, family == 0);
		spd_free(spd);
	}
}

/* ---- shapes that are hard to compile ---- */

static uint32_t random_word(void)
{
	return (uint32_t)rte_rand();
}

/* Ranges that are no prefixes on both sides: as prefixes they would be a hundred each. */
static struct spd_rule odd_ranges_rule(uint32_t i)
{
	struct spd_rule r = {
		.action = (enum spd_action)(i % 3), .tunnel_slot = i, .local.count = 1, .remote.count = 1
	};
	uint32_t local = 0x0a000000 | (random_word() & 0xfffff), remote = 0x14000000 | (random_word() & 0xfffff);

	r.local.items[0] = (struct selector){ .low = addr_from_ipv4(local),
		.high = addr_from_ipv4(local + random_word() % 1000),
		.port_high = UINT16_MAX };
	r.remote.items[0] = (struct selector){ .low = addr_from_ipv4(remote),
		.high = addr_from_ipv4(remote + random_word() % 1000),
		.port_high = UINT16_MAX };
	return r;
}

static struct flow odd_ranges_flow(void)
{
	return flow(IPPROTO_UDP, 0x0a000000 | (random_word() & 0xfffff), 0x14000000 | (random_word() & 0xfffff), 1, 2);
}

/* Local ranges that all cross, each for a network of its own: asked for first, they would be a table of squares. */
static struct spd_rule crossing_rule(uint32_t i)
{
	struct spd_rule r = rule(SPD_PROTECT, i, "::/0", "::/0");

	r.local.items[0].low = random_ipv6();
	r.local.items[0].high = random_ipv6();
	r.local.items[0].high.bytes[5] = 1;
	r.remote.items[0].low = r.remote.items[0].high = ipv6_of_many(0x10000 + i);
	return r;
}

static struct flow crossing_flow(void)
{
	struct addr local = random_ipv6(), remote = ipv6_of_many(0x10000 + random_word() % 4000);

	local.bytes[5] = random_word() & 1;
	return flow6(IPPROTO_UDP, &local, &remote, 1, 2);
}

static void test_spd_agrees_with_slow_reading_on_hard_shapes(void)
{
	static const struct {
		struct spd_rule (*rule)(uint32_t i);
		struct flow (*flow)(void);
	} shapes[] = { { odd_ranges_rule, odd_ranges_flow }, { crossing_rule, crossing_flow } };
	const size_t count = 2000;
	struct spd_rule *rules = (struct spd_rule *)calloc(count, sizeof(*rules));

	rte_srand(14);
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		for (uint32_t i = 0; i < count; i++)
			rules[i] = shapes[s].rule(i);
		CU_ASSERT_EQUAL(disagreements(rules, count, 10000, shapes[s].flow), 0);
	}
	free(rules);
}

/* ---- compiled beside the control thread ---- */

#define COMPILERS   3
#define OFFICES     200
#define COMPILATION 5

/* Another set of slots for every thread: a table that took from a neighbour's shows. */
static void *compiler_run(void *arg)
{
	const uint32_t base = *(const uint32_t *)arg;
	struct spd_rule *rules = (struct spd_rule *)calloc(OFFICES, sizeof(*rules));
	uintptr_t wrong = 0;

	for (int round = 0; round < COMPILATION; round++) {
		char remote[32];
		const char *reason;
		for (uint32_t i = 0; i < OFFICES; i++) {
			snprintf(remote, sizeof(remote), "10.2.%u.0/24", i);
			rules[i] = rule(SPD_PROTECT, base + i, "10.1.0.0/16", remote);
		}
		struct spd *spd = spd_create(rules, OFFICES, &reason);
		for (uint32_t i = 0; spd && i < OFFICES; i++) {
			const struct flow f = flow(IPPROTO_UDP, 0x0a010001, 0x0a020000 + (i << 8), 1, 2);
			struct spd_verdict v;
			spd_lookup(spd, &f, 1, &v);
			wrong += v.tunnel_slot != base + i;
		}
		wrong += !spd;
		spd_free(spd);
	}
	free(rules);
	return (void *)wrong;
}

static void test_spd_compiles_on_several_threads(void)
{
	uint32_t bases[COMPILERS] = { 0, 1000, 2000 }, own = 3000;
	pthread_t threads[COMPILERS];
	void *wrong;

	for (int i = 0; i < COMPILERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, compiler_run, &bases[i]), 0);
	CU_ASSERT_PTR_NULL(compiler_run(&own));
	for (int i = 0; i < COMPILERS; i++) {
		pthread_join(threads[i], &wrong);
		CU_ASSERT_PTR_NULL(wrong);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_spd_agrees_with_slow_reading_on_few_rules),
		TEST(test_spd_agrees_with_slow_reading_on_rules_of_both_families),
		TEST(test_spd_agrees_with_slow_reading_on_hundreds_of_rules),
		TEST(test_spd_agrees_with_slow_reading_on_hundreds_of_both_families),
		TEST(test_spd_agrees_with_slow_reading_on_ten_thousand_rules),
		TEST(test_spd_agrees_with_slow_reading_on_ten_thousand_ipv6_rules),
		TEST(test_spd_agrees_with_slow_reading_on_hard_shapes),
		TEST(test_spd_first_rule_wins),
		TEST(test_spd_without_rules_matches_nothing),
		TEST(test_spd_fragment_of_protected_port_is_protected),
		TEST(test_spd_fragment_never_bypasses_by_a_port_rule),
		TEST(test_spd_discard_by_port_takes_fragments),
		TEST(test_spd_opaque_means_packets_without_ports),
		TEST(test_spd_icmp_type_and_code),
		TEST(test_spd_whole_address_space_and_odd_ranges),
		TEST(test_spd_families_do_not_meet),
		TEST(test_spd_tables_do_not_meet),
		TEST(test_spd_icmpv6_type_and_code),
		TEST(test_spd_ipv6_fragment_of_protected_port_is_protected),
		TEST(test_spd_ipv6_odd_range),
		TEST(test_spd_expansion_is_bounded),
		TEST(test_spd_what_is_hidden_costs_nothing),
		TEST(test_spd_compiles_on_several_threads),
	};

	rig_eal();
	return test_main("ipsec_spd", tests, ARRAY_LEN(tests), argc, argv);
}
