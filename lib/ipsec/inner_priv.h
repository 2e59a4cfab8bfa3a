/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens to every packet that comes out of an SA, whatever brought it: replay window, inner header, selectors,
 * limits, ECN. RFC 4301 5.2, RFC 6040 4.2. */
#pragma once

#include "burst_priv.h"

/* Where the protected packet begins and ends, from its outer IP header. */
struct arrival {
	uint8_t *outer;
	uint32_t offset, end; /* of ESP or AH; behind its last byte */
	uint16_t next_offset; /* of the byte in front that names it */
	uint8_t kind;         /* enum sa_traits: SA_ACCEPT_RAW or SA_ACCEPT_UDP */
};

/* Lengths are compared before anything is subtracted; what is behind the IP packet, or behind the UDP datagram, is not
 * ours. minimum: bytes of ESP or AH at least. */
enum drop_reason arrival_read(
	const struct rte_mbuf *m, const struct sa *sa, uint8_t protocol, uint32_t minimum, struct arrival *ret_arrival);

/* The whole sequence number behind the 32 bits on the wire, unless it was seen or is too old. Changes nothing. */
enum drop_reason sequence_guess(const struct sa *sa, uint32_t low_be, uint64_t *ret_sequence);

/* The packet is authentic: replay window, and where its newest came from. m still begins at the outer header; esp: ESP
 * or AH header. */
enum drop_reason authentic_account(struct sa *sa, const struct rte_mbuf *m, const uint8_t *esp, uint64_t sequence);

/* The last checks of a packet in clear, which begins at `inner` with `bytes` behind it (RFC 4303 2.7: what is more than
 * its header says is traffic flow padding); then m is that packet. */
enum drop_reason tunnel_accept(struct rte_mbuf *m, struct sa *sa, uint8_t *inner, uint32_t bytes, uint8_t next_header);
enum drop_reason transport_accept(struct rte_mbuf *m, struct sa *sa, uint8_t *ip, uint32_t bytes);
