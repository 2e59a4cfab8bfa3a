/* SPDX-License-Identifier: BSD-3-Clause */
/* The daemon: reads options and the configuration, runs the control core, frees what is left. Nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control.h"
#include "crypto.h"
#include "ipsec.h"
#include "options_priv.h"

/* On standard error as they are, so that editors can jump to file:line:column. */
static void print_faults(const struct config_errors *errors)
{
	char text[1024];

	for (size_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++)
		fprintf(stderr, "%s\n", config_error_format(&errors->items[i], text, sizeof(text)));
	if (errors->count > CONFIG_ERRORS_MAX)
		fprintf(stderr, "and %zu more\n", errors->count - CONFIG_ERRORS_MAX);
}

/* Usable but doubtful settings belong in the log, where they are found later. */
static void print_warnings(const struct config_errors *errors)
{
	char text[1024];

	for (size_t i = 0; i < errors->warning_count && i < CONFIG_WARNINGS_MAX; i++)
		log_line(LOG_WARNING, "configuration: %s",
			config_error_format(&errors->warnings[i], text, sizeof(text)));
}

/* The report is large; on the heap. NULL after having printed what is wrong. */
static struct config *load(const char *path)
{
	struct config_errors *errors = calloc(1, sizeof(*errors));
	struct config *config = NULL;

	if (errors && config_load(path, &config, errors)) {
		print_faults(errors);
		config = NULL;
	}
	if (config)
		print_warnings(errors);
	free(errors);
	return config;
}

/* The configuration, with its secrets, outlives the control core: it is borrowed. */
static int run(struct config *config, const char *path)
{
	char reason[512];
	struct control *control;
	int rc, code;

	log_set_level(config->control.log_level);
	log_line(LOG_NOTICE, "start: sallyportd %s, configuration %s", SALLYPORT_VERSION, path);
	control = control_create(config, reason, sizeof(reason));
	if (!control) {
		log_line(LOG_ERROR, "not started: %s", reason);
		return EXIT_FAILED;
	}
	rc = control_run(control);
	code = rc ? EXIT_FAILED : EXIT_DONE;
	if (control_free(control))
		_exit(code);
	if (rc)
		log_line(LOG_ERROR, "ended: %s", strerror(-rc));
	else
		log_line(LOG_NOTICE, "ended");
	return code;
}

static void print_version(void)
{
	printf("sallyportd %s\n%s\nipsec-mb %s\nOpenSSL %s\n", SALLYPORT_VERSION, control_dpdk_version(),
		ipsec_crypto_version(), crypto_library_version());
}

int main(int argc, char **argv)
{
	struct options options;
	struct config *config;
	int code;

	if (options_parse(argc, argv, &options))
		return EXIT_USAGE;
	if (options.help || options.version) {
		options.help ? options_print_help() : print_version();
		return EXIT_DONE;
	}
	config = load(options.config);
	if (!config)
		return EXIT_FAILED;
	if (options.check) {
		printf("%s: ok\n", options.config);
		code = EXIT_DONE;
	} else {
		code = run(config, options.config);
	}
	config_free(config);
	return code;
}
