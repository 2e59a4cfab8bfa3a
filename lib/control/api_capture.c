/* SPDX-License-Identifier: BSD-3-Clause */
/* capture start, status, stop: the commands around a capture's file. */
#include "control_priv.h"

#include <stdio.h>

static const char *sides_text(const struct datapath_capture_spec *s)
{
	if (s->of_port)
		return "frames";
	return s->clear && s->sealed ? "both" : s->clear ? "clear" : "sealed";
}

/* Workers let go of it one by one after its end is decided. */
static const char *state_text(const struct capture_session *s)
{
	if (!s->file)
		return "finished";
	return *s->ended ? "stopping" : "running";
}

static json_t *status_json(const struct control *c)
{
	const struct capture_session *s = &c->capture;

	if (!*s->path)
		return json_pack("{s:s}", "state", "none");
	return json_pack("{s:s,s:o,s:s,s:s,s:i,s:I,s:I,s:I,s:o}", "state", state_text(s), "file", json_text(s->path),
		"of", s->request.of, "sides", sides_text(&s->request.spec), "snaplen", (int)s->request.spec.snaplen,
		"packets", (json_int_t)s->packets, "bytes", (json_int_t)s->bytes, "lost", (json_int_t)s->lost, "ended",
		*s->ended ? json_string(s->ended) : json_null());
}

json_t *command_capture_start(struct command_call *call)
{
	struct control *c = call->control;
	struct capture_request request;
	struct watch_error error;

	if (capture_parse(c->config, &c->policy, call->args, call->arg_count, &request, &error) ||
		capture_begin(c, &request, &error)) {
		snprintf(call->error, sizeof(call->error), "%s", error.text);
		return NULL;
	}
	return status_json(c);
}

json_t *command_capture_status(struct command_call *call)
{
	return status_json(call->control);
}

json_t *command_capture_stop(struct command_call *call)
{
	if (!call->control->capture.file) {
		snprintf(call->error, sizeof(call->error), "no capture runs");
		return NULL;
	}
	capture_stop(call->control);
	return status_json(call->control);
}
