/* SPDX-License-Identifier: BSD-3-Clause */
/* Every message of a good negotiation, spoilt: each payload dropped, doubled, moved, shortened, lengthened, emptied, of
 * an unknown type, each of its bytes at its extremes; and each byte of what is on the wire, which under the keys must
 * be as if nothing had come. After each: the answer RFC 7296 asks for, the tunnel comes up (again), and in the end
 * nothing is left. A sample by default (its seed is printed, SALLYPORT_SEED repeats it), all with SALLYPORT_LONG=1. */
#include "harness.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_wire.h"
#include "v2/v2.h"

#define MESSAGE_MAX   2048
#define ITEMS_MAX     24
#define LIBRARY_BYTES 32768
#define SAMPLE        150 /* mutations of each message */

/* ---- a message as a chain of payloads ---- */

struct item {
	uint8_t type;
	uint8_t bytes[512]; /* generic header and body */
	size_t len;
};

struct chain {
	struct item items[ITEMS_MAX];
	size_t count;
};

static void chain_read(struct chain *c, uint8_t first, struct bytes b)
{
	size_t at = 0;

	c->count = 0;
	while (first && at + 4 <= b.len && c->count < ITEMS_MAX) {
		struct item *i = &c->items[c->count++];
		i->type = first;
		i->len = load_be16(b.data + at + 2);
		memcpy(i->bytes, b.data + at, i->len);
		first = i->bytes[0];
		at += i->len;
	}
}

/* Next payload fields as the order wants them, unless `keep_next` names the payload whose own is tried. */
static size_t chain_write(const struct chain *c, size_t keep_next, uint8_t *ret_first, uint8_t *ret_data)
{
	size_t at = 0;

	*ret_first = c->count ? c->items[0].type : PAYLOAD_NONE;
	for (size_t i = 0; i < c->count; i++) {
		memcpy(ret_data + at, c->items[i].bytes, c->items[i].len);
		if (i != keep_next)
			ret_data[at] = i + 1 < c->count ? c->items[i + 1].type : PAYLOAD_NONE;
		at += c->items[i].len;
	}
	return at;
}

static void length_write(struct item *i, size_t len)
{
	i->len = len;
	store_be16(i->bytes + 2, (uint16_t)len);
}

/* ---- mutations ---- */

enum kind {
	DROP,
	DOUBLE,
	MOVE,
	SHORTEN,
	LENGTHEN,
	EMPTY,
	UNKNOWN,
	CRITICAL,
	BYTE_LOW,
	BYTE_HIGH,
	BYTE_FLIP,
	WIRE_BYTE
};

struct mutation {
	enum kind kind;
	size_t item, byte;
};

static void item_remove(struct chain *c, size_t i)
{
	memmove(&c->items[i], &c->items[i + 1], (c->count - i - 1) * sizeof(c->items[0]));
	c->count--;
}

/* Returns the item whose next payload field must stay as it is; SIZE_MAX: none. */
static size_t chain_mutate(struct chain *c, const struct mutation *m)
{
	struct item *i = &c->items[m->item], copy = *i;
	static const uint8_t flips[] = { [BYTE_LOW] = 0, [BYTE_HIGH] = 0xff };

	switch (m->kind) {
	case DROP: item_remove(c, m->item); break;
	case DOUBLE: c->items[c->count++] = copy; break;
	case MOVE:
		item_remove(c, m->item);
		c->items[c->count++] = copy;
		break;
	case SHORTEN: length_write(i, i->len - 1); break;
	case LENGTHEN:
		i->bytes[i->len] = 0;
		length_write(i, i->len + 1);
		break;
	case EMPTY: length_write(i, 4); break;
	case UNKNOWN: i->type = 200; break;
	case CRITICAL:
		i->type = 200;
		i->bytes[1] = 0x80;
		break;
	case BYTE_FLIP: i->bytes[m->byte] ^= 1; break;
	default: i->bytes[m->byte] = flips[m->kind]; break;
	}
	return m->kind >= BYTE_LOW && !m->byte ? m->item : SIZE_MAX;
}

