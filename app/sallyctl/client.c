/* SPDX-License-Identifier: BSD-3-Clause */
/* Talks to the daemon: newline-delimited JSON over a UNIX stream socket. Blocking: there is nothing else to do. */
#include "client_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int client_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static int send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Arguments may be any bytes; JSON takes UTF-8 only, so others are refused here. */
static int send_request(int fd, const char *command, char **args, int arg_count)
{
	json_t *list = json_array();
	json_t *request;
	char *text;
	int rc = -ENOMEM;

	for (int i = 0; i < arg_count; i++)
		if (json_array_append_new(list, json_string(args[i])))
			rc = -EINVAL; /* not UTF-8 */
	request = json_pack("{s:s,s:o}", "command", command, "args", list);
	text = rc == -EINVAL ? NULL : json_dumps(request, JSON_COMPACT);
	if (text) {
		rc = send_all(fd, text, strlen(text));
		if (!rc)
			rc = send_all(fd, "\n", 1);
	}
	free(text);
	json_decref(request);
	return rc;
}

/* Everything up to the newline. The caller's, or NULL. */
static char *receive_line(int fd, size_t *ret_len)
{
	size_t len = 0, capacity = 65536;
	char *line = malloc(capacity);

	while (line) {
		ssize_t n = recv(fd, line + len, capacity - len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (line[len - 1] == '\n') {
			*ret_len = len;
			return line;
		}
		if (len == capacity) {
			char *more = realloc(line, 2 * capacity);

			if (!more)
				break;
			line = more;
			capacity *= 2;
		}
	}
	free(line);
	return NULL;
}

json_t *client_request(int fd, const char *command, char **args, int arg_count)
{
	json_error_t problem;
	json_t *answer = NULL;
	char *line;
	size_t len;

	if (send_request(fd, command, args, arg_count))
		return NULL;
	line = receive_line(fd, &len);
	if (line)
		answer = json_loadb(line, len, 0, &problem);
	free(line);
	return answer;
}
