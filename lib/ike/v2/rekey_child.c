/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of Child SAs: when one is rekeyed, how its successor takes over (RFC 7296 2.8), which of two successors
 * stays (2.8.1), and how it ends. */
#include "collision.h"
#include "v2.h"

/* Before a rekey that came to nothing is tried again. */
#define PAUSE_MAX_NS (10 * SECOND_NS)
#define PAUSE_MIN_NS SECOND_NS

static const struct child_profile *profile_of(const struct child_sa *child)
{
	return &child->sa->tunnel->profile->children[child->index];
}

void rekey_child_start_timer(struct ike_engine *e, struct child_sa *child)
{
	uint64_t life = profile_of(child)->lifetime_ns;
	uint64_t early = life / 100 * (child->initiated ? REKEY_PERCENT : REKEY_PERCENT_PEERS);

	if (!life)
		return;
	child->ends_ns = e->now_ns + life;
	timers_set(&e->timers, &child->timer, e->now_ns + early + random_below(e, life / 100 * REKEY_JITTER_PERCENT));
}

uint64_t rekey_again_ns(const struct ike_engine *e, uint64_t ends_ns)
{
	uint64_t left = ends_ns > e->now_ns ? ends_ns - e->now_ns : 0, pause = left / 2;

	if (pause > PAUSE_MAX_NS)
		pause = PAUSE_MAX_NS;
	if (pause < PAUSE_MIN_NS)
		pause = left < PAUSE_MIN_NS ? left : PAUSE_MIN_NS;
	return e->now_ns + pause;
}

void rekey_child_postpone(struct ike_engine *e, struct child_sa *child)
{
	timers_set(&e->timers, &child->timer, rekey_again_ns(e, child->ends_ns));
}

/* One that the peer may not have yet has to wait; if nothing else does, its timer ends that. */
static void want(struct ike_engine *e, struct child_sa *child, enum task_kind kind)
{
	child->wants |= TASK_BIT(kind);
	if (!child_is_known(e, child))
		timers_set(&e->timers, &child->timer, child->ask_ns);
	task_flush(e, child->sa);
}

bool rekey_child_ask_again(struct ike_engine *e, struct child_sa *child)
{
	if (!child->asked_early)
		return false;
	if (!child->confirmed)
		child->ask_ns = e->now_ns + CHILD_CONFIRM_NS;
	want(e, child, child->state == CHILD_CLOSING ? TASK_DELETE_CHILD : TASK_REKEY_CHILD);
	return true;
}

void child_want_rekey(struct ike_engine *e, struct child_sa *child)
{
	if (child->state != CHILD_UP || child->replaced)
		return;
	want(e, child, TASK_REKEY_CHILD);
}

void child_delete(struct ike_engine *e, struct child_sa *child, const char *reason)
{
	if (child->state != CHILD_UP)
		return;
	/* the peer may send on one that is replaced until it has read the Delete */
	if (!child->replaced)
		child_uninstall(e, child, reason);
	timers_clear(&e->timers, &child->timer);
	child->state = CHILD_CLOSING;
	child->wants = 0;
	want(e, child, TASK_DELETE_CHILD);
}

/* Of both successors of a simultaneous rekey the peer has deleted its own: ours is still to come. Or the one that was
 * to stay is gone, whatever the reason. */
static void stand_in(const struct child_sa *gone, struct child_sa *twin)
{
	if (twin && !gone->replaced)
		twin->replaced = twin->surplus = false;
}

void child_check_wanted(struct ike_engine *e, struct child_sa *child)
{
	if (child->sa->tunnel->held >> child->index & 1)
		child_delete(e, child, "terminated");
}

void child_end(struct ike_engine *e, struct child_sa *child, const char *reason)
{
	struct ike_sa *sa = child->sa;
	struct tunnel *t = sa->tunnel;
	struct child_sa *twin = child_twin(child);
	/* also one that was replaced: its successor went before it. One that we ended on purpose is not installed. */
	bool lost = child->installed && !twin;
	enum afterwards afterwards = lost ? child_afterwards(e, child, AFTER_PAUSE) : AFTER_NOTHING;

	stand_in(child, twin);
	child->replaced = child->replaced || twin;
	if (child->installed && child->replaced)
		child_fade(e, child);
	else
		child_retire(e, child, reason);
	tunnel_follow_up(e, t, afterwards);
	/* without a child the IKE SA is of no use beside another one */
	if (!sa_children(sa, true))
		tunnel_settle(e, t);
}

void child_expire(struct ike_engine *e, struct child_sa *child, const char *reason)
{
	struct tunnel *t = child->sa->tunnel;
	/* at once after its installation it says that the host could not install it */
	enum afterwards afterwards = child_afterwards(e, child, AFTER_RESTART);

	if (child->state != CHILD_UP)
		return;
	child_delete(e, child, reason);
	tunnel_follow_up(e, t, afterwards);
}

