/* SPDX-License-Identifier: BSD-3-Clause */
/* show policies: the rule list as it was compiled, in order, as JSON. */
#include "control_priv.h"

static const char *const actions[] = {
	[SPD_PROTECT] = "protect",
	[SPD_BYPASS] = "bypass",
	[SPD_DISCARD] = "discard",
};

const char *policy_action_name(enum spd_action action)
{
	return actions[action];
}

static json_t *selectors(const struct selector_list *list)
{
	json_t *array = json_array();
	char text[SELECTOR_TEXT_MAX];

	for (uint8_t i = 0; i < list->count; i++)
		json_array_append_new(array, json_string(selector_format(&list->items[i], text)));
	return array;
}

json_t *policy_rule_json(const struct config *config, const struct policy *p, size_t i)
{
	const struct spd_rule *r = &p->rules[i];
	json_t *rule = json_pack("{s:I,s:s}", "number", (json_int_t)i + 1, "action", actions[r->action]);
	const struct slot_owner *o = r->action == SPD_PROTECT ? &p->slots[r->tunnel_slot] : NULL;
	const char *target = !o               ? NULL
			     : o->manual >= 0 ? config->manual_sas[o->manual].name
					      : config->tunnels[o->tunnel].name;

	json_object_set_new(rule, "target", target ? json_string(target) : json_null());
	json_object_set_new(rule, "local", selectors(&r->local));
	json_object_set_new(rule, "remote", selectors(&r->remote));
	json_object_set_new(
		rule, "policy", p->origins[i] >= 0 ? json_string(config->policies[p->origins[i]].name) : json_null());
	return rule;
}

/* The published rules are compiled and not kept in this form; the same resolution gives the same list again. */
json_t *show_policies(struct command_call *call)
{
	struct config *config = call->control->config;
	struct policy policy;
	json_t *list;

	if (policy_resolve(config, &call->control->policy, &policy))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < policy.rule_count; i++)
		json_array_append_new(list, policy_rule_json(config, &policy, i));
	policy_done(&policy);
	return json_pack("{s:o,s:s}", "policies", list, "default", actions[SPD_DISCARD]);
}