/* The n-th mutation of a message of this chain and wire length; false: there are no more. */
static bool mutation_pick(const struct chain *c, size_t wire_len, size_t n, struct mutation *ret)
{
	for (size_t i = 0; i < c->count; i++) {
		size_t bytes = c->items[i].len, here = BYTE_LOW + 3 * bytes;
		if (n < BYTE_LOW) {
			*ret = (struct mutation){ (enum kind)n, i, 0 };
			return true;
		}
		if (n < here) {
			*ret = (struct mutation){ (enum kind)(BYTE_LOW + (n - BYTE_LOW) % 3), i, (n - BYTE_LOW) / 3 };
			return true;
		}
		n -= here;
	}
	*ret = (struct mutation){ WIRE_BYTE, 0, n };
	return n < wire_len;
}

/* ---- one message of the negotiation ---- */

/* Which message, and how it comes about. */
struct place {
	const char *name;
	char sender;
	uint8_t exchange;
	bool response;
	enum ike_command_kind command; /* once up, of A; IKE_INITIATE: the handshake itself */
};

static const struct place places[] = {
	{ "IKE_SA_INIT request", 'A', IKE_SA_INIT, false, IKE_INITIATE },
	{ "IKE_SA_INIT response", 'B', IKE_SA_INIT, true, IKE_INITIATE },
	{ "IKE_AUTH request", 'A', IKE_AUTH, false, IKE_INITIATE },
	{ "IKE_AUTH response", 'B', IKE_AUTH, true, IKE_INITIATE },
	{ "CREATE_CHILD_SA request", 'A', CREATE_CHILD_SA, false, IKE_REKEY },
	{ "CREATE_CHILD_SA response", 'B', CREATE_CHILD_SA, true, IKE_REKEY },
	{ "INFORMATIONAL request", 'A', INFORMATIONAL, false, IKE_TERMINATE },
	{ "INFORMATIONAL response", 'B', INFORMATIONAL, true, IKE_TERMINATE },
};

/* The message at the place, taken off the wire the first time; and what its receiver says next. */
struct tap {
	const struct place *place;
	bool taken, listen;
	uint8_t data[MESSAGE_MAX], answer[MESSAGE_MAX];
	size_t len, answer_len;
	struct endpoint local, remote;
	uint32_t sa_count;    /* of the receiver, before */
	struct ike_sa sender; /* of the sender: suite and keys, owned */
};

static bool tap_filter(struct wire *w, struct packet *p, void *argument)
{
	struct tap *t = argument;
	bool response = p->data[19] & IKE_FLAG_RESPONSE;

	(void)w;
	if (t->listen && p->from->name != t->place->sender && !t->answer_len && p->len <= MESSAGE_MAX) {
		memcpy(t->answer, p->data, p->len);
		t->answer_len = p->len;
	}
	if (t->taken || p->from->name != t->place->sender || p->data[18] != t->place->exchange ||
		response != t->place->response || p->len > MESSAGE_MAX)
		return true;
	memcpy(t->data, p->data, p->len);
	t->len = p->len;
	t->local = p->local;
	t->remote = p->remote;
	return !(t->taken = true);
}

static void run_until_taken(struct wire *w, struct tap *t)
{
	uint64_t limit = w->now_ns + 5 * S;

	while (!t->taken && wire_step(w, limit))
		;
	CU_ASSERT_TRUE_FATAL(t->taken);
}

static void reach(struct wire *w, struct tap *t, const struct place *place)
{
	*t = (struct tap){ .place = place };
	wire_init(w, 77);
	w->latency_ns = MS;
	if (place->command == IKE_INITIATE) {
		w->filter = tap_filter;
		w->filter_argument = t;
	}
	wire_start(w);
	if (place->command != IKE_INITIATE) {
		CU_ASSERT_TRUE_FATAL(wire_run_until_up(w, S));
		wire_run(w, 100 * MS);
		w->filter = tap_filter;
		w->filter_argument = t;
		node_index_command(&w->a, place->command, 0, 0);
	}
	run_until_taken(w, t);
}

/* The sender's SA as it was: its engine may have let it go when the answer is looked at. */
static void keys_keep(const struct node *sender, struct tap *t)
{
	const struct ike_sa *sa = node_sa(sender);

	t->sender = (struct ike_sa){ 0 };
	if (!sa || t->place->exchange == IKE_SA_INIT)
		return;
	t->sender.initiator = sa->initiator;
	t->sender.suite = sa->suite;
	CU_ASSERT_EQUAL(secret_copy(&t->sender.keys, secret_view(&sa->keys)), 0);
}

