/* SPDX-License-Identifier: BSD-3-Clause */
/* show sas against a fake packet path: what a specification said and what its SA counts, as JSON. */
#include <stdlib.h>

#include "control_priv.h"
#include "fake_packet_path.h"
#include "harness.h"

static struct control c;
static struct config config;

static void begin(void)
{
	fake_init();
	memset(&c, 0, sizeof(c));
	c.config = &config;
	CU_ASSERT_EQUAL_FATAL(sa_registry_init(&c.sas, NULL, NULL, 8), 0);
}

static void end(void)
{
	while (!TAILQ_EMPTY(&c.sas.pairs))
		sa_pair_retire(&c.sas, TAILQ_FIRST(&c.sas.pairs));
	sa_registry_done(&c.sas);
}

/* A manual pair of which the test fills the outbound half; the inbound one is the same but for what only senders have.
 */
static void install(struct sa_spec *out)
{
	static const struct sa_owner manual = { .tunnel = -1, .child = -1 };
	struct sa_spec in = *out;
	const char *reason;

	out->direction = SA_OUT;
	out->spi = 0x2002;
	in.direction = SA_IN;
	in.spi = 0x1001;
	in.tfc_bytes = 0;
	snprintf(out->name, sizeof(out->name), "lab");
	CU_ASSERT_EQUAL_FATAL(sa_pair_install(&c.sas, &manual, &in, out, true, &reason), 0);
}

/* One SA of the answer without what it counts, as text; freed by the caller. */
static char *shown(size_t index)
{
	static const char *const counts[] = { "packets", "bytes", "sequence", "owner", "drops", "flags" };
	struct command_call call = { .control = &c };
	json_t *result = show_sas(&call), *sa = json_array_get(json_object_get(result, "sas"), index);

	CU_ASSERT_PTR_NOT_NULL_FATAL(sa);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		CU_ASSERT_PTR_NOT_NULL(json_object_get(sa, counts[i]));
		json_object_del(sa, counts[i]);
	}
	char *text = json_dumps(sa, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(result);
	return text;
}

static void shows(size_t index, const char *expected)
{
	char *text = shown(index);

	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		printf("# got      %s\n# expected %s\n", text, expected);
	free(text);
}

static struct sa_spec gcm_spec(void)
{
	struct sa_spec s = { .protocol = PROTOCOL_ESP, .replay_window = 128 };

	s.encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	s.path.local.addr = addr_from_ipv4(0xc0000201);
	s.path.remote.addr = addr_from_ipv4(0xc0000202);
	return s;
}

static void test_show_sas_of_defaults_and_a_warning(void)
{
	struct sa_spec s = gcm_spec();

	begin();
	install(&s);
	shows(1,
		"{\"name\":\"lab\",\"direction\":\"out\",\"spi\":\"0x00002002\",\"protocol\":\"esp\",\"mode\":"
		"\"tunnel\","
		"\"encap\":\"none\",\"local\":\"192.0.2.1\",\"remote\":\"192.0.2.2\",\"suite\":\"AES-GCM-128\",\"esn\":"
		"false,\"manual\":true,\"peer_id\":null,\"weak\":\"manual keys repeat nonces after a "
		"restart\",\"replay_window\":128,"
		"\"lifetime\":{},\"tfc_padding\":0,\"outer\":{},\"inner_mtu\":1446,\"path_mtu\":{\"link\":1500}}");
	end();
}

