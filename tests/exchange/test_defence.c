/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: what must not take a tunnel down or its traffic away: a second peer, an IKE SA without its child, a
 * host that cannot install, a job that is lost, cryptography that fails. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

/* ---- a second peer of a tunnel for anybody ---- */

/* A is two peers, a.example.net and c.example.net; B takes anybody. */
static void init_two_peers(struct wire *w, uint64_t seed, size_t tunnels_of_b)
{
	wire_init(w, seed);
	w->a.profiles[1] = w->a.profiles[0];
	w->a.profile_count = 2;
	identity_parse("c.example.net", &w->a.profiles[1].local_id);
	w->a.profiles[1].children[0].start = START_RESPOND;
	w->b.profiles[0].remote_addr = (struct addr){ 0 };
	w->b.profiles[0].remote_id = (struct identity){ 0 };
	w->b.profiles[1] = w->b.profiles[0];
	w->b.profile_count = tunnels_of_b;
}

/* The first is up. */
static void start_first_peer(struct wire *w)
{
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
}

static void start_two_peers(struct wire *w, uint64_t seed, size_t tunnels_of_b)
{
	init_two_peers(w, seed, tunnels_of_b);
	start_first_peer(w);
}

/* Both are behind one address, and the tunnel serves one: the second gets no Child SA, but its IKE SA stays. */
static void start_two_behind_one_address(struct wire *w, uint64_t seed)
{
	init_two_peers(w, seed, 1);
	w->b.profiles[0].remote_addr = w->a.outside;
	start_first_peer(w);
	node_command(&w->a, IKE_INITIATE, 1);
	wire_run(w, S);
	CU_ASSERT_TRUE(wire_up(w));
	CU_ASSERT_EQUAL(node_status(&w->a, 1).phase1, PHASE_UP);
	CU_ASSERT_STRING_EQUAL(w->b.failure.reason, "tunnel already serves another peer");
}

static void test_second_peer_does_not_take_the_traffic(void)
{
	struct wire w;

	start_two_peers(&w, 1, 1);
	uint32_t spi_out = node_pair(&w.b)->out.spi;
	node_command(&w.a, IKE_INITIATE, 1);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL_FATAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_EQUAL(node_pair(&w.b)->out.spi, spi_out);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.b.failure.phase, 2);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "another peer of the tunnel has these addresses");
	CU_ASSERT_STRING_EQUAL(w.b.failure.ours, "a.example.net");
	CU_ASSERT_STRING_EQUAL(w.b.failure.theirs, "c.example.net");
	/* the peer is authenticated and told */
	CU_ASSERT_EQUAL(node_status(&w.a, 1).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_status(&w.a, 1).failure.notify, NOTIFY_TS_UNACCEPTABLE);
	/* once the first one is gone, the second is served */
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, S);
	node_command(&w.a, IKE_INITIATE, 1);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(node_status(&w.b, 0).remote_id, "c.example.net");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_second_peer_takes_a_free_tunnel(void)
{
	struct wire w;

	start_two_peers(&w, 2, 2);
	node_command(&w.a, IKE_INITIATE, 1);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_STRING_EQUAL(node_status(&w.b, 0).remote_id, "a.example.net");
	CU_ASSERT_STRING_EQUAL(node_status(&w.b, 1).remote_id, "c.example.net");
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_second_peer_is_refused_by_the_initiator(void)
{
	struct wire w;

	wire_init(&w, 3);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	identity_parse("somebody.else.example", &node_sa(&w.a)->remote_id);
	node_start_another(&w.a, 0);
	wire_run(&w, S / 2);
	CU_ASSERT_EQUAL(w.a.installs, 1);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "tunnel already serves another peer");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Peer 0 or 1 rekeys its IKE SA so often. */
static void rekey_often(struct wire *w, uint32_t peer, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct ike_actions out = { 0 };
		w->a.engine->now_ns = w->now_ns;
		w->a.engine->out = &out;
		for (struct ike_sa *sa = w->a.engine->tunnels[peer].sas; sa; sa = sa->sibling)
			rekey_ike_on_timer(w->a.engine, sa);
		w->a.engine->out = NULL;
		node_carry_out(&w->a, &out);
		wire_run(w, 50 * MS);
	}
}

static bool drop_deletes_of_a(struct wire *w, struct packet *p, void *argument)
{
	(void)argument;
	return p->spi || p->from != &w->a || p->data[18] != INFORMATIONAL || p->data[19] & IKE_FLAG_RESPONSE;
}

/* It asks for new keys without end, and the first one renews its own all the same. */
static void test_second_peer_does_not_use_up_the_key_exchanges(void)
{
	struct wire w;

	start_two_behind_one_address(&w, 10);
	for (int i = 0; i < 250 && !node_counter(&w.b, IKE_C_KEY_LIMIT); i++)
		rekey_often(&w, 1, 1);
	CU_ASSERT_TRUE(node_counter(&w.b, IKE_C_KEY_LIMIT) > 0);
	unsigned rekeyed = w.b.events[IKE_EV_PHASE1_REKEYED];
	rekey_often(&w, 0, 3);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], rekeyed + 3);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_second_peer_leaves_no_ike_sas_behind_that_the_first_pays_for(void)
{
	struct wire w;

	start_two_behind_one_address(&w, 11);
	w.filter = drop_deletes_of_a;
	rekey_often(&w, 1, 10);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], 4);
	rekey_often(&w, 0, 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], 5);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Its request has a public value, and gets nothing: nothing is computed for it. */
