/* SPDX-License-Identifier: BSD-3-Clause */
/* The short way of the usual packet: IPv4 in IPv4, ESP in tunnel mode, an AEAD with an ICV of 16 bytes and 32-bit
 * sequence numbers, one traffic selector a side. What is done to a packet is all that the SA's own function would do,
 * or nothing has changed: then that one begins from the beginning, and names what is wrong. Inline, burst path. */
#pragma once

#include <rte_ether.h>

#include "inner_priv.h"
#include "ip4.h"
#include "outer_priv.h"

#define USUAL_SALT_BYTES 4
#define USUAL_IV_BYTES   8
#define USUAL_AAD_BYTES  8
#define USUAL_ICV_BYTES  16
#define USUAL_PAD_MASK   3
#define USUAL_HEAD_BYTES (IPV4_BYTES + ESP_BYTES + USUAL_IV_BYTES)
#define USUAL_ROOM_BYTES (USUAL_HEAD_BYTES + FRAME_HEAD_BYTES) /* outbound, in front of a packet */
/* outbound, all that is not the packet in clear, if that wants no padding */
#define USUAL_AROUND_BYTES (USUAL_HEAD_BYTES + ESP_TRAILER_BYTES + USUAL_ICV_BYTES)
#define USUAL_DF_LSB       54 /* of the first eight bytes of an IPv4 header */
#define USUAL_TEXT_MIN     (USUAL_PAD_MASK + 1)
#define USUAL_PAD_MOST     6  /* inbound; with its trailer that is a word */
#define USUAL_TEXT_LEAST   28 /* inbound; then more than an IPv4 header is in it, whatever the padding */
static_assert(USUAL_TEXT_LEAST >= IPV4_BYTES + USUAL_PAD_MOST + ESP_TRAILER_BYTES, "room for a header");

static inline void usual_packet_begin(struct rte_mbuf *m, uint32_t offset, uint32_t bytes)
{
	m->data_off = (uint16_t)offset;
	m->data_len = (uint16_t)bytes;
	m->pkt_len = bytes;
}

/* Control, once everything else of the SA is decided: whether its packets may go this way. */
static inline bool sa_is_usual(const struct sa *sa)
{
	bool sizes = sa->salt_bytes == USUAL_SALT_BYTES && sa->iv_bytes == USUAL_IV_BYTES &&
		     sa->aad_bytes == USUAL_AAD_BYTES && sa->icv_bytes == USUAL_ICV_BYTES &&
		     sa->pad_mask == USUAL_PAD_MASK && sa->iv == SA_IV_COUNTER;
	bool shape = sa->outbound ? sa_shape(sa)->prepare == esp_tunnel_out
				  : sa_shape(sa)->finish == esp_tunnel_in && sa->traits & SA_ACCEPT_RAW;

	return sizes && shape && sa->traits & SA_PAIRED && !(sa->traits & (SA_ESN | SA_TAIL | SA_ACCEPT_UDP));
}

/* What SAs in a row have alike, as it is made from their ways. Words are little-endian: what comes first in memory is
 * low. */
struct usual_alike {
	/* the words of the way that the rest was made from (sa_way.source, .neighbour); egress is none of a usual way
	 * at first */
	uint64_t header, egress;
	/* of the outer header */
	uint64_t first_keep; /* of the inner header's first eight bytes */
	uint64_t first_set;  /* ... and what is added to these */
	uint64_t second;     /* the next eight, but for the checksum */
	uint64_t second_sum; /* ... and theirs, as words of 32 bits */
	/* of the link's */
	uint32_t frame_most; /* bytes of the largest sealed packet that has it; 0: none */
	uint16_t most;       /* bytes of the largest packet in clear that fits */
	uint16_t port;
	uint8_t frame[FRAME_HEAD_BYTES];
	struct framing *framing; /* NULL: no packet is framed */
};

