/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA, initiator: our request came to nothing. What becomes of the wish behind it. */
#include "create.h"

/* INVALID_KE_PAYLOAD answers followed in one exchange. */
#define RESTARTS_MAX 4

/* What the peer could not do now it is asked for again after 1 to 2 s. */
#define PAUSE_NS SECOND_NS

/* It is told of after so many refusals, and after some minutes of nothing else the IKE SA ends (RFC 7296 2.25). */
#define PUT_OFF_TOLD   3
#define PUT_OFF_MAX_NS (240 * SECOND_NS)

/* The exchange came to nothing: the tunnel goes after what it misses, a rekey is tried again later. */
void create_fall_back(struct ike_engine *e, struct ike_sa *sa)
{
	uint8_t kind = sa->ours->kind;
	struct child_sa *old = child_of_spi(sa, sa->ours->old_spi);
	bool yielded = rekey_ike_yield(e, sa);

	create_drop_ours(e, sa);
	if (kind == CREATE_REKEY_IKE && !yielded)
		rekey_ike_postpone(e, sa);
	if (kind == CREATE_REKEY_CHILD && old)
		rekey_child_postpone(e, old);
	if (kind == CREATE_NEW)
		tunnel_follow_up(e, sa->tunnel, AFTER_BACKOFF);
}

void create_give_up(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	uint8_t phase = sa->ours->kind == CREATE_REKEY_IKE ? 1 : 2;
	struct ike_failure f = failure_make(phase, CREATE_CHILD_SA, true, 0, reason, "");

	failure_report(e, sa->tunnel, sa, NULL, &f);
	create_fall_back(e, sa);
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
	return create_start_key(e, sa, x);
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
	create_drop_ours(e, sa);
	sa_set_timer(e, sa, TIMER_PAUSE, e->now_ns + with_jitter(e, PAUSE_NS, 100));
}

void create_refused(struct ike_engine *e, struct ike_sa *sa, const struct payload *error)
{
	struct create *x = sa->ours;
	struct child_sa *old = child_of_spi(sa, x->old_spi);
	uint16_t notify = error ? error->notify.type : 0;

	if (notify != NOTIFY_TEMPORARY_FAILURE)
		sa->put_off_count = 0;
	if (notify == NOTIFY_TEMPORARY_FAILURE && put_off(e, sa)) {
		create_drop_ours(e, sa);
		sa_terminate(e, sa, AFTER_RESTART, "the peer puts our requests off for minutes");
	} else if (notify == NOTIFY_TEMPORARY_FAILURE) {
		ask_later(e, sa);
	} else if (notify == NOTIFY_CHILD_SA_NOT_FOUND && x->kind == CREATE_REKEY_CHILD) {
		create_drop_ours(e, sa);
		if (old)
			rekey_child_not_found(e, old);
	} else if (notify == NOTIFY_INVALID_KE_PAYLOAD && follow_group(e, sa, error)) {
		return;
	} else if (x->kind == CREATE_NEW && pieces_refused(e, sa, x->index, notify)) {
		if (notify != NOTIFY_SINGLE_PAIR_REQUIRED)
			child_report_refusal(e, sa, CREATE_CHILD_SA, x->index, notify);
		create_drop_ours(e, sa);
	} else {
		if (x->kind == CREATE_REKEY_IKE)
			rekey_ike_report_refusal(e, sa, notify);
		else
			child_report_refusal(e, sa, CREATE_CHILD_SA, x->index, notify);
		bool renew = notify == NOTIFY_NO_ADDITIONAL_SAS && x->kind != CREATE_NEW && rekey_ike_can_renew(sa);
		create_fall_back(e, sa);
		/* RFC 7296 1.3: it makes no more on this IKE SA, be it to replace one; on a new one it does */
		if (renew)
			rekey_ike_reauthenticate(e, sa);
	}
}

/* The peer has an SA that we cannot accept: nothing of what both believe can be trusted. */
void create_reject(struct ike_engine *e, struct ike_sa *sa, struct ike_failure *f)
{
	failure_report(e, sa->tunnel, sa, NULL, f);
	create_drop_ours(e, sa);
	sa_terminate(e, sa, AFTER_BACKOFF, f->reason);
}
