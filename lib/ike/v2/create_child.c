/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA (RFC 7296 1.3), what concerns both roles: results of the key exchange, and exchanges that are given
 * up. What is made, and what becomes of what was there before, is rekey_child.c's and rekey_ike.c's. */
#include "create.h"

void create_child_refuse_held(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->theirs && sa->theirs->held)
		create_refuse_held(e, sa, NOTIFY_TEMPORARY_FAILURE);
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
		create_drop_ours(e, sa);
	/* RFC 7296 2.25.1: as if its request to rekey had come behind our Delete */
	if (is_about(sa->theirs, index) && sa->theirs->held)
		create_refuse_held(
			e, sa, sa->theirs->kind == CREATE_NEW ? NOTIFY_NO_ADDITIONAL_SAS : NOTIFY_TEMPORARY_FAILURE);
	if (sa->state != ST_ESTABLISHED)
		return false;
	task_flush(e, sa);
	return true;
}

static struct create *create_of_job(const struct ike_sa *sa, const struct crypto_job *job)
{
	if (sa->ours && sa->ours->number == job->exchange)
		return sa->ours;
	return sa->theirs && sa->theirs->number == job->exchange ? sa->theirs : NULL;
}

enum step create_child_on_key(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct create *x = create_of_job(sa, in->job);

	if (!x)
		return STEP_STAY;
	bool good = create_take_key(x, in->job);
	if (x->initiator) {
		create_on_own_key(e, sa, good);
	} else if (!good || !create_start_secret(e, sa, x)) {
		create_refuse_held(e, sa, NOTIFY_TEMPORARY_FAILURE);
	}
	return STEP_STAY;
}

/* RFC 6989: values that are no keys of the group are refused. */
enum step create_child_on_secret(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct create *x = create_of_job(sa, in->job);
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, false, 0, create_secret_refused, "");

	if (!x)
		return STEP_STAY;
	if (x->initiator) {
		create_on_own_secret(e, sa, in->job);
	} else if (in->job->result) {
		failure_report(e, sa->tunnel, sa, NULL, &f);
		create_refuse_held(e, sa, NOTIFY_NO_PROPOSAL_CHOSEN);
	} else {
		create_answer(e, sa, secret_view(&in->job->shared));
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
		create_reject(e, sa, &f);
	else if (sa->ours)
		create_give_up(e, sa, reason);
}