/* Of a burst. */
struct usual_burst {
	/* an SA with which nothing is the matter, of the first one's engine function; outbound, of this worker and
	 * without a number */
	struct sa_state state;
	bool plain;               /* known of all: burst_in_plain, burst_out_framed */
	bool mixed;               /* answer: not all SAs have the same engine function */
	uint64_t returned;        /* answer, outbound: a bit for each item that does not fit its SA */
	struct usual_alike alike; /* outbound */
};

static inline void usual_burst_begin(
	struct usual_burst *b, const struct ipsec_worker *w, const struct sa *first, bool plain)
{
	b->state = (struct sa_state){ .owner = (uint8_t)w->worker, .flags = (uint32_t)sa_crypt(first) << SA_CRYPT_LSB };
	b->plain = plain;
	b->mixed = false;
	b->returned = 0;
}

static inline void usual_alike_begin(struct usual_alike *a, struct framing *framing)
{
	a->header = 0;
	a->egress = UINT64_MAX;
	a->framing = framing;
}

static __rte_noinline bool usual_may_again(struct sa *sa, struct usual_burst *b)
{
	/* sa_way_take acquires */
	uint32_t flags = atomic_load_explicit(&sa->flags, memory_order_relaxed);

	b->mixed |= sa_crypt(sa) != b->state.flags >> SA_CRYPT_LSB;
	if (flags & SA_NEW_PATH)
		sa_way_take(sa);
	return !(flags & (SA_UNUSUAL | SA_OVER));
}

/* Inbound: its packets may be usual. */
static inline bool usual_may(struct sa *sa, struct usual_burst *b)
{
	uint32_t flags = atomic_load_explicit(&sa->flags, memory_order_relaxed);

	return likely(!((flags ^ b->state.flags) & SA_HIDDEN)) || usual_may_again(sa, b);
}

/* One more packet, of any size, reaches no limit. */
static inline bool usual_lasts(struct sa *sa)
{
	return likely(!sa_limits_due(sa)) || sa_limits_look_ahead(sa);
}

/* As sa_account, of one packet that usual_lasts let pass. */
static inline void usual_account(struct sa *sa, uint32_t bytes)
{
	count_add(&sa->packets, 1);
	count_add(&sa->bytes, bytes);
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

/* RFC 4303 2.4: padding, its length, next header, for each such length; in memory order, and which of its bits count.
 */
struct usual_trailer {
	uint64_t bytes, mask;
};

#define USUAL_TRAILER(pad, padding)                                                                                    \
	{                                                                                                              \
		RTE_LE64((padding) | (uint64_t)(pad) << 8 * (pad) | (uint64_t)NEXT_HEADER_IPV4 << 8 * ((pad) + 1)),    \
			RTE_LE64(UINT64_MAX >> 8 * (USUAL_PAD_MOST - (pad)))                                           \
	}

static inline const struct usual_trailer *usual_trailer(uint32_t pad)
{
	static const struct usual_trailer trailers[USUAL_PAD_MOST + 1] = {
		USUAL_TRAILER(0, 0),
		USUAL_TRAILER(1, 0x01),
		USUAL_TRAILER(2, 0x0201),
		USUAL_TRAILER(3, 0x030201),
		USUAL_TRAILER(4, 0x04030201),
		USUAL_TRAILER(5, 0x0504030201),
		USUAL_TRAILER(6, 0x060504030201),
	};

	return &trailers[pad];
}

/* ---- in ---- */

/* What burst_in_plain is told of its packets. */
static inline bool usual_outer_is_plain(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);

	return ip4_is_plain(ip4_first(ip)) && ip->next_proto_id == IPPROTO_ESP && m->nb_segs == 1 &&
	       ip->total_length == rte_cpu_to_be_16(m->data_len);
}

