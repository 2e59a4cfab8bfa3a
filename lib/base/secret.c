/* SPDX-License-Identifier: BSD-3-Clause */
/* Allocation, wiping and comparison of key buffers. */
#include "secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int secret_init(struct secret *s, size_t len)
{
	s->data = calloc(1, len ? len : 1);
	s->len = s->data ? len : 0;
	return s->data ? 0 : -ENOMEM;
}

int secret_copy(struct secret *s, struct bytes b)
{
	int err = secret_init(s, b.len);

	if (!err && b.len)
		memcpy(s->data, b.data, b.len);
	return err;
}

void secret_move(struct secret *to, struct secret *from)
{
	*to = *from;
	*from = (struct secret){ 0 };
}

void secret_done(struct secret *s)
{
	if (s->data)
		secret_wipe(s->data, s->len);
	free(s->data);
	*s = (struct secret){ 0 };
}

bool secret_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < n; i++)
		difference |= (uint8_t)(x[i] ^ y[i]);
	return difference == 0;
}

void secret_wipe(void *data, size_t len)
{
	if (len)
		explicit_bzero(data, len);
}
