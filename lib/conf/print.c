/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema as a document: docs/config.md is this output. */
#include "conf_priv.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char intro[] = "# Configuration\n"
			    "\n"
			    "Written by `sallyctl config schema` from the schema; edit the schema, not this page.\n"
			    "\n"
			    "One YAML file, given as `sallyportd --config FILE`, and a second one with the secrets. "
			    "`sallyctl check FILE` says\n"
			    "what is wrong with it without a daemon. An error has a place and the path of the setting; "
			    "a file with an error\n"
			    "changes nothing:\n"
			    "\n"
			    "    gateway.yaml:41:20: tunnels.paris.phase1.proposals: unknown \"aes257gcm16\"; did you "
			    "mean \"aes256gcm16\"?\n"
			    "\n"
			    "Durations have a unit (`500ms`, `30s`, `5m`, `1h`, `1d`), sizes are plain numbers. A "
			    "setting without a default\n"
			    "is left out when it is not needed; those marked *required* are not. `sallyctl reload` "
			    "or SIGHUP has sallyportd\n"
			    "read its file again: the last column says what it takes over while it runs (live). When "
			    "anything else was\n"
			    "changed (restart), it names the setting and keeps all as it was. What counts is what was "
			    "written: a default\n"
			    "written out is a change. A change of the interfaces or tunnels takes a restart.\n"
			    "\n"
			    "An annotated file is [config/gateway.yaml](../config/gateway.yaml).\n";

static const char secrets_intro[] =
	"\n# The secrets file\n"
	"\n"
	"Named by `secrets_file`, read at start and by a reload, refused unless only its owner can read it "
	"(mode 0600 or 0400), who is root\n"
	"or the user that reads it. `{}` when there is nothing to keep secret.\n";

/* What is refused by name is no value. */
static void print_words(FILE *f, const struct word *words)
{
	bool first = true;

	for (const struct word *w = words; w->text; w++)
		if (!w->refusal) {
			fprintf(f, "%s`%s`", first ? "" : ", ", w->text);
			first = false;
		}
}

static void print_range(FILE *f, const struct row *row)
{
	char low[24], high[24];

	if (row->type == &type_number_or_word) {
		print_words(f, row->words);
		fputs(", ", f);
	}
	if (row->type == &type_number || row->type == &type_number_or_word)
		fprintf(f, "%s%" PRIu64 " to %" PRIu64, row->zero_allowed ? "0, " : "", row->min, row->max);
	else if (row->type == &type_duration)
		fprintf(f, "%s%s to %s", row->zero_allowed ? "0s, " : "", duration_format(row->min, low),
			duration_format(row->max, high));
	else if (row->kind == ROW_LIST || row->type->list)
		fprintf(f, "%" PRIu64 " to %" PRIu64 " entries", row->min, row->max);
	else if (row->words)
		print_words(f, row->words);
	else if (row->family)
		fprintf(f, "IPv%d", row->family);
}

static void print_row(FILE *f, const char *path, const struct row *row, bool live)
{
	const char *type = row->kind == ROW_LIST ? "list of maps" : row->type->name;

	fprintf(f, "| `%s` | %s | ", path, type);
	if (row->required)
		fputs("*required*", f);
	else if (row->fallback)
		fprintf(f, "%s%s%s", row->type->list ? "`[" : "`", row->fallback, row->type->list ? "]`" : "`");
	fputs(" | ", f);
	print_range(f, row);
	fprintf(f, " | %s | %s |\n", row->help, live ? "live" : "restart");
}

/* A row and all below it, which inherit its reload class; path has room for the deepest. */
static void print_tree(FILE *f, const struct row *row, bool live, char *path, size_t capacity)
{
	size_t len = strlen(path);

	live = live || row->reload == RELOAD_LIVE;
	snprintf(path + len, capacity - len, "%s%s%s", len ? "." : "", row->key, row->kind == ROW_LIST ? "[]" : "");
	if (row->kind != ROW_MAP)
		print_row(f, path, row, live);
	for (size_t i = 0; i < row->row_count; i++)
		print_tree(f, &row->rows[i], live, path, capacity);
	path[len] = '\0';
}

