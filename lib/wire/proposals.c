/* SPDX-License-Identifier: BSD-3-Clause */
/* The SA payload: proposals, their transforms, their attributes (RFC 7296 3.3). What a peer offers is checked whole
 * once, and then read proposal by proposal: an offer has up to 255 of them, of 255 transforms each, and is kept
 * nowhere. Choosing is negotiation: lib/ike. */
#include "payloads_priv.h"

/* Last Substruc: 0, or the type of the substructure that follows. */
#define LAST            0
#define MORE_PROPOSALS  2
#define MORE_TRANSFORMS 3

#define ATTRIBUTE_SHORT      0x8000 /* the AF bit: two bytes of value stand where the length would */
#define ATTRIBUTE_KEY_LENGTH 14

struct proposal_head {
	uint8_t more, number, protocol, count;
	uint16_t length;
	struct bytes spi;
};

/* RFC 7296 3.3.1
 *  | Last Substruc |   RESERVED    |         Proposal Length       |
 *  | Proposal Num  |  Protocol ID  |    SPI Size   |Num  Transforms|
 *  |                        SPI (variable)                         | */
static const struct field proposal_fields[] = {
	FIELD(FIELD_U8, struct proposal_head, more),
	FIELD_ZERO(1),
	FIELD(FIELD_U16, struct proposal_head, length),
	FIELD(FIELD_U8, struct proposal_head, number),
	FIELD(FIELD_U8, struct proposal_head, protocol),
	FIELD(FIELD_SIZE8, struct proposal_head, spi),
	FIELD(FIELD_U8, struct proposal_head, count),
	FIELD(FIELD_SIZED, struct proposal_head, spi),
};
static const struct desc proposal_desc = DESC(proposal_fields);

struct transform_head {
	uint8_t more, type;
	uint16_t length, id;
};

/* RFC 7296 3.3.2
 *  | Last Substruc |   RESERVED    |        Transform Length       |
 *  |Transform Type |   RESERVED    |          Transform ID         | */
static const struct field transform_fields[] = {
	FIELD(FIELD_U8, struct transform_head, more),
	FIELD_ZERO(1),
	FIELD(FIELD_U16, struct transform_head, length),
	FIELD(FIELD_U8, struct transform_head, type),
	FIELD_ZERO(1),
	FIELD(FIELD_U16, struct transform_head, id),
};
static const struct desc transform_desc = DESC(transform_fields);

struct attribute_head {
	uint16_t type, value;
};

/* RFC 7296 3.3.5
 *  |A|       Attribute Type        |    AF=1: value; AF=0: length  | */
static const struct field attribute_fields[] = {
	FIELD(FIELD_U16, struct attribute_head, type),
	FIELD(FIELD_U16, struct attribute_head, value),
};
static const struct desc attribute_desc = DESC(attribute_fields);

/* Reads the attributes r into the transform: one Key Length is understood, everything else makes it unselectable. */
static int attributes_decode(struct reader *r, struct transform *t, struct wire_error *ret_error)
{
	while (reader_left(r)) {
		struct attribute_head head;
		size_t offset = reader_offset(r);
		if (desc_decode(&attribute_desc, r, &head, ret_error))
			return -EBADMSG;
		if (!(head.type & ATTRIBUTE_SHORT) && (reader_take(r, head.value), r->failed))
			return wire_fail(ret_error, WIRE_LENGTH, offset);
		bool key_length = head.type == (ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH);
		t->key_bits = key_length && head.value && !t->key_bits ? head.value : KEY_BITS_NOT_UNDERSTOOD;
	}
	return 0;
}

static int transform_decode(struct reader *r, bool last, struct transform *ret_transform, struct wire_error *ret_error)
{
	size_t offset = reader_offset(r);
	struct transform_head head;

	if (desc_decode(&transform_desc, r, &head, ret_error))
		return -EBADMSG;
	size_t head_bytes = reader_offset(r) - offset;
	if (head.length < head_bytes || head.length - head_bytes > reader_left(r))
		return wire_fail(ret_error, WIRE_LENGTH, offset + 2);
	if (head.more != (last ? LAST : MORE_TRANSFORMS))
		return wire_fail(ret_error, WIRE_VALUE, offset);
	struct reader attributes = reader_cut(r, head.length - head_bytes);
	*ret_transform = (struct transform){ .type = head.type, .id = head.id };
	return attributes_decode(&attributes, ret_transform, ret_error);
}

static int transforms_decode(struct reader *r, uint8_t count, struct offered *o, struct wire_error *ret_error)
{
	for (o->count = 0; o->count < count; o->count++)
		if (transform_decode(r, o->count == count - 1, &o->transforms[o->count], ret_error))
			return -EBADMSG;
	return reader_left(r) ? wire_fail(ret_error, WIRE_TRAILING, reader_offset(r)) : 0;
}

static bool spi_len_fits(uint8_t protocol, size_t len)
{
	switch (protocol) {
	case PROTOCOL_IKE: return len == 0 || len == 8;
	case PROTOCOL_AH:
	case PROTOCOL_ESP: return len == 4;
	default: return true;
	}
}

