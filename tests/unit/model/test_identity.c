/* SPDX-License-Identifier: BSD-3-Clause */
/* Identities: text both ways, refusals, and the comparison that authentication rests on. */
#include "identity.h"

#include <errno.h>

#include "base.h"
#include "harness.h"

static struct identity identity_of(const char *text)
{
	struct identity id = { 0 };

	CU_ASSERT_EQUAL_FATAL(identity_parse(text, &id), 0);
	return id;
}

static struct identity raw(uint8_t type, const char *data, size_t len)
{
	struct identity id;

	CU_ASSERT_EQUAL_FATAL(identity_from_bytes(type, BYTES(data, len), &id), 0);
	return id;
}

static void test_identity_types_from_text(void)
{
	static const struct {
		const char *text;
		uint8_t type, len;
		const char *data;
	} cases[] = {
		{ "192.0.2.1", ID_IPV4_ADDR, 4, "\xc0\x00\x02\x01" },
		{ "2001:db8::1", ID_IPV6_ADDR, 16, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" },
		{ "gw.example.net", ID_FQDN, 14, "gw.example.net" },
		{ "@gw.example.net", ID_FQDN, 14, "gw.example.net" },
		{ "user@example.net", ID_RFC822_ADDR, 16, "user@example.net" },
		{ "keyid:anything goes", ID_KEY_ID, 13, "anything goes" },
		{ "keyid:0x0102ff", ID_KEY_ID, 3, "\x01\x02\xff" },
		{ "keyid:192.0.2.1", ID_KEY_ID, 9, "192.0.2.1" },
		{ "paris", ID_FQDN, 5, "paris" },
		{ "10.example", ID_FQDN, 10, "10.example" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct identity id = identity_of(cases[i].text);
		CU_ASSERT_EQUAL(id.type, cases[i].type);
		CU_ASSERT(bytes_equal(BYTES(id.data, id.len), BYTES(cases[i].data, cases[i].len)));
	}
}

static void test_identity_refuses_other_text(void)
{
	static const char *const bad[] = { "", "@", "user@", "@user@example.net", "gw example", "gw.example.net\n",
		"a\tb", "a\x7f", "keyid:", "keyid:0x", "keyid:0x1", "keyid:0xzz", "user@192.0.2.1", "user@exa mple" };
	struct identity id = { .type = 99 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(identity_parse(bad[i], &id), -EINVAL);
	CU_ASSERT_EQUAL(id.type, 99);
}

/* A typing error in an address would else be a name that matches nobody. */
static void test_identity_refuses_mistyped_addresses(void)
{
	static const char *const bad[] = { "192.0.2.256", "192.0.2", "1.2.3.4.5", "2001:db8::1::1", "192.0.2.1:500",
		"192.0.2.0/24", "12345", "." };
	struct identity id;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CU_ASSERT_EQUAL(identity_parse(bad[i], &id), -EINVAL);
}

static void test_identity_length_limit(void)
{
	char text[6 + 2 + 2 * 256 + 1] = "keyid:";
	struct identity id;

	memset(text + 6, 'a', 255);
	CU_ASSERT_EQUAL(identity_parse(text, &id), 0);
	CU_ASSERT_EQUAL(id.len, 255);
	CU_ASSERT_EQUAL(identity_parse(text + 6, &id), 0);
	text[6 + 255] = 'a';
	CU_ASSERT_EQUAL(identity_parse(text, &id), -EINVAL);
	CU_ASSERT_EQUAL(identity_parse(text + 6, &id), -EINVAL);
	memcpy(text + 6, "0x", 2);
	memset(text + 8, 'a', 512);
	CU_ASSERT_EQUAL(identity_parse(text, &id), -EINVAL);
	text[8 + 510] = '\0';
	CU_ASSERT_EQUAL(identity_parse(text, &id), 0);
	CU_ASSERT_EQUAL(identity_from_bytes(ID_KEY_ID, BYTES(text, 256), &id), -EMSGSIZE);
}

static void test_identity_text_round_trip(void)
{
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1", "gw.example.net", "user@example.net",
		"keyid:anything goes" };
	char text[IDENTITY_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct identity id = identity_of(texts[i]);
		CU_ASSERT_STRING_EQUAL(identity_format(&id, text), texts[i]);
	}
}

static void test_identity_format_hides_what_is_unprintable(void)
{
	struct identity none = { 0 }, fqdn = raw(ID_FQDN, "a\nb\\\xff", 5), key = raw(ID_KEY_ID, "\0\x1b", 2);
	struct identity bad4 = raw(ID_IPV4_ADDR, "\1\2\3", 3), dn = raw(ID_DER_ASN1_DN, "\x30\0", 2);
	struct identity empty = raw(ID_FQDN, NULL, 0), unknown = raw(200, "\xab", 1);
	char text[IDENTITY_TEXT_MAX];

	CU_ASSERT_STRING_EQUAL(identity_format(&none, text), "none");
	CU_ASSERT_STRING_EQUAL(identity_format(&fqdn, text), "a\\x0ab\\x5c\\xff");
	CU_ASSERT_STRING_EQUAL(identity_format(&key, text), "keyid:\\x00\\x1b");
	CU_ASSERT_STRING_EQUAL(identity_format(&bad4, text), "type-1:010203");
	CU_ASSERT_STRING_EQUAL(identity_format(&dn, text), "type-9:3000");
	CU_ASSERT_STRING_EQUAL(identity_format(&empty, text), "");
	CU_ASSERT_STRING_EQUAL(identity_format(&unknown, text), "type-200:ab");
}

static void test_identity_format_of_longest_fits(void)
{
	struct {
		char text[IDENTITY_TEXT_MAX], guard;
	} out = { .guard = 0x5a };
	char data[255];

	memset(data, 0xff, sizeof(data));
	for (int type = 0; type < 256; type++) {
		struct identity id = raw((uint8_t)type, data, sizeof(data));
		identity_format(&id, out.text);
		CU_ASSERT(strlen(out.text) < sizeof(out.text));
	}
	CU_ASSERT_EQUAL(out.guard, 0x5a);
}

static bool equal_texts(const char *a, const char *b)
{
	struct identity x = identity_of(a), y = identity_of(b);

	CU_ASSERT_EQUAL(identity_equal(&x, &y), identity_equal(&y, &x));
	return identity_equal(&x, &y);
}

static void test_identity_equality_of_case(void)
{
	CU_ASSERT(equal_texts("GW.example.NET", "gw.Example.net"));
	CU_ASSERT(equal_texts("user@Example.net", "user@example.NET"));
	CU_ASSERT_FALSE(equal_texts("User@example.net", "user@example.net"));
	CU_ASSERT_FALSE(equal_texts("keyid:Key", "keyid:key"));
	CU_ASSERT_FALSE(equal_texts("\"A@x\"@example.net", "\"a@X\"@example.net"));
	CU_ASSERT(equal_texts("192.0.2.1", "192.0.2.1"));
	CU_ASSERT_FALSE(equal_texts("192.0.2.1", "192.0.2.2"));
}

static void test_identity_equality_needs_type_and_length(void)
{
	struct identity fqdn = identity_of("paris"), key = identity_of("keyid:paris"), empty = raw(ID_FQDN, NULL, 0);

	CU_ASSERT_FALSE(identity_equal(&fqdn, &key));
	CU_ASSERT_FALSE(equal_texts("paris", "paris2"));
	CU_ASSERT_FALSE(identity_equal(&fqdn, &empty));
	CU_ASSERT(identity_equal(&empty, &empty));
}

/* A NUL must not end the comparison. */
static void test_identity_equality_goes_past_nul(void)
{
	struct identity a = raw(ID_FQDN, "gw\0a", 4), b = raw(ID_FQDN, "gw\0b", 4), upper = raw(ID_FQDN, "GW\0a", 4);
	struct identity mail_a = raw(ID_RFC822_ADDR, "u@\0a", 4), mail_b = raw(ID_RFC822_ADDR, "u@\0b", 4);

	CU_ASSERT(identity_equal(&a, &a));
	CU_ASSERT_FALSE(identity_equal(&a, &b));
	CU_ASSERT_FALSE(identity_equal(&a, &upper));
	CU_ASSERT_FALSE(identity_equal(&mail_a, &mail_b));
}

static bool fits(const char *wanted, const char *id)
{
	struct identity a, b;

	CU_ASSERT_EQUAL_FATAL(identity_parse(wanted, &a), 0);
	CU_ASSERT_EQUAL_FATAL(identity_parse(id, &b), 0);
	return identity_matches(&a, &b);
}

static void test_identity_patterns(void)
{
	const struct identity any = { 0 }, nul = raw(ID_FQDN, "a\0.example.net", 14);
	struct identity pattern;

	CU_ASSERT(fits("*.example.net", "a.example.net"));
	CU_ASSERT(fits("*.example.net", "A.b.Example.NET"));
	CU_ASSERT(fits("*@example.net", "anna@Example.net"));
	CU_ASSERT_FALSE(fits("*.example.net", "example.net"));
	CU_ASSERT_FALSE(fits("*.example.net", "a.example.org"));
	CU_ASSERT_FALSE(fits("*.example.net", "anna@b.example.net"));
	CU_ASSERT_FALSE(fits("*@example.net", "anna@sub.example.net"));
	CU_ASSERT_FALSE(fits("*@example.net", "anna.example.net"));
	CU_ASSERT(fits("gw.example.net", "gw.example.net"));
	CU_ASSERT_FALSE(fits("gw.example.net", "a.gw.example.net"));
	/* whoever calls himself so is one of them, not all */
	CU_ASSERT_FALSE(fits("a.example.net", "*.example.net"));
	identity_parse("*.example.net", &pattern);
	CU_ASSERT(identity_is_pattern(&pattern));
	CU_ASSERT(identity_matches(&any, &pattern));
	CU_ASSERT_FALSE(identity_matches(&pattern, &nul));
	identity_parse("keyid:*.example.net", &pattern);
	CU_ASSERT_FALSE(identity_is_pattern(&pattern));
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_identity_types_from_text),
		TEST(test_identity_refuses_other_text),
		TEST(test_identity_refuses_mistyped_addresses),
		TEST(test_identity_length_limit),
		TEST(test_identity_text_round_trip),
		TEST(test_identity_format_hides_what_is_unprintable),
		TEST(test_identity_format_of_longest_fits),
		TEST(test_identity_equality_of_case),
		TEST(test_identity_equality_needs_type_and_length),
		TEST(test_identity_equality_goes_past_nul),
		TEST(test_identity_patterns),
	};

	return test_main("model_identity", tests, ARRAY_LEN(tests), argc, argv);
}
