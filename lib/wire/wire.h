/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the wire room: IKEv2 messages between bytes and values (RFC 7296 3). Decode, encode and print work
 * from the same field tables; which payloads a message may hold is one grammar table. No crypto, no state. */
#pragma once

#include "base.h"
#include "model.h"

/* Reasons a message is refused: enum name, text, the notify RFC 7296 wants for it (0: none; silence). */
#define WIRE_REASONS(X)                                                                                                \
	X(WIRE_OK, "ok", 0)                                                                                            \
	X(WIRE_TRUNCATED, "truncated", NOTIFY_INVALID_SYNTAX)                                                          \
	X(WIRE_TRAILING, "bytes behind the last payload", NOTIFY_INVALID_SYNTAX)                                       \
	X(WIRE_LENGTH, "length field does not fit", NOTIFY_INVALID_SYNTAX)                                             \
	X(WIRE_VERSION, "major version not supported", NOTIFY_INVALID_MAJOR_VERSION)                                   \
	X(WIRE_EXCHANGE, "unknown exchange type", NOTIFY_INVALID_SYNTAX)                                               \
	X(WIRE_FLAGS, "flags contradict the exchange", NOTIFY_INVALID_SYNTAX)                                          \
	X(WIRE_SPI, "IKE SPI is zero or not zero where it must not", NOTIFY_INVALID_SYNTAX)                            \
	X(WIRE_CRITICAL, "unknown critical payload", NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD)                              \
	X(WIRE_TOO_MANY, "too many payloads, proposals, transforms or selectors", NOTIFY_INVALID_SYNTAX)               \
	X(WIRE_VALUE, "field value not allowed", NOTIFY_INVALID_SYNTAX)                                                \
	X(WIRE_MISSING, "required payload missing", NOTIFY_INVALID_SYNTAX)                                             \
	X(WIRE_REPEATED, "payload repeated", NOTIFY_INVALID_SYNTAX)                                                    \
	X(WIRE_UNEXPECTED, "payload not allowed in this message", NOTIFY_INVALID_SYNTAX)                               \
	X(WIRE_NOT_ENCRYPTED, "payload must be encrypted", NOTIFY_INVALID_SYNTAX)

#define WIRE_REASON_ENUM(name, text, notify) name,
enum wire_reason { WIRE_REASONS(WIRE_REASON_ENUM) WIRE_REASON_COUNT };

struct wire_error {
	enum wire_reason reason;
	uint32_t offset; /* of the fault, from the start of the bytes decoded */
	uint8_t payload; /* type of the payload concerned, 0 for the header */
};

const char *wire_reason_text(enum wire_reason reason);
uint16_t wire_reason_notify(enum wire_reason reason);

enum ike_exchange {
	IKE_SA_INIT = 34,
	IKE_AUTH = 35,
	CREATE_CHILD_SA = 36,
	INFORMATIONAL = 37,
};

enum ike_flags {
	IKE_FLAG_INITIATOR = 0x08, /* sent by the original initiator of the IKE SA */
	IKE_FLAG_VERSION = 0x10,
	IKE_FLAG_RESPONSE = 0x20,
};

enum payload_type {
	PAYLOAD_NONE = 0,
	PAYLOAD_SA = 33,
	PAYLOAD_KE = 34,
	PAYLOAD_IDI = 35,
	PAYLOAD_IDR = 36,
	PAYLOAD_CERT = 37,
	PAYLOAD_CERTREQ = 38,
	PAYLOAD_AUTH = 39,
	PAYLOAD_NONCE = 40,
	PAYLOAD_NOTIFY = 41,
	PAYLOAD_DELETE = 42,
	PAYLOAD_VENDOR = 43,
	PAYLOAD_TSI = 44,
	PAYLOAD_TSR = 45,
	PAYLOAD_SK = 46,
	PAYLOAD_CP = 47,
	PAYLOAD_EAP = 48,
	PAYLOAD_SKF = 53,
};

