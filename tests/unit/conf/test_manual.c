/* SPDX-License-Identifier: BSD-3-Clause */
/* Manual SAs: what every algorithm and setting becomes, and each combination that makes no sense, refused by name. */
#include "harness.h"

#include "base_config.h"

#define SECONDS 1000000000ull

/* Line numbers are those of the texts expected below. */
static const char rig_yaml[] = "interfaces:\n"                                              /* 1 */
			       "  - {name: lan, device: net_tap0, address: 10.1.0.1/24}\n"  /* 2 */
			       "  - {name: wan, device: net_tap1, address: 192.0.2.1/24}\n" /* 3 */
			       "manual_sas:\n"                                              /* 4 */
			       "  - name: rig\n"                                            /* 5 */
			       "    protocol: esp\n"                                        /* 6 */
			       "    mode: tunnel\n"                                         /* 7 */
			       "    proposal: aes128-sha256\n"                              /* 8 */
			       "    local: 192.0.2.1\n"                                     /* 9 */
			       "    remote: 192.0.2.2\n"                                    /* 10 */
			       "    spi_in: 0x1001\n"                                       /* 11 */
			       "    spi_out: 0x1002\n"                                      /* 12 */
			       "    keys: k\n"                                              /* 13 */
			       "    encap: none\n"                                          /* 14 */
			       "    local_selectors: [10.1.0.0/24]\n"                       /* 15 */
			       "    remote_selectors: [10.2.0.0/24]\n"                      /* 16 */
			       "    allow_weak: true\n";                                    /* 17 */

/* "0xA0..." of so many bytes; "" for none. */
static const char *key_text(uint8_t first, size_t len, char *ret_text)
{
	char *at = ret_text + sprintf(ret_text, len ? "0x" : "\"\"");

	for (size_t i = 0; i < len; i++)
		at += sprintf(at, "%02x", (unsigned)(first + 7 * i) & 0xff);
	return ret_text;
}

/* A secrets file with an entry "k"; both directions differ. */
static const char *secrets_of(size_t encr_len, size_t integ_len)
{
	static char text[SPOILED_BYTES];
	char key[4][160];

	snprintf(text, sizeof(text),
		"manual_keys:\n - {name: k, encr_in: %s, encr_out: %s,\n integ_in: %s, integ_out: %s}\n",
		key_text(1, encr_len, key[0]), key_text(2, encr_len, key[1]), key_text(3, integ_len, key[2]),
		key_text(4, integ_len, key[3]));
	return text;
}

/* Two changes to the rig's SA. */
static const char *changed(const char *from, const char *to, const char *from2, const char *to2)
{
	static char text[SPOILED_BYTES];
	char once[SPOILED_BYTES];

	return spoil(spoil(rig_yaml, from, to, once), from2, to2, text);
}

/* A line more behind "encap". */
static const char *with(const char *line)
{
	static char text[SPOILED_BYTES];
	char lines[512];

	snprintf(lines, sizeof(lines), "    encap: none\n    %s\n", line);
	return spoil(rig_yaml, "    encap: none\n", lines, text);
}

static void refused(const char *yaml, const char *expected)
{
	refused_text(yaml, secrets_of(16, 32), expected);
}

/* Needs keys of AH. */
static void refused_ah(const char *from, const char *to, const char *expected)
{
	char ah[SPOILED_BYTES], text[SPOILED_BYTES];

	spoil(changed("protocol: esp", "protocol: ah", "aes128-sha256", "sha256"), from, to, ah);
	snprintf(text, sizeof(text), "%s", secrets_of(0, 32));
	refused_text(ah, text, expected);
}

/* Both networks become the hosts; one change. */
static void refused_transport(const char *from, const char *to, const char *expected)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(changed("mode: tunnel", "mode: transport", "[10.1.0.0/24]", "[192.0.2.1]"), "[10.2.0.0/24]",
		"[192.0.2.2]", a);
	refused(spoil(a, from, to, b), expected);
}

/* ---- algorithms ---- */

/* The lines of the others stay where they are: lab_keys takes the place of encap. */
static const char *suite_yaml(const char *protocol, const char *proposal, bool lab_keys)
{
	static char text[SPOILED_BYTES];
	char words[64];

	snprintf(words, sizeof(words), "protocol: %s", protocol);
	return spoil(changed("protocol: esp", words, "aes128-sha256", proposal), "encap: none",
		lab_keys ? "lab_keys: true" : "encap: none", text);
}

