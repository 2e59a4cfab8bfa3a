/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: when one IKE SA or Child SA makes way for another while messages are lost or late, and while the
 * other side has plans of its own. Each case was once found by test_random_operations.c. */
#include "harness.h"

#include <stdlib.h>

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
}

static void init_two(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	add_child(&w->a, "10.1.1.0/24", "10.2.1.0/24");
	add_child(&w->b, "10.2.1.0/24", "10.1.1.0/24");
}

static void start_up(struct wire *w)
{
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 7 * S);
	w->traffic_every_ns = 20 * MS;
	w->traffic_at_ns = w->now_ns;
	w->watch_traffic = true;
}

static void start_two(struct wire *w, uint64_t seed)
{
	init_two(w, seed);
	start_up(w);
	CU_ASSERT_TRUE(wire_child_up(w, 0) && wire_child_up(w, 1));
}

static void on_each_sa(struct node *n, void (*act)(struct ike_engine *e, struct ike_sa *sa))
{
	struct ike_actions out = { 0 };

	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
	for (struct ike_sa *sa = n->engine->sas, *next; sa; sa = next) {
		next = sa->next;
		act(n->engine, sa);
	}
	n->engine->out = NULL;
	node_carry_out(n, &out);
}

static void reauthenticate(struct node *n)
{
	on_each_sa(n, rekey_ike_reauthenticate);
}

static void rekey_ike(struct node *n)
{
	on_each_sa(n, rekey_ike_on_timer);
}

/* One IKE SA on both sides with the same children, and no packet was lost. */
static void finish(struct wire *w, unsigned children)
{
	wire_run(w, 60 * S);
	CU_ASSERT_EQUAL(w->traffic_lost, 0);
	CU_ASSERT_EQUAL(ike_sa_count(w->a.engine), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w->b.engine), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w->a), children);
	CU_ASSERT_TRUE(wire_paired(w));
	for (uint32_t c = 0; c < children; c++)
		CU_ASSERT_TRUE(wire_child_up(w, c));
	CU_ASSERT_TRUE(wire_done(w));
}

/* Messages of this kind from this node are lost, or late, until then. */
struct trouble {
	const struct node *from;
	uint8_t exchange; /* 0: any */
	bool response;
	uint64_t until_ns, late_ns;
};

static bool make_trouble(struct wire *w, struct packet *p, void *argument)
{
	const struct trouble *t = argument;
	bool response = p->data[19] & IKE_FLAG_RESPONSE;

	if (p->spi || p->from != t->from || response != t->response || w->now_ns >= t->until_ns ||
		(t->exchange && p->data[18] != t->exchange))
		return true;
	p->at_ns += t->late_ns;
	return t->late_ns;
}

static void trouble_begin(struct wire *w, struct trouble *t, uint64_t duration_ns)
{
	t->until_ns = w->now_ns + duration_ns;
	w->filter = make_trouble;
	w->filter_argument = t;
}

/* ---- IKE SAs ---- */

/* B has both children of the new IKE SA, A has not heard of the second. */
static void test_old_ike_sa_stays_until_the_peer_has_every_child(void)
{
	struct wire w;
	struct trouble t = { .from = &w.b, .exchange = CREATE_CHILD_SA, .response = true };

	start_two(&w, 1);
	trouble_begin(&w, &t, 3 * S);
	reauthenticate(&w.a);
	finish(&w, 2);
}

/* B has begun anew and rekeyed the old IKE SA as well, and has heard of neither. A asks on the rekeyed one for a child,
 * which goes without an answer. */
static void test_child_is_asked_for_while_its_ike_sa_makes_way(void)
{
	struct wire w;
	struct trouble t = { .from = &w.a, .response = true };

	init_two(&w, 31);
	w.a.profiles[0].children[1].start = START_RESPOND;
	w.b.profiles[0].children[0].start = START_INITIATE;
	w.a.profiles[0].dpd_timeout_ns = w.b.profiles[0].dpd_timeout_ns = 100 * S;
	wire_start(&w);
	wire_run(&w, 10 * S);
	node_start_another(&w.b, 0);
	wire_run(&w, 25 * MS);
	trouble_begin(&w, &t, 3 * S);
	rekey_ike(&w.b);
	wire_run(&w, 100 * MS);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], 0);
	node_index_command(&w.a, IKE_INITIATE, 0, 1);
	finish(&w, 2);
}

