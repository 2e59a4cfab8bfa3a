/* SPDX-License-Identifier: BSD-3-Clause */
/* Known answers for lib/crypto from the vector files of this folder; each file names its origin. */
#include "crypto.h"

#include <errno.h>
#include <stdlib.h>

#include "kat.h"
#include "harness.h"

#define OUT_MAX 8192

static struct crypto *crypto;

static const struct alg *alg_of(const struct kat_case *c, enum transform_type type, const char *key)
{
	const char *word = kat_text(c, key);
	const struct alg *a = word ? alg_lookup_keyword(type, word, strlen(word)) : NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	return a;
}

/* True when equal; says which case is not. */
static bool same(const struct kat_case *c, const char *key, const void *data)
{
	struct bytes expected = kat_bytes(c, key);
	bool equal = bytes_equal(expected, BYTES(data, expected.len));

	if (!equal)
		fprintf(stderr, "case %s: %s differs\n", kat_text(c, "case"), key);
	return equal;
}

/* Runs check over every case of a file that has `key`, and demands that there are `count` of them. */
static void each_case(const char *file, const char *key, size_t count, void (*check)(const struct kat_case *c))
{
	struct kat_file f = kat_load(file);
	size_t seen = 0;

	crypto = crypto_create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(crypto);
	for (size_t i = 0; i < f.count; i++)
		if (kat_has(&f.cases[i], key)) {
			check(&f.cases[i]);
			seen++;
		}
	CU_ASSERT_EQUAL(seen, count);
	crypto_free(crypto);
	kat_unload(&f);
}

static void check_hmac(const struct kat_case *c)
{
	uint8_t out[PRF_OUT_MAX];
	struct bytes data = kat_bytes(c, "data");
	/* in two parts: the split must not matter */
	struct bytes parts[] = { { data.data, data.len / 3 }, { data.data + data.len / 3, data.len - data.len / 3 } };

	CU_ASSERT_EQUAL(prf_compute(crypto, alg_of(c, TRANSFORM_PRF, "prf"), kat_bytes(c, "key"), parts, 2, out), 0);
	CU_ASSERT(same(c, "mac", out));
}

static void check_integ(const struct kat_case *c)
{
	const struct alg *prf = alg_prf_of_integ(alg_of(c, TRANSFORM_INTEG, "integ")->id);
	struct bytes data = kat_bytes(c, "data");
	uint8_t out[PRF_OUT_MAX];

	CU_ASSERT_EQUAL(prf_compute(crypto, prf, kat_bytes(c, "key"), &data, 1, out), 0);
	CU_ASSERT(same(c, "mac", out));
}

static void test_hmac_sha1_matches_rfc2202(void)
{
	each_case("hmac_sha1.txt", "mac", 4, check_integ);
}

static void test_cmac_matches_rfc4493(void)
{
	each_case("aes_cmac.txt", "mac", 3, check_integ);
}

static void test_cmac_prf_matches_rfc4615(void)
{
	each_case("aes_cmac_prf.txt", "mac", 3, check_hmac);
}

static void test_hmac_matches_rfc4231(void)
{
	each_case("hmac_sha2.txt", "mac", 21, check_hmac);
}

static void check_combined(const struct kat_case *c)
{
	uint8_t key[64], data[512], icv[AEAD_ICV_MAX];
	struct bytes k = kat_bytes(c, "key"), nonce = kat_bytes(c, "nonce"), plain = kat_bytes(c, "plain");
	struct writer w = writer_init(key, sizeof(key));
	const struct alg *encr = alg_of(c, TRANSFORM_ENCR, "encr");
	size_t salt = encr->salt_bytes;

	writer_bytes(&w, k);
	writer_bytes(&w, BYTES(nonce.data, salt));
	struct aead_params p = { .encr = encr, .encr_key = writer_view(&w) };
	struct bytes iv = BYTES(nonce.data + salt, nonce.len - salt), aad = kat_bytes(c, "aad");
	CU_ASSERT_FATAL(plain.len <= sizeof(data));
	memcpy(data, plain.data, plain.len);
	CU_ASSERT_EQUAL(aead_seal(crypto, &p, iv, aad, data, plain.len, icv), 0);
	CU_ASSERT(same(c, "cipher", data) && same(c, "tag", icv));
	CU_ASSERT_EQUAL(aead_open(crypto, &p, iv, aad, data, plain.len, kat_bytes(c, "tag").data), 0);
	CU_ASSERT(same(c, "plain", data));
}

