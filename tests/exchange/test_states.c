/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: what reaches an IKE SA when it is already on its way out, or not yet quite there. Messages are sealed
 * with the keys of the receiver, as its peer would. */
#include "harness.h"

#include <stdlib.h>

#include "fake_wire.h"
#include "v2/v2.h"

static void start_up(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
}

static struct ike_sa *sa_in(const struct node *n, enum sa_state state)
{
	struct ike_sa *sa = n->engine->sas;

	while (sa && sa->state != state)
		sa = sa->next;
	return sa;
}

static void want_rekey(struct node *n)
{
	struct ike_actions out = { 0 };

	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
	rekey_ike_on_timer(n->engine, sa_in(n, ST_ESTABLISHED));
	n->engine->out = NULL;
	node_carry_out(n, &out);
}

/* A message of the peer of this IKE SA, with one payload of a type that may or may not belong there. */
static void give(struct node *n, struct ike_sa *sa, uint8_t exchange, bool response, uint32_t id, uint8_t payload)
{
	struct endpoint local = sa->local, remote = sa->remote;
	uint8_t bytes[512], nonce[20] = { 0, 0, 0, 20, 1 };
	struct bytes plain = payload == PAYLOAD_NONE ? BYTES_NONE : BYTES_OF(nonce);

	n->speaks_as = sa;
	sa->initiator = !sa->initiator;
	size_t len = seal_raw(n, exchange, response, id, payload, plain, bytes, sizeof(bytes));
	sa->initiator = !sa->initiator;
	n->speaks_as = NULL;
	node_receive(n, &local, &remote, BYTES(bytes, len));
}

static void give_bad(struct node *n, struct ike_sa *sa, bool response, uint32_t id)
{
	give(n, sa, INFORMATIONAL, response, id, PAYLOAD_NONCE);
}

