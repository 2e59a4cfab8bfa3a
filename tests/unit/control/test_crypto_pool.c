/* SPDX-License-Identifier: BSD-3-Clause */
/* Helper threads: every job comes back, done or, when the queue is full, not done; nothing leaks at the end. */
#include "crypto_pool_priv.h"

#include <errno.h>
#include <poll.h>

#include "harness.h"

static struct crypto_job *make_job(uint64_t owner)
{
	const struct alg *group = alg_lookup(TRANSFORM_KE, KE_CURVE25519, 0);

	return crypto_job_create(JOB_KEX_GENERATE, owner, group);
}

/* Waits for the pool's descriptor as the loop does, at most 10 s. */
static struct crypto_job *pull_wait(struct crypto_pool *p)
{
	struct pollfd fd = { .fd = crypto_pool_fd(p), .events = POLLIN };
	struct crypto_job *job;

	while (!(job = crypto_pool_pull(p)))
		if (poll(&fd, 1, 10000) <= 0)
			return NULL;
	return job;
}

static void test_crypto_pool_gives_every_job_back_done(void)
{
	struct crypto_pool *p = crypto_pool_create(2, 100, NULL);
	uint64_t seen = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (uint64_t i = 0; i < 50; i++)
		CU_ASSERT_EQUAL(crypto_pool_push(p, make_job(i)), 0);
	for (unsigned i = 0; i < 50; i++) {
		struct crypto_job *job = pull_wait(p);

		CU_ASSERT_PTR_NOT_NULL_FATAL(job);
		CU_ASSERT_EQUAL(job->result, 0);
		CU_ASSERT_EQUAL(job->public_len, 32);
		seen |= 1ull << job->owner;
		crypto_job_free(job);
	}
	CU_ASSERT_EQUAL(seen, (1ull << 50) - 1);
	CU_ASSERT_PTR_NULL(crypto_pool_pull(p));
	crypto_pool_free(p);
}

static void test_crypto_pool_full_queue_returns_the_job_not_run(void)
{
	struct crypto_pool *p = crypto_pool_create(1, 0, NULL);
	struct crypto_job *job;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_EQUAL(crypto_pool_push(p, make_job(7)), 0);
	job = pull_wait(p);
	CU_ASSERT_PTR_NOT_NULL_FATAL(job);
	CU_ASSERT_EQUAL(job->owner, 7);
	CU_ASSERT_EQUAL(job->result, -EIO);
	crypto_job_free(job);
	crypto_pool_free(p);
}

/* Established peers do not wait behind strangers, nor does a full queue of those keep them out. */
static void test_crypto_pool_urgent_jobs_overtake(void)
{
	enum { STRANGERS = 2000, URGENT = 5000 };
	struct crypto_pool *p = crypto_pool_create(1, STRANGERS, NULL);
	unsigned before = 0;
	bool seen = false;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (uint64_t i = 0; i < STRANGERS; i++)
		crypto_pool_push(p, make_job(i));
	struct crypto_job *job = make_job(URGENT);
	job->urgent = true;
	CU_ASSERT_EQUAL(crypto_pool_push(p, job), 0);
	for (unsigned i = 0; i <= STRANGERS; i++) {
		job = pull_wait(p);
		CU_ASSERT_PTR_NOT_NULL_FATAL(job);
		if (job->owner == URGENT) {
			CU_ASSERT_EQUAL(job->result, 0);
			seen = true;
		}
		before += !seen;
		crypto_job_free(job);
	}
	CU_ASSERT(seen && before < STRANGERS / 2);
	crypto_pool_free(p);
}

static void test_crypto_pool_descriptor_is_quiet_when_empty(void)
{
	struct crypto_pool *p = crypto_pool_create(1, 10, NULL);
	struct pollfd fd = { .events = POLLIN };

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	fd.fd = crypto_pool_fd(p);
	CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
	crypto_pool_push(p, make_job(1));
	crypto_job_free(pull_wait(p));
	CU_ASSERT_PTR_NULL(crypto_pool_pull(p));
	CU_ASSERT_EQUAL(poll(&fd, 1, 0), 0);
	crypto_pool_free(p);
}

static void test_crypto_pool_end_frees_what_was_not_pulled(void)
{
	struct crypto_pool *p = crypto_pool_create(2, 1000, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (unsigned i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(crypto_pool_push(p, make_job(i)), 0);
	crypto_pool_free(p);
	crypto_pool_free(NULL);
}

static const struct test tests[] = {
	TEST(test_crypto_pool_gives_every_job_back_done),
	TEST(test_crypto_pool_full_queue_returns_the_job_not_run),
	TEST(test_crypto_pool_urgent_jobs_overtake),
	TEST(test_crypto_pool_descriptor_is_quiet_when_empty),
	TEST(test_crypto_pool_end_frees_what_was_not_pulled),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
