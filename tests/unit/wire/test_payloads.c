/* SPDX-License-Identifier: BSD-3-Clause */
/* Each kind of flat payload: what is read from hand-written bytes, that writing gives the same bytes, what is refused.
 */
#include "wire_test.h"

/* Decodes one payload of a type from its hexadecimal form (with generic header) and checks that encoding it again gives
 * the same bytes. */
static struct payload payload_both_ways(uint8_t type, const char *hex)
{
	static uint8_t data[4096];
	static struct message message;
	struct wire_error error;
	struct writer w = writer_init(data, sizeof(data));
	struct bytes in = datagram(IKE_SA_INIT, IKE_FLAG_INITIATOR, type, hex);

	CU_ASSERT_EQUAL_FATAL(message_decode(in, &message, &error), 0);
	CU_ASSERT_EQUAL_FATAL(message.count, 1);
	CU_ASSERT_EQUAL(message_encode(&message, &w), 0);
	CU_ASSERT(bytes_equal(in, writer_view(&w)));
	return message.payloads[0];
}

static bool bytes_are(struct bytes b, const char *hex)
{
	uint8_t data[256];
	int len = hex_decode(hex, data, sizeof(data));

	return len >= 0 && bytes_equal(b, BYTES(data, (size_t)len));
}

static void test_ke_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_KE, "0000000c:001f0000:deadbeef");

	CU_ASSERT_EQUAL(p.ke.group, KE_CURVE25519);
	CU_ASSERT(bytes_are(p.ke.data, "deadbeef"));
	CU_ASSERT(bytes_are(p.body, "001f0000deadbeef"));
	CU_ASSERT_EQUAL(p.offset, IKE_HEADER_BYTES);
}

static void test_ke_without_data_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_KE, "00000008:001f0000"), WIRE_TRUNCATED, 8, PAYLOAD_KE);
	ASSERT_ERROR(decode_error(PAYLOAD_KE, "00000007:001f00"), WIRE_TRUNCATED, 6, PAYLOAD_KE);
}

static void test_id_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_IDI, "0000000c:01000000:c0000201");

	CU_ASSERT_EQUAL(p.id.type, ID_IPV4_ADDR);
	CU_ASSERT(bytes_are(p.id.data, "c0000201"));
	p = payload_both_ways(PAYLOAD_IDR, "0000000b:02000000:612e62");
	CU_ASSERT_EQUAL(p.id.type, ID_FQDN);
	CU_ASSERT(bytes_are(p.id.data, "612e62"));
}

static void test_auth_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_AUTH, "0000000a:02000000:a1a2");

	CU_ASSERT_EQUAL(p.auth.method, 2);
	CU_ASSERT(bytes_are(p.auth.data, "a1a2"));
	ASSERT_ERROR(decode_error(PAYLOAD_AUTH, "00000008:02000000"), WIRE_TRUNCATED, 8, PAYLOAD_AUTH);
}

static void test_cert_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_CERT, "00000007:04:3082");

	CU_ASSERT_EQUAL(p.cert.encoding, 4);
	CU_ASSERT(bytes_are(p.cert.data, "3082"));
	p = payload_both_ways(PAYLOAD_CERTREQ, "00000005:04");
	CU_ASSERT_EQUAL(p.cert.encoding, 4);
	CU_ASSERT_EQUAL(p.cert.data.len, 0);
	ASSERT_ERROR(decode_error(PAYLOAD_CERT, "00000004"), WIRE_TRUNCATED, 4, PAYLOAD_CERT);
}

static void test_nonce_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_NONCE, "00000014:" NONCE_HEX);

	CU_ASSERT(bytes_are(p.nonce, NONCE_HEX));
}

/* RFC 7296 3.9: between 16 and 256 bytes. */
static void test_nonce_length_is_bounded(void)
{
	char hex[2 * 300];

	ASSERT_ERROR(
		decode_error(PAYLOAD_NONCE, "00000013:000102030405060708090a0b0c0d0e"), WIRE_LENGTH, 4, PAYLOAD_NONCE);
	memset(hex, '0', sizeof(hex));
	memcpy(hex, "00000104", 8);
	hex[2 * (4 + 256)] = '\0';
	CU_ASSERT_EQUAL(decode_error(PAYLOAD_NONCE, hex).reason, WIRE_OK);
	memset(hex, '0', sizeof(hex));
	memcpy(hex, "00000105", 8);
	hex[2 * (4 + 257)] = '\0';
	ASSERT_ERROR(decode_error(PAYLOAD_NONCE, hex), WIRE_LENGTH, 4, PAYLOAD_NONCE);
}

