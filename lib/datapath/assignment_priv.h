/* SPDX-License-Identifier: BSD-3-Clause */
/* Which worker polls and feeds which queue: a part of every snapshot, built by control, immutable afterwards. How an
 * owner is changed under traffic is ownership.c's business. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "datapath.h"

#define PORT_QUEUES_MAX IPSEC_WORKERS_MAX

struct assignment {
	uint32_t holders;    /* control only: snapshots it is part of */
	uint32_t generation; /* of two assignments the later one has the larger */
	uint16_t active;     /* the first so many workers have queues, buckets and outbound SAs */
	bool passing;        /* another one follows that says whose it all is in the end */
	/* by device and queue: who is to poll it, as soon as the worker that does lets go (queue.c) */
	uint8_t rx[DATAPATH_PORTS_MAX][PORT_QUEUES_MAX];
	/* by device and queue: whose it is, see owner_turn */
	uint8_t tx[DATAPATH_PORTS_MAX][PORT_QUEUES_MAX];
};

/* Pure: gives what no active worker owns to active ones, as evenly as can be with nobody losing more than is over its
 * share. What cannot be divided goes to worker `first` modulo active and those behind it. */
void owners_balance(uint8_t *owners, size_t count, uint16_t active, uint16_t first);
