/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: MOBIKE (RFC 4555). A begins and has 192.0.2.1 and 198.51.100.1; B answers and has 192.0.2.2 and
 * 198.51.100.2. Every address reaches every other of its family. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

static void second_address(struct node *n, const char *address)
{
	struct address_list *more = &n->profiles[0].local_more;

	addr_parse(address, &n->second);
	n->second_outside = n->second;
	more->count = 1;
	more->items[0] = n->second;
}

static void mobike_init(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	second_address(&w->a, "198.51.100.1");
	second_address(&w->b, "198.51.100.2");
	w->a.profiles[0].mobike = w->b.profiles[0].mobike = true;
	w->a.profiles[0].mobike_check = w->b.profiles[0].mobike_check = true;
}

static void bring_up(struct wire *w)
{
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
}

static void start_up(struct wire *w, uint64_t seed)
{
	mobike_init(w, seed);
	bring_up(w);
}

static void lose_first(struct node *n)
{
	n->gone = n->inside;
	node_paths_changed(n);
}

static bool is(const struct endpoint *e, const char *address)
{
	struct addr a;

	addr_parse(address, &a);
	return addr_equal(&e->addr, &a);
}

/* Both ends, IKE SA and Child SA, use this pair of addresses, A's first. */
static bool on_path(const struct wire *w, const char *a, const char *b)
{
	struct ike_tunnel_status sa = node_status(&w->a, 0), sb = node_status(&w->b, 0);
	const struct pair *pa = node_pair(&w->a), *pb = node_pair(&w->b);

	return pa && pb && is(&sa.local, a) && is(&sa.remote, b) && is(&sb.local, b) && is(&sb.remote, a) &&
	       is(&pa->out.path.local, a) && is(&pa->out.path.remote, b) && is(&pb->out.path.local, b) &&
	       is(&pb->out.path.remote, a);
}

static bool at_start(const struct wire *w)
{
	return on_path(w, "192.0.2.1", "192.0.2.2");
}

static void test_mobike_is_agreed_and_moves_to_4500(void)
{
	struct wire w;

	start_up(&w, 1);
	struct ike_tunnel_status a = node_status(&w.a, 0), b = node_status(&w.b, 0);
	CU_ASSERT_TRUE(a.mobike && b.mobike);
	CU_ASSERT_EQUAL(a.remote.port, 4500);
	CU_ASSERT_EQUAL(b.remote.port, 4500);
	/* without a NAT there is nothing to encapsulate for */
	CU_ASSERT_FALSE(a.children[0].udp_encap || b.children[0].udp_encap);
	CU_ASSERT_EQUAL(a.remotes_count, 1);
	CU_ASSERT_TRUE(addr_equal(&a.remotes[0], &w.b.second));
	CU_ASSERT_TRUE(addr_equal(&b.remotes[0], &w.a.second));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_off(bool a, bool b)
{
	struct wire w;

	mobike_init(&w, 2);
	w.a.profiles[0].mobike = a;
	w.b.profiles[0].mobike = b;
	bring_up(&w);
	CU_ASSERT_FALSE(node_status(&w.a, 0).mobike || node_status(&w.b, 0).mobike);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).remotes_count, 0);
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_MOVED], 0);
	node_move(&w.a, "198.51.100.1", NULL);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_MOVE_REFUSED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_is_not_used_when_one_side_does_not_want_it(void)
{
	check_off(false, false);
	check_off(true, false);
	check_off(false, true);
}

