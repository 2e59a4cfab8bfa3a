/* SPDX-License-Identifier: BSD-3-Clause */
/* Which payloads a message may hold (RFC 7296 appendix C): each form as it should be, then with one thing wrong. */
#include "wire_test.h"

#define REQUEST_I  IKE_FLAG_INITIATOR
#define RESPONSE_R IKE_FLAG_RESPONSE

static struct message message;
static struct wire_error error;

/* Adds payloads by type up to PAYLOAD_NONE; after SK they count as encrypted, as decoding would mark them. */
static void add_types(const uint8_t *types)
{
	for (; *types != PAYLOAD_NONE; types++) {
		struct payload *p = message_add(&message, (enum payload_type) * types);
		p->encrypted = p != message.payloads && message.payloads[0].type == PAYLOAD_SK;
		p->notify.type = *types == PAYLOAD_NOTIFY ? NOTIFY_INITIAL_CONTACT : 0;
		p->offset = 100u * message.count;
	}
}

static enum wire_reason check(enum ike_exchange exchange, uint8_t flags, const uint8_t *types)
{
	message_init(&message, 1, 2, exchange, flags, 0);
	add_types(types);
	message_check(&message, &error);
	return error.reason;
}

/* The same with one error notify at the end. */
static enum wire_reason check_with_error(
	enum ike_exchange exchange, uint8_t flags, const uint8_t *types, enum notify_type notify)
{
	message_init(&message, 1, 2, exchange, flags, 0);
	add_types(types);
	message_add_notify(&message, notify, BYTES_NONE)->encrypted = exchange != IKE_SA_INIT;
	message_check(&message, &error);
	return error.reason;
}

#define TYPES(...) ((const uint8_t[]){ __VA_ARGS__, PAYLOAD_NONE })
#define NO_TYPES   ((const uint8_t[]){ PAYLOAD_NONE })

static void test_init_request(void)
{
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE)), WIRE_OK);
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I,
				TYPES(PAYLOAD_NOTIFY, PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE, PAYLOAD_NOTIFY,
					PAYLOAD_VENDOR, PAYLOAD_VENDOR)),
		WIRE_OK);
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_SA, PAYLOAD_NONCE)), WIRE_MISSING);
	CU_ASSERT_EQUAL(error.payload, PAYLOAD_KE);
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, NO_TYPES), WIRE_MISSING);
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_NOTIFY)), WIRE_MISSING);
}

static void test_init_response(void)
{
	CU_ASSERT_EQUAL(
		check(IKE_SA_INIT, RESPONSE_R, TYPES(PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE, PAYLOAD_CERTREQ)), WIRE_OK);
	message.header.spi_r = 0;
	CU_ASSERT_EQUAL(message_check(&message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_SPI, 8, 0);
}

static void test_repeated_payload(void)
{
	CU_ASSERT_EQUAL(
		check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE, PAYLOAD_KE)), WIRE_REPEATED);
	ASSERT_ERROR(error, WIRE_REPEATED, 400, PAYLOAD_KE);
}

static void test_unexpected_payload(void)
{
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE, PAYLOAD_AUTH)),
		WIRE_UNEXPECTED);
	ASSERT_ERROR(error, WIRE_UNEXPECTED, 400, PAYLOAD_AUTH);
	CU_ASSERT_EQUAL(check(INFORMATIONAL, 0, TYPES(PAYLOAD_SK, PAYLOAD_KE)), WIRE_UNEXPECTED);
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_SK)), WIRE_UNEXPECTED);
}

static void test_unknown_payload_passes(void)
{
	CU_ASSERT_EQUAL(check(IKE_SA_INIT, REQUEST_I, TYPES(PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_NONCE, 99, 99)), WIRE_OK);
}

/* RFC 7296 2.6, 1.3: refusals and the request for a cookie stand alone, and need no responder SPI. */
static void test_init_refusals(void)
{
	CU_ASSERT_EQUAL(check_with_error(IKE_SA_INIT, RESPONSE_R, NO_TYPES, NOTIFY_NO_PROPOSAL_CHOSEN), WIRE_OK);
	CU_ASSERT_EQUAL(check_with_error(IKE_SA_INIT, RESPONSE_R, NO_TYPES, NOTIFY_INVALID_KE_PAYLOAD), WIRE_OK);
	CU_ASSERT_EQUAL(check_with_error(IKE_SA_INIT, RESPONSE_R, NO_TYPES, NOTIFY_COOKIE), WIRE_OK);
	message.header.spi_r = 0;
	CU_ASSERT_EQUAL(message_check(&message, &error), 0);
	CU_ASSERT_EQUAL(check_with_error(IKE_SA_INIT, RESPONSE_R, TYPES(PAYLOAD_KE), NOTIFY_INVALID_KE_PAYLOAD),
		WIRE_UNEXPECTED);
	CU_ASSERT_EQUAL(check_with_error(IKE_SA_INIT, RESPONSE_R, NO_TYPES, NOTIFY_INITIAL_CONTACT), WIRE_MISSING);
	CU_ASSERT_EQUAL(check_with_error(IKE_SA_INIT, REQUEST_I, NO_TYPES, NOTIFY_COOKIE), WIRE_MISSING);
}

