/* SPDX-License-Identifier: BSD-3-Clause */
/* IKE messages: the header and the chain of payloads, decoded, built, encoded and printed. Bodies are payloads.c's,
 * what a message may hold is grammar.c's, protecting a message is lib/ike's. */
#include "payloads_priv.h"

/* RFC 7296 3.1
 *  |                       IKE SA Initiator's SPI                  |
 *  |                       IKE SA Responder's SPI                  |
 *  |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
 *  |                          Message ID                           |
 *  |                            Length                             | */
static const struct field header_fields[] = {
	FIELD(FIELD_U64, struct ike_header, spi_i),
	FIELD(FIELD_U64, struct ike_header, spi_r),
	FIELD(FIELD_U8, struct ike_header, next_payload),
	FIELD(FIELD_U8, struct ike_header, version),
	FIELD(FIELD_U8, struct ike_header, exchange),
	FIELD(FIELD_U8, struct ike_header, flags),
	FIELD(FIELD_U32, struct ike_header, message_id),
	FIELD(FIELD_U32, struct ike_header, length),
};
static const struct desc header_desc = DESC(header_fields);

enum {
	SPI_R_OFFSET = 8,
	VERSION_OFFSET = 17,
	FLAGS_OFFSET = 19,
	MESSAGE_ID_OFFSET = 20,
	LENGTH_OFFSET = 24,
};

#define IKE_VERSION 0x20 /* 2.0; the minor version of others is ignored (RFC 7296 2.5) */

struct generic_header {
	uint8_t next, flags;
	uint16_t length;
};

/* RFC 7296 3.2
 *  | Next Payload  |C|  RESERVED   |         Payload Length        | */
static const struct field generic_fields[] = {
	FIELD(FIELD_U8, struct generic_header, next),
	FIELD(FIELD_U8, struct generic_header, flags),
	FIELD(FIELD_U16, struct generic_header, length),
};
static const struct desc generic_desc = DESC(generic_fields);

#define CRITICAL 0x80

static int header_check_frame(const struct ike_header *h, size_t datagram_bytes, struct wire_error *ret_error)
{
	if (h->version >> 4 != IKE_VERSION >> 4)
		return wire_fail(ret_error, WIRE_VERSION, VERSION_OFFSET);
	if (h->length < IKE_HEADER_BYTES)
		return wire_fail(ret_error, WIRE_LENGTH, LENGTH_OFFSET);
	if (h->length > datagram_bytes)
		return wire_fail(ret_error, WIRE_TRUNCATED, LENGTH_OFFSET);
	if (h->length < datagram_bytes)
		return wire_fail(ret_error, WIRE_TRAILING, h->length);
	return 0;
}

/* An IKE_SA_INIT request makes its SA, so there is no responder SPI yet; its response may lack one when it makes none
 * (COOKIE, errors: message_check). Everywhere else both are there. */
static int header_check_spis(const struct ike_header *h, struct wire_error *ret_error)
{
	bool response = h->flags & IKE_FLAG_RESPONSE;

	if (!h->spi_i)
		return wire_fail(ret_error, WIRE_SPI, 0);
	if (h->exchange == IKE_SA_INIT && !response && h->spi_r)
		return wire_fail(ret_error, WIRE_SPI, SPI_R_OFFSET);
	if (h->exchange > IKE_SA_INIT && h->exchange <= INFORMATIONAL && !h->spi_r)
		return wire_fail(ret_error, WIRE_SPI, SPI_R_OFFSET);
	return 0;
}

/* The first two exchanges are always begun by the original initiator; the first has message ID 0 (RFC 7296 2.2). */
static int header_check_flags(const struct ike_header *h, struct wire_error *ret_error)
{
	bool response = h->flags & IKE_FLAG_RESPONSE, initiator = h->flags & IKE_FLAG_INITIATOR;

	if ((h->exchange == IKE_SA_INIT || h->exchange == IKE_AUTH) && response == initiator)
		return wire_fail(ret_error, WIRE_FLAGS, FLAGS_OFFSET);
	if (h->exchange == IKE_SA_INIT && h->message_id)
		return wire_fail(ret_error, WIRE_VALUE, MESSAGE_ID_OFFSET);
	return 0;
}

