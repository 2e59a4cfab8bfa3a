/* SPDX-License-Identifier: BSD-3-Clause */
/* The payloads with flat bodies, each as a field table under its figure, and the table of all payload types. SA and TS
 * bodies are in proposals.c and selectors.c. */
#include "payloads_priv.h"

/* RFC 7296 3.4
 *  |   Diffie-Hellman Group Num    |           RESERVED            |
 *  |                       Key Exchange Data                       | */
static const struct field ke_fields[] = {
	FIELD(FIELD_U16, struct payload, ke.group),
	FIELD_ZERO(2),
	FIELD_LIMITED(struct payload, ke.data, 1, 0xffff),
};

/* RFC 7296 3.5
 *  |   ID Type     |                 RESERVED                      |
 *  |                   Identification Data                         | */
static const struct field id_fields[] = {
	FIELD(FIELD_U8, struct payload, id.type),
	FIELD_ZERO(3),
	FIELD(FIELD_REST, struct payload, id.data),
};

/* RFC 7296 3.6, 3.7
 *  | Cert Encoding |        Certificate Data or Authorities        | */
static const struct field cert_fields[] = {
	FIELD(FIELD_U8, struct payload, cert.encoding),
	FIELD(FIELD_REST, struct payload, cert.data),
};

/* RFC 7296 3.8
 *  | Auth Method   |                RESERVED                       |
 *  |                      Authentication Data                      | */
static const struct field auth_fields[] = {
	FIELD(FIELD_U8, struct payload, auth.method),
	FIELD_ZERO(3),
	FIELD_LIMITED(struct payload, auth.data, 1, 0xffff),
};

/* RFC 7296 3.9: 16 to 256 bytes, nothing else */
static const struct field nonce_fields[] = {
	FIELD_LIMITED(struct payload, nonce, 16, 256),
};

/* RFC 7296 3.10
 *  |  Protocol ID  |   SPI Size    |      Notify Message Type      |
 *  |                Security Parameter Index (SPI)                 |
 *  |                       Notification Data                       | */
static const struct field notify_fields[] = {
	FIELD(FIELD_U8, struct payload, notify.protocol),
	FIELD(FIELD_SIZE8, struct payload, notify.spi),
	FIELD(FIELD_U16, struct payload, notify.type),
	FIELD(FIELD_SIZED, struct payload, notify.spi),
	FIELD(FIELD_REST, struct payload, notify.data),
};

/* RFC 7296 3.11
 *  | Protocol ID   |   SPI Size    |          Num of SPIs          |
 *  |               Security Parameter Index(es) (SPI)              | */
static const struct field delete_fields[] = {
	FIELD(FIELD_U8, struct payload, del.protocol),
	FIELD(FIELD_U8, struct payload, del.spi_len),
	FIELD(FIELD_U16, struct payload, del.count),
	FIELD(FIELD_REST, struct payload, del.spis),
};

/* RFC 7296 3.12 */
static const struct field vendor_fields[] = {
	FIELD(FIELD_REST, struct payload, vendor),
};

/* RFC 7296 3.14: what is inside has another table, behind the decryption */
static const struct field sk_fields[] = {
	FIELD(FIELD_REST, struct payload, sk.data),
};

/* RFC 7383 2.5
 *  |        Fragment Number        |        Total Fragments        |
 *  |                     Initialization Vector                     |
 *  |            Encrypted content, padding, pad length             |
 *  |                      Integrity Checksum Data                  | */
static const struct field skf_fields[] = {
	FIELD(FIELD_U16, struct payload, sk.number),
	FIELD(FIELD_U16, struct payload, sk.total),
	FIELD(FIELD_REST, struct payload, sk.data),
};

/* RFC 7296 3.15, 3.16: kept as they are */
static const struct field raw_fields[] = {
	FIELD(FIELD_REST, struct payload, body),
};

static enum wire_reason delete_check(const struct payload *p)
{
	bool ipsec = p->del.protocol == PROTOCOL_ESP || p->del.protocol == PROTOCOL_AH;

	if (p->del.protocol == PROTOCOL_IKE && (p->del.spi_len || p->del.count))
		return WIRE_VALUE;
	if (ipsec && p->del.spi_len != 4)
		return WIRE_VALUE;
	return p->del.spis.len == (size_t)p->del.count * p->del.spi_len ? WIRE_OK : WIRE_LENGTH;
}

