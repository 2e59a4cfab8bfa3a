/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: what unauthenticated peers may cost (RFC 7296 2.6, RFC 8019): cookies, limits of a source, junk under
 * the keys, hints that anybody can send. And that honest peers get in all the while. */
#include "harness.h"

#include <stdio.h>

#include "fake_wire.h"
#include "v2/v2.h"

#define MESSAGE_MAX 2048

/* The last message of each kind on the wire, and what is held back. */
struct tap {
	uint8_t request[MESSAGE_MAX], answer[MESSAGE_MAX],
		auth[MESSAGE_MAX]; /* IKE_SA_INIT of A, of B; IKE_AUTH of A */
	size_t request_len, answer_len, auth_len;
	uint8_t hold; /* exchange of A that stays off the wire; 0: none */
};

static bool listen(struct wire *w, struct packet *p, void *argument)
{
	struct tap *t = argument;
	bool init = p->data[18] == IKE_SA_INIT, of_a = p->from == &w->a;
	uint8_t *to = !of_a ? t->answer : init ? t->request : t->auth;
	size_t *len = !of_a ? &t->answer_len : init ? &t->request_len : &t->auth_len;

	if (p->len <= MESSAGE_MAX && (init || of_a)) {
		memcpy(to, p->data, p->len);
		*len = p->len;
	}
	return !of_a || p->data[18] != t->hold;
}

/* A's message of this exchange is made and held back. */
static void hold_until(struct wire *w, struct tap *t, uint8_t exchange)
{
	*t = (struct tap){ .hold = exchange };
	w->filter = listen;
	w->filter_argument = t;
	wire_start(w);
	wire_run(w, 60 * MS);
	t->hold = 0;
}

static void give_from(struct wire *w, const char *source, struct bytes data)
{
	struct endpoint local = { w->b.inside, 500 }, remote = { .port = 500 };

	addr_parse(source, &remote.addr);
	node_receive(&w->b, &local, &remote, data);
}

/* The held IKE_SA_INIT request with another SPI, as from somewhere. */
static void open_from(struct wire *w, struct tap *t, const char *source, uint64_t spi)
{
	store_be64(t->request, spi);
	give_from(w, source, BYTES(t->request, t->request_len));
	wire_run(w, MS);
}

/* ---- cookies ---- */

static void test_cookie_asked_before_anything_is_kept(void)
{
	struct wire w;
	struct tap t;

	wire_init(&w, 1);
	w.b.settings.cookie_threshold = 0;
	hold_until(&w, &t, IKE_SA_INIT);
	give_from(&w, "192.0.2.1", BYTES(t.request, t.request_len));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.job_count, 0);
	CU_ASSERT_EQUAL(w.b.engine->by_source.count, 0);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_SENT), 1);
	/* within what an unproven peer may get */
	CU_ASSERT(t.answer_len && t.answer_len <= t.request_len + t.request_len / 2 + 100);
	CU_ASSERT_TRUE(wire_run_until_up(&w, S));
	CU_ASSERT_TRUE(wire_story_is(&w, "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\n"
					 "A IKE_SA_INIT request 0\nB IKE_SA_INIT response 0\n"
					 "A IKE_AUTH request 1\nB IKE_AUTH response 1\n"));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_VALID), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* What the answer with the cookie is good for: returns whether B took the request that carries it. */
