/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: the IKE SA is rekeyed under traffic, by either side, by both at once, on a bad wire, while other
 * things go on; its Child SAs live on. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

static void start_with(struct wire *w)
{
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	w->story_len = 0;
	w->story[0] = '\0';
	w->traffic_every_ns = 20 * MS;
	w->traffic_at_ns = w->now_ns;
	w->watch_traffic = true;
}

static void start_up(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	start_with(w);
}

static void want_rekey(struct node *n)
{
	struct ike_actions out = { 0 };

	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
	for (struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		rekey_ike_on_timer(n->engine, sa);
	n->engine->out = NULL;
	node_carry_out(n, &out);
}

/* One IKE SA on each side, the same one, with its one child. */
static bool finish(struct wire *w)
{
	bool whole = wire_up(w) && wire_paired(w) && node_live_pairs(&w->a) == 1;

	CU_ASSERT_EQUAL(ike_sa_count(w->a.engine), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w->b.engine), 1);
	CU_ASSERT_EQUAL(node_status(&w->a, 0).spi_i, node_status(&w->b, 0).spi_i);
	CU_ASSERT_EQUAL(w->traffic_lost, 0);
	CU_ASSERT_EQUAL(w->a.events[IKE_EV_PHASE1_DOWN] + w->b.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_EQUAL(w->a.events[IKE_EV_PHASE2_DOWN] + w->b.events[IKE_EV_PHASE2_DOWN], 0);
	return wire_done(w) && whole;
}

static void check_rekey(bool by_a, const char *ike, const char *story)
{
	struct wire w;
	struct node *n;

	wire_init(&w, 1);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, ike);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, ike);
	start_with(&w);
	n = by_a ? &w.a : &w.b;
	uint64_t before = node_status(n, 0).spi_i;
	w.job_delay_ns = 15 * MS;
	want_rekey(n);
	wire_run(&w, 2 * S);
	CU_ASSERT_TRUE(wire_story_is(&w, story));
	CU_ASSERT_NOT_EQUAL(node_status(n, 0).spi_i, before);
	CU_ASSERT_EQUAL(node_status(n, 0).initiator, true);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], 1);
	/* the new one works: its child is rekeyed on it */
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	wire_run(&w, 8 * S);
	CU_ASSERT_EQUAL(w.a.installs, 2);
	CU_ASSERT_TRUE(finish(&w));
}

static void test_ike_rekey_by_the_initiator(void)
{
	check_rekey(true, "aes256gcm16-prfsha384-x25519",
		"A CREATE_CHILD_SA request 2\nB CREATE_CHILD_SA response 2\n"
		"A INFORMATIONAL request 3\nB INFORMATIONAL response 3\n");
}

static void test_ike_rekey_by_the_responder(void)
{
	check_rekey(false, "aes128-sha256-ecp256",
		"B CREATE_CHILD_SA request 0\nA CREATE_CHILD_SA response 0\n"
		"B INFORMATIONAL request 1\nA INFORMATIONAL response 1\n");
}

/* Who rekeyed deletes the old one; the other side can repeat the answer to that for a while (RFC 7296 2.1). */
static void test_a_rekeyed_ike_sa_lingers_where_its_deletion_was_answered(void)
{
	struct wire w;

	start_up(&w, 1);
	want_rekey(&w.a);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(ike_lingering_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(ike_lingering_count(w.b.engine), 1);
	wire_run(&w, 21 * S);
	CU_ASSERT_EQUAL(ike_lingering_count(w.b.engine), 0);
	CU_ASSERT_TRUE(finish(&w));
}

static void test_rekey_wants_another_group(void)
{
	struct wire w;

	wire_init(&w, 2);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519-ecp256");
	start_with(&w);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp256");
	want_rekey(&w.a);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(node_status(&w.a, 0).suite, "ECP-256"));
	CU_ASSERT_TRUE(finish(&w));
}

static void test_rekey_to_another_suite(void)
{
	struct wire w;

	start_up(&w, 3);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes128-sha512-x25519");
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes128-sha512-x25519");
	want_rekey(&w.a);
	wire_run(&w, 2 * S);
	CU_ASSERT_PTR_NOT_NULL(strstr(node_status(&w.b, 0).suite, "AES-CBC-128"));
	node_index_command(&w.b, IKE_REKEY, 0, 0);
	wire_run(&w, 12 * S);
	CU_ASSERT_TRUE(finish(&w));
}

