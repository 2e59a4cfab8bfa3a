/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets too large for their tunnel that are sealed whole and fragmented behind that: when this is allowed, and the
 * fragmentation. The other way, fragments or an ICMP error before the SA, is outbound.c's. RFC 4301 7, 8; RFC 4459 3.
 *
 * An inner DF bit, and IPv6, where every packet has it in effect, ask for an answer; only an operator who cleared the
 * outer DF has said that such packets are to pass anyway (RFC 4301 8.1, RFC 4459 3.1). Without DF it is a matter of
 * taste, but for SAs that cannot take inner fragments: those that look at ports, which the peer could not check, and
 * transport mode, which has whole datagrams only (RFC 4303 3.3.4). */
#include "stages_priv.h"

#include <errno.h>

bool oversize_sealed_whole(const struct worker *w, const struct rte_mbuf *m, const struct sa *sa, enum origin origin)
{
	const struct header_rules *rules = &sa_path(sa)->spec.header;
	bool after = rules->fragment == FRAGMENT_AFTER || !sa_takes_fragments(sa);
	bool df_ignored = rules->fragment == FRAGMENT_AFTER && rules->df == DF_CLEAR;

	if (after && (df_ignored || fragment_allowed(w, m, origin)))
		return true;
	/* a link that cannot carry 1280 bytes has to fragment below IPv6 (RFC 8200 5, RFC 2473 7.1); of our own packets
	 * we are the source, who may */
	return packet_is_ip6(m) && (m->data_len <= RTE_IPV6_MIN_MTU || !origin_forwarded(origin));
}

/* The fragments have no DF, whatever the packet says: the path is known to be this small. */
static int outer_fragments(
	const struct worker *w, const struct rte_mbuf *m, uint16_t mtu, struct rte_mbuf *ret_fragments[FRAGMENTS_MAX])
{
	uint32_t identification;

	if (!packet_is_ip6(m))
		return fragment_packet(w->dp->pool, m, mtu, ret_fragments, FRAGMENTS_MAX);
	if (!ipsec_worker_random(w->crypto, &identification))
		return -EIO;
	return fragment6_packet(w->dp->pool, m, mtu, identification, ret_fragments, FRAGMENTS_MAX);
}

void oversize_send(struct worker *w, struct rte_mbuf *m, const struct path *path)
{
	struct rte_mbuf *fragments[FRAGMENTS_MAX];
	int n = outer_fragments(w, m, path->mtu, fragments);

	if (n < 0) {
		worker_drop(w, m, fragment_fault(n));
		return;
	}
	worker_count(w, DP_C_OUTER_FRAGMENTED, 1);
	for (int i = 0; unlikely(w->trace != NULL) && i < n; i++)
		trace_carry(w, m, fragments[i]);
	rte_pktmbuf_free(m);
	for (int i = 0; i < n; i++)
		forward_egress(w, fragments[i], path->port, path->neighbour, false);
}
