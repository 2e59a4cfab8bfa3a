/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: messages that are cut, flipped, out of place or against the rules: counted, answered where RFC 7296
 * wants it, and nothing else changes. */
#include "harness.h"

#include <stdlib.h>

#include "fake_wire.h"
#include "v2/v2.h"

static struct endpoint at(const struct node *n)
{
	return (struct endpoint){ n->outside, 500 };
}

/* To `to` as if its peer had sent it. */
static void give(struct node *to, struct bytes data)
{
	struct node *from = to == &to->wire->a ? &to->wire->b : &to->wire->a;
	struct endpoint local = at(to), remote = at(from);

	node_receive(to, &local, &remote, data);
}

/* What was sent last, opened with the keys the sender's peer has when it is protected. */
struct last {
	const struct node *from; /* NULL: either */
	uint8_t data[4096];
	size_t len;
	unsigned count;
	bool hold; /* takes it off the wire */
	uint8_t hold_exchange;
};

static bool keep_last(struct wire *w, struct packet *p, void *argument)
{
	struct last *last = argument;

	(void)w;
	if ((last->from && p->from != last->from) || p->len > sizeof(last->data))
		return true;
	memcpy(last->data, p->data, p->len);
	last->len = p->len;
	last->count++;
	return !(last->hold && p->data[18] == last->hold_exchange);
}

static void watch_node(struct wire *w, struct last *last, const struct node *from)
{
	*last = (struct last){ .from = from };
	w->filter = keep_last;
	w->filter_argument = last;
}

/* Decodes the last message of a node, with its peer's keys; *m borrows the peer engine's buffer. */
static bool open_last(const struct last *last, struct node *receiver, struct message *m)
{
	struct ike_datagram d = { .data = BYTES(last->data, last->len) };
	struct wire_error error;
	struct bytes plain;

	if (message_decode(d.data, m, &error))
		return false;
	const struct payload *sk = message_find(m, PAYLOAD_SK);
	if (!sk)
		return true;
	return !protect_open(receiver->engine, node_sa(receiver), &d, sk, &plain) &&
	       !message_decode_inner(plain, sk->sk.first_inner, m, &error);
}

static bool last_says(const struct last *last, struct node *receiver, enum notify_type type)
{
	struct message m;

	return open_last(last, receiver, &m) && message_find_notify(&m, type);
}

