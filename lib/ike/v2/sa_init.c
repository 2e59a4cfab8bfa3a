/* SPDX-License-Identifier: BSD-3-Clause */
/* IKE_SA_INIT, both roles (RFC 7296 1.2): proposals, key exchange, nonces, NAT detection. Nothing here is
 * authenticated yet: errors of the peer are noted, not believed, and an answer is never much larger than its request.
 */
#include <stdio.h>
#include <stdlib.h>

#include "v2.h"

/* INVALID_KE_PAYLOAD and COOKIE answers followed in one initiation. */
#define RESTARTS_MAX 4

/* With certificate requests and many vendor IDs a request stays far below; larger ones cost memory and time. */
#define INIT_BYTES_MAX 16384

/* So many different phase1.proposals a request is held against before its source has shown a cookie. */
#define UNPROVEN_LISTS_MAX 16

static const char hint_proposals[] = "compare phase1.proposals of both gateways";

static uint8_t *copy_of(struct bytes b)
{
	uint8_t *copy = malloc(b.len ? b.len : 1);

	if (copy && b.len)
		memcpy(copy, b.data, b.len);
	return copy;
}

/* The initiation ends; the tunnel may try again later. */
static enum step give_up(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *f)
{
	struct tunnel *t = sa->tunnel;

	failure_report(e, t, sa, NULL, f);
	sa_close(e, sa, f->reason);
	tunnel_follow_up(e, t, AFTER_BACKOFF);
	return STEP_STAY;
}

static enum step give_up_internal(struct ike_engine *e, struct ike_sa *sa)
{
	struct ike_failure f = failure_make(
		1, IKE_SA_INIT, sa->initiator, 0, "no memory or no working cryptography", "");

	return give_up(e, sa, &f);
}

/* An initiator has no half-open time: without it a job that is lost would block the tunnel. */
static void watch_job(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->initiator)
		sa_set_timer(e, sa, TIMER_LIFETIME, e->now_ns + e->settings.half_open_timeout_ns);
}

static bool start_key(struct ike_engine *e, struct ike_sa *sa, const struct alg *group)
{
	sa->handshake->group = group;
	watch_job(e, sa);
	return action_crypto(e, crypto_job_create(JOB_KEX_GENERATE, sa_our_spi(sa), group));
}

/* False when the job failed. */
static bool take_key(struct handshake *h, struct crypto_job *job)
{
	if (job->result || job->public_len > sizeof(h->public_value))
		return false;
	kex_free(h->key);
	h->key = job->key;
	job->key = NULL;
	h->public_len = job->public_len;
	memcpy(h->public_value, job->public_value, job->public_len);
	return true;
}

bool sa_init_derive(struct ike_engine *e, struct ike_sa *sa)
{
	struct handshake *h = sa->handshake;
	struct crypto_job *job = crypto_job_create(JOB_KEX_DERIVE, sa_our_spi(sa), h->group);

	if (!job)
		return false;
	job->key = h->key;
	h->key = NULL;
	job->peer_public_len = h->peer_public_len;
	memcpy(job->peer_public, h->peer_public, h->peer_public_len);
	watch_job(e, sa);
	return action_crypto(e, job);
}

int sa_init_take_secret(struct ike_engine *e, struct ike_sa *sa, struct crypto_job *job)
{
	return job->result ? job->result : keymat_derive(e, sa, secret_view(&job->shared));
}

/* ---- initiator ---- */

/* The first one that is wanted rides on IKE_AUTH. */
static void choose_child(struct ike_sa *sa)
{
	uint8_t wanted = sa->tunnel->wanted;

	sa->asking = (struct task){ .kind = TASK_CREATE_CHILD };
	while (wanted && !(wanted >> sa->asking.child_index & 1))
		sa->asking.child_index++;
}

void sa_init_unwanted(struct ike_engine *e, struct ike_sa *sa, uint32_t index)
{
	/* once IKE_AUTH is out, it is its answer that says what there is to delete */
	if (!sa->initiator || sa->asking.child_index != index || sa->state >= ST_AUTH_SENT)
		return;
	if (sa->tunnel->wanted)
		choose_child(sa);
	else
		sa_terminate(e, sa, AFTER_NOTHING, "terminated");
}

