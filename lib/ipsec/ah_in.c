/* SPDX-License-Identifier: BSD-3-Clause */
/* AH on the way in: checks before crypto, and the packet without its AH afterwards, tunnel and transport mode, both
 * families. RFC 4302 3.4, RFC 4543. */
#include "ah_priv.h"
#include "inner_priv.h"

/* AH must be as long as this SA makes it: the ICV's place follows from it (RFC 4302 2.2). */
static enum drop_reason ah_check(const struct sa *sa, const struct arrival *a, uint32_t *ret_bytes)
{
	const uint8_t *ah = a->outer + a->offset;

	*ret_bytes = ah_bytes(sa, packet_is_ipv6(a->outer));
	if (unlikely((ah[1] + 2u) * 4 != *ret_bytes))
		return DROP_LENGTH;
	return unlikely(a->end - a->offset < *ret_bytes) ? DROP_SHORT : DROP_NONE;
}

enum drop_reason ah_prepare_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	uint32_t bytes, low_be;
	uint64_t iv = 0, sequence;
	struct arrival a;
	enum drop_reason reason;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	atomic_fragment_remove(m);
	reason = arrival_read(m, sa, IPPROTO_AH, AH_BYTES, &a);
	if (!reason)
		reason = ah_check(sa, &a, &bytes);
	if (unlikely(reason))
		return reason;
	uint8_t *ah = a.outer + a.offset, *data = ah + AH_BYTES;
	memcpy(&low_be, ah + 8, sizeof(low_be));
	reason = sequence_guess(sa, low_be, &sequence);
	if (!reason && m->data_len - a.end + rte_pktmbuf_tailroom(m) < sizeof(uint32_t))
		reason = DROP_NO_HEADROOM;
	if (!reason)
		reason = ah_prefix_zero(&w->prefixes[op], a.outer, a.offset);
	if (unlikely(reason))
		return reason;
	if (sa->iv_bytes)
		memcpy(&iv, data, sizeof(iv));
	memcpy(w->received[op], data + sa->iv_bytes, sa->icv_bytes);
	/* the ICV counts as zero (RFC 4302 3.3.3); GMAC's IV in front of it is no part of it (RFC 4543 figure 5) */
	memset(data + sa->iv_bytes, 0, sa->icv_bytes);
	ah_op_fill(&w->ops[op], sa, sequence, iv, a.outer, a.end);
	w->ops[op].icv = w->icvs[op];
	w->sequences[op] = sequence;
	return DROP_NONE;
}

/* After crypto, in either mode: what follows AH, and what is in front of it as it was. */
static enum drop_reason ah_verify(
	struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op, uint8_t **ret_after)
{
	uint8_t *outer = w->ops[op].text, *ah = outer + w->prefixes[op].bytes;

	ah_prefix_restore(&w->prefixes[op], outer);
	if (unlikely(!icv_equal(w->ops[op].icv, w->received[op], sa->icv_bytes)))
		return DROP_BAD_ICV;
	*ret_after = ah + ah_bytes(sa, packet_is_ipv6(outer));
	return authentic_account(sa, m, ah, w->sequences[op]);
}

enum drop_reason ah_tunnel_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	const struct crypto_op *o = &w->ops[op];
	uint8_t *inner;
	enum drop_reason reason = ah_verify(w, m, sa, op, &inner);

	if (unlikely(reason))
		return reason;
	uint8_t next_header = o->text[w->prefixes[op].bytes];
	return tunnel_accept(m, sa, inner, (uint32_t)(o->text + o->len - inner), next_header);
}

enum drop_reason ah_transport_in(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	const struct crypto_op *o = &w->ops[op];
	uint32_t header_bytes = w->prefixes[op].bytes;
	uint8_t *payload;
	struct arrival a;
	enum drop_reason reason = ah_verify(w, m, sa, op, &payload);

	if (!reason)
		reason = arrival_read(m, sa, IPPROTO_AH, 0, &a);
	if (unlikely(reason))
		return reason;
	uint8_t *ip = payload - header_bytes, next_header = o->text[header_bytes];
	memmove(ip, o->text, header_bytes);
	ip[a.next_offset] = next_header;
	return transport_accept(m, sa, ip, header_bytes + (uint32_t)(o->text + o->len - payload));
}
