/* SPDX-License-Identifier: BSD-3-Clause */
/* Order of rules and slots of tunnels and manual SAs. */
#include "policy_order_priv.h"

#include "harness.h"

struct fixture {
	struct config config;
	struct tunnel_profile tunnels[3];
	struct config_manual_sa manual_sas[2];
	struct config_policy policies[4];
	struct policy policy;
};

static struct fixture f;

static struct selector_list one(const char *text)
{
	struct selector_list list = { .count = 1 };

	CU_ASSERT_EQUAL(selector_parse(text, &list.items[0]), 0);
	return list;
}

static void add_tunnel(const char *name, const char *local, const char *remote)
{
	struct tunnel_profile *t = &f.tunnels[f.config.tunnel_count++];

	snprintf(t->name, sizeof(t->name), "%s", name);
	t->child_count = 1;
	t->children[0].local = one(local);
	t->children[0].remote = one(remote);
}

static void add_manual(const char *name, const char *local, const char *remote)
{
	struct config_manual_sa *m = &f.manual_sas[f.config.manual_sa_count++];

	snprintf(m->name, sizeof(m->name), "%s", name);
	m->out.local = m->in.local = one(local);
	m->out.remote = m->in.remote = one(remote);
}

static struct config_policy *add_policy(enum policy_action action, const char *target)
{
	struct config_policy *p = &f.policies[f.config.policy_count++];

	p->action = action;
	snprintf(p->target, sizeof(p->target), "%s", target);
	return p;
}

static void fixture_init(void)
{
	memset(&f, 0, sizeof(f));
	f.config.tunnels = f.tunnels;
	f.config.manual_sas = f.manual_sas;
	f.config.policies = f.policies;
}

static void resolve(void)
{
	CU_ASSERT_EQUAL_FATAL(policy_resolve(&f.config, NULL, &f.policy), 0);
}

/* "P0 B D P1": actions with the slots of protect rules */
static const char *rules_text(void)
{
	static char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < f.policy.rule_count; i++) {
		const struct spd_rule *r = &f.policy.rules[i];

		if (r->action == SPD_PROTECT)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%sP%u", i ? " " : "", r->tunnel_slot);
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
				r->action == SPD_BYPASS ? "B" : "D");
	}
	return text;
}

static void test_policy_order_tunnels_and_manual_sas_stand_first(void)
{
	fixture_init();
	add_policy(POLICY_BYPASS, "");
	add_policy(POLICY_DISCARD, "");
	add_tunnel("a", "10.1.0.0/24", "10.2.0.0/24");
	add_tunnel("b", "10.1.0.0/24", "10.3.0.0/24");
	add_manual("m", "10.1.0.0/24", "10.4.0.0/24");
	resolve();
	CU_ASSERT_STRING_EQUAL(rules_text(), "P0 P1 P2 B D");
	policy_done(&f.policy);
}

/* Only where somebody asks for an SA there is something to wait for. */
static void test_policy_order_packets_await_what_is_asked_for(void)
{
	fixture_init();
	add_tunnel("a", "10.1.0.0/24", "10.2.0.0/24");
	add_tunnel("b", "10.1.0.0/24", "10.3.0.0/24");
	add_tunnel("c", "10.1.0.0/24", "10.4.0.0/24");
	add_manual("m", "10.1.0.0/24", "10.5.0.0/24");
	f.tunnels[0].children[0].start = START_TRAP;
	f.tunnels[1].children[0].start = START_RESPOND;
	f.tunnels[2].children[0].start = START_INITIATE;
	resolve();
	CU_ASSERT(f.policy.rules[0].awaits && !f.policy.rules[1].awaits && f.policy.rules[2].awaits);
	CU_ASSERT_FALSE(f.policy.rules[3].awaits);
	policy_done(&f.policy);
}

static void test_policy_order_named_target_stands_where_it_is_named(void)
{
	fixture_init();
	add_tunnel("a", "10.1.0.0/24", "10.2.0.0/24");
	add_tunnel("b", "10.1.0.0/24", "10.3.0.0/24");
	add_policy(POLICY_BYPASS, "");
	add_policy(POLICY_PROTECT, "a");
	add_policy(POLICY_DISCARD, "");
	resolve();
	CU_ASSERT_STRING_EQUAL(rules_text(), "P1 B P0 D");
	CU_ASSERT_EQUAL(f.policy.origins[0], -1);
	CU_ASSERT_EQUAL(f.policy.origins[1], 0);
	CU_ASSERT_EQUAL(f.policy.origins[2], 1);
	CU_ASSERT_EQUAL(f.policy.origins[3], 2);
	policy_done(&f.policy);
}

