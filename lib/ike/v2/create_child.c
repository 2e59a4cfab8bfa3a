/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA, both roles (RFC 7296 1.3): the exchange with its nonces and its optional key exchange. What is made
 * by it, and what becomes of what was there before, is rekey_child.c's and rekey_ike.c's. */
#include <stdio.h>
#include <stdlib.h>

#include "collision.h"
#include "v2.h"

/* INVALID_KE_PAYLOAD answers followed in one exchange. */
#define RESTARTS_MAX 4

/* What the peer could not do now it is asked for again after 1 to 2 s. */
#define PAUSE_NS SECOND_NS

/* It is told of after so many refusals, and after some minutes of nothing else the IKE SA ends (RFC 7296 2.25). */
#define PUT_OFF_TOLD   3
#define PUT_OFF_MAX_NS (240 * SECOND_NS)

/* What it refuses to rekey is tried again so much later, until its life is over. */
#define REFUSED_PAUSE_NS (10 * SECOND_NS)

/* IKE SAs that a peer may leave behind in rekeying. */
#define LEFTOVERS_MAX 4

/* ---- the object ---- */

static struct create *create_new(struct ike_engine *e, uint8_t kind, bool initiator)
{
	struct create *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->number = ++e->order;
	x->kind = kind;
	x->initiator = initiator;
	uint8_t *nonce = initiator ? x->nonce_i : x->nonce_r;
	e->host.random(e->host.context, nonce, NONCE_BYTES);
	*(initiator ? &x->nonce_i_len : &x->nonce_r_len) = NONCE_BYTES;
	return x;
}

void create_free(struct ike_engine *e, struct create *x)
{
	if (!x)
		return;
	if (x->reserved)
		e->host.spi_release(e->host.context, x->reserved);
	kex_free(x->key);
	free(x->held);
	secret_wipe(x, sizeof(*x));
	free(x);
}

/* What an exchange made: one or the other. */
struct made {
	struct ike_sa *ike;
	struct child_sa *child;
};

static void drop_ours(struct ike_engine *e, struct ike_sa *sa)
{
	create_free(e, sa->ours);
	sa->ours = NULL;
	sa->asking = (struct task){ .kind = TASK_NONE };
	if (!sa->theirs)
		sa_clear_timer(e, sa, TIMER_JOB);
}

static void drop_theirs(struct ike_engine *e, struct ike_sa *sa)
{
	create_free(e, sa->theirs);
	sa->theirs = NULL;
	if (!sa->ours)
		sa_clear_timer(e, sa, TIMER_JOB);
}

void create_child_drop(struct ike_engine *e, struct ike_sa *sa)
{
	drop_ours(e, sa);
	drop_theirs(e, sa);
}

struct keymat_input create_keymat_input(const struct create *x, struct bytes shared)
{
	return (struct keymat_input){ x->initiator, shared, BYTES(x->nonce_i, x->nonce_i_len),
		BYTES(x->nonce_r, x->nonce_r_len) };
}

struct bytes create_nonce(const struct create *x)
{
	return nonce_lower(BYTES(x->nonce_i, x->nonce_i_len), BYTES(x->nonce_r, x->nonce_r_len));
}

/* ---- races ---- */

/* The other exchange that rekeys the same SA, which still runs: it will decide when it is over. */
struct create *create_race_of(const struct create *x, const struct ike_sa *sa)
{
	struct create *other = x->initiator ? sa->theirs : sa->ours;

	if (!other || (other->initiator && !other->sent) || other->kind != x->kind)
		return NULL;
	return x->kind != CREATE_NEW && other->old_spi == x->old_spi ? other : NULL;
}

void create_note_rival(struct create *other, const struct create *x, uint64_t spi)
{
	struct bytes nonce = create_nonce(x);

	other->raced = true;
	other->rival = spi;
	other->rival_nonce_len = (uint16_t)nonce.len;
	memcpy(other->rival_nonce, nonce.data, nonce.len);
}

/* ---- the key exchange ---- */

static bool push_job(struct ike_engine *e, struct ike_sa *sa, const struct create *x, struct crypto_job *job)
{
	if (job)
		job->exchange = x->number;
	sa_set_timer(e, sa, TIMER_JOB, e->now_ns + e->settings.half_open_timeout_ns);
	return action_crypto(e, job);
}

