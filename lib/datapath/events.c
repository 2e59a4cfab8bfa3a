/* SPDX-License-Identifier: BSD-3-Clause */
/* Hints to control: rate-limited, lost when their ring is full. What must not be lost is state that control sweeps. */
#include "stages_priv.h"

#include <unistd.h>

#define SPI_EVENT_RATE  100 /* unknown SPIs a second and worker */
#define SPI_EVENT_BURST 20

void event_signal(struct datapath *dp)
{
	const uint64_t one = 1;

	/* exchange: pairs with the one in datapath_control_poll. Who finds the flag set leaves the wake-up to who set
	 * it: control clears it before it drains, so what was pushed before is seen. */
	if (atomic_exchange_explicit(&dp->signalled, true, memory_order_acq_rel))
		return;
	if (write(dp->event_fd, &one, sizeof(one)) < 0)
		/* the counter is at its maximum, so it is readable */
		return;
}

static void event_push(struct worker *w, const struct datapath_event *e)
{
	if (!rte_ring_sp_enqueue_elem(w->events, (void *)(uintptr_t)e, sizeof(*e)))
		event_signal(w->dp);
}

static struct endpoint flow_end(const struct flow *f, const uint32_t *addr_be, uint16_t port_be)
{
	struct endpoint end = { .addr = { .family = f->family }, .port = rte_be_to_cpu_16(port_be) };

	memcpy(end.addr.bytes, addr_be, addr_len(&end.addr));
	return end;
}

/* Once a second and slot; two slots that share a memory cell may be reported more often. */
bool event_no_sa(struct worker *w, uint32_t tunnel_slot, const struct flow *flow)
{
	struct datapath_event e = { .kind = DATAPATH_NO_SA, .tunnel_slot = tunnel_slot };
	uint32_t cell = tunnel_slot % NO_SA_MEMORY;

	if (w->no_sa[cell].cycles && w->no_sa[cell].slot == tunnel_slot &&
		w->now_cycles - w->no_sa[cell].cycles < w->dp->cycles_per_s)
		return false;
	w->no_sa[cell].slot = tunnel_slot;
	w->no_sa[cell].cycles = w->now_cycles;
	e.local = flow_end(flow, flow->local_be, flow->local_port_be);
	e.remote = flow_end(flow, flow->remote_be, flow->remote_port_be);
	e.protocol = flow->protocol;
	e.has_ports = flow->has_ports;
	event_push(w, &e);
	return true;
}

void event_unknown_spi(struct worker *w, uint32_t spi, const struct rte_mbuf *m)
{
	struct datapath_event e = { .kind = DATAPATH_UNKNOWN_SPI, .spi = spi };
	struct upper u;

	if (!bucket_take(&w->spi_events, w->now_cycles, w->dp->cycles_per_s, SPI_EVENT_RATE, SPI_EVENT_BURST))
		return;
	e.remote.addr = packet_source(m);
	packet_upper(m, &u);
	if (u.protocol == IPPROTO_UDP)
		e.remote.port = load_be16(rte_pktmbuf_mtod_offset(m, const uint8_t *, u.offset));
	event_push(w, &e);
}

void event_icmp(struct worker *w, const struct datapath_event *e)
{
	event_push(w, e);
}

void event_sa_flags(struct worker *w, uint32_t spi)
{
	const struct datapath_event e = { .kind = DATAPATH_SA_FLAGS, .spi = spi };

	if (bucket_take(&w->sa_events, w->now_cycles, w->dp->cycles_per_s, SPI_EVENT_RATE, SPI_EVENT_BURST))
		event_push(w, &e);
}
