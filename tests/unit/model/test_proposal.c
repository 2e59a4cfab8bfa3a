/* SPDX-License-Identifier: BSD-3-Clause */
/* Proposal texts: what words become, what is added, and each text that must be refused with the right word and reason.
 */
#include "proposal.h"

#include <errno.h>
#include <string.h>

#include "base.h"
#include "harness.h"

struct parsed {
	int err;
	struct proposal proposal;
	char text[PROPOSAL_TEXT_MAX], word[64];
	const char *reason;
};

static struct parsed parse(enum security_protocol protocol, const char *text)
{
	struct parsed r = { .proposal = { .count = 77 } };
	const char *word = NULL;
	size_t len = 0;

	r.err = proposal_parse(protocol, text, &r.proposal, &word, &len, &r.reason);
	snprintf(r.word, sizeof(r.word), "%.*s", (int)len, word);
	if (!r.err)
		proposal_format(&r.proposal, r.text);
	CU_ASSERT(!r.err || r.proposal.count == 77); /* untouched by a refusal */
	return r;
}

static void accept_one(enum security_protocol protocol, const char *text, const char *expected)
{
	struct parsed r = parse(protocol, text);

	CU_ASSERT_EQUAL(r.err, 0);
	CU_ASSERT_PTR_NULL(r.reason);
	CU_ASSERT_STRING_EQUAL(r.text, expected);
	CU_ASSERT_EQUAL(r.proposal.protocol, protocol);
	CU_ASSERT_EQUAL(r.proposal.number, 1);
}

static void refuse_one(enum security_protocol protocol, const char *text, const char *word, const char *reason)
{
	struct parsed r = parse(protocol, text);

	CU_ASSERT_EQUAL(r.err, -EINVAL);
	CU_ASSERT_STRING_EQUAL(r.word, word);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r.reason);
	if (!strstr(r.reason, reason))
		fprintf(stderr, "\"%s\": %s\n", text, r.reason);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.reason, reason));
}

