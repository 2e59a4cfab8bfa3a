/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns configured policies, tunnels and manual SAs into the ordered rule list and the tunnel slots they lead to. */
#pragma once

#include "conf.h"
#include "ipsec.h"

/* Who a tunnel slot belongs to. */
struct slot_owner {
	int32_t tunnel, child; /* -1: a manual SA */
	int32_t manual;        /* -1: a tunnel's child */
	bool missing;          /* a manual SA that a reload could not install: the next one tries again */
};

/* The slots of a tunnel or manual SA, which stay its own from one configuration to the next. */
struct slot_range {
	char name[CONFIG_NAME_MAX];
	uint32_t first, count;
};

struct policy {
	struct spd_rule *rules; /* first match wins; freed once published */
	int32_t *origins;       /* index: rule; the policies entry it comes from, -1: none names its target */
	size_t rule_count;
	struct slot_owner *slots;  /* index: tunnel slot; all -1: nobody's */
	size_t slot_count;         /* beyond the last one in use */
	struct slot_range *ranges; /* sorted by name */
	size_t range_count;
	uint32_t next_slot; /* where free ones are looked for */
};

#define POLICY_SLOTS_MAX 65536

/* Gives every child and manual SA its slot (written into config) and orders the rules: children and manual SAs that no
 * protect entry names first, then the policies in their order. before: of the configuration now in force (NULL: none);
 * who has slots there keeps them, and nobody gets one that was another's there. 0, -ENOMEM, -ENOSPC. */
int policy_resolve(struct config *config, const struct policy *before, struct policy *ret_policy);
void policy_rules_free(struct policy *p);
void policy_done(struct policy *p);
