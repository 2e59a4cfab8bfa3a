/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands on a configuration without a running gateway: names that are none, manual SAs, the rule list. */
#include "commands.h"

#include <stdlib.h>

#include "control_priv.h"
#include "harness.h"

static struct control c;
static struct config config;
static struct config_manual_sa manual;
static struct config_policy policy;
static struct api_error error;

static struct selector_list one(const char *text)
{
	struct selector_list list = { .count = 1 };

	CU_ASSERT_EQUAL(selector_parse(text, &list.items[0]), 0);
	return list;
}

static json_t *run(const char *command, const char *arg)
{
	memset(&c, 0, sizeof(c));
	manual = (struct config_manual_sa){ .name = "m" };
	manual.out.local = one("10.1.0.0/24");
	manual.out.remote = one("10.2.0.0/24");
	policy = (struct config_policy){ .name = "rest", .action = POLICY_BYPASS };
	config = (struct config){ .manual_sas = &manual, .manual_sa_count = 1, .policies = &policy, .policy_count = 1 };
	c.config = &config;
	TAILQ_INIT(&c.sas.pairs);
	error.text[0] = '\0';
	return commands_run(&c, command, &arg, arg ? 1 : 0, &error);
}

static void test_commands_manual_sa_is_no_tunnel(void)
{
	static const char *const commands[] = { "initiate", "terminate", "show tunnels" };

	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_PTR_NULL(run(commands[i], "m"));
		CU_ASSERT_STRING_EQUAL(error.text, "\"m\" is a manual SA, not negotiated: see show sas m");
		CU_ASSERT_PTR_NULL(run(commands[i], "x"));
		CU_ASSERT_STRING_EQUAL(error.text, "no tunnel \"x\"");
	}
}

static void test_commands_show_tunnels_counts_manual_sas(void)
{
	json_t *result = run("show tunnels", NULL);

	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "manual_sas")), 1);
	json_decref(result);
}

static void test_commands_show_sas_refuses_unknown_names(void)
{
	json_t *result = run("show sas", "m");

	CU_ASSERT_PTR_NOT_NULL(result);
	json_decref(result);
	CU_ASSERT_PTR_NULL(run("show sas", "x"));
	CU_ASSERT_STRING_EQUAL(error.text, "no tunnel or manual SA \"x\"");
}

static void test_commands_show_policies_in_order(void)
{
	json_t *result = run("show policies", NULL);
	char *text = json_dumps(json_object_get(result, "policies"), JSON_COMPACT);

	CU_ASSERT_STRING_EQUAL(text,
		"[{\"number\":1,\"action\":\"protect\",\"target\":\"m\",\"local\":[\"10.1.0.0/24\"],"
		"\"remote\":[\"10.2.0.0/24\"],\"policy\":null},"
		"{\"number\":2,\"action\":\"bypass\",\"target\":null,\"local\":[\"0.0.0.0/0\",\"::/0\"],"
		"\"remote\":[\"0.0.0.0/0\",\"::/0\"],\"policy\":\"rest\"}]");
	free(text);
	json_decref(result);
}

static const struct test tests[] = {
	TEST(test_commands_manual_sa_is_no_tunnel),
	TEST(test_commands_show_tunnels_counts_manual_sas),
	TEST(test_commands_show_sas_refuses_unknown_names),
	TEST(test_commands_show_policies_in_order),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
