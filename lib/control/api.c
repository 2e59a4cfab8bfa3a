/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections of the control socket: bounded buffers, one request at a time per client, idle clients dropped. What the
 * commands do is elsewhere. */
#include "api_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base.h"
#include "commands.h"

#define TEXT_OF_(x)    #x
#define TEXT_OF(x)     TEXT_OF_(x)
#define CLIENTS_MAX    64
#define CLIENT_IDLE_NS (60 * 1000000000ull)
#define OUTPUT_MAX     (64u << 20) /* all clients together: a show of 10,000 tunnels is about 10 MB */

struct client {
	LIST_ENTRY(client) all;
	struct api *api;
	struct loop_source source;
	uint64_t active_ns; /* last time a byte moved */
	char input[CONTROL_LINE_MAX];
	size_t input_len;
	char *output; /* owned; while there is some, nothing is read */
	size_t output_len, output_at;
	bool last;       /* close once the output is written */
	uint64_t ticket; /* not 0: its answer comes by api_reply; nothing is read until then */
};

struct api {
	struct loop *loop;
	struct loop_source listener;
	struct api_host host;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	LIST_HEAD(, client) clients;
	size_t client_count;
	size_t output_bytes;    /* pending, of all clients */
	struct client *serving; /* whose request is being run; NULL: none is */
	uint64_t tickets;       /* given so far */
};

/* ---- requests and answers ---- */

static char *answer_text(json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	if (line)
		memcpy(line + len, "\n", 2);
	else
		free(text);
	json_decref(answer);
	return line;
}

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char *plain = value ? NULL : strdup(text);

	for (char *p = plain; p && *p; p++)
		if ((unsigned char)*p > 126)
			*p = '?';
	if (plain)
		value = json_string(plain);
	free(plain);
	return value;
}

static char *answer_error(const char *text)
{
	return answer_text(json_pack("{s:b,s:o}", "ok", 0, "error", json_text(text)));
}

/* Takes the result; NULL: the error. */
static char *answer_result(json_t *result, const struct api_error *error)
{
	if (!result)
		return answer_error(error->text);
	return answer_text(json_pack("{s:b,s:o}", "ok", 1, "result", result));
}

/* The words of "args"; -EINVAL when it is something else. */
static int request_args(json_t *request, const char **ret_args, size_t *ret_count)
{
	json_t *list = json_object_get(request, "args");
	size_t i;
	json_t *word;

	*ret_count = 0;
	if (!list)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > CONTROL_ARGS_MAX)
		return -EINVAL;
	json_array_foreach(list, i, word)
	{
		if (!json_is_string(word))
			return -EINVAL;
		ret_args[i] = json_string_value(word);
	}
	*ret_count = json_array_size(list);
	return 0;
}

static char *answer_request(const struct api_host *host, json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	const char *args[CONTROL_ARGS_MAX];
	struct api_error error = { "failed" };
	size_t arg_count;
	json_t *result;

	if (!command)
		return answer_error("request without \"command\"");
	if (request_args(request, args, &arg_count))
		return answer_error("\"args\" must be a list of at most " TEXT_OF(CONTROL_ARGS_MAX) " strings");
	result = host->run(host->context, command, args, arg_count, &error);
	return answer_result(result, &error);
}

char *api_answer(const struct api_host *host, struct bytes line)
{
	json_error_t problem;
	json_t *request = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &problem);
	char *answer;

	if (!json_is_object(request))
		answer = answer_error("request is not a JSON object on one line");
	else
		answer = answer_request(host, request);
	json_decref(request);
	return answer;
}

/* ---- clients ---- */

static void client_free(struct client *k)
{
	struct api *a = k->api;

	loop_remove(a->loop, &k->source);
	close(k->source.fd);
	LIST_REMOVE(k, all);
	a->client_count--;
	a->output_bytes -= k->output_len;
	free(k->output);
	free(k);
}

