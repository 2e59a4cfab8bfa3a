/* SPDX-License-Identifier: BSD-3-Clause */
/* Known ESP packets through lib/ipsec, both ways and with both engines, from the vector file of this folder. */
#include "engine.h"
#include "harness.h"
#include "kat.h"
#include "rig.h"

static struct sa *sa_of(struct ipsec *ips, const struct kat_case *c, enum sa_direction direction)
{
	const struct rig_options o = { .local = "0.0.0.0/0", .remote = "0.0.0.0/0" };
	const char *word = kat_text(c, "encr"), *reason = NULL;
	struct bytes key = kat_bytes(c, "key"), salt = kat_bytes(c, "salt");
	struct sa_spec spec;
	uint8_t both[36];
	struct sa *sa;

	rig_spec(&o, direction, &spec);
	spec.encr = alg_lookup_keyword(TRANSFORM_ENCR, word, strlen(word));
	CU_ASSERT_PTR_NOT_NULL_FATAL(spec.encr);
	CU_ASSERT_FATAL(key.len + salt.len <= sizeof(both));
	memcpy(both, key.data, key.len);
	memcpy(both + key.len, salt.data, salt.len);
	secret_done(&spec.encr_key);
	secret_copy(&spec.encr_key, BYTES(both, key.len + salt.len));
	spec.spi = load_be32(kat_bytes(c, "spi").data);
	sa = sa_create(ips, &spec, direction == SA_OUT ? rig_path(&spec) : NULL, &reason);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	sa_spec_done(&spec);
	return sa;
}

/* What the packet is behind its outer header. */
static bool packet_ends_with(const struct rte_mbuf *m, uint16_t skip, struct bytes expected)
{
	return bytes_equal(expected, BYTES(rte_pktmbuf_mtod_offset(m, uint8_t *, skip), m->data_len - skip));
}

static void check_case(struct ipsec *ips, struct ipsec_worker *w, const struct kat_case *c)
{
	struct bytes inner = kat_bytes(c, "inner"), esp = kat_bytes(c, "esp");
	struct sa *out = sa_of(ips, c, SA_OUT), *in = sa_of(ips, c, SA_IN);
	struct burst_item item = { .m = rig_mbuf(inner.data, (uint16_t)inner.len), .sa = out };

	/* the vector's IV is the first that this SA uses */
	out->iv_base = load_be64(kat_bytes(c, "iv").data) - 1;
	CU_ASSERT_EQUAL(burst_out(w, &item, 1), 1);
	CU_ASSERT_TRUE(packet_ends_with(item.m, 20, esp));
	/* the vector itself, not what came out above */
	memcpy(rte_pktmbuf_mtod_offset(item.m, uint8_t *, 20), esp.data, esp.len);
	item.sa = in;
	CU_ASSERT_EQUAL(burst_in(w, &item, 1), 1);
	CU_ASSERT_TRUE(packet_ends_with(item.m, 0, inner));
	rte_pktmbuf_free(item.m);
	sa_free(out);
	sa_free(in);
}

static void check_file(const struct crypto_engine *engine)
{
	struct kat_file f = kat_load("esp_gcm.txt");
	struct ipsec *ips = rig_ipsec(1, 256, 1);
	struct ipsec_worker *w;

	CU_ASSERT_EQUAL_FATAL(ipsec_engine_set(ips, engine), 0);
	w = ipsec_worker_create(ips, 0);
	CU_ASSERT_EQUAL(f.count, 2);
	for (size_t i = 0; i < f.count; i++)
		check_case(ips, w, &f.cases[i]);
	ipsec_worker_free(w);
	ipsec_free(ips);
	kat_unload(&f);
}

static void test_kat_esp_gcm(void)
{
	check_file(crypto_imb());
}

static void test_kat_esp_gcm_reference_engine(void)
{
	check_file(crypto_ref());
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { TEST(test_kat_esp_gcm), TEST(test_kat_esp_gcm_reference_engine) };

	rig_eal();
	return test_main("kat_esp", tests, ARRAY_LEN(tests), argc, argv);
}
