/* SPDX-License-Identifier: BSD-3-Clause */
/* Expensive work as plain values: made by the engine, run on any thread, handed back. Threads and queues are the
 * host's. */
#include "crypto.h"

#include <errno.h>
#include <stdlib.h>

#include "crypto_priv.h"

struct crypto_job *crypto_job_create(enum crypto_job_kind kind, uint64_t owner, const struct alg *group)
{
	struct crypto_job *job = calloc(1, sizeof(*job));

	if (job)
		*job = (struct crypto_job){ .kind = kind, .owner = owner, .group = group, .result = -EIO };
	return job;
}

static int run_generate(struct crypto_job *job)
{
	/* a job may be run again: the first key is not leaked */
	kex_free(job->key);
	job->key = NULL;
	return kex_generate(job->group, &job->key, job->public_value, &job->public_len);
}

static int run_derive(struct crypto_job *job)
{
	secret_done(&job->shared);
	if (!job->key || job->peer_public_len > sizeof(job->peer_public))
		return -EINVAL;
	return kex_derive(job->key, BYTES(job->peer_public, job->peer_public_len), &job->shared);
}

void crypto_job_run(struct crypto_job *job)
{
	switch (job->kind) {
	case JOB_KEX_GENERATE: job->result = run_generate(job); break;
	case JOB_KEX_DERIVE: job->result = run_derive(job); break;
	default: job->result = -EINVAL; break;
	}
}

void crypto_job_free(struct crypto_job *job)
{
	if (!job)
		return;
	kex_free(job->key);
	secret_done(&job->shared);
	secret_wipe(job, sizeof(*job));
	free(job);
}
