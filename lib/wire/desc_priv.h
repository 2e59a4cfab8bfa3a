/* SPDX-License-Identifier: BSD-3-Clause */
/* Field tables: the layout of one header or payload body as data, and the one interpreter that decodes, encodes and
 * prints from it. Knows no payload; private to the wire room. */
#pragma once

#include <errno.h>

#include "wire.h"

enum field_kind {
	FIELD_U8 = 1, /* the number is the width in bytes; the member has the same width */
	FIELD_U16 = 2,
	FIELD_U32 = 4,
	FIELD_U64 = 8,
	FIELD_RESERVED, /* `max` bytes: sent as zero, ignored on receipt (RFC 7296 2.5) */
	FIELD_SIZE8,    /* one byte: length of the FIELD_SIZED that follows later; same member */
	FIELD_SIZED,    /* struct bytes as long as FIELD_SIZE8 said */
	FIELD_REST,     /* struct bytes: all that is left, min..max bytes */
};

struct field {
	const char *name;
	uint8_t kind;    /* enum field_kind */
	uint16_t offset; /* of the member in the value */
	uint16_t min, max;
};

struct desc {
	const struct field *fields;
	uint8_t count;
};

#define FIELD(kind, type, member)                                                                                      \
	{                                                                                                              \
#member, kind, offsetof(type, member), 0, 0xffff                                                       \
	}
#define FIELD_LIMITED(type, member, min, max)                                                                          \
	{                                                                                                              \
#member, FIELD_REST, offsetof(type, member), min, max                                                  \
	}
#define FIELD_ZERO(bytes)                                                                                              \
	{                                                                                                              \
		"reserved", FIELD_RESERVED, 0, 0, bytes                                                                \
	}
#define DESC(table)                                                                                                    \
	{                                                                                                              \
		table, ARRAY_LEN(table)                                                                                \
	}

/* Fills the members of value from r. 0 or -EBADMSG with *ret_error (payload is left to the caller). */
int desc_decode(const struct desc *desc, struct reader *r, void *ret_value, struct wire_error *ret_error);

/* Appends value to w; what does not fit (the buffer, the size byte) sets w->failed. */
void desc_encode(const struct desc *desc, const void *value, struct writer *w);

/* A text that is cut at its capacity; always terminated (capacity of at least 1). */
struct text {
	char *data;
	size_t len, capacity;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "group 19 data 64 bytes": numbers as they are, byte strings by their length only. */
void desc_format(const struct desc *desc, const void *value, struct text *text);

/* Sets the error (payload 0) and returns -EBADMSG. */
static inline int wire_fail(struct wire_error *ret_error, enum wire_reason reason, size_t offset)
{
	*ret_error = (struct wire_error){ .reason = reason, .offset = (uint32_t)offset };
	return -EBADMSG;
}

/* Cuts the next n bytes off r as a reader whose offsets still count from the start of r. */
static inline struct reader reader_cut(struct reader *r, size_t n)
{
	struct reader cut = *r;

	reader_take(r, n);
	cut.failed = r->failed;
	cut.end = r->at;
	return cut;
}
