/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces: workers choose packets, mark them, and write down in a bounded ring each stage a marked one passes; control
 * reads the rings. A full ring loses the record, never the packet. */
#include "trace_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_mbuf_dyn.h>
#include <stdlib.h>

#include "decide_priv.h"

static_assert(sizeof(struct datapath_trace_record) == 24, "an element of rte_ring, without holes");

const struct datapath_trace_row *datapath_trace_row(uint8_t stage)
{
#define STAGE_ROW(stage, keyword, what, which) [stage] = { keyword, what, which },
	static const struct datapath_trace_row rows[] = { DATAPATH_TRACE_STAGES(STAGE_ROW) };
	static const struct datapath_trace_row unknown = { "unknown", "", "" };
#undef STAGE_ROW

	return stage < DATAPATH_TRACE_STAGE_COUNT ? &rows[stage] : &unknown;
}

const char *datapath_trace_origin_name(uint16_t origin)
{
	static const char *const names[] = {
		[ORIGIN_CLEAR] = "came in clear",
		[ORIGIN_TUNNEL] = "out of a tunnel",
		[ORIGIN_OWN_CLEAR] = "our answer",
		[ORIGIN_OWN_TUNNEL] = "our answer into a tunnel",
		[ORIGIN_CONTROL] = "from control",
	};

	return origin < ARRAY_LEN(names) && names[origin] ? names[origin] : "unknown";
}

const char *datapath_trace_class_name(uint16_t class)
{
	static const char *const names[] = {
		[PUNT_IKE] = "IKE",
		[PUNT_IKE_OPENING] = "IKE, of a peer that is coming",
		[PUNT_IKE_NEW] = "IKE, the beginning",
		[PUNT_IKE_STRAY] = "IKE, of no IKE SA that is here",
		[PUNT_LINK] = "ARP or neighbour discovery of a known neighbour",
		[PUNT_ARP] = "ARP",
		[PUNT_HOLD_VIA] = "to wait for its next hop",
		[PUNT_HOLD] = "to wait for its neighbour",
		[PUNT_ND] = "neighbour discovery",
		[PUNT_MLD] = "multicast listener discovery",
	};

	return class < ARRAY_LEN(names) && names[class] ? names[class] : "unknown";
}

/* ---- workers: records ---- */

static uint32_t *number_of(const struct trace *t, const struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD((struct rte_mbuf *)(uintptr_t)m, t->offset, uint32_t *);
}

static bool is_marked(const struct trace *t, const struct rte_mbuf *m)
{
	return (m->ol_flags & t->flag) && *number_of(t, m) >> 24 == t->generation;
}

void trace_push(
	struct worker *w, const struct rte_mbuf *m, enum datapath_trace_stage stage, uint16_t what, uint32_t which)
{
	if (!is_marked(w->trace, m))
		return;
	const struct datapath_trace_record record = {
		.cycles = rte_rdtsc(),
		.packet = *number_of(w->trace, m),
		.which = which,
		.what = what,
		.stage = (uint8_t)stage,
		.worker = (uint8_t)w->id,
	};
	if (rte_ring_sp_enqueue_elem(w->records, (void *)(uintptr_t)&record, sizeof(record)))
		tally(&w->records_lost, 1);
}

void trace_packets(struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum datapath_trace_stage stage, uint16_t what)
{
	for (uint16_t i = 0; i < n; i++)
		trace_push(w, pkts[i], stage, what, pkts[i]->pkt_len);
}

void trace_items(struct worker *w, const struct burst_item *items, uint16_t n, enum datapath_trace_stage stage)
{
	for (uint16_t i = 0; i < n; i++)
		trace_push(w, items[i].m, stage, 0, sa_spi(items[i].sa));
}

void trace_carry(struct worker *w, const struct rte_mbuf *from, struct rte_mbuf *to)
{
	if (!is_marked(w->trace, from) || is_marked(w->trace, to))
		return;
	to->ol_flags |= w->trace->flag;
	*number_of(w->trace, to) = *number_of(w->trace, from);
}

