/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: the whole IKE engine. Two engines run their handshake to a point the input chooses; then its bytes go to
 * one of them: raw, sealed under the SA's keys, as changes of the peer's real messages, as commands and time. */
#include <assert.h>
#include <stdlib.h>

#include "fake_wire.h"
#include "v2/v2.h"

#define KEPT_BYTES 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last message to the victim, as it was on the wire and opened. */
struct kept {
	const struct node *to;
	uint8_t hold; /* exchange that is taken off the wire; 0: none */
	uint8_t data[KEPT_BYTES], plain[KEPT_BYTES];
	size_t len, plain_len;
	uint8_t first;
};

static bool keep(struct wire *w, struct packet *p, void *argument)
{
	struct kept *kept = argument;

	(void)w;
	if (p->to != kept->to || p->len > sizeof(kept->data))
		return true;
	memcpy(kept->data, p->data, p->len);
	kept->len = p->len;
	return !kept->hold || p->data[18] != kept->hold;
}

/* What the victim would read in the message it did not get. */
static void open_kept(struct node *victim, struct kept *kept)
{
	struct ike_datagram d = { .data = BYTES(kept->data, kept->len) };
	struct ike_sa *sa = node_sa(victim);
	struct node *sender = victim == &victim->wire->a ? &victim->wire->b : &victim->wire->a;
	struct message m;
	struct wire_error error;
	struct bytes plain;

	if (message_decode(d.data, &m, &error) || !message_find(&m, PAYLOAD_SK))
		return;
	const struct payload *sk = message_find(&m, PAYLOAD_SK);
	/* a responder has no keys before IKE_AUTH: those of the sender open it, too, taken from the other role */
	struct ike_sa mirror;
	if (!sa) {
		sa = node_sa(sender);
		if (!sa)
			return;
		mirror = *sa;
		mirror.initiator = !sa->initiator;
		sa = &mirror;
	}
	if (protect_open(victim->engine, sa, &d, sk, &plain) || plain.len > sizeof(kept->plain))
		return;
	memcpy(kept->plain, plain.data, plain.len);
	kept->plain_len = plain.len;
	kept->first = sk->sk.first_inner;
}

static void give(struct node *victim, struct bytes data)
{
	struct node *peer = victim == &victim->wire->a ? &victim->wire->b : &victim->wire->a;
	struct endpoint local = { victim->outside, 500 }, remote = { peer->outside, 500 };

	node_receive(victim, &local, &remote, data);
}

/* Message ID the victim expects: of a request, or the one it waits for. */
static uint32_t expected_id(const struct node *victim, bool response)
{
	const struct ike_sa *sa = victim->engine->sas;

	if (!sa)
		return 0;
	return response ? sa->outbox.request_id : sa->outbox.peer_request_id;
}

static void give_sealed(struct node *victim, struct reader *r, const struct kept *kept, bool change)
{
	struct node *peer = victim == &victim->wire->a ? &victim->wire->b : &victim->wire->a;
	uint8_t bytes[2 * KEPT_BYTES], plain[KEPT_BYTES], kind = reader_u8(r), first = reader_u8(r);
	size_t len = 0;

	if (!node_sa(peer))
		return;
	if (change) {
		len = kept->plain_len;
		memcpy(plain, kept->plain, len);
		for (unsigned i = first % 5; i && len; i--) {
			size_t at = reader_u16(r) % len;
			plain[at] = reader_u8(r);
		}
		first = kept->first;
	} else {
		struct bytes b = reader_bytes(r, reader_u8(r));
		len = b.len;
		if (len)
			memcpy(plain, b.data, len);
	}
	bool response = kind & 4;
	uint32_t id = expected_id(victim, response) + (kind & 0x40 ? reader_u8(r) : 0);
	len = seal_raw(peer, (uint8_t)(IKE_SA_INIT + (kind & 3)), response, id, first, BYTES(plain, len), bytes,
		sizeof(bytes));
	give(victim, BYTES(bytes, len));
}

