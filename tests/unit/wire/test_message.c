/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers, the chain of payloads, building and printing whole messages. */
#include "wire_test.h"

static struct message message, again;
static struct wire_error error;

/* The verdict on a bare header with one byte changed. */
static struct wire_error header_error(enum ike_exchange exchange, uint8_t flags, int offset, uint8_t value)
{
	struct bytes in = datagram(exchange, flags, 0, "");
	uint8_t data[IKE_HEADER_BYTES];
	struct ike_header header;

	memcpy(data, in.data, sizeof(data));
	if (offset >= 0)
		data[offset] = value;
	CU_ASSERT_EQUAL(header_decode(BYTES_OF(data), &header, &error), error.reason ? -EBADMSG : 0);
	return error;
}

static void test_header_both_ways(void)
{
	struct ike_header in = { 0x0102030405060708, 0x1112131415161718, PAYLOAD_SK, 0x20, INFORMATIONAL,
		IKE_FLAG_RESPONSE, 0x01020304, IKE_HEADER_BYTES };
	struct ike_header out;
	uint8_t data[IKE_HEADER_BYTES];
	char hex[2 * IKE_HEADER_BYTES + 1];
	struct writer w = writer_init(data, sizeof(data));

	CU_ASSERT_EQUAL(header_encode(&in, &w), 0);
	CU_ASSERT_STRING_EQUAL(hex_encode(BYTES_OF(data), hex), "01020304050607081112131415161718"
								"2e202520010203040000001c");
	CU_ASSERT_EQUAL(header_decode(BYTES_OF(data), &out, &error), 0);
	CU_ASSERT_EQUAL(memcmp(&in, &out, sizeof(in)), 0);
}

static void test_header_every_truncation_is_refused(void)
{
	struct bytes in = datagram(INFORMATIONAL, 0, 0, "");
	struct ike_header header;

	for (size_t len = 0; len < IKE_HEADER_BYTES; len++) {
		CU_ASSERT_EQUAL(header_decode(BYTES(in.data, len), &header, &error), -EBADMSG);
		CU_ASSERT_EQUAL(error.reason, WIRE_TRUNCATED);
	}
	CU_ASSERT_EQUAL(header_decode(BYTES_NONE, &header, &error), -EBADMSG);
}

static void test_header_major_version_must_be_2(void)
{
	ASSERT_ERROR(header_error(INFORMATIONAL, 0, 17, 0x10), WIRE_VERSION, 17, 0);
	ASSERT_ERROR(header_error(INFORMATIONAL, 0, 17, 0x30), WIRE_VERSION, 17, 0);
	ASSERT_ERROR(header_error(INFORMATIONAL, 0, 17, 0x2f), WIRE_OK, 0, 0);
	CU_ASSERT_EQUAL(wire_reason_notify(WIRE_VERSION), NOTIFY_INVALID_MAJOR_VERSION);
}

