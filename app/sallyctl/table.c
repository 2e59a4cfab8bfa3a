/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of JSON objects with aligned columns. Knows nothing of what they mean. */
#include <string.h>

#include "render_priv.h"

#define CELL_MAX    256
#define COLUMNS_MAX 20

static const char *number_text(const json_t *value, char *ret_text, size_t capacity)
{
	if (json_is_real(value))
		snprintf(ret_text, capacity, "%.1f", json_real_value(value));
	else
		snprintf(ret_text, capacity, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return ret_text;
}

/* A list as words, an object as the names and numbers or words of its members. */
static void cell_container(const json_t *value, char *ret_text, size_t capacity)
{
	size_t len = 0, i;
	const char *key;
	json_t *item;
	char number[32];

	ret_text[0] = '\0';
	if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			if (len < capacity)
				len += (size_t)snprintf(ret_text + len, capacity - len, "%s%s", i ? ", " : "",
					json_is_string(item) ? json_string_value(item) : "?");
		}
		return;
	}
	json_object_foreach((json_t *)value, key, item)
	{
		if (len < capacity)
			len += (size_t)snprintf(ret_text + len, capacity - len, "%s%s %s", len ? ", " : "", key,
				json_is_string(item) ? json_string_value(item)
						     : number_text(item, number, sizeof(number)));
	}
}

const char *table_cell(const json_t *value, char *ret_text, size_t capacity)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING: snprintf(ret_text, capacity, "%s", json_string_value(value)); break;
	case JSON_INTEGER:
	case JSON_REAL: number_text(value, ret_text, capacity); break;
	case JSON_TRUE: snprintf(ret_text, capacity, "yes"); break;
	case JSON_FALSE: snprintf(ret_text, capacity, "no"); break;
	case JSON_NULL: snprintf(ret_text, capacity, "-"); break;
	default: cell_container(value, ret_text, capacity); break;
	}
	if (!ret_text[0])
		snprintf(ret_text, capacity, "-");
	return ret_text;
}

/* The last column is not padded: no trailing blanks. */
static void print_cell(FILE *out, const char *text, const struct column *column, size_t width, bool last)
{
	if (column->right)
		fprintf(out, "%*s", (int)width, text);
	else if (last)
		fprintf(out, "%s", text);
	else
		fprintf(out, "%-*s", (int)width, text);
	fputs(last ? "\n" : "  ", out);
}

/* Cells are formatted twice, here and for print: simpler than keeping them. */
static void measure(const json_t *list, const struct column *columns, size_t count, size_t *ret_widths)
{
	char text[CELL_MAX];
	json_t *row;
	size_t i;

	for (size_t c = 0; c < count; c++) {
		ret_widths[c] = strlen(columns[c].title);
		json_array_foreach(list, i, row)
		{
			size_t len = strlen(table_cell(json_object_get(row, columns[c].key), text, sizeof(text)));

			if (len > ret_widths[c])
				ret_widths[c] = len;
		}
	}
}

void table_print(FILE *out, const json_t *list, const struct column *columns, size_t count)
{
	size_t widths[COLUMNS_MAX], i;
	char text[CELL_MAX];
	json_t *row;

	if (count > COLUMNS_MAX)
		count = COLUMNS_MAX;
	measure(list, columns, count, widths);
	for (size_t c = 0; c < count; c++)
		print_cell(out, columns[c].title, &columns[c], widths[c], c + 1 == count);
	json_array_foreach(list, i, row)
	{
		for (size_t c = 0; c < count; c++)
			print_cell(out, table_cell(json_object_get(row, columns[c].key), text, sizeof(text)),
				&columns[c], widths[c], c + 1 == count);
	}
}

/* Two units at most: nobody needs the seconds of a day. */
const char *elapsed_format(double seconds, char *ret_text, size_t capacity)
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s < 120)
		snprintf(ret_text, capacity, "%lu s", s);
	else if (s < 2 * 3600)
		snprintf(ret_text, capacity, "%lu min", s / 60);
	else if (s < 48 * 3600)
		snprintf(ret_text, capacity, "%lu h %lu min", s / 3600, s % 3600 / 60);
	else
		snprintf(ret_text, capacity, "%lu d %lu h", s / 86400, s % 86400 / 3600);
	return ret_text;
}
