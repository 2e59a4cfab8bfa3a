/* SPDX-License-Identifier: BSD-3-Clause */
/* The rows of the algorithm table that ESP and AH can use, as JSON: tests in other languages compute what they have to
 * cover from it, so that a new row is a new case without anybody thinking of it. */
#include <stdio.h>

#include "alg.h"

static const struct flag_name {
	uint16_t flag;
	const char *name;
} flag_names[] = {
	{ ALG_AEAD, "aead" },
	{ ALG_COUNTER, "counter" },
	{ ALG_IIV, "iiv" },
	{ ALG_ESP, "esp" },
	{ ALG_AH, "ah" },
};

static void row_print(const struct alg *a, bool first)
{
	printf("%s\n\t{\"type\": \"%s\", \"id\": %u, \"key_bits\": %u, \"keyword\": \"%s\", \"name\": \"%s\",\n",
		first ? "" : ",", a->type == TRANSFORM_ENCR ? "encr" : "integ", a->id, a->key_bits, a->keyword,
		a->name);
	printf("\t \"key_bytes\": %u, \"salt_bytes\": %u, \"iv_bytes\": %u, \"block_bytes\": %u, \"out_bytes\": %u",
		a->key_bytes, a->salt_bytes, a->iv_bytes, a->block_bytes, a->out_bytes);
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
		printf(", \"%s\": %s", flag_names[i].name, a->flags & flag_names[i].flag ? "true" : "false");
	printf("}");
}

int main(void)
{
	bool first = true;

	printf("[");
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type != TRANSFORM_ENCR && a->type != TRANSFORM_INTEG)
			continue;
		if (!(a->flags & (ALG_ESP | ALG_AH)))
			continue;
		row_print(a, first);
		first = false;
	}
	printf("\n]\n");
	return 0;
}
