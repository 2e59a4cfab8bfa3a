/* SPDX-License-Identifier: BSD-3-Clause */
/* Exchange tests: IKE fragmentation (RFC 7383), both ways and both roles: sizes, loss, order, what is kept and for how
 * long, and what is not. */
#include "harness.h"

#include <stdio.h>

#include "fake_wire.h"
#include "v2/v2.h"

#define MESSAGE_MAX 2048

static void set_sizes(struct wire *w, uint32_t bytes)
{
	w->a.profiles[0].fragment_bytes_ipv4 = w->b.profiles[0].fragment_bytes_ipv4 = bytes;
	w->a.profiles[0].fragment_bytes_ipv6 = w->b.profiles[0].fragment_bytes_ipv6 = bytes;
}

/* What was on the wire. */
struct seen {
	unsigned fragments[2]; /* of A, of B */
	size_t largest;        /* IP packet of a protected message */
	int lose;              /* index of the fragment of A and B together that is lost; -1: none */
	unsigned count;
	bool reverse; /* fragments of a message arrive last first */
};

static bool look(struct wire *w, struct packet *p, void *argument)
{
	struct seen *seen = argument;
	size_t around = (p->local.addr.family == ADDR_IPV6 ? 40 : 20) + 8 + (p->local.port == 4500 ? 4 : 0);

	if (p->data[18] == IKE_SA_INIT)
		return true;
	seen->largest = p->len + around > seen->largest ? p->len + around : seen->largest;
	if (p->data[16] != PAYLOAD_SKF)
		return true;
	seen->fragments[p->from == &w->b]++;
	if (seen->reverse)
		p->at_ns += (10 - load_be16(p->data + 32)) * MS;
	return seen->lose != (int)seen->count++;
}

static void check_handshake(struct wire *w, struct seen *seen, uint64_t limit)
{
	w->filter = look;
	w->filter_argument = seen;
	wire_start(w);
	CU_ASSERT_TRUE(wire_run_until_up(w, limit));
	CU_ASSERT_EQUAL(w->a.installs, 1);
	CU_ASSERT_EQUAL(w->b.installs, 1);
	CU_ASSERT_TRUE(wire_done(w));
}

static void check_size(const char *suite, bool encap, bool ipv6, uint32_t bytes)
{
	struct wire w;
	struct seen seen = { .lose = -1 };

	wire_init(&w, bytes);
	set_sizes(&w, bytes);
	proposals_set(&w.a.profiles[0].proposals, PROTOCOL_IKE, suite);
	proposals_set(&w.b.profiles[0].proposals, PROTOCOL_IKE, suite);
	w.a.profiles[0].encap = encap ? ENCAP_ALWAYS : ENCAP_AUTO;
	if (ipv6) {
		addr_parse("2001:db8::1", &w.a.inside);
		addr_parse("2001:db8::2", &w.b.inside);
		w.a.outside = w.a.profiles[0].local_addr = w.b.profiles[0].remote_addr = w.a.inside;
		w.b.outside = w.b.profiles[0].local_addr = w.a.profiles[0].remote_addr = w.b.inside;
	}
	check_handshake(&w, &seen, S);
	CU_ASSERT(seen.fragments[0] > 1 && seen.fragments[1] > 1);
	CU_ASSERT(seen.largest <= bytes && seen.largest > bytes - 32);
}

static void test_fragments_keep_to_the_size(void)
{
	check_size("aes128gcm16-prfsha256-x25519", false, false, 192);
	check_size("aes256-sha256-x25519", false, false, 192);
	for (uint32_t bytes = 176; bytes < 192; bytes++)
		check_size("aes256-sha512-x25519", true, false, bytes);
	check_size("aes128gcm16-prfsha256-x25519", true, true, 208);
	check_size("aes256-sha256-x25519", false, true, 208);
}

