/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: the text parsers of base and model (addresses, prefixes, hexadecimal, selectors, identities, proposals).
 * The first byte chooses the parser. What parses must format, and the formatted text must parse to the same value. */
#include <stdlib.h>

#include "base.h"
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

static void fuzz_prefix(const char *text)
{
	struct prefix p, again;
	char out[PREFIX_TEXT_MAX];

	if (prefix_parse(text, &p))
		return;
	REQUIRE(prefix_parse(prefix_format(&p, out), &again) == 0);
	REQUIRE(addr_equal(&p.addr, &again.addr) && p.len == again.len);
}

static void fuzz_hex(const char *text)
{
	uint8_t raw[64], again[64];
	char out[2 * sizeof(raw) + 1];
	int n = hex_decode(text, raw, sizeof(raw));

	if (n < 0)
		return;
	REQUIRE(hex_decode(hex_encode(BYTES(raw, n), out), again, sizeof(again)) == n);
	REQUIRE(memcmp(raw, again, (size_t)n) == 0);
}

static void fuzz_selector(const char *text)
{
	struct selector s, again;
	char out[SELECTOR_TEXT_MAX];

	if (selector_parse(text, &s))
		return;
	REQUIRE(selector_valid(&s));
	REQUIRE(selector_parse(selector_format(&s, out), &again) == 0);
	REQUIRE(selector_equal(&s, &again));
}

static void fuzz_identity(const char *text)
{
	struct identity id;
	char out[IDENTITY_TEXT_MAX];

	if (identity_parse(text, &id))
		return;
	REQUIRE(id.len > 0 && strlen(identity_format(&id, out)) > 0);
	REQUIRE(identity_equal(&id, &id));
}

static void fuzz_proposal(const char *text)
{
	static const enum security_protocol protocols[] = { PROTOCOL_IKE, PROTOCOL_ESP };
	struct proposal p;
	const char *word, *reason;
	char out[PROPOSAL_TEXT_MAX];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		if (proposal_parse(protocols[i], text, &p, &word, &len, &reason)) {
			REQUIRE(reason && word >= text && word + len <= text + strlen(text));
			continue;
		}
		REQUIRE(p.count > 0 && strlen(proposal_format(&p, out)) < sizeof(out));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(
		const char *) = { fuzz_prefix, fuzz_hex, fuzz_selector, fuzz_identity, fuzz_proposal };
	char text[1024];

	if (size < 1 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	targets[data[0] % ARRAY_LEN(targets)](text);
	return 0;
}
