/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of explain: what is understood, and which word is blamed for what is not. */
#include <netinet/in.h>

#include "explain_priv.h"
#include "harness.h"

static struct config_interface interfaces[] = { { .name = "lan" }, { .name = "wan" } };
static const struct config config = { .interfaces = interfaces, .interface_count = 2 };
static struct explain_request request;
static char error[256];

#define WORDS_MAX 9

/* Of a line of words. */
static int parse(const char *line)
{
	char text[256];
	const char *words[WORDS_MAX];
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", line);
	for (char *w = strtok(text, " "); w && n < WORDS_MAX; w = strtok(NULL, " "))
		words[n++] = w;
	error[0] = '\0';
	return explain_parse(&config, words, n, &request, error, sizeof(error));
}

static bool refused(const char *line, const char *text)
{
	bool good = parse(line) < 0 && !strcmp(error, text);

	if (!good)
		printf("# %s: %s\n", line, error);
	return good;
}

static void test_explain_parse_addresses_alone_are_any_protocol(void)
{
	CU_ASSERT_EQUAL(parse("10.1.0.2 10.2.0.2"), 0);
	CU_ASSERT_FALSE(request.by_spi);
	CU_ASSERT_EQUAL(request.query.protocol, 0);
	CU_ASSERT_FALSE(request.query.has_ports);
	CU_ASSERT_EQUAL(request.query.port, DATAPATH_PORT_ANY);
	CU_ASSERT_EQUAL(parse("2001:db8::1 2001:db8::2 interface wan"), 0);
	CU_ASSERT_EQUAL(request.query.port, 1);
}

static void test_explain_parse_protocols_and_ports(void)
{
	CU_ASSERT_EQUAL(parse("10.1.0.2 10.2.0.2 tcp 1000 80"), 0);
	CU_ASSERT_EQUAL(request.query.protocol, IPPROTO_TCP);
	CU_ASSERT_EQUAL(request.query.sport, 1000);
	CU_ASSERT_EQUAL(request.query.dport, 80);
	CU_ASSERT_EQUAL(parse("10.1.0.2 10.2.0.2 89 interface lan"), 0);
	CU_ASSERT_EQUAL(request.query.protocol, 89);
	CU_ASSERT_FALSE(request.query.has_ports);
	CU_ASSERT_EQUAL(parse("10.1.0.2 10.2.0.2 udp 1 2 interface lan"), 0);
	CU_ASSERT_EQUAL(request.query.port, 0);
	CU_ASSERT_TRUE(request.query.has_ports);
}

static void test_explain_parse_icmp_is_a_ping_unless_said(void)
{
	CU_ASSERT_EQUAL(parse("10.1.0.2 10.2.0.2 icmp"), 0);
	CU_ASSERT_EQUAL(request.query.sport, 8);
	CU_ASSERT_TRUE(request.query.has_ports);
	CU_ASSERT_EQUAL(parse("10.1.0.2 10.2.0.2 icmp 3 4"), 0);
	CU_ASSERT_EQUAL(request.query.sport, 3);
	CU_ASSERT_EQUAL(request.query.dport, 4);
	CU_ASSERT_EQUAL(parse("2001:db8::1 2001:db8::2 icmp"), 0);
	CU_ASSERT_EQUAL(request.query.protocol, 58);
	CU_ASSERT_EQUAL(request.query.sport, 128);
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 icmp 300 0", "explain: no ICMP type or code: \"300\""));
}

static void test_explain_parse_spi(void)
{
	CU_ASSERT_EQUAL(parse("spi 0x00001001"), 0);
	CU_ASSERT_TRUE(request.by_spi);
	CU_ASSERT_EQUAL(request.spi, 0x1001);
	CU_ASSERT_EQUAL(parse("spi 4294967295"), 0);
	CU_ASSERT_TRUE(refused("spi 0x100000000", "explain: no SPI (0x00001001): \"0x100000000\""));
	CU_ASSERT_TRUE(refused("spi -1", "explain: no SPI (0x00001001): \"-1\""));
	CU_ASSERT_TRUE(refused("spi 1 2", "explain: not understood: \"2\""));
}

static void test_explain_parse_blames_the_word(void)
{
	CU_ASSERT_TRUE(refused("10.1.0 10.2.0.2", "explain: no address: \"10.1.0\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 ::1", "explain: of another address family: \"::1\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 tpc", "explain: no protocol: \"tpc\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 tcp/80", "explain: no protocol: \"tcp/80\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 tcp 80",
		"explain: both ports, or ICMP type and code, are needed; only one: \"80\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 tcp 80 65536", "explain: no port: \"65536\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 interface dmz", "explain: no interface \"dmz\""));
	CU_ASSERT_TRUE(refused("10.1.0.2 10.2.0.2 interface", "explain: not understood: \"interface\""));
}

static const struct test tests[] = {
	TEST(test_explain_parse_addresses_alone_are_any_protocol),
	TEST(test_explain_parse_protocols_and_ports),
	TEST(test_explain_parse_icmp_is_a_ping_unless_said),
	TEST(test_explain_parse_spi),
	TEST(test_explain_parse_blames_the_word),
};

int main(int argc, char **argv)
{
	return test_main("control_explain_parse", tests, ARRAY_LEN(tests), argc, argv);
}