static size_t key_len(const struct alg *a)
{
	return a ? (size_t)a->key_bytes + a->salt_bytes : 0;
}

/* Loads with keys of the right lengths; with one byte more in either it does not. */
static void accept_suite(const char *protocol, const char *proposal, const struct alg *encr, const struct alg *integ)
{
	bool counter = ((encr ? encr->flags : 0) | (integ ? integ->flags : 0)) & ALG_COUNTER;
	static char yaml[SPOILED_BYTES];
	static struct config_errors errors;
	struct config *c;

	snprintf(yaml, sizeof(yaml), "%s", suite_yaml(protocol, proposal, counter));
	c = loaded(yaml, secrets_of(key_len(encr), key_len(integ)));
	const struct config_manual_sa *m = &c->manual_sas[0];
	CU_ASSERT(m->in.encr == encr && m->out.encr == encr && m->in.integ == integ && m->out.integ == integ);
	CU_ASSERT(m->in.encr_key.len == key_len(encr) && m->out.integ_key.len == key_len(integ));
	CU_ASSERT_EQUAL(m->in.protocol, strcmp(protocol, "ah") ? PROTOCOL_ESP : PROTOCOL_AH);
	config_free(c);
	CU_ASSERT(load_text(yaml, secrets_of(key_len(encr) + 1, key_len(integ)), &c, &errors) != 0);
	CU_ASSERT(load_text(yaml, secrets_of(key_len(encr), key_len(integ) + 1), &c, &errors) != 0);
	/* what counts has to be confirmed, the rest has not */
	snprintf(yaml, sizeof(yaml), "%s", suite_yaml(protocol, proposal, !counter));
	CU_ASSERT_EQUAL(load_text(yaml, secrets_of(key_len(encr), key_len(integ)), &c, &errors) != 0, counter);
	config_free(c);
}

static void test_manual_sa_of_every_algorithm(void)
{
	const struct alg *sha256 = alg_lookup(TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	const struct alg *cbc = alg_lookup(TRANSFORM_ENCR, ENCR_AES_CBC, 192);
	char proposal[128];

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		bool aead = a->flags & ALG_AEAD;
		if (a->type == TRANSFORM_ENCR && (a->flags & ALG_ESP) && !(a->flags & ALG_IIV)) {
			snprintf(proposal, sizeof(proposal), "%s%s-noesn", a->keyword, aead ? "" : "-sha256");
			accept_suite("esp", proposal, a, aead ? NULL : sha256);
		}
		if (a->type == TRANSFORM_INTEG && (a->flags & ALG_ESP)) {
			snprintf(proposal, sizeof(proposal), "aes192-%s-esn", a->keyword);
			accept_suite("esp", proposal, cbc, a);
		}
		if (a->type == TRANSFORM_INTEG)
			accept_suite("ah", a->keyword, NULL, a);
	}
}

static void test_manual_sa_with_an_implicit_iv(void)
{
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		char expected[256];
		if (!(a->flags & ALG_IIV))
			continue;
		snprintf(expected, sizeof(expected),
			"gw.yaml:8:15: manual_sas.rig.proposal: \"%s\": an implicit IV would repeat after a restart, "
			"as "
			"manual keys outlive it (RFC 8750 7)",
			a->keyword);
		refused_text(suite_yaml("esp", a->keyword, true), secrets_of(key_len(a), 0), expected);
	}
}

static void test_manual_sa_that_counts_is_confirmed(void)
{
	const char *expected =
		"gw.yaml:5:5: manual_sas.rig.lab_keys: true is needed here: with manual keys this algorithm "
		"repeats nonces after a restart (RFC 8221 3), so it is for a lab";

	refused_text(suite_yaml("esp", "aes128gcm16", false), secrets_of(20, 0), expected);
	refused_text(suite_yaml("esp", "aes256ctr-sha256", false), secrets_of(36, 32), expected);
	refused_text(suite_yaml("ah", "aes128gmac", false), secrets_of(0, 20), expected);
}