static void test_notify_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_NOTIFY, "0000000e:03044009:c0ffee01:0102");

	CU_ASSERT_EQUAL(p.notify.protocol, PROTOCOL_ESP);
	CU_ASSERT_EQUAL(p.notify.type, NOTIFY_REKEY_SA);
	CU_ASSERT(bytes_are(p.notify.spi, "c0ffee01"));
	CU_ASSERT(bytes_are(p.notify.data, "0102"));
}

static void test_notify_of_unknown_type_is_kept(void)
{
	struct payload p = payload_both_ways(PAYLOAD_NOTIFY, "00000008:0000eeee");

	CU_ASSERT_EQUAL(p.notify.type, 0xeeee);
	CU_ASSERT_EQUAL(p.notify.spi.len, 0);
	CU_ASSERT_EQUAL(p.notify.data.len, 0);
}

static void test_notify_spi_longer_than_payload_is_refused(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_NOTIFY, "0000000b:03044009:c0ffee"), WIRE_TRUNCATED, 8, PAYLOAD_NOTIFY);
	ASSERT_ERROR(decode_error(PAYLOAD_NOTIFY, "00000008:03ff4009"), WIRE_TRUNCATED, 8, PAYLOAD_NOTIFY);
}

static void test_delete_both_ways(void)
{
	struct payload p = payload_both_ways(PAYLOAD_DELETE, "00000010:03040002:c0ffee01:c0ffee02");

	CU_ASSERT_EQUAL(p.del.protocol, PROTOCOL_ESP);
	CU_ASSERT_EQUAL(p.del.count, 2);
	CU_ASSERT_EQUAL(p.del.spi_len, 4);
	CU_ASSERT(bytes_are(p.del.spis, "c0ffee01c0ffee02"));
	p = payload_both_ways(PAYLOAD_DELETE, "00000008:01000000");
	CU_ASSERT_EQUAL(p.del.protocol, PROTOCOL_IKE);
}

static void test_delete_count_must_be_exact(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_DELETE, "0000000c:03040002:c0ffee01"), WIRE_LENGTH, 4, PAYLOAD_DELETE);
	ASSERT_ERROR(decode_error(PAYLOAD_DELETE, "0000000c:03040000:c0ffee01"), WIRE_LENGTH, 4, PAYLOAD_DELETE);
	ASSERT_ERROR(decode_error(PAYLOAD_DELETE, "0000000c:0304ffff:c0ffee01"), WIRE_LENGTH, 4, PAYLOAD_DELETE);
}

/* RFC 7296 3.11: 0 for IKE, 4 for AH and ESP. */
static void test_delete_spi_size_must_fit_protocol(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_DELETE, "00000010:01080001:0102030405060708"), WIRE_VALUE, 4, PAYLOAD_DELETE);
	ASSERT_ERROR(decode_error(PAYLOAD_DELETE, "00000010:03080001:0102030405060708"), WIRE_VALUE, 4, PAYLOAD_DELETE);
	ASSERT_ERROR(decode_error(PAYLOAD_DELETE, "00000008:02000000"), WIRE_VALUE, 4, PAYLOAD_DELETE);
}

static void test_vendor_both_ways(void)
{
	CU_ASSERT(bytes_are(payload_both_ways(PAYLOAD_VENDOR, "00000007:abcdef").vendor, "abcdef"));
	CU_ASSERT_EQUAL(payload_both_ways(PAYLOAD_VENDOR, "00000004").vendor.len, 0);
}

static void test_sk_keeps_first_inner(void)
{
	struct payload p = payload_both_ways(PAYLOAD_SK, "23000008:01020304");

	CU_ASSERT_EQUAL(p.sk.first_inner, PAYLOAD_IDI);
	CU_ASSERT(bytes_are(p.sk.data, "01020304"));
	p = payload_both_ways(PAYLOAD_SKF, "2300000a:00010002:0304");
	CU_ASSERT_EQUAL(p.sk.first_inner, PAYLOAD_IDI);
	CU_ASSERT_EQUAL(p.sk.number, 1);
	CU_ASSERT_EQUAL(p.sk.total, 2);
	CU_ASSERT(bytes_are(p.sk.data, "0304"));
}