static bool start_key(struct ike_engine *e, struct ike_sa *sa, struct create *x)
{
	return push_job(e, sa, x, crypto_job_create(JOB_KEX_GENERATE, sa_our_spi(sa), x->group));
}

static bool start_secret(struct ike_engine *e, struct ike_sa *sa, struct create *x)
{
	struct crypto_job *job = crypto_job_create(JOB_KEX_DERIVE, sa_our_spi(sa), x->group);

	if (!job)
		return false;
	job->key = x->key;
	x->key = NULL;
	job->peer_public_len = x->peer_public_len;
	memcpy(job->peer_public, x->peer_public, x->peer_public_len);
	return push_job(e, sa, x, job);
}

static bool take_key(struct create *x, struct crypto_job *job)
{
	if (job->result || job->public_len > sizeof(x->public_value))
		return false;
	kex_free(x->key);
	x->key = job->key;
	job->key = NULL;
	x->public_len = job->public_len;
	memcpy(x->public_value, job->public_value, job->public_len);
	return true;
}

static void store_nonce(const struct message *m, uint8_t *ret_nonce, uint16_t *ret_len)
{
	const struct payload *no = message_find(m, PAYLOAD_NONCE);

	*ret_len = (uint16_t)no->nonce.len;
	memcpy(ret_nonce, no->nonce.data, no->nonce.len);
}

/* The peer's public value is one of this group. */
static bool store_public(struct create *x, const struct message *m)
{
	const struct payload *ke = message_find(m, PAYLOAD_KE);

	if (!ke || ke->ke.group != x->group->id || ke->ke.data.len != x->group->key_bytes)
		return false;
	x->peer_public_len = ke->ke.data.len;
	memcpy(x->peer_public, ke->ke.data.data, ke->ke.data.len);
	return true;
}

static void add_nonce_and_key(const struct create *x, struct message *m)
{
	struct payload *no = message_add(m, PAYLOAD_NONCE), *ke = x->group ? message_add(m, PAYLOAD_KE) : NULL;

	if (no)
		no->nonce = x->initiator ? BYTES(x->nonce_i, x->nonce_i_len) : BYTES(x->nonce_r, x->nonce_r_len);
	if (ke) {
		ke->ke.group = x->group->id;
		ke->ke.data = BYTES(x->public_value, x->public_len);
	}
}

/* ---- initiator ---- */

/* The exchange came to nothing: the tunnel goes after what it misses, a rekey is tried again later. */
static void fall_back(struct ike_engine *e, struct ike_sa *sa)
{
	uint8_t kind = sa->ours->kind;
	struct child_sa *old = child_of_spi(sa, sa->ours->old_spi);
	bool yielded = rekey_ike_yield(e, sa);

	drop_ours(e, sa);
	if (kind == CREATE_REKEY_IKE && !yielded)
		rekey_ike_postpone(e, sa, REFUSED_PAUSE_NS);
	if (kind == CREATE_REKEY_CHILD && old)
		rekey_child_postpone(e, old, REFUSED_PAUSE_NS);
	if (kind == CREATE_NEW)
		tunnel_follow_up(e, sa->tunnel, AFTER_BACKOFF);
}

static void give_up(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	uint8_t phase = sa->ours->kind == CREATE_REKEY_IKE ? 1 : 2;
	struct ike_failure f = failure_make(phase, CREATE_CHILD_SA, true, 0, reason, "");

	failure_report(e, sa->tunnel, sa, NULL, &f);
	fall_back(e, sa);
}

static void send_request(struct ike_engine *e, struct ike_sa *sa, struct create *x)
{
	struct message m;
	uint8_t spi[4];

	protect_init_message(sa, CREATE_CHILD_SA, false, sa->outbox.next_request_id, &m);
	if (x->kind == CREATE_REKEY_CHILD) {
		struct payload *p = message_add_notify(&m, NOTIFY_REKEY_SA, BYTES_NONE);
		store_be32(spi, x->old_spi);
		p->notify.protocol = child_of_spi(sa, x->old_spi)->protocol;
		p->notify.spi = BYTES_OF(spi);
	}
	if (x->kind == CREATE_REKEY_IKE)
		rekey_ike_offer(sa, x, &m);
	else
		child_offer(sa, CREATE_CHILD_SA, x->index, x->reserved, &x->offer, &m);
	add_nonce_and_key(x, &m);
	x->sent = true;
	sa_clear_timer(e, sa, TIMER_JOB);
	if (protect_request(e, sa, &m))
		sa_fail(e, sa);
}

