/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: many peers under one tunnel. Node A is several peers, one profile each; B has one entry for all. */
#include "harness.h"

#include <stdio.h>

#include "fake_wire.h"
#include "v2/v2.h"

static const char *const names[] = { "a.example.net", "c.example.net", "d.example.net" };
static const char *const sides[] = { "10.1.0.0/24", "10.3.0.0/24", "10.4.0.0/24" };

static struct identity id_of(const char *text)
{
	struct identity id;

	identity_parse(text, &id);
	return id;
}

/* Who is asked for by `wanted` may come; the first peer is up. */
static void start(struct wire *w, uint64_t seed, const char *wanted)
{
	wire_init(w, seed);
	w->b.profiles[0].remote_addr = (struct addr){ 0 };
	w->b.profiles[0].remote_id = (struct identity){ 0 };
	if (wanted)
		identity_parse(wanted, &w->b.profiles[0].remote_id);
	selectors_set(&w->b.profiles[0].children[0].remote, "10.0.0.0/8");
	w->b.profiles[0].children[0].start = START_RESPOND;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		w->a.profiles[i] = w->a.profiles[0];
		identity_parse(names[i], &w->a.profiles[i].local_id);
		selectors_set(&w->a.profiles[i].children[0].local, sides[i]);
		w->a.profiles[i].children[0].start = START_RESPOND;
	}
	w->a.profile_count = ARRAY_LEN(names);
	wire_start(w);
}

static void bring_up(struct wire *w, uint32_t peer)
{
	node_command(&w->a, IKE_INITIATE, peer);
	wire_run(w, S);
}

static struct ike_tunnel_status peer_status(const struct node *n, const char *name)
{
	struct ike_tunnel_status s = { 0 };
	const struct identity id = id_of(name);

	if (ike_peer_status(n->engine, 0, &id, &s))
		s.phase1 = PHASE_DOWN;
	return s;
}

static bool peer_up(const struct wire *w, uint32_t peer)
{
	struct ike_tunnel_status theirs = node_status(&w->a, peer), ours = peer_status(&w->b, names[peer]);

	return ours.phase1 == PHASE_UP && ours.children[0].state == PHASE_UP && theirs.phase1 == PHASE_UP &&
	       ours.children[0].spi_in == theirs.children[0].spi_out && ours.spi_i == theirs.spi_i;
}

static void peer_command(struct node *n, enum ike_command_kind kind, const char *name, uint32_t child)
{
	const struct identity id = id_of(name);
	const struct ike_command c = { .kind = kind, .child = child, .peer = &id };
	struct ike_actions out = { 0 };

	ike_command(n->engine, &c, n->wire->now_ns, &out);
	node_carry_out(n, &out);
	ike_actions_done(&out);
}

