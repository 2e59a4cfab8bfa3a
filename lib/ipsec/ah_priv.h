/* SPDX-License-Identifier: BSD-3-Clause */
/* What both directions of AH share: its size, and the headers in front of it with their mutable fields zero while the
 * ICV is computed. RFC 4302. */
#pragma once

#include "burst_priv.h"

/* AH with its ICV, padded to 32 bits over IPv4 and to 64 bits over IPv6 (RFC 4302 2.2, 3.3.3.2.1). */
static inline uint32_t ah_bytes(const struct sa *sa, bool ipv6)
{
	uint32_t align = ipv6 ? 8 : 4;

	return (AH_BYTES + sa->iv_bytes + sa->icv_bytes + align - 1) & ~(align - 1);
}

/* Keeps the `bytes` bytes in front of AH as they are and zeroes what may change on the way (RFC 4302 3.3.3.1, appendix
 * A). DROP_NONE, or DROP_IP_HEADER: longer than AH_PREFIX_MAX, options that lie about their length, or a header whose
 * final form cannot be told. */
enum drop_reason ah_prefix_zero(struct ah_prefix *p, uint8_t *ip, uint32_t bytes);
/* Puts them back. */
static inline void ah_prefix_restore(const struct ah_prefix *p, uint8_t *ip)
{
	memcpy(ip, p->data, p->bytes);
}

/* The operation: everything from the IP header to `total`, AH's ICV field already zero. With ESN the high half of the
 * sequence number is written behind the packet, where there is room for it. */
static inline void ah_op_fill(
	struct crypto_op *op, const struct sa *sa, uint64_t sequence, uint64_t iv_memory, uint8_t *ip, uint32_t total)
{
	uint32_t high = sequence_high_be(sequence);

	op->key = sa->key;
	op->text = ip;
	op->len = total;
	op->aad_bytes = 0;
	op->before = 0;
	op->tail = sa->traits & SA_TAIL ? sizeof(high) : 0;
	op->icv_bytes = sa->icv_bytes;
	memcpy(op->nonce, &sa->salt, sizeof(sa->salt));
	memcpy(op->nonce + sizeof(sa->salt), &iv_memory, sizeof(iv_memory));
	if (sa->traits & SA_TAIL)
		memcpy(ip + total, &high, sizeof(high));
}