static void begin(struct ike_engine *e, struct ike_sa *sa, uint8_t kind, uint32_t index, uint32_t old_spi)
{
	bool room = child_has_room(sa, kind == CREATE_REKEY_CHILD);
	struct create *x = sa->ours = create_new(e, kind, true);

	if (!x) {
		sa_fail(e, sa);
		return;
	}
	x->index = index;
	x->old_spi = old_spi;
	if (!pieces_offer(sa, index, child_of_spi(sa, old_spi), &x->offer)) {
		drop_ours(e, sa);
		/* that was the last piece: an IKE SA that waited for them may go */
		tunnel_replace(e, sa, false);
		task_flush(e, sa);
		return;
	}
	x->reserved = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	struct proposal_list offer = child_proposals(sa, CREATE_CHILD_SA, index, 0);
	x->group = alg_lookup(TRANSFORM_KE, proposals_first_group(&offer), 0);
	if (!room)
		give_up(e, sa, "too many Child SAs");
	else if (!x->reserved)
		give_up(e, sa, "no inbound SPI is free");
	else if (!modes_pass_nat(sa, offer.items[0].protocol))
		give_up(e, sa, modes_no_nat);
	else if (!x->group)
		send_request(e, sa, x);
	else if (!start_key(e, sa, x))
		give_up(e, sa, "no memory");
}

void create_child_begin(struct ike_engine *e, struct ike_sa *sa, const struct task *t)
{
	begin(e, sa, CREATE_NEW, t->child_index, 0);
}

void rekey_child_begin(struct ike_engine *e, struct ike_sa *sa, const struct task *t)
{
	begin(e, sa, CREATE_REKEY_CHILD, t->child_index, t->child_spi);
}

void rekey_ike_begin(struct ike_engine *e, struct ike_sa *sa, const struct task *t)
{
	struct create *x = sa->ours = create_new(e, CREATE_REKEY_IKE, true);

	(void)t;
	if (!x) {
		sa_fail(e, sa);
		return;
	}
	x->spi = sa_choose_spi(e);
	x->group = sa->suite.ke;
	if (!start_key(e, sa, x))
		give_up(e, sa, "no memory");
}

static struct proposal_list offer_of(const struct ike_sa *sa, const struct create *x)
{
	if (x->kind == CREATE_REKEY_IKE)
		return rekey_ike_proposals(sa, 0);
	return child_proposals(sa, CREATE_CHILD_SA, x->index, 0);
}

/* RFC 7296 1.3: another group of our own offer. */
static bool follow_group(struct ike_engine *e, struct ike_sa *sa, const struct payload *p)
{
	struct create *x = sa->ours;
	struct proposal_list offer = offer_of(sa, x);
	uint16_t group = p->notify.data.len == 2 ? load_be16(p->notify.data.data) : 0;
	const struct alg *alg = alg_lookup(TRANSFORM_KE, group, 0);

	if (!alg || alg == x->group || x->restarts >= RESTARTS_MAX || !proposals_have_group(&offer, group))
		return false;
	x->restarts++;
	x->group = alg;
	x->sent = false;
	return start_key(e, sa, x);
}

/* True: it has lasted too long, and the IKE SA ends. */
static bool put_off(struct ike_engine *e, struct ike_sa *sa)
{
	uint8_t phase = sa->ours->kind == CREATE_REKEY_IKE ? 1 : 2;
	struct ike_failure f = failure_make(phase, CREATE_CHILD_SA, true, NOTIFY_TEMPORARY_FAILURE,
		"the peer puts our request off again and again", "look at the peer's log: what is it busy with?");
	bool ends = sa->put_off_count && e->now_ns >= sa->put_off_ns + PUT_OFF_MAX_NS;

	if (!sa->put_off_count)
		sa->put_off_ns = e->now_ns;
	if (sa->put_off_count < UINT8_MAX)
		sa->put_off_count++;
	if (sa->put_off_count == PUT_OFF_TOLD || ends)
		failure_report(e, sa->tunnel, sa, NULL, &f);
	return ends;
}

