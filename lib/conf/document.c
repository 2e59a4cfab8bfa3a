/* SPDX-License-Identifier: BSD-3-Clause */
/* YAML text to a tree of nodes with their places, through libyaml's events. Bounded in size, nesting and aliases; knows
 * nothing of the settings. Texts are wiped when the tree ends, as it may hold secrets. */
#include "conf_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define NODES_MAX   2000000u
#define DEPTH_MAX   16
#define ANCHORS_MAX 256

struct anchor {
	char *name;        /* owned */
	struct node *node; /* borrowed */
	bool open;         /* its end has not been seen: an alias would make a loop */
};

struct composer {
	struct load *load;
	struct document *document;
	yaml_parser_t parser;
	struct bytes text; /* borrowed */
	struct anchor anchors[ANCHORS_MAX];
	size_t anchor_count;
};

static struct place place_of(yaml_mark_t mark)
{
	return (struct place){ (uint32_t)mark.line + 1, (uint32_t)mark.column + 1 };
}

/* Doubles an array of pointers that is full. */
static bool grow(struct node ***items, size_t count, size_t *capacity)
{
	if (count < *capacity)
		return true;
	size_t wanted = *capacity ? *capacity * 2 : 4;
	struct node **larger = realloc(*items, wanted * sizeof(*larger));
	if (!larger)
		return false;
	*items = larger;
	*capacity = wanted;
	return true;
}

/* Nodes belong to the document from their first moment: no path of failure has to free one. */
static struct node *node_create(struct composer *c, enum node_kind kind, yaml_mark_t mark)
{
	struct document *d = c->document;

	if (d->count == NODES_MAX) {
		fault(c->load, place_of(mark), "more than %u values in one file", NODES_MAX);
		return NULL;
	}
	struct node *n = grow(&d->nodes, d->count, &d->capacity) ? calloc(1, sizeof(*n)) : NULL;
	if (!n) {
		fault_no_memory(c->load);
		return NULL;
	}
	n->kind = kind;
	n->place = place_of(mark);
	d->nodes[d->count++] = n;
	return n;
}

static bool node_append(struct composer *c, struct node *parent, struct node *child)
{
	if (!grow(&parent->items, parent->count, &parent->capacity)) {
		fault_no_memory(c->load);
		return false;
	}
	parent->items[parent->count++] = child;
	return true;
}

/* Where a line (from 0) begins. */
static size_t line_start(struct bytes text, size_t line)
{
	size_t i = 0;

	for (; line && i < text.len; i++)
		line -= text.data[i] == '\n';
	return i;
}

/* Whether a line begins with a TAB among its spaces: YAML does not count it as indentation. */
static bool indented_by_tab(struct bytes text, size_t line)
{
	size_t i = line_start(text, line);

	while (i < text.len && text.data[i] == ' ')
		i++;
	return i < text.len && text.data[i] == '\t';
}

/* Whether an address stands in a line that YAML reads as its own signs: a "[" right behind a word, or a word that
 * begins with a ":". */
static bool has_bare_selector(struct bytes text, size_t line)
{
	for (size_t i = line_start(text, line); i + 1 < text.len && text.data[i + 1] != '\n'; i++) {
		bool in_word = isalnum(text.data[i]);
		if ((text.data[i + 1] == '[' && in_word) || (text.data[i + 1] == ':' && strchr(" ,[", text.data[i])))
			return true;
	}
	return false;
}

static const char *hint(struct bytes text, size_t line)
{
	if (indented_by_tab(text, line))
		return " (a TAB? indent with spaces)";
	return has_bare_selector(text, line) ? " (a selector with [ ], or ::? put it into quotes)" : "";
}

/* The parser's words: problem, then what it was doing. */
static void report_parser(struct composer *c)
{
	const yaml_parser_t *p = &c->parser;
	/* a reader's error (encoding) comes without a mark: it stands shortly behind the last one */
	yaml_mark_t mark = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR)
		fault_no_memory(c->load);
	else
		fault(c->load, place_of(mark), "not YAML: %s%s%s%s", p->problem ? p->problem : "unreadable",
			p->context ? " " : "", p->context ? p->context : "", hint(c->text, mark.line));
}

static bool next_event(struct composer *c, yaml_event_t *ret_event)
{
	if (yaml_parser_parse(&c->parser, ret_event))
		return true;
	report_parser(c);
	return false;
}

