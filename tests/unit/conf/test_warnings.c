/* SPDX-License-Identifier: BSD-3-Clause */
/* What a configuration is warned of though it loads, with the exact text; and that good ones are not. */
#include "harness.h"

#include <stdlib.h>

#include "base_config.h"

static struct config_errors errors;

/* The good configuration with a manual SA that nothing can be said against: no counter that repeats. */
static const char sound_secrets[] =
	"psk: [{local: gw-a.example.net, remote: gw-b.example.net, secret: \"a long random text\"}]\n"
	"manual_keys:\n"
	"  - name: key-b\n"
	"    encr_in: 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	"    encr_out: 0xf00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	"    integ_in: 0xe00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
	"    integ_out: 0xd00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

static const char *sound_yaml(void)
{
	static char text[SPOILED_BYTES];

	return spoil(base_yaml, "proposal: aes256gcm16\n", "proposal: aes256-sha256\n", text);
}

/* Loads, and has exactly this one warning; NULL: none. */
static void warned_text(const char *yaml, const char *secrets, const char *expected)
{
	struct config *c;
	char text[1024] = "refused";

	if (load_text(yaml, secrets, &c, &errors))
		config_error_format(&errors.items[0], text, sizeof(text));
	else if (errors.warning_count)
		config_error_format(&errors.warnings[0], text, sizeof(text));
	else
		text[0] = '\0';
	CU_ASSERT_EQUAL(errors.warning_count, expected ? 1 : 0);
	CU_ASSERT_STRING_EQUAL(text, expected ? expected : "");
	if (strcmp(text, expected ? expected : "") != 0)
		printf("# got      %s\n# expected %s\n", text, expected ? expected : "nothing");
	config_free(c);
}

/* One change to the good configuration. */
static void warned(const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES];

	warned_text(spoil(sound_yaml(), from, to, text), sound_secrets, expected);
}

/* The default route of the good configuration replaced. */
static void warned_routed(const char *route, const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES];

	warned(from, to, NULL);
	spoil(sound_yaml(), "  - {prefix: 0.0.0.0/0, via: 192.0.2.254}", route, text);
	char again[SPOILED_BYTES];
	warned_text(spoil(text, from, to, again), sound_secrets, expected);
}

static void test_warning_good_configuration_has_none(void)
{
	warned_text(sound_yaml(), sound_secrets, NULL);
}

static void test_warning_no_route_to_a_peer(void)
{
	const char *narrow = "  - {prefix: 203.0.113.0/25, via: 192.0.2.254}";

	warned_routed(narrow, "address: 192.0.2.7", "address: 198.51.100.7",
		"gw.yaml:31:23: tunnels.paris.remote.address: no route to 198.51.100.7");
	warned_routed(narrow, "remote: 192.0.2.2\n", "remote: 203.0.113.128\n",
		"gw.yaml:20:13: manual_sas.to-b.remote: no route to 203.0.113.128");
	warned_routed(narrow, "remote: 192.0.2.2\n", "remote: 203.0.113.127\n", NULL);
	warned_routed(
		"  - {prefix: 192.0.0.0/16, via: 192.0.2.254}", "remote: 192.0.2.2\n", "remote: 192.0.255.9\n", NULL);
}

static void test_warning_any_peer_needs_no_route(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(sound_yaml(), "  - {prefix: 0.0.0.0/0, via: 192.0.2.254}", "  []", a);
	spoil(a, "address: 192.0.2.7", "address: any", b);
	warned_text(spoil(b, "start: initiate", "start: respond", a), sound_secrets, NULL);
}

/* An entry for many peers, each of which takes the addresses it asks for. */
static void test_warning_many_peers_share_a_wide_range(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(sound_yaml(), "remote: {address: 192.0.2.7, id: gw-b.example.net,",
		"remote: {address: any, id: \"*.example.net\",", a);
	spoil(a, "start: initiate", "start: respond", b);
	warned_text(b, sound_secrets, NULL);
	spoil(b, "\"10.2.0.0/24\"", "10.64.0.0/16", a);
	warned_text(a, sound_secrets, NULL);
	spoil(b, "\"10.2.0.0/24\"", "10.64.0.0/15", a);
	warned_text(a, sound_secrets,
		"gw.yaml:41:27: tunnels.paris.phase2.net.remote_selectors: any peer may take all of 10.64.0.0/15: "
		"give each its own, by remote.pool or a tunnel for each");
}