struct loss {
	unsigned seen, drop;
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
		start_up(&w, 100 + drop);
		w.filter = drop_one;
		w.filter_argument = &loss;
		want_rekey(&w.a);
		if (both)
			want_rekey(&w.b);
		wire_run(&w, 90 * S);
		CU_ASSERT_TRUE(finish(&w));
	}
}

static void test_each_message_of_an_ike_rekey_may_be_lost(void)
{
	check_each_lost(false);
}

/* RFC 7296 2.8.2 */
static void test_each_message_of_simultaneous_ike_rekeys_may_be_lost(void)
{
	check_each_lost(true);
}

static bool drop_answers(struct wire *w, struct packet *p, void *argument)
{
	const bool *lost = argument;

	return p->spi || p->from != &w->b || !(p->data[19] & IKE_FLAG_RESPONSE) || !*lost;
}

/* A repeats its request; B, which has moved the children, must not end what A still lives on. */
static void test_the_answer_to_a_rekey_is_long_under_way(void)
{
	struct wire w;
	bool lost = true;

	wire_init(&w, 12);
	w.a.settings.retransmit_tries = w.b.settings.retransmit_tries = 20;
	w.a.profiles[0].dpd_timeout_ns = w.b.profiles[0].dpd_timeout_ns = 300 * S;
	start_with(&w);
	w.filter = drop_answers;
	w.filter_argument = &lost;
	want_rekey(&w.a);
	wire_run(&w, 100 * S);
	lost = false;
	wire_run(&w, 40 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_TRUE(finish(&w));
}

static void test_simultaneous_rekeys_leave_one_ike_sa(void)
{
	unsigned by_a = 0;

	for (uint64_t seed = 200; seed < 240; seed++) {
		struct wire w;
		start_up(&w, seed);
		w.job_delay_ns = seed % 3 * 7 * MS;
		want_rekey(&w.a);
		wire_run(&w, seed % 30 * MS);
		want_rekey(&w.b);
		wire_run(&w, 60 * S);
		by_a += node_status(&w.a, 0).initiator;
		CU_ASSERT_TRUE(finish(&w));
	}
	CU_ASSERT_TRUE(by_a > 5 && by_a < 35);
}

static void test_rekeys_of_both_kinds_on_a_bad_wire(void)
{
	for (uint64_t seed = 300; seed < 330; seed++) {
		struct wire w;
		start_up(&w, seed);
		w.loss_percent = 15;
		w.duplicate_percent = 20;
		w.reorder_percent = 30;
		w.job_delay_ns = seed % 3 * 7 * MS;
		for (int i = 0; i < 8; i++) {
			want_rekey(&w.a);
			node_index_command(i % 2 ? &w.a : &w.b, IKE_REKEY, 0, 0);
			wire_run(&w, test_random(&w.random) % (2 * S));
			want_rekey(&w.b);
			wire_run(&w, 2 * S);
		}
		w.loss_percent = w.duplicate_percent = w.reorder_percent = 0;
		wire_run(&w, 90 * S);
		CU_ASSERT_TRUE(finish(&w));
	}
}

static void test_life_of_the_ike_sa_ends_in_a_rekey(void)
{
	struct wire w;

	wire_init(&w, 4);
	w.a.profiles[0].lifetime_ns = w.b.profiles[0].lifetime_ns = 60 * S;
	start_with(&w);
	wire_run(&w, 600 * S);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_REKEYED] >= 10 && w.a.events[IKE_EV_PHASE1_REKEYED] <= 14);
	CU_ASSERT_EQUAL(w.a.installs, 1);
	wire_run(&w, S);
	CU_ASSERT_TRUE(finish(&w));
}

