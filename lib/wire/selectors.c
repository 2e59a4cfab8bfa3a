/* SPDX-License-Identifier: BSD-3-Clause */
/* The TS payloads: traffic selectors as address, protocol and port ranges (RFC 7296 3.13). What they mean together is
 * model's selector.c. */
#include "payloads_priv.h"

struct ts_head {
	uint8_t count;
};

/* RFC 7296 3.13
 *  | Number of TSs |                 RESERVED                      | */
static const struct field ts_fields[] = {
	FIELD(FIELD_U8, struct ts_head, count),
	FIELD_ZERO(3),
};
static const struct desc ts_desc = DESC(ts_fields);

struct selector_head {
	uint8_t type, protocol;
	uint16_t length;
};

/* RFC 7296 3.13.1
 *  |   TS Type     |IP Protocol ID*|       Selector Length         | */
static const struct field selector_fields[] = {
	FIELD(FIELD_U8, struct selector_head, type),
	FIELD(FIELD_U8, struct selector_head, protocol),
	FIELD(FIELD_U16, struct selector_head, length),
};
static const struct desc selector_desc = DESC(selector_fields);
#define SELECTOR_HEAD_BYTES 4
#define SELECTOR_PORT_BYTES 4

/*  |           Start Port*         |           End Port*           |
 *  |                         Starting Address*                     |
 *  |                         Ending Address*                       | */
static const struct ts_type {
	uint8_t type, family;
	uint8_t addr_bytes;
} ts_types[] = {
	{ 7, ADDR_IPV4, 4 },  /* TS_IPV4_ADDR_RANGE */
	{ 8, ADDR_IPV6, 16 }, /* TS_IPV6_ADDR_RANGE */
};

static const struct ts_type *ts_type_lookup(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(ts_types); i++)
		if (ts_types[i].type == type)
			return &ts_types[i];
	return NULL;
}

static const struct ts_type *ts_type_lookup_family(uint8_t family)
{
	for (size_t i = 0; i < ARRAY_LEN(ts_types); i++)
		if (ts_types[i].family == family)
			return &ts_types[i];
	return NULL;
}

/* r holds exactly the ports and the two addresses. */
static struct selector range_decode(struct reader *r, const struct ts_type *type, uint8_t protocol)
{
	struct selector s = { .protocol = protocol };

	s.port_low = reader_u16(r);
	s.port_high = reader_u16(r);
	s.low = addr_from_bytes((enum addr_family)type->family, reader_take(r, type->addr_bytes));
	s.high = addr_from_bytes((enum addr_family)type->family, reader_take(r, type->addr_bytes));
	return s;
}

/* Appends the selector to the list unless its type is unknown (RFC 7296 3.13.1: ignored) or the list is full (then the
 * answer is narrower than the offer, which 2.9 allows). */
static int selector_decode(struct reader *r, struct selector_list *list, struct wire_error *ret_error)
{
	size_t offset = reader_offset(r);
	struct selector_head head;

	if (desc_decode(&selector_desc, r, &head, ret_error))
		return -EBADMSG;
	const struct ts_type *type = ts_type_lookup(head.type);
	size_t fixed = SELECTOR_HEAD_BYTES + SELECTOR_PORT_BYTES + (type ? 2u * type->addr_bytes : 0);
	if (head.length < SELECTOR_HEAD_BYTES || (type && head.length != fixed))
		return wire_fail(ret_error, WIRE_LENGTH, offset + 2);
	struct reader body = reader_cut(r, head.length - SELECTOR_HEAD_BYTES);
	if (body.failed)
		return wire_fail(ret_error, WIRE_LENGTH, offset + 2);
	if (!type)
		return 0;
	struct selector s = range_decode(&body, type, head.protocol);
	if (!selector_valid(&s))
		return wire_fail(ret_error, WIRE_VALUE, offset);
	if (list->count < SELECTORS_MAX)
		list->items[list->count++] = s;
	return 0;
}

int selectors_decode(struct reader *r, struct selector_list *ret_list, struct wire_error *ret_error)
{
	struct ts_head head;

	ret_list->count = 0;
	if (desc_decode(&ts_desc, r, &head, ret_error))
		return -EBADMSG;
	for (int i = 0; i < head.count; i++)
		if (selector_decode(r, ret_list, ret_error))
			return -EBADMSG;
	return reader_left(r) ? wire_fail(ret_error, WIRE_TRAILING, reader_offset(r)) : 0;
}

static void selector_encode(const struct selector *s, struct writer *w)
{
	const struct ts_type *type = ts_type_lookup_family(s->low.family);

	if (!type || s->high.family != s->low.family) {
		w->failed = true;
		return;
	}
	struct selector_head head = {
		.type = type->type,
		.protocol = s->protocol,
		.length = (uint16_t)(SELECTOR_HEAD_BYTES + SELECTOR_PORT_BYTES + 2 * type->addr_bytes),
	};
	desc_encode(&selector_desc, &head, w);
	writer_u16(w, s->port_low);
	writer_u16(w, s->port_high);
	writer_bytes(w, BYTES(s->low.bytes, type->addr_bytes));
	writer_bytes(w, BYTES(s->high.bytes, type->addr_bytes));
}

void selectors_encode(const struct selector_list *list, struct writer *w)
{
	struct ts_head head = { .count = list->count };

	desc_encode(&ts_desc, &head, w);
	for (int i = 0; i < list->count; i++)
		selector_encode(&list->items[i], w);
}