static bool cookie_taken(struct wire *w, const struct tap *t, const char *source, uint64_t spi, uint8_t flip)
{
	static uint8_t bytes[MESSAGE_MAX], cookie[64];
	struct message request, answer, again;
	struct wire_error error;
	struct writer out = writer_init(bytes, sizeof(bytes));
	uint32_t before = ike_sa_count(w->b.engine);

	CU_ASSERT_EQUAL_FATAL(message_decode(BYTES(t->request, t->request_len), &request, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message_decode(BYTES(t->answer, t->answer_len), &answer, &error), 0);
	const struct payload *p = message_find_notify(&answer, NOTIFY_COOKIE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	memcpy(cookie, p->notify.data.data, p->notify.data.len);
	cookie[p->notify.data.len - 1] ^= flip;
	message_init(&again, spi, 0, IKE_SA_INIT, IKE_FLAG_INITIATOR, 0);
	message_add_notify(&again, NOTIFY_COOKIE, BYTES(cookie, p->notify.data.len));
	for (int i = 0; i < request.count; i++)
		again.payloads[again.count++] = request.payloads[i];
	again.sa = request.sa;
	CU_ASSERT_EQUAL(message_encode(&again, &out), 0);
	give_from(w, source, writer_view(&out));
	wire_run(w, MS);
	return ike_sa_count(w->b.engine) > before;
}

static void test_cookie_is_bound_to_its_request(void)
{
	struct wire w;
	struct tap t;

	wire_init(&w, 2);
	w.b.settings.cookie_threshold = 0;
	hold_until(&w, &t, IKE_SA_INIT);
	open_from(&w, &t, "192.0.2.1", 7);
	struct tap asked = t;
	CU_ASSERT_FALSE(cookie_taken(&w, &asked, "192.0.2.1", 7, 1));
	CU_ASSERT_FALSE(cookie_taken(&w, &asked, "192.0.2.9", 7, 0));
	CU_ASSERT_FALSE(cookie_taken(&w, &asked, "192.0.2.1", 8, 0));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_WRONG), 3);
	CU_ASSERT_TRUE(cookie_taken(&w, &asked, "192.0.2.1", 7, 0));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_cookie_outlives_one_change_of_the_secret(void)
{
	static const struct {
		uint64_t seconds;
		bool good;
	} ages[] = { { 59, true }, { 61, true }, { 119, true }, { 121, false }, { 1000, false } };

	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		struct wire w;
		struct tap t;
		wire_init(&w, 3);
		w.b.settings.cookie_threshold = 0;
		hold_until(&w, &t, IKE_SA_INIT);
		node_command(&w.a, IKE_TERMINATE, 0);
		open_from(&w, &t, "192.0.2.1", 7);
		struct tap asked = t;
		/* others ask all the time: the secret changes every minute */
		for (uint64_t s = 0; s < ages[i].seconds && s < 200; s++) {
			wire_run(&w, S);
			open_from(&w, &t, "192.0.2.77", 100 + s);
		}
		if (ages[i].seconds > 200)
			wire_run(&w, (ages[i].seconds - 200) * S);
		CU_ASSERT_EQUAL(cookie_taken(&w, &asked, "192.0.2.1", 7, 0), ages[i].good);
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_cookies_are_turned_on_by_the_total(void)
{
	struct wire w;
	struct tap t;
	char source[32];

	wire_init(&w, 4);
	w.b.settings.cookie_threshold = 5;
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	hold_until(&w, &t, IKE_SA_INIT);
	node_command(&w.a, IKE_TERMINATE, 0);
	for (unsigned i = 1; i <= 20; i++) {
		snprintf(source, sizeof(source), "198.51.100.%u", i);
		open_from(&w, &t, source, i);
	}
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 5);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_SENT), 15);
	/* the honest one gets in */
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, S));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_VALID), 1);
	/* and it ends with the flood */
	wire_run(&w, 31 * S);
	open_from(&w, &t, "198.51.100.1", 99);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_SENT), 16);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* 10^5 requests of as many sources: nothing grows but the half-open SAs up to the threshold. */
