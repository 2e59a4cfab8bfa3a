/* SPDX-License-Identifier: BSD-3-Clause */
/* Sorted indexes of names, so that ten thousand tunnels do not compare each with each. */
#include "conf_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_refs(const void *a, const void *b)
{
	const struct name_ref *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

int name_index_build(const char *first, size_t stride, size_t count, struct name_index *ret_index)
{
	struct name_ref *refs = calloc(count ? count : 1, sizeof(*refs));

	if (!refs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		refs[i] = (struct name_ref){ first + i * stride, i };
	qsort(refs, count, sizeof(*refs), compare_refs);
	*ret_index = (struct name_index){ refs, count };
	return 0;
}

void name_index_done(struct name_index *x)
{
	free(x->refs);
	*x = (struct name_index){ 0 };
}

const struct name_ref *name_index_lookup(const struct name_index *x, const char *name)
{
	size_t low = 0, high = x->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(x->refs[middle].name, name);
		if (!order)
			return &x->refs[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void name_index_offer(const struct name_index *x, struct suggestion *s)
{
	for (size_t i = 0; i < x->count; i++)
		suggestion_offer(s, x->refs[i].name);
}