enum notify_type {
	NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD = 1,
	NOTIFY_INVALID_IKE_SPI = 4,
	NOTIFY_INVALID_MAJOR_VERSION = 5,
	NOTIFY_INVALID_SYNTAX = 7,
	NOTIFY_INVALID_MESSAGE_ID = 9,
	NOTIFY_INVALID_SPI = 11,
	NOTIFY_NO_PROPOSAL_CHOSEN = 14,
	NOTIFY_INVALID_KE_PAYLOAD = 17,
	NOTIFY_AUTHENTICATION_FAILED = 24,
	NOTIFY_SINGLE_PAIR_REQUIRED = 34,
	NOTIFY_NO_ADDITIONAL_SAS = 35,
	NOTIFY_INTERNAL_ADDRESS_FAILURE = 36,
	NOTIFY_FAILED_CP_REQUIRED = 37,
	NOTIFY_TS_UNACCEPTABLE = 38,
	NOTIFY_INVALID_SELECTORS = 39,
	NOTIFY_UNACCEPTABLE_ADDRESSES = 40,
	NOTIFY_UNEXPECTED_NAT_DETECTED = 41,
	NOTIFY_TEMPORARY_FAILURE = 43,
	NOTIFY_CHILD_SA_NOT_FOUND = 44,
	NOTIFY_ERROR_LAST = 16383, /* smaller: error; larger: status */
	NOTIFY_INITIAL_CONTACT = 16384,
	NOTIFY_SET_WINDOW_SIZE = 16385,
	NOTIFY_ADDITIONAL_TS_POSSIBLE = 16386,
	NOTIFY_IPCOMP_SUPPORTED = 16387,
	NOTIFY_NAT_DETECTION_SOURCE_IP = 16388,
	NOTIFY_NAT_DETECTION_DESTINATION_IP = 16389,
	NOTIFY_COOKIE = 16390,
	NOTIFY_USE_TRANSPORT_MODE = 16391,
	NOTIFY_HTTP_CERT_LOOKUP_SUPPORTED = 16392,
	NOTIFY_REKEY_SA = 16393,
	NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED = 16394,
	NOTIFY_NON_FIRST_FRAGMENTS_ALSO = 16395,
	NOTIFY_MOBIKE_SUPPORTED = 16396,
	NOTIFY_ADDITIONAL_IP4_ADDRESS = 16397,
	NOTIFY_ADDITIONAL_IP6_ADDRESS = 16398,
	NOTIFY_NO_ADDITIONAL_ADDRESSES = 16399,
	NOTIFY_UPDATE_SA_ADDRESSES = 16400,
	NOTIFY_COOKIE2 = 16401,
	NOTIFY_NO_NATS_ALLOWED = 16402,
	NOTIFY_AUTH_LIFETIME = 16403,
	NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED = 16430,
	NOTIFY_SIGNATURE_HASH_ALGORITHMS = 16431,
};

enum cfg_type {
	CFG_REQUEST = 1,
	CFG_REPLY = 2,
	CFG_SET = 3,
	CFG_ACK = 4,
};

/* RFC 7296 3.15.1; others pass and mean nothing to us. */
enum cp_attribute_type {
	ATTRIBUTE_IP4_ADDRESS = 1,
	ATTRIBUTE_IP4_NETMASK = 2,
	ATTRIBUTE_IP4_DNS = 3,
	ATTRIBUTE_IP6_ADDRESS = 8, /* address and length of its prefix */
	ATTRIBUTE_IP6_DNS = 10,
	ATTRIBUTE_IP4_SUBNET = 13, /* address and netmask */
	ATTRIBUTE_IP6_SUBNET = 15, /* address and length of the prefix */
};

/* "NO_PROPOSAL_CHOSEN"; unknown numbers as "NOTIFY-12345" in a static buffer of this thread. */
const char *notify_name(uint16_t type);
const char *exchange_name(uint8_t exchange);
const char *payload_name(uint8_t type);

#define IKE_HEADER_BYTES      28
#define PAYLOAD_HEADER_BYTES  4
#define IKE_MESSAGE_BYTES_MAX 65507 /* what a UDP datagram holds */
#define MESSAGE_PAYLOADS_MAX  32
#define NON_ESP_MARKER_BYTES  4 /* RFC 3948 2.2: four zero bytes before IKE on port 4500 */