/* Some cases have no text, which an SK payload always has. */
static void check_unless_empty(const struct kat_case *c)
{
	if (kat_bytes(c, "plain").len)
		check_combined(c);
}

static void test_gcm_matches_mcgrew_viega(void)
{
	each_case("aes_gcm.txt", "plain", 8, check_unless_empty);
}

static void test_ccm_matches_linux_and_strongswan(void)
{
	each_case("aes_ccm.txt", "tag", 33, check_unless_empty);
}

static void test_chacha20_poly1305_matches_rfc7634_and_rfc8439(void)
{
	each_case("chacha20_poly1305.txt", "tag", 3, check_combined);
}

/* CBC, CTR and 3DES with an integrity key of our own: the ciphertext is the file's, the ICV that of the PRF. */
static void check_classic(const struct kat_case *c)
{
	static const uint8_t integ_key[32] = "an integrity key of 32 octets..";
	uint8_t data[256], key[64], icv[AEAD_ICV_MAX], mac[PRF_OUT_MAX];
	struct writer w = writer_init(key, sizeof(key));
	struct bytes plain = kat_bytes(c, "plain"), aad = BYTES("header", 6);
	struct aead_params p = { .encr = alg_of(c, TRANSFORM_ENCR, "encr"),
		.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0),
		.integ_key = BYTES_OF(integ_key) };
	size_t salt = p.encr->salt_bytes;
	struct bytes nonce = kat_bytes(c, salt ? "nonce" : "iv"), iv = BYTES(nonce.data + salt, nonce.len - salt);

	writer_bytes(&w, kat_bytes(c, "key"));
	writer_bytes(&w, BYTES(nonce.data, salt));
	p.encr_key = writer_view(&w);
	memcpy(data, plain.data, plain.len);
	CU_ASSERT_EQUAL(aead_seal(crypto, &p, iv, aad, data, plain.len, icv), 0);
	CU_ASSERT(same(c, "cipher", data));
	struct bytes parts[] = { aad, iv, kat_bytes(c, "cipher") };
	CU_ASSERT_EQUAL(prf_compute(crypto, alg_prf_of_integ(p.integ->id), p.integ_key, parts, 3, mac), 0);
	CU_ASSERT_EQUAL(memcmp(mac, icv, p.integ->out_bytes), 0);
	CU_ASSERT_EQUAL(aead_open(crypto, &p, iv, aad, data, plain.len, icv), 0);
	CU_ASSERT(same(c, "plain", data));
}

static void test_cbc_matches_rfc3602_and_sp800_38a(void)
{
	each_case("aes_cbc.txt", "cipher", 6, check_classic);
}

static void test_ctr_matches_rfc3686(void)
{
	each_case("aes_ctr.txt", "cipher", 9, check_classic);
}

static void test_3des_matches_nist(void)
{
	each_case("des3_cbc.txt", "cipher", 20, check_classic);
}

static void derive_one(const struct kat_case *c, const char *mine_private, const char *mine_public, const char *peer)
{
	const struct alg *group = alg_of(c, TRANSFORM_KE, "group");
	struct crypto_job *job = crypto_job_create(JOB_KEX_DERIVE, 0, group);
	struct bytes value = kat_bytes(c, peer);

	CU_ASSERT_PTR_NOT_NULL_FATAL(job);
	CU_ASSERT_EQUAL_FATAL(kex_import(group, kat_bytes(c, mine_private), kat_bytes(c, mine_public), &job->key), 0);
	memcpy(job->peer_public, value.data, value.len);
	job->peer_public_len = value.len;
	crypto_job_run(job);
	CU_ASSERT_EQUAL(job->result, 0);
	CU_ASSERT_EQUAL_FATAL(job->shared.len, group->out_bytes);
	CU_ASSERT(same(c, "shared", job->shared.data));
	crypto_job_free(job);
}

