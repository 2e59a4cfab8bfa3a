/* SPDX-License-Identifier: BSD-3-Clause */
/* Proposal words to transforms and transforms to text. Choosing between proposals is negotiation: lib/ike. */
#include "proposal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What add_defaults may add: the PRF of each integrity algorithm, or both ESN values. */
#define DEFAULTS_MAX 6

int proposal_add(struct proposal *p, enum transform_type type, uint16_t id, uint16_t key_bits)
{
	if (p->count == PROPOSAL_TRANSFORMS_MAX)
		return -ENOSPC;
	p->transforms[p->count++] = (struct transform){ .type = (uint8_t)type, .id = id, .key_bits = key_bits };
	return 0;
}

bool proposal_has_type(const struct proposal *p, enum transform_type type)
{
	for (int i = 0; i < p->count; i++)
		if (p->transforms[i].type == type)
			return true;
	return false;
}

static bool proposal_equal(const struct proposal *a, const struct proposal *b)
{
	for (int i = 0; i < a->count && i < b->count; i++) {
		const struct transform *s = &a->transforms[i], *t = &b->transforms[i];
		if (s->type != t->type || s->id != t->id || s->key_bits != t->key_bits)
			return false;
	}
	return a->protocol == b->protocol && a->count == b->count;
}

bool proposal_list_equal(const struct proposal_list *a, const struct proposal_list *b)
{
	for (int i = 0; i < a->count && i < b->count; i++)
		if (!proposal_equal(&a->items[i], &b->items[i]))
			return false;
	return a->count == b->count;
}

uint16_t proposal_usable(enum security_protocol protocol)
{
	static const uint16_t flags[] = { [PROTOCOL_IKE] = ALG_IKE, [PROTOCOL_AH] = ALG_AH, [PROTOCOL_ESP] = ALG_ESP };

	return protocol < sizeof(flags) / sizeof(flags[0]) ? flags[protocol] : 0;
}

/* Words that other gateways know and we refuse for a reason worth saying. */
static const struct {
	const char *word, *reason;
} refused[] = {
	{ "aes192ccm16", "the packet path has no AES-CCM-192 (intel-ipsec-mb lacks it)" },
	{ "aes192ccm12", "the packet path has no AES-CCM-192 (intel-ipsec-mb lacks it)" },
	{ "aes192ccm8", "the packet path has no AES-CCM-192 (intel-ipsec-mb lacks it)" },
	{ "aes192ccm8iiv", "the packet path has no AES-CCM-192 (intel-ipsec-mb lacks it)" },
	{ "md5", "HMAC-MD5 must not be used (RFC 8221 6, RFC 8247 2.3)" },
	{ "prfmd5", "HMAC-MD5 must not be used (RFC 8247 2.2)" },
	{ "prfaesxcbc", "OpenSSL has no AES-XCBC; prfaescmac is its successor (RFC 4615)" },
	{ "des", "DES must not be used (RFC 8221 5, RFC 8247 2.1)" },
	{ "blowfish", "Blowfish must not be used (RFC 8221 5)" },
	{ "blowfish128", "Blowfish must not be used (RFC 8221 5)" },
	{ "modp768", "MODP-768 must not be used (RFC 8247 2.4)" },
	{ "modp1024s160", "groups with small subgroups must not be used (RFC 8247 2.4)" },
	{ "modp2048s224", "groups with small subgroups should not be used (RFC 8247 2.4)" },
	{ "modp2048s256", "groups with small subgroups should not be used (RFC 8247 2.4)" },
};

static const char *refusal(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strlen(refused[i].word) == len && !memcmp(refused[i].word, word, len))
			return refused[i].reason;
	return "unknown";
}

/* The table row a word means in this protocol: the first type that knows it and may be used there. */
static const struct alg *word_lookup(enum security_protocol protocol, const char *word, size_t len)
{
	uint16_t usable = proposal_usable(protocol);

	for (int type = TRANSFORM_ENCR; type < TRANSFORM_TYPES; type++) {
		const struct alg *a = alg_lookup_keyword((enum transform_type)type, word, len);
		if (a && (a->flags & usable))
			return a;
	}
	return NULL;
}

