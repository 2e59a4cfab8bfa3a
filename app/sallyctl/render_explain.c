/* SPDX-License-Identifier: BSD-3-Clause */
/* explain for people: each way of the packet, a line a step, and at its end what would become of it. */
#include "render_priv.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

void render_explain(FILE *out, const json_t *result)
{
	json_t *way, *step;
	size_t i, j;

	json_array_foreach(json_object_get(result, "ways"), i, way)
	{
		fprintf(out, "%s:\n", text_of(way, "way"));
		json_array_foreach(json_object_get(way, "steps"), j, step)
		{
			fprintf(out, "  %-13s %s\n", text_of(step, "step"), text_of(step, "text"));
		}
		fprintf(out, "%s\n", text_of(way, "verdict"));
	}
}
