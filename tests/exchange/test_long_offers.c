/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: offers longer than any of ours could be. The peer's last proposal is the only one that fits, in each
 * exchange that has an SA payload. */
#include "harness.h"

#include "fake_wire.h"
#include "v2/v2.h"

#define OFFER_BYTES 16384
#define PEER_SPI    0x55667788

/* What A sends is kept back and given to B as a test wants it; what B sends is kept and goes no further. */
struct kept {
	uint8_t asked[4096], answered[4096];
	size_t asked_len, answered_len;
};

static bool keep(struct wire *w, struct packet *p, void *argument)
{
	struct kept *k = argument;
	bool asked = p->from == &w->a;

	CU_ASSERT_FATAL(p->len <= sizeof(k->asked));
	memcpy(asked ? k->asked : k->answered, p->data, p->len);
	*(asked ? &k->asked_len : &k->answered_len) = p->len;
	return false;
}

static void keep_all(struct wire *w, struct kept *k)
{
	*k = (struct kept){ 0 };
	w->filter = keep;
	w->filter_argument = k;
}

static void give_b(struct wire *w, struct bytes data)
{
	const struct endpoint a = { w->a.outside, 500 }, b = { w->b.outside, 500 };

	node_receive(&w->b, &b, &a, data);
	wire_run(w, MS);
}

/* The proposals that stand before those of A, as an SA payload has them. */
struct filler {
	uint8_t data[4096];
	size_t len;
	unsigned count;
};

static struct filler filler_of(enum security_protocol protocol, const char *text, uint8_t spi_len, unsigned count)
{
	struct filler f = { .count = count };
	struct writer w = writer_init(f.data, sizeof(f.data));
	struct proposal_list list;
	struct message m;
	uint8_t first;

	proposals_set(&list, protocol, text);
	list.items[0].number = 1;
	list.items[0].spi_len = spi_len;
	list.items[0].spi = 0x11223344;
	message_init(&m, 1, 0, IKE_SA_INIT, IKE_FLAG_INITIATOR, 0);
	message_add_sa(&m, &list);
	CU_ASSERT_EQUAL_FATAL(payloads_encode(&m, &w, &first), 0);
	f.len = w.len - PAYLOAD_HEADER_BYTES;
	memmove(f.data, f.data + PAYLOAD_HEADER_BYTES, f.len);
	return f;
}

/* Rewrites the SA payload at `sa` of `in`, of one proposal, with the filler in front. */
static struct bytes lengthen(struct bytes in, size_t sa, const struct filler *f)
{
	static uint8_t data[OFFER_BYTES];
	struct writer w = writer_init(data, sizeof(data));
	size_t sa_bytes = load_be16(in.data + sa + 2), place;

	writer_bytes(&w, BYTES(in.data, sa + PAYLOAD_HEADER_BYTES));
	for (unsigned i = 0; i < f->count; i++) {
		place = w.len;
		writer_bytes(&w, BYTES(f->data, f->len));
		data[place] = 2;
		data[place + 4] = (uint8_t)(i + 1);
	}
	place = w.len;
	writer_bytes(&w, BYTES(in.data + sa + PAYLOAD_HEADER_BYTES, in.len - sa - PAYLOAD_HEADER_BYTES));
	data[place + 4] = (uint8_t)(f->count + 1);
	CU_ASSERT_FALSE_FATAL(w.failed);
	store_be16(data + sa + 2, (uint16_t)(sa_bytes + f->count * f->len));
	return writer_view(&w);
}

/* ---- IKE_SA_INIT ---- */

/* A's first message reaches B with the filler in front of its one proposal. */
static void give_init(struct wire *w, struct kept *k, const struct filler *f)
{
	wire_start(w);
	wire_run(w, MS);
	CU_ASSERT_FATAL(k->asked_len > 0);
	struct bytes longer = lengthen(BYTES(k->asked, k->asked_len), IKE_HEADER_BYTES, f);
	store_be32((uint8_t *)(uintptr_t)longer.data + 24, (uint32_t)longer.len);
	give_b(w, longer);
}

