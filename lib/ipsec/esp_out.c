/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP encapsulation of one packet up to its crypto operation: tunnel and transport mode, both families, raw and in UDP.
 * RFC 4303 3.3, RFC 4106, RFC 3686, RFC 8750, RFC 3948. Fragmentation and the path's MTU are the caller's part. */
#include "outer_priv.h"

/* A trailer is written with room for a whole pattern. */
#define PATTERN_BYTES 16

static const uint8_t pad_pattern[PATTERN_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* What ESP protects, already in its place behind the room for headers. */
struct payload {
	uint8_t *at;
	uint32_t bytes, tfc_bytes;
	uint8_t next_header;
};

/* Payload, traffic flow padding, padding and trailer: what is encrypted. */
static inline uint32_t text_bytes(const struct sa *sa, uint32_t payload_bytes)
{
	return payload_bytes + ESP_TRAILER_BYTES + (-(payload_bytes + ESP_TRAILER_BYTES) & sa->pad_mask);
}

/* RFC 4303 2.4: padding is 1, 2, 3 .., then pad length and next header. RFC 4303 2.7: what pads for traffic flow
 * confidentiality comes before and may be anything. */
static inline void trailer_write(const struct payload *p, uint32_t len)
{
	uint32_t filled = p->bytes + p->tfc_bytes, pad = len - filled - ESP_TRAILER_BYTES;
	uint16_t end_be = rte_cpu_to_be_16((uint16_t)(pad << 8 | p->next_header));

	if (unlikely(p->tfc_bytes))
		memset(p->at + p->bytes, 0, p->tfc_bytes);
	memcpy(p->at + filled, pad_pattern, sizeof(pad_pattern));
	memcpy(p->at + filled + pad, &end_be, sizeof(end_be));
}

/* Room in front and behind, where a padding pattern may reach further than trailer and ICV. grown: bytes that the text
 * has more than the packet. */
static inline bool room_there(const struct rte_mbuf *m, const struct sa *sa, uint32_t head, uint32_t grown)
{
	uint32_t tail = grown + RTE_MAX(sa->icv_bytes, (uint8_t)PATTERN_BYTES);
	bool front = rte_pktmbuf_headroom(m) >= head, behind = rte_pktmbuf_tailroom(m) >= tail;

	return front & behind;
}

/* Writes the IV to its place; ret_iv: its first eight bytes, or the implicit one. False without random numbers. */
static inline bool iv_write(
	struct ipsec_worker *w, const struct sa *sa, uint64_t sequence, uint8_t *at, uint64_t *ret_iv)
{
	const uint8_t *random;

	if (likely(sa->iv == SA_IV_COUNTER)) {
		*ret_iv = rte_cpu_to_be_64(sa->iv_base + sequence);
		memcpy(at, ret_iv, sizeof(*ret_iv));
		return true;
	}
	*ret_iv = rte_cpu_to_be_64(sequence);
	if (sa->iv != SA_IV_RANDOM)
		return true;
	random = iv_pool_pull(w, sa->iv_bytes);
	if (unlikely(!random))
		return false;
	memcpy(at, random, sa->iv_bytes);
	memcpy(ret_iv, random, sizeof(*ret_iv));
	return true;
}

/* ESP header, IV, trailer and the operation; the sequence number is used up when nothing stands in the way any more. */
static __rte_always_inline enum drop_reason esp_write(struct ipsec_worker *w, struct sa *sa, const struct payload *p,
	uint32_t len, uint16_t op, uint64_t account_bytes)
{
	uint64_t sequence = sa_sequence(sa) + 1, iv;
	uint32_t spi_be = rte_cpu_to_be_32(sa->spi), low_be = rte_cpu_to_be_32((uint32_t)sequence);
	uint8_t *esp = p->at - sa->iv_bytes - ESP_BYTES;

	memcpy(esp, &spi_be, sizeof(spi_be));
	memcpy(esp + sizeof(spi_be), &low_be, sizeof(low_be));
	if (unlikely(!iv_write(w, sa, sequence, esp + ESP_BYTES, &iv)))
		return DROP_CRYPTO;
	trailer_write(p, len);
	esp_op_fill(&w->ops[op], sa, sequence, iv, esp, p->at, len);
	w->ops[op].icv = p->at + len;
	if (unlikely(sa->traits & SA_TAIL)) {
		uint32_t high = sequence_high_be(sequence);
		memcpy(p->at + len, &high, sizeof(high));
	}
	sa_account(sa, account_bytes);
	return DROP_NONE;
}

/* The UDP checksum covers what the crypto leaves: it comes behind it (RFC 8200 8.1; over IPv4 it is 0, RFC 3948 2.1).
 */
static inline void udp6_note(struct ipsec_worker *w, const struct path *path, uint16_t op)
{
	const uint8_t both = PATH_IPV6 | PATH_UDP;

	if (unlikely((path->flags & both) == both))
		w->udp6 |= 1ull << op;
}

static __rte_always_inline enum drop_reason tunnel_build(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa,
	uint16_t op, const struct path *path, uint32_t tfc_bytes)
{
	uint32_t inner_bytes = m->data_len, head = path->template_len + ESP_BYTES + sa->iv_bytes;
	uint32_t len = text_bytes(sa, inner_bytes + tfc_bytes), total = head + len + sa->icv_bytes;
	enum drop_reason reason;

	if (unlikely(!room_there(m, sa, head, len - inner_bytes)))
		return DROP_NO_HEADROOM;
	reason = sa_limit_check(sa, inner_bytes);
	if (unlikely(reason))
		return reason;
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *);
	struct inner_view view = inner_read(inner);
	const struct payload p = { inner, inner_bytes, tfc_bytes, view.next_header };
	outer_write(inner - head, path, &view, total, (uint16_t)(sa->iv_base + sa_sequence(sa)));
	reason = esp_write(w, sa, &p, len, op, inner_bytes);
	if (unlikely(reason))
		return reason;
	udp6_note(w, path, op);
	packet_begin(m, inner - head, total);
	return DROP_NONE;
}