static void test_header_length_must_be_the_datagram_s(void)
{
	ASSERT_ERROR(header_error(INFORMATIONAL, 0, 27, 27), WIRE_LENGTH, 24, 0);
	ASSERT_ERROR(header_error(INFORMATIONAL, 0, 27, 29), WIRE_TRUNCATED, 24, 0);
	ASSERT_ERROR(header_error(INFORMATIONAL, 0, 24, 0x80), WIRE_TRUNCATED, 24, 0);
	struct bytes in = datagram(INFORMATIONAL, 0, 0, "");
	CU_ASSERT_EQUAL(message_decode(BYTES(in.data, in.len + 1), &message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_TRAILING, IKE_HEADER_BYTES, 0);
}

static void test_header_spis_must_fit_the_exchange(void)
{
	uint8_t data[IKE_HEADER_BYTES] = { 0 };
	struct ike_header h = { 0, 2, 0, 0x20, INFORMATIONAL, 0, 0, IKE_HEADER_BYTES };
	struct writer w = writer_init(data, sizeof(data));

	header_encode(&h, &w);
	CU_ASSERT_EQUAL(header_decode(BYTES_OF(data), &h, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_SPI, 0, 0);
	ASSERT_ERROR(header_error(IKE_SA_INIT, IKE_FLAG_INITIATOR, 15, 1), WIRE_SPI, 8, 0);
	h = (struct ike_header){ 1, 0, 0, 0x20, IKE_AUTH, IKE_FLAG_INITIATOR, 1, IKE_HEADER_BYTES };
	w = writer_init(data, sizeof(data));
	header_encode(&h, &w);
	CU_ASSERT_EQUAL(header_decode(BYTES_OF(data), &h, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_SPI, 8, 0);
}

static void test_header_flags_must_fit_the_exchange(void)
{
	ASSERT_ERROR(header_error(IKE_SA_INIT, 0, -1, 0), WIRE_FLAGS, 19, 0);
	ASSERT_ERROR(header_error(IKE_AUTH, IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR, -1, 0), WIRE_FLAGS, 19, 0);
	ASSERT_ERROR(header_error(INFORMATIONAL, IKE_FLAG_RESPONSE | IKE_FLAG_INITIATOR, -1, 0), WIRE_OK, 0, 0);
	ASSERT_ERROR(header_error(IKE_AUTH, IKE_FLAG_RESPONSE | IKE_FLAG_VERSION | 0xc7, -1, 0), WIRE_OK, 0, 0);
}

static void test_header_init_has_message_id_0(void)
{
	ASSERT_ERROR(header_error(IKE_SA_INIT, IKE_FLAG_INITIATOR, 23, 1), WIRE_VALUE, 20, 0);
}

static void test_chain_payload_length_must_fit(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, ""), WIRE_TRUNCATED, 0, PAYLOAD_VENDOR);
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "000000"), WIRE_TRUNCATED, 2, PAYLOAD_VENDOR);
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "00000003"), WIRE_LENGTH, 2, PAYLOAD_VENDOR);
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "00000005"), WIRE_LENGTH, 2, PAYLOAD_VENDOR);
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "0000ffff"), WIRE_LENGTH, 2, PAYLOAD_VENDOR);
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "00000000"), WIRE_LENGTH, 2, PAYLOAD_VENDOR);
}

static void test_chain_trailing_bytes_are_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "00000004:01"), WIRE_TRAILING, 4, 0);
	ASSERT_ERROR(decode_error(PAYLOAD_NONE, "01"), WIRE_TRAILING, 0, 0);
}

static void test_chain_ends_with_sk(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SK, "2b000005:01"), WIRE_OK, 0, 0);
	ASSERT_ERROR(decode_error(PAYLOAD_SK, "2b000005:01:00000004"), WIRE_TRAILING, 5, 0);
}

/* Bytes of n empty vendor payloads. */
static struct bytes many_vendors(size_t n)
{
	static char hex[8 * (MESSAGE_PAYLOADS_MAX + 2) + 1];

	hex[0] = '\0';
	for (size_t i = 0; i < n; i++)
		strcat(hex, i == n - 1 ? "00000004" : "2b000004");
	return datagram(IKE_SA_INIT, IKE_FLAG_INITIATOR, PAYLOAD_VENDOR, hex);
}

