/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of capture start and trace start: what is understood, and what the text of a refusal says. */
#include "harness.h"
#include "watch_priv.h"

static struct config_interface interfaces[] = { { .name = "lan" }, { .name = "wan" } };
static const struct config config = { .interfaces = interfaces, .interface_count = 2 };
static struct slot_range ranges[] = { { "lab", 3, 1 }, { "oslo", 1, 2 }, { "paris", 0, 1 } };
static const struct policy policy = { .ranges = ranges, .range_count = 3 };
static struct capture_request request;
static struct watch_error error;

#define WORDS_MAX 16

static size_t split(char *text, const char **words)
{
	size_t n = 0;

	for (char *w = strtok(text, " "); w && n < WORDS_MAX; w = strtok(NULL, " "))
		words[n++] = w;
	return n;
}

static int parse(const char *line)
{
	static char text[256];
	const char *words[WORDS_MAX];

	snprintf(text, sizeof(text), "%s", line);
	error.text[0] = '\0';
	return capture_parse(&config, &policy, words, split(text, words), &request, &error);
}

static bool refused(const char *line, const char *text)
{
	bool good = parse(line) < 0 && !strcmp(error.text, text);

	if (!good)
		printf("# %s: %s\n", line, error.text);
	return good;
}

static void test_capture_parse_a_tunnel_with_all_its_children(void)
{
	CU_ASSERT_EQUAL(parse("/tmp/a tunnel oslo"), 0);
	CU_ASSERT_STRING_EQUAL(request.file, "/tmp/a");
	CU_ASSERT_STRING_EQUAL(request.of, "tunnel oslo");
	CU_ASSERT_FALSE(request.spec.of_port);
	CU_ASSERT_EQUAL(request.spec.first_slot, 1);
	CU_ASSERT_EQUAL(request.spec.slot_count, 2);
	CU_ASSERT_TRUE(request.spec.clear);
	CU_ASSERT_TRUE(request.spec.sealed);
	CU_ASSERT_EQUAL(parse("/tmp/a clear tunnel lab"), 0);
	CU_ASSERT_EQUAL(request.spec.first_slot, 3);
	CU_ASSERT_FALSE(request.spec.sealed);
}

static void test_capture_parse_a_port_with_every_limit(void)
{
	CU_ASSERT_EQUAL(parse("/tmp/a port wan count 5 snaplen 96 seconds 7 bytes 0x1000"), 0);
	CU_ASSERT_TRUE(request.spec.of_port);
	CU_ASSERT_EQUAL(request.spec.port, 1);
	CU_ASSERT_EQUAL(request.count, 5);
	CU_ASSERT_EQUAL(request.spec.snaplen, 96);
	CU_ASSERT_EQUAL(request.seconds, 7);
	CU_ASSERT_EQUAL(request.bytes, 4096);
}

static void test_capture_parse_refusals_say_why(void)
{
	CU_ASSERT_TRUE(refused("a.pcapng tunnel paris", "capture: \"a.pcapng\" is no absolute path"));
	CU_ASSERT_TRUE(refused("/tmp/a\nb tunnel paris", "capture: a control character in the file's name"));
	CU_ASSERT_TRUE(refused("/tmp/a", "capture what? tunnel NAME or port NAME"));
	CU_ASSERT_TRUE(refused("/tmp/a tunnel rome", "no tunnel or manual SA \"rome\""));
	CU_ASSERT_TRUE(refused("/tmp/a port dmz", "no interface \"dmz\""));
	CU_ASSERT_TRUE(refused("/tmp/a tunnel paris port lan", "capture: one tunnel or port at a time"));
	CU_ASSERT_TRUE(refused("/tmp/a tunnel paris count", "capture: nothing follows \"count\""));
	CU_ASSERT_TRUE(refused("/tmp/a tunnel paris count 0", "count: \"0\" is no number from 1 to 1000000000"));
	CU_ASSERT_TRUE(refused("/tmp/a tunnel paris snaplen 16385", "snaplen: \"16385\" is no number from 1 to 16384"));
	CU_ASSERT_TRUE(refused("/tmp/a tunnel paris quickly now", "capture: not understood: \"quickly\""));
}

static struct datapath_trace_spec spec;

static int trace(const char *line)
{
	static char text[256];
	const char *words[WORDS_MAX];

	snprintf(text, sizeof(text), "%s", line);
	error.text[0] = '\0';
	return trace_parse(&policy, words, split(text, words), &spec, &error);
}

static bool trace_refused(const char *line, const char *text)
{
	bool good = trace(line) < 0 && !strcmp(error.text, text);

	if (!good)
		printf("# %s: %s\n", line, error.text);
	return good;
}

static void test_trace_parse_words(void)
{
	CU_ASSERT_EQUAL(trace(""), 0);
	CU_ASSERT_EQUAL(spec.count, 16);
	CU_ASSERT_EQUAL(spec.every, 1);
	CU_ASSERT_EQUAL(spec.slot_count, 0);
	CU_ASSERT_EQUAL(trace("count 4 every 10 src 10.1.0.0/24 dst 10.2.0.2 tunnel oslo"), 0);
	CU_ASSERT_EQUAL(spec.count, 4);
	CU_ASSERT_EQUAL(spec.every, 10);
	CU_ASSERT_EQUAL(spec.src.len, 24);
	CU_ASSERT_EQUAL(spec.dst.len, 32);
	CU_ASSERT_EQUAL(spec.first_slot, 1);
	CU_ASSERT_EQUAL(spec.slot_count, 2);
	CU_ASSERT_EQUAL(trace("spi 0x1001"), 0);
	CU_ASSERT_EQUAL(spec.spi, 0x1001);
}

static void test_trace_parse_refusals_say_why(void)
{
	CU_ASSERT_TRUE(trace_refused("count 257", "count: \"257\" is no number from 1 to 256"));
	CU_ASSERT_TRUE(trace_refused("every 0", "every: \"0\" is no number from 1 to 4294967295"));
	CU_ASSERT_TRUE(trace_refused("src here", "trace: no prefix: \"here\""));
	CU_ASSERT_TRUE(trace_refused("tunnel rome", "no tunnel or manual SA \"rome\""));
	CU_ASSERT_TRUE(trace_refused("10.1.0.2", "trace: not understood: \"10.1.0.2\""));
	CU_ASSERT_TRUE(trace_refused("src", "trace: nothing follows \"src\""));
	CU_ASSERT_TRUE(trace_refused("src 10.0.0.0/8 dst ::/0", "trace: src and dst of two address families"));
	CU_ASSERT_TRUE(trace_refused("spi 1 dst 10.0.0.0/8",
		"trace: spi and addresses do not go together: what is inside is not known yet"));
}

static const struct test tests[] = {
	TEST(test_trace_parse_words),
	TEST(test_trace_parse_refusals_say_why),
	TEST(test_capture_parse_a_tunnel_with_all_its_children),
	TEST(test_capture_parse_a_port_with_every_limit),
	TEST(test_capture_parse_refusals_say_why),
};

int main(int argc, char **argv)
{
	return test_main("control_watch_parse", tests, ARRAY_LEN(tests), argc, argv);
}
