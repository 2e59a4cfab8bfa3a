/* SPDX-License-Identifier: BSD-3-Clause */
/* SK payload protection: round trips of every suite, each field tampered with, each length refused. */
#include "crypto.h"

#include <errno.h>

#include "harness.h"

#define DATA_BYTES 48

static const uint8_t keys[128] = { 7, 1, 8, 2, 8 };

/* One sealed message of a suite, and room to break it. */
struct sealed {
	struct aead_params params;
	uint8_t encr_key[64], integ_key[64], iv[AEAD_IV_MAX], aad[28], data[DATA_BYTES], icv[AEAD_ICV_MAX];
	struct bytes iv_view, aad_view;
};

static void sealed_init(struct sealed *s, const struct alg *encr, const struct alg *integ)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->encr_key, keys, sizeof(s->encr_key));
	memset(s->integ_key, 0x33, sizeof(s->integ_key));
	memset(s->iv, 0x44, sizeof(s->iv));
	memset(s->aad, 0x55, sizeof(s->aad));
	for (size_t i = 0; i < DATA_BYTES; i++)
		s->data[i] = (uint8_t)i;
	s->params.encr = encr;
	s->params.integ = integ;
	s->params.encr_key = BYTES(s->encr_key, (size_t)encr->key_bytes + encr->salt_bytes);
	s->params.integ_key = integ ? BYTES(s->integ_key, integ->key_bytes) : BYTES_NONE;
	s->iv_view = BYTES(s->iv, encr->iv_bytes);
	s->aad_view = BYTES_OF(s->aad);
}

static int seal(struct crypto *c, struct sealed *s)
{
	return aead_seal(c, &s->params, s->iv_view, s->aad_view, s->data, DATA_BYTES, s->icv);
}

/* Opens a copy, so that the sealed message can be opened again. */
static int open_copy(struct crypto *c, const struct sealed *s, uint8_t *ret_data)
{
	memcpy(ret_data, s->data, DATA_BYTES);
	return aead_open(c, &s->params, s->iv_view, s->aad_view, ret_data, DATA_BYTES, s->icv);
}

/* Calls check with a sealed message of every suite of IKE that the table allows: AEADs alone, the others with each
 * integrity. */
static void each_suite(void (*check)(struct crypto *c, struct sealed *s))
{
	struct crypto *c = crypto_create();
	struct sealed s;
	int suites = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	for (const struct alg *encr = alg_next(NULL); encr; encr = alg_next(encr)) {
		for (const struct alg *integ = alg_next(NULL); encr->type == TRANSFORM_ENCR && integ;
			integ = alg_next(integ)) {
			/* an AEAD runs once: with the first row as a stand-in for "none" */
			bool aead = encr->flags & ALG_AEAD;
			if (!(encr->flags & integ->flags & ALG_IKE))
				continue;
			if (aead ? integ != alg_next(NULL) : integ->type != TRANSFORM_INTEG)
				continue;
			sealed_init(&s, encr, aead ? NULL : integ);
			CU_ASSERT_EQUAL(seal(c, &s), 0);
			check(c, &s);
			suites++;
		}
	}
	CU_ASSERT_EQUAL(suites, 9 + 9 + 1 + 7 * 5);
	crypto_free(c);
}

static void check_round_trip(struct crypto *c, struct sealed *s)
{
	uint8_t opened[DATA_BYTES], same = 0;

	for (size_t i = 0; i < DATA_BYTES; i++)
		same += s->data[i] == i;
	CU_ASSERT(same < 8);
	CU_ASSERT_EQUAL(open_copy(c, s, opened), 0);
	for (size_t i = 0; i < DATA_BYTES; i++)
		CU_ASSERT_EQUAL(opened[i], i);
}

static void test_aead_round_trip_of_every_suite(void)
{
	each_suite(check_round_trip);
}

