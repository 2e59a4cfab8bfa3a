/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP decapsulation, tunnel mode over IPv4 (RFC 4303 3.4, RFC 4106, RFC 3948, RFC 6040). Stages over the burst:
 * prefetch, checks before crypto, crypto, checks after it. Looking up the SA and routing the inner packet are the
 * caller's part. */
#include "esp_priv.h"

#define ESP_MIN_BYTES (ESP_BYTES + IV_BYTES + ESP_TRAILER_BYTES + ICV_BYTES)

enum { ECN_MASK = 3, ECN_CE = 3, ECN_DROP = 4 };

/* RFC 6040 4.2: the inner field afterwards, by [outer][inner]. */
static const uint8_t ecn_decap[4][4] = {
	/* inner: Not-ECT, ECT(1), ECT(0), CE */
	{ 0, 1, 2, 3 },        /* outer Not-ECT */
	{ 0, 1, 1, 3 },        /* outer ECT(1) */
	{ 0, 1, 2, 3 },        /* outer ECT(0) */
	{ ECN_DROP, 3, 3, 3 }, /* outer CE */
};

/* Where ESP begins and ends. Lengths are compared before anything is subtracted; what is behind the IP packet, or
 * behind the UDP datagram, is not ours. */
static inline enum drop_reason outer_read(
	const uint8_t *outer, uint32_t available, const struct sa *sa, uint32_t *ret_offset, uint32_t *ret_end)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)outer;
	uint32_t offset, end;

	if (unlikely(available < sizeof(*ip) + ESP_MIN_BYTES))
		return DROP_SHORT;
	offset = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	end = rte_be_to_cpu_16(ip->total_length);
	if (unlikely((end > available) | (offset < sizeof(*ip)) | (end < offset + ESP_MIN_BYTES)))
		return DROP_SHORT;
	uint8_t kind = ip->next_proto_id == IPPROTO_UDP ? SA_ACCEPT_UDP : SA_ACCEPT_RAW;
	if (unlikely(!(sa->accept & kind)))
		return DROP_ENCAP;
	if (kind == SA_ACCEPT_UDP) {
		uint16_t udp_be;
		memcpy(&udp_be, outer + offset + offsetof(struct rte_udp_hdr, dgram_len), sizeof(udp_be));
		uint32_t udp_bytes = rte_be_to_cpu_16(udp_be);
		if (unlikely((udp_bytes > end - offset) | (udp_bytes < UDP_BYTES + ESP_MIN_BYTES)))
			return DROP_SHORT;
		end = offset + udp_bytes;
		offset += UDP_BYTES;
	}
	*ret_offset = offset;
	*ret_end = end;
	return DROP_NONE;
}

static inline enum drop_reason replay_reason(enum replay_verdict v)
{
	static const uint16_t reasons[] = {
		[REPLAY_NEW] = DROP_NONE,
		[REPLAY_SEEN] = DROP_REPLAYED,
		[REPLAY_TOO_OLD] = DROP_TOO_OLD,
	};

	return (enum drop_reason)reasons[v];
}

/* Everything that can be known before crypto. Changes neither packet nor SA. */
static inline enum drop_reason packet_open(
	struct rte_mbuf *m, const struct sa *sa, struct crypto_op *ret_op, uint64_t *ret_sequence)
{
	enum drop_reason reason;
	uint32_t offset, end, low_be;
	uint64_t iv, sequence;
	uint8_t *outer;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	outer = rte_pktmbuf_mtod(m, uint8_t *);
	reason = outer_read(outer, m->data_len, sa, &offset, &end);
	if (unlikely(reason))
		return reason;
	uint8_t *text = outer + offset + ESP_BYTES + IV_BYTES;
	uint32_t len = end - offset - ESP_BYTES - IV_BYTES - ICV_BYTES;
	if (unlikely(len & sa->pad_mask))
		return DROP_LENGTH;
	memcpy(&low_be, outer + offset + sizeof(uint32_t), sizeof(low_be));
	memcpy(&iv, outer + offset + ESP_BYTES, sizeof(iv));
	uint32_t window = sa->replay.window ? sa->replay.window : ESN_WINDOW_NONE;
	sequence = esn_guess(replay_top(&sa->replay), window, rte_be_to_cpu_32(low_be), sa->esn_mask);
	reason = replay_reason(replay_check(&sa->replay, sequence));
	if (unlikely(reason))
		return reason;
	op_fill(ret_op, sa, sequence, iv, text, len);
	*ret_sequence = sequence;
	return DROP_NONE;
}

