/* SPDX-License-Identifier: BSD-3-Clause */
/* Explain against what really happens: every query here is also sent as a packet, and both must end alike. */
#include <errno.h>

#include "harness.h"
#include "rig.h"
#include "fake_ipsec.h"

#define PROTECT_FAR "protect 3 10.1.0.0/24 10.2.0.0/24"

static struct sa out_sa;

static void tunnel_open(const char *peer)
{
	struct path_spec spec = { 0 };

	addr_parse(WAN_OWN, &spec.local.addr);
	addr_parse(peer, &spec.remote.addr);
	out_sa = (struct sa){ .spi = 0x1002, .owner = 0, .inner_mtu = 1400 };
	CU_ASSERT_EQUAL_FATAL(datapath_path_create(rig.dp, &spec, &out_sa.path), 0);
	fake.tunnels[3] = &out_sa;
}

static void tunnel_close(void)
{
	path_free(out_sa.path);
	fake.tunnels[3] = NULL;
}

static struct datapath_explanation ask(const char *src, const char *dst, uint16_t port)
{
	struct datapath_query q = {
		.protocol = IPPROTO_UDP, .has_ports = true, .sport = 1000, .dport = 7, .port = port
	};
	struct datapath_explanation e;

	addr_parse(src, &q.src);
	addr_parse(dst, &q.dst);
	CU_ASSERT_EQUAL(datapath_explain(rig.dp, &q, &e), 0);
	return e;
}

/* True when explain names this drop and a packet really ends so. */
static bool explains_drop(uint16_t port, const char *src, const char *dst, enum drop_reason reason)
{
	const struct probe p = { .src = src, .dst = dst, .sport = 1000, .dport = 7 };
	struct datapath_explanation e = ask(src, dst, port);

	if (e.clear.end != DATAPATH_END_DROPPED || e.clear.reason != reason)
		printf("# explained as %d %d\n", e.clear.end, e.clear.reason);
	return e.clear.end == DATAPATH_END_DROPPED && e.clear.reason == reason && dropped_as(port, &p, reason);
}

static void test_explain_names_the_drop_of_every_scenario(void)
{
	rig_open(1);
	CU_ASSERT(explains_drop(LAN, LAN_HOST, FAR_HOST, DROP_NO_POLICY));
	CU_ASSERT(explains_drop(LAN, LAN_HOST, LAN_OWN, DROP_LOCAL_UNHANDLED));
	CU_ASSERT(explains_drop(LAN, LAN_HOST, LAN_HOST, DROP_MARTIAN));
	CU_ASSERT(explains_drop(LAN, "127.0.0.1", FAR_HOST, DROP_MARTIAN));
	CU_ASSERT(explains_drop(LAN, LAN_HOST6, "::1", DROP_MARTIAN));
	RIG_POLICY("discard 10.1.0.0/24 10.3.0.0/24", PROTECT_FAR, "bypass 10.1.0.0/24 0.0.0.0/0");
	CU_ASSERT(explains_drop(LAN, LAN_HOST, "10.3.0.1", DROP_DISCARD));
	CU_ASSERT(explains_drop(LAN, LAN_HOST, FAR_HOST, DROP_NO_SA));
	CU_ASSERT(explains_drop(LAN, LAN_HOST, "10.1.0.255", DROP_NO_ROUTE));
	CU_ASSERT(explains_drop(WAN, FAR_HOST, LAN_HOST, DROP_INBOUND_CLEAR));
	tunnel_open(WAN_PEER);
	/* somebody on the WAN speaks in the name of our host */
	CU_ASSERT(explains_drop(WAN, LAN_HOST, FAR_HOST, DROP_MARTIAN));
	out_sa.flags = SA_HARD_EXPIRED;
	out_sa.refuse = DROP_EXPIRED;
	CU_ASSERT(explains_drop(LAN, LAN_HOST, FAR_HOST, DROP_EXPIRED));
	out_sa.flags = SA_SEQUENCE_END;
	out_sa.refuse = DROP_SEQUENCE;
	CU_ASSERT(explains_drop(LAN, LAN_HOST, FAR_HOST, DROP_SEQUENCE));
	out_sa.outside = true;
	CU_ASSERT(explains_drop(LAN, LAN_HOST, FAR_HOST, DROP_SELECTOR_OUT));
	tunnel_close();
	rig_close();
}

