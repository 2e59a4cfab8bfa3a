/* SPDX-License-Identifier: BSD-3-Clause */
/* SA specifications: one good one, and each way to spoil it refused with its own reason. */
#include "spec.h"

#include <errno.h>

#include "base.h"
#include "harness.h"

static struct sa_spec good_spec(void)
{
	struct sa_spec s = {
		.name = "net", .mode = SA_MODE_TUNNEL, .protocol = PROTOCOL_ESP, .spi = 0x1000, .esn = true
	};

	s.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 256);
	CU_ASSERT_EQUAL_FATAL(secret_init(&s.encr_key, 36), 0);
	s.path.local.addr = addr_from_ipv4(0xc0000201);
	s.path.remote.addr = addr_from_ipv4(0xc0000202);
	s.local.count = s.remote.count = 1;
	CU_ASSERT_EQUAL(selector_parse("10.1.0.0/16", &s.local.items[0]), 0);
	CU_ASSERT_EQUAL(selector_parse("10.2.0.0/16", &s.remote.items[0]), 0);
	return s;
}

/* Ends the spec. */
static void expect(struct sa_spec *s, const char *reason)
{
	const char *said = "nothing";

	CU_ASSERT_EQUAL(sa_spec_check(s, &said), reason ? -EINVAL : 0);
	if (!reason)
		CU_ASSERT_PTR_NULL(said);
	if (reason) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(said);
		CU_ASSERT_STRING_EQUAL(said, reason);
	}
	sa_spec_done(s);
}

static void test_spec_accepts_sensible(void)
{
	struct sa_spec s = good_spec();

	expect(&s, NULL);
	s = good_spec();
	s.direction = SA_OUT;
	s.path.encap = SA_ENCAP_UDP;
	s.initial_sequence = UINT64_MAX;
	expect(&s, NULL);
	s = good_spec();
	s.spi = 256;
	s.path.local.addr = s.path.remote.addr = addr_from_bytes(ADDR_IPV6, (const uint8_t[16]){ 0x20, [15] = 1 });
	expect(&s, NULL);
}

static void test_spec_refuses_wrong_kind(void)
{
	struct sa_spec s = good_spec();

	s.protocol = PROTOCOL_AH;
	expect(&s, "only ESP is supported");
	s = good_spec();
	s.mode = SA_MODE_TRANSPORT;
	expect(&s, "only tunnel mode is supported");
	s = good_spec();
	s.spi = 255;
	expect(&s, "SPIs below 256 are reserved");
	s = good_spec();
	s.esn = false;
	s.initial_sequence = (uint64_t)UINT32_MAX + 1;
	expect(&s, "initial sequence needs ESN");
}

static void test_spec_refuses_wrong_algorithms(void)
{
	static const char not_esp[] = "encryption algorithm not usable with ESP";
	struct sa_spec s = good_spec();

	s.encr = NULL;
	expect(&s, not_esp);
	s = good_spec();
	s.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 256);
	expect(&s, not_esp);
	s = good_spec();
	s.encr = alg_lookup(TRANSFORM_KE, KE_CURVE25519, 0);
	expect(&s, not_esp);
	s = good_spec();
	s.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	expect(&s, "an AEAD takes no integrity algorithm");
	s = good_spec();
	s.integ = alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	expect(&s, "integrity algorithm is none");
}

/* A suite of the next releases, to reach the rules of classic encryption. */
static void test_spec_refuses_classic_without_integrity(void)
{
	struct alg cbc = *alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 128);
	struct sa_spec s = good_spec();

	cbc.flags |= ALG_ESP;
	s.encr = &cbc;
	s.encr_key.len = 16;
	expect(&s, "no integrity algorithm");
	s = good_spec();
	s.encr = &cbc;
	s.encr_key.len = 16;
	s.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	expect(&s, "integrity key has the wrong length");
	s = good_spec();
	s.encr = &cbc;
	s.encr_key.len = 16;
	s.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	CU_ASSERT_EQUAL(secret_init(&s.integ_key, 32), 0);
	expect(&s, NULL);
}

static void test_spec_refuses_wrong_key_lengths(void)
{
	static const size_t lengths[] = { 0, 16, 20, 32, 35 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct sa_spec s = good_spec();
		s.encr_key.len = lengths[i];
		expect(&s, "encryption key has the wrong length");
	}
	/* GCM-256's key for GCM-128: the bug that turned a suite into another (vyos) */
	struct sa_spec s = good_spec();
	s.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	expect(&s, "encryption key has the wrong length");
}

static void test_spec_refuses_wrong_addresses(void)
{
	struct sa_spec s = good_spec();

	s.path.remote.addr = (struct addr){ 0 };
	expect(&s, "outer address missing");
	s = good_spec();
	s.path.local.addr = addr_from_ipv4(0);
	expect(&s, "outer address missing");
	s = good_spec();
	s.path.local.addr = addr_from_bytes(ADDR_IPV6, (const uint8_t[16]){ 0x20, [15] = 1 });
	expect(&s, "outer addresses are not of one family");
}

static void test_spec_refuses_wrong_selectors(void)
{
	struct sa_spec s = good_spec();

	s.local.count = 0;
	expect(&s, "no traffic selectors");
	s = good_spec();
	s.remote.count = 0;
	expect(&s, "no traffic selectors");
	s = good_spec();
	s.remote.count = SELECTORS_MAX + 1;
	expect(&s, "no traffic selectors");
	s = good_spec();
	s.local.items[0].low = addr_from_ipv4(0xffffffff);
	expect(&s, "a traffic selector is not a range");
	s = good_spec();
	s.remote.items[0].port_low = 80;
	s.remote.items[0].port_high = 79;
	expect(&s, "a traffic selector is not a range");
}

static void test_spec_done_leaves_nothing(void)
{
	struct sa_spec s = good_spec();
	static const struct sa_spec zero;

	sa_spec_done(&s);
	CU_ASSERT_EQUAL(memcmp(&s, &zero, sizeof(s)), 0);
	sa_spec_done(&s);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_spec_accepts_sensible),
		TEST(test_spec_refuses_wrong_kind),
		TEST(test_spec_refuses_wrong_algorithms),
		TEST(test_spec_refuses_classic_without_integrity),
		TEST(test_spec_refuses_wrong_key_lengths),
		TEST(test_spec_refuses_wrong_addresses),
		TEST(test_spec_refuses_wrong_selectors),
		TEST(test_spec_done_leaves_nothing),
	};

	return test_main("model_spec", tests, ARRAY_LEN(tests), argc, argv);
}
