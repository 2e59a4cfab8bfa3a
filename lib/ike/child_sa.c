/* SPDX-License-Identifier: BSD-3-Clause */
/* Child SAs as objects: birth, lists, which one carries the traffic, their times, ending. What messages say of them is
 * v2/'s. */
#include "ike_priv.h"

#include <stdlib.h>

#define CHILD_TIMERS 2

struct child_sa *child_lookup(const struct ike_engine *e, uint32_t spi_in)
{
	for (struct link *l = table_first(&e->by_child, hash_u64(spi_in)); l; l = table_next(l)) {
		struct child_sa *child = CONTAINER_OF(l, struct child_sa, by_spi);
		if (child->spi_in == spi_in)
			return child;
	}
	return NULL;
}

struct child_sa *child_of_spi(const struct ike_sa *sa, uint32_t spi_in)
{
	struct child_sa *child;

	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->spi_in == spi_in)
			return child;
	}
	return NULL;
}

struct child_sa *child_of_index(const struct ike_sa *sa, uint32_t index)
{
	struct child_sa *child;

	TAILQ_FOREACH_REVERSE(child, &sa->children, child_list, siblings)
	{
		if (child->index == index && child->state == CHILD_UP && !child->replaced)
			return child;
	}
	return NULL;
}

static bool makes_child(const struct create *x)
{
	return x && x->kind != CREATE_REKEY_IKE;
}

bool child_has_room(const struct ike_sa *sa, bool rekeying)
{
	return sa->child_count + makes_child(sa->ours) + makes_child(sa->theirs) <
	       (rekeying ? CHILD_PLACES_MAX : CHILD_SAS_MAX);
}

static int selectors_store(struct child_sa *child, const struct agreement *a)
{
	const struct selector_list *local = &a->ts.local, *remote = &a->ts.remote;

	child->local_count = local->count;
	child->remote_count = remote->count;
	child->selectors = calloc((size_t)local->count + remote->count, sizeof(*child->selectors));
	if (!child->selectors)
		return -1;
	memcpy(child->selectors, local->items, local->count * sizeof(*child->selectors));
	memcpy(child->selectors + local->count, remote->items, remote->count * sizeof(*child->selectors));
	return 0;
}

struct child_sa *child_create(struct ike_engine *e, struct ike_sa *sa, const struct agreement *a)
{
	struct child_sa *child = calloc(1, sizeof(*child));

	if (!child || timers_reserve(&e->timers, CHILD_TIMERS)) {
		free(child);
		return NULL;
	}
	if (selectors_store(child, a)) {
		timers_release(&e->timers, CHILD_TIMERS);
		free(child);
		return NULL;
	}
	child->sa = sa;
	child->prefixes = sa->tunnel->base ? selector_list_prefixes(&a->ts.remote, e->settings.child_prefixes_max) : 0;
	child->index = a->index;
	child->suite = a->suite;
	child->spi_in = a->spi_in;
	child->spi_out = a->spi_out;
	child->protocol = a->protocol;
	child->transport = a->transport;
	child->renamed = a->transport && a->original_remote.family != ADDR_NONE;
	/* as in sa_repath: while a NAT is not sure, AH goes on beside it */
	child->udp_encap = a->protocol == PROTOCOL_ESP && natd_udp_encap(sa);
	child->up_since_ns = e->now_ns;
	child->ends_ns = UINT64_MAX;
	child->timer.kind = TIMER_CHILD;
	child->timer.owner = child;
	child->idle.kind = TIMER_IDLE;
	child->idle.owner = child;
	return child;
}

int child_claim(struct child_sa *child)
{
	struct tunnel *t = child->sa->tunnel;
	struct selector_list remote = child_selectors(child, false);
	int rc = t->base ? claims_take(t->base, tunnel_peer(t), &remote) : 0;

	child->claimed = t->base && !rc;
	return rc;
}

static void child_release(struct child_sa *child)
{
	struct tunnel *t = child->sa->tunnel;
	struct selector_list remote = child_selectors(child, false);

	if (child->claimed)
		claims_release(t->base, tunnel_peer(t), &remote);
	child->claimed = false;
}

void child_free(struct ike_engine *e, struct child_sa *child)
{
	child_release(child);
	timers_clear(&e->timers, &child->timer);
	timers_clear(&e->timers, &child->idle);
	timers_release(&e->timers, CHILD_TIMERS);
	free(child->selectors);
	free(child);
}

/* Both stand for the same traffic of the same peer: only one of them is sent on. */
bool child_same_place(const struct child_sa *a, const struct child_sa *b)
{
	if (a->index != b->index || !identity_equal(&a->sa->remote_id, &b->sa->remote_id))
		return false;
	/* of one of many peers they may be of different devices */
	if (!a->sa->tunnel->base && !a->piece && !b->piece)
		return true;
	const struct ts_pair ts_a = child_ts(a), ts_b = child_ts(b);
	return narrow_overlap(&ts_a, &ts_b);
}

