/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of what stands on the wire: reasons, exchanges, payloads, notifies. Numbers without a name are printed as
 * numbers, never refused. */
#include "wire.h"

#include <stdio.h>

#define REASON_TEXT(name, text, notify)   [name] = text,
#define REASON_NOTIFY(name, text, notify) [name] = notify,

static const char *const reason_texts[] = { WIRE_REASONS(REASON_TEXT) };
static const uint16_t reason_notifies[] = { WIRE_REASONS(REASON_NOTIFY) };

struct name {
	uint16_t number;
	const char *text;
};

static const struct name exchanges[] = {
	{ IKE_SA_INIT, "IKE_SA_INIT" },
	{ IKE_AUTH, "IKE_AUTH" },
	{ CREATE_CHILD_SA, "CREATE_CHILD_SA" },
	{ INFORMATIONAL, "INFORMATIONAL" },
};

/* The notation of RFC 7296 1.2. */
static const struct name payloads[] = {
	{ PAYLOAD_SA, "SA" },
	{ PAYLOAD_KE, "KE" },
	{ PAYLOAD_IDI, "IDi" },
	{ PAYLOAD_IDR, "IDr" },
	{ PAYLOAD_CERT, "CERT" },
	{ PAYLOAD_CERTREQ, "CERTREQ" },
	{ PAYLOAD_AUTH, "AUTH" },
	{ PAYLOAD_NONCE, "No" },
	{ PAYLOAD_NOTIFY, "N" },
	{ PAYLOAD_DELETE, "D" },
	{ PAYLOAD_VENDOR, "V" },
	{ PAYLOAD_TSI, "TSi" },
	{ PAYLOAD_TSR, "TSr" },
	{ PAYLOAD_SK, "SK" },
	{ PAYLOAD_CP, "CP" },
	{ PAYLOAD_EAP, "EAP" },
	{ PAYLOAD_SKF, "SKF" },
};

#define NOTIFY(name)                                                                                                   \
	{                                                                                                              \
		NOTIFY_##name, #name                                                                                   \
	}

/* The IANA registry "IKEv2 Notify Message Types", as far as peers were seen to send them; numbers for those that the
 * engine does not act on. */
static const struct name notifies[] = {
	NOTIFY(UNSUPPORTED_CRITICAL_PAYLOAD),
	NOTIFY(INVALID_IKE_SPI),
	NOTIFY(INVALID_MAJOR_VERSION),
	NOTIFY(INVALID_SYNTAX),
	NOTIFY(INVALID_MESSAGE_ID),
	NOTIFY(INVALID_SPI),
	NOTIFY(NO_PROPOSAL_CHOSEN),
	NOTIFY(INVALID_KE_PAYLOAD),
	NOTIFY(AUTHENTICATION_FAILED),
	NOTIFY(SINGLE_PAIR_REQUIRED),
	NOTIFY(NO_ADDITIONAL_SAS),
	NOTIFY(INTERNAL_ADDRESS_FAILURE),
	NOTIFY(FAILED_CP_REQUIRED),
	NOTIFY(TS_UNACCEPTABLE),
	NOTIFY(INVALID_SELECTORS),
	NOTIFY(UNACCEPTABLE_ADDRESSES),
	NOTIFY(UNEXPECTED_NAT_DETECTED),
	NOTIFY(TEMPORARY_FAILURE),
	NOTIFY(CHILD_SA_NOT_FOUND),
	NOTIFY(INITIAL_CONTACT),
	NOTIFY(SET_WINDOW_SIZE),
	NOTIFY(ADDITIONAL_TS_POSSIBLE),
	NOTIFY(IPCOMP_SUPPORTED),
	NOTIFY(NAT_DETECTION_SOURCE_IP),
	NOTIFY(NAT_DETECTION_DESTINATION_IP),
	NOTIFY(COOKIE),
	NOTIFY(USE_TRANSPORT_MODE),
	NOTIFY(HTTP_CERT_LOOKUP_SUPPORTED),
	NOTIFY(REKEY_SA),
	NOTIFY(ESP_TFC_PADDING_NOT_SUPPORTED),
	NOTIFY(NON_FIRST_FRAGMENTS_ALSO),
	NOTIFY(MOBIKE_SUPPORTED),
	NOTIFY(AUTH_LIFETIME),
	NOTIFY(ADDITIONAL_IP4_ADDRESS),
	NOTIFY(ADDITIONAL_IP6_ADDRESS),
	NOTIFY(NO_ADDITIONAL_ADDRESSES),
	NOTIFY(UPDATE_SA_ADDRESSES),
	NOTIFY(COOKIE2),
	NOTIFY(NO_NATS_ALLOWED),
	{ 16403, "AUTH_LIFETIME" },
	{ 16404, "MULTIPLE_AUTH_SUPPORTED" },
	{ 16405, "ANOTHER_AUTH_FOLLOWS" },
	{ 16406, "REDIRECT_SUPPORTED" },
	{ 16407, "REDIRECT" },
	{ 16408, "REDIRECTED_FROM" },
	{ 16417, "EAP_ONLY_AUTHENTICATION" },
	{ 16418, "CHILDLESS_IKEV2_SUPPORTED" },
	NOTIFY(IKEV2_FRAGMENTATION_SUPPORTED),
	NOTIFY(SIGNATURE_HASH_ALGORITHMS),
	{ 16420, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED" },
	{ 16435, "USE_PPK" },
	{ 16438, "INTERMEDIATE_EXCHANGE_SUPPORTED" },
};

/* A few names may stand in one text: each unknown number gets a buffer of its own in turn. */
static const char *number_text(const char *prefix, unsigned number)
{
	static _Thread_local char buffers[4][32];
	static _Thread_local unsigned turn;
	char *buffer = buffers[turn++ % ARRAY_LEN(buffers)];

	snprintf(buffer, sizeof(buffers[0]), "%s-%u", prefix, number);
	return buffer;
}

static const char *name_lookup(const struct name *names, size_t count, const char *prefix, uint16_t number)
{
	for (size_t i = 0; i < count; i++)
		if (names[i].number == number)
			return names[i].text;
	return number_text(prefix, number);
}

const char *wire_reason_text(enum wire_reason reason)
{
	return (unsigned)reason < WIRE_REASON_COUNT ? reason_texts[reason] : "unknown";
}

uint16_t wire_reason_notify(enum wire_reason reason)
{
	return (unsigned)reason < WIRE_REASON_COUNT ? reason_notifies[reason] : 0;
}

const char *notify_name(uint16_t type)
{
	return name_lookup(notifies, ARRAY_LEN(notifies), "NOTIFY", type);
}

const char *exchange_name(uint8_t exchange)
{
	return name_lookup(exchanges, ARRAY_LEN(exchanges), "EXCHANGE", exchange);
}

const char *payload_name(uint8_t type)
{
	return name_lookup(payloads, ARRAY_LEN(payloads), "PAYLOAD", type);
}