void child_on_timer(struct ike_engine *e, struct child_sa *child)
{
	if (child->state == CHILD_GONE) {
		child_retire(e, child, "");
	} else if (child->state == CHILD_CLOSING) {
		task_flush(e, child->sa);
	} else if (e->now_ns >= child->ends_ns) {
		child_expire(e, child, "lifetime is over");
	} else {
		if (child->ends_ns != UINT64_MAX)
			timers_set(&e->timers, &child->timer, child->ends_ns);
		child_want_rekey(e, child);
	}
}

/* RFC 7296 2.25: the peer has lost it; ours goes without a word, and another one is asked for. */
void rekey_child_not_found(struct ike_engine *e, struct child_sa *old)
{
	struct tunnel *t = old->sa->tunnel;
	bool lost = !old->replaced;

	if (old->state != CHILD_UP || rekey_child_ask_again(e, old))
		return;
	stand_in(old, child_twin(old));
	child_retire(e, old, "the peer does not know the Child SA any more");
	if (lost)
		tunnel_follow_up(e, t, AFTER_RESTART);
}

static void tell_up(struct ike_engine *e, const struct child_sa *child, bool rekeyed)
{
	char suite[PROPOSAL_TEXT_MAX], local[160], remote[160];
	struct selector_list mine = child_selectors(child, true), theirs = child_selectors(child, false);

	event_child(e, rekeyed ? IKE_EV_PHASE2_REKEYED : IKE_EV_PHASE2_UP, child, "%.120s, %s === %s",
		suite_format(&child->suite, suite), selector_list_format(&mine, local, sizeof(local)),
		selector_list_format(&theirs, remote, sizeof(remote)));
}

void child_tell_up(struct ike_engine *e, const struct child_sa *child)
{
	tell_up(e, child, false);
}

/* The one that stays carries the traffic; the other goes, by whoever made it. */
static void take_over(struct ike_engine *e, struct child_sa *old, struct child_sa *stays)
{
	if (old)
		old->wants &= (uint16_t)~TASK_BIT(TASK_REKEY_CHILD);
	/* its initiator knows that the peer has it, and deletes what it replaces */
	if (!stays->initiated)
		return;
	child_send_on(e, stays);
	if (old)
		child_delete(e, old, "rekeyed");
}

/* Both sides have created it. */
static bool are_rivals(const struct child_sa *a, const struct child_sa *b)
{
	const struct ts_pair ts_a = child_ts(a), ts_b = child_ts(b);

	return a->index == b->index && a->initiated != b->initiated && narrow_within(&ts_a, &ts_b) &&
	       narrow_within(&ts_b, &ts_a);
}

static uint32_t initiators_spi(const struct child_sa *child)
{
	return child->initiated ? child->spi_in : child->spi_out;
}

/* The RFC has no rule for a Child SA that both sides create. It need not have been at the same time, as a request may
 * be long under way, so that nonces would have to be kept: the lower SPI of the initiator stays. */
static bool outranks(const struct child_sa *child, const struct child_sa *other)
{
	return initiators_spi(child) < initiators_spi(other) && are_rivals(child, other);
}

/* What stands for the same, and the peer has it; NULL: nothing, or it cannot be said yet. */
static struct child_sa *stronger_one(const struct child_sa *child)
{
	struct child_sa *other;

	TAILQ_FOREACH (other, &child->sa->children, siblings) {
		if (other == child || other->state != CHILD_UP || other->replaced || !other->confirmed)
			continue;
		if (child->surplus ? child_same_place(child, other) : outranks(other, child))
			return other;
	}
	return NULL;
}

/* Of two Child SAs for the same one goes. As long as a side may still wait for the answer that brings one of them, the
 * other is all that it has: so both stay until the peer has shown that it has both. Each side decides by what is there
 * then, so that they agree whatever was lost, late or rekeyed before. */
void rekey_child_drop_surplus(struct ike_engine *e, struct ike_sa *sa)
{
	if (sa->state != ST_ESTABLISHED)
		return;
	for (struct child_sa *child = TAILQ_FIRST(&sa->children), *next; child; child = next) {
		next = TAILQ_NEXT(child, siblings);
		if (child->state != CHILD_UP || !child->confirmed || child->replaced != child->surplus)
			continue;
		struct child_sa *stronger = stronger_one(child);
		if (!stronger)
			continue;
		if (child->current)
			child_send_on(e, stronger);
		child->replaced = true;
		child_delete(e, child, "both sides began at once");
	}
}

/* Of the two results of a simultaneous rekey one stays; whoever made the other deletes it (RFC 7296 2.8.1). */
static void settle(struct ike_engine *e, struct child_sa *old, struct child_sa *winner, struct child_sa *loser)
{
	loser->replaced = true;
	loser->surplus = loser->initiated;
	take_over(e, old, winner);
}