/* One fragment, genuine or nearly so: sizes, numbers and totals are the input's (RFC 7383). */
static void give_fragment(struct node *victim, struct reader *r, const struct kept *kept)
{
	struct node *peer = victim == &victim->wire->a ? &victim->wire->b : &victim->wire->a;
	uint8_t bytes[2 * KEPT_BYTES], kind = reader_u8(r);
	struct fragment f = { reader_u8(r), reader_u8(r), kind & 8 ? kept->first : reader_u8(r) };
	struct bytes plain = kind & 8 ? BYTES(kept->plain, kept->plain_len) : reader_bytes(r, reader_u8(r));

	if (!node_sa(peer))
		return;
	/* what the victim did not get, cut into two */
	if (kind & 8 && plain.len > 1) {
		size_t half = plain.len / 2;
		plain = f.number == 1 ? BYTES(plain.data, half) : BYTES(plain.data + half, plain.len - half);
	}
	uint32_t id = expected_id(victim, kind & 4) - (kind & 16 ? 1 : 0);
	size_t len = seal_fragment(
		peer, (uint8_t)(IKE_SA_INIT + (kind & 3)), kind & 4, id, f, plain, bytes, sizeof(bytes));
	give(victim, BYTES(bytes, len));
}

static void give_changed(struct node *victim, struct reader *r, struct kept *kept)
{
	uint8_t copy[KEPT_BYTES];

	if (!kept->len)
		return;
	memcpy(copy, kept->data, kept->len);
	for (unsigned i = reader_u8(r) % 6; i; i--) {
		size_t at = reader_u16(r) % kept->len;
		copy[at] = reader_u8(r);
	}
	give(victim, BYTES(copy, kept->len));
}

/* An unprotected answer with one notify, which anybody can send. */
static void give_notify(struct node *victim, struct reader *r)
{
	static const enum notify_type types[] = { NOTIFY_COOKIE, NOTIFY_INVALID_KE_PAYLOAD, NOTIFY_NO_PROPOSAL_CHOSEN,
		NOTIFY_AUTHENTICATION_FAILED };
	const struct ike_sa *sa = victim->engine->sas;
	uint8_t bytes[512];
	struct writer w = writer_init(bytes, sizeof(bytes));
	struct message m;

	message_init(&m, sa ? sa->spi_i : 1, 0, IKE_SA_INIT, IKE_FLAG_RESPONSE, 0);
	enum notify_type type = types[reader_u8(r) % ARRAY_LEN(types)];
	message_add_notify(&m, type, reader_bytes(r, reader_u8(r) % 80));
	if (!message_encode(&m, &w))
		give(victim, writer_view(&w));
}

/* An address of ours goes or comes, or the operator wants another path. */
static void move_command(struct node *victim, uint8_t choice)
{
	static const char *const addresses[] = { NULL, "192.0.2.1", "192.0.2.2", "198.51.100.1", "198.51.100.2",
		"2001:db8::1" };

	if (choice & 0x80) {
		victim->gone = choice & 1 ? victim->inside : choice & 2 ? victim->second : (struct addr){ 0 };
		node_paths_changed(victim);
	} else {
		node_move(victim, addresses[choice % ARRAY_LEN(addresses)],
			addresses[choice / ARRAY_LEN(addresses) % ARRAY_LEN(addresses)]);
	}
}

static void command(struct node *victim, struct reader *r)
{
	uint8_t kind = reader_u8(r) % (IKE_MOVE + 1);
	const struct pair *p = node_pair(victim);
	struct endpoint moved = { victim->outside, reader_u16(r) };

	if (kind >= IKE_PATHS_CHANGED)
		move_command(victim, reader_u8(r));
	else if (kind >= IKE_EXPIRE)
		node_child_command(victim, (enum ike_command_kind)kind, p ? p->in.spi : reader_u8(r), &moved);
	else
		node_command(victim, (enum ike_command_kind)kind, reader_u8(r) & 1);
}