static void test_a_responder_waits_for_no_lost_key(void)
{
	struct wire w;

	wire_init(&w, 1);
	w.b.settings.half_open_timeout_ns = S;
	wire_start(&w);
	wire_run(&w, MS);
	w.job_delay_ns = 100 * S;
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_responder_waits_for_no_lost_secret(void)
{
	struct wire w;

	wire_init(&w, 2);
	w.b.settings.half_open_timeout_ns = S;
	wire_start(&w);
	wire_run(&w, 25 * MS);
	w.job_delay_ns = 100 * S;
	wire_run(&w, 20 * MS);
	CU_ASSERT_PTR_NOT_NULL(sa_in(&w.b, ST_RESPONDER_DERIVE));
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_closing(bool response)
{
	struct wire w;

	start_up(&w, 3);
	w.b.dead = true;
	node_command(&w.a, IKE_TERMINATE, 0);
	struct ike_sa *sa = sa_in(&w.a, ST_CLOSING);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	give_bad(&w.a, sa, response, response ? 2 : 0);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_malformed_message_ends_an_sa_that_is_closing(void)
{
	check_closing(false);
	check_closing(true);
}

/* What B sends is lost, but for so many packets first. */
static bool drop_later(struct wire *w, struct packet *p, void *argument)
{
	unsigned *left = argument;

	if (p->from != &w->b)
		return true;
	if (!*left)
		return false;
	--*left;
	return true;
}

/* B rekeys the IKE SA; its Delete of the old one is lost. */
static struct ike_sa *start_replaced(struct wire *w, unsigned *left, uint64_t seed)
{
	start_up(w, seed);
	*left = 1;
	w->filter = drop_later;
	w->filter_argument = left;
	want_rekey(&w->b);
	wire_run(w, 100 * MS);
	return sa_in(&w->a, ST_REPLACED);
}

static void test_a_replaced_sa_begins_nothing_new(void)
{
	struct wire w;
	unsigned left;
	struct ike_sa *sa = start_replaced(&w, &left, 4);

	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	struct ike_sa *peer = sa_in(&w.b, ST_CLOSING);
	CU_ASSERT_PTR_NOT_NULL_FATAL(peer);
	struct message m;
	uint8_t nonce[32] = { 1 };
	struct endpoint local = sa->local, remote = sa->remote;
	protect_init_message(peer, CREATE_CHILD_SA, false, 1, &m);
	struct proposal_list offer = w.b.profiles[0].children[0].proposals;
	proposals_address(&offer, 4, 0x11223344);
	message_add_sa(&m, &offer);
	message_add(&m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
	message_add_ts(&m, PAYLOAD_TSI, &w.b.profiles[0].children[0].local);
	message_add_ts(&m, PAYLOAD_TSR, &w.b.profiles[0].children[0].remote);
	uint8_t plain[4096], data[4096], first;
	struct writer out = writer_init(plain, sizeof(plain));
	CU_ASSERT_EQUAL(payloads_encode(&m, &out, &first), 0);
	w.a.speaks_as = sa;
	sa->initiator = !sa->initiator;
	size_t len = seal_raw(&w.a, CREATE_CHILD_SA, false, 1, first, writer_view(&out), data, sizeof(data));
	sa->initiator = !sa->initiator;
	w.a.speaks_as = NULL;
	unsigned installs = w.a.installs;
	node_receive(&w.a, &local, &remote, BYTES(data, len));
	CU_ASSERT_EQUAL(w.a.installs, installs);
	CU_ASSERT_EQUAL(sa->state, ST_REPLACED);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_replaced_sa_ends_by_time(void)
{
	struct wire w;
	unsigned left;

	CU_ASSERT_PTR_NOT_NULL_FATAL(start_replaced(&w, &left, 5));
	left = 1000;
	w.b.dead = true;
	wire_run(&w, 29 * S);
	CU_ASSERT_PTR_NOT_NULL(sa_in(&w.a, ST_REPLACED));
	w.b.dead = false;
	wire_run(&w, 60 * S);
	CU_ASSERT_PTR_NULL(sa_in(&w.a, ST_REPLACED));
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_a_malformed_message_ends_a_replaced_sa(void)
{
	struct wire w;
	unsigned left;
	struct ike_sa *sa = start_replaced(&w, &left, 6);

	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	give_bad(&w.a, sa, false, 1);
	CU_ASSERT_PTR_NULL(sa_in(&w.a, ST_REPLACED));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A's request is out when B rekeys. */
static struct ike_sa *start_asking(struct wire *w, unsigned *left)
{
	start_up(w, 7);
	struct ike_actions out = { 0 };
	struct ike_sa *sa = sa_in(&w->a, ST_ESTABLISHED);

	w->filter = drop_later;
	w->filter_argument = left;
	*left = 1;
	w->a.engine->now_ns = w->now_ns;
	w->a.engine->out = &out;
	task_want(w->a.engine, sa, TASK_LIVENESS);
	w->a.engine->out = NULL;
	/* it is lost on its way */
	ike_actions_done(&out);
	want_rekey(&w->b);
	wire_run(w, 40 * MS);
	CU_ASSERT_EQUAL(sa->state, ST_REPLACED);
	CU_ASSERT_PTR_NOT_NULL(sa->outbox.request);
	return sa;
}

static void test_a_malformed_answer_ends_a_replaced_sa(void)
{
	struct wire w;
	unsigned left;
	struct ike_sa *sa = start_asking(&w, &left);

	give_bad(&w.a, sa, true, sa->outbox.request_id);
	CU_ASSERT_PTR_NULL(sa_in(&w.a, ST_REPLACED));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_an_answer_to_a_replaced_sa(void)
{
	struct wire w;
	unsigned left;
	struct ike_sa *sa = start_asking(&w, &left);

	give(&w.a, sa, INFORMATIONAL, true, sa->outbox.request_id, PAYLOAD_NONE);
	CU_ASSERT_EQUAL(sa->state, ST_REPLACED);
	CU_ASSERT_PTR_NULL(sa->outbox.request);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_silence_ends_a_replaced_sa(void)
{
	struct wire w;
	unsigned left;

	start_asking(&w, &left)->outbox.tries = 4;
	w.b.dead = true;
	wire_run(&w, 29 * S);
	CU_ASSERT_PTR_NULL(sa_in(&w.a, ST_REPLACED));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Both sides rekey; A has answered B's request and B's answer to A's is lost: A cannot know which one stays. */
static struct ike_sa *start_inheriting(struct wire *w, unsigned *left, uint64_t seed)
{
	start_up(w, seed);
	*left = 1;
	w->filter = drop_later;
	w->filter_argument = left;
	want_rekey(&w->a);
	want_rekey(&w->b);
	wire_run(w, 30 * MS);
	return sa_in(&w->a, ST_INHERITING);
}

static void test_a_malformed_message_ends_an_inheriting_sa(void)
{
	struct wire w;
	unsigned left;
	struct ike_sa *sa = start_inheriting(&w, &left, 8);

	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	give_bad(&w.a, sa, false, 0);
	CU_ASSERT_PTR_NULL(sa_in(&w.a, ST_INHERITING));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The peer goes on to use its own: ours, answered late, is deleted. */
static void test_the_peer_decides_by_using_its_own(void)
{
	for (uint64_t seed = 20; seed < 30; seed++) {
		struct wire w;
		unsigned left;
		struct ike_sa *sa = start_inheriting(&w, &left, seed);
		CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
		give(&w.a, sa, INFORMATIONAL, false, 0, PAYLOAD_NONE);
		CU_ASSERT_EQUAL(sa->state, ST_ESTABLISHED);
		struct ike_sa *old = sa_in(&w.a, ST_REPLACED);
		CU_ASSERT_PTR_NOT_NULL_FATAL(old);
		CU_ASSERT_PTR_NOT_NULL(old->ours);
		left = 1000;
		wire_run(&w, 200 * S);
		CU_ASSERT_TRUE(wire_up(&w));
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
		CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* The same, and the first thing that the peer wants on its own is another Child SA. */
static void test_the_peer_decides_by_asking_for_a_child_on_its_own(void)
{
	for (uint64_t seed = 20; seed < 30; seed++) {
		struct wire w;
		unsigned left;
		CU_ASSERT_PTR_NOT_NULL_FATAL(start_inheriting(&w, &left, seed));
		left = 1000;
		node_index_command(&w.b, IKE_REKEY, 0, 0);
		wire_run(&w, 200 * S);
		CU_ASSERT_TRUE(wire_up(&w));
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
		CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_an_inheriting_sa_that_nobody_wants_ends_by_time(void)
{
	struct wire w;
	unsigned left;

	CU_ASSERT_PTR_NOT_NULL_FATAL(start_inheriting(&w, &left, 9));
	w.a.profiles[0].dpd_timeout_ns = 100 * S;
	wire_run(&w, 40 * S);
	CU_ASSERT_PTR_NULL(sa_in(&w.a, ST_INHERITING));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_a_responder_waits_for_no_lost_key),
	TEST(test_a_responder_waits_for_no_lost_secret),
	TEST(test_a_malformed_message_ends_an_sa_that_is_closing),
	TEST(test_a_replaced_sa_begins_nothing_new),
	TEST(test_a_replaced_sa_ends_by_time),
	TEST(test_a_malformed_message_ends_a_replaced_sa),
	TEST(test_a_malformed_answer_ends_a_replaced_sa),
	TEST(test_an_answer_to_a_replaced_sa),
	TEST(test_silence_ends_a_replaced_sa),
	TEST(test_a_malformed_message_ends_an_inheriting_sa),
	TEST(test_the_peer_decides_by_asking_for_a_child_on_its_own),
	TEST(test_the_peer_decides_by_using_its_own),
	TEST(test_an_inheriting_sa_that_nobody_wants_ends_by_time),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
