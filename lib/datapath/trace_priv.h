/* SPDX-License-Identifier: BSD-3-Clause */
/* Traces of sampled packets: what stages call when one runs, and nothing but a look at a pointer when none does. A
 * packet of a sample carries a flag and a number of its own, from worker to worker and through its SA. */
#pragma once

#include <rte_mbuf.h>

#include "datapath.h"

struct worker;
struct burst_item;
struct decision;

#define TRACE_RING_SIZE 4096 /* records of each worker */

/* Published to workers while it runs. */
struct trace {
	/* constant once published */
	struct datapath_trace_spec spec;
	uint64_t flag;      /* of mbuf.ol_flags */
	int offset;         /* of the number in an mbuf */
	uint8_t generation; /* the number's first byte: marks of an older trace are none */
	/* W: workers */
	_Atomic int32_t left; /* packets that may still be sampled */
};

/* A worker's own. */
struct trace_state {
	const struct trace *trace; /* whose samples these are */
	uint32_t seen, sampled;
};

/* trace.c, owner worker, with w->trace set. A record, when the packet carries the mark. */
void trace_push(
	struct worker *w, const struct rte_mbuf *m, enum datapath_trace_stage stage, uint16_t what, uint32_t which);
/* The same of each, `which` being its bytes. */
void trace_packets(
	struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum datapath_trace_stage stage, uint16_t what);
/* The same of each, with its SA's SPI. */
void trace_items(struct worker *w, const struct burst_item *items, uint16_t n, enum datapath_trace_stage stage);
/* A packet that was cut or joined goes on in another buffer: it is the same sample, of several the first. */
void trace_carry(struct worker *w, const struct rte_mbuf *from, struct rte_mbuf *to);
/* Each of these also begins samples, where what the operator asked about becomes known: received frames, packets whose
 * SPI has led to a tunnel slot, packets that came out of one, decisions. */
void trace_frames(struct worker *w, uint16_t port, struct rte_mbuf **frames, uint16_t n);
void trace_sealed(struct worker *w, struct rte_mbuf *m, uint32_t spi, uint32_t slot);
void trace_inner(struct worker *w, struct rte_mbuf **pkts, const uint32_t *slots, uint16_t n);
void trace_decisions(struct worker *w, struct rte_mbuf **pkts, const struct decision *decisions, uint16_t n);