/* The peer has settled the race, and rekeyed or deleted what stayed, before our own exchange was over. */
static void drop_late(struct ike_engine *e, struct child_sa *child)
{
	child->replaced = child_twin(child);
	if (child->initiated)
		child_delete(e, child, "both sides began at once");
}

/* Both exchanges are over: the result of the one with the lowest nonce goes (RFC 7296 2.8.1). */
static void settle_race(struct ike_engine *e, const struct create *x, struct child_sa *old, struct child_sa *child)
{
	struct child_sa *rival = child_of_spi(child->sa, (uint32_t)x->rival);
	bool stays = collision_first_stays(create_nonce(x), BYTES(x->rival_nonce, x->rival_nonce_len));

	if (rival && rival->state == CHILD_UP)
		settle(e, old, stays ? child : rival, stays ? rival : child);
	else if (stays)
		take_over(e, old, child);
	else
		drop_late(e, child);
}

/* What a new one of ours carries as well is not needed any more: we asked once more for it, for a packet's sake. */
static void replace_within(struct ike_engine *e, struct child_sa *stays)
{
	const struct ts_pair ts = child_ts(stays);

	for (struct child_sa *child = TAILQ_FIRST(&stays->sa->children), *next; child; child = next) {
		next = TAILQ_NEXT(child, siblings);
		const struct ts_pair has = child_ts(child);
		if (child == stays || child->index != stays->index || child->state != CHILD_UP || child->replaced ||
			!narrow_within(&has, &ts) || are_rivals(child, stays))
			continue;
		child->replaced = true;
		child_delete(e, child, "another one carries its traffic");
	}
}

/* Something may go once the peer knows that we have what it answered with, which only a request of ours can tell; and
 * none comes by itself, as it does when another one is to be deleted. */
static bool peer_waits(const struct create *x, const struct child_sa *old, const struct child_sa *child)
{
	const struct child_sa *other;

	TAILQ_FOREACH (other, &child->sa->children, siblings) {
		if (other->state == CHILD_UP && !other->replaced && are_rivals(other, child))
			return true;
	}
	return x->raced ? !old : tunnel_has_another(child->sa);
}

void rekey_child_finish(struct ike_engine *e, struct create *x, struct child_sa *child)
{
	struct ike_sa *sa = child->sa;
	struct child_sa *old = x->old_spi ? child_of_spi(sa, x->old_spi) : NULL;
	struct create *other = create_race_of(x, sa);

	tell_up(e, child, x->kind == CREATE_REKEY_CHILD);
	/* what the peer wants comes up though the operator has terminated it before */
	if (!x->initiator)
		sa->tunnel->held &= (uint8_t) ~(1u << child->index);
	/* whoever made it: it need not be asked for any more */
	if (!pieces_missing(sa, child->index))
		sa->creates &= (uint8_t) ~(1u << child->index);
	if (old) {
		old->replaced = true;
		child->used_ns = old->used_ns;
	}
	if (other)
		create_note_rival(other, x, child->spi_in);
	else if (x->raced)
		settle_race(e, x, old, child);
	else
		take_over(e, old, child);
	rekey_child_drop_surplus(e, sa);
	if (x->kind == CREATE_NEW && x->initiator && !other && !child->replaced)
		replace_within(e, child);
	if (x->kind == CREATE_NEW)
		tunnel_replace(e, sa, false);
	if (x->initiator && peer_waits(x, old, child))
		task_want(e, sa, TASK_LIVENESS);
	child_check_wanted(e, child);
}

/* ---- inactivity ---- */

void child_passed(struct ike_engine *e, struct child_sa *child)
{
	uint64_t limit = profile_of(child)->inactivity_ns;

	child->used_ns = e->now_ns;
	if (limit && !child->idle.place)
		timers_set(&e->timers, &child->idle, e->now_ns + limit);
}

/* It rests until a packet, the operator or the peer wants it; others of its index stay. */
static void end_idle(struct ike_engine *e, struct child_sa *child)
{
	struct ike_sa *sa = child->sa;
	struct tunnel *t = sa->tunnel;
	uint8_t bit = (uint8_t)(1u << child->index);

	child_delete(e, child, "inactive");
	if (!(sa_children(sa, false) & bit)) {
		t->resting |= bit;
		t->wanted &= (uint8_t)~bit;
	}
	if (t->profile->close_idle && !sa_children(sa, true))
		sa_terminate(e, sa, AFTER_NOTHING, "inactive");
}

void child_on_idle(struct ike_engine *e, struct child_sa *child)
{
	uint64_t end = child->used_ns + profile_of(child)->inactivity_ns;

	if (child->state != CHILD_UP || child->replaced || child->sa->state != ST_ESTABLISHED)
		return;
	if (e->now_ns < end)
		timers_set(&e->timers, &child->idle, end);
	else
		end_idle(e, child);
}