static void test_peers_come_up_side_by_side(void)
{
	struct wire w;
	const struct identity *id = NULL;

	start(&w, 1, NULL);
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		bring_up(&w, i);
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		CU_ASSERT_TRUE(peer_up(&w, i));
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 3);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).peer_count, 3);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		id = ike_peer_next(w.b.engine, 0, id);
		CU_ASSERT_PTR_NOT_NULL_FATAL(id);
		const struct identity wanted = id_of(names[i]);
		CU_ASSERT_TRUE(identity_equal(id, &wanted));
	}
	CU_ASSERT_PTR_NULL(ike_peer_next(w.b.engine, 0, id));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_peer_goes_alone(void)
{
	struct wire w;

	start(&w, 2, NULL);
	bring_up(&w, 0);
	bring_up(&w, 1);
	/* by its own Delete */
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[0]).phase1, PHASE_DOWN);
	CU_ASSERT_TRUE(peer_up(&w, 1));
	CU_ASSERT_EQUAL(node_status(&w.b, 0).peer_count, 1);
	/* and by the operator's wish */
	bring_up(&w, 0);
	peer_command(&w.b, IKE_TERMINATE, names[1], IKE_WHOLE_TUNNEL);
	wire_run(&w, S);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	CU_ASSERT_EQUAL(node_status(&w.a, 1).phase1, PHASE_DOWN);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	/* all of them */
	node_command(&w.b, IKE_TERMINATE, 0);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).peer_count, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_peer_is_rekeyed_alone(void)
{
	struct wire w;

	start(&w, 3, NULL);
	bring_up(&w, 0);
	bring_up(&w, 1);
	uint32_t first = peer_status(&w.b, names[0]).children[0].spi_in;
	uint32_t second = peer_status(&w.b, names[1]).children[0].spi_in;
	peer_command(&w.b, IKE_REKEY, names[1], 0);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[0]).children[0].spi_in, first);
	CU_ASSERT_NOT_EQUAL(peer_status(&w.b, names[1]).children[0].spi_in, second);
	CU_ASSERT_TRUE(peer_up(&w, 0) && peer_up(&w, 1));
	/* the IKE SA too */
	uint64_t spi = peer_status(&w.b, names[1]).spi_i;
	peer_command(&w.b, IKE_REKEY, names[1], IKE_WHOLE_TUNNEL);
	wire_run(&w, 10 * S);
	CU_ASSERT_NOT_EQUAL(peer_status(&w.b, names[1]).spi_i, spi);
	CU_ASSERT_TRUE(peer_up(&w, 0) && peer_up(&w, 1));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_addresses_of_another_peer_are_refused(void)
{
	struct wire w;

	start(&w, 4, NULL);
	selectors_set(&w.a.profiles[1].children[0].local, "10.1.0.128/25");
	bring_up(&w, 0);
	bring_up(&w, 1);
	/* RFC 7296 1.2: the IKE SA is there, its child is not */
	CU_ASSERT_EQUAL(peer_status(&w.b, names[1]).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[1]).children[0].state, PHASE_DOWN);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "another peer of the tunnel has these addresses");
	CU_ASSERT_STRING_EQUAL(w.b.failure.ours, "a.example.net");
	CU_ASSERT_STRING_EQUAL(w.b.failure.theirs, "c.example.net");
	CU_ASSERT_EQUAL(node_status(&w.a, 1).failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	/* once they are free it gets them */
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, S);
	bring_up(&w, 1);
	wire_run(&w, 15 * S);
	CU_ASSERT_TRUE(peer_up(&w, 1));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_same_identity_replaces_itself(void)
{
	struct wire w;

	start(&w, 5, NULL);
	bring_up(&w, 0);
	bring_up(&w, 1);
	uint64_t spi = peer_status(&w.b, names[0]).spi_i;
	node_start_another(&w.a, 0);
	wire_run(&w, 15 * S);
	CU_ASSERT_NOT_EQUAL(peer_status(&w.b, names[0]).spi_i, spi);
	CU_ASSERT_TRUE(peer_up(&w, 0) && peer_up(&w, 1));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The peers that are one node restart together and say INITIAL_CONTACT each for itself: it means its own identity. */
static void test_initial_contact_concerns_its_identity(void)
{
	struct wire w;

	start(&w, 6, NULL);
	bring_up(&w, 0);
	bring_up(&w, 1);
	node_restart(&w.a);
	bring_up(&w, 0);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	CU_ASSERT_EQUAL(peer_status(&w.b, names[1]).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_REPLACED], 1);
	/* what is under way on the pair of before still gets in for a while */
	wire_run(&w, 6 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	wire_done(&w);
}

/* Of two devices with one identity, the one that is there stays: a new one comes from another address. */
static void test_keep_refuses_another_address(void)
{
	struct wire w;

	start(&w, 7, NULL);
	w.b.profiles[0].unique_id = UNIQUE_KEEP;
	bring_up(&w, 0);
	uint64_t spi = peer_status(&w.b, names[0]).spi_i;
	/* as if the first had come from elsewhere */
	const struct identity id = id_of(names[0]);
	sa_next_of_identity(w.b.engine, &id, NULL)->remote.addr.bytes[3] ^= 1;
	node_start_another(&w.a, 0);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[0]).spi_i, spi);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "this identity is connected already, from another address");
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNIQUE_KEPT), 1);
	wire_done(&w);
}