static void test_request_that_is_refused_costs_no_key_exchange(void)
{
	struct wire w;

	start_two_behind_one_address(&w, 12);
	proposals_set(&w.a.profiles[1].children[0].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	for (int i = 0; i < 3; i++) {
		node_index_command(&w.a, IKE_INITIATE, 1, 0);
		wire_run(&w, 20 * S);
	}
	CU_ASSERT_EQUAL(w.b.failure.exchange, CREATE_CHILD_SA);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "tunnel already serves another peer");
	CU_ASSERT_EQUAL(w.b.engine->by_allowance.count, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- an IKE SA without a child ---- */

static void test_childless_sa_replaces_none_with_a_child(void)
{
	struct wire w;

	wire_init(&w, 4);
	w.watch_traffic = true;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 100 * MS);
	w.b.no_spi = true;
	node_start_another(&w.a, 0);
	wire_run(&w, 20 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.retires + w.b.retires, 0);
	/* and it does not stay itself */
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- a host that does not do its part ---- */

static void test_failing_installation_is_tried_with_pauses(void)
{
	struct wire w;

	wire_init(&w, 5);
	wire_start(&w);
	for (int i = 0; i < 600; i++) {
		wire_run(&w, 100 * MS);
		if (node_pair(&w.a))
			node_child_command(&w.a, IKE_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	}
	/* 60 s: pauses of 1, 2, 4, 8, 10, 10 ... s and up to a quarter more */
	CU_ASSERT_TRUE(w.a.installs >= 5 && w.a.installs <= 10);
	/* one that lasts ends the pauses: the next is made at once */
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 20 * S));
	wire_run(&w, 11 * S);
	node_child_command(&w.a, IKE_EXPIRE, node_pair(&w.a)->in.spi, NULL);
	CU_ASSERT_TRUE(wire_run_until_up(&w, S / 2));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failing_installation_at_the_responder_is_tried_with_pauses(void)
{
	struct wire w;

	wire_init(&w, 6);
	wire_start(&w);
	for (int i = 0; i < 600; i++) {
		wire_run(&w, 100 * MS);
		if (node_pair(&w.b))
			node_child_command(&w.b, IKE_EXPIRE, node_pair(&w.b)->in.spi, NULL);
	}
	CU_ASSERT_TRUE(w.a.installs >= 5 && w.a.installs <= 10);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_lost_job(enum crypto_job_kind kind)
{
	struct wire w;

	wire_init(&w, 7);
	wire_start(&w);
	uint64_t end = w.now_ns + S;
	while (!(w.job_count && w.jobs[0].node == &w.a && w.jobs[0].job->kind == kind) && wire_step(&w, end))
		;
	CU_ASSERT_EQUAL_FATAL(w.job_count, 1);
	crypto_job_free(w.jobs[0].job);
	w.job_count = 0;
	wire_run(&w, 30 * S);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the key exchange was not computed in time");
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_lost_job_does_not_block_the_tunnel(void)
{
	check_lost_job(JOB_KEX_GENERATE);
	check_lost_job(JOB_KEX_DERIVE);
}

static void test_failing_cryptography_ends_the_sa_and_it_is_tried_again(void)
{
	struct wire w;

	wire_init(&w, 8);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	/* from here on nothing can be sealed: the next liveness check fails */
	struct alg broken = *node_sa(&w.a)->suite.encr;
	broken.id = UINT16_MAX;
	node_sa(&w.a)->suite.encr = &broken;
	uint64_t end = w.now_ns + 15 * S;
	while (!w.a.events[IKE_EV_FAILED] && wire_step(&w, end))
		;
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "no memory or no working cryptography");
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* wire_done looks at the SPIs once the engine is gone. */
static void test_end_of_the_engine_gives_reserved_spis_back(void)
{
	struct wire w;

	wire_init(&w, 9);
	wire_start(&w);
	wire_run(&w, 25 * MS);
	CU_ASSERT_EQUAL(w.a.spis_out, 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_TRUE(wire_done(&w));
	CU_ASSERT_EQUAL(w.a.spis_out, 0);
}

static const struct test tests[] = {
	TEST(test_second_peer_does_not_take_the_traffic),
	TEST(test_second_peer_takes_a_free_tunnel),
	TEST(test_second_peer_is_refused_by_the_initiator),
	TEST(test_second_peer_does_not_use_up_the_key_exchanges),
	TEST(test_second_peer_leaves_no_ike_sas_behind_that_the_first_pays_for),
	TEST(test_request_that_is_refused_costs_no_key_exchange),
	TEST(test_childless_sa_replaces_none_with_a_child),
	TEST(test_failing_installation_is_tried_with_pauses),
	TEST(test_failing_installation_at_the_responder_is_tried_with_pauses),
	TEST(test_lost_job_does_not_block_the_tunnel),
	TEST(test_failing_cryptography_ends_the_sa_and_it_is_tried_again),
	TEST(test_end_of_the_engine_gives_reserved_spis_back),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
