/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: virtual addresses by the Configuration payload (RFC 7296 2.19, 3.15). A asks, B lends from a pool. */
#include "harness.h"

#include "fake_wire.h"

static struct address_pool pool;

static void dynamic_side(struct selector_list *side, const char *where)
{
	selectors_set(side, where);
	side->dynamic = true;
}

static void init(struct wire *w, uint64_t seed, enum virtual_ip wish, const char *where)
{
	struct tunnel_profile *a, *b;

	wire_init(w, seed);
	a = &w->a.profiles[0];
	b = &w->b.profiles[0];
	pool = (struct address_pool){ .name = "staff" };
	selectors_set(&pool.addresses, "10.8.0.5-10.8.0.9,2001:db8:8::5-2001:db8:8::9");
	selectors_set(&pool.split_include, "10.2.0.0/16,2001:db8:2::/48");
	addr_parse("10.2.0.53", &pool.dns.items[0]);
	addr_parse("2001:db8:2::53", &pool.dns.items[1]);
	pool.dns.count = 2;
	a->virtual_ip = wish;
	dynamic_side(&a->children[0].local, where);
	selectors_set(&a->children[0].remote, "10.2.0.0/24,2001:db8:2::/64");
	b->pool = &pool;
	dynamic_side(&b->children[0].remote, "10.8.0.5-10.8.0.9,2001:db8:8::5-2001:db8:8::9");
	selectors_set(&b->children[0].local, "10.2.0.0/24,2001:db8:2::/64");
}

static const char *shown(const struct addr *a)
{
	static char text[ADDR_TEXT_MAX];

	return addr_format(a, text);
}

static const char *local_side(const struct node *n)
{
	static char text[256];

	return selector_list_format(&node_pair(n)->in.local, text, sizeof(text));
}

static const char *remote_side(const struct node *n)
{
	static char text[256];

	return selector_list_format(&node_pair(n)->in.remote, text, sizeof(text));
}

static void test_config_address_is_asked_for_and_lent(void)
{
	struct wire w;

	init(&w, 1, VIRTUAL_IPV4, "0.0.0.0/0");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(shown(&w.a.given[0]), "10.8.0.5");
	CU_ASSERT_EQUAL(w.a.given[1].family, ADDR_NONE);
	CU_ASSERT_EQUAL(w.a.dns.count, 1);
	CU_ASSERT_STRING_EQUAL(shown(&w.a.dns.items[0]), "10.2.0.53");
	CU_ASSERT_STRING_EQUAL(local_side(&w.a), "10.8.0.5");
	CU_ASSERT_STRING_EQUAL(remote_side(&w.b), "10.8.0.5");
	CU_ASSERT_EQUAL(w.b.lent, 1);
	struct ike_tunnel_status a = node_status(&w.a, 0), b = node_status(&w.b, 0);
	CU_ASSERT_STRING_EQUAL(shown(&a.virtual[0]), "10.8.0.5");
	CU_ASSERT_STRING_EQUAL(shown(&b.virtual[0]), "10.8.0.5");
	/* it is the peer's until the IKE SA ends */
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(w.b.lent, 0);
	CU_ASSERT_EQUAL(w.a.given[0].family, ADDR_NONE);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_config_two_families(void)
{
	struct wire w;

	init(&w, 2, VIRTUAL_BOTH, "0.0.0.0/0,::/0");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(shown(&w.a.given[0]), "10.8.0.5");
	CU_ASSERT_STRING_EQUAL(shown(&w.a.given[1]), "2001:db8:8::5");
	CU_ASSERT_EQUAL(w.a.dns.count, 2);
	CU_ASSERT_STRING_EQUAL(local_side(&w.a), "10.8.0.5, 2001:db8:8::5");
	CU_ASSERT_EQUAL(w.b.lent, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Of what is asked for, what there is (RFC 7296 3.15.4). */
static void test_config_a_family_without_addresses(void)
{
	struct wire w;

	init(&w, 3, VIRTUAL_BOTH, "0.0.0.0/0,::/0");
	selectors_set(&pool.addresses, "2001:db8:8::7-2001:db8:8::9");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(w.a.given[0].family, ADDR_NONE);
	CU_ASSERT_STRING_EQUAL(shown(&w.a.given[1]), "2001:db8:8::7");
	CU_ASSERT_STRING_EQUAL(local_side(&w.a), "2001:db8:8::7");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Who comes back asks for the address it had. */
static void test_config_last_address_is_wanted_again(void)
{
	struct wire w;

	init(&w, 4, VIRTUAL_IPV4, "0.0.0.0/0");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, 5 * S);
	selectors_set(&pool.addresses, "10.8.0.1-10.8.0.9");
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(shown(&w.a.given[0]), "10.8.0.5");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 3.15.4: the IKE SA stays, without a child; it comes when there is an address. */
static void test_config_empty_pool(void)
{
	struct wire w;

	init(&w, 5, VIRTUAL_IPV4, "0.0.0.0/0");
	w.b.no_lease = true;
	wire_start(&w);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_INTERNAL_ADDRESS_FAILURE);
	CU_ASSERT_STRING_EQUAL(w.a.failure.hint, "compare local.virtual_ip here with the pool there");
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "the pool has no address for this peer");
	CU_ASSERT_STRING_EQUAL(w.b.failure.ours, "pool staff");
	CU_ASSERT_EQUAL(w.b.lent, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_config_peer_that_does_not_ask(void)
{
	struct wire w;

	init(&w, 6, VIRTUAL_NONE, "10.8.0.5");
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_FAILED_CP_REQUIRED);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_FAILED_CP_REQUIRED);
	/* nor does it get one by CREATE_CHILD_SA: it has no side */
	wire_run(&w, 20 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A child without an address to send from is of no use. */
static void test_config_peer_that_gives_nothing(void)
{
	struct wire w;

	init(&w, 7, VIRTUAL_IPV4, "0.0.0.0/0");
	w.b.profiles[0].pool = NULL;
	wire_start(&w);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer gave us no virtual address");
	wire_run(&w, 5 * S);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A new pair of keys is for the same address. */
static void test_config_rekeyed_child_keeps_the_address(void)
{
	struct wire w;

	init(&w, 8, VIRTUAL_IPV4, "0.0.0.0/0");
	w.a.profiles[0].children[0].lifetime_ns = 60 * S;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	uint32_t before = node_pair(&w.a)->in.spi;
	wire_run(&w, 120 * S);
	CU_ASSERT_TRUE_FATAL(wire_up(&w));
	CU_ASSERT_NOT_EQUAL(node_pair(&w.a)->in.spi, before);
	CU_ASSERT_STRING_EQUAL(local_side(&w.a), "10.8.0.5");
	CU_ASSERT_STRING_EQUAL(remote_side(&w.b), "10.8.0.5");
	CU_ASSERT_EQUAL(w.b.lent, 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_config_address_is_asked_for_and_lent),
		TEST(test_config_two_families),
		TEST(test_config_a_family_without_addresses),
		TEST(test_config_last_address_is_wanted_again),
		TEST(test_config_empty_pool),
		TEST(test_config_peer_that_does_not_ask),
		TEST(test_config_peer_that_gives_nothing),
		TEST(test_config_rekeyed_child_keeps_the_address),
	};

	return test_main("exchange_config_mode", tests, ARRAY_LEN(tests), argc, argv);
}