void sa_init_initiate(struct ike_engine *e, struct tunnel *t)
{
	struct ike_sa *sa = ike_sa_create(e, t, true, 0);

	if (!sa) {
		tunnel_follow_up(e, t, AFTER_BACKOFF);
		return;
	}
	mobike_first_path(e, t, &sa->local, &sa->remote);
	tunnel_link(t, sa);
	choose_child(sa);
	sa_set_state(e, sa, ST_INITIATOR_KEX);
	struct handshake *h = sa->handshake;
	h->nonce_i_len = NONCE_BYTES;
	e->host.random(e->host.context, h->nonce_i, NONCE_BYTES);
	event_emit(e, IKE_EV_STARTED, t, sa, "as initiator");
	const struct alg *group = alg_lookup(TRANSFORM_KE, proposals_first_group(&t->profile->proposals), 0);
	if (!group || !start_key(e, sa, group))
		give_up_internal(e, sa);
}

static void add_key_and_nonce(struct message *m, const struct handshake *h, const uint8_t *nonce, size_t nonce_len)
{
	struct payload *ke = message_add(m, PAYLOAD_KE);
	struct payload *no = message_add(m, PAYLOAD_NONCE);

	if (!ke || !no)
		return;
	ke->ke.group = h->group->id;
	ke->ke.data = BYTES(h->public_value, h->public_len);
	no->nonce = BYTES(nonce, nonce_len);
}

/* Encodes an IKE_SA_INIT message; it is kept for AUTH and a copy is returned. NULL: no memory. */
static uint8_t *encode_init(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	struct handshake *h = sa->handshake;
	struct writer w = writer_init(e->built, IKE_MESSAGE_BYTES_MAX);

	if (message_encode(m, &w))
		return NULL;
	free(h->init_ours);
	h->init_ours = copy_of(writer_view(&w));
	h->init_ours_len = h->init_ours ? w.len : 0;
	return h->init_ours ? copy_of(writer_view(&w)) : NULL;
}

/* RFC 7383 2.3: the responder answers the initiator's notify with its own. */
static bool fragmentation_agreed(const struct ike_sa *sa, const struct message *m)
{
	return sa->tunnel->profile->fragmentation && message_find_notify(m, NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED);
}

/* First try and every other one, which differ in COOKIE and KE only (RFC 7296 2.6, 2.7): message ID 0. */
static bool send_request(struct ike_engine *e, struct ike_sa *sa)
{
	struct handshake *h = sa->handshake;
	struct proposal_list offer = sa->tunnel->profile->proposals;
	struct message m;
	uint8_t hashes[2 * HASH_BYTES];

	message_init(&m, sa->spi_i, 0, IKE_SA_INIT, IKE_FLAG_INITIATOR, 0);
	cookie_add(h, &m);
	proposals_address(&offer, 0, 0);
	message_add_sa(&m, &offer);
	add_key_and_nonce(&m, h, h->nonce_i, h->nonce_i_len);
	natd_add(e, sa, &sa->local, &sa->remote, &m, hashes);
	if (sa->tunnel->profile->fragmentation)
		message_add_notify(&m, NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, BYTES_NONE);
	uint8_t *bytes = encode_init(e, sa, &m);
	if (!bytes)
		return false;
	sa->outbox.next_request_id = 0;
	outbox_push_request(e, sa, IKE_SA_INIT, bytes, h->init_ours_len);
	return true;
}

enum step sa_init_on_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct handshake *h = sa->handshake;

	if (!take_key(h, in->job) || !send_request(e, sa))
		return give_up_internal(e, sa);
	h->tried_groups |= 1ull << (h->group->id & 63);
	return STEP_NEXT;
}

/* An attacker can forge it (RFC 7296 2.21.1): only what time shows to be true becomes the tunnel's failure. */
static enum step note(struct ike_sa *sa, const struct ike_failure *f)
{
	struct handshake *h = sa->handshake;

