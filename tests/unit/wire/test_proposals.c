/* SPDX-License-Identifier: BSD-3-Clause */
/* SA payloads: offers as peers write them, their limits, and what is refused. */
#include "wire_test.h"

/* One IKE proposal AES-GCM-256 / PRF-SHA384 / ECP-384 without SPI. */
#define GCM_PROPOSAL                                                                                                   \
	"00000024:01010003:"                                                                                           \
	"0300000c:01000014:800e0100:"                                                                                  \
	"03000008:02000006:"                                                                                           \
	"00000008:04000014"

static struct message message;
static struct wire_error error;

static void assert_transform(const struct transform *t, uint8_t type, uint16_t id, uint16_t key_bits)
{
	CU_ASSERT_EQUAL(t->type, type);
	CU_ASSERT_EQUAL(t->id, id);
	CU_ASSERT_EQUAL(t->key_bits, key_bits);
}

static void test_proposal_both_ways(void)
{
	static uint8_t data[256];
	struct writer w = writer_init(data, sizeof(data));
	struct bytes in = datagram(IKE_SA_INIT, IKE_FLAG_INITIATOR, PAYLOAD_SA, "00000028:" GCM_PROPOSAL);

	CU_ASSERT_EQUAL_FATAL(message_decode(in, &message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message.sa.count, 1);
	const struct proposal *p = &message.sa.items[0];
	CU_ASSERT(p->protocol == PROTOCOL_IKE && p->number == 1 && p->spi_len == 0);
	CU_ASSERT_EQUAL_FATAL(p->count, 3);
	assert_transform(&p->transforms[0], TRANSFORM_ENCR, ENCR_AES_GCM_16, 256);
	assert_transform(&p->transforms[1], TRANSFORM_PRF, PRF_HMAC_SHA2_384, 0);
	assert_transform(&p->transforms[2], TRANSFORM_KE, KE_ECP_384, 0);
	CU_ASSERT_EQUAL(message_encode(&message, &w), 0);
	CU_ASSERT(bytes_equal(in, writer_view(&w)));
}

static void test_spi_of_esp_and_ike_both_ways(void)
{
	static struct message again;
	struct proposal_list list = { .count = 2 };

	list.items[0] = (struct proposal){ .protocol = PROTOCOL_ESP, .spi_len = 4, .number = 1, .spi = 0xc0ffee01 };
	list.items[1] = (struct proposal){ .protocol = PROTOCOL_IKE, .spi_len = 8, .number = 2, .spi = 1ull << 63 };
	proposal_add(&list.items[0], TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	message_init(&message, 1, 2, CREATE_CHILD_SA, IKE_FLAG_INITIATOR, 7);
	message_add_sa(&message, &list);
	CU_ASSERT_EQUAL_FATAL(round_trip(&message, &again), 0);
	CU_ASSERT(proposals_equal(&again.sa, &list));
}

static void test_spi_size_must_fit_protocol(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000010:0000000c:01030400:01020304"), WIRE_OK, 0, 0);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:00000008:01030000"), WIRE_VALUE, 10, PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000010:0000000c:01010400:01020304"), WIRE_VALUE, 10, PAYLOAD_SA);
	ASSERT_ERROR(
		decode_error(PAYLOAD_SA, "00000014:00000010:01020800:0102030405060708"), WIRE_VALUE, 10, PAYLOAD_SA);
}

static void test_spi_longer_than_proposal_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000e:0000000a:01030400:0102"), WIRE_TRUNCATED, 12, PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000010:0000000a:01030400:01020304"), WIRE_LENGTH, 6, PAYLOAD_SA);
}

static void test_empty_sa_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000004"), WIRE_TRUNCATED, 4, PAYLOAD_SA);
}

static void test_proposal_length_must_fit(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:00000007:01010000"), WIRE_LENGTH, 6, PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:00000009:01010000"), WIRE_LENGTH, 6, PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:0000ffff:01010000"), WIRE_LENGTH, 6, PAYLOAD_SA);
}

