/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands in for ipsec and datapath: remembers what control did, in order, and what it still holds. */
#pragma once

#include "datapath.h"

#define FAKE_INNER_MTU   1446
#define FAKE_LINK_MTU    1500
#define FAKE_FIRST_CHILD 8

struct fake {
	char calls[1024];  /* "out:2002 in:1001 publish:3=2002 ..." */
	size_t sas, paths; /* alive */
	bool no_route;     /* datapath_path_create answers -EHOSTUNREACH */
	bool no_sa;        /* sa_create fails */
	bool apart;        /* selectors of two SAs have nothing in common */
	int insert_result; /* of sad_insert */
	struct sa_stats
		stats[2];      /* what sa_stats_read and its like answer, by direction; sa_age raises its flags here */
	uint16_t tfc_bytes[2]; /* of the last SA made, by direction */
	struct header_rules header[2];
	uint16_t path_mtu; /* of the last path published */
	uint32_t acknowledged;
	uint32_t next_child; /* slot of the next child of a tunnel */
	int children_left;
	uint32_t released_spi;
	uint8_t predicted,
		full; /* worker of the peer's packets; one without a free SPI (0: none, as 0 is never full) */
	struct endpoint sent_to;
	bool sent_marker;
	size_t sent_len;
	int send_result;
	struct datapath_neighbour next_hop; /* of datapath_next_hop_read, unless no_route */
};

extern struct fake fake;

void fake_init(void);
