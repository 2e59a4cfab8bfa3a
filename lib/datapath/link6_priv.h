/* SPDX-License-Identifier: BSD-3-Clause */
/* What control keeps of an interface's own IPv6 addresses: how far duplicate address detection has come (dad.c), and
 * the multicast groups it listens to with the reports that are due (mld.c). Control only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORT_OWN6       2 /* addresses of an interface */
#define PORT_LINK_LOCAL 0
#define PORT_GLOBAL     1
#define MLD_GROUPS_MAX  3 /* all routers, a solicited-node group for each address */

/* RFC 4862 5.4: of one address. */
struct dad {
	uint8_t left;     /* probes still to be sent */
	uint8_t mac[6];   /* of a duplicate: whose it is */
	uint64_t next_ns; /* UINT64_MAX: nothing to do */
};

struct mld_group {
	uint8_t address[16];
	uint64_t due_ns; /* a report that was asked for; UINT64_MAX: none */
};

/* RFC 3810 6: a listener's side of one interface. */
struct mld {
	struct mld_group groups[MLD_GROUPS_MAX];
	uint8_t group_count;
	uint8_t robustness;      /* of the last query, 9.1 */
	uint8_t unsolicited;     /* reports that are still to be sent unasked */
	uint64_t unsolicited_ns; /* when; UINT64_MAX: none left */
	uint64_t general_ns;     /* the report that a general query asked for; UINT64_MAX: none */
	uint64_t interval_ns;    /* of queries, 9.2 */
	uint64_t v1_until_ns;    /* 8.2.1: a querier of version 1 is there; 0: none */
};

struct link6 {
	struct dad dad[PORT_OWN6];
	struct mld mld;
};
