/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP encapsulation, tunnel mode over IPv4 (RFC 4303 3.3, RFC 4106, RFC 3948). Stages over the burst: prefetch, headers
 * and trailers, crypto. Fragmentation and the path's MTU are the caller's part. */
#include "esp_priv.h"

/* Bytes that a template copy writes; what is behind the template is ESP header, written afterwards. */
#define TEMPLATE_COPY_BYTES 32

static const uint8_t pad_pattern[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* RFC 4303 2.4: 1, 2, 3 .., pad length, next header. Always 16 bytes of pattern: the ICV comes on top, so the room is
 * there. */
static inline void trailer_write(uint8_t *tail, uint32_t pad)
{
	const uint8_t end[ESP_TRAILER_BYTES] = { (uint8_t)pad, NEXT_HEADER_IPV4 };

	memcpy(tail, pad_pattern, sizeof(pad_pattern));
	memcpy(tail + pad, end, sizeof(end));
}

static inline uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

/* The template, then what differs per packet: RFC 4301 5.1.2.1 (DF copied), RFC 6040 4.1 (DSCP and ECN copied). */
static inline void outer_write(
	uint8_t *at, const struct path *path, const struct rte_ipv4_hdr *inner, uint16_t total, uint16_t id)
{
	uint16_t length_be = rte_cpu_to_be_16(total);
	uint16_t df_be = inner->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG);
	uint16_t tos_be = rte_cpu_to_be_16(inner->type_of_service);
	uint16_t udp_be = rte_cpu_to_be_16((uint16_t)(total - sizeof(struct rte_ipv4_hdr)));
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)at;
	uint16_t sum;

	memcpy(&sum, path->template_bytes + offsetof(struct rte_ipv4_hdr, hdr_checksum), sizeof(sum));
	memcpy(at, path->template_bytes, TEMPLATE_COPY_BYTES);
	ip->type_of_service = inner->type_of_service;
	ip->total_length = length_be;
	ip->packet_id = id;
	ip->fragment_offset = df_be;
	ip->hdr_checksum = (uint16_t)~sum_fold((uint32_t)sum + length_be + df_be + tos_be + id);
	/* the UDP length; without UDP this is where the ESP header comes now */
	memcpy(at + sizeof(*ip) + offsetof(struct rte_udp_hdr, dgram_len), &udp_be, sizeof(udp_be));
}

/* One packet: 0 and its operation, or why not. No sequence number is used up by a packet that is not sent. */
static inline enum drop_reason packet_build(struct rte_mbuf *m, struct sa *sa, struct crypto_op *ret_op)
{
	const struct path *path = atomic_load_explicit(
		&sa->path, memory_order_acquire); /* pairs with sa_path_publish */
	enum drop_reason reason;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	uint32_t inner_bytes = m->data_len;
	uint32_t pad = -(inner_bytes + ESP_TRAILER_BYTES) & sa->pad_mask;
	uint32_t head = path->template_len + ESP_BYTES + IV_BYTES;
	uint32_t tail = pad + ESP_TRAILER_BYTES + ICV_BYTES;
	uint32_t no_head = rte_pktmbuf_headroom(m) < head, no_tail = rte_pktmbuf_tailroom(m) < tail;
	if (unlikely(no_head | no_tail))
		return DROP_NO_HEADROOM;
	reason = sa_limit_check(sa, inner_bytes);
	if (unlikely(reason))
		return reason;

	uint64_t sequence = count_read(&sa->sequence) + 1;
	uint64_t counter = sa->iv_base + sequence;
	uint64_t iv = rte_cpu_to_be_64(counter);
	const uint32_t esp[2] = { sa->spi_be, rte_cpu_to_be_32((uint32_t)sequence) };
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t len = inner_bytes + pad + ESP_TRAILER_BYTES;

	atomic_store_explicit(&sa->sequence, sequence, memory_order_relaxed);
	count_add(&sa->packets, 1);
	count_add(&sa->bytes, inner_bytes);
	trailer_write(inner + inner_bytes, pad);
	outer_write(inner - head, path, (const struct rte_ipv4_hdr *)inner, (uint16_t)(head + len + ICV_BYTES),
		(uint16_t)counter);
	memcpy(inner - IV_BYTES - ESP_BYTES, esp, sizeof(esp));
	memcpy(inner - IV_BYTES, &iv, sizeof(iv));
	op_fill(ret_op, sa, sequence, iv, inner, len);
	ret_op->icv = inner + len;
	m->data_off -= (uint16_t)head;
	m->data_len = (uint16_t)(head + len + ICV_BYTES);
	m->pkt_len = m->data_len;
	return DROP_NONE;
}

/* The path's line, and the packet's around which headers go. */
static inline void packets_prefetch(const struct esp_item *items, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *inner = rte_pktmbuf_mtod(items[i].m, const uint8_t *);
		rte_prefetch0(atomic_load_explicit(&items[i].sa->path, memory_order_relaxed));
		rte_prefetch0(inner - RTE_CACHE_LINE_SIZE);
		rte_prefetch0(inner + items[i].m->data_len);
	}
}

uint16_t esp_out_burst(struct ipsec_worker *w, struct esp_item *items, uint16_t n)
{
	uint16_t ops = 0;

	burst_prefetch(w, items, n);
	packets_prefetch(items, n);
	for (uint16_t i = 0; i < n; i++) {
		enum drop_reason reason = packet_build(items[i].m, items[i].sa, &w->ops[ops]);
		items[i].drop = DROP_NONE;
		w->items[ops] = i;
		if (likely(reason == DROP_NONE))
			ops++;
		else
			item_drop(&items[i], reason);
	}
	ops_run(w, items, ops);
	return likely(ops == n) ? n : burst_partition(items, n);
}