static bool has_encr(const struct proposal *p, bool aead)
{
	for (int i = 0; i < p->count; i++) {
		const struct transform *t = &p->transforms[i];
		const struct alg *a = alg_lookup((enum transform_type)t->type, t->id, t->key_bits);
		if (a && t->type == TRANSFORM_ENCR && !!(a->flags & ALG_AEAD) == aead)
			return true;
	}
	return false;
}

/* With an AEAD and no PRF, "sha256" in an IKE proposal can only have meant the PRF: it became one, drop the integrity.
 */
static void drop_integ_of_aead(struct proposal *p)
{
	int kept = 0;

	if (!has_encr(p, true) || has_encr(p, false))
		return;
	for (int i = 0; i < p->count; i++)
		if (p->transforms[i].type != TRANSFORM_INTEG)
			p->transforms[kept++] = p->transforms[i];
	p->count = (uint8_t)kept;
}

/* What the words left unsaid: PRFs of the integrity algorithms (IKE), both ESN values (ESP, AH). */
static void add_defaults(struct proposal *p)
{
	int words = p->count;

	if (p->protocol != PROTOCOL_IKE && !proposal_has_type(p, TRANSFORM_ESN)) {
		proposal_add(p, TRANSFORM_ESN, ESN_YES, 0);
		proposal_add(p, TRANSFORM_ESN, ESN_NO, 0);
	}
	if (p->protocol != PROTOCOL_IKE || proposal_has_type(p, TRANSFORM_PRF))
		return;
	for (int i = 0; i < words; i++) {
		const struct alg *prf = p->transforms[i].type == TRANSFORM_INTEG ? alg_prf_of_integ(p->transforms[i].id)
										 : NULL;
		if (prf)
			proposal_add(p, TRANSFORM_PRF, prf->id, 0);
	}
	drop_integ_of_aead(p);
}

/* NULL, or why the set of transforms makes no sense as a whole. */
static const char *whole_fault(const struct proposal *p)
{
	bool aead = has_encr(p, true), classic = has_encr(p, false), integ = proposal_has_type(p, TRANSFORM_INTEG);

	if (p->protocol == PROTOCOL_AH)
		return integ ? NULL : "no integrity algorithm";
	if (!aead && !classic)
		return "no encryption algorithm";
	if (aead && classic)
		return "AEAD and classic encryption cannot share a proposal (RFC 7296 3.3); write two";
	if (aead && integ)
		return "an AEAD takes no integrity algorithm";
	if (classic && !integ)
		return "no integrity algorithm";
	if (p->protocol == PROTOCOL_IKE && !proposal_has_type(p, TRANSFORM_PRF))
		return "no PRF (add prfsha256, prfsha384 or prfsha512)";
	if (p->protocol == PROTOCOL_IKE && !proposal_has_type(p, TRANSFORM_KE))
		return "no key exchange group";
	return NULL;
}

static bool has_transform(const struct proposal *p, const struct alg *a)
{
	for (int i = 0; i < p->count; i++)
		if (p->transforms[i].type == a->type && p->transforms[i].id == a->id &&
			p->transforms[i].key_bits == a->key_bits)
			return true;
	return false;
}

/* NULL, or why this algorithm cannot follow those already there; room is kept for the defaults. */
static const char *word_fault(const struct proposal *p, const struct alg *a, const char *word, size_t len)
{
	if (!a)
		return refusal(word, len);
	if (has_transform(p, a))
		return "named twice";
	return p->count >= PROPOSAL_TRANSFORMS_MAX - DEFAULTS_MAX ? "too many algorithms" : NULL;
}

int proposal_parse(enum security_protocol protocol, const char *text, struct proposal *ret_proposal,
	const char **ret_word, size_t *ret_word_len, const char **ret_reason)
{
	struct proposal p = { .protocol = (uint8_t)protocol, .number = 1 };
	const char *word = text;

	for (;;) {
		size_t len = strcspn(word, "-");
		const struct alg *a = word_lookup(protocol, word, len);
		*ret_word = word;
		*ret_word_len = len;
		*ret_reason = word_fault(&p, a, word, len);
		if (*ret_reason)
			return -EINVAL;
		proposal_add(&p, (enum transform_type)a->type, a->id, a->key_bits);
		if (!word[len])
			break;
		word += len + 1;
	}
	add_defaults(&p);
	*ret_word = text;
	*ret_word_len = strlen(text);
	*ret_reason = whole_fault(&p);
	if (*ret_reason)
		return -EINVAL;
	*ret_proposal = p;
	return 0;
}

