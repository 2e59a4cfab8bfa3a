/* SPDX-License-Identifier: BSD-3-Clause */
/* Control's side of the rings: drains punts and events in bounded amounts and runs the neighbours' timers. */
#include "stages_priv.h"

#include <unistd.h>

#define DRAIN_MAX 256 /* of each ring in one poll: the loop has other work too */

/* Workers punt whole, checked IKE datagrams only (local.c). */
static void ike_deliver(const struct datapath_host *host, const struct rte_mbuf *m)
{
	struct upper u;

	packet_upper(m, &u);
	const uint8_t *udp = rte_pktmbuf_mtod_offset(m, const uint8_t *, u.offset);
	struct datapath_ike d = {
		.local = { packet_destination(m), load_be16(udp + 2) },
		.remote = { packet_source(m), load_be16(udp) },
		.data = BYTES(udp + 8, load_be16(udp + 4) - 8u),
	};

	if (d.local.port == PORT_NATT)
		d.data = BYTES(d.data.data + 4, d.data.len - 4);
	host->ike(host->context, &d);
}

static void link_end(struct datapath *dp, struct rte_mbuf *m, enum drop_reason reason)
{
	if (reason)
		control_drop(dp, m, reason);
	else
		rte_pktmbuf_free(m);
}

static enum drop_reason link_input(
	struct datapath *dp, const struct rte_mbuf *m, const struct datapath_host *host, uint64_t now_ns)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_ARP) ? arp_input(dp, m, host, now_ns)
							       : nd_input(dp, m, host, now_ns);
}

static void punt_take(struct datapath *dp, enum punt_class class, struct rte_mbuf *m, const struct datapath_host *host,
	uint64_t now_ns)
{
	switch (class) {
	case PUNT_IKE:
	case PUNT_IKE_OPENING:
	case PUNT_IKE_NEW:
	case PUNT_IKE_STRAY:
		ike_deliver(host, m);
		rte_pktmbuf_free(m);
		break;
	case PUNT_LINK:
	case PUNT_ARP:
	case PUNT_ND: link_end(dp, m, link_input(dp, m, host, now_ns)); break;
	case PUNT_MLD: link_end(dp, m, mld_input(dp, m, now_ns)); break;
	case PUNT_HOLD_VIA:
	case PUNT_HOLD:
	default: resolve_hold(dp, m, now_ns); break;
	}
}

/* True when the ring may hold more. */
static bool punts_drain(
	struct datapath *dp, struct worker *w, enum punt_class class, const struct datapath_host *host, uint64_t now_ns)
{
	struct rte_mbuf *pkts[DRAIN_MAX];
	unsigned n = rte_ring_sc_dequeue_burst(w->punt[class], (void **)pkts, DRAIN_MAX, NULL);

	for (unsigned i = 0; i < n; i++)
		punt_take(dp, class, pkts[i], host, now_ns);
	return n == DRAIN_MAX;
}

static bool events_drain(struct worker *w, const struct datapath_host *host)
{
	struct datapath_event events[EVENT_RING_SIZE];
	unsigned n = rte_ring_sc_dequeue_burst_elem(w->events, events, sizeof(events[0]), EVENT_RING_SIZE, NULL);

	for (unsigned i = 0; i < n; i++)
		host->event(host->context, &events[i]);
	return false;
}

void datapath_control_poll(struct datapath *dp, const struct datapath_host *host, uint64_t now_ns)
{
	uint64_t wakes;
	bool more = false;

	assert_control(dp);
	/* before the flag: a worker that finds it clear writes again */
	if (read(dp->event_fd, &wakes, sizeof(wakes)) < 0)
		wakes = 0;
	/* exchange: pairs with event_signal */
	atomic_exchange_explicit(&dp->signalled, false, memory_order_acq_rel);
	for (uint16_t i = 0; i < dp->worker_count; i++) {
		for (int class = 0; class < PUNT_CLASSES; class ++)
			more |= punts_drain(dp, dp->workers[i], (enum punt_class) class, host, now_ns);
		more |= events_drain(dp->workers[i], host);
	}
	if (more)
		event_signal(dp);
	/* a port listens for answers before it asks (RFC 4862 5.4.2) */
	mld_tick(dp, now_ns);
	dad_tick(dp, host, now_ns);
	resolve_tick(dp, now_ns);
	ownership_tick(dp, now_ns);
}

uint64_t datapath_next_deadline(const struct datapath *dp)
{
	const uint64_t links_ns = RTE_MIN(dp->dad_next_ns, dp->mld_next_ns);

	return RTE_MIN(RTE_MIN(dp->neighbours->next_ns, dp->move.next_ns), links_ns);
}