/* In front of the crypto: fills operation `op`. False: nothing has changed. */
static inline bool usual_prepare_in(
	struct ipsec_worker *w, struct burst_item *item, uint32_t op, struct usual_burst *burst)
{
	struct sa *sa = item->sa;
	const struct rte_mbuf *m = item->m;
	uint8_t *outer = rte_pktmbuf_mtod(m, uint8_t *), *esp = outer + IPV4_BYTES,
		*text = esp + ESP_BYTES + USUAL_IV_BYTES;
	uint32_t total = m->data_len, len = total - USUAL_HEAD_BYTES - USUAL_ICV_BYTES;
	uint64_t esp_wire, iv;

	if (unlikely(!usual_may(sa, burst) || (!burst->plain && !usual_outer_is_plain(m))))
		return false;
	if (unlikely(total < USUAL_HEAD_BYTES + USUAL_TEXT_LEAST + USUAL_ICV_BYTES || len & USUAL_PAD_MASK))
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

/* Of an authentic text that usual_prepare_in found behind a plain header: a plain IPv4 packet of `total` bytes whose
 * ECN is that header's, and behind it no more than usual_trailer has. first: of the text. */
static inline bool usual_inside(const uint8_t *text, uint64_t first, uint32_t len, uint32_t total)
{
	const uint64_t same = IP4_PLAIN_MASK | RTE_BE64((uint64_t)ECN_MASK << 48);
	uint32_t pad = len - ESP_TRAILER_BYTES - total;
	uint64_t found;

	if (unlikely(pad > USUAL_PAD_MOST || (first ^ ip4_first(text - USUAL_HEAD_BYTES)) & same))
		return false;
	memcpy(&found, text + total, sizeof(found));
	/* what is behind the trailer does not count */
	return !((found ^ usual_trailer(pad)->bytes) & usual_trailer(pad)->mask);
}

/* Behind the crypto: the packet begins at its text and is counted. False: nothing has changed. A lifetime that ended in
 * time since the packet was prepared does not count: it was here before. */
static inline bool usual_finish_in(struct ipsec_worker *w, struct burst_item *item, uint32_t op)
{
	struct sa *sa = item->sa;
	struct rte_mbuf *m = item->m;
	const uint8_t *text = w->ops[op].text;
	const uint64_t first = ip4_first(text);
	uint32_t len = w->ops[op].len, total = ip4_total_bytes(first);
	uint64_t ends;

	if (unlikely(!icv_equal(w->icvs[op], text + len, USUAL_ICV_BYTES) || !usual_inside(text, first, len, total)))
		return false;
	memcpy(&ends, text + offsetof(struct rte_ipv4_hdr, src_addr), sizeof(ends));
	if (unlikely(!sa_opens(sa, ends, ((const struct rte_ipv4_hdr *)text)->next_proto_id) || !usual_lasts(sa)))
		return false;
	if (unlikely(replay_advance(&sa->replay, w->sequences[op]) != REPLAY_NEW))
		return false;
	usual_packet_begin(m, m->data_off + USUAL_HEAD_BYTES, total);
	usual_account(sa, total);
	return true;
}

/* ---- out ---- */

/* Ones' complement of what a few words of 32 bits sum up to: each half is added to the other, and above them is the sum
 * with its carries. */
static inline uint16_t words_checksum(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	uint32_t word = (uint32_t)(sum >> 32);
	word += word << 16 | word >> 16;
	return (uint16_t) ~(word >> 16);
}

static __rte_noinline void usual_header_take(struct usual_alike *a, const struct sa_way *way)
{
	const uint32_t ttl_protocol = way->ttl | IPPROTO_ESP << 8;

	a->first_keep = (uint64_t)way->df_keep << USUAL_DF_LSB | (uint32_t)way->tos_keep << 8;
	a->first_set = (uint64_t)way->df_set << USUAL_DF_LSB | (uint32_t)way->tos_set << 8 | RTE_IPV4_VHL_DEF;
	a->second = ttl_protocol | (uint64_t)rte_le_to_cpu_32(way->source) << 32;
	a->second_sum = (uint64_t)ttl_protocol + rte_le_to_cpu_32(way->source);
}

static __rte_noinline void usual_egress_take(struct usual_alike *a, const struct sa_way *way)
{
	const struct egress to = { way->neighbour, way->port };

	a->port = way->port;
	a->most = way->most;
	a->frame_most = 0;
	if (!a->framing)
		return;
	const struct frame_head *head = a->framing->head(a->framing, &to);
	memcpy(a->frame, head->bytes, sizeof(a->frame));
	a->frame_most = RTE_MIN(head->most, USUAL_AROUND_BYTES + way->most);
}

/* False: nothing goes this way. */
static inline bool usual_alike_take(struct usual_alike *a, const struct sa_way *way)
{
	uint64_t header, egress;

	memcpy(&header, &way->source, sizeof(header));
	memcpy(&egress, &way->neighbour, sizeof(egress));
	if (unlikely(egress != a->egress)) {
		if (!way->most)
			return false;
		a->egress = egress;
		usual_egress_take(a, way);
	}
	if (unlikely(header != a->header)) {
		a->header = header;
		usual_header_take(a, way);
	}
	return true;
}
static_assert(offsetof(struct sa_way, neighbour) == 8 && offsetof(struct sa_way, destination) == 16, "two words");

/* The path's header with what differs per packet, put together in registers. id: as in memory. */
static inline void usual_outer_write(uint8_t *at, const struct usual_alike *a, uint32_t destination,
	uint64_t inner_first, uint32_t total, uint16_t id)
{
	uint32_t length = rte_bswap32(total); /* as in memory, where it stands in the word; total has 16 bits */
	uint64_t first = (rte_le_to_cpu_64(inner_first) & a->first_keep) | a->first_set | length |
			 (uint64_t)rte_le_to_cpu_16(id) << 32;
	uint64_t sum = a->second_sum + rte_le_to_cpu_32(destination) + (uint32_t)first + (first >> 32);
	uint64_t second = rte_cpu_to_le_64(a->second | (uint64_t)words_checksum(sum) << 16);

	first = rte_cpu_to_le_64(first);
	memcpy(at, &first, sizeof(first));
	memcpy(at + sizeof(first), &second, sizeof(second));
	memcpy(at + sizeof(first) + sizeof(second), &destination, sizeof(destination));
}

/* In one store of eight bytes: what is too much of it the ICV overwrites. */
static inline void usual_trailer_write(uint8_t *at, uint32_t pad)
{
	memcpy(at, &usual_trailer(pad)->bytes, sizeof(uint64_t));
}

/* What fits into so many bytes with all that goes around it. */
static inline uint16_t usual_most_in(uint16_t mtu)
{
	const uint32_t least = USUAL_AROUND_BYTES - ESP_TRAILER_BYTES;

	if (mtu < least + USUAL_TEXT_MIN)
		return 0;
	return (uint16_t)(((mtu - least) & ~(uint32_t)USUAL_PAD_MASK) - ESP_TRAILER_BYTES);
}

/* Of an item that says what it is known to be inside (burst_out): it may go into its SA. Not behind one of the
 * same SA that may not: it would overtake that. */
static __rte_noinline bool usual_fits(
	const struct ipsec_worker *w, const struct burst_item *item, uint32_t op, const struct usual_burst *b)
{
	const struct burst_item *items = item - op;
	const struct sa *sa = item->sa;

	for (uint64_t rest = b->returned; rest; rest &= rest - 1)
		if (items[__builtin_ctzll(rest)].sa == sa)
			return false;
	/* relaxed: who finds itself there put it there */
	return atomic_load_explicit(&sa->owner, memory_order_relaxed) == w->worker &&
	       atomic_load_explicit(&sa->number, memory_order_relaxed) == item->number &&
	       item->m->data_len <= sa_inner_mtu(sa);
}

static __rte_noinline bool usual_may_out_again(
	const struct ipsec_worker *w, const struct burst_item *item, uint32_t op, struct usual_burst *b)
{
	return usual_may_again(item->sa, b) && (!item->number || usual_fits(w, item, op, b));
}

/* Its packets may be usual, and its way is that of its path; of an item with a number also: it is this worker's, and
 * has these selectors. */
static inline bool usual_may_out(
	const struct ipsec_worker *w, const struct burst_item *item, uint32_t op, struct usual_burst *b)
{
	const uint64_t asked = sa_state_word((struct sa_state){ .owner = 0xff, .number = 0xffff, .flags = SA_HIDDEN });
	uint64_t expected = sa_state_word(b->state) ^ sa_state_word((struct sa_state){ .number = item->number });
	uint64_t state = atomic_load_explicit(&item->sa->state, memory_order_relaxed);

	return likely(!((state ^ expected) & asked)) || usual_may_out_again(w, item, op, b);
}

/* The sealed packet in its buffer, with the link's header if it may have one. ip: its IP header, at this offset. */
static inline void usual_place(
	struct burst_item *item, uint8_t *ip, uint32_t offset, uint32_t total, const struct usual_alike *a)
{
	if (unlikely(total > a->frame_most)) {
		item->framed_port = FRAMED_NONE;
		usual_packet_begin(item->m, offset, total);
		return;
	}
	item->framed_port = a->port;
	memcpy(ip - FRAME_HEAD_BYTES, a->frame, FRAME_HEAD_BYTES);
	usual_packet_begin(item->m, offset - RTE_ETHER_HDR_LEN, total + RTE_ETHER_HDR_LEN);
}

/* In front of the crypto, behind which nothing is left to do: fills operation `op`, and the packet is counted. False:
 * nothing has changed. */
static inline bool usual_prepare_out(
	struct ipsec_worker *w, struct burst_item *item, uint32_t op, struct usual_burst *burst)
{
	struct sa *sa = item->sa;
	const struct rte_mbuf *m = item->m;
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t bytes = m->data_len, offset = m->data_off;
	uint32_t len = (bytes + ESP_TRAILER_BYTES + USUAL_PAD_MASK) & ~(uint32_t)USUAL_PAD_MASK;
	uint32_t total = USUAL_HEAD_BYTES + len + USUAL_ICV_BYTES;

