/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of sallyportd. */
#pragma once

#include <stdbool.h>

/* Exit codes, the same for both programs. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	const char *config; /* file; NULL with --help and --version */
	bool check, help, version;
};

/* 0, or -EINVAL with the fault on standard error. */
int options_parse(int argc, char **argv, struct options *ret_options);
void options_print_help(void);