static void test_last_substructure_must_be_true(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:02000008:01010000"), WIRE_VALUE, 4, PAYLOAD_SA);
	ASSERT_ERROR(
		decode_error(PAYLOAD_SA, "00000014:00000008:01010000:00000008:02010000"), WIRE_VALUE, 4, PAYLOAD_SA);
	ASSERT_ERROR(
		decode_error(PAYLOAD_SA, "00000014:00000010:01010001:03000008:02000005"), WIRE_VALUE, 12, PAYLOAD_SA);
}

/* RFC 7296 3.3.1: counted from 1; a response repeats the number it chose. */
static void test_proposal_numbers_count_up(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:00000008:05010000"), WIRE_OK, 0, 0);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000000c:00000008:00010000"), WIRE_VALUE, 8, PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000014:02000008:01010000:00000008:02010000"), WIRE_OK, 0, 0);
	ASSERT_ERROR(
		decode_error(PAYLOAD_SA, "00000014:02000008:01010000:00000008:01010000"), WIRE_VALUE, 16, PAYLOAD_SA);
}

static void test_transform_count_must_be_exact(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000014:00000010:01010002:03000008:02000005"), WIRE_TRUNCATED, 20,
		PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000014:00000010:01010000:00000008:02000005"), WIRE_TRAILING, 12,
		PAYLOAD_SA);
}

static void test_transform_length_must_fit(void)
{
	ASSERT_ERROR(
		decode_error(PAYLOAD_SA, "00000014:00000010:01010001:00000007:02000005"), WIRE_LENGTH, 14, PAYLOAD_SA);
	ASSERT_ERROR(
		decode_error(PAYLOAD_SA, "00000014:00000010:01010001:0000000c:02000005"), WIRE_LENGTH, 14, PAYLOAD_SA);
}

static void test_attribute_must_fit(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "00000016:00000012:01010001:0000000a:01000014:800e"), WIRE_TRUNCATED, 22,
		PAYLOAD_SA);
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "0000001a:00000016:01010001:0000000e:01000014:00110003:0102"),
		WIRE_LENGTH, 20, PAYLOAD_SA);
}

static uint16_t key_bits_of(const char *attributes_hex, uint8_t attributes_bytes)
{
	char hex[128];

	snprintf(hex, sizeof(hex), "000000%02x:000000%02x:01010001:000000%02x:0100000c:%s", 20 + attributes_bytes,
		16 + attributes_bytes, 8 + attributes_bytes, attributes_hex);
	CU_ASSERT_EQUAL_FATAL(decode_init(PAYLOAD_SA, hex, &message, &error), 0);
	return message.sa.items[0].transforms[0].key_bits;
}

/* RFC 7296 3.3.6: a transform with an attribute that is not understood must not be chosen; the offer stands. */
static void test_unknown_attribute_makes_transform_unselectable(void)
{
	CU_ASSERT_EQUAL(key_bits_of("800e0080", 4), 128);
	CU_ASSERT_EQUAL(key_bits_of("80110001", 4), KEY_BITS_NOT_UNDERSTOOD);
	CU_ASSERT_EQUAL(key_bits_of("800e0080:80110001", 8), KEY_BITS_NOT_UNDERSTOOD);
	CU_ASSERT_EQUAL(key_bits_of("80110001:800e0080", 8), KEY_BITS_NOT_UNDERSTOOD);
	CU_ASSERT_EQUAL(key_bits_of("00110002:abcd", 6), KEY_BITS_NOT_UNDERSTOOD);
	CU_ASSERT_EQUAL(key_bits_of("000e0002:0080", 6), KEY_BITS_NOT_UNDERSTOOD);
	CU_ASSERT_PTR_NULL(alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, KEY_BITS_NOT_UNDERSTOOD));
}

static void test_key_length_twice_or_zero_is_not_understood(void)
{
	CU_ASSERT_EQUAL(key_bits_of("800e0080:800e0100", 8), KEY_BITS_NOT_UNDERSTOOD);
	CU_ASSERT_EQUAL(key_bits_of("800e0000", 4), KEY_BITS_NOT_UNDERSTOOD);
}