static void start_up(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	wire_start(w);
	CU_ASSERT_TRUE(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
}

/* The handshake up to the point where `exchange` of `from` is on the wire, and is taken off it. */
static void start_until(struct wire *w, struct last *last, uint64_t seed, struct node *from, uint8_t exchange)
{
	wire_init(w, seed);
	watch_node(w, last, from);
	last->hold = true;
	last->hold_exchange = exchange;
	wire_start(w);
	uint64_t end = w->now_ns + 400 * MS;
	while (wire_step(w, end) && !(last->len && last->data[18] == exchange))
		;
	CU_ASSERT_EQUAL(last->data[18], exchange);
	last->hold = false;
}

/* ---- unprotected ---- */

struct mangle {
	unsigned kind;
	size_t position;
	bool done;
};

/* In front of each packet goes its mangled twin. */
static bool mangle_filter(struct wire *w, struct packet *p, void *argument)
{
	struct mangle *mangle = argument;
	bool truncate = mangle->kind == 0;

	(void)w;
	if (mangle->position >= (truncate ? p->len : p->len * 8))
		return true;
	mangle->done = true;
	if (truncate)
		p->len = mangle->position;
	else
		p->data[mangle->position / 8] ^= (uint8_t)(1 << mangle->position % 8);
	w->filter = NULL;
	return true;
}

/* One message is damaged in one way; the retransmission is not. */
static void run_mangled(unsigned kind, char from, unsigned skip, size_t position)
{
	struct wire w;
	struct mangle mangle = { kind, position, false };

	wire_init(&w, position);
	wire_start(&w);
	uint64_t end = w.now_ns + 60 * S;
	struct node *n = from == 'A' ? &w.a : &w.b;
	while (node_counter(n, IKE_C_SENT) < skip && wire_step(&w, end))
		;
	w.filter = mangle_filter;
	w.filter_argument = &mangle;
	if (!wire_run_until_up(&w, 100 * S))
		printf("# %s of %c's message %u at %zu\n", kind ? "flip" : "cut", from, skip, position);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.a.installs, 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_cut_messages_change_nothing(void)
{
	for (size_t position = 0; position < 230; position += 3) {
		run_mangled(0, 'A', 0, position);
		run_mangled(0, 'B', 0, position);
		run_mangled(0, 'A', 1, position);
	}
}

static void test_flipped_bits_of_ike_auth_change_nothing(void)
{
	for (size_t position = 0; position < 8 * 230; position += 13)
		run_mangled(1, 'A', 1, position);
}

static void test_flipped_bits_of_sa_init_are_survived(void)
{
	for (size_t position = 0; position < 8 * 200; position += 11)
		run_mangled(1, 'A', 0, position);
}

static void test_random_bytes_are_counted(void)
{
	struct wire w;
	uint64_t random = 1;
	uint8_t junk[200];

	start_up(&w, 1);
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	for (int i = 0; i < 2000; i++) {
		size_t len = test_random(&random) % sizeof(junk);
		for (size_t j = 0; j < len; j++)
			junk[j] = (uint8_t)test_random(&random);
		give(&w.b, BYTES(junk, len));
		wire_run(&w, MS);
	}
	CU_ASSERT_TRUE(node_counter(&w.b, IKE_C_MALFORMED) + node_counter(&w.b, IKE_C_WRONG_VERSION) > 1900);
	CU_ASSERT_TRUE(node_counter(&w.b, IKE_C_SENT) - sent < 2000);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_oversized_datagram_is_counted(void)
{
	struct wire w;
	uint8_t *big = calloc(1, 70000);

	start_up(&w, 2);
	give(&w.b, BYTES(big, 70000));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_MALFORMED), 1);
	free(big);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_keepalive_is_no_message(void)
{
	struct wire w;
	static const uint8_t keepalive = 0xff;

	start_up(&w, 3);
	uint64_t received = node_counter(&w.b, IKE_C_RECEIVED);
	give(&w.b, BYTES(&keepalive, 1));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_RECEIVED), received);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_MALFORMED), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_newer_major_version_is_told_ours(void)
{
	struct wire w;
	struct last request, answer;
	struct message m;
	struct wire_error error;

	start_until(&w, &request, 4, &w.a, IKE_SA_INIT);
	watch_node(&w, &answer, &w.b);
	request.data[17] = 0x30;
	give(&w.b, BYTES(request.data, request.len));
	CU_ASSERT_EQUAL(answer.count, 1);
	CU_ASSERT_EQUAL(message_decode(BYTES(answer.data, answer.len), &m, &error), 0);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&m, NOTIFY_INVALID_MAJOR_VERSION));
	CU_ASSERT_EQUAL(m.header.version >> 4, 2);
	/* an answer of that version gets none, nor does IKEv1 */
	request.data[19] |= IKE_FLAG_RESPONSE;
	give(&w.b, BYTES(request.data, request.len));
	request.data[17] = 0x10;
	request.data[19] &= (uint8_t)~IKE_FLAG_RESPONSE;
	give(&w.b, BYTES(request.data, request.len));
	CU_ASSERT_EQUAL(answer.count, 1);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_WRONG_VERSION), 3);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Appends a payload of an unknown type to the IKE_SA_INIT request. */
static size_t append_unknown(struct last *request, bool critical)
{
	struct message m;
	struct wire_error error;
	static uint8_t copy[4096];
	struct writer w = writer_init(request->data, sizeof(request->data));

	memcpy(copy, request->data, request->len);
	CU_ASSERT_EQUAL(message_decode(BYTES(copy, request->len), &m, &error), 0);
	struct payload *p = message_add(&m, (enum payload_type)200);
	p->critical = critical;
	p->body = BYTES("abc", 3);
	CU_ASSERT_EQUAL(message_encode(&m, &w), 0);
	return w.len;
}

