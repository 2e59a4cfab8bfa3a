/* SPDX-License-Identifier: BSD-3-Clause */
/* The types of settings: each turns one scalar into a field and reports what is wrong with it. What needs other
 * settings to be judged is a check, not a type. */
#include "conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void *field(struct load *l, const struct row *row, void *base)
{
	return row->sink ? l->sink : (uint8_t *)base + row->offset;
}

/* A number into a field of its width: settings are uint8_t to uint64_t, enums and bools. */
static void store_number(struct load *l, const struct row *row, void *base, uint64_t value)
{
	void *to = field(l, row, base);

	switch (row->size) {
	case sizeof(uint8_t): *(uint8_t *)to = (uint8_t)value; break;
	case sizeof(uint16_t): *(uint16_t *)to = (uint16_t)value; break;
	case sizeof(uint32_t): *(uint32_t *)to = (uint32_t)value; break;
	default: *(uint64_t *)to = value; break;
	}
}

/* The usual fault of a scalar. */
static bool refuse(struct load *l, const struct row *row, const struct node *node, const char *text)
{
	fault(l, node->place, "\"%.64s\" is not %s", text, row->type->expects);
	return false;
}

static bool in_range(const struct row *row, uint64_t value)
{
	return (value == 0 && row->zero_allowed) || (value >= row->min && value <= row->max);
}

/* Decimal, or hexadecimal with 0x; nothing else, no sign, no spaces. */
static bool number_decode(const char *text, uint64_t *ret_value)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	const char *digits = base == 16 ? text + 2 : text;
	char *end;

	if (!isxdigit((unsigned char)*digits))
		return false;
	errno = 0;
	*ret_value = strtoull(digits, &end, base);
	return !*end && !errno;
}

static bool parse_number(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	uint64_t value;

	if (!number_decode(text, &value))
		return refuse(l, row, node, text);
	if (!in_range(row, value)) {
		fault(l, node->place, "%" PRIu64 " is not %sfrom %" PRIu64 " to %" PRIu64, value,
			row->zero_allowed ? "0 or " : "", row->min, row->max);
		return false;
	}
	store_number(l, row, base, value);
	return true;
}

static const struct {
	const char *unit;
	uint64_t ns;
} units[] = {
	{ "d", 86400000000000 },
	{ "h", 3600000000000 },
	{ "m", 60000000000 },
	{ "s", 1000000000 },
	{ "ms", 1000000 },
};

char *duration_format(uint64_t ns, char *ret_text)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && (!ns || ns % units[i].ns))
		i++;
	if (!ns)
		i = 3;
	snprintf(ret_text, 24, "%" PRIu64 "%s", ns / units[i].ns, units[i].unit);
	return ret_text;
}

static bool duration_decode(const char *text, uint64_t *ret_ns)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t value = 0;

	if (!digits || digits > 12)
		return false;
	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(text + digits, units[i].unit) == 0 && value <= UINT64_MAX / units[i].ns) {
			*ret_ns = value * units[i].ns;
			return true;
		}
	return false;
}

/* Nanoseconds: what the engine counts in. */
static bool parse_duration(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	char low[24], high[24];
	uint64_t ns;

	if (!duration_decode(text, &ns))
		return refuse(l, row, node, text);
	if (!in_range(row, ns)) {
		fault(l, node->place, "%.24s is not %sfrom %s to %s", text, row->zero_allowed ? "0s or " : "",
			duration_format(row->min, low), duration_format(row->max, high));
		return false;
	}
	store_number(l, row, base, ns);
	return true;
}

/* "a, b or c" of the supported words. */
static void words_format(const struct word *words, char *text, size_t capacity)
{
	size_t used = 0;

	text[0] = '\0';
	for (const struct word *w = words; w->text && used < capacity; w++)
		if (!w->refusal)
			used += (size_t)snprintf(text + used, capacity - used, "%s%s", used ? ", " : "", w->text);
}

static void unknown_word(struct load *l, const struct row *row, const struct node *node, const char *text)
{
	struct suggestion s = suggestion_init(text, strlen(text));
	char all[128];

	for (const struct word *w = row->words; w->text; w++)
		if (!w->refusal)
			suggestion_offer(&s, w->text);
	words_format(row->words, all, sizeof(all));
	if (s.best)
		fault_unknown(l, node->place, "unknown", &s);
	else
		fault(l, node->place, "unknown \"%.64s\"; known: %s", text, all);
}

