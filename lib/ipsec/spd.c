/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy table: ordered rules of selectors, compiled into tries (rte_acl), of each family its own.
 *
 * Packets that show no ports (later fragments, protocols without) have a table of their own (RFC 4301 7): a rule that
 * asks for particular ports may be theirs or not. Such a rule counts for them when it protects or discards, and does
 * not when it bypasses: a fragment of protected traffic never leaves in clear, at the price that a fragment of bypassed
 * traffic meets the next rule. */
#include <errno.h>
#include <netinet/in.h>
#include <rte_acl.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipsec_priv.h"

#define SPD_BURST    64
#define EXPANDED_MAX (1u << 17) /* rules of one trie after expansion */
#define COVERS_MAX   1024       /* of them, the first so many are looked at for what they hide */
#define SAMPLE_MAX   512        /* rules that tell which side is to be asked first */
#define WORDS_MAX    4          /* 32-bit words of an address */
#define BLOCKS_MAX   7          /* of one IPv6 range; an IPv4 one is one */

/* Fields of a trie: protocol, words of the local address, words of the remote one, and where there are ports both. */
#define FIELD_PROTOCOL         0
#define FIELD_LOCAL            1
#define FIELD_REMOTE(words)    (1 + (words))
#define FIELD_PORTS(words)     (1 + 2 * (words))
#define FIELDS_PORTLESS(words) (1 + 2 * (words))
#define FIELDS_PORTED(words)   (3 + 2 * (words))
#define FIELDS_MAX             FIELDS_PORTED(WORDS_MAX)

RTE_ACL_RULE_DEF(acl_rule, FIELDS_MAX);

enum { TABLE_PORTED, TABLE_PORTLESS, TABLES_OF_FAMILY, TABLES = 2 * TABLES_OF_FAMILY }; /* IPv4's first */

/* A growing list of rules for one trie: struct acl_rule, each cut behind its last field. */
struct expansion {
	uint8_t *rules;
	uint32_t count, capacity;
	uint32_t words; /* of an address */
	uint32_t fields;
};

struct spd {
	uint16_t table_id;                  /* of the flows that its rules are about; 0 */
	struct rte_acl_ctx *tables[TABLES]; /* NULL: no rule */
	struct spd_verdict verdicts[];      /* by rule index + 1; 0: no rule matched */
};

/* A range of each word of an address. */
struct block {
	uint32_t low[WORDS_MAX], high[WORDS_MAX];
};

/* The first n words as they are, the others whatever they are. */
static struct block *block_add(const uint32_t *words, uint32_t n, struct block *ret_block)
{
	for (uint32_t i = 0; i < WORDS_MAX; i++) {
		ret_block->low[i] = i < n ? words[i] : 0;
		ret_block->high[i] = i < n ? words[i] : UINT32_MAX;
	}
	return ret_block;
}

static void addr_words(const struct addr *a, uint32_t words, uint32_t *ret_words)
{
	for (uint32_t i = 0; i < words; i++)
		ret_words[i] = load_be32(a->bytes + 4 * i);
}

/* The last word behind `first` that differs from `filler`, or `first`: what lies behind it asks for nothing. */
static uint32_t last_telling(const uint32_t *words, uint32_t count, uint32_t first, uint32_t filler)
{
	uint32_t last = count - 1;

	while (last > first && words[last] == filler)
		last--;
	return last;
}

/* The blocks that make up the range: what shares its beginning with the low end, what with the high end, and what lies
 * in between. A prefix is one. */