	if (!h->why)
		h->why = malloc(sizeof(*h->why));
	if (h->why)
		*h->why = *f;
	h->noted_error = f->notify;
	return STEP_STAY;
}

static enum step note_error(struct ike_sa *sa, uint16_t notify)
{
	struct ike_failure f = failure_make(1, IKE_SA_INIT, true, notify, "", "look at the peer's log");

	if (notify == NOTIFY_NO_PROPOSAL_CHOSEN) {
		snprintf(f.reason, sizeof(f.reason), "the peer chose none of our proposals");
		snprintf(
			f.hint, sizeof(f.hint), "%s; or the peer knows no tunnel with these addresses", hint_proposals);
	} else {
		snprintf(f.reason, sizeof(f.reason), "the peer refused");
	}
	failure_set_proposals(&f, &sa->tunnel->profile->proposals, NULL);
	return note(sa, &f);
}

/* RFC 7296 1.2: another group of our own offer, each once; a forged answer cannot lead below the offer. */
static enum step on_invalid_ke(struct ike_engine *e, struct ike_sa *sa, const struct payload *p)
{
	struct handshake *h = sa->handshake;
	const struct proposal_list *offer = &sa->tunnel->profile->proposals;
	uint16_t group = p->notify.data.len == 2 ? load_be16(p->notify.data.data) : 0;
	const struct alg *alg = alg_lookup(TRANSFORM_KE, group, 0);

	/* a duplicate of the answer that led here */
	if (group == h->group->id && h->restarts)
		return STEP_STAY;
	if (!alg || !proposals_have_group(offer, group) || h->tried_groups & 1ull << (group & 63) ||
		h->restarts >= RESTARTS_MAX) {
		struct ike_failure f = failure_make(1, IKE_SA_INIT, true, NOTIFY_INVALID_KE_PAYLOAD,
			"the peer wants a key exchange group that we do not offer", hint_proposals);
		failure_set_proposals(&f, offer, NULL);
		snprintf(f.theirs, sizeof(f.theirs), "%s", alg ? alg->name : "unknown group");
		snprintf(f.mismatch, sizeof(f.mismatch), "key exchange: ours %.40s, theirs %.40s", h->group->name,
			f.theirs);
		return note(sa, &f);
	}
	h->restarts++;
	outbox_answered(e, sa);
	return start_key(e, sa, alg) ? STEP_OTHER : give_up_internal(e, sa);
}

static enum step on_cookie(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	struct handshake *h = sa->handshake;

	if (h->restarts >= RESTARTS_MAX || !cookie_take(h, m))
		return STEP_STAY;
	h->restarts++;
	outbox_answered(e, sa);
	return send_request(e, sa) ? STEP_STAY : give_up_internal(e, sa);
}

static enum step on_refusal(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	const struct payload *ke = message_find_notify(m, NOTIFY_INVALID_KE_PAYLOAD);
	const struct payload *error = message_find_error(m);

	if (message_find_notify(m, NOTIFY_COOKIE))
		return on_cookie(e, sa, m);
	if (ke)
		return on_invalid_ke(e, sa, ke);
	return error ? note_error(sa, error->notify.type) : STEP_STAY;
}

/* The answer keeps to our offer and to the group whose key we sent. */
static bool answer_fits(struct ike_sa *sa, const struct message *m)
{
	struct proposal_list offer = sa->tunnel->profile->proposals;
	const struct payload *ke = message_find(m, PAYLOAD_KE);
	const struct handshake *h = sa->handshake;
	struct proposal chosen;

	proposals_address(&offer, 0, 0);
	if (!negotiate_check_answer(&offer, &m->sa, &chosen))
		return false;
	suite_of_proposal(&chosen, &sa->suite);
	return sa->suite.ke == h->group && ke->ke.group == h->group->id && ke->ke.data.len == h->group->key_bytes;
}

static void store_peer(struct handshake *h, const struct message *m, uint8_t *ret_nonce, uint16_t *ret_nonce_len)
{
	const struct payload *ke = message_find(m, PAYLOAD_KE), *no = message_find(m, PAYLOAD_NONCE);

	h->peer_public_len = ke->ke.data.len;
	memcpy(h->peer_public, ke->ke.data.data, ke->ke.data.len);
	*ret_nonce_len = (uint16_t)no->nonce.len;
	memcpy(ret_nonce, no->nonce.data, no->nonce.len);
}

