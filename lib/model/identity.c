/* SPDX-License-Identifier: BSD-3-Clause */
/* Identity text forms and comparison. Wire checks (address lengths) belong to the decoder in lib/wire. */
#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int identity_from_bytes(uint8_t type, struct bytes b, struct identity *ret_identity)
{
	if (b.len > IDENTITY_BYTES_MAX)
		return -EMSGSIZE;
	*ret_identity = (struct identity){ .type = type, .len = (uint8_t)b.len };
	if (b.len)
		memcpy(ret_identity->data, b.data, b.len);
	return 0;
}

static int parse_text(uint8_t type, const char *text, struct identity *ret_identity)
{
	if (!*text)
		return -EINVAL;
	return identity_from_bytes(type, BYTES(text, strlen(text)), ret_identity) ? -EINVAL : 0;
}

static bool has_space_or_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 127)
			return true;
	return false;
}

/* A name, and not an address with a typing error: that would match nobody and say nothing. */
static bool is_fqdn(const char *text)
{
	return !strpbrk(text, "@:/") && strspn(text, "0123456789.") != strlen(text);
}

static bool is_email(const char *text)
{
	const char *at = strrchr(text, '@');

	return at && at != text && is_fqdn(at + 1);
}

static int parse_key_id(const char *text, struct identity *ret_identity)
{
	uint8_t raw[IDENTITY_BYTES_MAX];

	if (strncmp(text, "0x", 2) != 0)
		return parse_text(ID_KEY_ID, text, ret_identity);
	int n = hex_decode(text, raw, sizeof(raw));
	if (n <= 0)
		return -EINVAL;
	return identity_from_bytes(ID_KEY_ID, BYTES(raw, n), ret_identity) ? -EINVAL : 0;
}

int identity_parse(const char *text, struct identity *ret_identity)
{
	struct addr a;

	if (!strncmp(text, "keyid:", 6))
		return parse_key_id(text + 6, ret_identity);
	if (!addr_parse(text, &a))
		return identity_from_bytes(a.family == ADDR_IPV4 ? ID_IPV4_ADDR : ID_IPV6_ADDR,
			BYTES(a.bytes, addr_len(&a)), ret_identity);
	if (has_space_or_control(text))
		return -EINVAL;
	if (text[0] != '@' && strchr(text, '@'))
		return is_email(text) ? parse_text(ID_RFC822_ADDR, text, ret_identity) : -EINVAL;
	if (text[0] == '@')
		text++;
	return is_fqdn(text) ? parse_text(ID_FQDN, text, ret_identity) : -EINVAL;
}

static char *format_escaped(const struct identity *id, char *text)
{
	char *out = text;

	for (size_t i = 0; i < id->len; i++) {
		uint8_t c = id->data[i];
		if (c >= ' ' && c < 127 && c != '\\')
			*out++ = (char)c;
		else
			out += sprintf(out, "\\x%02x", c);
	}
	*out = '\0';
	return text;
}

char *identity_format(const struct identity *id, char *ret_text)
{
	struct addr a;

	switch (id->type) {
	case ID_NONE: return strcpy(ret_text, "none");
	case ID_IPV4_ADDR:
	case ID_IPV6_ADDR:
		if (id->len == (id->type == ID_IPV4_ADDR ? 4 : 16)) {
			a = addr_from_bytes(id->len == 4 ? ADDR_IPV4 : ADDR_IPV6, id->data);
			return addr_format(&a, ret_text);
		}
		break;
	case ID_FQDN:
	case ID_RFC822_ADDR: return format_escaped(id, ret_text);
	case ID_KEY_ID: format_escaped(id, ret_text + sprintf(ret_text, "keyid:")); return ret_text;
	default: break;
	}
	int n = sprintf(ret_text, "type-%u:", id->type);
	hex_encode(BYTES(id->data, id->len), ret_text + n);
	return ret_text;
}

static bool equal_ignoring_case(const uint8_t *a, const uint8_t *b, size_t n)
{
	return strncasecmp((const char *)a, (const char *)b, n) == 0;
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	size_t exact = a->len;

	if (a->type != b->type || a->len != b->len)
		return false;
	if (memchr(a->data, 0, a->len) || memchr(b->data, 0, b->len))
		return memcmp(a->data, b->data, a->len) == 0;
	if (a->type == ID_FQDN)
		exact = 0;
	if (a->type == ID_RFC822_ADDR) {
		/* a quoted local part may hold an @ of its own */
		const uint8_t *at = memrchr(a->data, '@', a->len);
		exact = at ? (size_t)(at - a->data) : a->len;
	}
	return memcmp(a->data, b->data, exact) == 0 &&
	       equal_ignoring_case(a->data + exact, b->data + exact, a->len - exact);
}

bool identity_is_pattern(const struct identity *id)
{
	bool named = (id->type == ID_FQDN && id->len > 2 && id->data[1] == '.') ||
		     (id->type == ID_RFC822_ADDR && id->len > 2 && id->data[1] == '@');

	return named && id->data[0] == '*';
}

bool identity_matches(const struct identity *wanted, const struct identity *id)
{
	size_t suffix = wanted->len - 1u;

	if (wanted->type == ID_NONE)
		return true;
	if (!identity_is_pattern(wanted))
		return identity_equal(wanted, id);
	/* the suffix of an e-mail pattern holds the last @ of what ends so */
	return wanted->type == id->type && id->len > suffix && !memchr(id->data, 0, id->len) &&
	       equal_ignoring_case(wanted->data + 1, id->data + id->len - suffix, suffix);
}
