/* SPDX-License-Identifier: BSD-3-Clause */
/* Known answers for the crypto engines of lib/ipsec, below any packet format, from the vector files of this folder;
 * each file names its origin. Every case goes through both engines, both ways. */
#include <stdlib.h>

#include "crypto_priv.h"
#include "engine.h"
#include "harness.h"
#include "ipsec_priv.h"
#include "kat.h"
#include "rig.h"

#define TEXT_MAX 2048
#define TAIL     4

struct side {
	const struct crypto_engine *engine;
	struct ipsec *ips;
	struct ipsec_worker *w;
};

typedef void check(struct side *s, const struct kat_case *c);

static void side_open(struct side *s, const struct crypto_engine *engine)
{
	s->engine = engine;
	s->ips = rig_ipsec(1, 256, 1);
	CU_ASSERT_EQUAL_FATAL(ipsec_engine_set(s->ips, engine), 0);
	s->w = ipsec_worker_create(s->ips, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->w);
}

static void side_close(struct side *s)
{
	ipsec_worker_free(s->w);
	ipsec_free(s->ips);
}

static bool never(const struct kat_case *c)
{
	(void)c;
	return false;
}

/* Every case that has `key` and is not `left_out`, through both engines; there must be `count` of them. */
static void cases_run(
	const char *file, const char *key, size_t count, bool (*left_out)(const struct kat_case *c), check *f)
{
	const struct crypto_engine *engines[] = { crypto_imb(), crypto_ref() };
	struct kat_file k = kat_load(file);
	size_t seen = 0;

	for (size_t e = 0; e < ARRAY_LEN(engines); e++) {
		struct side s;
		side_open(&s, engines[e]);
		for (size_t i = 0; i < k.count; i++)
			if (kat_has(&k.cases[i], key) && !left_out(&k.cases[i])) {
				f(&s, &k.cases[i]);
				seen++;
			}
		side_close(&s);
	}
	CU_ASSERT_EQUAL(seen, count * ARRAY_LEN(engines));
	kat_unload(&k);
}

static const struct alg *alg_of(enum transform_type type, const char *word)
{
	const struct alg *a = alg_lookup_keyword(type, word, strlen(word));

	CU_ASSERT_PTR_NOT_NULL_FATAL(a);
	return a;
}

/* True when equal as far as `data` goes; says which case is not. */
static bool same(const struct kat_case *c, const char *key, const uint8_t *data, size_t len)
{
	struct bytes expected = kat_bytes(c, key);
	bool equal = bytes_equal(BYTES(expected.data, len < expected.len ? len : expected.len),
		BYTES(data, len < expected.len ? len : expected.len));

	if (!equal)
		fprintf(stderr, "case %s: %s differs\n", kat_text(c, "case"), key);
	return equal;
}

/* One operation under a key that lives as long as it. */
static void op_run(struct side *s, const struct crypto_keys *keys, struct crypto_op *op)
{
	const struct crypto_suite *suite = s->engine->suite_lookup(keys->encr, keys->integ);
	void *context;

	CU_ASSERT_PTR_NOT_NULL_FATAL(suite);
	context = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(suite->context_bytes, RTE_CACHE_LINE_SIZE));
	CU_ASSERT_PTR_NOT_NULL_FATAL(context);
	memset(context, 0, suite->context_bytes);
	CU_ASSERT_EQUAL_FATAL(suite->key_init(s->w->manager, keys, context), 0);
	op->key = context;
	CU_ASSERT_EQUAL((keys->seal ? suite->seal : suite->open)(s->w, op, 1), 0);
	if (suite->key_done)
		suite->key_done(context);
	free(context);
}

/* ---- AEADs ---- */

static void aead_run(struct side *s, const struct kat_case *c, const struct alg *encr)
{
	struct crypto_keys keys = { .encr = encr, .encr_key = kat_bytes(c, "key").data, .seal = true };
	struct bytes plain = kat_bytes(c, "plain"), nonce = kat_bytes(c, "nonce"), aad = kat_bytes(c, "aad");
	uint8_t text[TEXT_MAX], icv[ICV_BYTES_MAX];
	struct crypto_op op = { .text = text,
		.icv = icv,
		.len = (uint32_t)plain.len,
		.aad_bytes = (uint8_t)aad.len,
		.icv_bytes = (uint8_t)encr->out_bytes };

	CU_ASSERT_EQUAL_FATAL(kat_bytes(c, "key").len, encr->key_bytes);
	memcpy(op.nonce, nonce.data, nonce.len);
	memcpy(op.aad, aad.data, aad.len);
	memcpy(text, plain.data, plain.len);
	op_run(s, &keys, &op);
	CU_ASSERT(same(c, "cipher", text, plain.len) && same(c, "tag", icv, op.icv_bytes));
	memset(icv, 0, sizeof(icv));
	keys.seal = false;
	op_run(s, &keys, &op);
	CU_ASSERT(same(c, "plain", text, plain.len) && same(c, "tag", icv, op.icv_bytes));
}