/* The wish stays, and is told again when the pause is over. */
static void ask_later(struct ike_engine *e, struct ike_sa *sa)
{
	struct create *x = sa->ours;
	struct child_sa *old = child_of_spi(sa, x->old_spi);

	if (x->kind == CREATE_REKEY_IKE && !rekey_ike_yield(e, sa))
		sa->wants |= TASK_BIT(TASK_REKEY_IKE);
	else if (x->kind == CREATE_NEW)
		pieces_again(sa, x->index);
	else if (old && !old->replaced && old->state == CHILD_UP)
		old->wants |= TASK_BIT(TASK_REKEY_CHILD);
	drop_ours(e, sa);
	sa_set_timer(e, sa, TIMER_PAUSE, e->now_ns + with_jitter(e, PAUSE_NS, 100));
}

static void on_refusal(struct ike_engine *e, struct ike_sa *sa, const struct payload *error)
{
	struct create *x = sa->ours;
	struct child_sa *old = child_of_spi(sa, x->old_spi);
	uint16_t notify = error ? error->notify.type : 0;

	if (notify != NOTIFY_TEMPORARY_FAILURE)
		sa->put_off_count = 0;
	if (notify == NOTIFY_TEMPORARY_FAILURE && put_off(e, sa)) {
		drop_ours(e, sa);
		sa_terminate(e, sa, AFTER_RESTART, "the peer puts our requests off for minutes");
	} else if (notify == NOTIFY_TEMPORARY_FAILURE) {
		ask_later(e, sa);
	} else if (notify == NOTIFY_CHILD_SA_NOT_FOUND && x->kind == CREATE_REKEY_CHILD) {
		drop_ours(e, sa);
		if (old)
			rekey_child_not_found(e, old);
	} else if (notify == NOTIFY_INVALID_KE_PAYLOAD && follow_group(e, sa, error)) {
		return;
	} else if (x->kind == CREATE_NEW && pieces_refused(e, sa, x->index, notify)) {
		if (notify != NOTIFY_SINGLE_PAIR_REQUIRED)
			child_report_refusal(e, sa, CREATE_CHILD_SA, x->index, notify);
		drop_ours(e, sa);
	} else {
		if (x->kind == CREATE_REKEY_IKE)
			rekey_ike_report_refusal(e, sa, notify);
		else
			child_report_refusal(e, sa, CREATE_CHILD_SA, x->index, notify);
		bool renew = notify == NOTIFY_NO_ADDITIONAL_SAS && x->kind != CREATE_NEW && rekey_ike_can_renew(sa);
		fall_back(e, sa);
		/* RFC 7296 1.3: it makes no more on this IKE SA, be it to replace one; on a new one it does */
		if (renew)
			rekey_ike_reauthenticate(e, sa);
	}
}

/* The peer has an SA that we cannot accept: nothing of what both believe can be trusted. */
static void reject(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *f)
{
	failure_report(e, sa->tunnel, sa, NULL, f);
	drop_ours(e, sa);
	sa_terminate(e, sa, AFTER_BACKOFF, f->reason);
}

/* The new SA is made, and takes its place. False: it cannot be made. */
static bool make(struct ike_engine *e, struct ike_sa *sa, struct create *x, struct bytes shared, struct made *ret_made)
{
	struct keymat_input k = create_keymat_input(x, shared);

	*ret_made = (struct made){ 0 };
	if (x->kind == CREATE_REKEY_IKE)
		ret_made->ike = rekey_ike_make(e, sa, x, shared);
	else
		ret_made->child = child_install(e, sa, &x->agreed, &k);
	x->reserved = ret_made->child ? 0 : x->reserved;
	return ret_made->ike || ret_made->child;
}