static void init_wire(struct wire *w, struct kept *k, uint64_t seed)
{
	wire_init(w, seed);
	proposals_set(&w->a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519");
	proposals_set(&w->b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519");
	keep_all(w, k);
}

static void decode_answer(const struct kept *k, struct message *m)
{
	struct wire_error error;

	CU_ASSERT_FATAL(k->answered_len > 0);
	CU_ASSERT_EQUAL_FATAL(message_decode(BYTES(k->answered, k->answered_len), m, &error), 0);
}

static void check_init(const char *filler, unsigned count)
{
	struct filler f = filler_of(PROTOCOL_IKE, filler, 0, count);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 1);
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL_FATAL(m.sa.count, 1);
	CU_ASSERT_EQUAL(m.sa.items[0].number, count + 1);
	CU_ASSERT_EQUAL(m.sa.items[0].count, 3);
	CU_ASSERT_TRUE(proposal_has_type(&m.sa.items[0], TRANSFORM_KE));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_init_takes_the_last_of_many_proposals(void)
{
	check_init("aes128-sha256-x25519", 19);
	check_init("aes256gcm16-prfsha384-ecp384", 254);
}

/* RFC 7296 3.3.1: the SPIs of this exchange are those of the header; the answer has no other. */
static void test_init_answers_without_an_spi(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519", 8, 1);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 17);
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL_FATAL(m.sa.count, 1);
	CU_ASSERT_EQUAL(m.sa.items[0].number, 1);
	CU_ASSERT_EQUAL(m.sa.items[0].spi_len, 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* What we prefer, and of what is the same to us what the peer prefers. */
static void test_init_prefers_as_ever(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes128gcm16-prfsha256-x25519", 0, 19);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 2);
	proposals_set(
		&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519,aes128gcm16-prfsha256-x25519");
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL(m.sa.items[0].number, 20);
	CU_ASSERT_TRUE(wire_done(&w));
	init_wire(&w, &k, 2);
	proposals_set(
		&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes128gcm16-prfsha256-x25519,aes256gcm16-prfsha384-x25519");
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL(m.sa.items[0].number, 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The group of the proposal that fits is another one than that of the key which the peer sent. */
static void test_init_wants_the_group_of_the_last_proposal(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes128-sha256-x25519", 0, 19);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 3);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519-ecp384");
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384");
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	const struct payload *p = message_find_notify(&m, NOTIFY_INVALID_KE_PAYLOAD);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL_FATAL(p->notify.data.len, 2);
	CU_ASSERT_EQUAL(load_be16(p->notify.data.data), KE_ECP_384);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* None fits: the closest is named, wherever it stands, and the text is short. */
static void test_init_without_a_match_names_the_closest(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes128-sha256-x25519", 0, 19);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 4);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha256-x25519");
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&m, NOTIFY_NO_PROPOSAL_CHOSEN));
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "PRF: ours PRF-HMAC-SHA2-256, theirs PRF-HMAC-SHA2-384");
	CU_ASSERT_PTR_NOT_NULL(strstr(w.b.failure.theirs, ", ..."));
	CU_ASSERT_PTR_NOT_NULL(strstr(w.b.failure.hint, "compare phase1.proposals"));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Whatever of the offer is missing in the text, be it the end of one proposal. */
static void test_init_text_that_was_cut_says_so(void)
{
	static const char *const offers[] = { "aes256-sha256-ecp384",
		"aes128-aes192-aes256-aes128ctr-aes192ctr-aes256ctr-sha256-sha384-sha512-sha1-aescmac-prfsha256-"
		"prfsha384-prfsha512-prfsha1-prfaescmac-x25519-ecp256-ecp384-ecp521-modp2048-modp3072-modp4096-"
		"modp6144-modp8192" };
	struct kept k;
	struct wire w;

	for (int i = 0; i < 2; i++) {
		struct filler f = filler_of(PROTOCOL_IKE, offers[i], 0, 1);
		init_wire(&w, &k, 19);
		proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, offers[i]);
		proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha256-x448");
		give_init(&w, &k, &f);
		const char *end = strstr(w.b.failure.theirs, ", ...");
		CU_ASSERT_EQUAL(end != NULL, i);
		CU_ASSERT_TRUE(!i || (!end[5] && end == w.b.failure.theirs + EVENT_TEXT_MAX - 6));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* The whole payload is checked, though an earlier proposal would do. */
static void test_init_with_a_fault_in_the_last_proposal_is_refused(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519", 0, 19);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 5);
	wire_start(&w);
	wire_run(&w, MS);
	CU_ASSERT_FATAL(k.asked_len > 0);
	/* its last transform claims another one behind it */
	k.asked[IKE_HEADER_BYTES + load_be16(k.asked + IKE_HEADER_BYTES + 2) - 8] = 3;
	struct bytes longer = lengthen(BYTES(k.asked, k.asked_len), IKE_HEADER_BYTES, &f);
	store_be32((uint8_t *)(uintptr_t)longer.data + 24, (uint32_t)longer.len);
	give_b(&w, longer);
	decode_answer(&k, &m);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&m, NOTIFY_INVALID_SYNTAX));
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* More transforms of each type than any proposal of ours could have, and those that fit behind them. */
static void test_init_takes_the_last_of_many_transforms(void)
{
	struct kept k;
	struct message m;
	struct wire w;
	static uint8_t data[OFFER_BYTES];
	struct writer out = writer_init(data, sizeof(data));
	const size_t proposal = IKE_HEADER_BYTES + PAYLOAD_HEADER_BYTES, transforms = proposal + 8;
	const unsigned more = 200;

	init_wire(&w, &k, 6);
	wire_start(&w);
	wire_run(&w, MS);
	CU_ASSERT_FATAL(k.asked_len > 0);
	writer_bytes(&out, BYTES(k.asked, transforms));
	for (unsigned i = 0; i < more; i++) {
		static const uint8_t types[] = { TRANSFORM_ENCR, TRANSFORM_PRF, TRANSFORM_KE };
		writer_u32(&out, 3u << 24 | 8);
		writer_u32(&out, (uint32_t)types[i % ARRAY_LEN(types)] << 24 | (1024 + i));
	}
	writer_bytes(&out, BYTES(k.asked + transforms, k.asked_len - transforms));
	CU_ASSERT_FALSE_FATAL(out.failed);
	store_be32(data + 24, (uint32_t)out.len);
	for (size_t at = IKE_HEADER_BYTES + 2; at <= proposal + 2; at += PAYLOAD_HEADER_BYTES)
		store_be16(data + at, (uint16_t)(load_be16(data + at) + 8 * more));
	data[proposal + 7] = (uint8_t)(data[proposal + 7] + more);
	give_b(&w, writer_view(&out));
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL_FATAL(m.sa.count, 1);
	CU_ASSERT_EQUAL(m.sa.items[0].count, 3);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Of the tunnels for this peer the first whose list has a match, behind some that have one list in common. */
static void test_init_finds_the_tunnel_that_matches(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes128-sha256-x25519", 0, 19);
	struct kept k;
	struct message m;
	struct wire w;

	init_wire(&w, &k, 12);
	w.b.profile_count = PROFILES_MAX;
	for (int i = 1; i < PROFILES_MAX; i++)
		w.b.profiles[i] = w.b.profiles[0];
	for (int i = 0; i < PROFILES_MAX - 1; i++)
		proposals_set(&w.b.profiles[i].proposals, PROTOCOL_IKE, "aes192-sha256-x25519");
	give_init(&w, &k, &f);
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL(m.sa.items[0].number, 20);
	CU_ASSERT_EQUAL_FATAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_TRUE(proposal_list_equal(
		&w.b.engine->sas->tunnel->profile->proposals, &w.b.profiles[PROFILES_MAX - 1].proposals));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- many tunnels for peers of any address ---- */

#define MANY 30

/* B with MANY tunnels that have so many different lists, none of which A's offer matches. */
static void start_many(struct wire *w, struct kept *k, struct tunnel_profile *many, unsigned lists)
{
	static const char *const encr[] = { "aes128", "aes192", "aes256" };
	static const char *const groups[] = { "ecp256", "ecp384", "ecp521", "modp2048", "modp3072", "modp4096",
		"modp6144", "modp8192", "x25519", "x448" };
	struct node *b = &w->b;
	char text[64];

	init_wire(w, k, 13);
	wire_start(w);
	struct ike_host host = b->engine->host;
	ike_engine_free(b->engine);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned list = i * lists / MANY;
		many[i] = b->profiles[0];
		many[i].remote_addr = (struct addr){ 0 };
		snprintf(text, sizeof(text), "%s-sha256-%s", encr[list % 3], groups[list / 3]);
		proposals_set(&many[i].proposals, PROTOCOL_IKE, text);
	}
	b->engine = ike_engine_create(&b->settings, &host, many, MANY);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->engine);
	wire_run(w, MS);
}

static void test_init_is_held_against_each_list_but_once(void)
{
	static struct tunnel_profile many[MANY];
	struct kept k;
	struct message m;
	struct wire w;

	start_many(&w, &k, many, 10);
	for (unsigned i = 1; i <= 3; i++) {
		/* each request is a new one */
		k.asked[0]++;
		give_b(&w, BYTES(k.asked, k.asked_len));
		decode_answer(&k, &m);
		CU_ASSERT_PTR_NOT_NULL(message_find_notify(&m, NOTIFY_NO_PROPOSAL_CHOSEN));
		CU_ASSERT_EQUAL(w.b.engine->lists_tried, 10 * i);
	}
	/* the last of them does match */
	many[MANY - MANY / 10].proposals = w.a.profiles[0].proposals;
	k.asked[0]++;
	give_b(&w, BYTES(k.asked, k.asked_len));
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL(m.sa.count, 1);
	CU_ASSERT_EQUAL(w.b.engine->lists_tried, 40);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* RFC 7296 2.6: who wants more than a few lists looked at shows first that it is where it says. */
static void test_init_shows_a_cookie_before_many_lists_are_tried(void)
{
	static struct tunnel_profile many[MANY];
	struct kept k;
	struct message m;
	struct wire w;

	start_many(&w, &k, many, MANY);
	many[MANY - 1].proposals = w.a.profiles[0].proposals;
	give_b(&w, BYTES(k.asked, k.asked_len));
	decode_answer(&k, &m);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&m, NOTIFY_COOKIE));
	CU_ASSERT(w.b.engine->lists_tried < MANY);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 0);
	const struct endpoint a = { w.a.outside, 500 }, b = { w.b.outside, 500 };
	node_receive(&w.a, &a, &b, BYTES(k.answered, k.answered_len));
	wire_run(&w, MS);
	give_b(&w, BYTES(k.asked, k.asked_len));
	decode_answer(&k, &m);
	CU_ASSERT_EQUAL(m.sa.count, 1);
	CU_ASSERT_EQUAL_FATAL(ike_sa_count(w.b.engine), 1);
	CU_ASSERT_PTR_EQUAL(w.b.engine->sas->tunnel->profile, &many[MANY - 1]);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* ---- under keys ---- */

/* B's answer under keys, opened by A. */
static void open_answer(struct wire *w, const struct kept *k, struct message *m)
{
	struct ike_datagram d = { .data = BYTES(k->answered, k->answered_len) };
	struct wire_error error;
	struct bytes plain;

	decode_answer(k, m);
	const struct payload *sk = message_find(m, PAYLOAD_SK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sk);
	CU_ASSERT_EQUAL_FATAL(protect_open(w->a.engine, node_sa(&w->a), &d, sk, &plain), 0);
	CU_ASSERT_EQUAL_FATAL(message_decode_inner(plain, sk->sk.first_inner, m, &error), 0);
}

/* To B as A's request, with the filler in front of the one proposal. */
static void ask_longer(struct wire *w, const struct message *m, const struct filler *f)
{
	static struct message inner;
	static uint8_t plain[OFFER_BYTES], data[OFFER_BYTES];
	struct writer out = writer_init(plain, sizeof(plain));
	struct wire_error error;
	uint8_t first;

	CU_ASSERT_EQUAL_FATAL(payloads_encode(m, &out, &first), 0);
	memset(&inner, 0, sizeof(inner));
	CU_ASSERT_EQUAL_FATAL(message_decode_inner(writer_view(&out), first, &inner, &error), 0);
	const struct payload *sa = message_find(&inner, PAYLOAD_SA);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	struct bytes longer = lengthen(writer_view(&out), sa->offset, f);
	size_t len = seal_raw(
		&w->a, m->header.exchange, false, m->header.message_id, first, longer, data, sizeof(data));
	give_b(w, BYTES(data, len));
}

/* What A has sent under its own keys. */
static void open_own(struct wire *w, const struct kept *k, struct message *ret)
{
	static struct message m;
	struct ike_datagram d = { .data = BYTES(k->asked, k->asked_len) };
	struct ike_sa *sa = node_sa(&w->a);
	struct wire_error error;
	struct bytes plain;

	CU_ASSERT_EQUAL_FATAL(message_decode(d.data, &m, &error), 0);
	const struct payload *sk = message_find(&m, PAYLOAD_SK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sk);
	sa->initiator = !sa->initiator;
	CU_ASSERT_EQUAL_FATAL(protect_open(w->a.engine, sa, &d, sk, &plain), 0);
	sa->initiator = !sa->initiator;
	*ret = (struct message){ .header = m.header };
	CU_ASSERT_EQUAL_FATAL(message_decode_inner(plain, sk->sk.first_inner, ret, &error), 0);
}

static bool hold_auth(struct wire *w, struct packet *p, void *argument)
{
	return p->data[18] == IKE_SA_INIT || keep(w, p, argument);
}

/* The first Child SA, which takes no part of the key exchange: the groups of the offer do not count there. */
static void test_auth_takes_the_last_of_many_proposals(void)
{
	struct filler f = filler_of(PROTOCOL_ESP, "aes128-sha256-x25519", 4, 19);
	struct kept k;
	struct message m, answer;
	struct wire w;

	wire_init(&w, 7);
	proposals_set(&w.a.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16");
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16");
	keep_all(&w, &k);
	w.filter = hold_auth;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	CU_ASSERT_EQUAL_FATAL(k.asked[18], IKE_AUTH);
	open_own(&w, &k, &m);
	proposal_add(&m.sa.items[0], TRANSFORM_KE, KE_CURVE25519, 0);
	ask_longer(&w, &m, &f);
	CU_ASSERT_EQUAL_FATAL(w.b.installs, 1);
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	open_answer(&w, &k, &answer);
	CU_ASSERT_EQUAL(answer.sa.items[0].number, 20);
	CU_ASSERT_EQUAL(answer.sa.items[0].spi_len, 4);
	CU_ASSERT_EQUAL(answer.sa.items[0].spi, node_pair(&w.b)->in.spi);
	CU_ASSERT_EQUAL(m.sa.items[0].spi, node_pair(&w.b)->out.spi);
	CU_ASSERT_FALSE(proposal_has_type(&answer.sa.items[0], TRANSFORM_KE));
	CU_ASSERT_TRUE(wire_done(&w));
}

/* The text of a refusal, too, says nothing of groups. */
static void test_auth_without_a_match_names_what_counts(void)
{
	struct filler f = filler_of(PROTOCOL_ESP, "aes128-sha256-x25519", 4, 1);
	struct kept k;
	struct message m, answer;
	struct wire w;

	wire_init(&w, 18);
	proposals_set(&w.a.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16-esn");
	proposals_set(&w.b.profiles[0].children[0].proposals, PROTOCOL_ESP, "aes256gcm16-x25519-noesn");
	keep_all(&w, &k);
	w.filter = hold_auth;
	wire_start(&w);
	wire_run(&w, 100 * MS);
	open_own(&w, &k, &m);
	proposal_add(&m.sa.items[0], TRANSFORM_KE, KE_ECP_384, 0);
	ask_longer(&w, &m, &f);
	open_answer(&w, &k, &answer);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&answer, NOTIFY_NO_PROPOSAL_CHOSEN));
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "ESN: ours NO-ESN, theirs ESN");
	CU_ASSERT_TRUE(wire_done(&w));
}

/* What A sends from here on is kept, too. */
static void start_up(struct wire *w, struct kept *k, const char *esp, uint64_t seed)
{
	wire_init(w, seed);
	proposals_set(&w->a.profiles[0].children[0].proposals, PROTOCOL_ESP, esp);
	proposals_set(&w->b.profiles[0].children[0].proposals, PROTOCOL_ESP, esp);
	proposals_set(&w->a.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519");
	proposals_set(&w->b.profiles[0].proposals, PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519");
	wire_start(w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, 5 * S));
	wire_run(w, 100 * MS);
	keep_all(w, k);
}

static void start_request(struct wire *w, const struct proposal_list *proposals, uint8_t spi_len, struct message *m)
{
	static const uint8_t nonce[32] = { 1 };
	struct proposal_list offer = *proposals;

	proposals_address(&offer, spi_len, PEER_SPI);
	protect_init_message(node_sa(&w->a), CREATE_CHILD_SA, false, 2, m);
	message_add_sa(m, &offer);
	message_add(m, PAYLOAD_NONCE)->nonce = BYTES_OF(nonce);
}

static void add_key(struct message *m)
{
	static const uint8_t key[32] = { 9 };
	struct payload *ke = message_add(m, PAYLOAD_KE);

	ke->ke.group = KE_CURVE25519;
	ke->ke.data = BYTES_OF(key);
}

static void add_selectors(const struct wire *w, struct message *m)
{
	message_add_ts(m, PAYLOAD_TSI, &w->a.profiles[0].children[0].local);
	message_add_ts(m, PAYLOAD_TSR, &w->a.profiles[0].children[0].remote);
}

static bool sends_to(const struct node *n, uint32_t spi)
{
	for (int i = 0; i < PAIRS_MAX; i++)
		if (n->pairs[i].live && n->pairs[i].out.spi == spi)
			return true;
	return false;
}

static void test_create_child_takes_the_last_of_many_proposals(void)
{
	struct filler f = filler_of(PROTOCOL_ESP, "aes128-sha256-ecp384", 4, 19);
	struct kept k;
	struct message m, answer;
	struct wire w;

	start_up(&w, &k, "aes256gcm16-x25519", 8);
	unsigned installs = w.b.installs;
	start_request(&w, &w.a.profiles[0].children[0].proposals, 4, &m);
	add_key(&m);
	add_selectors(&w, &m);
	ask_longer(&w, &m, &f);
	CU_ASSERT_EQUAL(w.b.installs, installs + 1);
	open_answer(&w, &k, &answer);
	CU_ASSERT_EQUAL(answer.sa.items[0].number, 20);
	CU_ASSERT_TRUE(sends_to(&w.b, PEER_SPI));
	CU_ASSERT_EQUAL(w.b.events[IKE_EV_FAILED], 0);
	CU_ASSERT_TRUE(wire_done(&w));
}

struct entry {
	enum security_protocol protocol;
	const char *proposals;
};

/* B has two phase2 entries for the same addresses. A peer offers `first` `count` times, and `last`; what is agreed is
 * this number of its offer, for this protocol. */
static void check_entries(const struct entry entries[2], const struct entry *first, unsigned count,
	const struct entry *last, uint8_t number, enum security_protocol protocol)
{
	struct filler f = filler_of(first->protocol, first->proposals, 4, count);
	struct proposal_list offer;
	struct selector_list mine, theirs;
	struct kept k;
	struct message m, answer;
	struct wire w;

	wire_init(&w, 9);
	struct tunnel_profile *p = &w.b.profiles[0];
	for (int i = 0; i < 2; i++) {
		struct child_profile *c = &p->children[p->child_count++];
		*c = p->children[0];
		c->start = START_RESPOND;
		snprintf(c->name, sizeof(c->name), "entry%d", i);
		proposals_set(&c->proposals, entries[i].protocol, entries[i].proposals);
		selectors_set(&c->local, "10.2.5.0/24");
		selectors_set(&c->remote, "10.1.5.0/24");
	}
	wire_start(&w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&w, 5 * S));
	wire_run(&w, 100 * MS);
	keep_all(&w, &k);
	proposals_set(&offer, last->protocol, last->proposals);
	start_request(&w, &offer, 4, &m);
	selectors_set(&mine, "10.1.5.0/24");
	selectors_set(&theirs, "10.2.5.0/24");
	message_add_ts(&m, PAYLOAD_TSI, &mine);
	message_add_ts(&m, PAYLOAD_TSR, &theirs);
	ask_longer(&w, &m, &f);
	open_answer(&w, &k, &answer);
	CU_ASSERT_PTR_NULL(message_find_error(&answer));
	CU_ASSERT_EQUAL(answer.sa.items[0].number, number);
	CU_ASSERT_EQUAL(answer.sa.items[0].protocol, protocol);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* A peer that offers AH first, and at the end the ESP that we want. */
static void test_create_child_takes_the_protocol_of_the_last_proposal(void)
{
	static const struct entry entries[2] = { { PROTOCOL_AH, "sha512" }, { PROTOCOL_ESP, "aes256gcm16" } };
	static const struct entry ah = { PROTOCOL_AH, "sha256" }, esp = { PROTOCOL_ESP, "aes256gcm16" };

	check_entries(entries, &ah, 19, &esp, 20, PROTOCOL_ESP);
}

/* The offer has the protocols of both entries, and a match for one. */
static void test_create_child_takes_the_entry_that_can_be_agreed_on(void)
{
	static const struct entry esp_first[2] = { { PROTOCOL_ESP, "aes256gcm16" }, { PROTOCOL_AH, "sha256" } };
	static const struct entry ah_first[2] = { { PROTOCOL_AH, "sha256" }, { PROTOCOL_ESP, "aes256gcm16" } };
	static const struct entry ah = { PROTOCOL_AH, "sha256" }, other_ah = { PROTOCOL_AH, "sha512" };
	static const struct entry esp = { PROTOCOL_ESP, "aes256gcm16" }, other_esp = { PROTOCOL_ESP, "aes128-sha256" };

	check_entries(esp_first, &ah, 1, &other_esp, 1, PROTOCOL_AH);
	check_entries(esp_first, &other_ah, 1, &esp, 2, PROTOCOL_ESP);
	check_entries(ah_first, &ah, 1, &other_esp, 1, PROTOCOL_AH);
	check_entries(ah_first, &other_ah, 1, &esp, 2, PROTOCOL_ESP);
}

/* A proposal that would match has no SPI, or one that is reserved: what comes behind it counts. */
static void test_rekey_of_the_ike_sa_passes_over_a_proposal_without_spi(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519", 0, 1);
	struct kept k;
	struct message m, answer;
	struct wire w;

	start_up(&w, &k, "aes256gcm16", 14);
	start_request(&w, &w.a.profiles[0].proposals, 8, &m);
	add_key(&m);
	ask_longer(&w, &m, &f);
	open_answer(&w, &k, &answer);
	CU_ASSERT_EQUAL(answer.sa.items[0].number, 2);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_create_child_passes_over_a_reserved_spi(void)
{
	for (uint32_t spi = 0; spi < 256; spi += 255) {
		struct filler f = filler_of(PROTOCOL_ESP, "aes256gcm16", 4, 1);
		struct kept k;
		struct message m, answer;
		struct wire w;

		store_be32(f.data + 8, spi);
		start_up(&w, &k, "aes256gcm16", 15);
		start_request(&w, &w.a.profiles[0].children[0].proposals, 4, &m);
		add_selectors(&w, &m);
		ask_longer(&w, &m, &f);
		open_answer(&w, &k, &answer);
		CU_ASSERT_EQUAL(answer.sa.items[0].number, 2);
		CU_ASSERT_TRUE(sends_to(&w.b, PEER_SPI));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

static void test_create_child_with_nothing_but_a_reserved_spi_is_refused(void)
{
	struct filler f = filler_of(PROTOCOL_ESP, "aes256gcm16", 4, 1);
	struct proposal_list other;
	struct kept k;
	struct message m, answer;
	struct wire w;

	store_be32(f.data + 8, 255);
	start_up(&w, &k, "aes256gcm16", 16);
	proposals_set(&other, PROTOCOL_ESP, "aes128gcm16");
	start_request(&w, &other, 4, &m);
	add_selectors(&w, &m);
	ask_longer(&w, &m, &f);
	open_answer(&w, &k, &answer);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&answer, NOTIFY_NO_PROPOSAL_CHOSEN));
	CU_ASSERT_STRING_EQUAL(w.b.failure.mismatch, "SPI: the peer's cannot be used");
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_rekey_of_the_ike_sa_takes_the_last_of_many_proposals(void)
{
	struct filler f = filler_of(PROTOCOL_IKE, "aes128-sha256-x25519", 8, 19);
	struct kept k;
	struct message m, answer;
	struct wire w;

	start_up(&w, &k, "aes256gcm16", 10);
	start_request(&w, &w.a.profiles[0].proposals, 8, &m);
	add_key(&m);
	ask_longer(&w, &m, &f);
	open_answer(&w, &k, &answer);
	CU_ASSERT_EQUAL(answer.sa.items[0].number, 20);
	CU_ASSERT_EQUAL(answer.sa.items[0].spi_len, 8);
	CU_ASSERT_EQUAL(ike_sa_count(w.b.engine), 2);
	CU_ASSERT_TRUE(wire_done(&w));
}

/* Nothing of a long offer fits: the IKE SA and what it carries stay. */
static void test_create_child_without_a_match_is_refused(void)
{
	struct filler f = filler_of(PROTOCOL_ESP, "aes128-sha256", 4, 19);
	struct kept k;
	struct message m, answer;
	struct wire w;

	start_up(&w, &k, "aes256gcm16", 11);
	struct proposal_list offer;
	proposals_set(&offer, PROTOCOL_ESP, "aes128gcm16");
	start_request(&w, &offer, 4, &m);
	add_selectors(&w, &m);
	ask_longer(&w, &m, &f);
	open_answer(&w, &k, &answer);
	CU_ASSERT_PTR_NOT_NULL(message_find_notify(&answer, NOTIFY_NO_PROPOSAL_CHOSEN));
	CU_ASSERT_EQUAL(w.b.failure.notify, NOTIFY_NO_PROPOSAL_CHOSEN);
	CU_ASSERT_PTR_NOT_NULL(strstr(w.b.failure.theirs, ", ..."));
	CU_ASSERT_TRUE(wire_up(&w));
	CU_ASSERT_TRUE(wire_done(&w));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_init_takes_the_last_of_many_proposals),
		TEST(test_init_answers_without_an_spi),
		TEST(test_init_prefers_as_ever),
		TEST(test_init_wants_the_group_of_the_last_proposal),
		TEST(test_init_without_a_match_names_the_closest),
		TEST(test_init_text_that_was_cut_says_so),
		TEST(test_init_with_a_fault_in_the_last_proposal_is_refused),
		TEST(test_init_takes_the_last_of_many_transforms),
		TEST(test_init_finds_the_tunnel_that_matches),
		TEST(test_init_is_held_against_each_list_but_once),
		TEST(test_init_shows_a_cookie_before_many_lists_are_tried),
		TEST(test_auth_takes_the_last_of_many_proposals),
		TEST(test_auth_without_a_match_names_what_counts),
		TEST(test_create_child_takes_the_last_of_many_proposals),
		TEST(test_create_child_takes_the_protocol_of_the_last_proposal),
		TEST(test_rekey_of_the_ike_sa_takes_the_last_of_many_proposals),
		TEST(test_create_child_takes_the_entry_that_can_be_agreed_on),
		TEST(test_rekey_of_the_ike_sa_passes_over_a_proposal_without_spi),
		TEST(test_create_child_passes_over_a_reserved_spi),
		TEST(test_create_child_with_nothing_but_a_reserved_spi_is_refused),
		TEST(test_create_child_without_a_match_is_refused),
	};

	return test_main("exchange", tests, ARRAY_LEN(tests), argc, argv);
}
