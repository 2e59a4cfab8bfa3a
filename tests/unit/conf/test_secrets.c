/* SPDX-License-Identifier: BSD-3-Clause */
/* Pre-shared keys: forms, precedence, warnings. */
#include "harness.h"

#include <stdlib.h>

#include "base_config.h"

static const char no_tunnel[] = "interfaces: [{name: wan, device: net_tap0, address: 192.0.2.1/24}]\n";

static const struct secret *lookup(const struct config *c, const char *local, const char *remote)
{
	struct identity l, r;

	CU_ASSERT(identity_parse(local, &l) == 0 && identity_parse(remote, &r) == 0);
	return config_psk_lookup(c, &l, &r);
}

static void check_psk(const struct config *c, const char *local, const char *remote, const char *expected)
{
	const struct secret *s = lookup(c, local, remote);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL_FATAL(s->len, strlen(expected));
	CU_ASSERT_EQUAL(memcmp(s->data, expected, s->len), 0);
}

/* Both identities, then the peer's, then ours, then neither; the order in the file does not count. */
static void test_psk_most_specific_entry_counts(void)
{
	static const char entries[4][80] = { "{secret: any-any-any-any-any}",
		"{local: a.example, secret: local-local-local-local}",
		"{remote: b.example, secret: remote-remote-remote}",
		"{local: a.example, remote: b.example, secret: both-both-both-both}" };
	char secrets[512];

	for (int first = 0; first < 4; first++) {
		snprintf(secrets, sizeof(secrets), "psk: [%s, %s, %s, %s]", entries[first], entries[(first + 1) % 4],
			entries[(first + 2) % 4], entries[(first + 3) % 4]);
		struct config *c = loaded(no_tunnel, secrets);
		check_psk(c, "a.example", "b.example", "both-both-both-both");
		check_psk(c, "x.example", "b.example", "remote-remote-remote");
		check_psk(c, "a.example", "x.example", "local-local-local-local");
		check_psk(c, "x.example", "x.example", "any-any-any-any-any");
		config_free(c);
	}
}

static void test_psk_none_fits(void)
{
	struct config *c = loaded(
		no_tunnel, "psk: [{local: a.example, remote: b.example, secret: both-both-both-both}]");

	CU_ASSERT_PTR_NULL(lookup(c, "b.example", "a.example"));
	CU_ASSERT_PTR_NULL(lookup(c, "a.example", "keyid:b.example"));
	CU_ASSERT_PTR_NULL(lookup(c, "a.example", "x.example"));
	CU_ASSERT_PTR_NOT_NULL(lookup(c, "A.Example", "b.EXAMPLE"));
	config_free(c);
	c = loaded(no_tunnel, "{}");
	CU_ASSERT_PTR_NULL(lookup(c, "a.example", "b.example"));
	config_free(c);
}

static void test_psk_hexadecimal_form(void)
{
	struct config *c = loaded(no_tunnel, "psk: [{secret: 0x000102030405060708090a0b0c0d0e0fff}]");
	const struct secret *s = lookup(c, "a.example", "b.example");

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT(s->len == 17 && s->data[0] == 0 && s->data[15] == 15 && s->data[16] == 255);
	config_free(c);
}

static void test_psk_text_is_taken_as_it_is(void)
{
	struct config *c = loaded(no_tunnel, "psk: [{secret: \" spaces, \\u00fc and 'quotes' \"}]");

	check_psk(c, "a.example", "b.example", " spaces, \xc3\xbc and 'quotes' ");
	config_free(c);
}

static void test_psk_weak_is_warned_of(void)
{
	static struct config_errors errors;
	struct config *c;
	char text[1024];

	CU_ASSERT_EQUAL_FATAL(load_text(no_tunnel, "psk: [{secret: 123456789012345}]", &c, &errors), 0);
	CU_ASSERT(errors.count == 0 && errors.warning_count == 1);
	config_error_format(&errors.warnings[0], text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text,
		"secrets:1:16: psk[0].secret: weak: 15 bytes can be guessed offline after one negotiation "
		"with an attacker; use 16 or more");
	config_free(c);
	CU_ASSERT_EQUAL_FATAL(load_text(no_tunnel, "psk: [{secret: 1234567890123456}]", &c, &errors), 0);
	CU_ASSERT_EQUAL(errors.warning_count, 0);
	config_free(c);
}

static void test_psk_of_any_peer_identity(void)
{
	static const char yaml[] =
		"interfaces: [{name: wan, device: net_tap0, address: 192.0.2.1/24}]\n"
		"tunnels: [{name: t, local: {address: 192.0.2.1, id: a.example}, remote: {address: any},\n"
		"  phase2: [{name: n, local_selectors: [10.1.0.0/24], remote_selectors: [10.2.0.0/24], "
		"start: respond}]}]\n";

	config_free(loaded(yaml, "psk: [{local: a.example, remote: b.example, secret: both-both-both-both}]"));
	config_free(loaded(yaml, "psk: [{remote: b.example, secret: remote-remote-remote}]"));
	refused_text(yaml, "psk: [{local: x.example, secret: local-local-local-local}]",
		"gw.yaml:2:11: tunnels.t: no pre-shared key for local a.example, remote any in a secrets file "
		"(secrets_file is "
		"not set)");
}

static void test_psk_ten_thousand_of_them(void)
{
	size_t capacity = 10000 * 80, used = 0;
	char *secrets = malloc(capacity);

	CU_ASSERT_PTR_NOT_NULL_FATAL(secrets);
	used += (size_t)snprintf(secrets, capacity, "psk:\n");
	for (int i = 0; i < 10000; i++)
		used += (size_t)snprintf(
			secrets + used, capacity - used, "  - {remote: p%d.example, secret: secret-of-%010d}\n", i, i);
	struct config *c = loaded(no_tunnel, secrets);
	check_psk(c, "a.example", "p9999.example", "secret-of-0000009999");
	config_free(c);
	free(secrets);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_psk_most_specific_entry_counts),
		TEST(test_psk_none_fits),
		TEST(test_psk_hexadecimal_form),
		TEST(test_psk_text_is_taken_as_it_is),
		TEST(test_psk_weak_is_warned_of),
		TEST(test_psk_of_any_peer_identity),
		TEST(test_psk_ten_thousand_of_them),
	};

	return test_main("conf_secrets", tests, ARRAY_LEN(tests), argc, argv);
}
