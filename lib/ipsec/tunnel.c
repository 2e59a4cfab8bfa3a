/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots of outbound SAs: those of tunnels, which a policy's verdict leads to, and behind them those of their children.
 * One store publishes; what was there before goes back to the caller, or is reclaimed. A slot may have several SAs,
 * each for a piece of the policy. */
#include <errno.h>

#include "ipsec_priv.h"
#include "tunnel_ask.h"

static void retired_free(void *object)
{
	sa_free((struct sa *)object);
}

void sa_retire(struct ipsec *ips, struct sa *sa)
{
	reclaim_later(ips, retired_free, sa);
}

static bool slot_known(const struct ipsec *ips, uint32_t slot)
{
	return slot < ips->config.tunnel_slots || tunnel_child_is(ips, slot);
}

static struct sa *behind(const struct sa *sa)
{
	/* acquire: pairs with put_behind */
	return atomic_load_explicit(&sa->behind, memory_order_acquire);
}

/* A worker may stand on the one that is taken out: what was behind it stays so until the grace period is over. */
static void put_behind(struct sa *sa, struct sa *next)
{
	/* release: pairs with behind */
	atomic_store_explicit(&sa->behind, next, memory_order_release);
}

/* ---- what is remembered of the first SA of a slot (sa_selectors_number) ---- */

static bool ranges_equal(const struct sa_ranges *a, const struct sa_ranges *b)
{
	return a->local_low == b->local_low && a->local_span == b->local_span && a->remote_low == b->remote_low &&
	       a->remote_span == b->remote_span && a->protocol == b->protocol && a->protocol_mask == b->protocol_mask;
}

static uint16_t number_of(const struct sa *sa)
{
	/* relaxed: whoever has found the SA sees what was written before it was published; that a number is taken away
	 * may be seen late, in its first slot it still holds */
	return atomic_load_explicit(&sa->number, memory_order_relaxed);
}

/* Of an SA with the same selectors that is in the slot, as the one before is by rekeying, or the next one of the slot.
 * 0: none is left, and none comes twice, so that a number always stands for the same selectors. */
static uint16_t number_for(struct ipsec *ips, uint32_t slot, const struct sa *sa)
{
	uint16_t *last = &ips->numbers[slot_index(slot)];

	for (const struct sa *at = tunnel_lookup(ips, slot); at; at = behind(at))
		if (number_of(at) && ranges_equal(&at->ranges, &sa->ranges))
			return number_of(at);
	return *last == UINT16_MAX ? 0 : ++*last;
}

/* sa is about to be the first one of its slot. An SA with a second slot has no number from then on, since they are
 * those of a slot. */
static void number_give(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	bool has_one = !sa->number_slot && sa->traits & SA_PAIRED;

	if (sa->number_slot == slot + 1)
		return;
	sa->number_slot = slot + 1;
	atomic_store_explicit(&sa->number, has_one ? number_for(ips, slot, sa) : 0, memory_order_relaxed);
}

uint16_t sa_selectors_number(const struct sa *sa, const struct flow *flow)
{
	bool inside = flow->family == ADDR_IPV4 &&
		      ranges_match(&sa->ranges, flow->local_be[0], flow->remote_be[0], flow->protocol);

	return inside ? number_of(sa) : 0;
}

/* ---- slots ---- */

int tunnel_swap(struct ipsec *ips, uint32_t slot, struct sa *sa, struct sa **ret_before)
{
	if (!slot_known(ips, slot))
		return -EINVAL;
	if (sa) {
		put_behind(sa, NULL);
		number_give(ips, slot, sa);
	}
	if (slot < ips->config.tunnel_slots && sa && !tunnel_lookup(ips, slot))
		tunnel_child_filled(ips, slot);
	/* release: pairs with sa_word_load. Acquire is not needed: control wrote what was there itself */
	*ret_before = sa_word_sa(
		atomic_exchange_explicit(&ips->tunnels[slot_index(slot)], sa_word_to(slot, sa), memory_order_release));
	return 0;
}

int tunnel_publish(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	struct sa *before;
	int error = tunnel_swap(ips, slot, sa, &before);

	if (!error && before != sa)
		sa_retire(ips, before);
	return error;
}

struct sa *tunnel_lookup(const struct ipsec *ips, uint32_t slot)
{
	return sa_word_sa(sa_word_load(ips->tunnels, ips->slots, slot));
}

struct tunnel_words tunnel_words(const struct ipsec *ips)
{
	return (struct tunnel_words){ ips->tunnels, ips->slots, offsetof(struct sa, packets) };
}

int tunnel_add(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	struct sa *first = tunnel_lookup(ips, slot);

	if (!slot_known(ips, slot))
		return -EINVAL;
	if (slot < ips->config.tunnel_slots && !first)
		tunnel_child_filled(ips, slot);
	put_behind(sa, first);
	number_give(ips, slot, sa);
	/* release: pairs with sa_word_load */
	atomic_store_explicit(&ips->tunnels[slot_index(slot)], sa_word_to(slot, sa), memory_order_release);
	return 0;
}

int tunnel_take_out(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	struct sa *at = tunnel_lookup(ips, slot);

	if (at && at == sa) {
		/* release: pairs with sa_word_load */
		atomic_store_explicit(
			&ips->tunnels[slot_index(slot)], sa_word_to(slot, behind(sa)), memory_order_release);
		return 0;
	}
	while (at && behind(at) != sa)
		at = behind(at);
	if (!at)
		return -ENOENT;
	put_behind(at, behind(sa));
	return 0;
}

struct sa *tunnel_select(struct sa *sa, const struct flow *flow)
{
	while (sa && !sa_selectors_match(sa, flow))
		sa = behind(sa);
	return sa;
}

bool tunnel_holds(const struct ipsec *ips, uint32_t slot, const struct sa *sa)
{
	const struct sa *at = tunnel_lookup(ips, slot);

	while (at && at != sa)
		at = behind(at);
	return at;
}

/* A worker may claim an SA at the same moment, but nobody takes one from its owner. */
static void owner_change(struct sa *sa, uint8_t from, uint8_t to, memory_order order)
{
	atomic_compare_exchange_strong_explicit(&sa->owner, &from, to, order, memory_order_relaxed);
}

void sa_owners_leave(struct ipsec *ips, uint64_t workers)
{
	struct sa *sa;

	LIST_FOREACH (sa, &ips->outbound, link) {
		uint8_t owner = sa_owner(sa);
		if (owner < IPSEC_WORKERS_MAX && workers >> owner & 1)
			owner_change(sa, owner, WORKER_LEAVING | owner, memory_order_relaxed);
	}
}

void sa_owners_hold(struct ipsec *ips)
{
	struct sa *sa;

	LIST_FOREACH (sa, &ips->outbound, link) {
		uint8_t owner = sa_owner(sa);
		if (owner >= WORKER_LEAVING && owner < WORKER_MOVING)
			owner_change(sa, owner, WORKER_MOVING, memory_order_relaxed);
	}
}

void sa_owners_release(struct ipsec *ips)
{
	struct sa *sa;

	/* release: pairs with sa_claim, after the grace period in which the last owner stopped */
	LIST_FOREACH (sa, &ips->outbound, link)
		owner_change(sa, WORKER_MOVING, WORKER_NONE, memory_order_release);
}
