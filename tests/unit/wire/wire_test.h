/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the wire room share: messages written as hexadecimal payloads, and the reason they are refused. */
#pragma once

#include <errno.h>

#include "wire.h"

#include "../harness.h"

#define NONCE_HEX "00010203:04050607:08090a0b:0c0d0e0f"

/* A datagram with this first payload and these payloads, in a buffer that the next call overwrites. Responder SPI: 0 in
 * an IKE_SA_INIT request. */
__attribute__((unused)) static struct bytes datagram(
	enum ike_exchange exchange, uint8_t flags, uint8_t next, const char *payloads_hex)
{
	static uint8_t data[4096];
	int len = hex_decode(payloads_hex, data + IKE_HEADER_BYTES, sizeof(data) - IKE_HEADER_BYTES);
	struct writer w = writer_init(data, sizeof(data));
	struct ike_header h = {
		.spi_i = 0x0102030405060708,
		.spi_r = exchange == IKE_SA_INIT && !(flags & IKE_FLAG_RESPONSE) ? 0 : 0x1112131415161718,
		.next_payload = next,
		.version = 0x20,
		.exchange = (uint8_t)exchange,
		.flags = flags,
		.length = (uint32_t)(IKE_HEADER_BYTES + len),
	};

	CU_ASSERT_FATAL(len >= 0 && header_encode(&h, &w) == 0);
	return BYTES(data, IKE_HEADER_BYTES + (size_t)len);
}

/* Decodes an IKE_SA_INIT request with these payloads. */
__attribute__((unused)) static int decode_init(
	uint8_t next, const char *payloads_hex, struct message *ret_message, struct wire_error *ret_error)
{
	return message_decode(datagram(IKE_SA_INIT, IKE_FLAG_INITIATOR, next, payloads_hex), ret_message, ret_error);
}

/* The same when only the verdict matters; the offset is given as from the start of the payloads. */
__attribute__((unused)) static struct wire_error decode_error(uint8_t next, const char *payloads_hex)
{
	struct message message;
	struct wire_error error;
	int rc = decode_init(next, payloads_hex, &message, &error);

	CU_ASSERT_EQUAL(rc, error.reason ? -EBADMSG : 0);
	if (error.reason)
		error.offset -= IKE_HEADER_BYTES;
	return error;
}

#define ASSERT_ERROR(error, want_reason, want_offset, want_payload)                                                    \
	do {                                                                                                           \
		struct wire_error e_ = (error);                                                                        \
		CU_ASSERT_STRING_EQUAL(wire_reason_text(e_.reason), wire_reason_text(want_reason));                    \
		CU_ASSERT_EQUAL(e_.offset, want_offset);                                                               \
		CU_ASSERT_EQUAL(e_.payload, want_payload);                                                             \
	} while (0)

/* decode(encode(message)), also into *ret_message; the bytes stay in a buffer that the next call overwrites. */
__attribute__((unused)) static int round_trip(const struct message *message, struct message *ret_message)
{
	static uint8_t data[IKE_MESSAGE_BYTES_MAX];
	struct writer w = writer_init(data, sizeof(data));
	struct wire_error error;
	int rc = message_encode(message, &w);

	return rc ? rc : message_decode(writer_view(&w), ret_message, &error);
}

/* Member by member: structures have padding. */
__attribute__((unused)) static bool proposals_equal(const struct proposal_list *a, const struct proposal_list *b)
{
	bool equal = a->count == b->count;

	for (int i = 0; equal && i < a->count; i++) {
		const struct proposal *p = &a->items[i], *q = &b->items[i];
		equal = p->protocol == q->protocol && p->spi_len == q->spi_len && p->count == q->count &&
			p->number == q->number && p->spi == q->spi;
		for (int k = 0; equal && k < p->count; k++)
			equal = p->transforms[k].type == q->transforms[k].type &&
				p->transforms[k].id == q->transforms[k].id &&
				p->transforms[k].key_bits == q->transforms[k].key_bits;
	}
	return equal;
}

__attribute__((unused)) static bool selectors_equal(const struct selector_list *a, const struct selector_list *b)
{
	bool equal = a->count == b->count;

	for (int i = 0; equal && i < a->count; i++)
		equal = selector_equal(&a->items[i], &b->items[i]);
	return equal;
}
