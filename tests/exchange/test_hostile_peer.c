/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: a peer that is who it says, and means ill. B's engine brings the tunnel up and falls silent; what B
 * says then is written here, under its keys. */
#include "harness.h"

#include <stdlib.h>

#include "fake_wire.h"
#include "v2/v2.h"

/* Sends under the keys of this IKE SA of B. */
static void say_as(struct wire *w, struct ike_sa *sa, struct message *m)
{
	struct endpoint local = { w->a.inside, 500 }, remote = { w->b.outside, 500 };
	uint8_t *bytes;
	size_t len;

	CU_ASSERT_EQUAL_FATAL(protect_seal(w->b.engine, sa, m, &bytes, &len), 0);
	node_receive(&w->a, &local, &remote, BYTES(bytes, len));
	free(bytes);
}

static void say(struct wire *w, struct message *m)
{
	say_as(w, node_sa(&w->b), m);
}

/* SA and nonce for A's phase2 entry, as B would write them. */
static void add_child_parts(struct wire *w, uint32_t index, uint32_t spi, struct message *m)
{
	static const uint8_t nonce[32] = { 1 };
	struct proposal_list offer = w->a.profiles[0].children[index].proposals;

	proposals_address(&offer, 4, spi);
	message_add_sa(m, &offer);
	message_add(m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
}

/* Each for another host of B. */
static void ask_for_child(struct wire *w, uint32_t id, uint32_t spi)
{
	struct selector_list host;
	char text[32];
	struct message m;

	snprintf(text, sizeof(text), "10.2.0.%u/32", id + 1);
	selectors_set(&host, text);
	protect_init_message(node_sa(&w->b), CREATE_CHILD_SA, false, id, &m);
	add_child_parts(w, 0, spi, &m);
	message_add_ts(&m, PAYLOAD_TSI, &host);
	message_add_ts(&m, PAYLOAD_TSR, &w->a.profiles[0].children[0].local);
	say(w, &m);
}

static void answer_child(struct wire *w, uint32_t id, uint32_t index, uint32_t spi)
{
	const struct child_profile *p = &w->a.profiles[0].children[index];
	struct message m;

	protect_init_message(node_sa(&w->b), CREATE_CHILD_SA, true, id, &m);
	add_child_parts(w, index, spi, &m);
	message_add_ts(&m, PAYLOAD_TSI, &p->local);
	message_add_ts(&m, PAYLOAD_TSR, &p->remote);
	say(w, &m);
}

/* ---- many Child SAs ---- */

/* There are 62 Child SAs that B asked for and the first one; A's request for its second phase2 entry, message 2, is
 * out. */
static void fill_up(struct wire *w)
{
	struct child_profile *c = &w->a.profiles[0].children[1];

	wire_init(w, 1);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes128gcm16-noesn");
	*c = w->a.profiles[0].children[0];
	snprintf(c->name, sizeof(c->name), "lab");
	selectors_set(&c->local, "10.1.1.0/24");
	c->start = START_RESPOND;
	w->a.profiles[0].child_count = 2;
	w->a.profiles[0].dpd_interval_ns = 0;
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	w->b.dead = true;
	for (uint32_t i = 0; i < 62; i++)
		ask_for_child(w, i, 0x1000 + i);
	node_index_command(&w->a, IKE_INITIATE, 0, 1);
	CU_ASSERT_EQUAL(node_sa(&w->a)->child_count, 63);
}

static void delete_all(struct wire *w, uint32_t id)
{
	struct child_sa *child;
	uint8_t spis[4 * 128];
	struct writer out = writer_init(spis, sizeof(spis));
	struct message m;

	TAILQ_FOREACH (child, &node_sa(&w->a)->children, siblings)
		writer_u32(&out, child->spi_out);
	protect_init_message(node_sa(&w->b), INFORMATIONAL, false, id, &m);
	struct payload *p = message_add(&m, PAYLOAD_DELETE);
	p->del.protocol = PROTOCOL_ESP;
	p->del.spi_len = 4;
	p->del.count = (uint16_t)(out.len / 4);
	p->del.spis = writer_view(&out);
	say(w, &m);
}

static void test_our_own_child_has_its_place_among_all(void)
{
	struct wire w;

	fill_up(&w);
	/* one more is none too many without ours, which is on its way */
	ask_for_child(&w, 62, 0x2000);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "too many Child SAs");
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.a.failure.hint, "without end"));
	answer_child(&w, 2, 1, 0x3000);
	CU_ASSERT_EQUAL(node_sa(&w.a)->child_count, CHILD_SAS_MAX);
	/* nor would another one of ours be begun; those there are can be renewed */
	CU_ASSERT_FALSE(child_has_room(node_sa(&w.a), false));
	CU_ASSERT_TRUE(child_has_room(node_sa(&w.a), true));
	delete_all(&w, 63);
	wire_run(&w, CHILD_GRACE_NS);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- many IKE SAs ---- */

static void ask_for_ike_sa(struct wire *w, uint32_t id, uint64_t spi)
{
	static const uint8_t nonce[32] = { 1 }, key[32] = { 9 };
	struct proposal_list offer = w->a.profiles[0].proposals;
	struct message m;

	protect_init_message(node_sa(&w->b), CREATE_CHILD_SA, false, id, &m);
	proposals_address(&offer, 8, spi);
	message_add_sa(&m, &offer);
	message_add(&m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
	struct payload *ke = message_add(&m, PAYLOAD_KE);
	ke->ke.group = KE_CURVE25519;
	ke->ke.data = BYTES_OF(key);
	say(w, &m);
	wire_run(w, MS);
}

/* A's own rekeying is never answered, and B begins one after the other of the same IKE SA (RFC 7296 2.8.2). */
static void test_rekeyings_beside_our_own_are_few(void)
{
	struct wire w;
	struct ike_actions out = { 0 };

	wire_init(&w, 2);
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 100 * MS);
	w.b.dead = true;
	w.a.engine->now_ns = w.now_ns;
	w.a.engine->out = &out;
	rekey_ike_on_timer(w.a.engine, node_sa(&w.a));
	w.a.engine->out = NULL;
	node_carry_out(&w.a, &out);
	wire_run(&w, 10 * MS);
	for (uint32_t i = 0; i < 20; i++)
		ask_for_ike_sa(&w, i, 0x1000 + i);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 5);
	wire_run(&w, 60 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_PHASE1_DOWN], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- putting off ---- */

/* RFC 7296 2.25 */
static void test_a_request_is_not_put_off_for_ever(void)
{
	struct wire w;
	struct message m;
	unsigned asked = 0;

	wire_init(&w, 3);
	w.a.profiles[0].dpd_interval_ns = 0;
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 100 * MS);
	w.b.dead = true;
	node_index_command(&w.a, IKE_REKEY, 0, 0);
	for (; node_sa(&w.a)->state == ST_ESTABLISHED && asked < 600; asked++) {
		if (node_sa(&w.a)->outbox.request) {
			protect_init_message(
				node_sa(&w.b), CREATE_CHILD_SA, true, node_sa(&w.a)->outbox.request_id, &m);
			message_add_notify(&m, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
			say(&w, &m);
		}
		if (asked == 10)
			CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 1);
		wire_run(&w, S);
	}
	CU_ASSERT_TRUE(asked > 240 && asked < 250);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 2);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_TEMPORARY_FAILURE);
	w.b.dead = false;
	node_restart(&w.b);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_a_request_is_not_put_off_for_ever),
	TEST(test_rekeyings_beside_our_own_are_few),
	TEST(test_our_own_child_has_its_place_among_all),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