struct ike_header {
	uint64_t spi_i, spi_r; /* host order numbers; opaque */
	uint8_t next_payload, version, exchange, flags;
	uint32_t message_id, length;
};

/* Key length of a decoded transform that carries an attribute we do not understand (RFC 7296 3.3.6: it must not be
 * chosen, its siblings may). No algorithm has it, so alg_lookup finds nothing; it is encoded as a Key Length of 65535.
 */
#define KEY_BITS_NOT_UNDERSTOOD 0xffff

/* One decoded or to-be-encoded payload. Views point into the decoded bytes or the caller's memory. Only the member that
 * belongs to the type is meaningful; SA and TS contents stand in the message (one SA, one TSi, one TSr at most). EAP
 * and unknown types have only the body; SKF has sk with its fragment numbers (RFC 7383 2.5). */
struct payload {
	uint8_t type; /* enum payload_type or unknown */
	bool critical;
	bool encrypted;    /* came from inside SK */
	uint32_t offset;   /* of the payload header */
	struct bytes body; /* everything behind the generic header, as received */
	union {
		struct {
			uint16_t group;
			struct bytes data;
		} ke;
		struct {
			uint8_t type; /* enum identity_type */
			struct bytes data;
		} id;
		struct {
			uint8_t method; /* RFC 7296 3.8; 2 is shared key */
			struct bytes data;
		} auth;
		struct bytes nonce, vendor;
		struct {
			uint8_t protocol; /* enum security_protocol */
			uint16_t type;    /* enum notify_type */
			struct bytes spi, data;
		} notify;
		struct {
			uint8_t protocol, spi_len;
			uint16_t count;
			struct bytes spis; /* count * spi_len bytes */
		} del;
		struct {
			uint8_t first_inner;    /* type of the first payload inside; fragments behind the first: 0 */
			uint16_t number, total; /* SKF: which fragment, of how many */
			struct bytes data;      /* IV, ciphertext, ICV */
		} sk;
		struct {
			uint8_t encoding;
			struct bytes data;
		} cert;
		struct {
			uint8_t type; /* enum cfg_type, or unknown */
			struct bytes attributes;
		} cp;
	};
};

struct message {
	struct ike_header header;
	bool overflow; /* more payloads were added than fit: encoding will fail */
	uint8_t count;
	struct payload payloads[MESSAGE_PAYLOADS_MAX];
	struct proposal_list sa;       /* of PAYLOAD_SA; of a long decoded one the beginning: message_offer has all */
	struct selector_list tsi, tsr; /* of PAYLOAD_TSI, PAYLOAD_TSR */
};

/* Decodes the 28-byte header and checks version, length against the datagram, SPIs and flags. 0 or -EBADMSG with
 * *ret_error. The header is filled as far as it could be read. */
int header_decode(struct bytes datagram, struct ike_header *ret_header, struct wire_error *ret_error);

/* Decodes header and clear payloads (an SK payload is left as it is). 0 or -EBADMSG with *ret_error. ret_message
 * borrows the datagram. A long offer is no error: proposals, transforms and selectors beyond what the lists hold are
 * checked and left out of them, selectors of unknown types too (RFC 7296 3.13.1), so tsi and tsr may be empty; sa never
 * is.
 * Proposals for protocols we do not know are kept without their SPI. Transforms: see KEY_BITS_NOT_UNDERSTOOD. */
int message_decode(struct bytes datagram, struct message *ret_message, struct wire_error *ret_error);

/* Decodes the payloads of a decrypted SK and appends them to message, marked encrypted. Same errors. Borrows plaintext.
 * Offsets count from the start of plaintext. */
int message_decode_inner(struct bytes plaintext, uint8_t first, struct message *message, struct wire_error *ret_error);

/* Checks the payloads against the grammar row of (exchange, request or response, form): presence, count, clear or
 * encrypted (RFC 7296 appendix C). Forms of their own: a response without SA that has an error notify or, in
 * IKE_SA_INIT, a COOKIE; an IKE_AUTH response that has AUTH and an error but no child; a CREATE_CHILD_SA that rekeys
 * the IKE SA. A message that passes has every payload its form needs, and SK unless it is IKE_SA_INIT. Unknown payload
 * types pass. Call it once the message is whole. 0 or -EBADMSG. */
