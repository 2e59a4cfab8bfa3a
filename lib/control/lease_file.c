/* SPDX-License-Identifier: BSD-3-Clause */
/* Text lines, one a lease. The file is written anew beside the old one and then takes its place, so that whoever is
 * killed meanwhile leaves a whole one. */
#include "lease_file_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES (PROFILE_NAME_MAX + ADDR_TEXT_MAX + 2 * IDENTITY_BYTES_MAX + 16)

static const char foreign_line[] = "it holds a line that is not of a file of leases";

struct lease_file {
	FILE *out;
	bool in_place; /* each line counts from now on */
	char path[PATH_MAX], fresh[PATH_MAX];
};

/* "11:0a0b" */
static bool identity_decode(const char *text, struct identity *ret_id)
{
	uint8_t data[IDENTITY_BYTES_MAX];
	unsigned type;
	int at = 0;

	if (sscanf(text, "%3u:%n", &type, &at) != 1 || !at || type > UINT8_MAX)
		return false;
	int len = hex_decode(text + at, data, sizeof(data));
	return len >= 0 && !identity_from_bytes((uint8_t)type, BYTES(data, (size_t)len), ret_id);
}

static bool line_decode(char *line, const char **ret_pool, struct addr *ret_addr, struct identity *ret_id)
{
	char *rest, *addr, *id;

	*ret_pool = strtok_r(line, " ", &rest);
	addr = strtok_r(NULL, " ", &rest);
	id = strtok_r(NULL, " ", &rest);
	return *ret_pool && addr && id && !addr_parse(addr, ret_addr) && identity_decode(id, ret_id);
}

enum line_end { LINE_WHOLE, LINE_CUT, LINE_LONG, LINE_NUL, LINE_NONE };

/* The next line without its end into text, NUL-terminated. Never reads further than one line may be long. */
static enum line_end line_next(FILE *in, char text[LINE_MAX_BYTES])
{
	size_t len = 0;
	int c;

	while ((c = fgetc(in)) != EOF && c != '\n') {
		if (!c)
			return LINE_NUL;
		if (len + 1 == LINE_MAX_BYTES)
			return LINE_LONG;
		text[len++] = (char)c;
	}
	text[len] = '\0';
	return c == '\n' ? LINE_WHOLE : len ? LINE_CUT : LINE_NONE;
}

/* The gateway was killed while it wrote: behind the pool there is nothing but digits and their separators. */
static bool may_be_cut(const char *text)
{
	const char *rest = strchr(text, ' ');

	return !rest || !rest[strspn(rest, " .:/0123456789abcdef")];
}

static const char *line_read(char *text, lease_line_reader reader, void *context)
{
	const char *pool;
	struct addr addr;
	struct identity id;

	if (!line_decode(text, &pool, &addr, &id))
		return foreign_line;
	return reader(context, pool, &addr, &id) ? "no memory" : NULL;
}

const char *lease_lines_read(FILE *in, lease_line_reader reader, void *context)
{
	char text[LINE_MAX_BYTES];
	const char *reason = NULL;

	while (!reason)
		switch (line_next(in, text)) {
		case LINE_WHOLE: reason = line_read(text, reader, context); break;
		case LINE_CUT: return may_be_cut(text) ? NULL : foreign_line;
		case LINE_LONG: return "it holds a line that is too long for a file of leases";
		case LINE_NUL: return "it holds a NUL byte, which no file of leases does";
		case LINE_NONE: return ferror(in) ? "it cannot be read to its end" : NULL;
		}
	return reason;
}

const char *lease_file_read(const char *path, lease_line_reader reader, void *context)
{
	FILE *in = fopen(path, "re");

	if (!in)
		return errno == ENOENT ? NULL : strerror(errno);
	const char *reason = lease_lines_read(in, reader, context);
	fclose(in);
	return reason;
}

/* The folder alone, not the ones above it. */
static void folder_create(const char *path)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0700);
	}
}

struct lease_file *lease_file_create(const char *path, const char **ret_reason)
{
	struct lease_file *f = calloc(1, sizeof(*f));

	*ret_reason = "no memory";
	if (!f)
		return NULL;
	snprintf(f->path, sizeof(f->path), "%s", path);
	*ret_reason = "its path is too long";
	if (snprintf(f->fresh, sizeof(f->fresh), "%s.new", path) < (int)sizeof(f->fresh)) {
		folder_create(path);
		f->out = fopen(f->fresh, "we");
		*ret_reason = strerror(errno);
	}
	if (!f->out) {
		free(f);
		return NULL;
	}
	*ret_reason = NULL;
	return f;
}

const char *lease_file_replace(struct lease_file *f)
{
	if (fflush(f->out) || fsync(fileno(f->out)) || rename(f->fresh, f->path))
		return strerror(errno);
	f->in_place = true;
	return NULL;
}

void lease_file_append(struct lease_file *f, const char *pool, const struct addr *addr, const struct identity *id)
{
	char text[ADDR_TEXT_MAX], hex[2 * IDENTITY_BYTES_MAX + 1] = "";

	for (size_t i = 0; i < id->len; i++)
		snprintf(hex + 2 * i, 3, "%02x", id->data[i]);
	fprintf(f->out, "%s %s %u:%s\n", pool, addr_format(addr, text), id->type, hex);
	if (f->in_place)
		fflush(f->out);
}

void lease_file_free(struct lease_file *f)
{
	if (!f)
		return;
	fclose(f->out);
	free(f);
}
