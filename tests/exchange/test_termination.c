/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: the operator terminates a child at any moment while it is being made: it does not come up, or not for
 * longer than the peer needs to hear of its end; its IKE SA and the other children stay. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

static void add_child(struct node *n, const char *local, const char *remote)
{
	struct tunnel_profile *p = &n->profiles[0];
	struct child_profile *c = &p->children[p->child_count++];

	*c = p->children[0];
	snprintf(c->name, sizeof(c->name), "lab");
	selectors_set(&c->local, local);
	selectors_set(&c->remote, remote);
	c->start = START_RESPOND;
}

/* Two children with a key exchange of their own; the second one is for somebody to ask for. */
static void init_two(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes128gcm16-x25519");
	add_child(&w->a, "10.1.1.0/24", "10.2.1.0/24");
	add_child(&w->b, "10.2.1.0/24", "10.1.1.0/24");
	w->job_delay_ns = 20 * MS;
}

static void start_up(struct wire *w)
{
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 7 * S);
}

/* The other child and the IKE SA live on; of this one nothing is left. */
static void check_down(struct wire *w, uint32_t child)
{
	wire_run(w, 30 * S);
	CU_ASSERT_FALSE(wire_child_up(w, child));
	CU_ASSERT_EQUAL(node_live_pairs(&w->a), 1);
	CU_ASSERT_TRUE(wire_child_up(w, !child));
	CU_ASSERT_TRUE(wire_paired(w));
	CU_ASSERT_EQUAL(node_status(&w->a, 0).phase1, PHASE_UP);
}

