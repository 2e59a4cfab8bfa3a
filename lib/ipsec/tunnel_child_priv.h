/* SPDX-License-Identifier: BSD-3-Clause */
/* The negotiated children of all tunnels; embedded in struct ipsec. */
#pragma once

#include <rte_common.h>
#include <rte_hash.h>
#include <stdatomic.h>

#include "ipsec.h"

struct child;

#define CHILD_LENGTH_WORDS 4 /* the first is IPv4's (0 to 32), the others IPv6's (0 to 128) */

/* What a look-up asks first. W: control, R: workers. */
struct tunnel_children {
	_Atomic uint64_t lengths[CHILD_LENGTH_WORDS]; /* one bit for each length of prefix that some child has */
	/* control only */
	uint32_t count;
	uint32_t *counts; /* children of each length, in the order of the bits; NULL: no child */
} __rte_cache_aligned;
static_assert(sizeof(struct tunnel_children) == 64, "one line");

struct children {
	struct tunnel_children *tunnels; /* by tunnel slot */
	struct rte_hash *hash;           /* W: control, R: workers: tunnel and prefix -> slot; NULL: no child slots */
	/* W: control, R: workers. One number for all tunnels: workers ask once a loop, and changes of it are rare */
	_Atomic uint32_t epoch;
	/* control only */
	struct child *items; /* by index behind the tunnels' */
	uint32_t free_head, free_tail;
};

/* 0 or -ENOMEM. */
int children_init(struct ipsec *ips);
void children_done(struct ipsec *ips);
/* Control: true when the slot is a child that was inserted and not removed. */
bool tunnel_child_is(const struct ipsec *ips, uint32_t slot);
/* Control: before a tunnel's own slot, empty until now, gets an SA: what led to it because there was no child may lead
 * to one meanwhile. */
void tunnel_child_filled(struct ipsec *ips, uint32_t tunnel_slot);
