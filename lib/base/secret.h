/* SPDX-License-Identifier: BSD-3-Clause */
/* Key buffers: the only place key bytes live outside an engine's own context. Wiped when they end, compared in
 * constant time. A zeroed struct secret is a valid empty one. */
#pragma once

#include <stdbool.h>

#include "bytes.h"

struct secret {
	uint8_t *data; /* owned heap memory, NULL when empty */
	size_t len;
};

/* Makes *s a zero-filled secret of len bytes. 0 or -ENOMEM. *s must be empty or zeroed. */
int secret_init(struct secret *s, size_t len);

/* Makes *s a copy of b. 0 or -ENOMEM. *s must be empty or zeroed. */
int secret_copy(struct secret *s, struct bytes b);

/* Moves the bytes: *to owns them, *from is empty. *to must be empty or zeroed. */
void secret_move(struct secret *to, struct secret *from);

/* Wipes and frees; *s is empty afterwards. Empty and repeated calls are fine. */
void secret_done(struct secret *s);

/* Constant-time comparison of n bytes. */
bool secret_equal(const void *a, const void *b, size_t n);

/* Overwrites memory so that the compiler may not leave it out. */
void secret_wipe(void *data, size_t len);

static inline struct bytes secret_view(const struct secret *s)
{
	return BYTES(s->data, s->len);
}