/* ---- workers: samples ---- */

/* A packet that fits: its turn, and something left of the count? The number is the worker's own. */
static void sample(struct worker *w, struct rte_mbuf *m)
{
	struct trace *t = w->trace;
	struct trace_state *s = &w->sampling;

	if (s->trace != t)
		*s = (struct trace_state){ .trace = t };
	if (is_marked(t, m) || s->seen++ % t->spec.every || atomic_load_explicit(&t->left, memory_order_relaxed) <= 0 ||
		atomic_fetch_sub_explicit(&t->left, 1, memory_order_relaxed) <= 0)
		return;
	m->ol_flags |= t->flag;
	*number_of(t, m) = (uint32_t)t->generation << 24 | (uint32_t)w->id << 16 | (s->sampled++ & 0xffff);
}

static bool has_addresses(const struct datapath_trace_spec *s)
{
	return s->src.addr.family != ADDR_NONE || s->dst.addr.family != ADDR_NONE;
}

static bool address_fits(const struct prefix *p, enum addr_family family, const uint8_t *bytes)
{
	struct addr a = addr_from_bytes(family, bytes);

	return p->addr.family == ADDR_NONE || prefix_contains(p, &a);
}

/* Of a packet whose header nobody has checked yet. */
static bool addresses_fit(const struct datapath_trace_spec *s, const uint8_t *ip, uint32_t bytes)
{
	if (!has_addresses(s))
		return true;
	if (bytes >= sizeof(struct rte_ipv6_hdr) && ip[0] >> 4 == 6)
		return address_fits(&s->src, ADDR_IPV6, ip + 8) && address_fits(&s->dst, ADDR_IPV6, ip + 24);
	if (bytes >= sizeof(struct rte_ipv4_hdr) && ip[0] >> 4 == 4)
		return address_fits(&s->src, ADDR_IPV4, ip + 12) && address_fits(&s->dst, ADDR_IPV4, ip + 16);
	return false;
}

static bool packet_fits(const struct datapath_trace_spec *s, const struct rte_mbuf *m)
{
	return addresses_fit(s, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

static bool slot_fits(const struct datapath_trace_spec *s, uint32_t slot)
{
	return !s->slot_count || slot - s->first_slot < s->slot_count;
}

static uint16_t link_header_bytes(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	bool tagged = m->data_len >= RTE_ETHER_HDR_LEN && eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);

	return (uint16_t)(RTE_ETHER_HDR_LEN + (tagged ? sizeof(struct rte_vlan_hdr) : 0));
}

/* A device may hand on what others left in ol_flags. */
void trace_frames(struct worker *w, uint16_t port, struct rte_mbuf **frames, uint16_t n)
{
	const struct datapath_trace_spec *s = &w->trace->spec;
	bool here = !s->slot_count && !s->spi;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frames[i];
		uint16_t header = link_header_bytes(m);
		uint16_t bytes = m->data_len > header ? (uint16_t)(m->data_len - header) : 0;
		m->ol_flags &= ~w->trace->flag;
		if (here && addresses_fit(s, rte_pktmbuf_mtod_offset(m, const uint8_t *, header), bytes))
			sample(w, m);
		trace_push(w, m, TRACE_RECEIVED, port, m->pkt_len);
	}
}

void trace_sealed(struct worker *w, struct rte_mbuf *m, uint32_t spi, uint32_t slot)
{
	const struct datapath_trace_spec *s = &w->trace->spec;

	/* with addresses it depends on what is inside */
	if ((s->slot_count || s->spi) && !has_addresses(s) && slot_fits(s, slot) && (!s->spi || s->spi == spi))
		sample(w, m);
	trace_push(w, m, TRACE_SEALED, 0, spi);
}

void trace_inner(struct worker *w, struct rte_mbuf **pkts, const uint32_t *slots, uint16_t n)
{
	const struct datapath_trace_spec *s = &w->trace->spec;

	for (uint16_t i = 0; i < n; i++) {
		if (has_addresses(s) && !s->spi && slot_fits(s, slots[i]) && packet_fits(s, pkts[i]))
			sample(w, pkts[i]);
		trace_push(w, pkts[i], TRACE_CLEAR, ORIGIN_TUNNEL, pkts[i]->pkt_len);
	}
}

