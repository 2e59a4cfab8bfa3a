/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy table: ordered rules of selectors, compiled into tries (rte_acl). IPv4; rules' IPv6 selectors are left
 * out.
 *
 * Packets that show no ports (later fragments, protocols without) have a table of their own (RFC 4301 7): a rule that
 * asks for particular ports may be theirs or not. Such a rule counts for them when it protects or discards, and does
 * not when it bypasses: a fragment of protected traffic never leaves in clear, at the price that a fragment of bypassed
 * traffic meets the next rule. */
#include <errno.h>
#include <netinet/in.h>
#include <rte_acl.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipsec_priv.h"

#define SPD_BURST    64
#define EXPANDED_MAX (1u << 20) /* rules after expansion */
#define PREFIXES_MAX 62         /* of one IPv4 range */

enum { FIELD_PROTOCOL, FIELD_LOCAL, FIELD_REMOTE, FIELD_LOCAL_PORT, FIELD_REMOTE_PORT, FIELDS };
#define FIELDS_PORTLESS FIELD_LOCAL_PORT

RTE_ACL_RULE_DEF(acl_rule, FIELDS);

/* A growing list of rules for one trie. */
struct expansion {
	struct acl_rule *rules;
	uint32_t count, capacity;
};

struct spd {
	struct rte_acl_ctx *ported, *portless; /* NULL: no rule */
	struct spd_verdict verdicts[];         /* by rule index + 1; 0: no rule matched */
};

struct ipv4_prefix {
	uint32_t addr;
	uint8_t len;
};

/* The fewest prefixes that make up the range. */
static uint32_t range_split(uint32_t low, uint32_t high, struct ipv4_prefix *ret_prefixes)
{
	uint64_t at = low, end = (uint64_t)high + 1;
	uint32_t n = 0;

	while (at < end) {
		uint8_t bits = at ? (uint8_t)__builtin_ctzll(at) : 32;
		while (((uint64_t)1 << bits) > end - at)
			bits--;
		ret_prefixes[n++] = (struct ipv4_prefix){ (uint32_t)at, (uint8_t)(32 - bits) };
		at += (uint64_t)1 << bits;
	}
	return n;
}

static int expansion_push(struct expansion *e, const struct acl_rule *rule)
{
	struct acl_rule *rules;

	if (e->count == EXPANDED_MAX)
		return -E2BIG;
	if (e->count == e->capacity) {
		uint32_t capacity = e->capacity ? e->capacity * 2 : 64;
		rules = (struct acl_rule *)realloc(e->rules, capacity * sizeof(*rules));
		if (!rules)
			return -ENOMEM;
		e->rules = rules;
		e->capacity = capacity;
	}
	e->rules[e->count++] = *rule;
	return 0;
}

static bool port_any(const struct selector *s)
{
	return s->port_low == 0 && s->port_high == UINT16_MAX;
}

static bool port_opaque(const struct selector *s)
{
	return s->port_low > s->port_high;
}

/* True when a packet without ports certainly fits this side. */
static bool portless_fits(const struct selector *s)
{
	return port_any(s) || port_opaque(s);
}

/* One selector of each side; every prefix of one with every prefix of the other. */
static int pair_expand(
	const struct selector *local, const struct selector *remote, struct acl_rule rule, struct expansion *ret_rules)
{
	struct ipv4_prefix locals[PREFIXES_MAX], remotes[PREFIXES_MAX];
	uint32_t local_count = range_split(addr_ipv4(&local->low), addr_ipv4(&local->high), locals);
	uint32_t remote_count = range_split(addr_ipv4(&remote->low), addr_ipv4(&remote->high), remotes);
	uint8_t protocol = local->protocol ? local->protocol : remote->protocol;
	int rc = 0;

	rule.field[FIELD_PROTOCOL].value.u8 = protocol;
	rule.field[FIELD_PROTOCOL].mask_range.u8 = protocol ? 0xff : 0;
	rule.field[FIELD_LOCAL_PORT].value.u16 = local->port_low;
	rule.field[FIELD_LOCAL_PORT].mask_range.u16 = local->port_high;
	rule.field[FIELD_REMOTE_PORT].value.u16 = remote->port_low;
	rule.field[FIELD_REMOTE_PORT].mask_range.u16 = remote->port_high;
	for (uint32_t i = 0; !rc && i < local_count * remote_count; i++) {
		const struct ipv4_prefix *l = &locals[i / remote_count], *r = &remotes[i % remote_count];
		rule.field[FIELD_LOCAL].value.u32 = l->addr;
		rule.field[FIELD_LOCAL].mask_range.u32 = l->len;
		rule.field[FIELD_REMOTE].value.u32 = r->addr;
		rule.field[FIELD_REMOTE].mask_range.u32 = r->len;
		rc = expansion_push(ret_rules, &rule);
	}
	return rc;
}