/* True and TRUE are true, as in YAML's core schema (10.3.2), but tRUE is not. Other words have one spelling. */
static bool same_word(const char *word, const char *text)
{
	static const char *const booleans[] = { "true", "false", "yes", "no", "on", "off" };
	size_t len = strlen(word), upper = 0, i = 0;

	if (strcmp(word, text) == 0)
		return true;
	while (i < ARRAY_LEN(booleans) && strcmp(booleans[i], word) != 0)
		i++;
	if (i == ARRAY_LEN(booleans) || strcasecmp(word, text) != 0)
		return false;
	for (i = 0; i < len; i++)
		upper += isupper((unsigned char)text[i]) != 0;
	return upper == len || (upper == 1 && isupper((unsigned char)text[0]));
}

static const struct word *word_lookup(const struct row *row, const char *text)
{
	for (const struct word *w = row->words; w->text; w++)
		if (same_word(w->text, text))
			return w;
	return NULL;
}

static bool parse_word(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	const struct word *w = word_lookup(row, text);

	if (!w) {
		unknown_word(l, row, node, text);
		return false;
	}
	if (w->refusal) {
		fault(l, node->place, "\"%s\": %s", w->text, w->refusal);
		return false;
	}
	store_number(l, row, base, w->value);
	return true;
}

/* A number, or one of a few words in its place. */
static bool parse_number_or_word(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	const struct word *w = word_lookup(row, text);
	char all[128];

	if (!w && !isdigit((unsigned char)text[0])) {
		words_format(row->words, all, sizeof(all));
		fault(l, node->place, "\"%.64s\" is neither a number nor %s", text, all);
		return false;
	}
	if (row->has_choice)
		*((bool *)base + row->choice_offset) = w ? w->value : !row->words[0].value;
	else if (w)
		store_number(l, row, base, w->value);
	return w || parse_number(l, row, node, text, base);
}

/* Names stand in texts, paths and commands: no spaces, nothing that a shell or a path would take for its own. */
static bool parse_name(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	size_t len = strlen(text);

	if (!isalnum((unsigned char)text[0]))
		return refuse(l, row, node, text);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("-_.", text[i]))
			return refuse(l, row, node, text);
	if (len >= CONFIG_NAME_MAX) {
		fault(l, node->place, "longer than %d characters", CONFIG_NAME_MAX - 1);
		return false;
	}
	memcpy(field(l, row, base), text, len + 1);
	return true;
}

static bool parse_text(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 127)
			return refuse(l, row, node, text);
	if (!len)
		return refuse(l, row, node, text);
	if (len >= row->size) {
		fault(l, node->place, "longer than %zu bytes", row->size - 1);
		return false;
	}
	memcpy(field(l, row, base), text, len + 1);
	return true;
}

static bool parse_path(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	return text[0] == '/' ? parse_text(l, row, node, text, base) : refuse(l, row, node, text);
}

/* Owned copies, appended; what was read before a fault is freed with the configuration. */
static bool parse_words(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	char ***words = field(l, row, base);
	size_t *count = (size_t *)((uint8_t *)base + row->count_offset);

	if (!*text)
		return refuse(l, row, node, text);
	char **larger = realloc(*words, (*count + 1) * sizeof(*larger));
	char *copy = strdup(text);
	if (larger)
		*words = larger;
	if (!larger || !copy) {
		free(copy);
		fault_no_memory(l);
		return false;
	}
	larger[(*count)++] = copy;
	return true;
}

/* Some rows take one family only; the other may have a row of its own beside it. */
static bool family_allowed(struct load *l, const struct row *row, const struct node *node, uint8_t family)
{
	if (!row->family || row->family == family)
		return true;
	if (strcmp(row->key, "address") == 0)
		fault(l, node->place, "an IPv6 address goes into address6");
	else if (strcmp(row->key, "address6") == 0)
		fault(l, node->place, "an IPv4 address goes into address");
	else
		fault(l, node->place, "IPv%d is not supported here", family);
	return false;
}

/* ::ffff:0:0/96 never stands in a packet (RFC 4291 2.5.5.2, RFC 6890). */
static bool is_host6(const struct addr *a)
{
	static const uint8_t zero[10], mapped[2] = { 0xff, 0xff };
	static const uint8_t loopback[16] = { [15] = 1 };

	return memcmp(a->bytes, loopback, sizeof(loopback)) != 0 &&
	       (memcmp(a->bytes, zero, sizeof(zero)) != 0 || memcmp(a->bytes + 10, mapped, sizeof(mapped)) != 0);
}

static bool is_host(const struct addr *a)
{
	if (addr_is_any(a) || addr_is_multicast(a))
		return false;
	return a->family == ADDR_IPV6 ? is_host6(a) : addr_ipv4(a) >> 28 != 15 && addr_ipv4(a) >> 24 != 127;
}

