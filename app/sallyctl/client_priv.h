/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection to the control socket: a request line out, an answer line back. */
#pragma once

#include <jansson.h>

/* Connected socket, or -errno: -ENOENT and -ECONNREFUSED mean that no daemon is there. */
int client_connect(const char *path);
/* The answer object (the caller's), or NULL when the connection or its bytes fail. */
json_t *client_request(int fd, const char *command, char **args, int arg_count);