static void test_fragments_only_when_both_sides_want(void)
{
	for (int who = 1; who < 4; who++) {
		struct wire w;
		struct seen seen = { .lose = -1 };
		wire_init(&w, (uint64_t)who);
		set_sizes(&w, 192);
		w.a.profiles[0].fragmentation = !(who & 1);
		w.b.profiles[0].fragmentation = !(who & 2);
		check_handshake(&w, &seen, S);
		CU_ASSERT_EQUAL(seen.fragments[0] + seen.fragments[1], 0);
		CU_ASSERT(seen.largest > 192);
	}
}

static void test_fragments_not_without_need(void)
{
	struct wire w;
	struct seen seen = { .lose = -1 };

	wire_init(&w, 3);
	check_handshake(&w, &seen, S);
	CU_ASSERT_EQUAL(seen.fragments[0] + seen.fragments[1], 0);
}

/* A long identity and many selectors do not fit into 576 bytes. */
static void test_fragments_of_a_large_negotiation(void)
{
	struct wire w;
	struct seen seen = { .lose = -1 };
	char id[7 + 200] = "keyid:";

	wire_init(&w, 4);
	memset(id + 6, 'x', 200);
	identity_parse(id, &w.a.profiles[0].local_id);
	w.b.profiles[0].remote_id = w.a.profiles[0].local_id;
	for (struct node *n = &w.a; n; n = n == &w.a ? &w.b : NULL) {
		struct child_profile *c = &n->profiles[0].children[0];
		for (int i = 0; i < SELECTORS_MAX; i++) {
			struct selector *local = &c->local.items[i], *remote = &c->remote.items[i];
			char text[32];
			snprintf(text, sizeof(text), "10.%d.%d.0/24", n == &w.a ? 1 : 2, i);
			selector_parse(text, local);
			snprintf(text, sizeof(text), "10.%d.%d.0/24", n == &w.a ? 2 : 1, i);
			selector_parse(text, remote);
		}
		c->local.count = c->remote.count = SELECTORS_MAX;
	}
	check_handshake(&w, &seen, S);
	CU_ASSERT(seen.fragments[0] > 1 && seen.fragments[1] > 1);
	CU_ASSERT(seen.largest <= 576);
}

/* A sends 2 or more fragments, B 2 or more: each is lost once, and all of the message come again. */
static void test_fragments_loss_of_each(void)
{
	struct seen seen = { .lose = -1 };
	unsigned total;
	struct wire w;

	wire_init(&w, 5);
	set_sizes(&w, 192);
	check_handshake(&w, &seen, S);
	total = seen.count;
	CU_ASSERT(total >= 4);
	for (unsigned i = 0; i < total; i++) {
		seen = (struct seen){ .lose = (int)i };
		wire_init(&w, 5);
		set_sizes(&w, 192);
		check_handshake(&w, &seen, S);
		CU_ASSERT(seen.count > total);
	}
}

static void test_fragments_in_any_order(void)
{
	struct wire w;
	struct seen seen = { .lose = -1, .reverse = true };

	wire_init(&w, 6);
	set_sizes(&w, 192);
	w.duplicate_percent = 50;
	check_handshake(&w, &seen, S / 2);
}

/* The first fragment makes the responder compute the secret; the others come meanwhile and need not come again. */
static void test_fragments_come_before_the_keys(void)
{
	struct wire w;
	struct seen seen = { .lose = -1 };

	wire_init(&w, 7);
	set_sizes(&w, 192);
	w.job_delay_ns = 100 * MS;
	w.filter = look;
	w.filter_argument = &seen;
	wire_start(&w);
	CU_ASSERT_TRUE(wire_run_until_up(&w, S));
	CU_ASSERT_EQUAL(node_counter(&w.a, IKE_C_RETRANSMITTED), 0);
	CU_ASSERT_EQUAL(node_counter(&w.b, IKE_C_REASSEMBLED), 1);
	CU_ASSERT_TRUE(wire_done(&w));
}