static void test_authentication_is_renewed_by_who_began_though_the_peer_rekeyed(void)
{
	struct wire w;

	start_two(&w, 2);
	rekey_ike(&w.b);
	wire_run(&w, 5 * S);
	CU_ASSERT_FALSE(node_status(&w.a, 0).initiator);
	unsigned up = w.a.events[IKE_EV_PHASE1_UP];
	reauthenticate(&w.a);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_UP], up + 1);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_DOWN], 0);
	finish(&w, 2);
}

static void test_rekey_during_a_renewal_of_the_authentication(void)
{
	for (uint64_t at = 0; at < 120 * MS; at += 10 * MS) {
		struct wire w;
		start_two(&w, 3);
		reauthenticate(&w.a);
		wire_run(&w, at);
		rekey_ike(at % (20 * MS) ? &w.a : &w.b);
		finish(&w, 2);
	}
}

static void test_authentication_is_not_renewed_twice(void)
{
	struct wire w;

	start_two(&w, 4);
	unsigned begun = w.a.events[IKE_EV_STARTED];
	reauthenticate(&w.a);
	wire_run(&w, 5 * MS);
	reauthenticate(&w.a);
	wire_run(&w, 5 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], begun + 1);
	finish(&w, 2);
}

/* Of two children of one index on the old IKE SA, one is on its way out when the IKE SA is. */
static void test_child_is_rekeyed_during_a_renewal_of_the_authentication(void)
{
	for (uint64_t at = 0; at < 150 * MS; at += 5 * MS) {
		struct wire w;
		start_two(&w, 5);
		reauthenticate(&w.a);
		wire_run(&w, at);
		node_index_command(&w.b, IKE_REKEY, 0, 1);
		node_index_command(&w.a, IKE_REKEY, 0, 0);
		finish(&w, 2);
	}
}

/* ---- Child SAs ---- */

static void test_child_that_both_sides_create_stays_once(void)
{
	for (uint64_t late = 0; late < 500 * MS; late += 45 * MS) {
		struct wire w;
		struct trouble t = { .from = &w.b, .exchange = CREATE_CHILD_SA, .late_ns = late };
		init_two(&w, 6 + late);
		w.a.profiles[0].children[1].start = START_RESPOND;
		start_up(&w);
		trouble_begin(&w, &t, S / 4);
		node_index_command(&w.b, IKE_INITIATE, 0, 1);
		node_index_command(&w.a, IKE_INITIATE, 0, 1);
		wire_run(&w, 20 * S);
		w.traffic_lost = 0;
		finish(&w, 2);
	}
}

/* Time passes, and at no moment of it the child is down. */
static void stays_up(struct wire *w, uint32_t child, uint64_t duration_ns)
{
	uint64_t end = w->now_ns + duration_ns;
	bool up = true;

	while (up && wire_step(w, end))
		up = wire_child_up(w, child);
	CU_ASSERT_TRUE(up);
}

/* Each side has asked the other one for the second child; the answers of this node are lost for long. That of the other
 * one has come, so that the child is up; `first` has its request answered first. */
static void create_twice(struct wire *w, struct trouble *t, bool lost_by_b, bool b_first)
{
	struct node *first = b_first ? &w->b : &w->a, *second = b_first ? &w->a : &w->b;

	init_two(w, 40 + lost_by_b + 2 * b_first);
	w->a.profiles[0].children[1].start = START_RESPOND;
	start_up(w);
	*t = (struct trouble){ .from = lost_by_b ? &w->b : &w->a, .exchange = CREATE_CHILD_SA, .response = true };
	trouble_begin(w, t, 12 * S);
	node_index_command(first, IKE_INITIATE, 0, 1);
	wire_run(w, 5 * MS);
	node_index_command(second, IKE_INITIATE, 0, 1);
	wire_run(w, 50 * MS);
	CU_ASSERT_TRUE(wire_child_up(w, 1));
	CU_ASSERT_EQUAL(w->a.installs + w->b.installs, 5);
}

