/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket: newline-delimited JSON over a UNIX stream socket, served by the loop without ever waiting. */
#pragma once

#include <jansson.h>

#include "bytes.h"
#include "loop_priv.h"

struct api;

struct api_error {
	char text[256];
};

/* Runs a command: its result (the caller's), or NULL with a text. */
struct api_host {
	void *context;
	json_t *(*run)(void *context, const char *command, const char *const *args, size_t arg_count,
		struct api_error *ret_error);
};

/* Binds the socket (mode 0600), making its folder (0755) when it is missing. A socket nobody answers on is replaced;
 * another daemon's is not. 0, or -errno with a text. */
int api_open(const char *path, struct api **ret_api, struct api_error *ret_error);
/* Serves from now on. Borrows loop. 0 or -errno. */
int api_start(struct api *a, struct loop *loop, const struct api_host *host);
/* Ends all connections, removes the socket. Accepts NULL. */
void api_close(struct api *a);
/* A command that takes long: while it is run, its handler takes a ticket and defers the answer. Whatever the handler
 * returns is not sent, nor is another request of that client run, until api_reply. */
uint64_t api_ticket(struct api *a); /* never 0 */
void api_defer(struct api *a, uint64_t ticket);
/* Takes the result; NULL: the error. Nothing happens when the client has gone. */
void api_reply(struct api *a, uint64_t ticket, json_t *result, const struct api_error *error);
/* Between two turns of the loop: drops clients that did nothing for too long. */
void api_sweep(struct api *a, uint64_t now_ns);

/* One request line to one answer line (owned by the caller, newline included), NULL without memory. Exposed for tests.
 */
char *api_answer(const struct api_host *host, struct bytes line);

/* A JSON string of any bytes: what is not UTF-8 (a peer's words, a text cut short) has its non-ASCII bytes replaced. */
json_t *json_text(const char *text);
