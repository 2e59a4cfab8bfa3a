/* SPDX-License-Identifier: BSD-3-Clause */
/* One command to the control socket, its answer as text or JSON; and the commands that need no daemon. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client_priv.h"
#include "commands_priv.h"
#include "conf.h"
#include "render_priv.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

#define DEFAULT_SOCKET "/run/sallyport/control.sock"
#define POLL_NS        200000000l
#define HELP_COLUMN    24

struct call {
	const char *socket;
	bool json, help, version;
	double wait_seconds; /* of initiate; 0: do not wait */
	const struct command_row *command;
	char **args;
	int arg_count;
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "wait", required_argument, NULL, 'w' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

/* From the table that dispatches: a command cannot be missing here. */
static void print_help(FILE *out)
{
	char words[256];

	fputs("usage: sallyctl [--socket PATH] [--json] [--wait SECONDS] COMMAND ...\n"
	      "  --socket PATH   control socket (" DEFAULT_SOCKET ")\n"
	      "  --json          the answer as JSON\n"
	      "  --wait SECONDS  initiate: wait until the tunnel is up or has failed\n"
	      "commands:\n",
		out);
	for (size_t i = 0; i < ALL_COMMANDS; i++) {
		snprintf(words, sizeof(words), "%s %s", command_rows[i].words, command_rows[i].arguments);
		if (strlen(words) > HELP_COLUMN)
			fprintf(out, "  %s\n  %-*s %s\n", words, HELP_COLUMN, "", command_rows[i].help);
		else
			fprintf(out, "  %-*s %s\n", HELP_COLUMN, words, command_rows[i].help);
	}
	fputs("Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 no daemon.\n", out);
}

/* ---- the command line ---- */

/* Options may stand before and after the command (getopt permutes). */
static int parse_options(int argc, char **argv, struct call *call)
{
	int letter;
	char *end;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 's': call->socket = optarg; break;
		case 'j': call->json = true; break;
		case 'h': call->help = true; break;
		case 'v': call->version = true; break;
		case 'w':
			call->wait_seconds = strtod(optarg, &end);
			if (*end || end == optarg || !(call->wait_seconds > 0 && call->wait_seconds < 86400)) {
				fprintf(stderr, "sallyctl: --wait: \"%s\" is no number of seconds\n", optarg);
				return -EINVAL;
			}
			break;
		default: return -EINVAL;
		}
	}
	return 0;
}

/* The second words of the commands that begin so; false when there are none. */
static bool print_subcommands(const char *first)
{
	size_t len = strlen(first), found = 0;

	for (size_t i = 0; i < ALL_COMMANDS; i++) {
		const char *words = command_rows[i].words;

		if (strncmp(words, first, len) != 0 || words[len] != ' ')
			continue;
		if (!found++)
			fprintf(stderr, "sallyctl: %s what?", first);
		fprintf(stderr, "%s %s", found > 1 ? "," : "", words + len + 1);
	}
	if (found)
		fputc('\n', stderr);
	return found > 0;
}

static int unknown_command(int argc, char **argv)
{
	const struct command_row *meant = command_nearest(argc, argv);

	if (!argc)
		fprintf(stderr, "sallyctl: a command is missing\n");
	else if ((argc == 1 || !meant) && print_subcommands(argv[0]))
		return -EINVAL;
	else if (meant)
		fprintf(stderr, "sallyctl: unknown command \"%s%s%s\"; did you mean \"%s\"?\n", argv[0],
			argc > 1 ? " " : "", argc > 1 ? argv[1] : "", meant->words);
	else
		fprintf(stderr, "sallyctl: unknown command \"%s\"\n", argv[0]);
	return -EINVAL;
}

static int parse_command(int argc, char **argv, struct call *call)
{
	int words;

	call->command = command_lookup(argc, argv, &words);
	if (!call->command)
		return unknown_command(argc, argv);
	call->args = argv + words;
	call->arg_count = argc - words;
	if ((size_t)call->arg_count < call->command->fewest || (size_t)call->arg_count > call->command->most) {
		fprintf(stderr, "usage: sallyctl %s%s%s\n", call->command->words, *call->command->arguments ? " " : "",
			call->command->arguments);
		return -EINVAL;
	}
	return 0;
}

