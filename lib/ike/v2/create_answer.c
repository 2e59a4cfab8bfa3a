/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA, responder: a request is held while its keys are computed, and answered. */
#include <stdlib.h>

#include "create.h"

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

void create_answer(struct ike_engine *e, struct ike_sa *sa, struct bytes shared)
{
	struct create *x = sa->theirs;
	struct ike_datagram d = { x->held_local, x->held_remote, BYTES(x->held, x->held_len) };
	struct made made;
	struct message m;
	bool good = create_make(e, sa, x, shared, &made);

	protect_init_message(sa, CREATE_CHILD_SA, true, sa->outbox.peer_request_id, &m);
	if (!good)
		message_add_notify(&m, NOTIFY_NO_ADDITIONAL_SAS, BYTES_NONE);
	else if (made.ike)
		rekey_ike_add_answer(x, &m);
	else
		child_add_answer(&x->agreed, &x->chosen, &m);
	if (good)
		create_add_key(x, &m);
	if (protect_respond(e, sa, &d, &m)) {
		sa_fail(e, sa);
		return;
	}
	/* it waits no longer: when the IKE SA goes now, nothing is left to be refused */
	free(x->held);
	x->held = NULL;
	if (good)
		create_take_place(e, sa, x, &made);
	create_drop_theirs(e, sa);
	task_flush(e, sa);
}

/* What was begun cannot be finished. */
void create_refuse_held(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct create *x = sa->theirs;
	struct ike_datagram d = { x->held_local, x->held_remote, BYTES(x->held, x->held_len) };
	struct message m;

	protect_init_message(sa, CREATE_CHILD_SA, true, sa->outbox.peer_request_id, &m);
	message_add_notify(&m, (enum notify_type)notify, BYTES_NONE);
	int err = protect_respond(e, sa, &d, &m);
	create_drop_theirs(e, sa);
	if (err)
		sa_fail(e, sa);
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
	if (x->group && !create_store_public(x, in->m)) {
		refuse_group(e, sa, in, x->group);
		create_free(e, x);
		return;
	}
	create_store_nonce(in->m, x->nonce_i, &x->nonce_i_len);
	if (!hold(x, in->d) || (x->group && !(allowance_take(e, sa) && create_start_key(e, sa, x)))) {
		respond_notify(e, sa, in, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
		create_free(e, x);
		return;
	}
	sa->theirs = x;
	if (!x->group)
		create_answer(e, sa, BYTES_NONE);
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

	mobike_settle_nat(e, sa);
	uint16_t notify = create_judge(e, sa, in->m, &old);
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
