/* SPDX-License-Identifier: BSD-3-Clause */
/* INFORMATIONAL, both roles (RFC 7296 1.4): Delete, liveness, errors told afterwards; and what ends an IKE SA. */
#include <stdio.h>

#include "v2.h"

/* ---- our requests ---- */

void informational_fill_auth_failed(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	(void)e, (void)sa, (void)t, (void)data;
	message_add_notify(m, NOTIFY_AUTHENTICATION_FAILED, BYTES_NONE);
}

void informational_fill_invalid_syntax(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	(void)e, (void)sa, (void)t, (void)data;
	message_add_notify(m, NOTIFY_INVALID_SYNTAX, BYTES_NONE);
}

void informational_fill_delete_ike(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	struct payload *p = message_add(m, PAYLOAD_DELETE);

	(void)e, (void)sa, (void)t, (void)data;
	p->del.protocol = PROTOCOL_IKE;
}

/* RFC 7296 1.4.1: each side deletes its inbound half. */
static void add_delete(struct message *m, uint8_t protocol, struct bytes spis)
{
	struct payload *p = message_add(m, PAYLOAD_DELETE);

	p->del.protocol = protocol;
	p->del.spi_len = 4;
	p->del.count = (uint16_t)(spis.len / 4);
	p->del.spis = spis;
}

void informational_fill_delete_child(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, struct message *m, uint8_t *data)
{
	(void)e;
	store_be32(data, t->child_spi);
	add_delete(m, child_of_spi(sa, t->child_spi)->protocol, BYTES(data, 4));
}

/* The way out is over, or was never answered. */
static enum step finish(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	struct tunnel *t = sa->tunnel;
	enum afterwards afterwards = (enum afterwards)sa->afterwards;

	sa_close(e, sa, reason);
	tunnel_follow_up(e, t, afterwards);
	return STEP_STAY;
}

static struct ike_failure gave_up_failure(struct ike_engine *e, bool initiator, uint16_t notify)
{
	struct ike_failure f = failure_make(1, INFORMATIONAL, initiator, notify, "", "look at the peer's log");

	snprintf(f.reason, sizeof(f.reason), "the peer gave up: %s", notify_name(notify));
	if (notify == NOTIFY_AUTHENTICATION_FAILED) {
		e->counters[IKE_C_AUTH_FAILED]++;
		snprintf(f.hint, sizeof(f.hint), "compare pre-shared keys and identities of both gateways");
	}
	return f;
}

/* RFC 7296 2.21.3: with these the peer has deleted the SA, and no other error says so. */
static bool is_fatal(const struct payload *p)
{
	return p->type == PAYLOAD_NOTIFY &&
	       (p->notify.type == NOTIFY_AUTHENTICATION_FAILED || p->notify.type == NOTIFY_INVALID_SYNTAX);
}

static uint16_t fatal_error(const struct message *m)
{
	for (int i = 0; i < m->count; i++)
		if (is_fatal(&m->payloads[i]))
			return m->payloads[i].notify.type;
	return 0;
}

bool informational_peer_gave_up(struct ike_engine *e, struct ike_sa *sa, const struct message *m)
{
	uint16_t notify = fatal_error(m);

	if (!notify)
		return false;
	struct ike_failure f = gave_up_failure(e, true, notify);
	if (sa->state == ST_ESTABLISHED) {
		if (!sa_has_twin(sa))
			failure_report(e, sa->tunnel, sa, NULL, &f);
		sa->afterwards = AFTER_BACKOFF;
	}
	finish(e, sa, f.reason);
	return true;
}

enum step informational_closed(struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in)
{
	(void)t, (void)in;
	return finish(e, sa, "closed");
}

/* Ours and, by its answer, the peer's half of the Child SA are gone; when it has no Delete in it, the peer's own was
 * under way (RFC 7296 1.4.1). */
enum step informational_child_deleted(
	struct ike_engine *e, struct ike_sa *sa, const struct task *t, const struct input *in)
{
	struct child_sa *child = child_of_spi(sa, t->child_spi);

	if (child && (message_find(in->m, PAYLOAD_DELETE) || !rekey_child_ask_again(e, child)))
		child_end(e, child, "deleted");
	return STEP_STAY;
}

/* RFC 7296 3.10.1: the request has failed, and the SA stays. The task judges the refusal of a new path; where the SA is
 * over anyway nobody asks. */
