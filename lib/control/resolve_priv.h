/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns configured policies, tunnels and manual SAs into the ordered rule list and the tunnel slots they lead to. */
#pragma once

#include "conf.h"
#include "ipsec.h"

/* Who a tunnel slot belongs to. */
struct slot_owner {
	int32_t tunnel, child; /* -1: a manual SA */
	int32_t manual;        /* -1: a tunnel's child */
};

struct policy {
	struct spd_rule *rules; /* first match wins; freed once published */
	int32_t *origins;       /* index: rule; the policies entry it comes from, -1: none names its target */
	size_t rule_count;
	struct slot_owner *slots; /* index: tunnel slot */
	size_t slot_count;
};

/* Gives every child and manual SA its slot (written into config) and orders the rules: children and manual SAs that no
 * protect entry names first, then the policies in their order. 0 or -ENOMEM. */
int policy_resolve(struct config *config, struct policy *ret_policy);
void policy_rules_free(struct policy *p);
void policy_done(struct policy *p);
