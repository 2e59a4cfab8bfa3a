/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools, the tunnels that lend from them or ask for an address, and what dynamic selectors become. */
#include "harness.h"

#include "base_config.h"

#define POOL                                                                                                           \
	"pools:\n"                                                                                                     \
	"  - {name: staff, addresses: [10.8.0.10-10.8.0.99, \"2001:db8:8::/64\"], dns: [10.1.0.53], split_include: "   \
	"[10.1.0.0/24]}\n"                                                                                             \
	"tunnels:\n"

static char with_pool[SPOILED_BYTES];

/* The good configuration with a pool, whose tunnel lends from it to whoever comes. */
static const char *lending_yaml(void)
{
	char text[SPOILED_BYTES], more[SPOILED_BYTES];

	spoil(base_yaml, "tunnels:\n", POOL, text);
	spoil(text, "remote: {address: 192.0.2.7, id: gw-b.example.net,",
		"remote: {address: any, id: any, pool: staff,", more);
	spoil(more, "remote_selectors: [\"10.2.0.0/24\"]", "remote_selectors: [dynamic]", text);
	return spoil(text, "start: initiate", "start: respond", with_pool);
}

static void refused(const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES];

	refused_text(spoil(lending_yaml(), from, to, text), base_secrets, expected);
}

static void test_pool_of_a_tunnel(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(
		spoil(lending_yaml(), "local_selectors: [10.1.0.0/24]\n        remote_selectors: [dynamic]",
			"local_selectors: [10.1.0.0/24, \"2001:db8:1::/64\"]\n        remote_selectors: [dynamic]",
			text),
		base_secrets);
	const struct address_pool *p = c->tunnels[0].pool;
	char shown[SELECTOR_TEXT_MAX];

	CU_ASSERT_PTR_EQUAL_FATAL(p, &c->pools[0]);
	CU_ASSERT_STRING_EQUAL(p->name, "staff");
	CU_ASSERT_EQUAL(p->addresses.count, 2);
	CU_ASSERT_EQUAL(p->dns.count, 1);
	CU_ASSERT_EQUAL(p->hold_ns, 3600000000000u);
	CU_ASSERT_STRING_EQUAL(selector_format(&p->split_include.items[0], shown), "10.1.0.0/24");
	/* the policy that leads to the tunnel is of the whole pool */
	CU_ASSERT(c->tunnels[0].children[0].remote.dynamic);
	CU_ASSERT_EQUAL_FATAL(c->tunnels[0].children[0].remote.count, 2);
	CU_ASSERT_STRING_EQUAL(
		selector_format(&c->tunnels[0].children[0].remote.items[0], shown), "10.8.0.10-10.8.0.99");
	CU_ASSERT(!c->tunnels[0].children[0].local.dynamic);
	config_free(c);
}

static void test_virtual_ip_of_a_tunnel(void)
{
	char text[SPOILED_BYTES], more[SPOILED_BYTES], shown[SELECTOR_TEXT_MAX];
	struct config *c;

	spoil(base_yaml, "id: gw-a.example.net,", "id: gw-a.example.net, virtual_ip: ipv4,", text);
	c = loaded(spoil(text, "        local_selectors: [10.1.0.0/24]\n        remote",
			   "        local_selectors: [dynamic]\n        remote", more),
		base_secrets);
	CU_ASSERT_EQUAL(c->tunnels[0].virtual_ip, VIRTUAL_IPV4);
	CU_ASSERT(c->tunnels[0].children[0].local.dynamic);
	CU_ASSERT_EQUAL_FATAL(c->tunnels[0].children[0].local.count, 1);
	CU_ASSERT_STRING_EQUAL(selector_format(&c->tunnels[0].children[0].local.items[0], shown), "0.0.0.0/0");
	config_free(c);
}

/* Without pool and virtual address, a dynamic side is the address the tunnel has outside. */
static void test_dynamic_is_the_outer_address(void)
{
	char text[SPOILED_BYTES], more[SPOILED_BYTES], shown[SELECTOR_TEXT_MAX];
	struct config *c;

	spoil(base_yaml, "        local_selectors: [10.1.0.0/24]\n        remote",
		"        local_selectors: [dynamic]\n        remote", text);
	c = loaded(spoil(text, "[\"10.2.0.0/24\"]", "[dynamic]", more), base_secrets);
	CU_ASSERT_STRING_EQUAL(selector_format(&c->tunnels[0].children[0].local.items[0], shown), "192.0.2.1");
	CU_ASSERT_STRING_EQUAL(selector_format(&c->tunnels[0].children[0].remote.items[0], shown), "192.0.2.7");
	config_free(c);
}

