/* SPDX-License-Identifier: BSD-3-Clause */
/* The fast engine against the reference engine: random packets of every length, for every combination in the algorithm
 * table. Each engine seals what the other opens, in memory that ends at an unmapped page on one side, amid bytes that
 * must not change. SALLYPORT_LONG=1: all lengths; SALLYPORT_SEED: a run again. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto_priv.h"
#include "engine.h"
#include "harness.h"
#include "ipsec_priv.h"
#include "rig.h"

#define LEN_MAX     2000
#define BURST       64
#define KEYS        4
#define COMBOS_MAX  128
#define BEFORE_MAX  24 /* SPI, sequence number, IV */
#define TAIL_BYTES  4
#define KEY_MAX     72
#define PAGE        4096u
#define CANARY      0xc5
#define FAULTS_SAID 10

struct side {
	struct ipsec *ips;
	struct ipsec_worker *w;
};

/* One key in both engines, both directions. */
struct keyed {
	const struct crypto_suite *fast, *reference;
	void *fast_seal, *fast_open, *reference_seal, *reference_open;
};

struct combo {
	const struct alg *encr, *integ;
	struct keyed keys[KEYS];
};

/* One packet. Its bytes are `before`, text, and room for tail or ICV; offsets into them. */
struct trial {
	const struct combo *combo;
	const struct keyed *key;
	struct crypto_op op; /* no pointers yet */
	uint32_t icv_at, bytes, spare;
	uint8_t plain[BEFORE_MAX + LEN_MAX + ICV_BYTES_MAX];
	uint8_t sealed[BEFORE_MAX + LEN_MAX + ICV_BYTES_MAX]; /* by the reference */
	bool flip;
};

static struct side fast, reference;
static struct combo combos[COMBOS_MAX];
static unsigned esp_count, combo_count;
static struct trial trials[BURST];
static uint8_t *arena; /* pages, each between two unmapped ones: BURST for packets, BURST for ICVs */
static unsigned faults;
static unsigned long packets, seed;
static bool thorough;

static void fault(const struct trial *t, const char *what)
{
	if (faults++ < FAULTS_SAID)
		fprintf(stderr, "%s/%s, %u bytes, before %u, tail %u: %s\n",
			t->combo->encr ? t->combo->encr->name : "AH", t->combo->integ ? t->combo->integ->name : "-",
			(unsigned)t->op.len, t->op.before, t->op.tail, what);
}

/* ---- random numbers that a seed brings back ---- */

static uint64_t random_state;

/* xorshift64* */
static uint32_t draw(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static void draw_bytes(uint8_t *ret_bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret_bytes[i] = (uint8_t)draw(256);
}

/* ---- keys ---- */

/* A context ends at an unmapped page, and once freed cannot be touched. */
static void *context_create(struct side *s, const struct crypto_suite *suite, const struct crypto_keys *keys)
{
	size_t bytes = RTE_ALIGN_CEIL(suite->context_bytes, RTE_CACHE_LINE_SIZE);
	uint8_t *pages = (uint8_t *)mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *context = pages + PAGE - bytes;

	CU_ASSERT_FATAL(pages != MAP_FAILED && bytes <= PAGE);
	CU_ASSERT_FATAL(!mprotect(pages, PAGE, PROT_READ | PROT_WRITE));
	CU_ASSERT_EQUAL_FATAL(suite->key_init(s->w->manager, keys, context), 0);
	return context;
}

static void context_free(const struct crypto_suite *suite, void *context)
{
	if (suite->key_done)
		suite->key_done(context);
	munmap((void *)((uintptr_t)context & ~(uintptr_t)(PAGE - 1)), 2 * PAGE);
}

static void keyed_init(struct keyed *k, const struct alg *encr, const struct alg *integ)
{
	uint8_t encr_key[KEY_MAX], integ_key[KEY_MAX];
	struct crypto_keys keys = { encr, integ, encr_key, integ_key, true };

	k->fast = fast.ips->engine->suite_lookup(encr, integ);
	k->reference = reference.ips->engine->suite_lookup(encr, integ);
	CU_ASSERT_FATAL(k->fast && k->reference);
	draw_bytes(encr_key, sizeof(encr_key));
	draw_bytes(integ_key, sizeof(integ_key));
	k->fast_seal = context_create(&fast, k->fast, &keys);
	k->reference_seal = context_create(&reference, k->reference, &keys);
	keys.seal = false;
	k->fast_open = context_create(&fast, k->fast, &keys);
	k->reference_open = context_create(&reference, k->reference, &keys);
	memset(encr_key, 0, sizeof(encr_key));
	memset(integ_key, 0, sizeof(integ_key));
}

static void keyed_done(struct keyed *k)
{
	context_free(k->fast, k->fast_seal);
	context_free(k->fast, k->fast_open);
	context_free(k->reference, k->reference_seal);
	context_free(k->reference, k->reference_open);
}

static void combo_add(const struct alg *encr, const struct alg *integ)
{
	struct combo *c = &combos[combo_count++];

	CU_ASSERT_FATAL(combo_count < COMBOS_MAX);
	*c = (struct combo){ .encr = encr, .integ = integ };
	for (int i = 0; i < KEYS; i++)
		keyed_init(&c->keys[i], encr, integ);
}

/* Each integrity algorithm with any of these flags. */
static void combos_of(const struct alg *encr, uint16_t flag)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a))
		if (a->type == TRANSFORM_INTEG && (a->flags & flag))
			combo_add(encr, a);
}