/* ---- without a daemon ---- */

/* Faults and warnings alike; those beyond what is kept are only counted. */
static void print_report(const char *label, const struct config_error *items, size_t count, size_t most)
{
	char text[1024];

	for (size_t i = 0; i < count && i < most; i++)
		fprintf(stderr, "%s%s\n", label, config_error_format(&items[i], text, sizeof(text)));
	if (count > most)
		fprintf(stderr, "and %zu more\n", count - most);
}

static int check_file(const char *path)
{
	struct config_errors *errors = calloc(1, sizeof(*errors));
	struct config *config = NULL;
	int rc = errors ? config_load(path, &config, errors) : -ENOMEM;

	if (errors) {
		print_report("warning: ", errors->warnings, errors->warning_count, CONFIG_WARNINGS_MAX);
		print_report("", errors->items, errors->count, CONFIG_ERRORS_MAX);
	}
	free(errors);
	config_free(config);
	if (rc)
		return EXIT_FAILED;
	printf("%s: ok\n", path);
	return EXIT_DONE;
}

/* ---- with one ---- */

static bool waits(const struct call *call)
{
	return call->command->id == COMMAND_INITIATE && call->wait_seconds > 0;
}

/* Refusals go to standard error in both forms: --json promises JSON on standard output, or nothing. */
static int print_answer(const struct call *call, const json_t *answer)
{
	const json_t *result = json_object_get(answer, "result");

	if (!json_is_true(json_object_get(answer, "ok"))) {
		const char *error = json_string_value(json_object_get(answer, "error"));

		fprintf(stderr, "sallyctl: %s\n", error ? error : "the daemon's answer makes no sense");
		return EXIT_FAILED;
	}
	if (call->json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		fputc('\n', stdout);
	} else if (!waits(call)) { /* else ok is yet to be seen */
		render(stdout, call->command->id, result, call->arg_count > 0);
	}
	return EXIT_DONE;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *state_of(const json_t *phase)
{
	const char *state = json_string_value(json_object_get(phase, "state"));

	return state ? state : "";
}

/* All children of the tunnel, or the one that the call names, are up. */
static bool children_up(const struct call *call, const json_t *children)
{
	bool up = json_array_size(children) > 0;
	const json_t *child;
	size_t i;

	json_array_foreach(children, i, child)
	{
		const char *name = json_string_value(json_object_get(child, "name"));
		bool meant = call->arg_count < 2 || (name && !strcmp(name, call->args[1]));
		up = up && (!meant || !strcmp(state_of(child), "up"));
	}
	return up;
}

/* 1: up, -1: failed since `begun`, 0: neither yet. */
static int tunnel_outcome(const struct call *call, const json_t *answer, double begun)
{
	const json_t *tunnels = json_object_get(json_object_get(answer, "result"), "tunnels");
	const json_t *tunnel = json_array_get(tunnels, 0);
	const json_t *failure = json_object_get(tunnel, "last_failure");

	if (!tunnel)
		return -1;
	if (children_up(call, json_object_get(tunnel, "phase2")))
		return 1;
	if (json_is_object(failure) &&
		json_number_value(json_object_get(failure, "seconds_ago")) < seconds_now() - begun)
		return -1;
	return 0;
}

/* "phase 1 negotiating", "phase 1 up, phase 2 down" */
static void state_describe(const json_t *answer, char *ret_text, size_t capacity)
{
	const json_t *tunnel = json_array_get(json_object_get(json_object_get(answer, "result"), "tunnels"), 0);
	const char *phase1 = state_of(json_object_get(tunnel, "phase1"));
	const char *phase2 = state_of(json_array_get(json_object_get(tunnel, "phase2"), 0));
	char silence[256];
	size_t len;

	if (!strcmp(phase1, "up"))
		snprintf(ret_text, capacity, "phase 1 up, phase 2 %s", phase2);
	else
		snprintf(ret_text, capacity, "phase 1 %s", *phase1 ? phase1 : "unknown");
	len = strlen(ret_text);
	if (unanswered_describe(json_object_get(tunnel, "phase1"), silence, sizeof(silence)))
		snprintf(ret_text + len, capacity - len, ", %s", silence);
}

static int wait_ended(const struct call *call, int outcome, const json_t *answer)
{
	char state[384];

	if (!answer) {
		fprintf(stderr, "sallyctl: %s closed the connection\n", call->socket);
	} else if (!outcome) {
		state_describe(answer, state, sizeof(state));
		fprintf(stderr, "sallyctl: %s is not up after %g s: %s\n", call->args[0], call->wait_seconds, state);
	} else if (!call->json) {
		if (outcome == 1)
			puts("ok");
		render(stdout, COMMAND_SHOW_TUNNELS, json_object_get(answer, "result"), false);
	}
	return outcome == 1 ? EXIT_DONE : EXIT_FAILED;
}

/* Asks again instead of being told: the daemon keeps nothing for a client that waits. */
static int wait_for_tunnel(int fd, const struct call *call)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	double begun = seconds_now();
	json_t *answer = NULL;
	int outcome, code;

	do {
		nanosleep(&pause, NULL);
		json_decref(answer);
		answer = client_request(fd, "show tunnels", call->args, 1);
		outcome = answer ? tunnel_outcome(call, answer, begun) : -1;
	} while (!outcome && seconds_now() - begun < call->wait_seconds);
	code = wait_ended(call, outcome, answer);
	json_decref(answer);
	return code;
}