/* The bound is on all clients together: memory, not fairness, is what it protects. */
static void client_output(struct client *k, char *text)
{
	struct api *a = k->api;

	if (text && a->output_bytes + strlen(text) > OUTPUT_MAX) {
		free(text);
		text = answer_error("too many answers wait to be read");
	}
	if (!text) {
		k->last = true; /* no memory: an answer cannot be made */
		return;
	}
	k->output = text;
	k->output_len = strlen(text);
	k->output_at = 0;
	a->output_bytes += k->output_len;
}

/* Writes what the socket takes. False when the client is to be freed. */
static bool client_write(struct client *k)
{
	while (k->output) {
		ssize_t n = send(k->source.fd, k->output + k->output_at, k->output_len - k->output_at, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		k->active_ns = loop_now_ns();
		k->output_at += (size_t)n;
		if (k->output_at == k->output_len) {
			k->api->output_bytes -= k->output_len;
			free(k->output);
			k->output = NULL;
			k->output_len = 0;
		}
	}
	return !k->last;
}

/* The answer of a request that was deferred is made without a result, and not sent. */
static void client_run(struct client *k, struct bytes line)
{
	char *answer;

	k->api->serving = k;
	answer = api_answer(&k->api->host, line);
	k->api->serving = NULL;
	if (k->ticket)
		free(answer);
	else
		client_output(k, answer);
}

/* Answers the first complete line of the input. False when there is none. */
static bool client_serve_line(struct client *k)
{
	char *end = memchr(k->input, '\n', k->input_len);
	size_t len;

	if (!end) {
		if (k->input_len < sizeof(k->input))
			return false;
		k->last = true;
		k->input_len = 0;
		client_output(k, answer_error("request too long"));
		return true;
	}
	len = (size_t)(end - k->input) + 1;
	client_run(k, BYTES(k->input, len - 1));
	memmove(k->input, k->input + len, k->input_len - len);
	k->input_len -= len;
	return true;
}

/* False when the client is to be freed. */
static bool client_read(struct client *k)
{
	ssize_t n = recv(k->source.fd, k->input + k->input_len, sizeof(k->input) - k->input_len, 0);

	if (n == 0)
		return false;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	k->active_ns = loop_now_ns();
	k->input_len += (size_t)n;
	return true;
}

static bool client_has_line(const struct client *k)
{
	return k->input_len == sizeof(k->input) || memchr(k->input, '\n', k->input_len);
}

/* At most one read and one request a turn: a client that sends many shares the loop with everybody. */
static bool client_turn(struct client *k, uint32_t events)
{
	if (k->output || k->last)
		return client_write(k);
	if (k->ticket)
		return !(events & EPOLLHUP);
	if (!client_has_line(k) && (events & (EPOLLIN | EPOLLHUP)) && !client_read(k))
		return false;
	return !client_serve_line(k) || client_write(k);
}

/* A socket that can be written to wakes the loop at once: the next request in the buffer gets its turn. Of one whose
 * answer is still to come only the end is heard. */
static uint32_t client_events(const struct client *k)
{
	if (k->ticket)
		return 0;
	return k->output || client_has_line(k) ? EPOLLOUT : EPOLLIN;
}

static void client_ready(void *context, uint32_t events)
{
	struct client *k = context;

	if ((events & EPOLLERR) || !client_turn(k, events) || loop_change(k->api->loop, &k->source, client_events(k)))
		client_free(k);
}

/* A client costs a fixed buffer until it asks for something. */
static void client_create(struct api *a, int fd)
{
	struct client *k = calloc(1, sizeof(*k));

	if (!k) {
		close(fd);
		return;
	}
	k->api = a;
	k->source = (struct loop_source){ .fd = fd, .ready = client_ready, .context = k };
	k->active_ns = loop_now_ns();
	if (loop_add(a->loop, &k->source, EPOLLIN)) {
		close(fd);
		free(k);
		return;
	}
	LIST_INSERT_HEAD(&a->clients, k, all);
	a->client_count++;
}

/* One a turn; epoll reports the next one again. */
static void api_accept(void *context, uint32_t events)
{
	struct api *a = context;
	int fd = accept4(a->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0 && a->client_count < CLIENTS_MAX)
		client_create(a, fd);
	else if (fd >= 0)
		close(fd);
}

/* ---- the socket ---- */

static int fail(struct api_error *ret_error, int code, const char *what, const char *path)
{
	snprintf(ret_error->text, sizeof(ret_error->text), "control socket %.108s: %s%s%s", path, what,
		code ? ": " : "", code ? strerror(code) : "");
	return code ? -code : -EADDRINUSE;
}

static void make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = '\0';
	mkdir(folder, 0755); /* when that fails, bind says why */
}

