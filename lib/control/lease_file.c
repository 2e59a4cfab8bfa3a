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

	*ret_pool = strtok_r(line, " \n", &rest);
	addr = strtok_r(NULL, " \n", &rest);
	id = strtok_r(NULL, " \n", &rest);
	return *ret_pool && addr && id && !addr_parse(addr, ret_addr) && identity_decode(id, ret_id);
}

const char *lease_file_read(const char *path,
	int (*line)(void *context, const char *pool, const struct addr *addr, const struct identity *id), void *context)
{
	char text[LINE_MAX_BYTES];
	const char *pool, *reason = NULL;
	struct addr addr;
	struct identity id;
	FILE *in = fopen(path, "re");

	if (!in)
		return errno == ENOENT ? NULL : strerror(errno);
	while (!reason && fgets(text, sizeof(text), in) && strchr(text, '\n'))
		if (!line_decode(text, &pool, &addr, &id))
			reason = "it holds a line that is not of a file of leases";
		else if (line(context, pool, &addr, &id))
			reason = "no memory";
	if (!reason && ferror(in))
		reason = "it cannot be read to its end";
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
