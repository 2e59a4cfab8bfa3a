/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: NAT in front of either side: detection, the move to 4500, UDP encapsulation, keepalives, new
 * mappings. */
#include "harness.h"

#include "fake_wire.h"

/* Puts a NAT in front of n: the peer knows it by `outside`; inside ports appear shifted. */
static void put_nat(struct wire *w, struct node *n, const char *inside, const char *outside, uint16_t port_offset)
{
	struct node *peer = n == &w->a ? &w->b : &w->a;

	addr_parse(inside, &n->inside);
	addr_parse(outside, &n->outside);
	n->port_offset = port_offset;
	n->profiles[0].local_addr = n->inside;
	peer->profiles[0].remote_addr = n->outside;
}

static void check_udp(const struct wire *w)
{
	const struct pair *a = node_pair(&w->a), *b = node_pair(&w->b);

	CU_ASSERT_EQUAL(a->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_EQUAL(b->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_EQUAL(a->out.path.local.port, 4500);
	CU_ASSERT_EQUAL(a->out.path.remote.port, 4500);
	CU_ASSERT_EQUAL(b->out.path.local.port, 4500);
	CU_ASSERT_EQUAL(b->out.path.remote.port, 4500 + w->a.port_offset);
	CU_ASSERT_TRUE(addr_equal(&a->out.path.remote.addr, &w->b.outside));
	CU_ASSERT_TRUE(addr_equal(&b->out.path.remote.addr, &w->a.outside));
}

static void test_nat_none_stays_on_500(void)
{
	struct wire w;

	wire_init(&w, 1);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_FALSE(s.local_nat || s.remote_nat);
	CU_ASSERT_EQUAL(s.remote.port, 500);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_NAT_DETECTED], 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(w.a.keepalives + w.b.keepalives, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_before_the_initiator(void)
{
	struct wire w;

	wire_init(&w, 2);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	check_udp(&w);
	struct ike_tunnel_status a = node_status(&w.a, 0), b = node_status(&w.b, 0);
	CU_ASSERT_TRUE(a.local_nat && !a.remote_nat);
	CU_ASSERT_TRUE(!b.local_nat && b.remote_nat);
	CU_ASSERT_TRUE(a.children[0].udp_encap && b.children[0].udp_encap);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_NAT_DETECTED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_before_the_responder(void)
{
	struct wire w;

	wire_init(&w, 3);
	put_nat(&w, &w.b, "10.0.0.2", "203.0.113.2", 0);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	check_udp(&w);
	CU_ASSERT_TRUE(node_status(&w.a, 0).remote_nat);
	CU_ASSERT_TRUE(node_status(&w.b, 0).local_nat);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_before_both(void)
{
	struct wire w;

	wire_init(&w, 4);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 30000);
	put_nat(&w, &w.b, "10.0.0.2", "203.0.113.2", 0);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	check_udp(&w);
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_TRUE(s.local_nat && s.remote_nat);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Both without a NAT, each known to the other by an IPv6 address. */
static void put_ipv6(struct wire *w)
{
	put_nat(w, &w->a, "2001:db8:a::1", "2001:db8:a::1", 0);
	put_nat(w, &w->b, "2001:db8:b::1", "2001:db8:b::1", 0);
}

static void test_nat_none_over_ipv6(void)
{
	struct wire w;

	wire_init(&w, 11);
	put_ipv6(&w);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_FALSE(s.local_nat || s.remote_nat);
	CU_ASSERT_EQUAL(s.remote.port, 500);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.path.encap, SA_ENCAP_NONE);
	CU_ASSERT_TRUE(addr_equal(&node_pair(&w.b)->out.path.remote.addr, &w.a.outside));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_before_both_over_ipv6(void)
{
	struct wire w;

	wire_init(&w, 12);
	put_nat(&w, &w.a, "fd00:a::1", "2001:db8:a::1", 20000);
	put_nat(&w, &w.b, "fd00:b::1", "2001:db8:b::1", 0);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	check_udp(&w);
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_TRUE(s.local_nat && s.remote_nat);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_any_peer_is_answered_where_it_came_from(void)
{
	struct wire w;

	wire_init(&w, 5);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 1234);
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	check_udp(&w);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_keepalives_come_from_inside_only(void)
{
	struct wire w;

	wire_init(&w, 6);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	wire_start(&w);
	wire_run(&w, 101 * S);
	CU_ASSERT_EQUAL(w.a.keepalives, 5);
	CU_ASSERT_EQUAL(w.b.keepalives, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_new_mapping_is_followed_after_an_authentic_message(void)
{
	struct wire w;

	wire_init(&w, 7);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	w.b.profiles[0].dpd_interval_ns = 0;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	w.a.port_offset = 21111;
	wire_run(&w, 11 * S);
	CU_ASSERT_EQUAL(w.b.updates, 1);
	check_udp(&w);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_new_mapping_seen_in_traffic(void)
{
	struct wire w;

	wire_init(&w, 8);
	put_nat(&w, &w.a, "10.0.0.1", "198.51.100.1", 20000);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	struct endpoint moved = { w.a.outside, 4500 + 7 };
	node_child_command(&w.b, IKE_ADDRESS_CHANGED, node_pair(&w.b)->in.spi, &moved);
	CU_ASSERT_EQUAL(w.b.updates, 1);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.path.remote.port, 4507);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).remote.port, 4507);
	/* the same again is no news */
	node_child_command(&w.b, IKE_ADDRESS_CHANGED, node_pair(&w.b)->in.spi, &moved);
	CU_ASSERT_EQUAL(w.b.updates, 1);
	/* the side that is inside does not follow (RFC 7296 2.23) */
	node_child_command(&w.a, IKE_ADDRESS_CHANGED, node_pair(&w.a)->in.spi, &moved);
	CU_ASSERT_EQUAL(w.a.updates, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_nat_none_no_address_is_followed(void)
{
	struct wire w;

	wire_init(&w, 9);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	struct endpoint elsewhere = { w.a.outside, 4507 };
	node_child_command(&w.b, IKE_ADDRESS_CHANGED, node_pair(&w.b)->in.spi, &elsewhere);
	CU_ASSERT_EQUAL(w.b.updates, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_always(bool a, bool b)
{
	struct wire w;

	wire_init(&w, 10);
	w.a.profiles[0].encap = a ? ENCAP_ALWAYS : ENCAP_AUTO;
	w.b.profiles[0].encap = b ? ENCAP_ALWAYS : ENCAP_AUTO;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	check_udp(&w);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_encapsulation_always_at_the_initiator(void)
{
	check_always(true, false);
}

static void test_encapsulation_always_at_the_responder(void)
{
	check_always(false, true);
}

static void test_encapsulation_always_at_both(void)
{
	check_always(true, true);
}

static const struct test tests[] = {
	TEST(test_nat_none_stays_on_500),
	TEST(test_nat_before_the_initiator),
	TEST(test_nat_before_the_responder),
	TEST(test_nat_before_both),
	TEST(test_nat_none_over_ipv6),
	TEST(test_nat_before_both_over_ipv6),
	TEST(test_nat_any_peer_is_answered_where_it_came_from),
	TEST(test_nat_keepalives_come_from_inside_only),
	TEST(test_nat_new_mapping_is_followed_after_an_authentic_message),
	TEST(test_nat_new_mapping_seen_in_traffic),
	TEST(test_nat_none_no_address_is_followed),
	TEST(test_encapsulation_always_at_the_initiator),
	TEST(test_encapsulation_always_at_the_responder),
	TEST(test_encapsulation_always_at_both),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