static bool parse_address(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct addr a;

	if (addr_parse(text, &a))
		return refuse(l, row, node, text);
	if (!family_allowed(l, row, node, a.family))
		return false;
	if (!is_host(&a)) {
		fault(l, node->place, "%s is not the address of a host", text);
		return false;
	}
	*(struct addr *)field(l, row, base) = a;
	return true;
}

static bool parse_address_or_any(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	if (strcmp(text, "any") != 0)
		return parse_address(l, row, node, text, base);
	*(struct addr *)field(l, row, base) = (struct addr){ 0 };
	return true;
}

/* The length has to be written: a forgotten one would mean a single host. */
static bool parse_prefix(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct prefix p;

	if (prefix_parse(text, &p) || !strchr(text, '/'))
		return refuse(l, row, node, text);
	if (!family_allowed(l, row, node, p.addr.family))
		return false;
	*(struct prefix *)field(l, row, base) = p;
	return true;
}

static bool parse_mac(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	/* hex_decode would take less punctuation */
	for (size_t i = 0; i < 17; i++)
		if (!text[i] || (i % 3 == 2) != (text[i] == ':'))
			return refuse(l, row, node, text);
	if (hex_decode(text, mac, sizeof(mac)) != sizeof(mac))
		return refuse(l, row, node, text);
	if (mac[0] & 1 || !memcmp(mac, zero, sizeof(mac))) {
		fault(l, node->place, "%s is not the address of one station", text);
		return false;
	}
	memcpy(field(l, row, base), mac, sizeof(mac));
	return true;
}

static bool parse_identity(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct identity id;

	if (identity_parse(text, &id))
		return refuse(l, row, node, text);
	*(struct identity *)field(l, row, base) = id;
	return true;
}

static bool parse_identity_or_any(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	if (strcmp(text, "any") != 0)
		return parse_identity(l, row, node, text, base);
	*(struct identity *)field(l, row, base) = (struct identity){ .type = ID_NONE };
	return true;
}

/* 10.1.0.5/24 works as 10.1.0.0/24, but one host may have been meant. Ranges have no bits to lose. */
static void warn_host_bits(struct load *l, const struct node *node, const char *text, const struct selector *s)
{
	char prefix[PREFIX_TEXT_MAX], meant[SELECTOR_TEXT_MAX];
	size_t len = strcspn(text, "[");
	struct prefix p;

	snprintf(prefix, sizeof(prefix), "%.*s", (int)len, text);
	if (len < sizeof(prefix) && !prefix_parse(prefix, &p) && !addr_equal(&p.addr, &s->low))
		warn(l, node->place, "%.64s has bits behind its length, it means %s", text, selector_format(s, meant));
}

/* The interpreter has bounded the number of entries, so there is room. */
static bool parse_selector(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct selector_list *list = field(l, row, base);
	struct selector s;

	if (selector_parse(text, &s))
		return refuse(l, row, node, text);
	if (!family_allowed(l, row, node, s.low.family))
		return false;
	for (int i = 0; i < list->count; i++)
		if (selector_equal(&list->items[i], &s)) {
			fault(l, node->place, "\"%.64s\" stands twice in the list", text);
			return false;
		}
	list->items[list->count++] = s;
	warn_host_bits(l, node, text, &s);
	return true;
}

/* The word stands for addresses that are known later; check_pools.c says where they may be. */
static bool parse_selector_or_dynamic(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct selector_list *list = field(l, row, base);
	bool dynamic = strcmp(text, "dynamic") == 0;

	if (list->dynamic || (dynamic && list->count)) {
		fault(l, node->place, "`dynamic` stands alone in its list");
		return false;
	}
	list->dynamic = dynamic;
	return dynamic || parse_selector(l, row, node, text, base);
}

static bool parse_host_address(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct address_list *list = field(l, row, base);
	struct addr a;

	if (addr_parse(text, &a) || addr_is_any(&a) || addr_is_multicast(&a))
		return refuse(l, row, node, text);
	list->items[list->count++] = a;
	return true;
}

static bool known_elsewhere(const char *word, size_t len)
{
	for (int type = TRANSFORM_ENCR; type < TRANSFORM_TYPES; type++)
		if (alg_lookup_keyword((enum transform_type)type, word, len))
			return true;
	return false;
}