/* The fault stands at the word, whichever the protocol. */
static void test_manual_sa_proposal_of_the_other_protocol(void)
{
	refused_ah("proposal: sha256", "proposal: sha256-aes256",
		"gw.yaml:8:22: manual_sas.rig.proposal: \"aes256\" encrypts, which AH does not (RFC 4302 1)");
	refused_ah("proposal: sha256", "proposal: aes128gcm16",
		"gw.yaml:8:15: manual_sas.rig.proposal: \"aes128gcm16\" encrypts, which AH does not (RFC 4302 1)");
	refused_ah("proposal: sha256", "proposal: sha265",
		"gw.yaml:8:15: manual_sas.rig.proposal: unknown \"sha265\"; did you mean \"sha256\"?");
	refused_ah("proposal: sha256", "proposal: esn",
		"gw.yaml:8:15: manual_sas.rig.proposal: \"esn\": no integrity algorithm");
	refused_ah("proposal: sha256", "proposal: sha256-sha1",
		"gw.yaml:8:15: manual_sas.rig.proposal: \"sha256-sha1\": a manual SA takes one algorithm of each kind");
	refused_ah("proposal: sha256", "proposal: sha256-modp2048",
		"gw.yaml:8:15: manual_sas.rig.proposal: \"sha256-modp2048\": a manual SA has no key exchange");
	refused(changed("encap: none", "encap: none", "aes128-sha256", "sha256"),
		"gw.yaml:8:15: manual_sas.rig.proposal: \"sha256\": no encryption algorithm");
	refused(changed("encap: none", "encap: none", "aes128-sha256", "aes192ccm16"),
		"gw.yaml:8:15: manual_sas.rig.proposal: \"aes192ccm16\": the packet path has no AES-CCM-192 "
		"(intel-ipsec-mb lacks it)");
	refused(changed("protocol: esp", "protocol: ahh", "encap: none", "encap: none"),
		"gw.yaml:6:15: manual_sas.rig.protocol: unknown \"ahh\"; did you mean \"ah\"?");
}

/* The protocol decides, though it stands behind the proposal. */
static void test_manual_sa_protocol_may_stand_anywhere(void)
{
	char text[SPOILED_BYTES];

	spoil(changed("    protocol: esp\n", "", "aes128-sha256", "sha384-esn"), "    encap: none\n",
		"    encap: none\n    protocol: ah\n", text);
	struct config *c = loaded(text, secrets_of(0, 48));
	CU_ASSERT(c->manual_sas[0].out.protocol == PROTOCOL_AH && c->manual_sas[0].out.esn);
	config_free(c);
}

/* ---- keys ---- */

static void test_manual_sa_keys_that_nothing_takes(void)
{
	char ah[SPOILED_BYTES];

	snprintf(ah, sizeof(ah), "%s", changed("protocol: esp", "protocol: ah", "aes128-sha256", "sha256"));
	refused_text(ah, secrets_of(16, 32),
		"gw.yaml:13:11: manual_sas.rig.keys: encr_in is given, but AH does not encrypt");
	refused_text(changed("encap: none", "encap: none", "aes128-sha256", "null-sha256"), secrets_of(16, 32),
		"gw.yaml:13:11: manual_sas.rig.keys: encr_in is given, but null does not encrypt");
	refused_text(suite_yaml("esp", "aes128gcm16", true), secrets_of(20, 32),
		"gw.yaml:13:11: manual_sas.rig.keys: integ_in is given, but the proposal has no integrity algorithm");
}

static void test_manual_sa_keys_missing(void)
{
	refused_text(rig_yaml, secrets_of(16, 0),
		"gw.yaml:13:11: manual_sas.rig.keys: integ_in is missing, HMAC-SHA2-256-128 takes 32 bytes");
	refused_text(rig_yaml, secrets_of(0, 32),
		"gw.yaml:13:11: manual_sas.rig.keys: encr_in is missing, AES-CBC-128 takes 16 bytes");
	refused_text(suite_yaml("ah", "aes192gmac", true), secrets_of(0, 24),
		"gw.yaml:13:11: manual_sas.rig.keys: integ_in has 24 bytes, AES-GMAC-192 takes 28 (24 key, 4 salt)");
	refused_text(rig_yaml, secrets_of(15, 32),
		"gw.yaml:13:11: manual_sas.rig.keys: encr_in has 15 bytes, AES-CBC-128 takes 16");
	refused_text(rig_yaml, "manual_keys: [{name: k}]",
		"gw.yaml:13:11: manual_sas.rig.keys: encr_in is missing, AES-CBC-128 takes 16 bytes");
}

