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

/* What many SAs in a row have alike, as it is made from their ways. Words are little-endian: what comes first in memory
 * is low. */
struct usual_alike {
	/* the words of the way that the rest was made from (sa_way.source, .neighbour); 0: none yet, since a usual way
	 * has a TTL and a `most` */
	uint64_t header, egress;
	/* of the outer header */
	uint64_t first_keep; /* of the inner header's first eight bytes */
	uint64_t first_set;  /* ... and what is added to these */
	uint64_t second;     /* the next eight, but for the checksum */
	uint32_t second_sum; /* ones' complement */
	/* of the link's */
	uint32_t frame_most; /* bytes of the largest sealed packet that has it; 0: none */
	uint16_t port;
	const struct frame_head *frame;
	struct framing *framing; /* NULL: no packet is framed */
};

/* Packets in a row through the same SA, in front of the crypto: what they share is found when the first of them comes.
 */
struct usual_run {
	struct sa *sa; /* NULL: none has come */
	bool plain;    /* known of all: burst_in_plain, burst_out_framed */
	bool usual;    /* any of its packets may be; none is near a limit */
	/* inbound */
	uint64_t fresh; /* sequence numbers from here on were not received before */
	/* outbound */
	uint32_t sum;         /* ones' complement, of what is the same in all their outer headers */
	uint32_t destination; /* the last four bytes, as in memory */
	uint64_t spi_high;    /* host order, where it stands above a sequence number */
	uint64_t iv_base;
	struct usual_alike *alike;
};

/* Of its SA no other packet follows. Then the compiler keeps in registers what the loop over several keeps on the
 * stack; the same is done. */
static inline bool usual_is_alone(const struct burst_item *items, uint32_t from, uint32_t n)
{
	return from + 1 == n || items[from + 1].sa != items[from].sa;
}

/* No limit of packets or bytes is reached by so many packets of any size. */
static inline bool usual_within_limits(struct sa *sa, uint32_t packets)
{
	if (likely(packets <= sa->packets_free))
		return true;
	sa_limits_look_ahead(sa);
	return packets <= sa->packets_free;
}

