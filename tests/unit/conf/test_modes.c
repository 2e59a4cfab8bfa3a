/* SPDX-License-Identifier: BSD-3-Clause */
/* Transport mode and AH of tunnels: what is loaded, what goes with what, and what is refused. */
#include "harness.h"

#include "base_config.h"

#define HOSTS "        local_selectors: [192.0.2.1]\n        remote_selectors: [192.0.2.7]\n"

/* The base configuration with these settings in place of `mode: tunnel`, and these selectors. Returns ret_text. */
static const char *child(const char *settings, const char *selectors, char *ret_text)
{
	char text[SPOILED_BYTES];

	spoil(base_yaml, "mode: tunnel", settings, text);
	return spoil(text, "        local_selectors: [10.1.0.0/24]\n        remote_selectors: [\"10.2.0.0/24\"]\n",
		selectors, ret_text);
}

static void refused(const char *settings, const char *selectors, const char *expected)
{
	char text[SPOILED_BYTES];

	refused_text(child(settings, selectors, text), base_secrets, expected);
}

static void test_modes_transport_between_the_hosts(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(child("mode: transport", HOSTS, text), base_secrets);

	CU_ASSERT_EQUAL(c->tunnels[0].children[0].mode, SA_MODE_TRANSPORT);
	CU_ASSERT_FALSE(c->tunnels[0].children[0].tunnel_fallback);
	config_free(c);
	c = loaded(child("mode: transport\n        tunnel_fallback: true\n        tfc_padding: 500",
			   "        local_selectors: [\"192.0.2.1[udp/1701]\"]\n        remote_selectors: [dynamic]\n",
			   text),
		base_secrets);
	CU_ASSERT_TRUE(c->tunnels[0].children[0].tunnel_fallback);
	CU_ASSERT_EQUAL(c->tunnels[0].children[0].tfc_bytes, 500);
	config_free(c);
}

static void test_modes_transport_between_others_is_refused(void)
{
	refused("mode: transport", "        local_selectors: [10.1.0.0/24]\n        remote_selectors: [192.0.2.7]\n",
		"gw.yaml:40:26: tunnels.paris.phase2.net.local_selectors: transport mode is between the two hosts "
		"only: "
		"local.address, or [dynamic] without virtual_ip");
	refused("mode: transport", "        local_selectors: [dynamic]\n        remote_selectors: [192.0.2.0/29]\n",
		"gw.yaml:41:27: tunnels.paris.phase2.net.remote_selectors: transport mode is between the two hosts "
		"only: "
		"remote.address, or [dynamic] without pool");
}

static void test_modes_transport_with_what_it_cannot(void)
{
	refused("mode: transport\n        tfc_padding: 500", HOSTS,
		"gw.yaml:39:22: tunnels.paris.phase2.net.tfc_padding: transport mode cannot pad: only an inner IP "
		"header "
		"says where a packet ends (RFC 4303 2.7)");
	refused("mode: tunnel\n        tunnel_fallback: true", HOSTS,
		"gw.yaml:39:26: tunnels.paris.phase2.net.tunnel_fallback: with mode: tunnel there is nothing to fall "
		"back "
		"from");
}

/* `protocol: ah` with these proposals in place of the base's. */
static const char *ah(const char *settings, const char *proposals, char *ret_text)
{
	char text[SPOILED_BYTES];

	spoil(base_yaml, "mode: tunnel", settings, text);
	return spoil(text, "        proposals: [aes256gcm16, aes128gcm16-ecp256]\n", proposals, ret_text);
}

static void test_modes_ah_proposals(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(
		ah("protocol: ah", "        proposals: [sha384-x25519, aes128gmac]\n", text), base_secrets);
	const struct proposal_list *list = &c->tunnels[0].children[0].proposals;

	CU_ASSERT_EQUAL(c->tunnels[0].children[0].protocol, PROTOCOL_AH);
	CU_ASSERT_EQUAL(list->count, 2);
	CU_ASSERT_EQUAL(list->items[0].protocol, PROTOCOL_AH);
	CU_ASSERT_FALSE(proposal_has_type(&list->items[0], TRANSFORM_ENCR));
	CU_ASSERT_TRUE(proposal_has_type(&list->items[0], TRANSFORM_ESN));
	config_free(c);
}

static void test_modes_ah_has_a_default_of_its_own(void)
{
	char text[SPOILED_BYTES], suite[PROPOSAL_TEXT_MAX];
	struct config *c = loaded(ah("protocol: ah", "", text), base_secrets);
	const struct proposal_list *list = &c->tunnels[0].children[0].proposals;

	CU_ASSERT_STRING_EQUAL(proposal_list_format(list, suite), "HMAC-SHA2-256-128/ESN/NO-ESN");
	config_free(c);
}

static void test_modes_ah_with_what_it_cannot(void)
{
	char text[SPOILED_BYTES], more[SPOILED_BYTES];

	refused_text(ah("protocol: ah", "        proposals: [aes256gcm16]\n", text), base_secrets,
		"gw.yaml:39:21: tunnels.paris.phase2.net.proposals: \"aes256gcm16\" encrypts, which AH does not (RFC "
		"4302 "
		"1)");
	refused_text(ah("protocol: ah\n        tfc_padding: 500", "", text), base_secrets,
		"gw.yaml:39:22: tunnels.paris.phase2.net.tfc_padding: AH does not hide lengths; ESP does (RFC 4303 "
		"2.7)");
	ah("protocol: ah", "", text);
	refused_text(spoil(text, "version: 2", "encap: always", more), base_secrets,
		"gw.yaml:38:19: tunnels.paris.phase2.net.protocol: AH cannot be encapsulated in UDP (RFC 3948 1), "
		"which "
		"encap: always wants");
}

static const struct test tests[] = {
	TEST(test_modes_transport_between_the_hosts),
	TEST(test_modes_transport_between_others_is_refused),
	TEST(test_modes_transport_with_what_it_cannot),
	TEST(test_modes_ah_proposals),
	TEST(test_modes_ah_has_a_default_of_its_own),
	TEST(test_modes_ah_with_what_it_cannot),
};

int main(int argc, char **argv)
{
	return test_main("conf", tests, ARRAY_LEN(tests), argc, argv);
}
