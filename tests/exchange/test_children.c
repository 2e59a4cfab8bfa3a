/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: several Child SAs of a tunnel: made by IKE_AUTH and CREATE_CHILD_SA, from either side, one by one or
 * all, deleted one by one; what the peer refuses. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

static void add_child(struct node *n, const char *name, const char *local, const char *remote, enum start_action start)
{
	struct tunnel_profile *p = &n->profiles[0];
	struct child_profile *c = &p->children[p->child_count++];

	*c = p->children[0];
	snprintf(c->name, sizeof(c->name), "%s", name);
	selectors_set(&c->local, local);
	selectors_set(&c->remote, remote);
	c->start = start;
}

/* Three networks on each side. */
static void init_three(struct wire *w, uint64_t seed, enum start_action start)
{
	wire_init(w, seed);
	add_child(&w->a, "lab", "10.1.1.0/24", "10.2.1.0/24", start);
	add_child(&w->a, "office", "10.1.2.0/24", "10.2.2.0/24", start);
	/* in another order */
	add_child(&w->b, "office", "10.2.2.0/24", "10.1.2.0/24", START_RESPOND);
	add_child(&w->b, "lab", "10.2.1.0/24", "10.1.1.0/24", START_RESPOND);
}

static void swap_b(struct wire *w)
{
	struct child_profile c = w->b.profiles[0].children[1];

	w->b.profiles[0].children[1] = w->b.profiles[0].children[2];
	w->b.profiles[0].children[2] = c;
}

static bool all_up(const struct wire *w)
{
	return wire_child_up(w, 0) && wire_child_up(w, 1) && wire_child_up(w, 2);
}

static void forget_story(struct wire *w)
{
	w->story_len = 0;
	w->story[0] = '\0';
}

static void start_three(struct wire *w, uint64_t seed)
{
	init_three(w, seed, START_INITIATE);
	swap_b(w);
	wire_start(w);
	wire_run(w, 2 * S);
	CU_ASSERT_TRUE_FATAL(all_up(w));
	forget_story(w);
}

static void test_all_children_come_up(void)
{
	struct wire w;

	init_three(&w, 1, START_INITIATE);
	swap_b(&w);
	wire_start(&w);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(all_up(&w));
	CU_ASSERT_TRUE(wire_story_is(&w, "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\n"
					 "A IKE_AUTH request 1\nB IKE_AUTH response 1\n"
					 "A CREATE_CHILD_SA request 2\nB CREATE_CHILD_SA response 2\n"
					 "A CREATE_CHILD_SA request 3\nB CREATE_CHILD_SA response 3\n"));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 3);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_UP], 3);
	struct ike_tunnel_status s = node_status(&w.b, 0);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(s.children[i].state, PHASE_UP);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_the_responder_finds_the_entry_by_its_selectors(void)
{
	struct wire w;