static const char *same_keys(size_t encr_len, size_t integ_len)
{
	static char text[SPOILED_BYTES];
	char encr[160], integ[160];

	key_text(9, encr_len, encr);
	key_text(5, integ_len, integ);
	snprintf(text, sizeof(text),
		"manual_keys: [{name: k, encr_in: %s, encr_out: %s, integ_in: %s, integ_out: %s}]\n", encr, encr, integ,
		integ);
	return text;
}

static void test_manual_sa_one_key_both_ways(void)
{
	static const char encr_same[] =
		"gw.yaml:13:11: manual_sas.rig.keys: encr_in and encr_out are the same: each nonce "
		"would be used twice (RFC 8221 3)";
	static const char integ_same[] =
		"gw.yaml:13:11: manual_sas.rig.keys: integ_in and integ_out are the same: each "
		"nonce would be used twice (RFC 8221 3)";

	refused_text(suite_yaml("esp", "chacha20poly1305", true), same_keys(36, 0), encr_same);
	refused_text(suite_yaml("esp", "aes128ccm12", true), same_keys(19, 0), encr_same);
	refused_text(suite_yaml("esp", "aes128gmac", true), same_keys(20, 0), encr_same);
	refused_text(suite_yaml("esp", "aes128ctr-sha256", true), same_keys(20, 32), encr_same);
	refused_text(suite_yaml("ah", "aes256gmac", true), same_keys(0, 36), integ_same);
	/* nothing counts under these */
	config_free(loaded(suite_yaml("esp", "aes128-sha256", false), same_keys(16, 32)));
	config_free(loaded(suite_yaml("ah", "aescmac", false), same_keys(0, 16)));
}

/* The second part is the first, but for a parity bit. */
static void test_manual_sa_single_des(void)
{
	static const char secrets[] = "manual_keys: [{name: k,\n"
				      " encr_in: 0x01020407080b0d0e11121417181b1d1e21222427282b2d2e,\n"
				      " encr_out: 0x01020407080b0d0e00020407080b0d0e21222427282b2d2e,\n"
				      " integ_in: 0x000102030405060708090a0b0c0d0e0f10111213,\n"
				      " integ_out: 0x000102030405060708090a0b0c0d0e0f10111213}]\n";

	refused_text(changed("encap: none", "encap: none", "aes128-sha256", "3des-sha1"), secrets,
		"gw.yaml:13:11: manual_sas.rig.keys: 3DES key of equal parts is single DES");
}

/* ---- settings ---- */

static void test_manual_sa_settings_reach_both_halves(void)
{
	char text[SPOILED_BYTES];
	struct config *c = loaded(
		spoil(with("outer: {dscp: 46, ecn: clear, df: clear, ttl: 200, fragment: after}\n    tfc_padding: "
			   "1400\n"
			   "    sequence_in: 0x123456789\n    sequence_out: 4294967296\n    replay_window: 4096\n"
			   "    lifetime: {soft_time: 1500ms, hard_time: 2h, soft_bytes: 10, hard_bytes: 20, "
			   "soft_packets: 3,\n"
			   "      hard_packets: 0x10}"),
			"aes128-sha256", "aes128-sha256-esn", text),
		secrets_of(16, 32));
	const struct sa_spec *in = &c->manual_sas[0].in, *out = &c->manual_sas[0].out;
	const struct sa_lifetime life = { 1500000000, 7200 * SECONDS, 10, 20, 3, 16 };

	CU_ASSERT(in->initial_sequence == 0x123456789 && out->initial_sequence == 0x100000000);
	CU_ASSERT(in->replay_window == 4096 && out->replay_window == 0);
	CU_ASSERT(in->tfc_bytes == 0 && out->tfc_bytes == 1400);
	CU_ASSERT(!memcmp(&in->lifetime, &life, sizeof(life)) && !memcmp(&out->lifetime, &life, sizeof(life)));
	for (int i = 0; i < 2; i++) {
		const struct header_rules *h = i ? &in->path.header : &out->path.header;
		CU_ASSERT(h->dscp_set && h->dscp == 46 && h->ecn_clear && h->df == DF_CLEAR);
		CU_ASSERT(h->fragment == FRAGMENT_AFTER && !h->ttl_copy && h->ttl == 200 && !h->flow_label_copy &&
			  h->flow_label == 0);
	}
	config_free(c);
}

