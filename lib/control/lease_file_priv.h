/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of leases: a line "pool address type:hex" for each time an identity got an address; of two lines about the
 * same the later holds. Only appended to while the gateway runs, so a lease costs one short write. */
#pragma once

#include <stdio.h>

#include "base.h"
#include "model.h"

struct lease_file;

/* Takes a line. 0 or -ENOMEM. */
typedef int (*lease_line_reader)(void *context, const char *pool, const struct addr *addr, const struct identity *id);

/* Reads all lines in their order; a file that is not there holds none, and a broken last line (the gateway was killed
 * while it wrote) is left out. NULL, or why it is not a file of leases, in words to put behind its path. */
const char *lease_file_read(const char *path, lease_line_reader reader, void *context);
/* The same of an open file. */
const char *lease_lines_read(FILE *in, lease_line_reader reader, void *context);

/* Begins a new file beside the one at path, with its folder when that is not there. NULL with *ret_reason. */
struct lease_file *lease_file_create(const char *path, const char **ret_reason);
/* The new file takes the place of the old one. NULL, or why not. */
const char *lease_file_replace(struct lease_file *f);
/* Adds a line. What cannot be written (a full disk) is forgotten at the next start only. */
void lease_file_append(struct lease_file *f, const char *pool, const struct addr *addr, const struct identity *id);
void lease_file_free(struct lease_file *f); /* accepts NULL */