static void check_aead(struct side *s, const struct kat_case *c)
{
	aead_run(s, c, alg_of(TRANSFORM_ENCR, kat_text(c, "encr")));
}

/* The same vectors under the algorithm without IV on the wire. */
static void check_implicit_iv(struct side *s, const struct kat_case *c)
{
	char word[64];

	snprintf(word, sizeof(word), "%siiv", kat_text(c, "encr"));
	aead_run(s, c, alg_of(TRANSFORM_ENCR, word));
}

/* Only some ICV lengths have such an algorithm. */
static bool no_implicit_iv(const struct kat_case *c)
{
	char word[64];

	snprintf(word, sizeof(word), "%siiv", kat_text(c, "encr"));
	return !alg_lookup_keyword(TRANSFORM_ENCR, word, strlen(word));
}

/* Longer than any that ESP has, and than an operation can take. */
static bool long_aad(const struct kat_case *c)
{
	return kat_bytes(c, "aad").len > sizeof(((struct crypto_op *)NULL)->aad);
}

static void test_kat_gcm_specification(void)
{
	cases_run("aes_gcm.txt", "tag", 6, long_aad, check_aead);
}

static void test_kat_rfc4106_aes_gcm(void)
{
	cases_run("aes_gcm_esp.txt", "tag", 77, never, check_aead);
}

static void test_kat_rfc4309_aes_ccm(void)
{
	cases_run("aes_ccm.txt", "tag", 33, never, check_aead);
}

static void test_kat_rfc7634_rfc8439_chacha20_poly1305(void)
{
	cases_run("chacha20_poly1305.txt", "tag", 3, never, check_aead);
}

static void test_kat_rfc8750_implicit_iv(void)
{
	cases_run("aes_gcm_esp.txt", "tag", 41, no_implicit_iv, check_implicit_iv);
	cases_run("aes_ccm.txt", "tag", 6, no_implicit_iv, check_implicit_iv);
	cases_run("chacha20_poly1305.txt", "tag", 3, no_implicit_iv, check_implicit_iv);
}

/* ---- GMAC ---- */

static void gmac_run(struct side *s, const struct kat_case *c, struct crypto_keys *keys, struct crypto_op *op)
{
	uint8_t icv[ICV_BYTES_MAX];

	memcpy(op->nonce, kat_bytes(c, "nonce").data, kat_bytes(c, "nonce").len);
	op->icv = icv;
	op->icv_bytes = 16;
	for (int seal = 0; seal < 2; seal++) {
		memset(icv, 0, sizeof(icv));
		keys->seal = seal;
		op_run(s, keys, op);
		CU_ASSERT(same(c, "tag", icv, op->icv_bytes));
	}
}

static void check_gmac_esp(struct side *s, const struct kat_case *c)
{
	struct crypto_keys keys = { .encr = alg_of(TRANSFORM_ENCR, kat_text(c, "encr")),
		.encr_key = kat_bytes(c, "key").data };
	struct bytes aad = kat_bytes(c, "aad"), iv = kat_bytes(c, "iv"), data = kat_bytes(c, "data");
	uint8_t packet[TEXT_MAX];
	struct crypto_op op = { .text = packet + iv.len,
		.len = (uint32_t)data.len,
		.before = (uint8_t)iv.len,
		.aad_bytes = (uint8_t)aad.len };

	memcpy(op.aad, aad.data, aad.len);
	memcpy(packet, iv.data, iv.len);
	memcpy(packet + iv.len, data.data, data.len);
	gmac_run(s, c, &keys, &op);
	CU_ASSERT(same(c, "data", op.text, data.len));
}

static void check_gmac_ah(struct side *s, const struct kat_case *c)
{
	struct crypto_keys keys = { .integ = alg_of(TRANSFORM_INTEG, kat_text(c, "integ")),
		.integ_key = kat_bytes(c, "key").data };
	struct bytes data = kat_bytes(c, "data");
	uint8_t packet[TEXT_MAX];
	struct crypto_op op = { .text = packet, .len = (uint32_t)data.len };

	memcpy(packet, data.data, data.len);
	gmac_run(s, c, &keys, &op);
	op.len -= TAIL;
	op.tail = TAIL;
	gmac_run(s, c, &keys, &op);
}

static void test_kat_rfc4543_aes_gmac_in_esp(void)
{
	cases_run("aes_gmac.txt", "encr", 16, never, check_gmac_esp);
}

static void test_kat_rfc4543_aes_gmac_in_ah(void)
{
	cases_run("aes_gmac.txt", "integ", 12, never, check_gmac_ah);
}

/* ---- ciphers ---- */