enum drop_reason esp_tunnel_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	return tunnel_build(w, m, sa, op, sa_path(sa), 0);
}

/* RFC 4303 2.7: packets look as long as the SA is told to make them; what is longer already stays as it is. */
enum drop_reason esp_tunnel_tfc_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	uint32_t wanted = sa->tfc_bytes == TFC_TO_MTU ? sa_inner_mtu(sa) : sa->tfc_bytes;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	wanted = RTE_MIN(wanted, (uint32_t)sa_inner_mtu(sa));
	return tunnel_build(w, m, sa, op, sa_path(sa), wanted > m->data_len ? wanted - m->data_len : 0);
}

/* ---- transport mode ---- */

/* The IP header goes forward, what follows it stays and becomes the payload. RFC 4303 3.1.1. */
enum drop_reason esp_transport_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	const struct path *path = sa_path(sa);
	uint32_t udp = path->flags & PATH_UDP ? UDP_BYTES : 0, head = udp + ESP_BYTES + sa->iv_bytes;
	struct transport_split split;
	enum drop_reason reason;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	atomic_fragment_remove(m);
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	reason = transport_split(ip, m->data_len, &split);
	if (unlikely(reason))
		return reason;
	uint32_t bytes = m->data_len - split.header_bytes, len = text_bytes(sa, bytes);
	reason = room_there(m, sa, head, len - bytes) ? sa_limit_check(sa, m->data_len) : DROP_NO_HEADROOM;
	if (unlikely(reason))
		return reason;
	uint32_t total = split.header_bytes + head + len + sa->icv_bytes;
	const struct payload p = { ip + split.header_bytes, bytes, 0, ip[split.next_offset] };
	memmove(ip - head, ip, split.header_bytes);
	reason = esp_write(w, sa, &p, len, op, m->data_len);
	if (unlikely(reason))
		return reason;
	ip -= head;
	ip[split.next_offset] = udp ? IPPROTO_UDP : IPPROTO_ESP;
	ip_length_set(ip, total);
	if (udp) {
		uint16_t udp_be = rte_cpu_to_be_16((uint16_t)(total - split.header_bytes));
		uint8_t *at = ip + split.header_bytes;
		memcpy(at, path->template_bytes + path->template_len - UDP_BYTES, UDP_BYTES);
		memcpy(at + offsetof(struct rte_udp_hdr, dgram_len), &udp_be, sizeof(udp_be));
	}
	udp6_note(w, path, op);
	packet_begin(m, ip, total);
	return DROP_NONE;
}