static void test_show_sas_of_ah_in_transport_mode(void)
{
	struct sa_spec s = gcm_spec();

	begin();
	s.protocol = PROTOCOL_AH;
	s.mode = SA_MODE_TRANSPORT;
	s.encr = NULL;
	s.integ = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	s.esn = true;
	s.path.local.addr = addr_from_bytes(ADDR_IPV6, (const uint8_t[16]){ 0x20, 1, 0xd, 0xb8, [15] = 1 });
	s.path.remote.addr = addr_from_bytes(ADDR_IPV6, (const uint8_t[16]){ 0x20, 1, 0xd, 0xb8, [15] = 2 });
	install(&s);
	shows(0, "{\"name\":\"lab\",\"direction\":\"in\",\"spi\":\"0x00001001\",\"protocol\":\"ah\",\"mode\":"
		 "\"transport\","
		 "\"encap\":\"none\",\"local\":\"2001:db8::1\",\"remote\":\"2001:db8::2\",\"suite\":\"HMAC-SHA2-256-"
		 "128\","
		 "\"esn\":true,\"manual\":true,\"peer_id\":null,\"weak\":null,\"replay_window\":128,\"lifetime\":{},"
		 "\"tfc_padding\":0,"
		 "\"outer\":{}}");
	end();
}

/* In the words of the configuration, and only what is set. */
static void has(const char *key, const char *expected)
{
	struct command_call call = { .control = &c };
	json_t *result = show_sas(&call), *sa = json_array_get(json_object_get(result, "sas"), 1);
	char *text = json_dumps(json_object_get(sa, key), JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);

	CU_ASSERT_STRING_EQUAL(text, expected);
	free(text);
	json_decref(result);
}

static void test_show_sas_of_settings(void)
{
	struct sa_spec s = gcm_spec();

	begin();
	s.lifetime = (struct sa_lifetime){ .soft_ns = 1500000000, .hard_ns = 3600000000000, .hard_packets = 7 };
	s.tfc_bytes = TFC_TO_MTU;
	s.path.header = (struct header_rules){
		.dscp_set = true, .ecn_clear = true, .df = DF_CLEAR, .ttl_copy = true, .flow_label = 5
	};
	install(&s);
	has("lifetime", "{\"soft_seconds\":1.5,\"hard_seconds\":3600,\"hard_packets\":7}");
	has("tfc_padding", "\"mtu\"");
	has("inner_mtu", "1446");
	has("outer", "{\"dscp\":0,\"ecn\":\"clear\",\"df\":\"clear\",\"ttl\":\"copy\",\"flow_label\":5}");
	end();
	begin();
	s.lifetime = (struct sa_lifetime){ .soft_bytes = 1, .hard_bytes = 2, .soft_packets = 3 };
	s.tfc_bytes = 1400;
	s.path.header = (struct header_rules){ .df = DF_SET, .ttl = 9, .flow_label_copy = true };
	install(&s);
	has("lifetime", "{\"soft_bytes\":1,\"hard_bytes\":2,\"soft_packets\":3}");
	has("tfc_padding", "1400");
	has("outer", "{\"df\":\"set\",\"ttl\":9,\"flow_label\":\"copy\"}");
	end();
}

static void test_show_sas_of_a_learnt_path_mtu(void)
{
	struct sa_spec s = gcm_spec();
	struct datapath_event e = { .spi = 0x2002, .mtu = 1300, .quoted_bytes = 1500 };
	struct sa_pair *pair;

	begin();
	s.path.header.fragment = FRAGMENT_AFTER;
	install(&s);
	has("outer", "{\"fragment\":\"after\"}");
	e.local = s.path.local;
	e.remote = s.path.remote;
	CU_ASSERT_EQUAL(sa_path_mtu_lower(&c.sas, &e, loop_now_ns() - 2500000000, &pair), DROP_NONE);
	has("path_mtu", "{\"link\":1500,\"learnt\":1300,\"age_seconds\":2}");
	end();
}

static void test_show_sas_flags_stay(void)
{
	struct sa_spec s = gcm_spec();

	begin();
	install(&s);
	fake.stats[SA_OUT].flags = SA_SOFT_EXPIRED | SA_HARD_EXPIRED | SA_SEQUENCE_END;
	has("flags", "[\"soft_expired\",\"hard_expired\",\"sequence_end\"]");
	end();
}

static const struct test tests[] = {
	TEST(test_show_sas_of_defaults_and_a_warning),
	TEST(test_show_sas_of_ah_in_transport_mode),
	TEST(test_show_sas_of_settings),
	TEST(test_show_sas_of_a_learnt_path_mtu),
	TEST(test_show_sas_flags_stay),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
