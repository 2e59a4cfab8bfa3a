/* SPDX-License-Identifier: BSD-3-Clause */
/* trace start, show, stop: collects the records of sampled packets and gives each packet's as one list, with the cycles
 * between them. */
#include "control_priv.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>

/* More than that of one packet is a loop, and its beginning says enough. */
#define RECORDS_MAX (DATAPATH_TRACE_PACKETS_MAX * 32)

static void collect(struct control *c)
{
	struct trace_session *s = &c->trace;

	if (s->records)
		s->count += datapath_trace_read(c->dp, s->records + s->count, RECORDS_MAX - s->count);
}

static int record_compare(const void *a, const void *b)
{
	const struct datapath_trace_record *x = a, *y = b;

	if (x->packet != y->packet)
		return x->packet < y->packet ? -1 : 1;
	return x->cycles < y->cycles ? -1 : x->cycles > y->cycles;
}

/* ---- a record in words ---- */

static const char *text_port(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	snprintf(ret_text, capacity, "on %s",
		value < c->config->interface_count ? c->config->interfaces[value].name : "?");
	return ret_text;
}

static const char *text_bytes(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	(void)c;
	snprintf(ret_text, capacity, "%u bytes", value);
	return ret_text;
}

static const char *text_spi(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	(void)c;
	snprintf(ret_text, capacity, "SPI 0x%08x", value);
	return ret_text;
}

static const char *text_slot(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	snprintf(ret_text, capacity, "by %s", slot_name(c, value));
	return ret_text;
}

static const char *text_reason(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	(void)c;
	snprintf(ret_text, capacity, "%s (%s)", drop_keyword((enum drop_reason)value),
		drop_text((enum drop_reason)value));
	return ret_text;
}

static const char *text_worker(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	(void)c;
	snprintf(ret_text, capacity, "to worker %u", value);
	return ret_text;
}

static const char *text_origin(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	(void)c;
	snprintf(ret_text, capacity, "%s", datapath_trace_origin_name((uint16_t)value));
	return ret_text;
}

static const char *text_class(const struct control *c, uint32_t value, char *ret_text, size_t capacity)
{
	(void)c;
	snprintf(ret_text, capacity, "to control: %s", datapath_trace_class_name((uint16_t)value));
	return ret_text;
}

static const struct {
	const char *kind; /* as in the table of stages */
	const char *(*text)(const struct control *c, uint32_t value, char *ret_text, size_t capacity);
} value_texts[] = {
	{ "port", text_port },
	{ "bytes", text_bytes },
	{ "spi", text_spi },
	{ "slot", text_slot },
	{ "reason", text_reason },
	{ "worker", text_worker },
	{ "origin", text_origin },
	{ "class", text_class },
};

static const char *value_text(
	const struct control *c, const char *kind, uint32_t value, char *ret_text, size_t capacity)
{
	ret_text[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(value_texts); i++)
		if (!strcmp(value_texts[i].kind, kind))
			return value_texts[i].text(c, value, ret_text, capacity);
	return ret_text;
}

static json_t *record_json(
	const struct control *c, const struct datapath_trace_record *r, const struct datapath_trace_record *before)
{
	const struct datapath_trace_row *row = datapath_trace_row(r->stage);
	char what[160], which[160], text[330];

	value_text(c, row->what, r->what, what, sizeof(what));
	value_text(c, row->which, r->which, which, sizeof(which));
	snprintf(text, sizeof(text), "%s%s%s", what, *what && *which ? ", " : "", which);
	return json_pack("{s:i,s:s,s:o,s:I}", "worker", (int)r->worker, "stage", row->name, "text", json_text(text),
		"cycles", (json_int_t)(r->cycles - before->cycles));
}

/* ---- the answer ---- */

/* Records of one packet, from its first. */
static size_t packet_json(const struct control *c, const struct datapath_trace_record *first, size_t most, json_t *list)
{
	json_t *steps = json_array();
	size_t n = 0;

	for (; n < most && first[n].packet == first->packet; n++)
		json_array_append_new(steps, record_json(c, &first[n], n ? &first[n - 1] : first));
	json_array_append_new(list, json_pack("{s:I,s:I,s:o}", "packet", (json_int_t)first->packet, "cycles",
					    (json_int_t)(first[n - 1].cycles - first->cycles), "steps", steps));
	return n;
}

static json_t *trace_json(struct control *c)
{
	struct trace_session *s = &c->trace;
	json_t *packets = json_array();

	collect(c);
	qsort(s->records, s->count, sizeof(*s->records), record_compare);
	for (size_t at = 0; at < s->count;)
		at += packet_json(c, &s->records[at], s->count - at, packets);
	return json_pack("{s:b,s:o,s:I,s:I}", "running", datapath_trace_running(c->dp), "packets", packets, "lost",
		(json_int_t)(datapath_trace_lost(c->dp) - s->lost_before), "cycles_per_us",
		(json_int_t)(rte_get_tsc_hz() / 1000000u));
}

/* An SPI that the peer chose stands for the tunnel whose packets it is sent with. */
static void spi_resolve(const struct control *c, struct datapath_trace_spec *spec)
{
	const struct sa_pair *pair;

	if (!spec->spi || sa_pair_lookup(&c->sas, spec->spi))
		return;
	TAILQ_FOREACH (pair, &c->sas.pairs, all) {
		if (pair->out_view.spi != spec->spi)
			continue;
		spec->first_slot = pair->tunnel_slot;
		spec->slot_count = 1;
		spec->spi = 0;
		return;
	}
}

json_t *command_trace_start(struct command_call *call)
{
	struct control *c = call->control;
	struct trace_session *s = &c->trace;
	struct datapath_trace_spec spec;
	struct watch_error error;
	int rc;

	if (trace_parse(&c->policy, call->args, call->arg_count, &spec, &error)) {
		snprintf(call->error, sizeof(call->error), "%s", error.text);
		return NULL;
	}
	spi_resolve(c, &spec);
	if (!s->records)
		s->records = calloc(RECORDS_MAX, sizeof(*s->records));
	if (!s->records)
		return NULL;
	rc = datapath_trace_start(c->dp, &spec);
	if (rc) {
		snprintf(call->error, sizeof(call->error), "%s",
			rc == -EBUSY ? "a trace runs already"
				     : "the trace cannot start: no room in packet buffers or memory");
		return NULL;
	}
	s->count = 0;
	s->lost_before = datapath_trace_lost(c->dp);
	return json_pack("{s:b,s:i,s:i}", "running", 1, "count", (int)spec.count, "every", (int)spec.every);
}

json_t *command_trace_show(struct command_call *call)
{
	if (!call->control->trace.records) {
		snprintf(call->error, sizeof(call->error), "no trace was started");
		return NULL;
	}
	return trace_json(call->control);
}

json_t *command_trace_stop(struct command_call *call)
{
	struct control *c = call->control;

	if (!datapath_trace_running(c->dp)) {
		snprintf(call->error, sizeof(call->error), "no trace runs");
		return NULL;
	}
	datapath_trace_stop(c->dp);
	return json_pack("{s:b}", "running", 0);
}
