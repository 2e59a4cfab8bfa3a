/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnels at run time: which profile addresses mean, when to try again, and which IKE SA stays when there are two.
 *
 * Two SAs of one tunnel, N younger than O:
 * - N was begun after O was up: the peer lost O or replaces it. O goes.
 * - They overlapped: both sides began at once. Both have both SAs, so both know which one stays: that with more
 *   children, or else the lower initiator SPI. Only the initiator of the other deletes it, and only after the peer has
 *   shown that the staying SA and all its children are up there: at no time does one side lack a pair the other uses.
 * An initiation whose IKE_AUTH is not out yet is dropped when the peer's SA comes up; so "begun after it was up" never
 * misjudges an SA that was merely slow. */
#include "ike_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "v2/v2.h"

/* Two sides that fail together do not meet again. */
#define PAUSE_JITTER_PERCENT 25

/* An answer has reached a peer that is silent. What it brings is all that the peer has left when the older IKE SA goes:
 * that may wait longer than CHILD_CONFIRM_NS, within which one answer and a repetition may be lost. */
#define ARRIVED_NS (20 * SECOND_NS)

static uint64_t address_hash(const struct addr *a)
{
	return hash_bytes(a->family, a->bytes, sizeof(a->bytes));
}

uint8_t tunnel_autostart(const struct tunnel *t)
{
	uint8_t bits = 0;

	for (uint8_t i = 0; i < t->profile->child_count; i++)
		if (t->profile->children[i].start == START_INITIATE)
			bits |= (uint8_t)(1u << i);
	return (uint8_t)((bits | t->restart) & ~t->held & ~t->resting);
}

static void place_add(struct tunnel *t, const struct addr *remote)
{
	for (uint8_t i = 0; i < t->place_count; i++)
		if (addr_equal(t->places[i].remote, remote))
			return;
	t->places[t->place_count++] = (struct tunnel_place){ .tunnel = t, .remote = remote };
}

/* Gives a tunnel its places; returns those behind. A peer that may be anywhere is not looked for at an address. */
static struct tunnel_place *places_make(struct ike_engine *e, struct tunnel *t, struct tunnel_place *places)
{
	const struct tunnel_profile *p = t->profile;

	t->places = places;
	place_add(t, &p->remote_addr);
	for (uint8_t i = 0; p->remote_addr.family != ADDR_NONE && i < p->remote_more.count; i++)
		place_add(t, &p->remote_more.items[i]);
	for (uint8_t i = 0; i < t->place_count; i++)
		table_insert(&e->by_address, &places[i].by_address, address_hash(places[i].remote));
	return places + t->place_count;
}

static size_t places_most(const struct tunnel_profile *profiles, size_t count)
{
	size_t n = 1;

	for (size_t i = 0; i < count; i++)
		n += 1u + profiles[i].remote_more.count;
	return n;
}

int tunnels_init(struct ike_engine *e, const struct tunnel_profile *profiles, size_t count)
{
	size_t places = places_most(profiles, count);

	e->tunnels = calloc(count ? count : 1, sizeof(*e->tunnels));
	e->places = calloc(places, sizeof(*e->places));
	if (!e->tunnels || !e->places || table_init(&e->by_address, places) ||
		timers_reserve(&e->timers, (uint32_t)count))
		return -ENOMEM;
	struct tunnel_place *free_place = e->places;
	e->tunnel_count = count;
	/* from the last to the first: chains are then in the order of the configuration */
	for (size_t i = count; i-- > 0;) {
		struct tunnel *t = &e->tunnels[i];
		t->index = (uint32_t)i;
		t->profile = &profiles[i];
		TAILQ_INIT(&t->peers);
		t->retry.kind = TIMER_RETRY;
		t->retry.owner = t;
		free_place = places_make(e, t, free_place);
	}
	if (phase1_lists_init(e))
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		e->tunnels[i].wanted = tunnel_autostart(&e->tunnels[i]);
		if (e->tunnels[i].wanted)
			timers_set(&e->timers, &e->tunnels[i].retry, 0);
	}
	return 0;
}

void tunnels_done(struct ike_engine *e)
{
	peers_done(e);
	for (size_t i = 0; i < e->tunnel_count; i++) {
		claims_done(&e->tunnels[i]);
		free(e->tunnels[i].failure);
		pieces_forget(&e->tunnels[i]);
	}
	free(e->tunnels);
	free(e->places);
	phase1_lists_done(e);
	table_done(&e->by_address);
}

static struct tunnel *chain_match(struct link *l, const struct addr *local, const struct addr *remote)
{
	for (; l; l = table_next(l)) {
		const struct tunnel_place *at = CONTAINER_OF(l, struct tunnel_place, by_address);
		struct tunnel *t = at->tunnel;
		bool here = addr_is_any(&t->profile->local_addr) || addr_equal(&t->profile->local_addr, local) ||
			    mobike_local(t->profile, local);
		if (here && addr_equal(at->remote, remote))
			return t;
	}
	return NULL;
}