static void test_fragments_on_a_bad_path(void)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct wire w;
		wire_init(&w, seed);
		set_sizes(&w, 192);
		w.loss_percent = 10;
		w.duplicate_percent = 20;
		w.reorder_percent = 30;
		w.job_delay_ns = 3 * MS;
		wire_start(&w);
		CU_ASSERT_TRUE(wire_run_until_up(&w, 60 * S));
		w.loss_percent = w.duplicate_percent = w.reorder_percent = 0;
		wire_run(&w, 30 * S);
		CU_ASSERT_TRUE(wire_up(&w));
		CU_ASSERT_TRUE(wire_done(&w));
	}
}

/* ---- fragments by hand, from A to B, of an INFORMATIONAL request that holds vendor IDs ---- */

struct hand {
	struct wire w;
	uint8_t plain[MESSAGE_MAX], sealed[MESSAGE_MAX];
	size_t len;
};

static void hand_start(struct hand *h, uint64_t seed)
{
	struct writer w = writer_init(h->plain, sizeof(h->plain));

	wire_init(&h->w, seed);
	h->w.a.profiles[0].dpd_interval_ns = h->w.b.profiles[0].dpd_interval_ns = 0;
	wire_start(&h->w);
	CU_ASSERT_TRUE_FATAL(wire_run_until_up(&h->w, 5 * S));
	wire_run(&h->w, 100 * MS);
	for (int i = 0; i < 8; i++) {
		writer_u8(&w, i < 7 ? PAYLOAD_VENDOR : PAYLOAD_NONE);
		writer_u8(&w, 0);
		writer_u16(&w, 24);
		writer_zero(&w, 20);
	}
	h->len = w.len;
	/* A does not hear the answers to what it did not ask */
	h->w.a.dead = true;
}

static uint32_t next_id(const struct hand *h)
{
	return node_sa(&h->w.b)->outbox.peer_request_id;
}

/* Gives bytes to B as if A sent them; returns how many datagrams came back. */
static uint64_t give_bytes(struct hand *h, struct bytes bytes)
{
	struct endpoint a = { h->w.a.inside, 500 }, b = { h->w.b.inside, 500 };
	uint64_t sent = node_counter(&h->w.b, IKE_C_SENT);

	node_receive(&h->w.b, &b, &a, bytes);
	return node_counter(&h->w.b, IKE_C_SENT) - sent;
}

/* Fragment `number` of `total` of the request. */
static struct bytes cut(struct hand *h, uint32_t id, uint16_t number, uint16_t total)
{
	size_t part = (h->len + total - 1) / total, at = (size_t)(number - 1) * part;
	struct fragment f = { number, total, number == 1 ? PAYLOAD_VENDOR : PAYLOAD_NONE };

	part = at + part > h->len ? h->len - at : part;
	return BYTES(h->sealed, seal_fragment(&h->w.a, INFORMATIONAL, false, id, f, BYTES(h->plain + at, part),
					h->sealed, sizeof(h->sealed)));
}

static uint64_t give(struct hand *h, uint32_t id, uint16_t number, uint16_t total)
{
	return give_bytes(h, cut(h, id, number, total));
}

static void hand_done(struct hand *h)
{
	CU_ASSERT_EQUAL(node_live_pairs(&h->w.b), 1);
	CU_ASSERT_TRUE(wire_done(&h->w));
}

static void test_fragments_answered_when_whole(void)
{
	static struct hand h;

	hand_start(&h, 10);
	uint32_t id = next_id(&h);
	CU_ASSERT_EQUAL(give(&h, id, 2, 3), 0);
	CU_ASSERT_EQUAL(give(&h, id, 3, 3), 0);
	CU_ASSERT_EQUAL(give(&h, id, 3, 3), 0);
	CU_ASSERT_EQUAL(node_counter(&h.w.b, IKE_C_FRAGMENT_REPEATED), 1);
	CU_ASSERT_EQUAL(give(&h, id, 1, 3), 1);
	CU_ASSERT_EQUAL(next_id(&h), id + 1);
	CU_ASSERT_PTR_NULL(node_sa(&h.w.b)->skf[0]);
	hand_done(&h);
}