/* In constant time: how much of a forged ICV is right must not show. */
static inline bool icv_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* RFC 4303 2.4: the trailer is 1, 2, 3 .., pad length, next header. */
static inline enum drop_reason trailer_read(const uint8_t *text, uint32_t len, uint32_t *ret_payload_bytes)
{
	uint32_t pad = text[len - 2], wrong = 0;
	uint8_t next_header = text[len - 1];

	if (unlikely(pad + ESP_TRAILER_BYTES > len))
		return DROP_BAD_PAD;
	*ret_payload_bytes = len - ESP_TRAILER_BYTES - pad;
	for (uint32_t i = 0; i < pad; i++)
		wrong |= text[*ret_payload_bytes + i] ^ (i + 1);
	if (unlikely(wrong))
		return DROP_BAD_PAD;
	if (likely(next_header == NEXT_HEADER_IPV4))
		return DROP_NONE;
	return next_header == NEXT_HEADER_NONE ? DROP_DUMMY : DROP_NEXT_HEADER;
}

/* The header checksum is not verified: the packet was authenticated, and forwarding keeps a wrong sum wrong. Bytes
 * behind the inner packet are traffic flow padding (RFC 4303 2.7). */
static inline bool inner_valid(const struct rte_ipv4_hdr *ip, uint32_t payload_bytes)
{
	if (unlikely(payload_bytes < sizeof(*ip)))
		return false;
	uint32_t header = (ip->version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	uint32_t total = rte_be_to_cpu_16(ip->total_length);
	return ((ip->version_ihl >> 4) == IPVERSION) & (header >= sizeof(*ip)) & (total >= header) &
	       (total <= payload_bytes);
}

/* Inner ECN set to what RFC 6040 says, checksum to match (RFC 1624). */
static inline enum drop_reason ecn_apply(struct rte_ipv4_hdr *ip, uint8_t outer_tos)
{
	uint8_t inner = ip->type_of_service & ECN_MASK;
	uint8_t ecn = ecn_decap[outer_tos & ECN_MASK][inner];
	uint32_t sum;

	if (likely(ecn == inner))
		return DROP_NONE;
	if (ecn == ECN_DROP)
		return DROP_ECN;
	ip->type_of_service ^= inner ^ ecn;
	sum = (uint32_t)(uint16_t)~ip->hdr_checksum + (uint16_t)~rte_cpu_to_be_16(inner) + rte_cpu_to_be_16(ecn);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->hdr_checksum = (uint16_t) ~(sum + (sum >> 16));
	return DROP_NONE;
}

/* RFC 4301 5.2 step 4: what comes out of an SA must be what was negotiated for it. */
static inline bool inner_selected(const struct sa *sa, const struct rte_ipv4_hdr *ip)
{
	struct flow f;

	flow_read((const uint8_t *)ip, rte_be_to_cpu_16(ip->total_length), false, &f);
	return sa_selectors_match(sa, &f);
}

/* Called for the newest packet of an SA only: where did it come from (RFC 7296 2.23). */
static inline void source_note(struct sa *sa, const struct rte_ipv4_hdr *outer, const uint8_t *esp)
{
	uint16_t port_be;
	uint64_t source;

	if (outer->next_proto_id != IPPROTO_UDP)
		return;
	memcpy(&port_be, esp - UDP_BYTES, sizeof(port_be));
	source = (uint64_t)rte_be_to_cpu_32(outer->src_addr) << 16 | rte_be_to_cpu_16(port_be);
	if (likely(source == count_read(&sa->source)))
		return;
	atomic_store_explicit(&sa->source, source, memory_order_relaxed);
	sa_flag(sa, SA_NEW_SOURCE);
}

/* The packet is authentic: replay window, source, limits. */
static inline enum drop_reason authentic_account(
	struct sa *sa, const struct rte_mbuf *m, const struct crypto_op *op, uint64_t sequence)
{
	bool newest = sequence > replay_top(&sa->replay);
	enum drop_reason reason = replay_reason(replay_advance(&sa->replay, sequence));

	if (unlikely(reason))
		return reason;
	if (newest)
		source_note(sa, rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *), op->text - IV_BYTES - ESP_BYTES);
	return DROP_NONE;
}