static void test_auth_request(void)
{
	CU_ASSERT_EQUAL(check(IKE_AUTH, REQUEST_I,
				TYPES(PAYLOAD_SK, PAYLOAD_IDI, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSI, PAYLOAD_TSR)),
		WIRE_OK);
	CU_ASSERT_EQUAL(check(IKE_AUTH, REQUEST_I,
				TYPES(PAYLOAD_SK, PAYLOAD_IDI, PAYLOAD_CERT, PAYLOAD_CERT, PAYLOAD_NOTIFY,
					PAYLOAD_CERTREQ, PAYLOAD_IDR, PAYLOAD_AUTH, PAYLOAD_CP, PAYLOAD_SA, PAYLOAD_TSI,
					PAYLOAD_TSR, PAYLOAD_VENDOR)),
		WIRE_OK);
	CU_ASSERT_EQUAL(
		check(IKE_AUTH, REQUEST_I, TYPES(PAYLOAD_SK, PAYLOAD_IDI, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSR)),
		WIRE_MISSING);
	CU_ASSERT_EQUAL(error.payload, PAYLOAD_TSI);
	CU_ASSERT_EQUAL(
		check(IKE_AUTH, REQUEST_I, TYPES(PAYLOAD_SK, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSI, PAYLOAD_TSR)),
		WIRE_MISSING);
	CU_ASSERT_EQUAL(error.payload, PAYLOAD_IDI);
	/* without AUTH: the peer asks for EAP */
	CU_ASSERT_EQUAL(
		check(IKE_AUTH, REQUEST_I, TYPES(PAYLOAD_SK, PAYLOAD_IDI, PAYLOAD_SA, PAYLOAD_TSI, PAYLOAD_TSR)),
		WIRE_OK);
	CU_ASSERT_EQUAL(check(IKE_AUTH, REQUEST_I,
				TYPES(PAYLOAD_SK, PAYLOAD_IDI, PAYLOAD_AUTH, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSI,
					PAYLOAD_TSR)),
		WIRE_REPEATED);
}

static void test_auth_in_clear_is_refused(void)
{
	CU_ASSERT_EQUAL(
		check(IKE_AUTH, REQUEST_I, TYPES(PAYLOAD_IDI, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSI, PAYLOAD_TSR)),
		WIRE_NOT_ENCRYPTED);
	CU_ASSERT_EQUAL(check(IKE_AUTH, RESPONSE_R, TYPES(PAYLOAD_NOTIFY)), WIRE_NOT_ENCRYPTED);
}

static void test_auth_response(void)
{
	CU_ASSERT_EQUAL(check(IKE_AUTH, RESPONSE_R,
				TYPES(PAYLOAD_SK, PAYLOAD_IDR, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSI, PAYLOAD_TSR)),
		WIRE_OK);
	CU_ASSERT_EQUAL(check(IKE_AUTH, RESPONSE_R, TYPES(PAYLOAD_SK, PAYLOAD_IDR, PAYLOAD_AUTH)), WIRE_MISSING);
	CU_ASSERT_EQUAL(check(IKE_AUTH, RESPONSE_R,
				TYPES(PAYLOAD_SK, PAYLOAD_IDI, PAYLOAD_AUTH, PAYLOAD_SA, PAYLOAD_TSI, PAYLOAD_TSR)),
		WIRE_UNEXPECTED);
}

static void test_auth_refusals(void)
{
	CU_ASSERT_EQUAL(
		check_with_error(IKE_AUTH, RESPONSE_R, TYPES(PAYLOAD_SK), NOTIFY_AUTHENTICATION_FAILED), WIRE_OK);
	CU_ASSERT_EQUAL(check_with_error(IKE_AUTH, RESPONSE_R, TYPES(PAYLOAD_SK, PAYLOAD_IDR, PAYLOAD_AUTH),
				NOTIFY_TS_UNACCEPTABLE),
		WIRE_OK);
	CU_ASSERT_EQUAL(check_with_error(IKE_AUTH, RESPONSE_R, TYPES(PAYLOAD_SK, PAYLOAD_AUTH), NOTIFY_TS_UNACCEPTABLE),
		WIRE_MISSING);
	CU_ASSERT_EQUAL(error.payload, PAYLOAD_IDR);
	CU_ASSERT_EQUAL(
		check_with_error(IKE_AUTH, REQUEST_I, TYPES(PAYLOAD_SK), NOTIFY_AUTHENTICATION_FAILED), WIRE_MISSING);
}

