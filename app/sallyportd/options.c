/* SPDX-License-Identifier: BSD-3-Clause */
/* Parses sallyportd's command line. Starts nothing. */
#include "options_priv.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 'k' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] = "usage: sallyportd --config FILE [--check]\n"
				"  --config FILE  the gateway's configuration (docs/config.md)\n"
				"  --check        check it, start nothing\n"
				"  --version      print the versions and end\n"
				"  --help         this text\n"
				"Runs in the foreground and logs to standard error; SIGTERM and SIGINT end it.\n"
				"Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.\n";

void options_print_help(void)
{
	fputs(help_text, stdout);
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	int letter;

	*ret_options = (struct options){ 0 };
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (letter) {
		case 'c': ret_options->config = optarg; break;
		case 'k': ret_options->check = true; break;
		case 'h': ret_options->help = true; break;
		case 'v': ret_options->version = true; break;
		default: return -EINVAL; /* getopt has said what is wrong */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sallyportd: unexpected \"%s\"\n", argv[optind]);
		return -EINVAL;
	}
	if (!ret_options->config && !ret_options->help && !ret_options->version) {
		fprintf(stderr, "sallyportd: --config FILE is missing; see sallyportd --help\n");
		return -EINVAL;
	}
	return 0;
}
