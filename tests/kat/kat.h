/* SPDX-License-Identifier: BSD-3-Clause */
/* Reader of the vector files in this folder: "#" comments, "key = value" lines, an empty line between cases; each case
 * starts with "case = NAME". Values are text, or hexadecimal without separators. */
#pragma once

#include <stddef.h>

#include "base.h"

#define KAT_ENTRIES_MAX 16

struct kat_entry {
	char *key, *value;
	uint8_t *data; /* the value as bytes; NULL when it is not hexadecimal */
	size_t len;
};

struct kat_case {
	size_t count;
	struct kat_entry entries[KAT_ENTRIES_MAX];
};

struct kat_file {
	size_t count;
	struct kat_case *cases;
};

/* Reads NAME of this folder (or of $SALLYPORT_KAT_DIR). Ends the program with a message when the file is missing or
 * malformed: a vector that is not read must not pass. */
struct kat_file kat_load(const char *name);
void kat_unload(struct kat_file *file);

/* The text of a key, NULL when the case does not have it. */
const char *kat_text(const struct kat_case *c, const char *key);
bool kat_has(const struct kat_case *c, const char *key);
/* The bytes of a key; ends the program when it is missing or not hexadecimal. */
struct bytes kat_bytes(const struct kat_case *c, const char *key);