/* Column of the text when each of its bytes is one column of one line, so that offsets are columns. */
static uint32_t column_of_text(const yaml_event_t *e)
{
	size_t width = e->end_mark.column - e->start_mark.column, len = e->data.scalar.length;

	if (e->start_mark.line != e->end_mark.line || e->data.scalar.style > YAML_DOUBLE_QUOTED_SCALAR_STYLE)
		return 0;
	if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return width == len ? (uint32_t)e->start_mark.column + 1 : 0;
	return width == len + 2 ? (uint32_t)e->start_mark.column + 2 : 0;
}

static bool fill_scalar(struct composer *c, const yaml_event_t *e, struct node *n)
{
	n->text = malloc(e->data.scalar.length + 1);
	if (!n->text) {
		fault_no_memory(c->load);
		return false;
	}
	memcpy(n->text, e->data.scalar.value, e->data.scalar.length + 1);
	n->len = e->data.scalar.length;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text_column = column_of_text(e);
	secret_wipe(e->data.scalar.value, e->data.scalar.length);
	return true;
}

/* Remembers an anchored node. Its index, -1 when it has no anchor, -2 with the fault given. */
static int anchor_add(struct composer *c, const yaml_char_t *name, struct node *n)
{
	if (!name)
		return -1;
	if (c->anchor_count == ANCHORS_MAX) {
		fault(c->load, n->place, "more than %d anchors in one file", ANCHORS_MAX);
		return -2;
	}
	char *copy = strdup((const char *)name);
	if (!copy) {
		fault_no_memory(c->load);
		return -2;
	}
	c->anchors[c->anchor_count] = (struct anchor){ copy, n, true };
	return (int)c->anchor_count++;
}

static struct node *alias_lookup(struct composer *c, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;

	/* the last anchor of a name counts (YAML 1.1, 3.2.2.2) */
	for (size_t i = c->anchor_count; i-- > 0;) {
		if (strcmp(c->anchors[i].name, name) != 0)
			continue;
		if (!c->anchors[i].open)
			return c->anchors[i].node;
		fault(c->load, place_of(e->start_mark), "alias *%.64s stands inside of what it names", name);
		return NULL;
	}
	fault(c->load, place_of(e->start_mark), "alias *%.64s has no anchor", name);
	return NULL;
}

/* A scalar, or the shell of a list or map. *ret_end is the event that closes it. */
static struct node *begin_node(struct composer *c, const yaml_event_t *e, int *ret_anchor, yaml_event_type_t *ret_end)
{
	struct node *n = NULL;

	*ret_anchor = -1;
	*ret_end = YAML_NO_EVENT;
	switch (e->type) {
	case YAML_ALIAS_EVENT: return alias_lookup(c, e);
	case YAML_SCALAR_EVENT:
		n = node_create(c, NODE_SCALAR, e->start_mark);
		if (!n || !fill_scalar(c, e, n))
			return NULL;
		*ret_anchor = anchor_add(c, e->data.scalar.anchor, n);
		break;
	case YAML_SEQUENCE_START_EVENT:
		n = node_create(c, NODE_LIST, e->start_mark);
		*ret_end = YAML_SEQUENCE_END_EVENT;
		*ret_anchor = n ? anchor_add(c, e->data.sequence_start.anchor, n) : -2;
		break;
	case YAML_MAPPING_START_EVENT:
		n = node_create(c, NODE_MAP, e->start_mark);
		*ret_end = YAML_MAPPING_END_EVENT;
		*ret_anchor = n ? anchor_add(c, e->data.mapping_start.anchor, n) : -2;
		break;
	default: fault(c->load, place_of(e->start_mark), "not YAML: a value expected"); break;
	}
	return *ret_anchor == -2 ? NULL : n;
}

/* A child may follow: nesting, and a word as key. */
static bool child_allowed(struct composer *c, const struct node *parent, const yaml_event_t *e, unsigned depth)
{
	bool key = parent->kind == NODE_MAP && parent->count % 2 == 0;

	if (depth == DEPTH_MAX)
		fault(c->load, place_of(e->start_mark), "nested more than %d deep", DEPTH_MAX);
	else if (key && e->type != YAML_SCALAR_EVENT)
		fault(c->load, place_of(e->start_mark), "a key has to be a word");
	else
		return true;
	return false;
}

/* The node that begins with this event, with everything inside. NULL with the fault given. */
static struct node *compose(struct composer *c, const yaml_event_t *first, unsigned depth)
{
	yaml_event_type_t end;
	yaml_event_t e;
	int anchor;
	bool ok = true, done = false;
	struct node *n = begin_node(c, first, &anchor, &end);

