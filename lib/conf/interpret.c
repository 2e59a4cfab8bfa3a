/* SPDX-License-Identifier: BSD-3-Clause */
/* The interpreter of schema rows: a map of the file and its rows fill a struct. Reports unknown and repeated keys,
 * missing settings, wrong kinds, wrong numbers of items and repeated names; the rest is for the types. */
#include "conf_priv.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 64 /* of one map: no map of ours has as many */

static const char *kind_name(const struct node *n)
{
	static const char *const names[] = { [NODE_SCALAR] = "a word", [NODE_LIST] = "a list", [NODE_MAP] = "a map" };

	return node_is_null(n) ? "nothing" : names[n->kind];
}

static void wrong_kind(struct load *l, const struct node *n, const char *expected)
{
	fault(l, n->place, "expected %s, found %s", expected, kind_name(n));
}

/* Rows of one map are few: a scan is as good as an index. */
static bool key_known(struct row_table t, const char *key)
{
	for (size_t i = 0; i < t.count; i++)
		if (strcmp(t.rows[i].key, key) == 0)
			return true;
	return false;
}

static void check_key(struct load *l, struct row_table t, const struct node *map, size_t at)
{
	const struct node *key = map->items[at];

	for (size_t k = 0; k < at; k += 2)
		if (strcmp(map->items[k]->text, key->text) == 0) {
			fault(l, key->place, "\"%.64s\" stands twice, first in line %u",
				l->quiet && !key_known(t, key->text) ? "?" : key->text, map->items[k]->place.line);
			return;
		}
	if (key_known(t, key->text))
		return;
	struct suggestion s = suggestion_init(key->text, key->len);
	for (size_t i = 0; i < t.count; i++)
		suggestion_offer(&s, t.rows[i].key);
	fault_unknown(l, key->place, "unknown setting", &s);
}

/* Each with each, so the number is bounded first. */
static void check_keys(struct load *l, struct row_table t, const struct node *map)
{
	if (map->count / 2 > KEYS_MAX) {
		fault(l, map->place, "more than %d settings in one map", KEYS_MAX);
		return;
	}
	for (size_t i = 0; i < map->count; i += 2)
		check_key(l, t, map, i);
}

/* NUL bytes can be written in YAML ("\0"), but would cut the C string that a type sees. */
static void interpret_scalar(struct load *l, const struct row *row, const struct node *n, void *base)
{
	if (n->kind != NODE_SCALAR || node_is_null(n))
		wrong_kind(l, n, row->type->expects);
	else if (strlen(n->text) != n->len)
		fault(l, n->place, "holds a NUL byte");
	else
		row->type->parse(l, row, n, n->text, base);
}

/* Before any memory is taken: the file chooses the number. */
static bool count_allowed(struct load *l, const struct row *row, const struct node *list)
{
	if (list->count < row->min)
		fault(l, list->place, "the list is too short, at least %u needed", (unsigned)row->min);
	else if (list->count > row->max)
		fault(l, list->items[row->max]->place, "more than %u entries", (unsigned)row->max);
	else
		return true;
	return false;
}

static void interpret_value(struct load *l, const struct row *row, const struct node *n, void *base)
{
	if (!row->type->list) {
		interpret_scalar(l, row, n, base);
		return;
	}
	if (n->kind != NODE_LIST) {
		wrong_kind(l, n, "a list in [ ] or with - before each entry");
		return;
	}
	if (!count_allowed(l, row, n))
		return;
	for (size_t i = 0; i < n->count; i++)
		interpret_scalar(l, row, n->items[i], base);
}

/* A default goes the way of a value of the file; each entry of a list by itself. */
static void apply_default(struct load *l, const struct row *row, struct place at, void *base)
{
	struct node origin = { .kind = NODE_MAP, .place = at };
	const char *text = row->fallback;

	while (text && *text) {
		const char *end = row->type->list ? strstr(text, ", ") : NULL;
		char *item = strndup(text, end ? (size_t)(end - text) : strlen(text));
		if (item)
			row->type->parse(l, row, &origin, item, base);
		else
			fault_no_memory(l);
		free(item);
		text = end ? end + 2 : NULL;
	}
}

