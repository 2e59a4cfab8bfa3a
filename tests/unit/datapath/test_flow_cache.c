/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow cache as a table: what was put in comes out or is gone, never another flow's decision, of any family. */
#include "harness.h"

#include <stdlib.h>

#include "flow_cache_priv.h"
#include "rig.h"

static struct flow flow_of(uint32_t n, bool six)
{
	struct flow f = { .protocol = n % 3 ? IPPROTO_UDP : IPPROTO_TCP,
		.family = six ? ADDR_IPV6 : ADDR_IPV4,
		.has_ports = true,
		.local_be = { n * 2654435761u, six ? n : 0, 0, six ? ~n : 0 },
		.remote_be = { n ^ 0x0a000000, 0, six ? n : 0, 0 },
		.local_port_be = (uint16_t)n,
		.remote_port_be = (uint16_t)(n >> 16) };
	return f;
}

static void insert(struct flow_cache *c, const struct flow *f, uint8_t context, uint32_t epoch, uint32_t slot)
{
	const struct decision d = { .kind = DECISION_PROTECT, .slot = slot };

	if (f->family == ADDR_IPV6) {
		struct flow_key6 k = flow_key6_of(f, context);
		flow_insert6(c, flow_key6_hash(c, &k), &k, epoch, &d);
	} else {
		struct flow_key4 k = flow_key4_of(f, context);
		flow_insert4(c, flow_key4_hash(c, &k), &k, epoch, &d);
	}
}

static const struct decision *lookup(const struct flow_cache *c, const struct flow *f, uint8_t context, uint32_t epoch)
{
	struct flow_key4 k4 = flow_key4_of(f, context);
	struct flow_key6 k6 = flow_key6_of(f, context);
	const struct decision *d = NULL;

	for (unsigned choice = 0; choice < FLOW_CHOICES && !d; choice++)
		d = f->family == ADDR_IPV6 ? flow_lookup6(flow_set6(c, flow_key6_hash(c, &k6), choice), &k6, epoch)
					   : flow_lookup4(flow_set4(c, flow_key4_hash(c, &k4), choice), &k4, epoch);
	return d;
}

static void filled(bool six, uint32_t entries, uint32_t flows, uint32_t *ret_found)
{
	struct flow_cache c;

	CU_ASSERT_EQUAL_FATAL(flow_cache_init(&c, entries), 0);
	for (uint32_t n = 0; n < flows; n++) {
		struct flow f = flow_of(n, six);
		insert(&c, &f, (uint8_t)(n % 7), 1, n);
		CU_ASSERT_PTR_NOT_NULL(lookup(&c, &f, (uint8_t)(n % 7), 1));
	}
	*ret_found = 0;
	for (uint32_t n = 0; n < flows; n++) {
		struct flow f = flow_of(n, six);
		const struct decision *d = lookup(&c, &f, (uint8_t)(n % 7), 1);
		*ret_found += d != NULL;
		CU_ASSERT(!d || d->slot == n);
		CU_ASSERT_PTR_NULL(lookup(&c, &f, (uint8_t)(n % 7 + 1), 1));
		CU_ASSERT_PTR_NULL(lookup(&c, &f, (uint8_t)(n % 7), 2));
	}
	flow_cache_done(&c);
}

static void test_flow_cache_keeps_flows_apart(void)
{
	uint32_t found;

	for (int six = 0; six < 2; six++) {
		filled(six, 4096, 1000, &found);
		CU_ASSERT(found > 990);
		/* three quarters full; with one set to a key a third would be gone */
		filled(six, 65536, 50000, &found);
		CU_ASSERT(found > 45000);
		/* four times as many as there is room for */
		filled(six, 1024, 4096, &found);
		CU_ASSERT(found > 700 && found <= 1024);
		filled(six, 1, 50, &found);
		CU_ASSERT_EQUAL(found, 2);
	}
}

/* Every field of the key makes another flow. */
static void test_flow_cache_compares_the_whole_flow(void)
{
	struct flow_cache c;

	CU_ASSERT_EQUAL_FATAL(flow_cache_init(&c, 64), 0);
	for (int six = 0; six < 2; six++) {
		struct flow f = flow_of(12345, six), others[7];
		for (int i = 0; i < 7; i++)
			others[i] = f;
		others[0].local_be[six ? 3 : 0] ^= 1;
		others[1].remote_be[six ? 3 : 0] ^= 1;
		others[2].local_port_be ^= 1;
		others[3].remote_port_be ^= 1;
		others[4].protocol ^= 1;
		others[5].has_ports = false;
		others[6].table_id ^= 1;
		insert(&c, &f, 1, 1, 7);
		CU_ASSERT_PTR_NOT_NULL(lookup(&c, &f, 1, 1));
		for (int i = 0; i < 7; i++)
			CU_ASSERT_PTR_NULL(lookup(&c, &others[i], 1, 1));
	}
	flow_cache_done(&c);
}

static void test_flow_cache_what_is_over_is_replaced_first(void)
{
	struct flow_cache c;
	unsigned kept = 0;

	CU_ASSERT_EQUAL_FATAL(flow_cache_init(&c, 2), 0);
	for (uint32_t n = 0; n < 40; n += 2) {
		struct flow old = flow_of(n, false), fresh = flow_of(n + 1, false), later = flow_of(n + 100, false);
		insert(&c, &old, 0, n + 1, 1);
		insert(&c, &fresh, 0, n + 2, 2);
		insert(&c, &later, 0, n + 2, 3);
		kept += lookup(&c, &fresh, 0, n + 2) != NULL;
	}
	CU_ASSERT_EQUAL(kept, 20);
	flow_cache_done(&c);
}

/* Two caches place the same flows differently: nobody outside knows which flows share a set. */
static void test_flow_cache_places_are_secret(void)
{
	struct flow_cache a, b;
	unsigned same = 0;

	CU_ASSERT_EQUAL_FATAL(flow_cache_init(&a, 4096), 0);
	CU_ASSERT_EQUAL_FATAL(flow_cache_init(&b, 4096), 0);
	for (uint32_t n = 0; n < 1000; n++) {
		struct flow f = flow_of(n, n % 2), g = flow_of(n + 1, n % 2);
		struct flow_key4 f4 = flow_key4_of(&f, 0), g4 = flow_key4_of(&g, 0);
		uint64_t differ_a = flow_key4_hash(&a, &f4) ^ flow_key4_hash(&a, &g4);
		uint64_t differ_b = flow_key4_hash(&b, &f4) ^ flow_key4_hash(&b, &g4);
		same += (differ_a & 2047) == (differ_b & 2047);
	}
	CU_ASSERT(same < 20);
	flow_cache_done(&a);
	flow_cache_done(&b);
}

static void test_flow_cache_none_at_all(void)
{
	struct flow_cache c;

	CU_ASSERT_EQUAL(flow_cache_init(&c, 0), 0);
	CU_ASSERT_PTR_NULL(c.four);
	flow_cache_done(&c);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_flow_cache_keeps_flows_apart),
		TEST(test_flow_cache_compares_the_whole_flow),
		TEST(test_flow_cache_what_is_over_is_replaced_first),
		TEST(test_flow_cache_places_are_secret),
		TEST(test_flow_cache_none_at_all),
	};

	rig_eal();
	return test_main("datapath_flow_cache", tests, ARRAY_LEN(tests), argc, argv);
}