/* After crypto: good packets become their inner packet. */
static inline enum drop_reason packet_finish(
	struct rte_mbuf *m, struct sa *sa, const struct crypto_op *op, uint64_t sequence)
{
	struct rte_ipv4_hdr *inner = (struct rte_ipv4_hdr *)op->text;
	uint8_t outer_tos = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *)->type_of_service;
	uint32_t payload_bytes;
	enum drop_reason reason;

	if (unlikely(!icv_equal(op->icv, op->text + op->len)))
		return DROP_BAD_ICV;
	reason = authentic_account(sa, m, op, sequence);
	if (unlikely(reason))
		return reason;
	reason = trailer_read(op->text, op->len, &payload_bytes);
	if (unlikely(reason))
		return reason;
	if (unlikely(!inner_valid(inner, payload_bytes)))
		return DROP_INNER_HEADER;
	if (unlikely(!inner_selected(sa, inner)))
		return DROP_SELECTOR_IN;
	uint32_t total = rte_be_to_cpu_16(inner->total_length);
	reason = sa_limit_check(sa, total);
	if (unlikely(reason))
		return reason;
	reason = ecn_apply(inner, outer_tos);
	if (unlikely(reason))
		return reason;
	count_add(&sa->packets, 1);
	count_add(&sa->bytes, total);
	m->data_off = (uint16_t)(op->text - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)total;
	m->pkt_len = total;
	return DROP_NONE;
}

static inline uint16_t burst_open(struct ipsec_worker *w, struct esp_item *items, uint16_t n)
{
	uint16_t ops = 0;

	for (uint16_t i = 0; i < n; i++) {
		enum drop_reason reason = packet_open(items[i].m, items[i].sa, &w->ops[ops], &w->sequences[ops]);
		w->ops[ops].icv = w->icvs[ops];
		w->items[ops] = i;
		items[i].drop = DROP_NONE;
		if (likely(reason == DROP_NONE))
			ops++;
		else
			item_drop(&items[i], reason);
	}
	return ops;
}

/* Returns how many are good. */
static inline uint16_t burst_finish(struct ipsec_worker *w, struct esp_item *items, uint16_t ops)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < ops; i++) {
		struct esp_item *item = &items[w->items[i]];
		enum drop_reason reason = packet_finish(item->m, item->sa, &w->ops[i], w->sequences[i]);
		if (likely(reason == DROP_NONE))
			good++;
		else
			item_drop(item, reason);
	}
	return good;
}

uint16_t esp_in_burst(struct ipsec_worker *w, struct esp_item *items, uint16_t n)
{
	uint16_t ops, good;

	burst_prefetch(w, items, n);
	for (uint16_t i = 0; i < n; i++) {
		rte_prefetch0(items[i].sa->selectors);
		rte_prefetch0(rte_pktmbuf_mtod(items[i].m, const uint8_t *));
	}
	ops = burst_open(w, items, n);
	ops_run(w, items, ops);
	good = burst_finish(w, items, ops);
	return likely(good == n) ? n : burst_partition(items, n);
}