	init_three(&w, 2, START_INITIATE);
	wire_start(&w);
	wire_run(&w, 2 * S);
	/* lab is the second one of A and the third one of B */
	struct ike_tunnel_status a = node_status(&w.a, 0), b = node_status(&w.b, 0);
	CU_ASSERT_EQUAL(a.children[1].spi_in, b.children[2].spi_out);
	CU_ASSERT_EQUAL(a.children[2].spi_in, b.children[1].spi_out);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_packet_brings_up_its_child_alone(void)
{
	struct wire w;

	init_three(&w, 3, START_TRAP);
	swap_b(&w);
	w.a.profiles[0].children[0].start = START_TRAP;
	wire_start(&w);
	node_index_command(&w.a, IKE_ACQUIRE, 0, 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 1));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	/* the next one is made on the same IKE SA */
	node_index_command(&w.a, IKE_ACQUIRE, 0, 0);
	node_index_command(&w.a, IKE_ACQUIRE, 0, 0);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 0));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_the_responder_asks_for_a_child_too(void)
{
	struct wire w;

	init_three(&w, 4, START_RESPOND);
	swap_b(&w);
	wire_start(&w);
	wire_run(&w, 2 * S);
	node_index_command(&w.b, IKE_INITIATE, 0, 2);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 2));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_child_is_terminated_alone(void)
{
	struct wire w;

	start_three(&w, 5);
	node_index_command(&w.a, IKE_TERMINATE, 0, 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	wire_run(&w, 10 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 0) && wire_child_up(&w, 2) && !wire_child_up(&w, 1));
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_DOWN], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_DOWN], 0);
	/* it stays down until it is wanted again */
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, S);
	CU_ASSERT_TRUE(all_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_child_that_the_peer_deletes_comes_back(void)
{
	struct wire w;

	start_three(&w, 6);
	wire_run(&w, 15 * S);
	node_index_command(&w.b, IKE_TERMINATE, 0, 2);
	wire_run(&w, 200 * MS);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	wire_run(&w, 5 * S);
	CU_ASSERT_TRUE(all_up(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_the_last_child_goes_and_the_ike_sa_stays(void)
{
	struct wire w;

	wire_init(&w, 7);
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	node_index_command(&w.a, IKE_TERMINATE, 0, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).phase1, PHASE_UP);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_both_delete_the_same_child_at_once(void)
{
	struct wire w;

	start_three(&w, 8);
	node_index_command(&w.a, IKE_TERMINATE, 0, 1);
	node_index_command(&w.b, IKE_TERMINATE, 0, 1);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_both_ask_for_the_same_child_at_once(void)
{
	struct wire w;

	for (uint64_t seed = 10; seed < 20; seed++) {
		init_three(&w, seed, START_RESPOND);
		swap_b(&w);
		wire_start(&w);
		wire_run(&w, 2 * S);
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		node_index_command(&w.b, IKE_INITIATE, 0, 1);
		wire_run(&w, 12 * S);
		CU_ASSERT_TRUE(wire_child_up(&w, 1));
		CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_each_message_of_a_new_child_may_be_lost(void)
{
	struct wire w;

	init_three(&w, 21, START_INITIATE);
	swap_b(&w);
	w.loss_percent = 30;
	w.duplicate_percent = 20;
	w.reorder_percent = 20;
	wire_start(&w);
	wire_run(&w, 60 * S);
	CU_ASSERT_TRUE(all_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_refused_child_is_asked_for_again(void)
{
	struct wire w;

	init_three(&w, 22, START_INITIATE);
	swap_b(&w);
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes256gcm16");
	wire_start(&w);
	wire_run(&w, 2 * S);
	/* the others are up all the same */
	CU_ASSERT_TRUE(wire_child_up(&w, 0) && wire_child_up(&w, 2));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_EQUAL(w.a.failure.exchange, CREATE_CHILD_SA);
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "encryption: ours AES-GCM-256, theirs AES-GCM-128");
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16");
	wire_run(&w, 15 * S);
	CU_ASSERT_TRUE(all_up(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_group(const char *ours, const char *theirs, unsigned messages)
{
	struct wire w;
	unsigned lines = 0;

	init_three(&w, 23, START_RESPOND);
	swap_b(&w);
	proposals_set(&w.a.profiles[0].children[1].proposals, PROTOCOL_ESP, ours);
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, theirs);
	wire_start(&w);
	wire_run(&w, 2 * S);
	forget_story(&w);
	w.job_delay_ns = 30 * MS;
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 1));
	for (const char *p = w.story; *p; p++)
		lines += *p == '\n';
	CU_ASSERT_EQUAL(lines, messages);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_child_has_its_own_key_exchange(void)
{
	check_group("aes128gcm16-x25519", "aes128gcm16-x25519", 2);
	check_group("aes128gcm16-modp2048", "aes128gcm16-modp2048", 2);
}

static void test_the_peer_wants_another_group(void)
{
	check_group("aes128gcm16-x25519-ecp256", "aes128gcm16-ecp256", 4);
	/* the responder may choose the proposal without a group */
	check_group("aes128gcm16-x25519,aes128gcm16", "aes128gcm16", 2);
}

static void test_a_group_that_nobody_offers_fails(void)
{
	struct wire w;

	init_three(&w, 24, START_RESPOND);
	swap_b(&w);
	proposals_set(&w.a.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-ecp384");
	wire_start(&w);
	wire_run(&w, 2 * S);
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, 2 * S);
	CU_ASSERT_FALSE(wire_child_up(&w, 1));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_termination_during_a_key_exchange(void)
{
	struct wire w;

	for (uint64_t at = 0; at < 200 * MS; at += 9 * MS) {
		init_three(&w, 25, START_RESPOND);
		swap_b(&w);
		proposals_set(&w.a.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
		proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
		wire_start(&w);
		wire_run(&w, 2 * S);
		w.job_delay_ns = 30 * MS;
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		wire_run(&w, at);
		node_command(at % 2 ? &w.a : &w.b, IKE_TERMINATE_ALL, 0);
		wire_run(&w, S);
		node_command(&w.a, IKE_TERMINATE, 0);
		wire_run(&w, 60 * S);
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
		CU_ASSERT_EQUAL(w.a.spis_out + w.b.spis_out, 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* The second child is asked for, its keys take their time, and A's operator ends the tunnel. */
static void terminate_during_a_key_exchange(struct wire *w, uint64_t at)
{
	init_three(w, 28, START_INITIATE);
	swap_b(w);
	for (int i = 1; i < 3; i++) {
		proposals_set(&w->a.profiles[0].children[i].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
		proposals_set(&w->b.profiles[0].children[i].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	}
	wire_start(w);
	CU_ASSERT_TRUE(wire_run_until_up(w, 2 * S));
	w->job_delay_ns = 30 * MS;
	wire_run(w, at);
	node_command(&w->a, IKE_TERMINATE, 0);
}

static void test_no_child_comes_up_after_the_termination(void)
{
	struct wire w;

	for (uint64_t at = 0; at < 300 * MS; at += 9 * MS) {
		terminate_during_a_key_exchange(&w, at);
		unsigned installs = w.a.installs;
		wire_run(&w, 60 * S);
		CU_ASSERT_EQUAL(w.a.installs, installs);
		/* the operator's word stands */
		CU_ASSERT_EQUAL(tunnel_autostart(&w.a.engine->tunnels[0]), 0);
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_a_tunnel_ended_during_a_key_exchange_begins_again(void)
{
	struct wire w;

	for (uint64_t at = 0; at < 300 * MS; at += 9 * MS) {
		terminate_during_a_key_exchange(&w, at);
		/* the old IKE SA still closes when the new one is under way */
		node_command(&w.a, IKE_INITIATE, 0);
		wire_run(&w, 2 * S);
		CU_ASSERT_TRUE(all_up(&w));
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static bool drop_jobs;

static void lose_job(struct crypto_job *job)
{
	if (drop_jobs)
		job->result = -5;
	else
		crypto_job_run(job);
}

static void test_a_failed_key_exchange_is_reported(void)
{
	struct wire w;

	init_three(&w, 26, START_RESPOND);
	swap_b(&w);
	proposals_set(&w.a.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	w.run_job = lose_job;
	wire_start(&w);
	wire_run(&w, 2 * S);
	drop_jobs = true;
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, 2 * S);
	drop_jobs = false;
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "no working cryptography");
	CU_ASSERT_TRUE(wire_child_up(&w, 0));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_an_exchange_waits_for_no_lost_job(void)
{
	struct wire w;

	init_three(&w, 27, START_RESPOND);
	swap_b(&w);
	proposals_set(&w.a.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	proposals_set(&w.b.profiles[0].children[1].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	w.a.settings.half_open_timeout_ns = w.b.settings.half_open_timeout_ns = S;
	wire_start(&w);
	wire_run(&w, 2 * S);
	w.job_delay_ns = 100 * S;
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	wire_run(&w, 5 * S);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the key exchange was not computed in time");
	wire_run(&w, 200 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 0));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_all_children_come_up),
	TEST(test_the_responder_finds_the_entry_by_its_selectors),
	TEST(test_a_packet_brings_up_its_child_alone),
	TEST(test_the_responder_asks_for_a_child_too),
	TEST(test_a_child_is_terminated_alone),
	TEST(test_a_child_that_the_peer_deletes_comes_back),
	TEST(test_the_last_child_goes_and_the_ike_sa_stays),
	TEST(test_both_delete_the_same_child_at_once),
	TEST(test_both_ask_for_the_same_child_at_once),
	TEST(test_each_message_of_a_new_child_may_be_lost),
	TEST(test_a_refused_child_is_asked_for_again),
	TEST(test_a_child_has_its_own_key_exchange),
	TEST(test_the_peer_wants_another_group),
	TEST(test_a_group_that_nobody_offers_fails),
	TEST(test_termination_during_a_key_exchange),
	TEST(test_no_child_comes_up_after_the_termination),
	TEST(test_a_tunnel_ended_during_a_key_exchange_begins_again),
	TEST(test_a_failed_key_exchange_is_reported),
	TEST(test_an_exchange_waits_for_no_lost_job),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
