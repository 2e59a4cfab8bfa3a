/* SPDX-License-Identifier: BSD-3-Clause */
/* A small ring of events per tunnel. */
#include "history_priv.h"

#include <stdlib.h>
#include <string.h>

/* Wall clock: operators compare it with the peer's log. */
void history_push(struct history *h, enum ike_event_kind kind, const char *text)
{
	struct history_entry *e = &h->entries[h->next];

	free(e->text);
	*e = (struct history_entry){ .at = time(NULL), .kind = kind, .text = strdup(text) };
	h->next = (h->next + 1) % HISTORY_EVENTS;
	if (h->count < HISTORY_EVENTS)
		h->count++;
}

const struct history_entry *history_at(const struct history *h, size_t i)
{
	return &h->entries[(h->next + HISTORY_EVENTS - h->count + i) % HISTORY_EVENTS];
}

void history_done(struct history *h)
{
	for (size_t i = 0; i < HISTORY_EVENTS; i++)
		free(h->entries[i].text);
	free(h->hint);
	*h = (struct history){ 0 };
}
