/* SPDX-License-Identifier: BSD-3-Clause */
/* Request lines of the control socket: any bytes give one answer line that is JSON. */
#include <stdlib.h>

#include "api_priv.h"

static json_t *echo(
	void *context, const char *command, const char *const *args, size_t arg_count, struct api_error *ret_error)
{
	(void)context;
	if (!arg_count) {
		ret_error->text[0] = command[0];
		ret_error->text[1] = '\0';
		return NULL;
	}
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
