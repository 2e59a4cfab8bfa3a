/* SPDX-License-Identifier: BSD-3-Clause */
/* Which selectors a Child SA is asked for (RFC 7296 2.9): all that policy wants with the packet's own first, or, for a
 * peer that carries one pair on an SA, piece by piece, each on an SA of its own. What a rekeyed one had it keeps
 * (2.9.2). */
#include <stdlib.h>

#include "v2.h"

/* A peer that cuts everything small shall not get an SA for each part. */
#define PIECES_MAX (CHILD_SAS_MAX / 2)

struct ts_pair child_policy(const struct ike_sa *sa, uint32_t index)
{
	const struct child_profile *p = &sa->tunnel->profile->children[index];

	return (struct ts_pair){ modes_side(sa, p, true), modes_side(sa, p, false) };
}

static uint8_t bit_of(uint32_t index)
{
	return (uint8_t)(1u << index);
}

/* One SA carries one pair: we want it so, or the peer does. */
static bool by_pieces(const struct ike_sa *sa, uint32_t index)
{
	return sa->tunnel->profile->one_selector || sa->by_pieces & bit_of(index);
}

bool pieces_carried(const struct ike_sa *sa, uint32_t index, const struct ts_pair *ts)
{
	struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		struct ts_pair has = child_ts(child);
		if (child->index == index && child->state == CHILD_UP && !child->replaced && narrow_within(ts, &has))
			return true;
	}
	return false;
}

/* The piece that the packet is in. */
static bool piece_of_packet(const struct ts_pair *policy, const struct ts_pair *packet, struct ts_pair *ret_offer)
{
	for (uint16_t n = narrow_piece(policy, 1, ret_offer); n; n = narrow_piece(policy, (uint16_t)(n + 1), ret_offer))
		if (narrow_within(packet, ret_offer))
			return true;
	return false;
}

/* The next one that nothing carries. */
static bool piece_in_turn(struct ike_sa *sa, uint32_t index, const struct ts_pair *policy, struct ts_pair *ret_offer)
{
	uint16_t n = narrow_piece(policy, sa->next_piece[index], ret_offer);

	while (n && pieces_carried(sa, index, ret_offer))
		n = narrow_piece(policy, (uint16_t)(n + 1), ret_offer);
	if (sa->child_count >= PIECES_MAX)
		n = 0;
	sa->next_piece[index] = n ? (uint16_t)(n + 1) : 0;
	return n;
}

bool pieces_offer(struct ike_sa *sa, uint32_t index, const struct child_sa *old, struct ts_pair *ret_offer)
{
	const struct ts_pair *packet = sa->tunnel->packets[index], policy = child_policy(sa, index);

	*ret_offer = policy;
	if (old) {
		if (old->piece)
			*ret_offer = child_ts(old);
		return true;
	}
	if (packet && sa->by_packets & bit_of(index)) {
		*ret_offer = *packet;
		return true;
	}
	if (!by_pieces(sa, index)) {
		if (packet)
			narrow_put_first(ret_offer, packet);
		return true;
	}
	if (packet && piece_of_packet(&policy, packet, ret_offer))
		return true;
	return piece_in_turn(sa, index, &policy, ret_offer);
}

static void forget_packet(struct tunnel *t, uint32_t index)
{
	free(t->packets[index]);
	t->packets[index] = NULL;
}

void pieces_forget(struct tunnel *t)
{
	for (uint32_t i = 0; i < CHILDREN_MAX; i++)
		forget_packet(t, i);
}

void pieces_unwanted(struct tunnel *t, uint32_t index)
{
	forget_packet(t, index);
	for (struct ike_sa *sa = t->sas; sa; sa = sa->sibling) {
		sa->next_piece[index] = 0;
		sa->creates &= (uint8_t)~bit_of(index);
	}
}

/* Unless the operator has terminated it meanwhile. */
static void ask(struct ike_sa *sa, uint32_t index)
{
	sa->creates |= bit_of(index) & (uint8_t)~sa->tunnel->held;
}

/* What waits in turn is asked for next. */
static bool go_on(struct ike_sa *sa, uint32_t index)
{
	if (!sa->next_piece[index])
		return false;
	ask(sa, index);
	return true;
}

