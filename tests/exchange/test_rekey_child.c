/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: new keys for Child SAs under traffic: from either side, from both at once, with messages lost,
 * doubled and late. No packet of the traffic is lost. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

static void start_up(struct wire *w, uint64_t seed, const char *esp)
{
	wire_init(w, seed);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, esp);
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_ESP, esp);
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	w->story_len = 0;
	w->story[0] = '\0';
	w->traffic_every_ns = 20 * MS;
	w->traffic_at_ns = w->now_ns;
	w->watch_traffic = true;
}

static bool finish(struct wire *w)
{
	bool whole = wire_up(w) && wire_paired(w) && w->traffic_sent > 0;

	CU_ASSERT_EQUAL(w->traffic_lost, 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w->a), 1);
	return wire_done(w) && whole;
}

static void check_rekey(bool by_a, const char *esp, const char *story)
{
	struct wire w;
	struct node *n = by_a ? &w.a : &w.b;

	start_up(&w, 1, esp);
	uint32_t before = node_pair(n)->out.spi;
	w.job_delay_ns = 15 * MS;
	node_index_command(n, IKE_REKEY, 0, 0);
	wire_run(&w, 8 * S);
	CU_ASSERT_TRUE(wire_story_is(&w, story));
	CU_ASSERT_NOT_EQUAL(node_pair(n)->out.spi, before);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_REKEYED], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_REKEYED], 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN] + w.b.events[IKE_EV_PHASE2_DOWN], 0);
	CU_ASSERT_TRUE(finish(&w));
}

static void test_rekey_by_the_initiator(void)
{
	check_rekey(true, "aes128gcm16",
		"A CREATE_CHILD_SA request 2\nB CREATE_CHILD_SA response 2\n"
		"A INFORMATIONAL request 3\nB INFORMATIONAL response 3\n");
}

static void test_rekey_by_the_responder(void)
{
	check_rekey(false, "aes128gcm16",
		"B CREATE_CHILD_SA request 0\nA CREATE_CHILD_SA response 0\n"
		"B INFORMATIONAL request 1\nA INFORMATIONAL response 1\n");
}

static void test_rekey_with_a_key_exchange(void)
{
	static const char *const groups[] = { "aes128gcm16-x25519", "aes128gcm16-ecp256", "aes128gcm16-modp2048" };

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		check_rekey(i % 2, groups[i],
			i % 2 ? "A CREATE_CHILD_SA request 2\nB CREATE_CHILD_SA response 2\n"
				"A INFORMATIONAL request 3\nB INFORMATIONAL response 3\n"
			      : "B CREATE_CHILD_SA request 0\nA CREATE_CHILD_SA response 0\n"
				"B INFORMATIONAL request 1\nA INFORMATIONAL response 1\n");
}

static void test_the_new_pair_is_used_only_when_the_peer_has_it(void)
{
	struct wire w;

	start_up(&w, 2, "aes128gcm16");
	uint32_t before = node_pair(&w.b)->out.spi;
	w.traffic_every_ns = 0;
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	wire_run(&w, 15 * MS);
	/* B has answered, and cannot know whether A has the answer */
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.spi, before);
	wire_run(&w, 10 * MS);
	/* A has it, sends on the new pair and deletes the old one */
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.spi, before);
	wire_run(&w, 10 * MS);
	CU_ASSERT_NOT_EQUAL(node_pair(&w.b)->out.spi, before);
	/* what was under way still gets in */
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	w.traffic_sent = 1;
	CU_ASSERT_TRUE(finish(&w));
}

static void test_traffic_on_the_new_pair_is_enough(void)
{
	struct wire w;

	start_up(&w, 3, "aes128gcm16");
	w.traffic_every_ns = 0;
	uint32_t before = node_pair(&w.b)->out.spi;
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	wire_run(&w, 21 * MS);
	node_child_command(&w.b, IKE_USED, node_pair(&w.a)->out.spi, NULL);
	CU_ASSERT_NOT_EQUAL(node_pair(&w.b)->out.spi, before);
	w.traffic_every_ns = 20 * MS;
	wire_run(&w, 8 * S);
	CU_ASSERT_TRUE(finish(&w));
}

/* Drops each message once, the n-th of all for each n. */
struct loss {
	unsigned seen, drop;
	bool twice;
};