/* RFC 7383 2.6.1: one answer for the whole repeated message, whether or not it is cut as before. */
static void test_fragments_repeated_request_is_answered_once(void)
{
	static struct hand h;

	hand_start(&h, 11);
	uint32_t id = next_id(&h);
	give(&h, id, 1, 2);
	CU_ASSERT_EQUAL(give(&h, id, 2, 2), 1);
	CU_ASSERT_EQUAL(give(&h, id, 1, 2), 1);
	CU_ASSERT_EQUAL(give(&h, id, 2, 2), 0);
	CU_ASSERT_EQUAL(give(&h, id, 1, 4), 1);
	CU_ASSERT_EQUAL(give(&h, id, 2, 4), 0);
	CU_ASSERT_EQUAL(next_id(&h), id + 1);
	hand_done(&h);
}

/* RFC 7383 2.6: a set of more fragments replaces one of fewer, never the other way round. */
static void test_fragments_cut_into_more(void)
{
	static struct hand h;

	hand_start(&h, 12);
	uint32_t id = next_id(&h);
	give(&h, id, 1, 2);
	give(&h, id, 1, 3);
	CU_ASSERT_EQUAL(node_sa(&h.w.b)->skf[0]->total, 3);
	CU_ASSERT_EQUAL(give(&h, id, 2, 2), 0);
	CU_ASSERT_EQUAL(node_sa(&h.w.b)->skf[0]->total, 3);
	CU_ASSERT_EQUAL(give(&h, id, 2, 3), 0);
	CU_ASSERT_EQUAL(give(&h, id, 3, 3), 1);
	hand_done(&h);
}

static void test_fragments_and_a_whole_copy(void)
{
	static struct hand h;
	uint8_t bytes[MESSAGE_MAX];

	hand_start(&h, 13);
	uint32_t id = next_id(&h);
	give(&h, id, 1, 2);
	CU_ASSERT_PTR_NOT_NULL(node_sa(&h.w.b)->skf[0]);
	size_t len = seal_raw(
		&h.w.a, INFORMATIONAL, false, id, PAYLOAD_VENDOR, BYTES(h.plain, h.len), bytes, sizeof(bytes));
	CU_ASSERT_EQUAL(give_bytes(&h, BYTES(bytes, len)), 1);
	CU_ASSERT_EQUAL(next_id(&h), id + 1);
	CU_ASSERT_PTR_NULL(node_sa(&h.w.b)->skf[0]);
	hand_done(&h);
}

static void test_fragments_forged_are_not_kept(void)
{
	static struct hand h;
	uint8_t bytes[MESSAGE_MAX];

	hand_start(&h, 14);
	uint32_t id = next_id(&h);
	struct fragment f = { 1, 2, PAYLOAD_VENDOR };
	size_t len = seal_fragment(&h.w.a, INFORMATIONAL, false, id, f, BYTES(h.plain, 96), bytes, sizeof(bytes));
	/* fragment number, total, what is inside, ciphertext, ICV: all of it is under the ICV */
	static const size_t places[] = { 28, 33, 35, 60 };
	for (size_t i = 0; i <= ARRAY_LEN(places); i++) {
		size_t at = i < ARRAY_LEN(places) ? places[i] : len - 1;
		bytes[at] ^= 3;
		give_bytes(&h, BYTES(bytes, len));
		bytes[at] ^= 3;
		CU_ASSERT_PTR_NULL(node_sa(&h.w.b)->skf[0]);
	}
	CU_ASSERT(node_counter(&h.w.b, IKE_C_BAD_ICV) >= 3);
	CU_ASSERT_EQUAL(next_id(&h), id);
	hand_done(&h);
}

static void test_fragments_are_not_kept_for_ever(void)
{
	static struct hand h;

	hand_start(&h, 15);
	uint32_t id = next_id(&h);
	give(&h, id, 1, 2);
	wire_run(&h.w, 29 * S);
	CU_ASSERT_PTR_NOT_NULL(node_sa(&h.w.b)->skf[0]);
	wire_run(&h.w, 2 * S);
	CU_ASSERT_PTR_NULL(node_sa(&h.w.b)->skf[0]);
	CU_ASSERT_EQUAL(node_counter(&h.w.b, IKE_C_REASSEMBLY_TIMEOUT), 1);
	CU_ASSERT_EQUAL(give(&h, id, 2, 2), 0);
	CU_ASSERT_EQUAL(give(&h, id, 1, 2), 1);
	hand_done(&h);
}