/* One side has both, the other one has no answer yet: none of them goes before it has, be it idle or not. */
static void test_child_that_both_sides_create_is_there_while_an_answer_is_lost(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct wire w;
		struct trouble t;
		create_twice(&w, &t, i & 1, i & 2);
		w.traffic_lost = 0;
		if (i & 4) {
			w.traffic_every_ns = 0;
			w.watch_traffic = false;
		}
		stays_up(&w, 1, 30 * S);
		finish(&w, 2);
	}
}

/* What is to be compared is what is there when both sides have both. */
static void test_child_that_both_sides_create_is_rekeyed_while_an_answer_is_lost(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct wire w;
		struct trouble t;
		create_twice(&w, &t, i & 1, i & 2);
		w.traffic_lost = 0;
		wire_run(&w, i & 4 ? 1 * S : 7 * S);
		node_index_command(i & 1 ? &w.b : &w.a, IKE_REKEY, 0, 1);
		stays_up(&w, 1, 30 * S);
		finish(&w, 2);
	}
}

/* A asks again and again and does not get the answer; B meanwhile wants something of what it made. */
static void begin_unheard(struct wire *w, struct trouble *t, uint64_t seed)
{
	start_two(w, seed);
	t->from = &w->b;
	t->exchange = CREATE_CHILD_SA;
	t->response = true;
	trouble_begin(w, t, 12 * S);
	node_index_command(&w->a, IKE_REKEY, 0, 0);
	wire_run(w, 7 * S);
	CU_ASSERT_EQUAL(w->b.installs, 3);
	CU_ASSERT_EQUAL(w->a.installs, 2);
}

static void test_child_that_the_peer_does_not_know_yet_is_rekeyed(void)
{
	struct wire w;
	struct trouble t = { 0 };

	begin_unheard(&w, &t, 7);
	node_index_command(&w.b, IKE_REKEY, 0, 0);
	finish(&w, 2);
}

