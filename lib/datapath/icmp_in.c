/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors from the unprotected side about packets we sent: what quotes one of our SAs is read and told to control,
 * which alone knows whether there is such an SA. Nobody has authenticated them. RFC 4301 6.1.1, 8.2.1; RFC 1191, RFC
 * 8201. */
#include "quote.h"
#include "stages_priv.h"

/* What control is told at most, by each worker: an answer costs it one look-up. */
#define REPORT_RATE  500
#define REPORT_BURST 50

/* RFC 792, RFC 4443 2.3: the error's own checksum. */
static bool checksum_good(const struct rte_mbuf *m)
{
	struct upper u;

	packet_upper(m, &u);
	const uint8_t *icmp = rte_pktmbuf_mtod_offset(m, const uint8_t *, u.offset);
	uint16_t bytes = (uint16_t)(m->data_len - u.offset);

	return packet_is_ip6(m) ? upper_checksum_good(m, IPPROTO_ICMPV6, icmp, bytes)
				: rte_raw_cksum(icmp, bytes) == 0xffff;
}

/* RFC 4301 6.1.1: the operator says which kinds count. */
static bool kind_accepted(const struct datapath *dp, const struct quote *q)
{
	return q->kind == QUOTE_TOO_BIG ? dp->icmp.path_mtu : dp->icmp.errors;
}

static void report(struct worker *w, const struct rte_mbuf *m, const struct quote *q, const struct quoted_sa *s)
{
	const struct datapath_event e = {
		.kind = q->kind == QUOTE_TOO_BIG ? DATAPATH_PATH_MTU : DATAPATH_ICMP_ERROR,
		.spi = s->spi,
		.local = { s->local, s->local_port },
		.remote = { s->remote, s->remote_port },
		.reporter = packet_source(m),
		.mtu = (uint16_t)RTE_MIN(q->mtu, (uint32_t)UINT16_MAX),
		.quoted_bytes = s->total_bytes,
		.ah = s->protocol == IPPROTO_AH,
		.udp = s->udp,
		.icmp_type = q->type,
		.icmp_code = q->code,
	};

	event_icmp(w, &e);
}

/* DROP_NONE: told to control. */
static enum drop_reason error_judge(
	struct worker *w, const struct rte_mbuf *m, const struct quote *q, const struct quoted_sa *s)
{
	if (!checksum_good(m))
		return DROP_CHECKSUM;
	if (!kind_accepted(w->dp, q))
		return DROP_ICMP_IGNORED;
	if (!spi_filter_has(w->ips, s->spi))
		return DROP_PMTU_SPOOFED;
	if (!bucket_take(&w->icmp_reports, w->now_cycles, w->dp->cycles_per_s, REPORT_RATE, REPORT_BURST))
		return DROP_RATE_LIMIT;
	report(w, m, q, s);
	return DROP_NONE;
}

bool icmp_error_take(struct worker *w, struct rte_mbuf *m)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *);
	enum drop_reason reason;
	struct quoted_sa s;
	struct quote q;

	if (likely(!quote_is_error(ip, m->data_len)))
		return false;
	/* nobody here waits for news of packets that are not of an SA */
	if (!quote_read(ip, m->data_len, &q))
		reason = DROP_ICMP_QUOTE;
	else if (quote_sa(&q, &s))
		reason = error_judge(w, m, &q, &s);
	else
		return false;
	if (reason) {
		worker_drop(w, m, reason);
		return true;
	}
	worker_count(w, DP_C_ICMP_REPORTS, 1);
	rte_pktmbuf_free(m);
	return true;
}
