/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel's receive rings of a net_af_packet device lost: the driver counts what it takes from them, the kernel
 * what found them full (packet(7), PACKET_STATISTICS). Control, when an operator asks. */
#include "datapath_priv.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/socket.h>

static bool is_ring_of(int fd, unsigned if_index)
{
	struct sockaddr_ll ring;
	socklen_t len = sizeof(ring);

	return !getsockname(fd, (struct sockaddr *)&ring, &len) && len >= sizeof(ring.sll_family) &&
	       ring.sll_family == AF_PACKET && ring.sll_ifindex == (int)if_index;
}

/* Reading sets the kernel's numbers to zero. */
static uint64_t ring_lost(int fd)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ? 0 : stats.tp_drops;
}

uint64_t kernel_ring_lost(unsigned if_index)
{
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *entry;
	uint64_t lost = 0;

	while (fds && (entry = readdir(fds))) {
		int fd = atoi(entry->d_name); /* "." and "..": 0, which is no ring */
		if (is_ring_of(fd, if_index))
			lost += ring_lost(fd);
	}
	if (fds)
		closedir(fds);
	return lost;
}