static void test_ike_proposals_are_read(void)
{
	accept_one(PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384", "AES-GCM-256/PRF-HMAC-SHA2-384/ECP-384");
	accept_one(PROTOCOL_IKE, "aes128-sha256-prfsha512-modp2048-x25519",
		"AES-CBC-128/HMAC-SHA2-256-128/PRF-HMAC-SHA2-512/MODP-2048/CURVE25519");
	accept_one(PROTOCOL_IKE, "aes128gcm16-aes256gcm16-prfsha256-x25519-ecp256",
		"AES-GCM-128/AES-GCM-256/PRF-HMAC-SHA2-256/CURVE25519/ECP-256");
}

static void test_ike_proposal_gets_prf_of_integrity(void)
{
	accept_one(PROTOCOL_IKE, "aes128-sha256-modp2048", "AES-CBC-128/HMAC-SHA2-256-128/MODP-2048/PRF-HMAC-SHA2-256");
	accept_one(PROTOCOL_IKE, "aes256-sha384-sha512-x25519",
		"AES-CBC-256/HMAC-SHA2-384-192/HMAC-SHA2-512-256/CURVE25519/PRF-HMAC-SHA2-384/PRF-HMAC-SHA2-512");
}

/* "aes256gcm16-sha384-ecp384" is common in configurations: the hash can only have meant the PRF. */
static void test_ike_aead_takes_hash_as_prf(void)
{
	accept_one(PROTOCOL_IKE, "aes256gcm16-sha384-ecp384", "AES-GCM-256/ECP-384/PRF-HMAC-SHA2-384");
	refuse_one(PROTOCOL_IKE, "aes256gcm16-sha384-prfsha384-ecp384", "aes256gcm16-sha384-prfsha384-ecp384",
		"AEAD takes no integrity");
}

/* As strongSwan's manual writes them. */
static void test_ike_proposals_of_every_kind_are_read(void)
{
	accept_one(PROTOCOL_IKE, "aes192ccm12-prfsha512-ecp521", "AES-CCM-192-12/PRF-HMAC-SHA2-512/ECP-521");
	accept_one(PROTOCOL_IKE, "aes256gcm64-prfaescmac-curve448", "AES-GCM-256-8/PRF-AES128-CMAC/CURVE448");
	accept_one(PROTOCOL_IKE, "chacha20poly1305-prfsha256-ecp384bp",
		"CHACHA20-POLY1305/PRF-HMAC-SHA2-256/BRAINPOOL-384");
	accept_one(PROTOCOL_IKE, "3des-sha1-modp1024", "3DES-CBC/HMAC-SHA1-96/MODP-1024/PRF-HMAC-SHA1");
	accept_one(PROTOCOL_IKE, "aes256ctr-aescmac-modp8192", "AES-CTR-256/AES-CMAC-96/MODP-8192/PRF-AES128-CMAC");
}

static void test_esp_proposals_are_read(void)
{
	accept_one(PROTOCOL_ESP, "aes256gcm16", "AES-GCM-256/ESN/NO-ESN");
	accept_one(PROTOCOL_ESP, "aes128gcm16-aes256gcm16", "AES-GCM-128/AES-GCM-256/ESN/NO-ESN");
	accept_one(PROTOCOL_ESP, "aes256gcm16-x25519-esn", "AES-GCM-256/CURVE25519/ESN");
	accept_one(PROTOCOL_ESP, "aes256gcm-noesn", "AES-GCM-256/NO-ESN");
	accept_one(PROTOCOL_ESP, "aes256gcm16-noesn-esn", "AES-GCM-256/NO-ESN/ESN");
}

static void test_esp_proposals_of_every_kind_are_read(void)
{
	accept_one(PROTOCOL_ESP, "aes128-sha256", "AES-CBC-128/HMAC-SHA2-256-128/ESN/NO-ESN");
	accept_one(PROTOCOL_ESP, "3des-sha1-noesn", "3DES-CBC/HMAC-SHA1-96/NO-ESN");
	accept_one(PROTOCOL_ESP, "null-sha384-esn", "NULL/HMAC-SHA2-384-192/ESN");
	accept_one(PROTOCOL_ESP, "aes256ctr-aescmac-aesxcbc-esn", "AES-CTR-256/AES-CMAC-96/AES-XCBC-96/ESN");
	accept_one(PROTOCOL_ESP, "aes128ccm12-chacha20poly1305-noesn", "AES-CCM-128-12/CHACHA20-POLY1305/NO-ESN");
	accept_one(PROTOCOL_ESP, "aes256gcm16iiv-esn", "AES-GCM-256-IIV/ESN");
	/* the word of two algorithms: in ESP the one that takes the place of encryption */
	accept_one(PROTOCOL_ESP, "aes128gmac-esn", "NULL-AES-GMAC-128/ESN");
	refuse_one(PROTOCOL_ESP, "aes128-aes128gmac", "aes128-aes128gmac", "cannot share a proposal");
}

static void test_ah_proposals_are_read(void)
{
	accept_one(PROTOCOL_AH, "sha256", "HMAC-SHA2-256-128/ESN/NO-ESN");
	accept_one(PROTOCOL_AH, "sha1-sha512-aesxcbc-aescmac-noesn",
		"HMAC-SHA1-96/HMAC-SHA2-512-256/AES-XCBC-96/AES-CMAC-96/NO-ESN");
	accept_one(PROTOCOL_AH, "aes256gmac-x25519-esn", "AES-GMAC-256/CURVE25519/ESN");
}

static void test_ah_proposals_without_integrity_are_refused(void)
{
	refuse_one(PROTOCOL_AH, "esn", "esn", "no integrity");
	refuse_one(PROTOCOL_AH, "x25519", "x25519", "no integrity");
	refuse_one(PROTOCOL_AH, "aes256-sha256", "aes256", "unknown");
	refuse_one(PROTOCOL_AH, "sha256-aes128gcm16", "aes128gcm16", "unknown");
	refuse_one(PROTOCOL_AH, "null-sha256", "null", "unknown");
	refuse_one(PROTOCOL_AH, "prfsha256", "prfsha256", "unknown");
}

/* What others offer and we never will: the reason, not only "unknown". */
static void test_proposal_refuses_some_words_by_name(void)
{
	static const struct {
		const char *word, *reason;
	} rows[] = { { "aes192ccm8iiv", "no AES-CCM-192" }, { "md5", "RFC 8221 6" }, { "prfmd5", "RFC 8247 2.2" },
		{ "prfaesxcbc", "prfaescmac" }, { "des", "RFC 8221 5" }, { "blowfish", "RFC 8221 5" },
		{ "blowfish128", "RFC 8221 5" }, { "modp768", "RFC 8247 2.4" }, { "modp1024s160", "RFC 8247 2.4" },
		{ "modp2048s224", "RFC 8247 2.4" }, { "modp2048s256", "RFC 8247 2.4" } };
	static const char *const ike_only[] = { "aes192ccm16", "aes192ccm12", "aes192ccm8" };
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		refuse_one(PROTOCOL_ESP, rows[i].word, rows[i].word, rows[i].reason);
		refuse_one(PROTOCOL_IKE, rows[i].word, rows[i].word, rows[i].reason);
		snprintf(text, sizeof(text), "sha256-%s", rows[i].word);
		refuse_one(PROTOCOL_AH, text, rows[i].word, rows[i].reason);
	}
	for (size_t i = 0; i < ARRAY_LEN(ike_only); i++)
		refuse_one(PROTOCOL_ESP, ike_only[i], ike_only[i], "no AES-CCM-192");
	refuse_one(PROTOCOL_ESP, "aes128-md5", "md5", "HMAC-MD5");
	refuse_one(PROTOCOL_ESP, "md", "md", "unknown");
}

