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

/* What it refuses to rekey is tried again so much later, until its life is over. */
#define REFUSED_PAUSE_NS (10 * SECOND_NS)

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

	drop_ours(e, sa);
	if (kind == CREATE_REKEY_CHILD && old)
		rekey_child_postpone(e, old, REFUSED_PAUSE_NS);
	if (kind == CREATE_NEW)
		tunnel_follow_up(e, sa->tunnel, AFTER_BACKOFF);
}

static void give_up(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, true, 0, reason, "");

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
		p->notify.protocol = PROTOCOL_ESP;
		p->notify.spi = BYTES_OF(spi);
	}
	child_offer(sa, CREATE_CHILD_SA, x->index, x->reserved, &m);
	add_nonce_and_key(x, &m);
	x->sent = true;
	sa_clear_timer(e, sa, TIMER_JOB);
	if (protect_request(e, sa, &m))
		sa_fail(e, sa);
}

static void begin(struct ike_engine *e, struct ike_sa *sa, uint8_t kind, uint32_t index, uint32_t old_spi)
{
	struct create *x = sa->ours = create_new(e, kind, true);

	if (!x) {
		sa_fail(e, sa);
		return;
	}
	x->index = index;
	x->old_spi = old_spi;
	x->reserved = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	struct proposal_list offer = child_proposals(sa, CREATE_CHILD_SA, index, 0);
	x->group = alg_lookup(TRANSFORM_KE, proposals_first_group(&offer), 0);
	if (!x->reserved)
		give_up(e, sa, "no inbound SPI is free");
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

/* RFC 7296 1.3: another group of our own offer. */
static bool follow_group(struct ike_engine *e, struct ike_sa *sa, const struct payload *p)
{
	struct create *x = sa->ours;
	struct proposal_list offer = child_proposals(sa, CREATE_CHILD_SA, x->index, 0);
	uint16_t group = p->notify.data.len == 2 ? load_be16(p->notify.data.data) : 0;
	const struct alg *alg = alg_lookup(TRANSFORM_KE, group, 0);

	if (!alg || alg == x->group || x->restarts >= RESTARTS_MAX || !proposals_have_group(&offer, group))
		return false;
	x->restarts++;
	x->group = alg;
	x->sent = false;
	return start_key(e, sa, x);
}

/* The wish stays, and is told again when the pause is over. */
static void ask_later(struct ike_engine *e, struct ike_sa *sa)
{
	struct create *x = sa->ours;
	struct child_sa *old = child_of_spi(sa, x->old_spi);

	if (x->kind == CREATE_NEW)
		sa->creates |= (uint8_t)(1u << x->index);
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

	if (notify == NOTIFY_TEMPORARY_FAILURE) {
		ask_later(e, sa);
	} else if (notify == NOTIFY_CHILD_SA_NOT_FOUND && x->kind == CREATE_REKEY_CHILD) {
		drop_ours(e, sa);
		if (old)
			rekey_child_not_found(e, old);
	} else if (notify != NOTIFY_INVALID_KE_PAYLOAD || !follow_group(e, sa, error)) {
		child_report_refusal(e, sa, CREATE_CHILD_SA, x->index, notify);
		fall_back(e, sa);
	}
}

/* The peer has an SA that we cannot accept: nothing of what both believe can be trusted. */
static void reject(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *f)
{
	failure_report(e, sa->tunnel, sa, NULL, f);
	drop_ours(e, sa);
	sa_terminate(e, sa, AFTER_BACKOFF, f->reason);
}

static void finish_ours(struct ike_engine *e, struct ike_sa *sa, struct bytes shared)
{
	struct create *x = sa->ours;
	struct keymat_input k = create_keymat_input(x, shared);
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, true, 0, "no memory or no working cryptography", "");
	struct child_sa *child = child_install(e, sa, &x->agreed, &k);

	if (!child) {
		reject(e, sa, &f);
		return;
	}
	x->reserved = 0;
	rekey_child_finish(e, x, child);
	drop_ours(e, sa);
	task_flush(e, sa);
}

