/* SPDX-License-Identifier: BSD-3-Clause */
/* trace show for people: a block for each packet, a line for each stage with the cycles since the one before. */
#include "render_priv.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void print_step(FILE *out, const json_t *step)
{
	fprintf(out, "  worker %-2" JSON_INTEGER_FORMAT " %+10" JSON_INTEGER_FORMAT "  %-10s %s\n",
		json_integer_value(json_object_get(step, "worker")),
		json_integer_value(json_object_get(step, "cycles")), text_of(step, "stage"), text_of(step, "text"));
}

void render_trace(FILE *out, const json_t *result)
{
	const json_t *packets = json_object_get(result, "packets");
	json_int_t lost = json_integer_value(json_object_get(result, "lost"));
	json_t *packet, *step;
	size_t i, j;

	json_array_foreach(packets, i, packet)
	{
		fprintf(out, "packet %zu: %" JSON_INTEGER_FORMAT " cycles\n", i + 1,
			json_integer_value(json_object_get(packet, "cycles")));
		json_array_foreach(json_object_get(packet, "steps"), j, step)
		{
			print_step(out, step);
		}
	}
	fprintf(out,
		"%zu packet%s, %" JSON_INTEGER_FORMAT " record%s lost, %s; %" JSON_INTEGER_FORMAT " cycles are a us\n",
		json_array_size(packets), json_array_size(packets) == 1 ? "" : "s", lost, lost == 1 ? "" : "s",
		json_is_true(json_object_get(result, "running")) ? "still sampling" : "stopped",
		json_integer_value(json_object_get(result, "cycles_per_us")));
}