static void test_create_child(void)
{
	const uint8_t *types = TYPES(
		PAYLOAD_SK, PAYLOAD_NOTIFY, PAYLOAD_SA, PAYLOAD_NONCE, PAYLOAD_KE, PAYLOAD_TSI, PAYLOAD_TSR);

	CU_ASSERT_EQUAL(check(CREATE_CHILD_SA, 0, types), WIRE_OK);
	CU_ASSERT_EQUAL(check(CREATE_CHILD_SA, RESPONSE_R, types), WIRE_OK);
	CU_ASSERT_EQUAL(
		check(CREATE_CHILD_SA, 0, TYPES(PAYLOAD_SK, PAYLOAD_SA, PAYLOAD_NONCE, PAYLOAD_TSI)), WIRE_MISSING);
	CU_ASSERT_EQUAL(error.payload, PAYLOAD_TSR);
	CU_ASSERT_EQUAL(
		check_with_error(CREATE_CHILD_SA, RESPONSE_R, TYPES(PAYLOAD_SK), NOTIFY_NO_ADDITIONAL_SAS), WIRE_OK);
}

/* RFC 7296 1.3.2: a key exchange, no selectors. */
static void test_rekey_ike(void)
{
	message_init(&message, 1, 2, CREATE_CHILD_SA, 0, 0);
	add_types(TYPES(PAYLOAD_SK, PAYLOAD_SA, PAYLOAD_NONCE, PAYLOAD_KE));
	message.sa.count = 1;
	message.sa.items[0].protocol = PROTOCOL_IKE;
	CU_ASSERT_EQUAL(message_check(&message, &error), 0);
	message.sa.items[0].protocol = PROTOCOL_ESP;
	CU_ASSERT_EQUAL(message_check(&message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_MISSING, 0, PAYLOAD_TSI);
	message.sa.items[0].protocol = PROTOCOL_IKE;
	message.count--;
	CU_ASSERT_EQUAL(message_check(&message, &error), -EBADMSG);
	ASSERT_ERROR(error, WIRE_MISSING, 0, PAYLOAD_KE);
}

static void test_informational(void)
{
	CU_ASSERT_EQUAL(check(INFORMATIONAL, 0, TYPES(PAYLOAD_SK)), WIRE_OK);
	CU_ASSERT_EQUAL(check(INFORMATIONAL, RESPONSE_R, TYPES(PAYLOAD_SK)), WIRE_OK);
	CU_ASSERT_EQUAL(
		check(INFORMATIONAL, 0,
			TYPES(PAYLOAD_SK, PAYLOAD_DELETE, PAYLOAD_NOTIFY, PAYLOAD_DELETE, PAYLOAD_CP, PAYLOAD_NOTIFY)),
		WIRE_OK);
	CU_ASSERT_EQUAL(check(INFORMATIONAL, 0, NO_TYPES), WIRE_MISSING);
	CU_ASSERT_EQUAL(check(INFORMATIONAL, 0, TYPES(PAYLOAD_DELETE)), WIRE_NOT_ENCRYPTED);
	CU_ASSERT_EQUAL(check_with_error(INFORMATIONAL, RESPONSE_R, TYPES(PAYLOAD_SK), NOTIFY_INVALID_SPI), WIRE_OK);
}

static void test_unknown_exchange(void)
{
	CU_ASSERT_EQUAL(check((enum ike_exchange)43, 0, TYPES(PAYLOAD_SK)), WIRE_EXCHANGE);
	ASSERT_ERROR(error, WIRE_EXCHANGE, 18, 0);
	CU_ASSERT_EQUAL(check((enum ike_exchange)0, RESPONSE_R, NO_TYPES), WIRE_EXCHANGE);
	CU_ASSERT_EQUAL(check_with_error((enum ike_exchange)43, RESPONSE_R, TYPES(PAYLOAD_SK), NOTIFY_INVALID_SYNTAX),
		WIRE_EXCHANGE);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_init_request),
		TEST(test_init_response),
		TEST(test_repeated_payload),
		TEST(test_unexpected_payload),
		TEST(test_unknown_payload_passes),
		TEST(test_init_refusals),
		TEST(test_auth_request),
		TEST(test_auth_in_clear_is_refused),
		TEST(test_auth_response),
		TEST(test_auth_refusals),
		TEST(test_create_child),
		TEST(test_rekey_ike),
		TEST(test_informational),
		TEST(test_unknown_exchange),
	};

	return test_main("wire_grammar", tests, ARRAY_LEN(tests), argc, argv);
}