/* All there is: ESP first, then AH. */
static void combos_build(void)
{
	combo_count = 0;
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		if (a->type != TRANSFORM_ENCR || !(a->flags & ALG_ESP))
			continue;
		if (a->flags & ALG_AEAD)
			combo_add(a, NULL);
		else
			combos_of(a, ALG_ESP);
	}
	esp_count = combo_count;
	combos_of(NULL, ALG_AH);
}

/* ---- one packet ---- */

static bool is_gmac(const struct combo *c)
{
	return c->encr && c->encr->id == ENCR_NULL_AUTH_AES_GMAC;
}

static bool is_aead(const struct combo *c)
{
	return c->encr && (c->encr->flags & ALG_AEAD);
}

static uint32_t len_step(const struct combo *c)
{
	return c->encr ? c->encr->block_bytes : 1;
}

/* The ICV of AH is a field of the packet; that of ESP is behind it. */
static uint32_t icv_place(const struct trial *t)
{
	const struct crypto_op *op = &t->op;

	if (!t->combo->encr && op->len > op->icv_bytes)
		return draw(op->len - op->icv_bytes);
	return op->before + op->len;
}

static void trial_draw(struct trial *t, const struct combo *c, uint32_t len)
{
	const struct alg *tag = is_aead(c) ? c->encr : c->integ;
	bool esn = draw(2);

	*t = (struct trial){ .combo = c, .key = &c->keys[draw(KEYS)] };
	t->op.len = len;
	t->op.icv_bytes = (uint8_t)tag->out_bytes;
	if (is_aead(c))
		t->op.aad_bytes = esn ? 12 : 8;
	else
		t->op.tail = esn ? TAIL_BYTES : 0;
	if (c->encr && !is_aead(c))
		t->op.before = 8 + c->encr->iv_bytes;
	if (is_gmac(c))
		t->op.before = c->encr->iv_bytes;
	draw_bytes(t->op.nonce, sizeof(t->op.nonce));
	draw_bytes(t->op.aad, sizeof(t->op.aad));
	t->icv_at = icv_place(t);
	t->bytes = RTE_MAX(t->op.before + len + t->op.tail, t->icv_at + t->op.icv_bytes);
	/* what crypto_priv.h allows, where it is made use of */
	t->spare = c->integ && c->integ->id == INTEG_AES_CMAC_96 ? CRYPTO_SPARE_BYTES : 0;
	draw_bytes(t->plain, t->bytes);
}

/* The operation on bytes that stand at `at`. */
static struct crypto_op trial_op(const struct trial *t, const void *key, uint8_t *at, uint8_t *icv)
{
	struct crypto_op op = t->op;

	op.key = key;
	op.text = at + op.before;
	op.icv = icv ? icv : at + t->icv_at;
	return op;
}

/* What goes into opening: as sealed, with the end of the sequence number where it was. */
static void sealed_copy(const struct trial *t, uint8_t *ret_bytes)
{
	uint32_t end = t->op.before + t->op.len;

	memcpy(ret_bytes, t->combo->encr ? t->sealed : t->plain, end);
	memcpy(ret_bytes + end, t->plain + end, t->op.tail);
}

static bool text_is(const struct trial *t, const uint8_t *at, const uint8_t *expected)
{
	return !memcmp(at, expected, t->op.before + t->op.len);
}