static bool pair_possible(const struct selector *local, const struct selector *remote)
{
	return local->low.family == ADDR_IPV4 && remote->low.family == ADDR_IPV4 &&
	       (!local->protocol || !remote->protocol || local->protocol == remote->protocol);
}

static int rule_expand(const struct spd_rule *r, const struct acl_rule *blank, struct expansion *ret_ported,
	struct expansion *ret_portless)
{
	int rc = 0;

	for (int i = 0; !rc && i < r->local.count * r->remote.count; i++) {
		const struct selector *l = &r->local.items[i / r->remote.count];
		const struct selector *m = &r->remote.items[i % r->remote.count];
		if (!pair_possible(l, m))
			continue;
		if (!port_opaque(l) && !port_opaque(m))
			rc = pair_expand(l, m, *blank, ret_ported);
		if (!rc && (r->action != SPD_BYPASS || (portless_fits(l) && portless_fits(m))))
			rc = pair_expand(l, m, *blank, ret_portless);
	}
	return rc;
}

static int rules_expand(
	const struct spd_rule *rules, size_t count, struct expansion *ret_ported, struct expansion *ret_portless)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		struct acl_rule blank = { 0 };
		blank.data.category_mask = 1;
		blank.data.priority = (int32_t)(RTE_ACL_MAX_PRIORITY - i);
		blank.data.userdata = (uint32_t)i + 1;
		rc = rule_expand(&rules[i], &blank, ret_ported, ret_portless);
	}
	return rc;
}

/* The first field of a trie has one byte, the others come in groups of four. */
static const struct rte_acl_field_def field_defs[FIELDS] = {
	[FIELD_PROTOCOL] = { RTE_ACL_FIELD_TYPE_BITMASK, 1, FIELD_PROTOCOL, 0, offsetof(struct flow, protocol) },
	[FIELD_LOCAL] = { RTE_ACL_FIELD_TYPE_MASK, 4, FIELD_LOCAL, 1, offsetof(struct flow, local_be) },
	[FIELD_REMOTE] = { RTE_ACL_FIELD_TYPE_MASK, 4, FIELD_REMOTE, 2, offsetof(struct flow, remote_be) },
	[FIELD_LOCAL_PORT] = { RTE_ACL_FIELD_TYPE_RANGE, 2, FIELD_LOCAL_PORT, 3, offsetof(struct flow, local_port_be) },
	[FIELD_REMOTE_PORT] = { RTE_ACL_FIELD_TYPE_RANGE, 2, FIELD_REMOTE_PORT, 3,
		offsetof(struct flow, remote_port_be) },
};

static int acl_fill(struct rte_acl_ctx *acl, const struct expansion *e, uint32_t fields)
{
	struct rte_acl_config config = { .num_categories = 1, .num_fields = fields };
	int rc;

	memcpy(config.defs, field_defs, sizeof(field_defs));
	rc = rte_acl_add_rules(acl, (const struct rte_acl_rule *)e->rules, e->count);
	return rc ? rc : rte_acl_build(acl, &config);
}