	if (unlikely(!usual_may_out(w, item, op, burst) || !usual_lasts(sa) ||
		     !usual_alike_take(&burst->alike, &sa->way) || bytes > burst->alike.most))
		return false;
	if (unlikely(!burst->plain && (m->nb_segs > 1 || packet_is_ipv6(inner))))
		return false;
	if (unlikely(offset < USUAL_ROOM_BYTES || offset + len + USUAL_ICV_BYTES > m->buf_len))
		return false;
	const uint64_t sequence = sa_sequence(sa) + 1, counter = sa->iv_base + sequence;
	const uint64_t esp_wire = rte_cpu_to_be_64((uint64_t)sa->spi << 32 | (uint32_t)sequence),
		       iv = rte_cpu_to_be_64(counter);
	usual_outer_write(inner - USUAL_HEAD_BYTES, &burst->alike, sa->way.destination, ip4_first(inner), total,
		(uint16_t)(counter - 1));
	memcpy(inner - USUAL_IV_BYTES - ESP_BYTES, &esp_wire, sizeof(esp_wire));
	memcpy(inner - USUAL_IV_BYTES, &iv, sizeof(iv));
	usual_trailer_write(inner + bytes, len - bytes - ESP_TRAILER_BYTES);
	usual_op_fill(&w->ops[op], sa, esp_wire, iv, inner, len);
	w->ops[op].icv = inner + len;
	usual_place(item, inner - USUAL_HEAD_BYTES, offset - USUAL_HEAD_BYTES, total, &burst->alike);
	usual_account(sa, bytes);
	return true;
}
