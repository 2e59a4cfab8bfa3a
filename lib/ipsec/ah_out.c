/* SPDX-License-Identifier: BSD-3-Clause */
/* AH on the way out: header and ICV for one packet, tunnel and transport mode, both families. RFC 4302 3.3, RFC 4543.
 */
#include "ah_priv.h"
#include "outer_priv.h"

/* AH itself, its ICV zero; with GMAC the IV stands in front of the ICV (RFC 4543 4). */
static void ah_write(
	const struct sa *sa, uint8_t *ah, uint32_t bytes, uint8_t next_header, uint64_t sequence, uint64_t iv_memory)
{
	uint32_t sequence_be = rte_cpu_to_be_32((uint32_t)sequence);

	memset(ah, 0, bytes);
	ah[0] = next_header;
	ah[1] = (uint8_t)(bytes / 4 - 2);
	store_be32(ah + 4, sa->spi);
	memcpy(ah + 8, &sequence_be, sizeof(sequence_be));
	if (sa->iv_bytes)
		memcpy(ah + AH_BYTES, &iv_memory, sizeof(iv_memory));
}

static bool room_there(const struct rte_mbuf *m, uint32_t head)
{
	return rte_pktmbuf_headroom(m) >= head && rte_pktmbuf_tailroom(m) >= sizeof(uint32_t);
}

/* The IP header stands at `ip`, complete but for mutable fields that the ICV takes as zero; AH goes `header_bytes`
 * behind it, and behind that follows what it protects. The sequence number is used up here. */
static enum drop_reason ah_seal(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op, uint8_t *ip,
	uint32_t header_bytes, uint8_t next_header)
{
	uint32_t ah = ah_bytes(sa, packet_is_ipv6(ip)), total = ip_total_bytes(ip), counted = m->data_len;
	uint64_t sequence = sa_sequence(sa) + 1, iv = rte_cpu_to_be_64(sa->iv_base + sequence);
	enum drop_reason reason = ah_prefix_zero(&w->prefixes[op], ip, header_bytes);

	if (unlikely(reason))
		return reason;
	ah_write(sa, ip + header_bytes, ah, next_header, sequence, iv);
	ah_op_fill(&w->ops[op], sa, sequence, iv, ip, total);
	w->ops[op].icv = ip + header_bytes + AH_BYTES + sa->iv_bytes;
	packet_begin(m, ip, total);
	sa_account(sa, counted);
	return DROP_NONE;
}

/* The template is made for ESP. */
static void protocol_set(uint8_t *ip)
{
	if (packet_is_ipv6(ip)) {
		((struct rte_ipv6_hdr *)ip)->proto = IPPROTO_AH;
		return;
	}
	((struct rte_ipv4_hdr *)ip)->next_proto_id = IPPROTO_AH;
	ipv4_checksum_set(ip);
}

enum drop_reason ah_tunnel_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	const struct path *path = sa_path(sa);
	uint32_t head = path->template_len + ah_bytes(sa, path->flags & PATH_IPV6);
	enum drop_reason reason;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	if (unlikely(path->flags & PATH_UDP))
		return DROP_ENCAP;
	reason = room_there(m, head) ? sa_limit_check(sa, m->data_len) : DROP_NO_HEADROOM;
	if (unlikely(reason))
		return reason;
	uint8_t *inner = rte_pktmbuf_mtod(m, uint8_t *), *ip = inner - head;
	struct inner_view view = inner_read(inner);
	outer_write(ip, path, &view, head + m->data_len, (uint16_t)(sa->iv_base + sa_sequence(sa)));
	protocol_set(ip);
	return ah_seal(w, m, sa, op, ip, path->template_len, view.next_header);
}

enum drop_reason ah_transport_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	struct transport_split split;
	enum drop_reason reason;

	if (unlikely(!packet_joined(m)))
		return DROP_CHAINED;
	atomic_fragment_remove(m);
	if (unlikely(sa_path(sa)->flags & PATH_UDP))
		return DROP_ENCAP;
	uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t head = ah_bytes(sa, packet_is_ipv6(ip)), total = head + m->data_len;
	reason = transport_split(ip, m->data_len, &split);
	if (!reason)
		reason = room_there(m, head) ? sa_limit_check(sa, m->data_len) : DROP_NO_HEADROOM;
	if (unlikely(reason))
		return reason;
	memmove(ip - head, ip, split.header_bytes);
	ip -= head;
	uint8_t next_header = ip[split.next_offset];
	ip[split.next_offset] = IPPROTO_AH;
	ip_length_set(ip, total);
	return ah_seal(w, m, sa, op, ip, split.header_bytes, next_header);
}

enum drop_reason ah_finish_out(struct ipsec_worker *w, struct rte_mbuf *m, struct sa *sa, uint16_t op)
{
	(void)sa;
	ah_prefix_restore(&w->prefixes[op], rte_pktmbuf_mtod(m, uint8_t *));
	return DROP_NONE;
}
