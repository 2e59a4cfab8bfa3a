/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema's document, and what random damage does to the loader. */
#include "harness.h"

#include <stdlib.h>

#include "base_config.h"

/* docs/config.md is what the schema says; write it again with: sallyctl config schema >docs/config.md */
static void test_schema_document_is_current(void)
{
	char *printed = NULL, *committed = calloc(1, 1 << 18);
	size_t printed_len = 0;
	FILE *out = open_memstream(&printed, &printed_len), *in = fopen(SOURCE_ROOT "/docs/config.md", "r");

	CU_ASSERT_FATAL(out && in && committed);
	config_schema_print(out);
	fclose(out);
	size_t committed_len = fread(committed, 1, (1 << 18) - 1, in);
	fclose(in);
	CU_ASSERT(printed_len > 4096);
	CU_ASSERT_EQUAL(printed_len, committed_len);
	CU_ASSERT_STRING_EQUAL(printed, committed);
	free(printed);
	free(committed);
}

static void test_schema_document_has_every_setting(void)
{
	static const char *const settings[] = { "`system.mss_clamp`", "`control.log_level`", "`secrets_file`",
		"`interfaces[].mtu`", "`routes[].via`", "`neighbours[].mac`", "`policies[].target`",
		"`manual_sas[].lab_keys`", "`manual_sas[].outer.flow_label`", "`manual_sas[].lifetime.hard_bytes`",
		"`tunnels[].outer.dscp`", "`tunnels[].phase2[].tfc_padding`", "`tunnels[].phase1.dpd.timeout`",
		"`tunnels[].phase2[].start`", "`psk[].secret`", "`manual_keys[].encr_in`", "`aes256gcm16`" };
	char *printed = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&printed, &len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	config_schema_print(out);
	fclose(out);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(printed, settings[i]));
	free(printed);
}

static uint32_t next_random(uint32_t *state)
{
	/* xorshift (Marsaglia): the same damage each run */
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void load_damaged(const char *yaml, size_t yaml_len, const char *secrets, size_t secrets_len)
{
	static struct config_errors errors;
	struct config *c;
	char text[1024];
	int err = config_load_bytes("x.yaml", BYTES(yaml, yaml_len), BYTES(secrets, secrets_len), &c, &errors);

	CU_ASSERT_EQUAL(err == 0, c != NULL);
	CU_ASSERT_EQUAL(err == 0, errors.count == 0);
	for (size_t i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		CU_ASSERT(strlen(config_error_format(&errors.items[i], text, sizeof(text))) > 8);
	config_free(c);
}

/* One to eight bytes overwritten, anywhere in either file. */
static void test_damage_of_random_bytes(void)
{
	char yaml[SPOILED_BYTES], secrets[SPOILED_BYTES];
	size_t yaml_len = strlen(base_yaml), secrets_len = strlen(base_secrets);
	uint32_t state = 20240607;

	for (int round = 0; round < 3000; round++) {
		memcpy(yaml, base_yaml, yaml_len);
		memcpy(secrets, base_secrets, secrets_len);
		for (uint32_t n = next_random(&state) % 8; n < 8; n++)
			if (next_random(&state) % 4)
				yaml[next_random(&state) % yaml_len] = (char)next_random(&state);
			else
				secrets[next_random(&state) % secrets_len] = (char)next_random(&state);
		load_damaged(yaml, yaml_len, secrets, secrets_len);
	}
}

/* A piece of the file over another place of it: still words, but in the wrong order. */
static void test_damage_of_moved_pieces(void)
{
	char yaml[SPOILED_BYTES];
	size_t yaml_len = strlen(base_yaml);
	uint32_t state = 7;

	for (int round = 0; round < 3000; round++) {
		memcpy(yaml, base_yaml, yaml_len);
		size_t len = 1 + next_random(&state) % 40, limit = yaml_len - len;
		size_t from = next_random(&state) % limit, to = next_random(&state) % limit;
		memmove(yaml + to, base_yaml + from, len);
		load_damaged(yaml, yaml_len, base_secrets, strlen(base_secrets));
	}
}

static void test_damage_by_truncation(void)
{
	for (size_t len = 0; len < strlen(base_yaml); len++)
		load_damaged(base_yaml, len, base_secrets, strlen(base_secrets));
	for (size_t len = 0; len < strlen(base_secrets); len++)
		load_damaged(base_yaml, strlen(base_yaml), base_secrets, len);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_schema_document_is_current),
		TEST(test_schema_document_has_every_setting),
		TEST(test_damage_of_random_bytes),
		TEST(test_damage_of_moved_pieces),
		TEST(test_damage_by_truncation),
	};

	return test_main("conf_schema", tests, ARRAY_LEN(tests), argc, argv);
}
