/* SPDX-License-Identifier: BSD-3-Clause */
/* Reader of vector files. It trusts nothing in them: any line it does not understand ends the program. */
#include "kat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *file, unsigned line, const char *reason)
{
	fprintf(stderr, "%s:%u: %s\n", file, line, reason);
	exit(2);
}

static void *need(void *memory)
{
	if (!memory)
		die("kat", 0, "out of memory");
	return memory;
}

static void trim_end(char *text)
{
	size_t n = strlen(text);

	while (n && strchr(" \r\n", text[n - 1]))
		text[--n] = '\0';
}

static void entry_init(struct kat_entry *e, const char *key, const char *value)
{
	size_t capacity = strlen(value) / 2;

	e->key = need(strdup(key));
	e->value = need(strdup(value));
	e->data = need(malloc(capacity + 1));
	int n = hex_decode(value, e->data, capacity);
	e->len = n < 0 ? 0 : (size_t)n;
	if (n < 0) {
		free(e->data);
		e->data = NULL;
	}
}

static struct kat_case *case_add(struct kat_file *f)
{
	f->cases = need(realloc(f->cases, (f->count + 1) * sizeof(*f->cases)));
	memset(&f->cases[f->count], 0, sizeof(*f->cases));
	return &f->cases[f->count++];
}

/* NULL, or what is wrong with the line. */
static const char *line_add(struct kat_file *f, char *line)
{
	char *separator = strstr(line, " =");

	if (line[0] == '#' || !line[0])
		return NULL;
	if (!separator)
		return "not \"key = value\"";
	*separator = '\0';
	if (!strcmp(line, "case"))
		case_add(f);
	if (!f->count)
		return "no case yet";
	struct kat_case *c = &f->cases[f->count - 1];
	if (c->count == KAT_ENTRIES_MAX || kat_has(c, line))
		return "too many keys, or one twice";
	entry_init(&c->entries[c->count++], line, separator[2] == ' ' ? separator + 3 : separator + 2);
	return NULL;
}

struct kat_file kat_load(const char *name)
{
	const char *folder = getenv("SALLYPORT_KAT_DIR");
	struct kat_file f = { 0 };
	char path[1024], *line = NULL;
	size_t capacity = 0;
	unsigned number = 0;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : KAT_DIR, name);
	FILE *in = fopen(path, "r");
	if (!in)
		die(path, 0, "cannot be read");
	while (getline(&line, &capacity, in) >= 0) {
		number++;
		trim_end(line);
		const char *fault = line_add(&f, line);
		if (fault)
			die(path, number, fault);
	}
	free(line);
	fclose(in);
	if (!f.count)
		die(path, number, "no case in it");
	return f;
}

void kat_unload(struct kat_file *file)
{
	for (size_t i = 0; i < file->count; i++)
		for (size_t k = 0; k < file->cases[i].count; k++) {
			free(file->cases[i].entries[k].key);
			free(file->cases[i].entries[k].value);
			free(file->cases[i].entries[k].data);
		}
	free(file->cases);
	*file = (struct kat_file){ 0 };
}

static const struct kat_entry *entry_lookup(const struct kat_case *c, const char *key)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->entries[i].key, key))
			return &c->entries[i];
	return NULL;
}

const char *kat_text(const struct kat_case *c, const char *key)
{
	const struct kat_entry *e = entry_lookup(c, key);

	return e ? e->value : NULL;
}

bool kat_has(const struct kat_case *c, const char *key)
{
	return entry_lookup(c, key) != NULL;
}

struct bytes kat_bytes(const struct kat_case *c, const char *key)
{
	const struct kat_entry *e = entry_lookup(c, key);

	if (!e || !e->data)
		die(kat_text(c, "case") ? kat_text(c, "case") : "case", 0, key);
	return BYTES(e->data, e->len);
}