static void take_place(struct ike_engine *e, struct ike_sa *sa, struct create *x, const struct made *made)
{
	if (made->ike)
		rekey_ike_finish(e, sa, x, made->ike);
	else
		rekey_child_finish(e, x, made->child);
}

static void finish_ours(struct ike_engine *e, struct ike_sa *sa, struct bytes shared)
{
	struct create *x = sa->ours;
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, true, 0, "no memory or no working cryptography", "");
	struct made made;

	if (!make(e, sa, x, shared, &made)) {
		reject(e, sa, &f);
		return;
	}
	take_place(e, sa, x, &made);
	if (x->kind == CREATE_NEW && sa->ours == x)
		pieces_made(e, sa, x->index, &x->offer, x->agreed.additional);
	drop_ours(e, sa);
	task_flush(e, sa);
}

static bool child_fits(struct ike_engine *e, const struct ike_sa *sa, const struct message *m, struct create *x,
	struct ike_failure *ret_failure)
{
	const struct child_sa *old = x->kind == CREATE_REKEY_CHILD ? child_of_spi(sa, x->old_spi) : NULL;

	return child_answer_fits(sa, m, x->index, x->reserved, &x->offer, &x->agreed, ret_failure) &&
	       !child_over_share(e, sa, CREATE_CHILD_SA, true, old, &x->agreed, ret_failure);
}

static void on_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	struct create *x = sa->ours;
	struct ike_failure f;

	sa->put_off_count = 0;
	bool fits = x->kind == CREATE_REKEY_IKE ? rekey_ike_answer_fits(sa, m, x, &f) : child_fits(e, sa, m, x, &f);
	if (!fits) {
		reject(e, sa, &f);
		return;
	}
	if (x->kind != CREATE_REKEY_IKE && !child_mode_fits(sa, &x->agreed)) {
		child_refuse_mode(e, sa, CREATE_CHILD_SA, &x->agreed);
		fall_back(e, sa);
		return;
	}
	store_nonce(m, x->nonce_r, &x->nonce_r_len);
	/* the proposal that it chose may have no group */
	const struct alg *group = x->agreed.suite.ke;
	if (!group) {
		finish_ours(e, sa, BYTES_NONE);
		return;
	}
	f = failure_make(2, CREATE_CHILD_SA, true, 0, "the peer's key is not of the group that it chose", "");
	if (group != x->group || !store_public(x, m) || !start_secret(e, sa, x))
		reject(e, sa, &f);
}

/* Of an IKE SA that ends a Child SA is gone with it; a new IKE SA has to be deleted. */
static bool ends_with_sa(const struct ike_sa *sa, const struct create *x)
{
	return sa->state != ST_ESTABLISHED && x->kind != CREATE_REKEY_IKE;
}

enum step create_child_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	outbox_answered(e, sa);
	if (informational_peer_gave_up(e, sa, in->m))
		return STEP_STAY;
	if (!sa->ours || ends_with_sa(sa, sa->ours))
		drop_ours(e, sa);
	else if (message_find(in->m, PAYLOAD_SA))
		on_answer(e, sa, in->m);
	else
		on_refusal(e, sa, message_find_error(in->m));
	task_flush(e, sa);
	return STEP_STAY;
}

/* ---- responder ---- */

static void respond_notify(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, uint16_t notify, struct bytes data)
{
	if (protect_respond_error(e, sa, in, notify, data))
		sa_fail(e, sa);
}

/* RFC 7296 3.10.1: with the SPI of REKEY_SA. */
static void respond_not_found(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	const struct payload *rekey = message_find_notify(in->m, NOTIFY_REKEY_SA);
	struct message m;

	protect_init_message(sa, CREATE_CHILD_SA, true, in->m->header.message_id, &m);
	struct payload *p = message_add_notify(&m, NOTIFY_CHILD_SA_NOT_FOUND, BYTES_NONE);
	p->notify.protocol = rekey->notify.protocol;
	p->notify.spi = rekey->notify.spi;
	if (protect_respond(e, sa, in->d, &m))
		sa_fail(e, sa);
}