static void test_unknown_critical_payload_in_sa_init_is_refused(void)
{
	struct wire w;
	struct last request, answer;
	struct message m;
	struct wire_error error;

	start_until(&w, &request, 5, &w.a, IKE_SA_INIT);
	watch_node(&w, &answer, &w.b);
	request.len = append_unknown(&request, true);
	give(&w.b, BYTES(request.data, request.len));
	CU_ASSERT_EQUAL(message_decode(BYTES(answer.data, answer.len), &m, &error), 0);
	const struct payload *p = message_find_notify(&m, NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(p->notify.data.len, 1);
	CU_ASSERT_EQUAL(p->notify.data.data[0], 200);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNKNOWN_CRITICAL), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_unknown_uncritical_payload_is_ignored(void)
{
	struct wire w;
	struct last request;

	start_until(&w, &request, 6, &w.a, IKE_SA_INIT);
	request.len = append_unknown(&request, false);
	give(&w.b, BYTES(request.data, request.len));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_half_open_sas_are_limited_and_time_out(void)
{
	struct wire w;
	struct last request;

	wire_init(&w, 7);
	w.b.settings.half_open_max = 10;
	watch_node(&w, &request, &w.a);
	request.hold = true;
	request.hold_exchange = IKE_SA_INIT;
	w.a.profiles[0].children[0].start = START_RESPOND;
	wire_start(&w);
	node_command(&w.a, IKE_INITIATE, 0);
	wire_run(&w, 10 * MS);
	for (uint64_t i = 1; i <= 50; i++) {
		store_be64(request.data, i);
		give(&w.b, BYTES(request.data, request.len));
		wire_run(&w, MS);
	}
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 10);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_HALF_OPEN_LIMIT), 40);
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, 40 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	request.hold = false;
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Forged requests fill the table; the peer's own still gets through. */
static void test_flood_does_not_shut_out_a_peer(void)
{
	struct wire w;
	struct last request;

	start_until(&w, &request, 23, &w.a, IKE_SA_INIT);
	w.b.engine->settings.half_open_max = 10;
	for (uint64_t i = 1; i <= 50; i++) {
		store_be64(request.data, i);
		give(&w.b, BYTES(request.data, request.len));
		wire_run(&w, MS);
	}
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 10);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_HALF_OPEN_LIMIT), 41);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_huge_sa_init_is_dropped(void)
{
	static uint8_t bytes[20000], padding[17000];
	struct wire w;
	struct last request;
	struct message m;
	struct wire_error error;
	struct writer out = writer_init(bytes, sizeof(bytes));

	start_until(&w, &request, 24, &w.a, IKE_SA_INIT);
	CU_ASSERT_EQUAL(message_decode(BYTES(request.data, request.len), &m, &error), 0);
	message_add(&m, (enum payload_type)200)->body = BYTES_OF(padding);
	CU_ASSERT_EQUAL(message_encode(&m, &out), 0);
	give(&w.b, writer_view(&out));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_MALFORMED), 1);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

struct sizes {
	size_t request;
	bool too_large;
};

static bool compare_sizes(struct wire *w, struct packet *p, void *argument)
{
	struct sizes *sizes = argument;

	if (p->data[18] != IKE_SA_INIT)
		return true;
	if (p->from == &w->a)
		sizes->request = p->len;
	else if (p->len > sizes->request * 3 / 2 + 100)
		sizes->too_large = true;
	return true;
}

static void test_answers_to_the_unproven_are_small(void)
{
	static const char *const groups[] = { "x25519", "ecp256", "ecp384", "modp2048" };

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		struct wire w;
		struct sizes sizes = { 0 };
		char text[64];
		wire_init(&w, i);
		snprintf(text, sizeof(text), "aes128gcm16-prfsha256-%s", groups[i]);
		proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, text);
		proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, text);
		w.filter = compare_sizes;
		w.filter_argument = &sizes;
		wire_start(&w);
		CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
		CU_ASSERT_FALSE(sizes.too_large);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* A key of the wrong length is refused before it costs anything. */
static void test_public_value_of_wrong_length_is_refused(void)
{
	struct wire w;
	struct last request, answer;
	struct message m;
	struct wire_error error;
	uint8_t copy[4096];

	start_until(&w, &request, 8, &w.a, IKE_SA_INIT);
	watch_node(&w, &answer, &w.b);
	memcpy(copy, request.data, request.len);
	CU_ASSERT_EQUAL(message_decode(BYTES(copy, request.len), &m, &error), 0);
	for (int i = 0; i < m.count; i++)
		if (m.payloads[i].type == PAYLOAD_KE)
			m.payloads[i].ke.data.len--;
	struct writer out = writer_init(request.data, sizeof(request.data));
	CU_ASSERT_EQUAL(message_encode(&m, &out), 0);
	give(&w.b, writer_view(&out));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.job_count, 0);
	CU_ASSERT_EQUAL(message_decode(BYTES(answer.data, answer.len), &m, &error), 0);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&m, NOTIFY_INVALID_SYNTAX));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_unknown_ike_spi_is_told_once_in_a_while(void)
{
	struct wire w;
	struct last sent;

	start_until(&w, &sent, 9, &w.a, IKE_AUTH);
	uint64_t before = node_counter(&w.b, IKE_C_SENT);
	sent.data[15] ^= 1;
	give(&w.b, BYTES(sent.data, sent.len));
	sent.data[15] ^= 1;
	/* the right SPI of ours, the wrong one of the peer */
	sent.data[0] ^= 1;
	give(&w.b, BYTES(sent.data, sent.len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNKNOWN_SPI), 2);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), before + 1);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_INVALID_SPI_SENT), 1);
	/* responses are never answered */
	wire_run(&w, 200 * MS);
	sent.data[19] ^= IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR;
	give(&w.b, BYTES(sent.data, sent.len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_INVALID_SPI_SENT), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- under the keys of the SA, before it is authenticated ---- */

static void test_junk_before_ike_auth_does_not_spoil_it(void)
{
	struct wire w;
	struct last sent;
	uint8_t junk[4096];

	start_until(&w, &sent, 10, &w.a, IKE_AUTH);
	memcpy(junk, sent.data, sent.len);
	junk[sent.len - 1] ^= 0x80;
	give(&w.b, BYTES(junk, sent.len));
	wire_run(&w, 10 * MS);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_ICV), 1);
	/* keys are there now: the next ones are tried at once */
	give(&w.b, BYTES(junk, sent.len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_ICV), 2);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Somebody on the way sends the peer's IKE_AUTH on from another address: traffic must not go there. */