/* A map has no line of its own in the table: its meaning stands above. */
static void print_section(FILE *f, const struct row *row)
{
	char path[128] = "";

	fprintf(f, "\n## %s\n\n", row->key);
	if (row->kind == ROW_MAP)
		fprintf(f, "%c%s.\n\n", toupper((unsigned char)row->help[0]), row->help + 1);
	fputs("| setting | type | default | values | meaning | reload class |\n|---|---|---|---|---|---|\n", f);
	print_tree(f, row, false, path, sizeof(path));
}

static void print_selectors(FILE *f)
{
	fputs("\nA selector is a prefix, an address or a range `low-high`, and what stands in `[ ]` behind it:\n\n"
	      "| behind the addresses | traffic |\n|---|---|\n"
	      "| nothing | all |\n"
	      "| `[tcp]` | a protocol: `tcp`, `udp`, `sctp`, `gre`, `icmp` (beside IPv6 addresses that is ICMPv6), "
	      "`ipv6-icmp` or `icmpv6` |\n"
	      "| `[protocol 47]`, `[47]` | a protocol by its number; it is not a port |\n"
	      "| `[tcp/80]`, `[17/53]` | a port of this side |\n"
	      "| `[tcp/80-90]` | ports from the first to the last |\n"
	      "| `[icmp/8]`, `[icmp/8-11]` | an ICMP type, or several, with all of their codes |\n"
	      "| `[icmp/3/4]`, `[icmp/3/0-3/5]` | a type with one code, or several |\n"
	      "| `[tcp/opaque]` | packets whose ports cannot be seen: fragments behind the first |\n\n"
	      "YAML takes `[ ]` and a leading `:` for its own: such selectors stand in quotes, "
	      "`[\"10.1.0.0/24[tcp/80]\", \"::/0\"]`.\n",
		f);
}

/* How each type is written: the same words as in the error texts. */
static void print_types(FILE *f)
{
	static const struct type *const types[] = { &type_number, &type_number_or_word, &type_duration, &type_name,
		&type_text, &type_path, &type_address, &type_prefix, &type_mac, &type_identity, &type_selectors,
		&type_ike_proposals, &type_child_proposals, &type_suite, &type_psk, &type_key };

	fputs("\n# Types\n\n| type | what is written |\n|---|---|\n", f);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		fprintf(f, "| %s | %s%s |\n", types[i]->name, types[i]->list ? "each: " : "", types[i]->expects);
	print_selectors(f);
}

/* Its other spellings. */
static void print_aliases(FILE *f, const struct alg *a)
{
	const char *alias;

	for (size_t i = 0; (alias = alg_alias(a, i)); i++)
		fprintf(f, "%s`%s`", i ? ", " : "", alias);
}

/* Keywords of proposals, from the algorithm table. */
static void print_algorithms(FILE *f)
{
	fputs("\n# Algorithms\n\nWords of proposals, in the order of strongSwan: encryption, integrity or PRF, group, "
	      "with "
	      "`-` between them. Those marked weak\nneed `allow_weak: true`.\n\n"
	      "| keyword | also | algorithm | kind | phase 1 | ESP | AH | weak |\n|---|---|---|---|---|---|---|---|\n",
		f);
	for (const struct alg *a = alg_next(NULL); a; a = alg_next(a)) {
		const char *weakness = alg_weakness(a);
		fprintf(f, "| `%s` | ", a->keyword);
		print_aliases(f, a);
		fprintf(f, " | %s | %s | %s | %s | %s | %s |\n", a->name, transform_type_name(a->type),
			a->flags & ALG_IKE ? "yes" : "", a->flags & ALG_ESP ? "yes" : "",
			a->flags & ALG_AH ? "yes" : "", weakness ? weakness : "");
	}
}

void config_schema_print(void *stdio_file)
{
	struct row_table config = schema_config(), secrets = schema_secrets();
	FILE *f = stdio_file;

	fputs(intro, f);
	for (size_t i = 0; i < config.count; i++)
		print_section(f, &config.rows[i]);
	fputs(secrets_intro, f);
	for (size_t i = 0; i < secrets.count; i++)
		print_section(f, &secrets.rows[i]);
	print_types(f);
	print_algorithms(f);
}
