/* SPDX-License-Identifier: BSD-3-Clause */
/* Key exchange through jobs: agreement of every group, and each public value RFC 6989 wants refused. */
#include "crypto.h"

#include <errno.h>
#include <pthread.h>

#include "harness.h"

static const struct alg *group_row(uint16_t id)
{
	return alg_lookup(TRANSFORM_KE, id, 0);
}

static struct crypto_job *generated(const struct alg *group)
{
	struct crypto_job *job = crypto_job_create(JOB_KEX_GENERATE, 42, group);

	CU_ASSERT_PTR_NOT_NULL_FATAL(job);
	CU_ASSERT_EQUAL(job->result, -EIO);
	crypto_job_run(job);
	CU_ASSERT_EQUAL_FATAL(job->result, 0);
	CU_ASSERT_EQUAL(job->public_len, group->key_bytes);
	CU_ASSERT_PTR_NOT_NULL(job->key);
	return job;
}

/* Turns a generate job into the derive job of the same key and runs it. */
static int derive(struct crypto_job *job, const uint8_t *peer, size_t len)
{
	job->kind = JOB_KEX_DERIVE;
	memcpy(job->peer_public, peer, len);
	job->peer_public_len = len;
	crypto_job_run(job);
	CU_ASSERT_EQUAL(job->result == 0, job->shared.data != NULL);
	return job->result;
}

static void agree(const struct alg *group)
{
	struct crypto_job *i = generated(group), *r = generated(group);
	static const uint8_t zero[KE_PUBLIC_MAX];

	CU_ASSERT_NOT_EQUAL(memcmp(i->public_value, r->public_value, group->key_bytes), 0);
	CU_ASSERT_EQUAL(derive(i, r->public_value, r->public_len), 0);
	CU_ASSERT_EQUAL(derive(r, i->public_value, i->public_len), 0);
	CU_ASSERT_EQUAL(i->shared.len, group->out_bytes);
	CU_ASSERT(bytes_equal(secret_view(&i->shared), secret_view(&r->shared)));
	CU_ASSERT_NOT_EQUAL(memcmp(i->shared.data, zero, i->shared.len), 0);
	CU_ASSERT_EQUAL(i->owner, 42);
	crypto_job_free(i);
	crypto_job_free(r);
}

static void test_kex_both_sides_agree_in_every_group(void)
{
	int groups = 0;

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		if (a->type == TRANSFORM_KE) {
			agree(a);
			groups++;
		}
	CU_ASSERT_EQUAL(groups, 16);
}

static void test_kex_refuses_wrong_lengths(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type != TRANSFORM_KE)
			continue;
		struct crypto_job *mine = generated(a), *peer = generated(a);
		CU_ASSERT_EQUAL(derive(mine, peer->public_value, peer->public_len - 1u), -EINVAL);
		CU_ASSERT_EQUAL(derive(mine, peer->public_value, 0), -EINVAL);
		if (peer->public_len < KE_PUBLIC_MAX)
			CU_ASSERT_EQUAL(derive(mine, peer->public_value, peer->public_len + 1u), -EINVAL);
		mine->peer_public_len = KE_PUBLIC_MAX + 1;
		crypto_job_run(mine);
		CU_ASSERT_EQUAL(mine->result, -EINVAL);
		/* and the key is still good */
		CU_ASSERT_EQUAL(derive(mine, peer->public_value, peer->public_len), 0);
		crypto_job_free(mine);
		crypto_job_free(peer);
	}
}

/* The ends of the range and all ones; p, p - 1 and p - 2 are in tests/kat, which has the primes. */
static void check_modp_refusals(const struct alg *group)
{
	struct crypto_job *mine = generated(group);
	uint8_t y[KE_PUBLIC_MAX] = { 0 };
	size_t len = group->key_bytes;

	CU_ASSERT_EQUAL(derive(mine, y, len), -EINVAL); /* 0 */
	y[len - 1] = 1;
	CU_ASSERT_EQUAL(derive(mine, y, len), -EINVAL); /* 1 */
	y[len - 1] = 2;
	CU_ASSERT_EQUAL(derive(mine, y, len), 0); /* the generator itself */
	memset(y, 0xff, len);
	CU_ASSERT_EQUAL(derive(mine, y, len), -EINVAL);
	crypto_job_free(mine);
}

static void test_modp_refuses_values_outside_the_range(void)
{
	static const uint16_t ids[] = { KE_MODP_1024, KE_MODP_1536, KE_MODP_2048, KE_MODP_3072, KE_MODP_4096,
		KE_MODP_6144, KE_MODP_8192 };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		check_modp_refusals(group_row(ids[i]));
}

