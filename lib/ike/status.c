/* SPDX-License-Identifier: BSD-3-Clause */
/* What the host is told: events, counters, the state of a tunnel. Decides nothing. */
#include "ike_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENT_NAME(name, keyword)   [name] = keyword,
#define COUNTER_NAME(name, keyword) [name] = keyword,
#define STATE_PHASE(name, phase)    [name] = phase,

static const char *const event_names[] = { IKE_EVENTS(EVENT_NAME) };
static const char *const counter_names[] = { IKE_COUNTERS(COUNTER_NAME) };
static const uint8_t state_phases[] = { SA_STATES(STATE_PHASE) };

const char *ike_event_name(enum ike_event_kind kind)
{
	return kind < IKE_EVENT_KINDS ? event_names[kind] : "unknown";
}

const char *ike_counter_name(enum ike_counter c)
{
	return c < IKE_COUNTER_COUNT ? counter_names[c] : "unknown";
}

const char *phase_state_name(enum phase_state s)
{
	static const char *const names[] = {
		[PHASE_DOWN] = "down",
		[PHASE_NEGOTIATING] = "negotiating",
		[PHASE_UP] = "up",
		[PHASE_CLOSING] = "closing",
	};

	return s <= PHASE_CLOSING ? names[s] : "unknown";
}

const uint64_t *ike_counters(const struct ike_engine *e)
{
	return e->counters;
}

uint32_t ike_sa_count(const struct ike_engine *e)
{
	return e->sa_count;
}

uint32_t ike_lingering_count(const struct ike_engine *e)
{
	return e->lingering;
}

static struct ike_event *event_push(
	struct ike_engine *e, enum ike_event_kind kind, const struct tunnel *t, const struct ike_sa *sa)
{
	struct ike_action *a = actions_push(e->out, IKE_EVENT);

	if (!a)
		return NULL;
	a->event = calloc(1, sizeof(*a->event));
	if (!a->event) {
		e->out->count--;
		e->out->failed = true;
		return NULL;
	}
	*a->event = (struct ike_event){ .kind = kind, .tunnel = t ? (int32_t)t->index : -1, .child = -1 };
	if (sa) {
		a->event->spi_i = sa->spi_i;
		a->event->spi_r = sa->spi_r;
		a->event->local = sa->local;
		a->event->remote = sa->remote;
		if (profile_serves_many(sa->tunnel->profile))
			a->event->peer = sa->remote_id;
	}
	return a->event;
}

void event_emit(struct ike_engine *e, enum ike_event_kind kind, const struct tunnel *t, const struct ike_sa *sa,
	const char *format, ...)
{
	struct ike_event *event = event_push(e, kind, t, sa);
	va_list arguments;

	if (!event)
		return;
	va_start(arguments, format);
	vsnprintf(event->text, sizeof(event->text), format, arguments);
	va_end(arguments);
}

void event_child(struct ike_engine *e, enum ike_event_kind kind, const struct child_sa *child, const char *format, ...)
{
	struct ike_event *event = event_push(e, kind, child->sa->tunnel, child->sa);
	va_list arguments;

	if (!event)
		return;
	event->child = (int32_t)child->index;
	event->child_spi_in = child->spi_in;
	event->child_spi_out = child->spi_out;
	va_start(arguments, format);
	vsnprintf(event->text, sizeof(event->text), format, arguments);
	va_end(arguments);
}

void event_failure(struct ike_engine *e, enum ike_event_kind kind, const struct tunnel *t, const struct ike_sa *sa,
	const struct ike_datagram *d, const struct ike_failure *failure)
{
	struct ike_event *event = event_push(e, kind, t, sa);

	if (!event)
		return;
	if (d) {
		event->local = d->local;
		event->remote = d->remote;
	}
	event->failure = *failure;
	snprintf(event->text, sizeof(event->text), "%s", failure->reason);
}

struct path_spec child_path(const struct child_sa *child)
{
	const struct ike_sa *sa = child->sa;
	bool former = sa->mobike && sa->mobike->waiting;

	return (struct path_spec){
		.local = former ? sa->mobike->former_local : sa->local,
		.remote = former ? sa->mobike->former_remote : sa->remote,
		.encap = child->udp_encap ? SA_ENCAP_UDP : SA_ENCAP_NONE,
	};
}

struct selector_list child_selectors(const struct child_sa *child, bool local)
{
	const struct selector *from = local ? child->selectors : child->selectors + child->local_count;
	struct selector_list list = { .count = local ? child->local_count : child->remote_count };

	memcpy(list.items, from, list.count * sizeof(*from));
	return list;
}

struct ts_pair child_ts(const struct child_sa *child)
{
	return (struct ts_pair){ child_selectors(child, true), child_selectors(child, false) };
}

/* An SA with a child, an SA, a negotiation, an end. */
static int sa_rank(const struct ike_sa *sa)
{
	switch (state_phases[sa->state]) {
	case PHASE_UP: return sa_children(sa, false) ? 4 : 3;
	case PHASE_NEGOTIATING: return 2;
	case PHASE_CLOSING: return 1;
	default: return 0;
	}
}

static struct ike_sa *better_sa(struct ike_sa *best, struct ike_sa *sas)
{
	for (struct ike_sa *sa = sas; sa; sa = sa->sibling)
		if (sa_rank(sa) && (!best || sa_rank(sa) > sa_rank(best)))
			best = sa;
	return best;
}

struct ike_sa *tunnel_best_sa(const struct tunnel *t)
{
	struct ike_sa *best = better_sa(NULL, t->sas);
	const struct peer *p;