static void decision_push(struct worker *w, const struct rte_mbuf *m, const struct decision *d)
{
	if (d->kind == DECISION_PROTECT)
		trace_push(w, m, TRACE_PROTECT, 0, d->tunnel);
	else if (d->kind == DECISION_FORWARD)
		trace_push(w, m, TRACE_FORWARD, d->port, 0);
	else
		trace_push(w, m, TRACE_REFUSE, d->reason, 0);
}

void trace_decisions(struct worker *w, struct rte_mbuf **pkts, const struct decision *decisions, uint16_t n)
{
	const struct datapath_trace_spec *s = &w->trace->spec;

	for (uint16_t i = 0; i < n; i++) {
		const struct decision *d = &decisions[i];
		if (s->slot_count && !s->spi && d->kind == DECISION_PROTECT && slot_fits(s, d->tunnel) &&
			packet_fits(s, pkts[i]))
			sample(w, pkts[i]);
		decision_push(w, pkts[i], d);
	}
}

/* ---- control ---- */

/* Registered once a process: mbufs have room for few. */
static int mark_register(uint64_t *ret_flag, int *ret_offset)
{
	static const struct rte_mbuf_dynflag flag = { .name = "sallyport_trace" };
	static const struct rte_mbuf_dynfield field = {
		.name = "sallyport_trace_number", .size = sizeof(uint32_t), .align = sizeof(uint32_t)
	};
	int bit = rte_mbuf_dynflag_register(&flag);

	*ret_offset = rte_mbuf_dynfield_register(&field);
	if (bit < 0 || *ret_offset < 0)
		return -ENOSPC;
	*ret_flag = RTE_BIT64((unsigned)bit);
	return 0;
}

static void records_forget(struct datapath *dp)
{
	struct datapath_trace_record record;

	while (datapath_trace_read(dp, &record, 1) > 0)
		continue;
}

int datapath_trace_start(struct datapath *dp, const struct datapath_trace_spec *spec)
{
	struct trace *t;
	int rc;

	assert_control(dp);
	if (!spec->count || spec->count > DATAPATH_TRACE_PACKETS_MAX || !spec->every)
		return -EINVAL;
	if (datapath_trace_running(dp))
		return -EBUSY;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	rc = mark_register(&t->flag, &t->offset);
	if (rc) {
		free(t);
		return rc;
	}
	t->spec = *spec;
	t->generation = ++dp->trace_generation;
	atomic_init(&t->left, (int32_t)spec->count);
	records_forget(dp);
	/* release: pairs with watch_take */
	atomic_store_explicit(&dp->trace, t, memory_order_release);
	return 0;
}

void datapath_trace_stop(struct datapath *dp)
{
	struct trace *t = atomic_exchange_explicit(&dp->trace, NULL, memory_order_relaxed);

	assert_control(dp);
	if (t)
		reclaim_later(dp->ips, free, t);
}

bool datapath_trace_running(const struct datapath *dp)
{
	return atomic_load_explicit((struct trace *const _Atomic *)&dp->trace, memory_order_relaxed) != NULL;
}

size_t datapath_trace_read(struct datapath *dp, struct datapath_trace_record *ret_records, size_t capacity)
{
	size_t n = 0;

	for (uint16_t i = 0; i < dp->worker_count && n < capacity; i++)
		n += rte_ring_sc_dequeue_burst_elem(dp->workers[i]->records, &ret_records[n], sizeof(*ret_records),
			(unsigned)RTE_MIN(capacity - n, (size_t)TRACE_RING_SIZE), NULL);
	return n;
}

uint64_t datapath_trace_lost(const struct datapath *dp)
{
	uint64_t lost = 0;

	for (uint16_t i = 0; i < dp->worker_count; i++)
		lost += atomic_load_explicit(&dp->workers[i]->records_lost, memory_order_relaxed);
	return lost;
}
