/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: the configuration loader. The input is the main file; behind a NUL byte, the secrets file. Never opens a
 * file. What is refused has to say why, what is accepted has to be whole. */
#include <stdlib.h>

#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			abort();                                                                                       \
	} while (0)

/* Used when the input has none of its own. */
static const char secrets_default[] = "psk: [{secret: a long random text}]\n"
				      "manual_keys: [{name: k,\n"
				      "  encr_in: 0x000102030405060708090a0b0c0d0e0f10111213,\n"
				      "  encr_out: 0xf00102030405060708090a0b0c0d0e0f10111213}]\n";

static void require_reasons(const struct config_errors *errors)
{
	char text[1024];

	REQUIRE(errors->count > 0);
	for (size_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++) {
		REQUIRE(errors->items[i].text[0]);
		REQUIRE(strlen(config_error_format(&errors->items[i], text, sizeof(text))) > 0);
	}
}

static void require_whole(const struct config *c)
{
	const char *reason;

	REQUIRE(c->interface_count > 0);
	for (size_t i = 0; i < c->manual_sa_count; i++) {
		REQUIRE(sa_spec_check(&c->manual_sas[i].in, &reason) == 0);
		REQUIRE(sa_spec_check(&c->manual_sas[i].out, &reason) == 0);
	}
	for (size_t i = 0; i < c->tunnel_count; i++) {
		const struct tunnel_profile *t = &c->tunnels[i];
		REQUIRE(t->child_count == 1 && t->proposals.count > 0 && t->children[0].proposals.count > 0);
		REQUIRE(t->children[0].local.count > 0 && t->children[0].remote.count > 0);
		REQUIRE(t->remote_id.type == ID_NONE || config_psk_lookup(c, &t->local_id, &t->remote_id));
	}
	for (size_t i = 0; i < c->policy_count; i++)
		REQUIRE(c->policies[i].local.count > 0 && c->policies[i].remote.count > 0);
	for (size_t i = 0; i < c->neighbour_count; i++)
		REQUIRE(c->neighbours[i].interface < c->interface_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = size ? memchr(data, 0, size) : NULL;
	struct bytes yaml = BYTES(data, split ? (size_t)(split - data) : size);
	struct bytes secrets = BYTES(secrets_default, sizeof(secrets_default) - 1);
	static struct config_errors errors;
	struct config *c;

	if (split)
		secrets = BYTES(split + 1, size - yaml.len - 1);
	if (config_load_bytes("fuzz.yaml", yaml, secrets, &c, &errors))
		require_reasons(&errors);
	else
		require_whole(c);
	config_free(c);
	return 0;
}