int header_decode(struct bytes datagram, struct ike_header *ret_header, struct wire_error *ret_error)
{
	struct reader r = reader_init(datagram);

	*ret_error = (struct wire_error){ 0 };
	*ret_header = (struct ike_header){ 0 };
	if (desc_decode(&header_desc, &r, ret_header, ret_error))
		return -EBADMSG;
	if (header_check_frame(ret_header, datagram.len, ret_error))
		return -EBADMSG;
	if (header_check_spis(ret_header, ret_error))
		return -EBADMSG;
	return header_check_flags(ret_header, ret_error);
}

static bool ends_chain(uint8_t type)
{
	return type == PAYLOAD_SK || type == PAYLOAD_SKF;
}

/* Appends the payload of type *next to the message; *next becomes the type that follows. The next payload field of SK
 * tells the first payload inside it: SK is the last of its chain (RFC 7296 3.14). */
static int chain_step(
	struct reader *r, uint8_t *next, bool encrypted, struct message *message, struct wire_error *ret_error)
{
	size_t offset = reader_offset(r);
	struct generic_header head;

	if (desc_decode(&generic_desc, r, &head, ret_error))
		return -EBADMSG;
	if (head.length < PAYLOAD_HEADER_BYTES || head.length - PAYLOAD_HEADER_BYTES > (int)reader_left(r))
		return wire_fail(ret_error, WIRE_LENGTH, offset + 2);
	if (message->count == MESSAGE_PAYLOADS_MAX)
		return wire_fail(ret_error, WIRE_TOO_MANY, offset);
	if (encrypted && ends_chain(*next))
		return wire_fail(ret_error, WIRE_UNEXPECTED, offset);
	struct reader body = reader_cut(r, head.length - PAYLOAD_HEADER_BYTES);
	struct payload *p = &message->payloads[message->count];
	*p = (struct payload){
		.type = *next,
		.critical = head.flags & CRITICAL,
		.encrypted = encrypted,
		.offset = (uint32_t)offset,
		.body = BYTES(body.at, reader_left(&body)),
	};
	if (payload_decode(&body, p, message, ret_error))
		return -EBADMSG;
	message->count++;
	*next = head.next;
	if (ends_chain(p->type)) {
		p->sk.first_inner = head.next;
		*next = PAYLOAD_NONE;
	}
	return 0;
}

static int chain_decode(
	struct reader *r, uint8_t first, bool encrypted, struct message *message, struct wire_error *ret_error)
{
	uint8_t type = first, next = first;

	for (; next != PAYLOAD_NONE; type = next)
		if (chain_step(r, &next, encrypted, message, ret_error)) {
			ret_error->payload = type;
			return -EBADMSG;
		}
	return reader_left(r) ? wire_fail(ret_error, WIRE_TRAILING, reader_offset(r)) : 0;
}

int message_decode(struct bytes datagram, struct message *ret_message, struct wire_error *ret_error)
{
	struct reader r = reader_init(datagram);

	memset(ret_message, 0, sizeof(*ret_message));
	if (header_decode(datagram, &ret_message->header, ret_error))
		return -EBADMSG;
	reader_take(&r, IKE_HEADER_BYTES);
	return chain_decode(&r, ret_message->header.next_payload, false, ret_message, ret_error);
}

int message_decode_inner(struct bytes plaintext, uint8_t first, struct message *message, struct wire_error *ret_error)
{
	struct reader r = reader_init(plaintext);

	*ret_error = (struct wire_error){ 0 };
	return chain_decode(&r, first, true, message, ret_error);
}

void message_init(struct message *message, uint64_t spi_i, uint64_t spi_r, enum ike_exchange exchange, uint8_t flags,
	uint32_t message_id)
{
	memset(message, 0, sizeof(*message));
	message->header = (struct ike_header){
		.spi_i = spi_i,
		.spi_r = spi_r,
		.version = IKE_VERSION,
		.exchange = (uint8_t)exchange,
		.flags = flags,
		.message_id = message_id,
	};
}

struct payload *message_add(struct message *message, enum payload_type type)
{
	if (message->count == MESSAGE_PAYLOADS_MAX) {
		message->overflow = true;
		return NULL;
	}
	struct payload *p = &message->payloads[message->count++];
	*p = (struct payload){ .type = (uint8_t)type };
	return p;
}

struct payload *message_add_notify(struct message *message, enum notify_type type, struct bytes data)
{
	struct payload *p = message_add(message, PAYLOAD_NOTIFY);

	if (p) {
		p->notify.type = (uint16_t)type;
		p->notify.data = data;
	}
	return p;
}

struct payload *message_add_sa(struct message *message, const struct proposal_list *proposals)
{
	message->sa = *proposals;
	return message_add(message, PAYLOAD_SA);
}