static void test_ike_auth_from_elsewhere_is_dropped(void)
{
	struct wire w;
	struct last sent;

	start_until(&w, &sent, 25, &w.a, IKE_AUTH);
	struct endpoint b = at(&w.b), a = at(&w.a), elsewhere = a, other_b = b;
	addr_parse("198.51.100.7", &elsewhere.addr);
	addr_parse("192.0.2.3", &other_b.addr);
	uint64_t before = node_counter(&w.b, IKE_C_SENT);
	node_receive(&w.b, &b, &elsewhere, BYTES(sent.data, sent.len));
	node_receive(&w.b, &other_b, &a, BYTES(sent.data, sent.len));
	CU_ASSERT_EQUAL(w.job_count, 0);
	/* the same once the keys are there */
	sent.data[sent.len - 1] ^= 1;
	give(&w.b, BYTES(sent.data, sent.len));
	wire_run(&w, MS);
	sent.data[sent.len - 1] ^= 1;
	node_receive(&w.b, &b, &elsewhere, BYTES(sent.data, sent.len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNEXPECTED), 3);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), before);
	CU_ASSERT_EQUAL(w.b.installs, 0);
	/* a change of the port alone is taken */
	a.port = b.port = 4500;
	node_receive(&w.b, &b, &a, BYTES(sent.data, sent.len));
	CU_ASSERT_EQUAL(w.b.installs, 1);
	CU_ASSERT_EQUAL(node_status(&w.b, 0).remote.port, 4500);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* An IKE_AUTH request of A's SA that the grammar allows, with an AUTH that proves nothing or without any. */
static void give_ike_auth(struct wire *w, uint32_t id, bool with_auth)
{
	static uint8_t data[32];
	const struct tunnel_profile *p = &w->a.profiles[0];
	struct proposal_list offer = p->children[0].proposals;
	struct message m;
	uint8_t *bytes;
	size_t len;

	protect_init_message(node_sa(&w->a), IKE_AUTH, false, id, &m);
	message_add_id(&m, PAYLOAD_IDI, &p->local_id);
	if (with_auth) {
		struct payload *auth = message_add(&m, PAYLOAD_AUTH);
		auth->auth.method = 2;
		auth->auth.data = BYTES_OF(data);
	}
	proposals_address(&offer, 4, 0x11223344);
	message_add_sa(&m, &offer);
	message_add_ts(&m, PAYLOAD_TSI, &p->children[0].local);
	message_add_ts(&m, PAYLOAD_TSR, &p->children[0].remote);
	CU_ASSERT_EQUAL_FATAL(protect_seal(w->a.engine, node_sa(&w->a), &m, &bytes, &len), 0);
	give(&w->b, BYTES(bytes, len));
	free(bytes);
}

