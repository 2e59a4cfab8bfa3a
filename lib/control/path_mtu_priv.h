/* SPDX-License-Identifier: BSD-3-Clause */
/* Path MTUs that routers told us of: what such a message is worth, and what is known of each peer's path until it is
 * time to try more again. Pure: values in, values out; knows no SA. RFC 4301 8.2, RFC 1191 6, RFC 8201 5. */
#pragma once

#include <sys/queue.h>

#include "base.h"
#include "drop.h"

#define PATH_MTU_BUCKETS    256
#define PATH_MTU_PEERS_MAX  16384
#define PATH_MTU_FLOOR      576
#define PATH_MTU_FLOOR_IPV6 1280 /* RFC 8200 5: every link has it */
#define PATH_MTU_HOLD_NS    600000000000ull

/* What a packet too big says of a packet of ours, once it is known to be one. */
struct path_mtu_claim {
	uint8_t family;        /* enum addr_family */
	uint16_t mtu;          /* of the next hop; 0: not said (routers older than RFC 1191) */
	uint16_t quoted_bytes; /* of the packet that was too big, as quoted */
};

/* DROP_NONE with the MTU to use from now on, lower than current; or why it is not believed. */
enum drop_reason path_mtu_judge(
	const struct path_mtu_claim *claim, uint16_t current, uint16_t floor, uint16_t *ret_mtu);

struct path_mtu_entry {
	LIST_ENTRY(path_mtu_entry) bucket;
	uint16_t table_id; /* of both addresses */
	struct addr local, remote;
	uint16_t mtu;
	uint64_t learnt_ns;
};

/* All zero is an empty one. */
struct path_mtus {
	LIST_HEAD(, path_mtu_entry) buckets[PATH_MTU_BUCKETS];
	size_t count;
};

/* The MTU learnt of this path less than hold_ns ago, or 0; what is older is forgotten. ret_learnt_ns: when. */
uint16_t path_mtus_lookup(struct path_mtus *m, uint16_t table_id, const struct addr *local, const struct addr *remote,
	uint64_t now_ns, uint64_t hold_ns, uint64_t *ret_learnt_ns);
/* Remembers it in place of what was known, or of the oldest where there are too many. Without memory it is not
 * remembered. */
void path_mtus_note(struct path_mtus *m, uint16_t table_id, const struct addr *local, const struct addr *remote,
	uint16_t mtu, uint64_t now_ns);
void path_mtus_done(struct path_mtus *m);
