/* SPDX-License-Identifier: BSD-3-Clause */
/* The decapsulating half: ESP for our own addresses to the SA's owner, through the ESP burst, and the inner packets on
 * their way. What is inside ESP is the ipsec room's business. RFC 4301 5.2, RFC 3948. */
#include "stages_priv.h"

#include <rte_prefetch.h>

#define ESP_HEADER_BYTES 8
#define UDP_HEADER_BYTES 8

uint16_t esp_offset(const struct rte_ipv4_hdr *ip)
{
	return (uint16_t)(ip_header_bytes(ip) + (ip->next_proto_id == IPPROTO_UDP ? UDP_HEADER_BYTES : 0));
}

/* The SPI, or why there is none to look at. */
static inline enum drop_reason spi_read(const struct rte_mbuf *m, uint32_t *ret_spi)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);
	uint16_t offset = esp_offset(ip);

	if (unlikely(ip_is_fragment(ip)))
		return DROP_FRAGMENT;
	if (unlikely(m->data_len < offset + ESP_HEADER_BYTES))
		return DROP_SHORT;
	*ret_spi = load_be32((const uint8_t *)ip + offset);
	return DROP_NONE;
}

/* Hands over what belongs to another worker before touching the SA. True: the SA is ours to use. */
static inline bool sa_find(struct worker *w, struct rte_mbuf *m, struct sa **ret_sa)
{
	const struct note note = { .stage = STAGE_ESP };
	uint32_t spi;
	enum drop_reason reason = spi_read(m, &spi);

	if (unlikely(reason)) {
		worker_drop(w, m, reason);
		return false;
	}
	uint8_t owner = sad_bucket_worker(w->ips, spi);
	if (owner != w->id && owner != WORKER_NONE) {
		handoff_push(w, m, owner, &note);
		return false;
	}
	*ret_sa = owner == w->id ? sad_lookup(w->ips, spi) : NULL;
	if (unlikely(!*ret_sa)) {
		event_unknown_spi(w, spi, m);
		worker_drop(w, m, DROP_UNKNOWN_SPI);
		return false;
	}
	rte_prefetch0(*ret_sa);
	return true;
}

/* MSS of a SYN from the far side: what its answers may carry is what our outbound SA to there takes. */
static void mss_clamp_tunnelled(struct worker *w, struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = packet_ip(m);
	struct spd_verdict v;
	struct flow f;
	struct sa *back;

	if (!w->dp->mss_clamp || ip->next_proto_id != IPPROTO_TCP || ip_is_fragment(ip) ||
		m->data_len < ip_header_bytes(ip) + 20 ||
		!(((uint8_t *)ip)[ip_header_bytes(ip) + 13] & RTE_TCP_SYN_FLAG))
		return;
	packet_flow(m, false, &f);
	policy_lookup(w, &f, 1, &v);
	back = v.action == SPD_PROTECT ? tunnel_lookup(w->ips, v.tunnel_slot) : NULL;
	if (back && mss_clamp((uint8_t *)ip, m->data_len, sa_inner_mtu(back)))
		worker_count(w, DP_C_MSS_CLAMPED, 1);
}

/* The burst has checked the inner lengths and the SA's selectors. */
static inline void inner_sort(struct worker *w, struct rte_mbuf *m, const struct sa *sa)
{
	const struct rte_ipv4_hdr *ip = packet_ip(m);

	if (unlikely(!ip_checksum_good(ip, ip_header_bytes(ip)) || ipv4_not_unicast(ip->src_addr))) {
		worker_drop(w, m, DROP_INNER_HEADER);
		return;
	}
	if (unlikely(address_own(w->dp, ip->dst_addr))) {
		list_push(&w->tunnelled, m);
		return;
	}
	mss_clamp_tunnelled(w, m);
	inner_push(w, m, sa_tunnel_slot(sa));
}

static uint16_t items_collect(struct worker *w, struct burst_item *ret_items)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < w->esp.n; i++)
		if (sa_find(w, w->esp.m[i], &ret_items[n].sa))
			ret_items[n++].m = w->esp.m[i];
	w->esp.n = 0;
	return n;
}

void inbound_esp(struct worker *w)
{
	struct burst_item items[BURST];
	uint16_t n, good;

	if (!w->esp.n)
		return;
	n = items_collect(w, items);
	if (!n)
		return;
	good = burst_in(w->crypto, items, n);
	for (uint16_t i = 0; i < good; i++)
		inner_sort(w, items[i].m, items[i].sa);
	for (uint16_t i = good; i < n; i++) {
		if (items[i].drop == DROP_EXPIRED)
			event_sa_flags(w, sa_spi(items[i].sa));
		worker_drop(w, items[i].m, (enum drop_reason)items[i].drop);
	}
	worker_count(w, DP_C_DECAP, good);
}
