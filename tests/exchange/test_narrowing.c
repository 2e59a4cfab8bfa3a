/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: traffic selectors (RFC 7296 2.9): many of both families, narrowing by either side, the selectors of
 * the packet that asks, one pair on a Child SA for peers that carry no more, what rekeying keeps, and Child SAs that
 * end because nothing passes them. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

static struct child_profile *child(struct node *n)
{
	return &n->profiles[0].children[0];
}

static void selectors_of(struct node *n, const char *local, const char *remote)
{
	selectors_set(&child(n)->local, local);
	selectors_set(&child(n)->remote, remote);
}

/* Two networks behind A, two behind B, a child for all of it. */
static void init_two_by_two(struct wire *w, uint64_t seed, enum start_action start)
{
	wire_init(w, seed);
	selectors_of(&w->a, "10.1.0.0/24,10.1.1.0/24", "10.2.0.0/24,10.2.1.0/24");
	selectors_of(&w->b, "10.2.0.0/24,10.2.1.0/24", "10.1.0.0/24,10.1.1.0/24");
	child(&w->a)->start = start;
}

static bool inside(const struct selector_list *list, const struct selector *s)
{
	for (int i = 0; i < list->count; i++)
		if (selector_contains(&list->items[i], s))
			return true;
	return false;
}

/* The live pair that carries a packet; NULL: none. */
static const struct pair *carrier(const struct node *n, const char *local, const char *remote)
{
	struct selector l, r;

	selector_parse(local, &l);
	selector_parse(remote, &r);
	for (int i = 0; i < PAIRS_MAX; i++)
		if (n->pairs[i].live && inside(&n->pairs[i].out.local, &l) && inside(&n->pairs[i].out.remote, &r))
			return &n->pairs[i];
	return NULL;
}

static void packet(struct node *n, const char *local, const char *remote)
{
	struct ike_actions out = { 0 };
	struct ike_command c = { .kind = IKE_ACQUIRE };

	selector_parse(local, &c.packet_local);
	selector_parse(remote, &c.packet_remote);
	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
	ike_actions_done(&out);
}

/* Everything between the networks has a pair of its own of one selector a side. */
static bool four_pairs(const struct node *n, const char *ours, const char *theirs)
{
	char local[32], remote[32];

	for (int i = 0; i < 2; i++)
		for (int k = 0; k < 2; k++) {
			snprintf(local, sizeof(local), "%s.%d.7", ours, i);
			snprintf(remote, sizeof(remote), "%s.%d.7", theirs, k);
			const struct pair *p = carrier(n, local, remote);
			if (!p || p->out.local.count != 1 || p->out.remote.count != 1)
				return false;
		}
	return node_live_pairs(n) == 4;
}

