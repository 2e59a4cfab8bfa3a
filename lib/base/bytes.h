/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounded cursors over byte buffers. Outside bytes are touched only through these: a read or write that does not
 * fit sets `failed`, yields zero and moves nothing, so a parser may check once at the end; a loop over what is left
 * tests `failed` too, as a failed cursor never gets shorter. Leaf header, inline. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed view of somebody else's bytes; never freed through this. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

#define BYTES(ptr, length) ((struct bytes){ (const uint8_t *)(ptr), (length) })
#define BYTES_OF(array)    ((struct bytes){ (const uint8_t *)(array), sizeof(array) })
#define BYTES_NONE         ((struct bytes){ NULL, 0 })

/* True when both hold the same bytes. Not constant time: for public values only (secrets: secret_equal). */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)load_be16(p) << 16 | load_be16(p + 2);
}

static inline uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

/* Reading cursor. Copying it saves a position. */
struct reader {
	const uint8_t *start, *at, *end;
	bool failed;
};

static inline struct reader reader_init(struct bytes b)
{
	return (struct reader){ .start = b.data, .at = b.data, .end = b.len ? b.data + b.len : b.data };
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline size_t reader_offset(const struct reader *r)
{
	return (size_t)(r->at - r->start);
}

/* Takes n bytes: a pointer to them, or NULL (and failed) when fewer are left. */
static inline const uint8_t *reader_take(struct reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if (r->failed || n > reader_left(r)) {
		r->failed = true;
		return NULL;
	}
	if (n)
		r->at += n;
	return p;
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);
	return p ? *p : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);
	return p ? load_be16(p) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);
	return p ? load_be32(p) : 0;
}

static inline uint64_t reader_u64(struct reader *r)
{
	const uint8_t *p = reader_take(r, 8);
	return p ? load_be64(p) : 0;
}

/* A view of the next n bytes (BYTES_NONE when they do not fit). */
static inline struct bytes reader_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = reader_take(r, n);
	return p ? BYTES(p, n) : BYTES_NONE;
}

/* A view of everything left. */
static inline struct bytes reader_rest(struct reader *r)
{
	return reader_bytes(r, reader_left(r));
}

/* Writing cursor over a caller's buffer of `capacity` bytes; `len` is what was written. */
struct writer {
	uint8_t *data;
	size_t len, capacity;
	bool failed;
};

static inline struct writer writer_init(void *data, size_t capacity)
{
	return (struct writer){ .data = (uint8_t *)data, .capacity = capacity };
}

/* Reserves n bytes: a pointer to fill, or NULL (and failed) when they do not fit. */
static inline uint8_t *writer_reserve(struct writer *w, size_t n)
{
	uint8_t *p = w->data;

	if (w->failed || n > w->capacity - w->len) {
		w->failed = true;
		return NULL;
	}
	/* no arithmetic on the NULL of an empty buffer */
	if (w->len)
		p += w->len;
	w->len += n;
	return p;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_reserve(w, 1);
	if (p)
		*p = v;
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_reserve(w, 2);
	if (p)
		store_be16(p, v);
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_reserve(w, 4);
	if (p)
		store_be32(p, v);
}

static inline void writer_u64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_reserve(w, 8);
	if (p)
		store_be64(p, v);
}

static inline void writer_bytes(struct writer *w, struct bytes b)
{
	uint8_t *p = writer_reserve(w, b.len);
	if (p && b.len)
		memcpy(p, b.data, b.len);
}

static inline void writer_zero(struct writer *w, size_t n)
{
	uint8_t *p = writer_reserve(w, n);
	if (p && n)
		memset(p, 0, n);
}

/* Overwrites two bytes written before, at offset: lengths known only at the end. */
static inline void writer_patch_u16(struct writer *w, size_t offset, uint16_t v)
{
	if (w->failed || w->len < 2 || offset > w->len - 2)
		w->failed = true;
	else
		store_be16(w->data + offset, v);
}

/* What was written, as a view. */
static inline struct bytes writer_view(const struct writer *w)
{
	return BYTES(w->data, w->len);
}

/* Hexadecimal to bytes: an optional 0x prefix, ':' and '_' between bytes allowed. Returns the byte count, or -EINVAL
 * (not hexadecimal, odd digits) or -ENOSPC (more than capacity). */
int hex_decode(const char *text, uint8_t *ret_data, size_t capacity);

/* Writes lower-case hexadecimal and a NUL; text needs 2 * b.len + 1 bytes. Returns text. */
char *hex_encode(struct bytes b, char *ret_text);
