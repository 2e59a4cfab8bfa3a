/* SPDX-License-Identifier: BSD-3-Clause */
/* Facts of the engine as one log line each and as entries of the tunnels' histories. No decisions. */
#include "control_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct event_style {
	enum log_level level;
	uint32_t burst, per_second; /* of log lines */
};

/* Anybody can cause the first kinds of lines; those about an SA's life need a peer that proved itself. */
static const struct event_style styles[LIMIT_KINDS] = {
	[IKE_EV_STARTED] = { LOG_NOTICE, 50, 5 },
	[IKE_EV_PHASE1_UP] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_PHASE1_REKEYED] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_PHASE2_UP] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_PHASE2_REKEYED] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_PHASE2_DOWN] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_PHASE1_DOWN] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_FAILED] = { LOG_WARNING, 50, 5 },
	[IKE_EV_RETRANSMIT] = { LOG_DEBUG, 50, 5 },
	[IKE_EV_NAT_DETECTED] = { LOG_NOTICE, 50, 5 },
	[IKE_EV_MOVED] = { LOG_NOTICE, 500, 100 },
	[IKE_EV_MOVE_REFUSED] = { LOG_WARNING, 50, 5 },
	[IKE_EV_REPLACED] = { LOG_NOTICE, 50, 5 },
	[IKE_EV_REFUSED] = { LOG_WARNING, 20, 2 },
	[LIMIT_UNKNOWN_SPI] = { LOG_WARNING, 20, 1 },
	[LIMIT_SEND] = { LOG_WARNING, 20, 1 },
	[LIMIT_INSTALL] = { LOG_ERROR, 20, 1 },
	[LIMIT_NO_SA] = { LOG_NOTICE, 20, 1 },
	[LIMIT_PATH_MTU] = { LOG_NOTICE, 50, 5 },
	[LIMIT_ICMP_ERROR] = { LOG_NOTICE, 20, 1 },
};

void limits_init(struct log_limit limits[LIMIT_KINDS])
{
	for (unsigned i = 0; i < LIMIT_KINDS; i++)
		limits[i] = (struct log_limit){ .burst = styles[i].burst, .per_second = styles[i].per_second };
}

void log_limited(struct control *c, unsigned kind, enum log_level level, const char *format, ...)
{
	char line[1024];
	uint32_t suppressed;
	va_list args;

	if (!log_limit_take(&c->limits[kind], c->now_ns, &suppressed))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (suppressed)
		log_line(level, "%s (%u such lines left out before)", line, suppressed);
	else
		log_line(level, "%s", line);
}

/* Cursor over a text buffer that stops at its end. */
struct text {
	char *data;
	size_t len, capacity;
};

static void __attribute__((format(printf, 2, 3))) text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	if (t->len + 1 >= t->capacity)
		return;
	va_start(args, format);
	n = vsnprintf(t->data + t->len, t->capacity - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n;
	if (t->len >= t->capacity)
		t->len = t->capacity - 1;
}

static void add_failure(struct text *t, const struct ike_failure *f)
{
	if (f->exchange)
		text_add(t, "%s as %s: ", exchange_name(f->exchange), f->initiator ? "initiator" : "responder");
	text_add(t, "%s", f->reason[0] ? f->reason : "no reason given");
	if (f->notify)
		text_add(t, " (%s)", notify_name(f->notify));
	if (f->mismatch[0])
		text_add(t, "; mismatch: %s", f->mismatch);
	if (f->ours[0])
		text_add(t, "; ours: %s", f->ours);
	if (f->theirs[0])
		text_add(t, "; theirs: %s", f->theirs);
}

static bool tells_a_failure(const struct ike_event *e)
{
	return e->kind == IKE_EV_FAILED || e->kind == IKE_EV_REFUSED;
}

static void add_what(struct text *t, const struct ike_event *e)
{
	if (tells_a_failure(e) && e->failure.reason[0])
		add_failure(t, &e->failure);
	else
		text_add(t, "%s", e->text);
}

static void add_who(struct text *t, const struct control *c, const struct ike_event *e)
{
	bool phase1 = e->kind == IKE_EV_PHASE1_UP || e->kind == IKE_EV_PHASE1_DOWN;
	char peer[ENDPOINT_TEXT_MAX], id[IDENTITY_TEXT_MAX];

	text_add(t, "%s", ike_event_name(e->kind));
	if (tells_a_failure(e) && e->failure.phase)
		text_add(t, " phase%u", e->failure.phase);
	if (e->tunnel >= 0)
		text_add(t, " tunnel %s", c->config->tunnels[e->tunnel].name);
	if (e->tunnel >= 0 && e->child >= 0)
		text_add(t, "/%s", c->config->tunnels[e->tunnel].children[e->child].name);
	if (e->peer.type)
		text_add(t, " id %.128s", identity_format(&e->peer, id));
	if (e->spi_i || e->spi_r)
		text_add(t, " spis %016llx/%016llx", (unsigned long long)e->spi_i, (unsigned long long)e->spi_r);
	if (!phase1 && (e->child_spi_in || e->child_spi_out))
		text_add(t, " esp-in %08x esp-out %08x", e->child_spi_in, e->child_spi_out);
	if (e->remote.addr.family)
		text_add(t, " peer %s", endpoint_format(&e->remote, peer));
}

/* The engine cannot see routes and neighbours; an operator who looks at a silent peer should not have to either. */
static bool add_silence(struct text *t, struct control *c, const struct ike_event *e)
{
	struct history *h = &c->histories[e->tunnel];
	struct datapath_neighbour hop;
	char hint[128];
	int rc;

	if (e->failure.phase != 1 || e->failure.notify || strcmp(e->failure.reason, "peer did not answer") != 0)
		return false;
	rc = datapath_next_hop_read(c->dp, &e->remote.addr, &hop);
	if (!hint_silence(c->config, &e->remote.addr, rc, &hop, hint, sizeof(hint)))
		return false;
	text_add(t, "; %s", hint);
	free(h->hint);
	h->hint = strdup(hint);
	h->hint_of_ns = e->failure.at_ns;
	return true;
}

/* What to look at stands in the log, too: of a stranger's failure it stands nowhere else. */
static const char *engine_hint(const struct ike_event *e, bool explained)
{
	return tells_a_failure(e) && !explained ? e->failure.hint : "";
}

void event_report(struct control *c, const struct ike_event *e)
{
	char who[512], what[1024];
	struct text head = { .data = who, .capacity = sizeof(who) };
	struct text body = { .data = what, .capacity = sizeof(what) };
	bool explained = false;

	who[0] = what[0] = '\0';
	add_who(&head, c, e);
	add_what(&body, e);
	if (e->kind == IKE_EV_FAILED && e->tunnel >= 0 && e->remote.addr.family)
		explained = add_silence(&body, c, e);
	const char *hint = engine_hint(e, explained);
	log_limited(c, e->kind, styles[e->kind].level, "%s%s%s%s%s", who, what[0] ? ": " : "", what,
		hint[0] ? "; hint: " : "", hint);
	if (e->tunnel >= 0)
		history_push(&c->histories[e->tunnel], e->kind, what);
}