	if (!t->base)
		TAILQ_FOREACH (p, &t->peers, siblings)
			best = better_sa(best, p->tunnel.sas);
	return best;
}

static void fill_child(const struct child_sa *child, struct ike_child_status *ret)
{
	char text[PROPOSAL_TEXT_MAX];

	ret->state = child->sa->state == ST_CLOSING || child->state != CHILD_UP ? PHASE_CLOSING : PHASE_UP;
	ret->spi_in = child->spi_in;
	ret->spi_out = child->spi_out;
	ret->index = child->index;
	ret->local = child_selectors(child, true);
	ret->remote = child_selectors(child, false);
	snprintf(ret->suite, sizeof(ret->suite), "%.127s", suite_format(&child->suite, text));
	ret->up_since_ns = child->up_since_ns;
	ret->udp_encap = child->udp_encap;
	ret->ah = child->protocol == PROTOCOL_AH;
}

/* Of several of an index the newest that is up. */
static void fill_children(const struct ike_sa *sa, struct ike_tunnel_status *ret)
{
	uint8_t soon = sa_children(sa, true);
	struct child_sa *child;

	/* the first one rides on IKE_AUTH */
	for (uint32_t i = 0; i < ret->child_count; i++)
		if (soon >> i & 1)
			ret->children[i].state = PHASE_NEGOTIATING;
	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->installed && (child->state == CHILD_UP || !child_of_index(sa, child->index)))
			fill_child(child, &ret->children[child->index]);
	}
}

static void fill_sa(const struct ike_sa *sa, struct ike_tunnel_status *ret)
{
	ret->phase1 = state_phases[sa->state];
	ret->initiator = sa->initiator;
	ret->spi_i = sa->spi_i;
	ret->spi_r = sa->spi_r;
	ret->local = sa->local;
	ret->remote = sa->remote;
	ret->local_nat = sa->local_nat;
	ret->remote_nat = sa->remote_nat;
	ret->mobike = sa->mobike;
	if (sa->mobike) {
		ret->remotes_count = sa->mobike->peer_count;
		memcpy(ret->remotes, sa->mobike->peers, sizeof(ret->remotes));
	}
	ret->up_since_ns = sa->up_since_ns;
	if (sa->suite.encr)
		suite_format(&sa->suite, ret->suite);
	suite_weakness(&sa->suite, ret->weak, sizeof(ret->weak));
	memcpy(ret->virtual, sa->virtual, sizeof(ret->virtual));
	if (sa->remote_id.type)
		identity_format(&sa->remote_id, ret->remote_id);
	ret->request_sent = sa->outbox.request ? sa->outbox.tries : 0;
	ret->request_exchange = sa->outbox.request ? sa->outbox.request_exchange : 0;
	fill_children(sa, ret);
}

static void fill_tunnel(const struct tunnel *t, struct ike_tunnel_status *ret_status)
{
	const struct ike_sa *sa = tunnel_best_sa(t);

	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->child_count = t->profile->child_count;
	for (uint32_t i = 0; i < ret_status->child_count; i++)
		ret_status->children[i].index = i;
	ret_status->local.addr = t->profile->local_addr;
	ret_status->remote.addr = t->profile->remote_addr;
	if (sa)
		fill_sa(sa, ret_status);
	ret_status->peer_count = t->peer_count;
	if (t->failure)
		ret_status->failure = *t->failure;
}

int ike_tunnel_status(const struct ike_engine *e, uint32_t tunnel, struct ike_tunnel_status *ret_status)
{
	if (tunnel >= e->tunnel_count)
		return -ENOENT;
	fill_tunnel(&e->tunnels[tunnel], ret_status);
	return 0;
}

int ike_peer_status(
	const struct ike_engine *e, uint32_t tunnel, const struct identity *peer, struct ike_tunnel_status *ret_status)
{
	const struct peer *p = tunnel < e->tunnel_count ? peer_lookup(e, &e->tunnels[tunnel], peer) : NULL;

	if (!p)
		return -ENOENT;
	fill_tunnel(&p->tunnel, ret_status);
	return 0;
}

size_t ike_child_others(const struct ike_engine *e, uint32_t tunnel, const struct identity *peer,
	const struct ike_child_status *shown, struct ike_child_status *ret_others, size_t capacity)
{
	const struct tunnel *t = tunnel < e->tunnel_count ? &e->tunnels[tunnel] : NULL;
	const struct peer *p = t && peer ? peer_lookup(e, t, peer) : NULL;
	const struct ike_sa *sa = p ? tunnel_best_sa(&p->tunnel) : t && !peer ? tunnel_best_sa(t) : NULL;
	const struct child_sa *child;
	size_t n = 0;

	if (!sa)
		return 0;
	TAILQ_FOREACH (child, &sa->children, siblings) {
		if (child->index != shown->index || child->spi_in == shown->spi_in || !child->installed ||
			child->state != CHILD_UP || child->replaced)
			continue;
		if (n < capacity)
			fill_child(child, &ret_others[n]);
		n++;
	}
	return n;
}

const struct identity *ike_peer_next(const struct ike_engine *e, uint32_t tunnel, const struct identity *previous)
{
	const struct peer *p = NULL;

	if (tunnel >= e->tunnel_count)
		return NULL;
	if (previous)
		p = peer_lookup(e, &e->tunnels[tunnel], previous);
	p = previous ? (p ? TAILQ_NEXT(p, siblings) : NULL) : TAILQ_FIRST(&e->tunnels[tunnel].peers);
	return p ? &p->id : NULL;
}