static uint32_t range_split(const struct selector *s, uint32_t words, struct block *ret_blocks)
{
	uint32_t low[WORDS_MAX] = { 0 }, high[WORDS_MAX] = { 0 }, n = 0, fork = 0;

	addr_words(&s->low, words, low);
	addr_words(&s->high, words, high);
	while (fork < words - 1 && low[fork] == high[fork])
		fork++;
	const uint32_t low_last = last_telling(low, words, fork, 0);
	const uint32_t high_last = last_telling(high, words, fork, UINT32_MAX);
	for (uint32_t i = low_last; i > fork; i--)
		if (i == low_last || low[i] != UINT32_MAX)
			block_add(low, i, &ret_blocks[n++])->low[i] = low[i] + (i != low_last);
	for (uint32_t i = high_last; i > fork; i--)
		if (i == high_last || high[i] != 0)
			block_add(high, i, &ret_blocks[n++])->high[i] = high[i] - (i != high_last);
	low[fork] += low_last != fork;
	high[fork] -= high_last != fork;
	if (low[fork] <= high[fork]) {
		struct block *middle = block_add(low, fork, &ret_blocks[n++]);
		middle->low[fork] = low[fork];
		middle->high[fork] = high[fork];
	}
	return n;
}

static struct acl_rule *expansion_rule(const struct expansion *e, uint32_t i)
{
	return (struct acl_rule *)(e->rules + (size_t)i * RTE_ACL_RULE_SZ(e->fields));
}

/* All fields but the protocol are ranges; a port's upper bytes are zero. */
static bool rule_covers(const struct acl_rule *wide, const struct acl_rule *narrow, uint32_t fields)
{
	const struct rte_acl_field *protocol = &wide->field[FIELD_PROTOCOL];

	for (uint32_t i = FIELD_LOCAL; i < fields; i++)
		if (wide->field[i].value.u32 > narrow->field[i].value.u32 ||
			wide->field[i].mask_range.u32 < narrow->field[i].mask_range.u32)
			return false;
	return !protocol->mask_range.u8 || protocol->value.u8 == narrow->field[FIELD_PROTOCOL].value.u8;
}

/* Rules come in their order: what an earlier one takes whole never gets to this one. Wide rules that overlap would
 * otherwise have rte_acl make paths for each of their intersections. */
static bool is_hidden(const struct expansion *e, const struct acl_rule *rule)
{
	for (uint32_t i = 0; i < e->count && i < COVERS_MAX; i++)
		if (rule_covers(expansion_rule(e, i), rule, e->fields))
			return true;
	return false;
}