static void test_chain_too_many_payloads(void)
{
	CU_ASSERT_EQUAL(message_decode(many_vendors(MESSAGE_PAYLOADS_MAX), &message, &error), 0);
	CU_ASSERT_EQUAL(message.count, MESSAGE_PAYLOADS_MAX);
	CU_ASSERT_EQUAL(message_decode(many_vendors(MESSAGE_PAYLOADS_MAX + 1), &message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_TOO_MANY, IKE_HEADER_BYTES + 4 * MESSAGE_PAYLOADS_MAX, PAYLOAD_VENDOR);
}

static void test_inner_payloads_are_appended(void)
{
	static const uint8_t inner[] = { 0x29, 0, 0, 5, 0xaa, 0, 0, 0, 8, 0, 0, 0x40, 0x00 };

	CU_ASSERT_EQUAL_FATAL(
		message_decode(datagram(INFORMATIONAL, 0, PAYLOAD_SK, "2b000005:01"), &message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message_decode_inner(BYTES_OF(inner), PAYLOAD_VENDOR, &message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message.count, 3);
	CU_ASSERT(!message.payloads[0].encrypted && message.payloads[1].encrypted && message.payloads[2].encrypted);
	CU_ASSERT_EQUAL(message.payloads[2].offset, 5);
	CU_ASSERT_PTR_EQUAL(message_find_notify(&message, NOTIFY_INITIAL_CONTACT), &message.payloads[2]);
	CU_ASSERT_PTR_EQUAL(message_find(&message, PAYLOAD_VENDOR), &message.payloads[1]);
}

static void test_inner_may_be_empty(void)
{
	message_decode(datagram(INFORMATIONAL, 0, PAYLOAD_SK, "00000005:01"), &message, &error);
	CU_ASSERT_EQUAL(message_decode_inner(BYTES_NONE, PAYLOAD_NONE, &message, &error), 0);
	CU_ASSERT_EQUAL(message.count, 1);
	CU_ASSERT_EQUAL(message_decode_inner(BYTES("x", 1), PAYLOAD_NONE, &message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_TRAILING, 0, 0);
}

static void test_inner_sk_is_refused(void)
{
	static const uint8_t inner[] = { 0, 0, 0, 5, 1 };

	message_decode(datagram(INFORMATIONAL, 0, PAYLOAD_SK, "2e000005:01"), &message, &error);
	CU_ASSERT_EQUAL(message_decode_inner(BYTES_OF(inner), PAYLOAD_SK, &message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_UNEXPECTED, 0, PAYLOAD_SK);
}

static void test_inner_fault_has_offset_in_plaintext(void)
{
	static const uint8_t inner[] = { 0x28, 0, 0, 4, 0, 0, 0, 5, 1 };

	message_decode(datagram(INFORMATIONAL, 0, PAYLOAD_SK, "2b000005:01"), &message, &error);
	CU_ASSERT_EQUAL(message_decode_inner(BYTES_OF(inner), PAYLOAD_VENDOR, &message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_LENGTH, 8, PAYLOAD_NONCE);
}

/* A first message as the engine would build it. */
static void build_init(struct message *m, const uint8_t *bytes)
{
	static struct proposal_list sa;
	const char *word, *why;
	size_t word_len;

	sa.count = 1;
	CU_ASSERT_EQUAL_FATAL(
		proposal_parse(PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384", &sa.items[0], &word, &word_len, &why), 0);
	message_init(m, 0x0102030405060708, 0, IKE_SA_INIT, IKE_FLAG_INITIATOR, 0);
	message_add_sa(m, &sa);
	struct payload *ke = message_add(m, PAYLOAD_KE);
	ke->ke.group = KE_ECP_384;
	ke->ke.data = BYTES(bytes, 96);
	message_add(m, PAYLOAD_NONCE)->nonce = BYTES(bytes, 32);
	message_add_notify(m, NOTIFY_NAT_DETECTION_SOURCE_IP, BYTES(bytes, 20));
}

static void test_built_message_decodes_to_itself(void)
{
	uint8_t bytes[96];

	memset(bytes, 0x5a, sizeof(bytes));
	build_init(&message, bytes);
	CU_ASSERT_EQUAL_FATAL(round_trip(&message, &again), 0);
	CU_ASSERT_EQUAL(again.count, 4);
	CU_ASSERT_EQUAL(again.header.next_payload, PAYLOAD_SA);
	CU_ASSERT_EQUAL(again.header.length, IKE_HEADER_BYTES + 4 + 36 + 8 + 96 + 4 + 32 + 8 + 20);
	CU_ASSERT(proposals_equal(&again.sa, &message.sa));
	CU_ASSERT_EQUAL(again.payloads[1].ke.group, KE_ECP_384);
	CU_ASSERT(bytes_equal(again.payloads[1].ke.data, message.payloads[1].ke.data));
	CU_ASSERT(bytes_equal(again.payloads[2].nonce, message.payloads[2].nonce));
	CU_ASSERT(bytes_equal(again.payloads[3].notify.data, message.payloads[3].notify.data));
	CU_ASSERT_EQUAL(message_check(&again, &error), 0);
}

static void test_built_message_every_truncation_is_refused(void)
{
	uint8_t bytes[96] = { 1 }, data[512];
	struct writer w = writer_init(data, sizeof(data));

	build_init(&message, bytes);
	CU_ASSERT_EQUAL_FATAL(message_encode(&message, &w), 0);
	for (size_t len = 0; len < w.len; len++) {
		CU_ASSERT_EQUAL(message_decode(BYTES(data, len), &again, &error), -EBADMSG);
		/* the same with a header that tells the cut length: now the chain has to notice */
		if (len < IKE_HEADER_BYTES)
			continue;
		store_be32(data + 24, (uint32_t)len);
		CU_ASSERT_EQUAL(message_decode(BYTES(data, len), &again, &error), -EBADMSG);
		store_be32(data + 24, (uint32_t)w.len);
	}
}

static void test_encode_into_every_short_buffer_fails(void)
{
	uint8_t bytes[96] = { 1 }, data[512];
	struct writer full = writer_init(data, sizeof(data));

	build_init(&message, bytes);
	CU_ASSERT_EQUAL_FATAL(message_encode(&message, &full), 0);
	for (size_t capacity = 0; capacity < full.len; capacity++) {
		struct writer w = writer_init(data, capacity);
		CU_ASSERT_EQUAL(message_encode(&message, &w), -EMSGSIZE);
	}
}

/* The non-ESP marker stands before the message in the same buffer. */
static void test_encode_behind_other_bytes(void)
{
	uint8_t data[64];
	struct writer w = writer_init(data, sizeof(data));

	writer_zero(&w, NON_ESP_MARKER_BYTES);
	message_init(&message, 1, 2, INFORMATIONAL, IKE_FLAG_RESPONSE, 9);
	CU_ASSERT_EQUAL(message_encode(&message, &w), 0);
	CU_ASSERT_EQUAL(w.len, NON_ESP_MARKER_BYTES + IKE_HEADER_BYTES);
	CU_ASSERT_EQUAL(message_decode(BYTES(data + 4, IKE_HEADER_BYTES), &again, &error), 0);
	CU_ASSERT_EQUAL(again.header.message_id, 9);
}

static void test_encode_oversized_payload_fails(void)
{
	static uint8_t big[65532], data[2 * 65536];
	struct writer w = writer_init(data, sizeof(data));

	message_init(&message, 1, 2, INFORMATIONAL, 0, 0);
	message_add(&message, PAYLOAD_VENDOR)->vendor = BYTES_OF(big);
	CU_ASSERT_EQUAL(message_encode(&message, &w), -EMSGSIZE);
	w = writer_init(data, sizeof(data));
	message.payloads[0].vendor.len = 40000;
	message_add(&message, PAYLOAD_VENDOR)->vendor = BYTES(big, 40000);
	CU_ASSERT_EQUAL(message_encode(&message, &w), -EMSGSIZE);
}

static void test_payloads_encode_gives_first_type(void)
{
	uint8_t data[64], first = 99;
	struct writer w = writer_init(data, sizeof(data));

	message_init(&message, 1, 2, INFORMATIONAL, 0, 0);
	CU_ASSERT_EQUAL(payloads_encode(&message, &w, &first), 0);
	CU_ASSERT(first == PAYLOAD_NONE && w.len == 0);
	struct payload *p = message_add(&message, PAYLOAD_DELETE);
	p->del.protocol = PROTOCOL_IKE;
	CU_ASSERT_EQUAL(payloads_encode(&message, &w, &first), 0);
	CU_ASSERT(first == PAYLOAD_DELETE && w.len == 8);
}

static void test_full_message_refuses_more(void)
{
	uint8_t data[1024];
	struct writer w = writer_init(data, sizeof(data));

	message_init(&message, 1, 2, INFORMATIONAL, 0, 0);
	for (int i = 0; i < MESSAGE_PAYLOADS_MAX; i++)
		CU_ASSERT_PTR_NOT_NULL(message_add(&message, PAYLOAD_VENDOR));
	CU_ASSERT_EQUAL(message_encode(&message, &w), 0);
	CU_ASSERT_PTR_NULL(message_add_notify(&message, NOTIFY_INITIAL_CONTACT, BYTES_NONE));
	w = writer_init(data, sizeof(data));
	CU_ASSERT_EQUAL(message_encode(&message, &w), -EMSGSIZE);
}

static void test_identity_both_ways(void)
{
	struct identity id, out;

	CU_ASSERT_EQUAL_FATAL(identity_parse("gw.example.net", &id), 0);
	message_init(&message, 1, 2, IKE_AUTH, IKE_FLAG_INITIATOR, 1);
	message_add_id(&message, PAYLOAD_IDI, &id);
	CU_ASSERT_EQUAL_FATAL(round_trip(&message, &again), 0);
	CU_ASSERT_EQUAL_FATAL(identity_from_bytes(again.payloads[0].id.type, again.payloads[0].id.data, &out), 0);
	CU_ASSERT(identity_equal(&id, &out));
}

static void test_find_error_skips_status(void)
{
	message_init(&message, 1, 2, INFORMATIONAL, IKE_FLAG_RESPONSE, 0);
	message_add_notify(&message, NOTIFY_INITIAL_CONTACT, BYTES_NONE);
	CU_ASSERT_PTR_NULL(message_find_error(&message));
	message_add_notify(&message, NOTIFY_TS_UNACCEPTABLE, BYTES_NONE);
	CU_ASSERT_PTR_EQUAL(message_find_error(&message), &message.payloads[1]);
	CU_ASSERT_PTR_NULL(message_find_notify(&message, NOTIFY_COOKIE));
}

static void test_format_names_the_payloads(void)
{
	uint8_t bytes[96] = { 0 };
	char text[200];

	build_init(&message, bytes);
	CU_ASSERT_STRING_EQUAL(message_format(&message, text, sizeof(text)),
		"IKE_SA_INIT request 0 { SA KE No N(NAT_DETECTION_SOURCE_IP) }");
	message_format(&message, text, 16);
	CU_ASSERT_STRING_EQUAL(text, "IKE_SA_INIT req");
	message_format(&message, text, 1);
	CU_ASSERT_STRING_EQUAL(text, "");
}

static void test_format_shows_what_was_encrypted(void)
{
	static const uint8_t inner[] = { 0x2a, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 12, 3, 4, 0, 1, 1, 2, 3, 4 };
	char text[200];

	message_decode(datagram(INFORMATIONAL, IKE_FLAG_RESPONSE, PAYLOAD_SK, "2a000005:01"), &message, &error);
	CU_ASSERT_EQUAL(message_decode_inner(BYTES_OF(inner), PAYLOAD_DELETE, &message, &error), 0);
	CU_ASSERT_STRING_EQUAL(
		message_format(&message, text, sizeof(text)), "INFORMATIONAL response 0 { SK { D(IKE) D(ESP 1) } }");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_header_both_ways),
		TEST(test_header_every_truncation_is_refused),
		TEST(test_header_major_version_must_be_2),
		TEST(test_header_length_must_be_the_datagram_s),
		TEST(test_header_spis_must_fit_the_exchange),
		TEST(test_header_flags_must_fit_the_exchange),
		TEST(test_header_init_has_message_id_0),
		TEST(test_chain_payload_length_must_fit),
		TEST(test_chain_trailing_bytes_are_refused),
		TEST(test_chain_ends_with_sk),
		TEST(test_chain_too_many_payloads),
		TEST(test_inner_payloads_are_appended),
		TEST(test_inner_may_be_empty),
		TEST(test_inner_sk_is_refused),
		TEST(test_inner_fault_has_offset_in_plaintext),
		TEST(test_built_message_decodes_to_itself),
		TEST(test_built_message_every_truncation_is_refused),
		TEST(test_encode_into_every_short_buffer_fails),
		TEST(test_encode_behind_other_bytes),
		TEST(test_encode_oversized_payload_fails),
		TEST(test_payloads_encode_gives_first_type),
		TEST(test_full_message_refuses_more),
		TEST(test_identity_both_ways),
		TEST(test_find_error_skips_status),
		TEST(test_format_names_the_payloads),
		TEST(test_format_shows_what_was_encrypted),
	};

	return test_main("wire_message", tests, ARRAY_LEN(tests), argc, argv);
}