/* Seals and opens again: the reference has to agree with itself, too. */
static void reference_run(struct trial *t)
{
	uint8_t again[sizeof(t->plain)], icv[ICV_BYTES_MAX];
	struct crypto_op op;

	memcpy(t->sealed, t->plain, t->bytes);
	op = trial_op(t, t->key->reference_seal, t->sealed, NULL);
	t->key->reference->seal(reference.w, &op, 1);
	sealed_copy(t, again);
	op = trial_op(t, t->key->reference_open, again, icv);
	t->key->reference->open(reference.w, &op, 1);
	if (!text_is(t, again, t->plain) || memcmp(icv, t->sealed + t->icv_at, t->op.icv_bytes))
		fault(t, "the reference does not open what it sealed");
}

/* ---- guarded memory ---- */

static uint8_t *arena_page(unsigned n)
{
	return arena + (2 * n + 1) * PAGE;
}

static void arena_init(void)
{
	size_t bytes = (4 * BURST + 1) * PAGE;

	arena = (uint8_t *)mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(arena != MAP_FAILED);
	for (unsigned n = 0; n < 2 * BURST; n++)
		CU_ASSERT_FATAL(!mprotect(arena_page(n), PAGE, PROT_READ | PROT_WRITE));
}

/* Room for bytes in a fresh page: at its beginning, at its end or, for any alignment, between. spare: how much behind
 * them may be read. */
static uint8_t *room_take(unsigned page, uint32_t bytes, uint32_t spare)
{
	uint8_t *at = arena_page(page);

	memset(at, CANARY, PAGE);
	switch (draw(3)) {
	case 0: return at;
	case 1: return at + PAGE - bytes - spare;
	default: return at + draw(PAGE - bytes - spare);
	}
}

static bool canary_alive(unsigned page, const uint8_t *room, uint32_t bytes)
{
	const uint8_t *p = arena_page(page), *end = p + PAGE;

	for (; p < end; p++)
		if (*p != CANARY && (p < room || p >= room + bytes))
			return false;
	return true;
}

/* ---- a burst ---- */

static void burst_done(struct crypto_op *ops, unsigned n, uint16_t failed)
{
	for (unsigned i = 0; i < n; i++)
		if (failed || !ops[i].key)
			fault(&trials[i], "an operation failed");
}

static void burst_seal(unsigned n)
{
	struct crypto_op ops[BURST];
	uint8_t *at[BURST];

	for (unsigned i = 0; i < n; i++) {
		at[i] = room_take(i, trials[i].bytes, trials[i].spare);
		memcpy(at[i], trials[i].plain, trials[i].bytes);
		ops[i] = trial_op(&trials[i], trials[i].key->fast_seal, at[i], NULL);
	}
	burst_done(ops, n, trials[0].key->fast->seal(fast.w, ops, (uint16_t)n));
	for (unsigned i = 0; i < n; i++) {
		if (memcmp(at[i], trials[i].sealed, trials[i].bytes))
			fault(&trials[i], "sealed differently");
		if (!canary_alive(i, at[i], trials[i].bytes))
			fault(&trials[i], "sealing wrote elsewhere");
	}
}

/* One bit of what is authenticated. */
static void flip_bit(const struct trial *t, struct crypto_op *op)
{
	uint8_t *field = op->text - op->before;
	uint32_t bytes = op->before + op->len + op->tail;

	if (is_aead(t->combo) && (!bytes || draw(4) == 0)) {
		field = op->aad;
		bytes = op->aad_bytes;
	} else if (is_aead(t->combo) && draw(4) == 0) {
		field = op->nonce;
		bytes = t->combo->encr->salt_bytes + 8;
	}
	field[draw(bytes)] ^= (uint8_t)(1 << draw(8));
}

static void open_check(const struct trial *t, const uint8_t *at, const uint8_t *icv)
{
	bool same_icv = !memcmp(icv, t->sealed + t->icv_at, t->op.icv_bytes);

	if (t->flip && same_icv)
		fault(t, "a flipped bit did not change the ICV");
	if (!t->flip && !same_icv)
		fault(t, "opened with another ICV");
	if (!t->flip && !text_is(t, at, t->plain))
		fault(t, "opened to another text");
}