static void operate(struct wire *w, struct node *victim, struct kept *kept, struct reader *r)
{
	switch (reader_u8(r) % 9) {
	case 0: give(victim, reader_bytes(r, reader_u16(r) % 1024)); break;
	case 1: give_sealed(victim, r, kept, false); break;
	case 2: give_sealed(victim, r, kept, true); break;
	case 3: give_changed(victim, r, kept); break;
	case 4: command(victim, r); break;
	case 5: wire_run(w, (uint64_t)reader_u16(r) * 10 * MS % (60 * S)); break;
	case 6: give_notify(victim, r); break;
	case 8: give_fragment(victim, r, kept); break;
	default:
		kept->hold = 0;
		wire_run(w, 200 * MS);
		break;
	}
}

/* Stage 0: nothing happened; 1: IKE_SA_INIT of the victim is on its way; 2: its IKE_AUTH is; 3: up. */
static void advance(struct wire *w, struct node *victim, struct kept *kept, unsigned stage)
{
	static const uint8_t hold[] = { 0, IKE_SA_INIT, IKE_AUTH, 0 };

	kept->to = victim;
	kept->hold = hold[stage];
	w->filter = keep;
	w->filter_argument = kept;
	if (stage)
		wire_run(w, stage == 3 ? 100 * MS : 60 * MS);
	open_kept(victim, kept);
}

static void set_up_mobike(struct node *n, const char *second)
{
	struct tunnel_profile *p = &n->profiles[0];

	addr_parse(second, &n->second);
	n->second_outside = n->second;
	p->mobike = p->mobike_check = true;
	p->local_more.count = 1;
	p->local_more.items[0] = n->second;
}

static void set_up(struct wire *w, uint8_t shape, bool mobike)
{
	static const char *const suites[] = { "aes128gcm16-prfsha256-x25519", "aes128-sha256-x25519",
		"aes256gcm16-prfsha384-x25519-ecp256,aes256-sha512-x25519", "aes128gcm16-prfsha256-x25519" };

	wire_init(w, shape);
	w->run_job = wire_fixed_job;
	proposals_set(&w->a.profiles[0].proposals, PROTOCOL_IKE, suites[shape & 3]);
	proposals_set(&w->b.profiles[0].proposals, PROTOCOL_IKE, suites[shape & 3]);
	if (shape & 4)
		w->a.profiles[0].encap = ENCAP_ALWAYS;
	if (shape & 8)
		w->b.profiles[0].remote_id = w->a.profiles[0].remote_id = (struct identity){ 0 };
	if (shape & 32)
		w->a.profiles[0].fragment_bytes_ipv4 = w->b.profiles[0].fragment_bytes_ipv4 = 192;
	if (shape & 64)
		w->a.settings.cookie_threshold = w->b.settings.cookie_threshold = 0;
	if (shape & 16)
		w->b.profiles[0].children[0].start = START_INITIATE;
	if (mobike) {
		set_up_mobike(&w->a, "198.51.100.1");
		set_up_mobike(&w->b, "198.51.100.2");
	}
	wire_start(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire w;
	static struct kept kept;
	struct reader r = reader_init(BYTES(data, size));
	uint8_t shape = reader_u8(&r), stage = reader_u8(&r);

	memset(&kept, 0, sizeof(kept));
	set_up(&w, shape, stage & 4);
	struct node *victim = shape & 0x80 ? &w.b : &w.a;
	advance(&w, victim, &kept, stage & 3);
	for (unsigned i = 0; i < 64 && reader_left(&r) && !r.failed; i++)
		operate(&w, victim, &kept, &r);
	node_status(&w.a, 0);
	node_status(&w.b, 0);
	/* "the wire is full" and "too many" are limits of the rig, not of the engine */
	if (w.fault && !strstr(w.fault, "too many") && !strstr(w.fault, "full") && !strstr(w.fault, "rest"))
		abort();
	bool good = wire_done(&w) || w.fault;
	if (!good)
		abort();
	return 0;
}
