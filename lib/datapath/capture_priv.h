/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies of packets for a capture: what stages call when one runs, and nothing but a look at a pointer when none does.
 * Files and their format are control's. */
#pragma once

#include <rte_mbuf.h>

#include "datapath.h"

struct worker;
struct burst_item;

#define CAPTURE_RING_BYTES (4u << 20) /* of each worker */
#define CAPTURE_SLOTS_MIN  64
#define CAPTURE_SLOTS_MAX  8192

struct capture_slot {
	uint64_t cycles;
	uint32_t length;   /* of the packet */
	uint16_t captured; /* bytes of it in data */
	uint8_t point;     /* enum datapath_capture_point */
	uint8_t reason;    /* enum drop_reason */
	uint8_t data[];
};

/* One writer and one reader. */
struct capture_ring {
	_Atomic uint32_t head; /* W: owner worker; R: control */
	_Atomic uint32_t tail; /* W: control; R: owner worker */
	_Atomic uint64_t lost; /* W: owner worker; R: control */
	uint32_t taken;        /* owner worker only: filled, not published yet */
	uint8_t *slots;
} __rte_cache_aligned;

/* Published to workers while it runs; then control's, until a grace period after it was unpublished. */
struct capture {
	/* constant once published */
	struct datapath_capture_spec spec;
	uint32_t slot_bytes, slot_count; /* a power of two */
	uint16_t ring_count;
	/* control only */
	bool running, retired, abandoned;
	struct capture_ring rings[];
};

/* capture.c, owner worker, all of them with w->capture set. */

/* Frames of a device as they came, and of a port as they go. */
void capture_received(struct worker *w, uint16_t device, struct rte_mbuf **frames, uint16_t n);
void capture_sent(struct worker *w, uint16_t port, struct rte_mbuf **frames, uint16_t n);
/* Packets of a burst before it; capture_after tells which of them were dropped and copies what became of the others.
 * Marks the items in worker_data. */
void capture_before(struct worker *w, struct burst_item *items, uint16_t n, bool outbound);
void capture_after(struct worker *w, const struct burst_item *items, uint16_t good, uint16_t n, bool outbound);
/* A packet that a rule gives to a tunnel slot and that gets no further. */
void capture_refused(struct worker *w, const struct rte_mbuf *m, uint32_t slot, enum drop_reason reason);