static void test_manual_sa_defaults(void)
{
	struct config *c = loaded(rig_yaml, secrets_of(16, 32));
	const struct sa_spec *in = &c->manual_sas[0].in, *out = &c->manual_sas[0].out;
	static const struct sa_lifetime none;

	CU_ASSERT(in->protocol == PROTOCOL_ESP && in->mode == SA_MODE_TUNNEL && out->protocol == PROTOCOL_ESP);
	CU_ASSERT(!in->initial_sequence && !out->initial_sequence && !out->tfc_bytes && in->replay_window == 128);
	CU_ASSERT(!memcmp(&in->lifetime, &none, sizeof(none)));
	CU_ASSERT(header_rules_default(&in->path.header) && header_rules_default(&out->path.header));
	config_free(c);
}

static void test_manual_sa_words_in_the_place_of_numbers(void)
{
	struct config *c = loaded(
		with("tfc_padding: mtu\n    outer: {dscp: copy, ttl: copy, df: copy}"), secrets_of(16, 32));
	const struct sa_spec *out = &c->manual_sas[0].out;

	CU_ASSERT_EQUAL(out->tfc_bytes, TFC_TO_MTU);
	CU_ASSERT(!out->path.header.dscp_set && out->path.header.ttl_copy && out->path.header.df == DF_COPY);
	config_free(c);
	c = loaded(with("outer: {dscp: 0}"), secrets_of(16, 32));
	CU_ASSERT(c->manual_sas[0].out.path.header.dscp_set && c->manual_sas[0].out.path.header.dscp == 0);
	config_free(c);
}

static void test_manual_sa_transport_between_hosts(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(changed("mode: tunnel", "mode: transport", "[10.1.0.0/24]",
		      "[\"192.0.2.1/32[tcp/80]\", \"192.0.2.1[icmp]\"]"),
		"[10.2.0.0/24]", "[192.0.2.2]", a);
	struct config *c = loaded(spoil(a, "encap: none", "encap: udp", b), secrets_of(16, 32));
	CU_ASSERT(c->manual_sas[0].in.mode == SA_MODE_TRANSPORT && c->manual_sas[0].out.mode == SA_MODE_TRANSPORT);
	config_free(c);
}

/* ---- settings out of range ---- */

static void test_manual_sa_numbers_out_of_range(void)
{
	refused(with("tfc_padding: 63"), "gw.yaml:15:18: manual_sas.rig.tfc_padding: 63 is not 0 or from 64 to 9600");
	refused(with("tfc_padding: 9601"),
		"gw.yaml:15:18: manual_sas.rig.tfc_padding: 9601 is not 0 or from 64 to 9600");
	refused(with("tfc_padding: max"),
		"gw.yaml:15:18: manual_sas.rig.tfc_padding: \"max\" is neither a number nor mtu");
	refused(with("outer: {dscp: 64}"), "gw.yaml:15:19: manual_sas.rig.outer.dscp: 64 is not from 0 to 63");
	refused(with("outer: {dscp: -1}"),
		"gw.yaml:15:19: manual_sas.rig.outer.dscp: \"-1\" is neither a number nor copy");
	refused(with("outer: {ttl: 0}"), "gw.yaml:15:18: manual_sas.rig.outer.ttl: 0 is not from 1 to 255");
	refused(with("outer: {ttl: 256}"), "gw.yaml:15:18: manual_sas.rig.outer.ttl: 256 is not from 1 to 255");
	refused(with("outer: {ecn: set}"),
		"gw.yaml:15:18: manual_sas.rig.outer.ecn: unknown \"set\"; known: copy, clear");
	refused(with("outer: {df: no}"),
		"gw.yaml:15:17: manual_sas.rig.outer.df: unknown \"no\"; known: copy, set, clear");
	refused(with("outer: {fragment: never}"),
		"gw.yaml:15:23: manual_sas.rig.outer.fragment: unknown \"never\"; known: before, after");
	refused(with("outer: {fragment: after, df: set}"),
		"gw.yaml:15:23: manual_sas.rig.outer.fragment: `after` makes fragments of what `df: set` forbids to "
		"fragment");
	refused(with("outer: {flow_label: 0x100000}"),
		"gw.yaml:15:25: manual_sas.rig.outer.flow_label: 1048576 is not from 0 to 1048575");
	refused(with("outer: {tos: 1}"),
		"gw.yaml:15:13: manual_sas.rig.outer: unknown setting \"tos\"; did you mean \"ttl\"?");
	refused(with("sequence_in: 18446744073709551616"),
		"gw.yaml:15:18: manual_sas.rig.sequence_in: \"18446744073709551616\" is not a number (decimal, or "
		"hexadecimal after 0x)");
}