static void test_policy_order_target_may_be_named_twice(void)
{
	fixture_init();
	add_manual("m", "10.1.0.0/24", "10.2.0.0/24");
	add_policy(POLICY_PROTECT, "m")->local = one("10.1.0.7/32");
	add_policy(POLICY_BYPASS, "");
	add_policy(POLICY_PROTECT, "m");
	resolve();
	CU_ASSERT_STRING_EQUAL(rules_text(), "P0 B P0");
	policy_done(&f.policy);
}

static void test_policy_order_entry_selectors_replace_those_of_the_sa(void)
{
	struct selector_list want_local = one("10.1.0.7/32"), want_remote = one("10.2.0.0/24");

	fixture_init();
	add_tunnel("a", "10.1.0.0/24", "10.2.0.0/24");
	add_policy(POLICY_PROTECT, "a")->local = want_local;
	resolve();
	CU_ASSERT_EQUAL_FATAL(f.policy.rule_count, 1);
	CU_ASSERT_TRUE(selector_equal(&f.policy.rules[0].local.items[0], &want_local.items[0]));
	CU_ASSERT_TRUE(selector_equal(&f.policy.rules[0].remote.items[0], &want_remote.items[0]));
	policy_done(&f.policy);
}

static void test_policy_order_missing_selectors_mean_any(void)
{
	struct selector_list all = one("0.0.0.0/0"), all6 = one("::/0");

	fixture_init();
	add_policy(POLICY_DISCARD, "");
	resolve();
	CU_ASSERT_EQUAL_FATAL(f.policy.rules[0].local.count, 2);
	CU_ASSERT_EQUAL_FATAL(f.policy.rules[0].remote.count, 2);
	CU_ASSERT_TRUE(selector_equal(&f.policy.rules[0].local.items[0], &all.items[0]));
	CU_ASSERT_TRUE(selector_equal(&f.policy.rules[0].local.items[1], &all6.items[0]));
	CU_ASSERT_TRUE(selector_equal(&f.policy.rules[0].remote.items[0], &all.items[0]));
	CU_ASSERT_TRUE(selector_equal(&f.policy.rules[0].remote.items[1], &all6.items[0]));
	policy_done(&f.policy);
}

static void test_policy_order_slots_lead_back_to_their_owners(void)
{
	fixture_init();
	add_tunnel("z", "10.1.0.0/24", "10.2.0.0/24");
	add_tunnel("b", "10.1.0.0/24", "10.3.0.0/24");
	f.tunnels[0].child_count = 2;
	add_manual("a", "10.1.0.0/24", "10.4.0.0/24");
	resolve();
	CU_ASSERT_EQUAL_FATAL(f.policy.slot_count, 4);
	CU_ASSERT_EQUAL(f.tunnels[0].children[1].tunnel_slot, 1);
	CU_ASSERT_EQUAL(f.tunnels[1].children[0].tunnel_slot, 2);
	CU_ASSERT_EQUAL(f.manual_sas[0].out.tunnel_slot, 3);
	CU_ASSERT_EQUAL(f.policy.slots[1].tunnel, 0);
	CU_ASSERT_EQUAL(f.policy.slots[1].child, 1);
	CU_ASSERT_EQUAL(f.policy.slots[3].manual, 0);
	CU_ASSERT_EQUAL(f.policy.slots[3].tunnel, -1);
	policy_done(&f.policy);
}

static void test_policy_order_named_tunnel_brings_all_its_children(void)
{
	fixture_init();
	add_tunnel("a", "10.1.0.0/24", "10.2.0.0/24");
	f.tunnels[0].child_count = 2;
	add_policy(POLICY_BYPASS, "");
	add_policy(POLICY_PROTECT, "a");
	resolve();
	CU_ASSERT_STRING_EQUAL(rules_text(), "B P0 P1");
	policy_done(&f.policy);
}

static void test_policy_order_unknown_target_stays_closed(void)
{
	fixture_init();
	add_policy(POLICY_PROTECT, "nobody");
	resolve();
	CU_ASSERT_STRING_EQUAL(rules_text(), "D");
	policy_done(&f.policy);
}