static void test_flood_of_forged_sources_costs_nothing(void)
{
	struct wire w;
	struct tap t;
	char source[32];

	wire_init(&w, 5);
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, S));
	wire_run(&w, 100 * MS);
	uint32_t spi = node_pair(&w.b)->in.spi;
	w.a.profiles[0].children[0].start = START_RESPOND;
	t = (struct tap){ .hold = IKE_SA_INIT };
	w.filter = listen;
	w.filter_argument = &t;
	node_start_another(&w.a, 0);
	wire_run(&w, 10 * MS);
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(source, sizeof(source), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		store_be64(t.request, i + 1);
		give_from(&w, source, BYTES(t.request, t.request_len));
		if (i < 1000 || i % 1000 == 0)
			wire_run(&w, MS);
	}
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1 + 100);
	CU_ASSERT_EQUAL(w.b.engine->by_source.count, 100);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_SENT), 99900);
	/* the established one is as before, and answers */
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(node_pair(&w.b)->in.spi, spi);
	wire_run(&w, 25 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(node_pair(&w.b)->in.spi, spi);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- limits of a source ---- */

static void test_source_is_limited_and_others_are_not(void)
{
	struct wire w;
	struct tap t;

	wire_init(&w, 6);
	w.b.settings.source_half_open_max = 4;
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	hold_until(&w, &t, IKE_SA_INIT);
	node_command(&w.a, IKE_TERMINATE, 0);
	for (uint64_t i = 1; i <= 4; i++)
		open_from(&w, &t, "192.0.2.1", i);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 4);
	/* somebody may pretend to be it: a cookie tells, and then one that showed none makes way */
	for (uint64_t i = 5; i <= 8; i++) {
		open_from(&w, &t, "192.0.2.1", i);
		struct tap asked = t;
		cookie_taken(&w, &asked, "192.0.2.1", i, 0);
		CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 4);
	}
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_SENT), 4);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_VALID), 4);
	uint64_t limit = node_counter(&w.b, IKE_C_SOURCE_LIMIT);
	/* all four are its own now: it is refused */
	open_from(&w, &t, "192.0.2.1", 9);
	struct tap asked = t;
	CU_ASSERT_FALSE(cookie_taken(&w, &asked, "192.0.2.1", 9, 0));
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SOURCE_LIMIT), limit + 1);
	open_from(&w, &t, "198.51.100.2", 9);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 5);
	/* half-open SAs end, and with them the source */
	wire_run(&w, 31 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_EQUAL(w.b.engine->by_source.count, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_source_of_ipv6_is_a_slash_64(void)
{
	struct wire w;
	struct tap t;

	wire_init(&w, 7);
	w.b.settings.source_half_open_max = 2;
	w.b.profiles[0].remote_addr = (struct addr){ 0 };
	hold_until(&w, &t, IKE_SA_INIT);
	node_command(&w.a, IKE_TERMINATE, 0);
	w.b.profiles[0].local_addr = (struct addr){ 0 };
	open_from(&w, &t, "2001:db8:0:1::1", 1);
	open_from(&w, &t, "2001:db8:0:1::2", 2);
	open_from(&w, &t, "2001:db8:0:1:ffff::3", 3);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_COOKIE_SENT), 1);
	open_from(&w, &t, "2001:db8:0:2::1", 4);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 3);
	CU_ASSERT_EQUAL(w.b.engine->by_source.count, 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A peer with the wrong key tries and tries; after a quiet minute it may again. */
static void test_source_that_fails_to_authenticate_is_refused(void)
{
	struct wire w;

	wire_init(&w, 8);
	w.b.settings.source_failures_max = 3;
	w.a.psk = "not the shared secret";
	w.a.settings.retry_max_ns = S;
	wire_start(&w);
	wire_run(&w, 20 * S);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_AUTH_FAILED), 3);
	CU_ASSERT(node_counter(&w.b, IKE_C_SOURCE_FAILURES) > 3);
	CU_ASSERT_EQUAL(w.b.engine->by_source.count, 1);
	node_command(&w.a, IKE_TERMINATE, 0);
	wire_run(&w, 61 * S);
	w.a.psk = w.b.psk;
	node_command(&w.a, IKE_INITIATE, 0);
	CU_ASSERT_TRUE(wire_run_until_up(&w, S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- junk under the keys ---- */

/* Junk makes us compute the secret once; ten pieces of it end the SA, nine do not. */
static void test_junk_is_bounded_for_a_half_open_sa(void)
{
	for (unsigned junk = 9; junk <= 10; junk++) {
		struct wire w;
		struct tap t;
		wire_init(&w, 9);
		hold_until(&w, &t, IKE_AUTH);
		uint8_t bad[MESSAGE_MAX];
		for (unsigned i = 0; i < junk; i++) {
			memcpy(bad, t.auth, t.auth_len);
			bad[t.auth_len - 1 - i] ^= 1;
			give_from(&w, "192.0.2.1", BYTES(bad, t.auth_len));
			wire_run(&w, MS);
		}
		CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_ICV), junk);
		CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_JUNK_LIMIT), junk == 10);
		CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), junk == 9);
		if (junk == 9)
			CU_ASSERT_TRUE(wire_run_until_up(&w, S));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* It counts against the source, too: it may not begin anew for ever. */