static int expansion_push(struct expansion *e, const struct acl_rule *rule)
{
	size_t stride = RTE_ACL_RULE_SZ(e->fields);
	uint8_t *rules;

	if (is_hidden(e, rule))
		return 0;
	if (e->count == EXPANDED_MAX)
		return -E2BIG;
	if (e->count == e->capacity) {
		uint32_t capacity = e->capacity ? e->capacity * 2 : 64;
		rules = (uint8_t *)realloc(e->rules, capacity * stride);
		if (!rules)
			return -ENOMEM;
		e->rules = rules;
		e->capacity = capacity;
	}
	memcpy(e->rules + e->count++ * stride, rule, stride);
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

static void address_fill(struct rte_acl_field *fields, uint32_t words, const struct block *b)
{
	for (uint32_t i = 0; i < words; i++) {
		fields[i].value.u32 = b->low[i];
		fields[i].mask_range.u32 = b->high[i];
	}
}

static void ports_fill(struct rte_acl_field *field, const struct selector *s)
{
	field->value.u16 = s->port_low;
	field->mask_range.u16 = s->port_high;
}

/* One selector of each side; every block of one with every block of the other. */
static int pair_expand(
	const struct selector *local, const struct selector *remote, struct acl_rule rule, struct expansion *ret_rules)
{
	struct block locals[BLOCKS_MAX], remotes[BLOCKS_MAX];
	uint32_t words = ret_rules->words;
	uint32_t local_count = range_split(local, words, locals), remote_count = range_split(remote, words, remotes);
	uint8_t protocol = local->protocol ? local->protocol : remote->protocol;
	int rc = 0;

	rule.field[FIELD_PROTOCOL].value.u8 = protocol;
	rule.field[FIELD_PROTOCOL].mask_range.u8 = protocol ? 0xff : 0;
	ports_fill(&rule.field[FIELD_PORTS(words)], local);
	ports_fill(&rule.field[FIELD_PORTS(words) + 1], remote);
	for (uint32_t i = 0; !rc && i < local_count * remote_count; i++) {
		address_fill(&rule.field[FIELD_LOCAL], words, &locals[i / remote_count]);
		address_fill(&rule.field[FIELD_REMOTE(words)], words, &remotes[i % remote_count]);
		rc = expansion_push(ret_rules, &rule);
	}
	return rc;
}

static bool pair_possible(const struct selector *local, const struct selector *remote)
{
	return local->low.family == remote->low.family &&
	       (!local->protocol || !remote->protocol || local->protocol == remote->protocol);
}

static struct expansion *family_tables(struct expansion *all, uint8_t family)
{
	return all + (family == ADDR_IPV6 ? TABLES_OF_FAMILY : 0);
}

static int rule_expand(const struct spd_rule *r, const struct acl_rule *blank, struct expansion *ret_tables)
{
	int rc = 0;

	for (int i = 0; !rc && i < r->local.count * r->remote.count; i++) {
		const struct selector *l = &r->local.items[i / r->remote.count];
		const struct selector *m = &r->remote.items[i % r->remote.count];
		struct expansion *tables = family_tables(ret_tables, l->low.family);
		if (!pair_possible(l, m))
			continue;
		if (!port_opaque(l) && !port_opaque(m))
			rc = pair_expand(l, m, *blank, &tables[TABLE_PORTED]);
		if (!rc && (r->action != SPD_BYPASS || (portless_fits(l) && portless_fits(m))))
			rc = pair_expand(l, m, *blank, &tables[TABLE_PORTLESS]);
	}
	return rc;
}

static int rules_expand(const struct spd_rule *rules, size_t count, struct expansion *ret_tables)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		struct acl_rule blank = { 0 };
		blank.data.category_mask = 1;
		blank.data.priority = (int32_t)(RTE_ACL_MAX_PRIORITY - i);
		blank.data.userdata = (uint32_t)i + 1;
		rc = rule_expand(&rules[i], &blank, ret_tables);
	}
	return rc;
}

/* ---- the shape of a trie ---- */

static bool word_is_prefix(const struct rte_acl_field *f)
{
	uint32_t open = f->value.u32 ^ f->mask_range.u32;

	return !(open & (open + 1)) && !(f->value.u32 & open);
}

/* rte_acl sorts prefixes by their length, which ranges do not tell it, and makes smaller tries then: a side of which
 * every word is a prefix is given as such. False: it is not, and stays ranges. */
static bool side_to_prefixes(const struct expansion *e, uint32_t first)
{
	for (uint32_t i = 0; i < e->count; i++)
		for (uint32_t w = first; w < first + e->words; w++)
			if (!word_is_prefix(&expansion_rule(e, i)->field[w]))
				return false;
	for (uint32_t i = 0; i < e->count; i++)
		for (uint32_t w = first; w < first + e->words; w++) {
			struct rte_acl_field *f = &expansion_rule(e, i)->field[w];
			f->mask_range.u32 = 32 - (uint32_t)__builtin_popcount(f->value.u32 ^ f->mask_range.u32);
		}
	return true;
}

/* On that side, do the two meet without being the same? */
static bool side_crosses(const struct acl_rule *a, const struct acl_rule *b, uint32_t first, uint32_t words)
{
	bool same = true;

	for (uint32_t w = first; w < first + words; w++) {
		const struct rte_acl_field *x = &a->field[w], *y = &b->field[w];
		if (x->value.u32 > y->mask_range.u32 || y->value.u32 > x->mask_range.u32)
			return false;
		same &= x->value.u32 == y->value.u32 && x->mask_range.u32 == y->mask_range.u32;
	}
	return !same;
}