/* The row that names the entries of a list, or NULL: routes and the like have no names. */
static const struct row *name_row(const struct row *list)
{
	for (size_t i = 0; i < list->row_count; i++)
		if (list->rows[i].type == &type_name && strcmp(list->rows[i].key, "name") == 0)
			return &list->rows[i];
	return NULL;
}

/* At the later of the two, with the line of the first. */
static void report_duplicate(
	struct load *l, const struct node *list, const struct name_ref *first, const struct name_ref *again)
{
	const struct node *former = map_get(list->items[first->index], "name");
	const struct node *name = map_get(list->items[again->index], "name");

	if (former && name)
		fault(l, name->place, "the name \"%s\" stands twice, first in line %u", again->name,
			former->place.line);
}

/* Names of a list's entries are unique. */
static void check_names(struct load *l, const struct row *row, const struct node *list, const uint8_t *items)
{
	const struct row *name = name_row(row);
	struct name_index x;

	if (!name || !list->count)
		return;
	if (name_index_build((const char *)items + name->offset, row->item_size, list->count, &x)) {
		fault_no_memory(l);
		return;
	}
	for (size_t i = 1; i < x.count; i++)
		if (x.refs[i].name[0] && strcmp(x.refs[i - 1].name, x.refs[i].name) == 0)
			report_duplicate(l, list, &x.refs[i - 1], &x.refs[i]);
	name_index_done(&x);
}

/* Room for the items, zeroed; NULL with the fault given. */
static uint8_t *list_items(struct load *l, const struct row *row, size_t count, void *base)
{
	uint8_t *place = (uint8_t *)base + row->offset;

	if (row->inline_items) {
		*((uint8_t *)base + row->count_offset) = (uint8_t)count;
		return place;
	}
	uint8_t *items = calloc(count ? count : 1, row->item_size);
	if (!items) {
		fault_no_memory(l);
		return NULL;
	}
	memcpy(place, &items, sizeof(items));
	*(size_t *)((uint8_t *)base + row->count_offset) = count;
	return items;
}

static void interpret_list(struct load *l, const struct row *row, const struct node *n, void *base)
{
	if (n->kind != NODE_LIST) {
		wrong_kind(l, n, "a list of maps");
		return;
	}
	uint8_t *items = count_allowed(l, row, n) ? list_items(l, row, n->count, base) : NULL;
	if (!items)
		return;
	for (size_t i = 0; i < n->count; i++) {
		const struct node *item = n->items[i];
		size_t former = path_push_item(l, item, i);
		interpret_map(l, (struct row_table){ row->rows, row->row_count }, item, item->place,
			items + i * row->item_size);
		path_pop(l, former);
	}
	check_names(l, row, n, items);
}

/* A map that is left out still gives its settings their defaults. */
static void interpret_row(struct load *l, const struct row *row, const struct node *map, struct place at, void *base)
{
	const struct node *n = map_get(map, row->key);

	if (!n && row->required)
		fault(l, at, "missing: %s", row->help);
	else if (row->kind == ROW_MAP)
		interpret_map(l, (struct row_table){ row->rows, row->row_count }, n, n ? n->place : at,
			(uint8_t *)base + row->offset);
	else if (!n)
		apply_default(l, row, at, base);
	else if (row->kind == ROW_LIST)
		interpret_list(l, row, n, base);
	else
		interpret_value(l, row, n, base);
}

void interpret_map(struct load *l, struct row_table t, const struct node *map, struct place at, void *base)
{
	if (map && map->kind != NODE_MAP) {
		wrong_kind(l, map, "a map of settings");
		return;
	}
	if (map)
		check_keys(l, t, map);
	for (size_t i = 0; i < t.count; i++) {
		size_t former = path_push(l, ".", t.rows[i].key);
		interpret_row(l, &t.rows[i], map, at, base);
		path_pop(l, former);
	}
}