static const struct tunnel_place *place_of(const struct tunnel *t, const struct addr *remote)
{
	for (uint8_t i = 0; i < t->place_count; i++)
		if (addr_equal(t->places[i].remote, remote))
			return &t->places[i];
	return NULL;
}

struct tunnel *tunnel_candidate(
	const struct ike_engine *e, const struct addr *local, const struct addr *remote, const struct tunnel *previous)
{
	static const struct addr any = { 0 };
	const struct tunnel_place *before = previous ? place_of(previous, remote) : NULL;
	bool exact = !previous || before;
	struct tunnel *t = NULL;

	if (exact)
		t = chain_match(
			before ? table_next(&before->by_address) : table_first(&e->by_address, address_hash(remote)),
			local, remote);
	if (t)
		return t;
	return chain_match(
		exact ? table_first(&e->by_address, address_hash(&any)) : table_next(&previous->places[0].by_address),
		local, &any);
}

const struct ike_sa *tunnel_rival(const struct tunnel *t, const struct identity *peer)
{
	for (const struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		if (sa->state == ST_ESTABLISHED && sa_children(sa, false) && !identity_equal(&sa->remote_id, peer))
			return sa;
	return NULL;
}

uint8_t tunnel_all(const struct tunnel *t)
{
	return (uint8_t)((1u << t->profile->child_count) - 1);
}

void tunnel_link(struct tunnel *t, struct ike_sa *sa)
{
	sa->tunnel = t;
	sa->sibling = t->sas;
	t->sas = sa;
	sa->in_tunnel = true;
}

void tunnel_unlink(struct ike_engine *e, struct ike_sa *sa)
{
	struct tunnel *t = sa->tunnel;
	struct ike_sa **at = &t->sas;

	if (!sa->in_tunnel)
		return;
	while (*at != sa)
		at = &(*at)->sibling;
	*at = sa->sibling;
	sa->sibling = NULL;
	sa->in_tunnel = false;
	/* it may outlive its peer */
	sa->tunnel = tunnel_base(t);
	if (t->base && !t->sas)
		peer_idle(e, tunnel_peer(t));
}

/* One that has children, and of those the one that is to replace the others. */
static bool is_better_home(const struct ike_sa *sa, const struct ike_sa *home)
{
	if (!home || !home->child_count != !sa->child_count)
		return !home || sa->child_count;
	return sa->created_order > home->created_order;
}

struct ike_sa *tunnel_home(const struct tunnel *t)
{
	struct ike_sa *home = NULL;

	for (struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		if (sa->state == ST_ESTABLISHED && is_better_home(sa, home))
			home = sa;
	return home;
}

/* An IKE SA is on its way. */
static bool tunnel_negotiates(const struct tunnel *t)
{
	for (const struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		if (sa->state < ST_ESTABLISHED && !(sa->wants & TASK_BIT(TASK_DELETE_IKE)))
			return true;
	return false;
}

bool tunnel_renews(const struct ike_sa *old)
{
	for (const struct ike_sa *sa = old->tunnel->sas; sa; sa = sa->sibling)
		if (sa->initiator && sa->state < ST_ESTABLISHED && !(sa->wants & TASK_BIT(TASK_DELETE_IKE)))
			return true;
		else if (sa->state == ST_ESTABLISHED && sa->created_order > old->established_order)
			return true;
	return false;
}

bool tunnel_has_another(const struct ike_sa *sa)
{
	for (const struct ike_sa *other = sa->tunnel->sas; other; other = other->sibling)
		if (other != sa && other->state == ST_ESTABLISHED && identity_equal(&other->remote_id, &sa->remote_id))
			return true;
	return false;
}

/* What is wanted is up, or on its way. */
static bool tunnel_served(const struct tunnel *t)
{
	const struct ike_sa *home = tunnel_home(t);

	return home ? !(t->wanted & ~sa_children(home, true)) : !t->wanted || tunnel_negotiates(t);
}

void tunnel_pursue(struct ike_engine *e, struct tunnel *t)
{
	struct ike_sa *home = tunnel_home(t);

	/* the timer stays: it may be one of two IKE SAs that is to be looked at again */
	if (e->stopping || tunnel_served(t))
		return;
	timers_clear(&e->timers, &t->retry);
	if (home) {
		sa_pursue_children(e, home);
	} else if (addr_is_any(&t->profile->remote_addr)) {
		struct ike_failure f = failure_make(1, IKE_SA_INIT, true, 0, "no remote address is configured",
			"a tunnel with remote address \"any\" can only answer");
		failure_report(e, t, NULL, NULL, &f);
	} else {
		sa_init_initiate(e, t);
	}
}

void tunnel_pursue_later(struct ike_engine *e, struct tunnel *t)
{
	timers_set(&e->timers, &t->retry, e->now_ns + with_jitter(e, e->settings.retry_first_ns, PAUSE_JITTER_PERCENT));
}

static uint64_t next_pause(const struct ike_engine *e, const struct tunnel *t)
{
	uint64_t pause = t->pause_ns ? 2 * t->pause_ns : e->settings.retry_first_ns;

	return pause < e->settings.retry_max_ns ? pause : e->settings.retry_max_ns;
}

void tunnel_follow_up(struct ike_engine *e, struct tunnel *t, enum afterwards afterwards)
{
	uint64_t pause = e->settings.retry_first_ns;

	if (afterwards == AFTER_NOTHING || e->stopping)
		return;
	/* what packets asked for they ask for again */
	t->wanted = tunnel_autostart(t);
	if (t->wanted && tunnel_served(t))
		return;
	if (afterwards == AFTER_BACKOFF)
		pause = t->pause_ns = next_pause(e, t);
	if (afterwards != AFTER_RESTART)
		t->not_before_ns = e->now_ns + pause;
	if (!t->wanted)
		return;
	if (afterwards == AFTER_RESTART)
		tunnel_pursue(e, t);
	else
		timers_set(&e->timers, &t->retry, e->now_ns + with_jitter(e, pause, PAUSE_JITTER_PERCENT));
}

void tunnel_peer_dead(struct ike_engine *e, struct tunnel *t, uint8_t children)
{
	switch (t->profile->dpd_action) {
	case DPD_RESTART:
		/* where a peer for anybody is nobody knows */
		if (!addr_is_any(&t->profile->remote_addr))
			t->restart |= children;
		break;
	case DPD_CLEAR:
		t->deaf |= children;
		t->resting |= children;
		break;
	case DPD_TRAP: t->resting |= children; break;
	case DPD_AUTO: break;
	}
	tunnel_follow_up(e, t, AFTER_RESTART);
}

void tunnel_peer_forgiven(struct tunnel *t, uint8_t children)
{
	t->restart &= (uint8_t)~children;
	t->resting &= (uint8_t)~children;
	t->deaf &= (uint8_t)~children;
}

enum afterwards child_afterwards(const struct ike_engine *e, const struct child_sa *child, enum afterwards normal)
{
	return child && e->now_ns < child->up_since_ns + CHILD_SETTLED_NS ? AFTER_BACKOFF : normal;
}

bool tunnel_first_contact(const struct ike_engine *e, const struct tunnel *t)
{
	for (const struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		if (sa->state == ST_ESTABLISHED)
			return false;
	for (struct ike_sa *sa = sa_next_of_identity(e, &t->profile->remote_id, NULL); sa;
		sa = sa_next_of_identity(e, &t->profile->remote_id, sa))
		if (sa->state == ST_ESTABLISHED && addr_equal(&sa->remote.addr, &t->profile->remote_addr))
			return false;
	return true;
}

static bool younger(const struct ike_sa *fresh, const struct ike_sa *old)
{
	return old != fresh && old->state == ST_ESTABLISHED && fresh->created_order > old->established_order;
}

/* RFC 7296 2.4: the peer knows no other IKE SA with us; nobody is left to be told. */
static void forget_older(struct ike_engine *e, struct ike_sa *fresh)
{
	struct ike_sa *old = sa_next_of_identity(e, &fresh->remote_id, NULL), *next;

	for (; old; old = next) {
		next = sa_next_of_identity(e, &fresh->remote_id, old);
		if (!younger(fresh, old) ||
			!identity_equal(&old->tunnel->profile->local_id, &fresh->tunnel->profile->local_id))
			continue;
		struct tunnel *t = old->tunnel;
		event_emit(e, IKE_EV_REPLACED, t, old, "the peer started again (INITIAL_CONTACT)");
		sa_close(e, old, "the peer started again");
		tunnel_follow_up(e, t, AFTER_RESTART);
	}
}

uint8_t tunnel_wishes_of(const struct ike_sa *sa)
{
	bool asking = sa->asking.kind == TASK_CREATE_CHILD;

	return (uint8_t)(sa->creates | (asking ? 1u << sa->asking.child_index : 0));
}

void tunnel_pass_on(struct ike_engine *e, struct tunnel *t, uint8_t wishes)
{
	if (!tunnel_home(t))
		return;
	t->wanted |= wishes & (uint8_t)~t->held;
	if (!t->retry.place)
		tunnel_pursue_later(e, t);
}

static void give_way(struct ike_engine *e, struct ike_sa *sa, const char *reason)
{
	struct tunnel *t = sa->tunnel;
	uint8_t wishes = tunnel_wishes_of(sa);

	sa_terminate(e, sa, AFTER_NOTHING, reason);
	tunnel_pass_on(e, t, wishes);
}

/* The old one carries the traffic until the peer has shown that it has the fresh one: the message that brings it up on
 * the peer's side may still be under way. */
static void replace(struct ike_engine *e, struct ike_sa *old, struct ike_sa *fresh)
{
	if (!fresh->proven) {
		task_want(e, fresh, TASK_LIVENESS);
		return;
	}
	event_emit(e, IKE_EV_REPLACED, old->tunnel, old, "a newer IKE SA is up");
	give_way(e, old, "replaced by a newer IKE SA");
}

/* The peer has shown that it has the child; or it had the time to ask again for the answer that brings it, several
 * times: who only answers our requests shows no more than that. */
static bool has_arrived(const struct ike_engine *e, const struct child_sa *child)
{
	return child->confirmed || e->now_ns >= child->up_since_ns + ARRIVED_NS;
}

/* Every child of the old one is there, and the peer has it, too. */
static bool covers(const struct ike_engine *e, const struct ike_sa *fresh, const struct ike_sa *old)
{
	const struct child_sa *child;
	uint8_t known = 0;

	TAILQ_FOREACH (child, &fresh->children, siblings) {
		if (child->state == CHILD_UP && has_arrived(e, child))
			known |= (uint8_t)(1u << child->index);
	}
	return !(sa_children(old, false) & ~known) && !pieces_waiting(fresh);
}

/* One that goes has children that the other lacks, or that the peer may lack there: it is looked at again. */
static void ask_for_the_rest(struct ike_engine *e, struct ike_sa *best, const struct ike_sa *sa)
{
	struct tunnel *t = best->tunnel;

	if (!t->retry.place)
		timers_set(&e->timers, &t->retry, e->now_ns + CHILD_CONFIRM_NS);
	best->creates |= (uint8_t)(sa_children(sa, false) & ~sa_children(best, true));
	task_flush(e, best);
}

void tunnel_replace(struct ike_engine *e, struct ike_sa *fresh, bool initial_contact)
{
	struct tunnel *t = fresh->tunnel;

	if (t->profile->unique_id == UNIQUE_NEVER)
		return;
	if (initial_contact)
		forget_older(e, fresh);
	for (struct ike_sa *sa = t->sas, *next; sa; sa = next) {
		next = sa->sibling;
		if (sa != fresh && sa->initiator && sa->state < ST_AUTH_SENT)
			sa_close(e, sa, "the peer was faster");
		else if (!younger(fresh, sa) || !identity_equal(&sa->remote_id, &fresh->remote_id))
			continue;
		/* one that came up without a child replaces none that has one */
		else if (covers(e, fresh, sa))
			replace(e, sa, fresh);
		else if (fresh->began && sa_children(fresh, false))
			ask_for_the_rest(e, fresh, sa);
	}
	tunnel_settle(e, t);
}

static bool stays(const struct ike_sa *a, const struct ike_sa *b)
{
	int full = __builtin_popcount(sa_children(a, false)), other_full = __builtin_popcount(sa_children(b, false));

	if (full != other_full)
		return full > other_full;
	return a->spi_i < b->spi_i;
}

static void complete(struct ike_engine *e, struct ike_sa *fresh, struct ike_sa *old)
{
	if (fresh->began && sa_children(fresh, false) && (sa_children(old, false) & ~sa_children(fresh, true)))
		ask_for_the_rest(e, fresh, old);
}

void tunnel_settle(struct ike_engine *e, struct tunnel *t)
{
	struct ike_sa *best = NULL;

	if (t->profile->unique_id == UNIQUE_NEVER)
		return;
	for (struct ike_sa *sa = t->sas; sa; sa = sa->sibling)
		if (sa->state == ST_ESTABLISHED && (!best || stays(sa, best)))
			best = sa;
	for (struct ike_sa *sa = t->sas, *next; sa; sa = next) {
		next = sa->sibling;
		if (sa == best || sa->state != ST_ESTABLISHED || !sa->initiator)
			continue;
		if (!identity_equal(&sa->remote_id, &best->remote_id))
			continue;
		/* one that renews the other waits until it has all of its children, also those that come meanwhile */
		if ((younger(sa, best) || younger(best, sa)) && sa_children(sa, true)) {
			complete(e, younger(sa, best) ? sa : best, younger(sa, best) ? best : sa);
			continue;
		}
		if (!best->proven)
			task_want(e, best, TASK_LIVENESS);
		else if (covers(e, best, sa))
			give_way(e, sa, "both sides began at once");
		else
			ask_for_the_rest(e, best, sa);
	}
}

void tunnel_on_timer(struct ike_engine *e, struct tunnel *t)
{
	tunnel_settle(e, t);
	tunnel_pursue(e, t);
}