static void test_explain_protected_names_sa_next_hop_and_mtu(void)
{
	struct datapath_explanation e;
	struct addr peer;

	rig_open(1);
	RIG_POLICY("bypass 10.9.0.0/24 10.9.1.0/24", PROTECT_FAR);
	tunnel_open(WAN_PEER);
	e = ask(LAN_HOST, FAR_HOST, DATAPATH_PORT_ANY);
	addr_parse(WAN_PEER, &peer);
	CU_ASSERT_EQUAL(e.port, LAN);
	CU_ASSERT_EQUAL(e.rx_worker, 0);
	CU_ASSERT(e.leaving.matched);
	CU_ASSERT_EQUAL(e.leaving.rule, 1);
	CU_ASSERT(!e.arriving.matched);
	CU_ASSERT_EQUAL(e.clear.end, DATAPATH_END_SEALED);
	CU_ASSERT_EQUAL(e.clear.tunnel_slot, 3);
	CU_ASSERT_PTR_EQUAL(e.clear.sa, &out_sa);
	CU_ASSERT_EQUAL(e.clear.owner, 0);
	CU_ASSERT_EQUAL(e.clear.mtu, 1400);
	CU_ASSERT_EQUAL(e.clear.next_hop.port, WAN);
	CU_ASSERT(addr_equal(&e.clear.next_hop.addr, &peer));
	CU_ASSERT(!e.brought);
	tunnel_close();
	rig_close();
}

static void test_explain_what_a_tunnel_brings_goes_on(void)
{
	struct datapath_explanation e;

	rig_open(1);
	RIG_POLICY(PROTECT_FAR);
	e = ask(FAR_HOST, LAN_HOST, DATAPATH_PORT_ANY);
	CU_ASSERT_EQUAL(e.port, WAN);
	CU_ASSERT_EQUAL(e.clear.reason, DROP_INBOUND_CLEAR);
	CU_ASSERT(e.brought);
	CU_ASSERT_EQUAL(e.tunnelled.end, DATAPATH_END_CLEAR);
	CU_ASSERT_EQUAL(e.tunnelled.next_hop.port, LAN);
	CU_ASSERT_EQUAL(e.tunnelled.mtu, 1500);
	/* a hub sends it into another tunnel */
	RIG_POLICY("protect 3 10.1.0.0/24 10.2.0.0/24", "protect 4 10.2.0.0/24 10.1.0.0/24");
	e = ask(FAR_HOST, LAN_HOST, DATAPATH_PORT_ANY);
	CU_ASSERT(e.brought);
	CU_ASSERT_EQUAL(e.tunnelled.tunnel_slot, 4);
	CU_ASSERT_EQUAL(e.tunnelled.reason, DROP_NO_SA);
	rig_close();
}

static void test_explain_unresolved_neighbour_is_named_and_not_touched(void)
{
	struct datapath_explanation e;
	uint32_t entries;

	rig_open(1);
	RIG_POLICY("bypass 10.1.0.0/24 192.0.2.0/24");
	entries = rig.dp->neighbours->entry_count;
	e = ask(LAN_HOST, "192.0.2.77", DATAPATH_PORT_ANY);
	CU_ASSERT_EQUAL(e.clear.end, DATAPATH_END_DROPPED);
	CU_ASSERT_EQUAL(e.clear.reason, DROP_NEIGHBOUR);
	CU_ASSERT_EQUAL(e.clear.next_hop.state, NEIGHBOUR_FREE);
	CU_ASSERT_EQUAL(rig.dp->neighbours->entry_count, entries);
	e = ask(LAN_HOST, WAN_PEER, DATAPATH_PORT_ANY);
	CU_ASSERT_EQUAL(e.clear.end, DATAPATH_END_CLEAR);
	CU_ASSERT_EQUAL(e.clear.next_hop.state, NEIGHBOUR_STATIC);
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++)
		CU_ASSERT_EQUAL(atomic_load(&rig.dp->neighbours->used[i]), 0);
	rig_close();
}

static void test_explain_reverse_path_and_loops(void)
{
	struct datapath_explanation e;

	rig_open(1);
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	rig.dp->ports[WAN].rpf = DATAPATH_RPF_STRICT;
	rig.dp->reverse_path = true;
	CU_ASSERT(explains_drop(WAN, LAN_HOST, WAN_PEER, DROP_REVERSE_PATH));
	rig.dp->ports[WAN].rpf = DATAPATH_RPF_OFF;
	rig.dp->reverse_path = false;
	/* both sides overlap: what came out of the tunnel would go to where its peer is */
	RIG_POLICY("protect 3 0.0.0.0/0 0.0.0.0/0");
	tunnel_open(WAN_PEER);
	e = ask(FAR_HOST, "10.3.0.1", WAN);
	CU_ASSERT(e.brought);
	CU_ASSERT_EQUAL(e.clear.reason, DROP_INBOUND_CLEAR);
	CU_ASSERT_EQUAL(e.tunnelled.end, DATAPATH_END_DROPPED);
	CU_ASSERT_EQUAL(e.tunnelled.reason, DROP_TUNNEL_LOOP);
	e = ask(FAR_HOST, LAN_HOST, WAN);
	CU_ASSERT_EQUAL(e.tunnelled.end, DATAPATH_END_CLEAR);
	/* no rule takes it, and in clear it would leave by the port it came by */
	RIG_POLICY("protect 3 10.0.0.0/9 10.2.0.0/24");
	e = ask(FAR_HOST, "10.99.0.1", WAN);
	CU_ASSERT(e.brought);
	CU_ASSERT_EQUAL(e.tunnelled.reason, DROP_NO_POLICY);
	CU_ASSERT_EQUAL(ask(FAR_HOST, LAN_HOST, WAN).tunnelled.end, DATAPATH_END_CLEAR);
	/* in our name */
	RIG_POLICY("bypass 0.0.0.0/0 0.0.0.0/0");
	CU_ASSERT(explains_drop(LAN, WAN_OWN, WAN_PEER, DROP_MARTIAN));
	tunnel_close();
	rig_close();
}