/* NULL in *ret_acl when there is no rule. 0 or -errno. */
static int acl_build(const struct expansion *e, uint32_t fields, struct rte_acl_ctx **ret_acl)
{
	static unsigned int instance;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param p = {
		.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = sizeof(struct acl_rule),
		.max_rule_num = e->count,
	};

	*ret_acl = NULL;
	if (!e->count)
		return 0;
	snprintf(name, sizeof(name), "spd%u", instance++);
	*ret_acl = rte_acl_create(&p);
	return *ret_acl ? acl_fill(*ret_acl, e, fields) : -ENOMEM;
}

static const char *fault_text(int rc)
{
	if (!rc)
		return NULL;
	return rc == -E2BIG ? "policies expand to too many rules" : "no memory to compile the policies";
}

static int spd_fill(struct spd *spd, const struct spd_rule *rules, size_t count)
{
	struct expansion ported = { 0 }, portless = { 0 };
	int rc = rules_expand(rules, count, &ported, &portless);

	if (!rc)
		rc = acl_build(&ported, FIELDS, &spd->ported);
	if (!rc)
		rc = acl_build(&portless, FIELDS_PORTLESS, &spd->portless);
	free(ported.rules);
	free(portless.rules);
	return rc;
}

struct spd *spd_create(const struct spd_rule *rules, size_t count, const char **ret_reason)
{
	struct spd *spd = NULL;

	*ret_reason = count < EXPANDED_MAX ? NULL : fault_text(-E2BIG);
	if (!*ret_reason)
		spd = (struct spd *)rte_zmalloc(NULL, sizeof(*spd) + (count + 1) * sizeof(spd->verdicts[0]), 0);
	if (!spd) {
		if (!*ret_reason)
			*ret_reason = fault_text(-ENOMEM);
		return NULL;
	}
	spd->verdicts[0] = (struct spd_verdict){ .action = SPD_DISCARD, .rule = UINT32_MAX };
	for (size_t i = 0; i < count; i++)
		spd->verdicts[i + 1] = (struct spd_verdict){ .action = (uint8_t)rules[i].action,
			.matched = true,
			.tunnel_slot = rules[i].tunnel_slot,
			.rule = (uint32_t)i };
	*ret_reason = fault_text(spd_fill(spd, rules, count));
	if (!*ret_reason)
		return spd;
	spd_free(spd);
	return NULL;
}

void spd_free(void *object)
{
	struct spd *spd = (struct spd *)object;

	if (!spd)
		return;
	rte_acl_free(spd->ported);
	rte_acl_free(spd->portless);
	rte_free(spd);
}

/* The flows of one trie, by their place in the caller's array. */
struct batch {
	const uint8_t *data[SPD_BURST];
	uint8_t place[SPD_BURST];
	uint32_t n;
};

static void batch_classify(
	const struct spd *spd, const struct rte_acl_ctx *acl, struct batch *b, struct spd_verdict *ret_verdicts)
{
	uint32_t results[SPD_BURST] = { 0 };

	if (acl && b->n)
		rte_acl_classify(acl, b->data, results, b->n, 1);
	for (uint32_t i = 0; i < b->n; i++)
		ret_verdicts[b->place[i]] = spd->verdicts[results[i]];
}

static inline void batch_push(struct batch *b, const struct flow *f, uint16_t place)
{
	b->data[b->n] = (const uint8_t *)f;
	b->place[b->n++] = (uint8_t)place;
}

void spd_lookup(const struct spd *spd, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	struct batch ported, portless;
	struct flow icmp[SPD_BURST];

	ported.n = 0;
	portless.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		const struct flow *f = &flows[i];
		if (f->has_ports && (f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6)) {
			/* type and code, whichever side's selector names them */
			icmp[i] = *f;
			icmp[i].remote_port_be = f->local_port_be;
			f = &icmp[i];
		}
		batch_push(f->has_ports ? &ported : &portless, f, i);
	}
	batch_classify(spd, spd->ported, &ported, ret_verdicts);
	if (unlikely(portless.n))
		batch_classify(spd, spd->portless, &portless, ret_verdicts);
}
