/* SPDX-License-Identifier: BSD-3-Clause */
/* Parses the words behind "capture start" and "trace start": what to watch, how much of it and for how long. */
#include "watch_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "explain_priv.h"

#define COUNT_DEFAULT   100000
#define SECONDS_DEFAULT 60
#define BYTES_DEFAULT   (64ull << 20)
#define SNAPLEN_DEFAULT 2048
#define TRACE_DEFAULT   16

/* While the words are read. */
struct words {
	const struct config *config;
	const struct policy *policy;
	struct watch_error *error;
};

__attribute__((format(printf, 2, 3))) static int fault(struct watch_error *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return -EINVAL;
}

bool slots_of(const struct policy *policy, const char *name, uint32_t *ret_first, uint32_t *ret_count)
{
	for (size_t i = 0; i < policy->range_count; i++)
		if (!strcmp(policy->ranges[i].name, name)) {
			*ret_first = policy->ranges[i].first;
			*ret_count = policy->ranges[i].count;
			return true;
		}
	return false;
}

static int number_of(const struct words *w, const char *word, const char *value, uint64_t most, uint64_t *ret_number)
{
	if (number_parse(value, most, ret_number) || !*ret_number)
		return fault(
			w->error, "%s: \"%.40s\" is no number from 1 to %llu", word, value, (unsigned long long)most);
	return 0;
}

/* ---- capture ---- */

static int capture_tunnel(const struct words *w, const char *name, struct capture_request *r)
{
	struct datapath_capture_spec *s = &r->spec;

	if (*r->of)
		return fault(w->error, "capture: one tunnel or port at a time");
	if (!slots_of(w->policy, name, &s->first_slot, &s->slot_count))
		return fault(w->error, "no tunnel or manual SA \"%.80s\"", name);
	snprintf(r->of, sizeof(r->of), "tunnel %.80s", name);
	return 0;
}

static int capture_port(const struct words *w, const char *name, struct capture_request *r)
{
	if (*r->of)
		return fault(w->error, "capture: one tunnel or port at a time");
	for (size_t i = 0; i < w->config->interface_count; i++)
		if (!strcmp(w->config->interfaces[i].name, name)) {
			r->spec.of_port = true;
			r->spec.port = (uint16_t)i;
			snprintf(r->of, sizeof(r->of), "port %.80s", name);
			return 0;
		}
	return fault(w->error, "no interface \"%.80s\"", name);
}

static int capture_count(const struct words *w, const char *value, struct capture_request *r)
{
	return number_of(w, "count", value, 1000000000u, &r->count);
}

static int capture_seconds(const struct words *w, const char *value, struct capture_request *r)
{
	return number_of(w, "seconds", value, 86400, &r->seconds);
}

static int capture_bytes(const struct words *w, const char *value, struct capture_request *r)
{
	return number_of(w, "bytes", value, 1ull << 36, &r->bytes);
}

static int capture_snaplen(const struct words *w, const char *value, struct capture_request *r)
{
	uint64_t snaplen;
	int rc = number_of(w, "snaplen", value, CAPTURE_SNAPLEN_MAX, &snaplen);

	if (!rc)
		r->spec.snaplen = (uint16_t)snaplen;
	return rc;
}

static const struct {
	const char *word;
	int (*parse)(const struct words *w, const char *value, struct capture_request *r);
} capture_words[] = {
	{ "tunnel", capture_tunnel },
	{ "port", capture_port },
	{ "count", capture_count },
	{ "seconds", capture_seconds },
	{ "bytes", capture_bytes },
	{ "snaplen", capture_snaplen },
};

static const struct {
	const char *word;
	bool clear, sealed;
} capture_sides[] = {
	{ "clear", true, false },
	{ "sealed", false, true },
	{ "both", true, true },
};

/* Words read; 0: this one is no side. */
static size_t capture_side(const char *word, struct capture_request *r)
{
	for (size_t i = 0; i < ARRAY_LEN(capture_sides); i++)
		if (!strcmp(capture_sides[i].word, word)) {
			r->spec.clear = capture_sides[i].clear;
			r->spec.sealed = capture_sides[i].sealed;
			return 1;
		}
	return 0;
}

/* A word and its value. */
static int capture_word(const struct words *w, const char *word, const char *value, struct capture_request *r)
{
	for (size_t i = 0; i < ARRAY_LEN(capture_words); i++)
		if (!strcmp(capture_words[i].word, word))
			return value ? capture_words[i].parse(w, value, r)
				     : fault(w->error, "capture: nothing follows \"%s\"", word);
	return fault(w->error, "capture: not understood: \"%.64s\"", word);
}

