/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: loss of each message, duplicates, reordering, message IDs, both sides beginning at once, a long lossy
 * soak. */
#include "harness.h"

#include <stdlib.h>

#include "fake_wire.h"

struct lose {
	char from;
	uint8_t exchange;
	unsigned count; /* how many are lost */
};

static bool lose_filter(struct wire *w, struct packet *p, void *argument)
{
	struct lose *lose = argument;

	(void)w;
	if (!lose->count || p->from->name != lose->from || p->data[18] != lose->exchange)
		return true;
	lose->count--;
	return false;
}

static void check_loss(char from, uint8_t exchange, unsigned count, uint64_t limit)
{
	struct wire w;
	struct lose lose = { from, exchange, count };

	wire_init(&w, 1);
	w.filter = lose_filter;
	w.filter_argument = &lose;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, limit));
	CU_ASSERT_EQUAL(lose.count, 0);
	CU_ASSERT_EQUAL(w.a.installs, 1);
	CU_ASSERT_EQUAL(w.b.installs, 1);
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_RETRANSMITTED), count);
	/* the responder never retransmits by itself */
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_RETRANSMITTED), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_loss_of_sa_init_request(void)
{
	check_loss('A', IKE_SA_INIT, 1, S);
}

static void test_loss_of_sa_init_response(void)
{
	check_loss('B', IKE_SA_INIT, 1, S);
}

static void test_loss_of_auth_request(void)
{
	check_loss('A', IKE_AUTH, 1, S);
}

static void test_loss_of_auth_response(void)
{
	check_loss('B', IKE_AUTH, 1, S);
}

/* 0.5, 1, 2, 4 s: the fifth gets through. */
static void test_loss_backs_off(void)
{
	check_loss('A', IKE_SA_INIT, 4, 8 * S);
}

