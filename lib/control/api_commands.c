/* SPDX-License-Identifier: BSD-3-Clause */
/* The dispatch table of the control socket and the commands that change something. What they show is in api_show*.c. */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "control_priv.h"

int find_tunnel(struct command_call *call, const char *name)
{
	const struct config *config = call->control->config;

	for (size_t i = 0; i < config->tunnel_count; i++)
		if (!strcmp(config->tunnels[i].name, name))
			return (int)i;
	snprintf(call->error, sizeof(call->error), "no tunnel \"%.80s\"", name);
	for (size_t i = 0; i < config->manual_sa_count; i++)
		if (!strcmp(config->manual_sas[i].name, name))
			snprintf(call->error, sizeof(call->error),
				"\"%.64s\" is a manual SA, not negotiated: see show sas %.64s",
				config->manual_sas[i].name, config->manual_sas[i].name);
	return -ENOENT;
}

bool find_peer(struct command_call *call, int tunnel, size_t first, struct identity *ret_peer,
	const struct identity **ret_only)
{
	const struct tunnel_profile *t = &call->control->config->tunnels[tunnel];
	const char *const *last = call->args + call->arg_count;
	struct ike_tunnel_status *s;
	bool known;

	*ret_only = NULL;
	if (call->arg_count < first + 2 || strcmp(last[-2], "peer") != 0)
		return true;
	if (identity_parse(last[-1], ret_peer)) {
		snprintf(call->error, sizeof(call->error), "\"%.80s\" is no identity", last[-1]);
		return false;
	}
	s = calloc(1, sizeof(*s));
	known = s && !ike_peer_status(call->control->engine, (uint32_t)tunnel, ret_peer, s);
	free(s);
	if (!known)
		snprintf(call->error, sizeof(call->error),
			profile_serves_many(t) ? "tunnel \"%.64s\" has no peer \"%.128s\""
					       : "tunnel \"%.64s\" has one peer only: leave out peer %.128s",
			t->name, last[-1]);
	call->arg_count -= 2;
	*ret_only = ret_peer;
	return known;
}

/* The child that the call names, or the whole tunnel. False with the call's error filled. */
static bool find_child(struct command_call *call, int tunnel, uint32_t *ret_child)
{
	const struct tunnel_profile *t = &call->control->config->tunnels[tunnel];

	*ret_child = IKE_WHOLE_TUNNEL;
	if (call->arg_count > 2) {
		snprintf(call->error, sizeof(call->error), "\"%.80s\": only peer ID may stand here", call->args[2]);
		return false;
	}
	if (call->arg_count < 2)
		return true;
	for (uint32_t i = 0; i < t->child_count; i++)
		if (!strcmp(t->children[i].name, call->args[1])) {
			*ret_child = i;
			return true;
		}
	snprintf(call->error, sizeof(call->error), "tunnel \"%.80s\" has no phase2 entry \"%.80s\"", t->name,
		call->args[1]);
	return false;
}

/* Operator wishes end at once: what becomes of them is in show tunnels. */
static json_t *command_tunnel(struct command_call *call, enum ike_command_kind kind)
{
	int tunnel = find_tunnel(call, call->args[0]);
	struct ike_command command = { .kind = kind, .tunnel = (uint32_t)tunnel };
	struct identity peer;

	if (tunnel < 0 || !find_peer(call, tunnel, 1, &peer, &command.peer) ||
		!find_child(call, tunnel, &command.child))
		return NULL;
	if (call->control->stopping) {
		snprintf(call->error, sizeof(call->error), "the gateway is stopping");
		return NULL;
	}
	ike_host_command(call->control, &command);
	return json_pack("{s:s}", "tunnel", call->args[0]);
}

static json_t *initiate(struct command_call *call)
{
	int tunnel = find_tunnel(call, call->args[0]);

	if (tunnel >= 0 && !call->control->config->tunnels[tunnel].remote_addr.family) {
		snprintf(call->error, sizeof(call->error),
			"tunnel \"%.80s\" has no remote address (any): only the peer can initiate it", call->args[0]);
		return NULL;
	}
	return command_tunnel(call, IKE_INITIATE);
}

static json_t *terminate(struct command_call *call)
{
	return command_tunnel(call, IKE_TERMINATE);
}

static bool is_up(struct command_call *call, int tunnel)
{
	struct ike_tunnel_status *s = calloc(1, sizeof(*s));
	bool up = tunnel >= 0 && s && !ike_tunnel_status(call->control->engine, (uint32_t)tunnel, s) &&
		  s->phase1 == PHASE_UP;

	free(s);
	if (tunnel >= 0 && !up)
		snprintf(call->error, sizeof(call->error), "tunnel \"%.80s\" is not up", call->args[0]);
	return up;
}

/* Without an SA there is nothing to renew. */
static json_t *rekey(struct command_call *call)
{
	return is_up(call, find_tunnel(call, call->args[0])) ? command_tunnel(call, IKE_REKEY) : NULL;
}

/* "local ADDRESS", "remote ADDRESS" in either order. False with the call's error filled. */
static bool read_path(struct command_call *call, struct ike_command *ret_command)
{
	for (size_t i = 1; i < call->arg_count; i += 2) {
		bool local = !strcmp(call->args[i], "local"), remote = !strcmp(call->args[i], "remote");
		struct addr *to = local ? &ret_command->local : &ret_command->remote.addr;
		if ((!local && !remote) || i + 1 == call->arg_count) {
			snprintf(call->error, sizeof(call->error),
				"move: \"local ADDRESS\" or \"remote ADDRESS\" expected");
			return false;
		}
		if (addr_parse(call->args[i + 1], to) || addr_is_any(to)) {
			snprintf(call->error, sizeof(call->error), "\"%.80s\" is not an address", call->args[i + 1]);
			return false;
		}
	}
	return true;
}