static void test_warning_selector_with_host_bits(void)
{
	warned("remote_selectors: [\"10.2.0.0/24\"]", "remote_selectors: [10.2.0.5/24]",
		"gw.yaml:41:28: tunnels.paris.phase2.net.remote_selectors: 10.2.0.5/24 has bits behind its length, it "
		"means 10.2.0.0/24");
	warned("remote_selectors: [10.9.0.0/24]", "remote_selectors: [\"10.9.0.1/24[tcp/80]\"]",
		"gw.yaml:14:84: policies.web.remote_selectors: 10.9.0.1/24[tcp/80] has bits behind its length, it "
		"means 10.9.0.0/24[tcp/80]");
	warned("remote_selectors: [10.9.0.0/24]", "remote_selectors: [10.9.0.1, 10.9.0.5-10.9.0.7]", NULL);
}

static void test_warning_sides_overlap(void)
{
	warned("remote_selectors: [\"10.2.0.0/24\"]", "remote_selectors: [10.2.0.0/24, 10.1.0.0/24]",
		"gw.yaml:41:27: tunnels.paris.phase2.net.remote_selectors: 10.1.0.0/24 overlaps 10.1.0.0/24 of "
		"local_selectors");
	warned("remote_selectors: [10.3.0.0/24]", "remote_selectors: [10.1.0.200-10.1.1.9]",
		"gw.yaml:26:23: manual_sas.to-b.remote_selectors: 10.1.0.200-10.1.1.9 overlaps 10.1.0.0/24 of "
		"local_selectors");
}

/* A spoke of a hub. */
static void test_warning_not_of_a_side_inside_the_other(void)
{
	warned("remote_selectors: [\"10.2.0.0/24\"]", "remote_selectors: [10.0.0.0/13]", NULL);
	warned("local_selectors: [10.1.0.0/24]\n    remote_selectors: [10.3.0.0/24]",
		"local_selectors: [10.0.0.0/8]\n    remote_selectors: [10.3.0.0/24]", NULL);
}

#define SECOND_TUNNEL(local, remote)                                                                                   \
	"tunnels:\n  - {name: lyon, local: {address: 192.0.2.1, id: gw-a.example.net}, remote: {address: 192.0.2.8, "  \
	"id: "                                                                                                         \
	"gw-b.example.net},\n     phase2: [{name: n, local_selectors: [" local "], remote_selectors: [" remote         \
	"]}]}\n"

static void test_warning_tunnels_overlap(void)
{
	const char *expected = "gw.yaml:43:27: tunnels.paris.phase2.net.remote_selectors: overlaps the selectors of "
			       "tunnel lyon, which comes first and wins";

	warned("tunnels:\n", SECOND_TUNNEL("10.1.0.0/24", "10.2.0.0/24"), expected);
	warned("tunnels:\n", SECOND_TUNNEL("10.1.0.0/24", "10.0.0.0/13"), expected);
	warned("tunnels:\n", SECOND_TUNNEL("10.1.0.0/25", "10.2.0.128-10.2.1.7"), expected);
	/* apart, narrower first, and apart by one side or by protocol */
	warned("tunnels:\n", SECOND_TUNNEL("10.1.0.0/24", "10.4.0.0/24"), NULL);
	warned("tunnels:\n", SECOND_TUNNEL("10.1.0.0/24", "10.2.0.0/25"), NULL);
	warned("tunnels:\n", SECOND_TUNNEL("10.7.0.0/24", "10.2.0.0/24"), NULL);
}

static void test_warning_overlap_needs_one_protocol(void)
{
	char text[SPOILED_BYTES];

	spoil(sound_yaml(), "remote_selectors: [\"10.2.0.0/24\"]", "remote_selectors: [\"10.2.0.0/25[udp]\"]", text);
	char again[SPOILED_BYTES];
	warned_text(spoil(text, "tunnels:\n", SECOND_TUNNEL("\"10.1.0.0/24[tcp]\"", "10.2.0.0/24"), again),
		sound_secrets, NULL);
	warned_text(spoil(text, "tunnels:\n", SECOND_TUNNEL("\"10.1.0.0/24[udp]\"", "10.2.0.0/24"), again),
		sound_secrets,
		"gw.yaml:43:27: tunnels.paris.phase2.net.remote_selectors: overlaps the selectors of tunnel lyon, "
		"which comes first and wins");
}