static void test_a_refused_rekey_is_tried_again_until_the_end(void)
{
	struct wire w;

	wire_init(&w, 5);
	w.a.profiles[0].lifetime_ns = 100 * S;
	w.a.profiles[0].dpd_interval_ns = w.b.profiles[0].dpd_interval_ns = 0;
	start_with(&w);
	w.watch_traffic = false;
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes128gcm16-prfsha256-x25519");
	wire_run(&w, 98 * S);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_EQUAL(w.a.failure.phase, 1);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_FAILED] >= 2);
	CU_ASSERT_TRUE(wire_up(&w));
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_DOWN], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_termination_during_a_rekey(void)
{
	for (uint64_t at = 0; at < 150 * MS; at += 7 * MS) {
		struct wire w;
		start_up(&w, 6);
		w.watch_traffic = false;
		w.traffic_every_ns = 0;
		w.job_delay_ns = 15 * MS;
		want_rekey(&w.a);
		if (at % 3 == 0)
			want_rekey(&w.b);
		wire_run(&w, at);
		node_command(at % 2 ? &w.a : &w.b, IKE_TERMINATE_ALL, 0);
		wire_run(&w, 100 * MS);
		node_command(&w.a, IKE_TERMINATE, 0);
		wire_run(&w, 100 * S);
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
		CU_ASSERT_EQUAL(w.a.spis_out + w.b.spis_out, 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* RFC 7296 2.25.2: a child is not begun while the IKE SA is rekeyed, but afterwards. */
static void test_children_wait_for_the_new_ike_sa(void)
{
	for (uint64_t at = 0; at < 100 * MS; at += 7 * MS) {
		struct wire w;
		start_up(&w, 7);
		w.job_delay_ns = 15 * MS;
		want_rekey(&w.a);
		wire_run(&w, at);
		node_index_command(&w.b, IKE_REKEY, 0, 0);
		wire_run(&w, 15 * S);
		CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
		CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE2_REKEYED], 1);
		CU_ASSERT_TRUE(finish(&w));
	}
}

static bool drop_deletes_of_b(struct wire *w, struct packet *p, void *argument)
{
	(void)argument;
	return p->spi || p->from != &w->b || p->data[18] != INFORMATIONAL || p->data[19] & IKE_FLAG_RESPONSE;
}

/* Each one leaves an IKE SA whose Delete does not come: a few of them, then the peer has to wait for their end. */
static void test_a_peer_that_rekeys_without_end_leaves_few_ike_sas(void)
{
	struct wire w;

	wire_init(&w, 13);
	w.a.profiles[0].dpd_interval_ns = w.b.profiles[0].dpd_interval_ns = 0;
	start_with(&w);
	w.filter = drop_deletes_of_b;
	for (int i = 0; i < 20; i++) {
		want_rekey(&w.b);
		wire_run(&w, 200 * MS);
	}
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 4);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 5);
	w.filter = NULL;
	wire_run(&w, 200 * S);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_REKEYED] > 4);
	CU_ASSERT_TRUE(finish(&w));
}

/* One that deletes what it leaves has us compute keys all the same: many at once, then four a second. */
static void test_a_peer_gets_so_many_key_exchanges_and_no_more(void)
{
	struct wire w;

	start_up(&w, 16);
	w.watch_traffic = false;
	for (int i = 0; i < 400; i++) {
		want_rekey(&w.b);
		wire_run(&w, 50 * MS);
	}
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_REKEYED] >= 128);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_REKEYED] <= 128 + 4 * 20 + 1);
	CU_ASSERT_TRUE(ike_counters(w.a.engine)[IKE_C_KEY_LIMIT] > 0);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_TEMPORARY_FAILURE);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer asks for new keys faster than it may");
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 1);
	wire_run(&w, 10 * S);
	CU_ASSERT_FALSE(node_sa(&w.b)->wants & TASK_BIT(TASK_REKEY_IKE));
	CU_ASSERT_TRUE(finish(&w));
}

/* A Child SA takes its keys from those of the IKE SA, unless it has a group. */
static void rekey_child_with(const char *proposal, bool counted)
{
	struct wire w;

	wire_init(&w, 17);
	proposals_set(&w.a.profiles[0].children[0].proposals, PROTOCOL_ESP, proposal);
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, proposal);
	start_with(&w);
	node_index_command(&w.b, IKE_REKEY, 0, 0);
	wire_run(&w, 50 * MS);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_REKEYED], 1);
	CU_ASSERT_EQUAL(w.a.engine->by_allowance.count, counted);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_only_rekeys_with_a_key_exchange_count(void)
{
	rekey_child_with("aes128gcm16", false);
	rekey_child_with("aes128gcm16-x25519", true);
}

/* ---- authenticating anew ---- */

