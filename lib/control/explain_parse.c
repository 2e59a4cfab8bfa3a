/* SPDX-License-Identifier: BSD-3-Clause */
/* The words after "explain": two addresses, what else of a packet policy looks at, and where it comes in. */
#include "explain_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ICMP_ECHO   8
#define ICMPV6_ECHO 128

int number_parse(const char *text, uint64_t most, uint64_t *ret_number)
{
	char *end;

	/* strtoull would take blanks and signs */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(text, &end, 0);
	return *end || errno || *ret_number > most ? -EINVAL : 0;
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

/* The names of protocols are those of selectors: "icmp" is that of the family. */
static int protocol_parse(const char *text, uint8_t family, uint8_t *ret_protocol)
{
	char selector_text[SELECTOR_TEXT_MAX];
	struct selector s;

	if (strchr(text, '/') || strlen(text) > 16)
		return -EINVAL;
	snprintf(selector_text, sizeof(selector_text), "%s[%s]", family == ADDR_IPV6 ? "::/0" : "0.0.0.0/0", text);
	if (selector_parse(selector_text, &s) || !s.protocol)
		return -EINVAL;
	*ret_protocol = s.protocol;
	return 0;
}

static int fault(char *ret_error, size_t capacity, const char *what, const char *word)
{
	snprintf(ret_error, capacity, "explain: %s \"%.64s\"", what, word);
	return -EINVAL;
}

static int ports_parse(const char *const *words, struct datapath_query *q, char *ret_error, size_t capacity)
{
	uint64_t most = is_icmp(q->protocol) ? UINT8_MAX : UINT16_MAX, numbers[2];
	const char *what = is_icmp(q->protocol) ? "no ICMP type or code:" : "no port:";

	for (int i = 0; i < 2; i++)
		if (number_parse(words[i], most, &numbers[i]))
			return fault(ret_error, capacity, what, words[i]);
	q->sport = (uint16_t)numbers[0];
	q->dport = (uint16_t)numbers[1];
	q->has_ports = true;
	return 0;
}

static int interface_parse(
	const struct config *config, const char *name, struct datapath_query *q, char *ret_error, size_t capacity)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (!strcmp(config->interfaces[i].name, name)) {
			q->port = (uint16_t)i;
			return 0;
		}
	return fault(ret_error, capacity, "no interface", name);
}

/* The common question about ICMP is a ping. */
static void icmp_default(struct datapath_query *q)
{
	if (!is_icmp(q->protocol) || q->has_ports)
		return;
	q->sport = q->protocol == IPPROTO_ICMP ? ICMP_ECHO : ICMPV6_ECHO;
	q->has_ports = true;
}

static int addresses_parse(const char *const *args, struct datapath_query *q, char *ret_error, size_t capacity)
{
	if (addr_parse(args[0], &q->src))
		return fault(ret_error, capacity, "no address:", args[0]);
	if (addr_parse(args[1], &q->dst))
		return fault(ret_error, capacity, "no address:", args[1]);
	if (q->src.family != q->dst.family)
		return fault(ret_error, capacity, "of another address family:", args[1]);
	return 0;
}

static int packet_parse(const struct config *config, const char *const *args, size_t count, struct datapath_query *q,
	char *ret_error, size_t capacity)
{
	size_t at = 2;
	int rc = addresses_parse(args, q, ret_error, capacity);

	if (rc)
		return rc;
	if (at < count && strcmp(args[at], "interface") != 0) {
		if (protocol_parse(args[at], q->src.family, &q->protocol))
			return fault(ret_error, capacity, "no protocol:", args[at]);
		at++;
	}
	if (at > 2 && at < count && strcmp(args[at], "interface") != 0) {
		if (at + 1 == count)
			return fault(ret_error, capacity,
				"both ports, or ICMP type and code, are needed; only one:", args[at]);
		rc = ports_parse(args + at, q, ret_error, capacity);
		at += 2;
	}
	if (!rc && at + 1 < count && !strcmp(args[at], "interface")) {
		rc = interface_parse(config, args[at + 1], q, ret_error, capacity);
		at += 2;
	}
	if (!rc && at < count)
		return fault(ret_error, capacity, "not understood:", args[at]);
	icmp_default(q);
	return rc;
}

int explain_parse(const struct config *config, const char *const *args, size_t count,
	struct explain_request *ret_request, char *ret_error, size_t capacity)
{
	uint64_t spi;

	*ret_request = (struct explain_request){ .query.port = DATAPATH_PORT_ANY };
	if (count < 2)
		return fault(ret_error, capacity, "nothing follows", count ? args[0] : "explain");
	if (strcmp(args[0], "spi") != 0)
		return packet_parse(config, args, count, &ret_request->query, ret_error, capacity);
	if (count > 2)
		return fault(ret_error, capacity, "not understood:", args[2]);
	if (number_parse(args[1], UINT32_MAX, &spi))
		return fault(ret_error, capacity, "no SPI (0x00001001):", args[1]);
	ret_request->by_spi = true;
	ret_request->spi = (uint32_t)spi;
	return 0;
}