static void test_junk_counts_against_its_source(void)
{
	struct wire w;
	struct tap t;

	wire_init(&w, 10);
	w.b.settings.source_failures_max = 5;
	hold_until(&w, &t, IKE_AUTH);
	for (unsigned i = 0; i < 5; i++) {
		t.auth[t.auth_len - 1 - i] ^= 1;
		give_from(&w, "192.0.2.1", BYTES(t.auth, t.auth_len));
		wire_run(&w, MS);
	}
	open_from(&w, &t, "192.0.2.1", 5);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SOURCE_FAILURES), 1);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	/* a copy of the genuine one from elsewhere says nothing about the peer */
	give_from(&w, "203.0.113.5", BYTES(t.auth, t.auth_len));
	CU_ASSERT_EQUAL(w.b.engine->by_source.count, 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Only what can be an IKE_AUTH is paid for with the computation of the secret. */
static void test_secret_is_computed_for_ike_auth_only(void)
{
	struct wire w;
	struct tap t;

	wire_init(&w, 11);
	hold_until(&w, &t, IKE_AUTH);
	t.auth[18] = INFORMATIONAL;
	give_from(&w, "192.0.2.1", BYTES(t.auth, t.auth_len));
	CU_ASSERT_EQUAL(w.job_count, 0);
	t.auth[18] = IKE_AUTH;
	give_from(&w, "203.0.113.5", BYTES(t.auth, t.auth_len));
	CU_ASSERT_EQUAL(w.job_count, 0);
	give_from(&w, "192.0.2.1", BYTES(t.auth, t.auth_len));
	CU_ASSERT_EQUAL(w.job_count, 1);
	give_from(&w, "192.0.2.1", BYTES(t.auth, t.auth_len));
	CU_ASSERT_EQUAL(w.job_count, 1);
	CU_ASSERT_TRUE(wire_run_until_up(&w, S));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- hints ---- */

static void send_hint(struct wire *w, uint8_t exchange, uint8_t flags, uint64_t spi_i, uint64_t spi_r,
	enum notify_type type, struct bytes data)
{
	uint8_t bytes[128];
	struct writer out = writer_init(bytes, sizeof(bytes));
	struct message m;

	message_init(&m, spi_i, spi_r, (enum ike_exchange)exchange, flags, 0);
	message_add_notify(&m, type, data);
	CU_ASSERT_EQUAL(message_encode(&m, &out), 0);
	give_from(w, "192.0.2.1", writer_view(&out));
}

static void start_quiet(struct wire *w, uint64_t seed)
{
	wire_init(w, seed);
	w->a.profiles[0].dpd_interval_ns = 3600 * S;
	w->b.profiles[0].dpd_interval_ns = 3600 * S;
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, S));
	wire_run(w, S);
}