static void check_exchange(const struct kat_case *c)
{
	derive_one(c, "private_i", "public_i", "public_r");
	derive_one(c, "private_r", "public_r", "public_i");
}

static void test_key_exchange_matches_rfc5903_and_rfc7748(void)
{
	each_case("key_exchange.txt", "shared", 5, check_exchange);
}

static void test_key_exchange_of_the_other_groups(void)
{
	each_case("key_exchange_groups.txt", "shared", 13, check_exchange);
}

/* p is refused as a peer's value and p - 2 is not: the group's prime is the one of the file. */
static void check_prime(const struct kat_case *c)
{
	const struct alg *group = alg_of(c, TRANSFORM_KE, "group");
	struct crypto_job *generate = crypto_job_create(JOB_KEX_GENERATE, 0, group);
	struct crypto_job *derive = crypto_job_create(JOB_KEX_DERIVE, 0, group);
	struct bytes prime = kat_bytes(c, "prime");

	crypto_job_run(generate);
	CU_ASSERT_EQUAL_FATAL(generate->result, 0);
	derive->key = generate->key;
	generate->key = NULL;
	for (int below = 0; below <= 2; below++) {
		memcpy(derive->peer_public, prime.data, prime.len);
		derive->peer_public_len = prime.len;
		/* the prime ends in ff: no borrow */
		derive->peer_public[prime.len - 1] = (uint8_t)(derive->peer_public[prime.len - 1] - below);
		crypto_job_run(derive);
		CU_ASSERT_EQUAL(derive->result == 0, below == 2);
	}
	crypto_job_free(generate);
	crypto_job_free(derive);
}

static void test_modp_primes_are_those_of_rfc3526_and_rfc2409(void)
{
	each_case("modp_primes.txt", "prime", 7, check_prime);
}

static void check_low_order(const struct kat_case *c)
{
	const struct alg *group = alg_of(c, TRANSFORM_KE, "group");
	struct crypto_job *job = crypto_job_create(JOB_KEX_GENERATE, 0, group);
	struct bytes value = kat_bytes(c, "public");

	crypto_job_run(job);
	CU_ASSERT_EQUAL_FATAL(job->result, 0);
	job->kind = JOB_KEX_DERIVE;
	memcpy(job->peer_public, value.data, value.len);
	job->peer_public_len = value.len;
	crypto_job_run(job);
	CU_ASSERT_EQUAL(job->result, -EINVAL);
	CU_ASSERT_PTR_NULL(job->shared.data);
	crypto_job_free(job);
}

static void test_x25519_low_order_points_are_refused(void)
{
	each_case("x25519_low_order.txt", "public", 7, check_low_order);
}

static struct bytes concat(struct writer *w, const struct kat_case *c, const char *const *keys)
{
	w->len = 0;
	for (; *keys; keys++)
		writer_bytes(w, kat_bytes(c, *keys));
	CU_ASSERT_FALSE(w->failed);
	return writer_view(w);
}

static bool prf_plus_is(
	const struct kat_case *c, const struct alg *prf, struct bytes key, struct bytes seed, const char *name)
{
	static uint8_t out[OUT_MAX];
	struct bytes expected = kat_bytes(c, name);

	return prf_plus(crypto, prf, key, seed, out, expected.len) == 0 && same(c, name, out);
}

