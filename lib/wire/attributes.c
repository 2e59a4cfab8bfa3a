/* SPDX-License-Identifier: BSD-3-Clause */
/* The attributes of a Configuration payload (RFC 7296 3.15.1): type, length, value, one behind the other. What they ask
 * for and what is given is the ike room's. */
#include "payloads_priv.h"

/*  |R|         Attribute Type      |            Length             |
 *  |                             Value                             | */
struct attribute_head {
	uint16_t type, length;
};

static const struct field attribute_fields[] = {
	FIELD(FIELD_U16, struct attribute_head, type),
	FIELD(FIELD_U16, struct attribute_head, length),
};
static const struct desc attribute_desc = DESC(attribute_fields);

#define ATTRIBUTE_TYPE_MASK 0x7fff /* the reserved bit is ignored on receipt */

/* RFC 7296 3.15.1: what a value must be long, unless it is empty. */
static const struct attribute_row {
	uint16_t type;
	uint8_t bytes;
} attribute_rows[] = {
	{ ATTRIBUTE_IP4_ADDRESS, 4 },
	{ ATTRIBUTE_IP4_NETMASK, 4 },
	{ ATTRIBUTE_IP4_DNS, 4 },
	{ ATTRIBUTE_IP4_SUBNET, 8 },
	{ ATTRIBUTE_IP6_ADDRESS, 17 },
	{ ATTRIBUTE_IP6_DNS, 16 },
	{ ATTRIBUTE_IP6_SUBNET, 17 },
};

static bool length_legal(uint16_t type, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(attribute_rows); i++)
		if (attribute_rows[i].type == type)
			return !len || len == attribute_rows[i].bytes;
	return true;
}

bool cp_attribute_next(struct reader *r, struct cp_attribute *ret_attribute)
{
	struct attribute_head head;
	struct wire_error ignored;

	if (!reader_left(r) || desc_decode(&attribute_desc, r, &head, &ignored))
		return false;
	ret_attribute->type = head.type & ATTRIBUTE_TYPE_MASK;
	ret_attribute->value = reader_bytes(r, head.length);
	return !r->failed;
}

void cp_attribute_add(struct writer *w, enum cp_attribute_type type, struct bytes value)
{
	struct attribute_head head = { .type = (uint16_t)type, .length = (uint16_t)value.len };

	desc_encode(&attribute_desc, &head, w);
	writer_bytes(w, value);
}

enum wire_reason attributes_check(struct bytes attributes)
{
	struct reader r = reader_init(attributes);
	struct cp_attribute a;

	while (cp_attribute_next(&r, &a))
		if (!length_legal(a.type, a.value.len))
			return WIRE_LENGTH;
	return r.failed || reader_left(&r) ? WIRE_TRUNCATED : WIRE_OK;
}
