/* SPDX-License-Identifier: BSD-3-Clause */
/* The interpreter of field tables: bytes to members, members to bytes, members to text. The tables stand beside the
 * payloads they describe. */
#include "desc_priv.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_number(const struct field *f)
{
	return f->kind <= FIELD_U64;
}

static void number_store(const struct field *f, uint64_t v, void *ret_value)
{
	uint8_t *at = (uint8_t *)ret_value + f->offset;

	switch (f->kind) {
	case FIELD_U8: *at = (uint8_t)v; break;
	case FIELD_U16: memcpy(at, &(uint16_t){ (uint16_t)v }, sizeof(uint16_t)); break;
	case FIELD_U32: memcpy(at, &(uint32_t){ (uint32_t)v }, sizeof(uint32_t)); break;
	default: memcpy(at, &v, sizeof(v)); break;
	}
}

static uint64_t number_load(const struct field *f, const void *value)
{
	const uint8_t *at = (const uint8_t *)value + f->offset;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (f->kind) {
	case FIELD_U8: return *at;
	case FIELD_U16: memcpy(&v16, at, sizeof(v16)); return v16;
	case FIELD_U32: memcpy(&v32, at, sizeof(v32)); return v32;
	default: memcpy(&v64, at, sizeof(v64)); return v64;
	}
}

static uint64_t number_read(struct reader *r, size_t width)
{
	uint64_t v = 0;

	while (width--)
		v = v << 8 | reader_u8(r);
	return v;
}

static struct bytes *bytes_member(const struct field *f, void *value)
{
	return (struct bytes *)((uint8_t *)value + f->offset);
}

static const struct bytes *bytes_member_const(const struct field *f, const void *value)
{
	return (const struct bytes *)((const uint8_t *)value + f->offset);
}

/* The size byte is kept in the length of the member until its bytes are reached. */
static void field_decode(const struct field *f, struct reader *r, void *ret_value)
{
	struct bytes *b = bytes_member(f, ret_value);

	switch (f->kind) {
	case FIELD_RESERVED: reader_take(r, f->max); break;
	case FIELD_SIZE8: *b = BYTES(NULL, reader_u8(r)); break;
	case FIELD_SIZED: *b = reader_bytes(r, b->len); break;
	case FIELD_REST: *b = reader_rest(r); break;
	default: number_store(f, number_read(r, f->kind), ret_value); break;
	}
}

int desc_decode(const struct desc *desc, struct reader *r, void *ret_value, struct wire_error *ret_error)
{
	for (const struct field *f = desc->fields; f < desc->fields + desc->count; f++) {
		size_t offset = reader_offset(r), left = reader_left(r);
		if (f->kind == FIELD_REST && (left < f->min || left > f->max))
			return wire_fail(ret_error, left ? WIRE_LENGTH : WIRE_TRUNCATED, offset);
		field_decode(f, r, ret_value);
		if (r->failed)
			return wire_fail(ret_error, WIRE_TRUNCATED, offset);
	}
	return 0;
}

static void number_write(struct writer *w, uint64_t v, size_t width)
{
	while (width--)
		writer_u8(w, (uint8_t)(v >> 8 * width));
}

static void field_encode(const struct field *f, const void *value, struct writer *w)
{
	const struct bytes *b = bytes_member_const(f, value);

	switch (f->kind) {
	case FIELD_RESERVED: writer_zero(w, f->max); break;
	case FIELD_SIZE8:
		w->failed = w->failed || b->len > UINT8_MAX;
		writer_u8(w, (uint8_t)b->len);
		break;
	case FIELD_SIZED:
	case FIELD_REST: writer_bytes(w, *b); break;
	default: number_write(w, number_load(f, value), f->kind); break;
	}
}

void desc_encode(const struct desc *desc, const void *value, struct writer *w)
{
	for (const struct field *f = desc->fields; f < desc->fields + desc->count; f++)
		field_encode(f, value, w);
}

void text_add(struct text *text, const char *format, ...)
{
	size_t left = text->capacity - text->len;
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text->data + text->len, left, format, args);
	va_end(args);
	if (n > 0)
		text->len += (size_t)n < left ? (size_t)n : left - 1;
}

void desc_format(const struct desc *desc, const void *value, struct text *text)
{
	const char *separator = "";

	for (const struct field *f = desc->fields; f < desc->fields + desc->count; f++) {
		if (f->kind == FIELD_RESERVED || f->kind == FIELD_SIZE8)
			continue;
		/* "ke.group": the union's member is not worth a word */
		const char *dot = strchr(f->name, '.');
		text_add(text, "%s%s ", separator, dot ? dot + 1 : f->name);
		if (is_number(f))
			text_add(text, "%llu", (unsigned long long)number_load(f, value));
		else
			text_add(text, "%zu bytes", bytes_member_const(f, value)->len);
		separator = " ";
	}
}
