/* SPDX-License-Identifier: BSD-3-Clause */
/* Tunnel slots: the outbound SA that a policy's verdict leads to. One store publishes, the SA before is reclaimed. */
#include <errno.h>

#include "ipsec_priv.h"
#include "sa_priv.h"

static void retired_free(void *object)
{
	sa_free((struct sa *)object);
}

int tunnel_publish(struct ipsec *ips, uint32_t slot, struct sa *sa)
{
	struct sa *before;

	if (slot >= ips->config.tunnel_slots)
		return -EINVAL;
	/* release: pairs with tunnel_lookup. Acquire is not needed: control wrote what was there itself */
	before = atomic_exchange_explicit(&ips->tunnels[slot], sa, memory_order_release);
	if (before != sa)
		reclaim_later(ips, retired_free, before);
	return 0;
}

struct sa *tunnel_lookup(const struct ipsec *ips, uint32_t slot)
{
	if (unlikely(slot >= ips->config.tunnel_slots))
		return NULL;
	/* acquire: pairs with tunnel_publish */
	return atomic_load_explicit(&ips->tunnels[slot], memory_order_acquire);
}
