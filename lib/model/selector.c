/* SPDX-License-Identifier: BSD-3-Clause */
/* Traffic selectors: text, containment, intersection, narrowing (RFC 7296 2.9). No wire format: lib/wire. */
#include "selector.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number's first name is the one that is written. */
static const struct {
	const char *name;
	uint8_t number;
} protocol_names[] = {
	{ "icmp", IPPROTO_ICMP },
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "ipv6-icmp", IPPROTO_ICMPV6 },
	{ "icmpv6", IPPROTO_ICMPV6 },
	{ "sctp", IPPROTO_SCTP },
	{ "gre", IPPROTO_GRE },
};

#define ICMP_VALUE_MAX  255 /* of type and code */
#define ROWS(t)         (sizeof(t) / sizeof((t)[0]))
#define PROTOCOL_NUMBER "protocol "
#define PORT_TEXT_MAX   8 /* "255/255" */

static bool ports_opaque(const struct selector *s)
{
	return s->port_low == 65535 && s->port_high == 0;
}

static bool ports_any(const struct selector *s)
{
	return s->port_low == 0 && s->port_high == 65535;
}

/* A decimal number up to max at *text; *text moves behind it. -EINVAL when there is none. */
static int parse_number(const char **text, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(*text, &end, 10);

	if (**text < '0' || **text > '9' || v > max)
		return -EINVAL;
	*text = end;
	return (int)v;
}

/* ICMP of IPv6 is a protocol of its own, which nobody means to leave out by writing "icmp". A bare number is taken, but
 * written as "protocol 25": it is no port. */
static int parse_protocol(const char **text, uint8_t family)
{
	size_t len = strcspn(*text, "/]");

	for (size_t i = 0; i < ROWS(protocol_names); i++)
		if (strlen(protocol_names[i].name) == len && !memcmp(protocol_names[i].name, *text, len)) {
			bool icmp = protocol_names[i].number == IPPROTO_ICMP;
			*text += len;
			return icmp && family == ADDR_IPV6 ? IPPROTO_ICMPV6 : protocol_names[i].number;
		}
	if (!strncmp(*text, PROTOCOL_NUMBER, strlen(PROTOCOL_NUMBER)))
		*text += strlen(PROTOCOL_NUMBER);
	return parse_number(text, 255);
}

static bool has_icmp_types(const struct selector *s)
{
	return s->protocol == IPPROTO_ICMP || s->protocol == IPPROTO_ICMPV6;
}

/* "8" or "3/4": type and code make one number (RFC 4301 4.4.1.1). Without a code: the one given. -EINVAL. */
static int parse_icmp_type(const char **text, int code)
{
	int type = parse_number(text, ICMP_VALUE_MAX);

	if (type < 0)
		return type;
	if (**text == '/') {
		++*text;
		code = parse_number(text, ICMP_VALUE_MAX);
	}
	return code < 0 ? code : type << 8 | code;
}

static int parse_port(const char **text, const struct selector *s, bool highest)
{
	if (has_icmp_types(s))
		return parse_icmp_type(text, highest ? ICMP_VALUE_MAX : 0);
	return parse_number(text, 65535);
}

static int parse_ports(const char **text, struct selector *s)
{
	const char *again = *text;

	if (!strncmp(*text, "opaque", 6)) {
		*text += 6;
		s->port_low = 65535;
		s->port_high = 0;
		return 0;
	}
	int low = parse_port(text, s, false);
	if (low < 0)
		return low;
	if (**text == '-') {
		++*text;
		again = *text;
	}
	*text = again;
	int high = parse_port(text, s, true);
	if (high < low)
		return -EINVAL;
	s->port_low = (uint16_t)low;
	s->port_high = (uint16_t)high;
	return 0;
}

/* "[proto]" or "[proto/ports]" */
static int parse_upper(const char *text, struct selector *s)
{
	text++;
	int protocol = parse_protocol(&text, s->low.family);
	if (protocol < 0)
		return protocol;
	s->protocol = (uint8_t)protocol;
	if (*text == '/') {
		text++;
		if (!protocol || parse_ports(&text, s))
			return -EINVAL;
	}
	return strcmp(text, "]") == 0 ? 0 : -EINVAL;
}

static int parse_addresses(char *text, struct selector *s)
{
	char *dash = strchr(text, '-');
	struct prefix p;

	if (dash) {
		*dash = '\0';
		if (addr_parse(text, &s->low) || addr_parse(dash + 1, &s->high))
			return -EINVAL;
		return s->low.family == s->high.family && addr_compare(&s->low, &s->high) <= 0 ? 0 : -EINVAL;
	}
	if (prefix_parse(text, &p))
		return -EINVAL;
	prefix_range(&p, &s->low, &s->high);
	return 0;
}