/* Nothing to initiate, nothing to wait for. What has --json gets the daemon's answer as ever. */
static bool is_up_already(int fd, const struct call *call)
{
	json_t *answer = waits(call) && !call->json ? client_request(fd, "show tunnels", call->args, 1) : NULL;
	bool up = answer && tunnel_outcome(call, answer, seconds_now()) == 1;

	if (up)
		printf("%s is already up\n", call->args[0]);
	json_decref(answer);
	return up;
}

/* The daemon does not know our folder: the file of a capture is named from the root. */
static void path_complete(const struct call *call, char *ret_path, size_t capacity)
{
	char folder[PATH_MAX];

	if (call->command->id != COMMAND_CAPTURE_START || call->args[0][0] == '/' || !getcwd(folder, sizeof(folder)))
		return;
	if ((size_t)snprintf(ret_path, capacity, "%s/%s", folder, call->args[0]) < capacity)
		call->args[0] = ret_path;
}

/* One connection for everything, so that a restart of the daemon in between is seen as a failure. */
static int ask_daemon(const struct call *call)
{
	int fd = client_connect(call->socket), code;
	char path[PATH_MAX];
	json_t *answer;

	if (fd < 0) {
		if (fd == -EACCES)
			fprintf(stderr, "sallyctl: may not talk to %s: run as root\n", call->socket);
		else
			fprintf(stderr, "sallyctl: no sallyportd at %s: %s\n", call->socket, strerror(-fd));
		return EXIT_NO_DAEMON;
	}
	if (is_up_already(fd, call)) {
		close(fd);
		return EXIT_DONE;
	}
	path_complete(call, path, sizeof(path));
	answer = client_request(fd, call->command->words, call->args, call->arg_count);
	if (answer) {
		code = print_answer(call, answer);
	} else {
		fprintf(stderr, "sallyctl: %s closed the connection\n", call->socket);
		code = EXIT_FAILED;
	}
	json_decref(answer);
	if (code == EXIT_DONE && waits(call))
		code = wait_for_tunnel(fd, call);
	close(fd);
	return code;
}

static int run(const struct call *call)
{
	switch (call->command->id) {
	case COMMAND_CHECK: return check_file(call->args[0]);
	case COMMAND_CONFIG_SCHEMA: config_schema_print(stdout); return EXIT_DONE;
	default: return ask_daemon(call);
	}
}

/* What is wrong has been said; a page of help would scroll it away. */
static int usage_failed(void)
{
	fputs("see sallyctl --help\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct call call = { .socket = DEFAULT_SOCKET };

	if (parse_options(argc, argv, &call))
		return usage_failed();
	if (call.help || (optind < argc && !strcmp(argv[optind], "help"))) {
		print_help(stdout);
		return EXIT_DONE;
	}
	if (call.version) {
		printf("sallyctl %s\n", SALLYPORT_VERSION);
		return EXIT_DONE;
	}
	if (parse_command(argc - optind, argv + optind, &call))
		return usage_failed();
	return run(&call);
}