static uint32_t crossings(const struct expansion *e, uint32_t first)
{
	uint32_t step = e->count / SAMPLE_MAX + 1, n = 0;

	for (uint32_t i = 0; i < e->count; i += step)
		for (uint32_t k = 0; k < i; k += step)
			n += side_crosses(expansion_rule(e, i), expansion_rule(e, k), first, e->words);
	return n;
}

/* Where many cross on the first side, every piece of it repeats much of the second: then the other one goes first. */
static bool remote_goes_first(const struct expansion *e)
{
	return crossings(e, FIELD_LOCAL) / 4 > crossings(e, FIELD_REMOTE(e->words));
}

static void side_define(
	uint32_t words, uint32_t first, bool prefixes, size_t offset, struct rte_acl_field_def *ret_defs)
{
	for (uint32_t i = 0; i < words; i++)
		ret_defs[i] = (struct rte_acl_field_def){ prefixes ? RTE_ACL_FIELD_TYPE_MASK : RTE_ACL_FIELD_TYPE_RANGE,
			4, (uint8_t)(first + i), (uint8_t)(first + i), (uint32_t)(offset + 4 * i) };
}

/* The first field of a trie has one byte, the others come in groups of four: two ports share one. */
static void fields_define(const struct expansion *e, struct rte_acl_field_def *ret_defs)
{
	uint32_t words = e->words;
	uint8_t ports = (uint8_t)FIELD_PORTS(words);
	bool remote_first = remote_goes_first(e);
	struct rte_acl_field_def *local = &ret_defs[remote_first ? FIELD_REMOTE(words) : FIELD_LOCAL];
	struct rte_acl_field_def *remote = &ret_defs[remote_first ? FIELD_LOCAL : FIELD_REMOTE(words)];

	ret_defs[FIELD_PROTOCOL] = (struct rte_acl_field_def){ RTE_ACL_FIELD_TYPE_BITMASK, 1, FIELD_PROTOCOL, 0,
		offsetof(struct flow, protocol) };
	side_define(words, FIELD_LOCAL, side_to_prefixes(e, FIELD_LOCAL), offsetof(struct flow, local_be), local);
	side_define(words, FIELD_REMOTE(words), side_to_prefixes(e, FIELD_REMOTE(words)),
		offsetof(struct flow, remote_be), remote);
	ret_defs[ports] = (struct rte_acl_field_def){ RTE_ACL_FIELD_TYPE_RANGE, 2, ports, ports,
		offsetof(struct flow, local_port_be) };
	ret_defs[ports + 1] = (struct rte_acl_field_def){ RTE_ACL_FIELD_TYPE_RANGE, 2, (uint8_t)(ports + 1), ports,
		offsetof(struct flow, remote_port_be) };
}

static int acl_fill(struct rte_acl_ctx *acl, const struct expansion *e)
{
	struct rte_acl_config config = { .num_categories = 1, .num_fields = e->fields };
	int rc;

	fields_define(e, config.defs);
	rc = rte_acl_add_rules(acl, (const struct rte_acl_rule *)e->rules, e->count);
	return rc ? rc : rte_acl_build(acl, &config);
}

/* NULL in *ret_acl when there is no rule. 0 or -errno. */
static int acl_build(const struct expansion *e, struct rte_acl_ctx **ret_acl)
{
	static atomic_uint instance; /* relaxed: only has to differ */
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param p = {
		.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = (uint32_t)RTE_ACL_RULE_SZ(e->fields),
		.max_rule_num = e->count,
	};

	*ret_acl = NULL;
	if (!e->count)
		return 0;
	snprintf(name, sizeof(name), "spd%u", atomic_fetch_add_explicit(&instance, 1, memory_order_relaxed));
	*ret_acl = rte_acl_create(&p);
	return *ret_acl ? acl_fill(*ret_acl, e) : -ENOMEM;
}