void pieces_again(struct ike_sa *sa, uint32_t index)
{
	/* what is there meanwhile is passed over */
	if (sa->next_piece[index])
		sa->next_piece[index] = 1;
	ask(sa, index);
}

/* The peer does not want it: more of its kind wait. */
static void hold_off(struct ike_engine *e, struct tunnel *t)
{
	uint64_t pause = t->packets_pause_ns ? 2 * t->packets_pause_ns : e->settings.retry_first_ns;

	t->packets_pause_ns = pause < e->settings.retry_max_ns ? pause : e->settings.retry_max_ns;
	t->packets_after_ns = e->now_ns + t->packets_pause_ns;
}

/* The offer was made for this packet's sake. */
static bool asked_for(
	const struct ike_sa *sa, uint32_t index, const struct ts_pair *offer, const struct ts_pair *packet)
{
	if (by_pieces(sa, index))
		return narrow_within(packet, offer);
	return selector_equal(&offer->local.items[0], &packet->local.items[0]) &&
	       selector_equal(&offer->remote.items[0], &packet->remote.items[0]);
}

/* A packet that came meanwhile is asked for next. One that was cut away is not at once asked for again, though more of
 * its kind come. */
static void packet_answered(struct ike_engine *e, struct ike_sa *sa, uint32_t index, const struct ts_pair *offer)
{
	const struct ts_pair *packet = sa->tunnel->packets[index];
	struct ts_pair next;

	if (!packet)
		return;
	if (pieces_carried(sa, index, packet)) {
		sa->tunnel->packets_pause_ns = 0;
	} else if (!asked_for(sa, index, offer, packet) && pieces_offer(sa, index, NULL, &next) &&
		   asked_for(sa, index, &next, packet)) {
		ask(sa, index);
		return;
	} else {
		hold_off(e, sa->tunnel);
	}
	forget_packet(sa->tunnel, index);
}

void pieces_made(struct ike_engine *e, struct ike_sa *sa, uint32_t index, const struct ts_pair *offer, bool more)
{
	if (sa->tunnel->held & bit_of(index))
		return;
	packet_answered(e, sa, index, offer);
	if (more) {
		sa->by_pieces |= bit_of(index);
		sa->next_piece[index] = sa->next_piece[index] ? sa->next_piece[index] : 1;
	}
	go_on(sa, index);
}

bool pieces_refused(struct ike_engine *e, struct ike_sa *sa, uint32_t index, uint16_t notify)
{
	bool asked_so = by_pieces(sa, index), has_packet = sa->tunnel->packets[index];

	if (notify == NOTIFY_SINGLE_PAIR_REQUIRED && !asked_so) {
		sa->by_pieces |= bit_of(index);
		ask(sa, index);
		return true;
	}
	if (notify == NOTIFY_SINGLE_PAIR_REQUIRED && has_packet && !(sa->by_packets & bit_of(index))) {
		sa->by_packets |= bit_of(index);
		ask(sa, index);
		return true;
	}
	/* without any child the pauses of the tunnel do the same */
	if (has_packet && sa_children(sa, false) & bit_of(index))
		hold_off(e, sa->tunnel);
	forget_packet(sa->tunnel, index);
	if (notify == NOTIFY_NO_ADDITIONAL_SAS)
		sa->next_piece[index] = 0;
	return go_on(sa, index);
}

void pieces_on_packet(struct ike_engine *e, struct tunnel *t, uint32_t index, const struct ts_pair *packet)
{
	struct ike_sa *home = tunnel_home(t);
	bool up = home && sa_children(home, false) & bit_of(index);

	if (up && (e->now_ns < t->packets_after_ns || home->child_count >= PIECES_MAX ||
			  pieces_carried(home, index, packet)))
		return;
	if (!t->packets[index])
		t->packets[index] = malloc(sizeof(*packet));
	if (!t->packets[index])
		return;
	*t->packets[index] = *packet;
	if (!up)
		return;
	ask(home, index);
	task_flush(e, home);
}

bool pieces_missing(const struct ike_sa *sa, uint32_t index)
{
	return sa->next_piece[index] || sa->tunnel->packets[index];
}

bool pieces_waiting(const struct ike_sa *sa)
{
	for (uint32_t i = 0; i < CHILDREN_MAX; i++)
		if (sa->next_piece[i])
			return true;
	return false;
}