/* 0 would end the SA before its first packet. */
static void test_manual_sa_lifetimes_out_of_range(void)
{
	refused(with("lifetime: {hard_bytes: 0}"),
		"gw.yaml:15:28: manual_sas.rig.lifetime.hard_bytes: 0 is not from 1 to 9223372036854775807");
	refused(with("lifetime: {soft_packets: 0}"),
		"gw.yaml:15:30: manual_sas.rig.lifetime.soft_packets: 0 is not from 1 to 9223372036854775807");
	refused(with("lifetime: {hard_time: 0s}"),
		"gw.yaml:15:27: manual_sas.rig.lifetime.hard_time: 0s is not from 1s to 365d");
	refused(with("lifetime: {soft_time: 60}"), "gw.yaml:15:27: manual_sas.rig.lifetime.soft_time: \"60\" is not a "
						   "duration such as 500ms, 30s, 5m, 1h or "
						   "1d");
}

/* ---- combinations ---- */

static void test_manual_sa_soft_lifetime_behind_the_hard_one(void)
{
	refused(with("lifetime: {soft_time: 2h, hard_time: 1h}"),
		"gw.yaml:15:27: manual_sas.rig.lifetime.soft_time: longer than hard_time");
	refused(with("lifetime: {soft_bytes: 2, hard_bytes: 1}"),
		"gw.yaml:15:28: manual_sas.rig.lifetime.soft_bytes: more than hard_bytes");
	refused(with("lifetime: {soft_packets: 2, hard_packets: 1}"),
		"gw.yaml:15:30: manual_sas.rig.lifetime.soft_packets: more than hard_packets");
	config_free(loaded(with("lifetime: {soft_time: 1h, hard_time: 1h, soft_bytes: 5}"), secrets_of(16, 32)));
}

static void test_manual_sa_ah_cannot(void)
{
	refused_ah("encap: none", "encap: udp",
		"gw.yaml:14:12: manual_sas.rig.encap: AH cannot be encapsulated in UDP (RFC 3948 1)");
	refused_ah("encap: none", "tfc_padding: mtu",
		"gw.yaml:14:18: manual_sas.rig.tfc_padding: AH does not hide lengths; ESP does (RFC 4303 2.7)");
}

static void test_manual_sa_transport_mode_cannot(void)
{
	refused_transport("encap: none", "outer: {dscp: copy}",
		"gw.yaml:14:12: manual_sas.rig.outer: transport mode keeps the packet's own header: nothing to set");
	refused_transport("encap: none", "tfc_padding: 1400",
		"gw.yaml:14:18: manual_sas.rig.tfc_padding: transport mode cannot pad: only an inner IP header says "
		"where a "
		"packet ends (RFC 4303 2.7)");
	refused_transport("[192.0.2.1]", "[192.0.2.0/30]",
		"gw.yaml:15:22: manual_sas.rig.local_selectors: 192.0.2.0/30 is not inside of 192.0.2.1: transport "
		"mode is "
		"between the two hosts only");
	refused_transport("[192.0.2.1]", "[192.0.2.1, 10.1.0.1]",
		"gw.yaml:15:22: manual_sas.rig.local_selectors: 10.1.0.1 is not inside of 192.0.2.1: transport mode is "
		"between "
		"the two hosts only");
	refused_transport("[192.0.2.2]", "[0.0.0.0/0]",
		"gw.yaml:16:23: manual_sas.rig.remote_selectors: 0.0.0.0/0 is not inside of 192.0.2.2: transport mode "
		"is "
		"between the two hosts only");
}

static void test_manual_sa_esn_needs_a_window(void)
{
	refused(changed("encap: none", "replay_window: 0", "aes128-sha256", "aes128-sha256-esn"),
		"gw.yaml:14:20: manual_sas.rig.replay_window: 64-bit sequence numbers (esn) need the window: without "
		"it "
		"the receiver does not know the upper half (RFC 4303 3.3.3)");
	config_free(loaded(with("replay_window: 0"), secrets_of(16, 32)));
}

