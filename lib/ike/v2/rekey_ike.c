/* SPDX-License-Identifier: BSD-3-Clause */
/* Rekeying of the IKE SA (RFC 7296 1.3.2, 2.18): the new one with its keys, which of two stays when both sides began
 * at once (2.8.2, 2.25.2), and how it inherits the Child SAs. Authenticating anew is a new IKE SA beside the old. */
#include <stdio.h>

#include "collision.h"
#include "v2.h"

/* What the peer should do now, delete one or the other IKE SA, it does within this. */
#define PATIENCE_NS (30 * SECOND_NS)

/* The one that was rekeyed it lives on until it has our answer: it repeats its request for some minutes (RFC 7296 2.4),
 * and to end it sooner would end all. */
#define REPLACED_NS (180 * SECOND_NS)

static struct proposal_list offer_of(const struct ike_sa *sa, uint64_t spi)
{
	struct proposal_list offer = sa->tunnel->profile->proposals;

	proposals_address(&offer, sizeof(spi), spi);
	return offer;
}

struct proposal_list rekey_ike_proposals(const struct ike_sa *sa, uint64_t spi)
{
	return offer_of(sa, spi);
}

void rekey_ike_offer(const struct ike_sa *sa, const struct create *x, struct message *m)
{
	struct proposal_list offer = offer_of(sa, x->spi);

	message_add_sa(m, &offer);
}

static bool take_suite(struct create *x, const struct proposal *chosen)
{
	suite_of_proposal(chosen, &x->agreed.suite);
	x->peer_spi = chosen->spi;
	return spi_allowed(&spi_of_ike, chosen->spi_len, chosen->spi) && x->agreed.suite.ke;
}

bool rekey_ike_answer_fits(
	const struct ike_sa *sa, const struct message *m, struct create *x, struct ike_failure *ret_failure)
{
	struct proposal_list offer = offer_of(sa, x->spi);
	struct offer answer = message_offer(m);
	struct proposal chosen;

	if (negotiate_check_answer(&offer, &m->sa, &chosen) && take_suite(x, &chosen))
		return true;
	*ret_failure = failure_make(1, CREATE_CHILD_SA, true, 0, "the peer's choice is not in our offer", "");
	failure_set_proposals(ret_failure, &offer, &answer);
	return false;
}

uint16_t rekey_ike_agree(
	const struct ike_sa *sa, const struct message *request, struct create *x, struct ike_failure *ret_failure)
{
	struct proposal_list ours = offer_of(sa, 0);
	struct offer theirs = message_offer(request);

	if (negotiate_choose(&ours, theirs, &spi_of_ike, message_find(request, PAYLOAD_KE)->ke.group, &x->chosen) &&
		take_suite(x, &x->chosen))
		return 0;
	*ret_failure = failure_make(1, CREATE_CHILD_SA, false, NOTIFY_NO_PROPOSAL_CHOSEN, "no proposal chosen",
		"compare phase1.proposals of both gateways");
	failure_set_refused(ret_failure, &ours, &theirs);
	return NOTIFY_NO_PROPOSAL_CHOSEN;
}

void rekey_ike_add_answer(const struct create *x, struct message *response)
{
	struct proposal_list answer = { .count = 1, .items = { x->chosen } };

	answer.items[0].spi = x->spi;
	message_add_sa(response, &answer);
}

void rekey_ike_report_refusal(struct ike_engine *e, struct ike_sa *sa, uint16_t notify)
{
	struct ike_failure f = failure_make(
		1, CREATE_CHILD_SA, true, notify, "the peer refused to rekey the IKE SA", "look at the peer's log");
	struct proposal_list offer = offer_of(sa, 0);

	failure_set_proposals(&f, &offer, NULL);
	failure_report(e, sa->tunnel, sa, NULL, &f);
}

struct ike_sa *rekey_ike_make(struct ike_engine *e, struct ike_sa *old, const struct create *x, struct bytes shared)
{
	struct keymat_input k = create_keymat_input(x, shared);
	struct ike_sa *fresh = sa_inherit(e, old, x);

	if (!fresh)
		return NULL;
	fresh->replaced = true;
	fresh->predecessor = sa_our_spi(old);
	sa_set_state(e, fresh, ST_INHERITING);
	if (!keymat_rekey(e, old, fresh, &k))
		return fresh;
	sa_close(e, fresh, "");
	return NULL;
}

/* Its Delete goes out when nothing else does. */
static void delete_ike(struct ike_engine *e, struct ike_sa *sa)
{
	sa->replaced = true;
	sa->afterwards = AFTER_NOTHING;
	sa->wants = TASK_BIT(TASK_DELETE_IKE);
	sa->creates = 0;
	sa_set_state(e, sa, ST_CLOSING);
}

static void tell(struct ike_engine *e, const struct ike_sa *sa)
{
	char suite[PROPOSAL_TEXT_MAX];

	event_emit(e, IKE_EV_PHASE1_REKEYED, sa->tunnel, sa, "%s, as %s", suite_format(&sa->suite, suite),
		sa->initiator ? "initiator" : "responder");
}

static void inherit(struct ike_engine *e, struct ike_sa *old, struct ike_sa *heir)
{
	struct child_sa *child;

	while ((child = TAILQ_FIRST(&old->children)))
		child_move(child, heir);
	config_move(old, heir);
	mobike_inherit(e, old, heir);
	heir->creates = old->creates;
	heir->reauth_ns = old->reauth_ns;
	old->creates = 0;
}

