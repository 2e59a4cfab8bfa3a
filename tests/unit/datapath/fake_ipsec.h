/* SPDX-License-Identifier: BSD-3-Clause */
/* A stand-in for the ipsec room behind its public header, so that the datapath is tested alone: policies by linear
 * search, "ESP" that adds and strips an outer header without crypto. What tests set and look at is here. */
#pragma once

#include "ipsec.h"

#define FAKE_SLOTS 8

struct sa {
	uint32_t spi;
	uint8_t owner;
	uint16_t inner_mtu;
	bool outside;            /* sa_selectors_match says no */
	uint16_t number;         /* number of its selectors, whoever sets `outside` has another one */
	uint16_t framed_most;    /* larger ones leave the burst without a link's header; 0: none do */
	struct sa *behind;       /* in its slot */
	uint32_t flags;          /* enum sa_flags */
	enum drop_reason refuse; /* every burst drops with this */
	uint32_t tunnel_slot;    /* inbound */
	bool any_source;         /* inbound: selectors take every source */
	bool wants_ports;
	struct path *path;
	uint64_t drops[DROP_REASON_COUNT];
	uint64_t packets;
};

struct fake {
	struct sa *tunnels[FAKE_SLOTS];
	struct sa *inbound[FAKE_SLOTS];
	uint8_t buckets[SA_BUCKETS]; /* owners; at the start worker 0 */
	uint32_t child, child_of;    /* slot of a child (0: none) under the tunnel of a slot ... */
	uint32_t child_addr_be;      /* ... for packets to this IPv4 address */
	uint32_t child_epoch;
	unsigned deferred;         /* objects given to reclaim_later and not freed yet */
	bool hold_reclaim;         /* no worker reports: nothing is freed */
	uint32_t random;           /* the last one */
	unsigned returned, framed; /* packets that came back from a burst; ... that left one with a link's header */
	bool no_random;
	bool no_spi_out;       /* no outbound SA has any SPI */
	bool all_foreign;      /* no inbound SA has an SPI of ours */
	unsigned moving_reads; /* so many more questions who owns something are answered with WORKER_MOVING */
};

extern struct fake fake;
