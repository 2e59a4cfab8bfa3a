/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker does while there is nothing to do: the ways of enum datapath_idle. */
#pragma once

#include "stages_priv.h"

#define IDLE_PAUSES 256  /* loops without a packet before the worker does more than spin */
#define IDLE_YIELDS 1024 /* ... and before it sleeps */

/* idle.c. In the worker's thread, before its first loop and after its last one. 0 or -errno. */
int idle_attach(struct worker *w);
void idle_detach(struct worker *w);
/* idle.c. After so many loops without a packet. */
void idle_rest(struct worker *w, uint32_t idle_loops);
/* idle.c. Control, devices are started: 0, or -ENOTSUP with who cannot do what the configuration asks for. */
int idle_refuse(const struct datapath *dp, char *ret_reason, size_t reason_capacity);

/* idle_power.c: why CPU (static text) or a queue does not allow it; NULL and true: they do. */
const char *idle_pause_fault(void);
const char *idle_monitor_fault(void);
bool idle_queue_monitored(uint16_t device_id, uint16_t queue);
/* idle_power.c: the CPU rests, for some microseconds at most; monitor: or until a packet arrives. */
void idle_pause(struct worker *w);
void idle_monitor(struct worker *w);