/* What the engine refused at once it has said in an event, the newest one. */
static const char *refusal_since(const struct history *h, const struct history_entry *before)
{
	const struct history_entry *last = h->count ? history_at(h, h->count - 1) : NULL;

	return last && last != before && last->kind == IKE_EV_MOVE_REFUSED && last->text ? last->text : NULL;
}

static json_t *move(struct command_call *call)
{
	struct control *c = call->control;
	int tunnel = find_tunnel(call, call->args[0]);
	struct ike_command command = { .kind = IKE_MOVE, .tunnel = (uint32_t)tunnel, .child = IKE_WHOLE_TUNNEL };

	if (tunnel < 0 || !read_path(call, &command) || !is_up(call, tunnel))
		return NULL;
	const struct history *h = &c->histories[tunnel];
	const struct history_entry *before = h->count ? history_at(h, h->count - 1) : NULL;
	ike_host_command(c, &command);
	const char *refusal = refusal_since(h, before);
	if (!refusal)
		return json_pack("{s:s}", "tunnel", call->args[0]);
	snprintf(call->error, sizeof(call->error), "%s", refusal);
	return NULL;
}

static json_t *report_json(const struct reload_report *p)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i}", "manual_sas_added", (json_int_t)p->sas_added,
		"manual_sas_replaced", (json_int_t)p->sas_replaced, "manual_sas_removed", (json_int_t)p->sas_removed,
		"manual_sas_kept", (json_int_t)p->sas_kept, "rules", (json_int_t)p->rules, "routes",
		(json_int_t)p->routes, "neighbours_added", (json_int_t)p->neighbours_added, "neighbours_removed",
		(json_int_t)p->neighbours_removed, "workers", (int)p->workers);
}

static void answer_reload(
	struct control *c, uint64_t ticket, int rc, const struct reload_report *report, const char *reason)
{
	struct api_error error = { "no memory" };
	json_t *result = NULL;

	if (rc)
		snprintf(error.text, sizeof(error.text), "%s", reason);
	else if (report->failed[0])
		snprintf(error.text, sizeof(error.text), "taken over, but %.200s", report->failed);
	else
		result = report_json(report);
	api_reply(c->api, ticket, result, &error);
}

/* Answered when it has ended; the socket serves others meanwhile. */
static json_t *reload_command(struct command_call *call)
{
	struct reload_request request = { .check_only = call->arg_count > 0, .told = answer_reload };

	if (request.check_only && strcmp(call->args[0], "check") != 0) {
		snprintf(call->error, sizeof(call->error), "reload: \"%.80s\" is not \"check\"", call->args[0]);
		return NULL;
	}
	request.ticket = api_ticket(call->control->api);
	if (!reload_start(call->control, &request, call->error, sizeof(call->error)))
		api_defer(call->control->api, request.ticket);
	return NULL;
}

struct command {
	const char *words;
	size_t fewest, most;
};

static json_t *(*const handlers[COMMAND_COUNT])(struct command_call *call) = {
	[COMMAND_SHOW_TUNNELS] = show_tunnels,
	[COMMAND_SHOW_SAS] = show_sas,
	[COMMAND_SHOW_POLICIES] = show_policies,
	[COMMAND_SHOW_PORTS] = show_ports,
	[COMMAND_SHOW_COUNTERS] = show_counters,
	[COMMAND_SHOW_ROUTES] = show_routes,
	[COMMAND_SHOW_NEIGHBOURS] = show_neighbours,
	[COMMAND_SHOW_WORKERS] = show_workers,
	[COMMAND_SHOW_LEASES] = show_leases,
	[COMMAND_SHOW_MEMORY] = show_memory,
	[COMMAND_SHOW_VERSION] = show_version,
	[COMMAND_EXPLAIN] = explain,
	[COMMAND_TRACE_START] = command_trace_start,
	[COMMAND_TRACE_SHOW] = command_trace_show,
	[COMMAND_TRACE_STOP] = command_trace_stop,
	[COMMAND_CAPTURE_START] = command_capture_start,
	[COMMAND_CAPTURE_STATUS] = command_capture_status,
	[COMMAND_CAPTURE_STOP] = command_capture_stop,
	[COMMAND_RELOAD] = reload_command,
	[COMMAND_INITIATE] = initiate,
	[COMMAND_TERMINATE] = terminate,
	[COMMAND_REKEY] = rekey,
	[COMMAND_MOVE] = move,
};

/* Words and argument counts come from the table shared with sallyctl; the handlers stand beside it by number. */
#define COMMAND_ROW(id, words, arguments, fewest, most, help) { words, fewest, most },
static const struct command commands[] = { CONTROL_COMMANDS(COMMAND_ROW) };

json_t *commands_run(
	struct control *c, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error)
{
	struct command_call call = { .control = c, .args = args, .arg_count = arg_count, .error = "no memory" };
	json_t *result;
	size_t i = 0;

	while (i < COMMAND_COUNT && strcmp(commands[i].words, command) != 0)
		i++;
	if (i == COMMAND_COUNT) {
		snprintf(ret_error->text, sizeof(ret_error->text), "unknown command \"%.80s\"", command);
		return NULL;
	}
	if (arg_count < commands[i].fewest || arg_count > commands[i].most) {
		snprintf(ret_error->text, sizeof(ret_error->text), "%s: wrong number of arguments", commands[i].words);
		return NULL;
	}
	c->now_ns = loop_now_ns();
	result = handlers[i](&call);
	if (!result)
		snprintf(ret_error->text, sizeof(ret_error->text), "%s", call.error);
	return result;
}