static void on_answer(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	struct create *x = sa->ours;
	struct ike_failure f;

	if (!child_answer_fits(sa, m, x->index, x->reserved, &x->agreed, &f)) {
		reject(e, sa, &f);
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

enum step create_child_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	outbox_answered(e, sa);
	if (sa->state != ST_ESTABLISHED)
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
		if (p->notify.protocol == PROTOCOL_ESP && p->notify.spi.len == 4 &&
			load_be32(p->notify.spi.data) == child->spi_out)
			return child;
	}
	return NULL;
}

/* Ours that is not on the wire yet steps back. */
static void step_back(struct ike_engine *e, struct ike_sa *sa, const struct child_sa *old)
{
	struct create *x = sa->ours;

	if (x && !x->sent && old && x->old_spi == old->spi_in)
		drop_ours(e, sa);
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
	step_back(e, sa, *ret_old);
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
	struct keymat_input k = create_keymat_input(x, shared);
	struct child_sa *child = child_install(e, sa, &x->agreed, &k);
	struct message m;

	protect_init_message(sa, CREATE_CHILD_SA, true, sa->outbox.peer_request_id, &m);
	if (child) {
		x->reserved = 0;
		child_add_answer(&x->agreed, &x->chosen, &m);
		add_nonce_and_key(x, &m);
	} else {
		message_add_notify(&m, NOTIFY_NO_ADDITIONAL_SAS, BYTES_NONE);
	}
	if (protect_respond(e, sa, &d, &m)) {
		sa_fail(e, sa);
		return;
	}
	if (child)
		rekey_child_finish(e, x, child);
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
	if (sa->theirs)
		refuse_held(e, sa, NOTIFY_TEMPORARY_FAILURE);
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

static void negotiate(struct ike_engine *e, struct ike_sa *sa, const struct input *in, const struct child_sa *old)
{
	struct create *x = create_new(e, old ? CREATE_REKEY_CHILD : CREATE_NEW, false);
	struct ike_failure f;

	if (!x) {
		respond_notify(e, sa, in, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
		return;
	}
	x->old_spi = old ? old->spi_in : 0;
	uint16_t notify = child_agree(e, sa, in->m, old, &x->agreed, &x->chosen, &f);
	if (notify) {
		failure_report(e, sa->tunnel, sa, in->d, &f);
		respond_notify(e, sa, in, notify, BYTES_NONE);
		create_free(e, x);
		return;
	}
	x->reserved = x->agreed.spi_in;
	x->index = x->agreed.index;
	accept(e, sa, in, x);
}

enum step create_child_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct child_sa *old;
	uint16_t notify = judge(e, sa, in->m, &old);

	if (notify)
		respond_notify(e, sa, in, notify, BYTES_NONE);
	else if (in->m->sa.items[0].protocol == PROTOCOL_IKE)
		respond_notify(e, sa, in, NOTIFY_NO_ADDITIONAL_SAS, BYTES_NONE);
	else
		negotiate(e, sa, in, old);
	return STEP_STAY;
}

/* ---- jobs ---- */

static struct create *create_of_job(const struct ike_sa *sa, const struct crypto_job *job)
{
	if (sa->ours && sa->ours->number == job->exchange)
		return sa->ours;
	return sa->theirs && sa->theirs->number == job->exchange ? sa->theirs : NULL;
}

static void on_own_key(struct ike_engine *e, struct ike_sa *sa, bool good)
{
	struct create *x = sa->ours;
	const struct child_sa *old = child_of_spi(sa, x->old_spi);

	if (!good) {
		give_up(e, sa, "no working cryptography");
	} else if (x->kind == CREATE_REKEY_CHILD && (!old || old->state != CHILD_UP)) {
		/* it was deleted meanwhile */
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

/* RFC 6989: values that are no keys of the group are refused. */
enum step create_child_on_secret(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct create *x = create_of_job(sa, in->job);
	struct ike_failure f = failure_make(
		2, CREATE_CHILD_SA, x && x->initiator, 0, "the peer's key exchange value is refused", "");

	if (!x)
		return STEP_STAY;
	if (x->initiator) {
		if (in->job->result)
			reject(e, sa, &f);
		else
			finish_ours(e, sa, secret_view(&in->job->shared));
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
