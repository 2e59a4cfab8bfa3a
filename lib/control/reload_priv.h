/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking over a changed configuration while the gateway runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct control;

struct reload_report {
	size_t sas_added, sas_replaced, sas_removed, sas_kept; /* pairs of manual SAs */
	size_t rules;                                          /* of the policy, compiled */
	size_t routes, neighbours_added, neighbours_removed;
	unsigned workers; /* that take part */
	char failed[256]; /* what did not come up though everything was right by itself; empty: nothing */
};

/* Reads the configuration file again and takes over what may change while the gateway runs. With check_only nothing is
 * taken over, but said what would be. 0, or -errno with a text for the operator, and everything is as it was:
 * -EINVAL (a fault in the file, or a change that takes a restart), -ENOMEM, -ENOSPC. */
int reload(struct control *c, bool check_only, struct reload_report *ret_report, char *ret_reason, size_t capacity);