static const char *fault_text(int rc)
{
	if (!rc)
		return NULL;
	return rc == -E2BIG ? "policies expand to too many rules" : "no memory to compile the policies";
}

static int spd_fill(struct spd *spd, const struct spd_rule *rules, size_t count)
{
	struct expansion tables[TABLES] = {
		{ .words = 1, .fields = FIELDS_PORTED(1) },
		{ .words = 1, .fields = FIELDS_PORTLESS(1) },
		{ .words = WORDS_MAX, .fields = FIELDS_PORTED(WORDS_MAX) },
		{ .words = WORDS_MAX, .fields = FIELDS_PORTLESS(WORDS_MAX) },
	};
	int rc = rules_expand(rules, count, tables);

	for (int i = 0; i < TABLES; i++) {
		if (!rc)
			rc = acl_build(&tables[i], &spd->tables[i]);
		free(tables[i].rules);
	}
	return rc;
}

struct spd *spd_create(const struct spd_rule *rules, size_t count, const char **ret_reason)
{
	struct spd *spd = NULL;

	*ret_reason = count < EXPANDED_MAX ? NULL : fault_text(-E2BIG);
	if (!*ret_reason)
		/* of the C library: it is made on one thread and freed on another, and what DPDK's heap does about that
		 * ThreadSanitizer does not see */
		spd = (struct spd *)calloc(1, sizeof(*spd) + (count + 1) * sizeof(spd->verdicts[0]));
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
	for (int i = 0; i < TABLES; i++)
		rte_acl_free(spd->tables[i]);
	free(spd);
}

/* The flows of one trie, by their place in the caller's array. */
struct batch {
	const uint8_t *data[SPD_BURST];
	uint8_t place[SPD_BURST];
	uint32_t n;
};

static void batch_classify(
	const struct spd *spd, const struct rte_acl_ctx *acl, const struct batch *b, struct spd_verdict *ret_verdicts)
{
	uint32_t results[SPD_BURST] = { 0 };

	if (acl && b->n)
		rte_acl_classify(acl, (const uint8_t **)(uintptr_t)b->data, results, b->n, 1);
	for (uint32_t i = 0; i < b->n; i++)
		ret_verdicts[b->place[i]] = spd->verdicts[results[i]];
}

static inline void batch_push(struct batch *b, const struct flow *f, uint16_t place)
{
	b->data[b->n] = (const uint8_t *)f;
	b->place[b->n++] = (uint8_t)place;
}

/* The flows of one family; returns how many are of the other. */
static inline uint16_t family_lookup(
	const struct spd *spd, bool six, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	struct rte_acl_ctx *const *tables = &spd->tables[six ? TABLES_OF_FAMILY : 0];
	struct batch ported, portless;
	struct flow icmp[SPD_BURST];
	uint16_t others = 0;

	ported.n = 0;
	portless.n = 0;
	for (uint16_t i = 0; i < n; i++) {
		const struct flow *f = &flows[i];
		if (unlikely((f->family == ADDR_IPV6) != six)) {
			others++;
			continue;
		}
		if (unlikely(f->table_id != spd->table_id)) {
			ret_verdicts[i] = spd->verdicts[0];
			continue;
		}
		if (f->has_ports && (f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6)) {
			/* type and code, whichever side's selector names them */
			icmp[i] = *f;
			icmp[i].remote_port_be = f->local_port_be;
			f = &icmp[i];
		}
		batch_push(f->has_ports ? &ported : &portless, f, i);
	}
	batch_classify(spd, tables[TABLE_PORTED], &ported, ret_verdicts);
	if (unlikely(portless.n))
		batch_classify(spd, tables[TABLE_PORTLESS], &portless, ret_verdicts);
	return others;
}

void spd_lookup(const struct spd *spd, const struct flow *flows, uint16_t n, struct spd_verdict *ret_verdicts)
{
	if (family_lookup(spd, false, flows, n, ret_verdicts))
		family_lookup(spd, true, flows, n, ret_verdicts);
}