enum step sa_init_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct handshake *h = sa->handshake;

	if (!message_find(in->m, PAYLOAD_SA))
		return on_refusal(e, sa, in->m);
	if (!answer_fits(sa, in->m)) {
		struct ike_failure f = failure_make(1, IKE_SA_INIT, true, 0, "the peer's choice is not in our offer",
			"the peer does not keep to RFC 7296 2.7");
		struct offer answer = message_offer(in->m);
		failure_set_proposals(&f, &sa->tunnel->profile->proposals, &answer);
		return note(sa, &f);
	}
	store_peer(h, in->m, h->nonce_r, &h->nonce_r_len);
	h->init_peers = copy_of(in->d->data);
	h->init_peers_len = in->d->data.len;
	sa->spi_r = in->m->header.spi_r;
	outbox_answered(e, sa);
	natd_evaluate(e, sa, in->m, in->d);
	sa->fragmentation = fragmentation_agreed(sa, in->m);
	if (!h->init_peers || !sa_init_derive(e, sa))
		return give_up_internal(e, sa);
	return STEP_NEXT;
}

enum step sa_init_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, IKE_SA_INIT, true, 0, "peer did not answer",
		"is the peer's address right, and does UDP 500 reach it?");

	(void)in;
	if (sa->handshake->why)
		f = *sa->handshake->why;
	/* the peer may be at another of its addresses */
	sa->tunnel->turn++;
	return give_up(e, sa, &f);
}

enum step sa_init_on_lost_job(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, IKE_SA_INIT, true, 0, "the key exchange was not computed in time",
		"this host is overloaded, or its crypto helper is stuck");

	(void)in;
	return give_up(e, sa, &f);
}

/* ---- responder ---- */

/* RFC 7296 2.6, CERT VU#419128: an unproven peer gets at most 1.5 times what it sent, and 100 bytes. */
static bool answer_allowed(size_t request_bytes, size_t answer_bytes)
{
	return answer_bytes <= request_bytes + request_bytes / 2 + 100;
}

void sa_init_refuse(struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *request,
	uint16_t notify, struct bytes data)
{
	uint8_t bytes[IKE_HEADER_BYTES + 64];
	struct writer w = writer_init(bytes, sizeof(bytes));
	struct message m;
	uint8_t flags = (uint8_t)(IKE_FLAG_RESPONSE | (request->flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR));

	message_init(
		&m, request->spi_i, request->spi_r, (enum ike_exchange)request->exchange, flags, request->message_id);
	message_add_notify(&m, (enum notify_type)notify, data);
	if (!message_encode(&m, &w) && answer_allowed(d->data.len, w.len))
		action_send(e, &d->local, &d->remote, writer_view(&w));
}

/* RFC 7296 2.6 */
static void ask_for_cookie(struct ike_engine *e, const struct ike_datagram *d, const struct message *m)
{
	uint8_t cookie[COOKIE_BYTES_MAX];
	struct bytes given = cookie_make(e, m, d, cookie);

	e->counters[IKE_C_COOKIE_SENT]++;
	if (given.len)
		sa_init_refuse(e, d, &m->header, NOTIFY_COOKIE, given);
}

static void refuse_malformed(
	struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *h, const struct wire_error *error)
{
	struct ike_failure f = failure_make(
		1, IKE_SA_INIT, false, wire_reason_notify(error->reason), wire_reason_text(error->reason), "");
	bool critical = error->reason == WIRE_CRITICAL;

	e->counters[critical ? IKE_C_UNKNOWN_CRITICAL : IKE_C_MALFORMED]++;
	snprintf(f.theirs, sizeof(f.theirs), "payload %s at offset %u", payload_name(error->payload), error->offset);
	event_failure(e, IKE_EV_REFUSED, NULL, NULL, d, &f);
	if (f.notify)
		sa_init_refuse(e, d, h, f.notify, critical ? BYTES(&error->payload, 1) : BYTES_NONE);
}