/* Appends to a bounded text; what does not fit is cut. */
static void append(char *text, size_t capacity, const char *separator, const char *word)
{
	size_t used = strlen(text);

	snprintf(text + used, capacity - used, "%s%s", used ? separator : "", word);
}

/* RFC 7296 3.3.2. */
static const char *transform_abbreviation(uint8_t type)
{
	static const char *const names[TRANSFORM_TYPES] = {
		[TRANSFORM_ENCR] = "ENCR",
		[TRANSFORM_PRF] = "PRF",
		[TRANSFORM_INTEG] = "INTEG",
		[TRANSFORM_KE] = "KE",
		[TRANSFORM_ESN] = "ESN",
	};

	return type < TRANSFORM_TYPES && names[type] ? names[type] : "TRANSFORM";
}

static void append_transform(char *text, const struct transform *t)
{
	const struct alg *a = alg_lookup((enum transform_type)t->type, t->id, t->key_bits);
	char unknown[64];

	int used = snprintf(unknown, sizeof(unknown), "%s-%u", transform_abbreviation(t->type), t->id);
	if (t->key_bits)
		snprintf(unknown + used, sizeof(unknown) - (size_t)used, "-%u", t->key_bits);
	append(text, PROPOSAL_TEXT_MAX, "/", a ? a->name : unknown);
}

char *proposal_format(const struct proposal *p, char *ret_text)
{
	ret_text[0] = '\0';
	for (int i = 0; i < p->count; i++)
		append_transform(ret_text, &p->transforms[i]);
	return ret_text;
}

char *proposal_list_format(const struct proposal_list *list, char *ret_text)
{
	char one[PROPOSAL_TEXT_MAX];

	ret_text[0] = '\0';
	for (int i = 0; i < list->count; i++)
		append(ret_text, PROPOSAL_TEXT_MAX, ", ", proposal_format(&list->items[i], one));
	return ret_text;
}

static bool suite_part_fits(const struct alg *a, enum transform_type type, uint16_t usable)
{
	return !a || (a->type == type && (a->flags & usable));
}

const char *suite_fault(enum security_protocol protocol, const struct suite *s)
{
	uint16_t usable = proposal_usable(protocol);
	bool aead = s->encr && (s->encr->flags & ALG_AEAD);

	if (!suite_part_fits(s->encr, TRANSFORM_ENCR, usable) || !suite_part_fits(s->prf, TRANSFORM_PRF, usable) ||
		!suite_part_fits(s->integ, TRANSFORM_INTEG, usable) || !suite_part_fits(s->ke, TRANSFORM_KE, usable))
		return "an algorithm that this protocol does not use";
	if (protocol != PROTOCOL_AH && !s->encr)
		return "no encryption algorithm";
	if (aead && s->integ)
		return "an AEAD takes no integrity algorithm";
	if (!aead && !s->integ)
		return "no integrity algorithm";
	if (protocol == PROTOCOL_IKE && !s->prf)
		return "no PRF";
	if (protocol == PROTOCOL_IKE && !s->ke)
		return "no key exchange group";
	return NULL;
}

char *suite_weakness(const struct suite *s, char *ret_text, size_t capacity)
{
	const struct alg *parts[] = { s->encr, s->integ, s->prf, s->ke };

	ret_text[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i] && alg_weakness(parts[i])) {
			append(ret_text, capacity, "; ", parts[i]->name);
			append(ret_text, capacity, " ", alg_weakness(parts[i]));
		}
	return ret_text;
}

char *suite_format(const struct suite *s, char *ret_text)
{
	const struct alg *parts[] = { s->encr, s->integ, s->prf, s->ke };

	ret_text[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i])
			append(ret_text, PROPOSAL_TEXT_MAX, "/", parts[i]->name);
	if (s->esn)
		append(ret_text, PROPOSAL_TEXT_MAX, "/", "ESN");
	return ret_text;
}