/* Opens bytes that the sender of the tapped message sent, or got. False: not under the keys. */
static bool open_bytes(
	struct wire *w, struct tap *t, bool got, struct bytes data, uint8_t *ret_first, struct bytes *ret_plain)
{
	struct ike_datagram d = { .data = data };
	struct ike_sa opener = t->sender;
	struct message m;
	struct wire_error error;

	if (!opener.keys.len || message_decode(data, &m, &error) || !message_find(&m, PAYLOAD_SK))
		return false;
	opener.initiator = got ? opener.initiator : !opener.initiator;
	const struct payload *sk = message_find(&m, PAYLOAD_SK);
	*ret_first = sk->sk.first_inner;
	return !protect_open(w->a.engine, &opener, &d, sk, ret_plain);
}

/* The payloads of the tapped message, in clear. */
static void tap_chain(struct wire *w, struct tap *t, struct chain *ret_chain)
{
	struct bytes plain;
	uint8_t first;

	if (t->place->exchange == IKE_SA_INIT) {
		chain_read(ret_chain, t->data[16], BYTES(t->data + 28, t->len - 28));
		return;
	}
	keys_keep(t->place->sender == 'A' ? &w->a : &w->b, t);
	CU_ASSERT_TRUE_FATAL(open_bytes(w, t, false, BYTES(t->data, t->len), &first, &plain));
	chain_read(ret_chain, first, plain);
}

/* Applies the mutation; *ret_reason is what is wrong with the result. Returns its length. */
static size_t spoil(struct wire *w, const struct tap *t, struct chain *c, const struct mutation *m, uint8_t *ret_data,
	enum wire_reason *ret_reason)
{
	static const uint8_t values[] = { 0x01, 0x80, 0xff };
	struct node *sender = t->place->sender == 'A' ? &w->a : &w->b;
	uint8_t plain[2 * MESSAGE_MAX], first;
	struct message message;
	struct wire_error error;
	size_t len;

	memcpy(ret_data, t->data, t->len);
	*ret_reason = WIRE_OK;
	if (m->kind == WIRE_BYTE) {
		ret_data[m->byte] ^= values[m->byte % 3];
		return t->len;
	}
	size_t keep_next = chain_mutate(c, m);
	len = chain_write(c, keep_next, &first, plain);
	if (t->place->exchange == IKE_SA_INIT) {
		memcpy(ret_data + 28, plain, len);
		ret_data[16] = first;
		store_be32(ret_data + 24, (uint32_t)(28 + len));
		if (message_decode(BYTES(ret_data, 28 + len), &message, &error) || message_check(&message, &error))
			*ret_reason = error.reason;
		return 28 + len;
	}
	len = seal_raw(sender, t->place->exchange, t->place->response, load_be32(t->data + 20), first,
		BYTES(plain, len), ret_data, 2 * MESSAGE_MAX);
	uint8_t inner[2 * MESSAGE_MAX];
	size_t inner_len = chain_write(c, keep_next, &first, inner);
	if (message_decode(BYTES(ret_data, len), &message, &error) ||
		message_decode_inner(BYTES(inner, inner_len), first, &message, &error) ||
		message_check(&message, &error))
		*ret_reason = error.reason;
	return len;
}

/* ---- what must follow ---- */

/* The receiver's next message holds this notify. */
static bool answered_with(struct wire *w, struct tap *t, uint16_t notify)
{
	struct bytes answer = BYTES(t->answer, t->answer_len), plain;
	uint8_t first;
	struct message m;
	struct wire_error error;

	if (!answer.len || message_decode(answer, &m, &error))
		return false;
	if (!message_find(&m, PAYLOAD_SK))
		return message_find_notify(&m, (enum notify_type)notify);
	return open_bytes(w, t, true, answer, &first, &plain) && !message_decode_inner(plain, first, &m, &error) &&
	       message_find_notify(&m, (enum notify_type)notify);
}

/* RFC 7296 2.21, 2.5: a request that cannot be read is answered so; a response under the keys is answered by a request
 * (2.21.3), one in clear by nothing. */
