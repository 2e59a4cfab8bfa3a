/* SPDX-License-Identifier: BSD-3-Clause */
/* INFORMATIONAL, both roles (RFC 7296 1.4): Delete, liveness, errors told afterwards; and what ends an IKE SA. */
#include <stdio.h>

#include "v2.h"

/* ---- our requests ---- */

static uint8_t next_want(uint8_t wants)
{
	static const uint8_t order[] = { WANT_AUTH_FAILED, WANT_INVALID_SYNTAX, WANT_DELETE, WANT_LIVENESS };

	for (size_t i = 0; i < sizeof(order); i++)
		if (wants & order[i])
			return order[i];
	return 0;
}

void informational_flush(struct ike_engine *e, struct ike_sa *sa)
{
	uint8_t want = next_want(sa->wants);
	struct message m;
	struct payload *p;

	if (!want || sa->outbox.request || (sa->state != ST_ESTABLISHED && sa->state != ST_CLOSING))
		return;
	protect_init_message(sa, INFORMATIONAL, false, sa->outbox.next_request_id, &m);
	switch (want) {
	case WANT_AUTH_FAILED: message_add_notify(&m, NOTIFY_AUTHENTICATION_FAILED, BYTES_NONE); break;
	case WANT_INVALID_SYNTAX: message_add_notify(&m, NOTIFY_INVALID_SYNTAX, BYTES_NONE); break;
	case WANT_DELETE:
		p = message_add(&m, PAYLOAD_DELETE);
		p->del.protocol = PROTOCOL_IKE;
		break;
	default: break; /* liveness: empty (RFC 7296 2.4) */
	}
	sa->wants &= (uint8_t)~want;
	sa->asking = want;
	if (protect_request(e, sa, &m))
		sa_fail(e, sa);
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

/* RFC 7296 2.21.3: the peer has deleted the SA, nothing is left to tell it. */
static enum step on_error_response(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct ike_failure f = gave_up_failure(e, true, notify);

	if (sa->state == ST_CLOSING)
		return finish(e, sa, f.reason);
	if (!sa_twin(sa))
		failure_report(e, sa->tunnel, sa, NULL, &f);
	sa->afterwards = AFTER_BACKOFF;
	return finish(e, sa, f.reason);
}

enum step informational_on_response(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	bool over = sa->asking & (WANT_DELETE | WANT_AUTH_FAILED | WANT_INVALID_SYNTAX);
	const struct payload *error = message_find_error(in->m);

	outbox_answered(e, sa);
	sa->asking = 0;
	if (over)
		return finish(e, sa, "closed");
	if (error)
		return on_error_response(e, sa, error->notify.type);
	informational_flush(e, sa);
	return STEP_STAY;
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
	if (!sa->outbox.request) {
		sa->wants |= WANT_LIVENESS;
		informational_flush(e, sa);
	}
}

enum step informational_on_silence(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_failure f = failure_make(1, INFORMATIONAL, true, 0, "dead peer: liveness checks were not answered",
		"the peer or the path to it is down, or the peer lost this IKE SA");
	struct tunnel *t = sa->tunnel;

	(void)in;
	failure_report(e, t, sa, NULL, &f);
	sa_close(e, sa, f.reason);
	tunnel_follow_up(e, t, AFTER_RESTART);
	return STEP_STAY;
}

enum step informational_on_lifetime(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	(void)in;
	/* break before make: this engine does not rekey */
	sa_terminate(e, sa, AFTER_RESTART, "lifetime is over");
	return STEP_STAY;
}

/* ---- the peer's requests ---- */

/* What a request asks for, collected before anything is changed. */
struct wishes {
	bool delete_ike, delete_child;
	uint16_t error; /* AUTHENTICATION_FAILED or INVALID_SYNTAX: the peer gives the SA up (RFC 7296 2.21) */
};

static bool names_child(const struct payload *p, const struct child_sa *child)
{
	if (p->del.protocol != PROTOCOL_ESP || !child)
		return false;
	for (size_t i = 0; i + 4 <= p->del.spis.len; i += 4)
		if (load_be32(p->del.spis.data + i) == child->spi_out)
			return true;
	return false;
}

static struct wishes wishes_of(const struct ike_sa *sa, const struct message *m)
{
	struct wishes w = { 0 };

	for (int i = 0; i < m->count; i++) {
		const struct payload *p = &m->payloads[i];
		if (p->type == PAYLOAD_DELETE) {
			w.delete_ike = w.delete_ike || p->del.protocol == PROTOCOL_IKE;
			w.delete_child = w.delete_child || names_child(p, sa->child);
		} else if (p->type == PAYLOAD_NOTIFY && (p->notify.type == NOTIFY_AUTHENTICATION_FAILED ||
								p->notify.type == NOTIFY_INVALID_SYNTAX)) {
			w.error = p->notify.type;
		}
	}
	return w;
}

/* RFC 7296 1.4.1: the answer to the Delete of a child names our half of it. */
static int respond(struct ike_engine *e, struct ike_sa *sa, const struct input *in, const struct wishes *w)
{
	struct message m;
	uint8_t spi[4];

	protect_init_message(sa, INFORMATIONAL, true, in->m->header.message_id, &m);
	if (w->delete_child && !w->delete_ike) {
		struct payload *p = message_add(&m, PAYLOAD_DELETE);
		store_be32(spi, sa->child->spi_in);
		p->del.protocol = PROTOCOL_ESP;
		p->del.spi_len = sizeof(spi);
		p->del.count = 1;
		p->del.spis = BYTES_OF(spi);
	}
	return protect_respond(e, sa, in->d, &m);
}

/* An orderly Delete is no failure, nor is any end while another SA of the tunnel carries the traffic. */
static void end_by_peer(struct ike_engine *e, struct ike_sa *sa, const struct wishes *w)
{
	struct tunnel *t = sa->tunnel;
	bool ours = sa->state == ST_CLOSING;
	enum afterwards afterwards = w->error ? AFTER_BACKOFF : child_afterwards(e, sa->child, AFTER_PAUSE);

	if (ours)
		afterwards = (enum afterwards)sa->afterwards;
	if (w->error) {
		struct ike_failure f = gave_up_failure(e, false, w->error);
		if (!ours && !sa_twin(sa))
			failure_report(e, t, sa, NULL, &f);
		sa_linger(e, sa, f.reason);
	} else {
		sa_linger(e, sa, "the peer deleted the IKE SA");
	}
	tunnel_follow_up(e, t, afterwards);
}

enum step informational_on_request(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct wishes w = wishes_of(sa, in->m);

	if (respond(e, sa, in, &w)) {
		sa_fail(e, sa);
	} else if (w.delete_ike || w.error) {
		end_by_peer(e, sa, &w);
	} else if (w.delete_child) {
		enum afterwards afterwards = child_afterwards(e, sa->child, AFTER_PAUSE);
		sa_retire_child(e, sa, "the peer deleted the Child SA");
		tunnel_follow_up(e, sa->tunnel, afterwards);
	}
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
	failure_report(e, sa->tunnel, sa, in->d, &f);
	sa_retire_child(e, sa, f.reason);
	sa->wants = WANT_INVALID_SYNTAX;
	sa->afterwards = AFTER_BACKOFF;
	return STEP_NEXT;
}
