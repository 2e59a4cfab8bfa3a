/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/ipsec over a pipe, for independent oracles in other languages. Commands are lines on standard input, each
 * answered by one line: "ok", "ok HEX", "drop REASON", or "error TEXT" and the end. sa NAME out|in KEY=VALUE...   keys:
 * encr key (with salt, hex) spi udp natt esn sequence window local remote out NAME HEX                  an inner
 * packet; the answer is the outer one in NAME HEX                   the other way */
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

#define NAMED_MAX  64
#define LINE_BYTES (4 * RIG_ROOM)

struct named {
	char name[32];
	struct sa *sa;
};

static struct ipsec *ips;
static struct ipsec_worker *worker;
static struct named named[NAMED_MAX];
static size_t named_count;

static int fail(const char *text)
{
	printf("error %s\n", text);
	fflush(stdout);
	return -1;
}

/* What a KEY=VALUE changes. */
static void set_encr(struct sa_spec *s, const char *v)
{
	s->encr = alg_lookup_keyword(TRANSFORM_ENCR, v, strlen(v));
}

static void set_key(struct sa_spec *s, const char *v)
{
	uint8_t key[64];
	int n = hex_decode(v, key, sizeof(key));

	secret_done(&s->encr_key);
	if (n > 0 && secret_copy(&s->encr_key, BYTES(key, (size_t)n)))
		abort();
}

static void set_spi(struct sa_spec *s, const char *v)
{
	s->spi = (uint32_t)strtoul(v, NULL, 0);
}

static void set_udp(struct sa_spec *s, const char *v)
{
	s->path.encap = atoi(v) ? SA_ENCAP_UDP : SA_ENCAP_NONE;
}

static void set_natt(struct sa_spec *s, const char *v)
{
	s->natt = atoi(v);
}

static void set_esn(struct sa_spec *s, const char *v)
{
	s->esn = atoi(v);
}

static void set_sequence(struct sa_spec *s, const char *v)
{
	s->initial_sequence = strtoull(v, NULL, 0);
}

static void set_window(struct sa_spec *s, const char *v)
{
	s->replay_window = (uint32_t)strtoul(v, NULL, 0);
}

static void set_local(struct sa_spec *s, const char *v)
{
	s->local.count = !selector_parse(v, &s->local.items[0]);
}

static void set_remote(struct sa_spec *s, const char *v)
{
	s->remote.count = !selector_parse(v, &s->remote.items[0]);
}

static const struct setting {
	const char *key;
	void (*set)(struct sa_spec *s, const char *value);
} settings[] = {
	{ "encr", set_encr },
	{ "key", set_key },
	{ "spi", set_spi },
	{ "udp", set_udp },
	{ "natt", set_natt },
	{ "esn", set_esn },
	{ "sequence", set_sequence },
	{ "window", set_window },
	{ "local", set_local },
	{ "remote", set_remote },
};

static int setting_apply(struct sa_spec *s, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		return fail("no = in a setting");
	*value++ = 0;
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (!strcmp(settings[i].key, word)) {
			settings[i].set(s, value);
			return 0;
		}
	return fail("no such setting");
}

static struct named *find(const char *name)
{
	for (size_t i = 0; i < named_count; i++)
		if (!strcmp(named[i].name, name))
			return &named[i];
	return NULL;
}

static int sa_make(const char *name, struct sa_spec *spec)
{
	const char *reason = NULL;
	struct sa *sa = sa_create(ips, spec, spec->direction == SA_OUT ? rig_path(spec) : NULL, &reason);

	sa_spec_done(spec);
	if (!sa)
		return fail(reason);
	snprintf(named[named_count].name, sizeof(named[0].name), "%s", name);
	named[named_count++].sa = sa;
	printf("ok\n");
	return 0;
}

static int command_sa(char *rest)
{
	const struct rig_options o = { .local = "0.0.0.0/0", .remote = "0.0.0.0/0" };
	char *name = strtok(rest, " "), *direction = strtok(NULL, " "), *word;
	struct sa_spec spec;

	if (!direction || named_count == NAMED_MAX)
		return fail("sa NAME out|in KEY=VALUE...");
	rig_spec(&o, strcmp(direction, "out") ? SA_IN : SA_OUT, &spec);
	while ((word = strtok(NULL, " ")))
		if (setting_apply(&spec, word)) {
			sa_spec_done(&spec);
			return -1;
		}
	return sa_make(name, &spec);
}

static void answer_packet(const struct rte_mbuf *m)
{
	char *text = (char *)malloc(2u * m->data_len + 1);

	if (!text)
		abort();
	printf("ok %s\n", hex_encode(BYTES(rte_pktmbuf_mtod(m, void *), m->data_len), text));
	free(text);
}

static int command_packet(char *rest, uint16_t (*burst)(struct ipsec_worker *, struct burst_item *, uint16_t))
{
	const char *name = strtok(rest, " "), *hex = strtok(NULL, " ");
	const struct named *n = name ? find(name) : NULL;
	uint8_t data[RIG_ROOM];
	int bytes = hex ? hex_decode(hex, data, sizeof(data)) : -1;

	if (!n || bytes < 0)
		return fail("out|in NAME HEX");
	struct burst_item item = { .m = rig_mbuf(data, (uint16_t)bytes), .sa = n->sa };
	if (burst(worker, &item, 1))
		answer_packet(item.m);
	else
		printf("drop %s\n", drop_keyword((enum drop_reason)item.drop));
	rte_pktmbuf_free(item.m);
	return 0;
}

static int command_run(char *line)
{
	char *rest = strchr(line, ' ');

	line[strcspn(line, "\n")] = 0;
	if (!rest)
		return fail("what?");
	*rest++ = 0;
	if (!strcmp(line, "sa"))
		return command_sa(rest);
	if (!strcmp(line, "out"))
		return command_packet(rest, burst_out);
	if (!strcmp(line, "in"))
		return command_packet(rest, burst_in);
	return fail("no such command");
}

int main(void)
{
	static char line[LINE_BYTES];
	int rc = 0;

	rig_eal();
	ips = rig_ipsec(1, 256, 1);
	worker = ipsec_worker_create(ips, 0);
	while (!rc && fgets(line, sizeof(line), stdin)) {
		rc = command_run(line);
		fflush(stdout);
	}
	for (size_t i = 0; i < named_count; i++)
		sa_free(named[i].sa);
	ipsec_worker_free(worker);
	ipsec_free(ips);
	return rc != 0;
}
