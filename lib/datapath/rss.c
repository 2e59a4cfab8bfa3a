/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the packets of a peer will arrive: what the device's receive side scaling will make of two addresses. A guess
 * that is wrong costs a hand-over for each packet, nothing else. */
#include "datapath_priv.h"

#include <rte_thash.h>

#define KEY_BYTES_MIN 40 /* what a hash over two IPv6 addresses reads */
#define ADDRESSES     (2 * 4)

static bool reta_read(uint16_t device, uint16_t size, struct rss *r)
{
	struct rte_eth_rss_reta_entry64 groups[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE] = { 0 };

	if (!size || size > RTE_ETH_RSS_RETA_SIZE_512)
		return false;
	for (uint16_t i = 0; i < size; i++)
		groups[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << (i % RTE_ETH_RETA_GROUP_SIZE);
	if (rte_eth_dev_rss_reta_query(device, groups, size))
		return false;
	r->reta_size = size;
	for (uint16_t i = 0; i < size; i++)
		r->reta[i] = groups[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
	return true;
}

void rss_read(uint16_t device, struct rss *ret_rss)
{
	struct rte_eth_rss_conf conf = { .rss_key = ret_rss->key, .rss_key_len = RSS_KEY_MAX };
	struct rte_eth_dev_info info;

	*ret_rss = (struct rss){ .known = false };
	if (rte_eth_dev_info_get(device, &info) || info.hash_key_size < KEY_BYTES_MIN ||
		info.hash_key_size > RSS_KEY_MAX || rte_eth_dev_rss_hash_conf_get(device, &conf))
		return;
	/* with ports in it the hash of ESP in UDP depends on a NAT */
	if (!conf.rss_hf || conf.rss_hf & ~RTE_ETH_RSS_IP)
		return;
	ret_rss->known = reta_read(device, info.reta_size, ret_rss);
}

static uint32_t words_read(const struct addr *a, uint32_t *ret_words)
{
	for (size_t i = 0; i < addr_len(a); i += 4)
		ret_words[i / 4] = load_be32(a->bytes + i);
	return (uint32_t)addr_len(a) / 4;
}

uint16_t rss_queue(const struct rss *r, const struct addr *source, const struct addr *destination)
{
	uint32_t tuple[ADDRESSES];
	uint32_t words = words_read(source, tuple);

	words += words_read(destination, tuple + words);
	return r->reta[rte_softrss(tuple, words, r->key) % r->reta_size];
}

uint8_t datapath_worker_predict(const struct datapath *dp, const struct addr *local, const struct addr *remote)
{
	const struct snapshot *snap = atomic_load_explicit(&dp->snapshot, memory_order_relaxed);
	const struct route *r = snapshot_route(snap, TABLE_ID_MAIN, remote);
	const struct device *d;
	uint16_t queue = 0;
	uint8_t owner;

	if (remote->family == ADDR_NONE || !route_leads(r))
		return WORKER_NONE;
	d = &dp->devices[dp->ports[r->port].device];
	if (d->rx_queues > 1 && !d->rss.known)
		return WORKER_NONE;
	if (d->rx_queues > 1)
		queue = rss_queue(&d->rss, remote, local);
	owner = queue < d->rx_queues ? snap->assignment->rx[dp->ports[r->port].device][queue] : WORKER_NONE;
	return owner < WORKER_LEAVING ? owner : WORKER_NONE;
}
