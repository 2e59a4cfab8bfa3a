/* SPDX-License-Identifier: BSD-3-Clause */
/* Rest by the CPU's own instructions (TPAUSE, UMWAIT), where it has them: no system call, microseconds to wake. They
 * are experimental in DPDK 22.11, so nothing but this file sees them. */
#define ALLOW_EXPERIMENTAL_API
#include "idle_priv.h"

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_power_intrinsics.h>

/* At most: rings to the worker are not watched, and the grace period's reports wait for it. */
#define REST_US 20

static struct rte_cpu_intrinsics cpu(void)
{
	struct rte_cpu_intrinsics support = { 0 };

	rte_cpu_get_intrinsics_support(&support);
	return support;
}

const char *idle_pause_fault(void)
{
	return cpu().power_pause ? NULL : "this CPU has no pause with an end (TPAUSE)";
}

const char *idle_monitor_fault(void)
{
	return cpu().power_monitor_multi ? NULL : "this CPU does not watch several addresses (UMWAIT and RTM)";
}

bool idle_queue_monitored(uint16_t device_id, uint16_t queue)
{
	struct rte_power_monitor_cond cond;

	return !rte_eth_get_monitor_addr(device_id, queue, &cond);
}

static uint64_t rest_end(const struct worker *w)
{
	return rte_rdtsc() + w->dp->cycles_per_s / 1000000 * REST_US;
}

void idle_pause(struct worker *w)
{
	rte_power_pause(rest_end(w));
}

void idle_monitor(struct worker *w)
{
	struct rte_power_monitor_cond conds[DATAPATH_PORTS_MAX];
	uint32_t n = 0;

	while (n < w->rx_count && n < ARRAY_LEN(conds) &&
		!rte_eth_get_monitor_addr(w->rx[n].id, w->rx[n].queue, &conds[n]))
		n++;
	/* one that cannot be watched: sleep less deeply than miss it */
	if (n < w->rx_count || !n)
		rte_power_pause(rest_end(w));
	else
		rte_power_monitor_multi(conds, n, rest_end(w));
}