/* Removes a socket that a killed daemon left; refuses when somebody answers or it is something else. */
static int clear_path(const struct sockaddr_un *address, struct api_error *ret_error)
{
	struct stat st;
	int fd, rc;

	if (lstat(address->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return fail(ret_error, 0, "exists and is not a socket", address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(ret_error, errno, "socket", address->sun_path);
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (rc != ECONNREFUSED)
		return fail(ret_error, 0, "another sallyportd answers there", address->sun_path);
	unlink(address->sun_path);
	return 0;
}

/* The file is never there with a wider mode, not even for a moment. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t old = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;

	umask(old);
	return rc;
}

static int listen_on(const char *path, int *ret_fd, struct api_error *ret_error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(ret_error, ENAMETOOLONG, "path", path);
	memcpy(address.sun_path, path, strlen(path));
	make_folder(path);
	rc = clear_path(&address, ret_error);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(ret_error, errno, "socket", path);
	rc = bind_private(fd, &address);
	if (!rc && listen(fd, CLIENTS_MAX) < 0)
		rc = errno;
	if (rc) {
		close(fd);
		return fail(ret_error, rc, "bind", path);
	}
	*ret_fd = fd;
	return 0;
}

int api_open(const char *path, struct api **ret_api, struct api_error *ret_error)
{
	struct api *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return fail(ret_error, ENOMEM, "open", path);
	rc = listen_on(path, &a->listener.fd, ret_error);
	if (rc) {
		free(a);
		return rc;
	}
	snprintf(a->path, sizeof(a->path), "%s", path);
	LIST_INIT(&a->clients);
	*ret_api = a;
	return 0;
}

int api_start(struct api *a, struct loop *loop, const struct api_host *host)
{
	a->loop = loop;
	a->host = *host;
	a->listener.ready = api_accept;
	a->listener.context = a;
	return loop_add(loop, &a->listener, EPOLLIN);
}

void api_close(struct api *a)
{
	struct client *k;

	if (!a)
		return;
	while ((k = LIST_FIRST(&a->clients)))
		client_free(k);
	unlink(a->path);
	if (a->loop)
		loop_remove(a->loop, &a->listener);
	close(a->listener.fd);
	free(a);
}

void api_sweep(struct api *a, uint64_t now_ns)
{
	struct client *k = LIST_FIRST(&a->clients);

	while (k) {
		struct client *next = LIST_NEXT(k, all);

		if (!k->ticket && now_ns > k->active_ns + CLIENT_IDLE_NS)
			client_free(k);
		k = next;
	}
}

/* ---- answers that come later ---- */

uint64_t api_ticket(struct api *a)
{
	return ++a->tickets;
}

void api_defer(struct api *a, uint64_t ticket)
{
	a->serving->ticket = ticket;
}

static struct client *client_lookup(const struct api *a, uint64_t ticket)
{
	struct client *k;

	LIST_FOREACH (k, &a->clients, all)
		if (k->ticket == ticket)
			return k;
	return NULL;
}

/* Written by the loop's next turns, as the client may already have been reported in this one. */
void api_reply(struct api *a, uint64_t ticket, json_t *result, const struct api_error *error)
{
	struct client *k = client_lookup(a, ticket);

	if (!k) {
		json_decref(result);
		return;
	}
	k->ticket = 0;
	k->active_ns = loop_now_ns();
	client_output(k, answer_result(result, error));
	loop_change(a->loop, &k->source, EPOLLOUT);
}