static void test_cp_and_eap_are_kept_raw(void)
{
	CU_ASSERT(bytes_are(payload_both_ways(PAYLOAD_CP, "00000008:01000000").body, "01000000"));
	CU_ASSERT(bytes_are(payload_both_ways(PAYLOAD_EAP, "00000008:01000004").body, "01000004"));
}

static void test_unknown_payload_is_kept_raw(void)
{
	struct payload p = payload_both_ways(99, "00000006:0102");

	CU_ASSERT_EQUAL(p.type, 99);
	CU_ASSERT(bytes_are(p.body, "0102"));
	CU_ASSERT(!p.critical);
}

static void test_unknown_critical_payload_is_refused(void)
{
	ASSERT_ERROR(decode_error(99, "00800006:0102"), WIRE_CRITICAL, 0, 99);
	ASSERT_ERROR(decode_error(PAYLOAD_VENDOR, "01000004:00800004"), WIRE_CRITICAL, 4, 1);
	CU_ASSERT_EQUAL(wire_reason_notify(WIRE_CRITICAL), NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
}

/* RFC 7296 2.5: the flag says nothing about a payload that is understood. */
static void test_critical_flag_of_known_payload_is_ignored(void)
{
	CU_ASSERT(payload_both_ways(PAYLOAD_VENDOR, "00800005:01").critical);
}

/* RFC 7296 2.5: sent as zero, ignored when received. */
static void test_reserved_bits_are_ignored(void)
{
	ASSERT_ERROR(decode_error(PAYLOAD_KE, "007f000c:001fffff:deadbeef"), WIRE_OK, 0, 0);
}

static void test_oversized_notify_spi_fails_to_encode(void)
{
	static const uint8_t spi[256];
	uint8_t data[1024];
	struct writer w = writer_init(data, sizeof(data));
	struct message message;

	message_init(&message, 1, 2, INFORMATIONAL, 0, 0);
	message_add_notify(&message, NOTIFY_REKEY_SA, BYTES_NONE)->notify.spi = BYTES_OF(spi);
	CU_ASSERT_EQUAL(message_encode(&message, &w), -EMSGSIZE);
}

static void test_format_prints_fields_and_no_bytes(void)
{
	struct payload p = payload_both_ways(PAYLOAD_KE, "0000000c:001f0000:deadbeef");
	char text[128];

	CU_ASSERT_STRING_EQUAL(payload_format(&p, text, sizeof(text)), "KE { group 31 data 4 bytes }");
	CU_ASSERT_STRING_EQUAL(payload_format(&p, text, 8), "KE { gr");
	p = payload_both_ways(PAYLOAD_NOTIFY, "0000000e:03044009:c0ffee01:0102");
	CU_ASSERT_STRING_EQUAL(
		payload_format(&p, text, sizeof(text)), "N { protocol 3 type 16393 spi 4 bytes data 2 bytes }");
	p = (struct payload){ .type = PAYLOAD_TSI };
	CU_ASSERT_STRING_EQUAL(payload_format(&p, text, sizeof(text)), "TSi { body 0 bytes }");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ke_both_ways),
		TEST(test_ke_without_data_is_refused),
		TEST(test_id_both_ways),
		TEST(test_auth_both_ways),
		TEST(test_cert_both_ways),
		TEST(test_nonce_both_ways),
		TEST(test_nonce_length_is_bounded),
		TEST(test_notify_both_ways),
		TEST(test_notify_of_unknown_type_is_kept),
		TEST(test_notify_spi_longer_than_payload_is_refused),
		TEST(test_delete_both_ways),
		TEST(test_delete_count_must_be_exact),
		TEST(test_delete_spi_size_must_fit_protocol),
		TEST(test_vendor_both_ways),
		TEST(test_sk_keeps_first_inner),
		TEST(test_cp_and_eap_are_kept_raw),
		TEST(test_unknown_payload_is_kept_raw),
		TEST(test_unknown_critical_payload_is_refused),
		TEST(test_critical_flag_of_known_payload_is_ignored),
		TEST(test_reserved_bits_are_ignored),
		TEST(test_oversized_notify_spi_fails_to_encode),
		TEST(test_format_prints_fields_and_no_bytes),
	};

	return test_main("wire_payloads", tests, ARRAY_LEN(tests), argc, argv);
}