static void check_answer(struct wire *w, struct tap *t, enum wire_reason reason)
{
	const struct place *p = t->place;
	bool clear = p->exchange == IKE_SA_INIT;
	/* a response cannot be refused by its critical payload: it is as malformed as any other */
	uint16_t notify = p->response ? (uint16_t)NOTIFY_INVALID_SYNTAX : wire_reason_notify(reason);

	CU_ASSERT_TRUE(clear && p->response ? !t->answer_len : answered_with(w, t, notify));
	/* nothing is kept for who cannot write an IKE_SA_INIT */
	if (clear && !p->response)
		CU_ASSERT_EQUAL(ike_sa_count(w->b.engine), t->sa_count);
}

/* The tunnel is wanted: whatever the message did, both sides find each other again. Unless the peer itself said under
 * the keys what is legal and false: then they may differ in what they have, and nobody can tell. */
static void check_recovery(struct wire *w, const struct place *p, bool false_word)
{
	bool up = wire_run_until_up(w, 200 * S);

	CU_ASSERT_TRUE(up || p->command == IKE_TERMINATE || false_word);
}

static void check_end(struct wire *w)
{
	w->filter = NULL;
	node_command(&w->a, IKE_TERMINATE_ALL, 0);
	node_command(&w->b, IKE_TERMINATE_ALL, 0);
	wire_run(w, 120 * S);
	CU_ASSERT_EQUAL(ike_sa_count(w->a.engine) + ike_sa_count(w->b.engine), 0);
	CU_ASSERT_EQUAL(node_live_pairs(&w->a) + node_live_pairs(&w->b), 0);
	CU_ASSERT_EQUAL(w->b.engine->by_source.count, w->b.engine->idle_source_count);
	CU_ASSERT_TRUE(wire_done(w));
}

static bool still_good(void)
{
	return CU_get_number_of_failures() == 0;
}

static void run_one(const struct place *place, size_t n)
{
	static struct wire w;
	static struct tap t;
	static struct chain c;
	static uint8_t data[2 * MESSAGE_MAX];
	struct mutation m;
	enum wire_reason reason;

	reach(&w, &t, place);
	struct node *receiver = place->sender == 'A' ? &w.b : &w.a;
	tap_chain(&w, &t, &c);
	CU_ASSERT_TRUE_FATAL(mutation_pick(&c, t.len, n, &m));
	t.sa_count = ike_sa_count(receiver->engine);
	t.listen = true;
	size_t len = spoil(&w, &t, &c, &m, data, &reason);
	node_receive(receiver, &t.local, &t.remote, BYTES(data, len));
	/* IKE_AUTH waits for the secret; the sender's own retransmission comes later */
	wire_run(&w, 20 * MS);
	if (reason)
		check_answer(&w, &t, reason);
	/* what is not authentic is as if it had not come; who names no SA of ours, or another version, is told in clear
	 */
	bool sealed = place->exchange != IKE_SA_INIT;
	CU_ASSERT_TRUE(m.kind != WIRE_BYTE || !sealed || !t.answer_len || t.answer[16] == PAYLOAD_NOTIFY);
	check_recovery(&w, place, sealed && m.kind != WIRE_BYTE && !reason);
	check_end(&w);
	secret_done(&t.sender.keys);
	if (!still_good())
		printf("# %s, mutation %zu: kind %d of payload %zu, byte %zu, %s\n", place->name, n, m.kind, m.item,
			m.byte, wire_reason_text(reason));
}

static size_t mutations_of(const struct place *place)
{
	static struct wire w;
	static struct tap t;
	static struct chain c;
	struct mutation m;
	size_t n = 0;

	reach(&w, &t, place);
	tap_chain(&w, &t, &c);
	while (mutation_pick(&c, t.len, n, &m))
		n++;
	secret_done(&t.sender.keys);
	wire_done(&w);
	return n;
}

static size_t heap_bytes(void)
{
	return mallinfo2().uordblks;
}

static void run_place(const struct place *place)
{
	const char *again = getenv("SALLYPORT_SEED"), *all = getenv("SALLYPORT_LONG");
	uint64_t seed = again ? strtoull(again, NULL, 0) : (uint64_t)getpid();
	size_t total = mutations_of(place), step = all && *all == '1' ? 1 : 1 + total / SAMPLE, runs = 0;
	size_t first = step > 1 ? seed % step : 0, before = 0;

	for (size_t n = first; n < total && still_good(); n += step, runs++) {
		run_one(place, n);
		/* the first few fill most of what the library keeps for good */
		if (runs == 3)
			before = heap_bytes();
	}
	/* a leak of every run would be many times that */
	CU_ASSERT(heap_bytes() <= before + LIBRARY_BYTES);
	printf("# %s: %zu of %zu mutations, seed %llu\n", place->name, runs, total, (unsigned long long)seed);
}

