/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP decapsulation of one packet: what can be known before crypto, and what becomes of it afterwards, in tunnel and
 * transport mode. RFC 4303 3.4, RFC 4106, RFC 8750, RFC 3948. Looking up the SA and routing the packet in clear are the
 * caller's part. */
#include "inner_priv.h"

/* The high half of the sequence number takes the place of the ICV while the ICV is computed (RFC 4303 3.3.2.2). */
static inline void tail_write(struct ipsec_worker *w, const struct sa *sa, uint8_t *icv, uint64_t sequence, uint16_t op)
{
	uint32_t high = sequence_high_be(sequence);

	memcpy(w->received[op], icv, sa->icv_bytes);
	memcpy(icv, &high, sizeof(high));
}

enum drop_reason esp_prepare_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	uint32_t head = ESP_BYTES + sa->iv_bytes, low_be;
	struct arrival a;
	enum drop_reason reason;
	uint64_t iv, sequence;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	reason = arrival_read(m, sa, IPPROTO_ESP, head + ESP_TRAILER_BYTES + sa->icv_bytes, &a);
	if (unlikely(reason))
		return reason;
	uint8_t *esp = a.outer + a.offset, *text = esp + head;
	uint32_t len = a.end - a.offset - head - sa->icv_bytes;
	if (unlikely(len & sa->pad_mask))
		return DROP_LENGTH;
	memcpy(&low_be, esp + sizeof(uint32_t), sizeof(low_be));
	reason = sequence_guess(sa, low_be, &sequence);
	if (unlikely(reason))
		return reason;
	if (likely(sa->iv_bytes))
		memcpy(&iv, esp + ESP_BYTES, sizeof(iv));
	else
		iv = rte_cpu_to_be_64(sequence);
	esp_op_fill(&w->ops[op], sa, sequence, iv, esp, text, len);
	w->ops[op].icv = w->icvs[op];
	w->sequences[op] = sequence;
	if (unlikely(sa->traits & SA_TAIL))
		tail_write(w, sa, text + len, sequence, op);
	return DROP_NONE;
}

/* RFC 4303 2.4: the trailer is padding, pad length, next header. */
static inline enum drop_reason trailer_read(
	const uint8_t *text, uint32_t len, uint32_t *ret_payload_bytes, uint8_t *ret_next_header)
{
	uint32_t pad = text[len - 2];

	*ret_next_header = text[len - 1];
	if (unlikely(pad + ESP_TRAILER_BYTES > len))
		return DROP_BAD_PAD;
	*ret_payload_bytes = len - ESP_TRAILER_BYTES - pad;
	if (unlikely(!padding_good(text + *ret_payload_bytes, pad)))
		return DROP_BAD_PAD;
	return likely(*ret_next_header != NEXT_HEADER_NONE) ? DROP_NONE : DROP_DUMMY;
}

/* After crypto, in either mode. */
static inline enum drop_reason esp_verify(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op,
	uint32_t *ret_payload_bytes, uint8_t *ret_next_header)
{
	const struct crypto_op *o = &w->ops[op];
	const uint8_t *received = sa->traits & SA_TAIL ? w->received[op] : o->text + o->len;
	enum drop_reason reason;

	if (unlikely(!icv_equal(o->icv, received, sa->icv_bytes)))
		return DROP_BAD_ICV;
	reason = authentic_account(sa, m, o->text - sa->iv_bytes - ESP_BYTES, w->sequences[op]);
	if (unlikely(reason))
		return reason;
	return trailer_read(o->text, o->len, ret_payload_bytes, ret_next_header);
}

enum drop_reason esp_tunnel_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	uint32_t payload_bytes;
	uint8_t next_header;
	enum drop_reason reason = esp_verify(w, m, sa, op, &payload_bytes, &next_header);

	return likely(!reason) ? tunnel_accept(m, sa, w->ops[op].text, payload_bytes, next_header) : reason;
}

/* The IP header comes back to its payload, whose checksum NATs may have made wrong. */
static inline enum drop_reason transport_in(
	struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op, bool nat)
{
	uint32_t payload_bytes, header_bytes;
	uint8_t next_header;
	struct arrival a;
	enum drop_reason reason = esp_verify(w, m, sa, op, &payload_bytes, &next_header);

	if (likely(!reason))
		reason = arrival_read(m, sa, IPPROTO_ESP, 0, &a);
	if (unlikely(reason))
		return reason;
	header_bytes = a.offset - (a.kind == SA_ACCEPT_UDP ? UDP_BYTES : 0);
	uint8_t *ip = w->ops[op].text - header_bytes;
	memmove(ip, a.outer, header_bytes);
	ip[a.next_offset] = next_header;
	if (nat)
		checksum_repair(next_header, w->ops[op].text, payload_bytes, sa->checksum_delta);
	return transport_accept(m, sa, ip, header_bytes + payload_bytes);
}

enum drop_reason esp_transport_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	return transport_in(w, m, sa, op, false);
}

enum drop_reason esp_transport_nat_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	return transport_in(w, m, sa, op, true);
}
