/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine asks memory for ahead of the crypto is what the library reads: with every other line of a key
 * spoiled, packets are sealed as before. Which lines these are differs with the CPU. */
#include <stdlib.h>

#include "crypto_priv.h"
#include "harness.h"
#include "ipsec_priv.h"
#include "rig.h"

#define LINE    RTE_CACHE_LINE_SIZE
#define LEN_MAX 1600

static struct ipsec *ips;
static struct ipsec_worker *worker;

/* An AES-GCM key, and room for a spoiled copy. */
struct keyed {
	const struct crypto_suite *suite;
	size_t bytes;
	uint8_t *key, *spoiled;
};

static void keyed_open(struct keyed *k, uint16_t key_bits)
{
	const struct alg *encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, key_bits);
	const uint8_t secret[36] = { 1, 2, 3 };
	const struct crypto_keys keys = { .encr = encr, .encr_key = secret, .seal = true };

	k->suite = ips->engine->suite_lookup(encr, NULL);
	k->bytes = RTE_ALIGN_CEIL(k->suite->context_bytes, LINE);
	k->key = (uint8_t *)aligned_alloc(LINE, k->bytes);
	k->spoiled = (uint8_t *)aligned_alloc(LINE, k->bytes);
	CU_ASSERT_FATAL(k->key && k->spoiled);
	memset(k->key, 0, k->bytes);
	CU_ASSERT_EQUAL_FATAL(k->suite->key_init(worker->manager, &keys, k->key), 0);
}

static void keyed_close(struct keyed *k)
{
	free(k->key);
	free(k->spoiled);
}

/* True: a text of so many bytes is sealed by the spoiled key as by the right one. */
static bool same(const struct keyed *k, uint32_t len)
{
	uint8_t texts[2][LEN_MAX + 32];

	for (int i = 0; i < 2; i++) {
		struct crypto_op op = { .key = i ? k->spoiled : k->key,
			.text = texts[i],
			.icv = texts[i] + len,
			.len = len,
			.aad_bytes = 8,
			.icv_bytes = 16 };
		memset(texts[i], 0x5a, len);
		CU_ASSERT_EQUAL(k->suite->seal(worker, &op, 1), 0);
	}
	return !memcmp(texts[0], texts[1], len + 16);
}

static void line_keep(const struct keyed *k, size_t at)
{
	CU_ASSERT_FATAL(at % LINE == 0 && at + LINE <= k->bytes);
	memcpy(k->spoiled + at, k->key + at, LINE);
}

static void test_lines_are_all_that_is_read(void)
{
	static const uint16_t key_bits[] = { 128, 192, 256 };
	struct keyed k;

	/* padded to words */
	for (size_t bits = 0; bits < ARRAY_LEN(key_bits); bits++) {
		keyed_open(&k, key_bits[bits]);
		for (uint32_t len = 24; len <= LEN_MAX; len += 4) {
			memset(k.spoiled, 0xa5, k.bytes);
			for (uint32_t i = 0; i < crypto_lines_needed(len, worker->key_line_count); i++)
				line_keep(&k, worker->key_lines[i]);
			if (key_bits[bits] > 128)
				line_keep(&k, (size_t)CRYPTO_ROUND_LINES * LINE);
			if (!same(&k, len))
				fprintf(stderr, "a text of %u bytes reads another line\n", len);
			CU_ASSERT(same(&k, len));
		}
		keyed_close(&k);
	}
}

/* Nothing is fetched in vain for the shortest packets. */
static void test_lines_of_every_packet_are_read(void)
{
	struct keyed k;

	keyed_open(&k, 128);
	for (uint32_t i = 0; i <= CRYPTO_ROUND_LINES; i++) {
		memcpy(k.spoiled, k.key, k.bytes);
		memset(k.spoiled + worker->key_lines[i], 0xa5, LINE);
		CU_ASSERT_FALSE(same(&k, 44));
	}
	keyed_close(&k);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_lines_are_all_that_is_read),
		TEST(test_lines_of_every_packet_are_read),
	};
	int rc;

	rig_eal();
	ips = rig_ipsec(1, 64, 64);
	worker = ipsec_worker_create(ips, 0);
	rc = test_main("ipsec_key_lines", tests, ARRAY_LEN(tests), argc, argv);
	ipsec_worker_free(worker);
	ipsec_free(ips);
	return rc;
}
