/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 fragmentation by copy into fresh buffers, which every later stage needs in one piece (RFC 791 3.1, 3.2), and
 * what becomes of a packet of either family that is too big. Putting fragments together again is not here. */
#include "stages_priv.h"

#include <errno.h>

#define OPTION_END    0
#define OPTION_NOP    1
#define OPTION_COPIED 0x80

/* Header of all fragments but the first: options with the copied flag stay, padded to a word. Returns its bytes. */
static uint16_t later_header(const struct rte_ipv4_hdr *ip, uint8_t ret_header[60])
{
	const uint8_t *options = (const uint8_t *)(ip + 1);
	uint16_t end = (uint16_t)(ip_header_bytes(ip) - sizeof(*ip)), at = 0, out = sizeof(*ip);

	memcpy(ret_header, ip, sizeof(*ip));
	while (at < end && options[at] != OPTION_END) {
		uint16_t len = 1;
		if (options[at] != OPTION_NOP) {
			len = at + 1 < end ? options[at + 1] : 0;
			if (len < 2 || at + len > end)
				break;
		}
		if (options[at] & OPTION_COPIED) {
			memcpy(ret_header + out, options + at, len);
			out += len;
		}
		at += len;
	}
	while (out % 4)
		ret_header[out++] = OPTION_END;
	ret_header[0] = (uint8_t)(0x40 | out / 4);
	return out;
}

/* One fragment: the header, then `bytes` of payload from `from`; offset_word is its flags and offset, host order. */
static struct rte_mbuf *fragment_make(struct rte_mempool *pool, const uint8_t *header, uint16_t header_bytes,
	const uint8_t *payload, uint16_t bytes, uint16_t offset_word)
{
	struct rte_mbuf *f = rte_pktmbuf_alloc(pool);
	uint8_t *data = f ? (uint8_t *)rte_pktmbuf_append(f, (uint16_t)(header_bytes + bytes)) : NULL;

	if (!data) {
		rte_pktmbuf_free(f);
		return NULL;
	}
	memcpy(data, header, header_bytes);
	memcpy(data + header_bytes, payload, bytes);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)data;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(header_bytes + bytes));
	ip->fragment_offset = rte_cpu_to_be_16(offset_word);
	ip_checksum_set(ip);
	return f;
}

int fragment_packet(struct rte_mempool *pool, const struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_fragments,
	uint16_t capacity)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	const uint8_t *payload = (const uint8_t *)ip + ip_header_bytes(ip);
	uint16_t word = rte_be_to_cpu_16(ip->fragment_offset), start = word & RTE_IPV4_HDR_OFFSET_MASK;
	uint16_t left = (uint16_t)(m->data_len - ip_header_bytes(ip)), at = 0, n = 0;
	const uint8_t *header = (const uint8_t *)ip;
	uint16_t header_bytes = ip_header_bytes(ip);
	uint8_t later[60];

	/* no datagram is that long (RFC 791 3.1): the offsets would begin at zero again */
	if (start * 8u + m->data_len > UINT16_MAX)
		return -EMSGSIZE;
	while (left) {
		uint16_t room = mtu > header_bytes + 8 ? (uint16_t)((mtu - header_bytes) & ~7) : 0;
		uint16_t bytes = left + header_bytes <= mtu ? left : room;
		bool more = bytes < left || (word & RTE_IPV4_HDR_MF_FLAG);
		uint16_t flags = (uint16_t)((start + at / 8) | (more ? RTE_IPV4_HDR_MF_FLAG : 0));

		bool fits = bytes && n < capacity;
		struct rte_mbuf *f = fits ? fragment_make(pool, header, header_bytes, payload + at, bytes, flags)
					  : NULL;

		if (!f) {
			rte_pktmbuf_free_bulk(ret_fragments, n);
			return fits ? -ENOBUFS : -EMSGSIZE;
		}
		ret_fragments[n] = f;
		ret_fragments[n]->port = m->port;
		n++;
		at += bytes;
		left -= bytes;
		header_bytes = later_header(ip, later);
		header = later;
	}
	return n;
}

bool fragment_allowed(const struct worker *w, const struct rte_mbuf *m, enum origin origin)
{
	/* routers do not fragment IPv6 (RFC 8200 5): what they put together they only give back as it was */
	if (packet_is_ip6(m))
		return !origin_forwarded(origin) || (m->ol_flags & w->dp->joined_flag);
	return !ip_dont_fragment(packet_ip(m));
}

/* Fragments of somebody's packet that were too large as they came: he has to hear of it as of any packet (RFC 8200 5).
 */
static bool came_too_large(const struct worker *w, const struct rte_mbuf *m, enum origin origin, uint16_t mtu)
{
	return packet_is_ip6(m) && origin_forwarded(origin) && packet_was_joined(w, m) && m->hash.fdir.hi > mtu;
}

/* The family's own way. */
static int fragments_make(
	const struct worker *w, const struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf **ret_fragments)
{
	uint32_t identification = m->hash.fdir.lo;

	if (!packet_is_ip6(m))
		return fragment_packet(w->dp->pool, m, mtu, ret_fragments, FRAGMENTS_MAX);
	if (!packet_was_joined(w, m) && !ipsec_worker_random(w->crypto, &identification))
		return -EIO;
	return fragment6_packet(w->dp->pool, m, mtu, identification, ret_fragments, FRAGMENTS_MAX);
}

enum drop_reason fragment_fault(int error)
{
	if (error == -ENOBUFS)
		return DROP_FRAGMENT_BUFFER;
	return error == -EIO ? DROP_CRYPTO : DROP_TOO_BIG;
}

uint16_t fragment_or_answer(
	struct worker *w, struct rte_mbuf *m, enum origin origin, uint16_t mtu, struct rte_mbuf **ret_fragments)
{
	int n;

	if (!fragment_allowed(w, m, origin) || came_too_large(w, m, origin, mtu)) {
		icmp_error_send(w, m, origin, ICMP_ERROR_TOO_BIG, mtu, DROP_TOO_BIG);
		return 0;
	}
	if (origin_forwarded(origin))
		packet_ttl_decrement(m);
	n = fragments_make(w, m, mtu, ret_fragments);
	if (n < 0) {
		worker_drop(w, m, fragment_fault(n));
		return 0;
	}
	for (int i = 0; unlikely(w->trace != NULL) && i < n; i++)
		trace_carry(w, m, ret_fragments[i]);
	rte_pktmbuf_free(m);
	return (uint16_t)n;
}