/* Flips each bit of a field: the message must not open, and must open again when it is back. */
static void tamper(struct crypto *c, struct sealed *s, uint8_t *field, size_t len)
{
	uint8_t opened[DATA_BYTES];

	for (size_t bit = 0; bit < 8 * len; bit++) {
		field[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CU_ASSERT_EQUAL(open_copy(c, s, opened), -EBADMSG);
		field[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CU_ASSERT_EQUAL(open_copy(c, s, opened), 0);
}

static void check_tamper_data(struct crypto *c, struct sealed *s)
{
	tamper(c, s, s->data, DATA_BYTES);
}

static void check_tamper_icv(struct crypto *c, struct sealed *s)
{
	tamper(c, s, s->icv, aead_icv_bytes(&s->params));
}

static void check_tamper_aad(struct crypto *c, struct sealed *s)
{
	tamper(c, s, s->aad, s->aad_view.len);
}

static void check_tamper_iv(struct crypto *c, struct sealed *s)
{
	tamper(c, s, s->iv, s->iv_view.len);
}

static void check_tamper_key(struct crypto *c, struct sealed *s)
{
	if (s->params.integ)
		tamper(c, s, s->integ_key, s->params.integ_key.len);
	else
		tamper(c, s, s->encr_key, s->params.encr_key.len);
}

static void test_aead_refuses_changed_ciphertext(void)
{
	each_suite(check_tamper_data);
}

static void test_aead_refuses_changed_icv(void)
{
	each_suite(check_tamper_icv);
}

static void test_aead_refuses_changed_aad(void)
{
	each_suite(check_tamper_aad);
}

static void test_aead_refuses_changed_iv(void)
{
	each_suite(check_tamper_iv);
}

static void test_aead_refuses_another_key_or_salt(void)
{
	each_suite(check_tamper_key);
}

static void check_cut(struct crypto *c, struct sealed *s)
{
	uint8_t data[DATA_BYTES];
	size_t shorter = DATA_BYTES - s->params.encr->block_bytes;

	memcpy(data, s->data, sizeof(data));
	CU_ASSERT_EQUAL(aead_open(c, &s->params, s->iv_view, s->aad_view, data, shorter, s->icv), -EBADMSG);
	s->aad_view.len--;
	CU_ASSERT_EQUAL(open_copy(c, s, data), -EBADMSG);
}

static void test_aead_refuses_cut_messages(void)
{
	each_suite(check_cut);
}

/* AEADs decrypt before they can verify. */
static void check_no_plain_text(struct crypto *c, struct sealed *s)
{
	uint8_t opened[DATA_BYTES];
	static const uint8_t zero[DATA_BYTES];

	s->icv[0] ^= 1;
	CU_ASSERT_EQUAL(open_copy(c, s, opened), -EBADMSG);
	CU_ASSERT_EQUAL(memcmp(opened, s->params.integ ? s->data : zero, DATA_BYTES), 0);
}

static void test_aead_failure_leaves_no_plain_text(void)
{
	each_suite(check_no_plain_text);
}

static void check_lengths(struct crypto *c, struct sealed *s)
{
	uint8_t opened[DATA_BYTES];
	struct sealed broken;

	for (int which = 0; which < 6; which++) {
		broken = *s;
		struct bytes *b = which < 2 ? &broken.params.encr_key : &broken.iv_view;
		if (which >= 4 && s->params.integ)
			b = &broken.params.integ_key;
		b->len += which % 2 ? 1 : (size_t)-1;
		CU_ASSERT_EQUAL(open_copy(c, &broken, opened), -EINVAL);
		CU_ASSERT_EQUAL(seal(c, &broken), -EINVAL);
	}
	if (s->params.encr->block_bytes > 1) {
		CU_ASSERT_EQUAL(
			aead_seal(c, &s->params, s->iv_view, s->aad_view, s->data, DATA_BYTES - 1, s->icv), -EINVAL);
		CU_ASSERT_EQUAL(
			aead_open(c, &s->params, s->iv_view, s->aad_view, s->data, DATA_BYTES - 1, s->icv), -EINVAL);
	}
}

static void test_aead_refuses_wrong_lengths(void)
{
	each_suite(check_lengths);
}

static void test_aead_refuses_senseless_suites(void)
{
	struct crypto *c = crypto_create();
	const struct alg *gcm = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	const struct alg *cbc = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128);
	const struct alg *integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	const struct alg *prf = alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	struct alg unknown = *gcm;
	struct {
		const struct alg *encr, *integ;
	} suites[] = {
		{ gcm, integ },
		{ cbc, NULL },
		{ cbc, prf },
		{ integ, NULL },
		{ prf, integ },
		{ &unknown, NULL },
	};
	struct sealed s;

	unknown.id = 99;
	for (size_t i = 0; i < ARRAY_LEN(suites); i++) {
		sealed_init(&s, suites[i].encr, suites[i].integ);
		CU_ASSERT_EQUAL(seal(c, &s), -EINVAL);
		CU_ASSERT_EQUAL(aead_open(c, &s.params, s.iv_view, s.aad_view, s.data, DATA_BYTES, s.icv), -EINVAL);
	}
	crypto_free(c);
}

/* The table has algorithms that only the packet path knows: never a half of one here. */
static void test_aead_refuses_what_is_not_for_ike(void)
{
	struct crypto *c = crypto_create();
	const struct alg *cbc = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128);
	struct sealed s;
	int refused = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if ((a->flags & ALG_IKE) || (a->type != TRANSFORM_ENCR && a->type != TRANSFORM_INTEG))
			continue;
		bool encr = a->type == TRANSFORM_ENCR, alone = encr && (a->flags & ALG_AEAD);
		sealed_init(&s, encr ? a : cbc,
			alone  ? NULL
			: encr ? alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0)
			       : a);
		CU_ASSERT_EQUAL(seal(c, &s), -EINVAL);
		CU_ASSERT_EQUAL(aead_open(c, &s.params, s.iv_view, s.aad_view, s.data, DATA_BYTES, s.icv), -EINVAL);
		refused++;
	}
	CU_ASSERT_EQUAL(refused, 10 + 4);
	crypto_free(c);
}

