/* SPDX-License-Identifier: BSD-3-Clause */
/* Choosing proposals, checking answers, naming the first mismatch. */
#include "negotiate.h"

#include "harness.h"

static struct proposal_list list_of(enum security_protocol protocol, const char *text)
{
	struct proposal_list list = { 0 };
	char copy[512];
	const char *word, *reason;
	size_t len;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *rest = copy, *one; (one = strsep(&rest, ","));)
		CU_ASSERT_EQUAL(proposal_parse(protocol, one, &list.items[list.count++], &word, &len, &reason), 0);
	proposals_address(&list, 0, 0);
	return list;
}

/* As the peer would send it: with an SPI as long as the protocol has it, where the list has none. */
static struct offer offer_of(const struct proposal_list *list)
{
	static struct message message;
	static uint8_t data[16384];
	struct writer w = writer_init(data, sizeof(data));
	struct wire_error error;
	struct proposal_list sent = *list;

	for (int i = 0; i < sent.count; i++)
		if (sent.items[i].protocol != PROTOCOL_IKE)
			sent.items[i].spi_len = 4;
	message_init(&message, 1, 0, IKE_SA_INIT, IKE_FLAG_INITIATOR, 0);
	message_add_sa(&message, &sent);
	CU_ASSERT_EQUAL_FATAL(message_encode(&message, &w), 0);
	CU_ASSERT_EQUAL_FATAL(message_decode(writer_view(&w), &message, &error), 0);
	return message_offer(&message);
}

/* Text of what is chosen, or of the first mismatch. */
static const char *choose(enum security_protocol protocol, const char *ours, const char *theirs, uint16_t hint)
{
	static char text[PROPOSAL_TEXT_MAX];
	struct proposal_list a = list_of(protocol, ours), b = list_of(protocol, theirs);
	struct proposal chosen;

	if (negotiate_choose(&a, offer_of(&b), NULL, hint, &chosen))
		return proposal_format(&chosen, text);
	negotiate_mismatch(&a, offer_of(&b), text, 128);
	return text;
}

static void test_choose_takes_our_order(void)
{
	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_IKE, "aes256-aes128-sha256-x25519", "aes128-aes256-sha384-sha256-x25519", 0),
		"AES-CBC-256/PRF-HMAC-SHA2-256/HMAC-SHA2-256-128/CURVE25519");
}

static void test_choose_takes_the_group_of_the_key_at_hand(void)
{
	const char *both = "aes128gcm16-prfsha256-x25519-ecp256";

	CU_ASSERT_STRING_EQUAL(choose(PROTOCOL_IKE, both, both, KE_ECP_256), "AES-GCM-128/PRF-HMAC-SHA2-256/ECP-256");
	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_IKE, both, both, KE_MODP_2048), "AES-GCM-128/PRF-HMAC-SHA2-256/CURVE25519");
}

static void test_choose_later_proposals(void)
{
	CU_ASSERT_STRING_EQUAL(choose(PROTOCOL_IKE, "aes256-sha512-ecp384,aes128gcm16-prfsha256-x25519",
				       "aes256gcm16-prfsha384-x25519,aes128gcm16-prfsha256-x25519", 0),
		"AES-GCM-128/PRF-HMAC-SHA2-256/CURVE25519");
}

static void test_choose_keeps_number_and_spi_of_the_offer(void)
{
	struct proposal_list ours = list_of(PROTOCOL_ESP, "aes256gcm16"), theirs;
	struct proposal chosen;

	theirs = list_of(PROTOCOL_ESP, "aes128gcm16,aes256gcm16");
	proposals_address(&theirs, 4, 0x1234);
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	CU_ASSERT_EQUAL(chosen.number, 2);
	CU_ASSERT_EQUAL(chosen.spi, 0x1234);
	CU_ASSERT_EQUAL(chosen.spi_len, 4);
}

/* Which of ours comes first decides, wherever it stands in the offer; of those that match it the peer's first. */
static void test_choose_of_several_that_match(void)
{
	struct proposal_list ours = list_of(PROTOCOL_ESP, "aes256gcm16,aes128gcm16"), theirs;
	struct proposal chosen;

	theirs = list_of(PROTOCOL_ESP, "aes128gcm16,aes128-sha256,aes256gcm16,aes256gcm16-aes128gcm16,aes128gcm16");
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	CU_ASSERT_EQUAL(chosen.number, 3);
	CU_ASSERT_EQUAL(chosen.transforms[0].key_bits, 256);
	theirs = list_of(PROTOCOL_ESP, "aes128-sha256,aes128gcm16,aes128gcm16-aes192gcm16");
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	CU_ASSERT_EQUAL(chosen.number, 2);
	CU_ASSERT_EQUAL(chosen.transforms[0].key_bits, 128);
}

