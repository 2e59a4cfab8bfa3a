/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking over a changed configuration while the gateway runs. One at a time: reading, checking and compiling take
 * seconds beside the control thread, and everything else goes on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;

struct reload_report {
	size_t sas_added, sas_replaced, sas_removed, sas_kept; /* pairs of manual SAs */
	size_t rules;                                          /* of the policy, compiled */
	size_t routes, neighbours_added, neighbours_removed;
	unsigned workers; /* that take part */
	char failed[256]; /* what did not come up though everything was right by itself; empty: nothing */
};

struct reload_request {
	bool check_only; /* nothing is taken over, but said what would be */
	uint64_t ticket; /* for told */
	/* Control, once: how it ended. rc 0 with a report, or -errno with a text for the operator, and everything is as
	 * it was: -EINVAL (a fault in the file, or a change that takes a restart), -ENOMEM, -ENOSPC, -EAGAIN (no
	 * thread), -ECANCELED (the gateway stops). */
	void (*told)(
		struct control *c, uint64_t ticket, int rc, const struct reload_report *report, const char *reason);
};

/* Begins to read the configuration file again and to take over what may change while the gateway runs. 0, or with a
 * text and nobody told: -EBUSY (one is running), -ESHUTDOWN (the gateway stops), -ENOMEM. */
int reload_start(struct control *c, const struct reload_request *request, char *ret_reason, size_t capacity);
/* As a signal asks for it: told to the log; while one runs, another one follows it. */
void reload_on_signal(struct control *c);
/* The gateway stops: who waits is told so now, and nothing is taken over any more. */
void reload_cancel(struct control *c);
/* After the loop has ended, while what it reads is still there: waits for what runs beside, at most 5 s, and frees it.
 * 0, or -ETIMEDOUT: it still runs, and what it works on must stay until the process ends. */
int reload_end(struct control *c);
