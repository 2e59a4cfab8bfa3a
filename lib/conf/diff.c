/* SPDX-License-Identifier: BSD-3-Clause */
/* What is different in two configurations, by the schema: compares what was written. */
#include "conf_priv.h"

#include <stdio.h>

/* A comparison on its way down the schema. */
struct walk {
	char *path;
	size_t capacity;
};

static size_t walk_push(struct walk *w, const char *key)
{
	size_t former = strlen(w->path);

	snprintf(w->path + former, w->capacity - former, "%s%s", former ? "." : "", key);
	return former;
}

/* The setting of a map that differs, when it is one of known name; one level is enough to find it. */
static void walk_setting(struct walk *w, const struct row *list, const struct node *a, const struct node *b)
{
	for (size_t i = 0; i < list->row_count; i++) {
		if (node_equal(map_get(a, list->rows[i].key), map_get(b, list->rows[i].key)))
			continue;
		walk_push(w, list->rows[i].key);
		return;
	}
}

/* The first item of a list that is another one, by its name, and its first setting. Where items came or went, or have
 * other names, the list itself is what differs. */
static void walk_item(struct walk *w, const struct row *list, const struct node *a, const struct node *b)
{
	size_t i = 0;

	if (!list->rows || !a || !b || a->kind != NODE_LIST || b->kind != NODE_LIST || a->count != b->count)
		return;
	while (i < a->count && node_equal(a->items[i], b->items[i]))
		i++;
	const struct node *name = i < a->count ? map_get(a->items[i], "name") : NULL;
	if (!name || !node_equal(name, map_get(b->items[i], "name")))
		return;
	walk_push(w, name->text);
	walk_setting(w, list, a->items[i], b->items[i]);
}

/* True with the path at the first difference that no running gateway takes over. */
static bool rows_differ(struct walk *w, struct row_table t, const struct node *a, const struct node *b)
{
	for (size_t i = 0; i < t.count; i++) {
		const struct row *row = &t.rows[i];
		const struct node *x = a ? map_get(a, row->key) : NULL, *y = b ? map_get(b, row->key) : NULL;
		size_t former;

		if (row->reload == RELOAD_LIVE || node_equal(x, y))
			continue;
		former = walk_push(w, row->key);
		if (row->kind == ROW_LIST)
			walk_item(w, row, x, y);
		if (row->kind != ROW_MAP || rows_differ(w, (struct row_table){ row->rows, row->row_count }, x, y))
			return true;
		w->path[former] = '\0';
	}
	return false;
}

bool config_needs_restart(const struct config *now, const struct config *next, char *ret_path, size_t capacity)
{
	struct walk w = { ret_path, capacity };

	ret_path[0] = '\0';
	return rows_differ(&w, schema_config(), now->source->document.root, next->source->document.root);
}

static const struct node *section_of(const struct config *c, const char *section)
{
	return map_get(c->source->document.root, section);
}

bool config_section_equal(const struct config *a, const struct config *b, const char *section)
{
	return node_equal(section_of(a, section), section_of(b, section));
}

bool config_item_equal(const struct config *a, size_t i, const struct config *b, size_t k, const char *list)
{
	return node_equal(section_of(a, list)->items[i], section_of(b, list)->items[k]);
}

const char *config_file(const struct config *c)
{
	return c->source->file;
}