static void test_policy_order_nothing_configured_gives_no_rules(void)
{
	fixture_init();
	resolve();
	CU_ASSERT_EQUAL(f.policy.rule_count, 0);
	CU_ASSERT_EQUAL(f.policy.slot_count, 0);
	policy_done(&f.policy);
}

/* The next configuration, resolved with the one before in force. */
static void resolve_again(void)
{
	struct policy before = f.policy;

	CU_ASSERT_EQUAL_FATAL(policy_resolve(&f.config, &before, &f.policy), 0);
	policy_done(&before);
}

static void test_policy_order_slots_stay_from_one_configuration_to_the_next(void)
{
	fixture_init();
	add_tunnel("a", "10.1.0.0/24", "10.2.0.0/24");
	add_tunnel("b", "10.1.0.0/24", "10.3.0.0/24");
	add_manual("m", "10.1.0.0/24", "10.4.0.0/24");
	resolve();
	/* a goes, n comes, the others change places */
	f.config.tunnel_count = f.config.manual_sa_count = 0;
	add_tunnel("b", "10.1.0.0/24", "10.3.0.0/24");
	add_manual("n", "10.1.0.0/24", "10.5.0.0/24");
	add_manual("m", "10.1.0.0/24", "10.4.0.0/24");
	resolve_again();
	CU_ASSERT_STRING_EQUAL(rules_text(), "P1 P3 P2");
	CU_ASSERT_EQUAL(f.policy.slots[0].tunnel, -1);
	CU_ASSERT_EQUAL(f.policy.slots[0].manual, -1);
	CU_ASSERT_EQUAL(f.policy.slots[1].tunnel, 0);
	CU_ASSERT_EQUAL(f.policy.slots[2].manual, 1);
	CU_ASSERT_EQUAL(f.policy.slots[3].manual, 0);
	policy_done(&f.policy);
}

/* A worker may still look at the slot of a configuration past. */
static void test_policy_order_freed_slot_is_not_given_at_once(void)
{
	bool used[POLICY_SLOTS_MAX] = { false };
	uint32_t slot;

	fixture_init();
	add_manual("even", "10.1.0.0/24", "10.2.0.0/24");
	resolve();
	for (int round = 1; round < 100; round++) {
		f.config.manual_sa_count = 0;
		add_manual(round % 2 ? "odd" : "even", "10.1.0.0/24", "10.2.0.0/24");
		resolve_again();
		slot = f.config.manual_sas[0].out.tunnel_slot;
		CU_ASSERT(!used[slot]);
		used[slot] = true;
	}
	policy_done(&f.policy);
}

static void test_policy_order_same_name_of_another_kind_keeps_the_slot(void)
{
	fixture_init();
	add_manual("x", "10.1.0.0/24", "10.2.0.0/24");
	resolve();
	f.config.manual_sa_count = 0;
	add_tunnel("x", "10.1.0.0/24", "10.2.0.0/24");
	resolve_again();
	CU_ASSERT_STRING_EQUAL(rules_text(), "P0");
	CU_ASSERT_EQUAL(f.policy.slots[0].tunnel, 0);
	CU_ASSERT_EQUAL(f.policy.slots[0].manual, -1);
	policy_done(&f.policy);
}

static const struct test tests[] = {
	TEST(test_policy_order_tunnels_and_manual_sas_stand_first),
	TEST(test_policy_order_packets_await_what_is_asked_for),
	TEST(test_policy_order_named_target_stands_where_it_is_named),
	TEST(test_policy_order_target_may_be_named_twice),
	TEST(test_policy_order_entry_selectors_replace_those_of_the_sa),
	TEST(test_policy_order_missing_selectors_mean_any),
	TEST(test_policy_order_slots_lead_back_to_their_owners),
	TEST(test_policy_order_named_tunnel_brings_all_its_children),
	TEST(test_policy_order_unknown_target_stays_closed),
	TEST(test_policy_order_nothing_configured_gives_no_rules),
	TEST(test_policy_order_slots_stay_from_one_configuration_to_the_next),
	TEST(test_policy_order_freed_slot_is_not_given_at_once),
	TEST(test_policy_order_same_name_of_another_kind_keeps_the_slot),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