/* Whose wish it was and who ends it: the exchange takes 60 ms, its beginning belongs to who began. */
static void check_creation(bool by_a, bool ended_by_a, uint64_t first_ns)
{
	for (uint64_t at = first_ns; at < 100 * MS; at += 5 * MS) {
		struct wire w;
		init_two(&w, 1);
		start_up(&w);
		node_index_command(by_a ? &w.a : &w.b, IKE_INITIATE, 0, 1);
		wire_run(&w, at);
		node_index_command(ended_by_a ? &w.a : &w.b, IKE_TERMINATE, 0, 1);
		check_down(&w, 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_child_is_terminated_while_we_ask_for_it(void)
{
	check_creation(true, true, 0);
	check_creation(false, false, 0);
}

/* Before its request is there nobody knows of it, and what the peer wants later comes up. */
static void test_child_is_terminated_while_the_peer_asks_for_it(void)
{
	check_creation(true, false, 35 * MS);
	check_creation(false, true, 35 * MS);
}

static void test_child_is_terminated_while_it_is_rekeyed(void)
{
	for (unsigned who = 0; who < 4; who++)
		for (uint64_t at = 0; at < 120 * MS; at += 5 * MS) {
			struct wire w;
			init_two(&w, 2);
			w.a.profiles[0].children[1].start = START_INITIATE;
			start_up(&w);
			node_index_command(who & 1 ? &w.a : &w.b, IKE_REKEY, 0, 1);
			wire_run(&w, at);
			node_index_command(who & 2 ? &w.a : &w.b, IKE_TERMINATE, 0, 1);
			/* of A, which starts it, the operator's word is the last one */
			if (who & 2)
				check_down(&w, 1);
			else
				wire_run(&w, 30 * S);
			CU_ASSERT_TRUE(wire_paired(&w));
			CU_ASSERT_EQUAL(node_live_pairs(&w.a), who & 2 ? 1 : 2);
			CU_ASSERT_TRUE(wire_done(&w));
		}
}

/* The child that rides on IKE_AUTH; the other one is made in its place. */
static void test_child_is_terminated_while_the_ike_sa_comes_up(void)
{
	for (uint64_t at = 0; at < 140 * MS; at += 5 * MS) {
		struct wire w;
		init_two(&w, 3);
		w.a.profiles[0].children[1].start = START_INITIATE;
		wire_start(&w);
		wire_run(&w, at);
		node_index_command(&w.a, IKE_TERMINATE, 0, 0);
		check_down(&w, 0);
		CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED] + w.b.events[IKE_EV_FAILED], 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_only_child_is_terminated_while_the_ike_sa_comes_up(void)
{
	for (uint64_t at = 0; at < 140 * MS; at += 5 * MS) {
		struct wire w;
		init_two(&w, 4);
		wire_start(&w);
		wire_run(&w, at);
		node_index_command(&w.a, IKE_TERMINATE, 0, 0);
		wire_run(&w, 60 * S);
		CU_ASSERT_EQUAL(node_live_pairs(&w.a) + node_live_pairs(&w.b), 0);
		CU_ASSERT_EQUAL(w.a.spis_out + w.b.spis_out, 0);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* The wish came back while the exchange ran: it is the one that was asked for. */
static void test_terminated_child_is_wanted_again_before_it_is_there(void)
{
	for (uint64_t at = 0; at < 80 * MS; at += 5 * MS) {
		struct wire w;
		init_two(&w, 5);
		start_up(&w);
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		wire_run(&w, at);
		node_index_command(&w.a, IKE_TERMINATE, 0, 1);
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		wire_run(&w, 30 * S);
		CU_ASSERT_TRUE(wire_child_up(&w, 0) && wire_child_up(&w, 1));
		CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
		CU_ASSERT_TRUE(wire_paired(&w));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* What the peer could not do at once, as it rekeys the IKE SA (RFC 7296 2.25.2), is not asked for again. */
static void test_terminated_child_is_not_asked_for_after_a_pause(void)
{
	for (uint64_t at = 0; at < 100 * MS; at += 5 * MS) {
		struct wire w;
		init_two(&w, 6);
		start_up(&w);
		w.job_delay_ns = 0;
		node_command(&w.b, IKE_REKEY, 0);
		wire_run(&w, 45 * MS);
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		wire_run(&w, at);
		node_index_command(&w.a, IKE_TERMINATE, 0, 1);
		check_down(&w, 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* A peer that carries one pair of selectors on each SA: none of the pieces that wait is asked for. */
static void test_terminated_child_has_no_further_pieces(void)
{
	for (uint64_t at = 0; at < 400 * MS; at += 15 * MS) {
		struct wire w;
		init_two(&w, 7);
		selectors_set(&w.a.profiles[0].children[1].local, "10.1.1.0/24,10.1.2.0/24,10.1.3.0/24,10.1.4.0/24");
		selectors_set(&w.b.profiles[0].children[1].remote, "10.1.1.0/24,10.1.2.0/24,10.1.3.0/24,10.1.4.0/24");
		w.b.profiles[0].one_selector = true;
		start_up(&w);
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		wire_run(&w, at);
		node_index_command(&w.a, IKE_TERMINATE, 0, 1);
		check_down(&w, 1);
		CU_ASSERT_FALSE(pieces_waiting(node_sa(&w.a)));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_ike_sa_without_children_is_not_authenticated_anew(void)
{
	struct wire w;

	init_two(&w, 8);
	w.a.profiles[0].reauth_ns = 100 * S;
	start_up(&w);
	node_index_command(&w.a, IKE_TERMINATE, 0, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
	wire_run(&w, 120 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.a.installs, 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_child_is_terminated_while_we_ask_for_it),
		TEST(test_child_is_terminated_while_the_peer_asks_for_it),
		TEST(test_child_is_terminated_while_it_is_rekeyed),
		TEST(test_child_is_terminated_while_the_ike_sa_comes_up),
		TEST(test_only_child_is_terminated_while_the_ike_sa_comes_up),
		TEST(test_terminated_child_is_wanted_again_before_it_is_there),
		TEST(test_terminated_child_is_not_asked_for_after_a_pause),
		TEST(test_terminated_child_has_no_further_pieces),
		TEST(test_ike_sa_without_children_is_not_authenticated_anew),
	};

	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
