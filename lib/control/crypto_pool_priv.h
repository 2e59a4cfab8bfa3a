/* SPDX-License-Identifier: BSD-3-Clause */
/* A few plain threads for the engine's CPU jobs. Queue bounded, results come back through an eventfd. */
#pragma once

#include <sched.h>

#include "crypto.h"

struct crypto_pool;

/* cpus: where the threads may run. NULL when threads or memory are lacking. */
struct crypto_pool *crypto_pool_create(unsigned threads, size_t queue_max, const cpu_set_t *cpus);
/* Ends the threads after their current job; frees every job that was not pulled. Accepts NULL. */
void crypto_pool_free(struct crypto_pool *p);
/* Readable while finished jobs wait. */
int crypto_pool_fd(const struct crypto_pool *p);
/* Control: takes the job. Urgent ones have a queue of their own, as long as the other one, and run first. A full queue
 * gives it back at once through crypto_pool_pull, not run (its result says -EIO): the engine must hear of every job. 0,
 * or -ENOMEM (job freed). */
int crypto_pool_push(struct crypto_pool *p, struct crypto_job *job);
/* Control: a finished job, now the caller's, or NULL. */
struct crypto_job *crypto_pool_pull(struct crypto_pool *p);