static enum ike_doing doing_of(const struct ike_sa *sa)
{
	if (sa->state == ST_CLOSING)
		return IKE_CLOSING;
	if (sa->state == ST_REPLACED)
		return IKE_REKEYED;
	if (sa->ours && sa->ours->sent)
		return sa->ours->kind == CREATE_REKEY_IKE ? IKE_REKEYING : IKE_BUSY;
	return sa->asking.kind == TASK_DELETE_CHILD ? IKE_BUSY : IKE_IDLE;
}

static enum child_doing child_doing_of(const struct child_sa *child)
{
	const struct create *ours = child ? child->sa->ours : NULL;

	if (!child || child->state == CHILD_GONE)
		return CHILD_UNKNOWN;
	if (child->state == CHILD_CLOSING)
		return CHILD_DELETING;
	if (ours && ours->sent && ours->old_spi == child->spi_in)
		return CHILD_REKEYING;
	return child->replaced ? CHILD_REKEYED : CHILD_IDLE;
}

/* By the SPI that the peer receives on. */
static struct child_sa *rekeyed_child(const struct ike_sa *sa, const struct payload *p)
{
	struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (p->notify.protocol == child->protocol && p->notify.spi.len == 4 &&
			load_be32(p->notify.spi.data) == child->spi_out)
			return child;
	}
	return NULL;
}

/* Ours that is not on the wire yet steps back: what it was for comes with the peer's, or is asked for again. */
static void step_back(struct ike_engine *e, struct ike_sa *sa, const struct child_sa *old, bool ike)
{
	struct create *x = sa->ours;
	struct child_sa *ours = x ? child_of_spi(sa, x->old_spi) : NULL;

	if (!x || x->sent || !(ike || (old && old == ours)))
		return;
	if (x->kind == CREATE_NEW)
		pieces_again(sa, x->index);
	else if (ours && ours != old)
		ours->wants |= TASK_BIT(TASK_REKEY_CHILD);
	drop_ours(e, sa);
}

/* One that the peer has rekeyed stays for minutes, one of a race for half of one: as long as some of these wait for its
 * Delete it makes no more. */
static bool has_many_leftovers(const struct ike_sa *sa)
{
	unsigned count = 0;

	for (const struct ike_sa *other = sa->tunnel->sas; other; other = other->sibling)
		count += other->state == ST_REPLACED || other->state == ST_INHERITING;
	return count >= LEFTOVERS_MAX;
}

/* 0: it is to be answered. */
static uint16_t judge(struct ike_engine *e, struct ike_sa *sa, const struct message *m, struct child_sa **ret_old)
{
	static const uint16_t notifies[] = {
		[VERDICT_LATER] = NOTIFY_TEMPORARY_FAILURE, [VERDICT_NOT_FOUND] = NOTIFY_CHILD_SA_NOT_FOUND
	};
	const struct payload *rekey = message_find_notify(m, NOTIFY_REKEY_SA);
	bool ike = m->sa.items[0].protocol == PROTOCOL_IKE;

	*ret_old = rekey && !ike ? rekeyed_child(sa, rekey) : NULL;
	step_back(e, sa, *ret_old, ike);
	if (ike && has_many_leftovers(sa))
		return NOTIFY_TEMPORARY_FAILURE;
	enum peer_asks asks = ike ? ASKS_REKEY_IKE : rekey ? ASKS_REKEY_CHILD : ASKS_CREATE_CHILD;
	enum verdict v = collision_judge(asks, doing_of(sa), child_doing_of(*ret_old));
	return v < ARRAY_LEN(notifies) ? notifies[v] : 0;
}

static bool hold(struct create *x, const struct ike_datagram *d)
{
	x->held = malloc(d->data.len);
	if (!x->held)
		return false;
	memcpy(x->held, d->data.data, d->data.len);
	x->held_len = d->data.len;
	x->held_local = d->local;
	x->held_remote = d->remote;
	return true;
}