static void check_ecp_refusals(uint16_t id)
{
	const struct alg *group = group_row(id);
	struct crypto_job *mine = generated(group), *peer = generated(group);
	size_t half = group->key_bytes / 2u;
	uint8_t q[KE_PUBLIC_MAX] = { 0 };

	CU_ASSERT_EQUAL(derive(mine, q, 2 * half), -EINVAL); /* (0, 0): how some write infinity */
	memset(q, 0xff, sizeof(q));
	CU_ASSERT_EQUAL(derive(mine, q, 2 * half), -EINVAL); /* coordinates above the field's prime */
	memcpy(q, peer->public_value, 2 * half);
	q[2 * half - 1] ^= 1;
	CU_ASSERT_EQUAL(derive(mine, q, 2 * half), -EINVAL); /* y off the curve */
	q[2 * half - 1] ^= 1;
	q[0] ^= 1;
	CU_ASSERT_EQUAL(derive(mine, q, 2 * half), -EINVAL); /* x off the curve */
	q[0] ^= 1;
	CU_ASSERT_EQUAL(derive(mine, q, 2 * half), 0);
	/* SEC1's own forms are not the wire's */
	q[0] = 0;
	CU_ASSERT_EQUAL(derive(mine, q, 1), -EINVAL);
	memmove(q + 1, peer->public_value, 2 * half);
	q[0] = 4;
	CU_ASSERT_EQUAL(derive(mine, q, 2 * half + 1), -EINVAL);
	q[0] = 2;
	CU_ASSERT_EQUAL(derive(mine, q, half + 1), -EINVAL);
	crypto_job_free(mine);
	crypto_job_free(peer);
}

static void test_ecp_refuses_points_off_the_curve(void)
{
	static const uint16_t ids[] = { KE_ECP_256, KE_ECP_384, KE_ECP_521, KE_BRAINPOOL_224, KE_BRAINPOOL_256,
		KE_BRAINPOOL_384, KE_BRAINPOOL_512 };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		check_ecp_refusals(ids[i]);
}

static void test_x25519_refuses_zero_result(void)
{
	struct crypto_job *mine = generated(group_row(KE_CURVE25519));
	uint8_t u[32] = { 0 };

	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL);
	u[0] = 1;
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL);
	u[31] = 0x80; /* the unused bit is masked (RFC 7748 5): the same point */
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL);
	u[0] = 9;
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), 0);
	crypto_job_free(mine);
}

/* 0 and 1, and p - 1 of 2^448 - 2^224 - 1: the points of small order (RFC 7748 6.2). */
static void test_x448_refuses_zero_result(void)
{
	struct crypto_job *mine = generated(group_row(KE_CURVE448));
	uint8_t u[56] = { 0 };

	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL);
	u[0] = 1;
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL);
	memset(u, 0xff, sizeof(u));
	u[28] = 0xfe;
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL); /* p: 0 again */
	u[0] = 0xfe;
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), -EINVAL); /* p - 1 */
	memset(u, 0, sizeof(u));
	u[0] = 5;
	CU_ASSERT_EQUAL(derive(mine, u, sizeof(u)), 0);
	crypto_job_free(mine);
}

static void test_kex_refuses_rows_that_are_no_group(void)
{
	struct alg unknown = *group_row(KE_ECP_256);

	unknown.id = 26; /* ECP-224: not in our table */
	struct crypto_job *none = crypto_job_create(JOB_KEX_GENERATE, 0, NULL);
	struct crypto_job *other = crypto_job_create(JOB_KEX_GENERATE, 0, &unknown);
	struct crypto_job *encr = crypto_job_create(JOB_KEX_GENERATE, 0, alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128));
	struct crypto_job *jobs[] = { none, other, encr };

	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		crypto_job_run(jobs[i]);
		CU_ASSERT_EQUAL(jobs[i]->result, -EINVAL);
		CU_ASSERT_PTR_NULL(jobs[i]->key);
		crypto_job_free(jobs[i]);
	}
}

static void test_kex_derive_without_key_is_refused(void)
{
	struct crypto_job *job = crypto_job_create(JOB_KEX_DERIVE, 0, group_row(KE_CURVE25519));

	job->peer_public_len = 32;
	crypto_job_run(job);
	CU_ASSERT_EQUAL(job->result, -EINVAL);
	job->kind = (enum crypto_job_kind)99;
	crypto_job_run(job);
	CU_ASSERT_EQUAL(job->result, -EINVAL);
	crypto_job_free(job);
}

static void test_kex_job_may_run_again(void)
{
	struct crypto_job *job = generated(group_row(KE_ECP_256)), *peer = generated(group_row(KE_ECP_256));
	uint8_t first[KE_PUBLIC_MAX];

	memcpy(first, job->public_value, sizeof(first));
	crypto_job_run(job);
	CU_ASSERT_EQUAL(job->result, 0);
	CU_ASSERT_NOT_EQUAL(memcmp(first, job->public_value, job->public_len), 0);
	CU_ASSERT_EQUAL(derive(job, peer->public_value, peer->public_len), 0);
	CU_ASSERT_EQUAL(derive(job, peer->public_value, peer->public_len), 0);
	/* a refusal leaves no secret of the run before */
	CU_ASSERT_EQUAL(derive(job, peer->public_value, peer->public_len - 1u), -EINVAL);
	CU_ASSERT_EQUAL(job->shared.len, 0);
	crypto_job_free(job);
	crypto_job_free(peer);
}

