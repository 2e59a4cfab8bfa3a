/* SPDX-License-Identifier: BSD-3-Clause */
/* The short way of the usual packet: IPv4 in IPv4, ESP in tunnel mode, an AEAD with an ICV of 16 bytes and 32-bit
 * sequence numbers, one traffic selector a side. Each function either does all that the SA's own function would do, or
 * says false and has changed nothing: then that one begins from the beginning, and names what is wrong. Inline, burst
 * path. */
#pragma once

#include "inner_priv.h"
#include "ip4.h"
#include "outer_priv.h"

#define USUAL_SALT_BYTES 4
#define USUAL_IV_BYTES   8
#define USUAL_AAD_BYTES  8
#define USUAL_ICV_BYTES  16
#define USUAL_PAD_MASK   3
#define USUAL_HEAD_BYTES (IPV4_BYTES + ESP_BYTES + USUAL_IV_BYTES)
#define USUAL_TEXT_MIN   (USUAL_PAD_MASK + 1)

/* Control, once everything else of the SA is decided: whether its packets may go this way. */
static inline bool sa_is_usual(const struct sa *sa)
{
	bool sizes = sa->salt_bytes == USUAL_SALT_BYTES && sa->iv_bytes == USUAL_IV_BYTES &&
		     sa->aad_bytes == USUAL_AAD_BYTES && sa->icv_bytes == USUAL_ICV_BYTES &&
		     sa->pad_mask == USUAL_PAD_MASK && sa->iv == SA_IV_COUNTER;
	bool shape = sa->outbound ? sa->prepare == esp_tunnel_out
				  : sa->finish == esp_tunnel_in && sa->traits & SA_ACCEPT_RAW;
	bool selectors = sa->local_count == 1 && sa->remote_count == 1 && !(sa->traits & SA_PORTS);

	return sizes && shape && selectors && !(sa->traits & (SA_ESN | SA_TAIL | SA_ACCEPT_UDP));
}

/* esp_wire: SPI and sequence number as they are sent, which is the AAD (RFC 4106 5). */
static inline void usual_op_fill(
	struct crypto_op *op, const struct sa *sa, uint64_t esp_wire, uint64_t iv, uint8_t *text, uint32_t len)
{
	op->key = sa->key;
	op->text = text;
	op->len = len;
	op->aad_bytes = USUAL_AAD_BYTES;
	op->before = USUAL_IV_BYTES;
	op->tail = 0;
	op->icv_bytes = USUAL_ICV_BYTES;
	memcpy(op->nonce, &sa->salt, USUAL_SALT_BYTES);
	memcpy(op->nonce + USUAL_SALT_BYTES, &iv, sizeof(iv));
	memcpy(op->aad, &esp_wire, sizeof(esp_wire));
}

/* ---- in ---- */

static inline bool usual_prepare_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	uint8_t *outer = rte_pktmbuf_mtod(m, uint8_t *), *esp = outer + IPV4_BYTES,
		*text = esp + ESP_BYTES + USUAL_IV_BYTES;
	uint64_t first = ip4_first(outer), esp_wire, iv;
	uint32_t total = ip4_total_bytes(first), len = total - USUAL_HEAD_BYTES - USUAL_ICV_BYTES;

	if (unlikely(!(sa->traits & SA_USUAL) || !ip4_is_plain(first) || outer[9] != IPPROTO_ESP || m->nb_segs > 1))
		return false;
	if (unlikely(total > m->data_len || total < USUAL_HEAD_BYTES + USUAL_TEXT_MIN + USUAL_ICV_BYTES ||
		     len & USUAL_PAD_MASK))
		return false;
	memcpy(&esp_wire, esp, sizeof(esp_wire));
	memcpy(&iv, esp + ESP_BYTES, sizeof(iv));
	uint64_t sequence = rte_be_to_cpu_64(esp_wire) & UINT32_MAX;
	if (unlikely(replay_check(&sa->replay, sequence) != REPLAY_NEW))
		return false;
	usual_op_fill(&w->ops[op], sa, esp_wire, iv, text, len);
	w->ops[op].icv = w->icvs[op];
	w->sequences[op] = sequence;
	return true;
}

/* Addresses and protocol of a plain IPv4 header against the one selector of each side. */
static inline bool usual_selected(
	const struct sa *sa, const struct rte_ipv4_hdr *ip, uint32_t local_be, uint32_t remote_be)
{
	/* numbers, so that one branch does for both */
	uint32_t local = selector4_match(&sa->selectors[0], local_be, ip->next_proto_id);
	uint32_t remote = selector4_match(&sa->selectors[1], remote_be, ip->next_proto_id);

	return local & remote;
}

/* Of an authentic text: an IPv4 packet and short padding. ECN of both headers is the same, and so is their version. */
static inline bool usual_inside(const uint8_t *outer, const uint8_t *text, uint32_t len, uint64_t first)
{
	const uint64_t version_ecn = RTE_BE64(0xf003ull << 48);
	uint32_t pad = text[len - 2], filled = len - ESP_TRAILER_BYTES - pad, total = ip4_total_bytes(first);

	if (unlikely(text[len - 1] != NEXT_HEADER_IPV4 || pad >= sizeof(uint64_t) || !ip4_is_plain(first)))
		return false;
	if (unlikely(
		    total < IPV4_BYTES || (int32_t)total > (int32_t)filled || (ip4_first(outer) ^ first) & version_ecn))
		return false;
	return padding_good(text + filled, pad);
}

