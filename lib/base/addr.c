/* SPDX-License-Identifier: BSD-3-Clause */
/* Address, endpoint and prefix values: text forms, comparison, ranges. */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

struct addr addr_from_ipv4(uint32_t host_order)
{
	struct addr a = { .family = ADDR_IPV4 };

	store_be32(a.bytes, host_order);
	return a;
}

uint32_t addr_ipv4(const struct addr *a)
{
	return load_be32(a->bytes);
}

struct addr addr_from_bytes(enum addr_family family, const uint8_t *bytes)
{
	struct addr a = { .family = (uint8_t)family };

	memcpy(a.bytes, bytes, addr_len(&a));
	return a;
}

size_t addr_len(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? 4 : a->family == ADDR_IPV6 ? 16 : 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

bool addr_is_multicast(const struct addr *a)
{
	if (a->family == ADDR_IPV4)
		return (a->bytes[0] & 0xf0) == 0xe0;
	return a->family == ADDR_IPV6 && a->bytes[0] == 0xff;
}

int addr_parse(const char *text, struct addr *ret_addr)
{
	struct addr a = { .family = ADDR_IPV4 };

	if (inet_pton(AF_INET, text, a.bytes) != 1) {
		a = (struct addr){ .family = ADDR_IPV6 };
		if (inet_pton(AF_INET6, text, a.bytes) != 1)
			return -EINVAL;
	}
	*ret_addr = a;
	return 0;
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char host[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix p;

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse(host, &p.addr))
		return -EINVAL;
	unsigned long bits = addr_len(&p.addr) * 8, len = bits;
	if (slash) {
		char *end;
		len = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || len > bits)
			return -EINVAL;
	}
	p.len = (uint8_t)len;
	*ret_prefix = p;
	return 0;
}

char *addr_format(const struct addr *a, char *ret_text)
{
	int family = a->family == ADDR_IPV6 ? AF_INET6 : AF_INET;

	if (a->family == ADDR_NONE)
		return strcpy(ret_text, "any");
	inet_ntop(family, a->bytes, ret_text, ADDR_TEXT_MAX);
	return ret_text;
}

char *endpoint_format(const struct endpoint *e, char *ret_text)
{
	char host[ADDR_TEXT_MAX];
	bool v6 = e->addr.family == ADDR_IPV6;

	addr_format(&e->addr, host);
	snprintf(ret_text, ENDPOINT_TEXT_MAX, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", e->port);
	return ret_text;
}

char *prefix_format(const struct prefix *p, char *ret_text)
{
	char host[ADDR_TEXT_MAX];

	snprintf(ret_text, PREFIX_TEXT_MAX, "%s/%u", addr_format(&p->addr, host), p->len);
	return ret_text;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

void prefix_range(const struct prefix *p, struct addr *ret_low, struct addr *ret_high)
{
	struct addr low = p->addr, high = p->addr;
	size_t len = addr_len(&p->addr);

	for (size_t i = p->len / 8; i < len; i++) {
		uint8_t mask = (uint8_t)(0xff >> (i == p->len / 8 ? p->len % 8 : 0));
		low.bytes[i] &= (uint8_t)~mask;
		high.bytes[i] |= mask;
	}
	*ret_low = low;
	*ret_high = high;
}

struct prefix prefix_between(const struct addr *low, const struct addr *high, struct addr *ret_last)
{
	struct prefix p = { .addr = *low };
	struct addr first;

	for (;; p.len++) {
		prefix_range(&p, &first, ret_last);
		if (addr_equal(&first, low) && addr_compare(ret_last, high) <= 0)
			return p;
	}
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	struct addr low, high;

	if (p->addr.family != a->family)
		return false;
	prefix_range(p, &low, &high);
	return addr_compare(&low, a) <= 0 && addr_compare(a, &high) <= 0;
}

struct addr addr_beside(const struct addr *a, bool up)
{
	struct addr beside = *a;
	size_t i = addr_len(a);

	while (i-- > 0)
		if (up ? ++beside.bytes[i] : beside.bytes[i]--)
			break;
	return beside;
}
