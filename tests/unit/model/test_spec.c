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

static void set_key(struct secret *key, size_t len)
{
	secret_done(key);
	CU_ASSERT_EQUAL_FATAL(secret_init(key, len), 0);
	for (size_t i = 0; i < len; i++)
		key->data[i] = (uint8_t)(2 * i);
}

static struct sa_spec classic_spec(uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	struct sa_spec s = good_spec();

	s.encr = alg_lookup(TRANSFORM_ENCR, encr, key_bits);
	s.integ = alg_lookup(TRANSFORM_INTEG, integ, 0);
	CU_ASSERT_FATAL(s.encr && s.integ);
	set_key(&s.encr_key, (size_t)s.encr->key_bytes + s.encr->salt_bytes);
	set_key(&s.integ_key, (size_t)s.integ->key_bytes + s.integ->salt_bytes);
	return s;
}

static struct sa_spec ah_spec(uint16_t integ)
{
	struct sa_spec s = classic_spec(ENCR_NULL, 0, integ);

	s.protocol = PROTOCOL_AH;
	s.encr = NULL;
	secret_done(&s.encr_key);
	return s;
}

static struct sa_spec transport_spec(void)
{
	struct sa_spec s = good_spec();

	s.mode = SA_MODE_TRANSPORT;
	CU_ASSERT_EQUAL(selector_parse("192.0.2.1", &s.local.items[0]), 0);
	CU_ASSERT_EQUAL(selector_parse("192.0.2.2", &s.remote.items[0]), 0);
	return s;
}

static struct addr v6(void)
{
	return addr_from_bytes(ADDR_IPV6, (const uint8_t[16]){ 0x20, [15] = 1 });
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
	s.tfc_bytes = TFC_TO_MTU;
	expect(&s, NULL);
	s = good_spec();
	s.spi = 256;
	s.path.local.addr = s.path.remote.addr = v6();
	s.path.header = (struct header_rules){
		.dscp_set = true, .dscp = 63, .ecn_clear = true, .df = DF_CLEAR, .ttl = 255, .flow_label = 0xfffff
	};
	expect(&s, NULL);
}

static void test_spec_accepts_transport_mode(void)
{
	struct sa_spec s = transport_spec();

	expect(&s, NULL);
	s = transport_spec();
	s.path.header.ttl = OUTER_TTL_DEFAULT; /* the default, said aloud */
	expect(&s, NULL);
	s = transport_spec();
	s.path.local.addr = s.path.remote.addr = v6();
	CU_ASSERT_EQUAL(selector_parse("2000::1", &s.local.items[0]), 0);
	CU_ASSERT_EQUAL(selector_parse("2000::1", &s.remote.items[0]), 0);
	expect(&s, NULL);
}

static void test_spec_original_addresses(void)
{
	static const char reason[] = "original addresses are for inbound ESP in transport mode (RFC 3948 3.1.2)";
	struct sa_spec s = transport_spec();

	s.original_remote = v6();
	expect(&s, NULL);
	s = transport_spec();
	s.original_local = v6();
	s.direction = SA_OUT;
	expect(&s, reason);
	s = good_spec();
	s.original_local = v6();
	expect(&s, reason);
}

/* Every algorithm of the table that may stand in an SA. */
static void test_spec_accepts_every_algorithm(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		struct sa_spec s;
		if (a->type == TRANSFORM_ENCR && (a->flags & ALG_AEAD)) {
			s = good_spec();
			s.encr = a;
			set_key(&s.encr_key, (size_t)a->key_bytes + a->salt_bytes);
			expect(&s, a->flags & ALG_ESP ? NULL : "encryption algorithm not usable with ESP");
		} else if (a->type == TRANSFORM_ENCR) {
			s = classic_spec(a->id, a->key_bits, INTEG_AES_XCBC_96);
			expect(&s, NULL);
		} else if (a->type == TRANSFORM_INTEG) {
			s = ah_spec(a->id);
			expect(&s, NULL);
		}
	}
}

static void test_spec_refuses_wrong_kind(void)
{
	struct sa_spec s = good_spec();

	s.protocol = PROTOCOL_IKE;
	expect(&s, "neither ESP nor AH");
	s = good_spec();
	s.protocol = PROTOCOL_NONE;
	expect(&s, "neither ESP nor AH");
	s = good_spec();
	s.spi = 255;
	expect(&s, "SPIs below 256 are reserved");
}

static void test_spec_refuses_wrong_algorithms(void)
{
	static const char not_esp[] = "encryption algorithm not usable with ESP";
	struct sa_spec s = good_spec();

	s.encr = NULL;
	expect(&s, not_esp);
	s = good_spec();
	s.encr = alg_lookup(TRANSFORM_KE, KE_CURVE25519, 0);
	expect(&s, not_esp);
	s = good_spec();
	s.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	expect(&s, "an AEAD takes no integrity algorithm");
	s = classic_spec(ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128);
	s.integ = alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	expect(&s, "integrity algorithm not usable with ESP");
	s = classic_spec(ENCR_AES_CBC, 128, INTEG_AES_128_GMAC); /* RFC 4543 3: AH only */
	expect(&s, "integrity algorithm not usable with ESP");
	s = classic_spec(ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128);
	s.integ = NULL;
	expect(&s, "no integrity algorithm");
	s = classic_spec(ENCR_NULL, 0, INTEG_HMAC_SHA2_256_128);
	s.integ = NULL;
	expect(&s, "no integrity algorithm");
}