/* An algorithm keyword that nobody knows, or that this protocol does not use. */
static void unknown_algorithm(
	struct load *l, enum security_protocol protocol, struct place at, const char *word, size_t len)
{
	static const char *const names[] = { [PROTOCOL_IKE] = "phase1", [PROTOCOL_AH] = "AH", [PROTOCOL_ESP] = "ESP" };
	struct suggestion s = suggestion_init(word, len);
	uint16_t usable = proposal_usable(protocol);

	if (protocol == PROTOCOL_AH && alg_lookup_keyword(TRANSFORM_ENCR, word, len)) {
		fault(l, at, "\"%.*s\" encrypts, which AH does not (RFC 4302 1)", (int)len, word);
		return;
	}
	if (known_elsewhere(word, len)) {
		fault(l, at, "\"%.*s\" is not supported in %s", (int)len, word, names[protocol]);
		return;
	}
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		if (a->flags & usable)
			suggestion_offer(&s, a->keyword);
	fault_unknown(l, at, "unknown", &s);
}

/* Faults of one word stand at that word, faults of the whole at its beginning. */
static bool proposal_decode(struct load *l, enum security_protocol protocol, const struct node *node, const char *text,
	struct proposal *ret_proposal)
{
	const char *word, *reason;
	size_t len;

	if (!proposal_parse(protocol, text, ret_proposal, &word, &len, &reason))
		return true;
	struct place at = node->kind == NODE_SCALAR ? node_place_within(node, (size_t)(word - text)) : node->place;
	if (strcmp(reason, "unknown") == 0)
		unknown_algorithm(l, protocol, at, word, len);
	else
		fault(l, at, "\"%.*s\": %s", len < 128 ? (int)len : 128, word, reason);
	return false;
}

static bool add_proposal(struct load *l, enum security_protocol protocol, const struct row *row,
	const struct node *node, const char *text, void *base)
{
	struct proposal_list *list = field(l, row, base);
	struct proposal p;

	if (!proposal_decode(l, protocol, node, text, &p))
		return false;
	p.number = (uint8_t)(list->count + 1);
	list->items[list->count++] = p;
	return true;
}

static bool parse_ike_proposal(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	return add_proposal(l, PROTOCOL_IKE, row, node, text, base);
}

/* Of the child's protocol, whose row stands before this one. A default has no node of its own, and is of ESP. */
static bool parse_child_proposal(
	struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	const struct child_profile *child = base;

	if (child->protocol == PROTOCOL_AH && node->kind == NODE_MAP)
		return child->proposals.count || add_proposal(l, PROTOCOL_AH, row, node, "sha256", base);
	/* a wrong protocol has its fault; faults of the proposals would only follow from it */
	return child->protocol && add_proposal(l, (enum security_protocol)child->protocol, row, node, text, base);
}

/* The only transform of a type; *ret_alg is NULL when there is none. False when there are several. */
static bool only_alg(const struct proposal *p, enum transform_type type, const struct alg **ret_alg)
{
	*ret_alg = NULL;
	for (int i = 0; i < p->count; i++) {
		const struct transform *t = &p->transforms[i];
		if (t->type != type)
			continue;
		if (*ret_alg)
			return false;
		*ret_alg = alg_lookup(type, t->id, t->key_bits);
	}
	return true;
}

/* NULL, or why these algorithms cannot be a manual SA's: nothing is negotiated, so one of each kind. */
static const char *manual_fault(const struct proposal *p, const struct alg **ret_encr, const struct alg **ret_integ)
{
	if (!only_alg(p, TRANSFORM_ENCR, ret_encr) || !only_alg(p, TRANSFORM_INTEG, ret_integ))
		return "a manual SA takes one algorithm of each kind";
	if (proposal_has_type(p, TRANSFORM_KE))
		return "a manual SA has no key exchange";
	/* RFC 8750 7: never where a sequence number can come again under the same key */
	if (*ret_encr && ((*ret_encr)->flags & ALG_IIV))
		return "an implicit IV would repeat after a restart, as manual keys outlive it (RFC 8750 7)";
	return NULL;
}

/* Into a struct sa_spec, whose protocol is there already: its row stands before this one. */
static bool parse_suite(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	struct sa_spec *spec = field(l, row, base);
	const struct alg *encr, *integ, *esn;
	struct proposal p;

	/* a wrong protocol has its fault; faults of the proposal would only follow from it */
	if (!spec->protocol || !proposal_decode(l, spec->protocol, node, text, &p))
		return false;
	const char *reason = manual_fault(&p, &encr, &integ);
	if (reason) {
		fault(l, node->place, "\"%.64s\": %s", text, reason);
		return false;
	}
	/* ESN only by its word: without one the proposal offers both */
	spec->esn = only_alg(&p, TRANSFORM_ESN, &esn) && esn && esn->id == ESN_YES;
	spec->encr = encr;
	spec->integ = integ;
	return true;
}

