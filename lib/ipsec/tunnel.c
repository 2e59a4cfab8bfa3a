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
