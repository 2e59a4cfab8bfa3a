/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA, responder: whether what the peer asks for can be done now, with all that is under way. */
#include "collision.h"
#include "create.h"

/* IKE SAs that a peer may leave behind in rekeying. Another one of the same tunnel does not suffer from it. */
#define LEFTOVERS_MAX 4

/* That a peer asks for too many keys is told once in this time. */
#define KEYS_TOLD_NS (60 * SECOND_NS)

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

/* Ours that is not on the wire yet steps back: what it was for comes with the peer's, or is asked for again: at once
 * where the peer's is about something else, and later where it is about the same and comes to nothing, be it that it is
 * refused, cannot be computed or is put off (RFC 7296 2.25). What the peer's rekey has replaced is not rekeyed then. */
static void step_back(struct ike_engine *e, struct ike_sa *sa, const struct child_sa *old, bool ike)
{
	struct create *x = sa->ours;
	struct child_sa *ours = x ? child_of_spi(sa, x->old_spi) : NULL;

	if (!x || x->sent || !(ike || (old && old == ours)))
		return;
	if (x->kind == CREATE_NEW)
		pieces_again(sa, x->index);
	else if (x->kind == CREATE_REKEY_IKE)
		rekey_ike_postpone(e, sa);
	else if (ours && ours != old)
		ours->wants |= TASK_BIT(TASK_REKEY_CHILD);
	else if (ours && ours->state == CHILD_UP && !ours->replaced)
		rekey_child_postpone(e, ours);
	create_drop_ours(e, sa);
}

/* One that the peer has rekeyed stays for minutes, one of a race for half of one: as long as some of these wait for its
 * Delete it makes no more. */
static bool has_many_leftovers(const struct ike_sa *sa)
{
	unsigned count = 0;

	for (const struct ike_sa *other = sa->tunnel->sas; other; other = other->sibling)
		count += (other->state == ST_REPLACED || other->state == ST_INHERITING) &&
			 identity_equal(&other->remote_id, &sa->remote_id);
	return count >= LEFTOVERS_MAX;
}

static void tell_key_limit(struct ike_engine *e, const struct ike_sa *sa, struct allowance *a)
{
	struct ike_failure f = failure_make(2, CREATE_CHILD_SA, false, NOTIFY_TEMPORARY_FAILURE,
		"the peer asks for new keys faster than it may",
		"look at the lifetimes of the peer, and why it rekeys so often");

	e->counters[IKE_C_KEY_LIMIT]++;
	if (e->now_ns < a->told_ns)
		return;
	a->told_ns = e->now_ns + KEYS_TOLD_NS;
	failure_report(e, sa->tunnel, sa, NULL, &f);
}

/* One is taken only when it is computed (create_answer.c): what is refused costs next to nothing. */
static bool asks_for_many_keys(struct ike_engine *e, const struct ike_sa *sa, const struct message *m)
{
	struct allowance *a = message_find(m, PAYLOAD_KE) ? allowance_lookup(e, sa) : NULL;

	if (!a || !allowance_used_up(e, a))
		return false;
	tell_key_limit(e, sa, a);
	return true;
}

/* 0: it is to be answered. */
uint16_t create_judge(struct ike_engine *e, struct ike_sa *sa, const struct message *m, struct child_sa **ret_old)
{
	static const uint16_t notifies[] = {
		[VERDICT_LATER] = NOTIFY_TEMPORARY_FAILURE, [VERDICT_NOT_FOUND] = NOTIFY_CHILD_SA_NOT_FOUND
	};
	const struct payload *rekey = message_find_notify(m, NOTIFY_REKEY_SA);
	bool ike = m->sa.items[0].protocol == PROTOCOL_IKE;

	*ret_old = rekey && !ike ? rekeyed_child(sa, rekey) : NULL;
	/* what is refused for these reasons does not come: ours does not step back */
	if ((ike && has_many_leftovers(sa)) || asks_for_many_keys(e, sa, m))
		return NOTIFY_TEMPORARY_FAILURE;
	step_back(e, sa, *ret_old, ike);
	enum peer_asks asks = ike ? ASKS_REKEY_IKE : rekey ? ASKS_REKEY_CHILD : ASKS_CREATE_CHILD;
	enum verdict v = collision_judge(asks, doing_of(sa), child_doing_of(*ret_old));
	return v < ARRAY_LEN(notifies) ? notifies[v] : 0;
}
