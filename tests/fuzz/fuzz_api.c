/* SPDX-License-Identifier: BSD-3-Clause */
/* Request lines of the control socket: any bytes give one answer line that is JSON. The words of commands that parse
 * them go through their parsers, which take them or say why not. */
#include <stdlib.h>

#include "api_priv.h"
#include "explain_priv.h"
#include "watch_priv.h"

static struct config_interface interfaces[] = { { .name = "lan" }, { .name = "wan" } };
static const struct config config = { .interfaces = interfaces, .interface_count = 2 };
static struct slot_range ranges[] = { { "oslo", 1, 2 }, { "paris", 0, 1 } };
static const struct policy policy = { .ranges = ranges, .range_count = 2 };

/* A refusal has a text, what is taken keeps its promises. */
static void check(int rc, const char *error, bool sound)
{
	if (rc ? !*error : !sound)
		abort();
}

static void words_parse(const char *const *args, size_t count)
{
	struct explain_request explain;
	struct capture_request capture;
	struct datapath_trace_spec trace;
	struct watch_error error = { "" };
	char text[256] = "";
	int rc = explain_parse(&config, args, count, &explain, text, sizeof(text));

	check(rc, text, explain.by_spi || explain.query.src.family == explain.query.dst.family);
	rc = capture_parse(&config, &policy, args, count, &capture, &error);
	check(rc, error.text, *capture.file == '/' && capture.spec.snaplen && capture.count && capture.seconds);
	error.text[0] = '\0';
	rc = trace_parse(&policy, args, count, &trace, &error);
	check(rc, error.text, trace.every && trace.count && trace.count <= DATAPATH_TRACE_PACKETS_MAX);
}

static json_t *echo(
	void *context, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error)
{
	(void)context;
	if (!arg_count) {
		ret_error->text[0] = command[0];
		ret_error->text[1] = '\0';
		return NULL;
	}
	words_parse(args, arg_count);
	return json_pack("{s:o,s:o}", "command", json_text(command), "last", json_text(args[arg_count - 1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct api_host host = { NULL, echo };
	char *text = api_answer(&host, BYTES(data, size));
	json_t *answer = text ? json_loads(text, 0, NULL) : NULL;

	if (!json_is_boolean(json_object_get(answer, "ok")))
		abort();
	json_decref(answer);
	free(text);
	return 0;
}