static void test_proposal_refuses_unknown_words(void)
{
	refuse_one(PROTOCOL_IKE, "aes257gcm-prfsha256-x25519", "aes257gcm", "unknown");
	refuse_one(PROTOCOL_IKE, "aes256gcm16-prfsha999-x25519", "prfsha999", "unknown");
	refuse_one(PROTOCOL_IKE, "", "", "unknown");
	refuse_one(PROTOCOL_IKE, "-", "", "unknown");
	refuse_one(PROTOCOL_ESP, "aes256gcm16-", "", "unknown");
	refuse_one(PROTOCOL_ESP, "aes256gcm16--esn", "", "unknown");
	refuse_one(PROTOCOL_ESP, "AES256GCM16", "AES256GCM16", "unknown");
	refuse_one(PROTOCOL_ESP, " aes256gcm16", " aes256gcm16", "unknown");
}

static void test_proposal_refuses_words_of_the_other_protocol(void)
{
	refuse_one(PROTOCOL_IKE, "aes256gcm16-prfsha256-x25519-esn", "esn", "unknown");
	refuse_one(PROTOCOL_ESP, "aes256gcm16-prfsha256", "prfsha256", "unknown");
	refuse_one(PROTOCOL_IKE, "aes128gcm16iiv-prfsha256-x25519", "aes128gcm16iiv", "unknown");
	refuse_one(PROTOCOL_IKE, "aes256-aesxcbc-x25519", "aesxcbc", "unknown");
	refuse_one(PROTOCOL_IKE, "null-sha256-x25519", "null", "unknown");
	refuse_one(PROTOCOL_IKE, "aes128gmac-prfsha256-x25519", "aes128gmac", "unknown");
}

static void test_proposal_refuses_aead_with_classic(void)
{
	static const char *const mixtures[] = { "aes256gcm16-aes256-sha256-x25519", "aes256-aes256gcm16-sha256-x25519",
		"aes128gcm16-aes256gcm16-aes128-prfsha256-x25519", "aes256gcm16-aes256-prfsha256-x25519" };

	for (size_t i = 0; i < ARRAY_LEN(mixtures); i++)
		refuse_one(PROTOCOL_IKE, mixtures[i], mixtures[i], "cannot share a proposal");
	refuse_one(PROTOCOL_ESP, "aes256gcm16-aes256", "aes256gcm16-aes256", "cannot share a proposal");
	refuse_one(PROTOCOL_ESP, "null-chacha20poly1305", "null-chacha20poly1305", "cannot share a proposal");
}