static bool drop_one(struct wire *w, struct packet *p, void *argument)
{
	struct loss *loss = argument;

	(void)w;
	return p->spi || ++loss->seen != loss->drop;
}

static void check_each_lost(bool both)
{
	for (unsigned drop = 1; drop <= 10; drop++) {
		struct wire w;
		struct loss loss = { .drop = drop };
		start_up(&w, 100 + drop, drop % 2 ? "aes128gcm16" : "aes128gcm16-x25519");
		w.filter = drop_one;
		w.filter_argument = &loss;
		node_index_command(&w.a, IKE_REKEY, 0, 0);
		if (both)
			node_index_command(&w.b, IKE_REKEY, 0, 0);
		wire_run(&w, 15 * S);
		CU_ASSERT_TRUE(finish(&w));
	}
}

static void test_each_message_may_be_lost(void)
{
	check_each_lost(false);
}

/* RFC 7296 2.8.1 */
static void test_each_message_of_a_simultaneous_rekey_may_be_lost(void)
{
	check_each_lost(true);
}

static void test_simultaneous_rekeys_leave_one_pair(void)
{
	unsigned by_a = 0;

	for (uint64_t seed = 200; seed < 240; seed++) {
		struct wire w;
		start_up(&w, seed, seed % 2 ? "aes128gcm16" : "aes128gcm16-x25519");
		w.job_delay_ns = seed % 3 * 7 * MS;
		node_index_command(&w.a, IKE_REKEY, 0, 0);
		wire_run(&w, seed % 30 * MS);
		node_index_command(&w.b, IKE_REKEY, 0, 0);
		wire_run(&w, 15 * S);
		by_a += TAILQ_FIRST(&node_sa(&w.a)->children)->initiated;
		CU_ASSERT_TRUE(finish(&w));
	}
	/* nonces decide, not names */
	CU_ASSERT_TRUE(by_a > 5 && by_a < 35);
}

static void test_rekeys_on_a_bad_wire(void)
{
	for (uint64_t seed = 300; seed < 330; seed++) {
		struct wire w;
		start_up(&w, seed, seed % 2 ? "aes128gcm16" : "aes128gcm16-x25519");
		w.loss_percent = 15;
		w.duplicate_percent = 20;
		w.reorder_percent = 30;
		w.job_delay_ns = seed % 3 * 7 * MS;
		for (int i = 0; i < 10; i++) {
			node_index_command(&w.a, IKE_REKEY, 0, 0);
			wire_run(&w, test_random(&w.random) % (2 * S));
			node_index_command(&w.b, IKE_REKEY, 0, 0);
			wire_run(&w, 2 * S);
		}
		w.loss_percent = w.duplicate_percent = w.reorder_percent = 0;
		wire_run(&w, 30 * S);
		CU_ASSERT_TRUE(finish(&w));
	}
}