static void burst_open(unsigned n)
{
	struct crypto_op ops[BURST];
	uint8_t *at[BURST], *icv[BURST];

	for (unsigned i = 0; i < n; i++) {
		struct trial *t = &trials[i];
		at[i] = room_take(i, t->bytes, t->spare);
		icv[i] = room_take(BURST + i, t->op.icv_bytes, 0);
		sealed_copy(t, at[i]);
		ops[i] = trial_op(t, t->key->fast_open, at[i], icv[i]);
		t->flip = draw(4) == 0;
		if (t->flip)
			flip_bit(t, &ops[i]);
	}
	burst_done(ops, n, trials[0].key->fast->open(fast.w, ops, (uint16_t)n));
	for (unsigned i = 0; i < n; i++) {
		const struct trial *t = &trials[i];
		open_check(t, at[i], icv[i]);
		if (!canary_alive(i, at[i], t->op.before + t->op.len + t->op.tail) ||
			!canary_alive(BURST + i, icv[i], t->op.icv_bytes))
			fault(t, "opening wrote elsewhere");
	}
}

static void burst_run(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		reference_run(&trials[i]);
	burst_seal(n);
	burst_open(n);
	packets += n;
}

/* ---- the tests ---- */

static void side_open(struct side *s, const struct crypto_engine *engine)
{
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

static void begin(void)
{
	faults = 0;
	packets = 0;
	random_state = seed * 2 + 1;
	printf("# seed %lu\n", seed);
	fflush(stdout);
	side_open(&fast, crypto_imb());
	side_open(&reference, crypto_ref());
	arena_init();
	combos_build();
}

static void end(void)
{
	for (unsigned i = 0; i < combo_count; i++)
		for (int k = 0; k < KEYS; k++)
			keyed_done(&combos[i].keys[k]);
	munmap(arena, (4 * BURST + 1) * PAGE);
	side_close(&fast);
	side_close(&reference);
	printf("# %lu packets\n", packets);
	CU_ASSERT_EQUAL(faults, 0);
}

/* Each length, or a random sample with all short ones in it; in bursts of any size. */
static void combo_run(const struct combo *c)
{
	uint32_t step = len_step(c), len = is_aead(c) ? 0 : step;
	unsigned n = 0, wanted = 1 + draw(BURST);

	while (len <= LEN_MAX) {
		trial_draw(&trials[n++], c, len);
		len += thorough || len < 80 ? step : step * (1 + draw(32 / step));
		if (n < wanted && len <= LEN_MAX)
			continue;
		burst_run(n);
		n = 0;
		wanted = 1 + draw(BURST);
	}
}

static void test_xval_every_esp_combination(void)
{
	begin();
	for (unsigned i = 0; i < esp_count; i++)
		combo_run(&combos[i]);
	printf("# %u ESP combinations\n", esp_count);
	end();
}

static void test_xval_every_ah_algorithm(void)
{
	begin();
	for (unsigned i = esp_count; i < combo_count; i++)
		combo_run(&combos[i]);
	printf("# %u AH algorithms\n", combo_count - esp_count);
	end();
}

/* Any packets that the fast engine would take in one burst. */
static void mixed_burst(void)
{
	const struct combo *first = &combos[draw(combo_count)];
	unsigned n = 1 + draw(BURST);

	for (unsigned i = 0; i < n;) {
		const struct combo *c = i ? &combos[draw(combo_count)] : first;
		uint32_t step = len_step(c);
		if (c->keys[0].fast->seal != first->keys[0].fast->seal ||
			c->keys[0].fast->open != first->keys[0].fast->open)
			continue;
		trial_draw(&trials[i++], c, step * (1 + draw(LEN_MAX / step)));
	}
	burst_run(n);
}

static void test_xval_mixed_algorithms_in_a_burst(void)
{
	begin();
	for (int i = 0; i < (thorough ? 5000 : 500); i++)
		mixed_burst();
	end();
}

/* Lanes keep pointers to what was in them last. */
static void test_xval_a_freed_key_is_not_touched(void)
{
	begin();
	for (unsigned i = 0; i < combo_count; i++) {
		struct combo *c = &combos[i];
		struct keyed fresh[KEYS];
		for (unsigned n = 0; n < BURST; n++)
			trial_draw(&trials[n], c, len_step(c) * (1 + draw(LEN_MAX / len_step(c))));
		burst_run(BURST);
		/* made before the old ones go, so that they are elsewhere */
		for (int k = 0; k < KEYS; k++)
			keyed_init(&fresh[k], c->encr, c->integ);
		for (int k = 0; k < KEYS; k++)
			keyed_done(&c->keys[k]);
		memcpy(c->keys, fresh, sizeof(fresh));
		for (unsigned n = 0; n < 3; n++)
			trial_draw(&trials[n], c, len_step(c) * (1 + draw(LEN_MAX / len_step(c))));
		burst_run(1);
		burst_run(3);
	}
	end();
}

/* An operation that the library would not take fails alone, and the caller learns which. */
static void check_bad_length(const struct combo *c, uint32_t len)
{
	struct crypto_op ops[5];
	uint8_t *at[5];

	for (unsigned i = 0; i < 5; i++) {
		trial_draw(&trials[i], c, 64);
		at[i] = room_take(i, trials[i].bytes, trials[i].spare);
		memcpy(at[i], trials[i].plain, trials[i].bytes);
		ops[i] = trial_op(&trials[i], trials[i].key->fast_seal, at[i], NULL);
	}
	ops[2].len = len;
	CU_ASSERT_EQUAL(trials[0].key->fast->seal(fast.w, ops, 5), 1);
	for (unsigned i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(ops[i].key == NULL, i == 2);
	CU_ASSERT(text_is(&trials[2], at[2], trials[2].plain));
	/* nor does it trip when it is alone, and the next burst is a good one */
	ops[2] = trial_op(&trials[2], trials[2].key->fast_seal, at[2], NULL);
	ops[2].len = len;
	CU_ASSERT_EQUAL(trials[2].key->fast->seal(fast.w, &ops[2], 1), 1);
	CU_ASSERT_PTR_NULL(ops[2].key);
}

static void test_a_length_that_does_not_fit_fails_alone(void)
{
	begin();
	for (unsigned i = 0; i < combo_count; i++) {
		const struct combo *c = &combos[i];
		if (is_aead(c) || (c->integ->flags & ALG_COUNTER))
			continue; /* direct calls */
		check_bad_length(c, 0);
		check_bad_length(c, UINT32_MAX);
		check_bad_length(c, 65536);
		if (len_step(c) > 1)
			check_bad_length(c, 64 + len_step(c) / 2);
	}
	mixed_burst();
	end();
}

static int block_compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* No block twice, not even in another manager, and every byte of them takes many values. */
static void test_random_bytes_are_random_and_never_repeat(void)
{
	enum { CALLS = 64, CALL = 4096, BLOCKS = 2 * CALLS * CALL / 16 };
	uint8_t *bytes = (uint8_t *)malloc(2 * CALLS * CALL);
	unsigned twice = 0, seen[16][256] = { 0 };
	struct side sides[2];

	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	for (int s = 0; s < 2; s++) {
		side_open(&sides[s], crypto_imb());
		for (int i = 0; i < CALLS; i++)
			CU_ASSERT_EQUAL(
				crypto_imb()->random_fill(sides[s].w->manager, bytes + (s * CALLS + i) * CALL, CALL),
				0);
		side_close(&sides[s]);
	}
	for (int i = 0; i < BLOCKS * 16; i++)
		seen[i % 16][bytes[i]]++;
	qsort(bytes, BLOCKS, 16, block_compare);
	for (int i = 1; i < BLOCKS; i++)
		twice += !memcmp(bytes + 16 * i, bytes + 16 * (i - 1), 16);
	CU_ASSERT_EQUAL(twice, 0);
	/* 128 of each expected, deviation 11 */
	for (int i = 0; i < 16 * 256; i++)
		CU_ASSERT(seen[i / 256][i % 256] > 50 && seen[i / 256][i % 256] < 220);
	free(bytes);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_xval_every_esp_combination),
		TEST(test_xval_every_ah_algorithm),
		TEST(test_xval_mixed_algorithms_in_a_burst),
		TEST(test_xval_a_freed_key_is_not_touched),
		TEST(test_a_length_that_does_not_fit_fails_alone),
		TEST(test_random_bytes_are_random_and_never_repeat),
	};
	const char *again = getenv("SALLYPORT_SEED"), *all = getenv("SALLYPORT_LONG");

	seed = again ? strtoul(again, NULL, 10) : (unsigned long)(rte_rdtsc() & 0xffffffff);
	thorough = all && !strcmp(all, "1");
	rig_eal();
	return test_main("ipsec_crypto_xval", tests, ARRAY_LEN(tests), argc, argv);
}