static void test_unknown_transform_is_kept(void)
{
	CU_ASSERT_EQUAL_FATAL(
		decode_init(PAYLOAD_SA, "00000014:00000010:01010001:00000008:f100eeee", &message, &error), 0);
	assert_transform(&message.sa.items[0].transforms[0], 0xf1, 0xeeee, 0);
}

static void test_unknown_protocol_is_kept_without_spi(void)
{
	CU_ASSERT_EQUAL_FATAL(
		decode_init(PAYLOAD_SA, "00000015:00000011:01ee0900:010203040506070809", &message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message.sa.count, 1);
	CU_ASSERT_EQUAL(message.sa.items[0].protocol, 0xee);
	CU_ASSERT_EQUAL(message.sa.items[0].spi_len, 0);
}

/* An SA payload of `count` proposals with `transforms` transforms each (type 1, ID counted up). */
static struct bytes long_offer(int count, int transforms)
{
	static uint8_t data[32768];
	struct writer w = writer_init(data, sizeof(data));
	struct ike_header h = { .spi_i = 1,
		.next_payload = PAYLOAD_SA,
		.version = 0x20,
		.exchange = IKE_SA_INIT,
		.flags = IKE_FLAG_INITIATOR };

	h.length = (uint32_t)(IKE_HEADER_BYTES + 4 + count * (8 + 8 * transforms));
	header_encode(&h, &w);
	writer_u16(&w, 0);
	writer_u16(&w, (uint16_t)(h.length - IKE_HEADER_BYTES));
	for (int i = 0; i < count; i++) {
		writer_u16(&w, i == count - 1 ? 0 : 0x200);
		writer_u16(&w, (uint16_t)(8 + 8 * transforms));
		writer_u32(&w, (uint32_t)(i + 1) << 24 | PROTOCOL_IKE << 16 | (uint32_t)transforms);
		for (int k = 0; k < transforms; k++) {
			writer_u32(&w, (k == transforms - 1 ? 0 : 0x3000000u) | 8);
			writer_u32(&w, TRANSFORM_ENCR << 24 | (uint32_t)k);
		}
	}
	CU_ASSERT_FATAL(!w.failed && w.len == h.length);
	return writer_view(&w);
}

/* A legal offer is not refused for its length, and is read to its end. */
static void test_long_offer_is_read_whole(void)
{
	struct offered offered;
	int count = 0;

	CU_ASSERT_EQUAL_FATAL(message_decode(long_offer(255, 3), &message, &error), 0);
	for (struct offer offer = message_offer(&message); offer_next(&offer, &offered); count++) {
		CU_ASSERT_EQUAL(offered.number, count + 1);
		CU_ASSERT_EQUAL(offered.protocol, PROTOCOL_IKE);
		CU_ASSERT_EQUAL_FATAL(offered.count, 3);
		assert_transform(&offered.transforms[2], TRANSFORM_ENCR, 2, 0);
	}
	CU_ASSERT_EQUAL(count, 255);
	CU_ASSERT_EQUAL_FATAL(message_decode(long_offer(2, 255), &message, &error), 0);
	struct offer offer = message_offer(&message);
	CU_ASSERT_TRUE(offer_next(&offer, &offered) && offer_next(&offer, &offered));
	CU_ASSERT_EQUAL_FATAL(offered.count, 255);
	assert_transform(&offered.transforms[254], TRANSFORM_ENCR, 254, 0);
	CU_ASSERT_FALSE(offer_next(&offer, &offered));
}

/* The list has as much as there is room for. */
static void test_list_has_the_beginning_of_a_long_offer(void)
{
	CU_ASSERT_EQUAL_FATAL(message_decode(long_offer(200, 3), &message, &error), 0);
	CU_ASSERT_EQUAL(message.sa.count, PROPOSALS_MAX);
	CU_ASSERT_EQUAL(message.sa.items[PROPOSALS_MAX - 1].number, PROPOSALS_MAX);
	CU_ASSERT_EQUAL_FATAL(message_decode(long_offer(2, 255), &message, &error), 0);
	CU_ASSERT_EQUAL(message.sa.count, 2);
	CU_ASSERT_EQUAL(message.sa.items[1].count, PROPOSAL_TRANSFORMS_MAX);
	CU_ASSERT_EQUAL(message.sa.items[1].transforms[PROPOSAL_TRANSFORMS_MAX - 1].id, PROPOSAL_TRANSFORMS_MAX - 1);
}

static void test_more_proposals_than_there_are_numbers_are_refused(void)
{
	CU_ASSERT_EQUAL(message_decode(long_offer(256, 1), &message, &error), -EBADMSG);
	CU_ASSERT_EQUAL(error.reason, WIRE_VALUE);
}

static void test_offer_without_a_type_of_transforms(void)
{
	struct bytes in = datagram(IKE_SA_INIT, IKE_FLAG_INITIATOR, PAYLOAD_SA, "00000028:" GCM_PROPOSAL);
	struct offered offered;

	CU_ASSERT_EQUAL_FATAL(message_decode(in, &message, &error), 0);
	struct offer offer = message_offer(&message), again = offer;
	offer.left_out = TRANSFORM_PRF;
	CU_ASSERT_TRUE_FATAL(offer_next(&offer, &offered));
	CU_ASSERT_EQUAL_FATAL(offered.count, 2);
	assert_transform(&offered.transforms[1], TRANSFORM_KE, KE_ECP_384, 0);
	/* a copy is a place of its own */
	CU_ASSERT_TRUE(offer_next(&again, &offered));
	CU_ASSERT_EQUAL(offered.count, 3);
}

static void test_offer_names_its_protocols(void)
{
	CU_ASSERT_EQUAL_FATAL(
		decode_init(PAYLOAD_SA,
			"0000002d:0200000c:01030400:01020304:0200000c:02020400:01020304:00000011:03ee0900:"
			"010203040506070809",
			&message, &error),
		0);
	CU_ASSERT_EQUAL(offer_protocols(message_offer(&message)), 1u << PROTOCOL_ESP | 1u << PROTOCOL_AH);
	message_init(&message, 1, 2, INFORMATIONAL, 0, 0);
	CU_ASSERT_EQUAL(offer_protocols(message_offer(&message)), 0);
}

static void test_fault_at_the_end_of_a_long_offer_is_found(void)
{
	struct bytes offer = long_offer(20, 1);
	uint8_t data[1024];

	CU_ASSERT_FATAL(offer.len < sizeof(data));
	memcpy(data, offer.data, offer.len);
	data[offer.len - 8] = 3; /* "more transforms" in the last transform of the last proposal */
	CU_ASSERT_EQUAL(message_decode(BYTES(data, offer.len), &message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_VALUE, offer.len - 8, PAYLOAD_SA);
}

static void test_second_sa_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_SA, "2100000c:00000008:01010000:0000000c:00000008:01010000"), WIRE_REPEATED,
		16, PAYLOAD_SA);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_proposal_both_ways),
		TEST(test_spi_of_esp_and_ike_both_ways),
		TEST(test_spi_size_must_fit_protocol),
		TEST(test_spi_longer_than_proposal_is_refused),
		TEST(test_empty_sa_is_refused),
		TEST(test_proposal_length_must_fit),
		TEST(test_last_substructure_must_be_true),
		TEST(test_proposal_numbers_count_up),
		TEST(test_transform_count_must_be_exact),
		TEST(test_transform_length_must_fit),
		TEST(test_attribute_must_fit),
		TEST(test_unknown_attribute_makes_transform_unselectable),
		TEST(test_key_length_twice_or_zero_is_not_understood),
		TEST(test_unknown_transform_is_kept),
		TEST(test_unknown_protocol_is_kept_without_spi),
		TEST(test_long_offer_is_read_whole),
		TEST(test_list_has_the_beginning_of_a_long_offer),
		TEST(test_more_proposals_than_there_are_numbers_are_refused),
		TEST(test_offer_without_a_type_of_transforms),
		TEST(test_offer_names_its_protocols),
		TEST(test_fault_at_the_end_of_a_long_offer_is_found),
		TEST(test_second_sa_is_refused),
	};

	return test_main("wire_proposals", tests, ARRAY_LEN(tests), argc, argv);
}
