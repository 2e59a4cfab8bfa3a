/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnel slots: the outbound SA that a policy's verdict leads to. One store publishes; what was there before goes back
 * to the caller, or is reclaimed. */
#include <errno.h>

#include "ipsec_priv.h"
#include "sa_priv.h"

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
	if (slot >= ips->config.tunnel_slots)
		return -EINVAL;
	/* release: pairs with tunnel_lookup. Acquire is not needed: control wrote what was there itself */
	*ret_before = atomic_exchange_explicit(&ips->tunnels[slot], sa, memory_order_release);
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
	if (unlikely(slot >= ips->config.tunnel_slots))
		return NULL;
	/* acquire: pairs with tunnel_swap */
	return atomic_load_explicit(&ips->tunnels[slot], memory_order_acquire);
}