static void test_mobike_initiator_moves_within_a_round_trip(void)
{
	struct wire w;

	start_up(&w, 3);
	CU_ASSERT_TRUE(at_start(&w));
	w.traffic_every_ns = MS;
	w.traffic_by_address = true;
	wire_run(&w, S);
	CU_ASSERT_EQUAL(w.traffic_strayed, 0);
	w.story_len = 0;
	uint64_t at = w.now_ns;
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	/* UPDATE_SA_ADDRESSES; B asks whether A is there; A's list of further addresses is empty now */
	CU_ASSERT_TRUE(wire_story_is(&w, "A INFORMATIONAL request 2\n"
					 "B INFORMATIONAL response 2\n"
					 "B INFORMATIONAL request 0\n"
					 "A INFORMATIONAL request 3\n"
					 "A INFORMATIONAL response 0\n"
					 "B INFORMATIONAL response 3\n"));
	/* B follows when the update and its own question, a round trip of 20 ms, are through */
	CU_ASSERT_TRUE(w.strayed_last_ns < at + w.latency_ns + 2 * w.latency_ns + MS);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_MOVED], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_MOVED], 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.moved, "from 192.0.2.1:4500 - 192.0.2.2:4500 to 198.51.100.1:4500"));
	CU_ASSERT_EQUAL(node_status(&w.b, 0).remotes_count, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_without_the_check_the_responder_follows_at_once(void)
{
	struct wire w;

	mobike_init(&w, 4);
	w.b.profiles[0].mobike_check = false;
	bring_up(&w);
	lose_first(&w.a);
	wire_run(&w, w.latency_ns + MS);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	wire_run(&w, S);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_back_to_a_proven_address_without_a_check(void)
{
	struct wire w;

	start_up(&w, 5);
	lose_first(&w.a);
	wire_run(&w, S);
	w.a.gone = (struct addr){ 0 };
	node_paths_changed(&w.a);
	wire_run(&w, S);
	/* what works is not left because something else works again */
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	CU_ASSERT_EQUAL(node_status(&w.b, 0).remotes_count, 1);
	node_move(&w.a, "192.0.2.1", NULL);
	wire_run(&w, w.latency_ns + MS);
	CU_ASSERT_TRUE(at_start(&w));
	wire_run(&w, S);
	CU_ASSERT_TRUE(wire_done(&w));
}

struct nth {
	unsigned at, seen;
	bool twice;
};

static bool drop_nth(struct wire *w, struct packet *p, void *argument)
{
	struct nth *n = argument;

	(void)w, (void)p;
	return n->seen++ != n->at;
}

static void test_mobike_each_message_of_a_move_may_be_lost(void)
{
	for (unsigned i = 0; i < 6; i++) {
		struct wire w;
		struct nth n = { .at = i };

		start_up(&w, 10 + i);
		w.filter = drop_nth;
		w.filter_argument = &n;
		lose_first(&w.a);
		wire_run(&w, 5 * S);
		CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
		CU_ASSERT_EQUAL(node_status(&w.b, 0).remotes_count, 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_mobike_a_move_over_a_bad_wire(void)
{
	for (unsigned i = 0; i < 20; i++) {
		struct wire w;

		start_up(&w, 30 + i);
		w.loss_percent = 20;
		w.duplicate_percent = 40;
		w.reorder_percent = 40;
		lose_first(&w.a);
		wire_run(&w, 10 * S);
		lose_first(&w.b);
		wire_run(&w, 20 * S);
		CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "198.51.100.2"));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_mobike_responder_tells_its_list_and_the_initiator_moves(void)
{
	struct wire w;

	start_up(&w, 50);
	w.traffic_every_ns = MS;
	w.traffic_by_address = true;
	w.story_len = 0;
	lose_first(&w.b);
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	/* NO_ADDITIONAL_ADDRESSES from another address than before, then the update */
	CU_ASSERT_TRUE(wire_story_is(&w, "B INFORMATIONAL request 0\n"
					 "A INFORMATIONAL request 2\n"
					 "A INFORMATIONAL response 0\n"
					 "B INFORMATIONAL response 2\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.moved, "198.51.100.2:4500"));
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static bool lists(const struct ike_tunnel_status *s, const char *address)
{
	struct addr a;
	bool found = false;

	addr_parse(address, &a);
	for (unsigned i = 0; i < s->remotes_count; i++)
		found = found || addr_equal(&s->remotes[i], &a);
	return found;
}

/* RFC 4555 3.6: B tells that it has its first address again. A stays where it is, and goes there when it has to. */
static void test_mobike_an_address_of_the_responder_that_is_back_is_told(void)
{
	struct wire w;

	start_up(&w, 52);
	lose_first(&w.b);
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	CU_ASSERT_EQUAL(node_status(&w.a, 0).remotes_count, 0);
	w.story_len = 0;
	w.b.gone = (struct addr){ 0 };
	node_paths_changed(&w.b);
	wire_run(&w, S);
	CU_ASSERT_TRUE(wire_story_is(&w, "B INFORMATIONAL request 1\n"
					 "A INFORMATIONAL response 1\n"));
	struct ike_tunnel_status a = node_status(&w.a, 0);
	CU_ASSERT_TRUE(lists(&a, "192.0.2.2"));
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	w.b.gone = w.b.second;
	node_paths_changed(&w.b);
	wire_run(&w, S);
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The list is of what the path does not use: where A moves to B's other address B's first is told. */
static void test_mobike_the_address_that_a_move_leaves_is_told(void)
{
	struct wire w;

	mobike_init(&w, 53);
	w.b.profiles[0].mobike_check = false;
	bring_up(&w);
	node_move(&w.a, NULL, "198.51.100.2");
	wire_run(&w, S);
	struct ike_tunnel_status a = node_status(&w.a, 0);
	CU_ASSERT_EQUAL(a.remotes_count, 1);
	CU_ASSERT_TRUE(lists(&a, "192.0.2.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_both_lose_their_address_at_once(void)
{
	struct wire w;

	start_up(&w, 51);
	lose_first(&w.a);
	lose_first(&w.b);
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "198.51.100.2"));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* B lets A be in this prefix only. */
static void allow(struct wire *w, const char *prefix)
{
	selectors_set(&w->b.profiles[0].move_to, prefix);
}

static void test_mobike_an_address_that_is_not_allowed_is_refused(void)
{
	struct wire w;

	mobike_init(&w, 52);
	allow(&w, "203.0.113.0/24");
	bring_up(&w);
	node_move(&w.a, "198.51.100.1", NULL);
	wire_run(&w, S);
	/* the one before is still there */
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_MOVE_REFUSED], 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.refused, "UNACCEPTABLE_ADDRESSES"));
	CU_ASSERT_PTR_NOT_NULL(strstr(w.b.refused, "remote.move_to"));
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_UNACCEPTABLE_ADDRESSES);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_MOVED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_an_address_that_is_allowed(void)
{
	struct wire w;

	mobike_init(&w, 53);
	allow(&w, "198.51.100.0/24");
	bring_up(&w);
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* On the way somebody writes another source into what A sends. */
static bool forge_source(struct wire *w, struct packet *p, void *argument)
{
	(void)argument;
	if (p->from == &w->a)
		addr_parse("203.0.113.66", &p->remote.addr);
	return true;
}

static void test_mobike_a_forged_source_gets_no_traffic(void)
{
	struct wire w;

	start_up(&w, 54);
	w.filter = forge_source;
	w.traffic_every_ns = 10 * MS;
	w.traffic_by_address = true;
	node_move(&w.a, "198.51.100.1", NULL);
	wire_run(&w, 50 * MS);
	w.filter = NULL;
	wire_run(&w, 5 * S);
	/* B asked in vain at the forged one, and found A where it was before or is now */
	CU_ASSERT_EQUAL(w.traffic_strayed, 0);
	CU_ASSERT_TRUE(addr_equal(&node_pair(&w.b)->out.path.remote.addr, &w.a.inside) ||
		       addr_equal(&node_pair(&w.b)->out.path.remote.addr, &w.a.second));
	CU_ASSERT_PTR_NOT_NULL(strstr(w.b.refused, "203.0.113.66"));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static bool forge_source_of_b(struct wire *w, struct packet *p, void *argument)
{
	(void)argument;
	if (p->from == &w->b)
		addr_parse("203.0.113.66", &p->remote.addr);
	return true;
}

/* RFC 4555 3.7: it is at its real address that the peer reads the cookie, when that is tried, too; it answers as if it
 * were at the victim's. */
static void check_cookie_read_elsewhere(bool by_responder)
{
	struct wire w;
	struct node *liar;

	start_up(&w, 56);
	liar = by_responder ? &w.b : &w.a;
	struct node *n = by_responder ? &w.a : &w.b;
	w.filter = by_responder ? forge_source_of_b : forge_source;
	w.traffic_every_ns = 10 * MS;
	w.traffic_by_address = true;
	node_move(&w.a, by_responder ? NULL : "198.51.100.1", by_responder ? "203.0.113.66" : NULL);
	wire_run(&w, 15 * S);
	CU_ASSERT_EQUAL(w.traffic_strayed, 0);
	w.filter = NULL;
	wire_run(&w, 15 * S);
	CU_ASSERT_EQUAL(w.traffic_strayed, 0);
	CU_ASSERT_TRUE(addr_equal(&node_pair(n)->out.path.remote.addr, &liar->inside) ||
		       addr_equal(&node_pair(n)->out.path.remote.addr, &liar->second));
	CU_ASSERT_EQUAL(n->events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_cookie_read_elsewhere_proves_nothing(void)
{
	check_cookie_read_elsewhere(false);
	check_cookie_read_elsewhere(true);
}

/* The other side's keys, and a COOKIE2 that nobody asked to be returned. */
static void answer_wrongly(struct node *n)
{
	struct ike_sa *sa = node_sa(n);
	struct endpoint local = sa->local, remote = sa->remote;
	const uint8_t notify[] = { 0, 0, 0, 16, 0, 0, NOTIFY_COOKIE2 >> 8, NOTIFY_COOKIE2 & 0xff, 1, 2, 3, 4, 5, 6, 7,
		8 };
	uint8_t bytes[256];

	sa->initiator = !sa->initiator;
	size_t len = seal_raw(
		n, INFORMATIONAL, true, sa->outbox.request_id, PAYLOAD_NOTIFY, BYTES_OF(notify), bytes, sizeof(bytes));
	sa->initiator = !sa->initiator;
	node_receive(n, &local, &remote, BYTES(bytes, len));
}

static void test_mobike_another_cookie_ends_the_ike_sa(void)
{
	for (int responder = 0; responder < 2; responder++) {
		struct wire w;

		start_up(&w, 55);
		struct node *n = responder ? &w.b : &w.a;
		lose_first(&w.a);
		wire_run(&w, responder ? 10 * MS : 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(node_sa(n)->outbox.request);
		answer_wrongly(n);
		CU_ASSERT_STRING_EQUAL(n->failure.reason, "the peer did not return our COOKIE2");
		CU_ASSERT_EQUAL(node_sa(n)->state, ST_CLOSING);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_mobike_a_dead_path_is_left_before_the_peer_counts_as_dead(void)
{
	struct wire w;

	start_up(&w, 60);
	w.a.cut = w.a.inside;
	wire_run(&w, 16 * S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_DOWN] + w.b.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.moved, "answers there only"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_dead_address_of_the_peer_is_left(void)
{
	struct wire w;

	start_up(&w, 61);
	w.b.cut = w.b.inside;
	/* A tries the pairs from the best on */
	wire_run(&w, 16 * S);
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_dead_peer_is_dead_on_every_path(void)
{
	struct wire w;

	start_up(&w, 62);
	w.b.dead = true;
	wire_run(&w, 40 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_DOWN], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The second address of A is behind a NAT. */
static void put_nat(struct wire *w)
{
	addr_parse("203.0.113.9", &w->a.second_outside);
	w->a.second_offset = 20000;
}

static void test_mobike_a_nat_comes_and_goes(void)
{
	struct wire w;

	mobike_init(&w, 63);
	put_nat(&w);
	bring_up(&w);
	CU_ASSERT_EQUAL(w.a.keepalives, 0);
	lose_first(&w.a);
	wire_run(&w, S);
	const struct pair *a = node_pair(&w.a), *b = node_pair(&w.b);
	CU_ASSERT_EQUAL(a->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_EQUAL(b->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_TRUE(is(&b->out.path.remote, "203.0.113.9"));
	CU_ASSERT_EQUAL(b->out.path.remote.port, 24500);
	CU_ASSERT_TRUE(node_status(&w.a, 0).local_nat && node_status(&w.b, 0).remote_nat);
	wire_run(&w, 60 * S);
	CU_ASSERT_TRUE(w.a.keepalives >= 2);
	w.a.gone = (struct addr){ 0 };
	node_move(&w.a, "192.0.2.1", NULL);
	wire_run(&w, S);
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_EQUAL(a->out.path.encap, SA_ENCAP_NONE);
	CU_ASSERT_EQUAL(b->out.path.encap, SA_ENCAP_NONE);
	unsigned keepalives = w.a.keepalives;
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(w.a.keepalives, keepalives);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 3948 1: where the new path leads through a NAT the IKE SA goes, AH does not, and is there again afterwards. */
static void test_mobike_ah_does_not_follow_behind_a_nat(void)
{
	struct wire w;

	mobike_init(&w, 66);
	put_nat(&w);
	proposals_set(&w.a.profiles[0].children[0].proposals, PROTOCOL_AH, "sha256");
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_AH, "sha256");
	bring_up(&w);
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_TRUE(node_status(&w.a, 0).local_nat && node_status(&w.b, 0).remote_nat);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_DOWN], 1);
	wire_run(&w, 60 * S);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, modes_no_nat);
	CU_ASSERT_EQUAL(w.b.installs, 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_DOWN], 0);
	w.a.gone = (struct addr){ 0 };
	node_move(&w.a, "192.0.2.1", NULL);
	wire_run(&w, 120 * S);
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_EQUAL(node_pair(&w.b)->in.protocol, PROTOCOL_AH);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void init_with_ah(struct wire *w, uint64_t seed)
{
	mobike_init(w, seed);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_AH, "sha256");
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_AH, "sha256");
}

static void start_up_with_ah(struct wire *w, uint64_t seed)
{
	init_with_ah(w, seed);
	bring_up(w);
}

static void check_no_nat_seen(struct wire *w)
{
	struct ike_tunnel_status a = node_status(&w->a, 0), b = node_status(&w->b, 0);

	CU_ASSERT_FALSE(a.local_nat || a.remote_nat || b.local_nat || b.remote_nat);
	CU_ASSERT_EQUAL(w->a.events[IKE_EV_PHASE2_DOWN] + w->b.events[IKE_EV_PHASE2_DOWN], 0);
	CU_ASSERT_EQUAL(w->b.installs, 1);
	CU_ASSERT_EQUAL(w->traffic_lost, 0);
	CU_ASSERT_TRUE(wire_done(w));
}

/* A's update is under way to an address that B has just left: it goes on to B's other one, with the hashes of the
 * first. That is no NAT; A says so with the next update. */
static void test_mobike_an_update_that_crosses_the_responders_move_shows_no_nat(void)
{
	struct wire w;

	start_up_with_ah(&w, 68);
	w.traffic_every_ns = MS;
	lose_first(&w.b);
	node_move(&w.a, NULL, NULL);
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_NAT_DETECTED], 0);
	check_no_nat_seen(&w);
}

/* A loses the address that its update left from: B gets it from the other one, and follows at once. */
static void test_mobike_an_update_from_an_address_left_meanwhile_ends_no_ah(void)
{
	struct wire w;
	struct nth first = { .at = 0 };

	start_up_with_ah(&w, 69);
	w.b.profiles[0].mobike_check = false;
	w.traffic_every_ns = MS;
	w.filter = drop_nth;
	w.filter_argument = &first;
	node_move(&w.a, NULL, NULL);
	lose_first(&w.a);
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_NAT_DETECTED], 1);
	check_no_nat_seen(&w);
}

/* Nothing from A's first address gets through before something from its second has, and no answer to that one. */
static bool detour(struct wire *w, struct packet *p, void *argument)
{
	bool *taken = argument;
	bool by_second = is(p->from == &w->a ? &p->remote : &p->local, "198.51.100.1");

	if (p->from == &w->a && by_second)
		*taken = true;
	return p->from == &w->a ? by_second || *taken : !by_second;
}

/* B answers an update that came by A's second address only, and repeats that answer to A's first. */
static void test_mobike_an_update_that_took_the_other_path_is_sent_again(void)
{
	struct wire w;
	bool taken = false;

	init_with_ah(&w, 71);
	w.b.profiles[0].local_more.count = 0;
	bring_up(&w);
	w.b.profiles[0].mobike_check = false;
	w.traffic_every_ns = MS;
	w.filter = detour;
	w.filter_argument = &taken;
	node_move(&w.a, NULL, NULL);
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(taken && at_start(&w));
	check_no_nat_seen(&w);
}

/* The answer comes later than B's other address is tried: that alone is no reason to ask again for ever. */
static void check_long_round_trip(const char *remote, uint16_t nat_offset)
{
	struct wire w;
	uint8_t encap = nat_offset ? SA_ENCAP_UDP : SA_ENCAP_NONE;

	mobike_init(&w, 72);
	w.a.profiles[0].local_more.count = 0;
	w.a.port_offset = nat_offset;
	bring_up(&w);
	w.latency_ns = 800 * MS;
	node_move(&w.a, NULL, remote);
	wire_run(&w, 15 * S);
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", remote));
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.path.encap, encap);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.path.encap, encap);
	node_command(&w.a, IKE_REKEY, 0);
	wire_run(&w, 15 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_long_round_trip_ends_the_move(void)
{
	check_long_round_trip("192.0.2.2", 0);
	check_long_round_trip("198.51.100.2", 0);
	check_long_round_trip("192.0.2.2", 20000);
	check_long_round_trip("198.51.100.2", 20000);
}

/* B looks for A at a new address, and A's answer comes later than A's former one is tried. */
static void test_mobike_a_long_round_trip_ends_the_check(void)
{
	struct wire w;

	mobike_init(&w, 73);
	w.b.profiles[0].local_more.count = 0;
	bring_up(&w);
	w.latency_ns = 1200 * MS;
	node_move(&w.a, "198.51.100.1", NULL);
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	node_command(&w.b, IKE_REKEY, 0);
	wire_run(&w, 20 * S);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* To B it looks like that of an address left meanwhile until A says something else than another update. */
static void test_mobike_a_nat_before_an_announced_address_is_believed(void)
{
	struct wire w;

	mobike_init(&w, 70);
	put_nat(&w);
	bring_up(&w);
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_TRUE(node_status(&w.b, 0).remote_nat);
	CU_ASSERT_EQUAL(node_sa(&w.b)->timers[TIMER_NAT].place, 0);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A asks for nothing any more, and only answers. */
static bool answers_only(struct wire *w, struct packet *p, void *argument)
{
	(void)argument;
	return p->from == &w->b || p->data[19] & IKE_FLAG_RESPONSE;
}

/* A NAT is put before A, whose address of before B knows: it looks like a stale update, and no other one follows. */
static void test_mobike_a_nat_is_believed_after_a_while(void)
{
	struct wire w;

	init_with_ah(&w, 74);
	w.a.profiles[0].dpd_timeout_ns = 300 * S;
	bring_up(&w);
	addr_parse("203.0.113.9", &w.a.outside);
	node_move(&w.a, NULL, NULL);
	w.filter = answers_only;
	wire_run(&w, 29 * S);
	CU_ASSERT_TRUE(node_status(&w.b, 0).remote_nat);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_DOWN], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_DOWN], 0);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Before what such a peer asks for is judged. */
static void test_mobike_a_nat_is_believed_when_the_peer_asks_for_keys(void)
{
	struct wire w;

	start_up_with_ah(&w, 75);
	struct ike_sa *sa = node_sa(&w.b);
	sa->remote_nat = true;
	timers_set(&w.b.engine->timers, &sa->timers[TIMER_NAT], w.now_ns + 20 * S);
	node_child_command(&w.a, IKE_SOFT_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	wire_run(&w, 15 * S);
	CU_ASSERT_EQUAL(w.b.installs, 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_DOWN], 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Nor does AH that we renew meanwhile go into UDP, where the host would not take it. */
static void test_mobike_ah_is_rekeyed_while_a_nat_is_not_sure(void)
{
	struct wire w;

	start_up_with_ah(&w, 76);
	struct ike_sa *sa = node_sa(&w.b);
	sa->remote_nat = true;
	timers_set(&w.b.engine->timers, &sa->timers[TIMER_NAT], w.now_ns + 20 * S);
	node_child_command(&w.b, IKE_SOFT_EXPIRE, node_pair(&w.b)->in.spi, NULL);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(w.b.installs, 2);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_nat_before_the_responder(void)
{
	struct wire w;

	mobike_init(&w, 64);
	addr_parse("10.0.0.2", &w.b.second);
	w.b.profiles[0].local_more.items[0] = w.b.second;
	addr_parse("203.0.113.2", &w.b.second_outside);
	w.a.profiles[0].remote_more.count = 1;
	w.a.profiles[0].remote_more.items[0] = w.b.second_outside;
	bring_up(&w);
	node_move(&w.a, NULL, "203.0.113.2");
	wire_run(&w, S);
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.path.encap, SA_ENCAP_UDP);
	CU_ASSERT_TRUE(is(&node_pair(&w.b)->out.path.local, "10.0.0.2"));
	CU_ASSERT_TRUE(node_status(&w.a, 0).remote_nat && node_status(&w.b, 0).local_nat);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_nat_is_refused_when_none_is_allowed(void)
{
	struct wire w;

	mobike_init(&w, 65);
	put_nat(&w);
	w.a.profiles[0].nat_refused = true;
	bring_up(&w);
	node_move(&w.a, "198.51.100.1", NULL);
	wire_run(&w, S);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.refused, "UNEXPECTED_NAT_DETECTED"));
	CU_ASSERT_TRUE(at_start(&w));
	put_nat(&w);
	addr_parse("198.51.100.1", &w.a.second_outside);
	w.a.second_offset = 0;
	node_move(&w.a, "198.51.100.1", NULL);
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_nat_at_the_start_is_refused_when_none_is_allowed(void)
{
	struct wire w;

	mobike_init(&w, 66);
	w.a.profiles[0].nat_refused = true;
	w.a.port_offset = 1000;
	wire_start(&w);
	CU_ASSERT_FALSE(wire_run_until_up(&w, 2 * S));
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "a NAT is on the way, which the tunnel refuses");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_new_mapping_is_noticed_by_liveness(void)
{
	struct wire w;

	mobike_init(&w, 67);
	w.a.port_offset = 20000;
	bring_up(&w);
	/* without it, the responder follows no packet (RFC 4555 3.8) */
	struct endpoint elsewhere = { w.a.outside, 4507 };
	node_child_command(&w.b, IKE_ADDRESS_CHANGED, node_pair(&w.b)->in.spi, &elsewhere);
	CU_ASSERT_EQUAL(w.b.updates, 0);
	w.a.port_offset = 21111;
	wire_run(&w, 15 * S);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.path.remote.port, 4500 + 21111);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_MOVED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_from_ipv4_to_ipv6_and_back(void)
{
	struct wire w;

	mobike_init(&w, 68);
	second_address(&w.a, "2001:db8:a::1");
	second_address(&w.b, "2001:db8:b::1");
	bring_up(&w);
	lose_first(&w.a);
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "2001:db8:a::1", "2001:db8:b::1"));
	w.a.gone = w.a.second;
	node_paths_changed(&w.a);
	wire_run(&w, S);
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_second_move_before_the_first_is_answered(void)
{
	struct wire w;

	start_up(&w, 69);
	lose_first(&w.a);
	wire_run(&w, 5 * MS);
	w.a.gone = w.a.second;
	node_paths_changed(&w.a);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_a_move_while_keys_are_renewed(void)
{
	/* the address goes at each moment of both rekeys */
	for (unsigned ms = 0; ms < 60; ms += 3) {
		struct wire w;

		start_up(&w, 100 + ms);
		w.job_delay_ns = 5 * MS;
		node_command(ms % 2 ? &w.a : &w.b, IKE_REKEY, 0);
		wire_run(&w, ms * MS);
		lose_first(&w.a);
		wire_run(&w, 5 * S);
		CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
		CU_ASSERT_TRUE(wire_up(&w));
		CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_mobike_what_the_operator_may_not_do_is_said(void)
{
	struct wire w;

	mobike_init(&w, 70);
	selectors_set(&w.a.profiles[0].move_to, "198.51.100.0/24");
	bring_up(&w);
	node_move(&w.b, "198.51.100.2", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.b.refused, "the peer is the initiator"));
	node_move(&w.a, "203.0.113.1", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.refused, "local.more_addresses"));
	node_move(&w.a, NULL, "203.0.113.2");
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.refused, "remote.move_to"));
	w.a.gone = w.a.second;
	node_move(&w.a, "198.51.100.1", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.refused, "not there"));
	wire_run(&w, S);
	CU_ASSERT_TRUE(at_start(&w));
	node_move(&w.a, NULL, "198.51.100.2");
	wire_run(&w, S);
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_without_another_address_it_stays_and_says_so(void)
{
	struct wire w;

	mobike_init(&w, 71);
	w.a.profiles[0].local_more.count = 0;
	bring_up(&w);
	lose_first(&w.a);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_MOVE_REFUSED], 1);
	wire_run(&w, S);
	w.a.gone = (struct addr){ 0 };
	node_paths_changed(&w.a);
	wire_run(&w, 5 * S);
	CU_ASSERT_TRUE(at_start(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A request of the peer with these payloads. */
static void ask(struct node *n, uint8_t first, struct bytes payloads)
{
	struct ike_sa *sa = node_sa(n);
	struct endpoint local = sa->local, remote = sa->remote;
	uint8_t bytes[512];

	sa->initiator = !sa->initiator;
	size_t len = seal_raw(
		n, INFORMATIONAL, false, sa->outbox.peer_request_id, first, payloads, bytes, sizeof(bytes));
	sa->initiator = !sa->initiator;
	node_receive(n, &local, &remote, BYTES(bytes, len));
}

static void test_mobike_the_responder_decides_nothing(void)
{
	struct wire w;
	const uint8_t update[] = { 0, 0, 0, 8, 0, 0, NOTIFY_UPDATE_SA_ADDRESSES >> 8,
		NOTIFY_UPDATE_SA_ADDRESSES & 0xff };

	start_up(&w, 72);
	ask(&w.a, PAYLOAD_NOTIFY, BYTES_OF(update));
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.refused, "the peer is the responder"));
	CU_ASSERT_EQUAL(w.a.updates, 0);
	CU_ASSERT_EQUAL(node_sa(&w.a)->state, ST_ESTABLISHED);
	CU_ASSERT_TRUE(wire_done(&w));
}

static size_t add_address(uint8_t *at, uint16_t type, const uint8_t *address, uint8_t len, bool last)
{
	const uint8_t head[8] = { last ? 0 : PAYLOAD_NOTIFY, 0, 0, (uint8_t)(8 + len), 0, 0, (uint8_t)(type >> 8),
		(uint8_t)type };

	memcpy(at, head, sizeof(head));
	if (len)
		memcpy(at + sizeof(head), address, len);
	return sizeof(head) + len;
}

static void test_mobike_lists_of_addresses_are_bounded_and_checked(void)
{
	struct wire w;
	uint8_t list[512];
	size_t len = 0;
	const uint8_t short_one[] = { 1, 2, 3 }, group[] = { 224, 0, 0, 1 }, six[16] = { 0x20, 1, 0x0d, 0xb8 };

	start_up(&w, 73);
	len += add_address(list, NOTIFY_ADDITIONAL_IP4_ADDRESS, short_one, sizeof(short_one), false);
	len += add_address(list + len, NOTIFY_ADDITIONAL_IP4_ADDRESS, group, sizeof(group), false);
	len += add_address(list + len, NOTIFY_ADDITIONAL_IP4_ADDRESS, six, sizeof(six), false);
	len += add_address(list + len, NOTIFY_ADDITIONAL_IP6_ADDRESS, six, sizeof(six), false);
	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t address[] = { 10, 0, 0, (uint8_t)(i / 2 + 1) };
		len += add_address(list + len, NOTIFY_ADDITIONAL_IP4_ADDRESS, address, sizeof(address), i == 19);
	}
	ask(&w.b, PAYLOAD_NOTIFY, BYTES(list, len));
	struct ike_tunnel_status s = node_status(&w.b, 0);
	CU_ASSERT_EQUAL(s.remotes_count, IKE_REMOTES_MAX);
	CU_ASSERT_EQUAL(s.remotes[0].family, ADDR_IPV6);
	CU_ASSERT_EQUAL(s.remotes[7].bytes[3], 7);
	len = add_address(list, NOTIFY_NO_ADDITIONAL_ADDRESSES, NULL, 0, true);
	ask(&w.b, PAYLOAD_NOTIFY, BYTES(list, len));
	CU_ASSERT_EQUAL(node_status(&w.b, 0).remotes_count, 0);
	/* nothing of it moves anything */
	CU_ASSERT_EQUAL(w.b.updates, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_begins_with_an_address_that_is_there(void)
{
	struct wire w;

	mobike_init(&w, 74);
	w.a.gone = w.a.inside;
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	bring_up(&w);
	CU_ASSERT_TRUE(on_path(&w, "198.51.100.1", "192.0.2.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_begins_with_the_peers_other_address_after_silence(void)
{
	struct wire w;

	mobike_init(&w, 75);
	w.a.profiles[0].remote_more.count = 1;
	w.a.profiles[0].remote_more.items[0] = w.b.second;
	w.b.cut = w.b.inside;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 60 * S));
	CU_ASSERT_TRUE(on_path(&w, "192.0.2.1", "198.51.100.2"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Who begins from one of its further addresses is not taken for one that may be anywhere; whatever the list repeats. */
static void test_mobike_a_peer_that_begins_at_a_further_address(void)
{
	struct wire w;

	mobike_init(&w, 78);
	struct tunnel_profile *p = w.b.profiles;
	w.b.profile_count = 2;
	p[1] = p[0];
	p[0].remote_addr = (struct addr){ 0 };
	identity_parse("somebody.example.net", &p[0].remote_id);
	addr_parse("192.0.2.77", &p[1].remote_addr);
	p[1].remote_more.count = 4;
	p[1].remote_more.items[0] = p[1].remote_addr;
	p[1].remote_more.items[1] = p[1].remote_more.items[3] = w.a.inside;
	p[1].remote_more.items[2] = w.a.second;
	bring_up(&w);
	CU_ASSERT_EQUAL(node_status(&w.b, 1).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).phase1, PHASE_DOWN);
	const struct tunnel *first = tunnel_candidate(w.b.engine, &w.b.inside, &w.a.inside, NULL);
	CU_ASSERT_EQUAL_FATAL(first->index, 1);
	const struct tunnel *next = tunnel_candidate(w.b.engine, &w.b.inside, &w.a.inside, first);
	CU_ASSERT_EQUAL_FATAL(next->index, 0);
	CU_ASSERT_PTR_NULL(tunnel_candidate(w.b.engine, &w.b.inside, &w.a.inside, next));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_transport_mode_stays(void)
{
	struct wire w;

	start_up(&w, 77);
	TAILQ_FIRST(&node_sa(&w.a)->children)->transport = true;
	node_move(&w.a, "198.51.100.1", NULL);
	wire_run(&w, S);
	struct ike_tunnel_status s = node_status(&w.a, 0);
	CU_ASSERT_TRUE(is(&s.local, "198.51.100.1"));
	CU_ASSERT_TRUE(is(&node_pair(&w.a)->out.path.local, "192.0.2.1"));
	CU_ASSERT_EQUAL(w.a.updates, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_mobike_nothing_moves_without_a_reason(void)
{
	struct wire w;

	start_up(&w, 76);
	w.traffic_every_ns = 10 * MS;
	w.traffic_by_address = true;
	wire_run(&w, 120 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_MOVED] + w.b.events[IKE_EV_MOVED], 0);
	CU_ASSERT_EQUAL(w.traffic_strayed + w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_mobike_is_agreed_and_moves_to_4500),
	TEST(test_mobike_is_not_used_when_one_side_does_not_want_it),
	TEST(test_mobike_initiator_moves_within_a_round_trip),
	TEST(test_mobike_without_the_check_the_responder_follows_at_once),
	TEST(test_mobike_back_to_a_proven_address_without_a_check),
	TEST(test_mobike_each_message_of_a_move_may_be_lost),
	TEST(test_mobike_a_move_over_a_bad_wire),
	TEST(test_mobike_responder_tells_its_list_and_the_initiator_moves),
	TEST(test_mobike_an_address_of_the_responder_that_is_back_is_told),
	TEST(test_mobike_the_address_that_a_move_leaves_is_told),
	TEST(test_mobike_both_lose_their_address_at_once),
	TEST(test_mobike_an_address_that_is_not_allowed_is_refused),
	TEST(test_mobike_an_address_that_is_allowed),
	TEST(test_mobike_a_forged_source_gets_no_traffic),
	TEST(test_mobike_a_cookie_read_elsewhere_proves_nothing),
	TEST(test_mobike_another_cookie_ends_the_ike_sa),
	TEST(test_mobike_a_dead_path_is_left_before_the_peer_counts_as_dead),
	TEST(test_mobike_a_dead_address_of_the_peer_is_left),
	TEST(test_mobike_a_dead_peer_is_dead_on_every_path),
	TEST(test_mobike_a_nat_comes_and_goes),
	TEST(test_mobike_ah_does_not_follow_behind_a_nat),
	TEST(test_mobike_an_update_that_crosses_the_responders_move_shows_no_nat),
	TEST(test_mobike_an_update_from_an_address_left_meanwhile_ends_no_ah),
	TEST(test_mobike_an_update_that_took_the_other_path_is_sent_again),
	TEST(test_mobike_a_long_round_trip_ends_the_move),
	TEST(test_mobike_a_long_round_trip_ends_the_check),
	TEST(test_mobike_a_nat_before_an_announced_address_is_believed),
	TEST(test_mobike_a_nat_is_believed_after_a_while),
	TEST(test_mobike_a_nat_is_believed_when_the_peer_asks_for_keys),
	TEST(test_mobike_ah_is_rekeyed_while_a_nat_is_not_sure),
	TEST(test_mobike_a_nat_before_the_responder),
	TEST(test_mobike_a_nat_is_refused_when_none_is_allowed),
	TEST(test_mobike_a_nat_at_the_start_is_refused_when_none_is_allowed),
	TEST(test_mobike_a_new_mapping_is_noticed_by_liveness),
	TEST(test_mobike_from_ipv4_to_ipv6_and_back),
	TEST(test_mobike_a_second_move_before_the_first_is_answered),
	TEST(test_mobike_a_move_while_keys_are_renewed),
	TEST(test_mobike_what_the_operator_may_not_do_is_said),
	TEST(test_mobike_without_another_address_it_stays_and_says_so),
	TEST(test_mobike_the_responder_decides_nothing),
	TEST(test_mobike_lists_of_addresses_are_bounded_and_checked),
	TEST(test_mobike_begins_with_an_address_that_is_there),
	TEST(test_mobike_begins_with_the_peers_other_address_after_silence),
	TEST(test_mobike_a_peer_that_begins_at_a_further_address),
	TEST(test_mobike_transport_mode_stays),
	TEST(test_mobike_nothing_moves_without_a_reason),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