/* The next one of the tunnel in the same place; previous NULL: the first. */
static struct child_sa *next_in_place(const struct child_sa *child, struct child_sa *previous)
{
	struct ike_sa *sa = previous ? previous->sa : child->sa->tunnel->sas;
	struct child_sa *other = previous ? TAILQ_NEXT(previous, siblings) : NULL;

	if (!previous && sa)
		other = TAILQ_FIRST(&sa->children);
	while (sa) {
		for (; other; other = TAILQ_NEXT(other, siblings))
			if (other != child && child_same_place(child, other))
				return other;
		sa = sa->sibling;
		other = sa ? TAILQ_FIRST(&sa->children) : NULL;
	}
	return NULL;
}

/* How well a Child SA can carry traffic; 0: not at all. First comes that the peer has it. */
static int carrier_rank(const struct child_sa *child)
{
	if (!child->installed || child->state == CHILD_GONE)
		return 0;
	if (child->sa->state != ST_ESTABLISHED && child->sa->state != ST_REPLACED)
		return 0;
	return 1 + !child->replaced + 2 * (child->state == CHILD_UP) + 4 * (child->sending || child->confirmed);
}

static struct child_sa *best_carrier(const struct child_sa *child, const struct ike_sa *except)
{
	struct child_sa *best = NULL;

	for (struct child_sa *other = next_in_place(child, NULL); other; other = next_in_place(child, other))
		if (other->sa != except && carrier_rank(other) && (!best || carrier_rank(other) > carrier_rank(best)))
			best = other;
	return best;
}

struct child_sa *child_twin(const struct child_sa *child)
{
	return best_carrier(child, NULL);
}

struct child_sa *child_heir(const struct child_sa *child)
{
	return best_carrier(child, child->sa);
}

static void make_current(struct child_sa *child)
{
	for (struct child_sa *other = next_in_place(child, NULL); other; other = next_in_place(child, other))
		other->current = false;
	child->sending = child->current = true;
}

void child_insert(struct ike_engine *e, struct child_sa *child)
{
	struct ike_sa *sa = child->sa;

	child->installed = true;
	TAILQ_INSERT_TAIL(&sa->children, child, siblings);
	sa->child_count++;
	table_insert(&e->by_child, &child->by_spi, hash_u64(child->spi_in));
	if (child->sending)
		make_current(child);
}

void child_send_on(struct ike_engine *e, struct child_sa *child)
{
	if (child->current || !child->installed)
		return;
	make_current(child);
	action_child(e, IKE_SWITCH, child);
}

bool child_is_known(const struct ike_engine *e, const struct child_sa *child)
{
	return e->now_ns >= child->ask_ns;
}

void child_confirm(struct ike_engine *e, struct child_sa *child)
{
	if (!child->confirmed)
		child->ask_ns = 0;
	child->confirmed = true;
	if (!child->sending && child->state == CHILD_UP && !child->replaced)
		child_send_on(e, child);
}

bool child_hand_over(struct ike_engine *e, const struct child_sa *child)
{
	struct child_sa *twin = child_twin(child);

	if (twin && child->current)
		child_send_on(e, twin);
	return twin;
}

void child_uninstall(struct ike_engine *e, struct child_sa *child, const char *reason)
{
	if (!child->installed)
		return;
	child_hand_over(e, child);
	if (e->now_ns >= child->up_since_ns + CHILD_SETTLED_NS)
		child->sa->tunnel->pause_ns = 0;
	action_child(e, IKE_RETIRE, child);
	if (!child->replaced)
		event_child(e, IKE_EV_PHASE2_DOWN, child, "%s", reason);
	table_remove(&e->by_child, &child->by_spi);
	child->installed = child->current = false;
}

void child_retire(struct ike_engine *e, struct child_sa *child, const char *reason)
{
	child_uninstall(e, child, reason);
	TAILQ_REMOVE(&child->sa->children, child, siblings);
	child->sa->child_count--;
	child_free(e, child);
}

void child_fade(struct ike_engine *e, struct child_sa *child)
{
	child_hand_over(e, child);
	child->state = CHILD_GONE;
	child->wants = 0;
	timers_set(&e->timers, &child->timer, e->now_ns + CHILD_GRACE_NS);
}

void child_move(struct child_sa *child, struct ike_sa *to)
{
	TAILQ_REMOVE(&child->sa->children, child, siblings);
	child->sa->child_count--;
	child->sa = to;
	TAILQ_INSERT_TAIL(&to->children, child, siblings);
	to->child_count++;
}