/* A thread puts the values of all peers into one key: nothing of one must get into the secret with another. */
static void check_peers_apart(const struct alg *group)
{
	struct crypto_job *first = generated(group), *second = generated(group), *mine = generated(group);
	static const uint8_t zero[KE_PUBLIC_MAX];

	CU_ASSERT_EQUAL(derive(mine, first->public_value, first->public_len), 0);
	CU_ASSERT_EQUAL(derive(first, mine->public_value, mine->public_len), 0);
	CU_ASSERT(bytes_equal(secret_view(&mine->shared), secret_view(&first->shared)));
	CU_ASSERT_EQUAL(derive(mine, zero, mine->public_len), -EINVAL);
	CU_ASSERT_EQUAL(derive(mine, second->public_value, second->public_len), 0);
	CU_ASSERT_EQUAL(derive(second, mine->public_value, mine->public_len), 0);
	CU_ASSERT(bytes_equal(secret_view(&mine->shared), secret_view(&second->shared)));
	CU_ASSERT_FALSE(bytes_equal(secret_view(&first->shared), secret_view(&second->shared)));
	crypto_job_free(first);
	crypto_job_free(second);
	crypto_job_free(mine);
}

static void test_kex_keeps_peers_apart(void)
{
	static const uint16_t ids[] = { KE_MODP_1024, KE_MODP_2048, KE_ECP_256, KE_ECP_521, KE_BRAINPOOL_256,
		KE_CURVE25519, KE_CURVE448 };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		check_peers_apart(group_row(ids[i]));
}

static void test_kex_import_refuses_values_that_are_no_pair(void)
{
	const struct alg *x25519 = group_row(KE_CURVE25519), *ecp = group_row(KE_ECP_256);
	struct crypto_job *a = generated(ecp), *b = generated(x25519);
	uint8_t private_value[32] = { [31] = 5 };
	struct kex_key *key = NULL;

	CU_ASSERT_EQUAL(kex_import(ecp, BYTES_OF(private_value), BYTES(a->public_value, a->public_len), &key), -EINVAL);
	CU_ASSERT_EQUAL(
		kex_import(x25519, BYTES_OF(private_value), BYTES(b->public_value, b->public_len), &key), -EINVAL);
	CU_ASSERT_EQUAL(kex_import(x25519, BYTES_OF(private_value), BYTES(b->public_value, 31), &key), -EINVAL);
	CU_ASSERT_EQUAL(kex_import(x25519, BYTES_NONE, BYTES(b->public_value, 32), &key), -EINVAL);
	CU_ASSERT_EQUAL(kex_import(NULL, BYTES_OF(private_value), BYTES(b->public_value, 32), &key), -EINVAL);
	CU_ASSERT_PTR_NULL(key);
	crypto_job_free(a);
	crypto_job_free(b);
}

static void *agree_repeatedly(void *unused)
{
	static const uint16_t ids[] = { KE_CURVE25519, KE_ECP_256, KE_ECP_384 };

	for (int i = 0; i < 30; i++) {
		struct crypto_job *a = crypto_job_create(JOB_KEX_GENERATE, 0, group_row(ids[i % 3]));
		crypto_job_run(a);
		a->kind = JOB_KEX_DERIVE;
		memcpy(a->peer_public, a->public_value, a->public_len);
		a->peer_public_len = a->public_len;
		crypto_job_run(a);
		int result = a->result;
		crypto_job_free(a);
		if (result)
			return unused;
	}
	return NULL;
}

static void test_kex_jobs_run_on_several_threads(void)
{
	pthread_t threads[4];
	void *failed = NULL;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, agree_repeatedly, threads), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_kex_both_sides_agree_in_every_group),
		TEST(test_kex_refuses_wrong_lengths),
		TEST(test_modp_refuses_values_outside_the_range),
		TEST(test_ecp_refuses_points_off_the_curve),
		TEST(test_x25519_refuses_zero_result),
		TEST(test_x448_refuses_zero_result),
		TEST(test_kex_refuses_rows_that_are_no_group),
		TEST(test_kex_derive_without_key_is_refused),
		TEST(test_kex_job_may_run_again),
		TEST(test_kex_keeps_peers_apart),
		TEST(test_kex_import_refuses_values_that_are_no_pair),
		TEST(test_kex_jobs_run_on_several_threads),
	};

	return test_main("crypto_kex", tests, ARRAY_LEN(tests), argc, argv);
}
