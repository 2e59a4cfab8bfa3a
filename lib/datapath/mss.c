/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP MSS clamp: a SYN's maximum segment size is lowered to what passes a tunnel unfragmented. RFC 9293 3.7.1, RFC
 * 6691. Pure: bytes in, the same bytes changed. */
#include "stages_priv.h"

#include <rte_tcp.h>

#define TCP_HEADER_BYTES 20
#define OPTION_END       0
#define OPTION_NOP       1
#define OPTION_MSS       2
#define MSS_OPTION_BYTES 4

/* Offset of the MSS value from the start of the TCP header, or 0. Options that lie about their length end the search.
 */
static uint16_t mss_find(const uint8_t *tcp, uint16_t header_bytes)
{
	uint16_t at = TCP_HEADER_BYTES;

	while (at < header_bytes && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= header_bytes || tcp[at + 1] < 2 || at + tcp[at + 1] > header_bytes)
			return 0;
		if (tcp[at] == OPTION_MSS)
			return tcp[at + 1] == MSS_OPTION_BYTES ? at + 2 : 0;
		at += tcp[at + 1];
	}
	return 0;
}

/* The value may straddle two words of the checksum: bytes at odd offsets count the other way round. */
static void mss_write(uint8_t *tcp, uint16_t offset, uint16_t mss)
{
	uint16_t old_word, new_word, checksum;

	memcpy(&old_word, tcp + offset, sizeof(old_word));
	store_be16(tcp + offset, mss);
	memcpy(&new_word, tcp + offset, sizeof(new_word));
	if (offset % 2) {
		old_word = __builtin_bswap16(old_word);
		new_word = __builtin_bswap16(new_word);
	}
	memcpy(&checksum, tcp + 16, sizeof(checksum));
	checksum = checksum_adjust(checksum, old_word, new_word);
	memcpy(tcp + 16, &checksum, sizeof(checksum));
}

/* The TCP header of a SYN with its options, or NULL. */
static const uint8_t *syn_find(const uint8_t *ip, uint16_t total_bytes)
{
	const struct rte_ipv4_hdr *header = (const struct rte_ipv4_hdr *)ip;
	uint16_t offset = ip_header_bytes(header);
	const uint8_t *tcp;
	struct ip6_layout l;

	if (ip[0] >> 4 == 6) {
		if (ip6_walk(ip, total_bytes, &l) != IP6_WALK_GOOD || l.protocol != IPPROTO_TCP ||
			ip6_is_later_fragment(&l))
			return NULL;
		offset = l.offset;
	} else if (header->next_proto_id != IPPROTO_TCP || ip_is_later_fragment(header)) {
		return NULL;
	}
	tcp = ip + offset;
	if (total_bytes < offset + TCP_HEADER_BYTES || !(tcp[13] & RTE_TCP_SYN_FLAG))
		return NULL;
	uint16_t tcp_bytes = (uint16_t)((tcp[12] >> 4) * 4);
	return tcp_bytes < TCP_HEADER_BYTES || offset + tcp_bytes > total_bytes ? NULL : tcp;
}

bool mss_is_syn(const uint8_t *ip, uint16_t total_bytes)
{
	return syn_find(ip, total_bytes) != NULL;
}

bool mss_clamp(uint8_t *ip, uint16_t total_bytes, uint16_t inner_mtu)
{
	/* RFC 6691 2: without IP and TCP options, which senders take off themselves */
	uint16_t headers = (ip[0] >> 4 == 6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) +
			   TCP_HEADER_BYTES;
	const uint8_t *found = syn_find(ip, total_bytes);
	uint8_t *tcp;

	if (!found || inner_mtu <= headers)
		return false;
	tcp = ip + (found - ip);
	uint16_t limit = (uint16_t)(inner_mtu - headers);
	uint16_t offset = mss_find(tcp, (uint16_t)((tcp[12] >> 4) * 4));
	if (!offset || load_be16(tcp + offset) <= limit)
		return false;
	mss_write(tcp, offset, limit);
	return true;
}
