/* SPDX-License-Identifier: BSD-3-Clause */
/* What all checks of the whole configuration need: the place and path of a setting, and our addresses. */
#include "conf_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One step down from a node: a key of a map, an index of a list. NULL when it is not there. */
static const struct node *step(const struct node *n, const char *word)
{
	if (n->kind == NODE_MAP)
		return map_get(n, word);
	size_t i = n->kind == NODE_LIST ? strtoul(word, NULL, 10) : n->count;
	return i < n->count ? n->items[i] : NULL;
}

/* Cuts the next word of "local.address" off; NULL at the end. */
static const char *next_word(const char **setting, char *word, size_t capacity)
{
	size_t len = strcspn(*setting, ".");

	if (!len)
		return NULL;
	snprintf(word, capacity, "%.*s", (int)len, *setting);
	*setting += len + ((*setting)[len] == '.');
	return word;
}

/* Walks down from item i of a list as far as the file goes; with `labels`, the words are pushed on its path. */
static const struct node *walk(const struct node *item, const char *setting, struct load *labels, bool *ret_complete)
{
	const struct node *n = item;
	const char *word;
	char buffer[64];

	*ret_complete = true;
	while ((word = next_word(&setting, buffer, sizeof(buffer)))) {
		const struct node *below = *ret_complete ? step(n, word) : NULL;
		if (labels && below && n->kind == NODE_LIST)
			path_push_item(labels, below, strtoul(word, NULL, 10));
		else if (labels)
			path_push(labels, ".", word);
		*ret_complete = below != NULL;
		n = below ? below : n;
	}
	return n;
}

/* Checks run on what the schema has accepted: the list and its item are there. */
static const struct node *item_of(const struct load *l, const char *list, size_t i)
{
	return map_get(l->root, list)->items[i];
}

const struct node *setting_node(const struct load *l, const char *list, size_t i, const char *setting)
{
	bool complete;

	return walk(item_of(l, list, i), setting, NULL, &complete);
}

bool setting_given(const struct load *l, const char *list, size_t i, const char *setting)
{
	bool complete;

	walk(item_of(l, list, i), setting, NULL, &complete);
	return complete;
}

/* Extends the path to the setting and returns its node; *ret_former is for path_pop. */
static const struct node *enter(struct load *l, const char *list, size_t i, const char *setting, size_t *ret_former)
{
	const struct node *item = item_of(l, list, i);
	bool complete;

	*ret_former = path_push(l, "", list);
	path_push_item(l, item, i);
	return walk(item, setting, l, &complete);
}

void check_fault(struct load *l, const char *list, size_t i, const char *setting, const char *format, ...)
{
	char text[sizeof(l->errors->items[0].text)];
	size_t former;
	const struct node *at = enter(l, list, i, setting, &former);
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fault(l, at->place, "%s", text);
	path_pop(l, former);
}

void check_warn(struct load *l, const char *list, size_t i, const char *setting, const char *format, ...)
{
	char text[sizeof(l->errors->warnings[0].text)];
	size_t former;
	const struct node *at = enter(l, list, i, setting, &former);
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	warn(l, at->place, "%s", text);
	path_pop(l, former);
}

const struct config_interface *interface_of_address(const struct config *c, const struct addr *a)
{
	for (size_t i = 0; i < c->interface_count && a->family != ADDR_NONE; i++)
		if (addr_equal(&interface_prefix(&c->interfaces[i], a->family)->addr, a))
			return &c->interfaces[i];
	return NULL;
}

bool address_is_ours(const struct config *c, const struct addr *a)
{
	for (size_t i = 0; i < c->address_count; i++)
		if (addr_equal(&c->addresses[i].addr, a))
			return true;
	return interface_of_address(c, a);
}

const struct config_interface *interface_towards(const struct config *c, const struct addr *a)
{
	for (size_t i = 0; i < c->interface_count && a->family != ADDR_NONE; i++)
		if (prefix_contains(interface_prefix(&c->interfaces[i], a->family), a))
			return &c->interfaces[i];
	return NULL;
}