static void test_eap_client_is_told_that_there_is_no_eap(void)
{
	struct wire w;
	struct last sent, answer;

	start_until(&w, &sent, 26, &w.a, IKE_AUTH);
	watch_node(&w, &answer, &w.b);
	give_ike_auth(&w, 1, false);
	wire_run(&w, 5 * MS);
	CU_ASSERT_TRUE(last_says(&answer, &w.a, NOTIFY_AUTHENTICATION_FAILED));
	CU_ASSERT_STRING_EQUAL(w.b.failure.reason, "the peer wants EAP, which is not supported");
	CU_ASSERT_STRING_EQUAL(w.b.failure.theirs, "a.example.net");
	CU_ASSERT_EQUAL(w.b.installs, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_informational_before_ike_auth_is_refused(void)
{
	struct wire w;
	struct last sent;
	uint8_t bytes[256];

	start_until(&w, &sent, 11, &w.a, IKE_AUTH);
	size_t len = seal_raw(&w.a, INFORMATIONAL, false, 1, 0, BYTES_NONE, bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNEXPECTED), 1);
	CU_ASSERT_EQUAL(w.job_count, 0);
	/* and in the state in which the keys are there */
	bytes[len - 1] ^= 1;
	bytes[18] = IKE_AUTH;
	give(&w.b, BYTES(bytes, len));
	wire_run(&w, 10 * MS);
	len = seal_raw(&w.a, INFORMATIONAL, false, 1, 0, BYTES_NONE, bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNEXPECTED), 2);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void check_bad_auth_request(uint8_t first, struct bytes plain, enum notify_type notify, enum ike_counter counter)
{
	struct wire w;
	struct last sent, answer;
	uint8_t bytes[512];

	start_until(&w, &sent, 12, &w.a, IKE_AUTH);
	watch_node(&w, &answer, &w.b);
	size_t len = seal_raw(&w.a, IKE_AUTH, false, 1, first, plain, bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	wire_run(&w, 5 * MS);
	CU_ASSERT_TRUE(last_says(&answer, &w.a, notify));
	CU_ASSERT_EQUAL(node_counter(&w.b, counter), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.b.installs, 0);
	CU_ASSERT_EQUAL(w.b.failure.exchange, IKE_AUTH);
	/* the refusal is repeated for a peer that lost it */
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_ANSWERED_AGAIN), 1);
	wire_run(&w, 60 * S);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_malformed_ike_auth_is_answered_and_ends_the_sa(void)
{
	static const uint8_t cut[] = { 0, 0, 0, 99, 1 }, empty_auth[] = { 0, 0, 0, 8, 2, 0, 0, 0 };

	check_bad_auth_request(PAYLOAD_IDI, BYTES_OF(cut), NOTIFY_INVALID_SYNTAX, IKE_C_MALFORMED);
	check_bad_auth_request(PAYLOAD_IDI, BYTES_OF(empty_auth), NOTIFY_INVALID_SYNTAX, IKE_C_MALFORMED);
	check_bad_auth_request(PAYLOAD_NONE, BYTES_NONE, NOTIFY_INVALID_SYNTAX, IKE_C_MALFORMED);
}

static void test_critical_payload_in_ike_auth_ends_the_sa(void)
{
	static const uint8_t critical[] = { 0, 0x80, 0, 4 };

	check_bad_auth_request(201, BYTES_OF(critical), NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, IKE_C_UNKNOWN_CRITICAL);
}

static void test_malformed_ike_auth_response_is_told_and_tried_again(void)
{
	static const uint8_t cut[] = { 0, 0, 0, 99, 1 };
	struct wire w;
	struct last sent, answer;
	uint8_t bytes[512];

	start_until(&w, &sent, 13, &w.b, IKE_AUTH);
	watch_node(&w, &answer, &w.a);
	size_t len = seal_raw(&w.b, IKE_AUTH, true, 1, PAYLOAD_IDR, BYTES_OF(cut), bytes, sizeof(bytes));
	give(&w.a, BYTES(bytes, len));
	CU_ASSERT_TRUE(last_says(&answer, &w.b, NOTIFY_INVALID_SYNTAX));
	CU_ASSERT_EQUAL(w.a.failure.exchange, IKE_AUTH);
	wire_run(&w, 500 * MS);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* B's IKE_AUTH response is opened, changed and sealed again: a peer that does not keep to our offer. */
static void check_changed_answer(void (*change)(struct message *m), const char *reason)
{
	struct wire w;
	struct last sent;
	struct message m;
	uint8_t *bytes;
	size_t len;

	start_until(&w, &sent, 14, &w.b, IKE_AUTH);
	CU_ASSERT_TRUE_FATAL(open_last(&sent, &w.a, &m));
	/* payloads behind SK become those of a new message */
	struct message changed = m;
	changed.count = 0;
	for (int i = 0; i < m.count; i++)
		if (m.payloads[i].encrypted)
			changed.payloads[changed.count++] = m.payloads[i];
	change(&changed);
	CU_ASSERT_EQUAL(protect_seal(w.b.engine, node_sa(&w.b), &changed, &bytes, &len), 0);
	give(&w.a, BYTES(bytes, len));
	free(bytes);
	CU_ASSERT_EQUAL(w.a.installs, 0);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, reason);
	/* each says what to look at */
	CU_ASSERT_TRUE(w.a.failure.hint[0]);
	wire_run(&w, 500 * MS);
	/* B was told by a Delete */
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine) + ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 10 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const char not_offered[] = "the peer's choice is not in our offer";

static void widen_selectors(struct message *m)
{
	selectors_set(&m->tsr, "10.0.0.0/8");
}

static void choose_other_suite(struct message *m)
{
	proposals_set(&m->sa, PROTOCOL_ESP, "aes256gcm16-esn");
	m->sa.items[0].spi_len = 4;
	m->sa.items[0].spi = 0x12345678;
}

static void choose_two_of_a_type(struct message *m)
{
	proposal_add(&m->sa.items[0], TRANSFORM_ESN, ESN_NO, 0);
}

static void choose_other_number(struct message *m)
{
	m->sa.items[0].number = 7;
}

static void choose_reserved_spi(struct message *m)
{
	m->sa.items[0].spi = 255;
}

static void test_answer_outside_the_offer_is_deleted(void)
{
	check_changed_answer(widen_selectors, not_offered);
	check_changed_answer(choose_other_suite, not_offered);
	check_changed_answer(choose_two_of_a_type, not_offered);
	check_changed_answer(choose_other_number, not_offered);
	check_changed_answer(choose_reserved_spi, not_offered);
}

static void change_identity(struct message *m)
{
	for (int i = 0; i < m->count; i++)
		if (m->payloads[i].type == PAYLOAD_IDR)
			m->payloads[i].id.data = BYTES("x.example.net", 13);
}

static void change_auth(struct message *m)
{
	static uint8_t data[48];

	for (int i = 0; i < m->count; i++)
		if (m->payloads[i].type == PAYLOAD_AUTH)
			m->payloads[i].auth.data = BYTES_OF(data);
}

static void change_method(struct message *m)
{
	for (int i = 0; i < m->count; i++)
		if (m->payloads[i].type == PAYLOAD_AUTH)
			m->payloads[i].auth.method = 14;
}

static void test_answer_with_wrong_proof_is_refused(void)
{
	check_changed_answer(change_identity, "the peer has another identity");
	check_changed_answer(change_auth, "the peer's AUTH does not verify: wrong pre-shared key");
	check_changed_answer(change_method, "the peer uses another authentication method");
}

/* ---- established ---- */

static void test_bad_icv_changes_nothing(void)
{
	struct wire w;
	uint8_t bytes[256];

	start_up(&w, 15);
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	size_t len = seal_raw(&w.a, INFORMATIONAL, false, 2, 0, BYTES_NONE, bytes, sizeof(bytes));
	for (size_t i = 28; i < len; i++) {
		bytes[i] ^= 0x10;
		give(&w.b, BYTES(bytes, len));
		bytes[i] ^= 0x10;
	}
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent);
	CU_ASSERT_TRUE(node_counter(&w.b, IKE_C_BAD_ICV) > 20);
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent + 1);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_padding_longer_than_the_message_is_refused(void)
{
	struct wire w;
	uint8_t bytes[256];

	start_up(&w, 22);
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	w.a.bad_pad = 1;
	size_t len = seal_raw(&w.a, INFORMATIONAL, false, 2, 0, BYTES_NONE, bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	w.a.bad_pad = 255;
	len = seal_raw(
		&w.a, INFORMATIONAL, false, 2, PAYLOAD_DELETE, BYTES("\0\0\0\10\1\0\0\0", 8), bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_ICV), 2);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_critical_payload_under_keys_is_refused_and_the_sa_stays(void)
{
	static const uint8_t critical[] = { 0, 0x80, 0, 4 };
	struct wire w;
	struct last answer;
	uint8_t bytes[256];

	start_up(&w, 16);
	watch_node(&w, &answer, &w.b);
	size_t len = seal_raw(&w.a, INFORMATIONAL, false, 2, 222, BYTES_OF(critical), bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_TRUE(last_says(&answer, &w.a, NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD));
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_REFUSED], 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_malformed_request_under_keys_ends_the_sa(void)
{
	static const uint8_t cut[] = { 0, 0, 0, 99, 1 };
	struct wire w;
	struct last answer;
	uint8_t bytes[256];

	start_up(&w, 17);
	watch_node(&w, &answer, &w.b);
	size_t len = seal_raw(&w.a, INFORMATIONAL, false, 2, PAYLOAD_DELETE, BYTES_OF(cut), bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	CU_ASSERT_TRUE(last_says(&answer, &w.a, NOTIFY_INVALID_SYNTAX));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w.b), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_malformed_response_under_keys_ends_the_sa(void)
{
	static const uint8_t cut[] = { 0, 0, 0, 99, 1 };
	struct wire w;
	struct last answer;
	uint8_t bytes[256];

	start_up(&w, 18);
	w.b.dead = true;
	wire_run(&w, 12 * S);
	watch_node(&w, &answer, &w.a);
	size_t len = seal_raw(&w.b, INFORMATIONAL, true, 2, PAYLOAD_DELETE, BYTES_OF(cut), bytes, sizeof(bytes));
	give(&w.a, BYTES(bytes, len));
	CU_ASSERT_TRUE(last_says(&answer, &w.b, NOTIFY_INVALID_SYNTAX));
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	w.b.dead = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_create_child_sa_without_an_entry_is_refused_politely(void)
{
	struct wire w;
	struct last answer;
	struct message m;
	struct proposal_list offer;
	uint8_t *bytes, nonce[32] = { 1 };
	size_t len;

	start_up(&w, 19);
	watch_node(&w, &answer, &w.b);
	struct ike_sa *sa = node_sa(&w.a);
	protect_init_message(sa, CREATE_CHILD_SA, false, 2, &m);
	offer = w.a.profiles[0].children[0].proposals;
	proposals_address(&offer, 4, 0x11223344);
	message_add_sa(&m, &offer);
	message_add(&m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
	message_add_ts(&m, PAYLOAD_TSI, &w.a.profiles[0].children[0].local);
	message_add_ts(&m, PAYLOAD_TSR, &w.a.profiles[0].children[0].local);
	CU_ASSERT_EQUAL(protect_seal(w.a.engine, sa, &m, &bytes, &len), 0);
	give(&w.b, BYTES(bytes, len));
	free(bytes);
	CU_ASSERT_TRUE(last_says(&answer, &w.a, NOTIFY_TS_UNACCEPTABLE));
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_child_sa_not_found_names_the_child(void)
{
	static const uint8_t spi[4] = { 1, 2, 3, 4 }, nonce[32] = { 1 };
	struct wire w;
	struct last answer;
	struct message m;
	struct proposal_list offer;
	uint8_t *bytes;
	size_t len;

	start_up(&w, 31);
	watch_node(&w, &answer, &w.b);
	protect_init_message(node_sa(&w.a), CREATE_CHILD_SA, false, 2, &m);
	struct payload *p = message_add_notify(&m, NOTIFY_REKEY_SA, BYTES_NONE);
	p->notify.protocol = PROTOCOL_ESP;
	p->notify.spi = BYTES_OF(spi);
	offer = w.a.profiles[0].children[0].proposals;
	proposals_address(&offer, 4, 0x11223344);
	message_add_sa(&m, &offer);
	message_add(&m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
	message_add_ts(&m, PAYLOAD_TSI, &w.a.profiles[0].children[0].local);
	message_add_ts(&m, PAYLOAD_TSR, &w.a.profiles[0].children[0].remote);
	CU_ASSERT_EQUAL(protect_seal(w.a.engine, node_sa(&w.a), &m, &bytes, &len), 0);
	give(&w.b, BYTES(bytes, len));
	free(bytes);
	CU_ASSERT_TRUE(open_last(&answer, &w.a, &m));
	const struct payload *found = message_find_notify(&m, NOTIFY_CHILD_SA_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	CU_ASSERT_EQUAL(found->notify.protocol, PROTOCOL_ESP);
	CU_ASSERT_TRUE(bytes_equal(found->notify.spi, BYTES_OF(spi)));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_message_in_clear_to_an_established_sa_is_dropped(void)
{
	struct wire w;
	struct message m;
	uint8_t bytes[256];
	struct writer out = writer_init(bytes, sizeof(bytes));

	start_up(&w, 20);
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	protect_init_message(node_sa(&w.a), INFORMATIONAL, false, 2, &m);
	message_add(&m, PAYLOAD_DELETE)->del.protocol = PROTOCOL_IKE;
	CU_ASSERT_EQUAL(message_encode(&m, &out), 0);
	give(&w.b, writer_view(&out));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_MALFORMED), 1);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_second_ike_auth_is_refused(void)
{
	struct wire w;
	uint8_t bytes[256];

	start_up(&w, 21);
	size_t len = seal_raw(&w.a, IKE_AUTH, false, 2, 0, BYTES_NONE, bytes, sizeof(bytes));
	give(&w.b, BYTES(bytes, len));
	/* by the grammar it is no IKE_AUTH request: the peer is broken */
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_legal_but_unexpected_request_is_answered(void)
{
	struct wire w;
	struct last answer;

	start_up(&w, 27);
	watch_node(&w, &answer, &w.b);
	give_ike_auth(&w, 2, true);
	CU_ASSERT_TRUE(last_says(&answer, &w.a, NOTIFY_INVALID_SYNTAX));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNEXPECTED), 1);
	/* RFC 7296 2.21.3: for both sides that is the end of the SA */
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A's liveness check, or its request for a new Child SA, is out, and B answers with this notify. */
static void start_until_error(struct wire *w, uint64_t seed, uint8_t exchange, enum notify_type notify)
{
	const uint8_t plain[] = { 0, 0, 0, 8, 0, 0, 0, (uint8_t)notify };
	uint8_t bytes[256];

	start_up(w, seed);
	w->b.dead = true;
	if (exchange == CREATE_CHILD_SA)
		node_index_command(&w->a, IKE_REKEY, 0, 0);
	wire_run(w, exchange == CREATE_CHILD_SA ? MS : 12 * S);
	size_t len = seal_raw(&w->b, exchange, true, 2, PAYLOAD_NOTIFY, BYTES_OF(plain), bytes, sizeof(bytes));
	give(&w->a, BYTES(bytes, len));
}

/* RFC 7296 3.10.1 */
static void test_any_other_error_in_a_response_ends_nothing(void)
{
	struct wire w;

	start_until_error(&w, 29, INFORMATIONAL, NOTIFY_TEMPORARY_FAILURE);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 1);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer refused our request: TEMPORARY_FAILURE");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 2.21.3: B has deleted the SA, in whatever exchange it says so. */
static void test_a_fatal_error_in_create_child_sa_is_the_end_of_the_sa(void)
{
	struct wire w;

	start_until_error(&w, 30, CREATE_CHILD_SA, NOTIFY_INVALID_SYNTAX);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer gave up: INVALID_SYNTAX");
	w.b.dead = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_error_in_a_response_is_the_end_of_the_sa(void)
{
	struct wire w;

	start_until_error(&w, 28, INFORMATIONAL, NOTIFY_INVALID_SYNTAX);
	CU_ASSERT_EQUAL(ike_sa_count(w.a.engine), 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w.a), 0);
	CU_ASSERT_EQUAL(w.a.failure.notify, NOTIFY_INVALID_SYNTAX);
	CU_ASSERT_STRING_EQUAL(w.a.failure.reason, "the peer gave up: INVALID_SYNTAX");
	w.b.dead = false;
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_TRUE(wire_done(&w));
}

static const struct test tests[] = {
	TEST(test_cut_messages_change_nothing),
	TEST(test_flipped_bits_of_ike_auth_change_nothing),
	TEST(test_flipped_bits_of_sa_init_are_survived),
	TEST(test_random_bytes_are_counted),
	TEST(test_oversized_datagram_is_counted),
	TEST(test_keepalive_is_no_message),
	TEST(test_newer_major_version_is_told_ours),
	TEST(test_unknown_critical_payload_in_sa_init_is_refused),
	TEST(test_unknown_uncritical_payload_is_ignored),
	TEST(test_half_open_sas_are_limited_and_time_out),
	TEST(test_flood_does_not_shut_out_a_peer),
	TEST(test_huge_sa_init_is_dropped),
	TEST(test_answers_to_the_unproven_are_small),
	TEST(test_public_value_of_wrong_length_is_refused),
	TEST(test_unknown_ike_spi_is_told_once_in_a_while),
	TEST(test_junk_before_ike_auth_does_not_spoil_it),
	TEST(test_ike_auth_from_elsewhere_is_dropped),
	TEST(test_eap_client_is_told_that_there_is_no_eap),
	TEST(test_informational_before_ike_auth_is_refused),
	TEST(test_malformed_ike_auth_is_answered_and_ends_the_sa),
	TEST(test_critical_payload_in_ike_auth_ends_the_sa),
	TEST(test_malformed_ike_auth_response_is_told_and_tried_again),
	TEST(test_answer_outside_the_offer_is_deleted),
	TEST(test_answer_with_wrong_proof_is_refused),
	TEST(test_bad_icv_changes_nothing),
	TEST(test_padding_longer_than_the_message_is_refused),
	TEST(test_critical_payload_under_keys_is_refused_and_the_sa_stays),
	TEST(test_malformed_request_under_keys_ends_the_sa),
	TEST(test_malformed_response_under_keys_ends_the_sa),
	TEST(test_create_child_sa_without_an_entry_is_refused_politely),
	TEST(test_child_sa_not_found_names_the_child),
	TEST(test_message_in_clear_to_an_established_sa_is_dropped),
	TEST(test_second_ike_auth_is_refused),
	TEST(test_legal_but_unexpected_request_is_answered),
	TEST(test_any_other_error_in_a_response_ends_nothing),
	TEST(test_a_fatal_error_in_create_child_sa_is_the_end_of_the_sa),
	TEST(test_error_in_a_response_is_the_end_of_the_sa),
};

int main(int argc, char **argv)
{
	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