static inline bool usual_finish_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	const struct crypto_op *o = &w->ops[op];
	uint8_t *inner = o->text;
	uint64_t first = ip4_first(inner);
	uint32_t total = ip4_total_bytes(first);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)inner;

	if (unlikely(!(sa->traits & SA_USUAL) || !icv_equal(o->icv, inner + o->len, USUAL_ICV_BYTES)))
		return false;
	if (unlikely(!usual_inside(rte_pktmbuf_mtod(m, const uint8_t *), inner, o->len, first)))
		return false;
	if (unlikely(!usual_selected(sa, ip, ip->dst_addr, ip->src_addr) || !sa_within_limits(sa, total)))
		return false;
	if (unlikely(replay_advance(&sa->replay, w->sequences[op]) != REPLAY_NEW))
		return false;
	count_add(&sa->packets, 1);
	count_add(&sa->bytes, total);
	packet_begin(m, inner, total);
	return true;
}

/* ---- out ---- */

/* The path's template with what differs per packet, its first half put together in a register. id: in the order of
 * memory. */
static inline void usual_outer_write(
	uint8_t *at, const struct path *path, uint64_t inner_first, uint32_t total, uint16_t id)
{
	uint64_t inner = rte_be_to_cpu_64(inner_first);
	uint64_t tos = (ip4_tos(inner_first) & path->tos_keep) | path->tos_set;
	uint64_t df = (inner & rte_be_to_cpu_16(path->df_keep_be)) | rte_be_to_cpu_16(path->df_set_be);
	uint64_t id_host = rte_be_to_cpu_16(id);
	uint64_t begin_be = rte_cpu_to_be_64(
		(uint64_t)RTE_IPV4_VHL_DEF << 56 | tos << 48 | (uint64_t)total << 32 | id_host << 16 | df);
	uint16_t sum_be, checksum;

	memcpy(&sum_be, path->template_bytes + offsetof(struct rte_ipv4_hdr, hdr_checksum), sizeof(sum_be));
	checksum = (uint16_t)~sum_fold((uint32_t)(rte_be_to_cpu_16(sum_be) + tos + total + id_host + df));
	checksum = rte_cpu_to_be_16(checksum);
	memcpy(at, &begin_be, sizeof(begin_be));
	memcpy(at + sizeof(begin_be), path->template_bytes + sizeof(begin_be), IPV4_BYTES - sizeof(begin_be));
	memcpy(at + offsetof(struct rte_ipv4_hdr, hdr_checksum), &checksum, sizeof(checksum));
}

/* RFC 4303 2.4, in one store of eight bytes: what is too much of it the ICV overwrites. */
static inline void usual_trailer_write(uint8_t *at, uint32_t pad)
{
	static const uint8_t trailers[USUAL_PAD_MASK + 1][8] = { { 0, NEXT_HEADER_IPV4 }, { 1, 1, NEXT_HEADER_IPV4 },
		{ 1, 2, 2, NEXT_HEADER_IPV4 }, { 1, 2, 3, 3, NEXT_HEADER_IPV4 } };

	memcpy(at, trailers[pad], sizeof(trailers[pad]));
}

/* Worker: this plain packet may go into the SA as it is. */
static inline bool usual_takes(const struct sa *sa, uint8_t worker, const uint8_t *ip, uint32_t bytes)
{
	const struct rte_ipv4_hdr *header = (const struct rte_ipv4_hdr *)ip;
	/* relaxed: who finds itself here put it there; acquire: pairs with sa_path_publish */
	bool mine = atomic_load_explicit(&sa->owner, memory_order_relaxed) == worker;
	const struct path *path = atomic_load_explicit(&sa->path, memory_order_acquire);
	uint32_t len = (bytes + ESP_TRAILER_BYTES + USUAL_PAD_MASK) & ~(uint32_t)USUAL_PAD_MASK;

	if (unlikely(!mine || !(sa->traits & SA_USUAL) || path->flags))
		return false;
	return usual_selected(sa, header, header->src_addr, header->dst_addr) &&
	       USUAL_HEAD_BYTES + len + USUAL_ICV_BYTES <= path->mtu;
}

static inline bool usual_prepare_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	const struct path *path = atomic_load_explicit(
		&sa->path, memory_order_acquire); /* pairs with sa_path_publish */
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *);
	uint64_t first = ip4_first(inner), sequence = count_read(&sa->sequence) + 1, esp_wire, iv;
	uint32_t bytes = m->data_len, pad = -(bytes + ESP_TRAILER_BYTES) & USUAL_PAD_MASK;
	uint32_t len = bytes + pad + ESP_TRAILER_BYTES, total = USUAL_HEAD_BYTES + len + USUAL_ICV_BYTES;

	if (unlikely(!(sa->traits & SA_USUAL) || path->flags || m->nb_segs > 1 || packet_is_ipv6(inner)))
		return false;
	if (unlikely(rte_pktmbuf_headroom(m) < USUAL_HEAD_BYTES ||
		     rte_pktmbuf_tailroom(m) < len - bytes + USUAL_ICV_BYTES || !sa_within_limits(sa, bytes)))
		return false;
	usual_outer_write(inner - USUAL_HEAD_BYTES, path, first, total, (uint16_t)(sa->iv_base + sequence - 1));
	esp_wire = rte_cpu_to_be_64((uint64_t)rte_be_to_cpu_32(sa->spi_be) << 32 | (sequence & UINT32_MAX));
	iv = rte_cpu_to_be_64(sa->iv_base + sequence);
	memcpy(inner - USUAL_IV_BYTES - ESP_BYTES, &esp_wire, sizeof(esp_wire));
	memcpy(inner - USUAL_IV_BYTES, &iv, sizeof(iv));
	usual_trailer_write(inner + bytes, pad);
	usual_op_fill(&w->ops[op], sa, esp_wire, iv, inner, len);
	w->ops[op].icv = inner + len;
	sequence_take(sa, bytes);
	packet_begin(m, inner - USUAL_HEAD_BYTES, total);
	return true;
}