static void test_proposal_refuses_incomplete_sets(void)
{
	refuse_one(PROTOCOL_IKE, "prfsha256-x25519", "prfsha256-x25519", "no encryption");
	refuse_one(PROTOCOL_IKE, "sha256-x25519", "sha256-x25519", "no encryption");
	refuse_one(PROTOCOL_IKE, "aes128-prfsha256-x25519", "aes128-prfsha256-x25519", "no integrity");
	refuse_one(PROTOCOL_IKE, "aes128gcm16-x25519", "aes128gcm16-x25519", "no PRF");
	refuse_one(PROTOCOL_IKE, "aes128gcm16-prfsha256", "aes128gcm16-prfsha256", "no key exchange");
	refuse_one(PROTOCOL_IKE, "aes128-sha256", "aes128-sha256", "no key exchange");
	refuse_one(PROTOCOL_ESP, "x25519", "x25519", "no encryption");
	refuse_one(PROTOCOL_ESP, "esn", "esn", "no encryption");
	refuse_one(PROTOCOL_ESP, "sha256", "sha256", "no encryption");
	refuse_one(PROTOCOL_ESP, "aes256", "aes256", "no integrity");
	refuse_one(PROTOCOL_ESP, "null", "null", "no integrity");
	refuse_one(PROTOCOL_ESP, "aes128ctr-esn", "aes128ctr-esn", "no integrity");
	refuse_one(PROTOCOL_ESP, "aes256gcm16-sha256", "aes256gcm16-sha256", "AEAD takes no integrity");
}

static void test_proposal_refuses_words_twice(void)
{
	refuse_one(PROTOCOL_ESP, "aes256gcm16-esn-aes256gcm16", "aes256gcm16", "named twice");
	refuse_one(PROTOCOL_ESP, "aes256gcm16-aes256gcm", "aes256gcm", "named twice");
	refuse_one(PROTOCOL_IKE, "aes128-sha256-sha2_256-x25519", "sha2_256", "named twice");
}

/* All algorithms of the table that can stand together, in one proposal. */
static void accept_every_word(enum security_protocol protocol, bool aead)
{
	char text[PROPOSAL_TEXT_MAX] = "";
	int count = 0;

	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		bool other_kind = (a->type == TRANSFORM_ENCR && !!(a->flags & ALG_AEAD) != aead) ||
				  (a->type == TRANSFORM_INTEG && aead);
		if (other_kind || !(a->flags & proposal_usable(protocol)))
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", count ? "-" : "", a->keyword);
		count++;
	}
	struct parsed r = parse(protocol, text);
	CU_ASSERT_EQUAL(r.err, 0);
	CU_ASSERT_EQUAL(r.proposal.count, count);
}

static void test_proposal_takes_every_word_of_a_protocol(void)
{
	accept_every_word(PROTOCOL_IKE, true);
	accept_every_word(PROTOCOL_IKE, false);
	accept_one(PROTOCOL_IKE,
		"aes128-aes192-aes256-prfsha256-prfsha384-prfsha512-sha256-sha384-sha512-modp2048-ecp256-ecp384-x25519",
		"AES-CBC-128/AES-CBC-192/AES-CBC-256/PRF-HMAC-SHA2-256/PRF-HMAC-SHA2-384/PRF-HMAC-SHA2-512/"
		"HMAC-SHA2-256-128/HMAC-SHA2-384-192/HMAC-SHA2-512-256/MODP-2048/ECP-256/ECP-384/CURVE25519");
	accept_every_word(PROTOCOL_AH, false);
	accept_every_word(PROTOCOL_ESP, true);
	accept_every_word(PROTOCOL_ESP, false);
}

static const char *fault_of(enum security_protocol protocol, const char *encr, const char *integ, const char *prf)
{
	struct suite s = { .ke = alg_lookup(TRANSFORM_KE, KE_ECP_256, 0) };
	const char *reason;

	s.encr = encr ? alg_lookup_keyword(TRANSFORM_ENCR, encr, strlen(encr)) : NULL;
	s.integ = integ ? alg_lookup_keyword(TRANSFORM_INTEG, integ, strlen(integ)) : NULL;
	s.prf = prf ? alg_lookup_keyword(TRANSFORM_PRF, prf, strlen(prf)) : NULL;
	reason = suite_fault(protocol, &s);
	return reason ? reason : "none";
}

