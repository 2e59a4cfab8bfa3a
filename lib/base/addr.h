/* SPDX-License-Identifier: BSD-3-Clause */
/* IP addresses, endpoints and prefixes of both families, as values. Bytes are in network order. No name resolution. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum addr_family {
	ADDR_NONE = 0, /* unset, or "any" where a contract says so */
	ADDR_IPV4 = 4,
	ADDR_IPV6 = 6,
};

/* Unused bytes are zero, so that values compare as memory. */
struct addr {
	uint8_t family; /* enum addr_family */
	uint8_t bytes[16];
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

struct prefix {
	struct addr addr; /* host bits kept as written */
	uint8_t len;      /* bits */
};

#define ADDR_TEXT_MAX     46 /* INET6_ADDRSTRLEN */
#define ENDPOINT_TEXT_MAX 56 /* "[v6]:port" */
#define PREFIX_TEXT_MAX   50

/* IPv4 from and to a host-order word. */
struct addr addr_from_ipv4(uint32_t host_order);
uint32_t addr_ipv4(const struct addr *a);
struct addr addr_from_bytes(enum addr_family family, const uint8_t *bytes);

/* Length of the address in bytes: 4, 16, or 0 for ADDR_NONE. */
size_t addr_len(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* <0, 0, >0; family first, then numerically. */
int addr_compare(const struct addr *a, const struct addr *b);
/* The next address, or the one before; at the end it begins anew. */
struct addr addr_beside(const struct addr *a, bool up);
bool addr_is_any(const struct addr *a); /* none, 0.0.0.0 or :: */
bool addr_is_multicast(const struct addr *a);

/* 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *ret_addr);
/* "10.0.0.0/8"; a bare address gets its full length. 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *ret_prefix);

/* Text forms; ret_text has at least the _TEXT_MAX size. They return ret_text. ADDR_NONE is "any". */
char *addr_format(const struct addr *a, char *ret_text);
char *endpoint_format(const struct endpoint *e, char *ret_text);
char *prefix_format(const struct prefix *p, char *ret_text);

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool prefix_contains(const struct prefix *p, const struct addr *a);
/* Lowest and highest address of the prefix. */
void prefix_range(const struct prefix *p, struct addr *ret_low, struct addr *ret_high);
/* The largest prefix that begins with `low` and ends before `high` does, and its last address: a range is split into
 * prefixes by beginning anew behind that. low <= high. */
struct prefix prefix_between(const struct addr *low, const struct addr *high, struct addr *ret_last);