int message_check(const struct message *message, struct wire_error *ret_error);

/* Building: a fresh message, then payloads in order. The add functions return the payload to refine, or NULL when
 * the message is full (then message_encode fails too). Data is borrowed until encoded. */
void message_init(struct message *message, uint64_t spi_i, uint64_t spi_r, enum ike_exchange exchange, uint8_t flags,
	uint32_t message_id);
struct payload *message_add(struct message *message, enum payload_type type);
struct payload *message_add_notify(struct message *message, enum notify_type type, struct bytes data);
struct payload *message_add_sa(struct message *message, const struct proposal_list *proposals);
struct payload *message_add_ts(struct message *message, enum payload_type type, const struct selector_list *selectors);
struct payload *message_add_id(struct message *message, enum payload_type type, const struct identity *id);

/* First payload of the type, or NULL; first notify of the type, or NULL. */
const struct payload *message_find(const struct message *message, enum payload_type type);
const struct payload *message_find_notify(const struct message *message, enum notify_type type);
/* First error notify (type <= NOTIFY_ERROR_LAST), or NULL. */
const struct payload *message_find_error(const struct message *message);

/* All that a decoded SA payload offers, however long; borrows what the message borrows. A copy is a place in it. */
struct offer {
	struct bytes rest; /* the proposals not yet read */
	uint8_t left_out;  /* transforms of this type are passed over; 0: none */
};

#define OFFERED_TRANSFORMS_MAX UINT8_MAX /* RFC 7296 3.3.1: Num Transforms is a byte */

/* A proposal as a peer may write it: our own are never as long. */
struct offered {
	uint8_t protocol; /* enum security_protocol, or a number we do not know */
	uint8_t spi_len;  /* 0, 4 or 8 */
	uint8_t count;
	uint8_t number;
	uint64_t spi;
	struct transform transforms[OFFERED_TRANSFORMS_MAX];
};

/* The offer of a decoded message's SA payload, empty without one; of a message that is being built there is none. */
struct offer message_offer(const struct message *message);
/* The next of its proposals; false: there is no more. */
bool offer_next(struct offer *offer, struct offered *ret_offered);
/* The protocols we know that it has proposals for: bits 1 << enum security_protocol. */
uint32_t offer_protocols(struct offer offer);
/* As one of ours, cut to PROPOSAL_TRANSFORMS_MAX transforms. */
void offered_shorten(const struct offered *offered, struct proposal *ret_proposal);

/* The attributes of a CP payload, one after the other; r begins at cp.attributes. False: no more (of a decoded payload
 * all are whole, and those of our types have a legal length). */
struct cp_attribute {
	uint16_t type; /* enum cp_attribute_type, or unknown */
	struct bytes value;
};
bool cp_attribute_next(struct reader *r, struct cp_attribute *ret_attribute);
/* Appends one to what will be the attributes of a payload. */
void cp_attribute_add(struct writer *w, enum cp_attribute_type type, struct bytes value);

/* Writes header and payloads in clear, with the header's next payload and length. What follows an SK payload is what
 * was inside it, and is not written: a decoded message encodes to the bytes it came from, unless its proposals,
 * transforms or selectors were more than the lists hold. 0 or -EMSGSIZE. */
int message_encode(const struct message *message, struct writer *w);
/* Writes the header alone: for protected messages. 0 or -EMSGSIZE. */
int header_encode(const struct ike_header *header, struct writer *w);
/* Writes the payload chain alone; *ret_first is the type of its first payload (PAYLOAD_NONE when empty). 0 or
 * -EMSGSIZE. */
int payloads_encode(const struct message *message, struct writer *w, uint8_t *ret_first);

/* One text line of a message for logs and tests: "IKE_SA_INIT request 0 { SA KE No N(NAT_DETECTION_SOURCE_IP) }".
 * No secret bytes. Cut at capacity. Returns ret_text. */
char *message_format(const struct message *message, char *ret_text, size_t capacity);
/* The fields of one payload: "KE { group 19 data 64 bytes }". Byte strings by their length only. Cut at capacity (at
 * least 1). Returns ret_text. */
char *payload_format(const struct payload *payload, char *ret_text, size_t capacity);