static void answer(struct ike_engine *e, struct ike_sa *sa, struct bytes shared)
{
	struct create *x = sa->theirs;
	struct ike_datagram d = { x->held_local, x->held_remote, BYTES(x->held, x->held_len) };
	struct made made;
	struct message m;
	bool good = make(e, sa, x, shared, &made);

	protect_init_message(sa, CREATE_CHILD_SA, true, sa->outbox.peer_request_id, &m);
	if (!good)
		message_add_notify(&m, NOTIFY_NO_ADDITIONAL_SAS, BYTES_NONE);
	else if (made.ike)
		rekey_ike_add_answer(x, &m);
	else
		child_add_answer(&x->agreed, &x->chosen, &m);
	if (good)
		add_nonce_and_key(x, &m);
	if (protect_respond(e, sa, &d, &m)) {
		sa_fail(e, sa);
		return;
	}
	/* it waits no longer: when the IKE SA goes now, nothing is left to be refused */
	free(x->held);
	x->held = NULL;
	if (good)
		take_place(e, sa, x, &made);
	drop_theirs(e, sa);
	task_flush(e, sa);
}

/* What was begun cannot be finished. */
static void refuse_held(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct create *x = sa->theirs;
	struct ike_datagram d = { x->held_local, x->held_remote, BYTES(x->held, x->held_len) };
	struct message m;

	protect_init_message(sa, CREATE_CHILD_SA, true, sa->outbox.peer_request_id, &m);
	message_add_notify(&m, (enum notify_type)notify, BYTES_NONE);
	int err = protect_respond(e, sa, &d, &m);
	drop_theirs(e, sa);
	if (err)
		sa_fail(e, sa);
}

void create_child_refuse_held(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->theirs && sa->theirs->held)
		refuse_held(e, sa, NOTIFY_TEMPORARY_FAILURE);
}

/* About this child, and not about the IKE SA. */
static bool is_about(const struct create *x, uint32_t index)
{
	return x && x->kind != CREATE_REKEY_IKE && x->index == index;
}

bool create_child_unwanted(struct ike_engine *e, struct ike_sa *sa, uint32_t index)
{
	/* what is asked for already is deleted when it is there: rekey_child_finish */
	if (is_about(sa->ours, index) && !sa->ours->sent)
		drop_ours(e, sa);
	/* RFC 7296 2.25.1: as if its request to rekey had come behind our Delete */
	if (is_about(sa->theirs, index) && sa->theirs->held)
		refuse_held(
			e, sa, sa->theirs->kind == CREATE_NEW ? NOTIFY_NO_ADDITIONAL_SAS : NOTIFY_TEMPORARY_FAILURE);
	if (sa->state != ST_ESTABLISHED)
		return false;
	task_flush(e, sa);
	return true;
}

static void refuse_group(struct ike_engine *e, struct ike_sa *sa, const struct input *in, const struct alg *group)
{
	uint8_t wanted[2];

	store_be16(wanted, group->id);
	respond_notify(e, sa, in, NOTIFY_INVALID_KE_PAYLOAD, BYTES_OF(wanted));
}