int selector_parse(const char *text, struct selector *ret_selector)
{
	char addresses[2 * ADDR_TEXT_MAX];
	size_t n = strcspn(text, "[");
	struct selector s = { .port_high = 65535 };

	if (n >= sizeof(addresses))
		return -EINVAL;
	memcpy(addresses, text, n);
	addresses[n] = '\0';
	if (parse_addresses(addresses, &s) || (text[n] && parse_upper(text + n, &s)))
		return -EINVAL;
	*ret_selector = s;
	return 0;
}

/* The prefix length of a range that is exactly a prefix, else -1. */
static int range_prefix_len(const struct addr *low, const struct addr *high)
{
	struct prefix p = { .addr = *low };
	struct addr first, last;
	size_t bits = addr_len(low) * 8;

	/* the bits that both ends have in common */
	while (p.len < bits && !((low->bytes[p.len / 8] ^ high->bytes[p.len / 8]) & 0x80 >> p.len % 8))
		p.len++;
	prefix_range(&p, &first, &last);
	return addr_equal(&first, low) && addr_equal(&last, high) ? p.len : -1;
}

static void format_addresses(const struct selector *s, char *text)
{
	char low[ADDR_TEXT_MAX], high[ADDR_TEXT_MAX];
	int len = range_prefix_len(&s->low, &s->high);

	addr_format(&s->low, low);
	if (len >= 0 && (size_t)len == addr_len(&s->low) * 8)
		snprintf(text, SELECTOR_TEXT_MAX, "%s", low);
	else if (len >= 0)
		snprintf(text, SELECTOR_TEXT_MAX, "%s/%d", low, len);
	else
		snprintf(text, SELECTOR_TEXT_MAX, "%s-%s", low, addr_format(&s->high, high));
}

/* NULL: a number only. "icmp" beside IPv6 addresses would be read as ICMPv6. */
static const char *protocol_name(const struct selector *s)
{
	if (s->protocol == IPPROTO_ICMP && s->low.family == ADDR_IPV6)
		return NULL;
	for (size_t i = 0; i < ROWS(protocol_names); i++)
		if (protocol_names[i].number == s->protocol)
			return protocol_names[i].name;
	return NULL;
}

/* One end of a range; a code is left out where all of them are meant. */
static void format_port(const struct selector *s, uint16_t port, bool codes, char text[PORT_TEXT_MAX])
{
	if (!has_icmp_types(s))
		snprintf(text, PORT_TEXT_MAX, "%u", port);
	else if (codes)
		snprintf(text, PORT_TEXT_MAX, "%u/%u", port >> 8, port & 255);
	else
		snprintf(text, PORT_TEXT_MAX, "%u", port >> 8);
}

static void format_ports(const struct selector *s, const char *name, char *text, size_t capacity)
{
	char low[PORT_TEXT_MAX], high[PORT_TEXT_MAX];
	bool codes = s->port_low & 255 || (s->port_high & 255) != 255;

	format_port(s, s->port_low, codes, low);
	format_port(s, s->port_high, codes, high);
	if (!strcmp(low, high))
		snprintf(text, capacity, "[%s/%s]", name, low);
	else
		snprintf(text, capacity, "[%s/%s-%s]", name, low, high);
}

static void format_upper(const struct selector *s, char *text, size_t capacity)
{
	char number[sizeof(PROTOCOL_NUMBER) + 4];
	const char *name = protocol_name(s);

	snprintf(number, sizeof(number), PROTOCOL_NUMBER "%u", s->protocol);
	name = name ? name : number;
	if (ports_any(s))
		snprintf(text, capacity, "[%s]", name);
	else if (s->port_low > s->port_high)
		snprintf(text, capacity, "[%s/opaque]", name);
	else
		format_ports(s, name, text, capacity);
}

char *selector_format(const struct selector *s, char *ret_text)
{
	format_addresses(s, ret_text);
	size_t used = strlen(ret_text);
	if (s->protocol || !ports_any(s))
		format_upper(s, ret_text + used, SELECTOR_TEXT_MAX - used);
	return ret_text;
}

char *selector_list_format(const struct selector_list *list, char *ret_text, size_t capacity)
{
	char one[SELECTOR_TEXT_MAX];
	size_t used = 0;

	snprintf(ret_text, capacity, "%s", list->count ? "" : "any");
	for (int i = 0; i < list->count && used < capacity; i++)
		used += (size_t)snprintf(
			ret_text + used, capacity - used, "%s%s", i ? ", " : "", selector_format(&list->items[i], one));
	return ret_text;
}

