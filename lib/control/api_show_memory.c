/* SPDX-License-Identifier: BSD-3-Clause */
/* show memory: what is allocated at the moment and what the process holds for it, as JSON. */
#include "control_priv.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

/* Pages of the process in memory, in bytes; 0 when the kernel does not say. */
static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* DPDK's heaps of all NUMA nodes: SAs, tables and packet buffers. */
static void dpdk_heaps_read(struct rte_malloc_socket_stats *ret_all)
{
	struct rte_malloc_socket_stats s;

	memset(ret_all, 0, sizeof(*ret_all));
	for (unsigned i = 0; i < rte_socket_count(); i++) {
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &s) != 0)
			continue;
		ret_all->heap_allocsz_bytes += s.heap_allocsz_bytes;
		ret_all->heap_totalsz_bytes += s.heap_totalsz_bytes;
		ret_all->alloc_count += s.alloc_count;
	}
}

/* What is used goes down again with the SAs; what is held need not: an allocator gives back whole pages only, and
 * memory that has been touched once stays resident (hugepages do not count as such). */
json_t *show_memory(struct command_call *call)
{
	struct mallinfo2 heap = mallinfo2();
	struct rte_malloc_socket_stats dpdk;

	dpdk_heaps_read(&dpdk);
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "heap_used_bytes", (json_int_t)(heap.uordblks + heap.hblkhd),
		"heap_held_bytes", (json_int_t)(heap.arena + heap.hblkhd), "dpdk_used_bytes",
		(json_int_t)dpdk.heap_allocsz_bytes, "dpdk_held_bytes", (json_int_t)dpdk.heap_totalsz_bytes,
		"dpdk_allocations", (json_int_t)dpdk.alloc_count, "free_buffers",
		(json_int_t)datapath_mbufs_free(call->control->dp), "resident_bytes", (json_int_t)resident_bytes());
}