static void tell_refusal(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct ike_failure f = failure_make(1, INFORMATIONAL, true, notify, "", "look at the peer's log");

	if (!notify || sa->state != ST_ESTABLISHED || sa->asking.kind == TASK_UPDATE_ADDRESSES)
		return;
	snprintf(f.reason, sizeof(f.reason), "the peer refused our request: %s", notify_name(notify));
	failure_report(e, sa->tunnel, sa, NULL, &f);
}

enum step informational_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	const struct payload *error = message_find_error(in->m);

	outbox_answered(e, sa);
	if (informational_peer_gave_up(e, sa, in->m))
		return STEP_STAY;
	tell_refusal(e, sa, error ? error->notify.type : 0);
	enum step step = task_done(e, sa, in);
	task_flush(e, sa);
	return step;
}

enum step informational_on_closed(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	(void)in;
	return finish(e, sa, "closed without the peer's answer");
}

void informational_check_liveness(struct ike_engine *e, struct ike_sa *sa)
{
	uint64_t interval = sa->tunnel->profile->dpd_interval_ns;

	if (sa->state != ST_ESTABLISHED || !interval)
		return;
	if (e->now_ns < sa->heard_ns + interval) {
		sa_set_timer(e, sa, TIMER_LIVENESS, sa->heard_ns + interval);
		return;
	}
	sa_set_timer(e, sa, TIMER_LIVENESS, e->now_ns + interval);
	if (!sa->outbox.request)
		task_want(e, sa, TASK_LIVENESS);
}

enum step informational_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, INFORMATIONAL, true, 0, "dead peer: liveness checks were not answered",
		"the peer or the path to it is down, or the peer lost this IKE SA");
	struct tunnel *t = sa->tunnel;
	uint8_t children = sa_children(sa, true);

	(void)in;
	failure_report(e, t, sa, NULL, &f);
	sa_close(e, sa, f.reason);
	tunnel_peer_dead(e, t, children);
	return STEP_STAY;
}

enum step informational_on_lifetime(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	(void)in;
	sa_terminate(e, sa, AFTER_RESTART, "lifetime is over");
	return STEP_STAY;
}

/* ---- the peer's requests ---- */

/* What a request asks for, collected before anything is changed. */
struct wishes {
	bool delete_ike;
	uint16_t error; /* AUTHENTICATION_FAILED or INVALID_SYNTAX: the peer gives the SA up (RFC 7296 2.21) */
	uint8_t count;
	struct child_sa *children[CHILD_PLACES_MAX]; /* to be deleted */
};

/* By the SPI that the peer receives on, which is ours to send on. */
static struct child_sa *named_child(const struct ike_sa *sa, uint8_t protocol, uint32_t spi)
{
	struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (protocol == child->protocol && child->spi_out == spi)
			return child;
	}
	return NULL;
}

static void wish_child(struct wishes *w, struct child_sa *child)
{
	/* RFC 7296 2.25.1: one whose Delete of ours is under way is not answered for, nor one that is gone */
	if (!child || child->state != CHILD_UP)
		return;
	for (uint8_t i = 0; i < w->count; i++)
		if (w->children[i] == child)
			return;
	if (w->count < CHILD_PLACES_MAX)
		w->children[w->count++] = child;
}

static void wish_delete(const struct ike_sa *sa, const struct payload *p, struct wishes *w)
{
	if (p->del.protocol == PROTOCOL_IKE)
		w->delete_ike = true;
	for (size_t i = 0; p->del.spi_len == 4 && i + 4 <= p->del.spis.len; i += 4)
		wish_child(w, named_child(sa, p->del.protocol, load_be32(p->del.spis.data + i)));
}

static void wishes_collect(const struct ike_sa *sa, const struct message *m, struct wishes *w)
{
	*w = (struct wishes){ 0 };
	for (int i = 0; i < m->count; i++) {
		const struct payload *p = &m->payloads[i];
		if (p->type == PAYLOAD_DELETE)
			wish_delete(sa, p, w);
		else if (is_fatal(p))
			w->error = p->notify.type;
	}
}

/* Our halves of what is to be deleted, of one protocol; spis backs the message. Returns how many bytes of it. */
static size_t add_halves(struct message *m, const struct wishes *w, uint8_t protocol, uint8_t *spis)
{
	size_t len = 0;

	for (uint8_t i = 0; i < w->count; i++)
		if (w->children[i]->protocol == protocol) {
			store_be32(spis + len, w->children[i]->spi_in);
			len += 4;
		}
	if (len)
		add_delete(m, protocol, BYTES(spis, len));
	return len;
}

