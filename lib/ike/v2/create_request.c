/* SPDX-License-Identifier: BSD-3-Clause */
/* CREATE_CHILD_SA, initiator: the tasks behind it, up to the request. */
#include "create.h"

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
	create_add_key(x, &m);
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
		create_drop_ours(e, sa);
		/* that was the last piece: an IKE SA that waited for them may go */
		tunnel_replace(e, sa, false);
		task_flush(e, sa);
		return;
	}
	x->reserved = e->host.spi_reserve(e->host.context, &sa->local.addr, &sa->remote.addr);
	struct proposal_list offer = child_proposals(sa, CREATE_CHILD_SA, index, 0);
	x->group = alg_lookup(TRANSFORM_KE, proposals_first_group(&offer), 0);
	if (!room)
		create_give_up(e, sa, "too many Child SAs");
	else if (!x->reserved)
		create_give_up(e, sa, "no inbound SPI is free");
	else if (!modes_pass_nat(sa, offer.items[0].protocol))
		create_give_up(e, sa, modes_no_nat);
	else if (!x->group)
		send_request(e, sa, x);
	else if (!create_start_key(e, sa, x))
		create_give_up(e, sa, "no memory");
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
	if (!create_start_key(e, sa, x))
		create_give_up(e, sa, "no memory");
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

void create_on_own_key(struct ike_engine *e, struct ike_sa *sa, bool good)
{
	struct create *x = sa->ours;

	if (!good) {
		create_give_up(e, sa, "no working cryptography");
	} else if (is_pointless(sa, x)) {
		if (x->kind == CREATE_NEW)
			pieces_made(e, sa, x->index, &x->offer, false);
		create_drop_ours(e, sa);
		task_flush(e, sa);
	} else {
		send_request(e, sa, x);
	}
}