static void test_child_that_the_peer_does_not_know_yet_is_deleted(void)
{
	struct wire w;
	struct trouble t = { 0 };

	begin_unheard(&w, &t, 8);
	w.watch_traffic = false;
	w.traffic_every_ns = 0;
	w.a.profiles[0].children[0].start = w.a.profiles[0].children[1].start = START_RESPOND;
	node_index_command(&w.b, IKE_TERMINATE, 0, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_TRUE(wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* By the time B has its answer, A has settled the race and rekeyed what stayed. */
static void test_answer_to_a_simultaneous_rekey_comes_late(void)
{
	for (uint64_t seed = 20; seed < 40; seed++) {
		struct wire w;
		struct trouble t = { .from = &w.a, .exchange = CREATE_CHILD_SA, .response = true, .late_ns = 400 * MS };
		start_two(&w, seed);
		trouble_begin(&w, &t, 100 * MS);
		node_index_command(&w.a, IKE_REKEY, 0, 1);
		node_index_command(&w.b, IKE_REKEY, 0, 1);
		wire_run(&w, 80 * MS);
		node_index_command(&w.a, IKE_REKEY, 0, 1);
		finish(&w, 2);
	}
}

/* One of two IKE SAs waits for a child that the peer may not have yet: it is looked at again though nothing else is
 * missing. */
static void test_two_ike_sas_are_looked_at_again_when_all_is_up(void)
{
	struct wire w;

	wire_init(&w, 30);
	start_up(&w);
	struct tunnel *t = &w.a.engine->tunnels[0];
	tunnel_pursue_later(w.a.engine, t);
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(t->retry.place);
	wire_run(&w, 30 * S);
	CU_ASSERT_FALSE(t->retry.place);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_peer_brings_back_only_what_it_asks_for(void)
{
	struct wire w;

	init_two(&w, 9);
	w.b.profiles[0].children[0].start = w.b.profiles[0].children[1].start = START_INITIATE;
	w.a.profiles[0].children[0].start = w.a.profiles[0].children[1].start = START_RESPOND;
	start_up(&w);
	w.watch_traffic = false;
	w.traffic_every_ns = 0;
	node_command(&w.b, IKE_TERMINATE, 0);
	wire_run(&w, 30 * S);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	node_index_command(&w.a, IKE_INITIATE, 0, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_TRUE(wire_child_up(&w, 0));
	CU_ASSERT_FALSE(wire_child_up(&w, 1));
	CU_ASSERT_EQUAL(tunnel_autostart(&w.b.engine->tunnels[0]), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- one request, one response ---- */

static void ask_for_children(struct node *n, uint64_t spi_i, uint8_t creates)
{
	struct ike_actions out = { 0 };

	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
	for (struct ike_sa *sa = n->engine->sas; sa; sa = sa->next)
		if (sa->spi_i == spi_i) {
			sa->creates |= creates;
			task_flush(n->engine, sa);
		}
	n->engine->out = NULL;
	node_carry_out(n, &out);
	wire_run(n->wire, S);
}

static bool count_answers(struct wire *w, struct packet *p, void *argument)
{
	unsigned *answers = argument;

	if (p->from == &w->a && p->data[18] == CREATE_CHILD_SA && p->data[19] & IKE_FLAG_RESPONSE)
		++*answers;
	return true;
}

/* Both sides began at once, and A's IKE SA makes way when B's second child is up on it: that was answered already. */
static void test_an_answer_is_not_followed_by_a_refusal(void)
{
	struct wire w;
	unsigned answers = 0;
	uint64_t spi_a = 0, spi_b = 0;

	init_two(&w, 40);
	add_child(&w.a, "10.1.2.0/24", "10.2.2.0/24");
	add_child(&w.b, "10.2.2.0/24", "10.1.2.0/24");
	for (int i = 0; i < 3; i++)
		w.a.profiles[0].children[i].start = i ? START_RESPOND : START_INITIATE;
	w.a.profiles[0].unique_id = w.b.profiles[0].unique_id = UNIQUE_NEVER;
	wire_start(&w);
	node_start_another(&w.b, 0);
	wire_run(&w, S);
	for (const struct ike_sa *sa = w.b.engine->sas; sa; sa = sa->next)
		*(sa->initiator ? &spi_b : &spi_a) = sa->spi_i;
	CU_ASSERT_TRUE_FATAL(spi_a && spi_b && ike_sa_count(w.a.engine) == 2);
	ask_for_children(&w.b, spi_b, 7);
	wire_run(&w, 10 * S);
	w.a.profiles[0].unique_id = UNIQUE_REPLACE;
	w.filter = count_answers;
	w.filter_argument = &answers;
	ask_for_children(&w.b, spi_a, 2);
	CU_ASSERT_EQUAL(answers, 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A's IKE SA stays, with both children, and B's is to go: it has the second one, too. Nobody asks whether the other is
 * alive, which would say what has arrived. */
static void begin_at_once(struct wire *w, struct trouble *t)
{
	init_two(w, 1);
	w->job_delay_ns = 40 * MS;
	w->a.profiles[0].dpd_interval_ns = w->b.profiles[0].dpd_interval_ns = 0;
	wire_start(w);
	wire_run(w, 35 * MS);
	w->b.engine->tunnels[0].wanted = 2;
	node_start_another(&w->b, 0);
	if (t)
		trouble_begin(w, t, 12 * S);
	wire_run(w, 500 * MS);
	CU_ASSERT_EQUAL(ike_sa_count(w->b.engine), 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w->b), 3);
	CU_ASSERT_TRUE(wire_child_up(w, 1));
}

/* The last that B saw of the one that stays is a request of A, which does not say whether A has the answer; and for A
 * there was no other IKE SA yet when it came, for the sake of which it would have said so. B ends its own all the same,
 * when A had the time to ask again and again. */
static void test_two_ike_sas_become_one_though_the_peer_is_silent(void)
{
	struct wire w;

	begin_at_once(&w, NULL);
	wire_run(&w, 15 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 2);
	wire_run(&w, 10 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	finish(&w, 2);
}

/* A does ask again: until an answer gets through, the second child is nowhere but on the IKE SA that is to go. */
static void test_two_ike_sas_do_not_become_one_while_an_answer_is_lost(void)
{
	struct wire w;
	struct trouble t = { .from = &w.b, .exchange = CREATE_CHILD_SA, .response = true };

	begin_at_once(&w, &t);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 2);
	stays_up(&w, 1, 30 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	finish(&w, 2);
}

/* ---- our request steps back before the peer's ---- */

/* Both sides are up and quiet; A's key for a rekey takes a while. */
static void start_slow(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16-x25519");
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16-x25519");
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	w->job_delay_ns = 20 * MS;
}

static void begin_ike_rekey(struct node *n)
{
	struct ike_actions out = { 0 };

	n->engine->now_ns = n->wire->now_ns;
	n->engine->out = &out;
	rekey_ike_on_timer(n->engine, node_sa(n));
	n->engine->out = NULL;
	node_carry_out(n, &out);
}

/* B's next request. */
static void ask_as_b(struct wire *w, const struct proposal_list *proposals, uint8_t spi_len, const char *peers_side)
{
	static const uint8_t nonce[32] = { 1 }, key[32] = { 9 };
	struct endpoint local = { w->a.inside, 500 }, remote = { w->b.outside, 500 };
	struct ike_sa *sa = node_sa(&w->b);
	struct proposal_list offer = *proposals;
	struct selector_list selectors;
	struct message m;
	uint8_t spi[4], *bytes;
	size_t len;

	protect_init_message(sa, CREATE_CHILD_SA, false, sa->outbox.next_request_id++, &m);
	if (peers_side) {
		struct payload *p = message_add_notify(&m, NOTIFY_REKEY_SA, BYTES_NONE);
		store_be32(spi, node_pair(&w->b)->in.spi);
		p->notify.protocol = PROTOCOL_ESP;
		p->notify.spi = BYTES_OF(spi);
		selectors_set(&selectors, peers_side);
		message_add_ts(&m, PAYLOAD_TSI, &selectors);
		message_add_ts(&m, PAYLOAD_TSR, &w->a.profiles[0].children[0].local);
	}
	proposals_address(&offer, spi_len, 0x55667788);
	message_add_sa(&m, &offer);
	message_add(&m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
	struct payload *ke = message_add(&m, PAYLOAD_KE);
	ke->ke.group = KE_CURVE25519;
	ke->ke.data = BYTES_OF(key);
	CU_ASSERT_EQUAL_FATAL(protect_seal(w->b.engine, sa, &m, &bytes, &len), 0);
	node_receive(&w->a, &local, &remote, BYTES(bytes, len));
	free(bytes);
}

/* The peer asks to rekey what we were about to, in a way that we refuse: then it is we who rekey it, a little later. */
static void check_refused_rekey_of_child(const char *proposals, const char *peers_side, uint16_t notify)
{
	struct proposal_list offer;
	struct wire w;

	start_slow(&w, 31);
	uint32_t before = node_pair(&w.a)->out.spi;
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(node_sa(&w.a)->ours);
	CU_ASSERT_FALSE(node_sa(&w.a)->ours->sent);
	proposals_set(&offer, PROTOCOL_ESP, proposals);
	ask_as_b(&w, &offer, 4, peers_side);
	CU_ASSERT_EQUAL(w.a.failure.notify, notify);
	CU_ASSERT_PTR_NULL(node_sa(&w.a)->ours);
	wire_run(&w, 9 * S);
	CU_ASSERT_EQUAL(node_pair(&w.a)->out.spi, before);
	wire_run(&w, 3 * S);
	CU_ASSERT_NOT_EQUAL(node_pair(&w.a)->out.spi, before);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_REKEYED], 1);
	CU_ASSERT_TRUE(wire_up(&w) && wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 2.8, 2.25 */
static void test_a_rekey_that_made_way_for_a_refused_one_comes_later(void)
{
	check_refused_rekey_of_child("aes128-sha256-x25519", "10.2.0.0/24", NOTIFY_NO_PROPOSAL_CHOSEN);
	check_refused_rekey_of_child("aes256gcm16-x25519", "203.0.113.0/24", NOTIFY_TS_UNACCEPTABLE);
}

static void test_an_ike_rekey_that_made_way_for_a_refused_one_comes_later(void)
{
	struct proposal_list offer;
	struct wire w;

	start_slow(&w, 32);
	begin_ike_rekey(&w.a);
	CU_ASSERT_PTR_NOT_NULL_FATAL(node_sa(&w.a)->ours);
	CU_ASSERT_FALSE(node_sa(&w.a)->ours->sent);
	proposals_set(&offer, PROTOCOL_IKE, "aes128-sha256-x25519");
	ask_as_b(&w, &offer, 8, NULL);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_PTR_NULL(node_sa(&w.a)->ours);
	wire_run(&w, 9 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 0);
	wire_run(&w, 3 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_PHASE1_REKEYED], 1);
	CU_ASSERT_TRUE(wire_up(&w) && wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A Child SA whose rekey makes way for one of the IKE SA that is refused is rekeyed as soon as that is over. */
static void test_a_rekey_that_made_way_for_a_refused_ike_rekey_comes_at_once(void)
{
	struct proposal_list offer;
	struct wire w;

	start_slow(&w, 33);
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	proposals_set(&offer, PROTOCOL_IKE, "aes128-sha256-x25519");
	ask_as_b(&w, &offer, 8, NULL);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE2_REKEYED], 1);
	CU_ASSERT_TRUE(wire_up(&w) && wire_paired(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Both sides are up, and what A is to rekey lives 40 s; returns when A begins with it. */
static void start_short(struct wire *w, bool ike, uint64_t *ret_up_ns)
{
	wire_init(w, 35);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16-x25519");
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16-x25519");
	if (ike)
		w->a.profiles[0].lifetime_ns = 40 * S;
	else
		w->a.profiles[0].children[0].lifetime_ns = 40 * S;
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	*ret_up_ns = w->now_ns;
	w->job_delay_ns = 20 * MS;
	while (!node_sa(&w->a)->ours && wire_step(w, *ret_up_ns + 60 * S))
		;
	CU_ASSERT_PTR_NOT_NULL_FATAL(node_sa(&w->a)->ours);
	CU_ASSERT_FALSE_FATAL(node_sa(&w->a)->ours->sent);
}

/* It is rekeyed before its life is over. */
static void finish_short(struct wire *w, bool ike, uint64_t up_ns)
{
	wire_run(w, up_ns + 42 * S - w->now_ns);
	CU_ASSERT_EQUAL(w->a.events[ike ? IKE_EV_PHASE1_REKEYED : IKE_EV_PHASE2_REKEYED], 1);
	CU_ASSERT_EQUAL(w->a.events[IKE_EV_PHASE1_DOWN], 0);
	CU_ASSERT_EQUAL(w->a.events[IKE_EV_PHASE2_DOWN], 0);
	CU_ASSERT_TRUE(wire_up(w) && wire_paired(w));
	CU_ASSERT_TRUE(wire_done(w));
}

static void test_a_rekey_of_a_short_life_that_made_way_comes_in_time(void)
{
	struct proposal_list offer;
	uint64_t up_ns;
	struct wire w;

	for (int ike = 0; ike < 2; ike++) {
		start_short(&w, ike, &up_ns);
		proposals_set(&offer, ike ? PROTOCOL_IKE : PROTOCOL_ESP, "aes128-sha256-x25519");
		ask_as_b(&w, &offer, ike ? 8 : 4, ike ? NULL : "10.2.0.0/24");
		CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
		CU_ASSERT_PTR_NULL(node_sa(&w.a)->ours);
		finish_short(&w, ike, up_ns);
	}
}

static void test_a_rekey_of_a_short_life_that_was_refused_comes_in_time(void)
{
	struct proposal_list kept;
	uint64_t up_ns;
	struct wire w;

	for (int ike = 0; ike < 2; ike++) {
		start_short(&w, ike, &up_ns);
		struct tunnel_profile *b = &w.b.profiles[0];
		struct proposal_list *list = ike ? &b->proposals : &b->children[0].proposals;
		kept = *list;
		proposals_set(list, ike ? PROTOCOL_IKE : PROTOCOL_ESP, ike ? "3des-sha1-modp2048" : "3des-sha1");
		while (node_sa(&w.a)->ours && wire_step(&w, up_ns + 60 * S))
			;
		CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
		*list = kept;
		finish_short(&w, ike, up_ns);
	}
}

static unsigned asked_by_a(const struct wire *w)
{
	unsigned count = 0;

	for (const char *at = w->story; (at = strstr(at, "A CREATE_CHILD_SA request")); at++)
		count++;
	return count;
}

/* What the peer has rekeyed in our stead is not rekeyed once more. */
static void test_a_rekey_that_made_way_is_not_made_twice(void)
{
	for (int ike = 0; ike < 2; ike++) {
		struct wire w;

		start_slow(&w, 34);
		/* B knows that A has the answer */
		wire_run(&w, 60 * S);
		for (int i = 0; i < 2; i++) {
			struct node *n = i ? &w.a : &w.b;
			if (ike)
				begin_ike_rekey(n);
			else
				node_index_command(n, IKE_REKEY, 0, 0);
			wire_run(&w, (i ? 7 : 18) * MS);
		}
		CU_ASSERT_TRUE_FATAL(node_sa(&w.a)->ours && !node_sa(&w.a)->ours->sent);
		CU_ASSERT_TRUE_FATAL(node_sa(&w.b)->ours && node_sa(&w.b)->ours->sent);
		wire_run(&w, 40 * S);
		const enum ike_event_kind kind = ike ? IKE_EV_PHASE1_REKEYED : IKE_EV_PHASE2_REKEYED;
		CU_ASSERT_EQUAL(w.a.events[kind], 1);
		CU_ASSERT_EQUAL(w.b.events[kind], 1);
		CU_ASSERT_EQUAL(asked_by_a(&w), 0);
		CU_ASSERT_TRUE(wire_up(&w) && wire_paired(&w));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_old_ike_sa_stays_until_the_peer_has_every_child),
		TEST(test_child_is_asked_for_while_its_ike_sa_makes_way),
		TEST(test_authentication_is_renewed_by_who_began_though_the_peer_rekeyed),
		TEST(test_rekey_during_a_renewal_of_the_authentication),
		TEST(test_authentication_is_not_renewed_twice),
		TEST(test_child_is_rekeyed_during_a_renewal_of_the_authentication),
		TEST(test_child_that_both_sides_create_stays_once),
		TEST(test_child_that_both_sides_create_is_there_while_an_answer_is_lost),
		TEST(test_child_that_both_sides_create_is_rekeyed_while_an_answer_is_lost),
		TEST(test_child_that_the_peer_does_not_know_yet_is_rekeyed),
		TEST(test_child_that_the_peer_does_not_know_yet_is_deleted),
		TEST(test_answer_to_a_simultaneous_rekey_comes_late),
		TEST(test_two_ike_sas_are_looked_at_again_when_all_is_up),
		TEST(test_peer_brings_back_only_what_it_asks_for),
		TEST(test_an_answer_is_not_followed_by_a_refusal),
		TEST(test_two_ike_sas_become_one_though_the_peer_is_silent),
		TEST(test_two_ike_sas_do_not_become_one_while_an_answer_is_lost),
		TEST(test_a_rekey_that_made_way_for_a_refused_one_comes_later),
		TEST(test_an_ike_rekey_that_made_way_for_a_refused_one_comes_later),
		TEST(test_a_rekey_that_made_way_for_a_refused_ike_rekey_comes_at_once),
		TEST(test_a_rekey_of_a_short_life_that_made_way_comes_in_time),
		TEST(test_a_rekey_of_a_short_life_that_was_refused_comes_in_time),
		TEST(test_a_rekey_that_made_way_is_not_made_twice),
	};

	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