struct selector selector_from_prefix(const struct prefix *p)
{
	struct selector s = { .port_high = 65535 };

	prefix_range(p, &s.low, &s.high);
	return s;
}

bool selector_valid(const struct selector *s)
{
	return addr_len(&s->low) && s->low.family == s->high.family && addr_compare(&s->low, &s->high) <= 0 &&
	       (s->port_low <= s->port_high || ports_opaque(s));
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	return addr_equal(&a->low, &b->low) && addr_equal(&a->high, &b->high) && a->protocol == b->protocol &&
	       a->port_low == b->port_low && a->port_high == b->port_high;
}

/* OPAQUE is no range of numbers but a value of its own: in ANY and in itself only (RFC 4301 4.4.1.1). */
static bool intersect_ports(const struct selector *a, const struct selector *b, struct selector *common)
{
	bool opaque = (ports_opaque(a) && (ports_opaque(b) || ports_any(b))) || (ports_any(a) && ports_opaque(b));

	common->port_low = a->port_low > b->port_low ? a->port_low : b->port_low;
	common->port_high = a->port_high < b->port_high ? a->port_high : b->port_high;
	return opaque || common->port_low <= common->port_high;
}

bool selector_intersect(const struct selector *a, const struct selector *b, struct selector *ret_common)
{
	struct selector c = { 0 };

	if (a->low.family != b->low.family || (a->protocol && b->protocol && a->protocol != b->protocol))
		return false;
	c.low = addr_compare(&a->low, &b->low) > 0 ? a->low : b->low;
	c.high = addr_compare(&a->high, &b->high) < 0 ? a->high : b->high;
	c.protocol = a->protocol ? a->protocol : b->protocol;
	if (addr_compare(&c.low, &c.high) > 0 || !intersect_ports(a, b, &c))
		return false;
	*ret_common = c;
	return true;
}

bool selector_contains(const struct selector *outer, const struct selector *inner)
{
	struct selector common;

	return selector_intersect(outer, inner, &common) && selector_equal(&common, inner);
}

bool selector_matches(const struct selector *s, const struct addr *a, uint8_t protocol, bool has_port, uint16_t port)
{
	if (a->family != s->low.family || addr_compare(&s->low, a) > 0 || addr_compare(a, &s->high) > 0)
		return false;
	if (s->protocol && s->protocol != protocol)
		return false;
	if (ports_any(s))
		return true;
	if (!has_port)
		return s->port_low > s->port_high;
	return s->port_low <= port && port <= s->port_high;
}

/* Adds a selector unless one in the list contains it; drops those it contains. False when the list is full. */
static bool add_merged(struct selector_list *list, const struct selector *s)
{
	int kept = 0;

	for (int i = 0; i < list->count; i++)
		if (selector_contains(&list->items[i], s))
			return true;
	for (int i = 0; i < list->count; i++)
		if (!selector_contains(s, &list->items[i]))
			list->items[kept++] = list->items[i];
	if (kept == SELECTORS_MAX)
		return false;
	list->items[kept++] = *s;
	list->count = (uint8_t)kept;
	return true;
}

static bool contained_in_list(const struct selector_list *list, const struct selector *s)
{
	for (int i = 0; i < list->count; i++)
		if (selector_contains(&list->items[i], s))
			return true;
	return false;
}

int selector_list_narrow(const struct selector_list *offer, const struct selector_list *policy,
	struct selector_list *ret_narrowed, bool *ret_cut)
{
	struct selector_list out = { 0 };
	struct selector common;
	bool cut = false;

	for (int i = 0; i < offer->count; i++)
		for (int k = 0; k < policy->count; k++)
			if (selector_intersect(&offer->items[i], &policy->items[k], &common) &&
				!add_merged(&out, &common))
				cut = true;
	for (int i = 0; i < offer->count; i++)
		cut = cut || !contained_in_list(&out, &offer->items[i]);
	*ret_narrowed = out;
	*ret_cut = cut;
	return out.count;
}

uint32_t selector_list_prefixes(const struct selector_list *list, uint32_t limit)
{
	uint32_t n = 0;

	for (int i = 0; i < list->count; i++) {
		struct addr low = list->items[i].low, last;
		do {
			prefix_between(&low, &list->items[i].high, &last);
			low = addr_beside(&last, true);
			n++;
		} while (n <= limit && !addr_equal(&last, &list->items[i].high));
	}
	return n;
}