static void test_allows_what_another_list_chose(void)
{
	struct proposal_list ours = list_of(PROTOCOL_IKE, "aes256-sha512-ecp384,aes128gcm16-prfsha256-x25519-ecp256");
	struct proposal_list chosen = list_of(PROTOCOL_IKE, "aes128gcm16-prfsha256-ecp256,aes256-sha512-ecp256");

	CU_ASSERT_TRUE(negotiate_allows(&ours, &chosen.items[0]));
	CU_ASSERT_FALSE(negotiate_allows(&ours, &chosen.items[1]));
}

static void test_mismatch_names_each_type(void)
{
	CU_ASSERT_STRING_EQUAL(choose(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519", "aes128-sha256-x25519", 0),
		"encryption: ours AES-GCM-256, theirs AES-CBC-128");
	CU_ASSERT_STRING_EQUAL(choose(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519", "aes256gcm16-prfsha256-x25519", 0),
		"PRF: ours PRF-HMAC-SHA2-384, theirs PRF-HMAC-SHA2-256");
	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_IKE, "aes128-sha384-prfsha256-x25519", "aes128-sha256-prfsha256-x25519", 0),
		"integrity: ours HMAC-SHA2-384-192, theirs HMAC-SHA2-256-128");
	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519", "aes256gcm16-prfsha384-ecp256-ecp384", 0),
		"key exchange: ours CURVE25519, theirs ECP-256 or ECP-384");
	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_ESP, "aes128gcm16-esn", "aes128gcm16-noesn", 0), "ESN: ours ESN, theirs NO-ESN");
}

static void test_mismatch_of_the_closest_pair_is_named(void)
{
	CU_ASSERT_STRING_EQUAL(choose(PROTOCOL_IKE, "aes256-sha512-ecp384,aes128gcm16-prfsha256-x25519",
				       "aes192-sha256-ecp384,aes128gcm16-prfsha256-ecp256", 0),
		"key exchange: ours CURVE25519, theirs ECP-256");
	/* of two as close as each other that of our first */
	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519,aes128gcm16-prfsha256-x25519",
			"aes128gcm16-prfsha384-x25519,aes256gcm16-prfsha256-x25519,aes256gcm16-prfsha512-x25519", 0),
		"PRF: ours PRF-HMAC-SHA2-384, theirs PRF-HMAC-SHA2-256");
}

static void test_mismatch_of_protocols(void)
{
	struct proposal_list ours = list_of(PROTOCOL_ESP, "aes256gcm16"), theirs = ours;
	char text[128];

	theirs.items[0].protocol = PROTOCOL_AH;
	negotiate_mismatch(&ours, offer_of(&theirs), text, sizeof(text));
	CU_ASSERT_STRING_EQUAL(text, "protocol: ours ESP, theirs AH");
}

static void test_choose_refuses_unknown_transform_types(void)
{
	struct proposal_list ours = list_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519"), theirs = ours;
	struct proposal chosen;
	char text[128];

	proposal_add(&theirs.items[0], (enum transform_type)6, 35, 0);
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	negotiate_mismatch(&ours, offer_of(&theirs), text, sizeof(text));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "do not know"));
	/* an unknown algorithm of a known type only is not chosen (RFC 7296 3.3.6) */
	theirs = ours;
	proposal_add(&theirs.items[0], TRANSFORM_ENCR, 99, 0);
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
}

/* What has no SPI, or one that must not be used, does not hide what comes behind it. */
static void test_choose_passes_over_spis_that_cannot_be_used(void)
{
	struct proposal_list ours = list_of(PROTOCOL_ESP, "aes256gcm16"),
			     theirs = list_of(PROTOCOL_ESP, "aes256gcm16,aes256gcm16,aes256gcm16");
	struct proposal chosen;

	proposals_address(&theirs, 4, 0);
	theirs.items[1].spi = 255;
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), &spi_of_child, 0, &chosen));
	theirs.items[2].spi = 256;
	CU_ASSERT_TRUE_FATAL(negotiate_choose(&ours, offer_of(&theirs), &spi_of_child, 0, &chosen));
	CU_ASSERT_EQUAL(chosen.number, 3);
	CU_ASSERT_EQUAL(chosen.spi, 256);
	ours = list_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519");
	theirs = list_of(
		PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519,aes256gcm16-prfsha384-x25519,aes256gcm16-prfsha384-x25519");
	theirs.items[1].spi_len = theirs.items[2].spi_len = 8;
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), &spi_of_ike, 0, &chosen));
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	theirs.items[2].spi = 1;
	CU_ASSERT_TRUE_FATAL(negotiate_choose(&ours, offer_of(&theirs), &spi_of_ike, 0, &chosen));
	CU_ASSERT_EQUAL(chosen.number, 3);
}

static void test_choose_needs_the_exact_key_length(void)
{
	struct proposal_list ours = list_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519"), theirs = ours;
	struct proposal chosen;

	theirs.items[0].transforms[0].key_bits = 0;
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	theirs.items[0].transforms[0].key_bits = 192;
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
}