/* RFC 7296 1.3: B makes no further SA on this IKE SA. */
static void test_no_additional_sas_to_a_rekey_brings_a_new_ike_sa(void)
{
	struct wire w;

	start_up(&w, 14);
	w.b.no_spi = true;
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	wire_run(&w, 25 * MS);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	w.b.no_spi = false;
	wire_run(&w, 8 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 2);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void init_reauth(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	w->a.profiles[0].reauth_ns = 100 * S;
}

static void test_authentication_is_renewed_without_a_break(void)
{
	struct wire w;

	init_reauth(&w, 8);
	start_with(&w);
	wire_run(&w, 450 * S);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_UP] >= 5 && w.a.events[IKE_EV_PHASE1_UP] <= 7);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_all_children_move_to_the_new_authentication(void)
{
	struct wire w;

	init_reauth(&w, 9);
	for (int i = 0; i < 2; i++) {
		struct tunnel_profile *p = i ? &w.b.profiles[0] : &w.a.profiles[0];
		struct child_profile *c = &p->children[p->child_count++];
		*c = p->children[0];
		snprintf(c->name, sizeof(c->name), "lab");
		selectors_set(&c->local, i ? "10.2.1.0/24" : "10.1.1.0/24");
		selectors_set(&c->remote, i ? "10.1.1.0/24" : "10.2.1.0/24");
	}
	start_with(&w);
	wire_run(&w, 250 * S);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_UP] >= 3);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_child_up(&w, 0) && wire_child_up(&w, 1));
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 4478 */
static void test_the_responder_tells_how_long_an_authentication_lasts(void)
{
	struct wire w;

	wire_init(&w, 10);
	w.b.profiles[0].reauth_ns = 100 * S;
	start_with(&w);
	wire_run(&w, 450 * S);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_UP] >= 5);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 4478 3: B's policy has changed, and it says so. */
static void test_the_responder_shortens_an_authentication(void)
{
	static const uint8_t lifetime[] = { 0, 0, 0, 12, 0, 0, NOTIFY_AUTH_LIFETIME >> 8, NOTIFY_AUTH_LIFETIME & 0xff,
		0, 0, 0, 100 };
	struct wire w;
	uint8_t bytes[256];

	start_up(&w, 15);
	struct endpoint local = { w.a.inside, 500 }, remote = { w.b.inside, 500 };
	size_t len = seal_raw(&w.b, INFORMATIONAL, false, node_sa(&w.b)->outbox.next_request_id++, PAYLOAD_NOTIFY,
		BYTES_OF(lifetime), bytes, sizeof(bytes));
	node_receive(&w.a, &local, &remote, BYTES(bytes, len));
	wire_run(&w, 70 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 1);
	wire_run(&w, 30 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 2);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_rekey_does_not_put_the_authentication_off(void)
{
	struct wire w;

	init_reauth(&w, 11);
	w.a.profiles[0].lifetime_ns = 60 * S;
	start_with(&w);
	wire_run(&w, 100 * S);
	CU_ASSERT_TRUE(w.a.events[IKE_EV_PHASE1_REKEYED] >= 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], 2);
	CU_ASSERT_EQUAL(w.traffic_lost, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_ike_rekey_by_the_initiator),
	TEST(test_ike_rekey_by_the_responder),
	TEST(test_a_rekeyed_ike_sa_lingers_where_its_deletion_was_answered),
	TEST(test_rekey_wants_another_group),
	TEST(test_rekey_to_another_suite),
	TEST(test_each_message_of_an_ike_rekey_may_be_lost),
	TEST(test_each_message_of_simultaneous_ike_rekeys_may_be_lost),
	TEST(test_the_answer_to_a_rekey_is_long_under_way),
	TEST(test_simultaneous_rekeys_leave_one_ike_sa),
	TEST(test_rekeys_of_both_kinds_on_a_bad_wire),
	TEST(test_life_of_the_ike_sa_ends_in_a_rekey),
	TEST(test_a_refused_rekey_is_tried_again_until_the_end),
	TEST(test_termination_during_a_rekey),
	TEST(test_children_wait_for_the_new_ike_sa),
	TEST(test_a_peer_that_rekeys_without_end_leaves_few_ike_sas),
	TEST(test_a_peer_gets_so_many_key_exchanges_and_no_more),
	TEST(test_only_rekeys_with_a_key_exchange_count),
	TEST(test_no_additional_sas_to_a_rekey_brings_a_new_ike_sa),
	TEST(test_authentication_is_renewed_without_a_break),
	TEST(test_all_children_move_to_the_new_authentication),
	TEST(test_the_responder_tells_how_long_an_authentication_lasts),
	TEST(test_the_responder_shortens_an_authentication),
	TEST(test_a_rekey_does_not_put_the_authentication_off),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