static void test_keep_lets_the_same_address_renew(void)
{
	struct wire w;

	start(&w, 8, NULL);
	w.b.profiles[0].unique_id = UNIQUE_KEEP;
	bring_up(&w, 0);
	uint64_t spi = peer_status(&w.b, names[0]).spi_i;
	node_start_another(&w.a, 0);
	wire_run(&w, 15 * S);
	CU_ASSERT_NOT_EQUAL(peer_status(&w.b, names[0]).spi_i, spi);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Two devices with one identity: A is both, with other addresses of its own. INITIAL_CONTACT means nothing then. */
static void test_never_keeps_both(void)
{
	struct wire w;

	start(&w, 9, NULL);
	w.b.profiles[0].unique_id = UNIQUE_NEVER;
	identity_parse(names[0], &w.a.profiles[1].local_id);
	bring_up(&w, 0);
	bring_up(&w, 1);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).peer_count, 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 2);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_REPLACED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_too_many_peers_are_refused_by_name(void)
{
	struct wire w;

	start(&w, 10, NULL);
	w.b.profiles[0].peers_max = 2;
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		bring_up(&w, i);
	CU_ASSERT_TRUE(peer_up(&w, 0) && peer_up(&w, 1));
	CU_ASSERT_EQUAL(peer_status(&w.b, names[2]).phase1, PHASE_DOWN);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "the tunnel has as many peers as it may");
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_PEERS_LIMIT), 1);
	CU_ASSERT_EQUAL(node_status(&w.a, 2).failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	/* one that is here may come again; and who takes a free place */
	node_start_another(&w.a, 0);
	wire_run(&w, 15 * S);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	node_command(&w.a, IKE_TERMINATE, 1);
	wire_run(&w, S);
	bring_up(&w, 2);
	wire_run(&w, 15 * S);
	CU_ASSERT_TRUE(peer_up(&w, 2));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_pattern_says_who_may_come(void)
{
	struct wire w;

	start(&w, 11, "*.example.net");
	identity_parse("a.example.org", &w.a.profiles[2].local_id);
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		bring_up(&w, i);
	CU_ASSERT_TRUE(peer_up(&w, 0) && peer_up(&w, 1));
	CU_ASSERT_EQUAL(node_status(&w.a, 2).phase1, PHASE_DOWN);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "no tunnel accepts these identities");
	CU_ASSERT_STRING_EQUAL(w.b.failure.ours, "*.example.net");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_dead_peer_leaves_the_others(void)
{
	struct wire w;

	start(&w, 12, NULL);
	w.b.profiles[0].dpd_interval_ns = 5 * S;
	w.b.profiles[0].dpd_timeout_ns = 10 * S;
	bring_up(&w, 0);
	bring_up(&w, 1);
	node_restart(&w.a);
	bring_up(&w, 1);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[0]).phase1, PHASE_DOWN);
	CU_ASSERT_TRUE(peer_up(&w, 1));
	CU_ASSERT_EQUAL(node_status(&w.b, 0).peer_count, 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* 10.1.0.1-10.1.0.254 is fourteen prefixes: five such are more than one Child SA may take of the table that all peers
 * share. */
static void test_ranges_that_split_into_too_many_prefixes_are_refused(void)
{
	struct wire w;

	start(&w, 14, NULL);
	selectors_set(&w.a.profiles[0].children[0].local,
		"10.1.0.1-10.1.0.254,10.1.1.1-10.1.1.254,10.1.2.1-10.1.2.254,10.1.3.1-10.1.3.254,10.1.4.1-10.1.4.254");
	bring_up(&w, 0);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[0]).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(peer_status(&w.b, names[0]).children[0].state, PHASE_DOWN);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "the peer's address ranges split into too many prefixes");
	CU_ASSERT_STRING_EQUAL(w.b.failure.theirs, "a.example.net");
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SHARE_LIMIT), 1);
	/* as prefixes they fit */
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, S);
	selectors_set(&w.a.profiles[0].children[0].local, "10.1.0.0/24,10.1.1.0/24,10.1.2.0/24,10.1.3.0/24");
	bring_up(&w, 0);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The first peer wants two children, of fourteen prefixes each. */
static void start_greedy(struct wire *w, uint64_t seed)
{
	start(w, seed, NULL);
	w->a.profiles[0].children[1] = w->a.profiles[0].children[0];
	w->a.profiles[0].child_count = 2;
	selectors_set(&w->a.profiles[0].children[0].local, "10.1.0.1-10.1.0.254");
	selectors_set(&w->a.profiles[0].children[1].local, "10.1.1.1-10.1.1.254");
}

/* What it may have it has, and keeps through rekeys; others have theirs. */
static void greedy_is_held(struct wire *w, const char *reason)
{
	bring_up(w, 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w->b), 1);
	CU_ASSERT_EQUAL(w->b.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	CU_ASSERT_STRING_EQUAL(w->b.failure.reason, reason);
	CU_ASSERT(node_counter(&w->b, IKE_C_SHARE_LIMIT) > 0);
	uint32_t spi = peer_status(&w->b, names[0]).children[0].spi_in;
	node_index_command(&w->a, IKE_REKEY, 0, 0);
	wire_run(w, 10 * S);
	CU_ASSERT_NOT_EQUAL(peer_status(&w->b, names[0]).children[0].spi_in, spi);
	CU_ASSERT_TRUE(peer_up(w, 0));
	bring_up(w, 1);
	CU_ASSERT_TRUE(peer_up(w, 1));
	CU_ASSERT_TRUE(wire_done(w));
}

static void test_identity_has_no_more_than_its_share_of_prefixes(void)
{
	struct wire w;

	start_greedy(&w, 15);
	w.b.engine->settings.peer_prefixes_max = 20;
	greedy_is_held(&w, "this identity has as many addresses as it may");
}

