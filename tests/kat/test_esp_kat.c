/* SPDX-License-Identifier: BSD-3-Clause */
/* Known ESP and AH packets through lib/ipsec, both ways and with both engines, from the vector files of this folder. */
#include "engine.h"
#include "harness.h"
#include "ipsec_priv.h"
#include "kat.h"
#include "rig.h"

/* An engine's tables and their worker. */
struct bench {
	struct ipsec *ips;
	struct ipsec_worker *worker;
};

static struct bench bench_open(const struct crypto_engine *engine)
{
	struct bench b = { .ips = rig_ipsec(1, 256, 1) };

	CU_ASSERT_EQUAL_FATAL(ipsec_engine_set(b.ips, engine), 0);
	b.worker = ipsec_worker_create(b.ips, 0);
	return b;
}

static void bench_close(struct bench *b)
{
	ipsec_worker_free(b->worker);
	ipsec_free(b->ips);
}

static const struct alg *alg_of(const struct kat_case *c, const char *field, enum transform_type type)
{
	const char *word = kat_text(c, field);
	const struct alg *a = word ? alg_lookup_keyword(type, word, strlen(word)) : NULL;

	CU_ASSERT_FATAL(!word || a);
	return a;
}

/* Key of the case, then its salt. */
static void key_set(const struct kat_case *c, const char *field, const struct alg *a, struct secret *ret_key)
{
	uint8_t both[96];
	size_t len = 0;

	secret_done(ret_key);
	if (!a || !a->key_bytes)
		return;
	struct bytes key = kat_bytes(c, field);
	CU_ASSERT_FATAL(key.len + 8 <= sizeof(both));
	memcpy(both, key.data, len = key.len);
	if (a->salt_bytes) {
		struct bytes salt = kat_bytes(c, "salt");
		memcpy(both + len, salt.data, salt.len);
		len += salt.len;
	}
	secret_copy(ret_key, BYTES(both, len));
}

static uint64_t sequence_of(const struct kat_case *c)
{
	return kat_has(c, "sequence") ? load_be64(kat_bytes(c, "sequence").data) : 1;
}

static void ends_set(const char *family_bytes, struct sa_spec *spec, enum sa_direction direction)
{
	struct endpoint left = { .addr = addr_from_bytes(ADDR_IPV4, (const uint8_t *)family_bytes + 12) };
	struct endpoint right = { .addr = addr_from_bytes(ADDR_IPV4, (const uint8_t *)family_bytes + 16) };

	spec->path.local = direction == SA_OUT ? left : right;
	spec->path.remote = direction == SA_OUT ? right : left;
}

static struct sa *sa_of(
	struct bench *b, const struct kat_case *c, const struct rig_options *o, enum sa_direction direction)
{
	const char *reason = NULL;
	struct sa_spec spec;
	struct sa *sa;

