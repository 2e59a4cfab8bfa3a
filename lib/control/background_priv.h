/* SPDX-License-Identifier: BSD-3-Clause */
/* One long piece of work beside the control thread. It has a thread of its own for as long as it takes: in the queue of
 * the crypto helpers, seconds of compiling would hold up key exchange. */
#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdint.h>

#include "loop_priv.h"

/* Control; embedded in who has work done. What the work reads and writes is its own between start and end: the thread's
 * creation and its join hand it over. */
struct background {
	struct loop *loop; /* NULL: nothing runs */
	struct loop_source ended;
	pthread_t thread;
	void (*work)(void *context);
	void (*done)(void *context);
	void *context;
};

/* Control: starts a named thread on these CPUs (NULL: where the caller is). 0 or -errno. */
int thread_start(pthread_t *ret_thread, const char *name, const cpu_set_t *cpus, void *(*run)(void *), void *argument);

/* Control: runs work(context) on a thread of less priority than control's; then the loop calls done(context), with
 * nothing running any more. 0, or -errno and nothing was started. */
int background_start(struct background *b, struct loop *loop, const cpu_set_t *cpus);
/* Control: waits for the work, at most so long, without calling done. 0 (also when nothing runs), or -ETIMEDOUT: it
 * still runs, and what it has in hand is its own for ever. */
int background_end(struct background *b, int wait_ms);