/* Only the SPI of a protocol we know has a meaning and a length that fits. */
static void spi_store(const struct proposal_head *head, struct offered *o)
{
	o->spi_len = 0;
	o->spi = 0;
	if (head->protocol < PROTOCOL_IKE || head->protocol > PROTOCOL_ESP)
		return;
	o->spi_len = (uint8_t)head->spi.len;
	for (size_t i = 0; i < head->spi.len; i++)
		o->spi = o->spi << 8 | head->spi.data[i];
}

/* `previous` is the number of the proposal before; 0: it may be any. */
static int proposal_decode(
	struct reader *r, uint8_t previous, struct offered *ret_offered, struct wire_error *ret_error)
{
	size_t offset = reader_offset(r);
	struct proposal_head head;

	if (desc_decode(&proposal_desc, r, &head, ret_error))
		return -EBADMSG;
	size_t head_bytes = reader_offset(r) - offset;
	if (head.length < head_bytes || head.length - head_bytes > reader_left(r))
		return wire_fail(ret_error, WIRE_LENGTH, offset + 2);
	struct reader transforms = reader_cut(r, head.length - head_bytes);
	if (head.more != (reader_left(r) ? MORE_PROPOSALS : LAST))
		return wire_fail(ret_error, WIRE_VALUE, offset);
	/* the first may have any number: a response repeats that of the proposal it chose */
	if (!head.number || (previous && head.number != previous + 1))
		return wire_fail(ret_error, WIRE_VALUE, offset + 4);
	if (!spi_len_fits(head.protocol, head.spi.len))
		return wire_fail(ret_error, WIRE_VALUE, offset + 6);
	ret_offered->protocol = head.protocol;
	ret_offered->number = head.number;
	spi_store(&head, ret_offered);
	return transforms_decode(&transforms, head.count, ret_offered, ret_error);
}

void offered_shorten(const struct offered *offered, struct proposal *ret_proposal)
{
	*ret_proposal = (struct proposal){
		.protocol = offered->protocol,
		.spi_len = offered->spi_len,
		.number = offered->number,
		.spi = offered->spi,
		.count = offered->count < PROPOSAL_TRANSFORMS_MAX ? offered->count : PROPOSAL_TRANSFORMS_MAX,
	};
	memcpy(ret_proposal->transforms, offered->transforms, ret_proposal->count * sizeof(struct transform));
}

int proposals_decode(struct reader *r, struct proposal_list *ret_list, struct wire_error *ret_error)
{
	struct offered offered;
	uint8_t previous = 0;

	ret_list->count = 0;
	do {
		if (proposal_decode(r, previous, &offered, ret_error))
			return -EBADMSG;
		previous = offered.number;
		if (ret_list->count < PROPOSALS_MAX)
			offered_shorten(&offered, &ret_list->items[ret_list->count++]);
	} while (reader_left(r));
	return 0;
}

struct offer message_offer(const struct message *message)
{
	const struct payload *sa = message_find(message, PAYLOAD_SA);

	return (struct offer){ .rest = sa ? sa->body : BYTES_NONE };
}

static void transforms_drop(struct offered *o, uint8_t type)
{
	uint8_t kept = 0;

	for (int i = 0; i < o->count; i++)
		if (o->transforms[i].type != type)
			o->transforms[kept++] = o->transforms[i];
	o->count = kept;
}

bool offer_next(struct offer *offer, struct offered *ret_offered)
{
	struct reader r = reader_init(offer->rest);
	struct wire_error error;

	if (!offer->rest.len || proposal_decode(&r, 0, ret_offered, &error))
		return false;
	offer->rest = BYTES(r.at, reader_left(&r));
	if (offer->left_out)
		transforms_drop(ret_offered, offer->left_out);
	return true;
}

uint32_t offer_protocols(struct offer offer)
{
	struct offered offered;
	uint32_t protocols = 0;

	while (offer_next(&offer, &offered))
		if (offered.protocol <= PROTOCOL_ESP)
			protocols |= 1u << offered.protocol;
	return protocols;
}

static void transform_encode(const struct transform *t, bool last, struct writer *w)
{
	struct transform_head head = {
		.more = last ? LAST : MORE_TRANSFORMS,
		.type = t->type,
		.length = t->key_bits ? 12 : 8,
		.id = t->id,
	};
	struct attribute_head key_length = { ATTRIBUTE_SHORT | ATTRIBUTE_KEY_LENGTH, t->key_bits };

	desc_encode(&transform_desc, &head, w);
	if (t->key_bits)
		desc_encode(&attribute_desc, &key_length, w);
}

static void proposal_encode(const struct proposal *p, bool last, struct writer *w)
{
	uint8_t spi[8];
	size_t start = w->len;
	struct proposal_head head = {
		.more = last ? LAST : MORE_PROPOSALS,
		.number = p->number,
		.protocol = p->protocol,
		.count = p->count,
	};

	if (p->spi_len > sizeof(spi)) {
		w->failed = true;
		return;
	}
	store_be64(spi, p->spi);
	head.spi = BYTES(spi + sizeof(spi) - p->spi_len, p->spi_len);
	desc_encode(&proposal_desc, &head, w);
	for (int i = 0; i < p->count; i++)
		transform_encode(&p->transforms[i], i == p->count - 1, w);
	writer_patch_u16(w, start + 2, (uint16_t)(w->len - start));
}

void proposals_encode(const struct proposal_list *list, struct writer *w)
{
	for (int i = 0; i < list->count; i++)
		proposal_encode(&list->items[i], i == list->count - 1, w);
}
