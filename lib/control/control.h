/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the control room: the control core of one gateway. It owns the event loop, the IKE engine, the
 * crypto helpers, the control socket and every write to the packet path's tables. One per process (EAL). */
#pragma once

#include <stddef.h>

#include "conf.h"

struct control;

/* Main thread, before any other thread exists: blocks the signals it handles, opens the control socket, starts EAL,
 * ports, workers and helpers, publishes policies and manual SAs. Borrows config until control_free and writes the
 * tunnel slots into it. NULL with a text for the operator in ret_reason; nothing is left running then. */
struct control *control_create(struct config *config, char *ret_reason, size_t reason_capacity);

/* Main thread: serves until SIGTERM or SIGINT, then deletes the IKE SAs at the peers (at most 2 s; a second signal cuts
 * that short). 0, or -errno when the loop itself failed. */
int control_run(struct control *c);

/* Main thread: stops workers and ports, frees everything, ends EAL. Accepts NULL. 0, or -ETIMEDOUT: a reload's policies
 * still compile after 5 s; workers and ports have ended, but the configuration and EAL are still in use, and only the
 * end of the process (_exit) is left. */
int control_free(struct control *c);

/* Text of DPDK's version, for --version. */
const char *control_dpdk_version(void);
