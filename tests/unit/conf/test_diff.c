/* SPDX-License-Identifier: BSD-3-Clause */
/* What differs in two configurations, and whether a running gateway may take it over. */
#include "harness.h"

#include "base_config.h"

static struct config *spoiled(const char *from, const char *to)
{
	char text[SPOILED_BYTES];

	return loaded(spoil(base_yaml, from, to, text), base_secrets);
}

/* NULL: every difference is taken over. */
static void needs(const char *from, const char *to, const char *path)
{
	struct config *a = loaded(base_yaml, base_secrets), *b = spoiled(from, to);
	char text[128];
	bool restart = config_needs_restart(a, b, text, sizeof(text));

	CU_ASSERT_EQUAL(restart, path != NULL);
	if (path)
		CU_ASSERT_STRING_EQUAL(text, path);
	/* seen from the other side it is the same */
	CU_ASSERT_EQUAL(config_needs_restart(b, a, text, sizeof(text)), path != NULL);
	config_free(a);
	config_free(b);
}

static void test_diff_settings_that_take_a_restart(void)
{
	needs("idle: poll", "idle: adaptive", "system.idle");
	needs("  idle: poll\n", "  idle: poll\n  mbufs: 4096\n", "system.mbufs");
	needs("--no-pci", "--no-telemetry", "system.eal_args");
	needs("/run/t.sock", "/run/u.sock", "control.socket");
	needs("mtu: 1400", "mtu: 1300", "interfaces.wan.mtu");
	needs("name: paris", "name: rome", "tunnels");
}

static void test_diff_settings_that_are_taken_over(void)
{
	needs("workers: 1", "workers: 2", NULL);
	needs("log_level: debug", "log_level: error", NULL);
	needs("0.0.0.0/0", "10.0.0.0/8", NULL);
	needs("routes:\n", "addresses: [{address: 192.0.2.8}]\nroutes:\n", NULL);
	needs("192.0.2.9", "192.0.2.8", NULL);
	needs("action: bypass", "action: discard", NULL);
	needs("spi_in: 0x1001", "spi_in: 0x1003", NULL);
}

/* Formatting, comments, quotes and the order of keys are no difference. */
static void test_diff_is_about_what_was_written(void)
{
	needs("control: {socket: /run/t.sock, log_level: debug}",
		"control:\n  # where sallyctl finds us\n  log_level: 'debug'\n  socket: \"/run/t.sock\"", NULL);
	needs("idle: poll", "\"idle\": 'poll'", NULL);
	needs("  idle: poll\n", "  idle: poll\n  allow_no_huge: false\n", "system.allow_no_huge");
}

static void test_diff_sections_and_items(void)
{
	struct config *a = loaded(base_yaml, base_secrets), *b = spoiled("spi_in: 0x1001", "spi_in: 4097"),
		      *c = spoiled("prefix: 0.0.0.0/0", "prefix: 10.0.0.0/8");

	CU_ASSERT(config_section_equal(a, b, "routes"));
	CU_ASSERT(!config_section_equal(a, c, "routes"));
	CU_ASSERT(config_section_equal(a, b, "tunnels"));
	CU_ASSERT(!config_item_equal(a, 0, b, 0, "manual_sas"));
	CU_ASSERT(config_item_equal(a, 0, c, 0, "manual_sas"));
	CU_ASSERT_STRING_EQUAL(config_file(a), "gw.yaml");
	config_free(a);
	config_free(b);
	config_free(c);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_diff_settings_that_take_a_restart),
		TEST(test_diff_settings_that_are_taken_over),
		TEST(test_diff_is_about_what_was_written),
		TEST(test_diff_sections_and_items),
	};

	return test_main("conf_diff", tests, ARRAY_LEN(tests), argc, argv);
}