/* Sent at 0, 0.5, 1.5 and 3.5 s: a status in between says so, and nothing any more once an answer has come. */
static void test_status_counts_an_unanswered_request(void)
{
	struct lose lose = { 'A', IKE_SA_INIT, 4 };
	struct wire w;

	wire_init(&w, 1);
	w.filter = lose_filter;
	w.filter_argument = &lose;
	wire_start(&w);
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).request_sent, 3);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).request_exchange, IKE_SA_INIT);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 8 * S));
	CU_ASSERT_EQUAL(node_status(&w.a, 0).request_sent, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static bool keep_everything(struct wire *w, struct packet *p, void *argument)
{
	struct packet *kept = argument;
	int slot = (p->from == &w->a ? 0 : 2) + (p->data[18] == IKE_AUTH);

	if (p->data[18] <= IKE_AUTH && !kept[slot].data) {
		kept[slot] = *p;
		kept[slot].data = malloc(p->len);
		memcpy(kept[slot].data, p->data, p->len);
	}
	return true;
}

static void free_kept(struct packet *kept)
{
	for (int i = 0; i < 4; i++)
		free(kept[i].data);
}

struct last_sent {
	uint8_t data[2048];
	size_t len;
	unsigned count;
};

static bool remember_last(struct wire *w, struct packet *p, void *argument)
{
	struct last_sent *last = argument;

	if (p->from != &w->b || p->len > sizeof(last->data))
		return true;
	memcpy(last->data, p->data, p->len);
	last->len = p->len;
	last->count++;
	return true;
}

static void test_repeated_request_gets_the_same_bytes(void)
{
	struct wire w;
	struct packet kept[4] = { 0 };
	struct last_sent last = { .len = 0 };

	wire_init(&w, 2);
	w.filter = keep_everything;
	w.filter_argument = kept;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	w.filter = remember_last;
	w.filter_argument = &last;
	node_receive(&w.b, &kept[1].local, &kept[1].remote, BYTES(kept[1].data, kept[1].len));
	CU_ASSERT_EQUAL(last.count, 1);
	CU_ASSERT_TRUE(bytes_equal(BYTES(last.data, last.len), BYTES(kept[3].data, kept[3].len)));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_ANSWERED_AGAIN), 1);
	/* changed in one bit it is no repetition, and no new request either */
	kept[1].data[kept[1].len - 1] ^= 1;
	node_receive(&w.b, &kept[1].local, &kept[1].remote, BYTES(kept[1].data, kept[1].len));
	CU_ASSERT_EQUAL(last.count, 1);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_MESSAGE_ID), 1);
	CU_ASSERT_EQUAL(w.b.installs, 1);
	free_kept(kept);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_late_sa_init_makes_no_second_sa(void)
{
	struct wire w;
	struct packet kept[4] = { 0 };

	wire_init(&w, 3);
	w.filter = keep_everything;
	w.filter_argument = kept;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	node_receive(&w.b, &kept[0].local, &kept[0].remote, BYTES(kept[0].data, kept[0].len));
	node_receive(&w.a, &kept[2].local, &kept[2].remote, BYTES(kept[2].data, kept[2].len));
	node_receive(&w.a, &kept[3].local, &kept[3].remote, BYTES(kept[3].data, kept[3].len));
	wire_run(&w, S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_BAD_MESSAGE_ID), 2);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_STARTED], 1);
	free_kept(kept);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_duplicate_sa_init_while_the_key_is_made(void)
{
	struct wire w;

	wire_init(&w, 4);
	w.duplicate_percent = 100;
	w.job_delay_ns = 200 * MS;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 2 * S);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_STARTED], 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_EQUAL(w.a.installs + w.b.installs, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_everything_duplicated(void)
{
	struct wire w;

	wire_init(&w, 5);
	w.duplicate_percent = 100;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	node_command(&w.a, IKE_TERMINATE, 0);
	CU_ASSERT_TRUE(wire_run_until_down(&w, 5 * S));
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.a.installs + w.b.installs, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_everything_reordered(void)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct wire w;
		wire_init(&w, seed);
		w.duplicate_percent = 50;
		w.reorder_percent = 100;
		wire_start(&w);
		CU_ASSERT_TRUE(wire_run_until_up(&w, 20 * S));
		wire_run(&w, 5 * S);
		CU_ASSERT_TRUE(wire_up(&w));
		CU_ASSERT_EQUAL(w.a.installs, 1);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_request_outside_the_window_is_dropped(void)
{
	struct wire w;
	uint8_t bytes[256];
	struct endpoint a = { 0 }, b = { 0 };

	wire_init(&w, 6);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	a = (struct endpoint){ w.a.inside, 500 };
	b = (struct endpoint){ w.b.inside, 500 };
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	const uint32_t ids[] = { 0, 1, 3, 100, UINT32_MAX };
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		size_t len = seal_raw(&w.a, INFORMATIONAL, false, ids[i], 0, BYTES_NONE, bytes, sizeof(bytes));
		node_receive(&w.b, &b, &a, BYTES(bytes, len));
	}
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_MESSAGE_ID), ARRAY_LEN(ids));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent);
	/* the one that is expected is answered */
	size_t len = seal_raw(&w.a, INFORMATIONAL, false, 2, 0, BYTES_NONE, bytes, sizeof(bytes));
	node_receive(&w.b, &b, &a, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent + 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_response_of_another_exchange_is_dropped(void)
{
	struct wire w;
	uint8_t bytes[256];

	wire_init(&w, 8);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	w.b.dead = true;
	wire_run(&w, 11 * S);
	uint64_t dropped = node_counter(&w.a, IKE_C_BAD_MESSAGE_ID);
	struct endpoint a = { w.a.inside, 500 }, b = { w.b.inside, 500 };
	size_t len = seal_raw(&w.b, IKE_AUTH, true, 2, 0, BYTES_NONE, bytes, sizeof(bytes));
	node_receive(&w.a, &a, &b, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_BAD_MESSAGE_ID), dropped + 1);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

struct ivs {
	uint8_t seen[2][64][16];
	unsigned count[2], repeated;
	size_t len;
};

/* No two messages of one side have the same IV. */
static bool collect_ivs(struct wire *w, struct packet *p, void *argument)
{
	struct ivs *ivs = argument;
	unsigned side = p->from == &w->b;
	const uint8_t *iv = p->data + IKE_HEADER_BYTES + PAYLOAD_HEADER_BYTES;

	if (p->data[16] != PAYLOAD_SK || ivs->count[side] == ARRAY_LEN(ivs->seen[0]))
		return true;
	for (unsigned i = 0; i < ivs->count[side]; i++)
		ivs->repeated += !memcmp(ivs->seen[side][i], iv, ivs->len);
	memcpy(ivs->seen[side][ivs->count[side]++], iv, ivs->len);
	return true;
}

static void check_ivs(const char *proposal, size_t iv_bytes)
{
	struct wire w;
	struct ivs ivs = { .len = iv_bytes };

	wire_init(&w, 9);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, proposal);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, proposal);
	w.filter = collect_ivs;
	w.filter_argument = &ivs;
	wire_start(&w);
	wire_run(&w, 500 * S);
	CU_ASSERT_TRUE(ivs.count[0] >= 40 && ivs.count[1] >= 40);
	CU_ASSERT_EQUAL(ivs.repeated, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_ivs_never_repeat_with_a_counter_mode(void)
{
	check_ivs("aes128gcm16-prfsha256-x25519", 8);
}

static void test_ivs_never_repeat_with_cbc(void)
{
	check_ivs("aes128-sha256-x25519", 16);
}

static void test_responder_numbers_its_own_requests_from_zero(void)
{
	struct wire w;

	wire_init(&w, 7);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	w.story_len = 0;
	node_command(&w.b, IKE_TERMINATE, 0);
	wire_run(&w, 200 * MS);
	CU_ASSERT_TRUE(wire_story_is(&w, "B INFORMATIONAL request 0\nA INFORMATIONAL response 0\n"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Both begin in the same instant; both SAs come up and one is deleted, without a moment in which one side sends on what
 * the other no longer has. */
static void check_both_sides(uint64_t seed, unsigned loss, unsigned reorder, uint64_t delay_b)
{
	struct wire w;

	wire_init(&w, seed);
	w.loss_percent = loss;
	w.reorder_percent = reorder;
	w.watch_traffic = loss == 0;
	w.b.profiles[0].children[0].start = START_RESPOND;
	w.a.profiles[0].children[0].start = START_RESPOND;
	w.a.profiles[0].dpd_interval_ns = w.b.profiles[0].dpd_interval_ns = 60 * S;
	wire_start(&w);
	node_command(&w.a, IKE_INITIATE, 0);
	wire_run(&w, delay_b);
	node_command(&w.b, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 50 * S));
	wire_run(&w, 50 * S);
	if (!loss)
		CU_ASSERT_TRUE(wire_up(&w));
	/* a side that never heard of the deletion finds out by its liveness check */
	w.loss_percent = 0;
	wire_run(&w, 100 * S);
	if (!wire_up(&w) || node_live_pairs(&w.a) != 1 || ike_sa_count(w.a.engine) != 1 || w.fault)
		printf("# seed %lu delay %lu ms: pairs %u %u, SAs %u %u\n", (unsigned long)seed,
			(unsigned long)(delay_b / MS), node_live_pairs(&w.a), node_live_pairs(&w.b),
			ike_sa_count(w.a.engine), ike_sa_count(w.b.engine));
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	/* one of two ends: no failure to tell */
	if (!loss)
		CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED] + w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_both_sides_begin_at_once(void)
{
	for (uint64_t seed = 0; seed < 10; seed++)
		check_both_sides(seed, 0, 0, 0);
}

static void test_both_sides_begin_nearly_at_once(void)
{
	for (uint64_t delay = 0; delay < 100 * MS; delay += 5 * MS)
		check_both_sides(delay, 0, 0, delay);
}

static void test_both_sides_begin_with_reordering(void)
{
	for (uint64_t seed = 0; seed < 150; seed++)
		check_both_sides(seed, 0, 60, seed % 50 * MS);
}

static void test_both_sides_begin_with_loss(void)
{
	for (uint64_t seed = 0; seed < 150; seed++)
		check_both_sides(seed, 20, 20, seed % 100 * MS);
}

struct jitter {
	uint64_t random;
};

static bool delay_by_chance(struct wire *w, struct packet *p, void *argument)
{
	struct jitter *jitter = argument;

	(void)w;
	p->at_ns += test_random(&jitter->random) % (80 * MS);
	return true;
}

/* Both start by themselves: whatever pair either side ends on, the other side has it. */
static void check_both_start(uint64_t seed)
{
	struct wire w;
	struct jitter jitter = { seed * 7919 + 1 };

	wire_init(&w, seed);
	w.filter = delay_by_chance;
	w.filter_argument = &jitter;
	w.latency_ns = MS + test_random(&jitter.random) % (20 * MS);
	w.job_delay_ns = test_random(&jitter.random) % (30 * MS);
	w.b.profiles[0].children[0].start = START_INITIATE;
	/* nothing but the handshakes themselves settles it */
	w.a.profiles[0].dpd_interval_ns = w.b.profiles[0].dpd_interval_ns = 0;
	wire_start(&w);
	wire_run(&w, 20 * S);
	if (!wire_up(&w) || w.fault)
		printf("# seed %lu: pairs %u %u\n", (unsigned long)seed, node_live_pairs(&w.a), node_live_pairs(&w.b));
	CU_ASSERT_TRUE(node_flows(&w.a, &w.b));
	CU_ASSERT_TRUE(node_flows(&w.b, &w.a));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_both_sides_start_and_traffic_flows_both_ways(void)
{
	for (uint64_t seed = 0; seed < 200; seed++)
		check_both_start(seed);
}

/* A peer that builds a new IKE SA while the old one is up (make before break): traffic always has a pair. */
static void check_make_before_break(uint64_t seed, char side)
{
	struct wire w;

	wire_init(&w, seed);
	w.watch_traffic = true;
	w.reorder_percent = seed % 2 * 50;
	w.duplicate_percent = seed % 3 * 20;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 20 * S));
	wire_run(&w, 5 * S);
	struct node *n = side == 'A' ? &w.a : &w.b;
	node_start_another(n, 0);
	wire_run(&w, 60 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(n->installs, 2);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	if (w.fault)
		printf("# seed %lu\n", (unsigned long)seed);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_new_sa_beside_the_old_one_loses_no_traffic(void)
{
	for (uint64_t seed = 0; seed < 60; seed++)
		check_make_before_break(seed, seed % 4 < 2 ? 'A' : 'B');
}

/* Both want the tunnel; messages are lost, doubled and late. It always comes up, and once the wire is quiet it is one
 * tunnel. */
static void soak(uint64_t seed)
{
	struct wire w;

	wire_init(&w, seed);
	w.loss_percent = 30;
	w.duplicate_percent = 20;
	w.reorder_percent = 20;
	w.job_delay_ns = seed % 3 * 50 * MS;
	w.b.profiles[0].children[0].start = seed % 2 ? START_INITIATE : START_RESPOND;
	w.a.profiles[0].lifetime_ns = 60 * S;
	w.b.profiles[0].children[0].lifetime_ns = 45 * S;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 200 * S));
	wire_run(&w, 200 * S);
	w.loss_percent = w.duplicate_percent = w.reorder_percent = 0;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
	if (!wire_up(&w) || w.fault)
		printf("# seed %lu\n", (unsigned long)seed);
	node_command(&w.a, IKE_TERMINATE_ALL, 0);
	node_command(&w.b, IKE_TERMINATE_ALL, 0);
	wire_run(&w, 120 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.a.spis_out + w.b.spis_out, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_soak_with_loss_always_converges(void)
{
	for (uint64_t seed = 0; seed < 150; seed++)
		soak(seed);
}

static const struct test tests[] = {
	TEST(test_loss_of_sa_init_request),
	TEST(test_loss_of_sa_init_response),
	TEST(test_loss_of_auth_request),
	TEST(test_loss_of_auth_response),
	TEST(test_loss_backs_off),
	TEST(test_status_counts_an_unanswered_request),
	TEST(test_repeated_request_gets_the_same_bytes),
	TEST(test_late_sa_init_makes_no_second_sa),
	TEST(test_duplicate_sa_init_while_the_key_is_made),
	TEST(test_everything_duplicated),
	TEST(test_everything_reordered),
	TEST(test_request_outside_the_window_is_dropped),
	TEST(test_response_of_another_exchange_is_dropped),
	TEST(test_ivs_never_repeat_with_a_counter_mode),
	TEST(test_ivs_never_repeat_with_cbc),
	TEST(test_responder_numbers_its_own_requests_from_zero),
	TEST(test_both_sides_begin_at_once),
	TEST(test_both_sides_begin_nearly_at_once),
	TEST(test_both_sides_begin_with_reordering),
	TEST(test_both_sides_begin_with_loss),
	TEST(test_both_sides_start_and_traffic_flows_both_ways),
	TEST(test_new_sa_beside_the_old_one_loses_no_traffic),
	TEST(test_soak_with_loss_always_converges),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
