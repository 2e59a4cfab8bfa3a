/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of loading: YAML, schema, secrets, checks; and the end of a configuration. */
#include "conf_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The secrets file as named, relative to the folder of the main file. False when it is too long. */
static bool secrets_path(const struct load *l, const char *named, char *ret_path, size_t capacity)
{
	const char *slash = strrchr(l->file, '/');
	int folder = slash && named[0] != '/' ? (int)(slash - l->file) + 1 : 0;

	return snprintf(ret_path, capacity, "%.*s%s", folder, l->file, named) < (int)capacity;
}

/* Faults of the secrets file carry its name; when it cannot be read, also the setting that names it. */
static void load_secrets_file(struct load *l, const struct node *setting)
{
	const char *former = l->file;
	struct secret text;
	char path[PATH_MAX];

	if (!secrets_path(l, setting->text, path, sizeof(path))) {
		fault(l, setting->place, "secrets_file: the path is too long");
		return;
	}
	size_t path_former = path_push(l, ".", "secrets_file");
	l->file = path;
	bool ok = file_read(l, path, true, &text);
	l->file = former;
	path_pop(l, path_former);
	if (!ok)
		return;
	secrets_decode(l, path, secret_view(&text));
	secret_done(&text);
}

static void load_secrets(struct load *l, struct bytes given)
{
	const struct node *setting = map_get(l->root, "secrets_file");

	if (given.data)
		secrets_decode(l, "secrets", given);
	else if (setting && setting->kind == NODE_SCALAR && setting->len && strlen(setting->text) == setting->len)
		load_secrets_file(l, setting);
}

/* Checks compare settings, so they wait until each is right by itself. */
static void run_checks(struct load *l)
{
	if (l->err)
		return;
	check_devices(l);
	check_network(l);
	check_manual_sas(l);
	check_pools(l);
	check_tunnels(l);
	check_policies(l);
	check_weak(l);
	if (!l->err)
		warn_doubtful(l);
}

static struct config_source *source_create(const char *file)
{
	struct config_source *s = calloc(1, sizeof(*s));

	if (s)
		s->file = strdup(file);
	if (s && s->file)
		return s;
	free(s);
	return NULL;
}

static void source_free(struct config_source *s)
{
	if (!s)
		return;
	document_done(&s->document);
	free(s->file);
	free(s);
}

static void load_document(struct load *l, struct bytes yaml, struct bytes secrets)
{
	struct config_source *source = source_create(l->file);

	l->config->source = source;
	if (!source) {
		fault_no_memory(l);
		return;
	}
	if (document_decode(l, yaml, &source->document)) {
		l->root = source->document.root;
		interpret_map(l, schema_config(), l->root, l->root->place, l->config);
		load_secrets(l, secrets);
		run_checks(l);
	}
	l->root = NULL;
}

int config_load_bytes(const char *name, struct bytes yaml, struct bytes secrets, struct config **ret_config,
	struct config_errors *ret_errors)
{
	struct load l = { .errors = ret_errors, .file = name };

	*ret_config = NULL;
	memset(ret_errors, 0, sizeof(*ret_errors));
	l.config = calloc(1, sizeof(*l.config));
	if (l.config)
		load_document(&l, yaml, secrets);
	else
		fault_no_memory(&l);
	manual_keys_free(l.keys, l.key_count);
	if (l.err) {
		config_free(l.config);
		return l.err;
	}
	*ret_config = l.config;
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct config_errors *ret_errors)
{
	struct load l = { .errors = ret_errors, .file = path };
	struct secret text;

	*ret_config = NULL;
	memset(ret_errors, 0, sizeof(*ret_errors));
	if (!file_read(&l, path, false, &text))
		return l.err;
	int err = config_load_bytes(path, secret_view(&text), BYTES_NONE, ret_config, ret_errors);
	secret_done(&text);
	return err;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	source_free(c->source);
	for (size_t i = 0; i < c->system.eal_arg_count; i++)
		free(c->system.eal_args[i]);
	for (size_t i = 0; i < c->manual_sa_count; i++) {
		sa_spec_done(&c->manual_sas[i].in);
		sa_spec_done(&c->manual_sas[i].out);
	}
	for (size_t i = 0; i < c->psk_count; i++)
		secret_done(&c->psks[i].secret);
	free(c->system.eal_args);
	free(c->interfaces);
	free(c->addresses);
	free(c->routes);
	free(c->neighbours);
	free(c->policies);
	free(c->manual_sas);
	free(c->pools);
	free(c->tunnels);
	free(c->psks);
	free(c);
}
