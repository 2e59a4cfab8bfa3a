/* SPDX-License-Identifier: BSD-3-Clause */
/* Collecting faults with file, place and path of the setting, and finding the word that was probably meant. */
#include "conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 64 /* longer words get no suggestion */

/* A quoted word of the file may hold anything: a terminal or a log should not see it. */
static void printable_only(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

/* The text is "path: message"; too long a message is cut, never the place. */
__attribute__((format(printf, 3, 0))) static void fill(
	const struct load *l, struct place at, const char *format, va_list args, struct config_error *e)
{
	int used = snprintf(e->text, sizeof(e->text), "%s%s", l->path, l->path_len ? ": " : "");

	snprintf(e->file, sizeof(e->file), "%s", l->file);
	e->line = at.line;
	e->column = at.column;
	vsnprintf(e->text + used, sizeof(e->text) - (size_t)used, format, args);
	printable_only(e->text);
}

/* Beyond the maximum errors are counted: the first ones are what an operator mends. */
__attribute__((format(printf, 4, 0))) static void add_error(
	struct load *l, int err, struct place at, const char *format, va_list args)
{
	struct config_errors *errors = l->errors;

	if (errors->count < CONFIG_ERRORS_MAX)
		fill(l, at, format, args, &errors->items[errors->count]);
	errors->count++;
	if (!l->err)
		l->err = err;
}

void fault(struct load *l, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_error(l, -EINVAL, at, format, args);
	va_end(args);
}

void fault_code(struct load *l, int err, struct place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_error(l, err, at, format, args);
	va_end(args);
}

void warn(struct load *l, struct place at, const char *format, ...)
{
	struct config_errors *errors = l->errors;
	va_list args;

	va_start(args, format);
	if (errors->warning_count < CONFIG_WARNINGS_MAX)
		fill(l, at, format, args, &errors->warnings[errors->warning_count]);
	errors->warning_count++;
	va_end(args);
}

void fault_no_memory(struct load *l)
{
	fault_code(l, -ENOMEM, (struct place){ 0 }, "out of memory");
}

char *config_error_format(const struct config_error *e, char *ret_text, size_t capacity)
{
	if (e->line)
		snprintf(ret_text, capacity, "%s:%u:%u: %s", e->file, e->line, e->column, e->text);
	else
		snprintf(ret_text, capacity, "%s: %s", e->file, e->text);
	return ret_text;
}

size_t path_push(struct load *l, const char *separator, const char *key)
{
	size_t former = l->path_len, room = sizeof(l->path) - former;
	/* a path too long for its buffer is cut, and path_pop still finds its end */
	int n = snprintf(l->path + former, room, "%s%.*s", former ? separator : "", WORD_MAX, key);

	l->path_len += (size_t)n < room ? (size_t)n : room - 1;
	return former;
}

size_t path_push_item(struct load *l, const struct node *item, size_t index)
{
	const struct node *name = item->kind == NODE_MAP ? map_get(item, "name") : NULL;
	char number[32];

	if (name && name->kind == NODE_SCALAR && name->len)
		return path_push(l, ".", name->text);
	snprintf(number, sizeof(number), "[%zu]", index);
	return path_push(l, "", number);
}

void path_pop(struct load *l, size_t former)
{
	l->path_len = former;
	l->path[former] = '\0';
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* A wrong case is no edit: "IDLE" means "idle", though it is refused. */
static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Edits between two words: insert, delete, replace, swap of neighbours (optimal string alignment). */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[3][WORD_MAX + 1];

	for (unsigned k = 0; k <= b_len; k++)
		row[0][k] = k;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		now[0] = i;
		for (unsigned k = 1; k <= b_len; k++) {
			bool same = same_letter(a[i - 1], b[k - 1]);
			now[k] = min3(last[k] + 1, now[k - 1] + 1, last[k - 1] + !same);
			if (i > 1 && k > 1 && same_letter(a[i - 1], b[k - 2]) && same_letter(a[i - 2], b[k - 1]))
				now[k] = min3(now[k], before[k - 2] + 1, now[k]);
		}
	}
	return row[a_len % 3][b_len];
}

struct suggestion suggestion_init(const char *word, size_t len)
{
	/* a third of the word may be wrong, at least one letter; nothing is near an empty word */
	return (struct suggestion){ .word = word, .len = len, .distance = len ? (unsigned)(len / 3 + 2) : 0 };
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
	size_t len = strlen(candidate);

	/* bounds the square of edit_distance: the file chooses the word's length */
	if (s->len > WORD_MAX || len > WORD_MAX)
		return;
	unsigned distance = edit_distance(s->word, s->len, candidate, len);
	if (distance < s->distance && distance < len) {
		s->distance = distance;
		s->best = candidate;
	}
}

void fault_unknown(struct load *l, struct place at, const char *what, const struct suggestion *s)
{
	/* the best candidate is a word of ours, so it may be shown where the word itself may not */
	const char *best = s->best ? s->best : "";
	const char *before = s->best ? "; did you mean \"" : "", *after = s->best ? "\"?" : "";
	int shown = s->len < WORD_MAX ? (int)s->len : WORD_MAX;

	if (l->quiet)
		fault(l, at, "%s%s%s%s", what, before, best, after);
	else
		fault(l, at, "%s \"%.*s\"%s%s%s", what, shown, s->word, before, best, after);
}
