/* SPDX-License-Identifier: BSD-3-Clause */
/* What every prepare and finish function shares: the packet's shape, its operation, its IV, its account with the SA.
 * Inline, burst path. */
#pragma once

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "ip6.h"
#include "ipsec_priv.h"
#include "sa_priv.h"

#define IPV4_BYTES        20
#define IPV6_BYTES        40
#define ESP_BYTES         8  /* SPI and sequence number */
#define ESP_TRAILER_BYTES 2  /* pad length and next header */
#define AH_BYTES          12 /* up to the ICV (RFC 4302 2) */
#define UDP_BYTES         8
#define NEXT_HEADER_IPV4  4
#define NEXT_HEADER_IPV6  41
#define NEXT_HEADER_NONE  59
#define ECN_MASK          3

/* One buffer per packet: the engine works in place. */
static inline bool packet_joined(struct rte_mbuf *m)
{
	return likely(m->nb_segs == 1) || rte_pktmbuf_linearize(m) == 0;
}

static inline bool packet_is_ipv6(const uint8_t *ip)
{
	return ip[0] >> 4 == 6;
}

static inline uint32_t ipv4_header_bytes(const uint8_t *ip)
{
	return (ip[0] & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
}

static inline bool ipv4_is_fragment(const uint8_t *ip)
{
	return ((const struct rte_ipv4_hdr *)ip)->fragment_offset &
	       RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
}

/* Bytes of the whole packet as its header says; IPv6 without jumbograms. */
static inline uint32_t ip_total_bytes(const uint8_t *ip)
{
	if (packet_is_ipv6(ip))
		return IPV6_BYTES + rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)ip)->payload_len);
	return rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)ip)->total_length);
}

static inline void ipv4_checksum_set(uint8_t *ip)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)ip;

	h->hdr_checksum = 0;
	h->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, ipv4_header_bytes(ip));
}

/* Length of an IP packet after something was put in or taken out; the IPv4 checksum to match. */
static inline void ip_length_set(uint8_t *ip, uint32_t total)
{
	if (packet_is_ipv6(ip)) {
		((struct rte_ipv6_hdr *)ip)->payload_len = rte_cpu_to_be_16((uint16_t)(total - IPV6_BYTES));
		return;
	}
	((struct rte_ipv4_hdr *)ip)->total_length = rte_cpu_to_be_16((uint16_t)total);
	ipv4_checksum_set(ip);
}

static inline void packet_begin(struct rte_mbuf *m, const uint8_t *at, uint32_t bytes)
{
	m->data_off = (uint16_t)(at - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)bytes;
	m->pkt_len = bytes;
}

/* The half of a sequence number that is authenticated but not sent (RFC 4303 2.2.1). */
static inline uint32_t sequence_high_be(uint64_t sequence)
{
	return rte_cpu_to_be_32((uint32_t)(sequence >> 32));
}

/* Nonce, AAD and ICV of an ESP packet (RFC 4106 4, 5; RFC 4303 3.3.2.2). Each piece is a store of its own here; the
 * engine loads them much later, when they have left the store buffer. iv: of the wire, or the implicit one; its first
 * eight bytes. */
static inline void esp_op_fill(struct crypto_op *op, const struct sa *sa, uint64_t sequence, uint64_t iv_memory,
	const uint8_t *esp, uint8_t *text, uint32_t len)
{
	uint64_t wire = rte_cpu_to_be_64(sa->traits & SA_ESN ? sequence : sequence << 32);
	uint32_t spi_be = rte_cpu_to_be_32(sa->spi);

	op->key = sa->key;
	op->text = text;
	op->len = len;
	op->aad_bytes = sa->aad_bytes;
	op->before = sa->before;
	op->tail = sa->traits & SA_TAIL ? sizeof(uint32_t) : 0;
	op->icv_bytes = sa->icv_bytes;
	memcpy(op->nonce, &sa->salt, sizeof(sa->salt));
	memcpy(op->nonce + sa->salt_bytes, &iv_memory, sizeof(iv_memory));
	memcpy(op->aad, &spi_be, sizeof(spi_be));
	memcpy(op->aad + sizeof(spi_be), &wire, sizeof(wire));
	if (unlikely(sa->iv_bytes == IV_BYTES_MAX))
		memcpy(op->nonce, esp + ESP_BYTES, IV_BYTES_MAX);
}

/* Unpredictable bytes for an IV (n at most IV_BYTES_MAX), or NULL when the engine failed. */
const uint8_t *iv_pool_pull(struct ipsec_worker *w, uint16_t n);

/* In constant time: how much of a forged ICV is right must not show. */
static inline bool icv_equal(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
	uint64_t left[2], right[2];
	uint8_t differ = 0;

	/* nearly every suite's */
	if (likely(bytes == sizeof(left))) {
		memcpy(left, a, sizeof(left));
		memcpy(right, b, sizeof(right));
		return ((left[0] ^ right[0]) | (left[1] ^ right[1])) == 0;
	}
	for (uint32_t i = 0; i < bytes; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/* Where ESP or AH goes into an IP packet in transport mode (RFC 4303 3.1.1, RFC 4302 3.1.1). */
struct transport_split {
	uint16_t header_bytes; /* in front of it */
	uint16_t next_offset;  /* of the byte that names what follows these */
};

/* transport.c: an IPv6 fragment header of a whole datagram is taken away, as AH must not see it and ESP in transport
 * mode takes no fragments (RFC 4302 A2, RFC 8200 4.5). m begins at the IP header and is in one buffer; others stay as
 * they are. */
void atomic_fragment_remove(struct rte_mbuf *m);

/* transport.c. DROP_NONE, or DROP_FRAGMENT (whole datagrams only), DROP_SHORT, DROP_IP_HEADER. */
enum drop_reason transport_split(const uint8_t *ip, uint32_t bytes, struct transport_split *ret_split);

/* What makes a checksum over the addresses as the sender knows them one over those of the packet, as it stands in
 * memory; 0: nothing to do. */
uint16_t checksum_delta(const struct sa_spec *spec);
/* Adds it to the checksum of a payload whose checksum is over addresses, too (RFC 3948 3.1.2). */
void checksum_repair(uint8_t protocol, uint8_t *payload, uint32_t bytes, uint16_t delta);
