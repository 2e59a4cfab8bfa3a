/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two roles of CREATE_CHILD_SA have in common: an exchange from its beginning to the SA that it makes, and
 * races of two. */
#include <stdlib.h>

#include "collision.h"
#include "create.h"

struct create *create_new(struct ike_engine *e, uint8_t kind, bool initiator)
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

void create_drop_ours(struct ike_engine *e, struct ike_sa *sa)
{
	create_free(e, sa->ours);
	sa->ours = NULL;
	sa->asking = (struct task){ .kind = TASK_NONE };
	if (!sa->theirs)
		sa_clear_timer(e, sa, TIMER_JOB);
}

void create_drop_theirs(struct ike_engine *e, struct ike_sa *sa)
{
	create_free(e, sa->theirs);
	sa->theirs = NULL;
	if (!sa->ours)
		sa_clear_timer(e, sa, TIMER_JOB);
}

void create_child_drop(struct ike_engine *e, struct ike_sa *sa)
{
	create_drop_ours(e, sa);
	create_drop_theirs(e, sa);
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

/* ---- what it makes ---- */

bool create_make(struct ike_engine *e, struct ike_sa *sa, struct create *x, struct bytes shared, struct made *ret_made)
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

void create_take_place(struct ike_engine *e, struct ike_sa *sa, struct create *x, const struct made *made)
{
	if (made->ike)
		rekey_ike_finish(e, sa, x, made->ike);
	else
		rekey_child_finish(e, x, made->child);
}