static void test_suite_is_judged_as_a_whole(void)
{
	struct suite no_group = { .encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 128),
		.prf = alg_lookup(TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0) };
	struct suite exchanged = { .encr = no_group.prf, .integ = alg_lookup(TRANSFORM_INTEG, INTEG_AES_CMAC_96, 0) };

	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_IKE, "aes128gcm16", NULL, "prfsha256"), "none");
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_IKE, "3des", "sha1", "prfsha1"), "none");
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_ESP, "null", "sha256", NULL), "none");
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_AH, NULL, "sha256", NULL), "none");
	CU_ASSERT_PTR_NOT_NULL(strstr(fault_of(PROTOCOL_IKE, "aes128gcm16", "sha256", "prfsha256"), "takes no integ"));
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_IKE, "3des", NULL, "prfsha256"), "no integrity algorithm");
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_IKE, "aes128", "sha256", NULL), "no PRF");
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_IKE, NULL, "sha256", "prfsha256"), "no encryption algorithm");
	CU_ASSERT_STRING_EQUAL(fault_of(PROTOCOL_AH, NULL, NULL, NULL), "no integrity algorithm");
	CU_ASSERT_PTR_NOT_NULL(strstr(fault_of(PROTOCOL_IKE, "null", "sha256", "prfsha256"), "does not use"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault_of(PROTOCOL_ESP, "aes192ccm16", NULL, NULL), "does not use"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fault_of(PROTOCOL_AH, "aes128", "sha256", NULL), "does not use"));
	CU_ASSERT_STRING_EQUAL(suite_fault(PROTOCOL_IKE, &no_group), "no key exchange group");
	CU_ASSERT_PTR_NOT_NULL(suite_fault(PROTOCOL_IKE, &exchanged));
}

static void test_proposal_add_stops_when_full(void)
{
	struct proposal p = { 0 };

	for (uint16_t i = 0; i < PROPOSAL_TRANSFORMS_MAX; i++)
		CU_ASSERT_EQUAL(proposal_add(&p, TRANSFORM_ENCR, i, 128), 0);
	CU_ASSERT_EQUAL(proposal_add(&p, TRANSFORM_PRF, 99, 0), -ENOSPC);
	CU_ASSERT_EQUAL(p.count, PROPOSAL_TRANSFORMS_MAX);
	CU_ASSERT(proposal_has_type(&p, TRANSFORM_ENCR));
	CU_ASSERT_FALSE(proposal_has_type(&p, TRANSFORM_PRF));
}