static int file_check(const char *file, struct watch_error *e)
{
	if (*file != '/')
		return fault(e, "capture: \"%.80s\" is no absolute path", file);
	/* it is named in the log */
	for (const char *p = file; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return fault(e, "capture: a control character in the file's name");
	return strlen(file) < 4096 ? 0 : fault(e, "capture: the file's name is too long");
}

int capture_parse(const struct config *config, const struct policy *policy, const char *const *args, size_t count,
	struct capture_request *ret_request, struct watch_error *ret_error)
{
	const struct words w = { config, policy, ret_error };
	struct capture_request *r = ret_request;
	size_t at = 1;

	*r = (struct capture_request){ .file = args[0],
		.spec = { .clear = true, .sealed = true, .snaplen = SNAPLEN_DEFAULT },
		.count = COUNT_DEFAULT,
		.seconds = SECONDS_DEFAULT,
		.bytes = BYTES_DEFAULT };
	int rc = file_check(r->file, ret_error);
	while (!rc && at < count) {
		if (capture_side(args[at], r)) {
			at++;
			continue;
		}
		rc = capture_word(&w, args[at], at + 1 < count ? args[at + 1] : NULL, r);
		at += 2;
	}
	if (!rc && !*r->of)
		return fault(ret_error, "capture what? tunnel NAME or port NAME");
	return rc;
}

/* ---- trace ---- */

static int trace_count(const struct words *w, const char *value, struct datapath_trace_spec *s)
{
	uint64_t count;
	int rc = number_of(w, "count", value, DATAPATH_TRACE_PACKETS_MAX, &count);

	if (!rc)
		s->count = (uint32_t)count;
	return rc;
}

static int trace_every(const struct words *w, const char *value, struct datapath_trace_spec *s)
{
	uint64_t every;
	int rc = number_of(w, "every", value, UINT32_MAX, &every);

	if (!rc)
		s->every = (uint32_t)every;
	return rc;
}

static int prefix_of(const struct words *w, const char *value, struct prefix *ret_prefix)
{
	return prefix_parse(value, ret_prefix) ? fault(w->error, "trace: no prefix: \"%.64s\"", value) : 0;
}

static int trace_src(const struct words *w, const char *value, struct datapath_trace_spec *s)
{
	return prefix_of(w, value, &s->src);
}

static int trace_dst(const struct words *w, const char *value, struct datapath_trace_spec *s)
{
	return prefix_of(w, value, &s->dst);
}

static int trace_tunnel(const struct words *w, const char *value, struct datapath_trace_spec *s)
{
	if (!slots_of(w->policy, value, &s->first_slot, &s->slot_count))
		return fault(w->error, "no tunnel or manual SA \"%.80s\"", value);
	return 0;
}

static int trace_spi(const struct words *w, const char *value, struct datapath_trace_spec *s)
{
	uint64_t spi;
	int rc = number_of(w, "spi", value, UINT32_MAX, &spi);

	if (!rc)
		s->spi = (uint32_t)spi;
	return rc;
}

static const struct {
	const char *word;
	int (*parse)(const struct words *w, const char *value, struct datapath_trace_spec *s);
} trace_words[] = {
	{ "count", trace_count },
	{ "every", trace_every },
	{ "src", trace_src },
	{ "dst", trace_dst },
	{ "tunnel", trace_tunnel },
	{ "spi", trace_spi },
};

static int trace_word(const struct words *w, const char *word, const char *value, struct datapath_trace_spec *s)
{
	for (size_t i = 0; i < ARRAY_LEN(trace_words); i++)
		if (!strcmp(trace_words[i].word, word))
			return value ? trace_words[i].parse(w, value, s)
				     : fault(w->error, "trace: nothing follows \"%s\"", word);
	return fault(w->error, "trace: not understood: \"%.64s\"", word);
}

int trace_parse(const struct policy *policy, const char *const *args, size_t count,
	struct datapath_trace_spec *ret_spec, struct watch_error *ret_error)
{
	const struct words w = { NULL, policy, ret_error };
	int rc = 0;

	*ret_spec = (struct datapath_trace_spec){ .count = TRACE_DEFAULT, .every = 1 };
	for (size_t at = 0; !rc && at < count; at += 2)
		rc = trace_word(&w, args[at], at + 1 < count ? args[at + 1] : NULL, ret_spec);
	if (!rc && ret_spec->spi && (ret_spec->src.addr.family || ret_spec->dst.addr.family))
		return fault(ret_error, "trace: spi and addresses do not go together: what is inside is not known yet");
	if (!rc && ret_spec->src.addr.family && ret_spec->dst.addr.family &&
		ret_spec->src.addr.family != ret_spec->dst.addr.family)
		return fault(ret_error, "trace: src and dst of two address families");
	return rc;
}
