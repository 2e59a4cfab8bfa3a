/* SPDX-License-Identifier: BSD-3-Clause */
/* The last events of each tunnel, for show tunnels. */
#pragma once

#include <stddef.h>
#include <time.h>

#include "ike.h"

#define HISTORY_EVENTS 16

struct history_entry {
	time_t at; /* wall clock, seconds */
	enum ike_event_kind kind;
	char *text; /* owned */
};

struct history {
	struct history_entry entries[HISTORY_EVENTS]; /* a ring */
	size_t next, count;
	char *hint; /* owned: what control knows of the failure at hint_of_ns; NULL: nothing */
	uint64_t hint_of_ns;
};

/* Keeps a copy of text; the oldest entry makes room. Without memory the text is missing. */
void history_push(struct history *h, enum ike_event_kind kind, const char *text);
/* The i-th entry from the oldest, i < count. */
const struct history_entry *history_at(const struct history *h, size_t i);
void history_done(struct history *h);
