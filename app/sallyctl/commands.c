/* SPDX-License-Identifier: BSD-3-Clause */
/* Finds the command that was typed, or the one that was meant. */
#include "commands_priv.h"

#include <stdio.h>
#include <string.h>

#define TYPED_MAX 64

#define COMMAND_ROW(id, words, arguments, fewest, most, help) { COMMAND_##id, words, arguments, fewest, most, help },
const struct command_row command_rows[ALL_COMMANDS] = {
	CONTROL_COMMANDS(COMMAND_ROW){
		COMMAND_CHECK, "check", "FILE", 1, 1, "check a configuration (no daemon needed)" },
	{ COMMAND_CONFIG_SCHEMA, "config schema", "", 0, 0, "every setting as Markdown (no daemon needed)" },
};

/* How many arguments make up these words; 0 when they do not begin so. */
static int words_match(const char *words, int argc, char **argv)
{
	int n = 0;

	for (;;) {
		size_t len = strcspn(words, " ");

		if (n == argc || strlen(argv[n]) != len || strncmp(argv[n], words, len) != 0)
			return 0;
		n++;
		if (!words[len])
			return n;
		words += len + 1;
	}
}

const struct command_row *command_lookup(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < ALL_COMMANDS; i++) {
		*ret_words = words_match(command_rows[i].words, argc, argv);
		if (*ret_words)
			return &command_rows[i];
	}
	return NULL;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance: a swapped pair of letters is one mistake. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][TYPED_MAX + 1], len_a = strlen(a), len_b = strlen(b);

	for (size_t j = 0; j <= len_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			row[j] = smaller(above[j], row[j - 1]) + 1;
			row[j] = smaller(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
	}
	return rows[len_a % 3][len_b];
}

/* Compared with as many words as the command has; what follows are its arguments. */
const struct command_row *command_nearest(int argc, char **argv)
{
	const struct command_row *best = NULL;
	size_t best_distance = 4; /* further away is another word, not a mistake */

	for (size_t i = 0; i < ALL_COMMANDS; i++) {
		bool two = strchr(command_rows[i].words, ' ') != NULL;
		char typed[TYPED_MAX + 1];
		size_t distance;

		snprintf(typed, sizeof(typed), "%s%s%s", argc ? argv[0] : "", two && argc > 1 ? " " : "",
			two && argc > 1 ? argv[1] : "");
		distance = edit_distance(typed, command_rows[i].words);
		if (distance < best_distance) {
			best = &command_rows[i];
			best_distance = distance;
		}
	}
	return best;
}