static bool store_secret(struct load *l, const struct row *row, void *base, struct bytes b)
{
	struct secret *s = field(l, row, base);

	secret_done(s);
	if (!secret_copy(s, b))
		return true;
	fault_no_memory(l);
	return false;
}

/* Hexadecimal of any length to a secret field. */
static bool store_hex(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	uint8_t raw[512];
	int n = hex_decode(text, raw, sizeof(raw));
	bool ok = n > 0 && store_secret(l, row, base, BYTES(raw, n));

	secret_wipe(raw, sizeof(raw));
	if (n == -ENOSPC)
		fault(l, node->place, "longer than %zu bytes", sizeof(raw));
	else if (n <= 0)
		fault(l, node->place, "not hexadecimal bytes (after 0x, two digits a byte)");
	return ok;
}

/* Secrets are never repeated in a text. */
static bool parse_psk(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	size_t len = strlen(text);

	if (!len) {
		fault(l, node->place, "empty");
		return false;
	}
	if (strncmp(text, "0x", 2) == 0)
		return store_hex(l, row, node, text, base);
	return store_secret(l, row, base, BYTES(text, len));
}

/* "" is no key: a pair of lines may be left in place when the suite is changed to an AEAD. */
static bool parse_key(struct load *l, const struct row *row, const struct node *node, const char *text, void *base)
{
	return !*text || store_hex(l, row, node, text, base);
}

const struct type type_number = { "number", "a number (decimal, or hexadecimal after 0x)", false, parse_number };
const struct type type_duration = { "duration", "a duration such as 500ms, 30s, 5m, 1h or 1d", false, parse_duration };
const struct type type_word = { "word", "a word", false, parse_word };
const struct type type_name = { "name", "a name (letters, digits, and - _ . behind the first)", false, parse_name };
const struct type type_text = { "text", "a text without spaces", false, parse_text };
const struct type type_path = { "path", "an absolute path without spaces", false, parse_path };
const struct type type_words = { "list of words", "a word", true, parse_words };
const struct type type_number_or_word = { "number or word", "a number, or a word in its place", false,
	parse_number_or_word };
const struct type type_address = { "address", "an IP address", false, parse_address };
const struct type type_address_or_any = { "address or any", "an IP address or any", false, parse_address_or_any };
const struct type type_prefix = { "prefix", "an address with a length, such as 10.1.0.0/24", false, parse_prefix };
const struct type type_mac = { "MAC address", "a MAC address such as \"02:00:00:00:00:09\"", false, parse_mac };
const struct type type_identity = { "identity",
	"an identity (192.0.2.1, gw.example.net, user@example.net, keyid:text, keyid:0x0102)", false, parse_identity };
const struct type type_identity_or_any = { "identity or any",
	"an identity (192.0.2.1, gw.example.net, user@example.net, keyid:text, keyid:0x0102) or any", false,
	parse_identity_or_any };
const struct type type_selectors = { "list of selectors",
	"a selector (10.1.0.0/24, 10.1.0.5-10.1.0.9, 10.1.0.0/24[tcp/80], 10.1.0.0/24[icmp])", true, parse_selector };
const struct type type_selectors_or_dynamic = { "list of selectors, or [dynamic]",
	"a selector (10.1.0.0/24, 10.1.0.5-10.1.0.9, 10.1.0.0/24[tcp/80], 10.1.0.0/24[icmp]) or dynamic", true,
	parse_selector_or_dynamic };
const struct type type_dns = { "list of addresses", "the address of a name server", true, parse_host_address };
const struct type type_more_addresses = { "list of addresses", "an address such as 192.0.2.1 or 2001:db8::1", true,
	parse_host_address };
const struct type type_ike_proposals = { "list of IKE proposals",
	"algorithms such as aes256gcm16-prfsha384-ecp384 or aes256-sha256-modp2048", true, parse_ike_proposal };
const struct type type_child_proposals = { "list of ESP or AH proposals",
	"algorithms such as aes256gcm16 or, for AH, sha256", true, parse_child_proposal };
const struct type type_suite = { "SA suite",
	"one algorithm of each kind, such as aes256gcm16, aes128-sha256-esn or, for AH, sha256", false, parse_suite };
const struct type type_psk = { "secret", "a text, or bytes in hexadecimal after 0x", false, parse_psk };
const struct type type_key = { "key", "bytes in hexadecimal, with or without 0x before them", false, parse_key };
