/* SPDX-License-Identifier: BSD-3-Clause */
/* What both directions of the ESP burst share: the packet's shape, operations, runs of one engine function, sorting
 * bad packets to the end. Inline, burst path. */
#pragma once

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include "esn.h"
#include "ipsec_priv.h"
#include "sa_priv.h"

#define IV_BYTES          8
#define ICV_BYTES         16
#define ESP_BYTES         8 /* SPI and sequence number */
#define ESP_TRAILER_BYTES 2 /* pad length and next header */
#define UDP_BYTES         8
#define NEXT_HEADER_IPV4  4
#define NEXT_HEADER_NONE  59

/* Nonce and AAD of a packet (RFC 4106 4, 5). Each piece is a store of its own here; the engine loads them much later,
 * when they have left the store buffer. */
static inline void op_fill(
	struct crypto_op *op, const struct sa *sa, uint64_t sequence, uint64_t iv_memory, uint8_t *text, uint32_t len)
{
	uint64_t wire = rte_cpu_to_be_64(sequence << sa->sequence_shift);

	op->key = sa->key;
	op->text = text;
	op->len = len;
	op->aad_bytes = sa->aad_bytes;
	op->icv_bytes = ICV_BYTES;
	memcpy(op->nonce, &sa->salt, sizeof(sa->salt));
	memcpy(op->nonce + sizeof(sa->salt), &iv_memory, sizeof(iv_memory));
	memcpy(op->aad, &sa->spi_be, sizeof(sa->spi_be));
	memcpy(op->aad + sizeof(sa->spi_be), &wire, sizeof(wire));
}

/* One engine call for every run of packets that want the same function. */
static inline void ops_run(struct ipsec_worker *w, const struct esp_item *items, uint16_t n)
{
	uint16_t i = 0, j;

	while (i < n) {
		crypto_burst *crypt = items[w->items[i]].sa->crypt;
		for (j = i + 1; j < n && items[w->items[j]].sa->crypt == crypt; j++)
			;
		crypt(w, &w->ops[i], j - i);
		i = j;
	}
}

/* The lines of SA, key and packet that the next stages touch. */
static inline void burst_prefetch(const struct ipsec_worker *w, const struct esp_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const struct sa *sa = items[i].sa;
		rte_prefetch0(sa);
		rte_prefetch0(&sa->sequence);
		for (uint16_t line = 0; line < w->key_line_count; line++)
			rte_prefetch0(sa->key + w->key_lines[line]);
	}
}

static inline void item_drop(struct esp_item *item, enum drop_reason reason)
{
	item->drop = (uint16_t)reason;
	sa_count_drop(item->sa, reason);
}

/* Good packets first, in their order. Returns how many. */
static inline uint16_t burst_partition(struct esp_item *items, uint16_t n)
{
	struct esp_item bad[IPSEC_BURST];
	uint16_t good = 0, bad_count = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (items[i].drop == DROP_NONE)
			items[good++] = items[i];
		else
			bad[bad_count++] = items[i];
	}
	memcpy(&items[good], bad, bad_count * sizeof(bad[0]));
	return good;
}

/* One buffer per packet: the engine works in place. */
static inline bool packet_joined(struct rte_mbuf *m)
{
	return likely(m->nb_segs == 1) || rte_pktmbuf_linearize(m) == 0;
}
