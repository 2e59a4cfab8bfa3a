/* SPDX-License-Identifier: BSD-3-Clause */
/* Proposals: sets of transforms for one protocol (RFC 7296 3.3), their text form ("aes256gcm16-prfsha384-ecp384") and
 * the suite that a negotiation ends with. */
#pragma once

#include "alg.h"

enum security_protocol {
	PROTOCOL_NONE = 0,
	PROTOCOL_IKE = 1,
	PROTOCOL_AH = 2,
	PROTOCOL_ESP = 3,
};

#define PROPOSAL_TRANSFORMS_MAX 64 /* strongSwan's default offer has about 50 */
#define PROPOSALS_MAX           8
#define PROPOSAL_TEXT_MAX       512

struct transform {
	uint8_t type; /* enum transform_type, or a number we do not know */
	uint16_t id;
	uint16_t key_bits; /* 0: no Key Length attribute */
};

struct proposal {
	uint8_t protocol; /* enum security_protocol */
	uint8_t spi_len;  /* 0, 4 or 8 */
	uint8_t count;
	uint8_t number; /* on the wire, 1.. */
	uint64_t spi;   /* the last spi_len bytes, host order */
	struct transform transforms[PROPOSAL_TRANSFORMS_MAX];
};

struct proposal_list {
	uint8_t count;
	struct proposal items[PROPOSALS_MAX];
};

/* One algorithm of each kind, as chosen. Rows of the algorithm table; NULL where the suite has none
 * (integ with an AEAD, ke without PFS, prf in a Child SA). */
struct suite {
	const struct alg *encr, *prf, *integ, *ke;
	bool esn;
};

/* NULL, or why the chosen algorithms cannot protect this protocol together, whatever either side was configured with:
 * static text. An algorithm of a number we do not know is a NULL here, so it counts as missing. */
const char *suite_fault(enum security_protocol protocol, const struct suite *s);

/* "3DES-CBC should not ...; HMAC-SHA1-96 rests on ...": why one should not rely on the suite, empty when there is
 * nothing to say. Returns ret_text, cut to capacity. */
char *suite_weakness(const struct suite *s, char *ret_text, size_t capacity);

/* The algorithm flag (enum alg_flags) of those usable in this protocol. */
uint16_t proposal_usable(enum security_protocol protocol);

/* Parses one proposal word list for IKE, ESP or AH. An IKE proposal without a PRF gets the PRF of its integrity
 * algorithm; (with an AEAD only the PRF then); an ESP or AH proposal without esn/noesn offers both. 0, or -EINVAL with
 * the offending word's place in *ret_word and *ret_word_len and a reason in *ret_reason (static text). */
int proposal_parse(enum security_protocol protocol, const char *text, struct proposal *ret_proposal,
	const char **ret_word, size_t *ret_word_len, const char **ret_reason);

/* Adds a transform. 0 or -ENOSPC. */
int proposal_add(struct proposal *p, enum transform_type type, uint16_t id, uint16_t key_bits);

/* True when the proposal has a transform of this type. */
bool proposal_has_type(const struct proposal *p, enum transform_type type);

/* The same protocols and transforms in the same order; numbers and SPIs do not count. */
bool proposal_list_equal(const struct proposal_list *a, const struct proposal_list *b);

/* "AES-GCM-256/PRF-HMAC-SHA2-384/ECP-384"; unknown transforms as "ENCR-99" or "ENCR-20-192". Returns ret_text
 * (PROPOSAL_TEXT_MAX bytes).
 */
char *proposal_format(const struct proposal *p, char *ret_text);
/* All proposals, ", " between them, cut at the end of the buffer. */
char *proposal_list_format(const struct proposal_list *list, char *ret_text);
char *suite_format(const struct suite *s, char *ret_text);
