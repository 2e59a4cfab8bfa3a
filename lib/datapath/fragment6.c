/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 fragmentation at the source, of packets this gateway itself makes, by copy into fresh buffers, which every later
 * stage needs in one piece. RFC 8200 4.5. What is only forwarded never comes here (RFC 8200 5), but for what was put
 * together to be judged (fragment.c). */
#include "stages_priv.h"

#include <errno.h>

#define UPPER_BYTES 8 /* of TCP, UDP, ICMPv6, ESP: what the first fragment shows of them at least */

/* What is the same in all fragments of a packet. */
struct cut {
	const uint8_t *packet;
	uint16_t front;       /* bytes of the Per-Fragment headers: up to the fragment header's place */
	uint16_t next_offset; /* of the byte that names what follows them */
	uint32_t identification;
};

/* One fragment: the headers in front, a fragment header, then `bytes` from `at` behind the front. */
static struct rte_mbuf *fragment6_make(
	struct rte_mempool *pool, const struct cut *c, uint16_t at, uint16_t bytes, bool more)
{
	struct rte_mbuf *f = rte_pktmbuf_alloc(pool);
	uint8_t *data = f ? (uint8_t *)rte_pktmbuf_append(f, (uint16_t)(c->front + IP6_FRAGMENT_BYTES + bytes)) : NULL;

	if (!data) {
		rte_pktmbuf_free(f);
		return NULL;
	}
	uint8_t *header = data + c->front;
	memcpy(data, c->packet, c->front);
	header[0] = data[c->next_offset];
	header[1] = 0;
	store_be16(header + 2, (uint16_t)(at | more));
	store_be32(header + 4, c->identification);
	data[c->next_offset] = IPPROTO_FRAGMENT;
	memcpy(header + IP6_FRAGMENT_BYTES, c->packet + c->front + at, bytes);
	((struct rte_ipv6_hdr *)data)->payload_len = rte_cpu_to_be_16(
		(uint16_t)(f->data_len - sizeof(struct rte_ipv6_hdr)));
	return f;
}

/* The first fragment has all headers (RFC 8200 4.5): how much of the packet every fragment but the last carries, or 0.
 */
static uint16_t room_of(const struct ip6_layout *l, uint16_t packet_bytes, uint16_t mtu)
{
	uint16_t taken = (uint16_t)(l->insert_offset + IP6_FRAGMENT_BYTES);
	uint16_t room = mtu > taken ? (uint16_t)((mtu - taken) & ~7) : 0;
	uint32_t shown = RTE_MIN((uint32_t)l->offset + UPPER_BYTES, packet_bytes);

	return (uint32_t)l->insert_offset + room >= shown ? room : 0;
}

int fragment6_packet(struct rte_mempool *pool, const struct rte_mbuf *m, uint16_t mtu, uint32_t identification,
	struct rte_mbuf **ret_fragments, uint16_t capacity)
{
	struct cut c = { .packet = rte_pktmbuf_mtod(m, const uint8_t *), .identification = identification };
	struct ip6_layout l;
	uint16_t n = 0;

	if (ip6_walk(c.packet, m->data_len, &l) != IP6_WALK_GOOD || l.has_fragment_header)
		return -EMSGSIZE;
	c.front = l.insert_offset;
	c.next_offset = l.insert_next;
	uint16_t total = (uint16_t)(m->data_len - c.front), room = room_of(&l, m->data_len, mtu);
	if (!room)
		return -EMSGSIZE;
	for (uint32_t at = 0; at < total; at += room) {
		uint16_t bytes = (uint16_t)RTE_MIN(room, total - at);
		bool fits = n < capacity;
		struct rte_mbuf *f = fits ? fragment6_make(pool, &c, (uint16_t)at, bytes, at + bytes < total) : NULL;

		if (!f) {
			rte_pktmbuf_free_bulk(ret_fragments, n);
			return fits ? -ENOBUFS : -EMSGSIZE;
		}
		f->port = m->port;
		ret_fragments[n++] = f;
	}
	return n;
}