/* Of sa.flags. */
static inline uint32_t usual_flags(const struct sa *sa)
{
	return atomic_load_explicit(&sa->flags, memory_order_relaxed);
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

static inline void usual_run_in(struct usual_run *run, struct sa *sa, uint32_t rest)
{
	RTE_SET_USED(rest);
	run->sa = sa;
	run->usual = sa->traits & SA_USUAL;
	run->fresh = replay_fresh(&sa->replay);
}

/* What burst_in_plain is told of its packets. */
static inline bool usual_outer_is_plain(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(m, const struct rte_ipv4_hdr *);

	return ip4_is_plain(ip4_first(ip)) && ip->next_proto_id == IPPROTO_ESP && m->nb_segs == 1 &&
	       ip->total_length == rte_cpu_to_be_16(m->data_len);
}

/* False: nothing has changed. */
static inline bool usual_check_one(struct ipsec_worker *w, struct rte_mbuf *m, uint32_t op, const struct usual_run *run)
{
	const struct sa *sa = run->sa;
	uint8_t *outer = rte_pktmbuf_mtod(m, uint8_t *), *esp = outer + IPV4_BYTES,
		*text = esp + ESP_BYTES + USUAL_IV_BYTES;
	uint32_t total = m->data_len, len = total - USUAL_HEAD_BYTES - USUAL_ICV_BYTES;
	uint64_t esp_wire, iv;

	if (unlikely(!run->plain && !usual_outer_is_plain(m)))
		return false;
	if (unlikely(total < USUAL_HEAD_BYTES + USUAL_TEXT_LEAST + USUAL_ICV_BYTES || len & USUAL_PAD_MASK))
		return false;
	memcpy(&esp_wire, esp, sizeof(esp_wire));
	memcpy(&iv, esp + ESP_BYTES, sizeof(iv));
	uint64_t sequence = rte_be_to_cpu_64(esp_wire) & UINT32_MAX;
	if (unlikely(sequence < run->fresh && replay_check(&sa->replay, sequence) != REPLAY_NEW))
		return false;
	usual_op_fill(&w->ops[op], sa, esp_wire, iv, text, len);
	w->ops[op].icv = w->icvs[op];
	w->sequences[op] = sequence;
	return true;
}

static inline uint32_t usual_prepare_in(
	struct ipsec_worker *w, struct burst_item *items, uint32_t from, uint32_t n, struct usual_run *run)
{
	const struct sa *sa = run->sa;
	uint32_t i = from;

	if (usual_is_alone(items, from, n))
		return from + usual_check_one(w, items[from].m, from, run);
	while (i < n && items[i].sa == sa && usual_check_one(w, items[i].m, i, run))
		i++;
	return i;
}

/* Behind the crypto: whether any of the SA's packets, of which so many may come, is usual. */
static inline bool usual_may_finish(struct sa *sa, uint32_t rest)
{
	return sa->traits & SA_USUAL && !(usual_flags(sa) & SA_OVER) && usual_within_limits(sa, rest);
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

/* The bytes in clear, or 0: not usual. */
static inline uint32_t usual_opened(const struct crypto_op *op, const uint8_t *icv, const struct sa_ranges *ranges)
{
	const uint8_t *text = op->text;
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)text;
	const uint64_t first = ip4_first(text);
	uint32_t len = op->len, total = ip4_total_bytes(first);

	if (unlikely(!icv_equal(icv, text + len, USUAL_ICV_BYTES) || !usual_inside(text, first, len, total)))
		return 0;
	return likely(ranges_match(ranges, ip->dst_addr, ip->src_addr, ip->next_proto_id)) ? total : 0;
}

/* Bytes in clear of the packet of an operation, which begins in front of them then; 0: not usual. Without a window the
 * highest sequence number goes to *newest. */
static inline uint32_t usual_open_one(
	struct ipsec_worker *w, struct burst_item *item, uint32_t op, const struct sa_ranges *ranges, uint64_t *newest)
{
	struct replay *replay = &item->sa->replay;
	struct rte_mbuf *m = item->m;
	uint32_t total = usual_opened(&w->ops[op], w->icvs[op], ranges);

	if (unlikely(!total))
		return 0;
	if (!replay->window)
		*newest = RTE_MAX(*newest, w->sequences[op]);
	else if (unlikely(replay_advance(replay, w->sequences[op]) != REPLAY_NEW))
		return 0;
	usual_packet_begin(m, m->data_off + USUAL_HEAD_BYTES, total);
	return total;
}

/* Of the items of one SA from `from` on: the first that is not usual, or another SA's, or n. They are counted together.
 */
static inline uint32_t usual_finish_in(struct ipsec_worker *w, struct burst_item *items, uint32_t from, uint32_t n)
{
	struct sa *sa = items[from].sa;
	const struct sa_ranges ranges = sa_ranges_in(sa);
	uint64_t bytes = 0, newest = 0;
	uint32_t i = from, total;

	if (usual_is_alone(items, from, n)) {
		bytes = usual_open_one(w, &items[from], from, &ranges, &newest);
		i += bytes > 0;
	} else
		for (; i < n && items[i].sa == sa; i++, bytes += total) {
			total = usual_open_one(w, &items[i], i, &ranges, &newest);
			if (unlikely(!total))
				break;
		}
	sa_account(sa, i - from, bytes);
	if (newest)
		replay_raise(&sa->replay, newest);
	return i;
}

/* ---- out ---- */

/* Two words of a header, for its checksum. */
static inline uint32_t halves_sum(uint32_t memory)
{
	uint32_t word = rte_le_to_cpu_32(memory);

	return (word & UINT16_MAX) + (word >> 16);
}

static __rte_noinline void usual_header_take(struct usual_alike *a, const struct sa_way *way)
{
	const uint32_t ttl_protocol = way->ttl | IPPROTO_ESP << 8;

	a->first_keep = (uint64_t)way->df_keep << USUAL_DF_LSB | (uint32_t)way->tos_keep << 8;
	a->first_set = (uint64_t)way->df_set << USUAL_DF_LSB | (uint32_t)way->tos_set << 8 | RTE_IPV4_VHL_DEF;
	a->second = ttl_protocol | (uint64_t)rte_le_to_cpu_32(way->source) << 32;
	a->second_sum = ttl_protocol + halves_sum(way->source);
}

static __rte_noinline void usual_egress_take(struct usual_alike *a, const struct sa_way *way)
{
	const struct egress to = { way->neighbour, way->port };

	a->port = way->port;
	a->frame_most = 0;
	if (!a->framing)
		return;
	a->frame = a->framing->head(a->framing, &to);
	a->frame_most = RTE_MIN(a->frame->most, USUAL_AROUND_BYTES + way->most);
}

static inline void usual_alike_take(struct usual_alike *a, const struct sa_way *way)
{
	uint64_t header, egress;

	memcpy(&header, &way->source, sizeof(header));
	memcpy(&egress, &way->neighbour, sizeof(egress));
	if (unlikely(header != a->header)) {
		a->header = header;
		usual_header_take(a, way);
	}
	if (unlikely(egress != a->egress)) {
		a->egress = egress;
		usual_egress_take(a, way);
	}
}
static_assert(offsetof(struct sa_way, neighbour) == 8 && offsetof(struct sa_way, destination) == 16, "two words");

static inline void usual_run_out(struct usual_run *run, struct sa *sa, uint32_t rest)
{
	const struct sa_way *way = &sa->way;
	const uint32_t flags = usual_flags(sa);

	/* sa_way_take acquires */
	if (unlikely(flags & SA_NEW_PATH))
		sa_way_take(sa);
	run->sa = sa;
	run->usual = way->most && !(flags & SA_OVER) && usual_within_limits(sa, rest);
	if (unlikely(!run->usual))
		return;
	usual_alike_take(run->alike, way);
	run->sum = run->alike->second_sum + halves_sum(way->destination);
	run->destination = way->destination;
	run->spi_high = (uint64_t)sa->spi << 32;
	run->iv_base = sa->iv_base;
}

/* The path's header with what differs per packet, put together in registers. id: as in memory. */
static inline void usual_outer_write(
	uint8_t *at, const struct usual_run *run, uint64_t inner_first, uint32_t total, uint16_t id)
{
	uint32_t length = rte_bswap32(total); /* as in memory, where it stands in the word; total has 16 bits */
	uint64_t id_word = rte_le_to_cpu_16(id);
	uint64_t first = (rte_le_to_cpu_64(inner_first) & run->alike->first_keep) | run->alike->first_set | length |
			 id_word << 32;
	uint64_t sum = run->sum + (first & UINT16_MAX) + (length >> 16) + id_word + (first >> 48);
	uint16_t checksum = (uint16_t)~sum_fold((uint32_t)sum);
	uint64_t second = rte_cpu_to_le_64(run->alike->second | (uint64_t)checksum << 16);

	first = rte_cpu_to_le_64(first);
	memcpy(at, &first, sizeof(first));
	memcpy(at + sizeof(first), &second, sizeof(second));
	memcpy(at + sizeof(first) + sizeof(second), &run->destination, sizeof(run->destination));
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

/* Worker: bytes of the largest plain packet that may go into the SA as it is; 0: none may. */
static inline uint16_t usual_bytes_most(const struct sa *sa, uint8_t worker)
{
	/* relaxed: who finds itself here put it there */
	uint32_t others = atomic_load_explicit(&sa->owner, memory_order_relaxed) ^ worker;
	uint32_t changed = usual_flags(sa) & SA_NEW_PATH;

	return likely(!(others | changed)) ? sa->way.most : 0;
}

/* The sealed packet in its buffer, with the link's header if it may have one. offset: of its IP header. */
static inline void usual_place(struct burst_item *item, uint32_t offset, uint32_t total, const struct usual_run *run)
{
	struct rte_mbuf *m = item->m;

	if (unlikely(total > run->alike->frame_most)) {
		item->framed_port = FRAMED_NONE;
		usual_packet_begin(m, offset, total);
		return;
	}
	item->framed_port = run->alike->port;
	memcpy((uint8_t *)m->buf_addr + offset - FRAME_HEAD_BYTES, run->alike->frame->bytes, FRAME_HEAD_BYTES);
	usual_packet_begin(m, offset - RTE_ETHER_HDR_LEN, total + RTE_ETHER_HDR_LEN);
}

/* What is next in an SA's packets. */
struct usual_next {
	uint64_t esp; /* SPI and sequence number, host order */
	uint64_t iv;  /* host order */
};

/* False: nothing has changed. */
static inline bool usual_prepare_one(
	struct burst_item *item, struct crypto_op *op, const struct usual_run *run, const struct usual_next *next)
{
	struct rte_mbuf *m = item->m;
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t bytes = m->data_len, offset = m->data_off;
	uint32_t len = (bytes + ESP_TRAILER_BYTES + USUAL_PAD_MASK) & ~(uint32_t)USUAL_PAD_MASK;
	uint32_t total = USUAL_HEAD_BYTES + len + USUAL_ICV_BYTES;
	const uint64_t esp_wire = rte_cpu_to_be_64(next->esp), iv = rte_cpu_to_be_64(next->iv);

	if (unlikely(!run->plain && (m->nb_segs > 1 || packet_is_ipv6(inner))))
		return false;
	if (unlikely(offset < USUAL_ROOM_BYTES || offset + len + USUAL_ICV_BYTES > m->buf_len))
		return false;
	usual_outer_write(inner - USUAL_HEAD_BYTES, run, ip4_first(inner), total, (uint16_t)(next->iv - 1));
	memcpy(inner - USUAL_IV_BYTES - ESP_BYTES, &esp_wire, sizeof(esp_wire));
	memcpy(inner - USUAL_IV_BYTES, &iv, sizeof(iv));
	usual_trailer_write(inner + bytes, len - bytes - ESP_TRAILER_BYTES);
	usual_op_fill(op, run->sa, esp_wire, iv, inner, len);
	op->icv = inner + len;
	usual_place(item, offset - USUAL_HEAD_BYTES, total, run);
	return true;
}

static inline uint32_t usual_prepare_out(
	struct ipsec_worker *w, struct burst_item *items, uint32_t from, uint32_t n, struct usual_run *run)
{
	struct sa *sa = run->sa;
	uint64_t first = sa_sequence(sa) + 1, bytes = 0;
	struct usual_next next = { run->spi_high | (first & UINT32_MAX), run->iv_base + first };
	uint32_t i = from;

	if (usual_is_alone(items, from, n)) {
		bytes = items[from].m->data_len;
		if (!usual_prepare_one(&items[from], &w->ops[from], run, &next))
			return from;
		sa_account(sa, 1, bytes);
		return from + 1;
	}
	/* no limit is near: the sequence number does not end within a burst */
	for (; i < n && items[i].sa == sa; i++, next.esp++, next.iv++) {
		uint32_t packet_bytes = items[i].m->data_len;
		if (!usual_prepare_one(&items[i], &w->ops[i], run, &next))
			break;
		bytes += packet_bytes;
	}
	sa_account(sa, i - from, bytes);
	return i;
}