static void refuse_unknown_peer(struct ike_engine *e, const struct ike_datagram *d, const struct message *m)
{
	struct ike_failure f = failure_make(1, IKE_SA_INIT, false, NOTIFY_NO_PROPOSAL_CHOSEN,
		"no tunnel has these addresses", "add a tunnel with this remote address, or \"any\"");
	struct offer offer = message_offer(m);
	char local[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];

	e->counters[IKE_C_NO_TUNNEL]++;
	failure_set_proposals(&f, NULL, &offer);
	snprintf(f.mismatch, sizeof(f.mismatch), "addresses: %s from %s", endpoint_format(&d->local, local),
		endpoint_format(&d->remote, remote));
	failure_report(e, NULL, NULL, d, &f);
	sa_init_refuse(e, d, &m->header, NOTIFY_NO_PROPOSAL_CHOSEN, BYTES_NONE);
}

static void refuse_proposals(
	struct ike_engine *e, struct tunnel *t, const struct ike_datagram *d, const struct message *m)
{
	struct ike_failure f = failure_make(
		1, IKE_SA_INIT, false, NOTIFY_NO_PROPOSAL_CHOSEN, "no proposal chosen", hint_proposals);
	struct offer offer = message_offer(m);

	failure_set_proposals(&f, &t->profile->proposals, &offer);
	failure_report(e, t, NULL, d, &f);
	sa_init_refuse(e, d, &m->header, NOTIFY_NO_PROPOSAL_CHOSEN, BYTES_NONE);
}

/* Not a failure: the peer tries again with our group. */
static void refuse_group(struct ike_engine *e, const struct tunnel *t, const struct ike_datagram *d,
	const struct message *m, const struct alg *group)
{
	struct ike_failure f = failure_make(1, IKE_SA_INIT, false, NOTIFY_INVALID_KE_PAYLOAD,
		"the peer sent a key of another group than the one chosen", "");
	const struct alg *theirs = alg_lookup(TRANSFORM_KE, message_find(m, PAYLOAD_KE)->ke.group, 0);
	uint8_t wanted[2];

	snprintf(f.ours, sizeof(f.ours), "%s", group->name);
	snprintf(f.theirs, sizeof(f.theirs), "%s", theirs ? theirs->name : "unknown group");
	snprintf(f.mismatch, sizeof(f.mismatch), "key exchange: ours %.40s, theirs %.40s", f.ours, f.theirs);
	event_failure(e, IKE_EV_REFUSED, t, NULL, d, &f);
	store_be16(wanted, group->id);
	sa_init_refuse(e, d, &m->header, NOTIFY_INVALID_KE_PAYLOAD, BYTES_OF(wanted));
}

/* Where an IKE_SA_INIT leads. */
struct choice {
	struct tunnel *tunnel; /* NULL: nothing matches, or cut */
	struct tunnel *first;  /* NULL: no tunnel has the addresses */
	struct proposal chosen;
	bool cut; /* there are more lists than an unproven peer may have looked at */
};

/* Every list that a tunnel for any peer may have was tried: the tunnels that are left have no other. */
static bool nothing_left(const struct ike_engine *e, const struct tunnel *t, unsigned refused_for_any)
{
	return refused_for_any == e->lists_for_any && addr_is_any(&t->profile->remote_addr);
}

/* The first profile of these addresses that shares a proposal with the peer. Who the peer is shows in IKE_AUTH, and may
 * lead to another of them. */
static void choose_tunnel(
	struct ike_engine *e, const struct ike_datagram *d, const struct message *m, bool proven, struct choice *ret)
{
	uint16_t hint = message_find(m, PAYLOAD_KE)->ke.group;
	struct offer offer = message_offer(m);
	unsigned tried = 0, refused_for_any = 0;
	struct tunnel *t = tunnel_candidate(e, &d->local.addr, &d->remote.addr, NULL);