static void test_identity_has_no_more_than_its_share_of_children(void)
{
	struct wire w;

	start_greedy(&w, 16);
	w.b.engine->settings.peer_children_max = 1;
	greedy_is_held(&w, "this identity has as many Child SAs as it may");
}

/* We rekey, and the peer answers with ranges that it has chosen for it: it gets no more that way. */
static void test_answer_that_splits_into_too_many_prefixes_is_not_taken(void)
{
	struct wire w;

	start(&w, 17, NULL);
	bring_up(&w, 0);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	w.b.engine->settings.peer_prefixes_max = 10;
	selectors_set(&w.a.profiles[0].children[0].local, "10.1.0.1-10.1.0.254");
	peer_command(&w.b, IKE_REKEY, names[0], 0);
	wire_run(&w, 10 * S);
	CU_ASSERT(node_counter(&w.b, IKE_C_SHARE_LIMIT) > 0);
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "this identity has as many addresses as it may");
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void rekey_often(struct wire *w, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		struct ike_actions out = { 0 };
		w->a.engine->now_ns = w->now_ns;
		w->a.engine->out = &out;
		for (struct ike_sa *sa = w->a.engine->sas; sa; sa = sa->next)
			rekey_ike_on_timer(w->a.engine, sa);
		w->a.engine->out = NULL;
		node_carry_out(&w->a, &out);
		wire_run(w, 50 * MS);
	}
}

/* It has had all the key exchanges that it may, says goodbye, and comes again. */
static void test_peer_that_comes_back_has_no_more_key_exchanges(void)
{
	struct wire w;

	start(&w, 18, NULL);
	bring_up(&w, 0);
	for (int i = 0; i < 250 && !node_counter(&w.b, IKE_C_KEY_LIMIT); i++)
		rekey_often(&w, 1);
	CU_ASSERT_TRUE(node_counter(&w.b, IKE_C_KEY_LIMIT) > 0);
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).peer_count, 0);
	bring_up(&w, 0);
	CU_ASSERT_TRUE(peer_up(&w, 0));
	unsigned rekeyed = w.b.events[IKE_EV_PHASE1_REKEYED];
	rekey_often(&w, 40);
	/* those of the 4 s that have passed since */
	CU_ASSERT_TRUE(w.b.events[IKE_EV_PHASE1_REKEYED] <= rekeyed + 4 * 4 + 1);
	/* it is told of once */
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 1);
	/* nothing is kept of who has not asked for long */
	wire_run(&w, 100 * S);
	bring_up(&w, 1);
	rekey_often(&w, 1);
	CU_ASSERT_EQUAL(w.b.engine->by_allowance.count, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Who invents identities makes us forget others, never keep more; the latest ones are known. */
static void test_allowances_are_bounded(void)
{
	struct wire w;
	char name[32];

	start(&w, 19, NULL);
	bring_up(&w, 0);
	struct ike_sa stranger = { .tunnel = node_sa(&w.b)->tunnel };
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "p%d.example.net", i);
		stranger.remote_id = id_of(name);
		CU_ASSERT_TRUE(allowance_take(w.b.engine, &stranger));
	}
	CU_ASSERT_EQUAL(w.b.engine->by_allowance.count, 4096);
	CU_ASSERT_PTR_NOT_NULL(allowance_lookup(w.b.engine, &stranger));
	stranger.remote_id = id_of("p0.example.net");
	CU_ASSERT_PTR_NULL(allowance_lookup(w.b.engine, &stranger));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_peers_come_up_side_by_side),
	TEST(test_peer_goes_alone),
	TEST(test_peer_is_rekeyed_alone),
	TEST(test_addresses_of_another_peer_are_refused),
	TEST(test_same_identity_replaces_itself),
	TEST(test_initial_contact_concerns_its_identity),
	TEST(test_keep_refuses_another_address),
	TEST(test_keep_lets_the_same_address_renew),
	TEST(test_never_keeps_both),
	TEST(test_too_many_peers_are_refused_by_name),
	TEST(test_pattern_says_who_may_come),
	TEST(test_dead_peer_leaves_the_others),
	TEST(test_ranges_that_split_into_too_many_prefixes_are_refused),
	TEST(test_identity_has_no_more_than_its_share_of_prefixes),
	TEST(test_identity_has_no_more_than_its_share_of_children),
	TEST(test_answer_that_splits_into_too_many_prefixes_is_not_taken),
	TEST(test_peer_that_comes_back_has_no_more_key_exchanges),
	TEST(test_allowances_are_bounded),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