static void test_many_selectors_of_both_families_are_one_child(void)
{
	static const char here[] = "10.1.0.0/24,10.1.1.0/24[tcp/443],2001:db8:1::/64,10.1.2.0/24[icmp/8/0],"
				   "2001:db8:1:1::/64[udp/1000-2000]";
	static const char there[] = "10.2.0.0/24,2001:db8:2::/64,10.2.9.1-10.2.9.5,10.2.1.0/24[tcp/opaque]";
	struct wire w;

	wire_init(&w, 1);
	selectors_of(&w.a, here, there);
	selectors_of(&w.b, there, here);
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.local.count, 5);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.local.count, 4);
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.a, "10.1.1.4[tcp/443]", "10.2.9.3"));
	CU_ASSERT_PTR_NULL(carrier(&w.a, "10.1.1.4[tcp/80]", "10.2.9.3"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void narrowed_to(bool by_responder)
{
	struct wire w;

	wire_init(&w, 2);
	struct node *wide = by_responder ? &w.a : &w.b, *strict = by_responder ? &w.b : &w.a;
	selectors_of(wide, by_responder ? "10.1.0.0/16" : "10.2.0.0/16", by_responder ? "10.2.0.0/16" : "10.1.0.0/16");
	selectors_of(strict, by_responder ? "10.2.3.0/25[tcp],10.2.4.0/24[udp/53]" : "10.1.3.0/25[tcp]",
		by_responder ? "10.1.9.0/24" : "10.2.9.0/24");
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_EQUAL(node_pair(strict)->out.local.count, by_responder ? 2 : 1);
	CU_ASSERT_PTR_NOT_NULL(carrier(strict, by_responder ? "10.2.3.5[tcp/80]" : "10.1.3.5[tcp/80]",
		by_responder ? "10.1.9.1[tcp/9]" : "10.2.9.1[tcp/9]"));
	CU_ASSERT_PTR_NULL(
		carrier(wide, by_responder ? "10.1.8.1" : "10.2.8.1", by_responder ? "10.2.3.5" : "10.1.3.5"));
	/* new keys, the same selectors, whoever asks */
	node_command(&w.a, IKE_REKEY, 0);
	wire_run(&w, 10 * S);
	node_command(&w.b, IKE_REKEY, 0);
	wire_run(&w, 10 * S);
	CU_ASSERT_TRUE(wire_up(&w) && wire_paired(&w));
	CU_ASSERT_EQUAL(node_pair(strict)->out.local.count, by_responder ? 2 : 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED] + w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_the_responder_narrows(void)
{
	narrowed_to(true);
}

static void test_the_initiator_asks_for_less(void)
{
	narrowed_to(false);
}

static void test_nothing_in_common_is_ts_unacceptable(void)
{
	struct wire w;

	wire_init(&w, 3);
	selectors_of(&w.b, "10.9.0.0/24", "10.1.0.0/24");
	wire_start(&w);
	wire_run(&w, 500 * MS);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A peer that answers with the first selectors alone, as those do that carry nothing more. */
static void test_the_packet_comes_first_in_the_offer(void)
{
	struct wire w;

	init_two_by_two(&w, 4, START_TRAP);
	w.b.profiles[0].one_selector = true;
	wire_start(&w);
	packet(&w.a, "10.1.1.9[udp/4000]", "10.2.0.8[udp/53]");
	wire_run(&w, 300 * MS);
	/* B knew which pair was needed, and said that there may be more: A made these */
	const struct pair *p = carrier(&w.a, "10.1.1.9[udp/4000]", "10.2.0.8[udp/53]");
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->out.spi, w.b.pairs[0].in.spi);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2") && four_pairs(&w.b, "10.2", "10.1"));
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_peer_that_carries_one_pair_says_so(void)
{
	struct wire w;

	init_two_by_two(&w, 5, START_INITIATE);
	w.b.profiles[0].one_selector = true;
	wire_start(&w);
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_SINGLE_PAIR_REQUIRED);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2") && four_pairs(&w.b, "10.2", "10.1"));
	CU_ASSERT_TRUE(wire_story_is(&w, "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\n"
					 "A IKE_AUTH request 1\nB IKE_AUTH response 1\n"
					 "A CREATE_CHILD_SA request 2\nB CREATE_CHILD_SA response 2\n"
					 "A CREATE_CHILD_SA request 3\nB CREATE_CHILD_SA response 3\n"
					 "A CREATE_CHILD_SA request 4\nB CREATE_CHILD_SA response 4\n"
					 "A CREATE_CHILD_SA request 5\nB CREATE_CHILD_SA response 5\n"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The status has one of the four, and the other three are found by it. */
static void check_others(const struct node *n)
{
	const struct ike_tunnel_status s = node_status(n, 0);
	struct ike_child_status others[4];

	CU_ASSERT_EQUAL_FATAL(ike_child_others(n->engine, 0, NULL, &s.children[0], others, 4), 3);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(others[i].state, PHASE_UP);
		CU_ASSERT_NOT_EQUAL(others[i].spi_in, s.children[0].spi_in);
		CU_ASSERT_NOT_EQUAL(others[i].spi_in, others[(i + 1) % 3].spi_in);
	}
	CU_ASSERT_EQUAL(ike_child_others(n->engine, 0, NULL, &s.children[0], others, 1), 3);
	CU_ASSERT_EQUAL(ike_child_others(n->engine, 7, NULL, &s.children[0], others, 4), 0);
	CU_ASSERT_EQUAL(ike_child_others(n->engine, 0, &n->profiles[0].remote_id, &s.children[0], others, 4), 0);
}

static void test_pairs_are_asked_for_one_by_one_by_setting(void)
{
	struct wire w;

	init_two_by_two(&w, 6, START_INITIATE);
	w.a.profiles[0].one_selector = true;
	wire_start(&w);
	wire_run(&w, 3 * S);
	CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2") && four_pairs(&w.b, "10.2", "10.1"));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED] + w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).children[0].state, PHASE_UP);
	check_others(&w.a);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_pairs_are_of_one_family(void)
{
	struct wire w;

	wire_init(&w, 7);
	selectors_of(&w.a, "10.1.0.0/24,2001:db8:1::/64", "2001:db8:2::/64,10.2.0.0/24");
	selectors_of(&w.b, "10.2.0.0/24,2001:db8:2::/64", "10.1.0.0/24,2001:db8:1::/64");
	w.a.profiles[0].one_selector = true;
	wire_start(&w);
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.a, "10.1.0.1", "10.2.0.1"));
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.b, "2001:db8:2::1", "2001:db8:1::1"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_each_packet_brings_its_pair_alone(void)
{
	struct wire w;

	init_two_by_two(&w, 8, START_TRAP);
	w.a.profiles[0].one_selector = true;
	wire_start(&w);
	packet(&w.a, "10.1.1.9", "10.2.1.8");
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.a, "10.1.1.1", "10.2.1.1"));
	packet(&w.a, "10.1.1.9", "10.2.1.9");
	packet(&w.a, "10.1.0.9", "10.2.1.9");
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.a, "10.1.0.1", "10.2.1.1"));
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_packet_that_the_peer_does_not_want_is_no_flood(void)
{
	struct wire w;

	init_two_by_two(&w, 9, START_TRAP);
	selectors_of(&w.b, "10.2.0.0/24", "10.1.0.0/24");
	wire_start(&w);
	packet(&w.a, "10.1.0.9", "10.2.0.8");
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	size_t quiet = w.story_len;
	for (int i = 0; i < 60; i++) {
		packet(&w.a, "10.1.1.9", "10.2.1.8");
		wire_run(&w, S);
	}
	/* asked, and asked for again with growing pauses; what is there stays one */
	CU_ASSERT_TRUE(w.story_len > quiet && w.story_len - quiet < 20 * 64);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.a, "10.1.0.9", "10.2.0.8"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* B takes the packet's pair of hosts only, whatever it is asked: A comes down to that. */
static bool only_hosts(struct wire *w, struct packet *p, void *argument)
{
	(void)p;
	w->b.profiles[0].children[0].local = *(struct selector_list *)argument;
	return true;
}

static void test_pairs_are_asked_for_host_by_host_where_the_peer_wants_that(void)
{
	struct wire w;
	struct selector_list hosts;

	init_two_by_two(&w, 10, START_TRAP);
	selectors_set(&hosts, "10.2.0.8,10.2.0.9,10.2.1.8");
	w.b.profiles[0].one_selector = true;
	w.filter = only_hosts;
	w.filter_argument = &hosts;
	wire_start(&w);
	packet(&w.a, "10.1.0.9", "10.2.0.8");
	wire_run(&w, 200 * MS);
	CU_ASSERT_PTR_NOT_NULL(carrier(&w.a, "10.1.0.9", "10.2.0.8"));
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static unsigned single_pairs(const struct node *n)
{
	unsigned count = 0;

	for (int i = 0; i < PAIRS_MAX; i++)
		count += n->pairs[i].live && n->pairs[i].out.local.count == 1 && n->pairs[i].out.remote.count == 1;
	return count;
}

static void test_rekeying_keeps_each_pair(void)
{
	struct wire w;

	for (int by_a = 0; by_a < 2; by_a++) {
		init_two_by_two(&w, 11, START_INITIATE);
		w.a.profiles[0].one_selector = w.b.profiles[0].one_selector = true;
		wire_start(&w);
		wire_run(&w, 3 * S);
		CU_ASSERT_TRUE_FATAL(four_pairs(&w.a, "10.1", "10.2"));
		uint32_t before = carrier(&w.a, "10.1.1.7", "10.2.0.7")->in.spi;
		node_command(by_a ? &w.a : &w.b, IKE_REKEY, 0);
		wire_run(&w, 20 * S);
		CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2") && four_pairs(&w.b, "10.2", "10.1"));
		CU_ASSERT_NOT_EQUAL(carrier(&w.a, "10.1.1.7", "10.2.0.7")->in.spi, before);
		CU_ASSERT_EQUAL(single_pairs(&w.b), 4);
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED] + w.b.events[IKE_EV_FAILED], 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_a_new_ike_sa_has_the_pairs_too(void)
{
	struct wire w;

	init_two_by_two(&w, 12, START_INITIATE);
	w.a.profiles[0].one_selector = true;
	w.a.profiles[0].reauth_ns = 60 * S;
	wire_start(&w);
	wire_run(&w, 80 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 2);
	CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2") && four_pairs(&w.b, "10.2", "10.1"));
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_pairs_come_through_loss(void)
{
	struct wire w;

	for (uint64_t seed = 20; seed < 30; seed++) {
		init_two_by_two(&w, seed, START_INITIATE);
		w.b.profiles[0].one_selector = true;
		w.loss_percent = 20;
		w.duplicate_percent = 20;
		w.reorder_percent = 20;
		wire_start(&w);
		wire_run(&w, 60 * S);
		CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2"));
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* The peer's own rekeyings have it answer TEMPORARY_FAILURE, or make ours step back. */
static void test_pairs_come_beside_rekeys_of_the_peer(void)
{
	struct wire w;

	for (uint64_t at = 0; at < 40; at++) {
		init_two_by_two(&w, 40 + at, START_INITIATE);
		w.a.profiles[0].one_selector = true;
		proposals_set(&child(&w.a)->proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
		proposals_set(&child(&w.b)->proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
		w.job_delay_ns = 7 * MS;
		wire_start(&w);
		CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
		wire_run(&w, at * 5 * MS);
		node_index_command(&w.b, IKE_REKEY, 0, IKE_WHOLE_TUNNEL);
		wire_run(&w, 30 * S);
		CU_ASSERT_TRUE(four_pairs(&w.a, "10.1", "10.2") && four_pairs(&w.b, "10.2", "10.1"));
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* ---- inactivity ---- */

static void test_an_idle_child_ends_and_a_packet_brings_it_back(void)
{
	struct wire w;

	for (int by_a = 0; by_a < 2; by_a++) {
		wire_init(&w, 30);
		child(by_a ? &w.a : &w.b)->inactivity_ns = 20 * S;
		wire_start(&w);
		CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
		wire_run(&w, 15 * S);
		/* what A sent counts as what it got */
		node_child_command(&w.a, IKE_SENT, node_pair(&w.a)->in.spi, NULL);
		node_child_command(&w.b, IKE_USED, node_pair(&w.b)->in.spi, NULL);
		wire_run(&w, 15 * S);
		CU_ASSERT_TRUE(wire_up(&w));
		wire_run(&w, 6 * S);
		CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
		CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
		if (by_a) {
			/* it would start by itself, but rests */
			wire_run(&w, 60 * S);
			CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
			packet(&w.a, "10.1.0.1", "10.2.0.1");
		}
		wire_run(&w, 5 * S);
		CU_ASSERT_TRUE(wire_up(&w));
		CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_a_busy_child_stays_over_a_rekey(void)
{
	struct wire w;

	wire_init(&w, 31);
	child(&w.a)->inactivity_ns = child(&w.b)->inactivity_ns = 20 * S;
	w.traffic_every_ns = 5 * S;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 50 * S);
	node_command(&w.a, IKE_REKEY, 0);
	wire_run(&w, 50 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_the_ike_sa_ends_with_its_last_idle_child(void)
{
	struct wire w;

	wire_init(&w, 32);
	child(&w.a)->inactivity_ns = 20 * S;
	w.a.profiles[0].close_idle = true;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 90 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).phase1, PHASE_DOWN);
	packet(&w.a, "10.1.0.1", "10.2.0.1");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_many_selectors_of_both_families_are_one_child),
	TEST(test_the_responder_narrows),
	TEST(test_the_initiator_asks_for_less),
	TEST(test_nothing_in_common_is_ts_unacceptable),
	TEST(test_the_packet_comes_first_in_the_offer),
	TEST(test_a_peer_that_carries_one_pair_says_so),
	TEST(test_pairs_are_asked_for_one_by_one_by_setting),
	TEST(test_pairs_are_of_one_family),
	TEST(test_each_packet_brings_its_pair_alone),
	TEST(test_a_packet_that_the_peer_does_not_want_is_no_flood),
	TEST(test_pairs_are_asked_for_host_by_host_where_the_peer_wants_that),
	TEST(test_rekeying_keeps_each_pair),
	TEST(test_a_new_ike_sa_has_the_pairs_too),
	TEST(test_pairs_come_through_loss),
	TEST(test_pairs_come_beside_rekeys_of_the_peer),
	TEST(test_an_idle_child_ends_and_a_packet_brings_it_back),
	TEST(test_a_busy_child_stays_over_a_rekey),
	TEST(test_the_ike_sa_ends_with_its_last_idle_child),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
