/* SPDX-License-Identifier: BSD-3-Clause */
/* IKE identities (RFC 7296 3.5): type and bytes, text form, comparison. */
#pragma once

#include "addr.h"
#include "bytes.h"

enum identity_type {
	ID_NONE = 0,
	ID_IPV4_ADDR = 1,
	ID_FQDN = 2,
	ID_RFC822_ADDR = 3,
	ID_IPV6_ADDR = 5,
	ID_DER_ASN1_DN = 9,
	ID_DER_ASN1_GN = 10,
	ID_KEY_ID = 11,
};

#define IDENTITY_BYTES_MAX 255
#define IDENTITY_TEXT_MAX  (4 * IDENTITY_BYTES_MAX + 16)

struct identity {
	uint8_t type; /* enum identity_type, or a number we do not know */
	uint8_t len;
	uint8_t data[IDENTITY_BYTES_MAX];
};

/* "192.0.2.1", "2001:db8::1", "gw.example.net", "user@example.net", "@gw.example.net" (FQDN), "keyid:anything",
 * "keyid:0x0102". 0 or -EINVAL: also for what looks like a mistyped address, and for more than 255 bytes. */
int identity_parse(const char *text, struct identity *ret_identity);
int identity_from_bytes(uint8_t type, struct bytes b, struct identity *ret_identity); /* 0 or -EMSGSIZE */
/* Text with unprintable bytes escaped; ret_text has IDENTITY_TEXT_MAX bytes. Returns ret_text. */
char *identity_format(const struct identity *id, char *ret_text);
/* "*.example.net" stands for every FQDN below that domain, "*@example.net" for every e-mail address of that one. */
bool identity_is_pattern(const struct identity *id);
/* True when `wanted` is ID_NONE, the same identity, or a pattern that id fits. */
bool identity_matches(const struct identity *wanted, const struct identity *id);
/* Same type and bytes; FQDN and e-mail domain without regard to ASCII case. */
bool identity_equal(const struct identity *a, const struct identity *b);