static void check_cipher(struct side *s, const struct kat_case *c)
{
	static const uint8_t integ_key[32] = "an integrity key of 32 octets..";
	struct crypto_keys keys = { .encr = alg_of(TRANSFORM_ENCR, kat_text(c, "encr")),
		.integ = alg_of(TRANSFORM_INTEG, "sha256"),
		.encr_key = kat_bytes(c, "key").data,
		.integ_key = integ_key,
		.seal = true };
	struct bytes plain = kat_bytes(c, "plain"), iv = kat_bytes(c, kat_has(c, "iv") ? "iv" : "nonce");
	uint8_t text[TEXT_MAX], icv[ICV_BYTES_MAX];
	struct crypto_op op = { .text = text, .icv = icv, .len = (uint32_t)plain.len, .icv_bytes = 16 };

	memcpy(op.nonce, iv.data, iv.len);
	memcpy(text, plain.data, plain.len);
	op_run(s, &keys, &op);
	CU_ASSERT(same(c, "cipher", text, plain.len));
	keys.seal = false;
	op_run(s, &keys, &op);
	CU_ASSERT(same(c, "plain", text, plain.len));
}

static void test_kat_rfc3602_aes_cbc(void)
{
	cases_run("aes_cbc.txt", "cipher", 6, never, check_cipher);
}

static void test_kat_rfc3686_aes_ctr(void)
{
	cases_run("aes_ctr.txt", "cipher", 9, never, check_cipher);
}

static void test_kat_rfc2451_3des_cbc(void)
{
	cases_run("des3_cbc.txt", "cipher", 20, never, check_cipher);
}

/* ---- integrity ---- */

/* hmac_sha2.txt is shared with IKE and names the PRF: "prfsha256" is "sha256" as an integrity algorithm. */
static const struct alg *integ_of(const struct kat_case *c)
{
	return alg_of(TRANSFORM_INTEG, kat_has(c, "integ") ? kat_text(c, "integ") : kat_text(c, "prf") + strlen("prf"));
}

static bool long_key(const struct kat_case *c)
{
	return kat_bytes(c, "key").len > integ_of(c)->key_bytes;
}

/* As AH does, and as ESP without encryption does; a short HMAC key is filled up with zeros (RFC 2104 2). */
static void mac_run(struct side *s, const struct kat_case *c, const struct alg *encr, uint8_t before, uint8_t tail)
{
	uint8_t key[64] = { 0 }, text[TEXT_MAX], icv[ICV_BYTES_MAX] = { 0 };
	struct crypto_keys keys = { .encr = encr, .integ = integ_of(c), .integ_key = key };
	struct bytes data = kat_bytes(c, "data");
	struct crypto_op op = { .text = text + before,
		.icv = icv,
		.len = (uint32_t)data.len - before - tail,
		.before = before,
		.tail = tail,
		.icv_bytes = (uint8_t)keys.integ->out_bytes };

	memcpy(key, kat_bytes(c, "key").data, kat_bytes(c, "key").len);
	memcpy(text, data.data, data.len);
	op_run(s, &keys, &op);
	CU_ASSERT(same(c, "mac", icv, op.icv_bytes) && same(c, "data", text, data.len));
}

static void check_mac(struct side *s, const struct kat_case *c)
{
	size_t len = kat_bytes(c, "data").len;

	mac_run(s, c, NULL, 0, 0);
	if (len > TAIL)
		mac_run(s, c, NULL, 0, TAIL);
	if (len > 8 + TAIL)
		mac_run(s, c, alg_of(TRANSFORM_ENCR, "null"), 8, TAIL);
}

static void test_kat_rfc2202_hmac_sha1(void)
{
	cases_run("hmac_sha1.txt", "mac", 4, never, check_mac);
}

static void test_kat_rfc4231_hmac_sha2(void)
{
	cases_run("hmac_sha2.txt", "mac", 15, long_key, check_mac);
}

static void test_kat_rfc4868_hmac_sha2(void)
{
	cases_run("hmac_sha2_4868.txt", "mac", 9, never, check_mac);
}

static void test_kat_rfc3566_aes_xcbc(void)
{
	cases_run("aes_xcbc.txt", "mac", 6, never, check_mac);
}

static void test_kat_rfc4493_aes_cmac(void)
{
	cases_run("aes_cmac.txt", "mac", 3, never, check_mac);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_kat_gcm_specification),
		TEST(test_kat_rfc4106_aes_gcm),
		TEST(test_kat_rfc4309_aes_ccm),
		TEST(test_kat_rfc7634_rfc8439_chacha20_poly1305),
		TEST(test_kat_rfc8750_implicit_iv),
		TEST(test_kat_rfc4543_aes_gmac_in_esp),
		TEST(test_kat_rfc4543_aes_gmac_in_ah),
		TEST(test_kat_rfc3602_aes_cbc),
		TEST(test_kat_rfc3686_aes_ctr),
		TEST(test_kat_rfc2451_3des_cbc),
		TEST(test_kat_rfc2202_hmac_sha1),
		TEST(test_kat_rfc4231_hmac_sha2),
		TEST(test_kat_rfc4868_hmac_sha2),
		TEST(test_kat_rfc3566_aes_xcbc),
		TEST(test_kat_rfc4493_aes_cmac),
	};

	rig_eal();
	return test_main("kat_ipsec_crypto", tests, ARRAY_LEN(tests), argc, argv);
}