static void test_manual_sa_sequence_needs_esn(void)
{
	refused(with("sequence_in: 0x100000000"),
		"gw.yaml:15:18: manual_sas.rig.sequence_in: numbers above 4294967295 need esn in the proposal");
	refused(with("sequence_out: 0x100000000"),
		"gw.yaml:15:19: manual_sas.rig.sequence_out: numbers above 4294967295 need esn in the proposal");
	config_free(loaded(with("sequence_out: 0xffffffff"), secrets_of(16, 32)));
}

static void test_manual_sa_families(void)
{
	refused(changed("remote: 192.0.2.2", "remote: 2001:db8::2", "encap: none", "encap: none"),
		"gw.yaml:10:13: manual_sas.rig.remote: local and remote are not of one address family");
	refused(changed("[10.2.0.0/24]", "[\"2001:db8:2::/48\"]", "encap: none", "encap: none"),
		"gw.yaml:16:23: manual_sas.rig.remote_selectors: local_selectors has IPv4 and the other side has not: "
		"no "
		"packet matches");
	refused(with("outer: {flow_label: 0}"),
		"gw.yaml:15:25: manual_sas.rig.outer.flow_label: an outer IPv4 header has no flow label");
	refused(changed("remote: 192.0.2.2", "remote: ::1", "encap: none", "encap: none"),
		"gw.yaml:10:13: manual_sas.rig.remote: ::1 is not the address of a host");
	refused(changed("remote: 192.0.2.2", "remote: ::ffff:192.0.2.2", "encap: none", "encap: none"),
		"gw.yaml:10:13: manual_sas.rig.remote: ::ffff:192.0.2.2 is not the address of a host");
	refused(changed("remote: 192.0.2.2", "remote: ff02::1", "encap: none", "encap: none"),
		"gw.yaml:10:13: manual_sas.rig.remote: ff02::1 is not the address of a host");
}

/* The rig's SA over IPv6; one change. */
static const char *over_ipv6(const char *from, const char *to)
{
	static char text[SPOILED_BYTES];
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	spoil(rig_yaml, "address: 192.0.2.1/24}", "address6: \"2001:db8:f::1/64\"}", a);
	spoil(a, "local: 192.0.2.1", "local: 2001:db8:f::1", b);
	spoil(b, "remote: 192.0.2.2", "remote: 2001:db8:f::2", a);
	return spoil(a, from, to, text);
}