static void test_life_in_time_ends_in_a_rekey(void)
{
	struct wire w;

	wire_init(&w, 4);
	w.a.profiles[0].children[0].lifetime_ns = w.b.profiles[0].children[0].lifetime_ns = 60 * S;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	w.traffic_every_ns = 100 * MS;
	w.traffic_at_ns = w.now_ns;
	w.watch_traffic = true;
	wire_run(&w, 44 * S);
	CU_ASSERT_EQUAL(w.a.installs, 1);
	wire_run(&w, 8 * S);
	CU_ASSERT_EQUAL(w.a.installs, 2);
	wire_run(&w, 600 * S);
	CU_ASSERT_TRUE(w.a.installs >= 12 && w.a.installs <= 16);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN] + w.b.events[IKE_EV_PHASE2_DOWN], 0);
	wire_run(&w, 6 * S);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_used_up_pair_is_rekeyed_in_time(void)
{
	struct wire w;

	start_up(&w, 5, "aes128gcm16");
	node_child_command(&w.a, IKE_SOFT_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	node_child_command(&w.a, IKE_SOFT_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	wire_run(&w, 8 * S);
	CU_ASSERT_EQUAL(w.a.installs, 2);
	CU_ASSERT_TRUE(finish(&w));
}

/* A peer that refuses to rekey: the life ends, and another one is made. */
static void test_a_refused_rekey_ends_in_a_new_child(void)
{
	struct wire w;

	wire_init(&w, 6);
	w.a.profiles[0].children[0].lifetime_ns = 60 * S;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16");
	wire_run(&w, 57 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_EQUAL(w.a.failure.exchange, CREATE_CHILD_SA);
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes128gcm16");
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* B has lost the child without telling. */
static void test_a_child_that_the_peer_does_not_know(void)
{
	struct wire w;

	start_up(&w, 7, "aes128gcm16");
	w.watch_traffic = false;
	w.traffic_every_ns = 0;
	wire_run(&w, 11 * S);
	struct ike_sa *sa = node_sa(&w.b);
	TAILQ_FIRST(&sa->children)->spi_out ^= 1;
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_UP], 2);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN], 1);
	CU_ASSERT_TRUE(node_flows(&w.a, &w.b));
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	TAILQ_FIRST(&sa->children)->spi_out ^= 1;
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A and B: whose responses are lost. */
static bool drop_responses(struct wire *w, struct packet *p, void *argument)
{
	const bool *lost = argument;

	return p->spi || !(p->data[19] & IKE_FLAG_RESPONSE) || !lost[p->from == &w->b];
}

/* A waits for the child that B has made; B asks about it, and has A's word that there is none only when there is. */
static void ask_early(struct wire *w, enum ike_command_kind kind)
{
	bool lost[] = { false, true };

	start_up(w, 9, "aes128gcm16");
	w->filter = drop_responses;
	w->filter_argument = lost;
	node_index_command(&w->a, IKE_REKEY, 0, 0);
	wire_run(w, 6 * S);
	CU_ASSERT_EQUAL(w->a.installs, 1);
	CU_ASSERT_EQUAL(w->b.installs, 2);
	lost[0] = true;
	w->watch_traffic = kind == IKE_SOFT_EXPIRE;
	node_child_command(&w->b, kind, w->b.pairs[1].in.spi, NULL);
	wire_run(w, 100 * MS);
	lost[1] = false;
	wire_run(w, 2 * S);
	CU_ASSERT_EQUAL(w->a.installs, 2);
	lost[0] = false;
	wire_run(w, 15 * S);
	w->filter = NULL;
}

static void test_a_rekey_is_asked_for_before_the_peer_has_the_child(void)
{
	struct wire w;

	ask_early(&w, IKE_SOFT_EXPIRE);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_REKEYED], 2);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN] + w.b.events[IKE_EV_PHASE2_DOWN], 0);
	CU_ASSERT_TRUE(finish(&w));
}

static void test_a_delete_is_sent_before_the_peer_has_the_child(void)
{
	struct wire w;

	ask_early(&w, IKE_EXPIRE);
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 2.25.1: a rekey request for a child whose Delete is out. */
static void test_a_rekey_meets_a_delete(void)
{
	for (uint64_t at = 0; at < 60 * MS; at += 4 * MS) {
		struct wire w;
		start_up(&w, 8, "aes128gcm16-x25519");
		w.watch_traffic = false;
		w.traffic_every_ns = 0;
		w.job_delay_ns = 5 * MS;
		wire_run(&w, 11 * S);
		node_index_command(&w.b, IKE_REKEY, 0, 0);
		wire_run(&w, at);
		node_index_command(&w.a, IKE_TERMINATE, 0, 0);
		wire_run(&w, 10 * S);
		/* at most what was made after the Delete */
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static const struct test tests[] = {
	TEST(test_rekey_by_the_initiator),
	TEST(test_rekey_by_the_responder),
	TEST(test_rekey_with_a_key_exchange),
	TEST(test_the_new_pair_is_used_only_when_the_peer_has_it),
	TEST(test_traffic_on_the_new_pair_is_enough),
	TEST(test_each_message_may_be_lost),
	TEST(test_each_message_of_a_simultaneous_rekey_may_be_lost),
	TEST(test_simultaneous_rekeys_leave_one_pair),
	TEST(test_rekeys_on_a_bad_wire),
	TEST(test_life_in_time_ends_in_a_rekey),
	TEST(test_a_used_up_pair_is_rekeyed_in_time),
	TEST(test_a_refused_rekey_ends_in_a_new_child),
	TEST(test_a_child_that_the_peer_does_not_know),
	TEST(test_a_rekey_is_asked_for_before_the_peer_has_the_child),
	TEST(test_a_delete_is_sent_before_the_peer_has_the_child),
	TEST(test_a_rekey_meets_a_delete),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
