/* SPDX-License-Identifier: BSD-3-Clause */
/* What one source of unauthenticated peers may take (RFC 8019 4): half-open IKE SAs, failed IKE_AUTH. The engine's
 * total only turns cookies on; it is the source that is refused, and one that others pretend to be is not. */
#include "ike_priv.h"

#include <stdlib.h>

#define FAILURES_NS (60 * SECOND_NS)
/* sources remembered for their failures alone */
#define IDLE_SOURCES_MAX 4096

/* IPv6 hosts choose among the addresses of a /64 as they like. */
static struct addr prefix_of(const struct addr *remote)
{
	struct addr prefix = *remote;

	if (prefix.family == ADDR_IPV6)
		memset(prefix.bytes + 8, 0, 8);
	return prefix;
}

static uint64_t prefix_hash(const struct addr *prefix)
{
	return hash_bytes(prefix->family, prefix->bytes, addr_len(prefix));
}

static struct source *lookup(const struct ike_engine *e, const struct addr *prefix)
{
	for (struct link *l = table_first(&e->by_source, prefix_hash(prefix)); l; l = table_next(l)) {
		struct source *s = CONTAINER_OF(l, struct source, by_addr);
		if (addr_equal(&s->prefix, prefix))
			return s;
	}
	return NULL;
}

static struct source *create(struct ike_engine *e, const struct addr *prefix)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->prefix = *prefix;
	TAILQ_INIT(&s->half_open);
	table_insert(&e->by_source, &s->by_addr, prefix_hash(prefix));
	return s;
}

static void forget(struct ike_engine *e, struct source *s)
{
	table_remove(&e->by_source, &s->by_addr);
	free(s);
}

static void idle_remove(struct ike_engine *e, struct source *s)
{
	TAILQ_REMOVE(&e->idle_sources, s, idle);
	e->idle_source_count--;
}

/* The last half-open SA is gone: failures alone keep it, as long as there is room. */
static void idle_push(struct ike_engine *e, struct source *s)
{
	if (!s->failures) {
		forget(e, s);
		return;
	}
	TAILQ_INSERT_TAIL(&e->idle_sources, s, idle);
	if (++e->idle_source_count <= IDLE_SOURCES_MAX)
		return;
	struct source *oldest = TAILQ_FIRST(&e->idle_sources);
	idle_remove(e, oldest);
	forget(e, oldest);
}

static uint32_t recent_failures(const struct ike_engine *e, const struct source *s)
{
	return e->now_ns < s->failures_ns + FAILURES_NS ? s->failures : 0;
}

/* Its oldest SA that showed no cookie; NULL: none. */
static struct ike_sa *oldest_unproven(const struct source *s)
{
	struct ike_sa *sa;

	TAILQ_FOREACH (sa, &s->half_open, of_source)
		if (!sa->returned_cookie)
			return sa;
	return NULL;
}

enum admission source_admit(struct ike_engine *e, const struct addr *remote, bool right_cookie)
{
	struct addr prefix = prefix_of(remote);
	const struct source *s = lookup(e, &prefix);
	bool full = s && s->half_open_count >= e->settings.source_half_open_max;

	/* only who gets our answers can fail: nobody else puts a source into this */
	if (s && recent_failures(e, s) >= e->settings.source_failures_max)
		return REFUSE_FAILURES;
	if (!right_cookie)
		return full || e->half_open >= e->settings.cookie_threshold ? ADMIT_WITH_COOKIE : ADMIT;
	return full && !oldest_unproven(s) ? REFUSE_SOURCE : ADMIT;
}

/* Those without half-open SAs whose failures are no longer recent. */
static void forget_stale(struct ike_engine *e)
{
	struct source *s;

	while ((s = TAILQ_FIRST(&e->idle_sources)) && !recent_failures(e, s)) {
		idle_remove(e, s);
		forget(e, s);
	}
}

bool source_enter(struct ike_engine *e, struct ike_sa *sa, const struct addr *remote)
{
	struct addr prefix = prefix_of(remote);

	forget_stale(e);
	struct source *s = lookup(e, &prefix);
	bool full = s && s->half_open_count >= e->settings.source_half_open_max;

	if (full && oldest_unproven(s)) {
		e->counters[IKE_C_SOURCE_LIMIT]++;
		sa_close(e, oldest_unproven(s), "too many half-open IKE SAs of this source");
		s = lookup(e, &prefix);
	}
	if (!s)
		s = create(e, &prefix);
	if (!s)
		return false;
	if (!s->half_open_count && s->failures)
		idle_remove(e, s);
	sa->source = s;
	s->half_open_count++;
	TAILQ_INSERT_TAIL(&s->half_open, sa, of_source);
	return true;
}

void source_leave(struct ike_engine *e, struct ike_sa *sa)
{
	struct source *s = sa->source;

	if (!s)
		return;
	sa->source = NULL;
	TAILQ_REMOVE(&s->half_open, sa, of_source);
	if (!--s->half_open_count)
		idle_push(e, s);
}

void source_failed(struct ike_engine *e, struct ike_sa *sa)
{
	struct source *s = sa->source;

	if (!s)
		return;
	if (!recent_failures(e, s)) {
		s->failures = 0;
		s->failures_ns = e->now_ns;
	}
	s->failures++;
}

void sources_done(struct ike_engine *e)
{
	for (struct source *s; (s = TAILQ_FIRST(&e->idle_sources));) {
		idle_remove(e, s);
		forget(e, s);
	}
}