	rig_spec(o, direction, &spec);
	key_set(c, "key", spec.encr, &spec.encr_key);
	key_set(c, "integ_key", spec.integ, &spec.integ_key);
	spec.initial_sequence = sequence_of(c) - 1;
	if (spec.protocol == PROTOCOL_AH)
		ends_set((const char *)kat_bytes(c, "packet").data, &spec, direction);
	sa = sa_create(b->ips, &spec, direction == SA_OUT ? rig_path(&spec) : NULL, &reason);
	if (!sa)
		printf("# %s: %s\n", kat_text(c, "case"), reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	sa_spec_done(&spec);
	/* some vectors use reserved numbers, which no SA of ours would get */
	sa->spi = load_be32(kat_bytes(c, "spi").data);
	return sa;
}

/* The vector's IV is the next that this SA uses: counted, or out of the worker's pool. */
static void iv_arrange(struct bench *b, struct sa *sa, const struct kat_case *c)
{
	struct bytes iv = kat_has(c, "iv") ? kat_bytes(c, "iv") : BYTES_NONE;

	/* NULL has an empty one */
	if (iv.len < sizeof(uint64_t))
		return;
	sa->iv_base = load_be64(iv.data) - sequence_of(c);
	memcpy(b->worker->iv_pool, iv.data, iv.len);
	b->worker->iv_left = (uint16_t)iv.len;
}

/* What the packet is behind its outer header. */
static bool packet_ends_with(const struct rte_mbuf *m, uint16_t skip, struct bytes expected)
{
	return m->data_len >= skip &&
	       bytes_equal(expected, BYTES(rte_pktmbuf_mtod_offset(m, uint8_t *, skip), m->data_len - skip));
}

static void esp_case(struct bench *b, const struct kat_case *c)
{
	struct bytes inner = kat_bytes(c, "inner"), esp = kat_bytes(c, "esp");
	bool inner6 = inner.data[0] >> 4 == 6;
	const struct rig_options o = {
		.encr = alg_of(c, "encr", TRANSFORM_ENCR),
		.integ = alg_of(c, "integ", TRANSFORM_INTEG),
		.local = inner6 ? "::/0" : "0.0.0.0/0",
		.remote = inner6 ? "::/0" : "0.0.0.0/0",
	};
	struct sa *out = sa_of(b, c, &o, SA_OUT), *in = sa_of(b, c, &o, SA_IN);
	struct burst_item item = { .m = rig_mbuf(inner.data, (uint16_t)inner.len), .sa = out };

	iv_arrange(b, out, c);
	CU_ASSERT_EQUAL(burst_out(b->worker, &item, 1), 1);
	CU_ASSERT_TRUE(packet_ends_with(item.m, 20, esp));
	/* the vector itself, not what came out above */
	memcpy(rte_pktmbuf_mtod_offset(item.m, uint8_t *, 20), esp.data, esp.len);
	item.sa = in;
	CU_ASSERT_EQUAL(burst_in(b->worker, &item, 1), 1);
	CU_ASSERT_TRUE(packet_ends_with(item.m, 0, inner));
	rte_pktmbuf_free(item.m);
	sa_free(out);
	sa_free(in);
}

/* TTL and header checksum of the vectors are not what a gateway sends; AH does not cover them. */
static bool same_but_ttl(const struct rte_mbuf *m, struct bytes expected)
{
	return packet_ends_with(m, 12, BYTES(expected.data + 12, expected.len - 12)) &&
	       !memcmp(rte_pktmbuf_mtod(m, void *), expected.data, 8);
}

static void ah_case(struct bench *b, const struct kat_case *c)
{
	struct bytes plain = kat_bytes(c, "plain"), packet = kat_bytes(c, "packet");
	const struct rig_options o = {
		.integ = alg_of(c, "integ", TRANSFORM_INTEG),
		.transport = !strcmp(kat_text(c, "mode"), "transport"),
		.local = "0.0.0.0/0",
		.remote = "0.0.0.0/0",
	};
	struct sa *out = sa_of(b, c, &o, SA_OUT), *in = sa_of(b, c, &o, SA_IN);
	struct burst_item item = { .m = rig_mbuf(plain.data, (uint16_t)plain.len), .sa = out };
	uint16_t id;

	/* a tunnel's packet identification begins where the IVs do; AH covers it */
	memcpy(&id, packet.data + 4, sizeof(id));
	out->iv_base = id - (sequence_of(c) - 1);
	iv_arrange(b, out, c);
	CU_ASSERT_EQUAL(burst_out(b->worker, &item, 1), 1);
	CU_ASSERT_TRUE(same_but_ttl(item.m, packet));
	rte_pktmbuf_free(item.m);
	item = (struct burst_item){ .m = rig_mbuf(packet.data, (uint16_t)packet.len), .sa = in };
	CU_ASSERT_EQUAL(burst_in(b->worker, &item, 1), 1);
	CU_ASSERT_TRUE(packet_ends_with(item.m, 0, plain));
	rte_pktmbuf_free(item.m);
	sa_free(out);
	sa_free(in);
}

static void check_file(const char *name, size_t count, void (*check)(struct bench *b, const struct kat_case *c))
{
	struct kat_file f = kat_load(name);

	CU_ASSERT_EQUAL(f.count, count);
	for (int reference = 0; reference < 2; reference++) {
		struct bench b = bench_open(reference ? crypto_ref() : crypto_imb());
		for (size_t i = 0; i < f.count; i++)
			check(&b, &f.cases[i]);
		bench_close(&b);
	}
	kat_unload(&f);
}

static void test_kat_esp_gcm(void)
{
	check_file("esp_gcm.txt", 2, esp_case);
}

static void test_kat_esp_packets(void)
{
	check_file("esp_packets.txt", 13, esp_case);
}

static void test_kat_ah_packets(void)
{
	check_file("ah_packets.txt", 3, ah_case);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { TEST(test_kat_esp_gcm), TEST(test_kat_esp_packets),
		TEST(test_kat_ah_packets) };

	rig_eal();
	return test_main("kat_esp", tests, ARRAY_LEN(tests), argc, argv);
}
