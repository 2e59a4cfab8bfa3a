/* SPDX-License-Identifier: BSD-3-Clause */
/* How the tests of everything that must be refused look at it: the reason is the right one, counted once on the SA, and
 * nothing else of the SA has changed. */
#pragma once

#include "rig.h"

/* A set of drop reasons, where the one that is met first depends on what is in the packet. */
#define REASON(r) (1ull << (r))

/* Inbound: refused for one of these reasons, before or after being authenticated, and the SA has only the drop counted.
 * Takes the packet. */
bool refused_any(struct rig_pair *p, struct rte_mbuf *m, uint64_t reasons);
bool refused(struct rig_pair *p, struct rte_mbuf *m, enum drop_reason reason);
/* Outbound, likewise. */
bool refused_out(struct rig_pair *p, struct rte_mbuf *m, enum drop_reason reason);

/* Inbound, an authentic packet with bad contents: counted, not delivered; its sequence number is used up, and with it a
 * copy is refused as a replay. Takes the packet. */
bool refused_authentic(struct rig_pair *p, struct rte_mbuf *m, uint64_t sequence, enum drop_reason reason);
/* ... made by rig_seal. */
bool refused_inside(
	struct rig_pair *p, uint64_t sequence, const void *payload, uint16_t bytes, enum drop_reason reason);

/* Inbound: comes out as `expected`, which stays the caller's. Takes the packet. */
bool accepted(struct rig_pair *p, struct rte_mbuf *m, const struct rte_mbuf *expected);

/* A packet of the pair through burst_out; ends the program when that fails. */
struct rte_mbuf *sealed(struct rig_pair *p, const struct rig_options *o, uint16_t bytes);