/* RFC 7296 1.4.1: the answer to the Delete of a child names our half of it. */
static int respond(
	struct ike_engine *e, struct ike_sa *sa, const struct input *in, const struct wishes *w, uint16_t notify)
{
	uint8_t spis[4 * CHILD_PLACES_MAX];
	struct message m;
	uint8_t data[TASK_DATA_MAX];

	protect_init_message(sa, INFORMATIONAL, true, in->m->header.message_id, &m);
	if (!w->delete_ike)
		add_halves(&m, w, PROTOCOL_AH, spis + add_halves(&m, w, PROTOCOL_ESP, spis));
	mobike_add_answer(e, sa, in, notify, &m, data);
	return protect_respond(e, sa, in->d, &m);
}

/* The end of a whole IKE SA is that of its child which lasted longest. */
static const struct child_sa *oldest_child(const struct ike_sa *sa)
{
	return TAILQ_FIRST(&sa->children);
}

/* An orderly Delete is no failure, nor is any end while another SA of the tunnel carries the traffic. */
static void end_by_peer(struct ike_engine *e, struct ike_sa *sa, const struct wishes *w)
{
	struct tunnel *t = sa->tunnel;
	bool ours = sa->state == ST_CLOSING;
	uint8_t wishes = ours ? 0 : tunnel_wishes_of(sa);

	/* RFC 7296 2.25.2: it has not heard of our rekeying, and what it made itself takes over */
	if (!w->error)
		rekey_ike_yield(e, sa);
	enum afterwards afterwards = w->error ? AFTER_BACKOFF : child_afterwards(e, oldest_child(sa), AFTER_PAUSE);

	if (ours || sa->replaced)
		afterwards = sa->replaced ? AFTER_NOTHING : (enum afterwards)sa->afterwards;
	if (w->error) {
		struct ike_failure f = gave_up_failure(e, false, w->error);
		if (!ours && !sa_has_twin(sa))
			failure_report(e, t, sa, NULL, &f);
		sa_linger(e, sa, f.reason);
	} else {
		sa_linger(e, sa, "the peer deleted the IKE SA");
	}
	tunnel_follow_up(e, t, afterwards);
	if (wishes)
		tunnel_pass_on(e, t, wishes);
}

enum step informational_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct wishes w;

	wishes_collect(sa, in->m, &w);
	uint16_t notify = mobike_on_request(e, sa, in);
	if (respond(e, sa, in, &w, notify)) {
		sa_fail(e, sa);
		return STEP_STAY;
	}
	if (w.delete_ike || w.error) {
		end_by_peer(e, sa, &w);
		return STEP_STAY;
	}
	for (uint8_t i = 0; i < w.count; i++)
		child_end(e, w.children[i], "the peer deleted the Child SA");
	auth_on_lifetime(e, sa, in->m);
	return STEP_STAY;
}

/* RFC 7296 2.21.3: a malformed message under our keys means that the peer is broken; 2.5: a critical payload we do not
 * know only makes the request fail. */
enum step informational_on_bad_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	bool critical = in->error->reason == WIRE_CRITICAL;
	struct ike_failure f = failure_make(1, in->m->header.exchange, false, wire_reason_notify(in->error->reason),
		wire_reason_text(in->error->reason), "the peer's request is malformed");
	struct tunnel *t = sa->tunnel;

	snprintf(f.theirs, sizeof(f.theirs), "payload %s at offset %u", payload_name(in->error->payload),
		in->error->offset);
	int err = protect_respond_error(e, sa, in, f.notify, critical ? BYTES(&in->error->payload, 1) : BYTES_NONE);
	if (critical && !err) {
		event_failure(e, IKE_EV_REFUSED, t, sa, in->d, &f);
		return STEP_STAY;
	}
	failure_report(e, t, sa, in->d, &f);
	sa_linger(e, sa, f.reason);
	tunnel_follow_up(e, t, AFTER_BACKOFF);
	return STEP_STAY;
}

enum step informational_on_bad_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, in->m->header.exchange, true, wire_reason_notify(in->error->reason),
		wire_reason_text(in->error->reason), "the peer's response is malformed");

	outbox_answered(e, sa);
	create_child_drop(e, sa);
	failure_report(e, sa->tunnel, sa, in->d, &f);
	sa_retire_children(e, sa, f.reason);
	sa->wants = TASK_BIT(TASK_INVALID_SYNTAX);
	sa->afterwards = AFTER_BACKOFF;
	return STEP_NEXT;
}