static void test_pool_addresses_are_refused(void)
{
	refused("10.8.0.10-10.8.0.99, ", "\"10.8.0.0/24[tcp/80]\", ",
		"gw.yaml:28:30: pools.staff.addresses: a pool has addresses only, no protocols or ports");
	refused("10.8.0.10-10.8.0.99, ", "10.8.0.10-10.8.0.99, 10.8.0.90-10.8.0.120, ",
		"gw.yaml:28:30: pools.staff.addresses: two of the ranges overlap");
	refused("10.8.0.10-10.8.0.99, ", "10.1.0.0/24, ",
		"gw.yaml:28:30: pools.staff.addresses: 10.1.0.1 is our own address");
	refused("split_include: [10.1.0.0/24]", "split_include: [10.1.0.5-10.1.0.9]",
		"gw.yaml:28:105: pools.staff.split_include: a peer can be told of prefixes only (RFC 7296 3.15.1)");
	refused("dns: [10.1.0.53]", "dns: [0.0.0.0]",
		"gw.yaml:28:78: pools.staff.dns: \"0.0.0.0\" is not the address of a name server");
	refused("pools:\n", "pools:\n  - {name: guests, addresses: [10.8.0.50-10.8.0.60]}\n",
		"gw.yaml:29:30: pools.staff.addresses: pool guests has some of these addresses");
}

static void test_pool_references_are_refused(void)
{
	refused("pool: staff", "pool: stuff",
		"gw.yaml:33:43: tunnels.paris.remote.pool: no pool \"stuff\"; did you mean \"staff\"?");
	refused("id: gw-a.example.net,", "id: gw-a.example.net, virtual_ip: ipv4,",
		"gw.yaml:32:67: tunnels.paris.local.virtual_ip: we cannot ask the peer for an address and lend it one");
	refused("[dynamic]", "[dynamic, 10.2.0.0/24]",
		"gw.yaml:43:37: tunnels.paris.phase2.net.remote_selectors: `dynamic` stands alone in its list");
	refused("[dynamic]", "[10.2.0.0/24, dynamic]",
		"gw.yaml:43:41: tunnels.paris.phase2.net.remote_selectors: `dynamic` stands alone in its list");
}

static void test_tunnel_for_many_peers(void)
{
	char text[SPOILED_BYTES], more[SPOILED_BYTES];
	const char *lending = spoil(lending_yaml(), "addresses: [10.8.0.10-10.8.0.99, \"2001:db8:8::/64\"]",
		"addresses: [10.8.0.10-10.8.0.99]", text);
	struct config *c = loaded(lending, base_secrets);

	CU_ASSERT(profile_serves_many(&c->tunnels[0]));
	CU_ASSERT_EQUAL(c->tunnels[0].peers_max, 10000);
	CU_ASSERT_EQUAL(c->tunnels[0].unique_id, UNIQUE_REPLACE);
	config_free(c);
	c = loaded(spoil(lending, "id: any,", "id: \"*.example.net\", unique_id: keep, peers: 5,", more), base_secrets);
	CU_ASSERT(profile_serves_many(&c->tunnels[0]));
	CU_ASSERT_EQUAL(c->tunnels[0].peers_max, 5);
	CU_ASSERT_EQUAL(c->tunnels[0].unique_id, UNIQUE_KEEP);
	config_free(c);
	c = loaded(spoil(lending, "id: any,", "id: gw-b.example.net,", more), base_secrets);
	CU_ASSERT(!profile_serves_many(&c->tunnels[0]));
	config_free(c);
}

static void test_settings_of_many_peers_are_refused_elsewhere(void)
{
	refused("id: any,", "id: any, unique_id: never,",
		"gw.yaml:33:48: tunnels.paris.remote.unique_id: a pool lends one address to an identity, which two "
		"connections of it would share");
	refused("id: any,", "id: gw-b.example.net, unique_id: keep,",
		"gw.yaml:33:61: tunnels.paris.remote.unique_id: only for many peers: with remote.address any, "
		"remote.id any or a pattern");
	refused("id: any,", "id: gw-b.example.net, peers: 7,",
		"gw.yaml:33:57: tunnels.paris.remote.peers: only for many peers: with remote.address any, remote.id "
		"any or a pattern");
	refused("address: any, id: any,", "address: 192.0.2.7, id: \"*.example.net\",",
		"gw.yaml:33:38: tunnels.paris.remote.id: a pattern is for peers that come to us: remote.address any");
	refused("id: any,", "id: any, peers: 0,",
		"gw.yaml:33:44: tunnels.paris.remote.peers: 0 is not from 1 to 32768");
	refused("id: any,", "id: any, unique_id: no,",
		"gw.yaml:33:48: tunnels.paris.remote.unique_id: \"no\": what strongSwan calls no is `replace` here");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_pool_of_a_tunnel),
		TEST(test_tunnel_for_many_peers),
		TEST(test_settings_of_many_peers_are_refused_elsewhere),
		TEST(test_virtual_ip_of_a_tunnel),
		TEST(test_dynamic_is_the_outer_address),
		TEST(test_pool_addresses_are_refused),
		TEST(test_pool_references_are_refused),
	};

	return test_main("conf_pools", tests, ARRAY_LEN(tests), argc, argv);
}
