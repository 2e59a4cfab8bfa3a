/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer target: ICMP errors of both families and the packets they quote. What is said of one lies inside of it and
 * does not depend on the bytes behind it. */
#include <stdlib.h>
#include <string.h>

#include "quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quote_check(const uint8_t *ip, size_t size, const struct quote *q)
{
	struct flow out, in;
	struct quoted_sa sa;

	if (!quote_is_error(ip, (uint32_t)size) || q->ip <= ip || q->ip + q->bytes != ip + size ||
		q->ip[0] >> 4 != ip[0] >> 4)
		abort();
	quote_flow(q, true, &out);
	quote_flow(q, false, &in);
	if (out.protocol != in.protocol || memcmp(out.local_be, in.remote_be, sizeof(out.local_be)) != 0)
		abort();
	if (quote_sa(q, &sa) && (sa.local.family != sa.remote.family || (sa.udp && sa.local_port != PORT_NATT)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct quote q;
	/* what callers have checked: a whole header with a length that is there */
	size_t header = size && data[0] >> 4 == 6 ? 40 : size ? (data[0] & 15) * 4u : 20;

	if (size < header || header < 20 || size > UINT16_MAX)
		return 0;
	/* a copy of its exact size: a byte read behind it is found */
	uint8_t *ip = malloc(size);
	if (!ip)
		return 0;
	memcpy(ip, data, size);
	if (quote_read(ip, (uint32_t)size, &q))
		quote_check(ip, size, &q);
	free(ip);
	return 0;
}
