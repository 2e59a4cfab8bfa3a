/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target for the message decoder: nothing it is given may upset it, and what it accepts must be printable and
 * encode to bytes that mean the same. The contents of an SK payload are taken as plaintext, so inner payloads are
 * reached without keys. */
#include "wire.h"

#include <stdlib.h>

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

static void require_error(int rc, const struct wire_error *error, size_t len)
{
	REQUIRE((rc == 0) == (error->reason == WIRE_OK));
	REQUIRE(error->reason < WIRE_REASON_COUNT && error->offset <= len);
}

static void print_all(const struct message *message)
{
	char text[512];

	message_format(message, text, sizeof(text));
	REQUIRE(strlen(text) < sizeof(text));
	message_format(message, text, 20);
	REQUIRE(strlen(text) < 20);
	for (int i = 0; i < message->count; i++)
		payload_format(&message->payloads[i], text, sizeof(text));
}

static void require_same(const struct message *a, const struct message *b)
{
	REQUIRE(a->count == b->count && a->sa.count == b->sa.count);
	REQUIRE(a->tsi.count == b->tsi.count && a->tsr.count == b->tsr.count);
	for (int i = 0; i < a->count; i++)
		REQUIRE(a->payloads[i].type == b->payloads[i].type &&
			a->payloads[i].critical == b->payloads[i].critical);
	for (int i = 0; i < a->sa.count; i++)
		REQUIRE(a->sa.items[i].spi == b->sa.items[i].spi && a->sa.items[i].count == b->sa.items[i].count);
	for (int i = 0; i < a->tsi.count; i++)
		REQUIRE(selector_equal(&a->tsi.items[i], &b->tsi.items[i]));
	for (int i = 0; i < a->tsr.count; i++)
		REQUIRE(selector_equal(&a->tsr.items[i], &b->tsr.items[i]));
}

static void require_same_transform(const struct transform *a, const struct transform *b)
{
	REQUIRE(a->type == b->type && a->id == b->id && a->key_bits == b->key_bits);
}

/* What was accepted is read to its end, and begins as the list does. */
static void walk_offer(const struct message *message)
{
	struct offer offer = message_offer(message);
	struct offered offered;
	int count = 0;

	for (; offer_next(&offer, &offered); count++) {
		if (count >= message->sa.count)
			continue;
		const struct proposal *p = &message->sa.items[count];
		REQUIRE(offered.number == p->number && offered.protocol == p->protocol && offered.spi == p->spi);
		REQUIRE(offered.count == p->count || p->count == PROPOSAL_TRANSFORMS_MAX);
		for (int i = 0; i < p->count; i++)
			require_same_transform(&offered.transforms[i], &p->transforms[i]);
	}
	REQUIRE(!offer.rest.len && count >= message->sa.count && count <= UINT8_MAX);
}

/* Encoding what was decoded, decoding that and encoding it again gives the same bytes. */
static void round_trip(const struct message *message)
{
	static uint8_t once[IKE_MESSAGE_BYTES_MAX], twice[IKE_MESSAGE_BYTES_MAX];
	static struct message again;
	struct writer first = writer_init(once, sizeof(once)), second = writer_init(twice, sizeof(twice));
	struct wire_error error;

	walk_offer(message);
	REQUIRE(message_encode(message, &first) == 0);
	REQUIRE(message_decode(writer_view(&first), &again, &error) == 0);
	require_same(message, &again);
	REQUIRE(message_encode(&again, &second) == 0);
	REQUIRE(bytes_equal(writer_view(&first), writer_view(&second)));
}

/* The same for payloads that were inside SK. */
static void inner_round_trip(struct bytes plaintext, uint8_t first)
{
	static struct message inner;
	struct wire_error error;

	message_init(&inner, 1, 2, INFORMATIONAL, IKE_FLAG_INITIATOR, 1);
	if (message_decode_inner(plaintext, first, &inner, &error) == 0)
		round_trip(&inner);
}

static void decode_one(struct bytes datagram)
{
	static struct message message;
	struct wire_error error;
	int rc = message_decode(datagram, &message, &error);

	require_error(rc, &error, datagram.len);
	if (rc)
		return;
	round_trip(&message);
	const struct payload *sk = message_find(&message, PAYLOAD_SK);
	if (sk) {
		inner_round_trip(sk->sk.data, sk->sk.first_inner);
		rc = message_decode_inner(sk->sk.data, sk->sk.first_inner, &message, &error);
		require_error(rc, &error, sk->sk.data.len);
	}
	if (rc == 0)
		require_error(message_check(&message, &error), &error, datagram.len);
	print_all(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t fixed[IKE_MESSAGE_BYTES_MAX];

	if (size > sizeof(fixed))
		return 0;
	decode_one(BYTES(data, size));
	if (size < IKE_HEADER_BYTES)
		return 0;
	/* once more with a header that lets the payloads be reached */
	memcpy(fixed, data, size);
	fixed[17] = 0x20;
	store_be32(fixed + 24, (uint32_t)size);
	decode_one(BYTES(fixed, size));
	return 0;
}