/* AH has no encryption; one in its proposal, or a number that we do not know, spoils it. */
static void test_choose_judges_the_suite_of_each_protocol(void)
{
	struct proposal_list ours = list_of(PROTOCOL_AH, "sha256-noesn"), theirs = ours;
	struct proposal chosen;

	CU_ASSERT_STRING_EQUAL(
		choose(PROTOCOL_AH, "sha512-sha256-noesn", "sha256-noesn", 0), "HMAC-SHA2-256-128/NO-ESN");
	CU_ASSERT_STRING_EQUAL(choose(PROTOCOL_AH, "aes256gmac-esn", "aes256gmac-esn", 0), "AES-GMAC-256/ESN");
	proposal_add(&ours.items[0], TRANSFORM_ENCR, ENCR_NULL, 0);
	proposal_add(&theirs.items[0], TRANSFORM_ENCR, ENCR_NULL, 0);
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	ours = theirs = list_of(PROTOCOL_IKE, "aes128-sha256-x25519");
	ours.items[0].transforms[0].key_bits = theirs.items[0].transforms[0].key_bits = 512;
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	ours = theirs = list_of(PROTOCOL_IKE, "aes128-sha256-x25519");
	ours.items[0].transforms[1].id = theirs.items[0].transforms[1].id = INTEG_AES_XCBC_96;
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
}

static void test_choose_none_equals_left_out(void)
{
	struct proposal_list ours = list_of(PROTOCOL_ESP, "aes256gcm16"), theirs = ours;
	struct proposal chosen;

	/* an explicit "no integrity" beside an AEAD is repeated in the answer */
	proposal_add(&theirs.items[0], TRANSFORM_INTEG, INTEG_NONE, 0);
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	CU_ASSERT_TRUE(proposal_has_type(&chosen, TRANSFORM_INTEG));
	/* a real one is not */
	theirs = ours;
	proposal_add(&theirs.items[0], TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	CU_ASSERT_FALSE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	/* no ESN transform means no ESN */
	theirs = ours;
	proposals_drop(&theirs, TRANSFORM_ESN);
	CU_ASSERT_TRUE(negotiate_choose(&ours, offer_of(&theirs), NULL, 0, &chosen));
	struct suite suite;
	suite_of_proposal(&chosen, &suite);
	CU_ASSERT_FALSE(suite.esn);
}

static void test_answer_must_be_one_proposal_of_the_offer(void)
{
	struct proposal_list offer = list_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-x25519-ecp256");
	struct proposal_list good = list_of(PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp256"), bad = good;
	struct proposal chosen;

	CU_ASSERT_TRUE(negotiate_check_answer(&offer, &good, &chosen));
	CU_ASSERT_FALSE(negotiate_check_answer(&offer, &offer, &chosen));
	bad.count = 2;
	bad.items[1] = bad.items[0];
	CU_ASSERT_FALSE(negotiate_check_answer(&offer, &bad, &chosen));
	bad = good;
	bad.items[0].number = 2;
	CU_ASSERT_FALSE(negotiate_check_answer(&offer, &bad, &chosen));
	bad = good;
	proposals_drop(&bad, TRANSFORM_PRF);
	CU_ASSERT_FALSE(negotiate_check_answer(&offer, &bad, &chosen));
	bad = list_of(PROTOCOL_IKE, "aes128gcm16-prfsha384-ecp256");
	CU_ASSERT_FALSE(negotiate_check_answer(&offer, &bad, &chosen));
	bad.count = 0;
	CU_ASSERT_FALSE(negotiate_check_answer(&offer, &bad, &chosen));
}

static void test_groups_of_an_offer(void)
{
	struct proposal_list offer = list_of(
		PROTOCOL_IKE, "aes256gcm16-prfsha384-ecp384-x25519,aes128-sha256-modp2048");

	CU_ASSERT_EQUAL(proposals_first_group(&offer), KE_ECP_384);
	CU_ASSERT_TRUE(proposals_have_group(&offer, KE_MODP_2048));
	CU_ASSERT_FALSE(proposals_have_group(&offer, KE_ECP_256));
	proposals_drop(&offer, TRANSFORM_KE);
	CU_ASSERT_EQUAL(proposals_first_group(&offer), 0);
}

static const struct test tests[] = {
	TEST(test_choose_takes_our_order),
	TEST(test_choose_takes_the_group_of_the_key_at_hand),
	TEST(test_choose_later_proposals),
	TEST(test_choose_keeps_number_and_spi_of_the_offer),
	TEST(test_choose_of_several_that_match),
	TEST(test_allows_what_another_list_chose),
	TEST(test_mismatch_names_each_type),
	TEST(test_mismatch_of_the_closest_pair_is_named),
	TEST(test_mismatch_of_protocols),
	TEST(test_choose_refuses_unknown_transform_types),
	TEST(test_choose_passes_over_spis_that_cannot_be_used),
	TEST(test_choose_needs_the_exact_key_length),
	TEST(test_choose_judges_the_suite_of_each_protocol),
	TEST(test_choose_none_equals_left_out),
	TEST(test_answer_must_be_one_proposal_of_the_offer),
	TEST(test_groups_of_an_offer),
};

int main(int argc, char **argv)
{
	return test_main("ike", tests, ARRAY_LEN(tests), argc, argv);
}