	while (n && end != YAML_NO_EVENT && ok && !done) {
		if (!next_event(c, &e))
			return NULL;
		done = e.type == end;
		if (!done) {
			struct node *child = child_allowed(c, n, &e, depth) ? compose(c, &e, depth + 1) : NULL;
			ok = child && node_append(c, n, child);
		}
		yaml_event_delete(&e);
	}
	if (n && anchor >= 0)
		c->anchors[anchor].open = false;
	return ok ? n : NULL;
}

/* Skips the start events. False at the end of the stream (an empty file) or with a fault. */
static bool find_root(struct composer *c, yaml_event_t *ret_event)
{
	for (;;) {
		if (!next_event(c, ret_event))
			return false;
		if (ret_event->type == YAML_STREAM_END_EVENT) {
			yaml_event_delete(ret_event);
			fault(c->load, (struct place){ 0 }, "the file is empty");
			return false;
		}
		if (ret_event->type != YAML_STREAM_START_EVENT && ret_event->type != YAML_DOCUMENT_START_EVENT)
			return true;
		yaml_event_delete(ret_event);
	}
}

/* Nothing may follow the document. */
static bool expect_end(struct composer *c)
{
	yaml_event_t e;
	bool more = true, clean = true;

	while (more) {
		if (!next_event(c, &e))
			return false;
		more = e.type != YAML_STREAM_END_EVENT;
		if (e.type == YAML_DOCUMENT_START_EVENT) {
			fault(c->load, place_of(e.start_mark), "a second YAML document; one is allowed");
			more = clean = false;
		}
		yaml_event_delete(&e);
	}
	return clean;
}

static bool compose_document(struct composer *c)
{
	yaml_event_t first;

	if (!find_root(c, &first))
		return false;
	c->document->root = compose(c, &first, 0);
	yaml_event_delete(&first);
	return c->document->root && expect_end(c);
}

/* libyaml frees its input buffers as they are. */
static void parser_done(yaml_parser_t *p)
{
	if (p->raw_buffer.start)
		secret_wipe(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	if (p->buffer.start)
		secret_wipe(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
	yaml_parser_delete(p);
}

bool document_decode(struct load *l, struct bytes text, struct document *ret_document)
{
	struct composer c = { .load = l, .document = ret_document, .text = text };

	*ret_document = (struct document){ 0 };
	if (text.len > DOCUMENT_BYTES_MAX) {
		fault(l, (struct place){ 0 }, "larger than %u bytes", DOCUMENT_BYTES_MAX);
		return false;
	}
	if (!yaml_parser_initialize(&c.parser)) {
		fault_no_memory(l);
		return false;
	}
	yaml_parser_set_input_string(&c.parser, text.len ? text.data : (const uint8_t *)"", text.len);
	bool ok = compose_document(&c);
	parser_done(&c.parser);
	for (size_t i = 0; i < c.anchor_count; i++)
		free(c.anchors[i].name);
	return ok;
}

void document_done(struct document *d)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->nodes[i]->text)
			secret_wipe(d->nodes[i]->text, d->nodes[i]->len);
		free(d->nodes[i]->text);
		free(d->nodes[i]->items);
		free(d->nodes[i]);
	}
	free(d->nodes);
	*d = (struct document){ 0 };
}

const struct node *map_get(const struct node *map, const char *key)
{
	for (size_t i = 0; map && map->kind == NODE_MAP && i + 1 < map->count; i += 2)
		if (strcmp(map->items[i]->text, key) == 0)
			return map->items[i + 1];
	return NULL;
}

static bool scalar_equal(const struct node *a, const struct node *b)
{
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

static bool list_equal(const struct node *a, const struct node *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (!node_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

/* Keys of a map differ from each other, so as many that are in both are all of them. */
static bool map_equal(const struct node *a, const struct node *b)
{
	for (size_t i = 0; i + 1 < a->count; i += 2)
		if (!node_equal(a->items[i + 1], map_get(b, a->items[i]->text)))
			return false;
	return true;
}

bool node_equal(const struct node *a, const struct node *b)
{
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind || a->count != b->count)
		return false;
	switch (a->kind) {
	case NODE_LIST: return list_equal(a, b);
	case NODE_MAP: return map_equal(a, b);
	case NODE_SCALAR:
	default: return scalar_equal(a, b);
	}
}

bool node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain &&
	       (!n->len || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

struct place node_place_within(const struct node *n, size_t offset)
{
	struct place at = n->place;

	if (n->text_column)
		at.column = n->text_column + (uint32_t)offset;
	return at;
}