/* Whoever began the exchange that made the heir deletes the old one. */
static void take_over(struct ike_engine *e, struct ike_sa *old, struct ike_sa *heir)
{
	bool wanted = old->state == ST_ESTABLISHED;

	if (!wanted) {
		/* it was terminated meanwhile, and so is what was made of it */
		delete_ike(e, heir);
		return;
	}
	inherit(e, old, heir);
	heir->replaced = false;
	sa_set_state(e, heir, ST_ESTABLISHED);
	tell(e, heir);
	old->replaced = true;
	old->wants = 0;
	if (heir->initiator) {
		delete_ike(e, old);
	} else {
		for (unsigned i = 0; i < SA_TIMERS; i++)
			if (i != TIMER_RETRANSMIT && i != TIMER_JOB)
				sa_clear_timer(e, old, (enum timer_kind)i);
		sa_set_state(e, old, ST_REPLACED);
		sa_set_timer(e, old, TIMER_LIFETIME, e->now_ns + REPLACED_NS);
	}
	/* a move that is not over */
	if (heir->wants)
		task_flush(e, heir);
	/* beside another IKE SA of the tunnel: who is to end it may have changed */
	tunnel_settle(e, heir->tunnel);
}

/* Made by the peer while our own request was out, and not yet decided upon. */
static struct ike_sa *rival_of(const struct ike_engine *e, const struct create *x)
{
	struct ike_sa *rival = x && x->kind == CREATE_REKEY_IKE && x->raced ? sa_lookup(e, x->rival) : NULL;

	return rival && (rival->state == ST_INHERITING || rival->state == ST_ESTABLISHED) ? rival : NULL;
}

/* Both are there. The creator of the one with the lowest nonce deletes it (RFC 7296 2.8.2); if that is the peer, it
 * has some time to do so. */
static void settle_race(
	struct ike_engine *e, struct ike_sa *old, const struct create *x, struct ike_sa *fresh, struct ike_sa *rival)
{
	bool used = rival->state == ST_ESTABLISHED;
	bool stays = !used && collision_first_stays(create_nonce(x), BYTES(x->rival_nonce, x->rival_nonce_len));
	struct ike_sa *loser = stays ? rival : fresh;

	if (!used)
		take_over(e, old, stays ? fresh : rival);
	if (loser->initiator)
		delete_ike(e, loser);
	else
		sa_set_timer(e, loser, TIMER_LIFETIME, e->now_ns + PATIENCE_NS);
}

void rekey_ike_finish(struct ike_engine *e, struct ike_sa *old, struct create *x, struct ike_sa *fresh)
{
	struct create *other = create_race_of(x, old);
	struct ike_sa *rival = rival_of(e, x);

	if (other) {
		create_note_rival(other, x, sa_our_spi(fresh));
		sa_set_timer(e, fresh, TIMER_LIFETIME, e->now_ns + PATIENCE_NS);
	} else if (rival) {
		settle_race(e, old, x, fresh, rival);
	} else {
		take_over(e, old, fresh);
	}
}

bool rekey_ike_yield(struct ike_engine *e, struct ike_sa *old)
{
	struct ike_sa *rival = rival_of(e, old->ours);

	if (!rival || rival->state != ST_INHERITING || old->state != ST_ESTABLISHED)
		return false;
	take_over(e, old, rival);
	return true;
}

/* Who sends anything but its Delete on it has decided for it. */
enum step rekey_ike_on_use(struct ike_engine *e, struct ike_sa *sa, const struct input *in)
{
	struct ike_sa *old = sa_lookup(e, sa->predecessor);

	for (int i = 0; i < in->m->count; i++)
		if (in->m->payloads[i].type == PAYLOAD_DELETE && in->m->payloads[i].del.protocol == PROTOCOL_IKE)
			return informational_on_request(e, sa, in);
	if (!old || old->state != ST_ESTABLISHED)
		return informational_on_request(e, sa, in);
	take_over(e, old, sa);
	if (in->m->header.exchange == CREATE_CHILD_SA)
		return create_child_on_request(e, sa, in);
	return informational_on_request(e, sa, in);
}

/* ---- times ---- */

void rekey_ike_on_timer(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->state == ST_ESTABLISHED)
		task_want(e, sa, TASK_REKEY_IKE);
}

void rekey_ike_postpone(struct ike_engine *e, struct ike_sa *sa)
{
	const struct timer *end = &sa->timers[TIMER_LIFETIME];

	sa_set_timer(e, sa, TIMER_REKEY, rekey_again_ns(e, end->place ? end->at_ns : UINT64_MAX));
}

/* Whoever rekeyed it last is its initiator, but not therefore who can begin anew. */
bool rekey_ike_can_renew(const struct ike_sa *sa)
{
	return sa->state == ST_ESTABLISHED && sa->began && !addr_is_any(&sa->tunnel->profile->remote_addr);
}

void rekey_ike_reauthenticate(struct ike_engine *e, struct ike_sa *sa)
{
	struct tunnel *t = sa->tunnel;

	if (sa->state != ST_ESTABLISHED)
		return;
	if (!rekey_ike_can_renew(sa)) {
		sa_terminate(e, sa, AFTER_RESTART, "the peer did not authenticate anew");
		return;
	}
	/* IKE_AUTH would bring a child that nobody wants (RFC 7296 1.2) */
	if (!sa_children(sa, true)) {
		sa_terminate(e, sa, AFTER_RESTART, "without children it is not authenticated anew");
		return;
	}
	sa_set_timer(e, sa, TIMER_REAUTH, e->now_ns + PATIENCE_NS);
	/* make before break: the new one takes over when it has every child of this one */
	t->wanted |= sa_children(sa, true);
	if (!tunnel_renews(sa))
		sa_init_initiate(e, t);
}
