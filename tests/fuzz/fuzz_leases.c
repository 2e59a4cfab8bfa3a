/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: the file of leases. What is read is written again, and that must read the same. */
#include <stdio.h>
#include <stdlib.h>

#include "lease_file_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

struct seen {
	unsigned lines;
	char pool[PROFILE_NAME_MAX];
	struct addr addr;
	struct identity id;
};

static int see(void *context, const char *pool, const struct addr *addr, const struct identity *id)
{
	struct seen *seen = context;

	REQUIRE(pool[0] && addr->family != ADDR_NONE && id->len <= IDENTITY_BYTES_MAX);
	seen->lines++;
	snprintf(seen->pool, sizeof(seen->pool), "%s", pool);
	seen->addr = *addr;
	seen->id = *id;
	return 0;
}

static const char *read_bytes(const void *data, size_t size, struct seen *ret_seen)
{
	FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");

	REQUIRE(in);
	*ret_seen = (struct seen){ 0 };
	const char *reason = lease_lines_read(in, see, ret_seen);
	fclose(in);
	return reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen, again;
	char addr[ADDR_TEXT_MAX], hex[2 * IDENTITY_BYTES_MAX + 1], line[2048];

	if (!size)
		return 0;
	read_bytes(data, size, &seen);
	if (!seen.lines)
		return 0;
	int len = snprintf(line, sizeof(line), "%s %s %u:%s\n", seen.pool, addr_format(&seen.addr, addr), seen.id.type,
		hex_encode(BYTES(seen.id.data, seen.id.len), hex));
	REQUIRE(!read_bytes(line, (size_t)len, &again));
	REQUIRE(again.lines == 1 && addr_equal(&again.addr, &seen.addr) && identity_equal(&again.id, &seen.id));
	return 0;
}