static enum datapath_end own_end(const char *src, const char *dst, uint8_t protocol, uint16_t sport, uint16_t dport)
{
	struct datapath_query q = { .protocol = protocol, .has_ports = true, .sport = sport, .dport = dport };
	struct datapath_explanation e;

	q.port = DATAPATH_PORT_ANY;
	addr_parse(src, &q.src);
	addr_parse(dst, &q.dst);
	CU_ASSERT_EQUAL(datapath_explain(rig.dp, &q, &e), 0);
	return e.clear.end;
}

static void test_explain_own_addresses(void)
{
	rig_open(1);
	CU_ASSERT_EQUAL(own_end(LAN_HOST, LAN_OWN, IPPROTO_ICMP, 8, 0), DATAPATH_END_ANSWERED);
	CU_ASSERT_EQUAL(own_end(LAN_HOST, LAN_OWN, IPPROTO_ICMP, 0, 0), DATAPATH_END_DROPPED);
	CU_ASSERT_EQUAL(own_end(LAN_HOST6, LAN_OWN6, IPPROTO_ICMPV6, 128, 0), DATAPATH_END_ANSWERED);
	CU_ASSERT_EQUAL(own_end(WAN_PEER, WAN_OWN, IPPROTO_UDP, 500, 500), DATAPATH_END_IKE);
	CU_ASSERT_EQUAL(own_end(WAN_PEER6, WAN_OWN6, IPPROTO_UDP, 4500, 4500), DATAPATH_END_IKE);
	CU_ASSERT_EQUAL(own_end(WAN_PEER, WAN_OWN, IPPROTO_ESP, 0, 0), DATAPATH_END_OPENED);
	/* our own answers go back where the question came from */
	CU_ASSERT_EQUAL(own_end(LAN_OWN, LAN_HOST, IPPROTO_ICMP, 0, 0), DATAPATH_END_CLEAR);
	rig_close();
}

static void test_explain_refuses_two_families(void)
{
	struct datapath_query q = { .port = DATAPATH_PORT_ANY };
	struct datapath_explanation e;

	rig_open(1);
	addr_parse(LAN_HOST, &q.src);
	addr_parse(LAN_HOST6, &q.dst);
	CU_ASSERT_EQUAL(datapath_explain(rig.dp, &q, &e), -EINVAL);
	rig_close();
}

/* RFC 4862 5.4: nothing comes to an address that is not ours yet, and nothing leaves from it. */
static void test_explain_knows_tentative_addresses(void)
{
	rig_open(1);
	RIG_POLICY("bypass ::/0 ::/0", "bypass 0.0.0.0/0 0.0.0.0/0");
	rig.dp->neighbour_timers.dad_probes = 1;
	dad_start(rig.dp);
	CU_ASSERT(explains_drop(WAN, WAN_PEER6, LAN_OWN6, DROP_ADDRESS_UNUSABLE));
	CU_ASSERT(explains_drop(LAN, LAN_HOST6, WAN_OWN6, DROP_ADDRESS_UNUSABLE));
	CU_ASSERT_EQUAL(ask(WAN_OWN6, WAN_PEER6, DATAPATH_PORT_ANY).clear.reason, DROP_ADDRESS_UNUSABLE);
	/* those of others are not concerned */
	CU_ASSERT_EQUAL(ask(LAN_HOST6, WAN_PEER6, LAN).clear.end, DATAPATH_END_CLEAR);
	rig_sent(LAN);
	rig_sent(WAN);
	rig_close();
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_explain_names_the_drop_of_every_scenario),
		TEST(test_explain_protected_names_sa_next_hop_and_mtu),
		TEST(test_explain_what_a_tunnel_brings_goes_on),
		TEST(test_explain_unresolved_neighbour_is_named_and_not_touched),
		TEST(test_explain_own_addresses),
		TEST(test_explain_reverse_path_and_loops),
		TEST(test_explain_knows_tentative_addresses),
		TEST(test_explain_refuses_two_families),
	};

	rig_eal();
	return test_main("datapath_explain", tests, ARRAY_LEN(tests), argc, argv);
}
