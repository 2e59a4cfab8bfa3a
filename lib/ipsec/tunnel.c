/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots of outbound SAs: those of tunnels, which a policy's verdict leads to, and behind them those of their children.
 * One store publishes; what was there before goes back to the caller, or is reclaimed. */
#include <errno.h>

#include "ipsec_priv.h"
#include "sa_priv.h"
#include "sa_word.h"

static void retired_free(void *object)
{
	sa_free((struct sa *)object);
}

void sa_retire(struct ipsec *ips, struct sa *sa)
{
	reclaim_later(ips, retired_free, sa);
}

int tunnel_swap(struct ipsec *ips, uint32_t slot, struct sa *sa, struct sa **ret_before)
{
	if (slot >= ips->config.tunnel_slots && !tunnel_child_is(ips, slot))
		return -EINVAL;
	if (slot < ips->config.tunnel_slots && sa && !tunnel_lookup(ips, slot))
		tunnel_child_filled(ips, slot);
	/* release: pairs with tunnel_lookup. Acquire is not needed: control wrote what was there itself */
	*ret_before = sa_word_sa(atomic_exchange_explicit(
		&ips->tunnels[slot_index(slot)], sa_word_make(slot, sa), memory_order_release));
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
	uint64_t word;

	if (unlikely(slot_index(slot) >= ips->slots))
		return NULL;
	/* acquire: pairs with tunnel_swap */
	word = atomic_load_explicit(&ips->tunnels[slot_index(slot)], memory_order_acquire);
	return likely(sa_word_is(word, slot)) ? sa_word_sa(word) : NULL;
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