static void test_spec_refuses_what_ah_cannot(void)
{
	struct sa_spec s = ah_spec(INTEG_HMAC_SHA2_256_128);

	s.encr = alg_lookup(TRANSFORM_ENCR, ENCR_NULL, 0);
	expect(&s, "AH does not encrypt");
	s = ah_spec(INTEG_HMAC_SHA2_256_128);
	s.integ = NULL;
	expect(&s, "integrity algorithm not usable with AH");
	s = ah_spec(INTEG_HMAC_SHA2_256_128);
	s.integ = alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0);
	expect(&s, "integrity algorithm not usable with AH");
	s = ah_spec(INTEG_HMAC_SHA2_256_128);
	s.path.encap = SA_ENCAP_UDP;
	expect(&s, "AH cannot be encapsulated in UDP (RFC 3948 1)");
	s = ah_spec(INTEG_HMAC_SHA2_256_128);
	s.natt = true;
	expect(&s, "AH cannot be encapsulated in UDP (RFC 3948 1)");
	s = ah_spec(INTEG_HMAC_SHA2_256_128);
	s.tfc_bytes = 1400;
	expect(&s, "traffic flow padding needs ESP in tunnel mode (RFC 4303 2.7)");
}

static void test_spec_refuses_what_transport_mode_cannot(void)
{
	static const struct header_rules rules[] = { { .dscp_set = true }, { .ecn_clear = true }, { .df = DF_SET },
		{ .df = DF_CLEAR }, { .ttl_copy = true }, { .ttl = 63 }, { .flow_label_copy = true },
		{ .flow_label = 1 } };
	struct sa_spec s = transport_spec();

	s.tfc_bytes = 1400;
	expect(&s, "traffic flow padding needs ESP in tunnel mode (RFC 4303 2.7)");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		s = transport_spec();
		s.path.header = rules[i];
		CU_ASSERT_FALSE(header_rules_default(&rules[i]));
		expect(&s, "transport mode has no outer header to set");
	}
	s = transport_spec();
	CU_ASSERT_EQUAL(selector_parse("2000::1", &s.local.items[0]), 0);
	expect(&s, "transport mode: a traffic selector is of another family than the addresses");
	s = transport_spec();
	CU_ASSERT_EQUAL(selector_parse("2000::1", &s.remote.items[0]), 0);
	expect(&s, "transport mode: a traffic selector is of another family than the addresses");
}

static void test_spec_refuses_wrong_header_rules(void)
{
	struct sa_spec s = good_spec();

	s.path.header = (struct header_rules){ .dscp_set = true, .dscp = 64 };
	expect(&s, "DSCP or flow label out of range");
	s = good_spec();
	s.path.header.flow_label = 0x100000;
	expect(&s, "DSCP or flow label out of range");
}

static void test_spec_refuses_wrong_limits(void)
{
	static const char late[] = "a soft lifetime is longer than the hard one";
	struct sa_spec s = good_spec();

	s.esn = false;
	s.initial_sequence = (uint64_t)UINT32_MAX + 1;
	expect(&s, "initial sequence needs ESN");
	s = good_spec();
	s.lifetime = (struct sa_lifetime){ .soft_ns = 2, .hard_ns = 1 };
	expect(&s, late);
	s = good_spec();
	s.lifetime = (struct sa_lifetime){ .soft_bytes = 2, .hard_bytes = 1 };
	expect(&s, late);
	s = good_spec();
	s.lifetime = (struct sa_lifetime){ .soft_packets = 2, .hard_packets = 1 };
	expect(&s, late);
	s = good_spec();
	s.lifetime = (struct sa_lifetime){ .soft_ns = 5, .soft_bytes = 1, .hard_bytes = 1, .hard_packets = 1 };
	expect(&s, NULL);
}

/* RFC 2451 2.2; the parity bits make no other key. */
static void test_spec_refuses_single_des(void)
{
	struct sa_spec s = classic_spec(ENCR_3DES, 0, INTEG_HMAC_SHA1_96);

	memcpy(s.encr_key.data, s.encr_key.data + 8, 8);
	expect(&s, "3DES key of equal parts is single DES");
	s = classic_spec(ENCR_3DES, 0, INTEG_HMAC_SHA1_96);
	memcpy(s.encr_key.data + 16, s.encr_key.data + 8, 8);
	s.encr_key.data[16] ^= 1;
	s.encr_key.data[23] ^= 1;
	expect(&s, "3DES key of equal parts is single DES");
	s = classic_spec(ENCR_3DES, 0, INTEG_HMAC_SHA1_96);
	memcpy(s.encr_key.data + 16, s.encr_key.data + 8, 8);
	s.encr_key.data[16] ^= 2;
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
	s = classic_spec(ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128);
	s.integ_key.len = 16;
	expect(&s, "integrity key has the wrong length");
	s = ah_spec(INTEG_AES_128_GMAC); /* without its salt */
	s.integ_key.len = 16;
	expect(&s, "integrity key has the wrong length");
	s = classic_spec(ENCR_NULL, 0, INTEG_HMAC_SHA2_256_128);
	set_key(&s.encr_key, 16);
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
	s.path.local.addr = v6();
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
		TEST(test_spec_accepts_transport_mode),
		TEST(test_spec_original_addresses),
		TEST(test_spec_accepts_every_algorithm),
		TEST(test_spec_refuses_wrong_kind),
		TEST(test_spec_refuses_wrong_algorithms),
		TEST(test_spec_refuses_what_ah_cannot),
		TEST(test_spec_refuses_what_transport_mode_cannot),
		TEST(test_spec_refuses_wrong_header_rules),
		TEST(test_spec_refuses_wrong_limits),
		TEST(test_spec_refuses_single_des),
		TEST(test_spec_refuses_wrong_key_lengths),
		TEST(test_spec_refuses_wrong_addresses),
		TEST(test_spec_refuses_wrong_selectors),
		TEST(test_spec_done_leaves_nothing),
	};

	return test_main("model_spec", tests, ARRAY_LEN(tests), argc, argv);
}