static void test_manual_sa_over_ipv6(void)
{
	struct config *c = loaded(
		over_ipv6("encap: none", "encap: udp\n    outer: {flow_label: copy, ttl: 1}"), secrets_of(16, 32));
	const struct path_spec *p = &c->manual_sas[0].out.path;
	char text[ADDR_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(addr_format(&p->remote.addr, text), "2001:db8:f::2");
	CU_ASSERT(p->local.addr.family == ADDR_IPV6 && p->remote.port == 4500);
	CU_ASSERT(p->header.flow_label_copy && p->header.flow_label == 0 && p->header.ttl == 1);
	config_free(c);
	c = loaded(over_ipv6("encap: none", "outer: {flow_label: 0xfffff}"), secrets_of(16, 32));
	CU_ASSERT(!c->manual_sas[0].out.path.header.flow_label_copy);
	CU_ASSERT_EQUAL(c->manual_sas[0].out.path.header.flow_label, 0xfffff);
	config_free(c);
	refused(over_ipv6("encap: none", "outer: {df: copy}"),
		"gw.yaml:14:17: manual_sas.rig.outer.df: an outer IPv6 header has no DF bit");
	refused(over_ipv6("2001:db8:f::2", "2001:db8:f::1"),
		"gw.yaml:10:13: manual_sas.rig.remote: 2001:db8:f::1 is our own address");
	refused(over_ipv6("local: 2001:db8:f::1", "local: 2001:db8:f::9"),
		"gw.yaml:9:12: manual_sas.rig.local: 2001:db8:f::9 is not the address of an interface");
}

static void test_manual_sa_transport_over_ipv6(void)
{
	char a[SPOILED_BYTES], b[SPOILED_BYTES];

	snprintf(a, sizeof(a), "%s", over_ipv6("mode: tunnel", "mode: transport"));
	spoil(a, "[10.1.0.0/24]", "[\"2001:db8:f::1\"]", b);
	config_free(loaded(spoil(b, "[10.2.0.0/24]", "[\"2001:db8:f::2/128[udp]\"]", a), secrets_of(16, 32)));
	refused(spoil(b, "[10.2.0.0/24]", "[\"2001:db8:f::2/127\"]", a),
		"gw.yaml:16:23: manual_sas.rig.remote_selectors: 2001:db8:f::2/127 is not inside of 2001:db8:f::2: "
		"transport mode is between the two hosts only");
	refused(spoil(b, "[10.2.0.0/24]", "[192.0.2.2]", a),
		"gw.yaml:16:23: manual_sas.rig.remote_selectors: "
		"192.0.2.2 is not inside of 2001:db8:f::2: transport mode is "
		"between the two hosts only");
}

/* A second pair between other addresses may have the same SPIs both ways, one between the same ends may not. */
static void test_manual_sa_spis_of_both_families(void)
{
	static const char second[] = "manual_sas:\n"
				     "  - {name: four, proposal: aes128-sha256, local: %s, remote: %s, spi_in: "
				     "%s, spi_out: 0x1002, keys: "
				     "f,\n     local_selectors: [10.1.0.0/24], remote_selectors: [10.4.0.0/24]}\n";
	char text[SPOILED_BYTES], yaml[SPOILED_BYTES], secrets[SPOILED_BYTES], line[512];

	snprintf(text, sizeof(text), "%s", over_ipv6("encap: none", "encap: none"));
	snprintf(secrets, sizeof(secrets),
		"%s - {name: f, encr_in: 0x%032d, encr_out: 0x%032d, integ_in: 0x%064d, integ_out: 0x%064d}\n",
		secrets_of(16, 32), 1, 2, 3, 4);
	snprintf(line, sizeof(line), second, "10.1.0.1", "10.1.0.2", "0x1003");
	config_free(loaded(spoil(text, "manual_sas:\n", line, yaml), secrets));
	snprintf(line, sizeof(line), second, "10.1.0.1", "10.1.0.2", "0x1001");
	config_free(loaded(spoil(text, "manual_sas:\n", line, yaml), secrets));
	snprintf(line, sizeof(line), second, "\"2001:db8:f::1\"", "\"2001:db8:f::2\"", "0x1003");
	refused_text(spoil(text, "manual_sas:\n", line, yaml), secrets,
		"gw.yaml:14:14: manual_sas.rig.spi_out: 0x1002 is the SPI of four too");
}

/* Both families inside one SA. */
static void test_manual_sa_selectors_of_both_families(void)
{
	struct config *c = loaded(changed("[10.1.0.0/24]", "[10.1.0.0/24, \"2001:db8:1::/64\"]", "[10.2.0.0/24]",
					  "[\"2001:db8:2::/64\", 10.2.0.0/24]"),
		secrets_of(16, 32));
	char text[256];

	CU_ASSERT_STRING_EQUAL(
		selector_list_format(&c->manual_sas[0].out.remote, text, sizeof(text)), "2001:db8:2::/64, 10.2.0.0/24");
	config_free(c);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_manual_sa_of_every_algorithm),
		TEST(test_manual_sa_with_an_implicit_iv),
		TEST(test_manual_sa_that_counts_is_confirmed),
		TEST(test_manual_sa_proposal_of_the_other_protocol),
		TEST(test_manual_sa_protocol_may_stand_anywhere),
		TEST(test_manual_sa_keys_that_nothing_takes),
		TEST(test_manual_sa_keys_missing),
		TEST(test_manual_sa_one_key_both_ways),
		TEST(test_manual_sa_single_des),
		TEST(test_manual_sa_settings_reach_both_halves),
		TEST(test_manual_sa_defaults),
		TEST(test_manual_sa_words_in_the_place_of_numbers),
		TEST(test_manual_sa_transport_between_hosts),
		TEST(test_manual_sa_numbers_out_of_range),
		TEST(test_manual_sa_lifetimes_out_of_range),
		TEST(test_manual_sa_soft_lifetime_behind_the_hard_one),
		TEST(test_manual_sa_ah_cannot),
		TEST(test_manual_sa_transport_mode_cannot),
		TEST(test_manual_sa_esn_needs_a_window),
		TEST(test_manual_sa_sequence_needs_esn),
		TEST(test_manual_sa_families),
		TEST(test_manual_sa_over_ipv6),
		TEST(test_manual_sa_transport_over_ipv6),
		TEST(test_manual_sa_spis_of_both_families),
		TEST(test_manual_sa_selectors_of_both_families),
	};

	return test_main("conf_manual", tests, ARRAY_LEN(tests), argc, argv);
}