	*ret = (struct choice){ .first = t };
	e->requests++;
	for (; t && !nothing_left(e, t, refused_for_any); t = tunnel_candidate(e, &d->local.addr, &d->remote.addr, t)) {
		struct phase1_list *ours = t->phase1;
		if (ours->refused_by == e->requests)
			continue;
		ret->cut = !proven && tried == UNPROVEN_LISTS_MAX;
		if (ret->cut)
			return;
		tried++;
		e->lists_tried++;
		if (negotiate_choose(ours->proposals, offer, NULL, hint, &ret->chosen)) {
			/* RFC 7296 3.3.1: there is none in this exchange */
			ret->chosen.spi_len = 0;
			ret->chosen.spi = 0;
			ret->tunnel = t;
			return;
		}
		ours->refused_by = e->requests;
		refused_for_any += ours->for_any;
	}
}

/* What is known of a request that may begin an IKE SA. */
struct opening {
	uint8_t hash[HASH_BYTES]; /* SHA-1 of it: a repetition is known by it */
	bool cookie;              /* it brought the right cookie: its source is no forgery */
};

/* At the limit the oldest one goes that waits for its IKE_AUTH: a flood of forged requests does not shut out the
 * honest, whose IKE_AUTH follows at once. */
static void make_room(struct ike_engine *e)
{
	if (e->half_open < e->settings.half_open_max || TAILQ_EMPTY(&e->answered))
		return;
	e->counters[IKE_C_HALF_OPEN_LIMIT]++;
	sa_close(e, TAILQ_FIRST(&e->answered), "too many half-open IKE SAs");
}

/* While many wait, each may wait a shorter time (RFC 8019 4.2). */
static uint64_t half_open_time(const struct ike_engine *e)
{
	uint64_t busy = e->half_open > e->settings.cookie_threshold ? 3 : 1;

	return e->settings.half_open_timeout_ns / busy;
}

static void accept_request(struct ike_engine *e, struct tunnel *t, const struct ike_datagram *d,
	const struct message *m, const struct proposal *chosen, const struct suite *suite,
	const struct opening *opening)
{
	make_room(e);
	struct ike_sa *sa = ike_sa_create(e, t, false, m->header.spi_i);

	if (!sa)
		return;
	sa_remember_init(e, sa, d, opening->hash);
	sa->returned_cookie = opening->cookie;
	if (!source_enter(e, sa, &d->remote.addr)) {
		sa_close(e, sa, "no memory");
		return;
	}
	sa->local = d->local;
	sa->remote = d->remote;
	sa->suite = *suite;
	sa_set_state(e, sa, ST_RESPONDER_KEX);
	struct handshake *h = sa->handshake;
	h->chosen = *chosen;
	store_peer(h, m, h->nonce_i, &h->nonce_i_len);
	h->nonce_r_len = NONCE_BYTES;
	e->host.random(e->host.context, h->nonce_r, NONCE_BYTES);
	h->init_peers = copy_of(d->data);
	h->init_peers_len = d->data.len;
	event_emit(e, IKE_EV_STARTED, t, sa, "as responder");
	natd_evaluate(e, sa, m, d);
	sa->fragmentation = fragmentation_agreed(sa, m);
	sa_set_timer(e, sa, TIMER_LIFETIME, e->now_ns + half_open_time(e));
	if (!h->init_peers || !start_key(e, sa, suite->ke))
		sa_close(e, sa, "no memory");
}

static void answer_request(
	struct ike_engine *e, const struct ike_datagram *d, const struct message *m, const struct opening *opening)
{
	const struct payload *ke = message_find(m, PAYLOAD_KE);
	struct choice c;
	struct suite suite;

	choose_tunnel(e, d, m, opening->cookie, &c);
	if (c.cut) {
		ask_for_cookie(e, d, m);
		return;
	}
	if (!c.first) {
		refuse_unknown_peer(e, d, m);
		return;
	}
	if (!c.tunnel) {
		refuse_proposals(e, c.first, d, m);
		return;
	}
	suite_of_proposal(&c.chosen, &suite);
	if (ke->ke.group != suite.ke->id) {
		refuse_group(e, c.tunnel, d, m, suite.ke);
		return;
	}
	if (ke->ke.data.len != suite.ke->key_bytes) {
		struct wire_error error = { .reason = WIRE_LENGTH, .offset = ke->offset, .payload = PAYLOAD_KE };
		refuse_malformed(e, d, &m->header, &error);
		return;
	}
	accept_request(e, c.tunnel, d, m, &c.chosen, &suite, opening);
}