/* "No such SA", says somebody: the peer is asked, and says otherwise. */
static void test_hint_invalid_spi_makes_us_ask_only(void)
{
	struct wire w;
	uint8_t spi[4];

	start_quiet(&w, 12);
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	store_be32(spi, node_pair(&w.b)->out.spi);
	for (int i = 0; i < 1000; i++)
		send_hint(&w, INFORMATIONAL, IKE_FLAG_INITIATOR, 0x1234, 0x5678, NOTIFY_INVALID_SPI, BYTES_OF(spi));
	wire_run(&w, S);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent + 1);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_HINT), 1000);
	/* an SPI that we do not send on is nothing to ask about */
	store_be32(spi, node_pair(&w.b)->in.spi);
	send_hint(&w, INFORMATIONAL, IKE_FLAG_INITIATOR, 0x1234, 0x5678, NOTIFY_INVALID_SPI, BYTES_OF(spi));
	wire_run(&w, S);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_SENT), sent + 1);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_hint_invalid_ike_spi_ends_nothing(void)
{
	struct wire w;

	start_quiet(&w, 13);
	const struct ike_sa *sa = node_sa(&w.b);
	uint64_t spi_i = sa->spi_i, spi_r = sa->spi_r;
	/* no question is open: it answers nothing */
	send_hint(&w, INFORMATIONAL, IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE, spi_i, spi_r, NOTIFY_INVALID_IKE_SPI,
		BYTES_NONE);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_BAD_MESSAGE_ID), 1);
	/* one is: the peer answers it all the same */
	w.b.engine->now_ns = w.now_ns;
	uint8_t spi[4];
	store_be32(spi, node_pair(&w.b)->out.spi);
	send_hint(&w, INFORMATIONAL, IKE_FLAG_INITIATOR, 0x1234, 0x5678, NOTIFY_INVALID_SPI, BYTES_OF(spi));
	send_hint(&w, INFORMATIONAL, IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE, spi_i, spi_r, NOTIFY_INVALID_IKE_SPI,
		BYTES_NONE);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_HINT), 2);
	wire_run(&w, 10 * S);
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* 1000 messages of no SA within a second: ten answers, each smaller than what an unproven peer may get. */
static void test_hint_answers_are_few_and_small(void)
{
	struct wire w;
	struct tap t = { .hold = 0 };

	start_quiet(&w, 14);
	w.filter = listen;
	w.filter_argument = &t;
	uint64_t sent = node_counter(&w.b, IKE_C_SENT);
	for (uint64_t i = 0; i < 1000; i++) {
		send_hint(&w, CREATE_CHILD_SA, IKE_FLAG_INITIATOR, i + 1, i + 1, NOTIFY_REKEY_SA, BYTES_NONE);
		wire_run(&w, MS);
	}
	CU_ASSERT(node_counter(&w.b, IKE_C_SENT) - sent <= 10);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_INVALID_SPI_SENT), node_counter(&w.b, IKE_C_SENT) - sent);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_UNKNOWN_SPI), 1000);
	CU_ASSERT_TRUE(wire_done(&w));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_cookie_asked_before_anything_is_kept),
		TEST(test_cookie_is_bound_to_its_request),
		TEST(test_cookie_outlives_one_change_of_the_secret),
		TEST(test_cookies_are_turned_on_by_the_total),
		TEST(test_flood_of_forged_sources_costs_nothing),
		TEST(test_source_is_limited_and_others_are_not),
		TEST(test_source_of_ipv6_is_a_slash_64),
		TEST(test_source_that_fails_to_authenticate_is_refused),
		TEST(test_junk_is_bounded_for_a_half_open_sa),
		TEST(test_junk_counts_against_its_source),
		TEST(test_secret_is_computed_for_ike_auth_only),
		TEST(test_hint_invalid_spi_makes_us_ask_only),
		TEST(test_hint_invalid_ike_spi_ends_nothing),
		TEST(test_hint_answers_are_few_and_small),
	};

	return test_main("exchange_anti_dos", tests, ARRAY_LEN(tests), argc, argv);
}