/* Tunnels stand before manual SAs, wherever the file has them; a protect entry gives its target a place. */
static void test_warning_manual_sa_behind_a_tunnel(void)
{
	char text[SPOILED_BYTES];

	warned("remote_selectors: [10.3.0.0/24]", "remote_selectors: [10.2.0.0/24]", NULL);
	spoil(sound_yaml(), "  - {name: lab, action: protect, target: to-b}\n", "", text);
	char again[SPOILED_BYTES];
	warned_text(spoil(text, "remote_selectors: [10.3.0.0/24]", "remote_selectors: [10.2.0.0/24]", again),
		sound_secrets,
		"gw.yaml:25:23: manual_sas.to-b.remote_selectors: overlaps the selectors of tunnel paris, which comes "
		"first and wins");
}

/* `count` tunnels of the same selectors to one peer; freed by the caller. */
static char *many_tunnels(unsigned count)
{
	size_t len;
	char *yaml;
	FILE *f = open_memstream(&yaml, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs("interfaces: [{name: wan, device: net_tap0, address: 192.0.2.1/24}]\ntunnels:\n", f);
	for (unsigned i = 0; i < count; i++)
		fprintf(f,
			" - {name: t%u, local: {address: 192.0.2.1}, remote: {address: 192.0.2.2},"
			" phase2: [{name: n, local_selectors: [10.1.0.0/24], remote_selectors: [10.2.0.0/24]}]}\n",
			i);
	fclose(f);
	return yaml;
}

/* Each pair is compared, so only few are. */
static void test_warning_overlap_is_bounded(void)
{
	struct config *c;

	for (unsigned count = 200; count <= 201; count++) {
		char *yaml = many_tunnels(count);
		CU_ASSERT_EQUAL(load_text(yaml, "psk: [{secret: a long random text}]", &c, &errors), 0);
		CU_ASSERT_EQUAL(errors.warning_count, count == 200 ? 199 : 0);
		config_free(c);
		free(yaml);
	}
}

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	CU_ASSERT_FATAL(f && text);
	CU_ASSERT_FATAL(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static void warned_example(const char *name, const char *expected)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/config/%s.yaml", SOURCE_ROOT, name);
	char *yaml = read_whole(path);
	snprintf(path, sizeof(path), "%s/config/%s.secrets.yaml", SOURCE_ROOT, name);
	char *secrets = read_whole(path);
	warned_text(yaml, secrets, expected);
	free(yaml);
	free(secrets);
}

static void test_warning_examples_have_none(void)
{
	static const char *const names[] = { "examples/site-to-site-a", "examples/site-to-site-b", "examples/any-peer",
		"examples/concentrator", "examples/manual-keys", "examples/manual-ah-transport" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		warned_example(names[i], NULL);
	warned_example("examples/manual-keys-v6", "gw.yaml:16:15: manual_sas.rig.proposal: weak: with manual keys "
						  "CHACHA20-POLY1305 repeats nonces after a "
						  "restart (RFC 8221 3)");
	/* it shows every setting, so also those of a rig */
	warned_example("gateway", "gw.yaml:54:15: manual_sas.lab.proposal: weak: with manual keys AES-GCM-256 repeats "
				  "nonces after a restart (RFC 8221 3)");
}

/* What only a rig should have, said at each start. */
static void test_warning_manual_sa_that_counts(void)
{
	static const char *const counting[] = { "aes256gcm16", "aes256gcm12-esn" };
	char text[SPOILED_BYTES], setting[64], expected[256];

	for (size_t i = 0; i < ARRAY_LEN(counting); i++) {
		snprintf(setting, sizeof(setting), "proposal: %s\n", counting[i]);
		snprintf(expected, sizeof(expected),
			"gw.yaml:18:15: manual_sas.to-b.proposal: weak: with manual keys AES-GCM-256%s repeats nonces "
			"after a restart (RFC 8221 3)",
			i ? "-12" : "");
		warned_text(spoil(base_yaml, "proposal: aes256gcm16\n", setting, text), base_secrets, expected);
	}
}

static void test_warning_manual_sa_that_is_weak(void)
{
	static const char sha1_secrets[] =
		"psk: [{local: gw-a.example.net, remote: gw-b.example.net, secret: \"a long random text\"}]\n"
		"manual_keys: [{name: key-b, integ_in: 0x000102030405060708090a0b0c0d0e0f10111213,\n"
		"  integ_out: 0x000102030405060708090a0b0c0d0e0f10111214}]\n";
	char text[SPOILED_BYTES];

	spoil(base_yaml, "proposal: aes256gcm16\n", "proposal: sha1\n", text);
	char ah[SPOILED_BYTES];
	warned_text(spoil(text, "    spi_in", "    protocol: ah\n    allow_weak: true\n    spi_in", ah), sha1_secrets,
		"gw.yaml:18:15: manual_sas.to-b.proposal: weak: HMAC-SHA1-96 rests on SHA-1, which is on its way out "
		"(RFC 8221 6)");
}

/* One line of the tunnel changed, and its operator has said that weak ones are meant. */
static void warned_weak(const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES], allowed[SPOILED_BYTES];

	spoil(sound_yaml(), "    version: 2\n", "    allow_weak: true\n", allowed);
	warned_text(spoil(allowed, from, to, text), sound_secrets, expected);
}

static void test_warning_weak_offers_of_a_tunnel(void)
{
#define OFFER "        proposals: [aes256gcm16, aes128gcm16-ecp256]"
#define AT    "gw.yaml:39:20: tunnels.paris.phase2.net.proposals: weak: "
	warned_weak(OFFER, "        proposals: [aes256gcm16, 3des-sha256]",
		AT "3DES-CBC should not be used any more (RFC 8221 5)");
	warned_weak(OFFER, "        proposals: [aes256gcm16, null-sha256]", AT "NULL does not encrypt");
	warned_weak(OFFER, "        proposals: [aes256gcm16, aes128gmac]", AT "NULL-AES-GMAC-128 does not encrypt");
	warned_weak(OFFER, "        proposals: [aes256gcm16, aes256gcm8]",
		AT "AES-GCM-256-8 has an ICV of 8 bytes, which is not recommended (RFC 8221 5)");
	warned_weak(OFFER, "        proposals: [aes256gcm16, aes128ccm8iiv]",
		AT "AES-CCM-128-8-IIV has an ICV of 8 bytes, which is for constrained devices (RFC 8221 5)");
	/* once, though two proposals have it; implicit IV alone is no fault: IKE never installs a key twice */
	warned_weak(OFFER, "        proposals: [aes256-sha1, aes128-sha1]",
		AT "HMAC-SHA1-96 rests on SHA-1, which is on its way out (RFC 8221 6)");
	warned(OFFER, "        proposals: [aes256gcm16iiv, aes256-sha384, aes256ctr-aesxcbc]", NULL);
}

static void test_warning_weak_offers_of_phase1(void)
{
#define OFFER1 "proposals: [aes256gcm16-prfsha384-ecp384"
#define AT1    "gw.yaml:33:18: tunnels.paris.phase1.proposals: weak: "
	warned_weak(OFFER1, "proposals: [aes256gcm16-prfsha384-modp1024",
		AT1 "MODP-1024 is within reach of precomputation (RFC 8247 2.4)");
	warned_weak(OFFER1, "proposals: [aes256gcm16-prfsha384-modp1536",
		AT1 "MODP-1536 has less than 112 bits of strength (RFC 8247 2.4)");
	warned_weak(OFFER1, "proposals: [aes256gcm16-prfsha1-ecp384",
		AT1 "PRF-HMAC-SHA1 rests on SHA-1, which is on its way out (RFC 8247 2.2)");
	warned(OFFER1, "proposals: [aes256gcm12-prfaescmac-ecp512bp", NULL);
}

static void test_warning_esn_offered_without_a_window(void)
{
	const char *offer = "aes256gcm16, aes128gcm16-ecp256]";
	char text[SPOILED_BYTES];

	warned("lifetime: 90s", "replay_window: 0",
		"gw.yaml:42:24: tunnels.paris.phase2.net.replay_window: esn is offered, which needs the window; "
		"end each proposal with -noesn (RFC 4303 3.3.3)");
	spoil(sound_yaml(), "lifetime: 90s", "replay_window: 0", text);
	char again[SPOILED_BYTES];
	warned_text(spoil(text, offer, "aes256gcm16-noesn, aes128gcm16-noesn]", again), sound_secrets, NULL);
}

/* The text of the next ```yaml block of a page; *text moves behind it. */
static char *next_block(char **text)
{
	char *begin = strstr(*text, "```yaml\n");
	char *end = begin ? strstr(begin + 8, "```\n") : NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(end);
	*end = '\0';
	*text = end + 1;
	return begin + 8;
}

/* The first configuration that anybody copies. */
static void test_warning_readme_has_none(void)
{
	char *page = read_whole(SOURCE_ROOT "/README.md"), *rest = page;
	char *yaml = next_block(&rest), *secrets = next_block(&rest);

	warned_text(yaml, secrets, NULL);
	free(page);
}

/* ---- policies ---- */

#define WEB_BYPASS "  - {name: web, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [10.9.0.0/24]}\n"

/* A protect entry replaces the rule of its tunnel: what it does not name goes elsewhere. */
static void test_warning_protect_leaves_a_part_out(void)
{
	warned(WEB_BYPASS,
		"  - {name: web, action: protect, target: paris, remote_selectors: [\"10.2.0.0/24[tcp/80]\"]}\n",
		"gw.yaml:14:5: policies.web: its selectors leave out a part of 10.1.0.0/24 === 10.2.0.0/24 of paris, "
		"which no longer protects it");
	warned(WEB_BYPASS,
		"  - {name: web, action: protect, target: paris, remote_selectors: [\"10.2.0.0/24[tcp/80]\"]}\n"
		"  - {name: inet, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [0.0.0.0/0]}\n",
		"gw.yaml:14:5: policies.web: its selectors leave out a part of 10.1.0.0/24 === 10.2.0.0/24 of paris, "
		"which no longer protects it: policy inet sends it in clear");
}

static void test_warning_not_of_protect_entries_that_cover_together(void)
{
	warned(WEB_BYPASS,
		"  - {name: web, action: protect, target: paris, remote_selectors: [\"10.2.0.0/24[tcp]\"]}\n"
		"  - {name: ping, action: bypass, local_selectors: [10.1.0.9], remote_selectors: "
		"[\"10.2.0.0/24[icmp]\"]}\n"
		"  - {name: low, action: protect, target: paris, remote_selectors: [10.2.0.0/25]}\n"
		"  - {name: high, action: protect, target: paris, remote_selectors: [10.2.0.128-10.2.0.255]}\n",
		NULL);
	warned("target: to-b}", "target: to-b, local_selectors: [10.1.0.0/24]}", NULL);
}

static void test_warning_protect_reaches_beyond_its_target(void)
{
	warned("target: to-b}", "target: to-b, local_selectors: [0.0.0.0/0], remote_selectors: [0.0.0.0/0]}",
		"gw.yaml:15:5: policies.lab: reaches outside of the selectors of to-b: such packets end as "
		"selector_out");
}

static void test_warning_clear_entry_behind_its_tunnel(void)
{
	warned("remote_selectors: [10.9.0.0/24]", "remote_selectors: [\"10.2.0.0/24[tcp/25]\"]",
		"gw.yaml:14:5: policies.web: never reached: tunnel paris stands before; name it in a protect entry "
		"behind this one");
	warned("remote_selectors: [10.9.0.0/24]", "remote_selectors: [\"10.2.0.0/23[tcp/25]\"]", NULL);
	/* named behind it */
	warned(WEB_BYPASS,
		"  - {name: web, action: discard, local_selectors: [10.1.0.0/24], remote_selectors: "
		"[\"10.2.0.0/24[tcp/25]\"]}\n  - {name: all, action: protect, target: paris}\n",
		NULL);
	char text[SPOILED_BYTES], again[SPOILED_BYTES];
	spoil(sound_yaml(), "  - {name: lab, action: protect, target: to-b}\n", "", text);
	warned_text(spoil(text, "remote_selectors: [10.9.0.0/24]", "remote_selectors: [10.3.0.7]", again),
		sound_secrets,
		"gw.yaml:14:5: policies.web: never reached: manual SA to-b stands before; name it in a protect entry "
		"behind this one");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_warning_good_configuration_has_none),
		TEST(test_warning_no_route_to_a_peer),
		TEST(test_warning_any_peer_needs_no_route),
		TEST(test_warning_many_peers_share_a_wide_range),
		TEST(test_warning_selector_with_host_bits),
		TEST(test_warning_sides_overlap),
		TEST(test_warning_not_of_a_side_inside_the_other),
		TEST(test_warning_tunnels_overlap),
		TEST(test_warning_overlap_needs_one_protocol),
		TEST(test_warning_manual_sa_behind_a_tunnel),
		TEST(test_warning_overlap_is_bounded),
		TEST(test_warning_examples_have_none),
		TEST(test_warning_readme_has_none),
		TEST(test_warning_manual_sa_that_counts),
		TEST(test_warning_manual_sa_that_is_weak),
		TEST(test_warning_weak_offers_of_a_tunnel),
		TEST(test_warning_weak_offers_of_phase1),
		TEST(test_warning_esn_offered_without_a_window),
		TEST(test_warning_protect_leaves_a_part_out),
		TEST(test_warning_not_of_protect_entries_that_cover_together),
		TEST(test_warning_protect_reaches_beyond_its_target),
		TEST(test_warning_clear_entry_behind_its_tunnel),
	};

	return test_main("conf_warnings", tests, ARRAY_LEN(tests), argc, argv);
}
