/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: the end of tunnels: Delete from either side, dead and restarted peers, lifetimes, shutdown. */
#include "harness.h"

#include "fake_wire.h"

static void start_up(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	wire_start(w);
	CU_ASSERT_TRUE(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	w->story_len = 0;
	w->story[0] = '\0';
}

static void check_all_gone(struct wire *w)
{
	CU_ASSERT_EQUAL(ike_sa_count(w->a.engine), 0);
	CU_ASSERT_EQUAL(ike_sa_count(w->b.engine), 0);
	CU_ASSERT_EQUAL(w->a.spis_out, 0);
	CU_ASSERT_EQUAL(w->b.spis_out, 0);
	CU_ASSERT_EQUAL(w->a.retires, w->a.installs);
	CU_ASSERT_EQUAL(w->b.retires, w->b.installs);
}

static void test_terminate_by_initiator(void)
{
	struct wire w;

	start_up(&w, 1);
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_TRUE(wire_story_is(&w, "A INFORMATIONAL request 2\nB INFORMATIONAL response 2\n"));
	check_all_gone(&w);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	/* an orderly end is told by the DOWN events alone */
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_DOWN], 1);
	CU_ASSERT_STRING_EQUAL(w.b.last_text, "the peer deleted the IKE SA");
	CU_ASSERT_EQUAL(node_status(&w.b, 0).failure.phase, 0);
	/* it stays down although it starts by itself; then it is wanted again */
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_DOWN);
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_terminate_by_responder(void)
{
	struct wire w;

	start_up(&w, 2);
	node_command(&w.b, IKE_TERMINATE, 0);
	wire_run(&w, 500 * MS);
	check_all_gone(&w);
	/* A wants the tunnel: it comes back after a pause */
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_terminate_during_negotiation(void)
{
	for (uint64_t at = 0; at < 60 * MS; at += 5 * MS) {
		struct wire w;
		wire_init(&w, 3 + at);
		wire_start(&w);
		wire_run(&w, at);
		node_command(&w.a, IKE_TERMINATE, 0);
		wire_run(&w, 60 * S);
		check_all_gone(&w);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_terminate_when_the_peer_is_gone(void)
{
	struct wire w;

	start_up(&w, 4);
	w.b.dead = true;
	node_command(&w.a, IKE_TERMINATE, 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_CLOSING);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_terminate_from_both_sides_at_once(void)
{
	struct wire w;

	start_up(&w, 5);
	node_command(&w.a, IKE_TERMINATE, 0);
	node_command(&w.b, IKE_TERMINATE, 0);
	wire_run(&w, 60 * S);
	check_all_gone(&w);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_shutdown_deletes_everything_and_starts_nothing(void)
{
	struct wire w;

	start_up(&w, 6);
	node_command(&w.a, IKE_TERMINATE_ALL, 0);
	node_command(&w.a, IKE_INITIATE, 0);
	wire_run(&w, 60 * S);
	check_all_gone(&w);
	node_command(&w.b, IKE_INITIATE, 0);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(ike_next_deadline(w.a.engine), UINT64_MAX);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_liveness_is_checked_when_idle(void)
{
	struct wire w;

	start_up(&w, 7);
	w.b.profiles[0].dpd_interval_ns = 0;
	wire_run(&w, 11 * S);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.story, "A INFORMATIONAL request 2\nB INFORMATIONAL response 2\n"));
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_liveness_check_rests_while_traffic_comes(void)
{
	struct wire w;

	start_up(&w, 8);
	for (int i = 0; i < 60; i++) {
		node_child_command(&w.a, IKE_USED, node_pair(&w.a)->in.spi, NULL);
		node_child_command(&w.b, IKE_USED, node_pair(&w.b)->in.spi, NULL);
		wire_run(&w, S);
	}
	CU_ASSERT_STRING_EQUAL(w.story, "");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_dead_peer_is_noticed(void)
{
	struct wire w;

	start_up(&w, 9);
	w.b.dead = true;
	wire_run(&w, 29 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "dead peer: liveness checks were not answered");
	CU_ASSERT_EQUAL(w.a.failure.exchange, INFORMATIONAL);
	/* tried again at once */
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], 2);
	w.b.dead = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 30 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_dead_after(uint64_t timeout)
{
	struct wire w;

	wire_init(&w, 25);
	w.a.profiles[0].dpd_timeout_ns = timeout;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 100 * MS);
	w.b.dead = true;
	wire_run(&w, 10 * S + timeout - S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_dead_peer_has_the_configured_time(void)
{
	check_dead_after(3 * S);
	check_dead_after(90 * S);
}

static void test_dead_peer_of_a_trap_waits_for_traffic(void)
{
	struct wire w;

	wire_init(&w, 10);
	w.a.profiles[0].children[0].start = START_TRAP;
	wire_start(&w);
	node_command(&w.a, IKE_ACQUIRE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	w.b.dead = true;
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], 1);
	w.b.dead = false;
	node_command(&w.a, IKE_ACQUIRE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The peer dies and is found dead, A's child starting so, this being what follows. */
static void start_dying(struct wire *w, uint64_t seed, enum start_action start, enum dpd_action action)
{
	wire_init(w, seed);
	w->a.profiles[0].children[0].start = start;
	w->a.profiles[0].dpd_action = action;
	wire_start(w);
	node_command(&w->a, IKE_ACQUIRE, 0);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	w->b.dead = true;
	CU_ASSERT_TRUE(wire_run_until_down(w, 40 * S) || !node_live_pairs(&w->a));
	node_restart(&w->b);
}

static void test_dead_peer_action_restart(void)
{
	static const enum start_action starts[] = { START_INITIATE, START_TRAP, START_RESPOND };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct wire w;
		start_dying(&w, 40, starts[i], DPD_RESTART);
		w.b.dead = true;
		/* it does not give up, also where nothing else would start it */
		wire_run(&w, 300 * S);
		node_restart(&w.b);
		CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
		/* and is as before once it is up */
		node_command(&w.b, IKE_TERMINATE, 0);
		wire_run(&w, 30 * S);
		CU_ASSERT_EQUAL(wire_up(&w), starts[i] == START_INITIATE);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_dead_peer_action_trap(void)
{
	struct wire w;

	start_dying(&w, 41, START_INITIATE, DPD_TRAP);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], 1);
	node_command(&w.a, IKE_ACQUIRE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_dead_peer_action_clear(void)
{
	struct wire w;

	start_dying(&w, 42, START_INITIATE, DPD_CLEAR);
	wire_run(&w, 60 * S);
	node_command(&w.a, IKE_ACQUIRE, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_dead_peer_action_clear_and_the_peer_comes_back(void)
{
	struct wire w;

	start_dying(&w, 43, START_TRAP, DPD_CLEAR);
	node_command(&w.b, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	/* it is up: traps are as before */
	node_command(&w.b, IKE_TERMINATE, 0);
	wire_run(&w, 10 * S);
	node_command(&w.a, IKE_ACQUIRE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_dead_initiator_is_forgotten_by_the_responder(void)
{
	struct wire w;

	start_up(&w, 11);
	w.a.dead = true;
	wire_run(&w, 31 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_STARTED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_restarted_initiator_replaces_its_old_sa(void)
{
	struct wire w;

	start_up(&w, 12);
	node_restart(&w.a);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 6 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_REPLACED], 1);
	/* INITIAL_CONTACT: nothing is told to a peer that knows nothing of it */
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_UNKNOWN_SPI), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_restarted_responder_is_found_by_liveness(void)
{
	struct wire w;

	wire_init(&w, 13);
	w.a.profiles[0].dpd_interval_ns = 5 * S;
	w.a.profiles[0].dpd_timeout_ns = 5 * S;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	node_restart(&w.b);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 30 * S));
	CU_ASSERT_TRUE(node_counter(&w.b, IKE_C_UNKNOWN_SPI) > 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The restarted side answers only, so the other side has to notice, whoever was the initiator before. */
static void test_restarted_responder_that_began_itself(void)
{
	struct wire w;

	wire_init(&w, 14);
	w.a.profiles[0].children[0].start = START_RESPOND;
	w.b.profiles[0].children[0].start = START_INITIATE;
	w.b.profiles[0].dpd_interval_ns = w.b.profiles[0].dpd_timeout_ns = 5 * S;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	node_restart(&w.a);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 30 * S));
	CU_ASSERT_TRUE(node_status(&w.b, 0).initiator);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_new_ike_sa_of_the_peer_replaces_without_initial_contact(void)
{
	struct wire w;

	start_up(&w, 15);
	/* A loses only its engine's memory of the pairs: it deletes, but the Delete is lost */
	w.b.dead = true;
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, 10 * S);
	w.b.dead = false;
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 20 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_ike_lifetime_ends_and_starts_again(void)
{
	struct wire w;

	wire_init(&w, 16);
	w.a.profiles[0].lifetime_ns = 30 * S;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	uint64_t spi = node_status(&w.a, 0).spi_i;
	wire_run(&w, 31 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_NOT_EQUAL(node_status(&w.a, 0).spi_i, spi);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_child_lifetime_ends_and_starts_again(void)
{
	struct wire w;

	wire_init(&w, 17);
	w.a.profiles[0].children[0].lifetime_ns = 30 * S;
	wire_start(&w);
	wire_run(&w, 31 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.installs, 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_expired_sa_is_replaced(void)
{
	struct wire w;

	start_up(&w, 18);
	node_child_command(&w.a, IKE_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(w.a.installs, 2);
	/* unknown SPIs are no error: facts may be late */
	node_child_command(&w.a, IKE_EXPIRE, 12345, NULL);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_expired_at_the_responder(void)
{
	struct wire w;

	start_up(&w, 19);
	node_child_command(&w.b, IKE_EXPIRE, node_pair(&w.b)->in.spi, NULL);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* B deletes only the child: A answers with its half, and asks for a new one on the same IKE SA. */
static void test_delete_of_the_child_alone(void)
{
	struct wire w;

	start_up(&w, 20);
	/* B cannot know earlier that A has the child */
	wire_run(&w, 5 * S);
	node_index_command(&w.b, IKE_TERMINATE, 0, 0);
	wire_run(&w, 50 * MS);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	CU_ASSERT_STRING_EQUAL(w.a.last_text, "the peer deleted the Child SA");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_delete_of_an_unknown_child_changes_nothing(void)
{
	struct wire w;
	uint8_t bytes[256], plain[12] = { 0, 0, 0, 12, PROTOCOL_ESP, 4, 0, 1, 1, 2, 3, 4 };

	start_up(&w, 21);
	struct endpoint a = { w.a.inside, 500 }, b = { w.b.inside, 500 };
	size_t len = seal_raw(&w.b, INFORMATIONAL, false, 0, PAYLOAD_DELETE, BYTES_OF(plain), bytes, sizeof(bytes));
	node_receive(&w.a, &a, &b, BYTES(bytes, len));
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_story_is(&w, "A INFORMATIONAL response 0\n"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_two_tunnels_of_one_peer_live_side_by_side(void)
{
	struct wire w;

	wire_init(&w, 22);
	for (struct node *n = &w.a; n; n = n == &w.a ? &w.b : NULL) {
		n->profiles[1] = n->profiles[0];
		n->profile_count = 2;
		identity_parse(n == &w.a ? "a2.example.net" : "b2.example.net", &n->profiles[1].local_id);
		identity_parse(n == &w.a ? "b2.example.net" : "a2.example.net", &n->profiles[1].remote_id);
	}
	wire_start(&w);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	node_command(&w.a, IKE_TERMINATE, 1);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_status(&w.a, 1).phase1, PHASE_DOWN);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_two_tunnels_that_differ_in_selectors_only(void)
{
	struct wire w;

	wire_init(&w, 24);
	for (struct node *n = &w.a; n; n = n == &w.a ? &w.b : NULL) {
		n->profiles[1] = n->profiles[0];
		n->profile_count = 2;
		selectors_set(&n->profiles[1].children[0].local, n == &w.a ? "10.3.0.0/24" : "10.4.0.0/24");
		selectors_set(&n->profiles[1].children[0].remote, n == &w.a ? "10.4.0.0/24" : "10.3.0.0/24");
	}
	wire_start(&w);
	wire_run(&w, 20 * S);
	for (uint32_t t = 0; t < 2; t++) {
		CU_ASSERT_EQUAL(node_status(&w.a, t).children[0].state, PHASE_UP);
		CU_ASSERT_EQUAL(node_status(&w.b, t).children[0].state, PHASE_UP);
	}
	CU_ASSERT_EQUAL(w.a.installs, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_state_per_ike_sa_is_small(void)
{
	struct wire w;

	start_up(&w, 23);
	/* names, state: what an operator sees for numbers we know and do not know */
	CU_ASSERT_STRING_EQUAL(phase_state_name(PHASE_UP), "up");
	CU_ASSERT_STRING_EQUAL(phase_state_name((enum phase_state)9), "unknown");
	CU_ASSERT_STRING_EQUAL(ike_event_name(IKE_EV_PHASE1_UP), "phase1-up");
	CU_ASSERT_STRING_EQUAL(ike_event_name((enum ike_event_kind)99), "unknown");
	CU_ASSERT_STRING_EQUAL(ike_counter_name(IKE_C_BAD_ICV), "bad_icv");
	CU_ASSERT_STRING_EQUAL(ike_counter_name((enum ike_counter)99), "unknown");
	struct ike_tunnel_status s;
	CU_ASSERT_EQUAL(ike_tunnel_status(w.a.engine, 1, &s), -2);
	CU_ASSERT_TRUE(node_sa_bytes(&w.a) < 6 * 1024);
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_terminate_by_initiator),
	TEST(test_terminate_by_responder),
	TEST(test_terminate_during_negotiation),
	TEST(test_terminate_when_the_peer_is_gone),
	TEST(test_terminate_from_both_sides_at_once),
	TEST(test_shutdown_deletes_everything_and_starts_nothing),
	TEST(test_liveness_is_checked_when_idle),
	TEST(test_liveness_check_rests_while_traffic_comes),
	TEST(test_dead_peer_is_noticed),
	TEST(test_dead_peer_has_the_configured_time),
	TEST(test_dead_peer_of_a_trap_waits_for_traffic),
	TEST(test_dead_peer_action_restart),
	TEST(test_dead_peer_action_trap),
	TEST(test_dead_peer_action_clear),
	TEST(test_dead_peer_action_clear_and_the_peer_comes_back),
	TEST(test_dead_initiator_is_forgotten_by_the_responder),
	TEST(test_restarted_initiator_replaces_its_old_sa),
	TEST(test_restarted_responder_is_found_by_liveness),
	TEST(test_restarted_responder_that_began_itself),
	TEST(test_new_ike_sa_of_the_peer_replaces_without_initial_contact),
	TEST(test_ike_lifetime_ends_and_starts_again),
	TEST(test_child_lifetime_ends_and_starts_again),
	TEST(test_expired_sa_is_replaced),
	TEST(test_expired_at_the_responder),
	TEST(test_delete_of_the_child_alone),
	TEST(test_delete_of_an_unknown_child_changes_nothing),
	TEST(test_two_tunnels_of_one_peer_live_side_by_side),
	TEST(test_two_tunnels_that_differ_in_selectors_only),
	TEST(test_state_per_ike_sa_is_small),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