/* The object is ready to be answered, at once or after the key exchange. */
static void accept(struct ike_engine *e, struct ike_sa *sa, const struct input *in, struct create *x)
{
	x->group = x->agreed.suite.ke;
	if (x->group && !store_public(x, in->m)) {
		refuse_group(e, sa, in, x->group);
		create_free(e, x);
		return;
	}
	store_nonce(in->m, x->nonce_i, &x->nonce_i_len);
	if (!hold(x, in->d) || (x->group && !start_key(e, sa, x))) {
		respond_notify(e, sa, in, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
		create_free(e, x);
		return;
	}
	sa->theirs = x;
	if (!x->group)
		answer(e, sa, BYTES_NONE);
}

static void negotiate(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, uint8_t kind, const struct child_sa *old)
{
	struct create *x = create_new(e, kind, false);
	struct ike_failure f;

	if (!x) {
		respond_notify(e, sa, in, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
		return;
	}
	x->old_spi = old ? old->spi_in : 0;
	uint16_t notify = kind == CREATE_REKEY_IKE ? rekey_ike_agree(sa, in->m, x, &f)
						   : child_agree(e, sa, in->m, old, &x->agreed, &x->chosen, &f);
	if (notify) {
		failure_report(e, sa->tunnel, sa, in->d, &f);
		respond_notify(e, sa, in, notify, BYTES_NONE);
		create_free(e, x);
		return;
	}
	x->reserved = x->agreed.spi_in;
	x->index = x->agreed.index;
	x->spi = kind == CREATE_REKEY_IKE ? sa_choose_spi(e) : 0;
	accept(e, sa, in, x);
}

enum step create_child_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct child_sa *old;
	uint16_t notify = judge(e, sa, in->m, &old);

	uint8_t kind = in->m->sa.items[0].protocol == PROTOCOL_IKE ? CREATE_REKEY_IKE
		       : old                                       ? CREATE_REKEY_CHILD
								   : CREATE_NEW;

	if (notify == NOTIFY_CHILD_SA_NOT_FOUND)
		respond_not_found(e, sa, in);
	else if (notify)
		respond_notify(e, sa, in, notify, BYTES_NONE);
	else
		negotiate(e, sa, in, kind, old);
	return STEP_STAY;
}

/* ---- jobs ---- */

static struct create *create_of_job(const struct ike_sa *sa, const struct crypto_job *job)
{
	if (sa->ours && sa->ours->number == job->exchange)
		return sa->ours;
	return sa->theirs && sa->theirs->number == job->exchange ? sa->theirs : NULL;
}

/* While our key was made the peer has deleted what was to be rekeyed, or made what was to be created. */
static bool is_pointless(const struct ike_sa *sa, const struct create *x)
{
	const struct child_sa *old = child_of_spi(sa, x->old_spi), *same = child_of_index(sa, x->index);

	if (x->kind == CREATE_NEW && pieces_missing(sa, x->index))
		return pieces_carried(sa, x->index, &x->offer);
	if (x->kind == CREATE_NEW)
		return same && !same->piece;
	return x->kind == CREATE_REKEY_CHILD && (!old || old->state != CHILD_UP);
}

static void on_own_key(struct ike_engine *e, struct ike_sa *sa, bool good)
{
	struct create *x = sa->ours;

	if (!good) {
		give_up(e, sa, "no working cryptography");
	} else if (is_pointless(sa, x)) {
		if (x->kind == CREATE_NEW)
			pieces_made(e, sa, x->index, &x->offer, false);
		drop_ours(e, sa);
		task_flush(e, sa);
	} else {
		send_request(e, sa, x);
	}
}

enum step create_child_on_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct create *x = create_of_job(sa, in->job);

	if (!x)
		return STEP_STAY;
	bool good = take_key(x, in->job);
	if (x->initiator) {
		on_own_key(e, sa, good);
	} else if (!good || !start_secret(e, sa, x)) {
		refuse_held(e, sa, NOTIFY_TEMPORARY_FAILURE);
	}
	return STEP_STAY;
}

static const char secret_refused[] = "the peer's key exchange value is refused";

static void on_own_secret(struct ike_engine *e, struct ike_sa *sa, const struct crypto_job *job)
{
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, true, 0, secret_refused, "");

	if (ends_with_sa(sa, sa->ours)) {
		drop_ours(e, sa);
		task_flush(e, sa);
	} else if (job->result) {
		reject(e, sa, &f);
	} else {
		finish_ours(e, sa, secret_view(&job->shared));
	}
}

/* RFC 6989: values that are no keys of the group are refused. */
enum step create_child_on_secret(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct create *x = create_of_job(sa, in->job);
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, false, 0, secret_refused, "");

	if (!x)
		return STEP_STAY;
	if (x->initiator) {
		on_own_secret(e, sa, in->job);
	} else if (in->job->result) {
		failure_report(e, sa->tunnel, sa, NULL, &f);
		refuse_held(e, sa, NOTIFY_NO_PROPOSAL_CHOSEN);
	} else {
		answer(e, sa, secret_view(&in->job->shared));
	}
	return STEP_STAY;
}

void create_child_on_lost_job(struct ike_engine *e, struct ike_sa *sa)
{
	static const char reason[] = "the key exchange was not computed in time";
	struct ike_failure f = failure_make(
		2, CREATE_CHILD_SA, true, 0, reason, "this host is overloaded, or its crypto helper is stuck");

	create_child_refuse_held(e, sa);
	if (sa->ours && sa->ours->sent)
		reject(e, sa, &f);
	else if (sa->ours)
		give_up(e, sa, reason);
}
