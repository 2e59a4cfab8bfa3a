/* SPDX-License-Identifier: BSD-3-Clause */
/* sallyportd with implicit IVs under manual keys, which the configuration refuses: a repeated key would repeat nonces,
 * and no random part of an IV saves it (RFC 8750 5). The packet tests need just that. A manual SA whose name begins
 * with "iiv_" gets the implicit-IV row of the same cipher, everything else is the daemon's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"

#define PREFIX "iiv_"
#define SUFFIX "iiv"

/* "aes128gcm16" to "aes128gcm16iiv"; NULL when there is no such row. */
static const struct alg *implicit_iv_row(const struct alg *a)
{
	char keyword[64];
	int len = snprintf(keyword, sizeof(keyword), "%s" SUFFIX, a->keyword);

	return alg_lookup_keyword(TRANSFORM_ENCR, keyword, (size_t)len);
}

static int suites_replace(struct config *config)
{
	for (size_t i = 0; i < config->manual_sa_count; i++) {
		struct config_manual_sa *m = &config->manual_sas[i];
		if (strncmp(m->name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		m->in.encr = m->out.encr = m->in.encr ? implicit_iv_row(m->in.encr) : NULL;
		if (!m->in.encr) {
			fprintf(stderr, "lab_gateway: %s has no implicit-IV twin\n", m->name);
			return -1;
		}
	}
	return 0;
}

static struct config *load(const char *path)
{
	static struct config_errors errors;
	struct config *config;
	char text[1024];

	if (!config_load(path, &config, &errors))
		return config;
	fprintf(stderr, "%s\n", config_error_format(&errors.items[0], text, sizeof(text)));
	return NULL;
}

static int run(struct config *config)
{
	struct control *control;
	char reason[512];
	int rc;

	log_set_level(config->control.log_level);
	control = control_create(config, reason, sizeof(reason));
	if (!control) {
		fprintf(stderr, "lab_gateway: not started: %s\n", reason);
		return EXIT_FAILURE;
	}
	rc = control_run(control);
	(void)control_free(control); /* nobody asks it for a reload */
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct config *config;
	int code = EXIT_FAILURE;

	if (argc != 3 || strcmp(argv[1], "--config") != 0) {
		fprintf(stderr, "usage: lab_gateway --config FILE\n");
		return 2;
	}
	config = load(argv[2]);
	if (config && !suites_replace(config))
		code = run(config);
	config_free(config);
	return code;
}