/* SKEYSEED, the IKE SA's key material, and when the case has them a Child SA's and a rekeying's. */
static void check_kdf(const struct kat_case *c)
{
	static uint8_t buffer[OUT_MAX];
	struct writer w = writer_init(buffer, sizeof(buffer));
	const struct alg *prf = alg_of(c, TRANSFORM_PRF, "prf");
	uint8_t out[PRF_OUT_MAX];
	struct bytes gir = kat_bytes(c, "gir");
	size_t most = prf_nonce_bytes(prf);

	for (int i = 0; i < 2; i++) {
		struct bytes nonce = kat_bytes(c, i ? "nr" : "ni");
		writer_bytes(&w, BYTES(nonce.data, nonce.len < most ? nonce.len : most));
	}
	CU_ASSERT_EQUAL(prf_compute(crypto, prf, writer_view(&w), &gir, 1, out), 0);
	CU_ASSERT(same(c, "skeyseed", out));
	struct bytes seed = concat(&w, c, (const char *const[]){ "ni", "nr", "spii", "spir", NULL });
	CU_ASSERT(prf_plus_is(c, prf, BYTES(out, prf->out_bytes), seed, "dkm"));
	struct bytes sk_d = BYTES(kat_bytes(c, "dkm").data, prf->key_bytes);
	if (!kat_has(c, "gir_new"))
		return;
	seed = concat(&w, c, (const char *const[]){ "ni", "nr", NULL });
	CU_ASSERT(prf_plus_is(c, prf, sk_d, seed, "dkm_child"));
	seed = concat(&w, c, (const char *const[]){ "gir_new", "ni", "nr", NULL });
	CU_ASSERT(prf_plus_is(c, prf, sk_d, seed, "dkm_child_dh"));
	CU_ASSERT_EQUAL(prf_compute(crypto, prf, sk_d, &seed, 1, out), 0);
	CU_ASSERT(same(c, "skeyseed_rekey", out));
}

static void test_ikev2_kdf_matches_nist(void)
{
	each_case("ikev2_kdf_nist.txt", "skeyseed", 2, check_kdf);
}

static void test_ikev2_kdf_matches_independent_computation(void)
{
	each_case("ikev2_kdf.txt", "skeyseed", 25, check_kdf);
}

static void check_prf_plus(const struct kat_case *c)
{
	static uint8_t out[255 * PRF_OUT_MAX + 1];
	const struct alg *prf = alg_of(c, TRANSFORM_PRF, "prf");
	size_t len = strtoul(kat_text(c, "length"), NULL, 10);
	struct bytes view = BYTES(out, len);
	uint8_t digest[20];

	memset(out, 0xa5, sizeof(out));
	CU_ASSERT_EQUAL(prf_plus(crypto, prf, kat_bytes(c, "key"), kat_bytes(c, "seed"), out, len), 0);
	CU_ASSERT_EQUAL(out[len], 0xa5);
	if (kat_has(c, "output")) {
		CU_ASSERT(same(c, "output", out));
		return;
	}
	CU_ASSERT_EQUAL(hash_sha1(crypto, &view, 1, digest), 0);
	CU_ASSERT(same(c, "output_sha1", digest));
}

static void test_prf_plus_matches_independent_computation(void)
{
	each_case("ikev2_kdf.txt", "seed", 45, check_prf_plus);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_hmac_matches_rfc4231),
		TEST(test_hmac_sha1_matches_rfc2202),
		TEST(test_cmac_matches_rfc4493),
		TEST(test_cmac_prf_matches_rfc4615),
		TEST(test_gcm_matches_mcgrew_viega),
		TEST(test_ccm_matches_linux_and_strongswan),
		TEST(test_chacha20_poly1305_matches_rfc7634_and_rfc8439),
		TEST(test_cbc_matches_rfc3602_and_sp800_38a),
		TEST(test_ctr_matches_rfc3686),
		TEST(test_3des_matches_nist),
		TEST(test_key_exchange_of_the_other_groups),
		TEST(test_key_exchange_matches_rfc5903_and_rfc7748),
		TEST(test_modp_primes_are_those_of_rfc3526_and_rfc2409),
		TEST(test_x25519_low_order_points_are_refused),
		TEST(test_ikev2_kdf_matches_nist),
		TEST(test_ikev2_kdf_matches_independent_computation),
		TEST(test_prf_plus_matches_independent_computation),
	};

	return test_main("kat_crypto", tests, ARRAY_LEN(tests), argc, argv);
}
