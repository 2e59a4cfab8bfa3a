/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA, initiator: the peer's response, up to the SA that the exchange makes. */
#include "create.h"

static void finish_ours(struct ike_engine *e, struct ike_sa *sa, struct bytes shared)
{
	struct create *x = sa->ours;
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, true, 0, "no memory or no working cryptography", "");
	struct made made;

	if (!create_make(e, sa, x, shared, &made)) {
		create_reject(e, sa, &f);
		return;
	}
	create_take_place(e, sa, x, &made);
	if (x->kind == CREATE_NEW && sa->ours == x)
		pieces_made(e, sa, x->index, &x->offer, x->agreed.additional);
	create_drop_ours(e, sa);
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
		create_reject(e, sa, &f);
		return;
	}
	if (x->kind != CREATE_REKEY_IKE && !child_mode_fits(sa, &x->agreed)) {
		child_refuse_mode(e, sa, CREATE_CHILD_SA, &x->agreed);
		create_fall_back(e, sa);
		return;
	}
	create_store_nonce(m, x->nonce_r, &x->nonce_r_len);
	/* the proposal that it chose may have no group */
	const struct alg *group = x->agreed.suite.ke;
	if (!group) {
		finish_ours(e, sa, BYTES_NONE);
		return;
	}
	f = failure_make(2, CREATE_CHILD_SA, true, 0, "the peer's key is not of the group that it chose", "");
	if (group != x->group || !create_store_public(x, m) || !create_start_secret(e, sa, x))
		create_reject(e, sa, &f);
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
		create_drop_ours(e, sa);
	else if (message_find(in->m, PAYLOAD_SA))
		on_answer(e, sa, in->m);
	else
		create_refused(e, sa, message_find_error(in->m));
	task_flush(e, sa);
	return STEP_STAY;
}

void create_on_own_secret(struct ike_engine *e, struct ike_sa *sa, const struct crypto_job *job)
{
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, true, 0, create_secret_refused, "");

	if (ends_with_sa(sa, sa->ours)) {
		create_drop_ours(e, sa);
		task_flush(e, sa);
	} else if (job->result) {
		create_reject(e, sa, &f);
	} else {
		finish_ours(e, sa, secret_view(&job->shared));
	}
}
