/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: negotiations that fail or take a detour: what both sides report, and what is left behind. */
#include "harness.h"

#include "fake_wire.h"

static bool says(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	printf("# \"%s\" does not say \"%s\"\n", text, part);
	return false;
}

/* Nobody is up, nothing was installed. */
static void check_nothing_up(const struct wire *w)
{
	CU_ASSERT_EQUAL(w->a.installs + w->b.installs, 0);
	CU_ASSERT_EQUAL(w->a.events[IKE_EV_PHASE1_UP] + w->b.events[IKE_EV_PHASE1_UP], 0);
}

static void test_failure_ike_proposal_mismatch(void)
{
	struct wire w;

	wire_init(&w, 1);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes128-sha256-x25519");
	wire_start(&w);
	wire_run(&w, S);
	check_nothing_up(&w);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_EQUAL(w.b.failure_tunnel, 0);
	CU_ASSERT_FALSE(w.b.failure.initiator);
	CU_ASSERT_EQUAL(w.b.failure.exchange, IKE_SA_INIT);
	CU_ASSERT_TRUE(says(w.b.failure.ours, "AES-CBC-128"));
	CU_ASSERT_TRUE(says(w.b.failure.theirs, "AES-GCM-256"));
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "encryption: ours AES-CBC-128, theirs AES-GCM-256");
	CU_ASSERT_TRUE(w.a.failure.initiator);
	CU_ASSERT_EQUAL(w.a.failure.phase, 1);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_TRUE(says(w.a.failure.ours, "AES-GCM-256"));
	CU_ASSERT_STRING_EQUAL(w.a.failure.theirs, "");
	CU_ASSERT_EQUAL(node_status(&w.a, 0).failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_group_mismatch_names_the_group(void)
{
	struct wire w;

	wire_init(&w, 2);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384");
	wire_start(&w);
	wire_run(&w, S);
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "key exchange: ours ECP-384, theirs CURVE25519");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_text_of_a_huge_offer_is_short(void)
{
	struct wire w;

	wire_init(&w, 33);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE,
		"aes256gcm16-prfsha384-x25519,aes128gcm16-prfsha256-x25519,aes192-sha384-ecp384");
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes128-sha256-ecp256");
	wire_start(&w);
	wire_run(&w, S);
	CU_ASSERT_TRUE(says(w.b.failure.theirs, "AES-GCM-128/PRF-HMAC-SHA2-256/CURVE25519, ..."));
	CU_ASSERT_PTR_NULL(strstr(w.b.failure.theirs, "AES-CBC-192"));
	/* our own offer is told in full */
	CU_ASSERT_TRUE(says(w.a.failure.ours, "AES-CBC-192"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_unknown_peer_is_told_and_recorded(void)
{
	struct wire w;

	wire_init(&w, 3);
	addr_parse("192.0.2.99", &w.b.profiles[0].remote_addr);
	wire_start(&w);
	wire_run(&w, S);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 1);
	CU_ASSERT_EQUAL(w.b.failure_tunnel, -1);
	CU_ASSERT_TRUE(says(w.b.failure.theirs, "AES-GCM-256"));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_NO_TUNNEL), 1);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_wrong_psk(void)
{
	struct wire w;

	wire_init(&w, 4);
	w.b.psk = "an example of a shared secreT";
	wire_start(&w);
	wire_run(&w, S / 2);
	check_nothing_up(&w);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_EQUAL(w.b.failure.exchange, IKE_AUTH);
	CU_ASSERT_TRUE(says(w.b.failure.reason, "pre-shared key"));
	CU_ASSERT_TRUE(says(w.b.failure.theirs, "a.example.net"));
	CU_ASSERT_TRUE(says(w.b.failure.ours, "b.example.net"));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_AUTH_FAILED), 1);
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_AUTH_FAILED), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_no_psk_at_responder(void)
{
	struct wire w;

	wire_init(&w, 5);
	w.b.psk = NULL;
	wire_start(&w);
	wire_run(&w, S / 2);
	check_nothing_up(&w);
	CU_ASSERT_TRUE(says(w.b.failure.reason, "no pre-shared key"));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_no_psk_at_initiator(void)
{
	struct wire w;

	wire_init(&w, 6);
	w.a.psk = NULL;
	wire_start(&w);
	wire_run(&w, S / 2);
	check_nothing_up(&w);
	CU_ASSERT_TRUE(says(w.a.failure.reason, "no pre-shared key"));
	CU_ASSERT_TRUE(w.a.failure.initiator);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_initiator_identity_not_accepted(void)
{
	struct wire w;

	wire_init(&w, 7);
	identity_parse("mallory.example.net", &w.a.profiles[0].local_id);
	wire_start(&w);
	wire_run(&w, S / 2);
	check_nothing_up(&w);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_STRING_EQUAL(w.b.failure.ours, "a.example.net");
	CU_ASSERT_STRING_EQUAL(w.b.failure.theirs, "mallory.example.net");
	CU_ASSERT_TRUE(says(w.b.failure.mismatch, "peer identity"));
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_responder_is_asked_for_another_identity(void)
{
	struct wire w;

	wire_init(&w, 8);
	identity_parse("c.example.net", &w.a.profiles[0].remote_id);
	wire_start(&w);
	wire_run(&w, S / 2);
	check_nothing_up(&w);
	CU_ASSERT_TRUE(says(w.b.failure.mismatch, "our identity: expected b.example.net, received c.example.net"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* B's profile asks for nothing and A's for "any", so only AUTH can tell. */
static void test_failure_initiator_refuses_responder_with_wrong_key(void)
{
	struct wire w;

	wire_init(&w, 9);
	/* B verifies with the right key and signs with another: a responder that only relays */
	w.a.profiles[0].children[0].start = START_RESPOND;
	wire_start(&w);
	node_command(&w.a, IKE_INITIATE, 0);
	uint64_t end = w.now_ns + S;
	while (node_counter(&w.b, IKE_C_RECEIVED) < 2 && wire_step(&w, end))
		;
	/* change what B says about itself on the way: AUTH no longer covers it */
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_RECEIVED), 2);
	w.a.psk = "something else";
	wire_run(&w, S);
	CU_ASSERT_EQUAL(w.a.installs, 0);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_AUTHENTICATION_FAILED);
	CU_ASSERT_TRUE(w.a.failure.initiator);
	/* B was told and gave its SA up */
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(says(w.b.failure.reason, "AUTHENTICATION_FAILED"));
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_story_is(&w, "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\nA IKE_AUTH request 1\n"
					 "B IKE_AUTH response 1\nA INFORMATIONAL request 2\n"
					 "B INFORMATIONAL response 2\n"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_esp_mismatch_keeps_the_ike_sa(void)
{
	struct wire w;

	wire_init(&w, 10);
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16");
	wire_start(&w);
	wire_run(&w, S / 2);
	CU_ASSERT_EQUAL(w.a.installs + w.b.installs, 0);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).phase1, PHASE_UP);
	CU_ASSERT_EQUAL(node_status(&w.a, 0).children[0].state, PHASE_DOWN);
	CU_ASSERT_EQUAL(w.b.failure.phase, 2);
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "encryption: ours AES-GCM-256, theirs AES-GCM-128");
	CU_ASSERT_EQUAL(w.a.failure.phase, 2);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_TRUE(says(w.a.failure.ours, "AES-GCM-128"));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_childless_sa_is_tried_again_with_growing_pauses(void)
{
	struct wire w;

	wire_init(&w, 11);
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16");
	wire_start(&w);
	wire_run(&w, 40 * S);
	/* pauses of 1, 2, 4, 8, 10, 10 s and up to a quarter more */
	CU_ASSERT_TRUE(w.a.events[IKE_EV_FAILED] >= 5 && w.a.events[IKE_EV_FAILED] <= 7);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_STARTED], 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_selector_mismatch_names_the_side(void)
{
	struct wire w;

	wire_init(&w, 12);
	selectors_set(&w.b.profiles[0].children[0].remote, "10.9.0.0/24");
	wire_start(&w);
	wire_run(&w, S / 2);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_EQUAL(w.b.failure.phase, 2);
	CU_ASSERT_STRING_EQUAL(w.b.failure.ours, "10.2.0.0/24 === 10.9.0.0/24");
	CU_ASSERT_STRING_EQUAL(w.b.failure.theirs, "10.2.0.0/24 === 10.1.0.0/24");
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "remote selectors: ours 10.9.0.0/24, theirs 10.1.0.0/24");
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_TS_UNACCEPTABLE);
	CU_ASSERT_STRING_EQUAL(w.a.failure.ours, "10.1.0.0/24 === 10.2.0.0/24");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_negotiation_responder_narrows(void)
{
	struct wire w;

	wire_init(&w, 13);
	selectors_set(&w.a.profiles[0].children[0].local, "10.1.0.0/16");
	selectors_set(&w.a.profiles[0].children[0].remote, "0.0.0.0/0");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	char text[SELECTOR_TEXT_MAX];
	CU_ASSERT_STRING_EQUAL(selector_list_format(&node_pair(&w.a)->out.local, text, sizeof(text)), "10.1.0.0/24");
	CU_ASSERT_STRING_EQUAL(selector_list_format(&node_pair(&w.a)->out.remote, text, sizeof(text)), "10.2.0.0/24");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_negotiation_several_selectors(void)
{
	struct wire w;

	wire_init(&w, 14);
	selectors_set(&w.a.profiles[0].children[0].local, "10.1.0.0/24,10.3.0.0/24[tcp/80]");
	selectors_set(&w.b.profiles[0].children[0].remote, "10.1.0.0/24,10.3.0.0/16");
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(node_pair(&w.b)->in.remote.count, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_negotiation_retries_with_the_wanted_group(void)
{
	struct wire w;

	wire_init(&w, 15);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519-ecp384");
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384");
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_story_is(&w, "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\nA IKE_SA_INIT request 0\n"
					 "B IKE_SA_INIT response 0\nA IKE_AUTH request 1\nB IKE_AUTH response 1\n"));
	CU_ASSERT_EQUAL(node_status(&w.a, 0).failure.phase, 0);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_REFUSED], 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Writes an unprotected IKE_SA_INIT answer with one notify, as anybody who sees the request can. */
static void forge_notify(struct wire *w, const struct packet *request, uint16_t type, struct bytes data)
{
	uint8_t bytes[256];
	struct writer out = writer_init(bytes, sizeof(bytes));
	struct message m;

	message_init(&m, load_be64(request->data), 0, IKE_SA_INIT, IKE_FLAG_RESPONSE, 0);
	message_add_notify(&m, (enum notify_type)type, data);
	CU_ASSERT_EQUAL(message_encode(&m, &out), 0);
	struct endpoint a = { w->a.inside, 500 }, b = { w->b.outside, 500 };
	node_receive(&w->a, &a, &b, writer_view(&out));
}

struct forgery {
	uint16_t type;
	struct bytes data;
	unsigned count, limit;
	bool drop;
};

/* Each IKE_SA_INIT request is answered by an attacker first. */
static bool forge_filter(struct wire *w, struct packet *p, void *argument)
{
	struct forgery *f = argument;
	bool request = p->from == &w->a && p->data[18] == IKE_SA_INIT;

	if (!request || f->count >= f->limit)
		return true;
	f->count++;
	/* no answer inside the send of the request: the engine is not to be entered twice */
	return !f->drop;
}

static void run_with_forgery(struct wire *w, struct forgery *f, uint64_t duration)
{
	uint64_t end = w->now_ns + duration;
	unsigned seen = 0;

	w->filter = forge_filter;
	w->filter_argument = f;
	while (wire_step(w, end))
		if (f->count > seen) {
			struct packet request = { .data = (uint8_t[8]){ 0 } };
			struct ike_tunnel_status s = node_status(&w->a, 0);
			seen = f->count;
			store_be64(request.data, s.spi_i);
			forge_notify(w, &request, f->type, f->data);
		}
}

static void test_forged_no_proposal_chosen_is_not_believed_at_once(void)
{
	struct wire w;
	struct forgery f = { NOTIFY_NO_PROPOSAL_CHOSEN, BYTES_NONE, 0, 1, false };

	wire_init(&w, 16);
	wire_start(&w);
	run_with_forgery(&w, &f, 5 * S);
	CU_ASSERT_EQUAL(f.count, 1);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_forged_authentication_failed_is_not_believed(void)
{
	struct wire w;
	struct forgery f = { NOTIFY_AUTHENTICATION_FAILED, BYTES_NONE, 0, 3, true };

	wire_init(&w, 17);
	wire_start(&w);
	run_with_forgery(&w, &f, 20 * S);
	CU_ASSERT_EQUAL(f.count, 3);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_cookie_is_sent_back_first(void)
{
	static const uint8_t cookie[] = "a cookie of the responder";
	struct wire w;
	struct forgery f = { NOTIFY_COOKIE, BYTES_OF(cookie), 0, 1, true };

	wire_init(&w, 18);
	wire_start(&w);
	run_with_forgery(&w, &f, 5 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_RETRANSMITTED), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

struct cookie_seen {
	bool first;
};

static bool look_for_cookie(struct wire *w, struct packet *p, void *argument)
{
	struct cookie_seen *seen = argument;
	struct message m;
	struct wire_error error;

	if (p->from == &w->a && p->data[18] == IKE_SA_INIT && !message_decode(BYTES(p->data, p->len), &m, &error))
		seen->first = m.count && m.payloads[0].type == PAYLOAD_NOTIFY &&
			      m.payloads[0].notify.type == NOTIFY_COOKIE;
	return true;
}

static void test_cookie_stands_in_front_of_the_request(void)
{
	static const uint8_t cookie[64] = { 1, 2, 3 };
	struct wire w;
	struct cookie_seen seen = { false };
	uint8_t spi[8];
	struct packet request = { .data = spi };

	wire_init(&w, 19);
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	w.filter = look_for_cookie;
	w.filter_argument = &seen;
	store_be64(spi, node_status(&w.a, 0).spi_i);
	forge_notify(&w, &request, NOTIFY_COOKIE, BYTES_OF(cookie));
	CU_ASSERT_TRUE(seen.first);
	/* the same again is a duplicate: nothing is sent for it */
	uint64_t sent = node_counter(&w.a, IKE_C_SENT);
	forge_notify(&w, &request, NOTIFY_COOKIE, BYTES_OF(cookie));
	/* and one that is too long is none */
	uint8_t long_cookie[65] = { 9 };
	forge_notify(&w, &request, NOTIFY_COOKIE, BYTES_OF(long_cookie));
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_SENT), sent);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_cookie_rounds_are_bounded(void)
{
	struct wire w;
	uint8_t spi[8], cookie[16] = { 0 };
	struct packet request = { .data = spi };

	wire_init(&w, 20);
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	store_be64(spi, node_status(&w.a, 0).spi_i);
	uint64_t sent = node_counter(&w.a, IKE_C_SENT);
	for (int i = 0; i < 50; i++) {
		cookie[0] = (uint8_t)(i + 1);
		forge_notify(&w, &request, NOTIFY_COOKIE, BYTES_OF(cookie));
	}
	CU_ASSERT_TRUE(node_counter(&w.a, IKE_C_SENT) - sent <= 4);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_invalid_ke_cannot_lead_out_of_the_offer(void)
{
	static const uint8_t modp2048[] = { 0, 14 }, modp768[] = { 0, 1 }, odd[] = { 14 };
	const struct bytes groups[] = { BYTES_OF(modp2048), BYTES_OF(modp768), BYTES_OF(odd), BYTES_NONE };
	struct wire w;
	uint8_t spi[8];
	struct packet request = { .data = spi };

	wire_init(&w, 21);
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	store_be64(spi, node_status(&w.a, 0).spi_i);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		forge_notify(&w, &request, NOTIFY_INVALID_KE_PAYLOAD, groups[i]);
	CU_ASSERT_EQUAL(w.job_count, 0);
	w.b.dead = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_STRING_EQUAL(node_status(&w.a, 0).suite, "AES-GCM-256/PRF-HMAC-SHA2-384/CURVE25519");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_invalid_ke_that_comes_twice_is_followed_once(void)
{
	static const uint8_t ecp384[] = { 0, 20 };
	struct wire w;
	uint8_t spi[8];
	struct packet request = { .data = spi };

	wire_init(&w, 31);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519-ecp384");
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	store_be64(spi, node_status(&w.a, 0).spi_i);
	forge_notify(&w, &request, NOTIFY_INVALID_KE_PAYLOAD, BYTES_OF(ecp384));
	CU_ASSERT_EQUAL(w.job_count, 1);
	wire_run(&w, 100 * MS);
	forge_notify(&w, &request, NOTIFY_INVALID_KE_PAYLOAD, BYTES_OF(ecp384));
	CU_ASSERT_EQUAL(w.job_count, 0);
	wire_run(&w, 32 * S);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "peer did not answer");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_invalid_ke_leads_to_each_group_once(void)
{
	static const uint8_t groups[][2] = { { 0, 20 }, { 0, 31 }, { 0, 19 }, { 0, 20 }, { 0, 31 } };
	static const size_t jobs[] = { 1, 0, 1, 0, 0 };
	struct wire w;
	uint8_t spi[8];
	struct packet request = { .data = spi };

	wire_init(&w, 32);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519-ecp384-ecp256");
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	store_be64(spi, node_status(&w.a, 0).spi_i);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		forge_notify(&w, &request, NOTIFY_INVALID_KE_PAYLOAD, BYTES_OF(groups[i]));
		CU_ASSERT_EQUAL(w.job_count, jobs[i]);
		wire_run(&w, 10 * MS);
	}
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_invalid_ke_outside_the_offer_is_the_failure(void)
{
	static const uint8_t modp2048[] = { 0, 14 };
	struct wire w;
	uint8_t spi[8];
	struct packet request = { .data = spi };

	wire_init(&w, 22);
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	store_be64(spi, node_status(&w.a, 0).spi_i);
	forge_notify(&w, &request, NOTIFY_INVALID_KE_PAYLOAD, BYTES_OF(modp2048));
	wire_run(&w, 32 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 1);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_INVALID_KE_PAYLOAD);
	CU_ASSERT_STRING_EQUAL(w.a.failure.mismatch, "key exchange: ours CURVE25519, theirs MODP-2048");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_silent_peer(void)
{
	struct wire w;

	wire_init(&w, 23);
	w.b.dead = true;
	wire_start(&w);
	wire_run(&w, 45 * S);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 1);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "peer did not answer");
	CU_ASSERT_EQUAL(w.a.failure.exchange, IKE_SA_INIT);
	CU_ASSERT_EQUAL(w.a.failure.notify, 0);
	CU_ASSERT_TRUE(w.a.failure.at_ns > 0);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_RETRANSMIT], node_counter(&w.a, IKE_C_RETRANSMITTED));
	/* and it comes back by itself */
	w.b.dead = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 30 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static bool drop_auth(struct wire *w, struct packet *p, void *argument)
{
	(void)argument;
	return !(p->from == &w->a && p->data[18] == IKE_AUTH);
}

static void test_failure_silence_behind_sa_init(void)
{
	struct wire w;

	wire_init(&w, 24);
	w.filter = drop_auth;
	wire_start(&w);
	wire_run(&w, 40 * S);
	CU_ASSERT_EQUAL(w.a.failure.exchange, IKE_AUTH);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "peer did not answer");
	/* the responder's half-open SA was cleared away */
	CU_ASSERT_TRUE(w.b.events[IKE_EV_REFUSED] >= 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_trap_waits_before_it_starts_again(void)
{
	struct wire w;

	wire_init(&w, 25);
	w.a.profiles[0].children[0].start = START_TRAP;
	w.b.psk = "wrong";
	wire_start(&w);
	for (int i = 0; i < 50; i++) {
		node_command(&w.a, IKE_ACQUIRE, 0);
		wire_run(&w, 100 * MS);
	}
	/* 5 s of packets: pauses of 1, 2, 4 s */
	CU_ASSERT_TRUE(w.a.events[IKE_EV_STARTED] >= 2 && w.a.events[IKE_EV_STARTED] <= 4);
	w.b.psk = w.a.psk;
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_no_spi_at_initiator(void)
{
	struct wire w;

	wire_init(&w, 26);
	w.a.no_spi = true;
	wire_start(&w);
	wire_run(&w, S / 2);
	CU_ASSERT_EQUAL(w.a.failure.phase, 2);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	w.a.no_spi = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_no_spi_at_responder(void)
{
	struct wire w;

	wire_init(&w, 27);
	w.b.no_spi = true;
	wire_start(&w);
	wire_run(&w, S / 2);
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_NO_ADDITIONAL_SAS);
	w.b.no_spi = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_failure_initiate_without_remote_address(void)
{
	struct wire w;

	wire_init(&w, 28);
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	w.a.profiles[0].children[0].start = START_RESPOND;
	wire_start(&w);
	node_command(&w.b, IKE_INITIATE, 0);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_STARTED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void fail_job(struct crypto_job *job)
{
	job->result = -5;
}

static void test_failure_of_the_crypto_helper_ends_the_attempt(void)
{
	struct wire w;

	wire_init(&w, 29);
	w.run_job = fail_job;
	wire_start(&w);
	wire_run(&w, S / 2);
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED], 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	w.run_job = crypto_job_run;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void fail_derive(struct crypto_job *job)
{
	crypto_job_run(job);
	if (job->kind == JOB_KEX_DERIVE)
		job->result = -22;
}

static void test_failure_refused_public_value(void)
{
	struct wire w;

	wire_init(&w, 30);
	w.run_job = fail_derive;
	wire_start(&w);
	wire_run(&w, S / 2);
	CU_ASSERT_TRUE(says(w.a.failure.reason, "key exchange value"));
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_failure_ike_proposal_mismatch),
	TEST(test_failure_group_mismatch_names_the_group),
	TEST(test_failure_text_of_a_huge_offer_is_short),
	TEST(test_failure_unknown_peer_is_told_and_recorded),
	TEST(test_failure_wrong_psk),
	TEST(test_failure_no_psk_at_responder),
	TEST(test_failure_no_psk_at_initiator),
	TEST(test_failure_initiator_identity_not_accepted),
	TEST(test_failure_responder_is_asked_for_another_identity),
	TEST(test_failure_initiator_refuses_responder_with_wrong_key),
	TEST(test_failure_esp_mismatch_keeps_the_ike_sa),
	TEST(test_failure_childless_sa_is_tried_again_with_growing_pauses),
	TEST(test_failure_selector_mismatch_names_the_side),
	TEST(test_negotiation_responder_narrows),
	TEST(test_negotiation_several_selectors),
	TEST(test_negotiation_retries_with_the_wanted_group),
	TEST(test_forged_no_proposal_chosen_is_not_believed_at_once),
	TEST(test_forged_authentication_failed_is_not_believed),
	TEST(test_cookie_is_sent_back_first),
	TEST(test_cookie_stands_in_front_of_the_request),
	TEST(test_cookie_rounds_are_bounded),
	TEST(test_invalid_ke_cannot_lead_out_of_the_offer),
	TEST(test_invalid_ke_that_comes_twice_is_followed_once),
	TEST(test_invalid_ke_leads_to_each_group_once),
	TEST(test_invalid_ke_outside_the_offer_is_the_failure),
	TEST(test_failure_silent_peer),
	TEST(test_failure_silence_behind_sa_init),
	TEST(test_failure_trap_waits_before_it_starts_again),
	TEST(test_failure_no_spi_at_initiator),
	TEST(test_failure_no_spi_at_responder),
	TEST(test_failure_initiate_without_remote_address),
	TEST(test_failure_of_the_crypto_helper_ends_the_attempt),
	TEST(test_failure_refused_public_value),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