/* ---- what a good message may say beside what it has to ---- */

static bool chain_has_notify(const struct chain *c, uint16_t type)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].type == PAYLOAD_NOTIFY && load_be16(c->items[i].bytes + 6) == type)
			return true;
	return false;
}

static void add_fragments_wish(struct chain *c)
{
	struct item *i = &c->items[c->count++];
	static const uint8_t notify[] = { 0, 0, 0, 8, 0, 0, NOTIFY_NON_FIRST_FRAGMENTS_ALSO >> 8,
		NOTIFY_NON_FIRST_FRAGMENTS_ALSO & 0xff };

	*i = (struct item){ .type = PAYLOAD_NOTIFY, .len = sizeof(notify) };
	memcpy(i->bytes, notify, sizeof(notify));
}

/* RFC 7296 1.3.1: who does not repeat NON_FIRST_FRAGMENTS_ALSO takes the Child SA without it, and the peer sends no
 * later fragments on it. We never ask for it, and do not agree to it; everything else goes on as without. */
static void check_fragments_wish(const struct place *place, uint32_t installs)
{
	static struct wire w;
	static struct tap t;
	static struct chain c;
	static uint8_t plain[2 * MESSAGE_MAX], data[2 * MESSAGE_MAX];
	struct bytes answer;
	uint8_t first;

	reach(&w, &t, place);
	tap_chain(&w, &t, &c);
	CU_ASSERT_FALSE(chain_has_notify(&c, NOTIFY_NON_FIRST_FRAGMENTS_ALSO));
	add_fragments_wish(&c);
	t.listen = true;
	size_t len = chain_write(&c, SIZE_MAX, &first, plain);
	len = seal_raw(
		&w.a, place->exchange, false, load_be32(t.data + 20), first, BYTES(plain, len), data, sizeof(data));
	node_receive(&w.b, &t.local, &t.remote, BYTES(data, len));
	wire_run(&w, 20 * MS);
	CU_ASSERT_EQUAL(w.b.installs, installs);
	CU_ASSERT_TRUE_FATAL(open_bytes(&w, &t, true, BYTES(t.answer, t.answer_len), &first, &answer));
	chain_read(&c, first, answer);
	CU_ASSERT_FALSE(chain_has_notify(&c, NOTIFY_NON_FIRST_FRAGMENTS_ALSO));
	CU_ASSERT_TRUE(wire_run_until_up(&w, 5 * S));
	CU_ASSERT_EQUAL(w.a.events[IKE_EV_FAILED] + w.b.events[IKE_EV_FAILED], 0);
	check_end(&w);
	secret_done(&t.sender.keys);
}

static void test_non_first_fragments_are_not_agreed_on(void)
{
	check_fragments_wish(&places[2], 1);
	check_fragments_wish(&places[4], 2);
}

#define MUTATIONS(name, index)                                                                                         \
	static void test_mutations_of_##name(void)                                                                     \
	{                                                                                                              \
		run_place(&places[index]);                                                                             \
	}

MUTATIONS(the_sa_init_request, 0)
MUTATIONS(the_sa_init_response, 1)
MUTATIONS(the_auth_request, 2)
MUTATIONS(the_auth_response, 3)
MUTATIONS(the_create_child_request, 4)
MUTATIONS(the_create_child_response, 5)
MUTATIONS(the_informational_request, 6)
MUTATIONS(the_informational_response, 7)

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_non_first_fragments_are_not_agreed_on),
		TEST(test_mutations_of_the_sa_init_request),
		TEST(test_mutations_of_the_sa_init_response),
		TEST(test_mutations_of_the_auth_request),
		TEST(test_mutations_of_the_auth_response),
		TEST(test_mutations_of_the_create_child_request),
		TEST(test_mutations_of_the_create_child_response),
		TEST(test_mutations_of_the_informational_request),
		TEST(test_mutations_of_the_informational_response),
	};

	return test_main("exchange_mutations", tests, ARRAY_LEN(tests), argc, argv);
}