static void check_icv_bytes(struct crypto *c, struct sealed *s)
{
	(void)c;
	CU_ASSERT_EQUAL(
		aead_icv_bytes(&s->params), s->params.integ ? s->params.integ->out_bytes : s->params.encr->out_bytes);
}

static void test_aead_icv_size_of_every_suite(void)
{
	each_suite(check_icv_bytes);
}

/* There is always a pad length (RFC 7296 3.14), and CCM in OpenSSL has no answer to nothing. */
static void check_empty(struct crypto *c, struct sealed *s)
{
	CU_ASSERT_EQUAL(aead_seal(c, &s->params, s->iv_view, s->aad_view, s->data, 0, s->icv), -EINVAL);
	CU_ASSERT_EQUAL(aead_open(c, &s->params, s->iv_view, s->aad_view, s->data, 0, s->icv), -EINVAL);
}

static void test_aead_refuses_empty_messages(void)
{
	each_suite(check_empty);
}

static void check_failure_then_success(struct crypto *c, struct sealed *s)
{
	uint8_t opened[DATA_BYTES];

	s->icv[1] ^= 4;
	CU_ASSERT_EQUAL(open_copy(c, s, opened), -EBADMSG);
	s->icv[1] ^= 4;
	CU_ASSERT_EQUAL(open_copy(c, s, opened), 0);
	memcpy(s->data, opened, DATA_BYTES);
	uint8_t before[AEAD_ICV_MAX];
	memcpy(before, s->icv, sizeof(before));
	CU_ASSERT_EQUAL(seal(c, s), 0);
	CU_ASSERT_EQUAL(memcmp(before, s->icv, aead_icv_bytes(&s->params)), 0);
}

static void test_aead_context_recovers_from_failure(void)
{
	each_suite(check_failure_then_success);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_aead_round_trip_of_every_suite),
		TEST(test_aead_refuses_changed_ciphertext),
		TEST(test_aead_refuses_changed_icv),
		TEST(test_aead_refuses_changed_aad),
		TEST(test_aead_refuses_changed_iv),
		TEST(test_aead_refuses_another_key_or_salt),
		TEST(test_aead_refuses_cut_messages),
		TEST(test_aead_failure_leaves_no_plain_text),
		TEST(test_aead_refuses_wrong_lengths),
		TEST(test_aead_refuses_senseless_suites),
		TEST(test_aead_refuses_what_is_not_for_ike),
		TEST(test_aead_icv_size_of_every_suite),
		TEST(test_aead_refuses_empty_messages),
		TEST(test_aead_context_recovers_from_failure),
	};

	return test_main("crypto_aead", tests, ARRAY_LEN(tests), argc, argv);
}