static enum wire_reason fragment_check(const struct payload *p)
{
	return p->sk.number && p->sk.number <= p->sk.total ? WIRE_OK : WIRE_VALUE;
}

static const struct payload_row {
	uint8_t type;
	struct desc desc;                                   /* empty: the body is a list of its own */
	enum wire_reason (*check)(const struct payload *p); /* what a table cannot say; may be NULL */
} rows[] = {
	{ PAYLOAD_SA, { NULL, 0 }, NULL },
	{ PAYLOAD_KE, DESC(ke_fields), NULL },
	{ PAYLOAD_IDI, DESC(id_fields), NULL },
	{ PAYLOAD_IDR, DESC(id_fields), NULL },
	{ PAYLOAD_CERT, DESC(cert_fields), NULL },
	{ PAYLOAD_CERTREQ, DESC(cert_fields), NULL },
	{ PAYLOAD_AUTH, DESC(auth_fields), NULL },
	{ PAYLOAD_NONCE, DESC(nonce_fields), NULL },
	{ PAYLOAD_NOTIFY, DESC(notify_fields), NULL },
	{ PAYLOAD_DELETE, DESC(delete_fields), delete_check },
	{ PAYLOAD_VENDOR, DESC(vendor_fields), NULL },
	{ PAYLOAD_TSI, { NULL, 0 }, NULL },
	{ PAYLOAD_TSR, { NULL, 0 }, NULL },
	{ PAYLOAD_SK, DESC(sk_fields), NULL },
	{ PAYLOAD_CP, DESC(raw_fields), NULL },
	{ PAYLOAD_EAP, DESC(raw_fields), NULL },
	{ PAYLOAD_SKF, DESC(skf_fields), fragment_check },
};

/* What payloads of unknown types are encoded and printed with. */
static const struct payload_row unknown_row = { PAYLOAD_NONE, DESC(raw_fields), NULL };

static const struct payload_row *row_lookup(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].type == type)
			return &rows[i];
	return &unknown_row;
}

bool payload_known(uint8_t type)
{
	return row_lookup(type) != &unknown_row;
}

/* SA, TSi and TSr have one place each in the message: a second one of them cannot be kept. */
static int list_decode(struct reader *r, uint8_t type, struct message *message, struct wire_error *ret_error)
{
	if (message_find(message, (enum payload_type)type))
		return wire_fail(ret_error, WIRE_REPEATED, reader_offset(r));
	if (type == PAYLOAD_SA)
		return proposals_decode(r, &message->sa, ret_error);
	return selectors_decode(r, type == PAYLOAD_TSI ? &message->tsi : &message->tsr, ret_error);
}

int payload_decode(struct reader *r, struct payload *p, struct message *message, struct wire_error *ret_error)
{
	const struct payload_row *row = row_lookup(p->type);
	size_t offset = reader_offset(r);

	if (row == &unknown_row)
		return p->critical ? wire_fail(ret_error, WIRE_CRITICAL, offset - PAYLOAD_HEADER_BYTES) : 0;
	if (!row->desc.count)
		return list_decode(r, p->type, message, ret_error);
	if (desc_decode(&row->desc, r, p, ret_error))
		return -EBADMSG;
	enum wire_reason reason = row->check ? row->check(p) : WIRE_OK;
	return reason ? wire_fail(ret_error, reason, offset) : 0;
}

void payload_encode(const struct payload *p, const struct message *message, struct writer *w)
{
	const struct payload_row *row = row_lookup(p->type);

	switch (p->type) {
	case PAYLOAD_SA: proposals_encode(&message->sa, w); break;
	case PAYLOAD_TSI: selectors_encode(&message->tsi, w); break;
	case PAYLOAD_TSR: selectors_encode(&message->tsr, w); break;
	default: desc_encode(&row->desc, p, w); break;
	}
}

char *payload_format(const struct payload *payload, char *ret_text, size_t capacity)
{
	struct text text = { .data = ret_text, .capacity = capacity };
	const struct desc *desc = &row_lookup(payload->type)->desc;

	text_add(&text, "%s {", payload_name(payload->type));
	if (desc->count) {
		text_add(&text, " ");
		desc_format(desc, payload, &text);
	} else {
		text_add(&text, " body %zu bytes", payload->body.len);
	}
	text_add(&text, " }");
	return ret_text;
}