/* A repeated request makes no second SA: it is answered again, or its answer is still being made. */
static bool answer_repeated(
	struct ike_engine *e, const struct ike_datagram *d, const struct ike_header *h, const uint8_t *hash)
{
	struct ike_sa *sa = sa_lookup_init(e, h->spi_i, &d->remote, hash);

	if (!sa)
		return false;
	if (!outbox_answer_again(e, sa, d))
		e->counters[IKE_C_BAD_MESSAGE_ID] += sa->state != ST_RESPONDER_KEX;
	return true;
}

/* RFC 7296 2.6: before anything is kept or computed for the peer. */
static bool admit(struct ike_engine *e, const struct ike_datagram *d, const struct message *m, struct opening *opening)
{
	static const enum ike_counter counts[] = {
		[REFUSE_FAILURES] = IKE_C_SOURCE_FAILURES,
		[REFUSE_SOURCE] = IKE_C_SOURCE_LIMIT,
	};
	enum cookie_verdict verdict = cookie_check(e, m, d);

	opening->cookie = verdict == COOKIE_RIGHT;
	if (verdict != COOKIE_NONE)
		e->counters[opening->cookie ? IKE_C_COOKIE_VALID : IKE_C_COOKIE_WRONG]++;
	enum admission admission = source_admit(e, &d->remote.addr, opening->cookie);
	if (admission == ADMIT)
		return true;
	if (admission == ADMIT_WITH_COOKIE)
		ask_for_cookie(e, d, m);
	else
		e->counters[counts[admission]]++;
	return false;
}

void sa_init_on_request(struct ike_engine *e, const struct ike_datagram *d)
{
	struct wire_error error;
	struct message m;
	struct opening opening = { 0 };

	if (d->data.len > INIT_BYTES_MAX) {
		e->counters[IKE_C_MALFORMED]++;
		return;
	}
	int err = message_decode(d->data, &m, &error);
	if (!err)
		err = message_check(&m, &error);
	if (err) {
		refuse_malformed(e, d, &m.header, &error);
		return;
	}
	if (hash_sha1(e->crypto, &d->data, 1, opening.hash) || answer_repeated(e, d, &m.header, opening.hash) ||
		e->stopping || !admit(e, d, &m, &opening))
		return;
	if (e->half_open >= e->settings.half_open_max && TAILQ_EMPTY(&e->answered)) {
		e->counters[IKE_C_HALF_OPEN_LIMIT]++;
		return;
	}
	answer_request(e, d, &m, &opening);
}

enum step sa_init_on_responder_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct handshake *h = sa->handshake;
	struct ike_datagram back = { sa->local, sa->remote, BYTES(h->init_peers, h->init_peers_len) };
	struct proposal_list answer = { .count = 1, .items = { h->chosen } };
	struct message m;
	uint8_t hashes[2 * HASH_BYTES], *bytes = NULL;

	message_init(&m, sa->spi_i, sa->spi_r, IKE_SA_INIT, IKE_FLAG_RESPONSE, 0);
	message_add_sa(&m, &answer);
	if (take_key(h, in->job)) {
		add_key_and_nonce(&m, h, h->nonce_r, h->nonce_r_len);
		natd_add(e, sa, &sa->local, &sa->remote, &m, hashes);
		if (sa->fragmentation)
			message_add_notify(&m, NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, BYTES_NONE);
		bytes = encode_init(e, sa, &m);
	}
	if (!bytes || !answer_allowed(h->init_peers_len, h->init_ours_len)) {
		free(bytes);
		sa_close(e, sa, "no answer possible");
		return STEP_STAY;
	}
	outbox_push_response(e, sa, &back, bytes, h->init_ours_len);
	return STEP_NEXT;
}