static void test_fragments_too_many_are_refused(void)
{
	static struct hand h;
	static uint8_t plain[4096], bytes[8192];

	hand_start(&h, 16);
	uint32_t id = next_id(&h);
	CU_ASSERT_EQUAL(give(&h, id, 1, 257), 0);
	CU_ASSERT_PTR_NULL(node_sa(&h.w.b)->skf[0]);
	CU_ASSERT_EQUAL(node_counter(&h.w.b, IKE_C_FRAGMENT_REFUSED), 1);
	/* as a whole larger than a datagram can be */
	for (uint16_t i = 1; i <= 17; i++) {
		struct fragment f = { i, 18, i == 1 ? PAYLOAD_VENDOR : PAYLOAD_NONE };
		size_t len = seal_fragment(&h.w.a, INFORMATIONAL, false, id, f, BYTES_OF(plain), bytes, sizeof(bytes));
		give_bytes(&h, BYTES(bytes, len));
	}
	CU_ASSERT_EQUAL(node_counter(&h.w.b, IKE_C_FRAGMENT_REFUSED), 2);
	CU_ASSERT(!node_sa(&h.w.b)->skf[0] || node_sa(&h.w.b)->skf[0]->bytes <= sizeof(plain));
	hand_done(&h);
}

static void test_fragments_not_negotiated_are_dropped(void)
{
	static struct hand h;

	hand_start(&h, 17);
	uint32_t id = next_id(&h);
	node_sa(&h.w.b)->fragmentation = false;
	give(&h, id, 1, 2);
	CU_ASSERT_EQUAL(give(&h, id, 2, 2), 0);
	CU_ASSERT_EQUAL(node_counter(&h.w.b, IKE_C_FRAGMENT_REFUSED), 2);
	CU_ASSERT_EQUAL(next_id(&h), id);
	hand_done(&h);
}

/* What is put together is no better than what comes in one piece. */
static void test_fragments_of_nonsense_end_the_sa(void)
{
	static struct hand h;

	hand_start(&h, 18);
	uint32_t id = next_id(&h);
	h.plain[2] = 0xff;
	CU_ASSERT_EQUAL(give(&h, id, 2, 2), 0);
	struct bytes head = cut(&h, id, 1, 2);
	CU_ASSERT_EQUAL(give_bytes(&h, head), 1);
	CU_ASSERT_EQUAL(node_live_pairs(&h.w.b), 0);
	/* its refusal is repeated to a peer that did not hear it, though the keys are gone */
	CU_ASSERT_EQUAL(give_bytes(&h, head), 1);
	CU_ASSERT_TRUE(wire_done(&h.w));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_fragments_keep_to_the_size),
		TEST(test_fragments_only_when_both_sides_want),
		TEST(test_fragments_not_without_need),
		TEST(test_fragments_of_a_large_negotiation),
		TEST(test_fragments_loss_of_each),
		TEST(test_fragments_in_any_order),
		TEST(test_fragments_come_before_the_keys),
		TEST(test_fragments_on_a_bad_path),
		TEST(test_fragments_answered_when_whole),
		TEST(test_fragments_repeated_request_is_answered_once),
		TEST(test_fragments_cut_into_more),
		TEST(test_fragments_and_a_whole_copy),
		TEST(test_fragments_forged_are_not_kept),
		TEST(test_fragments_are_not_kept_for_ever),
		TEST(test_fragments_too_many_are_refused),
		TEST(test_fragments_not_negotiated_are_dropped),
		TEST(test_fragments_of_nonsense_end_the_sa),
	};

	return test_main("exchange_fragments", tests, ARRAY_LEN(tests), argc, argv);
}