static void test_proposal_format_names_the_unknown(void)
{
	struct proposal p = { 0 };
	char text[PROPOSAL_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(proposal_format(&p, text), "");
	proposal_add(&p, TRANSFORM_ENCR, 99, 0);
	proposal_add(&p, TRANSFORM_ENCR, ENCR_AES_GCM_16, 160);
	proposal_add(&p, TRANSFORM_KE, 35, 0);
	proposal_add(&p, (enum transform_type)77, 65535, 65535);
	proposal_add(&p, TRANSFORM_INTEG, INTEG_NONE, 0);
	CU_ASSERT_STRING_EQUAL(proposal_format(&p, text), "ENCR-99/ENCR-20-160/KE-35/TRANSFORM-65535-65535/INTEG-0");
}

static void test_proposal_texts_are_cut_not_overrun(void)
{
	static struct proposal_list list = { .count = PROPOSALS_MAX };
	struct {
		char text[PROPOSAL_TEXT_MAX], guard[8];
	} out;

	for (int i = 0; i < PROPOSALS_MAX; i++)
		for (int k = 0; k < PROPOSAL_TRANSFORMS_MAX; k++)
			proposal_add(&list.items[i], (enum transform_type)255, 65535, 65535);
	memset(&out, 0x5a, sizeof(out));
	CU_ASSERT_EQUAL(strlen(proposal_format(&list.items[0], out.text)), PROPOSAL_TEXT_MAX - 1);
	CU_ASSERT_EQUAL(strlen(proposal_list_format(&list, out.text)), PROPOSAL_TEXT_MAX - 1);
	CU_ASSERT_EQUAL(out.guard[0], 0x5a);
}

static void test_proposal_list_and_suite_texts(void)
{
	struct proposal_list list = { 0 };
	struct suite suite = { .encr = alg_lookup(TRANSFORM_ENCR, ENCR_AES_GCM_16, 256),
		.ke = alg_lookup(TRANSFORM_KE, KE_CURVE25519, 0),
		.esn = true };
	char text[PROPOSAL_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(proposal_list_format(&list, text), "");
	list.items[list.count++] = parse(PROTOCOL_ESP, "aes256gcm16-esn").proposal;
	list.items[list.count++] = parse(PROTOCOL_ESP, "aes128gcm16-noesn").proposal;
	CU_ASSERT_STRING_EQUAL(proposal_list_format(&list, text), "AES-GCM-256/ESN, AES-GCM-128/NO-ESN");
	CU_ASSERT_STRING_EQUAL(suite_format(&suite, text), "AES-GCM-256/CURVE25519/ESN");
	suite = (struct suite){ .integ = alg_lookup(TRANSFORM_INTEG, INTEG_AES_128_GMAC, 0) };
	CU_ASSERT_STRING_EQUAL(suite_format(&suite, text), "AES-GMAC-128");
	suite = (struct suite){ 0 };
	CU_ASSERT_STRING_EQUAL(suite_format(&suite, text), "");
}

static struct proposal_list pair_of(const char *first, const char *second)
{
	struct proposal_list list = { .count = 2 };
	const char *word, *reason;
	size_t len;

	CU_ASSERT_EQUAL(proposal_parse(PROTOCOL_IKE, first, &list.items[0], &word, &len, &reason), 0);
	CU_ASSERT_EQUAL(proposal_parse(PROTOCOL_IKE, second, &list.items[1], &word, &len, &reason), 0);
	return list;
}

static void test_proposal_lists_are_compared(void)
{
	const char *gcm = "aes256gcm16-prfsha384-x25519", *cbc = "aes256-sha256-x25519";
	struct proposal_list a = pair_of(gcm, cbc), b = a;

	b.items[0].number = 7;
	b.items[1].spi = 1;
	CU_ASSERT_TRUE(proposal_list_equal(&a, &b));
	b.count = 1;
	CU_ASSERT_FALSE(proposal_list_equal(&a, &b));
	b = pair_of(cbc, gcm);
	CU_ASSERT_FALSE(proposal_list_equal(&a, &b));
	b = pair_of(gcm, "aes256-sha256-x25519-ecp256");
	CU_ASSERT_FALSE(proposal_list_equal(&a, &b));
	b = pair_of(gcm, "aes128-sha256-x25519");
	CU_ASSERT_FALSE(proposal_list_equal(&a, &b));
	b = a;
	b.items[0].protocol = PROTOCOL_ESP;
	CU_ASSERT_FALSE(proposal_list_equal(&a, &b));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_ike_proposals_are_read),
		TEST(test_ike_proposal_gets_prf_of_integrity),
		TEST(test_ike_aead_takes_hash_as_prf),
		TEST(test_ike_proposals_of_every_kind_are_read),
		TEST(test_esp_proposals_are_read),
		TEST(test_esp_proposals_of_every_kind_are_read),
		TEST(test_ah_proposals_are_read),
		TEST(test_ah_proposals_without_integrity_are_refused),
		TEST(test_proposal_refuses_some_words_by_name),
		TEST(test_proposal_refuses_unknown_words),
		TEST(test_proposal_refuses_words_of_the_other_protocol),
		TEST(test_proposal_refuses_aead_with_classic),
		TEST(test_proposal_refuses_incomplete_sets),
		TEST(test_proposal_refuses_words_twice),
		TEST(test_proposal_takes_every_word_of_a_protocol),
		TEST(test_suite_is_judged_as_a_whole),
		TEST(test_proposal_add_stops_when_full),
		TEST(test_proposal_format_names_the_unknown),
		TEST(test_proposal_texts_are_cut_not_overrun),
		TEST(test_proposal_list_and_suite_texts),
		TEST(test_proposal_lists_are_compared),
	};

	return test_main("model_proposal", tests, ARRAY_LEN(tests), argc, argv);
}