struct payload *message_add_ts(struct message *message, enum payload_type type, const struct selector_list *selectors)
{
	*(type == PAYLOAD_TSI ? &message->tsi : &message->tsr) = *selectors;
	return message_add(message, type);
}

struct payload *message_add_id(struct message *message, enum payload_type type, const struct identity *id)
{
	struct payload *p = message_add(message, type);

	if (p) {
		p->id.type = id->type;
		p->id.data = BYTES(id->data, id->len);
	}
	return p;
}

const struct payload *message_find(const struct message *message, enum payload_type type)
{
	for (int i = 0; i < message->count; i++)
		if (message->payloads[i].type == type)
			return &message->payloads[i];
	return NULL;
}

/* First notify with a type of this range. */
static const struct payload *notify_find(const struct message *message, uint16_t low, uint16_t high)
{
	for (int i = 0; i < message->count; i++) {
		const struct payload *p = &message->payloads[i];
		if (p->type == PAYLOAD_NOTIFY && p->notify.type >= low && p->notify.type <= high)
			return p;
	}
	return NULL;
}

const struct payload *message_find_notify(const struct message *message, enum notify_type type)
{
	return notify_find(message, (uint16_t)type, (uint16_t)type);
}

const struct payload *message_find_error(const struct message *message)
{
	return notify_find(message, 0, NOTIFY_ERROR_LAST);
}

int header_encode(const struct ike_header *header, struct writer *w)
{
	desc_encode(&header_desc, header, w);
	return w->failed ? -EMSGSIZE : 0;
}

static void chain_encode_step(const struct message *message, int i, struct writer *w)
{
	const struct payload *p = &message->payloads[i];
	size_t start = w->len;
	struct generic_header head = { .flags = p->critical ? CRITICAL : 0 };

	if (ends_chain(p->type))
		head.next = p->sk.first_inner;
	else if (i + 1 < message->count)
		head.next = message->payloads[i + 1].type;
	desc_encode(&generic_desc, &head, w);
	payload_encode(p, message, w);
	w->failed = w->failed || w->len - start > UINT16_MAX;
	writer_patch_u16(w, start + 2, (uint16_t)(w->len - start));
}

int payloads_encode(const struct message *message, struct writer *w, uint8_t *ret_first)
{
	*ret_first = message->count ? message->payloads[0].type : PAYLOAD_NONE;
	w->failed = w->failed || message->overflow;
	for (int i = 0; i < message->count; i++) {
		chain_encode_step(message, i, w);
		if (ends_chain(message->payloads[i].type))
			break;
	}
	return w->failed ? -EMSGSIZE : 0;
}

int message_encode(const struct message *message, struct writer *w)
{
	struct ike_header header = message->header;
	size_t start = w->len;

	/* the first payload is known only behind: the header is written again in place */
	header_encode(&header, w);
	if (payloads_encode(message, w, &header.next_payload) || w->len - start > IKE_MESSAGE_BYTES_MAX)
		return -EMSGSIZE;
	header.length = (uint32_t)(w->len - start);
	struct writer again = writer_init(w->data + start, IKE_HEADER_BYTES);
	return header_encode(&header, &again);
}

static void payload_summary(const struct payload *p, struct text *text)
{
	text_add(text, " %s", payload_name(p->type));
	if (p->type == PAYLOAD_NOTIFY)
		text_add(text, "(%s)", notify_name(p->notify.type));
	else if (p->type == PAYLOAD_DELETE && p->del.protocol == PROTOCOL_IKE)
		text_add(text, "(IKE)");
	else if (p->type == PAYLOAD_DELETE)
		text_add(text, "(%s %u)", p->del.protocol == PROTOCOL_ESP ? "ESP" : "AH", p->del.count);
}

char *message_format(const struct message *message, char *ret_text, size_t capacity)
{
	struct text text = { .data = ret_text, .capacity = capacity };
	const struct ike_header *h = &message->header;
	bool inside = false;

	text_add(&text, "%s %s %u {", exchange_name(h->exchange), h->flags & IKE_FLAG_RESPONSE ? "response" : "request",
		h->message_id);
	for (int i = 0; i < message->count; i++) {
		const struct payload *p = &message->payloads[i];
		if (p->encrypted && !inside && i)
			text_add(&text, " {");
		inside = inside || (p->encrypted && i);
		payload_summary(p, &text);
	}
	text_add(&text, inside ? " } }" : " }");
	return ret_text;
}
