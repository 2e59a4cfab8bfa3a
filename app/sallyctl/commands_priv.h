/* SPDX-License-Identifier: BSD-3-Clause */
/* The command table as sallyctl sees it: the daemon's commands and those that need no daemon. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "commands.h"

enum { COMMAND_CHECK = COMMAND_COUNT, COMMAND_CONFIG_SCHEMA, ALL_COMMANDS };

struct command_row {
	int id; /* enum control_command, or one of those above */
	const char *words, *arguments;
	size_t fewest, most;
	const char *help;
};

extern const struct command_row command_rows[ALL_COMMANDS];

/* The row whose words the arguments begin with, the rest being arguments; NULL when there is none. */
const struct command_row *command_lookup(int argc, char **argv, int *ret_words);
/* The row most like what was typed, or NULL when nothing is near. */
const struct command_row *command_nearest(int argc, char **argv);
